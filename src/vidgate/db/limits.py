"""Limits as operators set them, and how they stand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.sql.elements import TextClause

from vidgate.db.acts import write_act
from vidgate.db.engine import Database, Record, Statement, Transaction
from vidgate.exceptions import ConfigurationError
from vidgate.models.acts import Act, Author
from vidgate.models.ids import new_id
from vidgate.models.limits import (
    MINUTE,
    Limit,
    LimitChange,
    LimitUse,
    Measure,
    Period,
    Scope,
    owner_of,
)

__all__ = ["CHANNEL_BUDGETS", "WINDOW", "LimitStore", "limits_of", "rate_key", "rate_use"]

_TIME = DateTime(timezone=True)
_COLUMNS = (
    'id, scope, scope_id, measure, period, tz, models, "limit", warn_at, "raise", raise_until, '
    "removed_at"
)

WINDOW: Final = """
    CASE b.period WHEN 'total' THEN to_timestamp(0)
         ELSE date_trunc(b.period, CAST(:now AS timestamptz), b.tz) END AS starts_at,
    CASE WHEN b.period <> 'total'
         THEN (date_trunc(b.period, CAST(:now AS timestamptz) AT TIME ZONE b.tz)
               + CAST('1 ' || b.period AS interval)) AT TIME ZONE b.tz END AS ends_at
"""
"""The window of the budget `b` that `now` is in."""


def _text(sql: str, *times: str) -> TextClause:
    return text(sql).bindparams(*(bindparam(name, type_=_TIME) for name in times))


_EVERY = Statement(text(f"SELECT {_COLUMNS} FROM budgets WHERE removed_at IS NULL"))  # noqa: S608 - constants
_CHANGED = Statement(
    _text(f"SELECT {_COLUMNS} FROM budgets WHERE updated_at > :since", "since")  # noqa: S608 - constants
)
_OF = Statement(
    text(
        f"""
        SELECT {_COLUMNS} FROM budgets
        WHERE removed_at IS NULL AND scope_id = ANY (CAST(:scope_ids AS text[]))
        """  # noqa: S608 - constants
    )
)
_LOCK = Statement(
    text("SELECT pg_advisory_xact_lock(hashtextextended('limits:' || CAST(:scope_id AS text), 0))")
)
_CHECK_ZONE = Statement(text("SELECT now() AT TIME ZONE CAST(:tz AS text)"))
_SET = Statement(
    text(
        f"""
        INSERT INTO budgets (id, scope, scope_id, measure, period, models, "limit", tz, warn_at)
        VALUES (CAST(:id AS uuid), CAST(:scope AS text), CAST(:scope_id AS text),
                CAST(:measure AS text), CAST(:period AS text), CAST(:models AS text[]),
                CAST(:limit AS bigint), coalesce(CAST(:tz AS text), 'UTC'),
                coalesce(CAST(:warn_at AS numeric), 0.8))
        ON CONFLICT (scope, scope_id, measure, period, models) DO UPDATE
        SET "limit" = excluded."limit", removed_at = NULL,
            tz = coalesce(CAST(:tz AS text), budgets.tz),
            warn_at = coalesce(CAST(:warn_at AS numeric), budgets.warn_at)
        RETURNING {_COLUMNS}
        """  # noqa: S608 - constants
    )
)
_REMOVE = Statement(
    text(
        """
        UPDATE budgets SET removed_at = now(), "raise" = NULL, raise_until = NULL
        WHERE id = CAST(:id AS uuid)
        """
    )
)
_RAISE = Statement(
    _text(
        f"""
        UPDATE budgets SET "raise" = CAST(:by AS bigint), raise_until = :until
        WHERE id = CAST(:id AS uuid) RETURNING {_COLUMNS}
        """,  # noqa: S608 - constants
        "until",
    )
)
_RATES = Statement(text("SELECT key, tat FROM rates WHERE key = ANY (CAST(:keys AS text[]))"))
_WINDOWS = Statement(
    text(
        f"""
        SELECT b.id, b.ends_at, coalesce(w.used + w.held, 0) AS used
        FROM (SELECT b.id, {WINDOW} FROM budgets b WHERE b.id = ANY (CAST(:ids AS uuid[]))) AS b
        LEFT JOIN budget_windows w ON w.budget_id = b.id AND w.starts_at = b.starts_at
        """  # noqa: S608 - constants
    )
)
CHANNEL_BUDGETS = Statement(
    text(
        f"""
        SELECT b.id, b.measure, b.most, b.ends_at, coalesce(w.used, 0) + live.amount AS used
        FROM (SELECT b.id, b.measure, {WINDOW},
                     b."limit" + CASE WHEN b.raise_until > :now THEN coalesce(b."raise", 0)
                                      ELSE 0 END AS most
              FROM budgets b
              WHERE b.scope = 'channel' AND b.removed_at IS NULL
                AND b.scope_id = CAST(CAST(:channel_id AS uuid) AS text)
                AND b.measure = ANY (ARRAY['micros', 'tasks'])) AS b
        LEFT JOIN budget_windows w ON w.budget_id = b.id AND w.starts_at = b.starts_at
        CROSS JOIN LATERAL (
            SELECT CAST(CASE b.measure WHEN 'micros' THEN coalesce(sum(a.cost_micros), 0)
                                       ELSE count(*) END AS bigint) AS amount
            FROM attempts a
            WHERE a.channel_id = CAST(:channel_id AS uuid) AND a.sent_at >= b.starts_at
              AND (a.status = 'submitting' OR a.status = 'running')) AS live
        """  # noqa: S608 - constants
    ).bindparams(bindparam("now", type_=_TIME))
)
"""The budgets of a channel, with what its jobs have cost and may cost."""

_PLACES = Statement(
    text(
        """
        SELECT count(*) FILTER (WHERE a.status <> 'pending') AS in_flight,
               count(*) FILTER (WHERE a.status = 'pending') AS queued
        FROM tasks t
        JOIN outputs o ON o.task_id = t.id
        JOIN attempts a ON a.task_id = o.task_id AND a.position = o.position
        WHERE t.account_id = CAST(:account_id AS uuid)
          AND (CAST(:token_id AS uuid) IS NULL OR t.token_id = CAST(:token_id AS uuid))
          AND t.status = ANY (ARRAY['queued', 'in_progress'])
          AND o.status = ANY (ARRAY['queued', 'in_progress'])
          AND a.status = ANY (ARRAY['pending', 'submitting', 'running'])
        """
    )
)


def rate_key(limit: Limit) -> str:
    """The key of a limit's row in `rates`."""
    return f"{limit.measure.value}:{limit.scope_id}"


