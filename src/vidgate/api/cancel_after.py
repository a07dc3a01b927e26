"""`Cancel-After` on a creating POST: when the client's patience with its task ends."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request

from vidgate.exceptions import InvalidParameterError

__all__ = ["CANCEL_AFTER", "read_cancel_after"]

_HEADER: Final = "Cancel-After"
_SPAN: Final = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", re.ASCII)
_MOST: Final = timedelta(days=7)

CANCEL_AFTER: Mapping[str, Any] = {
    "name": _HEADER,
    "in": "header",
    "description": (
        "Such as `30s`, `10m` or `1h30m`, up to `168h`: the task is cancelled then, unless it is "
        "finished. One that cannot be cancelled goes on, and `metadata.cancel_after` says "
        "`not_possible`."
    ),
    "schema": {"type": "string"},
}


def read_cancel_after(request: Request) -> timedelta | None:
    """Read the header; `None` without one.

    Raises:
        InvalidParameterError: It is no span of time.
    """
    text = request.headers.get(_HEADER)
    if text is None:
        return None
    found = _SPAN.fullmatch(text.strip())
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    span = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta() < span <= _MOST:
        raise InvalidParameterError(
            f"{_HEADER} must be a span of time such as 30s, 10m or 1h30m, of at most 168h.",
            param=_HEADER,
        )
    return span
