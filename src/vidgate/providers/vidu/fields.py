"""What Vidu's fields may say, what does not go together, and what does nothing where it is sent.

Known models are held against what the vendor prints of them. Everything else is the vendor's to
judge: unknown fields, unknown models, what the sources contradict each other in, and names out of
catalogues that grow (templates, voices).

Source: https://platform.vidu.com/docs (text-to-video, image-to-video, start-end-to-video,
reference-to-video, multi-frame, video-extension, upscale-pro, lip-sync, template,
template-story), read 2026-11-20.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.base import ActionCapabilities
from vidgate.providers.fields import (
    SWITCH,
    Absent,
    Body,
    Check,
    Fields,
    Form,
    Items,
    Length,
    OneOf,
    Rule,
    Within,
    fold,
    is_given,
    refuse_misspelled,
    to_number,
)
from vidgate.providers.vidu import endpoints, models
from vidgate.providers.vidu.choosing import Choice
from vidgate.providers.vidu.endpoints import Endpoint

__all__ = ["FIELDS", "FORMS", "idle_fields", "judge", "rename_subjects"]

# What a field may say at an endpoint, whatever the model

_CORNER = OneOf(("top_left", "top_right", "bottom_right", "bottom_left"))
_KEY_FRAME = tuple(range(models.KEY_FRAME_SECONDS[0], models.KEY_FRAME_SECONDS[1] + 1))
# A server may read 0 as "not given".
_ZERO = (0,)

_MAIN_CHECKS: dict[str, Check] = {
    "movement_amplitude": OneOf(("auto", "small", "medium", "large")),
    # The last is how one transcription of the documentation spells the one before it.
    "audio_type": OneOf(("all", "speech_only", "sound_effect_only", "sound-effect_only")),
    "wm_position": OneOf((1, 2, 3, 4)),
    **dict.fromkeys(("audio", "auto_subjects", "bgm", "is_rec", "off_peak", "watermark"), SWITCH),
}
_STORIES = ("love_story", "workday_feels", "monkey_king", "pigsy", "monk_tang", "one_shot")
_AREAS = "auto denmark uk africa china mexico switzerland russia italy korea thailand india japan"
_BEASTS = ("auto", "bear", "tiger", "elk", "snake", "lion", "wolf")
_LENGTH = OneOf(_KEY_FRAME, as_number=True, passed=_ZERO)

_CHECKS: Mapping[str, Mapping[str, Check]] = {
    **dict.fromkeys((endpoints.FIRST_FRAME.name, endpoints.FIRST_LAST_FRAME.name), _MAIN_CHECKS),
    endpoints.TEXT.name: {**_MAIN_CHECKS, "style": OneOf(("general", "anime"))},
    endpoints.REFERENCES.name: _MAIN_CHECKS
    | {"subjects": Items(1, 7), "videos": Items(1, 2), "sounds": Items(1, 3)},
    endpoints.MULTIFRAME.name: {
        "watermark": SWITCH,
        "wm_position": _CORNER,
        "image_settings": Items(*models.KEY_FRAMES, of={"duration": _LENGTH}),
    },
    endpoints.EXTEND.name: {"watermark": SWITCH, "wm_position": _CORNER},
    endpoints.LIP_SYNC.name: {
        "speed": Within(0.5, 2),
        "volume": Within(0, 10),
        "text": Length(*models.SPOKEN_CHARACTERS),
    },
    endpoints.TEMPLATE.name: {
        "bgm": SWITCH,
        "watermark": SWITCH,
        "area": OneOf(tuple(_AREAS.split())),
        "beast": OneOf(_BEASTS),
    },
    endpoints.STORY.name: {"story": OneOf(_STORIES)},
}

# What goes by the model

_Q3 = frozenset({"viduq3", "viduq3-pro", "viduq3-turbo", "viduq3-pro-fast", "viduq3-mix"})
_LACKS: Mapping[str, frozenset[str]] = {
    "subjects": frozenset({"viduq3-mix", "viduq4-preview"}),
    "off_peak": frozenset({"viduq3-mix"}),
    "bgm": _Q3,
}
"""Models of the four main endpoints that are said to have no such field."""

_ALONE: Mapping[str, str] = {"videos": models.VIDEO_REFERENCE_MODEL, "sounds": "viduq4-preview"}
"""The only model of them that has a field."""

_AUTOMATIC_RATIO_FAMILY = "viduq3"
"""Whose references take `auto`; one source names viduq3 and is silent on its siblings."""


def _checks(model: str, endpoint: Endpoint, takes: ActionCapabilities) -> Mapping[str, Check]:
    checks = dict(_CHECKS.get(endpoint.name, {}))
    if endpoint in endpoints.MAIN:
        lacks: dict[str, tuple[str, ...]]
        lacks = {name: () for name, lacking in _LACKS.items() if model in lacking}
        lacks |= {name: (own,) for name, own in _ALONE.items() if model != own}
        checks |= {name: Absent(takers, checks.get(name)) for name, takers in lacks.items()}
    if endpoint.prompt_field == "prompt" and takes.prompt_characters is not None:
        checks["prompt"] = Length(0, takes.prompt_characters)
    # Each key frame has a duration of its own.
    if endpoint is not endpoints.MULTIFRAME and takes.durations:
        checks["duration"] = OneOf(takes.durations, as_number=True, passed=_ZERO)
    if endpoint.tier_field and takes.tiers:
        checks[endpoint.tier_field] = OneOf(takes.tiers)
    # Which ratios a template takes is not printed anywhere.
    if endpoint is endpoints.TEXT or (
        endpoint is endpoints.REFERENCES and model not in models.ANY_RATIO_SUBJECTS
    ):
        checks["aspect_ratio"] = OneOf(_ratios(model, endpoint, takes))
    return checks


def _ratios(model: str, endpoint: Endpoint, takes: ActionCapabilities) -> tuple[str, ...]:
    takes_auto = endpoint is endpoints.REFERENCES and model.startswith(_AUTOMATIC_RATIO_FAMILY)
    return (*takes.ratios, "auto") if takes_auto else takes.ratios


# What does not go together

_SUBJECT_PICTURES = 3
"""The most pictures of one subject, a video among them counted too."""

_VIDEO_SUBJECTS = 2
"""The most subjects with a video, however many others there may be beside them."""

_PAUSE = re.compile(r"<#\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*#>")
"""Such as `<#1.5#>`, in seconds; what is written otherwise is the vendor's to read."""

