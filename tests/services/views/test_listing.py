"""Lists of tasks, and what a client removes from its own."""

from datetime import timedelta

import pytest
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import MODELS, Upstream

from vidgate.exceptions import ConflictError, TaskNotFoundError
from vidgate.models.accounts import Caller, Sight
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskQuery, TaskSnapshot, TaskStatus


async def page(engine: Engine, **query: object) -> list[str]:
    found = await engine.services.reader.page(
        engine.caller.sight,
        TaskQuery(**query),  # type: ignore[arg-type] # as each test asks
    )
    return [task.asked["prompt"] for task in found.tasks]


async def other_caller(engine: Engine) -> Caller:
    await engine.operator.provisioning.create_account("other")
    _, key = await engine.operator.provisioning.create_token(name="other", account="other")
    caller = await engine.services.directory.authenticate(key)
    assert caller is not None
    return caller


async def make(engine: Engine, count: int = 5) -> list[TaskSnapshot]:
    for name in MODELS:
        await engine.channel(name)
        Upstream(engine.router, name)
    return [
        (await engine.create(MODELS["kling"], f"boat {number}")).snapshot for number in range(count)
    ]


async def finish(engine: Engine) -> None:
    await engine.tick(minutes=1)
    await engine.tick(minutes=5)


async def test_tasks_are_listed_in_either_order(engine: Engine) -> None:
    await make(engine)

    newest = [f"boat {number}" for number in range(4, -1, -1)]
    assert await page(engine) == newest
    assert await page(engine, newest_first=False) == newest[::-1]


async def test_pages_add_up_to_the_list(engine: Engine) -> None:
    tasks = await make(engine)
    names = []
    query = TaskQuery(limit=2)
    while True:
        found = await engine.services.reader.page(engine.caller.sight, query)
        names += [task.public_id for task in found.tasks]
        if not found.has_more:
            break
        query = TaskQuery(limit=2, after=names[-1])

    assert names == [task.public_id for task in tasks[::-1]]
    assert await page(engine, offset=1, limit=3) == ["boat 3", "boat 2", "boat 1"]
    assert await page(engine, after=tasks[1].public_id, newest_first=False, limit=1) == ["boat 2"]


async def test_numbered_pages_go_on_where_the_last_one_ended(engine: Engine) -> None:
    await make(engine)
    whole = await page(engine, limit=2)

    await engine.create(MODELS["kling"], "boat 5")
    whole += await page(engine, limit=2, offset=2)
    whole += await page(engine, limit=2, offset=4)

    assert whole == ["boat 4", "boat 3", "boat 2", "boat 1", "boat 0"]
    assert await page(engine, limit=2) == ["boat 5", "boat 4"]
    assert await page(engine, limit=2, offset=4) == ["boat 1", "boat 0"]
    assert await page(engine, limit=2, offset=2) == ["boat 3", "boat 2"]
    assert await page(engine, limit=2, offset=3) == ["boat 2", "boat 1"]


async def test_a_part_without_a_number_says_nothing_of_pages(engine: Engine) -> None:
    tasks = await make(engine)
    await page(engine, limit=2, after=tasks[3].public_id)

    assert await page(engine, limit=2, offset=2) == ["boat 2", "boat 1"]


async def test_a_list_is_filtered(engine: Engine) -> None:
    await make(engine, 2)
    await engine.create(MODELS["vidu"], "a sea", user="u1")
    caller = engine.caller
    request = VideoRequest(model=MODELS["jimeng"], prompt="a bird")
    await engine.services.task_creator.create(caller, request, dialect="jimeng")

    assert await page(engine, model=MODELS["vidu"]) == ["a sea"]
    assert await page(engine, user="u1") == ["a sea"]
    assert await page(engine, user="u2") == []
    request = VideoRequest(model=MODELS["kling"], prompt="a boat")
    await engine.services.task_creator.create(caller, request, dialect="vidu")
    assert await page(engine, origin="vidu") == ["a boat", "a sea"]
    assert await page(engine, origin="jimeng") == ["a bird"]
    assert await page(engine, actions=("text",), limit=1) == ["a boat"]
    assert await page(engine, actions=("extend",)) == []
    assert await page(engine, statuses=(TaskStatus.SUCCEEDED,)) == []
    assert len(await page(engine, statuses=(TaskStatus.QUEUED, TaskStatus.IN_PROGRESS))) == 5
    now = engine.clock.now()
    assert len(await page(engine, created_from=now)) == 5
    assert await page(engine, created_until=now) == []
    assert len(await page(engine, created_until=now + timedelta(seconds=1))) == 5


