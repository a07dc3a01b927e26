"""The signatures under the callbacks that the stand-ins send.

Kling: Standard Webhooks, `webhook-id`, `webhook-timestamp` in seconds, `webhook-signature` with one
`v1,` entry for each secret. Vidu: HMAC over method, path, query, `vidu`, `Date` and the signed
headers, with the API key of the call that created the task; the body is not covered. Jimeng signs
nothing.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection
from email.utils import formatdate
from urllib.parse import urlsplit

__all__ = ["BAD_SIGNATURE", "STALE_DATE", "UNSIGNED", "kling_headers", "vidu_headers"]

BAD_SIGNATURE = "bad_signature"
STALE_DATE = "stale_date"
UNSIGNED = "unsigned"

_STALE_SECONDS = 3600.0
_WRONG_KEY = b"not the key"
_SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix


def kling_headers(
    secrets: str | None, delivery_id: str, body: bytes, now: float, flaws: Collection[str]
) -> dict[str, str]:
    """The headers of one delivery; none without a secret.

    Args:
        secrets: One `whsec_` secret, or during a rotation several with blanks between.
        delivery_id: Unique to the delivery.
        body: The bytes that are sent.
        now: Unix seconds.
        flaws: What shall be wrong with it.

    Raises:
        ValueError: A secret is not `whsec_` and Base64.
    """
    if not secrets or UNSIGNED in flaws:
        return {}
    stamp = str(int(now - _STALE_SECONDS if STALE_DATE in flaws else now))
    signed = f"{delivery_id}.{stamp}.".encode() + body
    entries = [
        f"v1,{_digest(_WRONG_KEY if BAD_SIGNATURE in flaws else _key(secret), signed)}"
        for secret in secrets.split()
    ]
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(entries),
    }


def vidu_headers(
    key: str, url: str, nonce: str, now: float, flaws: Collection[str]
) -> dict[str, str]:
    """The headers of one delivery to `url`, signed with an API key."""
    if UNSIGNED in flaws:
        return {}
    date = formatdate(now - _STALE_SECONDS if STALE_DATE in flaws else now, usegmt=True)
    signed = (("Date", date), ("x-request-nonce", nonce))
    parts = urlsplit(url)
    lines = ["POST", parts.path or "/", parts.query, "vidu", date]
    lines += [f"{name}:{value}" for name, value in signed]
    text = "".join(f"{line}\n" for line in lines)
    secret = _WRONG_KEY if BAD_SIGNATURE in flaws else key.encode()
    return {
        **dict(signed),
        "X-HMAC-SIGNED-HEADERS": ";".join(name for name, _ in signed),
        "X-HMAC-SIGNATURE": _digest(secret, text.encode()),
        "X-HMAC-ALGORITHM": "hmac-sha256",
        "X-HMAC-ACCESS-KEY": "vidu",
    }


def _key(secret: str) -> bytes:
    if not secret.startswith(_SECRET_PREFIX):
        raise ValueError("a callback secret begins with whsec_")
    try:
        return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a callback secret is whsec_ and Base64") from error


def _digest(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
