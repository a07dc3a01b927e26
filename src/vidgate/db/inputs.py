"""Inline media of requests: kept for what is still to be submitted, and a while for repairs."""

from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    DateTime,
    Interval,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
)

from vidgate.db.engine import Database, Statement
from vidgate.db.tables import attempts, inputs, tasks

__all__ = ["InputStore"]

# The size of a value is known without reading it.
_stored = (
    select(inputs.c.task_id, func.sum(func.octet_length(inputs.c.content)).label("size"))
    .group_by(inputs.c.task_id)
    .cte("stored")
)
# What the newest tasks have comes first, so the oldest are what is too much.
_judged = (
    select(
        _stored.c.task_id,
        tasks.c.finished_at,
        func.sum(_stored.c.size).over(order_by=_stored.c.task_id.desc()).label("upto"),
    )
    .where(tasks.c.id == _stored.c.task_id)
    .cte("judged")
)
_is_needed = (
    select(literal(1))
    .where(
        attempts.c.task_id == _judged.c.task_id,
        or_(attempts.c.status == "pending", attempts.c.status == "submitting"),
    )
    .exists()
)
_PURGE = Statement(
    delete(inputs).where(
        inputs.c.task_id == _judged.c.task_id,
        ~_is_needed,
        or_(
            _judged.c.finished_at
            <= bindparam("now", type_=DateTime(timezone=True)) - bindparam("keep", type_=Interval),
            _judged.c.upto > bindparam("space", type_=BigInteger),
        ),
    )
)


class InputStore:
    """The inline media of all tasks together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def purge(self, now: datetime, *, keep: timedelta, space: int) -> int:
        """Delete what is over; what is still to be submitted is never touched.

        Args:
            now: Database time.
            keep: How long it is kept after the end of its task.
            space: How many bytes are kept in all; beyond it the oldest go first.

        Returns:
            How many pieces were deleted.
        """
        return await self._database.execute(_PURGE, now=now, keep=keep, space=space)
