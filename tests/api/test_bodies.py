import asyncio
import base64
import gzip
import json
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.requests import Request
from tests.support.api import KEY, Api, open_api, open_served_api

from vidgate.api.bodies import BodyBudget, BodyReader
from vidgate.api.forms import Form
from vidgate.api.strict_json import parse_object
from vidgate.exceptions import MalformedBodyError, OverloadedError
from vidgate.models.accounts import Caller, Token

PATH = "/v1/video/generations"
GOOD = {"model": "kling-v1", "prompt": "a cat"}
MEBIBYTE = 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api(body_memory=MEBIBYTE) as api:
        yield api


def request_of(*chunks: bytes, headers: dict[str, str] | None = None, account: int = 1) -> Request:
    """A request whose body comes in these chunks, and does not end unless one is empty."""
    waiting = iter(chunks)

    async def receive() -> Any:
        chunk = next(waiting, None)
        if chunk is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

    names = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    token = Token(id=UUID(int=9), account_id=UUID(int=account), name="test")
    scope = {"type": "http", "method": "POST", "path": "/", "headers": names}
    return Request({**scope, "state": {"caller": Caller(token)}}, receive)


async def test_a_large_body_takes_its_memory_while_it_is_used() -> None:
    budget = BodyBudget(MEBIBYTE)
    reader = BodyReader(budget)
    half, large = b'{"a":"' + b"b" * 50_000, b"b" * 50_000 + b'"}'
    async with reader.read(request_of(half, large, b""), _fields) as fields:
        assert len(fields["a"]) == 100_000
        assert (budget.used_bytes, reader.small_budget.used_bytes) == (100_008, 0)

    assert (budget.used_bytes, reader.small_budget.used_bytes) == (0, 0)


async def test_a_small_body_takes_none_of_what_large_ones_share() -> None:
    budget = BodyBudget(MEBIBYTE)
    reader = BodyReader(budget)
    async with reader.read(request_of(b'{"a"', b":1}", b""), _fields) as fields:
        assert fields == {"a": 1}
        assert (budget.used_bytes, reader.small_budget.used_bytes) == (0, 7)

    assert reader.small_budget.used_bytes == 0


