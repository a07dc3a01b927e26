"""Cancelling: free before the submit, confirmed by the provider after it, and never guessed."""

import asyncio
from datetime import timedelta
from typing import Any, NoReturn
from uuid import uuid4

import httpx
import pytest
import respx
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import MODELS, Reply, Upstream

from vidgate.exceptions import (
    ConfigurationError,
    ConflictError,
    RequestError,
    TaskNotFoundError,
    UpstreamRefusedError,
)
from vidgate.models.accounts import Sight
from vidgate.models.attempts import Lease
from vidgate.models.ids import new_id
from vidgate.models.requests import Image
from vidgate.models.tasks import AttemptStatus, TaskSnapshot, TaskStatus
from vidgate.providers.vidu import Vidu
from vidgate.services.tasks.creating import Created
from vidgate.services.views.reading import TaskView

MODEL = MODELS["vidu"]
PICTURE = Image(content=b"\x89PNG\r\n\x1a\n" + bytes(64), media_type="image/png")
STOPPED = Reply({"state": "failed", "err_code": "UserCancelled", "credits": 0})
CONFLICT = Reply({"code": 409, "reason": "Conflict", "message": "resource conflict"}, 409)


@pytest.fixture(autouse=True)
def _impatient(engine: Engine) -> None:
    engine.services.canceller._wait = 0.05


def vidu_cancel(engine: Engine, answer: Reply | Exception) -> respx.Route:
    route = engine.router.post(url__regex=r"http://vidu\.test/ent/v2/tasks/\w+/cancel$")
    if isinstance(answer, Exception):
        return route.mock(side_effect=answer)
    return route.mock(return_value=answer.response())


async def cancel(engine: Engine, created: Created) -> TaskView:
    return await engine.services.canceller.cancel(created.snapshot.public_id, engine.caller.sight)


async def refuse(engine: Engine, created: Created) -> RequestError:
    with pytest.raises((ConflictError, UpstreamRefusedError)) as caught:
        await cancel(engine, created)
    return caught.value


async def ticking(engine: Engine, created: Created) -> TaskView:
    """Cancel while a worker works."""
    engine.services.canceller._wait = 10
    cancelling = asyncio.create_task(cancel(engine, created))
    while not cancelling.done():
        await asyncio.sleep(0.02)
        await engine.tick()
    return await cancelling


async def waiting(engine: Engine) -> Created:
    """A task that waits for a slot, behind one that has it."""
    await engine.channel("vidu", max_concurrency=1)
    await engine.create(MODEL)
    created = await engine.create("viduq3-pro", images=(PICTURE,))
    assert created.snapshot.status is TaskStatus.QUEUED
    return created


def assert_cancelled(task: TaskSnapshot) -> None:
    assert task.status is TaskStatus.CANCELLED
    assert [output.status for output in task.outputs] == [TaskStatus.CANCELLED]
    assert task.error is not None
    assert task.error.code == "cancelled"


async def test_what_waits_for_a_slot_is_cancelled_for_free(engine: Engine) -> None:
    fake = Upstream(engine.router, "vidu")
    created = await waiting(engine)

    view = await cancel(engine, created)

    assert_cancelled(view.snapshot)
    assert_cancelled(await engine.task(created))
    assert view.snapshot.finished_at == engine.clock.now()
    [attempt] = await engine.attempts(created)
    assert (attempt.status, attempt.due_at) == (AttemptStatus.CANCELLED, None)
    fake.on_poll = ["succeeded"]
    for _ in range(3):
        await engine.tick(minutes=1)
    assert len(fake.submits) == 1
    assert_cancelled(await engine.task(created))


async def test_a_cancelled_task_is_answered_again(engine: Engine) -> None:
    Upstream(engine.router, "vidu")
    created = await waiting(engine)
    first = await cancel(engine, created)
    calls = len(engine.router.calls)
    assert (await cancel(engine, created)).snapshot == first.snapshot
    assert len(engine.router.calls) == calls


async def test_another_accounts_task_is_none(engine: Engine) -> None:
    Upstream(engine.router, "vidu")
    created = await waiting(engine)
    with pytest.raises(TaskNotFoundError):
        await engine.services.canceller.cancel(created.snapshot.public_id, Sight(uuid4()))
    assert (await engine.task(created)).status is TaskStatus.QUEUED


async def test_what_a_worker_holds_is_not_taken_from_it(engine: Engine) -> None:
    Upstream(engine.router, "vidu")
    created = await waiting(engine)
    now = engine.clock.now()
    [attempt] = await engine.attempts(created)
    lease = Lease(new_id(), now + timedelta(seconds=30))
    assert await engine.operator.attempts.take_waiting(attempt.id, lease=lease, now=now)

    error = await refuse(engine, created)

    assert (error.code, error.retry_after_seconds) == ("cannot_cancel", 5)
    assert (await engine.task(created)).status is TaskStatus.QUEUED
    engine.clock.advance(seconds=30)  # it died
    assert_cancelled((await cancel(engine, created)).snapshot)


