"""Channels: configured accounts at a provider."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TypedDict
from uuid import UUID

from pydantic import SecretStr

__all__ = [
    "Channel",
    "ChannelAccess",
    "ChannelChanges",
    "ChannelHealth",
    "ChannelState",
    "NewChannel",
    "OnUnknown",
]


class OnUnknown(StrEnum):
    """What happens to a submit whose outcome stays unknown."""

    FAIL = "fail"
    RESUBMIT = "resubmit"


class ChannelState(StrEnum):
    """Whether a channel takes work."""

    OK = "ok"
    OPEN = "open"
    """Its provider fails too often: work waits, until a probe goes well."""
    HALF_OPEN = "half_open"
    """That probe is under way."""
    CREDENTIAL = "credential"
    """Its key was refused: it counts as disabled until the operator has done something."""
    BALANCE = "balance"
    """Likewise: its account has no money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHealth:
    """How a channel does.

    Attributes:
        reason: Why it is not `OK`, in words.
        since: When that began, or ended.
        probe_at: When it may be tried again; while that is done, when somebody else may.
        learned_cap: Jobs at once that its provider took, `None` where it never said too many.
        learned_at: When that was learnt or changed.
    """

    state: ChannelState = ChannelState.OK
    reason: str | None = None
    since: datetime | None = None
    probe_at: datetime | None = None
    learned_cap: int | None = None
    learned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChannelAccess:
    """How one attempt reaches its provider; pinned to the attempt when it is made.

    Attributes:
        base_url: Without the API prefix and without a slash at its end.
        credential: As the operator gave it, in the provider's form.
    """

    base_url: str
    credential: SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One configured account at a provider.

    Attributes:
        credential_id: Which credential new attempts are pinned to.
        tags: Groups that it is in; tokens and accounts may be limited to some.
        models: Patterns such as `kling-*`; empty means every model of the provider.
        model_map: From the model a client asks for to the one that is run here.
        priority: Higher is tried first.
        weight: The share among channels of one priority; 0 is only used when nothing else is left.
        max_concurrency: Jobs at once, `None` for no limit of ours.
        callback_secret: What the provider signs callbacks with, encrypted, or `None`.
        proxy: The URL of the proxy that leads to the provider, encrypted; `None` to go directly.
        removed: Kept for the attempts that were made with it; never chosen again.
        health: How it does; nothing that its operator sets.
    """

    id: UUID
    name: str
    provider: str
    base_url: str
    credential_id: UUID
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    model_map: dict[str, str] = field(default_factory=dict)
    priority: int = 0
    weight: int = 1
    max_concurrency: int | None = None
    on_unknown: OnUnknown = OnUnknown.FAIL
    enabled: bool = True
    callback_secret: bytes | None = field(default=None, repr=False)
    proxy: bytes | None = field(default=None, repr=False)
    removed: bool = False
    created_at: datetime | None = None
    health: ChannelHealth = field(default=ChannelHealth(), compare=False)

    @property
    def is_usable(self) -> bool:
        """Whether new attempts may be made at it."""
        is_out = self.health.state in {ChannelState.CREDENTIAL, ChannelState.BALANCE}
        return self.enabled and not self.removed and not is_out

    @property
    def is_open(self) -> bool:
        """Whether work waits until its provider is seen to work again."""
        return self.health.state in {ChannelState.OPEN, ChannelState.HALF_OPEN}

    @property
    def cap(self) -> int | None:
        """Jobs at once for the time being, `None` for no limit."""
        if self.is_open:
            return 0
        caps = [one for one in (self.max_concurrency, self.health.learned_cap) if one is not None]
        return min(caps, default=None)

    def is_within(self, limits: Iterable[tuple[str, ...]]) -> bool:
        """Whether it has one tag at least of each limit."""
        return all(any(tag in self.tags for tag in limit) for limit in limits)

    def lists(self, model: str) -> bool:
        """Whether the operator names this model, by pattern or as the origin of a mapping."""
        return model in self.model_map or any(fnmatchcase(model, name) for name in self.models)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChannel:
    """A channel to add; see `Channel`.

    Attributes:
        base_url: `None` for the provider's own.
        callback_secret: What the provider signs callbacks with, `None` where that is the key.
        proxy: The URL of the proxy to reach the provider by, `None` to go directly.
    """

    name: str
    provider: str
    key: str = field(repr=False)
    base_url: str | None = None
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    model_map: Mapping[str, str] | None = None
    priority: int = 0
    weight: int = 1
    max_concurrency: int | None = None
    on_unknown: OnUnknown = OnUnknown.FAIL
    callback_secret: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)


class ChannelChanges(TypedDict, total=False):
    """What to change of a channel: what is absent stays as it is. See `Channel`.

    `callback_secret` and `proxy` are `None` to take them away, and not encrypted yet. Of
    `model_map` only the named origins change; one with an empty target is taken out.
    """

    name: str
    key: str
    base_url: str
    tags: tuple[str, ...]
    models: tuple[str, ...]
    model_map: Mapping[str, str]
    priority: int
    weight: int
    max_concurrency: int | None
    on_unknown: OnUnknown
    callback_secret: str | None
    proxy: str | None
    enabled: bool
