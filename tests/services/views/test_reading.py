"""What clients read: never another's, never back in time, never older than two seconds."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Upstream

from vidgate.exceptions import TaskNotFoundError
from vidgate.models.accounts import Sight
from vidgate.models.ids import new_id, public_id
from vidgate.models.tasks import TaskSnapshot, TaskStatus
from vidgate.services.views.reading import TaskReader


class Seconds:
    """A clock of seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def reader(engine: Engine, seconds: Seconds) -> TaskReader:
    return TaskReader(engine.operator.tasks, monotonic=seconds)


async def made(engine: Engine) -> tuple[Upstream, TaskSnapshot]:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    return fake, (await engine.create(MODELS["kling"])).snapshot


async def test_a_state_is_remembered_for_two_seconds(
    engine: Engine, reader: TaskReader, seconds: Seconds
) -> None:
    fake, task = await made(engine)
    name, sight = task.public_id, Sight(task.account_id)
    assert reader.cached(name, sight) is None
    first = await reader.read(name, sight)
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)

    seconds.now += 1.9
    assert await reader.read(name, sight) is first
    seconds.now += 0.2
    assert reader.cached(name, sight) is None
    second = await reader.read(name, sight)

    assert second.snapshot.status is TaskStatus.SUCCEEDED
    seconds.now += 10_000
    assert reader.cached(name, sight) is second  # final is final


async def test_a_hint_makes_it_read_anew(engine: Engine, reader: TaskReader) -> None:
    fake, task = await made(engine)
    await reader.read(task.public_id, Sight(task.account_id))
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)

    reader.evict(task.public_id)
    reader.evict("task_nonsense")
    view = await reader.read(task.public_id, Sight(task.account_id))
    reader.evict_all()

    assert view.snapshot.status is TaskStatus.SUCCEEDED
    assert reader.cached(task.public_id, Sight(task.account_id)) is view


async def test_a_task_too_large_for_memory_is_read_anew_each_time(
    engine: Engine, reader: TaskReader
) -> None:
    await engine.channel("vidu")
    Upstream(engine.router, "vidu")
    metadata = {"payload": "p" * 100_000}
    task = (await engine.create(MODELS["vidu"], metadata=metadata)).snapshot
    first = await reader.read(task.public_id, Sight(task.account_id))

    assert first.snapshot.echo == metadata
    assert reader.cached(task.public_id, Sight(task.account_id)) is None
    assert first.keep("newapi", b"{}") == (b"{}",)
    assert (await reader.read(task.public_id, Sight(task.account_id))).snapshot == first.snapshot


async def test_a_change_is_seen_at_once_by_the_process_that_made_it(engine: Engine) -> None:
    fake, task = await made(engine)
    reader = engine.services.reader
    await reader.read(task.public_id, Sight(task.account_id))
    fake.on_poll = ["succeeded"]

    await engine.tick(minutes=1)

    view = await reader.read(task.public_id, Sight(task.account_id))
    assert view.snapshot.status is TaskStatus.SUCCEEDED


async def test_another_account_sees_what_anybody_sees_of_nothing(
    engine: Engine, reader: TaskReader
) -> None:
    _, task = await made(engine)
    await reader.read(task.public_id, Sight(task.account_id))
    unknown = public_id("task_", new_id())

    for name, sight in [
        (task.public_id, Sight(new_id())),
        (unknown, Sight(task.account_id)),
        ("task_", Sight(task.account_id)),
        ("", Sight(task.account_id)),
        (task.public_id.upper(), Sight(task.account_id)),
        (task.public_id + "0", Sight(task.account_id)),
        ("x" * 100_000, Sight(task.account_id)),
        (task.public_id.replace("task_", "vg_"), Sight(task.account_id)),
    ]:
        assert reader.cached(name, sight) is None
        with pytest.raises(TaskNotFoundError) as caught:
            await reader.read(name, sight)
        assert caught.value.code == "task_not_found"
        assert caught.value.message == f"There is no task {name[:40]!r}."


