"""Telling the operator's own service of channels that go out or come back, and of money."""

import json
from collections.abc import Mapping
from typing import Any, Final

import structlog

from vidgate import __version__
from vidgate.constants import NOTICE_TIMEOUT
from vidgate.db.channel_states import ChannelStateStore, Notice
from vidgate.db.channels import ChannelStore
from vidgate.db.clock import Clock
from vidgate.db.notices import KeptNotice, NoticeStore
from vidgate.exceptions import NotSentError, UnansweredError
from vidgate.models.channels import ChannelState
from vidgate.models.ids import CHANNEL_PREFIX, public_id
from vidgate.providers.transport.guard import GuardedFetcher, UnsafeUrlError
from vidgate.services.metrics import Metrics

__all__ = ["Notices"]

_log = structlog.get_logger(__name__)

_DELIVERED: Final = range(200, 300)
_KEPT_BYTES: Final = 1024


class Notices:
    """Sends what is to be told, from one process each time, until it was taken.

    What came up in between is told as it stands then: a channel that was out and is back again
    before anybody could be told is told of once.

    What concerns money is told in the log and counted as well, once each.

    Args:
        url: Where to, `None` for nowhere.
    """

    def __init__(
        self,
        *,
        states: ChannelStateStore,
        kept: NoticeStore,
        channels: ChannelStore,
        fetcher: GuardedFetcher,
        clock: Clock,
        metrics: Metrics,
        url: str | None,
    ) -> None:
        self._states = states
        self._kept = kept
        self._channels = channels
        self._metrics = metrics
        self._fetcher = fetcher
        self._clock = clock
        self._url = url

    async def round(self) -> None:
        """Tell what is due."""
        now = self._clock.now()
        if self._url is not None:
            for notice in await self._states.notices(now):
                if await self._send(self._url, _document(notice)):
                    await self._states.told(notice)
        for kept in await self._kept.take(now):
            await self._tell(kept)

    async def _tell(self, kept: KeptNotice) -> None:
        """Tell of money, and forget it once it was taken, or if there is nobody to take it."""
        named = {public_id(CHANNEL_PREFIX, one.id): one for one in await self._channels.every()}
        channel = named.get(kept.document["channel_id"])
        document = {
            "object": "notice",
            "type": kept.type,
            "channel": channel.name if channel else None,
            "provider": channel.provider if channel else None,
            **{name: one for name, one in kept.document.items() if name != "channel_id"},
        }
        if kept.tries == 1:
            said = {name: one for name, one in document.items() if name not in ("object", "type")}
            _log.warning("A provider took more than was held", **said)
            self._metrics.took_more(channel.name if channel else "", kept.document["micros"])
        if self._url is None or await self._send(self._url, document):
            await self._kept.done(kept)

    async def _send(self, url: str, document: Mapping[str, Any]) -> bool:
        headers = {"Content-Type": "application/json", "User-Agent": f"vidgate/{__version__}"}
        try:
            answer = await self._fetcher.post(
                url,
                headers,
                json.dumps(document, ensure_ascii=False).encode(),
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
