"""Tasks and their outputs: stored once, read often."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import groupby
from operator import ge, lt
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    BindParameter,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    Interval,
    Text,
    Uuid,
    and_,
    any_,
    asc,
    bindparam,
    case,
    cast,
    column,
    delete,
    desc,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from vidgate.constants import HEAVY_BYTES, LIST_BYTES
from vidgate.db.acts import write_act
from vidgate.db.admission import take_budgets, take_places, take_rates
from vidgate.db.announcing import DELETE_DELIVERIES, announcement
from vidgate.db.attempts import NewAttempt, insert_attempt
from vidgate.db.cancellations import insert_cancellation
from vidgate.db.documents import (
    StoredInput,
    read_request,
    read_result,
    read_warnings,
    write_result,
    write_warnings,
)
from vidgate.db.engine import Database, Json, Record, Statement
from vidgate.db.ledger import give_back, reserve
from vidgate.db.once import claim_key, is_acknowledged, release_key, tasks_of_keys
from vidgate.db.sights import in_sight, sight_binds
from vidgate.db.tables import attempts, inputs, outputs, tasks
from vidgate.exceptions import ChannelBusyError, RequestError
from vidgate.models.accounts import Sight
from vidgate.models.acts import Act
from vidgate.models.attempts import Attempt
from vidgate.models.ids import TASK_PREFIX, first_id, public_id
from vidgate.models.limits import Admission
from vidgate.models.money import Hold, Quote, holds_for
from vidgate.models.outcomes import VideoResult
from vidgate.models.requests import IdempotencyClaim, VideoRequest
from vidgate.models.spans import write_span
from vidgate.models.tasks import (
    AttemptStatus,
    OutputSnapshot,
    Resubmission,
    TaskCost,
    TaskError,
    TaskFilter,
    TaskPage,
    TaskQuery,
    TaskSnapshot,
    TaskStatus,
    TaskWarning,
)
from vidgate.models.webhooks import EventType

__all__ = ["NewTask", "TaskStore", "progress_now"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task to store, with its outputs.

    Attributes:
        document: The request as `write_request` wrote it.
        inputs: The inline media that go with it.
        facts: What is run, as JSON.
        warnings: What is not done to the letter.
        factor: The account's on every price.
        may_cost: What one of its videos costs at channels where it may come to run and does not
            begin.
        is_heavy: Whether writing its JSON would hold up everybody else.
        resubmission: Why it repeats another one, `None` where it does not.
    """

    id: UUID
    account_id: UUID
    token_id: UUID
    dialect: str
    model: str
    provider: str
    upstream_model: str
    document: Mapping[str, Any]
    inputs: Sequence[StoredInput] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    echo: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[TaskWarning] = ()
    end_user: str | None = None
    seed: int | None = None
    callback_url: str | None = None
    cancel_after: timedelta | None = None
    created_at: datetime
    factor: Fraction = Fraction(1)
    may_cost: Sequence[Quote] = ()
    is_heavy: bool = False
    resubmission: Resubmission | None = None

    def holds(self, options: Iterable[Iterable[NewAttempt]]) -> list[Hold]:
        """The money to be held for each output, by the attempts that it may begin with."""
        prices = ([*(one.price for one in output), *self.may_cost] for output in options)
        return holds_for(list(prices), self.factor)


