"""What Kling's fields may say, what does not go together, and what does nothing where it is sent.

Only what the vendor lists or bounds is judged, of models we know: a field we have never heard of,
a model we do not know, and what is absent are the vendor's business.

Source: the vendor's model pages under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.base import Action, ActionCapabilities
from vidgate.providers.fields import (
    SWITCH,
    Body,
    Check,
    Fields,
    Form,
    Items,
    Length,
    OneOf,
    Rule,
    to_number,
)
from vidgate.providers.kling.bodies import FACE_FIELDS, Inputs, to_duration, to_word
from vidgate.providers.kling.choosing import Choice
from vidgate.providers.kling.generations import (
    LEGACY_WORDS,
    is_given,
    legacy_value,
    legacy_values,
    objects,
    settings_of,
)
from vidgate.providers.kling.models import (
    GONE_FIELDS,
    MODE_OF_TIER,
    OMNI_IMAGES,
    OMNI_IMAGES_BESIDE_VIDEO,
    TIER_OF_MODE,
    TRAITS,
    Product,
    Traits,
)
from vidgate.providers.words import Meaning, Vocabulary

__all__ = ["FIELDS", "FORMS", "VOCABULARY", "has_own_shots", "idle_fields", "judge"]

# A body as the tables know it: flat, in the words that the client wrote, its contents counted

_WORDS: Mapping[str, tuple[str, ...]] = {
    "first_frame": ("image", "image_list"),
    "last_frame": ("image_tail", "image_list"),
    "refer_image": ("image_list",),
    "feature_video": ("video_list",),
    "base_video": ("video_list",),
    "element": ("element_list",),
    "voice": ("voice_list",),
    "image": ("image_url", "image"),
    "video": ("video_url",),
}
"""Types of `contents`, and the legacy words that a client may have given one by."""

_SPOKEN = ("cfg_scale", "multi_shot", "prompt")
"""Fields in which even an empty object says something, though nothing that can be."""


def _flatten(
    body: Body, written: Body, choice: Choice, inputs: Inputs
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read a body as the tables know it.

    What is read out of it, and no field of its own, begins with `@`.

    Args:
        body: What is to be sent.
        written: The vendor fields as the client wrote them.
        choice: Where it is to be sent.
        inputs: What it works with.

    Returns:
        What says something; and what the client calls it, where that is not its name here.
    """
    is_new = choice.traits.is_path_model
    kinds = choice.shape.count(body)
    names = _names(body, written, kinds, is_new=is_new)
    generic = ("@first_frame",) if is_new else ("@first_frame", "@last_frame")
    length = settings_of(body).get("duration") if is_new else body.get("duration")
    options = body.get("options") or {} if is_new else body
    flat = {name: value for name, value in body.items() if is_given(value)}
    flat |= {name: body[name] for name in _SPOKEN if body.get(name) is not None}
    flat |= {
        "@action": inputs.action,
        "@contents": body.get("contents"),
        "@generic": all(names[kind] == "images" for kind in generic),
        "@kinds": kinds,
        "@seconds": to_duration(length, Inputs(action=Action.TEXT)),
        "@sound": inputs.has_sound,
        "@watermark": options.get("watermark_info"),
    }
    flat |= _flatten_new(body, written) if is_new else _flatten_legacy(body, choice.product)
    flat["@shots"] = _shots_in_prompt(flat, choice.traits) if is_new else _shots_in_list(body)
    return flat, names


def _names(body: Body, written: Body, kinds: Mapping[str, int], *, is_new: bool) -> dict[str, str]:
    """What the client calls the parts of a body; generic pictures are `images`."""
    settings = settings_of(written)
    names = {
        f"@{kind}": next((word for word in words if is_given(written.get(word))), "images")
        for kind, words in _WORDS.items()
    }
    if is_given(written.get("contents")):
        names = dict.fromkeys((*names, "prompt"), "contents")
    # What is too much together is said of the pictures, where there are any.
    pictures = ("refer_image",) if is_new else ("refer_image", "first_frame", "last_frame")
    names["@together"] = names[f"@{next(filter(kinds.get, pictures), 'element')}"]
    names["@shots"] = names.get("prompt", "prompt") if is_new else "multi_prompt"
    if is_new:
        names["@length"] = "settings.duration" if "duration" in settings else "duration"
    else:
        is_generic = "duration" in body and "duration" not in {**written, **settings}
        names["@length"] = "duration" if is_generic else "multi_prompt"
    is_flat = "watermark_info" in {**body, **written}
    names["@watermark"] = "watermark_info" if is_flat else "options.watermark_info"
    return names


def _flatten_new(body: Body, written: Body) -> dict[str, Any]:
    flat = {
        word: legacy_value(word, value)
        for name, value in settings_of(body).items()
        if is_given(value) and (word := _word(name, written))
    }
    for entry in objects(body.get("contents")):
        match entry.get("type"):
            case "prompt":
                flat["prompt"] = entry.get("text")
            case "image":
                flat["image"] = entry.get("url")
            case "video":
                flat["video_url"] = entry.get("url")
            case _:
                pass
    return flat


