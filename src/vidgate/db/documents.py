"""Neutral types as the JSON that columns hold, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from vidgate.models.outcomes import VideoResult
from vidgate.models.requests import Image, VideoRequest
from vidgate.models.tasks import TaskWarning, WarningCode

__all__ = [
    "StoredInput",
    "read_request",
    "read_result",
    "read_warnings",
    "write_request",
    "write_result",
    "write_warnings",
]

StoredInput = tuple[int, str | None, bytes]
"""Position, media type and bytes of one row of `inputs`."""

_MARK = "$vidgate_input"
"""Stands in a stored request for what was taken out of it."""

_INLINE_CHARACTERS = 4096
"""Strings in `metadata` from this length on are kept apart: nothing but media is that long, and a
prompt that is loses nothing by it."""


def write_result(result: VideoResult) -> dict[str, Any]:
    """Write a result as a JSON object without its empty members."""
    document = {
        key: value
        for key, value in asdict(result).items()
        if value is not None and value is not False
    }
    if result.expires_at is not None:
        document["expires_at"] = result.expires_at.isoformat()
    return document


def read_result(document: Mapping[str, Any]) -> VideoResult:
    """Read what `write_result` wrote."""
    members = dict(document)
    if "expires_at" in members:
        members["expires_at"] = datetime.fromisoformat(members["expires_at"])
    return VideoResult(**members)


def write_warnings(warnings: Sequence[TaskWarning]) -> list[dict[str, Any]]:
    """Write warnings as a JSON array."""
    return [
        {key: value for key, value in asdict(warning).items() if value is not None}
        for warning in warnings
    ]


def read_warnings(documents: Sequence[Mapping[str, Any]]) -> tuple[TaskWarning, ...]:
    """Read what `write_warnings` wrote."""
    return tuple(
        TaskWarning(**{**members, "code": WarningCode(members["code"])}) for members in documents
    )


def write_request(request: VideoRequest) -> tuple[dict[str, Any], list[StoredInput]]:
    """Write a request as JSON, inline media apart.

    Returns:
        The document, and the inputs to store beside it.
    """
    stored: list[StoredInput] = []

    def keep(media_type: str | None, content: bytes) -> dict[str, int]:
        stored.append((len(stored), media_type, content))
        return {_MARK: len(stored) - 1}

    def take(value: Any) -> Any:
        if isinstance(value, str) and len(value) >= _INLINE_CHARACTERS:
            return keep(None, value.encode())
        if value is None or isinstance(value, str | int | float):  # asking about Mapping is slow
            return value
        if isinstance(value, Mapping):
            if value.keys() == {_MARK}:  # the client's own: a list says that it is meant literally
                return {_MARK: [take(value[_MARK])]}
            return {key: take(member) for key, member in value.items()}
        if isinstance(value, list):
            return [take(member) for member in value]
        return value

    document: dict[str, Any] = {
        "model": request.model,
        "prompt": request.prompt,
        "duration_seconds": request.duration_seconds,
        "width": request.width,
        "height": request.height,
        "aspect_ratio": request.aspect_ratio,
        "tier": request.tier,
        "last_frame": request.last_frame or None,
        "fps": request.fps,
        "seed": request.seed,
        "user": request.user,
        "ignored": list(request.ignored) or None,
        "n": request.n if request.n > 1 else None,
        "strict": request.strict or None,
        "names": dict(request.names) or None,
        "words": request.vendor_format,
        "channel_id": str(request.channel_id) if request.channel_id else None,
    }
    document = {key: value for key, value in document.items() if value is not None}
    if request.images:
        document["images"] = [
            {"url": image.url} if image.content is None else keep(image.media_type, image.content)
            for image in request.images
        ]
    if request.metadata:
        document["metadata"] = take(request.metadata)
    return document, stored


def read_request(document: Mapping[str, Any], stored: list[StoredInput]) -> VideoRequest:
    """Read what `write_request` wrote.

    Raises:
        KeyError: An input is gone: it was deleted once it was no longer needed.
    """
    inputs = {position: (media_type, content) for position, media_type, content in stored}

    def give_back(value: Any) -> Any:
        if isinstance(value, Mapping):
            if value.keys() == {_MARK}:
                mark = value[_MARK]
                if isinstance(mark, list):
                    return {_MARK: give_back(mark[0])}
                return inputs[mark][1].decode()
            return {key: give_back(member) for key, member in value.items()}
        if isinstance(value, list):
            return [give_back(member) for member in value]
        return value

    def image(value: Mapping[str, Any]) -> Image:
        if _MARK in value:
            media_type, content = inputs[value[_MARK]]
            return Image(content=content, media_type=media_type)
        return Image(url=value["url"])

    members = dict(document)
    members["vendor_format"] = members.pop("words", None)
    members["images"] = tuple(image(value) for value in members.get("images", ()))
    members["metadata"] = give_back(members.get("metadata", {}))
    if "ignored" in members:
        members["ignored"] = tuple(members["ignored"])
    if "channel_id" in members:
        members["channel_id"] = UUID(members["channel_id"])
    return VideoRequest(**members)
