"""What a client wants done about fields of no use, and what it is told of them."""

import re

from starlette.requests import Request

from vidgate.api.idempotency import REPLAYED
from vidgate.api.video_requests import Asked
from vidgate.services.creating import Created

__all__ = ["is_strict", "tell_notes"]

_STRICT = re.compile(r"(?:^|[,;])\s*handling\s*=\s*\"?strict\"?\s*(?:[,;]|$)", re.IGNORECASE)


def is_strict(request: Request) -> bool:
    """Whether what would be ignored or adjusted is to be an error: `Prefer: handling=strict`."""
    return any(_STRICT.search(value) for value in request.headers.getlist("prefer"))


def tell_notes(created: Created, asked: Asked) -> dict[str, str]:
    """The headers that name what was ignored and adjusted, and that of a repetition."""
    notes = {
        name: ", ".join(values)
        for name, values in (
            ("X-Vidgate-Ignored", (*created.ignored, *asked.ignored)),
            ("X-Vidgate-Adjusted", created.adjusted),
        )
        if values
    }
    return notes | REPLAYED if created.replayed else notes
