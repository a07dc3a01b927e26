"""`Idempotency-Key`: a creating POST that comes again is answered as the first time."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from starlette.requests import Request

from vidgate.api.forms import Form
from vidgate.exceptions import InvalidParameterError
from vidgate.models.requests import IdempotencyClaim
from vidgate.providers.pieces import json_pieces

__all__ = ["HEADER", "PARAMETER", "REPLAYED", "REPLAYED_DOCUMENTED", "read_once", "with_once"]

T = TypeVar("T")

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotent-Replayed": "true"}
"""On the answer to a repetition."""

PARAMETER: Mapping[str, Any] = {
    "name": HEADER,
    "in": "header",
    "description": (
        "1 to 255 printable characters. The same key and body within 24 hours get the first answer "
        "again; the same key with another body is a 422."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

REPLAYED_DOCUMENTED: dict[str, Any] = {
    "Idempotent-Replayed": {
        "description": "`true` where this is the answer to a repetition.",
        "schema": {"type": "string"},
    }
}

_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
_LIFETIME = timedelta(hours=24)
_PREFIX = "client:"
"""Keeps clients' keys apart from those that other ways to recognise a request make."""


def read_once(request: Request, form: Form) -> IdempotencyClaim | None:
    """Read the header, and sum up what it stands for; `None` without one.

    Of a form the parsed fields count, not its bytes: SDKs change the boundary at every retry.

    Raises:
        InvalidParameterError: It is no key.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidParameterError(
            f"{HEADER} must be 1 to 255 printable ASCII characters.", param=HEADER
        )
    content = [request.method, request.url.path, request.url.query, form.is_text, form.fields]
    fingerprint = hashlib.sha256()
    for piece in json_pieces(content, sort_keys=True, default=_digest):
        fingerprint.update(piece.encode())
    digest = fingerprint.digest()
    return IdempotencyClaim(key=_PREFIX + key, fingerprint=digest, lifetime=_LIFETIME)


def with_once(
    request: Request, read: Callable[[Form], T]
) -> Callable[[Form], tuple[T, IdempotencyClaim | None]]:
    """Read a body, and by what its repetition is recognised."""
    return lambda form: (read(form), read_once(request, form))


def _digest(value: bytes) -> str:
    """What stands for a file."""
    return hashlib.sha256(value).hexdigest()
