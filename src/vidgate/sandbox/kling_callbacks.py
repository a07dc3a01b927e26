"""Kling: the signature under callbacks.

Standard Webhooks: `webhook-id`, `webhook-timestamp` in seconds, `webhook-signature` with one `v1,`
entry for each secret.
"""

import base64
import binascii
from collections.abc import Collection

from vidgate.sandbox.callback_signing import (
    BAD_SIGNATURE,
    STALE_DATE,
    STALE_SECONDS,
    UNSIGNED,
    WRONG_KEY,
    digest,
)

__all__ = ["signed_headers"]

_SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix


def signed_headers(
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
    stamp = str(int(now - STALE_SECONDS if STALE_DATE in flaws else now))
    signed = f"{delivery_id}.{stamp}.".encode() + body
    entries = [
        f"v1,{digest(WRONG_KEY if BAD_SIGNATURE in flaws else _key(secret), signed)}"
        for secret in secrets.split()
    ]
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(entries),
    }


def _key(secret: str) -> bytes:
    if not secret.startswith(_SECRET_PREFIX):
        raise ValueError("a callback secret begins with whsec_")
    try:
        return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a callback secret is whsec_ and Base64") from error
