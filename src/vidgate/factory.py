"""Builds every object; the only module that knows all constructors."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from vidgate.config import Settings
from vidgate.constants import CACHE_REFRESH, CALLBACK_SPACING
from vidgate.db.accounts import AccountStore
from vidgate.db.attempts import AttemptStore
from vidgate.db.capacity import ping
from vidgate.db.channels import ChannelStore
from vidgate.db.clock import Clock, DatabaseClock
from vidgate.db.embedded import EmbeddedServer
from vidgate.db.engine import Database
from vidgate.db.migrating import migrate, require_current
from vidgate.db.notifications import Listener, Notifier
from vidgate.db.once import OnceStore
from vidgate.db.tasks import TaskStore
from vidgate.loops import Loop
from vidgate.providers.base import Provider
from vidgate.providers.field_meanings import FieldMeanings
from vidgate.providers.registry import build_providers
from vidgate.providers.transport.client import UpstreamClient
from vidgate.providers.transport.guard import GuardedFetcher
from vidgate.services.attempts.callbacks import CallbackAddresses, CallbackReceiver
from vidgate.services.attempts.failover import Failover
from vidgate.services.attempts.maker import AttemptMaker
from vidgate.services.attempts.polling import Poller
from vidgate.services.attempts.recovering import Recoverer
from vidgate.services.attempts.submitting import Submitter
from vidgate.services.attempts.video_header import Prober
from vidgate.services.attempts.worker import Worker
from vidgate.services.channels.catalogue import Catalogue
from vidgate.services.channels.channel_test import ChannelChecker
from vidgate.services.channels.directory import Directory
from vidgate.services.channels.provisioning import Provisioning
from vidgate.services.channels.routing import Router
from vidgate.services.channels.upstream import Upstream
from vidgate.services.content.link_renewal import LinkRenewer
from vidgate.services.content.routes import ContentWays
from vidgate.services.content.source import Content
from vidgate.services.metrics import Metrics
from vidgate.services.secrets import SecretBox, read_secret_keys
from vidgate.services.tasks.cancelling import Canceller
from vidgate.services.tasks.creating import TaskCreator
from vidgate.services.tasks.direct_calls import DirectCalls
from vidgate.services.tasks.idempotency import Repetitions
from vidgate.services.tasks.planning import Planner
from vidgate.services.tasks.references import VideoNames
from vidgate.services.tasks.sessions import Sessions
from vidgate.services.views.changes import Changes
from vidgate.services.views.content_links import ContentLinks, base_url_of
from vidgate.services.views.reading import TaskReader

__all__ = [
    "OperatorContext",
    "Services",
    "build_services",
    "open_checker",
    "open_database_url",
    "open_operator_context",
    "open_services",
]

_log = structlog.get_logger(__name__)

_WORK_INTERVAL = timedelta(seconds=0.25)
"""Between two looks for due work: what it adds to the lag of a task is half of it on average."""

_REFILL_SPACING = timedelta(seconds=0.025)
"""Between two looks for due work where places became free for it: some are filled at a time, and
still they stand empty only for a small part of what an answer takes."""

_WATCH_INTERVAL = timedelta(seconds=2)
"""Between two looks whether the embedded server lives."""

_PURGE_INTERVAL = timedelta(minutes=5)
"""Between two deletions of what has expired: a few thousand rows at a time in a busy deployment."""

_CLOCK_INTERVAL = timedelta(seconds=10)
_GAUGE_INTERVAL = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorContext:
    """What an operator's command works with: stores, and no upstream."""

    settings: Settings
    database: Database
    providers: Mapping[str, Provider]
    accounts: AccountStore
    channels: ChannelStore
    tasks: TaskStore
    attempts: AttemptStore
    box: SecretBox
    provisioning: Provisioning


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a serving process works with."""

    settings: Settings
    operator: OperatorContext
    clock: Clock
    providers: Mapping[str, Provider]
    field_meanings: FieldMeanings
    directory: Directory
    task_creator: TaskCreator
    direct_calls: DirectCalls
    canceller: Canceller
    reader: TaskReader
    catalogue: Catalogue
    callbacks: CallbackReceiver
    content: Content
    metrics: Metrics
    worker: Worker
    loops: tuple[Loop, ...]

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            DatabaseUnavailableError: It gives none.
        """
        await ping(self.operator.database)

    @property
    def is_worker_alive(self) -> bool:
        """Whether everything that runs by itself still runs."""
        return all(loop.is_alive for loop in self.loops)