_TIME = DateTime(timezone=True)
_INSERTED = (
    "id",
    "account_id",
    "token_id",
    "dialect",
    "model",
    "provider",
    "upstream_model",
    "request",
    "details",
    "echo",
    "facts",
    "warnings",
    "end_user",
    "seed",
    "callback_url",
    "cancel_after",
    "reserved_micros",
    "created_at",
    "resubmitted_from",
)
_position = func.generate_series(0, bindparam("outputs", type_=Integer) - 1).column_valued("one")
_new_output = (
    insert(outputs)
    .from_select(
        ("task_id", "position", "status", "hold"),
        select(
            bindparam("id", type_=Uuid),
            _position,
            literal("queued", Text),
            func.jsonb_array_element(bindparam("holds", type_=JSONB), _position),
        ),
    )
    .cte("new_output")
)
_new_task = insert(tasks).values(
    {name: bindparam(name, type_=tasks.c[name].type) for name in _INSERTED} | {"status": "queued"}
)
_created = _new_task.returning(
    tasks.c.id, tasks.c.account_id, tasks.c.token_id, tasks.c.callback_url
).cte("created")
_INSERT = Statement(
    select(_created.c.id).add_cte(
        _new_output,
        announcement(_created, literal(EventType.QUEUED.value, Text), is_final=False),
    )
)
_PLACEHOLDER = Statement(_new_task.on_conflict_do_nothing())
_INSERT_INPUT = Statement(
    insert(inputs).values(
        {column.name: bindparam(column.name, type_=column.type) for column in inputs.c}
    )
)
_SNAPSHOT_COLUMNS = [
    tasks.c[name]
    for name in (
        "id",
        "account_id",
        "token_id",
        "revision",
        "status",
        "model",
        "provider",
        "upstream_model",
        "dialect",
        "details",
        "echo",
        "facts",
        "warnings",
        "end_user",
        "seed",
        "cancel_after",
        "created_at",
        "started_at",
        "finished_at",
        "error_code",
        "error_message",
        "resubmitted_from",
        "reserved_micros",
        "charged_micros",
    )
] + [
    # Without what may be large.
    tasks.c.request.delete_path(["images"]).delete_path(["metadata"]).label("asked"),
    tasks.c.removed_at.is_not(None).label("removed"),
    outputs.c.status.label("output_status"),
    outputs.c.result.label("output_result"),
    outputs.c.error_code.label("output_error_code"),
    outputs.c.error_message.label("output_error_message"),
    case((attempts.c.status == "running", attempts.c.progress)).label("progress"),
    # While somebody holds it, it is due when the lease ends, which says nothing of the next ask.
    case((attempts.c.lease_id.is_(None), attempts.c.due_at)).label("next_ask_at"),
    attempts.c.pace["usual"].astext.cast(Double).label("usual_seconds"),
    outputs.c.hold["currency"].astext.label("currency"),
]
_sources = tasks.join(outputs, outputs.c.task_id == tasks.c.id).outerjoin(
    attempts,
    and_(
        attempts.c.task_id == tasks.c.id,
        attempts.c.position == outputs.c.position,
        # Spelled so that the planner sees that the partial index covers it.
        or_(
            attempts.c.status == "pending",
            attempts.c.status == "submitting",
            attempts.c.status == "running",
        ),
    ),
)
_snapshots = select(*_SNAPSHOT_COLUMNS).select_from(_sources)
_SNAPSHOT = Statement(
    _snapshots.where(tasks.c.id == bindparam("task_id", type_=Uuid)).order_by(outputs.c.position)
)
_unfinished = or_(tasks.c.status == "queued", tasks.c.status == "in_progress")
_known = (
    func.unnest(
        bindparam("ids", type_=ARRAY(Uuid)),
        bindparam("revisions", type_=ARRAY(Integer)),
        bindparam("progresses", type_=ARRAY(Integer)),
    )
    .table_valued(column("id", Uuid), column("revision", Integer), column("progress", Integer))
    .render_derived("known")
)
# As `_progress` has it, of an unfinished task.
progress_now = (
    select(
        func.least(
            99,
            func.sum(
                case(
                    (
                        or_(outputs.c.status == "queued", outputs.c.status == "in_progress"),
                        func.coalesce(attempts.c.progress, 0),
                    ),
                    else_=100,
                )
            )
            / func.count(),
        )
    )
    .select_from(
        outputs.outerjoin(
            attempts,
            and_(
                attempts.c.task_id == outputs.c.task_id,
                attempts.c.position == outputs.c.position,
                attempts.c.status == "running",
            ),
        )
    )
    .where(outputs.c.task_id == tasks.c.id)
    .scalar_subquery()
)
_newer = (
    select(tasks.c.id)
    .select_from(_known.join(tasks, tasks.c.id == _known.c.id))
    .where(
        or_(
            tasks.c.revision > _known.c.revision,
            and_(
                _unfinished,
                tasks.c.revision == _known.c.revision,
                progress_now > _known.c.progress,
            ),
        )
    )
    .limit(bindparam("limit", type_=Integer))
)
_NEWER = Statement(
    _snapshots.where(tasks.c.id == any_(func.array(_newer.scalar_subquery()))).order_by(
        tasks.c.id, outputs.c.position
    )
)
_tried = attempts.alias("tried")
_STUCK_FACTOR = 4
"""Times the usual time of a model, after which an unfinished task is looked at by its operator."""