def _word(name: str, written: Body) -> str:
    """A setting's name, as the client wrote it: in either generation's words."""
    if name in settings_of(written):
        return f"settings.{name}"
    # A generic length has been put there.
    own = name if name == "duration" else f"settings.{name}"
    words = (*LEGACY_WORDS.get(name, ()), name)
    return next((word for word in words if is_given(written.get(word))), own)


def _flatten_legacy(body: Body, product: Product) -> Mapping[str, Any]:
    match product:
        case Product.MOTION:
            return {"image": body.get("image_url")}
        case Product.LIP_SYNC:
            face = next(iter(objects(body.get("face_choose"))), {})
            return {**dict.fromkeys(FACE_FIELDS), **face}
        case Product.EFFECTS:
            brought = body.get("input")
            brought = brought if isinstance(brought, Mapping) else {}
            return {"image": brought.get("image") or brought.get("images")}
        case _:
            return {}


# Shots, which the new generation has in the prompt

_SHOT = r"\s*(?:shot|镜头)\s*[0-9]{1,3}\s*[,，]\s*([0-9]{1,6})\s*[,，]\s*([^;；]*)[;；]"  # noqa: RUF001 - Chinese punctuation
_SHOTS = re.compile(rf"(?:{_SHOT})+\s*", re.IGNORECASE)
_ONE_SHOT = re.compile(_SHOT, re.IGNORECASE)
"""`shot 1, 3, words;`: number, seconds, text; on the Chinese site the word is Chinese."""

_SHOT_MODELS = frozenset({"kling-3.0-turbo", "kling-3.0", "kling-3.0-omni"})
_LEGACY_SHOT_MODELS = frozenset({"kling-v3", "kling-v3-omni"})
_SHOT_TYPES = ("customize", "intelligence")
_MOST_SHOTS = 6
_SHOT_CHARACTERS = 512


def _shots_in_prompt(flat: Body, traits: Traits) -> list[tuple[Any, str]]:
    """The texts and the seconds of shots; with `multi_shot` off a prompt says none."""
    words, is_off = flat.get("prompt"), settings_of(flat).get("multi_shot") is False
    if is_off or traits.name not in _SHOT_MODELS or flat["@action"] is Action.MOTION:
        return []
    if not isinstance(words, str) or not _SHOTS.fullmatch(words):
        return []
    return [(text, seconds) for seconds, text in _ONE_SHOT.findall(words)]


def _shots_in_list(body: Body) -> list[tuple[Any, str]]:
    if body.get("multi_shot") is not True:
        return []
    return [
        (shot.get("prompt"), str(shot.get("duration", "")))
        for shot in objects(body.get("multi_prompt"))
    ]


def has_own_shots(traits: Traits, fields: Body) -> bool:
    """Whether `multi_prompt` has the words, so that the prompt is not used."""
    is_told = fields.get("shot_type") == "customize" and bool(_shots_in_list(fields))
    return is_told and traits.name in _LEGACY_SHOT_MODELS


def _judge_shots(flat: Body, names: Mapping[str, str], *, is_new: bool) -> None:
    """Refuse shots that cannot be made, of either generation."""
    shots, asked = flat["@shots"], flat["@seconds"]
    longest = max((len(text) for text, _ in shots if isinstance(text, str)), default=0)
    if len(shots) > _MOST_SHOTS:
        raise UnsupportedParameterError(
            names["@shots"], f"A video has at most {_MOST_SHOTS} shots."
        )
    if longest > _SHOT_CHARACTERS:
        raise UnsupportedParameterError(
            names["@shots"],
            f"The text of a shot may have at most {_SHOT_CHARACTERS} characters.",
        )
    if not is_new and not _has_list_of_shots(flat):
        return
    if not all(told.isdecimal() and int(told[:9]) for _, told in shots):
        raise UnsupportedParameterError(
            names["@shots"], "Each shot lasts whole seconds, at least one second."
        )
    total = sum(int(told[:9]) for _, told in shots)
    if shots and asked not in (None, total):
        raise UnsupportedParameterError(
            names["@length"],
            f"The shots last {total} seconds together, and the video {asked:g}.",
        )


def _has_list_of_shots(flat: Body) -> bool:
    """Whether a legacy body has shots of its own, and says so."""
    kind, is_asked = flat.get("shot_type"), flat.get("multi_shot") is True
    if is_asked and kind not in _SHOT_TYPES:
        raise UnsupportedParameterError(
            "shot_type", "`multi_shot` needs a `shot_type`.", allowed=_SHOT_TYPES
        )
    is_told = is_asked and kind == "customize"
    # Who says that there are to be no shots is not told that there are none.
    if not is_told and flat.get("multi_shot") is not False and is_given(flat.get("multi_prompt")):
        raise UnsupportedParameterError(
            "multi_prompt", "`multi_prompt` needs `multi_shot: true` and `shot_type: customize`."
        )
    if is_told and not flat["@shots"]:
        raise UnsupportedParameterError("multi_prompt", "Customized shots need `multi_prompt`.")
    return is_told


