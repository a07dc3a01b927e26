"""Discarding: cancelled at once, whatever its job does, and the job followed to its end."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import LOST, MODELS, NAMES, PROVING, Answer, Reply, Upstream, refusal

from vidgate.db.engine import Statement
from vidgate.exceptions import ConflictError, InvalidParameterError
from vidgate.models.channels import OnUnknown
from vidgate.models.outcomes import FaultKind
from vidgate.models.requests import Image
from vidgate.models.tasks import AttemptStatus, TaskSnapshot, TaskStatus
from vidgate.services.tasks.creating import Created
from vidgate.services.views.reading import TaskView

MODEL = MODELS["kling"]
PICTURE = Image(content=b"\x89PNG\r\n\x1a\n" + bytes(64), media_type="image/png")
STOPPED = Reply({"state": "failed", "err_code": "UserCancelled", "credits": 0})
HOOK = {"callback_url": "http://client.test/hook"}
RESULTS = Statement(text("SELECT id FROM attempts WHERE result IS NOT NULL"))
EVENTS = Statement(text("SELECT event, url FROM deliveries ORDER BY created_at"))


@pytest.fixture(autouse=True)
def _impatient(engine: Engine) -> None:
    engine.services.canceller._wait = 0.05


async def discard(engine: Engine, created: Created | str, output: int | None = None) -> TaskView:
    name = created if isinstance(created, str) else created.snapshot.public_id
    return await engine.services.canceller.cancel(
        name, engine.caller.sight, output=output, discard=True
    )


def assert_discarded(task: TaskSnapshot) -> None:
    assert task.status is TaskStatus.CANCELLED
    assert {output.status for output in task.outputs} == {TaskStatus.CANCELLED}
    assert task.error is not None
    assert task.error.code == "cancelled"
    assert task.result is None


def shown(task: TaskSnapshot) -> TaskSnapshot:
    """Without what is known of its running job, of which nobody is told any more."""
    return replace(task, usual=None, next_ask_at=None)


def vidu_cancel(engine: Engine, answer: Reply) -> None:
    route = engine.router.post(url__regex=r"http://vidu\.test/ent/v2/tasks/\w+/cancel$")
    route.mock(return_value=answer.response())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("succeeded", AttemptStatus.SUCCEEDED),
        ("failed", AttemptStatus.FAILED),
        ("running", AttemptStatus.UNKNOWN),
    ],
)
async def test_a_job_is_followed_to_its_end_and_changes_nothing(
    engine: Engine, name: str, word: str, status: AttemptStatus
) -> None:
    fake = Upstream(engine.router, name)
    await engine.channel(name, max_concurrency=1)
    if name == "vidu":
        vidu_cancel(engine, Reply({"code": 409, "reason": "Conflict", "message": "no"}, 409))
    created = await engine.create(MODELS[name], metadata=HOOK)
    await engine.create(MODELS[name])

    view = await discard(engine, created)

    assert_discarded(view.snapshot)
    assert view.snapshot.error is not None
    assert "discarded" in view.snapshot.error.message
    assert view.snapshot.finished_at == engine.clock.now()
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.RUNNING
    await engine.tick()
    assert len(fake.submits) == 1  # its slot is taken as long as its job runs
    fake.on_poll = [word]
    for hours in (*[0.05] * 5, *[12] * 8):
        await engine.tick(hours=hours)
    [attempt] = await engine.attempts(created)
    assert attempt.status is status
    assert shown(await engine.task(created)) == shown(view.snapshot)
    kept = await engine.operator.database.fetch(RESULTS)
    assert (attempt.id in {row["id"] for row in kept}) == (word == "succeeded")
    if word != "running":
        assert len(fake.submits) == 2
    rows = await engine.operator.database.fetch(EVENTS)
    assert [row["event"] for row in rows] == ["video.cancelled"]


async def test_what_can_be_cancelled_is_not_discarded(engine: Engine) -> None:
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu", max_concurrency=1)
    vidu_cancel(engine, Reply({}))
    running = await engine.create(MODELS["vidu"])
    waiting = await engine.create(MODELS["vidu"])

    free = await discard(engine, waiting)
    asked = await discard(engine, running)

    assert free.snapshot.error is not None
    assert "before it was submitted" in free.snapshot.error.message
    assert asked.snapshot.status is TaskStatus.IN_PROGRESS  # at the provider's charge
    fake.on_poll = [STOPPED]
    await engine.tick(minutes=1)
    assert (await engine.task(running)).status is TaskStatus.CANCELLED


async def test_what_a_provider_does_not_say_is_discarded(engine: Engine) -> None:
    Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    vidu_cancel(engine, Reply(status=502, text="<html>"))
    created = await engine.create(MODELS["vidu"])

    assert_discarded((await discard(engine, created)).snapshot)


ENDS: Mapping[str, Callable[[Upstream], Answer]] = {
    "accepted": lambda fake: fake.accept,
    "refused for good": lambda fake: refusal(fake.name, FaultKind.CONTENT_POLICY),
    "refused here": lambda fake: refusal(fake.name, FaultKind.CREDENTIAL),
    "busy": lambda fake: refusal(fake.name, FaultKind.CONCURRENCY),
    "not sent": lambda _: httpx.ConnectError("refused"),
    "lost": lambda fake: fake.then(LOST["reset"]),
    "never arrived": lambda _: LOST["timeout"],
}
SUBMITS = [(name, end) for name in ("kling", "vidu", "jimeng") for end in ENDS]


@pytest.mark.parametrize(("name", "end"), SUBMITS)
async def test_during_a_submit(database_url: str, name: str, end: str) -> None:
    """However it ends: its job is never lost, and there is never another one."""
    async with open_engine(database_url) as engine:
        engine.services.canceller._wait = 0.05
        fake, other = Upstream(engine.router, name), Upstream(engine.router, name, "other")
        await engine.channel(name, priority=1, on_unknown=OnUnknown.RESUBMIT)
        await engine.channel(name, "other")
        sent, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(request: httpx.Request) -> object:
            sent.set()
            await go_on.wait()
            answer: Any = ENDS[end](fake)
            if isinstance(answer, Exception):
                raise answer
            return answer if isinstance(answer, Reply) else answer(request)

        fake.on_submit = [slowly]
        vidu_cancel(engine, Reply({"code": 409, "reason": "Conflict", "message": "no"}, 409))
        creating = asyncio.create_task(engine.create(MODELS[name]))
        await sent.wait()
        [task] = await engine.all_tasks()

        view = await discard(engine, task.public_id)
        go_on.set()
        created = await creating

        assert_discarded(view.snapshot)
        assert created.snapshot.status is TaskStatus.CANCELLED
        for _ in range(20):
            await engine.tick(seconds=30)
        fake.on_poll = ["succeeded"]
        await engine.tick(hours=1)
        assert shown(await engine.task(created)) == shown(view.snapshot)
        [attempt] = await engine.attempts(created)
        has_job = end in {"accepted", "lost"}
        expected = AttemptStatus.SUCCEEDED if has_job else AttemptStatus.FAILED
        if end == "not sent" or (end == "never arrived" and name in PROVING):
            expected = AttemptStatus.CANCELLED  # for certain there is no job, nor a refusal
        elif end == "never arrived" or (end == "lost" and name not in PROVING):
            expected = AttemptStatus.UNKNOWN
        assert attempt.status is expected
        assert len(fake.jobs) == has_job
        assert len(fake.submits) == 1
        assert other.submits == []


async def test_what_a_worker_is_about_to_submit_is_not_submitted(engine: Engine) -> None:
    """Although its inputs are gone."""
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu", max_concurrency=1)
    await engine.create(MODELS["vidu"])
    created = await engine.create("viduq3-pro", images=(PICTURE,))
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.PENDING
    started = await engine.operator.attempts.start_waiting(
        attempt.channel_id,
        credential_id=attempt.credential_id,
        max_concurrency=None,
        lease_id=attempt.id,
        margin=timedelta(seconds=30),
        now=engine.clock.now(),
        limit=1,
    )

    view = await discard(engine, created)
    await engine.services.worker._submitter.run(*started[0])

    assert_discarded(view.snapshot)
    [attempt] = await engine.attempts(created)
    assert (attempt.status, attempt.due_at) == (AttemptStatus.CANCELLED, None)
    assert len(fake.submits) == 1


async def test_a_lost_submit_whose_inputs_are_gone(engine: Engine) -> None:
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    route = engine.router.post("http://vidu.test/ent/v2/img2video").mock(side_effect=LOST["reset"])
    created = await engine.create("viduq3-pro", images=(PICTURE,))

    await discard(engine, created)
    for _ in range(20):
        await engine.tick(seconds=30)

    [attempt] = await engine.attempts(created)
    assert (attempt.status, attempt.due_at) == (AttemptStatus.CANCELLED, None)
    assert len(fake.finds) >= 2
    assert route.call_count == 1


async def test_whoever_is_first_wins(engine: Engine) -> None:
    """Clients that discard and a worker that is told of successes: each ends in one way."""
    fake = Upstream(engine.router, "kling")
    await engine.channel("kling")
    created = [await engine.create(MODEL, metadata=HOOK) for _ in range(20)]
    fake.on_poll = ["succeeded"]

    answers, _ = await asyncio.gather(
        asyncio.gather(*(discard(engine, one) for one in created), return_exceptions=True),
        engine.tick(minutes=5),
    )

    for one, answer in zip(created, answers, strict=True):
        task = await engine.task(one)
        if isinstance(answer, ConflictError):
            assert answer.code == "task_finished"
            assert task.status is TaskStatus.SUCCEEDED
        else:
            assert not isinstance(answer, BaseException)
            assert_discarded(task)
        [attempt] = await engine.attempts(one)
        assert attempt.status is AttemptStatus.SUCCEEDED
    assert len(await engine.operator.database.fetch(EVENTS)) == len(created)
    assert len(await engine.operator.database.fetch(RESULTS)) == len(created)


@pytest.mark.parametrize(
    ("discarded", "word", "status"),
    [
        ([0], "succeeded", TaskStatus.SUCCEEDED),
        ([1], "failed", TaskStatus.FAILED),
        ([1, 0], "succeeded", TaskStatus.CANCELLED),
    ],
)
async def test_one_of_several(
    engine: Engine, discarded: list[int], word: str, status: TaskStatus
) -> None:
    fake = Upstream(engine.router, "kling")
    await engine.channel("kling")
    created = await engine.create(MODEL, n=2)

    for position in discarded:
        view = await discard(engine, created, position)
        assert view.snapshot.outputs[position].status is TaskStatus.CANCELLED
    before = (await engine.task(created)).revision
    assert (await discard(engine, created, discarded[0])).snapshot.revision == before

    fake.on_poll = [word]
    await engine.tick(minutes=5)

    task = await engine.task(created)
    assert task.status is status
    assert [
        position
        for position, output in enumerate(task.outputs)
        if output.status is TaskStatus.CANCELLED
    ] == sorted(discarded)
    assert task.revision == before + (len(discarded) < 2)
    if len(discarded) < 2:
        other = 1 - discarded[0]
        with pytest.raises(ConflictError) as caught:
            await discard(engine, created, other)
        assert caught.value.code == "task_finished"


async def test_the_rest_of_a_task_that_has_a_video(engine: Engine) -> None:
    """It is no conflict: what was unfinished is cancelled, and the task has succeeded."""
    fake = Upstream(engine.router, "kling")
    await engine.channel("kling", max_concurrency=1)
    created = await engine.create(MODEL, n=2)
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=5)

    view = await discard(engine, created)

    assert view.snapshot.status is TaskStatus.SUCCEEDED
    assert [one.status for one in view.snapshot.outputs] == [
        TaskStatus.SUCCEEDED,
        TaskStatus.CANCELLED,
    ]


async def test_a_job_of_a_discarded_video_starts_nothing(engine: Engine) -> None:
    fake = Upstream(engine.router, "kling")
    await engine.channel("kling", max_concurrency=1)
    sent, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(request: httpx.Request) -> object:
        sent.set()
        await go_on.wait()
        return fake.accept(request)

    fake.on_submit = [slowly]
    creating = asyncio.create_task(engine.create(MODEL, n=2))
    await sent.wait()
    [task] = await engine.all_tasks()
    await discard(engine, task.public_id, 0)
    go_on.set()
    created = await creating

    assert (await engine.task(created)).status is TaskStatus.QUEUED
    assert [one.status for one in await engine.attempts(created)] == [
        AttemptStatus.RUNNING,
        AttemptStatus.PENDING,
    ]


@pytest.mark.parametrize("output", [-1, 1, 8])
async def test_an_output_that_there_is_not(engine: Engine, output: int) -> None:
    Upstream(engine.router, "kling")
    await engine.channel("kling")
    created = await engine.create(MODEL)
    with pytest.raises(InvalidParameterError) as caught:
        await discard(engine, created, output)
    assert caught.value.param == "output"


async def test_one_of_several_where_the_provider_can(engine: Engine) -> None:
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    vidu_cancel(engine, Reply({}))
    created = await engine.create(MODELS["vidu"], n=2)
    await engine.services.canceller.cancel(
        created.snapshot.public_id, engine.caller.sight, output=1
    )
    calls = [str(call.request.url) for call in engine.router.calls if "cancel" in str(call.request)]
    second = (await engine.attempts(created))[1]
    assert second.ref is not None
    assert [second.ref.id in url for url in calls] == [True]
    fake.on_poll = [
        lambda request: (
            STOPPED
            if second.ref is not None and second.ref.id in str(request.url)
            else Reply({"state": "processing"})
        )
    ]
    await engine.tick(minutes=1)
    task = await engine.task(created)
    assert [one.status for one in task.outputs] == [TaskStatus.IN_PROGRESS, TaskStatus.CANCELLED]