_FILTERS = {
    "statuses": tasks.c.status == any_(bindparam("statuses", type_=ARRAY(Text))),
    "model": tasks.c.model == bindparam("model", type_=Text),
    "user": tasks.c.end_user == bindparam("user", type_=Text),
    "account_id": tasks.c.account_id == bindparam("account_id", type_=Uuid),
    "first_id": tasks.c.id >= bindparam("first_id", type_=Uuid),
    # Where nobody knows what is usual, it is its deadline that it has outlived.
    "stuck_at": exists().where(
        _tried.c.task_id == tasks.c.id,
        tasks.c.created_at
        + func.make_interval(
            0,
            0,
            0,
            0,
            0,
            0,
            func.coalesce(
                cast(_tried.c.pace["usual"].astext, Double) * _STUCK_FACTOR,
                cast(_tried.c.pace["deadline"].astext, Double),
            ),
        )
        < bindparam("stuck_at", type_=_TIME),
    ),
    "channel_id": exists().where(
        _tried.c.task_id == tasks.c.id, _tried.c.channel_id == bindparam("channel_id", type_=Uuid)
    ),
}


_EVERY = TaskFilter()


@cache
def _overview(filters: frozenset[str]) -> tuple[Statement, Statement]:
    """Every unfinished task, and the latest of the others, by the filters that are used."""
    wanted = [condition for name, condition in _FILTERS.items() if name in filters]
    recent = (
        select(tasks.c.id)
        .where(~_unfinished, *wanted)
        .order_by(tasks.c.id.desc())
        .limit(bindparam("limit", type_=Integer))
        .cte("recent")
    )
    return (
        Statement(
            _snapshots.where(_unfinished, *wanted).order_by(
                tasks.c.created_at.desc(), outputs.c.position
            )
        ),
        Statement(
            _snapshots.where(tasks.c.id == recent.c.id).order_by(
                tasks.c.id.desc(), outputs.c.position
            )
        ),
    )


_from, _until = bindparam("from_id", type_=Uuid), bindparam("until_id", type_=Uuid)
_after, _before = bindparam("after", type_=Uuid), bindparam("before", type_=Uuid)
_limit, _offset = bindparam("limit", type_=Integer), bindparam("offset", type_=Integer)


