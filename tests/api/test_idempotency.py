"""`Idempotency-Key`, in every dialect that makes something."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, cast

import orjson
import pytest
from tests.api.creating_posts import POSTS
from tests.support.api import KEY, Api, open_api

from vidgate.models.requests import Recognition
from vidgate.providers.vidu import Vidu

PICTURE = "https://pictures.example/a.png"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        cast("Any", api.services.providers)["vidu"] = Vidu()
        yield api


async def post(
    api: Api, name: str, key: str | None = "k-1", members: Mapping[str, Any] = MappingProxyType({})
) -> Any:
    path, body = POSTS[name]
    headers = {} if key is None else {"Idempotency-Key": key}
    return await api.client.post(path, json={**body, **members}, headers=headers)


@pytest.mark.parametrize("name", POSTS)
async def test_the_key_stands_for_the_request(api: Api, name: str) -> None:
    for members in ({}, {}, {"seed": 7}):
        answer = await post(api, name, members=members)
        assert answer.status_code == 200, answer.text

    first, again, other = api.services.task_creator.onces
    assert first is not None
    assert other is not None
    assert first == again
    assert (first.key, other.key) == ("client:k-1", "client:k-1")
    assert first.fingerprint != other.fingerprint
    assert first.lifetime.total_seconds() == 24 * 3600


@pytest.mark.parametrize("name", POSTS)
async def test_without_a_key_nothing_is_remembered(api: Api, name: str) -> None:
    assert (await post(api, name, None)).status_code == 200

    assert api.services.task_creator.onces == [None]


@pytest.mark.parametrize("name", POSTS)
async def test_a_repetition_is_told(api: Api, name: str) -> None:
    assert "Idempotent-Replayed" not in (await post(api, name)).headers

    api.services.task_creator.replayed = True

    assert (await post(api, name)).headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", " ", "a\tb", "ä", "k" * 256])
@pytest.mark.parametrize("name", POSTS)
async def test_what_is_no_key_is_refused(api: Api, name: str, key: str) -> None:
    path, body = POSTS[name]
    answer = await api.client.post(path, json=body, headers={b"Idempotency-Key": key.encode()})

    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.text


async def test_a_key_that_is_none_is_named(api: Api) -> None:
    answer = await post(api, "openai", key="k" * 256)

    assert answer.json()["error"]["param"] == "Idempotency-Key"


async def test_the_route_is_a_part_of_the_request(api: Api) -> None:
    for path in ("/v1/videos", "/v1/video/generations"):
        _, body = POSTS["openai"]
        await api.client.post(path, json=body, headers={"Idempotency-Key": "k"})

    first, other = api.services.task_creator.onces
    assert first is not None
    assert other is not None
    assert first.fingerprint != other.fingerprint


@pytest.mark.parametrize("path", ["/v1/videos", "/v1/video/generations"])
async def test_a_form_is_its_fields_and_files(api: Api, path: str) -> None:
    async def send(content: bytes, boundary: str) -> None:
        body = b"\r\n".join(
            [
                f"--{boundary}".encode(),
                b'Content-Disposition: form-data; name="model"',
                b"",
                b"kling-v2-6",
                f"--{boundary}".encode(),
                b'Content-Disposition: form-data; name="input_reference"; filename="a.png"',
                b"",
                content,
                f"--{boundary}--".encode(),
                b"",
            ]
        )
        answer = await api.client.post(
            path,
            content=body,
            headers={
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Idempotency-Key": "k",
            },
        )
        assert answer.status_code == 200, answer.text

    picture = b"\x89PNG\r\n\x1a\n" + bytes(64)
    await send(picture, "one")
    await send(picture, "other")
    await send(picture + b"1", "one")

    first, again, other = (once and once.fingerprint for once in api.services.task_creator.onces)
    assert first == again != other


async def test_order_and_blanks_of_json_do_not_count(api: Api) -> None:
    for content in ('{"model": "m", "prompt": "p"}', '{"prompt":"p","model":"m"}'):
        await api.client.post(
            "/v1/video/generations", content=content, headers={"Idempotency-Key": "k"}
        )

    first, again = api.services.task_creator.onces
    assert first == again


# What an SDK repeats by itself


async def repeat(api: Api, name: str, count: str, **headers: str) -> Any:
    path, body = POSTS[name]
    headers["x-stainless-retry-count"] = count
    return await api.client.post(path, json=body, headers=headers)


@pytest.mark.parametrize("name", POSTS)
async def test_a_retry_is_told_by_its_count(api: Api, name: str) -> None:
    for count in ("0", "1", "2"):
        assert (await repeat(api, name, count)).status_code == 200

    onces = [once for once in api.services.task_creator.onces if once is not None]
    assert [once.recognition for once in onces] == [
        Recognition.FIRST,
        Recognition.RETRY,
        Recognition.RETRY,
    ]
    assert len({once.fingerprint for once in onces}) == 1
    assert len({once.key for once in onces}) == 3
    assert {once.lifetime.total_seconds() for once in onces} == {15 * 60}
    assert all(once.frees_refused for once in onces)


@pytest.mark.parametrize("count", ["", "-1", "1.5", "one", "1" * 20])
async def test_what_is_no_count_tells_nothing(api: Api, count: str) -> None:
    assert (await repeat(api, "openai", count)).status_code == 200

    assert api.services.task_creator.onces == [None]


@pytest.mark.parametrize("name", POSTS)
async def test_a_key_goes_before_the_count(api: Api, name: str) -> None:
    await repeat(api, name, "1", **{"Idempotency-Key": "k"})

    [once] = api.services.task_creator.onces
    assert once is not None
    assert (once.key, once.recognition) == ("client:k", Recognition.BY_KEY)


async def test_kling_has_its_own_name_for_a_task_before_the_count(api: Api) -> None:
    path, body = POSTS["kling"]

    await api.client.post(
        path,
        json={**body, "external_task_id": "mine"},
        headers={"x-stainless-retry-count": "1"},
    )

    [once] = api.services.task_creator.onces
    assert once is not None
    assert (once.key, once.recognition) == ("kling:external_task_id:mine", Recognition.BY_KEY)


async def test_token_route_and_body_make_a_retry_the_same(api: Api) -> None:
    path, body = POSTS["openai"]
    other = f"sk-{'o' * 43}"
    api.services.directory.others[other] = api.services.directory.account_id
    for url, members, key in (
        (path, {}, KEY),
        (path, {"seed": 7}, KEY),
        ("/v1/video/generations", {}, KEY),
        (path, {}, other),
    ):
        await api.client.post(
            url,
            json={**body, **members},
            headers={"x-stainless-retry-count": "1", "Authorization": f"Bearer {key}"},
        )

    onces = [once for once in api.services.task_creator.onces if once is not None]
    assert len({once.fingerprint for once in onces}) == 4


# Whether an answer arrived


@pytest.mark.parametrize("name", POSTS)
async def test_an_answer_that_counts_is_noted_when_it_arrived(api: Api, name: str) -> None:
    creator = api.services.task_creator
    assert (await repeat(api, name, "0")).status_code == 200
    assert (await post(api, name, None)).status_code == 200

    assert [created.receipt for created in creator.arrived] == [creator.receipt]


@pytest.mark.parametrize(
    ("is_gone", "breaks"), [(False, False), (True, False), (False, True)], ids=str
)
async def test_an_answer_arrives_at_a_client_that_is_there(
    api: Api, *, is_gone: bool, breaks: bool
) -> None:
    path, body = POSTS["openai"]
    content = orjson.dumps(body)
    messages: list[Any] = [{"type": "http.request", "body": content, "more_body": False}]
    if is_gone:
        messages.append({"type": "http.disconnect"})

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        return await asyncio.get_running_loop().create_future()

    async def send(message: Any) -> None:
        if breaks and message["type"] == "http.response.body":
            raise OSError("connection lost")

    headers = {
        "authorization": f"Bearer {KEY}",
        "content-length": str(len(content)),
        "x-stainless-retry-count": "0",
    }
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    with suppress(OSError):
        await api.app(scope, receive, send)

    assert len(api.services.task_creator.requests) == 1
    assert len(api.services.task_creator.arrived) == int(not (is_gone or breaks))
