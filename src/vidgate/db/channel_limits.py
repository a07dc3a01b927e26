"""What a channel may take: a rate of submits, and budgets of what its jobs cost.

Under the channel's lock its jobs are counted as they are: those under way by what they are expected
to cost, in the window in which they were sent, and those that ended by what they did cost.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from vidgate.db.admission import take_rates
from vidgate.db.engine import Transaction
from vidgate.db.limits import CHANNEL_BUDGETS, limits_of
from vidgate.exceptions import RateLimitError
from vidgate.models.limits import Admission, Limit, Measure

__all__ = ["Room", "channel_limits", "channel_room"]


class Room(Enum):
    """Whether a channel takes one more job."""

    FREE = auto()
    FULL = auto()
    """Not now."""
    SPENT = auto()
    """Not before its budget begins anew."""


async def channel_limits(transaction: Transaction, channel_id: UUID) -> list[Limit]:
    """The limits of a channel, as they are at this moment."""
    return await limits_of(transaction, channel_id)


async def channel_room(
    transaction: Transaction,
    channel_id: UUID,
    limits: Sequence[Limit],
    *,
    micros: int,
    now: datetime,
    is_stored: bool = False,
) -> Room:
    """Count one more job in the rate of a channel, unless its budgets or the rate are used up.

    Args:
        transaction: Has the channel's lock.
        channel_id: Which.
        limits: Of the channel.
        micros: What the job is expected to cost.
        now: Database time.
        is_stored: Whether it is among the jobs already; where it does not fit the transaction must
            not be committed.
    """
    if any(limit.is_budget for limit in limits):
        rows = await transaction.fetch(CHANNEL_BUDGETS, channel_id=channel_id, now=now)
        for row in rows:
            amount = 1 if row["measure"] == Measure.TASKS else micros
            if row["used"] + (0 if is_stored else amount) > row["most"]:
                return Room.SPENT
    rates = [limit for limit in limits if limit.measure is Measure.REQUESTS]
    try:
        await take_rates(transaction, Admission(rates), now)
    except RateLimitError:
        return Room.FULL
    return Room.FREE
