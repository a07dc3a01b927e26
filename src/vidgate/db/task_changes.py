"""Which tasks have changed, in the order in which they did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    DateTime,
    Integer,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    literal,
    select,
    true,
    tuple_,
)

from vidgate.db.engine import Database, Record, Statement
from vidgate.db.sights import in_sight, sight_binds
from vidgate.db.tables import attempts, tasks
from vidgate.db.tasks import TaskStore, progress_now
from vidgate.models.accounts import Sight
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
_columns = (
    tasks.c.id,
    tasks.c.account_id,
    tasks.c.token_id,
    tasks.c.revision,
    progress_now.label("progress"),
)
_is_there = tasks.c.removed_at.is_(None)
_of_accounts = tasks.c.account_id == any_(bindparam("account_ids", type_=ARRAY(Uuid)))
_since = bindparam("since", type_=_TIME)

# Progress is no revision: it is found at the jobs that make it.
_of_task = attempts.alias("of_task")
_progressed_at = (
    select(func.max(_of_task.c.progressed_at))
    .where(_of_task.c.task_id == tasks.c.id, _of_task.c.status == "running")
    .scalar_subquery()
)
_makes_progress = and_(attempts.c.status == "running", attempts.c.progressed_at.is_not(None))
_changes = select(*_columns, func.greatest(_changed_at, _progressed_at).label("changed_at")).where(
    _is_there
)
_progressed = (
    select(attempts.c.task_id)
    .where(
        _makes_progress,
        attempts.c.account_id == any_(bindparam("account_ids", type_=ARRAY(Uuid))),
        attempts.c.progressed_at > _since,
    )
    .scalar_subquery()
)
_SINCE = Statement(
    _changes.where(_of_accounts, _changed_at > _since)
    .union(_changes.where(_of_accounts, tasks.c.id == any_(func.array(_progressed))))
    .order_by("changed_at", "id")
)
_AMONG = Statement(
    _changes.where(tasks.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))), _of_accounts).order_by(
        "changed_at", tasks.c.id
    )
)

_after = tuple_(bindparam("at", type_=_TIME), bindparam("id", type_=Uuid))
_limit = bindparam("limit", type_=Integer)
_page_of_tasks = (
    select(*_columns, _changed_at.label("changed_at"))
    .where(
        _is_there,
        in_sight(tasks),
        tuple_(_changed_at, tasks.c.id) > _after,
        func.coalesce(_progressed_at <= _changed_at, true()),
    )
    .order_by(_changed_at, tasks.c.id)
    .limit(_limit)
    .subquery("page_of_tasks")
)
# Of the jobs of one task it is the latest whose progress counts.
_later = attempts.alias("later")
_page_of_progress = (
    select(*_columns, attempts.c.progressed_at.label("changed_at"))
    .select_from(attempts.join(tasks, tasks.c.id == attempts.c.task_id))
    .where(
        _is_there,
        attempts.c.account_id == bindparam("sight_account_id", type_=Uuid),
        in_sight(tasks),
        _makes_progress,
        tuple_(attempts.c.progressed_at, attempts.c.task_id) > _after,
        attempts.c.progressed_at > _changed_at,
        ~select(literal(1))
        .where(
            _later.c.task_id == attempts.c.task_id,
            _later.c.status == "running",
            tuple_(_later.c.progressed_at, _later.c.id)
            > tuple_(attempts.c.progressed_at, attempts.c.id),
        )
        .exists(),
    )
    .order_by(attempts.c.progressed_at, attempts.c.task_id)
    .limit(_limit)
    .subquery("page_of_progress")
)
_PAGE = Statement(
    select(_page_of_tasks)
    .union_all(select(_page_of_progress))
    .order_by("changed_at", "id")
    .limit(_limit)
)


@dataclass(frozen=True, slots=True)
class TaskChange:
    """A task, and when it last changed.

    Attributes:
        version: Of its state, as `TaskSnapshot` has it while the task is unfinished.
    """

    id: UUID
    account_id: UUID
    token_id: UUID
    version: tuple[int, int]
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
        self, sight: Sight, *, after: tuple[datetime, UUID], limit: int
    ) -> list[TaskChange]:
        """The changes that follow one, the oldest first.

        Args:
            sight: Which tasks there are.
            after: When that one was, and its task.
            limit: How many at most.
        """
        at, task_id = after
        rows = await self._database.fetch(
            _PAGE, **sight_binds(sight), at=at, id=task_id, limit=limit
        )
        return [_to_change(row) for row in rows]

    async def snapshots(self, ids: Sequence[UUID]) -> list[TaskSnapshot]:
        """Read tasks as they stand."""
        return list((await self._tasks.snapshots(ids)).values())


def _to_change(row: Record) -> TaskChange:
    version = (row["revision"], row["progress"])
    return TaskChange(row["id"], row["account_id"], row["token_id"], version, row["changed_at"])
