"""Laying a client's vendor fields over a translated request."""

from collections.abc import Mapping
from typing import Any

__all__ = ["merge"]


def merge(body: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `over` on `body`: objects key by key, arrays and scalars replace, `None` removes."""
    merged = dict(body)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged
