"""Cancelling in the new-api dialect: over made-up services, and over the real ones."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.support.api import build_task, open_api
from tests.support.engine import Engine
from tests.support.gateway import open_client
from tests.support.upstreams import MODELS, Upstream

from vidgate.models.tasks import TaskStatus

PATH = "/v1/video/generations"

OF_ONE_ANSWER = re.compile('"(request_id|time_elapsed)":"[^"]*"')
JIMENG = "/jimeng?Action=CVSync2Async{}&Version=2022-08-31"


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


@pytest.mark.parametrize(
    ("query", "status", "param"),
    [
        ("discard=true", 200, None),
        ("discard=1&output=0", 200, None),
        ("discard=false", 409, None),
        ("discard=", 409, None),
        ("discard=maybe", 400, "discard"),
        ("discard=2", 400, "discard"),
        ("output=x", 400, "output"),
        ("output=8", 400, "output"),
        ("output=-1", 400, "output"),
    ],
)
async def test_what_is_asked_for(query: str, status: int, param: str | None) -> None:
    async with open_api() as api:
        name = api.services.reader.add(build_task(status=TaskStatus.IN_PROGRESS))
        answer = await api.client.post(f"{PATH}/{name}/cancel?{query}")
    assert answer.status_code == status
    assert answer.json().get("param") == param


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


DIALECTS: dict[str, tuple[str, str, dict[str, str], str]] = {
    "openai": ("kling", "/v1/videos", {"model": MODELS["kling"]}, "/v1/videos/{}"),
    "kling": (
        "kling",
        "/kling/v1/videos/text2video",
        {"model_name": "kling-v2-6"},
        "/kling/v1/videos/text2video/{}",
    ),
    "vidu": (
        "vidu",
        "/vidu/ent/v2/text2video",
        {"model": MODELS["vidu"]},
        "/vidu/ent/v2/tasks/{}/creations",
    ),
    "jimeng": ("jimeng", JIMENG.format("SubmitTask"), {"req_key": "jimeng_t2v_v30"}, ""),
}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_dialect_shows_what_is_discarded_as_cancelled(
    engine: Engine, client: httpx.AsyncClient, dialect: str
) -> None:
    provider, post, body, get = DIALECTS[dialect]
    await engine.channel(provider)
    fake = Upstream(engine.router, provider)
    engine.router.post(url__regex=r"/cancel$").mock(return_value=httpx.Response(409, json={}))
    engine.services.canceller._wait = 0.05
    made = (await client.post(post, json=body | {"prompt": "a boat"})).json()
    name = made.get("id") or made.get("task_id") or made["data"]["task_id"]

    async def look() -> str:
        if get:
            answer = await client.get(get.format(name))
        else:
            asked = {"req_key": body["req_key"], "task_id": name}
            answer = await client.post(JIMENG.format("GetResult"), json=asked)
        return OF_ONE_ANSWER.sub("", answer.text)

    told = (await client.post(f"{PATH}/{name}/cancel?discard=true")).json()
    assert (told["status"], told["error"]["code"]) == ("failed", "cancelled")
    before = await look()
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=5)
    engine.services.reader.forget((await engine.task(name)).id)

    after = await look()

    assert after == before
    assert "discarded" in after
    assert ".mp4" not in after
