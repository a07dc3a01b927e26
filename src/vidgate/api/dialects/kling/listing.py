"""Finding tasks: by our ids, by the client's own, in pages."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from starlette.datastructures import QueryParams

from vidgate.api.dependencies import Services
from vidgate.api.dialects.kling.endpoints import Legacy
from vidgate.api.dialects.kling.external_ids import key_of
from vidgate.exceptions import InvalidParameterError, TaskNotFoundError
from vidgate.models.accounts import Sight
from vidgate.models.ids import parse_public_id
from vidgate.models.tasks import TaskPage, TaskQuery, TaskSnapshot, TaskStatus

__all__ = ["find_many", "find_one", "numbered_page", "page_query", "read_page"]

_EXTERNAL_ID = "external_task_id"
_MOST_IDS = 20
_DEFAULT_SIZE = 30
_LARGEST_PAGE = 500
_LAST_PAGE = 1000
_DEFAULT_LIMIT = 100
_WINDOW = timedelta(days=30)
_LATEST_MS = 253_370_764_800_000
"""The year 9999."""

_SEARCHED = 500
_SEARCHES = 2
"""An id that is no key here, since the task came by another dialect or by an `Idempotency-Key`, is
looked for among the newest thousand tasks."""

_STATUSES: Mapping[str, tuple[TaskStatus, ...]] = MappingProxyType(
    {
        "submitted": (TaskStatus.QUEUED,),
        "processing": (TaskStatus.IN_PROGRESS,),
        "succeeded": (TaskStatus.SUCCEEDED,),
        "failed": (TaskStatus.FAILED, TaskStatus.CANCELLED),
    }
)


async def find_one(services: Services, sight: Sight, name: str) -> TaskSnapshot:
    """Find a task by either id.

    Raises:
        TaskNotFoundError: It does not exist, or belongs to another account.
        DatabaseUnavailableError: It could not be read.
    """
    task = await _by_id(services, sight, name)
    if task is None and parse_public_id("task_", name) is None:
        task = (await _by_external_ids(services, sight, [name])).get(name)
    if task is None:
        raise TaskNotFoundError(f"Task not found by id/external id: {name[:100]}")
    return task


async def find_many(services: Services, sight: Sight, query: QueryParams) -> list[TaskSnapshot]:
    """Find up to 20 tasks, in the order asked for; those that do not exist are left out.

    Raises:
        InvalidParameterError: Too many ids, or not one kind of them.
        DatabaseUnavailableError: They could not be read.
    """
    ids, external_ids = _listed(query, "task_ids"), _listed(query, "external_task_ids")
    if len(ids) + len(external_ids) > _MOST_IDS:
        raise InvalidParameterError(
            "task_ids and external_task_ids cannot exceed 20 in total", param="task_ids"
        )
    if bool(ids) == bool(external_ids):
        raise InvalidParameterError("Give either task_ids or external_task_ids.", param="task_ids")
    found = [_slim(await _by_id(services, sight, name)) for name in ids]
    if external_ids:
        known = await _by_external_ids(services, sight, external_ids)
        found = [_slim(known.get(name)) for name in external_ids]
    return [task for task in found if task is not None]


async def numbered_page(
    services: Services, sight: Sight, endpoint: Legacy, query: QueryParams
) -> TaskPage:
    """Read a page of an endpoint's list, or the one task that has the client's own id.

    Raises:
        InvalidParameterError: There can be no such page.
        DatabaseUnavailableError: It could not be read.
    """
    number = _number(query.get("pageNum"), "pageNum", default=1, least=1, most=_LAST_PAGE)
    size = _number(
        query.get("pageSize"), "pageSize", default=_DEFAULT_SIZE, least=1, most=_LARGEST_PAGE
    )
    if name := query.get(_EXTERNAL_ID):
        found = await _by_external_ids(services, sight, [name]) if number == 1 else {}
        return TaskPage(
            tasks=tuple(task for one in found.values() if (task := _slim(one))), has_more=False
        )
    asked = TaskQuery(
        origin="kling",
        actions=endpoint.actions,
        offset=(number - 1) * size,
        limit=size,
        slim=True,
    )
    return await services.reader.page(sight, asked)


def page_query(fields: Mapping[str, Any], now: datetime) -> TaskQuery | None:
    """Read what list of the new generation is asked for; `None` where it can only be empty.

    Raises:
        InvalidParameterError: A field is impossible.
    """
    limit = _number(
        fields.get("limit"), "limit", default=_DEFAULT_LIMIT, least=1, most=_LARGEST_PAGE
    )
    statuses = _statuses(fields.get("filters"))
    if statuses is None:
        return None
    cursor = fields.get("cursor") or None
    if cursor is not None:
        if not isinstance(cursor, str) or parse_public_id("task_", cursor) is None:
            raise _bad_cursor()
        return TaskQuery(after=cursor, limit=limit, statuses=statuses, slim=True)
    start = _moment(fields.get("start_time"), "start_time")
    end = _moment(fields.get("end_time"), "end_time")
    return TaskQuery(
        limit=limit,
        statuses=statuses,
        slim=True,
        created_from=now - _WINDOW if start is None else start,
        created_until=None if end is None else end + timedelta(milliseconds=1),
    )


async def read_page(services: Services, sight: Sight, query: TaskQuery) -> TaskPage:
    """Read a part of the new generation's list.

    Raises:
        InvalidParameterError: The cursor was not made here.
        DatabaseUnavailableError: It could not be read.
    """
    try:
        return await services.reader.page(sight, query)
    except TaskNotFoundError:
        raise _bad_cursor() from None


async def _by_id(services: Services, sight: Sight, name: str) -> TaskSnapshot | None:
    view = services.reader.cached(name, sight)
    if view is None:
        try:
            view = await services.reader.read(name, sight)
        except TaskNotFoundError:
            return None
    return view.snapshot


def _slim(task: TaskSnapshot | None) -> TaskSnapshot | None:
    """A task without its long members, which Kling does not show."""
    if task is None:
        return None
    echo = {name: value for name, value in task.echo.items() if name == _EXTERNAL_ID}
    return replace(task, echo=echo, asked={})


async def _by_external_ids(
    services: Services, sight: Sight, names: Sequence[str]
) -> dict[str, TaskSnapshot]:
    names = [name for name in names if "\0" not in name]  # as no id has it
    keys = {key_of(name): name for name in names}
    made = await services.reader.of_keys(sight, list(keys))
    found = {keys[key]: task for key, task in made.items()}
    wanted = set(names)
    if found.keys() == wanted:
        return found
    query = TaskQuery(limit=_SEARCHED, slim=True)
    for _ in range(_SEARCHES):
        page = await services.reader.page(sight, query)
        for task in page.tasks:
            name = task.echo.get(_EXTERNAL_ID)
            if isinstance(name, str) and name in wanted:
                found.setdefault(name, task)
        if not page.has_more or found.keys() == wanted:
            break
        query = replace(query, after=page.tasks[-1].public_id)
    return found


def _listed(query: QueryParams, name: str) -> list[str]:
    return [
        item.strip() for value in query.getlist(name) for item in value.split(",") if item.strip()
    ]


def _statuses(filters: Any) -> tuple[TaskStatus, ...] | None:
    """The states that are wanted, all of them if empty; `None` for no video at all."""
    if filters is None:
        return ()
    if not isinstance(filters, list) or not all(isinstance(one, dict) for one in filters):
        raise InvalidParameterError("filters must be a list of objects.", param="filters")
    wanted: list[TaskStatus] = []
    for one in filters:
        values = one.get("values")
        if not isinstance(values, list):
            raise InvalidParameterError("A filter needs a list of values.", param="filters")
        match one.get("key"):
            case "status":
                if not values or any(value not in _STATUSES for value in map(str, values)):
                    raise InvalidParameterError(
                        f"status can be filtered by: {', '.join(_STATUSES)}.", param="filters"
                    )
                wanted += [status for value in values for status in _STATUSES[value]]
            case "product_type":
                if "video" not in values:
                    return None
            case _:
                raise InvalidParameterError(
                    "Tasks can be filtered by status and product_type.", param="filters"
                )
    return tuple(dict.fromkeys(wanted))


def _moment(value: Any, name: str) -> datetime | None:
    if value is None or value == "":
        return None
    milliseconds = _number(value, name, default=0, least=0, most=_LATEST_MS)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _number(value: Any, name: str, *, default: int, least: int, most: int) -> int:
    """A whole number, also one written as text."""
    if value is None or value == "":
        return default
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 18:  # noqa: PLR2004 - more digits are no number that is meant
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidParameterError(f"{name} must be from {least} to {most}.", param=name)
    return value


def _bad_cursor() -> InvalidParameterError:
    return InvalidParameterError(
        "cursor must be the next_cursor of an answer before.", param="cursor"
    )
