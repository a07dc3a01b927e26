"""JSON that leaves no room for doubt: what two parsers could read differently is refused."""

import json
import math
import re
from typing import Any, NoReturn

from vidgate.constants import HEAVY_BYTES
from vidgate.exceptions import BodyTooLargeError, MalformedBodyError, TooManyValuesError

__all__ = [
    "BESIDE_INLINE_BYTES",
    "MOST_VALUES",
    "count_values",
    "estimate_work",
    "parse_object",
]

BESIDE_INLINE_BYTES = 2 * 1024 * 1024
"""JSON beside inline media: no request needs more, and parsed it takes many times its size."""

MOST_VALUES = 10_000
"""Of one body: objects, arrays, strings, numbers and words, keys apart. Vendors' largest bodies
have a few hundred."""

_INLINE_BYTES = 4096
"""From this length on a string of base64, or a `data:` URI, counts as inline media."""

_VALUE_BYTES = 100
_MAX_LEVELS = 100
_SLICE_BYTES = 1024 * 1024
"""Looked at in one go: other threads get their turn in between."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\\"
"""With the backslash, since some write `/` as an escape."""

_LEXEME = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[{]\s*+[\]}]|[,\[{\]}]', re.DOTALL)
"""A string, an empty array or object, or what begins, parts or ends one that is not."""

_MOST_LEXEMES = 5 * MOST_VALUES
"""Valid JSON has at most so many for its values: a key and a string, a comma, two brackets."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_DOUBTFUL_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")

_KINDS = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def parse_object(body: bytes | bytearray) -> dict[str, Any]:
    """Parse one JSON object.

    Integers keep every digit, as far as Python reads them.

    Raises:
        MalformedBodyError: It is anything else; the message names the problem.
        BodyTooLargeError: There is more than 2 MiB beside inline media.
        TooManyValuesError: There are more than 10,000 values.
    """
    if body.startswith(_BYTE_ORDER_MARK):
        raise MalformedBodyError("The body begins with a byte order mark; send plain UTF-8.")
    if len(body) > BESIDE_INLINE_BYTES:
        _check_beside_inline(body)
    values, levels = _look(body)
    if levels > _MAX_LEVELS:
        raise MalformedBodyError(f"The body has more than {_MAX_LEVELS} levels.")
    if values > MOST_VALUES:
        raise TooManyValuesError(
            f"The body has more than {MOST_VALUES:,} JSON values; no model needs as many."
        )
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise MalformedBodyError(f"The body is not UTF-8 at byte {error.start}.") from None
    if not text or text.isspace():
        raise MalformedBodyError("The body is empty; send a JSON object.")
    value = _parse(text)
    if not isinstance(value, dict):
        kind = _KINDS.get(type(value), "a number")
        raise MalformedBodyError(f"The body must be a JSON object, not {kind}.")
    if "\\" in text and _DOUBTFUL_ESCAPE.search(text):
        _check_characters(value)
    return value


def _parse(text: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        raise MalformedBodyError(
            f"The body is not valid JSON: {error.msg} at line {error.lineno} column {error.colno}."
        ) from None
    except ValueError:
        raise MalformedBodyError("The body has an integer with too many digits.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise MalformedBodyError(f"The body has the key {name[:50]!a} twice in one object.")
            seen.add(name)
    return members


def _constant(name: str) -> NoReturn:
    raise MalformedBodyError(f"The body has {name}, which is not JSON.")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise MalformedBodyError("The body has a number that is too large.")
    return value


def estimate_work(body: bytes | bytearray) -> int:
    """How much work a body is: its size, and for each value that it may have 100 bytes more.

    A hundred thousand characters are read at once, and a thousand values one after the other.
    """
    if len(body) >= HEAVY_BYTES:
        return len(body)
    return len(body) + _VALUE_BYTES * _count_at_most(body)


def _count_at_most(body: bytes | bytearray) -> int:
    """How many values a JSON text has at most: what stands in strings is counted as well."""
    return 1 + sum(_count(body, character) for character in (b",", b"[", b"{"))


def count_values(body: bytes | bytearray) -> int:
    """Count the values of a JSON text without making any; beyond the limit it stops."""
    return _look(body)[0]


def _look(body: bytes | bytearray) -> tuple[int, int]:
    """Count values and levels, until there are too many of either; at least, if that is enough."""
    openings = _count(body, b"[") + _count(body, b"{")
    most = 1 + _count(body, b",") + openings  # in strings as well
    if most <= MOST_VALUES and openings <= _MAX_LEVELS:
        return most, openings
    values, level, levels = 1, 0, 0
    for lexemes, found in enumerate(_LEXEME.finditer(body)):
        lexeme = found[0]
        if lexeme == b",":
            values += 1
        elif lexeme in {b"[", b"{"}:
            values += 1
            level += 1
            levels = max(levels, level)
        elif lexeme in {b"]", b"}"}:
            level -= 1
        elif lexeme[:1] != b'"':
            levels = max(levels, level + 1)
        if lexemes > _MOST_LEXEMES:  # no valid JSON, or too many all the same
            values = MOST_VALUES + 1
        if values > MOST_VALUES or levels > _MAX_LEVELS:
            break
    return values, levels


def _count(body: bytes | bytearray, character: bytes) -> int:
    starts = range(0, len(body), _SLICE_BYTES)
    return sum(body.count(character, start, start + _SLICE_BYTES) for start in starts)


def _check_characters(value: Any) -> None:
    """Look for what an escape can write and no text may have: NUL, and half a character."""
    match value:
        case str():
            if "\0" in value:
                raise MalformedBodyError("The body has \\u0000 in a string.")
            if not value.isascii() and _LONE_SURROGATE.search(value):
                raise MalformedBodyError("The body has a lone surrogate in a string.")
        case dict():
            for key, member in value.items():
                _check_characters(key)
                _check_characters(member)
        case list():
            for member in value:
                _check_characters(member)
        case _:
            pass


def _check_beside_inline(body: bytes | bytearray) -> None:
    """Count what is not inline media, before anything is made of it.

    Whatever stands between one quote and the next is looked at, in strings or between them:
    between them there is always a comma or a colon, which base64 does not have.
    """
    beside = start = 0
    while beside <= BESIDE_INLINE_BYTES:
        end = body.find(b'"', start)
        if end < 0:
            beside += len(body) - start
            break
        if not _is_inline(body, start, end):
            beside += end + 1 - start
        start = end + 1
    if beside > BESIDE_INLINE_BYTES:
        raise BodyTooLargeError("JSON beside inline images may have at most 2 MiB.")


def _is_inline(body: bytes | bytearray, start: int, end: int) -> bool:
    if end - start < _INLINE_BYTES:
        return False
    if body[end + 1 : end + 32].lstrip().startswith(b":"):
        return False  # a key
    if body.startswith(b"data:", start):
        return True
    return not any(
        body[offset : min(offset + _SLICE_BYTES, end)].translate(None, _BASE64)
        for offset in range(start, end, _SLICE_BYTES)
    )
