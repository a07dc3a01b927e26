"""Documented fields that the product asked for does not have.

Kling ignores what an endpoint does not know and bills the video that comes of the rest: a picture
in the wrong field is a video from words alone. Fields that nobody has written down pass.

Source: the pages under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.kling.frames import settings_of
from vidgate.providers.kling.models import Product, Traits
from vidgate.providers.kling.wire import Inputs, is_given

__all__ = ["FIELDS", "idle_fields", "refuse_foreign_fields"]

_SHOTS = frozenset({"multi_shot", "shot_type", "multi_prompt"})
_CLIP = _SHOTS | {"sound", "mode", "aspect_ratio", "duration"}
_FACE = frozenset(
    {
        *("session_id", "face_choose", "face_id", "video_id", "video_url", "audio_id"),
        *("sound_file", "sound_start_time", "sound_end_time", "sound_insert_time"),
        *("sound_volume", "original_audio_volume"),
    }
)
_DRIVEN = frozenset({"image_url", "video_url", "character_orientation", "keep_original_sound"})

FIELDS = MappingProxyType(
    {
        Product.FRAMES: _CLIP
        | {"image", "image_tail", "element_list", "voice_list", "negative_prompt", "cfg_scale"},
        Product.OMNI: _CLIP | {"image_list", "video_list", "element_list"},
        Product.MOTION: _DRIVEN | {"mode", "element_list"},
        Product.LIP_SYNC: _FACE,
        Product.AVATAR: frozenset({"image", "audio_id", "sound_file", "mode"}),
        Product.EFFECTS: frozenset({"effect_scene", "input"}),
        Product.MULTI_ELEMENTS: frozenset(
            {"session_id", "edit_mode", "image_list", "negative_prompt", "mode", "duration"}
        ),
    }
)
"""By the legacy names, which nearly all clients know."""

_TOLD = MappingProxyType(
    {
        Product.FRAMES: "text2video and image2video",
        Product.OMNI: "omni-video",
        Product.MOTION: "motion control",
        Product.LIP_SYNC: "the lip-sync",
        Product.AVATAR: "the avatar",
        Product.EFFECTS: "the effects",
        Product.MULTI_ELEMENTS: "multi-elements",
    }
)

_JUDGED = MappingProxyType(
    {
        Product.FRAMES: frozenset({"image_list", "video_list"}),
        Product.OMNI: frozenset({"image", "image_tail"}),
    }
)
"""What is refused elsewhere, with better advice."""

_PASSED = frozenset({Product.EFFECTS, Product.MULTI_ELEMENTS})
"""Their bodies are passed through."""

_NO_SCALE = 0.5
"""The vendor's default."""

_NOTHING = MappingProxyType(
    {
        "mode": ("std",),
        "sound": ("off",),
        "keep_original_sound": ("no",),
        "multi_shot": (False,),
        "shot_type": ("customize", "intelligence"),  # of shots that `multi_shot` asks for
    }
)
"""Values by which nothing is asked for; clients send them with everything."""

_IDLE = frozenset({"aspect_ratio", "cfg_scale"})
"""What a product without them does nothing with: the shape is that of its picture or video."""

_MOTION_SETTINGS = ("resolution", "audio", "character_orientation")
_CLIP_SETTINGS = ("resolution", "audio", "aspect_ratio", "duration", "multi_shot")


def refuse_foreign_fields(
    over: Mapping[str, Any], body: Mapping[str, Any], traits: Traits, product: Product
) -> None:
    """Refuse a documented field that is of other products alone.

    Args:
        over: The vendor fields that no other generation's word stands for.
        body: What is about to be sent.
        traits: Of the model that runs.
        product: What it is for.

    Raises:
        UnsupportedParameterError: It names the field, and what has it.
    """
    if not traits.is_known or product in _PASSED:
        return
    own = FIELDS[product] | _JUDGED.get(product, frozenset()) | _IDLE
    for name, value in over.items():
        if name in own or not is_given(value) or value in _NOTHING.get(name, ()):
            continue
        takers = [_TOLD[other] for other, fields in FIELDS.items() if name in fields]
        if takers:
            raise UnsupportedParameterError(
                name,
                f"{traits.name} has no `{name}` here; it is a field of {', '.join(takers)}.",
            )
    if not traits.is_path_model:
        return
    words = _MOTION_SETTINGS if product is Product.MOTION else _CLIP_SETTINGS
    for name, value in settings_of(body).items():
        is_documented = name in _MOTION_SETTINGS or name in _CLIP_SETTINGS
        if name not in words and is_documented and is_given(value) and value is not False:
            raise UnsupportedParameterError(
                f"settings.{name}", f"{traits.name} has no `settings.{name}` here."
            )


def idle_fields(
    body: Mapping[str, Any], inputs: Inputs, traits: Traits, product: Product
) -> tuple[str, ...]:
    """Name what is sent and does nothing, such as a shape beside a first frame."""
    if not traits.is_known or product in _PASSED:
        return ()
    is_new, is_frames, own = traits.is_path_model, product is Product.FRAMES, FIELDS[product]
    where = {**body, **settings_of(body)} if is_new else body
    ignores_scale = is_new or "cfg_scale" not in own or traits.name.startswith("kling-v2")
    idle = {
        "aspect_ratio": inputs.gives_shape if is_frames else "aspect_ratio" not in own,
        "cfg_scale": ignores_scale and where.get("cfg_scale") != _NO_SCALE,
        "multi_prompt": "multi_prompt" in own and where.get("multi_shot") is False,
        "seed": is_new,
    }
    return tuple(name for name, is_idle in idle.items() if is_idle and is_given(where.get(name)))
