"""Channels and the credentials that attempts are pinned to."""

from collections.abc import Callable
from dataclasses import replace
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
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from vidgate.db.acts import write_act, write_change
from vidgate.db.channel_states import put_back
from vidgate.db.engine import Database, Record, Statement, Transaction
from vidgate.db.tables import access_keys, channels, credentials, facts, webhook_secrets
from vidgate.models.acts import ITSELF, Act, Author
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
        "tags",
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
_here = select(*_COLUMNS).where(
    channels.c.id == bindparam("id", type_=Uuid), channels.c.removed_at.is_(None)
)
_HERE = Statement(_here)
_LOCK = Statement(_here.with_for_update())
_WRITTEN = tuple(name for name in _INSERTED if name not in {"id", "provider"})
_WRITE = Statement(
    update(channels)
    .values(
        {name: bindparam(name, type_=channels.c[name].type) for name in _WRITTEN}
        | {"removed_at": case((bindparam("removed", type_=Boolean), func.now()))}
    )
    .where(channels.c.id == bindparam("id", type_=Uuid))
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

    async def create(
        self, channel: Channel, secret: bytes, author: Author = ITSELF
    ) -> Channel | None:
        """Store a channel and its first credential; `None` if the name is taken."""
        async with self._database.transaction() as transaction:
            row = await transaction.fetch_one(
                _CREATE, id=channel.id, provider=channel.provider, **_to_binds(channel)
            )
            if row is None:
                return None
            await _store_credential(transaction, channel, secret)
            made = _to_channel(row)
            await write_change(transaction, author, "channel.create", None, made)
        return made

    async def change(
        self,
        channel_id: UUID,
        change: Callable[[Channel], Channel],
        *,
        secret: bytes | None = None,
        puts_back: bool = False,
        act: str,
        author: Author = ITSELF,
    ) -> Channel | None:
        """Change a channel.

        With another key or base URL it gets a new credential, for new attempts; those under way
        keep theirs.

        Args:
            channel_id: Which.
            change: From what it is to what it shall be.
            secret: The new key, encrypted; `None` for the one it has.
            puts_back: Whether it gets work again, whatever was wrong; so it does with a new key.
            act: What it is written down as.
            author: Who changes it.

        Returns:
            The channel as it is now, or `None` if no row has that id.

        Raises:
            UniqueViolation: The new name is another's.
        """
        async with self._database.transaction() as transaction:
            row = await transaction.fetch_one(_LOCK, id=channel_id)
            if row is None:
                return None
            before = _to_channel(row)
            after = change(before)
            if secret is not None or after.base_url != before.base_url:
                if secret is None:
                    stored = await transaction.fetch_one(
                        _CREDENTIAL, credential_id=before.credential_id
                    )
                    assert stored is not None  # noqa: S101 - credentials are never deleted
                    secret = stored["secret"]
                after = replace(after, credential_id=new_id())
                await _store_credential(transaction, after, secret)
            if after.credential_id != before.credential_id or puts_back:
                await put_back(transaction, channel_id)
            if after != before:
                await transaction.execute(
                    _WRITE, id=channel_id, removed=after.removed, **_to_binds(after)
                )
                await write_change(transaction, author, act, before, after)
        return after

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

    async def here(self, channel_id: UUID) -> Channel | None:
        """The channel of that id, unless it is removed."""
        row = await self._database.fetch_one(_HERE, id=channel_id)
        return _to_channel(row) if row else None

    async def changed(self, since: datetime) -> list[Channel]:
        """Channels written after `since`, removed ones included."""
        return [_to_channel(row) for row in await self._database.fetch(_CHANGED, since=since)]

    async def credential(self, credential_id: UUID) -> tuple[str, bytes] | None:
        """The base URL and the encrypted secret of one credential."""
        row = await self._database.fetch_one(_CREDENTIAL, credential_id=credential_id)
        return (row["base_url"], row["secret"]) if row else None

    async def rewrite_secrets(
        self,
        rewrite: Callable[[str, bytes], bytes],
        *,
        fingerprint: str,
        author: Author = ITSELF,
    ) -> int:
        """Encrypt every secret anew and note the new key's fingerprint, all or nothing.

        Args:
            rewrite: Encrypts one anew; it is told the table, since each has a key of its own.
            fingerprint: Of the new secret key.
            author: Who rotates it.

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
            after = {"secrets": count}
            act = Act(author=author, name="secret.rotate", subject="secret", after=after)
            await write_act(transaction, act)
        return count

    async def claim_fingerprint(self, fingerprint: str) -> str:
        """Note the fingerprint of the secret key if none is noted; return the one that is."""
        await self._database.execute(_CLAIM_FACT, name="secret_key", value=fingerprint)
        value = await self._database.fetch_value(_FACT, name="secret_key")
        return str(value)


async def _store_credential(transaction: Transaction, channel: Channel, secret: bytes) -> None:
    await transaction.execute(
        _CREATE_CREDENTIAL,
        id=channel.credential_id,
        channel_id=channel.id,
        base_url=channel.base_url,
        secret=secret,
    )


def _to_binds(channel: Channel) -> dict[str, Any]:
    """What may change of a channel."""
    return {name: getattr(channel, name) for name in _WRITTEN} | {
        "tags": list(channel.tags),
        "models": list(channel.models),
        "model_map": dict(channel.model_map),
        "on_unknown": channel.on_unknown.value,
    }


def _to_channel(row: Record) -> Channel:
    members: dict[str, Any] = dict(row)
    members["tags"] = tuple(members["tags"])
    members["models"] = tuple(members["models"])
    members["on_unknown"] = OnUnknown(members["on_unknown"])
    members["removed"] = members.pop("removed_at") is not None
    return Channel(**members)
