"""Heads that are too long or too slow end the connection, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest
import uvicorn
from tests.support.processes import wait_until

from vidgate.cli import protocol
from vidgate.cli.bounds import ConnectionBounds
from vidgate.cli.protocol import BoundedProtocol

HELLO = b"GET / HTTP/1.1\r\nHost: a\r\n"


async def answer(_scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    said = str(len(body)).encode()
    headers = [(b"content-length", str(len(said)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})


@pytest.fixture
async def server(unused_tcp_port: int) -> AsyncIterator[uvicorn.Server]:
    config = uvicorn.Config(
        answer, port=unused_tcp_port, http=BoundedProtocol, lifespan="off", log_level="error"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    async def is_up() -> bool:
        return server.started

    await wait_until(is_up, seconds=10)
    yield server
    server.should_exit = True
    await serving


@pytest.fixture
def port(server: uvicorn.Server) -> int:
    return server.config.port


async def said(port: int, *parts: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(65536), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_ordinary_requests_are_answered(port: int) -> None:
    body = b"x" * 200_000
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"

    assert b"200 OK" in await said(port, HELLO + b"\r\n")
    assert (await said(port, head, body)).endswith(b"200000")
    assert (await said(port, head + body)).endswith(b"200000")


async def test_a_head_that_is_too_long_is_refused(port: int) -> None:
    endless = HELLO + b"X-A: " + b"a" * 100_000
    assert b"431" in await said(port, endless)
    assert b"200 OK" in await said(port, HELLO + b"\r\n")


@pytest.mark.parametrize("body", [b"", b"x" * 1000])
async def test_one_that_comes_in_one_piece_too(port: int, body: bytes) -> None:
    length = b"Content-Length: %d\r\n" % len(body)
    most = HELLO.replace(b"GET", b"POST") + length + b"X-A: "

    def head(size: int) -> bytes:
        return most + b"a" * size + b"\r\n\r\n" + body

    assert b"431" in await said(port, head(70_000))
    assert b"200 OK" in await said(port, head(64_000))
    assert b"431" in await said(port, b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n", 200),
        (b"GET / HTTP/1.1\r\nHOST: a\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost:\r\n", 200),
        (b"GET / HTTP/1.0\r\n", 200),
        (b"GET / HTTP/1.0\r\nHost: a\r\n", 200),
        (b"GET / HTTP/1.1\r\n", 400),
        (b"GET / HTTP/1.1\r\nX-Host: a\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n", 400),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n", 400),
    ],
)
async def test_a_request_has_one_host(port: int, head: bytes, status: int) -> None:
    answered = await said(port, head + b"\r\n")

    assert answered.startswith(b"HTTP/1.1 %d " % status)
    assert answered.count(b"HTTP/1.1") == 1
    if status != 200:
        assert answered.endswith(b"A request needs one Host header.")


async def test_a_head_that_does_not_come_ends_the_connection(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 0.05)
    assert await said(port) == b""
    assert await said(port, HELLO) == b""


async def test_connections_are_bounded(server: uvicorn.Server, port: int) -> None:
    bounds = server.lifespan.state["connection_bounds"] = ConnectionBounds(2)

    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    refused = await said(port)
    for reader, writer in held:
        writer.write(HELLO + b"Connection: close\r\n\r\n")
        assert b" 200 OK" in await reader.read()
        writer.close()

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b" 200 OK" in await said(port, HELLO + b"Connection: close\r\n\r\n")
    assert bounds is server.lifespan.state["connection_bounds"]


async def test_requests_that_come_at_once_are_read_as_they_are_answered(
    server: uvicorn.Server, port: int
) -> None:
    request = HELLO + b"X-A: " + b"a" * 1000 + b"\r\n\r\n"
    count, most, got = 5_000, 0, b""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request * count)
    while got.count(b"HTTP/1.1 200") < count:
        got += await asyncio.wait_for(reader.read(4096), 30)
        [connection] = server.server_state.connections
        assert isinstance(connection, BoundedProtocol)
        most = max(most, len(connection.pipeline))
    writer.close()

    assert 0 < most < 600  # what two reads of 256 KiB can hold
