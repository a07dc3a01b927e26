"""What requests take of their limits: nothing is ever exceeded, and a refusal takes nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.db.test_ledger import (
    FAULT,
    NOW,
    Books,
    new_attempt,
    new_task,
    quote,
    video,
)
from typing_extensions import override

from vidgate.db.engine import Database, Statement, Transaction
from vidgate.db.ledger_check import check_books
from vidgate.db.limits import LimitStore
from vidgate.db.once import RepeatedError
from vidgate.db.places import lock_places
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import (
    BudgetExceededError,
    InsufficientQuotaError,
    RateLimitError,
    RequestError,
    TooManyInFlightError,
    TooManyQueuedError,
)
from vidgate.models.acts import ITSELF
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.ids import new_id
from vidgate.models.limits import (
    Admission,
    LimitChange,
    Measure,
    Period,
    Scope,
)
from vidgate.models.money import Quote
from vidgate.models.requests import IdempotencyClaim
from vidgate.models.tasks import AttemptStatus

COUNTS = Statement(
    text(
        "SELECT (SELECT count(*) FROM tasks) AS tasks, (SELECT count(*) FROM attempts) AS attempts,"
        " (SELECT count(*) FROM entries) AS entries,"
        " (SELECT count(*) FROM idempotency_keys) AS keys"
    )
)
WINDOWS = Statement(text("SELECT used, held FROM budget_windows ORDER BY starts_at"))


def limit(measure: Measure, period: Period, most: int | None, **members: Any) -> LimitChange:
    return LimitChange(measure=measure, period=period, limit=most, **members)


def requests(most: int) -> LimitChange:
    return limit(Measure.REQUESTS, Period.MINUTE, most)


def in_flight(most: int) -> LimitChange:
    return limit(Measure.IN_FLIGHT, Period.AT_ONCE, most)


def queued(most: int) -> LimitChange:
    return limit(Measure.QUEUED, Period.AT_ONCE, most)


def spend(most: int, period: Period = Period.DAY, **members: Any) -> LimitChange:
    return limit(Measure.SPEND, period, most, **members)


def videos(most: int, period: Period = Period.DAY, **members: Any) -> LimitChange:
    return limit(Measure.TASKS, period, most, **members)


class Gate:
    """An account with a token, their limits, and what is asked for by it."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.limits = LimitStore(books.database)
        self.account = books.accounts[0]
        self.token_id = new_id()

    async def limit(self, *changes: LimitChange, scope: Scope = Scope.TOKEN) -> None:
        owner = self.token_id if scope is Scope.TOKEN else self.account.id
        await self.limits.change(scope, owner, changes, ITSELF)

    async def admission(self) -> Admission:
        return Admission(await self.limits.of(self.account.id, self.token_id))

    async def ask(
        self,
        *prices: Quote | None,
        now: datetime = NOW,
        admission: Admission | None = None,
        once: IdempotencyClaim | None = None,
        waits: bool = False,
        max_concurrency: int | None = None,
    ) -> list[tuple[Attempt, Lease]]:
        task = new_task(self.account, token_id=self.token_id, created_at=now)
        waiting: dict[str, Any] = {"max_concurrency": max_concurrency}
        waiting |= {"wait_until": now} if waits else {}
        options = [
            [new_attempt(self.books.channel, task.id, price, position=position, **waiting)]
            for position, price in enumerate(prices or (None,))
        ]
        admission = admission or await self.admission()
        made = await self.books.tasks.create(task, *options, once=once, admission=admission)
        return [(one, given[0].lease) for one, given in zip(made, options, strict=True)]

    async def refusal(self, *prices: Quote | None, **members: Any) -> RequestError:
        with pytest.raises(RequestError) as caught:
            await self.ask(*prices, **members)
        return caught.value

    async def counts(self) -> dict[str, int]:
        row = await self.books.database.fetch_one(COUNTS)
        assert row is not None
        return dict(row)

    async def windows(self) -> list[tuple[int, int]]:
        assert await check_books(self.books.database) is None
        rows = await self.books.database.fetch(WINDOWS)
        return [(row["used"], row["held"]) for row in rows]


