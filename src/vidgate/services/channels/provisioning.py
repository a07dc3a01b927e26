"""Accounts, tokens and channels, as operators make and change them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from vidgate.config import Settings, provider_setting, provider_variable
from vidgate.db.accounts import AccountStore
from vidgate.db.channels import ChannelStore
from vidgate.exceptions import ConfigurationError
from vidgate.models.accounts import Account, Token
from vidgate.models.channels import Channel, OnUnknown
from vidgate.models.ids import new_id
from vidgate.providers.base import Provider
from vidgate.providers.transport.proxies import check_proxy_url
from vidgate.services.secrets import (
    SEALED_BY,
    Purpose,
    SecretBox,
    hash_key,
    new_access_key,
    new_token_key,
)

__all__ = ["DEFAULT_ACCOUNT", "NewChannel", "Provisioning"]

DEFAULT_ACCOUNT = "default"
"""The account of tokens for which none is named."""

_NAME_LENGTH = 100


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
    models: tuple[str, ...] = ()
    model_map: Mapping[str, str] | None = None
    priority: int = 0
    weight: int = 1
    max_concurrency: int | None = None
    on_unknown: OnUnknown = OnUnknown.FAIL
    callback_secret: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)


class Provisioning:
    """What the command line and the environment change. Running processes follow in a second."""

    def __init__(
        self,
        *,
        accounts: AccountStore,
        channels: ChannelStore,
        box: SecretBox,
        providers: Mapping[str, Provider],
    ) -> None:
        self._accounts = accounts
        self._channels = channels
        self._box = box
        self._providers = providers

    async def check_secret_key(self) -> None:
        """Note the secret key's fingerprint at the first start, and compare it at every other.

        Raises:
            ConfigurationError: The database was written with a key that is not at hand.
        """
        noted = await self._channels.claim_fingerprint(self._box.fingerprints[0])
        if noted not in self._box.fingerprints:
            raise ConfigurationError(
                "VIDGATE_SECRET_KEY is not the one this database was written with; put that key "
                "back, if need be behind the new one."
            )

    async def rotate_secrets(self) -> int:
        """Encrypt every stored secret under the newest key; return how many there are."""
        return await self._channels.rewrite_secrets(
            lambda table, secret: self._box.rotate(SEALED_BY[table], secret),
            fingerprint=self._box.fingerprints[0],
        )

    # Accounts and tokens

    async def create_account(self, name: str) -> Account:
        """Make an account.

        Raises:
            ConfigurationError: The name is taken or empty.
        """
        _check_name(name)
        account = await self._accounts.create_account(name)
        if account is None:
            raise ConfigurationError(f"There is an account {name!r} already.")
        return account

    async def ensure_account(self, name: str) -> Account:
        """The account of that name, made if there is none."""
        account = await self._accounts.account_named(name)
        if account is None:
            account = await self._accounts.create_account(name)
        # Somebody else may have made it in between.
        account = account or await self._accounts.account_named(name)
        assert account is not None  # noqa: S101 - accounts are never deleted
        return account

    async def create_token(
        self,
        *,
        name: str,
        account: str | None = None,
        models: tuple[str, ...] = (),
        expires_at: datetime | None = None,
        strict: bool = False,
    ) -> tuple[Token, str]:
        """Make a token and its key, which is not kept and cannot be shown again.

        Raises:
            ConfigurationError: There is no such account, or the name is empty.
        """
        _check_name(name)
        if account is None:
            owner = await self.ensure_account(DEFAULT_ACCOUNT)
        else:
            named = await self._accounts.account_named(account)
            if named is None:
                raise ConfigurationError(
                    f"There is no account {account!r}; `vidgate account create` makes one."
                )
            owner = named
        key = new_token_key()
        token = await self._accounts.create_token(
            account_id=owner.id,
            name=name,
            key_hash=hash_key(key),
            models=models,
            expires_at=expires_at,
            strict=strict,
        )
        assert token is not None  # noqa: S101 - 256 random bits do not repeat
        return token, key

    async def create_access_key(self, token: Token) -> tuple[str, str]:
        """Give a token a pair to sign requests with, as the vendors' own SDKs do.

        Returns:
            The access key and its secret, which cannot be shown again.
        """
        access_key, secret = new_access_key()
        await self._accounts.create_access_key(
            token.id, access_key, self._box.encrypt(Purpose.ACCESS_KEY, secret)
        )
        return access_key, secret

    async def ensure_token(self, key: str, *, name: str) -> None:
        """Make a token of a given key, unless there is one."""
        account = await self.ensure_account(DEFAULT_ACCOUNT)
        await self._accounts.create_token(account_id=account.id, name=name, key_hash=hash_key(key))

    # Channels

    async def add_channel(self, new: NewChannel) -> Channel:
        """Add a channel.

        Raises:
            ConfigurationError: The name is taken, there is no such provider, or a value is bad.
        """
        _check_name(new.name)
        provider = self._provider(new.provider)
        provider.check_credential(_checked_key(new.key))
        if new.weight < 0:
            raise ConfigurationError("The weight of a channel is 0 or more.")
        if new.max_concurrency is not None and new.max_concurrency < 1:
            raise ConfigurationError("The concurrency of a channel is 1 or more.")
        if not (new.models or new.model_map or provider.capabilities.model_patterns):
            raise ConfigurationError(
                f"The provider {new.provider} has no models of its own, so the channel serves "
                "nothing; list them with --models, or in "
                f"{provider_variable(new.provider, 'MODELS')}."
            )
        base_url = new.base_url or provider.capabilities.base_url
        if not base_url:
            raise ConfigurationError(
                f"The provider {new.provider} has no address of its own; give it with --base-url, "
                f"or in {provider_variable(new.provider, 'BASE_URL')}."
            )
        channel = Channel(
            id=new_id(),
            name=new.name,
            provider=new.provider,
            base_url=_checked_base_url(base_url, provider.capabilities.api_prefix),
            credential_id=new_id(),
            models=new.models,
            model_map=dict(new.model_map or {}),
            priority=new.priority,
            weight=new.weight,
            max_concurrency=new.max_concurrency,
            on_unknown=new.on_unknown,
            callback_secret=self._callback_secret(new.callback_secret),
            proxy=self._proxy(new.proxy),
        )
        made = await self._channels.create(channel, self._box.encrypt(Purpose.CREDENTIAL, new.key))
        if made is None:
            raise ConfigurationError(f"There is a channel {new.name!r} already.")
        return made

    async def set_key(self, name: str, key: str) -> Channel:
        """Give a channel another key for new attempts.

        Raises:
            ConfigurationError: There is no such channel, or the key cannot be one.
        """
        channel = await self._channel(name)
        self._provider(channel.provider).check_credential(_checked_key(key))
        changed = await self._channels.set_credential(
            channel, self._box.encrypt(Purpose.CREDENTIAL, key)
        )
        return changed or await self._channel(name)

    async def set_callback_secret(self, name: str, secret: str | None) -> Channel:
        """Change what a channel's provider signs callbacks with; `None` takes it away.

        Raises:
            ConfigurationError: There is no such channel, or the secret cannot be one.
        """
        encrypted = self._callback_secret(secret)
        channel = await self._channels.set_callback_secret(name, encrypted)
        return channel or await self._channel(name)

    async def set_proxy(self, name: str, url: str | None) -> Channel:
        """Change the way to a channel's provider, for work under way too; `None` is the direct one.

        Raises:
            ConfigurationError: There is no such channel, or the URL cannot be a proxy's.
        """
        channel = await self._channels.set_proxy(name, self._proxy(url))
        return channel or await self._channel(name)

    async def set_enabled(self, name: str, *, enabled: bool) -> Channel:
        """Turn a channel on or off for new attempts.

        Raises:
            ConfigurationError: There is no such channel.
        """
        channel = await self._channels.set_enabled(name, enabled=enabled)
        return channel or await self._channel(name)

    async def remove_channel(self, name: str) -> Channel:
        """Take a channel away for good; its attempts go on to their end.

        Raises:
            ConfigurationError: There is no such channel.
        """
        channel = await self._channels.remove(name)
        return channel or await self._channel(name)

    # The environment

    async def apply_environment(self, settings: Settings) -> None:
        """Make or update what the environment asks for, so that a container needs no second step.

        Raises:
            ConfigurationError: A key in it cannot be one.
        """
        if settings.bootstrap_token is not None:
            await self.ensure_token(settings.bootstrap_token.get_secret_value(), name="bootstrap")
        for provider in self._providers:
            key = provider_setting(provider, "KEY")
            if key is not None:
                await self.ensure_channel(
                    f"{provider}-env",
                    provider=provider,
                    key=key,
                    base_url=provider_setting(provider, "BASE_URL"),
                    models=_patterns(provider_setting(provider, "MODELS")),
                )

    async def ensure_channel(
        self,
        name: str,
        *,
        provider: str,
        key: str,
        base_url: str | None = None,
        models: tuple[str, ...] = (),
    ) -> Channel:
        """Make a channel if it is missing; give it this key if it has another one.

        A disabled channel stays disabled.

        Raises:
            ConfigurationError: The key cannot be one, or the provider needs more than a key.
        """
        channel = await self._channels.named(name)
        if channel is None:
            new = NewChannel(
                name=name, provider=provider, key=key, base_url=base_url, models=models
            )
            try:
                return await self.add_channel(new)
            except ConfigurationError:
                # Another process may have made it just now; any other reason is raised below.
                channel = await self._channels.named(name)
                if channel is None:
                    raise
        stored = await self._channels.credential(channel.credential_id)
        if stored is None or self._box.decrypt(Purpose.CREDENTIAL, stored[1]) != key:
            return await self.set_key(name, key)
        return channel

    def _callback_secret(self, secret: str | None) -> bytes | None:
        if secret is None:
            return None
        return self._box.encrypt(Purpose.CREDENTIAL, _checked_key(secret))

    def _proxy(self, url: str | None) -> bytes | None:
        if url is None:
            return None
        check_proxy_url(url)
        return self._box.encrypt(Purpose.CREDENTIAL, url)

    def _provider(self, name: str) -> Provider:
        provider = self._providers.get(name)
        if provider is None:
            raise ConfigurationError(
                f"There is no provider {name!r}; there are {', '.join(self._providers)}."
            )
        return provider

    async def _channel(self, name: str) -> Channel:
        channel = await self._channels.named(name)
        if channel is None:
            raise ConfigurationError(f"There is no channel {name!r}.")
        return channel


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _NAME_LENGTH or not name.isprintable():
        raise ConfigurationError(f"A name has 1 to {_NAME_LENGTH} printable characters.")


def _checked_key(key: str) -> str:
    if not key.strip() or not key.isascii() or not key.isprintable():
        raise ConfigurationError("A key is printable ASCII and not empty.")
    return key


def _checked_base_url(url: str, prefixes: tuple[str, ...]) -> str:
    if not url.startswith(("http://", "https://")) or "?" in url or "#" in url:
        raise ConfigurationError("A base URL begins with http:// or https:// and has no query.")
    url = url.rstrip("/")
    for prefix in prefixes:
        if url.endswith(prefix):
            raise ConfigurationError(
                f"A base URL ends before the provider's API prefix; leave {prefix} off."
            )
    return url


def _patterns(text: str | None) -> tuple[str, ...]:
    return tuple(part for item in (text or "").split(",") if (part := item.strip()))
