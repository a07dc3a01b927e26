"""The Vidu adapter: cancelling a job, and testing a channel."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.calls import read_answer
from tests.support.vidu import CHANNEL, KEY, NOW, REF, VIDU, reply

from vidgate.exceptions import ConfigurationError, ProviderProtocolError
from vidgate.models.channels import ChannelAccess
from vidgate.providers.base import CancelAnswer, ProbeAnswer


def error(status: int, reason: Any) -> httpx.Response:
    return httpx.Response(status, json={"code": status, "reason": reason, "message": "m"})


def read_cancel(response: httpx.Response) -> CancelAnswer:
    return read_answer(VIDU.cancel(REF, CHANNEL, NOW), response)


def read_probe(response: httpx.Response) -> ProbeAnswer:
    return read_answer(VIDU.test(CHANNEL, NOW), response)


# Cancelling


def test_cancel_request() -> None:
    sent = VIDU.cancel(REF, CHANNEL, NOW).request
    assert sent.method == "POST"
    assert str(sent.url) == "https://api.vidu.com/ent/v2/tasks/900000000000000001/cancel"
    assert sent.headers["authorization"] == f"Token {KEY}"
    assert sent.content == b'{"id":"900000000000000001"}'


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (reply("cancel-accepted"), CancelAnswer.ACCEPTED),
        (httpx.Response(200), CancelAnswer.ACCEPTED),
        (httpx.Response(204), CancelAnswer.ACCEPTED),
        (error(400, "UserCancelled"), CancelAnswer.ACCEPTED),
        (reply("cancel-too-late"), CancelAnswer.TOO_LATE),
        (error(400, "BadRequest"), CancelAnswer.TOO_LATE),
        (error(418, "Brandnew"), CancelAnswer.TOO_LATE),
        (error(404, "TaskNotFound"), CancelAnswer.UNKNOWN),
        (error(404, "NotFound"), CancelAnswer.UNKNOWN),
        (error(400, "CODEC"), CancelAnswer.UNKNOWN),
    ],
)
def test_cancel_answers(response: httpx.Response, answer: CancelAnswer) -> None:
    assert read_cancel(response) is answer


@pytest.mark.parametrize(
    "response",
    [
        error(401, "Unauthorized"),
        error(403, "Forbidden"),
        error(429, "TooManyRequests"),
        error(400, "OperationInProcess"),
        error(400, "InternalServiceFailure"),
        error(499, "Canceled"),
        error(500, "InternalServiceFailure"),
        httpx.Response(200, json={"reason": "Conflict"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(302, headers={"location": "https://e.example.test"}),
        httpx.Response(404, text="not found"),
        httpx.Response(400),
        httpx.Response(502, text="<html>bad gateway</html>"),
    ],
)
def test_cancel_answers_that_do_not_say(response: httpx.Response) -> None:
    response.headers["Retry-After"] = "7"
    with pytest.raises(ProviderProtocolError) as caught:
        read_cancel(response)
    assert caught.value.retry_after_seconds == 7


# Testing a channel


def test_probe_request() -> None:
    sent = VIDU.test(CHANNEL, NOW).request
    assert sent.method == "GET"
    assert str(sent.url) == "https://api.vidu.com/ent/v2/credits?show_detail=false"
    assert sent.headers["authorization"] == f"Token {KEY}"


def test_probe_needs_a_key() -> None:
    with pytest.raises(ConfigurationError):
        VIDU.test(ChannelAccess("https://api.vidu.com", SecretStr("Token x")), NOW)


def remains(*amounts: Any, kind: str = "metered", name: str = "remains") -> httpx.Response:
    listed = [{"type": kind, "credit_remain": amount} for amount in amounts]
    return httpx.Response(200, json={name: listed, "packages": []})


@pytest.mark.parametrize(
    ("response", "works", "told"),
    [
        (reply("credits"), True, "15,870 credits"),
        (reply("credits-by-table-name"), True, "20 credits"),
        (remains(15870, 30, name="remaining_credits"), True, "15,900 credits"),
        (remains("12.5"), True, "12.5 credits"),
        (remains("20.0"), True, " 20 credits"),
        (remains(0, "soon"), True, "and 0 credits"),  # nobody knows that there are none
        (remains(*[True], None, [7], {}), True, "and 0 credits"),
        (remains(10**12), True, "and 0 credits"),
        (remains("nan"), True, "and 0 credits"),
        (remains(0, kind="concurrent"), True, "0 credits"),
        (remains(0), False, "used up"),
        (remains(), False, "used up"),
        (httpx.Response(200, json={}), False, "not as Vidu does"),
        (httpx.Response(200, json={"remains": [1]}), False, "not as Vidu does"),
        (httpx.Response(200, text="<html>"), False, "not as Vidu does"),
        (error(401, "Unauthorized"), False, "api.vidu.cn are not interchangeable"),
        (error(403, "Forbidden"), False, "permissions"),
        (error(402, "CreditInsufficient"), False, "used up"),
        (error(429, "TooManyRequests"), False, "throttles"),
        (error(500, "InternalServiceFailure"), False, "fails at the moment"),
        (error(404, "NotFound"), True, "could not be checked"),
        (httpx.Response(404, text="no"), False, "https://api.vidu.com"),
        (httpx.Response(301, headers={"location": "https://e.example.test"}), False, "301"),
    ],
)
def test_probe_answers(response: httpx.Response, works: Any, told: str) -> None:
    answer = read_probe(response)
    assert answer.works is works
    assert told in answer.sentence
    assert answer.sentence.endswith(".")
    assert KEY not in answer.sentence
