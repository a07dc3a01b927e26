"""Cancelling: free before the submit, else where the provider can, or by discarding a video."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial

import structlog

from vidgate.db.attempts import AttemptStore
from vidgate.db.clock import Clock
from vidgate.exceptions import (
    ConfigurationError,
    ConflictError,
    InvalidParameterError,
    RequestError,
    UpstreamError,
    UpstreamRefusedError,
)
from vidgate.models.accounts import Sight
from vidgate.models.attempts import Attempt
from vidgate.models.outcomes import Pending, UpstreamRef
from vidgate.models.tasks import AttemptStatus, TaskSnapshot, TaskStatus
from vidgate.providers.base import CancelAnswer, Cancels, Provider
from vidgate.services.channels.upstream import CallKind, Upstream
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

    async def cancel(
        self, public_id: str, sight: Sight, *, output: int | None = None, discard: bool = False
    ) -> TaskView:
        """Cancel a task; one that is cancelled already is answered as it is.

        Args:
            public_id: The task's.
            sight: Of who asks.
            output: Which of its videos, from 0; `None` for all that are unfinished.
            discard: Whether to cancel also what runs on at its provider, and is charged: its
                attempt is followed to the end, and what it makes is not given out.

        Returns:
            The task: what was asked for is cancelled, or still unfinished where the provider took
            the cancellation and has not confirmed it yet; the polls then tell how it ends.

        Raises:
            TaskNotFoundError: There is no such task in sight.
            InvalidParameterError: It has no such output.
            ConflictError: It is finished (`task_finished`), or it cannot be cancelled
                (`cannot_cancel`): it runs on and is charged.
            UpstreamRefusedError: The provider did not say whether it cancels.
            DatabaseUnavailableError: It could not be read or written.
        """
        view = await self._reader.read(public_id, sight)
        positions = _unfinished(view.snapshot, output)
        if not positions:
            return _ended(view, output)
        with structlog.contextvars.bound_contextvars(task=public_id):
            live = await self._stop_waiting(view.snapshot, positions, discard=discard)
            answers = await self._ask(live)
            refused = {
                one: error for one, error in answers.items() if isinstance(error, ConflictError)
            }
            if discard:
                await self._discard(view.snapshot, refused)
            elif refused:
                # It is finished perhaps, and the next look should tell.
                await self._hasten(live)
                raise next(reversed(refused.values()))
            waited = [attempt for attempt in live if attempt.position not in refused]
            view = await self._confirmed(view, waited, positions)
            unclear = {
                one: error
                for one, error in answers.items()
                if error is not None and not view.snapshot.outputs[one].status.is_final
            }
            if unclear and not discard:
                raise next(iter(unclear.values()))
            if unclear:
                await self._discard(view.snapshot, unclear)
                view = await self._look(view)
        return _cancelled(view, positions)

    # Before the submit

    async def _stop_waiting(
        self, task: TaskSnapshot, positions: Sequence[int], *, discard: bool
    ) -> list[Attempt]:
        """Cancel what has no job, and wait for what is just being submitted.

        Returns:
            The attempts that have a job, or may have one soon where that is to be discarded.
        """
        gives_up_at = self._monotonic() + self._wait
        while True:
            cancelled, end = await self._attempts.cancel_waiting(
                task.id, positions, now=self._clock.now()
            )
            if cancelled:
                _log.info("A task was cancelled before it was submitted", videos=len(cancelled))
                self._ended(task, end)
            live = [
                attempt
                for attempt in await self._attempts.of_task(task.id)
                if attempt.status in _LIVE and attempt.position in positions
            ]
            submitted = [one for one in live if one.status is not AttemptStatus.RUNNING]
            if discard:  # a job that nobody can stop is not worth the wait
                submitted = [one for one in submitted if self._can_cancel(one)]
            if not submitted or (discard and self._monotonic() >= gives_up_at):
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

    async def _ask(self, live: Sequence[Attempt]) -> dict[int, RequestError | None]:
        """Ask the providers of running jobs to cancel them.

        Returns:
            For each output: why its job runs on, or perhaps does; `None` where it was accepted to
            cancel it.
        """
        answers: dict[int, RequestError | None] = {}
        for attempt in live:
            try:
                answer = await self._send(attempt)
            except (UpstreamError, ConfigurationError) as error:
                _log.warning("A cancellation was not answered clearly", reason=str(error))
                answers[attempt.position] = _unclear()
            else:
                is_accepted = answer is CancelAnswer.ACCEPTED
                if is_accepted:
                    await self._attempts.expect_cancelled(attempt.id)
                answers[attempt.position] = None if is_accepted else _refusal(answer)
        return answers

    def _can_cancel(self, attempt: Attempt) -> bool:
        return isinstance(self._providers.get(attempt.provider), Cancels)

    async def _send(self, attempt: Attempt) -> CancelAnswer | None:
        """Ask the provider of one job; `None` where it has no such thing."""
        provider = self._providers.get(attempt.provider)
        if provider is None or not isinstance(provider, Cancels) or attempt.ref is None:
            return None
        within = provider.capabilities.poll_timeout
        if provider.only_queued and not await self._waits(attempt, provider, attempt.ref):
            return CancelAnswer.TOO_LATE
        answer = await self._upstream.ask(
            attempt,
            partial(provider.cancel, attempt.ref),
            call=CallKind.CANCEL,
            within=within,
        )
        _log.info("A provider answered a cancellation", answer=answer.value)
        return answer

    async def _waits(self, attempt: Attempt, provider: Provider, ref: UpstreamRef) -> bool:
        """Whether a job is certainly still in its provider's queue."""
        outcomes = await self._upstream.ask(
            attempt,
            partial(provider.poll, [ref]),
            call=CallKind.POLL,
            within=provider.capabilities.poll_timeout,
        )
        return outcomes.get(ref) == Pending(started=False)

    async def _confirmed(
        self, view: TaskView, asked: Sequence[Attempt], positions: Sequence[int]
    ) -> TaskView:
        """Have the providers asked at once, and wait a little for the end of the outputs.

        Only a poll ends them: what a provider accepts to cancel may have succeeded all the same.
        """
        gives_up_at = self._monotonic() + self._wait
        ask_at = self._monotonic()
        while True:
            if asked and self._monotonic() >= ask_at:
                await self._hasten(asked)
                ask_at += _ASK.total_seconds()
            view = await self._look(view)
            is_over = all(view.snapshot.outputs[one].status.is_final for one in positions)
            if is_over or self._monotonic() >= gives_up_at:
                return view
            await asyncio.sleep(_LOOK.total_seconds())

    # To the end of it

    async def _discard(self, task: TaskSnapshot, positions: Collection[int]) -> None:
        if not positions:
            return
        end = await self._attempts.discard(task.id, sorted(positions), now=self._clock.now())
        _log.info("Videos were discarded", videos=len(positions))
        self._ended(task, end)

    def _ended(self, task: TaskSnapshot, end: TaskStatus | None) -> None:
        """Tell of an output's end, and of the task's where that made it final."""
        self._changes.changed(task.id)
        if end is not None:
            self._metrics.task(task.provider or "", end.value)
            _log.info("A task is final", status=end.value)

    async def _look(self, view: TaskView) -> TaskView:
        """Read the task as it is now."""
        self._reader.evict(view.snapshot.public_id)
        return await self._reader.read(view.snapshot.public_id, Sight(view.snapshot.account_id))

    async def _hasten(self, running: Sequence[Attempt]) -> None:
        # Those that a worker holds are asked about at this moment, and by the next call again.
        await self._attempts.hasten([attempt.id for attempt in running], self._clock.now())


