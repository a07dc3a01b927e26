"""What all vendor-neutral dialects write of a task in the same way."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from vidgate.constants import LIST_BYTES
from vidgate.models.money import format_amount
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import TaskError, TaskPage, TaskSnapshot, TaskStatus

__all__ = [
    "Part",
    "choices_of",
    "cost_of",
    "encode",
    "facts_of",
    "failure_of",
    "plain_number",
    "seed_of",
    "unix_seconds",
    "write_failure",
    "write_list",
    "write_part",
    "write_warnings",
]

_CANCELLED = TaskError("cancelled", "The task was cancelled.")


def encode(answer: Mapping[str, Any]) -> bytes:
    """Write an answer as JSON."""
    try:
        return orjson.dumps(answer)
    except TypeError:  # an integer of more than 64 bits, which only a client can have sent
        return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Part:
    """As much of a list as one answer holds.

    Attributes:
        entries: Written; to be put in an answer that `encode` writes.
        names: The ids of those tasks.
        is_cut: Whether some were left out.
    """

    entries: list[orjson.Fragment]
    names: list[str]
    is_cut: bool


def write_part(
    tasks: Iterable[TaskSnapshot], write: Callable[[TaskSnapshot], Mapping[str, Any]]
) -> Part:
    """Write tasks as entries of a list, until the answer is long enough; at least one."""
    entries: list[orjson.Fragment] = []
    names: list[str] = []
    size = 0
    for task in tasks:
        entry = encode(write(task))
        size += len(entry) + 1
        if entries and size > LIST_BYTES:
            return Part(entries, names, is_cut=True)
        entries.append(orjson.Fragment(entry))
        names.append(task.public_id)
    return Part(entries, names, is_cut=False)


def write_list(
    page: TaskPage,
    write: Callable[[TaskSnapshot], Mapping[str, Any]],
    *,
    is_backwards: bool = False,
) -> dict[str, Any]:
    """Write a part of a list as OpenAI's are, for `encode`.

    Args:
        page: What was found.
        write: Writes a task.
        is_backwards: Whether what is too long is cut at its beginning.
    """
    part = write_part(page.tasks[::-1] if is_backwards else page.tasks, write)
    if is_backwards:
        part = Part(part.entries[::-1], part.names[::-1], part.is_cut)
    return {
        "object": "list",
        "data": part.entries,
        "first_id": part.names[0] if part.names else None,
        "last_id": part.names[-1] if part.names else None,
        "has_more": page.has_more or part.is_cut,
    }


def write_warnings(task: TaskSnapshot) -> list[dict[str, Any]]:
    """Write what was not done to the letter; empty where all was."""
    return [
        {"code": warning.code.value, "param": warning.param, "message": warning.message}
        for warning in task.warnings
    ]


def choices_of(task: TaskSnapshot) -> dict[str, Any]:
    """What was chosen for a task, and what became of its client's own deadline."""
    choices = {"upstream_model": task.upstream_model, **task.details}
    if task.cancel_after is not None:
        choices["cancel_after"] = task.cancel_after
    return choices


def cost_of(task: TaskSnapshot) -> dict[str, Any]:
    """What a task costs its client, as the member `cost`; no member where there are no prices."""
    cost = task.cost
    if cost is None:
        return {}
    state, micros = "reserved", cost.reserved_micros
    if task.status.is_final:
        micros = cost.charged_micros
        state = "settled" if micros else "released"
    made = [output.result for output in task.outputs if output.result is not None]
    lengths = [result.duration_seconds for result in made if result.duration_seconds is not None]
    units = [units for result in made if (units := _to_decimal(result.cost)) is not None]
    return {
        "cost": {
            "amount": format_amount(micros),
            "currency": cost.currency,
            "micros": micros,
            "state": state,
            "seconds": plain_number(round(sum(lengths), 3)) if lengths else None,
            "units": str(sum(units)) if units else None,
        }
    }


def _to_decimal(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return None


def facts_of(result: VideoResult | None) -> dict[str, Any]:
    """What a video really is; what is not known is null."""
    return {
        "duration": plain_number(result.duration_seconds) if result else None,
        "fps": plain_number(result.fps) if result else None,
        "height": result.height if result else None,
        "width": result.width if result else None,
    }


def seed_of(task: TaskSnapshot, result: VideoResult | None) -> int | None:
    """The one reported, else the one asked for."""
    return task.seed if result is None or result.seed is None else result.seed


def failure_of(task: TaskSnapshot) -> TaskError | None:
    """Why there is no video, `None` where there may be one."""
    match task.status:
        case TaskStatus.CANCELLED:
            return TaskError(_CANCELLED.code, (task.error or _CANCELLED).message)
        case TaskStatus.FAILED:
            return task.error or TaskError("task_failed", "The task failed.")
        case _:
            return None


def write_failure(error: TaskError | None) -> dict[str, str] | None:
    """Write a failure as `code` and `message`."""
    return {"code": error.code, "message": error.message} if error else None


def plain_number(number: float | None) -> int | float | None:
    """5 rather than 5.0."""
    return int(number) if number is not None and number == int(number) else number


def unix_seconds(moment: datetime | None) -> int | None:
    """A moment as whole Unix seconds."""
    return None if moment is None else int(moment.timestamp())
