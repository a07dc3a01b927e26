"""Webhooks: what a client is told without asking."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from vidgate.models.ids import ENDPOINT_PREFIX, EVENT_PREFIX, public_id
from vidgate.models.tasks import TaskStatus

__all__ = [
    "FINAL_EVENTS",
    "Delivery",
    "DeliveryQuery",
    "DeliveryStatus",
    "DeliveryTry",
    "EventType",
    "WebhookEndpoint",
]


class EventType(StrEnum):
    """What happened to a task."""

    QUEUED = "video.queued"
    IN_PROGRESS = "video.in_progress"
    COMPLETED = "video.completed"
    FAILED = "video.failed"
    CANCELLED = "video.cancelled"


FINAL_EVENTS: Final[Mapping[TaskStatus, EventType]] = MappingProxyType(
    {
        TaskStatus.SUCCEEDED: EventType.COMPLETED,
        TaskStatus.FAILED: EventType.FAILED,
        TaskStatus.CANCELLED: EventType.CANCELLED,
    }
)
"""The event of each final state."""


class DeliveryStatus(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    PARKED = "parked"
    """It is not tried any more, unless somebody asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """Where an account wants to be told of its tasks.

    Attributes:
        token_id: The one token whose tasks it is told of, `None` for all of the account.
        event_types: What it is told of.
        secret_hint: The end of the secret that signs; empty where it was not read.
        disabled_reason: Why nothing is sent any more, `None` while it is enabled.
        failing_since: The first failure after the last success, `None` after a success.
    """

    id: UUID
    account_id: UUID
    name: str
    url: str
    event_types: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    secret_hint: str = ""
    token_id: UUID | None = None
    disabled_reason: str | None = None
    failing_since: datetime | None = None

    @property
    def public_id(self) -> str:
        """The id as clients know it."""
        return public_id(ENDPOINT_PREFIX, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one receiver.

    Attributes:
        endpoint_id: `None` where it goes to the `callback_url` of the task.
        host: Of the URL, with its port if it names one.
        tries: Since it was made, or since somebody asked for it again.
        due_at: When it is tried next, `None` if it is not.
        last_reason: Why the last try failed.
    """

    id: UUID
    task_id: UUID
    account_id: UUID
    endpoint_id: UUID | None
    url: str
    host: str
    event: EventType
    status: DeliveryStatus
    tries: int
    due_at: datetime | None
    last_reason: str | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def public_id(self) -> str:
        """The id as receivers know it, the same at every try."""
        return public_id(EVENT_PREFIX, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTry:
    """One try to deliver.

    Attributes:
        status: Of the answer, `None` where none came.
        error: Why it failed, `None` if it did not.
        answer: The beginning of the answer.
    """

    at: datetime
    milliseconds: int
    status: int | None = None
    error: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryQuery:
    """Which deliveries to list; `None` leaves a filter out.

    Attributes:
        before: The place of the last one before, as its time and id.
        limit: How many at most.
    """

    account_id: UUID | None = None
    task_id: UUID | None = None
    endpoint_id: UUID | None = None
    status: DeliveryStatus | None = None
    before: tuple[datetime, UUID] | None = None
    limit: int = 50
