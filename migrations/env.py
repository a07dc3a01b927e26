"""How alembic reaches the database: one transaction under one lock, over asyncpg."""

import asyncio
import os

import asyncpg
from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from vidgate.db.engine import asyncpg_url
from vidgate.db.migrating import LOCK_KEY, LOCK_SECONDS, WAIT_SECONDS
from vidgate.db.months import is_partition
from vidgate.db.tables import metadata


def run_online() -> None:
    """Migrate the database of `attributes["url"]`, or of the environment."""
    url = context.config.attributes.get("url") or os.environ.get("VIDGATE_DATABASE_URL", "")
    asyncio.run(run_async(asyncpg_url(url)))


async def run_async(url: str) -> None:
    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(
            url,
            statement_cache_size=0,  # works behind a pooler, too
            server_settings={"timezone": "UTC", "application_name": "vidgate migrate"},
        )

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave partitions out of what is compared: they are in no table of `metadata`."""
    return not (kind == "table" and is_partition(str(name)))


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, include_name=is_ours)
    with context.begin_transaction():
        # Waiting for another process that migrates is right, waiting for a busy table is not:
        # everybody who comes after us would wait behind us.
        connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
        context.run_migrations()


def run_offline() -> None:
    """Write the SQL instead of running it, for `alembic upgrade head --sql`."""
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
