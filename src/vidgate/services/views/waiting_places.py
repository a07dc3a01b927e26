"""How many may wait at once: a token cannot take the memory of all others."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

from vidgate.constants import WAITERS_PER_TOKEN
from vidgate.exceptions import TooManyWaitersError
from vidgate.services.metrics import Metrics

__all__ = ["Place", "WaiterKind", "WaitingPlaces"]

WaiterKind: TypeAlias = Literal["wait", "events"]

_RETRY_SECONDS = 5


class WaitingPlaces:
    """Counts the waits and streams of each token in this process."""

    def __init__(self, *, metrics: Metrics, most: int = WAITERS_PER_TOKEN) -> None:
        self._metrics = metrics
        self._most = most
        self._taken: Counter[UUID] = Counter()

    def take(self, token_id: UUID, kind: WaiterKind) -> "Place":
        """Take a place; it is held until it is left.

        Raises:
            TooManyWaitersError: The token has none left.
        """
        if self._taken[token_id] >= self._most:
            error = TooManyWaitersError(
                f"This token has {self._most} waits and streams open here already; close some of "
                "them."
            )
            error.retry_after_seconds = _RETRY_SECONDS
            raise error
        self._taken[token_id] += 1
        self._metrics.waiting(kind, 1)
        return Place(self, token_id, kind)

    def give_back(self, place: "Place") -> None:
        """Let others have a place."""
        self._metrics.waiting(place.kind, -1)
        self._taken[place.token_id] -= 1
        if not self._taken[place.token_id]:
            del self._taken[place.token_id]


@dataclass(slots=True, eq=False)
class Place:
    """One of a token's places."""

    places: WaitingPlaces
    token_id: UUID
    kind: WaiterKind

    def leave(self) -> None:
        """Let others have it."""
        self.places.give_back(self)
