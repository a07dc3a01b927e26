"""Base64 and JSON in pieces are what they are at once."""

import base64
import json
from typing import Any

import pytest

from vidgate.providers.pieces import (
    PIECE_BYTES,
    decode_base64,
    encode_base64,
    has_bytes,
    json_pieces,
    json_size,
    to_json,
)

SIZES = [0, 1, 2, 3, 4, 100, *(PIECE_BYTES // 4 * 3 + more for more in range(-3, 4)), 2_000_000]


def content(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
def test_base64_there_and_back(size: int) -> None:
    picture = content(size)
    written = base64.b64encode(picture).decode()

    assert encode_base64(picture) == written
    assert encode_base64(picture, "data:a,") == "data:a," + written
    assert decode_base64(written) == picture


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_padded", [True, False])
def test_either_alphabet_with_line_breaks(size: int, *, is_padded: bool) -> None:
    written = base64.urlsafe_b64encode(content(size)).decode()
    lines = "\r\n".join(written[start : start + 76] for start in range(0, len(written), 76))

    read = decode_base64(lines if is_padded else lines.rstrip("="), is_lenient=True)

    assert read == content(size)


FULL = "A" * PIECE_BYTES
NONE: list[tuple[str, bool]] = [
    *((FULL[: PIECE_BYTES - len(end)] + end + "AAAA", True) for end in ("=", "==")),
    *((FULL[: PIECE_BYTES - len(end)] + end + "AAAA", False) for end in ("=", "==")),
    (FULL + "A", True),
    (FULL + "AA", False),
    (FULL + "-___", False),
    (FULL + "AA===", True),
    (FULL + "AAAA====", False),
    (FULL + "é===", True),
    ("%" + FULL, True),
    ("=", False),
]


@pytest.mark.parametrize(("text", "is_lenient"), NONE)
def test_what_is_no_base64(text: str, *, is_lenient: bool) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - binascii's words are its own
        decode_base64(text, is_lenient=is_lenient)


VALUES: list[Any] = [
    'a"\\\n\0é\U0001f600' * 300_000,
    {"a": ["x" * 5000, {}, [], None, True, 1.5, {"é": "y" * 5000}], "b": {"c": "short"}},
    {"b": 1, "a": "x" * 5000, "B": [("t" * 5000, 2), ()]},
    {1: "x" * 5000, None: 2, False: 3},
    ["x" * 5000, "\ud83d", "\ude00"],
    {"a": "x" * 5000 + "\ud83d"},
    [{"plain": "\ud83d"}],
    {},
    "x",
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_json_in_pieces(value: Any) -> None:
    whole = json.dumps(value, separators=(",", ":"))
    try:
        sent = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a pair goes out escaped
        sent = whole.encode()

    assert "".join(json_pieces(value)) == whole
    assert to_json(value) == sent
    assert json_size(value) == len(sent)


def test_json_in_pieces_sorts_and_asks_for_what_it_does_not_know() -> None:
    value = {"b": "x" * 5000, "a": [b"y", {"d": 1, "c": "z" * 5000}]}

    pieces = "".join(json_pieces(value, sort_keys=True, default=repr))

    assert pieces == json.dumps(value, sort_keys=True, default=repr, separators=(",", ":"))


@pytest.mark.parametrize("place", [0, PIECE_BYTES - 2, PIECE_BYTES, 2 * PIECE_BYTES - 1])
def test_something_short_in_something_long(place: int) -> None:
    assert has_bytes(bytes(place) + b"cut" + bytes(5), b"cut")
    assert not has_bytes(bytes(place) + b"cu" + bytes(5), b"cut")
