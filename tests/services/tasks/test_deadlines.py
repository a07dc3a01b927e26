"""`Cancel-After`: any process cancels what is due, and says so where it cannot."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import MODELS, Reply, Upstream

from vidgate.exceptions import DatabaseUnavailableError
from vidgate.models.tasks import TaskSnapshot, TaskStatus
from vidgate.services.tasks.creating import Created

STOPPED = Reply({"state": "failed", "err_code": "UserCancelled", "credits": 0})


@pytest.fixture(autouse=True)
def _impatient(engine: Engine) -> None:
    engine.services.canceller._wait = 0.05


async def made(engine: Engine, provider: str, **members: Any) -> Created:
    members.setdefault("cancel_after", timedelta(minutes=10))
    return await engine.create(MODELS[provider], **members)


async def due(engine: Engine, **span: float) -> None:
    """Let time pass, then do what is due."""
    engine.clock.advance(**span)
    await engine.services.deadlines.round()
    await engine.services.deadlines.idle()


async def left(engine: Engine) -> list[Any]:
    return list(await engine.operator.database._pool.fetch("SELECT * FROM cancellations"))


async def test_what_waits_is_cancelled_when_it_is_time(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    await engine.create(MODELS["kling"])
    created = await made(engine, "kling")
    assert created.snapshot.cancel_after == "10m"

    await due(engine, minutes=9)
    before = await engine.task(created)
    await due(engine, minutes=1)
    after = await engine.task(created)

    assert (before.status, after.status) == (TaskStatus.QUEUED, TaskStatus.CANCELLED)
    assert after.cancel_after == "10m"
    assert await left(engine) == []


async def test_what_can_be_cancelled_ends_when_its_provider_confirms(engine: Engine) -> None:
    await engine.channel("vidu")
    fake = Upstream(engine.router, "vidu")
    route = engine.router.post(url__regex=r"http://vidu\.test/ent/v2/tasks/\w+/cancel$")
    route.mock(return_value=httpx.Response(200, json={}))
    created = await made(engine, "vidu", cancel_after=timedelta(seconds=30))
    fake.on_poll = ["queued"]

    await due(engine, seconds=30)
    fake.on_poll = [STOPPED]
    await engine.tick(minutes=1)

    assert route.call_count == 1
    assert (await engine.task(created)).status is TaskStatus.CANCELLED
    assert await left(engine) == []


async def test_what_cannot_be_cancelled_goes_on_and_says_so(engine: Engine) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    created = await made(engine, "kling")
    before = created.snapshot

    await due(engine, minutes=10)
    task = (
        await engine.services.reader.read(created.snapshot.public_id, engine.caller.sight)
    ).snapshot
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)

    assert task.status is TaskStatus.IN_PROGRESS
    assert task.cancel_after == "not_possible"
    assert task.revision == before.revision + 1
    ended = await engine.task(created)
    assert (ended.status, ended.cancel_after) == (TaskStatus.SUCCEEDED, "not_possible")
    assert await left(engine) == []


async def test_of_what_is_finished_nothing_is_noted(engine: Engine) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    created = await made(engine, "kling")
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)
    ended = await engine.task(created)

    await due(engine, minutes=10)

    assert await engine.task(created) == ended
    assert ended.cancel_after == "10m"
    assert await left(engine) == []


async def test_a_removed_task_needs_nothing(engine: Engine) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    created = await made(engine, "kling")
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)
    await engine.services.reader.remove(created.snapshot.public_id, engine.caller.sight)

    await due(engine, minutes=10)

    assert await left(engine) == []


async def test_a_provider_that_does_not_say_is_asked_again(engine: Engine) -> None:
    await engine.channel("vidu")
    fake = Upstream(engine.router, "vidu")
    fake.on_poll = ["queued"]
    route = engine.router.post(url__regex=r"http://vidu\.test/ent/v2/tasks/\w+/cancel$")
    route.mock(side_effect=httpx.ReadTimeout("slow"))
    created = await made(engine, "vidu", cancel_after=timedelta(seconds=30))
    calls = []

    for seconds in (30, 4, 1, 9, 1):
        await due(engine, seconds=seconds)
        calls.append(route.call_count)

    assert calls == [1, 1, 2, 2, 3]
    assert (await engine.task(created)).cancel_after == "30s"
    assert len(await left(engine)) == 1


async def test_two_processes_cancel_once_and_a_dead_one_is_replaced(
    database_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    await engine.create(MODELS["kling"])
    created = await made(engine, "kling")
    asked = []

    async def dies(*_: Any) -> None:
        asked.append("dies")
        raise DatabaseUnavailableError("down")

    monkeypatch.setattr(engine.services.deadlines._canceller, "cancel", dies)
    async with open_engine(database_url, clock=engine.clock) as other:
        await due(engine, minutes=10)
        await due(other)
        held = await engine.task(created)
        await due(other, minutes=2)
    assert asked == ["dies"]
    assert held.status is TaskStatus.QUEUED  # as long as the lease of the dead one lasts
    assert (await engine.task(created)).status is TaskStatus.CANCELLED


@pytest.mark.parametrize("cancel_after", [None, timedelta(minutes=1)])
async def test_a_deadline_is_stored_with_its_task(
    engine: Engine, cancel_after: timedelta | None
) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    created = await made(engine, "kling", cancel_after=cancel_after)
    rows = await left(engine)
    assert [row["task_id"] for row in rows] == ([created.snapshot.id] if cancel_after else [])
    assert isinstance(created.snapshot, TaskSnapshot)
