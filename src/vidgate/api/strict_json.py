"""JSON that leaves no room for doubt: what two parsers could read differently is refused."""

import codecs
import json
import math
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

from vidgate.constants import HEAVY_BYTES
from vidgate.exceptions import BodyTooLargeError, MalformedBodyError, TooManyValuesError
from vidgate.providers.pieces import PIECE_BYTES

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

_Body: TypeAlias = bytes | bytearray

_INLINE_BYTES = 4096
"""From this length on a string of base64, or a `data:` URI, counts as inline media."""

_VALUE_BYTES = 100
_MAX_LEVELS = 100
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\\"
"""With the backslash, since some write `/` as an escape."""

_LEXEME = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[{]\s*+[\]}]|[,\[{\]}]', re.DOTALL)
"""A string, an empty array or object, or what begins, parts or ends one that is not."""

_MOST_LEXEMES = 5 * MOST_VALUES
"""Valid JSON has at most so many for its values: a key and a string, a comma, two brackets."""

_ESCAPED_BYTES = 128 * 1024
"""Of a string that is full of escapes, in one go: each of them takes a while."""

_LONGEST_ESCAPE = 12
_WHOLE = re.compile(
    rb"(?:[^\\]++|\\[^u]|\\u[dD][89abAB]..(?:\\u....|(?=[^\\]|\\[^u]))|\\u(?![dD][89abAB])....)*+",
    re.DOTALL,
)
"""Escapes that are not cut off, those of one character in two halves among them."""

_COLON = re.compile(rb"[ \t\n\r]*+:")

_BACKSLASH = ord("\\")
_GOING_ON = bytes(range(0x80, 0xC0))
"""Bytes of UTF-8 that begin no character."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_DOUBTFUL_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")

_REASONS = {
    "Invalid control character at": (
        "a raw line break or another control character in a string {}; write a line break as \\n"
    ),
    "Unterminated string starting at": "Unterminated string starting {}",
}
"""What is said in place of the parser's own words, with the place in it."""

_KINDS = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def parse_object(body: _Body) -> dict[str, Any]:
    """Parse one JSON object.

    Integers keep every digit, as far as Python reads them.

    Raises:
        MalformedBodyError: It is anything else; the message names the problem.
        BodyTooLargeError: There is more than 2 MiB beside inline media.
        TooManyValuesError: There are more than 10,000 values.
    """
    if body.startswith(_BYTE_ORDER_MARK):  # noqa: FURB188 - that copies a bytearray without one
        body = body[len(_BYTE_ORDER_MARK) :]
    cut = _cut(body)
    values, levels = _look(cut.rest)
    if levels > _MAX_LEVELS:
        raise MalformedBodyError(f"The body has more than {_MAX_LEVELS} levels.")
    if values > MOST_VALUES:
        raise TooManyValuesError(
            f"The body has more than {MOST_VALUES:,} JSON values; no model needs as many."
        )
    _check_encoding(body)
    text = cut.rest.decode()
    if not text or text.isspace():
        raise MalformedBodyError("The body is empty; send a JSON object.")
    value = _parse(text, cut)
    if not isinstance(value, dict):
        kind = _KINDS.get(type(value), "a number")
        raise MalformedBodyError(f"The body must be a JSON object, not {kind}.")
    if "\\" in text and _DOUBTFUL_ESCAPE.search(text):
        _check_characters(value)
    return value


@dataclass(slots=True)
class _Cut:
    """A body whose long strings are cut out: a parser reads one of 20 MB in one go.

    In the place of each stands a number, since those are what a parser lets us read ourselves.

    Attributes:
        body: All of it.
        rest: The body without them.
        mark: How those numbers begin, or empty.
        strings: Where the quotes of each string are.
        places: Where each number begins and ends in the rest.
    """

    body: _Body
    rest: _Body
    mark: str = ""
    strings: list[tuple[int, int]] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)

    def read_number(self, text: str) -> Any:
        """Read a number with a fraction or an exponent, or the string that it stands for."""
        if self.mark and text.startswith(self.mark):
            return self._read_string(*self.strings[int(text[len(self.mark) :])])
        return _finite(text)

    def _read_string(self, opening: int, closing: int) -> str:
        pieces, start = [], opening + 1
        while start < closing:
            end = _end_of_piece(self.body, start, closing)
            text = self.body[start:end].decode()
            try:
                piece = json.loads(f'"{text}"')
            except json.JSONDecodeError as error:
                place = start + len(text[: error.pos - 1].encode())
                raise _invalid(error.msg, self.body, place) from None
            if "\\" in text and _DOUBTFUL_ESCAPE.search(text):
                _check_characters(piece)
            pieces.append(piece)
            start = end
        return "".join(pieces)

    def to_body(self, place: int) -> int:
        """Tell where in the body a place of the rest is."""
        shift = 0
        for (opening, closing), (first, last) in zip(self.strings, self.places, strict=True):
            if place < first:
                break
            if place < last:
                return opening
            shift = closing + 1 - last
        return place + shift


