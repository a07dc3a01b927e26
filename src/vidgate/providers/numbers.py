"""Numbers as vendors' servers may read them."""

import math
from typing import Any

__all__ = ["to_number"]


def to_number(value: Any) -> float | None:
    """Read a finite number, also one written as text; `None` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
