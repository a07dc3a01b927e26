"""What is known of each of Kling's models and products: to take up another one is to add a row.

The avatar, the lip-sync, the effects and the edit of a video's objects have no model in their
requests. Each has a name of ours here, so that it can be permitted, priced and asked for.

Source: the vendor's model pages under https://kling.ai/document-api/api/video/ and
https://kling.ai/document-api/guides/capability-map/video, read 2026-09-20.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from vidgate.constants import EXTERNAL_ID_CHARACTERS
from vidgate.providers.base import Action, ActionCapabilities, Capabilities, ModelCapabilities, Pace

__all__ = [
    "ADVANCED_LIP_SYNC",
    "CAPABILITIES",
    "GONE_FIELDS",
    "IDENTIFY_FACE",
    "LEGACY_ROOT",
    "LINK_LIFETIME",
    "MODE_OF_TIER",
    "OMNI_IMAGES",
    "OMNI_IMAGES_BESIDE_VIDEO",
    "PRODUCT_NAMES",
    "RATIOS",
    "RETIRED",
    "SUCCESSOR",
    "TIER_OF_MODE",
    "TRAITS",
    "Product",
    "Traits",
    "pace_of",
    "unknown_traits",
]

LEGACY_ROOT = "/v1/"

IDENTIFY_FACE = "/v1/videos/identify-face"
ADVANCED_LIP_SYNC = "/v1/videos/advanced-lip-sync"

RATIOS = ("16:9", "9:16", "1:1")

TIER_OF_MODE = MappingProxyType({"std": "720p", "pro": "1080p", "4k": "4k"})
"""The legacy `mode` by its resolution; the vendor's ledger writes them as the same thing."""

MODE_OF_TIER = MappingProxyType({tier: mode for mode, tier in TIER_OF_MODE.items()})

OMNI_IMAGES = 7
"""Pictures and elements together, without a reference video."""

OMNI_IMAGES_BESIDE_VIDEO = 4
"""The same, beside a reference video."""

GONE_FIELDS = ("camera_control", "static_mask", "dynamic_masks")
"""Which only retired models could honour."""

SUCCESSOR = "kling-v2-5-turbo"
RETIRED = (
    "kling-v1",
    "kling-v1-5",
    "kling-v1-6",
    "kling-v2-master",
    "kling-v2-1",
    "kling-v2-1-master",
)
"""Since 2026-09-15 they answer 404 with code 1203."""


LINK_LIFETIME = timedelta(days=30)
"""Of a result's URL."""


class Product(StrEnum):
    """Each has its own shape of body; the value is what messages call it."""

    FRAMES = "text2video and image2video"
    """From words, a first frame, or a first and a last one."""
    OMNI = "omni-video"
    """Words, frames and references alike."""
    MOTION = "motion control"
    LIP_SYNC = "the lip-sync"
    AVATAR = "the avatar"
    EFFECTS = "the effects"
    MULTI_ELEMENTS = "multi-elements"


