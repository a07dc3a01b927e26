"""Server-sent events of one task, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from tests.support.engine import Engine
from tests.support.events import address, listen
from tests.support.upstreams import MODELS, Upstream
from tests.support.waiting import open_waiting_api, until

from vidgate.api import streams
from vidgate.services.views.waiting_places import WaitingPlaces

PATH = "/v1/video/generations"


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_waiting_api(engine) as (client, _):
        yield client


async def made(engine: Engine, provider: str = "kling") -> tuple[Upstream, str]:
    await engine.channel(provider)
    fake = Upstream(engine.router, provider)
    return fake, (await engine.create(MODELS[provider])).snapshot.public_id


def count(engine: Engine) -> int:
    return sum(len(topic.watches) for topic in engine.services.waiters._topics.values())


async def test_each_state_is_told_up_to_the_final_one(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    await engine.create(MODELS["kling"])
    name = (await engine.create(MODELS["kling"])).snapshot.public_id
    fake.on_poll = ["succeeded"]

    async with listen(client, f"{PATH}/{name}/events") as stream:
        told = [await stream.next()]
        await engine.tick(minutes=1)  # the other one ends, so that this one begins
        await engine.tick(seconds=5)
        told.append(await stream.next())
        await engine.tick(minutes=1)
        told.append(await stream.next())
        told.append(await stream.next())
        got = (await client.get(f"{PATH}/{name}")).json()

    headers = stream.response.headers
    assert stream.response.status_code == 200
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["Cache-Control"] == "no-cache"
    assert told[-1] is None
    assert [event and event.id for event in told[:-1]] == ["0", "1", "2"]
    assert told[2] is not None
    assert told[2].data == got
    assert got["status"] == "succeeded"
    await until(lambda: count(engine) == 0)


async def test_it_begins_with_how_soon_to_come_back(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    _, name = await made(engine)
    async with listen(client, f"{PATH}/{name}/events") as stream:
        first = await stream.block()
    assert first is not None
    assert first.text == "retry: 2000"


async def test_a_progress_is_told_too(engine: Engine, client: httpx.AsyncClient) -> None:
    fake, name = await made(engine, "vidu")
    async with listen(client, f"{PATH}/{name}/events") as stream:
        first = await stream.next()
        fake.on_poll = ["running"]
        await engine.tick(minutes=1)
        second = await stream.next()
    assert first is not None
    assert second is not None
    assert first.id == "1"
    assert second.id == f"1.{second.data['progress']}"


@pytest.mark.parametrize(("known", "told"), [("1", []), ("0", ["1"]), ("x", ["1"]), ("", ["1"])])
async def test_who_comes_back_is_told_what_is_new(
    engine: Engine, client: httpx.AsyncClient, known: str, told: list[str]
) -> None:
    fake, name = await made(engine)
    fake.on_poll = ["succeeded"]
    async with listen(client, f"{PATH}/{name}/events", Last_Event_ID=known) as stream:
        await until(lambda: count(engine) == 1)
        if told:
            event = await stream.next()
            assert event is not None
            assert [event.id] == told
        await engine.tick(minutes=1)
        last = await stream.next()
        assert last is not None
        assert last.id == "2"
        assert await stream.next() is None

    again = await client.get(f"{PATH}/{name}/events", headers={"Last-Event-ID": "2"})
    assert (again.status_code, again.content) == (204, b"")
    once_more = await client.get(f"{PATH}/{name}/events", headers={"Last-Event-ID": "1"})
    assert once_more.text.count("data: ") == 1


async def test_a_silent_stream_has_comments(
    engine: Engine, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "STREAM_COMMENT", timedelta(seconds=0.01))
    _, name = await made(engine)
    async with listen(client, f"{PATH}/{name}/events") as stream:
        await stream.next()
        comments = [await stream.block() for _ in range(3)]
    assert [comment and comment.text for comment in comments] == [":"] * 3


async def test_a_head_and_what_is_not_there_end_at_once(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    _, name = await made(engine)
    head = await client.head(f"{PATH}/{name}/events")
    missing = await client.get(f"{PATH}/task_0/events")
    assert (head.status_code, head.headers["Content-Type"]) == (200, "text/event-stream")
    assert missing.status_code == 404
    assert missing.json()["code"] == "task_not_found"


async def test_a_client_that_goes_away_is_forgotten_at_once(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    _, name = await made(engine)
    async with listen(client, f"{PATH}/{name}/events") as stream:
        await stream.next()
        assert b'vidgate_waiters{kind="events"} 1.0' in engine.services.metrics.render()
    await until(lambda: count(engine) == 0)
    assert b'vidgate_waiters{kind="events"} 0.0' in engine.services.metrics.render()


async def test_waits_and_streams_of_a_token_are_bounded_together(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    _, name = await made(engine)
    places = engine.services.places
    places._most = 2
    async with listen(client, f"{PATH}/{name}/events"):
        waiting = asyncio.create_task(client.get(f"{PATH}/{name}?wait=60"))
        await until(lambda: count(engine) == 2)
        refused = [
            await client.get(path)
            for path in (
                f"{PATH}/{name}/events",
                f"{PATH}/{name}?wait=1",
                f"/v1/videos/{name}?wait=1",
            )
        ]
        plain = await client.get(f"{PATH}/{name}")
        waiting.cancel()

    for answer in refused:
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "too_many_waiters"
        assert answer.json()["error"]["type"] == "rate_limit_error"
        assert answer.headers["Retry-After"]
    assert plain.status_code == 200
    assert isinstance(places, WaitingPlaces)


async def test_a_server_that_stops_ends_its_streams(engine: Engine) -> None:
    _, name = await made(engine)
    async with (
        open_waiting_api(engine) as (client, server),
        listen(client, f"{PATH}/{name}/events") as stream,
    ):
        await stream.next()
        server.should_exit = True
        assert await stream.next() is None


async def test_a_listener_that_does_not_read_is_dropped(
    engine: Engine, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its buffers fill with comments; then the server waits for a while, and no longer."""
    monkeypatch.setattr(streams, "STREAM_PATIENCE", timedelta(seconds=0.2))
    monkeypatch.setattr(streams, "STREAM_COMMENT", timedelta())
    monkeypatch.setattr(streams, "_COMMENT", b":" + b"c" * 1_000_000 + b"\n\n")
    _, name = await made(engine)
    host, port = address(client)
    reader, writer = await asyncio.open_connection(host, port, limit=1024)
    head = f"GET {PATH}/{name}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {engine.key}\r\n"
    writer.write(f"{head}\r\n".encode())
    await until(lambda: count(engine) == 1)

    await until(lambda: count(engine) == 0)

    told = await reader.read()
    assert told.startswith(b"HTTP/1.1 200 ")
    assert not told.endswith(b"0\r\n\r\n")  # cut off, not ended
    writer.close()
    await writer.wait_closed()
