"""Checking whether a channel works, without making a job."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from vidgate.db.channels import ChannelStore
from vidgate.db.clock import Clock
from vidgate.exceptions import (
    ConfigurationError,
    NotSentError,
    ProviderProtocolError,
    UnansweredError,
)
from vidgate.models.channels import Channel, ChannelAccess
from vidgate.providers.base import ProbeAnswer, Provider
from vidgate.providers.client import UpstreamClient
from vidgate.services.secrets import Purpose, SecretBox

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
    """Sends a channel's provider the cheapest read there is that needs the credential.

    Args:
        clock: For signatures.
    """

    def __init__(
        self,
        *,
        channels: ChannelStore,
        box: SecretBox,
        providers: Mapping[str, Provider],
        client: UpstreamClient,
        clock: Clock,
    ) -> None:
        self._channels = channels
        self._box = box
        self._providers = providers
        self._client = client
        self._clock = clock

    async def check(self, name: str) -> ChannelCheck:
        """Check a channel, a disabled one too.

        Raises:
            ConfigurationError: There is no such channel, its secrets cannot be read, or its
                provider has nothing that could be asked.
        """
        channel = await self._channels.named(name)
        if channel is None:
            raise ConfigurationError(f"There is no channel {name!r}.")
        provider = self._providers.get(channel.provider)
        if provider is None or not provider.capabilities.probe:
            raise ConfigurationError(
                f"A channel of {channel.provider!r} cannot be tested without making a video."
            )
        stored = await self._channels.credential(channel.credential_id)
        if stored is None:
            raise ConfigurationError(f"The channel {name!r} has no key; give it one anew.")
        access = ChannelAccess(stored[0], self._read(stored[1]))
        proxy = self._read(channel.proxy) if channel.proxy else None
        started = time.perf_counter()
        answer = await self._ask(provider, channel, access, proxy)
        seconds = time.perf_counter() - started
        return ChannelCheck(channel, answer.works, answer.sentence, seconds)

    async def _ask(
        self, provider: Provider, channel: Channel, access: ChannelAccess, proxy: SecretStr | None
    ) -> ProbeAnswer:
        try:
            sent = provider.probe_request(access, self._clock.now())
            response = await self._client.send(
                sent,
                channel_id=channel.id,
                timeout_seconds=provider.capabilities.poll_timeout.total_seconds(),
                proxy=proxy,
            )
            return provider.read_probe(sent, response)
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

    def _read(self, secret: bytes) -> SecretStr:
        return SecretStr(self._box.decrypt(Purpose.CREDENTIAL, secret))
