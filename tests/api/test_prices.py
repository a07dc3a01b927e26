"""What a task costs, as every dialect tells it, through the real services and database."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.support.engine import Engine, open_engine
from tests.support.gateway import open_client
from tests.support.upstreams import Upstream

POSTS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "newapi": (
        "kling",
        "/v1/video/generations",
        {"model": "kling-v2-6", "prompt": "a boat", "duration": 10},
        "0.42 USD",
    ),
    "openai": ("kling", "/v1/videos", {"model": "kling-v2-6", "prompt": "a boat"}, "0.21 USD"),
    "kling": (
        "kling",
        "/kling/v1/videos/text2video",
        {"model_name": "kling-v2-6", "prompt": "a boat", "mode": "pro"},
        "0.35 USD",
    ),
    "jimeng": (
        "jimeng",
        "/jimeng?Action=CVSync2AsyncSubmitTask&Version=2022-08-31",
        {"req_key": "jimeng_t2v_v30", "prompt": "a boat"},
        "0.197183 USD",
    ),
    "vidu": (
        "vidu",
        "/vidu/ent/v2/text2video",
        {"model": "viduq3-pro", "prompt": "a boat"},
        "0.50 USD",
    ),
}
"""A request: its provider, path, body and price."""


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    rates = {"CNY": "7.1"}
    async with open_engine(database_url, prices="shipped", currency_rates=rates) as engine:
        yield engine


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine) as client:
        yield client


@pytest.mark.parametrize("name", POSTS)
async def test_every_submit_tells_its_price(
    engine: Engine, client: httpx.AsyncClient, name: str
) -> None:
    provider, path, body, price = POSTS[name]
    await engine.channel(provider)
    Upstream(engine.router, provider)

    answer = await client.post(path, json=body)

    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Vidgate-Price"] == price


PATHS = ("/v1/video/generations", "/v1/videos")


@pytest.mark.parametrize("path", PATHS)
async def test_a_task_tells_what_it_costs(
    engine: Engine, client: httpx.AsyncClient, path: str
) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    made = (await client.post(path, json={"model": "kling-v2-6", "prompt": "a boat"})).json()

    told = (await client.get(f"{path}/{made['id']}")).json()

    cost = told["metadata"]["cost"]
    assert cost == {
        "amount": "0.210000",
        "currency": "USD",
        "micros": 210_000,
        "state": "reserved",
        "seconds": None,
        "units": None,
    }
    if path == "/v1/videos":
        assert told["usage"] == {"cost": 0.21}


REFUSALS = {"newapi": (403, "newapi"), "openai": (429, "openai"), "kling": (429, "kling")}


@pytest.mark.parametrize("name", REFUSALS)
async def test_an_empty_balance_is_told_in_the_dialects_shape(
    engine: Engine, client: httpx.AsyncClient, name: str
) -> None:
    status, post = REFUSALS[name]
    provider, path, body, _ = POSTS[post]
    await engine.channel(provider)
    await engine.operator.ledger.set_prepaid(engine.caller.account_id, prepaid=True)

    answer = await client.post(path, json=body)

    assert answer.status_code == status
    assert answer.headers["x-should-retry"] == "false"
    if name != "kling":
        assert answer.json()["error"]["code"] == "insufficient_quota"
        assert answer.json()["error"]["type"] == "insufficient_quota"


@pytest.mark.parametrize("first", ["cheap", "dear"])
async def test_the_dearest_of_what_may_serve_is_held(
    engine: Engine, client: httpx.AsyncClient, first: str
) -> None:
    mapped = {"cheap": {}, "dear": {"kling-v2-6": "kling-v3"}}
    for name, model_map in mapped.items():
        await engine.channel("kling", name, model_map=model_map, priority=int(name == first))
    Upstream(engine.router, "kling", host=first)

    body = {"model": "kling-v2-6", "prompt": "a boat"}
    answer = await client.post("/v1/videos", json=body)
    estimate = await client.post("/v1/video/estimate", json=body)

    assert answer.headers["X-Vidgate-Price"] == "0.42 USD"
    assert estimate.json()["micros"] == 420_000
