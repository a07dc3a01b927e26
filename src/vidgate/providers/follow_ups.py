"""What adapters share that make something of a finished video."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.outcomes import VideoResult
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskSnapshot
from vidgate.providers.base import ActionCapabilities
from vidgate.providers.fields import to_number
from vidgate.providers.sizes import nearest_tier, ratio_value

__all__ = ["check_length", "like", "video_of"]

_ROUNDING_SECONDS = 0.2
"""Clips are a few frames longer than what they are called."""

_UNKNOWN = 5
"""Seconds that a video is taken to have where nobody said: what most models make."""


def video_of(source: TaskSnapshot) -> tuple[int, VideoResult]:
    """Find a task's first video, and its position.

    Raises:
        UnsupportedParameterError: It has none.
    """
    for position, output in enumerate(source.outputs):
        if output.result is not None:
            return position, output.result
    raise UnsupportedParameterError("video", f"The task {source.public_id} has no video.")


def check_length(result: VideoResult, span: tuple[float, float], does: str) -> None:
    """Refuse a video that is too short or too long for something.

    Args:
        result: The video.
        span: The least and the most seconds.
        does: What is done, as in `Vidu extends`.

    Raises:
        UnsupportedParameterError: It is.
    """
    seconds = result.duration_seconds or _UNKNOWN
    least, most = span
    if not least - _ROUNDING_SECONDS <= seconds <= most + _ROUNDING_SECONDS:
        raise UnsupportedParameterError(
            "video", f"{does} videos of {least} to {most} seconds; this one has {seconds:g}."
        )


def like(
    source: TaskSnapshot,
    result: VideoResult,
    request: VideoRequest,
    takes: ActionCapabilities,
    *,
    tiers: Callable[[float | None], Sequence[str]] | None = None,
    ratio_field: str = "aspect_ratio",
) -> VideoRequest:
    """Ask for the length, the tier and the shape of a video, or for the nearest.

    What the client says goes before it.

    Args:
        source: The task that made the video.
        result: The video.
        request: What the client asks for.
        takes: What the model takes. A duration of 0, which lets it choose, is left out.
        tiers: Its tiers for a length, where they depend on that.
        ratio_field: The vendor's field for a ratio.
    """
    metadata = dict(request.metadata)
    seconds = request.duration_seconds
    if seconds is None and "duration" not in metadata:
        seconds = _nearest_seconds(source, result, takes.durations)
    has_pixels = request.height is not None
    if not has_pixels and "resolution" not in metadata:
        length = to_number(metadata.get("duration", seconds))
        tier = nearest_tier(source.facts.get("resolution"), tiers(length) if tiers else takes.tiers)
        metadata |= {"resolution": tier} if tier else {}
    if not has_pixels and request.aspect_ratio is None and ratio_field not in metadata:
        ratio = _nearest_ratio(source, result, takes.ratios)
        metadata |= {ratio_field: ratio} if ratio else {}
    return replace(request, duration_seconds=seconds, metadata=metadata)


def _nearest_seconds(
    source: TaskSnapshot, result: VideoResult, durations: Sequence[float]
) -> int | float | None:
    """The shorter of two that are as near."""
    seconds = result.duration_seconds or source.facts.get("duration_seconds")
    allowed = [duration for duration in durations if duration]
    if not seconds or not allowed:
        return None
    return min(allowed, key=lambda duration: abs(duration - seconds))


def _nearest_ratio(source: TaskSnapshot, result: VideoResult, ratios: Sequence[str]) -> str | None:
    shape = _shape(source, result)
    if shape is None or not ratios:
        return None
    return min(ratios, key=lambda ratio: abs(math.log(ratio_value(ratio) / shape)))


def _shape(source: TaskSnapshot, result: VideoResult) -> float | None:
    """Width over height: as measured, since a first picture goes before a size; else as asked."""
    if result.width and result.height:
        return result.width / result.height
    asked = source.asked
    if asked.get("width") and asked.get("height"):
        return float(asked["width"] / asked["height"])
    return ratio_value(asked["aspect_ratio"]) if asked.get("aspect_ratio") else None
