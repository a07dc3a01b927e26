"""The query of Vidu's list of tasks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.datastructures import QueryParams

from vidgate.exceptions import InvalidParameterError
from vidgate.models.tasks import TaskQuery, TaskStatus

__all__ = ["PARAMETERS", "Listing", "read_listing"]

_PROVIDER = "vidu"
_WINDOW = timedelta(days=7)
"""How far the vendor looks back by default."""

_DEFAULT_SIZE = 10
_LARGEST_SIZE = 100
_LARGEST_PAGE = 10_000
_MOST_IDS = 100

_STATES: Mapping[str, tuple[TaskStatus, ...]] = {
    "created": (TaskStatus.QUEUED,),
    "queueing": (TaskStatus.QUEUED,),
    "processing": (TaskStatus.IN_PROGRESS,),
    "success": (TaskStatus.SUCCEEDED,),
    "failed": (TaskStatus.FAILED, TaskStatus.CANCELLED),
}

_UNESCAPED_PLUS = re.compile(r" (?=\d{2}:?\d{2}$)")

_UNSUPPORTED = ("templates", "model_versions", "resolutions")
"""Filters of the vendor's that we cannot honour, and do not ignore."""

PARAMETERS: Mapping[str, tuple[str, str]] = {
    "created_at.from": ("string", "The earliest moment of creation; 7 days ago by default."),
    "created_at.to": ("string", "The latest moment of creation."),
    "task_ids[]": ("array", "These tasks alone."),
    "states[]": ("array", "`created`, `queueing`, `processing`, `success`, `failed`."),
    "pager.page": (
        "integer",
        "From 0. Goes on where the page before it ended, within 5 minutes; alone, it takes time.",
    ),
    "pager.pagesz": ("integer", "From 1 to 100; 10 by default."),
    "pager.page_token": ("string", "`next_page_token` of the answer before."),
}
"""Type and description of each, for the documentation."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is to be listed.

    Attributes:
        task_ids: These alone, without regard to the query's pages; `None` for all.
    """

    query: TaskQuery
    task_ids: tuple[str, ...] | None = None


def read_listing(parameters: QueryParams, now: datetime) -> Listing:
    """Read the query of `GET /ent/v2/tasks`.

    Raises:
        InvalidParameterError: A parameter is impossible, or a filter one that we do not have.
    """
    for name in _UNSUPPORTED:
        if _several(parameters, name):
            raise InvalidParameterError(
                f"Tasks cannot be filtered by {name} here; leave it out, and filter the answer.",
                param=name,
            )
    # The documentation writes `paper`, and its clients `pager`.
    size = _number(parameters, "pagesz", least=1, most=_LARGEST_SIZE, default=_DEFAULT_SIZE)
    page = _number(parameters, "page", least=0, most=_LARGEST_PAGE, default=0)
    token = parameters.get("pager.page_token") or parameters.get("paper.page_token") or None
    statuses = [status for word in _several(parameters, "states") for status in _statuses(word)]
    created_until = _moment(parameters, "created_at.to")
    query = TaskQuery(
        after=token,
        offset=0 if token else page * size,
        limit=size,
        statuses=tuple(dict.fromkeys(statuses)),
        origin=_PROVIDER,
        created_from=_moment(parameters, "created_at.from") or now - _WINDOW,
        # Ours leaves the latest moment out, and the vendor's takes it in.
        created_until=created_until and created_until + timedelta(microseconds=1),
    )
    task_ids = tuple(dict.fromkeys(_several(parameters, "task_ids")))
    if len(task_ids) > _MOST_IDS:
        raise InvalidParameterError(f"At most {_MOST_IDS} task_ids.", param="task_ids")
    return Listing(query, task_ids or None)


def _several(parameters: QueryParams, name: str) -> list[str]:
    return parameters.getlist(f"{name}[]") + parameters.getlist(name)


def _statuses(word: str) -> tuple[TaskStatus, ...]:
    if word not in _STATES:
        raise InvalidParameterError(f"states must be of {', '.join(_STATES)}.", param="states")
    return _STATES[word]


def _number(parameters: QueryParams, name: str, *, least: int, most: int, default: int) -> int:
    text = parameters.get(f"pager.{name}") or parameters.get(f"paper.{name}")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or not least <= int(text[:20]) <= most:
        raise InvalidParameterError(
            f"pager.{name} must be from {least} to {most}.", param=f"pager.{name}"
        )
    return int(text)


def _moment(parameters: QueryParams, name: str) -> datetime | None:
    text = parameters.get(name)
    if not text:
        return None
    try:
        # A plus sign that was not escaped arrives as a space.
        moment = datetime.fromisoformat(_UNESCAPED_PLUS.sub("+", text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidParameterError(
            f"{name} must be a time such as 2026-11-20T08:00:00Z.", param=name
        ) from None