async def test_beyond_the_budget_is_503_and_comes_right_again(api: Api) -> None:
    content = json.dumps(GOOD | {"metadata": {"a": "a " * (MEBIBYTE // 2)}})

    refused = await api.client.post(PATH, content=content)
    taken = await api.client.post(PATH, json=GOOD)

    assert refused.status_code == 503
    assert refused.json()["code"] == "overloaded"
    assert refused.headers["Retry-After"] == "1"
    assert taken.status_code == 200
    assert api.budget.used_bytes == 0


def test_one_account_has_a_quarter_and_all_have_the_whole() -> None:
    budget = BodyBudget(100)
    first, *others = (UUID(int=number) for number in range(5))
    budget.take(20, first)
    budget.take(5, first)
    with pytest.raises(OverloadedError, match="of this account"):
        budget.take(1, first)
    for other in others[:3]:
        budget.take(25, other)
    with pytest.raises(OverloadedError, match="large requests at once"):
        budget.take(1, others[3])
    budget.give_back(25, first)
    budget.take(25, first)

    assert budget.used_bytes == 100


@pytest.mark.parametrize("size", [60_000, 200_000])
async def test_what_one_account_fills_leaves_room_for_the_others(size: int) -> None:
    reader = BodyReader(BodyBudget(MEBIBYTE))
    # Of the small ones, there is room for one of the largest in the least of all budgets.
    body = json.dumps({"a": "b" * size}).encode()
    async with reader.read(request_of(body, b"", account=1), _fields):
        with pytest.raises(OverloadedError):
            async with reader.read(request_of(body, b"", account=1), _fields):
                pytest.fail("there was no memory left for it")
        async with reader.read(request_of(body, b"", account=2), _fields) as fields:
            assert fields


async def test_one_account_does_not_hold_all_that_parses() -> None:
    reader = BodyReader(BodyBudget(4 * MEBIBYTE))
    body = json.dumps({"a": "b" * 300_000}).encode()
    free, parsed = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    running = 0

    def wait(form: Form) -> Any:
        nonlocal running
        running += 1
        loop.call_soon_threadsafe(parsed.set)
        free.wait()
        return form

    async def read(account: int, convert: Any) -> None:
        async with reader.read(request_of(body, b"", account=account), convert):
            pass

    stuck = [asyncio.create_task(read(1, wait)) for _ in range(3)]
    await parsed.wait()
    try:
        await read(2, _fields)
        assert running == 1
    finally:
        free.set()
    await asyncio.gather(*stuck)

    assert running == 3


async def test_stalled_bodies_of_one_account_keep_no_other_from_its_request() -> None:
    other = "sk-" + "o" * 43
    bomb = gzip.compress(b'{"a":"' + b"a" * 20 * MEBIBYTE)
    async with open_served_api() as (port, services):
        services.directory.others[other] = UUID(int=2)
        stalled = [await _send_part(port, bomb) for _ in range(27)]
        # Whoever gets no memory is answered at once; as soon as the others hang, all are there.
        waiting = [asyncio.create_task(reader.read(12)) for reader, _ in stalled]
        refused: set[Any] = set()
        while len(refused) < 21:
            refused, _ = await asyncio.wait(waiting, timeout=0.05)
        headers = {"Authorization": f"Bearer {other}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            picture = base64.b64encode(PNG + bytes(10 * MEBIBYTE)).decode()
            small = await client.post(PATH, json=GOOD, headers=headers)
            large = await client.post(PATH, json=GOOD | {"image": picture}, headers=headers)
        for _, writer in stalled:
            writer.close()
        await asyncio.gather(*waiting)

    assert {one.result() for one in refused} == {b"HTTP/1.1 503"}
    assert (small.status_code, large.status_code) == (200, 200)


async def _send_part(port: int, body: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin a request whose gzip body stalls before its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Encoding: gzip\r\nContent-Length: {len(body) + 1}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    return reader, writer


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_large_body_that_stalls_is_given_up(encoding: str) -> None:
    reader = BodyReader(BodyBudget(MEBIBYTE), window=timedelta(milliseconds=1))
    body = b'{"a":"' + b"a" * 100_000
    sent = gzip.compress(body) if encoding == "gzip" else body
    request = request_of(sent, headers={"content-encoding": encoding})
    with pytest.raises(MalformedBodyError, match="160 KiB arrived in") as caught:
        async with reader.read(request, _fields):
            pytest.fail("there was no body")

    assert caught.value.code == "body_timeout"
    assert reader.budget.used_bytes == 0


async def test_a_large_body_that_goes_on_arriving_is_waited_for() -> None:
    reader = BodyReader(BodyBudget(16 * MEBIBYTE), window=timedelta(minutes=1))
    piece = b"a" * 100_000
    async with reader.read(
        request_of(b'{"a":"', *[piece] * 20, b'"}', b""), lambda form: len(form.fields["a"])
    ) as length:
        assert length == 2_000_000


async def test_a_body_that_does_not_come_ends_in_time() -> None:
    budget = BodyBudget(100)
    reader = BodyReader(budget, deadline=timedelta(milliseconds=1))
    with pytest.raises(MalformedBodyError, match="did not arrive within") as caught:
        async with reader.read(request_of(b"{"), _fields):
            pytest.fail("there was no body")

    assert caught.value.code == "body_timeout"
    assert budget.used_bytes == 0


async def test_only_a_large_body_is_parsed_in_a_thread() -> None:
    reader = BodyReader(BodyBudget(2 * MEBIBYTE))
    large = json.dumps({"a": "b" * 300_000}).encode()
    async with reader.read(request_of(b"{}", b""), _thread) as small_thread:
        assert small_thread is threading.current_thread()
    async with reader.read(request_of(large, b""), _thread) as large_thread:
        assert large_thread is not threading.current_thread()


async def test_gzip_comes_in_any_pieces() -> None:
    content = gzip.compress(json.dumps({"a": "b" * 1_000_000}).encode())
    pieces = [content[at : at + 7] for at in range(0, len(content), 7)]
    reader = BodyReader(BodyBudget(8 * MEBIBYTE))
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
