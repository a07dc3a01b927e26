"""Submitting an attempt: the one place where a call that costs money is made."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from vidgate.constants import POLL_LEASE
from vidgate.db.attempts import AttemptStore
from vidgate.db.clock import Clock
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import (
    ConfigurationError,
    DatabaseUnavailableError,
    LeaseLostError,
    NotSentError,
    ProviderProtocolError,
    UnansweredError,
    UnsupportedParameterError,
)
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.channels import ChannelAccess
from vidgate.models.ids import new_id, public_id
from vidgate.models.outcomes import Fault, FaultKind, Rejected, Submission
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Call, Finds, Provider, Translation
from vidgate.services.attempts.failover import Failover, Move
from vidgate.services.attempts.faults import (
    NO_ANSWER,
    UNCLEAR_ANSWER,
    in_clients_words,
)
from vidgate.services.attempts.maker import AttemptMaker
from vidgate.services.attempts.submit_results import (
    Accepted,
    Held,
    Refused,
    Stays,
    SubmitResult,
    Waits,
)
from vidgate.services.attempts.translation import facts_document, translate
from vidgate.services.attempts.warnings import warnings_of
from vidgate.services.channels.directory import Directory
from vidgate.services.channels.upstream import CallKind, Upstream
from vidgate.services.metrics import Metrics
from vidgate.services.views.changes import Changes

__all__ = ["Submitter"]

_log = structlog.get_logger(__name__)

_RECORD_RETRY = timedelta(seconds=1)
_RECORD_LIMIT = timedelta(minutes=10)
"""How long an acceptance is kept in memory while the database is away."""


class _UnclearError(Exception):
    """A job may exist.

    Attributes:
        code: `NO_ANSWER` or `UNCLEAR_ANSWER`.
    """

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason)
        self.code = code


class _RefusalError(Exception):
    """No job exists, for certain."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


