"""The months of tasks: partitions of their tables, made ahead and dropped whole.

What came before there were months lies in the default partition, which becomes the first range as
it stands; afterwards it is empty and only catches what nobody has made a month for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    TableClause,
    Text,
    Uuid,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
)

from vidgate.db.engine import Database, Statement, Transaction
from vidgate.db.tables import attempts, inputs, tasks
from vidgate.exceptions import DatabaseUnavailableError
from vidgate.models.ids import first_id, made_at

__all__ = ["Month", "MonthStore", "OldMonth", "is_partition"]

_log = structlog.get_logger(__name__)

_TABLES: Final = {"tasks": "id", "outputs": "task_id"}
"""The tables by month, and the id whose time decides. Tasks are dropped before their outputs."""

_PARTITION: Final = re.compile(
    rf"(?:{'|'.join(_TABLES)})_(?:default|(?:until_)?[0-9]{{4}}_[0-9]{{2}})"
)
_BOUNDS: Final = re.compile(r"FOR VALUES FROM \((?:MINVALUE|'(.{36})')\) TO \('(.{36})'\)")

_AHEAD: Final = timedelta(days=62)
"""There is a month for whatever is made until then."""

_FIRST_ENDS: Final = timedelta(days=28)
"""The least time that is left to make a range of the default partition, once that was begun."""

_TOO_NEAR: Final = timedelta(days=7)
"""When it is begun anew: what is made behind the end of that range would be refused."""

_LOCK_WAIT: Final = "3s"
"""The longest wait for a table; meanwhile everybody else waits behind us. Longer than the second
after which an autovacuum that is in the way gives up."""

_VALIDATION_SECONDS: Final = 6 * 3600.0
"""For a look at every row, which nobody waits for."""

_COUNT_SECONDS: Final = 600.0
_BATCH: Final = 2000
"""Rows of one deletion: some ten milliseconds."""

_ONE_AT_A_TIME: Final = Statement(
    select(
        func.pg_try_advisory_xact_lock(
            func.hashtextextended(literal("vidgate months", Text), literal(0, BigInteger))
        )
    )
)
_PARTS: Final = Statement(
    text(
        "SELECT part.relname AS name, pg_get_expr(part.relpartbound, part.oid) AS bounds"
        " FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid"
        " WHERE inhparent = to_regclass(CAST(:parent AS text))"
    )
)
_CHECKS: Final = Statement(
    text(
        "SELECT conname AS name, convalidated AS is_valid FROM pg_constraint"
        " WHERE conrelid = to_regclass(CAST(:name AS text)) AND contype = 'c'"
        " AND conname LIKE '%\\_until\\_%'"
    )
)
_starts, _ends = bindparam("starts", type_=Uuid), bindparam("ends", type_=Uuid)


def _exists(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(literal(1)).where(*conditions).exists()


_unfinished = or_(tasks.c.status == "queued", tasks.c.status == "in_progress")
_COUNT: Final = Statement(
    select(func.count().label("tasks")).where(tasks.c.id >= _starts, tasks.c.id < _ends)
)
# Whatever is older holds it back as well: there is little that is unfinished, and no need to look
# through what is not.
_IS_HELD: Final = Statement(
    select(
        or_(
            _exists(tasks.c.id < _ends, _unfinished),
            _exists(
                attempts.c.due_at.is_not(None),
                attempts.c.status != "pending",
                attempts.c.task_id < _ends,
            ),
            _exists(attempts.c.status == "pending", attempts.c.task_id < _ends),
        )
    )
)
_limit = bindparam("limit", type_=Integer)
_DELETIONS: Final = (
    Statement(
        delete(attempts).where(
            attempts.c.id
            == func.any(
                func.array(
                    select(attempts.c.id)
                    .where(attempts.c.task_id >= _starts, attempts.c.task_id < _ends)
                    .limit(_limit)
                    .scalar_subquery()
                )
            )
        )
    ),
    Statement(
        delete(inputs).where(
            tuple_(inputs.c.task_id, inputs.c.position).in_(
                select(inputs.c.task_id, inputs.c.position)
                .where(inputs.c.task_id >= _starts, inputs.c.task_id < _ends)
                .limit(_limit)
            )
        )
    ),
)
"""What hangs on tasks and has no months. Deliveries, keys and copies have ages of their own."""

_NONE: Final = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A partition of one table.

    Attributes:
        starts: Its first id, `None` where it has whatever was before.
        ends: The first id behind it.
    """

    name: str
    starts: UUID | None
    ends: UUID

    @property
    def ends_at(self) -> datetime:
        """When the first that is not in it may be made."""
        return made_at(self.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldMonth:
    """A month of tasks that may be dropped.

    Attributes:
        count: Its tasks.
        is_held: Whether some of them, or of older ones, or their jobs, are unfinished.
    """

    month: Month
    count: int
    is_held: bool


def is_partition(name: str) -> bool:
    """Whether a table is a partition of ours, which the schema does not know."""
    return _PARTITION.fullmatch(name) is not None


class MonthStore:
    """Makes and drops months. Each step is one short transaction, and is done by one process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prepare(self, now: datetime) -> bool:
        """Do the next step towards months for whatever may be made soon.

        Returns:
            Whether there may be another.
        """
        for table in _TABLES:
            try:
                async with self._database.transaction() as transaction:
                    if not await transaction.fetch_value(_ONE_AT_A_TIME):
                        return False
                    step = await _next_step(transaction, table, now)
                    if step:
                        await _run(transaction, step)
            except asyncpg.CheckViolationError:
                return True  # a row came meanwhile, so that another step is the next one
            if step:
                _log.info("The months of a table were prepared", table=table, step=step[0])
                return True
        return False

    async def old(self, before: datetime) -> list[OldMonth]:
        """The months of tasks that ended before a moment, oldest first; nothing is changed."""
        found = []
        for month in await self._ended("tasks", before):
            binds: dict[str, Any] = {"starts": month.starts or _NONE, "ends": month.ends}
            count = await self._database.fetch_value(_COUNT, timeout=_COUNT_SECONDS, **binds)
            held = await self._database.fetch_value(_IS_HELD, ends=month.ends)
            found.append(OldMonth(month=month, count=count, is_held=held))
        return found

    async def drop(self, before: datetime) -> list[Month]:
        """Drop what ended before a moment, with what hangs on it, unless some of it is unfinished.

        Returns:
            The months of tasks that were dropped.
        """
        dropped: dict[str, list[Month]] = {}
        for table in _TABLES:
            ended = await self._ended(table, before)
            dropped[table] = [month for month in ended if await self._drop(table, month)]
        return dropped["tasks"]

    async def _ended(self, table: str, before: datetime) -> list[Month]:
        async with self._database.transaction() as transaction:
            months = await _months(transaction, table)
        return [month for month in months if month.ends_at <= before]

    async def _drop(self, table: str, month: Month) -> bool:
        if await self._database.fetch_value(_IS_HELD, ends=month.ends):
            return False
        binds: dict[str, Any] = {"starts": month.starts or _NONE, "ends": month.ends}
        if table == "tasks":
            for statement in _DELETIONS:
                while await self._database.execute(statement, **binds, limit=_BATCH) == _BATCH:
                    pass
        async with self._database.transaction() as transaction:
            # Another process may do the same.
            await _run(transaction, [f"DROP TABLE IF EXISTS {month.name}"])
        _log.info("A month was dropped", table=month.name)
        return True


async def _run(transaction: Transaction, step: Sequence[str]) -> None:
    await transaction.execute(Statement(text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")))
    try:
        for command in step:
            await transaction.execute(Statement(text(command)), timeout=_VALIDATION_SECONDS)
    except asyncpg.LockNotAvailableError as error:
        raise DatabaseUnavailableError("The tables of tasks stay in use; try again.") from error


async def _months(transaction: Transaction, table: str) -> list[Month]:
    """The partitions of a table but the default one, oldest first."""
    months = []
    for row in await transaction.fetch(_PARTS, parent=table):
        bounds = _BOUNDS.fullmatch(row["bounds"])
        if bounds is not None and is_partition(row["name"]):
            starts = UUID(bounds[1]) if bounds[1] else None
            months.append(Month(name=row["name"], starts=starts, ends=UUID(bounds[2])))
    return sorted(months, key=lambda month: month.ends)


async def _next_step(transaction: Transaction, table: str, now: datetime) -> list[str]:
    """The statements of one short transaction, none where all is done."""
    months = await _months(transaction, table)
    default = f"{table}_default"
    starts = f"'{months[-1].ends}'" if months else "MINVALUE"
    rows = select(literal(1)).select_from(TableClause(default))
    is_used = await transaction.fetch_value(Statement(select(rows.exists())))
    begun = await transaction.fetch_one(_CHECKS, name=default)
    if begun is not None:
        ends = _parse_month(begun["name"][-7:])
        if not is_used or ends < now + _TOO_NEAR:
            return [f"ALTER TABLE {default} DROP CONSTRAINT {begun['name']}"]
        if not begun["is_valid"]:
            return [f"ALTER TABLE {default} VALIDATE CONSTRAINT {begun['name']}"]
        name = f"{table}_until_{_written(ends)}"
        # In one transaction, so that nobody misses what is in it.
        return [
            f"ALTER TABLE {table} DETACH PARTITION {default}",
            f"ALTER TABLE {default} RENAME TO {name}",
            f"ALTER TABLE {table} ATTACH PARTITION {name} {_range(starts, ends)}",
            f"ALTER TABLE {name} DROP CONSTRAINT {begun['name']}",
            f"CREATE TABLE {default} PARTITION OF {table} DEFAULT",
        ]
    if is_used:
        # By a check that holds already nothing has to be looked through under a lock.
        ends = _next_month(now + _FIRST_ENDS)
        id_ = _TABLES[table]
        least = f"{id_} >= {starts} AND " if months else ""
        check = f"CHECK ({least}{id_} < '{first_id(ends)}') NOT VALID"
        name = f"{default}_until_{_written(ends)}"
        return [f"ALTER TABLE {default} ADD CONSTRAINT {name} {check}"]
    if months and months[-1].ends_at > now + _AHEAD:
        return []
    begins = months[-1].ends_at if months else now
    ends = _next_month(begins)
    name = f"{table}_{_written(begins)}" if months else f"{table}_until_{_written(ends)}"
    return [f"CREATE TABLE {name} PARTITION OF {table} {_range(starts, ends)}"]


def _range(starts: str, ends: datetime) -> str:
    return f"FOR VALUES FROM ({starts}) TO ('{first_id(ends)}')"


def _next_month(moment: datetime) -> datetime:
    """The beginning of the month after that of a moment."""
    moment = moment.astimezone(UTC)
    return datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=UTC)


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y_%m}"


def _parse_month(written: str) -> datetime:
    year, month = written.split("_")
    return datetime(int(year), int(month), 1, tzinfo=UTC)
