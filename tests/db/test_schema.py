"""The migrations and the tables say the same."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from vidgate.db.engine import Database, Statement
from vidgate.db.months import is_partition
from vidgate.db.tables import metadata


async def test_migrations_leave_nothing_for_alembic_to_add(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, _kind, _parents: not is_partition(str(name))},
        )
        return list(compare_metadata(context, metadata))

    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
    finally:
        await engine.dispose()


async def test_updated_at_is_set_last_in_the_transaction(database: Database) -> None:
    insert = Statement(
        text("INSERT INTO accounts (id, name) VALUES (gen_random_uuid(), 'a') RETURNING updated_at")
    )
    read = Statement(text("SELECT updated_at, clock_timestamp() AS now FROM accounts"))
    async with database.transaction() as transaction:
        inserted = await transaction.fetch_value(insert)
        await transaction.execute(Statement(text("SELECT pg_sleep(0.05)")))
        before_commit = await transaction.fetch_one(read)
    after_commit = await database.fetch_one(read)

    assert before_commit is not None
    assert after_commit is not None
    assert before_commit["updated_at"] == inserted
    assert after_commit["updated_at"] > before_commit["now"]


async def test_the_next_revision_would_not_drop_the_partitions(database_url: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "alembic", "check"],
        env=os.environ | {"VIDGATE_DATABASE_URL": database_url},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
