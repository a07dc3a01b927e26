"""When the waits of thousands are over: one timer for all of them."""

import asyncio
import math
from heapq import heappop, heappush
from typing import Protocol

from vidgate.constants import ALARM_SECONDS, WOKEN_AT_ONCE

__all__ = ["Alarms"]


class _Sleeper(Protocol):
    def ring(self) -> None: ...


class Alarms:
    """Rings at a time or a little later, never before.

    A timer of the event loop takes half a kilobyte; here one is enough for all. Many that are due
    at once are rung a few at a time, and what else there is to do is done in between.
    """

    def __init__(self) -> None:
        self._due: dict[int, dict[_Sleeper, None]] = {}
        self._ticks: list[int] = []
        self._timer: asyncio.Handle | None = None

    def set(self, seconds: float, sleeper: _Sleeper) -> int:
        """Have somebody rung, and return what `clear` needs.

        Args:
            seconds: From now.
            sleeper: Is rung once, unless it is cleared before.
        """
        loop = asyncio.get_running_loop()
        tick = math.ceil((loop.time() + seconds) / ALARM_SECONDS)
        if tick not in self._due:
            self._due[tick] = {}
            heappush(self._ticks, tick)
            if self._ticks[0] == tick:
                self._set_timer(loop)
        self._due[tick][sleeper] = None
        return tick

    def clear(self, tick: int, sleeper: _Sleeper) -> None:
        """Let somebody sleep on."""
        self._due.get(tick, {}).pop(sleeper, None)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._ticks[0] * ALARM_SECONDS, self._ring)

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        left = WOKEN_AT_ONCE
        while self._ticks and self._ticks[0] * ALARM_SECONDS <= loop.time():
            due = self._due[self._ticks[0]]
            while due and left:
                sleeper, _ = due.popitem()
                sleeper.ring()
                left -= 1
            if due:
                self._timer = loop.call_soon(self._ring)
                return
            del self._due[heappop(self._ticks)]
        if self._ticks:
            self._set_timer(loop)
