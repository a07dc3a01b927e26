"""Cancelling tasks: free before the submit, else where the provider can and confirms it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog

from vidgate.db.attempts import AttemptStore
from vidgate.db.clock import Clock
from vidgate.exceptions import (
    ConfigurationError,
    ConflictError,
    RequestError,
    UpstreamError,
    UpstreamRefusedError,
)
from vidgate.models.attempts import Attempt
from vidgate.models.outcomes import Pending, UpstreamRef
from vidgate.models.tasks import AttemptStatus, TaskStatus
from vidgate.providers.base import CancelAnswer, Cancels, Provider
from vidgate.services.channels.upstream import Upstream
from vidgate.services.metrics import Metrics
from vidgate.services.views.changes import Changes
from vidgate.services.views.reading import TaskReader, TaskView

__all__ = ["Canceller"]

_log = structlog.get_logger(__name__)

_WAIT = timedelta(seconds=3)
"""How long a client waits for a submit under way to end, and for the provider's confirmation: a
few rounds of a worker, and less than any client's patience."""

_LOOK = timedelta(seconds=0.25)
"""Between two looks meanwhile; as often as a worker looks for work."""

_ASK = timedelta(seconds=1)
"""Between two asks of the provider meanwhile."""

_LIVE = frozenset({AttemptStatus.PENDING, AttemptStatus.SUBMITTING, AttemptStatus.RUNNING})


