"""Tasks as Kling's own queries answer them, in either generation, with our ids for its.

Source: the query sections of https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

from datetime import datetime
from typing import Any, Final

from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import TaskSnapshot, TaskStatus

__all__ = ["envelope", "legacy_created", "legacy_entry", "new_created", "new_entry"]

_LEGACY_WORDS: Final = {
    TaskStatus.QUEUED: "submitted",
    TaskStatus.IN_PROGRESS: "processing",
    TaskStatus.SUCCEEDED: "succeed",
    TaskStatus.FAILED: "failed",
    TaskStatus.CANCELLED: "failed",
}
_NEW_WORDS: Final = {**_LEGACY_WORDS, TaskStatus.SUCCEEDED: "succeeded"}

_EXTERNAL_ID = "external_task_id"
_UNITS = "units"
_BALANCE = "balance"
"""What a price counts, as `jobs` reads it; anything else is a currency."""


def envelope(data: Any, request_id: str) -> dict[str, Any]:
    """Put around an answer what is around every one of Kling's."""
    return {"code": 0, "message": "SUCCEED", "request_id": request_id, "data": data}


def legacy_created(task: TaskSnapshot) -> dict[str, Any]:
    """Write a task as the legacy POST that made it answers it."""
    echo = task.echo
    return {
        "task_id": task.public_id,
        "task_status": "submitted",
        "task_info": {_EXTERNAL_ID: echo[_EXTERNAL_ID]} if _EXTERNAL_ID in echo else {},
        "created_at": _milliseconds(task.created_at),
        "updated_at": _milliseconds(task.created_at),
    }


def legacy_entry(task: TaskSnapshot) -> dict[str, Any]:
    """Write a task as the legacy generation shows it."""
    entry = legacy_created(task) | {
        "task_status": _LEGACY_WORDS[task.status],
        "updated_at": _changed_at(task),
        "task_status_msg": _message(task),
    }
    if task.status is TaskStatus.SUCCEEDED:
        videos = _videos(task)
        entry["task_result"] = {"videos": [video for video, _ in videos]}
        units = [result.cost for _, result in videos if result.cost_unit == _UNITS]
        if len(units) == 1 and units[0] is not None:
            entry["final_unit_deduction"] = units[0]
    return entry


def new_created(task: TaskSnapshot) -> dict[str, Any]:
    """Write a task as the POST of the new generation that made it answers it."""
    echo = task.echo
    return {
        "id": task.public_id,
        "status": "submitted",
        "message": "",
        "create_time": _milliseconds(task.created_at),
        "update_time": _milliseconds(task.created_at),
        **({"external_id": echo[_EXTERNAL_ID]} if _EXTERNAL_ID in echo else {}),
    }


def new_entry(task: TaskSnapshot) -> dict[str, Any]:
    """Write a task as `/tasks` of the new generation shows it."""
    entry = new_created(task) | {
        "status": _NEW_WORDS[task.status],
        "message": _message(task),
        "update_time": _changed_at(task),
    }
    if task.status is TaskStatus.SUCCEEDED:
        videos = _videos(task)
        entry["outputs"] = [{"type": "video", **video} for video, _ in videos]
        entry["billing"] = [_bill(result) for _, result in videos if result.cost is not None]
    return entry


def _message(task: TaskSnapshot) -> str:
    otherwise = "The task was cancelled." if task.status is TaskStatus.CANCELLED else ""
    return (task.error.message if task.error else "") or otherwise


def _videos(task: TaskSnapshot) -> list[tuple[dict[str, Any], VideoResult]]:
    """The videos, numbered by the place of their output, so that they can be named later."""
    videos = []
    for number, output in enumerate(task.outputs):
        result = output.result
        if result is None:
            continue
        video: dict[str, Any] = {"id": f"{task.public_id}_{number}", "url": result.url}
        if result.watermarked_url is not None:
            video["watermark_url"] = result.watermarked_url
        if result.duration_seconds is not None:
            video["duration"] = f"{result.duration_seconds:.3f}".rstrip("0").rstrip(".")
        videos.append((video, result))
    return videos


def _bill(result: VideoResult) -> dict[str, Any]:
    if result.cost_unit == _UNITS:
        return {"charge_type": "unit", "amount": result.cost, "package_type": "video"}
    bill = {"charge_type": "cash", "amount": result.cost, "cash_type": "balance"}
    if result.cost_unit not in (None, _BALANCE):
        bill["currency"] = result.cost_unit
    return bill


def _changed_at(task: TaskSnapshot) -> int:
    return _milliseconds(task.finished_at or task.started_at or task.created_at)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
