"""Failures on demand: what goes wrong with the next matching calls, and how the answer is spoilt.

Kinds that leave the call undone:

* `reset`: the connection is closed without an answer.
* `hang`: no answer until the client leaves, or `seconds` have passed; then closed.
* `401`, `429`, `500`, `503`, `504`: the service's own answer for that status.
* `502_html`: a gateway's HTML page. `404_html`, `404_detail`: the page, and the JSON, of a server
  that has nothing at that address.
* `error_in_200`: the service's own answer for a bad credential, with a status of 200.
* `redirect`: 307 to another host.
* `not_found`: the service's own answer for an unknown job (what an eventually consistent read
  gives).

Kinds that do the call first; a call that is refused anyway gets that refusal:

* `refuse_after_create`: the connection is closed without an answer.
* `hang_created`: as `hang`.
* `500_created`, `504_created`: the service's own answer for that status.
* `truncated_json`: half of the body, as if it were all.
* `reset_in_body`: half of the body, then the connection is closed.
* `garbage`: bytes that are no text. `empty`: no body at all. `oversized`: 3 MiB of blanks and the
  body.
* `slow_body`: the body drips over `seconds`. `delay`: the answer comes after `seconds`.
* `unknown_state`: every state word is replaced by one that nobody documents.
* `wrapped`: the body is laid in `{"ResponseMetadata": ..., "Result": ...}` (Jimeng's other form).

Kinds for the operation `callback`, which is what the sandbox itself sends:

* `lost`: it is never sent. `duplicate`: it is sent twice, byte for byte.
* `reorder`: it is sent after the next one of its job; the last one is sent in its turn.
* `bad_signature`, `unsigned`, `stale_date` (an hour old, well signed): where callbacks are signed.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson

from vidgate.sandbox.settings import SandboxSettings
from vidgate.sandbox.wire import OK, Call, ConnectionDroppedError, Provider, Reply
from vidgate.sandbox.words import UNKNOWN_STATE_WORD, WORD_FAULTS, words_of

__all__ = [
    "CALLBACK_KINDS",
    "FAULT_KINDS",
    "OPERATIONS",
    "Exchange",
    "Fault",
    "Faults",
    "answer",
    "fault_in_prompt",
]

CALLBACK = "callback"
"""The operation of what the sandbox sends by itself."""

OPERATIONS = ("submit", "poll", "find", "cancel", "other", CALLBACK, "*")

_REFUSALS = ("401", "429", "500", "503", "504")

_REPLACED = frozenset({"500_created", "504_created"})

_INSTEAD = frozenset(
    {"502_html", "404_html", "404_detail", "error_in_200", "redirect", "not_found"}
)

_UNDONE = frozenset({"reset", "hang", *_REFUSALS, *_INSTEAD})

_DONE = frozenset(
    {
        "refuse_after_create",
        "hang_created",
        *_REPLACED,
        "truncated_json",
        "reset_in_body",
        "garbage",
        "empty",
        "oversized",
        "slow_body",
        "delay",
        "unknown_state",
        "wrapped",
    }
)

FAULT_KINDS = _UNDONE | _DONE

CALLBACK_KINDS = frozenset(
    {"lost", "duplicate", "reorder", "bad_signature", "unsigned", "stale_date"}
)
"""What may go wrong with a callback; never met by a call."""

_HTML = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n"
    b"</html>\r\n"
)

_STATE = re.compile(rb'"(task_status|status|state)":"[a-z_]+"')

_DRIPS = 8
"""Pieces of a slow body."""

_OVERSIZE = 3 * 1024 * 1024

Message = MutableMapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Fault:
    """A failure that waits for its calls.

    Attributes:
        provider: Whose calls; `*` means any.
        operation: One of `OPERATIONS`.
        kind: One of `FAULT_KINDS`, or of `CALLBACK_KINDS`.
        times: How many more calls it meets.
        skip: How many matching calls it lets pass first.
        contains: Text that must occur in the path, query or body.
        seconds: How long, for the kinds that last; `None` means the sandbox's setting.
    """

    provider: str
    operation: str
    kind: str
    times: int = 1
    skip: int = 0
    contains: str = ""
    seconds: float | None = None

    def matches(self, provider: str, operation: str, address: str, body: bytes) -> bool:
        """Whether the call is one of those it waits for."""
        return (
            self.provider in {provider, "*"}
            and self.operation in {operation, "*"}
            and (self.kind in CALLBACK_KINDS) == (operation == CALLBACK)
            and (not self.contains or self.contains in address or self.contains.encode() in body)
        )


class Faults:
    """The failures asked for and not yet used up, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._waiting)

    def add(self, fault: Fault) -> None:
        """Queue a failure."""
        self._waiting.append(fault)

    def take(self, provider: str, operation: str, call: Call) -> Fault | None:
        """The failure that this call meets, counted down; `None` if it meets none."""
        return self._take(provider, operation, f"{call.path}?{call.query}", call.body)

    def take_for_callback(
        self, provider: str, url: str, body: bytes, met: Collection[str]
    ) -> Fault | None:
        """A failure that this callback meets besides those of the kinds `met`, counted down."""
        return self._take(provider, CALLBACK, url, body, met)

    def _take(
        self, provider: str, operation: str, address: str, body: bytes, met: Collection[str] = ()
    ) -> Fault | None:
        for fault in self._waiting:
            if fault.kind in met or not fault.matches(provider, operation, address, body):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.remove(fault)
            return fault
        return None

    def clear(self) -> None:
        """Drop all of them."""
        self._waiting.clear()


