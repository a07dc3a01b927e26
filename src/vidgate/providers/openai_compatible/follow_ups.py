"""What can be done with a finished video: whatever the server's own endpoints for it do.

`POST /v1/videos/{id}/remix`, `POST /v1/videos/edits` and `POST /v1/videos/extensions`, as OpenAI's
SDK for Python (2.x) has them. The server knows how the video was made, so none of that is sent,
and a model only where the client names one: many can make a video and not change it.

A request says what it follows in one member of `metadata`, which is taken out again here. It holds
our id of the video under a name that is nobody's field, so that the server's id takes its place and
the request goes to the channel that made it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp, TaskSnapshot
from vidgate.providers.answers import to_object
from vidgate.providers.openai_compatible.bodies import VIDEO

__all__ = ["OBJECT_FIELDS", "VIDEOS", "Source", "is_follow_up", "take_source", "to_follow_up"]

_FOLLOWED: Final = "vidgate_follow_up"
_VIDEO: Final = "vidgate_video_id"

OBJECT_FIELDS: Final = frozenset({_VIDEO})
"""Where our id of the video stands until it is replaced."""

VIDEOS: Final = "/videos"
_PATHS: Final[Mapping[FollowUp, str]] = {
    FollowUp.EDIT: f"{VIDEOS}/edits",
    FollowUp.EXTEND: f"{VIDEOS}/extensions",
}
_MODEL_FIELDS: Final = ("model_name", "model")
"""Members of a client's `metadata` that name a model as well."""


@dataclass(frozen=True, slots=True)
class Source:
    """The video that a request goes on from, none by default.

    Attributes:
        endpoint: Where it is sent.
        body: Its fields that name the video.
        names_model: Whether the client named a model.
    """

    endpoint: str = VIDEOS
    body: Mapping[str, Any] = field(default_factory=dict)
    names_model: bool = True


def to_follow_up(kind: FollowUp, source: TaskSnapshot, request: VideoRequest) -> VideoRequest:
    """Make of "do this with that video" a request; without a model it is the video's own."""
    named = [request.model, *(request.metadata.get(name) for name in _MODEL_FIELDS)]
    followed = {"kind": kind.value, _VIDEO: f"{source.public_id}_0", "names_model": any(named)}
    metadata = {**request.metadata, _FOLLOWED: followed}
    return replace(request, model=request.model or source.model, metadata=metadata)


def take_source(vendor: Mapping[str, Any], *, is_pinned: bool) -> tuple[dict[str, Any], Source]:
    """Take out of the vendor fields what the request follows.

    Args:
        vendor: The vendor fields.
        is_pinned: Whether the request goes to one channel alone, as one does that names a video.

    Returns:
        The fields of the server's, and the source.

    Raises:
        UnsupportedParameterError: A client wrote that member itself, and no video of ours into it.
    """
    fields = {name: value for name, value in vendor.items() if name not in {_FOLLOWED, _VIDEO}}
    if len(fields) == len(vendor):
        return fields, Source()
    followed = to_object(vendor.get(_FOLLOWED))
    video = followed.get(_VIDEO)
    kind = next((kind for kind in FollowUp if kind.value == followed.get("kind")), None)
    if not is_pinned or kind is None or not isinstance(video, str) or not video:
        raise UnsupportedParameterError(
            _FOLLOWED,
            "Name the video at POST /v1/videos/edits, POST /v1/videos/extensions or "
            "POST /v1/videos/{id}/remix.",
        )
    names_model = followed.get("names_model") is True
    path = _PATHS.get(kind)
    if path is None:
        return fields, Source(f"{VIDEOS}/{quote(video, safe='')}/remix", {}, names_model)
    if VIDEO in fields:
        raise UnsupportedParameterError(VIDEO, "The video is named by its id alone.")
    return fields, Source(path, {VIDEO: {"id": video}}, names_model)


def is_follow_up(path: str) -> bool:
    """Whether a submit went to one of these endpoints."""
    return path.endswith((*_PATHS.values(), "/remix"))