_PAUSE_SECONDS = (0.01, 99.99)


def _subjects(body: Body) -> list[Mapping[str, Any]]:
    subjects = body.get("subjects")
    listed = subjects if isinstance(subjects, list) else []
    return [subject for subject in listed if isinstance(subject, Mapping)]


def _count(subject: Mapping[str, Any], *names: str) -> int:
    return sum(len(subject[name]) for name in names if isinstance(subject.get(name), list))


def _has_namesakes(body: Body) -> bool:
    names = [name for one in _subjects(body) if (name := one.get("name")) is not None]
    return any(name in names[:number] for number, name in enumerate(names))


def _has_wrong_pause(body: Body) -> bool:
    text = None if body.get("audio_url") else body.get("text")
    pauses = map(float, _PAUSE.findall(text)) if isinstance(text, str) else ()
    least, most = _PAUSE_SECONDS
    return any(not least <= seconds <= most for seconds in pauses)


def _template_rule(name: str, template: str) -> Rule:
    return Rule(
        name,
        lambda body: is_given(body.get(name)) and body.get("template") != template,
        f"{name} is a field of the template {template} alone.",
    )


_RULES: Mapping[str, tuple[Rule, ...]] = {
    endpoints.REFERENCES.name: (
        Rule(
            "subjects.videos",
            lambda body: sum(bool(one.get("videos")) for one in _subjects(body)) > _VIDEO_SUBJECTS,
            f"At most {_VIDEO_SUBJECTS} subjects are shown by a video.",
        ),
        Rule(
            "subjects.name",
            _has_namesakes,
            "Each subject needs a name of its own, which the prompt says.",
        ),
        Rule(
            "subjects.videos",
            lambda body: any(_count(one, "videos") > 1 for one in _subjects(body)),
            "A subject has at most 1 video.",
            allowed=(0, 1),
        ),
        Rule(
            "subjects.images",
            lambda body: any(
                _count(one, "images", "videos") > _SUBJECT_PICTURES for one in _subjects(body)
            ),
            f"A subject has at most {_SUBJECT_PICTURES} pictures, its video counted too.",
        ),
    ),
    endpoints.TEMPLATE.name: (
        _template_rule("area", "exotic_princess"),
        _template_rule("beast", "beast_companion"),
    ),
    endpoints.LIP_SYNC.name: (
        Rule(
            "text",
            _has_wrong_pause,
            f"A pause lasts from {_PAUSE_SECONDS[0]} to {_PAUSE_SECONDS[1]} seconds.",
        ),
    ),
}