def _cut(body: _Body) -> _Cut:
    """Cut the long strings out of a large body, before anything is made of it.

    What is not inline media is counted: whatever stands between one quote of a string and the next.

    Raises:
        BodyTooLargeError: There is too much of it.
    """
    if len(body) <= PIECE_BYTES:
        return _Cut(body, body)
    cut = _Cut(body, bytearray(), mark=f"0.{secrets.randbits(128):039}")
    beside = start = copied = 0
    opening: int | None = None
    while True:
        end = _find(body, b'"', start)
        if end < 0:
            beside += len(body) - start
        elif opening is None or not _is_inline(body, start, end):
            beside += end + 1 - start
        if beside > BESIDE_INLINE_BYTES:
            raise BodyTooLargeError("JSON beside inline images may have at most 2 MiB.")
        if end < 0:
            break
        if opening is None:
            opening = end
        elif not _is_escaped(body, opening + 1, end):
            if end - opening > _INLINE_BYTES and not _is_key(body, end):
                cut.rest += body[copied:opening]
                number = f" {cut.mark}{len(cut.strings)} ".encode()
                cut.places.append((len(cut.rest), len(cut.rest) + len(number)))
                cut.strings.append((opening, end))
                cut.rest += number
                copied = end + 1
            opening = None
        start = end + 1
    cut.rest += body[copied:]
    return cut


def _is_escaped(body: _Body, start: int, quote: int) -> bool:
    """Whether a quote belongs to the string that begins at `start`."""
    end, size = quote, 1
    while end > start and body[end - 1] == _BACKSLASH:
        piece = body[max(start, end - size) : end]  # as much as was found, again: mostly one
        end -= len(piece) - len(piece.rstrip(b"\\"))
        size = min(2 * size, PIECE_BYTES)
    return (quote - end) % 2 == 1


def _is_key(body: _Body, end: int) -> bool:
    return bool(_COLON.match(body, end + 1, end + 1 + BESIDE_INLINE_BYTES))


def _end_of_piece(body: _Body, start: int, closing: int) -> int:
    """Where a piece of a string may end: within no character and no escape."""
    end = start + PIECE_BYTES
    if end >= closing:
        return closing
    if body.find(b"\\", end - _LONGEST_ESCAPE, end) >= 0:
        whole = _WHOLE.match(body, start, start + _ESCAPED_BYTES)
        end = whole.end() if whole else end
    while body[end] & 0xC0 == 0x80:  # noqa: PLR2004 - a byte that goes on with a character
        end -= 1
    return end


def _check_encoding(body: _Body) -> None:
    start = 0
    while start < len(body):
        end = min(start + PIECE_BYTES, len(body))
        try:
            start += codecs.utf_8_decode(body[start:end], "strict", end == len(body))[1]
        except UnicodeDecodeError as error:
            place = start + error.start
            raise MalformedBodyError(f"The body is not UTF-8 at byte {place}.") from None


def _parse(text: str, cut: _Cut) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_constant, parse_float=cut.read_number
        )
    except json.JSONDecodeError as error:
        place = len(text[: error.pos].encode())
        raise _invalid(error.msg, cut.body, cut.to_body(place)) from None
    except ValueError:
        raise MalformedBodyError("The body has an integer with too many digits.") from None


def _invalid(reason: str, body: _Body, place: int) -> MalformedBodyError:
    line = _count(body, b"\n", place) + 1
    begin = body.rfind(b"\n", 0, place) + 1
    column = (
        1
        + sum(  # in characters
            len(body[start : min(start + PIECE_BYTES, place)].translate(None, _GOING_ON))
            for start in range(begin, place, PIECE_BYTES)
        )
    )
    told = _REASONS.get(reason, f"{reason} {{}}").format(f"at line {line} column {column}")
    return MalformedBodyError(f"The body is not valid JSON: {told}.")


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


def estimate_work(body: _Body) -> int:
    """How much work a body is: its size, and for each value that it may have 100 bytes more.

    A hundred thousand characters are read at once, and a thousand values one after the other.
    """
    if len(body) >= HEAVY_BYTES:
        return len(body)
    return len(body) + _VALUE_BYTES * _count_at_most(body)


def _count_at_most(body: _Body) -> int:
    """How many values a JSON text has at most: what stands in strings is counted as well."""
    return 1 + sum(_count(body, character) for character in (b",", b"[", b"{"))


def count_values(body: _Body) -> int:
    """Count the values of a JSON text without making any; beyond the limit it stops."""
    return _look(body)[0]


def _look(body: _Body) -> tuple[int, int]:
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


def _find(body: _Body, character: bytes, start: int) -> int:
    for begin in range(start, len(body), PIECE_BYTES):
        place = body.find(character, begin, begin + PIECE_BYTES)
        if place >= 0:
            return place
    return -1


def _count(body: _Body, character: bytes, end: int | None = None) -> int:
    end = len(body) if end is None else end
    starts = range(0, end, PIECE_BYTES)
    return sum(body.count(character, start, min(start + PIECE_BYTES, end)) for start in starts)


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


def _is_inline(body: _Body, start: int, end: int) -> bool:
    if end - start < _INLINE_BYTES:
        return False
    if body[end + 1 : end + 32].lstrip().startswith(b":"):
        return False  # a key
    if body.startswith(b"data:", start):
        return True
    return not any(
        body[offset : min(offset + PIECE_BYTES, end)].translate(None, _BASE64)
        for offset in range(start, end, PIECE_BYTES)
    )
