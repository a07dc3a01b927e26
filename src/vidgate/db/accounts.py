"""Accounts and tokens."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    DateTime,
    Interval,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    case,
    func,
    null,
    or_,
    select,
    union,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from vidgate.db.acts import write_act, write_change
from vidgate.db.engine import Database, Record, Statement, Transaction
from vidgate.db.tables import (
    access_keys,
    accounts,
    balances,
    former_keys,
    tasks,
    token_uses,
    tokens,
)
from vidgate.models.accounts import Account, Sees, Token
from vidgate.models.acts import ITSELF, Act, Author, compare
from vidgate.models.ids import ACCOUNT_PREFIX, TOKEN_PREFIX, new_id, public_id

__all__ = ["AccountStore"]

_TIME = DateTime(timezone=True)
_TOKEN_COLUMNS = [
    tokens.c[name]
    for name in (
        "id",
        "account_id",
        "name",
        "key_hash",
        "models",
        "networks",
        "strict",
        "queue_wait",
        "sees",
        "channel_tags",
        "expires_at",
        "revoked_at",
        "created_at",
    )
]
_tokens = select(*_TOKEN_COLUMNS, accounts.c.channel_tags.label("account_tags")).select_from(
    tokens.join(accounts, accounts.c.id == tokens.c.account_id)
)
_ACCOUNT_COLUMNS = [
    accounts.c[name]
    for name in ("id", "name", "factor", "channel_tags", "removed_at", "created_at")
]

_CREATE_ACCOUNT = Statement(
    insert(accounts)
    .values(
        id=bindparam("id", type_=Uuid),
        name=bindparam("name", type_=Text),
        channel_tags=bindparam("channel_tags", type_=ARRAY(Text)),
    )
    .on_conflict_do_nothing()
    .returning(*_ACCOUNT_COLUMNS)
)
_OPEN_BALANCE = Statement(
    insert(balances).values(account_id=bindparam("account_id", type_=Uuid), available=0)
)
_ACCOUNTS = Statement(select(*_ACCOUNT_COLUMNS).order_by(accounts.c.created_at, accounts.c.id))
_ACCOUNT_BY_NAME = Statement(
    select(*_ACCOUNT_COLUMNS).where(
        accounts.c.name == bindparam("name", type_=Text), accounts.c.removed_at.is_(None)
    )
)
_account = select(*_ACCOUNT_COLUMNS).where(
    accounts.c.id == bindparam("id", type_=Uuid), accounts.c.removed_at.is_(None)
)
_ACCOUNT = Statement(_account)
_LOCK_ACCOUNT = Statement(_account.with_for_update())
_SHARE_ACCOUNT = Statement(_account.with_for_update(read=True))
_WRITE_ACCOUNT = Statement(
    update(accounts)
    .values(
        name=bindparam("name", type_=Text),
        channel_tags=bindparam("channel_tags", type_=ARRAY(Text)),
        removed_at=case((bindparam("removed", type_=Boolean), func.now())),
    )
    .where(accounts.c.id == bindparam("id", type_=Uuid))
    .returning(*_ACCOUNT_COLUMNS)
)
_CREATE_TOKEN = Statement(
    insert(tokens)
    .values(
        id=bindparam("id", type_=Uuid),
        account_id=bindparam("account_id", type_=Uuid),
        name=bindparam("name", type_=Text),
        key_hash=bindparam("key_hash", type_=LargeBinary),
        models=bindparam("models", type_=ARRAY(Text)),
        networks=bindparam("networks", type_=ARRAY(Text)),
        strict=bindparam("strict", type_=Boolean),
        queue_wait=bindparam("queue_wait", type_=Interval),
        sees=bindparam("sees", type_=Text),
        channel_tags=bindparam("channel_tags", type_=ARRAY(Text)),
        expires_at=bindparam("expires_at", type_=_TIME),
    )
    .on_conflict_do_nothing()
    .returning(*_TOKEN_COLUMNS)
)
_TOKENS = Statement(_tokens.order_by(tokens.c.created_at, tokens.c.id))
_given = bindparam("key_hash", type_=LargeBinary)
_TOKEN_BY_HASH = Statement(
    union_all(
        _tokens.add_columns(null().cast(_TIME).label("until")).where(tokens.c.key_hash == _given),
        _tokens.add_columns(former_keys.c.expires_at.label("until"))
        .join(former_keys, former_keys.c.token_id == tokens.c.id)
        .where(former_keys.c.key_hash == _given, former_keys.c.expires_at > func.now()),
    )
)
_IS_FORMER = Statement(select(former_keys.c.token_id).where(former_keys.c.key_hash == _given))
_until = func.now() + bindparam("overlap", type_=Interval)
_KEEP_KEY = Statement(
    insert(former_keys)
    .from_select(
        ["key_hash", "token_id", "expires_at"],
        select(tokens.c.key_hash, tokens.c.id, _until).where(
            tokens.c.id == bindparam("id", type_=Uuid)
        ),
    )
    .returning(former_keys.c.expires_at)
)
# Whoever changes a key wants those before it to end no later than that one.
_END_KEYS = Statement(
    update(former_keys)
    .values(expires_at=_until)
    .where(former_keys.c.token_id == bindparam("id", type_=Uuid), former_keys.c.expires_at > _until)
)
_NEW_KEY = Statement(
    update(tokens).values(key_hash=_given).where(tokens.c.id == bindparam("id", type_=Uuid))
)
_new_use = insert(token_uses).from_select(
    ["token_id", "used_at"],
    select(
        func.unnest(bindparam("token_ids", type_=ARRAY(Uuid))).column_valued("token_id"), func.now()
    ),
)
_NOTE_USES = Statement(
    _new_use.on_conflict_do_update(
        index_elements=["token_id"],
        set_={"used_at": _new_use.excluded.used_at},
        # Several processes are asked with one token.
        where=token_uses.c.used_at
        <= _new_use.excluded.used_at - bindparam("spacing", type_=Interval),
    )
)
_USES = Statement(select(token_uses.c.token_id, token_uses.c.used_at))
_TOKEN = Statement(_tokens.where(tokens.c.id == bindparam("id", type_=Uuid)))
_TOKEN_OF_TASK = Statement(
    _tokens.join(tasks, tasks.c.token_id == tokens.c.id).where(
        tasks.c.id == bindparam("task_id", type_=Uuid)
    )
)
_LOCK_TOKENS = Statement(
    _tokens.where(
        or_(
            tokens.c.id == bindparam("id", type_=Uuid),
            tokens.c.account_id == bindparam("account_id", type_=Uuid),
        ),
        tokens.c.revoked_at.is_(None),
    )
    .order_by(tokens.c.id)
    .with_for_update(of=tokens)
)
_WRITE_TOKEN = Statement(
    update(tokens)
    .values(
        name=bindparam("name", type_=Text),
        models=bindparam("models", type_=ARRAY(Text)),
        networks=bindparam("networks", type_=ARRAY(Text)),
        strict=bindparam("strict", type_=Boolean),
        queue_wait=bindparam("queue_wait", type_=Interval),
        sees=bindparam("sees", type_=Text),
        channel_tags=bindparam("channel_tags", type_=ARRAY(Text)),
        expires_at=bindparam("expires_at", type_=_TIME),
        revoked_at=case((bindparam("revoked", type_=Boolean), func.now())),
    )
    .where(tokens.c.id == bindparam("id", type_=Uuid))
    .returning(*_TOKEN_COLUMNS)
)
_since = bindparam("since", type_=_TIME)
_CHANGED_TOKENS = Statement(
    union(  # each by its own index
        _tokens.where(tokens.c.updated_at > _since),
        _tokens.where(accounts.c.updated_at > _since),
    )
)
_CREATE_ACCESS_KEY = Statement(
    insert(access_keys).values(
        id=bindparam("id", type_=Uuid),
        token_id=bindparam("token_id", type_=Uuid),
        access_key=bindparam("access_key", type_=Text),
        secret=bindparam("secret", type_=LargeBinary),
    )
)
_ACCESS_KEY = Statement(
    _tokens.add_columns(access_keys.c.secret)
    .join(access_keys, access_keys.c.token_id == tokens.c.id)
    .where(
        access_keys.c.access_key == bindparam("access_key", type_=Text),
        access_keys.c.revoked_at.is_(None),
    )
)


class AccountStore:
    """Who may ask. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_account(
        self,
        name: str,
        author: Author = ITSELF,
        *,
        channel_tags: Sequence[str] = (),
        is_prepaid: bool = False,
    ) -> Account | None:
        """Make an account, with a balance of 0 if it is prepaid; `None` if the name is taken."""
        async with self._database.transaction() as transaction:
            row = await transaction.fetch_one(
                _CREATE_ACCOUNT, id=new_id(), name=name, channel_tags=list(channel_tags)
            )
            if row is None:
                return None
            account = _to_account(row)
            if is_prepaid:
                await transaction.execute(_OPEN_BALANCE, account_id=account.id)
            _, made = compare(None, account)
            act = Act(
                author=author,
                name="account.create",
                subject=public_id(ACCOUNT_PREFIX, account.id),
                after={**made, "prepaid": is_prepaid},
            )
            await write_act(transaction, act)
        return account

    async def accounts(self) -> list[Account]:
        """Every account that is not removed, oldest first."""
        return [account for account in await self.every_account() if not account.removed]

    async def every_account(self) -> list[Account]:
        """Every account, removed ones included, oldest first."""
        return [_to_account(row) for row in await self._database.fetch(_ACCOUNTS)]

    async def account(self, account_id: UUID) -> Account | None:
        """One account, unless it is removed."""
        row = await self._database.fetch_one(_ACCOUNT, id=account_id)
        return _to_account(row) if row else None

    async def change_account(
        self,
        account_id: UUID,
        change: Callable[[Account], Account],
        *,
        act: str,
        author: Author = ITSELF,
    ) -> Account | None:
        """Change an account, and revoke its tokens if that removes it.

        Returns:
            The account as it is now, or `None` if no row has that id.

        Raises:
            UniqueViolation: The new name is another's.
        """
        async with self._database.transaction() as transaction:
            row = await transaction.fetch_one(_LOCK_ACCOUNT, id=account_id)
            if row is None:
                return None
            before = _to_account(row)
            after = change(before)
            if after == before:
                return before
            await transaction.fetch_one(
                _WRITE_ACCOUNT,
                id=account_id,
                name=after.name,
                channel_tags=list(after.channel_tags),
                removed=after.removed,
            )
            await write_change(transaction, author, act, before, after)
            if after.removed:
                await self._change_tokens(
                    transaction,
                    lambda token: replace(token, revoked=True),
                    account_id=account_id,
                    act="token.delete",
                    author=author,
                )
        return after

    async def account_named(self, name: str) -> Account | None:
        """The account of that name."""
        row = await self._database.fetch_one(_ACCOUNT_BY_NAME, name=name)
        return _to_account(row) if row else None

    async def create_token(
        self,
        *,
        account_id: UUID,
        name: str,
        key_hash: bytes,
        models: Sequence[str] = (),
        addresses: Sequence[str] = (),
        expires_at: datetime | None = None,
        strict: bool = False,
        queue_wait: timedelta | None = None,
        sees: Sees = Sees.OWN,
        channel_tags: Sequence[str] = (),
        author: Author = ITSELF,
    ) -> Token | None:
        """Store a token; `None` if the account is removed, or the key is or was a token's."""
        async with self._database.transaction() as transaction:
            owner = await transaction.fetch_one(_SHARE_ACCOUNT, id=account_id)
            if owner is None:
                return None
            if await transaction.fetch_one(_IS_FORMER, key_hash=key_hash):
                return None
            row = await transaction.fetch_one(
                _CREATE_TOKEN,
                id=new_id(),
                account_id=account_id,
                name=name,
                key_hash=key_hash,
                models=list(models),
                networks=list(addresses),
                expires_at=expires_at,
                strict=strict,
                queue_wait=queue_wait,
                sees=sees.value,
                channel_tags=list(channel_tags),
            )
            if row is None:
                return None
            token = _to_token({**row, "account_tags": owner["channel_tags"]})
            await write_change(transaction, author, "token.create", None, token)
        return token

    async def tokens(self) -> list[Token]:
        """Every token, revoked ones included, oldest first."""
        return [_to_token(row) for row in await self._database.fetch(_TOKENS)]

    async def token_by_hash(self, key_hash: bytes) -> tuple[Token, datetime | None] | None:
        """The token whose key has this SHA-256, also a revoked one.

        Returns:
            The token, and until when that key works: `None` for the one that it has now.
        """
        row = await self._database.fetch_one(_TOKEN_BY_HASH, key_hash=key_hash)
        if row is None:
            return None
        members = dict(row)
        until = members.pop("until")
        return _to_token(members), until

    async def rotate_key(
        self, token_id: UUID, key_hash: bytes, *, overlap: timedelta, author: Author = ITSELF
    ) -> tuple[Token, datetime] | None:
        """Give a token another key; what it had before works for `overlap` longer.

        Returns:
            The token and the end of its old key, or `None` if it is revoked or there is none.
        """
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch(_LOCK_TOKENS, id=token_id, account_id=None)
            if not rows:
                return None
            await transaction.execute(_END_KEYS, id=token_id, overlap=overlap)
            until: datetime = await transaction.fetch_value(_KEEP_KEY, id=token_id, overlap=overlap)
            await transaction.execute(_NEW_KEY, id=token_id, key_hash=key_hash)
            act = Act(
                author=author,
                name="token.rotate",
                subject=public_id(TOKEN_PREFIX, token_id),
                before={"key": "set"},
                after={"key": "changed", "old_until": int(until.timestamp())},
            )
            await write_act(transaction, act)
        return _to_token(rows[0]), until

    async def note_uses(self, token_ids: Iterable[UUID], spacing: timedelta) -> None:
        """Note that these tokens are in use, unless that was noted within `spacing`."""
        # In one order, so that two who write at once wait for each other in the same one.
        await self._database.execute(_NOTE_USES, token_ids=sorted(token_ids), spacing=spacing)

    async def uses(self) -> dict[UUID, datetime]:
        """When each token was last used, to a minute; those that never were are missing."""
        return {row["token_id"]: row["used_at"] for row in await self._database.fetch(_USES)}

    async def create_access_key(self, token_id: UUID, access_key: str, secret: bytes) -> None:
        """Give a token a pair to sign with, its secret encrypted."""
        await self._database.execute(
            _CREATE_ACCESS_KEY,
            id=new_id(),
            token_id=token_id,
            access_key=access_key,
            secret=secret,
        )

    async def access_key(self, access_key: str) -> tuple[Token, bytes] | None:
        """The token, also a revoked one, that signs by this access key, and the secret."""
        row = await self._database.fetch_one(_ACCESS_KEY, access_key=access_key)
        if row is None:
            return None
        members = dict(row)
        secret = members.pop("secret")
        return _to_token(members), secret

    async def token(self, token_id: UUID) -> Token | None:
        """One token, also a revoked one."""
        row = await self._database.fetch_one(_TOKEN, id=token_id)
        return _to_token(row) if row else None

    async def token_of_task(self, task_id: UUID) -> Token | None:
        """The token that a task was made with, also a revoked one."""
        row = await self._database.fetch_one(_TOKEN_OF_TASK, task_id=task_id)
        return _to_token(row) if row else None

    async def change_token(
        self,
        token_id: UUID,
        change: Callable[[Token], Token],
        *,
        act: str,
        author: Author = ITSELF,
    ) -> Token | None:
        """Change a token; one that is revoked stays as it is.

        Returns:
            The token as it is now, or `None` if no row has that id.
        """
        async with self._database.transaction() as transaction:
            changed = await self._change_tokens(
                transaction, change, token_id=token_id, act=act, author=author
            )
        return changed[0] if changed else await self.token(token_id)

    async def revoke_token(self, token_id: UUID, author: Author = ITSELF) -> Token | None:
        """Revoke a token for good, or `None` if no row has that id."""
        return await self.change_token(
            token_id, lambda token: replace(token, revoked=True), act="token.delete", author=author
        )

    async def _change_tokens(
        self,
        transaction: Transaction,
        change: Callable[[Token], Token],
        *,
        token_id: UUID | None = None,
        account_id: UUID | None = None,
        act: str,
        author: Author,
    ) -> list[Token]:
        """Change the one token, or all of the account, that are not revoked."""
        rows = await transaction.fetch(_LOCK_TOKENS, id=token_id, account_id=account_id)
        changed = []
        for before in map(_to_token, rows):
            after = change(before)
            if after != before:
                await transaction.fetch_one(
                    _WRITE_TOKEN,
                    id=after.id,
                    name=after.name,
                    models=list(after.models),
                    networks=list(after.addresses),
                    strict=after.strict,
                    queue_wait=after.queue_wait,
                    sees=after.sees.value,
                    channel_tags=list(after.channel_tags),
                    expires_at=after.expires_at,
                    revoked=after.revoked,
                )
                await write_change(transaction, author, act, before, after)
            changed.append(after)
        return changed

    async def changed_tokens(self, since: datetime) -> list[tuple[bytes, Token]]:
        """Tokens that changed after `since`, or whose account did, each with its key's hash."""
        rows = await self._database.fetch(_CHANGED_TOKENS, since=since)
        return [(row["key_hash"], _to_token(row)) for row in rows]


def _to_account(row: Record) -> Account:
    members: dict[str, Any] = dict(row)
    members["channel_tags"] = tuple(members["channel_tags"])
    members["removed"] = members.pop("removed_at") is not None
    return Account(**members)


def _to_token(row: Record | Mapping[str, Any]) -> Token:
    members: dict[str, Any] = dict(row)
    del members["key_hash"]
    for name in ("models", "channel_tags", "account_tags"):
        members[name] = tuple(members[name])
    members["addresses"] = tuple(members.pop("networks"))
    members["sees"] = Sees(members["sees"])
    members["revoked"] = members.pop("revoked_at") is not None
    return Token(**members)
