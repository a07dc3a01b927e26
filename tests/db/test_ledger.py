"""Money moves in the transaction of what it is for, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import text
from tests.support.clock import FixedClock
from tests.support.database import clean_database
from typing_extensions import override

from vidgate.db import attempt_statements
from vidgate.db.accounts import AccountStore
from vidgate.db.attempts import AttemptStore, NewAttempt
from vidgate.db.channels import ChannelStore
from vidgate.db.engine import Database, Statement, Transaction
from vidgate.db.ledger import LedgerStore, close_output
from vidgate.db.ledger_check import check_books, claim_check
from vidgate.db.limits import LimitStore
from vidgate.db.once import RepeatedError
from vidgate.db.repairs import RepairStore
from vidgate.db.tasks import NewTask, TaskStore
from vidgate.exceptions import ConfigurationError, InsufficientQuotaError, RateLimitError
from vidgate.models.accounts import Account
from vidgate.models.acts import ITSELF
from vidgate.models.attempts import Attempt, JobPace, Lease
from vidgate.models.channels import Channel
from vidgate.models.ids import new_id, public_id
from vidgate.models.limits import Admission, LimitChange, Measure, Period, Scope
from vidgate.models.money import Basis, Per, Quote, Rounding, Tariff
from vidgate.models.outcomes import Fault, FaultKind, VideoResult
from vidgate.models.requests import IdempotencyClaim
from vidgate.models.tasks import AttemptStatus, TaskError

NOW = FixedClock().now()
MINUTE = timedelta(minutes=1)
FAULT = Fault(FaultKind.FAULT, "5000", "internal")
ERROR = TaskError("upstream_error", "The provider failed.")
LARGEST = 40

T = TypeVar("T")

BALANCES = Statement(text("SELECT account_id, available, held FROM balances"))
ENTRIES = Statement(
    text("SELECT kind, micros, from_book, to_book FROM entries ORDER BY position, id")
)
COSTS = Statement(text("SELECT state, basis, native_units, micros FROM costs ORDER BY id"))
COUNTS = Statement(
    text("SELECT (SELECT count(*) FROM tasks) AS tasks, (SELECT count(*) FROM entries) AS entries")
)


def quote(units: int = 10, *, per: Per = Per.VIDEO, basis: Basis = Basis.REQUESTED) -> Quote:
    tariff = Tariff(
        unit="credit",
        per=per,
        units=Fraction(units if per is Per.VIDEO else 1),
        basis=basis,
        rounding=Rounding.NEAREST,
        reported={"credits": Fraction(1)},
    )
    return Quote(
        version=1, currency="USD", tariff=tariff, units=Fraction(units), rate=Fraction(1, 1_000_000)
    )


def video(reported: int | None = None, seconds: float | None = None) -> VideoResult:
    return VideoResult(
        url="https://videos.example/a.mp4",
        duration_seconds=seconds,
        cost=None if reported is None else str(reported),
        cost_unit=None if reported is None else "credits",
    )


def new_attempt(channel: Channel, task_id: Any, price: Quote | None, **members: Any) -> NewAttempt:
    identifier = new_id()
    given: dict[str, Any] = {
        "id": identifier,
        "task_id": task_id,
        "channel_id": channel.id,
        "credential_id": channel.credential_id,
        "provider": "kling",
        "upstream_model": "kling-v2-6",
        "endpoint": "/v1/videos/text2video",
        "correlation": public_id("vg_", identifier),
        "pace": JobPace(interval=timedelta(seconds=4)),
        "created_at": NOW,
        "deadline_at": NOW + timedelta(hours=24),
        "submit_ends_at": NOW + MINUTE,
        "lease": Lease(new_id(), NOW + 2 * MINUTE),
        "price": price,
    }
    return NewAttempt(**(given | members))


def new_task(account: Account, factor: Fraction = Fraction(1), **members: Any) -> NewTask:
    given: dict[str, Any] = {
        "id": new_id(),
        "account_id": account.id,
        "token_id": new_id(),
        "dialect": "newapi",
        "model": "kling-v2-6",
        "provider": "kling",
        "upstream_model": "kling-v2-6",
        "document": {"model": "kling-v2-6", "prompt": "a boat"},
        "factor": factor,
        "created_at": NOW,
    }
    return NewTask(**(given | members))


class CutError(Exception):
    """The process was killed."""


class CutTransaction(Transaction):
    """Dies before one of its statements, as a killed process does: nothing is committed."""

    def __init__(self, transaction: Transaction, after: int) -> None:
        super().__init__(transaction._connection)
        self._after = after

    @override
    async def _run(self, *arguments: Any) -> Any:
        self._after -= 1
        if self._after < 0:
            raise CutError
        return await super()._run(*arguments)


class CutDatabase(Database):
    """Kills the process after so many statements of a transaction."""

    def __init__(self, database: Database, after: int) -> None:
        self.__dict__ = dict(database.__dict__)
        self._cut_after = after

    @override
    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as transaction:
            cut = CutTransaction(transaction, self._cut_after)
            yield cut
            if cut._after == 0:
                raise CutError


class Books:
    """Accounts, a channel, and what is done with them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ledger = LedgerStore(database)
        self.tasks = TaskStore(database)
        self.attempts = AttemptStore(database)
        self.channel: Channel
        self.accounts: list[Account] = []

    async def open(self) -> "Books":
        channel = Channel(
            id=new_id(),
            name="one",
            provider="kling",
            base_url="http://kling.test",
            credential_id=new_id(),
        )
        made = await ChannelStore(self.database).create(channel, b"secret")
        assert made is not None
        self.channel = made
        for name in ("one", "two"):
            account = await AccountStore(self.database).create_account(name)
            assert account is not None
            self.accounts.append(account)
        return self

    async def submit(
        self,
        account: Account,
        *prices: Quote | None,
        factor: Fraction = Fraction(1),
        token_id: UUID | None = None,
        now: datetime = NOW,
        admission: Admission | None = None,
        **members: Any,
    ) -> list[tuple[Attempt, Lease]]:
        task = new_task(account, factor, token_id=token_id or new_id(), created_at=now)
        options = [
            [new_attempt(self.channel, task.id, price, position=position, **members)]
            for position, price in enumerate(prices)
        ]
        made = await self.tasks.create(task, *options, admission=admission)
        return [(one, given[0].lease) for one, given in zip(made, options, strict=True)]

    async def finish(
        self, held: tuple[Attempt, Lease], result: VideoResult | None, **ends: Any
    ) -> None:
        attempt, lease = held
        status = AttemptStatus.SUCCEEDED if result else AttemptStatus.FAILED
        await self.attempts.finish(
            attempt,
            lease,
            **{
                "status": status,
                "result": result,
                "error": None if result else ERROR,
                "now": NOW,
                **ends,
            },
        )

    async def entries(self) -> list[tuple[str, int]]:
        return [(row["kind"], row["micros"]) for row in await self.database.fetch(ENTRIES)]


