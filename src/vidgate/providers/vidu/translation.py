"""From our request to Vidu's body, and what that body runs.

Source: https://platform.vidu.com/docs (the pages of the endpoints), read 2026-11-20.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import (
    CLIP_PACE,
    LARGE_PACE,
    LONG_PACE,
    OFF_PEAK_PACE,
    Pace,
    RunFacts,
    Translation,
)
from vidgate.providers.draft import Draft, refuse_zero, to_whole
from vidgate.providers.fields import Length, is_given, to_number
from vidgate.providers.sizes import SizeFit, exact_ratio, fit_size
from vidgate.providers.vidu import endpoints, models
from vidgate.providers.vidu.choosing import Choice, choose, model_to_permit
from vidgate.providers.vidu.endpoints import Endpoint
from vidgate.providers.vidu.fields import FIELDS, idle_fields, judge, rename_subjects
from vidgate.providers.vidu.media import check_weight, to_pictures, to_vendor_pictures
from vidgate.providers.words import OURS, Meaning, Vocabulary

__all__ = ["to_translation", "to_vocabulary"]

_OWN_FORMAT = "vidu"

_LARGEST_SEED = 2**31 - 1
"""From 0, which means any. The vendor prints no bound; those who do print this one."""


def to_translation(request: VideoRequest, model: str, *, map_retired_models: bool) -> Translation:
    """Put a request in Vidu's words, for the model that runs.

    Raises:
        UnsupportedParameterError: A field has a value that a known model cannot honour, a picture
            one that Vidu does not take, the endpoint lacks a field that it needs, or the body is
            too large.
    """
    choice = choose(request, model, map_retired_models=map_retired_models)
    endpoint, takes = choice.endpoint, choice.capabilities
    if not models.automatic_duration(choice.model, endpoint.action):
        refuse_zero(request, takes.durations if takes else ())
    over = {name: value for name, value in request.metadata.items() if name not in OURS}
    draft = Draft(request, to_vendor_pictures(over, choice), choice.told)
    if not endpoint.model:
        draft.body["model"] = choice.model
    draft.size(_to_size(draft, choice), tier=endpoint.tier_field)
    if endpoint is endpoints.MULTIFRAME:
        _write_frames(draft, choice)
    else:
        _write(draft, choice)
    body = draft.finish() if takes is None else rename_subjects(draft.finish())
    judge(body, choice, draft.names, as_written=request.vendor_format == _OWN_FORMAT)
    check_weight(body)

    draft.idle(*idle_fields(body, choice))
    facts = _to_facts(choice.model, endpoint, body)
    off_peak = {"off_peak": True} if facts.off_peak else {}
    return Translation(
        endpoint=endpoint.path,
        body=body,
        facts=facts,
        pace=_to_pace(endpoint, facts),
        details={"action": endpoint.action.value, **off_peak},
        ignored=draft.ignored,
        adjusted=tuple(draft.adjusted),
        names=draft.names,
    )


def _write(draft: Draft, choice: Choice) -> None:
    """Write the generic fields but for the size."""
    endpoint, takes = choice.endpoint, choice.capabilities
    draft.use("image")
    images = draft.request.images
    if images and endpoint.picture_field and endpoint.picture_field not in draft.over:
        pictures = to_pictures(images, endpoint, param=draft.name_of("image"))
        is_list = endpoint.picture_field == "images"
        draft.put("image", endpoint.picture_field, pictures if is_list else pictures[0])
    # Where there is a recording, or a text of the vendor's field, it is that which speaks.
    is_spoken = endpoint is endpoints.LIP_SYNC and any(map(draft.over.get, ("audio_url", "text")))
    if endpoint.prompt_field and not is_spoken:
        is_needed = takes is not None and endpoint in (endpoints.TEXT, endpoints.REFERENCES)
        if is_needed and "prompt" not in draft.over and not draft.request.prompt.strip():
            raise UnsupportedParameterError(
                "prompt", f"The model {choice.told} needs a prompt for this kind of video."
            )
        draft.prompt(endpoint.prompt_field)
    if takes is None or takes.durations:
        draft.duration()
    if takes is None or takes.seed:
        draft.seed(bounds=None if takes is None else (0, _LARGEST_SEED))


def _write_frames(draft: Draft, choice: Choice) -> None:
    """Make the first picture the start and the others key frames that share the duration.

    The prompt is that of every way from one frame to the next.
    """
    draft.use("image")
    has_settings = "image_settings" in draft.over
    if has_settings and "start_image" in draft.over:
        return
    pictures = to_pictures(draft.request.images, endpoints.MULTIFRAME, param=draft.name_of("image"))
    if pictures and "start_image" not in draft.over:
        draft.put("image", "start_image", pictures.pop(0))
    if not pictures or has_settings:
        return
    draft.use("prompt", "duration")
    prompt = draft.request.prompt
    setting = {"prompt": prompt} if prompt else {}
    takes = choice.capabilities
    if prompt and takes is not None and takes.prompt_characters is not None:
        Length(0, takes.prompt_characters).refuse("prompt", prompt, choice.told)
    settings: list[dict[str, Any]] = [{"key_image": picture, **setting} for picture in pictures]
    for one, seconds in zip(settings, _shares(draft, choice, len(settings)), strict=False):
        one["duration"] = seconds
    draft.body["image_settings"] = settings


def _shares(draft: Draft, choice: Choice, count: int) -> list[int | float]:
    """How many of the video's seconds go to each key frame; empty where none were asked for."""
    total = draft.request.duration_seconds
    if total is None:
        return []
    shortest, longest = (seconds * count for seconds in models.KEY_FRAME_SECONDS)
    is_whole = total == int(total)
    if choice.capabilities is not None and not (is_whole and shortest <= total <= longest):
        says = f"The model {choice.told} makes no video of {total} seconds from {count} key frames."
        raise UnsupportedParameterError("duration", says, allowed=range(shortest, longest + 1))
    if not is_whole:
        return [total / count] * count
    share, rest = divmod(int(total), count)
    return [share + (number < rest) for number in range(count)]


