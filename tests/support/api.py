"""The real application over services that were made up."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import httpx
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.support.serving import serve

from vidgate.api.bodies import BodyBudget, BodyReader
from vidgate.config import Settings
from vidgate.db.once import Receipt
from vidgate.exceptions import (
    ConflictError,
    DatabaseUnavailableError,
    ModelNotFoundError,
    NotFoundError,
    TaskNotFoundError,
)
from vidgate.main import create_app
from vidgate.models.accounts import AccessKey, Caller, Sight, Token
from vidgate.models.attempts import Attempt
from vidgate.models.ids import new_id
from vidgate.models.limits import LimitSet
from vidgate.models.requests import IdempotencyClaim, VideoRequest
from vidgate.models.tasks import (
    FollowUp,
    OutputSnapshot,
    TaskPage,
    TaskQuery,
    TaskSnapshot,
    TaskStatus,
)
from vidgate.providers.field_meanings import FieldMeanings
from vidgate.providers.registry import build_providers
from vidgate.services.attempts.warnings import make_warnings
from vidgate.services.channels.catalogue import ModelOffer
from vidgate.services.content.source import ContentSource, Variant
from vidgate.services.deliveries.endpoints import WebhookEndpoints
from vidgate.services.deliveries.webhook_secrets import WebhookSecrets
from vidgate.services.metrics import Metrics
from vidgate.services.tasks.creating import Created
from vidgate.services.views.estimates import Estimate
from vidgate.services.views.reading import TaskView
from vidgate.services.views.waiting_places import WaitingPlaces

__all__ = [
    "FIELD_MEANINGS",
    "KEY",
    "Api",
    "FakeServices",
    "build_settings",
    "build_task",
    "call",
    "open_api",
    "open_served_api",
    "serve_lifespan",
    "urls_of",
]

KEY = "sk-" + "k" * 43
FIELD_MEANINGS = FieldMeanings.of(build_providers(map_retired_models=True).values())
_CREATED_AT = datetime(2025, 11, 20, 1, 53, 20, tzinfo=UTC)


def build_settings(**changes: Any) -> Settings:
    """Settings that no variable of the environment has a say in."""
    return Settings.model_construct(**(Settings.model_construct().model_dump() | changes))


def urls_of(
    task_id: str, get: str = "/v1/videos", base: str = "http://gateway.test"
) -> dict[str, str]:
    """Where the answers of a dialect whose tasks are below `get` say to go on."""
    return {
        "get": f"{base}{get}/{task_id}",
        "cancel": f"{base}/v1/video/generations/{task_id}/cancel",
        "events": f"{base}/v1/video/generations/{task_id}/events",
        "content": f"{base}/v1/videos/{task_id}/content",
    }


def build_task(**changes: Any) -> TaskSnapshot:
    """A queued task of Kling's, or what is asked for instead."""
    members: dict[str, Any] = {
        "id": new_id(),
        "account_id": UUID(int=1),
        "token_id": UUID(int=2),
        "revision": 0,
        "status": TaskStatus.QUEUED,
        "model": "kling-v1",
        "provider": "kling",
        "upstream_model": "kling-v2-6",
        "details": {"mode": "pro"},
        "created_at": _CREATED_AT,
        "outputs": (OutputSnapshot(status=TaskStatus.QUEUED),),
    }
    return TaskSnapshot(**(members | changes))


class FakeDirectory:
    """Knows a token, those of others and access keys it was given; can lose its database.

    Attributes:
        others: The accounts of other tokens, by their keys.
        strict: Whether the token is.
        addresses: The networks it may be used from.
    """

    def __init__(self) -> None:
        self.others: dict[str, UUID] = {}
        self.account_id = UUID(int=1)
        self.is_up = True
        self.strict = False
        self.addresses: tuple[str, ...] = ()
        self.access_keys: dict[str, SecretStr] = {}

    def known(self, key: str) -> Caller | None:
        del key
        return None

    async def authenticate(self, key: str) -> Caller | None:
        if not self.is_up:
            raise DatabaseUnavailableError("down")
        if key in self.others:
            token_id = UUID(int=3 + list(self.others).index(key))
            token = replace(self.caller.token, id=token_id, account_id=self.others[key])
            return replace(self.caller, token=token)
        return self.caller if key == KEY else None

    async def access_key(self, access_key: str) -> AccessKey | None:
        if not self.is_up:
            raise DatabaseUnavailableError("down")
        secret = self.access_keys.get(access_key)
        return AccessKey(access_key, secret, self.caller) if secret else None

    @property
    def caller(self) -> Caller:
        token = Token(
            id=UUID(int=2),
            account_id=self.account_id,
            name="test",
            strict=self.strict,
            addresses=self.addresses,
        )
        return Caller(token)


