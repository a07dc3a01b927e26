"""Kling: what can be chosen about the stand-in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vidgate.sandbox.kling_callbacks import signed_headers

__all__ = ["ACCESS_KEY", "API_KEY", "SECRET_KEY", "KlingOptions", "is_callback_secret"]

API_KEY = "sandbox-kling-key"

ACCESS_KEY = "SANDBOXACCESS"
"""AccessKey of the legacy JWT credential."""

SECRET_KEY = "SANDBOXSECRET-0123456789abcdef0123456789"  # noqa: S105 - made up, accepted here only
"""SecretKey of the legacy JWT credential."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KlingOptions:
    """What can be chosen.

    Attributes:
        full_status: HTTP status of code 1303; 200 has been reported beside 429.
        api_keys: Accepted API keys and the account each belongs to.
        access_keys: Accepted AccessKeys with their SecretKeys; all of account `main`.
        callback_secret: Signs callbacks, `whsec_` and Base64; during a rotation two, with a blank
            between; `None` means that they are not signed.
    """

    full_status: int = 429
    api_keys: Mapping[str, str] = field(
        default_factory=lambda: {API_KEY: "main", f"{API_KEY}-2": "second"}
    )
    access_keys: Mapping[str, str] = field(default_factory=lambda: {ACCESS_KEY: SECRET_KEY})
    callback_secret: str | None = None


def is_callback_secret(value: Any) -> bool:
    """Whether callbacks can be signed with it; `None` means that they are not signed."""
    if value is not None and not isinstance(value, str):
        return False
    try:
        signed_headers(value, "", b"", 0.0, ())
    except ValueError:
        return False
    return True
