"""Tasks, as the OpenAI dialect answers them."""

import re
from collections.abc import Mapping
from typing import Any

from vidgate.api.links import write_urls
from vidgate.api.writing import (
    choices_of,
    cost_of,
    facts_of,
    failure_of,
    plain_number,
    seed_of,
    unix_seconds,
    write_failure,
    write_warnings,
)
from vidgate.models.tasks import TaskSnapshot, TaskStatus

__all__ = ["DIALECT", "PATH", "measures_of", "write_deleted", "write_video"]

DIALECT = "openai"
PATH = "/v1/videos"

_STATUS_WORDS = {
    TaskStatus.QUEUED: "queued",
    TaskStatus.IN_PROGRESS: "in_progress",
    TaskStatus.SUCCEEDED: "completed",
    TaskStatus.FAILED: "failed",
    TaskStatus.CANCELLED: "failed",
}
"""The four words; an SDK waits for one of the last two."""

_PIXELS = re.compile(r"[0-9]+x[0-9]+")
_UNSAID = "auto"
"""Length or size, where nobody asked for one and it is not known yet: SDKs promise a string."""


def measures_of(task: TaskSnapshot) -> dict[str, str]:
    """The length and the size in pixels of a finished video, as far as they are known."""
    result = task.result
    seconds, size = _seconds(task), _told_size(task)
    if result and result.width and result.height:
        size = f"{result.width}x{result.height}"
    known = {}
    if seconds != _UNSAID:
        known["seconds"] = seconds
    if _PIXELS.fullmatch(size):
        known["size"] = size
    return known


def write_video(task: TaskSnapshot) -> dict[str, Any]:
    """Write a task as a video."""
    result = task.result
    echo = _echo(task)
    return {
        "id": task.public_id,
        "object": "video",
        "model": task.model,
        "status": _STATUS_WORDS[task.status],
        "progress": task.progress,
        "created_at": unix_seconds(task.created_at),
        "completed_at": unix_seconds(task.finished_at),
        "expires_at": unix_seconds(result.expires_at) if result else None,
        # A vendor's own body goes on unread, and its dialect keeps a copy of the words.
        "prompt": task.asked.get("prompt") or task.echo.get("prompt") or None,
        "seconds": _seconds(task),
        "size": _told_size(task),
        "remixed_from_video_id": echo.get("remixed_from_video_id"),
        "error": write_failure(failure_of(task)),
        "url": result.url if result else None,
        "metadata": {
            **choices_of(task),
            **facts_of(result),
            "seed": seed_of(task, result),
            **(cost := cost_of(task)),
        },
        "urls": write_urls(task.public_id, PATH),
        "warnings": write_warnings(task),
        **({"usage": {"cost": float(cost["cost"]["amount"])}} if cost else {}),
    }


def write_deleted(video_id: str) -> dict[str, Any]:
    """Write that a video is gone."""
    return {"id": video_id, "object": "video.deleted", "deleted": True}


def _echo(task: TaskSnapshot) -> Mapping[str, Any]:
    """What was asked for in this dialect; another's words are not ours."""
    return task.echo if task.dialect == DIALECT else {}


def _seconds(task: TaskSnapshot) -> str:
    return _echo(task).get("seconds") or _length(task)


def _told_size(task: TaskSnapshot) -> str:
    return _echo(task).get("size") or _size(task)


def _length(task: TaskSnapshot) -> str:
    """Seconds as text: as asked for, else whole ones of what runs, else of what was measured.

    Clients read a whole number out of it, and a clip that is called 5 lasts 5.041.
    """
    asked = task.asked.get("duration_seconds")
    if asked is not None:
        return str(plain_number(asked))
    result = task.result
    for seconds in (
        task.facts.get("duration_seconds"),
        result.duration_seconds if result else None,
    ):
        if seconds is not None:
            return str(max(round(seconds), 1))
    return _UNSAID


def _size(task: TaskSnapshot) -> str:
    """Pixels: asked for, else measured; where neither is known, the tier that runs."""
    asked, result = task.asked, task.result
    if asked.get("width") and asked.get("height"):
        return f"{asked['width']}x{asked['height']}"
    if asked.get("aspect_ratio"):
        return str(asked["aspect_ratio"])
    if result and result.width and result.height:
        return f"{result.width}x{result.height}"
    return str(task.facts.get("resolution") or _UNSAID)
