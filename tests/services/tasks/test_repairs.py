"""What operators do by hand: fenced like the engine's own writes, and written down."""

from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

import pytest
from sqlalchemy import select
from tests.support.engine import Engine
from tests.support.upstreams import BLIND, MODELS, VIDEO, Upstream

from vidgate.db.engine import Statement
from vidgate.db.inputs import InputStore
from vidgate.db.ledger_check import check_books
from vidgate.db.tables import deliveries
from vidgate.exceptions import (
    BudgetExceededError,
    ConflictError,
    InvalidParameterError,
    LeaseLostError,
)
from vidgate.models.acts import Act, Author
from vidgate.models.attempts import Lease
from vidgate.models.ids import new_id
from vidgate.models.limits import LimitChange, Measure, Period, Scope
from vidgate.models.tasks import AttemptStatus, TaskFilter, TaskSnapshot, TaskStatus
from vidgate.services.tasks.creating import Created

ANN = Author(actor="ann", origin="a test", reason="because")
MODEL = MODELS["vidu"]
LONG = {"vendor": {"text": "x" * 5000}}
_EVENTS = Statement(select(deliveries.c.event))


@pytest.fixture(autouse=True)
def _link_is_allowed(engine: Engine) -> None:
    engine.services.repairs._allowed_networks = (IPv4Network("127.0.0.0/8"),)
    engine.services.canceller._wait = 0.05


@pytest.fixture
async def upstream(engine: Engine) -> Upstream:
    await engine.channel("vidu")
    return Upstream(engine.router, "vidu")


async def repair(engine: Engine, created: Created, name: str, **options: Any) -> Any:
    arguments = (VIDEO,) if name == "attach_result" else ()
    act = getattr(engine.services.repairs, name)
    return await act(created.snapshot.public_id, *arguments, ANN, **options)


async def refusal(engine: Engine, created: Created, name: str, **options: Any) -> str | None:
    with pytest.raises(ConflictError) as caught:
        await repair(engine, created, name, **options)
    return caught.value.code


async def acts(engine: Engine, task: TaskSnapshot) -> list[Act]:
    return await engine.operator.acts.of(task.public_id)


async def end(engine: Engine, upstream: Upstream, end: str = "succeeded") -> None:
    upstream.on_poll = [end]
    await engine.tick(minutes=5)


@pytest.mark.parametrize("name", ["cancel", "fail", "poll_now"])
@pytest.mark.parametrize("status", ["succeeded", "failed"])
async def test_what_is_final_stays_as_it_is(
    engine: Engine, upstream: Upstream, name: str, status: str
) -> None:
    created = await engine.create(MODEL)
    await end(engine, upstream, status)
    before = await engine.task(created)

    assert await refusal(engine, created, name) == "task_final"

    assert await engine.task(created) == before
    assert await acts(engine, before) == []


async def test_a_job_is_asked_about_at_once(engine: Engine, upstream: Upstream) -> None:
    created = await engine.create(MODEL)
    upstream.on_poll = ["succeeded"]
    await engine.tick()
    assert upstream.polls == []

    _, jobs = await repair(engine, created, "poll_now")
    await engine.tick()

    assert jobs == 1
    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED
    [act] = await acts(engine, created.snapshot)
    assert (act.name, act.author) == ("task.poll-now", ANN)
    assert act.before == {"status": "in_progress"}


async def test_a_task_is_failed_and_its_job_followed_for_the_books(
    engine: Engine, upstream: Upstream
) -> None:
    created = await engine.create(MODEL, metadata={"callback_url": "https://hooks.test/"})

    failed = await repair(engine, created, "fail")

    assert failed.status is TaskStatus.FAILED
    assert failed.error.code == "failed_by_operator"
    assert failed == await engine.task(created)
    [act] = await acts(engine, failed)
    assert (act.before, act.after) == ({"status": "in_progress"}, {"status": "failed"})
    events = await engine.operator.database.fetch(_EVENTS)
    assert [row["event"] for row in events] == ["video.failed"]
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=11)
    assert await engine.task(created) == failed
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.UNKNOWN
    late = await engine.operator.attempts.late_results(failed.id)
    assert late.keys() == {attempt.id}


async def test_who_held_a_failed_attempt_writes_nothing_any_more(
    engine: Engine, upstream: Upstream
) -> None:
    created = await engine.create(MODEL)
    engine.clock.advance(minutes=5)
    now = engine.clock.now()
    lease = Lease(new_id(), now + timedelta(seconds=45))
    store = engine.operator.attempts
    [held] = await store.claim(lease=lease, now=now, limit=1)

    await repair(engine, created, "fail")

    assert upstream.polls == []
    with pytest.raises(LeaseLostError):
        await store.finish(held, lease, status=AttemptStatus.SUCCEEDED, now=now)
    with pytest.raises(LeaseLostError):
        await store.release(held, lease, now)


