"""Vendor fields of models we know, held against what the vendor prints of them.

A value that the tables exclude is refused by name before any call. Everything else is the vendor's
to judge: unknown fields, unknown models, what the sources contradict each other in, and names out
of catalogues that grow (templates, voices).

Source: https://platform.vidu.com/docs (text-to-video, image-to-video, start-end-to-video,
reference-to-video, multi-frame, video-extension, upscale-pro, lip-sync, template,
template-story), read 2026-11-20.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.base import ActionCapabilities
from vidgate.providers.fields import to_number
from vidgate.providers.vidu.choosing import Choice
from vidgate.providers.vidu.endpoints import (
    EXTEND,
    FIRST_FRAME,
    FIRST_LAST_FRAME,
    LIP_SYNC,
    MULTIFRAME,
    REFERENCES,
    STORY,
    TEMPLATE,
    TEXT,
    Endpoint,
)
from vidgate.providers.vidu.models import (
    ANY_RATIO_SUBJECTS,
    KEY_FRAME_SECONDS,
    KEY_FRAMES,
    SPOKEN_CHARACTERS,
    STORIES,
    SUBJECT_PICTURES,
    VIDEO_REFERENCE_MODEL,
    default_sound,
    tiers_at,
)

__all__ = ["check_fields", "rename_subjects"]

_MAIN = (TEXT, FIRST_FRAME, FIRST_LAST_FRAME, REFERENCES)
_SWITCH = (True, False)
_CORNERS = ("top_left", "top_right", "bottom_right", "bottom_left")


@dataclass(frozen=True, slots=True)
class _Words:
    """The values that a field has at some endpoints."""

    name: str
    endpoints: tuple[Endpoint, ...]
    allowed: tuple[object, ...]


_WORDS = (
    _Words("movement_amplitude", _MAIN, ("auto", "small", "medium", "large")),
    _Words("style", (TEXT,), ("general", "anime")),
    # The last is how one transcription of the documentation spells the one before it.
    _Words(
        "audio_type",
        _MAIN,
        ("all", "speech_only", "sound_effect_only", "sound-effect_only"),
    ),
    _Words("wm_position", _MAIN, (1, 2, 3, 4)),
    _Words("wm_position", (MULTIFRAME, EXTEND), _CORNERS),
    _Words("bgm", (*_MAIN, TEMPLATE), _SWITCH),
    _Words("watermark", (*_MAIN, MULTIFRAME, EXTEND, TEMPLATE), _SWITCH),
    _Words("story", (STORY,), STORIES),
    _Words(
        "area",
        (TEMPLATE,),
        (
            *("auto", "denmark", "uk", "africa", "china", "mexico", "switzerland"),
            *("russia", "italy", "korea", "thailand", "india", "japan"),
        ),
    ),
    _Words("beast", (TEMPLATE,), ("auto", "bear", "tiger", "elk", "snake", "lion", "wolf")),
    *(_Words(name, _MAIN, _SWITCH) for name in ("audio", "is_rec", "off_peak", "auto_subjects")),
)


@dataclass(frozen=True, slots=True)
class _Span:
    """The least and the most of a field at one endpoint, of its number or of its length."""

    name: str
    endpoint: Endpoint
    least: float
    most: float
    measure: Callable[[Any], float | None]
    unit: str = ""


def _length(value: Any) -> float | None:
    return len(value) if isinstance(value, list) else None


def _characters(value: Any) -> float | None:
    return len(value) if isinstance(value, str) else None


_SPANS = (
    _Span("subjects", REFERENCES, 1, 7, _length, " items"),
    _Span("videos", REFERENCES, 1, 2, _length, " items"),
    _Span("sounds", REFERENCES, 1, 3, _length, " items"),
    _Span("image_settings", MULTIFRAME, *KEY_FRAMES, _length, " items"),
    _Span("speed", LIP_SYNC, 0.5, 2, to_number),
    _Span("volume", LIP_SYNC, 0, 10, to_number),
    _Span("text", LIP_SYNC, *SPOKEN_CHARACTERS, _characters, " characters"),
)

_VIDEO_SUBJECTS = 2
"""The most subjects with a video, however many others there may be beside them."""

_TEMPLATE_OF: Mapping[str, str] = {"area": "exotic_princess", "beast": "beast_companion"}
"""The only template that has a field."""

_Q3 = frozenset({"viduq3", "viduq3-pro", "viduq3-turbo", "viduq3-pro-fast", "viduq3-mix"})

_OFF_PEAK_SOUND: Mapping[str, bool] = {
    "viduq3": True,
    "viduq2": False,
    "viduq1": False,
    "vidu2.0": False,
}
"""What `audio` must be where `off_peak` is true, by the family that a model's name begins with."""