def _rules(model: str, endpoint: Endpoint, takes: ActionCapabilities) -> Iterator[Rule]:
    if endpoint in endpoints.MAIN:
        yield Rule(
            "videos",
            lambda body: body.get("subjects") and body.get("videos"),
            "Beside subjects a video belongs in the subject that it shows.",
        )
        family = models.family_of(model)
        if family is not None and family.off_peak_sound is not None:
            yield _off_peak_rule(family)
    if endpoint is endpoints.TEXT and not takes.sound:
        yield Rule(
            "audio",
            lambda body: body.get("audio") is True,
            "The model {model} makes no sound from words alone.",  # elsewhere it is left open
            allowed=("false",),
        )
    if model in models.OLDEST:
        yield Rule(
            "resolution",
            lambda body: (
                is_given(tier := body.get("resolution"))
                and tier not in models.tiers_at(model, takes, to_number(body.get("duration")))
            ),
            "The model {model} does not take this resolution at that duration.",
            allowed=(models.OLDEST_LONG_TIER,),
        )
    if endpoint is endpoints.REFERENCES and model in models.ANY_RATIO_SUBJECTS:
        ratios = _ratios(model, endpoint, takes)
        yield Rule(
            "aspect_ratio",
            lambda body: (
                is_given(ratio := body.get("aspect_ratio"))
                and not body.get("subjects")
                and ratio not in ratios
            ),
            "The model {model} does not take this aspect_ratio without subjects.",
            allowed=ratios,
        )
    if endpoint is endpoints.REFERENCES and model != models.VIDEO_REFERENCE_MODEL:
        yield Rule(
            "subjects.videos",
            lambda body: any(_count(one, "videos") for one in _subjects(body)),
            f"The model {{model}} has no videos in subjects; {models.VIDEO_REFERENCE_MODEL} has.",
        )
    yield from _RULES.get(endpoint.name, ())


def _off_peak_rule(family: models.Family) -> Rule:
    def is_broken(body: Body) -> bool:
        asked = body.get("audio")
        sound = asked if is_given(asked) else family.has_sound
        return body.get("off_peak") is True and sound is not family.off_peak_sound

    told = str(family.off_peak_sound).lower()
    return Rule(
        "off_peak", is_broken, f"The model {{model}} takes off_peak only with audio {told}."
    )


FORMS: Mapping[tuple[str, str], Form] = {
    (model, endpoint.name): Form(
        _checks(model, endpoint, takes), tuple(_rules(model, endpoint, takes))
    )
    for model, known in models.MODELS.items()
    for endpoint in endpoints.ENDPOINTS.values()
    if (takes := known.actions.get(endpoint.action)) and takes.endpoint == endpoint.path
}
"""By the model and the endpoint's name."""

