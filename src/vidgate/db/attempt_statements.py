"""The statements of attempts: claimed by lease, written back by compare-and-set."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    Interval,
    Select,
    Text,
    Uuid,
    all_,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from vidgate.db.announcing import announcement
from vidgate.db.engine import Statement
from vidgate.db.fair_claims import first_due_of_each
from vidgate.db.tables import NOBODY, asks, attempts, outputs, tasks
from vidgate.db.turns import first_in_turn, take_turn, take_turns
from vidgate.models.webhooks import EventType

__all__ = [
    "ACCEPT",
    "ASKS",
    "BY_CHANNEL",
    "BY_ID",
    "CANCEL_WAITING",
    "CHANNELS_USED",
    "CLAIM",
    "CLAIM_OVERDUE",
    "COLUMNS",
    "COUNT_SLOTS",
    "EXPECT_CANCELLED",
    "FINISH_ATTEMPT",
    "FINISH_OUTPUT",
    "FINISH_TASK",
    "FIRST_WAITING",
    "HASTEN",
    "INSERT",
    "IS_WANTED",
    "LATE_RESULTS",
    "LOCK_CHANNEL",
    "LOCK_TASK",
    "OF_TASK",
    "OTHERS_END_AT",
    "OUTPUTS",
    "OUTPUT_ENDED",
    "RECORD_LATE",
    "RELEASE",
    "RELEASED",
    "RESUBMIT",
    "RETURN_LEASES",
    "START_WAITING",
    "TAKEN_JOBS",
    "TAKE_JOB",
    "TAKE_TURN",
    "TAKE_WAITING",
    "WAITING",
    "WORK",
]

_TIME = DateTime(timezone=True)
COLUMNS = [
    attempts.c[name]
    for name in (
        "id",
        "task_id",
        "position",
        "number",
        "channel_id",
        "credential_id",
        "provider",
        "upstream_model",
        "endpoint",
        "correlation",
        "status",
        "ref_id",
        "ref_kind",
        "pace",
        "progress",
        "tries",
        "polls",
        "misses",
        "doubts",
        "doubted_at",
        "seen_running_at",
        "due_at",
        "deadline_at",
        "sent_at",
        "submit_ends_at",
        "accepted_at",
        "finished_at",
        "find_page",
        "created_at",
        "last_reason",
        "fault_kind",
        "fault_code",
        "fault_message",
        "asks",
        "asked_at",
        "said",
        "calls",
        "called_at",
    )
]

_INSERTED = (
    "id",
    "task_id",
    "position",
    "number",
    "channel_id",
    "credential_id",
    "provider",
    "upstream_model",
    "endpoint",
    "correlation",
    "status",
    "pace",
    "due_at",
    "lease_id",
    "lease_until",
    "deadline_at",
    "sent_at",
    "submit_ends_at",
    "created_at",
    "price",
    "cost_micros",
)
INSERT = Statement(
    insert(attempts)
    .values(
        {name: bindparam(name, type_=attempts.c[name].type) for name in _INSERTED}
        | {
            name: func.coalesce(
                select(tasks.c[name])
                .where(tasks.c.id == bindparam("task_id", type_=Uuid))
                .scalar_subquery(),
                NOBODY,
            )
            for name in ("account_id", "token_id")
        }
    )
    .returning(*COLUMNS)
)

# Slots. They are counted from the attempts under a lock, so that no counter can drift.

LOCK_CHANNEL = Statement(
    select(
        func.pg_advisory_xact_lock(
            func.hashtextextended(bindparam("channel", type_=Text), literal(0, BigInteger))
        )
    )
)
_in_channel = attempts.c.channel_id == bindparam("channel_id", type_=Uuid)
COUNT_SLOTS = Statement(
    select(
        func.count().label("taken"),
        select(literal(1))
        .where(
            _in_channel,
            attempts.c.status == "pending",
            attempts.c.due_at <= bindparam("now", type_=_TIME),
        )
        .correlate(None)
        .exists()
        .label("is_waited_for"),
    )
    .select_from(attempts)
    .where(
        _in_channel,
        # Spelled so that the planner sees that the partial index covers it.
        or_(attempts.c.status == "submitting", attempts.c.status == "running"),
    )
)

TAKE_TURN = Statement(
    take_turn(bindparam("channel_id", type_=Uuid), bindparam("task_id", type_=Uuid))
)

# Claiming. While it is leased an attempt is due when its lease ends, so one index finds both the
# work that is due and the work that a dead worker left behind.

_is_due = attempts.c.due_at <= bindparam("now", type_=_TIME)


def _first_due(*conditions: ColumnElement[bool], name: str) -> CTE:
    return (
        select(attempts.c.id)
        .where(_is_due, *conditions)
        .order_by(attempts.c.due_at)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte(name)
    )


_overdue = _first_due(
    attempts.c.status == "pending",
    attempts.c.deadline_at <= bindparam("now", type_=_TIME),
    name="overdue",
)
_leased = {
    "lease_id": bindparam("lease_id", type_=Uuid),
    "lease_until": bindparam("lease_until", type_=_TIME),
    "due_at": bindparam("lease_until", type_=_TIME),
}

# A channel's attempts are found at its own place in the index.
_due = first_due_of_each(
    attempts.c.channel_id,
    id_=attempts.c.id,
    due_at=attempts.c.due_at,
    has_work=and_(attempts.c.due_at.is_not(None), attempts.c.status != "pending"),
)
CLAIM = Statement(
    update(attempts)
    .values(_leased)
    # As an array, so that no guess at how many there are leads to a scan of all attempts.
    .where(attempts.c.id == func.any(func.array(select(_due.c.id).scalar_subquery())))
    .returning(*COLUMNS)
)

CLAIM_OVERDUE = Statement(
    update(attempts).values(_leased).where(attempts.c.id == _overdue.c.id).returning(*COLUMNS)
)


def _first_waiting(*conditions: ColumnElement[bool]) -> Select[tuple[Any, Any]]:
    return (
        select(attempts.c.channel_id, attempts.c.due_at)
        .where(attempts.c.status == "pending", *conditions)
        .order_by(attempts.c.channel_id, attempts.c.due_at)
        .limit(1)
    )


# Channel by channel, however much waits at each.
_first = _first_waiting().subquery("first")
_waited_for = select(_first.c.channel_id, _first.c.due_at).cte("waited_for", recursive=True)
_following = _first_waiting(attempts.c.channel_id > _waited_for.c.channel_id).lateral("following")
_waited_for = _waited_for.union_all(
    select(_following.c.channel_id, _following.c.due_at).select_from(
        _waited_for.join(_following, true())
    )
)
WAITING = Statement(
    select(_waited_for.c.channel_id).where(_waited_for.c.due_at <= bindparam("now", type_=_TIME))
)
_next_in_turn = first_in_turn()
_startable = (
    select(attempts.c.id)
    .where(
        attempts.c.id == func.any(func.array(select(_next_in_turn.c.id).scalar_subquery())),
        attempts.c.status == "pending",
        attempts.c.due_at <= bindparam("now", type_=_TIME),
    )
    .with_for_update(skip_locked=True)
    .cte("startable")
)
_no_fault = {"fault_kind": None, "fault_code": None, "fault_message": None}
_submit_ends_at = bindparam("now", type_=_TIME) + func.make_interval(
    0, 0, 0, 0, 0, 0, cast(attempts.c.pace["submit"].astext, Double)
)
_started = (
    update(attempts)
    .values(
        lease_id=bindparam("lease_id", type_=Uuid),
        lease_until=_submit_ends_at + bindparam("margin", type_=Interval),
        due_at=_submit_ends_at + bindparam("margin", type_=Interval),
        credential_id=bindparam("credential_id", type_=Uuid),
        status="submitting",
        sent_at=bindparam("now", type_=_TIME),
        submit_ends_at=_submit_ends_at,
        # Answers about an earlier submit say nothing about this one.
        misses=0,
        find_page=None,
        **_no_fault,
    )
    .where(attempts.c.id == _startable.c.id)
    .returning(*COLUMNS, attempts.c.lease_until, attempts.c.account_id, attempts.c.token_id)
    .cte("started")
)
START_WAITING = Statement(
    select(*(_started.c[one.name] for one in COLUMNS), _started.c.lease_until)
    .select_from(_started.join(_next_in_turn, _next_in_turn.c.id == _started.c.id))
    .order_by(_next_in_turn.c.place)
    .add_cte(take_turns(_started, _next_in_turn))
)
# What waits is looked at without a trace, and taken only where it has somewhere to go.
_first_others = first_in_turn(attempts.c.id != all_(bindparam("left_out", type_=ARRAY(Uuid))))
FIRST_WAITING = Statement(
    select(*COLUMNS)
    .select_from(attempts.join(_first_others, _first_others.c.id == attempts.c.id))
    .order_by(_first_others.c.place)
)
TAKE_WAITING = Statement(
    update(attempts)
    .values(_leased)
    .where(
        attempts.c.id == bindparam("attempt_id", type_=Uuid),
        attempts.c.status == "pending",
        _is_due,
    )
)

# Writing back.

_mine = and_(
    attempts.c.id == bindparam("attempt_id", type_=Uuid),
    attempts.c.lease_id == bindparam("lease_id", type_=Uuid),
)
_still_mine = and_(_mine, attempts.c.lease_until > bindparam("now", type_=_TIME))
_unleased = {"lease_id": None, "lease_until": None}

RELEASED = (
    "status",
    "due_at",
    "progress",
    "tries",
    "polls",
    "misses",
    "doubts",
    "doubted_at",
    "seen_running_at",
    "find_page",
    "last_reason",
    "finished_at",
    "fault_kind",
    "fault_code",
    "fault_message",
    "asks",
    "asked_at",
    "said",
)
# Every bind is an array with an element for each attempt.
_releases: dict[str, Any] = {
    "attempt_id": Uuid(),
    "lease_id": Uuid(),
    "now": _TIME,
    "is_news": Boolean(),
    "before_at": _TIME,
} | {name: attempts.c[name].type for name in RELEASED}
_release = (
    func.unnest(*(bindparam(name, type_=ARRAY(type_)) for name, type_ in _releases.items()))
    .table_valued(*(column(name, type_) for name, type_ in _releases.items()))
    .render_derived("release")
)
_released = (
    update(attempts)
    .values(
        {name: _release.c[name] for name in RELEASED}
        | {
            "progressed_at": case(
                (attempts.c.progress.is_distinct_from(_release.c.progress), _release.c.now),
                else_=attempts.c.progressed_at,
            )
        }
        | _unleased
    )
    .where(
        attempts.c.id == func.any(bindparam("attempt_id", type_=ARRAY(Uuid))),
        attempts.c.id == _release.c.attempt_id,
        attempts.c.lease_id == _release.c.lease_id,
        attempts.c.lease_until > _release.c.now,
    )
    .returning(attempts.c.id)
    .cte("released")
)
# What the provider said is written where it is news, in the write that there is anyway.
_noted = (
    upsert(asks)
    .from_select(
        ("attempt_id", "number", "at", "said", "before_at"),
        select(
            _release.c.attempt_id,
            _release.c.asks,
            _release.c.now,
            _release.c.said,
            _release.c.before_at,
        ).where(_release.c.attempt_id == _released.c.id, _release.c.is_news),
    )
    .on_conflict_do_nothing()
    .cte("noted")
)
RELEASE = Statement(select(_released.c.id).add_cte(_noted))

RESUBMIT = Statement(
    update(attempts)
    .values(
        **_leased,
        status="submitting",
        sent_at=bindparam("now", type_=_TIME),
        submit_ends_at=bindparam("submit_ends_at", type_=_TIME),
        tries=attempts.c.tries + 1,
        misses=0,
        doubts=attempts.c.doubts + 1,
        find_page=None,
        **_no_fault,
    )
    .where(attempts.c.id == bindparam("attempt_id", type_=Uuid))
    .where(attempts.c.lease_id == bindparam("old_lease_id", type_=Uuid))
    .where(attempts.c.lease_until > bindparam("now", type_=_TIME))
)

# The fence of an acceptance is the lease's id alone: whoever took over wrote another one, and as
# long as nobody did, the knowledge that a paid job exists must not be thrown away for being late.
_accepted = (
    update(attempts)
    .values(
        status="running",
        ref_id=bindparam("ref_id", type_=Text),
        ref_kind=bindparam("ref_kind", type_=Text),
        accepted_at=bindparam("now", type_=_TIME),
        due_at=bindparam("due_at", type_=_TIME),
        deadline_at=bindparam("deadline_at", type_=_TIME),
        polls=0,
        misses=0,
        doubts=0,
        find_page=None,
        last_reason=None,
        **_no_fault,
        **_unleased,
    )
    .where(_mine, attempts.c.status == "submitting")
    .returning(attempts.c.task_id, attempts.c.position)
    .cte("accepted")
)
_task_starts = (
    update(tasks)
    .values(
        status="in_progress",
        started_at=bindparam("now", type_=_TIME),
        revision=tasks.c.revision + 1,
        provider=bindparam("provider", type_=Text),
        upstream_model=bindparam("upstream_model", type_=Text),
        details=func.coalesce(bindparam("details", type_=JSONB), tasks.c.details),
        facts=func.coalesce(bindparam("facts", type_=JSONB), tasks.c.facts),
        warnings=func.coalesce(bindparam("warnings", type_=JSONB), tasks.c.warnings),
        seed=func.coalesce(bindparam("seed", type_=BigInteger), tasks.c.seed),
    )
    .where(
        tasks.c.id == _accepted.c.task_id,
        tasks.c.status == "queued",
        # A job whose video is discarded starts nothing that anybody waits for.
        outputs.c.task_id == _accepted.c.task_id,
        outputs.c.position == _accepted.c.position,
        outputs.c.status == "queued",
    )
    .returning(tasks.c.id, tasks.c.account_id, tasks.c.token_id, tasks.c.callback_url)
    .cte("task_starts")
)
_start_announced = announcement(
    _task_starts, literal(EventType.IN_PROGRESS.value, Text), is_final=False
)
_output_starts = (
    update(outputs)
    .values(status="in_progress")
    .where(
        outputs.c.task_id == _accepted.c.task_id,
        outputs.c.position == _accepted.c.position,
        outputs.c.status == "queued",
    )
    .cte("output_starts")
)
ACCEPT = Statement(select(_accepted.c.task_id).add_cte(_start_announced, _output_starts))

FINISH_ATTEMPT = Statement(
    update(attempts)
    .values(
        status=bindparam("status", type_=Text),
        due_at=bindparam("due_at", type_=_TIME),
        finished_at=bindparam("now", type_=_TIME),
        result=bindparam("result", type_=JSONB),
        fault_kind=bindparam("fault_kind", type_=Text),
        fault_code=bindparam("fault_code", type_=Text),
        fault_message=bindparam("fault_message", type_=Text),
        polls=bindparam("polls", type_=Integer),
        **_unleased,
    )
    .where(_still_mine)
    .returning(attempts.c.price, attempts.c.cost_micros)
)
LOCK_TASK = Statement(
    select(tasks.c.id, tasks.c.status, tasks.c.account_id, tasks.c.token_id)
    .where(tasks.c.id == bindparam("task_id", type_=Uuid))
    .with_for_update()
)
FINISH_OUTPUT = Statement(
    update(outputs)
    .values(
        status=bindparam("status", type_=Text),
        result=bindparam("result", type_=JSONB),
        error_code=bindparam("error_code", type_=Text),
        error_message=bindparam("error_message", type_=Text),
        finished_at=bindparam("now", type_=_TIME),
    )
    .where(
        outputs.c.task_id == bindparam("task_id", type_=Uuid),
        outputs.c.position == bindparam("position", type_=Integer),
        or_(outputs.c.status == "queued", outputs.c.status == "in_progress"),
    )
    .returning(outputs.c.hold, outputs.c.windows)
)
OUTPUTS = Statement(
    select(outputs.c.status, outputs.c.error_code, outputs.c.error_message)
    .where(outputs.c.task_id == bindparam("task_id", type_=Uuid))
    .order_by(outputs.c.position)
)
# The videos that a task has so far are part of its state. Each revision has its time.
OUTPUT_ENDED = Statement(
    update(tasks)
    .values(revision=tasks.c.revision + 1, amended_at=func.now())
    .where(tasks.c.id == bindparam("task_id", type_=Uuid))
)
_finished = (
    update(tasks)
    .values(
        status=bindparam("status", type_=Text),
        error_code=bindparam("error_code", type_=Text),
        error_message=bindparam("error_message", type_=Text),
        finished_at=bindparam("now", type_=_TIME),
        revision=tasks.c.revision + 1,
    )
    .where(
        tasks.c.id == bindparam("task_id", type_=Uuid),
        or_(tasks.c.status == "queued", tasks.c.status == "in_progress"),
    )
    .returning(tasks.c.id, tasks.c.account_id, tasks.c.token_id, tasks.c.callback_url)
    .cte("finished")
)
_end_announced = announcement(_finished, bindparam("event", type_=Text), is_final=True)
FINISH_TASK = Statement(select(_finished.c.id).add_cte(_end_announced))
RECORD_LATE = Statement(
    update(attempts)
    .values(
        due_at=None,
        result=bindparam("result", type_=JSONB),
        last_reason=bindparam("last_reason", type_=Text),
        **_unleased,
    )
    .where(_still_mine)
    .returning(attempts.c.price, attempts.c.cost_micros)
)

# A client cancels what has no job. What a worker holds, or took up in between, stays as it is: the
# lock of the row makes one wait for the other, and the loser sees a state that is not its own.

CANCEL_WAITING = Statement(
    update(attempts)
    .values(status="cancelled", due_at=None, finished_at=bindparam("now", type_=_TIME), **_unleased)
    .where(
        attempts.c.task_id == bindparam("task_id", type_=Uuid),
        attempts.c.position == func.any(bindparam("positions", type_=ARRAY(Integer))),
        attempts.c.status == "pending",
        or_(attempts.c.lease_id.is_(None), attempts.c.lease_until <= bindparam("now", type_=_TIME)),
    )
    .returning(attempts.c.position, attempts.c.provider)
)
IS_WANTED = Statement(
    select(literal(1)).where(
        outputs.c.task_id == bindparam("task_id", type_=Uuid),
        outputs.c.position == bindparam("position", type_=Integer),
        or_(outputs.c.status == "queued", outputs.c.status == "in_progress"),
    )
)

# A callback came: the job is due at once. While somebody asks about it the answer may be older
# than the callback, so it is named, to be tried again.

_called = bindparam("called", type_=Boolean)
_hastened = (
    update(attempts)
    .values(
        due_at=bindparam("now", type_=_TIME),
        calls=attempts.c.calls + cast(_called, Integer),
        called_at=case((_called, bindparam("now", type_=_TIME)), else_=attempts.c.called_at),
    )
    .where(
        attempts.c.id == func.any(bindparam("ids", type_=ARRAY(Uuid))),
        attempts.c.status == "running",
        attempts.c.lease_id.is_(None),
        attempts.c.due_at > bindparam("now", type_=_TIME),
    )
    .cte("hastened")
)
HASTEN = Statement(
    select(attempts.c.id)
    .where(
        attempts.c.id == func.any(bindparam("ids", type_=ARRAY(Uuid))),
        attempts.c.status == "running",
        attempts.c.lease_id.is_not(None),
    )
    .add_cte(_hastened)
)

# Its provider says that it cancels a job: until a poll tells of the end this is all that is known.
EXPECT_CANCELLED = Statement(
    update(attempts)
    .values(fault_kind="cancelled")
    .where(
        attempts.c.id == bindparam("attempt_id", type_=Uuid),
        attempts.c.status == "running",
    )
)

# Reading, for operators and metrics.

BY_ID = Statement(select(*COLUMNS).where(attempts.c.id == bindparam("attempt_id", type_=Uuid)))

OF_TASK = Statement(
    select(*COLUMNS)
    .where(attempts.c.task_id == bindparam("task_id", type_=Uuid))
    .order_by(attempts.c.position, attempts.c.number)
)
ASKS = Statement(
    select(asks.c.attempt_id, asks.c.number, asks.c.at, asks.c.said, asks.c.before_at)
    .select_from(asks.join(attempts, attempts.c.id == asks.c.attempt_id))
    .where(attempts.c.task_id == bindparam("task_id", type_=Uuid))
    .order_by(asks.c.attempt_id, asks.c.number)
)
LATE_RESULTS = Statement(
    select(attempts.c.id, attempts.c.result).where(
        attempts.c.task_id == bindparam("task_id", type_=Uuid),
        attempts.c.status != "succeeded",
        attempts.c.result.is_not(None),
    )
)
TAKEN_JOBS = Statement(
    select(attempts.c.ref_id).where(
        _in_channel,
        attempts.c.ref_id == func.any(bindparam("ref_ids", type_=ARRAY(Text))),
        attempts.c.id != bindparam("attempt_id", type_=Uuid),
    )
)
TAKE_JOB = Statement(
    update(attempts)
    .values(ref_id=bindparam("ref_id", type_=Text), ref_kind=bindparam("ref_kind", type_=Text))
    .where(_mine, attempts.c.status == "submitting")
    .returning(attempts.c.id)
)
OTHERS_END_AT = Statement(
    select(func.max(attempts.c.submit_ends_at).label("ends_at")).where(
        _in_channel,
        attempts.c.status == "submitting",
        attempts.c.id != bindparam("attempt_id", type_=Uuid),
        attempts.c.sent_at <= bindparam("until", type_=_TIME),
    )
)
CHANNELS_USED = Statement(
    select(attempts.c.channel_id)
    .where(
        attempts.c.task_id == bindparam("task_id", type_=Uuid),
        attempts.c.position == bindparam("position", type_=Integer),
        attempts.c.sent_at.is_not(None),
    )
    .group_by(attempts.c.channel_id)
)
RETURN_LEASES = Statement(
    update(attempts)
    .values(due_at=bindparam("due_at", type_=_TIME), **_unleased)
    .where(
        attempts.c.id == func.any(bindparam("ids", type_=ARRAY(Uuid))),
        attempts.c.lease_id == func.any(bindparam("lease_ids", type_=ARRAY(Uuid))),
        attempts.c.status != "submitting",
    )
)
BY_CHANNEL = Statement(
    select(
        attempts.c.channel_id,
        func.count().filter(attempts.c.status == "pending").label("queued"),
        func.count().filter(attempts.c.status != "pending").label("in_flight"),
    )
    .where(
        or_(
            attempts.c.status == "pending",
            attempts.c.status == "submitting",
            attempts.c.status == "running",
        )
    )
    .group_by(attempts.c.channel_id)
)
WORK = Statement(
    select(
        func.count().filter(attempts.c.due_at <= bindparam("now", type_=_TIME)).label("due"),
        func.count().label("unfinished"),
        func.min(attempts.c.created_at).label("oldest"),
    ).where(
        or_(
            attempts.c.status == "pending",
            attempts.c.status == "submitting",
            attempts.c.status == "running",
        )
    )
)
