"""Builds every object; the only module that knows all constructors."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TypeAlias

import structlog

from vidgate.config import Settings
from vidgate.constants import (
    CACHE_REFRESH,
    CALLBACK_SPACING,
    ESTIMATE_EVERY,
    WAITERS_LOOK,
    WAITERS_SPACING,
)
from vidgate.db.cancellations import CancellationStore
from vidgate.db.capacity import ping
from vidgate.db.clock import Clock, DatabaseClock
from vidgate.db.deliveries import DeliveryStore
from vidgate.db.estimates import EstimateStore
from vidgate.db.inputs import InputStore
from vidgate.db.months import MonthStore
from vidgate.db.notices import NoticeStore
from vidgate.db.notifications import Listener, Notifier
from vidgate.db.once import OnceStore
from vidgate.db.repairs import RepairStore
from vidgate.db.replicas import ReplicaStore
from vidgate.db.task_changes import TaskChangeStore
from vidgate.db.usage import UsageStore
from vidgate.db.webhooks import WebhookStore
from vidgate.loops import Loop
from vidgate.models.channels import ChannelState
from vidgate.operators import OperatorContext, open_database_url, open_operator_context
from vidgate.providers.base import Provider
from vidgate.providers.field_meanings import FieldMeanings
from vidgate.providers.transport.client import UpstreamClient
from vidgate.providers.transport.guard import GuardedFetcher
from vidgate.services.attempts.callbacks import CallbackAddresses, CallbackReceiver
from vidgate.services.attempts.failover import Failover
from vidgate.services.attempts.maker import AttemptMaker
from vidgate.services.attempts.moving import Mover
from vidgate.services.attempts.polling import Poller
from vidgate.services.attempts.recovering import Recoverer
from vidgate.services.attempts.submitting import Submitter
from vidgate.services.attempts.video_header import Prober
from vidgate.services.attempts.worker import Worker
from vidgate.services.channels.breaker import Breaker
from vidgate.services.channels.catalogue import Catalogue
from vidgate.services.channels.channel_test import ChannelChecker
from vidgate.services.channels.directory import Directory
from vidgate.services.channels.notices import Notices
from vidgate.services.channels.routing import Router
from vidgate.services.channels.token_uses import TokenUses
from vidgate.services.channels.upstream import Upstream
from vidgate.services.content.link_renewal import LinkRenewer
from vidgate.services.content.routes import ContentWays
from vidgate.services.content.source import Content
from vidgate.services.deliveries.deliverer import Deliverer, WriteWebhook
from vidgate.services.deliveries.endpoints import WebhookEndpoints
from vidgate.services.deliveries.redelivering import Redelivering
from vidgate.services.deliveries.sender import WebhookSender
from vidgate.services.deliveries.webhook_secrets import WebhookSecrets
from vidgate.services.limits.known import KnownLimits
from vidgate.services.limits.reads import ReadRates
from vidgate.services.metrics import Metrics
from vidgate.services.money.auditing import Auditor
from vidgate.services.money.prices import Prices
from vidgate.services.money.spending import Spending
from vidgate.services.tasks.cancelling import Canceller
from vidgate.services.tasks.creating import TaskCreator
from vidgate.services.tasks.deadlines import Deadlines
from vidgate.services.tasks.direct_calls import DirectCalls
from vidgate.services.tasks.estimating import Estimator
from vidgate.services.tasks.idempotency import Repetitions
from vidgate.services.tasks.planning import Planner
from vidgate.services.tasks.references import VideoNames
from vidgate.services.tasks.repairs import Repairs
from vidgate.services.tasks.retention import Retention
from vidgate.services.tasks.sessions import Sessions
from vidgate.services.views.changes import Changes
from vidgate.services.views.content_links import ContentLinks
from vidgate.services.views.estimates import Estimates
from vidgate.services.views.feeds import Feeds
from vidgate.services.views.reading import TaskReader
from vidgate.services.views.waiting import Waiters
from vidgate.services.views.waiting_places import WaitingPlaces

__all__ = [
    "OperatorContext",
    "Services",
    "build_services",
    "open_checker",
    "open_database_url",
    "open_operator_context",
    "open_services",
    "open_tools",
]

_log = structlog.get_logger(__name__)

_WORK_INTERVAL = timedelta(seconds=0.25)
"""Between two looks for due work: what it adds to the lag of a task is half of it on average."""

_DEADLINE_INTERVAL = timedelta(seconds=1)
"""Between two looks for tasks whose clients' deadlines have come: those are whole seconds."""

