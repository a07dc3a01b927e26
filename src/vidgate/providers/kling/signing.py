"""Kling's credentials: an API key as it is, or an access key whose secret signs a token.

Source: https://kling.ai/document-api/api/get-started/authentication, read 2026-09-20.
"""

import json
import re
from datetime import datetime

import jwt
from jwt.algorithms import HMACAlgorithm
from jwt.utils import base64url_encode
from pydantic import SecretStr

from vidgate.exceptions import ConfigurationError

__all__ = ["bearer", "check_credential", "has_api_key"]

_HEADER = {"alg": "HS256", "typ": "JWT"}
_TOKEN_SECONDS = 1800
_TOKEN_SKEW_SECONDS = 5
"""How long a signed token is good for, and how far our clock may be ahead; the vendor's example."""

_CREDENTIAL = re.compile(r"[!-{}~]+(\|[!-~]+)?")
"""Printable, without spaces; what is after the first bar is the secret."""

_CANNOT_SIGN = "The secret of Kling's ACCESS|SECRET cannot sign."


def check_credential(credential: str) -> None:
    """Refuse what cannot be a key.

    Raises:
        ConfigurationError: It never repeats what was given.
    """
    if not _CREDENTIAL.fullmatch(credential):
        raise ConfigurationError(
            "A Kling credential is an API key, or an access key and its secret written as "
            "ACCESS|SECRET, without spaces and without `Bearer`."
        )
    _, bar, secret = credential.partition("|")
    if bar:
        try:
            HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
        except jwt.PyJWTError:
            # Its own message is not repeated: it may quote the key.
            raise ConfigurationError(_CANNOT_SIGN) from None


def has_api_key(credential: SecretStr) -> bool:
    """Whether it is an API key, which alone opens the new generation."""
    return "|" not in credential.get_secret_value()


def bearer(credential: SecretStr, now: datetime, *, is_new: bool) -> str:
    """Write what `Authorization` says after `Bearer`: the API key itself, or a signed token.

    Args:
        credential: In either form.
        now: The time to sign with.
        is_new: Whether it is for the new generation of the API.

    Raises:
        ConfigurationError: It is not a valid credential, or only valid for the legacy API.
    """
    key = credential.get_secret_value()
    check_credential(key)
    if has_api_key(credential):
        return key
    if is_new:
        raise ConfigurationError(
            "This model needs an API key of Kling's: an access key with its secret opens the "
            "legacy models only. Give the channel an API key."
        )
    return _sign(key, int(now.timestamp()))


def _sign(credential: str, second: int) -> str:
    access_key, _, secret = credential.partition("|")
    claims = {
        "iss": access_key,
        "exp": second + _TOKEN_SECONDS,
        "nbf": second - _TOKEN_SKEW_SECONDS,
    }
    # Not by `jwt.encode`, which warns of every secret of under 32 bytes: Kling chose its length.
    algorithm = HMACAlgorithm(HMACAlgorithm.SHA256)
    key = algorithm.prepare_key(secret)  # which can sign: the credential was checked
    signed = b".".join(
        base64url_encode(json.dumps(part, separators=(",", ":")).encode())
        for part in (_HEADER, claims)
    )
    return b".".join((signed, base64url_encode(algorithm.sign(signed, key)))).decode()
