"""A task as `GET /v1/videos/{id}` would answer it, with our ids."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from vidgate.models.tasks import TaskSnapshot, TaskStatus

__all__ = ["to_native"]

_STATUSES: Mapping[TaskStatus, str] = {
    TaskStatus.QUEUED: "queued",
    TaskStatus.IN_PROGRESS: "in_progress",
    TaskStatus.SUCCEEDED: "completed",
    TaskStatus.FAILED: "failed",
    TaskStatus.CANCELLED: "failed",
}
"""The format has no word for a cancelled job, but an error's code."""


def to_native(task: TaskSnapshot) -> dict[str, Any]:
    """Write the format's video object, and the URL beside it as gateways do."""
    result = task.result
    error = None
    if task.error is not None:
        error = {"code": task.error.code, "message": task.error.message}
    elif task.status is TaskStatus.CANCELLED:
        error = {"code": "cancelled", "message": "The task was cancelled."}
    is_done = task.status is TaskStatus.SUCCEEDED
    answer: dict[str, Any] = {
        "id": task.public_id,
        "object": "video",
        "model": task.model,
        "status": _STATUSES[task.status],
        "progress": 100 if is_done else task.progress,
        "created_at": _seconds(task.created_at),
        "completed_at": _seconds(task.finished_at) if is_done else None,
        "expires_at": _seconds(result.expires_at) if result else None,
        "prompt": task.asked.get("prompt"),
        "seconds": _number(task.asked.get("duration_seconds", task.facts.get("duration_seconds"))),
        "size": _size(task),
        "remixed_from_video_id": None,
        "error": error,
    }
    if result is not None:
        answer["url"] = result.url
    return answer


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _number(value: Any) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g}" if is_number else None


def _size(task: TaskSnapshot) -> str | None:
    width, height = task.asked.get("width"), task.asked.get("height")
    if width is None and task.result is not None:
        width, height = task.result.width, task.result.height
    return f"{width}x{height}" if width and height else None
