"""Where tasks stand in line, and how long jobs like theirs took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    Select,
    Uuid,
    bindparam,
    cast,
    extract,
    func,
    or_,
    select,
    true,
    tuple_,
)

from vidgate.constants import HISTORY_JOBS
from vidgate.db.engine import Database, Statement
from vidgate.db.tables import attempts
from vidgate.db.turns import places_in_turn

__all__ = ["EstimateStore", "History", "LiveAttempt"]

_ids = bindparam("ids", type_=ARRAY(Uuid))
_is_live = or_(
    attempts.c.status == "pending",
    attempts.c.status == "submitting",
    attempts.c.status == "running",
)
_LIVE = Statement(
    select(
        attempts.c.id,
        attempts.c.task_id,
        attempts.c.channel_id,
        attempts.c.upstream_model,
        (attempts.c.status == "pending").label("waits"),
        func.coalesce(attempts.c.accepted_at, attempts.c.sent_at).label("sent_at"),
        cast(attempts.c.pace["usual"].astext, Double).label("usual"),
    ).where(attempts.c.task_id == func.any(_ids), _is_live)
)
_places = places_in_turn()
_PLACES = Statement(select(_places.c.id, _places.c.place).where(_places.c.id == func.any(_ids)))
_BUSY = Statement(
    select(attempts.c.channel_id, func.count().label("jobs"))
    .where(or_(attempts.c.status == "submitting", attempts.c.status == "running"))
    .group_by(attempts.c.channel_id)
)
_WAITING = Statement(
    select(attempts.c.channel_id, func.count().label("jobs"))
    .where(attempts.c.channel_id == func.any(_ids), attempts.c.status == "pending")
    .group_by(attempts.c.channel_id)
)


def _first_kind(*conditions: ColumnElement[bool]) -> Select[tuple[Any, Any]]:
    return (
        select(attempts.c.channel_id, attempts.c.upstream_model)
        .where(attempts.c.status == "succeeded", *conditions)
        .order_by(attempts.c.channel_id, attempts.c.upstream_model)
        .limit(1)
    )


# Channel by channel and model by model, and of each the latest jobs alone.
_first = _first_kind().subquery("first")
_kinds = select(_first.c.channel_id, _first.c.upstream_model).cte("kinds", recursive=True)
_next = _first_kind(
    tuple_(attempts.c.channel_id, attempts.c.upstream_model)
    > tuple_(_kinds.c.channel_id, _kinds.c.upstream_model)
).lateral("next_kind")
_kinds = _kinds.union_all(
    select(_next.c.channel_id, _next.c.upstream_model).select_from(_kinds.join(_next, true()))
)
_latest = (
    select(extract("epoch", attempts.c.finished_at - attempts.c.accepted_at).label("seconds"))
    .where(
        attempts.c.status == "succeeded",
        attempts.c.channel_id == _kinds.c.channel_id,
        attempts.c.upstream_model == _kinds.c.upstream_model,
    )
    .order_by(attempts.c.finished_at.desc())
    .limit(HISTORY_JOBS)
    .lateral("latest")
)


def _percentile(part: float) -> ColumnElement[float]:
    return cast(func.percentile_cont(part).within_group(_latest.c.seconds), Double)


_HISTORY = Statement(
    select(
        _kinds.c.channel_id,
        _kinds.c.upstream_model,
        _percentile(0.5).label("p50"),
        _percentile(0.8).label("p80"),
    )
    .select_from(_kinds.join(_latest, true()))
    .group_by(_kinds.c.channel_id, _kinds.c.upstream_model)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAttempt:
    """What an estimate is made from.

    Attributes:
        position: In the order of its channel, 0 for the next one; `None` once it was sent.
        sent_at: When it was, or when the provider took it; `None` where it waits.
        usual: How long most jobs of its model take, `None` where nobody knows.
    """

    task_id: UUID
    channel_id: UUID
    model: str
    position: int | None
    sent_at: datetime | None
    usual: timedelta | None


@dataclass(frozen=True, slots=True)
class History:
    """How long the latest jobs took: half of them less than the first, four fifths the second."""

    p50: timedelta
    p80: timedelta


class EstimateStore:
    """Reads what estimates are made from; it writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def live(self, task_ids: Sequence[UUID]) -> list[LiveAttempt]:
        """The attempts of these tasks that are not over."""
        rows = await self._database.fetch(_LIVE, ids=list(task_ids))
        waiting = [row["id"] for row in rows if row["waits"]]
        places: dict[UUID, int] = {}
        if waiting:
            found = await self._database.fetch(_PLACES, ids=waiting)
            places = {row["id"]: row["place"] - 1 for row in found}
        return [
            LiveAttempt(
                task_id=row["task_id"],
                channel_id=row["channel_id"],
                model=row["upstream_model"],
                position=places.get(row["id"]),
                sent_at=None if row["waits"] else row["sent_at"],
                usual=None if row["usual"] is None else timedelta(seconds=row["usual"]),
            )
            for row in rows
            if not row["waits"] or row["id"] in places  # it began in between
        ]

    async def busy(self) -> dict[UUID, int]:
        """How many jobs each channel has."""
        return {row["channel_id"]: row["jobs"] for row in await self._database.fetch(_BUSY)}

    async def waiting(self, channel_ids: Sequence[UUID]) -> dict[UUID, int]:
        """How many jobs wait for each of these channels; what is missing has none."""
        rows = await self._database.fetch(_WAITING, ids=list(channel_ids))
        return {row["channel_id"]: row["jobs"] for row in rows}

    async def history(self) -> dict[tuple[UUID, str], History]:
        """How long the latest jobs took, by channel and model."""
        rows = await self._database.fetch(_HISTORY)
        return {
            (row["channel_id"], row["upstream_model"]): History(
                timedelta(seconds=row["p50"]), timedelta(seconds=row["p80"])
            )
            for row in rows
            if row["p50"] is not None
        }
