"""Attempts: claimed by lease, written back by compare-and-set."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from vidgate.constants import CLAIM_BATCH
from vidgate.db import attempt_statements as sql
from vidgate.db.channel_limits import Room, channel_limits, channel_room
from vidgate.db.documents import read_result, write_result, write_warnings
from vidgate.db.engine import Database, Record, Transaction
from vidgate.db.ledger import close_output, record_cost
from vidgate.db.places import has_place, is_waited_for, rooms_at
from vidgate.db.releases import Releases
from vidgate.exceptions import LeaseLostError, NoChannelError
from vidgate.models.attempts import Ask, Attempt, JobPace, Lease
from vidgate.models.limits import Limit
from vidgate.models.money import Quote
from vidgate.models.outcomes import Fault, UpstreamRef, VideoResult
from vidgate.models.tasks import AttemptStatus, TaskError, TaskStatus, TaskWarning
from vidgate.models.webhooks import FINAL_EVENTS

__all__ = ["AttemptStore", "NewAttempt", "finish_output", "insert_attempt", "to_attempt"]

_NO_ROOMS: Final[Mapping[UUID, int]] = {}
_CANCELLED = TaskError("cancelled", "The task was cancelled before it was submitted.")
_DISCARDED = TaskError(
    "cancelled", "The task was cancelled after it was submitted; what is made of it is discarded."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttempt:
    """An attempt to store: leased for its submit where its channel has a slot, else waiting.

    Attributes:
        lease: For the submit; its end must lie beyond `submit_ends_at`.
        max_concurrency: The channel's, `None` for no limit.
        deadline_at: When the wait for a slot, or for an answer to the submit, is given up.
        wait_until: It waits at least so long, whether there is a slot or not; `None` not to.
        price: What its video is charged by, `None` for nothing.
        limits: Of its channel.
    """

    id: UUID
    task_id: UUID
    position: int = 0
    number: int = 1
    channel_id: UUID
    credential_id: UUID
    provider: str
    upstream_model: str
    endpoint: str
    correlation: str
    pace: JobPace
    created_at: datetime
    deadline_at: datetime
    submit_ends_at: datetime
    lease: Lease
    max_concurrency: int | None = None
    wait_until: datetime | None = None
    price: Quote | None = None
    limits: tuple[Limit, ...] = ()

    @property
    def cost_micros(self) -> int:
        """What its job is expected to cost."""
        return 0 if self.price is None else (self.price.cost or self.price).micros()

    @property
    def needs_lock(self) -> bool:
        """Whether its channel counts what it takes."""
        return self.max_concurrency is not None or bool(self.limits)


async def insert_attempt(transaction: Transaction, *options: NewAttempt) -> Attempt:
    """Store the first attempt whose channel has a slot, leased for its submit; else the first.

    Returns:
        It is `SUBMITTING` if it may be submitted now; otherwise it is `PENDING`.

    Raises:
        NoChannelError: It is an output's first, and the budgets of all channels are used up.
    """
    # In one order for everybody, so that nobody waits for a lock in a circle.
    for channel_id in sorted(option.channel_id for option in options if option.needs_lock):
        await transaction.execute(sql.LOCK_CHANNEL, channel=str(channel_id))
    waits_at: NewAttempt | None = None
    for option in options:
        room = await _room(transaction, option)
        if room is Room.FULL:
            waits_at = waits_at or option
        if room is Room.FREE:
            if option.max_concurrency is not None:
                await transaction.execute(
                    sql.TAKE_TURN, channel_id=option.channel_id, task_id=option.task_id
                )
            return await _insert(transaction, option, has_slot=True)
    if waits_at is None and options[0].number == 1:
        raise NoChannelError(
            "The budgets of all channels for this model are used up; try again later, or ask the "
            "operator to raise one."
        )
    return await _insert(transaction, waits_at or options[0], has_slot=False)


async def _insert(transaction: Transaction, new: NewAttempt, *, has_slot: bool) -> Attempt:
    row = await transaction.fetch_one(
        sql.INSERT,
        id=new.id,
        task_id=new.task_id,
        position=new.position,
        number=new.number,
        channel_id=new.channel_id,
        credential_id=new.credential_id,
        provider=new.provider,
        upstream_model=new.upstream_model,
        endpoint=new.endpoint,
        correlation=new.correlation,
        status="submitting" if has_slot else "pending",
        pace=new.pace.to_document(),
        due_at=new.lease.until if has_slot else new.wait_until or new.created_at,
        lease_id=new.lease.id if has_slot else None,
        lease_until=new.lease.until if has_slot else None,
        deadline_at=new.deadline_at,
        sent_at=new.created_at if has_slot else None,
        submit_ends_at=new.submit_ends_at if has_slot else None,
        created_at=new.created_at,
        price=new.price.to_document() if new.price else None,
        cost_micros=new.cost_micros if new.limits else None,
    )
    assert row is not None  # noqa: S101 - an insert that returns has a row
    return to_attempt(row)


async def _room(transaction: Transaction, new: NewAttempt) -> Room:
    if not await _has_slot(transaction, new):
        return Room.FULL
    return await channel_room(
        transaction, new.channel_id, new.limits, micros=new.cost_micros, now=new.created_at
    )


async def _has_slot(transaction: Transaction, new: NewAttempt) -> bool:
    now = new.created_at
    if new.wait_until is not None:
        return False
    if new.max_concurrency is not None:
        free, waits = await _count_slots(transaction, new.channel_id, new.max_concurrency, now=now)
        # Who waits already goes first, unless they wait for places of their own account.
        if free == 0 or (waits and await is_waited_for(transaction, new.channel_id, now)):
            return False
    # What a request begins at once is counted when all of it is stored.
    return new.number == 1 or await has_place(transaction, new.task_id, now)


async def _count_slots(
    transaction: Transaction, channel_id: UUID, max_concurrency: int, *, now: datetime
) -> tuple[int, bool]:
    """Count free slots, and tell whether somebody waits; the channel's lock must be held."""
    row = await transaction.fetch_one(sql.COUNT_SLOTS, channel_id=channel_id, now=now)
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return max(0, max_concurrency - row["taken"]), row["is_waited_for"]


