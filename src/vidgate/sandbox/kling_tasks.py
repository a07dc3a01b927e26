"""Kling: how its two generations show a task, in answers and in callbacks.

Rules enforced here: `status`/`succeeded`, `outputs` and `billing` on `/tasks`;
`task_status`/`succeed`, `task_result` and `final_unit_deduction` on `/v1`; 18-digit string ids,
millisecond times, string durations (none for effects); a callback is the bare task object, without
the envelope.
"""

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from vidgate.sandbox.callbacks import Subscription
from vidgate.sandbox.jobs import Job, Phase
from vidgate.sandbox.kling_callbacks import signed_headers
from vidgate.sandbox.kling_options import KlingOptions
from vidgate.sandbox.words import NO_URL, UNKNOWN_STATE, UNKNOWN_STATE_WORD
from vidgate.sandbox.world import World

__all__ = ["follow", "legacy_created", "legacy_task", "milliseconds", "new_created", "new_task"]

_LINK_SECONDS = 30 * 24 * 3600.0

_NEW_STATES: Mapping[Phase, str] = {
    Phase.QUEUED: "submitted",
    Phase.RUNNING: "processing",
    Phase.SUCCEEDED: "succeeded",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "failed",
}
_LEGACY_STATES: Mapping[Phase, str] = {**_NEW_STATES, Phase.SUCCEEDED: "succeed"}

_RISK = "Failure to pass the risk control system"
_BROKEN = "Service busy, the task failed"


def new_created(job: Job) -> dict[str, Any]:
    """The answer to a create call of the new generation."""
    times = milliseconds(job.created_at)
    created: dict[str, Any] = {"id": job.job_id, "status": "submitted", "message": ""}
    if job.correlation:
        created["external_id"] = job.correlation
    return {**created, "create_time": times, "update_time": times}


def legacy_created(job: Job) -> dict[str, Any]:
    """The answer to a create call of the legacy generation."""
    times = milliseconds(job.created_at)
    return {
        "task_id": job.job_id,
        "task_status": "submitted",
        "task_info": _task_info(job),
        "created_at": times,
        "updated_at": times,
    }


def new_task(world: World, job: Job, now: float, base_url: str) -> dict[str, Any]:
    """A task as `/tasks` shows it; of either generation."""
    phase = job.phase(now)
    task: dict[str, Any] = {
        "id": job.job_id,
        "status": _state(job, phase, _NEW_STATES),
        "message": _failure_text(job, phase),
        "create_time": milliseconds(job.created_at),
        "update_time": milliseconds(job.changed_at(now)),
    }
    if job.correlation:
        task["external_id"] = job.correlation
    if phase is Phase.SUCCEEDED:
        task["outputs"] = [{"type": "video", **_output(world, job, now, base_url)}]
        task["billing"] = [
            {"charge_type": "unit", "amount": str(job.charge), "package_type": "video"}
        ]
    return task


def legacy_task(world: World, job: Job, now: float, base_url: str) -> dict[str, Any]:
    """A task as its `/v1` path shows it."""
    phase = job.phase(now)
    task: dict[str, Any] = {
        "task_id": job.job_id,
        "task_status": _state(job, phase, _LEGACY_STATES),
        "task_status_msg": _failure_text(job, phase),
        "task_info": _task_info(job),
        "watermark_info": {"enabled": job.details["watermark"]},
        "created_at": milliseconds(job.created_at),
        "updated_at": milliseconds(job.changed_at(now)),
    }
    if phase is Phase.SUCCEEDED:
        video = {**_output(world, job, now, base_url), **job.details["extra"]}
        task["task_result"] = {"videos": [video]}
        task["final_unit_deduction"] = str(job.charge)
    return task


def follow(world: World, job: Job, url: str, base_url: str, *, is_legacy: bool) -> None:
    """Send every change of the task's state to `url`, in the shape of its generation."""
    shape = legacy_task if is_legacy else new_task

    def headers(body: bytes, now: float, flaws: Collection[str]) -> dict[str, str]:
        secret = world.settings.of(KlingOptions).callback_secret
        return signed_headers(secret, f"msg_{uuid.uuid4().hex}", body, now, flaws)

    world.callbacks.follow(
        job,
        Subscription(
            url=url,
            phases=frozenset(Phase),
            body=lambda at: shape(world, job, at, base_url),
            headers=headers,
        ),
    )


def milliseconds(seconds: float) -> int:
    """A time as Kling writes it."""
    return round(seconds * 1000)


def _output(world: World, job: Job, now: float, base_url: str) -> dict[str, Any]:
    def url(name: str) -> str:
        return world.result_url(job, name, _LINK_SECONDS, base_url, job.changed_at(now))

    output: dict[str, Any] = {"id": job.details["video_id"]}
    if NO_URL not in job.words:
        output["url"] = url("video.mp4")
    if job.details["watermark"]:
        output["watermark_url"] = url("watermarked.mp4")
    if job.details["has_duration"]:
        output["duration"] = f"{int(job.clip.seconds * 1000) / 1000:.3f}"
    return output


def _task_info(job: Job) -> dict[str, str]:
    return {"external_task_id": job.correlation} if job.correlation else {}


def _state(job: Job, phase: Phase, states: Mapping[Phase, str]) -> str:
    if phase is Phase.RUNNING and UNKNOWN_STATE in job.words:
        return UNKNOWN_STATE_WORD
    return states[phase]


def _failure_text(job: Job, phase: Phase) -> str:
    if phase not in {Phase.FAILED, Phase.CANCELLED}:
        return ""
    return _RISK if "late-audit" in job.words else _BROKEN
