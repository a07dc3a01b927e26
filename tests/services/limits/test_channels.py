"""Channels with limits, as requests meet them."""

from collections.abc import AsyncIterator

import pytest
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import Upstream

from vidgate.exceptions import NoChannelError
from vidgate.models.acts import ITSELF
from vidgate.models.channels import Channel
from vidgate.models.limits import LimitChange, Measure, Period, Scope
from vidgate.models.tasks import AttemptStatus

MODEL = "kling-v2-6"
ONE_VIDEO = LimitChange(measure=Measure.TASKS, period=Period.DAY, limit=1)
ONE_REQUEST = LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=1)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    async with open_engine(database_url) as engine:
        yield engine


async def limited(engine: Engine, name: str, change: LimitChange, priority: int) -> Channel:
    channel = await engine.channel("kling", name, priority=priority)
    Upstream(engine.router, "kling", name)
    await engine.operator.limits.change(Scope.CHANNEL, channel.id, [change], ITSELF)
    await engine.services.limits.load()
    return channel


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_budget_without_another_channel_is_a_503(engine: Engine, *, is_known: bool) -> None:
    await limited(engine, "one", ONE_VIDEO, 1)
    await engine.create(MODEL)
    if is_known:
        await engine.services.limits.load()

    with pytest.raises(NoChannelError) as caught:
        await engine.create(MODEL)

    assert (caught.value.status, caught.value.code) == (503, "no_channel")
    assert len(await engine.all_tasks()) == 1


async def test_a_budget_sends_work_to_another_channel(engine: Engine) -> None:
    await limited(engine, "one", ONE_VIDEO, 2)
    other = await engine.channel("kling", "two", priority=1)
    Upstream(engine.router, "kling", "two")

    made = [await engine.create(MODEL) for _ in range(3)]

    channels = [(await engine.attempts(one))[0].channel_id for one in made]
    assert channels[1:] == [other.id, other.id]
    assert channels[0] != other.id


async def test_a_full_rate_makes_a_task_wait(engine: Engine) -> None:
    await limited(engine, "one", ONE_REQUEST, 1)
    await engine.create(MODEL)

    waiting = await engine.create(MODEL)
    await engine.tick(seconds=30)
    [before] = await engine.attempts(waiting)
    await engine.tick(seconds=31)
    [after] = await engine.attempts(waiting)

    assert before.status is AttemptStatus.PENDING
    assert after.status is AttemptStatus.RUNNING
