"""When a job is asked about next."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from vidgate.constants import (
    CALLBACK_INTERVAL_FACTOR,
    CALLBACK_MAX_FACTOR,
    DOUBT_DELAY,
    DOUBT_LIMIT,
    DOUBT_LIMIT_ALIVE,
    MAX_BACKOFF,
)
from vidgate.models.attempts import Attempt
from vidgate.providers.base import Pace

__all__ = ["backoff", "doubt_backoff", "doubt_ends_at", "next_interval", "pace_document"]


def pace_document(
    pace: Pace,
    *,
    submit: timedelta,
    calls_back: bool = False,
    usual: timedelta | None = None,
) -> dict[str, float]:
    """A pace as the attempt keeps it: later versions may have other tables, a job keeps its own.

    Args:
        pace: From the translation.
        submit: The total deadline of its submit.
        calls_back: Whether the provider says by itself when the job's state changes, so that
            asking is only for when that word is lost.
        usual: After which most jobs of the model are finished, `None` where nobody knows.
    """
    interval_factor = CALLBACK_INTERVAL_FACTOR if calls_back else 1
    max_factor = CALLBACK_MAX_FACTOR if calls_back else 1
    return {
        "submit": submit.total_seconds(),
        "first": pace.first_ask.total_seconds(),
        "interval": pace.interval.total_seconds() * interval_factor,
        "growth": pace.growth,
        "max": pace.max_interval.total_seconds() * max_factor,
        "deadline": pace.deadline.total_seconds(),
        **({} if usual is None else {"usual": usual.total_seconds()}),
    }


def next_interval(
    pace: Mapping[str, Any], polls: int, *, factor: float, randomness: random.Random
) -> timedelta:
    """How long to wait after the given number of answered polls, jittered by a tenth."""
    seconds = min(pace["interval"] * pace["growth"] ** min(polls, 100), pace["max"])
    return timedelta(seconds=seconds * factor * randomness.uniform(0.9, 1.1))


def backoff(
    pace: Mapping[str, Any], misses: int, *, factor: float, randomness: random.Random
) -> timedelta:
    """How long to wait after asks that said nothing: doubled each time, jittered by a fifth."""
    seconds = min(pace["interval"] * 2 ** min(misses, 10), MAX_BACKOFF.total_seconds())
    return timedelta(seconds=seconds * factor * randomness.uniform(0.8, 1.2))


def doubt_ends_at(attempt: Attempt, doubted_at: datetime) -> datetime:
    """When a job's failure is believed that only doubtful answers have told since then."""
    usual = attempt.pace.get("usual")  # attempts of earlier versions do not have it
    is_young = (
        usual is not None
        and attempt.accepted_at is not None
        and doubted_at < attempt.accepted_at + timedelta(seconds=usual)
    )
    is_alive = is_young or attempt.seen_running_at is not None
    ends_at = doubted_at + (DOUBT_LIMIT_ALIVE if is_alive else DOUBT_LIMIT)
    return min(ends_at, attempt.deadline_at)


def doubt_backoff(doubted: timedelta, *, factor: float, randomness: random.Random) -> timedelta:
    """How long to wait after a doubtful failure that was told for this long, jittered by a fifth.

    As long again, so that the waits double as after asks that said nothing.
    """
    wait = min(max(doubted, DOUBT_DELAY * factor), MAX_BACKOFF * factor)
    return wait * randomness.uniform(0.8, 1.2)
