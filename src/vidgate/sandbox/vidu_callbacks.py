"""Vidu: the signature under callbacks.

HMAC over method, path, query, `vidu`, `Date` and the signed headers, with the API key of the call
that created the task; the body is not covered.
"""

from collections.abc import Collection
from email.utils import formatdate
from urllib.parse import urlsplit

from vidgate.sandbox.callback_signing import (
    BAD_SIGNATURE,
    STALE_DATE,
    STALE_SECONDS,
    UNSIGNED,
    WRONG_KEY,
    digest,
)

__all__ = ["signed_headers"]


def signed_headers(
    key: str, url: str, nonce: str, now: float, flaws: Collection[str]
) -> dict[str, str]:
    """The headers of one delivery to `url`, signed with an API key."""
    if UNSIGNED in flaws:
        return {}
    date = formatdate(now - STALE_SECONDS if STALE_DATE in flaws else now, usegmt=True)
    signed = (("Date", date), ("x-request-nonce", nonce))
    parts = urlsplit(url)
    lines = ["POST", parts.path or "/", parts.query, "vidu", date]
    lines += [f"{name}:{value}" for name, value in signed]
    text = "".join(f"{line}\n" for line in lines)
    secret = WRONG_KEY if BAD_SIGNATURE in flaws else key.encode()
    return {
        **dict(signed),
        "X-HMAC-SIGNED-HEADERS": ";".join(name for name, _ in signed),
        "X-HMAC-SIGNATURE": digest(secret, text.encode()),
        "X-HMAC-ALGORITHM": "hmac-sha256",
        "X-HMAC-ACCESS-KEY": "vidu",
    }
