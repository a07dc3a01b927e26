"""Videos that are named by our ids: translated, pinned, and nobody else's."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Upstream, refusal

from vidgate.exceptions import (
    ConflictError,
    InvalidParameterError,
    NoChannelError,
    RequestError,
    TaskNotFoundError,
    UnsupportedParameterError,
)
from vidgate.models.accounts import Sight
from vidgate.models.outcomes import FaultKind
from vidgate.models.requests import IdempotencyClaim, VideoRequest
from vidgate.models.tasks import FollowUp, TaskSnapshot
from vidgate.services.tasks.creating import Created

FIELD = "video_creation_id"
CREATION = "900000000000000002"
"""Vidu's id of the video in its reply."""


async def make(engine: Engine, *names: str) -> list[Upstream]:
    """Channels of Vidu's, each of which finishes what it is given at once."""
    fakes = []
    for name in names:
        await engine.channel("vidu", name)
        fake = Upstream(engine.router, "vidu", name)
        fake.on_poll = ["succeeded"]
        fakes.append(fake)
    return fakes


async def finished(engine: Engine) -> TaskSnapshot:
    created = await engine.create(MODELS["vidu"])
    await engine.tick(minutes=5)
    return await engine.task(created)


async def extend(engine: Engine, name: str, **metadata: Any) -> Created:
    return await engine.create(
        "viduq2-turbo", metadata={"action": "extend", FIELD: name, **metadata}
    )


async def follow_up(engine: Engine, source: str, once: IdempotencyClaim | None = None) -> Created:
    return await engine.services.task_creator.follow_up(
        engine.caller,
        FollowUp.EXTEND,
        source,
        VideoRequest(model="", prompt="on", duration_seconds=5),
        dialect="openai",
        once=once,
    )


@pytest.fixture
def extends(engine: Engine) -> list[dict[str, Any]]:
    """The bodies of extensions, wherever they were sent."""
    bodies: list[dict[str, Any]] = []

    def accept(request: Any) -> Any:
        bodies.append({"host": request.url.host, **json.loads(request.content)})
        return Upstream(engine.router, "vidu", "aside").accept(request).response()

    engine.router.post(url__regex=r"/ent/v2/extend$").mock(side_effect=accept)
    return bodies


async def test_our_id_becomes_the_providers(engine: Engine, extends: list[dict[str, Any]]) -> None:
    await make(engine, "one")
    task = await finished(engine)

    for name in (f"{task.public_id}_0", task.public_id):
        await extend(engine, name)

    assert [body[FIELD] for body in extends] == [CREATION, CREATION]


async def test_what_is_no_id_of_ours_goes_on_as_it_is(
    engine: Engine, extends: list[dict[str, Any]]
) -> None:
    await make(engine, "one")

    await extend(engine, "3141592")

    assert [body[FIELD] for body in extends] == ["3141592"]


async def test_it_goes_to_the_channel_that_made_the_video(
    engine: Engine, extends: list[dict[str, Any]]
) -> None:
    await make(engine, "one")
    task = await finished(engine)
    await engine.channel("vidu", "two", priority=9)

    made = [await extend(engine, f"{task.public_id}_0") for _ in range(3)]

    assert {body["host"] for body in extends} == {"one.test"}
    [attempt] = await engine.attempts(made[0])
    assert (await engine.operator.tasks.request(attempt.task_id)).channel_id == attempt.channel_id


async def test_a_channel_that_refused_it_did_not_make_it(
    engine: Engine, extends: list[dict[str, Any]]
) -> None:
    await engine.channel("vidu", "one", priority=1)
    await engine.channel("vidu", "two")
    first, second = (Upstream(engine.router, "vidu", name) for name in ("one", "two"))
    first.on_submit = [refusal("vidu", FaultKind.CREDENTIAL)]
    second.on_poll = ["succeeded"]
    task = await finished(engine)

    await extend(engine, task.public_id)

    assert [body["host"] for body in extends] == ["two.test"]


async def test_it_moves_nowhere_else(engine: Engine) -> None:
    await make(engine, "one")
    task = await finished(engine)
    await engine.channel("vidu", "two")
    hosts = []

    def refuse(request: Any) -> Any:
        hosts.append(request.url.host)
        return refusal("vidu", FaultKind.BALANCE).response()

    engine.router.post(url__regex=r"/ent/v2/extend$").mock(side_effect=refuse)

    with pytest.raises(RequestError) as caught:
        await extend(engine, f"{task.public_id}_0")

    assert caught.value.status == 502
    assert hosts == ["one.test"]


async def test_without_its_channel_it_cannot_run(engine: Engine) -> None:
    await make(engine, "one", "two")
    engine.services.directory._by_id = {
        channel.id: replace(channel, enabled=channel.name == "one")
        for channel in await engine.services.directory.channels()
    }
    task = await finished(engine)
    await engine.operator.provisioning.set_enabled("one", enabled=False)
    await engine.services.directory.load()

    with pytest.raises(NoChannelError):
        await extend(engine, f"{task.public_id}_0")


async def test_an_unfinished_video_cannot_be_named(engine: Engine) -> None:
    [fake] = await make(engine, "one")
    fake.on_poll = ["running"]
    created = await engine.create(MODELS["vidu"])

    with pytest.raises(ConflictError) as caught:
        await extend(engine, created.snapshot.public_id)

    assert (caught.value.param, caught.value.code) == (FIELD, "task_not_finished")
    assert len(fake.submits) == 1


