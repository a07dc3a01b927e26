"""What a finished video really is, where its provider does not say."""

import asyncio
from dataclasses import replace
from typing import TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

import structlog

from vidgate.constants import LOOKS_PER_CHANNEL, PROBE_TIMEOUT
from vidgate.exceptions import VidgateError
from vidgate.models.outcomes import VideoResult
from vidgate.providers.transport.guard import GuardedFetcher
from vidgate.providers.transport.mp4 import probe_mp4

__all__ = ["Prober"]

_log = structlog.get_logger(__name__)


class Prober:
    """Reads a video's own header by ranged reads through the guard.

    Each channel has so many looks under way at once; further ones wait for their turn, as long as a
    look may take.

    Args:
        fetcher: It connects only to what the guard allows.
    """

    def __init__(self, fetcher: GuardedFetcher) -> None:
        self._fetcher = fetcher
        self._turns: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()

    async def complete(self, result: VideoResult, channel_id: UUID) -> VideoResult:
        """Fill in duration, frame rate, width and height where the provider left them out.

        What cannot be read in time stays unknown; the task is not held up for it. Nor is anything
        fetched that answers to the channel's credential only.

        Args:
            result: What the provider said.
            channel_id: Whose job it was.
        """
        known = (result.duration_seconds, result.fps, result.width, result.height)
        if None not in known or result.protected:
            return result

        async def read(start: int, length: int) -> tuple[bytes, int | None]:
            answer = await self._fetcher.get_range(
                result.url, start, length, timeout_seconds=PROBE_TIMEOUT.total_seconds()
            )
            return answer.content, answer.total_bytes

        turns = self._turns.get(channel_id)
        if turns is None:
            turns = self._turns[channel_id] = asyncio.Semaphore(LOOKS_PER_CHANNEL)
        try:
            async with asyncio.timeout(PROBE_TIMEOUT.total_seconds()), turns:
                facts = await probe_mp4(read)
        except (VidgateError, TimeoutError) as error:
            _log.info("A finished video could not be looked into", reason=str(error))
            return result
        if facts is None:
            return result
        return replace(
            result,
            duration_seconds=_first(result.duration_seconds, facts.duration_seconds),
            fps=_first(result.fps, facts.fps),
            width=_first(result.width, facts.width),
            height=_first(result.height, facts.height),
        )


_Number = TypeVar("_Number", int, float)


def _first(reported: _Number | None, read: _Number | None) -> _Number | None:
    return read if reported is None else reported