_REFILL_SPACING = timedelta(seconds=0.025)
"""Between two looks for due work where places became free for it: some are filled at a time, and
still they stand empty only for a small part of what an answer takes."""

_PURGE_INTERVAL = timedelta(minutes=5)
"""Between two deletions of what has expired: a few thousand rows at a time in a busy deployment."""

_INPUTS_INTERVAL = timedelta(minutes=1)
"""Between two looks at the space that inline pictures take: it can be exceeded by what comes
meanwhile."""
_MONTHS_INTERVAL = timedelta(hours=1)
"""Between two looks at the months of tasks, of which one is made and one ends in a month."""

_AUDIT_INTERVAL = timedelta(hours=1)
"""Between two looks whether the books are to be proved, which one process does once a day."""

_BEAT_INTERVAL = timedelta(seconds=5)
"""Between two signs of life; who gave none for 15 seconds is gone."""

_CLOCK_INTERVAL = timedelta(seconds=10)
_NOTICE_INTERVAL = timedelta(seconds=1)
_USES_INTERVAL = timedelta(seconds=5)
_GAUGE_INTERVAL = timedelta(seconds=5)


WebhookBodies: TypeAlias = Callable[[Settings, Mapping[str, Provider]], WriteWebhook]
"""Makes what writes the bodies of webhooks, which only the dialects above know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a serving process works with."""

    settings: Settings
    operator: OperatorContext
    clock: Clock
    providers: Mapping[str, Provider]
    field_meanings: FieldMeanings
    directory: Directory
    token_uses: TokenUses
    limits: KnownLimits
    reads: ReadRates
    prices: Prices
    task_creator: TaskCreator
    estimator: Estimator
    spending: Spending
    direct_calls: DirectCalls
    canceller: Canceller
    deadlines: Deadlines
    repairs: Repairs
    reader: TaskReader
    changes: Changes
    waiters: Waiters
    feeds: Feeds
    places: WaitingPlaces
    estimates: Estimates
    catalogue: Catalogue
    callbacks: CallbackReceiver
    content: Content
    deliverer: Deliverer
    redelivering: Redelivering
    webhook_endpoints: WebhookEndpoints
    webhook_secrets: WebhookSecrets
    metrics: Metrics
    worker: Worker
    loops: tuple[Loop, ...]

    async def ping(self) -> bool:
        """Ask the database for a sign of life.

        Returns:
            Whether it can be written, too.

        Raises:
            DatabaseUnavailableError: It gives none.
        """
        return await ping(self.operator.database)

    @property
    def is_worker_alive(self) -> bool:
        """Whether everything that runs by itself still runs."""
        return all(loop.is_alive for loop in self.loops)


@asynccontextmanager
async def open_checker(operator: OperatorContext) -> AsyncIterator[ChannelChecker]:
    """Open what checks channels, for as long as it is needed."""
    client = UpstreamClient()
    clock = DatabaseClock()
    try:
        await clock.sync(operator.database)
        directory = _build_directory(operator, clock)
        breaker = Breaker(states=operator.channel_states, directory=directory, clock=clock)
        yield ChannelChecker(
            channels=operator.channels,
            states=operator.channel_states,
            providers=operator.providers,
            upstream=Upstream(
                directory=directory, client=client, clock=clock, breaker=breaker, metrics=Metrics()
            ),
            clock=clock,
        )
    finally:
        await client.aclose()


@asynccontextmanager
async def open_tools(
    operator: OperatorContext, *, webhook_bodies: WebhookBodies
) -> AsyncIterator[Services]:
    """Open what a command does once: the services, without what runs by itself.

    Args:
        operator: The opened database and what works on it.
        webhook_bodies: Makes what writes the bodies of webhooks.
    """
    async with AsyncExitStack() as stack:
        yield await _open_resting(stack, operator, DatabaseClock(), webhook_bodies)


