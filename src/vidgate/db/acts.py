"""Acts: written in the transaction of what they tell, and never changed."""

from typing import TypeAlias

from sqlalchemy import ARRAY, Integer, Text, any_, bindparam, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from vidgate.db.engine import Database, Record, Statement, Transaction
from vidgate.db.tables import admin_acts
from vidgate.models.accounts import Account, Token
from vidgate.models.acts import Act, Author, compare
from vidgate.models.channels import Channel
from vidgate.models.ids import (
    ACCOUNT_PREFIX,
    CHANNEL_PREFIX,
    ENDPOINT_PREFIX,
    TOKEN_PREFIX,
    public_id,
)
from vidgate.models.webhooks import WebhookEndpoint

__all__ = ["ActStore", "write_act", "write_change"]

_Thing: TypeAlias = Account | Token | Channel | WebhookEndpoint
_PREFIXES: dict[type, str] = {
    Account: ACCOUNT_PREFIX,
    Token: TOKEN_PREFIX,
    Channel: CHANNEL_PREFIX,
    WebhookEndpoint: ENDPOINT_PREFIX,
}

_WRITE = Statement(
    insert(admin_acts).values(
        actor=bindparam("actor", type_=Text),
        origin=bindparam("origin", type_=Text),
        reason=bindparam("reason", type_=Text),
        act=bindparam("act", type_=Text),
        subject=bindparam("subject", type_=Text),
        before=bindparam("before", type_=JSONB),
        after=bindparam("after", type_=JSONB),
    )
)
_OF = Statement(
    select(
        *(
            admin_acts.c[name]
            for name in (
                "actor",
                "origin",
                "reason",
                "act",
                "subject",
                "before",
                "after",
                "created_at",
            )
        )
    )
    .where(admin_acts.c.subject == any_(bindparam("subjects", type_=ARRAY(Text))))
    .order_by(admin_acts.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
)


async def write_act(executor: Transaction | Database, act: Act) -> None:
    """Write down what was done, as a part of the transaction that does it."""
    await executor.execute(
        _WRITE,
        actor=act.author.actor,
        origin=act.author.origin,
        reason=act.author.reason,
        act=act.name,
        subject=act.subject,
        before=None if act.before is None else dict(act.before),
        after=None if act.after is None else dict(act.after),
    )


async def write_change(
    transaction: Transaction, author: Author, act: str, before: _Thing | None, after: _Thing
) -> None:
    """Write down what differs between two states of one thing, `None` where it is new."""
    was, is_now = compare(before, after)
    subject = public_id(_PREFIXES[type(after)], after.id)
    await write_act(
        transaction, Act(author=author, name=act, subject=subject, before=was, after=is_now)
    )


class ActStore:
    """What was changed by hand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, act: Act) -> None:
        """Write down what is no row of ours to change in one transaction with it."""
        await write_act(self._database, act)

    async def of(self, *subjects: str, limit: int = 100) -> list[Act]:
        """The latest acts on one thing, or on several, oldest first.

        Args:
            *subjects: Their public ids.
            limit: How many at most.
        """
        rows = await self._database.fetch(_OF, subjects=list(subjects), limit=limit)
        return [_to_act(row) for row in reversed(rows)]


def _to_act(row: Record) -> Act:
    return Act(
        author=Author(actor=row["actor"], origin=row["origin"], reason=row["reason"]),
        name=row["act"],
        subject=row["subject"],
        before=row["before"],
        after=row["after"],
        at=row["created_at"],
    )
