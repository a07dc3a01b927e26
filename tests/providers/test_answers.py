"""What every adapter reads alike."""

import re

import httpx
import pytest

from vidgate.providers.answers import (
    parse_object,
    retry_after_seconds,
    secret_of,
    to_words,
)

SENT_AT = "Fri, 20 Nov 2026 12:00:00 GMT"
YEAR = f"Fri, 20 Nov {'9' * 20} 12:00:00 GMT"


def answer(**headers: str) -> httpx.Response:
    raw = {name.replace("_", "-"): value.encode("latin-1") for name, value in headers.items()}
    return httpx.Response(429, headers=[(name.encode(), value) for name, value in raw.items()])


# When to ask again


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("0", 0),
        ("999999", 3600),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
        ("Sat, 21 Nov 2026 12:00:00 GMT", 3600),
    ],
)
def test_seconds_and_dates_are_read(value: str, seconds: float) -> None:
    assert retry_after_seconds(answer(retry_after=value, date=SENT_AT)) == seconds


@pytest.mark.parametrize(
    "value", ["", "-1", "nan", "inf", "1e3", "²", "soon", "Fri, 99 Nov 2026 12:00:00 GMT", YEAR]
)
def test_nonsense_says_nothing(value: str) -> None:
    assert retry_after_seconds(answer(retry_after=value, date=SENT_AT)) is None


@pytest.mark.parametrize("headers", [{}, {"date": "today"}, {"date": "Fri, 20 Nov 2026 12:00:00"}])
def test_a_date_says_nothing_without_the_answers_own(headers: dict[str, str]) -> None:
    response = answer(retry_after="Fri, 20 Nov 2026 12:00:30 GMT", **headers)

    assert retry_after_seconds(response) is None


# Words


def test_words_are_printable() -> None:
    assert to_words(" a\0b\nc\ud800\u202e ") == "a b c?"


def test_words_are_short() -> None:
    assert to_words("x" * 10_000) == "x" * 500
    assert to_words("abcdef", limit=3) == "abc"


@pytest.mark.parametrize("value", [None, 7, ["text"], {"text": 1}, b"text"])
def test_what_is_no_text_has_no_words(value: object) -> None:
    assert to_words(value) == ""


def test_secrets_are_taken_out() -> None:
    assert to_words("key secret-of-ours is bad", "secret-of-ours") == "key [key] is bad"
    assert to_words("vda_somebodys is bad", keys=re.compile(r"vda_\w+")) == "[key] is bad"


def test_the_shortest_secret_is_taken_out() -> None:
    assert to_words("a bad key: 12345678", "12345678") == "a bad key: [key]"
    assert to_words("a bad key: 1234567", "1234567") == "a bad key: 1234567"


def test_short_secrets_are_not_looked_for_in_words() -> None:
    assert to_words("a bad key", "bad", "") == "a bad key"


@pytest.mark.parametrize("scheme", ["Bearer ", "Token ", ""])
def test_the_secret_of_a_request(scheme: str) -> None:
    sent = httpx.Request("GET", "https://a.example", headers={"Authorization": f"{scheme}vda_1"})

    assert secret_of(sent) == "vda_1"


def test_a_request_without_a_secret() -> None:
    assert secret_of(httpx.Request("GET", "https://a.example")) == ""


# Bodies


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"a"', b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_object_is_none(body: bytes) -> None:
    assert parse_object(httpx.Response(200, content=body)) is None


def test_an_object_is_read() -> None:
    assert parse_object(httpx.Response(500, content=b'{"code": 1}')) == {"code": 1}
