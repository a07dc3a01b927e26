"""Lists beside many tasks: what is read for a page is of its account, and not much more than it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.db.test_attempts import NOW

from vidgate.db.engine import Database, Statement
from vidgate.db.tasks import TaskStore
from vidgate.db.usage import UsageStore
from vidgate.models.accounts import Sight
from vidgate.models.ids import first_id
from vidgate.models.tasks import TaskQuery, TaskStatus
from vidgate.models.usage import Grouping, UsageQuery
from vidgate.services.views.reading import TaskReader

BUSY, SMALL, EMPTY = (UUID(int=number) for number in (1, 2, 3))
MANY, FEW = 200_000, 5
START = NOW - timedelta(seconds=MANY)
"""When the first was made; the others followed, one a second."""


def made_at(number: int) -> datetime:
    return START + timedelta(seconds=number)


MIDDLE = UUID(int=first_id(made_at(MANY // 2)).int | (7 << 76) | (1 << 63))
READ_AT_MOST = 1000
"""Rows of tables and entries of indexes, for a page of 31 tasks."""

FILL = (
    Statement(
        text(
            "INSERT INTO tasks (id, account_id, token_id, dialect, status, model, provider,"
            " request, details, end_user, created_at, started_at, finished_at)"
            " SELECT (lpad(to_hex("
            " (extract(epoch FROM made) * 1000)::bigint), 12, '0')"
            " || '70008000000000000000')::uuid,"
            " CASE WHEN n <= CAST(:few AS integer) THEN CAST(:small AS uuid)"
            " ELSE CAST(:busy AS uuid) END,"
            " '00000000-0000-0000-0000-000000000009', 'kling',"
            " CASE WHEN is_rare THEN 'cancelled' WHEN n % 2 = 0 THEN 'succeeded' ELSE 'failed' END,"
            " CASE WHEN is_rare THEN 'rare' ELSE 'kling-v2-6' END, 'kling', '{}',"
            ' \'{"action": "text2video"}\','
            " CASE WHEN is_rare THEN 'rare' ELSE 'somebody' END, made, made, made"
            " FROM generate_series(1, CAST(:many AS integer)) AS n,"
            " LATERAL (SELECT CAST(:start AS timestamptz) + n * interval '1 second' AS made,"
            " n BETWEEN 100 AND 102 AS is_rare) AS of_each"
        )
    ),
    Statement(
        text(
            "INSERT INTO outputs (task_id, position, status)"
            " SELECT id, 0, status FROM tasks WHERE CAST(:many AS integer) > 0"
        )
    ),
)
READ = Statement(
    text(
        "SELECT (SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))"
        " FROM pg_stat_user_tables) + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)"
    )
)
SCANS = Statement(
    text(
        "SELECT sum(seq_scan) FROM pg_stat_user_tables"
        " WHERE relname LIKE 'tasks%' OR relname LIKE 'outputs%'"
    )
)
FLUSH = Statement(text("SELECT pg_stat_force_next_flush()"))

QUERIES = {
    "plain": TaskQuery(),
    "oldest first": TaskQuery(newest_first=False),
    "statuses": TaskQuery(statuses=(TaskStatus.FAILED,)),
    "model": TaskQuery(model="kling-v2-6"),
    "user": TaskQuery(user="somebody"),
    "origin": TaskQuery(origin="kling"),
    "actions, slim": TaskQuery(origin="kling", actions=("text2video",), slim=True, limit=30),
    "since": TaskQuery(created_from=START),
    "since, oldest first": TaskQuery(created_from=made_at(MANY - 200), newest_first=False),
    "until": TaskQuery(created_until=made_at(FEW + 200)),
    "two statuses": TaskQuery(statuses=(TaskStatus.FAILED, TaskStatus.CANCELLED)),
    "rare status": TaskQuery(statuses=(TaskStatus.CANCELLED, TaskStatus.QUEUED)),
    "rare model": TaskQuery(model="rare"),
    "rare user": TaskQuery(user="rare"),
    "rare, and all others": TaskQuery(
        statuses=(TaskStatus.CANCELLED,), model="rare", user="rare", created_from=START
    ),
    "none": TaskQuery(statuses=(TaskStatus.IN_PROGRESS,)),
    "everything": TaskQuery(
        statuses=(TaskStatus.FAILED,),
        model="kling-v2-6",
        user="somebody",
        origin="kling",
        actions=("text2video",),
        created_from=START,
        created_until=NOW + timedelta(days=1),
        slim=True,
    ),
}


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    """One connection to a database with many tasks of one account and few of another.

    It plans for any values, as PostgreSQL may from a statement's sixth time on.
    """
    database = await Database.connect(database_url, pool_size=1, command_seconds=120)
    for statement in FILL:
        binds = {"few": FEW, "small": SMALL, "busy": BUSY, "start": START, "many": MANY}
        await database.execute(
            statement, timeout=120, **{name: binds[name] for name in statement.names}
        )
    await database.execute(Statement(text("ANALYZE")), timeout=120)
    await database.execute(Statement(text("SET plan_cache_mode = force_generic_plan")))
    yield database
    await database.aclose()


async def rows_read(database: Database) -> int:
    await database.fetch_value(FLUSH)
    return int(await database.fetch_value(READ))


async def scans(database: Database) -> int:
    await database.fetch_value(FLUSH)
    return int(await database.fetch_value(SCANS))


DEEP = 20_000


async def test_a_numbered_page_reads_what_it_shows(database: Database) -> None:
    for statement in FILL:
        binds = {"few": FEW, "small": SMALL, "busy": BUSY, "start": START, "many": DEEP}
        await database.execute(
            statement, timeout=60, **{name: binds[name] for name in statement.names}
        )
    await database.execute(Statement(text("ANALYZE")))
    reader = TaskReader(TaskStore(database), monotonic=lambda: 0.0)
    for numbered in (
        TaskQuery(origin="kling", actions=("text2video",), slim=True, limit=30),
        TaskQuery(origin="kling", created_from=START, limit=30),
        TaskQuery(origin="kling", statuses=(TaskStatus.FAILED, TaskStatus.SUCCEEDED), limit=30),
    ):
        # A jump pays for its number; whatever follows on it does not.
        jump = await reader.page(Sight(BUSY), replace(numbered, offset=DEEP - 90))
        before = await rows_read(database)
        following = await reader.page(Sight(BUSY), replace(numbered, offset=DEEP - 60))
        read = await rows_read(database) - before

        assert jump.tasks[-1].id > following.tasks[0].id
        assert len(following.tasks) == 30
        assert read < READ_AT_MOST, (numbered, read)


async def test_a_page_reads_what_it_shows(crowd: Database) -> None:
    store = TaskStore(crowd)
    reads: dict[str, int] = {}
    scanned = await scans(crowd)
    for name, query in QUERIES.items():
        for account, place in (
            (BUSY, {}),
            (BUSY, {"after": MIDDLE}),
            (BUSY, {"before": MIDDLE}),
            (SMALL, {}),
            (EMPTY, {}),
        ):
            before = await rows_read(crowd)
            asked = replace(query, before="it" if "before" in place else None)
            page = await store.page(Sight(account), asked, **place)
            reads[f"{name}, account {account.int}, {place}"] = await rows_read(crowd) - before
            if not name.startswith(("rare", "since, ", "until", "none")):
                assert bool(page.tasks) == (account != EMPTY), (name, account, place)
            if name.startswith("rare") and account == BUSY and not place:
                assert len(page.tasks) == 3

    assert max(reads.values()) < READ_AT_MOST, {
        name: count for name, count in reads.items() if count >= READ_AT_MOST
    }
    assert await scans(crowd) == scanned


async def test_use_is_counted_from_the_tasks_of_its_days(crowd: Database) -> None:
    store = UsageStore(crowd)
    last, first = NOW.date(), START.date()
    reads: dict[tuple[int, date], int] = {}
    counts: dict[tuple[int, date], int] = {}
    for account in (BUSY, SMALL, EMPTY):
        for since in (first, last, last + timedelta(days=1)):
            query = UsageQuery(
                sight=Sight(account),
                since=since,
                until=last + timedelta(days=7),
                group_by=frozenset(Grouping),
                limit=100,
            )
            before = await rows_read(crowd)
            page = await store.page(query)
            reads[account.int, since] = await rows_read(crowd) - before
            counts[account.int, since] = sum(row.tasks for row in page.rows)

    assert sum(counts.values()) > MANY
    # A task and its output, each found by an index, unless most of what there is is asked for.
    few = {key: read for key, read in reads.items() if counts[key] < MANY / 10}
    assert len(few) >= 7
    assert {key: read for key, read in few.items() if read > 6 * counts[key] + 50} == {}


async def test_what_was_charged_is_read_from_an_index(crowd: Database) -> None:
    await crowd.execute(
        Statement(
            text(
                "INSERT INTO entries (from_book, to_book, micros, kind, account_id, token_id,"
                " task_id, position, actor)"
                " SELECT 'held:1', CASE WHEN n % 2 = 0 THEN 'revenue' ELSE 'account:1' END, n,"
                " CASE WHEN n % 2 = 0 THEN 'settle' ELSE 'release' END,"
                " CASE WHEN n <= 10 THEN CAST(:small AS uuid) ELSE CAST(:busy AS uuid) END,"
                " CAST(:small AS uuid), gen_random_uuid(), 0, 'test'"
                " FROM generate_series(1, 50000) AS n"
            )
        ),
        small=SMALL,
        busy=BUSY,
    )
    await crowd.execute(Statement(text("VACUUM ANALYZE entries")), timeout=120)
    store = UsageStore(crowd)

    before = await rows_read(crowd)
    charged = await store.charged(Sight(SMALL))
    of_token = await store.charged(Sight(SMALL, SMALL))

    assert charged == of_token == 2 + 4 + 6 + 8 + 10
    assert await store.charged(Sight(SMALL, BUSY)) == 0
    assert await rows_read(crowd) - before < 100
