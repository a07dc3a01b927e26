"""Keys by which a repeated request is recognised, written with the task they stand for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, Text, Uuid, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from vidgate.db.engine import Database, Record, Statement, Transaction
from vidgate.db.tables import idempotency_keys
from vidgate.models.requests import IdempotencyClaim

__all__ = ["FirstUse", "OnceStore", "RepeatedError", "claim_key", "is_acknowledged", "release_key"]

_TIME = DateTime(timezone=True)
_new = insert(idempotency_keys).values(
    account_id=bindparam("account_id", type_=Uuid),
    key=bindparam("key", type_=Text),
    fingerprint=bindparam("fingerprint", type_=LargeBinary),
    task_id=bindparam("task_id", type_=Uuid),
    expires_at=bindparam("expires_at", type_=_TIME),
)
_mine = (
    (idempotency_keys.c.account_id == bindparam("account_id", type_=Uuid)),
    (idempotency_keys.c.key == bindparam("key", type_=Text)),
)
_CLAIM = Statement(
    _new.on_conflict_do_update(
        index_elements=["account_id", "key"],
        set_={
            "fingerprint": _new.excluded.fingerprint,
            "task_id": _new.excluded.task_id,
            "expires_at": _new.excluded.expires_at,
            "answer": None,
            "acknowledged": False,
        },
        where=idempotency_keys.c.expires_at <= bindparam("now", type_=_TIME),
    )
)
_READ = Statement(
    select(
        idempotency_keys.c.fingerprint,
        idempotency_keys.c.task_id,
        idempotency_keys.c.answer,
        idempotency_keys.c.expires_at,
    ).where(*_mine)
)
_of_task = idempotency_keys.c.task_id == bindparam("task_id", type_=Uuid)
_RELEASE = Statement(delete(idempotency_keys).where(*_mine, _of_task))
_LOCK = Statement(select(idempotency_keys.c.acknowledged).where(*_mine, _of_task).with_for_update())
_ACKNOWLEDGE = Statement(update(idempotency_keys).values(acknowledged=True).where(*_mine, _of_task))
_PURGE = Statement(
    delete(idempotency_keys).where(idempotency_keys.c.expires_at <= bindparam("now", type_=_TIME))
)
_ANSWER = Statement(
    update(idempotency_keys).values(answer=bindparam("answer", type_=JSONB)).where(*_mine, _of_task)
)


@dataclass(frozen=True, slots=True)
class FirstUse:
    """What a key was first used for.

    Attributes:
        answer: The refusal that the first request was answered with, `None` if its task answers.
    """

    fingerprint: bytes
    task_id: UUID
    answer: Mapping[str, Any] | None
    expires_at: datetime


class RepeatedError(Exception):
    """The key is known.

    Attributes:
        first: What it was first used for.
    """

    def __init__(self, first: FirstUse) -> None:
        super().__init__("The key is known.")
        self.first = first


async def claim_key(
    transaction: Transaction, once: IdempotencyClaim, account_id: UUID, task_id: UUID, now: datetime
) -> None:
    """Write a key, waiting for a transaction that writes the same one.

    Raises:
        RepeatedError: It is known and has not expired.
    """
    claimed = await transaction.execute(
        _CLAIM,
        account_id=account_id,
        key=once.key,
        fingerprint=once.fingerprint,
        task_id=task_id,
        expires_at=now + once.lifetime,
        now=now,
    )
    if claimed:
        return
    row = await transaction.fetch_one(_READ, account_id=account_id, key=once.key)
    assert row is not None  # noqa: S101 - nobody deletes a key that has not expired
    raise RepeatedError(_to_first_use(row))


async def is_acknowledged(
    transaction: Transaction, once: IdempotencyClaim, account_id: UUID, task_id: UUID
) -> bool:
    """Whether a repetition was told of the key's task; none is until the transaction ends."""
    row = await transaction.fetch_one(_LOCK, account_id=account_id, key=once.key, task_id=task_id)
    return row is not None and row["acknowledged"]


async def release_key(
    transaction: Transaction, once: IdempotencyClaim, account_id: UUID, task_id: UUID
) -> None:
    """Forget a key whose task is undone."""
    await transaction.execute(_RELEASE, account_id=account_id, key=once.key, task_id=task_id)


class OnceStore:
    """What a key's first request came to. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, account_id: UUID, key: str) -> FirstUse | None:
        """What a key was first used for, also one that has expired; `None` if it is unknown."""
        row = await self._database.fetch_one(_READ, account_id=account_id, key=key)
        return _to_first_use(row) if row else None

    async def purge(self, now: datetime) -> int:
        """Delete the keys that have expired; return how many there were."""
        return await self._database.execute(_PURGE, now=now)

    async def acknowledge(self, account_id: UUID, key: str, task_id: UUID) -> bool:
        """Note that a client is told of the key's task; `False` if the task was undone before."""
        changed = await self._database.execute(
            _ACKNOWLEDGE, account_id=account_id, key=key, task_id=task_id
        )
        return changed == 1

    async def release(self, account_id: UUID, key: str, task_id: UUID) -> None:
        """Forget a key whose request came to nothing."""
        await self._database.execute(_RELEASE, account_id=account_id, key=key, task_id=task_id)

    async def answer(
        self, account_id: UUID, key: str, task_id: UUID, answer: Mapping[str, Any]
    ) -> None:
        """Keep the refusal that a key's request was answered with."""
        await self._database.execute(
            _ANSWER, account_id=account_id, key=key, task_id=task_id, answer=dict(answer)
        )


def _to_first_use(row: Record) -> FirstUse:
    return FirstUse(row["fingerprint"], row["task_id"], row["answer"], row["expires_at"])
