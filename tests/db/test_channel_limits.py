"""What a channel may take: a full rate makes work wait, a budget that is used up takes none."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.db.test_admission import requests, spend, videos
from tests.db.test_ledger import ERROR, FAULT, NOW, Books, new_attempt, new_task, quote, video

from vidgate.db.channels import ChannelStore
from vidgate.db.engine import Database, Statement
from vidgate.db.ledger_check import check_books
from vidgate.db.limits import LimitStore
from vidgate.exceptions import NoChannelError
from vidgate.models.acts import ITSELF
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.channels import Channel
from vidgate.models.ids import new_id
from vidgate.models.limits import LimitChange, Scope
from vidgate.models.money import Quote
from vidgate.models.tasks import AttemptStatus

WINDOWS = Statement(text("SELECT used, held FROM budget_windows ORDER BY starts_at, used"))
STATUSES = Statement(text("SELECT status FROM attempts ORDER BY id"))


class Yard:
    """A channel with limits, and what is sent there."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.limits = LimitStore(books.database)
        self.channel = books.channel

    async def limit(self, *changes: LimitChange) -> None:
        await self.limits.change(Scope.CHANNEL, self.channel.id, changes, ITSELF)

    async def option(self, task_id: Any, price: Quote | None, **members: Any) -> Any:
        channel = members.pop("channel", self.channel)
        limits = tuple(await self.limits.of(channel.id))
        members.setdefault("created_at", NOW)
        return new_attempt(channel, task_id, price, limits=limits, **members)

    async def send(
        self, price: Quote | None = None, *channels: Channel, **members: Any
    ) -> tuple[Attempt, Lease]:
        now = members.get("created_at", NOW)
        task = new_task(self.books.accounts[0], created_at=now)
        options = [
            await self.option(task.id, price, channel=channel, **members)
            for channel in channels or (self.channel,)
        ]
        [made] = await self.books.tasks.create(task, options)
        [lease] = [one.lease for one in options if one.id == made.id]
        return made, lease

    async def start(self, now: Any = NOW) -> int:
        started = await self.books.attempts.start_waiting(
            self.channel.id,
            credential_id=self.channel.credential_id,
            max_concurrency=None,
            lease_id=new_id(),
            margin=timedelta(seconds=15),
            now=now,
            limit=9,
        )
        return len(started)

    async def used(self) -> list[int]:
        assert await check_books(self.books.database) is None
        uses = await self.limits.uses(self.channel.id, now=NOW)
        return [one.used or 0 for one in uses if one.limit.is_budget]


@pytest.fixture
async def yard(database: Database) -> Yard:
    return Yard(await Books(database).open())


async def test_a_full_rate_makes_work_wait(yard: Yard) -> None:
    await yard.limit(requests(2))
    made = [(await yard.send())[0] for _ in range(5)]
    assert [one.status.value for one in made] == ["submitting"] * 2 + ["pending"] * 3

    begun = [await yard.start(NOW + timedelta(seconds=seconds)) for seconds in (29, 30, 31, 90)]

    assert begun == [0, 1, 0, 2]


async def test_a_full_rate_sends_work_elsewhere(yard: Yard, database: Database) -> None:
    await yard.limit(requests(1))
    other = await another(database)
    await yard.send(None, yard.channel, other)

    made, _ = await yard.send(None, yard.channel, other)

    assert (made.channel_id, made.status) == (other.id, AttemptStatus.SUBMITTING)


async def another(database: Database) -> Channel:
    channel = Channel(
        id=new_id(),
        name="other",
        provider="kling",
        base_url="http://other.test",
        credential_id=new_id(),
    )
    made = await ChannelStore(database).create(channel, b"secret")
    assert made is not None
    return made


async def test_a_budget_counts_what_is_under_way_and_what_was_made(yard: Yard) -> None:
    await yard.limit(spend(100), videos(9))
    first, lease = await yard.send(quote(30))
    second, other = await yard.send(quote(40))
    assert await yard.used() == [2, 70]

    await yard.books.finish((first, lease), video(reported=20))
    await yard.books.finish((second, other), None, error=ERROR)

    assert await yard.used() == [1, 20]
    rows = await yard.books.database.fetch(WINDOWS)
    assert [(row["used"], row["held"]) for row in rows] == [(1, 0), (20, 0)]


