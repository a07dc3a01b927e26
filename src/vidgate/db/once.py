"""Keys by which a repeated request is recognised, written with the task they stand for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    LargeBinary,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    column,
    delete,
    false,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from vidgate.db.announcing import DELETE_DELIVERIES
from vidgate.db.engine import Database, Statement, Transaction
from vidgate.db.tables import idempotency_keys
from vidgate.models.requests import IdempotencyClaim, Recognition

__all__ = [
    "FirstUse",
    "OnceStore",
    "Receipt",
    "RepeatedError",
    "claim_key",
    "is_acknowledged",
    "release_key",
]

_TIME = DateTime(timezone=True)
_now = bindparam("now", type_=_TIME)
_new = insert(idempotency_keys).values(
    account_id=bindparam("account_id", type_=Uuid),
    key=bindparam("key", type_=Text),
    fingerprint=bindparam("fingerprint", type_=LargeBinary),
    task_id=bindparam("task_id", type_=Uuid),
    delivered=bindparam("delivered", type_=Boolean),
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
            "delivered": _new.excluded.delivered,
        },
        where=or_(
            idempotency_keys.c.expires_at <= _now,
            and_(
                bindparam("takes_over", type_=Boolean),
                idempotency_keys.c.delivered.is_(true()),
            ),
        ),
    )
)
_columns = (
    idempotency_keys.c.key,
    idempotency_keys.c.fingerprint,
    idempotency_keys.c.task_id,
    idempotency_keys.c.answer,
    idempotency_keys.c.delivered,
    idempotency_keys.c.expires_at,
)
_READ = Statement(select(*_columns).where(*_mine))
_of_task = idempotency_keys.c.task_id == bindparam("task_id", type_=Uuid)
_TASKS = Statement(
    select(idempotency_keys.c.key, idempotency_keys.c.task_id).where(
        idempotency_keys.c.account_id == bindparam("account_id", type_=Uuid),
        idempotency_keys.c.key == any_(bindparam("keys", type_=ARRAY(Text))),
    )
)
_RELEASE = Statement(delete(idempotency_keys).where(*_mine, _of_task))
_LOCK = Statement(select(idempotency_keys.c.acknowledged).where(*_mine, _of_task).with_for_update())
_ACKNOWLEDGE = Statement(
    update(idempotency_keys)
    .values(acknowledged=True)
    .where(*_mine, _of_task, idempotency_keys.c.answer.is_(None))
)
_PURGE = Statement(delete(idempotency_keys).where(idempotency_keys.c.expires_at <= _now))
_ANSWER = Statement(
    update(idempotency_keys)
    .values(
        answer=bindparam("answer", type_=JSONB),
        # Whether a refusal arrives does not matter: nothing was made.
        delivered=case((idempotency_keys.c.delivered.isnot(None), true())),
    )
    .where(*_mine, _of_task)
)

# What has no key in common is told by its fingerprint. A request of one fingerprint that may be a
# repetition waits for all that are being stored, and sees them.

_content = bindparam("content", type_=BigInteger)
_NOTE = Statement(
    insert(idempotency_keys).from_select(
        ["account_id", "key", "fingerprint", "task_id", "delivered", "expires_at"],
        select(
            bindparam("account_id", type_=Uuid),
            bindparam("key", type_=Text),
            bindparam("fingerprint", type_=LargeBinary),
            bindparam("task_id", type_=Uuid),
            false(),
            bindparam("expires_at", type_=_TIME),
        ).select_from(func.pg_advisory_xact_lock_shared(_content).alias("locked")),
        include_defaults=False,
    )
)
_LOCK_CONTENT = Statement(select(func.pg_advisory_xact_lock(_content)))
_ADOPT = Statement(
    update(idempotency_keys)
    .values(acknowledged=True)
    .where(
        idempotency_keys.c.account_id == bindparam("account_id", type_=Uuid),
        idempotency_keys.c.key
        == select(idempotency_keys.c.key)
        .where(
            idempotency_keys.c.account_id == bindparam("account_id", type_=Uuid),
            idempotency_keys.c.fingerprint == bindparam("fingerprint", type_=LargeBinary),
            idempotency_keys.c.delivered.is_(false()),
            idempotency_keys.c.expires_at > _now,
        )
        # Of several, one that no other repetition was told of.
        .order_by(
            idempotency_keys.c.acknowledged,
            idempotency_keys.c.created_at,
            idempotency_keys.c.key,
        )
        .limit(1)
        .scalar_subquery(),
    )
    .returning(*_columns)
)
_receipts: dict[str, Any] = {"account_id": Uuid(), "key": Text(), "task_id": Uuid()}
_receipt = (
    func.unnest(*(bindparam(f"{name}s", type_=ARRAY(of)) for name, of in _receipts.items()))
    .table_valued(*(column(name, of) for name, of in _receipts.items()))
    .render_derived("receipt")
)
_NOTE_RECEIPTS = Statement(
    update(idempotency_keys)
    .values(delivered=True)
    .where(*(idempotency_keys.c[name] == _receipt.c[name] for name in _receipts))
)


@dataclass(frozen=True, slots=True)
class FirstUse:
    """What a key was first used for.

    Attributes:
        answer: The refusal that the first request was answered with, `None` if its task answers.
        delivered: Whether the client has the answer; `None` where that does not count.
    """

    key: str
    fingerprint: bytes
    task_id: UUID
    answer: Mapping[str, Any] | None
    delivered: bool | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A key the answer to whose request arrived.

    Attributes:
        task_id: What was told: meanwhile the key may stand for another task.
    """

    account_id: UUID
    key: str
    task_id: UUID


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
        RepeatedError: It is known and has not expired, or the request repeats another.
    """
    binds: dict[str, Any] = {
        "account_id": account_id,
        "key": once.key,
        "fingerprint": once.fingerprint,
        "task_id": task_id,
        "expires_at": now + once.lifetime,
    }
    if once.recognition is Recognition.FIRST:
        await transaction.execute(_NOTE, content=_content_of(once), **binds)
        return
    if once.recognition is Recognition.RETRY and (
        first := await _adopt(transaction, once, account_id, now)
    ):
        raise RepeatedError(first)
    claimed = await transaction.execute(
        _CLAIM,
        **binds,
        delivered=False if once.ends_with_answer else None,
        takes_over=once.recognition is Recognition.UNTIL_ANSWERED,
        now=now,
    )
    if claimed:
        return
    row = await transaction.fetch_one(_READ, account_id=account_id, key=once.key)
    assert row is not None  # noqa: S101 - nobody deletes a key that has not expired
    raise RepeatedError(FirstUse(**row))


async def _adopt(
    transaction: Transaction, once: IdempotencyClaim, account_id: UUID, now: datetime
) -> FirstUse | None:
    await transaction.execute(_LOCK_CONTENT, content=_content_of(once))
    row = await transaction.fetch_one(
        _ADOPT, account_id=account_id, fingerprint=once.fingerprint, now=now
    )
    return FirstUse(**row) if row else None


def _content_of(once: IdempotencyClaim) -> int:
    """What is locked for a fingerprint."""
    return int.from_bytes(once.fingerprint[:8], signed=True)


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


async def tasks_of_keys(
    database: Database, account_id: UUID, keys: Sequence[str]
) -> dict[str, UUID]:
    """Which tasks an account's keys stand for; unknown keys are left out."""
    rows = await database.fetch(_TASKS, account_id=account_id, keys=list(keys))
    return {row["key"]: row["task_id"] for row in rows}


