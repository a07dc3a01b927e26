"""What routes may ask for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import Depends, Security
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection
from starlette.types import Scope

from vidgate.api.bodies import BodyReader
from vidgate.config import Settings
from vidgate.models.accounts import AccessKey, Caller, Sight
from vidgate.models.attempts import Attempt
from vidgate.models.limits import Admission, LimitSet
from vidgate.models.requests import IdempotencyClaim, VideoRequest
from vidgate.models.tasks import FollowUp, TaskPage, TaskQuery, TaskSnapshot
from vidgate.providers.field_meanings import FieldMeanings
from vidgate.services.channels.catalogue import ModelOffer
from vidgate.services.channels.permissions import check_token
from vidgate.services.content.source import ContentSource, Variant
from vidgate.services.deliveries.endpoints import WebhookEndpoints
from vidgate.services.deliveries.webhook_secrets import WebhookSecrets
from vidgate.services.metrics import Metrics
from vidgate.services.money.spending import Spending
from vidgate.services.tasks.creating import Created
from vidgate.services.tasks.estimating import Preview
from vidgate.services.views.estimates import Estimate
from vidgate.services.views.feeds import Feeds
from vidgate.services.views.reading import TaskView
from vidgate.services.views.waiting import Waiters
from vidgate.services.views.waiting_places import WaitingPlaces

__all__ = [
    "TOKEN",
    "BodiesDependency",
    "CallerDependency",
    "ChangerDependency",
    "NativeAnswers",
    "Services",
    "ServicesDependency",
    "caller_of",
    "services_of",
]


class _Directory(Protocol):
    def known(self, key: str) -> Caller | None: ...

    async def authenticate(self, key: str) -> Caller | None: ...

    async def access_key(self, access_key: str) -> AccessKey | None: ...


class _TokenUses(Protocol):
    def note(self, token_id: UUID) -> None: ...


class _Limits(Protocol):
    @property
    def is_fresh(self) -> bool: ...

    def known(self, caller: Caller) -> LimitSet | None: ...

    async def of(self, caller: Caller) -> LimitSet | None: ...


class _Reads(Protocol):
    def take(self, admission: Admission, now: datetime) -> None: ...


class _Clock(Protocol):
    def now(self) -> datetime: ...


class _Submissions(Protocol):
    async def create(
        self,
        caller: Caller,
        request: VideoRequest,
        *,
        dialect: str,
        echo: Mapping[str, Any] = ...,
        once: IdempotencyClaim | None = ...,
    ) -> Created: ...

    async def follow_up(
        self,
        caller: Caller,
        kind: FollowUp,
        source: str,
        request: VideoRequest,
        *,
        dialect: str,
        echo: Mapping[str, Any] = ...,
        once: IdempotencyClaim | None = ...,
    ) -> Created: ...

    def delivered(self, created: Created) -> None: ...


class _Estimator(Protocol):
    async def preview(self, caller: Caller, request: VideoRequest, *, dialect: str) -> Preview: ...


class _DirectCalls(Protocol):
    async def ask(
        self,
        caller: Caller,
        provider: str,
        name: str,
        body: Mapping[str, Any],
        *,
        work_bytes: int = ...,
    ) -> dict[str, Any]: ...


class _Reader(Protocol):
    def cached(self, public_id: str, sight: Sight) -> TaskView | None: ...

    async def read(self, public_id: str, sight: Sight) -> TaskView: ...

    async def page(self, sight: Sight, query: TaskQuery) -> TaskPage: ...

    async def of_keys(self, sight: Sight, keys: Sequence[str]) -> dict[str, TaskSnapshot]: ...

    def page_ended(self, sight: Sight, query: TaskQuery, last: TaskSnapshot) -> None: ...

    async def remove(self, public_id: str, sight: Sight) -> None: ...


class _Estimates(Protocol):
    async def of(self, task_id: UUID) -> Estimate: ...

    def known(self, task_id: UUID) -> Estimate: ...


class _Canceller(Protocol):
    async def cancel(
        self, public_id: str, sight: Sight, *, output: int | None = ..., discard: bool = ...
    ) -> TaskView: ...


class NativeAnswers(Protocol):
    """A provider, as far as dialects know it."""

    def native_answer(self, task: TaskSnapshot) -> dict[str, Any]:
        """Write a task as the provider's own query would answer it, with our ids for its."""


class _Prices(Protocol):
    @property
    def version(self) -> int | None: ...

    def usual(self, model: str) -> int | None: ...