@asynccontextmanager
async def open_database_url(settings: Settings) -> AsyncIterator[str]:
    """Yield the URL of the database, running the embedded server meanwhile if that is it.

    Raises:
        ConfigurationError: The operator has to change something.
        DatabaseUnavailableError: The server does not come up.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    starting = asyncio.create_task(asyncio.to_thread(EmbeddedServer.start, settings.data_dir))
    try:
        server = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The thread goes on to the end, and what it started would be nobody's to stop.
        (await starting).release()
        raise

    async def revive() -> None:
        if await asyncio.to_thread(server.revive):
            _log.warning("The embedded PostgreSQL had died and was started again")

    watch = Loop("embedded PostgreSQL", revive, _WATCH_INTERVAL)
    watch.start()
    try:
        yield server.url
    finally:
        await watch.stop()
        await asyncio.shield(asyncio.to_thread(server.release))


@asynccontextmanager
async def open_operator_context(
    settings: Settings, *, url: str | None = None
) -> AsyncIterator[OperatorContext]:
    """Open the database, migrate it where that is ours to do, and yield what works on it.

    Args:
        settings: The operator's.
        url: Of a database that is kept running by somebody else, `None` to run it here.

    Raises:
        ConfigurationError: The operator has to change something.
        DatabaseUnavailableError: PostgreSQL does not answer.
    """
    async with AsyncExitStack() as stack:
        if url is None:
            url = await stack.enter_async_context(open_database_url(settings))
        if settings.is_embedded or settings.auto_migrate:
            await migrate(url)
        database = await Database.connect(
            url, pool_size=settings.db_pool, prepared_statements=settings.db_prepared
        )
        stack.push_async_callback(database.aclose)
        await require_current(database)
        setting = settings.secret_key.get_secret_value() if settings.secret_key else None
        data_dir = settings.data_dir if settings.is_embedded else None
        box = SecretBox(lambda: read_secret_keys(setting, data_dir))
        providers = build_providers(map_retired_models=settings.map_retired_models)
        accounts, channels = AccountStore(database), ChannelStore(database)
        provisioning = Provisioning(
            accounts=accounts, channels=channels, box=box, providers=providers
        )
        await provisioning.check_secret_key()
        yield OperatorContext(
            settings=settings,
            database=database,
            providers=providers,
            accounts=accounts,
            channels=channels,
            tasks=TaskStore(database),
            attempts=AttemptStore(database),
            box=box,
            provisioning=provisioning,
        )


@asynccontextmanager
async def open_checker(operator: OperatorContext) -> AsyncIterator[ChannelChecker]:
    """Open what checks channels, for as long as it is needed."""
    client = UpstreamClient()
    clock = DatabaseClock()
    try:
        await clock.sync(operator.database)
        directory = Directory(
            accounts=operator.accounts,
            channels=operator.channels,
            box=operator.box,
            clock=clock,
            monotonic=time.monotonic,
        )
        yield ChannelChecker(
            channels=operator.channels,
            providers=operator.providers,
            upstream=Upstream(directory=directory, client=client, clock=clock),
        )
    finally:
        await client.aclose()


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open everything a process serves and works with, and start what runs by itself.

    Raises:
        ConfigurationError: The operator has to change something.
        DatabaseUnavailableError: PostgreSQL does not answer.
    """
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(open_database_url(settings))
        operator = await stack.enter_async_context(open_operator_context(settings, url=url))
        await operator.provisioning.apply_environment(settings)
        client = UpstreamClient()
        stack.push_async_callback(client.aclose)
        fetcher = GuardedFetcher(allowed_networks=settings.allowed_networks)
        stack.push_async_callback(fetcher.aclose)
        clock = DatabaseClock()
        await clock.sync(operator.database)
        notifier = None
        if settings.db_prepared:
            notifier = Notifier(operator.database)
            stack.push_async_callback(notifier.aclose)
        services = build_services(
            operator, client=client, fetcher=fetcher, clock=clock, notifier=notifier
        )
        await services.directory.load()
        if settings.db_prepared:
            reader = services.reader
            listener = Listener(url, callback=reader.evict, on_reset=reader.evict_all)
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
                services.task_creator.drain(settings.shutdown_grace),
            )

        stack.push_async_callback(stop)
        yield services


