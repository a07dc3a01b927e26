"""Identifiers: UUIDv7 inside, a prefix and 26 base32 characters outside."""

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

__all__ = [
    "ACCOUNT_PREFIX",
    "ATTEMPT_PREFIX",
    "CHANNEL_PREFIX",
    "ENDPOINT_PREFIX",
    "EVENT_PREFIX",
    "TASK_PREFIX",
    "TOKEN_PREFIX",
    "DatedIds",
    "first_id",
    "made_at",
    "new_id",
    "parse_public_id",
    "public_id",
]

ACCOUNT_PREFIX = "acc_"
ATTEMPT_PREFIX = "att_"
CHANNEL_PREFIX = "chn_"
ENDPOINT_PREFIX = "whep_"
EVENT_PREFIX = "evt_"
TASK_PREFIX = "task_"
TOKEN_PREFIX = "tok_"  # noqa: S105 - not a secret

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32, lower case: sorts as the bytes do, and no character looks like another."""

_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_LENGTH = 26


def new_id() -> UUID:
    """Make a UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    return _uuid7(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big"))


class DatedIds:
    """Makes UUIDv7 by a clock that is given; those of one moment are in the order they were made.

    Two processes never make the same: the rest is random, and grows by random steps in a moment.
    """

    def __init__(self) -> None:
        self._milliseconds = -1
        self._rest = 0

    def new(self, at: datetime) -> UUID:
        """Make the id of what is made at this moment."""
        milliseconds = int(at.timestamp() * 1000)
        if milliseconds == self._milliseconds:
            self._rest += 1 + int.from_bytes(os.urandom(4), "big")
        else:
            self._milliseconds = milliseconds
            self._rest = int.from_bytes(os.urandom(9), "big")
        return _uuid7(milliseconds, (self._rest >> 62 << 64) | (self._rest & ~(-1 << 62)))


def _uuid7(milliseconds: int, rest: int) -> UUID:
    """Put version and variant into their places in the last 80 bits, whose values there go."""
    value = (milliseconds << 80) | rest
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)


def first_id(at: datetime) -> UUID:
    """The smallest UUIDv7 that can have been made at this moment or later."""
    milliseconds = max(0, int(at.timestamp() * 1000))
    return UUID(int=milliseconds << 80)


def made_at(identifier: UUID) -> datetime:
    """When a UUIDv7 was made, to the millisecond."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=identifier.int >> 80)


def public_id(prefix: str, identifier: UUID) -> str:
    """Write an id as a client sees it, such as `task_` and 26 characters."""
    value = identifier.int
    characters = [_ALPHABET[(value >> shift) & 31] for shift in range(125, -5, -5)]
    return prefix + "".join(characters)


def parse_public_id(prefix: str, text: str) -> UUID | None:
    """Read what `public_id` wrote; `None` for anything that it cannot have written."""
    if len(text) != len(prefix) + _LENGTH or not text.startswith(prefix):
        return None
    value = 0
    for character in text[len(prefix) :]:
        digit = _VALUES.get(character)
        if digit is None:
            return None
        value = (value << 5) | digit
    return UUID(int=value) if value < 1 << 128 else None
