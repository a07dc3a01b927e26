"""What can be made of a finished video by naming it.

Source: https://platform.vidu.com/docs (video-extension, reference-to-video), read 2026-11-20.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.outcomes import VideoResult
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp, TaskSnapshot
from vidgate.providers.base import Action
from vidgate.providers.fields import to_number
from vidgate.providers.vidu.endpoints import EXTEND, REFERENCES
from vidgate.providers.vidu.models import LABELS, MODELS, VIDEO_REFERENCE_MODEL, tiers_at

__all__ = ["OBJECT_FIELDS", "to_follow_up"]

OBJECT_FIELDS = frozenset({"video_creation_id"})
"""What `extend` and `upscale-new` name a video by that was made before."""

_EXTENDED_SECONDS = (4, 60)
"""How long a video is that can be extended."""

_REFERENCE_SECONDS = 8
"""How long one reference video may be."""

_ROUNDING_SECONDS = 0.2
"""Clips are a few frames longer than what they are called."""

_UNKNOWN = 5
"""Seconds that a video is taken to have where nobody said: what most models make."""

_SHORT_SIDES: dict[Any, int] = {label: side for side, label in LABELS.items()}


def to_follow_up(kind: FollowUp, source: TaskSnapshot, request: VideoRequest) -> VideoRequest:
    """Make a request like any other of "do this with that video".

    Raises:
        UnsupportedParameterError: The vendor does not do it with a video of that length, or the
            task has none.
    """
    position, result = _video(source)
    match kind:
        case FollowUp.EXTEND:
            return _extension(source, position, result, request)
        case FollowUp.REMIX | FollowUp.EDIT:
            return _remake(source, result, request)


def _video(source: TaskSnapshot) -> tuple[int, VideoResult]:
    for position, output in enumerate(source.outputs):
        if output.result is not None:
            return position, output.result
    raise UnsupportedParameterError("video", f"The task {source.public_id} has no video.")


def _extension(
    source: TaskSnapshot, position: int, result: VideoResult, request: VideoRequest
) -> VideoRequest:
    _check_length(result, _EXTENDED_SECONDS, "extends")
    # By its id wherever the provider told one: its URL lives for a day only.
    named = (
        {"video_creation_id": f"{source.public_id}_{position}"}
        if result.upstream_id
        else {"video_url": result.url}
    )
    return replace(
        request,
        model=request.model or _extending_model(source.upstream_model),
        metadata={**request.metadata, "action": EXTEND.name, **named},
    )


def _extending_model(model: str | None) -> str:
    """The model that made the video where it extends too, else the first that does."""
    names = [name for name, known in MODELS.items() if Action.EXTEND in known.actions]
    return model if model in names else names[0]


def _remake(source: TaskSnapshot, result: VideoResult, request: VideoRequest) -> VideoRequest:
    """Take the video as the reference of a new one: the vendor has no endpoint for edits."""
    _check_length(result, (0, _REFERENCE_SECONDS), "remakes")
    remade = replace(
        request,
        model=request.model or VIDEO_REFERENCE_MODEL,
        metadata={**request.metadata, "action": REFERENCES.name, "videos": [result.url]},
    )
    return _like(source, result, remade)


def _like(source: TaskSnapshot, result: VideoResult, request: VideoRequest) -> VideoRequest:
    """Ask for the length, the resolution and the shape of the first video, or for the nearest.

    What the client says goes before it; the vendor itself would take nothing from the video, and
    make five seconds of landscape.
    """
    known = MODELS.get(request.model)
    takes = known.actions.get(Action.REFERENCES) if known else None
    if takes is None:
        return request
    metadata = dict(request.metadata)
    seconds = request.duration_seconds
    if seconds is None and "duration" not in metadata:
        seconds = _nearest_seconds(source, result, takes.durations)
    has_pixels = request.height is not None
    if not has_pixels and "resolution" not in metadata:
        length = to_number(metadata.get("duration", seconds))
        tier = _nearest_tier(source, tiers_at(request.model, takes, length))
        metadata |= {"resolution": tier} if tier else {}
    if not has_pixels and request.aspect_ratio is None and "aspect_ratio" not in metadata:
        ratio = _nearest_ratio(source, result, takes.ratios)
        metadata |= {"aspect_ratio": ratio} if ratio else {}
    return replace(request, duration_seconds=seconds, metadata=metadata)


def _nearest_seconds(
    source: TaskSnapshot, result: VideoResult, durations: Sequence[float]
) -> int | float | None:
    """The shorter of two that are as near; 0 would let the service choose."""
    seconds = result.duration_seconds or source.facts.get("duration_seconds")
    allowed = [duration for duration in durations if duration]
    if not seconds or not allowed:
        return None
    return min(allowed, key=lambda duration: abs(duration - seconds))


def _nearest_tier(source: TaskSnapshot, tiers: Sequence[str]) -> str | None:
    short_side = _SHORT_SIDES.get(source.facts.get("resolution"))
    if short_side is None or not tiers:
        return None
    return min(tiers, key=lambda tier: abs(math.log(_SHORT_SIDES[tier] / short_side)))


def _nearest_ratio(source: TaskSnapshot, result: VideoResult, ratios: Sequence[str]) -> str | None:
    shape = _shape(source, result)
    if shape is None or not ratios:
        return None
    return min(ratios, key=lambda ratio: abs(math.log(_to_shape(ratio) / shape)))


def _shape(source: TaskSnapshot, result: VideoResult) -> float | None:
    """Width over height: as measured, since a first picture goes before a size; else as asked."""
    if result.width and result.height:
        return result.width / result.height
    asked = source.asked
    if asked.get("width") and asked.get("height"):
        return float(asked["width"] / asked["height"])
    return _to_shape(asked["aspect_ratio"]) if asked.get("aspect_ratio") else None


def _to_shape(ratio: str) -> float:
    width, height = ratio.split(":")
    return float(width) / float(height)


def _check_length(result: VideoResult, span: tuple[float, float], verb: str) -> None:
    seconds = result.duration_seconds or _UNKNOWN
    least, most = span
    if not least - _ROUNDING_SECONDS <= seconds <= most + _ROUNDING_SECONDS:
        raise UnsupportedParameterError(
            "video", f"Vidu {verb} videos of {least} to {most} seconds; this one has {seconds:g}."
        )
