"""What waits at a channel that cannot take it, and which other channel could."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from vidgate.constants import MOVES_KEPT, MOVES_MEMORY, MOVES_PAUSE
from vidgate.db.attempts import AttemptStore
from vidgate.db.clock import Clock
from vidgate.db.tasks import TaskStore
from vidgate.models.attempts import Attempt
from vidgate.models.channels import Channel, ChannelHealth
from vidgate.models.outcomes import Fault, FaultKind
from vidgate.services.attempts.failover import Failover, Move
from vidgate.services.channels.directory import Directory

__all__ = ["Mover"]

_OFF: Final = Fault(FaultKind.FAULT, "channel_off", "The channel takes no work at the moment.")
_FULL: Final = Fault(FaultKind.CONCURRENCY, "channel_full", "Another channel had room before.")


class Mover:
    """Looks at what waits, and remembers where each could go: nothing is written that stays.

    From a channel that takes no work attempts go to wait at another; from a full one they go
    where there is room and nobody waits for it.
    """

    def __init__(
        self,
        *,
        attempts: AttemptStore,
        tasks: TaskStore,
        directory: Directory,
        failover: Failover,
        clock: Clock,
    ) -> None:
        self._attempts = attempts
        self._tasks = tasks
        self._directory = directory
        self._failover = failover
        self._clock = clock
        self._options: defaultdict[UUID, dict[UUID, frozenset[UUID]]] = defaultdict(dict)
        self._channels: Sequence[Channel] = ()
        self._known_since = clock.now()
        self._again_at: dict[UUID, datetime] = {}
        self._work: Mapping[UUID, tuple[int, int]] | None = None

    async def begin(self) -> None:
        """Begin a round: forget where there was room, and where what could go if that is old."""
        self._work = None
        usable = [
            replace(one, health=ChannelHealth())
            for one in await self._directory.channels()
            if one.is_usable
        ]
        if usable != self._channels or self._is_old():
            self._channels = usable
            self._known_since = self._clock.now()
            self._options.clear()
            self._again_at.clear()

    def _is_old(self) -> bool:
        kept = sum(map(len, self._options.values()))
        return kept > MOVES_KEPT or self._clock.now() - self._known_since > MOVES_MEMORY

    async def find(self, channel: Channel, *, limit: int) -> tuple[list[Attempt], Move]:
        """Find what waits at a channel and could go elsewhere now, in its turn.

        Args:
            channel: Where it waits.
            limit: How many attempts to look at.
        """
        move, now = await self._move(channel), self._clock.now()
        if not move.to or now < self._again_at.get(channel.id, now):
            return [], move
        known = self._options[channel.id]
        waiting = await self._attempts.first_waiting(
            channel.id,
            now=now,
            limit=limit,
            left_out=[one for one, options in known.items() if not options & move.to],
            may_begin=move.at_once,
        )
        found = []
        for attempt in waiting:
            options = known.get(attempt.id)
            if options is None:
                request = await self._tasks.request(attempt.task_id, whole=False)
                options = known[attempt.id] = await self._failover.options(attempt, request)
            if options & move.to:
                found.append(attempt)
        if not waiting:
            self._again_at[channel.id] = now + MOVES_PAUSE
        return found, move

    def stays(self, attempt: Attempt) -> None:
        """Remember that an attempt cannot go anywhere, whatever its model says."""
        self._options[attempt.channel_id][attempt.id] = frozenset()

    async def _move(self, channel: Channel) -> Move:
        others = [
            one
            for one in await self._directory.channels()
            if one.id != channel.id and one.is_usable and not one.is_open
        ]
        if channel.is_open or not channel.is_usable or not others:
            return Move(frozenset(one.id for one in others), _OFF, at_once=False)
        if self._work is None:
            self._work = await self._attempts.by_channel()
        work = self._work
        return Move(
            frozenset(one.id for one in others if _has_room(one, *work.get(one.id, (0, 0)))),
            _FULL,
            at_once=True,
        )


def _has_room(channel: Channel, queued: int, in_flight: int) -> bool:
    """Whether a channel has a place that nobody waits for there."""
    return not queued and (channel.cap is None or in_flight < channel.cap)