_WITHOUT: Mapping[str, frozenset[str]] = {
    "subjects": frozenset({"viduq3-mix", "viduq4-preview"}),
    "off_peak": frozenset({"viduq3-mix"}),
    "bgm": _Q3,
}
"""Models that are said to have no such field."""

_ALONE: Mapping[str, frozenset[str]] = {
    "videos": frozenset({VIDEO_REFERENCE_MODEL}),
    "sounds": frozenset({"viduq4-preview"}),
}
"""The only models that have a field."""

_AUTOMATIC_RATIO = "auto"
_AUTOMATIC_RATIO_FAMILY = "viduq3"
"""Whose references take it; one source names viduq3 and is silent on its siblings."""


def check_fields(body: Mapping[str, Any], choice: Choice) -> None:
    """Refuse a value that a known model is known not to take.

    Args:
        body: What is to be sent, vendor fields included.
        choice: Where it is to be sent.

    Raises:
        UnsupportedParameterError: It names the vendor's field, and what is allowed.
    """
    capabilities = choice.capabilities
    if capabilities is None:
        return
    _check_presence(body, choice)
    _check_off_peak(body, choice)
    _check_sound(body, choice, capabilities)
    _check_prompt(body, choice, capabilities)
    _check_duration(body, choice, capabilities)
    _check_resolution(body, choice, capabilities)
    _check_ratio(body, choice, capabilities)
    for words in _WORDS:
        value = body.get(words.name)
        if choice.endpoint in words.endpoints and not _is_empty(value):
            _expect(words.name, value, words.allowed, choice)
    for span in _SPANS:
        value = body.get(span.name)
        # An empty list is as good as none; whether there must be one is seen to before.
        if choice.endpoint is span.endpoint and not _is_empty(value) and value != []:
            _check_span(span, value, choice)
    match choice.endpoint.name:
        case MULTIFRAME.name:
            _check_settings(body.get("image_settings"), choice)
        case REFERENCES.name:
            _check_subjects(body.get("subjects"), choice)
        case TEMPLATE.name:
            _check_template(body)
        case _:
            pass


def rename_subjects(body: dict[str, Any], choice: Choice) -> dict[str, Any]:
    """Write the name of a subject as `name`; for a while the documentation called it `id`."""
    subjects = body.get("subjects")
    if choice.capabilities is None or not isinstance(subjects, list):
        return body
    return {**body, "subjects": [_with_name(subject) for subject in subjects]}


def _with_name(subject: Any) -> Any:
    if not isinstance(subject, Mapping) or "name" in subject:
        return subject
    if not isinstance(subject.get("id"), str):
        return subject
    return {"name" if key == "id" else key: value for key, value in subject.items()}


def _check_presence(body: Mapping[str, Any], choice: Choice) -> None:
    if choice.endpoint not in _MAIN:
        return
    for name, models in _WITHOUT.items():
        if body.get(name) and choice.model in models:
            raise UnsupportedParameterError(name, f"The model {choice.told} has no {name}.")
    if body.get("subjects") and body.get("videos"):
        raise UnsupportedParameterError(
            "videos", "Beside subjects a video belongs in the subject that it shows."
        )
    for name, models in _ALONE.items():
        if body.get(name) and choice.model not in models:
            raise UnsupportedParameterError(
                name,
                f"The model {choice.told} has no {name}; {' and '.join(sorted(models))} has.",
            )


def _check_off_peak(body: Mapping[str, Any], choice: Choice) -> None:
    if choice.endpoint not in _MAIN or body.get("off_peak") is not True:
        return
    asked = body.get("audio")
    sound = default_sound(choice.model) if _is_empty(asked) else asked
    for family, needed in _OFF_PEAK_SOUND.items():
        if choice.model.startswith(family) and sound is not needed:
            raise UnsupportedParameterError(
                "off_peak",
                f"The model {choice.told} takes off_peak only with audio {str(needed).lower()}.",
            )


def _check_sound(body: Mapping[str, Any], choice: Choice, capabilities: ActionCapabilities) -> None:
    """Refuse sound from words alone, which only Q3 makes; elsewhere the sources leave it open."""
    if choice.endpoint is TEXT and body.get("audio") is True and not capabilities.sound:
        raise _excluded("audio", choice, ("false",))