async def limits_of(executor: Transaction | Database, *scope_ids: UUID) -> list[Limit]:
    """The limits of some accounts, tokens or channels, the account's first."""
    rows = await executor.fetch(_OF, scope_ids=[str(one) for one in scope_ids])
    return sorted(map(_to_limit, rows), key=lambda limit: (limit.scope, limit.place))


class LimitStore:
    """The limits of accounts, tokens and channels."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def every(self) -> list[Limit]:
        """All that hold."""
        return [_to_limit(row) for row in await self._database.fetch(_EVERY)]

    async def changed(self, since: datetime) -> list[Limit]:
        """Those that were written after `since`, removed ones too."""
        return [_to_limit(row) for row in await self._database.fetch(_CHANGED, since=since)]

    async def of(self, *scope_ids: UUID) -> list[Limit]:
        """Those of some accounts, tokens or channels, the account's first."""
        return await limits_of(self._database, *scope_ids)

    async def is_spent(self, channel_id: UUID, now: datetime) -> bool:
        """Whether a budget of a channel is used up."""
        rows = await self._database.fetch(CHANNEL_BUDGETS, channel_id=channel_id, now=now)
        return any(row["used"] >= row["most"] for row in rows)

    async def uses(
        self, account_id: UUID, token_id: UUID | None = None, *, now: datetime
    ) -> list[LimitUse]:
        """How the limits of an account and of one of its tokens stand, or those of a channel.

        Args:
            account_id: Whose; or the channel.
            token_id: `None` for the account's alone.
            now: Database time.
        """
        limits = await self.of(*(one for one in (account_id, token_id) if one is not None))
        rates = await self._database.fetch(
            _RATES, keys=[rate_key(one) for one in limits if one.measure is Measure.REQUESTS]
        )
        tats: dict[str, datetime] = {row["key"]: row["tat"] for row in rates}
        ids = [one.id for one in limits if one.is_budget]
        windows: list[Record] = []
        if limits and limits[0].scope is Scope.CHANNEL:
            windows = await self._database.fetch(CHANNEL_BUDGETS, channel_id=account_id, now=now)
        elif ids:
            windows = await self._database.fetch(_WINDOWS, ids=ids, now=now)
        budgets = {row["id"]: row for row in windows}
        found = []
        for limit in limits:
            used: int | None = None
            resets_at: datetime | None = None
            if limit.is_budget:
                used, resets_at = budgets[limit.id]["used"], budgets[limit.id]["ends_at"]
            elif limit.measure is Measure.REQUESTS:
                used, resets_at = rate_use(limit, tats.get(rate_key(limit)), now)
            elif limit.measure is not Measure.READS:
                used = await self._places(account_id, token_id, limit)
            found.append(
                LimitUse(limit=limit, most=limit.most(now), used=used, resets_at=resets_at)
            )
        return found

    async def _places(self, account_id: UUID, token_id: UUID | None, limit: Limit) -> int:
        owner = token_id if limit.scope is Scope.TOKEN else None
        row = await self._database.fetch_one(_PLACES, account_id=account_id, token_id=owner)
        assert row is not None  # noqa: S101 - an aggregate always has a row
        used: int = row[limit.measure.value]
        return used

    async def check(self, changes: Sequence[LimitChange]) -> None:
        """See that `change` will take these, before whatever else is to be done with them.

        Raises:
            ConfigurationError: There is no such time zone.
        """
        for zone in {one.time_zone for one in changes if one.time_zone is not None}:
            try:
                await self._database.fetch_value(_CHECK_ZONE, tz=zone)
            except asyncpg.DataError:
                raise ConfigurationError(
                    f"There is no time zone {zone!r}; write one such as Asia/Shanghai."
                ) from None

    async def change(
        self, scope: Scope, scope_id: UUID, changes: Sequence[LimitChange], by: Author
    ) -> None:
        """Set limits, or take them away; in force within a second.

        Raises:
            ConfigurationError: There is no such time zone.
        """
        await self.check(changes)
        async with self._database.transaction() as transaction:
            await transaction.execute(_LOCK, scope_id=str(scope_id))
            known = await self._known(transaction, scope_id)
            before: dict[str, Any] = {}
            after: dict[str, Any] = {}
            for change in changes:
                old = known.get((change.measure, change.period, change.models))
                new = await self._change(transaction, scope, scope_id, change, old)
                if old != new:
                    named = new or old
                    assert named is not None  # noqa: S101 - they differ
                    before[_title(named)], after[_title(named)] = _told(old), _told(new)
            if after:
                await _write(
                    transaction, scope, scope_id, "limit", by=by, before=before, after=after
                )

    async def _change(
        self,
        transaction: Transaction,
        scope: Scope,
        scope_id: UUID,
        change: LimitChange,
        old: Limit | None,
    ) -> Limit | None:
        if change.limit is None:
            if old is not None:
                await transaction.execute(_REMOVE, id=old.id)
            return None
        row = await transaction.fetch_one(
            _SET,
            id=new_id(),
            scope=scope.value,
            scope_id=str(scope_id),
            measure=change.measure.value,
            period=change.period.value,
            models=list(change.models),
            limit=change.limit,
            tz=change.time_zone,
            warn_at=change.warn_at,
        )
        assert row is not None  # noqa: S101 - an insert that returns has a row
        return _to_limit(row)

    async def raise_until(
        self,
        scope: Scope,
        scope_id: UUID,
        changes: Sequence[LimitChange],
        until: datetime,
        by: Author,
    ) -> None:
        """Let more be used until then: by the amount that each change has as its limit.

        Raises:
            ConfigurationError: One of them is not limited.
        """
        async with self._database.transaction() as transaction:
            await transaction.execute(_LOCK, scope_id=str(scope_id))
            known = await self._known(transaction, scope_id)
            before: dict[str, Any] = {}
            after: dict[str, Any] = {}
            for change in changes:
                old = known.get((change.measure, change.period, change.models))
                if old is None:
                    raise ConfigurationError(
                        f"There is no limit on {change.measure.value}, {change.period.value}, "
                        "that could be raised; set one first."
                    )
                row = await transaction.fetch_one(
                    _RAISE, id=old.id, by=change.limit or None, until=until
                )
                assert row is not None  # noqa: S101 - it is locked
                before[_title(old)], after[_title(old)] = _told(old), _told(_to_limit(row))
            await _write(transaction, scope, scope_id, "raise", by=by, before=before, after=after)

    async def _known(
        self, transaction: Transaction, scope_id: UUID
    ) -> dict[tuple[Measure, Period, tuple[str, ...]], Limit]:
        limits = await limits_of(transaction, scope_id)
        return {(one.measure, one.period, one.models): one for one in limits}