async def is_told(reader: TaskReader, name: str, sight: Sight) -> bool:
    with pytest.raises(TaskNotFoundError) as caught:
        await reader.read(name, sight)
    return caught.value.is_told


@pytest.mark.parametrize("kind", ["unknown", "foreign", "nonsense"])
async def test_an_id_that_leads_to_nothing_is_read_once_a_second(
    engine: Engine, reader: TaskReader, seconds: Seconds, kind: str
) -> None:
    _, task = await made(engine)
    foreign, unknown = task.public_id, public_id("task_", new_id())
    name = {"unknown": unknown, "foreign": foreign, "nonsense": "task_1"}[kind]
    sight = Sight(new_id())

    told = [await is_told(reader, name, sight) for _ in range(3)]
    told.append(await is_told(reader, name, Sight(new_id())))
    seconds.now += 1
    told += [await is_told(reader, name, sight) for _ in range(2)]

    assert told == [False, True, True, False, False, True]
    await reader.read(foreign, Sight(task.account_id))


@pytest.mark.parametrize("hint", ["changed", "missed"])
async def test_a_hint_makes_an_id_that_led_to_nothing_read_anew(
    engine: Engine, reader: TaskReader, hint: str
) -> None:
    _, task = await made(engine)
    sight = Sight(new_id())
    assert [await is_told(reader, task.public_id, sight) for _ in range(2)] == [False, True]

    reader.evict(task.public_id) if hint == "changed" else reader.evict_all()

    assert not await is_told(reader, task.public_id, sight)


async def test_a_task_is_found_at_once_by_who_asked_for_it_before_it_was_made(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    task_id = new_id()
    monkeypatch.setattr("vidgate.services.views.absences.ABSENCE_AGE", timedelta(hours=1))
    monkeypatch.setattr("vidgate.models.ids.DatedIds.new", lambda *_: task_id)
    name, reader = public_id("task_", task_id), engine.services.reader
    assert [await is_told(reader, name, engine.caller.sight) for _ in range(2)] == [False, True]

    task = (await engine.create(MODELS["kling"])).snapshot

    assert task.public_id == name
    assert (await reader.read(name, engine.caller.sight)).snapshot.id == task.id


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ((1, 10), (2, 100)),
        ((1, 10), (1, 40)),
        ((0, 0), (1, 0)),
    ],
)
async def test_a_state_never_goes_back_in_time(
    seconds: Seconds, engine: Engine, older: tuple[int, int], newer: tuple[int, int]
) -> None:
    _, task = await made(engine)
    states = [
        replace(task, revision=revision, progress=progress) for revision, progress in (newer, older)
    ]

    class Lagging:
        """Answers with the newer state first, as two reads that cross do."""

        async def snapshots(self, ids: Sequence[UUID]) -> dict[UUID, TaskSnapshot]:
            return {ids[0]: states.pop(0)}

    reader = TaskReader(
        Lagging(),  # type: ignore[arg-type] # all it asks for
        monotonic=seconds,
    )
    first = await reader.read(task.public_id, Sight(task.account_id))
    seconds.now += 5
    second = await reader.read(task.public_id, Sight(task.account_id))

    assert states == []
    assert second is first
    assert reader.cached(task.public_id, Sight(task.account_id)) is first


async def test_progress_only_rises_and_ends_at_a_hundred(engine: Engine) -> None:
    await engine.channel("vidu")
    fake = Upstream(engine.router, "vidu")
    created = await engine.create(MODELS["vidu"])
    progress = [created.snapshot.progress]
    fake.on_poll = ["queued", "running", "queued", "running", "succeeded"]

    for _ in range(5):
        await engine.tick(minutes=1)
        progress.append((await engine.task(created)).progress)

    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert max(progress[:-1]) < 100
