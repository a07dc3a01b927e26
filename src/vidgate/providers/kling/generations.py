"""One generation's words in the other's: Kling ignores what it does not know, and bills the rest.

Source: the vendor's model pages of both generations under
https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.base import Action
from vidgate.providers.fields import to_number
from vidgate.providers.kling.models import MODE_OF_TIER, TIER_OF_MODE, Product, Traits

__all__ = [
    "LEGACY_WORDS",
    "is_given",
    "legacy_value",
    "legacy_values",
    "objects",
    "refuse_foreign",
    "settings_of",
    "to_contents",
    "to_legacy_fields",
    "to_new_fields",
    "to_references",
]

LEGACY_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "resolution": ("mode",),
    "audio": ("sound", "keep_original_sound"),
    **{name: (name,) for name in ("duration", "aspect_ratio")},
    **{name: (name,) for name in ("multi_shot", "character_orientation")},
}
"""Members of `settings`, and what the legacy generation calls them."""

_SETTING_OF: Final = {word: name for name, words in LEGACY_WORDS.items() for word in (*words, name)}
_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "mode": TIER_OF_MODE,
    "sound": {"on": "native", "off": "off"},
    "keep_original_sound": {"yes": "original", "no": "off"},
}
"""Legacy values by those of the new generation, where they differ."""

_LISTS = ("image_list", "video_list", "element_list", "voice_list")
_FRAMES: Final = {"image": "first_frame", "image_tail": "last_frame"}
"""What the legacy generation has beside its words, and the new one in `contents`."""

_MOTION_SETTINGS = ("resolution", "audio", "character_orientation")

_HARMLESS = frozenset({"cfg_scale", "seed"})
"""What merely does nothing in the new generation; it is named as ignored."""

_LACKED_BY_NEW: Final = {
    "negative_prompt": "write what is not wanted in the prompt",
    "cfg_scale": "leave it out",
    "camera_control": "write how the camera moves in the prompt",
    "static_mask": "leave it out",
    "dynamic_masks": "leave it out; kling-3.0 motion control copies the movement of a video",
    "seed": "leave it out",
    **{word: f"say `settings.{name}`" for word, name in _SETTING_OF.items()},
    **dict.fromkeys((*_FRAMES, *_LISTS, "image_url", "video_url"), "put it in `contents`"),
    "watermark_info": "say `options.watermark_info`",
    "multi_prompt": "write the shots in the prompt",
    "shot_type": "leave it out: with `settings.multi_shot` the model chooses its shots",
}
_ADOPTED = frozenset(
    {*_HARMLESS, *_SETTING_OF, *_FRAMES, "image_url", "video_url", "watermark_info"}
)
_NOT_ADOPTED: Final = {
    word: instead for word, instead in _LACKED_BY_NEW.items() if word not in _ADOPTED
}
"""Legacy words that no model of the new generation takes; the others are put in its own."""

_LACKED_BY_LEGACY: Final = {
    "contents": "give its own fields",
    "settings": "its members are fields of the body here, such as `mode` and `duration`",
    "options": "its members are fields of the body here, such as `watermark_info`",
    "audio": "say `sound`",
}
_CONTENTS_INSTEAD: Final = {
    Product.OMNI: "give `image_list`, `video_list` and `element_list`",
    Product.MOTION: "give `image_url` and `video_url`",
    Product.FRAMES: "give `image` and `image_tail`",
}
"""Words of one generation, and what to do in the other in their place."""


def is_given(value: Any) -> bool:
    """Whether a field says anything: blanks, an empty list and an object of such do not."""
    if isinstance(value, Mapping):
        return any(is_given(member) for member in value.values())
    return bool(value.strip()) if isinstance(value, str) else value not in (None, [])


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def settings_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `settings`, empty where they are no object."""
    settings = body.get("settings")
    return settings if isinstance(settings, Mapping) else {}


# Fields of the body


def to_new_fields(over: Mapping[str, Any], traits: Traits, product: Product) -> dict[str, Any]:
    """Put the legacy words for `settings` and `options` where the new generation has them.

    Raises:
        UnsupportedParameterError: There is nothing like a word, or it contradicts another.
    """
    lacked = dict(_NOT_ADOPTED)
    if {**over, **settings_of(over)}.get("multi_shot") is False:
        del lacked["shot_type"]  # of what kind there are none does not matter
    _refuse_words(over, lacked, traits)
    empty = {*_NOT_ADOPTED, *(name for name in _HARMLESS if not is_given(over.get(name)))}
    fields = {name: value for name, value in over.items() if name not in empty}
    if not isinstance(fields.get("settings"), Mapping | None):
        raise UnsupportedParameterError("settings", "Kling's `settings` must be an object.")
    settings = dict(settings_of(fields))
    for word, name in _SETTING_OF.items():
        value = fields.pop(word, None)
        if not is_given(value):
            continue
        if product is Product.MOTION and (name not in _MOTION_SETTINGS or word == "sound"):
            raise UnsupportedParameterError(
                word, f"Motion control has no `{word}`: it follows the video that is copied."
            )
        said = _new_value(word, value, traits, product)
        if settings.setdefault(name, said) != said:
            raise _contradiction(word, f"settings.{name}")
    if settings:
        fields["settings"] = settings
    mark, options = fields.pop("watermark_info", None), fields.get("options") or {}
    if mark is not None:
        if options.get("watermark_info", mark) != mark:
            raise _contradiction("watermark_info", "options.watermark_info")
        fields["options"] = {**options, "watermark_info": mark}
    return fields


