import asyncio
import base64
import gzip
import json
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import Request
from tests.support.api import Api, open_api

from vidgate.api.bodies import BodyBudget, BodyReader
from vidgate.api.forms import Form
from vidgate.api.strict_json import parse_object
from vidgate.exceptions import MalformedBodyError, OverloadedError

PATH = "/v1/video/generations"
GOOD = {"model": "kling-v1", "prompt": "a cat"}
MEBIBYTE = 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api(body_memory=MEBIBYTE) as api:
        yield api


def request_of(*chunks: bytes, headers: dict[str, str] | None = None) -> Request:
    """A request whose body comes in these chunks, and does not end unless one is empty."""
    waiting = iter(chunks)

    async def receive() -> Any:
        chunk = next(waiting, None)
        if chunk is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

    names = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": names}, receive)


async def test_a_body_takes_its_memory_while_it_is_used() -> None:
    budget = BodyBudget(100)
    async with BodyReader(budget).read(request_of(b'{"a"', b":1}", b""), _fields) as fields:
        assert fields == {"a": 1}
        assert budget.used_bytes == 7

    assert budget.used_bytes == 0


async def test_beyond_the_budget_is_503_and_comes_right_again(api: Api) -> None:
    content = json.dumps(GOOD | {"metadata": {"a": "a " * (MEBIBYTE // 2)}})

    refused = await api.client.post(PATH, content=content)
    taken = await api.client.post(PATH, json=GOOD)

    assert refused.status_code == 503
    assert refused.json()["code"] == "overloaded"
    assert refused.headers["Retry-After"] == "1"
    assert taken.status_code == 200
    assert api.budget.used_bytes == 0


async def test_bodies_share_the_budget() -> None:
    budget = BodyBudget(10)
    reader = BodyReader(budget)
    async with reader.read(request_of(b'{"a":1}', b""), _fields):
        with pytest.raises(OverloadedError):
            async with reader.read(request_of(b'{"b":2}', b""), _fields):
                pytest.fail("there was no memory left")
        assert budget.used_bytes == 7


async def test_a_body_that_does_not_come_ends_in_time() -> None:
    budget = BodyBudget(100)
    reader = BodyReader(budget, deadline=timedelta(milliseconds=1))
    with pytest.raises(MalformedBodyError, match="did not arrive within") as caught:
        async with reader.read(request_of(b"{"), _fields):
            pytest.fail("there was no body")

    assert caught.value.code == "body_timeout"
    assert budget.used_bytes == 0


async def test_only_a_large_body_is_parsed_in_a_thread() -> None:
    reader = BodyReader(BodyBudget(MEBIBYTE))
    large = json.dumps({"a": "b" * 300_000}).encode()
    async with reader.read(request_of(b"{}", b""), _thread) as small_thread:
        assert small_thread is threading.current_thread()
    async with reader.read(request_of(large, b""), _thread) as large_thread:
        assert large_thread is not threading.current_thread()


async def test_gzip_comes_in_any_pieces() -> None:
    content = gzip.compress(json.dumps({"a": "b" * 1_000_000}).encode())
    pieces = [content[at : at + 7] for at in range(0, len(content), 7)]
    reader = BodyReader(BodyBudget(2 * MEBIBYTE))
    encoding = {"content-encoding": "GZIP"}
    async with reader.read(request_of(*pieces, b"", headers=encoding), _fields) as fields:
        assert len(fields["a"]) == 1_000_000


async def test_a_bomb_stops_at_the_budget() -> None:
    bomb = gzip.compress(bytes(32 * MEBIBYTE))
    budget = BodyBudget(MEBIBYTE)
    request = request_of(bomb, b"", headers={"content-encoding": "gzip"})
    with pytest.raises(OverloadedError):
        async with BodyReader(budget).read(request, _fields):
            pytest.fail("there was no memory for it")

    assert budget.used_bytes == 0


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
async def test_inline_pictures_do_not_count_as_json(prefix: str) -> None:
    text = prefix + base64.b64encode(PNG + bytes(2 * MEBIBYTE)).decode()
    body = json.dumps({"image": text, "metadata": {"image_tail": [text]}})

    assert parse_object(body.encode()) == json.loads(body)
    # Some write every slash as an escape.
    assert parse_object(body.replace("/", "\\/").encode()) == json.loads(body)


def test_a_hundred_levels_are_taken() -> None:
    body = b'{"a":' * 100 + b"1" + b"}" * 100

    assert parse_object(body) == json.loads(body)


def test_brackets_in_strings_are_no_levels() -> None:
    text = '[{"\\' * 200

    assert parse_object(json.dumps({"a": text, "b": [[]] * 100}).encode())["a"] == text


def test_integers_keep_every_digit_and_pairs_of_surrogates_are_one_character() -> None:
    assert parse_object(b'{"a":%d,"b":"\\ud83d\\ude00","c":-0.5e3}' % 10**300) == {
        "a": 10**300,
        "b": "\U0001f600",
        "c": -500.0,
    }
    assert parse_object(b'{"a":"\\\\u0000"}') == {"a": "\\u0000"}


def _fields(form: Form) -> Any:
    return form.fields


def _thread(_form: Form) -> threading.Thread:
    return threading.current_thread()
