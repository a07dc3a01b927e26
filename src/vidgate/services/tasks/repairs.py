"""What an operator does to tasks by hand, whoever's they are; each act is written down."""

from uuid import UUID

from vidgate.db.acts import ActStore
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import TaskNotFoundError
from vidgate.models.acts import Act, Author
from vidgate.models.ids import TASK_PREFIX, parse_public_id
from vidgate.models.tasks import TaskSnapshot
from vidgate.services.tasks.cancelling import Canceller
from vidgate.services.views.reading import TaskReader

__all__ = ["Repairs"]


class Repairs:
    """Acts on one task at a time, by the same ways as its client."""

    def __init__(
        self, *, tasks: TaskStore, reader: TaskReader, canceller: Canceller, acts: ActStore
    ) -> None:
        self._tasks = tasks
        self._reader = reader
        self._canceller = canceller
        self._acts = acts

    async def cancel(self, public_id: str, by: Author) -> TaskSnapshot:
        """Cancel a task; see `Canceller.cancel`.

        Raises:
            TaskNotFoundError: There is no such task.
            RequestError: It cannot be cancelled, or its provider did not say whether it cancels.
        """
        before = await self._snapshot(public_id)
        view = await self._canceller.cancel(public_id, before.account_id)
        after = view.snapshot
        if not before.status.is_final:
            await self._write("task.cancel", before, after.status.value, by)
        return after

    async def delete(self, public_id: str, by: Author) -> TaskSnapshot:
        """Hide a finished task from its client.

        Raises:
            TaskNotFoundError: There is no such task, or it is hidden already.
            ConflictError: It is not finished.
        """
        before = await self._snapshot(public_id)
        await self._reader.remove(public_id, before.account_id)
        after = await self._snapshot(public_id)
        await self._write("task.delete", before, after.status.value, by, removed=True)
        return after

    async def _snapshot(self, public_id: str) -> TaskSnapshot:
        task_id: UUID | None = parse_public_id(TASK_PREFIX, public_id)
        snapshot = await self._tasks.snapshot(task_id) if task_id else None
        if snapshot is None:
            raise TaskNotFoundError("There is no task of that id; `vidgate task list` shows them.")
        return snapshot

    async def _write(
        self, act: str, before: TaskSnapshot, status: str, by: Author, **after: bool
    ) -> None:
        await self._acts.write(
            Act(
                author=by,
                name=act,
                subject=before.public_id,
                before={"status": before.status.value} | dict.fromkeys(after, False),
                after={"status": status, **after},
            )
        )
