"""Server-sent events: states of tasks as they come, for as long as a client listens."""

import asyncio
import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeAlias

from starlette.types import Receive, Scope, Send

from vidgate.api.conditions import write_version
from vidgate.api.dependencies import Services, caller_of, services_of
from vidgate.api.polls import REQUEST_ID_DOCUMENTED, body_of
from vidgate.api.waiting import until_gone
from vidgate.constants import STREAM_COMMENT, STREAM_PATIENCE
from vidgate.exceptions import DatabaseUnavailableError, InvalidParameterError, TaskNotFoundError
from vidgate.models.accounts import Sight
from vidgate.services.views.feeds import Feed
from vidgate.services.views.reading import TaskView
from vidgate.services.views.waiting import Watch

__all__ = ["LAST_EVENT_ID", "STREAM_ANSWERS", "WriteView", "stream_account", "stream_task"]

WriteView: TypeAlias = Callable[[TaskView, Services], bytes]
"""Makes the data of an event: the same bytes as the GET answers with."""

_COMMENT: Final = b":\n\n"
_RETRY: Final = b"retry: 2000\n\n"
"""How long a client waits before it connects again, in milliseconds."""

_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # proxies would keep events until they have enough of them
]

LAST_EVENT_ID: dict[str, Any] = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The `id` of the last event that you have; browsers send it by themselves.",
    "schema": {"type": "string"},
}
STREAM_ANSWERS: dict[int | str, Any] = {
    200: {
        "description": "Events `task.updated`, each with the body of the GET.",
        "headers": REQUEST_ID_DOCUMENTED,
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'id: 2\nevent: task.updated\ndata: {"id": "task_...", ...}\n\n',
            }
        },
    }
}


class _EventSink:
    """Writes one stream."""

    def __init__(self, scope: Scope, send: Send) -> None:
        # Whoever does not read for so long is dropped by the server, with what was not sent.
        scope["state"]["write_patience"] = STREAM_PATIENCE.total_seconds()
        self._send = send

    async def open(self, first: bytes = b"") -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self.write(_RETRY + first)

    async def write(self, content: bytes) -> None:
        await self._send({"type": "http.response.body", "body": content, "more_body": True})

    async def event(self, event_id: str, data: bytes) -> None:
        await self.write(b"id: %b\nevent: task.updated\ndata: %b\n\n" % (event_id.encode(), data))

    async def close(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})


async def stream_task(
    scope: Scope, receive: Receive, send: Send, *, task_id: str, dialect: str, write: WriteView
) -> None:
    """Tell the states of a task until the final one.

    Args:
        scope: Of the request.
        receive: Tells that the client has gone.
        send: Takes the events.
        task_id: As the client wrote it.
        dialect: By which the bytes are remembered.
        write: Makes them.

    Raises:
        TaskNotFoundError: There is no such task, or it is out of sight.
        TooManyWaitersError: The token listens too often already.
        DatabaseUnavailableError: It could not be read.
    """
    services, caller = services_of(scope), caller_of(scope)
    view = await services.reader.read(task_id, caller.sight)
    task = view.snapshot
    known = last_event_id(scope)
    if task.status.is_final and known == write_version(task):
        # To a browser this says that there is no need to connect again.
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    with (
        services.places.take(caller.token.id, "events"),
        services.waiters.watch(task_id, task.id, task.version) as watch,
    ):
        sink = _EventSink(scope, send)
        await sink.open()
        told = _TaskTeller(sink, watch, scope, dialect=dialect, write=write)
        if known != write_version(task):
            await told.tell(view)
        if not task.status.is_final and not _is_head(scope):
            del view, task  # what they hold may be large, and this may take an hour
            await _listen(receive, partial(told.follow, task_id, caller.sight))
        await sink.close()


class _TaskTeller:
    """Tells what happens to one task."""

    def __init__(
        self,
        sink: _EventSink,
        watch: Watch,
        scope: Scope,
        *,
        dialect: str,
        write: WriteView,
    ) -> None:
        self._sink = sink
        self._watch = watch
        self._scope = scope
        self._services = services_of(scope)
        self._dialect = dialect
        self._write = write

    async def tell(self, view: TaskView) -> bool:
        """Send a state; returns whether it is the last one."""
        body = await body_of(self._scope, view, dialect=self._dialect, write=self._write)
        self._watch.seen = view.snapshot.version
        await self._sink.event(write_version(view.snapshot), body)
        return view.snapshot.status.is_final

    async def follow(self, name: str, sight: Sight, gone: asyncio.Future[Any]) -> None:
        """Send each state that is another than the last, until the final one."""
        while not (gone.done() or self._services.waiters.is_leaving):
            if not await self._watch.changed(STREAM_COMMENT.total_seconds(), gone):
                if not gone.done():
                    await self._sink.write(_COMMENT)
                continue
            try:
                view = await self._services.reader.read(name, sight)
            except DatabaseUnavailableError:
                await asyncio.wait((gone,), timeout=_PAUSE_SECONDS)
                continue
            except TaskNotFoundError:
                return  # its client has removed it
            if view.snapshot.version > self._watch.seen and await self.tell(view):
                return
            del view


