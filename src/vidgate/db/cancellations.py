"""Deadlines of clients: tasks that are to be cancelled then. A row ends with its work."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import DateTime, Integer, Text, Uuid, bindparam, delete, insert, or_, select, update

from vidgate.db.engine import Database, Statement, Transaction
from vidgate.db.tables import cancellations, tasks
from vidgate.models.attempts import Lease

__all__ = ["NOT_POSSIBLE", "Cancellation", "CancellationStore", "insert_cancellation"]

NOT_POSSIBLE = "not_possible"
"""What came of a deadline whose task could not be cancelled."""

_TIME = DateTime(timezone=True)
_INSERT = Statement(
    insert(cancellations).values(
        task_id=bindparam("task_id", type_=Uuid),
        account_id=bindparam("account_id", type_=Uuid),
        due_at=bindparam("due_at", type_=_TIME),
    )
)
_due = (
    select(cancellations.c.task_id)
    .where(cancellations.c.due_at <= bindparam("now", type_=_TIME))
    .order_by(cancellations.c.due_at)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True)
    .cte("due")
)
# While it is leased it is due when the lease ends, as all work is.
_CLAIM = Statement(
    update(cancellations)
    .values(
        lease_id=bindparam("lease_id", type_=Uuid),
        lease_until=bindparam("lease_until", type_=_TIME),
        due_at=bindparam("lease_until", type_=_TIME),
        tries=cancellations.c.tries + 1,
    )
    .where(cancellations.c.task_id == _due.c.task_id)
    .returning(cancellations.c.task_id, cancellations.c.account_id, cancellations.c.tries)
)
_mine = (
    cancellations.c.task_id == bindparam("task_id", type_=Uuid),
    cancellations.c.lease_id == bindparam("lease_id", type_=Uuid),
)
_END = Statement(delete(cancellations).where(*_mine))
_AGAIN = Statement(
    update(cancellations)
    .values(due_at=bindparam("due_at", type_=_TIME), lease_id=None, lease_until=None)
    .where(*_mine)
)
_ended = delete(cancellations).where(*_mine).returning(cancellations.c.task_id).cte("ended")
_REFUSE = Statement(
    update(tasks)
    .values(
        cancel_after=bindparam("told", type_=Text),
        revision=tasks.c.revision + 1,
        amended_at=bindparam("now", type_=_TIME),
    )
    .where(
        tasks.c.id == _ended.c.task_id,
        or_(tasks.c.status == "queued", tasks.c.status == "in_progress"),
    )
    .returning(tasks.c.id)
)


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A task whose client's deadline has come.

    Attributes:
        tries: How often it was tried to cancel it, this time included.
    """

    task_id: UUID
    account_id: UUID
    tries: int


async def insert_cancellation(
    transaction: Transaction, task_id: UUID, account_id: UUID, due_at: datetime
) -> None:
    """Store the deadline of a new task."""
    await transaction.execute(_INSERT, task_id=task_id, account_id=account_id, due_at=due_at)


class CancellationStore:
    """What becomes of deadlines. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, *, lease: Lease, now: datetime, limit: int) -> list[Cancellation]:
        """Lease what is due, longest due first."""
        rows = await self._database.fetch(
            _CLAIM, now=now, limit=limit, lease_id=lease.id, lease_until=lease.until
        )
        return [Cancellation(**dict(row)) for row in rows]

    async def end(self, one: Cancellation, lease: Lease) -> None:
        """Forget a deadline that is dealt with."""
        await self._database.execute(_END, task_id=one.task_id, lease_id=lease.id)

    async def again(
        self, one: Cancellation, lease: Lease, *, now: datetime, wait: timedelta
    ) -> None:
        """Leave it for later, to any process."""
        await self._database.execute(
            _AGAIN, task_id=one.task_id, lease_id=lease.id, due_at=now + wait
        )

    async def refuse(self, one: Cancellation, lease: Lease, now: datetime) -> bool:
        """Forget it, and note with its task that it cannot be cancelled.

        Returns:
            Whether the task was still unfinished.
        """
        row = await self._database.fetch_one(
            _REFUSE, task_id=one.task_id, lease_id=lease.id, told=NOT_POSSIBLE, now=now
        )
        return row is not None
