"""Budgets: what a period's window has used and held, in the transaction of what it is for.

A request is held against all its budgets or against none, in the window that its moment is in;
what becomes of it is settled there, whenever that is. Windows are locked in the order of their
budgets, before the books of the account.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, bindparam, text

from vidgate.db.engine import Statement, Transaction
from vidgate.db.limits import WINDOW
from vidgate.models.limits import Limit, LimitUse

__all__ = ["close_windows", "hold_budgets"]

_HOLD = Statement(
    text(
        f"""
        WITH wanted AS MATERIALIZED (
            SELECT b.id, one.amount, {WINDOW},
                   b."limit" + CASE WHEN b.raise_until > :now THEN coalesce(b."raise", 0)
                                    ELSE 0 END AS most
            FROM unnest(CAST(:ids AS uuid[]), CAST(:amounts AS bigint[])) AS one (id, amount)
            JOIN budgets b ON b.id = one.id
            WHERE b.removed_at IS NULL
        ), taken AS (
            INSERT INTO budget_windows (budget_id, starts_at, held)
            SELECT id, starts_at, amount FROM wanted WHERE amount <= most ORDER BY id
            ON CONFLICT (budget_id, starts_at) DO UPDATE
            SET held = budget_windows.held + excluded.held
            WHERE budget_windows.used + budget_windows.held + excluded.held
                  <= (SELECT most FROM wanted WHERE wanted.id = excluded.budget_id)
            RETURNING id, budget_id, used + held AS used
        ), noted AS (
            UPDATE outputs SET windows = (SELECT array_agg(id ORDER BY id) FROM taken)
            WHERE task_id = CAST(:task_id AS uuid)
        )
        SELECT wanted.id, wanted.amount, wanted.most, wanted.ends_at, taken.id AS window_id,
               coalesce(taken.used, before.used + before.held, 0) AS used
        FROM wanted
        LEFT JOIN taken ON taken.budget_id = wanted.id
        LEFT JOIN budget_windows before ON before.budget_id = wanted.id
                                       AND before.starts_at = wanted.starts_at
        """  # noqa: S608 - constants
    ).bindparams(bindparam("now", type_=DateTime(timezone=True)))
)
_CLOSE = Statement(
    text(
        """
        WITH locked AS MATERIALIZED (
            SELECT w.id, b.measure
            FROM budget_windows w JOIN budgets b ON b.id = w.budget_id
            WHERE w.id = ANY (CAST(:windows AS bigint[]))
            ORDER BY b.id FOR NO KEY UPDATE OF w
        ), noted AS (
            UPDATE outputs SET windows = NULL
            WHERE task_id = CAST(:task_id AS uuid) AND position = CAST(:position AS integer)
              AND NOT CAST(:is_made AS boolean)
        )
        UPDATE budget_windows w
        SET held = w.held - CASE locked.measure WHEN 'micros' THEN CAST(:held AS bigint)
                                                ELSE 1 END,
            used = w.used + CASE locked.measure WHEN 'micros' THEN CAST(:charged AS bigint)
                                                ELSE CAST(CAST(:is_made AS boolean) AS integer) END
        FROM locked WHERE locked.id = w.id
        """
    )
)


async def hold_budgets(
    transaction: Transaction,
    amounts: Mapping[UUID, tuple[Limit, int]],
    *,
    task_id: UUID,
    now: datetime,
) -> list[tuple[LimitUse, int, int | None]]:
    """Hold amounts in the windows of the moment, and note them with the task's outputs.

    Args:
        transaction: In which the outputs were stored. It must not be committed unless every budget
            has a window.
        amounts: By the id of the budget.
        task_id: Whose outputs.
        now: Database time.

    Returns:
        How each budget stands that still exists, what is held in it, and the id of its window;
        `None` where that has not so much left.
    """
    rows = await transaction.fetch(
        _HOLD,
        ids=list(amounts),
        amounts=[amount for _, amount in amounts.values()],
        task_id=task_id,
        now=now,
    )
    return [
        (
            LimitUse(
                limit=amounts[row["id"]][0],
                most=row["most"],
                used=row["used"],
                resets_at=row["ends_at"],
                taken=0 if row["window_id"] is None else row["amount"],
            ),
            row["amount"],
            row["window_id"],
        )
        for row in rows
    ]


async def close_windows(
    transaction: Transaction,
    windows: Sequence[int],
    *,
    task_id: UUID,
    position: int,
    held: int,
    charged: int,
    is_made: bool,
) -> None:
    """Settle what was held for an output, in the windows that took it.

    Args:
        transaction: In which it became final.
        windows: Which.
        task_id: Of the output.
        position: Of the output.
        held: The money that was held for it.
        charged: What of it is charged, or more.
        is_made: Whether it counts as a video that was made.
    """
    binds: dict[str, Any] = {"task_id": task_id, "position": position, "is_made": is_made}
    await transaction.execute(_CLOSE, windows=list(windows), held=held, charged=charged, **binds)
