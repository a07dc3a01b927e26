"""The part of a claim that is fair: work is found group by group, in equal shares.

Neither what is due in a busy group nor how much of it costs the other groups anything: each group
is looked up at its own place in the index, and no more of it is read than there is room for.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    Column,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    bindparam,
    column,
    func,
    select,
    true,
)

__all__ = ["first_due_of_each"]

_TIME = DateTime(timezone=True)
_ROOMS = ARRAY(Integer)


def first_due_of_each(
    group: Column[Any], *, id_: Column[Any], due_at: Column[Any], has_work: ColumnElement[bool]
) -> CTE:
    """Lock the rows of each group that are due longest, as many as it has room for.

    The statement then has the binds `now`, `groups` and `rooms` (how many rows of which group are
    taken at most), `limit` (the same for every other group) and `batch` (how many are taken in
    all; each group that has something due gets an equal share, and one row at least).

    Args:
        group: By which the work is shared, such as the channel.
        id_: The key of the table.
        due_at: When a row is due.
        has_work: The condition of the partial index on (group, due_at).

    Returns:
        A query with the column `id`.
    """

    def first_of_group(*conditions: ColumnElement[bool]) -> Select[tuple[Any, Any]]:
        """The group that comes next in the index, and when the first of its rows is due."""
        return (
            select(group.label("group"), due_at.label("due_at"))
            .where(has_work, *conditions)
            .order_by(group, due_at)
            .limit(1)
        )

    first = first_of_group().subquery("first")
    heads = select(first.c.group, first.c.due_at).cte("heads", recursive=True)
    following = first_of_group(group > heads.c.group).lateral("next")
    heads = heads.union_all(
        select(following.c.group, following.c.due_at).select_from(heads.join(following, true()))
    )
    rooms = (
        func.unnest(bindparam("groups", type_=ARRAY(group.type)), bindparam("rooms", type_=_ROOMS))
        .table_valued(column("group", group.type), column("room", Integer))
        .render_derived("rooms")
    )
    room = func.coalesce(rooms.c.room, bindparam("limit", type_=Integer))
    now = bindparam("now", type_=_TIME)
    has_room = (
        select(
            heads.c.group,
            room.label("room"),
            func.greatest(bindparam("batch", type_=Integer) // func.count().over(), 1).label(
                "share"
            ),
        )
        .select_from(heads.outerjoin(rooms, rooms.c.group == heads.c.group))
        .where(heads.c.due_at <= now, room > 0)
        .cte("open")
    )
    of_group = (
        select(id_.label("id"))
        .where(group == has_room.c.group, has_work, due_at <= now)
        .order_by(due_at)
        .limit(func.least(has_room.c.room, has_room.c.share))
        .with_for_update(skip_locked=True)
        .lateral("of_group")
    )
    return select(of_group.c.id).select_from(has_room.join(of_group, true())).cte("due")
