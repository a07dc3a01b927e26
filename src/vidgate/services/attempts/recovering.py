"""Finding out what became of submits that got no answer."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from vidgate.constants import (
    FIND_AGAIN,
    LEASE_MARGIN,
    SUBMIT_TRIES,
    UNCLEAR_DEADLINE,
    UNKNOWN_GRACE,
)
from vidgate.db.attempts import AttemptStore
from vidgate.db.clock import Clock
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import (
    ConfigurationError,
    LeaseLostError,
    NotSentError,
    RequestError,
    UnsupportedParameterError,
    UpstreamError,
)
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.channels import OnUnknown
from vidgate.models.ids import new_id, public_id
from vidgate.models.outcomes import Fault, FaultKind, Found, Submission, UpstreamRef
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import AttemptStatus, TaskError, TaskStatus
from vidgate.providers.base import Finds, LostSubmit, Provider, SubmitIds, Translation
from vidgate.providers.transport.client import Pool
from vidgate.services.attempts.failover import Failover
from vidgate.services.attempts.faults import (
    NO_ANSWER,
    QUEUED_TOO_LONG,
    UNKNOWN_OUTCOME,
    to_unknown_outcome,
)
from vidgate.services.attempts.maker import AttemptMaker
from vidgate.services.attempts.pacing import backoff
from vidgate.services.attempts.submitting import Submitter
from vidgate.services.attempts.translation import translate
from vidgate.services.channels.directory import Directory
from vidgate.services.channels.upstream import CallKind, Upstream
from vidgate.services.metrics import Metrics
from vidgate.services.views.changes import Changes

__all__ = ["Recoverer"]

_log = structlog.get_logger(__name__)

_PAGES = 20
"""Pages of a provider's list that are read in one go; the next round goes on behind them."""


