"""Requests that come again: answered as the first time, never carried out twice."""

from datetime import datetime
from uuid import UUID

from vidgate.db.attempts import AttemptStore
from vidgate.db.once import FirstUse, OnceStore
from vidgate.exceptions import IdempotencyError, RepeatedRefusalError, RequestError
from vidgate.models.ids import public_id
from vidgate.models.requests import IdempotencyClaim
from vidgate.models.tasks import AttemptStatus, TaskSnapshot, TaskStatus
from vidgate.services.views.reading import TaskReader

__all__ = ["Repetitions", "UndoneError"]


class UndoneError(Exception):
    """The first request of a key came to nothing, and the key is free again."""


class Repetitions:
    """Knows what the first request of a key came to."""

    def __init__(self, *, store: OnceStore, attempts: AttemptStore, reader: TaskReader) -> None:
        self._store = store
        self._attempts = attempts
        self._reader = reader

    async def find(
        self, once: IdempotencyClaim, account_id: UUID, now: datetime
    ) -> FirstUse | None:
        """What the key was first used for, `None` if it is free."""
        first = await self._store.find(account_id, once.key)
        return first if first is not None and first.expires_at > now else None

    async def answer(
        self, first: FirstUse, once: IdempotencyClaim, account_id: UUID, *, patient: bool
    ) -> TaskSnapshot | None:
        """What to answer a repetition with; `None` while the first is still being submitted.

        Args:
            first: What the key was first used for.
            once: The key.
            account_id: Whose.
            patient: Whether to wait for what is being submitted; otherwise it is answered as it is.

        Raises:
            IdempotencyError: The key was used for another request.
            UndoneError: The first came to nothing that anybody was told of.
            RequestError: The first was refused; the same refusal again.
            TaskNotFoundError: Its client has removed the task meanwhile.
            DatabaseUnavailableError: It could not be read.
        """
        if first.fingerprint != once.fingerprint:
            raise IdempotencyError(
                "This idempotency key was used for another request; send a new key."
            )
        kept = await self._store.find(account_id, once.key)
        if kept is None or kept.task_id != first.task_id:
            raise UndoneError
        if kept.answer is not None:
            raise RepeatedRefusalError(**kept.answer)
        name = public_id("task_", first.task_id)
        task = (await self._reader.read(name, account_id)).snapshot
        if task.started_at is not None or task.status is TaskStatus.CANCELLED:
            return task
        if patient and await self._is_under_way(task):
            return None
        # From here on its client has the id: a process that is not sure of having stored it, and
        # undoes it for that, has to leave it alone.
        if not await self._store.acknowledge(account_id, once.key, task.id):
            raise UndoneError
        return task

    async def _is_under_way(self, task: TaskSnapshot) -> bool:
        if task.status is TaskStatus.FAILED:
            return True  # a refusal is written a moment after the failure that it tells of
        attempts = await self._attempts.of_task(task.id)
        return any(one.status is AttemptStatus.SUBMITTING for one in attempts)

    async def purge(self, now: datetime) -> None:
        """Forget the keys whose time is over."""
        await self._store.purge(now)

    async def keep(
        self, error: RequestError, once: IdempotencyClaim, account_id: UUID, task_id: UUID
    ) -> None:
        """Remember the refusal that the first request was answered with, or free its key."""
        if once.frees_refused:
            await self._store.release(account_id, once.key, task_id)
            return
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
