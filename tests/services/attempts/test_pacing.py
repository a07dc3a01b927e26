"""How long a doubtful failure is doubted, from what the row of the attempt says."""

import random
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vidgate.constants import DOUBT_DELAY, MAX_BACKOFF
from vidgate.models.attempts import Attempt, JobPace
from vidgate.services.attempts.pacing import backoff, doubt_backoff, doubt_ends_at, next_interval

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


USUAL = JobPace(usual=timedelta(seconds=60))


def attempt(**members: Any) -> Attempt:
    given = {field.name: None for field in fields(Attempt)}
    needed = {"deadline_at": NOON + timedelta(hours=1), "pace": JobPace()}
    return Attempt(**{**given, **needed, **members})


PACE = JobPace(
    submit=timedelta(seconds=90),
    first_ask=timedelta(seconds=20),
    interval=timedelta(seconds=4),
    growth=1.2,
    max_interval=timedelta(seconds=15.5),
    deadline=timedelta(minutes=30),
)
DOCUMENT = {
    "submit": 90.0,
    "first": 20.0,
    "interval": 4.0,
    "growth": 1.2,
    "max": 15.5,
    "deadline": 1800.0,
}


@pytest.mark.parametrize(
    ("pace", "document"),
    [
        (PACE, DOCUMENT),
        (replace(PACE, usual=timedelta(minutes=5)), {**DOCUMENT, "usual": 300.0}),
    ],
    ids=["nobody knows what is usual", "it is known"],
)
def test_a_pace_is_kept_as_it_always_was(pace: JobPace, document: dict[str, float]) -> None:
    assert pace.to_document() == document
    assert JobPace.from_document(document) == pace


def test_a_pace_of_an_earlier_or_later_version_can_be_read() -> None:
    assert JobPace.from_document({}) == JobPace()
    assert JobPace.from_document({"interval": 4, "floor": 1}) == JobPace(
        interval=timedelta(seconds=4)
    )


@pytest.mark.parametrize(
    ("polls", "seconds"), [(0, 4), (1, 4.8), (2, 5.76), (50, 15.5), (10**6, 15.5)]
)
def test_intervals_grow_to_the_longest(polls: int, seconds: float) -> None:
    randomness = random.Random(7)  # noqa: S311 - jitter

    wait = next_interval(PACE, polls, factor=0.5, randomness=randomness)

    assert 0.9 <= wait.total_seconds() / (seconds * 0.5) <= 1.1


@pytest.mark.parametrize(("misses", "seconds"), [(0, 4), (1, 8), (3, 32), (50, None)])
def test_waits_after_nothing_double(misses: int, seconds: float | None) -> None:
    randomness = random.Random(7)  # noqa: S311 - jitter
    longest = MAX_BACKOFF.total_seconds()

    wait = backoff(PACE, misses, factor=0.5, randomness=randomness)

    assert 0.8 <= wait.total_seconds() / ((seconds or longest) * 0.5) <= 1.2


@pytest.mark.parametrize(
    ("members", "minutes"),
    [
        ({}, 5),
        ({"accepted_at": NOON}, 5),  # of a version that did not keep what is usual
        ({"accepted_at": NOON, "pace": USUAL}, 15),
        ({"accepted_at": NOON - timedelta(seconds=59), "pace": USUAL}, 15),
        ({"accepted_at": NOON - timedelta(seconds=60), "pace": USUAL}, 5),
        ({"pace": USUAL}, 5),
        ({"seen_running_at": NOON - timedelta(hours=1)}, 15),
        ({"deadline_at": NOON + timedelta(minutes=3)}, 3),
        ({"seen_running_at": NOON, "deadline_at": NOON + timedelta(minutes=6)}, 6),
    ],
)
def test_a_doubt_has_an_end(members: dict[str, Any], minutes: float) -> None:
    assert doubt_ends_at(attempt(**members), NOON) == NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize("factor", [1.0, 0.05])
def test_a_doubt_is_asked_about_less_and_less_often(factor: float) -> None:
    randomness = random.Random(7)  # noqa: S311 - jitter
    doubted, waits = timedelta(), []
    while doubted < timedelta(minutes=5) * factor:
        waits.append(doubt_backoff(doubted, factor=factor, randomness=randomness))
        doubted += waits[-1]

    assert 0.8 <= waits[0] / (DOUBT_DELAY * factor) <= 1.2
    assert all(wait <= MAX_BACKOFF * factor * 1.2 for wait in waits)
    assert waits[-1] >= MAX_BACKOFF * factor * 0.8
    assert 6 <= len(waits) <= 12
