"""Tasks, as the new-api dialect answers them."""

from collections.abc import Callable, Mapping
from typing import Any

from vidgate.api.links import write_urls
from vidgate.api.writing import (
    choices_of,
    cost_of,
    facts_of,
    failure_of,
    seed_of,
    unix_seconds,
    write_failure,
    write_warnings,
)
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskSnapshot, TaskStatus

__all__ = ["PATH", "NativeAnswer", "write_created", "write_task"]

PATH = "/v1/video/generations"

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


def write_created(task: TaskSnapshot) -> dict[str, Any]:
    """Write the answer to the POST that made a task."""
    return {
        "id": task.public_id,
        "task_id": task.public_id,
        "object": "video",
        "model": task.model,
        "status": _STATUS_WORDS[task.status],
        "progress": task.progress,
        "created_at": unix_seconds(task.created_at),
        "metadata": choices_of(task),
        "urls": write_urls(task.public_id, PATH),
        "warnings": write_warnings(task),
    }


def write_task(task: TaskSnapshot, native_answer: NativeAnswer | None) -> dict[str, Any]:
    """Write a task for a GET: the documented members, ours, and the envelope.

    Args:
        task: As it stands.
        native_answer: What goes inside the envelope, `None` to leave it out altogether.
    """
    result = task.result
    error = failure_of(task)
    answer = {
        "id": task.public_id,
        "task_id": task.public_id,
        "status": _STATUS_WORDS[task.status],
        "url": result.url if result else None,
        "format": "mp4",
        "metadata": {
            **choices_of(task),
            **facts_of(result),
            "seed": seed_of(task, result),
            **cost_of(task),
        },
        "error": write_failure(error),
        "progress": task.progress,
        "model": task.model,
        "created_at": unix_seconds(task.created_at),
        "completed_at": unix_seconds(task.finished_at),
        "expires_at": unix_seconds(result.expires_at) if result else None,
        "urls": write_urls(task.public_id, PATH),
        "warnings": write_warnings(task),
    }
    if native_answer is None:
        return answer | {"data": {"videos": _videos(task)}}
    return answer | _envelope(task, error, native_answer)


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
            "submit_time": unix_seconds(task.created_at),
            # Deployed servers write 0 for what has not happened.
            "start_time": unix_seconds(task.started_at) or 0,
            "finish_time": unix_seconds(task.finished_at) or 0,
            "progress": f"{task.progress}%",
            "videos": _videos(task),
            "data": native_answer(task),
        },
    }


def _videos(task: TaskSnapshot) -> list[dict[str, Any]]:
    """One entry for each video, in order, as soon as what became of one is known."""
    if not any(output.status.is_final for output in task.outputs):
        return []
    return [_video(task, output) for output in task.outputs]


def _video(task: TaskSnapshot, output: OutputSnapshot) -> dict[str, Any]:
    result = output.result
    return {
        "status": _STATUS_WORDS[output.status],
        "url": result.url if result else None,
        "cover_url": result.cover_url if result else None,
        "watermarked_url": result.watermarked_url if result else None,
        **facts_of(result),
        # One seed that was asked for says nothing of several videos.
        "seed": seed_of(task, result) if len(task.outputs) == 1 else result and result.seed,
        "expires_at": unix_seconds(result.expires_at) if result else None,
        "error": write_failure(output.error),
    }
