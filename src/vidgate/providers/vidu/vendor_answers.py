"""A task as Vidu's own query would answer it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from vidgate.models.tasks import TaskSnapshot, TaskStatus
from vidgate.providers.draft import to_whole
from vidgate.providers.vidu.endpoints import ENDPOINTS, FIRST_LAST_FRAME

__all__ = ["to_native"]

_STATES: Mapping[TaskStatus, str] = {
    TaskStatus.QUEUED: "queueing",
    TaskStatus.IN_PROGRESS: "processing",
    TaskStatus.SUCCEEDED: "success",
    TaskStatus.FAILED: "failed",
    TaskStatus.CANCELLED: "failed",
}
"""The vendor has no state of its own for a cancelled job, but an error code."""

_CODES: Mapping[str, str] = {
    "cancelled": "UserCancelled",
    "content_policy_violation": "CreationPolicyViolation",
    "invalid_parameter": "FieldInvalid",
    "unsupported_parameter": "FieldInvalid",
}
_FAULT = "InternalServiceFailure"

_TYPES: Mapping[str, str] = {
    **{one.model or one.action.value: one.name for one in ENDPOINTS.values()},
    FIRST_LAST_FRAME.action.value: "headtailimg2video",
}
"""By the model where the endpoint has one of its own, else by the action."""


def to_native(task: TaskSnapshot) -> dict[str, Any]:
    """Write it, with our ids for the vendor's."""
    payload = task.echo.get("payload")
    action = task.details.get("action")
    action = action if isinstance(action, str) else ""
    code = "" if task.error is None else _CODES.get(task.error.code, _FAULT)
    if task.status is TaskStatus.CANCELLED:
        code = _CODES["cancelled"]
    return {
        "id": task.public_id,
        "type": _TYPES.get(task.upstream_model or "") or _TYPES.get(action, action),
        "model": task.model,
        "state": _STATES[task.status],
        "err_code": code,
        "err_msg": "" if task.error is None else task.error.message,
        "credits": _credits(task),
        "payload": payload if isinstance(payload, str) else "",
        "off_peak": task.details.get("off_peak") is True,
        "progress": task.progress,
        "creations": _creations(task),
    }


def _credits(task: TaskSnapshot) -> int | float:
    costs = [
        Decimal(output.result.cost)
        for output in task.outputs
        if output.result and output.result.cost and output.result.cost_unit == "credits"
    ]
    total = sum(costs, Decimal(0))
    return int(total) if total == total.to_integral_value() else float(total)


def _creations(task: TaskSnapshot) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{task.public_id}_{number}",
            "url": result.url,
            "cover_url": result.cover_url or "",
            "watermarked_url": result.watermarked_url or "",
            "video": {
                "duration": result.duration_seconds and to_whole(result.duration_seconds),
                "fps": result.fps and to_whole(result.fps),
                "resolution": {"width": result.width, "height": result.height},
            },
        }
        for number, output in enumerate(task.outputs)
        if (result := output.result) is not None
    ]
