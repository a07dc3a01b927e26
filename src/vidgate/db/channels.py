"""Channels and the credentials that attempts are pinned to."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    DateTime,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from vidgate.db.engine import Database, Record, Statement, Transaction
from vidgate.db.tables import access_keys, channels, credentials, facts, webhook_secrets
from vidgate.models.channels import Channel, OnUnknown
from vidgate.models.ids import new_id

__all__ = ["ChannelStore"]

_TIME = DateTime(timezone=True)
_COLUMNS = [
    channels.c[name]
    for name in (
        "id",
        "name",
        "provider",
        "base_url",
        "credential_id",
        "models",
        "model_map",
        "priority",
        "weight",
        "max_concurrency",
        "on_unknown",
        "enabled",
        "callback_secret",
        "proxy",
        "removed_at",
        "created_at",
    )
]
_INSERTED = tuple(
    column.name for column in _COLUMNS if column.name not in {"removed_at", "created_at"}
)
_CREATE = Statement(
    insert(channels)
    .values({name: bindparam(name, type_=channels.c[name].type) for name in _INSERTED})
    .on_conflict_do_nothing()
    .returning(*_COLUMNS)
)
_CREATE_CREDENTIAL = Statement(
    insert(credentials).values(
        id=bindparam("id", type_=Uuid),
        channel_id=bindparam("channel_id", type_=Uuid),
        base_url=bindparam("base_url", type_=Text),
        secret=bindparam("secret", type_=LargeBinary),
    )
)
_ALL = Statement(
    select(*_COLUMNS)
    .where(channels.c.removed_at.is_(None))
    .order_by(channels.c.created_at, channels.c.id)
)
_EVERY = Statement(select(*_COLUMNS))
_BY_NAME = Statement(
    select(*_COLUMNS).where(
        channels.c.name == bindparam("name", type_=Text), channels.c.removed_at.is_(None)
    )
)
_named = (channels.c.name == bindparam("name", type_=Text), channels.c.removed_at.is_(None))
_ENABLE = Statement(
    update(channels)
    .values(enabled=bindparam("enabled", type_=Boolean))
    .where(*_named)
    .returning(*_COLUMNS)
)
_REMOVE = Statement(
    update(channels)
    .values(removed_at=func.now(), enabled=False)
    .where(*_named)
    .returning(*_COLUMNS)
)
_SET_CREDENTIAL = Statement(
    update(channels)
    .values(credential_id=bindparam("credential_id", type_=Uuid))
    .where(channels.c.id == bindparam("channel_id", type_=Uuid), channels.c.removed_at.is_(None))
    .returning(*_COLUMNS)
)
_SET_CALLBACK_SECRET = Statement(
    update(channels)
    .values(callback_secret=bindparam("secret", type_=LargeBinary))
    .where(*_named)
    .returning(*_COLUMNS)
)
_SET_PROXY = Statement(
    update(channels)
    .values(proxy=bindparam("secret", type_=LargeBinary))
    .where(*_named)
    .returning(*_COLUMNS)
)
_CREDENTIAL = Statement(
    select(credentials.c.base_url, credentials.c.secret).where(
        credentials.c.id == bindparam("credential_id", type_=Uuid)
    )
)
_SEALED = {
    table.name: (
        Statement(select(table.c.id, table.c.secret).order_by(table.c.id).with_for_update()),
        Statement(
            update(table)
            .values(secret=bindparam("secret", type_=LargeBinary))
            .where(table.c.id == bindparam("id", type_=Uuid))
        ),
    )
    for table in (credentials, access_keys, webhook_secrets)
}
"""How the encrypted secrets of each table are read and written anew."""

_CHANNEL_SECRETS = Statement(
    select(channels.c.id, channels.c.callback_secret, channels.c.proxy)
    .where(or_(channels.c.callback_secret.is_not(None), channels.c.proxy.is_not(None)))
    .order_by(channels.c.id)
    .with_for_update()
)
_REWRITE_CHANNEL = Statement(
    update(channels)
    .values(
        callback_secret=bindparam("callback_secret", type_=LargeBinary),
        proxy=bindparam("proxy", type_=LargeBinary),
    )
    .where(channels.c.id == bindparam("channel_id", type_=Uuid))
)
_CHANGED = Statement(
    select(*_COLUMNS).where(channels.c.updated_at > bindparam("since", type_=_TIME))
)
_FACT = Statement(select(facts.c.value).where(facts.c.name == bindparam("name", type_=Text)))
_WRITE_FACT = Statement(
    insert(facts)
    .values(name=bindparam("name", type_=Text), value=bindparam("value", type_=Text))
    .on_conflict_do_update(
        index_elements=[facts.c.name], set_={"value": bindparam("value", type_=Text)}
    )
)
_CLAIM_FACT = Statement(
    insert(facts)
    .values(name=bindparam("name", type_=Text), value=bindparam("value", type_=Text))
    .on_conflict_do_nothing()
)


class ChannelStore:
    """Where requests can go; secrets are encrypted already. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, channel: Channel, secret: bytes) -> Channel | None:
        """Store a channel and its first credential; `None` if the name is taken."""
        async with self._database.transaction() as transaction:
            row = await transaction.fetch_one(
                _CREATE,
                id=channel.id,
                name=channel.name,
                provider=channel.provider,
                base_url=channel.base_url,
                credential_id=channel.credential_id,
                models=list(channel.models),
                model_map=dict(channel.model_map),
                priority=channel.priority,
                weight=channel.weight,
                max_concurrency=channel.max_concurrency,
                on_unknown=channel.on_unknown.value,
                enabled=channel.enabled,
                callback_secret=channel.callback_secret,
                proxy=channel.proxy,
            )
            if row is None:
                return None
            await _store_credential(
                transaction, channel.credential_id, channel.id, channel.base_url, secret
            )
        return _to_channel(row)

    async def set_credential(self, channel: Channel, secret: bytes) -> Channel | None:
        """Pin new attempts to another key; those under way keep theirs. `None`: it is removed."""
        credential_id = new_id()
        async with self._database.transaction() as transaction:
            await _store_credential(
                transaction, credential_id, channel.id, channel.base_url, secret
            )
            row = await transaction.fetch_one(
                _SET_CREDENTIAL, channel_id=channel.id, credential_id=credential_id
            )
        return _to_channel(row) if row else None

    async def all(self) -> list[Channel]:
        """Every channel that is not removed, oldest first."""
        return [_to_channel(row) for row in await self._database.fetch(_ALL)]

    async def every(self) -> list[Channel]:
        """Every channel, removed ones included."""
        return [_to_channel(row) for row in await self._database.fetch(_EVERY)]

    async def named(self, name: str) -> Channel | None:
        """The channel of that name, unless it is removed."""
        row = await self._database.fetch_one(_BY_NAME, name=name)
        return _to_channel(row) if row else None

    async def set_enabled(self, name: str, *, enabled: bool) -> Channel | None:
        """Turn a channel on or off for new attempts; `None` if there is none of that name."""
        row = await self._database.fetch_one(_ENABLE, name=name, enabled=enabled)
        return _to_channel(row) if row else None

    async def set_callback_secret(self, name: str, secret: bytes | None) -> Channel | None:
        """Change what callbacks are checked with; `None` if there is no channel of that name."""
        row = await self._database.fetch_one(_SET_CALLBACK_SECRET, name=name, secret=secret)
        return _to_channel(row) if row else None

    async def set_proxy(self, name: str, secret: bytes | None) -> Channel | None:
        """Change the way to the provider; `None` if there is no channel of that name."""
        row = await self._database.fetch_one(_SET_PROXY, name=name, secret=secret)
        return _to_channel(row) if row else None

    async def remove(self, name: str) -> Channel | None:
        """Mark a channel removed; its attempts go on. `None` if there is none of that name."""
        row = await self._database.fetch_one(_REMOVE, name=name)
        return _to_channel(row) if row else None

    async def changed(self, since: datetime) -> list[Channel]:
        """Channels written after `since`, removed ones included."""
        return [_to_channel(row) for row in await self._database.fetch(_CHANGED, since=since)]

    async def credential(self, credential_id: UUID) -> tuple[str, bytes] | None:
        """The base URL and the encrypted secret of one credential."""
        row = await self._database.fetch_one(_CREDENTIAL, credential_id=credential_id)
        return (row["base_url"], row["secret"]) if row else None

    async def rewrite_secrets(
        self, rewrite: Callable[[str, bytes], bytes], *, fingerprint: str
    ) -> int:
        """Encrypt every secret anew and note the new key's fingerprint, all or nothing.

        Args:
            rewrite: Encrypts one anew; it is told the table, since each has a key of its own.
            fingerprint: Of the new secret key.

        Returns:
            How many were rewritten.
        """
        async with self._database.transaction() as transaction:
            count = 0
            for table, (read, write) in _SEALED.items():
                for row in await transaction.fetch(read):
                    secret = rewrite(table, row["secret"])
                    await transaction.execute(write, id=row["id"], secret=secret)
                    count += 1
            for row in await transaction.fetch(_CHANNEL_SECRETS):
                secret, proxy = row["callback_secret"], row["proxy"]
                await transaction.execute(
                    _REWRITE_CHANNEL,
                    channel_id=row["id"],
                    callback_secret=None if secret is None else rewrite(channels.name, secret),
                    proxy=None if proxy is None else rewrite(channels.name, proxy),
                )
                count += (secret is not None) + (proxy is not None)
            await transaction.execute(_WRITE_FACT, name="secret_key", value=fingerprint)
        return count

    async def claim_fingerprint(self, fingerprint: str) -> str:
        """Note the fingerprint of the secret key if none is noted; return the one that is."""
        await self._database.execute(_CLAIM_FACT, name="secret_key", value=fingerprint)
        value = await self._database.fetch_value(_FACT, name="secret_key")
        return str(value)


async def _store_credential(
    transaction: Transaction, credential_id: UUID, channel_id: UUID, base_url: str, secret: bytes
) -> None:
    await transaction.execute(
        _CREATE_CREDENTIAL,
        id=credential_id,
        channel_id=channel_id,
        base_url=base_url,
        secret=secret,
    )


def _to_channel(row: Record) -> Channel:
    members: dict[str, Any] = dict(row)
    members["models"] = tuple(members["models"])
    members["on_unknown"] = OnUnknown(members["on_unknown"])
    members["removed"] = members.pop("removed_at") is not None
    return Channel(**members)