PRODUCT_NAMES = MappingProxyType(
    {
        Product.LIP_SYNC: "kling-lip-sync",
        Product.AVATAR: "kling-avatar",
        Product.EFFECTS: "kling-effects",
        Product.MULTI_ELEMENTS: "kling-multi-elements",
    }
)
"""Our names of what has no model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits(ModelCapabilities):
    """What the translation has to know of a model, beside what everybody may.

    Its `name` is the vendor's, as it is sent; ours for a product without models.

    Attributes:
        product: What it is for, motion control aside.
        is_known: Whether its values are checked; those of other models are the vendor's to judge.
        default_tier: What runs when none is asked for, `None` where nobody can say.
        sound_tiers: Those it makes sound in, where not in all.
        audios: The words of `settings.audio`; empty where the endpoint has no such field.
        has_shot_field: Whether `multi_shot` is one of its fields.
        has_sound_always: Whether it has no silent videos.
        first_ask: After the submit, near the earliest finish ever seen.
    """

    product: Product = Product.FRAMES
    is_known: bool = True
    default_tier: str | None = "720p"
    sound_tiers: tuple[str, ...] = ()
    audios: tuple[str, ...] = ()
    has_shot_field: bool = False
    has_sound_always: bool = False
    first_ask: timedelta = timedelta(seconds=30)
    link_lifetime: timedelta | None = LINK_LIFETIME

    @property
    def is_path_model(self) -> bool:
        """Whether it is of the new generation: the model in the path, `settings`."""
        return not next(iter(self.actions.values())).endpoint.startswith(LEGACY_ROOT)

    @property
    def is_omni(self) -> bool:
        """Whether one endpoint takes text, frames and references alike."""
        return self.product is Product.OMNI

    def nearest(self, action: Action) -> Action:
        """This action, or the nearest thing that it does at all."""
        if action in self.actions:
            return action
        return Action.TEXT if action is Action.TEXT else Action.FIRST_FRAME

    def action(self, action: Action, *, has_sound: bool = False) -> ActionCapabilities:
        """What it takes for this, or for the nearest thing, with sound or without."""
        takes = self.actions[self.nearest(action)]
        if has_sound and self.sound_tiers and takes.tiers:
            return replace(takes, tiers=self.sound_tiers)
        return takes


# Where models of each kind are sent, and what they take there


Actions: TypeAlias = dict[Action, ActionCapabilities]

_LEGACY_NAME = "kling-v"

_ONLY_1080P = ("1080p",)
_TO_1080P = ("720p", "1080p")
_TO_4K = ("720p", "1080p", "4k")
_3_TO_15 = tuple(range(3, 16))
_3_TO_10 = tuple(range(3, 11))
_5_OR_10 = (5, 10)
_NATIVE_OR_OFF = ("native", "off")
_EVERY_AUDIO = ("native", "original", "off")
"""Also of 3.0 Turbo, whose page has no such field: the server was seen to take it."""
_SPOKEN = tuple(range(2, 61))
"""Of a lip-sync: the part of the sound that is spoken."""

_PROMPT = 2500
_LONG_PROMPT = 3072
"""The new endpoints of 3.0, 3.0 Omni and 3.0 Turbo from text."""


def _endpoints(model: str, *, is_path_model: bool) -> tuple[str, str, str, str]:
    """Where text, frames, motion control and an omni model's requests go."""
    if is_path_model:
        paths = ("text-to-video", "image-to-video", "motion-control", "omni-video")
        text, frames, motion, omni = (f"/{path}/{model}" for path in paths)
    else:
        paths = ("text2video", "image2video", "motion-control", "omni-video")
        text, frames, motion, omni = (f"/v1/videos/{path}" for path in paths)
    return text, frames, motion, omni


def _frames(
    model: str,
    durations: tuple[int, ...],
    tiers: tuple[str, ...],
    *,
    last: tuple[str, ...] = (),
    last_sound: bool = False,
    sound: bool = False,
    characters: tuple[int, int] = (_PROMPT, _PROMPT),
    motion: bool = False,
    **traits: Any,
) -> Traits:
    """From words or frames; tiers and sound beside a last frame, and how long prompts may be.

    The length of motion control is that of the video that is copied: at most 30 s, 10 s in the
    picture's pose.
    """
    is_path_model = not model.startswith(_LEGACY_NAME)
    to_text, to_frames, to_motion, _ = _endpoints(model, is_path_model=is_path_model)
    text = ActionCapabilities(
        endpoint=to_text,
        durations=durations,
        tiers=tiers,
        ratios=RATIOS,
        prompt_characters=characters[0],
        sound=sound,
        negative_prompt=not is_path_model,
    )
    first = replace(
        text, endpoint=to_frames, ratios=(), images=(1, 1), prompt_characters=characters[1]
    )
    actions = {Action.TEXT: text, Action.FIRST_FRAME: first}
    if last:
        both = replace(first, tiers=last, images=(2, 2), sound=last_sound)
        actions[Action.FIRST_LAST_FRAME] = both
    if motion:
        actions[Action.MOTION] = ActionCapabilities(
            endpoint=to_motion, tiers=_TO_1080P, images=(1, 1), prompt_characters=_PROMPT
        )
    return Traits(name=model, actions=actions, **traits)


