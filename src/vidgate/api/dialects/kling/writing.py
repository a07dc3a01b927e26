"""Tasks, as Kling answers them, and beside Kling's envelope what every dialect of ours has."""

from typing import Any

import structlog

from vidgate.api.writing import write_part
from vidgate.models.tasks import TaskPage, TaskSnapshot, TaskStatus
from vidgate.providers.kling.vendor_answers import (
    envelope,
    legacy_created,
    legacy_entry,
    new_created,
    new_entry,
)

__all__ = [
    "GENERATION",
    "NEW_GENERATION",
    "request_id",
    "write_callback",
    "write_created",
    "write_legacy_list",
    "write_legacy_task",
    "write_page",
    "write_tasks",
]

_STATUS_WORDS = {
    TaskStatus.QUEUED: "processing",
    TaskStatus.IN_PROGRESS: "processing",
    TaskStatus.SUCCEEDED: "succeeded",
    TaskStatus.FAILED: "failed",
    TaskStatus.CANCELLED: "failed",
}


GENERATION = "generation"
"""In what is kept with a task: of which generation the path was that made it."""

NEW_GENERATION = "new"


def request_id() -> str:
    """The id of the request that is being answered."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def write_created(task: TaskSnapshot, *, is_new: bool) -> dict[str, Any]:
    """Write the answer to the POST that made a task."""
    return _answer(task, new_created(task) if is_new else legacy_created(task))


def write_legacy_task(task: TaskSnapshot) -> dict[str, Any]:
    """Write a task for a GET of the legacy generation."""
    return _answer(task, legacy_entry(task))


def write_legacy_list(page: TaskPage) -> dict[str, Any]:
    """Write a numbered page of the legacy generation."""
    return envelope([legacy_entry(task) for task in page.tasks], request_id())


def write_tasks(tasks: list[TaskSnapshot]) -> dict[str, Any]:
    """Write the tasks that were asked for by id."""
    return envelope([new_entry(task) for task in tasks], request_id())


def write_page(page: TaskPage) -> dict[str, Any]:
    """Write a part of the new generation's list, for `encode`."""
    part = write_part(page.tasks, new_entry)
    has_more = page.has_more or part.is_cut
    data = {
        "result": part.entries,
        "count": len(part.entries),
        "next_cursor": part.names[-1] if has_more and part.names else "",
        "has_more": has_more,
    }
    return envelope(data, request_id())


def write_callback(task: TaskSnapshot) -> dict[str, Any]:
    """Write a finished task as Kling calls back about it: bare, in the shape it was made in."""
    return new_entry(task) if task.echo.get(GENERATION) == NEW_GENERATION else legacy_entry(task)


def _answer(task: TaskSnapshot, data: dict[str, Any]) -> dict[str, Any]:
    return {
        **envelope(data, request_id()),
        "id": task.public_id,
        "task_id": task.public_id,
        "object": "video",
        "status": _STATUS_WORDS[task.status],
    }
