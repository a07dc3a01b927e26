"""What an operator's command works on: the database, opened and migrated, and its stores.

Apart from the factory, so that a command that only reads and writes rows does not import all that
serves.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from vidgate.config import Settings
from vidgate.db.accounts import AccountStore
from vidgate.db.acts import ActStore
from vidgate.db.attempts import AttemptStore
from vidgate.db.channel_states import ChannelStateStore
from vidgate.db.channels import ChannelStore
from vidgate.db.deliveries import DeliveryStore
from vidgate.db.embedded import EmbeddedServer
from vidgate.db.engine import Database
from vidgate.db.ledger import LedgerStore
from vidgate.db.limits import LimitStore
from vidgate.db.migrating import migrate, require_current
from vidgate.db.prices import PriceStore
from vidgate.db.tasks import TaskStore
from vidgate.db.webhooks import WebhookStore
from vidgate.loops import Loop
from vidgate.providers.base import Provider
from vidgate.providers.registry import build_providers
from vidgate.services.channels.provisioning import Provisioning
from vidgate.services.secrets import SecretBox, read_secret_keys

__all__ = ["OperatorContext", "open_database_url", "open_operator_context"]

_log = structlog.get_logger(__name__)

_WATCH_INTERVAL = timedelta(seconds=2)
"""Between two looks whether the embedded server lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorContext:
    """What an operator's command works with: stores, and no upstream."""

    settings: Settings
    database: Database
    providers: Mapping[str, Provider]
    accounts: AccountStore
    channels: ChannelStore
    channel_states: ChannelStateStore
    tasks: TaskStore
    attempts: AttemptStore
    deliveries: DeliveryStore
    webhooks: WebhookStore
    acts: ActStore
    ledger: LedgerStore
    limits: LimitStore
    prices: PriceStore
    box: SecretBox
    provisioning: Provisioning


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
            channel_states=ChannelStateStore(database),
            tasks=TaskStore(database),
            attempts=AttemptStore(database),
            deliveries=DeliveryStore(database),
            webhooks=WebhookStore(database),
            acts=ActStore(database),
            ledger=LedgerStore(database),
            limits=LimitStore(database),
            prices=PriceStore(database),
            box=box,
            provisioning=provisioning,
        )
