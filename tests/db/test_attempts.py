"""Leases and states of attempts on a real database, with several claimers at once."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.clock import FixedClock

from vidgate.db import attempt_statements
from vidgate.db.attempts import AttemptStore, NewAttempt
from vidgate.db.channels import ChannelStore
from vidgate.db.engine import Database, Statement, UniqueViolation
from vidgate.db.tasks import NewTask, TaskStore
from vidgate.exceptions import LeaseLostError
from vidgate.models.attempts import Attempt, JobPace, Lease
from vidgate.models.channels import Channel
from vidgate.models.ids import new_id, public_id
from vidgate.models.outcomes import Fault, FaultKind, UpstreamRef, VideoResult
from vidgate.models.tasks import AttemptStatus, TaskError, TaskStatus

CLOCK = FixedClock()
NOW = CLOCK.now()
MINUTE = timedelta(minutes=1)
PACE = JobPace(interval=timedelta(seconds=4))
RESULT = VideoResult(url="https://videos.example/a.mp4", duration_seconds=5.041)
FAULT = Fault(FaultKind.FAULT, "5000", "internal")
ERROR = TaskError("upstream_error", "The provider failed.")

OUTPUTS = Statement(text("SELECT status, result FROM outputs ORDER BY task_id"))
RESULTS = Statement(text("SELECT result FROM attempts ORDER BY id"))


@pytest.fixture
def attempts(database: Database) -> AttemptStore:
    return AttemptStore(database)


@pytest.fixture
def tasks(database: Database) -> TaskStore:
    return TaskStore(database)


@pytest.fixture
async def channel(database: Database) -> Channel:
    return await make_channel(database)


async def make_channel(database: Database, name: str = "one") -> Channel:
    channel = Channel(
        id=new_id(),
        name=name,
        provider="kling",
        base_url="http://kling.test",
        credential_id=new_id(),
    )
    made = await ChannelStore(database).create(channel, b"secret")
    assert made is not None
    return made


def lease(minutes: float = 1, after: timedelta = timedelta()) -> Lease:
    return Lease(new_id(), NOW + after + minutes * MINUTE)


def new_attempt(channel: Channel, task_id: Any, **members: Any) -> NewAttempt:
    identifier = new_id()
    given: dict[str, Any] = {
        "id": identifier,
        "task_id": task_id,
        "channel_id": channel.id,
        "credential_id": channel.credential_id,
        "provider": "kling",
        "upstream_model": "kling-v2-6",
        "endpoint": "/v1/videos/text2video",
        "correlation": public_id("vg_", identifier),
        "pace": PACE,
        "created_at": NOW,
        "deadline_at": NOW + timedelta(hours=24),
        "submit_ends_at": NOW + MINUTE,
        "lease": lease(1.25),
    }
    return NewAttempt(**(given | members))


def new_task(**members: Any) -> NewTask:
    given: dict[str, Any] = {
        "id": new_id(),
        "account_id": new_id(),
        "token_id": new_id(),
        "dialect": "newapi",
        "model": "kling-v2-6",
        "provider": "kling",
        "upstream_model": "kling-v2-6",
        "document": {"model": "kling-v2-6", "prompt": "a boat"},
        "created_at": NOW,
    }
    return NewTask(**(given | members))


async def create(tasks: TaskStore, channel: Channel, **members: Any) -> tuple[Attempt, Lease]:
    task = new_task()
    new = new_attempt(channel, task.id, **members)
    [attempt] = await tasks.create(task, [new])
    return attempt, new.lease


async def accept(attempts: AttemptStore, attempt: Attempt, held: Lease, **changes: Any) -> None:
    given: dict[str, Any] = {
        "ref": UpstreamRef(f"job-{attempt.id}", "/v1/videos/text2video"),
        "due_at": NOW,
        "deadline_at": NOW + timedelta(minutes=30),
        "details": {"mode": "pro"},
        "facts": {"model": "kling-v2-6"},
        "warnings": None,
        "seed": None,
        "now": NOW,
    }
    await attempts.accept(attempt, held, **(given | changes))


async def running(attempts: AttemptStore, tasks: TaskStore, channel: Channel) -> Attempt:
    attempt, held = await create(tasks, channel)
    await accept(attempts, attempt, held)
    [found] = await attempts.of_task(attempt.task_id)
    assert found.status is AttemptStatus.RUNNING
    return found


WRITES: dict[str, Callable[[AttemptStore, Attempt, Lease, Channel], Awaitable[object]]] = {
    "release": lambda store, one, held, _: store.release(one, held, CLOCK.now()),
    "succeed": lambda store, one, held, _: store.finish(
        one, held, status=AttemptStatus.SUCCEEDED, result=RESULT, now=CLOCK.now()
    ),
    "fail": lambda store, one, held, _: store.finish(
        one, held, status=AttemptStatus.FAILED, fault=FAULT, error=ERROR, now=CLOCK.now()
    ),
    "replace": lambda store, one, held, channel: store.replace(
        one,
        held,
        fault=FAULT,
        new=new_attempt(channel, one.task_id, number=2, created_at=CLOCK.now()),
    ),
    "restart": lambda store, one, held, _: store.restart(
        one, held, new=lease(9), submit_ends_at=NOW + 8 * MINUTE, now=CLOCK.now()
    ),
    "record_late": lambda store, one, held, _: store.record_late(
        one, held, result=RESULT, reason="It succeeded late.", now=CLOCK.now()
    ),
}


@pytest.fixture(autouse=True)
def _clock() -> None:
    CLOCK.at = NOW


# Claiming


async def test_each_row_is_claimed_once(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    made = [await running(attempts, tasks, channel) for _ in range(40)]

    claims = await asyncio.gather(
        *(attempts.claim(lease=lease(), now=NOW, limit=7) for _ in range(12))
    )

    claimed = [attempt.id for claim in claims for attempt in claim]
    assert len(claimed) == len(set(claimed))
    rest = await attempts.claim(lease=lease(), now=NOW, limit=100)
    assert {*claimed, *(one.id for one in rest)} == {one.id for one in made}


async def test_a_leased_attempt_is_left_alone_until_its_lease_ends(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    await running(attempts, tasks, channel)
    first = await attempts.claim(lease=lease(1), now=NOW, limit=9)

    early = await attempts.claim(lease=lease(2), now=NOW + MINUTE * 0.99, limit=9)
    late = await attempts.claim(lease=lease(2), now=NOW + MINUTE, limit=9)

    assert len(first) == 1
    assert early == []
    assert [one.id for one in late] == [first[0].id]


async def test_busy_channels_are_left_alone(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel, database: Database
) -> None:
    other = await make_channel(database, "two")
    await running(attempts, tasks, channel)
    wanted = await running(attempts, tasks, other)

    claimed = await attempts.claim(lease=lease(), now=NOW, rooms={channel.id: 0}, limit=9)

    assert [one.id for one in claimed] == [wanted.id]


async def test_a_channel_gives_no_more_than_it_has_room_for(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel, database: Database
) -> None:
    others = [await make_channel(database, name) for name in ("two", "three")]
    for one in (channel, *others):
        for _ in range(4):
            await running(attempts, tasks, one)

    claimed = await attempts.claim(
        lease=lease(), now=NOW, rooms={channel.id: 3, others[0].id: 1}, limit=2
    )

    counts = Counter(one.channel_id for one in claimed)
    assert counts == {channel.id: 3, others[0].id: 1, others[1].id: 2}


async def test_a_busy_channel_leaves_the_others_their_share(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel, database: Database
) -> None:
    quiet = await make_channel(database, "two")
    full = await make_channel(database, "three")
    idle = await make_channel(database, "four")
    for one, count in ((channel, 9), (quiet, 1), (full, 9)):
        for _ in range(count):
            await running(attempts, tasks, one)
    attempt, held = await create(tasks, idle)
    await accept(attempts, attempt, held, due_at=NOW + MINUTE)

    claimed = await attempts.claim(lease=lease(), now=NOW, rooms={full.id: 0}, limit=9, batch=6)

    # Those that have room and something that is due, and no others, share the batch.
    assert Counter(one.channel_id for one in claimed) == {channel.id: 3, quiet.id: 1}
    again = await attempts.claim(lease=lease(), now=NOW, rooms={full.id: 9}, limit=9, batch=1)
    assert Counter(one.channel_id for one in again) == {channel.id: 1, full.id: 1}


async def test_what_is_due_longest_goes_first(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    order = []
    for minutes in (3, 1, 2):
        attempt, held = await create(tasks, channel)
        await accept(attempts, attempt, held, due_at=NOW + minutes * MINUTE)
        order.append((minutes, attempt.id))

    claimed = [
        one.id
        for _ in order
        for one in await attempts.claim(lease=lease(30), now=NOW + 5 * MINUTE, limit=1)
    ]

    assert claimed == [identifier for _, identifier in sorted(order)]


async def test_what_waits_is_not_claimed_before_its_deadline(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    await create(tasks, channel, max_concurrency=1)
    waiting, _ = await create(tasks, channel, max_concurrency=1)
    assert waiting.status is AttemptStatus.PENDING

    early = await attempts.claim_overdue(lease=lease(), now=NOW + MINUTE, limit=9)
    late = await attempts.claim_overdue(lease=lease(2000), now=NOW + timedelta(hours=24), limit=9)

    assert early == []
    assert waiting.id in {one.id for one in late}


async def test_leases_are_given_back_but_those_of_submits(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    submitting, held = await create(tasks, channel)
    polled = await running(attempts, tasks, channel)
    mine = lease()
    await attempts.claim(lease=mine, now=NOW, limit=9)

    await attempts.return_leases({polled.id: mine, submitting.id: held}, NOW)

    claimed = await attempts.claim(lease=lease(), now=NOW, limit=9)
    assert [one.id for one in claimed] == [polled.id]


# Slots


async def test_there_are_never_more_submits_than_slots(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    made = await asyncio.gather(*(create(tasks, channel, max_concurrency=3) for _ in range(20)))

    statuses = [attempt.status for attempt, _ in made]

    assert statuses.count(AttemptStatus.SUBMITTING) == 3
    assert statuses.count(AttemptStatus.PENDING) == 17
    started = await asyncio.gather(
        *(
            attempts.start_waiting(
                channel.id,
                credential_id=channel.credential_id,
                max_concurrency=5,
                lease_id=new_id(),
                margin=timedelta(seconds=15),
                now=NOW,
                limit=32,
            )
            for _ in range(5)
        )
    )
    assert sum(len(one) for one in started) == 2


async def test_who_waits_longest_gets_the_slot(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    first, held = await create(tasks, channel, max_concurrency=1)
    waiting = []
    for _ in range(5):
        waiting.append((await create(tasks, channel, max_concurrency=1))[0].id)
        await asyncio.sleep(0.002)  # ids are ordered by the millisecond
    await accept(attempts, first, held, due_at=NOW)
    [mine] = await attempts.claim(lease=(own := lease()), now=NOW, limit=1)
    await attempts.finish(mine, own, status=AttemptStatus.SUCCEEDED, result=RESULT, now=NOW)

    newcomer, _ = await create(tasks, channel, max_concurrency=1)
    [(started, leased)] = await attempts.start_waiting(
        channel.id,
        credential_id=channel.credential_id,
        max_concurrency=1,
        lease_id=new_id(),
        margin=timedelta(seconds=15),
        now=NOW,
        limit=32,
    )

    assert newcomer.status is AttemptStatus.PENDING
    assert started.id == min(waiting)
    assert started.status is AttemptStatus.SUBMITTING
    assert started.submit_ends_at == NOW + MINUTE
    assert leased.until == NOW + MINUTE + timedelta(seconds=15)


async def test_an_output_has_one_live_attempt(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    attempt, held = await create(tasks, channel)
    new = new_attempt(channel, attempt.task_id, number=2)

    outcomes = await asyncio.gather(
        *(
            attempts.replace(attempt, held, fault=FAULT, new=replace(new, id=new_id()))
            for _ in range(5)
        ),
        return_exceptions=True,
    )

    made = [one for one in outcomes if isinstance(one, Attempt)]
    lost = [one for one in outcomes if isinstance(one, LeaseLostError | UniqueViolation)]
    assert (len(made), len(lost)) == (1, 4)
    live = [one for one in await attempts.of_task(attempt.task_id) if one.finished_at is None]
    assert [one.id for one in live] == [made[0].id]


# Writing back


@pytest.mark.parametrize("write", WRITES)
async def test_who_wakes_up_after_its_lease_changes_nothing(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel, database: Database, write: str
) -> None:
    attempt = await running(attempts, tasks, channel)
    mine = lease(1)
    [held] = await attempts.claim(lease=mine, now=NOW, limit=1)
    before = await state(attempts, tasks, database, attempt)

    CLOCK.at = mine.until
    with pytest.raises(LeaseLostError):
        await WRITES[write](attempts, held, mine, channel)

    assert await state(attempts, tasks, database, attempt) == before


@pytest.mark.parametrize("write", WRITES)
async def test_who_was_relieved_changes_nothing(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel, database: Database, write: str
) -> None:
    attempt = await running(attempts, tasks, channel)
    mine = lease(1)
    [held] = await attempts.claim(lease=mine, now=NOW, limit=1)
    [_] = await attempts.claim(lease=lease(9), now=NOW + MINUTE, limit=1)
    before = await state(attempts, tasks, database, attempt)

    with pytest.raises(LeaseLostError):  # also with a clock that is late
        await WRITES[write](attempts, held, mine, channel)

    assert await state(attempts, tasks, database, attempt) == before


@pytest.mark.parametrize("write", WRITES)
async def test_one_of_many_writers_wins(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel, write: str
) -> None:
    await running(attempts, tasks, channel)
    mine = lease(1)
    [held] = await attempts.claim(lease=mine, now=NOW, limit=1)

    outcomes = await asyncio.gather(
        *(WRITES[write](attempts, held, mine, channel) for _ in range(4)), return_exceptions=True
    )

    losses = [one for one in outcomes if isinstance(one, BaseException)]
    assert len(losses) == 3
    assert all(isinstance(one, LeaseLostError) for one in losses)


async def state(
    attempts: AttemptStore, tasks: TaskStore, database: Database, attempt: Attempt
) -> object:
    return (
        await attempts.of_task(attempt.task_id),
        await tasks.snapshot(attempt.task_id),
        [tuple(row) for row in await database.fetch(OUTPUTS)],
        [tuple(row) for row in await database.fetch(RESULTS)],
    )


async def test_an_acceptance_is_kept_as_long_as_nobody_took_over(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    attempt, held = await create(tasks, channel)

    await accept(attempts, attempt, held, now=held.until + MINUTE)

    task = await tasks.snapshot(attempt.task_id)
    assert task is not None
    assert task.status is TaskStatus.IN_PROGRESS
    assert task.revision == 1
    assert task.details == {"mode": "pro"}


async def test_an_acceptance_after_a_takeover_is_refused(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel, database: Database
) -> None:
    attempt, held = await create(tasks, channel)
    other = lease(9)
    [taken] = await attempts.claim(lease=other, now=held.until, limit=1)
    before = await state(attempts, tasks, database, attempt)

    with pytest.raises(LeaseLostError):
        await accept(attempts, attempt, held)

    assert await state(attempts, tasks, database, attempt) == before
    await attempts.release(replace(taken, due_at=held.until), other, held.until)
    with pytest.raises(LeaseLostError):
        await accept(attempts, attempt, held)


async def test_an_acceptance_is_recorded_once(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    attempt, held = await create(tasks, channel)

    outcomes = await asyncio.gather(
        *(accept(attempts, attempt, held) for _ in range(4)), return_exceptions=True
    )

    assert [isinstance(one, LeaseLostError) for one in outcomes].count(True) == 3
    task = await tasks.snapshot(attempt.task_id)
    assert task is not None
    assert task.revision == 1


# Final is final


async def test_each_change_of_state_raises_the_revision(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    attempt, held = await create(tasks, channel)
    revisions = [await revision(tasks, attempt)]
    await accept(attempts, attempt, held)
    revisions.append(await revision(tasks, attempt))
    [polled] = await attempts.claim(lease=(own := lease()), now=NOW, limit=1)
    await attempts.release(replace(polled, progress=40, due_at=NOW), own, NOW)
    revisions.append(await revision(tasks, attempt))
    [polled] = await attempts.claim(lease=(own := lease()), now=NOW, limit=1)
    await attempts.finish(polled, own, status=AttemptStatus.SUCCEEDED, result=RESULT, now=NOW)
    revisions.append(await revision(tasks, attempt))

    assert revisions == [0, 1, 1, 2]


async def revision(tasks: TaskStore, attempt: Attempt) -> int:
    task = await tasks.snapshot(attempt.task_id)
    assert task is not None
    return task.revision


@pytest.mark.parametrize("seed", range(5))
async def test_of_two_ends_one_wins(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel, seed: int
) -> None:
    attempt = await running(attempts, tasks, channel)
    mine = lease()
    [held] = await attempts.claim(lease=mine, now=NOW, limit=1)
    ends = [WRITES["succeed"](attempts, held, mine, channel) for _ in range(3)]
    ends += [WRITES["fail"](attempts, held, mine, channel) for _ in range(3)]
    random.Random(seed).shuffle(ends)  # noqa: S311 - only a shuffle

    outcomes = await asyncio.gather(*ends, return_exceptions=True)

    assert outcomes.count(True) == 1
    task = await tasks.snapshot(attempt.task_id)
    assert task is not None
    assert task.revision == 2
    [found] = await attempts.of_task(attempt.task_id)
    succeeded = task.status is TaskStatus.SUCCEEDED
    assert (found.status is AttemptStatus.SUCCEEDED) is succeeded
    assert (task.result is not None) is succeeded
    assert (task.error is None) is succeeded


async def test_a_final_task_is_not_touched_by_a_second_end(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    attempt = await running(attempts, tasks, channel)
    mine = lease()
    [held] = await attempts.claim(lease=mine, now=NOW, limit=1)
    await attempts.finish(
        held, mine, status=AttemptStatus.UNKNOWN, error=ERROR, follow_at=NOW, now=NOW
    )
    final = await tasks.snapshot(attempt.task_id)
    again = lease()
    [followed] = await attempts.claim(lease=again, now=NOW, limit=1)

    made_final = await attempts.finish(
        followed, again, status=AttemptStatus.SUCCEEDED, result=RESULT, now=NOW
    )

    assert not made_final
    assert await tasks.snapshot(attempt.task_id) == final


async def test_a_cancelled_job_is_a_cancelled_task(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    attempt = await running(attempts, tasks, channel)
    mine = lease()
    [held] = await attempts.claim(lease=mine, now=NOW, limit=1)

    final = await attempts.finish(
        held,
        mine,
        status=AttemptStatus.CANCELLED,
        fault=Fault(FaultKind.CANCELLED, "UserCancelled", ""),
        error=TaskError("cancelled", "It was cancelled."),
        now=NOW,
    )

    assert final
    task = await tasks.snapshot(attempt.task_id)
    assert task is not None
    assert task.status is TaskStatus.CANCELLED


# Given back together


async def test_leases_are_given_back_together_and_each_as_it_should_be(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    for _ in range(9):
        await running(attempts, tasks, channel)
    mine, theirs = lease(), lease(2)
    held = await attempts.claim(lease=mine, now=NOW, limit=9)
    await attempts.return_leases({held[0].id: mine}, NOW)
    [lost] = await attempts.claim(lease=theirs, now=NOW, limit=9)

    results = await asyncio.gather(
        *(
            attempts.release(
                replace(
                    one,
                    polls=number,
                    last_reason=f"reason {number}" if number % 2 else None,
                    find_page={"page": number} if number % 3 else None,
                    due_at=NOW + number * MINUTE,
                ),
                mine,
                NOW,
            )
            for number, one in enumerate(held)
        ),
        return_exceptions=True,
    )

    assert [type(result) for result in results] == [LeaseLostError] + 8 * [type(None)]
    for number, one in enumerate(held):
        found = await attempts.one(one.id)
        assert found is not None
        if one.id == lost.id:
            assert (found.polls, found.due_at) == (0, theirs.until)
            continue
        assert (found.polls, found.due_at) == (number, NOW + number * MINUTE)
        assert found.last_reason == (f"reason {number}" if number % 2 else None)
        assert found.find_page == ({"page": number} if number % 3 else None)


async def test_one_that_cannot_be_written_keeps_no_other_from_it(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    for _ in range(3):
        await running(attempts, tasks, channel)
    mine = lease()
    held = await attempts.claim(lease=mine, now=NOW, limit=9)

    results = await asyncio.gather(
        *(
            attempts.release(
                replace(one, last_reason="\0" if number == 1 else "fine", polls=7), mine, NOW
            )
            for number, one in enumerate(held)
        ),
        return_exceptions=True,
    )

    assert [result is None for result in results] == [True, False, True]
    polls = [found.polls for one in held if (found := await attempts.one(one.id))]
    assert polls == [7, 0, 7]


async def test_who_goes_away_leaves_the_others_written(
    attempts: AttemptStore, tasks: TaskStore, channel: Channel
) -> None:
    for _ in range(4):
        await running(attempts, tasks, channel)
    mine = lease()
    held = await attempts.claim(lease=mine, now=NOW, limit=9)
    writes = [
        asyncio.create_task(attempts.release(replace(one, due_at=NOW, polls=7), mine, NOW))
        for one in held
    ]
    await asyncio.sleep(0)  # the first is under way, and the others wait
    for write in writes[:2]:
        write.cancel()

    results = await asyncio.gather(*writes, return_exceptions=True)
    await attempts.return_leases({one.id: mine for one in held}, NOW)

    assert [type(one) for one in results] == 2 * [asyncio.CancelledError] + 2 * [type(None)]
    assert len(await attempts.claim(lease=lease(), now=NOW, limit=9)) == 4


# Many rows


MANY = Statement(
    text("""
    INSERT INTO attempts (id, task_id, position, number, channel_id, credential_id, provider,
        upstream_model, endpoint, correlation, status, pace, due_at, deadline_at, created_at)
    SELECT gen_random_uuid(), gen_random_uuid(), 0, 1, :channel_id, :credential_id, 'kling',
        'kling-v2-6', '/v1/videos/text2video', 'vg_' || i,
        CASE WHEN i % 100 = 0 THEN 'running' WHEN i % 101 = 0 THEN 'pending' ELSE 'succeeded' END,
        '{}',
        CASE WHEN i % 100 = 0 OR i % 101 = 0
            THEN CAST(:now AS timestamptz) + i * interval '1 second' END,
        CAST(:now AS timestamptz) + interval '1 day', :now
    FROM generate_series(1, 20000) AS i
    """)
)
ANALYZE = Statement(text("ANALYZE attempts"))


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("CLAIM", "attempts_channel_due_idx"),
        ("COUNT_SLOTS", "attempts_channel_live_idx"),
        ("WAITING", "attempts_"),
        ("START_WAITING", "attempts_"),
    ],
)
async def test_work_is_found_by_index_among_many_rows(
    database: Database, channel: Channel, name: str, index: str
) -> None:
    await database.execute(
        MANY, channel_id=channel.id, credential_id=channel.credential_id, now=NOW
    )
    await database.execute(ANALYZE)
    statement: Statement = getattr(attempt_statements, name)
    binds: dict[str, Any] = {
        "now": NOW + 5 * MINUTE,
        "groups": [],
        "owners": [],
        "rooms": [],
        "batch": 200,
        "limit": 200,
        "lease_id": new_id(),
        "lease_until": NOW + 6 * MINUTE,
        "channel_id": channel.id,
        "credential_id": channel.credential_id,
        "margin": timedelta(seconds=15),
    }
    plan = await database.fetch(
        explained(statement), **{key: binds[key] for key in statement.names if key in binds}
    )

    lines = [row[0] for row in plan]
    assert any(index in line for line in lines), "\n".join(lines)
    assert not any("Seq Scan on attempts" in line for line in lines), "\n".join(lines)


def explained(statement: Statement) -> Statement:
    plan = Statement(statement.source)
    plan.sql = f"EXPLAIN {statement.sql}"
    return plan
