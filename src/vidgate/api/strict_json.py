"""JSON that leaves no room for doubt: what two parsers could read differently is refused."""

import json
import math
import re
from typing import Any, NoReturn

from vidgate.exceptions import BodyTooLargeError, MalformedBodyError

__all__ = ["BESIDE_INLINE_BYTES", "parse_object"]

BESIDE_INLINE_BYTES = 2 * 1024 * 1024
"""JSON beside inline media: no request needs more, and parsed it takes many times its size."""

_INLINE_BYTES = 4096
"""From this length on a string of base64, or a `data:` URI, counts as inline media."""

_MAX_LEVELS = 100
_SLICE_BYTES = 1024 * 1024
"""Looked at in one go: other threads get their turn in between."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\\"
"""With the backslash, since some write `/` as an escape."""

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|(?P<opening>[\[{])|[\]}]', re.DOTALL)
_DOUBTFUL_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")

_KINDS = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def parse_object(body: bytes | bytearray) -> dict[str, Any]:
    """Parse one JSON object.

    Integers keep every digit, as far as Python reads them.

    Raises:
        MalformedBodyError: It is anything else; the message names the problem.
        BodyTooLargeError: There is more than 2 MiB beside inline media.
    """
    if body.startswith(_BYTE_ORDER_MARK):
        raise MalformedBodyError("The body begins with a byte order mark; send plain UTF-8.")
    if len(body) > BESIDE_INLINE_BYTES:
        _check_beside_inline(body)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise MalformedBodyError(f"The body is not UTF-8 at byte {error.start}.") from None
    if not text or text.isspace():
        raise MalformedBodyError("The body is empty; send a JSON object.")
    _check_levels(text)
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


def _check_levels(text: str) -> None:
    if text.count("[") + text.count("{") <= _MAX_LEVELS:
        return
    level = 0
    for token in _TOKEN.finditer(text):
        if token["opening"]:
            level += 1
            if level > _MAX_LEVELS:
                raise MalformedBodyError(f"The body has more than {_MAX_LEVELS} levels.")
        elif token[0] in "]}":
            level -= 1


def _check_characters(value: Any) -> None:
    """Look for what an escape can write and no text may have: NUL, and half a character."""
    match value:
        case str():
            if "\0" in value:
                raise MalformedBodyError("The body has \\u0000 in a string.")
            if not value.isascii() and any("\ud800" <= one <= "\udfff" for one in value):
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
