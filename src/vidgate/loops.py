"""The loop shape: something done again and again until it is asked to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from vidgate.exceptions import DatabaseUnavailableError

__all__ = ["Loop"]

_log = structlog.get_logger(__name__)


class Loop:
    """Calls a coroutine function over and over, and outlives whatever it raises.

    Args:
        name: For the log.
        do_round: One round; if it returns `True` the next one follows at once.
        interval: Between the end of a round and the next.
        woken: Once it is set, the next round follows without the rest of the interval.
        spacing: Of the interval, what passes in any case: nobody wakes it more often.
    """

    def __init__(
        self,
        name: str,
        do_round: Callable[[], Awaitable[object]],
        interval: timedelta,
        *,
        woken: asyncio.Event | None = None,
        spacing: timedelta = timedelta(),
    ) -> None:
        self._name = name
        self._round = do_round
        self._interval = interval.total_seconds()
        self._woken = woken or asyncio.Event()
        self._spacing = spacing.total_seconds()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it was started and goes on."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin with a round at once."""
        self._task = asyncio.create_task(self._run(), name=f"loop {self._name}")

    async def stop(self) -> None:
        """Let the current round finish and begin no other."""
        self._stopping.set()
        self._woken.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        failing = False
        while not self._stopping.is_set():
            more: object = False
            self._woken.clear()  # before the round: what comes during it is for the next one
            try:
                more = await self._round()
                if failing:
                    _log.info("A loop recovered", loop=self._name)
                failing = False
            except Exception as error:
                # Said once until it works again: at four rounds a second the log is lost else.
                if not failing:
                    _tell(self._name, error)
                failing = True
            if more is not True:
                await self._pause()

    async def _pause(self) -> None:
        if self._spacing:
            await _wait(self._stopping, self._spacing)
        await _wait(self._woken, self._interval - self._spacing)


def _tell(name: str, error: Exception) -> None:
    """Log a failure: of an outage a sentence is enough, of anything else we need to know where."""
    if isinstance(error, DatabaseUnavailableError):
        _log.warning("A loop's round failed", loop=name, error=str(error))
    else:
        _log.exception("A loop's round failed", loop=name, error=str(error))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
