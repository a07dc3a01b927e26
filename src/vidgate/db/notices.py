"""What the operator is to be told of money, written in the transaction in which it happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from vidgate.constants import NOTICE_RETRY
from vidgate.db.engine import Database, Statement, Transaction

__all__ = ["KeptNotice", "NoticeStore", "write_notice"]

_WRITE = Statement(
    text("INSERT INTO notices (type, document) VALUES (CAST(:type AS text), :document)").bindparams(
        bindparam("document", type_=JSONB)
    )
)
_TAKE = Statement(
    text(
        """
        UPDATE notices SET due_at = CAST(:again_at AS timestamptz), tries = tries + 1
        WHERE id IN (SELECT id FROM notices WHERE due_at <= CAST(:now AS timestamptz)
                     ORDER BY id LIMIT 20 FOR UPDATE SKIP LOCKED)
        RETURNING id, type, document, tries
        """
    )
)
_DONE = Statement(text("DELETE FROM notices WHERE id = CAST(:id AS bigint)"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNotice:
    """One thing to tell.

    Attributes:
        type: Such as `charge.extra`.
        document: What there is to say of it, as JSON.
        tries: How often it was taken, this time included.
    """

    id: int
    type: str
    document: Mapping[str, Any]
    tries: int


async def write_notice(transaction: Transaction, kind: str, document: Mapping[str, Any]) -> None:
    """Note what is to be told once the transaction is committed."""
    await transaction.execute(_WRITE, type=kind, document=dict(document))


class NoticeStore:
    """What is still to be told."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, now: datetime) -> list[KeptNotice]:
        """Take what is due, the oldest first; without a `done` it is taken again a while later."""
        rows = await self._database.fetch(_TAKE, now=now, again_at=now + NOTICE_RETRY)
        return sorted((KeptNotice(**row) for row in rows), key=lambda one: one.id)

    async def done(self, notice: KeptNotice) -> None:
        """Forget what was told."""
        await self._database.execute(_DONE, id=notice.id)
