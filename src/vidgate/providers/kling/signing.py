"""Kling's credentials and signatures.

A credential is an API key as it is, or an access key whose secret signs a token. Callbacks are
signed in the Standard Webhooks scheme where a secret was made in the vendor's console, since
2026-08-07; whether for jobs of the legacy API too is not said. Where the operator gave us the
secret, an unsigned callback is refused; it costs nothing but time, since every job is polled all
the same.

Source: https://kling.ai/document-api/api/get-started/authentication and
https://kling.ai/document-api/api/get-started/callbacks, read 2026-09-20.
"""

import base64
import binascii
import hmac
import json
import re
from datetime import UTC, datetime, timedelta

import jwt
from jwt.algorithms import HMACAlgorithm
from jwt.utils import base64url_encode
from pydantic import SecretStr
from standardwebhooks import Webhook

from vidgate.exceptions import CallbackRefusedError, ConfigurationError
from vidgate.providers.base import Callback

__all__ = ["bearer", "check_callback", "check_credential", "has_api_key"]

_HS256 = HMACAlgorithm(HMACAlgorithm.SHA256)
_HEADER = {"alg": "HS256", "typ": "JWT"}
_TOKEN_SECONDS = 1800
_TOKEN_SKEW_SECONDS = 5
"""How long a signed token is good for, and how far our clock may be ahead; the vendor's example."""

_CREDENTIAL = re.compile(r"[!-{}~]+(\|[!-~]+)?")
"""Printable, without spaces; what is after the first bar is the secret."""


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
            _HS256.prepare_key(secret)
        except jwt.PyJWTError:
            # Its own message is not repeated: it may quote the key.
            raise ConfigurationError("The secret of Kling's ACCESS|SECRET cannot sign.") from None


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
    access_key, _, secret = key.partition("|")
    second = int(now.timestamp())
    times = {"exp": second + _TOKEN_SECONDS, "nbf": second - _TOKEN_SKEW_SECONDS}
    signed = b".".join(
        base64url_encode(json.dumps(part, separators=(",", ":")).encode())
        for part in (_HEADER, {"iss": access_key, **times})
    )
    # Not by `jwt.encode`, which warns of every secret of under 32 bytes: Kling chose its length.
    signature = _HS256.sign(signed, _HS256.prepare_key(secret))
    return b".".join((signed, base64url_encode(signature))).decode()


# Callbacks

_PREFIX = "whsec_"
_TOLERANCE = timedelta(minutes=5)
"""Between their clock and ours, in either direction."""

_SECOND = re.compile(r"0|[1-9][0-9]{0,11}")


def check_callback(callback: Callback, secret: SecretStr | None) -> None:
    """Check the signature of a callback, where there is a secret to check it with.

    Raises:
        CallbackRefusedError: It is not signed, signed wrongly, or too old.
    """
    if secret is None:
        return
    identifier = callback.headers.get("webhook-id", "")
    timestamp = callback.headers.get("webhook-timestamp", "").strip()
    signatures = callback.headers.get("webhook-signature", "").split()
    if not (identifier and timestamp and signatures):
        raise CallbackRefusedError("The callback is not signed.")
    if not _SECOND.fullmatch(timestamp):
        raise CallbackRefusedError("The callback's time cannot be read.")
    age = callback.received_at.timestamp() - int(timestamp)
    if abs(age) > _TOLERANCE.total_seconds():
        raise CallbackRefusedError("The callback is more than five minutes old, or ahead.")
    key = _key(secret)
    try:
        # The package's own check knows no clock but the machine's.
        expected = Webhook(key).sign(
            identifier, datetime.fromtimestamp(int(timestamp), UTC), callback.body.decode()
        )
    except UnicodeError:
        raise CallbackRefusedError("The callback is not written in UTF-8.") from None
    # Every one is compared, so that the time taken does not tell which one is right.
    matches = [
        hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))
        for signature in signatures
    ]
    if not any(matches):
        raise CallbackRefusedError("The callback's signature does not hold.")


def _key(secret: SecretStr) -> bytes:
    try:
        key = base64.b64decode(secret.get_secret_value().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise CallbackRefusedError(
            "The channel's callback secret is not in the form whsec_<base64>, so that no "
            "signature can be checked."
        )
    return key