async def test_whoever_is_first_wins(engine: Engine) -> None:
    """A worker that starts waiting tasks and clients that cancel them: each ends in one way."""
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu", max_concurrency=8)
    for _ in range(8):
        await engine.create(MODEL)
    created = [await engine.create(MODEL) for _ in range(20)]
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)
    fake.on_poll = ["running"]
    engine.services.canceller._wait = 5
    vidu_cancel(engine, CONFLICT)
    for one in created:
        await engine.services.reader.read(one.snapshot.public_id, engine.caller.sight)

    answers, _ = await asyncio.gather(
        asyncio.gather(*(cancel(engine, one) for one in created), return_exceptions=True),
        engine.tick(),
    )

    cancelled = 0
    for one, answer in zip(created, answers, strict=True):
        [attempt] = await engine.attempts(one)
        if isinstance(answer, ConflictError):
            assert attempt.status is AttemptStatus.RUNNING
            assert (await engine.task(one)).status is TaskStatus.IN_PROGRESS
        else:
            assert not isinstance(answer, BaseException)
            assert attempt.status is AttemptStatus.CANCELLED
            cancelled += 1
    assert len(fake.submits) == 8 + len(created) - cancelled
    assert cancelled >= 12


async def test_a_running_job_ends_when_the_provider_confirms(engine: Engine) -> None:
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    route = vidu_cancel(engine, Reply({}))
    created = await engine.create(MODEL)
    fake.on_poll = [STOPPED]

    view = await ticking(engine, created)

    assert_cancelled(view.snapshot)
    assert route.call_count == 1
    assert route.calls[0].request.headers["authorization"] == "Token vda_test_key"
    assert len(fake.polls) == 1  # hastened: without it the first ask is 20 s away
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.CANCELLED
    assert attempt.ref is not None
    assert f"/tasks/{attempt.ref.id}/cancel" in str(route.calls[0].request.url)


GONE = {
    "vidu": (r"http://vidu\.test/ent/v2/tasks/\w+/cancel$", Reply({})),
    "jimeng": (r"http://jimeng\.test/.*Action=CVCancelTask", Reply({"code": 10000, "data": None})),
}


@pytest.mark.parametrize("name", GONE)
@pytest.mark.parametrize("is_asked", [True, False])
async def test_a_job_that_is_gone_was_cancelled_only_if_its_provider_said_so(
    engine: Engine, name: str, *, is_asked: bool
) -> None:
    path, accepted = GONE[name]
    await engine.channel(name)
    engine.router.post(url__regex=path).mock(return_value=accepted.response())
    fake = Upstream(engine.router, name)
    created = await engine.create(MODELS[name])
    await engine.tick(seconds=30)
    if is_asked:
        await cancel(engine, created)
    fake.on_poll = ["not found"]

    await engine.tick(minutes=1)

    task = await engine.task(created)
    assert task.status is (TaskStatus.CANCELLED if is_asked else TaskStatus.IN_PROGRESS)
    if is_asked:
        assert_cancelled(task)


async def test_the_confirmation_may_reach_another_process(
    engine: Engine, database_url: str
) -> None:
    """One that cannot tell this one of it."""
    Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    vidu_cancel(engine, Reply({}))
    created = await engine.create(MODEL)
    engine.services.canceller._wait = 10
    async with open_engine(database_url, engine.clock) as worker:
        Upstream(worker.router, "vidu").on_poll = [STOPPED]
        cancelling = asyncio.create_task(cancel(engine, created))
        for _ in range(40):
            await asyncio.sleep(0.02)
            await worker.tick()
        view = await asyncio.wait_for(cancelling, 1)
    assert_cancelled(view.snapshot)


async def test_what_is_accepted_and_not_confirmed_yet_goes_on(engine: Engine) -> None:
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    vidu_cancel(engine, Reply({}))
    created = await engine.create(MODEL)

    view = await cancel(engine, created)

    assert view.snapshot.status is TaskStatus.IN_PROGRESS
    fake.on_poll = [STOPPED]
    await engine.tick()
    assert_cancelled(await engine.task(created))


async def test_a_job_that_succeeded_all_the_same_is_a_success(engine: Engine) -> None:
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    vidu_cancel(engine, Reply({}))
    created = await engine.create(MODEL)
    fake.on_poll = ["succeeded"]
    with pytest.raises(ConflictError) as caught:
        await ticking(engine, created)
    assert caught.value.code == "task_finished"
    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED


@pytest.mark.parametrize(
    "answer",
    [CONFLICT, Reply({"code": 404, "reason": "TaskNotFound", "message": "not found"}, 404)],
    ids=["too late", "unknown"],
)
async def test_what_the_provider_does_not_stop_runs_on(engine: Engine, answer: Reply) -> None:
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    vidu_cancel(engine, answer)
    created = await engine.create(MODEL)

    error = await refuse(engine, created)

    assert (error.status, error.code) == (409, "cannot_cancel")
    fake.on_poll = ["succeeded"]
    await engine.tick()  # asked at once: it was finished perhaps
    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED


class QueueOnly(Vidu):
    """A provider whose cancellation destroys what a finished job has made."""

    only_queued = True


@pytest.mark.parametrize(
    ("state", "asked"),
    [("queued", 1), ("running", 0), ("succeeded", 0), ("failed", 0), ("unknown status", 0)],
)
async def test_a_job_is_cancelled_only_where_it_certainly_waits(
    engine: Engine, state: str, asked: int
) -> None:
    providers: Any = engine.operator.providers
    providers["vidu"] = QueueOnly()
    await engine.channel("vidu")
    fake = Upstream(engine.router, "vidu")
    route = vidu_cancel(engine, Reply({}))
    created = await engine.create(MODEL)
    fake.on_poll = [state]

    if asked:
        await cancel(engine, created)
    else:
        assert (await refuse(engine, created)).code == "cannot_cancel"

    assert route.call_count == asked


async def test_a_provider_without_cancellation_is_not_asked(engine: Engine) -> None:
    Upstream(engine.router, "kling")
    await engine.channel("kling")
    created = await engine.create(MODELS["kling"])
    calls = len(engine.router.calls)

    error = await refuse(engine, created)

    assert (error.status, error.code) == (409, "cannot_cancel")
    assert len(engine.router.calls) == calls
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        Reply(status=502, text="<html>"),
        Reply({"code": 429, "reason": "TooManyRequests", "message": "slow down"}, 429),
        Reply({"code": 401, "reason": "Unauthorized", "message": "no"}, 401),
    ],
    ids=["timeout", "refused", "html", "429", "401"],
)
async def test_an_unclear_answer_is_said_and_changes_nothing(
    engine: Engine, answer: Reply | Exception
) -> None:
    Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    vidu_cancel(engine, answer)
    created = await engine.create(MODEL)

    error = await refuse(engine, created)

    assert (error.status, error.code) == (502, "cancel_outcome_unknown")
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS


async def test_a_poll_tells_what_an_unclear_answer_did_not(engine: Engine) -> None:
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    vidu_cancel(engine, httpx.ReadTimeout("slow"))
    created = await engine.create(MODEL)
    fake.on_poll = [STOPPED]
    assert_cancelled((await ticking(engine, created)).snapshot)


async def test_a_finished_task_is_no_more_cancelled(engine: Engine) -> None:
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    created = await engine.create(MODEL)
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)

    error = await refuse(engine, created)

    assert (error.status, error.code) == (409, "task_finished")
    assert "succeeded" in error.message


async def test_the_attempts_own_credential_is_used(engine: Engine) -> None:
    Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    created = await engine.create(MODEL)
    await engine.operator.provisioning.set_key("vidu", "vda_other_key")
    await engine.services.directory.load()
    route = vidu_cancel(engine, Reply({}))
    await cancel(engine, created)
    assert route.calls[0].request.headers["authorization"] == "Token vda_test_key"


async def test_a_submit_under_way_is_waited_for(engine: Engine) -> None:
    fake = Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    go_on, arrived = asyncio.Event(), asyncio.Event()

    async def slowly(request: httpx.Request) -> Reply:
        arrived.set()
        await go_on.wait()
        return fake.accept(request)

    fake.on_submit = [slowly]
    route = vidu_cancel(engine, Reply({}))
    creating = asyncio.create_task(engine.create(MODEL))
    await arrived.wait()
    [task] = await engine.all_tasks()
    account_id = engine.caller.account_id
    with pytest.raises(ConflictError, match="just being submitted"):
        await engine.services.canceller.cancel(task.public_id, Sight(account_id))
    assert not route.called

    engine.services.canceller._wait = 5
    cancelling = asyncio.create_task(
        engine.services.canceller.cancel(task.public_id, Sight(account_id))
    )
    await asyncio.sleep(0.05)
    go_on.set()
    created = await creating
    fake.on_poll = [STOPPED]
    while not cancelling.done():
        await asyncio.sleep(0.02)
        await engine.tick()
    assert_cancelled((await cancelling).snapshot)
    assert route.call_count == 1
    assert created.snapshot.public_id == task.public_id


async def test_a_key_that_cannot_be_used_says_nothing_certain(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    created = await engine.create(MODEL)

    def cannot(*_: object) -> NoReturn:
        raise ConfigurationError("It has no second part.")

    monkeypatch.setattr(engine.services.providers["vidu"], "cancel", cannot)

    assert (await refuse(engine, created)).code == "cancel_outcome_unknown"


async def test_what_a_newer_version_submitted_cannot_be_cancelled(engine: Engine) -> None:
    Upstream(engine.router, "vidu")
    await engine.channel("vidu")
    created = await engine.create(MODEL)
    providers: Any = engine.services.providers
    del providers["vidu"]

    assert (await refuse(engine, created)).code == "cannot_cancel"
