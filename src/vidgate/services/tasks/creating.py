"""Creating tasks: checked, stored, submitted, answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import structlog

from vidgate.config import Network
from vidgate.db.attempts import NewAttempt
from vidgate.db.clock import Clock
from vidgate.db.documents import write_request
from vidgate.db.once import FirstUse, RepeatedError
from vidgate.db.tasks import NewTask, TaskStore
from vidgate.exceptions import (
    DatabaseUnavailableError,
    InvalidParameterError,
    StorageUnavailableError,
    UnsupportedParameterError,
)
from vidgate.models.accounts import Caller
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.channels import Channel
from vidgate.models.ids import new_id, public_id
from vidgate.models.requests import IdempotencyClaim, VideoRequest
from vidgate.models.tasks import (
    AttemptStatus,
    FollowUp,
    OutputSnapshot,
    TaskSnapshot,
    TaskStatus,
)
from vidgate.providers.base import FollowsUp, Provider, Translation
from vidgate.providers.field_meanings import CALLBACK_URL, FieldMeanings
from vidgate.providers.transport.guard import UnsafeUrlError, check_url
from vidgate.services.attempts.maker import AttemptMaker
from vidgate.services.attempts.submit_results import Refused, SubmitResult, Waits
from vidgate.services.attempts.submitting import Submitter
from vidgate.services.attempts.translation import facts_document, translate
from vidgate.services.attempts.warnings import warnings_of
from vidgate.services.channels.permissions import check_model, check_token
from vidgate.services.channels.routing import Router
from vidgate.services.tasks.idempotency import Repetitions, UndoneError
from vidgate.services.tasks.references import VideoNames
from vidgate.services.views.changes import Changes
from vidgate.services.views.reading import TaskReader

__all__ = ["Created", "TaskCreator"]

_log = structlog.get_logger(__name__)

_MODEL_FIELDS = ("model_name", "model")
"""Members of `metadata` that name a model, the first one found wins."""

_MODEL_CHARACTERS = 200
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
        replayed: Whether it was made before, by a request of which this one is a repetition.
    """

    snapshot: TaskSnapshot
    replayed: bool = False


