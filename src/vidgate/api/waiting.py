"""Waiting for a task: `?wait=` on a GET, `Prefer: wait=` on a POST."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from vidgate.api.dependencies import Services
from vidgate.api.later import until_gone
from vidgate.api.preferences import preferred_wait
from vidgate.constants import WAIT_MOST
from vidgate.exceptions import (
    DatabaseUnavailableError,
    InvalidParameterError,
    TaskNotFoundError,
    TooManyWaitersError,
)
from vidgate.models.accounts import Caller
from vidgate.models.tasks import TaskSnapshot
from vidgate.services.tasks.creating import Created
from vidgate.services.views.cache import is_large

__all__ = ["WAIT", "Waited", "read_wait", "wait_as_preferred"]

_MOST: Final = int(WAIT_MOST.total_seconds())
_SECONDS: Final = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,6})?")

WAIT: dict[str, Any] = {
    "name": "wait",
    "in": "query",
    "description": (
        "Seconds to wait until the task is finished, or with `If-None-Match` until its state is "
        "another one; then it is answered as it stands, an unchanged state with 304."
    ),
    "schema": {"type": "number", "minimum": 0, "maximum": _MOST},
}


def read_wait(scope: Scope) -> float:
    """Read the seconds that `?wait=` asks for; 0 without it.

    Raises:
        InvalidParameterError: It is no number from 0 to 60.
    """
    query: bytes = scope["query_string"]
    if b"wait" not in query:
        return 0.0
    values = [
        value
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        if name == "wait"
    ]
    if not values:
        return 0.0
    if not all(_SECONDS.fullmatch(value) and float(value) <= _MOST for value in values):
        raise InvalidParameterError(
            f"wait must be a number of seconds from 0 to {_MOST}.", param="wait"
        )
    return float(values[0])


@dataclass(frozen=True, slots=True)
class Waited:
    """What a creating POST answers with.

    Attributes:
        created: With the state of its task after the wait.
        headers: That say of the wait; empty where none was asked for or to be had.
    """

    created: Created
    headers: dict[str, str]


async def wait_as_preferred(
    request: Request, caller: Caller, services: Services, created: Created, *, began: datetime
) -> Waited:
    """Wait for a new task as `Prefer: wait=` asks. Nothing that happens here is an error.

    The task exists: a client that was told otherwise would make another one.

    Args:
        request: What asks.
        caller: Who asks.
        services: Of this process.
        created: What it made.
        began: Database time, when the request had come; the wait is counted from there.

    Raises:
        ClientDisconnect: Nobody is there to be answered any more.
    """
    wait = preferred_wait(request)
    # Who waits holds what was made; a token must not fill the memory with that.
    if wait is None or is_large(created.snapshot):
        return Waited(created, {})
    applied = {"Preference-Applied": f"wait={wait}"}
    try:
        view = await services.waiters.wait(
            created.snapshot.public_id,
            caller,
            seconds=wait - (services.clock.now() - began).total_seconds(),
            until=_is_final,
            gone=partial(until_gone, request.receive),
        )
    except TooManyWaitersError:
        return Waited(created, {})
    except (DatabaseUnavailableError, TaskNotFoundError):
        return Waited(created, applied)
    if view is None:
        raise ClientDisconnect
    return Waited(replace(created, snapshot=view.snapshot), applied)


def _is_final(task: TaskSnapshot) -> bool:
    return task.status.is_final
