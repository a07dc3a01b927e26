"""A large body is read in pieces, and means what it means at once."""

import json
from typing import Any

import pytest
from typing_extensions import override

from vidgate.api.strict_json import parse_object
from vidgate.exceptions import BodyTooLargeError, MalformedBodyError

MANY = 1_200_000
LONG = b"A" * MANY

READ: dict[str, bytes] = {
    "base64": b'{"a":"' + LONG + b'"}',
    "a data: URI": b'{"a": ["data:image/png;base64,' + LONG + b'" , 1.5, -2, "b"]}',
    "line breaks": b'{"a":"' + (b"A" * 76 + b"\\r\\n") * 20_000 + b'"}',
    "escaped slashes": b'{"a":"' + b"AAA\\/" * 300_000 + b'"}',
    "nothing but escapes": b'{"a":"data:' + b"\\u0041" * 300_000 + b'"}',
    "characters in two halves": b'{"a":"data:,A' + b"\\ud83d\\ude00" * 200_000 + b'"}',
    "characters of several bytes": b'{"a":"data:,A' + "é\U0001f600".encode() * 250_000 + b'"}',
    "backslashes": b'{"a":"data:,' + b"\\\\" * 700_000 + b'"}',
    "quotes in a string": b'{"a":"' + b"A " * 300_000 + b'\\"' * 300_000 + b'"}',
    "backslashes before a quote": b'{"a":"' + b"\\" * 1_200_000 + b'\\"A"}',
    "JSON in a string": b'{"a":"{\\"url\\":\\"data:,' + LONG + b'\\"}"}',
    "a long word": b'{"b":"' + b"word " * 1000 + b'","a":"' + LONG + b'"}',
    "a long key": b'{"' + b"k " * 5000 + b'"' + b" " * 100 + b':1,"a":"' + LONG + b'"}',
    "several": b'{"a":"' + LONG + b'","b":{"a":"' + LONG + b'B"},"c":1e3}',
}


@pytest.mark.parametrize("name", READ)
def test_the_same_value(name: str) -> None:
    body = READ[name]
    assert len(body) > 1024 * 1024
    assert parse_object(bytearray(body)) == json.loads(body)


class Watched(bytearray):
    """A body that counts the bytes which are taken out of it to be looked at."""

    taken = 0

    @override
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            self.taken += len(range(*key.indices(len(self))))
        return super().__getitem__(key)


@pytest.mark.parametrize("name", READ)
def test_a_body_is_looked_at_a_few_times(name: str) -> None:
    body = Watched(READ[name])

    parse_object(body)

    assert body.taken < 5 * len(body)


NOT_JSON: dict[str, bytes] = {
    "after it": b'{"a":\n"' + LONG + b'" "b":1}',
    "a number before it": b'{"a":[1"' + LONG + b'"]}',
    "a number after it": b'{"a":["' + LONG + b'"5]}',
    "two of them": b'{"a":["' + LONG + b'""' + LONG + b'"]}',
    "a line later": "{'é':0}".encode().replace(b"'", b'"')[:-1] + b',"a":"' + LONG + b'",\n"b" 1}',
    "on its line": b'{"a":"data:,' + "é".encode() * MANY + b'" ]',
    "a wrong escape in it": b'{"a":\n"' + LONG + b"data\\x" + LONG + b'"}',
    "a wrong character in it": b'{"a":"data:,' + "é".encode() * MANY + b"\x01" + LONG + b'"}',
    "half an escape at its end": b'{"a":"' + LONG + b'\\u12"}',
    "no end": b'{"a":"' + LONG + b'"',
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_the_same_place_of_an_error(name: str) -> None:
    body = NOT_JSON[name]
    with pytest.raises(json.JSONDecodeError) as told:
        json.loads(body)
    error = told.value
    place = f" at line {error.lineno} column {error.colno}"

    with pytest.raises(MalformedBodyError) as refused:
        parse_object(bytearray(body))

    assert place in refused.value.message
    assert " at at " not in refused.value.message


REFUSED: dict[str, tuple[bytes, str]] = {
    "no UTF-8": (b'{"a":"data:' + LONG + b"\xff" + LONG + b'"}', f"UTF-8 at byte {MANY + 11}."),
    "cut UTF-8": (b'{"a":"data:' + LONG + b"\xe2\x82" + b'"}', f"UTF-8 at byte {MANY + 11}."),
    "NUL": (b'{"a":"' + LONG + b"\\u0000" + LONG + b'"}', "\\u0000 in a string."),
    "half a pair": (b'{"a":"' + LONG + b"\\ud83d" + LONG + b'"}', "a lone surrogate"),
    "twice": (b'{"a":"' + LONG + b'","a":1}', "the key 'a' twice"),
    "a string": (b'"' + LONG + b'"', "not a string."),
    "too large a number": (b'{"a":"' + LONG + b'","b":1e999}', "a number that is too large."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_same_refusal(name: str) -> None:
    body, words = REFUSED[name]

    with pytest.raises(MalformedBodyError) as refused:
        parse_object(bytearray(body))

    assert words in refused.value.message


@pytest.mark.parametrize("value", [["word " * 500] * 1000, "word " * 500_000])
def test_what_is_no_media_has_its_limit(value: Any) -> None:
    with pytest.raises(BodyTooLargeError, match="2 MiB"):
        parse_object(json.dumps({"a": "A" * MANY, "b": value}).encode())
