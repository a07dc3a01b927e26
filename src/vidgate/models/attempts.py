"""Attempts as the engine works on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vidgate.models.outcomes import UpstreamRef
from vidgate.models.tasks import AttemptStatus

__all__ = ["Attempt", "Lease"]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on an attempt, until another worker takes it over.

    Attributes:
        id: What every write-back must name.
        until: Database time from which somebody else may take the attempt.
    """

    id: UUID
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One job at one channel for one output, as it was when it was claimed.

    Attributes:
        correlation: What the submit carries so that the provider can be asked about it.
        tries: Submits of which no byte was written, or that were refused for being too busy.
        polls: Asks that were answered with a state.
        misses: Asks in a row that said nothing certain; for an unclear submit, the times in a row
            that the provider said it has no such job.
        doubts: How often an unclear submit was submitted again.
        doubted_at: Since when only doubtful failures were told of the job, `None` if the last
            certain answer was none.
        seen_running_at: When the provider first said that it works on the job.
        submit_ends_at: When the submit's own deadline is over, `None` before the first.
        deadline_at: When the job, or the wait for a slot, is given up.
        find_page: Where a search through a provider's list goes on.
        fault_kind: Why it ended without a video; for an unclear submit, `fault` and what came in
            the place of an answer. Likewise the code and the message.
    """

    id: UUID
    task_id: UUID
    position: int
    number: int
    channel_id: UUID
    credential_id: UUID
    provider: str
    upstream_model: str
    endpoint: str
    correlation: str
    status: AttemptStatus
    ref: UpstreamRef | None
    pace: Mapping[str, Any]
    progress: int | None
    tries: int
    polls: int
    misses: int
    doubts: int
    doubted_at: datetime | None
    seen_running_at: datetime | None
    due_at: datetime | None
    deadline_at: datetime
    sent_at: datetime | None
    submit_ends_at: datetime | None
    accepted_at: datetime | None
    finished_at: datetime | None
    find_page: Any
    created_at: datetime
    last_reason: str | None
    fault_kind: str | None
    fault_code: str | None
    fault_message: str | None
