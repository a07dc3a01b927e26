"""Clocks that move only when a test moves them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from typing_extensions import override

from vidgate.db.engine import Database, Statement

__all__ = ["FixedClock", "World"]

_NOON: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)


class FixedClock:
    """A `Clock` that shows what it was told."""

    def __init__(self, at: datetime = _NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, **span: float) -> None:
        """Move on by `seconds=`, `minutes=` and whatever else a `timedelta` takes."""
        self.at += timedelta(**span)


class World:
    """A database's clock, our own, and the network between them; none of them moves by itself."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.ahead = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return _NOON + timedelta(seconds=self.seconds + self.ahead)

    def database(
        self, round_trips: Sequence[float] = (0.0,) * 5, answered_after: float = 0.5
    ) -> Database:
        """Make a database that is that many seconds away, read after that share of them."""
        trips = iter(round_trips)

        def answer() -> datetime:
            trip = next(trips)
            self.seconds += trip * answered_after
            shown = self.now()
            self.seconds += trip * (1 - answered_after)
            return shown

        return _Asked(answer)


class _Asked(Database):
    """A database that answers each question for a value by calling a function."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    @override
    async def fetch_value(
        self,
        statement: Statement,
        /,
        *,
        timeout: float | None = None,
        **binds: Any,
    ) -> Any:
        return self._answer()