@pytest.fixture
async def books(database: Database) -> Books:
    return await Books(database).open()


async def prepaid(books: Books, micros: int) -> Account:
    account = books.accounts[0]
    await books.ledger.set_prepaid(account.id, prepaid=True)
    if micros:
        await books.ledger.move(account.id, "credit", micros, reference="first")
    return account


async def test_a_video_is_held_and_charged(books: Books) -> None:
    account = await prepaid(books, 100)

    [held] = await books.submit(account, quote(30))
    before = await books.ledger.balance(account.id)
    await books.finish(held, video())
    after = await books.ledger.balance(account.id)

    assert before is not None
    assert after is not None
    assert (before.available, before.held) == (70, 30)
    assert (after.available, after.held) == (70, 0)
    assert sorted(await books.entries()) == [("credit", 100), ("reserve", 30), ("settle", 30)]
    assert await check_books(books.database) is None


ENDS: dict[str, tuple[VideoResult | None, list[tuple[str, int]]]] = {
    "as quoted": (video(), [("settle", 30)]),
    "reported less": (video(reported=24), [("settle", 24), ("release", 6)]),
    "reported nothing": (video(reported=0), [("release", 30)]),
    "reported more": (video(reported=33), [("settle", 30), ("extra", 3)]),
    "failed": (None, [("release", 30)]),
}


