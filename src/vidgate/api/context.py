"""What surrounds every request: its id, its log line, its numbers, its connection."""

import asyncio
import os
import re
import time
from collections.abc import Collection
from contextlib import suppress

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidgate.api.dependencies import services_of
from vidgate.api.later import gone_of, let_go, of_before
from vidgate.api.limits import limit_headers
from vidgate.api.paths import Paths
from vidgate.services.attempts.callbacks import CALLBACKS_PATH
from vidgate.services.views.content_links import CONTENT_PATH

__all__ = ["ContextLayer"]

_log = structlog.get_logger(__name__)

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_CLIENT_GONE = 499
"""What is counted where a client went away before its answer: there is no official number."""

_LOGGED_CHARACTERS = 1000
"""Of a path; ours have a hundred."""

_ERRORS = 400
_READS = frozenset({"GET", "HEAD"})

_DRAIN_BYTES = 1024 * 1024 * 1024
_DRAIN_SECONDS = 30.0
_DRAIN_IDLE_SECONDS = 2.0
"""How much of an unread body is taken in after the answer, for how long, and with what pauses: a
client that is still sending would otherwise see its connection reset, and never the answer."""


class ContextLayer:
    """Gives a request its id, logs and counts it, and leaves its connection in order.

    What the line of a request tells beside is in `facts` of its state; a read with `is_told` there
    has none.

    A path is written as the routes have it and `HEAD` is answered as a `GET` without its body, so
    that no route needs to know of other ways to write it.

    Args:
        paths: How the routes have it.
        quiet_routes: Templates whose successful reads are not logged.
    """

    def __init__(self, app: ASGIApp, *, paths: Paths, quiet_routes: Collection[str] = ()) -> None:
        self._app = app
        self._paths = paths
        self._quiet_routes = frozenset(quiet_routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and see it to its end."""
        started = time.perf_counter()
        request_id, has_body = _read_headers(scope)
        structlog.contextvars.bind_contextvars(request_id=request_id.decode())
        method: str = scope["method"]
        if method == "HEAD":
            # The server keeps the scope to know how to write the answer, so ours is a copy.
            # A route for which a body costs much can see that none is wanted.
            scope = dict(scope, method="GET", original_method="HEAD")
        path = self._paths.tidy(scope["path"])
        scope["path"] = self._paths.resolve(path)
        exchange = _Exchange(scope, receive, send, request_id, has_body=has_body)
        if has_body:
            receive = exchange.receive
        gone = None
        try:
            await self._app(scope, receive, exchange.send)
            later = of_before(scope)
            if later is not None:
                let_go(scope)
                gone = gone_of(scope, receive, has_body=has_body)
                while await later.go_on(gone, exchange.send):
                    await self._app(scope, receive, exchange.send)
        finally:
            if gone is not None:
                gone.cancel()
            if (later := of_before(scope)) is not None:
                later.close()
            seconds = time.perf_counter() - started
            status = exchange.status
            route = getattr(scope.get("route"), "path", "unmatched")
            services_of(scope).metrics.request(method, route, status, seconds)
            is_read = method in _READS
            is_quiet = scope["state"].get("is_told", False) or (
                route in self._quiet_routes and status < _ERRORS
            )
            if not (is_read and is_quiet):
                _log.info(
                    "Request answered",
                    method=method,
                    path=_loggable(path),
                    status=status,
                    seconds=round(seconds, 6),
                    **scope["state"].get("facts", {}),
                )


def _loggable(path: str) -> str:
    """A path without what must not be known of it: whoever has such an address is let in by it."""
    for prefix in (CALLBACKS_PATH, CONTENT_PATH):
        head, separator, _ = path.partition(f"{prefix}/")
        if separator:
            return f"{head}{separator}***"
    return path[:_LOGGED_CHARACTERS]


def _read_headers(scope: Scope) -> tuple[bytes, bool]:
    """Find the request's id, or make one, and whether a body comes with it."""
    request_id = b""
    has_body = False
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            if _SANE_ID.fullmatch(value):
                request_id = value
        elif name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            has_body = True
    return request_id or os.urandom(16).hex().encode(), has_body


class _Exchange:
    """One request and its answer, as they pass through."""

    __slots__ = (
        "_is_closing",
        "_is_head",
        "_is_unread",
        "_receive",
        "_request_id",
        "_scope",
        "_send",
        "status",
    )

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, request_id: bytes, *, has_body: bool
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self._is_unread = has_body
        self._is_closing = False
        self._is_head = "original_method" in scope
        self.status = _CLIENT_GONE

    async def receive(self) -> Message:
        message = await self._receive()
        if not message.get("more_body"):
            self._is_unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], (b"x-request-id", self._request_id)]
            if (limited := self._scope["state"].get("limits")) is not None:
                limits, admission = limited
                now = services_of(self._scope).clock.now()
                headers += limit_headers(limits, admission, now)
            if self._is_unread:
                self._is_closing = True
                headers.append((b"connection", b"close"))
            message["headers"] = headers
        elif self._is_head:
            message["body"] = b""
        if self._is_closing and _is_last(message):
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _drain(self) -> None:
        drained = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self._is_unread and drained < _DRAIN_BYTES:
                    async with asyncio.timeout(_DRAIN_IDLE_SECONDS):
                        message = await self.receive()
                    drained += len(message.get("body", b""))


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body")
