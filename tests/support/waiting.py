"""The application over the real services, with somebody who waits there."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from tests.support.engine import Engine

from vidgate.cli.servers import Server, bind, running, server_config, url_of
from vidgate.config import Settings
from vidgate.factory import Services
from vidgate.loops import Loop
from vidgate.main import create_app

__all__ = ["Turns", "open_waiting_api", "until"]


async def until(is_true: Callable[[], bool]) -> None:
    """Let others run until something is so; a test that waits in vain is ended by its limit."""
    async with asyncio.timeout(20):
        while not is_true():  # noqa: ASYNC110 - it is about what others do, who know no event of ours
            await asyncio.sleep(0.001)


@asynccontextmanager
async def open_waiting_api(
    engine: Engine, *, interval: timedelta = timedelta(seconds=0.5)
) -> AsyncIterator[tuple[httpx.AsyncClient, Server]]:
    """Serve an engine over real sockets, as `vidgate serve` does.

    Args:
        engine: Whose services.
        interval: Between two looks at those who wait.
    """

    @asynccontextmanager
    async def open_services(_settings: Settings) -> AsyncIterator[Services]:
        loops = [
            Loop("looks", looker.round, interval, woken=looker.wanted)
            for looker in (engine.services.waiters, engine.services.feeds)
        ]
        for loop in loops:
            loop.start()
        yield engine.services
        for loop in loops:
            await loop.stop()

    app = create_app(engine.services.settings, open_services=open_services)
    config = server_config(app, grace=timedelta(seconds=10))
    server = Server(config)
    with bind("127.0.0.1", 0) as listener:
        async with (
            running(server, listener),
            httpx.AsyncClient(
                base_url=url_of(listener),
                headers={"Authorization": f"Bearer {engine.key}"},
                timeout=30,
            ) as client,
        ):
            yield client, server


class Turns:
    """Counts the turns of the event loop, and what happens in each."""

    def __init__(self) -> None:
        self.now = 0
        self.happened: Counter[int] = Counter()
        self._handle = asyncio.get_running_loop().call_soon(self._turn)

    async def after(self, ends: Awaitable[object]) -> None:
        """Note in which turn something ends."""
        await ends
        self.happened[self.now] += 1

    def stop(self) -> None:
        """Count no more."""
        self._handle.cancel()

    def _turn(self) -> None:
        self.now += 1
        self._handle = asyncio.get_running_loop().call_soon(self._turn)
