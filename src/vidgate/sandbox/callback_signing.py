"""What may be wrong with the signature under a callback, and what signatures are made of."""

import base64
import hashlib
import hmac

__all__ = ["BAD_SIGNATURE", "STALE_DATE", "STALE_SECONDS", "UNSIGNED", "WRONG_KEY", "digest"]

BAD_SIGNATURE = "bad_signature"
STALE_DATE = "stale_date"
UNSIGNED = "unsigned"

STALE_SECONDS = 3600.0
"""How old a callback with `STALE_DATE` says that it is."""

WRONG_KEY = b"not the key"


def digest(key: bytes, signed: bytes) -> str:
    """An HMAC with SHA-256, in Base64."""
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
