"""Routes that are asked again and again: ready bytes, and when asking again is worthwhile."""

from collections.abc import Callable
from typing import Any

from starlette.types import Scope, Send

from vidgate.api.dependencies import Services, caller_of, services_of
from vidgate.api.links import base_of
from vidgate.constants import VIEW_AGE
from vidgate.services.views.reading import TaskView

__all__ = ["POLL_HEADERS", "POLL_HEADERS_DOCUMENTED", "REQUEST_ID_DOCUMENTED", "answer_poll"]

# Before that the same state would be answered from memory.
POLL_HEADERS = {
    "retry-after": str(int(VIEW_AGE.total_seconds())),
    "openai-poll-after-ms": str(int(VIEW_AGE.total_seconds() * 1000)),
}
"""Sent as long as a task is unfinished."""

REQUEST_ID_DOCUMENTED: dict[str, Any] = {
    "X-Request-Id": {
        "description": "By which this request is found in the log.",
        "schema": {"type": "string"},
    }
}
POLL_HEADERS_DOCUMENTED: dict[str, Any] = {
    **REQUEST_ID_DOCUMENTED,
    "Retry-After": {
        "description": "Seconds until asking again is worthwhile, while the task is unfinished.",
        "schema": {"type": "integer"},
    },
    "openai-poll-after-ms": {
        "description": "The same in milliseconds; SDKs wait as long.",
        "schema": {"type": "integer"},
    },
}

_HEADERS = [(b"content-type", b"application/json")]
_UNFINISHED_HEADERS = [
    *_HEADERS,
    *((name.encode(), value.encode()) for name, value in POLL_HEADERS.items()),
]


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
        write: Makes them.

    Raises:
        TaskNotFoundError: There is no such task, or it is another account's.
        DatabaseUnavailableError: It could not be read.
    """
    services = services_of(scope)
    account_id = caller_of(scope).account_id
    view = services.reader.cached(task_id, account_id)
    if view is None:
        view = await services.reader.read(task_id, account_id)
    pieces = view.encodings.get(dialect) or view.keep(dialect, write(view, services))
    body = base_of(scope).join(pieces)
    headers = _HEADERS if view.snapshot.status.is_final else _UNFINISHED_HEADERS
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})