@pytest.fixture
async def gate(database: Database) -> Gate:
    return Gate(await Books(database).open())


# Rates


async def test_a_minutes_requests_may_come_at_once_and_then_one_after_the_other(gate: Gate) -> None:
    await gate.limit(requests(3))
    for _ in range(3):
        await gate.ask()

    refused = await gate.refusal(now=NOW + timedelta(seconds=19))
    await gate.ask(now=NOW + timedelta(seconds=20))
    again = await gate.refusal(now=NOW + timedelta(seconds=20))

    assert isinstance(refused, RateLimitError)
    assert (refused.status, refused.code, refused.retry_after_seconds) == (429, "rate_limited", 2)
    assert refused.message.startswith("This token may make 3 requests a minute")
    assert again.retry_after_seconds == 20
    assert (await gate.counts())["tasks"] == 4


async def test_a_rate_tells_what_is_left_of_it(gate: Gate) -> None:
    await gate.limit(requests(60))
    admission = await gate.admission()

    await gate.ask(admission=admission)

    [use] = admission.uses
    assert (use.most, use.used, use.left) == (60, 1, 59)
    assert use.resets_at == NOW + timedelta(seconds=1)
    [told] = await gate.limits.uses(gate.account.id, gate.token_id, now=NOW)
    assert (told.used, told.resets_at) == (use.used, use.resets_at)


async def test_the_strictest_rate_refuses_and_the_others_are_not_used(gate: Gate) -> None:
    await gate.limit(requests(1))
    await gate.limit(requests(60), scope=Scope.ACCOUNT)
    await gate.ask()

    refused = await gate.refusal()

    assert refused.message.startswith("This token may make 1 requests a minute")
    account, token = await gate.limits.uses(gate.account.id, gate.token_id, now=NOW)
    assert (account.used, token.used) == (1, 1)


async def test_sessions_that_race_share_a_rate(gate: Gate) -> None:
    await gate.limit(requests(5))

    results = await asyncio.gather(*(gate.ask() for _ in range(12)), return_exceptions=True)

    assert sum(isinstance(one, RateLimitError) for one in results) == 7
    assert (await gate.counts())["tasks"] == 5


async def test_a_clock_that_was_set_back_makes_nobody_wait_for_long(gate: Gate) -> None:
    await gate.limit(requests(1))
    await gate.ask(now=NOW + timedelta(days=1))

    refused = await gate.refusal()

    assert refused.retry_after_seconds == 60


# In flight and queued


async def test_no_more_is_under_way_than_may_be(gate: Gate) -> None:
    await gate.limit(in_flight(3))
    [first, _] = await gate.ask(None, None)

    refused = await gate.refusal(None, None)
    await gate.ask()
    full = await gate.refusal()
    await gate.books.finish(first, None)
    await gate.ask()

    for one in (refused, full):
        assert isinstance(one, TooManyInFlightError)
        assert (one.status, one.code) == (429, "too_many_in_flight")
        assert one.message.startswith("This token may have 3 videos under way at once")
        assert one.retry_after_seconds
    assert (await gate.counts())["attempts"] == 4


async def test_what_waits_is_counted_apart(gate: Gate) -> None:
    await gate.limit(in_flight(1), queued(2))
    await gate.ask()
    await gate.ask(None, None, waits=True)

    refused = await gate.refusal(waits=True)

    assert isinstance(refused, TooManyQueuedError)
    assert (refused.status, refused.code) == (429, "too_many_queued")
    flight, line = await gate.limits.uses(gate.account.id, gate.token_id, now=NOW)
    assert (flight.used, line.used) == (1, 2)


async def test_what_is_discarded_is_not_under_way_any_more(gate: Gate) -> None:
    await gate.limit(in_flight(1))
    [(attempt, _)] = await gate.ask()

    await gate.books.attempts.discard(attempt.task_id, [0], now=NOW)

    await gate.ask()


async def test_tokens_of_an_account_share_its_places(gate: Gate) -> None:
    await gate.limit(in_flight(2), scope=Scope.ACCOUNT)
    await gate.ask()
    gate.token_id = new_id()
    await gate.ask()

    refused = await gate.refusal()

    assert refused.message.startswith("This account may have 2 videos")


