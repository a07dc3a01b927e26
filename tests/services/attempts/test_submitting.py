"""Acceptances that cannot be recorded at once, and submits that must not be sent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Reply, Upstream

from vidgate.exceptions import (
    ConfigurationError,
    DatabaseUnavailableError,
    LeaseLostError,
    UpstreamRefusedError,
)
from vidgate.models.tasks import TaskStatus


async def upstream(engine: Engine, name: str) -> Upstream:
    await engine.channel(name)
    return Upstream(engine.router, name)


# Acceptances that cannot be recorded at once

UNRECORDED = "An accepted job could not be recorded"


def disturb(engine: Engine, disturbance: Callable[[], None], *, is_written: bool = False) -> None:
    """Have the first record of an acceptance go wrong, before it is written or after it."""
    store = engine.operator.attempts
    accept = store.accept
    calls = 0

    async def accepting(*given: Any, **named: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 1 or is_written:
            await accept(*given, **named)
        if calls == 1:
            disturbance()

    store.accept = accepting  # type: ignore[method-assign]


def lose_database() -> None:
    raise DatabaseUnavailableError("away")


@pytest.mark.parametrize("is_written", [False, True])
async def test_an_acceptance_is_recorded_when_the_database_is_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, *, is_written: bool
) -> None:
    monkeypatch.setattr("vidgate.services.attempts.submitting._RECORD_RETRY", timedelta())
    fake = await upstream(engine, "jimeng")  # which cannot be asked for it
    disturb(engine, lose_database, is_written=is_written)

    with capture_logs() as logs:
        created = await engine.create(MODELS["jimeng"])

    assert created.snapshot.status is TaskStatus.IN_PROGRESS
    [attempt] = await engine.attempts(created)
    assert attempt.ref is not None
    assert attempt.ref.id in fake.jobs
    assert "Submitted" in [line["event"] for line in logs]
    assert UNRECORDED not in [line["event"] for line in logs]


async def test_an_acceptance_that_is_never_recorded_is_logged_and_found(engine: Engine) -> None:
    fake = await upstream(engine, "kling")

    def lose_database_for_long() -> None:
        engine.clock.advance(minutes=11)
        lose_database()

    disturb(engine, lose_database_for_long)
    with capture_logs() as logs:
        created = await engine.create(MODELS["kling"])

    assert created.snapshot.status is TaskStatus.QUEUED
    [job] = fake.jobs
    assert [line["upstream_task"] for line in logs if line["event"] == UNRECORDED] == [job]
    await engine.tick(seconds=6)
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    assert len(fake.submits) == 1


async def test_at_the_default_level_a_submit_as_it_was_planned_has_no_line(
    engine: Engine,
) -> None:
    await upstream(engine, "kling")

    with capture_logs() as logs:
        await engine.create(MODELS["kling"])

    assert [line for line in logs if line["log_level"] != "debug"] == []
    assert "Submitted" in [line["event"] for line in logs]


async def test_an_acceptance_under_a_lost_lease_is_logged(engine: Engine) -> None:
    fake = await upstream(engine, "kling")

    def lose_lease() -> None:
        raise LeaseLostError

    disturb(engine, lose_lease)
    with capture_logs() as logs:
        created = await engine.create(MODELS["kling"])

    assert created.snapshot.status is TaskStatus.QUEUED
    [job] = fake.jobs
    assert [line["upstream_task"] for line in logs if line["event"] == UNRECORDED] == [job]
    assert len(fake.submits) == 1


# Submits that must not be sent


async def test_what_could_outlive_its_lease_is_not_sent(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidgate.services.attempts.maker.LEASE_MARGIN", timedelta())
    fake = await upstream(engine, "jimeng")

    error = await engine.refused(MODELS["jimeng"])

    assert isinstance(error, UpstreamRefusedError)
    assert fake.submits == []


async def test_a_step_whose_time_is_over_is_not_sent(engine: Engine) -> None:
    await engine.channel("kling")
    faces = {"session_id": "s1", "face_data": [{"face_id": "0", "start_time": 0, "end_time": 9000}]}

    def answer(_: httpx.Request) -> httpx.Response:
        allowed = engine.services.providers["kling"].capabilities.submit_timeout
        engine.clock.advance(seconds=allowed.total_seconds() + 1)  # the lease is longer
        return Reply({"code": 0, "message": "SUCCEED", "data": faces}).response()

    first = engine.router.post("http://kling.test/v1/videos/identify-face").mock(side_effect=answer)
    second = engine.router.post("http://kling.test/v1/videos/advanced-lip-sync")

    error = await engine.refused(
        "kling-lip-sync",
        duration_seconds=5,
        metadata={"video_url": "https://a.test/a.mp4", "sound_file": "https://a.test/a.mp3"},
    )

    assert error.code == "upstream_error"
    assert first.called
    assert not second.called


async def test_a_key_that_cannot_be_used_sends_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = await upstream(engine, "jimeng")

    def refuse(*_: object) -> NoReturn:
        raise ConfigurationError("It has no second part.")

    monkeypatch.setattr(engine.services.providers["jimeng"], "submit", refuse)

    error = await engine.refused(MODELS["jimeng"])

    assert error.code == "upstream_account_error"
    assert fake.submits == []


async def test_a_mistake_of_ours_is_no_word_that_there_is_no_job(engine: Engine) -> None:
    await upstream(engine, "kling")

    def mistake() -> None:
        raise RuntimeError("a mistake")

    disturb(engine, mistake)

    created = await engine.create(MODELS["kling"])

    assert created.snapshot.status is TaskStatus.QUEUED
    await engine.tick(minutes=2)
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