async def stream_account(
    scope: Scope, receive: Receive, send: Send, *, dialect: str, write: WriteView
) -> None:
    """Tell what happens to all tasks that the caller sees, for as long as it listens.

    Args:
        scope: Of the request.
        receive: Tells that the client has gone.
        send: Takes the events.
        dialect: By which the bytes are remembered.
        write: Makes them.

    Raises:
        InvalidParameterError: The `Last-Event-ID` is none of ours.
        TooManyWaitersError: The token listens too often already.
        DatabaseUnavailableError: Nothing could be read.
    """
    services, caller = services_of(scope), caller_of(scope)
    known = last_event_id(scope)
    since = None if known is None else _read_position(known)
    with services.places.take(caller.token.id, "events"):
        with closing(await services.feeds.open(caller.sight)) as feed:
            sink = _EventSink(scope, send)
            # An id without an event: also who has heard nothing yet can go on from here.
            position = feed.began_at if since is None else since
            await sink.open(b"id: %b\n\n" % _write_position(position).encode())
            teller = _AccountTeller(
                sink, feed, scope, position=position, dialect=dialect, write=write
            )
            if not _is_head(scope):
                await _listen(receive, partial(teller.follow, caller.sight, since))
            await sink.close()


class _AccountTeller:
    """Tells what happens to the tasks in sight."""

    def __init__(
        self,
        sink: _EventSink,
        feed: Feed,
        scope: Scope,
        *,
        position: datetime,
        dialect: str,
        write: WriteView,
    ) -> None:
        self._sink = sink
        self._feed = feed
        self._scope = scope
        self._services = services_of(scope)
        self._position = position
        self._dialect = dialect
        self._write = write

    async def follow(self, sight: Sight, since: datetime | None, gone: asyncio.Future[Any]) -> None:
        """Send what has changed since then, and from then on each change."""
        try:
            if since is not None:
                async for name, changed_at in self._feed.past(since):
                    if gone.done() or self._services.feeds.is_leaving:
                        return
                    await self._tell(name, sight, changed_at)
            while not (gone.done() or self._feed.is_lost or self._services.feeds.is_leaving):
                found = await self._feed.next(STREAM_COMMENT.total_seconds(), gone)
                if found is not None:
                    await self._tell(found[0], sight, found[1])
                elif not gone.done():
                    await self._sink.write(_COMMENT)
        except DatabaseUnavailableError:
            return  # the client comes again, and goes on from where it was

    async def _tell(self, name: str, sight: Sight, changed_at: datetime) -> None:
        try:
            view = await self._services.reader.read(name, sight)
        except TaskNotFoundError:
            return  # its client has removed it meanwhile
        # A client with many tasks does not wait for a look at each.
        body = await body_of(
            self._scope, view, dialect=self._dialect, write=self._write, is_patient=False
        )
        self._position = max(self._position, changed_at)
        await self._sink.event(_write_position(self._position), body)


_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_POSITION: Final = re.compile(r"[0-9a-f]{1,14}")


def _write_position(moment: datetime) -> str:
    """Name a moment up to which everything was told."""
    return f"{(moment - _EPOCH) // timedelta(microseconds=1):x}"


def _read_position(text: str) -> datetime:
    if not _POSITION.fullmatch(text):
        raise InvalidParameterError(
            "Last-Event-ID must be the id of an event of this stream; leave it out to begin now.",
            param="Last-Event-ID",
        )
    return _EPOCH + timedelta(microseconds=int(text, 16))


_PAUSE_SECONDS: Final = 2.0
"""Until a state that could not be read is tried again."""


async def _listen(receive: Receive, follow: Callable[[asyncio.Future[Any]], Any]) -> None:
    """Follow something for as long as the client is there."""
    gone = asyncio.ensure_future(until_gone(receive))
    try:
        await follow(gone)
    finally:
        gone.cancel()


def last_event_id(scope: Scope) -> str | None:
    """The header, `None` without one."""
    for name, value in scope["headers"]:
        if name == b"last-event-id":
            text: str = value.decode("latin-1").strip()
            return text or None
    return None


def _is_head(scope: Scope) -> bool:
    return scope.get("original_method") == "HEAD"