async def test_what_waits_for_a_slot_ends_without_ever_being_sent(engine: Engine) -> None:
    await engine.channel("vidu", max_concurrency=1)
    upstream = Upstream(engine.router, "vidu")
    first, waits = await engine.create(MODEL), await engine.create(MODEL)

    await repair(engine, waits, "fail")
    await end(engine, upstream)
    await engine.tick(minutes=1)

    assert (await engine.task(first)).status is TaskStatus.SUCCEEDED
    [attempt] = await engine.attempts(waits)
    assert attempt.status is AttemptStatus.FAILED
    assert len(upstream.submits) == 1


@pytest.mark.parametrize("name", ["fail", "attach_result"])
async def test_a_submit_under_way_is_never_forgotten(
    engine: Engine, upstream: Upstream, name: str
) -> None:
    refused: list[str | None] = []

    async def meddle(request: Any) -> object:
        [task] = await engine.all_tasks()
        refused.append(await refusal(engine, Created(task), name))
        return upstream.accept(request)

    upstream.on_submit = [meddle]
    created = await engine.create(MODEL)

    assert refused == ["being_submitted"]
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    assert await acts(engine, created.snapshot) == []


@pytest.mark.parametrize("name", ["fail", "attach_result"])
async def test_a_submit_that_nobody_answered_is_ended(
    engine: Engine, upstream: Upstream, name: str
) -> None:
    upstream.on_submit = [TimeoutError()]
    created = await engine.create(MODEL)
    [attempt] = await engine.attempts(created)
    assert (attempt.status, attempt.ref) == (AttemptStatus.SUBMITTING, None)

    await repair(engine, created, name)

    [attempt] = await engine.attempts(created)
    ends = {"fail": AttemptStatus.UNKNOWN, "attach_result": AttemptStatus.SUCCEEDED}
    assert (attempt.status, attempt.due_at) == (ends[name], None)
    assert (await engine.task(created)).status.is_final
    for _ in range(3):
        await engine.tick(minutes=2)
    assert len(upstream.submits) == 1


async def test_only_outputs_without_a_video_are_failed(engine: Engine, upstream: Upstream) -> None:
    created = await engine.create(MODEL, n=2)
    assert len(upstream.submits) == 2
    await repair(engine, created, "attach_result", position=1)

    after = await repair(engine, created, "fail")

    assert after.status is TaskStatus.SUCCEEDED
    assert [one.status.value for one in after.outputs] == ["failed", "succeeded"]


async def test_a_video_from_elsewhere_ends_a_task(engine: Engine, upstream: Upstream) -> None:
    created = await engine.create(MODEL)
    assert len(upstream.submits) == 1

    task, done = await repair(engine, created, "attach_result")

    assert done.final
    assert task.status is TaskStatus.SUCCEEDED
    assert task.result.url == VIDEO
    [attempt] = await engine.attempts(created)
    assert (attempt.status, attempt.due_at) == (AttemptStatus.SUCCEEDED, None)
    [act] = await acts(engine, task)
    assert act.after == {"status": "succeeded", "output": 0, "url": VIDEO}
    assert await refusal(engine, created, "attach_result") == "task_final"
    assert await refusal(engine, created, "attach_result", position=1) == "no_such_output"


async def test_of_a_final_task_the_attempt_alone_keeps_the_link(
    engine: Engine, upstream: Upstream
) -> None:
    created = await engine.create(MODEL)
    await end(engine, upstream, "failed")
    before = await engine.task(created)
    assert before.status is TaskStatus.FAILED

    await repair(engine, created, "attach_result")

    assert await engine.task(created) == before
    [attempt] = await engine.attempts(created)
    late = await engine.operator.attempts.late_results(before.id)
    assert late[attempt.id].url == VIDEO
    [act] = await acts(engine, before)
    assert act.before == {"status": "failed"}
    assert act.after == {"status": "failed", "output": 0, "url": VIDEO}


@pytest.mark.parametrize("url", ["ftp://a.test/", "http://10.0.0.1/a.mp4", "a.mp4"])
async def test_a_link_that_must_not_be_fetched_is_refused(
    engine: Engine, upstream: Upstream, url: str
) -> None:
    created = await engine.create(MODEL)
    with pytest.raises(InvalidParameterError, match="cannot be fetched"):
        await engine.services.repairs.attach_result(created.snapshot.public_id, url, ANN)
    assert len(upstream.submits) == 1


async def test_a_failed_task_is_made_again(engine: Engine, upstream: Upstream) -> None:
    metadata = {"callback_url": "https://hooks.test/", **LONG}
    created = await engine.create(MODEL, metadata=metadata, duration_seconds=5)
    await end(engine, upstream, "failed")

    again = await repair(engine, created, "resubmit")

    assert again.status is TaskStatus.QUEUED
    assert again.details["resubmitted_from"] == created.snapshot.public_id
    assert again.dialect == "newapi"
    upstream.on_poll = ["succeeded"]
    await engine.tick(seconds=1)
    await engine.tick(minutes=5)
    made = await engine.task(again.public_id)
    assert made.status is TaskStatus.SUCCEEDED
    assert made.details["resubmitted_from"] == created.snapshot.public_id
    assert len(upstream.submits) == 2
    assert (await engine.task(created)).status is TaskStatus.FAILED
    tasks = engine.operator.tasks
    assert await tasks.request(again.id) == await tasks.request(created.snapshot.id)
    assert await tasks.origin(again.id) == await tasks.origin(created.snapshot.id)
    [act] = await acts(engine, created.snapshot)
    assert (act.name, act.after) == ("task.resubmit", {"task_id": again.public_id})


