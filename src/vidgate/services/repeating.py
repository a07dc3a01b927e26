"""Requests that come again: answered as the first time, never carried out twice."""

from datetime import datetime
from uuid import UUID

from vidgate.db.attempts import AttemptStore
from vidgate.db.once import FirstUse, OnceStore
from vidgate.exceptions import IdempotencyError, RepeatedRefusalError, RequestError
from vidgate.models.ids import public_id
from vidgate.models.requests import Once
from vidgate.models.tasks import AttemptStatus, TaskSnapshot, TaskStatus
from vidgate.services.reading import TaskReader

__all__ = ["Repetitions"]


class Repetitions:
    """Knows what the first request of a key came to."""

    def __init__(self, *, store: OnceStore, attempts: AttemptStore, reader: TaskReader) -> None:
        self._store = store
        self._attempts = attempts
        self._reader = reader

    async def answer(self, first: FirstUse, once: Once, account_id: UUID) -> TaskSnapshot | None:
        """What to answer a repetition with; `None` while the first is still being submitted.

        Raises:
            IdempotencyError: The key was used for another request.
            RequestError: The first was refused; the same refusal again.
            TaskNotFoundError: Its client has removed the task meanwhile.
            DatabaseUnavailableError: It could not be read.
        """
        if first.fingerprint != once.fingerprint:
            raise IdempotencyError(
                "This idempotency key was used for another request; send a new key."
            )
        kept = await self._store.find(account_id, once.key)
        if kept is not None and kept.task_id == first.task_id and kept.answer is not None:
            raise RepeatedRefusalError(**kept.answer)
        view = await self._reader.read(public_id("task_", first.task_id), account_id)
        task = view.snapshot
        if task.started_at is not None or task.status is TaskStatus.CANCELLED:
            return task
        if task.status is TaskStatus.FAILED:
            return None  # a refusal is written a moment after the failure that it tells of
        attempts = await self._attempts.of_task(task.id)
        waits_for_a_slot = all(one.status is not AttemptStatus.SUBMITTING for one in attempts)
        return task if waits_for_a_slot else None

    async def purge(self, now: datetime) -> None:
        """Forget the keys whose time is over."""
        await self._store.purge(now)

    async def keep(self, error: RequestError, once: Once, account_id: UUID, task_id: UUID) -> None:
        """Remember the refusal that the first request was answered with."""
        await self._store.answer(
            account_id,
            once.key,
            task_id,
            {
                "status": error.status,
                "kind": error.type,
                "code": error.code,
                "message": error.message,
                "param": error.param,
            },
        )