def _omni(
    model: str,
    durations: tuple[int, ...],
    tiers: tuple[str, ...],
    *,
    short: tuple[Action, ...] = (),
    sound: bool = False,
    characters: int = _PROMPT,
    **traits: Any,
) -> Traits:
    """All on one endpoint; pictures are references unless the request says that they are frames.

    The `short` ones last 5 or 10 seconds. The legacy endpoint has no use for a duration when it
    edits; of the new one nobody has said.
    """
    is_new = not model.startswith(_LEGACY_NAME)
    *_, endpoint = _endpoints(model, is_path_model=is_new)
    every = ActionCapabilities(
        endpoint=endpoint,
        durations=durations,
        tiers=tiers,
        prompt_characters=characters,
        sound=sound,
    )
    edit = replace(every, durations=durations if is_new else (), sound=False)
    actions = {
        Action.TEXT: replace(every, ratios=RATIOS),
        Action.FIRST_FRAME: replace(every, images=(1, 1)),
        Action.FIRST_LAST_FRAME: replace(every, images=(2, 2)),
        Action.REFERENCES: replace(every, ratios=RATIOS, images=(1, OMNI_IMAGES)),
        Action.EDIT: replace(edit, images=(0, OMNI_IMAGES_BESIDE_VIDEO)),
    }
    actions |= {one: replace(actions[one], durations=_5_OR_10) for one in short}
    tier = "720p" if is_new else "1080p"
    return Traits(name=model, product=Product.OMNI, actions=actions, default_tier=tier, **traits)


_2_6: Mapping[str, Any] = {
    "last": _ONLY_1080P,
    "sound": True,
    "motion": True,
    "sound_tiers": _ONLY_1080P,
}
_2_5_TURBO: Mapping[str, Any] = {
    "last": _ONLY_1080P,
    "first_ask": timedelta(seconds=20),
    "earliest": timedelta(seconds=30),
    "usual": timedelta(seconds=60),
}
_3: Mapping[str, Any] = {"sound": True, "has_shot_field": True}
_3_FRAMES = {**_3, "last": _TO_4K, "last_sound": True, "motion": True}


def _only(product: Product, action: Action, path: str, **takes: Any) -> Traits:
    """A product without models, which does one thing."""
    offer = ActionCapabilities(endpoint=f"/v1/videos/{path}", **takes)
    return Traits(
        name=PRODUCT_NAMES[product],
        product=product,
        actions={action: offer},
        default_tier="720p" if offer.tiers else None,
        has_sound_always=offer.sound,
    )


_TRAITS = (
    _frames("kling-v3", _3_TO_15, _TO_4K, **_3_FRAMES),
    _frames("kling-v2-6", _5_OR_10, _TO_1080P, **_2_6),
    _frames("kling-v2-5-turbo", _5_OR_10, _TO_1080P, **_2_5_TURBO),
    _omni("kling-v3-omni", _3_TO_15, _TO_4K, **_3),
    _omni("kling-video-o1", _3_TO_10, _TO_1080P, short=(Action.TEXT, Action.FIRST_FRAME)),
    _frames(
        *("kling-3.0-turbo", _3_TO_15, _TO_1080P),
        sound=True,
        characters=(_LONG_PROMPT, _PROMPT),
        has_sound_always=True,
        first_ask=timedelta(seconds=20),
        earliest=timedelta(seconds=28),
        audios=_EVERY_AUDIO,
    ),
    _frames(
        *("kling-3.0", _3_TO_15, _TO_4K),
        characters=(_LONG_PROMPT, _LONG_PROMPT),
        audios=_NATIVE_OR_OFF,
        **_3_FRAMES,
    ),
    _frames("kling-2.6", _5_OR_10, _TO_1080P, audios=_NATIVE_OR_OFF, **_2_6),
    _frames("kling-2.5-turbo", _5_OR_10, _TO_1080P, **_2_5_TURBO),
    _omni(
        *("kling-3.0-omni", _3_TO_15, _TO_4K),
        characters=_LONG_PROMPT,
        earliest=timedelta(seconds=83),
        audios=_EVERY_AUDIO,
        **_3,
    ),
    _omni(
        *("kling-o1", _3_TO_10, _TO_1080P),
        short=(Action.FIRST_FRAME,),
        audios=("original", "off"),
    ),
    _only(Product.LIP_SYNC, Action.LIP_SYNC, "advanced-lip-sync", durations=_SPOKEN, sound=True),
    _only(
        *(Product.AVATAR, Action.AVATAR, "avatar/image2video"),
        tiers=_TO_1080P,
        images=(1, 1),
        prompt_characters=_PROMPT,
        sound=True,
    ),
    _only(Product.EFFECTS, Action.EFFECT, "effects", images=(1, 2)),
    _only(
        *(Product.MULTI_ELEMENTS, Action.EDIT, "multi-elements"),
        durations=_5_OR_10,
        tiers=_TO_1080P,
        images=(0, 2),
        prompt_characters=_PROMPT,
        negative_prompt=True,
    ),
)