def _check_subjects(subjects: Any, choice: Choice) -> None:
    listed = subjects if isinstance(subjects, list) else []
    listed = [subject for subject in listed if isinstance(subject, Mapping)]
    if sum(bool(subject.get("videos")) for subject in listed) > _VIDEO_SUBJECTS:
        raise UnsupportedParameterError(
            "subjects.videos", f"At most {_VIDEO_SUBJECTS} subjects are shown by a video."
        )
    names: list[Any] = []
    for subject in listed:
        if subject.get("name") in names:
            raise UnsupportedParameterError(
                "subjects.name", "Each subject needs a name of its own, which the prompt says."
            )
        if subject.get("name") is not None:
            names.append(subject["name"])
        pictures = _length(subject.get("images")) or 0
        videos = _length(subject.get("videos")) or 0
        if videos and choice.model != VIDEO_REFERENCE_MODEL:
            raise UnsupportedParameterError(
                "subjects.videos",
                f"The model {choice.told} has no videos in subjects; {VIDEO_REFERENCE_MODEL} has.",
            )
        if videos > 1:
            raise UnsupportedParameterError(
                "subjects.videos", "A subject has at most 1 video.", allowed=(0, 1)
            )
        if pictures + videos > SUBJECT_PICTURES:
            raise UnsupportedParameterError(
                "subjects.images",
                f"A subject has at most {SUBJECT_PICTURES} pictures, its video counted too.",
            )


def _check_template(body: Mapping[str, Any]) -> None:
    for name, template in _TEMPLATE_OF.items():
        if not _is_empty(body.get(name)) and body.get("template") != template:
            raise UnsupportedParameterError(
                name, f"{name} is a field of the template {template} alone."
            )


def _check_prompt(
    body: Mapping[str, Any], choice: Choice, capabilities: ActionCapabilities
) -> None:
    prompt, limit = body.get("prompt"), capabilities.prompt_characters
    if choice.endpoint.prompt_field != "prompt" or limit is None:
        return
    if isinstance(prompt, str) and len(prompt) > limit:
        raise UnsupportedParameterError(
            "prompt", f"The model {choice.told} takes a prompt of at most {limit} characters here."
        )


def _check_duration(
    body: Mapping[str, Any], choice: Choice, capabilities: ActionCapabilities
) -> None:
    asked = body.get("duration")
    # Of key frames each has its own.
    if choice.endpoint is MULTIFRAME or not capabilities.durations or _is_empty(asked):
        return
    # A server may read 0 as "not given".
    if to_number(asked) not in (0, *capabilities.durations):
        raise _excluded("duration", choice, capabilities.durations)


def _check_resolution(
    body: Mapping[str, Any], choice: Choice, capabilities: ActionCapabilities
) -> None:
    name = choice.endpoint.tier_field
    if not name or not capabilities.tiers or _is_empty(body.get(name)):
        return
    duration = to_number(body.get("duration"))
    _expect(name, body[name], tiers_at(choice.model, capabilities, duration), choice)


def _check_ratio(body: Mapping[str, Any], choice: Choice, capabilities: ActionCapabilities) -> None:
    asked = body.get("aspect_ratio")
    # Which ratios a template takes is not printed anywhere.
    if choice.endpoint not in (TEXT, REFERENCES) or _is_empty(asked):
        return
    if body.get("subjects") and choice.model in ANY_RATIO_SUBJECTS:
        return
    ratios = capabilities.ratios
    if choice.endpoint is REFERENCES and choice.model.startswith(_AUTOMATIC_RATIO_FAMILY):
        ratios = (*ratios, _AUTOMATIC_RATIO)
    _expect("aspect_ratio", asked, ratios, choice)


def _check_span(span: _Span, value: Any, choice: Choice) -> None:
    measured = span.measure(value)
    if measured is not None and not span.least <= measured <= span.most:
        raise UnsupportedParameterError(
            span.name,
            f"The model {choice.told} takes {span.name} from {span.least} to {span.most}"
            f"{span.unit}.",
        )


def _check_settings(settings: Any, choice: Choice) -> None:
    shortest, longest = KEY_FRAME_SECONDS
    for setting in settings if isinstance(settings, list) else ():
        asked = setting.get("duration") if isinstance(setting, Mapping) else None
        if not _is_empty(asked) and to_number(asked) not in (0, *range(shortest, longest + 1)):
            raise _excluded("image_settings.duration", choice, range(shortest, longest + 1))


def _expect(name: str, value: Any, allowed: Sequence[object], choice: Choice) -> None:
    # In Python 1 is True, and in JSON it is not.
    is_word = isinstance(value, bool)
    if not any(value == one and is_word is isinstance(one, bool) for one in allowed):
        told = [str(one).lower() if isinstance(one, bool) else one for one in allowed]
        raise _excluded(name, choice, told)


def _excluded(name: str, choice: Choice, allowed: Sequence[object]) -> UnsupportedParameterError:
    return UnsupportedParameterError(
        name, f"The model {choice.told} does not take this {name} here.", allowed=list(allowed)
    )


def _is_empty(value: Any) -> bool:
    """Whether a field is as good as absent."""
    return value is None or value == ""
