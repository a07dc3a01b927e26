"""Channels at servers of a format: nothing of theirs is known but what the operator says."""

import json

import pytest
from tests.support.engine import KEYS, Engine
from tests.support.upstreams import Reply, Upstream

from vidgate.exceptions import ConfigurationError, ModelNotFoundError, NoChannelError
from vidgate.models.channels import Channel
from vidgate.models.tasks import TaskStatus
from vidgate.services.provisioning import NewChannel

NAME = "openai_compatible"
HOST = "http://openai_compatible.test"
DONE = {"id": "x", "status": "completed", "seconds": "5", "size": "1280x720"}


async def apply(engine: Engine, monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[Channel]:
    for name, value in variables.items():
        monkeypatch.setenv(f"VIDGATE_{name}", value)
    await engine.office.provisioning.apply_environment(engine.services.settings)
    await engine.services.directory.load()
    return await engine.office.channels.all()


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
    assert await engine.office.channels.all() == []


async def test_a_mapping_is_a_list_of_models_too(engine: Engine) -> None:
    await engine.office.provisioning.add_channel(
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