async def test_a_failed_one_neither(engine: Engine) -> None:
    [fake] = await make(engine, "one")
    fake.on_poll = ["failed"]
    task = await finished(engine)

    with pytest.raises(ConflictError) as caught:
        await extend(engine, task.public_id)

    assert caught.value.code == "no_video"


@pytest.mark.parametrize("name", ["task_" + "0" * 26, "{task}_1"])
async def test_what_is_not_there_is_not_found(engine: Engine, name: str) -> None:
    await make(engine, "one")
    task = await finished(engine)

    with pytest.raises(TaskNotFoundError) as caught:
        await extend(engine, name.format(task=task.public_id))

    assert caught.value.param == FIELD


async def test_somebody_elses_is_not_found(engine: Engine) -> None:
    await make(engine, "one")
    task = await finished(engine)
    await engine.operator.provisioning.create_account("other")
    _, key = await engine.operator.provisioning.create_token(name="other", account="other")
    caller = await engine.services.directory.authenticate(key)
    assert caller is not None
    engine.caller = caller

    with pytest.raises(TaskNotFoundError):
        await extend(engine, task.public_id)


async def test_a_video_of_another_providers_is_refused(engine: Engine) -> None:
    await engine.channel("kling")
    other = Upstream(engine.router, "kling")
    other.on_poll = ["succeeded"]
    created = await engine.create(MODELS["kling"])
    await engine.tick(minutes=5)
    [fake] = await make(engine, "one")

    with pytest.raises(UnsupportedParameterError) as caught:
        await extend(engine, created.snapshot.public_id)

    assert caught.value.param == FIELD
    assert fake.submits == []


async def test_a_video_that_its_provider_gave_no_id_cannot_be_named(engine: Engine) -> None:
    await engine.channel("jimeng")
    other = Upstream(engine.router, "jimeng")
    other.on_poll = ["succeeded"]
    created = await engine.create(MODELS["jimeng"])
    await engine.tick(minutes=5)
    [fake] = await make(engine, "one")

    with pytest.raises(UnsupportedParameterError, match="offers nothing") as caught:
        await extend(engine, created.snapshot.public_id)

    assert caught.value.param == FIELD
    assert fake.submits == []


async def test_videos_of_two_channels_do_not_go_together(engine: Engine) -> None:
    await make(engine, "one")
    first = await finished(engine)
    await engine.operator.provisioning.set_enabled("one", enabled=False)
    await make(engine, "two")
    second = await finished(engine)
    await engine.operator.provisioning.set_enabled("one", enabled=True)
    await engine.services.directory.load()

    with pytest.raises(InvalidParameterError, match="together"):
        await extend(engine, first.public_id, nested=[{FIELD: f"{second.public_id}_0"}])


async def test_a_follow_up_is_what_its_provider_makes_of_it(
    engine: Engine, extends: list[dict[str, Any]]
) -> None:
    await make(engine, "one")
    task = await finished(engine)

    created = await engine.services.task_creator.follow_up(
        engine.caller,
        FollowUp.EXTEND,
        task.public_id,
        VideoRequest(model="", prompt="on it goes", duration_seconds=5),
        dialect="openai",
        echo={"remixed_from_video_id": task.public_id},
    )

    assert [body[FIELD] for body in extends] == [CREATION]
    assert extends[0]["prompt"] == "on it goes"
    assert created.snapshot.echo == {"remixed_from_video_id": task.public_id}
    assert created.snapshot.dialect == "openai"


async def test_where_nothing_is_offered_it_is_a_400(engine: Engine) -> None:
    await engine.channel("jimeng")
    fake = Upstream(engine.router, "jimeng")
    fake.on_poll = ["succeeded"]
    created = await engine.create(MODELS["jimeng"])
    await engine.tick(minutes=5)

    with pytest.raises(UnsupportedParameterError, match="nothing that can extend"):
        await engine.services.task_creator.follow_up(
            engine.caller,
            FollowUp.EXTEND,
            created.snapshot.public_id,
            VideoRequest(model="", prompt="on"),
            dialect="openai",
        )

    assert len(fake.submits) == 1


async def test_a_follow_up_of_what_a_newer_version_made_is_a_400(engine: Engine) -> None:
    await make(engine, "one")
    task = await finished(engine)
    providers: Any = engine.services.providers
    del providers["vidu"]

    with pytest.raises(UnsupportedParameterError) as caught:
        await follow_up(engine, task.public_id)

    assert caught.value.param == "video"


async def test_a_follow_up_of_nothing_is_not_found(engine: Engine) -> None:
    with pytest.raises(TaskNotFoundError) as caught:
        await follow_up(engine, "task_" + "0" * 26)

    assert caught.value.param == "video"


async def test_a_follow_up_that_comes_again_needs_its_source_no_more(
    engine: Engine, extends: list[dict[str, Any]]
) -> None:
    await make(engine, "one")
    task = await finished(engine)
    once = IdempotencyClaim(key="k", fingerprint=b"f", lifetime=timedelta(minutes=15))
    first = await follow_up(engine, task.public_id, once)
    await engine.services.reader.remove(task.public_id, Sight(task.account_id))

    again = await follow_up(engine, task.public_id, once)

    assert again.replayed
    assert again.snapshot.id == first.snapshot.id
    assert len(extends) == 1