@pytest.mark.parametrize("name", ENDS)
async def test_what_an_end_writes(books: Books, name: str) -> None:
    result, expected = ENDS[name]
    [held] = await books.submit(books.accounts[0], quote(30))

    await books.finish(held, result)

    assert sorted(await books.entries()) == sorted([("reserve", 30), *expected])
    assert await check_books(books.database) is None


async def test_longer_than_asked_is_no_extra_unless_the_provider_says_so(books: Books) -> None:
    price = quote(5, per=Per.SECOND, basis=Basis.PRODUCED)
    first, second = await books.submit(books.accounts[0], price, price)

    await books.finish(first, video(seconds=9))
    await books.finish(second, video(seconds=3.2))

    kinds = await books.entries()
    assert sorted(kinds) == [
        ("release", 2),
        ("reserve", 5),
        ("reserve", 5),
        ("settle", 3),
        ("settle", 5),
    ]


async def test_one_micro_short_leaves_nothing(books: Books) -> None:
    account = await prepaid(books, 59)

    with pytest.raises(InsufficientQuotaError) as caught:
        await books.submit(account, quote(30), quote(30))

    assert (caught.value.status, caught.value.code) == (403, "insufficient_quota")
    counts = await books.database.fetch_one(COUNTS)
    assert counts is not None
    assert dict(counts) == {"tasks": 0, "entries": 1}


async def test_an_overdraft_may_be_used(books: Books) -> None:
    account = await prepaid(books, 0)
    await books.database.execute(Statement(text("UPDATE balances SET overdraft = 30")))

    await books.submit(account, quote(30))

    with pytest.raises(InsufficientQuotaError):
        await books.submit(account, quote(1))


async def test_a_factor_is_applied_before_rounding(books: Books) -> None:
    [held] = await books.submit(books.accounts[0], quote(3), factor=Fraction("1.5"))

    await books.finish(held, video(reported=1))

    assert await books.entries() == [("reserve", 5), ("settle", 2), ("release", 3)]
    assert await check_books(books.database) is None


async def test_of_several_channels_the_dearest_is_held(books: Books) -> None:
    task = new_task(books.accounts[0])
    options = [new_attempt(books.channel, task.id, quote(units)) for units in (10, 30)]

    [made] = await books.tasks.create(task, options)
    await books.finish((made, options[0].lease), video())

    assert await books.entries() == [("reserve", 30), ("settle", 10), ("release", 20)]
    assert await check_books(books.database) is None


async def test_failover_charges_by_the_attempt_that_made_it(books: Books) -> None:
    [(attempt, lease)] = await books.submit(books.accounts[0], quote(30))
    new = new_attempt(books.channel, attempt.task_id, quote(20), number=2)

    made = await books.attempts.replace(attempt, lease, fault=FAULT, new=new)
    await books.finish((made, new.lease), video())

    assert await books.entries() == [("reserve", 30), ("settle", 20), ("release", 10)]
    assert await check_books(books.database) is None


async def test_an_unknown_end_gives_back_and_is_kept_in_costs(books: Books) -> None:
    [held] = await books.submit(books.accounts[0], quote(30))

    await books.finish(held, None, status=AttemptStatus.UNKNOWN)

    assert await books.entries() == [("reserve", 30), ("release", 30)]
    [cost] = await books.database.fetch(COSTS)
    assert (cost["state"], cost["basis"], cost["micros"]) == ("unknown", "estimate", 30)


async def test_a_late_video_costs_and_is_not_charged(books: Books) -> None:
    [(attempt, lease)] = await books.submit(books.accounts[0], quote(30))
    await books.finish((attempt, lease), None, status=AttemptStatus.UNKNOWN, follow_at=NOW - MINUTE)
    again = Lease(new_id(), NOW + MINUTE)
    [claimed] = await books.attempts.claim(lease=again, now=NOW, limit=5)

    await books.attempts.record_late(
        claimed, again, result=video(reported=28), reason="late", now=NOW
    )

    assert await books.entries() == [("reserve", 30), ("release", 30)]
    states = [(row["state"], row["micros"]) for row in await books.database.fetch(COSTS)]
    assert states == [("unknown", 30), ("late", 28)]


async def test_without_prices_nothing_is_written(books: Books) -> None:
    [held] = await books.submit(books.accounts[0], None)

    await books.finish(held, video(reported=30))

    assert await books.entries() == []
    assert await books.database.fetch(COSTS) == []