# Sizes: a resolution by its label, and an aspect ratio

_COMMON_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")


def _to_size(draft: Draft, choice: Choice) -> SizeFit:
    """Find the resolution and the ratio, but for what the vendor fields say themselves.

    Raises:
        UnsupportedParameterError: The size is too far from anything a known model makes.
    """
    request, over, endpoint, takes = draft.request, draft.over, choice.endpoint, choice.capabilities
    ratio_free = "aspect_ratio" not in over
    if takes is None:
        fit = _verbatim_size(request, has_ratio=endpoint.has_ratio)
        return replace(fit, ignored=fit.ignored and ratio_free)
    ratios = takes.ratios
    has_pixels = request.width is not None
    if not endpoint.tier_field and not (ratios and ratio_free):
        return SizeFit(ignored=has_pixels or (request.aspect_ratio is not None and not ratios))
    if over.get("subjects") and choice.model in models.ANY_RATIO_SUBJECTS:
        ratios = _with_own_ratio(request, ratios)
    duration = to_number(over.get("duration", request.duration_seconds))
    tier_free = endpoint.tier_field and endpoint.tier_field not in over
    fit = fit_size(
        request,
        tiers=models.tiers_at(choice.model, takes, duration) if tier_free else (),
        ratios=ratios if ratio_free else (),
        has_frame=not endpoint.has_ratio,
    )
    if not endpoint.tier_field and has_pixels:
        # The resolution cannot be chosen.
        return replace(fit, adjusted=f"size={fit.ratio}")
    # Pixels are never in vain: the tier was used, or a vendor field gives a better one.
    return replace(fit, ignored=fit.ignored and not has_pixels and ratio_free)


def _verbatim_size(request: VideoRequest, *, has_ratio: bool) -> SizeFit:
    """Write a size for a model we do not know: nothing is fitted, the provider judges."""
    ratios = _with_own_ratio(request, ()) if has_ratio else ()
    ratio = ratios[0] if ratios else None
    if request.width is None or request.height is None:
        return SizeFit(ratio=ratio, ignored=request.aspect_ratio is not None and not has_ratio)
    side = min(request.width, request.height)
    return SizeFit(tier=models.LABELS.get(side, f"{side}p"), ratio=ratio)


