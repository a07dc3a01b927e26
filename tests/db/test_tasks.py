"""Tasks on a real database: stored whole, read back, abandoned whole."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from tests.db.test_attempts import (
    ERROR,
    FAULT,
    NOW,
    RESULT,
    accept,
    create,
    lease,
    make_channel,
    new_attempt,
    new_task,
)

from vidgate.db.attempts import AttemptStore
from vidgate.db.deliveries import DeliveryStore
from vidgate.db.engine import Database, Statement, UniqueViolation, asyncpg_url
from vidgate.db.once import OnceStore, RepeatedError
from vidgate.db.tasks import TaskStore
from vidgate.models.channels import Channel
from vidgate.models.ids import new_id
from vidgate.models.requests import IdempotencyClaim
from vidgate.models.tasks import AttemptStatus, TaskStatus
from vidgate.models.webhooks import DeliveryQuery

COUNTS = Statement(
    text(
        "SELECT (SELECT count(*) FROM tasks) AS tasks, (SELECT count(*) FROM outputs) AS outputs,"
        " (SELECT count(*) FROM attempts) AS attempts, (SELECT count(*) FROM inputs) AS inputs"
    )
)


@pytest.fixture
def attempts(database: Database) -> AttemptStore:
    return AttemptStore(database)


@pytest.fixture
def tasks(database: Database) -> TaskStore:
    return TaskStore(database)


@pytest.fixture
async def channel(database: Database) -> Channel:
    return await make_channel(database)


async def counts(database: Database) -> tuple[int, ...]:
    row = await database.fetch_one(COUNTS)
    assert row is not None
    return tuple(row)


async def test_a_task_is_stored_whole(
    tasks: TaskStore, channel: Channel, database: Database
) -> None:
    task = new_task(
        inputs=[(0, "image/png", b"x"), (1, None, b"y")],
        details={"mode": "pro"},
        echo={"payload": "mine"},
        facts={"model": "kling-v2-6"},
        end_user="u1",
        seed=2**62,
        callback_url="https://hooks.example/",
    )

    [attempt] = await tasks.create(task, [new_attempt(channel, task.id)])

    assert attempt.status is AttemptStatus.SUBMITTING
    assert await counts(database) == (1, 1, 1, 2)
    snapshot = await tasks.snapshot(task.id)
    assert snapshot is not None
    assert snapshot.status is TaskStatus.QUEUED
    assert (snapshot.revision, snapshot.progress) == (0, 0)
    assert (snapshot.user, snapshot.seed) == ("u1", 2**62)
    assert (snapshot.details, snapshot.echo) == ({"mode": "pro"}, {"payload": "mine"})
    assert snapshot.created_at == NOW
    assert snapshot.error is None
    assert snapshot.result is None


async def test_a_task_that_cannot_be_stored_leaves_nothing(
    tasks: TaskStore, channel: Channel, database: Database
) -> None:
    attempt, held = await create(tasks, channel)
    del held
    task = new_task(inputs=[(0, None, b"x")])

    with pytest.raises(UniqueViolation):
        await tasks.create(task, [new_attempt(channel, attempt.task_id)])

    assert await counts(database) == (1, 1, 1, 0)


async def test_what_is_abandoned_is_gone(
    tasks: TaskStore, channel: Channel, database: Database
) -> None:
    task = new_task(inputs=[(0, None, b"x")])
    new = new_attempt(channel, task.id)
    await tasks.create(task, [new])

    assert await tasks.abandon(task, [new])

    assert await counts(database) == (0, 0, 0, 0)
    assert await tasks.abandon(task, [new])  # also what never was


async def test_what_is_abandoned_frees_its_key(
    tasks: TaskStore, channel: Channel, database: Database
) -> None:
    once = IdempotencyClaim(key="k", fingerprint=b"f", lifetime=timedelta(hours=1))
    task = new_task()
    new = new_attempt(channel, task.id)
    await tasks.create(task, [new], once=once)
    store = OnceStore(database)
    assert await store.find(task.account_id, "k") is not None
    another = new_task(account_id=task.account_id)
    with pytest.raises(RepeatedError) as caught:
        await tasks.create(another, [new_attempt(channel, another.id)], once=once)
    assert caught.value.first.task_id == task.id
    assert await counts(database) == (1, 1, 1, 0)

    assert await tasks.abandon(task, [new], once=once)

    assert await store.find(task.account_id, "k") is None


@pytest.mark.parametrize("is_told", [False, True])
@pytest.mark.parametrize("answer", [{"status": 502}, None])
async def test_a_refused_task_is_told_only_to_whom_has_its_id(
    tasks: TaskStore,
    channel: Channel,
    database: Database,
    answer: dict[str, Any] | None,
    *,
    is_told: bool,
) -> None:
    """A repetition has the id, where the first request took long enough to be refused."""
    once = IdempotencyClaim(key="k", fingerprint=b"f", lifetime=timedelta(hours=1))
    task = new_task(callback_url="http://receiver.test/")
    new = new_attempt(channel, task.id)
    [attempt] = await tasks.create(task, [new], once=once)
    await AttemptStore(database).finish(
        attempt, new.lease, status=AttemptStatus.FAILED, fault=FAULT, error=ERROR, now=NOW
    )
    store = OnceStore(database)
    if is_told:
        assert await store.acknowledge(task.account_id, "k", task.id)

    await store.refuse(task.account_id, "k", task.id, answer)

    assert len(await DeliveryStore(database).page(DeliveryQuery())) == int(is_told)
    # Who comes now gets the refusal, or a task of its own.
    assert not await store.acknowledge(task.account_id, "k", task.id)
    kept = await store.find(task.account_id, "k")
    assert (kept and kept.answer) == answer


async def test_a_commit_under_way_is_waited_for(
    tasks: TaskStore, channel: Channel, database: Database, database_url: str
) -> None:
    """Its connection is gone, and the server still works on it."""
    task = new_task()
    new = new_attempt(channel, task.id)
    other = await asyncpg.connect(asyncpg_url(database_url))
    transaction = other.transaction()
    await transaction.start()
    await other.execute(
        "INSERT INTO tasks (id, account_id, token_id, dialect, status, model, request, created_at)"
        " VALUES ($1, $2, $3, 'newapi', 'queued', 'm', '{}', now())",
        task.id,
        task.account_id,
        task.token_id,
    )
    abandoning = asyncio.create_task(tasks.abandon(task, [new]))
    done, _ = await asyncio.wait({abandoning}, timeout=0.3)
    assert not done

    await transaction.rollback()
    await other.close()

    assert await abandoning
    assert await counts(database) == (0, 0, 0, 0)


async def test_what_waits_can_be_abandoned(
    tasks: TaskStore, channel: Channel, database: Database
) -> None:
    await create(tasks, channel)
    task = new_task()
    new = new_attempt(channel, task.id, max_concurrency=1)
    [waiting] = await tasks.create(task, [new])
    assert waiting.status is AttemptStatus.PENDING

    assert await tasks.abandon(task, [new])

    assert await tasks.snapshot(task.id) is None
    assert await counts(database) == (1, 1, 1, 0)


async def test_what_a_worker_took_up_is_not_abandoned(
    tasks: TaskStore, attempts: AttemptStore, channel: Channel
) -> None:
    task = new_task()
    new = new_attempt(channel, task.id)
    await tasks.create(task, [new])
    await attempts.claim(lease=lease(9), now=new.lease.until, limit=1)

    assert not await tasks.abandon(task, [new])

    assert await tasks.snapshot(task.id) is not None


async def test_what_runs_is_not_abandoned(
    tasks: TaskStore, attempts: AttemptStore, channel: Channel
) -> None:
    task = new_task()
    new = new_attempt(channel, task.id)
    [stored] = await tasks.create(task, [new])
    await accept(attempts, stored, new.lease)

    assert not await tasks.abandon(task, [new])

    assert await tasks.snapshot(task.id) is not None


async def test_there_is_nothing_where_nothing_is(tasks: TaskStore) -> None:
    assert await tasks.snapshot(new_id()) is None
    assert await tasks.overview(limit=10) == []


async def test_an_overview_has_all_that_is_unfinished_and_some_of_the_rest(
    tasks: TaskStore, attempts: AttemptStore, channel: Channel
) -> None:
    finished, unfinished = [], []
    for number in range(6):
        attempt, held = await create(tasks, channel)
        if number % 2:
            unfinished.append(attempt.task_id)
            continue
        await accept(attempts, attempt, held)
        [mine] = await attempts.claim(lease=(own := lease()), now=NOW, limit=1)
        await attempts.finish(mine, own, status=AttemptStatus.SUCCEEDED, result=RESULT, now=NOW)
        finished.append(attempt.task_id)

    overview = await tasks.overview(limit=2)

    ids = [task.id for task in overview]
    assert set(ids[:3]) == set(unfinished)
    assert len(ids) == 5
    assert set(ids[3:]) < set(finished)


async def test_work_is_counted(tasks: TaskStore, attempts: AttemptStore, channel: Channel) -> None:
    assert await attempts.work(NOW) == (0, 0, None)
    for minutes in (0, 5):
        attempt, held = await create(tasks, channel)
        await accept(attempts, attempt, held, due_at=NOW + timedelta(minutes=minutes))

    assert await attempts.work(NOW) == (1, 2, NOW)


async def test_progress_is_that_of_the_running_attempt(
    tasks: TaskStore, attempts: AttemptStore, channel: Channel
) -> None:
    attempt, held = await create(tasks, channel)
    await accept(attempts, attempt, held)
    [mine] = await attempts.claim(lease=(own := lease()), now=NOW, limit=1)
    await attempts.release(replace(mine, progress=100, due_at=NOW), own, NOW)

    task = await tasks.snapshot(attempt.task_id)

    assert task is not None
    assert task.progress == 99  # a hundred is for what is final


async def test_many_are_created_at_once(
    tasks: TaskStore, channel: Channel, database: Database
) -> None:
    await asyncio.gather(*(create(tasks, channel) for _ in range(50)))

    assert await counts(database) == (50, 50, 50, 0)
