"""Random lives of tasks and attempts in a real database, held against a small model of them.

Workers claim, crash, wake up late and write with leases that are not theirs any more; every write
may lose its connection before any of its statements, before the commit, or after it. Then all of
it happened or nothing did. After each step the database must be as the model says.
"""

import asyncio
import copy
import dataclasses
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from tests.db.test_attempts import ERROR, FAULT, RESULT, make_channel, new_attempt, new_task
from tests.support.clock import FixedClock
from typing_extensions import override

from vidgate.db.attempts import AttemptStore, NewAttempt
from vidgate.db.engine import Database, Statement, Transaction
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import DatabaseUnavailableError, LeaseLostError
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.channels import Channel
from vidgate.models.ids import new_id
from vidgate.models.outcomes import UpstreamRef
from vidgate.models.tasks import AttemptStatus, TaskStatus

LEASE: Final = timedelta(seconds=60)
SUBMIT: Final = timedelta(seconds=45)
MARGIN: Final = timedelta(seconds=15)
SLOTS: Final = 2
"""Of the second channel; the first has no limit."""

_ATTEMPTS = Statement(
    text("SELECT id, task_id, position, channel_id, status, lease_id, ref_id FROM attempts")
)
_OUTPUTS = Statement(text("SELECT task_id, position, status FROM outputs"))
_TASKS = Statement(text("SELECT id, status, revision FROM tasks"))
_TOLD = Statement(text("SELECT task_id, count(*) AS count FROM deliveries GROUP BY task_id"))
_FORGET = tuple(
    Statement(text(f"DELETE FROM {name}"))  # noqa: S608 - names of our own
    for name in ("deliveries", "attempts", "outputs", "tasks")
)
_LEASED = Statement(text("SELECT id FROM attempts WHERE lease_id = CAST(:lease_id AS uuid)"))


class Fragile(Database):
    """Loses its connection at a chosen moment.

    Attributes:
        points: How many moments pass before that, `None` for never. Each statement, each commit and
            each end is one.
    """

    points: int | None = None

    def pass_point(self) -> None:
        if self.points is None:
            return
        if self.points == 0:
            self.points = None
            raise DatabaseUnavailableError("lost")
        self.points -= 1

    @asynccontextmanager
    @override
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as transaction:
            yield _FragileTransaction(transaction, self)
            self.pass_point()
        self.pass_point()

    @override
    async def _run(
        self, method: str, statement: Statement, arguments: Sequence[Any], timeout: float | None
    ) -> Any:
        self.pass_point()
        answer = await super()._run(method, statement, arguments, timeout)
        self.pass_point()
        return answer


class _FragileTransaction(Transaction):
    def __init__(self, inner: Transaction, database: Fragile) -> None:
        super().__init__(inner._connection)
        self._database = database

    @override
    async def _run(
        self, method: str, statement: Statement, arguments: Sequence[Any], timeout: float | None
    ) -> Any:
        self._database.pass_point()
        return await super()._run(method, statement, arguments, timeout)


@dataclass
class AttemptModel:
    task_id: UUID
    position: int
    channel_id: UUID
    status: str
    due_at: datetime | None
    deadline_at: datetime
    lease: Lease | None = None
    ref: str | None = None

    def is_held_by(self, lease: Lease, now: datetime) -> bool:
        return self.lease is not None and self.lease.id == lease.id and self.lease.until > now


@dataclass
class Model:
    """What the rows must say."""

    attempts: dict[UUID, AttemptModel] = field(default_factory=dict)
    outputs: dict[tuple[UUID, int], str] = field(default_factory=dict)
    tasks: dict[UUID, str] = field(default_factory=dict)
    revisions: dict[UUID, int] = field(default_factory=dict)

    def rows(self) -> dict[str, Any]:
        return {
            "attempts": {
                name: (
                    one.task_id,
                    one.position,
                    one.channel_id,
                    one.status,
                    one.lease.id if one.lease else None,
                    one.ref,
                )
                for name, one in self.attempts.items()
            },
            "outputs": dict(self.outputs),
            "tasks": {name: (status, self.revisions[name]) for name, status in self.tasks.items()},
            # Each task is told of once, when it is final.
            "told": {name: 1 for name, status in self.tasks.items() if _is_final(status)},
        }

    def free(self, channel_id: UUID, slots: int | None) -> int:
        taken = sum(
            one.channel_id == channel_id and one.status in ("submitting", "running")
            for one in self.attempts.values()
        )
        return 999 if slots is None else max(0, slots - taken)

    def insert(self, new: NewAttempt) -> None:
        waits = any(
            one.channel_id == new.channel_id
            and one.status == "pending"
            and one.due_at is not None
            and one.due_at <= new.created_at
            for one in self.attempts.values()
        )
        slots = new.max_concurrency
        has_slot = slots is None or (self.free(new.channel_id, slots) > 0 and not waits)
        self.attempts[new.id] = AttemptModel(
            task_id=new.task_id,
            position=new.position,
            channel_id=new.channel_id,
            status="submitting" if has_slot else "pending",
            due_at=new.lease.until if has_slot else new.created_at,
            deadline_at=new.deadline_at,
            lease=new.lease if has_slot else None,
        )

    def end(self, attempt: AttemptModel, status: str) -> None:
        attempt.status, attempt.due_at, attempt.lease = status, None, None

    def end_output(self, task_id: UUID, position: int, status: str) -> None:
        place = task_id, position
        if _is_final(self.outputs[place]):
            return  # it was discarded
        self.outputs[place] = status
        ends = [end for (of_task, _), end in self.outputs.items() if of_task == task_id]
        if not all(map(_is_final, ends)):
            self.revisions[task_id] += 1
        elif not _is_final(self.tasks[task_id]):
            self.revisions[task_id] += 1
            order = ("succeeded", "failed", "cancelled")
            self.tasks[task_id] = next(one for one in order if one in ends)