# What a body cannot do without, whatever the model


def _given(flat: Body, *names: str) -> Iterator[bool]:
    return (is_given(flat.get(name)) for name in names)


def _need(field: str, says: str, *others: str, allowed: tuple[str, ...] = ()) -> Rule:
    """A field, or one of the others, must be there."""
    names = (field, *others)
    return Rule(
        field, lambda flat: not any(is_given(flat.get(one)) for one in names), says, allowed
    )


def _not_both(field: str, other: str, says: str) -> Rule:
    return Rule(field, lambda flat: all(_given(flat, field, other)), says)


def _says_nothing(flat: Body) -> bool:
    words = flat.get("prompt")
    is_empty = not words.strip() if isinstance(words, str) else words is None
    return is_empty and not flat.get("multi_prompt")


_ORIENTATIONS = ("image", "video")
_PICTURES_OF_EDIT: Mapping[str, tuple[int, ...]] = {
    "addition": (1, 2),
    "swap": (1,),
    "removal": (0,),
}
_NEEDS_PICTURE = _need("image", "Give the picture as `image`.")
_NEEDS_SOUND = _need(
    "sound_file", "{model} needs a sound, as `sound_file` or `audio_id`.", "audio_id"
)
_NEEDS_PROMPT = (
    Rule(
        "prompt",
        lambda flat: flat["@action"] is Action.TEXT and _says_nothing(flat),
        "A video from text alone needs a prompt.",
    ),
)


def _edit_rule(mode: str, allowed: tuple[int, ...]) -> Rule:
    def is_broken(flat: Body) -> bool:
        pictures = flat.get("image_list")
        number = len(pictures) if isinstance(pictures, list) else 0
        return to_word(flat.get("edit_mode")) == mode and number not in allowed

    says = f"The edit mode {mode} takes another number of pictures."
    return Rule("images", is_broken, says, allowed)


_NEEDS: Mapping[Product, tuple[Rule, ...]] = {
    Product.FRAMES: _NEEDS_PROMPT,
    Product.OMNI: _NEEDS_PROMPT,
    Product.MOTION: (
        _NEEDS_PICTURE,
        _need("video_url", "Motion control needs the URL of the video whose movement is copied."),
        Rule(
            "character_orientation",
            lambda flat: not is_given({**flat, **settings_of(flat)}.get("character_orientation")),
            "Motion control needs to know whose pose the figure keeps.",
            _ORIENTATIONS,
        ),
    ),
    Product.AVATAR: (_NEEDS_PICTURE, _NEEDS_SOUND),
    Product.LIP_SYNC: (
        _need(
            "video_url",
            "A lip-sync needs a video, as `video_url` or `video_id`.",
            *("session_id", "video_id"),
        ),
        Rule(
            "face_choose",
            lambda flat: [type(face) for face in flat.get("face_choose") or ()] != [dict],
            "A lip-sync needs a list of one face.",
        ),
        _NEEDS_SOUND,
        _need(
            "sound_end_time",
            "Say in `duration` how many seconds of the sound are spoken, or in `sound_end_time` at "
            "which millisecond of it to stop.",
        ),
        Rule(
            "face_id",
            lambda flat: is_given(flat.get("session_id")) and not is_given(flat.get("face_id")),
            "With a `session_id` the face must be named.",
        ),
    ),
    Product.EFFECTS: (
        _need("effect_scene", "Name the effect in `effect_scene`."),
        _need("image", "An effect needs one picture, or two for the effects of two figures."),
    ),
    Product.MULTI_ELEMENTS: (
        _need(
            "session_id",
            "Multi-elements needs the `session_id` of a selection, which begins with POST "
            "/kling/v1/videos/multi-elements/init-selection; to change a video by words alone, use "
            "kling-v3-omni with the video in `video_list`.",
        ),
        _need("edit_mode", "Say what to do in `edit_mode`.", allowed=tuple(_PICTURES_OF_EDIT)),
        _need("prompt", "The edit of a video needs a prompt."),
        *(_edit_rule(mode, allowed) for mode, allowed in _PICTURES_OF_EDIT.items()),
    ),
}
_NEEDS_WORDS_TOO = Rule(
    "prompt", _says_nothing, "{model} needs a prompt, also beside pictures and videos."
)
"""On the legacy omni endpoint."""


# What does not go together


def _has(flat: Body, *kinds: str) -> int:
    """How many there are of some types of `contents`."""
    return sum(flat["@kinds"][kind] for kind in kinds)


