"""Kling's calls that make no job: what is sent, and what an answer says."""

import json
from typing import Any

import httpx
import jwt
import pytest
from tests.support.adapters import NOW, answer
from tests.support.kling import access, kling

from vidgate.exceptions import ConfigurationError, ProviderProtocolError
from vidgate.models.outcomes import FaultKind, Rejected
from vidgate.providers.base import Call
from vidgate.providers.kling import Kling

FACES = "identify-face"
BASE_URL = "http://kling.test/base"


def ask(name: str = FACES, body: Any = None, credential: str = "key") -> Call[Any]:
    return kling.ask(name, body or {"video_id": "7"}, access(credential, BASE_URL), NOW)


def write(name: str = FACES, body: Any = None, credential: str = "key") -> httpx.Request:
    return ask(name, body, credential).request


def read(status: int, body: Any) -> Any:
    return ask().read(answer(status, body))


@pytest.mark.parametrize("name", Kling.direct_calls)
def test_a_body_goes_out_as_it_came(name: str) -> None:
    body = {"video_url": "https://a.test/ü.mp4", "new": [{"x": None, "y": 0.5}], "session_id": "9"}

    sent = write(name, body)

    assert sent.method == "POST"
    assert str(sent.url) == f"http://kling.test/base/v1/videos/{name}"
    assert json.loads(sent.content) == body
    assert sent.headers["Authorization"] == "Bearer key"
    assert sent.headers["Content-Type"] == "application/json"


def test_there_is_one_for_each_documented_call() -> None:
    steps = ("init", "add", "delete", "clear", "preview")
    selections = {f"multi-elements/{step}-selection": "kling-multi-elements" for step in steps}
    assert Kling.direct_calls == {FACES: "kling-lip-sync"} | selections
    assert set(Kling.direct_calls.values()) <= Kling.capabilities.models.keys()


def test_an_access_key_signs_them() -> None:
    bearer = write(credential="AK|a secret".replace(" ", "-")).headers["Authorization"]
    claims = jwt.decode(
        bearer.removeprefix("Bearer "),
        options={"verify_signature": False, "verify_exp": False, "verify_nbf": False},
    )
    assert claims["iss"] == "AK"


def test_a_key_that_is_none_is_the_operators_business() -> None:
    with pytest.raises(ConfigurationError):
        write(credential="two words")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"session_id": 7, "new": {"a": [None]}}, {"session_id": 7, "new": {"a": [None]}}),
        ({}, {}),
        (None, {}),
        ({"a": [True, 0.5, "§ 🚤", 1 << 80]}, {"a": [True, 0.5, "§ 🚤", 1 << 80]}),
    ],
)
def test_data_comes_as_it_is(data: Any, expected: Any) -> None:
    assert read(200, {"code": 0, "message": "SUCCEED", "data": data}) == expected


def test_an_answer_may_be_as_deep_as_a_question() -> None:
    deep = json.loads('{"a":' * 100 + "1" + "}" * 100)
    assert read(200, {"code": 0, "data": deep}) == deep


def test_an_answer_may_have_no_data() -> None:
    assert read(200, {"code": 0}) == {}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (200, 1201, FaultKind.BAD_PARAMETER),
        (400, 1301, FaultKind.CONTENT_POLICY),
        (401, 1002, FaultKind.CREDENTIAL),
        (429, 1102, FaultKind.BALANCE),
        (429, 1303, FaultKind.CONCURRENCY),
        (404, 1203, FaultKind.MODEL_UNAVAILABLE),
    ],
)
def test_the_code_says_why_not(status: int, code: int, kind: FaultKind) -> None:
    said = read(status, {"code": code, "message": "Session not found by id: 930000000000"})
    assert isinstance(said, Rejected)
    assert (said.fault.kind, said.fault.code) == (kind, str(code))
    assert "93000" not in said.fault.safe_message


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"code": 5000, "message": "internal"}),
        (504, {"code": 5002, "message": "slow"}),
        (200, {"code": 0, "data": [1]}),
        (200, {"code": 0, "data": "done"}),
        (500, {"code": 0, "data": {"session_id": "1"}}),
        (502, "<html>bad gateway</html>"),
        (404, "not found"),
        (200, '{"code": 0, "da'),
        (200, {"data": {}}),
        (200, '{"code": 0, "data": {"a": ["\\ud83d"]}}'),
        (200, '{"code": 0, "data": {"\\ud83d": 1}}'),
        (200, '{"code": 0, "data": {"a": NaN}}'),
        (200, '{"code": 0, "data": {"a": 1e999}}'),
        (200, '{"code": 0, "data": ' + '{"a":' * 101 + "1" + "}" * 102),
        (200, '{"code": 0, "data": {"a":' + "[" * 100 + "]" * 100 + "}}"),
    ],
)
def test_what_is_no_answer_says_nothing(status: int, body: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        read(status, body)
