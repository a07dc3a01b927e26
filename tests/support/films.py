"""A finished task whose video lies on a host of the test's own, behind a real HTTP server."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from tests.support.engine import Engine, open_engine
from tests.support.gateway import build_app
from tests.support.hosts import Host, open_host
from tests.support.upstreams import MODELS, VIDEO, Reply, Upstream, state

from vidgate.cli.servers import Server, bind, running, server_config, url_of
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import TaskSnapshot

__all__ = ["LOOPBACK", "House", "open_house"]

LOOPBACK = ("127.0.0.0/8",)


@dataclass
class House:
    """Everything from the client to the host.

    Attributes:
        task: It has succeeded; its video is `/film.mp4?sign=%2Fx` of the host.
    """

    engine: Engine
    upstream: Upstream
    host: Host
    client: httpx.AsyncClient
    task: TaskSnapshot

    @property
    def link(self) -> str:
        return f"{self.host.url}/film.mp4?sign=%2Fx"

    @property
    def path(self) -> str:
        return f"/v1/videos/{self.task.public_id}/content"

    async def give(self, **members: Any) -> None:
        """Have the task's video elsewhere, or otherwise."""
        result = VideoResult(**{"url": self.link, **members})
        assert await self.engine.operator.tasks.renew_result(self.task.id, 0, result)

    def renewed(self, url: str) -> Reply:
        """What the provider answers with this link."""
        reply = state("kling", "succeeded", "kling1")
        return Reply(json.loads(json.dumps(reply.body).replace(VIDEO, url)))

    async def get(self, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(self.path, headers=named)


@asynccontextmanager
async def open_house(
    database_url: str, *, served: bool = True, **settings: Any
) -> AsyncIterator[House]:
    """Open all of it on a migrated database.

    Args:
        database_url: Of the test's own.
        served: Whether a server is needed.
        settings: The operator's, changed.
    """
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(
            open_engine(database_url, **{"allowed_networks": LOOPBACK, **settings})
        )
        host = await stack.enter_async_context(open_host())
        await engine.channel("kling")
        upstream = Upstream(engine.router, "kling")
        created = await engine.create(MODELS["kling"])
        upstream.on_poll = ["succeeded"]
        await engine.tick(minutes=1)
        task = await engine.task(created)
        assert task.result is not None
        upstream.polls.clear()
        url = "http://unserved.test"
        if served:
            url = await stack.enter_async_context(_serve(engine))
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=url, headers={"Authorization": f"Bearer {engine.key}"}, timeout=20
            )
        )
        house = House(engine, upstream, host, client, task)
        await house.give()
        yield house


@asynccontextmanager
async def _serve(engine: Engine) -> AsyncIterator[str]:
    with bind("127.0.0.1", 0) as listener:
        config = server_config(build_app(engine), grace=timedelta(seconds=1))
        async with running(Server(config), listener):
            yield url_of(listener)
