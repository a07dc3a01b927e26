"""Callbacks: a POST to the address that a create call gave, whenever its job's state changes.

Only this machine is called: addresses in 127.0.0.0/8, `::1`, and `localhost`, which is taken for
127.0.0.1. Every other address is recorded as refused and never contacted; redirects are not
followed, and a proxy of the environment is not used.

A delivery, all its tries included, ends within five seconds. The callbacks of one job are sent one
after another. What went out is shown at `/_sandbox/callbacks`.
"""

import asyncio
import heapq
import math
from collections import Counter, deque
from collections.abc import Callable, Collection, Coroutine, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import httpx
import orjson

from vidgate.sandbox.faults import CALLBACK_KINDS, Faults
from vidgate.sandbox.jobs import FINAL, Job, Phase
from vidgate.sandbox.settings import SandboxSettings

__all__ = ["Callbacks", "Subscription", "loopback_target"]

DEADLINE_SECONDS = 5.0
"""Wall seconds for one delivery with all its tries."""

_MOST_AT_ONCE = 16
_KEPT_RECORDS = 5000
_LONGEST_WAIT = 0.25
"""Wall seconds between two looks at the clock, which may be one that is moved by hand."""

_SHORTEST_WAIT = 0.01
_PATIENCE = 1.0
"""Seconds of the clock after which a job that waits for a slot is looked at again."""

