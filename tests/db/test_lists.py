"""Lists beside many tasks: what is read for a page is of its account, and not much more than it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.db.test_attempts import NOW

from vidgate.db.engine import Database, Statement
from vidgate.db.tasks import TaskStore
from vidgate.models.tasks import TaskQuery, TaskStatus

BUSY, SMALL, EMPTY = (UUID(int=number) for number in (1, 2, 3))
MANY, FEW = 200_000, 5
MIDDLE = UUID(f"01900000-0000-7000-8000-{MANY // 2:012x}")
READ_AT_MOST = 1000
"""Rows of tables and entries of indexes, for a page of 31 tasks."""

FILL = (
    Statement(
        text(
            "INSERT INTO tasks (id, account_id, token_id, dialect, status, model, provider,"
            " request, details, end_user, created_at, started_at, finished_at)"
            " SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,"
            " CASE WHEN n <= CAST(:few AS integer) THEN CAST(:small AS uuid)"
            " ELSE CAST(:busy AS uuid) END,"
            " '00000000-0000-0000-0000-000000000009', 'kling',"
            " CASE WHEN n % 2 = 0 THEN 'succeeded' ELSE 'failed' END, 'kling-v2-6', 'kling', '{}',"
            " '{\"action\": \"text2video\"}', 'somebody', CAST(:now AS timestamptz),"
            " CAST(:now AS timestamptz), CAST(:now AS timestamptz)"
            " FROM generate_series(1, CAST(:many AS integer)) AS n"
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
FLUSH = Statement(text("SELECT pg_stat_force_next_flush()"))

QUERIES = {
    "plain": TaskQuery(),
    "oldest first": TaskQuery(newest_first=False),
    "statuses": TaskQuery(statuses=(TaskStatus.FAILED,)),
    "model": TaskQuery(model="kling-v2-6"),
    "user": TaskQuery(user="somebody"),
    "origin": TaskQuery(origin="kling"),
    "actions, slim": TaskQuery(origin="kling", actions=("text2video",), slim=True, limit=30),
    "since": TaskQuery(created_from=NOW - timedelta(days=30)),
    "until": TaskQuery(created_until=NOW + timedelta(days=1)),
    "everything": TaskQuery(
        statuses=(TaskStatus.FAILED,),
        model="kling-v2-6",
        user="somebody",
        origin="kling",
        actions=("text2video",),
        created_from=NOW - timedelta(days=30),
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
        binds = {"few": FEW, "small": SMALL, "busy": BUSY, "now": NOW, "many": MANY}
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


async def test_a_page_reads_what_it_shows(crowd: Database) -> None:
    store = TaskStore(crowd)
    reads: dict[str, int] = {}
    for name, query in QUERIES.items():
        for account, after in ((BUSY, None), (BUSY, MIDDLE), (SMALL, None), (EMPTY, None)):
            before = await rows_read(crowd)
            page = await store.page(account, query, after=after)
            reads[f"{name}, account {account.int}, after {after}"] = await rows_read(crowd) - before
            assert bool(page.tasks) == (account != EMPTY), (name, account, after)

    assert max(reads.values()) < READ_AT_MOST, reads
