"""Accounts, tokens and channels, as operators make and change them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from vidgate.config import Settings, provider_setting, provider_variable
from vidgate.db.accounts import AccountStore
from vidgate.db.channels import ChannelStore
from vidgate.db.engine import UniqueViolation
from vidgate.exceptions import ConfigurationError
from vidgate.models.accounts import DEFAULT_ACCOUNT, Account, Sees, Token
from vidgate.models.acts import ITSELF, Author
from vidgate.models.channels import Channel, ChannelChanges, NewChannel
from vidgate.models.ids import (
    ACCOUNT_PREFIX,
    CHANNEL_PREFIX,
    TOKEN_PREFIX,
    new_id,
    parse_public_id,
    public_id,
)
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

__all__ = ["Provisioning"]

_NAME_LENGTH = 100
_TAG = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_NO_TAGS = frozenset({"all", "none"})
"""What commands write for no tags."""


class Provisioning:
    """What the command line and the environment change. Running processes follow in a second.

    Accounts, tokens and channels are told by their name or by their public id. Every change is
    written down as its author's.
    """

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

    async def rotate_secrets(self, by: Author = ITSELF) -> int:
        """Encrypt every stored secret under the newest key; return how many there are."""
        return await self._channels.rewrite_secrets(
            lambda table, secret: self._box.rotate(SEALED_BY[table], secret),
            fingerprint=self._box.fingerprints[0],
            author=by,
        )

    # Accounts and tokens

    async def create_account(
        self,
        name: str,
        by: Author = ITSELF,
        *,
        channel_tags: tuple[str, ...] = (),
        is_prepaid: bool = False,
    ) -> Account:
        """Make an account, with a balance of 0 if it is prepaid.

        Raises:
            ConfigurationError: The name is taken or empty, or a tag is none.
        """
        _check_name(name)
        account = await self._accounts.create_account(
            name, by, channel_tags=_checked_tags(channel_tags), is_prepaid=is_prepaid
        )
        if account is None:
            raise _taken("an account", name)
        return account

    async def account(self, name_or_id: str) -> Account:
        """The account of that name or id.

        Raises:
            ConfigurationError: There is none.
        """
        account_id = parse_public_id(ACCOUNT_PREFIX, name_or_id)
        account = await self._accounts.account(account_id) if account_id else None
        account = account or await self._accounts.account_named(name_or_id)
        if account is None:
            raise ConfigurationError(
                f"There is no account {name_or_id!r}; `vidgate account list` shows them."
            )
        return account

    async def change_account(
        self, name_or_id: str, change: Callable[[Account], Account], by: Author = ITSELF
    ) -> Account:
        """Change what an account is called, and which channels its tokens use.

        Raises:
            ConfigurationError: There is no such account, the name is taken or empty, or a tag is
                none.
        """
        changed = change(await self.account(name_or_id))
        _check_name(changed.name)
        _checked_tags(changed.channel_tags)
        return await self._change_account(name_or_id, change, act="account.set", by=by)

    async def delete_account(self, name_or_id: str, by: Author = ITSELF) -> Account:
        """Take an account and all its tokens away for good; its tasks go on to their end.

        Raises:
            ConfigurationError: There is no such account.
        """
        return await self._change_account(
            name_or_id, lambda account: replace(account, removed=True), act="account.delete", by=by
        )

    async def _change_account(
        self, name_or_id: str, change: Callable[[Account], Account], *, act: str, by: Author
    ) -> Account:
        account = await self.account(name_or_id)
        try:
            changed = await self._accounts.change_account(account.id, change, act=act, author=by)
        except UniqueViolation:
            raise _taken("an account", change(account).name) from None
        return changed or await self.account(name_or_id)

    async def ensure_account(self, name: str) -> Account:
        """The account of that name, made if it does not exist."""
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
        addresses: tuple[str, ...] = (),
        expires_at: datetime | None = None,
        strict: bool = False,
        queue_wait: timedelta | None = None,
        sees: Sees = Sees.OWN,
        channel_tags: tuple[str, ...] = (),
        by: Author = ITSELF,
    ) -> tuple[Token, str]:
        """Make a token and its key, which is not kept and cannot be shown again.

        Raises:
            ConfigurationError: There is no such account, the name is empty, or a tag is none.
        """
        _check_name(name)
        if account is None:
            owner = await self.ensure_account(DEFAULT_ACCOUNT)
        else:
            owner = await self.account(account)
        key = new_token_key()
        token = await self._accounts.create_token(
            account_id=owner.id,
            name=name,
            key_hash=hash_key(key),
            models=models,
            addresses=addresses,
            expires_at=expires_at,
            strict=strict,
            queue_wait=queue_wait,
            sees=sees,
            channel_tags=_checked_tags(channel_tags),
            author=by,
        )
        if token is None:  # 256 random bits do not repeat
            raise ConfigurationError(f"The account {owner.name!r} was deleted just now.")
        return token, key

    async def token(self, name_or_id: str) -> Token:
        """The token of that id, also a revoked one, or the only one of that name that works.

        Raises:
            ConfigurationError: There is none, or more than one. What was given is not repeated: it
                may be the key.
        """
        token_id = parse_public_id(TOKEN_PREFIX, name_or_id)
        token = await self._accounts.token(token_id) if token_id else None
        if token is not None:
            return token
        named = [
            token
            for token in await self._accounts.tokens()
            if token.name == name_or_id and not token.revoked
        ]
        if not named:
            raise ConfigurationError(
                "There is no token of that name or id; `vidgate token list` shows them."
            )
        if len(named) > 1:
            ids = ", ".join(public_id(TOKEN_PREFIX, token.id) for token in named)
            raise ConfigurationError(f"There is more than one token of that name: {ids}.")
        return named[0]

    async def change_token(
        self, name_or_id: str, change: Callable[[Token], Token], by: Author = ITSELF
    ) -> Token:
        """Change what a token is called and what it may do.

        Raises:
            ConfigurationError: There is no such token, it is revoked, the name is empty, or a tag
                is none.
        """
        token = await self.token(name_or_id)
        _check_name(change(token).name)
        _checked_tags(change(token).channel_tags)
        changed = await self._accounts.change_token(token.id, change, act="token.set", author=by)
        if changed is None or changed.revoked:
            raise ConfigurationError("The token is revoked for good; create another.")
        return changed

    async def rotate_token(
        self, name_or_id: str, *, overlap: timedelta, by: Author = ITSELF
    ) -> tuple[Token, str, datetime]:
        """Give a token another key; what it had before works for `overlap` longer.

        Returns:
            The token, its new key, which cannot be shown again, and the end of the old one.

        Raises:
            ConfigurationError: There is no such token, or it is revoked.
        """
        token = await self.token(name_or_id)
        key = new_token_key()
        rotated = await self._accounts.rotate_key(
            token.id, hash_key(key), overlap=overlap, author=by
        )
        if rotated is None:
            raise ConfigurationError("The token is revoked for good; create another.")
        return rotated[0], key, rotated[1]

    async def revoke_token(self, name_or_id: str, by: Author = ITSELF) -> Token:
        """Make a token worthless, for good.

        Raises:
            ConfigurationError: There is no such token.
        """
        token = await self.token(name_or_id)
        return await self._accounts.revoke_token(token.id, by) or token

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

    async def add_channel(self, new: NewChannel, by: Author = ITSELF) -> Channel:
        """Add a channel.

        Raises:
            ConfigurationError: The name is taken, there is no such provider, or a value is bad.
        """
        provider = self._provider(new.provider)
        provider.check_credential(_checked_key(new.key))
        channel = Channel(
            id=new_id(),
            name=new.name,
            provider=new.provider,
            base_url=new.base_url or provider.capabilities.base_url,
            credential_id=new_id(),
            tags=new.tags,
            models=new.models,
            model_map=dict(new.model_map or {}),
            priority=new.priority,
            weight=new.weight,
            max_concurrency=new.max_concurrency,
            on_unknown=new.on_unknown,
            callback_secret=self._callback_secret(new.callback_secret),
            proxy=self._proxy(new.proxy),
        )
        channel = self._checked(channel)
        secret = self._box.encrypt(Purpose.CREDENTIAL, new.key)
        made = await self._channels.create(channel, secret, by)
        if made is None:
            raise _taken("a channel", new.name)
        return made

    async def channel(self, name_or_id: str) -> Channel:
        """The channel of that name or id.

        Raises:
            ConfigurationError: There is none.
        """
        channel_id = parse_public_id(CHANNEL_PREFIX, name_or_id)
        channel = await self._channels.here(channel_id) if channel_id else None
        channel = channel or await self._channels.named(name_or_id)
        if channel is None:
            raise ConfigurationError(f"There is no channel {name_or_id!r}.")
        return channel

    async def change_channel(
        self, name_or_id: str, changes: ChannelChanges, by: Author = ITSELF
    ) -> Channel:
        """Change a channel, for new attempts; the proxy for those under way too.

        Attempts under way keep the key and the base URL that they were made with.

        Raises:
            ConfigurationError: There is no such channel, the name is taken, or a value is bad.
        """
        channel = await self.channel(name_or_id)
        members: dict[str, Any] = dict(changes)
        key = members.pop("key", None)
        secret = None
        if key is not None:
            self._provider(channel.provider).check_credential(_checked_key(key))
            secret = self._box.encrypt(Purpose.CREDENTIAL, key)
        if "callback_secret" in members:
            members["callback_secret"] = self._callback_secret(members["callback_secret"])
        if "proxy" in members:
            members["proxy"] = self._proxy(members["proxy"])
        mapped = members.pop("model_map", {})

        # A channel that was stored under other rules can still be turned off, or given a key.
        is_checked = bool(changes.keys() - {"enabled", "key"})

        def change(before: Channel) -> Channel:
            model_map = {**before.model_map, **mapped}
            after = replace(
                before,
                **members,
                model_map={origin: target for origin, target in model_map.items() if target},
            )
            return self._checked(after) if is_checked else after

        try:
            changed = await self._channels.change(
                channel.id,
                change,
                secret=secret,
                puts_back=changes.get("enabled", False),
                act="channel.set",
                author=by,
            )
        except UniqueViolation:
            raise _taken("a channel", members["name"]) from None
        return changed or await self.channel(name_or_id)

    async def set_key(self, name: str, key: str, by: Author = ITSELF) -> Channel:
        """Give a channel another key for new attempts; see `change_channel`."""
        return await self.change_channel(name, {"key": key}, by)

    async def set_enabled(self, name: str, *, enabled: bool, by: Author = ITSELF) -> Channel:
        """Turn a channel on or off for new attempts; see `change_channel`."""
        return await self.change_channel(name, {"enabled": enabled}, by)

    async def remove_channel(self, name_or_id: str, by: Author = ITSELF) -> Channel:
        """Take a channel away for good; its attempts go on to their end.

        Raises:
            ConfigurationError: There is no such channel.
        """
        channel = await self.channel(name_or_id)
        removed = await self._channels.change(
            channel.id,
            lambda before: replace(before, removed=True, enabled=False),
            act="channel.delete",
            author=by,
        )
        return removed or await self.channel(name_or_id)

    def _checked(self, channel: Channel) -> Channel:
        """A channel as it may be stored.

        Raises:
            ConfigurationError: One of its values is bad.
        """
        _check_name(channel.name)
        _checked_tags(channel.tags)
        capabilities = self._provider(channel.provider).capabilities
        if channel.weight < 0:
            raise ConfigurationError("The weight of a channel is 0 or more.")
        if channel.max_concurrency is not None and channel.max_concurrency < 1:
            raise ConfigurationError("The concurrency of a channel is 1 or more.")
        if not (channel.models or channel.model_map or capabilities.model_patterns):
            raise ConfigurationError(
                f"The provider {channel.provider} has no models of its own, so the channel serves "
                "nothing; list them with --models, or in "
                f"{provider_variable(channel.provider, 'MODELS')}."
            )
        if not channel.base_url:
            raise ConfigurationError(
                f"The provider {channel.provider} has no address of its own; give it with "
                f"--base-url, or in {provider_variable(channel.provider, 'BASE_URL')}."
            )
        base_url = _checked_base_url(channel.base_url, capabilities.api_prefix)
        return replace(channel, base_url=base_url)

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


def _taken(what: str, name: str) -> ConfigurationError:
    return ConfigurationError(f"There is {what} {name!r} already.")


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _NAME_LENGTH or not name.isprintable():
        raise ConfigurationError(f"A name has 1 to {_NAME_LENGTH} printable characters.")


def _checked_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    for tag in tags:
        if not _TAG.fullmatch(tag) or tag in _NO_TAGS:
            raise ConfigurationError(
                f"{tag[:100]!r} is no tag; one has 1 to 40 letters, digits and -_. and is not "
                "`all` or `none`."
            )
    return tags


def _checked_key(key: str) -> str:
    if not key.strip() or not key.isascii() or not key.isprintable():
        raise ConfigurationError("A key is printable ASCII and not empty.")
    return key


def _checked_base_url(url: str, prefixes: tuple[str, ...]) -> str:
    if not url.startswith(("http://", "https://")) or "?" in url or "#" in url:
        raise ConfigurationError("A base URL begins with http:// or https:// and has no query.")
    if "@" in url.split("/")[2]:
        raise ConfigurationError(
            "A base URL has no user and no password: it is stored and shown as it is. What the "
            "provider asks for is the channel's key."
        )
    url = url.rstrip("/")
    for prefix in prefixes:
        if url.endswith(prefix):
            raise ConfigurationError(
                f"A base URL ends before the provider's API prefix; leave {prefix} off."
            )
    return url


def _patterns(text: str | None) -> tuple[str, ...]:
    return tuple(part for item in (text or "").split(",") if (part := item.strip()))
