"""When a job is asked about next."""

import random
from datetime import datetime, timedelta

from vidgate.constants import (
    CALLBACK_INTERVAL_FACTOR,
    CALLBACK_MAX_FACTOR,
    DOUBT_DELAY,
    DOUBT_LIMIT,
    DOUBT_LIMIT_ALIVE,
    MAX_BACKOFF,
)
from vidgate.models.attempts import Attempt, JobPace
from vidgate.providers.base import Pace

__all__ = ["backoff", "doubt_backoff", "doubt_ends_at", "next_interval", "to_job_pace"]


def to_job_pace(
    pace: Pace,
    *,
    submit: timedelta,
    calls_back: bool = False,
    usual: timedelta | None = None,
) -> JobPace:
    """A pace as the attempt keeps it.

    Args:
        pace: From the translation.
        submit: The total deadline of its submit.
        calls_back: Whether the provider says by itself when the job's state changes, so that
            asking is only for when that word is lost.
        usual: After which most jobs of the model are finished, `None` where nobody knows.
    """
    return JobPace(
        submit=submit,
        first_ask=pace.first_ask,
        interval=pace.interval * (CALLBACK_INTERVAL_FACTOR if calls_back else 1),
        growth=pace.growth,
        max_interval=pace.max_interval * (CALLBACK_MAX_FACTOR if calls_back else 1),
        deadline=pace.deadline,
        usual=usual,
    )


def next_interval(
    pace: JobPace, polls: int, *, factor: float, randomness: random.Random
) -> timedelta:
    """How long to wait after the given number of answered polls, jittered by a tenth."""
    grown = pace.interval.total_seconds() * pace.growth ** min(polls, 100)
    wait = min(grown, pace.max_interval.total_seconds())
    return timedelta(seconds=wait * factor * randomness.uniform(0.9, 1.1))


def backoff(pace: JobPace, misses: int, *, factor: float, randomness: random.Random) -> timedelta:
    """How long to wait after asks that said nothing: doubled each time, jittered by a fifth."""
    wait = min(pace.interval * (1 << min(misses, 10)), MAX_BACKOFF)
    return wait * (factor * randomness.uniform(0.8, 1.2))


def doubt_ends_at(attempt: Attempt, doubted_at: datetime) -> datetime:
    """When a job's failure is believed that only doubtful answers have told since then."""
    usual = attempt.pace.usual
    is_young = (
        usual is not None
        and attempt.accepted_at is not None
        and doubted_at < attempt.accepted_at + usual
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
