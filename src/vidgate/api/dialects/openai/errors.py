"""The OpenAI dialect: its errors."""

from collections.abc import Mapping
from typing import Any

from vidgate.exceptions import RequestError

__all__ = ["write_error"]

_QUOTA = "insufficient_quota"
_QUOTA_STATUS = 429
"""SDKs raise `RateLimitError` for it and tell it from a rate by its type and code."""


def write_error(error: RequestError) -> tuple[int, Mapping[str, Any]]:
    """Write the status and the body that a client gets."""
    has_no_quota = error.type == _QUOTA
    members = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": _QUOTA if has_no_quota else error.code,
    }
    return _QUOTA_STATUS if has_no_quota else error.status, {"error": members}