class OnceStore:
    """What a key's first request came to. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, account_id: UUID, key: str) -> FirstUse | None:
        """What a key was first used for, also one that has expired; `None` if it is unknown."""
        row = await self._database.fetch_one(_READ, account_id=account_id, key=key)
        return FirstUse(**row) if row else None

    async def adopt(
        self, once: IdempotencyClaim, account_id: UUID, now: datetime
    ) -> FirstUse | None:
        """Find what a request repeats, and note that its client is told; `None` if it is new."""
        async with self._database.transaction() as transaction:
            return await _adopt(transaction, once, account_id, now)

    async def note_receipts(self, receipts: Iterable[Receipt]) -> None:
        """Note that these answers arrived."""
        rows = list(receipts)
        await self._database.execute(
            _NOTE_RECEIPTS,
            account_ids=[row.account_id for row in rows],
            keys=[row.key for row in rows],
            task_ids=[row.task_id for row in rows],
        )

    async def purge(self, now: datetime) -> int:
        """Delete the keys that have expired; return how many there were."""
        return await self._database.execute(_PURGE, now=now)

    async def acknowledge(self, account_id: UUID, key: str, task_id: UUID) -> bool:
        """Note that a client is told of the key's task.

        Returns:
            `False` if the task was undone before, or its first client was refused.
        """
        changed = await self._database.execute(
            _ACKNOWLEDGE, account_id=account_id, key=key, task_id=task_id
        )
        return changed == 1

    async def refuse(
        self, account_id: UUID, key: str, task_id: UUID, answer: Mapping[str, Any] | None
    ) -> None:
        """Keep the refusal that a key's request was answered with.

        Nobody is told of the task by a webhook, unless a repetition has its id meanwhile.

        Args:
            account_id: Whose key.
            key: The key.
            task_id: What it stands for.
            answer: The refusal, `None` to forget the key.
        """
        mine: dict[str, Any] = {"account_id": account_id, "key": key, "task_id": task_id}
        async with self._database.transaction() as transaction:
            row = await transaction.fetch_one(_LOCK, **mine)
            if answer is None:
                await transaction.execute(_RELEASE, **mine)
            else:
                await transaction.execute(_ANSWER, **mine, answer=dict(answer))
            if row is None or not row["acknowledged"]:
                await transaction.execute(DELETE_DELIVERIES, task_id=task_id)
