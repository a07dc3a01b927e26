"""Telling the operator's own service that a channel went out, or came back."""

import json
from typing import Any, Final

import structlog

from vidgate import __version__
from vidgate.constants import NOTICE_TIMEOUT
from vidgate.db.channel_states import ChannelStateStore, Notice
from vidgate.db.clock import Clock
from vidgate.exceptions import NotSentError, UnansweredError
from vidgate.models.channels import ChannelState
from vidgate.providers.transport.guard import GuardedFetcher, UnsafeUrlError

__all__ = ["Notices"]

_log = structlog.get_logger(__name__)

_DELIVERED: Final = range(200, 300)
_KEPT_BYTES: Final = 1024


class Notices:
    """Sends what is to be told, from one process each time, until it was taken.

    What came up in between is told as it stands then: a channel that was out and is back again
    before anybody could be told is told of once.

    Args:
        url: Where to.
    """

    def __init__(
        self, *, states: ChannelStateStore, fetcher: GuardedFetcher, clock: Clock, url: str
    ) -> None:
        self._states = states
        self._fetcher = fetcher
        self._clock = clock
        self._url = url

    async def round(self) -> None:
        """Tell what is due."""
        for notice in await self._states.notices(self._clock.now()):
            if await self._send(notice):
                await self._states.told(notice)

    async def _send(self, notice: Notice) -> bool:
        headers = {"Content-Type": "application/json", "User-Agent": f"vidgate/{__version__}"}
        try:
            answer = await self._fetcher.post(
                self._url,
                headers,
                json.dumps(_document(notice), ensure_ascii=False).encode(),
                keep_bytes=_KEPT_BYTES,
                timeout_seconds=NOTICE_TIMEOUT.total_seconds(),
            )
        except (UnsafeUrlError, NotSentError, UnansweredError) as error:
            _log.warning("A notice could not be sent", reason=str(error))
            return False
        if answer.status not in _DELIVERED:
            _log.warning("A notice was not taken", status=answer.status)
        return answer.status in _DELIVERED


def _document(notice: Notice) -> dict[str, Any]:
    health = notice.health
    is_out = health.state is not ChannelState.OK
    return {
        "object": "notice",
        "type": "channel.out" if is_out else "channel.back",
        "channel": notice.channel,
        "provider": notice.provider,
        "state": health.state.value,
        "reason": health.reason,
        "since": int(health.since.timestamp()) if health.since else None,
    }
