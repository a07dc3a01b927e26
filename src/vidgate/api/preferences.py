"""What a client wants done about fields of no use, and what it is told of them."""

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from vidgate.api.idempotency import REPLAYED, REPLAYED_DOCUMENTED
from vidgate.services.tasks.creating import Created

__all__ = ["NOTES_DOCUMENTED", "PREFER", "is_strict", "tell_notes"]

PREFER: Mapping[str, Any] = {
    "name": "Prefer",
    "in": "header",
    "description": "`handling=strict` makes errors of what would be ignored or adjusted.",
    "schema": {"type": "string"},
}
NOTES_DOCUMENTED: dict[str, Any] = {
    "X-Vidgate-Ignored": {
        "description": "Fields the model has no use for, such as `fps, seed`.",
        "schema": {"type": "string"},
    },
    "X-Vidgate-Adjusted": {
        "description": "What was taken to the nearest value, such as `size=1:1@720p`.",
        "schema": {"type": "string"},
    },
    **REPLAYED_DOCUMENTED,
}

_STRICT = re.compile(r"(?:^|[,;])\s*handling\s*=\s*\"?strict\"?\s*(?:[,;]|$)", re.IGNORECASE)


def is_strict(request: Request) -> bool:
    """Whether what would be ignored or adjusted is to be an error: `Prefer: handling=strict`."""
    return any(_STRICT.search(value) for value in request.headers.getlist("prefer"))


def tell_notes(created: Created, ignored: tuple[str, ...] = ()) -> dict[str, str]:
    """The headers that name what was ignored and adjusted, and that of a repetition.

    Args:
        created: What came of a request.
        ignored: What its dialect had no use for already.
    """
    notes = {
        name: ", ".join(values)
        for name, values in (
            ("X-Vidgate-Ignored", (*created.ignored, *ignored)),
            ("X-Vidgate-Adjusted", created.adjusted),
        )
        if values
    }
    return notes | REPLAYED if created.replayed else notes
