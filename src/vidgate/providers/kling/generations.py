"""One generation's words in the other's: Kling ignores what it does not know, and bills the rest.

Source: the vendor's model pages of both generations under
https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.fields import Form, Rule, to_number
from vidgate.providers.kling.models import MODE_OF_TIER, TIER_OF_MODE, Product, Traits

__all__ = [
    "LEGACY_WORDS",
    "LIST_RULES",
    "is_given",
    "is_list_of_objects",
    "legacy_value",
    "legacy_values",
    "objects",
    "refuse_foreign",
    "settings_of",
    "to_contents",
    "to_element_entries",
    "to_legacy_fields",
    "to_new_fields",
    "to_new_prompt",
    "to_references",
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

_CONTENT_WORDS = ("image", "image_tail", "image_list", "video_list", "element_list", "voice_list")
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

_LACKED_BY_NEW: Mapping[str, str] = {
    **_GONE,
    **{word: f"say `settings.{name}`" for word, name in _SETTING_OF.items()},
    **dict.fromkeys((*_CONTENT_WORDS, "image_url", "video_url"), "put it in `contents`"),
    "watermark_info": "say `options.watermark_info`",
    "multi_prompt": "write the shots in the prompt",
    "shot_type": "leave it out: with `settings.multi_shot` the model chooses its shots",
}
_LACKED_BY_LEGACY: Mapping[str, str] = {
    "contents": "give its own fields",
    "settings": "its members are fields of the body here, such as `mode` and `duration`",
    "options": "its members are fields of the body here, such as `watermark_info`",
    "audio": "say `sound`",
}
_CONTENTS_INSTEAD: Mapping[Product, str] = {
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


def is_list_of_objects(value: Any) -> bool:
    """Whether it is a list, of objects alone."""
    return isinstance(value, list) and len(objects(value)) == len(value)


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
    fields = {name: value for name, value in over.items() if name not in _GONE or is_given(value)}
    gone = {name: instead for name, instead in _GONE.items() if name not in _HARMLESS}
    _refuse_words(fields, gone, traits)
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
    mark, options = fields.pop("watermark_info", None), fields.get("options") or {}
    if mark is not None:
        if options.get("watermark_info", mark) != mark:
            raise _contradiction("watermark_info", "options.watermark_info")
        fields["options"] = {**options, "watermark_info": mark}
    return fields


def legacy_value(word: str, value: object) -> object:
    """Spell a value of the new generation as the legacy word for it does."""
    values: Mapping[str, str] = _VALUES.get(word, {})
    return next((old for old, new in values.items() if new == value), value)


def legacy_values(word: str, allowed: Sequence[str]) -> tuple[str, ...]:
    """Spell values of the new generation by a legacy word, which may not have them all."""
    values: Mapping[str, str] = _VALUES.get(word, {})
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
    if tier not in tuple(MODE_OF_TIER):
        raise UnsupportedParameterError(
            "resolution",
            "This is no value of `resolution` here; the field's own name is `mode`.",
            allowed=tuple(MODE_OF_TIER),
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
    foreign = (
        _LACKED_BY_NEW
        if traits.is_path_model
        else {
            **_LACKED_BY_LEGACY,
            "contents": _CONTENTS_INSTEAD.get(product, "give its own fields"),
        }
    )
    _refuse_words(over, foreign, traits)


def _refuse_words(over: Mapping[str, Any], lacked: Mapping[str, str], traits: Traits) -> None:
    for name, instead in lacked.items():
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
    number = to_number(value) if word == "duration" else None
    return int(number) if number is not None and number.is_integer() else value


def _is_offered(traits: Traits, value: str, product: Product) -> bool:
    """Whether a model has a tier, for the ones that are told."""
    tiers = {
        tier
        for action, offered in traits.actions.items()
        if (action.value == Product.MOTION.value) is (product is Product.MOTION)
        for tier in offered.tiers
    }
    return value not in MODE_OF_TIER or not tiers or value in tiers


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


# Entries of `contents`

_REFERENCE = re.compile(r"<<<\s*([A-Za-z]+_[0-9]+)\s*>>>")
"""`<<<image_1>>>`, which the new generation spells `@image_1`."""

_ROLES = MappingProxyType({"first_frame": "first_frame", "end_frame": "last_frame"})
_VIDEOS = MappingProxyType({"feature": "feature_video", "base": "base_video"})


def _members(field: str, member: str, *allowed: str) -> Rule:
    return Rule(
        field,
        lambda body: any(
            is_given(value := one.get(member)) and value not in allowed
            for one in objects(body.get(field))
        ),
        f"{{model}} does not take this `{member}` in `{field}`.",
        allowed,
    )


LIST_RULES = (
    _members("image_list", "type", *_ROLES),
    _members("video_list", "refer_type", *_VIDEOS),
    _members("video_list", "keep_original_sound", *_VALUES["keep_original_sound"]),
)
"""Of both generations."""

_SHOT_END = re.compile("[;；]")  # noqa: RUF001 - Chinese punctuation


def to_references(words: Any) -> Any:
    """Spell references in a prompt as the new generation does."""
    return _REFERENCE.sub(r"@\1", words) if isinstance(words, str) else words


def to_new_prompt(fields: dict[str, Any], traits: Traits) -> Any:
    """Take the prompt that `metadata` has, its shots in the grammar of the new generation.

    Returns:
        The prompt; `None` where there is none.

    Raises:
        UnsupportedParameterError: Its shots cannot be written so.
    """
    shots, kind = fields.pop("multi_prompt", None), fields.pop("shot_type", None)
    words = fields.pop("prompt", None)
    settings = fields.get("settings") or {}
    if settings.get("multi_shot") is False and not is_given(shots):
        return words  # of what kind there are none does not matter
    if is_given(kind) and kind != "customize":
        raise UnsupportedParameterError(
            "shot_type",
            f"{traits.name} has no `shot_type` but `customize`; leave it out: with "
            "`settings.multi_shot` the model chooses its shots.",
            allowed=("customize",),
        )
    if not is_given(shots):
        if is_given(kind):
            raise UnsupportedParameterError("multi_prompt", "Customized shots need `multi_prompt`.")
        return words
    if settings.get("multi_shot") is not True or not is_given(kind):
        raise UnsupportedParameterError(
            "multi_prompt", "`multi_prompt` needs `multi_shot: true` and `shot_type: customize`."
        )
    if not is_list_of_objects(shots):
        raise UnsupportedParameterError("multi_prompt", "`multi_prompt` must be a list of objects.")
    written = []
    for number, shot in enumerate(objects(shots), start=1):
        text, seconds = shot.get("prompt", ""), str(shot.get("duration", ""))
        if not isinstance(text, str) or _SHOT_END.search(text) or not seconds.isdecimal():
            raise UnsupportedParameterError(
                "multi_prompt",
                f"Each shot for {traits.name} needs whole seconds in `duration`, and a `prompt` "
                "without a semicolon.",
            )
        written.append(f"shot {number}, {seconds}, {text};")
    return " ".join(written)


def to_contents(
    fields: dict[str, Any], pictures: Sequence[str], traits: Traits, *, as_frames: bool
) -> list[dict[str, Any]]:
    """Take what belongs in `contents` from among the fields, laid over the generic pictures.

    Args:
        fields: In the legacy words; the ones that are for `contents` are taken out.
        pictures: The generic ones.
        traits: Of the model that runs.
        as_frames: Whether those are frames where they would be references.

    Raises:
        UnsupportedParameterError: The endpoint has nothing like a field, or `contents` is given
            too.
    """
    given = {name: value for name in _CONTENT_WORDS if is_given(value := fields.pop(name, None))}
    for name, value in given.items():
        if "contents" in fields:
            raise UnsupportedParameterError(name, f"Put `{name}` in `contents`, with the rest.")
        if name.endswith("_list") and not is_list_of_objects(value):
            raise UnsupportedParameterError(name, f"`{name}` must be a list of objects.")
    Form(rules=LIST_RULES).judge(given, told=traits.name)
    frames: dict[str, Any] = {}
    listed: list[dict[str, Any]] = []
    if "image_list" in given:
        listed = _listed_pictures(given, traits)
    elif traits.is_omni and not as_frames:
        listed = _pictures([{"image_url": picture} for picture in pictures])
    else:
        frames = dict(zip(_ROLES.values(), pictures, strict=False))
    for name, role in zip(("image", "image_tail"), _ROLES.values(), strict=True):
        if name in given:
            frames[role] = given[name]
    if "video_list" in given:
        _put_sound(given["video_list"], fields)
    return [
        *({"type": role, "url": picture} for role, picture in frames.items()),
        *listed,
        *_videos(given.get("video_list")),
        *to_element_entries(given.get("element_list")),
        *(
            {"type": "voice", "voice_id": _id(voice.get("voice_id")), "id": f"voice_{number}"}
            for number, voice in enumerate(objects(given.get("voice_list")), start=1)
        ),
    ]


def to_element_entries(elements: Any) -> list[dict[str, Any]]:
    """Write elements as `contents`, numbered so that the prompt can say `@element_1`."""
    return [
        {"type": "element", "id": f"element_{number}", **element}
        | ({"element_id": _id(element["element_id"])} if "element_id" in element else {})
        for number, element in enumerate(objects(elements), start=1)
    ]


def _id(value: Any) -> Any:
    """Ids are text here, and were numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _listed_pictures(given: Mapping[str, Any], traits: Traits) -> list[dict[str, Any]]:
    """The pictures of an `image_list`, which on other models than omni ones are frames."""
    pictures = _pictures(given["image_list"])
    if traits.is_omni:
        return pictures
    has_others = any(entry["type"] == "refer_image" for entry in pictures)
    if has_others or given.keys() & {"image", "image_tail"}:
        raise UnsupportedParameterError(
            "image_list",
            f"{traits.name} takes a first frame as `image` and a last one as `image_tail`; "
            "kling-3.0-omni takes other pictures.",
        )
    return [{"type": entry["type"], "url": entry["url"]} for entry in pictures]


