"""What waits at a channel that cannot take it goes to one that can; before, nothing is written."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.services.attempts.test_slots import another
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, NAMES, Upstream, refusal

from vidgate.db.engine import Statement
from vidgate.models.acts import ITSELF
from vidgate.models.channels import Channel, ChannelState
from vidgate.models.limits import LimitChange, Measure, Period, Scope
from vidgate.models.outcomes import FaultKind
from vidgate.models.tasks import AttemptStatus, TaskStatus
from vidgate.services.attempts.submit_results import Stays
from vidgate.services.tasks.creating import Created

VERSIONS = Statement(text("SELECT id, xmin::text AS version FROM attempts ORDER BY id"))
MODEL = MODELS["kling"]


async def versions(engine: Engine) -> list[Any]:
    """Another one for every row that was written."""
    return [tuple(row.values()) for row in await engine.operator.database.fetch(VERSIONS)]


async def several(engine: Engine, count: int, model: str = MODEL, **members: Any) -> list[Created]:
    created = []
    for _ in range(count):
        created.append(await engine.create(model, **members))
        await asyncio.sleep(0.002)  # ids are ordered by the millisecond
    return created


async def running(engine: Engine, created: list[Created]) -> list[bool]:
    return [(await engine.task(one)).started_at is not None for one in created]


@pytest.mark.parametrize("name", NAMES)
async def test_a_place_elsewhere_is_taken_by_who_waits(engine: Engine, name: str) -> None:
    first = await engine.channel(name, "a", max_concurrency=1, priority=1)
    second = await engine.channel(name, "b", max_concurrency=1)
    fakes = {one: Upstream(engine.router, name, one) for one in ("a", "b")}
    created = await several(engine, 4, MODELS[name])
    assert await running(engine, created) == [True, True, False, False]
    channels = [[one.channel_id for one in await engine.attempts(task)] for task in created]
    assert channels == [[first.id], [second.id], [first.id], [first.id]]

    fakes["b"].on_poll = ["succeeded"]
    await engine.tick(minutes=1)
    await engine.tick()

    assert await running(engine, created) == [True, True, True, False]
    attempts = await engine.attempts(created[2])
    assert [(one.channel_id, one.status, one.fault_code) for one in attempts] == [
        (first.id, AttemptStatus.FAILED, "channel_full"),
        (second.id, AttemptStatus.RUNNING, None),
    ]
    assert [len(fake.submits) for fake in fakes.values()] == [1, 2]


async def test_a_channel_that_is_added_takes_what_waits_turn_by_turn(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    mine = await several(engine, 5)
    theirs = await several(await another(engine, "another"), 2)
    await engine.tick()

    await engine.channel("kling", "b", max_concurrency=1)
    fake = Upstream(engine.router, "kling", "b")
    fake.on_poll = ["succeeded"]
    begun: list[tuple[int, int]] = []
    while (4, 2) not in begun and len(begun) < 100:
        await engine.tick(minutes=1)
        begun.append((sum(await running(engine, mine)) - 1, sum(await running(engine, theirs))))

    assert list(dict.fromkeys(begun)) == [(0, 1), (1, 1), (1, 2), (2, 2), (3, 2), (4, 2)]


async def test_who_waits_there_already_goes_first(engine: Engine) -> None:
    await engine.channel("kling", "a", max_concurrency=1, models=(MODEL,))
    await engine.channel("kling", "b", max_concurrency=1, models=(MODEL, "kling-v1-6"))
    fakes = [Upstream(engine.router, "kling", one) for one in ("a", "b")]
    created = await several(engine, 2)
    [late] = await several(engine, 1, "kling-v1-6")
    waiting = await several(engine, 2)
    fakes[1].on_poll = ["succeeded"]
    await engine.tick(minutes=1)
    await engine.tick()
    assert await running(engine, [*created, late, *waiting]) == [True, True, True, False, False]


@pytest.mark.parametrize("state", ["full", "open", "disabled", "out"])
async def test_what_cannot_go_anywhere_is_not_written(engine: Engine, state: str) -> None:
    channel = await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    await engine.channel("vidu")  # has room, and serves other models
    other = Upstream(engine.router, "vidu")
    await engine.create(MODEL)
    created = await several(engine, 12)
    await _bring(engine, channel, fake, state)
    await engine.tick()
    before = await versions(engine)

    for _ in range(40):
        await engine.services.directory.load()
        await engine.services.worker._start_submits()
        await engine.services.worker.idle()
        engine.clock.advance(seconds=4)

    assert await versions(engine) == before
    assert not any(await running(engine, created))
    assert other.submits == []


async def _bring(engine: Engine, channel: Channel, fake: Upstream, state: str) -> None:
    match state:
        case "disabled":
            await engine.operator.provisioning.change_channel("kling", {"enabled": False})
        case "open":
            await _open_for_long(engine, channel)
        case "out":
            await engine.operator.channel_states.take_out(
                channel.id,
                ChannelState.BALANCE,
                "No money.",
                credential_id=channel.credential_id,
                now=engine.clock.now(),
            )
        case _:
            assert fake.submits


async def _open_for_long(engine: Engine, channel: Channel) -> None:
    states = engine.operator.channel_states
    health = await states.open(channel.id, "It fails.", engine.clock.now())
    for _ in range(6):
        assert health is not None
        assert health.probe_at is not None
        at = health.probe_at
        await states.probe(channel.id, at, at)
        health = await states.reopen(channel.id, "It fails.", at, probe=at)


async def test_what_belongs_to_a_channel_stays_there(engine: Engine) -> None:
    channel = await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    await engine.create(MODEL)
    bound = await engine.create(MODEL, channel_id=channel.id)
    free = await engine.create(MODEL)
    await engine.channel("kling", "b")
    Upstream(engine.router, "kling", "b")

    await engine.tick(seconds=1)

    assert await running(engine, [bound, free]) == [False, True]


async def test_who_is_refused_there_waits_at_the_first_again(engine: Engine) -> None:
    first = await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    _, waiting = await several(engine, 2)
    await engine.channel("kling", "b")
    second = Upstream(engine.router, "kling", "b")
    second.on_submit = [httpx.ConnectError("refused")]

    await engine.tick(seconds=1)

    assert (await engine.task(waiting)).status is TaskStatus.QUEUED
    assert (await engine.attempts(waiting))[-1].channel_id == first.id
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)
    await engine.tick(minutes=1)
    assert (await engine.task(waiting)).started_at is not None


async def test_a_busy_provider_elsewhere_is_waited_for_at_either(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    _, waiting = await several(engine, 2)
    await engine.channel("kling", "b", max_concurrency=1)
    second = Upstream(engine.router, "kling", "b")
    second.on_submit = [refusal("kling", FaultKind.RATE)]
    await engine.tick(seconds=1)
    assert (await engine.task(waiting)).status is TaskStatus.QUEUED

    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)
    await engine.tick(minutes=1)

    assert (await engine.task(waiting)).started_at is not None


async def test_a_place_that_went_to_somebody_else_is_no_place(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    _, waiting = await several(engine, 2)
    await engine.channel("kling", "b", max_concurrency=1)
    Upstream(engine.router, "kling", "b")
    worker = engine.services.worker
    await worker._mover.begin()
    [attempt] = await engine.attempts(waiting)
    channel = await engine.services.directory.channel(attempt.channel_id)
    found, move = await worker._mover.find(channel, limit=1)
    assert [one.id for one in found] == [attempt.id]
    other = (await engine.create(MODEL)).snapshot
    assert other.status is TaskStatus.IN_PROGRESS

    assert await worker._submitter.move(found[0], move) == Stays(for_now=True)

    [stays] = await engine.attempts(waiting)
    assert (stays.id, stays.due_at) == (attempt.id, attempt.due_at)
    assert (await engine.task(waiting)).status is TaskStatus.QUEUED


@pytest.mark.parametrize("scope", [Scope.ACCOUNT, Scope.TOKEN])
async def test_who_has_no_room_of_its_own_keeps_no_other_from_moving(
    engine: Engine, scope: Scope
) -> None:
    await engine.channel("kling", max_concurrency=2)
    Upstream(engine.router, "kling")
    late = await another(engine, "late")
    mine, theirs = [await several(one, 1) for one in (engine, late)]
    mine += await several(engine, 2)  # whose turn is next
    theirs += await several(late, 1)
    caller = engine.caller
    owner = caller.account_id if scope is Scope.ACCOUNT else caller.token.id
    one = LimitChange(measure=Measure.IN_FLIGHT, period=Period.AT_ONCE, limit=1)
    await engine.operator.limits.change(scope, owner, [one], ITSELF)
    before = dict(await versions(engine))

    await engine.channel("kling", "b", max_concurrency=5)
    Upstream(engine.router, "kling", "b")
    await engine.tick()
    await engine.tick()

    assert await running(engine, [*mine, *theirs]) == [True, False, False, True, True]
    after = dict(await versions(engine))
    for task in mine[1:]:
        [waiting] = await engine.attempts(task)
        assert after[waiting.id] == before[waiting.id]


@pytest.mark.parametrize("state", ["open", "disabled"])
async def test_who_has_no_room_of_its_own_still_leaves_a_channel_that_is_off(
    engine: Engine, state: str
) -> None:
    channel = await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    _, waiting = await several(engine, 2)
    one = LimitChange(measure=Measure.IN_FLIGHT, period=Period.AT_ONCE, limit=1)
    await engine.operator.limits.change(Scope.ACCOUNT, engine.caller.account_id, [one], ITSELF)
    other = await engine.channel("kling", "b", max_concurrency=5)
    Upstream(engine.router, "kling", "b")

    await _bring(engine, channel, fake, state)
    await engine.tick()
    await engine.tick()

    last = (await engine.attempts(waiting))[-1]
    assert (last.channel_id, last.status) == (other.id, AttemptStatus.PENDING)


async def test_what_moves_while_the_worker_stops_is_submitted_and_nothing_follows(
    engine: Engine,
) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    created = await several(engine, 3)
    await engine.channel("kling", "b")
    second = Upstream(engine.router, "kling", "b")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(request: httpx.Request) -> Any:
        begun.set()
        await go_on.wait()
        return second.accept(request)

    second.on_submit = [slowly]
    await engine.services.worker._start_submits()
    stopping = asyncio.create_task(engine.services.worker.stop(timedelta(seconds=60)))
    await asyncio.wait_for(begun.wait(), 30)
    go_on.set()
    await stopping

    assert await running(engine, created) == [True, True, False]