class Submitter:
    """Sends submits and records what came of them.

    Args:
        pace: The factor on the wait before the first question, from the settings.
    """

    def __init__(
        self,
        *,
        attempts: AttemptStore,
        tasks: TaskStore,
        directory: Directory,
        providers: Mapping[str, Provider],
        upstream: Upstream,
        clock: Clock,
        metrics: Metrics,
        changes: Changes,
        pace: float,
        maker: AttemptMaker,
        failover: Failover,
    ) -> None:
        self._maker = maker
        self._failover = failover
        self._attempts = attempts
        self._tasks = tasks
        self._directory = directory
        self._providers = providers
        self._upstream = upstream
        self._clock = clock
        self._metrics = metrics
        self._changes = changes
        self._pace = pace

    async def run(
        self,
        attempt: Attempt,
        lease: Lease,
        *,
        request: VideoRequest | None = None,
        translation: Translation | None = None,
        is_patient: Callable[[], bool] = lambda: True,
    ) -> SubmitResult:
        """Submit an attempt, moving to other channels as refusals demand.

        Args:
            attempt: In state `SUBMITTING`, held under `lease`.
            lease: Its end lies beyond the submit's own deadline.
            request: What the client asked for, `None` to read it from the database.
            translation: What was made of it for the attempt's channel, `None` to translate it.
                Only the first try uses it.
            is_patient: Whether the client has its id already, so that a provider that cannot be
                reached is waited for instead of being an error; asked when it matters.

        Returns:
            `Waits` too where the lease was lost, since then somebody else has it, and where the
            output was discarded.
        """
        result: SubmitResult | Held = Held(attempt, lease, translation)
        with structlog.contextvars.bound_contextvars(task=public_id("task_", attempt.task_id)):
            try:
                while isinstance(result, Held):
                    is_new = result.translation is not None
                    if not is_new and await self._failover.is_over(result.attempt, result.lease):
                        result = Waits()
                        break
                    if request is None:
                        request = await self._tasks.request(attempt.task_id)
                    result = await self._try_once(result, request, is_patient=is_patient)
            except LeaseLostError:
                _log.warning("The lease of a submit was lost; another worker goes on with it")
                result = Waits()
            self._changes.changed(attempt.task_id)
        return result

    async def go_on(
        self, attempt: Attempt, lease: Lease, fault: Fault, *, request: VideoRequest
    ) -> None:
        """Go on elsewhere with an attempt that certainly made no job, or end it."""
        match await self._failover.refused(attempt, lease, request, fault):
            case Held(attempt=new, lease=held):
                await self.run(new, held, request=request)
            case Waits() | Refused():
                pass
        self._changes.changed(attempt.task_id)

    async def _try_once(
        self, held: Held, request: VideoRequest, *, is_patient: Callable[[], bool]
    ) -> SubmitResult | Held:
        attempt, lease = held.attempt, held.lease
        channel = await self._directory.channel(attempt.channel_id)
        provider = self._providers[attempt.provider]
        try:
            translation = held.translation or await translate(provider, request, channel)
            submission = await self._converse(provider, attempt, translation, request, lease)
        except UnsupportedParameterError as error:
            # The first channel's translation was checked before the task was stored, so this is a
            # channel that it moved to: not one that could serve after all.
            fault = Fault(FaultKind.BAD_PARAMETER, error.code, error.message, error.message)
            return await self._failover.refused(attempt, lease, request, fault)
        except _RefusalError as refusal:
            return await self._failover.refused(attempt, lease, request, refusal.fault)
        except NotSentError as error:
            return await self._failover.not_sent(
                attempt, lease, request, error, is_patient=is_patient
            )
        except _UnclearError as error:
            await self._unclear(attempt, lease, error, provider)
            return Waits()
        await self.accept(attempt, lease, submission, (request, translation))
        self._metrics.submit(attempt.provider, "accepted")
        # The line of a request tells of its task; that is enough of what went as it was planned.
        say = _log.info if held.translation is None else _log.debug
        say("Submitted", channel=channel.name, provider=attempt.provider)
        return Accepted()

    async def accept(
        self,
        attempt: Attempt,
        lease: Lease,
        submission: Submission,
        sent: tuple[VideoRequest, Translation] | None,
    ) -> None:
        """Record that the job exists, however long the database takes to come back.

        Args:
            attempt: In state `SUBMITTING`.
            lease: Under which it is held.
            submission: What the provider said.
            sent: What was asked for and what was made of it, `None` to leave what the task says of
                it as it is.

        Raises:
            LeaseLostError: Another worker took the attempt over before it could be recorded.
        """
        now = self._clock.now()
        give_up_at = now + _RECORD_LIMIT
        is_unsure = False
        while True:
            try:
                await self._attempts.accept(
                    attempt,
                    lease,
                    ref=submission.ref,
                    due_at=now + attempt.pace.first_ask * self._pace,
                    deadline_at=now + attempt.pace.deadline,
                    details=sent[1].details if sent else None,
                    facts=facts_document(sent[1]) if sent else None,
                    warnings=warnings_of(*sent) if sent else None,
                    seed=submission.seed,
                    now=now,
                )
            except LeaseLostError:
                if is_unsure and await self._is_recorded(attempt, submission):
                    return
                # The one trace of a job that is paid for.
                _log.exception(
                    "An accepted job could not be recorded", upstream_task=submission.ref.id
                )
                raise
            except DatabaseUnavailableError:
                if self._clock.now() > give_up_at:
                    _log.exception(
                        "An accepted job could not be recorded", upstream_task=submission.ref.id
                    )
                    raise
                is_unsure = True
                await asyncio.sleep(_RECORD_RETRY.total_seconds())
            else:
                return

    async def _is_recorded(self, attempt: Attempt, submission: Submission) -> bool:
        """Whether a commit that went unanswered had gone through."""
        found = await self._attempts.one(attempt.id)
        return found is not None and found.ref == submission.ref

    async def _converse(
        self,
        provider: Provider,
        attempt: Attempt,
        translation: Translation,
        request: VideoRequest,
        lease: Lease,
    ) -> Submission:
        ids = self._maker.ids(attempt, translation)
        ends = attempt.submit_ends_at
        assert ends is not None  # noqa: S101 - set with the state SUBMITTING
        if lease.until <= ends:
            # The whole deadline must fit the lease: sending now could outlive it.
            raise NotSentError("Too late to send under this lease.")

        def write(access: ChannelAccess, now: datetime) -> Call[Submission | Rejected]:
            return provider.submit(translation, access, ids, now)

        try:
            answer = await self._upstream.ask(
                attempt,
                write,
                call=CallKind.SUBMIT,
                within=ends - self._clock.now(),
                in_thread=request.is_heavy,
            )
        except ConfigurationError as error:
            raise _RefusalError(Fault(FaultKind.CREDENTIAL, "credential", str(error))) from error
        except UnansweredError as error:
            raise _UnclearError(str(error), NO_ANSWER) from error
        except ProviderProtocolError as error:
            raise _UnclearError(str(error), UNCLEAR_ANSWER) from error
        if isinstance(answer, Rejected):
            raise _RefusalError(in_clients_words(answer.fault, translation.names))
        return answer

    async def _unclear(
        self, attempt: Attempt, lease: Lease, error: "_UnclearError", provider: Provider
    ) -> None:
        now, reason = self._clock.now(), str(error)
        self._metrics.submit(attempt.provider, "unclear")
        _log.warning("The outcome of a submit is unclear", reason=reason, attempt=str(attempt.id))
        assert attempt.submit_ends_at is not None  # noqa: S101 - set with the state SUBMITTING
        # A job that is found counts at once; that none exists is believed only later.
        due = now + timedelta(seconds=5) if isinstance(provider, Finds) else attempt.submit_ends_at
        unclear = replace(
            attempt,
            due_at=due,
            last_reason=reason,
            fault_kind=FaultKind.FAULT.value,
            fault_code=error.code,
            fault_message=reason,
        )
        await self._attempts.release(unclear, lease, now)

    async def move(self, attempt: Attempt, move: Move) -> Held | Waits | Stays:
        """Move a waiting attempt to another channel; what is held then is to be run."""
        now = self._clock.now()
        lease = Lease(new_id(), now + POLL_LEASE)
        with structlog.contextvars.bound_contextvars(task=public_id("task_", attempt.task_id)):
            if not await self._attempts.take_waiting(attempt.id, lease=lease, now=now):
                return Waits()  # somebody else has it
            try:
                if await self._failover.is_over(attempt, lease):
                    return Waits()
                request = await self._tasks.request(attempt.task_id)
                moved = await self._failover.move(attempt, lease, request, move)
            except LeaseLostError:
                return Waits()
        if isinstance(moved, Stays):
            await self._attempts.return_leases({attempt.id: lease}, attempt.due_at or now)
        return moved
