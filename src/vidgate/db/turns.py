"""Whose turn it is at a channel: accounts take turns, and so do the tokens of each.

The order is made of rounds. In each round every account that waits has one turn, the one that has
waited longest for it first; of an account it is the turn of one of its tokens, chosen in the same
way; of a token the oldest attempt goes first. So it matters to nobody how much others have waiting.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    DateTime,
    Integer,
    Interval,
    Select,
    Uuid,
    and_,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from vidgate.db.tables import attempts, tasks, turns

__all__ = ["first_in_turn", "places_in_turn", "take_turn", "take_turns"]

_channel_id = bindparam("channel_id", type_=Uuid)
_now = bindparam("now", type_=DateTime(timezone=True))
_is_waiting = attempts.c.status == "pending"
_TURN = ("channel_id", "account_id", "token_id", "served_at")


def first_in_turn(*conditions: ColumnElement[bool]) -> CTE:
    """The attempts of a channel whose turn is next, in order, of those that are due.

    Each token's own are looked up at their place in the index, so that it costs nothing how many
    there are. The statement then has the binds `channel_id`, `now` and `limit`, and `owners` and
    `rooms`: of which accounts and tokens so many are taken at most.

    Args:
        *conditions: Which of them matter; all without.

    Returns:
        A query with the columns `id`, and `place` from 1 on.
    """

    def first_token(*beyond: ColumnElement[bool]) -> Select[tuple[Any, Any]]:
        return (
            select(attempts.c.account_id, attempts.c.token_id)
            .where(attempts.c.channel_id == _channel_id, _is_waiting, *beyond)
            .order_by(attempts.c.account_id, attempts.c.token_id)
            .limit(1)
        )

    first = first_token().subquery("first_token")
    owners = select(first.c.account_id, first.c.token_id).cte("owners", recursive=True)
    following = first_token(
        tuple_(attempts.c.account_id, attempts.c.token_id)
        > tuple_(owners.c.account_id, owners.c.token_id)
    ).lateral("next_token")
    owners = owners.union_all(
        select(following.c.account_id, following.c.token_id).select_from(
            owners.join(following, true())
        )
    )
    limit = bindparam("limit", type_=Integer)
    rooms = (
        func.unnest(
            bindparam("owners", type_=ARRAY(Uuid)), bindparam("rooms", type_=ARRAY(Integer))
        )
        .table_valued(column("owner", Uuid), column("room", Integer))
        .render_derived("rooms")
    )

    def room_of(source: CTE, owner: str) -> ColumnElement[int]:
        room = select(rooms.c.room).where(rooms.c.owner == source.c[owner]).correlate(source)
        return func.least(limit, func.coalesce(room.scalar_subquery(), limit))

    of_token = (
        select(attempts.c.id, func.row_number().over(order_by=attempts.c.id).label("nth"))
        .where(
            attempts.c.channel_id == _channel_id,
            _is_waiting,
            attempts.c.account_id == owners.c.account_id,
            attempts.c.token_id == owners.c.token_id,
            attempts.c.due_at <= _now,
            *conditions,
        )
        .order_by(attempts.c.id)
        .limit(room_of(owners, "token_id"))
        .lateral("of_token")
    )
    waiting = (
        select(
            of_token.c.id,
            of_token.c.nth,
            _channel_id.label("channel_id"),
            owners.c.account_id,
            owners.c.token_id,
        )
        .select_from(owners.join(of_token, true()))
        .cte("waiting")
    )
    ordered = _in_turn(waiting, turns.c.channel_id == _channel_id)
    return (
        select(ordered.c.id, ordered.c.place)
        .where(ordered.c.round <= room_of(ordered, "account_id"))
        .order_by(ordered.c.place)
        .limit(limit)
        .cte("next")
    )


def places_in_turn() -> CTE:
    """All attempts that wait, with their places in the order of their channels.

    Returns:
        A query with the columns `id`, `channel_id`, and `place` from 1 on.
    """
    waiting = (
        select(
            attempts.c.id,
            func.row_number()
            .over(
                partition_by=(attempts.c.channel_id, attempts.c.account_id, attempts.c.token_id),
                order_by=attempts.c.id,
            )
            .label("nth"),
            attempts.c.channel_id,
            attempts.c.account_id,
            attempts.c.token_id,
        )
        .where(_is_waiting)
        .cte("waiting")
    )
    return _in_turn(waiting)


def take_turns(started: CTE, order: CTE) -> CTE:
    """Write down whose turn it was; the lock of the channel must be held.

    Args:
        started: The attempts that began, with their `id`, `channel_id`, `account_id`, `token_id`.
        order: In which order, as `first_in_turn` gives it.
    """
    # By the server's clock, read once for all of them: who had a turn earlier is next.
    step = literal_column("interval '1 microsecond'", Interval)
    at = select(func.clock_timestamp()).scalar_subquery() + order.c.place * step
    took = (
        select(
            started.c.channel_id,
            started.c.account_id,
            started.c.token_id,
            func.max(at).label("served_at"),
        )
        .select_from(started.join(order, order.c.id == started.c.id))
        .group_by(started.c.channel_id, started.c.account_id, started.c.token_id)
    )
    return _noted(insert(turns).from_select(_TURN, took)).cte("took")


def take_turn(channel_id: ColumnElement[Any], task_id: ColumnElement[Any]) -> Insert:
    """Likewise for one attempt that began without a wait."""
    took = select(
        channel_id,
        tasks.c.account_id,
        tasks.c.token_id,
        func.clock_timestamp(),
    ).where(tasks.c.id == task_id)
    return _noted(insert(turns).from_select(_TURN, took))


def _noted(took: Insert) -> Insert:
    return took.on_conflict_do_update(
        index_elements=[turns.c.channel_id, turns.c.account_id, turns.c.token_id],
        set_={"served_at": took.excluded.served_at},
    )


def _in_turn(waiting: CTE, *of_turns: ColumnElement[bool]) -> CTE:
    """Put attempts in order that are numbered within their tokens.

    Args:
        waiting: With the columns `id`, `nth`, `channel_id`, `account_id` and `token_id`.
        *of_turns: Which turns may matter.
    """
    of_token = turns.alias("of_token_turns")
    of_account = (
        select(turns.c.channel_id, turns.c.account_id, func.max(turns.c.served_at).label("at"))
        .where(*of_turns)
        .group_by(turns.c.channel_id, turns.c.account_id)
        .subquery("of_account_turns")
    )
    rounds = (
        select(
            waiting.c.id,
            waiting.c.channel_id,
            waiting.c.account_id,
            func.row_number()
            .over(
                partition_by=(waiting.c.channel_id, waiting.c.account_id),
                order_by=(waiting.c.nth, of_token.c.served_at.nulls_first(), waiting.c.id),
            )
            .label("round"),
            of_account.c.at,
        )
        .select_from(
            waiting.outerjoin(
                of_token,
                and_(
                    of_token.c.channel_id == waiting.c.channel_id,
                    of_token.c.account_id == waiting.c.account_id,
                    of_token.c.token_id == waiting.c.token_id,
                ),
            ).outerjoin(
                of_account,
                and_(
                    of_account.c.channel_id == waiting.c.channel_id,
                    of_account.c.account_id == waiting.c.account_id,
                ),
            )
        )
        .cte("rounds")
    )
    place = func.row_number().over(
        partition_by=rounds.c.channel_id,
        order_by=(rounds.c.round, rounds.c.at.nulls_first(), rounds.c.id),
    )
    return select(
        rounds.c.id, rounds.c.channel_id, rounds.c.account_id, rounds.c.round, place.label("place")
    ).cte("places")
