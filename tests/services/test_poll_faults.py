"""Polls that go wrong: an unknown answer is never guessed, and no task runs for ever."""

from datetime import timedelta

import httpx
import pytest
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import MODELS, NAMES, UNREADABLE, VIDEO, Answer, Reply, Upstream

from vidgate.constants import FOLLOW_LIMIT
from vidgate.models.tasks import AttemptStatus, TaskStatus
from vidgate.services.creating import Created

DEADLINES = {"kling": 30, "jimeng": 60, "vidu": 30, "openai_compatible": 180}
"""Minutes."""


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


@pytest.mark.parametrize(
    ("name", "word"),
    [(name, "not found") for name in NAMES]
    # A compatible server has the video at its content endpoint then.
    + [(name, "without url") for name in NAMES if name != "openai_compatible"],
)
async def test_a_doubtful_failure_is_asked_for_once_more(
    engine: Engine, name: str, word: str
) -> None:
    fake, created = await started(engine, name)
    fake.on_poll = [word, "running"]
    await engine.tick(minutes=1)
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    await engine.tick(minutes=1)
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS

    fake.on_poll = [word]
    await engine.tick(minutes=1)
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    await engine.tick(minutes=1)

    task = await engine.task(created)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code == ("upstream_task_lost" if word == "not found" else "upstream_error")


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
        first = timedelta(seconds=attempt.pace["first"] * pace)
        assert attempt.due_at == engine.clock.now() + first

        await engine.tick(seconds=first.total_seconds())

        assert len(fake.polls) == 1
        [attempt] = await engine.attempts(created)
        assert attempt.due_at is not None
        wait = (attempt.due_at - engine.clock.now()).total_seconds()
        usual = attempt.pace["interval"] * attempt.pace["growth"] * pace
        assert 0.9 <= wait / usual <= 1.1
