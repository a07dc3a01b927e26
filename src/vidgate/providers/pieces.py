"""Base64 and JSON of any length, in pieces.

A codec holds up every other thread while it is at work on one text, the event loop's among them: 20
MB at once are a tenth of a second. So no call here is about more than a piece.
"""

import binascii
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

__all__ = [
    "PIECE_BYTES",
    "decode_base64",
    "encode_base64",
    "has_bytes",
    "json_pieces",
    "json_size",
    "to_json",
]

T = TypeVar("T")

PIECE_BYTES = 1024 * 1024
"""Or characters; a multiple of four. A millisecond or two of work."""

_PIECE_DECODED = PIECE_BYTES // 4 * 3
_LONG_CHARACTERS = 4096
"""From this length on a string in JSON is written apart."""

_PADDING = b"="
_MOST_PADDING = 2
_BLOCK = 4
_SPACES = b" \t\n\r\v\f\x1c\x1d\x1e\x1f"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def decode_base64(text: str, *, is_lenient: bool = False) -> bytes:
    """Decode base64, with or without spaces and line breaks.

    Args:
        text: Without a `data:` prefix.
        is_lenient: Whether either alphabet is taken, and padding may be missing.

    Raises:
        ValueError: It is not valid.
    """
    table = _TO_STANDARD if is_lenient else None
    decoded = bytearray()
    held = b""  # the end of what was seen: it may be the end of all, where padding is
    for offset in range(0, len(text), PIECE_BYTES):
        piece = text[offset : offset + PIECE_BYTES].encode("ascii")
        piece = held + piece.translate(table, _SPACES)
        ready = max(len(piece) - _BLOCK, 0) // _BLOCK * _BLOCK
        held = piece[ready:]
        if _PADDING in piece[:ready]:
            raise ValueError("padding before the end")
        decoded += binascii.a2b_base64(piece[:ready], strict_mode=True)
    if is_lenient:
        digits = held.rstrip(_PADDING)
        if len(held) - len(digits) > _MOST_PADDING:
            raise ValueError("too much padding")
        held = digits + _PADDING * (-len(digits) % _BLOCK)
    decoded += binascii.a2b_base64(held, strict_mode=True)
    return bytes(decoded)


def encode_base64(content: bytes, prefix: str = "") -> str:
    """Write bytes as base64.

    Args:
        content: The bytes.
        prefix: What stands before, such as that of a `data:` URI.
    """
    pieces = [prefix]
    for offset in range(0, len(content), _PIECE_DECODED):
        piece = content[offset : offset + _PIECE_DECODED]
        pieces.append(binascii.b2a_base64(piece, newline=False).decode("ascii"))
    return "".join(pieces)


def has_bytes(content: bytes, wanted: bytes) -> bool:
    """Whether something short is in something long."""
    overlap = len(wanted) - 1
    return any(
        content.find(wanted, offset, offset + PIECE_BYTES + overlap) >= 0
        for offset in range(0, max(len(content), 1), PIECE_BYTES)
    )


def to_json(value: Any) -> bytes:
    """Write JSON without spaces, in UTF-8."""
    return _encoded(value, b"".join)


def json_size(value: Any) -> int:
    """How many bytes `to_json` makes of a value, without keeping them."""
    return _encoded(value, lambda pieces: sum(map(len, pieces)))


def _encoded(value: Any, gather: Callable[[Iterator[bytes]], T]) -> T:
    try:
        return gather(map(str.encode, json_pieces(value, ensure_ascii=False)))
    except UnicodeEncodeError:
        # Half of a surrogate pair has no UTF-8; escaped it goes out as it came in.
        return gather(map(str.encode, json_pieces(value)))


def json_pieces(
    value: Any,
    *,
    ensure_ascii: bool = True,
    sort_keys: bool = False,
    default: Callable[[Any], Any] | None = None,
) -> Iterator[str]:
    """Write JSON without spaces; together the pieces are what `json.dumps` makes of it.

    Args:
        value: The value.
        ensure_ascii: As `json.dumps` has it.
        sort_keys: Likewise.
        default: Likewise.
    """

    def write(value: Any) -> str:
        return json.dumps(
            value,
            ensure_ascii=ensure_ascii,
            sort_keys=sort_keys,
            default=default,
            separators=(",", ":"),
        )

    def pieces(value: Any) -> Iterator[str]:
        if isinstance(value, str) and len(value) >= _LONG_CHARACTERS:
            yield '"'
            for offset in range(0, len(value), PIECE_BYTES):
                yield write(value[offset : offset + PIECE_BYTES])[1:-1]
            yield '"'
        elif isinstance(value, dict) and value:
            before = "{"
            for key, member in sorted(value.items()) if sort_keys else value.items():
                yield before + write({key: 0})[1:-2]
                yield from pieces(member)
                before = ","
            yield "}"
        elif isinstance(value, list | tuple) and value:
            before = "["
            for member in value:
                yield before
                yield from pieces(member)
                before = ","
            yield "]"
        else:
            yield write(value)

    return pieces(value) if _has_long(value) else iter((write(value),))


def _has_long(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) >= _LONG_CHARACTERS
    if isinstance(value, dict):
        return any(map(_has_long, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_long, value))