class _Catalogue(Protocol):
    async def every(self) -> Mapping[str, ModelOffer]: ...

    async def models(self, caller: Caller) -> Sequence[ModelOffer]: ...

    async def model(self, caller: Caller, name: str) -> ModelOffer: ...


class _Callbacks(Protocol):
    async def find(self, provider: str, token: str) -> Attempt: ...

    async def receive(
        self, attempt: Attempt, *, token: str, method: str, headers: Mapping[str, str], body: bytes
    ) -> None: ...


class _Content(Protocol):
    async def find(
        self, public_id: str, sight: Sight, variant: Variant, *, index: int | None = None
    ) -> ContentSource: ...

    async def find_sealed(self, sealed: str) -> ContentSource: ...


class Services(Protocol):
    """What the HTTP layer uses of the process's services."""

    @property
    def settings(self) -> Settings:
        """The operator's."""

    @property
    def directory(self) -> _Directory:
        """Knows the tokens."""

    @property
    def token_uses(self) -> _TokenUses:
        """Notes which tokens are in use."""

    @property
    def limits(self) -> _Limits:
        """Knows what tokens and accounts are limited by."""

    @property
    def reads(self) -> _Reads:
        """Counts reads."""

    @property
    def clock(self) -> _Clock:
        """Database time."""

    @property
    def task_creator(self) -> _Submissions:
        """Makes tasks."""

    @property
    def estimator(self) -> _Estimator:
        """Tells what a request would cost."""

    @property
    def prices(self) -> _Prices:
        """Knows what models cost."""

    @property
    def spending(self) -> Spending:
        """Knows what accounts have, and used."""

    @property
    def direct_calls(self) -> _DirectCalls:
        """Asks what a provider answers at once."""

    @property
    def canceller(self) -> _Canceller:
        """Stops tasks."""

    @property
    def reader(self) -> _Reader:
        """Reads, lists and removes tasks."""

    @property
    def waiters(self) -> Waiters:
        """Lets clients wait."""

    @property
    def feeds(self) -> Feeds:
        """Lets clients listen to all their tasks."""

    @property
    def places(self) -> WaitingPlaces:
        """Counts who waits and listens."""

    @property
    def estimates(self) -> _Estimates:
        """Knows where tasks stand in line, and how long they still take."""

    @property
    def catalogue(self) -> _Catalogue:
        """Knows the models."""

    @property
    def content(self) -> _Content:
        """Opens finished videos."""

    @property
    def webhook_endpoints(self) -> WebhookEndpoints:
        """Keeps where accounts want to be told."""

    @property
    def webhook_secrets(self) -> WebhookSecrets:
        """Keeps what webhooks are signed with."""

    @property
    def callbacks(self) -> _Callbacks:
        """Takes what providers say by themselves."""

    @property
    def providers(self) -> Mapping[str, NativeAnswers]:
        """Write their own answers, by name."""

    @property
    def field_meanings(self) -> FieldMeanings:
        """What all providers say of vendor fields."""

    @property
    def metrics(self) -> Metrics:
        """Counts."""

    @property
    def is_worker_alive(self) -> bool:
        """Whether everything that runs by itself still runs."""

    async def ping(self) -> bool:
        """Ask the database for a sign of life, or raise; tell whether it can be written."""


def services_of(scope: Scope) -> Services:
    """The services of the process that answers this request."""
    services: Services = scope["state"]["services"]
    return services


def caller_of(scope: Scope) -> Caller:
    """Who sent this request; every route that needs a token has one."""
    caller: Caller = scope["state"]["caller"]
    return caller


# Asynchronous, so that the framework does not send each of them to a thread.


async def _services(connection: HTTPConnection) -> Services:
    return services_of(connection.scope)


async def _caller(connection: HTTPConnection) -> Caller:
    return caller_of(connection.scope)


async def _changer(connection: HTTPConnection) -> Caller:
    caller = caller_of(connection.scope)
    check_token(caller, services_of(connection.scope).clock.now())
    return caller


async def _bodies(connection: HTTPConnection) -> BodyReader:
    bodies: BodyReader = connection.scope["state"]["bodies"]
    return bodies


ServicesDependency = Annotated[Services, Depends(_services)]
CallerDependency = Annotated[Caller, Depends(_caller)]
ChangerDependency = Annotated[Caller, Depends(_changer)]
"""A caller who may stop and delete what exists; one whose token has expired may only read it."""
BodiesDependency = Annotated[BodyReader, Depends(_bodies)]

TOKEN = Security(HTTPBearer(auto_error=False, description="A token: `Bearer sk-...`."))
"""Documents that a route needs a token; the authentication layer has seen to it before."""
