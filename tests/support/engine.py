"""The real services on a real database, with the network replaced by a router and a fixed clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import respx
from pydantic import SecretStr
from tests.support.clock import FixedClock
from tests.support.upstreams import SITUATIONS

from vidgate.api.webhook_bodies import WebhookBodies
from vidgate.config import Settings
from vidgate.exceptions import RequestError
from vidgate.factory import OperatorContext, Services, build_services, open_operator_context
from vidgate.models.accounts import Caller
from vidgate.models.attempts import Attempt
from vidgate.models.channels import Channel, NewChannel
from vidgate.models.ids import parse_public_id
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskSnapshot
from vidgate.providers.transport.client import UpstreamClient
from vidgate.providers.transport.guard import GuardedFetcher
from vidgate.services.channels.breaker import Breaker
from vidgate.services.channels.directory import Directory
from vidgate.services.channels.upstream import Upstream
from vidgate.services.tasks.creating import Created

__all__ = ["KEYS", "SECRET_KEY", "Engine", "build_upstream", "open_engine"]

SECRET_KEY = "dGVzdC1zZWNyZXQta2V5LW9mLTMyLWJ5dGVzLWxvbmc="

KEYS = {name: one.key for name, one in SITUATIONS.items()}


@dataclass
class Engine:
    """Services, the router that stands for the providers, and the clock.

    Nothing runs by itself: `tick` is a round of the worker and all that it starts.
    """

    services: Services
    operator: OperatorContext
    router: respx.MockRouter
    clock: FixedClock
    caller: Caller
    key: str

    async def channel(self, provider: str, name: str | None = None, **options: Any) -> Channel:
        options.setdefault("base_url", f"http://{name or provider}.test")
        options.setdefault("models", SITUATIONS[provider].models)
        channel = await self.operator.provisioning.add_channel(
            NewChannel(name=name or provider, provider=provider, key=KEYS[provider], **options)
        )
        await self.services.directory.load()
        return channel

    async def create(self, model: str, prompt: str = "a boat", **members: Any) -> Created:
        request = VideoRequest(model=model, prompt=prompt, **members)
        return await self.services.task_creator.create(self.caller, request, dialect="newapi")

    async def refused(self, model: str, **members: Any) -> RequestError:
        try:
            created = await self.create(model, **members)
        except RequestError as error:
            return error
        raise AssertionError(f"not refused: {created}")

    async def tick(self, **span: float) -> None:
        """Move the clock, then do one round of work to its end."""
        self.clock.advance(**span)
        await self.services.directory.load()
        await self.services.worker.round()
        await self.services.worker.idle()

    async def task(self, created: Created | str) -> TaskSnapshot:
        name = created if isinstance(created, str) else created.snapshot.public_id
        task_id = parse_public_id("task_", name)
        assert task_id is not None
        snapshot = await self.operator.tasks.snapshot(task_id)
        assert snapshot is not None
        return snapshot

    async def attempts(self, created: Created) -> list[Attempt]:
        return await self.operator.attempts.of_task(created.snapshot.id)

    async def all_tasks(self) -> list[TaskSnapshot]:
        return await self.operator.tasks.overview(limit=100)


@asynccontextmanager
async def open_engine(
    database_url: str,
    clock: FixedClock | None = None,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    **settings: Any,
) -> AsyncIterator[Engine]:
    """Open an engine on a migrated database; several may share one.

    Args:
        database_url: Where it is.
        clock: Of the database, `None` for one of its own.
        transport: What stands for the network, `None` for the router.
        **settings: The operator's.
    """
    clock = clock or FixedClock()
    router = respx.MockRouter(assert_all_called=False)
    configured = Settings(
        database_url=SecretStr(database_url), secret_key=SecretStr(SECRET_KEY), **settings
    )
    network = transport or httpx.MockTransport(router.async_handler)
    client = UpstreamClient(transport_factory=lambda: network)
    fetcher = GuardedFetcher(allowed_networks=configured.allowed_networks)
    async with open_operator_context(configured) as operator:
        services = build_services(
            operator,
            client=client,
            fetcher=fetcher,
            clock=clock,
            webhook_bodies=WebhookBodies,
        )
        await services.directory.load()
        await services.prices.load()
        _, key = await operator.provisioning.create_token(name="test")
        caller = await services.directory.authenticate(key)
        assert caller is not None
        yield Engine(services, operator, router, clock, caller, key)
        await services.task_creator.drain(configured.shutdown_grace)
    await client.aclose()
    await fetcher.aclose()


def build_upstream(
    engine: Engine, client: UpstreamClient, directory: Directory | None = None
) -> Upstream:
    """The way to the providers over another client."""
    directory = directory or engine.services.directory
    breaker = Breaker(
        states=engine.operator.channel_states, directory=directory, clock=engine.clock
    )
    return Upstream(
        directory=directory,
        client=client,
        clock=engine.clock,
        breaker=breaker,
        metrics=engine.services.metrics,
    )
