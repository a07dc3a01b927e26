"""Cancelling in the new-api dialect: over made-up services, and over the real ones."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.support.api import build_task, open_api
from tests.support.engine import Engine
from tests.support.gateway import open_client
from tests.support.upstreams import MODELS, Upstream

from vidgate.models.tasks import TaskStatus

PATH = "/v1/video/generations"


async def test_what_waits_is_cancelled_and_answered_like_a_get() -> None:
    async with open_api() as api:
        name = api.services.reader.add(build_task())
        answer = await api.client.post(f"{PATH}/{name}/cancel")
        assert answer.status_code == 200
        told = answer.json()
        assert (told["id"], told["status"], told["error"]["code"]) == (name, "failed", "cancelled")
        assert (await api.client.get(f"{PATH}/{name}")).json() == told
        paths = (await api.client.get("/openapi.json")).json()["paths"]
    assert "409" in paths[f"{PATH}/{{task_id}}/cancel"]["post"]["responses"]


async def test_what_cannot_be_cancelled_is_a_conflict() -> None:
    async with open_api() as api:
        name = api.services.reader.add(build_task(status=TaskStatus.IN_PROGRESS))
        answer = await api.client.post(f"{PATH}/{name}/cancel")
        assert (answer.status_code, answer.json()["code"]) == (409, "cannot_cancel")
        assert answer.json()["error"]["message"]
        answer = await api.client.post(f"{PATH}/task_0/cancel")
        assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")
        assert (await api.client.get(f"{PATH}/{name}/cancel")).status_code == 405


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine) as client:
        yield client


async def test_over_the_real_services(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    body = {"model": MODELS["kling"], "prompt": "a boat"}
    running, waiting = [(await client.post(PATH, json=body)).json()["id"] for _ in range(2)]
    calls = len(engine.router.calls)

    for _ in range(2):
        told = (await client.post(f"{PATH}/{waiting}/cancel")).json()
        assert (told["status"], told["error"]["code"]) == ("failed", "cancelled")
    answer = await client.post(f"{PATH}/{running}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_cancel")
    assert (await client.get(f"{PATH}/{running}")).json()["status"] == "processing"
    assert len(engine.router.calls) == calls
