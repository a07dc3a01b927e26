"""Accounts and tokens."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    DateTime,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from vidgate.db.engine import Database, Record, Statement
from vidgate.db.tables import access_keys, accounts, tokens
from vidgate.models.accounts import Account, Token
from vidgate.models.ids import new_id

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
        "strict",
        "expires_at",
        "revoked_at",
        "created_at",
    )
]
_ACCOUNT_COLUMNS = [accounts.c.id, accounts.c.name, accounts.c.created_at]

_CREATE_ACCOUNT = Statement(
    insert(accounts)
    .values(id=bindparam("id", type_=Uuid), name=bindparam("name", type_=Text))
    .on_conflict_do_nothing()
    .returning(*_ACCOUNT_COLUMNS)
)
_ACCOUNTS = Statement(select(*_ACCOUNT_COLUMNS).order_by(accounts.c.created_at, accounts.c.id))
_ACCOUNT_BY_NAME = Statement(
    select(*_ACCOUNT_COLUMNS).where(accounts.c.name == bindparam("name", type_=Text))
)
_CREATE_TOKEN = Statement(
    insert(tokens)
    .values(
        id=bindparam("id", type_=Uuid),
        account_id=bindparam("account_id", type_=Uuid),
        name=bindparam("name", type_=Text),
        key_hash=bindparam("key_hash", type_=LargeBinary),
        models=bindparam("models", type_=ARRAY(Text)),
        strict=bindparam("strict", type_=Boolean),
        expires_at=bindparam("expires_at", type_=_TIME),
    )
    .on_conflict_do_nothing()
    .returning(*_TOKEN_COLUMNS)
)
_TOKENS = Statement(select(*_TOKEN_COLUMNS).order_by(tokens.c.created_at, tokens.c.id))
_TOKEN_BY_HASH = Statement(
    select(*_TOKEN_COLUMNS).where(tokens.c.key_hash == bindparam("key_hash", type_=LargeBinary))
)
_REVOKE = Statement(
    update(tokens)
    .values(revoked_at=func.coalesce(tokens.c.revoked_at, func.now()))
    .where(tokens.c.id == bindparam("id", type_=Uuid))
    .returning(*_TOKEN_COLUMNS)
)
_CHANGED_TOKENS = Statement(
    select(*_TOKEN_COLUMNS).where(tokens.c.updated_at > bindparam("since", type_=_TIME))
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
    select(*_TOKEN_COLUMNS, access_keys.c.secret)
    .select_from(access_keys.join(tokens, tokens.c.id == access_keys.c.token_id))
    .where(
        access_keys.c.access_key == bindparam("access_key", type_=Text),
        access_keys.c.revoked_at.is_(None),
    )
)


class AccountStore:
    """Who may ask. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_account(self, name: str) -> Account | None:
        """Make an account; `None` if the name is taken."""
        row = await self._database.fetch_one(_CREATE_ACCOUNT, id=new_id(), name=name)
        return _to_account(row) if row else None

    async def accounts(self) -> list[Account]:
        """Every account, oldest first."""
        return [_to_account(row) for row in await self._database.fetch(_ACCOUNTS)]

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
        expires_at: datetime | None = None,
        strict: bool = False,
    ) -> Token | None:
        """Store a token; `None` if the very same key is stored already."""
        row = await self._database.fetch_one(
            _CREATE_TOKEN,
            id=new_id(),
            account_id=account_id,
            name=name,
            key_hash=key_hash,
            models=list(models),
            expires_at=expires_at,
            strict=strict,
        )
        return _to_token(row) if row else None

    async def tokens(self) -> list[Token]:
        """Every token, revoked ones included, oldest first."""
        return [_to_token(row) for row in await self._database.fetch(_TOKENS)]

    async def token_by_hash(self, key_hash: bytes) -> Token | None:
        """The token whose key has this SHA-256, also a revoked one."""
        row = await self._database.fetch_one(_TOKEN_BY_HASH, key_hash=key_hash)
        return _to_token(row) if row else None

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

    async def revoke_token(self, token_id: UUID) -> Token | None:
        """Revoke a token for good; `None` if there is none of that id."""
        row = await self._database.fetch_one(_REVOKE, id=token_id)
        return _to_token(row) if row else None

    async def changed_tokens(self, since: datetime) -> list[tuple[bytes, Token]]:
        """Tokens written after `since`, each with its key's hash."""
        rows = await self._database.fetch(_CHANGED_TOKENS, since=since)
        return [(row["key_hash"], _to_token(row)) for row in rows]


def _to_account(row: Record) -> Account:
    return Account(id=row["id"], name=row["name"], created_at=row["created_at"])


def _to_token(row: Record | Mapping[str, Any]) -> Token:
    members: dict[str, Any] = dict(row)
    del members["key_hash"]
    members["models"] = tuple(members["models"])
    members["revoked"] = members.pop("revoked_at") is not None
    return Token(**members)
