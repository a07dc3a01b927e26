"""Strings of a client's that are far too long, or no text, wherever one can be sent."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text
from tests.api.creating_posts import POSTS
from tests.api.test_loop import post
from tests.support.engine import Engine
from tests.support.gateway import build_app
from tests.support.serving import serve
from tests.support.upstreams import NAMES, Upstream

from vidgate.constants import EXTERNAL_ID_CHARACTERS
from vidgate.db.engine import Statement

LONG = "x" * 300_000
STRINGS = {"300,000 characters": LONG, "300,000 wide ones": "\U0001f600" * 300_000, "NUL": "a\0b"}
IN_PATHS = STRINGS | {"60,000 characters": "x" * 60_000, "10,000 names": "x," * 10_000}
"""The server itself refuses a path of more than 64 KiB."""

KLING = "/kling/v1/videos/text2video"
NEW = "/kling/text-to-video/kling-3.0"
JIMENG = "/jimeng?Action=CVSync2AsyncSubmitTask&Version=2022-08-31"
RESULT = "/jimeng?Action=CVSync2AsyncGetResult&Version=2022-08-31"
KEYS = Statement(text("SELECT key FROM idempotency_keys"))

FIELDS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "kling id": (KLING, {}, ("external_task_id",)),
    "kling id of the new generation": (NEW, {"options": {}}, ("options", "external_task_id")),
    "id in metadata": (POSTS["newapi"][0], {"metadata": {}}, ("metadata", "external_task_id")),
    "id beside metadata": (POSTS["openai"][0], {}, ("external_task_id",)),
    "id for vidu": (POSTS["vidu"][0], {}, ("external_task_id",)),
    "id for jimeng": (JIMENG, {}, ("external_task_id",)),
    "model": (POSTS["newapi"][0], {}, ("model",)),
    "openai model": (POSTS["openai"][0], {}, ("model",)),
    "kling model": (KLING, {}, ("model_name",)),
    "vidu model": (POSTS["vidu"][0], {}, ("model",)),
    "req_key": (JIMENG, {}, ("req_key",)),
    "model in metadata": (POSTS["newapi"][0], {"metadata": {}}, ("metadata", "model")),
    "model name in metadata": (POSTS["newapi"][0], {"metadata": {}}, ("metadata", "model_name")),
    "user": (POSTS["newapi"][0], {}, ("user",)),
    "openai user": (POSTS["openai"][0], {}, ("user",)),
    "size": (POSTS["openai"][0], {}, ("size",)),
    "seconds": (POSTS["openai"][0], {}, ("seconds",)),
    "callback": (POSTS["newapi"][0], {"metadata": {}}, ("metadata", "callback_url")),
    "video": ("/v1/videos/edits", {"video": {}, "prompt": "a"}, ("video", "id")),
    "task to extend": (
        "/kling/v1/videos/video-extend",
        {"prompt": "a"},
        ("video_id",),
    ),
    "question": (RESULT, {"req_key": "jimeng_t2v_v30"}, ("task_id",)),
    "action": (POSTS["newapi"][0], {"metadata": {}}, ("metadata", "action")),
    "cursor": ("/kling/tasks", {}, ("cursor",)),
    "status": ("/kling/tasks", {"filters": [{"key": "status", "values": []}]}, ()),
}
PATHS = (
    "GET /v1/video/generations/{}",
    "POST /v1/video/generations/{}/cancel",
    "GET /v1/videos/{}",
    "DELETE /v1/videos/{}",
    "POST /v1/videos/{}/remix",
    "GET /v1/videos/{}/content",
    *(
        f"GET /v1/video/generations?{name}={{}}"
        for name in ("after", "before", "status", "model", "user", "created_after", "limit")
    ),
    "GET /v1/videos?after={}",
    "GET /v1/webhook_endpoints?after={}",
    "GET /v1/videos?order={}",
    "GET /v1/models/{}",
    "GET /kling/v1/videos/text2video/{}",
    "GET /kling/v1/videos/text2video?pageNum={}",
    "GET /kling/tasks?task_ids={}",
    "GET /kling/tasks?external_task_ids={}",
    "POST /kling/text-to-video/{}",
    "GET /vidu/ent/v2/tasks/{}/creations",
    "POST /vidu/ent/v2/tasks/{}/cancel",
    "GET /vidu/ent/v2/tasks?pager.page_token={}",
    "GET /vidu/ent/v2/tasks?task_ids[]={}",
    "GET /vidu/ent/v2/tasks?states[]={}",
    "GET /vidu/ent/v2/tasks?created_at.from={}",
    "GET /callbacks/kling/{}",
    "GET /content/{}",
    "GET /{}",
)
EMPTY = {"GET /kling/tasks?task_ids={}", "GET /kling/tasks?external_task_ids={}"}
EMPTY |= {"GET /vidu/ent/v2/tasks?task_ids[]={}"}
"""Those leave out what does not exist."""


@pytest.fixture
async def port(engine: Engine) -> AsyncIterator[int]:
    for name in NAMES:
        await engine.channel(name)
        Upstream(engine.router, name)
    async with serve(build_app(engine)) as port:
        yield port


async def ask(
    engine: Engine, port: int, target: str, content: bytes = b"{}", **headers: str
) -> tuple[int, bytes]:
    method, _, path = target.partition(" ")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await post(port, engine.key, path, content, named, method=method)
    return int(answer.split(b" ")[1]), answer


@pytest.mark.parametrize("kind", STRINGS)
async def test_a_field_is_refused(engine: Engine, port: int, kind: str) -> None:
    for name, (path, members, place) in FIELDS.items():
        first = next((body for route, body in POSTS.values() if route == path), {})
        body = json.loads(json.dumps(first | members))
        holder = body
        for one in place[:-1]:
            holder = holder[one]
        if place:
            holder[place[-1]] = STRINGS[kind]
        else:
            body["filters"][0]["values"] = [STRINGS[kind]]

        status, answer = await ask(engine, port, f"POST {path}", json.dumps(body).encode())

        is_answered = name == "question" and status == 200
        assert status in {400, 404, 413} or is_answered, (name, answer[:1000])
        assert len(answer) < 6000, name
    assert await engine.all_tasks() == []


@pytest.mark.parametrize("kind", IN_PATHS)
async def test_a_path_is_refused(engine: Engine, port: int, kind: str) -> None:
    for target in PATHS:
        status, answer = await ask(engine, port, target.format(quote(IN_PATHS[kind])))

        is_left_out = status == 200 and target in EMPTY
        assert status in {400, 404, 405} or is_left_out, (target, answer[:1000])
        assert len(answer) < 6000, target


@pytest.mark.parametrize(
    "header", ["Idempotency_Key", "X_Request_Id", "Prefer", "Content_Type", "Content_Encoding"]
)
async def test_a_header_is_refused_or_means_nothing(engine: Engine, port: int, header: str) -> None:
    for path in (KLING, POSTS["newapi"][0], POSTS["openai"][0], JIMENG):
        body = json.dumps(next(body for route, body in POSTS.values() if route == path)).encode()
        status, answer = await ask(engine, port, f"POST {path}", body, **{header: "x" * 60_000})

        assert status in {200, 400, 404, 431}, (path, answer[:1000])
        assert len(answer) < 6000, path


@pytest.mark.parametrize(
    ("own", "is_plain"),
    [
        ("order-7", True),
        ("x" * 200, True),
        ("x" * EXTERNAL_ID_CHARACTERS, False),
        ("\U0001f600" * EXTERNAL_ID_CHARACTERS, False),
    ],
    ids=["short", "200", "longest", "widest"],
)
async def test_an_own_id_of_any_length_is_unique(
    engine: Engine, port: int, own: str, *, is_plain: bool
) -> None:
    body = POSTS["kling"][1] | {"external_task_id": own}
    content = json.dumps(body).encode()
    first, _ = await ask(engine, port, f"POST {KLING}", content)
    second, refusal = await ask(engine, port, f"POST {KLING}", content)
    found, answer = await ask(engine, port, f"GET {KLING}/{quote(own)}", b"")

    assert (first, second, found) == (200, 400, 200)
    assert b"already exists" in refusal
    assert json.loads(answer.split(b"\r\n\r\n")[1])["data"]["task_info"]["external_task_id"] == own
    [row] = await engine.operator.database.fetch(KEYS)
    assert row["key"].endswith(f":kling:external_task_id:{own}") is is_plain
    assert len(row["key"]) < 300
