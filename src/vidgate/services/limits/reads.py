"""The rate of reads, which each process counts for itself: a read asks no database."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from vidgate.db.replicas import ReplicaStore
from vidgate.exceptions import RateLimitError
from vidgate.models.ids import new_id
from vidgate.models.limits import MINUTE, Admission, Limit, LimitUse, Measure
from vidgate.services.limits.known import KnownLimits

__all__ = ["ReadRates"]


class ReadRates:
    """Lets so many reads through as this process's share of the limits allows.

    Shares are equal, one for each process that serves. While their number changes, they are not
    exact for a few seconds.

    Args:
        monotonic: Seconds that only grow.
    """

    def __init__(
        self, *, limits: KnownLimits, replicas: ReplicaStore, monotonic: Callable[[], float]
    ) -> None:
        self._limits = limits
        self._replicas = replicas
        self._monotonic = monotonic
        self._id = new_id()
        self._count = 1
        self._tats: dict[UUID, float] = {}

    async def beat(self) -> None:
        """Give a sign of life, and learn how many serve; nothing where no reads are limited."""
        if self._limits.have(Measure.READS):
            self._count = await self._replicas.beat(self._id)

    def take(self, admission: Admission, now: datetime) -> None:
        """Count a read, in all its limits or in none.

        Raises:
            RateLimitError: One of them is used up.
        """
        at, minute = self._monotonic(), MINUTE.total_seconds()
        tats: dict[UUID, float] = {}
        refused: list[tuple[float, Limit]] = []
        for limit in admission.limits:
            if limit.measure is not Measure.READS:
                continue
            most = max(1.0, limit.most(now) / self._count)
            tat = max(self._tats.get(limit.id, at), at) + minute / most
            ahead = tat - at
            wait = ahead - minute
            if wait > minute / most / 1000:
                refused.append((wait, limit))
                ahead -= minute / most
            tats[limit.id] = tat
            # As the client sees it, who knows nothing of shares.
            used = round(ahead / minute * limit.most(now) + 0.499)
            resets_at = now + timedelta(seconds=ahead)
            admission.uses.append(
                LimitUse(limit=limit, most=limit.most(now), used=used, resets_at=resets_at)
            )
        if refused:
            wait, limit = max(refused, key=lambda one: one[0])
            error = RateLimitError(
                f"This {limit.scope.value} may read {limit.most(now)} times a minute, and that is "
                f"used up; it may read again in {max(1, round(wait))} s."
            )
            error.retry_after_seconds = max(1, round(wait + 0.5))
            raise error
        self._tats |= tats