def _unfinished(task: TaskSnapshot, output: int | None) -> list[int]:
    """The outputs to cancel.

    Raises:
        InvalidParameterError: There is no such output.
    """
    if output is not None and not 0 <= output < len(task.outputs):
        raise InvalidParameterError(
            f"output must be from 0 to {len(task.outputs) - 1}.", param="output"
        )
    chosen = range(len(task.outputs)) if output is None else [output]
    return [one for one in chosen if not task.outputs[one].status.is_final]


def _ended(view: TaskView, output: int | None) -> TaskView:
    """What was cancelled before, as it is.

    Raises:
        ConflictError: It ended otherwise.
    """
    task = view.snapshot
    status = task.status if output is None else task.outputs[output].status
    if status is TaskStatus.CANCELLED:
        return view
    raise _too_late(status)


def _cancelled(view: TaskView, positions: Sequence[int]) -> TaskView:
    """What was to be cancelled now, as far as that was possible.

    Raises:
        ConflictError: All of it ended otherwise meanwhile.
    """
    ends = [view.snapshot.outputs[one].status for one in positions]
    if all(end.is_final for end in ends) and TaskStatus.CANCELLED not in ends:
        raise _too_late(ends[0])
    return view


def _too_late(status: TaskStatus) -> ConflictError:
    return ConflictError(
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
