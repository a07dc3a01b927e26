"""How many questions each channel may have under way, as its provider bears them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from uuid import UUID

from vidgate.constants import (
    POLL_MEMORY,
    POLL_PROMPT,
    POLLS_LEAST,
    POLLS_MOST,
    POLLS_PER_CHANNEL,
)
from vidgate.db.clock import Clock

__all__ = ["Place", "Rooms"]

_GROWTH = 1.0
"""What a prompt answer adds while work waits: the room doubles with every round of answers."""

_CAREFUL_GROWTH = 1 / 16
"""Likewise after trouble: 6 % a round, so that a limit of the provider's is not soon hit again."""

_SHRINKAGE = 0.5
"""What an answer that says nothing takes away: a round of them halves the room, and one among many
is hardly felt."""

_SLOWED = 2.0
"""How many times the quickest answer may take that still counts as prompt: beyond it more questions
at once only wait for each other."""


@dataclass(slots=True)
class _Room:
    """What is known of one channel.

    Attributes:
        size: How many questions may be under way.
        taken: How many are.
        width: Attempts that one question asks about.
        is_wanted: Whether more was due at the last claim than had room.
        careful_until: Until when it grows slowly.
        quickest: Seconds of the quickest answer since `since`, and before that.
    """

    since: datetime
    careful_until: datetime
    size: float = float(POLLS_PER_CHANNEL)
    taken: int = 0
    width: int = 1
    is_wanted: bool = False
    quickest: float = inf
    quickest_before: float = inf

    @property
    def free(self) -> int:
        return max(0, int(self.size) - self.taken)

    def learn(self, seconds: float, now: datetime, *, is_trouble: bool) -> None:
        """Grow or shrink by one answer."""
        if is_trouble:
            self.size = max(self.size - _SHRINKAGE, POLLS_LEAST)
            self.careful_until = now + POLL_MEMORY
            return
        if now >= self.since + POLL_MEMORY:
            self.since = now
            self.quickest, self.quickest_before = inf, self.quickest
        self.quickest = min(self.quickest, seconds)
        quickest = min(self.quickest, self.quickest_before)
        if self.is_wanted and seconds <= max(_SLOWED * quickest, POLL_PROMPT.total_seconds()):
            growth = _GROWTH if now >= self.careful_until else _CAREFUL_GROWTH
            self.size = min(self.size + growth, POLLS_MOST)


class Place:
    """The place of one question, held until it is answered. Made by `Rooms.take`."""

    def __init__(self, room: _Room, clock: Clock, on_free: Callable[[], object]) -> None:
        self._room: _Room | None = room
        self._clock = clock
        self._on_free = on_free
        self._began_at = clock.now()
        room.taken += 1

    def answered(self, *, is_trouble: bool) -> None:
        """Free the place, and learn from how the provider answered.

        Args:
            is_trouble: Whether it could not be asked: no answer in time, a 429, a 5xx, garbage.
        """
        if self._room is not None:
            now = self._clock.now()
            self._room.learn((now - self._began_at).total_seconds(), now, is_trouble=is_trouble)
        self.leave()

    def leave(self) -> None:
        """Free the place, if it was not freed before."""
        room, self._room = self._room, None
        if room is not None:
            room.taken -= 1
            if room.is_wanted:
                self._on_free()


class Rooms:
    """The rooms of all channels; an unknown channel has the ordinary one.

    A rate of questions needs as many of them under way as an answer takes seconds (Little's law).
    So a room grows while work waits and answers come promptly, up to `POLLS_MOST`, and shrinks with
    every question that could not be put, down to `POLLS_LEAST`.

    Args:
        clock: Any clock.
        on_free: Called whenever a place becomes free that work waits for.
    """

    def __init__(self, clock: Clock, on_free: Callable[[], object]) -> None:
        self._clock = clock
        self._on_free = on_free
        self._rooms: defaultdict[UUID, _Room] = defaultdict(self._make)

    def _make(self) -> _Room:
        now = self._clock.now()
        return _Room(since=now, careful_until=now)

    def take(self, channel_id: UUID) -> Place | None:
        """A place for one question that begins now, or `None`."""
        room = self._rooms[channel_id]
        return Place(room, self._clock, self._on_free) if room.free else None

    def free(self, channel_id: UUID) -> int:
        """How many questions more the channel may be asked."""
        return self._rooms[channel_id].free

    def places(self) -> Mapping[UUID, int]:
        """The same for every channel that was seen."""
        return {channel_id: room.free for channel_id, room in self._rooms.items()}

    def width(self, channel_id: UUID) -> int:
        """How many attempts one question about the channel's jobs can ask about, lately."""
        return self._rooms[channel_id].width

    def claimed(self, channel_id: UUID, width: int | None, *, is_wanted: bool) -> None:
        """Remember what the last claim of a channel's attempts was like.

        Args:
            channel_id: The channel.
            width: How many attempts like them one question can ask about; `None` leaves that.
            is_wanted: Whether they took all the room, so that more may wait for it.
        """
        room = self._rooms[channel_id]
        room.width = width or room.width
        room.is_wanted = is_wanted
