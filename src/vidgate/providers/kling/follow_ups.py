"""What can be done with a finished video: an omni model changes it as a prompt says.

A remix keeps the video's structure and changes what the prompt names, which is what Kling's omni
models do with a `base` video; so a remix and an edit are the same request. Nothing is kept of how
the video was made but its resolution: length and shape follow from the video.

Source: the omni pages under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

from dataclasses import replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp, TaskSnapshot
from vidgate.providers.base import Action
from vidgate.providers.draft import merge
from vidgate.providers.kling.choosing import NO_EXTENSION, find_traits
from vidgate.providers.kling.models import MODE_OF_TIER, Traits

__all__ = ["follow_up"]

_SHORTEST_SECONDS = 3.0
_LONGEST_SECONDS = {
    "kling-v3-omni": 15.5,
    "kling-video-o1": 10.5,
    "kling-3.0-omni": 15.5,
    "kling-o1": 10.5,
}
"""Of the video that is changed. O1 takes ten seconds, and a video of ten lasts 10.041."""


def follow_up(kind: FollowUp, source: TaskSnapshot, request: VideoRequest) -> VideoRequest:
    """Make of "do this with that video" a request to an omni model.

    Raises:
        UnsupportedParameterError: Kling has nothing like it for that video.
    """
    if kind is FollowUp.EXTEND:
        raise UnsupportedParameterError("video", NO_EXTENSION)
    result = source.result
    if result is None or result.protected:
        raise UnsupportedParameterError(
            "video", f"{source.public_id} has no video that Kling could fetch."
        )
    model = request.model or "kling-v3-omni"
    traits = find_traits(model)
    if not traits.is_omni:
        raise UnsupportedParameterError(
            "model", f"{model} cannot change a video.", allowed=tuple(_LONGEST_SECONDS)
        )
    seconds, longest = result.duration_seconds, _LONGEST_SECONDS.get(traits.name)
    if seconds is not None and longest and not _SHORTEST_SECONDS <= seconds <= longest:
        raise UnsupportedParameterError(
            "video",
            f"{traits.name} changes videos of {_SHORTEST_SECONDS:g} to {longest:g} seconds, and "
            f"this one has {seconds:g}.",
        )
    if request.images and traits.is_path_model:
        raise UnsupportedParameterError(
            "images", f"Beside a video {traits.name} takes pictures in `contents` only."
        )
    # Pixels that are asked for say it themselves.
    tier = _tier(traits, source) if request.height is None else None
    if traits.is_path_model:
        words = {"type": "prompt", "text": request.prompt}
        fields: dict[str, Any] = {"contents": [words, {"type": "base_video", "url": result.url}]}
        fields |= {"settings": {"resolution": tier}} if tier else {}
    else:
        fields = {"video_list": [{"video_url": result.url, "refer_type": "base"}]}
        fields |= {"mode": MODE_OF_TIER[tier]} if tier else {}
    return replace(request, model=model, metadata=merge(fields, request.metadata))


def _tier(traits: Traits, source: TaskSnapshot) -> str | None:
    """The video's own, or the highest there is where the model does not go as high."""
    tier = source.facts.get("resolution")
    if tier not in MODE_OF_TIER:
        return None
    tiers = traits.action(Action.EDIT).tiers
    return tier if tier in tiers else next(reversed(tiers), None)
