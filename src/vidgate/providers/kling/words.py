"""One generation's words in the other's: Kling ignores what it does not know, and bills the rest.

Source: the vendor's model pages of both generations under
https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.kling.models import MODE_OF_TIER, TIER_OF_MODE, Product, Traits

__all__ = [
    "CONTENT_WORDS",
    "LEGACY_WORDS",
    "is_given",
    "legacy_value",
    "refuse_foreign",
    "to_legacy_words",
    "to_settings",
]

LEGACY_WORDS = MappingProxyType(
    {
        "resolution": ("mode",),
        "audio": ("sound", "keep_original_sound"),
        "duration": ("duration",),
        "aspect_ratio": ("aspect_ratio",),
        "multi_shot": ("multi_shot",),
        "character_orientation": ("character_orientation",),
    }
)
"""Members of `settings`, and what the legacy generation calls them."""

CONTENT_WORDS = ("image", "image_tail", "image_list", "video_list", "element_list", "voice_list")
"""What the legacy generation has beside its words, and the new one in `contents`."""

_SETTING_OF = MappingProxyType(
    {word: name for name, words in LEGACY_WORDS.items() for word in (*words, name)}
)

_VALUES = MappingProxyType(
    {
        "mode": TIER_OF_MODE,
        "sound": MappingProxyType({"on": "native", "off": "off"}),
        "keep_original_sound": MappingProxyType({"yes": "original", "no": "off"}),
    }
)
"""Legacy values by those of the new generation, where they differ."""

_SETTINGS_OF_FLAT = MappingProxyType(
    {
        Product.FRAMES: ("resolution", "audio", "duration", "aspect_ratio", "multi_shot"),
        Product.OMNI: ("resolution", "audio", "duration", "aspect_ratio", "multi_shot"),
        Product.MOTION: ("resolution", "audio", "character_orientation"),
        Product.AVATAR: ("resolution",),
        Product.MULTI_ELEMENTS: ("resolution", "duration"),
    }
)
"""Which settings the flat bodies have in words of their own."""

_MOTION_SETTINGS = ("resolution", "audio", "character_orientation")

_GONE = MappingProxyType(
    {
        "negative_prompt": "write what is not wanted in the prompt",
        "cfg_scale": "leave it out",
        "camera_control": "write how the camera moves in the prompt",
        "static_mask": "leave it out",
        "dynamic_masks": "leave it out; kling-3.0 motion control copies the movement of a video",
        "seed": "leave it out",
    }
)
"""What the new generation has nothing like, and what to do in its place."""

_HARMLESS = frozenset({"cfg_scale", "seed"})
"""What merely does nothing there; it is named as ignored."""

_NO_SHOT_TYPE = "leave it out: with `settings.multi_shot` the model chooses its shots"


def is_given(value: Any) -> bool:
    """Whether a field says anything: blanks, an empty list and an object of such do not."""
    if isinstance(value, Mapping):
        return any(is_given(member) for member in value.values())
    return bool(value.strip()) if isinstance(value, str) else value not in (None, [])


def to_settings(over: Mapping[str, Any], traits: Traits, product: Product) -> dict[str, Any]:
    """Put the legacy words for `settings` and `options` where the new generation has them.

    Raises:
        UnsupportedParameterError: There is nothing like a word, or it contradicts another.
    """
    fields = dict(over)
    for name, instead in _GONE.items():
        if not is_given(fields.get(name)):
            fields.pop(name, None)
        elif name not in _HARMLESS:
            raise UnsupportedParameterError(name, f"{traits.name} has no `{name}`; {instead}.")
    settings = dict(_settings_of(fields))
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
    if "watermark_info" in fields:
        _put_watermark(fields)
    return fields


def legacy_value(word: str, value: object) -> object:
    """Spell a value of the new generation as the legacy word for it does."""
    values: Mapping[str, str] = _VALUES.get(word, {})
    return next((old for old, new in values.items() if new == value), value)


def to_legacy_words(over: Mapping[str, Any], traits: Traits, product: Product) -> dict[str, Any]:
    """Put `settings` and `options` of the new generation in a flat body's words.

    Raises:
        UnsupportedParameterError: A member has no such word, or contradicts it; or there are
            `contents`.
    """
    fields = dict(over)
    if is_given(fields.pop("contents", None)):
        raise UnsupportedParameterError(
            "contents", f"{traits.name} has no `contents`: {_contents_instead(product)}."
        )
    given = {f"settings.{name}": value for name, value in _settings_of(fields).items()}
    fields.pop("settings", None)
    given |= {name: fields.pop(name) for name in ("resolution", "audio") if name in fields}
    for param, value in given.items():
        if is_given(value):
            word, said = _old_value(param, value, traits, product)
            if is_given(fields.get(word)) and fields[word] != said:
                raise _contradiction(param, word)
            fields[word] = said
    for name, value in (fields.pop("options", None) or {}).items():
        if name != "watermark_info":
            raise UnsupportedParameterError(
                f"options.{name}", f"{traits.name} has nothing like `options.{name}`."
            )
        fields.setdefault(name, value)
    return fields


def refuse_foreign(over: Mapping[str, Any], traits: Traits, product: Product) -> None:
    """Refuse a body written for one generation's path in the words of the other.

    Raises:
        UnsupportedParameterError: It names the first such word.
    """
    foreign: dict[str, str] = {}
    if traits.is_path_model:
        foreign |= _GONE | {word: f"say `settings.{name}`" for word, name in _SETTING_OF.items()}
        content = (*CONTENT_WORDS, "image_url", "video_url")
        foreign |= dict.fromkeys(content, "put it in `contents`")
        foreign["watermark_info"] = "say `options.watermark_info`"
        foreign["multi_prompt"] = "write the shots in the prompt"
        foreign["shot_type"] = _NO_SHOT_TYPE
    else:
        foreign["contents"] = _contents_instead(product)
        foreign |= {
            "settings": "its members are fields of the body here, such as `mode` and `duration`",
            "options": "its members are fields of the body here, such as `watermark_info`",
        }
    for name, instead in foreign.items():
        if is_given(over.get(name)):
            raise UnsupportedParameterError(name, f"{traits.name} has no `{name}`: {instead}.")


def _new_value(word: str, value: Any, traits: Traits, product: Product) -> Any:
    values = _VALUES.get(word)
    if values is not None:
        if not isinstance(value, str) or value not in values:
            allowed = [old for old, new in values.items() if _is_offered(traits, new, product)]
            raise UnsupportedParameterError(
                word, f"{traits.name} does not take this as `{word}`.", allowed=allowed
            )
        return values[value]
    if word == "duration" and isinstance(value, (str, float)):
        try:
            return int(float(value)) if float(value).is_integer() else value
        except (ValueError, OverflowError):
            return value
    return value


def _is_offered(traits: Traits, value: str, product: Product) -> bool:
    """Whether a model has a tier, for the ones that are told."""
    tiers = {
        tier
        for action, offered in traits.actions.items()
        if (action.value == Product.MOTION.value) is (product is Product.MOTION)
        for tier in offered.tiers
    }
    return value not in MODE_OF_TIER or not tiers or value in tiers


def _old_value(param: str, value: Any, traits: Traits, product: Product) -> tuple[str, Any]:
    name = param.removeprefix("settings.")
    if name not in _SETTINGS_OF_FLAT.get(product, ()):
        raise UnsupportedParameterError(param, f"{traits.name} has nothing like `{param}`.")
    words = LEGACY_WORDS[name]
    word = words[-1] if product is Product.MOTION else words[0]
    values = _VALUES.get(word)
    if values is not None:
        if value not in values.values():
            raise UnsupportedParameterError(
                param,
                f"This is no value of `{param}` here; the field's own name is `{word}`.",
                allowed=tuple(values.values()),
            )
        return word, legacy_value(word, value)
    if word == "duration" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return word, str(value)
    return word, value


def _settings_of(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = fields.get("settings")
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise UnsupportedParameterError("settings", "Kling's `settings` must be an object.")
    return settings


def _contradiction(param: str, other: str) -> UnsupportedParameterError:
    return UnsupportedParameterError(
        param, f"`{param}` and `{other}` say different things; give one of them."
    )


def _put_watermark(fields: dict[str, Any]) -> None:
    given = fields.get("options") or {}
    value = fields.pop("watermark_info")
    if value is None:
        return
    if given.get("watermark_info", value) != value:
        raise _contradiction("watermark_info", "options.watermark_info")
    fields["options"] = {**given, "watermark_info": value}


def _contents_instead(product: Product) -> str:
    match product:
        case Product.OMNI:
            return "give `image_list`, `video_list` and `element_list`"
        case Product.MOTION:
            return "give `image_url` and `video_url`"
        case Product.FRAMES:
            return "give `image` and `image_tail`"
        case _:
            return "give its own fields"
