"""Fixtures that every test may ask for: a database of its own, and a network that ends at home."""

import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.database import (
    create_database,
    drop_database,
    make_template,
    quicken,
    run,
    with_database,
)

from vidgate.db.embedded import EmbeddedServer
from vidgate.db.engine import Database


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
        name = run(create_database(given))
        yield with_database(given, name)
        run(drop_database(given, name))
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
def template_database(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database that is only copied."""
    name = run(make_template(postgres_url))
    yield name
    run(drop_database(postgres_url, name))


@pytest.fixture
async def database_url(postgres_url: str, template_database: str) -> AsyncIterator[str]:
    """The URL of a migrated database of the test's own, for tests that start processes."""
    name = await create_database(postgres_url, template=template_database)
    yield with_database(postgres_url, name)
    await drop_database(postgres_url, name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool on a migrated database of the test's own."""
    database = await Database.connect(database_url)
    yield database
    await database.aclose()
