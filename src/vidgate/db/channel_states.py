"""How channels do: whether they take work, and how much of it, for all processes alike."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    Integer,
    Interval,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    extract,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from vidgate.constants import (
    BREAKER_MAX_PAUSE,
    BREAKER_PAUSE,
    LEARNED_DECREASE,
    LEARNED_QUIET,
    NOTICE_RETRY,
)
from vidgate.db.engine import Database, Record, Statement, Transaction
from vidgate.db.tables import attempts, channel_states, channels
from vidgate.models.channels import ChannelHealth, ChannelState

__all__ = ["ChannelStateStore", "Notice", "put_back"]

_TIME = DateTime(timezone=True)
_HEALTH = [
    channel_states.c[name]
    for name in (
        "channel_id",
        "state",
        "reason",
        "since",
        "openings",
        "probe_at",
        "learned_cap",
        "learned_at",
    )
]
_now = bindparam("now", type_=_TIME)
_channel_id = bindparam("channel_id", type_=Uuid)
_this = channel_states.c.channel_id == _channel_id
_state = channel_states.c.state
_this_probe = and_(
    _this, _state == "half_open", channel_states.c.probe_at == bindparam("probe", type_=_TIME)
)

_ALL = Statement(select(*_HEALTH))


def _pause(openings: Any) -> Any:
    """Until the next probe: twice as long each time."""
    most, first = BREAKER_MAX_PAUSE.total_seconds(), BREAKER_PAUSE.total_seconds()
    seconds = func.least(most, first * func.power(2, openings))
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)


_opened = insert(channel_states).values(
    channel_id=_channel_id,
    state="open",
    reason=bindparam("reason", type_=Text),
    since=_now,
    openings=1,
    probe_at=_now + _pause(literal(0)),
    notice_at=_now,
)
_OPEN = Statement(
    _opened.on_conflict_do_update(
        index_elements=[channel_states.c.channel_id],
        set_={
            name: _opened.excluded[name]
            for name in ("state", "reason", "since", "openings", "probe_at", "notice_at")
        },
        where=_state == "ok",
    ).returning(*_HEALTH)
)
_REOPEN = Statement(
    update(channel_states)
    .values(
        state="open",
        reason=bindparam("reason", type_=Text),
        openings=channel_states.c.openings + 1,
        probe_at=_now + _pause(channel_states.c.openings),
    )
    .where(_this_probe)
    .returning(*_HEALTH)
)
_PROBE = Statement(
    update(channel_states)
    .values(state="half_open", probe_at=bindparam("until", type_=_TIME))
    .where(
        _this,
        or_(_state == "open", _state == "half_open"),
        channel_states.c.probe_at <= _now,
    )
    .returning(*_HEALTH)
)
_UNUSED = Statement(
    update(channel_states)
    .values(state="open", probe_at=bindparam("again_at", type_=_TIME))
    .where(_this_probe)
    .returning(*_HEALTH)
)
# Only for the key that it has now: one that was replaced says nothing of it any more.
_out = insert(channel_states).from_select(
    ("channel_id", "state", "reason", "since", "notice_at"),
    select(
        channels.c.id,
        bindparam("state", type_=Text),
        bindparam("reason", type_=Text),
        _now,
        _now,
    ).where(
        channels.c.id == _channel_id,
        channels.c.credential_id == bindparam("credential_id", type_=Uuid),
    ),
)
_TAKE_OUT = Statement(
    _out.on_conflict_do_update(
        index_elements=[channel_states.c.channel_id],
        set_={
            "state": _out.excluded.state,
            "reason": _out.excluded.reason,
            "since": _out.excluded.since,
            # Whoever was told that it is out need not be told again.
            "notice_at": case((_state == "ok", _out.excluded.notice_at)),
        },
        where=or_(_state == "ok", _state == "open", _state == "half_open"),
    ).returning(*_HEALTH)
)
_well = {
    "state": "ok",
    "reason": null(),
    "since": _now,
    "openings": 0,
    "probe_at": null(),
    "notice_at": _now,
}
_CLOSE = Statement(update(channel_states).values(_well).where(_this_probe).returning(*_HEALTH))
_PUT_BACK = Statement(
    update(channel_states).values(_well).where(_this, _state != "ok").returning(*_HEALTH)
)

_PUT_BACK_NOW = Statement(
    update(channel_states)
    .values(_well | {"since": func.now(), "notice_at": func.now()})
    .where(_this, _state != "ok")
)

# What the provider took when it said that it is too much. A refusal of what was sent before the
# last lesson teaches nothing new.
_others = (
    select(func.count() - 1)
    .select_from(attempts)
    .where(
        attempts.c.channel_id == _channel_id,
        or_(attempts.c.status == "submitting", attempts.c.status == "running"),
    )
    .scalar_subquery()
)
_lower = insert(channel_states).values(
    channel_id=_channel_id,
    learned_cap=cast(func.greatest(1, func.ceil(_others * LEARNED_DECREASE)), Integer),
    learned_at=_now,
)
_LOWER = Statement(
    _lower.on_conflict_do_update(
        index_elements=[channel_states.c.channel_id],
        set_={
            "learned_cap": _lower.excluded.learned_cap,
            "learned_at": _lower.excluded.learned_at,
        },
        where=or_(
            channel_states.c.learned_at.is_(None),
            channel_states.c.learned_at < bindparam("sent_at", type_=_TIME),
        ),
    ).returning(*_HEALTH)
)
_steps = func.floor(
    extract("epoch", _now - channel_states.c.learned_at) / LEARNED_QUIET.total_seconds()
)
_raised = channel_states.c.learned_cap + cast(_steps, Integer)
_most = bindparam("most", type_=Integer)
_RAISE = Statement(
    update(channel_states)
    .values(learned_cap=case((or_(_most.is_(None), _raised < _most), _raised)), learned_at=_now)
    .where(
        _this,
        channel_states.c.learned_cap.is_not(None),
        channel_states.c.learned_at <= _now - bindparam("quiet", type_=Interval),
    )
    .returning(*_HEALTH)
)

_NOTICES = Statement(
    update(channel_states)
    .values(notice_at=bindparam("again_at", type_=_TIME))
    .where(channel_states.c.notice_at <= _now, channels.c.id == channel_states.c.channel_id)
    .returning(*_HEALTH, channels.c.name, channels.c.provider)
)
_TOLD = Statement(
    update(channel_states)
    .values(notice_at=None)
    .where(
        _this,
        and_(
            channel_states.c.since.is_not_distinct_from(bindparam("since", type_=_TIME)),
            channel_states.c.notice_at.is_not(None),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Notice:
    """That a channel went out, or came back."""

    channel_id: UUID
    channel: str
    provider: str
    health: ChannelHealth


class ChannelStateStore:
    """How channels do. Each method is one statement, and says how it is afterwards.

    What returns `None` has changed nothing: somebody else was first, or it does not apply.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[UUID, ChannelHealth]:
        """How every channel does of which anything was ever noted."""
        return {row["channel_id"]: _to_health(row) for row in await self._database.fetch(_ALL)}

    async def open(self, channel_id: UUID, reason: str, now: datetime) -> ChannelHealth | None:
        """Give a channel that did well no work for a while."""
        return await self._change(_OPEN, channel_id=channel_id, reason=reason, now=now)

    async def reopen(
        self, channel_id: UUID, reason: str, now: datetime, *, probe: datetime
    ) -> ChannelHealth | None:
        """Likewise after a probe that failed, for twice as long.

        Args:
            channel_id: The channel.
            reason: Why, in words.
            now: Database time.
            probe: Until when the probe was, which tells it from those before and after it.
        """
        return await self._change(
            _REOPEN, channel_id=channel_id, reason=reason, now=now, probe=probe
        )

    async def probe(self, channel_id: UUID, now: datetime, until: datetime) -> ChannelHealth | None:
        """Take the one probe that is due; if nothing comes of it, another may from `until` on."""
        return await self._change(_PROBE, channel_id=channel_id, now=now, until=until)

    async def give_probe_back(
        self, channel_id: UUID, again_at: datetime, *, probe: datetime
    ) -> ChannelHealth | None:
        """Let somebody else probe, as nothing came of this one."""
        return await self._change(_UNUSED, channel_id=channel_id, again_at=again_at, probe=probe)

    async def close(
        self, channel_id: UUID, now: datetime, *, probe: datetime
    ) -> ChannelHealth | None:
        """Give a channel work again whose probe went well."""
        return await self._change(_CLOSE, channel_id=channel_id, now=now, probe=probe)

    async def take_out(
        self,
        channel_id: UUID,
        state: ChannelState,
        reason: str,
        *,
        credential_id: UUID,
        now: datetime,
    ) -> ChannelHealth | None:
        """Give a channel no work until its operator has done something.

        Args:
            channel_id: Which.
            state: `CREDENTIAL` or `BALANCE`.
            reason: In words.
            credential_id: With which it was seen; it does not apply to another.
            now: Database time.
        """
        return await self._change(
            _TAKE_OUT,
            channel_id=channel_id,
            state=state.value,
            reason=reason,
            credential_id=credential_id,
            now=now,
        )

    async def put_back(self, channel_id: UUID, now: datetime) -> ChannelHealth | None:
        """Give a channel work again, whatever was wrong."""
        return await self._change(_PUT_BACK, channel_id=channel_id, now=now)

    async def lower_cap(
        self, channel_id: UUID, *, sent_at: datetime, now: datetime
    ) -> ChannelHealth | None:
        """Learn from a refusal how many jobs the provider takes at once.

        Args:
            channel_id: Whose.
            sent_at: Of the submit that was too much; it is still counted as under way.
            now: Database time.
        """
        return await self._change(_LOWER, channel_id=channel_id, sent_at=sent_at, now=now)

    async def raise_cap(
        self, channel_id: UUID, *, most: int | None, now: datetime
    ) -> ChannelHealth | None:
        """Try one job more for each quiet while, and forget what exceeds the operator's cap.

        Args:
            channel_id: Whose.
            most: That cap, or `None`.
            now: Database time.
        """
        return await self._change(
            _RAISE, channel_id=channel_id, most=most, quiet=LEARNED_QUIET, now=now
        )

    async def notices(self, now: datetime) -> list[Notice]:
        """Take what is to be told; without a `told` it is taken again a while later."""
        rows = await self._database.fetch(_NOTICES, now=now, again_at=now + NOTICE_RETRY)
        return [
            Notice(row["channel_id"], row["name"], row["provider"], _to_health(row)) for row in rows
        ]

    async def told(self, notice: Notice) -> None:
        """Take note that it was told, unless there is something newer to tell."""
        await self._database.execute(_TOLD, channel_id=notice.channel_id, since=notice.health.since)

    async def _change(self, statement: Statement, **binds: Any) -> ChannelHealth | None:
        row = await self._database.fetch_one(statement, timeout=_PATIENCE.total_seconds(), **binds)
        return _to_health(row) if row else None


_PATIENCE = timedelta(seconds=2)
"""What is learnt from an answer must not hold up what follows from it."""


async def put_back(transaction: Transaction, channel_id: UUID) -> None:
    """Give a channel work again, as a part of what its operator does."""
    await transaction.execute(_PUT_BACK_NOW, channel_id=channel_id)


def _to_health(row: Record) -> ChannelHealth:
    return ChannelHealth(
        state=ChannelState(row["state"]),
        reason=row["reason"],
        since=row["since"],
        probe_at=row["probe_at"],
        learned_cap=row["learned_cap"],
        learned_at=row["learned_at"],
    )
