"""Polls that go wrong: an unknown answer is never guessed, and no task runs for ever."""

from datetime import timedelta

import httpx
import pytest
from tests.support.adapters import ADAPTERS
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import (
    MODELS,
    NAMES,
    SITUATIONS,
    UNREADABLE,
    VIDEO,
    Answer,
    Reply,
    Upstream,
)

from vidgate.constants import FOLLOW_LIMIT
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import AttemptStatus, TaskStatus
from vidgate.services.tasks.creating import Created

DEADLINES = {
    name: ADAPTERS[name].translate(VideoRequest(model=model, prompt="a boat")).pace.deadline
    / timedelta(minutes=1)
    for name, model in MODELS.items()
}
"""Minutes."""

DOUBTS = [(name, "not found") for name in NAMES] + [
    (name, "without url") for name, about in SITUATIONS.items() if about.without_url is not None
]


def case_id(value: object) -> str | None:
    return value if isinstance(value, str) else ""


async def started(engine: Engine, name: str) -> tuple[Upstream, Created]:
    await engine.channel(name)
    fake = Upstream(engine.router, name)
    return fake, await engine.create(MODELS[name])


@pytest.mark.parametrize(("name", "what", "answer"), UNREADABLE, ids=case_id)
async def test_an_answer_that_says_nothing_fails_no_task(
    engine: Engine, name: str, what: str, answer: Answer
) -> None:
    del what
    fake, created = await started(engine, name)
    fake.on_poll = [answer]

    for _ in range(3):
        await engine.tick(minutes=2)

    assert len(fake.polls) == 3
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    [attempt] = await engine.attempts(created)
    assert attempt.misses == 3
    assert attempt.last_reason
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=2)
    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED


@pytest.mark.parametrize("name", NAMES)
async def test_a_task_is_asked_about_until_it_succeeds(engine: Engine, name: str) -> None:
    fake, created = await started(engine, name)
    fake.on_poll = ["queued", "running", "running", "succeeded"]

    progress = []
    for _ in range(4):
        await engine.tick(minutes=1)
        progress.append((await engine.task(created)).progress)

    assert progress == sorted(progress)
    task = await engine.task(created)
    assert task.status is TaskStatus.SUCCEEDED
    assert task.result is not None
    assert task.result.url == VIDEO
    assert task.error is None


@pytest.mark.parametrize("name", NAMES)
async def test_a_failed_job_is_a_failed_task(engine: Engine, name: str) -> None:
    fake, created = await started(engine, name)
    fake.on_poll = ["failed"]

    await engine.tick(minutes=1)

    task = await engine.task(created)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.message
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.FAILED
    assert attempt.fault_code
    await engine.tick(minutes=5)
    assert len(fake.polls) == 1


async def ask_when_due(engine: Engine, created: Created) -> None:
    [attempt] = await engine.attempts(created)
    assert attempt.due_at is not None
    await engine.tick(seconds=(attempt.due_at - engine.clock.now()).total_seconds())


async def ask_until_final(engine: Engine, created: Created) -> timedelta:
    """Ask whenever it is due; how long that took."""
    began = engine.clock.now()
    while not (await engine.task(created)).status.is_final:
        await ask_when_due(engine, created)
    return engine.clock.now() - began


@pytest.mark.parametrize(("name", "word"), DOUBTS)
@pytest.mark.parametrize(
    ("before", "age"),
    [("queued", 11), ("running", 11), ("queued", 0), (None, 0)],
    ids=["old", "seen running", "young", "first answer"],
)
async def test_a_doubtful_failure_is_believed_after_some_minutes(
    engine: Engine, name: str, word: str, before: str | None, age: float
) -> None:
    fake, created = await started(engine, name)
    knows_usual = (await engine.attempts(created))[0].pace.usual is not None
    if before is not None:
        fake.on_poll = [before]
        await ask_when_due(engine, created)
        await engine.tick(minutes=age)
    fake.on_poll = [word]
    await ask_when_due(engine, created)
    asked = len(fake.polls)

    took = await ask_until_final(engine, created)

    is_alive = before == "running" or (age == 0 and knows_usual)
    assert took == timedelta(minutes=15 if is_alive else 5)
    assert 5 <= len(fake.polls) - asked <= 30
    task = await engine.task(created)
    assert task.error is not None
    if word == "not found":
        assert task.error.code == "upstream_task_lost"
        assert task.error.message == "The provider no longer knows the task."
    else:
        assert task.error.code == "upstream_error"
        assert task.error.message == (
            "The provider says that it finished the task, but gave no link to the video."
        )


@pytest.mark.parametrize(("name", "word"), DOUBTS)
async def test_a_job_that_was_given_up_in_doubt_is_followed(
    engine: Engine, name: str, word: str
) -> None:
    fake, created = await started(engine, name)
    fake.on_poll = [word]
    await ask_until_final(engine, created)
    final = await engine.task(created)
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.UNKNOWN
    assert attempt.fault_kind in {"not_found", "fault"}
    await engine.tick(minutes=30)  # the same doubt once more ends nothing
    assert (await engine.attempts(created))[0].due_at is not None

    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=11)

    assert await engine.task(created) == final
    [attempt] = await engine.attempts(created)
    assert attempt.last_reason == "It succeeded late."
    assert attempt.due_at is None


@pytest.mark.parametrize(("name", "word"), DOUBTS)
@pytest.mark.parametrize("certain", ["queued", "running"])
async def test_a_certain_answer_ends_the_doubt(
    engine: Engine, name: str, word: str, certain: str
) -> None:
    fake, created = await started(engine, name)
    for _ in range(4):
        for answers in ([word, word, word, certain], [certain]):
            fake.on_poll = list(answers)
            for _ in answers:
                await engine.tick(minutes=1.2)
            [attempt] = await engine.attempts(created)
            assert attempt.doubted_at is None
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS

    fake.on_poll = [word, "succeeded"]
    await engine.tick(minutes=1.2)
    await engine.tick(minutes=1.2)

    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED


@pytest.mark.parametrize(("name", "word"), DOUBTS)
async def test_a_certain_failure_in_doubt_is_believed_at_once(
    engine: Engine, name: str, word: str
) -> None:
    fake, created = await started(engine, name)
    fake.on_poll = [word, "failed"]

    await engine.tick(minutes=1)
    await engine.tick(minutes=1)

    assert (await engine.task(created)).status is TaskStatus.FAILED
    assert (await engine.attempts(created))[0].status is AttemptStatus.FAILED


@pytest.mark.parametrize(("name", "word"), DOUBTS)
async def test_a_doubt_ends_at_the_deadline(engine: Engine, name: str, word: str) -> None:
    fake, created = await started(engine, name)
    await engine.tick(minutes=DEADLINES[name] - 2)
    fake.on_poll = [word]
    await ask_when_due(engine, created)

    await ask_until_final(engine, created)

    assert engine.clock.now() == (await engine.attempts(created))[0].deadline_at
    error = (await engine.task(created)).error
    assert error is not None
    assert error.code != "upstream_timeout"


@pytest.mark.parametrize("name", NAMES)
async def test_a_doubt_from_before_an_outage_is_told_once_more(engine: Engine, name: str) -> None:
    fake, created = await started(engine, name)
    fake.on_poll = ["not found", httpx.ConnectError("refused")]
    for _ in range(4):
        await engine.tick(minutes=5)
    fake.on_poll = ["not found"]

    await engine.tick(minutes=2)

    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    assert await ask_until_final(engine, created) <= timedelta(minutes=2)


@pytest.mark.parametrize("name", NAMES)
async def test_a_wish_to_be_asked_later_is_granted(engine: Engine, name: str) -> None:
    fake, _ = await started(engine, name)
    fake.on_poll = [Reply({}, 503, headers={"Retry-After": "600"}), "running"]

    await engine.tick(minutes=1)
    await engine.tick(minutes=9)
    assert len(fake.polls) == 1
    await engine.tick(minutes=2)

    assert len(fake.polls) == 2


@pytest.mark.parametrize("name", NAMES)
async def test_a_job_that_never_ends_is_asked_once_more_at_its_deadline(
    engine: Engine, name: str
) -> None:
    fake, created = await started(engine, name)
    await engine.tick(minutes=DEADLINES[name] - 1)
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    asked = len(fake.polls)

    await engine.tick(minutes=1)

    assert len(fake.polls) == asked + 1
    task = await engine.task(created)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code == "upstream_timeout"
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.UNKNOWN


@pytest.mark.parametrize("name", NAMES)
async def test_a_job_that_succeeds_at_its_deadline_succeeds(engine: Engine, name: str) -> None:
    fake, created = await started(engine, name)
    await engine.tick(minutes=DEADLINES[name] - 1)
    fake.on_poll = ["succeeded"]

    await engine.tick(minutes=5)

    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED


@pytest.mark.parametrize("name", NAMES)
async def test_a_provider_that_cannot_be_asked_at_the_deadline_has_ten_minutes_more(
    engine: Engine, name: str
) -> None:
    fake, created = await started(engine, name)
    fake.on_poll = [httpx.ConnectError("refused")]
    await engine.tick(minutes=DEADLINES[name] + 5)
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS

    await engine.tick(minutes=6)

    task = await engine.task(created)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code == "upstream_timeout"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("word", "reason"), [("succeeded", "It succeeded late."), ("failed", "It failed late: ")]
)
async def test_what_ends_late_is_kept_and_changes_nothing(
    engine: Engine, name: str, word: str, reason: str
) -> None:
    fake, created = await started(engine, name)
    await engine.tick(minutes=DEADLINES[name])
    final = await engine.task(created)
    assert final.status is TaskStatus.FAILED

    fake.on_poll = [word]
    await engine.tick(minutes=11)

    assert await engine.task(created) == final
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.UNKNOWN
    assert attempt.last_reason is not None
    assert attempt.last_reason.startswith(reason)
    assert attempt.due_at is None
    asked = len(fake.polls)
    await engine.tick(hours=2)
    assert len(fake.polls) == asked


async def test_a_job_that_outlives_its_task_is_followed_for_a_day(engine: Engine) -> None:
    fake, created = await started(engine, "kling")
    await engine.tick(minutes=DEADLINES["kling"])
    asked = len(fake.polls)

    await engine.tick(minutes=30)
    assert len(fake.polls) == asked + 1
    engine.clock.at += FOLLOW_LIMIT
    await engine.tick(minutes=1)

    [attempt] = await engine.attempts(created)
    assert attempt.due_at is None
    assert attempt.last_reason == "It was followed no longer."


@pytest.mark.parametrize("pace", [1.0, 0.05])
async def test_the_pace_setting_scales_every_wait(database_url: str, pace: float) -> None:
    async with open_engine(database_url, poll_pace=pace) as engine:
        fake, created = await started(engine, "kling")
        [attempt] = await engine.attempts(created)
        first = attempt.pace.first_ask * pace
        assert attempt.due_at == engine.clock.now() + first

        await engine.tick(seconds=first.total_seconds())

        assert len(fake.polls) == 1
        [attempt] = await engine.attempts(created)
        assert attempt.due_at is not None
        wait = (attempt.due_at - engine.clock.now()).total_seconds()
        usual = attempt.pace.interval.total_seconds() * attempt.pace.growth * pace
        assert 0.9 <= wait / usual <= 1.1
