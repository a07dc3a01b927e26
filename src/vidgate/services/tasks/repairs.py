"""What an operator does to tasks by hand, whoever's they are; each act is written down."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from vidgate.config import Network
from vidgate.constants import FOLLOW_INTERVAL
from vidgate.db.accounts import AccountStore
from vidgate.db.acts import ActStore
from vidgate.db.attempts import AttemptStore
from vidgate.db.clock import Clock
from vidgate.db.limits import LimitStore
from vidgate.db.repairs import Refusal, Repaired, RepairRefusedError, RepairStore
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import ConflictError, InvalidParameterError, TaskNotFoundError
from vidgate.models.accounts import Caller, Sight
from vidgate.models.acts import Act, Author
from vidgate.models.attempts import Attempt
from vidgate.models.ids import TASK_PREFIX, parse_public_id
from vidgate.models.limits import Admission
from vidgate.models.outcomes import VideoResult
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import AttemptStatus, Resubmission, TaskError, TaskSnapshot, TaskStatus
from vidgate.providers.field_meanings import CALLBACK_URL
from vidgate.providers.transport.guard import UnsafeUrlError, check_url
from vidgate.services.attempts.video_header import Prober
from vidgate.services.tasks.cancelling import Canceller
from vidgate.services.tasks.planning import Planner
from vidgate.services.views.changes import Changes
from vidgate.services.views.reading import TaskReader

__all__ = ["Repairs"]

_FAILED = TaskError("failed_by_operator", "The operator of this service ended the task.")

_MAY_HAVE_JOB: Final = frozenset(
    {
        AttemptStatus.SUBMITTING,
        AttemptStatus.RUNNING,
        AttemptStatus.SUCCEEDED,
        AttemptStatus.UNKNOWN,
    }
)
"""States in which a job may exist that is paid for."""


class Repairs:
    """Acts on one task at a time, by the same compare-and-set as the engine.

    Args:
        allowed_networks: Private networks that a link may lead to.
        pace: The factor on every wait, from the settings.
    """

    def __init__(
        self,
        *,
        store: RepairStore,
        tasks: TaskStore,
        attempts: AttemptStore,
        accounts: AccountStore,
        limits: LimitStore,
        acts: ActStore,
        reader: TaskReader,
        canceller: Canceller,
        planner: Planner,
        prober: Prober,
        changes: Changes,
        clock: Clock,
        allowed_networks: Sequence[Network],
        pace: float,
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._attempts = attempts
        self._accounts = accounts
        self._limits = limits
        self._acts = acts
        self._reader = reader
        self._canceller = canceller
        self._planner = planner
        self._prober = prober
        self._changes = changes
        self._clock = clock
        self._allowed_networks = allowed_networks
        self._pace = pace

    async def cancel(
        self, public_id: str, by: Author, *, output: int | None = None, discard: bool = False
    ) -> TaskSnapshot:
        """Cancel a task; see `Canceller.cancel`.

        Raises:
            TaskNotFoundError: There is no such task.
            RequestError: It is final (`task_final`), it cannot be cancelled, or its provider did
                not say whether it cancels.
        """
        before = await self._snapshot(public_id)
        if before.status.is_final:
            raise _refused(RepairRefusedError(Refusal.FINAL, before.status))
        view = await self._canceller.cancel(
            public_id, Sight(before.account_id), output=output, discard=discard
        )
        after = view.snapshot
        await self._write("task.cancel", before, after.status.value, by)
        return after

    async def delete(self, public_id: str, by: Author) -> TaskSnapshot:
        """Hide a finished task from its client.

        Raises:
            TaskNotFoundError: There is no such task, or it is hidden already.
            ConflictError: It is not finished.
        """
        before = await self._snapshot(public_id)
        await self._reader.remove(public_id, Sight(before.account_id))
        after = await self._snapshot(public_id)
        await self._write("task.delete", before, after.status.value, by, removed=True)
        return after

    async def poll_now(self, public_id: str, by: Author) -> tuple[TaskSnapshot, int]:
        """Have a worker ask at once about a task's jobs, and go on with what waits.

        Returns:
            The task, and how much of it waited; what a worker holds is being asked about.

        Raises:
            TaskNotFoundError: There is no such task.
            ConflictError: It is final (`task_final`).
        """
        before = await self._snapshot(public_id)
        try:
            done = await self._store.poll_now(before.id, now=self._clock.now(), author=by)
        except RepairRefusedError as error:
            raise _refused(error) from None
        return before, done.jobs

    async def fail(self, public_id: str, by: Author) -> TaskSnapshot:
        """End a task; its jobs are followed on for the books, as after their deadline.

        Raises:
            TaskNotFoundError: There is no such task.
            ConflictError: It is final (`task_final`), or just being submitted.
        """
        before = await self._snapshot(public_id)
        now = self._clock.now()
        try:
            await self._store.fail(
                before.id,
                error=_FAILED,
                follow_at=now + FOLLOW_INTERVAL * self._pace,
                now=now,
                author=by,
            )
        except RepairRefusedError as error:
            raise _refused(error) from None
        return await self._changed(public_id)

    async def attach_result(
        self, public_id: str, url: str, by: Author, *, position: int | None = None
    ) -> tuple[TaskSnapshot, Repaired]:
        """Give a task the video that was found elsewhere.

        One that is final keeps the link for its operator: neither its state nor its charge changes.

        Args:
            public_id: Of the task.
            url: Of the video.
            by: Who has it.
            position: Of the output, `None` for the first without a video.

        Raises:
            TaskNotFoundError: There is no such task.
            InvalidParameterError: The URL cannot be fetched safely.
            ConflictError: There is no such output, it has a video, or is just being submitted.
        """
        before = await self._snapshot(public_id)
        try:
            check_url(url, allowed_networks=self._allowed_networks)
        except UnsafeUrlError as error:
            raise InvalidParameterError(
                f"The URL cannot be fetched: {error}", param="url"
            ) from None
        made = await self._attempts.of_task(before.id)
        result = VideoResult(url=url)
        if made:
            result = await self._prober.complete(result, made[-1].channel_id)
        try:
            done = await self._store.attach(
                before.id, position=position, result=result, now=self._clock.now(), author=by
            )
        except RepairRefusedError as error:
            raise _refused(error) from None
        return await self._changed(public_id), done

    async def resubmit(
        self, public_id: str, by: Author, *, even_if_paid_twice: bool = False
    ) -> TaskSnapshot:
        """Make a new task of the same request, with its own price; a worker submits it.

        The token that made the first one says what it may ask for, also if it is over. It is held
        against its balance and budgets as a request of its own; its other limits are of clients.

        Args:
            public_id: Of the first task.
            by: Who wants it.
            even_if_paid_twice: Whether to do it although the first may have made a job.

        Returns:
            The new task.

        Raises:
            TaskNotFoundError: There is no such task.
            ConflictError: It may have made a job (`may_be_paid`), its pictures are gone
                (`inputs_gone`), or its token is.
            RequestError: No channel can run it, or a budget or the balance is used up.
        """
        before = await self._snapshot(public_id)
        if not even_if_paid_twice:
            _require_unpaid(await self._attempts.of_task(before.id))
        token_id, callback_url = await self._tasks.origin(before.id)
        token = await self._accounts.token(token_id)
        if token is None:
            raise ConflictError("The token that made the task does not exist.", code="token_gone")
        caller = Caller(replace(token, expires_at=None, revoked=False))
        request = await self._request(before.id)
        if callback_url is not None:
            request = replace(request, metadata={**request.metadata, CALLBACK_URL: callback_url})
        prepared = await self._planner.prepare(caller, request, before.echo)
        plan = await self._planner.plan(caller, prepared, dialect=before.dialect)
        task = replace(plan.task, resubmission=Resubmission(before.id, by))
        # They wait, so that a worker submits them: this process may end before an answer comes.
        options = [
            [replace(one.attempt, wait_until=one.attempt.created_at) for one in output]
            for output in plan.options
        ]
        limits = await self._limits.of(caller.account_id, caller.token.id)
        admission = Admission([one for one in limits if one.is_budget])
        await self._tasks.create(task, *options, admission=admission)
        made = await self._tasks.snapshot(task.id)
        assert made is not None  # noqa: S101 - it was stored just now
        self._changes.changed(made.id)
        return made

    async def _request(self, task_id: UUID) -> VideoRequest:
        try:
            return await self._tasks.request(task_id)
        except KeyError:
            raise ConflictError(
                "The inline pictures of the task are not kept any more (VIDGATE_KEEP_INPUTS), so "
                "that it cannot be submitted again.",
                code="inputs_gone",
            ) from None

    async def _changed(self, public_id: str) -> TaskSnapshot:
        after = await self._snapshot(public_id)
        self._changes.changed(after.id)
        return after

    async def _snapshot(self, public_id: str) -> TaskSnapshot:
        task_id: UUID | None = parse_public_id(TASK_PREFIX, public_id)
        snapshot = await self._tasks.snapshot(task_id) if task_id else None
        if snapshot is None:
            raise TaskNotFoundError("There is no task of that id; `vidgate task list` shows them.")
        return snapshot

    async def _write(
        self, act: str, before: TaskSnapshot, status: str, by: Author, **after: bool
    ) -> None:
        await self._acts.write(
            Act(
                author=by,
                name=act,
                subject=before.public_id,
                before={"status": before.status.value} | dict.fromkeys(after, False),
                after={"status": status, **after},
            )
        )


def _require_unpaid(made: Sequence[Attempt]) -> None:
    doubtful = [attempt for attempt in made if attempt.status in _MAY_HAVE_JOB]
    if doubtful:
        states = ", ".join(sorted({attempt.status.value for attempt in doubtful}))
        raise ConflictError(
            f"The task may have made a job that is paid for (attempts: {states}); "
            "`--even-if-paid-twice` submits it again all the same.",
            code="may_be_paid",
        )


def _refused(error: RepairRefusedError) -> ConflictError:
    match error.refusal:
        case Refusal.FINAL:
            end = "was cancelled" if error.status is TaskStatus.CANCELLED else error.status.value
            return ConflictError(f"The task is final: it {end}.", code="task_final")
        case Refusal.SENDING:
            refused = ConflictError(
                "The task is just being submitted to its provider; try again in a minute.",
                code="being_submitted",
            )
            refused.retry_after_seconds = 60
            return refused
        case Refusal.HAS_VIDEO:
            return ConflictError("The output has its video already.", code="task_final")
        case Refusal.NO_OUTPUT:
            return ConflictError("The task has no output of that number.", code="no_such_output")
