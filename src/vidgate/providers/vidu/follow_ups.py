"""What can be made of a finished video by naming it.

Source: https://platform.vidu.com/docs (video-extension, reference-to-video), read 2026-11-20.
"""

from dataclasses import replace
from functools import partial

from vidgate.models.outcomes import VideoResult
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp, TaskSnapshot
from vidgate.providers.base import Action
from vidgate.providers.follow_ups import check_length, like, video_of
from vidgate.providers.vidu.endpoints import EXTEND, REFERENCES
from vidgate.providers.vidu.models import MODELS, VIDEO_REFERENCE_MODEL, tiers_at

__all__ = ["OBJECT_FIELDS", "to_follow_up"]

OBJECT_FIELDS = frozenset({"video_creation_id"})
"""What `extend` and `upscale-new` name a video by that was made before."""

_EXTENDED_SECONDS = (4, 60)
"""How long a video is that can be extended."""

_REFERENCE_SECONDS = 8
"""How long one reference video may be."""


def to_follow_up(kind: FollowUp, source: TaskSnapshot, request: VideoRequest) -> VideoRequest:
    """Make a request like any other of "do this with that video".

    Raises:
        UnsupportedParameterError: The vendor does not do it with a video of that length, or the
            task has none.
    """
    position, result = video_of(source)
    if kind is FollowUp.EXTEND:
        return _extension(source, position, result, request)
    return _remake(source, result, request)


def _extension(
    source: TaskSnapshot, position: int, result: VideoResult, request: VideoRequest
) -> VideoRequest:
    check_length(result, _EXTENDED_SECONDS, "Vidu extends")
    # By its id wherever the provider told one: its URL lives for a day only.
    named = (
        {"video_creation_id": f"{source.public_id}_{position}"}
        if result.upstream_id
        else {"video_url": result.url}
    )
    # The model that made the video where it extends too, else the first that does.
    names = [name for name, known in MODELS.items() if Action.EXTEND in known.actions]
    model = source.upstream_model if source.upstream_model in names else names[0]
    return replace(
        request,
        model=request.model or model,
        metadata={**request.metadata, "action": EXTEND.name, **named},
    )


def _remake(source: TaskSnapshot, result: VideoResult, request: VideoRequest) -> VideoRequest:
    """Take the video as the reference of a new one: the vendor has no endpoint for edits.

    It is asked for the length, the resolution and the shape of the video, or for the nearest, but
    for what the client says. The vendor itself would take nothing from it, and make five seconds of
    landscape.
    """
    check_length(result, (0, _REFERENCE_SECONDS), "Vidu remakes")
    metadata = {**request.metadata, "action": REFERENCES.name, "videos": [result.url]}
    model = request.model or VIDEO_REFERENCE_MODEL
    request = replace(request, model=model, metadata=metadata)
    known = MODELS.get(model)
    takes = known.actions.get(Action.REFERENCES) if known else None
    if takes is None:
        return request
    tiers = partial(tiers_at, model, takes)
    return like(source, result, request, takes, tiers=tiers)
