"""Kling: who is calling.

Rules enforced here: `Authorization: Bearer`, one blank, then an API key (both generations) or an
HS256 JWT made from AccessKey and SecretKey (`/v1` only; elsewhere 401/1002, the same as for a wrong
key); 1001 for no header, 1003 before `nbf`, 1004 after `exp`.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Any

import orjson

from vidgate.sandbox.kling_common import KlingError
from vidgate.sandbox.kling_options import KlingOptions

__all__ = ["account_of"]

_EMPTY = 1001
_INVALID = 1002
_EARLY = 1003
_EXPIRED = 1004

_JWT_PARTS = 3


def account_of(header: str | None, options: KlingOptions, now: float, *, legacy: bool) -> str:
    """The account that calls; on a `legacy` path a JWT is good too.

    Raises:
        KlingError: The credential is missing or not good.
    """
    if not header:
        raise KlingError(_EMPTY)
    scheme, _, credential = header.partition(" ")
    if scheme != "Bearer" or not credential:
        raise KlingError(_INVALID)
    account = options.api_keys.get(credential)
    if account is not None:
        return account
    if not legacy:
        raise KlingError(_INVALID)
    _check_jwt(credential, options, now)
    return "main"


def _check_jwt(token: str, options: KlingOptions, now: float) -> None:
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        raise KlingError(_INVALID)
    header, claims = _decode(parts[0]), _decode(parts[1])
    secret = options.access_keys.get(str(claims.get("iss")))
    if header.get("alg") != "HS256" or secret is None:
        raise KlingError(_INVALID)
    expected = hmac.digest(secret.encode(), f"{parts[0]}.{parts[1]}".encode(), hashlib.sha256)
    if not hmac.compare_digest(base64.urlsafe_b64encode(expected).rstrip(b"="), parts[2].encode()):
        raise KlingError(_INVALID)
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, int | float) or not isinstance(begins, int | float):
        raise KlingError(_INVALID)
    if now < begins:
        raise KlingError(_EARLY)
    if now >= expires:
        raise KlingError(_EXPIRED)


def _decode(part: str) -> dict[str, Any]:
    try:
        decoded = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError) as error:
        raise KlingError(_INVALID) from error
    if not isinstance(decoded, dict):
        raise KlingError(_INVALID)
    return decoded
