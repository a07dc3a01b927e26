import asyncio
import importlib
import pkgutil
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Enum,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    any_,
    bindparam,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, array
from tests.support.database import with_database

import vidgate.db
from vidgate.db import engine
from vidgate.db.engine import (
    Database,
    SerializationFailure,
    Statement,
    UniqueViolation,
    asyncpg_url,
)
from vidgate.exceptions import ConfigurationError, DatabaseUnavailableError

THINGS = Table(
    "things",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("name", Text),
    Column("count", BigInteger),
    Column("document", JSONB),
    Column("content", LargeBinary),
    Column("seen_at", DateTime(timezone=True)),
    Column("span", Interval),
    Column("is_on", Boolean),
    Column("tags", ARRAY(Text)),
)
CREATE = Statement(
    text(
        "CREATE TABLE things (id uuid PRIMARY KEY, name text, count bigint, document jsonb,"
        " content bytea, seen_at timestamptz, span interval, is_on boolean, tags text[])"
    )
)
INSERT = Statement(insert(THINGS))
INSERT_NAME = Statement(insert(THINGS).values(id=bindparam("id"), name=bindparam("name")))
NAMES = Statement(select(THINGS.c.name).order_by(THINGS.c.name))
BY_IDS = Statement(
    select(*THINGS.c)
    .where(THINGS.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(THINGS.c.id)
)
RENAME = Statement(
    update(THINGS).where(THINGS.c.name == bindparam("old")).values(name=bindparam("new"))
)
ONE = Statement(select(literal(1)))
PID = Statement(text("SELECT pg_backend_pid()"))
SLEEP = Statement(text("SELECT pg_sleep(60)"))
TERMINATE = Statement(text("SELECT pg_terminate_backend(CAST(:pid AS int), 5000)"))
TERMINATE_NAMED = Statement(
    text(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query = CAST(:query AS text)"
    )
)


@pytest.fixture
async def things(database: Database) -> Database:
    await database.execute(CREATE)
    return database


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """Another process's pool on the same database."""
    other = await Database.connect(database_url, pool_size=1)
    yield other
    await other.aclose()


# Statements.


def test_core_becomes_numbered_binds_with_types() -> None:
    statement = Statement(
        select(THINGS.c.name)
        .where(THINGS.c.id == bindparam("id"), THINGS.c.seen_at < bindparam("now"))
        .limit(bindparam("limit", type_=Integer))
    )

    assert statement.names == ("id", "now", "limit")
    assert "things.id = $1::UUID" in statement.sql
    assert "things.seen_at < $2::TIMESTAMP WITH TIME ZONE" in statement.sql
    assert "LIMIT $3::INTEGER" in statement.sql


def test_a_value_in_the_statement_is_written_into_it() -> None:
    statement = Statement(
        update(THINGS)
        .where(THINGS.c.name == "it's 100%\\", THINGS.c.is_on.is_(True))
        .values(count=THINGS.c.count + 1, name=None)
    )

    assert statement.names == ()
    assert "things.name = 'it''s 100%\\'" in statement.sql
    assert "name=NULL" in statement.sql
    assert "things.count + 1" in statement.sql


def test_a_repeated_bind_is_one_parameter() -> None:
    both = text("SELECT CAST(:a AS int) + :b + :a").bindparams(bindparam("b", type_=Integer()))

    statement = Statement(both)

    assert statement.sql == "SELECT CAST($1 AS int) + $2::INTEGER + $1"
    assert statement.arguments({"b": 2, "a": 1}) == [1, 2]


@pytest.mark.parametrize("binds", [{}, {"id": 1}, {"id": 1, "name": "a", "more": 1}, {"nam": 1}])
def test_other_binds_than_the_statement_has_are_refused(binds: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="binds missing"):
        INSERT_NAME.arguments(binds)


def test_what_the_rules_forbid_does_not_compile() -> None:
    with_default = Table("t", MetaData(), Column("a", Integer), Column("b", Integer, default=1))

    with pytest.raises(TypeError, match="ANY"):
        Statement(select(THINGS.c.id).where(THINGS.c.name.in_(["a", "b"])))
    with pytest.raises(TypeError, match="ANY"):
        Statement(select(THINGS.c.id).where(THINGS.c.name.in_(bindparam("names"))))
    with pytest.raises(TypeError, match="defaults"):
        Statement(insert(with_default).values(a=bindparam("a")))
    with pytest.raises(TypeError, match="timeout"):
        Statement(text("SELECT :timeout"))
    with pytest.raises(TypeError, match="CAST"):
        Statement(text("SELECT :a::int"))


async def test_values_of_every_type_come_back_as_they_were(things: Database) -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": uuid4(),
            "name": "Ünïcode 视频 %s $1 :x",
            "count": 2**63 - 1,
            "document": {"huge": 10**30, "float": 0.1, "text": "视频", "list": [None, True]},
            "content": bytes(range(256)),
            "seen_at": datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
            "span": timedelta(days=1, microseconds=1),
            "is_on": False,
            "tags": ["a", "b,{}", "视"],
        },
        {"id": uuid4()} | dict.fromkeys(INSERT.names[1:]),
    ]
    rows.sort(key=lambda row: str(row["id"]))

    await things.execute_many(INSERT, rows)
    found = await things.fetch(BY_IDS, ids=[row["id"] for row in rows])

    assert [dict(row) for row in found] == rows


