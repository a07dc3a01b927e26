"""Channels whose providers fail, refuse the key or say too many: seen by one, known to all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import MODELS, Upstream, refusal, refusals

from vidgate.constants import BREAKER_FAULTS, BREAKER_PAUSE, LEARNED_QUIET
from vidgate.db.engine import Statement
from vidgate.exceptions import (
    NoChannelError,
    NotSentError,
    ProviderProtocolError,
    RequestError,
    UnansweredError,
)
from vidgate.models.attempts import Attempt
from vidgate.models.channels import Channel, ChannelHealth, ChannelState
from vidgate.models.outcomes import Fault, FaultKind, Rejected, Submission, UpstreamRef
from vidgate.models.tasks import TaskStatus

MODEL = MODELS["kling"]
NEW_KEY = "another-key-0123456789abcdef0123456789"
DUE = Statement(text("UPDATE attempts SET due_at = :now WHERE status = 'pending'"))
OUT = refusals(FaultKind.CREDENTIAL, FaultKind.BALANCE)
BROKEN = [
    pytest.param(lambda: httpx.ConnectError("refused"), id="unreachable"),
    pytest.param(lambda: httpx.Response(502, text="<html>bad gateway</html>"), id="html"),
    pytest.param(lambda: httpx.ReadError("reset"), id="cut off"),
]


@pytest.fixture
async def other(engine: Engine, database_url: str) -> AsyncIterator[Engine]:
    """Another process."""
    async with open_engine(database_url, engine.clock) as other:
        yield other


async def health(engine: Engine, channel: Channel) -> ChannelHealth:
    await engine.services.directory.load()
    return (await engine.services.directory.channel(channel.id)).health


async def attempts_to_create(engine: Engine, count: int, **members: Any) -> None:
    for _ in range(count):
        with suppress(RequestError):
            await engine.create(MODEL, **members)


async def broken(
    engine: Engine, failure: Any = None, *, name: str = "kling"
) -> tuple[Channel, Upstream]:
    """A channel whose provider has just failed too often."""
    channel = await engine.channel(name)
    fake = Upstream(engine.router, name)
    fake.on_submit = [failure or httpx.ConnectError("refused")]
    for _ in range(BREAKER_FAULTS):
        with suppress(RequestError):
            await engine.create(MODELS[name])
    assert (await health(engine, channel)).state is ChannelState.OPEN
    for task in await engine.all_tasks():
        await engine.operator.attempts.cancel_waiting(task.id, [0], now=engine.clock.now())
    fake.submits.clear()
    return channel, fake


@pytest.mark.parametrize("failure", BROKEN)
async def test_a_provider_that_fails_gets_no_work_from_any_process(
    engine: Engine, other: Engine, failure: Any
) -> None:
    channel, fake = await broken(engine, failure())
    theirs = Upstream(other.router, "kling")

    assert (await health(other, channel)).state is ChannelState.OPEN
    waiting = [await one.create(MODEL) for one in (engine, other)]

    assert [one.snapshot.status for one in waiting] == [TaskStatus.QUEUED] * 2
    assert (fake.submits, theirs.submits) == ([], [])


async def test_one_probe_closes_it_again_and_all_goes_on(engine: Engine, other: Engine) -> None:
    channel, fake = await broken(engine)
    theirs = Upstream(other.router, "kling")
    waiting = [await engine.create(MODEL) for _ in range(4)]
    fake.on_submit = [fake.accept]
    await asyncio.gather(engine.tick(seconds=4), other.tick())
    assert len(fake.submits) + len(theirs.submits) == 0

    engine.clock.advance(seconds=2)
    await engine.services.directory.load()
    await other.services.directory.load()
    await asyncio.gather(engine.services.worker.round(), other.services.worker.round())
    await asyncio.gather(engine.services.worker.idle(), other.services.worker.idle())

    assert len(fake.submits) + len(theirs.submits) == 1
    found = await health(other, channel)
    assert (found.state, found.reason) == (ChannelState.OK, None)
    await engine.tick(seconds=1)
    assert [(await engine.task(one)).status for one in waiting] == [TaskStatus.IN_PROGRESS] * 4


async def test_the_pauses_between_probes_grow(engine: Engine) -> None:
    channel, _ = await broken(engine)
    await engine.create(MODEL, metadata={"queue_wait": 3600})
    pauses = []
    for _ in range(8):
        found = await health(engine, channel)
        assert found.probe_at is not None
        pauses.append((found.probe_at - engine.clock.now()).total_seconds())
        engine.clock.at = found.probe_at
        await engine.services.worker._start_submits()
        await engine.services.worker.idle()
        await engine.operator.database.execute(DUE, now=engine.clock.now())

    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]


async def test_a_lost_probe_is_followed_by_another(engine: Engine, other: Engine) -> None:
    channel, _ = await broken(engine)
    engine.clock.advance(seconds=5)
    assert await engine.services.worker._breaker.take_probe(
        await engine.services.directory.channel(channel.id)
    )
    await health(other, channel)
    theirs = Upstream(other.router, "kling")
    waiting = await other.create(MODEL)
    await other.tick(seconds=100)
    assert theirs.submits == []

    await other.tick(seconds=81)

    assert len(theirs.submits) == 1
    assert (await other.task(waiting)).status is TaskStatus.IN_PROGRESS


def refused(kind: FaultKind) -> Rejected:
    return Rejected(Fault(kind, "1", "No."))


ANSWERS = [
    ("accepted", Submission(UpstreamRef("1")), ChannelState.OK),
    ("bad parameter", refused(FaultKind.BAD_PARAMETER), ChannelState.OK),
    ("content policy", refused(FaultKind.CONTENT_POLICY), ChannelState.OK),
    ("model unavailable", refused(FaultKind.MODEL_UNAVAILABLE), ChannelState.OK),
    ("too many", refused(FaultKind.CONCURRENCY), ChannelState.OK),
    ("too often", refused(FaultKind.RATE), ChannelState.OK),
    ("not found", refused(FaultKind.NOT_FOUND), ChannelState.OK),
    ("expired", refused(FaultKind.EXPIRED), ChannelState.OK),
    ("cancelled", refused(FaultKind.CANCELLED), ChannelState.OK),
    ("credential", refused(FaultKind.CREDENTIAL), ChannelState.CREDENTIAL),
    ("balance", refused(FaultKind.BALANCE), ChannelState.BALANCE),
    ("its own failure", refused(FaultKind.FAULT), ChannelState.OPEN),
    ("5xx, html, garbage", ProviderProtocolError("502"), ChannelState.OPEN),
    ("time-out, reset", UnansweredError("slow"), ChannelState.OPEN),
    ("not reached", NotSentError("refused"), ChannelState.OPEN),
]
"""What each answer to a probe makes of its channel."""


def test_every_kind_of_refusal_is_in_the_table() -> None:
    told = [one.fault.kind for _, one, _ in ANSWERS if isinstance(one, Rejected)]
    assert sorted(told) == sorted(FaultKind)


@pytest.mark.parametrize(
    ("answer", "expected"), [pytest.param(*row[1:], id=row[0]) for row in ANSWERS]
)
async def test_what_the_answer_to_a_probe_makes_of_a_channel(
    engine: Engine, answer: object, expected: ChannelState
) -> None:
    channel, fake = await broken(engine)
    waiting = await engine.create(MODEL)
    breaker = engine.services.worker._breaker
    told: list[Attempt] = []

    async def probed(request: httpx.Request) -> Any:
        [attempt] = await engine.attempts(waiting)
        await breaker.note(attempt, answer)
        told.append(attempt)
        return fake.accept(request)

    fake.on_submit = [probed]
    await engine.tick(seconds=5)

    found = await health(engine, channel)
    assert len(told) == 1
    assert found.state is expected
    is_shut = expected is ChannelState.OPEN
    assert (found.probe_at == engine.clock.now() + 2 * BREAKER_PAUSE) is is_shut


@pytest.mark.parametrize(
    ("name", "kind"), refusals(FaultKind.CONTENT_POLICY, FaultKind.BAD_PARAMETER)
)
async def test_a_prompt_that_is_refused_closes_it(
    engine: Engine, name: str, kind: FaultKind
) -> None:
    channel, fake = await broken(engine, name=name)
    waiting = [await engine.create(MODELS[name]) for _ in range(2)]

    fake.on_submit = [refusal(name, kind), fake.accept]
    await engine.tick(seconds=5)
    assert (await health(engine, channel)).state is ChannelState.OK
    await engine.tick(seconds=1)

    states = sorted([(await engine.task(one)).status for one in waiting])
    assert states == [TaskStatus.FAILED, TaskStatus.IN_PROGRESS]


async def test_a_late_answer_from_before_decides_nothing(engine: Engine) -> None:
    channel, fake = await broken(engine)
    await engine.create(MODEL)
    [attempt] = await engine.attempts(await engine.create(MODEL))
    early = replace(attempt, sent_at=engine.clock.now())
    breaker = engine.services.worker._breaker

    async def probed(request: httpx.Request) -> Any:
        await breaker.note(early, UnansweredError("slow"))
        await breaker.note(early, Submission(UpstreamRef("1")))
        assert (await health(engine, channel)).state is ChannelState.HALF_OPEN
        return fake.accept(request)

    fake.on_submit = [probed]
    await engine.tick(seconds=5)

    assert (await health(engine, channel)).state is ChannelState.OK


async def test_a_probe_that_is_not_sent_is_followed_by_another_at_once(engine: Engine) -> None:
    channel, fake = await broken(engine)
    discarded, waiting = await engine.create(MODEL), await engine.create(MODEL)
    [attempt] = await engine.attempts(discarded)
    await engine.operator.attempts.discard(attempt.task_id, [0], now=engine.clock.now())
    fake.on_submit = [fake.accept]

    await engine.tick(seconds=5)
    assert fake.submits == []
    found = await health(engine, channel)
    assert found.state is ChannelState.OPEN
    await engine.tick(seconds=1)

    assert (await health(engine, channel)).state is ChannelState.OK
    assert (await engine.task(waiting)).status is TaskStatus.IN_PROGRESS


async def test_a_probe_with_nothing_to_send_is_given_back(engine: Engine) -> None:
    channel, fake = await broken(engine)
    await engine.tick(seconds=30)
    assert (await health(engine, channel)).state is ChannelState.OPEN
    fake.on_submit = [fake.accept]
    created = await engine.create(MODEL)
    assert created.snapshot.status is TaskStatus.QUEUED

    await engine.tick(seconds=2)

    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS


async def test_work_goes_to_other_channels_meanwhile(engine: Engine) -> None:
    await broken(engine)
    waiting = await engine.create(MODEL)
    await engine.channel("kling", "kling-b", priority=-1)
    second = Upstream(engine.router, "kling", "kling-b")

    created = await engine.create(MODEL)
    await engine.tick(seconds=1)

    assert created.snapshot.status is TaskStatus.IN_PROGRESS
    assert (await engine.task(waiting)).status is TaskStatus.IN_PROGRESS
    assert len(second.submits) == 2


async def test_refusals_of_requests_are_no_faults(engine: Engine) -> None:
    channel = await engine.channel("kling")
    kinds = (FaultKind.BAD_PARAMETER, FaultKind.CONTENT_POLICY, FaultKind.RATE)
    fake = Upstream(engine.router, "kling")
    for kind in kinds:
        fake.on_submit = [refusal("kling", kind)]
        await attempts_to_create(engine, 2 * BREAKER_FAULTS)

    assert (await health(engine, channel)).state is ChannelState.OK


async def test_faults_among_many_successes_are_borne(engine: Engine) -> None:
    channel = await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    for _ in range(2 * BREAKER_FAULTS):
        fake.on_submit = [fake.accept]
        await attempts_to_create(engine, 2)
        fake.on_submit = [httpx.ReadError("reset")]
        await attempts_to_create(engine, 1)

    assert (await health(engine, channel)).state is ChannelState.OK


@pytest.mark.parametrize(("name", "kind"), OUT)
async def test_a_refused_key_or_an_empty_account_takes_a_channel_out_at_once(
    engine: Engine, other: Engine, name: str, kind: FaultKind
) -> None:
    channel = await engine.channel(name)
    fake = Upstream(engine.router, name)
    fake.on_submit = [refusal(name, kind)]

    first = await engine.refused(MODELS[name])

    assert first.status == 502
    found = await health(other, channel)
    assert found.state.value == kind.value
    assert found.reason
    assert found.since == engine.clock.now()
    second = await other.refused(MODELS[name])
    assert (second.status, second.code) == (503, "no_channel")
    assert isinstance(second, NoChannelError)
    assert len(fake.submits) == 1


async def out(engine: Engine) -> tuple[Channel, Upstream, Any]:
    """A channel that is out, and a task that waited there before."""
    channel = await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    fake.on_poll = ["succeeded"]
    for _ in range(2):
        await engine.create(MODEL)
    last = await engine.create(MODEL)
    fake.on_submit = [refusal("kling", FaultKind.BALANCE)]
    await engine.tick(minutes=1)
    await engine.tick()
    assert (await health(engine, channel)).state is ChannelState.BALANCE
    fake.on_submit = [fake.accept]
    return channel, fake, last


async def test_what_waits_there_waits_for_the_operator(engine: Engine) -> None:
    _, _, waiting = await out(engine)

    await engine.tick(minutes=10)
    assert (await engine.task(waiting)).status is TaskStatus.QUEUED
    await engine.tick(minutes=5)

    task = await engine.task(waiting)
    assert task.error is not None
    assert task.error.code == "queue_timeout"


@pytest.mark.parametrize("changes", [{"key": NEW_KEY}, {"enabled": True}])
async def test_the_operator_puts_it_back(engine: Engine, other: Engine, changes: Any) -> None:
    channel, _, waiting = await out(engine)

    await other.operator.provisioning.change_channel("kling", changes)

    assert (await health(engine, channel)).state is ChannelState.OK
    await engine.tick(seconds=61)
    assert (await engine.task(waiting)).status is TaskStatus.IN_PROGRESS


async def test_a_refusal_of_an_old_key_says_nothing_of_the_new_one(engine: Engine) -> None:
    channel = await engine.channel("kling")
    fake = Upstream(engine.router, "kling")

    async def change(_request: httpx.Request) -> Any:
        await engine.operator.provisioning.change_channel(
            "kling", {"base_url": "http://kling.test:81"}
        )
        return refusal("kling", FaultKind.CREDENTIAL)

    fake.on_submit = [change]
    await engine.refused(MODEL)

    assert (await health(engine, channel)).state is ChannelState.OK


# What is learnt of a cap


async def fill(engine: Engine, jobs: int) -> tuple[Channel, Upstream]:
    """A channel without a cap at whose provider so many jobs run, and one more was too many."""
    channel = await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    for _ in range(jobs):
        await engine.create(MODEL)
    engine.clock.advance(seconds=1)
    fake.on_submit = [refusal("kling", FaultKind.CONCURRENCY)]
    created = await engine.create(MODEL)
    assert created.snapshot.status is TaskStatus.QUEUED
    fake.on_submit = [fake.accept]
    return channel, fake


async def test_too_many_is_learnt_and_kept_by_all(engine: Engine, other: Engine) -> None:
    channel, fake = await fill(engine, 3)
    before = len(fake.submits)

    assert (await health(other, channel)).learned_cap == 3
    theirs = Upstream(other.router, "kling")
    created = [await one.create(MODEL) for one in (engine, other)]

    assert [one.snapshot.status for one in created] == [TaskStatus.QUEUED] * 2
    assert (len(fake.submits), len(theirs.submits)) == (before, 0)


async def test_a_burst_of_refusals_is_one_lesson(engine: Engine) -> None:
    channel = await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    fake.on_submit = [refusal("kling", FaultKind.CONCURRENCY)]
    await asyncio.gather(*(engine.create(MODEL) for _ in range(10)))

    found = await health(engine, channel)
    assert found.learned_cap is not None
    assert found.learned_at == engine.clock.now()
    assert found.learned_cap > 1


async def test_quiet_time_raises_it_again_one_by_one(engine: Engine) -> None:
    channel, fake = await fill(engine, 3)
    await engine.create(MODEL)
    await engine.tick(seconds=LEARNED_QUIET.total_seconds() - 1)
    assert (await health(engine, channel)).learned_cap == 3

    await engine.tick(seconds=1)
    assert (await health(engine, channel)).learned_cap == 4
    before = len(fake.submits)
    await engine.tick()

    assert len(fake.submits) == before + 1


async def test_what_the_operator_says_is_never_exceeded(engine: Engine) -> None:
    channel, _ = await fill(engine, 3)
    await engine.operator.provisioning.change_channel("kling", {"max_concurrency": 4})
    await engine.create(MODEL)
    for _ in range(5):
        await engine.tick(seconds=LEARNED_QUIET.total_seconds())

    assert (await health(engine, channel)).learned_cap is None
    running = [task for task in await engine.all_tasks() if task.status is TaskStatus.IN_PROGRESS]
    assert len(running) == 4


def test_a_cap_is_the_least_there_is() -> None:
    made = Channel(id=None, name="a", provider="b", base_url="", credential_id=None)  # type: ignore[arg-type]  # ids say nothing here
    learned = ChannelHealth(learned_cap=3)
    assert made.cap is None
    assert replace(made, health=learned).cap == 3
    assert replace(made, health=learned, max_concurrency=2).cap == 2
    assert replace(made, health=replace(learned, state=ChannelState.OPEN)).cap == 0
