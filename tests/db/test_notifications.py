"""Hints between processes: merged, dropped without harm, heard again after a loss."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import literal, select, text
from structlog.testing import capture_logs

from vidgate.db import notifications
from vidgate.db.embedded import EmbeddedServer
from vidgate.db.engine import Database, Statement
from vidgate.db.notifications import Listener, Notifier
from vidgate.exceptions import DatabaseUnavailableError

ONE = Statement(select(literal(1)))
TERMINATE_NAMED = Statement(
    text(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query = CAST(:query AS text)"
    )
)


class Received:
    """What a listener was told, and a wait for it."""

    def __init__(self) -> None:
        self.payloads: list[str] = []
        self.resets = 0
        self._changed = asyncio.Event()

    def payload(self, payload: str) -> None:
        self.payloads.append(payload)
        self._changed.set()

    def reset(self) -> None:
        self.resets += 1
        self._changed.set()

    async def until(self, *, payloads: int = 0, resets: int = 0) -> None:
        async with asyncio.timeout(10):
            while len(self.payloads) < payloads or self.resets < resets:
                self._changed.clear()
                await self._changed.wait()


async def test_hints_arrive_and_are_merged(database_url: str, database: Database) -> None:
    received = Received()
    listener = Listener(database_url, callback=received.payload, on_reset=received.reset)
    listener.start()
    await received.until(resets=1)
    notifier = Notifier(database)

    for payload in ("a", "b", "a", "视频"):
        notifier.send(payload)
    await notifier.aclose()
    await received.until(payloads=3)

    assert received.payloads == ["a", "b", "视频"]
    await listener.aclose()


async def test_a_lost_listener_connects_again_and_evicts(
    database_url: str, database: Database
) -> None:
    received = Received()
    listener = Listener(database_url, callback=received.payload, on_reset=received.reset)
    listener.start()
    await received.until(resets=1)

    with capture_logs() as logs:
        await database.fetch(TERMINATE_NAMED, query='LISTEN "vidgate"')
        await received.until(resets=2)
    notifier = Notifier(database)
    notifier.send("after")
    await received.until(payloads=1)

    assert [log["event"] for log in logs] == ["Listener lost its connection"]
    await notifier.aclose()
    await listener.aclose()


async def test_a_listener_notices_a_silent_loss(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "_HEARTBEAT_SECONDS", 0.01)
    beaten = asyncio.Event()
    execute = asyncpg.Connection.execute

    async def fail_once(self: asyncpg.Connection, query: str, *args: Any, **options: Any) -> Any:
        if query == "SELECT 1" and not beaten.is_set():
            beaten.set()
            raise TimeoutError
        return await execute(self, query, *args, **options)

    monkeypatch.setattr(asyncpg.Connection, "execute", fail_once)
    received = Received()
    listener = Listener(database_url, callback=received.payload, on_reset=received.reset)
    listener.start()

    await received.until(resets=2)

    assert beaten.is_set()
    await listener.aclose()


async def test_a_failing_callback_does_not_end_a_listener(
    database_url: str, database: Database
) -> None:
    received = Received()

    def fail_on_bad(payload: str) -> None:
        if payload == "bad":
            raise ValueError
        received.payload(payload)

    listener = Listener(database_url, callback=fail_on_bad, on_reset=received.reset)
    listener.start()
    await received.until(resets=1)
    notifier = Notifier(database)

    with capture_logs() as logs:
        notifier.send("bad")
        notifier.send("good")
        await received.until(payloads=1)

    assert received.payloads == ["good"]
    assert [log["event"] for log in logs] == ["Notification callback failed"]
    await notifier.aclose()
    await listener.aclose()


async def test_hints_that_cannot_be_sent_are_dropped(database_url: str) -> None:
    database = await Database.connect(database_url)
    notifier = Notifier(database)
    await database.aclose()

    with capture_logs() as logs:
        notifier.send("a")
        await notifier.aclose()

    assert [(log["event"], log["count"]) for log in logs] == [("Hints dropped", 1)]


async def test_a_hint_that_is_too_long_is_refused(database: Database) -> None:
    notifier = Notifier(database)

    with pytest.raises(ValueError, match="7999"):
        notifier.send("视" * 3000)

    notifier.send("x" * 7999)
    with capture_logs() as logs:
        await notifier.aclose()
    assert logs == []


async def test_a_restarted_server_is_found_again() -> None:
    data_dir = Path(tempfile.mkdtemp(prefix="vidgate-tests-"))
    server = await asyncio.to_thread(EmbeddedServer.start, data_dir)
    database = await Database.connect(server.url)
    received = Received()
    listener = Listener(server.url, callback=received.payload, on_reset=received.reset)
    listener.start()
    await received.until(resets=1)

    await asyncio.to_thread(server.release)
    with pytest.raises(DatabaseUnavailableError):
        await database.fetch(ONE)
    server = await asyncio.to_thread(EmbeddedServer.start, data_dir)

    assert await database.fetch_value(ONE) == 1
    await received.until(resets=2)
    await listener.aclose()
    await database.aclose()
    await asyncio.to_thread(server.release)
    shutil.rmtree(data_dir)
