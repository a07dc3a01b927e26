"""Kling's own dialect: its errors."""

from collections.abc import Mapping
from typing import Any

from vidgate.exceptions import RequestError

__all__ = ["write_error"]


def write_error(error: RequestError) -> tuple[int, Mapping[str, Any]]:
    """Write the status and the body that a client gets."""
    return error.status, {"error": {"message": error.message}}
