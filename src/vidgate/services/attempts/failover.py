"""What follows when no job exists: another try, another channel, a wait, or the end."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from vidgate.constants import (
    FULL_CHANNEL_RETRY,
    MAX_BACKOFF,
    REFUSAL_TOLD,
    SUBMIT_TRIES,
)
from vidgate.db.attempts import AttemptStore, NewAttempt
from vidgate.db.clock import Clock
from vidgate.exceptions import (
    ChannelBusyError,
    NotSentError,
    PriceMissingError,
    RequestError,
    UnsupportedParameterError,
)
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.channels import Channel
from vidgate.models.outcomes import Fault, FaultKind, Remedy
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import AttemptStatus, TaskError, TaskStatus
from vidgate.providers.base import Provider
from vidgate.services.attempts.faults import QUEUED_TOO_LONG, to_request_error, to_task_error
from vidgate.services.attempts.maker import AttemptMaker
from vidgate.services.attempts.submit_results import Held, Refused, Stays, Waits
from vidgate.services.attempts.translation import translate
from vidgate.services.channels.directory import Directory
from vidgate.services.channels.routing import Router
from vidgate.services.metrics import Metrics

__all__ = ["Failover", "Move"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Move:
    """Where attempts may go that wait at a channel.

    Attributes:
        to: The channels.
        fault: Why they do not stay.
        at_once: Whether only to where they can be submitted at once, not to wait there.
    """

    to: frozenset[UUID]
    fault: Fault
    at_once: bool


class Failover:
    """Decides how it goes on with an attempt of which it is certain that no job exists.

    Args:
        pace: The factor on every wait, from the settings.
        randomness: Jitter.
    """

    def __init__(
        self,
        *,
        attempts: AttemptStore,
        directory: Directory,
        providers: Mapping[str, Provider],
        router: Router,
        maker: AttemptMaker,
        clock: Clock,
        metrics: Metrics,
        pace: float,
        randomness: random.Random,
    ) -> None:
        self._attempts = attempts
        self._directory = directory
        self._providers = providers
        self._router = router
        self._maker = maker
        self._clock = clock
        self._metrics = metrics
        self._pace = pace
        self._random = randomness

    async def is_over(self, attempt: Attempt, lease: Lease, fault: Fault | None = None) -> bool:
        """End an attempt without a job whose output is discarded; `False` if it is wanted.

        Args:
            attempt: One that is about to be submitted, here or elsewhere.
            lease: Under which it is held.
            fault: Why its own channel did not take it, `None` if it was not asked.
        """
        if await self._attempts.is_wanted(attempt):
            return False
        status = AttemptStatus.CANCELLED if fault is None else AttemptStatus.FAILED
        now = self._clock.now()
        await self._attempts.finish(attempt, lease, status=status, fault=fault, now=now)
        _log.info("What was discarded is not submitted")
        return True

    async def not_sent(
        self,
        attempt: Attempt,
        lease: Lease,
        request: VideoRequest,
        error: NotSentError,
        *,
        is_patient: Callable[[], bool],
    ) -> Held | Waits | Refused:
        """Go on after a submit of which no byte was sent.

        Args:
            attempt: In state `SUBMITTING`.
            lease: Under which it is held.
            request: What the client asked for.
            error: Why it was not sent.
            is_patient: Whether to wait for a provider that cannot be reached; otherwise that is the
                end.
        """
        self._metrics.submit(attempt.provider, "not_sent")
        _log.warning("A submit could not be sent", reason=str(error), tries=attempt.tries + 1)
        attempt = replace(attempt, tries=attempt.tries + 1, last_reason=str(error))
        now = self._clock.now()
        if attempt.tries < SUBMIT_TRIES:
            wait = timedelta(seconds=0.2 * 2**attempt.tries * self._random.uniform(0.8, 1.2))
            if attempt.submit_ends_at and now + 2 * wait < attempt.submit_ends_at:
                await asyncio.sleep(wait.total_seconds())
                return Held(attempt, lease)
        fault = Fault(FaultKind.FAULT, "unreachable", str(error))
        if await self.is_over(attempt, lease, fault):
            return Waits()
        moved = await self._elsewhere(attempt, lease, request, fault)
        if not isinstance(moved, Stays):
            return moved
        if not is_patient():
            return await self._give_up(attempt, lease, request, fault)
        return await self._wait_or_end(attempt, lease, attempt.last_reason or "", fault)

    async def refused(
        self,
        attempt: Attempt,
        lease: Lease,
        request: VideoRequest,
        fault: Fault,
    ) -> Held | Waits | Refused:
        """Go on after a provider's refusal, as the fault's kind says."""
        self._metrics.submit(attempt.provider, fault.kind.value)
        _log.warning(
            "A provider refused a submit",
            kind=fault.kind.value,
            code=fault.code,
            message=fault.message,
        )
        if await self.is_over(attempt, lease, fault):
            return Waits()
        if fault.kind.remedy is not Remedy.FINAL:
            moved = await self._elsewhere(attempt, lease, request, fault)
            if not isinstance(moved, Stays):
                return moved
        if fault.kind.remedy is Remedy.RETRY_HERE or await self._is_waited_out(attempt, fault):
            attempt = replace(attempt, tries=attempt.tries + 1)
            reason = f"{fault.kind.value}: {fault.message}"
            return await self._wait_or_end(attempt, lease, reason, fault)
        return await self._give_up(attempt, lease, request, fault)

    async def _is_waited_out(self, attempt: Attempt, fault: Fault) -> bool:
        """Whether a failure of the provider's is one of many, so that all wait for their end."""
        channel = await self._directory.channel(attempt.channel_id)
        return fault.kind is FaultKind.FAULT and channel.is_open

    async def options(self, attempt: Attempt, request: VideoRequest) -> frozenset[UUID]:
        """The channels that might take a waiting attempt, as far as its model says.

        Args:
            attempt: What waits.
            request: What the client asked for; its pictures do not matter.
        """
        return frozenset(one.id for one in await self._candidates(attempt, request))

    async def move(
        self, attempt: Attempt, lease: Lease, request: VideoRequest, move: Move
    ) -> Held | Waits | Stays:
        """Move a waiting attempt to another channel, if one of them can take it."""
        return await self._elsewhere(attempt, lease, request, move.fault, move=move)

    async def _serving(self, attempt: Attempt, request: VideoRequest) -> list[Channel]:
        """The channels that may serve the model to the task's token now, in order."""
        token = await self._directory.token_of_task(attempt.task_id)
        try:
            model = self._router.effective_model(request)
            return await self._router.candidates(
                token, model, channel_id=request.channel_id, vendor_format=request.vendor_format
            )
        except RequestError:
            return []

    async def _candidates(self, attempt: Attempt, request: VideoRequest) -> list[Channel]:
        """Those of them that were not tried."""
        candidates = await self._serving(attempt, request)
        used = await self._attempts.channels_used(attempt.task_id, attempt.position)
        used.add(attempt.channel_id)
        return [channel for channel in candidates if channel.id not in used]

    async def _elsewhere(
        self,
        attempt: Attempt,
        lease: Lease,
        request: VideoRequest,
        fault: Fault,
        *,
        move: Move | None = None,
    ) -> Held | Waits | Stays:
        """Go on at another channel, if one is left that was not tried.

        Args:
            attempt: What ends here.
            lease: Under which it is held.
            request: What the client asked for.
            fault: Why it ends.
            move: Where it may go, and whether to wait there; `None` where any channel will do.
        """
        stays = Stays()
        for channel in await self._candidates(attempt, request):
            if move is not None and channel.id not in move.to:
                continue
            new = await self._next(attempt, request, channel)
            if new is None:
                continue
            store = self._attempts
            replaces = store.replace_at_once if move and move.at_once else store.replace
            made = await replaces(attempt, lease, fault=fault, new=new)
            if made is None:
                stays = Stays(for_now=True)
                continue
            _log.info("Moved to another channel", channel=channel.name)
            return Waits() if made.status is AttemptStatus.PENDING else Held(made, new.lease)
        return stays

    async def _wait_or_end(
        self, attempt: Attempt, lease: Lease, reason: str, fault: Fault
    ) -> Waits | Refused:
        """Try again later, as long as the task may wait."""
        now = self._clock.now()
        if now < attempt.deadline_at:
            await self._wait(attempt, lease, reason, now=now, least=fault.retry_after_seconds)
            return Waits()
        await self._end(attempt, lease, fault, QUEUED_TOO_LONG)
        return Refused(ChannelBusyError())

    async def _wait(
        self,
        attempt: Attempt,
        lease: Lease,
        reason: str,
        *,
        now: datetime,
        least: float | None = None,
    ) -> None:
        """Give the slot back and try again later."""
        backoff = min(FULL_CHANNEL_RETRY * 2 ** min(attempt.tries - 1, 6), MAX_BACKOFF)
        wait = backoff * self._pace * self._random.uniform(0.8, 1.2)
        if least is not None:
            wait = max(wait, timedelta(seconds=min(least, 3600)))
        due_at = min(now + wait, attempt.deadline_at)  # when its wait ends at the latest
        waits = replace(attempt, status=AttemptStatus.PENDING, due_at=due_at, last_reason=reason)
        await self._attempts.release(waits, lease, now)

    async def _back_to_busy(
        self, attempt: Attempt, lease: Lease, request: VideoRequest, fault: Fault
    ) -> bool:
        """Wait again at a channel that was only busy, or return `False`.

        A second channel that turns out to be broken must not make worse what the first one alone
        would have had an end to.
        """
        busy = {FaultKind.CONCURRENCY.value, FaultKind.RATE.value}
        serving = {channel.id: channel for channel in await self._serving(attempt, request)}
        for earlier in reversed(await self._attempts.of_task(attempt.task_id)):
            if earlier.position != attempt.position or earlier.fault_kind not in busy:
                continue
            channel = serving.get(earlier.channel_id)
            new = await self._next(attempt, request, channel) if channel else None
            if new is None:  # its tags, its budget, its mapping or a table changed meanwhile
                continue
            waits = replace(new, wait_until=new.created_at + FULL_CHANNEL_RETRY * self._pace)
            await self._attempts.replace(attempt, lease, fault=fault, new=waits)
            return True
        return False

    async def _next(
        self, attempt: Attempt, request: VideoRequest, channel: Channel
    ) -> NewAttempt | None:
        """Make an output's next attempt; `None` if the channel cannot honour the request."""
        try:
            translation = await translate(self._providers[channel.provider], request, channel)
            return self._maker.make(
                task_id=attempt.task_id,
                position=attempt.position,
                number=attempt.number + 1,
                channel=channel,
                request=request,
                translation=translation,
                now=self._clock.now(),
                deadline_at=attempt.deadline_at,
            )
        except (UnsupportedParameterError, PriceMissingError):
            return None

    async def _give_up(
        self, attempt: Attempt, lease: Lease, request: VideoRequest, fault: Fault
    ) -> Waits | Refused:
        can_wait = fault.kind.remedy is not Remedy.FINAL
        if can_wait and await self._back_to_busy(attempt, lease, request, fault):
            return Waits()
        await self._end(attempt, lease, fault, to_task_error(fault))
        known = self._providers[attempt.provider].capabilities.models
        is_known = attempt.upstream_model in known
        return Refused(to_request_error(fault, knows_model=is_known))

    async def _end(self, attempt: Attempt, lease: Lease, fault: Fault, error: TaskError) -> None:
        now = self._clock.now()
        final = await self._attempts.finish(
            attempt,
            lease,
            status=AttemptStatus.FAILED,
            fault=fault,
            error=error,
            told_at=now + REFUSAL_TOLD,
            now=now,
        )
        if final:
            self._metrics.task(attempt.provider, TaskStatus.FAILED.value, code=error.code)
