"""Months of tasks: made ahead, made of what was there before, and dropped whole."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Upstream

from vidgate.db.engine import Database, Statement
from vidgate.db.months import MonthStore, is_partition
from vidgate.exceptions import DatabaseUnavailableError
from vidgate.models.ids import DatedIds, made_at
from vidgate.models.tasks import TaskStatus

FILES = Statement(
    text(
        "SELECT relname, relfilenode FROM pg_class WHERE relkind IN ('r', 'i')"
        " AND (relname LIKE 'tasks_%' OR relname LIKE 'outputs_%')"
    )
)
PARTS = Statement(
    text(
        "SELECT relname AS name, pg_get_expr(relpartbound, pg_class.oid) AS bounds"
        " FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        " WHERE inhparent IN (to_regclass('tasks'), to_regclass('outputs')) ORDER BY relname"
    )
)
WHERE = Statement(
    text(
        "SELECT relname FROM pg_class WHERE oid ="
        " (SELECT tableoid FROM tasks WHERE id = CAST(:task_id AS uuid))"
    )
)
TAKE_OUT = [
    Statement(text("CREATE TABLE kept AS TABLE tasks")),
    Statement(text("TRUNCATE tasks CASCADE")),
]
BRING_BACK = Statement(text("INSERT INTO tasks TABLE kept"))
FORGET = Statement(text("DROP TABLE kept"))
WAITS = Statement(
    text(
        "SELECT EXISTS (SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE datname = current_database() AND NOT granted)"
    )
)
COUNTS = [
    Statement(text(f"SELECT count(*) FROM {name}"))  # noqa: S608 - names of our own
    for name in ("tasks", "outputs", "attempts", "inputs")
]


@pytest.fixture
def months(engine: Engine) -> MonthStore:
    return MonthStore(engine.operator.database)


async def prepare(engine: Engine, months: MonthStore) -> int:
    steps = 0
    while await months.prepare(engine.clock.now()):
        steps += 1
    return steps


async def names(database: Database) -> list[str]:
    return [row["name"] for row in await database.fetch(PARTS)]


async def done(engine: Engine, count: int = 1) -> list[UUID]:
    """Tasks that ended."""
    if not await engine.services.directory.channels():
        await engine.channel("kling")
    Upstream(engine.router, "kling").on_poll = ["succeeded"]
    created = [await engine.create(MODELS["kling"]) for _ in range(count)]
    await engine.tick(minutes=5)
    assert (await engine.task(created[0])).status is TaskStatus.SUCCEEDED
    return [one.snapshot.id for one in created]


async def counts(database: Database) -> list[int]:
    return [await database.fetch_value(statement) for statement in COUNTS]


async def test_a_new_database_gets_months_ahead(engine: Engine, months: MonthStore) -> None:
    engine.clock.at = datetime(2030, 11, 28, tzinfo=UTC)
    assert await prepare(engine, months) == 6
    for table in ("tasks", "outputs"):
        found = [name for name in await names(engine.operator.database) if name.startswith(table)]
        assert found == [
            f"{table}_2030_12",
            f"{table}_2031_01",
            f"{table}_default",
            f"{table}_until_2030_12",
        ]
    assert await prepare(engine, months) == 0
    engine.clock.at = datetime(2031, 1, 2, tzinfo=UTC)
    assert await prepare(engine, months) == 4
    assert "tasks_2031_03" in await names(engine.operator.database)


async def test_each_task_is_in_its_month(engine: Engine, months: MonthStore) -> None:
    engine.clock.at = datetime(2030, 11, 30, 23, 59, tzinfo=UTC)
    await prepare(engine, months)
    places = []
    for _ in range(2):
        [task_id] = await done(engine)
        places.append(await engine.operator.database.fetch_value(WHERE, task_id=task_id))
        assert made_at(task_id) <= engine.clock.now()
    assert places == ["tasks_until_2030_12", "tasks_2030_12"]


async def test_what_was_there_becomes_the_first_range_as_it_stands(
    engine: Engine, months: MonthStore
) -> None:
    """No row moves and no index is built anew, and clients see their tasks between the steps."""
    engine.clock.at = datetime(2030, 11, 28, tzinfo=UTC)
    database = engine.operator.database
    tasks = await done(engine, 3)
    before = {row["relfilenode"] for row in await database.fetch(FILES)}

    steps = 0
    while await months.prepare(engine.clock.now()):
        steps += 1
        assert [await engine.operator.tasks.snapshot(one) is not None for one in tasks] == [
            True
        ] * 3
        tasks += await done(engine)
        tasks = tasks[-3:]

    assert steps == 2 * (3 + 1)
    found = {row["name"]: row["bounds"] for row in await database.fetch(PARTS)}
    assert "MINVALUE" in found["tasks_until_2031_01"]
    assert "MINVALUE" in found["outputs_until_2031_01"]
    assert found["tasks_default"] == "DEFAULT"
    assert before <= {row["relfilenode"] for row in await database.fetch(FILES)}
    assert await database.fetch_value(WHERE, task_id=tasks[0]) == "tasks_until_2031_01"


async def test_a_row_that_comes_during_a_step_leads_to_another(
    engine: Engine, months: MonthStore
) -> None:
    engine.clock.at = datetime(2030, 11, 28, tzinfo=UTC)
    database = engine.operator.database
    await done(engine)
    for statement in TAKE_OUT:
        await database.execute(statement)

    async with database.transaction() as transaction:
        await transaction.execute(BRING_BACK)
        step = asyncio.create_task(months.prepare(engine.clock.now()))
        while not await database.fetch_value(WAITS):
            pass
    assert await step
    await database.execute(FORGET)

    await prepare(engine, months)
    assert "tasks_until_2031_01" in await names(database)


async def test_what_was_begun_too_long_ago_is_begun_anew(
    engine: Engine, months: MonthStore
) -> None:
    """Else what is made behind the end of the range would be refused."""
    engine.clock.at = datetime(2030, 11, 28, tzinfo=UTC)
    await done(engine)
    assert await months.prepare(engine.clock.now())  # the check, which holds until 2031
    engine.clock.at = datetime(2030, 12, 28, tzinfo=UTC)
    await prepare(engine, months)
    assert "tasks_until_2031_02" in await names(engine.operator.database)
    engine.clock.at = datetime(2031, 1, 2, tzinfo=UTC)
    await done(engine)


async def test_what_nobody_made_a_month_for_becomes_a_range(
    engine: Engine, months: MonthStore
) -> None:
    engine.clock.at = datetime(2030, 1, 2, tzinfo=UTC)
    await prepare(engine, months)
    engine.clock.at = datetime(2031, 1, 2, tzinfo=UTC)
    [task_id] = await done(engine)
    database = engine.operator.database
    assert await database.fetch_value(WHERE, task_id=task_id) == "tasks_default"

    await prepare(engine, months)

    assert await database.fetch_value(WHERE, task_id=task_id) == "tasks_until_2031_02"
    assert "tasks_2031_02" in await names(database)


async def test_only_whole_months_of_what_ended_are_dropped(
    engine: Engine, months: MonthStore
) -> None:
    engine.clock.at = datetime(2030, 11, 29, tzinfo=UTC)
    database = engine.operator.database
    await prepare(engine, months)
    await done(engine, 3)
    engine.clock.at = datetime(2030, 12, 2, tzinfo=UTC)
    [kept] = await done(engine)

    assert await months.old(datetime(2030, 11, 30, tzinfo=UTC)) == []
    assert await months.drop(datetime(2030, 11, 30, tzinfo=UTC)) == []
    [old] = await months.old(datetime(2030, 12, 31, tzinfo=UTC))
    assert (old.month.name, old.count, old.is_held) == ("tasks_until_2030_12", 3, False)
    assert await counts(database) == [4, 4, 4, 0]

    dropped = await months.drop(datetime(2030, 12, 31, tzinfo=UTC))

    assert [month.name for month in dropped] == ["tasks_until_2030_12"]
    assert await counts(database) == [1, 1, 1, 0]
    assert await engine.operator.tasks.snapshot(kept) is not None
    assert not [name for name in await names(database) if "until" in name]
    await prepare(engine, months)
    assert await months.drop(datetime(2030, 12, 31, tzinfo=UTC)) == []


@pytest.mark.parametrize("what", ["unfinished", "waiting", "followed"])
async def test_what_is_unfinished_holds_its_month_back(
    engine: Engine, months: MonthStore, what: str
) -> None:
    engine.clock.at = datetime(2030, 11, 29, tzinfo=UTC)
    await prepare(engine, months)
    await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    created = await engine.create(MODELS["kling"])
    if what == "waiting":
        fake.on_poll = ["succeeded"]
        await engine.create(MODELS["kling"])
        engine.clock.advance(minutes=5)
        await engine.services.worker.ask()
        await engine.services.worker.idle()
    if what == "followed":
        await engine.services.canceller.cancel(
            created.snapshot.public_id, engine.caller.sight, discard=True
        )
    before = datetime(2031, 1, 31, tzinfo=UTC)

    assert [old.is_held for old in await months.old(before)] == [True, True]
    assert await months.drop(before) == []

    fake.on_poll = ["succeeded"]
    for _ in range(3):
        await engine.tick(minutes=5)
    assert len(await months.drop(before)) == 2


async def test_a_table_in_use_is_left_for_later(engine: Engine, months: MonthStore) -> None:
    engine.clock.at = datetime(2030, 11, 29, tzinfo=UTC)
    async with engine.operator.database.transaction() as transaction:
        await transaction.fetch_value(COUNTS[0])
        with pytest.raises(DatabaseUnavailableError, match="in use"):
            await months.prepare(engine.clock.now())
    assert await prepare(engine, months) == 6


async def test_one_process_at_a_time(engine: Engine) -> None:
    engine.clock.at = datetime(2030, 11, 29, tzinfo=UTC)
    stores: Sequence[MonthStore] = [MonthStore(engine.operator.database) for _ in range(4)]

    async def work(store: MonthStore) -> None:
        for _ in range(10):
            await store.prepare(engine.clock.now())

    await asyncio.gather(*map(work, stores))
    await prepare(engine, stores[0])
    assert len(await names(engine.operator.database)) == 8


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        ("tasks_default", True),
        ("outputs_until_2030_12", True),
        ("tasks_2030_01", True),
        ("tasks", False),
        ("tasks_2030", False),
        ("attempts_2030_01", False),
    ],
)
def test_what_is_a_partition(name: str, is_ours: bool) -> None:  # noqa: FBT001 - of the table
    assert is_partition(name) == is_ours


def test_the_time_of_an_id() -> None:
    at = datetime(2030, 1, 1, 12, 30, 0, 123000, tzinfo=UTC)
    assert made_at(DatedIds().new(at)) == at
    assert made_at(DatedIds().new(at + timedelta(microseconds=900))) == at
