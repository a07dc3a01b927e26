"""What every adapter reads alike."""

import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from vidgate.models.outcomes import FaultKind
from vidgate.providers.answers import (
    Answer,
    by_code,
    link_ends_at,
    parse_object,
    retry_after_seconds,
    secret_of,
    to_id,
    to_measure,
    to_object,
    to_pixels,
    to_progress,
    to_safe_sentence,
    to_seed,
    to_time,
    to_url,
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


@pytest.mark.parametrize("value", [None, "", "x", 0, [], [{}], True])
def test_what_is_no_object_in_an_answer_is_an_empty_one(value: Any) -> None:
    assert to_object(value) == {}
    assert to_object({"inner": value}) == {"inner": value}


def test_a_table_is_read_by_each_of_its_codes() -> None:
    assert by_code({"a b": 1, "c": 2}) == {"a": 1, "b": 1, "c": 2}


def test_an_object_is_read() -> None:
    assert parse_object(httpx.Response(500, content=b'{"code": 1}')) == {"code": 1}


# An answer beside its question

SENT = httpx.Request(
    "POST",
    "https://user:word@api.test:8443/v1/videos?key=secret-of-ours",
    headers={"Authorization": "Bearer secret-of-ours"},
)


def told(status: int = 400, text: str = "", **headers: str) -> Answer:
    response = httpx.Response(status, text=text, headers=headers)
    return Answer("Vidu", SENT, response, ("secret-of-ours",), re.compile(r"vda_\w+"))


def test_an_answer_tells_no_secret() -> None:
    answer = told(400, '{"message": "secret-of-ours and vda_somebodys"}')

    assert answer.body == {"message": "secret-of-ours and vda_somebodys"}
    assert answer.words(answer.body["message"]) == "[key] and [key]"
    assert answer.said == '{"message": "[key] and [key]"}'
    assert answer.address == "https://api.test:8443/v1/videos"
    assert "secret-of-ours" not in repr(answer)


def test_an_unclear_answer_speaks_for_itself() -> None:
    error = told(502, "<p>secret-of-ours</p>", **{"Retry-After": "7"}).unclear("no job")

    assert str(error) == "Vidu answered 502, no job: <p>[key]</p>"
    assert error.retry_after_seconds == 7


def test_an_unclear_answer_says_what_was_understood_of_it() -> None:
    assert str(told(200).unclear("no job", "50500 Busy")) == "Vidu answered 200, no job: 50500 Busy"


def test_what_answers_at_a_wrong_address() -> None:
    fault = told(404, "secret-of-ours").not_the_api("NotFound")

    assert (fault.kind, fault.code) == (FaultKind.FAULT, "NotFound")
    assert fault.message == "POST https://api.test:8443/v1/videos answers 404: [key]"


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("Fri, 20 Nov 2026 12:00:00 GMT", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("Fri, 20 Nov 2026 12:00:00 +0800", datetime(2026, 11, 20, 4, tzinfo=UTC)),
        ("Fri, 20 Nov 2026 12:00:00 -0000", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("", None),
        ("today", None),
        (YEAR, None),
    ],
)
def test_when_it_was_answered(date: str, moment: datetime | None) -> None:
    assert told(200, Date=date).answered_at == moment


# Single values


NO_IDS: tuple[Any, ...] = (0, -1, 10**20, True, 1.0, None, {}, "", "a/b", "a" * 65)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("abc-1", "abc-1"),
        (12, "12"),
        (18446744073709551617, "18446744073709551617"),
        *((value, None) for value in NO_IDS),
    ],
    ids=repr,
)
def test_ids(value: Any, read: str | None) -> None:
    assert to_id(value, re.compile(r"[A-Za-z0-9_-]{1,64}")) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("https://cdn.test/a.mp4?b=c", "https://cdn.test/a.mp4?b=c"),
        ("http://cdn.test/视频.mp4", "http://cdn.test/视频.mp4"),
        ("/v1/a.mp4", "https://api.test/v1/a.mp4"),
        ("//cdn.test/a.mp4", "https://cdn.test/a.mp4"),
        *(
            (nonsense, None)
            for nonsense in (None, 1, "", "a.mp4", "ftp://a/b", "https:///a", "https://a/b c")
        ),
        *((nonsense, None) for nonsense in ("https://a/\n", "https://[::1/a", "data:video/mp4,a")),
    ],
    ids=repr,
)
def test_urls(value: Any, read: str | None) -> None:
    assert to_url(value, "https://api.test/v1/videos/1") == read


