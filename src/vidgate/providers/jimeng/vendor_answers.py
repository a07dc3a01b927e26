"""A task as `CVSync2AsyncGetResult` would answer it, with our ids.

As there, a task that failed has no status word but a code: 50412 where its content was refused,
50215 where its input was, 50520 for the rest, a cancelled one too, with the sentence that a client
may read.
"""

from typing import Any

from vidgate.models.tasks import TaskSnapshot, TaskStatus
from vidgate.providers.jimeng.answers import SUCCESS

__all__ = ["to_native"]

_STATUS_WORDS = {
    TaskStatus.QUEUED: "in_queue",
    TaskStatus.IN_PROGRESS: "generating",
    TaskStatus.SUCCEEDED: "done",
}
"""The rest has no word: it shows as a code."""

_FAILURE_CODES = {"content_policy_violation": 50412, "invalid_parameter": 50215}
_FAILED = 50520
"""What a failure of another kind is called. It is one of the codes with which the service ends a
task: 50500 says no more than that asking again may help, and would be asked again for hours.

Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20
"""


def to_native(task: TaskSnapshot) -> dict[str, Any]:
    """Write it."""
    code, message = SUCCESS, "Success"
    data: dict[str, Any] | None = None
    if word := _STATUS_WORDS.get(task.status):
        data = {"status": word}
        if task.status is TaskStatus.SUCCEEDED:
            data |= {"video_url": task.result.url if task.result else "", "aigc_meta_tagged": False}
    elif task.error is not None:
        code, message = _FAILURE_CODES.get(task.error.code, _FAILED), task.error.message
    else:
        is_cancelled = task.status is TaskStatus.CANCELLED
        code, message = _FAILED, f"The task {'was cancelled' if is_cancelled else 'failed'}."
    return {
        "code": code,
        "data": data,
        "message": message,
        "request_id": task.public_id,
        "status": code,
        "time_elapsed": "0ms",
    }