def _unless_null(bind: BindParameter[Any], condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """A filter that says nothing where its bind is null; the plan knows which."""
    return or_(bind.is_(None), condition)


def _equal(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    bind = bindparam(name, type_=Text)
    return _unless_null(bind, column == bind)


def _one_of(name: str, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
    bind = bindparam(name, type_=ARRAY(Text))
    return _unless_null(bind, or_(*(column == any_(bind) for column in columns)))


_matching = (
    in_sight(tasks),
    tasks.c.removed_at.is_(None),
    _equal(tasks.c.model, "model"),
    _equal(tasks.c.end_user, "user"),
    _one_of("actions", tasks.c.details["action"].astext),
    _one_of("origins", tasks.c.provider, tasks.c.dialect),
    *(
        _unless_null(bind, condition)
        for name, compare in (("created_from", ge), ("created_until", lt))
        for bind in [bindparam(name, type_=_TIME)]
        for condition in [compare(tasks.c.created_at, bind)]
    ),
    # Ids say when they were made, and they have the index.
    _unless_null(_from, tasks.c.id >= _from),
    _unless_null(_until, tasks.c.id < _until),
)


def _page(*, newest_first: bool, by_status: bool) -> CTE:
    """The ids of a part of a list, in its order."""
    is_behind = tasks.c.id < _after if newest_first else tasks.c.id > _after
    is_ahead = tasks.c.id > _before if newest_first else tasks.c.id < _before
    order = desc if newest_first else asc
    matching = select(tasks.c.id).where(
        *_matching, _unless_null(_after, is_behind), _unless_null(_before, is_ahead)
    )
    if not by_status:
        return matching.order_by(order(tasks.c.id)).offset(_offset).limit(_limit).cte("page")
    # Each status is at its own place in the index, where its tasks are in order; that of which
    # there are few is told from that of which there are many.
    wanted = bindparam("statuses", type_=ARRAY(Text))
    each = union_all(
        *(
            select(
                matching.where(
                    tasks.c.status == literal_column(f"'{status}'"),
                    literal_column(f"'{status}'", Text) == any_(wanted),
                )
                .order_by(order(tasks.c.id))
                .limit(_offset + _limit)
                .subquery()
            )
            for status in TaskStatus
        )
    ).subquery("each")
    return select(each.c.id).order_by(order(each.c.id)).offset(_offset).limit(_limit).cte("page")


_SIZE = func.octet_length(tasks.c.echo.cast(Text)) + func.octet_length(tasks.c.request.cast(Text))
_EXTERNAL_ID = "external_task_id"
_SLIM_COLUMNS = [
    *(column for column in _SNAPSHOT_COLUMNS if column.name not in {"echo", "asked"}),
    func.jsonb_strip_nulls(
        func.jsonb_build_object(_EXTERNAL_ID, tasks.c.echo[_EXTERNAL_ID]), type_=JSONB
    ).label("echo"),
    tasks.c.request.delete_path(["images"])
    .delete_path(["metadata"])
    .delete_path(["prompt"])
    .label("asked"),
]
_VALUE_BYTES = 100
"""What a JSON value counts for, beside its text, in how much work a request is."""

_LISTED_AT_ONCE = 33
"""Rows read at once: all of most lists, and not too many of large tasks."""


def _listing(*, newest_first: bool, slim: bool, by_status: bool) -> Statement:
    """A part of a list; not a slim one ends with the row that makes it too large."""
    order = tasks.c.id.desc() if newest_first else tasks.c.id.asc()
    page = _page(newest_first=newest_first, by_status=by_status)
    if slim:
        return Statement(
            select(*_SLIM_COLUMNS, literal(0).label("upto"))
            .select_from(_sources)
            .where(tasks.c.id == page.c.id)
            .order_by(order, outputs.c.position)
        )
    page_order = page.c.id.desc() if newest_first else page.c.id.asc()
    sized = (
        select(
            page.c.id, func.sum(_SIZE).over(order_by=page_order).label("upto"), _SIZE.label("own")
        )
        .where(tasks.c.id == page.c.id)
        .cte("sized")
    )
    return Statement(
        select(*_SNAPSHOT_COLUMNS, sized.c.upto)
        .select_from(_sources)
        .where(tasks.c.id == sized.c.id, sized.c.upto - sized.c.own < LIST_BYTES)
        .order_by(order, outputs.c.position)
    )


_LISTINGS = {
    (newest_first, slim, by_status): _listing(
        newest_first=newest_first, slim=slim, by_status=by_status
    )
    for newest_first in (True, False)
    for slim in (True, False)
    for by_status in (True, False)
}
_CLOCKS = timedelta(minutes=1)
"""How far from its time an id may be that an earlier version made by its own clock."""

_PLAN_FOR_THESE = Statement(text("SET LOCAL plan_cache_mode = force_custom_plan"))
"""A plan for any account and filters walks everybody's tasks, to fill a page of one with few."""

_REMOVE = Statement(
    update(tasks)
    .values(removed_at=func.now(), amended_at=func.now())
    .where(
        tasks.c.id == bindparam("task_id", type_=Uuid),
        tasks.c.removed_at.is_(None),
        ~_unfinished,
    )
)
_AMENDED = Statement(
    select(tasks.c.id).where(tasks.c.amended_at > func.now() - bindparam("window", type_=Interval))
)
# As text: a large one is read in a thread.
_REQUEST = Statement(
    select(tasks.c.request.cast(Text).label("request")).where(
        tasks.c.id == bindparam("task_id", type_=Uuid)
    )
)
_ORIGIN = Statement(
    select(tasks.c.token_id, tasks.c.callback_url).where(
        tasks.c.id == bindparam("task_id", type_=Uuid)
    )
)
_INPUTS = Statement(
    select(inputs.c.position, inputs.c.media_type, inputs.c.content)
    .where(inputs.c.task_id == bindparam("task_id", type_=Uuid))
    .order_by(inputs.c.position)
)
_OUTLINE = Statement(
    select(inputs.c.position, inputs.c.media_type, literal(b"").label("content"))
    .where(inputs.c.task_id == bindparam("task_id", type_=Uuid))
    .order_by(inputs.c.position)
)
_renewed = (
    update(outputs)
    .values(result=bindparam("result", type_=JSONB))
    .where(
        outputs.c.task_id == bindparam("task_id", type_=Uuid),
        outputs.c.position == bindparam("position", type_=Integer),
        outputs.c.status == "succeeded",
    )
    .returning(outputs.c.task_id)
    .cte("renewed")
)
# With the revision, so that no process goes back to the old link.
_RENEW_RESULT = Statement(
    update(tasks)
    .values(revision=tasks.c.revision + 1, amended_at=func.now())
    .where(tasks.c.id == _renewed.c.task_id)
)
_DELETE_ATTEMPT = Statement(
    delete(attempts).where(
        attempts.c.id == any_(bindparam("attempt_ids", type_=ARRAY(Uuid))),
        or_(
            attempts.c.lease_id == any_(bindparam("lease_ids", type_=ARRAY(Uuid))),
            and_(attempts.c.status == "pending", attempts.c.lease_id.is_(None)),
        ),
    )
)
_DELETE_INPUTS = Statement(
    delete(inputs).where(inputs.c.task_id == bindparam("task_id", type_=Uuid))
)
_DELETE_OUTPUTS = Statement(
    delete(outputs).where(outputs.c.task_id == bindparam("task_id", type_=Uuid))
)
_DELETE_TASK = Statement(delete(tasks).where(tasks.c.id == bindparam("task_id", type_=Uuid)))


class _TakenUpError(Exception):
    """A worker has an attempt of a task that was to be undone."""


class TaskStore:
    """What clients ask for. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        task: NewTask,
        *options: Sequence[NewAttempt],
        once: IdempotencyClaim | None = None,
        admission: Admission | None = None,
    ) -> list[Attempt]:
        """Store a task with its outputs, its inline media and the first attempt of each output.

        Args:
            task: The task.
            *options: For each output, attempts at different channels. The first whose channel has
                a slot is taken, and the first of all, to wait, where none has.
            once: By what a repetition is recognised, `None` if it is not to be.
            admission: The limits that it is held against; told how they stand.

        Returns:
            The attempts, each `SUBMITTING` and leased if its channel has a slot, else `PENDING`.

        Raises:
            RepeatedError: There is a task of that key already; nothing was stored.
            ChannelBusyError: An output would wait, and must not; nothing was stored.
            InsufficientQuotaError: The account cannot pay for it, or a budget is used up; nothing
                was stored.
            RateLimitError: A limit is used up; nothing was stored.
            DatabaseUnavailableError: It may or may not have been stored.
        """
        try:
            return await self._create(task, *options, once=once, admission=admission)
        except RequestError:
            if admission is not None:
                admission.undo()
            raise

    async def _create(
        self,
        task: NewTask,
        *options: Sequence[NewAttempt],
        once: IdempotencyClaim | None,
        admission: Admission | None,
    ) -> list[Attempt]:
        holds = task.holds(options)
        binds = await _bind(task, holds)
        async with self._database.transaction() as transaction:
            if once is not None:
                await claim_key(transaction, once, task.account_id, task.id, task.created_at)
            if admission is not None:
                admission.begin()
                await take_rates(transaction, admission, task.created_at)
            await transaction.fetch(
                _INSERT,
                **binds,
                outputs=len(options),
                holds=[hold.to_document() for hold in holds] or None,
                now=task.created_at,
            )
            if task.cancel_after is not None:
                due_at = task.created_at + task.cancel_after
                await insert_cancellation(transaction, task.id, task.account_id, due_at)
            for position, media_type, content in task.inputs:
                await transaction.execute(
                    _INSERT_INPUT,
                    task_id=task.id,
                    position=position,
                    media_type=media_type,
                    content=content,
                )
            if task.resubmission is not None:
                await write_act(transaction, _resubmitted(task, task.resubmission))
            made = [await insert_attempt(transaction, *one) for one in options]
            if any(
                one.status is AttemptStatus.PENDING and one.deadline_at <= task.created_at
                for one in made
            ):
                raise ChannelBusyError
            owner = {"account_id": task.account_id, "token_id": task.token_id}
            if admission is not None:
                await take_places(transaction, admission, made, **owner, now=task.created_at)
            # Last of all, so that nobody who waits for the balance keeps others waiting.
            windows: list[int] = []
            if admission is not None:
                windows = await take_budgets(
                    transaction,
                    admission,
                    task_id=task.id,
                    model=task.model,
                    outputs=len(options),
                    micros=sum(hold.micros for hold in holds),
                    now=task.created_at,
                )
            await reserve(transaction, holds, **owner, task_id=task.id, windows=windows)
            return made

    async def abandon(
        self,
        task: NewTask,
        *options: Sequence[NewAttempt],
        once: IdempotencyClaim | None = None,
    ) -> bool:
        """Undo a `create` whose commit went unanswered, so that no worker submits the task.

        Returns:
            Whether nothing is left of it. `False`: a worker took some of it up in between, or a
            repetition was told of it, and it runs.
        """
        try:
            return await self._abandon(task, *options, once=once)
        except _TakenUpError:
            return False

    async def _abandon(
        self, task: NewTask, *options: Sequence[NewAttempt], once: IdempotencyClaim | None
    ) -> bool:
        task_id, holds = task.id, task.holds(options)
        binds = await _bind(task, holds)
        async with self._database.transaction() as transaction:
            # The commit may still be under way at the server: a row of the same id waits for its
            # end, and before that nobody can say that there is nothing.
            if await transaction.execute(_PLACEHOLDER, **binds):
                await transaction.execute(_DELETE_TASK, task_id=task_id)
                return True
            if once is not None and await is_acknowledged(
                transaction, once, task.account_id, task_id
            ):
                return False
            deleted = await transaction.execute(
                _DELETE_ATTEMPT,
                attempt_ids=[option.id for one in options for option in one],
                lease_ids=[option.lease.id for one in options for option in one],
            )
            if deleted < len(options):
                raise _TakenUpError
            await give_back(
                transaction, account_id=task.account_id, token_id=task.token_id, task_id=task_id
            )
            await transaction.execute(DELETE_DELIVERIES, task_id=task_id)
            await transaction.execute(_DELETE_INPUTS, task_id=task_id)
            await transaction.execute(_DELETE_OUTPUTS, task_id=task_id)
            await transaction.execute(_DELETE_TASK, task_id=task_id)
            if once is not None:
                await release_key(transaction, once, task.account_id, task_id)
        return True

    async def forget_webhooks(self, task_id: UUID) -> None:
        """Tell nobody of a task whose client was answered with an error, not with its id."""
        await self._database.execute(DELETE_DELIVERIES, task_id=task_id)

    async def snapshot(self, task_id: UUID) -> TaskSnapshot | None:
        """Read one task as it stands, or `None`."""
        rows = await self._database.fetch(_SNAPSHOT, task_id=task_id)
        return _to_snapshot(rows) if rows else None

    async def snapshots(self, ids: Sequence[UUID]) -> dict[UUID, TaskSnapshot]:
        """Read tasks as they stand, by one statement; those that do not exist are missing."""
        if len(ids) == 1:
            found = await self.snapshot(ids[0])
            return {} if found is None else {ids[0]: found}
        read = await self.newer(dict.fromkeys(ids, (-1, -1)), limit=len(ids))
        return {snapshot.id: snapshot for snapshot in read}

    async def of_keys(self, account_id: UUID, keys: Sequence[str]) -> dict[str, UUID]:
        """The tasks that were made by these idempotency keys, as far as they are known."""
        return await tasks_of_keys(self._database, account_id, keys)

    async def newer(
        self, known: Mapping[UUID, tuple[int, int]], *, limit: int
    ) -> list[TaskSnapshot]:
        """Read those tasks that have changed, by one statement for all of them.

        Args:
            known: The `version` that is known of each.
            limit: How many at most.
        """
        rows = await self._database.fetch(
            _NEWER,
            ids=list(known),
            revisions=[revision for revision, _ in known.values()],
            progresses=[progress for _, progress in known.values()],
            limit=limit,
        )
        return [_to_snapshot(list(group)) for _, group in groupby(rows, lambda row: row["id"])]

    async def page(
        self,
        sight: Sight,
        query: TaskQuery,
        *,
        after: UUID | None = None,
        before: UUID | None = None,
    ) -> TaskPage:
        """List tasks.

        Args:
            sight: Which tasks there are.
            query: Which; its `after` and `before` were looked up.
            after: Behind which to begin.
            before: Ahead of which to end.
        """
        if not query.is_backwards:
            return await self._walk(sight, query, after=after, before=before)
        # From there in the other direction.
        query = replace(query, newest_first=not query.newest_first)
        page = await self._walk(sight, query, after=before, before=None)
        return replace(page, tasks=page.tasks[::-1])

    async def _walk(
        self, sight: Sight, query: TaskQuery, *, after: UUID | None, before: UUID | None
    ) -> TaskPage:
        found: list[TaskSnapshot] = []
        size, wanted = 0, query.limit + 1  # one too many shows that something follows
        while True:
            # A few at once: nobody holds a connection, or memory, for a list of large tasks.
            limit = min(wanted - len(found), _LISTED_AT_ONCE)
            rows = await self._listed(sight, query, after=after, before=before, limit=limit)
            part = [_to_snapshot(list(group)) for _, group in groupby(rows, lambda row: row["id"])]
            found += part
            size += int(rows[-1]["upto"]) if rows else 0
            if len(found) == wanted or (len(part) < limit and size < LIST_BYTES):
                break
            after, query = part[-1].id, replace(query, offset=0)
            if size >= LIST_BYTES:
                rest = replace(query, slim=True)
                more = await self._listed(sight, rest, after=after, before=before, limit=1)
                return TaskPage(tasks=tuple(found), has_more=bool(more))
        return TaskPage(tasks=tuple(found[: query.limit]), has_more=len(found) > query.limit)

    async def _listed(
        self,
        sight: Sight,
        query: TaskQuery,
        *,
        after: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[Record]:
        binds: dict[str, Any] = {
            **sight_binds(sight),
            "after": after,
            "before": before,
            "offset": query.offset,
            "limit": limit,
            "model": query.model,
            "user": query.user,
            "actions": list(query.actions) or None,
            "origins": None if query.origin is None else [query.origin],
            "created_from": query.created_from,
            "created_until": query.created_until,
            "from_id": query.created_from and first_id(query.created_from - _CLOCKS),
            "until_id": query.created_until and first_id(query.created_until + _CLOCKS),
        }
        if query.statuses:
            binds["statuses"] = [status.value for status in query.statuses]
        statement = _LISTINGS[query.newest_first, query.slim, bool(query.statuses)]
        async with self._database.transaction() as transaction:
            await transaction.execute(_PLAN_FOR_THESE)
            return await transaction.fetch(statement, **binds)

    async def remove(self, task_id: UUID) -> bool:
        """Hide a final task from its client; `False` if it is not final, or removed already."""
        return await self._database.execute(_REMOVE, task_id=task_id) == 1

    async def amended(self, window: timedelta) -> list[UUID]:
        """The final tasks that were changed or removed lately."""
        return [row["id"] for row in await self._database.fetch(_AMENDED, window=window)]

    async def request(self, task_id: UUID, *, whole: bool = True) -> VideoRequest:
        """Read back what the client asked for.

        Args:
            task_id: Of which task.
            whole: Whether with its inline media, which may be large; otherwise they are empty.

        Raises:
            KeyError: There is no such task, or its inline media are deleted already.
        """
        row = await self._database.fetch_one(_REQUEST, task_id=task_id)
        if row is None:
            raise KeyError(task_id)
        stored = await self._database.fetch(_INPUTS if whole else _OUTLINE, task_id=task_id)
        inline: list[StoredInput] = [
            (one["position"], one["media_type"], one["content"]) for one in stored
        ]
        text: str = row["request"]
        size = len(text) + sum(len(content) for _, _, content in inline)
        work = size + _VALUE_BYTES * text.count(",")
        if work >= HEAVY_BYTES:
            request = await asyncio.to_thread(_to_request, text, inline)
        else:
            request = _to_request(text, inline)
        return replace(request, work_bytes=work)

    async def origin(self, task_id: UUID) -> tuple[UUID, str | None]:
        """By which token a task was made, and what its `callback_url` is."""
        row = await self._database.fetch_one(_ORIGIN, task_id=task_id)
        if row is None:
            raise KeyError(task_id)
        return row["token_id"], row["callback_url"]

    async def renew_result(self, task_id: UUID, position: int, result: VideoResult) -> bool:
        """Put new links in the place of a finished video's old ones; its state stays.

        Returns:
            Whether there is such a video.
        """
        changed = await self._database.execute(
            _RENEW_RESULT, task_id=task_id, position=position, result=write_result(result)
        )
        return changed == 1

    async def overview(self, *, limit: int, only: TaskFilter = _EVERY) -> list[TaskSnapshot]:
        """Read every unfinished task and the latest `limit` others, newest first.

        Args:
            limit: How many finished ones at most.
            only: Which.
        """
        binds: dict[str, Any] = {
            "statuses": [status.value for status in only.statuses] or None,
            "model": only.model,
            "user": only.user,
            "account_id": only.account_id,
            "channel_id": only.channel_id,
            "stuck_at": only.stuck_at,
            "first_id": first_id(only.made_since) if only.made_since else None,
        }
        binds = {name: value for name, value in binds.items() if value is not None}
        unfinished, recent = _overview(frozenset(binds))
        rows = await self._database.fetch(unfinished, **binds)
        if only.stuck_at is None:
            rows += await self._database.fetch(recent, limit=limit, **binds)
        return [_to_snapshot(list(group)) for _, group in groupby(rows, lambda row: row["id"])]


def _to_request(text: str, inline: list[StoredInput]) -> VideoRequest:
    return read_request(json.loads(text), inline)


async def _bind(task: NewTask, holds: Sequence[Hold]) -> dict[str, Any]:
    reserved = sum(hold.micros for hold in holds)
    binds = await asyncio.to_thread(_task_binds, task) if task.is_heavy else _task_binds(task)
    return {**binds, "reserved_micros": reserved}


def _task_binds(task: NewTask) -> dict[str, Any]:
    return {
        "id": task.id,
        "account_id": task.account_id,
        "token_id": task.token_id,
        "dialect": task.dialect,
        "model": task.model,
        "provider": task.provider,
        "upstream_model": task.upstream_model,
        "request": Json.of(task.document),
        "details": Json.of(task.details),
        "echo": Json.of(task.echo),
        "facts": Json.of(task.facts),
        "warnings": write_warnings(task.warnings),
        "end_user": task.end_user,
        "seed": task.seed,
        "callback_url": task.callback_url,
        "cancel_after": None if task.cancel_after is None else write_span(task.cancel_after),
        "created_at": task.created_at,
        "resubmitted_from": task.resubmission.source if task.resubmission else None,
    }


def _resubmitted(task: NewTask, resubmission: Resubmission) -> Act:
    return Act(
        author=resubmission.author,
        name="task.resubmit",
        subject=public_id(TASK_PREFIX, resubmission.source),
        after={"task_id": public_id(TASK_PREFIX, task.id)},
    )


def _to_snapshot(rows: Sequence[Record]) -> TaskSnapshot:
    row = rows[0]
    status = TaskStatus(row["status"])
    return TaskSnapshot(
        id=row["id"],
        account_id=row["account_id"],
        token_id=row["token_id"],
        revision=row["revision"],
        status=status,
        model=row["model"],
        provider=row["provider"],
        upstream_model=row["upstream_model"],
        dialect=row["dialect"],
        details=_details(row),
        echo=row["echo"],
        asked=row["asked"],
        facts=row["facts"],
        warnings=read_warnings(row["warnings"]),
        user=row["end_user"],
        seed=row["seed"],
        cancel_after=row["cancel_after"],
        progress=_progress(status, rows),
        next_ask_at=min((one["next_ask_at"] for one in rows if one["next_ask_at"]), default=None),
        usual=_span(max((one["usual_seconds"] or 0 for one in rows), default=0)),
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        removed=row["removed"],
        error=_to_error(row["error_code"], row["error_message"]),
        cost=None
        if row["currency"] is None
        else TaskCost(
            currency=row["currency"],
            reserved_micros=row["reserved_micros"],
            charged_micros=row["charged_micros"] or 0,
        ),
        outputs=tuple(
            OutputSnapshot(
                status=TaskStatus(one["output_status"]),
                result=read_result(one["output_result"]) if one["output_result"] else None,
                error=_to_error(one["output_error_code"], one["output_error_message"]),
            )
            for one in rows
        ),
    )


def _details(row: Record) -> dict[str, Any]:
    """What the client is told of a translation, which changes with the channel, and of a repair."""
    details: dict[str, Any] = row["details"]
    source = row["resubmitted_from"]
    return (
        details
        if source is None
        else details | {"resubmitted_from": public_id(TASK_PREFIX, source)}
    )


def _progress(status: TaskStatus, outputs: Sequence[Record]) -> int:
    """The mean of the outputs."""
    if status.is_final:
        return 100
    made = (
        100 if TaskStatus(output["output_status"]).is_final else output["progress"] or 0
        for output in outputs
    )
    # 100 is kept for what is final: a provider says it before its link is there.
    return min(99, sum(made) // len(outputs))


def _span(seconds: float) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds else None


def _to_error(code: str | None, message: str | None) -> TaskError | None:
    return None if code is None else TaskError(code, message or "")
