"""Full channels: never more jobs than slots, and those who wait take turns."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import MODELS, NAMES, Upstream, refusal, refusals

from vidgate.models.accounts import Caller
from vidgate.models.outcomes import FaultKind
from vidgate.models.tasks import AttemptStatus, TaskStatus
from vidgate.services.tasks.creating import Created

BUSY = refusals(FaultKind.CONCURRENCY, FaultKind.RATE)


async def statuses(engine: Engine, created: list[Created]) -> list[TaskStatus]:
    return [(await engine.task(one)).status for one in created]


@pytest.mark.parametrize("name", NAMES)
async def test_what_finds_no_slot_waits_for_one_in_order(engine: Engine, name: str) -> None:
    await engine.channel(name, max_concurrency=2)
    fake = Upstream(engine.router, name)

    created = []
    for _ in range(5):
        created.append(await engine.create(MODELS[name]))
        await asyncio.sleep(0.002)  # ids are ordered by the millisecond
    await engine.tick(seconds=1)

    assert len(fake.submits) == 2
    running, queued = TaskStatus.IN_PROGRESS, TaskStatus.QUEUED
    assert await statuses(engine, created) == [running, running, queued, queued, queued]
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)  # two end
    await engine.tick()  # and two begin
    assert len(fake.submits) == 4
    assert (await statuses(engine, created))[2:] == [running, running, queued]
    await engine.tick(minutes=1)
    await engine.tick()
    await engine.tick(minutes=1)
    assert await statuses(engine, created) == [TaskStatus.SUCCEEDED] * 5
    assert len(fake.submits) == 5


@pytest.mark.parametrize("name", NAMES)
async def test_there_are_never_more_submits_at_once_than_slots(engine: Engine, name: str) -> None:
    await engine.channel(name, max_concurrency=2)
    fake = Upstream(engine.router, name)
    under_way, most, go_on = 0, 0, asyncio.Event()

    async def slowly(request: httpx.Request) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await go_on.wait()
        under_way -= 1
        return fake.accept(request)

    fake.on_submit = [slowly]
    posts = [asyncio.create_task(engine.create(MODELS[name])) for _ in range(5)]
    done, _ = await asyncio.wait(posts, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    go_on.set()
    await asyncio.gather(*posts)

    assert {one.result().snapshot.status for one in done} == {TaskStatus.QUEUED}
    assert most == 2
    assert len(fake.submits) == 2


async def another(engine: Engine, account: str) -> Engine:
    """The same engine, called by another account."""
    await engine.operator.provisioning.create_account(account)
    _, key = await engine.operator.provisioning.create_token(name=account, account=account)
    caller = await engine.services.directory.authenticate(key)
    assert caller is not None
    return replace(engine, caller=caller, key=key)


async def test_who_began_at_once_has_had_its_turn(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    fake.on_poll = ["succeeded"]
    _, waits, last = [await engine.create(MODELS["kling"]) for _ in range(3)]
    late = await (await another(engine, "late")).create(MODELS["kling"])

    begun = []
    for _ in range(3):
        await engine.tick(minutes=1)
        await engine.tick()
        begun.append([await engine.task(one) for one in (late, waits, last)])

    running = [[task.started_at is not None for task in tasks] for tasks in begun]
    assert running == [[True, False, False], [True, True, False], [True, True, True]]


async def test_slots_are_counted_across_engines(database_url: str) -> None:
    async with (
        open_engine(database_url) as one,
        open_engine(database_url, one.clock) as two,
    ):
        await one.channel("kling", max_concurrency=3)
        await two.services.directory.load()
        fakes = [Upstream(engine.router, "kling") for engine in (one, two)]

        await asyncio.gather(
            *(engine.create(MODELS["kling"]) for engine in (one, two) for _ in range(10))
        )
        assert sum(len(fake.submits) for fake in fakes) == 3
        for _ in range(3):
            await asyncio.gather(one.tick(seconds=1), two.tick(seconds=1))

        assert sum(len(fake.submits) for fake in fakes) == 3


async def test_two_engines_never_submit_one_task_twice(database_url: str) -> None:
    async with (
        open_engine(database_url) as one,
        open_engine(database_url, one.clock) as two,
    ):
        await one.channel("kling", max_concurrency=1)
        fakes = [Upstream(engine.router, "kling") for engine in (one, two)]
        created = [await one.create(MODELS["kling"]) for _ in range(12)]
        await two.services.directory.load()
        for fake in fakes:
            fake.on_poll = ["succeeded"]

        for _ in range(60):
            await asyncio.gather(one.tick(seconds=7), two.tick(seconds=7))

        assert await statuses(one, created) == [TaskStatus.SUCCEEDED] * 12
        sent = [fake.correlation(request) for fake in fakes for request in fake.submits]
        assert len(sent) == len(set(sent)) == 12
        polled = [request.url for fake in fakes for request in fake.polls]
        assert len(polled) == 12


@pytest.mark.parametrize(("name", "kind"), BUSY)
async def test_a_busy_provider_is_waited_for(engine: Engine, name: str, kind: FaultKind) -> None:
    await engine.channel(name)
    fake = Upstream(engine.router, name)
    fake.on_submit = [refusal(name, kind), refusal(name, kind), fake.accept]

    created = await engine.create(MODELS[name])
    assert created.snapshot.status is TaskStatus.QUEUED
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.PENDING
    await engine.tick(seconds=3)
    assert len(fake.submits) == 1  # it backs off
    await engine.tick(seconds=4)
    assert len(fake.submits) == 2
    await engine.tick(seconds=7)
    assert len(fake.submits) == 2  # and more so
    await engine.tick(seconds=6)

    assert len(fake.submits) == 3
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    [attempt] = await engine.attempts(created)
    assert attempt.tries == 2


@pytest.mark.parametrize(("name", "kind"), BUSY)
async def test_a_provider_may_say_when_to_come_back(
    engine: Engine, name: str, kind: FaultKind
) -> None:
    await engine.channel(name)
    fake = Upstream(engine.router, name)
    fake.on_submit = [refusal(name, kind, **{"Retry-After": "300"}), fake.accept]
    created = await engine.create(MODELS[name])

    await engine.tick(seconds=299)
    assert len(fake.submits) == 1
    await engine.tick(seconds=2)

    assert len(fake.submits) == 2
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS


@pytest.mark.parametrize(("name", "kind"), BUSY)
async def test_a_busy_channel_gives_its_slot_back(
    engine: Engine, name: str, kind: FaultKind
) -> None:
    await engine.channel(name, max_concurrency=1)
    fake = Upstream(engine.router, name)
    fake.on_submit = [refusal(name, kind), fake.accept]
    first = await engine.create(MODELS[name])

    second = await engine.create(MODELS[name])

    assert await statuses(engine, [first, second]) == [TaskStatus.QUEUED, TaskStatus.IN_PROGRESS]


@pytest.mark.parametrize(("name", "kind"), BUSY)
async def test_a_busy_channel_is_left_for_another(
    engine: Engine, name: str, kind: FaultKind
) -> None:
    await engine.channel(name, priority=1)
    await engine.channel(name, f"{name}-b")
    busy, free = Upstream(engine.router, name), Upstream(engine.router, name, f"{name}-b")
    busy.on_submit = [refusal(name, kind)]

    created = await engine.create(MODELS[name])

    assert created.snapshot.status is TaskStatus.IN_PROGRESS
    assert (len(busy.submits), len(free.submits)) == (1, 1)


async def ends_after(engine: Engine, created: Created, *, seconds: float) -> None:
    """Assert that a task waits for so long, and then fails."""
    await engine.tick(seconds=seconds - 1)
    assert (await engine.task(created)).status is TaskStatus.QUEUED
    await engine.tick(seconds=1)
    task = await engine.task(created)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code == "queue_timeout"


@pytest.mark.parametrize("name", NAMES)
async def test_a_wait_ends_after_fifteen_minutes(engine: Engine, name: str) -> None:
    await engine.channel(name)
    fake = Upstream(engine.router, name)
    fake.on_submit = [refusal(name, FaultKind.RATE, **{"Retry-After": "3000"})]

    await ends_after(engine, await engine.create(MODELS[name]), seconds=900)


@pytest.mark.parametrize(
    ("token_wait", "asked", "seconds"),
    [(None, None, 60), (30, None, 30), (30, 90, 90), (None, "45.5", 45.5), (30, "", 30)],
)
async def test_the_setting_the_token_and_the_request_say_how_long(
    database_url: str, token_wait: float | None, asked: object, seconds: float
) -> None:
    async with open_engine(database_url, queue_wait="60") as engine:
        await engine.channel("kling", max_concurrency=1)
        Upstream(engine.router, "kling")
        if token_wait is not None:
            token = replace(engine.caller.token, queue_wait=timedelta(seconds=token_wait))
            engine.caller = Caller(token)
        await engine.create(MODELS["kling"])

        waits = await engine.create(MODELS["kling"], metadata={"queue_wait": asked})

        await ends_after(engine, waits, seconds=seconds)


@pytest.mark.parametrize("asked", [-1, "soon", True, 604_801, [5], "1e3"])
async def test_a_wait_that_is_none_is_refused(engine: Engine, asked: object) -> None:
    await engine.channel("kling")

    error = await engine.refused(MODELS["kling"], metadata={"queue_wait": asked})

    assert (error.status, error.param) == (400, "metadata.queue_wait")
    assert await engine.all_tasks() == []


async def test_the_wait_is_no_business_of_the_provider(engine: Engine) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")

    await engine.create(MODELS["kling"], metadata={"queue_wait": 7})

    assert b"queue_wait" not in fake.submits[0].content


async def test_who_does_not_want_to_wait_is_told_and_nothing_is_stored(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    begun = await engine.create(MODELS["kling"], metadata={"queue_wait": 0})

    error = await engine.refused(MODELS["kling"], metadata={"queue_wait": 0})

    assert (error.status, error.code, error.type) == (429, "channel_busy", "rate_limit_error")
    assert error.retry_after_seconds == 5
    assert [task.id for task in await engine.all_tasks()] == [begun.snapshot.id]
    assert begun.snapshot.status is TaskStatus.IN_PROGRESS
    assert len(fake.submits) == 1


async def test_several_videos_begin_together_or_not_at_all(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=2)
    fake = Upstream(engine.router, "kling")

    error = await engine.refused(MODELS["kling"], n=3, metadata={"queue_wait": 0})

    assert error.code == "channel_busy"
    assert (await engine.all_tasks(), fake.submits) == ([], [])


@pytest.mark.parametrize(("name", "kind"), BUSY)
async def test_who_does_not_want_to_wait_does_not_wait_for_a_busy_provider_either(
    engine: Engine, name: str, kind: FaultKind
) -> None:
    await engine.channel(name)
    Upstream(engine.router, name).on_submit = [refusal(name, kind)]

    error = await engine.refused(MODELS[name], metadata={"queue_wait": 0})

    assert (error.status, error.code) == (429, "channel_busy")
    [task] = await engine.all_tasks()
    assert task.status is TaskStatus.FAILED


async def test_a_wait_goes_on_at_another_channel(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    Upstream(engine.router, "kling", "kling-b")
    await engine.create(MODELS["kling"])
    waits = await engine.create(MODELS["kling"])
    await engine.tick(seconds=800)
    await engine.channel("kling", "kling-b", max_concurrency=1)
    await engine.create(MODELS["kling"])  # takes the one slot there
    await engine.operator.provisioning.set_enabled("kling", enabled=False)
    await engine.tick()
    [_, moved] = await engine.attempts(waits)
    assert moved.status is AttemptStatus.PENDING

    await ends_after(engine, waits, seconds=100)


async def test_an_unreachable_provider_is_waited_for_once_the_client_has_its_id(
    engine: Engine,
) -> None:
    await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    await engine.create(MODELS["kling"])
    waiting = await engine.create(MODELS["kling"])
    fake.on_poll = ["succeeded"]
    fake.on_submit = [httpx.ConnectError("refused"), httpx.ConnectError("refused")]
    await engine.tick(minutes=1)
    await engine.tick()
    assert (await engine.task(waiting)).status is TaskStatus.QUEUED

    fake.on_submit = [fake.accept]
    await engine.tick(seconds=61)

    assert (await engine.task(waiting)).status is TaskStatus.IN_PROGRESS


async def test_an_unreachable_provider_is_waited_for_as_long_as_a_slot(database_url: str) -> None:
    async with open_engine(database_url, poll_pace=0.1, queue_wait=600) as engine:
        await engine.channel("kling", max_concurrency=1)
        fake = Upstream(engine.router, "kling")
        await engine.create(MODELS["kling"])
        fake.on_poll = ["succeeded"]
        fake.on_submit = [httpx.ConnectError("refused")]
        waiting = await engine.create(MODELS["kling"])
        for _ in range(18):
            await engine.tick(seconds=30)
        [attempt] = await engine.attempts(waiting)
        assert attempt.status is AttemptStatus.PENDING

        for _ in range(4):
            await engine.tick(seconds=30)

        task = await engine.task(waiting)
        assert task.status is TaskStatus.FAILED
        assert task.error is not None
        assert task.error.code == "queue_timeout"
