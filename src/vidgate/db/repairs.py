"""What an operator does to an unfinished task, fenced against the engine's own writes.

Attempts are locked before their task, as the engine does it, so that nobody waits in a circle. A
worker that holds one of them loses its lease and writes nothing any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    DateTime,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from vidgate.db import attempt_statements as sql
from vidgate.db.acts import write_act
from vidgate.db.attempts import finish_output
from vidgate.db.documents import write_result
from vidgate.db.engine import Database, Record, Statement, Transaction
from vidgate.db.tables import attempts
from vidgate.models.acts import Act, Author
from vidgate.models.ids import TASK_PREFIX, public_id
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import TaskError, TaskStatus

__all__ = ["Refusal", "RepairRefusedError", "RepairStore", "Repaired"]

_TIME = DateTime(timezone=True)
_NOW = bindparam("now", type_=_TIME)
_LIVE = frozenset({"pending", "submitting", "running"})
_of_task = attempts.c.task_id == bindparam("task_id", type_=Uuid)
_is_live = or_(*(attempts.c.status == status for status in sorted(_LIVE)))
_unleased = {"lease_id": None, "lease_until": None}

_LOCK = Statement(
    select(
        attempts.c.id,
        attempts.c.position,
        attempts.c.status,
        attempts.c.lease_id,
        attempts.c.lease_until,
    )
    .where(_of_task)
    .order_by(attempts.c.position, attempts.c.number)
    .with_for_update()
)
# What a worker holds is asked about at this moment.
_HASTEN = Statement(
    update(attempts)
    .values(due_at=_NOW)
    .where(
        _of_task,
        _is_live,
        or_(attempts.c.lease_id.is_(None), attempts.c.lease_until <= _NOW),
        attempts.c.due_at > _NOW,
    )
)
# A job goes on, and is followed for the books; what was never submitted simply ends.
_END = Statement(
    update(attempts)
    .values(
        status=case((attempts.c.status == "pending", "failed"), else_="unknown"),
        due_at=case((attempts.c.status == "running", bindparam("follow_at", type_=_TIME))),
        finished_at=_NOW,
        last_reason=bindparam("reason", type_=Text),
        **_unleased,
    )
    .where(_of_task, _is_live)
)
_SUCCEED = Statement(
    update(attempts)
    .values(
        status="succeeded",
        due_at=None,
        finished_at=_NOW,
        result=bindparam("result", type_=JSONB),
        last_reason=bindparam("reason", type_=Text),
        **_unleased,
    )
    .where(attempts.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
)
_KEEP = Statement(
    update(attempts)
    .values(result=bindparam("result", type_=JSONB), last_reason=bindparam("reason", type_=Text))
    .where(
        attempts.c.id == bindparam("attempt_id", type_=Uuid),
        attempts.c.status != "succeeded",
    )
)
_ATTACHED = "Its link was attached by the operator."
_ENDED = "It was ended by the operator."


class Refusal(Enum):
    """Why a repair changed nothing."""

    FINAL = auto()
    SENDING = auto()
    """A submit is under way, of which nobody knows yet whether it makes a job."""
    HAS_VIDEO = auto()
    NO_OUTPUT = auto()


class RepairRefusedError(Exception):
    """Nothing was changed.

    Attributes:
        refusal: Why.
        status: Of the task.
    """

    def __init__(self, refusal: Refusal, status: TaskStatus) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal
        self.status = status


@dataclass(frozen=True, slots=True)
class Repaired:
    """What became of a task.

    Attributes:
        final: Whether this ended it.
        jobs: How many attempts were touched.
    """

    final: bool
    jobs: int


class RepairStore:
    """Repairs, each with its act in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def poll_now(self, task_id: UUID, *, now: datetime, author: Author) -> Repaired:
        """Make every live attempt of a task due.

        Raises:
            RepairRefusedError: The task is final.
        """
        async with self._database.transaction() as transaction:
            await transaction.fetch(_LOCK, task_id=task_id)
            status = await _unfinished(transaction, task_id)
            jobs = await transaction.execute(_HASTEN, task_id=task_id, now=now)
            after = {"status": status.value, "due": jobs}
            await _write(
                transaction, "task.poll-now", task_id, author=author, before=status, after=after
            )
        return Repaired(final=False, jobs=jobs)

    async def fail(
        self, task_id: UUID, *, error: TaskError, follow_at: datetime, now: datetime, author: Author
    ) -> Repaired:
        """End every output of a task that has no video yet.

        Args:
            task_id: Which.
            error: What its client is told.
            follow_at: When its jobs are asked about again, for the books.
            now: Database time.
            author: Whose act it is.

        Raises:
            RepairRefusedError: The task is final, or is just being submitted.
        """
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch(_LOCK, task_id=task_id)
            before = await _unfinished(transaction, task_id)
            if any(_is_sent(row, now) for row in rows):
                raise RepairRefusedError(Refusal.SENDING, before)
            jobs = await transaction.execute(
                _END, task_id=task_id, follow_at=follow_at, reason=_ENDED, now=now
            )
            final = False
            for position, status in enumerate(await _outputs(transaction, task_id)):
                if not status.is_final:
                    end = await finish_output(
                        transaction, task_id, position, result=None, error=error, now=now
                    )
                    final = end is not None
            after = {"status": (await _status(transaction, task_id)).value}
            await _write(
                transaction, "task.fail", task_id, author=author, before=before, after=after
            )
        return Repaired(final=final, jobs=jobs)

    async def attach(
        self,
        task_id: UUID,
        *,
        position: int | None,
        result: VideoResult,
        now: datetime,
        author: Author,
    ) -> Repaired:
        """Give an output its video; of a task that is final the attempt alone keeps it.

        Args:
            task_id: Which.
            position: Of the output, `None` for the first without a video.
            result: The video.
            now: Database time.
            author: Whose act it is.

        Raises:
            RepairRefusedError: There is no such output, it has a video, or is just being submitted.
        """
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch(_LOCK, task_id=task_id)
            before = await _status(transaction, task_id)
            ends = await _outputs(transaction, task_id)
            position = _choose(ends, position, before)
            own = [row for row in rows if row["position"] == position]
            final = False
            if ends[position].is_final:
                await transaction.execute(
                    _KEEP,
                    attempt_id=own[-1]["id"],
                    result=write_result(result),
                    reason=_ATTACHED,
                )
            else:
                if any(_is_sent(row, now) for row in own):
                    raise RepairRefusedError(Refusal.SENDING, before)
                await transaction.execute(
                    _SUCCEED,
                    ids=[row["id"] for row in own if row["status"] in _LIVE],
                    result=write_result(result),
                    reason=_ATTACHED,
                    now=now,
                )
                end = await finish_output(
                    transaction, task_id, position, result=result, error=None, now=now
                )
                final = end is not None
            status = await _status(transaction, task_id)
            after = {"status": status.value, "output": position, "url": result.url}
            await _write(
                transaction,
                "task.attach-result",
                task_id,
                author=author,
                before=before,
                after=after,
            )
        return Repaired(final=final, jobs=1)


