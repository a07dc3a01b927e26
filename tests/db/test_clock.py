from datetime import timedelta

import pytest
from sqlalchemy import func, select
from tests.support.clock import World

from vidgate.db.clock import DatabaseClock
from vidgate.db.engine import Database, Statement

CLOCK = Statement(select(func.clock_timestamp()))


async def test_tells_the_time_of_the_database(database: Database) -> None:
    clock = DatabaseClock()

    await clock.sync(database)
    before = await database.fetch_value(CLOCK)
    now = clock.now()
    after = await database.fetch_value(CLOCK)

    assert before - clock.uncertainty <= now <= after + clock.uncertainty
    assert now.utcoffset() == timedelta(0)
    assert clock.uncertainty < timedelta(seconds=1)


def test_refuses_to_guess_before_the_first_sync() -> None:
    with pytest.raises(RuntimeError, match="never read"):
        DatabaseClock().now()


async def test_takes_the_quickest_of_several_round_trips() -> None:
    world = World()
    clock = DatabaseClock(world.monotonic)

    await clock.sync(world.database(round_trips=[3.0, 0.2, 1.0, 4.0, 2.0]))

    assert clock.uncertainty == timedelta(seconds=0.1)
    assert abs(clock.now() - world.now()) <= clock.uncertainty


async def test_goes_on_by_the_monotonic_clock() -> None:
    world = World()
    clock = DatabaseClock(world.monotonic)
    await clock.sync(world.database())
    began = clock.now()

    world.seconds += 60

    assert clock.now() - began == timedelta(seconds=60)


async def test_waits_for_a_database_clock_that_is_a_little_behind() -> None:
    world = World()
    clock = DatabaseClock(world.monotonic)
    await clock.sync(world.database())
    began = clock.now()

    world.ahead -= 0.5
    await clock.sync(world.database())

    assert clock.now() == began
    world.seconds += 2
    assert clock.now() == world.now()


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
async def test_follows_a_database_clock_that_was_set(step: float) -> None:
    world = World()
    clock = DatabaseClock(world.monotonic)
    await clock.sync(world.database())
    clock.now()

    world.ahead += step
    await clock.sync(world.database())

    assert clock.now() == world.now()


async def test_keeps_a_good_offset_in_a_busy_moment() -> None:
    world = World()
    clock = DatabaseClock(world.monotonic)
    await clock.sync(world.database())

    await clock.sync(world.database(round_trips=[4.0] * 5, answered_after=0.9))

    assert clock.now() == world.now()
    assert clock.uncertainty == timedelta(0)