async def test_sessions_that_race_share_the_places(gate: Gate) -> None:
    await gate.limit(in_flight(4))

    results = await asyncio.gather(
        *(gate.ask(None, None) for _ in range(6)), return_exceptions=True
    )

    assert sum(isinstance(one, TooManyInFlightError) for one in results) == 4
    assert (await gate.counts())["attempts"] == 4


# Budgets


async def test_a_budget_is_held_and_used(gate: Gate) -> None:
    await gate.limit(spend(100), videos(5))
    [first, second] = await gate.ask(quote(30), quote(20))
    assert await gate.windows() == [(0, 50), (0, 2)] or await gate.windows() == [(0, 2), (0, 50)]

    await gate.books.finish(first, video(reported=24))
    await gate.books.finish(second, None)

    assert sorted(await gate.windows()) == [(1, 0), (24, 0)]


async def test_one_micro_short_is_refused_and_leaves_nothing(gate: Gate) -> None:
    await gate.limit(spend(59, time_zone="Asia/Shanghai"), requests(60))
    once = IdempotencyClaim(key="k", fingerprint=b"f", lifetime=timedelta(hours=1))
    before = await gate.counts()

    refused = await gate.refusal(quote(30), quote(30), once=once)

    assert isinstance(refused, BudgetExceededError)
    assert (refused.status, refused.type, refused.code) == (
        403,
        "insufficient_quota",
        "budget_exceeded",
    )
    assert "that this token may use 0.000059 is left; it begins anew at 20" in refused.message
    assert refused.retry_after_seconds is None  # it will never fit
    assert await gate.counts() == before
    [spending, rate] = await gate.limits.uses(gate.account.id, gate.token_id, now=NOW)
    assert (spending.used, rate.used) == (0, 0)


async def test_a_budget_that_is_used_up_says_when_it_begins_anew(gate: Gate) -> None:
    await gate.limit(spend(50))
    await gate.ask(quote(40))

    refused = await gate.refusal(quote(20))

    midnight = NOW.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    assert refused.retry_after_seconds == pytest.approx((midnight - NOW).total_seconds(), abs=1)
    assert f"{midnight:%Y-%m-%dT%H:%M:%SZ}" in refused.message


async def test_a_budget_in_all_has_no_reset(gate: Gate) -> None:
    await gate.limit(spend(50, Period.TOTAL), scope=Scope.ACCOUNT)
    await gate.ask(quote(50))

    account = await gate.refusal(quote(1))
    await gate.limit(limit(Measure.SPEND, Period.TOTAL, None), scope=Scope.ACCOUNT)
    await gate.limit(spend(0, Period.TOTAL))
    token = await gate.refusal(quote(1))

    assert (account.code, account.retry_after_seconds) == ("budget_exceeded", None)
    assert (token.code, token.retry_after_seconds) == ("insufficient_quota", None)
    assert isinstance(token, InsufficientQuotaError)


async def test_a_hold_settles_in_the_window_that_took_it(gate: Gate) -> None:
    await gate.limit(spend(50))
    [held] = await gate.ask(quote(40))
    tomorrow = NOW + timedelta(days=1)
    [again] = await gate.ask(quote(30), now=tomorrow)

    await gate.books.finish(held, video())

    assert await gate.windows() == [(40, 0), (0, 30)]
    await gate.books.finish(again, None)
    assert await gate.windows() == [(40, 0), (0, 0)]


async def test_a_budget_that_came_later_takes_no_part(gate: Gate) -> None:
    [held] = await gate.ask(quote(40))
    await gate.limit(spend(50))
    await gate.ask(quote(50))

    await gate.books.finish(held, video())

    assert await gate.windows() == [(0, 50)]


async def test_all_budgets_hold_or_none(gate: Gate) -> None:
    await gate.limit(spend(1000), spend(50, Period.WEEK), videos(9))
    await gate.limit(spend(2000), scope=Scope.ACCOUNT)
    await gate.ask(quote(40))

    refused = await gate.refusal(quote(40))

    assert "a week that this token" in refused.message
    assert sorted(await gate.windows()) == [(0, 1), (0, 40), (0, 40), (0, 40)]