@pytest.mark.parametrize(("waits", "expected"), [(False, ("settle", 30)), (True, ("release", 30))])
async def test_a_discarded_video_is_charged_in_full_if_there_is_a_job(
    books: Books, *, waits: bool, expected: tuple[str, int]
) -> None:
    members: dict[str, Any] = {"wait_until": NOW} if waits else {}
    [(attempt, _)] = await books.submit(books.accounts[0], quote(30), **members)

    async with books.database.transaction() as transaction:
        task = await transaction.fetch_one(attempt_statements.LOCK_TASK, task_id=attempt.task_id)
        assert task is not None
        [output] = await transaction.fetch(
            attempt_statements.FINISH_OUTPUT,
            task_id=attempt.task_id,
            position=0,
            status="cancelled",
            result=None,
            error_code="cancelled",
            error_message="",
            now=NOW,
        )
        await close_output(transaction, task, 0, hold=output["hold"], is_cancelled=True)

    assert await books.entries() == [("reserve", 30), expected]
    assert await check_books(books.database) is None


async def test_repairs_by_hand_charge_and_give_back(books: Books) -> None:
    repairs, later = RepairStore(books.database), NOW + 10 * MINUTE
    [(made, _)] = await books.submit(books.accounts[0], quote(30))
    [(lost, _)] = await books.submit(books.accounts[0], quote(20))

    await repairs.attach(made.task_id, position=0, result=video(), now=later, author=ITSELF)
    await repairs.fail(lost.task_id, error=ERROR, follow_at=later, now=later, author=ITSELF)

    assert sorted(await books.entries()) == [
        ("release", 20),
        ("reserve", 20),
        ("reserve", 30),
        ("settle", 30),
    ]
    assert await check_books(books.database) is None


async def test_a_task_that_is_undone_gives_back(books: Books) -> None:
    account = await prepaid(books, 100)
    task = new_task(account)
    option = new_attempt(books.channel, task.id, quote(30))
    await books.tasks.create(task, [option])

    assert await books.tasks.abandon(task, [option])

    balance = await books.ledger.balance(account.id)
    assert balance is not None
    assert (balance.available, balance.held) == (100, 0)
    assert await check_books(books.database) is None


async def test_a_repetition_holds_nothing(books: Books) -> None:
    once = IdempotencyClaim(key="k", fingerprint=b"f", lifetime=timedelta(hours=1))
    task, again = new_task(books.accounts[0]), new_task(books.accounts[0])
    await books.tasks.create(task, [new_attempt(books.channel, task.id, quote(30))], once=once)

    with pytest.raises(RepeatedError):
        await books.tasks.create(
            again, [new_attempt(books.channel, again.id, quote(30))], once=once
        )

    assert await books.entries() == [("reserve", 30)]


async def test_a_reference_moves_money_once(books: Books) -> None:
    account = await prepaid(books, 0)

    first, second = await asyncio.gather(
        *(books.ledger.move(account.id, "credit", 50, reference="R") for _ in range(2))
    )

    assert {first.replayed, second.replayed} == {False, True}
    assert first.id == second.id
    balance = await books.ledger.balance(account.id)
    assert balance is not None
    assert balance.available == 50
    with pytest.raises(ConfigurationError, match=r"used for 0\.000050"):
        await books.ledger.move(account.id, "credit", 51, reference="R")


@pytest.mark.parametrize(("credit", "spent", "available"), [(100, 30, 70), (0, 30, 0), (10, 30, 0)])
async def test_a_new_balance_is_taken_from_the_entries(
    books: Books, credit: int, spent: int, available: int
) -> None:
    account = books.accounts[0]
    if credit:
        await books.ledger.move(account.id, "credit", credit, reference=None)
    await books.submit(account, quote(spent))

    balance = await books.ledger.set_prepaid(account.id, prepaid=True)

    assert balance is not None
    assert (balance.available, balance.held) == (available, spent)
    assert await check_books(books.database) is None


@pytest.mark.parametrize("command", ["UPDATE entries SET micros = 1", "DELETE FROM entries"])
async def test_entries_are_never_changed(books: Books, command: str) -> None:
    await books.submit(books.accounts[0], quote(30))

    with pytest.raises(asyncpg.RaiseError, match="never changed"):
        await books.database.execute(Statement(text(command)))


