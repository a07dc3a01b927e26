"""The ledger: money moves from book to book, in the transaction of what it is for.

Whoever moves money of an account takes a shared lock on its books first, as the last lock but for
its balance, and after the windows of its budgets: what switches an account between prepaid and
postpaid takes it for itself alone. An entry is never changed. Only prepaid accounts have a balance,
which is the sum of its entries; what a window has used and held is the sum of those that name it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

from sqlalchemy import DateTime, Integer, Uuid, bindparam, select, text

from vidgate.db.acts import write_act
from vidgate.db.budgets import close_windows
from vidgate.db.engine import Database, Record, Statement, Transaction
from vidgate.db.limits import WINDOW
from vidgate.db.notices import write_notice
from vidgate.db.tables import attempts, outputs
from vidgate.exceptions import ConfigurationError, InsufficientQuotaError
from vidgate.models.acts import ITSELF, Act, Author
from vidgate.models.ids import ACCOUNT_PREFIX, CHANNEL_PREFIX, TASK_PREFIX, public_id
from vidgate.models.money import ESTIMATE, Balance, Charge, Hold, Movement, Quote, format_amount
from vidgate.models.outcomes import VideoResult

__all__ = [
    "EXTRA",
    "FULL",
    "LedgerStore",
    "Margin",
    "close_output",
    "give_back",
    "record_cost",
    "reserve",
]

_REVENUE: Final = "revenue"
_OUTSIDE: Final = "outside"
_HAS_JOB: Final = ("submitting", "running")
EXTRA: Final = "charge.extra"
"""What a notice is called that a provider took more than was held."""

_LONG_SECONDS: Final = 600.0
"""A question about all there is, which an operator asks."""

FULL: Final = "full"
"""Where a charge is from that is all of what was held."""

_SHARE = Statement(
    text(
        "SELECT pg_advisory_xact_lock_shared("
        "hashtextextended('books:' || CAST(:account AS text), 0))"
    )
)
_LOCK = Statement(
    text("SELECT pg_advisory_xact_lock(hashtextextended('books:' || CAST(:account AS text), 0))")
)
_RESERVE = Statement(
    text(
        """
        WITH paid AS (
            UPDATE balances
            SET available = available - CAST(:micros AS bigint),
                held = held + CAST(:micros AS bigint)
            WHERE account_id = CAST(:account_id AS uuid)
              AND available - CAST(:micros AS bigint) >= -overdraft
            RETURNING 1
        )
        INSERT INTO entries (from_book, to_book, micros, kind, account_id, token_id, task_id,
                             position, actor, price_version, native_units, native_unit, windows)
        SELECT CAST(:from_book AS text), CAST(:to_book AS text), one.micros, 'reserve',
               CAST(:account_id AS uuid), CAST(:token_id AS uuid), CAST(:task_id AS uuid),
               one.position, CAST(:actor AS text), one.version, one.units, one.unit,
               CAST(:windows AS bigint[])
        FROM unnest(CAST(:positions AS integer[]), CAST(:amounts AS bigint[]),
                    CAST(:versions AS bigint[]), CAST(:units AS numeric[]),
                    CAST(:names AS text[])) AS one (position, micros, version, units, unit)
        WHERE EXISTS (SELECT 1 FROM paid)
           OR NOT EXISTS (SELECT 1 FROM balances WHERE account_id = CAST(:account_id AS uuid))
        """
    )
)
_CLOSE = Statement(
    text(
        """
        WITH moved AS (
            UPDATE balances
            SET held = held - CAST(:held AS bigint),
                available = available + CAST(:freed AS bigint)
            WHERE account_id = CAST(:account_id AS uuid)
              AND (CAST(:held AS bigint) <> 0 OR CAST(:freed AS bigint) <> 0)
        ), charged AS (
            UPDATE tasks SET charged_micros = coalesce(charged_micros, 0) + CAST(:charged AS bigint)
            WHERE id = CAST(:task_id AS uuid)
        )
        INSERT INTO entries (from_book, to_book, micros, kind, account_id, token_id, task_id,
                             position, actor, price_version, native_units, native_unit, basis,
                             windows)
        SELECT one.from_book, one.to_book, one.micros, one.kind, CAST(:account_id AS uuid),
               CAST(:token_id AS uuid), CAST(:task_id AS uuid), CAST(:position AS integer),
               CAST(:actor AS text), CAST(:version AS bigint), CAST(:units AS numeric),
               CAST(:unit AS text), CAST(:basis AS text), CAST(:windows AS bigint[])
        FROM unnest(CAST(:kinds AS text[]), CAST(:amounts AS bigint[]),
                    CAST(:from_books AS text[]), CAST(:to_books AS text[]))
             AS one (kind, micros, from_book, to_book)
        """
    )
)
_LAST_ATTEMPT = Statement(
    select(attempts.c.status, attempts.c.price, attempts.c.channel_id)
    .where(
        attempts.c.task_id == bindparam("task_id", type_=Uuid),
        attempts.c.position == bindparam("position", type_=Integer),
    )
    .order_by(attempts.c.number.desc())
    .limit(1)
)
_HELD = Statement(
    select(outputs.c.position, outputs.c.hold, outputs.c.windows)
    .where(outputs.c.task_id == bindparam("task_id", type_=Uuid))
    .order_by(outputs.c.position)
)
_COST = Statement(
    text(
        f"""
        WITH counted AS (
            INSERT INTO budget_windows (budget_id, starts_at, used)
            SELECT b.id, b.starts_at,
                   CASE b.measure WHEN 'micros' THEN coalesce(CAST(:micros AS bigint), 0)
                                  ELSE 1 END
            FROM (SELECT b.id, b.measure, {WINDOW} FROM budgets b
                  WHERE b.scope = 'channel' AND b.removed_at IS NULL
                    AND b.scope_id = CAST(CAST(:channel_id AS uuid) AS text)
                    AND b.measure = ANY (ARRAY['micros', 'tasks'])) AS b
            WHERE NOT EXISTS (SELECT 1 FROM costs
                              WHERE attempt_id = CAST(:attempt_id AS uuid))
            ORDER BY b.id
            ON CONFLICT (budget_id, starts_at) DO UPDATE
            SET used = budget_windows.used + excluded.used
            RETURNING id
        )
        INSERT INTO costs (attempt_id, task_id, position, channel_id, model, state, native_units,
                           native_unit, basis, micros, windows)
        SELECT CAST(:attempt_id AS uuid), CAST(:task_id AS uuid), CAST(:position AS integer),
               CAST(:channel_id AS uuid), CAST(:model AS text), CAST(:state AS text),
               CAST(:units AS numeric), CAST(:unit AS text), CAST(:basis AS text),
               CAST(:micros AS bigint), (SELECT array_agg(id ORDER BY id) FROM counted)
        WHERE CAST(:has_price AS boolean) OR EXISTS (SELECT 1 FROM counted)
        ON CONFLICT DO NOTHING
        """  # noqa: S608 - constants
    ).bindparams(bindparam("now", type_=DateTime(timezone=True)))
)
_PREPAY = Statement(
    text(
        """
        INSERT INTO balances (account_id, available, held)
        SELECT CAST(:account_id AS uuid),
               coalesce(sum(CASE WHEN to_book = :account THEN micros
                                 WHEN from_book = :account THEN -micros ELSE 0 END), 0),
               coalesce(sum(CASE WHEN to_book = :held THEN micros
                                 WHEN from_book = :held THEN -micros ELSE 0 END), 0)
        FROM entries WHERE account_id = CAST(:account_id AS uuid)
        ON CONFLICT DO NOTHING
        RETURNING available
        """
    )
)
_POSTPAY = Statement(text("DELETE FROM balances WHERE account_id = CAST(:account_id AS uuid)"))
_SET_FACTOR = Statement(
    text(
        "UPDATE accounts SET factor = CAST(:factor AS numeric) WHERE id = CAST(:account_id AS uuid)"
    )
)
_BALANCE = Statement(
    text(
        "SELECT available, held, overdraft FROM balances "
        "WHERE account_id = CAST(:account_id AS uuid)"
    )
)
_BALANCES = Statement(text("SELECT account_id, available, held, overdraft FROM balances"))
_MOVE = Statement(
    text(
        """
        INSERT INTO entries (from_book, to_book, micros, kind, account_id, reference, reason, actor)
        VALUES (CAST(:from_book AS text), CAST(:to_book AS text), CAST(:micros AS bigint),
                CAST(:kind AS text), CAST(:account_id AS uuid), CAST(:reference AS text),
                CAST(:reason AS text), CAST(:actor AS text))
        ON CONFLICT DO NOTHING
        RETURNING id
        """
    )
)
_MADE_BEFORE = Statement(
    text(
        """
        SELECT id, CASE WHEN to_book = :account THEN micros ELSE -micros END AS micros
        FROM entries WHERE account_id = CAST(:account_id AS uuid) AND kind = CAST(:kind AS text)
                       AND reference = CAST(:reference AS text)
        """
    )
)
_ADD = Statement(
    text(
        "UPDATE balances SET available = available + CAST(:micros AS bigint) "
        "WHERE account_id = CAST(:account_id AS uuid)"
    )
)
_MARGINS = Statement(
    text(
        """
        WITH charged AS (
            SELECT task_id, position, CAST(sum(micros) AS bigint) AS micros FROM entries
            WHERE kind = ANY (ARRAY['settle', 'extra'])
              AND at >= CAST(:since AS timestamptz) AND at < CAST(:until AS timestamptz)
            GROUP BY task_id, position
        ), paid AS (
            -- A late end of an attempt says more than what was kept of it before.
            SELECT DISTINCT ON (attempt_id) channel_id, model, state, micros FROM costs
            WHERE at >= CAST(:since AS timestamptz) AND at < CAST(:until AS timestamptz)
            ORDER BY attempt_id, id DESC
        ), both_sides AS (
            SELECT a.channel_id, a.upstream_model AS model, 1 AS videos, c.micros AS charged,
                   0 AS cost, 0 AS wasted, 0 AS unknown
            FROM charged c LEFT JOIN LATERAL (
                SELECT channel_id, upstream_model FROM attempts
                WHERE task_id = c.task_id AND position = c.position
                ORDER BY number DESC LIMIT 1
            ) AS a ON true
            UNION ALL
            SELECT channel_id, model, 0, 0, coalesce(micros, 0),
                   CASE WHEN state = 'made' THEN 0 ELSE coalesce(micros, 0) END,
                   CASE WHEN micros IS NULL THEN 1 ELSE 0 END
            FROM paid
        )
        SELECT channel_id, model, CAST(sum(videos) AS bigint) AS videos,
               CAST(sum(charged) AS bigint) AS charged_micros,
               CAST(sum(cost) AS bigint) AS cost_micros,
               CAST(sum(wasted) AS bigint) AS wasted_micros,
               CAST(sum(unknown) AS bigint) AS unknown_costs
        FROM both_sides GROUP BY channel_id, model
        ORDER BY sum(charged) - sum(cost) DESC, channel_id, model
        """
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What was charged for what a channel made of a model, and what was paid, in millionths.

    Attributes:
        channel_id: `None`, and no model, where the tasks are kept no longer.
        videos: That something was charged for.
        wasted_micros: Of the cost, for what no client got: it failed, came late, or nobody knows.
        unknown_costs: How many costs are not in it because nobody told them.
    """

    channel_id: UUID | None
    model: str | None
    videos: int
    charged_micros: int
    cost_micros: int
    wasted_micros: int
    unknown_costs: int