TRAITS = MappingProxyType({traits.name: traits for traits in _TRAITS})
"""By name."""


def unknown_traits(model: str, *, is_omni: bool, is_path_model: bool) -> Traits:
    """Where a model we do not know is sent: the vendor judges its values."""
    text, frames, motion, omni = _endpoints(model, is_path_model=is_path_model)
    like, paths = TRAITS["kling-v3"], {Action.TEXT: text, Action.MOTION: motion}
    if is_omni:
        like, paths, frames = TRAITS["kling-v3-omni"], {}, omni
    actions = {
        action: ActionCapabilities(endpoint=paths.get(action, frames), images=takes.images)
        for action, takes in like.actions.items()
    }
    return Traits(name=model, product=like.product, actions=actions, is_known=False)


# What Kling offers

_EXAMPLE: Final[Mapping[str, Any]] = {
    "model": "kling-v1",
    "prompt": "一个穿着宇航服的宇航员在月球上行走, 高品质, 电影级",
    "size": "1920x1080",
    "image": (
        "https://h2.inkwai.com/bs2/upload-ylab-stunt/se/ai_portal_queue_mmu_image_upscale_aiweb/"
        "3214b798-e1b4-4b00-b7af-72b5b0417420_raw_image_0.jpg"
    ),
    "duration": 5,
    "metadata": {
        "seed": 20231234,
        "negative_prompt": "模糊",
        "image_tail": (
            "https://h1.inkwai.com/bs2/upload-ylab-stunt/1fa0ac67d8ce6cd55b50d68b967b3a59.png"
        ),
    },
}

CAPABILITIES = Capabilities(
    title="Kling",
    model_patterns=("kling-*",),
    base_url="https://api-singapore.klingai.com",
    credential_form="API_KEY or ACCESS|SECRET",
    api_prefix=("/v1",),
    models=MappingProxyType(
        {**TRAITS}
        | {name: replace(TRAITS[SUCCESSOR], name=name, successor=SUCCESSOR) for name in RETIRED}
    ),
    object_fields=frozenset({"video_id"}),
    prompt_fields=frozenset(
        {"prompt", "multi_prompt", "contents", "video_url", "video_id", "session_id"}
    ),
    echo_fields={"external_task_id": EXTERNAL_ID_CHARACTERS},
    own_fields_in=("options",),
    example=_EXAMPLE,
)

_LONG = frozenset({Product.MOTION, Product.LIP_SYNC, Product.AVATAR, Product.MULTI_ELEMENTS})
"""As long as the video or the sound that they are given: up to five minutes."""


def pace_of(traits: Traits, product: Product, tier: str | None) -> Pace:
    """How to follow a job: 3 s at 720p were seen to take 28 s, and clients ask every 3 to 16 s.

    Kling knows no limit of questions, so that the longest pause is as short as the lag should be.
    """
    is_long = tier == "4k" or product in _LONG
    return Pace(
        first_ask=traits.first_ask,
        interval=timedelta(seconds=4),
        max_interval=timedelta(seconds=10),
        deadline=timedelta(minutes=60 if is_long else 30),
    )
