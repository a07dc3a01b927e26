"""Checking whether a channel works, without making a job."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from vidgate.db.channel_states import ChannelStateStore
from vidgate.db.channels import ChannelStore
from vidgate.db.clock import Clock
from vidgate.exceptions import (
    ConfigurationError,
    NotSentError,
    ProviderProtocolError,
    UnansweredError,
)
from vidgate.models.channels import Channel
from vidgate.providers.base import ProbeAnswer, Provider, Tests
from vidgate.services.channels.upstream import CallKind, Upstream

__all__ = ["ChannelCheck", "ChannelChecker"]


@dataclass(frozen=True, slots=True)
class ChannelCheck:
    """What came of a check.

    Attributes:
        channel: Which was checked.
        works: Whether a request could be sent there now.
        sentence: What is wrong, or what the provider said.
        seconds: How long the provider took.
    """

    channel: Channel
    works: bool
    sentence: str
    seconds: float


class ChannelChecker:
    """Sends a channel's provider the cheapest read there is that needs the credential."""

    def __init__(
        self,
        *,
        channels: ChannelStore,
        states: ChannelStateStore,
        providers: Mapping[str, Provider],
        upstream: Upstream,
        clock: Clock,
    ) -> None:
        self._channels = channels
        self._states = states
        self._clock = clock
        self._providers = providers
        self._upstream = upstream

    async def check(self, name: str) -> ChannelCheck:
        """Check a channel, a disabled one too; one that works gets work again.

        Raises:
            ConfigurationError: There is no such channel, its secrets cannot be read, or its
                provider has nothing that could be asked.
        """
        channel = await self._channels.named(name)
        if channel is None:
            raise ConfigurationError(f"There is no channel {name!r}.")
        provider = self._providers.get(channel.provider)
        if provider is None or not isinstance(provider, Tests):
            raise ConfigurationError(
                f"A channel of {channel.provider!r} cannot be tested without making a video."
            )
        await self._upstream.line(channel)  # what is wrong here is not the provider's answer
        started = time.perf_counter()
        answer = await self._ask(provider, channel)
        seconds = time.perf_counter() - started
        if answer.works:
            await self._states.put_back(channel.id, self._clock.now())
        return ChannelCheck(channel, answer.works, answer.sentence, seconds)

    async def _ask(self, provider: Tests, channel: Channel) -> ProbeAnswer:
        within = self._providers[channel.provider].capabilities.poll_timeout
        try:
            return await self._upstream.ask(
                channel, provider.test, call=CallKind.TEST, within=within
            )
        except NotSentError as error:
            return ProbeAnswer(works=False, sentence=f"The provider cannot be reached: {error}")
        except UnansweredError as error:
            return ProbeAnswer(
                works=False, sentence=f"The provider was reached and gave no answer: {error}"
            )
        except ProviderProtocolError as error:
            return ProbeAnswer(
                works=False, sentence=f"The provider's answer cannot be read: {error}"
            )
        except ConfigurationError as error:
            return ProbeAnswer(works=False, sentence=f"The key cannot be used: {error}")