def _account(account_id: UUID) -> str:
    return f"account:{account_id}"


def _held(account_id: UUID) -> str:
    return f"held:{account_id}"


def _decimal(units: Fraction | None) -> Decimal | None:
    return None if units is None else Decimal(units.numerator) / Decimal(units.denominator)


def _unit(quote: Quote | None) -> str | None:
    return quote.tariff.unit if quote and quote.tariff else None


# Parts of other transactions


async def reserve(
    transaction: Transaction,
    holds: Sequence[Hold],
    *,
    account_id: UUID,
    token_id: UUID,
    task_id: UUID,
    windows: Sequence[int] = (),
) -> None:
    """Hold the money for a task's outputs, all of it or none.

    Args:
        transaction: In which they were stored.
        holds: For each of them.
        account_id: Whose money.
        token_id: By which it was asked for.
        task_id: Of the outputs.
        windows: Of budgets that hold it as well.

    Raises:
        InsufficientQuotaError: The account has not enough; the transaction must not be committed.
    """
    wanted = [(position, hold) for position, hold in enumerate(holds) if hold.micros > 0]
    if not wanted:
        return
    await transaction.execute(_SHARE, account=str(account_id))
    total = sum(hold.micros for _, hold in wanted)
    written = await transaction.execute(
        _RESERVE,
        micros=total,
        account_id=account_id,
        token_id=token_id,
        task_id=task_id,
        from_book=_account(account_id),
        to_book=_held(account_id),
        actor=ITSELF.actor,
        positions=[position for position, _ in wanted],
        amounts=[hold.micros for _, hold in wanted],
        versions=[hold.quote.version for _, hold in wanted],
        units=[_decimal(hold.quote.units) for _, hold in wanted],
        names=[_unit(hold.quote) for _, hold in wanted],
        windows=list(windows) or None,
    )
    if written < len(wanted):
        raise InsufficientQuotaError(
            f"This request costs {format_amount(total, shortest=True)} and the account has not "
            "that much left; top it up, or ask for less."
        )