class _NoRoomError(Exception):
    """A channel does not take what was started; ends the transaction."""


class _NoPlaceError(Exception):
    """It would have to wait; ends the transaction."""


async def _insert_at_once(transaction: Transaction, new: NewAttempt) -> Attempt:
    made = await insert_attempt(transaction, new)
    if made.status is AttemptStatus.PENDING:
        raise _NoPlaceError
    return made


async def _end_for_another(
    transaction: Transaction,
    attempt: Attempt,
    lease: Lease,
    *,
    fault: Fault,
    now: datetime,
    unknown: bool = False,
) -> None:
    ended = await transaction.fetch_one(
        sql.FINISH_ATTEMPT,
        attempt_id=attempt.id,
        lease_id=lease.id,
        status="unknown" if unknown else "failed",
        due_at=None,
        result=None,
        fault_kind=fault.kind.value,
        fault_code=fault.code,
        fault_message=fault.message,
        polls=attempt.polls,
        now=now,
    )
    if ended is None:
        raise LeaseLostError
    if unknown and _has_cost(ended):
        await record_cost(transaction, attempt, ended["price"], state="unknown", result=None)


class AttemptStore:
    """Everything workers do to attempts. Each method is one transaction.

    Methods that write back take the lease under which the attempt was claimed and raise
    `LeaseLostError`, having changed nothing, when it is no longer theirs.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._releases = Releases(database)

    # Claiming

    async def claim(
        self,
        *,
        lease: Lease,
        now: datetime,
        rooms: Mapping[UUID, int] = _NO_ROOMS,
        limit: int,
        batch: int = CLAIM_BATCH,
    ) -> list[Attempt]:
        """Lease attempts that are due to be asked about or recovered, longest due first.

        Args:
            lease: What they are leased under.
            now: Database time.
            rooms: How many of a channel's attempts are taken at most, by channel.
            limit: Likewise for every channel that is missing there.
            batch: How many are taken in all. Channels where something is due have equal shares of
                it, of at least one attempt.
        """
        rows = await self._database.fetch(
            sql.CLAIM,
            now=now,
            groups=list(rooms),
            rooms=list(rooms.values()),
            limit=limit,
            batch=batch,
            lease_id=lease.id,
            lease_until=lease.until,
        )
        return [to_attempt(row) for row in rows]

    async def claim_overdue(self, *, lease: Lease, now: datetime, limit: int) -> list[Attempt]:
        """Lease attempts that have waited for a slot for too long."""
        rows = await self._database.fetch(
            sql.CLAIM_OVERDUE, now=now, limit=limit, lease_id=lease.id, lease_until=lease.until
        )
        return [to_attempt(row) for row in rows]

    async def waiting_channels(self, now: datetime) -> list[UUID]:
        """The channels that have attempts whose next submit is due."""
        return [row["channel_id"] for row in await self._database.fetch(sql.WAITING, now=now)]

    async def start_waiting(
        self,
        channel_id: UUID,
        *,
        credential_id: UUID,
        max_concurrency: int | None,
        lease_id: UUID,
        margin: timedelta,
        now: datetime,
        limit: int,
    ) -> list[tuple[Attempt, Lease]]:
        """Lease attempts of one channel for their submit, as many as it has slots, turn by turn.

        Args:
            channel_id: The channel.
            credential_id: Its credential of the moment, to which they are pinned from now on.
            max_concurrency: Its slots, `None` for no limit.
            lease_id: Of the leases; each ends `margin` after the submit's own deadline.
            margin: For what follows the submit.
            now: Database time.
            limit: How many at most.
        """
        started: list[tuple[Attempt, Lease]] = []
        while len(started) < limit:
            try:
                some, may_go_on = await self._start(
                    channel_id,
                    credential_id=credential_id,
                    max_concurrency=max_concurrency,
                    lease_id=lease_id,
                    margin=margin,
                    now=now,
                    limit=limit - len(started),
                )
            except _NoRoomError:
                break
            started += some
            if not may_go_on:
                break
        return started

    async def _start(
        self,
        channel_id: UUID,
        *,
        credential_id: UUID,
        max_concurrency: int | None,
        lease_id: UUID,
        margin: timedelta,
        now: datetime,
        limit: int,
    ) -> tuple[list[tuple[Attempt, Lease]], bool]:
        """Start as many as fit, or one where each has to fit the limits of the channel.

        Returns:
            What was started, and whether there may be room for more.

        Raises:
            _NoRoomError: The channel does not take the one.
        """
        async with self._database.transaction() as transaction:
            await transaction.execute(sql.LOCK_CHANNEL, channel=str(channel_id))
            if max_concurrency is not None:
                free, _ = await _count_slots(transaction, channel_id, max_concurrency, now=now)
                limit = min(limit, free)
            limits = await channel_limits(transaction, channel_id)
            if limits:
                limit = min(limit, 1)
            if limit == 0:
                return [], False
            rooms = await rooms_at(transaction, channel_id, now)
            rows = await transaction.fetch(
                sql.START_WAITING,
                channel_id=channel_id,
                credential_id=credential_id,
                now=now,
                limit=limit,
                owners=list(rooms),
                rooms=list(rooms.values()),
                lease_id=lease_id,
                margin=margin,
            )
            if rows and limits:
                room = await channel_room(
                    transaction, channel_id, limits, micros=0, now=now, is_stored=True
                )
                if room is not Room.FREE:
                    raise _NoRoomError
        started = []
        for row in rows:
            members = dict(row)
            lease = Lease(lease_id, members.pop("lease_until"))
            started.append((to_attempt(members), lease))
        return started, bool(limits and started)

    async def first_waiting(
        self,
        channel_id: UUID,
        *,
        now: datetime,
        limit: int,
        left_out: Collection[UUID] = (),
        may_begin: bool = False,
    ) -> list[Attempt]:
        """Look at the waiting attempts of one channel whose turn is next; they stay as they are.

        Args:
            channel_id: The channel.
            now: Database time.
            limit: How many at most.
            left_out: Which not.
            may_begin: Whether only those whose account and token have room for them under way.
        """
        async with self._database.transaction() as transaction:
            rooms: dict[UUID, int] = {}
            if may_begin:
                rooms = await rooms_at(transaction, channel_id, now, is_locked=False)
            rows = await transaction.fetch(
                sql.FIRST_WAITING,
                channel_id=channel_id,
                now=now,
                limit=limit,
                owners=list(rooms),
                rooms=list(rooms.values()),
                left_out=list(left_out),
            )
        return [to_attempt(row) for row in rows]

    async def take_waiting(self, attempt_id: UUID, *, lease: Lease, now: datetime) -> bool:
        """Lease one waiting attempt to move it elsewhere; `False` if somebody else has it."""
        changed = await self._database.execute(
            sql.TAKE_WAITING,
            attempt_id=attempt_id,
            lease_id=lease.id,
            lease_until=lease.until,
            now=now,
        )
        return changed == 1

    async def note_turn(self, channel_id: UUID, task_id: UUID) -> None:
        """Take note that what waited at a channel had its turn, although it began elsewhere."""
        await self._database.execute(sql.TAKE_TURN, channel_id=channel_id, task_id=task_id)

    # Writing back

    async def release(
        self, attempt: Attempt, lease: Lease, now: datetime, *, said: str | None = None
    ) -> None:
        """Write the attempt's counters, state and next due time, and give the lease back.

        Args:
            attempt: As it is to be.
            lease: Under which it was claimed.
            now: Database time.
            said: What its provider answered, kept where it is news; `None` if it was not asked.
        """
        is_news, before_at = said not in (None, attempt.said), attempt.asked_at
        if said is not None:
            attempt = replace(attempt, asks=attempt.asks + 1, asked_at=now, said=said)
        values = {name: getattr(attempt, name) for name in sql.RELEASED}
        values |= {"attempt_id": attempt.id, "lease_id": lease.id, "now": now}
        values |= {"is_news": is_news, "before_at": before_at}
        if not await self._releases.write({**values, "status": attempt.status.value}):
            raise LeaseLostError

    async def restart(
        self, attempt: Attempt, lease: Lease, *, new: Lease, submit_ends_at: datetime, now: datetime
    ) -> Attempt:
        """Lease the attempt anew for another submit of the same job."""
        changed = await self._database.execute(
            sql.RESUBMIT,
            attempt_id=attempt.id,
            old_lease_id=lease.id,
            lease_id=new.id,
            lease_until=new.until,
            submit_ends_at=submit_ends_at,
            now=now,
        )
        _expect_one(changed)
        return replace(
            attempt,
            status=AttemptStatus.SUBMITTING,
            sent_at=now,
            submit_ends_at=submit_ends_at,
            tries=attempt.tries + 1,
            misses=0,
            doubts=attempt.doubts + 1,
            find_page=None,
            fault_kind=None,
            fault_code=None,
            fault_message=None,
        )

    async def accept(
        self,
        attempt: Attempt,
        lease: Lease,
        *,
        ref: UpstreamRef,
        due_at: datetime,
        deadline_at: datetime,
        details: Mapping[str, Any] | None,
        facts: Mapping[str, Any] | None,
        warnings: Sequence[TaskWarning] | None,
        seed: int | None,
        now: datetime,
    ) -> None:
        """Record that the job exists, and with it that the task is in progress.

        Raises:
            LeaseLostError: Another worker took the attempt over; it was written nothing.
        """
        row = await self._database.fetch_one(
            sql.ACCEPT,
            attempt_id=attempt.id,
            lease_id=lease.id,
            ref_id=ref.id,
            ref_kind=ref.kind,
            due_at=due_at,
            deadline_at=deadline_at,
            provider=attempt.provider,
            upstream_model=attempt.upstream_model,
            details=None if details is None else dict(details),
            facts=None if facts is None else dict(facts),
            warnings=None if warnings is None else write_warnings(warnings),
            seed=seed,
            now=now,
        )
        if row is None:
            raise LeaseLostError

    async def finish(
        self,
        attempt: Attempt,
        lease: Lease,
        *,
        status: AttemptStatus,
        now: datetime,
        result: VideoResult | None = None,
        fault: Fault | None = None,
        error: TaskError | None = None,
        follow_at: datetime | None = None,
        told_at: datetime | None = None,
    ) -> bool:
        """Record how an attempt, and with it its output and perhaps its task, ended.

        Args:
            attempt: As claimed; its `polls` are written.
            lease: Under which it was claimed.
            status: How the attempt ended.
            now: Database time.
            result: The video; then the output succeeds, otherwise it fails.
            fault: What the provider said, for the operator.
            error: What the client is told.
            follow_at: When to ask again for the operator's books, `None` not to.
            told_at: When webhooks may tell of the end of the task, `None` for at once.

        Returns:
            Whether this made the task final.
        """
        async with self._database.transaction() as transaction:
            ended = await transaction.fetch_one(
                sql.FINISH_ATTEMPT,
                attempt_id=attempt.id,
                lease_id=lease.id,
                status=status.value,
                due_at=follow_at,
                result=write_result(result) if result else None,
                fault_kind=fault.kind.value if fault else None,
                fault_code=fault.code if fault else None,
                fault_message=fault.message if fault else None,
                polls=attempt.polls,
                now=now,
            )
            if ended is None:
                raise LeaseLostError
            state = "failed" if fault is not None and fault.is_paid else _COSTS.get(status)
            if _has_cost(ended) and state is not None:
                await record_cost(transaction, attempt, ended["price"], state=state, result=result)
            end = await finish_output(
                transaction,
                attempt.task_id,
                attempt.position,
                result=result,
                error=error,
                told_at=told_at,
                now=now,
            )
            return end is not None

    async def replace(
        self,
        attempt: Attempt,
        lease: Lease,
        *,
        fault: Fault,
        new: NewAttempt,
        unknown: bool = False,
    ) -> Attempt:
        """End an attempt without a job and put another at a different channel in its place.

        Args:
            attempt: The one that ends.
            lease: Under which it was claimed.
            fault: Why.
            new: The other.
            unknown: Whether nobody can tell if a job exists, as opposed to a refusal.

        Returns:
            The new one, `SUBMITTING` if it may be submitted now, else `PENDING`.
        """
        async with self._database.transaction() as transaction:
            await _end_for_another(
                transaction, attempt, lease, fault=fault, now=new.created_at, unknown=unknown
            )
            return await insert_attempt(transaction, new)

    async def replace_at_once(
        self, attempt: Attempt, lease: Lease, *, fault: Fault, new: NewAttempt
    ) -> Attempt | None:
        """Likewise only if the other may be submitted now; `None` if it may not, and all stays."""
        try:
            async with self._database.transaction() as transaction:
                await _end_for_another(transaction, attempt, lease, fault=fault, now=new.created_at)
                return await _insert_at_once(transaction, new)
        except _NoPlaceError:
            return None

    async def record_late(
        self,
        attempt: Attempt,
        lease: Lease,
        *,
        result: VideoResult | None,
        reason: str,
        now: datetime,
    ) -> None:
        """Keep what became of a job after its task was final; neither state nor charge changes."""
        async with self._database.transaction() as transaction:
            ended = await transaction.fetch_one(
                sql.RECORD_LATE,
                attempt_id=attempt.id,
                lease_id=lease.id,
                result=write_result(result) if result else None,
                last_reason=reason,
                now=now,
            )
            if ended is None:
                raise LeaseLostError
            if result is not None and _has_cost(ended):
                await record_cost(transaction, attempt, ended["price"], state="late", result=result)

    async def return_leases(self, held: Mapping[UUID, Lease], due_at: datetime) -> None:
        """Leave attempts to whoever claims them from then on. Submits keep their leases."""
        if held:
            await self._releases.settle()  # two statements over many rows may lock each other out
            await self._database.execute(
                sql.RETURN_LEASES,
                ids=list(held),
                lease_ids=[lease.id for lease in held.values()],
                due_at=due_at,
            )

    async def hasten(
        self, ids: Sequence[UUID], now: datetime, *, called: bool = False
    ) -> list[UUID]:
        """Make running attempts due at once; those that a worker holds are left alone.

        Args:
            ids: Which.
            now: Database time.
            called: Whether it is their providers' callbacks that want it, which are counted.

        Returns:
            Those that a worker holds.
        """
        rows = await self._database.fetch(sql.HASTEN, ids=list(ids), now=now, called=called)
        return [row["id"] for row in rows]

    async def expect_cancelled(self, attempt_id: UUID) -> None:
        """Keep with a running attempt that its provider said it cancels the job.

        Whoever asks about the job at this moment may write over it.
        """
        await self._database.execute(sql.EXPECT_CANCELLED, attempt_id=attempt_id)

    async def cancel_waiting(
        self, task_id: UUID, positions: Sequence[int], *, now: datetime
    ) -> tuple[list[str], TaskStatus | None]:
        """End attempts of some outputs that have no job and that no worker holds, as cancelled.

        The outputs are cancelled with them, and the task where they were the last.

        Returns:
            The providers of those that were ended, and how the task ended if this made it final.
        """
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch(
                sql.CANCEL_WAITING, task_id=task_id, positions=list(positions), now=now
            )
            end = None
            for row in rows:
                end = await finish_output(
                    transaction, task_id, row["position"], result=None, error=_CANCELLED, now=now
                )
            return [row["provider"] for row in rows], end

    async def discard(
        self, task_id: UUID, positions: Sequence[int], *, now: datetime
    ) -> TaskStatus | None:
        """Cancel outputs whatever their attempts do; those that are final stay as they are.

        The attempts are followed to their end, for the slot and the books: they change neither the
        outputs nor the task any more.

        Returns:
            How the task ended, `None` if this did not make it final.
        """
        async with self._database.transaction() as transaction:
            end = None
            for position in positions:
                end = end or await finish_output(
                    transaction, task_id, position, result=None, error=_DISCARDED, now=now
                )
            return end

    async def is_wanted(self, attempt: Attempt) -> bool:
        """Whether the attempt's output is unfinished, so that a job for it makes sense."""
        row = await self._database.fetch_one(
            sql.IS_WANTED, task_id=attempt.task_id, position=attempt.position
        )
        return row is not None

    # Reading

    async def one(self, attempt_id: UUID) -> Attempt | None:
        """One attempt, or `None` if no row has that id."""
        row = await self._database.fetch_one(sql.BY_ID, attempt_id=attempt_id)
        return to_attempt(row) if row else None

    async def of_task(self, task_id: UUID) -> list[Attempt]:
        """Every attempt of a task, in order."""
        return [to_attempt(row) for row in await self._database.fetch(sql.OF_TASK, task_id=task_id)]

    async def asks(self, task_id: UUID) -> list[Ask]:
        """The asks about a task's jobs that brought news, attempt by attempt in their order."""
        rows = await self._database.fetch(sql.ASKS, task_id=task_id)
        return [Ask(**dict(row)) for row in rows]

    async def late_results(self, task_id: UUID) -> dict[UUID, VideoResult]:
        """What attempts of a task came to, or were given, that count for nothing."""
        rows = await self._database.fetch(sql.LATE_RESULTS, task_id=task_id)
        return {row["id"]: read_result(row["result"]) for row in rows}

    async def maker(self, task_id: UUID, position: int) -> Attempt | None:
        """The attempt that made a video, `None` if nobody knows of one any more."""
        made = [
            attempt
            for attempt in await self.of_task(task_id)
            if attempt.position == position and attempt.status is AttemptStatus.SUCCEEDED
        ]
        return made[-1] if made else None

    async def take_job(
        self, attempt: Attempt, lease: Lease, candidates: Sequence[UpstreamRef]
    ) -> UpstreamRef | None:
        """Give an unclear submit the one job among the candidates that is no other attempt's.

        Args:
            attempt: In state `SUBMITTING`; it stays so until the job is recorded as accepted.
            lease: Under which it was claimed.
            candidates: Jobs of its channel.

        Returns:
            `None` where none of them is free, or several are.

        Raises:
            LeaseLostError: Another worker took the attempt over; it was written nothing.
        """
        async with self._database.transaction() as transaction:
            await transaction.execute(sql.LOCK_CHANNEL, channel=str(attempt.channel_id))
            rows = await transaction.fetch(
                sql.TAKEN_JOBS,
                channel_id=attempt.channel_id,
                ref_ids=[ref.id for ref in candidates],
                attempt_id=attempt.id,
            )
            taken = {row["ref_id"] for row in rows}
            free = [ref for ref in candidates if ref.id not in taken]
            if len(free) != 1:
                return None
            [ref] = free
            kept = await transaction.fetch_one(
                sql.TAKE_JOB,
                attempt_id=attempt.id,
                lease_id=lease.id,
                ref_id=ref.id,
                ref_kind=ref.kind,
            )
            if kept is None:
                raise LeaseLostError
            return ref

    async def others_end_at(self, attempt: Attempt, until: datetime) -> datetime | None:
        """When the last submit of its channel that may still be answered is over.

        Args:
            attempt: Left out.
            until: Submits that were sent later are left out too.

        Returns:
            `None` where there is none.
        """
        row = await self._database.fetch_one(
            sql.OTHERS_END_AT, channel_id=attempt.channel_id, attempt_id=attempt.id, until=until
        )
        return row["ends_at"] if row else None

    async def channels_used(self, task_id: UUID, position: int) -> set[UUID]:
        """The channels at which an output was tried."""
        rows = await self._database.fetch(sql.CHANNELS_USED, task_id=task_id, position=position)
        return {row["channel_id"] for row in rows}

    async def by_channel(self) -> dict[UUID, tuple[int, int]]:
        """How many attempts wait at each channel, and how many hold a place there."""
        rows = await self._database.fetch(sql.BY_CHANNEL)
        return {row["channel_id"]: (row["queued"], row["in_flight"]) for row in rows}

    async def work(self, now: datetime) -> tuple[int, int, datetime | None]:
        """How much is due, how much is unfinished, and when the oldest of it was made."""
        row = await self._database.fetch_one(sql.WORK, now=now)
        assert row is not None  # noqa: S101 - an aggregate always has a row
        return row["due"], row["unfinished"], row["oldest"]


