"""Whose turn it is at a channel, on a real database."""

import asyncio
import random
from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from tests.support.clock import FixedClock

from vidgate.db.attempt_statements import START_WAITING
from vidgate.db.attempts import AttemptStore
from vidgate.db.channels import ChannelStore
from vidgate.db.engine import Database, Statement
from vidgate.db.turns import places_in_turn
from vidgate.models.attempts import Attempt
from vidgate.models.channels import Channel
from vidgate.models.ids import new_id

NOW = FixedClock().now()
ADD = Statement(
    text("""
    INSERT INTO attempts (id, task_id, position, number, channel_id, credential_id, provider,
        upstream_model, endpoint, correlation, status, pace, due_at, deadline_at, created_at,
        account_id, token_id)
    SELECT id, id, 0, 1, :channel_id, :credential_id,
        'kling', 'kling-v2-6', '/v1/videos/text2video', :label, 'pending', '{"submit": 60}', :due,
        CAST(:due AS timestamptz) + interval '1 day', :due, :account_id, :token_id
    FROM unnest(CAST(:ids AS uuid[])) AS id
    """)
)
ANALYZE = Statement(text("ANALYZE attempts, turns"))
PLACES = Statement(select(*(_places := places_in_turn()).c).order_by(_places.c.place))


def made(number: int) -> UUID:
    return UUID(int=number)


class Waiting:
    """A channel and what waits at it."""

    def __init__(self, database: Database, channel: Channel) -> None:
        self.database = database
        self.channel = channel
        self.attempts = AttemptStore(database)
        self._ids = 0

    async def add(self, owner: str, count: int = 1, *, due: Any = NOW) -> None:
        """Let attempts wait: `a1` is the first token of the account a."""
        account, token = ord(owner[0]), int(owner[1:])
        rows = [self._ids + number for number in range(1, count + 1)]
        self._ids += count
        await self.database.execute(
            ADD,
            ids=[made(row) for row in rows],
            channel_id=self.channel.id,
            credential_id=self.channel.credential_id,
            label=owner,
            due=due,
            account_id=made(account),
            token_id=made(1000 * account + token),
        )

    async def start(self, limit: int, *, store: AttemptStore | None = None) -> list[str]:
        """Start as many as there is room for; whose they are."""
        started = await (store or self.attempts).start_waiting(
            self.channel.id,
            credential_id=self.channel.credential_id,
            max_concurrency=None,
            lease_id=new_id(),
            margin=timedelta(seconds=15),
            now=NOW,
            limit=limit,
        )
        return [attempt.correlation for attempt, _ in started]

    async def places(self) -> list[str]:
        """Whose attempts wait, in their order."""
        rows = await self.database.fetch(PLACES)
        assert [row["place"] for row in rows] == list(range(1, len(rows) + 1))
        found = [await self.attempts.one(row["id"]) for row in rows]
        return [one.correlation for one in found if isinstance(one, Attempt)]


@pytest.fixture
async def waiting(database: Database) -> Waiting:
    channel = Channel(
        id=new_id(),
        name="one",
        provider="kling",
        base_url="http://kling.test",
        credential_id=new_id(),
    )
    created = await ChannelStore(database).create(channel, b"secret")
    assert created is not None
    return Waiting(database, created)


@pytest.mark.parametrize("at_once", [1, 2, 3, 9])
async def test_accounts_take_turns_and_so_do_their_tokens(waiting: Waiting, at_once: int) -> None:
    await waiting.add("a1", 4)
    await waiting.add("a2", 2)
    await waiting.add("b1", 3)
    await waiting.add("c1")

    order = ["a1", "b1", "c1", "a2", "b1", "a1", "b1", "a2", "a1", "a1"]
    assert await waiting.places() == order
    started: list[str] = []
    while more := await waiting.start(at_once):
        started += more

    assert started == order


async def test_who_comes_late_waits_for_one_round_and_not_behind_all(waiting: Waiting) -> None:
    await waiting.add("a1", 100)
    assert await waiting.start(3) == ["a1", "a1", "a1"]
    await waiting.add("b1", 3)

    assert await waiting.start(5) == ["b1", "a1", "b1", "a1", "b1"]


