"""Vidu: how tasks are shown, in answers, in the list and in callbacks.

Rules enforced here: `created`, `queueing`, `processing`, `success`, `failed` with `err_code`; a
failed or cancelled task costs nothing; `creations` an array, in the list for every second task an
object; `created_at` with 6 or 9 fractional digits; links live 24 h. Callbacks go out on
`processing`, `success` and `failed`, in the shape of the query, signed with the API key of the call
that created the task; the last one is tried three times.
"""

import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from vidgate.sandbox.callbacks import Subscription
from vidgate.sandbox.jobs import FINAL, Job, Phase
from vidgate.sandbox.vidu_callbacks import signed_headers
from vidgate.sandbox.words import NO_URL, UNKNOWN_STATE, UNKNOWN_STATE_WORD
from vidgate.sandbox.world import World

__all__ = ["creations_of", "err_code", "follow", "is_wanted", "listed", "timestamp"]

_LINK_SECONDS = 24 * 3600.0
_TRIES = 3


def creations_of(world: World, job: Job, now: float, base_url: str) -> dict[str, Any]:
    """A task as the query shows it."""
    phase = job.phase(now)
    echo = job.details["echo"]
    error = err_code(job, phase)
    is_done = phase is Phase.SUCCEEDED
    return {
        "id": job.job_id,
        "state": _state(job, phase, now),
        "err_code": error,
        "err_msg": error,
        "credits": 0 if error else job.charge,
        "payload": echo["payload"],
        "bgm": echo["bgm"],
        "off_peak": echo["off_peak"],
        "progress": _progress(job, now),
        "type": job.details["type"],
        "model": job.model,
        "creations": [_creation(world, job, now, base_url)] if is_done else [],
    }


def listed(world: World, job: Job, now: float, base_url: str) -> dict[str, Any]:
    """A task as the list shows it."""
    full = creations_of(world, job, now, base_url)
    creations: Any = full["creations"]
    # The page that documents the list calls this an object; elsewhere it is an array.
    if job.details["is_odd"]:
        creations = creations[0] if creations else {}
    return {
        "id": job.job_id,
        "key_id": f"key-{job.account}",
        "type": full["type"],
        "state": full["state"],
        **job.details["echo"],
        "err_code": full["err_code"],
        "credits": full["credits"],
        "created_at": timestamp(job),
        "creations": creations,
    }


def is_wanted(job: Job, query: Mapping[str, list[str]], now: float) -> bool:
    """Whether a task passes the filters of a list."""
    values = {
        "task_ids": job.job_id,
        "states": _state(job, job.phase(now), now),
        "resolutions": job.details["echo"]["resolution"],
        "model_versions": job.model.removeprefix("vidu"),
        "templates": job.details["echo"].get("template", ""),
    }
    for name, value in values.items():
        wanted = query.get(f"{name}[]", []) + query.get(name, [])
        if wanted and value not in wanted:
            return False
    return True


def follow(world: World, job: Job, url: str, key: str, base_url: str) -> None:
    """Send the task's states to `url`, signed with `key`."""

    def headers(_body: bytes, now: float, flaws: Collection[str]) -> dict[str, str]:
        return signed_headers(key, url, str(uuid.uuid4()), now, flaws)

    world.callbacks.follow(
        job,
        Subscription(
            url=url,
            phases=FINAL | {Phase.RUNNING},
            body=lambda at: creations_of(world, job, at, base_url),
            headers=headers,
            tries=_TRIES,
        ),
    )


def err_code(job: Job, phase: Phase) -> str:
    """Why the task failed; empty if it did not."""
    if phase is Phase.CANCELLED:
        return "UserCancelled"
    return job.late_failure or "" if phase is Phase.FAILED else ""


def timestamp(job: Job) -> str:
    """When the task was created, with 6 or 9 fractional digits."""
    moment = datetime.fromtimestamp(job.created_at, UTC)
    fraction = "428" if job.details["is_odd"] else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}{fraction}Z"


def _creation(world: World, job: Job, now: float, base_url: str) -> dict[str, Any]:
    def url(name: str) -> str:
        return world.result_url(job, name, _LINK_SECONDS, base_url, job.changed_at(now))

    clip = job.clip
    marked = job.details["echo"]["watermark"]
    return {
        "id": job.details["creation_id"],
        "url": "" if NO_URL in job.words else url("video.mp4"),
        "cover_url": "",
        "watermarked_url": url("watermarked.mp4") if marked else "",
        "video": {
            "duration": round(clip.seconds, 2),
            "fps": clip.fps,
            "resolution": {"width": clip.width, "height": clip.height},
        },
        "attachments": [],
    }


def _state(job: Job, phase: Phase, now: float) -> str:
    match phase:
        case Phase.QUEUED:
            is_new = now < job.created_at + job.queue_seconds / 2
            return "created" if is_new else "queueing"
        case Phase.RUNNING:
            return UNKNOWN_STATE_WORD if UNKNOWN_STATE in job.words else "processing"
        case Phase.SUCCEEDED:
            return "success"
        case Phase.FAILED | Phase.CANCELLED:
            return "failed"


def _progress(job: Job, now: float) -> int:
    if now >= job.ends_at:
        return 100
    return max(0, int(99 * (now - job.started_at) / job.run_seconds)) if now > job.started_at else 0
