"""Whether channels take work: what their providers' answers to submits say of it."""

from collections import defaultdict, deque
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, assert_never
from uuid import UUID

import structlog

from vidgate.constants import (
    BREAKER_FAULTS,
    BREAKER_PROBE,
    BREAKER_RATE,
    BREAKER_WINDOW,
    LEARNED_QUIET,
)
from vidgate.db.channel_states import ChannelStateStore
from vidgate.db.clock import Clock
from vidgate.exceptions import DatabaseUnavailableError, UpstreamError
from vidgate.logs import mask
from vidgate.models.attempts import Attempt
from vidgate.models.channels import Channel, ChannelHealth, ChannelState
from vidgate.models.outcomes import Fault, FaultKind, Rejected
from vidgate.services.channels.directory import Directory

__all__ = ["Breaker"]

_log = structlog.get_logger(__name__)


class _Says(Enum):
    """What an answer to a submit says of the channel."""

    WORKS = auto()
    """The provider judged the request: it closes a breaker, whatever the verdict was."""
    IS_FULL = auto()
    """Likewise, and it takes no more at once than it has."""
    FAILS = auto()
    IS_OUT = auto()
    """Nothing but the operator makes it work."""


_REFUSALS: Final = {
    FaultKind.BAD_PARAMETER: _Says.WORKS,
    FaultKind.CONTENT_POLICY: _Says.WORKS,
    FaultKind.MODEL_UNAVAILABLE: _Says.WORKS,
    FaultKind.RATE: _Says.WORKS,
    FaultKind.NOT_FOUND: _Says.WORKS,
    FaultKind.EXPIRED: _Says.WORKS,
    FaultKind.CANCELLED: _Says.WORKS,
    FaultKind.CONCURRENCY: _Says.IS_FULL,
    FaultKind.FAULT: _Says.FAILS,
    FaultKind.CREDENTIAL: _Says.IS_OUT,
    FaultKind.BALANCE: _Says.IS_OUT,
}
"""What a refusal says, by its kind.

Everything else is an acceptance, which says that it works, or no answer that can be read as one: a
time-out, a connection that was not made or broke, a 5xx, a page of HTML. Those say that it fails.
"""

_OUT: Final = {
    FaultKind.CREDENTIAL: ChannelState.CREDENTIAL,
    FaultKind.BALANCE: ChannelState.BALANCE,
}
_UNUSED: Final = timedelta(seconds=1)
"""Until a probe may be taken again that found nothing to send."""


