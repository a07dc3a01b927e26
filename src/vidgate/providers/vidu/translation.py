"""From our request to Vidu's body."""

from collections.abc import Mapping
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Translation
from vidgate.providers.draft import merge, refuse_zero
from vidgate.providers.sizes import SizeFit
from vidgate.providers.vidu.choosing import Choice, choose
from vidgate.providers.vidu.endpoints import (
    FIRST_FRAME,
    FIRST_LAST_FRAME,
    LIP_SYNC,
    MULTIFRAME,
    REFERENCES,
    TEXT,
)
from vidgate.providers.vidu.facts import to_facts, to_pace
from vidgate.providers.vidu.foreign import idle_fields, refuse_foreign_fields
from vidgate.providers.vidu.media import check_weight, to_pictures
from vidgate.providers.vidu.models import (
    KEY_FRAME_SECONDS,
    LARGEST_SEED,
    SPOKEN_CHARACTERS,
    automatic_duration,
)
from vidgate.providers.vidu.sizing import to_size
from vidgate.providers.vidu.speech import check_pauses
from vidgate.providers.vidu.vendor_fields import check_fields, rename_subjects
from vidgate.providers.vidu.vendor_pictures import to_vendor_pictures

__all__ = ["to_translation"]

_WITHHELD = frozenset(
    {"model", "model_name", "action", "payload", "external_task_id", "callback_url"}
)
"""Members of `metadata` that never reach the vendor: they are ours, or kept and echoed by us."""

_OWN_WORDS = "vidu"

_OURS_OR_PRICED = (
    "model",
    "duration",
    "resolution",
    "upscale_resolution",
    "image_settings",
    "audio",
    "off_peak",
    "payload",
    "callback_url",
)

_FOLDED = {name.replace("_", ""): name for name in _OURS_OR_PRICED}
"""A Go server may read `Duration` or `offPeak` as the field itself, unseen by the bill."""

_JUDGED = (TEXT, FIRST_FRAME, FIRST_LAST_FRAME, REFERENCES)
"""Where the provider judges what an unknown model needs."""


def to_translation(request: VideoRequest, *, map_retired_models: bool) -> Translation:
    """Put a request in Vidu's words.

    Raises:
        UnsupportedParameterError: A field has a value that a known model cannot honour, a picture
            one that Vidu does not take, the endpoint lacks a field that it needs, or the body is
            too large.
    """
    choice = choose(request, request.metadata, map_retired_models=map_retired_models)
    if not automatic_duration(choice.model, choice.endpoint.action):
        refuse_zero(request, choice.capabilities.durations if choice.capabilities else ())
    metadata = {key: value for key, value in request.metadata.items() if key not in _WITHHELD}
    metadata = to_vendor_pictures(metadata, choice)
    size = to_size(request, metadata, choice)
    generic, used = _generic_fields(request, metadata, choice)
    if size.tier is not None and choice.endpoint.tier_field:
        generic[choice.endpoint.tier_field] = size.tier
    if size.ratio is not None:
        generic["aspect_ratio"] = size.ratio
    body = rename_subjects(merge(generic, metadata), choice)
    _check_spelling(body)
    _check_required(body, choice)
    check_fields(body, choice)
    refuse_foreign_fields(body, choice, as_written=request.vendor_format == _OWN_WORDS)
    if choice.endpoint is LIP_SYNC and not body.get("audio_url"):
        check_pauses(body.get("text"), "text" if metadata.get("text") else "prompt")
    check_weight(body)

    ignored = (*_ignored(request, size, used), *idle_fields(body, choice))
    adjusted = (size.adjusted,) if size.adjusted else ()
    if request.strict:
        _refuse_inexact(ignored, adjusted)
    facts = to_facts(choice.model, choice.endpoint, body)
    details: dict[str, Any] = {"action": choice.endpoint.action.value}
    if facts.off_peak:
        details["off_peak"] = True
    return Translation(
        endpoint=choice.endpoint.path,
        body=body,
        facts=facts,
        pace=to_pace(choice.endpoint, facts),
        details=details,
        ignored=ignored,
        adjusted=adjusted,
    )


def _generic_fields(
    request: VideoRequest, metadata: Mapping[str, Any], choice: Choice
) -> tuple[dict[str, Any], set[str]]:
    """Write the generic fields but for the size, and name those that were of use."""
    endpoint, capabilities = choice.endpoint, choice.capabilities
    fields: dict[str, Any] = {} if endpoint.model else {"model": choice.model}
    if endpoint is MULTIFRAME:
        frames, used = _frames(request, metadata, choice)
        return fields | frames, used
    used = set()
    pictures = request.images if endpoint.picture_field not in metadata else ()
    if pictures and endpoint.picture_field:
        written = to_pictures(pictures, endpoint)
        fields[endpoint.picture_field] = (
            written if endpoint.picture_field == "images" else written[0]
        )
    if _takes_prompt(metadata, choice):
        used.add("prompt")
        _check_prompt(request, metadata, choice)
        if request.prompt:
            fields[endpoint.prompt_field] = request.prompt
    if request.duration_seconds is not None and (capabilities is None or capabilities.durations):
        used.add("duration")
        fields["duration"] = _duration(request, metadata, choice)
    if request.seed is not None and (capabilities is None or capabilities.seed):
        used.add("seed")
        _check_seed(request, metadata, choice)
        fields["seed"] = request.seed
    return fields, used


# Prompt, duration and seed


def _takes_prompt(metadata: Mapping[str, Any], choice: Choice) -> bool:
    if choice.endpoint is LIP_SYNC:  # spoken; where there is a recording, it is that which speaks
        return not metadata.get("audio_url") and not metadata.get("text")
    return bool(choice.endpoint.prompt_field)


