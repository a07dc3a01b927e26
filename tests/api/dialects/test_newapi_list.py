"""`GET /v1/video/generations`: in parts that stay right while tasks are made, and filtered."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.support.engine import Engine
from tests.support.gateway import open_client
from tests.support.upstreams import MODELS, Upstream

PATH = "/v1/video/generations"


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine) as client:
        yield client


async def make(engine: Engine, count: int, **members: Any) -> list[str]:
    if not await engine.services.directory.channels():
        await engine.channel("kling")
        Upstream(engine.router, "kling")
    names = []
    for _ in range(count):
        names.append((await engine.create(MODELS["kling"], **members)).snapshot.public_id)
        engine.clock.advance(seconds=1)
    return names


async def ask(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    part: dict[str, Any] = answer.json()
    names = [task["id"] for task in part["data"]]
    assert part["object"] == "list"
    assert (part["first_id"], part["last_id"]) == ((names[0], names[-1]) if names else (None,) * 2)
    return part


async def names_of(client: httpx.AsyncClient, **query: Any) -> list[str]:
    return [task["id"] for task in (await ask(client, **query))["data"]]


async def test_an_entry_is_what_a_get_answers(engine: Engine, client: httpx.AsyncClient) -> None:
    [name] = await make(engine, 1)
    [entry] = (await ask(client))["data"]
    assert entry == (await client.get(f"{PATH}/{name}")).json()


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_parts_stay_right_while_tasks_are_made(
    engine: Engine, client: httpx.AsyncClient, order: str
) -> None:
    names = await make(engine, 7)
    inherited = names if order == "asc" else names[::-1]
    walked: list[str] = []
    query: dict[str, Any] = {"limit": 2, "order": order}
    while True:
        part = await ask(client, **query)
        walked += [task["id"] for task in part["data"]]
        if not part["has_more"] or len(walked) >= 6:
            break
        query["after"] = part["last_id"]
        names += await make(engine, 1)
    assert walked[:6] == inherited[:6]

    # And back, from the last one: every part is in the order that was asked for.
    back: list[str] = []
    query = {"limit": 2, "order": order, "before": walked[5]}
    while True:
        part = await ask(client, **query)
        back = [task["id"] for task in part["data"]] + back
        if not part["has_more"]:
            break
        query["before"] = part["first_id"]
    everything = names if order == "asc" else names[::-1]
    assert back == everything[: everything.index(walked[5])]
    assert await names_of(client, order=order, after=walked[0], before=walked[4]) == walked[1:4]


async def test_each_filter(engine: Engine, client: httpx.AsyncClient) -> None:
    start = int(engine.clock.now().timestamp())
    first, second = await make(engine, 2)
    [theirs] = await make(engine, 1, user="u1")
    await engine.services.canceller.cancel(second, engine.caller.sight, discard=True)
    fake = Upstream(engine.router, "kling")
    fake.on_poll = ["succeeded"]

    assert await names_of(client, status="failed") == [second]
    assert await names_of(client, status="cancelled") == [second]
    assert await names_of(client, status="processing") == [theirs, first]
    assert await names_of(client, status="in_progress, cancelled") == [theirs, second, first]
    assert await names_of(client, status="queued") == []
    assert await names_of(client, status="succeeded") == []
    assert await names_of(client, user="u1") == [theirs]
    assert await names_of(client, model=MODELS["kling"], limit=1) == [theirs]
    assert await names_of(client, model="other") == []
    assert await names_of(client, created_after=start) == [theirs, second]
    assert await names_of(client, created_before=start + 1) == [first]
    assert await names_of(client, created_after=start, created_before=start + 2) == [second]
    assert await names_of(client, status="failed", user="u1") == []
    assert len(await names_of(client, status="", user="", after="")) == 3


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"order": "up"}, "order"),
        ({"status": "done"}, "status"),
        ({"status": "failed,"}, "status"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"created_before": "-1"}, "created_before"),
        ({"created_before": "9" * 20}, "created_before"),
        ({"user": "u" * 600}, "user"),
    ],
)
async def test_what_is_impossible(
    client: httpx.AsyncClient, query: dict[str, str], param: str
) -> None:
    answer = await client.get(PATH, params=query)
    assert (answer.status_code, answer.json()["param"]) == (400, param)


@pytest.mark.parametrize("param", ["after", "before"])
async def test_a_place_that_is_none(client: httpx.AsyncClient, param: str) -> None:
    answer = await client.get(PATH, params={param: "task_0"})
    assert (answer.status_code, answer.json()["param"]) == (404, param)


async def test_a_part_that_is_too_long_is_cut_at_its_far_end(
    engine: Engine, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await make(engine, 5)
    whole = len((await client.get(PATH)).content)
    monkeypatch.setattr("vidgate.api.writing.LIST_BYTES", whole // 2)

    forward = await ask(client)
    backward = await ask(client, before=names[0])

    assert [task["id"] for task in forward["data"]] == [names[4], names[3]]
    assert [task["id"] for task in backward["data"]] == [names[2], names[1]]
    assert forward["has_more"]
    assert backward["has_more"]


async def test_tasks_of_one_moment_are_in_the_order_they_were_made(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await make(engine, 0)
    names = [(await engine.create(MODELS["kling"])).snapshot.public_id for _ in range(20)]
    engine.clock.advance(hours=1)
    assert await names_of(client, order="asc") == names
    assert timedelta(0) < engine.clock.now() - (await engine.task(names[0])).created_at
