"""What is being asked, how often, and how much of it at once."""

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from vidgate.sandbox.wire import Operation

__all__ = ["Stats"]

_KEPT_POLLS = 1000
"""Times kept of one job's polls; the count goes on."""


@dataclass(slots=True)
class _JobStats:
    provider: str
    polls: int = 0
    running: int = 0
    most_at_once: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT_POLLS))


class Stats:
    """Counts calls from their arrival until their answer was sent."""

    def __init__(self) -> None:
        self._in_flight = 0
        self._most_in_flight = 0
        self._requests: Counter[tuple[str, str]] = Counter()
        self._jobs: dict[tuple[str, str], _JobStats] = {}

    @contextmanager
    def following(self, provider: str, operation: Operation, now: float) -> Iterator[None]:
        """Count one call for as long as the block runs."""
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        self._requests[provider, operation.kind] += 1
        polled = []
        if operation.kind == "poll":
            for job_id in operation.job_ids:
                job = self._jobs.get((provider, job_id))
                if job is None:
                    job = self._jobs[provider, job_id] = _JobStats(provider)
                job.polls += 1
                job.running += 1
                job.most_at_once = max(job.most_at_once, job.running)
                job.times.append(now)
                polled.append(job)
        try:
            yield
        finally:
            self._in_flight -= 1
            for job in polled:
                job.running -= 1

    def as_record(self, *, job_id: str | None, with_jobs: bool) -> dict[str, Any]:
        """The numbers as the control surface shows them.

        Args:
            job_id: The one job to show; `None` means all.
            with_jobs: Whether single jobs are shown at all.
        """
        requests: dict[str, dict[str, int]] = {}
        for (provider, kind), count in sorted(self._requests.items()):
            requests.setdefault(provider, {})[kind] = count
        shown = {
            f"{provider}/{name}": {
                "provider": provider,
                "id": name,
                "polls": job.polls,
                "polled_at": list(job.times),
                "max_concurrent_polls": job.most_at_once,
            }
            for (provider, name), job in (self._jobs.items() if with_jobs else ())
            if job_id is None or name == job_id
        }
        return {
            "in_flight": self._in_flight,
            "max_in_flight": self._most_in_flight,
            "requests": requests,
            "max_concurrent_polls": max(
                (job.most_at_once for job in self._jobs.values()), default=0
            ),
            "jobs": shown,
        }

    def clear(self) -> None:
        """Start counting anew; calls under way are still counted out."""
        self._most_in_flight = self._in_flight
        self._requests.clear()
        self._jobs.clear()
