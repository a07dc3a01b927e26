"""Who may ask and where requests can go, kept in memory and never older than a second."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr

from vidgate.constants import CACHE_STALE, CACHE_WINDOW
from vidgate.db.accounts import AccountStore
from vidgate.db.channel_states import ChannelStateStore
from vidgate.db.channels import ChannelStore
from vidgate.db.clock import Clock
from vidgate.exceptions import DatabaseUnavailableError
from vidgate.models.accounts import AccessKey, Caller, Token
from vidgate.models.channels import Channel, ChannelAccess, ChannelHealth
from vidgate.services.secrets import Purpose, SecretBox, hash_key

__all__ = ["Directory"]


class Directory:
    """Tokens, channels and credentials.

    A process re-reads what changed twice a second by `refresh`. When that has not succeeded for a
    second nothing is answered from memory. What is unknown is never remembered: a token made a
    moment ago on another replica works here.

    Args:
        clock: Database time.
        monotonic: Seconds that only grow; tells how old the last refresh is.
    """

    def __init__(
        self,
        *,
        accounts: AccountStore,
        channels: ChannelStore,
        states: ChannelStateStore,
        box: SecretBox,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._channels = channels
        self._states = states
        self._box = box
        self._clock = clock
        self._monotonic = monotonic
        self._tokens: dict[bytes, Caller] = {}
        self._former: dict[bytes, datetime] = {}
        self._access_keys: dict[str, AccessKey] = {}
        self._by_id: dict[UUID, Channel] = {}
        self._credentials: dict[UUID, ChannelAccess] = {}
        self._channel_secrets: dict[bytes, SecretStr] = {}
        self._refreshed = float("-inf")
        self._refreshing = asyncio.Lock()

    async def load(self) -> None:
        """Read every channel; tokens are read when they are first used."""
        started = self._monotonic()
        await self._read_all()
        self._refreshed = started

    async def refresh(self) -> None:
        """Re-read what was written lately."""
        started = self._monotonic()
        since = self._clock.now() - CACHE_WINDOW
        changed = await self._accounts.changed_tokens(since)
        self._take_tokens(dict(changed))
        changed_ids = {token.id for _, token in changed}
        for access_key, known in list(self._access_keys.items()):
            if known.caller.token.id in changed_ids:
                del self._access_keys[access_key]
        if started - self._refreshed > CACHE_WINDOW.total_seconds():
            # More was missed than a refresh looks back.
            self._tokens.clear()
            self._former.clear()
            self._access_keys.clear()
            await self._read_all()
        else:
            channels = await self._channels.changed(since)
            self._take(channels, await self._states.all())
        self._refreshed = started

    def note(self, channel_id: UUID, health: ChannelHealth) -> None:
        """Take note at once of how a channel does, as it was just written."""
        channel = self._by_id.get(channel_id)
        if channel is not None:
            self._by_id[channel_id] = replace(channel, health=health)

    def _take_tokens(self, changed: Mapping[bytes, Token]) -> None:
        """Take over what changed; a key that is not the token's own any more is looked up anew."""
        now = self._clock.now()
        gone = {key_hash for key_hash, until in self._former.items() if until <= now}
        if changed:
            ids = {token.id for token in changed.values()}
            gone |= {key for key, known in self._tokens.items() if known.token.id in ids}
        for key_hash in gone:
            known = self._tokens.pop(key_hash, None)
            self._former.pop(key_hash, None)
            token = changed.get(key_hash)
            if known is not None and token is not None and not token.revoked:
                self._tokens[key_hash] = Caller(token)

    async def _read_all(self) -> None:
        channels = await self._channels.every()
        self._take(channels, await self._states.all())

    def _take(self, channels: Iterable[Channel], states: Mapping[UUID, ChannelHealth]) -> None:
        # All at once: nobody sees a channel of which it is not known how it does.
        self._by_id |= {channel.id: channel for channel in channels}
        for channel_id, health in states.items():
            self.note(channel_id, health)

    @property
    def is_fresh(self) -> bool:
        """Whether memory may be used."""
        return self._monotonic() - self._refreshed < CACHE_STALE.total_seconds()

    def known(self, key: str) -> Caller | None:
        """The caller with this key if memory has it and may be used; costs no await."""
        return self._tokens.get(hash_key(key)) if self.is_fresh else None

    async def authenticate(self, key: str) -> Caller | None:
        """The caller with this key; `None` if it is unknown or revoked.

        Raises:
            DatabaseUnavailableError: It could not be looked up.
        """
        caller = self.known(key)
        if caller is not None:
            return caller
        key_hash = hash_key(key)
        found = await self._accounts.token_by_hash(key_hash)
        if found is None or found[0].revoked:
            return None
        token, until = found
        if until is not None:
            self._former[key_hash] = until
        caller = self._tokens[key_hash] = Caller(token)
        return caller

    async def token_of_task(self, task_id: UUID) -> Token:
        """The token that a task was made with, as it is now, also a revoked one.

        Raises:
            DatabaseUnavailableError: It could not be read.
        """
        token = await self._accounts.token_of_task(task_id)
        if token is None:
            raise LookupError(task_id)
        return token

    async def access_key(self, access_key: str) -> AccessKey | None:
        """The pair with this access key; `None` if it is unknown or its token was revoked.

        Raises:
            DatabaseUnavailableError: It could not be looked up.
            ConfigurationError: It cannot be decrypted with the keys at hand.
        """
        known = self._access_keys.get(access_key) if self.is_fresh else None
        if known is not None:
            return known
        found = await self._accounts.access_key(access_key)
        if found is None or found[0].revoked:
            return None
        token, encrypted = found
        secret = SecretStr(self._box.decrypt(Purpose.ACCESS_KEY, encrypted))
        known = self._access_keys[access_key] = AccessKey(access_key, secret, Caller(token))
        return known

    async def channels(self) -> Iterable[Channel]:
        """Every channel, disabled and removed ones included.

        Raises:
            DatabaseUnavailableError: Memory is too old and could not be renewed.
        """
        await self._ensure_fresh()
        return self._by_id.values()

    async def channel(self, channel_id: UUID) -> Channel:
        """One channel, whatever its state.

        Raises:
            DatabaseUnavailableError: Memory is too old and could not be renewed.
        """
        await self._ensure_fresh()
        channel = self._by_id.get(channel_id)
        if channel is None:
            await self.load()
            channel = self._by_id[channel_id]
        return channel

    async def access(self, credential_id: UUID) -> ChannelAccess:
        """The base URL and key that an attempt is pinned to. They never change.

        Raises:
            DatabaseUnavailableError: It could not be read.
            ConfigurationError: It cannot be decrypted with the keys at hand.
        """
        access = self._credentials.get(credential_id)
        if access is None:
            row = await self._channels.credential(credential_id)
            if row is None:
                raise LookupError(credential_id)
            base_url, secret = row
            access = ChannelAccess(
                base_url, SecretStr(self._box.decrypt(Purpose.CREDENTIAL, secret))
            )
            self._credentials[credential_id] = access
        return access

    async def proxy(self, channel_id: UUID) -> SecretStr | None:
        """The URL of the proxy that a channel's provider is reached by, `None` for none.

        Unlike the credential it is the channel's of the moment, also for attempts under way.

        Raises:
            DatabaseUnavailableError: It could not be read.
            ConfigurationError: It cannot be decrypted with the keys at hand.
        """
        return self._channel_secret((await self.channel(channel_id)).proxy)

    async def callback_secret(self, channel_id: UUID) -> SecretStr | None:
        """What a channel's provider signs callbacks with, `None` if the operator gave nothing.

        Raises:
            DatabaseUnavailableError: It could not be read.
            ConfigurationError: It cannot be decrypted with the keys at hand.
        """
        return self._channel_secret((await self.channel(channel_id)).callback_secret)

    def _channel_secret(self, secret: bytes | None) -> SecretStr | None:
        if secret is None:
            return None
        known = self._channel_secrets.get(secret)
        if known is None:
            known = SecretStr(self._box.decrypt(Purpose.CREDENTIAL, secret))
            self._channel_secrets[secret] = known
        return known

    async def _ensure_fresh(self) -> None:
        if self.is_fresh:
            return
        async with self._refreshing:
            if not self.is_fresh:
                await self.refresh()
        if not self.is_fresh:
            raise DatabaseUnavailableError("Reading the channels took too long.")