def _most(field: str, number: int, says: str, *kinds: str) -> Rule:
    return Rule(field, lambda flat: _has(flat, *kinds) > number, says)


def _lacks(name: str, instead: str) -> Rule:
    return Rule(name, lambda flat: name in flat, f"{{model}} has no `{name}`; {instead}.")


def _with(kind: str, other: str, says: str) -> Rule:
    return Rule(f"@{kind}", lambda flat: _has(flat, kind) and _has(flat, other), says)


def _without_first(field: str, kind: str, says: str = "{model} needs a first frame here.") -> Rule:
    return Rule(field, lambda flat: _has(flat, kind) and not _has(flat, "first_frame"), says)


def _outside(name: str, least: int, most: int) -> Rule:
    def is_broken(flat: Body) -> bool:
        number = to_number(flat.get(name))
        return flat.get(name) is not None and (number is None or not least <= number <= most)

    return Rule(
        name, is_broken, f"{{model}} does not take this {name} here.", (f"{least} to {most}",)
    )


_VIDEOS = ("feature_video", "base_video")
_FRAMES = ("first_frame", "last_frame")
_TOGETHER = (*_FRAMES, "refer_image", "element")
_LOUDEST = 2
_SHORTEST_SPEECH_MS = 2000
_NEGATIVE_CHARACTERS = 2500
_MOST_FRAME_ELEMENTS = 3
_MOST_VOICES = 2


def _has_bad_watermark(flat: Body) -> bool:
    info = flat["@watermark"]
    enabled = info.get("enabled") if isinstance(info, Mapping) else info
    return enabled is not None and not (isinstance(info, Mapping) and isinstance(enabled, bool))


def _speaks_too_little(flat: Body) -> bool:
    start, end = flat.get("sound_start_time", 0), flat.get("sound_end_time")
    is_told = isinstance(start, (int, float)) and isinstance(end, (int, float))
    return is_told and end - start < _SHORTEST_SPEECH_MS


_WATERMARK_RULE = Rule(
    "@watermark",
    _has_bad_watermark,
    "`watermark_info` is an object with `enabled`.",
    ("true", "false"),
)
_SOUND_RULES = (
    _not_both("sound_file", "audio_id", "Give one sound: `audio_id` or `sound_file`, not both."),
    Rule("sound_end_time", _speaks_too_little, "At least 2 seconds of the sound must be spoken."),
)
_FACE_RULES = (
    _not_both("video_url", "video_id", "Give one video: `video_url` or `video_id`, not both."),
    *_SOUND_RULES,
    _outside("sound_volume", 0, _LOUDEST),
    _outside("original_audio_volume", 0, _LOUDEST),
)
_LAST_FRAME_RULE = _without_first(
    "@last_frame", "last_frame", "A last frame needs a first frame beside it."
)
_OMNI_RULES = (
    _LAST_FRAME_RULE,
    _most("@base_video", 1, "{model} takes one video to refer to.", *_VIDEOS),
    Rule(
        "@base_video",
        lambda flat: _has(flat, "base_video") and _has(flat, *_FRAMES),
        "A video to edit takes no first or last frame; one to refer to does.",
    ),
    Rule(
        "@together",
        lambda flat: _has(flat, *_VIDEOS) and _has(flat, *_TOGETHER) > OMNI_IMAGES_BESIDE_VIDEO,
        f"{{model}} takes at most {OMNI_IMAGES_BESIDE_VIDEO} pictures and elements beside a video.",
    ),
    _most(
        "@together",
        OMNI_IMAGES,
        f"{{model}} takes at most {OMNI_IMAGES} pictures and elements together.",
        *_TOGETHER,
    ),
)
"""Of both generations."""

