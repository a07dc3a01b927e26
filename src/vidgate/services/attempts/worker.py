"""The worker: claims what is due and gives it to those who know what to do."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from vidgate.constants import (
    CLAIM_BATCH,
    DATABASE_RETRY,
    LEASE_MARGIN,
    POLL_LEASE,
    POLLS_PER_CHANNEL,
    SUBMITS_PER_CHANNEL,
)
from vidgate.db.attempts import AttemptStore
from vidgate.db.clock import Clock
from vidgate.exceptions import DatabaseUnavailableError
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.channels import Channel
from vidgate.models.ids import new_id
from vidgate.models.tasks import AttemptStatus
from vidgate.providers.base import Provider
from vidgate.services.attempts.failover import Move
from vidgate.services.attempts.moving import Mover
from vidgate.services.attempts.polling import Poller
from vidgate.services.attempts.recovering import Recoverer
from vidgate.services.attempts.rooms import Place, Rooms
from vidgate.services.attempts.submit_results import Held, Stays, Waits
from vidgate.services.attempts.submitting import Submitter
from vidgate.services.channels.breaker import Breaker
from vidgate.services.channels.directory import Directory

__all__ = ["Worker"]

_log = structlog.get_logger(__name__)


class Worker:
    """Does the background work of one process. Several may run on one database.

    Work is claimed in batches and done concurrently; what a channel has under way here is limited,
    so that one that hangs never keeps the others waiting.

    Attributes:
        wanted: Set when there is room again at a channel where work waits for it.
    """

    def __init__(
        self,
        *,
        attempts: AttemptStore,
        directory: Directory,
        providers: Mapping[str, Provider],
        submitter: Submitter,
        poller: Poller,
        recoverer: Recoverer,
        mover: Mover,
        breaker: Breaker,
        clock: Clock,
    ) -> None:
        self._attempts = attempts
        self._directory = directory
        self._providers = providers
        self._submitter = submitter
        self._poller = poller
        self._recoverer = recoverer
        self._mover = mover
        self._breaker = breaker
        self._clock = clock
        self.wanted = asyncio.Event()
        self._rooms = Rooms(clock, self.wanted.set)
        self._submitting: Counter[UUID] = Counter()
        self._questions: dict[asyncio.Task[None], tuple[list[Attempt], Lease]] = {}
        self._submits: set[asyncio.Task[None]] = set()
        self._moving: set[UUID] = set()
        self._is_stopping = False

    async def round(self) -> bool:
        """Claim whatever is due and start on it. For tests and one-off runs.

        Returns:
            Whether there may be more.
        """
        more = await self.ask()
        return await self.submit() or more

    async def ask(self) -> bool:
        """Claim what is due to be asked about, as far as there is room, and start on it.

        Returns:
            Whether there may be more that has room, so that the next round should follow at once.
        """
        now = self._clock.now()
        lease = Lease(new_id(), now + POLL_LEASE)
        places = self._rooms.places()
        rooms = {one: count * self._rooms.width(one) for one, count in places.items()}
        claimed = await self._attempts.claim(
            lease=lease, now=now, rooms=rooms, limit=POLLS_PER_CHANNEL
        )
        by_channel: defaultdict[UUID, list[Attempt]] = defaultdict(list)
        for attempt in claimed:
            by_channel[attempt.channel_id].append(attempt)
        share = max(1, CLAIM_BATCH // max(1, len(by_channel)))
        more = False
        surplus: list[Attempt] = []
        for channel_id in {*rooms, *by_channel}:
            attempts = by_channel[channel_id]
            room = rooms.get(channel_id, POLLS_PER_CHANNEL)
            self._rooms.claimed(channel_id, self._width(attempts), is_wanted=len(attempts) >= room)
            before = self._rooms.free(channel_id)
            surplus += self._start_questions(channel_id, attempts, lease)
            started = before - self._rooms.free(channel_id)
            # Places that became free meanwhile are for the next round, which they have asked for.
            if len(attempts) >= min(room, share):
                more = more or started < places.get(channel_id, POLLS_PER_CHANNEL)
        if surplus:
            await self._attempts.return_leases({one.id: lease for one in surplus}, now)
        return more

    async def submit(self) -> bool:
        """Start on submits that waited, and end what has waited for too long.

        Returns:
            Whether there may be more, so that the next round should follow at once.
        """
        more = await self._end_overdue()
        return await self._start_submits() or more

    async def idle(self) -> None:
        """Wait until all that was started is done. For tests and one-off runs."""
        while self._questions or self._submits:
            await asyncio.wait([*self._questions, *self._submits])

    async def stop(self, grace: timedelta) -> None:
        """Drop the questions under way for others to ask, and let submits end in time."""
        self._is_stopping = True
        for question in self._questions:
            question.cancel()
        held = {
            attempt.id: lease
            for attempts, lease in self._questions.values()
            for attempt in attempts
        }
        await asyncio.gather(*self._questions, return_exceptions=True)
        try:
            await self._attempts.return_leases(held, self._clock.now())
        except DatabaseUnavailableError:
            _log.warning("Leases could not be returned; they end by themselves")
        ends = asyncio.get_running_loop().time() + grace.total_seconds()
        while self._submits and (left := ends - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._submits, timeout=left)  # what moves brings another
        for submit in self._submits:
            submit.cancel()

    # Polls and recoveries

    def _width(self, attempts: Sequence[Attempt]) -> int | None:
        """How many attempts like these each question asks about; `None` if that is not known."""
        if any(attempt.status is AttemptStatus.SUBMITTING for attempt in attempts):
            return 1
        known = [attempt for attempt in attempts if attempt.provider in self._providers]
        return min(map(self._poller.width, known), default=None)

    def _start_questions(
        self, channel_id: UUID, attempts: Sequence[Attempt], lease: Lease
    ) -> list[Attempt]:
        """Start on claimed attempts of one channel; those without room are given back."""
        polls: list[Attempt] = []
        surplus: list[Attempt] = []
        for attempt in attempts:
            if attempt.provider not in self._providers:
                # Made by a newer version: its lease keeps it away from here for a while.
                _log.error("There is no such provider", provider=attempt.provider)
            elif attempt.status is not AttemptStatus.SUBMITTING:
                polls.append(attempt)
            elif place := self._rooms.take(channel_id):
                self._recover(attempt, lease, place)
            else:
                surplus.append(attempt)
        for batch in self._poller.batches(polls):
            if place := self._rooms.take(channel_id):
                self._hold(batch, lease, self._poller.poll(batch, lease, place), place)
            else:
                surplus += batch
        return surplus

    async def _end_overdue(self) -> bool:
        now = self._clock.now()
        lease = Lease(new_id(), now + POLL_LEASE)
        overdue = await self._attempts.claim_overdue(lease=lease, now=now, limit=CLAIM_BATCH)
        for attempt in overdue:
            self._hold([attempt], lease, self._recoverer.expire(attempt, lease))
        return len(overdue) == CLAIM_BATCH

    def _recover(self, attempt: Attempt, lease: Lease, place: Place) -> None:
        # It may end in a submit.
        work = self._start(self._recoverer.recover(attempt, lease))
        work.add_done_callback(lambda _: place.leave())

    def _hold(
        self,
        attempts: Sequence[Attempt],
        lease: Lease,
        work: Coroutine[Any, Any, None],
        place: Place | None = None,
    ) -> None:
        question = asyncio.create_task(_logged(self._ask_or_give_back(attempts, lease, work)))
        self._questions[question] = (list(attempts), lease)

        def done(question: asyncio.Task[None]) -> None:
            del self._questions[question]
            if place is not None:
                place.leave()

        question.add_done_callback(done)

    async def _ask_or_give_back(
        self, attempts: Sequence[Attempt], lease: Lease, work: Coroutine[Any, Any, None]
    ) -> None:
        try:
            await work
        except DatabaseUnavailableError:
            # Most often it was only slow: nobody has to wait for the end of the lease.
            held = {attempt.id: lease for attempt in attempts}
            await self._attempts.return_leases(held, self._clock.now() + DATABASE_RETRY)
            raise

    # Submits of what waited

    async def _start_submits(self) -> bool:
        more = False
        waited_for = await self._attempts.waiting_channels(self._clock.now())
        if waited_for:
            await self._mover.begin()
        for channel_id in waited_for:
            room = SUBMITS_PER_CHANNEL - self._submitting[channel_id]
            if room > 0:
                more = await self._start_at(channel_id, room) or more
        return more

    async def _start_at(self, channel_id: UUID, room: int) -> bool:
        channel = await self._directory.channel(channel_id)
        if channel.is_open:
            await self._probe(channel)
        if channel.is_open or not channel.is_usable or channel.provider not in self._providers:
            return await self._move_waiting(channel, room)
        started = await self._start_waiting(channel, channel.cap, room)
        if started == room:
            return True
        await self._breaker.grow(channel)
        return await self._move_waiting(channel, room - started)

    async def _move_waiting(self, channel: Channel, room: int) -> bool:
        if channel.id in self._moving:
            return False
        found, move = await self._mover.find(channel, limit=room)
        if found:
            self._moving.add(channel.id)
            work = self._start(self._move(channel, found, move))
            work.add_done_callback(lambda _: self._moving.discard(channel.id))
        return False

    async def _move(self, channel: Channel, waiting: Sequence[Attempt], move: Move) -> None:
        """Move attempts to other channels, in their turn."""
        for attempt in waiting:
            if self._is_stopping:
                return
            match await self._submitter.move(attempt, move):
                case Held(attempt=new, lease=lease):
                    await self._attempts.note_turn(channel.id, attempt.task_id)
                    self._submit(new, self._submitter.run(new, lease))
                case Stays(for_now=True):
                    return  # there are no places any more
                case Stays():
                    self._mover.stays(attempt)
                case Waits():
                    pass

    async def _probe(self, channel: Channel) -> None:
        """See by one submit how an open channel does, if it is time to."""
        if not await self._breaker.take_probe(channel):
            return
        for attempt, lease in await self._first_waiting(channel, channel.max_concurrency, 1):
            self._submit(attempt, self._run_probe(channel, attempt, lease))
            return
        await self._breaker.give_probe_back(channel)

    async def _run_probe(self, channel: Channel, attempt: Attempt, lease: Lease) -> None:
        try:
            await self._submitter.run(attempt, lease)
        finally:
            await self._breaker.give_probe_back(channel)

    async def _start_waiting(self, channel: Channel, cap: int | None, room: int) -> int:
        started = await self._first_waiting(channel, cap, room)
        for attempt, lease in started:
            self._submit(attempt, self._submitter.run(attempt, lease))
        return len(started)

    async def _first_waiting(
        self, channel: Channel, cap: int | None, room: int
    ) -> list[tuple[Attempt, Lease]]:
        return await self._attempts.start_waiting(
            channel.id,
            credential_id=channel.credential_id,
            max_concurrency=cap,
            lease_id=new_id(),
            margin=LEASE_MARGIN,
            now=self._clock.now(),
            limit=room,
        )

    def _submit(self, attempt: Attempt, work: Coroutine[Any, Any, object]) -> None:
        channel_id = attempt.channel_id
        self._submitting[channel_id] += 1
        submit = self._start(work)
        submit.add_done_callback(lambda _: self._submitting.subtract((channel_id,)))

    def _start(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[None]:
        """Start on work that is not to be cut off when the worker stops."""
        started = asyncio.create_task(_logged(work))
        self._submits.add(started)
        started.add_done_callback(self._submits.discard)
        return started


async def _logged(work: Coroutine[Any, Any, object]) -> None:
    """Outlive whatever one piece of work raises: its lease ends, and it is tried again."""
    try:
        await work
    except DatabaseUnavailableError as error:
        _log.warning("The database was away during work on an attempt", reason=str(error))
    except Exception:  # noqa: BLE001 - one attempt's trouble must not end the others' work
        _log.exception("Work on an attempt failed")
