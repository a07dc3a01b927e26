"""Fixtures that every test may ask for: a database of its own, and a network that ends at home."""

import gc
import ipaddress
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings
from tests.support.database import (
    clean_database,
    create_database,
    create_migrated_database,
    drop_database,
    quicken,
    run,
    tables_of,
)
from tests.support.engine import Engine, open_engine

from vidgate.db.embedded import EmbeddedServer
from vidgate.db.engine import Database

# Fourteen thousand collected tests are millions of objects that stay. To look through them for
# garbage took a third of the collection, and later held up the event loop of a test for a second.
gc.disable()

# A machine that is busy with other things draws slowly; that is no fault of a test.
settings.register_profile("vidgate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vidgate")


def pytest_collection_finish() -> None:
    """Leave what was collected out of every later collection of garbage."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """Begin every test with the same log, whatever the one before made of it.

    The default formatter of tracebacks prints every local variable, which takes minutes for a
    router.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that connects to anything off this machine, even if the test swallows it."""
    tried: list[Any] = []

    def guard(name: str) -> None:
        connect = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any) -> Any:
            if self.family != socket.AF_UNIX and not _is_loopback(address[0]):
                tried.append(address)
                raise OSError(f"a test must not connect to {address}")
            return connect(self, address)

        monkeypatch.setattr(socket.socket, name, guarded)

    guard("connect")
    guard("connect_ex")
    yield
    if tried:
        pytest.fail(f"connected off loopback: {tried}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A database in which others can be created: in the given server, or in one of our own."""
    given = os.environ.get("VIDGATE_TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Not in pytest's own directory, which is closed to the user that the server runs as under root.
    data_dir = Path(tempfile.mkdtemp(prefix="vidgate-tests-"))
    server = EmbeddedServer.start(data_dir)
    try:
        run(quicken(server.url))
        yield server.url
    finally:
        server.release()
        shutil.rmtree(data_dir)


@pytest.fixture(scope="session")
def _migrated_database(postgres_url: str) -> Iterator[tuple[str, list[str]]]:
    """The session's own migrated database: its URL and its tables."""
    url = run(create_migrated_database(postgres_url))
    yield url, run(tables_of(url))
    run(drop_database(postgres_url, url))


@pytest.fixture
async def database_url(_migrated_database: tuple[str, list[str]]) -> str:
    """The URL of a migrated database without rows, for tests that start processes."""
    url, tables = _migrated_database
    await clean_database(url, tables)
    return url


@pytest.fixture
async def empty_database_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a new database without tables; slower, for tests of the schema itself."""
    url = await create_database(postgres_url)
    yield url
    await drop_database(postgres_url, url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool on a migrated database without rows."""
    database = await Database.connect(database_url)
    yield database
    await database.aclose()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    """The services on a database of the test's own; nothing runs by itself."""
    async with open_engine(database_url) as engine:
        yield engine