def legacy_value(word: str, value: object) -> object:
    """Spell a value of the new generation as the legacy word for it does."""
    return next((old for old, new in _VALUES.get(word, {}).items() if new == value), value)


def legacy_values(word: str, allowed: Sequence[str]) -> tuple[str, ...]:
    """Spell values of the new generation by a legacy word, which may not have them all."""
    values = _VALUES.get(word, {})
    return tuple(old for old, new in values.items() if new in allowed) if values else (*allowed,)


def to_legacy_fields(over: Mapping[str, Any], traits: Traits, product: Product) -> dict[str, Any]:
    """Write a `resolution`, which clients of every provider may give, as a flat body's `mode`.

    Raises:
        UnsupportedParameterError: There is nothing like it here, or it contradicts the `mode`; or
            there are words of the new generation.
    """
    refuse_foreign(over, traits, product)
    fields = {name: value for name, value in over.items() if name not in _LACKED_BY_LEGACY}
    tier = fields.pop("resolution", None)
    if not is_given(tier):
        return fields
    if product in (Product.LIP_SYNC, Product.EFFECTS):
        raise UnsupportedParameterError(
            "resolution", f"{traits.name} has nothing like `resolution`."
        )
    offered = _offered_tiers(traits, product)
    if tier not in offered:
        raise UnsupportedParameterError(
            "resolution", f"{traits.name} does not make this resolution.", allowed=offered
        )
    mode = MODE_OF_TIER[tier]
    if is_given(fields.get("mode")) and fields["mode"] != mode:
        raise _contradiction("resolution", "mode")
    return {**fields, "mode": mode}


def refuse_foreign(over: Mapping[str, Any], traits: Traits, product: Product) -> None:
    """Refuse a body written for one generation's path in the words of the other.

    Raises:
        UnsupportedParameterError: It names the first such word.
    """
    instead = {"contents": _CONTENTS_INSTEAD.get(product, "give its own fields")}
    is_new = traits.is_path_model
    _refuse_words(over, _LACKED_BY_NEW if is_new else _LACKED_BY_LEGACY | instead, traits)


def _refuse_words(over: Mapping[str, Any], lacked: Mapping[str, str], traits: Traits) -> None:
    for name, instead in lacked.items():
        if is_given(over.get(name)):
            raise UnsupportedParameterError(name, f"{traits.name} has no `{name}`: {instead}.")


def _new_value(word: str, value: Any, traits: Traits, product: Product) -> Any:
    values = _VALUES.get(word)
    if values is None:
        number = to_number(value) if word == "duration" else None
        return int(number) if number is not None and number.is_integer() else value
    if isinstance(value, str) and value in values:
        return values[value]
    tiers = _offered_tiers(traits, product)
    allowed = [old for old, new in values.items() if new not in MODE_OF_TIER or new in tiers]
    raise UnsupportedParameterError(
        word, f"{traits.name} does not take this as `{word}`.", allowed=allowed
    )


def _offered_tiers(traits: Traits, product: Product) -> tuple[str, ...]:
    """The resolutions of a product; every one where they are not known."""
    is_motion = product is Product.MOTION
    offers = [
        one for action, one in traits.actions.items() if (action is Action.MOTION) is is_motion
    ]
    tiers = {tier for one in offers for tier in one.tiers} or {*MODE_OF_TIER}
    return tuple(tier for tier in MODE_OF_TIER if tier in tiers)


def _contradiction(param: str, other: str) -> UnsupportedParameterError:
    return UnsupportedParameterError(
        param, f"`{param}` and `{other}` say different things; give one of them."
    )


# Entries of `contents`

_REFERENCE = re.compile(r"<<<\s*([A-Za-z]+_[0-9]+)\s*>>>")
"""`<<<image_1>>>`, which the new generation spells `@image_1`."""


def to_references(words: Any) -> Any:
    """Spell references in a prompt as the new generation does."""
    return _REFERENCE.sub(r"@\1", words) if isinstance(words, str) else words


def to_contents(
    fields: dict[str, Any], pictures: Sequence[str], traits: Traits, *, as_frames: bool
) -> list[dict[str, Any]]:
    """Write the generic pictures as `contents`, and lay the client's own frames over them.

    Args:
        fields: The client's; its frames in the legacy words are taken out.
        pictures: The generic ones.
        traits: Of the model that runs.
        as_frames: Whether those are frames where they would be references.

    Raises:
        UnsupportedParameterError: `contents` is given too.
    """
    given = {name: value for name in _FRAMES if is_given(value := fields.pop(name, None))}
    if given and "contents" in fields:
        name = next(iter(given))
        raise UnsupportedParameterError(name, f"Put `{name}` in `contents`, with the rest.")
    is_listed = traits.is_omni and not as_frames
    frames = {} if is_listed else dict(zip(_FRAMES.values(), pictures, strict=False))
    frames |= {_FRAMES[name]: value for name, value in given.items()}
    return [
        *({"type": role, "url": picture} for role, picture in frames.items()),
        *(
            {"type": "refer_image", "url": picture, "id": f"image_{number}"}
            for number, picture in enumerate(pictures if is_listed else (), start=1)
        ),
    ]
