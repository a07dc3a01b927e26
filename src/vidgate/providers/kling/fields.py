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

_ENTRIES = {"prompt": ("prompt", "text"), "image": ("image", "url"), "video": ("video_url", "url")}
"""Types whose one entry is judged as a legacy field, and what of it."""

_NAME = re.compile(r"@?[a-z_.]+")

_SPOKEN = ("cfg_scale", "multi_shot", "prompt")
"""Fields in which even an empty object says something, though nothing that can be."""


def _flatten(
    body: Body, written: Body, choice: Choice, inputs: Inputs
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read a body as the tables know it.

    What is read out of it, and no field of its own, begins with `@`.

    Returns:
        What says something; and what the client calls it, where that is not its name here.
    """
    is_new = choice.traits.is_path_model
    kinds, settings = choice.shape.count(body), settings_of(body)
    names = _names(body, written, kinds, is_new=is_new)
    generic = ("@first_frame",) if is_new else ("@first_frame", "@last_frame")
    options = body.get("options") or {} if is_new else body
    flat = {name: value for name, value in body.items() if is_given(value) and name[:1] != "@"}
    flat |= {name: body[name] for name in _SPOKEN if body.get(name) is not None}
    flat |= {
        "@action": inputs.action.value,
        "@contents": body.get("contents"),
        "@generic": all(names[kind] == "images" for kind in generic),
        "@kinds": kinds,
        "@seconds": to_duration((settings if is_new else body).get("duration"), _LASTING),
        "@sound": inputs.has_sound,
        "@watermark": options.get("watermark_info"),
    }
    flat |= _flatten_new(body, written) if is_new else _flatten_legacy(body, choice.product)
    flat["@shots"] = _shots_in_prompt(flat, choice.traits) if is_new else _shots_in_list(body)
    flat["@marks"] = frozenset(_marks({**flat, **_named_settings(body)}, kinds))
    return flat, names


_LASTING = Inputs(action=Action.TEXT)


def _named_settings(body: Body) -> dict[str, Any]:
    return {f"settings.{name}": value for name, value in settings_of(body).items()}


def _marks(flat: Body, kinds: Mapping[str, int]) -> Iterator[str]:
    """What rules look for: `name` of what is given, `name=word`, `name:on` and `name:off`."""
    for name, value in flat.items():
        if not _NAME.fullmatch(name):
            continue  # a client's own, which could be taken for a mark
        if is_given(value):
            yield name
        if isinstance(value, bool):
            yield f"{name}:{'on' if value else 'off'}"
        elif isinstance(value, str):
            yield f"{name}={value}"
    yield from (f"@{kind}" for kind, number in kinds.items() if number)
    yield from ("@any_frame" for kind in _FRAMES if kinds[kind])
    yield from ("@any_video" for kind in _VIDEOS if kinds[kind])
    if flat.get("multi_shot") is True:
        yield f"multi_shot={flat.get('shot_type')}"
    if not _says_nothing(flat):
        yield "@words"


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
    names |= {"@words": "prompt", "@prompt": "contents", "@generic": "images"}
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
        kind = entry.get("type")
        if isinstance(kind, str) and kind in _ENTRIES:
            name, member = _ENTRIES[kind]
            flat[name] = entry.get(member)
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
    shots = objects(body.get("multi_prompt")) if body.get("multi_shot") is True else ()
    return [(shot.get("prompt"), str(shot.get("duration", ""))) for shot in shots]


def has_own_shots(traits: Traits, fields: Body) -> bool:
    """Whether `multi_prompt` has the words, so that the prompt is not used."""
    is_told = fields.get("shot_type") == "customize" and bool(_shots_in_list(fields))
    return is_told and traits.name in _LEGACY_SHOT_MODELS


def _seconds(flat: Body) -> list[int]:
    """What each shot lasts, 0 where that is nothing whole."""
    return [int(told[:9]) if told.isdecimal() else 0 for _, told in flat["@shots"]]


def _longest_text(flat: Body) -> int:
    return max((len(text) for text, _ in flat["@shots"] if isinstance(text, str)), default=0)


# Rules, in a shorter form


def _if(when: str, says: str, *allowed: object) -> Rule:
    """Refuse a field where a body has some marks, and none of those with a `!` before them.

    The field is that of the first mark.
    """
    marks = when.split()
    wanted = frozenset(mark for mark in marks if mark[0] != "!")
    others = frozenset(mark[1:] for mark in marks if mark[0] == "!")
    return Rule(
        _NAME.findall(when)[0],
        lambda flat: wanted <= flat["@marks"] and not others & flat["@marks"],
        says,
        allowed,
    )


def _lacks(name: str, instead: str) -> Rule:
    return _if(name, f"{{model}} has no `{name}`; {instead}.")


def _not_both(field: str, other: str) -> Rule:
    return _if(f"{field} {other}", f"Give `{field}` or `{other}`, not both.")


def _without_first(kind: str) -> Rule:
    return _if(f"@{kind} !@first_frame", "{model} needs a first frame here.")


def _has(flat: Body, *kinds: str) -> int:
    """How many there are of some types of `contents`."""
    return sum(flat["@kinds"][kind] for kind in kinds)


def _most(field: str, number: int, what: str, *kinds: str, beside: tuple[str, ...] = ()) -> Rule:
    """At most so many of some types, where there are others if any are named."""
    return Rule(
        field,
        lambda flat: _has(flat, *kinds) > number and (not beside or _has(flat, *beside)),
        f"{{model}} takes {f'at most {number}' if number else 'no'} {what}.",
    )


def _outside(name: str, least: int, most: int) -> Rule:
    def is_broken(flat: Body) -> bool:
        number = to_number(flat.get(name))
        return flat.get(name) is not None and (number is None or not least <= number <= most)

    says = f"{{model}} does not take this {name} here."
    return Rule(name, is_broken, says, (f"{least} to {most}",))


def _members(field: str, member: str, *allowed: str) -> Rule:
    def is_broken(flat: Body) -> bool:
        said = [one.get(member) for one in objects(flat.get(field))]
        return any(is_given(value) and value not in allowed for value in said)

    return Rule(field, is_broken, f"{{model}} does not take this `{member}` in `{field}`.", allowed)


_FRAMES = ("first_frame", "last_frame")
_VIDEOS = ("feature_video", "base_video")
_TOGETHER = (*_FRAMES, "refer_image", "element")

# What a body cannot do without, whatever the model


def _says_nothing(flat: Body) -> bool:
    words = flat.get("prompt")
    is_empty = not words.strip() if isinstance(words, str) else words is None
    return is_empty and not flat.get("multi_prompt")


_ORIENTATIONS = ("image", "video")
_PICTURES_OF_EDIT = {"addition": (1, 2), "swap": (1,), "removal": (0,)}
_NEEDS_PICTURE = _if("!image", "Give the picture as `image`.")
_NEEDS_SOUND = _if("!sound_file !audio_id", "{model} needs a sound, as `sound_file` or `audio_id`.")
_NEEDS_PROMPT = _if("!@words @action=text", "A video from text alone needs a prompt.")
_NEEDS_WORDS_TOO = _if("!@words", "{model} needs a prompt, also beside pictures and videos.")
"""On the legacy omni endpoint."""


def _edit_rule(mode: str, allowed: tuple[int, ...]) -> Rule:
    def is_broken(flat: Body) -> bool:
        number = len(flat["image_list"]) if isinstance(flat.get("image_list"), list) else 0
        return to_word(flat.get("edit_mode")) == mode and number not in allowed

    return Rule(
        "images", is_broken, f"The edit mode {mode} takes another number of pictures.", allowed
    )


_NEEDS: Mapping[Product, tuple[Rule, ...]] = {
    Product.FRAMES: (_NEEDS_PROMPT,),
    Product.OMNI: (_NEEDS_PROMPT,),
    Product.MOTION: (
        _NEEDS_PICTURE,
        _if("!video_url", "Motion control needs the URL of the video whose movement is copied."),
        _if(
            "!character_orientation !settings.character_orientation",
            "Motion control needs to know whose pose the figure keeps.",
            *_ORIENTATIONS,
        ),
    ),
    Product.AVATAR: (_NEEDS_PICTURE, _NEEDS_SOUND),
    Product.LIP_SYNC: (
        _if(
            "!video_url !video_id !session_id",
            "A lip-sync needs a video, as `video_url` or `video_id`.",
        ),
        Rule(
            "face_choose",
            lambda flat: [type(face) for face in flat.get("face_choose") or ()] != [dict],
            "A lip-sync needs a list of one face.",
        ),
        _NEEDS_SOUND,
        _if(
            "!sound_end_time",
            "Say in `duration` how many seconds of the sound are spoken, or in `sound_end_time` at "
            "which millisecond of it to stop.",
        ),
        _if("!face_id session_id", "With a `session_id` the face must be named."),
    ),
    Product.EFFECTS: (
        _if("!effect_scene", "Name the effect in `effect_scene`."),
        _if("!image", "An effect needs one picture, or two for the effects of two figures."),
    ),
    Product.MULTI_ELEMENTS: (
        _if(
            "!session_id",
            "Multi-elements needs the `session_id` of a selection, which begins with POST "
            "/kling/v1/videos/multi-elements/init-selection; to change a video by words alone, use "
            "kling-v3-omni with the video in `video_list`.",
        ),
        _if("!edit_mode", "Say what to do in `edit_mode`.", *_PICTURES_OF_EDIT),
        _if("!prompt", "The edit of a video needs a prompt."),
        *(_edit_rule(mode, allowed) for mode, allowed in _PICTURES_OF_EDIT.items()),
    ),
}


# What does not go together


def _has_bad_watermark(flat: Body) -> bool:
    info = flat["@watermark"]
    enabled = info.get("enabled") if isinstance(info, Mapping) else info
    return enabled is not None and not (isinstance(info, Mapping) and isinstance(enabled, bool))


def _speaks_too_little(flat: Body) -> bool:
    start, end = flat.get("sound_start_time", 0), flat.get("sound_end_time")
    is_told = isinstance(start, (int, float)) and isinstance(end, (int, float))
    return is_told and end - start < _SHORTEST_SPEECH_MS


_SHORTEST_SPEECH_MS = 2000
_NEGATIVE_CHARACTERS = 2500
_MOST_FRAME_ELEMENTS = 3
_MOST_VOICES = 2

_WATERMARK_RULE = Rule(
    "@watermark",
    _has_bad_watermark,
    "`watermark_info` is an object with `enabled`.",
    ("true", "false"),
)
_SILENT_BETWEEN_FRAMES = _if(
    "@generic:on @sound:on",
    "{model} makes no sound between a first and a last frame; give one picture, or turn the sound "
    "off.",
)
_SOUND_RULES = (
    _not_both("sound_file", "audio_id"),
    Rule("sound_end_time", _speaks_too_little, "At least 2 seconds of the sound must be spoken."),
)
_OMNI_RULES = (
    _without_first("last_frame"),
    _most("@base_video", 1, "video to refer to", *_VIDEOS),
    _if("@base_video @any_frame", "A video to edit takes no frames; one to refer to does."),
    _most(
        *("@together", OMNI_IMAGES_BESIDE_VIDEO, "pictures and elements beside a video"),
        *_TOGETHER,
        beside=_VIDEOS,
    ),
    _most("@together", OMNI_IMAGES, "pictures and elements together", *_TOGETHER),
)
"""Of both generations."""

_NEW_OMNI_RULES = (
    _if("settings.multi_shot:on @base_video", "A video to edit has no shots.", "false"),
)
_NEW_SHOT_OMNI_RULES = (
    _if("settings.multi_shot:off @feature_video", "Beside a `feature_video` it is on.", "true"),
    _if(
        "settings.audio @feature_video !settings.audio=off",
        *("Beside a `feature_video` there is no sound.", "off"),
    ),
    _most("@element", _MOST_FRAME_ELEMENTS, "elements beside a frame", "element", beside=_FRAMES),
)
_NEW_SHOTLESS_OMNI_RULES = tuple(
    _if(f"@{kind} @last_frame", "{model} takes nothing beside a first and a last frame.")
    for kind in ("element", "refer_image", *_VIDEOS)
)
_NEW_FRAME_RULES = (
    *map(_without_first, ("last_frame", "element", "voice", "prompt")),
    Rule(
        "@voice",
        lambda flat: _has(flat, "voice") and settings_of(flat).get("audio", "off") == "off",
        "A voice needs sound: say `native` in `settings.audio`.",
    ),
)
_GONE_RULES = tuple(
    _lacks(name, "only models had it that Kling has retired") for name in GONE_FIELDS
)
_LEGACY_RULES = (
    _outside("cfg_scale", 0, 1),
    _if("!@words multi_shot=intelligence", "Shots of the model's own choice need a prompt."),
)
_LEGACY_FRAME_RULES = (
    _most("element_list", _MOST_FRAME_ELEMENTS, "elements", "element"),
    _without_first("last_frame"),
    _if("element_list !@first_frame", "Elements need kling-v3 and a first frame as `image`."),
    _not_both("voice_list", "element_list"),
    _if("voice_list !sound=on", "A voice needs `sound: on`."),
)
_LEGACY_OMNI_RULES = (
    *(_lacks(name, "put the picture in `image_list`") for name in ("image", "image_tail")),
    _members("image_list", "type", "first_frame", "end_frame"),
    _members("video_list", "refer_type", "feature", "base"),
    _members("video_list", "keep_original_sound", "yes", "no"),
)
_SOUND_BESIDE_VIDEO_RULE = _if(
    "sound @any_video !sound=off", "Beside a video {model} makes no sound.", "off"
)
_LEGACY_FEATURE_RULE = _if(
    "!multi_shot=intelligence @feature_video",
    "Beside a `feature` video, say `multi_shot: true` and `shot_type: intelligence`.",
)
_RULES: Mapping[Product, tuple[Rule, ...]] = {
    Product.FRAMES: (*_LEGACY_RULES, *_LEGACY_FRAME_RULES, *_GONE_RULES),
    Product.OMNI: (*_LEGACY_RULES, *_LEGACY_OMNI_RULES, *_GONE_RULES),
    Product.MOTION: _GONE_RULES,
    Product.LIP_SYNC: (
        _not_both("video_url", "video_id"),
        *_SOUND_RULES,
        *(_outside(name, 0, 2) for name in ("sound_volume", "original_audio_volume")),
    ),
    Product.AVATAR: _SOUND_RULES,
}
"""Of legacy bodies."""

_SIZES_OF_SHOTS = (
    Rule(
        "@shots",
        lambda flat: len(flat["@shots"]) > _MOST_SHOTS,
        f"A video has at most {_MOST_SHOTS} shots.",
    ),
    Rule(
        "@shots",
        lambda flat: _longest_text(flat) > _SHOT_CHARACTERS,
        f"The text of a shot may have at most {_SHOT_CHARACTERS} characters.",
    ),
)
_LISTS_OF_SHOTS = (
    _if(
        "!shot_type=customize !shot_type=intelligence multi_shot:on",
        *("`multi_shot` needs a `shot_type`.", *_SHOT_TYPES),
    ),
    # Who says that there are to be no shots is not told that there are none.
    _if(
        "multi_prompt !multi_shot:off !multi_shot=customize",
        "`multi_prompt` needs `multi_shot: true` and `shot_type: customize`.",
    ),
    _if("!@shots multi_shot=customize", "Customized shots need `multi_prompt`."),
)
"""Of legacy bodies."""
_WHOLE_SHOTS = Rule(
    "@shots",
    lambda flat: not all(_seconds(flat)),
    "Each shot lasts whole seconds, at least one second.",
)


def _refuse_other_length(flat: Body, names: Mapping[str, str]) -> None:
    total, asked = sum(_seconds(flat)), flat["@seconds"]
    if flat["@shots"] and asked not in (None, total):
        raise UnsupportedParameterError(
            names["@length"],
            f"The shots last {total} seconds together, and the video {asked:g}.",
        )


# What the new generation takes in `contents`

_ANY = 20
"""Of types whose number is bounded together with others."""

_FIRST = {"prompt": 1, "first_frame": 1}
_BOTH = {**_FIRST, "last_frame": 1}
_VIDEO_OR_ANY = {"refer_image": _ANY, "feature_video": 1, "base_video": 1, "element": _ANY}
_COPIED = {"prompt": 1, "image": 1, "video": 1}

_MOST: Mapping[str, Mapping[str, int]] = {
    "/image-to-video/kling-3.0-turbo": _FIRST,
    "/image-to-video/kling-3.0": {**_BOTH, "element": _MOST_FRAME_ELEMENTS},
    "/image-to-video/kling-2.6": {**_BOTH, "voice": _MOST_VOICES},
    "/image-to-video/kling-2.5-turbo": _BOTH,
    "/omni-video/kling-3.0-omni": {**_BOTH, **_VIDEO_OR_ANY},
    "/omni-video/kling-o1": {**_BOTH, **_VIDEO_OR_ANY},
    "/motion-control/kling-3.0": {**_COPIED, "element": 1},
    "/motion-control/kling-2.6": _COPIED,
}
"""How many entries of each type an endpoint takes; of others it takes none."""


def _is_no_list(flat: Body) -> bool:
    contents = flat["@contents"]
    is_list = isinstance(contents, list) and len(objects(contents)) == len(contents)
    return contents is not None and not is_list


def _contents_rules(most: Mapping[str, int]) -> Iterator[Rule]:
    yield Rule("contents", _is_no_list, "`contents` must be a list of objects.")
    yield Rule(
        "contents",
        lambda flat: flat["@kinds"].keys() - {*most, *_WORDS},
        "{model} does not take this `type` here.",
        tuple(most),
    )
    for kind in _WORDS:
        if kind not in most:
            yield replace(_most(f"@{kind}", 0, f"{kind} here", kind), allowed=tuple(most))
    for kind, number in most.items():
        yield _most(f"@{kind}", number, f"of {kind} here", kind)


# All of it, by model and action


def _form(traits: Traits, action: Action, *, has_sound: bool) -> Form:
    takes = traits.action(action, has_sound=has_sound)
    product = Product.MOTION if action is Action.MOTION else traits.product
    is_new = traits.is_path_model
    if is_new:
        checks, rules = _new_checks(traits, product, takes), _new_rules(traits, product, takes)
    else:
        checks = _legacy_checks(traits, product, action, takes)
        rules = _legacy_rules(traits, product)
    if takes.prompt_characters is not None:
        checks["prompt"] = Length(0, takes.prompt_characters)
    is_clip = product in (Product.FRAMES, Product.OMNI)
    lists = () if is_new else _LISTS_OF_SHOTS
    shots = (*_SIZES_OF_SHOTS, *lists, _WHOLE_SHOTS) if is_clip else ()
    first = (*_first_rules(traits, action, takes), *_needs(product, is_new=is_new))
    return Form(checks, (*rules, *shots), first)


def _needs(product: Product, *, is_new: bool) -> tuple[Rule, ...]:
    too = (_NEEDS_WORDS_TOO,) if product is Product.OMNI and not is_new else ()
    return _NEEDS[product] + too


def _first_rules(traits: Traits, action: Action, takes: ActionCapabilities) -> Iterator[Rule]:
    """What decides before single values do: types of `contents`, and what needs which."""
    frame, most = traits.actions.get(Action.FIRST_FRAME), _MOST.get(takes.endpoint)
    if action is Action.FIRST_LAST_FRAME and frame and frame.sound and not takes.sound:
        yield _SILENT_BETWEEN_FRAMES
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


def _legacy_checks(
    traits: Traits, product: Product, action: Action, takes: ActionCapabilities
) -> dict[str, Check]:
    seconds = OneOf(takes.durations, as_number=True)
    checks: dict[str, Check] = {
        "mode": OneOf(tuple(MODE_OF_TIER[tier] for tier in takes.tiers)),
        "negative_prompt": Length(0, _NEGATIVE_CHARACTERS),
    }
    match product:
        case Product.LIP_SYNC | Product.EFFECTS:
            return {}
        case Product.AVATAR:
            return checks
        case Product.MULTI_ELEMENTS:
            return checks | {"edit_mode": OneOf(tuple(_PICTURES_OF_EDIT)), "duration": seconds}
        case Product.MOTION:
            return checks | {
                "character_orientation": OneOf(_ORIENTATIONS),
                "keep_original_sound": OneOf(("yes", "no")),
                "element_list": Items(0, 1),
            }
        case Product.FRAMES | Product.OMNI:
            pass
    # Of the legacy O1 nobody has said that it is mute; a word of its own is not refused.
    is_mute = not takes.sound and (action is Action.EDIT or not traits.is_omni)
    if ratios := _ratios(traits, takes):
        checks["aspect_ratio"] = OneOf(ratios)
    if takes.durations:
        checks["duration"] = seconds
    checks["sound"] = OneOf(("off",) if is_mute else ("on", "off"))
    checks["multi_shot"] = SWITCH if traits.has_shot_field else OneOf((False,))
    checks["voice_list"] = Items(0, _MOST_VOICES)
    return checks | ({"video_list": Items(0, 1)} if traits.is_omni else {})


def _legacy_rules(traits: Traits, product: Product) -> Iterator[Rule]:
    if product is Product.FRAMES:
        yield from (_lacks(name, "kling-v3-omni has") for name in ("image_list", "video_list"))
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
        return checks
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


FORMS: Mapping[tuple[str, str], Form] = {
    (name, _where(traits, action, has_sound=sound)): _form(traits, action, has_sound=sound)
    for name, traits in TRAITS.items()
    for action in traits.actions
    for sound in (True, False)
}
"""By the model and what it is to do."""


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
    traits, product, told = choice.traits, choice.product, choice.traits.name
    flat, names = _flatten(body, written, choice, inputs)
    place = told, _where(traits, inputs.action, has_sound=inputs.has_sound)
    form = FORMS.get(place) or Form(rules=_needs(product, is_new=traits.is_path_model))
    form.judge(flat, told=told, names=names)
    if traits.is_known and product in (Product.FRAMES, Product.OMNI):
        _refuse_other_length(flat, names)
    if traits.is_known and choice.path is None and product not in _PASSED:
        given = {**body, **_named_settings(body)}
        given = {name: value for name, value in given.items() if is_given(value)}
        FIELDS.refuse_foreign(given, product.value, told=told, passed=_HARMLESS)


# Fields that do nothing where they are sent: Kling ignores them and bills what comes of the rest

_CLIP_SETTINGS = frozenset({"settings.aspect_ratio", "settings.duration", "settings.multi_shot"})
_CLIP = _CLIP_SETTINGS | frozenset(
    {"multi_shot", "shot_type", "multi_prompt", "sound", "mode", "aspect_ratio", "duration"}
)
FIELDS = Fields(
    {
        Product.FRAMES: _CLIP
        | {"image", "image_tail", "element_list", "voice_list", "negative_prompt", "cfg_scale"},
        Product.OMNI: _CLIP | {"image_list", "video_list", "element_list"},
        Product.MOTION: frozenset(
            {"image_url", "video_url", "character_orientation", "keep_original_sound"}
            | {"mode", "element_list", "settings.character_orientation"}
        ),
        Product.LIP_SYNC: frozenset({"session_id", "face_choose", "video_id", "video_url"})
        | frozenset(FACE_FIELDS),
        Product.AVATAR: frozenset({"image", "audio_id", "sound_file", "mode"}),
        Product.EFFECTS: frozenset({"effect_scene", "input"}),
        Product.MULTI_ELEMENTS: frozenset(
            {"session_id", "edit_mode", "image_list", "negative_prompt", "mode", "duration"}
        ),
    },
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
"""By the legacy names, which nearly all clients know."""

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
    is_new, own = traits.is_path_model, FIELDS.by_endpoint[product]
    where = {**body, **settings_of(body)} if is_new else body
    is_shaped = inputs.gives_shape if product is Product.FRAMES else "aspect_ratio" not in own
    ignores_scale = is_new or "cfg_scale" not in own or traits.name.startswith("kling-v2")
    idle = {
        "aspect_ratio": is_shaped,
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
