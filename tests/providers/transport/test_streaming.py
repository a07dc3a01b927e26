"""Streams by a channel's own way: of any size, and beside its other calls."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from tests.support.hosts import Exchange, Host, open_host, ranged

from vidgate.exceptions import NotSentError
from vidgate.providers.transport.client import ANSWER_LIMIT_BYTES, AiohttpTransport, UpstreamClient
from vidgate.providers.transport.downloads import (
    Download,
    RefusedLinkError,
    StalledError,
    begin_download,
    download_headers,
)

LONG = 20.0
BIG = bytes(ANSWER_LIMIT_BYTES) + b"end"


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with open_host() as host:
        yield host


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient(
        transport_factory=lambda: AiohttpTransport(connections=1, connect_timeout_seconds=0.5)
    )
    yield client
    await client.aclose()


async def read_all(download: Download) -> bytes:
    pieces = []
    while piece := await download.read(timeout_seconds=LONG):
        pieces.append(piece)
    return b"".join(pieces)


async def test_an_answer_over_the_limit_is_streamed(host: Host, client: UpstreamClient) -> None:
    host.plays = [ranged(BIG)]
    request = httpx.Request("GET", host.url + "/a%2Fb", headers={"X-Key": "k"})

    response = await client.open(request, channel_id=uuid4(), timeout_seconds=LONG)
    download = await begin_download(response, None, timeout_seconds=LONG)

    assert (download.first, download.total_bytes) == (0, len(BIG))
    assert await read_all(download) == BIG
    await download.aclose()
    [asked] = host.asked
    assert (asked.target, asked.headers["x-key"]) == ("/a%2Fb", "k")


async def test_a_stream_takes_no_connection_from_other_calls(
    host: Host, client: UpstreamClient
) -> None:
    host.plays = [ranged(BIG), ranged(b"small")]
    channel_id = uuid4()

    held = await client.open(
        httpx.Request("GET", host.url), channel_id=channel_id, timeout_seconds=LONG
    )
    answer = await client.send(
        httpx.Request("GET", host.url), channel_id=channel_id, timeout_seconds=LONG
    )

    assert answer.content == b"small"
    with pytest.raises(NotSentError):  # its own are as few
        await client.open(
            httpx.Request("GET", host.url), channel_id=channel_id, timeout_seconds=LONG
        )
    await held.aclose()


async def test_a_transport_is_not_dropped_while_somebody_reads(host: Host) -> None:
    host.plays = [ranged(BIG), ranged(b"small")]
    client = UpstreamClient(max_transports=1, idle_seconds=0.0)
    response = await client.open(
        httpx.Request("GET", host.url), channel_id=uuid4(), timeout_seconds=LONG
    )

    await client.send(httpx.Request("GET", host.url), channel_id=uuid4(), timeout_seconds=LONG)

    assert await read_all(await begin_download(response, None, timeout_seconds=LONG)) == BIG
    await response.aclose()
    await client.aclose()


async def test_a_head_that_does_not_come(host: Host, client: UpstreamClient) -> None:
    host.plays = [Exchange.hang]

    with pytest.raises(StalledError):
        await client.open(httpx.Request("GET", host.url), channel_id=uuid4(), timeout_seconds=0.2)

    await host.idle()


async def test_what_is_not_the_file_is_closed_at_once(host: Host, client: UpstreamClient) -> None:
    host.plays = [ranged(BIG, Content_Type="text/html")]
    response = await client.open(
        httpx.Request("GET", host.url), channel_id=uuid4(), timeout_seconds=LONG
    )

    with pytest.raises(RefusedLinkError):
        await begin_download(response, None, timeout_seconds=LONG)

    await host.idle()


def test_no_header_of_a_request_for_a_file_is_anybodys_own() -> None:
    assert download_headers(None).keys() == {"Accept", "Accept-Encoding", "User-Agent"}
