"""Processes that die at the worst moment, and the one that comes after them."""

import asyncio
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import BLIND, FINDING, LOST, MODELS, NAMES, PROVING, Upstream

from vidgate.db.documents import write_request
from vidgate.db.engine import Statement
from vidgate.db.tables import inputs
from vidgate.db.tasks import NewTask
from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.channels import Channel, ChannelAccess
from vidgate.models.ids import new_id, public_id
from vidgate.models.requests import Image, VideoRequest
from vidgate.models.tasks import AttemptStatus, TaskStatus

COUNT_INPUTS = Statement(select(func.count()).select_from(inputs))
PICTURE = Image(content=b"\x89PNG" + bytes(2000), media_type="image/png")
LONG = "x" * 5000


async def stored(engine: Engine, channel: Channel, request: VideoRequest) -> Attempt:
    """Store a task as `create` does, and die before its submit."""
    provider = engine.services.providers[channel.provider]
    translation = provider.translate(request)
    now = engine.clock.now()
    document, media = write_request(request)
    task = NewTask(
        id=new_id(),
        account_id=engine.caller.account_id,
        token_id=engine.caller.token.id,
        dialect="newapi",
        model=request.model,
        provider=channel.provider,
        upstream_model=translation.facts.model,
        document=document,
        inputs=media,
        created_at=now,
    )
    new = engine.services.task_creator._planner._maker.make(
        task_id=task.id,
        channel=channel,
        request=request,
        translation=translation,
        now=now,
        deadline_at=now + engine.services.settings.queue_wait,
    )
    [attempt] = await engine.operator.tasks.create(task, [new])
    return attempt


async def test_what_was_stored_is_known_before_its_provider_is_called(engine: Engine) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    seen: list[TaskStatus] = []

    async def look(request: httpx.Request) -> object:
        seen.extend(task.status for task in await engine.all_tasks())
        return fake.accept(request)

    fake.on_submit = [look]
    await engine.create(MODELS["kling"])

    assert seen == [TaskStatus.QUEUED]


@pytest.mark.parametrize("name", NAMES)
async def test_a_kill_before_the_submit(database_url: str, name: str) -> None:
    async with open_engine(database_url) as dead:
        channel = await dead.channel(name)
        attempt = await stored(dead, channel, VideoRequest(model=MODELS[name], prompt="a boat"))
    async with open_engine(database_url, dead.clock) as engine:
        fake = Upstream(engine.router, name)
        for _ in range(17):
            await engine.tick(seconds=10)

        task = await engine.task(public_id("task_", attempt.task_id))
        if name not in PROVING:  # nobody can know that it was not sent
            assert task.status is TaskStatus.FAILED
            assert task.error is not None
            assert task.error.code == "submit_outcome_unknown"
            assert fake.submits == []
        else:
            assert task.status is TaskStatus.IN_PROGRESS
            assert [fake.correlation(one) for one in fake.submits] == [attempt.correlation]


@pytest.mark.parametrize("name", NAMES)
async def test_a_kill_between_the_acceptance_and_its_record(database_url: str, name: str) -> None:
    async with open_engine(database_url) as dead:
        channel = await dead.channel(name)
        attempt = await stored(dead, channel, VideoRequest(model=MODELS[name], prompt="a boat"))
    async with open_engine(database_url, dead.clock) as engine:
        fake = Upstream(engine.router, name)
        fake.jobs["j1"] = attempt.correlation
        for _ in range(17):
            await engine.tick(seconds=10)

        task = await engine.task(public_id("task_", attempt.task_id))
        expected = TaskStatus.FAILED if name in BLIND else TaskStatus.IN_PROGRESS
        assert task.status is expected
        assert fake.submits == []  # it is paid for already


@pytest.mark.parametrize("name", NAMES)
async def test_a_kill_while_jobs_run(database_url: str, name: str) -> None:
    async with open_engine(database_url) as dead:
        await dead.channel(name)
        fake = Upstream(dead.router, name)
        created = [await dead.create(MODELS[name]) for _ in range(10)]
        assert len(fake.submits) == 10
        dead.clock.advance(minutes=1)
        lease = Lease(new_id(), dead.clock.now() + timedelta(seconds=45))
        held = await dead.operator.attempts.claim(lease=lease, now=dead.clock.now(), limit=100)
        assert len(held) == 10  # it dies in the middle of its polls
    async with open_engine(database_url, dead.clock) as engine:
        fake = Upstream(engine.router, name)
        fake.on_poll = ["succeeded"]
        await engine.tick(seconds=44)
        assert fake.polls == []
        await engine.tick(seconds=1)

        statuses = [(await engine.task(one)).status for one in created]
        assert statuses == [TaskStatus.SUCCEEDED] * 10
        assert len(fake.polls) == 10
        assert fake.submits == []


