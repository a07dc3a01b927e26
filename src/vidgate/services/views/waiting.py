"""Clients that wait for their task to change: woken by hints, looked after by one query for all."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

from vidgate.constants import WAITERS_BATCH, WAITERS_RECHECK, WOKEN_AT_ONCE
from vidgate.db.tasks import TaskStore
from vidgate.models.accounts import Caller, Sight
from vidgate.models.tasks import TaskSnapshot
from vidgate.services.views.alarms import Alarms
from vidgate.services.views.reading import TaskReader, TaskView
from vidgate.services.views.waiting_places import Place, WaitingPlaces

__all__ = ["Wait", "Waiters", "Watch"]

_Version: TypeAlias = tuple[int, int]


@dataclass(slots=True, eq=False)
class _Topic:
    """A task that somebody waits for.

    Attributes:
        name: The public id.
        version: Of the newest state that a round has seen, at first of the one that was answered.
    """

    name: str
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
            seconds: How long at most, or a little longer.
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
        woken = self.woken = asyncio.get_running_loop().create_future()
        alarm = self.waiters.alarms.set(seconds, self)
        gone.add_done_callback(self._leave)
        try:
            return await woken and not self.waiters.is_leaving
        finally:
            self.woken = None
            self.waiters.alarms.clear(alarm, self)
            gone.remove_done_callback(self._leave)

    def wake(self) -> None:
        """End `changed`, where somebody is in it, because of another state."""
        if self.woken is not None and not self.woken.done():
            self.woken.set_result(True)

    def ring(self) -> None:
        """End `changed`, where somebody is in it, because time is up."""
        if self.woken is not None and not self.woken.done():
            self.woken.set_result(False)

    def _leave(self, _gone: object) -> None:
        self.ring()

    def close(self) -> None:
        """Have the task looked after no longer on its behalf."""
        self.waiters.forget(self)


@dataclass(slots=True, eq=False)
class Wait:
    """A wait that goes on: nothing but this is held for it."""

    _reader: TaskReader
    _watch: Watch
    _place: Place
    _sight: Sight
    _until: Callable[[TaskSnapshot], bool]
    _ends_at: float
    _is_over: bool = False

    async def go_on(self, gone: asyncio.Future[Any]) -> bool:
        """Wait until there is something to look at.

        Args:
            gone: Done when nobody waits any more.

        Returns:
            `False` where nobody does.
        """
        left = self._ends_at - asyncio.get_running_loop().time()
        self._is_over = not await self._watch.changed(left, gone)
        return not gone.done()

    async def look(self) -> TaskView | None:
        """Look at the task.

        Returns:
            The state that is waited for, else the one when time was up or the process is about to
            stop; `None` where the wait goes on.

        Raises:
            TaskNotFoundError: It was removed meanwhile.
            DatabaseUnavailableError: It could not be read.
        """
        view = await self._reader.read(self._watch.topic.name, self._sight)
        if self._is_over or self._until(view.snapshot):
            return view
        self._watch.seen = view.snapshot.version
        return None

    def close(self) -> None:
        """Wait no longer, and leave the place to others."""
        self._watch.close()
        self._place.leave()


class Waiters:
    """All who wait in this process.

    Whoever waits asks the database for nothing: a round reads what has changed for all of them.

    Args:
        monotonic: Seconds that only grow.

    Attributes:
        alarms: Of those who wait.
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
        self.alarms = Alarms()
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
        begun = await self.begin(name, caller, seconds=seconds, until=until)
        if isinstance(begun, TaskView):
            return begun
        leaves = asyncio.ensure_future(gone())
        try:
            while await begun.go_on(leaves):
                view = await begun.look()
                if view is not None:
                    return view
            return None
        finally:
            leaves.cancel()
            begun.close()

    async def begin(
        self,
        name: str,
        caller: Caller,
        *,
        seconds: float,
        until: Callable[[TaskSnapshot], bool],
    ) -> "TaskView | Wait":
        """Begin to wait; the arguments and the errors are those of `wait`.

        Returns:
            The state, where there is no need to wait for it.
        """
        view = await self._reader.peek(name, caller.sight)
        if seconds <= 0 or until(view.snapshot):
            return self._reader.keep(view)
        place = self._places.take(caller.token.id, "wait")
        task = view.snapshot
        watch = self.watch(name, task.id, task.version)
        ends_at = asyncio.get_running_loop().time() + seconds
        return Wait(self._reader, watch, place, caller.sight, until, ends_at)

    def watch(self, name: str, task_id: UUID, seen: _Version) -> Watch:
        """Have a task looked after until the watch is closed.

        Args:
            name: The public id.
            task_id: The same.
            seen: The version that is known.
        """
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _Topic(name, task_id, seen)
        watch = Watch(topic, seen, self)
        topic.watches.add(watch)
        return watch

    def forget(self, watch: Watch) -> None:
        """Have a task looked after no longer on behalf of one who waits."""
        topic = watch.topic
        topic.watches.discard(watch)
        if not topic.watches and self._topics.get(topic.name) is topic:
            del self._topics[topic.name]
            self._hinted.discard(topic.name)

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
        views = [self._reader.remember(snapshot, started) for snapshot in changed]
        if len(changed) == WAITERS_BATCH:
            self._hinted |= names & self._topics.keys()
            await self._tell(views)
            return True
        self._reader.confirm(names.difference(one.public_id for one in changed), started)
        if is_full:
            self._checked_at = started
        await self._tell(views)
        return False

    async def _tell(self, views: Iterable[TaskView]) -> None:
        woken = 0
        for view in views:
            topic = self._topics.get(view.snapshot.public_id)
            if topic is None:
                continue  # nobody waits any more
            topic.version = max(topic.version, view.snapshot.version)
            for watch in list(topic.watches):
                watch.wake()
                woken += 1
                if woken % WOKEN_AT_ONCE == 0:
                    await asyncio.sleep(0)