async def test_nobody_saves_turns_up(waiting: Waiting) -> None:
    await waiting.add("a1", 10)
    await waiting.add("b1", 1)
    assert await waiting.start(6) == ["a1", "b1", "a1", "a1", "a1", "a1"]
    await waiting.add("b1", 4)

    assert await waiting.start(6) == ["b1", "a1", "b1", "a1", "b1", "a1"]


async def test_what_is_not_due_gives_its_turn_to_others(waiting: Waiting) -> None:
    await waiting.add("a1", 5, due=NOW + timedelta(seconds=5))
    await waiting.add("b1", 2)

    assert await waiting.start(4) == ["b1", "b1"]


async def test_what_an_earlier_version_made_is_one_account_more(waiting: Waiting) -> None:
    old = Statement(text("UPDATE attempts SET account_id = DEFAULT, token_id = DEFAULT"))
    await waiting.add("a1", 5)
    await waiting.database.execute(old)
    await waiting.add("b1", 2)

    assert await waiting.start(4) == ["a1", "b1", "a1", "b1"]


async def test_the_order_is_that_of_a_plain_round_robin(waiting: Waiting) -> None:
    randomness = random.Random(11)  # noqa: S311 - any order will do
    queues: defaultdict[str, list[str]] = defaultdict(list)
    served: Counter[str] = Counter()
    turn = 0
    for _ in range(25):
        owner = f"{randomness.choice('abcd')}{randomness.randint(1, 3)}"
        count = randomness.randint(1, 4)
        await waiting.add(owner, count)
        queues[owner] += [owner] * count
        room = randomness.randint(0, 4)
        started = await waiting.start(room) if room else []
        for one in started:  # those that wait and were served longest ago are next
            waits = [owner for owner, left in queues.items() if left]
            assert served[one[0]] == min(served[owner[0]] for owner in waits)
            assert served[one] == min(served[owner] for owner in waits if owner[0] == one[0])
            turn += 1
            served[one[0]] = served[one] = turn
            queues[one].pop()


async def test_replicas_take_turns_from_one_order(waiting: Waiting, database_url: str) -> None:
    others = [await Database.connect(database_url) for _ in range(3)]
    for owner in ("a1", "b1", "b2", "c1"):
        await waiting.add(owner, 40)

    async def work(store: AttemptStore) -> list[str]:
        done: list[str] = []
        for _ in range(12):
            done += await waiting.start(2, store=store)
        return done

    started = await asyncio.gather(*(work(AttemptStore(other)) for other in others))
    for other in others:
        await other.aclose()

    by_owner = Counter(one for part in started for one in part)
    assert by_owner == {"a1": 24, "b1": 12, "b2": 12, "c1": 24}


@pytest.mark.parametrize("owners", [1, 50])
async def test_a_start_reads_no_more_than_it_takes_of_10000(waiting: Waiting, owners: int) -> None:
    for number in range(owners):
        await waiting.add(f"{'abcde'[number % 5]}{number}", 10_000 // owners)
    await waiting.database.execute(ANALYZE)
    plan = Statement(START_WAITING.source)
    plan.sql = f"EXPLAIN (ANALYZE, FORMAT JSON) {START_WAITING.sql}"

    [[found]] = await waiting.database.fetch(
        plan,
        channel_id=waiting.channel.id,
        credential_id=waiting.channel.credential_id,
        lease_id=new_id(),
        margin=timedelta(seconds=15),
        now=NOW,
        limit=2,
        owners=[],
        rooms=[],
    )

    nodes = list(walk(found[0]["Plan"]))
    assert "attempts_turn_idx" in {node.get("Index Name") for node in nodes}
    scans = [node for node in nodes if node["Node Type"] == "Seq Scan"]
    assert "attempts" not in {node.get("Relation Name") for node in scans}
    assert max(node["Actual Rows"] for node in nodes) <= 2 * owners


def walk(node: dict[str, Any]) -> Any:
    yield node
    for child in node.get("Plans", ()):
        yield from walk(child)
