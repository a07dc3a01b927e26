"""Proof that the books are right: balances, budgets, outputs, tasks and every amount."""

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Final
from uuid import UUID

from sqlalchemy import Interval, bindparam, text

from vidgate.db.documents import read_result
from vidgate.db.engine import Database, Record, Statement
from vidgate.db.ledger import FULL
from vidgate.models.ids import ACCOUNT_PREFIX, public_id
from vidgate.models.money import REPORTED, Quote

__all__ = ["Imbalance", "check_books", "claim_check"]

_CHECK_SECONDS: Final = 600.0
_CHECKED_AT_ONCE: Final = 1000
_TASK_PREFIX: Final = "task_"
_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Imbalance:
    """Something that is wrong with the books.

    Attributes:
        sentence: What.
        micros: By how much.
    """

    sentence: str
    micros: int


_SUMS = """
    SELECT account_id,
           sum(CASE WHEN to_book = 'account:' || account_id THEN micros
                    WHEN from_book = 'account:' || account_id THEN -micros ELSE 0 END) AS available,
           sum(CASE WHEN to_book = 'held:' || account_id THEN micros
                    WHEN from_book = 'held:' || account_id THEN -micros ELSE 0 END) AS held
    FROM entries GROUP BY account_id
"""
_OF_OUTPUTS = """
    SELECT task_id, position,
           coalesce(sum(micros) FILTER (WHERE kind = 'reserve'), 0) AS reserved,
           coalesce(sum(micros) FILTER (WHERE kind = 'settle'), 0) AS settled,
           coalesce(sum(micros) FILTER (WHERE kind = 'release'), 0) AS released,
           coalesce(sum(micros) FILTER (WHERE kind = 'extra'), 0) AS extra
    FROM entries WHERE kind = ANY (ARRAY['reserve', 'settle', 'release', 'extra'])
    GROUP BY task_id, position
"""

# Each finds the first row that is wrong: what it is about, what is said of it, and by how much.

