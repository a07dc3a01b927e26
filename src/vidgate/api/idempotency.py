"""A creating POST that comes again, by its `Idempotency-Key` or as SDKs repeat it by themselves."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

from starlette.requests import Request

from vidgate.api.dependencies import caller_of
from vidgate.api.forms import Form
from vidgate.exceptions import InvalidParameterError
from vidgate.models.requests import IdempotencyClaim, Recognition
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
        "again; the same key with another body is a 422. Without a key, what OpenAI's SDKs repeat "
        "by themselves gets the answer that was lost, within 15 minutes."
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

_RETRY_COUNT = "X-Stainless-Retry-Count"
"""How often a request was repeated before, as OpenAI's SDKs tell with each one: `0` at first. They
repeat it by themselves, without a key, where no answer came in time, the connection broke, or the
answer was a 408, a 409, a 429 or of 500 and above.

Source: `_base_client.py` of openai 3.54.0, `client.js` of openai 6.49.0 for node, read 2026-11-28
"""

_COUNT = re.compile(r"0*(?P<digits>[0-9]{1,9})")
_RETRY_PREFIX = "retry:"
_RETRY_LIFETIME = timedelta(minutes=15)
"""OpenAI's SDKs wait ten minutes for an answer, if they are told nothing else, and then repeat."""


def read_once(request: Request, form: Form) -> IdempotencyClaim | None:
    """Read by what a repetition is recognised, and sum up the request; `None` if it cannot be.

    Of a form the parsed fields count, not its bytes: SDKs change the boundary at every retry.

    Raises:
        InvalidParameterError: The key is none.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return _read_retry(request, form)
    if not _KEY.fullmatch(key):
        raise InvalidParameterError(
            f"{HEADER} must be 1 to 255 printable ASCII characters.", param=HEADER
        )
    return IdempotencyClaim(
        key=_PREFIX + key, fingerprint=_sum_up(request, form), lifetime=_LIFETIME
    )


def _read_retry(request: Request, form: Form) -> IdempotencyClaim | None:
    """By what an SDK's own repetition is recognised; `None` where none is told of."""
    count = _COUNT.fullmatch(request.headers.get(_RETRY_COUNT, ""))
    if count is None:
        return None
    token = str(caller_of(request.scope).token.id)
    return IdempotencyClaim(
        key=_RETRY_PREFIX + uuid4().hex,
        fingerprint=_sum_up(request, form, token),
        lifetime=_RETRY_LIFETIME,
        frees_refused=True,
        recognition=Recognition.RETRY if int(count["digits"]) else Recognition.FIRST,
    )


def _sum_up(request: Request, form: Form, *more: str) -> bytes:
    content = [request.method, request.url.path, request.url.query, form.is_text, form.fields]
    fingerprint = hashlib.sha256()
    for piece in json_pieces([*content, *more], sort_keys=True, default=_digest):
        fingerprint.update(piece.encode())
    return fingerprint.digest()


def with_once(
    request: Request, read: Callable[[Form], T]
) -> Callable[[Form], tuple[T, IdempotencyClaim | None]]:
    """Read a body, and by what its repetition is recognised."""
    return lambda form: (read(form), read_once(request, form))


def _digest(value: bytes) -> str:
    """What stands for a file."""
    return hashlib.sha256(value).hexdigest()
