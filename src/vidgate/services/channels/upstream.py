"""The one conversation with providers."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar
from uuid import UUID

import httpx
import structlog
from pydantic import SecretStr

from vidgate.db.clock import Clock
from vidgate.exceptions import (
    ConfigurationError,
    NotSentError,
    ProviderProtocolError,
    UpstreamError,
    VidgateError,
)
from vidgate.models.attempts import Attempt
from vidgate.models.channels import Channel, ChannelAccess
from vidgate.providers.base import Call
from vidgate.providers.transport.client import Pool, UpstreamClient
from vidgate.services.channels.breaker import Breaker
from vidgate.services.channels.directory import Directory
from vidgate.services.metrics import Metrics

__all__ = ["CallKind", "Line", "Upstream", "WriteCall"]

_log = structlog.get_logger(__name__)

T = TypeVar("T")

WriteCall: TypeAlias = Callable[[ChannelAccess, datetime], Call[T]]
"""Writes a call, given how the channel is reached and the time to sign with."""

_STEPS: Final = 4
"""Requests that one call may consist of."""


class CallKind(StrEnum):
    """What a provider is asked."""

    SUBMIT = "submit"
    POLL = "poll"
    FIND = "find"
    CANCEL = "cancel"
    TEST = "test"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Line:
    """How one channel is reached.

    Attributes:
        channel_id: Whose pool, limits and metrics it uses.
        access: The base URL and the credential.
        proxy: The URL of the proxy in between, `None` for none.
    """

    channel_id: UUID
    access: ChannelAccess
    proxy: SecretStr | None


class Upstream:
    """Puts calls to providers: knows the way to a channel, the time, and what can go wrong."""

    def __init__(
        self,
        *,
        directory: Directory,
        client: UpstreamClient,
        clock: Clock,
        breaker: Breaker,
        metrics: Metrics,
    ) -> None:
        self._breaker = breaker
        self._metrics = metrics
        self._directory = directory
        self._client = client
        self._clock = clock

    async def line(self, at: Attempt | Channel) -> Line:
        """How an attempt's channel, or a channel, is reached.

        An attempt keeps the credential it was made with; the proxy is the channel's of the moment.

        Raises:
            ConfigurationError: Its secrets are not there, or cannot be decrypted.
            DatabaseUnavailableError: They could not be read.
        """
        channel_id = at.id if isinstance(at, Channel) else at.channel_id
        try:
            access = await self._directory.access(at.credential_id)
            proxy = await self._directory.proxy(channel_id)
        except LookupError:
            raise ConfigurationError("The channel, or its key, is not in the database.") from None
        return Line(channel_id, access, proxy)

    async def ask(
        self,
        at: Attempt | Channel,
        write: WriteCall[T],
        *,
        call: CallKind,
        within: timedelta,
        in_thread: bool = False,
        pool: Pool = Pool.SUBMITS,
    ) -> T:
        """Put a call to a provider, in as many steps as it takes, and read the answer.

        Args:
            at: The attempt that it is about, or the channel.
            write: Writes the call.
            call: What is asked; channels are judged by how they answer submits.
            within: The deadline of all steps together.
            in_thread: Whether writing it would hold up everybody else.
            pool: Which of the channel's connections.

        Raises:
            NotSentError: No byte of the last step was sent.
            UnansweredError: It may have arrived.
            ProviderProtocolError: The answer does not say what was asked, or our adapter could not
                handle it.
            ConfigurationError: The credential cannot be used.
            DatabaseUnavailableError: The way to the channel could not be read.
        """
        ends = self._clock.now() + within
        line = await self.line(at)
        written = await self._written(line, write, in_thread=in_thread)
        if ends <= self._clock.now():
            raise NotSentError("No time was left to ask the provider.")
        channel = await self._directory.channel(line.channel_id)
        with self._metrics.upstream(channel.name, call.value):
            try:
                answer = await self._converse(line, written, ends, pool)
            except UpstreamError as error:
                await self._judge(at, call, error)
                raise
        await self._judge(at, call, answer)
        return answer

    async def _judge(self, at: Attempt | Channel, call: CallKind, answer: object) -> None:
        if call is CallKind.SUBMIT and isinstance(at, Attempt):
            await self._breaker.note(at, answer)

    async def _converse(self, line: Line, call: Call[T], ends: datetime, pool: Pool) -> T:
        for _ in range(_STEPS):
            seconds = (ends - self._clock.now()).total_seconds()
            if seconds <= 0:
                raise NotSentError("No time was left to ask the provider.")
            answer = await self._step(line, call, seconds, pool)
            if not isinstance(answer, Call):
                return answer
            call = answer
        raise ProviderProtocolError(f"The provider asked for more than {_STEPS} steps.")

    async def open(
        self, line: Line, request: httpx.Request, *, timeout_seconds: float
    ) -> httpx.Response:
        """Send a request and return the answer before its body; it must be closed.

        Raises:
            UpstreamError: There is no answer.
        """
        return await self._client.open(
            request,
            channel_id=line.channel_id,
            timeout_seconds=timeout_seconds,
            proxy=line.proxy,
        )

    async def _written(self, line: Line, write: WriteCall[T], *, in_thread: bool) -> Call[T]:
        now = self._clock.now()
        try:
            if in_thread:
                return await asyncio.to_thread(write, line.access, now)
            return write(line.access, now)
        except VidgateError:
            raise
        except Exception as error:
            _log.exception("A call could not be written")
            raise NotSentError(f"{type(error).__name__} in the adapter.") from error

    async def _step(self, line: Line, call: Call[T], seconds: float, pool: Pool) -> T | Call[T]:
        started = time.perf_counter()
        try:
            response = await self._client.send(
                call.request,
                channel_id=line.channel_id,
                timeout_seconds=seconds,
                proxy=line.proxy,
                pool=pool,
            )
            _log.debug(
                "A provider answered",
                status=response.status_code,
                milliseconds=round((time.perf_counter() - started) * 1000),
            )
            return call.read(response)
        except UpstreamError:
            raise
        except Exception as error:
            # It may have arrived: another error of ours would say that nothing was sent.
            _log.exception("An answer could not be handled")
            raise ProviderProtocolError(f"{type(error).__name__} in the adapter.") from error