async def close_output(
    transaction: Transaction,
    task: Record,
    position: int,
    *,
    hold: Mapping[str, Any] | None,
    windows: Sequence[int] | None = None,
    result: VideoResult | None = None,
    is_cancelled: bool = False,
) -> None:
    """Charge what an output is charged and give back the rest of what was held for it.

    A video is charged by the quote of the attempt that made it. What is cancelled while its job
    runs on, so that its video is discarded, is charged in full.

    Args:
        transaction: In which the output became final; the task is locked.
        task: Its `id`, `account_id` and `token_id`.
        position: Of the output.
        hold: As it was stored, `None` where nothing is charged.
        windows: Of budgets that it is held in.
        result: The video.
        is_cancelled: Whether the output was cancelled.
    """
    last = await transaction.fetch_one(_LAST_ATTEMPT, task_id=task["id"], position=position)
    is_discarded = is_cancelled and last is not None and last["status"] in _HAS_JOB
    held: int = 0 if hold is None else hold["micros"]
    quote = Quote.from_document(last["price"]) if last and last["price"] else None
    charge: Charge | None = None
    if hold is not None and is_discarded:
        charge = Charge(micros=held, units=None, basis=FULL)
    elif hold is not None and result is not None and quote is not None:
        charge = quote.settle(result, Fraction(hold["factor"]))
    charged = 0 if charge is None else charge.micros
    if charge is not None and not charge.is_reported:
        charged = min(charged, held)  # only the provider may say that it took more than that
    if windows:
        await close_windows(
            transaction,
            windows,
            task_id=task["id"],
            position=position,
            held=held,
            charged=charged,
            is_made=is_discarded or result is not None,
        )
    if hold is None:
        return
    account_id: UUID = task["account_id"]
    await transaction.execute(_SHARE, account=str(account_id))
    mine, held_book = _account(account_id), _held(account_id)
    moves = [
        (kind, micros, source, target)
        for kind, micros, source, target in (
            ("settle", min(charged, held), held_book, _REVENUE),
            ("release", max(0, held - charged), held_book, mine),
            ("extra", max(0, charged - held), mine, _REVENUE),
        )
        if micros > 0
    ]
    await transaction.execute(
        _CLOSE,
        account_id=account_id,
        token_id=task["token_id"],
        task_id=task["id"],
        position=position,
        actor=ITSELF.actor,
        held=held,
        freed=held - charged,
        charged=charged,
        version=quote.version if quote else None,
        units=_decimal(charge.units) if charge else None,
        unit=_unit(quote),
        basis=charge.basis if charge else None,
        windows=list(windows) if windows else None,
        kinds=[kind for kind, *_ in moves],
        amounts=[micros for _, micros, *_ in moves],
        from_books=[source for *_, source, _ in moves],
        to_books=[target for *_, target in moves],
    )
    if charged > held and last is not None:
        told = {
            "task": public_id(TASK_PREFIX, task["id"]),
            "output": position,
            "account": public_id(ACCOUNT_PREFIX, account_id),
            "channel_id": public_id(CHANNEL_PREFIX, last["channel_id"]),
            "micros": charged - held,
            "held_micros": held,
            "amount": format_amount(charged - held),
            "currency": hold["currency"],
        }
        await write_notice(transaction, EXTRA, told)


