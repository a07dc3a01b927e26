"""Where webhooks go, and with what they are signed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    DateTime,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    case,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from vidgate.db.acts import write_act, write_change
from vidgate.db.engine import Database, Record, Statement, Transaction
from vidgate.db.sights import in_sight, sight_binds
from vidgate.db.tables import webhook_endpoints, webhook_secrets
from vidgate.models.accounts import Sight
from vidgate.models.acts import Act, Author
from vidgate.models.ids import ACCOUNT_PREFIX, ENDPOINT_PREFIX, new_id, public_id
from vidgate.models.webhooks import EventType, WebhookEndpoint

__all__ = ["WebhookStore"]

_TIME = DateTime(timezone=True)
_COLUMNS = [
    webhook_endpoints.c[name]
    for name in (
        "id",
        "account_id",
        "token_id",
        "name",
        "url",
        "event_types",
        "disabled_reason",
        "failing_since",
        "created_at",
        "updated_at",
    )
]
_lives = webhook_endpoints.c.removed_at.is_(None)
_this = webhook_endpoints.c.id == bindparam("endpoint_id", type_=Uuid)
_of_account = webhook_endpoints.c.account_id == bindparam("account_id", type_=Uuid)
_newest_first = (webhook_endpoints.c.created_at.desc(), webhook_endpoints.c.id.desc())

_INSERT = Statement(
    insert(webhook_endpoints)
    .values(
        id=bindparam("endpoint_id", type_=Uuid),
        account_id=bindparam("account_id", type_=Uuid),
        token_id=bindparam("token_id", type_=Uuid),
        name=bindparam("name", type_=Text),
        url=bindparam("url", type_=Text),
        event_types=bindparam("event_types", type_=ARRAY(Text)),
    )
    .returning(*_COLUMNS)
)
_COUNT = Statement(select(func.count().label("count")).where(_of_account, _lives))
_ONE = Statement(select(*_COLUMNS).where(_this, _lives))
_LOCK = Statement(select(*_COLUMNS).where(_this, _lives).with_for_update())
_EVERY = Statement(select(*_COLUMNS).where(_lives).order_by(*_newest_first))
_position = tuple_(webhook_endpoints.c.created_at, webhook_endpoints.c.id)
_PAGE = Statement(
    select(*_COLUMNS)
    .where(
        in_sight(webhook_endpoints),
        _lives,
        or_(
            bindparam("after_id", type_=Uuid).is_(None),
            _position
            < tuple_(bindparam("after_at", type_=_TIME), bindparam("after_id", type_=Uuid)),
        ),
    )
    .order_by(*_newest_first)
    .limit(bindparam("limit", type_=Integer))
)
_url = bindparam("url", type_=Text)
# What is changed is tried afresh: it may be just what was wrong.
_UPDATE = Statement(
    update(webhook_endpoints)
    .values(
        name=bindparam("name", type_=Text),
        url=_url,
        event_types=bindparam("event_types", type_=ARRAY(Text)),
        disabled_reason=bindparam("disabled_reason", type_=Text),
        failing_since=case((webhook_endpoints.c.url == _url, webhook_endpoints.c.failing_since)),
        updated_at=func.now(),
    )
    .where(_this, _lives)
    .returning(*_COLUMNS)
)
_TOUCH = Statement(
    update(webhook_endpoints)
    .values(updated_at=func.now())
    .where(_this, _lives)
    .returning(*_COLUMNS)
)
_REMOVE = Statement(
    update(webhook_endpoints)
    .values(removed_at=func.now(), updated_at=func.now())
    .where(_this, _lives)
)

_endpoint = bindparam("endpoint_id", type_=Uuid)
_signs = (
    webhook_secrets.c.account_id == bindparam("account_id", type_=Uuid),
    webhook_secrets.c.endpoint_id.is_not_distinct_from(_endpoint),
)
_SECRETS = Statement(
    select(webhook_secrets.c.secret)
    .where(
        *_signs,
        or_(
            webhook_secrets.c.expires_at.is_(None),
            webhook_secrets.c.expires_at > bindparam("now", type_=_TIME),
        ),
    )
    .order_by(webhook_secrets.c.expires_at.desc().nulls_first())
)
_NEW_SECRET = Statement(
    insert(webhook_secrets)
    .values(
        id=bindparam("id", type_=Uuid),
        account_id=bindparam("account_id", type_=Uuid),
        endpoint_id=_endpoint,
        secret=bindparam("secret", type_=LargeBinary),
    )
    .on_conflict_do_nothing()
)
_RETIRE = Statement(
    update(webhook_secrets)
    .values(expires_at=bindparam("expires_at", type_=_TIME))
    .where(*_signs, webhook_secrets.c.expires_at.is_(None))
)


class WebhookStore:
    """Endpoints and their secrets. Each method is one transaction.

    What an operator changes is written down as an act of its `author`; a client, whose endpoints
    they are, is `None`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        sight: Sight,
        *,
        name: str,
        url: str,
        event_types: Sequence[EventType],
        secret: bytes,
        most: int,
        author: Author | None = None,
    ) -> WebhookEndpoint | None:
        """Store an endpoint and its encrypted secret; `None` if the account has `most` already.

        It is told of the tasks in sight.
        """
        endpoint_id = new_id()
        async with self._database.transaction() as transaction:
            [counted] = await transaction.fetch(_COUNT, account_id=sight.account_id)
            if counted["count"] >= most:
                return None
            [row] = await transaction.fetch(
                _INSERT,
                endpoint_id=endpoint_id,
                account_id=sight.account_id,
                token_id=sight.token_id,
                name=name,
                url=url,
                event_types=list(event_types),
            )
            await _add_secret(transaction, sight.account_id, endpoint_id, secret)
            endpoint = _to_endpoint(row)
            if author is not None:
                await write_change(transaction, author, "webhook.create", None, endpoint)
        return endpoint

    async def one(self, endpoint_id: UUID) -> WebhookEndpoint | None:
        """An endpoint that was not removed."""
        row = await self._database.fetch_one(_ONE, endpoint_id=endpoint_id)
        return _to_endpoint(row) if row else None

    async def every(self) -> list[WebhookEndpoint]:
        """Every endpoint of every account, newest first."""
        return [_to_endpoint(row) for row in await self._database.fetch(_EVERY)]

    async def page(
        self, sight: Sight, *, after: WebhookEndpoint | None, limit: int
    ) -> list[WebhookEndpoint]:
        """The endpoints in sight, newest first, behind one of them."""
        rows = await self._database.fetch(
            _PAGE,
            **sight_binds(sight),
            after_at=after.created_at if after else None,
            after_id=after.id if after else None,
            limit=limit,
        )
        return [_to_endpoint(row) for row in rows]

    async def update(
        self, endpoint: WebhookEndpoint, author: Author | None = None
    ) -> WebhookEndpoint | None:
        """Write name, URL, event types and whether it is enabled; `None` if it was removed."""
        async with self._database.transaction() as transaction:
            found = await transaction.fetch_one(_LOCK, endpoint_id=endpoint.id)
            if found is None:
                return None
            [row] = await transaction.fetch(
                _UPDATE,
                endpoint_id=endpoint.id,
                name=endpoint.name,
                url=endpoint.url,
                event_types=list(endpoint.event_types),
                disabled_reason=endpoint.disabled_reason,
            )
            changed = _to_endpoint(row)
            if author is not None:
                before = replace(_to_endpoint(found), updated_at=changed.updated_at)
                await write_change(transaction, author, "webhook.set", before, changed)
        return changed

    async def remove(self, endpoint: WebhookEndpoint, author: Author | None = None) -> bool:
        """Remove an endpoint; `False` if it was removed before."""
        async with self._database.transaction() as transaction:
            changed = await transaction.execute(_REMOVE, endpoint_id=endpoint.id)
            if changed and author is not None:
                act = Act(
                    author=author,
                    name="webhook.delete",
                    subject=endpoint.public_id,
                    before={"removed": False},
                    after={"removed": True},
                )
                await write_act(transaction, act)
        return changed == 1

    async def secrets(
        self, account_id: UUID, endpoint_id: UUID | None, now: datetime
    ) -> list[bytes]:
        """The encrypted secrets that sign at this moment, the current one first."""
        rows = await self._database.fetch(
            _SECRETS, account_id=account_id, endpoint_id=endpoint_id, now=now
        )
        return [row["secret"] for row in rows]

    async def add_secret(self, account_id: UUID, endpoint_id: UUID | None, secret: bytes) -> None:
        """Store a secret, unless there is a current one."""
        async with self._database.transaction() as transaction:
            await _add_secret(transaction, account_id, endpoint_id, secret)

    async def rotate_secret(
        self,
        account_id: UUID,
        endpoint_id: UUID | None,
        secret: bytes,
        *,
        old_until: datetime,
        author: Author | None = None,
    ) -> WebhookEndpoint | None:
        """Put a new secret in the place of the current one, which signs until then as well.

        Returns:
            The endpoint; `None` for the secret of an account's `callback_url`s.
        """
        async with self._database.transaction() as transaction:
            await transaction.execute(
                _RETIRE, account_id=account_id, endpoint_id=endpoint_id, expires_at=old_until
            )
            await _add_secret(transaction, account_id, endpoint_id, secret)
            if author is not None:
                await write_act(
                    transaction, _rotation(author, account_id, endpoint_id, old_until=old_until)
                )
            if endpoint_id is None:
                return None
            rows = await transaction.fetch(_TOUCH, endpoint_id=endpoint_id)
        return _to_endpoint(rows[0]) if rows else None


async def _add_secret(
    transaction: Transaction, account_id: UUID, endpoint_id: UUID | None, secret: bytes
) -> None:
    await transaction.execute(
        _NEW_SECRET, id=new_id(), account_id=account_id, endpoint_id=endpoint_id, secret=secret
    )


def _rotation(
    author: Author, account_id: UUID, endpoint_id: UUID | None, *, old_until: datetime
) -> Act:
    if endpoint_id is None:
        name, subject = "account.webhook-secret", public_id(ACCOUNT_PREFIX, account_id)
    else:
        name, subject = "webhook.rotate-secret", public_id(ENDPOINT_PREFIX, endpoint_id)
    return Act(
        author=author,
        name=name,
        subject=subject,
        before={"webhook_secret": "set"},
        after={"webhook_secret": "changed", "old_until": int(old_until.timestamp())},
    )


def _to_endpoint(row: Record) -> WebhookEndpoint:
    members = dict(row)
    members["event_types"] = tuple(members["event_types"])
    return WebhookEndpoint(**members)
