"""Clients that listen to all their tasks: woken by hints, looked after by one query."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from vidgate.constants import (
    CACHE_WINDOW,
    FEED_MOST,
    WAITERS_BATCH,
    WAITERS_RECHECK,
    WOKEN_AT_ONCE,
)
from vidgate.db.clock import Clock
from vidgate.db.task_changes import TaskChange, TaskChangeStore
from vidgate.models.accounts import Sight
from vidgate.models.ids import parse_public_id, public_id
from vidgate.services.views.alarms import Alarms
from vidgate.services.views.reading import TaskReader

__all__ = ["Feed", "Feeds"]

_FIRST = UUID(int=0)
_NOTHING = (-1, -1)

_Named: TypeAlias = tuple[str, datetime]
"""The public id of a task that changed, and when it did."""


class Feed:
    """One who listens. What was not told yet is kept as names: a task is told as it stands then.

    Attributes:
        began_at: Database time; what changes from then on is told.
        sight: What it is told of.
        is_lost: Whether more has changed than is kept: the client has to come again.
    """

    __slots__ = ("_changes", "_feeds", "_pending", "_woken", "began_at", "is_lost", "sight")

    def __init__(self, feeds: "Feeds", changes: TaskChangeStore, sight: Sight) -> None:
        self.began_at = feeds.now()
        self.sight = sight
        self.is_lost = False
        self._feeds = feeds
        self._changes = changes
        self._pending: dict[str, datetime] = {}
        self._woken: asyncio.Future[None] | None = None

    async def past(self, since: datetime) -> AsyncIterator[_Named]:
        """What has changed since then, each task once; also a little that had changed before.

        Raises:
            DatabaseUnavailableError: It could not be read.
        """
        # What was committed then may have been dated a little earlier.
        last = (since - CACHE_WINDOW, _FIRST)
        while True:
            page = await self._changes.page(self.sight, after=last, limit=WAITERS_BATCH)
            for change in page:
                yield public_id("task_", change.id), change.changed_at
            if len(page) < WAITERS_BATCH:
                return
            last = (page[-1].changed_at, page[-1].id)

    async def next(self, seconds: float, gone: asyncio.Future[Any]) -> _Named | None:
        """Wait for a change.

        Args:
            seconds: How long at most.
            gone: Done when nobody listens any more.

        Returns:
            `None` where time is up, nobody listens any more, or the process is about to stop.
        """
        if not (self._pending or self._feeds.is_leaving or gone.done()):
            self._woken = asyncio.get_running_loop().create_future()
            alarm = self._feeds.alarms.set(seconds, self)
            gone.add_done_callback(self._leave)
            try:
                await self._woken
            finally:
                self._woken = None
                self._feeds.alarms.clear(alarm, self)
                gone.remove_done_callback(self._leave)
        if not self._pending or self._feeds.is_leaving:
            return None
        name = next(iter(self._pending))
        return name, self._pending.pop(name)

    def add(self, name: str, changed_at: datetime) -> None:
        """Take note of a change."""
        self._pending[name] = changed_at
        if len(self._pending) > FEED_MOST:
            self._pending.clear()
            self.is_lost = True
        self.ring()

    def close(self) -> None:
        """Listen no longer."""
        self._feeds.forget(self)

    def _leave(self, _gone: object) -> None:
        self.ring()

    def ring(self) -> None:
        """End `next`, where somebody is in it."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)


@dataclass(slots=True, eq=False)
class _Account:
    """An account that somebody listens to.

    Attributes:
        seen: The changes of late that were told: their versions and times.
    """

    feeds: set[Feed] = field(default_factory=set)
    seen: dict[UUID, tuple[tuple[int, int], datetime]] = field(default_factory=dict)


