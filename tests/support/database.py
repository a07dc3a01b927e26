"""Databases for tests: made from a migrated template, and dropped."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from vidgate.db.migrating import migrate

__all__ = [
    "create_database",
    "drop_database",
    "make_template",
    "quicken",
    "run",
    "with_database",
]

_T = TypeVar("_T")


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end on a loop of its own, whatever loop this thread has."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(asyncio.run, coroutine).result()


def with_database(url: str, name: str) -> str:
    """Write the URL of another database of the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


async def create_database(admin_url: str, *, template: str | None = None) -> str:
    """Create a database and return its name."""
    name = f"vidgate_test_{uuid4().hex}"
    source = "" if template is None else f" TEMPLATE {template}"
    await _command(admin_url, f"CREATE DATABASE {name}{source}")
    return name


async def make_template(admin_url: str) -> str:
    """Create a migrated database and return its name."""
    name = await create_database(admin_url)
    await migrate(with_database(admin_url, name))
    return name


async def drop_database(admin_url: str, name: str) -> None:
    """Drop a database, whoever is still connected to it."""
    await _command(admin_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def quicken(admin_url: str) -> None:
    """Make a server of our own quick at what a test does not need to survive."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        await _command(admin_url, f"ALTER SYSTEM SET {setting} = off")
    await _command(admin_url, "SELECT pg_reload_conf()")


async def _command(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