def _is_sent(row: Record, now: datetime) -> bool:
    """Whether a worker holds an attempt whose submit it may be sending."""
    is_held = row["lease_id"] is not None and row["lease_until"] > now
    return row["status"] == "submitting" and is_held


def _choose(ends: Sequence[TaskStatus], position: int | None, status: TaskStatus) -> int:
    """The output to give a video: the first that waits for one, else the first without."""
    if position is None:
        waiting = [index for index, end in enumerate(ends) if not end.is_final]
        without = [index for index, end in enumerate(ends) if end is not TaskStatus.SUCCEEDED]
        if not without:
            raise RepairRefusedError(Refusal.HAS_VIDEO, status)
        return (waiting or without)[0]
    if position >= len(ends):
        raise RepairRefusedError(Refusal.NO_OUTPUT, status)
    if ends[position] is TaskStatus.SUCCEEDED:
        raise RepairRefusedError(Refusal.HAS_VIDEO, status)
    return position


async def _status(transaction: Transaction, task_id: UUID) -> TaskStatus:
    [row] = await transaction.fetch(sql.LOCK_TASK, task_id=task_id)
    return TaskStatus(row["status"])


async def _unfinished(transaction: Transaction, task_id: UUID) -> TaskStatus:
    status = await _status(transaction, task_id)
    if status.is_final:
        raise RepairRefusedError(Refusal.FINAL, status)
    return status


async def _outputs(transaction: Transaction, task_id: UUID) -> list[TaskStatus]:
    rows = await transaction.fetch(sql.OUTPUTS, task_id=task_id)
    return [TaskStatus(row["status"]) for row in rows]


async def _write(
    transaction: Transaction,
    name: str,
    task_id: UUID,
    *,
    author: Author,
    before: TaskStatus,
    after: Mapping[str, object],
) -> None:
    act = Act(
        author=author,
        name=name,
        subject=public_id(TASK_PREFIX, task_id),
        before={"status": before.value},
        after=after,
    )
    await write_act(transaction, act)