def _with_own_ratio(request: VideoRequest, ratios: tuple[str, ...]) -> tuple[str, ...]:
    """The ratios, and the one that is asked for where none of them is it."""
    if request.width is None or request.height is None:
        asked = request.aspect_ratio
        return ratios if asked is None or asked in ratios else (*ratios, asked)
    own = exact_ratio(request.width, request.height, ratios or _COMMON_RATIOS)
    return ratios if own in ratios else (*ratios, own)


# What is run


_LARGE_TIERS = frozenset({"2K", "4K", "8K"})
_LONG = (endpoints.MULTIFRAME, endpoints.UPSCALE, endpoints.LIP_SYNC)

_LABEL_BY_FOLDED = {label.casefold(): label for label in models.LABELS.values()}


def _to_facts(model: str, endpoint: Endpoint, body: Mapping[str, Any]) -> RunFacts:
    """Read what will be run out of the body that is sent, `metadata` included."""
    family = models.family_of(model)
    duration = _duration(model, endpoint, body, family.seconds if family else None)
    resolution = models.default_tier(model, duration)
    if endpoint is endpoints.UPSCALE:
        resolution = models.UPSCALE_TIER
    asked = body.get(endpoint.tier_field or "resolution")
    if isinstance(asked, str) and asked.strip():
        resolution = _LABEL_BY_FOLDED.get(asked.strip().casefold(), asked.strip())
    elif is_given(asked):
        resolution = None
    sound = body.get("audio", family.has_sound if family else None)
    return RunFacts(
        model=model,
        duration_seconds=duration,
        resolution=resolution,
        sound=sound if isinstance(sound, bool) else None,
        off_peak=body.get("off_peak") is True,
        action=endpoint.action,
        recommended_prompt=is_given(body.get("is_rec")) and body["is_rec"] is not False,
    )


def _duration(
    model: str, endpoint: Endpoint, body: Mapping[str, Any], default: int | None
) -> int | float | None:
    if endpoint is endpoints.MULTIFRAME:
        return _frame_seconds(body.get("image_settings"), default)
    asked = body.get("duration")
    if to_number(asked) == 0 and models.automatic_duration(model, endpoint.action):
        return None
    return _seconds(asked, default)


def _frame_seconds(settings: Any, default: int | None) -> int | float | None:
    """How long the ways between the frames of a multiframe video are together."""
    if not isinstance(settings, list) or not settings:
        return None
    asked = [one.get("duration") if isinstance(one, Mapping) else None for one in settings]
    lengths = [_seconds(one, default) for one in asked]
    known = [length for length in lengths if length is not None]
    total = sum(known, 0.0)
    return to_whole(total) if len(known) == len(lengths) and math.isfinite(total) else None


def _seconds(asked: Any, default: int | None) -> int | float | None:
    """Read a number of seconds; a server may read 0 as "not given"."""
    number = to_number(asked)
    if not is_given(asked) or number == 0:
        return default
    return None if number is None else to_whole(number)


def _to_pace(endpoint: Endpoint, facts: RunFacts) -> Pace:
    if facts.off_peak:
        return OFF_PEAK_PACE
    if endpoint in _LONG:
        return LONG_PACE
    return LARGE_PACE if facts.resolution in _LARGE_TIERS else CLIP_PACE


# What clients call alike everywhere

_VOCABULARY = Vocabulary(
    fields={
        Meaning.TIER: "resolution",
        Meaning.RATIO: "aspect_ratio",
        Meaning.SOUND: "audio",
        Meaning.WATERMARK: "watermark",
    },
    values={Meaning.TIER: {label.lower(): label for label in models.LABELS.values()}},
    documented=FIELDS.documented,
    last_frame=("images", "model"),
    frame_action="first_last_frame",
)
_UNKNOWN_MODEL = replace(_VOCABULARY, passes=True)
_UPSCALE = replace(
    _VOCABULARY, fields={**_VOCABULARY.fields, Meaning.TIER: endpoints.UPSCALE.tier_field}
)


def to_vocabulary(request: VideoRequest) -> Vocabulary:
    """Find Vidu's words for what a request is for.

    Raises:
        UnsupportedParameterError: Its `action` names nothing that exists.
    """
    if request.vendor_format is None and model_to_permit(request) == endpoints.UPSCALE.model:
        return _UPSCALE
    return _VOCABULARY if request.model in models.MODELS else _UNKNOWN_MODEL
