"""Which tasks have changed, in the order in which they did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, Uuid, any_, bindparam, func, select, tuple_

from vidgate.db.engine import Database, Record, Statement
from vidgate.db.tables import tasks
from vidgate.db.tasks import TaskStore
from vidgate.models.tasks import TaskSnapshot

__all__ = ["TaskChange", "TaskChangeStore"]

_TIME = DateTime(timezone=True)
# The expression of an index. Every revision sets one of them, those of earlier versions as well.
_changed_at = func.greatest(
    tasks.c.created_at,
    tasks.c.started_at,
    tasks.c.finished_at,
    tasks.c.amended_at,
    type_=_TIME,
)
_changes = select(
    tasks.c.id, tasks.c.account_id, tasks.c.revision, _changed_at.label("changed_at")
).where(tasks.c.removed_at.is_(None))
_of_accounts = tasks.c.account_id == any_(bindparam("account_ids", type_=ARRAY(Uuid)))
_SINCE = Statement(
    _changes.where(_of_accounts, _changed_at > bindparam("since", type_=_TIME)).order_by(
        _changed_at, tasks.c.id
    )
)
_AMONG = Statement(
    _changes.where(tasks.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))), _of_accounts).order_by(
        _changed_at, tasks.c.id
    )
)
_PAGE = Statement(
    _changes.where(
        tasks.c.account_id == bindparam("account_id", type_=Uuid),
        tuple_(_changed_at, tasks.c.id)
        > tuple_(bindparam("at", type_=_TIME), bindparam("id", type_=Uuid)),
    )
    .order_by(_changed_at, tasks.c.id)
    .limit(bindparam("limit", type_=Integer))
)


@dataclass(frozen=True, slots=True)
class TaskChange:
    """A task, and when it last changed."""

    id: UUID
    account_id: UUID
    revision: int
    changed_at: datetime


class TaskChangeStore:
    """Finds changes of tasks. Times may lie a little before their commits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tasks = TaskStore(database)

    async def since(self, account_ids: Sequence[UUID], since: datetime) -> list[TaskChange]:
        """Every task of these accounts that has changed since then, the oldest change first."""
        rows = await self._database.fetch(_SINCE, account_ids=list(account_ids), since=since)
        return [_to_change(row) for row in rows]

    async def among(self, ids: Sequence[UUID], account_ids: Sequence[UUID]) -> list[TaskChange]:
        """Those of these tasks that are of these accounts, the oldest change first."""
        rows = await self._database.fetch(_AMONG, ids=list(ids), account_ids=list(account_ids))
        return [_to_change(row) for row in rows]

    async def page(
        self, account_id: UUID, *, after: tuple[datetime, UUID], limit: int
    ) -> list[TaskChange]:
        """The changes that follow one, the oldest first.

        Args:
            account_id: Whose.
            after: When that one was, and its task.
            limit: How many at most.
        """
        at, task_id = after
        rows = await self._database.fetch(
            _PAGE, account_id=account_id, at=at, id=task_id, limit=limit
        )
        return [_to_change(row) for row in rows]

    async def snapshots(self, ids: Sequence[UUID]) -> list[TaskSnapshot]:
        """Read tasks as they stand."""
        return await self._tasks.newer(dict.fromkeys(ids, (-1, -1)), limit=len(ids))


def _to_change(row: Record) -> TaskChange:
    return TaskChange(row["id"], row["account_id"], row["revision"], row["changed_at"])