async def give_back(
    transaction: Transaction, *, account_id: UUID, token_id: UUID, task_id: UUID
) -> None:
    """Give back what is held for the outputs of a task that is undone."""
    task: Any = {"id": task_id, "account_id": account_id, "token_id": token_id}
    for row in await transaction.fetch(_HELD, task_id=task_id):
        position, hold, windows = row["position"], row["hold"], row["windows"]
        if hold is not None or windows:
            await close_output(transaction, task, position, hold=hold, windows=windows)


async def record_cost(
    transaction: Transaction | Database,
    attempt: Any,
    price: Mapping[str, Any] | None,
    *,
    state: str,
    result: VideoResult | None,
) -> None:
    """Keep what an attempt cost at its provider; the estimate where nobody tells.

    It counts once in the budgets of the channel, in the windows in which it was sent.

    Args:
        transaction: In which the attempt ended.
        attempt: The attempt.
        price: Its stored quote, `None` where it has none.
        state: `made`, `failed`, `unknown` or `late`.
        result: What it made.
    """
    quote = None if price is None else Quote.from_document(price)
    cost = None if quote is None else quote.cost or quote
    charge = cost.settle(result) if cost is not None and result is not None else None
    units = charge.units if charge else cost.units if cost else None
    micros: int | None = None
    if cost is not None and cost.tariff is not None and units is not None:
        micros = charge.micros if charge else cost.micros()
    await transaction.execute(
        _COST,
        attempt_id=attempt.id,
        task_id=attempt.task_id,
        position=attempt.position,
        channel_id=attempt.channel_id,
        model=attempt.upstream_model,
        state=state,
        units=_decimal(units),
        unit=_unit(cost),
        basis=charge.basis if charge else ESTIMATE,
        micros=micros,
        has_price=quote is not None,
        now=attempt.sent_at or attempt.created_at,
    )


