"""A sandbox under a clock that stands still, and a client that calls it without sockets."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.sandbox.support import ROOT, Clock, Inbox

from vidgate.sandbox.app import Sandbox, create_sandbox
from vidgate.sandbox.settings import SandboxSettings


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(clock: Clock) -> SandboxSettings:
    return SandboxSettings(
        clock=clock,
        encode_ahead=False,
        jitter=0.0,
        slow_body_seconds=0.0,
        callback_retry_seconds=0.0,
    )


@pytest.fixture
def sandbox(settings: SandboxSettings) -> Sandbox:
    return create_sandbox(settings)


@pytest.fixture
def inbox(sandbox: Sandbox) -> Inbox:
    return Inbox(sandbox.world.callbacks)


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=sandbox)
    async with httpx.AsyncClient(transport=transport, base_url=ROOT) as client:
        yield client
    await sandbox.world.callbacks.close()
    sandbox.world.videos.close()
