"""Proof that the books are right: balances, outputs, tasks and every amount."""

from fractions import Fraction
from typing import Final

from sqlalchemy import text

from vidgate.db.documents import read_result
from vidgate.db.engine import Database, Record, Statement
from vidgate.db.ledger import FULL
from vidgate.models.money import REPORTED, Quote

__all__ = ["check_books"]

_CHECK_SECONDS: Final = 600.0
_CHECKED_AT_ONCE: Final = 1000

_SUMS = """
    SELECT account_id,
           sum(CASE WHEN to_book = 'account:' || account_id THEN micros
                    WHEN from_book = 'account:' || account_id THEN -micros ELSE 0 END) AS available,
           sum(CASE WHEN to_book = 'held:' || account_id THEN micros
                    WHEN from_book = 'held:' || account_id THEN -micros ELSE 0 END) AS held
    FROM entries GROUP BY account_id
"""
_OF_OUTPUTS = """
    SELECT task_id, position, max(account_id::text) AS account,
           coalesce(sum(micros) FILTER (WHERE kind = 'reserve'), 0) AS reserved,
           coalesce(sum(micros) FILTER (WHERE kind = 'settle'), 0) AS settled,
           coalesce(sum(micros) FILTER (WHERE kind = 'release'), 0) AS released,
           coalesce(sum(micros) FILTER (WHERE kind = 'extra'), 0) AS extra
    FROM entries WHERE kind IN ('reserve', 'settle', 'release', 'extra')
    GROUP BY task_id, position
"""
_CHECKS = tuple(
    Statement(text(one))
    for one in (
        f"""
        WITH sums AS ({_SUMS})
        SELECT 'The balance of the account ' || b.account_id || ' is ' || b.available || ' and '
               || b.held || ' held; its entries say ' || coalesce(s.available, 0) || ' and '
               || coalesce(s.held, 0) || '.' AS told
        FROM balances b LEFT JOIN sums s USING (account_id)
        WHERE b.available <> coalesce(s.available, 0) OR b.held <> coalesce(s.held, 0)
        ORDER BY b.account_id LIMIT 1
        """,  # noqa: S608 - constants of this module
        f"""
        WITH closed AS ({_OF_OUTPUTS})
        SELECT 'The output ' || c.position || ' of the task ' || c.task_id || ' is '
               || coalesce(o.status, 'gone') || ': ' || c.reserved || ' reserved, ' || c.settled
               || ' settled, ' || c.released || ' released, ' || c.extra || ' extra.' AS told
        FROM closed c LEFT JOIN outputs o USING (task_id, position)
        WHERE CASE WHEN o.status IN ('queued', 'in_progress')
                   THEN c.settled + c.released + c.extra <> 0 OR c.reserved = 0
                   ELSE c.settled + c.released <> c.reserved OR (c.extra > 0 AND c.released > 0)
                        OR (o.status IS NULL AND c.settled + c.extra > 0) END
        ORDER BY c.task_id, c.position LIMIT 1
        """,  # noqa: S608 - constants of this module
        f"""
        WITH closed AS ({_OF_OUTPUTS})
        SELECT 'The output ' || o.position || ' of the task ' || o.task_id || ' holds '
               || (o.hold ->> 'micros') || ', and ' || coalesce(c.reserved, 0)
               || ' was reserved.' AS told
        FROM outputs o LEFT JOIN closed c USING (task_id, position)
        WHERE o.hold IS NOT NULL AND (o.hold ->> 'micros')::bigint <> coalesce(c.reserved, 0)
        ORDER BY o.task_id, o.position LIMIT 1
        """,  # noqa: S608 - constants of this module
        f"""
        WITH closed AS ({_OF_OUTPUTS}), sums AS (
            SELECT task_id, sum(settled + extra) AS charged, sum(reserved) AS reserved
            FROM closed GROUP BY task_id)
        SELECT 'The task ' || t.id || ' says that ' || coalesce(t.charged_micros, 0) || ' of '
               || t.reserved_micros || ' was charged; its entries say ' || s.charged || ' of '
               || s.reserved || '.' AS told
        FROM tasks t JOIN sums s ON s.task_id = t.id
        WHERE coalesce(t.charged_micros, 0) <> s.charged OR t.reserved_micros <> s.reserved
        ORDER BY t.id LIMIT 1
        """,  # noqa: S608 - constants of this module
    )
)
_CHARGED = Statement(
    text(
        """
        SELECT e.id, e.task_id, e.position, e.micros, e.basis, o.status, o.result, o.hold,
               a.price, coalesce(x.micros, 0) AS extra
        FROM entries e
        JOIN outputs o USING (task_id, position)
        LEFT JOIN attempts a ON a.task_id = e.task_id AND a.position = e.position
                            AND a.status = 'succeeded'
        LEFT JOIN entries x ON x.task_id = e.task_id AND x.position = e.position
                           AND x.kind = 'extra'
        WHERE e.kind = 'settle' AND e.id > CAST(:after AS bigint)
        ORDER BY e.id LIMIT CAST(:limit AS integer)
        """
    )
)


async def check_books(database: Database) -> str | None:
    """Prove the books.

    Returns:
        A sentence about the first thing that is wrong, `None` where nothing is.
    """
    for statement in _CHECKS:
        row = await database.fetch_one(statement, timeout=_CHECK_SECONDS)
        if row is not None:
            return str(row["told"])
    return await _check_amounts(database)


async def _check_amounts(database: Database) -> str | None:
    """Every amount is what the price says."""
    after = 0
    while rows := await database.fetch(
        _CHARGED, after=after, limit=_CHECKED_AT_ONCE, timeout=_CHECK_SECONDS
    ):
        for row in rows:
            if (told := _wrong_amount(row)) is not None:
                return told
        after = rows[-1]["id"]
    return None


def _wrong_amount(row: Record) -> str | None:
    held = row["hold"]["micros"] if row["hold"] else 0
    charged = row["micros"] + row["extra"]
    due: int | None = None
    if row["basis"] == FULL:
        due = held
    elif row["status"] == "succeeded" and row["price"] is not None and row["hold"]:
        # Links may be renewed meanwhile, never what was reported or made.
        charge = Quote.from_document(row["price"]).settle(
            read_result(row["result"]), Fraction(row["hold"]["factor"])
        )
        due = charge.micros if charge.basis == REPORTED else min(charge.micros, held)
    if due == charged:
        return None
    return (
        f"The output {row['position']} of the task {row['task_id']} was charged {charged}; its "
        f"price says {'nothing' if due is None else due}."
    )
