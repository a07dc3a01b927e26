"""A receiver of webhooks on a real socket."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks import Webhook

__all__ = ["Received", "Receiver", "open_receiver"]


@dataclass
class Received:
    """One webhook, as it came."""

    path: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.content)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_with(self, secret: str) -> bool:
        """Whether one of the signatures is the secret's, whatever the time."""
        key = Webhook(secret)
        signatures = self.headers["webhook-signature"].split(" ")
        at = datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), UTC)
        return key.sign(self.id, at, self.content.decode()) in signatures


@dataclass
class Receiver:
    """Answers 200, or what it is told to.

    Attributes:
        answers: By path: what the next calls are answered, the last of them for ever.
    """

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: dict[str, list[web.Response]] = field(default_factory=dict)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.received.append(Received(request.path, dict(request.headers), await request.read()))
        answers = self.answers.get(request.path, [])
        if not answers:
            return web.Response()
        first = answers[0] if len(answers) == 1 else answers.pop(0)
        return web.Response(status=first.status, headers=first.headers, text=first.text)


@asynccontextmanager
async def open_receiver() -> AsyncIterator[Receiver]:
    """Serve on a free port of 127.0.0.1."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