def _has_cost(ended: Record) -> bool:
    """Whether anybody wants to know what an attempt cost: the books, or a budget of its channel."""
    return ended["price"] is not None or ended["cost_micros"] is not None


_COSTS = {
    AttemptStatus.SUCCEEDED: "made",
    AttemptStatus.UNKNOWN: "unknown",
}
"""Ends of attempts that are, or may be, paid for at the provider. What failed there is not, unless
its provider says so."""

_ENDS = (TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED)
"""How a task ends: as the first of these that one of its outputs has."""


async def finish_output(
    transaction: Transaction,
    task_id: UUID,
    position: int,
    *,
    result: VideoResult | None,
    error: TaskError | None,
    told_at: datetime | None = None,
    now: datetime,
) -> TaskStatus | None:
    """End an output, unless it is final already, and its task where it was the last.

    It is a part of the transaction that ends the attempt.

    Returns:
        How the task ended, `None` if this did not make it final.
    """
    task = await transaction.fetch_one(sql.LOCK_TASK, task_id=task_id)
    status = TaskStatus.SUCCEEDED if result else TaskStatus.FAILED
    if error is not None and error.code == "cancelled":
        status = TaskStatus.CANCELLED
    ended = await transaction.fetch_one(
        sql.FINISH_OUTPUT,
        task_id=task_id,
        position=position,
        status=status.value,
        result=write_result(result) if result else None,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
        now=now,
    )
    if ended is None:  # it was discarded: this is for the books of its attempt alone
        return None
    if task is not None and (ended["hold"] is not None or ended["windows"]):
        await close_output(
            transaction,
            task,
            position,
            hold=ended["hold"],
            windows=ended["windows"],
            result=result,
            is_cancelled=status is TaskStatus.CANCELLED,
        )
    rows = await transaction.fetch(sql.OUTPUTS, task_id=task_id)
    ends = [TaskStatus(row["status"]) for row in rows]
    if not all(one.is_final for one in ends):
        await transaction.execute(sql.OUTPUT_ENDED, task_id=task_id)
        return None
    end = next(one for one in _ENDS if one in ends)
    told = rows[ends.index(end)]
    finished = await transaction.fetch(
        sql.FINISH_TASK,
        task_id=task_id,
        status=end.value,
        event=FINAL_EVENTS[end].value,
        told_at=told_at or now,
        error_code=told["error_code"],
        error_message=told["error_message"],
        now=now,
    )
    return end if finished else None


def _expect_one(changed: int) -> None:
    if changed != 1:
        raise LeaseLostError


def to_attempt(row: Mapping[str, Any] | Record) -> Attempt:
    """Make an attempt of a row that has every column of `sql.COLUMNS`."""
    members = dict(row)
    ref_id, ref_kind = members.pop("ref_id"), members.pop("ref_kind")
    members["ref"] = None if ref_id is None else UpstreamRef(ref_id, ref_kind or "")
    members["status"] = AttemptStatus(members["status"])
    members["pace"] = JobPace.from_document(members["pace"])
    return Attempt(**members)
