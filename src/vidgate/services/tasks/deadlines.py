"""The deadlines that clients set for their own tasks: cancelled then, as by their own call."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from vidgate.db.cancellations import Cancellation, CancellationStore
from vidgate.db.clock import Clock
from vidgate.exceptions import (
    ConflictError,
    DatabaseUnavailableError,
    TaskNotFoundError,
    UpstreamRefusedError,
)
from vidgate.models.accounts import Sight
from vidgate.models.attempts import Lease
from vidgate.models.ids import new_id, public_id
from vidgate.services.tasks.cancelling import Canceller
from vidgate.services.views.changes import Changes

__all__ = ["Deadlines"]

_log = structlog.get_logger(__name__)

_AT_ONCE: Final = 32
"""Cancellations under way in one process: each may wait for a provider for seconds."""

_LEASE: Final = timedelta(minutes=2)
"""Longer than a cancellation takes: an ask and a cancel of 20 s each, and a few looks."""

_FIRST_WAIT: Final = timedelta(seconds=5)
_LONGEST_WAIT: Final = timedelta(minutes=5)
"""Between two tries where the provider does not say; doubled up to this."""


class Deadlines:
    """Cancels the tasks whose clients' time is up. Several may run on one database."""

    def __init__(
        self,
        *,
        store: CancellationStore,
        canceller: Canceller,
        changes: Changes,
        clock: Clock,
    ) -> None:
        self._store = store
        self._canceller = canceller
        self._changes = changes
        self._clock = clock
        self._running: set[asyncio.Task[None]] = set()

    async def round(self) -> bool:
        """Start on what is due, as far as there is room.

        Returns:
            Whether there may be more that has room.
        """
        room = _AT_ONCE - len(self._running)
        if room <= 0:
            return False
        now = self._clock.now()
        lease = Lease(new_id(), now + _LEASE)
        due = await self._store.claim(lease=lease, now=now, limit=room)
        for one in due:
            running = asyncio.create_task(self._end(one, lease))
            self._running.add(running)
            running.add_done_callback(self._running.discard)
        return len(due) == room

    async def idle(self) -> None:
        """Wait until all that was started is done."""
        while self._running:
            await asyncio.wait(self._running)

    async def stop(self, grace: timedelta) -> None:
        """Let what is under way end; what is left is taken up by another process."""
        if self._running:
            await asyncio.wait(self._running, timeout=grace.total_seconds())
        for running in list(self._running):
            running.cancel()

    async def _end(self, one: Cancellation, lease: Lease) -> None:
        name = public_id("task_", one.task_id)
        try:
            await self._cancel(one, lease, name)
        except DatabaseUnavailableError as error:
            _log.warning("The database was away at a deadline", task=name, reason=str(error))
        except Exception:  # noqa: BLE001 - one task's trouble must not end the others' work
            _log.exception("A deadline failed; it is tried again", task=name)

    async def _cancel(self, one: Cancellation, lease: Lease, name: str) -> None:
        now = self._clock.now()
        try:
            await self._canceller.cancel(name, Sight(one.account_id))
        except TaskNotFoundError:
            pass  # its client has removed it
        except UpstreamRefusedError:
            wait = min(_FIRST_WAIT * (1 << min(one.tries - 1, 10)), _LONGEST_WAIT)
            await self._store.again(one, lease, now=now, wait=wait)
            return
        except ConflictError as error:
            if error.retry_after_seconds is not None:
                wait = timedelta(seconds=error.retry_after_seconds)
                await self._store.again(one, lease, now=now, wait=wait)
                return
            # Of a task that has just finished nothing is noted.
            if await self._store.refuse(one, lease, now):
                self._changes.changed(one.task_id)
            return
        await self._store.end(one, lease)