@asynccontextmanager
async def open_services(
    settings: Settings, *, webhook_bodies: WebhookBodies
) -> AsyncIterator[Services]:
    """Open everything a process serves and works with, and start what runs by itself.

    Args:
        settings: The operator's.
        webhook_bodies: Makes what writes the bodies of webhooks.

    Raises:
        ConfigurationError: The operator has to change something.
        DatabaseUnavailableError: PostgreSQL does not answer.
    """
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(open_database_url(settings))
        operator = await stack.enter_async_context(open_operator_context(settings, url=url))
        await operator.provisioning.apply_environment(settings)
        clock = DatabaseClock()
        services = await _open_resting(stack, operator, clock, webhook_bodies)
        if settings.db_prepared:
            changes = services.changes
            listener = Listener(url, callback=changes.heard, on_reset=changes.missed)
            listener.start()
            stack.push_async_callback(listener.aclose)
        sync = Loop("clock", lambda: clock.sync(operator.database), _CLOCK_INTERVAL)
        loops = (*services.loops, sync)
        for loop in loops:
            loop.start()

        async def stop() -> None:
            await asyncio.gather(*(loop.stop() for loop in loops))
            await asyncio.gather(
                services.worker.stop(settings.shutdown_grace),
                services.deliverer.stop(settings.shutdown_grace),
                services.deadlines.stop(settings.shutdown_grace),
                services.task_creator.drain(settings.shutdown_grace),
            )

        stack.push_async_callback(stop)
        yield services


async def _open_resting(
    stack: AsyncExitStack,
    operator: OperatorContext,
    clock: DatabaseClock,
    webhook_bodies: WebhookBodies,
) -> Services:
    """Open the services; nothing of them runs yet, and the stack closes what they use."""
    client = UpstreamClient()
    stack.push_async_callback(client.aclose)
    fetcher = GuardedFetcher(allowed_networks=operator.settings.allowed_networks)
    stack.push_async_callback(fetcher.aclose)
    await clock.sync(operator.database)
    notifier = None
    if operator.settings.db_prepared:
        notifier = Notifier(operator.database)
        stack.push_async_callback(notifier.aclose)
    services = build_services(
        operator,
        client=client,
        fetcher=fetcher,
        clock=clock,
        notifier=notifier,
        webhook_bodies=webhook_bodies,
    )
    await services.directory.load()
    await services.limits.load()
    await services.prices.load()
    return services


def build_services(
    operator: OperatorContext,
    *,
    client: UpstreamClient,
    fetcher: GuardedFetcher,
    clock: Clock,
    webhook_bodies: WebhookBodies,
    notifier: Notifier | None = None,
) -> Services:
    """Build what a process serves and works with, without starting it.

    Args:
        operator: The opened database and what works on it.
        client: The way to the providers.
        fetcher: The way to finished videos.
        clock: Database time.
        webhook_bodies: Makes what writes the bodies of webhooks.
        notifier: The way to the other processes, `None` to keep hints to oneself.
    """
    parts = _Parts(
        operator,
        client=client,
        fetcher=fetcher,
        clock=clock,
        notifier=notifier,
        webhook_bodies=webhook_bodies,
    )
    return Services(
        settings=operator.settings,
        operator=operator,
        clock=clock,
        providers=operator.providers,
        field_meanings=parts.field_meanings,
        directory=parts.directory,
        token_uses=parts.token_uses,
        limits=parts.limits,
        reads=parts.reads,
        prices=parts.prices,
        task_creator=parts.task_creator,
        estimator=parts.estimator,
        spending=parts.spending,
        direct_calls=parts.direct_calls,
        canceller=parts.canceller,
        deadlines=parts.deadlines,
        repairs=parts.repairs,
        reader=parts.reader,
        changes=parts.changes,
        waiters=parts.waiters,
        feeds=parts.feeds,
        places=parts.places,
        estimates=parts.estimates,
        catalogue=parts.catalogue,
        callbacks=parts.callbacks,
        content=parts.content,
        deliverer=parts.deliverer,
        redelivering=parts.redelivering,
        webhook_endpoints=parts.webhook_endpoints,
        webhook_secrets=parts.webhook_secrets,
        metrics=parts.metrics,
        worker=parts.worker,
        loops=tuple(parts.loops()),
    )