async def test_only_ones_own_are_listed(engine: Engine) -> None:
    [task, *_] = await make(engine)
    engine.caller = await other_caller(engine)

    assert await page(engine) == []
    with pytest.raises(TaskNotFoundError) as caught:
        await page(engine, after=task.public_id)
    assert caught.value.param == "after"


async def test_what_is_removed_is_gone_for_its_client_alone(engine: Engine) -> None:
    await make(engine, 0)
    engine.router.reset()
    fake = Upstream(engine.router, "kling")
    fake.on_poll = ["succeeded"]
    first, second = [
        (await engine.create(MODELS["kling"], f"boat {number}")).snapshot for number in range(2)
    ]
    await finish(engine)
    reader = engine.services.reader
    assert (await reader.read(first.public_id, Sight(first.account_id))).snapshot.status.is_final

    await reader.remove(first.public_id, Sight(first.account_id))

    assert reader.cached(first.public_id, Sight(first.account_id)) is None
    for act in (reader.read, reader.remove):
        with pytest.raises(TaskNotFoundError):
            await act(first.public_id, Sight(first.account_id))
    assert await page(engine) == ["boat 1"]
    assert await page(engine, after=second.public_id) == []
    assert await page(engine, after=first.public_id, newest_first=False) == ["boat 1"]
    assert (await engine.task(first.public_id)).removed
    assert len(await engine.all_tasks()) == 2


async def test_what_another_replica_has_just_removed_is_not_found(engine: Engine) -> None:
    [task, *_] = await make(engine, 1)
    engine.router.reset()
    Upstream(engine.router, "kling").on_poll = ["failed"]
    await finish(engine)
    reader = engine.services.reader
    view = await reader.read(task.public_id, Sight(task.account_id))
    assert view.snapshot.status.is_final
    assert await engine.operator.tasks.remove(task.id)

    with pytest.raises(TaskNotFoundError):
        await reader.remove(task.public_id, Sight(task.account_id))


async def test_what_is_unfinished_is_not_removed(engine: Engine) -> None:
    [task, *_] = await make(engine, 1)
    reader = engine.services.reader

    with pytest.raises(ConflictError) as caught:
        await reader.remove(task.public_id, Sight(task.account_id))

    assert caught.value.code == "task_not_finished"
    assert (await reader.read(task.public_id, Sight(task.account_id))).snapshot.id == task.id


async def test_somebody_elses_is_not_removed(engine: Engine) -> None:
    [task, *_] = await make(engine, 1)
    other = await other_caller(engine)

    with pytest.raises(TaskNotFoundError):
        await engine.services.reader.remove(task.public_id, Sight(other.account_id))


async def test_a_removal_reaches_the_other_replicas(database_url: str) -> None:
    async with open_engine(database_url) as one, open_engine(database_url) as other:
        await one.channel("kling")
        fake = Upstream(one.router, "kling")
        fake.on_poll = ["succeeded"]
        task = (await one.create(MODELS["kling"])).snapshot
        await finish(one)
        for engine in (one, other):
            await engine.services.reader.refresh()
            await engine.services.reader.read(task.public_id, Sight(task.account_id))

        await one.services.reader.remove(task.public_id, Sight(task.account_id))
        known = other.services.reader.cached(task.public_id, Sight(task.account_id))
        await other.services.reader.refresh()

        assert known is not None
        assert other.services.reader.cached(task.public_id, Sight(task.account_id)) is None


async def test_after_a_gap_nothing_is_remembered(database_url: str) -> None:
    async with open_engine(database_url) as engine:
        [task, *_] = await make(engine, 1)
        reader = engine.services.reader
        await reader.refresh()
        await reader.read(task.public_id, Sight(task.account_id))
        await reader.refresh()
        assert reader.cached(task.public_id, Sight(task.account_id)) is not None
        reader._refreshed -= 11

        await reader.refresh()

        assert reader.cached(task.public_id, Sight(task.account_id)) is None
