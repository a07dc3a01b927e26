"""How long a doubtful failure is doubted, from what the row of the attempt says."""

import random
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vidgate.constants import DOUBT_DELAY, MAX_BACKOFF
from vidgate.models.attempts import Attempt
from vidgate.services.attempts.pacing import doubt_backoff, doubt_ends_at

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def attempt(**members: Any) -> Attempt:
    given = {field.name: None for field in fields(Attempt)}
    return Attempt(**{**given, "deadline_at": NOON + timedelta(hours=1), "pace": {}, **members})


@pytest.mark.parametrize(
    ("members", "minutes"),
    [
        ({}, 5),
        ({"accepted_at": NOON}, 5),  # of a version that did not keep what is usual
        ({"accepted_at": NOON, "pace": {"usual": 60}}, 15),
        ({"accepted_at": NOON - timedelta(seconds=59), "pace": {"usual": 60}}, 15),
        ({"accepted_at": NOON - timedelta(seconds=60), "pace": {"usual": 60}}, 5),
        ({"pace": {"usual": 60}}, 5),
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
