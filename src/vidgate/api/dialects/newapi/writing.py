"""Tasks, as the new-api dialect answers them."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskSnapshot, TaskStatus

__all__ = ["NativeAnswer", "encode", "write_created", "write_task"]

NativeAnswer = Callable[[TaskSnapshot], Mapping[str, Any]]
"""Writes a task as its provider would."""

_STATUS_WORDS = {
    TaskStatus.QUEUED: "processing",
    TaskStatus.IN_PROGRESS: "processing",
    TaskStatus.SUCCEEDED: "succeeded",
    TaskStatus.FAILED: "failed",
    TaskStatus.CANCELLED: "failed",
}
"""The three documented words."""

_ENVELOPE_WORDS = {
    TaskStatus.QUEUED: "QUEUED",
    TaskStatus.IN_PROGRESS: "IN_PROGRESS",
    TaskStatus.SUCCEEDED: "SUCCESS",
    TaskStatus.FAILED: "FAILURE",
    TaskStatus.CANCELLED: "FAILURE",
}

_ACTION_WORDS = {
    "text": "textGenerate",
    "text2video": "textGenerate",
    "first_frame": "generate",
    "image2video": "generate",
    "img2video": "generate",
    "first_last_frame": "firstTailGenerate",
    "start-end2video": "firstTailGenerate",
    "references": "referenceGenerate",
    "reference2video": "referenceGenerate",
}
"""What clients of deployed servers compare `data.action` with."""

_CANCELLED = TaskError("cancelled", "The task was cancelled.")


def encode(answer: Mapping[str, Any]) -> bytes:
    """Write an answer as JSON."""
    try:
        return orjson.dumps(answer)
    except TypeError:  # an integer of more than 64 bits, which only a client can have sent
        return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def write_created(task: TaskSnapshot) -> dict[str, Any]:
    """Write the answer to the POST that made a task."""
    return {
        "id": task.public_id,
        "task_id": task.public_id,
        "object": "video",
        "model": task.model,
        "status": _STATUS_WORDS[task.status],
        "progress": task.progress,
        "created_at": _seconds(task.created_at),
        "metadata": {"upstream_model": task.upstream_model, **task.details},
    }


def write_task(task: TaskSnapshot, native_answer: NativeAnswer | None) -> dict[str, Any]:
    """Write a task for a GET: the documented members, ours, and the envelope.

    Args:
        task: As it stands.
        native_answer: What goes inside the envelope, `None` to leave it out altogether.
    """
    result = task.result
    error = _error(task)
    answer = {
        "id": task.public_id,
        "task_id": task.public_id,
        "status": _STATUS_WORDS[task.status],
        "url": result.url if result else None,
        "format": "mp4",
        "metadata": {
            "upstream_model": task.upstream_model,
            **task.details,
            **_facts(result),
            "seed": _seed(task, result),
        },
        "error": _write_error(error),
        "progress": task.progress,
        "model": task.model,
        "created_at": _seconds(task.created_at),
        "completed_at": _seconds(task.finished_at),
        "expires_at": _seconds(result.expires_at) if result else None,
    }
    if native_answer is not None:
        answer |= _envelope(task, error, native_answer)
    return answer


def _envelope(
    task: TaskSnapshot, error: TaskError | None, native_answer: NativeAnswer
) -> dict[str, Any]:
    url = task.result.url if task.result else ""
    action = task.details.get("action")
    return {
        "code": "success",
        "message": "",
        "data": {
            "task_id": task.public_id,
            "action": _ACTION_WORDS.get(action, action) if isinstance(action, str) else None,
            "status": _ENVELOPE_WORDS[task.status],
            "fail_reason": error.message if error else "",
            "result_url": url,
            "url": url,
            "submit_time": _seconds(task.created_at),
            # Deployed servers write 0 for what has not happened.
            "start_time": _seconds(task.started_at) or 0,
            "finish_time": _seconds(task.finished_at) or 0,
            "progress": f"{task.progress}%",
            "videos": [_video(task, output) for output in task.outputs if output.status.is_final],
            "data": native_answer(task),
        },
    }


def _video(task: TaskSnapshot, output: OutputSnapshot) -> dict[str, Any]:
    result = output.result
    return {
        "url": result.url if result else None,
        "cover_url": result.cover_url if result else None,
        "watermarked_url": result.watermarked_url if result else None,
        **_facts(result),
        # One seed that was asked for says nothing of several videos.
        "seed": _seed(task, result) if len(task.outputs) == 1 else result and result.seed,
        "expires_at": _seconds(result.expires_at) if result else None,
        "error": _write_error(output.error),
    }


def _seed(task: TaskSnapshot, result: VideoResult | None) -> int | None:
    """The one reported, else the one asked for."""
    return task.seed if result is None or result.seed is None else result.seed


def _facts(result: VideoResult | None) -> dict[str, Any]:
    """What a video really is; what is not known is null."""
    return {
        "duration": _plain(result.duration_seconds) if result else None,
        "fps": _plain(result.fps) if result else None,
        "height": result.height if result else None,
        "width": result.width if result else None,
    }


def _error(task: TaskSnapshot) -> TaskError | None:
    match task.status:
        case TaskStatus.CANCELLED:
            return TaskError(_CANCELLED.code, (task.error or _CANCELLED).message)
        case TaskStatus.FAILED:
            return task.error or TaskError("task_failed", "The task failed.")
        case _:
            return None


def _write_error(error: TaskError | None) -> dict[str, str] | None:
    return {"code": error.code, "message": error.message} if error else None


def _plain(number: float | None) -> int | float | None:
    """5 rather than 5.0."""
    return int(number) if number is not None and number == int(number) else number


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
