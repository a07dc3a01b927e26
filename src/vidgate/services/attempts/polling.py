"""Asking providers about jobs, and believing only what they clearly say."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

import structlog

from vidgate.constants import (
    DEADLINE_GRACE,
    FOLLOW_INTERVAL,
    FOLLOW_LIMIT,
)
from vidgate.db.attempts import AttemptStore
from vidgate.db.clock import Clock
from vidgate.exceptions import (
    ConfigurationError,
    LeaseLostError,
    ProviderProtocolError,
    UpstreamError,
)
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.ids import public_id
from vidgate.models.outcomes import (
    Failed,
    Fault,
    FaultKind,
    Outcome,
    Pending,
    Succeeded,
    Unreadable,
    UpstreamRef,
)
from vidgate.models.tasks import AttemptStatus, TaskError, TaskStatus
from vidgate.providers.base import Provider
from vidgate.providers.transport.client import Pool
from vidgate.services.attempts.faults import to_task_error
from vidgate.services.attempts.pacing import backoff, doubt_backoff, doubt_ends_at, next_interval
from vidgate.services.attempts.rooms import Place
from vidgate.services.attempts.video_header import Prober
from vidgate.services.channels.upstream import CallKind, Upstream
from vidgate.services.metrics import Metrics
from vidgate.services.views.changes import Changes

__all__ = ["Poller"]

_log = structlog.get_logger(__name__)

_TIMED_OUT = TaskError(
    "upstream_timeout",
    "The provider did not finish the task within the time that its model is given.",
)


class Poller:
    """Asks about attempts that were claimed, and writes back what came of it.

    Args:
        pace: The factor on every wait, from the settings.
        randomness: Jitter.
    """

    def __init__(
        self,
        *,
        attempts: AttemptStore,
        providers: Mapping[str, Provider],
        upstream: Upstream,
        prober: Prober,
        clock: Clock,
        metrics: Metrics,
        changes: Changes,
        pace: float,
        randomness: random.Random,
    ) -> None:
        self._attempts = attempts
        self._providers = providers
        self._upstream = upstream
        self._prober = prober
        self._clock = clock
        self._metrics = metrics
        self._changes = changes
        self._pace = pace
        self._random = randomness

    def width(self, attempt: Attempt) -> int:
        """How many attempts like this one a request can ask about."""
        assert attempt.ref is not None  # noqa: S101 - set with the state RUNNING
        return self._providers[attempt.provider].batch_size(attempt.ref)

    def batches(self, attempts: Sequence[Attempt]) -> list[list[Attempt]]:
        """Group attempts that one request can ask about."""
        groups: dict[tuple[object, ...], list[Attempt]] = {}
        for attempt in attempts:
            assert attempt.ref is not None  # noqa: S101 - set with the state RUNNING
            key = (attempt.channel_id, attempt.credential_id, attempt.ref.kind)
            groups.setdefault(key, []).append(attempt)
        batches = []
        for group in groups.values():
            size = self.width(group[0])
            batches += [group[start : start + size] for start in range(0, len(group), size)]
        return batches

    async def poll(self, batch: Sequence[Attempt], lease: Lease, place: Place) -> None:
        """Ask about attempts of one batch, all held under one lease.

        Args:
            batch: What one request can ask about.
            lease: Of all of them.
            place: Of the request; it is free as soon as there is an answer, so that nobody waits
                for what is made of that.
        """
        outcomes = await self._ask(batch, place)
        place.leave()

        async def record(attempt: Attempt) -> None:
            assert attempt.ref is not None  # noqa: S101 - set with the state RUNNING
            with structlog.contextvars.bound_contextvars(task=public_id("task_", attempt.task_id)):
                try:
                    await self._record(attempt, lease, outcomes[attempt.ref])
                except LeaseLostError:
                    _log.warning("The lease of a poll was lost; another worker goes on with it")

        # At once, because one lease has to last for a look into every finished video.
        failures = await asyncio.gather(*map(record, batch), return_exceptions=True)
        for failure in failures:
            if failure is not None:
                raise failure

    async def _ask(self, batch: Sequence[Attempt], place: Place) -> Mapping[UpstreamRef, Outcome]:
        first = batch[0]
        provider = self._providers[first.provider]
        refs = [attempt.ref for attempt in batch if attempt.ref is not None]
        try:
            outcomes = await self._upstream.ask(
                first,
                partial(provider.poll, refs),
                call=CallKind.POLL,
                within=provider.capabilities.poll_timeout,
                pool=Pool.POLLS,
            )
            place.answered(is_trouble=False)
        except (UpstreamError, ConfigurationError) as error:
            place.answered(is_trouble=isinstance(error, UpstreamError))
            wait = error.retry_after_seconds if isinstance(error, ProviderProtocolError) else None
            return dict.fromkeys(refs, Unreadable(str(error), wait))
        return {ref: outcomes.get(ref, Unreadable("The answer left it out.")) for ref in refs}

    async def _record(self, attempt: Attempt, lease: Lease, outcome: Outcome) -> None:
        now = self._clock.now()
        self._metrics.poll(attempt.provider, type(outcome).__name__.lower())
        if attempt.status is AttemptStatus.UNKNOWN:
            await self._follow(attempt, lease, outcome, now)
            return
        match outcome:
            case Succeeded():
                await self._succeed(attempt, lease, outcome)
            case Failed(doubtful=True):
                await self._doubt(attempt, lease, outcome.fault, now)
            case Failed():
                await self._fail(attempt, lease, outcome, now)
            case Pending():
                await self._go_on(attempt, lease, outcome, now)
            case Unreadable():
                await self._ask_again(attempt, lease, outcome, now)
            case _:
                assert_never(outcome)

    async def _succeed(self, attempt: Attempt, lease: Lease, outcome: Succeeded) -> None:
        result = await self._prober.complete(outcome.result, attempt.channel_id)
        final = await self._attempts.finish(
            replace(attempt, polls=attempt.polls + 1),
            lease,
            status=AttemptStatus.SUCCEEDED,
            result=result,
            now=self._clock.now(),
        )
        self._ended(attempt, TaskStatus.SUCCEEDED, final=final)
        # When the provider was done is not known everywhere; it was not yet at the ask before.
        before = next_interval(
            attempt.pace, max(attempt.polls - 1, 0), factor=self._pace, randomness=self._random
        )
        self._metrics.detected(attempt.provider, before.total_seconds())

    async def _fail(self, attempt: Attempt, lease: Lease, outcome: Failed, now: datetime) -> None:
        cancelled = outcome.fault.kind is FaultKind.CANCELLED
        error = to_task_error(outcome.fault, has_job=True)
        final = await self._attempts.finish(
            replace(attempt, polls=attempt.polls + 1),
            lease,
            status=AttemptStatus.CANCELLED if cancelled else AttemptStatus.FAILED,
            fault=outcome.fault,
            error=error,
            now=now,
        )
        if cancelled:
            self._ended(attempt, TaskStatus.CANCELLED, final=final)
        else:
            self._ended(attempt, TaskStatus.FAILED, final=final, code=error.code)

    async def _doubt(self, attempt: Attempt, lease: Lease, fault: Fault, now: datetime) -> None:
        """Go on asking about a job whose failure may be none; in the end its task fails."""
        if fault.kind is FaultKind.NOT_FOUND and attempt.fault_kind == FaultKind.CANCELLED.value:
            # Its provider said that it cancels it, and this is how some tell that they have.
            told = replace(fault, kind=FaultKind.CANCELLED, safe_message="")
            await self._fail(attempt, lease, Failed(told), now)
            return
        # An earlier version of us that was told something certain in between left only that trace.
        doubted_at = attempt.doubted_at if attempt.doubted_at and attempt.last_reason else now
        ends_at = doubt_ends_at(attempt, doubted_at)
        # A notice that was given once is given again after a time without answers.
        if now >= attempt.deadline_at or (now >= ends_at and not attempt.misses):
            await self._lose(attempt, lease, fault, now)
            return
        _log.warning(
            "A job's failure is doubted", kind=fault.kind.value, reason=fault.message, until=ends_at
        )
        attempt = replace(
            attempt,
            doubted_at=doubted_at,
            polls=attempt.polls + 1,
            misses=0,
            last_reason=fault.message or fault.kind.value,
        )
        wait = doubt_backoff(now - doubted_at, factor=self._pace, randomness=self._random)
        if now < ends_at:
            wait = min(wait, ends_at - now)
        said = f"Not believed yet: {attempt.last_reason}"
        await self._release(attempt, lease, wait=wait, now=now, said=said)

    async def _go_on(self, attempt: Attempt, lease: Lease, outcome: Pending, now: datetime) -> None:
        if now >= attempt.deadline_at:
            await self._time_out(attempt, lease, now)
            return
        progress = outcome.progress
        if progress is None:
            progress = 50 if outcome.started else 10
        attempt = replace(
            attempt,
            polls=attempt.polls + 1,
            misses=0,
            doubted_at=None,
            seen_running_at=attempt.seen_running_at or (now if outcome.started else None),
            progress=max(progress, attempt.progress or 0),
            last_reason=None,
        )
        wait = next_interval(
            attempt.pace, attempt.polls, factor=self._pace, randomness=self._random
        )
        await self._release(attempt, lease, wait=wait, now=now, said=_in_words(outcome))

    async def _ask_again(
        self, attempt: Attempt, lease: Lease, outcome: Unreadable, now: datetime
    ) -> None:
        _log.warning("A provider could not be asked", reason=outcome.reason)
        if outcome.is_new_word:
            self._metrics.unknown_word(attempt.provider)
        if now >= attempt.deadline_at + DEADLINE_GRACE:
            await self._time_out(attempt, lease, now)
            return
        # Of a row of answers that say nothing the first is news; each may have a text of its own.
        said = attempt.said if attempt.misses and attempt.said else outcome.reason
        attempt = replace(attempt, misses=attempt.misses + 1, last_reason=outcome.reason)
        wait = backoff(attempt.pace, attempt.misses, factor=self._pace, randomness=self._random)
        if outcome.retry_after_seconds is not None:
            wait = max(wait, timedelta(seconds=min(outcome.retry_after_seconds, 3600)))
        await self._release(attempt, lease, wait=wait, now=now, said=said)

    async def _release(
        self, attempt: Attempt, lease: Lease, *, wait: timedelta, now: datetime, said: str
    ) -> None:
        due = now + wait
        if now < attempt.deadline_at:
            due = min(due, attempt.deadline_at)
        await self._attempts.release(replace(attempt, due_at=due), lease, now, said=said)

    async def _time_out(self, attempt: Attempt, lease: Lease, now: datetime) -> None:
        _log.warning("A job outlived its deadline", polls=attempt.polls)
        await self._leave(attempt, lease, _TIMED_OUT, now)

    async def _lose(self, attempt: Attempt, lease: Lease, fault: Fault, now: datetime) -> None:
        _log.warning("A job's failure is doubted no longer", kind=fault.kind.value)
        attempt = replace(attempt, polls=attempt.polls + 1)
        await self._leave(attempt, lease, to_task_error(fault, has_job=True), now, fault=fault)

    async def _leave(
        self,
        attempt: Attempt,
        lease: Lease,
        error: TaskError,
        now: datetime,
        *,
        fault: Fault | None = None,
    ) -> None:
        """End the task, and follow its job on: it may still succeed, and is paid for then."""
        final = await self._attempts.finish(
            attempt,
            lease,
            status=AttemptStatus.UNKNOWN,
            fault=fault,
            error=error,
            follow_at=now + FOLLOW_INTERVAL * self._pace,
            now=now,
        )
        self._ended(attempt, TaskStatus.FAILED, final=final, code=error.code)

    async def _follow(
        self, attempt: Attempt, lease: Lease, outcome: Outcome, now: datetime
    ) -> None:
        """Keep for the operator what became of a job that outlived its task."""
        match outcome:
            case Succeeded(result=result):
                await self._attempts.record_late(
                    attempt, lease, result=result, reason="It succeeded late.", now=now
                )
            case Failed(fault=fault, doubtful=False):
                await self._attempts.record_late(
                    attempt, lease, result=None, reason=f"It failed late: {fault.message}", now=now
                )
            case _ if now >= attempt.deadline_at + FOLLOW_LIMIT:
                await self._attempts.record_late(
                    attempt, lease, result=None, reason="It was followed no longer.", now=now
                )
            case _:
                await self._attempts.release(
                    replace(attempt, due_at=now + FOLLOW_INTERVAL * self._pace), lease, now
                )

    def _ended(
        self, attempt: Attempt, status: TaskStatus, *, final: bool, code: str | None = None
    ) -> None:
        self._changes.changed(attempt.task_id)
        if final:
            self._metrics.task(attempt.provider, status.value, code=code)
            _log.info("A task is final", status=status.value)


def _in_words(outcome: Pending) -> str:
    """What a provider says of a job that is not finished; its progress in tens, to be few words."""
    if not outcome.started:
        return "It is queued."
    if outcome.progress is None:
        return "It is being worked on."
    return f"It is being worked on: {outcome.progress // 10 * 10} %."
