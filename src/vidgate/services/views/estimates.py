"""Where a task stands in line and when it will be finished, once a second for all who ask."""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from vidgate.constants import ESTIMATE_AGE, ESTIMATE_ASKED, ESTIMATE_KEPT, HISTORY_AGE
from vidgate.db.clock import Clock
from vidgate.db.estimates import EstimateStore, History, LiveAttempt
from vidgate.exceptions import DatabaseUnavailableError
from vidgate.models.channels import Channel
from vidgate.services.channels.directory import Directory

__all__ = ["Estimate", "Estimates"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a client is told of an unfinished task beside its state, which it does not change.

    Attributes:
        position: 0 for who is next at its channel, `None` once it was sent.
        seconds: Until it is final, as half of such jobs are; `None` where nobody knows.
        seconds_p80: Likewise as four fifths of them are.
    """

    position: int | None = None
    seconds: int | None = None
    seconds_p80: int | None = None


_NOTHING = Estimate()
_TOLD_SECONDS = 0.25
"""How long an estimate, which has whole seconds, is told to all who ask."""


@dataclass(slots=True)
class _Known:
    """What is known of one unfinished task.

    Attributes:
        attempts: That are not over.
        read_at: Seconds, when they were read.
        asked_at: When somebody asked for it last.
        told: What was told of it last.
        told_until: When that is to be made anew.
    """

    attempts: tuple[LiveAttempt, ...]
    read_at: float
    asked_at: float
    told: Estimate = _NOTHING
    told_until: float = float("-inf")

    @property
    def waits(self) -> bool:
        """Whether one of them is in line, so that its place is another in a moment."""
        return any(one.position is not None for one in self.attempts)


class Estimates:
    """Remembers what it takes to estimate the tasks that clients ask for.

    Once a second the places of all that wait are read by one query. Of what was sent nothing
    changes but the time: it is read once, and again after a while.

    Args:
        monotonic: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        store: EstimateStore,
        directory: Directory,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._monotonic = monotonic
        self._known: dict[UUID, _Known] = {}
        self._wanted: set[UUID] = set()
        self._busy: Mapping[UUID, int] = {}
        self._channels: Mapping[UUID, Channel] = {}
        self._history: Mapping[tuple[UUID, str], History] = {}
        self._history_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def of(self, task_id: UUID) -> Estimate:
        """The estimate of an unfinished task; an empty one where the database does not answer."""
        for _ in range(2):  # a look that was under way may have begun without this task
            if self._is_fresh(task_id):
                break
            self._wanted.add(task_id)
            if self._looking is None:
                self._looking = asyncio.create_task(self._look())
            try:
                await asyncio.shield(self._looking)
            except DatabaseUnavailableError:
                break
        return self.known(task_id)

    def known(self, task_id: UUID) -> Estimate:
        """Likewise from memory alone; the next look brings what is missing there."""
        known = self._known.get(task_id)
        if known is None:
            self._wanted.add(task_id)
            return _NOTHING
        now = known.asked_at = self._monotonic()
        if now >= known.told_until:
            known.told = self._estimate(known.attempts)
            known.told_until = now + _TOLD_SECONDS
        return known.told

    async def refresh(self) -> None:
        """Read the places of all that wait anew, of those that were asked for lately."""
        if self._looking is None and (self._wanted or self._known):
            self._looking = asyncio.create_task(self._look())
            await asyncio.shield(self._looking)

    async def usual(self, channel_id: UUID, model: str) -> timedelta | None:
        """How long half of the latest jobs of a model took, `None` where there were none."""
        await self._remember(self._monotonic())
        known = self._history.get((channel_id, model))
        return known.p50 if known else None

    async def waiting(self, channel_ids: Sequence[UUID]) -> int:
        """How many wait for the first of these channels; 0 where another one has no line."""
        waiting = await self._store.waiting(channel_ids)
        lines = [waiting.get(one, 0) for one in channel_ids]
        return lines[0] if all(lines) else 0

    async def _remember(self, now: float) -> None:
        if now - self._history_at > HISTORY_AGE.total_seconds():
            self._history = await self._store.history()
            self._history_at = now

    def _is_fresh(self, task_id: UUID) -> bool:
        known = self._known.get(task_id)
        if known is None:
            return False
        age = ESTIMATE_AGE if known.waits else ESTIMATE_KEPT
        return self._monotonic() - known.read_at < age.total_seconds()

    async def _look(self) -> None:
        try:
            started = self._monotonic()
            kept = started - ESTIMATE_KEPT.total_seconds()
            self._known = {one: it for one, it in self._known.items() if it.asked_at > kept}
            asked = started - ESTIMATE_ASKED.total_seconds()
            wanted, self._wanted = self._wanted, set()
            wanted |= {one for one, it in self._known.items() if it.waits and it.asked_at > asked}
            if not wanted:
                return
            await self._remember(started)
            found: dict[UUID, list[LiveAttempt]] = {one: [] for one in wanted}
            for attempt in await self._store.live(list(wanted)):
                found[attempt.task_id].append(attempt)
            if any(one.position is not None for some in found.values() for one in some):
                self._busy = await self._store.busy()
            self._channels = {one.id: one for one in await self._directory.channels()}
            for task_id, attempts in found.items():
                before = self._known.get(task_id)
                asked_at = before.asked_at if before else started
                self._known[task_id] = _Known(tuple(attempts), started, asked_at)
        finally:
            self._looking = None

    def _estimate(self, outputs: Sequence[LiveAttempt]) -> Estimate:
        if not outputs:
            return _NOTHING
        now = self._clock.now()
        ends = [self._ends(one, now) for one in outputs]
        places = [one.position for one in outputs if one.position is not None]
        # Of several videos each has its own job: it was sent when the first of them was.
        is_sent = len(places) < len(outputs)
        return Estimate(
            None if is_sent else min(places),
            _latest(p50 for p50, _ in ends),
            _latest(p80 for _, p80 in ends),
        )

    def _ends(
        self, attempt: LiveAttempt, now: datetime
    ) -> tuple[timedelta | None, timedelta | None]:
        """How long it takes until one attempt is over."""
        known = self._history.get((attempt.channel_id, attempt.model))
        spans = (known.p50, known.p80) if known else (attempt.usual, None)
        if attempt.position is None:
            sent_at = attempt.sent_at or now
            return _less(spans[0], now - sent_at), _less(spans[1], now - sent_at)
        channel = self._channels.get(attempt.channel_id)
        if channel is None or channel.is_open or not channel.is_usable:
            return None, None  # nobody knows when it takes work again
        places = self._busy.get(channel.id, 0) if channel.cap is None else channel.cap
        # So many places are free as often as a job ends at one of them.
        rounds = 1 + (attempt.position + 1) / places if places else 1.0
        return _times(spans[0], rounds), _times(spans[1], rounds)


def _less(span: timedelta | None, passed: timedelta) -> timedelta | None:
    return None if span is None else max(span - passed, timedelta(seconds=1))


def _times(span: timedelta | None, factor: float) -> timedelta | None:
    return None if span is None else span * factor


def _latest(spans: Iterable[timedelta | None]) -> int | None:
    """The longest, in whole seconds; `None` where one is not known."""
    seconds = [None if one is None else math.ceil(one.total_seconds()) for one in spans]
    known = [one for one in seconds if one is not None]
    return max(known) if known and len(known) == len(seconds) else None
