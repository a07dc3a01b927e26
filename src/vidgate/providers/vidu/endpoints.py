"""Vidu's endpoints that make videos, as data.

Source: https://platform.vidu.com/docs (text-to-video, image-to-video, start-end-to-video,
reference-to-video, multi-frame, video-extension, upscale-pro, lip-sync, template,
template-story), read 2026-11-20.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

from vidgate.providers.base import Action

__all__ = [
    "ENDPOINTS",
    "EXTEND",
    "FIRST_FRAME",
    "FIRST_LAST_FRAME",
    "LIP_SYNC",
    "MAIN",
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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint that makes videos.

    Attributes:
        name: The last part of its path.
        action: What it does.
        fields: All that its page lists, but for those of every endpoint.
        model: What clients call it where the vendor has no `model`; empty where it has.
        picture_field: Where pictures go; empty where it takes none.
        prompt_field: Where the prompt goes; empty where it takes none.
        tier_field: Where the resolution goes; empty where there is no choice.
        has_ratio: Whether `aspect_ratio` exists; elsewhere the pictures give the shape.
        required: Of each group of fields one must be there.
        smallest_side: Pixels that each side of a picture has at least, `None` for no such rule.
    """

    name: str
    action: Action
    fields: frozenset[str]
    _: KW_ONLY
    model: str = ""
    picture_field: str = "images"
    prompt_field: str = "prompt"
    tier_field: str = "resolution"
    has_ratio: bool = False
    required: tuple[tuple[str, ...], ...] = ()
    smallest_side: int | None = None

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
_SPOKEN = frozenset({"audio_url", "text", "speed", "voice_id", "volume", "ref_photo_url"})

_PICTURES = (("images",),)
_A_SOURCE = (("video_creation_id", "video_url"),)

TEXT = Endpoint("text2video", Action.TEXT, _MAIN | {"style", "aspect_ratio"}, has_ratio=True)
FIRST_FRAME = Endpoint(
    "img2video", Action.FIRST_FRAME, _MAIN | {"images", "is_rec", "voice_id"}, required=_PICTURES
)
FIRST_LAST_FRAME = Endpoint(
    "start-end2video", Action.FIRST_LAST_FRAME, _MAIN | {"images", "is_rec"}, required=_PICTURES
)
REFERENCES = Endpoint(
    "reference2video",
    Action.REFERENCES,
    _MAIN | {"images", "subjects", "auto_subjects", "videos", "sounds", "aspect_ratio", "voice_id"},
    has_ratio=True,
    required=(("images", "subjects", "videos", "auto_subjects"),),
    smallest_side=_SMALLEST_REFERENCE,
)
MULTIFRAME = Endpoint(
    "multiframe",
    Action.KEY_FRAMES,
    _MARK | {"start_image", "image_settings", "resolution"},
    picture_field="start_image",
    prompt_field="",
    required=(("start_image",), ("image_settings",)),
)
_EXTEND = _MARK | _SOURCE | {"images", "prompt", "duration", "resolution"}
EXTEND = Endpoint("extend", Action.EXTEND, _EXTEND, required=_A_SOURCE)
UPSCALE = Endpoint(
    "upscale-new",
    Action.UPSCALE,
    _SOURCE | {"upscale_resolution"},
    model="vidu-upscale",
    picture_field="",
    prompt_field="",
    tier_field="upscale_resolution",
    required=_A_SOURCE,
)
LIP_SYNC = Endpoint(
    "lip-sync",
    Action.LIP_SYNC,
    _SPOKEN | {"video_url"},
    model="vidu-lip-sync",
    picture_field="ref_photo_url",
    prompt_field="text",
    tier_field="",
    required=(("video_url",), ("audio_url", "text")),
)
TEMPLATE = Endpoint(
    "template",
    Action.EFFECT,
    _MARK | {"template", "images", "prompt", "seed", "aspect_ratio", "area", "beast", "bgm"},
    model="vidu-template",
    tier_field="",
    has_ratio=True,
    required=(("template",), *_PICTURES),
    smallest_side=_SMALLEST_REFERENCE,
)
STORY = Endpoint(
    "template-story",
    Action.EFFECT,
    frozenset({"story", "images"}),
    model="vidu-template-story",
    prompt_field="",
    tier_field="",
    required=(("story",), *_PICTURES),
)

MAIN = (TEXT, FIRST_FRAME, FIRST_LAST_FRAME, REFERENCES)
"""By the number of pictures; from the last on they are references."""

ENDPOINTS: Mapping[str, Endpoint] = {
    one.name: one for one in (*MAIN, MULTIFRAME, EXTEND, UPSCALE, LIP_SYNC, TEMPLATE, STORY)
}
"""By name."""

RETIRED_ENDPOINTS: Mapping[str, str] = {"template2video": "template"}
"""From an endpoint that the vendor renamed to the one that takes the same request."""

REFERENCE_FIELDS = ("subjects", "videos", "sounds", "auto_subjects")
"""Vendor fields that exist on reference2video alone."""
