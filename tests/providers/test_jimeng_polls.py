from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.adapters import answer
from tests.support.jimeng import (
    GATEWAY,
    NOW,
    VIDEO_URL,
    gateway_error,
    poll,
    reply,
    service_error,
)

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.outcomes import (
    Failed,
    FaultKind,
    Pending,
    Succeeded,
    Unreadable,
    VideoResult,
)


@pytest.mark.parametrize("name", ["poll_done", "poll_done_leftovers", "poll_done_wrapped"])
def test_poll_succeeded(name: str) -> None:
    expires_at = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)

    assert poll(reply(name)) == Succeeded(VideoResult(url=VIDEO_URL, expires_at=expires_at))


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 31 Feb 2026 08:05:00 GMT"])
def test_expiry_counts_from_the_question_where_the_answer_has_no_date(date: str) -> None:
    body = {"code": 10000, "data": {"status": "done", "video_url": VIDEO_URL}}

    outcome = poll(answer(200, body, date=date))

    assert isinstance(outcome, Succeeded)
    assert outcome.result.expires_at == NOW + timedelta(hours=1)


def test_expiry_is_unknown_beyond_the_end_of_time() -> None:
    body = {"code": 10000, "data": {"status": "done", "video_url": VIDEO_URL}}

    outcome = poll(answer(200, body, date="Fri, 31 Dec 9999 23:30:00 GMT"))

    assert isinstance(outcome, Succeeded)
    assert outcome.result.expires_at is None


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("poll_in_queue", Pending(started=False)),
        ("poll_generating", Pending(started=True)),
        ("poll_processing", Pending(started=False)),
    ],
)
def test_poll_pending(name: str, outcome: Pending) -> None:
    assert poll(reply(name)) == outcome


@pytest.mark.parametrize(
    ("name", "kind", "doubtful"),
    [
        ("poll_done_without_url", FaultKind.FAULT, True),
        ("poll_not_found", FaultKind.NOT_FOUND, True),
        ("poll_expired", FaultKind.EXPIRED, True),
        ("poll_moderation", FaultKind.CONTENT_POLICY, False),
        ("poll_input_refused", FaultKind.BAD_PARAMETER, False),
    ],
)
def test_poll_failed(name: str, kind: FaultKind, doubtful: bool) -> None:  # noqa: FBT001
    outcome = poll(reply(name))

    assert isinstance(outcome, Failed)
    assert (outcome.fault.kind, outcome.doubtful) == (kind, doubtful)


@pytest.mark.parametrize("url", [None, "", 5, ["https://a"], "ftp://a", "https://a\n", "//a"])
def test_done_without_a_usable_url_is_doubtful(url: Any) -> None:
    outcome = poll(answer(200, {"code": 10000, "data": {"status": "done", "video_url": url}}))

    assert isinstance(outcome, Failed)
    assert outcome.doubtful


@pytest.mark.parametrize("name", ["poll_unknown_status", "poll_unknown_code", "poll_null_data"])
def test_poll_unreadable(name: str) -> None:
    assert isinstance(poll(reply(name)), Unreadable)


@pytest.mark.parametrize("status", [None, "", 5, True, ["done"], {"done": 1}, "DONE", "failed"])
def test_unknown_status_is_never_guessed(status: Any) -> None:
    outcome = poll(answer(200, {"code": 10000, "data": {"status": status, "video_url": VIDEO_URL}}))

    assert isinstance(outcome, Unreadable)


@pytest.mark.parametrize(
    "name",
    [
        "poll_rate",
        "poll_internal",
        "poll_access_key",
        "html_502",
        "html_429",
        "html_200",
        "truncated",
    ],
)
def test_poll_could_not_ask(name: str) -> None:
    with pytest.raises(ProviderProtocolError):
        poll(reply(name))


@pytest.mark.parametrize("code", [50429, 50430, 50500, 50501, 50400, 30403, 30404])
def test_service_code_on_poll_that_says_nothing_of_the_job(code: int) -> None:
    for http_status in (200, 400):
        with pytest.raises(ProviderProtocolError):
            poll(service_error(http_status, code))


@pytest.mark.parametrize(
    "code", [50411, 50412, 50413, 50511, 50512, 50513, 50514, 50516, 50517, 50518, 50519]
)
def test_moderation_on_poll_is_final(code: int) -> None:
    for http_status in (200, 400):
        outcome = poll(service_error(http_status, code))
        assert isinstance(outcome, Failed)
        assert outcome.fault.kind is FaultKind.CONTENT_POLICY
        assert outcome.fault.safe_message
        assert not outcome.doubtful


@pytest.mark.parametrize("code", [50520, 50521, 50522])
def test_broken_moderation_on_poll_is_doubtful(code: int) -> None:
    outcome = poll(service_error(400, code))

    assert isinstance(outcome, Failed)
    assert outcome.fault.kind is FaultKind.FAULT
    assert outcome.doubtful


@pytest.mark.parametrize("code", [50200, 61234, 0, -1, 10001])
def test_other_codes_on_poll_are_unreadable(code: int) -> None:
    assert isinstance(poll(service_error(400, code)), Unreadable)


@pytest.mark.parametrize(("http_status", "number", "word", "kind"), GATEWAY)
def test_gateway_code_on_poll_means_we_could_not_ask(
    http_status: int, number: int, word: str, kind: FaultKind
) -> None:
    assert kind
    with pytest.raises(ProviderProtocolError):
        poll(gateway_error(http_status, CodeN=number, Code=word))


def test_5xx_on_poll_is_not_believed_whatever_it_says() -> None:
    for http_status in (500, 502, 503, 504, 599):
        with pytest.raises(ProviderProtocolError):
            poll(service_error(http_status, 50411))
