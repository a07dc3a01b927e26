"""Reads are counted by each process, for its share."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from vidgate.db.engine import Database
from vidgate.db.limits import LimitStore
from vidgate.db.replicas import ReplicaStore
from vidgate.exceptions import RateLimitError
from vidgate.models.acts import ITSELF
from vidgate.models.ids import new_id
from vidgate.models.limits import Admission, LimitChange, Measure, Period, Scope
from vidgate.services.limits.known import KnownLimits
from vidgate.services.limits.reads import ReadRates

NOW = datetime(2026, 11, 28, tzinfo=UTC)


class Clock:
    def now(self) -> datetime:
        return NOW


class Replica:
    """One process, whose time is set."""

    def __init__(self, database: Database) -> None:
        self.time = 1000.0
        self.limits = KnownLimits(
            store=LimitStore(database), clock=Clock(), monotonic=lambda: self.time
        )
        self.reads = ReadRates(
            limits=self.limits, replicas=ReplicaStore(database), monotonic=lambda: self.time
        )
        self.admission = Admission(())

    def read(self, owner: UUID) -> bool:
        limits = self.limits.of_owner(owner)
        self.admission = Admission(limits)
        try:
            self.reads.take(self.admission, NOW)
        except RateLimitError:
            return False
        return True

    def count(self, owner: UUID, tries: int) -> int:
        return sum(self.read(owner) for _ in range(tries))


@pytest.fixture
async def replicas(database: Database) -> list[Replica]:
    return [Replica(database) for _ in range(2)]


async def limit(database: Database, most: int) -> UUID:
    owner = new_id()
    change = LimitChange(measure=Measure.READS, period=Period.MINUTE, limit=most)
    await LimitStore(database).change(Scope.TOKEN, owner, [change], ITSELF)
    return owner


async def test_a_minutes_reads_may_come_at_once(
    database: Database, replicas: list[Replica]
) -> None:
    owner = await limit(database, 6)
    one = replicas[0]
    await one.limits.load()

    assert one.count(owner, 10) == 6
    one.time += 9
    assert one.count(owner, 10) == 0
    one.time += 1
    assert one.count(owner, 10) == 1
    [use] = one.admission.uses
    assert (use.most, use.left) == (6, 0)


async def test_processes_share_a_limit(database: Database, replicas: list[Replica]) -> None:
    owner = await limit(database, 6)
    for _ in range(2):
        for one in replicas:
            await one.limits.load()
            await one.reads.beat()

    assert [one.count(owner, 10) for one in replicas] == [3, 3]


async def test_nobody_beats_where_no_reads_are_limited(
    database: Database, replicas: list[Replica]
) -> None:
    await replicas[0].limits.load()
    await replicas[0].reads.beat()

    assert await ReplicaStore(database).beat(new_id()) == 1


async def test_a_limit_is_known_and_forgotten(database: Database, replicas: list[Replica]) -> None:
    owner = await limit(database, 1)
    one = replicas[0]
    await one.limits.load()
    assert one.count(owner, 3) == 1

    none = LimitChange(measure=Measure.READS, period=Period.MINUTE, limit=None)
    await LimitStore(database).change(Scope.TOKEN, owner, [none], ITSELF)
    await one.limits.load()

    assert one.count(owner, 3) == 3