class TaskCreator:
    """Takes requests from callers.

    Args:
        submit_wait: How long a caller waits for the provider.
        allowed_networks: Private networks that a webhook may be in.
    """

    def __init__(
        self,
        *,
        tasks: TaskStore,
        reader: TaskReader,
        router: Router,
        providers: Mapping[str, Provider],
        field_meanings: FieldMeanings,
        maker: AttemptMaker,
        submitter: Submitter,
        changes: Changes,
        clock: Clock,
        names: VideoNames,
        repetitions: Repetitions,
        submit_wait: timedelta,
        allowed_networks: tuple[Network, ...] = (),
    ) -> None:
        self._names = names
        self._repetitions = repetitions
        self._tasks = tasks
        self._reader = reader
        self._router = router
        self._providers = providers
        self._field_meanings = field_meanings
        self._maker = maker
        self._submitter = submitter
        self._changes = changes
        self._clock = clock
        self._submit_wait = submit_wait.total_seconds()
        self._allowed_networks = allowed_networks
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
        task = await self._names.finished(source, caller.account_id, param="video")
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
        check_token(caller, self._clock.now())
        asked_request, asked_echo = request, echo
        asked = _asked_model(request)
        callback_url = self._callback_url(request)
        echoes = self._field_meanings.echoes
        echo = {name: value for name, value in request.metadata.items() if name in echoes}
        echo |= asked_echo
        _check_echo(echo, echoes)
        own = {*_MODEL_FIELDS, CALLBACK_URL}
        request = replace(
            request,
            model=asked,
            metadata={key: value for key, value in request.metadata.items() if key not in own},
        )
        request = await self._names.resolve(request, caller.account_id)
        channels = await self._channels(caller, request)
        options = await self._translated(request, channels)
        channel, translation = options[0]
        now = self._clock.now()
        if request.is_heavy:
            document, inputs = await asyncio.to_thread(write_request, request)
        else:
            document, inputs = write_request(request)
        task = NewTask(
            id=new_id(),
            account_id=caller.account_id,
            token_id=caller.token.id,
            dialect=dialect,
            model=request.model,
            provider=channel.provider,
            upstream_model=translation.facts.model,
            document=document,
            inputs=inputs,
            details=translation.details,
            echo=echo,
            facts=facts_document(translation),
            warnings=warnings_of(request, translation),
            end_user=request.user,
            seed=_asked_seed(request),
            callback_url=callback_url,
            created_at=now,
            is_heavy=request.is_heavy,
        )
        attempts = [
            self._maker.make(
                task_id=task.id, channel=channel, request=request, translation=translation, now=now
            )
            for channel, translation in options
        ]
        answered = asyncio.Event()
        beginning = self._begin(task, attempts, request, answered, once)
        try:
            stored, running = await asyncio.shield(self._spawn(beginning))
        except RepeatedError as error:
            assert once is not None  # noqa: S101 - without a key nothing is a repetition
            repeated = await self._repeat(caller, error.first, once)
            # None: the other one was undone meanwhile, so that this is the first.
            return repeated or await self.create(
                caller, asked_request, dialect=dialect, echo=asked_echo, once=once
            )
        [translation] = [
            translation
            for attempt, (_, translation) in zip(attempts, options, strict=True)
            if attempt.id == stored.id
        ]
        snapshot = _first_snapshot(task, request, translation)
        if running is not None:
            done, _ = await asyncio.wait({running}, timeout=self._submit_wait)
            answered.set()
            if done and isinstance(refused := running.result(), Refused):
                if once is not None:
                    with suppress(DatabaseUnavailableError):
                        await self._repetitions.keep(
                            refused.error, once, caller.account_id, task.id
                        )
                raise refused.error
        self._changes.changed(task.id)
        try:
            view = await self._reader.read(snapshot.public_id, caller.account_id)
            snapshot = view.snapshot
        except DatabaseUnavailableError:
            pass  # stored it is; what became of it meanwhile a poll will tell
        return Created(snapshot)

    async def drain(self, grace: timedelta) -> None:
        """Let submits under way end, for at most `grace`; what is left is recovered later."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace.total_seconds()):
                while self._running:  # one that stores starts one that submits
                    await asyncio.wait(self._running)
        for running in self._running:
            running.cancel()

    def _callback_url(self, request: VideoRequest) -> str | None:
        url = request.metadata.get(CALLBACK_URL)
        if url is None or url == "":
            return None
        param = f"metadata.{CALLBACK_URL}"
        if not isinstance(url, str):
            raise InvalidParameterError(f"{param} must be a URL.", param=param)
        try:
            check_url(url, allowed_networks=self._allowed_networks)
        except UnsafeUrlError as error:
            raise InvalidParameterError(f"{param} cannot be called: {error}", param=param) from None
        return url

    async def _channels(self, caller: Caller, request: VideoRequest) -> list[Channel]:
        self._router.check_vendor_format(request.model, request.vendor_format)
        for provider in self._router.providers_of(request.model):
            model = provider.effective_model(request)
            if model != request.model:
                request = replace(request, model=model)
            check_model(caller, provider.family(model), model)
            break
        else:
            check_model(caller, (request.model,), request.model)
        return await self._router.candidates(
            request.model, channel_id=request.channel_id, vendor_format=request.vendor_format
        )

    async def _translated(
        self, request: VideoRequest, channels: list[Channel]
    ) -> list[tuple[Channel, Translation]]:
        """Translate for the channels that can honour the request, as far as they may be needed.

        One without a limit always has a slot, so those behind it are not asked for.
        """
        options: list[tuple[Channel, Translation]] = []
        first: UnsupportedParameterError | None = None
        for channel in channels:
            provider = self._providers[channel.provider]
            try:
                translation = await translate(provider, request, channel)
            except UnsupportedParameterError as error:
                first = first or error
                continue
            options.append((channel, translation))
            if channel.max_concurrency is None:
                break
        if not options:
            assert first is not None  # noqa: S101 - there is at least one channel
            raise first
        return options

    async def _begin(
        self,
        task: NewTask,
        attempts: list[NewAttempt],
        request: VideoRequest,
        answered: asyncio.Event,
        once: IdempotencyClaim | None,
    ) -> tuple[Attempt, asyncio.Task[SubmitResult] | None]:
        """Store a task and start its submit, in one piece.

        A client that goes away in between would leave an attempt that looks sent and is not.
        """
        stored = await self._store(task, attempts, once)
        if stored.status is not AttemptStatus.SUBMITTING:
            return stored, None
        [lease] = [attempt.lease for attempt in attempts if attempt.id == stored.id]
        return stored, self._spawn(self._run(stored, lease, request, answered))

    async def _repeated(self, caller: Caller, once: IdempotencyClaim) -> Created | None:
        """The answer to a repetition, `None` where it is none."""
        first = await self._repetitions.find(once, caller.account_id, self._clock.now())
        return None if first is None else await self._repeat(caller, first, once)

    async def _repeat(
        self, caller: Caller, first: FirstUse, once: IdempotencyClaim
    ) -> Created | None:
        """Answer as the first request was, waiting for it as long as it waits itself.

        Returns:
            `None` where the first came to nothing and its key is free again.
        """
        waits_until = time.monotonic() + self._submit_wait
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
                    return Created(task, replayed=True)
                await asyncio.sleep(_REPEAT_PAUSE.total_seconds())
        except UndoneError:
            return None
        finally:
            self._waiting[account_id] -= 1
            if not self._waiting[account_id]:
                del self._waiting[account_id]

    async def _store(
        self, task: NewTask, attempts: list[NewAttempt], once: IdempotencyClaim | None
    ) -> Attempt:
        try:
            return await self._tasks.create(task, *attempts, once=once)
        except DatabaseUnavailableError as error:
            # The commit may have gone through all the same. The client is told that nothing was
            # created, so that has to become true before a worker submits it.
            _ = self._spawn(self._abandon(task, attempts, once))
            raise StorageUnavailableError(
                "The task could not be stored and was not submitted; try again in a moment."
            ) from error

    async def _abandon(
        self, task: NewTask, attempts: list[NewAttempt], once: IdempotencyClaim | None
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
        self, attempt: Attempt, lease: Lease, request: VideoRequest, answered: asyncio.Event
    ) -> SubmitResult:
        try:
            return await self._submitter.run(
                attempt, lease, request=request, is_patient=answered.is_set
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


def _asked_model(request: VideoRequest) -> str:
    for name in _MODEL_FIELDS:
        value = request.metadata.get(name)
        if value is None:
            continue
        param = f"metadata.{name}"
        if not isinstance(value, str) or not value:
            raise InvalidParameterError(f"{param} must be the name of a model.", param=param)
        if len(value) > _MODEL_CHARACTERS:
            raise InvalidParameterError(
                f"{param} may have at most {_MODEL_CHARACTERS} characters.", param=param
            )
        return value
    return request.model


def _check_echo(echo: Mapping[str, Any], longest: Mapping[str, int | None]) -> None:
    """Hold what is the client's own, such as its id of a task, to one length in every dialect."""
    for name, most in longest.items():
        value = echo.get(name)
        if most is not None and isinstance(value, str) and len(value) > most:
            param = f"metadata.{name}"
            raise InvalidParameterError(f"{param} may have at most {most} characters.", param=param)


def _asked_seed(request: VideoRequest) -> int | None:
    if request.seed is not None:
        return request.seed
    seed = request.metadata.get("seed")
    is_seed = isinstance(seed, int) and not isinstance(seed, bool) and abs(seed) < 1 << 63
    return seed if is_seed else None


def _first_snapshot(task: NewTask, request: VideoRequest, translation: Translation) -> TaskSnapshot:
    return TaskSnapshot(
        id=task.id,
        account_id=task.account_id,
        revision=0,
        status=TaskStatus.QUEUED,
        model=task.model,
        provider=task.provider,
        upstream_model=translation.facts.model,
        dialect=task.dialect,
        details=task.details,
        echo=task.echo,
        facts=task.facts,
        warnings=warnings_of(request, translation),
        user=task.end_user,
        seed=task.seed,
        created_at=task.created_at,
        outputs=(OutputSnapshot(status=TaskStatus.QUEUED),),
    )