async def test_constants_and_parameters_meet_in_one_array(database: Database) -> None:
    statement = Statement(select(array([bindparam("a", type_=Text), literal("b")])))

    assert await database.fetch_value(statement, a="a") == ["a", "b"]


# The pool.


async def test_fetching_and_counting(things: Database) -> None:
    assert await things.fetch_one(NAMES) is None
    assert await things.fetch_value(NAMES) is None
    assert await things.fetch(NAMES) == []

    for name in ("a", "b", "b"):
        assert await things.execute(INSERT_NAME, id=uuid4(), name=name) == 1

    assert await things.execute(RENAME, old="b", new="c") == 2
    assert await things.execute(RENAME, old="b", new="c") == 0
    assert [row["name"] for row in await things.fetch(NAMES)] == ["a", "c", "c"]
    first = await things.fetch_one(NAMES)
    assert first is not None
    assert first["name"] == "a"
    assert await things.fetch_value(NAMES) == "a"


async def test_many_rows_are_written_all_or_not_at_all(things: Database) -> None:
    key = uuid4()

    with pytest.raises(UniqueViolation) as caught:
        await things.execute_many(INSERT_NAME, [{"id": key, "name": "a"}, {"id": key, "name": "b"}])

    assert caught.value.constraint_name == "things_pkey"
    assert await things.fetch(NAMES) == []


async def test_a_value_of_the_wrong_type_is_the_caller_s_error(things: Database) -> None:
    with pytest.raises(asyncpg.DataError, match="expected str, got int"):
        await things.execute(INSERT_NAME, id=uuid4(), name=1)
    with pytest.raises(asyncpg.DataError, match="JSON"):
        await things.fetch_value(
            Statement(select(bindparam("document", type_=JSONB))), document={"a": float("nan")}
        )


async def test_a_transaction_commits(things: Database) -> None:
    async with things.transaction() as transaction:
        await transaction.execute(INSERT_NAME, id=uuid4(), name="a")
        assert await things.fetch(NAMES) == []
        assert await transaction.fetch_value(text_statement("SHOW transaction_isolation")) == (
            "read committed"
        )

    assert await things.fetch_value(NAMES) == "a"


async def test_an_exception_rolls_a_transaction_back(things: Database) -> None:
    async def write_and_fail() -> None:
        async with things.transaction() as transaction:
            await transaction.execute(INSERT_NAME, id=uuid4(), name="a")
            raise OSError("ours")

    with pytest.raises(OSError, match="ours"):
        await write_and_fail()

    assert await things.fetch(NAMES) == []


async def test_a_failed_statement_leaves_the_pool_usable(things: Database) -> None:
    async def write_twice() -> None:
        key = uuid4()
        async with things.transaction() as transaction:
            await transaction.execute(INSERT_NAME, id=key, name="a")
            await transaction.execute(INSERT_NAME, id=key, name="b")

    with pytest.raises(UniqueViolation):
        await write_twice()

    assert await things.fetch(NAMES) == []


