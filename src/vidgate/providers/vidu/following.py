"""What can be made of a finished video by naming it.

Source: https://platform.vidu.com/docs (video-extension, reference-to-video), read 2026-11-20.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.outcomes import VideoResult
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp, TaskSnapshot
from vidgate.providers.base import Action
from vidgate.providers.vidu.endpoints import EXTEND, REFERENCES
from vidgate.providers.vidu.models import MODELS, VIDEO_REFERENCE_MODEL

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
            return _remake(kind, source, result, request)


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


def _remake(
    kind: FollowUp, source: TaskSnapshot, result: VideoResult, request: VideoRequest
) -> VideoRequest:
    """Take the video as the reference of a new one: the vendor has no endpoint for edits."""
    _check_length(result, (0, _REFERENCE_SECONDS), "remakes")
    remade = replace(
        request,
        model=request.model or VIDEO_REFERENCE_MODEL,
        metadata={**request.metadata, "action": REFERENCES.name, "videos": [result.url]},
    )
    return _like(source.facts, remade) if kind is FollowUp.REMIX else remade


def _like(facts: Mapping[str, Any], request: VideoRequest) -> VideoRequest:
    """Ask for the length and the resolution of the first video, where nothing else is said."""
    known = MODELS.get(request.model)
    takes = known.actions.get(Action.REFERENCES) if known else None
    if takes is None:
        return request
    seconds, tier = facts.get("duration_seconds"), facts.get("resolution")
    is_free = request.duration_seconds is None and "duration" not in request.metadata
    if is_free and seconds in takes.durations:
        request = replace(request, duration_seconds=seconds)
    is_free = request.height is None and "resolution" not in request.metadata
    if is_free and tier in takes.tiers:
        request = replace(request, metadata={**request.metadata, "resolution": tier})
    return request


def _check_length(result: VideoResult, span: tuple[float, float], verb: str) -> None:
    seconds = result.duration_seconds or _UNKNOWN
    least, most = span
    if not least - _ROUNDING_SECONDS <= seconds <= most + _ROUNDING_SECONDS:
        raise UnsupportedParameterError(
            "video", f"Vidu {verb} videos of {least} to {most} seconds; this one has {seconds:g}."
        )
