"""Lists of large tasks: cut at 4 MiB, and whole for whoever goes on from where they end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.support.engine import Engine
from tests.support.gateway import open_client
from tests.support.upstreams import MODELS, Upstream

from vidgate.constants import LIST_BYTES
from vidgate.db.engine import Statement
from vidgate.models.accounts import Sight
from vidgate.models.tasks import TaskQuery

FATTEN = Statement(
    text(
        "UPDATE tasks SET dialect = 'vidu',"
        " echo = jsonb_build_object('payload', repeat('p', CAST(:payload AS int)),"
        " 'external_task_id', 'mine'),"
        " request = jsonb_set(request, '{prompt}', to_jsonb(repeat('w', CAST(:prompt AS int))))"
    )
)
COUNT = 12

Walk = Callable[[httpx.AsyncClient, list[str]], Awaitable[list[list[str]]]]


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine) as client:
        yield client


async def openai(client: httpx.AsyncClient, _names: list[str]) -> list[list[str]]:
    parts, query = [], {"limit": "100"}
    while True:
        answer = await ask(client, "GET", "/v1/videos", params=query)
        parts.append([video["id"] for video in answer["data"]])
        if not answer["has_more"]:
            return parts
        query = {"limit": "100", "after": answer["last_id"]}


async def kling(client: httpx.AsyncClient, _names: list[str]) -> list[list[str]]:
    answer = await ask(client, "POST", "/kling/tasks", json={"limit": 500})
    assert answer["data"]["has_more"] is False
    return [[task["id"] for task in answer["data"]["result"]]]


async def vidu(client: httpx.AsyncClient, _names: list[str]) -> list[list[str]]:
    return await vidu_parts(client, {"pager.pagesz": "100"})


async def vidu_named(client: httpx.AsyncClient, names: list[str]) -> list[list[str]]:
    return await vidu_parts(client, {"task_ids[]": names})


async def vidu_parts(client: httpx.AsyncClient, query: dict[str, object]) -> list[list[str]]:
    parts, token = [], ""
    while True:
        page = {"pager.page_token": token} if token else {}
        params = httpx.QueryParams(query | page)  # type: ignore[arg-type] # lists as well
        answer = await ask(client, "GET", "/vidu/ent/v2/tasks", params=params)
        parts.append([task["id"] for task in answer["tasks"]])
        token = answer["next_page_token"]
        if not token:
            return parts


async def ask(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> dict[str, Any]:
    answer = await client.request(method, path, **options)
    assert answer.status_code == 200, answer.text[:500]
    assert len(answer.content) <= LIST_BYTES + 10_000 or answer.text.count('"created_at"') == 1
    content: dict[str, Any] = answer.json()
    return content


@pytest.mark.parametrize(
    ("walk", "sizes", "parts"),
    [
        (openai, (1_000_000, 10), 3),  # which shows no payload, and yet has to be read
        (openai, (10, 1_000_000), 3),
        (openai, (10, 10), 1),
        (kling, (1_000_000, 1_000_000), 1),
        (vidu, (1_000_000, 10), 3),
        (vidu, (1_000_000, 1_000_000), 6),
        (vidu, (1_000_000, 5_000_000), 12),
        (vidu, (10, 10), 1),
        (vidu_named, (1_000_000, 10), 3),
        (vidu_named, (1_000_000, 5_000_000), 12),
        (vidu_named, (10, 10), 1),
    ],
)
async def test_a_list_is_cut_and_goes_on_from_there(
    engine: Engine, client: httpx.AsyncClient, walk: Walk, sizes: tuple[int, int], parts: int
) -> None:
    await engine.channel("vidu")
    Upstream(engine.router, "vidu")
    names = [(await engine.create(MODELS["vidu"])).snapshot.public_id for _ in range(COUNT)]
    await engine.operator.database.execute(FATTEN, payload=sizes[0], prompt=sizes[1])
    await engine.services.reader.refresh()

    found = await walk(client, names)

    flat = [name for part in found for name in part]
    assert flat == (names if walk is vidu_named else names[::-1])
    assert all(found)
    assert len(found) == parts


async def test_a_numbered_page_is_whole_however_much_was_said(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    names = [(await engine.create(MODELS["kling"])).snapshot.public_id for _ in range(COUNT)]
    await engine.operator.database.execute(FATTEN, payload=1_000_000, prompt=1_000_000)

    answer = await ask(
        client, "GET", "/kling/v1/videos/text2video", params={"pageNum": "1", "pageSize": "500"}
    )
    by_own_id = await ask(
        client, "GET", "/kling/tasks", params={"external_task_ids": "mine,unknown"}
    )

    assert [task["task_id"] for task in answer["data"]] == names[::-1]
    assert answer["data"][0]["task_info"] == {"external_task_id": "mine"}
    assert [task["id"] for task in by_own_id["data"]] == [names[-1]]


async def test_a_page_of_none_says_that_there_is_more(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    await engine.create(MODELS["kling"])

    answer = await ask(client, "GET", "/v1/videos", params={"limit": "0"})

    assert (answer["data"], answer["has_more"]) == ([], True)


async def test_a_part_is_cut_before_it_is_held(engine: Engine) -> None:
    await engine.channel("vidu")
    Upstream(engine.router, "vidu")
    for _ in range(COUNT):
        await engine.create(MODELS["vidu"])
    await engine.operator.database.execute(FATTEN, payload=1_000_000, prompt=1_000_000)
    account = engine.caller.account_id

    page = await engine.services.reader.page(Sight(account), TaskQuery(limit=100))
    slim = await engine.services.reader.page(Sight(account), TaskQuery(limit=100, slim=True))

    assert (len(page.tasks), page.has_more) == (3, True)
    assert (len(slim.tasks), slim.has_more) == (COUNT, False)
    assert {len(str(task.echo) + str(task.asked)) < 200 for task in slim.tasks} == {True}