class Feeds:
    """All who listen to whole accounts in this process.

    Args:
        clock: Database time.
        monotonic: Seconds that only grow.

    Attributes:
        alarms: Of those who listen.
        wanted: Set when a round is due before its time.
        is_leaving: Whether the process is about to stop, so that nobody listens any more.
    """

    def __init__(
        self,
        *,
        changes: TaskChangeStore,
        reader: TaskReader,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._changes = changes
        self._reader = reader
        self._clock = clock
        self._monotonic = monotonic
        self._accounts: dict[UUID, _Account] = {}
        self._hinted: set[UUID] = set()
        self._checked_at = float("-inf")
        self._known_until = clock.now()
        self.alarms = Alarms()
        self.wanted = asyncio.Event()
        self.is_leaving = False

    def now(self) -> datetime:
        """Database time."""
        return self._clock.now()

    async def open(self, sight: Sight) -> Feed:
        """Listen to all tasks in sight, until the feed is closed.

        Raises:
            DatabaseUnavailableError: It could not be read.
        """
        if not self._accounts:
            self._known_until = self._clock.now()
        feed = Feed(self, self._changes, sight)
        account = self._accounts.setdefault(sight.account_id, _Account())
        account.feeds.add(feed)
        if len(account.feeds) > 1:
            return feed
        try:
            # The looks to come go back a little: what they find of before is not told.
            past = await self._changes.since([sight.account_id], self._known_until - CACHE_WINDOW)
        except BaseException:
            self.forget(feed)
            raise
        for change in past:
            if change.changed_at <= feed.began_at:
                account.seen.setdefault(change.id, (change.version, change.changed_at))
        return feed

    def forget(self, feed: Feed) -> None:
        """Tell one who listened nothing more."""
        account = self._accounts.get(feed.sight.account_id)
        if account is not None:
            account.feeds.discard(feed)
            if not account.feeds:
                del self._accounts[feed.sight.account_id]

    def wake(self, name: str) -> None:
        """Look at a task soon: it may have changed."""
        task_id = parse_public_id("task_", name) if self._accounts else None
        if task_id is not None:
            self._hinted.add(task_id)
            self.wanted.set()

    def wake_all(self) -> None:
        """Look at everything soon: hints may have been lost."""
        self._checked_at = float("-inf")
        if self._accounts:
            self.wanted.set()

    def leave(self) -> None:
        """Let nobody listen any more: the process is about to stop."""
        self.is_leaving = True
        for account in self._accounts.values():
            for feed in account.feeds:
                feed.ring()

    async def round(self) -> None:
        """Find what has changed: what hints told of, every two seconds whatever there is.

        Raises:
            DatabaseUnavailableError: It could not be read; the next round tries again.
        """
        started, now = self._monotonic(), self._clock.now()
        hinted, self._hinted = self._hinted, set()
        accounts = list(self._accounts)
        if not accounts:
            return
        is_full = started - self._checked_at >= WAITERS_RECHECK.total_seconds()
        try:
            if is_full:
                changed = await self._changes.since(accounts, self._known_until - CACHE_WINDOW)
            else:
                changed = await self._changes.among(list(hinted), accounts) if hinted else []
            new = [change for change in changed if self._is_new(change)]
            await self._warm(new, started)
        except BaseException:
            self._hinted |= hinted
            raise
        for change in new:
            await self._tell(change)
        if is_full:
            self._checked_at, self._known_until = started, now
            self._forget(now - CACHE_WINDOW)

    def _is_new(self, change: TaskChange) -> bool:
        account = self._accounts.get(change.account_id)
        if account is None:
            return False  # nobody listens any more
        version, _ = account.seen.get(change.id, (_NOTHING, None))
        return change.version > version

    async def _warm(self, changes: Sequence[TaskChange], read_at: float) -> None:
        """Read for all who listen what each of them would read next."""
        wanted = []
        for change in changes:
            view = self._reader.cached(public_id("task_", change.id), Sight(change.account_id))
            if view is None or view.snapshot.version < change.version:
                wanted.append(change.id)
        for first in range(0, len(wanted), WAITERS_BATCH):
            part = wanted[first : first + WAITERS_BATCH]
            for snapshot in await self._changes.snapshots(part):
                self._reader.remember(snapshot, read_at)

    async def _tell(self, change: TaskChange) -> None:
        account = self._accounts.get(change.account_id)
        if account is None:
            return
        account.seen[change.id] = (change.version, change.changed_at)
        name = public_id("task_", change.id)
        for number, feed in enumerate(list(account.feeds), 1):
            if feed.sight.covers(change):
                feed.add(name, change.changed_at)
            if number % WOKEN_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _forget(self, before: datetime) -> None:
        for account in self._accounts.values():
            old = [one for one, (_, at) in account.seen.items() if at < before]
            for task_id in old:
                del account.seen[task_id]
