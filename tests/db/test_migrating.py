import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from structlog.testing import capture_logs

import vidgate
from vidgate.db import migrating
from vidgate.db.engine import Database, Statement
from vidgate.db.migrating import (
    LOCK_KEY,
    SchemaState,
    migrate,
    migrations_directory,
    require_current,
    schema_state,
)
from vidgate.db.tables import metadata
from vidgate.exceptions import ConfigurationError, DatabaseUnavailableError

REPOSITORY = Path(__file__).parents[2]
TABLES = ("channels", "credentials")
PARTITIONS = {"outputs_default", "tasks_default"}
SET_REVISION = Statement(text("UPDATE alembic_version SET version_num = :revision"))
MIGRATED = {"event": "Database migrated", "log_level": "info"}


async def state_of(url: str) -> SchemaState:
    database = await Database.connect(url, pool_size=1)
    try:
        return await schema_state(database)
    finally:
        await database.aclose()


async def set_revision(url: str, revision: str) -> None:
    database = await Database.connect(url, pool_size=1)
    await database.execute(SET_REVISION, revision=revision)
    await database.aclose()


async def test_an_empty_database_is_brought_up_to_date(empty_database_url: str) -> None:
    assert await state_of(empty_database_url) is SchemaState.BEHIND

    with capture_logs() as logs:
        await migrate(empty_database_url)
        await migrate(empty_database_url)

    assert await state_of(empty_database_url) is SchemaState.CURRENT
    assert logs == [MIGRATED]


async def test_the_migrations_make_what_the_tables_say(database_url: str) -> None:
    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(database_url)

    def compare(connection: Connection) -> list[Any]:
        return list(
            compare_metadata(
                MigrationContext.configure(
                    connection,
                    opts={
                        "compare_server_default": True,
                        "include_name": lambda name, kind, _: (
                            kind != "table" or name not in PARTITIONS
                        ),
                    },
                ),
                metadata,
            )
        )

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect)
    async with engine.connect() as connection:
        differences = await connection.run_sync(compare)
    await engine.dispose()

    assert differences == []


async def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    code = "import asyncio, sys; from vidgate.db.migrating import migrate\n"
    code += "asyncio.run(migrate(sys.argv[1]))"

    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "error",
            "-c",
            code,
            empty_database_url,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(3)
    ]

    assert [await process.wait() for process in processes] == [0, 0, 0]
    assert await state_of(empty_database_url) is SchemaState.CURRENT


async def test_who_comes_second_waits_for_the_first(empty_database_url: str) -> None:
    first = await asyncpg.connect(empty_database_url)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with first.transaction():
        await first.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
        second = asyncio.create_task(migrate(empty_database_url))
        async with asyncio.timeout(20):
            while not await first.fetchval(waiting):
                assert not second.done()
        assert await first.fetchval("SELECT to_regclass('tasks')") is None

    await second
    await first.close()

    assert await state_of(empty_database_url) is SchemaState.CURRENT