def _check_prompt(request: VideoRequest, metadata: Mapping[str, Any], choice: Choice) -> None:
    endpoint, capabilities = choice.endpoint, choice.capabilities
    if capabilities is None or endpoint.prompt_field in metadata:
        return
    if endpoint in (TEXT, REFERENCES) and not request.prompt.strip():
        raise UnsupportedParameterError(
            "prompt", f"The model {choice.told} needs a prompt for this kind of video."
        )
    limit = capabilities.prompt_characters
    if limit is not None and len(request.prompt) > limit:
        raise UnsupportedParameterError(
            "prompt", f"The model {choice.told} takes a prompt of at most {limit} characters here."
        )
    if endpoint is LIP_SYNC and 0 < len(request.prompt) < SPOKEN_CHARACTERS[0]:
        raise UnsupportedParameterError(
            "prompt", f"What is spoken has at least {SPOKEN_CHARACTERS[0]} characters."
        )


def _duration(
    request: VideoRequest, metadata: Mapping[str, Any], choice: Choice
) -> int | float | None:
    duration = request.duration_seconds
    capabilities = choice.capabilities
    if capabilities is None or duration is None or "duration" in metadata:
        return duration
    if duration not in capabilities.durations:
        raise UnsupportedParameterError(
            "duration",
            f"The model {choice.told} makes no video of {duration} seconds here.",
            allowed=capabilities.durations,
        )
    return int(duration)


def _check_seed(request: VideoRequest, metadata: Mapping[str, Any], choice: Choice) -> None:
    if choice.capabilities is None or request.seed is None or "seed" in metadata:
        return
    if not 0 <= request.seed <= LARGEST_SEED:
        raise UnsupportedParameterError("seed", f"Vidu takes seeds from 0 to {LARGEST_SEED}.")


# Key frames


def _frames(
    request: VideoRequest, metadata: Mapping[str, Any], choice: Choice
) -> tuple[dict[str, Any], set[str]]:
    """Make the first picture the start and the others key frames that share the duration.

    The prompt is that of every way from one frame to the next.
    """
    fields: dict[str, Any] = {}
    has_settings = "image_settings" in metadata
    images = list(request.images)
    if has_settings and "start_image" in metadata:
        return fields, set()
    pictures = to_pictures(images, MULTIFRAME)
    if pictures and "start_image" not in metadata:
        fields["start_image"] = pictures.pop(0)
    if not pictures or has_settings:
        return fields, set()
    setting: dict[str, Any] = {}
    if request.prompt:
        setting["prompt"] = request.prompt
        _check_prompt(request, metadata, choice)
    settings = [{"key_image": picture, **setting} for picture in pictures]
    for setting, seconds in zip(settings, _shares(request, choice, len(settings)), strict=False):
        setting["duration"] = seconds
    fields["image_settings"] = settings
    return fields, {"prompt", "duration"}


def _shares(request: VideoRequest, choice: Choice, count: int) -> list[int | float]:
    """How many of the video's seconds go to each key frame; empty where none were asked for."""
    total = request.duration_seconds
    if total is None:
        return []
    shortest, longest = (seconds * count for seconds in KEY_FRAME_SECONDS)
    is_whole = total == int(total)
    if choice.capabilities is not None and not (is_whole and shortest <= total <= longest):
        raise UnsupportedParameterError(
            "duration",
            f"The model {choice.told} makes no video of {total} seconds from {count} key frames.",
            allowed=range(shortest, longest + 1),
        )
    if not is_whole:
        return [total / count] * count
    share, rest = divmod(int(total), count)
    return [share + (number < rest) for number in range(count)]


# What becomes of the whole


def _check_spelling(body: Mapping[str, Any]) -> None:
    settings = body.get("image_settings")
    items = settings if isinstance(settings, list) else []
    nested = [item for item in items if isinstance(item, Mapping)]
    for name in (name for fields in (body, *nested) for name in fields):
        meant = _FOLDED.get(name.replace("_", "").casefold())
        if meant is not None and meant != name:
            raise UnsupportedParameterError(
                name, "The vendor field is not spelled as Vidu spells it.", allowed=(meant,)
            )


def _check_required(body: Mapping[str, Any], choice: Choice) -> None:
    endpoint = choice.endpoint
    if choice.capabilities is None and endpoint in _JUDGED:
        return
    for group in endpoint.required:
        if not any(body.get(name) for name in group):
            raise UnsupportedParameterError(
                group[0], f"Vidu's {endpoint.name} needs {' or '.join(group)}."
            )


def _ignored(request: VideoRequest, size: SizeFit, used: set[str]) -> tuple[str, ...]:
    given = {
        "duration": request.duration_seconds is not None and "duration" not in used,
        "fps": request.fps is not None,
        "prompt": bool(request.prompt) and "prompt" not in used,
        "seed": request.seed is not None and "seed" not in used,
        "size": size.ignored,
        "user": request.user is not None,
    }
    return tuple(name for name, is_ignored in given.items() if is_ignored)


def _refuse_inexact(ignored: tuple[str, ...], adjusted: tuple[str, ...]) -> None:
    if ignored:
        raise UnsupportedParameterError(
            ignored[0], f"The model has no use for: {', '.join(ignored)}."
        )
    if adjusted:
        raise UnsupportedParameterError(
            "size",
            "The model cannot make exactly that size; the nearest is listed.",
            allowed=[entry.removeprefix("size=") for entry in adjusted],
        )