class _Parts:
    """The parts of one process, each made when the first other one needs it."""

    def __init__(
        self,
        operator: OperatorContext,
        *,
        client: UpstreamClient,
        fetcher: GuardedFetcher,
        clock: Clock,
        notifier: Notifier | None,
        webhook_bodies: WebhookBodies,
    ) -> None:
        self._webhook_bodies = webhook_bodies
        self._operator = operator
        self._settings = operator.settings
        self._providers = operator.providers
        self._client = client
        self._fetcher = fetcher
        self._clock = clock
        self._notifier = notifier
        self._randomness = random.Random()  # noqa: S311 - spreads load, guards nothing
        self.field_meanings = FieldMeanings.of(operator.providers.values())
        self.metrics = Metrics()

    # Views

    @cached_property
    def _links(self) -> ContentLinks:
        return ContentLinks(box=self._operator.box)

    @cached_property
    def reader(self) -> TaskReader:
        return TaskReader(self._operator.tasks, monotonic=time.monotonic, links=self._links)

    @cached_property
    def estimates(self) -> Estimates:
        return Estimates(
            store=EstimateStore(self._operator.database),
            directory=self.directory,
            clock=self._clock,
            monotonic=time.monotonic,
        )

    @cached_property
    def places(self) -> WaitingPlaces:
        return WaitingPlaces(metrics=self.metrics)

    @cached_property
    def waiters(self) -> Waiters:
        return Waiters(
            tasks=self._operator.tasks,
            reader=self.reader,
            places=self.places,
            monotonic=time.monotonic,
        )

    @cached_property
    def feeds(self) -> Feeds:
        return Feeds(
            changes=TaskChangeStore(self._operator.database),
            reader=self.reader,
            clock=self._clock,
            monotonic=time.monotonic,
        )

    @cached_property
    def changes(self) -> Changes:
        return Changes(
            self.reader,
            (self.waiters, self.feeds),
            self._notifier,
            on_change=self.deliverer.wanted.set,
        )

    # Channels

    @cached_property
    def directory(self) -> Directory:
        return _build_directory(self._operator, self._clock)

    @cached_property
    def token_uses(self) -> TokenUses:
        return TokenUses(accounts=self._operator.accounts, monotonic=time.monotonic)

    @cached_property
    def limits(self) -> KnownLimits:
        return KnownLimits(store=self._operator.limits, clock=self._clock, monotonic=time.monotonic)

    @cached_property
    def reads(self) -> ReadRates:
        return ReadRates(
            limits=self.limits,
            replicas=ReplicaStore(self._operator.database),
            monotonic=time.monotonic,
        )

    @cached_property
    def _router(self) -> Router:
        return Router(
            directory=self.directory,
            providers=self._providers,
            is_spent=self.limits.is_spent,
            randomness=self._randomness,
        )

    @cached_property
    def _upstream(self) -> Upstream:
        return Upstream(
            directory=self.directory,
            client=self._client,
            clock=self._clock,
            breaker=self._breaker,
            metrics=self.metrics,
        )

    @cached_property
    def _breaker(self) -> Breaker:
        return Breaker(
            states=self._operator.channel_states, directory=self.directory, clock=self._clock
        )

    @cached_property
    def notices(self) -> Notices:
        url = self._settings.notice_url
        return Notices(
            states=self._operator.channel_states,
            kept=NoticeStore(self._operator.database),
            channels=self._operator.channels,
            fetcher=self._fetcher,
            clock=self._clock,
            metrics=self.metrics,
            url=None if url is None else url.get_secret_value(),
        )

    @cached_property
    def catalogue(self) -> Catalogue:
        return Catalogue(directory=self.directory, router=self._router, providers=self._providers)

    # Attempts

    @cached_property
    def prices(self) -> Prices:
        return Prices(store=self._operator.prices, settings=self._settings)

    @cached_property
    def spending(self) -> Spending:
        return Spending(
            accounts=self._operator.accounts,
            ledger=self._operator.ledger,
            limits=self._operator.limits,
            usage=UsageStore(self._operator.database),
            clock=self._clock,
        )

    @cached_property
    def _auditor(self) -> Auditor:
        return Auditor(database=self._operator.database, metrics=self.metrics)

    @cached_property
    def _addresses(self) -> CallbackAddresses:
        return CallbackAddresses(public_url=self._settings.public_url, box=self._operator.box)

    @cached_property
    def _maker(self) -> AttemptMaker:
        return AttemptMaker(
            providers=self._providers,
            submit_timeout=self._settings.submit_timeout,
            addresses=self._addresses,
            prices=self.prices,
            limits=self.limits,
        )

    @cached_property
    def _failover(self) -> Failover:
        return Failover(
            attempts=self._operator.attempts,
            directory=self.directory,
            providers=self._providers,
            router=self._router,
            maker=self._maker,
            clock=self._clock,
            metrics=self.metrics,
            pace=self._settings.poll_pace,
            randomness=self._randomness,
        )

    @cached_property
    def _submitter(self) -> Submitter:
        return Submitter(
            attempts=self._operator.attempts,
            tasks=self._operator.tasks,
            directory=self.directory,
            providers=self._providers,
            maker=self._maker,
            failover=self._failover,
            upstream=self._upstream,
            clock=self._clock,
            metrics=self.metrics,
            changes=self.changes,
            pace=self._settings.poll_pace,
        )

    @cached_property
    def _prober(self) -> Prober:
        return Prober(self._fetcher)

    @cached_property
    def _poller(self) -> Poller:
        return Poller(
            attempts=self._operator.attempts,
            providers=self._providers,
            upstream=self._upstream,
            prober=self._prober,
            clock=self._clock,
            metrics=self.metrics,
            changes=self.changes,
            pace=self._settings.poll_pace,
            randomness=self._randomness,
        )

    @cached_property
    def _recoverer(self) -> Recoverer:
        return Recoverer(
            attempts=self._operator.attempts,
            tasks=self._operator.tasks,
            directory=self.directory,
            providers=self._providers,
            maker=self._maker,
            submitter=self._submitter,
            failover=self._failover,
            upstream=self._upstream,
            clock=self._clock,
            metrics=self.metrics,
            changes=self.changes,
            pace=self._settings.poll_pace,
            randomness=self._randomness,
        )

    @cached_property
    def worker(self) -> Worker:
        return Worker(
            attempts=self._operator.attempts,
            directory=self.directory,
            providers=self._providers,
            submitter=self._submitter,
            poller=self._poller,
            recoverer=self._recoverer,
            mover=Mover(
                attempts=self._operator.attempts,
                tasks=self._operator.tasks,
                directory=self.directory,
                failover=self._failover,
                clock=self._clock,
            ),
            breaker=self._breaker,
            clock=self._clock,
        )

    @cached_property
    def callbacks(self) -> CallbackReceiver:
        return CallbackReceiver(
            addresses=self._addresses,
            attempts=self._operator.attempts,
            directory=self.directory,
            providers=self._providers,
            clock=self._clock,
            monotonic=time.monotonic,
        )

    # Tasks

    @cached_property
    def _repetitions(self) -> Repetitions:
        return Repetitions(
            store=OnceStore(self._operator.database),
            attempts=self._operator.attempts,
            tasks=self._operator.tasks,
            reader=self.reader,
        )

    @cached_property
    def _sessions(self) -> Sessions:
        return Sessions(self._operator.box)

    @cached_property
    def _names(self) -> VideoNames:
        return VideoNames(
            reader=self.reader,
            attempts=self._operator.attempts,
            router=self._router,
            providers=self._providers,
            sessions=self._sessions,
        )

    @cached_property
    def _planner(self) -> Planner:
        return Planner(
            router=self._router,
            providers=self._providers,
            field_meanings=self.field_meanings,
            maker=self._maker,
            names=self._names,
            clock=self._clock,
            prices=self.prices,
            queue_wait=self._settings.queue_wait,
            allowed_networks=self._settings.allowed_networks,
        )

    @cached_property
    def task_creator(self) -> TaskCreator:
        return TaskCreator(
            planner=self._planner,
            tasks=self._operator.tasks,
            reader=self.reader,
            providers=self._providers,
            submitter=self._submitter,
            changes=self.changes,
            clock=self._clock,
            names=self._names,
            repetitions=self._repetitions,
            submit_wait=self._settings.submit_wait,
        )

    @cached_property
    def estimator(self) -> Estimator:
        return Estimator(planner=self._planner, estimates=self.estimates)

    @cached_property
    def direct_calls(self) -> DirectCalls:
        return DirectCalls(
            names=self._names,
            sessions=self._sessions,
            router=self._router,
            providers=self._providers,
            upstream=self._upstream,
            clock=self._clock,
            monotonic=time.monotonic,
        )

    @cached_property
    def canceller(self) -> Canceller:
        return Canceller(
            attempts=self._operator.attempts,
            reader=self.reader,
            providers=self._providers,
            upstream=self._upstream,
            clock=self._clock,
            metrics=self.metrics,
            changes=self.changes,
            monotonic=time.monotonic,
        )

    @cached_property
    def repairs(self) -> Repairs:
        return Repairs(
            store=RepairStore(self._operator.database),
            tasks=self._operator.tasks,
            attempts=self._operator.attempts,
            accounts=self._operator.accounts,
            limits=self._operator.limits,
            acts=self._operator.acts,
            reader=self.reader,
            canceller=self.canceller,
            planner=self._planner,
            prober=self._prober,
            changes=self.changes,
            clock=self._clock,
            allowed_networks=self._settings.allowed_networks,
            pace=self._settings.poll_pace,
        )

    @cached_property
    def deadlines(self) -> Deadlines:
        return Deadlines(
            store=CancellationStore(self._operator.database),
            canceller=self.canceller,
            changes=self.changes,
            clock=self._clock,
        )

    # Content

    @cached_property
    def content(self) -> Content:
        return Content(
            tasks=self._operator.tasks,
            ways=ContentWays(
                attempts=self._operator.attempts,
                providers=self._providers,
                upstream=self._upstream,
                fetcher=self._fetcher,
                clock=self._clock,
            ),
            clock=self._clock,
            renewer=LinkRenewer(
                tasks=self._operator.tasks,
                attempts=self._operator.attempts,
                providers=self._providers,
                upstream=self._upstream,
                changes=self.changes,
            ),
            links=self._links,
        )

    # Webhooks

    @cached_property
    def _webhooks(self) -> WebhookStore:
        return self._operator.webhooks

    @cached_property
    def _deliveries(self) -> DeliveryStore:
        return self._operator.deliveries

    @cached_property
    def retention(self) -> Retention:
        return Retention(
            months=MonthStore(self._operator.database),
            clock=self._clock,
            keep=self._settings.keep_tasks,
        )

    @cached_property
    def webhook_secrets(self) -> WebhookSecrets:
        return WebhookSecrets(store=self._webhooks, box=self._operator.box, clock=self._clock)

    @cached_property
    def _sender(self) -> WebhookSender:
        return WebhookSender(fetcher=self._fetcher, secrets=self.webhook_secrets)

    @cached_property
    def webhook_endpoints(self) -> WebhookEndpoints:
        return WebhookEndpoints(
            store=self._webhooks,
            secrets=self.webhook_secrets,
            box=self._operator.box,
            sender=self._sender,
            clock=self._clock,
            allowed_networks=self._settings.allowed_networks,
        )

    @cached_property
    def redelivering(self) -> Redelivering:
        return Redelivering(
            deliveries=self._deliveries, endpoints=self.webhook_endpoints, clock=self._clock
        )

    @cached_property
    def deliverer(self) -> Deliverer:
        return Deliverer(
            deliveries=self._deliveries,
            endpoints=self._webhooks,
            tasks=self._operator.tasks,
            sender=self._sender,
            write=self._webhook_bodies(self._settings, self._providers),
            publish=self._links.publish,
            clock=self._clock,
            metrics=self.metrics,
            randomness=self._randomness,
        )

    # What runs by itself

    def loops(self) -> Iterator[Loop]:
        """Make the loops of this process; none of them runs yet."""
        yield Loop("directory", self.directory.refresh, CACHE_REFRESH)
        yield Loop("token uses", self.token_uses.write, _USES_INTERVAL)
        yield Loop("limits", self.limits.refresh, CACHE_REFRESH)
        yield Loop("replicas", self.reads.beat, _BEAT_INTERVAL)
        if self.prices.are_on:
            yield Loop("prices", self.prices.refresh, CACHE_REFRESH)
        yield Loop("readers", self.reader.refresh, CACHE_REFRESH)
        yield Loop(
            "waiters",
            self.waiters.round,
            WAITERS_LOOK,
            woken=self.waiters.wanted,
            spacing=WAITERS_SPACING,
        )
        yield Loop(
            "feeds",
            self.feeds.round,
            WAITERS_LOOK,
            woken=self.feeds.wanted,
            spacing=WAITERS_SPACING,
        )
        yield Loop("estimates", self.estimates.refresh, ESTIMATE_EVERY)
        yield Loop("gauges", self._measure, _GAUGE_INTERVAL)
        yield Loop("callbacks", self.callbacks.round, CALLBACK_SPACING)
        if not self._settings.worker:
            return
        yield Loop(
            "questions",
            self.worker.ask,
            _WORK_INTERVAL,
            woken=self.worker.wanted,
            spacing=_REFILL_SPACING,
        )
        yield Loop("submits", self.worker.submit, _WORK_INTERVAL)
        yield Loop("deadlines", self.deadlines.round, _DEADLINE_INTERVAL)
        yield Loop(
            "webhooks",
            self.deliverer.round,
            _WORK_INTERVAL,
            woken=self.deliverer.wanted,
            spacing=_REFILL_SPACING,
        )
        if self._settings.notice_url is not None or self.prices.are_on:
            yield Loop("notices", self.notices.round, _NOTICE_INTERVAL)
        if self.prices.are_on:
            yield Loop("ledger", self._auditor.round, _AUDIT_INTERVAL)
        yield Loop("idempotency keys", self._purge, _PURGE_INTERVAL)
        yield Loop("old webhooks", self._purge_webhooks, _PURGE_INTERVAL)
        yield Loop("kept pictures", self._purge_inputs, _INPUTS_INTERVAL)
        yield Loop("months", self.retention.round, _MONTHS_INTERVAL)

    async def _measure(self) -> None:
        self.metrics.database(is_writable=await ping(self._operator.database))
        now = self._clock.now()
        due, _, oldest = await self._operator.attempts.work(now)
        self.metrics.work(due, (now - oldest).total_seconds() if oldest else 0.0)
        await self._measure_channels()
        parked, oldest = await self._deliveries.waiting(now)
        self.metrics.webhooks(parked, (now - oldest).total_seconds() if oldest else 0.0)

    async def _measure_channels(self) -> None:
        channels = [one for one in await self.directory.channels() if not one.removed]
        found = await self._operator.attempts.by_channel()
        queued: Counter[str] = Counter()
        for channel in channels:
            queued[channel.provider] += found.get(channel.id, (0, 0))[0]
        self.metrics.channels(
            {one.name: one.health.state.value for one in channels},
            {one.name: found.get(one.id, (0, 0))[1] for one in channels},
            queued,
            all_states=ChannelState,
        )

    async def _purge(self) -> None:
        await self._repetitions.purge(self._clock.now())

    async def _purge_inputs(self) -> None:
        await InputStore(self._operator.database).purge(
            self._clock.now(), keep=self._settings.keep_inputs, space=self._settings.inputs_space
        )

    async def _purge_webhooks(self) -> bool:
        return await self._deliveries.purge(self._clock.now())


def _build_directory(operator: OperatorContext, clock: Clock) -> Directory:
    return Directory(
        accounts=operator.accounts,
        channels=operator.channels,
        states=operator.channel_states,
        box=operator.box,
        clock=clock,
        monotonic=time.monotonic,
    )