async def test_a_budget_may_be_for_some_models(gate: Gate) -> None:
    await gate.limit(spend(50, models=("kling-v2*",)), spend(10, models=("vidu*",)))

    await gate.ask(quote(40))

    assert await gate.windows() == [(0, 40)]


async def test_free_videos_use_no_money(gate: Gate) -> None:
    await gate.limit(spend(0), videos(1))

    [held] = await gate.ask(None)
    refused = await gate.refusal(None)
    await gate.books.finish(held, video())

    assert "of the 1 video a day" in refused.message
    assert await gate.windows() == [(1, 0)]


async def test_more_than_was_held_may_pass_the_limit(gate: Gate) -> None:
    await gate.limit(spend(50))
    [held] = await gate.ask(quote(40))

    await gate.books.finish(held, video(reported=60))

    assert await gate.windows() == [(60, 0)]
    refused = await gate.refusal(quote(1))
    assert "0.00 is left" in refused.message


async def test_a_raise_holds_until_it_ends(gate: Gate) -> None:
    await gate.limit(spend(50))
    until = NOW + timedelta(hours=1)
    more = [spend(20)]
    await gate.limits.raise_until(Scope.TOKEN, gate.token_id, more, until, ITSELF)

    await gate.ask(quote(60))
    refused = await gate.refusal(quote(1), now=until)

    assert "of the 0.00005 a day" in refused.message


async def test_what_is_cancelled_counts_where_its_job_runs(gate: Gate) -> None:
    await gate.limit(spend(90), videos(9))
    [(waiting, _)] = await gate.ask(quote(30), waits=True)
    [(running, _)] = await gate.ask(quote(20))

    await gate.books.attempts.cancel_waiting(waiting.task_id, [0], now=NOW)
    await gate.books.attempts.discard(running.task_id, [0], now=NOW)

    assert sorted(await gate.windows()) == [(1, 0), (20, 0)]


async def test_an_undone_task_gives_back(gate: Gate) -> None:
    await gate.limit(spend(90), videos(9))
    task = new_task(gate.account, token_id=gate.token_id)
    option = new_attempt(gate.books.channel, task.id, quote(30))
    await gate.books.tasks.create(task, [option], admission=await gate.admission())

    assert await gate.books.tasks.abandon(task, [option])

    assert await gate.windows() == [(0, 0), (0, 0)]


async def test_a_repetition_costs_nothing(gate: Gate) -> None:
    await gate.limit(requests(9), videos(9), spend(90))
    once = IdempotencyClaim(key="k", fingerprint=b"f", lifetime=timedelta(hours=1))
    await gate.ask(quote(30), once=once)

    with pytest.raises(RepeatedError):
        await gate.ask(quote(30), once=once)

    uses = await gate.limits.uses(gate.account.id, gate.token_id, now=NOW)
    assert sorted(one.used or 0 for one in uses) == [1, 1, 30]


async def test_sessions_that_race_share_the_budgets(gate: Gate) -> None:
    await gate.limit(spend(100), videos(7), spend(90, Period.MONTH))
    await gate.limit(spend(70, Period.WEEK), scope=Scope.ACCOUNT)

    results = await asyncio.gather(*(gate.ask(quote(20)) for _ in range(8)), return_exceptions=True)

    assert sum(isinstance(one, BudgetExceededError) for one in results) == 5
    assert sorted(await gate.windows()) == [(0, 3), (0, 60), (0, 60), (0, 60)]


async def test_ends_that_race_settle_each_once(gate: Gate) -> None:
    await gate.limit(spend(1000), videos(70), spend(900, Period.MONTH))
    held = [one for _ in range(4) for one in await gate.ask(quote(20), quote(10))]

    await asyncio.gather(*(gate.books.finish(one, video()) for one in held))

    assert sorted(await gate.windows()) == [(8, 0), (120, 0), (120, 0)]