def rate_use(limit: Limit, tat: datetime | None, now: datetime) -> tuple[int, datetime | None]:
    """How many of a minute's requests are used up, and when none is any more."""
    if tat is None or tat <= now:
        return 0, None
    most = limit.most(now)
    # Times are whole microseconds, which must not count as a request.
    return min(most, ceil(round((tat - now) / MINUTE * most, 3))), tat


async def _write(
    transaction: Transaction,
    scope: Scope,
    scope_id: UUID,
    verb: str,
    *,
    by: Author,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    act = Act(
        author=by,
        name=f"{scope.value}.{verb}",
        subject=owner_of(scope, scope_id),
        before=before,
        after=after,
    )
    await write_act(transaction, act)


def _title(limit: Limit) -> str:
    parts = (limit.name, limit.window if limit.is_budget else None, ",".join(limit.models))
    return " ".join(part for part in parts if part)


def _told(limit: Limit | None) -> dict[str, Any] | None:
    if limit is None:
        return None
    told: dict[str, Any] = {"limit": limit.limit}
    if limit.is_budget:
        told |= {"time_zone": limit.time_zone, "warn_at": str(limit.warn_at)}
    if limit.raised_until is not None:
        told |= {"raised_by": limit.raised_by, "until": int(limit.raised_until.timestamp())}
    return told


def _to_limit(row: Record) -> Limit:
    return Limit(
        id=row["id"],
        scope=Scope(row["scope"]),
        scope_id=row["scope_id"],
        measure=Measure(row["measure"]),
        period=Period(row["period"]),
        time_zone=row["tz"],
        models=tuple(row["models"]),
        limit=row["limit"],
        warn_at=row["warn_at"],
        raised_by=row["raise"] or 0,
        raised_until=row["raise_until"],
        removed=row["removed_at"] is not None,
    )
