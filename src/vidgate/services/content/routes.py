"""The ways to a video: the link that anybody may open, and that of the channel that made it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urljoin
from uuid import UUID

import httpx

from vidgate.db.attempts import AttemptStore
from vidgate.db.clock import Clock
from vidgate.exceptions import ProviderProtocolError
from vidgate.models.outcomes import VideoResult
from vidgate.providers.base import Provider, ServesContent
from vidgate.providers.transport.downloads import Span, download_headers
from vidgate.providers.transport.guard import GuardedFetcher, UnsafeUrlError
from vidgate.services.channels.upstream import Upstream

__all__ = ["ContentWays", "NoOtherWayError"]

IDLE_TIMEOUT: Final = timedelta(seconds=30)
"""Without a byte from the host of a video; also for the head of its answer. There is no total."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CHANNEL_REDIRECTS: Final = 3


class NoOtherWayError(ProviderProtocolError):
    """No channel has a way to a video."""


class ContentWays:
    """Asks for a video, or a part of it, and returns the answer before its body.

    Args:
        fetcher: The way to links that anybody may open.
        upstream: The way to videos that only a channel's credential opens.
        idle_timeout: Without a byte from the host.
    """

    def __init__(
        self,
        *,
        attempts: AttemptStore,
        providers: Mapping[str, Provider],
        upstream: Upstream,
        fetcher: GuardedFetcher,
        clock: Clock,
        idle_timeout: timedelta = IDLE_TIMEOUT,
    ) -> None:
        self._attempts = attempts
        self._providers = providers
        self._upstream = upstream
        self._fetcher = fetcher
        self._clock = clock
        self.idle_seconds = idle_timeout.total_seconds()

    async def by_link(self, url: str, span: Span | None) -> httpx.Response:
        """Ask whoever a link names, without anything of ours.

        Raises:
            UnsafeUrlError: It leads to where nothing may be fetched.
            UpstreamError: There is no answer.
        """
        return await self._fetcher.open(
            url, download_headers(span), timeout_seconds=self.idle_seconds
        )

    async def by_channel(
        self, task_id: UUID, position: int, result: VideoResult, span: Span | None
    ) -> httpx.Response:
        """Ask the server that made it, with the channel's credential, which no other host sees.

        Raises:
            NoOtherWayError: It gives no videos, or nobody knows any more which it was.
            ConfigurationError: The credential cannot be used.
            UnsafeUrlError: It sends us to where nothing may be fetched.
            UpstreamError: There is no answer.
            DatabaseUnavailableError: The way to it could not be looked up.
        """
        attempt = await self._attempts.maker(task_id, position)
        provider = self._providers.get(attempt.provider) if attempt else None
        if attempt is None or provider is None:
            raise NoOtherWayError("Nobody knows any more which channel made it.")
        line = await self._upstream.line(attempt)
        request: httpx.Request | None = None
        if isinstance(provider, ServesContent):
            request = provider.content(attempt.ref, result, line.access, self._clock.now())
        if request is None:
            raise NoOtherWayError("Its provider has no other way to it.")
        for _ in range(_CHANNEL_REDIRECTS + 1):
            request.headers.update(download_headers(span))
            response = await self._upstream.open(line, request, timeout_seconds=self.idle_seconds)
            if response.status_code not in _REDIRECTS:
                return response
            await response.aclose()
            try:
                target = urljoin(str(request.url), response.headers.get("Location", ""))
                is_same = _origin(httpx.URL(target)) == _origin(request.url)
            except (ValueError, httpx.InvalidURL):
                raise UnsafeUrlError("The URL leads to something that is no URL.") from None
            if not is_same:
                # Another host is nobody that our credential was meant for.
                return await self.by_link(target, span)
            request = httpx.Request("GET", target, headers=request.headers)
        raise ProviderProtocolError(f"More than {_CHANNEL_REDIRECTS} redirects.")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
