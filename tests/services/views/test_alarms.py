"""Whoever sleeps is rung at the time, never before, and a crowd holds up nobody else."""

import asyncio
from collections.abc import Callable
from functools import partial

from tests.support.waiting import until

from vidgate.constants import ALARM_SECONDS, WOKEN_AT_ONCE
from vidgate.services.views.alarms import Alarms


class Sleeper:
    def __init__(self, ring: Callable[[], object]) -> None:
        self.ring_ = ring

    def ring(self) -> None:
        self.ring_()


async def test_each_is_rung_in_turn_and_not_before_its_time() -> None:
    alarms, loop, rung = Alarms(), asyncio.get_running_loop(), dict[float, float]()
    began = loop.time()

    def note(seconds: float) -> None:
        rung[seconds] = loop.time()

    for seconds in (0.12, 0.0, 0.06):  # the later one first, so that its timer is put forward
        alarms.set(seconds, Sleeper(partial(note, seconds)))

    await until(lambda: len(rung) == 3)

    assert list(rung) == [0.0, 0.06, 0.12]
    assert all(at >= began + seconds for seconds, at in rung.items())
    assert alarms._due == {}
    assert alarms._timer is None


async def test_who_is_cleared_sleeps_on() -> None:
    alarms, rung = Alarms(), list[str]()
    sleepers = {name: Sleeper(partial(rung.append, name)) for name in ("a", "b", "c")}
    ticks = {name: alarms.set(0.0, one) for name, one in sleepers.items()}

    alarms.clear(ticks["b"], sleepers["b"])
    alarms.clear(ticks["b"], sleepers["b"])
    await until(lambda: len(rung) == 2)
    alarms.clear(ticks["a"], sleepers["a"])

    assert sorted(rung) == ["a", "c"]


async def test_others_have_a_turn_between_many() -> None:
    alarms, loop, turns, rung = Alarms(), asyncio.get_running_loop(), [0], list[int]()

    def turn() -> None:
        turns[0] += 1
        if len(rung) < 3 * WOKEN_AT_ONCE:
            loop.call_soon(turn)

    for _ in range(3 * WOKEN_AT_ONCE):
        alarms.set(ALARM_SECONDS / 2, Sleeper(lambda: rung.append(turns[0])))
    loop.call_soon(turn)
    await until(lambda: len(rung) == 3 * WOKEN_AT_ONCE)

    assert max(rung.count(one) for one in set(rung)) == WOKEN_AT_ONCE
