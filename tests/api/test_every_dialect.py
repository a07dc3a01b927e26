"""What every dialect understands in the same way."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.api.creating_posts import POSTS
from tests.support.api import Api, open_api

from vidgate.models.requests import VideoRequest
from vidgate.providers.vidu import Vidu


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        cast("Any", api.services.providers)["vidu"] = Vidu()
        yield api


async def post(api: Api, path: str, content: bytes) -> VideoRequest:
    answer = await api.client.post(path, content=content)
    assert answer.status_code == 200, answer.text
    return replace(api.services.task_creator.requests[-1], work_bytes=0)


@pytest.mark.parametrize("kind", POSTS)
@pytest.mark.parametrize("nothing", ["", None])
async def test_an_empty_text_and_null_are_as_good_as_absent(
    api: Api, kind: str, nothing: Any
) -> None:
    path, body = POSTS[kind]
    names = ("duration", "seed", "resolution", "aspect_ratio", "image", "callback_url", "foo")
    plain = await post(api, path, json.dumps(body).encode())

    asked = await post(api, path, json.dumps(dict.fromkeys(names, nothing) | body).encode())

    assert asked == plain


@pytest.mark.parametrize("kind", POSTS)
@pytest.mark.parametrize("sent", ["Bearer sk-bad", "Token sk-bad", "bearer: sk-bad", "sk-bad"])
async def test_what_is_no_token_is_told_so(api: Api, kind: str, sent: str) -> None:
    path, body = POSTS[kind]

    answer = await api.client.post(path, json=body, headers={"Authorization": sent})

    assert answer.status_code == 401
    assert "is not a token" in answer.text
    assert "Authorization: Bearer sk-..." in answer.text
    assert "sk-bad" not in answer.text


@pytest.mark.parametrize("kind", POSTS)
async def test_a_byte_order_mark_is_skipped(api: Api, kind: str) -> None:
    path, body = POSTS[kind]
    content = json.dumps(body).encode()

    assert await post(api, path, b"\xef\xbb\xbf" + content) == await post(api, path, content)


@pytest.mark.parametrize("kind", POSTS)
async def test_a_raw_line_break_in_a_string_is_told_how_to_be_written(api: Api, kind: str) -> None:
    path, body = POSTS[kind]
    content = json.dumps(body | {"prompt": "a boat~at sea"}).replace("~", "\n").encode()

    answer = await api.client.post(path, content=content)

    assert answer.status_code == 400
    assert "write a line break as \\\\n" in answer.text
    assert " at at " not in answer.text
    assert api.services.task_creator.requests == []
