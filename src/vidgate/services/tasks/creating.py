"""Creating tasks: checked, stored, submitted, answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import structlog

from vidgate.db.attempts import NewAttempt
from vidgate.db.clock import Clock
from vidgate.db.once import FirstUse, Receipt, RepeatedError
from vidgate.db.tasks import NewTask, TaskStore
from vidgate.exceptions import (
    DatabaseUnavailableError,
    StorageUnavailableError,
    UnsupportedParameterError,
)
from vidgate.models.accounts import Caller, Sight
from vidgate.models.attempts import Attempt
from vidgate.models.ids import public_id
from vidgate.models.limits import Admission, owner_of
from vidgate.models.requests import IdempotencyClaim, VideoRequest
from vidgate.models.spans import write_span
from vidgate.models.tasks import (
    AttemptStatus,
    FollowUp,
    OutputSnapshot,
    TaskCost,
    TaskSnapshot,
    TaskStatus,
)
from vidgate.providers.base import FollowsUp, Provider
from vidgate.services.attempts.submit_results import Refused, SubmitResult, Waits
from vidgate.services.attempts.submitting import Submitter
from vidgate.services.attempts.warnings import warnings_of
from vidgate.services.tasks.idempotency import Repetitions, UndoneError
from vidgate.services.tasks.planning import Option, Plan, Planner
from vidgate.services.tasks.references import VideoNames
from vidgate.services.views.changes import Changes
from vidgate.services.views.reading import TaskReader

__all__ = ["Created", "TaskCreator"]

_log = structlog.get_logger(__name__)

_WAITING_AT_ONCE = 16
"""Repetitions of one account that wait for their first request at once: each asks the database
several times a second. Beyond it the task is answered as it is."""

_REPEAT_PAUSE = timedelta(seconds=0.25)
"""Between two looks at what the first of two equal requests came to."""

_ABANDON_TRIES = 120
_ABANDON_PAUSE = timedelta(seconds=1)
"""How often, and how far apart, a task whose commit went unanswered is looked for."""


@dataclass(frozen=True, slots=True)
class Created:
    """A stored task, with what its client is warned of.

    Attributes:
        replayed: Whether an earlier, equal request made it.
        receipt: What to note once its client has the answer, `None` where that does not count.
    """

    snapshot: TaskSnapshot
    replayed: bool = False
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class _Begun:
    """A stored task.

    Attributes:
        snapshot: As it was stored.
        answered: To be set when its client has its id.
        running: The submits of its outputs, without those that wait for a slot.
        waits: Whether one of them does.
    """

    snapshot: TaskSnapshot
    answered: asyncio.Event
    running: tuple[asyncio.Task[SubmitResult], ...]
    waits: bool


class TaskCreator:
    """Takes requests from callers.

    Args:
        submit_wait: How long a caller waits for the provider.
    """

    def __init__(
        self,
        *,
        planner: Planner,
        tasks: TaskStore,
        reader: TaskReader,
        providers: Mapping[str, Provider],
        submitter: Submitter,
        changes: Changes,
        clock: Clock,
        names: VideoNames,
        repetitions: Repetitions,
        submit_wait: timedelta,
    ) -> None:
        self._planner = planner
        self._tasks = tasks
        self._reader = reader
        self._providers = providers
        self._submitter = submitter
        self._changes = changes
        self._clock = clock
        self._names = names
        self._repetitions = repetitions
        self._submit_wait = submit_wait.total_seconds()
        self._running: set[asyncio.Task[Any]] = set()
        self._waiting: Counter[UUID] = Counter()

    async def follow_up(
        self,
        caller: Caller,
        kind: FollowUp,
        source: str,
        request: VideoRequest,
        *,
        dialect: str,
        echo: Mapping[str, Any] = MappingProxyType({}),
        once: IdempotencyClaim | None = None,
    ) -> Created:
        """Make something of a finished video; else as `create`.

        Args:
            caller: Who asks.
            kind: What to make.
            source: Our id of the task that made the video.
            request: What is asked for; `model` may be empty.
            dialect: In which it is asked.
            echo: As for `create`.
            once: As for `create`.

        Raises:
            RequestError: There is no such video, its provider has nothing like it, or as `create`.
        """
        if once is not None and (repeated := await self._repeated(caller, once)) is not None:
            return repeated
        task = await self._names.finished(source, caller.sight, param="video")
        provider = self._providers.get(task.provider or "")
        if provider is None:  # made by a newer version, or by one with more providers
            raise UnsupportedParameterError("video", "Nothing can be done with this video here.")
        if not isinstance(provider, FollowsUp):
            raise UnsupportedParameterError(
                "video",
                f"The provider of {task.public_id} has nothing that can {kind.value} a video.",
            )
        request = provider.follow_up(kind, task, request)
        return await self.create(caller, request, dialect=dialect, echo=echo, once=once)

    async def create(
        self,
        caller: Caller,
        request: VideoRequest,
        *,
        dialect: str,
        echo: Mapping[str, Any] = MappingProxyType({}),
        once: IdempotencyClaim | None = None,
    ) -> Created:
        """Store a task, submit it, and wait a while for the provider's word.

        A caller that goes away stops nothing: the submit is a task of its own.

        Args:
            caller: Who asks.
            request: What is asked for.
            dialect: In which it is asked.
            echo: What the dialect gives back with the task as the client sent it.
            once: By what a repetition is recognised, `None` if it is not to be.

        Raises:
            RequestError: It is certain that no job exists or will exist.
        """
        # Before anything else: whatever has changed since, a request that was carried out was.
        if once is not None and (repeated := await self._repeated(caller, once)) is not None:
            return repeated
        prepared = await self._planner.prepare(caller, request, echo)
        plan = await self._planner.plan(caller, prepared, dialect=dialect)
        mine = None if once is None else once.within(caller.sight)
        try:
            begun = await asyncio.shield(self._spawn(self._begin(plan, mine, caller.admission)))
        except RepeatedError as error:
            assert mine is not None  # noqa: S101 - without a key nothing is a repetition
            repeated = await self._repeat(caller, error.first, mine)
            # None: the other one was undone meanwhile, so that this is the first.
            return repeated or await self.create(
                caller, request, dialect=dialect, echo=echo, once=once
            )
        return await self._answer(plan.task, begun, mine)

    def delivered(self, created: Created) -> None:
        """Take note that a client has its answer."""
        if created.receipt is not None:
            self._repetitions.delivered(created.receipt)

    async def drain(self, grace: timedelta) -> None:
        """Let submits under way end, for at most `grace`; what is left is recovered later."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace.total_seconds()):
                while self._running:  # one that stores starts one that submits
                    await asyncio.wait(self._running)
        for running in self._running:
            running.cancel()
        await self._repetitions.aclose()

    async def _begin(
        self, plan: Plan, once: IdempotencyClaim | None, admission: Admission | None
    ) -> _Begun:
        """Store a task and start its submits, in one piece.

        A client that goes away in between would leave an attempt that looks sent and is not.
        """
        stored = await self._store(plan, once, admission)
        options = {one.attempt.id: one for output in plan.options for one in output}
        answered = asyncio.Event()
        running = tuple(
            self._spawn(self._run(attempt, options[attempt.id], plan.request, answered))
            for attempt in stored
            if attempt.status is AttemptStatus.SUBMITTING
        )
        snapshot = _first_snapshot(plan, options[stored[0].id])
        return _Begun(snapshot, answered, running, waits=len(running) < len(stored))

    async def _answer(self, task: NewTask, begun: _Begun, once: IdempotencyClaim | None) -> Created:
        """Wait a while for the provider's word, and answer with what is known then."""
        if begun.running:
            _, late = await asyncio.wait(begun.running, timeout=self._submit_wait)
            begun.answered.set()
            if not late and not begun.waits:
                results = [running.result() for running in begun.running]
                await self._raise_refused(results, task, once)
        self._changes.changed(task.id)
        receipt = _receipt(once, begun.snapshot)
        try:
            view = await self._reader.read(begun.snapshot.public_id, Sight(task.account_id))
        except DatabaseUnavailableError:
            # Stored it is; what became of it meanwhile a poll will tell.
            return Created(begun.snapshot, receipt=receipt)
        return Created(view.snapshot, receipt=receipt)

    async def _raise_refused(
        self, results: Sequence[SubmitResult], task: NewTask, once: IdempotencyClaim | None
    ) -> None:
        """Answer with an error where it is certain that no output has a job or will have one."""
        refusals = [result.error for result in results if isinstance(result, Refused)]
        if len(refusals) < len(results):
            return
        with suppress(DatabaseUnavailableError):
            if once is None:
                await self._tasks.forget_webhooks(task.id)
            else:
                await self._repetitions.keep(refusals[0], once, task.account_id, task.id)
        raise refusals[0]

    async def _repeated(self, caller: Caller, once: IdempotencyClaim) -> Created | None:
        """The answer to a repetition, or `None` for a first request."""
        mine = once.within(caller.sight)
        now = self._clock.now()
        first = await self._repetitions.find(mine, caller.account_id, now)
        if first is None:
            first = await self._repetitions.find_earlier(once, caller, now)
        return None if first is None else await self._repeat(caller, first, mine)

    async def _repeat(
        self, caller: Caller, first: FirstUse, once: IdempotencyClaim
    ) -> Created | None:
        """Answer as the first request was, waiting for it as long as it waits itself.

        Returns:
            `None` where the first came to nothing, or is answered, and its key is free again.
        """
        waits_until = time.monotonic() + self._submit_wait
        is_first_look = True
        account_id = caller.account_id
        if self._waiting[account_id] >= _WAITING_AT_ONCE:
            waits_until = 0
        self._waiting[account_id] += 1
        try:
            while True:
                task = await self._repetitions.answer(
                    first, once, account_id, patient=time.monotonic() < waits_until
                )
                if task is not None:
                    if is_first_look and await self._repetitions.is_spent(first, once, account_id):
                        return None
                    return Created(task, replayed=True, receipt=_receipt(once, task, key=first.key))
                is_first_look = False
                await asyncio.sleep(_REPEAT_PAUSE.total_seconds())
        except UndoneError:
            return None
        finally:
            self._waiting[account_id] -= 1
            if not self._waiting[account_id]:
                del self._waiting[account_id]

    async def _store(
        self, plan: Plan, once: IdempotencyClaim | None, admission: Admission | None
    ) -> list[Attempt]:
        attempts = [[option.attempt for option in output] for output in plan.options]
        try:
            stored = await self._tasks.create(plan.task, *attempts, once=once, admission=admission)
        except DatabaseUnavailableError as error:
            # The commit may have gone through all the same. The client is told that nothing was
            # created, so that has to become true before a worker submits it.
            _ = self._spawn(self._abandon(plan.task, attempts, once))
            raise StorageUnavailableError(
                "The task could not be stored and was not submitted; try again in a moment."
            ) from error
        for use in admission.warned if admission else ():
            owner = owner_of(use.limit.scope, UUID(use.limit.scope_id))
            _log.warning("A budget is nearly used up", owner=owner, **use.to_document())
        return stored

    async def _abandon(
        self, task: NewTask, attempts: list[list[NewAttempt]], once: IdempotencyClaim | None
    ) -> None:
        for _ in range(_ABANDON_TRIES):
            try:
                gone = await self._tasks.abandon(task, *attempts, once=once)
            except DatabaseUnavailableError:
                await asyncio.sleep(_ABANDON_PAUSE.total_seconds())
            else:
                if gone:
                    return
                break
        _log.error(
            "A task that its client was told was not created may run",
            task=public_id("task_", task.id),
        )

    async def _run(
        self, attempt: Attempt, option: Option, request: VideoRequest, answered: asyncio.Event
    ) -> SubmitResult:
        try:
            return await self._submitter.run(
                attempt,
                option.attempt.lease,
                request=request,
                translation=option.translation,
                is_patient=answered.is_set,
            )
        except DatabaseUnavailableError:
            # The attempt is found again when its lease ends.
            _log.exception("A submit could not be recorded", attempt=str(attempt.id))
            return Waits()
        except Exception:  # noqa: BLE001 - an error would say that no job exists or will
            _log.exception("A submit failed", attempt=str(attempt.id))
            return Waits()

    def _spawn(self, coroutine: Any) -> asyncio.Task[Any]:
        running = asyncio.create_task(coroutine)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return running


def _receipt(
    once: IdempotencyClaim | None, task: TaskSnapshot, key: str | None = None
) -> Receipt | None:
    """What to note of an answer; `key` is that of the first request, if this one repeats it."""
    if once is None or not once.ends_with_answer:
        return None
    return Receipt(task.account_id, key or once.key, task.id)


def _first_snapshot(plan: Plan, option: Option) -> TaskSnapshot:
    task = plan.task
    return TaskSnapshot(
        id=task.id,
        account_id=task.account_id,
        token_id=task.token_id,
        revision=0,
        status=TaskStatus.QUEUED,
        model=task.model,
        provider=task.provider,
        upstream_model=option.translation.facts.model,
        dialect=task.dialect,
        details=task.details,
        echo=task.echo,
        facts=task.facts,
        warnings=warnings_of(plan.request, option.translation),
        user=task.end_user,
        seed=task.seed,
        cancel_after=None if task.cancel_after is None else write_span(task.cancel_after),
        created_at=task.created_at,
        cost=TaskCost.of(plan.holds),
        outputs=(OutputSnapshot(status=TaskStatus.QUEUED),) * len(plan.options),
    )