@dataclass(frozen=True)
class Held:
    """What a worker believes to hold."""

    attempt: Attempt
    lease: Lease


_cuts = st.one_of(st.none(), st.none(), st.integers(0, 9))
_picks = st.integers(0, 2**16)


class StoreMachine(RuleBasedStateMachine):
    """One random life. The stores are the real ones, on a database that may break."""

    def __init__(self, runner: asyncio.Runner, database: Fragile) -> None:
        super().__init__()
        self._run = runner.run
        self._database = database
        self._tasks = TaskStore(database)
        self._attempts = AttemptStore(database)
        self._clock = FixedClock()
        self._model = Model()
        self._held: list[Held] = []
        self._channels: list[tuple[Channel, int | None]] = []

    @property
    def _now(self) -> datetime:
        return self._clock.now()

    @initialize()
    def begin(self) -> None:
        for statement in _FORGET:
            self._run(self._database.execute(statement))
        self._channels = [
            (self._run(make_channel(self._database, str(new_id()))), slots)
            for slots in (None, SLOTS)
        ]

    # Clients

    @rule(count=st.integers(1, 3), at=st.booleans(), cut=_cuts)
    def create(self, count: int, *, at: bool, cut: int | None) -> None:
        task = new_task(created_at=self._now, callback_url="http://receiver.test/")
        new = [self._new(task.id, position, int(at)) for position in range(count)]

        def change(model: Model) -> None:
            model.tasks[task.id], model.revisions[task.id] = "queued", 0
            for one in new:
                model.outputs[task.id, one.position] = "queued"
                model.insert(one)

        async def write() -> None:
            made = await self._tasks.create(task, *([one] for one in new))
            self._held += [
                Held(attempt, one.lease)
                for attempt, one in zip(made, new, strict=True)
                if attempt.status is AttemptStatus.SUBMITTING
            ]

        self._write(write, change, cut)

    @precondition(lambda self: self._model.tasks)
    @rule(pick=_picks, cut=_cuts)
    def cancel(self, pick: int, cut: int | None) -> None:
        task_id = list(self._model.tasks)[pick % len(self._model.tasks)]
        now = self._now

        def change(model: Model) -> None:
            for one in model.attempts.values():
                is_free = one.lease is None or one.lease.until <= now
                if one.task_id == task_id and one.status == "pending" and is_free:
                    model.end(one, "cancelled")
                    model.end_output(one.task_id, one.position, "cancelled")

        async def write() -> None:
            await self._attempts.cancel_waiting(task_id, range(3), now=now)

        self._write(write, change, cut)

    @precondition(lambda self: self._model.tasks)
    @rule(pick=_picks, position=st.integers(0, 2), cut=_cuts)
    def discard(self, pick: int, position: int, cut: int | None) -> None:
        task_id = list(self._model.tasks)[pick % len(self._model.tasks)]

        def change(model: Model) -> None:
            if (task_id, position) in model.outputs:
                model.end_output(task_id, position, "cancelled")

        async def write() -> None:
            await self._attempts.discard(task_id, [position], now=self._now)

        self._write(write, change, cut)

    # Workers

    @rule(limit=st.integers(1, 3), cut=_cuts)
    def claim(self, limit: int, cut: int | None) -> None:
        self._claim(
            lambda lease: self._attempts.claim(lease=lease, now=self._now, limit=limit),
            lambda one: one.status != "pending",
            cut,
        )

    @rule(cut=_cuts)
    def claim_overdue(self, cut: int | None) -> None:
        self._claim(
            lambda lease: self._attempts.claim_overdue(lease=lease, now=self._now, limit=9),
            lambda one: one.status == "pending" and one.deadline_at <= self._now,
            cut,
        )

    @rule(pick=st.booleans(), cut=_cuts)
    def start_waiting(self, *, pick: bool, cut: int | None) -> None:
        channel, slots = self._channels[int(pick)]
        free = self._model.free(channel.id, slots)

        async def start(lease: Lease) -> list[Attempt]:
            started = await self._attempts.start_waiting(
                channel.id,
                credential_id=channel.credential_id,
                max_concurrency=slots,
                lease_id=lease.id,
                margin=MARGIN,
                now=self._now,
                limit=9,
            )
            assert len(started) <= free
            return [attempt for attempt, _ in started]

        def is_wanted(one: AttemptModel) -> bool:
            return one.status == "pending" and one.channel_id == channel.id

        self._claim(start, is_wanted, cut, status="submitting")

    @precondition(lambda self: self._held)
    @rule(pick=_picks)
    def crash(self, pick: int) -> None:
        del self._held[pick % len(self._held)]

    @rule(seconds=st.sampled_from((1, 20, 61)))
    def wait(self, seconds: int) -> None:
        self._clock.advance(seconds=seconds)

    @precondition(lambda self: self._held)
    @rule(pick=_picks, cut=_cuts)
    def accept(self, pick: int, cut: int | None) -> None:
        held = self._pick(pick)
        ref, due_at = f"job-{new_id()}", self._now + timedelta(seconds=5)

        def is_mine(one: AttemptModel) -> bool:
            # Knowing of a paid job is never too late, as long as nobody took over.
            is_holder = one.lease is not None and one.lease.id == held.lease.id
            return is_holder and one.status == "submitting"

        def change(model: Model) -> None:
            one = model.attempts[held.attempt.id]
            one.status, one.ref, one.due_at, one.lease = "running", ref, due_at, None
            place = one.task_id, one.position
            if model.outputs[place] != "queued":
                return
            model.outputs[place] = "in_progress"
            if model.tasks[one.task_id] == "queued":
                model.tasks[one.task_id] = "in_progress"
                model.revisions[one.task_id] += 1

        async def write() -> None:
            await self._attempts.accept(
                held.attempt,
                held.lease,
                ref=UpstreamRef(ref),
                due_at=due_at,
                deadline_at=self._now + timedelta(minutes=30),
                details=None,
                facts=None,
                warnings=None,
                seed=None,
                now=self._now,
            )

        self._write_back(held, write, change, cut, is_mine=is_mine)

    @precondition(lambda self: self._held)
    @rule(pick=_picks, cut=_cuts)
    def release(self, pick: int, cut: int | None) -> None:
        held = self._pick(pick)
        now = self._now
        released = dataclasses.replace(held.attempt, due_at=now)

        def change(model: Model) -> None:
            one = model.attempts[held.attempt.id]
            one.status, one.due_at, one.lease = released.status.value, released.due_at, None

        async def write() -> None:
            await self._attempts.release(released, held.lease, now)

        self._write_back(held, write, change, cut)

    @precondition(lambda self: self._held)
    @rule(
        pick=_picks,
        status=st.sampled_from(
            (AttemptStatus.SUCCEEDED, AttemptStatus.FAILED, AttemptStatus.UNKNOWN)
        ),
        cut=_cuts,
    )
    def finish(self, pick: int, status: AttemptStatus, cut: int | None) -> None:
        held = self._pick(pick)
        has_video = status is AttemptStatus.SUCCEEDED

        def change(model: Model) -> None:
            one = model.attempts[held.attempt.id]
            model.end(one, status.value)
            model.end_output(one.task_id, one.position, "succeeded" if has_video else "failed")

        async def write() -> None:
            await self._attempts.finish(
                held.attempt,
                held.lease,
                status=status,
                result=RESULT if has_video else None,
                fault=None if has_video else FAULT,
                error=None if has_video else ERROR,
                now=self._now,
            )

        self._write_back(held, write, change, cut)

    @precondition(lambda self: self._held)
    @rule(pick=_picks, at=st.booleans(), cut=_cuts)
    def replace(self, pick: int, *, at: bool, cut: int | None) -> None:
        held = self._pick(pick)
        new = self._new(held.attempt.task_id, held.attempt.position, int(at), number=2)

        def change(model: Model) -> None:
            model.end(model.attempts[held.attempt.id], "failed")
            model.insert(new)

        async def write() -> None:
            made = await self._attempts.replace(held.attempt, held.lease, fault=FAULT, new=new)
            if made.status is AttemptStatus.SUBMITTING:
                self._held.append(Held(made, new.lease))

        self._write_back(held, write, change, cut)

    @precondition(lambda self: self._held)
    @rule(pick=_picks, cut=_cuts)
    def restart(self, pick: int, cut: int | None) -> None:
        held = self._pick(pick)
        new = Lease(new_id(), self._now + LEASE)

        def change(model: Model) -> None:
            one = model.attempts[held.attempt.id]
            one.status, one.lease, one.due_at = "submitting", new, new.until

        async def write() -> None:
            again = await self._attempts.restart(
                held.attempt, held.lease, new=new, submit_ends_at=self._now + SUBMIT, now=self._now
            )
            self._held.append(Held(again, new))

        self._write_back(held, write, change, cut)

    @invariant()
    def is_as_the_model_says(self) -> None:
        assert self._run(self._rows()) == self._model.rows()

    # How a step is taken

    def _pick(self, pick: int) -> Held:
        return self._held[pick % len(self._held)]

    def _new(self, task_id: UUID, position: int, at: int, *, number: int = 1) -> NewAttempt:
        channel, slots = self._channels[at]
        return new_attempt(
            channel,
            task_id,
            position=position,
            number=number,
            created_at=self._now,
            deadline_at=self._now + timedelta(seconds=100),
            submit_ends_at=self._now + SUBMIT,
            lease=Lease(new_id(), self._now + LEASE),
            max_concurrency=slots,
        )

    def _write(
        self,
        write: Callable[[], Coroutine[Any, Any, None]],
        change: Callable[[Model], None],
        cut: int | None,
    ) -> None:
        """Write, perhaps cut off; then the change was made or it was not, as a whole."""
        after = copy.deepcopy(self._model)
        change(after)
        self._database.points = cut
        try:
            self._run(write())
        except DatabaseUnavailableError:
            found = self._run(self._rows())
            assert found in (self._model.rows(), after.rows())
            if found == after.rows():
                self._model = after
        else:
            self._model = after
        finally:
            self._database.points = None

    def _write_back(
        self,
        held: Held,
        write: Callable[[], Coroutine[Any, Any, None]],
        change: Callable[[Model], None],
        cut: int | None,
        is_mine: Callable[[AttemptModel], bool] | None = None,
    ) -> None:
        """Write under a lease: nothing changes where it is not the worker's any more."""
        one = self._model.attempts[held.attempt.id]
        if is_mine(one) if is_mine else one.is_held_by(held.lease, self._now):
            self._write(write, change, cut)
            return
        try:
            self._run(write())
        except LeaseLostError:
            return
        raise AssertionError(f"{held.attempt.id} was written under a lost lease")

    def _claim(
        self,
        claim: Callable[[Lease], Coroutine[Any, Any, list[Attempt]]],
        is_wanted: Callable[[AttemptModel], bool],
        cut: int | None,
        *,
        status: str | None = None,
    ) -> None:
        lease = Lease(new_id(), self._now + LEASE)
        self._database.points = cut
        claimed: list[Attempt] = []
        try:
            claimed = self._run(claim(lease))
        except DatabaseUnavailableError:
            pass
        else:
            due = [one for one in self._model.attempts.values() if self._is_due(one, is_wanted)]
            assert bool(claimed) == bool(due) or status is not None
        finally:
            self._database.points = None
        # Also those of which the answer was lost.
        for row in self._run(self._database.fetch(_LEASED, lease_id=lease.id)):
            one = self._model.attempts[row["id"]]
            assert self._is_due(one, is_wanted)
            one.lease, one.due_at = lease, lease.until
            one.status = status or one.status
        self._held += [Held(attempt, lease) for attempt in claimed]

    def _is_due(self, one: AttemptModel, is_wanted: Callable[[AttemptModel], bool]) -> bool:
        return one.due_at is not None and one.due_at <= self._now and is_wanted(one)

    async def _rows(self) -> dict[str, Any]:
        return {
            "attempts": {
                row["id"]: (
                    row["task_id"],
                    row["position"],
                    row["channel_id"],
                    row["status"],
                    row["lease_id"],
                    row["ref_id"],
                )
                for row in await self._database.fetch(_ATTEMPTS)
            },
            "outputs": {
                (row["task_id"], row["position"]): row["status"]
                for row in await self._database.fetch(_OUTPUTS)
            },
            "tasks": {
                row["id"]: (row["status"], row["revision"])
                for row in await self._database.fetch(_TASKS)
            },
            "told": {row["task_id"]: row["count"] for row in await self._database.fetch(_TOLD)},
        }


def _is_final(status: str) -> bool:
    return TaskStatus(status).is_final


def test_the_store_is_as_its_model_whatever_is_cut_off(database_url: str) -> None:
    with asyncio.Runner() as runner:
        connected = runner.run(Fragile.connect(database_url))
        assert isinstance(connected, Fragile)
        database: Fragile = connected

        class Life(StoreMachine):
            def __init__(self) -> None:
                super().__init__(runner, database)

        try:
            run_state_machine_as_test(
                Life,
                settings=settings(
                    max_examples=20,
                    stateful_step_count=40,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(database.aclose())
