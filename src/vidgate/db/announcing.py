"""The rows of webhooks, written in the statement that changes a task."""

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Text,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    union_all,
)

from vidgate.db.engine import Statement
from vidgate.db.tables import deliveries, webhook_endpoints

__all__ = ["DELETE_DELIVERIES", "announcement", "host_of"]

_TIME = DateTime(timezone=True)
_NOW = bindparam("now", type_=_TIME)
DELETE_DELIVERIES = Statement(
    delete(deliveries).where(deliveries.c.task_id == bindparam("task_id", type_=Uuid))
)
_HOST = "(?i)^https?://([^/?#]*)"


def host_of(url: ColumnElement[str]) -> ColumnElement[str]:
    """The host of a URL, with its port if it names one."""
    return func.lower(func.substring(url, literal(_HOST, Text)))


def announcement(changed: CTE, event: ColumnElement[str], *, is_final: bool) -> CTE:
    """Write a delivery for everybody who is to be told of a change.

    The statement then has the bind `now`, and where it is final `told_at`: when to tell.

    Args:
        changed: The tasks that changed: their `id`, `account_id`, `token_id` and `callback_url`.
        event: What happened to them.
        is_final: Whether the `callback_url` is told as well, which hears of the end alone.
    """
    registered = (
        select(
            changed.c.id,
            changed.c.account_id,
            webhook_endpoints.c.id.label("endpoint_id"),
            webhook_endpoints.c.url,
        )
        .select_from(
            changed.join(webhook_endpoints, webhook_endpoints.c.account_id == changed.c.account_id)
        )
        .where(
            or_(
                webhook_endpoints.c.token_id.is_(None),
                webhook_endpoints.c.token_id == changed.c.token_id,
            ),
            webhook_endpoints.c.removed_at.is_(None),
            webhook_endpoints.c.disabled_reason.is_(None),
            event == any_(webhook_endpoints.c.event_types),
        )
    )
    called = select(
        changed.c.id,
        changed.c.account_id,
        null().cast(Uuid).label("endpoint_id"),
        changed.c.callback_url.label("url"),
    ).where(changed.c.callback_url.is_not(None))
    if is_final:
        receivers = union_all(registered, called).subquery("receivers")
    else:
        receivers = registered.subquery("receivers")
    rows = select(
        func.gen_random_uuid(),
        receivers.c.id,
        receivers.c.account_id,
        receivers.c.endpoint_id,
        receivers.c.url,
        host_of(receivers.c.url),
        event,
        literal("pending", Text),
        bindparam("told_at", type_=_TIME) if is_final else _NOW,
        _NOW,
    )
    return (
        insert(deliveries)
        .from_select(
            (
                "id",
                "task_id",
                "account_id",
                "endpoint_id",
                "url",
                "host",
                "event",
                "status",
                "due_at",
                "created_at",
            ),
            rows,
        )
        .cte("announcement")
    )
