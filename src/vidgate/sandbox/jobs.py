"""The jobs that were created: their time lines, the slots they hold, the ledger of them all."""

import heapq
import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vidgate.sandbox.video import Clip
from vidgate.sandbox.words import LATE_AUDIT, LATE_ERROR, VENDOR_CANCELLED

__all__ = ["FINAL", "Job", "Ledger", "Phase", "Slots", "shortened"]

_FAILING = frozenset({LATE_AUDIT, LATE_ERROR})

_LONG_TEXT = 400
"""Characters above which a string of a recorded body is cut, lest images fill the memory."""


class Phase(StrEnum):
    """Where a job is; each stand-in has its own words for these."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """One paid job.

    Its whole time line is known when it gets its slot, so that its phase is a function of the time.

    Attributes:
        provider: Whose job it is.
        job_id: The provider's own id.
        account: Who pays.
        endpoint: The path or action that created it.
        model: The model as the request named it.
        correlation: Kling's `external_task_id`, Vidu's `payload`; `None` if there was none.
        body: The request, long strings cut.
        created_at: Unix seconds.
        queue_seconds: Time between its slot and its start.
        run_seconds: Time between its start and its end; infinite if it never ends.
        clip: The video it makes.
        words: The magic words of its prompt.
        charge: What it costs, in the provider's own units.
        late_failure: The failure it will end in, in the provider's words; `None` if none.
        details: What its provider keeps for its answers.
        admitted_at: When it got its slot; `None` while it waits for one.
        cancelled_at: When it was cancelled.
    """

    provider: str
    job_id: str
    account: str
    endpoint: str
    model: str
    correlation: str | None
    body: Mapping[str, Any]
    created_at: float
    queue_seconds: float
    run_seconds: float
    clip: Clip
    words: frozenset[str] = frozenset()
    charge: float = 0.0
    late_failure: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    admitted_at: float | None = None
    cancelled_at: float | None = None

    @property
    def started_at(self) -> float:
        """When work begins; infinite while it waits for a slot."""
        return math.inf if self.admitted_at is None else self.admitted_at + self.queue_seconds

    @property
    def ends_at(self) -> float:
        """When it ends by itself."""
        return self.started_at + self.run_seconds

    def phase(self, now: float) -> Phase:
        """Where the job is at a given time."""
        if self.cancelled_at is not None:
            return Phase.CANCELLED
        if now < self.started_at:
            return Phase.QUEUED
        if now < self.ends_at:
            return Phase.RUNNING
        if VENDOR_CANCELLED in self.words:
            return Phase.CANCELLED
        return (
            Phase.FAILED
            if self.late_failure is not None or self.words & _FAILING
            else Phase.SUCCEEDED
        )

    def is_final(self, now: float) -> bool:
        """Whether the job has ended."""
        return self.phase(now) in FINAL

    def changed_at(self, now: float) -> float:
        """When the phase of that time began."""
        if self.cancelled_at is not None:
            return self.cancelled_at
        if now >= self.ends_at:
            return self.ends_at
        return self.started_at if now >= self.started_at else self.created_at

    def as_record(self, now: float) -> dict[str, Any]:
        """The job as the control surface shows it."""
        return {
            "provider": self.provider,
            "id": self.job_id,
            "correlation": self.correlation,
            "account": self.account,
            "endpoint": self.endpoint,
            "model": self.model,
            "created_at": self.created_at,
            "ends_at": self.ends_at if math.isfinite(self.ends_at) else None,
            "state": self.phase(now).value,
            "paid": True,
            "charge": self.charge,
            "body": self.body,
        }


class Slots:
    """The jobs that one pool can work on at a time, and who waits for it.

    A job's end is known when it starts, so a freed slot goes to the next in line at the very moment
    it became free, whenever somebody looks.
    """

    def __init__(self) -> None:
        self._busy: list[tuple[float, int, Job]] = []
        self._waiting: deque[Job] = deque()
        self._serial = 0

    def settle(self, now: float, limit: int) -> None:
        """Free the slots of ended jobs and hand them on."""
        while self._busy and self._busy[0][0] <= now:
            ended_at, _, _ = heapq.heappop(self._busy)
            self._hand_on(ended_at, limit)

    def busy(self) -> int:
        """How many slots are taken."""
        return len(self._busy)

    def waiting(self) -> int:
        """How many jobs wait for one."""
        return len(self._waiting)

    def take(self, job: Job, now: float) -> None:
        """Give the job a slot."""
        job.admitted_at = now
        self._serial += 1
        heapq.heappush(self._busy, (job.ends_at, self._serial, job))

    def wait(self, job: Job) -> None:
        """Put the job in line."""
        self._waiting.append(job)

    def release(self, job: Job, now: float, limit: int) -> None:
        """Take a cancelled job out."""
        if job.admitted_at is None:
            self._waiting.remove(job)
            return
        self._busy = [entry for entry in self._busy if entry[2] is not job]
        heapq.heapify(self._busy)
        self._hand_on(now, limit)

    def _hand_on(self, now: float, limit: int) -> None:
        while self._waiting and len(self._busy) < limit:
            self.take(self._waiting.popleft(), now)


class Ledger:
    """Every job that was created, found by id, by correlation, or in order of creation."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], Job] = {}
        self._by_correlation: dict[tuple[str, str, str], Job] = {}
        self._by_account: dict[tuple[str, str], list[Job]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._by_id.values())

    def add(self, job: Job) -> None:
        """Book a job."""
        self._by_id[job.provider, job.job_id] = job
        self._by_account.setdefault((job.provider, job.account), []).append(job)
        if job.correlation:
            self._by_correlation[job.provider, job.account, job.correlation] = job

    def get(self, provider: str, job_id: str) -> Job | None:
        """The job with that id, whosever it is."""
        return self._by_id.get((provider, job_id))

    def owned(self, provider: str, account: str, job_id: str) -> Job | None:
        """The job with that id, if it is the account's own."""
        job = self.get(provider, job_id)
        return job if job is not None and job.account == account else None

    def correlated(self, provider: str, account: str, correlation: str) -> Job | None:
        """The account's latest job with that correlation."""
        return self._by_correlation.get((provider, account, correlation))

    def newest_first(self, provider: str, account: str) -> Iterator[Job]:
        """The account's jobs, latest first."""
        return reversed(self._by_account.get((provider, account), []))

    def clear(self) -> None:
        """Forget every job."""
        self._by_id.clear()
        self._by_correlation.clear()
        self._by_account.clear()


def shortened(value: Any) -> Any:
    """The value with every long string in it cut."""
    if isinstance(value, str):
        if len(value) <= _LONG_TEXT:
            return value
        return f"{value[:_LONG_TEXT]}... ({len(value)} characters)"
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    return value