class FakeLimits:
    """Knows of none."""

    is_fresh = True

    def known(self, caller: Caller) -> LimitSet | None:
        del caller
        return None

    async def of(self, caller: Caller) -> LimitSet | None:
        return self.known(caller)


class FakeClock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.time = _CREATED_AT

    def now(self) -> datetime:
        return self.time


class FakeSubmissions:
    """Remembers what it was asked for, and answers what it was told to."""

    def __init__(self) -> None:
        self.requests: list[VideoRequest] = []
        self.dialects: list[str] = []
        self.echoes: list[Mapping[str, Any]] = []
        self.onces: list[IdempotencyClaim | None] = []
        self.follow_ups: list[tuple[FollowUp, str, VideoRequest]] = []
        self.error: Exception | None = None
        self.replayed = False
        self.arrived: list[Created] = []
        self.receipt = Receipt(UUID(int=1), "k", UUID(int=3))
        self.ignored: tuple[str, ...] = ()
        self.adjusted: tuple[str, ...] = ()
        self.unknown: tuple[str, ...] = ()

    async def create(
        self,
        caller: Caller,
        request: VideoRequest,
        *,
        dialect: str,
        echo: Mapping[str, Any] = MappingProxyType({}),
        once: IdempotencyClaim | None = None,
    ) -> Created:
        self.requests.append(request)
        self.dialects.append(dialect)
        self.echoes.append(echo)
        self.onces.append(once)
        if self.error is not None:
            raise self.error
        task = build_task(
            account_id=caller.account_id,
            model=request.model,
            seed=request.seed,
            dialect=dialect,
            echo=echo,
            warnings=make_warnings(
                ignored=(*self.ignored, *request.ignored),
                adjusted=self.adjusted,
                unknown=self.unknown,
            ),
        )
        counts = once is not None and once.ends_with_answer
        return Created(task, self.replayed, self.receipt if counts else None)

    def delivered(self, created: Created) -> None:
        self.arrived.append(created)

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
        self.follow_ups.append((kind, source, request))
        return await self.create(caller, request, dialect=dialect, echo=echo, once=once)

    @property
    def request(self) -> VideoRequest:
        """The only request there was."""
        (request,) = self.requests
        return request


