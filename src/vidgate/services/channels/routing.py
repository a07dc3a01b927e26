"""Which channels can serve a model, and in what order they are tried."""

import random
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from uuid import UUID

import structlog

from vidgate.exceptions import ModelNotFoundError, NoChannelError
from vidgate.models.accounts import Token
from vidgate.models.channels import Channel
from vidgate.models.ids import TOKEN_PREFIX, public_id
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Provider
from vidgate.services.channels.directory import Directory

__all__ = ["Router"]

_log = structlog.get_logger(__name__)


class Router:
    """Chooses among channels: the highest priority first, within one priority by weight.

    Those whose provider fails at the moment come last.

    Args:
        is_spent: Whether a channel has used up its budget.
        randomness: Decides between channels of one priority.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        providers: Mapping[str, Provider],
        is_spent: Callable[[UUID], bool],
        randomness: random.Random,
    ) -> None:
        self._directory = directory
        self._providers = providers
        self._is_spent = is_spent
        self._random = randomness

    async def may_serve(self, channel_id: UUID, model: str) -> bool:
        """Whether a channel serves a model when it is usable."""
        return self._serves(await self._directory.channel(channel_id), model)

    async def candidates(
        self,
        token: Token,
        model: str,
        *,
        channel_id: UUID | None = None,
        vendor_format: str | None = None,
    ) -> list[Channel]:
        """The usable channels that serve a model to a token, in the order to try them.

        Args:
            token: By which it is asked for.
            model: What is asked for.
            channel_id: The only one that will do, `None` where any will.
            vendor_format: The provider in whose own format the request is written, `None` where any
                provider's adapter can translate it.

        Raises:
            ModelNotFoundError: No provider's models and no channel's list have it.
            NoChannelError: Some do, and none of those channels is usable, or none that the token
                may use.
        """
        channels = list(await self._directory.channels())
        channels = [one for one in channels if self._understands(one, vendor_format)]
        serving = [
            one
            for one in channels
            if one.is_usable and self._serves(one, model) and not self._is_spent(one.id)
        ]
        if serving:
            serving = self._permitted(token, model, serving, channel_id)
        if serving and channel_id is not None:
            serving = [one for one in serving if one.id == channel_id]
            if not serving:
                raise NoChannelError(
                    "What the request names was made by an account of the provider's that does "
                    f"not serve the model {model!r} at the moment."
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

    def _permitted(
        self, token: Token, model: str, serving: list[Channel], channel_id: UUID | None
    ) -> list[Channel]:
        """Those that the token may use; it has to be one of them that `channel_id` names."""
        limits = token.channel_limits
        if not limits:
            return serving
        permitted = [one for one in serving if one.is_within(limits)]
        refused = [one for one in serving if one not in permitted]
        if permitted and channel_id not in {one.id for one in refused}:
            return permitted
        _log.warning(
            "No channel that serves a model is one that the token may use",
            token=public_id(TOKEN_PREFIX, token.id),
            model=model,
            account_tags=list(token.account_tags),
            token_tags=list(token.channel_tags),
            channels={one.name: list(one.tags) for one in refused},
        )
        raise NoChannelError(
            "What the request names was made by a channel that this token may not use; ask the "
            "operator."
            if permitted
            else f"No channel that this token may use serves the model {model!r} at the moment; "
            "ask for another one, or ask the operator.",
            code="no_channel_for_token",
        )

    def check_vendor_format(self, model: str, vendor_format: str | None) -> None:
        """Refuse a request in the format of a provider whose model this cannot be.

        Raises:
            ModelNotFoundError: By its name it is another provider's.
        """
        known = [one.name for one in self.providers_of(model)]
        if vendor_format is not None and known and vendor_format not in known:
            raise ModelNotFoundError(
                f"The model {model!r} is another provider's and cannot be asked for in this "
                "format; use POST /v1/video/generations or /v1/videos for it.",
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

    def _understands(self, channel: Channel, vendor_format: str | None) -> bool:
        """Whether a channel's provider is given what is written in a provider's own format.

        Those without models of their own pass it on to whoever does.
        """
        provider = self._providers.get(channel.provider)
        if vendor_format is None or provider is None:
            return True
        return channel.provider == vendor_format or not provider.capabilities.model_patterns

    def _serves(self, channel: Channel, model: str) -> bool:
        provider = self._providers.get(channel.provider)
        if provider is None:  # made by a newer version, or by one with more providers
            return False
        patterns = channel.models or provider.capabilities.model_patterns
        return model in channel.model_map or any(fnmatchcase(model, name) for name in patterns)

    def _in_order(self, channels: Iterable[Channel]) -> list[Channel]:
        def place(channel: Channel) -> tuple[bool, int, float]:
            # The largest of U^(1/w) is each channel with probability w / sum of weights.
            chance = self._random.random() ** (1 / channel.weight) if channel.weight else -1.0
            return not channel.is_open, channel.priority, chance

        return sorted(channels, key=place, reverse=True)
