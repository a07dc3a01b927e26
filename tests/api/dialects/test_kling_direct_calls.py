"""Kling's calls that make no task, over services that were made up."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from pydantic import SecretStr
from tests.support.api import Api, open_api

from vidgate.api.dialects.kling.endpoints import DIRECT_CALLS
from vidgate.exceptions import DatabaseUnavailableError, NotFoundError, UpstreamUnavailableError
from vidgate.models.channels import ChannelAccess
from vidgate.providers.kling import Kling

VIDEOS = "/kling/v1/videos"
FACES = f"{VIDEOS}/identify-face"
SECRET = "a secret of any length, long enough"

EVERY = pytest.mark.parametrize("name", [endpoint.name for endpoint in DIRECT_CALLS])


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


def test_there_is_a_route_for_each_of_the_adapters() -> None:
    assert {endpoint.name for endpoint in DIRECT_CALLS} == Kling.direct_calls.keys()


@EVERY
async def test_it_is_asked_as_it_came_and_answered_as_kling_does(api: Api, name: str) -> None:
    body = {"video_id": "7", "new": [1, {"x": None}], "model_name": "x", "callback_url": "y"}
    api.services.direct_calls.answer = {"session_id": "session_x", "new": [None]}

    for path in (f"{VIDEOS}/{name}", f"{VIDEOS}/{name}/"):
        answer = await api.client.post(path, json=body, headers={"X-Request-Id": "req-7"})

        assert answer.status_code == 200
        assert answer.json() == {
            "code": 0,
            "message": "SUCCEED",
            "request_id": "req-7",
            "data": {"session_id": "session_x", "new": [None]},
        }
    caller = api.services.directory.caller
    assert api.services.direct_calls.asked == [(caller, "kling", name, body)] * 2
    assert api.services.task_creator.requests == []


@EVERY
async def test_who_may_ask(api: Api, name: str) -> None:
    path = f"{VIDEOS}/{name}"
    bare = await api.client.post(path, json={}, headers={"Authorization": ""})
    unknown = await api.client.post(path, json={}, headers={"Authorization": "Bearer sk-x"})
    api.services.directory.access_keys["AK1"] = SecretStr(SECRET)
    claims = {"iss": "AK1", "exp": datetime.now(UTC) + timedelta(minutes=5)}
    token = jwt.encode(claims, SECRET, algorithm="HS256")
    assert api.services.direct_calls.asked == []
    signed = await api.client.post(path, json={}, headers={"Authorization": f"Bearer {token}"})

    assert (bare.status_code, bare.json()["code"]) == (401, 1001)
    assert (unknown.status_code, unknown.json()["code"]) == (401, 1002)
    assert (signed.status_code, len(api.services.direct_calls.asked)) == (200, 1)


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"content": b"[]"}, 400, 1200),
        ({"content": b"{"}, 400, 1200),
        ({"files": {"image": b"x"}}, 400, 1200),
        ({"json": {"image": "A" * 28 * 1024 * 1024}}, 413, 1200),
    ],
    ids=["list", "cut", "form", "large"],
)
async def test_bodies_that_are_none(
    api: Api, options: dict[str, Any], status: int, code: int
) -> None:
    answer = await api.client.post(FACES, **options)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert api.services.direct_calls.asked == []


@pytest.mark.parametrize(
    ("error", "status", "code", "param"),
    [
        (UpstreamUnavailableError("no"), 429, 1302, None),
        (
            NotFoundError("no", param="session_id", code="session_not_found"),
            404,
            1201,
            "session_id",
        ),
        (DatabaseUnavailableError("down"), 503, 5001, None),
    ],
)
async def test_why_not(
    api: Api, error: Exception, status: int, code: int, param: str | None
) -> None:
    api.services.direct_calls.error = error
    answer = await api.client.post(FACES, json={})

    told = answer.json()
    assert (answer.status_code, told["code"], told["error"]["param"]) == (status, code, param)
    # Asking again does no harm, and SDKs are not kept from it.
    assert "x-should-retry" not in answer.headers
    assert "data" not in told


async def test_they_are_only_posted(api: Api) -> None:
    answer = await api.client.get(FACES)
    assert (answer.status_code, answer.json()["code"]) == (405, 1202)
    assert answer.headers["Allow"] == "POST"


async def test_our_own_adapter_asks_and_reads_them(api: Api) -> None:
    token = api.client.headers["Authorization"].removeprefix("Bearer ")
    channel = ChannelAccess("http://gateway.test/kling", SecretStr(token))
    api.services.direct_calls.answer = {"session_id": "session_x"}
    for name in Kling.direct_calls:
        call = Kling().ask(name, {"a": 1}, channel, datetime.now(UTC))
        answer = await api.client.send(call.request)
        assert call.read(answer) == {"session_id": "session_x"}
    assert [name for _, _, name, _ in api.services.direct_calls.asked] == list(Kling.direct_calls)
