"""What is really run, read out of the body that is sent, and how it is followed."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from vidgate.providers.base import Pace, RunFacts
from vidgate.providers.fields import to_number
from vidgate.providers.vidu.endpoints import LIP_SYNC, MULTIFRAME, UPSCALE, Endpoint
from vidgate.providers.vidu.models import (
    LABELS,
    UPSCALE_TIER,
    automatic_duration,
    default_duration_seconds,
    default_sound,
    default_tier,
)

__all__ = ["to_facts", "to_pace"]

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

_LONG_PACE = Pace(
    first_ask=timedelta(seconds=30),
    interval=timedelta(seconds=5),
    max_interval=timedelta(seconds=15),
    deadline=timedelta(hours=3),
)
"""For what may be minutes of video; no time is documented."""

_OFF_PEAK_PACE = Pace(
    first_ask=timedelta(seconds=60),
    interval=timedelta(seconds=60),
    max_interval=timedelta(seconds=300),
    deadline=timedelta(hours=49),
)
"""The vendor gives up, and refunds, after 48 h; one more to see that."""

_LARGE_TIERS = frozenset({"2K", "4K", "8K"})
_LONG = frozenset({MULTIFRAME.name, UPSCALE.name, LIP_SYNC.name})

_LABEL_BY_FOLDED = {label.casefold(): label for label in LABELS.values()}


def to_facts(model: str, endpoint: Endpoint, body: Mapping[str, Any]) -> RunFacts:
    """Read what will be run out of the body that is sent, `metadata` included."""
    duration = _duration(model, endpoint, body)
    resolution = default_tier(model, duration)
    if endpoint is UPSCALE:
        resolution = UPSCALE_TIER
    asked = body.get(endpoint.tier_field or "resolution")
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


def _duration(model: str, endpoint: Endpoint, body: Mapping[str, Any]) -> int | float | None:
    if endpoint is MULTIFRAME:
        return _frame_seconds(model, body.get("image_settings"))
    asked = body.get("duration")
    number = to_number(asked)
    if number == 0 and automatic_duration(model, endpoint.action):
        return None
    if asked in (None, "") or number == 0:
        return default_duration_seconds(model)
    return _whole(number)


def _frame_seconds(model: str, settings: Any) -> int | float | None:
    """How long the ways between the frames of a multiframe video are together."""
    default = default_duration_seconds(model)
    if not isinstance(settings, list) or not settings:
        return None
    total: float = 0
    for setting in settings:
        asked = setting.get("duration") if isinstance(setting, Mapping) else None
        number = to_number(asked)
        if asked in (None, "") or number == 0:
            number = default
        if number is None:
            return None
        total += number
    return _whole(total)


def _whole(number: float | None) -> int | float | None:
    if number is None or not math.isfinite(number):
        return None
    return int(number) if number == int(number) else number


def to_pace(endpoint: Endpoint, facts: RunFacts) -> Pace:
    """Choose how a job is followed."""
    if facts.off_peak:
        return _OFF_PEAK_PACE
    if endpoint.name in _LONG:
        return _LONG_PACE
    return _LARGE_PACE if facts.resolution in _LARGE_TIERS else _PACE
