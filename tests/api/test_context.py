from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from structlog.testing import capture_logs
from tests.api.creating_posts import POSTS
from tests.support.api import Api, build_task, call, open_api

from vidgate.providers.vidu import Vidu

PATH = "/v1/video/generations"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


@pytest.mark.parametrize("request_id", ["a", "7f3c.a_b-C", "x" * 128])
async def test_a_sane_request_id_is_given_back(api: Api, request_id: str) -> None:
    response = await api.client.get("/healthz", headers={"X-Request-Id": request_id})

    assert response.headers["X-Request-Id"] == request_id


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a b", "a\tb", "<script>", "a;b"])
async def test_any_other_is_replaced(api: Api, request_id: str) -> None:
    response = await api.client.get("/healthz", headers={"X-Request-Id": request_id})

    assert response.headers["X-Request-Id"] != request_id
    assert len(response.headers["X-Request-Id"]) == 32


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("PUT", PATH, 405),
        ("OPTIONS", PATH, 204),
        ("POST", PATH, 400),
    ],
)
async def test_every_answer_has_one(api: Api, method: str, path: str, status: int) -> None:
    response = await api.client.request(method, path, headers={"X-Request-Id": "mine"})

    assert response.status_code == status
    assert response.headers["X-Request-Id"] == "mine"


async def test_options_names_the_methods(api: Api) -> None:
    assert (await api.client.options(PATH)).headers["Allow"] == "POST, OPTIONS"
    assert (await api.client.options(f"{PATH}/task_1")).headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_requests_are_logged_but_for_a_poll_that_succeeds(api: Api) -> None:
    task_id = api.services.reader.add(build_task())
    with capture_logs() as entries:
        await api.client.get(f"{PATH}/{task_id}")
        await api.client.head(f"{PATH}/{task_id}/")
        await api.client.get("/healthz")
        await api.client.get(f"{PATH}/task_1")
        await api.client.post(f"{PATH}/", json={"model": "kling-v1", "prompt": "a cat"})

    told = [(entry["method"], entry["path"], entry["status"]) for entry in entries]
    assert told == [("GET", f"{PATH}/task_1", 404), ("POST", PATH, 200)]


@pytest.mark.parametrize(("path", "body"), POSTS.values(), ids=POSTS)
async def test_the_line_of_a_creating_request_names_its_task(
    api: Api, path: str, body: dict[str, Any]
) -> None:
    cast("Any", api.services.providers)["vidu"] = Vidu()
    with capture_logs() as entries:
        response = await api.client.post(path, json=body)

    assert response.status_code == 200
    assert [entry["event"] for entry in entries] == ["Request answered"]
    assert entries[0]["task"].startswith("task_")
    assert entries[0]["task"] in response.text


async def test_an_unexpected_error_is_logged_with_its_traceback(api: Api) -> None:
    api.services.task_creator.error = RuntimeError("broken")
    with capture_logs() as entries:
        await api.client.post(PATH, json={"model": "kling-v1", "prompt": "a cat"})

    assert entries[0]["event"] == "A request failed"
    assert entries[0]["exc_info"] is api.services.task_creator.error
    assert entries[1]["status"] == 500


async def test_requests_are_counted_by_route(api: Api) -> None:
    task_id = api.services.reader.add(build_task())
    await api.client.get(f"{PATH}/{task_id}")
    await api.client.get(f"{PATH}/task_1")
    await api.client.post(PATH, json={"model": "kling-v1", "prompt": "a cat"})
    await api.client.request("BREW", "/coffee")

    counted = (await api.client.get("/metrics")).text
    for labels in (
        f'method="GET",route="{PATH}/{{task_id}}",status="200"',
        f'method="GET",route="{PATH}/{{task_id}}",status="404"',
        f'method="POST",route="{PATH}",status="200"',
        'method="OTHER",route="unmatched",status="404"',
    ):
        assert f"vidgate_requests_total{{{labels}}} 1.0" in counted


async def test_a_client_that_goes_away_leaves_nothing(api: Api) -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    with capture_logs() as entries:
        sent = await call(api.app, messages, headers=[(b"content-length", b"100")])

    assert sent == []
    assert api.budget.used_bytes == 0
    assert entries[-1]["status"] == 499


async def test_any_page_may_call_and_no_token_is_needed_to_ask_whether(api: Api) -> None:
    response = await api.client.options(
        PATH,
        headers={
            "Authorization": "",
            "Origin": "https://app.test",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,prefer",
        },
    )

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Headers"] == "authorization,content-type,prefer"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert response.headers["X-Request-Id"]


async def test_a_page_can_read_errors_too(api: Api) -> None:
    response = await api.client.get(
        f"{PATH}/task_1", headers={"Authorization": "", "Origin": "https://app.test"}
    )

    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Request-Id" in response.headers["Access-Control-Expose-Headers"]


async def test_a_setting_narrows_who_may_call() -> None:
    async with open_api(cors_origins=("https://app.test",)) as api:
        ours = await api.client.get("/healthz", headers={"Origin": "https://app.test"})
        other = await api.client.get("/healthz", headers={"Origin": "https://evil.test"})
        none = await api.client.get("/healthz")

    assert ours.headers["Access-Control-Allow-Origin"] == "https://app.test"
    assert "Access-Control-Allow-Origin" not in other.headers
    assert none.headers["Vary"] == "Origin"