_NEW_OMNI_RULES = (
    Rule(
        "settings.multi_shot",
        lambda flat: _has(flat, "base_video") and settings_of(flat).get("multi_shot") is True,
        "A video to edit has no shots.",
        ("false",),
    ),
)
_NEW_SHOT_OMNI_RULES = (
    Rule(
        "settings.multi_shot",
        lambda flat: _has(flat, "feature_video") and settings_of(flat).get("multi_shot") is False,
        "Beside a `feature_video` it is on.",
        ("true",),
    ),
    Rule(
        "settings.audio",
        lambda flat: (
            _has(flat, "feature_video")
            and is_given(sound := settings_of(flat).get("audio"))
            and sound != "off"
        ),
        "Beside a `feature_video` there is no sound.",
        ("off",),
    ),
    Rule(
        "@element",
        lambda flat: _has(flat, *_FRAMES) and _has(flat, "element") > _MOST_FRAME_ELEMENTS,
        f"Beside a frame {{model}} takes at most {_MOST_FRAME_ELEMENTS} elements.",
    ),
)
_NEW_SHOTLESS_OMNI_RULES = tuple(
    _with(kind, "last_frame", "{model} takes nothing beside a first and a last frame.")
    for kind in ("element", "refer_image", *_VIDEOS)
)
_NEW_FRAME_RULES = (
    _LAST_FRAME_RULE,
    _without_first("@element", "element"),
    _without_first("@voice", "voice"),
    _without_first("contents", "prompt"),
    Rule(
        "@voice",
        lambda flat: _has(flat, "voice") and settings_of(flat).get("audio", "off") == "off",
        "A voice needs sound: say `native` in `settings.audio`.",
    ),
)
_LEGACY_RULES = (
    _outside("cfg_scale", 0, 1),
    Rule(
        "prompt",
        lambda flat: (
            flat.get("multi_shot") is True
            and flat.get("shot_type") == "intelligence"
            and _says_nothing(flat)
        ),
        "Shots of the model's own choice need a prompt.",
    ),
)
_GONE_RULES = tuple(
    _lacks(name, "only models had it that Kling has retired") for name in GONE_FIELDS
)
_LEGACY_FRAME_RULES = (
    _most(
        "element_list",
        _MOST_FRAME_ELEMENTS,
        f"{{model}} takes at most {_MOST_FRAME_ELEMENTS} elements.",
        "element",
    ),
    _LAST_FRAME_RULE,
    Rule(
        "element_list",
        lambda flat: "element_list" in flat and not _has(flat, "first_frame"),
        "Elements need kling-v3 and a first frame as `image`.",
    ),
    Rule(
        "voice_list",
        lambda flat: "element_list" in flat and "voice_list" in flat,
        "Elements and voices do not go together; give one of them.",
    ),
    Rule(
        "voice_list",
        lambda flat: "voice_list" in flat and flat.get("sound") != "on",
        "A voice needs `sound: on`.",
    ),
)


def _members(field: str, member: str, *allowed: str) -> Rule:
    return Rule(
        field,
        lambda flat: any(
            is_given(value := one.get(member)) and value not in allowed
            for one in objects(flat.get(field))
        ),
        f"{{model}} does not take this `{member}` in `{field}`.",
        allowed,
    )


_LEGACY_OMNI_RULES = (
    _lacks("image", "put the picture in `image_list`"),
    _lacks("image_tail", "put the picture in `image_list`"),
    _members("image_list", "type", "first_frame", "end_frame"),
    _members("video_list", "refer_type", "feature", "base"),
    _members("video_list", "keep_original_sound", "yes", "no"),
)
_SOUND_BESIDE_VIDEO_RULE = Rule(
    "sound",
    lambda flat: _has(flat, *_VIDEOS) and flat.get("sound", "off") != "off",
    "Beside a video {model} makes no sound.",
    ("off",),
)
_LEGACY_FEATURE_RULE = Rule(
    "multi_shot",
    lambda flat: (
        _has(flat, "feature_video")
        and not (flat.get("multi_shot") is True and flat.get("shot_type") == "intelligence")
    ),
    "Beside a `feature` video, say `multi_shot: true` and `shot_type: intelligence`.",
)


_RULES: Mapping[Product, tuple[Rule, ...]] = {
    Product.FRAMES: (*_LEGACY_RULES, *_LEGACY_FRAME_RULES, *_GONE_RULES),
    Product.OMNI: (*_LEGACY_RULES, *_LEGACY_OMNI_RULES, *_GONE_RULES),
    Product.MOTION: _GONE_RULES,
    Product.LIP_SYNC: _FACE_RULES,
    Product.AVATAR: _SOUND_RULES,
}
"""Of legacy bodies."""


# What the new generation takes in `contents`

_ANY = 20
"""Of types whose number is bounded together with others."""

_FIRST = {"prompt": 1, "first_frame": 1}
_BOTH = {**_FIRST, "last_frame": 1}
_REFERENCES = {
    **_BOTH,
    "refer_image": _ANY,
    "feature_video": 1,
    "base_video": 1,
    "element": _ANY,
}
_COPIED = {"prompt": 1, "image": 1, "video": 1}

_MOST: Mapping[str, Mapping[str, int]] = {
    "/image-to-video/kling-3.0-turbo": _FIRST,
    "/image-to-video/kling-3.0": {**_BOTH, "element": _MOST_FRAME_ELEMENTS},
    "/image-to-video/kling-2.6": {**_BOTH, "voice": _MOST_VOICES},
    "/image-to-video/kling-2.5-turbo": _BOTH,
    "/omni-video/kling-3.0-omni": _REFERENCES,
    "/omni-video/kling-o1": _REFERENCES,
    "/motion-control/kling-3.0": {**_COPIED, "element": 1},
    "/motion-control/kling-2.6": _COPIED,
}
"""How many entries of each type an endpoint takes; of others it takes none."""


