"""How many videos accounts and tokens have under way and waiting, and how many more may begin.

They are counted from unfinished outputs under a lock of the account, which is taken after those of
channels, so that nobody waits in a circle.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import DateTime, bindparam, text

from vidgate.db.engine import Statement, Transaction
from vidgate.models.limits import Measure, Scope

__all__ = ["PLACES", "count_places", "has_place", "is_waited_for", "lock_places", "rooms_at"]

PLACES: Final = frozenset({Measure.IN_FLIGHT, Measure.QUEUED})
_LARGEST: Final = 2**31 - 1
_TIME = DateTime(timezone=True)
_MOST = """b."limit" + CASE WHEN b.raise_until > :now THEN coalesce(b."raise", 0) ELSE 0 END"""
_UNFINISHED = """
    tasks t
    JOIN outputs o ON o.task_id = t.id
    JOIN attempts a ON a.task_id = o.task_id AND a.position = o.position
    WHERE t.account_id = CAST(:account_id AS uuid)
      AND t.status = ANY (ARRAY['queued', 'in_progress'])
      AND o.status = ANY (ARRAY['queued', 'in_progress'])
      AND a.status = ANY (ARRAY['pending', 'submitting', 'running'])
"""

_LOCK = Statement(
    text("SELECT pg_advisory_xact_lock(hashtextextended('places:' || CAST(:account AS text), 0))")
)
_COUNT = Statement(
    text(
        f"""
        SELECT count(*) FILTER (WHERE a.status <> 'pending') AS account_in_flight,
               count(*) FILTER (WHERE a.status = 'pending') AS account_queued,
               count(*) FILTER (WHERE a.status <> 'pending'
                                AND t.token_id = CAST(:token_id AS uuid)) AS token_in_flight,
               count(*) FILTER (WHERE a.status = 'pending'
                                AND t.token_id = CAST(:token_id AS uuid)) AS token_queued
        FROM {_UNFINISHED}
        """  # noqa: S608 - constants
    )
)
_COUNT_TOKENS = Statement(
    text(
        f"""
        SELECT t.token_id, count(*) AS in_flight
        FROM {_UNFINISHED} AND a.status <> 'pending' GROUP BY t.token_id
        """  # noqa: S608 - constants
    )
)
# The owners of what waits at a channel are looked up one after the other in the index, however much
# each has waiting.
_LIMITED_AT = Statement(
    text(
        f"""
        WITH RECURSIVE owners AS (
            (SELECT account_id, token_id FROM attempts
             WHERE channel_id = CAST(:channel_id AS uuid) AND status = 'pending'
             ORDER BY account_id, token_id LIMIT 1)
            UNION ALL
            SELECT following.account_id, following.token_id
            FROM owners CROSS JOIN LATERAL (
                SELECT account_id, token_id FROM attempts
                WHERE channel_id = CAST(:channel_id AS uuid) AND status = 'pending'
                  AND (account_id, token_id) > (owners.account_id, owners.token_id)
                ORDER BY account_id, token_id LIMIT 1) AS following
        )
        SELECT owners.account_id, owners.token_id, b.scope, {_MOST} AS most
        FROM owners JOIN budgets b
          ON (b.scope = 'account' AND b.scope_id = CAST(owners.account_id AS text))
          OR (b.scope = 'token' AND b.scope_id = CAST(owners.token_id AS text))
        WHERE b.measure = 'in_flight' AND b.removed_at IS NULL
        """  # noqa: S608 - constants
    ).bindparams(bindparam("now", type_=_TIME))
)
_LIMITS_OF = Statement(
    text(
        f"""
        SELECT t.account_id, t.token_id, b.scope, {_MOST} AS most
        FROM tasks t JOIN budgets b
          ON (b.scope = 'account' AND b.scope_id = CAST(t.account_id AS text))
          OR (b.scope = 'token' AND b.scope_id = CAST(t.token_id AS text))
        WHERE t.id = CAST(:task_id AS uuid) AND b.measure = 'in_flight' AND b.removed_at IS NULL
        """  # noqa: S608 - constants
    ).bindparams(bindparam("now", type_=_TIME))
)
_OTHERS_WAIT = Statement(
    text(
        """
        SELECT EXISTS (
            SELECT 1 FROM attempts
            WHERE channel_id = CAST(:channel_id AS uuid) AND status = 'pending' AND due_at <= :now
              AND account_id <> ALL (CAST(:full AS uuid[]))
              AND token_id <> ALL (CAST(:full AS uuid[])))
        """
    ).bindparams(bindparam("now", type_=_TIME))
)


async def lock_places(transaction: Transaction, account_id: UUID) -> None:
    """Wait for all who count the places of an account, and keep others from it."""
    await transaction.execute(_LOCK, account=str(account_id))


async def count_places(
    transaction: Transaction, account_id: UUID, token_id: UUID
) -> dict[tuple[Scope, Measure], int]:
    """Count an account's unfinished videos, and those of one of its tokens; under the lock."""
    row = await transaction.fetch_one(_COUNT, account_id=account_id, token_id=token_id)
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return {
        (scope, measure): row[f"{scope.value}_{measure.value}"]
        for scope in (Scope.ACCOUNT, Scope.TOKEN)
        for measure in (Measure.IN_FLIGHT, Measure.QUEUED)
    }


async def has_place(transaction: Transaction, task_id: UUID, now: datetime) -> bool:
    """Whether one more video of a task may begin, as far as its owners' limits go."""
    limits = await transaction.fetch(_LIMITS_OF, task_id=task_id, now=now)
    if not limits:
        return True
    account_id, token_id = limits[0]["account_id"], limits[0]["token_id"]
    await lock_places(transaction, account_id)
    counts = await count_places(transaction, account_id, token_id)
    return all(counts[Scope(row["scope"]), Measure.IN_FLIGHT] < row["most"] for row in limits)


async def rooms_at(
    transaction: Transaction, channel_id: UUID, now: datetime, *, is_locked: bool = True
) -> dict[UUID, int]:
    """How many more videos may begin of those accounts and tokens that wait at a channel.

    Args:
        transaction: Keeps others from the places until its end.
        channel_id: Its lock must be held.
        now: Database time.
        is_locked: Whether to keep others from them; else they are as of now.

    Returns:
        By their ids; those without a limit are missing.
    """
    rows = await transaction.fetch(_LIMITED_AT, channel_id=channel_id, now=now)
    rooms: dict[UUID, int] = {}
    for account_id in sorted({row["account_id"] for row in rows}):
        if is_locked:
            await lock_places(transaction, account_id)
        counted = await transaction.fetch(_COUNT_TOKENS, account_id=account_id)
        counts = {row["token_id"]: row["in_flight"] for row in counted}
        for row in rows:
            if row["account_id"] != account_id:
                continue
            of_account = row["scope"] == Scope.ACCOUNT
            used = sum(counts.values()) if of_account else counts.get(row["token_id"], 0)
            owner = account_id if of_account else row["token_id"]
            rooms[owner] = min(max(0, row["most"] - used), _LARGEST)
    return rooms


async def is_waited_for(transaction: Transaction, channel_id: UUID, now: datetime) -> bool:
    """Whether somebody waits at a channel who might begin, as far as their own limits go."""
    rooms = await rooms_at(transaction, channel_id, now, is_locked=False)
    full = [owner for owner, room in rooms.items() if room == 0]
    waits: bool = await transaction.fetch_value(
        _OTHERS_WAIT, channel_id=channel_id, now=now, full=full
    )
    return waits