class Breaker:
    """Learns from each answer to a submit, and tells all processes by the database.

    Each process judges by what it sees itself; what follows holds for all of them. That something
    could not be noted is never an error: the submit was answered all the same.
    """

    def __init__(self, *, states: ChannelStateStore, directory: Directory, clock: Clock) -> None:
        self._states = states
        self._directory = directory
        self._clock = clock
        self._seen: defaultdict[UUID, deque[tuple[datetime, bool]]] = defaultdict(deque)
        self._probes: dict[UUID, datetime] = {}  # until when those of this process are

    async def note(self, attempt: Attempt, answer: object) -> None:
        """Learn from how a submit was answered.

        Args:
            attempt: What was submitted.
            answer: What the provider said; the error where it said nothing certain.
        """
        try:
            await self._note(attempt, answer)
        except DatabaseUnavailableError:
            _log.warning("How a channel does could not be noted")
        except Exception:  # noqa: BLE001 - the answer may say that a job exists, and is not to be lost
            _log.exception("How a channel does could not be noted")

    async def _note(self, attempt: Attempt, answer: object) -> None:
        channel = await self._directory.channel(attempt.channel_id)
        fault = answer.fault if isinstance(answer, Rejected) else None
        match _says(answer):
            case _Says.IS_OUT:
                assert fault is not None  # noqa: S101 - only a refusal says so
                await self._take_out(attempt, channel, fault)
            case _Says.IS_FULL:
                await self._lower(attempt, channel)
                await self._answered(attempt, channel)
            case _Says.FAILS:
                reason = str(answer) if fault is None else _in_words(fault)
                await self._faulted(attempt, channel, mask(reason))
            case _Says.WORKS:
                await self._answered(attempt, channel)
            case never:
                assert_never(never)

    async def _take_out(self, attempt: Attempt, channel: Channel, fault: Fault) -> None:
        now, state = self._clock.now(), _OUT[fault.kind]
        reason = mask(_in_words(fault))
        health = await self._states.take_out(
            channel.id, state, reason, credential_id=attempt.credential_id, now=now
        )
        if health is not None:
            _log.error("A channel is out", channel=channel.name, state=state.value, reason=reason)
            self._directory.note(channel.id, health)

    async def _lower(self, attempt: Attempt, channel: Channel) -> None:
        now = self._clock.now()
        health = await self._states.lower_cap(channel.id, sent_at=attempt.sent_at or now, now=now)
        if health is not None:
            _log.warning(
                "A provider takes no more jobs at once",
                channel=channel.name,
                cap=health.learned_cap,
            )
            self._directory.note(channel.id, health)

    async def _faulted(self, attempt: Attempt, channel: Channel, reason: str) -> None:
        now = self._clock.now()
        health: ChannelHealth | None = None
        if (probe := self._decided(attempt)) is not None:
            health = await self._states.reopen(channel.id, reason, now, probe=probe)
        elif self._is_too_much(channel.id, now):
            health = await self._states.open(channel.id, reason, now)
            self._seen.pop(channel.id, None)
        if health is not None:
            _log.error("A channel gets no work for a while", channel=channel.name, reason=reason)
            self._directory.note(channel.id, health)

    async def _answered(self, attempt: Attempt, channel: Channel) -> None:
        now = self._clock.now()
        self._remember(channel.id, now, is_fault=False)
        if (probe := self._decided(attempt)) is not None:
            health = await self._states.close(channel.id, now, probe=probe)
            if health is not None:
                _log.info("A channel gets work again", channel=channel.name)
                self._directory.note(channel.id, health)

    def _decided(self, attempt: Attempt) -> datetime | None:
        """End the probe that a submit was; `None` if it was none.

        What was sent before the probe decides nothing: it tells how the channel was.
        """
        probe = self._probes.get(attempt.channel_id)
        if probe is None or attempt.sent_at is None or attempt.sent_at < probe - BREAKER_PROBE:
            return None
        return self._probes.pop(attempt.channel_id)

    def _is_too_much(self, channel_id: UUID, now: datetime) -> bool:
        seen = self._remember(channel_id, now, is_fault=True)
        faults = sum(is_fault for _, is_fault in seen)
        return faults >= BREAKER_FAULTS and faults >= BREAKER_RATE * len(seen)

    def _remember(
        self, channel_id: UUID, now: datetime, *, is_fault: bool
    ) -> deque[tuple[datetime, bool]]:
        seen = self._seen[channel_id]
        seen.append((now, is_fault))
        while seen[0][0] <= now - BREAKER_WINDOW or len(seen) > _REMEMBERED:
            seen.popleft()
        return seen

    # For those who send what waits

    async def take_probe(self, channel: Channel) -> bool:
        """Whether one submit may be sent to an open channel now, to see how it does.

        It is given back when that submit is over.
        """
        now = self._clock.now()
        health = channel.health
        if health.probe_at is None or health.probe_at > now:
            return False
        taken = await self._states.probe(channel.id, now, now + BREAKER_PROBE)
        if taken is None:
            return False
        self._directory.note(channel.id, taken)
        self._probes[channel.id] = now + BREAKER_PROBE
        return True

    async def give_probe_back(self, channel: Channel) -> None:
        """Let another probe follow soon, unless an answer has decided: nothing was sent then."""
        probe = self._probes.pop(channel.id, None)
        if probe is None:
            return
        again_at = self._clock.now() + _UNUSED
        health = await self._states.give_probe_back(channel.id, again_at, probe=probe)
        if health is not None:
            self._directory.note(channel.id, health)

    async def grow(self, channel: Channel) -> None:
        """Raise what was learnt of a channel's cap, where work waits for it and it was quiet."""
        now, learned_at = self._clock.now(), channel.health.learned_at
        if channel.health.learned_cap is None or learned_at is None:
            return
        if learned_at <= now - LEARNED_QUIET:
            health = await self._states.raise_cap(channel.id, most=channel.max_concurrency, now=now)
            if health is not None:
                self._directory.note(channel.id, health)


_REMEMBERED: Final = 1000
"""Answers of one channel at the most."""


def _says(answer: object) -> _Says:
    if isinstance(answer, Rejected):
        return _REFUSALS[answer.fault.kind]
    return _Says.FAILS if isinstance(answer, UpstreamError) else _Says.WORKS


def _in_words(fault: Fault) -> str:
    return f"{fault.message or fault.kind.value} ({fault.code})" if fault.code else fault.message
