"""Who listens to an account hears of each change, by hints and by the look every two seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing
from datetime import timedelta

import pytest
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Upstream
from tests.support.waiting import Turns

from vidgate.constants import FEED_MOST, WOKEN_AT_ONCE
from vidgate.db.task_changes import TaskChangeStore
from vidgate.exceptions import DatabaseUnavailableError
from vidgate.models.accounts import Sight
from vidgate.models.ids import new_id
from vidgate.services.views.feeds import Feed, Feeds
from vidgate.services.views.reading import TaskReader


class Seconds:
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


@pytest.fixture
def feeds(engine: Engine, seconds: Seconds, reader: TaskReader) -> Feeds:
    return Feeds(
        changes=TaskChangeStore(engine.operator.database),
        reader=reader,
        clock=engine.clock,
        monotonic=seconds,
    )


@pytest.fixture
async def kling(engine: Engine) -> Upstream:
    await engine.channel("kling")
    return Upstream(engine.router, "kling")


@pytest.fixture
async def feed(engine: Engine, feeds: Feeds, kling: Upstream) -> AsyncIterator[Feed]:
    del kling
    with closing(await feeds.open(engine.caller.sight)) as feed:
        await feeds.round()
        yield feed


async def heard(feed: Feed) -> list[str]:
    """What was not told yet."""
    names = []
    gone = asyncio.get_running_loop().create_future()
    while found := await feed.next(0, gone):
        names.append(found[0])
    return names


async def test_who_sees_its_own_hears_of_its_own(engine: Engine, feeds: Feeds, feed: Feed) -> None:
    del feed  # somebody listens already
    _, key = await engine.operator.provisioning.create_token(name="other")
    other = await engine.services.directory.authenticate(key)
    assert other is not None
    with (
        closing(await feeds.open(engine.caller.sight)) as mine,
        closing(await feeds.open(other.sight)) as theirs,
        closing(await feeds.open(Sight(other.account_id))) as every,
    ):
        began_at = mine.began_at
        created = await engine.create(MODELS["kling"])
        feeds.wake_all()
        await feeds.round()

        name = created.snapshot.public_id
        assert [await heard(feed) for feed in (mine, theirs, every)] == [[name], [], [name]]
        past = [[one async for one, _ in feed.past(began_at)] for feed in (mine, theirs, every)]
        assert past == [[name], [], [name]]


async def test_each_change_is_told_once_whoever_tells_of_it(
    engine: Engine, feeds: Feeds, feed: Feed, kling: Upstream, seconds: Seconds
) -> None:
    created = await engine.create(MODELS["kling"])
    name = created.snapshot.public_id
    feeds.wake(name)
    await feeds.round()
    assert await heard(feed) == [name]
    feeds.wake(name)
    feeds.wake("nonsense")
    await feeds.round()
    seconds.now += 2
    await feeds.round()
    assert await heard(feed) == []

    kling.on_poll = ["succeeded"]
    await engine.tick(minutes=1)
    seconds.now += 2
    await feeds.round()  # no hint
    assert await heard(feed) == [name]
    feeds.wake(name)
    await feeds.round()
    assert await heard(feed) == []


async def test_one_who_begins_hears_nothing_of_before(
    engine: Engine, feeds: Feeds, kling: Upstream, seconds: Seconds
) -> None:
    del kling
    before = await engine.create(MODELS["kling"])
    engine.clock.advance(seconds=3)
    with closing(await feeds.open(engine.caller.sight)) as first:
        await feeds.round()
        engine.clock.advance(seconds=1)
        after = await engine.create(MODELS["kling"])
        with closing(await feeds.open(engine.caller.sight)) as second:
            seconds.now += 2
            await feeds.round()
            told = [await heard(first), await heard(second)]
    assert before.snapshot.public_id not in {name for names in told for name in names}
    assert told[0] == [after.snapshot.public_id]


async def test_another_account_hears_nothing(
    engine: Engine, feeds: Feeds, feed: Feed, seconds: Seconds
) -> None:
    with closing(await feeds.open(Sight(new_id()))) as other:
        name = (await engine.create(MODELS["kling"])).snapshot.public_id
        for _ in range(2):
            feeds.wake(name)
            await feeds.round()
            seconds.now += 2
        assert await heard(other) == []
    assert await heard(feed) == [name]


async def test_what_changed_since_comes_once_in_its_order(
    engine: Engine, feed: Feed, kling: Upstream
) -> None:
    tasks = []
    for _ in range(3):
        tasks.append((await engine.create(MODELS["kling"])).snapshot.public_id)
        engine.clock.advance(minutes=1)
    kling.on_poll = ["succeeded", "running"]
    since = engine.clock.now()
    await engine.tick(minutes=1)
    progressed = engine.clock.now()
    engine.clock.advance(minutes=1)
    last = (await engine.create(MODELS["kling"])).snapshot.public_id

    everything = [name async for name, _ in feed.past(since - timedelta(hours=1))]
    lately = [name async for name, _ in feed.past(since)]
    latest = [name async for name, _ in feed.past(progressed + timedelta(seconds=30))]

    assert sorted(everything) == sorted([*tasks, last])
    assert lately == everything
    assert latest == [last]


async def test_progress_is_told_and_no_ask_without_it(
    engine: Engine, feeds: Feeds, feed: Feed, kling: Upstream, seconds: Seconds
) -> None:
    created = await engine.create(MODELS["kling"])
    name = created.snapshot.public_id
    kling.on_poll = ["queued", "queued", "running", "running", "succeeded"]
    told = []
    seconds.now += 2
    await feeds.round()
    assert await heard(feed) == [name]
    for _ in range(5):
        await engine.tick(minutes=1)
        seconds.now += 2
        await feeds.round()
        progress = (await engine.task(created)).progress
        told.append((progress, await heard(feed)))

    assert told == [(10, [name]), (10, []), (50, [name]), (50, []), (100, [name])]


async def test_progress_that_was_missed_comes_once(
    engine: Engine, feed: Feed, kling: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {
        (await engine.create(MODELS["kling"], n=count)).snapshot.public_id for count in (1, 2, 3)
    }
    engine.clock.advance(minutes=10)
    since = engine.clock.now()
    kling.on_poll = ["running"]
    await engine.tick(minutes=1)
    monkeypatch.setattr("vidgate.services.views.feeds.WAITERS_BATCH", 2)

    missed = [name async for name, _ in feed.past(since)]

    assert len(missed) == 3
    assert set(missed) == names


async def test_pages_leave_nothing_out(
    engine: Engine, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [(await engine.create(MODELS["kling"])).snapshot.public_id for _ in range(5)]
    monkeypatch.setattr("vidgate.services.views.feeds.WAITERS_BATCH", 2)

    found = [name async for name, _ in feed.past(engine.clock.now())]

    assert sorted(found) == sorted(made)


async def test_what_is_told_is_read_once_for_all(
    engine: Engine, feeds: Feeds, reader: TaskReader
) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    account = engine.caller.account_id
    with ExitStack() as stack:
        several = [stack.enter_context(closing(await feeds.open(Sight(account)))) for _ in range(3)]
        task = (await engine.create(MODELS["kling"])).snapshot
        feeds.wake(task.public_id)
        await feeds.round()
        assert [await heard(feed) for feed in several] == [[task.public_id]] * 3
        assert reader.cached(task.public_id, Sight(account)) is not None


async def test_others_have_a_turn_while_many_are_told(engine: Engine, feeds: Feeds) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    gone, turns = asyncio.get_running_loop().create_future(), Turns()
    with ExitStack() as stack:
        several = [
            stack.enter_context(closing(await feeds.open(engine.caller.sight)))
            for _ in range(2 * WOKEN_AT_ONCE)
        ]
        told = [asyncio.create_task(turns.after(feed.next(60, gone))) for feed in several]
        await asyncio.sleep(0)
        feeds.wake((await engine.create(MODELS["kling"])).snapshot.public_id)
        await feeds.round()
        await asyncio.gather(*told)
    turns.stop()

    assert max(turns.happened.values()) == WOKEN_AT_ONCE


async def test_one_who_does_not_listen_is_lost_and_keeps_nothing(feed: Feed) -> None:
    for number in range(FEED_MOST + 1):
        feed.add(f"task_{number}", feed.began_at)
    assert feed.is_lost
    assert await heard(feed) == []


async def test_a_task_that_changed_twice_is_told_as_it_stands(feed: Feed) -> None:
    for _ in range(FEED_MOST * 2):
        feed.add("task_1", feed.began_at)
    assert await heard(feed) == ["task_1"]


async def test_while_the_database_is_away_nothing_is_forgotten(
    engine: Engine, feeds: Feeds, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = (await engine.create(MODELS["kling"])).snapshot.public_id
    feeds.wake(name)

    async def away(*_: object) -> list[object]:
        raise DatabaseUnavailableError("down")

    with monkeypatch.context() as patch:
        patch.setattr(feeds._changes, "among", away)
        with pytest.raises(DatabaseUnavailableError):
            await feeds.round()
    await feeds.round()

    assert await heard(feed) == [name]


async def test_lost_hints_are_made_up_for_at_once(engine: Engine, feeds: Feeds, feed: Feed) -> None:
    name = (await engine.create(MODELS["kling"])).snapshot.public_id
    await feeds.round()
    assert await heard(feed) == []
    feeds.wake_all()
    await feeds.round()
    assert await heard(feed) == [name]


async def test_nobody_is_kept_after_the_last_one_went(
    engine: Engine, feeds: Feeds, seconds: Seconds
) -> None:
    with closing(await feeds.open(engine.caller.sight)):
        pass
    assert feeds._accounts == {}
    feeds.wake("task_0")
    seconds.now += 2
    await feeds.round()
    assert feeds._hinted == set()


async def test_what_is_remembered_of_the_told_does_not_grow(
    engine: Engine, feeds: Feeds, feed: Feed, seconds: Seconds
) -> None:
    for _ in range(4):
        await engine.create(MODELS["kling"])
        engine.clock.advance(seconds=30)
        seconds.now += 2
        await feeds.round()
    assert len(await heard(feed)) == 4
    assert feeds._accounts[engine.caller.account_id].seen == {}
