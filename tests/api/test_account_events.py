"""`GET /v1/events`, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from tests.support.engine import Engine
from tests.support.events import listen
from tests.support.upstreams import MODELS, Upstream
from tests.support.waiting import open_waiting_api, until

from vidgate.api import streams

PATH = "/v1/events"


@pytest.fixture
async def kling(engine: Engine) -> Upstream:
    await engine.channel("kling")
    return Upstream(engine.router, "kling")


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_waiting_api(engine) as (client, _):
        yield client


async def made(engine: Engine) -> str:
    return (await engine.create(MODELS["kling"])).snapshot.public_id


async def test_all_tasks_are_told_with_the_body_of_the_get(
    engine: Engine, kling: Upstream, client: httpx.AsyncClient
) -> None:
    kling.on_poll = ["succeeded"]
    async with listen(client, PATH) as stream:
        begun = await stream.block()
        names = {await made(engine), await made(engine)}
        told = {event.data["id"] for _ in names if (event := await stream.next())}
        await engine.tick(minutes=1)
        ended = [event for _ in names if (event := await stream.next())]
        bodies = {
            name: (await client.get(f"/v1/video/generations/{name}")).json() for name in names
        }

    assert begun is not None
    assert begun.text == "retry: 2000"
    assert stream.response.headers["Content-Type"] == "text/event-stream"
    assert told == names
    assert {event.data["id"]: event.data for event in ended} == bodies
    assert {body["status"] for body in bodies.values()} == {"succeeded"}
    await until(lambda: engine.services.feeds._accounts == {})


async def test_progress_is_told_as_the_stream_of_the_task_tells_it(
    engine: Engine, kling: Upstream, client: httpx.AsyncClient
) -> None:
    name = await made(engine)
    async with (
        listen(client, PATH) as all_tasks,
        listen(client, f"/v1/video/generations/{name}/events") as one_task,
    ):
        begun = await one_task.next()
        kling.on_poll = ["running", "succeeded"]
        await engine.tick(minutes=1)
        told = [await stream.next() for stream in (all_tasks, one_task)]
        await engine.tick(minutes=1)
        ended = [await stream.next() for stream in (all_tasks, one_task)]

    assert begun is not None
    assert begun.data["progress"] == 0
    assert [event and event.data["progress"] for event in told] == [50, 50]
    assert [event and event.data["progress"] for event in ended] == [100, 100]


async def test_who_comes_back_hears_what_was_missed(
    engine: Engine, kling: Upstream, client: httpx.AsyncClient
) -> None:
    old = await made(engine)
    engine.clock.advance(minutes=10)
    async with listen(client, PATH) as stream:
        await stream.block()
        first = await stream.block()  # an id alone, for who has heard nothing yet
    assert first is not None
    assert first.data is None
    engine.clock.advance(minutes=10)
    names = [await made(engine), await made(engine)]
    engine.clock.advance(minutes=10)

    assert first.id is not None
    async with listen(client, PATH, Last_Event_ID=first.id) as stream:
        missed = [event for _ in names if (event := await stream.next())]
        engine.clock.advance(seconds=1)
        after = await made(engine)
        live = await stream.next()
    assert missed[-1].id is not None
    async with listen(client, PATH, Last_Event_ID=missed[-1].id) as stream:
        again = [event.data["id"] for _ in range(3) if (event := await stream.next())]

    assert {event.data["id"] for event in missed} == set(names)
    assert live is not None
    assert live.data["id"] == after
    assert old not in again
    assert after in again
    assert kling.submits


async def test_an_id_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    for text in ("x", "-1", "1" * 15, "0x1", "1.5"):
        answer = await client.get(PATH, headers={"Last-Event-ID": text})
        assert answer.status_code == 400, text
        assert answer.json()["param"] == "Last-Event-ID"
    for text in ("0", "f" * 14):
        async with listen(client, PATH, Last_Event_ID=text) as stream:
            assert stream.response.status_code == 200


async def test_a_silent_stream_has_comments(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "STREAM_COMMENT", timedelta(seconds=0.01))
    async with listen(client, PATH) as stream:
        blocks = [await stream.block() for _ in range(4)]
    assert [block and block.text for block in blocks][2:] == [":", ":"]


async def test_a_removed_task_is_not_told_of(
    engine: Engine, kling: Upstream, client: httpx.AsyncClient
) -> None:
    kling.on_poll = ["succeeded"]
    removed, kept = await made(engine), await made(engine)
    await engine.tick(minutes=1)
    await engine.services.reader.remove(removed, engine.caller.sight)
    async with listen(client, PATH, Last_Event_ID="0") as stream:
        event = await stream.next()
    assert event is not None
    assert event.data["id"] == kept


async def test_a_head_and_a_full_token_end_at_once(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    assert (await client.head(PATH)).status_code == 200
    engine.services.places._most = 1
    async with listen(client, PATH):
        answer = await client.get(PATH)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_waiters")
    without = await client.get(PATH, headers={"Authorization": ""})
    assert without.status_code == 401


async def test_a_server_that_stops_ends_its_streams(engine: Engine) -> None:
    async with open_waiting_api(engine) as (client, server), listen(client, PATH) as stream:
        await stream.block()
        await stream.block()
        server.should_exit = True
        async with asyncio.timeout(20):
            assert await stream.next() is None
