"""Submits that go wrong: nothing is paid twice, and nothing is lost in silence."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import (
    BLIND,
    FINDING,
    LOST,
    MODELS,
    NAMES,
    PROVING,
    UNCLEAR,
    Answer,
    Reply,
    Upstream,
)

from vidgate.cli.documents import attempt_document
from vidgate.constants import MAX_BACKOFF
from vidgate.exceptions import ConfigurationError, UnansweredError, UpstreamRefusedError
from vidgate.models.channels import OnUnknown
from vidgate.models.tasks import AttemptStatus, TaskStatus

CANNOT_FIND = [case for case in UNCLEAR if case[0] in BLIND]
CAN_FIND = [case for case in UNCLEAR if case[0] in FINDING]
CAN_PROVE = [case for case in UNCLEAR if case[0] in PROVING]
SERVER_ERROR = Reply(status=503, text="<html>overloaded</html>")


def case_id(value: object) -> str | None:
    return value if isinstance(value, str) else ""


async def upstream(engine: Engine, name: str, **options: Any) -> Upstream:
    await engine.channel(name, **options)
    return Upstream(engine.router, name)


@pytest.mark.parametrize("name", NAMES)
async def test_a_submit_that_was_not_sent_is_sent_again(engine: Engine, name: str) -> None:
    fake = await upstream(engine, name)
    fake.on_submit = [httpx.ConnectError("refused"), fake.accept]

    created = await engine.create(MODELS[name])

    assert created.snapshot.status is TaskStatus.IN_PROGRESS
    assert len(fake.submits) == 2
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.RUNNING


@pytest.mark.parametrize("name", NAMES)
async def test_a_provider_that_cannot_be_reached_is_an_error_and_no_job(
    engine: Engine, name: str
) -> None:
    fake = await upstream(engine, name)
    fake.on_submit = [httpx.ConnectError("no such host")]

    error = await engine.refused(MODELS[name])

    assert isinstance(error, UpstreamRefusedError)
    assert error.status == 502
    assert error.code == "upstream_error"
    assert error.upstream_called
    assert len(fake.submits) == 3
    [task] = await engine.all_tasks()
    assert task.status is TaskStatus.FAILED
    await engine.tick(minutes=10)
    assert len(fake.submits) == 3


@pytest.mark.parametrize(("name", "what", "answer"), UNCLEAR, ids=case_id)
async def test_an_unclear_submit_is_answered_with_its_id(
    engine: Engine, name: str, what: str, answer: Answer
) -> None:
    del what
    fake = await upstream(engine, name)
    fake.on_submit = [answer]

    created = await engine.create(MODELS[name])

    assert created.snapshot.status is TaskStatus.QUEUED
    assert len(fake.submits) == 1
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.SUBMITTING
    assert attempt.last_reason


@pytest.mark.parametrize(("name", "what", "answer"), CANNOT_FIND, ids=case_id)
async def test_where_nobody_can_tell_the_task_fails_and_nothing_is_sent_again(
    engine: Engine, name: str, what: str, answer: Answer
) -> None:
    fake = await upstream(engine, name)
    fake.on_submit = [fake.then(answer)]
    created = await engine.create(MODELS[name])

    await engine.tick(seconds=60)
    assert (await engine.task(created)).status is TaskStatus.QUEUED  # not before the grace
    for _ in range(6):
        await engine.tick(seconds=20)

    task = await engine.task(created)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code == "submit_outcome_unknown"
    told = "connection" if what in LOST else "answer could not be understood"
    assert told in task.error.message
    assert task.finished_at is not None
    assert task.created_at is not None
    assert (task.finished_at - task.created_at).total_seconds() < 180
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.UNKNOWN
    assert attempt.fault_code == ("no_answer" if what in LOST else "unclear_answer")
    assert attempt.fault_message
    assert attempt.due_at is None
    assert len(fake.submits) == 1


ODD: Mapping[str, tuple[Reply, str]] = {
    "html": (Reply(text="<html><b>maintenance</b></html>"), "<html><b>maintenance</b></html>"),
    "truncated": (Reply(text='{"job": "x'), '{"job": "x'),
    "empty": (Reply(text=""), "an empty body"),
    "neither": (Reply({"hello": "world"}), '{"hello": "world"}'),
}
"""Answers with neither an id nor an explicit error, and what the operator is told of them."""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", ODD)
async def test_what_was_answered_is_told_to_the_operator(
    engine: Engine, name: str, what: str
) -> None:
    answer, told = ODD[what]
    fake = await upstream(engine, name)
    fake.on_submit = [answer]
    fake.on_find = [SERVER_ERROR]
    with capture_logs() as logs:
        created = await engine.create(MODELS[name])
        for _ in range(20):
            await engine.tick(minutes=2)

    task = await engine.task(created)
    assert task.error is not None
    assert task.error.code == "submit_outcome_unknown"
    assert "answer could not be understood" in task.error.message
    assert told not in task.error.message
    [attempt] = await engine.attempts(created)
    assert attempt.fault_code == "unclear_answer"
    assert told in (attempt.fault_message or "")
    assert told in str(attempt_document(attempt, {})["error"])
    reasons = [str(line.get("reason")) for line in logs]
    assert sum(told in reason for reason in reasons) >= 2


EXPLICIT: Mapping[str, Sequence[tuple[Any, str]]] = {
    "openai_compatible": [
        ({"error": {"message": "no", "code": "content_policy_violation"}}, "content_policy"),
        ({"code": 400, "message": "bad", "data": None}, "bad_parameter"),
        ({"code": 400, "message": "insufficient balance"}, "balance"),
        ({"error": {"message": "no", "type": "rate_limit_error"}}, "rate"),
    ],
    "kling": [
        ({"code": 1301, "message": "risk", "data": None}, "content_policy"),
        ({"code": 1201, "message": "duration value '7' is invalid"}, "bad_parameter"),
        ({"code": 1102, "message": "no"}, "balance"),
        ({"code": 1302, "message": "no"}, "rate"),
        ({"code": 1777, "message": "no"}, "fault"),
    ],
    "vidu": [
        ({"code": 400, "reason": "AuditSubmitIllegal", "message": "m"}, "content_policy"),
        ({"code": 400, "message": "bad", "data": None}, "bad_parameter"),
        ({"reason": "CreditInsufficient"}, "balance"),
        ({"code": "TooManyRequests"}, "rate"),
    ],
    "jimeng": [
        ({"code": 50412, "data": None, "message": "Text Risk Not Pass"}, "content_policy"),
        ({"code": 50200, "data": None, "message": "bad: seed"}, "bad_parameter"),
        ({"code": 50429, "data": None, "message": "limit"}, "rate"),
        ({"code": 61234, "data": None, "message": "odd"}, "fault"),
    ],
}


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [(name, body, kind) for name, cases in EXPLICIT.items() for body, kind in cases],
    ids=case_id,
)
async def test_an_explicit_error_in_a_success_makes_no_job(
    engine: Engine, name: str, body: Any, kind: str
) -> None:
    fake = await upstream(engine, name)
    fake.on_submit = [Reply(body)]
    await engine.channel(name, f"{name}-b", priority=-1)
    other = Upstream(engine.router, name, f"{name}-b")

    if kind in {"content_policy", "bad_parameter"}:
        error = await engine.refused(MODELS[name])
        assert error.status == 400
        assert not other.submits
        attempts = await engine.operator.attempts.of_task((await engine.all_tasks())[0].id)
    else:
        created = await engine.create(MODELS[name])
        assert created.snapshot.status is TaskStatus.IN_PROGRESS
        assert len(other.submits) == 1
        attempts = await engine.attempts(created)

    assert len(fake.submits) == 1
    assert attempts[0].status is AttemptStatus.FAILED
    assert attempts[0].fault_kind == kind


async def test_an_operator_may_have_what_nobody_can_tell_of_submitted_again(
    engine: Engine,
) -> None:
    fake = await upstream(engine, "jimeng", on_unknown=OnUnknown.RESUBMIT)
    fake.on_submit = [fake.then(LOST["reset"]), fake.accept]
    created = await engine.create(MODELS["jimeng"])

    for _ in range(6):
        await engine.tick(seconds=20)

    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    first, second = await engine.attempts(created)
    assert first.status is AttemptStatus.UNKNOWN
    assert first.fault_code == "submit_outcome_unknown"
    assert second.status is AttemptStatus.RUNNING
    assert second.number == 2
    assert len(fake.submits) == 2


async def test_what_is_submitted_again_unseen_is_known_by_the_same_key(engine: Engine) -> None:
    """Where the server minds it, as a vidgate does, nothing is made twice."""
    fake = await upstream(engine, "openai_compatible", on_unknown=OnUnknown.RESUBMIT)
    fake.on_submit = [fake.then(LOST["reset"]), fake.accept]
    created = await engine.create(MODELS["openai_compatible"])

    for _ in range(6):
        await engine.tick(seconds=20)

    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    assert len(await engine.attempts(created)) == 2
    first, second = (sent.headers["Idempotency-Key"] for sent in fake.submits)
    assert first == second


@pytest.mark.parametrize(("name", "what", "answer"), CAN_FIND, ids=case_id)
async def test_a_job_that_was_made_is_found_and_runs(
    engine: Engine, name: str, what: str, answer: Answer
) -> None:
    del what
    fake = await upstream(engine, name)
    fake.on_submit = [fake.then(answer)]
    created = await engine.create(MODELS[name])

    await engine.tick(seconds=6)
    if name not in PROVING:  # another may have the answer that it is its own
        await engine.tick(minutes=2)

    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    [attempt] = await engine.attempts(created)
    assert attempt.ref is not None
    assert attempt.ref.id in fake.jobs
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=2)
    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED
    assert len(fake.submits) == 1


@pytest.mark.parametrize(("name", "what", "answer"), CAN_PROVE, ids=case_id)
async def test_a_job_that_was_not_made_is_submitted_again_with_the_same_ids(
    engine: Engine, name: str, what: str, answer: Answer
) -> None:
    del what
    fake = await upstream(engine, name)
    fake.on_submit = [answer, fake.accept]
    created = await engine.create(MODELS[name])

    for _ in range(5):
        await engine.tick(seconds=11)
    assert len(fake.submits) == 1  # the submit's own deadline is not over: it may still arrive
    for _ in range(12):
        await engine.tick(seconds=11)

    assert len(fake.submits) == 2
    first, second = map(fake.correlation, fake.submits)
    assert first == second
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.RUNNING
    assert attempt.accepted_at is not None
    assert (attempt.accepted_at - attempt.created_at).total_seconds() < 180


@pytest.mark.parametrize("name", PROVING)
async def test_a_job_that_arrives_late_is_taken_up(engine: Engine, name: str) -> None:
    fake = await upstream(engine, name)
    fake.on_submit = [LOST["timeout"]]
    created = await engine.create(MODELS[name])
    while (await engine.attempts(created))[0].misses == 0:
        await engine.tick(seconds=11)  # once it is said that there is none

    fake.accept(fake.submits[0])
    await engine.tick(seconds=20)

    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    await engine.tick(minutes=3)
    assert len(fake.submits) == 1


@pytest.mark.parametrize("name", FINDING)
async def test_a_provider_that_cannot_be_asked_is_asked_again(engine: Engine, name: str) -> None:
    fake = await upstream(engine, name)
    fake.on_submit = [fake.then(LOST["reset"])]
    fake.on_find = [SERVER_ERROR]
    created = await engine.create(MODELS[name])
    for _ in range(10):
        await engine.tick(minutes=2)
    assert (await engine.task(created)).status is TaskStatus.QUEUED
    assert len(fake.finds) == 10

    fake.on_find = None
    await engine.tick(minutes=2)

    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    assert len(fake.submits) == 1


@pytest.mark.parametrize("name", FINDING)
@pytest.mark.parametrize("error", [UnansweredError("no"), ConfigurationError("no key")])
async def test_a_provider_that_cannot_be_asked_is_asked_less_and_less_often(
    database_url: str, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise error

    async with open_engine(database_url, poll_pace=0.5) as engine:
        fake = await upstream(engine, name)
        fake.on_submit = [fake.then(LOST["reset"])]
        monkeypatch.setattr(engine.services.providers[name], "find", refuse)
        created = await engine.create(MODELS[name])
        for tries in range(1, 5):
            [attempt] = await engine.attempts(created)
            assert attempt.due_at is not None
            await engine.tick(seconds=(attempt.due_at - engine.clock.now()).total_seconds())

            [attempt] = await engine.attempts(created)
            assert attempt.due_at is not None
            assert attempt.last_reason == str(error)
            wait = (attempt.due_at - engine.clock.now()).total_seconds()
            usual = min(attempt.pace.interval * 2**tries, MAX_BACKOFF).total_seconds() * 0.5
            assert 0.8 <= wait / usual <= 1.2


@pytest.mark.parametrize("name", FINDING)
async def test_a_provider_that_can_never_be_asked_is_given_up(engine: Engine, name: str) -> None:
    fake = await upstream(engine, name)
    fake.on_submit = [fake.then(LOST["reset"])]
    fake.on_find = [SERVER_ERROR]
    created = await engine.create(MODELS[name])

    for _ in range(20):
        await engine.tick(minutes=2)

    task = await engine.task(created)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code == "submit_outcome_unknown"
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.UNKNOWN
    assert len(fake.submits) == 1


@pytest.mark.parametrize("name", PROVING)
async def test_one_yes_between_two_noes_is_no_second_no(engine: Engine, name: str) -> None:
    fake = await upstream(engine, name)
    fake.on_submit = [LOST["reset"]]
    created = await engine.create(MODELS[name])
    while (await engine.attempts(created))[0].misses == 0:
        await engine.tick(seconds=11)

    fake.on_find = [SERVER_ERROR]
    await engine.tick(seconds=20)

    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.SUBMITTING
    assert len(fake.submits) == 1


@pytest.mark.parametrize("name", PROVING)
async def test_a_submit_that_never_makes_a_job_is_not_repeated_for_ever(
    engine: Engine, name: str
) -> None:
    fake = await upstream(engine, name)
    fake.on_submit = [SERVER_ERROR]
    created = await engine.create(MODELS[name])

    for _ in range(120):
        await engine.tick(seconds=30)

    task = await engine.task(created)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code == "upstream_error"
    assert len(fake.submits) == 3


@pytest.mark.parametrize("name", PROVING)
async def test_a_job_that_one_channel_cannot_make_is_made_at_another(
    engine: Engine, name: str
) -> None:
    fake = await upstream(engine, name, priority=1)
    fake.on_submit = [SERVER_ERROR]
    await engine.channel(name, f"{name}-b")
    other = Upstream(engine.router, name, f"{name}-b")
    created = await engine.create(MODELS[name])

    for _ in range(20):
        await engine.tick(seconds=30)

    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    assert (len(fake.submits), len(other.submits)) == (3, 1)


async def test_not_even_an_operator_can_have_it_submitted_for_ever(engine: Engine) -> None:
    fake = await upstream(engine, "jimeng", on_unknown=OnUnknown.RESUBMIT)
    fake.on_submit = [SERVER_ERROR]
    created = await engine.create(MODELS["jimeng"])

    for _ in range(60):
        await engine.tick(seconds=30)

    task = await engine.task(created)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code == "submit_outcome_unknown"
    assert len(fake.submits) == 3
