"""The limits of accounts and tokens, kept in memory and never older than a second."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from uuid import UUID

from vidgate.constants import CACHE_STALE, CACHE_WINDOW
from vidgate.db.clock import Clock
from vidgate.db.limits import LimitStore
from vidgate.exceptions import DatabaseUnavailableError
from vidgate.models.accounts import Caller
from vidgate.models.limits import Limit, LimitSet, Measure, Scope

__all__ = ["KnownLimits"]


class KnownLimits:
    """What is limited, as this process knows it.

    How much is used, and whether there is room, is told by the statements that count it. A limit
    that was set a moment ago may be missing here for half a second.

    Args:
        clock: Database time.
        monotonic: Seconds that only grow; tells how old the last refresh is.
    """

    def __init__(self, *, store: LimitStore, clock: Clock, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._by_owner: defaultdict[str, dict[UUID, Limit]] = defaultdict(dict)
        self._spent: frozenset[UUID] = frozenset()
        self._sets: dict[tuple[UUID, UUID], LimitSet | None] = {}
        self._refreshed = float("-inf")
        self._refreshing = asyncio.Lock()

    async def load(self) -> None:
        """Read all limits."""
        started = self._monotonic()
        limits = await self._store.every()
        self._by_owner.clear()
        self._take(limits)
        await self._look_at_channels()
        self._refreshed = started

    async def refresh(self) -> None:
        """Re-read what was written lately."""
        started = self._monotonic()
        if started - self._refreshed > CACHE_WINDOW.total_seconds():
            await self.load()  # more was missed than a refresh looks back
            return
        self._take(await self._store.changed(self._clock.now() - CACHE_WINDOW))
        await self._look_at_channels()
        self._refreshed = started

    async def _look_at_channels(self) -> None:
        """See which channels have used up a budget."""
        channels = {
            UUID(limit.scope_id)
            for limits in self._by_owner.values()
            for limit in limits.values()
            if limit.scope is Scope.CHANNEL and limit.is_budget
        }
        now = self._clock.now()
        self._spent = frozenset([one for one in channels if await self._store.is_spent(one, now)])

    def is_spent(self, channel_id: UUID) -> bool:
        """Whether a channel has used up a budget, as of the last refresh."""
        return channel_id in self._spent

    def _take(self, limits: Iterable[Limit]) -> None:
        for limit in limits:
            if limit.removed:
                self._by_owner[limit.scope_id].pop(limit.id, None)
            else:
                self._by_owner[limit.scope_id][limit.id] = limit
        self._sets.clear()  # also for those that are raised for a while

    @property
    def is_fresh(self) -> bool:
        """Whether memory may be used."""
        return self._monotonic() - self._refreshed < CACHE_STALE.total_seconds()

    def known(self, caller: Caller) -> LimitSet | None:
        """What a caller is limited by, `None` for nothing; memory must be fresh."""
        if not self._by_owner:
            return None
        key = caller.account_id, caller.token.id
        try:
            return self._sets[key]
        except KeyError:
            found = self._sets[key] = self._make(*key)
            return found

    async def of(self, caller: Caller) -> LimitSet | None:
        """The same, whether memory is fresh or not.

        Raises:
            DatabaseUnavailableError: It is not, and could not be renewed.
        """
        if not self.is_fresh:
            async with self._refreshing:
                if not self.is_fresh:
                    await self.refresh()
            if not self.is_fresh:
                raise DatabaseUnavailableError("Reading the limits took too long.")
        return self.known(caller)

    def have(self, measure: Measure) -> bool:
        """Whether anybody is limited in this."""
        return any(
            limit.measure is measure
            for limits in self._by_owner.values()
            for limit in limits.values()
        )

    def of_owner(self, owner_id: UUID) -> tuple[Limit, ...]:
        """The limits of one account, token or channel."""
        mine = self._by_owner.get(str(owner_id), {}).values()
        return tuple(sorted(mine, key=lambda limit: limit.place))

    def _make(self, account_id: UUID, token_id: UUID) -> LimitSet | None:
        limits = (*self.of_owner(token_id), *self.of_owner(account_id))
        return LimitSet(limits, self._clock.now()) if limits else None