class LedgerStore:
    """What operators do with money."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def balance(self, account_id: UUID) -> Balance | None:
        """What an account has, `None` if it is postpaid."""
        row = await self._database.fetch_one(_BALANCE, account_id=account_id)
        return Balance(**dict(row)) if row else None

    async def balances(self) -> dict[UUID, Balance]:
        """What each prepaid account has."""
        rows = [dict(row) for row in await self._database.fetch(_BALANCES)]
        return {row.pop("account_id"): Balance(**row) for row in rows}

    async def set_prepaid(
        self, account_id: UUID, *, prepaid: bool, by: Author = ITSELF
    ) -> Balance | None:
        """Give an account a balance, which is the sum of its entries, or take it away.

        What is below zero is raised to it by one entry.
        """
        async with self._database.transaction() as transaction:
            await transaction.execute(_LOCK, account=str(account_id))
            if not prepaid:
                changed = await transaction.execute(_POSTPAY, account_id=account_id)
            else:
                changed = await self._prepay(transaction, account_id, by)
            if changed:
                await self._act(transaction, account_id, "account.set", by, {"prepaid": prepaid})
            row = await transaction.fetch_one(_BALANCE, account_id=account_id)
        return Balance(**dict(row)) if row else None

    async def _prepay(self, transaction: Transaction, account_id: UUID, by: Author) -> int:
        row = await transaction.fetch_one(
            _PREPAY, account_id=account_id, account=_account(account_id), held=_held(account_id)
        )
        if row is None:
            return 0
        if row["available"] < 0:
            await transaction.execute(
                _MOVE,
                from_book=_OUTSIDE,
                to_book=_account(account_id),
                micros=-row["available"],
                kind="adjust",
                account_id=account_id,
                reference=None,
                reason="opening",
                actor=by.actor,
            )
            await transaction.execute(_ADD, micros=-row["available"], account_id=account_id)
        return 1

    async def margins(self, since: datetime, until: datetime) -> list[Margin]:
        """What was charged and paid in a time, by channel and model; the best come first."""
        rows = await self._database.fetch(_MARGINS, since=since, until=until, timeout=_LONG_SECONDS)
        return [Margin(**row) for row in rows]

    async def set_factor(self, account_id: UUID, factor: Decimal, by: Author = ITSELF) -> None:
        """Multiply an account's prices from now on; what is under way keeps its own."""
        async with self._database.transaction() as transaction:
            await transaction.execute(_SET_FACTOR, account_id=account_id, factor=factor)
            told = {"factor": str(factor)}
            await self._act(transaction, account_id, "account.set", by, told)

    async def move(
        self,
        account_id: UUID,
        kind: str,
        micros: int,
        *,
        reference: str | None,
        by: Author = ITSELF,
    ) -> Movement:
        """Credit or adjust an account; the same reference moves money once.

        Args:
            account_id: Whose.
            kind: `credit` or `adjust`.
            micros: Below zero to take away.
            reference: By which a repetition is known, `None` for no such.
            by: Who does it, and why.

        Raises:
            ConfigurationError: The reference was used for another amount, or nothing is moved.
        """
        if micros == 0 or (kind == "credit" and micros < 0):
            raise ConfigurationError("The amount must be above zero.")
        mine = _account(account_id)
        async with self._database.transaction() as transaction:
            await transaction.execute(_SHARE, account=str(account_id))
            row = await transaction.fetch_one(
                _MOVE,
                from_book=_OUTSIDE if micros > 0 else mine,
                to_book=mine if micros > 0 else _OUTSIDE,
                micros=abs(micros),
                kind=kind,
                account_id=account_id,
                reference=reference,
                reason=by.reason,
                actor=by.actor,
            )
            if row is not None:
                await transaction.execute(_ADD, micros=micros, account_id=account_id)
                told = {"micros": micros, "reference": reference}
                await self._act(transaction, account_id, f"account.{kind}", by, told)
                return Movement(id=row["id"], kind=kind, micros=micros, reference=reference)
            before = await transaction.fetch_one(
                _MADE_BEFORE, account_id=account_id, account=mine, kind=kind, reference=reference
            )
        assert before is not None  # noqa: S101 - entries are never deleted
        if before["micros"] != micros:
            raise ConfigurationError(
                f"The reference {reference!r} was used for {format_amount(before['micros'])} "
                "already; nothing was moved."
            )
        return Movement(
            id=before["id"], kind=kind, micros=micros, reference=reference, replayed=True
        )

    async def _act(
        self,
        transaction: Transaction,
        account_id: UUID,
        name: str,
        by: Author,
        after: dict[str, Any],
    ) -> None:
        subject = public_id(ACCOUNT_PREFIX, account_id)
        await write_act(
            transaction, Act(author=by, name=name, subject=subject, before=None, after=after)
        )