class Exchange:
    """The server's side of one call: answers, or hangs up."""

    def __init__(
        self,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
        *,
        head_only: bool = False,
    ) -> None:
        self._receive = receive
        self._send = send
        self._head_only = head_only

    async def begin(self, reply: Reply) -> None:
        """Send status and headers."""
        headers = [
            (b"content-type", reply.content_type.encode()),
            (b"content-length", str(len(reply.body)).encode()),
            *((name.encode(), value.encode()) for name, value in reply.headers),
        ]
        await self._send(
            {"type": "http.response.start", "status": reply.status, "headers": headers}
        )

    async def send(self, reply: Reply) -> None:
        """Send the whole answer."""
        await self.begin(reply)
        await self.part(b"" if self._head_only else reply.body, more=False)

    async def part(self, content: bytes, *, more: bool = True) -> None:
        """Send a piece of the body."""
        await self._send({"type": "http.response.body", "body": content, "more_body": more})

    async def left(self) -> None:
        """Wait until the client is gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def drop(self) -> None:
        """Close the connection as it stands.

        Raises:
            ConnectionDroppedError: There is no connection to close, as in a test without sockets.
        """
        # ASGI has no message for it; uvicorn's send is a method of what knows its transport.
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionDroppedError
        transport.abort()
        await self.left()


async def answer(
    call: Call,
    provider: Provider,
    fault: Fault | None,
    exchange: Exchange,
    settings: SandboxSettings,
) -> None:
    """Handle a call and answer it, with the failure that it meets."""
    if fault is None:
        await exchange.send(provider.handle(call))
        return
    if fault.kind in _UNDONE:
        if fault.kind == "reset":
            await exchange.drop()
        elif fault.kind == "hang":
            await _hang(exchange, fault.seconds or settings.hang_seconds)
        else:
            await exchange.send(_instead(fault.kind, call, provider))
        return
    reply = provider.handle(call)
    if reply.status != OK:
        await exchange.send(reply)
    elif fault.kind in _REPLACED:
        await exchange.send(provider.refusal(int(fault.kind.partition("_")[0])))
    else:
        await _answer_badly(reply, fault, exchange, settings)


async def _answer_badly(
    reply: Reply, fault: Fault, exchange: Exchange, settings: SandboxSettings
) -> None:
    match fault.kind:
        case "refuse_after_create":
            await exchange.drop()
        case "hang_created":
            await _hang(exchange, fault.seconds or settings.hang_seconds)
        case "reset_in_body":
            await exchange.begin(reply)
            await exchange.part(reply.body[: len(reply.body) // 2])
            await exchange.drop()
        case "slow_body":
            await _drip(exchange, reply, fault.seconds or settings.slow_body_seconds)
        case "delay":
            await asyncio.sleep(fault.seconds or settings.slow_body_seconds)
            await exchange.send(reply)
        case _:
            await exchange.send(_spoilt(fault.kind, reply))


def fault_in_prompt(provider: Provider, call: Call) -> Fault | None:
    """The failure that a submit's own prompt asks for."""
    if b"#" not in call.body:
        return None
    for word in words_of(provider.prompt(call)):
        if kind := WORD_FAULTS.get(word):
            return Fault(provider=provider.name, operation="submit", kind=kind)
    return None


_FIXED = {
    "502_html": Reply(502, _HTML, "text/html"),
    "404_html": Reply(404, _HTML.replace(b"502 Bad Gateway", b"404 Not Found"), "text/html"),
    "404_detail": Reply(404, b'{"detail":"Not Found"}'),
    "redirect": Reply(307, b"", headers=(("location", "http://elsewhere.invalid/"),)),
}
"""Answers that no service of its own gives."""


def _instead(kind: str, call: Call, provider: Provider) -> Reply:
    if kind in _FIXED:
        return _FIXED[kind]
    if kind == "error_in_200":
        refusal = provider.refusal(401)
        return Reply(OK, refusal.body, refusal.content_type, refusal.headers)
    if kind == "not_found":
        return provider.nothing_found(call)
    return provider.refusal(int(kind))


def _spoilt(kind: str, reply: Reply) -> Reply:
    body = reply.body
    match kind:
        case "truncated_json":
            body = body[: len(body) // 2]
        case "garbage":
            body = bytes(range(256))
        case "empty":
            body = b""
        case "oversized":
            body = b" " * _OVERSIZE + body
        case "unknown_state":
            body = _STATE.sub(rb'"\1":"' + UNKNOWN_STATE_WORD.encode() + b'"', body)
        case "wrapped":
            body = orjson.dumps(
                {"ResponseMetadata": {"RequestId": "wrapped"}, "Result": orjson.loads(body)}
            )
        case _:
            raise NotImplementedError(kind)
    return Reply(reply.status, body, reply.content_type, reply.headers)


async def _hang(exchange: Exchange, seconds: float) -> None:
    try:
        await asyncio.wait_for(exchange.left(), seconds)
    except TimeoutError:
        await exchange.drop()


async def _drip(exchange: Exchange, reply: Reply, seconds: float) -> None:
    await exchange.begin(reply)
    step = max(1, len(reply.body) // _DRIPS)
    for start in range(0, len(reply.body), step):
        await asyncio.sleep(seconds / _DRIPS)
        await exchange.part(reply.body[start : start + step])
    await exchange.part(b"", more=False)