_WORD = "callback-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a create call asked to be told.

    Attributes:
        url: The address as it was given.
        phases: The phases that are told.
        body: The body as of a moment.
        headers: The headers for a body, the time and the flaws asked for.
        tries: How often the news of the end is tried; everything else is tried once.
    """

    url: str
    phases: frozenset[Phase]
    body: Callable[[float], dict[str, Any]]
    headers: Callable[[bytes, float, Collection[str]], dict[str, str]]
    tries: int = 1


@dataclass(slots=True, eq=False)
class _Message:
    phase: Phase
    body: bytes
    flaws: frozenset[str]


@dataclass(slots=True, eq=False)
class _Followed:
    job: Job
    subscription: Subscription
    told: set[Phase] = field(default_factory=set)
    outbox: deque[_Message] = field(default_factory=deque)
    held: list[_Message] = field(default_factory=list)
    worker: asyncio.Task[None] | None = None


class Callbacks:
    """Watches the jobs that want callbacks, and sends them.

    Attributes:
        transport: Set by tests that want to receive without sockets.
    """

    def __init__(
        self,
        settings: Callable[[], SandboxSettings],
        faults: Faults,
        settle: Callable[[Job], object],
    ) -> None:
        self.transport: httpx.AsyncBaseTransport | None = None
        self._settings = settings
        self._faults = faults
        self._settle = settle
        self._followed: dict[tuple[str, str], _Followed] = {}
        self._looks: list[tuple[float, int, _Followed]] = []
        self._serial = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None
        self._gate = asyncio.Semaphore(_MOST_AT_ONCE)
        self._records: deque[dict[str, Any]] = deque(maxlen=_KEPT_RECORDS)
        self._counts: Counter[tuple[str, str]] = Counter()

    def follow(self, job: Job, subscription: Subscription) -> None:
        """Tell the subscriber of the job's states from now on."""
        if loopback_target(subscription.url) is None:
            self._record(job, subscription, job.phase(self._now()), "refused", tries=0)
            return
        followed = _Followed(job, subscription)
        self._followed[job.provider, job.job_id] = followed
        self._look_at(followed, self._now())
        self.check()
        if self._followed and (self._ticker is None or self._ticker.done()):
            self._ticker = self._spawn(self._tick)

    def touch(self, job: Job) -> None:
        """Look at a job whose time line has changed."""
        followed = self._followed.get((job.provider, job.job_id))
        if followed is not None:
            self._look_at(followed, self._now())

    def check(self) -> float | None:
        """Hand what is due to the senders.

        Returns:
            Seconds of the clock until something may be due again; `None` if nothing is followed.
        """
        now = self._now()
        while self._looks and self._looks[0][0] <= now:
            followed = heapq.heappop(self._looks)[2]
            if self._followed.get((followed.job.provider, followed.job.job_id)) is followed:
                self._look(followed, now)
        return self._looks[0][0] - now if self._followed and self._looks else None

    async def deliver_due(self) -> None:
        """Send what is due and wait until it is sent."""
        self.check()
        while workers := [task for task in self._tasks if task is not self._ticker]:
            await asyncio.gather(*workers)

    async def close(self) -> None:
        """Stop sending."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._forget()
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def clear(self) -> None:
        """Follow nothing any more and forget what was sent."""
        self._forget()
        self._records.clear()
        self._counts.clear()

    def as_record(self, job_id: str | None) -> dict[str, Any]:
        """What was sent, latest first; of one job, or of all."""
        sent = [
            record for record in reversed(self._records) if job_id is None or record["id"] == job_id
        ]
        counts: dict[str, dict[str, int]] = {}
        for (provider, outcome), count in sorted(self._counts.items()):
            counts.setdefault(provider, {})[outcome] = count
        return {"followed": len(self._followed), "counts": counts, "sent": sent}

    def _now(self) -> float:
        return self._settings().clock()

    def _forget(self) -> None:
        self._followed.clear()
        self._looks.clear()

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None] | None:
        """Start work in the background; `None` where no loop runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        task = loop.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _tick(self) -> None:
        while True:
            wait = self.check()
            if wait is None:
                return
            await asyncio.sleep(min(max(wait, _SHORTEST_WAIT), _LONGEST_WAIT))

    def _look_at(self, followed: _Followed, at: float) -> None:
        self._serial += 1
        heapq.heappush(self._looks, (at, self._serial, followed))

    def _look(self, followed: _Followed, now: float) -> None:
        job = followed.job
        self._settle(job)
        for phase, at in _time_line(job):
            if at > now:
                self._look_at(followed, min(at, now + _PATIENCE))
                return
            if phase not in followed.told:
                followed.told.add(phase)
                if phase in followed.subscription.phases and job.phase(at) is phase:
                    self._enqueue(followed, phase, at)
            if phase in FINAL:
                del self._followed[job.provider, job.job_id]
                return
        self._look_at(followed, now + _PATIENCE)

    def _enqueue(self, followed: _Followed, phase: Phase, at: float) -> None:
        job, subscription = followed.job, followed.subscription
        body = orjson.dumps(subscription.body(at))
        flaws = {
            word.removeprefix(_WORD).replace("-", "_")
            for word in job.words
            if word.startswith(_WORD)
        } & CALLBACK_KINDS
        while fault := self._faults.take_for_callback(job.provider, subscription.url, body, flaws):
            flaws.add(fault.kind)
        message = _Message(phase, body, frozenset(flaws))
        if "lost" in flaws:
            self._record(job, subscription, phase, "lost", tries=0, flaws=flaws)
        elif "reorder" in flaws and phase not in FINAL:
            followed.held.append(message)
            return
        else:
            followed.outbox.append(message)
        followed.outbox.extend(followed.held)
        followed.held.clear()
        if followed.worker is None or followed.worker.done():
            followed.worker = self._spawn(lambda: self._work(followed))

    async def _work(self, followed: _Followed) -> None:
        while followed.outbox:
            message = followed.outbox.popleft()
            async with self._gate:
                await self._deliver(followed.job, followed.subscription, message)

    async def _deliver(self, job: Job, subscription: Subscription, message: _Message) -> None:
        status: int | None = None
        tries = 0
        outcome = "failed"
        most = subscription.tries if message.phase in FINAL else 1
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while tries < most and outcome != "delivered":
                    if tries:
                        await asyncio.sleep(self._settings().callback_retry_seconds)
                    tries += 1
                    status = await self._post(subscription, message)
                    outcome = "delivered" if status is not None and status // 100 == 2 else "failed"  # noqa: PLR2004 - HTTP's
        except TimeoutError:
            outcome = "timeout"
        self._record(
            job,
            subscription,
            message.phase,
            outcome,
            tries=tries,
            status=status,
            flaws=message.flaws,
        )

    async def _post(self, subscription: Subscription, message: _Message) -> int | None:
        """Send once, or twice the same; the last answer's status, `None` if there was none."""
        target = loopback_target(subscription.url)
        if target is None:
            return None
        if self._client is None:
            self._client = httpx.AsyncClient(
                transport=self.transport,
                trust_env=False,
                timeout=DEADLINE_SECONDS,
                limits=httpx.Limits(max_keepalive_connections=0),
            )
        url, host = target
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Host": host,
            **subscription.headers(message.body, self._now(), message.flaws),
        }
        status: int | None = None
        for _ in range(2 if "duplicate" in message.flaws else 1):
            try:
                answer = await self._client.post(url, content=message.body, headers=headers)
            except httpx.HTTPError:
                status = None
            else:
                status = answer.status_code
        return status

    def _record(
        self,
        job: Job,
        subscription: Subscription,
        phase: Phase,
        outcome: str,
        *,
        tries: int,
        status: int | None = None,
        flaws: Collection[str] = (),
    ) -> None:
        self._counts[job.provider, outcome] += 1
        self._records.append(
            {
                "provider": job.provider,
                "id": job.job_id,
                "url": subscription.url,
                "state": phase.value,
                "at": self._now(),
                "outcome": outcome,
                "tries": tries,
                "status": status,
                "flaws": sorted(flaws),
            }
        )


def loopback_target(url: str) -> tuple[httpx.URL, str] | None:
    """Where to send a callback, and its `Host`; `None` if that is not on this machine."""
    try:
        target = httpx.URL(url)
        address = ip_address("127.0.0.1" if target.host == "localhost" else target.host)
    except (httpx.InvalidURL, ValueError):
        return None
    if target.scheme not in {"http", "https"} or target.userinfo or not address.is_loopback:
        return None
    return target.copy_with(host=str(address)), target.netloc.decode("ascii")


def _time_line(job: Job) -> Iterator[tuple[Phase, float]]:
    """The phases of a job with the moments they begin, as far as they are known."""
    yield Phase.QUEUED, job.created_at
    cancelled_at = math.inf if job.cancelled_at is None else job.cancelled_at
    if job.started_at < cancelled_at:
        yield Phase.RUNNING, job.started_at
    end = min(job.ends_at, cancelled_at)
    if math.isfinite(end):
        yield job.phase(end), end
