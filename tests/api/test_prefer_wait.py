"""`Prefer: wait=N` on creating POSTs: over made-up services, and over the real ones and sockets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from tests.api.creating_posts import POSTS
from tests.support.api import Api, build_task, open_api
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Upstream
from tests.support.waiting import open_waiting_api, until

from vidgate.exceptions import DatabaseUnavailableError, TaskNotFoundError, TooManyWaitersError
from vidgate.models.tasks import TaskSnapshot, TaskStatus
from vidgate.providers.vidu import Vidu
from vidgate.services.views.reading import TaskView

WAITING = tuple(name for name in POSTS if name.startswith(("newapi", "openai")))
NOT_WAITING = tuple(name for name in POSTS if name not in WAITING)
DONE = build_task(status=TaskStatus.SUCCEEDED, progress=100)


@dataclass
class FakeWaiters:
    """Answers at once; remembers for how long it was asked to wait."""

    asked: list[float] = field(default_factory=list)
    error: Exception | None = None
    task: TaskSnapshot | None = DONE

    async def wait(self, *_: Any, seconds: float, **__: Any) -> TaskView | None:
        self.asked.append(seconds)
        if self.error is not None:
            raise self.error
        return TaskView(self.task, 0.0) if self.task else None

    def leave(self) -> None:
        pass


@pytest.fixture
def waiters() -> FakeWaiters:
    return FakeWaiters()


@pytest.fixture
async def api(waiters: FakeWaiters) -> AsyncIterator[Api]:
    async with open_api() as api:
        api.services.waiters = waiters
        cast("Any", api.services.providers)["vidu"] = Vidu()
        yield api


@pytest.mark.parametrize("name", WAITING)
@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=10", 10),
        ("wait=0", 0),
        ("wait=60", 60),
        ("wait=61", 60),
        ("wait=99999999999999999999", 60),
        ("Wait = 10", 10),
        ('wait="10"', 10),
        ("respond-async, wait=10", 10),
        ("handling=strict, wait=10", 10),
        ("wait=10; foo=bar, handling=strict", 10),
        ("wait=10, wait=20", 10),
    ],
)
async def test_a_post_waits_as_it_is_asked_to(
    api: Api, waiters: FakeWaiters, name: str, prefer: str, seconds: int
) -> None:
    path, body = POSTS[name]

    answer = await api.client.post(path, json=body, headers={"Prefer": prefer})

    assert answer.status_code == 200, answer.text
    assert answer.headers["Preference-Applied"] == f"wait={seconds}"
    assert waiters.asked == [seconds]
    assert answer.json()["status"] in {"succeeded", "completed"}
    assert answer.json()["object"] == "video"
    assert {"completed_at", "expires_at", "error", "url"} <= answer.json().keys()
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("name", WAITING)
@pytest.mark.parametrize(
    "prefer", ["", "wait", "wait=", "wait=-1", "wait=x", "nowait=5", "await=5"]
)
async def test_what_cannot_be_read_is_no_preference(
    api: Api, waiters: FakeWaiters, name: str, prefer: str
) -> None:
    path, body = POSTS[name]

    answer = await api.client.post(path, json=body, headers={"Prefer": prefer})

    assert answer.status_code == 200
    assert "Preference-Applied" not in answer.headers
    assert waiters.asked == []


@pytest.mark.parametrize("name", WAITING)
@pytest.mark.parametrize(
    ("error", "applied"),
    [
        (TooManyWaitersError("Too many."), None),
        (DatabaseUnavailableError("down"), "wait=10"),
        (TaskNotFoundError("There is no such task."), "wait=10"),
    ],
)
async def test_a_task_that_exists_is_answered_whatever_its_wait_comes_to(
    api: Api, waiters: FakeWaiters, name: str, error: Exception, applied: str | None
) -> None:
    path, body = POSTS[name]
    waiters.error = error

    answer = await api.client.post(path, json=body, headers={"Prefer": "wait=10"})

    assert answer.status_code == 200
    assert answer.json()["id"].startswith("task_")
    assert answer.headers.get("Preference-Applied") == applied
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("name", NOT_WAITING)
async def test_vendors_formats_know_no_wait(api: Api, waiters: FakeWaiters, name: str) -> None:
    path, body = POSTS[name]

    answer = await api.client.post(path, json=body, headers={"Prefer": "wait=10"})

    assert answer.status_code == 200
    assert waiters.asked == []
    assert "Preference-Applied" not in answer.headers


async def test_what_the_submit_took_is_part_of_the_wait(api: Api, waiters: FakeWaiters) -> None:
    path, body = POSTS["newapi"]
    create = api.services.task_creator.create

    async def slow(*arguments: Any, **named: Any) -> Any:
        api.services.clock.time += timedelta(seconds=12)
        return await create(*arguments, **named)

    cast("Any", api.services.task_creator).create = slow
    for prefer in ("wait=30", "wait=10"):
        answer = await api.client.post(path, json=body, headers={"Prefer": prefer})
        assert answer.headers["Preference-Applied"] == prefer
    assert waiters.asked == [18, -2]


async def test_the_shape_of_the_post_has_the_members_of_the_get(
    api: Api, waiters: FakeWaiters
) -> None:
    path, body = POSTS["newapi"]
    waiters.task = replace(DONE, error=None)
    name = api.services.reader.add(waiters.task)

    plain = (await api.client.post(path, json=body)).json()
    waited = (await api.client.post(path, json=body, headers={"Prefer": "wait=1"})).json()
    got = (await api.client.get(f"{path}/{name}")).json()

    assert waited == {"object": "video", **got}
    assert plain.keys() <= waited.keys()
    assert plain["metadata"].keys() <= waited["metadata"].keys()


# Over the real services


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_waiting_api(engine) as (client, _):
        yield client


def count(engine: Engine) -> int:
    return sum(len(topic.watches) for topic in engine.services.waiters._topics.values())


@pytest.mark.parametrize("path", ["/v1/video/generations", "/v1/videos"])
async def test_a_repetition_waits_anew(
    engine: Engine, client: httpx.AsyncClient, path: str
) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    body = {"model": MODELS["kling"], "prompt": "a boat"}
    headers = {"Idempotency-Key": "one"}
    first = await client.post(path, json=body, headers=headers | {"Prefer": "wait=0"})
    asked = asyncio.create_task(
        client.post(path, json=body, headers=headers | {"Prefer": "wait=60"})
    )
    await until(lambda: count(engine) == 1)
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)

    again = await asked

    assert first.json()["status"] in {"processing", "in_progress"}
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Preference-Applied"] == "wait=60"
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["status"] in {"succeeded", "completed"}
    assert again.json()["url"]
    assert len(fake.submits) == 1


@pytest.mark.parametrize("path", ["/v1/video/generations", "/v1/videos"])
async def test_who_goes_away_while_it_waits_has_a_task_all_the_same(
    engine: Engine, client: httpx.AsyncClient, path: str
) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    body = {"model": MODELS["kling"], "prompt": "a boat"}
    asked = asyncio.create_task(client.post(path, json=body, headers={"Prefer": "wait=60"}))
    await until(lambda: count(engine) == 1)

    asked.cancel()
    await until(lambda: count(engine) == 0)

    [task] = await engine.all_tasks()
    assert task.status is TaskStatus.IN_PROGRESS
