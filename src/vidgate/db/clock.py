"""The database's clock, read without asking the database."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy import func, select

from vidgate.db.engine import Database, Statement

__all__ = ["Clock", "DatabaseClock"]

_log = structlog.get_logger(__name__)

_SAMPLES: Final = 5
"""Round trips of one measurement; the quickest of them tells the time best."""

_STEP: Final = timedelta(seconds=1)
"""A database clock that goes back by less is waited for; one that goes back by more was set, and is
followed at once: holding our time for an hour would stop every lease."""

_CLOCK: Final = Statement(select(func.clock_timestamp()))


class Clock(Protocol):
    """What tells the time."""

    def now(self) -> datetime:
        """Tell the time in UTC."""


class DatabaseClock:
    """Keeps the offset of the database's clock to this process's monotonic one.

    Leases and due times are compared between processes on different machines, whose own clocks
    differ; so all of them use the database's. Between two calls of `sync` the time only rises, and
    it goes back only where the database's clock was set back by a second or more.

    Args:
        monotonic: Seconds since any instant, never going back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._origin: datetime | None = None
        """What the database's clock showed at our zero; `None` before the first `sync`."""
        self._latest: datetime | None = None
        self.uncertainty = timedelta.max
        """How far `now` may be from the database's clock at the last measurement taken over."""

    async def sync(self, database: Database) -> None:
        """Measure the offset anew.

        A measurement that is vaguer than the one before and does not contradict it is not taken
        over, so that a busy moment does not spoil a good offset.

        Raises:
            DatabaseUnavailableError: If PostgreSQL does not answer; the offset stays as it was.
        """
        uncertainty, origin = min([await self._measure(database) for _ in range(_SAMPLES)])
        if self._origin is not None:
            change = origin - self._origin
            if abs(change) <= uncertainty and uncertainty > self.uncertainty:
                return
            if abs(change) > max(_STEP, uncertainty):
                _log.warning("Database clock was set", change_seconds=change.total_seconds())
                self._latest = None
        self._origin = origin
        self.uncertainty = uncertainty

    def now(self) -> datetime:
        """Tell the database's time, in UTC.

        Raises:
            RuntimeError: If `sync` has never succeeded.
        """
        if self._origin is None:
            raise RuntimeError("the database's clock was never read")
        now = self._origin + timedelta(seconds=self._monotonic())
        if self._latest is not None and now < self._latest:
            return self._latest
        self._latest = now
        return now

    async def _measure(self, database: Database) -> tuple[timedelta, datetime]:
        """Ask once; return how far the answer may be off, and what it says of our zero."""
        before = self._monotonic()
        shown: datetime = await database.fetch_value(_CLOCK)
        after = self._monotonic()
        middle = timedelta(seconds=(before + after) / 2)
        return timedelta(seconds=(after - before) / 2), shown - middle