@pytest.mark.parametrize("change", [spend(50), videos(1)])
async def test_a_budget_that_is_used_up_takes_nothing(yard: Yard, change: LimitChange) -> None:
    await yard.limit(change)
    await yard.send(quote(30))

    with pytest.raises(NoChannelError, match="budgets of all channels") as caught:
        await yard.send(quote(30))

    assert caught.value.status == 503
    assert len(await yard.books.database.fetch(STATUSES)) == 1


async def test_a_budget_that_is_used_up_sends_work_elsewhere(
    yard: Yard, database: Database
) -> None:
    await yard.limit(videos(1))
    other = await another(database)
    await yard.send(None, yard.channel, other)

    made, _ = await yard.send(None, yard.channel, other)

    assert made.channel_id == other.id


async def test_what_waits_does_not_wait_at_a_channel_that_takes_nothing(
    yard: Yard, database: Database
) -> None:
    await yard.limit(videos(1))
    other = await another(database)
    await yard.limits.change(Scope.CHANNEL, other.id, [requests(1)], ITSELF)
    for _ in range(2):
        await yard.send(None, yard.channel, other)

    made, _ = await yard.send(None, yard.channel, other)

    assert (made.channel_id, made.status) == (other.id, AttemptStatus.PENDING)


async def test_what_waits_begins_when_a_budget_begins_anew(yard: Yard) -> None:
    await yard.limit(requests(1), videos(1))
    await yard.send()
    tomorrow = NOW + timedelta(days=1)
    await yard.limit(videos(3))
    for _ in range(2):
        await yard.send()
    await yard.limit(videos(1))

    assert await yard.start(NOW + timedelta(minutes=5)) == 0
    assert await yard.start(tomorrow) == 1


async def test_what_nobody_can_tell_counts_as_made(yard: Yard) -> None:
    await yard.limit(spend(100), videos(9))
    held = await yard.send(quote(30))

    await yard.books.finish(held, None, status=AttemptStatus.UNKNOWN)

    assert await yard.used() == [1, 30]


async def test_a_job_counts_where_it_was_sent(yard: Yard) -> None:
    await yard.limit(videos(9))
    held = await yard.send()
    tomorrow = NOW + timedelta(days=1)
    _ = await yard.send(created_at=tomorrow)

    await yard.books.finish(held, video())

    [use] = await yard.limits.uses(yard.channel.id, now=tomorrow)
    assert use.used == 1
    [row] = await yard.books.database.fetch(WINDOWS)
    assert row["used"] == 1


async def test_failover_moves_the_cost(yard: Yard, database: Database) -> None:
    await yard.limit(videos(1))
    attempt, lease = await yard.send()
    other = await another(database)
    new = await yard.option(attempt.task_id, None, channel=other, number=2)

    await yard.books.attempts.replace(attempt, lease, fault=FAULT, new=new)

    assert await yard.used() == [0]
    await yard.send()


@pytest.mark.parametrize(("change", "most"), [(spend(100), 3), (videos(4), 4), (requests(5), 5)])
async def test_sessions_that_race_share_the_limits(
    yard: Yard, change: LimitChange, most: int
) -> None:
    await yard.limit(change)

    results = await asyncio.gather(
        *(yard.send(quote(30)) for _ in range(7)),
        *(yard.start() for _ in range(3)),
        return_exceptions=True,
    )

    assert all(isinstance(one, (tuple, int, NoChannelError)) for one in results)
    rows = await yard.books.database.fetch(STATUSES)
    assert sum(row["status"] == "submitting" for row in rows) == most


async def test_the_check_names_a_wrong_window(yard: Yard) -> None:
    await yard.limit(videos(9))
    await yard.books.finish(await yard.send(), video())
    assert await yard.used() == [1]

    await yard.books.database.execute(Statement(text("UPDATE budget_windows SET used = 2")))

    told = await check_books(yard.books.database)
    assert told is not None
    assert "of the channel" in told.sentence
