"""Channels at servers of a format: nothing of theirs is known but what the operator says."""

import json
from typing import Any

import httpx
import pytest
from tests.support.engine import KEYS, Engine
from tests.support.upstreams import Reply, Upstream

from vidgate.exceptions import (
    ConfigurationError,
    ModelNotFoundError,
    NoChannelError,
    RequestError,
)
from vidgate.models.channels import Channel, NewChannel
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import AttemptStatus, FollowUp, TaskStatus
from vidgate.services.tasks.creating import Created

NAME = "openai_compatible"
HOST = "http://openai_compatible.test"
DONE = {"id": "x", "status": "completed", "seconds": "5", "size": "1280x720"}


async def apply(engine: Engine, monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[Channel]:
    for name, value in variables.items():
        monkeypatch.setenv(f"VIDGATE_{name}", value)
    await engine.operator.provisioning.apply_environment(engine.services.settings)
    await engine.services.directory.load()
    return await engine.operator.channels.all()


async def test_the_environment_makes_a_channel(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    [channel] = await apply(
        engine,
        monkeypatch,
        OPENAI_COMPATIBLE_KEY=KEYS[NAME],
        OPENAI_COMPATIBLE_BASE_URL=HOST,
        OPENAI_COMPATIBLE_MODELS="clip-1, film-*,",
    )

    assert (channel.name, channel.provider) == ("openai_compatible-env", NAME)
    assert (channel.base_url, channel.models) == (HOST, ("clip-1", "film-*"))
    fake = Upstream(engine.router, NAME)
    await engine.create("film-9")
    assert json.loads(fake.submits[0].content)["model"] == "film-9"
    again = await apply(engine, monkeypatch)
    assert [one.id for one in again] == [channel.id]


async def test_the_environment_narrows_a_channel_of_a_vendor(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    [channel] = await apply(engine, monkeypatch, KLING_KEY=KEYS["kling"], KLING_MODELS="kling-v2-6")

    assert channel.models == ("kling-v2-6",)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"OPENAI_COMPATIBLE_BASE_URL": HOST}, "VIDGATE_OPENAI_COMPATIBLE_MODELS"),
        ({"OPENAI_COMPATIBLE_BASE_URL": HOST, "OPENAI_COMPATIBLE_MODELS": " , "}, "_MODELS"),
        ({"OPENAI_COMPATIBLE_MODELS": "clip-1"}, "VIDGATE_OPENAI_COMPATIBLE_BASE_URL"),
    ],
)
async def test_a_key_alone_makes_no_channel(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], missing: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await apply(engine, monkeypatch, OPENAI_COMPATIBLE_KEY=KEYS[NAME], **given)

    assert missing in str(caught.value)
    assert KEYS[NAME] not in str(caught.value)
    assert await engine.operator.channels.all() == []


async def test_a_mapping_is_a_list_of_models_too(engine: Engine) -> None:
    await engine.operator.provisioning.add_channel(
        NewChannel(
            name="a", provider=NAME, key=KEYS[NAME], base_url=HOST, model_map={"boats": "clip-1"}
        )
    )
    await engine.services.directory.load()
    fake = Upstream(engine.router, NAME)

    await engine.create("boats")

    assert json.loads(fake.submits[0].content)["model"] == "clip-1"
    assert isinstance(await engine.refused("clip-1"), ModelNotFoundError)


async def test_it_serves_what_it_lists_and_nothing_of_others(engine: Engine) -> None:
    await engine.channel(NAME)

    assert isinstance(await engine.refused("film-1"), ModelNotFoundError)
    assert isinstance(await engine.refused("kling-v2-6"), NoChannelError)


async def test_a_vendors_model_can_be_had_there_too(engine: Engine) -> None:
    await engine.channel(NAME, models=("kling-*",))
    fake = Upstream(engine.router, NAME)

    await engine.create("kling-v2-6", duration_seconds=5)

    assert json.loads(fake.submits[0].content)["seconds"] == "5"


async def test_a_video_behind_the_key_is_kept_as_such(engine: Engine) -> None:
    await engine.channel(NAME)
    fake = Upstream(engine.router, NAME)
    created = await engine.create("clip-1")
    fake.on_poll = [Reply(DONE)]

    await engine.tick(minutes=1)

    task = await engine.task(created)
    assert task.status is TaskStatus.SUCCEEDED
    assert task.result is not None
    assert task.result.protected
    assert task.result.url.startswith(f"{HOST}/v1/videos/")
    assert task.result.url.endswith("/content")
    assert (task.result.duration_seconds, task.result.width) == (5, 1280)


