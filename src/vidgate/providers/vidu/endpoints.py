"""Vidu's endpoints that make videos, as data.

Source: https://platform.vidu.com/docs (text-to-video, image-to-video, start-end-to-video,
reference-to-video, multi-frame, video-extension, upscale-pro, lip-sync, template,
template-story), read 2026-11-20.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from vidgate.providers.base import Action

__all__ = [
    "ENDPOINTS",
    "EXTEND",
    "FIRST_FRAME",
    "FIRST_LAST_FRAME",
    "LIP_SYNC",
    "MULTIFRAME",
    "REFERENCES",
    "REFERENCE_FIELDS",
    "RETIRED_ENDPOINTS",
    "STORY",
    "TEMPLATE",
    "TEXT",
    "UPSCALE",
    "Endpoint",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint that makes videos.

    Attributes:
        name: The last part of its path.
        action: What it does.
        model: What clients call it where the vendor has no `model`; empty where it has.
        picture_field: Where pictures go; empty where it takes none.
        prompt_field: Where the prompt goes; empty where it takes none.
        tier_field: Where the resolution goes; empty where there is no choice.
        has_ratio: Whether `aspect_ratio` exists; elsewhere the pictures give the shape.
        required: Of each group of fields one must be there.
        native_type: What the vendor calls its jobs, empty where that is the name.
        smallest_side: Pixels that each side of a picture has at least, `None` for no such rule.
        fields: All that its page lists, but for those of every endpoint.
    """

    name: str
    action: Action
    model: str = ""
    picture_field: str = "images"
    prompt_field: str = "prompt"
    tier_field: str = "resolution"
    has_ratio: bool = False
    required: tuple[tuple[str, ...], ...] = ()
    native_type: str = ""
    smallest_side: int | None = None
    fields: frozenset[str]

    @property
    def path(self) -> str:
        """Below the base URL."""
        return f"/ent/v2/{self.name}"


_SMALLEST_REFERENCE = 128

_MARK = frozenset({"watermark", "wm_position", "wm_url", "meta_data"})
_MAIN = _MARK | {
    *("prompt", "duration", "seed", "resolution", "movement_amplitude"),
    *("bgm", "audio", "audio_type", "off_peak"),
}
_SOURCE = frozenset({"video_creation_id", "video_url"})

TEXT = Endpoint(
    name="text2video",
    action=Action.TEXT,
    has_ratio=True,
    fields=_MAIN | {"style", "aspect_ratio"},
)
FIRST_FRAME = Endpoint(
    name="img2video",
    action=Action.FIRST_FRAME,
    required=(("images",),),
    fields=_MAIN | {"images", "is_rec", "voice_id"},
)
FIRST_LAST_FRAME = Endpoint(
    name="start-end2video",
    action=Action.FIRST_LAST_FRAME,
    required=(("images",),),
    native_type="headtailimg2video",
    fields=_MAIN | {"images", "is_rec"},
)
REFERENCES = Endpoint(
    name="reference2video",
    action=Action.REFERENCES,
    has_ratio=True,
    required=(("images", "subjects", "videos", "auto_subjects"),),
    smallest_side=_SMALLEST_REFERENCE,
    fields=_MAIN
    | {"images", "subjects", "auto_subjects", "videos", "sounds", "aspect_ratio", "voice_id"},
)
MULTIFRAME = Endpoint(
    name="multiframe",
    action=Action.KEY_FRAMES,
    picture_field="start_image",
    prompt_field="",
    required=(("start_image",), ("image_settings",)),
    fields=_MARK | {"start_image", "image_settings", "resolution"},
)
EXTEND = Endpoint(
    name="extend",
    action=Action.EXTEND,
    required=(("video_creation_id", "video_url"),),
    fields=_MARK | _SOURCE | {"images", "prompt", "duration", "resolution"},
)
UPSCALE = Endpoint(
    name="upscale-new",
    action=Action.UPSCALE,
    model="vidu-upscale",
    picture_field="",
    prompt_field="",
    tier_field="upscale_resolution",
    required=(("video_creation_id", "video_url"),),
    fields=_SOURCE | {"upscale_resolution"},
)
LIP_SYNC = Endpoint(
    name="lip-sync",
    action=Action.LIP_SYNC,
    model="vidu-lip-sync",
    picture_field="ref_photo_url",
    prompt_field="text",
    tier_field="",
    required=(("video_url",), ("audio_url", "text")),
    fields=frozenset(
        {"video_url", "audio_url", "text", "speed", "voice_id", "volume", "ref_photo_url"}
    ),
)
TEMPLATE = Endpoint(
    name="template",
    action=Action.EFFECT,
    model="vidu-template",
    tier_field="",
    has_ratio=True,
    required=(("template",), ("images",)),
    smallest_side=_SMALLEST_REFERENCE,
    fields=_MARK | {"template", "images", "prompt", "seed", "aspect_ratio", "area", "beast", "bgm"},
)
STORY = Endpoint(
    name="template-story",
    action=Action.EFFECT,
    model="vidu-template-story",
    prompt_field="",
    tier_field="",
    required=(("story",), ("images",)),
    fields=frozenset({"story", "images"}),
)

ENDPOINTS: Mapping[str, Endpoint] = {
    endpoint.name: endpoint
    for endpoint in (
        *(TEXT, FIRST_FRAME, FIRST_LAST_FRAME, REFERENCES, MULTIFRAME),
        *(EXTEND, UPSCALE, LIP_SYNC, TEMPLATE, STORY),
    )
}
"""By name."""

RETIRED_ENDPOINTS: Mapping[str, str] = {"template2video": "template"}
"""From an endpoint that the vendor renamed to the one that takes the same request."""

REFERENCE_FIELDS = ("subjects", "videos", "sounds", "auto_subjects")
"""Vendor fields that exist on reference2video alone."""