def _is_no_list(flat: Body) -> bool:
    contents = flat["@contents"]
    is_list = isinstance(contents, list) and len(objects(contents)) == len(contents)
    return contents is not None and not is_list


def _contents_rules(most: Mapping[str, int]) -> Iterator[Rule]:
    yield Rule(
        "contents",
        _is_no_list,
        "`contents` must be a list of objects.",
    )
    yield Rule(
        "contents",
        lambda flat: flat["@kinds"].keys() - {*most, *_WORDS},
        "{model} does not take this `type` here.",
        tuple(most),
    )
    for kind in _WORDS:
        if kind not in most:
            rule = _most(f"@{kind}", 0, f"{{model}} takes no {kind} here.", kind)
            yield replace(rule, allowed=tuple(most))
    for kind, number in most.items():
        field, says = f"@{kind}", f"{{model}} takes at most {number} of {kind} here."
        yield _most(field if kind in _WORDS else "contents", number, says, kind)


# All of it, by model and action


def _rules_at(traits: Traits, action: Action, takes: ActionCapabilities) -> Iterator[Rule]:
    """What decides before single values do: types of `contents`, and what needs which."""
    first, most = traits.actions.get(Action.FIRST_FRAME), _MOST.get(takes.endpoint)
    if action is Action.FIRST_LAST_FRAME and first and first.sound and not takes.sound:
        yield Rule(
            "images",
            lambda flat: flat["@sound"] and flat["@generic"],
            "{model} makes no sound between a first and a last frame; give one picture, or turn "
            "the sound off.",
        )
    yield _WATERMARK_RULE
    if most is not None and action is not Action.MOTION:
        yield from _contents_rules(most)
    if traits.is_omni:
        yield from _OMNI_RULES
    if traits.is_path_model and traits.is_omni:
        yield from _NEW_OMNI_RULES
        yield from _NEW_SHOT_OMNI_RULES if traits.has_shot_field else _NEW_SHOTLESS_OMNI_RULES
    elif most is not None and action is not Action.MOTION:
        yield from _NEW_FRAME_RULES
    if traits.is_omni and not traits.is_path_model:
        yield _SOUND_BESIDE_VIDEO_RULE


def _form(traits: Traits, action: Action, takes: ActionCapabilities) -> Form:
    product = _product(traits, action)
    if traits.is_path_model:
        checks, rules = _new_checks(traits, product, takes), _new_rules(traits, product, takes)
    else:
        checks, rules = _legacy_checks(traits, action, takes), _legacy_rules(traits, product)
    if takes.prompt_characters is not None:
        checks["prompt"] = Length(0, takes.prompt_characters)
    return Form(checks, tuple(rules))


def _product(traits: Traits, action: Action) -> Product:
    return Product.MOTION if action is Action.MOTION else traits.product


def _legacy_checks(traits: Traits, action: Action, takes: ActionCapabilities) -> dict[str, Check]:
    product = _product(traits, action)
    if product in (Product.LIP_SYNC, Product.EFFECTS):
        return {}
    checks: dict[str, Check] = {
        "mode": OneOf(tuple(MODE_OF_TIER[tier] for tier in takes.tiers)),
        "negative_prompt": Length(0, _NEGATIVE_CHARACTERS),
    }
    match product:
        case Product.MULTI_ELEMENTS:
            checks["edit_mode"] = OneOf(tuple(_PICTURES_OF_EDIT))
            checks["duration"] = OneOf(takes.durations, as_number=True)
        case Product.MOTION:
            checks["character_orientation"] = OneOf(_ORIENTATIONS)
            checks["keep_original_sound"] = OneOf(("yes", "no"))
            checks["element_list"] = Items(0, 1)
        case Product.FRAMES | Product.OMNI:
            checks |= _clip_checks(traits, action, takes)
        case _:
            pass
    return checks


def _clip_checks(traits: Traits, action: Action, takes: ActionCapabilities) -> dict[str, Check]:
    checks: dict[str, Check] = {}
    if ratios := _ratios(traits, takes):
        checks["aspect_ratio"] = OneOf(ratios)
    if takes.durations:
        checks["duration"] = OneOf(takes.durations, as_number=True)
    # Of the legacy O1 nobody has said that it is mute; a word of its own is not refused.
    is_mute = not takes.sound and (action is Action.EDIT or not traits.is_omni)
    checks["sound"] = OneOf(("off",) if is_mute else ("on", "off"))
    checks["multi_shot"] = SWITCH if traits.has_shot_field else OneOf((False,))
    checks["voice_list"] = Items(0, _MOST_VOICES)
    if traits.is_omni:
        return {**checks, "video_list": Items(0, 1)}
    return checks


