"""Tasks of several videos: one job each, and one end for all."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.support.engine import Engine
from tests.support.gateway import open_client
from tests.support.upstreams import MODELS, Upstream, refusal, state

from vidgate.exceptions import DatabaseUnavailableError, StorageUnavailableError
from vidgate.models.attempts import Lease
from vidgate.models.ids import new_id
from vidgate.models.outcomes import FaultKind, VideoResult
from vidgate.models.tasks import AttemptStatus, TaskError, TaskStatus

PATH = "/v1/video/generations"


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine) as client:
        yield client


async def ask(client: httpx.AsyncClient, **members: Any) -> dict[str, Any]:
    body = {"model": MODELS["kling"], "prompt": "a boat", **members}
    answer = await client.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def look(client: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    answer = await client.get(f"{PATH}/{task_id}")
    body: dict[str, Any] = answer.json()
    return body


async def test_each_video_is_a_job_of_its_own(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling")
    upstream = Upstream(engine.router, "kling")

    made = await ask(client, n=3)

    assert len(upstream.jobs) == 3
    assert len(set(upstream.jobs.values())) == 3
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)
    body = await look(client, made["id"])
    assert body["status"] == "succeeded"
    assert [video["status"] for video in body["data"]["videos"]] == ["succeeded"] * 3
    assert body["url"] == body["data"]["videos"][0]["url"]


async def test_one_video_is_enough_and_the_rest_is_told(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    upstream = Upstream(engine.router, "kling")
    upstream.on_submit = [
        refusal("kling", FaultKind.CONTENT_POLICY),
        upstream.accept,
        upstream.accept,
    ]
    made = await ask(client, n=3)
    assert made["status"] == "processing"
    first, _ = upstream.jobs
    upstream.on_poll = [
        lambda request: state(
            "kling",
            "succeeded" if first in request.url.path else "failed",
            request.url.path.rpartition("/")[2],
        )
    ]

    await engine.tick(minutes=5)

    body = await look(client, made["id"])
    assert (body["status"], body["error"], body["progress"]) == ("succeeded", None, 100)
    videos = body["data"]["videos"]
    assert sorted(video["status"] for video in videos) == ["failed", "failed", "succeeded"]
    assert [video["error"] is None for video in videos] == [
        video["status"] == "succeeded" for video in videos
    ]
    [url] = [video["url"] for video in videos if video["url"]]
    assert body["url"] == url


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        (["succeeded", "failed"], TaskStatus.SUCCEEDED),
        (["failed", "succeeded"], TaskStatus.SUCCEEDED),
        (["failed", "failed"], TaskStatus.FAILED),
        (["failed", "cancelled"], TaskStatus.FAILED),
        (["cancelled", "failed"], TaskStatus.FAILED),
        (["cancelled", "cancelled"], TaskStatus.CANCELLED),
        (["cancelled", "succeeded"], TaskStatus.SUCCEEDED),
    ],
)
async def test_how_a_task_ends(engine: Engine, ends: list[str], status: TaskStatus) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    created = await engine.create(MODELS["kling"], n=len(ends))
    engine.clock.advance(minutes=5)
    now = engine.clock.now()
    lease = Lease(new_id(), now + timedelta(minutes=1))
    claimed = await engine.operator.attempts.claim(lease=lease, now=now, limit=10)
    by_position = sorted(claimed, key=lambda one: one.position)
    for attempt, end in zip(by_position, ends, strict=True):
        await engine.operator.attempts.finish(
            attempt,
            lease,
            status=AttemptStatus(end),
            now=now,
            result=VideoResult(url="https://a.test/a.mp4") if end == "succeeded" else None,
            error=None if end == "succeeded" else TaskError(end, "No."),
        )

    task = await engine.task(created)
    assert task.status is status
    assert (task.error is None) == (status is TaskStatus.SUCCEEDED)
    if task.error is not None:
        assert task.error.code == status.value


async def test_all_refused_is_an_error_and_nothing_is_left_running(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    upstream = Upstream(engine.router, "kling")
    upstream.on_submit = [refusal("kling", FaultKind.CONTENT_POLICY)]

    answer = await client.post(PATH, json={"model": MODELS["kling"], "prompt": "a boat", "n": 2})

    assert (answer.status_code, answer.json()["code"]) == (400, "content_policy_violation")
    [task] = await engine.all_tasks()
    assert [output.status for output in task.outputs] == [TaskStatus.FAILED] * 2


async def test_what_has_no_slot_waits_and_follows(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling", max_concurrency=2)
    upstream = Upstream(engine.router, "kling")

    made = await ask(client, n=5)

    assert len(upstream.jobs) == 2
    upstream.on_poll = ["succeeded"]
    for _ in range(6):
        await engine.tick(minutes=2)
    body = await look(client, made["id"])
    assert (body["status"], len(upstream.jobs)) == ("succeeded", 5)
    assert [video["status"] for video in body["data"]["videos"]] == ["succeeded"] * 5


async def test_progress_is_the_mean(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling")
    upstream = Upstream(engine.router, "kling")
    made = await ask(client, n=2)
    first, _ = upstream.jobs
    upstream.on_poll = [
        lambda request: state(
            "kling",
            "succeeded" if first in request.url.path else "running",
            request.url.path.rpartition("/")[2],
        )
    ]
    await engine.tick(minutes=5)

    body = await look(client, made["id"])

    assert (body["status"], body["progress"]) == ("processing", 75)  # 100 and 50
    assert sorted(video["status"] for video in body["data"]["videos"]) == [
        "processing",
        "succeeded",
    ]


async def test_the_same_key_makes_the_same_videos(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    upstream = Upstream(engine.router, "kling")
    body = {"model": MODELS["kling"], "prompt": "a boat", "n": 2}
    headers = {"Idempotency-Key": "k"}

    first, second = [await client.post(PATH, json=body, headers=headers) for _ in range(2)]
    other = await client.post(PATH, json=body | {"n": 3}, headers=headers)

    assert first.json()["id"] == second.json()["id"]
    assert other.status_code == 422
    assert len(upstream.jobs) == 2


async def test_a_commit_without_an_answer_is_undone_whole(engine: Engine) -> None:
    await engine.channel("kling")
    upstream = Upstream(engine.router, "kling")
    store = engine.services.task_creator._tasks
    create = store.create

    async def creating(*given: Any, **named: Any) -> Any:
        await create(*given, **named)
        raise DatabaseUnavailableError("the answer to the commit was lost")

    store.create = creating  # type: ignore[method-assign]
    with pytest.raises(StorageUnavailableError):
        await engine.create(MODELS["kling"], n=3)
    await engine.services.task_creator.drain(timedelta(seconds=10))

    assert await engine.all_tasks() == []
    assert upstream.jobs == {}


async def test_the_openai_dialect_downloads_each(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling")
    upstream = Upstream(engine.router, "kling")
    made = (
        await client.post("/v1/videos", json={"model": MODELS["kling"], "prompt": "a", "n": 2})
    ).json()
    content = f"/v1/videos/{made['id']}/content"
    assert (await client.get(content, params={"index": 1})).status_code == 409
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)

    for index, status in ((2, 404), (8, 400), ("x", 400)):
        answer = await client.get(content, params={"index": index})
        assert answer.status_code == status
        assert answer.json()["error"]["param"] == "index"
