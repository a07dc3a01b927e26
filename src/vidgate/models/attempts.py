"""Attempts as the engine works on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self
from uuid import UUID

from vidgate.models.outcomes import UpstreamRef
from vidgate.models.tasks import AttemptStatus

__all__ = ["Ask", "Attempt", "JobPace", "Lease"]


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
class JobPace:
    """How one job is followed: later versions may have other tables, a job keeps its own.

    What an attempt of an earlier version did not keep is as the defaults say.

    Attributes:
        submit: The total deadline of its submit.
        first_ask: After the submit, before the first question.
        interval: Between the next questions.
        growth: What each interval is multiplied by to give the following one.
        max_interval: Where the growth ends.
        deadline: After the submit; then it is given up.
        usual: After which most jobs of its model are finished, `None` where nobody knows.
    """

    submit: timedelta = timedelta(seconds=60)
    first_ask: timedelta = timedelta(seconds=30)
    interval: timedelta = timedelta(seconds=5)
    growth: float = 1.15
    max_interval: timedelta = timedelta(seconds=15)
    deadline: timedelta = timedelta(minutes=60)
    usual: timedelta | None = None

    _KEYS: ClassVar[Mapping[str, str]] = {
        "submit": "submit",
        "first": "first_ask",
        "interval": "interval",
        "max": "max_interval",
        "deadline": "deadline",
        "usual": "usual",
    }
    """Spans, which are seconds in a document, by their names there."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_document` of this or an earlier version wrote."""
        known: dict[str, Any] = {
            name: timedelta(seconds=document[key])
            for key, name in cls._KEYS.items()
            if key in document
        }
        if "growth" in document:
            known["growth"] = document["growth"]
        return cls(**known)

    def to_document(self) -> dict[str, float]:
        """Write it as the attempt keeps it."""
        spans = {key: getattr(self, name) for key, name in self._KEYS.items()}
        seconds = {key: span.total_seconds() for key, span in spans.items() if span is not None}
        return {**seconds, "growth": self.growth}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One job at one channel for one output, as it was when it was claimed.

    Attributes:
        correlation: What the submit carries so that the provider can be asked about it.
        tries: Submits that wrote no byte, or were refused by a busy provider.
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
        asks: About its job, whatever was answered; the last of them was `asked_at`.
        said: What was answered to the last of them.
        calls: Callbacks that had it asked about; the last of them was `called_at`.
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
    pace: JobPace
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
    asks: int
    asked_at: datetime | None
    said: str | None
    calls: int
    called_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """An ask about a job whose answer was another than that of the ask before.

    Attributes:
        number: Among all asks of its attempt, from 1.
        said: What the provider answered, in our words.
        before_at: When the ask before was, `None` for the first.
    """

    attempt_id: UUID
    number: int
    at: datetime
    said: str
    before_at: datetime | None
