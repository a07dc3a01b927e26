"""Jimeng: what can be chosen about the stand-in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ACCESS_KEY", "SECRET_KEY", "JimengOptions"]

ACCESS_KEY = "AKLTSANDBOX0000000000000000000000001"
SECRET_KEY = "U0FOREJPWDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE="  # noqa: S105 - made up, accepted here only


@dataclass(frozen=True, slots=True, kw_only=True)
class JimengOptions:
    """What can be chosen.

    Attributes:
        strict: Whether a poll with another `req_key` than the submit had is refused.
        closed: `req_key` values that are not opened for the account.
        keys: Accepted access keys with their secret keys; each its own account.
        session_tokens: Accepted STS tokens and the access key each belongs to.
    """

    strict: bool = True
    closed: frozenset[str] = frozenset()
    keys: Mapping[str, str] = field(
        default_factory=lambda: {ACCESS_KEY: SECRET_KEY, f"{ACCESS_KEY[:-1]}2": SECRET_KEY}
    )
    session_tokens: Mapping[str, str] = field(default_factory=dict)