async def test_a_serialization_failure_passes(database: Database) -> None:
    failing = text_statement("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

    with pytest.raises(SerializationFailure):
        await database.execute(failing)


async def test_sessions_are_in_utc_and_named(database: Database) -> None:
    assert await database.fetch_value(text_statement("SHOW timezone")) == "UTC"
    assert await database.fetch_value(text_statement("SHOW application_name")) == "vidgate"


async def test_nothing_is_sent_when_a_connection_is_released(
    database_url: str, other: Database
) -> None:
    last = text_statement("SELECT query FROM pg_stat_activity WHERE pid = CAST(:pid AS int)")
    database = await Database.connect(database_url, pool_size=1)
    pid = await database.fetch_value(PID)

    assert await other.fetch_value(last, pid=pid) == PID.sql
    await database.aclose()


async def test_statements_are_prepared_once(database_url: str) -> None:
    prepared = text_statement("SELECT statement FROM pg_prepared_statements")
    database = await Database.connect(database_url, pool_size=1)

    await database.fetch(ONE)
    await database.fetch(ONE)

    found = [row["statement"] for row in await database.fetch(prepared)]
    assert found.count(ONE.sql) == 1
    await database.aclose()


async def test_nothing_is_prepared_behind_a_pooler(database_url: str) -> None:
    prepared = text_statement("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")
    database = await Database.connect(database_url, pool_size=1, prepared_statements=False)

    document = await database.fetch_value(
        Statement(select(bindparam("document", type_=JSONB))), document={"a": [1]}
    )

    assert document == {"a": [1]}
    assert await database.fetch_value(prepared) == 0
    await database.aclose()


async def test_a_pool_without_a_free_connection_is_unavailable(database_url: str) -> None:
    database = await Database.connect(database_url, pool_size=1, acquire_seconds=0.05)

    async with database.transaction():
        with pytest.raises(DatabaseUnavailableError):
            await database.fetch(ONE)

    assert await database.fetch_value(ONE) == 1
    await database.aclose()


async def test_a_statement_that_takes_too_long_is_unavailable(database: Database) -> None:
    with pytest.raises(DatabaseUnavailableError, match="TimeoutError"):
        await database.fetch(SLEEP, timeout=0.05)

    assert await database.fetch_value(ONE) == 1


async def test_a_cancelled_statement_gives_its_connection_back(database_url: str) -> None:
    database = await Database.connect(database_url, pool_size=1)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await database.fetch(SLEEP)

    assert await database.fetch_value(ONE) == 1
    await database.aclose()


async def test_a_lost_connection_is_replaced(database_url: str, other: Database) -> None:
    database = await Database.connect(database_url, pool_size=1)

    for _ in range(3):
        await other.fetch(TERMINATE, pid=await database.fetch_value(PID))
        with suppress(DatabaseUnavailableError):  # unless the loss was seen before
            await database.fetch(ONE)
        assert await database.fetch_value(ONE) == 1

    await database.aclose()


async def test_a_connection_lost_in_a_transaction_is_unavailable(
    things: Database, other: Database
) -> None:
    async def write_and_be_cut() -> None:
        async with things.transaction() as transaction:
            await transaction.execute(INSERT_NAME, id=uuid4(), name="a")
            await other.fetch(TERMINATE, pid=await transaction.fetch_value(PID))

    with pytest.raises(DatabaseUnavailableError):
        await write_and_be_cut()

    assert await things.fetch(NAMES) == []


async def test_closing_does_not_wait_for_ever(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_CLOSE_SECONDS", 0.05)
    database = await Database.connect(database_url)
    stuck = database.transaction()
    await stuck.__aenter__()

    async with asyncio.timeout(5):
        await database.aclose()

    with pytest.raises(DatabaseUnavailableError):
        await stuck.__aexit__(None, None, None)
    with pytest.raises(DatabaseUnavailableError):
        await database.fetch(ONE)


async def test_too_many_connections_are_unavailable(postgres_url: str, database_url: str) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    admin = await asyncpg.connect(postgres_url)
    await admin.execute("CREATE ROLE one_at_a_time LOGIN PASSWORD 'secret' CONNECTION LIMIT 0")
    try:
        url = re.sub(r"//[^@]*@", "//one_at_a_time:secret@", with_database(postgres_url, name))
        with pytest.raises(DatabaseUnavailableError, match="too many connections"):
            await Database.connect(url)
    finally:
        await admin.execute("DROP ROLE one_at_a_time")
        await admin.close()


async def test_nobody_listening_is_unavailable(unused_tcp_port: int) -> None:
    with pytest.raises(DatabaseUnavailableError) as caught:
        await Database.connect(f"postgresql://me:hidden@127.0.0.1:{unused_tcp_port}/db")

    assert "hidden" not in str(caught.value)


async def test_a_refused_login_is_the_operator_s_to_cure(database_url: str) -> None:
    wrong = re.sub(r":[^:@/]*@", ":hidden@", database_url)

    with pytest.raises(ConfigurationError, match="refuses the login") as caught:
        await Database.connect(wrong)
    with pytest.raises(ConfigurationError, match="does not exist"):
        await Database.connect(with_database(database_url, "no_such_database"))

    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hidden@localhost/db",
        "me:hidden@localhost",
        "postgresql://me:hidden@localhost:port/db",
        "",
    ],
)
async def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must look like") as caught:
        await Database.connect(url)

    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_three_spellings_of_the_scheme_are_one() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+asyncpg"):
        assert asyncpg_url(f"{scheme}://a:b@/c?host=/d") == "postgresql://a:b@/c?host=/d"


# The rules of this package, over all that is in it.


def all_statements() -> dict[str, Statement]:
    return {
        f"{module.name}.{name}": value
        for module in pkgutil.iter_modules(vidgate.db.__path__)
        for name, value in vars(importlib.import_module(f"vidgate.db.{module.name}")).items()
        if isinstance(value, Statement)
    }


def all_columns() -> list[Column[Any]]:
    tables = importlib.import_module("vidgate.db.tables")
    return [column for table in tables.metadata.tables.values() for column in table.columns]


def test_statements_are_module_constants_with_named_columns() -> None:
    statements = all_statements()

    assert statements
    for name, statement in statements.items():
        assert not re.search(r"\bIN \((?!SELECT)", statement.sql.replace("\n", "")), name
        assert not re.search(r"(SELECT|RETURNING|,|\.)\s*\*", statement.sql), name


def test_columns_have_no_defaults_in_python_and_no_native_enums() -> None:
    for column in all_columns():
        assert column.default is None, column
        assert column.onupdate is None, column
        assert not isinstance(column.type, Enum), column


def text_statement(sql: str) -> Statement:
    return Statement(text(sql))