async def test_a_table_in_use_is_tried_again(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_SECONDS", 0.05)
    monkeypatch.setattr(migrating, "_PAUSE_SECONDS", 0)
    tries: list[None] = []
    upgrade = migrating._upgrade
    user = await asyncpg.connect(empty_database_url)
    await user.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    use = user.transaction()
    await use.start()
    await user.execute("LOCK TABLE alembic_version IN SHARE MODE")
    loop = asyncio.get_running_loop()

    def count_and_upgrade(url: str) -> None:
        tries.append(None)
        if len(tries) == 3:
            asyncio.run_coroutine_threadsafe(use.rollback(), loop).result()
        upgrade(url)

    monkeypatch.setattr(migrating, "_upgrade", count_and_upgrade)
    with capture_logs() as logs:
        await migrate(empty_database_url)
    await user.close()

    assert await state_of(empty_database_url) is SchemaState.CURRENT
    assert [log["event"] for log in logs] == [
        "A table is in use; the migration will be tried again",
        "A table is in use; the migration will be tried again",
        "Database migrated",
    ]


async def test_a_table_that_stays_in_use_is_given_up(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_SECONDS", 0.01)
    monkeypatch.setattr(migrating, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(migrating, "_TRIES", 2)
    user = await asyncpg.connect(empty_database_url)
    await user.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    async with user.transaction():
        await user.execute("LOCK TABLE alembic_version IN SHARE MODE")
        with pytest.raises(DatabaseUnavailableError, match="stay in use"):
            await migrate(empty_database_url)
    await user.close()

    assert await state_of(empty_database_url) is SchemaState.BEHIND


async def test_behind_is_refused_in_one_sentence(empty_database_url: str) -> None:
    database = await Database.connect(empty_database_url, pool_size=1)

    with pytest.raises(ConfigurationError, match="run `vidgate migrate`"):
        await require_current(database)

    await migrate(empty_database_url)
    await require_current(database)
    await database.aclose()


async def test_ahead_is_accepted_and_left_alone(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    await set_revision(empty_database_url, "from_the_future")

    await migrate(empty_database_url)

    assert await state_of(empty_database_url) is SchemaState.AHEAD
    database = await Database.connect(empty_database_url, pool_size=1)
    await require_current(database)
    await database.aclose()


async def test_an_error_in_a_migration_undoes_all_of_it(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("CREATE TABLE tasks (id int)")

    with pytest.raises(Exception, match='relation "tasks" already exists'):
        await migrate(empty_database_url)

    tables = await connection.fetch("SELECT relname FROM pg_class WHERE relname = 'accounts'")
    await connection.close()
    assert tables == []


async def test_alembic_itself_works_from_a_checkout(empty_database_url: str) -> None:
    environment = os.environ | {
        "VIDGATE_DATABASE_URL": empty_database_url.replace("postgresql://", "postgres://")
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-m",
        "alembic",
        "upgrade",
        "head",
        cwd=REPOSITORY,
        env=environment,
    )

    assert await process.wait() == 0
    assert await state_of(empty_database_url) is SchemaState.CURRENT


async def test_nothing_is_printed(
    empty_database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with capture_logs():
        await migrate(empty_database_url)

    assert capfd.readouterr() == ("", "")


def test_the_package_s_own_migrations_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "src" / "vidgate"
    monkeypatch.setattr(vidgate, "__file__", str(package / "__init__.py"))
    with pytest.raises(ConfigurationError, match="no migrations"):
        migrations_directory()

    for directory in (tmp_path / "migrations", package / "migrations"):
        directory.mkdir(parents=True)
        (directory / "env.py").touch()
        assert migrations_directory() == directory


def test_file_names_of_revisions_start_with_the_date() -> None:
    scripts = ScriptDirectory(str(migrations_directory()))

    assert len(scripts.get_heads()) == 1
    for script in scripts.walk_revisions():
        assert Path(script.path).name[:10].replace("-", "").isdecimal(), script.path


@pytest.mark.parametrize(
    ("provider", "before", "after"),
    [
        ("openai_compatible", "https://gate.test", "https://gate.test"),
        ("openai_compatible", "https://gate.test/openai", "https://gate.test/openai/v1"),
        ("openai_compatible", "https://gate.test/openai/v1", "https://gate.test/openai/v1"),
        ("kling", "https://gate.test/kling", "https://gate.test/kling"),
    ],
)
async def test_what_was_the_front_of_a_prefix_is_written_out(
    empty_database_url: str, provider: str, before: str, after: str
) -> None:
    revision = "4e8b1f6c2a70"
    config = migrating._config()
    config.attributes["url"] = empty_database_url
    scripts = ScriptDirectory.from_config(config)
    await asyncio.to_thread(
        command.upgrade, config, str(scripts.get_revision(revision).down_revision)
    )
    connection = await asyncpg.connect(empty_database_url)
    channel, credential = uuid4(), uuid4()
    await connection.execute(
        "INSERT INTO channels (id, name, provider, base_url, credential_id)"
        " VALUES ($1, 'a', $2, $3, $4)",
        *(channel, provider, before, credential),
    )
    await connection.execute(
        "INSERT INTO credentials (id, channel_id, base_url, secret) VALUES ($1, $2, $3, 'x')",
        *(credential, channel, before),
    )

    await asyncio.to_thread(command.upgrade, config, revision)

    stored = [await connection.fetchval(f"SELECT base_url FROM {table}") for table in TABLES]  # noqa: S608 - of two names
    await connection.close()
    assert stored == [after, after]
