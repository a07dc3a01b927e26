"""What the stand-ins share: clock, ledger, slots, videos, and the faults asked for."""

import math
import re
from collections.abc import Mapping
from typing import Any

from vidgate.sandbox.callbacks import Callbacks
from vidgate.sandbox.faults import Faults
from vidgate.sandbox.jobs import Job, Ledger, Phase, Slots, shortened
from vidgate.sandbox.links import Links
from vidgate.sandbox.settings import SandboxSettings
from vidgate.sandbox.stats import Stats
from vidgate.sandbox.video import Clip, VideoStore
from vidgate.sandbox.words import NEVER, SLOW

__all__ = ["World"]

_QUEUE_SHARE = 0.1
"""Part of a job's time that it spends accepted but not begun."""

_SLOW_FACTOR = 5.0

_OWN_FILE = re.compile(r"https?://[^/?#]+(?:/[^?#]*)?/files/(\w+)/(\d+)/[^/?#]+")

_GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, taken modulo one, are spread evenly: jitter that is the same in every run."""


class World:
    """The one state of a sandbox, touched by its one event loop only."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.ledger = Ledger()
        self.stats = Stats()
        self.faults = Faults()
        self.videos = VideoStore()
        self.links = Links()
        self.callbacks = Callbacks(lambda: self.settings, self.faults, self.settle)
        self.shelves: dict[str, dict[str, Any]] = {}
        """What stand-ins keep besides jobs, such as sessions, by name."""
        self._slots: dict[tuple[str, str], Slots] = {}
        self._serial = 0
        self._epoch_ms = int(settings.clock() * 1000)

    def now(self) -> float:
        """Unix seconds."""
        return self.settings.clock()

    def next_number(self) -> int:
        """An 18-digit number, larger than every one before, also before a restart."""
        self._serial += 1
        return self._epoch_ms * 100_000 + self._serial

    def slots(self, provider: str, pool: str) -> Slots:
        """The slots of one pool, with those freed up to now handed on."""
        slots = self._slots.get((provider, pool))
        if slots is None:
            slots = self._slots[provider, pool] = Slots()
        slots.settle(self.now(), self.settings.concurrency[provider])
        return slots

    def settle(self, job: Job) -> None:
        """Give the job the slot that it may have got meanwhile."""
        self.slots(job.provider, job.details.get("pool", job.account))

    def shelf(self, name: str) -> dict[str, Any]:
        """What is kept under that name until the next reset."""
        return self.shelves.setdefault(name, {})

    def clip_at(self, url: str) -> Clip | None:
        """The video behind a link of the sandbox's own; `None` for every other URL."""
        found = _OWN_FILE.match(url)
        job = self.ledger.get(found[1], found[2]) if found else None
        is_done = job is not None and job.phase(self.now()) is Phase.SUCCEEDED
        return job.clip if job is not None and is_done else None

    def is_full(self, provider: str, pool: str) -> bool:
        """Whether the pool has no slot left."""
        return self.slots(provider, pool).busy() >= self.settings.concurrency[provider]

    def open_job(
        self,
        *,
        provider: str,
        job_id: str,
        account: str,
        pool: str,
        endpoint: str,
        model: str,
        correlation: str | None,
        body: Mapping[str, Any],
        clip: Clip,
        words: frozenset[str],
        charge: float,
        late_failure: str | None = None,
        details: dict[str, Any] | None = None,
        stretch: float = 1.0,
    ) -> Job:
        """Create a paid job; it gets a slot at once, or waits for one if its pool is full.

        What is not said at `Job`: `pool` is whose slots it needs, `stretch` a factor on its time.
        """
        now = self.now()
        span = self.settings.job_seconds[provider] * stretch / self.settings.speed
        span *= 1 + self.settings.jitter * (2 * math.modf(self._serial * _GOLDEN)[0] - 1)
        if SLOW in words:
            span *= _SLOW_FACTOR
        job = Job(
            provider=provider,
            job_id=job_id,
            account=account,
            endpoint=endpoint,
            model=model,
            correlation=correlation,
            body=shortened(dict(body)),
            created_at=now,
            queue_seconds=span * _QUEUE_SHARE,
            run_seconds=math.inf if NEVER in words else span * (1 - _QUEUE_SHARE),
            clip=clip,
            words=words,
            charge=charge,
            late_failure=late_failure,
            details=details or {},
        )
        slots = self.slots(provider, pool)
        if slots.busy() < self.settings.concurrency[provider]:
            slots.take(job, now)
        else:
            slots.wait(job)
        self.ledger.add(job)
        if self.settings.encode_ahead:
            self.videos.prepare(clip)
        return job

    def cancel(self, job: Job, pool: str) -> None:
        """End a job that has not ended."""
        now = self.now()
        self.slots(job.provider, pool).release(job, now, self.settings.concurrency[job.provider])
        job.cancelled_at = now
        self.callbacks.touch(job)

    def result_url(
        self, job: Job, name: str, lifetime: float, base_url: str, changed_at: float
    ) -> str:
        """The link to a file of an ended job; `lifetime` is the provider's own, in seconds."""
        chosen = self.settings.link_lifetime
        expires_at = changed_at + (lifetime if chosen is None else chosen)
        base = self.settings.public_base_url or base_url
        return base.rstrip("/") + self.links.path(job.provider, job.job_id, name, expires_at)

    def clear(self) -> None:
        """Forget jobs, faults and counts; ids go on from where they were."""
        self.ledger.clear()
        self.stats.clear()
        self.faults.clear()
        self.callbacks.clear()
        self.shelves.clear()
        self._slots.clear()
