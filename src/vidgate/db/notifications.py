"""Hints between the processes of a deployment, by LISTEN and NOTIFY.

Nothing depends on a hint being heard: whoever misses one asks again by itself.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import asyncpg
import structlog
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from vidgate.db.engine import (
    UNAVAILABLE,
    Database,
    Statement,
    asyncpg_url,
    describe,
    open_connection,
)
from vidgate.exceptions import DatabaseUnavailableError

__all__ = ["NOTIFY_CHANNEL", "Listener", "Notifier"]

_log = structlog.get_logger(__name__)

NOTIFY_CHANNEL: Final = "vidgate"
"""The one channel on which the processes of a deployment hint to each other."""

_HEARTBEAT_SECONDS: Final = 10.0
"""How often a silent listener asks whether its connection still lives; a lost one that sends no
reset would otherwise be silent for ever."""

_BACKOFF_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Waits between a listener's attempts to reconnect; the last one repeats."""

_PATIENCE_SECONDS: Final = 5.0
"""The longest wait for anything on the listening connection."""

_MAX_PENDING: Final = 10_000
"""Hints kept while PostgreSQL does not answer; what comes above that is dropped."""

_MAX_PAYLOAD_BYTES: Final = 7_999
"""PostgreSQL's own limit for one notification."""

_NOTIFY: Final = Statement(
    text("SELECT pg_notify(:channel, payload) FROM unnest(:payloads) AS payload").bindparams(
        bindparam("channel", type_=TEXT()), bindparam("payloads", type_=ARRAY(TEXT()))
    )
)


class Listener:
    """One connection of its own that listens to hints and outlives its losses.

    Args:
        url: As `Database.connect` takes it.
        callback: Called with the payload of each notification.
        on_reset: Called after each (re)connect, when notifications may have been missed: whatever
            was kept on the strength of them is to be dropped.
        channels: What to listen to.
    """

    def __init__(
        self,
        url: str,
        *,
        callback: Callable[[str], None],
        on_reset: Callable[[], None],
        channels: Sequence[str] = (NOTIFY_CHANNEL,),
    ) -> None:
        self._url = asyncpg_url(url)
        self._callback = callback
        self._on_reset = on_reset
        self._channels = tuple(channels)
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._task = asyncio.create_task(self._run(), name="database listener")

    async def aclose(self) -> None:
        """Stop listening and close the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - a listener must survive anything
                _log.warning("Listener lost its connection", error=describe(error))
            await asyncio.sleep(_BACKOFF_SECONDS[min(self._failures, len(_BACKOFF_SECONDS) - 1)])
            self._failures += 1

    async def _listen(self) -> None:
        """Listen on one connection until it is lost."""
        connection = await open_connection(
            self._url, timeout=_PATIENCE_SECONDS, command_timeout=_PATIENCE_SECONDS
        )
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            for channel in self._channels:
                await connection.add_listener(channel, self._received)
            self._failures = 0
            self._on_reset()
            while not lost.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):
                        await lost.wait()
                        break
                await connection.execute("SELECT 1")
        finally:
            with suppress(*UNAVAILABLE):
                await connection.close(timeout=_PATIENCE_SECONDS)
        raise ConnectionResetError("PostgreSQL closed the connection")

    def _received(
        self, _connection: asyncpg.Connection, _pid: int, _channel: str, payload: object
    ) -> None:
        try:
            self._callback(str(payload))
        except Exception:  # noqa: BLE001 - the next notification may be a good one
            _log.exception("Notification callback failed")


class Notifier:
    """Sends hints after a commit, many in one statement, one statement at a time.

    A hint that cannot be sent is logged and dropped: whoever misses it asks again by itself.
    """

    def __init__(self, database: Database, *, channel: str = NOTIFY_CHANNEL) -> None:
        self._database = database
        self._channel = channel
        self._pending: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None

    def send(self, payload: str) -> None:
        """Send a payload soon; the same payload twice before that is sent once.

        Raises:
            ValueError: If the payload is longer than PostgreSQL takes.
        """
        if len(payload) * 4 > _MAX_PAYLOAD_BYTES and len(payload.encode()) > _MAX_PAYLOAD_BYTES:
            raise ValueError("a notification takes at most 7999 bytes")
        if len(self._pending) >= _MAX_PENDING:
            return
        self._pending[payload] = None
        if self._task is None:
            self._task = asyncio.create_task(self._flush(), name="database notifier")

    async def aclose(self) -> None:
        """Send what is pending, within the time that one statement may take."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _flush(self) -> None:
        try:
            while self._pending:
                payloads, self._pending = list(self._pending), {}
                try:
                    await self._database.fetch(_NOTIFY, channel=self._channel, payloads=payloads)
                except (DatabaseUnavailableError, asyncpg.PostgresError) as error:
                    _log.warning("Hints dropped", count=len(payloads), error=type(error).__name__)
        finally:
            self._task = None