def test_a_path_alone_is_no_url() -> None:
    assert to_url("/a.mp4") is None
    assert to_url("//cdn.test/a.mp4") is None


@pytest.mark.parametrize(
    ("query", "moment"),
    [
        (
            "X-Amz-Date=20261120T120000Z&X-Amz-Expires=3600",
            datetime(2026, 11, 20, 13, tzinfo=UTC),
        ),
        ("Expires=1795176000&Signature=a", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("X-Amz-Date=20269920T120000Z&X-Amz-Expires=9", None),
        ("X-Amz-Date=20261120T120000Z", None),
        ("X-Amz-Date=99991231T235959Z&X-Amz-Expires=9999999", None),
        ("Expires=soon", None),
        ("Expires=123456789012", None),
        ("expires=1795176000", None),
        ("", None),
    ],
    ids=repr,
)
def test_when_a_signed_link_ends(query: str, moment: datetime | None) -> None:
    assert link_ends_at(f"https://cdn.test/a.mp4?{query}") == moment


@pytest.mark.parametrize(
    ("value", "read"),
    [
        *((5, 5), (0.5, 0.5), ("5", 5), ("5.04", 5.04), (" 5s ", 5), ("5.0", 5)),
        *((value, None) for value in (0, -1, 10**6, 10**400, True, None, "", "five", "-1", "1e3")),
        *((value, None) for value in (float("nan"), float("inf"), "9" * 19, [5])),
    ],
    ids=repr,
)
def test_measures(value: Any, read: float | None) -> None:
    assert to_measure(value) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [(720, 720), (720.0, 720), ("720", 720), (720.5, None), (0, None)],
    ids=repr,
)
def test_pixels(value: Any, read: int | None) -> None:
    assert to_pixels(value) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0, 0),
        (-1, -1),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (True, None),
        ("7", None),
        (7.0, None),
    ],
    ids=repr,
)
def test_seeds(value: Any, read: int | None) -> None:
    assert to_seed(value) == read


@pytest.mark.parametrize(
    ("value", "percent"),
    [
        *((0, 0), (30, 30), (100, 100), (30.9, 30), (0.3, 30), ("30", 30), ("30%", 30), (1, 1)),
        *((value, None) for value in (-1, 101, True, None, "", "half", [30], float("nan"))),
    ],
    ids=repr,
)
def test_progress(value: Any, percent: int | None) -> None:
    assert to_progress(value) == percent


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        *((1795176000, NOON), (1795176000.0, NOON), (1795176000000, NOON), ("1795176000", NOON)),
        *(("2026-11-20T12:00:00Z", NOON), ("2026-11-20T20:00:00+08:00", NOON)),
        ("2026-11-20 12:00:00", NOON),
        *((value, None) for value in (0, 1, 10**30, True, None, "", "noon", [1795176000])),
        ("9999-12-31T23:59:59-14:00", None),
    ],
    ids=repr,
)
def test_times(value: Any, moment: datetime | None) -> None:
    assert to_time(value) == moment


# Sentences


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (" seconds must be one of: 4, 8, 12 ", "seconds must be one of: 4, 8, 12"),
        ("metadata.mode must be std or pro.", "metadata.mode must be std or pro."),
        *((value, "") for value in (None, 7, "", "a" * 201, "a\nb", "ask kling-proxy.internal")),
        *((value, "") for value in ("see https://a.test", "your balance is 0", "Somebody is bad")),
    ],
    ids=repr,
)
def test_sentences_that_a_client_may_read(value: Any, read: str) -> None:
    assert to_safe_sentence(value, "", "somebody") == read
