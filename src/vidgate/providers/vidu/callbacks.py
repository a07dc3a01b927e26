"""The signature of Vidu's callbacks.

It covers the method, the address, the date and a nonce, and not the body: whoever can repeat the
headers can write any body, so it is never believed.

Source: https://platform.vidu.com/docs/callback-signature, read 2026-11-20. The query is said to be
"the query part from a standard URL parser"; others who sign in this way sort it. Both are taken.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

from vidgate.exceptions import CallbackRefusedError
from vidgate.providers.answers import to_date
from vidgate.providers.base import Callback

__all__ = ["check_signature"]

_DATE = "date"
_NONCE = "x-request-nonce"
_SIGNED = "x-hmac-signed-headers"
_SIGNATURE = "x-hmac-signature"
_ALGORITHM = "x-hmac-algorithm"
_ACCESS_KEY = "x-hmac-access-key"
_REQUIRED = (_DATE, _NONCE, _SIGNED, _SIGNATURE, _ALGORITHM, _ACCESS_KEY)

_VENDOR = "vidu"

_WINDOW = timedelta(minutes=5)
"""How old or how far ahead a date may be; ours to choose."""

_MOST_SIGNED = 20
"""Names in the list of what is signed; the vendor sends two."""


def check_signature(callback: Callback, key: str) -> None:
    """Check that Vidu signed a callback, with the key that made the job, not long ago.

    Raises:
        CallbackRefusedError: It did not, or not certainly.
    """
    headers = callback.headers
    missing = [name for name in _REQUIRED if not headers.get(name)]
    if missing:
        raise CallbackRefusedError(f"The callback lacks the header {missing[0]}.")
    if (headers[_ALGORITHM], headers[_ACCESS_KEY]) != ("hmac-sha256", _VENDOR):
        raise CallbackRefusedError("The callback is signed in a way that is not Vidu's.")
    date = to_date(headers[_DATE])
    if date is None:
        raise CallbackRefusedError("The callback's date is not one.")
    if abs(callback.received_at - date) > _WINDOW:
        raise CallbackRefusedError("The callback is too old, or its date lies ahead.")
    try:
        told = base64.b64decode(headers[_SIGNATURE], validate=True)
    except ValueError:
        raise CallbackRefusedError("The callback's signature is not base64.") from None
    lines = _signed_lines(headers)
    parts = urlsplit(callback.url)
    is_right = False
    for query in _queries(parts.query):
        head = (callback.method.upper(), parts.path or "/", query, _VENDOR, headers[_DATE])
        text = "".join(f"{line}\n" for line in (*head, *lines))
        made = hmac.new(key.encode(), text.encode("utf-8", "replace"), hashlib.sha256).digest()
        is_right |= hmac.compare_digest(made, told)
    if not is_right:
        raise CallbackRefusedError("The callback's signature is wrong.")


def _signed_lines(headers: Mapping[str, str]) -> list[str]:
    """What is signed beside the head, spelled and ordered as the list has it."""
    names = headers[_SIGNED].split(";")
    folded = [name.lower() for name in names]
    if not {_DATE, _NONCE} <= set(folded) or len(names) > _MOST_SIGNED:
        raise CallbackRefusedError("The callback does not sign its date and its nonce.")
    if any(name not in headers for name in folded):
        raise CallbackRefusedError("The callback signs a header that it does not have.")
    return [f"{name}:{headers[name.lower()]}" for name in names]


def _queries(query: str) -> list[str]:
    """The query as it was given, its pairs sorted, and sorted and encoded anew."""
    pairs = sorted(query.split("&"), key=lambda pair: pair.partition("=")[0])
    encoded = urlencode(sorted(parse_qsl(query, keep_blank_values=True)))
    return list(dict.fromkeys((query, "&".join(pairs), encoded)))
