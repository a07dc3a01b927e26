"""Accounts and the tokens they own."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Protocol
from uuid import UUID

from pydantic import SecretStr

from vidgate.models.limits import Admission

__all__ = ["DEFAULT_ACCOUNT", "AccessKey", "Account", "Caller", "Owned", "Sees", "Sight", "Token"]

DEFAULT_ACCOUNT: Final = "default"
"""The account of tokens for which none is named."""


class Sees(StrEnum):
    """What a token sees."""

    OWN = "own"
    """What it made itself."""
    ACCOUNT = "account"
    """All that is its account's."""


class Owned(Protocol):
    """What is somebody's, such as a task."""

    @property
    def account_id(self) -> UUID:
        """The account that owns it."""

    @property
    def token_id(self) -> UUID | None:
        """The token that made it, `None` where no one token did."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody sees. Whatever is read, listed, changed or named for a caller is asked by it.

    Attributes:
        account_id: Nothing of another account's.
        token_id: Only what this token made, `None` for all that is the account's.
    """

    account_id: UUID
    token_id: UUID | None = None

    def covers(self, owned: Owned) -> bool:
        """Whether something is seen."""
        return owned.account_id == self.account_id and self.token_id in (None, owned.token_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The owner of tokens, tasks and balance.

    Attributes:
        factor: On every price.
        channel_tags: Its tokens use channels with one of these tags; empty means all channels.
        removed: Kept for the tasks that it owns; it has no token that works.
    """

    id: UUID
    name: str
    factor: Decimal = field(default=Decimal(1), compare=False)
    channel_tags: tuple[str, ...] = ()
    removed: bool = False
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A client's `sk-` key; only its SHA-256 is kept.

    Attributes:
        models: Patterns of the models it may ask for; empty means every one.
        channel_tags: It uses channels with one of these tags; empty means all channels.
        account_tags: Likewise its account's, which limit it too.
        addresses: Networks that it may be used from; empty means from everywhere.
        expires_at: From then on it may read and not create; `None` for never.
        revoked: From then on it is unknown.
        queue_wait: How long its tasks may wait for a place, `None` as the deployment says.
        sees: What of its account's it reads, lists, changes and names.
        strict: Whether what would be ignored or adjusted is an error, unless a request says not.
    """

    id: UUID
    account_id: UUID
    name: str
    models: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    expires_at: datetime | None = None
    revoked: bool = False
    strict: bool = False
    queue_wait: timedelta | None = None
    sees: Sees = Sees.OWN
    channel_tags: tuple[str, ...] = ()
    account_tags: tuple[str, ...] = field(default=(), compare=False)
    created_at: datetime | None = None

    @property
    def channel_limits(self) -> tuple[tuple[str, ...], ...]:
        """What limits the channels that it uses; see `Channel.is_within`."""
        return tuple(tags for tags in (self.account_tags, self.channel_tags) if tags)

    def permits(self, model: str) -> bool:
        """Whether it may ask for this model."""
        return not self.models or any(fnmatchcase(model, name) for name in self.models)

    def permits_address(self, address: str | None) -> bool:
        """Whether it may be used from there; `None` for who has no address, as at a socket file."""
        return not self.addresses or (
            address is not None and _is_within(address, _networks(self.addresses))
        )


@lru_cache(maxsize=1024)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


def _is_within(text: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: a token that is known and not revoked.

    Attributes:
        sight: What it sees; made once, since every poll asks by it.
        admission: The limits that this request is held against, `None` where there are none.
    """

    token: Token
    sight: Sight = field(init=False, repr=False, compare=False)
    admission: Admission | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        sees_all = self.token.sees is Sees.ACCOUNT
        sight = Sight(self.token.account_id, None if sees_all else self.token.id)
        object.__setattr__(self, "sight", sight)

    @property
    def account_id(self) -> UUID:
        """The account that owns what is made."""
        return self.token.account_id


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A token's other form: a pair that signs requests, as the vendors' own SDKs do.

    Attributes:
        secret: What signatures are made with; it never leaves this process.
    """

    access_key: str
    secret: SecretStr
    caller: Caller
