"""What a request takes of its limits, in the transaction that stores it.

A refusal undoes that transaction, so that it takes nothing. Where nothing is limited, no statement
is run.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import DateTime, bindparam, text

from vidgate.constants import FULL_CHANNEL_RETRY
from vidgate.db.budgets import hold_budgets
from vidgate.db.engine import Statement, Transaction
from vidgate.db.limits import rate_key, rate_use
from vidgate.db.places import PLACES, count_places, lock_places
from vidgate.exceptions import (
    BudgetExceededError,
    InsufficientQuotaError,
    RateLimitError,
    RequestError,
    TooManyInFlightError,
    TooManyQueuedError,
)
from vidgate.models.attempts import Attempt
from vidgate.models.limits import MINUTE, Admission, Limit, LimitUse, Measure, Period, Scope
from vidgate.models.money import format_amount
from vidgate.models.tasks import AttemptStatus

__all__ = ["take_budgets", "take_places", "take_rates"]

_TIME = DateTime(timezone=True)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)

# A generic cell rate: `tat` is when a request would come that is exactly in time. A clock that was
# set back makes nobody wait for longer than a minute.
_TAKE_RATES = Statement(
    text(
        """
        WITH wanted AS MATERIALIZED (
            SELECT one.key, make_interval(secs => one.every) AS every,
                   make_interval(secs => one.burst) AS burst
            FROM unnest(CAST(:keys AS text[]), CAST(:every AS double precision[]),
                        CAST(:bursts AS double precision[])) AS one (key, every, burst)
        ), taken AS (
            INSERT INTO rates (key, tat) SELECT key, :now + every FROM wanted ORDER BY key
            ON CONFLICT (key) DO UPDATE
            SET tat = excluded.tat + least(greatest(rates.tat - :now, interval '0'),
                                           interval '1 minute')
            WHERE least(greatest(rates.tat - :now, interval '0'), interval '1 minute')
                  <= (SELECT burst FROM wanted WHERE wanted.key = excluded.key)
            RETURNING key, tat
        )
        SELECT wanted.key, taken.tat, before.tat AS before
        FROM wanted LEFT JOIN taken USING (key) LEFT JOIN rates before USING (key)
        """
    ).bindparams(bindparam("now", type_=_TIME))
)


async def take_rates(transaction: Transaction, admission: Admission, now: datetime) -> None:
    """Count a request in the rates of its account and its token, in all of them or in none.

    Raises:
        RateLimitError: One of them is used up.
    """
    limits = {
        rate_key(limit): limit for limit in admission.limits if limit.measure is Measure.REQUESTS
    }
    if not limits:
        return
    every = {key: MINUTE.total_seconds() / limit.most(now) for key, limit in limits.items()}
    rows = await transaction.fetch(
        _TAKE_RATES,
        keys=list(limits),
        every=list(every.values()),
        bursts=[MINUTE.total_seconds() - one for one in every.values()],
        now=now,
    )
    refused: list[tuple[float, Limit]] = []
    for row in rows:
        limit = limits[row["key"]]
        is_taken = row["tat"] is not None
        most = limit.most(now)
        used, resets_at = rate_use(limit, row["tat"] if is_taken else row["before"], now)
        used = used if is_taken else most
        admission.uses.append(
            LimitUse(limit=limit, most=most, used=used, resets_at=resets_at, taken=int(is_taken))
        )
        if not is_taken:
            ahead = (min((row["before"] or now) - now, MINUTE)).total_seconds()
            wait = ahead - MINUTE.total_seconds() + every[row["key"]]
            refused.append((max(0.0, wait), limit))
    if refused:
        wait, limit = max(refused, key=lambda one: one[0])
        raise _told(
            RateLimitError(
                f"This {limit.scope.value} may make {limit.most(now)} requests a minute, and they "
                f"are used up; the next one may come in {max(1, round(wait))} s."
            ),
            wait,
        )


async def take_places(
    transaction: Transaction,
    admission: Admission,
    made: Sequence[Attempt],
    *,
    account_id: UUID,
    token_id: UUID,
    now: datetime,
) -> None:
    """See that a task that was just stored has room among those of its account and its token.

    Raises:
        TooManyInFlightError: It would begin, and too much is under way.
        TooManyQueuedError: It would wait, and too much does.
    """
    limits = [limit for limit in admission.limits if limit.measure in PLACES]
    if not limits:
        return
    await lock_places(transaction, account_id)
    counts = await count_places(transaction, account_id, token_id)
    waits = sum(one.status is AttemptStatus.PENDING for one in made)
    added = {Measure.QUEUED: waits, Measure.IN_FLIGHT: len(made) - waits}
    refused: Limit | None = None
    for limit in limits:
        used, most = counts[limit.scope, limit.measure], limit.most(now)
        taken = added[limit.measure]
        if taken > 0 and used > most:
            refused = refused or limit
        admission.uses.append(LimitUse(limit=limit, most=most, used=used, taken=taken))
    if refused is not None:
        raise _told(_no_place(refused, refused.most(now)), FULL_CHANNEL_RETRY.total_seconds())


def _no_place(limit: Limit, most: int) -> RequestError:
    if limit.measure is Measure.QUEUED:
        return TooManyQueuedError(
            f"This {limit.scope.value} may have {most} videos waiting for a place, and there is "
            "none for this request; ask again when some have begun."
        )
    return TooManyInFlightError(
        f"This {limit.scope.value} may have {most} videos under way at once; ask again when some "
        "are finished, or for fewer."
    )


async def take_budgets(
    transaction: Transaction,
    admission: Admission,
    *,
    task_id: UUID,
    model: str,
    outputs: int,
    micros: int,
    now: datetime,
) -> list[int]:
    """Hold a task against the budgets of its account and its token, all of them or none.

    Args:
        transaction: In which it was stored.
        admission: What it is held against.
        task_id: The task.
        model: That was asked for.
        outputs: How many videos.
        micros: What is held for all of them.
        now: Database time.

    Returns:
        The windows that it is held in.

    Raises:
        InsufficientQuotaError: A budget has not so much left.
    """
    amounts = {
        limit.id: (limit, outputs if limit.measure is Measure.TASKS else micros)
        for limit in admission.limits
        if limit.is_budget and limit.covers(model)
    }
    amounts = {budget_id: one for budget_id, one in amounts.items() if one[1] > 0}
    if not amounts:
        return []
    windows: list[int] = []
    refused: list[tuple[LimitUse, int]] = []
    for use, amount, window_id in await hold_budgets(
        transaction, amounts, task_id=task_id, now=now
    ):
        admission.uses.append(use)
        if window_id is None:
            refused.append((use, amount))
            continue
        windows.append(window_id)
        threshold = use.limit.warn_at * use.most
        if (use.used or 0) - use.taken < threshold <= (use.used or 0):
            admission.warned.append(use)
    if refused:
        # Of several the one that lasts longest is named.
        use, amount = max(refused, key=lambda one: one[0].resets_at or _NEVER)
        raise _exceeded(use, amount, now)
    return sorted(windows)


def _exceeded(use: LimitUse, amount: int, now: datetime) -> RequestError:
    limit = use.limit
    span = "in all" if limit.period is Period.TOTAL else f"a {limit.period.value}"
    of_models = f" for {', '.join(limit.models)}" if limit.models else ""
    ends = ""
    if use.resets_at is not None:
        ends = f"; it begins anew at {use.resets_at:%Y-%m-%dT%H:%M:%SZ}"
    sentence = (
        f"This request needs {_written(limit, amount)}, and of the {_written(limit, use.most)} "
        f"{span} that this {limit.scope.value} may use{of_models} {_written(limit, use.left)} "
        f"{'is' if limit.measure is Measure.SPEND else 'are'} left{ends}."
    )
    if limit.scope is Scope.TOKEN and limit.period is Period.TOTAL:
        return InsufficientQuotaError(sentence)
    error = BudgetExceededError(sentence)
    if use.resets_at is not None and amount <= use.most:
        error.retry_after_seconds = max(1, round((use.resets_at - now).total_seconds() + 0.5))
    return error


def _written(limit: Limit, amount: int) -> str:
    if limit.measure is Measure.SPEND:
        return format_amount(amount, shortest=True)
    return f"{amount} videos" if amount != 1 else "1 video"


def _told(error: RequestError, seconds: float) -> RequestError:
    error.retry_after_seconds = max(1, round(seconds + 0.5))
    return error