class FakeDirectCalls:
    """Remembers what it was asked, and answers what it was told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[Caller, str, str, Mapping[str, Any]]] = []
        self.answer: dict[str, Any] = {}
        self.error: Exception | None = None

    async def ask(
        self,
        caller: Caller,
        provider: str,
        name: str,
        body: Mapping[str, Any],
        *,
        work_bytes: int = 0,
    ) -> dict[str, Any]:
        del work_bytes
        self.asked.append((caller, provider, name, body))
        if self.error is not None:
            raise self.error
        return self.answer


class FakeReader:
    """Has the tasks that it was given."""

    def __init__(self) -> None:
        self.views: dict[str, TaskView] = {}
        self.reads = 0
        self.queries: list[TaskQuery] = []
        self.error: Exception | None = None

    def add(self, task: TaskSnapshot) -> str:
        """Have a task, in memory."""
        self.views[task.public_id] = TaskView(task, 0.0)
        return task.public_id

    def cached(self, public_id: str, sight: Sight) -> TaskView | None:
        view = self.views.get(public_id)
        return view if view and sight.covers(view.snapshot) else None

    async def read(self, public_id: str, sight: Sight) -> TaskView:
        self.reads += 1
        if self.error is not None:
            raise self.error
        view = self.cached(public_id, sight)
        if view is None:
            raise TaskNotFoundError(f"There is no task {public_id[:40]!r}.")
        return view

    async def page(self, sight: Sight, query: TaskQuery) -> TaskPage:
        """All it has, newest first, whatever is filtered by; `after` and `limit` hold."""
        self.queries.append(query)
        if self.error is not None:
            raise self.error
        tasks = [view.snapshot for view in self.views.values()]
        tasks = [task for task in tasks if sight.covers(task)]
        tasks.sort(key=lambda task: task.id, reverse=query.newest_first)
        if query.after is not None:
            names = [task.public_id for task in tasks]
            tasks = tasks[names.index(query.after) + 1 :]
        tasks = tasks[query.offset :]
        return TaskPage(tasks=tuple(tasks[: query.limit]), has_more=len(tasks) > query.limit)

    async def of_keys(self, sight: Sight, keys: Sequence[str]) -> dict[str, TaskSnapshot]:
        """None was made by a key."""
        del sight, keys
        return {}

    def page_ended(self, sight: Sight, query: TaskQuery, last: TaskSnapshot) -> None:
        """A page by its number is found by it."""

    async def remove(self, public_id: str, sight: Sight) -> None:
        view = await self.read(public_id, sight)
        if not view.snapshot.status.is_final:
            raise ConflictError("The task is not finished.", code="task_not_finished")
        del self.views[public_id]


class FakeCanceller:
    """Cancels what waits."""

    def __init__(self, reader: FakeReader) -> None:
        self._reader = reader

    async def cancel(
        self, public_id: str, sight: Sight, *, output: int | None = None, discard: bool = False
    ) -> TaskView:
        del output
        view = await self._reader.read(public_id, sight)
        if view.snapshot.status is not TaskStatus.QUEUED and not discard:
            raise ConflictError("It runs already.", code="cannot_cancel")
        view.snapshot = replace(view.snapshot, status=TaskStatus.CANCELLED)
        view.encodings.clear()
        return view


class FakeCatalogue:
    """Has no models."""

    async def models(self, caller: Caller) -> Sequence[ModelOffer]:
        del caller
        return ()

    async def every(self) -> Mapping[str, ModelOffer]:
        return {}

    async def model(self, caller: Caller, name: str) -> ModelOffer:
        del caller
        raise ModelNotFoundError(f"There is no model {name!r}.", param="model")


class FakeCallbacks:
    """Has given nobody an address."""

    async def find(self, provider: str, token: str) -> Attempt:
        del provider, token
        raise NotFoundError("There is no such callback address.")

    async def receive(
        self, attempt: Attempt, *, token: str, method: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        raise NotImplementedError


class FakeContent:
    """Has no videos."""

    async def find(
        self, public_id: str, sight: Sight, variant: Variant, *, index: int | None = None
    ) -> ContentSource:
        del sight, variant, index
        raise TaskNotFoundError(f"There is no task {public_id[:40]!r}.")

    async def find_sealed(self, sealed: str) -> ContentSource:
        del sealed
        raise NotFoundError("There is no such video.")


class FakeProvider:
    def native_answer(self, task: TaskSnapshot) -> dict[str, Any]:
        return {"code": 0, "data": {"task_id": task.public_id}}


@dataclass
class FakeEstimates:
    """One estimate for every task."""

    estimate: Estimate = field(default_factory=Estimate)

    async def of(self, _task_id: UUID) -> Estimate:
        return self.estimate

    def known(self, _task_id: UUID) -> Estimate:
        return self.estimate


class FakeWaiters:
    """Nobody waits."""

    def leave(self) -> None:
        """Answer nobody."""


class FakeTokenUses:
    """Which tokens were used, in order."""

    def __init__(self) -> None:
        self.noted: list[UUID] = []

    def note(self, token_id: UUID) -> None:
        self.noted.append(token_id)


@dataclass
class FakeServices:
    """What the HTTP layer uses, all of it made up but for the numbers."""

    settings: Settings
    directory: FakeDirectory = field(default_factory=FakeDirectory)
    token_uses: FakeTokenUses = field(default_factory=FakeTokenUses)
    limits: FakeLimits = field(default_factory=FakeLimits)
    reads: Any = None
    task_creator: FakeSubmissions = field(default_factory=FakeSubmissions)
    estimator: Any = None
    prices: Any = None
    spending: Any = None
    direct_calls: FakeDirectCalls = field(default_factory=FakeDirectCalls)
    reader: FakeReader = field(default_factory=FakeReader)
    estimates: FakeEstimates = field(default_factory=FakeEstimates)
    clock: FakeClock = field(default_factory=FakeClock)
    catalogue: FakeCatalogue = field(default_factory=FakeCatalogue)
    callbacks: FakeCallbacks = field(default_factory=FakeCallbacks)
    content: FakeContent = field(default_factory=FakeContent)
    providers: dict[str, FakeProvider] = field(default_factory=lambda: {"kling": FakeProvider()})
    field_meanings: FieldMeanings = FIELD_MEANINGS
    metrics: Metrics = field(default_factory=Metrics)
    waiters: Any = field(default_factory=FakeWaiters)
    feeds: Any = field(default_factory=FakeWaiters)
    """For tests that wait over made-up services to put there."""
    is_worker_alive: bool = True
    ping_error: Exception | None = None
    is_writable: bool = True

    @property
    def canceller(self) -> FakeCanceller:
        return FakeCanceller(self.reader)

    @property
    def places(self) -> WaitingPlaces:
        return WaitingPlaces(metrics=self.metrics)

    @property
    def webhook_endpoints(self) -> WebhookEndpoints:
        raise NotImplementedError("webhooks are tested over the real services")

    @property
    def webhook_secrets(self) -> WebhookSecrets:
        raise NotImplementedError("webhooks are tested over the real services")

    async def ping(self) -> bool:
        if self.ping_error is not None:
            raise self.ping_error
        return self.is_writable


@dataclass
class Api:
    """The application, a client with a token, and what is behind it."""

    app: ASGIApp
    client: httpx.AsyncClient
    services: FakeServices
    bodies: BodyReader

    @property
    def budget(self) -> BodyBudget:
        """Of large bodies."""
        return self.bodies.budget


@asynccontextmanager
async def serve_lifespan(app: Any) -> AsyncIterator[tuple[ASGIApp, dict[str, Any]]]:
    """Run an application's lifespan; yield it with the state as a server would give it."""
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        yield with_state, state


