"""A connection is cut once a request was read: SDKs send it again, and one task is made."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import openai
import pytest
from tests.support.engine import Engine, open_engine
from tests.support.node import run_node
from tests.support.serving import serve
from tests.support.upstreams import MODELS
from tests.support.volcengine import sign

from vidgate.config import Settings
from vidgate.factory import Services
from vidgate.main import create_app

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")

SUBMITTED = "http://kling.test/v1/videos/text2video"
NODE = """
import OpenAI from "openai";
const client = new OpenAI({baseURL: process.env.URL, apiKey: process.env.KEY});
const video = await client.videos.create({model: process.env.MODEL, prompt: "a boat"});
console.log(JSON.stringify(video));
"""


class Cutter:
    """A proxy that takes the first request to one server and loses it, and all others to another.

    Attributes:
        is_read: Set once the first request is at work; then its connections are cut.
        is_cut: Set once the server knows.
        came_again: Set once there is a second request.
    """

    def __init__(self, first: int, others: int) -> None:
        self._first = first
        self._others = others
        self._count = 0
        self.is_read = asyncio.Event()
        self.is_cut = asyncio.Event()
        self.came_again = asyncio.Event()
        self.heads: list[bytes] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        is_first = self._count == 1
        port = self._first if is_first else self._others
        target_reader, target = await asyncio.open_connection("127.0.0.1", port)
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        target.write(head)
        forward = asyncio.create_task(_pump(reader, target))
        if is_first:
            await self.is_read.wait()
            target.write_eof()
            writer.close()
            assert await target_reader.read() == b"", "it was answered"
            self.is_cut.set()
        else:
            self.came_again.set()
            await _pump(target_reader, writer)
        for closing in (writer, target):
            closing.close()
        await asyncio.wait([forward])


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass


async def by_python(url: str, key: str) -> str:
    async with openai.AsyncOpenAI(base_url=url, api_key=key) as client:
        # The SDK types only the models of its own vendor.
        model: Any = MODELS["kling"]
        video = await client.videos.create(model=model, prompt="a boat")
    return video.id


async def by_node(url: str, key: str) -> str:
    video = await run_node(NODE, {"URL": url, "KEY": key, "MODEL": MODELS["kling"]})
    name: str = video["id"]
    return name


@asynccontextmanager
async def replicas(database_url: str, count: int) -> AsyncIterator[list[tuple[Engine, int]]]:
    """Some gateways on one database, and their ports; each is asked with the first one's token."""
    async with AsyncExitStack() as stack:
        served: list[tuple[Engine, int]] = []
        for _ in range(count):
            engine = await stack.enter_async_context(open_engine(database_url))
            if not served:
                await engine.channel("kling")
            await engine.services.directory.load()
            app = create_app(engine.services.settings, open_services=_opening(engine.services))
            served.append((engine, await stack.enter_async_context(serve(app))))
        yield served


def _opening(services: Services) -> Any:
    @asynccontextmanager
    async def opened(_: Settings) -> AsyncIterator[Services]:
        yield services

    return opened


@pytest.mark.parametrize("ask", [by_python, by_node])
@pytest.mark.parametrize("is_early", [True, False], ids=["while it is submitted", "afterwards"])
async def test_an_sdk_repeats_what_was_lost_and_makes_one_task(
    database_url: str, ask: Callable[[str, str], Awaitable[str]], *, is_early: bool
) -> None:
    async with replicas(database_url, 2) as [(one, port), (other, other_port)]:
        cutter = Cutter(port, other_port)
        submits = 0

        async def submitted(_: httpx.Request) -> httpx.Response:
            nonlocal submits
            submits += 1
            cutter.is_read.set()
            await (cutter.came_again if is_early else cutter.is_cut).wait()
            return httpx.Response(200, json={"code": 0, "data": {"task_id": "1"}})

        for engine in (one, other):
            engine.router.post(SUBMITTED).mock(side_effect=submitted)
        async with cutter.open() as proxy:
            name = await ask(f"http://127.0.0.1:{proxy}/v1", one.key)

        [task] = await one.all_tasks()

    assert name == task.public_id
    assert submits == 1
    counts = [head.lower().partition(b"x-stainless-retry-count: ")[2][:1] for head in cutter.heads]
    assert counts == [b"0", b"1"]


async def test_what_arrived_is_not_what_was_lost(database_url: str) -> None:
    """An equal request whose first try reached nobody is one of its own."""
    async with replicas(database_url, 1) as [(engine, port)]:
        engine.router.post(SUBMITTED).respond(json={"code": 0, "data": {"task_id": "1"}})
        url = f"http://127.0.0.1:{port}"
        first = await by_python(f"{url}/v1", engine.key)
        await engine.services.task_creator._repetitions.aclose()

        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=engine.key) as client:
            model: Any = MODELS["kling"]
            second = await client.videos.create(
                model=model, prompt="a boat", extra_headers={"x-stainless-retry-count": "1"}
            )

    assert second.id != first


QUERY = "Action=CVSync2AsyncSubmitTask&Version=2022-08-31"
BODY = b'{"req_key": "jimeng_t2v_v30", "prompt": "a boat", "frames": 121}'


async def test_equal_signed_requests_of_one_second_are_as_many_tasks(database_url: str) -> None:
    async with replicas(database_url, 2) as [(one, port), (other, other_port)]:
        await one.channel("jimeng")
        await other.services.directory.load()
        access_key, secret = await one.operator.provisioning.create_access_key(one.caller.token)
        for engine in (one, other):
            engine.router.post(host="jimeng.test").respond(
                json={"code": 10000, "data": {"task_id": "1"}, "status": 10000}
            )
            await engine.services.directory.load()
        at = datetime.now(UTC).replace(microsecond=0)
        host = "gateway.test"
        headers = sign(
            BODY, at, access_key=access_key, secret=secret, host=host, path="/", query=QUERY
        )

        async def submit(port: int, after: timedelta) -> httpx.Response:
            for engine in (one, other):
                engine.clock.at = at + after
            async with httpx.AsyncClient() as client:
                return await client.post(
                    f"http://127.0.0.1:{port}/?{QUERY}", content=BODY, headers=headers
                )

        second = timedelta(seconds=1)
        equal = [await submit(each, second) for each in (port, other_port, port, port)]
        replays = [await submit(each, 3 * second) for each in (port, other_port)]

        tasks = await one.all_tasks()

    names = [answer.json()["data"]["task_id"] for answer in equal]
    assert len(set(names)) == 4
    assert {task.public_id for task in tasks} == set(names)
    assert [answer.json()["data"]["task_id"] for answer in replays] == [names[-1]] * 2
    assert all(answer.headers["Idempotent-Replayed"] == "true" for answer in replays)
