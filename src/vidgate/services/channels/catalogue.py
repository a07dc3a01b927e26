"""Which models there are, what each takes, and where it is run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TypeAlias

from vidgate.exceptions import ModelNotFoundError, NoChannelError
from vidgate.models.accounts import Caller, Token
from vidgate.models.channels import Channel
from vidgate.providers.base import ModelCapabilities, Provider
from vidgate.services.channels.directory import Directory
from vidgate.services.channels.routing import Router

__all__ = ["Catalogue", "ModelOffer", "list_models"]

_WILDCARDS = frozenset("*?[")

_Limits: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOffer:
    """A model, as one may ask for it.

    Attributes:
        name: What a client writes.
        provider: Whose it is; of the channel that is tried first where it has several.
        capabilities: What it takes, `None` where nobody has said.
        channels: Those that serve it now, in the order of their priority.
        is_runnable: Whether it may run: not if it is retired and runs as nothing else.
        created_at: When the first of those channels was made, or `None`.
    """

    name: str
    provider: str
    capabilities: ModelCapabilities | None
    channels: tuple[Channel, ...] = ()
    is_runnable: bool = True
    created_at: datetime | None = None

    @property
    def upstream_model(self) -> str:
        """What runs for it at the channel that is tried first: mapped, and a successor's."""
        target = (
            self.channels[0].model_map.get(self.name, self.name) if self.channels else self.name
        )
        successor = self.capabilities.successor if self.capabilities else None
        return successor or target


class Catalogue:
    """The models that callers may ask for."""

    def __init__(
        self, *, directory: Directory, router: Router, providers: Mapping[str, Provider]
    ) -> None:
        self._directory = directory
        self._router = router
        self._providers = providers
        self._seen: tuple[Channel, ...] = ()
        self._offers: dict[_Limits, Mapping[str, ModelOffer]] = {}

    async def models(self, caller: Caller) -> list[ModelOffer]:
        """What a channel that the caller may use serves, and its token permits, by name.

        Raises:
            DatabaseUnavailableError: The channels could not be read.
        """
        offers = await self._offered(caller.token.channel_limits)
        return [offer for offer in offers.values() if self._permits(caller, offer.name)]

    async def every(self) -> Mapping[str, ModelOffer]:
        """What a channel serves, by name, whoever may ask for it.

        The very same object is returned until a channel changes.

        Raises:
            DatabaseUnavailableError: The channels could not be read.
        """
        return await self._offered(())

    async def model(self, caller: Caller, name: str) -> ModelOffer:
        """One of them, or one that no list names and a channel's pattern serves all the same.

        Raises:
            ModelNotFoundError: No channel serves it, or the token may not use it.
            DatabaseUnavailableError: The channels could not be read.
        """
        offer = None
        if self._permits(caller, name):
            offered = await self._offered(caller.token.channel_limits)
            offer = offered.get(name) or await self._unlisted(caller.token, name)
        if offer is None:
            raise ModelNotFoundError(
                f"The model {name[:100]!r} does not exist here; `GET /v1/models` lists those that "
                "do.",
                param="model",
            )
        return offer

    async def _unlisted(self, token: Token, name: str) -> ModelOffer | None:
        """A model that only patterns have, `None` if it may not run."""
        try:
            channels = await self._router.candidates(token, name)
        except (ModelNotFoundError, NoChannelError):
            return None
        offer = _offer(name, sorted(channels, key=_place), {}, self._providers)
        return offer if offer.is_runnable else None

    async def _offered(self, limits: _Limits) -> Mapping[str, ModelOffer]:
        channels = tuple(await self._directory.channels())
        if channels != self._seen:  # most are the very same objects, so this costs little
            self._offers, self._seen = {}, channels
        if limits not in self._offers:
            usable = [one for one in channels if one.is_within(limits)]
            self._offers[limits] = {
                offer.name: offer
                for offer in list_models(usable, self._providers)
                if offer.channels and offer.is_runnable
            }
        return self._offers[limits]

    def _permits(self, caller: Caller, name: str) -> bool:
        for provider in self._router.providers_of(name):
            return any(caller.token.permits(one) for one in (*provider.family(name), name))
        return caller.token.permits(name)


def list_models(
    channels: Iterable[Channel], providers: Mapping[str, Provider]
) -> Sequence[ModelOffer]:
    """Every model that an adapter knows or a channel names, by name, with who serves it.

    Args:
        channels: Disabled and removed ones count for nothing.
        providers: The adapters, by name.
    """
    serving: dict[str, list[Channel]] = {}
    known: dict[str, str] = {}
    for provider in providers.values():
        for name in provider.capabilities.models:
            serving.setdefault(name, [])
            known.setdefault(name, provider.name)
    for channel in sorted((one for one in channels if one.is_usable), key=_place):
        owner = providers.get(channel.provider)
        if owner is not None:
            for name in dict.fromkeys(_names(channel, owner, known)):
                serving.setdefault(name, []).append(channel)
    return [_offer(name, serving[name], known, providers) for name in sorted(serving)]


def _place(channel: Channel) -> tuple[int, str]:
    return -channel.priority, channel.name


def _names(channel: Channel, provider: Provider, known: Iterable[str]) -> Iterator[str]:
    patterns = channel.models or provider.capabilities.model_patterns
    # A format has no models of its own: behind it are those of the others.
    for name in provider.capabilities.models or known:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            yield name
    yield from (pattern for pattern in channel.models if not _WILDCARDS & set(pattern))
    yield from channel.model_map


def _offer(
    name: str,
    channels: Sequence[Channel],
    known: Mapping[str, str],
    providers: Mapping[str, Provider],
) -> ModelOffer:
    first = channels[0] if channels else None
    provider = providers[first.provider if first else known[name]]
    target = first.model_map.get(name, name) if first else name
    capabilities = _capabilities(target, provider, providers)
    if capabilities is not None and target != name:
        capabilities = replace(capabilities, name=name)
    retired = capabilities is not None and capabilities.successor is not None
    times = [channel.created_at for channel in channels if channel.created_at is not None]
    return ModelOffer(
        name=name,
        provider=provider.name,
        capabilities=capabilities,
        channels=tuple(channels),
        is_runnable=provider.map_retired_models or not retired,
        created_at=min(times, default=None),
    )


def _capabilities(
    name: str, provider: Provider, providers: Mapping[str, Provider]
) -> ModelCapabilities | None:
    """What a model takes, by its provider's word, or behind a format by its vendor's."""
    if provider.capabilities.models:
        return provider.capabilities.models.get(name)
    several = (one.capabilities.models.get(name) for one in providers.values())
    return next((one for one in several if one is not None), None)