class Recoverer:
    """Goes on with submits that were cut off, and ends waits that took too long.

    A job that the provider has is taken up. One that it twice says it does not have, after the
    submit's own deadline, is submitted again with the same ids. Where the provider cannot tell,
    the task fails and the attempt stays unknown in the books, unless the channel says otherwise.

    Args:
        pace: The factor on back-offs, from the settings.
        randomness: Jitter.
    """

    def __init__(
        self,
        *,
        attempts: AttemptStore,
        tasks: TaskStore,
        directory: Directory,
        providers: Mapping[str, Provider],
        maker: AttemptMaker,
        submitter: Submitter,
        failover: Failover,
        upstream: Upstream,
        clock: Clock,
        metrics: Metrics,
        changes: Changes,
        pace: float,
        randomness: random.Random,
    ) -> None:
        self._attempts = attempts
        self._tasks = tasks
        self._directory = directory
        self._providers = providers
        self._maker = maker
        self._submitter = submitter
        self._failover = failover
        self._upstream = upstream
        self._clock = clock
        self._metrics = metrics
        self._changes = changes
        self._pace = pace
        self._random = randomness

    async def recover(self, attempt: Attempt, lease: Lease) -> None:
        """Go on with an attempt in state `SUBMITTING` that nobody works on."""
        with structlog.contextvars.bound_contextvars(task=public_id("task_", attempt.task_id)):
            try:
                provider = self._providers[attempt.provider]
                if isinstance(provider, Finds):
                    await self._look_up(attempt, lease, provider)
                else:
                    await self._cannot_tell(attempt, lease)
            except LeaseLostError:
                _log.warning("The lease of a recovery was lost; another worker goes on with it")

    async def expire(self, attempt: Attempt, lease: Lease) -> None:
        """End an attempt in state `PENDING` whose deadline has passed."""
        now = self._clock.now()
        final = await self._attempts.finish(
            attempt, lease, status=AttemptStatus.FAILED, error=QUEUED_TOO_LONG, now=now
        )
        self._failed(attempt, QUEUED_TOO_LONG, final=final)

    async def _look_up(self, attempt: Attempt, lease: Lease, provider: Finds) -> None:
        now = self._clock.now()
        sent_at, ends = _times(attempt)
        try:
            found = await self._find(attempt, provider, lease)
        except (UpstreamError, ConfigurationError) as error:
            _log.warning("A provider could not be asked about a submit", reason=str(error))
            if now > sent_at + UNCLEAR_DEADLINE:
                await self._give_up(attempt, lease)
                return
            attempt = replace(attempt, polls=attempt.polls + 1, last_reason=str(error))
            wait = backoff(attempt.pace, attempt.polls, factor=self._pace, randomness=self._random)
            await self._release(attempt, lease, now + wait, said=str(error))
            return
        if found.ref is not None:
            await self._accept(attempt, lease, found.ref)
        elif found.next_page is not None and now > sent_at + UNCLEAR_DEADLINE:
            await self._give_up(attempt, lease)
        elif found.next_page is not None:
            # The list is longer than one lease; the next one goes on where this one ends.
            again = replace(attempt, find_page=_to_place(found, provider))
            await self._release(again, lease, now + provider.page_interval)
        elif now < ends:
            again = replace(attempt, find_page=None)
            await self._release(again, lease, ends + timedelta(seconds=1))
        elif not provider.proves_absence:
            await self._take_up(attempt, lease, found)
        elif attempt.misses == 0:
            reason = "The provider has no such job yet."
            again = replace(attempt, misses=1, find_page=None, last_reason=reason)
            await self._release(again, lease, now + FIND_AGAIN, said=reason)
        else:
            await self._submit_again(attempt, lease)

    async def _accept(self, attempt: Attempt, lease: Lease, ref: UpstreamRef) -> None:
        _log.info("A cut off submit was found at the provider")
        sent = await self._sent(attempt)
        await self._submitter.accept(attempt, lease, Submission(ref), sent)
        self._metrics.submit(attempt.provider, "recovered")
        self._changes.changed(attempt.task_id)

    async def _take_up(self, attempt: Attempt, lease: Lease, found: Found) -> None:
        """Take up the one job that was made of the same and is nobody else's.

        With none, or several, nobody can tell: the provider has no id of ours.
        """
        now = self._clock.now()
        _, ends = _times(attempt)
        others = await self._attempts.others_end_at(attempt, ends)
        if others is not None and others > now:
            # Its answer may still say that the job is its own.
            again = replace(attempt, find_page=None)
            await self._release(again, lease, others + timedelta(seconds=1))
            return
        ref = await self._attempts.take_job(attempt, lease, found.candidates)
        if ref is None:
            await self._cannot_tell(replace(attempt, find_page=None), lease)
        else:
            await self._accept(attempt, lease, ref)

    async def _find(self, attempt: Attempt, provider: Finds, lease: Lease) -> Found:
        within = self._providers[attempt.provider].capabilities.poll_timeout
        ids = SubmitIds(correlation=attempt.correlation)
        sent_at, ends_at = _times(attempt)
        sent = None if provider.proves_absence else await self._sent(attempt)
        lost = LostSubmit(
            endpoint=attempt.endpoint,
            ids=ids,
            sent_at=sent_at,
            ends_at=ends_at,
            translation=sent[1] if sent else None,
        )
        found: Found | None = None
        so_far = _from_place(attempt.find_page, provider)
        for _ in range(1 if provider.page_interval else _PAGES):
            if self._clock.now() + within >= lease.until:
                break
            found = await self._upstream.ask(
                attempt,
                partial(provider.find, lost, page=so_far.next_page),
                call=CallKind.FIND,
                within=within,
                pool=Pool.POLLS,
            )
            # Lists shift while they are read, so that a job may be on two pages.
            every = dict.fromkeys((*so_far.candidates, *found.candidates))
            found = so_far = replace(found, candidates=tuple(every))
            if found.ref is not None or found.next_page is None:
                break
        if found is None:
            # A question that was not put must never count as a "no".
            raise NotSentError("No time was left under the lease to ask the provider.")
        return found

    async def _sent(self, attempt: Attempt) -> tuple[VideoRequest, Translation] | None:
        """What was asked for and made of it, `None` if that is not known any more.

        A found job is taken up all the same: meanwhile the channel's mapping or a table may have
        changed.
        """
        try:
            request = await self._tasks.request(attempt.task_id)
            channel = await self._directory.channel(attempt.channel_id)
            provider = self._providers[attempt.provider]
            return request, await translate(provider, request, channel)
        except (UnsupportedParameterError, LookupError):
            return None

    async def _submit_again(self, attempt: Attempt, lease: Lease) -> None:
        if await self._failover.is_over(attempt, lease):
            return
        request = await self._tasks.request(attempt.task_id)
        if attempt.doubts + 1 >= SUBMIT_TRIES:
            fault = Fault(FaultKind.FAULT, "no_job", attempt.last_reason or "")
            await self._submitter.go_on(attempt, lease, fault, request=request)
            return
        channel = await self._directory.channel(attempt.channel_id)
        if channel.is_open or not channel.is_usable:
            # There is no job to go on with, so it is new work: it waits, or moves elsewhere.
            waiting = replace(attempt, status=AttemptStatus.PENDING, misses=0, find_page=None)
            await self._release(waiting, lease, self._clock.now())
            return
        _log.warning("The provider has no such job; it is submitted again")
        now = self._clock.now()
        ends = now + self._maker.submit_deadline(attempt.provider, request)
        new = Lease(new_id(), ends + LEASE_MARGIN)
        attempt = await self._attempts.restart(
            attempt, lease, new=new, submit_ends_at=ends, now=now
        )
        await self._submitter.run(attempt, new, request=request)

    async def _cannot_tell(self, attempt: Attempt, lease: Lease) -> None:
        _, ends = _times(attempt)
        if self._clock.now() < ends + UNKNOWN_GRACE:
            await self._release(attempt, lease, ends + UNKNOWN_GRACE)
            return
        channel = await self._directory.channel(attempt.channel_id)
        may_repeat = channel.on_unknown is OnUnknown.RESUBMIT and channel.is_usable
        # Each of them may be paid for, so there is an end to it.
        may_repeat = may_repeat and attempt.number < SUBMIT_TRIES
        if may_repeat and await self._attempts.is_wanted(attempt):
            await self._resubmit(attempt, lease)
        else:
            await self._give_up(attempt, lease)

    async def _resubmit(self, attempt: Attempt, lease: Lease) -> None:
        """Make another attempt although the first may have made a job: the operator said so."""
        request = await self._tasks.request(attempt.task_id)
        channel = await self._directory.channel(attempt.channel_id)
        provider = self._providers[attempt.provider]
        try:
            translation = await translate(provider, request, channel)
            new = self._maker.make(
                task_id=attempt.task_id,
                position=attempt.position,
                number=attempt.number + 1,
                channel=channel,
                request=request,
                translation=translation,
                now=self._clock.now(),
                deadline_at=attempt.deadline_at,
            )
        except (UnsupportedParameterError, RequestError):
            await self._give_up(attempt, lease)
            return
        # A server that knows submits by our id, as a vidgate does, answers with the first job.
        new = replace(new, correlation=attempt.correlation)
        told = attempt.fault_message or attempt.last_reason or ""
        fault = Fault(FaultKind.FAULT, UNKNOWN_OUTCOME.code, told)
        made = await self._attempts.replace(attempt, lease, fault=fault, new=new, unknown=True)
        self._metrics.unknown_attempt(attempt.provider)
        if made.status is AttemptStatus.SUBMITTING:
            await self._submitter.run(made, new.lease, request=request)

    async def _give_up(self, attempt: Attempt, lease: Lease) -> None:
        told = attempt.fault_message or attempt.last_reason or ""
        _log.warning("Nobody can tell what became of a submit", reason=told)
        error = to_unknown_outcome(attempt.fault_code)
        final = await self._attempts.finish(
            attempt,
            lease,
            status=AttemptStatus.UNKNOWN,
            fault=Fault(FaultKind.FAULT, attempt.fault_code or NO_ANSWER, told),
            error=error,
            now=self._clock.now(),
        )
        self._metrics.submit(attempt.provider, "unknown")
        self._metrics.unknown_attempt(attempt.provider)
        self._failed(attempt, error, final=final)

    async def _release(
        self, attempt: Attempt, lease: Lease, due_at: datetime, *, said: str | None = None
    ) -> None:
        now = self._clock.now()
        await self._attempts.release(replace(attempt, due_at=due_at), lease, now, said=said)

    def _failed(self, attempt: Attempt, error: TaskError, *, final: bool) -> None:
        self._changes.changed(attempt.task_id)
        if final:
            self._metrics.task(attempt.provider, TaskStatus.FAILED.value, code=error.code)


def _times(attempt: Attempt) -> tuple[datetime, datetime]:
    """When the submit was sent, and when its own deadline ends."""
    assert attempt.sent_at is not None  # noqa: S101 - set with the state SUBMITTING
    assert attempt.submit_ends_at is not None  # noqa: S101 - likewise
    return attempt.sent_at, attempt.submit_ends_at


def _to_place(found: Found, provider: Finds) -> Any:
    """Where a search goes on, and what it has found so far where that may be taken up."""
    if provider.proves_absence:
        return found.next_page
    candidates = [[ref.id, ref.kind] for ref in found.candidates]
    return {"page": found.next_page, "candidates": candidates}


def _from_place(place: Any, provider: Finds) -> Found:
    if provider.proves_absence or place is None:
        return Found(None, next_page=place)
    candidates = tuple(UpstreamRef(id_, kind) for id_, kind in place["candidates"])
    return Found(None, next_page=place["page"], candidates=candidates)
