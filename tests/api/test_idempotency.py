"""`Idempotency-Key`, in every dialect that makes something."""

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, cast

import pytest
from tests.api.creating_posts import POSTS
from tests.support.api import Api, open_api

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
