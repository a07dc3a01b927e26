"""Single values out of answers that nobody promised a shape of."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["job_id", "layers", "to_measure", "to_progress", "to_seed", "to_size", "to_time"]

_JOB_ID = re.compile(r"(?!\.+$)[!-~]{1,512}")
"""LiteLLM's are long, with base64 in them; they are escaped in a path, which dots are not."""

_MAX_SEED = 2**63
_MAX_MEASURE = 1_000_000
"""Above these a number is nonsense, and would not fit where it is kept."""

_SIZE = re.compile(r"([1-9][0-9]{0,4})[xX*]([1-9][0-9]{0,4})")
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()


def layers(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The body, and what is in its envelope if it has one: an object, or a list of one.

    What lies deeper is the answer of somebody behind the server.
    """
    inner = body.get("data")
    if isinstance(inner, list) and len(inner) == 1:
        inner = inner[0]
    return [body, inner] if isinstance(inner, Mapping) else [body]


def job_id(value: Any) -> str | None:
    """Read a job's id; nothing that could change a path is one."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_SEED * 2:
        value = str(value)
    return value if isinstance(value, str) and _JOB_ID.fullmatch(value) else None


def to_progress(body: Mapping[str, Any]) -> int | None:
    """Read a progress in percent, from 30, 30.0, 0.3, "30" or "30%"; `None` for anything else."""
    for layer in reversed(layers(body)):
        value = layer.get("progress")
        if isinstance(value, str):
            value = _to_number(value.strip().removesuffix("%"))
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if isinstance(value, float) and 0 < value < 1:
            value *= 100
        if 0 <= value <= 100:  # noqa: PLR2004 - percent
            return int(value)
    return None


def to_measure(value: Any) -> float | None:
    """Read a positive number, also one in text."""
    if isinstance(value, str):
        value = _to_number(value.strip().removesuffix("s"))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 < value < _MAX_MEASURE else None


def to_seed(value: Any) -> int | None:
    """Read a seed."""
    is_seed = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MAX_SEED
    return value if is_seed else None


def to_size(value: Any) -> tuple[int, int] | None:
    """Read `1280x720`."""
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    return (int(found[1]), int(found[2])) if found else None


def to_time(value: Any) -> datetime | None:
    """Read a time: Unix seconds or milliseconds, or ISO 8601."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
            value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            value = _to_number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value > _LATEST:
        value = value / 1000 if value < _LATEST * 1000 else 0
    return datetime.fromtimestamp(value, tz=UTC) if _EARLIEST < value < _LATEST else None


def _to_number(text: str) -> int | float | None:
    if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", text.strip()) is None:
        return None
    number = float(text)
    return int(number) if math.isfinite(number) and number == int(number) else number
