"""What accounts used, counted from their tasks, and what they were charged, from the ledger."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from vidgate.db.engine import Database, Record, Statement
from vidgate.db.sights import sight_binds
from vidgate.models.accounts import Sight
from vidgate.models.ids import first_id
from vidgate.models.usage import Grouping, UsageKey, UsagePage, UsageQuery, UsageRow

__all__ = ["UsageStore"]

_NO_DAY: Final = date(1970, 1, 1)
_ONE_DAY: Final = timedelta(days=1)

# The outputs of each task are found by its id, however many tasks others have meanwhile.
# What rows are not told apart by is the same in all of them. A model, and a user, is never empty.
# The order is that of the list: the latest day first.
_USAGE = Statement(
    text(
        """
        WITH used AS (
            SELECT CASE WHEN CAST(:by_day AS boolean)
                        THEN CAST(t.created_at AT TIME ZONE 'UTC' AS date)
                        ELSE CAST(:no_day AS date) END AS day,
                   CASE WHEN CAST(:by_model AS boolean) THEN t.model ELSE '' END AS model,
                   CASE WHEN CAST(:by_user AS boolean) THEN coalesce(t.end_user, '') ELSE '' END
                       AS end_user,
                   count(*) AS tasks,
                   CAST(sum(o.made) AS bigint) AS outputs,
                   sum(o.seconds) AS seconds,
                   CAST(coalesce(sum(t.charged_micros), 0) AS bigint) AS charged_micros
            FROM tasks t CROSS JOIN LATERAL (
                SELECT count(*) FILTER (WHERE status = 'succeeded') AS made,
                       coalesce(sum(CAST(result ->> 'duration_seconds' AS double precision)), 0)
                           AS seconds
                FROM outputs WHERE task_id = t.id
            ) AS o
            WHERE t.account_id = CAST(:sight_account_id AS uuid)
              AND (CAST(:sight_token_id AS uuid) IS NULL
                   OR t.token_id = CAST(:sight_token_id AS uuid))
              AND t.id >= CAST(:from_id AS uuid) AND t.id < CAST(:until_id AS uuid)
            GROUP BY 1, 2, 3
        )
        SELECT day, model, end_user, tasks, outputs, seconds, charged_micros FROM used
        WHERE CAST(:after_day AS date) IS NULL OR day < CAST(:after_day AS date)
           OR (day = CAST(:after_day AS date)
               AND (model, end_user) > (CAST(:after_model AS text), CAST(:after_user AS text)))
        ORDER BY day DESC, model, end_user LIMIT CAST(:limit AS integer)
        """
    )
)
_PLAN_FOR_THESE = Statement(text("SET LOCAL plan_cache_mode = force_custom_plan"))
"""An account may have nearly all the tasks there are, or nearly none."""

_CHARGED = Statement(
    text(
        """
        SELECT CAST(coalesce(sum(micros), 0) AS bigint) FROM entries
        WHERE kind = ANY (ARRAY['settle', 'extra']) AND account_id = CAST(:sight_account_id AS uuid)
          AND (CAST(:sight_token_id AS uuid) IS NULL OR token_id = CAST(:sight_token_id AS uuid))
        """
    )
)


class UsageStore:
    """Counts. It writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, query: UsageQuery) -> UsagePage:
        """Count what was used, the latest day first."""
        after = query.after
        binds: dict[str, Any] = {f"by_{one.value}": one in query.group_by for one in Grouping}
        binds |= {
            **sight_binds(query.sight),
            "from_id": _first_id(query.since),
            "until_id": _first_id(query.until + _ONE_DAY),
            "no_day": _NO_DAY,
            "after_day": None if after is None else after.day or _NO_DAY,
            "after_model": None if after is None else after.model or "",
            "after_user": None if after is None else after.user or "",
            "limit": query.limit + 1,  # one too many shows that something follows
        }
        async with self._database.transaction() as transaction:
            await transaction.execute(_PLAN_FOR_THESE)
            rows = await transaction.fetch(_USAGE, **binds)
        found = [_to_row(row, query) for row in rows[: query.limit]]
        return UsagePage(found, has_more=len(rows) > query.limit)

    async def charged(self, sight: Sight) -> int:
        """What was charged in all for what somebody sees, in millionths."""
        charged: int = await self._database.fetch_value(_CHARGED, **sight_binds(sight))
        return charged


def _first_id(day: date) -> UUID:
    return first_id(datetime.combine(day, time(), UTC))


def _to_row(row: Record, query: UsageQuery) -> UsageRow:
    key = UsageKey(
        row["day"] if Grouping.DAY in query.group_by else None,
        row["model"] or None,
        row["end_user"] or None,
    )
    return UsageRow(
        key=key,
        tasks=row["tasks"],
        outputs=row["outputs"],
        seconds=row["seconds"],
        charged_micros=row["charged_micros"],
    )