_BALANCES = Statement(
    text(
        f"""
        WITH sums AS ({_SUMS})
        SELECT b.account_id AS id,
               ' has ' || b.available || ' and ' || b.held || ' held; its entries say '
               || coalesce(s.available, 0) || ' and ' || coalesce(s.held, 0) || '.' AS told,
               CAST(abs(b.available - coalesce(s.available, 0))
                    + abs(b.held - coalesce(s.held, 0)) AS bigint) AS micros
        FROM balances b LEFT JOIN sums s USING (account_id)
        WHERE b.available <> coalesce(s.available, 0) OR b.held <> coalesce(s.held, 0)
        ORDER BY b.account_id LIMIT 1
        """  # noqa: S608 - constants of this module
    )
)
_OUTPUTS = (
    Statement(
        text(
            f"""
            WITH closed AS ({_OF_OUTPUTS})
            SELECT c.task_id AS id,
                   ', output ' || c.position || ', is ' || coalesce(o.status, 'gone') || ': '
                   || c.reserved || ' reserved, ' || c.settled || ' settled, ' || c.released
                   || ' released, ' || c.extra || ' extra.' AS told,
                   CAST(abs(c.reserved - c.settled - c.released) AS bigint) AS micros
            FROM closed c LEFT JOIN outputs o USING (task_id, position)
            WHERE CASE WHEN o.status = ANY (ARRAY['queued', 'in_progress'])
                       THEN c.settled + c.released + c.extra <> 0 OR c.reserved = 0
                       ELSE c.settled + c.released <> c.reserved
                            OR (c.extra > 0 AND c.released > 0) END
            ORDER BY c.task_id, c.position LIMIT 1
            """  # noqa: S608 - constants of this module
        )
    ),
    Statement(
        text(
            f"""
            WITH closed AS ({_OF_OUTPUTS})
            SELECT o.task_id AS id,
                   ', output ' || o.position || ', holds ' || (o.hold ->> 'micros') || ', and '
                   || coalesce(c.reserved, 0) || ' was reserved.' AS told,
                   CAST(abs((o.hold ->> 'micros')::bigint - coalesce(c.reserved, 0)) AS bigint)
                       AS micros
            FROM outputs o LEFT JOIN closed c USING (task_id, position)
            WHERE o.hold IS NOT NULL
              AND (o.hold ->> 'micros')::bigint <> coalesce(c.reserved, 0)
            ORDER BY o.task_id, o.position LIMIT 1
            """  # noqa: S608 - constants of this module
        )
    ),
    Statement(
        text(
            f"""
            WITH closed AS ({_OF_OUTPUTS}), sums AS (
                SELECT task_id, sum(settled + extra) AS charged, sum(reserved) AS reserved
                FROM closed GROUP BY task_id)
            SELECT t.id,
                   ' says that ' || coalesce(t.charged_micros, 0) || ' of ' || t.reserved_micros
                   || ' was charged; its entries say ' || s.charged || ' of ' || s.reserved || '.'
                       AS told,
                   CAST(abs(coalesce(t.charged_micros, 0) - s.charged)
                        + abs(t.reserved_micros - s.reserved) AS bigint) AS micros
            FROM tasks t JOIN sums s ON s.task_id = t.id
            WHERE coalesce(t.charged_micros, 0) <> s.charged OR t.reserved_micros <> s.reserved
            ORDER BY t.id LIMIT 1
            """  # noqa: S608 - constants of this module
        )
    ),
)
_WINDOWS = (
    Statement(
        text(
            """
            WITH sums AS (
                SELECT one.id, sum(CASE e.kind WHEN 'reserve' THEN e.micros WHEN 'settle'
                                   THEN -e.micros WHEN 'release' THEN -e.micros ELSE 0 END) AS held,
                       sum(CASE WHEN e.kind = ANY (ARRAY['settle', 'extra'])
                                THEN e.micros ELSE 0 END) AS used
                FROM entries e CROSS JOIN unnest(e.windows) AS one (id) GROUP BY one.id)
            SELECT b.id, b.scope, b.scope_id, w.starts_at,
                   ' has ' || w.used || ' used and ' || w.held || ' held; its entries say '
                   || coalesce(s.used, 0) || ' and ' || coalesce(s.held, 0) || '.' AS told,
                   CAST(abs(w.used - coalesce(s.used, 0)) + abs(w.held - coalesce(s.held, 0))
                        AS bigint) AS micros
            FROM budget_windows w JOIN budgets b ON b.id = w.budget_id
            LEFT JOIN sums s ON s.id = w.id
            WHERE b.measure = 'micros' AND b.scope = ANY (ARRAY['account', 'token'])
              AND (w.used <> coalesce(s.used, 0) OR w.held <> coalesce(s.held, 0))
            ORDER BY w.id LIMIT 1
            """
        )
    ),
    Statement(
        text(
            """
            WITH sums AS (
                SELECT one.id, sum(coalesce(c.micros, 0)) AS micros, count(*) AS jobs
                FROM costs c CROSS JOIN unnest(c.windows) AS one (id) GROUP BY one.id)
            SELECT b.id, b.scope, b.scope_id, w.starts_at,
                   ' has ' || w.used || ' used; its costs say '
                   || coalesce(CASE b.measure WHEN 'micros' THEN s.micros ELSE s.jobs END, 0)
                   || '.' AS told,
                   CAST(0 AS bigint) AS micros
            FROM budget_windows w JOIN budgets b ON b.id = w.budget_id
            LEFT JOIN sums s ON s.id = w.id
            WHERE b.scope = 'channel' AND (w.held <> 0 OR w.used <>
                  coalesce(CASE b.measure WHEN 'micros' THEN s.micros ELSE s.jobs END, 0))
            ORDER BY w.id LIMIT 1
            """
        )
    ),
    # Old months are dropped with their outputs: a window is proved that began after the oldest.
    Statement(
        text(
            """
            WITH sums AS (
                SELECT one.id,
                       count(*) FILTER (WHERE o.status = ANY (ARRAY['queued', 'in_progress']))
                           AS held,
                       count(*) FILTER (WHERE o.status <> ALL (ARRAY['queued', 'in_progress']))
                           AS used
                FROM outputs o CROSS JOIN unnest(o.windows) AS one (id) GROUP BY one.id)
            SELECT b.id, b.scope, b.scope_id, w.starts_at,
                   ' has ' || w.used || ' videos used and ' || w.held || ' held; there are '
                   || coalesce(s.used, 0) || ' and ' || coalesce(s.held, 0) || '.' AS told,
                   CAST(0 AS bigint) AS micros
            FROM budget_windows w JOIN budgets b ON b.id = w.budget_id
            LEFT JOIN sums s ON s.id = w.id
            WHERE b.measure = 'tasks' AND b.scope = ANY (ARRAY['account', 'token'])
              AND (w.held <> coalesce(s.held, 0) OR w.used < coalesce(s.used, 0)
                   OR (w.used > coalesce(s.used, 0)
                       AND w.starts_at >= (SELECT created_at FROM tasks ORDER BY id LIMIT 1)))
            ORDER BY w.id LIMIT 1
            """
        )
    ),
)
_FINAL = Statement(
    text(
        """
        SELECT o.task_id, o.position, o.status, o.result, o.hold, a.price, s.basis,
               coalesce(s.micros, 0) + coalesce(x.micros, 0) AS charged
        FROM outputs o
        LEFT JOIN attempts a ON a.task_id = o.task_id AND a.position = o.position
                            AND a.status = 'succeeded'
        LEFT JOIN entries s ON s.task_id = o.task_id AND s.position = o.position
                           AND s.kind = 'settle'
        LEFT JOIN entries x ON x.task_id = o.task_id AND x.position = o.position
                           AND x.kind = 'extra'
        WHERE o.hold IS NOT NULL AND o.status = ANY (ARRAY['succeeded', 'failed', 'cancelled'])
          AND (o.task_id, o.position) > (CAST(:after AS uuid), CAST(:position AS integer))
        ORDER BY o.task_id, o.position LIMIT CAST(:limit AS integer)
        """
    )
)
_CLAIM = Statement(
    text(
        """
        INSERT INTO facts (name, value) VALUES ('ledger_checked', '')
        ON CONFLICT (name) DO UPDATE SET created_at = now()
        WHERE facts.created_at < now() - :every
        RETURNING 1
        """
    ).bindparams(bindparam("every", type_=Interval))
)


