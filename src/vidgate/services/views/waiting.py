"""Clients that wait for their task to change: woken by hints, looked after by one query for all."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

from vidgate.constants import WAITERS_BATCH, WAITERS_RECHECK
from vidgate.db.tasks import TaskStore
from vidgate.models.accounts import Caller
from vidgate.models.tasks import TaskSnapshot
from vidgate.services.views.reading import TaskReader, TaskView
from vidgate.services.views.waiting_places import WaitingPlaces

__all__ = ["Waiters", "Watch"]

_Version: TypeAlias = tuple[int, int]


@dataclass(slots=True, eq=False)
class _Topic:
    """A task that somebody waits for.

    Attributes:
        version: Of the newest state that a round has seen, at first of the one that was answered.
    """

    id: UUID
    version: _Version
    watches: set["Watch"] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Watch:
    """One who waits for one task. No state is held meanwhile: thousands do this at once.

    Attributes:
        seen: The version of the state that is known here.
    """

    topic: _Topic
    seen: _Version
    waiters: "Waiters"
    woken: asyncio.Future[bool] | None = None

    async def changed(self, seconds: float, gone: asyncio.Future[Any]) -> bool:
        """Wait until there may be another state than the one that was seen.

        Args:
            seconds: How long at most.
            gone: Done when nobody waits any more.

        Returns:
            `False` where time is up, nobody waits any more, or the process is about to stop.
        """
        if self.waiters.is_leaving:
            return False
        if self.topic.version > self.seen:
            return True
        if gone.done():
            return False
        # By hand, since `asyncio.wait` takes more memory than all the rest.
        loop = asyncio.get_running_loop()
        self.woken = loop.create_future()
        timer = loop.call_later(seconds, self._end)
        gone.add_done_callback(self._end)
        try:
            return await self.woken and not self.waiters.is_leaving
        finally:
            self.woken = None
            timer.cancel()
            gone.remove_done_callback(self._end)

    def wake(self) -> None:
        """End `changed`, where somebody is in it, because of another state."""
        if self.woken is not None and not self.woken.done():
            self.woken.set_result(True)

    def _end(self, _gone: object = None) -> None:
        if self.woken is not None and not self.woken.done():
            self.woken.set_result(False)


class Waiters:
    """All who wait in this process.

    Whoever waits asks the database for nothing: a round reads what has changed for all of them.

    Args:
        monotonic: Seconds that only grow.

    Attributes:
        wanted: Set when a round is due before its time.
        is_leaving: Whether the process is about to stop, so that nobody waits any more.
    """

    def __init__(
        self,
        *,
        tasks: TaskStore,
        reader: TaskReader,
        places: WaitingPlaces,
        monotonic: Callable[[], float],
    ) -> None:
        self._tasks = tasks
        self._reader = reader
        self._places = places
        self._monotonic = monotonic
        self._topics: dict[str, _Topic] = {}
        self._hinted: set[str] = set()
        self._checked_at = float("-inf")
        self.wanted = asyncio.Event()
        self.is_leaving = False

    async def wait(
        self,
        name: str,
        caller: Caller,
        *,
        seconds: float,
        until: Callable[[TaskSnapshot], bool],
        gone: Callable[[], Awaitable[object]],
    ) -> TaskView | None:
        """Wait for a state of a caller's task.

        Args:
            name: The public id.
            caller: Whose.
            seconds: How long at most; 0 and less is not at all.
            until: Whether a state is what is waited for.
            gone: Ends when nobody waits any more.

        Returns:
            The state that is waited for, else the one when time was up or the process is about to
            stop; `None` where nobody waits any more.

        Raises:
            TaskNotFoundError: There is no such task, or it is out of sight.
            TooManyWaitersError: The token waits too often already.
            DatabaseUnavailableError: It could not be read.
        """
        view = await self._reader.read(name, caller.sight)
        if seconds <= 0 or until(view.snapshot):
            return view
        seen, task_id = view.snapshot.version, view.snapshot.id
        ends_at = asyncio.get_running_loop().time() + seconds
        del view  # what it holds may be large, and this may take a minute
        with (
            self._places.take(caller.token.id, "wait"),
            self.watch(name, task_id, seen) as watch,
        ):
            leaves = asyncio.ensure_future(gone())
            try:
                return await self._wait(
                    watch, name, caller, ends_at=ends_at, until=until, gone=leaves
                )
            finally:
                leaves.cancel()

    async def _wait(
        self,
        watch: Watch,
        name: str,
        caller: Caller,
        *,
        ends_at: float,
        until: Callable[[TaskSnapshot], bool],
        gone: asyncio.Future[Any],
    ) -> TaskView | None:
        loop = asyncio.get_running_loop()
        while True:
            has_changed = await watch.changed(ends_at - loop.time(), gone)
            if gone.done():
                return None
            view = await self._reader.read(name, caller.sight)
            if not has_changed or until(view.snapshot):
                return view
            watch.seen = view.snapshot.version
            del view

    @contextmanager
    def watch(self, name: str, task_id: UUID, seen: tuple[int, int]) -> Iterator[Watch]:
        """Have a task looked after meanwhile.

        Args:
            name: The public id.
            task_id: The same.
            seen: The version that is known.
        """
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _Topic(task_id, seen)
        watch = Watch(topic, seen, self)
        topic.watches.add(watch)
        try:
            yield watch
        finally:
            topic.watches.discard(watch)
            if not topic.watches:
                del self._topics[name]
                self._hinted.discard(name)

    def wake(self, name: str) -> None:
        """Look at a task soon: it may have changed."""
        if name in self._topics:
            self._hinted.add(name)
            self.wanted.set()

    def wake_all(self) -> None:
        """Look at all tasks soon: hints may have been lost."""
        self._checked_at = float("-inf")
        if self._topics:
            self.wanted.set()

    def leave(self) -> None:
        """Let nobody wait any more: the process is about to stop."""
        self.is_leaving = True
        for topic in self._topics.values():
            for watch in topic.watches:
                watch.wake()

    async def round(self) -> bool:
        """Read the tasks of which hints told, every two seconds all of them; wake whom it concerns.

        Returns:
            Whether there may be more that has changed.

        Raises:
            DatabaseUnavailableError: They could not be read; the next round tries again.
        """
        started = self._monotonic()
        is_full = started - self._checked_at >= WAITERS_RECHECK.total_seconds()
        names = set(self._topics) if is_full else self._hinted
        if not names:
            return False
        self._hinted = set()
        try:
            changed = await self._tasks.newer(
                {self._topics[name].id: self._topics[name].version for name in names},
                limit=WAITERS_BATCH,
            )
        except BaseException:
            self._hinted |= names & self._topics.keys()
            raise
        for snapshot in changed:
            self._tell(self._reader.remember(snapshot, started))
        if len(changed) == WAITERS_BATCH:
            self._hinted |= names & self._topics.keys()
            return True
        self._reader.confirm(names.difference(one.public_id for one in changed), started)
        if is_full:
            self._checked_at = started
        return False

    def _tell(self, view: TaskView) -> None:
        topic = self._topics.get(view.snapshot.public_id)
        if topic is None:
            return  # nobody waits any more
        topic.version = max(topic.version, view.snapshot.version)
        for watch in topic.watches:
            watch.wake()