@pytest.mark.parametrize(
    ("wanted", "warned"), [([79], 0), ([80], 1), ([40, 40], 1), ([80, 1], 1), ([100], 1)]
)
async def test_the_operator_is_warned_once(gate: Gate, wanted: Sequence[int], warned: int) -> None:
    await gate.limit(spend(100))
    count = 0
    for units in wanted:
        admission = await gate.admission()
        await gate.ask(quote(units), admission=admission)
        count += len(admission.warned)

    assert count == warned


FORGERIES = {
    "money that was used": "UPDATE budget_windows SET used = used + 1 WHERE held > 1",
    "money that is held": "UPDATE budget_windows SET held = held + 1 WHERE held > 1",
    "videos that are held": "UPDATE budget_windows SET held = held + 1 WHERE held = 1",
    "videos that were used": "UPDATE budget_windows SET used = used - 1 WHERE held = 1",
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_the_check_names_a_wrong_window(gate: Gate, name: str) -> None:
    await gate.limit(spend(100), videos(9))
    [held] = await gate.ask(quote(20))
    await gate.books.finish(held, video())
    await gate.ask(quote(20))
    assert await check_books(gate.books.database) is None

    await gate.books.database.execute(Statement(text(FORGERIES[name])))

    told = await check_books(gate.books.database)
    assert told is not None
    assert told.sentence.startswith("The budget ")


class CountedTransaction(Transaction):
    """Counts its statements."""

    count = 0

    @override
    async def _run(self, *arguments: Any) -> Any:
        CountedTransaction.count += 1
        return await super()._run(*arguments)


class CountedDatabase(Database):
    """Counts the statements of its transactions."""

    def __init__(self, database: Database) -> None:
        self.__dict__ = dict(database.__dict__)

    @override
    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as transaction:
            yield CountedTransaction(transaction._connection)


async def statements(gate: Gate, admission: Admission | None) -> int:
    task = new_task(gate.account, token_id=gate.token_id)
    option = new_attempt(gate.books.channel, task.id, quote(30))
    store = TaskStore(CountedDatabase(gate.books.database))
    CountedTransaction.count = 0
    await store.create(task, [option], admission=admission)
    return CountedTransaction.count


async def test_what_is_not_limited_costs_no_statement(gate: Gate) -> None:
    without = await statements(gate, None)
    await gate.limit(spend(100, models=("vidu*",)))
    elsewhere = await statements(gate, await gate.admission())
    await gate.limit(requests(9))
    with_a_rate = await statements(gate, await gate.admission())

    assert (elsewhere - without, with_a_rate - without) == (0, 1)


# What waits


async def start(gate: Gate, now: datetime = NOW, limit: int = 9) -> int:
    started = await gate.books.attempts.start_waiting(
        gate.books.channel.id,
        credential_id=gate.books.channel.credential_id,
        max_concurrency=None,
        lease_id=new_id(),
        margin=timedelta(seconds=15),
        now=now,
        limit=limit,
    )
    return len(started)


@pytest.mark.parametrize("scope", [Scope.ACCOUNT, Scope.TOKEN])
async def test_what_waits_begins_only_where_there_is_room(gate: Gate, scope: Scope) -> None:
    await gate.limit(in_flight(3), scope=scope)
    [first] = await gate.ask()
    await gate.ask(None, None, None, waits=True)

    begun = [await start(gate), await start(gate)]
    await gate.books.finish(first, None)
    begun.append(await start(gate))

    assert begun == [2, 0, 1]


async def test_a_limit_may_be_as_large_as_one_likes(gate: Gate) -> None:
    large = 10**15
    await gate.limit(requests(large), in_flight(large), queued(large), videos(large))
    await gate.limit(spend(large), in_flight(large), scope=Scope.ACCOUNT)

    await gate.ask(quote(30), quote(30), waits=True)

    assert await start(gate) == 2


async def test_a_token_without_room_keeps_no_other_waiting(gate: Gate) -> None:
    await gate.limit(in_flight(2), scope=Scope.ACCOUNT)
    await gate.limit(in_flight(1))
    await gate.ask()
    await gate.ask(None, None, None, waits=True)
    gate.token_id = new_id()
    await gate.ask(None, None, waits=True)

    assert await start(gate) == 1
    [limit] = await gate.limits.uses(gate.account.id, gate.token_id, now=NOW)
    assert limit.used == 2


async def test_an_account_without_room_keeps_no_other_waiting(gate: Gate) -> None:
    await gate.limit(in_flight(1))
    await gate.ask()
    await gate.ask(None, None, waits=True)
    gate.account, gate.token_id = gate.books.accounts[1], new_id()
    await gate.ask(None, waits=True)

    assert await start(gate) == 1


async def test_a_channel_is_not_waited_for_by_those_without_room(gate: Gate) -> None:
    await gate.limit(in_flight(1))
    await gate.ask(max_concurrency=5)
    await gate.ask(waits=True, max_concurrency=5)

    gate.account, gate.token_id = gate.books.accounts[1], new_id()
    [(attempt, _)] = await gate.ask(max_concurrency=5)
    assert attempt.status is AttemptStatus.SUBMITTING

    await gate.ask(waits=True, max_concurrency=5)
    [(attempt, _)] = await gate.ask(max_concurrency=5)
    assert attempt.status is AttemptStatus.PENDING


async def test_workers_that_race_begin_no_more_than_there_is_room(gate: Gate) -> None:
    await gate.limit(in_flight(4))
    await gate.ask(*([None] * 8), waits=True)

    results = await asyncio.gather(
        *(start(gate, limit=2) for _ in range(4)),
        *(gate.ask() for _ in range(4)),
        return_exceptions=True,
    )

    begun = sum(one for one in results if isinstance(one, int))
    [limit] = await gate.limits.uses(gate.account.id, gate.token_id, now=NOW)
    assert begun
    assert limit.used == 4


WAITERS = Statement(
    text(
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database "
        "WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
    )
)


async def move(gate: Gate) -> Attempt:
    lease = Lease(new_id(), NOW + timedelta(minutes=1))
    [waiting] = await gate.books.attempts.first_waiting(gate.books.channel.id, now=NOW, limit=1)
    assert await gate.books.attempts.take_waiting(waiting.id, lease=lease, now=NOW)
    new = new_attempt(gate.books.channel, waiting.task_id, None, number=2)
    return await gate.books.attempts.replace(waiting, lease, fault=FAULT, new=new)


WAYS: dict[str, Callable[[Gate], Any]] = {
    "a request": lambda gate: gate.ask(),
    "what waited": start,
    "what goes elsewhere": move,
}


@pytest.mark.parametrize("name", WAYS)
async def test_places_are_counted_one_after_the_other(gate: Gate, name: str) -> None:
    await gate.limit(in_flight(1))
    await gate.ask(waits=True)

    async with gate.books.database.transaction() as transaction:
        await lock_places(transaction, gate.account.id)
        running = asyncio.ensure_future(WAYS[name](gate))
        while not running.done() and not await gate.books.database.fetch_value(WAITERS):
            pass
        assert not running.done()
    await running


@pytest.mark.parametrize(("most", "status"), [(1, "pending"), (2, "submitting")])
async def test_what_waited_goes_elsewhere_only_where_there_is_room(
    gate: Gate, most: int, status: str
) -> None:
    await gate.limit(in_flight(most))
    await gate.ask()
    [(waiting, _)] = await gate.ask(waits=True)
    lease = Lease(new_id(), NOW + timedelta(minutes=1))
    assert await gate.books.attempts.take_waiting(waiting.id, lease=lease, now=NOW)
    new = new_attempt(gate.books.channel, waiting.task_id, None, number=2)

    made = await gate.books.attempts.replace(waiting, lease, fault=FAULT, new=new)

    assert made.status.value == status


async def test_what_is_under_way_keeps_its_place_elsewhere(gate: Gate) -> None:
    await gate.limit(in_flight(1))
    [(attempt, lease)] = await gate.ask()
    new = new_attempt(gate.books.channel, attempt.task_id, None, number=2)

    made = await gate.books.attempts.replace(attempt, lease, fault=FAULT, new=new)

    assert made.status is AttemptStatus.SUBMITTING
