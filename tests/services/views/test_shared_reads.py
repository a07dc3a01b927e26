"""Many who read one task each take few connections, and each hears of its own."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Upstream

from vidgate.constants import READS_AT_ONCE, READS_BATCH
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import DatabaseUnavailableError
from vidgate.models.ids import new_id
from vidgate.models.tasks import TaskSnapshot
from vidgate.services.views.shared_reads import SharedReads


class Gate:
    """The store behind a gate, which counts what passes."""

    def __init__(self, tasks: TaskStore) -> None:
        self._tasks = tasks
        self.open = asyncio.Event()
        self.asked: list[int] = []
        self.error: Exception | None = None

    async def snapshots(self, ids: Sequence[UUID]) -> dict[UUID, TaskSnapshot]:
        self.asked.append(len(ids))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return await self._tasks.snapshots(ids)


@pytest.fixture
def gate(engine: Engine) -> Gate:
    return Gate(engine.operator.tasks)


def reads_of(gate: Gate) -> SharedReads:
    gate_: Any = gate  # all that is asked of a store
    return SharedReads(gate_)


async def made(engine: Engine, count: int) -> list[UUID]:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    return [(await engine.create(MODELS["kling"])).snapshot.id for _ in range(count)]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_meanwhile_is_in_the_next_statement(engine: Engine, gate: Gate) -> None:
    ids = [*await made(engine, 3), new_id()]
    reads = reads_of(gate)
    first = []
    for _ in range(READS_AT_ONCE):
        first.append(asyncio.create_task(reads.read(new_id())))
        await settle()
    waiting = [asyncio.create_task(reads.read(one)) for one in [*ids, ids[0]]]
    await settle()

    gate.open.set()
    found = await asyncio.gather(*waiting)

    assert [one and one.id for one in found] == [*ids[:3], None, ids[0]]
    assert await asyncio.gather(*first) == [None] * READS_AT_ONCE
    assert sum(gate.asked[READS_AT_ONCE:]) == len(ids)
    assert len(gate.asked) == READS_AT_ONCE + 1


async def test_a_statement_has_a_bound(gate: Gate) -> None:
    reads = reads_of(gate)
    waiting = [asyncio.create_task(reads.read(new_id())) for _ in range(2 * READS_BATCH + 9)]
    await settle()
    gate.open.set()

    assert set(await asyncio.gather(*waiting)) == {None}
    assert max(gate.asked) == READS_BATCH
    assert sum(gate.asked) == len(waiting)


async def test_who_leaves_takes_nothing_from_the_others(engine: Engine, gate: Gate) -> None:
    (one,) = await made(engine, 1)
    reads = reads_of(gate)
    leaves, stays = (asyncio.create_task(reads.read(one)) for _ in range(2))
    await settle()

    leaves.cancel()
    await settle()
    gate.open.set()
    found = await stays

    assert found is not None
    assert found.id == one
    assert leaves.cancelled()


async def test_each_hears_that_the_database_is_away_and_the_next_try_is_a_new_one(
    engine: Engine, gate: Gate
) -> None:
    (one,) = await made(engine, 1)
    reads = reads_of(gate)
    gate.error = DatabaseUnavailableError("down")
    gate.open.set()

    told = await asyncio.gather(*(reads.read(one) for _ in range(3)), return_exceptions=True)
    gate.error = None
    found = await reads.read(one)

    assert [type(error) for error in told] == [DatabaseUnavailableError] * 3
    assert found is not None
