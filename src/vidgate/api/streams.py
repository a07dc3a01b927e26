"""Server-sent events: states of tasks as they come, for as long as a client listens."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from starlette.types import Scope, Send
from typing_extensions import override

from vidgate.api.conditions import write_version
from vidgate.api.dependencies import Services, caller_of, services_of
from vidgate.api.later import Later, do_later
from vidgate.api.polls import REQUEST_ID_DOCUMENTED, body_of
from vidgate.constants import STREAM_COMMENT, STREAM_PATIENCE
from vidgate.exceptions import DatabaseUnavailableError, InvalidParameterError, TaskNotFoundError
from vidgate.services.views.feeds import Feed
from vidgate.services.views.reading import TaskView
from vidgate.services.views.waiting import Watch
from vidgate.services.views.waiting_places import Place

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
    """Writes one stream.

    Attributes:
        send: Past all layers, once it has begun.
    """

    __slots__ = ("send",)

    def __init__(self, scope: Scope, send: Send) -> None:
        # Whoever does not read for so long is dropped by the server, with what was not sent.
        scope["state"]["write_patience"] = STREAM_PATIENCE.total_seconds()
        self.send = send

    async def open(self, first: bytes = b"") -> None:
        await self.send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self.write(_RETRY + first)

    async def write(self, content: bytes) -> None:
        await self.send({"type": "http.response.body", "body": content, "more_body": True})

    async def event(self, event_id: str, data: bytes) -> None:
        await self.write(b"id: %b\nevent: task.updated\ndata: %b\n\n" % (event_id.encode(), data))

    async def close(self) -> None:
        await self.send({"type": "http.response.body", "body": b""})


async def stream_task(
    scope: Scope, send: Send, *, task_id: str, dialect: str, write: WriteView
) -> None:
    """Tell the states of a task until the final one.

    Args:
        scope: Of the request.
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
    place = services.places.take(caller.token.id, "events")
    watch = services.waiters.watch(task_id, task.id, task.version)
    sink = _EventSink(scope, send)
    teller = _TaskTeller(sink, place, watch, scope, dialect=dialect, write=write)
    do_later(scope, teller)
    await sink.open()
    if known != write_version(task):
        await teller.tell(view)
    teller.is_over = task.status.is_final or _is_head(scope)


class _TaskTeller(Later):
    """Tells what happens to one task.

    Attributes:
        is_over: Whether all is told.
    """

    __slots__ = ("_dialect", "_place", "_scope", "_sink", "_watch", "_write", "is_over")

    def __init__(
        self,
        sink: _EventSink,
        place: Place,
        watch: Watch,
        scope: Scope,
        *,
        dialect: str,
        write: WriteView,
    ) -> None:
        self._sink = sink
        self._place = place
        self._watch = watch
        self._scope = scope
        self._dialect = dialect
        self._write = write
        self.is_over = False

    async def tell(self, view: TaskView) -> None:
        """Send a state."""
        body = await body_of(self._scope, view, dialect=self._dialect, write=self._write)
        self._watch.seen = view.snapshot.version
        await self._sink.event(write_version(view.snapshot), body)
        self.is_over = view.snapshot.status.is_final

    @override
    async def go_on(self, gone: asyncio.Future[Any], send: Send) -> bool:
        """Send each state that is another than the last, until the final one."""
        self._sink.send = send
        services = services_of(self._scope)
        while not (self.is_over or gone.done() or services.waiters.is_leaving):
            if await self._watch.changed(STREAM_COMMENT.total_seconds(), gone):
                await self._look(services, gone)
            elif not gone.done():
                await self._sink.write(_COMMENT)
        await self._sink.close()
        return False

    async def _look(self, services: Services, gone: asyncio.Future[Any]) -> None:
        try:
            view = await services.reader.read(self._watch.topic.name, caller_of(self._scope).sight)
        except DatabaseUnavailableError:
            await asyncio.wait((gone,), timeout=_PAUSE_SECONDS)
        except TaskNotFoundError:
            self.is_over = True  # its client has removed it
        else:
            if view.snapshot.version > self._watch.seen:
                await self.tell(view)

    @override
    def close(self) -> None:
        self._watch.close()
        self._place.leave()


async def stream_account(scope: Scope, send: Send, *, dialect: str, write: WriteView) -> None:
    """Tell what happens to all tasks that the caller sees, for as long as it listens.

    Args:
        scope: Of the request.
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
    place = services.places.take(caller.token.id, "events")
    try:
        feed = await services.feeds.open(caller.sight)
    except BaseException:
        place.leave()
        raise
    sink = _EventSink(scope, send)
    teller = _AccountTeller(sink, place, feed, scope, since=since, dialect=dialect, write=write)
    do_later(scope, teller)
    # An id without an event: also who has heard nothing yet can go on from here.
    await sink.open(b"id: %b\n\n" % _write_position(teller.position).encode())


class _AccountTeller(Later):
    """Tells what happens to the tasks in sight.

    Attributes:
        position: Up to which all is told.
    """

    __slots__ = ("_dialect", "_feed", "_place", "_scope", "_since", "_sink", "_write", "position")

    def __init__(
        self,
        sink: _EventSink,
        place: Place,
        feed: Feed,
        scope: Scope,
        *,
        since: datetime | None,
        dialect: str,
        write: WriteView,
    ) -> None:
        self._sink = sink
        self._place = place
        self._feed = feed
        self._scope = scope
        self._since = since
        self._dialect = dialect
        self._write = write
        self.position = feed.began_at if since is None else since

    @override
    async def go_on(self, gone: asyncio.Future[Any], send: Send) -> bool:
        """Send what was missed, and from then on each change."""
        self._sink.send = send
        if not _is_head(self._scope):
            try:
                await self._tell_past(gone)
                await self._follow(gone)
            except DatabaseUnavailableError:
                pass  # the client comes again, and goes on from where it was
        await self._sink.close()
        return False

    async def _tell_past(self, gone: asyncio.Future[Any]) -> None:
        if self._since is None:
            return
        async for name, changed_at in self._feed.past(self._since):
            if self._is_over(gone):
                return
            await self._tell(name, changed_at)

    async def _follow(self, gone: asyncio.Future[Any]) -> None:
        while not (self._feed.is_lost or self._is_over(gone)):
            found = await self._feed.next(STREAM_COMMENT.total_seconds(), gone)
            if found is not None:
                await self._tell(*found)
            elif not gone.done():
                await self._sink.write(_COMMENT)

    def _is_over(self, gone: asyncio.Future[Any]) -> bool:
        return gone.done() or services_of(self._scope).feeds.is_leaving

    async def _tell(self, name: str, changed_at: datetime) -> None:
        sight = caller_of(self._scope).sight
        try:
            view = await services_of(self._scope).reader.read(name, sight)
        except TaskNotFoundError:
            return  # its client has removed it meanwhile
        # A client with many tasks does not wait for a look at each.
        body = await body_of(
            self._scope, view, dialect=self._dialect, write=self._write, is_patient=False
        )
        self.position = max(self.position, changed_at)
        await self._sink.event(_write_position(self.position), body)

    @override
    def close(self) -> None:
        self._feed.close()
        self._place.leave()


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


def last_event_id(scope: Scope) -> str | None:
    """The header, `None` without one."""
    for name, value in scope["headers"]:
        if name == b"last-event-id":
            text: str = value.decode("latin-1").strip()
            return text or None
    return None


def _is_head(scope: Scope) -> bool:
    return scope.get("original_method") == "HEAD"