# Going on from a video


async def finished(engine: Engine) -> tuple[str, str]:
    """Our id of a finished task, and the server's of its job."""
    created = await engine.create("clip-1")
    await engine.tick(minutes=5)
    task = await engine.task(created)
    assert task.status is TaskStatus.SUCCEEDED
    [attempt] = await engine.attempts(created)
    assert attempt.ref is not None
    return created.snapshot.public_id, attempt.ref.id


async def go_on(engine: Engine, kind: FollowUp, source: str, **members: Any) -> Created:
    request = VideoRequest(**{"model": "", "prompt": "by night", **members})
    return await engine.services.task_creator.follow_up(
        engine.caller, kind, source, request, dialect="openai"
    )


def accept_follow_ups(engine: Engine, **answer: Any) -> list[httpx.Request]:
    """Where the server is asked to go on from a video."""
    sent: list[httpx.Request] = []
    reply = Reply(**{"body": {"id": "next"}, **answer})

    def play(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return reply.response()

    engine.router.post(url__regex=r"/v1/videos/.+").mock(side_effect=play)
    return sent


@pytest.mark.parametrize("kind", FollowUp)
async def test_a_follow_up_goes_to_the_server_that_made_the_video(
    engine: Engine, kind: FollowUp
) -> None:
    first = await engine.channel(NAME)
    Upstream(engine.router, NAME).on_poll = ["succeeded"]
    source, job = await finished(engine)
    await engine.channel(NAME, "second", priority=9)
    sent = accept_follow_ups(engine)

    created = await go_on(engine, kind, source)

    [request] = sent
    paths = {
        FollowUp.REMIX: f"/v1/videos/{job}/remix",
        FollowUp.EDIT: "/v1/videos/edits",
        FollowUp.EXTEND: "/v1/videos/extensions",
    }
    video = {} if kind is FollowUp.REMIX else {"video": {"id": job}}
    assert str(request.url) == f"{HOST}{paths[kind]}"
    assert json.loads(request.content) == {"prompt": "by night"} | video
    [attempt] = await engine.attempts(created)
    assert (attempt.channel_id, attempt.status) == (first.id, AttemptStatus.RUNNING)
    assert attempt.ref is not None
    assert attempt.ref.id == "next"
    assert created.snapshot.model == "clip-1"


async def test_a_follow_up_that_waits_is_the_same_when_it_is_sent(engine: Engine) -> None:
    await engine.channel(NAME)
    Upstream(engine.router, NAME).on_poll = ["succeeded"]
    source, job = await finished(engine)
    error = {"message": "slow down", "type": "t", "param": None, "code": "rate_limit_exceeded"}
    sent: list[httpx.Request] = []

    def play(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        busy = Reply({"error": error}, 429)
        return (busy if len(sent) == 1 else Reply({"id": "next"})).response()

    engine.router.post(url__regex=r"/v1/videos/.+").mock(side_effect=play)
    await go_on(engine, FollowUp.EDIT, source)

    await engine.tick(minutes=5)

    first, second = sent
    assert json.loads(first.content) == json.loads(second.content)
    assert json.loads(second.content)["video"] == {"id": job}
    assert second.url.path == "/v1/videos/edits"


@pytest.mark.parametrize("status", [400, 404, 409])
async def test_a_follow_up_that_is_refused_is_a_400_and_goes_nowhere_else(
    engine: Engine, status: int
) -> None:
    await engine.channel(NAME)
    Upstream(engine.router, NAME).on_poll = ["succeeded"]
    source, job = await finished(engine)
    await engine.channel(NAME, "second")
    error = {"message": f"no {job}", "type": "t", "param": "video", "code": "no_video"}
    sent = accept_follow_ups(engine, body={"error": error}, status=status)

    with pytest.raises(RequestError) as caught:
        await go_on(engine, FollowUp.REMIX, source)

    assert (caught.value.status, caught.value.param) == (400, "video")
    assert job not in caught.value.message
    assert len(sent) == 1


async def test_a_client_reads_which_values_the_server_takes(engine: Engine) -> None:
    await engine.channel(NAME)
    fake = Upstream(engine.router, NAME)
    message = "The model takes other lengths. Allowed: 5, 10."
    error = {"message": message, "type": "t", "param": "seconds", "code": "invalid_value"}
    fake.on_submit = [Reply({"error": error}, 400)]

    refused = await engine.refused("clip-1", duration_seconds=7)

    assert (refused.status, refused.param, refused.message) == (400, "duration", message)
