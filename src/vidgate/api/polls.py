"""Routes that are asked again and again: ready bytes, and when asking again is worthwhile."""

import asyncio
import math
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from starlette.types import Scope, Send
from typing_extensions import override

from vidgate.api.conditions import etag, has_seen
from vidgate.api.dependencies import Services, caller_of, services_of
from vidgate.api.estimates import estimate_of, fill_estimate
from vidgate.api.later import Later, do_later, of_before
from vidgate.api.limits import POLICY_DOCUMENTED
from vidgate.api.links import base_of
from vidgate.api.waiting import WAIT, read_wait
from vidgate.models.tasks import TaskSnapshot
from vidgate.services.views.asking_again import ask_again_after
from vidgate.services.views.reading import TaskView
from vidgate.services.views.waiting import Wait

__all__ = [
    "CONDITIONS",
    "ETAG_DOCUMENTED",
    "POLL_ANSWERS",
    "POLL_HEADERS_DOCUMENTED",
    "REQUEST_ID_DOCUMENTED",
    "answer_poll",
    "body_of",
    "poll_headers",
]

REQUEST_ID_DOCUMENTED: dict[str, Any] = {
    "X-Request-Id": {
        "description": "By which this request is found in the log.",
        "schema": {"type": "string"},
    }
}
POLL_HEADERS_DOCUMENTED: dict[str, Any] = {
    **REQUEST_ID_DOCUMENTED,
    **POLICY_DOCUMENTED,
    "Retry-After": {
        "description": "Seconds until asking again is worthwhile, while the task is unfinished.",
        "schema": {"type": "integer"},
    },
    "openai-poll-after-ms": {
        "description": "The same in milliseconds; SDKs wait as long.",
        "schema": {"type": "integer"},
    },
}

ETAG_DOCUMENTED: dict[str, Any] = {
    "ETag": {
        "description": "Names the state of the task, for `If-None-Match`.",
        "schema": {"type": "string"},
    }
}
POLL_ANSWERS: dict[int | str, Any] = {
    304: {
        "description": "The task is in the state that `If-None-Match` names.",
        "headers": POLL_HEADERS_DOCUMENTED | ETAG_DOCUMENTED,
    }
}
"""What a poll may be answered with beside the task and the errors."""

CONDITIONS: list[dict[str, Any]] = [
    WAIT,
    {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of the state that you have; 304 as long as it is the same.",
        "schema": {"type": "string"},
    },
]
"""The parameters of a poll beside the id."""

_TYPE: Final = (b"content-type", b"application/json")
_HEAD_SECONDS: Final = 0.5
"""When asking again is worthwhile is told by the second, more or less."""


def poll_headers(task: TaskSnapshot, now: datetime) -> dict[str, str]:
    """The headers that say when asking again is worthwhile; none where a task is finished.

    Args:
        task: As it stands.
        now: Database time.
    """
    if task.status.is_final:
        return {}
    seconds = ask_again_after(task, now).total_seconds()
    return {
        "retry-after": str(math.ceil(seconds)),
        "openai-poll-after-ms": str(math.ceil(seconds * 1000)),
    }


async def answer_poll(
    scope: Scope,
    send: Send,
    *,
    task_id: str,
    dialect: str,
    write: Callable[[TaskView, Services], bytes],
) -> None:
    """Answer with a task, from memory where it is there.

    Args:
        scope: Of the request.
        send: Takes the answer.
        task_id: As the client wrote it.
        dialect: By which the bytes are remembered.
        write: Makes them, with the marks of `mark_estimate` in them.

    Raises:
        InvalidParameterError: The wait that is asked for is none.
        TaskNotFoundError: There is no such task, or it is out of sight.
        TooManyWaitersError: The token waits too often already.
        DatabaseUnavailableError: It could not be read.
    """
    services = services_of(scope)
    seen = _if_none_match(scope)
    wait = read_wait(scope) if scope["query_string"] else 0.0
    if wait:
        awaited = await _wait(scope, task_id, seconds=wait, seen=seen)
        if awaited is None:
            return  # and is called again
        view = awaited
    else:
        sight = caller_of(scope).sight
        cached = services.reader.cached(task_id, sight)
        view = cached or await services.reader.read(task_id, sight)
    until, head = view.head or (0.0, [])
    if until < time.monotonic():
        head = _make_head(view, services.clock.now())
    if seen is not None and has_seen(seen, view.snapshot):
        await send({"type": "http.response.start", "status": 304, "headers": list(head)})
        await send({"type": "http.response.body", "body": b""})
        return
    body = await body_of(scope, view, dialect=dialect, write=write)
    headers = [*head, _TYPE, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _make_head(view: TaskView, now: datetime) -> list[tuple[bytes, bytes]]:
    """Make the headers that a state is answered with; the next answers have the same for a while.

    Made for each answer they would be a twentieth of its cost.
    """
    told = poll_headers(view.snapshot, now)
    head = [
        (b"etag", etag(view.snapshot)),
        *((name.encode(), value.encode()) for name, value in told.items()),
    ]
    view.head = time.monotonic() + _HEAD_SECONDS, head
    return head


async def body_of(
    scope: Scope,
    view: TaskView,
    *,
    dialect: str,
    write: Callable[[TaskView, Services], bytes],
    is_patient: bool = True,
) -> bytes:
    """The bytes that a GET of a task answers with.

    They are made once for each state, but for the links and the estimate.

    Args:
        scope: Of the request.
        view: The task as it stands.
        dialect: By which the bytes are remembered.
        write: Makes them, with the marks of `mark_estimate` in them.
        is_patient: Whether to look for an estimate that is not known yet.
    """
    pieces = view.encodings.get(dialect)
    if pieces is None:
        pieces = view.keep(dialect, write(view, services_of(scope)))
    body = base_of(scope).join(pieces)
    if view.snapshot.status.is_final:
        return body
    services, task = services_of(scope), view.snapshot
    estimate = (
        await estimate_of(services, task) if is_patient else services.estimates.known(task.id)
    )
    return fill_estimate(body, estimate)


async def _wait(
    scope: Scope, task_id: str, *, seconds: float, seen: bytes | None
) -> TaskView | None:
    """The state that is waited for, `None` where that is to come later."""

    def is_awaited(task: TaskSnapshot) -> bool:
        return task.status.is_final or (seen is not None and not has_seen(seen, task))

    before = of_before(scope)
    if isinstance(before, _PollAgain):
        return await before.look()
    begun = await services_of(scope).waiters.begin(
        task_id, caller_of(scope), seconds=seconds, until=is_awaited
    )
    if isinstance(begun, TaskView):
        return begun
    do_later(scope, _PollAgain(begun))
    return None


class _PollAgain(Later):
    """A poll that waits."""

    __slots__ = ("_goes_on", "_wait")

    def __init__(self, wait: Wait) -> None:
        self._wait = wait
        self._goes_on = True

    async def look(self) -> TaskView | None:
        """The state that is waited for, `None` where the wait goes on."""
        self._goes_on = False  # whatever is raised is the answer
        view = await self._wait.look()
        self._goes_on = view is None
        return view

    @override
    async def go_on(self, gone: asyncio.Future[Any], send: Send) -> bool:
        return self._goes_on and await self._wait.go_on(gone)

    @override
    def close(self) -> None:
        self._wait.close()


def _if_none_match(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            found: bytes = value
            return found
    return None
