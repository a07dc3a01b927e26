"""The migrations and the tables say the same."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from vidgate.db.engine import Database, Statement
from vidgate.db.tables import metadata


async def test_migrations_leave_nothing_for_alembic_to_add(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, _kind, _parents: not str(name).endswith("_default")},
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
