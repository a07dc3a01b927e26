"""Warnings through the real services and database, in every dialect."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.support.engine import Engine
from tests.support.gateway import open_client
from tests.support.upstreams import Upstream

HEADERS = ("X-Vidgate-Ignored", "X-Vidgate-Adjusted", "X-Vidgate-Unknown")
NEUTRAL = {"prompt": "a boat", "fps": 24, "size": "1000x1000", "foo": 1}
TOLD = [("ignored", "fps"), ("adjusted", "size"), ("unknown", "foo")]
POSTS: dict[str, tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = {
    "newapi": ("kling", "/v1/video/generations", {"model": "kling-v2-6", **NEUTRAL}, TOLD),
    "openai": ("kling", "/v1/videos", {"model": "kling-v2-6", **NEUTRAL}, TOLD),
    "kling": (
        "kling",
        "/kling/v1/videos/text2video",
        {"model_name": "kling-v2-6", "prompt": "a boat", "foo": 1},
        [("unknown", "foo")],
    ),
    "kling path": (
        "kling",
        "/kling/text-to-video/kling-3.0",
        {"prompt": "a boat", "foo": 1},
        [("unknown", "foo")],
    ),
    "jimeng": (
        "jimeng",
        "/jimeng?Action=CVSync2AsyncSubmitTask&Version=2022-08-31",
        {"req_key": "jimeng_t2v_v30", "prompt": "a boat", "foo": 1},
        [("unknown", "foo")],
    ),
    "vidu": (
        "vidu",
        "/vidu/ent/v2/text2video",
        {"model": "viduq2", "prompt": "a boat", "foo": 1},
        [("unknown", "foo")],
    ),
}
"""A request that is not done to the letter: its provider, path, body and what is told."""

HAS_BODY = ("newapi", "openai")
"""Dialects whose bodies are ours to extend."""


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine) as client:
        yield client


def listen(engine: Engine, provider: str) -> None:
    Upstream(engine.router, provider)
    engine.router.post("http://kling.test/text-to-video/kling-3.0").respond(
        json={"code": 0, "message": "SUCCEED", "data": {"id": "1"}}
    )


def submits(engine: Engine) -> int:
    return sum(call.request.method == "POST" for call in engine.router.calls)


def in_headers(answer: httpx.Response) -> list[tuple[str, str]]:
    return [
        (header.rpartition("-")[2].lower(), entry.partition("=")[0])
        for header in HEADERS
        if header in answer.headers
        for entry in answer.headers[header].split(", ")
    ]


def in_body(document: dict[str, Any]) -> list[tuple[str, str]]:
    assert all(one["param"] in one["message"] for one in document["warnings"])
    return [(one["code"], one["param"]) for one in document["warnings"]]


@pytest.mark.parametrize("name", POSTS)
async def test_what_was_not_done_to_the_letter_is_told_everywhere(
    engine: Engine, client: httpx.AsyncClient, name: str
) -> None:
    provider, path, body, told = POSTS[name]
    await engine.channel(provider)
    listen(engine, provider)
    key = {"Idempotency-Key": "k-1"}

    first, again = [await client.post(path, json=body, headers=key) for _ in range(2)]
    [task] = await engine.all_tasks()
    read = [
        (await client.get(f"/v1/video/generations/{task.public_id}")).json(),
        (await client.get(f"/v1/videos/{task.public_id}")).json(),
        *(await client.get("/v1/videos")).json()["data"],
    ]

    assert (first.status_code, again.status_code) == (200, 200), first.text
    assert "Idempotent-Replayed" in again.headers
    assert submits(engine) == 1
    assert in_headers(first) == in_headers(again) == told
    assert len(read) == 3
    assert all(in_body(document) == told for document in read)
    if name in HAS_BODY:
        assert in_body(first.json()) == in_body(again.json()) == told


@pytest.mark.parametrize("by_token", [False, True])
@pytest.mark.parametrize("name", POSTS)
async def test_strictly_it_is_refused_and_nothing_is_left(
    engine: Engine, client: httpx.AsyncClient, name: str, *, by_token: bool
) -> None:
    provider, path, body, told = POSTS[name]
    await engine.channel(provider)
    listen(engine, provider)
    headers = await strict_token(engine) if by_token else {"Prefer": "handling=strict"}

    answer = await client.post(path, json=body, headers=headers)

    assert answer.status_code == 400, answer.text
    assert told[0][1] in answer.text
    assert submits(engine) == 0
    assert await engine.all_tasks() == []


@pytest.mark.parametrize("name", POSTS)
async def test_lenient_handling_undoes_a_strict_token(
    engine: Engine, client: httpx.AsyncClient, name: str
) -> None:
    provider, path, body, told = POSTS[name]
    await engine.channel(provider)
    listen(engine, provider)
    headers = await strict_token(engine) | {"Prefer": "handling=lenient"}

    answer = await client.post(path, json=body, headers=headers)

    assert answer.status_code == 200, answer.text
    assert in_headers(answer) == told
    assert submits(engine) == 1


async def strict_token(engine: Engine) -> dict[str, str]:
    _, key = await engine.operator.provisioning.create_token(name="strict", strict=True)
    return {"Authorization": f"Bearer {key}"}
