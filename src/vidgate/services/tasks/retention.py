"""How long tasks are kept: whole months of them, from being made ahead to being dropped."""

from datetime import timedelta

from vidgate.db.clock import Clock
from vidgate.db.months import MonthStore

__all__ = ["Retention"]


class Retention:
    """Sees to the months of tasks.

    Args:
        keep: How long a task is kept after it was made, at least; `None` for ever.
    """

    def __init__(self, *, months: MonthStore, clock: Clock, keep: timedelta | None) -> None:
        self._months = months
        self._clock = clock
        self._keep = keep

    async def round(self) -> bool:
        """Do the next step, or drop what is too old where there is none.

        Returns:
            Whether another may follow at once.
        """
        now = self._clock.now()
        if await self._months.prepare(now):
            return True
        if self._keep is not None:
            await self._months.drop(now - self._keep)
        return False
