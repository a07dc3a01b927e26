"""Requests that come again: answered as the first time, never carried out twice."""

import asyncio
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

import structlog

from vidgate.db.attempts import AttemptStore
from vidgate.db.once import FirstUse, OnceStore, Receipt
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import (
    DatabaseUnavailableError,
    IdempotencyError,
    RepeatedRefusalError,
    RequestError,
)
from vidgate.models.accounts import Caller, Sight
from vidgate.models.ids import public_id
from vidgate.models.requests import IdempotencyClaim, Recognition
from vidgate.models.tasks import AttemptStatus, TaskSnapshot, TaskStatus
from vidgate.services.views.reading import TaskReader

__all__ = ["Repetitions", "UndoneError"]

_log = structlog.get_logger(__name__)

_RECEIPT_LOOKS = (timedelta(seconds=0.02), timedelta(seconds=0.08), timedelta(seconds=0.2))
"""Pauses before looks for the note that an answer arrived: it is written right behind the answer,
and a client that signs by the second may send its next request sooner."""

_MAX_RECEIPTS = 10_000
"""Notes kept while PostgreSQL does not answer; what comes above that is dropped."""


class UndoneError(Exception):
    """The first request of a key came to nothing, and the key is free again."""


class Repetitions:
    """Knows what the first request of a key came to."""

    def __init__(
        self, *, store: OnceStore, attempts: AttemptStore, tasks: TaskStore, reader: TaskReader
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._attempts = attempts
        self._reader = reader
        self._receipts: list[Receipt] = []
        self._noting: asyncio.Task[None] | None = None

    async def find(
        self, once: IdempotencyClaim, account_id: UUID, now: datetime
    ) -> FirstUse | None:
        """What the request repeats, or may repeat; `None` if it is the first.

        Raises:
            DatabaseUnavailableError: It could not be read.
        """
        match once.recognition:
            case Recognition.FIRST:
                return None
            case Recognition.RETRY:
                return await self._store.adopt(once, account_id, now)
            case Recognition.BY_KEY | Recognition.UNTIL_ANSWERED:
                first = await self._store.find(account_id, once.key)
                return None if first is None or _is_free(first, once, now) else first
            case _:
                assert_never(once.recognition)

    async def find_earlier(
        self, once: IdempotencyClaim, caller: Caller, now: datetime
    ) -> FirstUse | None:
        """What the request repeats of the same token's, from when the token saw more, or less.

        Raises:
            DatabaseUnavailableError: It could not be read.
        """
        if once.recognition not in {Recognition.BY_KEY, Recognition.UNTIL_ANSWERED}:
            return None  # they are found by what they ask, and by which token
        token = caller.token
        now_shared = caller.sight.token_id is None
        before = Sight(token.account_id, token.id if now_shared else None)
        first = await self.find(once.within(before), token.account_id, now)
        if first is None or now_shared:
            return first
        try:
            made_by, _ = await self._tasks.origin(first.task_id)
        except KeyError:
            return None
        return first if made_by == token.id else None

    async def answer(
        self, first: FirstUse, once: IdempotencyClaim, account_id: UUID, *, patient: bool
    ) -> TaskSnapshot | None:
        """What to answer a repetition with; `None` while the first is still being submitted.

        Args:
            first: What the key was first used for.
            once: By what it was recognised.
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
        kept = await self._store.find(account_id, first.key)
        if kept is None or kept.task_id != first.task_id:
            raise UndoneError
        if kept.answer is not None:
            raise RepeatedRefusalError(**kept.answer)
        name = public_id("task_", first.task_id)
        task = (await self._reader.read(name, Sight(account_id))).snapshot
        if task.started_at is not None or task.status is TaskStatus.CANCELLED:
            return task
        if patient and await self._is_under_way(task):
            return None
        # From here on its client has the id: a process that is not sure of having stored it, and
        # undoes it for that, has to leave it alone.
        if not await self._store.acknowledge(account_id, first.key, task.id):
            return await self.answer(first, once, account_id, patient=patient)
        return task

    async def _is_under_way(self, task: TaskSnapshot) -> bool:
        if task.status is TaskStatus.FAILED:
            return True  # a refusal is written a moment after the failure that it tells of
        attempts = await self._attempts.of_task(task.id)
        return any(one.status is AttemptStatus.SUBMITTING for one in attempts)

    async def is_spent(self, first: FirstUse, once: IdempotencyClaim, account_id: UUID) -> bool:
        """Whether the answer to the first request, which is ready, arrives in a moment.

        Raises:
            DatabaseUnavailableError: It could not be read.
        """
        if once.recognition is not Recognition.UNTIL_ANSWERED:
            return False
        for pause in _RECEIPT_LOOKS:
            await asyncio.sleep(pause.total_seconds())
            kept = await self._store.find(account_id, first.key)
            if kept is None or kept.task_id != first.task_id or kept.delivered:
                return True
        return False

    def delivered(self, receipt: Receipt) -> None:
        """Note soon that an answer arrived; many in one statement, one statement at a time.

        A note that cannot be written is dropped: a repetition then gets the same answer.
        """
        if len(self._receipts) >= _MAX_RECEIPTS:
            return
        self._receipts.append(receipt)
        if self._noting is None:
            self._noting = asyncio.create_task(self._note_receipts(), name="delivered answers")

    async def aclose(self) -> None:
        """Write the notes that are pending, within the time that one statement may take."""
        if self._noting is not None:
            await asyncio.wait([self._noting])

    async def _note_receipts(self) -> None:
        try:
            while self._receipts:
                receipts, self._receipts = self._receipts, []
                try:
                    await self._store.note_receipts(receipts)
                except DatabaseUnavailableError as error:
                    _log.warning(
                        "Delivered answers were not noted",
                        count=len(receipts),
                        error=type(error).__name__,
                    )
        finally:
            self._noting = None

    async def purge(self, now: datetime) -> None:
        """Forget the keys whose time is over."""
        await self._store.purge(now)

    async def keep(
        self, error: RequestError, once: IdempotencyClaim, account_id: UUID, task_id: UUID
    ) -> None:
        """Remember the refusal that the first request was answered with, or free its key.

        No webhook tells of its task, unless a repetition has its id.
        """
        answer = {
            "status": error.status,
            "kind": error.type,
            "code": error.code,
            "message": error.message,
            "param": error.param,
        }
        await self._store.refuse(
            account_id, once.key, task_id, None if once.frees_refused else answer
        )


def _is_free(first: FirstUse, once: IdempotencyClaim, now: datetime) -> bool:
    """Whether the key may be used anew."""
    takes_over = once.recognition is Recognition.UNTIL_ANSWERED and first.delivered
    return first.expires_at <= now or bool(takes_over)