async def claim_check(database: Database, every: timedelta) -> bool:
    """Whether it is this process's turn to check the books; one has it at a time."""
    return await database.fetch_value(_CLAIM, every=every) is not None


async def check_books(database: Database, *, seconds: float = _CHECK_SECONDS) -> Imbalance | None:
    """Prove the books.

    Args:
        database: Where they are.
        seconds: How long each question may take.

    Returns:
        The first thing that is wrong, `None` where nothing is.
    """
    row = await database.fetch_one(_BALANCES, timeout=seconds)
    if row is not None:
        return _told("The account ", ACCOUNT_PREFIX, row)
    for statement in _OUTPUTS:
        row = await database.fetch_one(statement, timeout=seconds)
        if row is not None:
            return _told("The task ", _TASK_PREFIX, row)
    for statement in _WINDOWS:
        row = await database.fetch_one(statement, timeout=seconds)
        if row is not None:
            return _of_window(row)
    after, position = _FIRST, 0
    while rows := await database.fetch(
        _FINAL, after=after, position=position, limit=_CHECKED_AT_ONCE, timeout=seconds
    ):
        for one in rows:
            if (wrong := _wrong_amount(one)) is not None:
                return wrong
        after, position = rows[-1]["task_id"], rows[-1]["position"]
    return None


def _told(kind: str, prefix: str, row: Record) -> Imbalance:
    return Imbalance(kind + public_id(prefix, row["id"]) + row["told"], row["micros"])


def _of_window(row: Record) -> Imbalance:
    sentence = (
        f"The budget {row['id']} of the {row['scope']} {row['scope_id']} from "
        f"{row['starts_at']:%Y-%m-%dT%H:%M:%SZ} on{row['told']}"
    )
    return Imbalance(sentence, row["micros"])


def _wrong_amount(row: Record) -> Imbalance | None:
    """Every amount is what the price says."""
    held: int = row["hold"]["micros"]
    due = 0
    if row["basis"] == FULL:
        due = held
    elif row["status"] == "succeeded" and row["price"] is not None:
        # Links may be renewed meanwhile, never what was reported or made.
        charge = Quote.from_document(row["price"]).settle(
            read_result(row["result"]), Fraction(row["hold"]["factor"])
        )
        due = charge.micros if charge.basis == REPORTED else min(charge.micros, held)
    charged: int = row["charged"]
    if due == charged:
        return None
    return Imbalance(
        f"The task {public_id(_TASK_PREFIX, row['task_id'])}, output {row['position']}, was "
        f"charged {charged}; its price says {due}.",
        abs(due - charged),
    )
