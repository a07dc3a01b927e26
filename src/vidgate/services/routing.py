"""Which channels can serve a model, and in what order they are tried."""

import random
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from uuid import UUID

from vidgate.exceptions import ModelNotFoundError, NoChannelError
from vidgate.models.channels import Channel
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Provider
from vidgate.services.directory import Directory

__all__ = ["Router", "is_usable"]


def is_usable(channel: Channel) -> bool:
    """Whether new attempts may be made at it."""
    return channel.enabled and not channel.removed


class Router:
    """Chooses among channels: the highest priority first, within one priority by weight.

    Args:
        randomness: Decides between channels of one priority.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        providers: Mapping[str, Provider],
        randomness: random.Random,
    ) -> None:
        self._directory = directory
        self._providers = providers
        self._random = randomness

    async def candidates(self, model: str, *, channel_id: UUID | None = None) -> list[Channel]:
        """The usable channels that serve a model, in the order to try them.

        Args:
            model: What is asked for.
            channel_id: The only one that will do, `None` where any will.

        Raises:
            ModelNotFoundError: No provider's models and no channel's list have it.
            NoChannelError: Some do, and none of those channels is usable.
        """
        channels = list(await self._directory.channels())
        serving = [one for one in channels if is_usable(one) and self._serves(one, model)]
        if serving and channel_id is not None:
            serving = [one for one in serving if one.id == channel_id]
            if not serving:
                raise NoChannelError(
                    "The video that the request names was made by an account of the provider's "
                    f"that does not serve the model {model!r} at the moment."
                )
        if serving:
            return self._in_order(serving)
        if self.providers_of(model) or any(one.lists(model) for one in channels if not one.removed):
            raise NoChannelError(
                f"No channel serves the model {model!r} at the moment; try again later, or ask "
                "the operator to enable one."
            )
        raise ModelNotFoundError(
            f"The model {model!r} does not exist here; check its spelling, or ask the operator "
            "for it.",
            param="model",
        )

    def providers_of(self, model: str) -> list[Provider]:
        """The providers whose own models this could be, by its name."""
        return [
            provider
            for provider in self._providers.values()
            if any(fnmatchcase(model, name) for name in provider.capabilities.model_patterns)
        ]

    def effective_model(self, request: VideoRequest) -> str:
        """The model that will run, where a vendor field other than a model name chooses it.

        Raises:
            UnsupportedParameterError: That field names a model of another family.
        """
        for provider in self.providers_of(request.model):
            return provider.effective_model(request)
        return request.model

    def _serves(self, channel: Channel, model: str) -> bool:
        provider = self._providers.get(channel.provider)
        if provider is None:  # made by a newer version, or by one with more providers
            return False
        patterns = channel.models or provider.capabilities.model_patterns
        return model in channel.model_map or any(fnmatchcase(model, name) for name in patterns)

    def _in_order(self, channels: Iterable[Channel]) -> list[Channel]:
        def place(channel: Channel) -> tuple[int, float]:
            # The largest of U^(1/w) is each channel with probability w / sum of weights.
            chance = self._random.random() ** (1 / channel.weight) if channel.weight else -1.0
            return channel.priority, chance

        return sorted(channels, key=place, reverse=True)
