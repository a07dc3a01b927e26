"""The deliverer: sends webhooks that are due, and notes what became of each try."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias

import structlog

from vidgate.constants import (
    LEASE_MARGIN,
    WEBHOOK_JITTER,
    WEBHOOK_SCHEDULE,
    WEBHOOK_TIMEOUT,
    WEBHOOKS_AT_ONCE,
    WEBHOOKS_PER_HOST,
)
from vidgate.db.clock import Clock
from vidgate.db.deliveries import DeliveryStore
from vidgate.db.tasks import TaskStore
from vidgate.db.webhooks import WebhookStore
from vidgate.exceptions import ConfigurationError, DatabaseUnavailableError
from vidgate.models.attempts import Lease
from vidgate.models.ids import new_id
from vidgate.models.tasks import TaskSnapshot
from vidgate.models.webhooks import Delivery, DeliveryStatus, DeliveryTry
from vidgate.providers.transport.guard import PostAnswer
from vidgate.services.deliveries.host_rooms import HostRooms
from vidgate.services.deliveries.sender import Sent, WebhookSender
from vidgate.services.metrics import Metrics

__all__ = ["Deliverer", "WriteWebhook"]

_log = structlog.get_logger(__name__)

WriteWebhook: TypeAlias = Callable[[TaskSnapshot, Delivery], str]
"""Writes the body of a webhook; what it looks like is the business of the dialects."""

_LEASE: Final = WEBHOOK_TIMEOUT + LEASE_MARGIN
_GONE: Final = 410
_LONGEST_RETRY_AFTER: Final = timedelta(hours=24)


class Deliverer:
    """Sends webhooks from one process. Several may run on one database.

    Attributes:
        wanted: Set when something may have become due.
    """

    def __init__(
        self,
        *,
        deliveries: DeliveryStore,
        endpoints: WebhookStore,
        tasks: TaskStore,
        sender: WebhookSender,
        write: WriteWebhook,
        publish: Callable[[TaskSnapshot], TaskSnapshot],
        clock: Clock,
        metrics: Metrics,
        randomness: random.Random,
    ) -> None:
        self._deliveries = deliveries
        self._endpoints = endpoints
        self._tasks = tasks
        self._sender = sender
        self._write = write
        self._publish = publish
        self._clock = clock
        self._metrics = metrics
        self._random = randomness
        self._rooms = HostRooms()
        self._running: dict[asyncio.Task[None], tuple[Delivery, Lease]] = {}
        self.wanted = asyncio.Event()

    async def round(self) -> bool:
        """Start on what is due, as far as there is room.

        Returns:
            Whether there may be more that has room.
        """
        room = WEBHOOKS_AT_ONCE - len(self._running)
        if room <= 0:
            return False
        now = self._clock.now()
        lease = Lease(new_id(), now + _LEASE)
        claimed = await self._deliveries.claim(
            lease=lease,
            now=now,
            rooms=self._rooms.free(now),
            limit=WEBHOOKS_PER_HOST,
            batch=room,
        )
        for delivery in claimed:
            self._rooms.enter(delivery.host)
            running = asyncio.create_task(self._deliver(delivery, lease))
            self._running[running] = (delivery, lease)
            running.add_done_callback(self._done)
        return len(claimed) >= room

    async def idle(self) -> None:
        """Wait until all that was started is done. For tests and one-off runs."""
        while self._running:
            await asyncio.wait(self._running)

    async def stop(self, grace: timedelta) -> None:
        """Let tries under way end, and leave the rest to others."""
        if self._running:
            await asyncio.wait(self._running, timeout=grace.total_seconds())
        held = {delivery.id: lease for delivery, lease in self._running.values()}
        for running in list(self._running):
            running.cancel()
        try:
            await self._deliveries.return_leases(held, self._clock.now())
        except DatabaseUnavailableError:
            _log.warning("Leases of webhooks could not be returned; they end by themselves")

    def _done(self, running: asyncio.Task[None]) -> None:
        del self._running[running]
        self.wanted.set()  # there is room again

    async def _deliver(self, delivery: Delivery, lease: Lease) -> None:
        try:
            tried = await self._try_in_room(delivery, lease)
            if tried is not None:
                await self._record(delivery, lease, *tried)
        except DatabaseUnavailableError as error:
            _log.warning("The database was away during a webhook", reason=str(error))
        except ConfigurationError as error:
            _log.error("A webhook could not be signed", reason=str(error))
        except Exception:  # noqa: BLE001 - one receiver's trouble must not end the others' work
            _log.exception("A webhook failed", event_id=delivery.public_id)

    async def _try_in_room(self, delivery: Delivery, lease: Lease) -> tuple[Sent, datetime] | None:
        """The same as `_try`; the host has the next one before this one is written down."""
        answered: bool | None = None
        try:
            tried = await self._try(delivery, lease)
            if tried is not None:
                answered = tried[0].answer is not None
            return tried
        finally:
            self._rooms.leave(delivery.host, answered=answered, now=self._clock.now())
            self.wanted.set()

    async def _try(self, delivery: Delivery, lease: Lease) -> tuple[Sent, datetime] | None:
        """Send a webhook once.

        Returns:
            What became of it and when it was sent, `None` where nothing was sent.
        """
        task = await self._tasks.snapshot(delivery.task_id)
        reason = await self._reason_not_to(delivery, task)
        if task is None or reason is not None:
            reason = reason or "The task does not exist any more."
            await self._deliveries.park(delivery, lease, reason, self._clock.now())
            return None
        body = self._write(self._publish(task), delivery)
        began = self._clock.now()
        sent = await self._sender.send(
            delivery.url,
            body,
            account_id=delivery.account_id,
            endpoint_id=delivery.endpoint_id,
            event_id=delivery.public_id,
            now=began,
        )
        return sent, began

    async def _reason_not_to(self, delivery: Delivery, task: TaskSnapshot | None) -> str | None:
        if task is None or task.removed:
            return "Its task was deleted."
        if delivery.endpoint_id is not None:
            endpoint = await self._endpoints.one(delivery.endpoint_id)
            if endpoint is None:
                return "Its endpoint was deleted."
            if endpoint.disabled_reason is not None:
                return "Its endpoint is disabled."
        return None

    async def _record(self, delivery: Delivery, lease: Lease, sent: Sent, began: datetime) -> None:
        now = self._clock.now()
        answer, error = sent.answer, sent.error
        gone = answer is not None and answer.status == _GONE
        due_at = None
        if error is not None and not gone:
            due_at = self._next(delivery.tries + 1, answer, now)
        if error is None:
            status = DeliveryStatus.DELIVERED
        else:
            status = DeliveryStatus.PENDING if due_at else DeliveryStatus.PARKED
        disabled = await self._deliveries.record(
            delivery,
            lease,
            DeliveryTry(
                at=began,
                milliseconds=round((now - began).total_seconds() * 1000),
                status=answer.status if answer else None,
                error=error,
                answer=_text(answer.start) if answer else None,
            ),
            status=status,
            due_at=due_at,
            gone=gone,
            now=now,
        )
        self._metrics.delivery(status.value)
        if disabled is not None:
            _log.warning(
                "A webhook endpoint was disabled",
                endpoint=str(delivery.endpoint_id),
                reason=disabled,
            )
        if status is DeliveryStatus.PARKED:
            _log.warning("A webhook is not tried any more", event_id=delivery.public_id)

    def _next(self, tries: int, answer: PostAnswer | None, now: datetime) -> datetime | None:
        """When to try again, `None` where the schedule is over."""
        if tries >= len(WEBHOOK_SCHEDULE):
            return None
        wait = WEBHOOK_SCHEDULE[tries] * (1 + WEBHOOK_JITTER * self._random.random())
        return now + max(wait, _retry_after(answer, now))


def _retry_after(answer: PostAnswer | None, now: datetime) -> timedelta:
    """What a receiver asked for, in seconds or as a date; nothing where it asked for nothing."""
    headers = {name.lower(): value for name, value in answer.headers.items()} if answer else {}
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 8:  # noqa: PLR2004 - four months and more
        wait = timedelta(seconds=int(text))
    else:
        try:
            wait = parsedate_to_datetime(text) - now
        except (TypeError, ValueError):
            wait = timedelta()
    return min(max(wait, timedelta()), _LONGEST_RETRY_AFTER)


def _text(start: bytes) -> str:
    """The beginning of an answer as text that PostgreSQL takes."""
    return start.decode(errors="replace").replace("\x00", "\ufffd")
