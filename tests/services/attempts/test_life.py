"""The life of a task through the real services, adapters and database."""

import json

import httpx
import pytest
from tests.support.engine import Engine

from vidgate.exceptions import NotFoundError
from vidgate.models.outcomes import UpstreamRef
from vidgate.models.tasks import AttemptStatus, TaskStatus

ACCEPTED = {"code": 0, "message": "SUCCEED", "request_id": "r", "data": {"task_id": "9301"}}
KLING = "http://kling.test/v1/videos/text2video"


def state(status: str, **members: object) -> dict[str, object]:
    return {
        "code": 0,
        "message": "SUCCEED",
        "request_id": "r",
        "data": {"task_id": "9301", "task_status": status, **members},
    }


async def test_a_task_is_stored_submitted_polled_and_succeeds(engine: Engine) -> None:
    await engine.channel("kling")
    engine.router.post(KLING).mock(httpx.Response(200, json=ACCEPTED))
    poll = engine.router.get(f"{KLING}/9301")
    poll.mock(httpx.Response(200, json=state("processing")))

    created = await engine.create("kling-v2-6", duration_seconds=5)
    assert created.snapshot.status is TaskStatus.IN_PROGRESS
    assert created.snapshot.upstream_model == "kling-v2-6"

    await engine.tick(seconds=1)
    assert not poll.called  # too early to ask
    await engine.tick(minutes=1)
    assert poll.call_count == 1
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS

    video = {"id": "v1", "url": "http://127.0.0.1:9/a.mp4", "duration": "5.041"}
    poll.mock(httpx.Response(200, json=state("succeed", task_result={"videos": [video]})))
    await engine.tick(minutes=1)
    task = await engine.task(created)
    assert task.status is TaskStatus.SUCCEEDED
    assert task.result is not None
    assert task.result.url == "http://127.0.0.1:9/a.mp4"
    assert task.result.duration_seconds == 5.041
    assert task.finished_at == engine.clock.now()
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.SUCCEEDED
    assert attempt.due_at is None

    await engine.tick(minutes=5)
    assert poll.call_count == 2  # final is final


async def test_an_unknown_model_is_not_found_and_leaves_nothing(engine: Engine) -> None:
    await engine.channel("kling")
    error = await engine.refused("sora-9")
    assert isinstance(error, NotFoundError)
    assert error.code == "model_not_found"
    assert await engine.all_tasks() == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(429, json={"code": 1302, "message": "too many"}),
        httpx.Response(500, json={"code": 5000, "message": "internal"}),
        httpx.Response(502, html="<html>bad gateway</html>"),
        httpx.Response(200, text='{"code": 0, "data": {"task_'),
        httpx.Response(200, json=state("dreaming")),
        httpx.ReadError("reset"),
        httpx.ConnectError("refused"),
    ],
    ids=["429", "500", "html", "truncated", "unknown", "reset", "refused"],
)
async def test_an_answer_that_says_nothing_fails_no_task(
    engine: Engine, answer: httpx.Response | Exception
) -> None:
    await engine.channel("kling")
    engine.router.post(KLING).mock(httpx.Response(200, json=ACCEPTED))
    poll = engine.router.get(f"{KLING}/9301")
    if isinstance(answer, Exception):
        poll.mock(side_effect=answer)
    else:
        poll.mock(answer)
    created = await engine.create("kling-v2-6")
    for _ in range(5):
        await engine.tick(minutes=2)
    assert poll.call_count == 5
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    [attempt] = await engine.attempts(created)
    assert attempt.misses == 5
    assert attempt.last_reason

    video = {"id": "v1", "url": "http://127.0.0.1:9/a.mp4", "duration": "5.041"}
    poll.mock(
        side_effect=None,
        return_value=httpx.Response(200, json=state("succeed", task_result={"videos": [video]})),
    )
    await engine.tick(minutes=2)
    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED


async def test_a_product_of_two_steps_is_one_submit(engine: Engine) -> None:
    await engine.channel("kling")
    faces = {"session_id": "s1", "face_data": [{"face_id": "0", "start_time": 0, "end_time": 9000}]}
    first = engine.router.post("http://kling.test/v1/videos/identify-face")
    first.respond(json={"code": 0, "message": "SUCCEED", "data": faces})
    second = engine.router.post("http://kling.test/v1/videos/advanced-lip-sync")
    second.respond(json=ACCEPTED)

    created = await engine.create(
        "kling-lip-sync",
        prompt="",
        duration_seconds=5,
        metadata={"video_url": "https://a.test/a.mp4", "sound_file": "https://a.test/a.mp3"},
    )

    assert created.snapshot.status is TaskStatus.IN_PROGRESS
    assert [first.call_count, second.call_count] == [1, 1]
    body = json.loads(second.calls[0].request.content)
    assert body["session_id"] == "s1"
    [attempt] = await engine.attempts(created)
    assert body["external_task_id"] == attempt.correlation
    assert attempt.ref == UpstreamRef("9301", "/v1/videos/advanced-lip-sync")


async def test_a_refusal_of_the_first_step_makes_no_second(engine: Engine) -> None:
    await engine.channel("kling")
    first = engine.router.post("http://kling.test/v1/videos/identify-face")
    first.respond(status_code=400, json={"code": 1301, "message": "no"})
    second = engine.router.post("http://kling.test/v1/videos/advanced-lip-sync")

    error = await engine.refused(
        "kling-lip-sync",
        duration_seconds=5,
        metadata={"video_url": "https://a.test/a.mp4", "sound_file": "https://a.test/a.mp3"},
    )

    assert error.code == "content_policy_violation"
    assert not second.called