def _legacy_rules(traits: Traits, product: Product) -> Iterator[Rule]:
    if product is Product.FRAMES:
        yield _lacks("image_list", "kling-v3-omni has")
        yield _lacks("video_list", "kling-v3-omni has")
    if product in (Product.FRAMES, Product.MOTION) and not traits.has_shot_field:
        yield _lacks("element_list", "kling-v3 has")
    yield from _RULES.get(product, ())
    if product is Product.OMNI and traits.has_shot_field:
        yield _LEGACY_FEATURE_RULE


def _new_checks(traits: Traits, product: Product, takes: ActionCapabilities) -> dict[str, Check]:
    settings = {"aspect_ratio": _ratios(traits, takes), "resolution": takes.tiers}
    if product is Product.MOTION:
        settings |= {"audio": ("original", "off"), "character_orientation": _ORIENTATIONS}
        checks = _in_all_words(settings)
        del checks["sound"]  # which is never made there
    else:
        # Where there is no such field, a wish for silence is granted anyway.
        audios = traits.audios or ("off",)
        mute = tuple(word for word in audios if word != "native")
        checks = _in_all_words(settings | {"audio": audios if takes.sound else mute})
        seconds = OneOf(takes.durations, as_number=True)
        checks |= dict.fromkeys(("settings.duration", "duration"), seconds)
        if traits.has_shot_field:
            checks |= dict.fromkeys(("settings.multi_shot", "multi_shot"), SWITCH)
    return checks


def _new_rules(traits: Traits, product: Product, takes: ActionCapabilities) -> Iterator[Rule]:
    if product is Product.MOTION:
        yield from _contents_rules(_MOST[takes.endpoint])
    elif not traits.has_shot_field:
        yield from map(_no_shots_rule, ("settings.multi_shot", "multi_shot"))


def _in_all_words(settings: Mapping[str, tuple[str, ...]]) -> dict[str, Check]:
    """Check settings by every name that a client may give them."""
    return {
        word: OneOf(legacy_values(word, allowed), passed=allowed)
        for name, allowed in settings.items()
        for word in (f"settings.{name}", name, *LEGACY_WORDS[name])
        if allowed
    }


def _no_shots_rule(word: str) -> Rule:
    says = f"{{model}} does not take this {word} here."
    return Rule(word, lambda flat: flat.get(word) is True, says, ("false",))


def _ratios(traits: Traits, takes: ActionCapabilities) -> tuple[str, ...]:
    """Those of the endpoint, also where a picture gives the shape: it looks at the field first."""
    same = [one.ratios for one in traits.actions.values() if one.endpoint == takes.endpoint]
    return takes.ratios or next(filter(None, same), ())


def _where(traits: Traits, action: Action, *, has_sound: bool) -> str:
    """Name a form: by what is to be done, and with sound where that makes a difference."""
    nearest = traits.nearest(action)
    is_other = has_sound and traits.sound_tiers and traits.actions[nearest].sound
    return f"{nearest} with sound" if is_other else nearest.value


_PLACES = {
    (name, _where(traits, action, has_sound=has_sound)): (traits, action, has_sound)
    for name, traits in TRAITS.items()
    for action in traits.actions
    for has_sound in (True, False)
}
FORMS: Mapping[tuple[str, str], Form] = {
    key: _form(traits, action, traits.action(action, has_sound=has_sound))
    for key, (traits, action, has_sound) in _PLACES.items()
}
"""By the model and what it is to do."""

_FIRST_FORMS: Mapping[tuple[str, str], Form] = {
    key: Form(rules=tuple(_rules_at(traits, action, traits.action(action))))
    for key, (traits, action, _) in _PLACES.items()
}
"""What is judged before single values are."""


def judge(body: Body, written: Body, choice: Choice, inputs: Inputs) -> None:
    """Refuse what is known to be refused, ignored or misread.

    Args:
        body: What is to be sent.
        written: The vendor fields as the client wrote them.
        choice: Where it is to be sent.
        inputs: What it works with.

    Raises:
        UnsupportedParameterError: It names the field as the client does, and what is allowed.
    """
    traits, told = choice.traits, choice.traits.name
    flat, names = _flatten(body, written, choice, inputs)
    where = _where(traits, inputs.action, has_sound=inputs.has_sound)
    if traits.is_known:
        _FIRST_FORMS[told, where].judge(flat, told=told, names=names)
    needs = _NEEDS[choice.product]
    if choice.product is Product.OMNI and not traits.is_path_model:
        needs += (_NEEDS_WORDS_TOO,)
    Form(rules=needs).judge(flat, told=told)
    if not traits.is_known:
        return
    FORMS[told, where].judge(flat, told=told, names=names)
    if choice.product in (Product.FRAMES, Product.OMNI):
        _judge_shots(flat, names, is_new=traits.is_path_model)
    if choice.path is None and choice.product not in _PASSED:
        given = {**body, **{f"settings.{name}": value for name, value in settings_of(body).items()}}
        FIELDS.refuse_foreign(
            {name: value for name, value in given.items() if is_given(value)},
            _TOLD[choice.product],
            told=told,
            passed=_HARMLESS,
        )


