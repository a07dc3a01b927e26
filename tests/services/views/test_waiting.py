"""Who waits for a task is woken by a hint, or by the look at all tasks that somebody waits for."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import MODELS, Upstream
from tests.support.waiting import Turns, until

from vidgate.constants import WAITERS_BATCH, WOKEN_AT_ONCE
from vidgate.exceptions import DatabaseUnavailableError, TaskNotFoundError, TooManyWaitersError
from vidgate.models.accounts import Caller, Sees, Sight
from vidgate.models.ids import new_id, public_id
from vidgate.models.tasks import TaskSnapshot, TaskStatus
from vidgate.services.metrics import Metrics
from vidgate.services.views.reading import TaskReader, TaskView
from vidgate.services.views.waiting import Waiters
from vidgate.services.views.waiting_places import WaitingPlaces


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class House:
    """A process that only waits, beside the engine that works."""

    engine: Engine
    seconds: Seconds
    reader: TaskReader
    waiters: Waiters
    metrics: Metrics

    def wait(self, name: str, **options: Any) -> "asyncio.Task[TaskView | None]":
        members: dict[str, Any] = {
            "seconds": 30,
            "until": lambda task: task.status.is_final,
            "gone": asyncio.Event().wait,
        }
        caller = options.pop("caller", self.engine.caller)
        return asyncio.create_task(self.waiters.wait(name, caller, **(members | options)))

    def open(self) -> int:
        return sum(len(topic.watches) for topic in self.waiters._topics.values())

    async def waiting(self, *tasks: "asyncio.Task[TaskView | None]") -> None:
        """Let them come so far that each of them waits."""
        await until(
            lambda: (
                sum(
                    watch.woken is not None
                    for topic in self.waiters._topics.values()
                    for watch in topic.watches
                )
                >= sum(not task.done() for task in tasks)
            )
        )


@asynccontextmanager
async def open_house(engine: Engine) -> AsyncIterator[House]:
    seconds, metrics = Seconds(), Metrics()
    reader = TaskReader(engine.operator.tasks, monotonic=seconds)
    waiters = Waiters(
        tasks=engine.operator.tasks,
        reader=reader,
        places=WaitingPlaces(metrics=metrics, most=5),
        monotonic=seconds,
    )
    yield House(engine, seconds, reader, waiters, metrics)


@pytest.fixture
async def house(engine: Engine) -> AsyncIterator[House]:
    async with open_house(engine) as house:
        yield house


async def made(engine: Engine, provider: str = "kling") -> tuple[Upstream, TaskSnapshot]:
    await engine.channel(provider)
    fake = Upstream(engine.router, provider)
    return fake, (await engine.create(MODELS[provider])).snapshot


async def test_a_hint_wakes_who_waits(house: House) -> None:
    fake, task = await made(house.engine)
    waits = [house.wait(task.public_id) for _ in range(3)]
    await house.waiting(*waits)
    await house.waiters.round()
    fake.on_poll = ["succeeded"]
    await house.engine.tick(minutes=1)

    house.waiters.wake(task.public_id)
    assert house.waiters.wanted.is_set()
    await house.waiters.round()

    views = await asyncio.gather(*waits)
    assert {view and view.snapshot.status for view in views} == {TaskStatus.SUCCEEDED}
    assert house.open() == 0
    assert views[0] is views[1]  # it was read once for all of them


@pytest.mark.parametrize("lost", [False, True])
async def test_without_a_hint_the_look_at_all_finds_it(house: House, *, lost: bool) -> None:
    fake, task = await made(house.engine)
    waits = house.wait(task.public_id)
    await house.waiting(waits)
    await house.waiters.round()
    fake.on_poll = ["succeeded"]
    await house.engine.tick(minutes=1)

    house.seconds.now += 1.9
    await house.waiters.round()
    assert not waits.done()
    if lost:
        house.waiters.wake_all()
    else:
        house.seconds.now += 0.2
    await house.waiters.round()

    view = await waits
    assert view is not None
    assert view.snapshot.status is TaskStatus.SUCCEEDED


async def test_a_look_costs_one_question_and_keeps_states_fresh(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first = await made(house.engine)
    others = [(await house.engine.create(MODELS["kling"])).snapshot for _ in range(3)]
    asked = []
    database = house.engine.operator.database
    run = database._run

    async def counted(method: str, statement: Any, *rest: Any) -> Any:
        asked.append(statement)
        return await run(method, statement, *rest)

    monkeypatch.setattr(database, "_run", counted)
    told = await house.reader.read(first.public_id, Sight(first.account_id))
    waits = [house.wait(task.public_id) for task in (first, *others)]
    await house.waiting(*waits)
    asked.clear()

    for _ in range(5):
        house.seconds.now += 2
        await house.waiters.round()
        await house.waiters.round()

    assert len(asked) == 5
    assert house.reader.cached(first.public_id, Sight(first.account_id)) is told
    # What nobody was told is not remembered: thousands who wait need no states meanwhile.
    assert house.reader.cached(others[0].public_id, Sight(first.account_id)) is None
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    house.seconds.now += 2
    await house.waiters.round()
    assert len(asked) == 5  # nobody waits, nobody asks


async def test_another_progress_is_another_state_without_a_revision(house: House) -> None:
    fake, task = await made(house.engine, "vidu")
    assert (task.revision, task.progress) == (1, 0)
    waits = house.wait(task.public_id, until=lambda now: now.version != task.version)
    await house.waiting(waits)
    fake.on_poll = ["running"]
    await house.engine.tick(minutes=1)

    house.seconds.now += 2
    await house.waiters.round()

    view = await waits
    assert view is not None
    assert view.snapshot.revision == 1
    assert 0 < view.snapshot.progress < 100


async def test_what_changed_before_the_wait_is_answered_at_once(house: House) -> None:
    fake, task = await made(house.engine)
    fake.on_poll = ["succeeded"]
    await house.engine.tick(minutes=1)

    view = await house.wait(task.public_id, seconds=60)

    assert view is not None
    assert view.snapshot.status is TaskStatus.SUCCEEDED


async def test_when_time_is_up_the_state_of_the_moment_is_told(house: House) -> None:
    _, task = await made(house.engine)

    for seconds in (0, 0.01):
        view = await house.wait(task.public_id, seconds=seconds)
        assert view is not None
        assert view.snapshot.status is TaskStatus.IN_PROGRESS
    assert house.open() == 0


async def test_who_goes_away_frees_the_place_at_once(house: House) -> None:
    _, task = await made(house.engine)
    gone = asyncio.Event()
    waits = house.wait(task.public_id, gone=gone.wait)
    await house.waiting(waits)
    assert b'waiters{kind="wait"} 1.0' in house.metrics.render()

    gone.set()

    assert await waits is None
    assert house.open() == 0
    assert b'waiters{kind="wait"} 0.0' in house.metrics.render()


async def test_leaving_answers_everybody_and_lets_nobody_wait(house: House) -> None:
    _, task = await made(house.engine)
    waits = [house.wait(task.public_id) for _ in range(3)]
    await house.waiting(*waits)

    house.waiters.leave()

    views = [*await asyncio.gather(*waits), await house.wait(task.public_id)]
    assert {view and view.snapshot.status for view in views} == {TaskStatus.IN_PROGRESS}


async def test_a_token_has_its_share_of_places(house: House) -> None:
    _, task = await made(house.engine)
    waits = [house.wait(task.public_id) for _ in range(5)]
    await house.waiting(*waits)
    other = Caller(replace(house.engine.caller.token, id=new_id(), sees=Sees.ACCOUNT))

    with pytest.raises(TooManyWaitersError) as caught:
        await house.wait(task.public_id)
    another = house.wait(task.public_id, caller=other)
    await house.waiting(*waits, another)
    house.waiters.leave()
    await asyncio.gather(*waits, another)

    assert (caught.value.status, caught.value.code) == (429, "too_many_waiters")
    assert caught.value.retry_after_seconds
    assert house.waiters._places._taken == {}


async def test_nobody_waits_for_what_is_not_there(house: House) -> None:
    _, task = await made(house.engine)
    stranger = Caller(replace(house.engine.caller.token, account_id=new_id()))

    for name, caller in [
        (public_id("task_", new_id()), house.engine.caller),
        (task.public_id, stranger),
    ]:
        with pytest.raises(TaskNotFoundError):
            await house.wait(name, caller=caller)
    assert house.open() == 0


async def test_while_the_database_is_away_nobody_is_forgotten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, task = await made(house.engine)
    waits = house.wait(task.public_id)
    await house.waiting(waits)
    await house.waiters.round()
    fake.on_poll = ["succeeded"]
    await house.engine.tick(minutes=1)
    house.waiters.wake(task.public_id)

    async def away(*_: Any, **__: Any) -> Any:
        raise DatabaseUnavailableError("down")

    with monkeypatch.context() as patch:
        patch.setattr(house.engine.operator.tasks, "newer", away)
        with pytest.raises(DatabaseUnavailableError):
            await house.waiters.round()
    assert not waits.done()
    await house.waiters.round()

    assert await waits is not None


async def test_many_ends_at_once_are_read_in_parts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, task = await made(house.engine)
    count = WAITERS_BATCH + 7
    now = {new_id(): (2, 100) for _ in range(count)}
    asked = []

    async def newer(known: Any, *, limit: int) -> list[TaskSnapshot]:
        asked.append(len(known))
        changed = [one for one, version in known.items() if version < now[one]]
        return [
            replace(task, id=one, revision=2, progress=100, status=TaskStatus.FAILED)
            for one in changed[:limit]
        ]

    monkeypatch.setattr(house.engine.operator.tasks, "newer", newer)
    watches = [house.waiters.watch(public_id("task_", one), one, (1, 0)) for one in now]

    assert await house.waiters.round() is True
    assert await house.waiters.round() is False

    assert asked == [count, count]
    assert {watch.topic.version for watch in watches} == {(2, 100)}


async def test_others_have_a_turn_while_many_are_woken(house: House) -> None:
    fake, task = await made(house.engine)
    house.waiters._places._most = 1000
    turns = Turns()
    waits = [house.wait(task.public_id) for _ in range(2 * WOKEN_AT_ONCE)]
    await house.waiting(*waits)
    told = [asyncio.create_task(turns.after(wait)) for wait in waits]
    fake.on_poll = ["succeeded"]
    await house.engine.tick(minutes=1)
    house.waiters.wake(task.public_id)

    await house.waiters.round()
    await asyncio.gather(*told)
    turns.stop()

    assert max(turns.happened.values()) == WOKEN_AT_ONCE


async def test_a_waiter_takes_less_than_ten_kilobytes(database_url: str) -> None:
    async with open_engine(database_url) as engine, open_house(engine) as house:
        _, task = await made(engine)
        house.waiters._places = WaitingPlaces(metrics=house.metrics)
        names = {public_id("task_", one): one for one in (new_id() for _ in range(1000))}

        class Reader:
            async def peek(self, name: str, _account: Any) -> TaskView:
                # Small integers and short texts of its own, as the database would give them.
                return TaskView(replace(task, id=names[name]), 0.0)

            read = peek

        house.waiters._reader = Reader()  # type: ignore[assignment] # all it asks for
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            waits = [house.wait(name) for name in names]
            await house.waiting(*waits)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        house.waiters.leave()
        await asyncio.gather(*waits)

    assert (after - before) / 1000 < 10_000