FORGERIES = {
    "a balance": "UPDATE balances SET available = available + 1",
    "an end without its entries": "UPDATE outputs SET status = 'failed'",
    "a hold": "UPDATE outputs SET hold = jsonb_set(hold, '{micros}', '31')",
    "a task": "UPDATE tasks SET reserved_micros = 31",
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_the_check_names_what_is_wrong(books: Books, name: str) -> None:
    account = await prepaid(books, 100)
    await books.submit(account, quote(30))
    assert await check_books(books.database) is None

    await books.database.execute(Statement(text(FORGERIES[name])))

    told = await check_books(books.database)
    assert told is not None
    assert told.sentence.startswith("The ")
    assert told.micros in (1, 30)


async def test_the_check_recomputes_every_amount(books: Books) -> None:
    [held] = await books.submit(books.accounts[0], quote(30))
    await books.finish(held, video(reported=24))
    await books.database.execute(
        Statement(text("UPDATE outputs SET result = jsonb_set(result, '{cost}', '\"25\"')"))
    )

    told = await check_books(books.database)

    assert told is not None
    assert told.sentence.endswith("was charged 24; its price says 25.")
    assert told.micros == 1


async def test_a_video_that_was_given_away_is_found(books: Books) -> None:
    [held] = await books.submit(books.accounts[0], quote(30))
    await books.finish(held, None)
    await books.database.execute(Statement(text("UPDATE attempts SET status = 'succeeded'")))
    await books.database.execute(
        Statement(text("UPDATE outputs SET status = 'succeeded', result = '{\"url\": \"a\"}'"))
    )

    told = await check_books(books.database)

    assert told is not None
    assert told.micros == 30


async def test_the_books_are_proved_by_one_process_a_day(books: Books) -> None:
    day = timedelta(hours=24)

    turns = [await claim_check(books.database, day) for _ in range(2)]

    assert turns == [True, False]
    assert await claim_check(books.database, timedelta())


# Everything at once, in any order


_WINDOWS = Statement(
    text(
        """
        SELECT b.scope_id, b.measure, b.period,
               w.used + w.held - coalesce((SELECT sum(micros) FROM entries
                   WHERE kind = 'extra' AND w.id = ANY (windows)), 0) AS used
        FROM budget_windows w JOIN budgets b ON b.id = w.budget_id
        """
    )
)
_IN_FLIGHT = Statement(
    text(
        """
        SELECT unnest(ARRAY[t.account_id, t.token_id]) AS owner, count(*) FROM tasks t
        JOIN outputs o ON o.task_id = t.id AND o.status IN ('queued', 'in_progress')
        JOIN attempts a ON a.task_id = t.id AND a.position = o.position
                       AND a.status IN ('submitting', 'running')
        GROUP BY owner
        """
    )
)
_LIMITS = [
    (Measure.SPEND, Period.DAY),
    (Measure.SPEND, Period.TOTAL),
    (Measure.TASKS, Period.DAY),
    (Measure.TASKS, Period.WEEK),
    (Measure.IN_FLIGHT, Period.AT_ONCE),
    (Measure.REQUESTS, Period.MINUTE),
]


class Machine(RuleBasedStateMachine):
    """Accounts, submits, ends, credits, limits and crashes, several at once.

    What is drawn never depends on what a race came to: no rule has a precondition, and what one
    takes from a list is drawn as any number. Otherwise equal choices would lead to other draws,
    which Hypothesis refuses as flaky.
    """

    url: ClassVar[str]
    tables: ClassVar[list[str]]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.open: list[tuple[Attempt, Lease]] = []
        self.waiting: list[Attempt] = []
        self.now = NOW
        self.tokens = [new_id(), new_id()]
        self.highest: dict[tuple[str, str, str], int] = {}
        """Of each limit that there ever was: what was used before one was lowered stays."""
        self.do(clean_database(self.url, self.tables))
        self.books = self.do(self._open())

    async def _open(self) -> Books:
        database = await Database.connect(self.url, pool_size=4)
        books = await Books(database).open()
        await books.ledger.set_prepaid(books.accounts[0].id, prepaid=True)
        await books.ledger.move(books.accounts[0].id, "credit", 200, reference=None)
        return books

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @override
    def teardown(self) -> None:
        self.do(self.books.database.aclose())
        self.runner.close()

    async def _admission(self, account: int) -> Admission:
        limits = LimitStore(self.books.database)
        return Admission(await limits.of(self.books.accounts[account].id, self.tokens[account]))

    async def _submit(
        self, account: int, units: list[int], *, waits: bool, books: Books | None = None
    ) -> None:
        members: dict[str, Any] = {"deadline_at": self.now + timedelta(hours=24)}
        members |= {"wait_until": NOW} if waits else {}
        try:
            made = await (books or self.books).submit(
                self.books.accounts[account],
                *(quote(one) for one in units),
                token_id=self.tokens[account],
                now=self.now,
                admission=await self._admission(account),
                **members,
            )
        except (InsufficientQuotaError, RateLimitError):
            return
        if waits:
            self.waiting += [attempt for attempt, _ in made]
        else:
            self.open += made

    @rule(
        account=st.integers(0, 1),
        units=st.lists(st.integers(0, LARGEST), min_size=1, max_size=3),
        waits=st.booleans(),
        times=st.integers(1, 3),
    )
    def submit(self, account: int, units: list[int], *, waits: bool, times: int) -> None:
        async def at_once() -> None:
            await asyncio.gather(*(self._submit(account, units, waits=waits) for _ in range(times)))

        self.do(at_once())

    @rule(
        places=st.lists(st.integers(0, 99), min_size=1, max_size=3),
        reported=st.none() | st.integers(0, 2 * LARGEST),
        status=st.sampled_from(["made", "failed", "unknown"]),
    )
    def finish(self, places: list[int], reported: int | None, status: str) -> None:
        ends = [self.open.pop(place % len(self.open)) for place in places[: len(self.open)]]
        result = video(reported) if status == "made" else None
        members = {"status": AttemptStatus.UNKNOWN} if status == "unknown" else {}

        async def at_once() -> None:
            await asyncio.gather(*(self.books.finish(one, result, **members) for one in ends))

        self.do(at_once())

    @rule(units=st.integers(0, LARGEST), unknown=st.booleans())
    def move(self, units: int, *, unknown: bool) -> None:
        if not self.open:
            return
        attempt, lease = self.open.pop()
        new = new_attempt(
            self.books.channel,
            attempt.task_id,
            quote(units),
            number=attempt.number + 1,
            position=attempt.position,
        )
        made = self.do(
            self.books.attempts.replace(attempt, lease, fault=FAULT, new=new, unknown=unknown)
        )
        self.open.append((made, new.lease))

    @rule()
    def cancel(self) -> None:
        if not self.waiting:
            return
        task_id = self.waiting[-1].task_id
        self.waiting = [one for one in self.waiting if one.task_id != task_id]
        self.do(self.books.attempts.cancel_waiting(task_id, [0, 1, 2, 3, 4, 5, 6, 7], now=NOW))

    @rule(times=st.integers(1, 3))
    def start(self, times: int) -> None:
        channel = self.books.channel

        async def start() -> list[tuple[Attempt, Lease]]:
            return await self.books.attempts.start_waiting(
                channel.id,
                credential_id=channel.credential_id,
                max_concurrency=None,
                lease_id=new_id(),
                margin=MINUTE,
                now=NOW,
                limit=2,
            )

        async def at_once() -> list[list[tuple[Attempt, Lease]]]:
            return await asyncio.gather(*(start() for _ in range(times)))

        before = self.do(self._in_flight())
        for started in self.do(at_once()):
            self.open += started
            begun = {attempt.id for attempt, _ in started}
            self.waiting = [one for one in self.waiting if one.id not in begun]
        for owner, count in self.do(self._in_flight()).items():
            most = self.do(self._most_in_flight(owner))
            assert most is None or count <= max(most, before.get(owner, 0))

    async def _in_flight(self) -> dict[UUID, int]:
        rows = await self.books.database.fetch(_IN_FLIGHT)
        return {row["owner"]: row["count"] for row in rows}

    async def _most_in_flight(self, owner: UUID) -> int | None:
        limits = await LimitStore(self.books.database).of(owner)
        return min((one.limit for one in limits if one.measure is Measure.IN_FLIGHT), default=None)

    @rule(after=st.integers(0, 12), reported=st.none() | st.integers(0, 2 * LARGEST))
    def crash_in_finish(self, after: int, reported: int | None) -> None:
        if not self.open:
            return
        cut = AttemptStore(CutDatabase(self.books.database, after))
        attempt, lease = self.open[-1]

        async def finish() -> None:
            await cut.finish(
                attempt,
                lease,
                status=AttemptStatus.SUCCEEDED,
                result=video(reported),
                now=NOW,
            )

        try:
            self.do(finish())
        except CutError:
            return
        self.open.pop()

    @rule(after=st.integers(0, 15), account=st.integers(0, 1), units=st.integers(1, LARGEST))
    def crash_in_submit(self, after: int, account: int, units: int) -> None:
        books = Books(CutDatabase(self.books.database, after))
        books.channel, books.accounts = self.books.channel, self.books.accounts
        with suppress(CutError):
            self.do(self._submit(account, [units], waits=False, books=books))

    @rule(
        account=st.integers(0, 1),
        of_token=st.booleans(),
        limit=st.sampled_from(_LIMITS),
        most=st.none() | st.integers(1, 5) | st.integers(LARGEST, 4 * LARGEST),
    )
    def limit(
        self, account: int, limit: tuple[Measure, Period], most: int | None, *, of_token: bool
    ) -> None:
        scope = Scope.TOKEN if of_token else Scope.ACCOUNT
        owner = self.tokens[account] if of_token else self.books.accounts[account].id
        change = LimitChange(measure=limit[0], period=limit[1], limit=most)
        self.do(LimitStore(self.books.database).change(scope, owner, [change], ITSELF))
        name = str(owner), limit[0].value, limit[1].value
        self.highest[name] = max(self.highest.get(name, 0), most or 0)

    @rule(span=st.sampled_from([timedelta(seconds=20), timedelta(days=1)]))
    def wait(self, span: timedelta) -> None:
        self.now += span

    @rule(units=st.integers(1, LARGEST), account=st.integers(0, 1), is_stored=st.booleans())
    def abandon(self, units: int, account: int, *, is_stored: bool) -> None:
        task = new_task(
            self.books.accounts[account], token_id=self.tokens[account], created_at=self.now
        )
        option = new_attempt(self.books.channel, task.id, quote(units))
        admission = self.do(self._admission(account))
        with suppress(InsufficientQuotaError, RateLimitError):
            if is_stored:
                self.do(self.books.tasks.create(task, [option], admission=admission))
        assert self.do(self.books.tasks.abandon(task, [option]))

    @rule(
        account=st.integers(0, 1),
        micros=st.integers(-LARGEST, 3 * LARGEST).filter(bool),
        reference=st.none() | st.sampled_from("abc"),
    )
    def pay(self, account: int, micros: int, reference: str | None) -> None:
        try:
            self.do(
                self.books.ledger.move(
                    self.books.accounts[account].id,
                    "credit" if micros > 0 else "adjust",
                    micros,
                    reference=reference,
                )
            )
        except ConfigurationError:
            assert reference is not None

    @rule(account=st.integers(0, 1), prepaid=st.booleans(), units=st.integers(1, LARGEST))
    def switch(self, account: int, *, prepaid: bool, units: int) -> None:
        async def at_once() -> None:
            await asyncio.gather(
                self._submit(account, [units], waits=False),
                self.books.ledger.set_prepaid(self.books.accounts[account].id, prepaid=prepaid),
            )

        self.do(at_once())

    @invariant()
    def the_books_are_right(self) -> None:
        assert self.do(check_books(self.books.database)) is None

    @invariant()
    def no_budget_is_exceeded(self) -> None:
        for row in self.do(self.books.database.fetch(_WINDOWS)):
            name = row["scope_id"], row["measure"], row["period"]
            assert row["used"] <= self.highest[name]


@pytest.fixture
def migrated(_migrated_database: tuple[str, list[str]]) -> tuple[str, list[str]]:
    return _migrated_database


def test_the_books_are_right_after_every_step(migrated: tuple[str, list[str]]) -> None:
    Machine.url, Machine.tables = migrated
    Machine.TestCase.settings = settings(
        max_examples=16,
        stateful_step_count=24,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    Machine.TestCase("runTest").runTest()