# Fields that do nothing where they are sent: Kling ignores them and bills what comes of the rest

_SHOT_FIELDS = frozenset({"multi_shot", "shot_type", "multi_prompt"})
_CLIP = _SHOT_FIELDS | {"sound", "mode", "aspect_ratio", "duration"}
_DRIVEN = frozenset({"image_url", "video_url", "character_orientation", "keep_original_sound"})
_CLIP_SETTINGS = frozenset({"settings.aspect_ratio", "settings.duration", "settings.multi_shot"})

_OF_PRODUCTS: Mapping[Product, frozenset[str]] = {
    Product.FRAMES: _CLIP
    | _CLIP_SETTINGS
    | {"image", "image_tail", "element_list", "voice_list", "negative_prompt", "cfg_scale"},
    Product.OMNI: _CLIP | _CLIP_SETTINGS | {"image_list", "video_list", "element_list"},
    Product.MOTION: _DRIVEN | {"mode", "element_list", "settings.character_orientation"},
    Product.LIP_SYNC: frozenset({"session_id", "face_choose", "video_id", "video_url"})
    | frozenset(FACE_FIELDS),
    Product.AVATAR: frozenset({"image", "audio_id", "sound_file", "mode"}),
    Product.EFFECTS: frozenset({"effect_scene", "input"}),
    Product.MULTI_ELEMENTS: frozenset(
        {"session_id", "edit_mode", "image_list", "negative_prompt", "mode", "duration"}
    ),
}
"""By the legacy names, which nearly all clients know."""

_TOLD: Mapping[Product, str] = {
    Product.FRAMES: "text2video and image2video",
    Product.OMNI: "omni-video",
    Product.MOTION: "motion control",
    Product.LIP_SYNC: "the lip-sync",
    Product.AVATAR: "the avatar",
    Product.EFFECTS: "the effects",
    Product.MULTI_ELEMENTS: "multi-elements",
}

FIELDS = Fields(
    {_TOLD[product]: fields for product, fields in _OF_PRODUCTS.items()},
    nothing=(None, "", [], {}),
    # Clients send these with everything.
    nothing_of={
        **dict.fromkeys(("multi_shot", "settings.character_orientation"), (False,)),
        **dict.fromkeys(_CLIP_SETTINGS, (False,)),
        "mode": ("std",),
        "sound": ("off",),
        "keep_original_sound": ("no",),
        "shot_type": _SHOT_TYPES,  # of shots that `multi_shot` asks for
    },
)

_HARMLESS = frozenset({"aspect_ratio", "cfg_scale"})
"""What a product without them does nothing with: the shape is that of its picture or video."""

_PASSED = frozenset({Product.EFFECTS, Product.MULTI_ELEMENTS})
"""Their bodies are passed through."""

_NO_SCALE = 0.5
"""The vendor's default."""


def idle_fields(body: Body, choice: Choice, inputs: Inputs) -> tuple[str, ...]:
    """Name what is sent and does nothing, such as a shape beside a first frame."""
    traits, product = choice.traits, choice.product
    if not traits.is_known or product in _PASSED:
        return ()
    is_new, is_frames, own = traits.is_path_model, product is Product.FRAMES, _OF_PRODUCTS[product]
    where = {**body, **settings_of(body)} if is_new else body
    ignores_scale = is_new or "cfg_scale" not in own or traits.name.startswith("kling-v2")
    idle = {
        "aspect_ratio": inputs.gives_shape if is_frames else "aspect_ratio" not in own,
        "cfg_scale": ignores_scale and where.get("cfg_scale") != _NO_SCALE,
        "multi_prompt": "multi_prompt" in own and where.get("multi_shot") is False,
        "seed": is_new,
    }
    return tuple(name for name, is_idle in idle.items() if is_idle and is_given(where.get(name)))


# What clients call alike everywhere, and every field that is documented

VOCABULARY = Vocabulary(
    # A resolution is put in the words of the generation that runs, as all of `settings` is.
    fields={
        Meaning.TIER: "resolution",
        Meaning.RATIO: "aspect_ratio",
        Meaning.SOUND: "sound",
        Meaning.MODE: "mode",
        Meaning.NEGATIVE_PROMPT: "negative_prompt",
        Meaning.WATERMARK: "watermark_info",
    },
    values={
        Meaning.TIER: {tier: tier for tier in TIER_OF_MODE.values()},
        Meaning.SOUND: {True: "on", False: "off"},
        Meaning.WATERMARK: {True: {"enabled": True}, False: {"enabled": False}},
    },
    documented=FIELDS.documented
    | {"prompt", "watermark_info", "contents", "settings", "options", *GONE_FIELDS}
    # Members of `settings`, which are taken at the top level too.
    | {"resolution", "audio"},
    frame_action="first_last_frame",
)