def _pictures(images: Any) -> list[dict[str, Any]]:
    entries = []
    for number, image in enumerate(objects(images), start=1):
        url = image.get("image_url", image.get("image"))
        if not is_given(url):
            raise UnsupportedParameterError(
                "image_list", "Each picture in `image_list` needs an `image_url`."
            )
        role = _ROLES.get(str(image.get("type")), "refer_image")
        entries.append({"type": role, "url": url, "id": f"image_{number}"})
    return entries


def _videos(videos: Any) -> list[dict[str, Any]]:
    return [
        {
            "type": _VIDEOS.get(str(video.get("refer_type")), "base_video"),
            "url": video.get("video_url"),
            "id": f"video_{number}",
        }
        for number, video in enumerate(objects(videos), start=1)
    ]


def _put_sound(videos: Any, fields: dict[str, Any]) -> None:
    """Say in `settings` whether the sound of the video is kept, which its entry said."""
    sounds: Mapping[Any, str] = _VALUES["keep_original_sound"]
    for kept in filter(is_given, (video.get("keep_original_sound") for video in objects(videos))):
        settings = fields.get("settings") or {}
        # `sound: off` says that none is made, beside which the video's own can be kept.
        if settings.get("audio", "off") not in ("off", sounds[kept]):
            raise UnsupportedParameterError(
                "video_list", "Beside a video no sound can be made; leave it out or keep its own."
            )
        fields["settings"] = {**settings, "audio": sounds[kept]}