# Fields that do nothing where they are sent

FIELDS = Fields(
    {endpoint.name: endpoint.fields for endpoint in endpoints.ENDPOINTS.values()},
    nothing=(*Fields.NOTHING, "all", "auto", "general"),
)

_BILLED = frozenset({"audio", "duration", "off_peak", "resolution", "upscale_resolution"})
_OURS = frozenset({"model", "image_settings", "payload", "callback_url"})
_FOLDED = fold(_BILLED | _OURS)

_IDLE: Mapping[str, tuple[str, ...]] = {
    "movement_amplitude": ("viduq2", "viduq3"),
    "style": ("viduq2", "viduq3"),
    "voice_id": ("viduq3",),
}
"""By the families that a model's name begins with."""

_HARMLESS = frozenset({"aspect_ratio", "seed"})
"""What an endpoint without them does nothing with, as with a size or a seed of the generic fields:
the shape is that of its input."""

_WITHOUT_MUSIC = (9, 10)
"""Seconds of a clip of Q2 in which `bgm` does nothing."""


def idle_fields(body: Body, choice: Choice) -> tuple[str, ...]:
    """Name the fields of a body that are sent and will do nothing."""
    if choice.capabilities is None:
        return ()
    return tuple(sorted({*_idle(body, choice), *FIELDS.foreign(body, choice.endpoint.name)}))


def _idle(body: Body, choice: Choice) -> set[str]:
    """What does nothing with the model, or beside the rest, whatever the endpoint."""
    idle = {name for name, families in _IDLE.items() if choice.model.startswith(families)}
    idle |= _HARMLESS - choice.endpoint.fields
    if choice.model.startswith("viduq2") and to_number(body.get("duration")) in _WITHOUT_MUSIC:
        idle.add("bgm")
    if not body.get("watermark"):
        idle.add("wm_position")
    return {name for name in idle if FIELDS.asks(body, name)}


# A whole body


def judge(body: Body, choice: Choice, names: Mapping[str, str], *, as_written: bool) -> None:
    """Refuse what is known to be refused, ignored or misread.

    Args:
        body: What is to be sent, vendor fields included.
        choice: Where it is to be sent.
        names: What the client calls a field, where that is not Vidu's name.
        as_written: Whether the client speaks Vidu's own format, and chose the endpoint. Vidu takes
            fields of other endpoints, so only those are refused that would change the bill.

    Raises:
        UnsupportedParameterError: It names the field, and what is allowed.
    """
    settings = body.get("image_settings")
    items = settings if isinstance(settings, list) else []
    for fields in (body, *(item for item in items if isinstance(item, Mapping))):
        refuse_misspelled(fields, _FOLDED, whose="Vidu spells it")
    name = choice.endpoint.name
    form = FORMS.get((choice.model, name))
    if form is not None or choice.endpoint not in endpoints.MAIN:  # else the provider judges
        for group in choice.endpoint.required:
            if not any(map(body.get, group)):
                raise UnsupportedParameterError(
                    group[0], f"Vidu's {name} needs {' or '.join(group)}."
                )
    if form is None:
        return
    form.judge(body, told=choice.told, names=names)
    passed = FIELDS.documented if as_written else _idle(body, choice)
    FIELDS.refuse_foreign(body, name, told=f"Vidu's {name}", passed=passed - _BILLED)


def rename_subjects(body: dict[str, Any]) -> dict[str, Any]:
    """Write the name of a subject as `name`; for a while the documentation called it `id`."""
    subjects = body.get("subjects")
    if not isinstance(subjects, list):
        return body
    return {**body, "subjects": list(map(_with_name, subjects))}


def _with_name(subject: Any) -> Any:
    is_old = isinstance(subject, Mapping) and isinstance(subject.get("id"), str)
    if not is_old or "name" in subject:
        return subject
    return {"name" if key == "id" else key: value for key, value in subject.items()}
