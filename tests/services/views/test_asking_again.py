"""When clients are told to ask again: as their task's own pace makes it worthwhile."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.support.api import build_task
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Upstream

from vidgate.models.tasks import TaskStatus
from vidgate.services.views.asking_again import ask_again_after

NOW = build_task().created_at + timedelta(hours=1)


def ago(seconds: float) -> Any:
    return NOW - timedelta(seconds=seconds)


RUNNING = {"status": TaskStatus.IN_PROGRESS, "usual": timedelta(seconds=100)}


@pytest.mark.parametrize(
    ("members", "seconds"),
    [
        ({}, 2),
        ({"usual": timedelta(seconds=90)}, 9),
        ({"usual": timedelta(seconds=5)}, 2),
        ({"usual": timedelta(minutes=60)}, 30),
        ({"usual": timedelta(minutes=60), "next_ask_at": ago(-4)}, 5),
        (RUNNING | {"started_at": ago(1), "next_ask_at": ago(-19)}, 20),
        (RUNNING | {"started_at": ago(1), "next_ask_at": ago(-55)}, 30),
        (RUNNING | {"started_at": ago(1), "next_ask_at": ago(-0.5)}, 2),
        (RUNNING | {"started_at": ago(1), "next_ask_at": ago(3)}, 2),
        (RUNNING | {"started_at": ago(1)}, 2),
        (RUNNING | {"started_at": ago(100), "next_ask_at": ago(-19)}, 10),
        (RUNNING | {"started_at": ago(200), "next_ask_at": ago(-4)}, 5),
    ],
)
def test_it_follows_what_is_known_of_the_task(members: dict[str, Any], seconds: float) -> None:
    assert ask_again_after(build_task(**members), NOW) == timedelta(seconds=seconds)


async def test_a_state_knows_the_pace_of_its_job(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    created = await engine.create(MODELS["kling"])
    waiting = await engine.create(MODELS["kling"])
    [attempt] = await engine.attempts(created)

    task, other = await engine.task(created), await engine.task(waiting)

    assert task.next_ask_at == attempt.due_at
    assert task.next_ask_at is not None
    assert task.next_ask_at > engine.clock.now()
    assert task.usual == other.usual == attempt.pace.usual
    assert other.status is TaskStatus.QUEUED


async def test_while_a_provider_is_asked_nobody_knows_the_next_time(engine: Engine) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    created = await engine.create(MODELS["kling"])
    seen = []

    async def watched(_request: httpx.Request) -> Any:
        seen.append((await engine.task(created)).next_ask_at)
        return "running"

    fake.on_poll = [watched]
    await engine.tick(minutes=1)

    assert seen == [None]
    assert (await engine.task(created)).next_ask_at is not None
