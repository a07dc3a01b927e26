"""A start that fails says why in a sentence."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import asyncpg
import pytest
from pydantic import SecretStr
from tests.support.api import build_settings
from tests.support.engine import SECRET_KEY

from vidgate.api.webhook_bodies import WebhookBodies
from vidgate.config import Settings
from vidgate.exceptions import VidgateError
from vidgate.factory import open_services
from vidgate.main import create_app

ROLE, PASSWORD = "vidgate_bystander", "pass"


@asynccontextmanager
async def dying(url: str, after_bytes: int) -> AsyncIterator[str]:
    """A way to PostgreSQL that ends for good once the server has said so many bytes."""
    parts = urlsplit(url)
    socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.{parts.port or 5432}"
    left = after_bytes
    writers: list[asyncio.StreamWriter] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        server_reader, server_writer = await asyncio.open_unix_connection(socket)
        writers.extend((writer, server_writer))
        asking = asyncio.create_task(forward(reader, server_writer))
        with suppress(OSError):
            while left > 0 and (data := await server_reader.read(left)):
                left -= len(data)
                writer.write(data)
                await writer.drain()
        asking.cancel()
        if left <= 0:
            listening.close()
            for one in writers:
                one.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    login = f"{parts.username}:{quote(parts.password or '')}"
    try:
        yield f"postgresql://{login}@127.0.0.1:{port}{parts.path}"
    finally:
        listening.close()
        for one in writers:
            one.close()


@pytest.fixture
async def bystander_url(database_url: str) -> AsyncIterator[str]:
    """The URL of the same database for a role that may only log in."""
    owner = await asyncpg.connect(database_url)
    await owner.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
    parts = urlsplit(database_url)
    host = parts.netloc.rpartition("@")[2]
    yield urlunsplit(parts._replace(netloc=f"{ROLE}:{PASSWORD}@{host}"))
    await owner.execute(f"DROP ROLE {ROLE}")
    await owner.close()


def settings_of(url: str, *, auto_migrate: bool = False) -> Settings:
    return build_settings(
        database_url=SecretStr(url),
        secret_key=SecretStr(SECRET_KEY),
        auto_migrate=auto_migrate,
        db_pool=2,
    )


async def reason_for(settings: Settings) -> str:
    """What a server that runs the application logs of its start."""
    messages: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        messages.append(message)

    with pytest.raises(VidgateError):
        await create_app(settings)({"type": "lifespan", "state": {}}, receive, send)
    [message] = messages
    assert message["type"] == "lifespan.startup.failed"
    return str(message["message"])


@pytest.mark.parametrize("auto_migrate", [False, True])
async def test_a_role_without_rights(bystander_url: str, *, auto_migrate: bool) -> None:
    reason = await reason_for(settings_of(bystander_url, auto_migrate=auto_migrate))

    assert reason == (
        "The role of VIDGATE_DATABASE_URL lacks rights that vidgate needs: permission denied for "
        "table alembic_version."
    )


async def test_a_role_that_may_not_migrate(bystander_url: str, empty_database_url: str) -> None:
    path = urlsplit(empty_database_url).path
    url = urlunsplit(urlsplit(bystander_url)._replace(path=path))

    reason = await reason_for(settings_of(url, auto_migrate=True))

    assert reason == (
        "The role of VIDGATE_DATABASE_URL lacks rights that vidgate needs: permission denied for "
        "schema public."
    )


@pytest.mark.parametrize("after_bytes", [0, 1, 500, 1000, 1500, 2000])
async def test_a_database_that_goes_away_during_the_start(
    database_url: str, after_bytes: int
) -> None:
    async with dying(database_url, after_bytes) as url:
        reason = await reason_for(settings_of(url, auto_migrate=True))

    assert "\n" not in reason
    assert "Traceback" not in reason
    assert "PostgreSQL" in reason


async def test_one_that_stays_is_started_with(database_url: str) -> None:
    async with dying(database_url, 10_000_000) as url:
        settings = settings_of(url)
        async with open_services(settings, webhook_bodies=WebhookBodies) as services:
            assert services.is_worker_alive
