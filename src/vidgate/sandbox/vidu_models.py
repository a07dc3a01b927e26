"""Vidu: which model does what, and what it costs.

Rules enforced here: the matrix of model, endpoint, duration, resolution and ratio; the limits of
2.0 and 1.5 where 8 seconds exist at 720p only; defaults; credits.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["MATRIX", "RATIOS", "SIZES", "Row", "credits_for", "is_generation"]

TEXT, IMAGE, FRAMES, REFERENCE = "text2video", "img2video", "start-end2video", "reference2video"

SIZES: Mapping[str, int] = {
    "360p": 360,
    "540p": 540,
    "720p": 720,
    "1080p": 1080,
    "2K": 1440,
    "4K": 2160,
}
"""Short side in pixels."""

RATIOS: Mapping[str, float] = {
    "16:9": 16 / 9,
    "9:16": 9 / 16,
    "1:1": 1.0,
    "4:3": 4 / 3,
    "3:4": 3 / 4,
}
_BASIC_RATIOS = ("16:9", "9:16", "1:1")

_LOW = ("540p", "720p", "1080p")
_HIGH = ("720p", "1080p")
_Q4 = (*_LOW, "2K", "4K")
_OLD = ("360p", "720p", "1080p")


@dataclass(frozen=True, slots=True)
class Row:
    """What a model takes on one endpoint; the default resolution depends on the duration."""

    durations: range | tuple[int, ...]
    resolutions: tuple[str, ...]
    default_seconds: int = 5
    default_resolution: str = "720p"


_Q3 = Row(range(1, 17), _LOW)
_Q3_REFERENCE = Row(range(3, 17), _LOW)
_Q2 = Row(range(1, 11), _LOW)
_Q2_FRAMES = Row(range(1, 9), _LOW)
_Q1 = Row((5,), ("1080p",), 5, "1080p")
_OLD_ROW = Row((4, 8), _OLD, 4, "360p")

MATRIX: Mapping[str, Mapping[str, Row]] = {
    "viduq4-preview": {IMAGE: Row(range(3, 17), _Q4), REFERENCE: Row(range(3, 17), _Q4)},
    "viduq3-pro": {TEXT: _Q3, IMAGE: _Q3, FRAMES: _Q3},
    "viduq3-turbo": {TEXT: _Q3, IMAGE: _Q3, FRAMES: _Q3, REFERENCE: _Q3_REFERENCE},
    "viduq3-pro-fast": {IMAGE: Row(range(1, 17), _HIGH)},
    "viduq3": {REFERENCE: _Q3_REFERENCE},
    "viduq3-mix": {REFERENCE: Row(range(1, 17), _HIGH)},
    "viduq2": {TEXT: _Q2, REFERENCE: _Q2},
    "viduq2-pro": {IMAGE: _Q2, FRAMES: _Q2_FRAMES, REFERENCE: Row(range(11), _LOW)},
    "viduq2-turbo": {IMAGE: _Q2, FRAMES: _Q2_FRAMES},
    "viduq2-pro-fast": {IMAGE: Row(range(1, 11), _HIGH), FRAMES: Row(range(1, 9), _HIGH)},
    "viduq1": {TEXT: _Q1, IMAGE: _Q1, FRAMES: _Q1, REFERENCE: _Q1},
    "viduq1-classic": {IMAGE: _Q1, FRAMES: _Q1},
    "vidu2.0": {
        IMAGE: _OLD_ROW,
        FRAMES: _OLD_ROW,
        REFERENCE: Row((4,), ("360p", "720p"), 4, "360p"),
    },
    "vidu1.5": {TEXT: _OLD_ROW, IMAGE: _OLD_ROW, FRAMES: _OLD_ROW, REFERENCE: _OLD_ROW},
}
"""The row of each model on each endpoint that has it."""

_EIGHT_SECONDS = 8

_PER_SECOND: Mapping[str, Mapping[str, int]] = {
    "viduq4-preview": {"540p": 9, "720p": 19, "1080p": 24, "2K": 38, "4K": 78},
    "viduq3-pro": {"540p": 9, "720p": 20, "1080p": 24},
    "viduq3-turbo": {"540p": 7, "720p": 11, "1080p": 13},
    "viduq3-pro-fast": {"720p": 20, "1080p": 25},
    "viduq3": {"540p": 7, "720p": 12, "1080p": 15},
    "viduq3-mix": {"720p": 24, "1080p": 29},
}
_TURBO_REFERENCE: Mapping[str, int] = {"540p": 4, "720p": 10, "1080p": 13}

_Q2_CURVE: Mapping[str, tuple[int, int]] = {"540p": (10, 2), "720p": (15, 5), "1080p": (40, 10)}
"""First second and each further one; read off one route of the Q2 family, used for all."""

_PER_CLIP: Mapping[str, Mapping[str, int]] = {
    "vidu2.0": {"360p": 20, "720p": 40, "1080p": 100},
    "vidu1.5": {"360p": 40, "720p": 100, "1080p": 200},
}
_EIGHT_SECOND_CLIP: Mapping[str, int] = {"vidu2.0": 100, "vidu1.5": 200}
_Q1_CLIP = 80


def is_generation(model: str, *names: str) -> bool:
    """Whether the model is of one of the families, such as `q2`."""
    return any(model.startswith(f"vidu{name}") for name in names)


def row_for(model: str, endpoint: str) -> Row | None:
    """What the model takes there; `None` if the endpoint does not have it."""
    return MATRIX[model].get(endpoint)


def resolutions_for(model: str, row: Row, seconds: int) -> tuple[tuple[str, ...], str]:
    """The resolutions at a duration, and the default."""
    if is_generation(model, "2.0", "1.5") and seconds == _EIGHT_SECONDS:
        return ("720p",), "720p"
    return row.resolutions, row.default_resolution


def ratios_for(model: str) -> tuple[str, ...]:
    """The aspect ratios a model takes where it takes any."""
    if not is_generation(model, "q2", "q3", "q4"):
        return _BASIC_RATIOS
    return (*RATIOS, "auto") if model == "viduq3" else tuple(RATIOS)


def credits_for(
    model: str, endpoint: str, seconds: int, resolution: str, *, off_peak: bool, extras: int
) -> int:
    """What a clip costs; `extras` are credits for more, such as a recommended prompt."""
    if is_generation(model, "q1"):
        cost = _Q1_CLIP
    elif model in _PER_CLIP:
        long = seconds == _EIGHT_SECONDS
        cost = _EIGHT_SECOND_CLIP[model] if long else _PER_CLIP[model][resolution]
    elif is_generation(model, "q2"):
        first, further = _Q2_CURVE[resolution]
        cost = first + further * (max(seconds, 1) - 1)
    elif model == "viduq3-turbo" and endpoint == REFERENCE:
        cost = _TURBO_REFERENCE[resolution] * seconds
    else:
        cost = _PER_SECOND[model][resolution] * seconds
    return (cost + 1) // 2 + extras if off_peak else cost + extras