@pytest.mark.parametrize("name", PROVING)
async def test_inline_media_outlive_the_kill(database_url: str, name: str) -> None:
    request = VideoRequest(
        model=MODELS[name], prompt="a boat", images=(PICTURE,), metadata={"vendor": {"text": LONG}}
    )
    async with open_engine(database_url) as dead:
        channel = await dead.channel(name)
        attempt = await stored(dead, channel, request)
        assert await dead.operator.database.fetch_value(COUNT_INPUTS) == 2
    async with open_engine(database_url, dead.clock) as engine:
        fake = Upstream(engine.router, name)
        submitted: list[bytes] = []
        endpoint = attempt.endpoint

        def accept(sent: httpx.Request) -> httpx.Response:
            submitted.append(sent.content)
            return fake.accept(sent).response()

        engine.router.post(f"http://{name}.test{endpoint}").mock(side_effect=accept)
        for _ in range(12):
            await engine.tick(seconds=10)

        assert len(submitted) == 1
        assert LONG.encode() in submitted[0]
        task = await engine.task(public_id("task_", attempt.task_id))
        assert task.status is TaskStatus.IN_PROGRESS


async def test_a_kill_of_the_recovery_itself(database_url: str) -> None:
    async with open_engine(database_url) as dead:
        channel = await dead.channel("kling")
        request = VideoRequest(model=MODELS["kling"], prompt="a boat")
        attempt = await stored(dead, channel, request)
        dead.clock.advance(minutes=2)
        lease = Lease(new_id(), dead.clock.now() + timedelta(seconds=45))
        [claimed] = await dead.operator.attempts.claim(lease=lease, now=dead.clock.now(), limit=1)
        assert claimed.status is AttemptStatus.SUBMITTING
    async with open_engine(database_url, dead.clock) as engine:
        fake = Upstream(engine.router, "kling")
        fake.jobs["j1"] = attempt.correlation
        await engine.tick(seconds=46)

        task = await engine.task(public_id("task_", attempt.task_id))
        assert task.status is TaskStatus.IN_PROGRESS


async def test_a_worker_that_stops_hands_its_polls_over_at_once(database_url: str) -> None:
    async with open_engine(database_url) as stopping:
        await stopping.channel("kling")
        fake = Upstream(stopping.router, "kling")
        created = await stopping.create(MODELS["kling"])
        stopping.clock.advance(minutes=1)
        fake.on_poll = [_never]
        await stopping.services.directory.load()
        await stopping.services.worker.round()

        await stopping.services.worker.stop(timedelta(seconds=1))

        async with open_engine(database_url, stopping.clock) as engine:
            other = Upstream(engine.router, "kling")
            other.on_poll = ["succeeded"]
            await engine.tick()
            assert (await engine.task(created)).status is TaskStatus.SUCCEEDED


async def _never(request: httpx.Request) -> object:
    await asyncio.Event().wait()
    return request


async def test_a_found_job_is_taken_up_although_it_would_not_be_translated_any_more(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    fake.on_submit = [fake.then(LOST["reset"])]
    created = await engine.create(MODELS["kling"])

    def refuse(*_: object) -> NoReturn:
        raise UnsupportedParameterError("model", "It is gone.")

    monkeypatch.setattr(engine.services.providers["kling"], "translate", refuse)
    await engine.tick(minutes=2)

    task = await engine.task(created)
    assert task.status is TaskStatus.IN_PROGRESS
    assert task.details["mode"] == "std"


@pytest.mark.parametrize("name", FINDING)
async def test_a_question_that_was_not_put_is_no_answer(engine: Engine, name: str) -> None:
    """Where claiming took so long that no ask fits the lease, the submit stays unclear."""
    await engine.channel(name)
    fake = Upstream(engine.router, name)
    fake.on_submit = [fake.then(LOST["reset"])]
    created = await engine.create(MODELS[name])
    directory = engine.services.directory
    access = directory.access

    async def slow(credential_id: UUID) -> ChannelAccess:
        found = await access(credential_id)
        engine.clock.advance(seconds=30)
        return found

    directory.access = slow  # type: ignore[method-assign]
    for _ in range(4):
        await engine.tick(minutes=2)
    [attempt] = await engine.attempts(created)
    assert (attempt.status, attempt.misses) == (AttemptStatus.SUBMITTING, 0)
    assert (len(fake.submits), len(fake.finds)) == (1, 0)

    directory.access = access  # type: ignore[method-assign]
    await engine.tick(minutes=2)

    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.RUNNING
    assert len(fake.submits) == 1
