"""Kling's signed callbacks: the Standard Webhooks scheme.

The vendor signs where a secret was made in its console, since 2026-08-07. Whether it signs for
jobs of the legacy API too is not said. Where the operator gave us the secret, an unsigned callback
is refused; it costs nothing but time, since every job is polled all the same.

Source: https://kling.ai/document-api/api/get-started/callbacks, read 2026-09-20.
"""

import base64
import binascii
import hmac
import re
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from standardwebhooks import Webhook

from vidgate.exceptions import CallbackRefusedError
from vidgate.providers.base import Callback

__all__ = ["check_callback"]

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
    expected = _expected(callback, identifier, int(timestamp), secret).encode()
    # Every one is compared, so that the time taken says nothing of which of them is right.
    matches = [
        hmac.compare_digest(expected, signature.encode(errors="replace"))
        for signature in signatures
    ]
    if not any(matches):
        raise CallbackRefusedError("The callback's signature does not hold.")


def _expected(callback: Callback, identifier: str, second: int, secret: SecretStr) -> str:
    """What a right signature is. The package's own check knows no clock but the machine's."""
    key = _key(secret)
    at = datetime.fromtimestamp(second, UTC)
    try:
        return Webhook(key).sign(identifier, at, callback.body.decode())
    except UnicodeError:
        raise CallbackRefusedError("The callback is not written in UTF-8.") from None


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
