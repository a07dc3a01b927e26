"""Databases for tests: made, migrated, emptied and dropped."""

import asyncio
from collections.abc import Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from vidgate.db.migrating import migrate

__all__ = [
    "clean_database",
    "create_database",
    "create_migrated_database",
    "drop_database",
    "quicken",
    "run",
    "tables_of",
    "with_database",
]

_T = TypeVar("_T")

_TABLES: Final = """
    SELECT quote_ident(relname) AS name FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
    """

_CUT_OTHERS: Final = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    """


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end on a loop of its own, whatever loop this thread has."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(asyncio.run, coroutine).result()


def with_database(url: str, name: str) -> str:
    """Write the URL of another database of the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


async def create_database(admin_url: str) -> str:
    """Create an empty database and return its URL."""
    name = f"vidgate_test_{uuid4().hex}"
    await _command(admin_url, f"CREATE DATABASE {name}")
    return with_database(admin_url, name)


async def create_migrated_database(admin_url: str) -> str:
    """Create a migrated database and return its URL."""
    url = await create_database(admin_url)
    await migrate(url)
    return url


async def tables_of(url: str) -> list[str]:
    """List the tables of a database."""
    connection = await asyncpg.connect(url)
    try:
        return [row["name"] for row in await connection.fetch(_TABLES)]
    finally:
        await connection.close()


async def clean_database(url: str, tables: Collection[str]) -> None:
    """Bring a database back to what the migrations left: these tables, without rows.

    Whoever is still connected is cut. A hundred times as fast as a copy of a template, because
    nothing is created; triggers and foreign keys are left out, which only a superuser may do.
    """
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_CUT_OTHERS)
        found = [row["name"] for row in await connection.fetch(_TABLES)]
        foreign = [f"DROP TABLE {name} CASCADE" for name in found if name not in tables]
        emptied = [name for name in tables if name != "alembic_version"]
        try:
            await connection.execute(
                ";".join(
                    [
                        "SET LOCAL session_replication_role = replica",
                        *foreign,
                        *(f"DELETE FROM {name}" for name in emptied),  # noqa: S608 - names of our own
                    ]
                )
            )
        except asyncpg.InsufficientPrivilegeError:
            await connection.execute(";".join([*foreign, f"TRUNCATE {', '.join(emptied)}"]))
    finally:
        await connection.close()


async def drop_database(admin_url: str, url: str) -> None:
    """Drop a database, whoever is still connected to it."""
    name = urlsplit(url).path.removeprefix("/")
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