def build_services(
    operator: OperatorContext,
    *,
    client: UpstreamClient,
    fetcher: GuardedFetcher,
    clock: Clock,
    notifier: Notifier | None = None,
) -> Services:
    """Put together what a process serves and works with; nothing of it runs yet.

    Args:
        operator: The opened database and what works on it.
        client: The way to the providers.
        fetcher: The way to finished videos.
        clock: Database time.
        notifier: The way to the other processes, `None` to keep hints to oneself.
    """
    settings = operator.settings
    field_meanings = FieldMeanings.of(operator.providers.values())
    metrics = Metrics()
    randomness = random.Random()  # noqa: S311 - spreads load, guards nothing
    directory = Directory(
        accounts=operator.accounts,
        channels=operator.channels,
        box=operator.box,
        clock=clock,
        monotonic=time.monotonic,
    )
    links = ContentLinks(base_url=base_url_of(settings), box=operator.box)
    reader = TaskReader(operator.tasks, monotonic=time.monotonic, links=links)
    changes = Changes(reader, notifier)
    upstream = Upstream(directory=directory, client=client, clock=clock)
    router = Router(directory=directory, providers=operator.providers, randomness=randomness)
    addresses = CallbackAddresses(public_url=settings.public_url, box=operator.box)
    maker = AttemptMaker(
        providers=operator.providers, submit_timeout=settings.submit_timeout, addresses=addresses
    )
    failover = Failover(
        attempts=operator.attempts,
        directory=directory,
        providers=operator.providers,
        router=router,
        maker=maker,
        clock=clock,
        metrics=metrics,
        pace=settings.poll_pace,
        randomness=randomness,
    )
    submitter = Submitter(
        attempts=operator.attempts,
        tasks=operator.tasks,
        directory=directory,
        providers=operator.providers,
        maker=maker,
        failover=failover,
        upstream=upstream,
        clock=clock,
        metrics=metrics,
        changes=changes,
        pace=settings.poll_pace,
    )
    poller = Poller(
        attempts=operator.attempts,
        providers=operator.providers,
        upstream=upstream,
        prober=Prober(fetcher),
        clock=clock,
        metrics=metrics,
        changes=changes,
        pace=settings.poll_pace,
        randomness=randomness,
    )
    recoverer = Recoverer(
        attempts=operator.attempts,
        tasks=operator.tasks,
        directory=directory,
        providers=operator.providers,
        maker=maker,
        submitter=submitter,
        upstream=upstream,
        clock=clock,
        metrics=metrics,
        changes=changes,
        pace=settings.poll_pace,
        randomness=randomness,
    )
    worker = Worker(
        attempts=operator.attempts,
        directory=directory,
        providers=operator.providers,
        submitter=submitter,
        poller=poller,
        recoverer=recoverer,
        clock=clock,
    )
    repetitions = Repetitions(
        store=OnceStore(operator.database), attempts=operator.attempts, reader=reader
    )
    sessions = Sessions(operator.box)
    names = VideoNames(
        reader=reader,
        attempts=operator.attempts,
        router=router,
        providers=operator.providers,
        sessions=sessions,
    )
    planner = Planner(
        router=router,
        providers=operator.providers,
        field_meanings=field_meanings,
        maker=maker,
        names=names,
        clock=clock,
        allowed_networks=settings.allowed_networks,
    )
    task_creator = TaskCreator(
        planner=planner,
        tasks=operator.tasks,
        reader=reader,
        providers=operator.providers,
        submitter=submitter,
        changes=changes,
        clock=clock,
        names=names,
        repetitions=repetitions,
        submit_wait=settings.submit_wait,
    )
    direct_calls = DirectCalls(
        names=names,
        sessions=sessions,
        router=router,
        providers=operator.providers,
        upstream=upstream,
        clock=clock,
        monotonic=time.monotonic,
    )
    canceller = Canceller(
        attempts=operator.attempts,
        reader=reader,
        providers=operator.providers,
        upstream=upstream,
        clock=clock,
        metrics=metrics,
        changes=changes,
        monotonic=time.monotonic,
    )
    callbacks = CallbackReceiver(
        addresses=addresses,
        attempts=operator.attempts,
        directory=directory,
        providers=operator.providers,
        clock=clock,
        monotonic=time.monotonic,
    )
    content = Content(
        tasks=operator.tasks,
        ways=ContentWays(
            attempts=operator.attempts,
            providers=operator.providers,
            upstream=upstream,
            fetcher=fetcher,
            clock=clock,
        ),
        clock=clock,
        renewer=LinkRenewer(
            tasks=operator.tasks,
            attempts=operator.attempts,
            providers=operator.providers,
            upstream=upstream,
            changes=changes,
        ),
        links=links,
    )
    catalogue = Catalogue(directory=directory, router=router, providers=operator.providers)

    async def measure() -> None:
        now = clock.now()
        due, _, oldest = await operator.attempts.work(now)
        metrics.work(due, (now - oldest).total_seconds() if oldest else 0.0)

    loops = [
        Loop("directory", directory.refresh, CACHE_REFRESH),
        Loop("readers", reader.refresh, CACHE_REFRESH),
        Loop("gauges", measure, _GAUGE_INTERVAL),
        Loop("callbacks", callbacks.round, CALLBACK_SPACING),
    ]
    if settings.worker:
        loops.append(
            Loop(
                "questions",
                worker.ask,
                _WORK_INTERVAL,
                woken=worker.wanted,
                spacing=_REFILL_SPACING,
            )
        )
        loops.append(Loop("submits", worker.submit, _WORK_INTERVAL))
        loops.append(
            Loop("idempotency keys", lambda: repetitions.purge(clock.now()), _PURGE_INTERVAL)
        )
    return Services(
        settings=settings,
        operator=operator,
        clock=clock,
        providers=operator.providers,
        field_meanings=field_meanings,
        directory=directory,
        task_creator=task_creator,
        direct_calls=direct_calls,
        canceller=canceller,
        reader=reader,
        catalogue=catalogue,
        callbacks=callbacks,
        content=content,
        metrics=metrics,
        worker=worker,
        loops=tuple(loops),
    )