class Canceller:
    """Stops tasks.

    Args:
        monotonic: Seconds that only grow.
        wait: How long one step of a cancellation is waited for.
    """

    def __init__(
        self,
        *,
        attempts: AttemptStore,
        reader: TaskReader,
        providers: Mapping[str, Provider],
        upstream: Upstream,
        clock: Clock,
        metrics: Metrics,
        changes: Changes,
        monotonic: Callable[[], float],
        wait: timedelta = _WAIT,
    ) -> None:
        self._attempts = attempts
        self._reader = reader
        self._providers = providers
        self._upstream = upstream
        self._clock = clock
        self._metrics = metrics
        self._changes = changes
        self._monotonic = monotonic
        self._wait = wait.total_seconds()

    async def cancel(self, public_id: str, account_id: UUID) -> TaskView:
        """Cancel an account's task; one that is cancelled already is answered as it is.

        Returns:
            The task: cancelled, or still unfinished where the provider took the cancellation and
            has not confirmed it yet; the polls then tell how it ends.

        Raises:
            TaskNotFoundError: There is no such task, or it is another account's.
            ConflictError: It is finished (`task_finished`), or it cannot be cancelled
                (`cannot_cancel`): it runs on and is charged.
            UpstreamRefusedError: The provider did not say whether it cancels.
            DatabaseUnavailableError: It could not be read or written.
        """
        view = await self._reader.read(public_id, account_id)
        if view.snapshot.status.is_final:
            return _ended(view)
        with structlog.contextvars.bound_contextvars(task=public_id):
            running = await self._stop_waiting(view.snapshot.id)
            unclear = await self._ask(running)
            view = await self._confirmed(view, running)
        if view.snapshot.status.is_final:
            return _ended(view)
        if unclear is not None:
            raise unclear
        return view

    # Before the submit

    async def _stop_waiting(self, task_id: UUID) -> list[Attempt]:
        """Cancel what has no job, and wait for what is just being submitted.

        Returns:
            The attempts that have a job.
        """
        gives_up_at = self._monotonic() + self._wait
        while True:
            cancelled, final = await self._attempts.cancel_waiting(task_id, now=self._clock.now())
            if cancelled:
                self._changes.changed(task_id)
            if final:
                self._metrics.task(cancelled[0], TaskStatus.CANCELLED.value)
                _log.info("A task was cancelled before it was submitted")
            attempts = await self._attempts.of_task(task_id)
            live = [attempt for attempt in attempts if attempt.status in _LIVE]
            if all(attempt.status is AttemptStatus.RUNNING for attempt in live):
                return live
            if self._monotonic() >= gives_up_at:
                error = ConflictError(
                    "The task is just being submitted to its provider; cancel it again in a few "
                    "seconds.",
                    code="cannot_cancel",
                )
                error.retry_after_seconds = 5
                raise error
            await asyncio.sleep(_LOOK.total_seconds())

    # After it

    async def _ask(self, running: Sequence[Attempt]) -> RequestError | None:
        """Ask the providers of running jobs to cancel them.

        Returns:
            What to tell where one did not say, and no poll tells either.

        Raises:
            ConflictError: One of them cannot, or will not.
        """
        unclear: RequestError | None = None
        refusal: RequestError | None = None
        for attempt in running:
            try:
                answer = await self._send(attempt)
            except (UpstreamError, ConfigurationError) as error:
                _log.warning("A cancellation was not answered clearly", reason=str(error))
                unclear = _unclear()
                continue
            if answer is not CancelAnswer.ACCEPTED:
                refusal = _refusal(answer)
        if refusal is not None:
            # It is finished perhaps, and the next look should tell.
            await self._hasten(running)
            raise refusal
        return unclear

    async def _send(self, attempt: Attempt) -> CancelAnswer | None:
        """Ask the provider of one job; `None` where it has no such thing."""
        provider = self._providers.get(attempt.provider)
        if provider is None or not isinstance(provider, Cancels) or attempt.ref is None:
            return None
        within = provider.capabilities.poll_timeout
        if provider.only_queued and not await self._waits(attempt, provider, attempt.ref):
            return CancelAnswer.TOO_LATE
        answer = await self._upstream.ask(
            attempt, partial(provider.cancel, attempt.ref), within=within
        )
        _log.info("A provider answered a cancellation", answer=answer.value)
        return answer

    async def _waits(self, attempt: Attempt, provider: Provider, ref: UpstreamRef) -> bool:
        """Whether a job is certainly still in its provider's queue."""
        outcomes = await self._upstream.ask(
            attempt, partial(provider.poll, [ref]), within=provider.capabilities.poll_timeout
        )
        return outcomes.get(ref) == Pending(started=False)

    async def _confirmed(self, view: TaskView, running: Sequence[Attempt]) -> TaskView:
        """Have the providers asked at once, and wait a little for the end of the task.

        Only a poll ends a task: what a provider accepts to cancel may have succeeded all the same.
        """
        name, account_id = view.snapshot.public_id, view.snapshot.account_id
        gives_up_at = self._monotonic() + self._wait
        ask_at = self._monotonic()
        while True:
            if running and self._monotonic() >= ask_at:
                await self._hasten(running)
                ask_at += _ASK.total_seconds()
            self._reader.evict(name)
            view = await self._reader.read(name, account_id)
            if view.snapshot.status.is_final or self._monotonic() >= gives_up_at:
                return view
            await asyncio.sleep(_LOOK.total_seconds())

    async def _hasten(self, running: Sequence[Attempt]) -> None:
        # Those that a worker holds are asked about at this moment, and by the next call again.
        await self._attempts.hasten([attempt.id for attempt in running], self._clock.now())


def _ended(view: TaskView) -> TaskView:
    """A cancelled task as it is.

    Raises:
        ConflictError: It ended otherwise.
    """
    status = view.snapshot.status
    if status is TaskStatus.CANCELLED:
        return view
    raise ConflictError(
        f"The task has {status.value} already and cannot be cancelled any more.",
        code="task_finished",
    )


def _refusal(answer: CancelAnswer | None) -> ConflictError:
    match answer:
        case None:
            sentence = "The task's provider cannot stop a task that it has accepted; it runs on."
        case CancelAnswer.TOO_LATE:
            sentence = "The provider works on the task already and cannot stop it; it runs on."
        case _:
            sentence = "The provider does not know the task; ask for the task to see how it ends."
    return ConflictError(sentence, code="cannot_cancel")


def _unclear() -> UpstreamRefusedError:
    return UpstreamRefusedError(
        "The provider did not say whether it cancels the task; ask for the task, and cancel it "
        "again if it still runs.",
        code="cancel_outcome_unknown",
    )
