"""Webhooks on their way: claimed by lease, host by host, and every try kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    DateTime,
    Integer,
    Interval,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)

from vidgate.constants import WEBHOOK_GIVE_UP, WEBHOOK_KEEP
from vidgate.db.acts import write_act
from vidgate.db.announcing import host_of
from vidgate.db.engine import Database, Record, Statement
from vidgate.db.fair_claims import first_due_of_each
from vidgate.db.tables import deliveries, delivery_tries, webhook_endpoints
from vidgate.models.acts import Act, Author
from vidgate.models.attempts import Lease
from vidgate.models.ids import ENDPOINT_PREFIX, public_id
from vidgate.models.webhooks import (
    Delivery,
    DeliveryQuery,
    DeliveryStatus,
    DeliveryTry,
    EventType,
)

__all__ = ["DeliveryStore"]

_TIME = DateTime(timezone=True)
_COLUMNS = [
    deliveries.c[name]
    for name in (
        "id",
        "task_id",
        "account_id",
        "endpoint_id",
        "url",
        "host",
        "event",
        "status",
        "tries",
        "due_at",
        "last_reason",
        "created_at",
        "finished_at",
    )
]
_due = first_due_of_each(
    deliveries.c.host,
    id_=deliveries.c.id,
    due_at=deliveries.c.due_at,
    has_work=deliveries.c.due_at.is_not(None),
)
_CLAIM = Statement(
    update(deliveries)
    .values(
        lease_id=bindparam("lease_id", type_=Uuid),
        lease_until=bindparam("lease_until", type_=_TIME),
        due_at=bindparam("lease_until", type_=_TIME),
    )
    .where(deliveries.c.id == func.any(func.array(select(_due.c.id).scalar_subquery())))
    .returning(*_COLUMNS)
)

_now = bindparam("now", type_=_TIME)
_written = (
    update(deliveries)
    .values(
        status=bindparam("status", type_=Text),
        tries=deliveries.c.tries + 1,
        due_at=bindparam("due_at", type_=_TIME),
        finished_at=case((bindparam("due_at", type_=_TIME).is_(None), _now)),
        last_reason=bindparam("last_reason", type_=Text),
        lease_id=None,
        lease_until=None,
    )
    .where(
        deliveries.c.id == bindparam("delivery_id", type_=Uuid),
        deliveries.c.lease_id == bindparam("lease_id", type_=Uuid),
        deliveries.c.lease_until > _now,
    )
    .returning(deliveries.c.id, deliveries.c.endpoint_id)
    .cte("written")
)
_tried = (
    insert(delivery_tries)
    .from_select(
        ("delivery_id", "number", "at", "milliseconds", "status", "error", "answer"),
        select(
            _written.c.id,
            select(func.coalesce(func.max(delivery_tries.c.number), 0) + 1)
            .where(delivery_tries.c.delivery_id == _written.c.id)
            .scalar_subquery(),
            bindparam("at", type_=_TIME),
            bindparam("milliseconds", type_=Integer),
            bindparam("answer_status", type_=Integer),
            bindparam("error", type_=Text),
            bindparam("answer", type_=Text),
        ),
    )
    .cte("tried")
)
# An endpoint is written only when what is known of it changes: after most tries nothing does.
_failed = bindparam("failed", type_=Boolean)
_gone = bindparam("gone", type_=Boolean)
_long = webhook_endpoints.c.failing_since < _now - bindparam("give_up", type_=Interval)
_judged = (
    update(webhook_endpoints)
    .values(
        failing_since=case((_failed, func.coalesce(webhook_endpoints.c.failing_since, _now))),
        disabled_reason=func.coalesce(
            webhook_endpoints.c.disabled_reason,
            case(
                (_gone, literal("It answered that it is gone (410).", Text)),
                (and_(_failed, _long), literal("It only failed for five days.", Text)),
            ),
        ),
    )
    .where(
        webhook_endpoints.c.id == _written.c.endpoint_id,
        or_(
            and_(_failed, or_(webhook_endpoints.c.failing_since.is_(None), _gone, _long)),
            and_(~_failed, webhook_endpoints.c.failing_since.is_not(None)),
        ),
    )
    .returning(webhook_endpoints.c.id, webhook_endpoints.c.disabled_reason)
    .cte("judged")
)
_RECORD = Statement(
    select(_written.c.id, _judged.c.disabled_reason)
    .select_from(_written.outerjoin(_judged, true()))
    .add_cte(_tried)
)
_PARK = Statement(
    update(deliveries)
    .values(
        status="parked",
        due_at=None,
        finished_at=_now,
        last_reason=bindparam("last_reason", type_=Text),
        lease_id=None,
        lease_until=None,
    )
    .where(
        deliveries.c.id == bindparam("delivery_id", type_=Uuid),
        deliveries.c.lease_id == bindparam("lease_id", type_=Uuid),
    )
)
_RETURN = Statement(
    update(deliveries)
    .values(due_at=_now, lease_id=None, lease_until=None)
    .where(
        deliveries.c.lease_id == func.any(bindparam("lease_ids", type_=ARRAY(Uuid))),
        deliveries.c.id == func.any(bindparam("ids", type_=ARRAY(Uuid))),
    )
)
# Where the endpoint is today: a wrong address is what a delivery is often parked for.
_url = func.coalesce(
    select(webhook_endpoints.c.url)
    .where(webhook_endpoints.c.id == deliveries.c.endpoint_id)
    .scalar_subquery(),
    deliveries.c.url,
)
_again = {
    "url": _url,
    "host": host_of(_url),
    "status": "pending",
    "tries": 0,
    "due_at": _now,
    "finished_at": None,
    "last_reason": None,
}
_REDELIVER = Statement(
    update(deliveries)
    .values(**_again)
    .where(deliveries.c.id == bindparam("delivery_id", type_=Uuid), deliveries.c.lease_id.is_(None))
    .returning(*_COLUMNS)
)
_RECOVER = Statement(
    update(deliveries)
    .values(**_again)
    .where(
        deliveries.c.endpoint_id == bindparam("endpoint_id", type_=Uuid),
        deliveries.c.created_at >= bindparam("since", type_=_TIME),
        deliveries.c.status == "parked",
    )
    .returning(deliveries.c.id)
)
_ONE = Statement(select(*_COLUMNS).where(deliveries.c.id == bindparam("delivery_id", type_=Uuid)))
_LOCK = Statement(
    select(deliveries.c.status, deliveries.c.tries)
    .where(deliveries.c.id == bindparam("delivery_id", type_=Uuid))
    .with_for_update()
)
_TRIES = Statement(
    select(
        delivery_tries.c.at,
        delivery_tries.c.milliseconds,
        delivery_tries.c.status,
        delivery_tries.c.error,
        delivery_tries.c.answer,
    )
    .where(delivery_tries.c.delivery_id == bindparam("delivery_id", type_=Uuid))
    .order_by(delivery_tries.c.number)
)
_old = (
    select(deliveries.c.id)
    .where(
        deliveries.c.created_at < _now - bindparam("keep", type_=Interval),
        deliveries.c.due_at.is_(None),
    )
    .limit(1000)
)
_PURGE = Statement(delete(deliveries).where(deliveries.c.id.in_(_old)))
_WAITING = Statement(
    select(
        func.count().filter(deliveries.c.status == "parked").label("parked"),
        func.min(deliveries.c.created_at)
        .filter(deliveries.c.due_at <= _now, deliveries.c.tries == 0)
        .label("oldest"),
    ).where(or_(deliveries.c.status == "parked", deliveries.c.due_at.is_not(None)))
)

_FILTERS = {
    "account_id": deliveries.c.account_id == bindparam("account_id", type_=Uuid),
    "task_id": deliveries.c.task_id == bindparam("task_id", type_=Uuid),
    "endpoint_id": deliveries.c.endpoint_id == bindparam("endpoint_id", type_=Uuid),
    "status": deliveries.c.status == bindparam("status", type_=Text),
    "before": tuple_(deliveries.c.created_at, deliveries.c.id)
    < tuple_(bindparam("before_at", type_=_TIME), bindparam("before_id", type_=Uuid)),
}
_LISTINGS: dict[frozenset[str], Statement] = {}
"""A statement for each set of filters that was asked for: at most 32."""


class DeliveryStore:
    """Everything that happens to deliveries. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self,
        *,
        lease: Lease,
        now: datetime,
        rooms: Mapping[str, int],
        limit: int,
        batch: int,
    ) -> list[Delivery]:
        """Lease deliveries that are due, longest due first.

        Args:
            lease: Under which they are held.
            now: Database time.
            rooms: How many go to a host at most, by host.
            limit: The same for every other host.
            batch: How many are taken in all, in equal shares of the hosts.
        """
        rows = await self._database.fetch(
            _CLAIM,
            now=now,
            groups=list(rooms),
            rooms=list(rooms.values()),
            limit=limit,
            batch=batch,
            lease_id=lease.id,
            lease_until=lease.until,
        )
        return [_to_delivery(row) for row in rows]

    async def record(
        self,
        delivery: Delivery,
        lease: Lease,
        tried: DeliveryTry,
        *,
        status: DeliveryStatus,
        due_at: datetime | None,
        gone: bool,
        now: datetime,
    ) -> str | None:
        """Write what became of a try, and what it says about the endpoint.

        Args:
            delivery: As claimed.
            lease: Under which it was claimed.
            tried: The try.
            status: Of the delivery now.
            due_at: When it is tried again, `None` if it is not.
            gone: Whether the endpoint said that it is gone for good.
            now: Database time.

        Returns:
            Why the endpoint was disabled, `None` if it was not. Nothing is written where the lease
            is lost: another process has tried meanwhile.
        """
        row = await self._database.fetch_one(
            _RECORD,
            delivery_id=delivery.id,
            lease_id=lease.id,
            status=status.value,
            due_at=due_at,
            last_reason=tried.error,
            at=tried.at,
            milliseconds=tried.milliseconds,
            answer_status=tried.status,
            error=tried.error,
            answer=tried.answer,
            failed=tried.error is not None,
            gone=gone,
            give_up=WEBHOOK_GIVE_UP,
            now=now,
        )
        return row["disabled_reason"] if row else None

    async def park(self, delivery: Delivery, lease: Lease, reason: str, now: datetime) -> None:
        """End a delivery that is not to be tried, and say why."""
        await self._database.execute(
            _PARK, delivery_id=delivery.id, lease_id=lease.id, last_reason=reason, now=now
        )

    async def return_leases(self, held: Mapping[UUID, Lease], now: datetime) -> None:
        """Leave deliveries to whoever claims them next."""
        if held:
            lease_ids = [lease.id for lease in held.values()]
            await self._database.execute(_RETURN, ids=list(held), lease_ids=lease_ids, now=now)

    async def redeliver(
        self, delivery_id: UUID, now: datetime, author: Author | None = None
    ) -> Delivery | None:
        """Send a delivery again from the beginning of its schedule, under the same id.

        Args:
            delivery_id: Which.
            now: Database time.
            author: Whose act it is, `None` to write none down.

        Returns:
            `None` if it does not exist or is being sent right now.
        """
        async with self._database.transaction() as transaction:
            before = await transaction.fetch_one(_LOCK, delivery_id=delivery_id)
            row = await transaction.fetch_one(_REDELIVER, delivery_id=delivery_id, now=now)
            if before is None or row is None:
                return None
            delivery = _to_delivery(row)
            if author is not None:
                act = Act(
                    author=author,
                    name="webhook.redeliver",
                    subject=delivery.public_id,
                    before={"status": before["status"], "tries": before["tries"]},
                    after={"status": delivery.status.value, "tries": delivery.tries},
                )
                await write_act(transaction, act)
        return delivery

    async def recover(
        self, endpoint_id: UUID, since: datetime, now: datetime, author: Author | None = None
    ) -> int:
        """Send everything again that an endpoint missed since then; returns how many."""
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch(_RECOVER, endpoint_id=endpoint_id, since=since, now=now)
            if author is not None:
                act = Act(
                    author=author,
                    name="webhook.recover",
                    subject=public_id(ENDPOINT_PREFIX, endpoint_id),
                    after={"since": int(since.timestamp()), "deliveries": len(rows)},
                )
                await write_act(transaction, act)
        return len(rows)

    async def one(self, delivery_id: UUID) -> Delivery | None:
        """One delivery."""
        row = await self._database.fetch_one(_ONE, delivery_id=delivery_id)
        return _to_delivery(row) if row else None

    async def tries(self, delivery_id: UUID) -> list[DeliveryTry]:
        """The tries of a delivery, oldest first."""
        rows = await self._database.fetch(_TRIES, delivery_id=delivery_id)
        return [DeliveryTry(**dict(row)) for row in rows]

    async def page(self, query: DeliveryQuery) -> list[Delivery]:
        """List deliveries, newest first."""
        binds: dict[str, Any] = {
            "account_id": query.account_id,
            "task_id": query.task_id,
            "endpoint_id": query.endpoint_id,
            "status": query.status.value if query.status else None,
        }
        binds = {name: value for name, value in binds.items() if value is not None}
        names = frozenset(binds)
        if query.before is not None:
            names |= {"before"}
            binds["before_at"], binds["before_id"] = query.before
        if names not in _LISTINGS:
            _LISTINGS[names] = _listing(sorted(names))
        rows = await self._database.fetch(_LISTINGS[names], limit=query.limit, **binds)
        return [_to_delivery(row) for row in rows]

    async def purge(self, now: datetime) -> bool:
        """Forget what is long over; `True` if there may be more."""
        return await self._database.execute(_PURGE, now=now, keep=WEBHOOK_KEEP) > 0

    async def waiting(self, now: datetime) -> tuple[int, datetime | None]:
        """How many are parked, and since when the oldest untried one is due."""
        row = await self._database.fetch_one(_WAITING, now=now)
        assert row is not None  # noqa: S101 - an aggregate always has a row
        return row["parked"], row["oldest"]


def _listing(names: Sequence[str]) -> Statement:
    return Statement(
        select(*_COLUMNS)
        .where(*(_FILTERS[name] for name in names))
        .order_by(deliveries.c.created_at.desc(), deliveries.c.id.desc())
        .limit(bindparam("limit", type_=Integer))
    )


def _to_delivery(row: Record) -> Delivery:
    members = dict(row)
    members["event"] = EventType(members["event"])
    members["status"] = DeliveryStatus(members["status"])
    return Delivery(**members)
