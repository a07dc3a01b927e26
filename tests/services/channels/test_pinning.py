"""What an operator changes orphans nothing: a job is followed with the key it was made with."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.engine import KEYS, Engine, open_engine
from tests.support.upstreams import (
    FINDING,
    LOST,
    MODELS,
    NAMES,
    PROVING,
    SITUATIONS,
    Reply,
    Upstream,
    refusal,
)

from vidgate.models.outcomes import FaultKind
from vidgate.models.tasks import AttemptStatus, TaskStatus

OTHER_KEYS = {name: one.other_key for name, one in SITUATIONS.items()}
MARKS = {name: (KEYS[name].partition("|")[0], OTHER_KEYS[name].partition("|")[0]) for name in NAMES}
"""How the old and the new key show in a request."""


@pytest.mark.parametrize("name", NAMES)
async def test_a_job_is_followed_with_the_key_it_was_made_with(engine: Engine, name: str) -> None:
    await engine.channel(name)
    fake = Upstream(engine.router, name)
    created = await engine.create(MODELS[name])
    await engine.operator.provisioning.set_key(name, OTHER_KEYS[name])
    await engine.services.directory.load()
    await engine.create(MODELS[name])
    fake.on_poll = ["succeeded"]

    await engine.tick(minutes=1)

    old, new = MARKS[name]
    assert old in fake.submits[0].headers["Authorization"]
    assert new in fake.submits[1].headers["Authorization"]
    used = sorted(new in poll.headers["Authorization"] for poll in fake.polls)
    assert used == [False, True]
    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("act", ["disable", "remove", "replace"])
async def test_a_job_outlives_its_channel(engine: Engine, name: str, act: str) -> None:
    await engine.channel(name)
    fake = Upstream(engine.router, name)
    created = await engine.create(MODELS[name])
    if act == "disable":
        await engine.operator.provisioning.set_enabled(name, enabled=False)
    else:
        await engine.operator.provisioning.remove_channel(name)
    if act == "replace":
        await engine.channel(name, base_url="http://elsewhere.test")
    fake.on_poll = ["succeeded"]

    await engine.tick(minutes=1)

    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED
    assert [poll.url.host for poll in fake.polls] == [f"{name}.test"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_job_outlives_the_process_and_the_key(database_url: str, name: str) -> None:
    async with open_engine(database_url) as dead:
        await dead.channel(name)
        fake = Upstream(dead.router, name)
        created = await dead.create(MODELS[name])
        await dead.operator.provisioning.set_key(name, OTHER_KEYS[name])
        await dead.operator.provisioning.remove_channel(name)
    async with open_engine(database_url, dead.clock) as engine:
        fake = Upstream(engine.router, name)
        fake.on_poll = ["succeeded"]
        await engine.tick(minutes=1)

        assert (await engine.task(created)).status is TaskStatus.SUCCEEDED
        assert MARKS[name][0] in fake.polls[0].headers["Authorization"]


@pytest.mark.parametrize("name", FINDING)
async def test_an_unclear_submit_is_looked_for_with_its_own_key(engine: Engine, name: str) -> None:
    await engine.channel(name)
    fake = Upstream(engine.router, name)
    fake.on_submit = [fake.then(LOST["reset"])]
    created = await engine.create(MODELS[name])
    await engine.operator.provisioning.set_key(name, OTHER_KEYS[name])
    await engine.operator.provisioning.set_enabled(name, enabled=False)

    await engine.tick(seconds=6)
    await engine.tick(minutes=2)

    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    assert MARKS[name][0] in fake.finds[0].headers["Authorization"]


@pytest.mark.parametrize("name", PROVING)
@pytest.mark.parametrize("has_other", [True, False])
async def test_nothing_is_submitted_again_to_a_disabled_channel(
    engine: Engine, name: str, *, has_other: bool
) -> None:
    await engine.channel(name)
    fake = Upstream(engine.router, name)
    fake.on_submit = [LOST["reset"]]
    created = await engine.create(MODELS[name])
    await engine.operator.provisioning.set_enabled(name, enabled=False)
    other = Upstream(engine.router, name, "other")
    if has_other:
        await engine.channel(name, "other")

    for _ in range(8):
        await engine.tick(seconds=20)

    assert len(fake.submits) == 1
    assert len(other.submits) == (1 if has_other else 0)
    expected = TaskStatus.IN_PROGRESS if has_other else TaskStatus.QUEUED
    assert (await engine.task(created)).status is expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("act", ["disable", "remove"])
async def test_what_waits_at_a_channel_that_is_gone_moves_elsewhere(
    engine: Engine, name: str, act: str
) -> None:
    await engine.channel(name, max_concurrency=1)
    fake = Upstream(engine.router, name)
    await engine.create(MODELS[name])
    waiting = await engine.create(MODELS[name])
    if act == "disable":
        await engine.operator.provisioning.set_enabled(name, enabled=False)
    else:
        await engine.operator.provisioning.remove_channel(name)
    await engine.tick(seconds=1)
    assert (await engine.task(waiting)).status is TaskStatus.QUEUED  # there is no other

    await engine.channel(name, "other")
    other = Upstream(engine.router, name, "other")
    await engine.tick(seconds=30)

    assert (await engine.task(waiting)).status is TaskStatus.IN_PROGRESS
    assert (len(fake.submits), len(other.submits)) == (1, 1)
    old, new = await engine.attempts(waiting)
    assert (old.status, old.fault_code) == (AttemptStatus.FAILED, "channel_off")
    assert new.status is AttemptStatus.RUNNING


@pytest.mark.parametrize("name", NAMES)
async def test_what_waits_at_a_disabled_channel_goes_on_when_it_is_enabled(
    engine: Engine, name: str
) -> None:
    await engine.channel(name, max_concurrency=1)
    fake = Upstream(engine.router, name)
    await engine.create(MODELS[name])
    waiting = await engine.create(MODELS[name])
    await engine.operator.provisioning.set_enabled(name, enabled=False)
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)
    assert (await engine.task(waiting)).status is TaskStatus.QUEUED

    await engine.operator.provisioning.set_enabled(name, enabled=True)
    await engine.tick(minutes=2)

    assert (await engine.task(waiting)).status is TaskStatus.IN_PROGRESS
    assert len(fake.submits) == 2


@pytest.mark.parametrize("name", NAMES)
async def test_what_waits_is_submitted_with_the_key_of_the_moment(
    engine: Engine, name: str
) -> None:
    await engine.channel(name)
    fake = Upstream(engine.router, name)
    fake.on_submit = [refusal(name, FaultKind.CONCURRENCY), fake.accept]
    created = await engine.create(MODELS[name])
    await engine.operator.provisioning.set_key(name, OTHER_KEYS[name])

    await engine.tick(seconds=10)
    await engine.tick(minutes=1)

    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
    new = MARKS[name][1]
    assert new in fake.submits[1].headers["Authorization"]
    assert new in fake.polls[0].headers["Authorization"]


async def test_every_call_goes_by_the_channels_proxy(engine: Engine) -> None:
    proxy = "http://user:secret@proxy.test:3128"
    await engine.channel("vidu", proxy=proxy)
    fake = Upstream(engine.router, "vidu")
    fake.on_submit = [fake.then(LOST["reset"])]
    engine.router.post(url__regex="/cancel$").mock(return_value=Reply({}).response())
    client = engine.services.task_creator._submitter._upstream._client
    send = client.send
    ways: list[tuple[str, SecretStr | None]] = []

    async def sending(request: httpx.Request, **named: Any) -> httpx.Response:
        ways.append((request.url.path.rpartition("/")[2], named.pop("proxy", None)))
        return await send(request, **named)

    client.send = sending  # type: ignore[method-assign]

    created = await engine.create(MODELS["vidu"])
    await engine.tick(seconds=6)
    engine.services.canceller._wait = 0
    await engine.services.canceller.cancel(created.snapshot.public_id, engine.caller.sight)
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=2)
    task = await engine.task(created)
    assert task.result is not None
    await engine.services.content.renewer.renew(task.id, 0, task.result)

    submit, find, cancel, poll, renewal = ways
    assert [submit[0], find[0], cancel[0]] == ["text2video", "tasks", "cancel"]
    assert [poll[0], renewal[0]] == ["creations"] * 2
    assert {way.get_secret_value() if way else None for _, way in ways} == {proxy}
