"""Ids that led to no task a moment ago."""

from collections import Counter
from collections.abc import Callable
from uuid import UUID

from vidgate.constants import ABSENCE_AGE, ABSENCES, VIEW_SHARE
from vidgate.models.accounts import Sight

__all__ = ["Absences"]

_LONGEST = 64
"""Characters: ours have half as many."""


class Absences:
    """Remembers for at most a second who asked in vain for what.

    All is forgotten at once, each second, so that nothing has to be looked through: whoever asks
    for the same thing on and on costs one read a second. Where there is no room, nothing is
    remembered until then.

    Args:
        monotonic: Seconds that only grow.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._since = float("-inf")
        self._sights: dict[str, set[Sight]] = {}
        self._counts: Counter[UUID] = Counter()
        self.drops = 0

    def has(self, name: str, sight: Sight) -> bool:
        """Whether there was no such task in sight."""
        if self._monotonic() - self._since >= ABSENCE_AGE.total_seconds():
            self.clear()
        return sight in self._sights.get(name, ())

    def put(self, name: str, sight: Sight, asked_at: float, drops: int) -> None:
        """Remember that there is none, unless that may have changed since.

        Args:
            name: What was asked for.
            sight: By which it was asked for.
            asked_at: Seconds, when it was.
            drops: How often something had been dropped then.
        """
        if asked_at < self._since or drops != self.drops or len(name) > _LONGEST:
            return
        has_room = self._counts[sight.account_id] < ABSENCES // VIEW_SHARE
        if has_room and self._counts.total() < ABSENCES:
            self._sights.setdefault(name, set()).add(sight)
            self._counts[sight.account_id] += 1

    def drop(self, name: str) -> None:
        """Forget it for all, because there may be such a task now."""
        self.drops += 1
        self._sights.pop(name, None)

    def clear(self) -> None:
        """Forget all."""
        self.drops += 1
        self._since = self._monotonic()
        self._sights.clear()
        self._counts.clear()