@pytest.mark.parametrize("status", ["running", "succeeded", "lost"])
async def test_what_may_be_paid_is_made_again_only_knowingly(engine: Engine, status: str) -> None:
    name = BLIND[0] if status == "lost" else "vidu"
    await engine.channel(name)
    upstream = Upstream(engine.router, name)
    if status == "lost":
        upstream.on_submit = [TimeoutError()]
    created = await engine.create(MODELS[name])
    if status == "succeeded":
        await end(engine, upstream)

    assert await refusal(engine, created, "resubmit") == "may_be_paid"
    assert len(await engine.all_tasks()) == 1
    again = await repair(engine, created, "resubmit", even_if_paid_twice=True)
    assert again.id != created.snapshot.id


async def test_without_its_pictures_a_task_is_not_made_again(
    engine: Engine, upstream: Upstream
) -> None:
    created = await engine.create(MODEL, metadata=LONG)
    await end(engine, upstream, "failed")
    now = engine.clock.now() + timedelta(hours=1)
    store = InputStore(engine.operator.database)
    await store.purge(now, keep=timedelta(hours=1), space=1 << 30)

    assert await refusal(engine, created, "resubmit") == "inputs_gone"
    assert len(await engine.all_tasks()) == 1


async def test_the_token_says_what_is_made_again_also_when_it_is_over(
    engine: Engine, upstream: Upstream
) -> None:
    created = await engine.create(MODEL)
    await end(engine, upstream, "failed")
    await engine.operator.provisioning.revoke_token("test", ANN)

    again = await repair(engine, created, "resubmit")

    assert again.account_id == created.snapshot.account_id


async def test_what_is_made_again_is_held_against_budgets_alone(
    engine: Engine, upstream: Upstream
) -> None:
    created = await engine.create(MODEL)
    await end(engine, upstream, "failed")
    limits, account_id = engine.operator.limits, engine.caller.account_id
    changes = [
        LimitChange(measure=Measure.TASKS, period=Period.DAY, limit=1),
        LimitChange(measure=Measure.QUEUED, period=Period.AT_ONCE, limit=0),
        LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=1),
    ]
    await limits.change(Scope.ACCOUNT, account_id, changes, ANN)

    await repair(engine, created, "resubmit")
    with pytest.raises(BudgetExceededError):
        await repair(engine, created, "resubmit")

    uses = await limits.uses(account_id, now=engine.clock.now())
    used = {one.limit.measure: one.used for one in uses}
    assert (used[Measure.TASKS], used[Measure.REQUESTS]) == (1, 0)
    assert await check_books(engine.operator.database) is None
    assert len(await engine.all_tasks()) == 2


async def test_what_takes_four_times_as_long_as_usual_is_stuck(
    engine: Engine, upstream: Upstream
) -> None:
    created = await engine.create(MODEL)
    done = await engine.create(MODEL)
    assert len(upstream.submits) == 2
    await repair(engine, done, "fail")
    [attempt] = await engine.attempts(created)
    usual = attempt.pace.usual or attempt.pace.deadline / 4

    async def stuck(after: timedelta) -> list[str]:
        only = TaskFilter(stuck_at=created.snapshot.created_at + after)
        return [task.public_id for task in await engine.operator.tasks.overview(limit=9, only=only)]

    assert await stuck(4 * usual) == []
    assert await stuck(4 * usual + timedelta(seconds=1)) == [created.snapshot.public_id]


async def test_what_a_provider_says_is_kept_where_it_is_news(
    engine: Engine, upstream: Upstream
) -> None:
    created = await engine.create(MODEL)
    for said in [*["queued"] * 3, *["running"] * 4]:
        upstream.on_poll = [said]
        engine.clock.advance(seconds=1)
        await repair(engine, created, "poll_now")
        await engine.tick()

    asks = await engine.operator.attempts.asks(created.snapshot.id)

    assert [ask.number for ask in asks] == [1, 4]
    assert asks[0].said != asks[1].said
    assert asks[1].before_at == asks[1].at - timedelta(seconds=1)
    [attempt] = await engine.attempts(created)
    assert (attempt.asks, attempt.asked_at) == (7, engine.clock.now())


async def test_answers_that_say_nothing_are_one_piece_of_news(
    engine: Engine, upstream: Upstream
) -> None:
    created = await engine.create(MODEL)
    for number in range(5):
        upstream.on_poll = [TimeoutError(f"number {number}")]
        engine.clock.advance(seconds=1)
        await repair(engine, created, "poll_now")
        await engine.tick()

    assert len(await engine.operator.attempts.asks(created.snapshot.id)) == 1
    [attempt] = await engine.attempts(created)
    assert attempt.asks == 5
