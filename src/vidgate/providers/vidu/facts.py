"""What is really run, read out of the body that is sent, and how it is followed."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from vidgate.providers.base import Action, Pace, RunFacts
from vidgate.providers.vidu.models import (
    LABELS,
    automatic_duration,
    default_duration_seconds,
    default_sound,
    default_tier,
)

__all__ = ["to_facts", "to_number", "to_pace"]

_PACE = Pace(
    first_ask=timedelta(seconds=20),
    interval=timedelta(seconds=5),
    max_interval=timedelta(seconds=15),
    deadline=timedelta(minutes=30),
)
"""Clips take from 30 s to several minutes; 5 s growing to 15 s is what integrators ask with."""

_LARGE_PACE = Pace(
    first_ask=timedelta(seconds=30),
    interval=timedelta(seconds=5),
    max_interval=timedelta(seconds=15),
    deadline=timedelta(minutes=60),
)
"""For 2K and more."""

_OFF_PEAK_PACE = Pace(
    first_ask=timedelta(seconds=60),
    interval=timedelta(seconds=60),
    max_interval=timedelta(seconds=300),
    deadline=timedelta(hours=49),
)
"""The vendor gives up, and refunds, after 48 h; one more to see that."""

_LARGE_TIERS = frozenset({"2K", "4K", "8K"})

_LABEL_BY_FOLDED = {label.casefold(): label for label in LABELS.values()}


def to_facts(model: str, action: Action, body: Mapping[str, Any]) -> RunFacts:
    """Read what will be run out of the body that is sent, `metadata` included."""
    duration: float | None = default_duration_seconds(model)
    asked = body.get("duration")
    if asked not in (None, ""):
        number = to_number(asked)
        if number != 0:
            duration = int(number) if number is not None and number.is_integer() else number
        elif automatic_duration(model, action):
            duration = None
    resolution = default_tier(model, duration)
    asked = body.get("resolution")
    if isinstance(asked, str) and asked.strip():
        resolution = _LABEL_BY_FOLDED.get(asked.strip().casefold(), asked.strip())
    elif asked not in (None, ""):
        resolution = None
    sound = body.get("audio", default_sound(model))
    return RunFacts(
        model=model,
        duration_seconds=duration,
        resolution=resolution,
        sound=sound if isinstance(sound, bool) else None,
        off_peak=body.get("off_peak") is True,
    )


def to_number(value: Any) -> float | None:
    """Read a number the way the vendor's server may: also out of text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def to_pace(facts: RunFacts) -> Pace:
    """Choose how a job is followed."""
    if facts.off_peak:
        return _OFF_PEAK_PACE
    return _LARGE_PACE if facts.resolution in _LARGE_TIERS else _PACE
