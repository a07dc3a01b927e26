"""The server's protocol, which judges a request's head: its size, its time, and its `Host`."""

import asyncio
from collections import deque
from typing import Any, Literal, cast

from typing_extensions import override
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vidgate.api.later import GONE
from vidgate.cli.bounds import ConnectionBounds

__all__ = ["BoundedProtocol"]

_HEAD_BYTES = 64 * 1024
"""No client sends a hundredth of it; without a bound, one header could take all memory."""

_HEAD_SECONDS = 15.0
"""For a head to arrive, and for the first one to begin."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)

_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"content-length: 0\r\nretry-after: 5\r\nconnection: close\r\n\r\n"
)

_BOUNDS = "connection_bounds"
_SEPARATORS = 4
"""Bytes of a header line beside its name and value: a colon, a blank and the line's end."""


_NOBODY: deque[asyncio.Future[Any]] = deque()
"""Who waits for an event that nobody ever waited for."""


class _Event(asyncio.Event):
    """An event whose queue is made when somebody waits: most are never waited for."""

    __slots__ = ("_loop", "_value", "_waiters")

    def __init__(self) -> None:
        self._loop = None
        self._value = False
        self._waiters = _NOBODY

    @override
    async def wait(self) -> Literal[True]:
        if self._waiters is _NOBODY:
            self._waiters = deque()
        return await super().wait()


class _Flow(FlowControl):
    """The same with a small event."""

    __slots__ = ("_is_writable_event", "_transport", "read_paused", "write_paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.read_paused = False
        self.write_paused = False
        self._is_writable_event = _Event()
        self._is_writable_event.set()


class _Pipeline(list[Any]):
    """As much of a deque as the server needs, which is empty as a rule."""

    __slots__ = ()

    def appendleft(self, one: Any) -> None:
        self.insert(0, one)


class _RefusedError(Exception):
    """Ends the parsing of a request whose answer is written already."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections that are too many, and those whose heads are not as they should be.

    Thousands are open at once. What each has of its own is kept small: attributes in slots, since a
    dictionary of so many takes five times as much, and events that make no queue before somebody
    waits for them.
    """

    __slots__ = (
        "_address",
        "_bounds",
        "_gone",
        "_head_bytes",
        "_is_in_head",
        "_reader",
        "_timer",
        "access_log",
        "access_logger",
        "app",
        "app_state",
        "asgi_version",
        "client",
        "config",
        "connections",
        "cycle",
        "expect_100_continue",
        "flow",
        "headers",
        "limit_concurrency",
        "logger",
        "loop",
        "parser",
        "pipeline",
        "root_path",
        "scheme",
        "scope",
        "server",
        "server_state",
        "tasks",
        "timeout_keep_alive",
        "timeout_keep_alive_task",
        "transport",
        "url",
        "ws_protocol_class",
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.pipeline = cast("Any", _Pipeline())  # all that is asked of it
        self._gone: asyncio.Future[None] | None = None
        self._head_bytes = 0
        self._is_in_head = True
        self._address = ""
        self._bounds: ConnectionBounds | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reader: asyncio.TimerHandle | None = None
        """Ends the connection of a client that does not read."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self.flow = _Flow(self.transport)
        self._address = self.client[0] if self.client else ""
        self._bounds = self._shared_bounds()
        if not self._bounds.enter(self._address):
            self.transport.write(_TOO_MANY)
            self.transport.close()
            return
        self._wait_for_head()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._bounds is not None:
            self._bounds.leave(self._address)
        self._stop_waiting_for_reader()
        super().connection_lost(exc)
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        if self.scope is not None:
            self.scope["state"].pop(GONE, None)  # it names this connection, and would keep it

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > _HEAD_BYTES:
            self._refuse_head()

    @override
    def shutdown(self) -> None:
        # The application hears of the end only after every answer; some wait for this one.
        leave = self.app_state.get("leave")
        if leave is not None:
            leave()
        super().shutdown()

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        patience = self.cycle.scope["state"].get("write_patience") if self.cycle else None
        if patience is not None:
            self._stop_waiting_for_reader()
            self._reader = self.loop.call_later(patience, self.transport.abort)

    @override
    def resume_writing(self) -> None:
        self._stop_waiting_for_reader()
        super().resume_writing()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline:
            # What came in one piece is answered before more is read: else every answer lets in
            # hundreds of requests, whether or not the client reads any of them.
            self.flow.pause_reading()

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        if self._timer is None:
            self._wait_for_head()

    @override
    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop_waiting()
        # More than fits may have come in one piece, and with a part of the body.
        if self._head_bytes > _HEAD_BYTES and _size(self.url, self.headers) > _HEAD_BYTES:
            self._refuse_head()
            raise _RefusedError
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            self.send_400_response("A request needs one Host header.")
            raise _RefusedError
        self.scope["state"][GONE] = self._until_gone
        super().on_headers_complete()
        # Nobody has begun with it.
        self.cycle.message_event = _Event()

    @override
    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)

    @override
    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_in_head = True
        self._head_bytes = 0

    def _until_gone(self) -> asyncio.Future[None]:
        """Make what is done once the connection is lost."""
        self.flow.resume_reading()  # else it would not be noticed
        self._gone = self.loop.create_future()
        if self.transport.is_closing():
            self._gone.set_result(None)
        return self._gone

    def _shared_bounds(self) -> ConnectionBounds:
        """The server's, which its connections share by the state of the application."""
        bounds: ConnectionBounds | None = self.app_state.get(_BOUNDS)
        if bounds is None:
            services = self.app_state.get("services")
            bounds = ConnectionBounds.of_process(
                proxies=services.settings.trusted_proxies if services else ()
            )
            self.app_state[_BOUNDS] = bounds
        return bounds

    def _refuse_head(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _wait_for_head(self) -> None:
        self._timer = self.loop.call_later(_HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_waiting_for_reader(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()


def _size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + _SEPARATORS for name, value in headers)