_apps: dict[str, tuple[Any, list[FakeServices]]] = {}
"""By their settings, since the framework takes a fifth of a second to make each one's routes ready;
with the services that the next lifespan opens."""


def _app(services: FakeServices) -> Any:
    key = repr(services.settings)
    if key not in _apps:
        opened: list[FakeServices] = []

        def open_fake(_settings: Settings) -> AbstractAsyncContextManager[FakeServices]:
            return _opened(opened.pop())

        _apps[key] = create_app(services.settings, open_services=open_fake), opened
    app, opened = _apps[key]
    opened.append(services)
    return app


@asynccontextmanager
async def open_api(**changes: Any) -> AsyncIterator[Api]:
    """Serve the application with these settings changed."""
    services = FakeServices(build_settings(**changes))
    async with serve_lifespan(_app(services)) as (served, state):
        bodies: BodyReader = state["bodies"]
        transport = httpx.ASGITransport(served)
        async with httpx.AsyncClient(
            transport=transport,
            base_url="http://gateway.test",
            headers={"Authorization": f"Bearer {KEY}"},
        ) as client:
            yield Api(served, client, services, bodies)


@asynccontextmanager
async def open_served_api(**changes: Any) -> AsyncIterator[tuple[int, FakeServices]]:
    """Serve the application over real sockets; yield the port and what is behind it."""
    services = FakeServices(build_settings(**changes))
    async with serve(_app(services)) as port:
        yield port, services


@asynccontextmanager
async def _opened(services: FakeServices) -> AsyncIterator[FakeServices]:
    yield services


async def call(
    app: ASGIApp,
    messages: Sequence[dict[str, Any]],
    *,
    method: str = "POST",
    path: str = "/v1/video/generations",
    headers: Sequence[tuple[bytes, bytes]] = (),
    client: tuple[str, int] | None = ("127.0.0.1", 1),
) -> list[dict[str, Any]]:
    """Call the application as a server would, with these messages to receive; what it sent."""
    sent: list[dict[str, Any]] = []
    waiting = iter(messages)

    async def receive() -> Any:
        return next(waiting)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"authorization", f"Bearer {KEY}".encode()), *headers],
        "client": client,
        "server": ("gateway.test", 80),
    }
    await app(scope, receive, send)
    return sent
