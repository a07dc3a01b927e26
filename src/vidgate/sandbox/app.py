"""The stand-ins as one ASGI app.

`/<provider>` is the base URL of each, `/files` holds the videos they make, and `/_sandbox` is the
operator's. A signature that covers the path is checked against the path that was asked for: below
that base URL, or `/` for clients that can only call a bare host.

It is plain ASGI without a framework: a poll is a dictionary look-up, and load tests send hundreds a
second.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from vidgate.sandbox.control import Control
from vidgate.sandbox.faults import Exchange, answer, fault_in_prompt
from vidgate.sandbox.links import file_reply
from vidgate.sandbox.registry import STAND_INS
from vidgate.sandbox.settings import DEFAULT_CONCURRENCY, SandboxSettings
from vidgate.sandbox.stand_in import StandIn
from vidgate.sandbox.wire import Call, Reply, json_reply
from vidgate.sandbox.world import World

__all__ = ["Sandbox", "create_sandbox"]

_LARGEST_BODY = 128 * 1024 * 1024
"""Bytes of a request that are read; more than any of the services takes."""

_NOT_FOUND = Reply(404, b'{"detail":"Not Found"}')
_TOO_LARGE = Reply(413, b'{"detail":"Content Too Large"}')

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def create_sandbox(settings: SandboxSettings | None = None) -> "Sandbox":
    """Build the app.

    Args:
        settings: `None` means the defaults, which are as slow as the real services.
    """
    return Sandbox(settings or SandboxSettings())


class Sandbox:
    """The ASGI app; `world` is its state, for tests that look inside."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.world = World(
            replace(
                settings,
                job_seconds={
                    **{one.name: one.job_seconds for one in STAND_INS},
                    **settings.job_seconds,
                },
                concurrency={
                    **{one.name: DEFAULT_CONCURRENCY for one in STAND_INS},
                    **settings.concurrency,
                },
            )
        )
        self._control = Control(self.world, STAND_INS)
        self._stand_ins = {one.name: one(self.world) for one in STAND_INS}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            raise NotImplementedError(scope["type"])

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        exchange = Exchange(receive, send, head_only=scope["method"] == "HEAD")
        body = await _read(receive)
        if body is None:
            await exchange.send(_TOO_LARGE)
            return
        call = self._call(scope, body)
        family, _, rest = call.route.removeprefix("/").partition("/")
        provider = self._stand_ins.get(family)
        if provider is None and call.route == "/":
            claiming = (one for one in self._stand_ins.values() if one.claims_root(call))
            provider = next(claiming, None)
        if provider is not None:
            call.route = f"/{rest}"
            clip = provider.wanted_clip(call)
            if clip is not None:
                await self.world.videos.mp4(clip)
            await self._provide(provider, call, exchange)
        elif family == "files":
            await exchange.send(await self._file(call, rest))
        elif family == "_sandbox":
            await exchange.send(self._control.handle(call, rest))
        else:
            await exchange.send(_NOT_FOUND)

    async def _provide(self, provider: StandIn, call: Call, exchange: Exchange) -> None:
        world = self.world
        operation = provider.classify(call)
        with world.stats.following(provider.name, operation, call.now):
            if world.settings.latency_seconds:
                await asyncio.sleep(world.settings.latency_seconds)
            fault = world.faults.take(provider.name, operation.kind, call)
            if fault is None and operation.kind == "submit":
                fault = fault_in_prompt(provider, call)
            await answer(call, provider, fault, exchange, world.settings)

    async def _file(self, call: Call, rest: str) -> Reply:
        provider, _, below = rest.partition("/")
        job = self.world.ledger.get(provider, below.partition("/")[0])
        if call.method not in {"GET", "HEAD"} or job is None:
            return _NOT_FOUND
        refusal = self.world.links.refusal(call.route, call.query, call.now)
        if refusal is not None:
            return json_reply(403, {"code": refusal})
        content = await self.world.videos.mp4(job.clip)
        return file_reply(content, "video/mp4", call.headers.get("range"))

    def _call(self, scope: Message, body: bytes) -> Call:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("latin-1").partition("?")[0]
        mounted_at = scope.get("root_path", "")
        route = unquote(path).removeprefix(mounted_at)
        host = headers.get("host", "localhost")
        return Call(
            method=scope["method"],
            path=path or "/",
            route=route or "/",
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
            base_url=f"{scope.get('scheme', 'http')}://{host}{mounted_at}",
            now=self.world.now(),
        )

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.world.callbacks.close()
                await asyncio.to_thread(self.world.videos.close)
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _read(receive: Receive) -> bytes | None:
    """The whole body; `None` if it is larger than any service takes."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    parts = [body]
    size = len(body)
    while message.get("more_body", False):
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > _LARGEST_BODY:
            return None
        parts.append(part)
    return b"".join(parts)
