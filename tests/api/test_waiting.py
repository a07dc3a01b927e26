"""`?wait=` on the GETs of a task, over real sockets."""

import asyncio
import gc
import posixpath
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx
import pytest
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import MODELS, Upstream
from tests.support.waiting import open_waiting_api, until

from vidgate.cli.servers import Server
from vidgate.db.notifications import Listener, Notifier
from vidgate.exceptions import DatabaseUnavailableError, TaskNotFoundError
from vidgate.services.views.changes import Changes

PATHS = ("/v1/video/generations", "/v1/videos")
QUESTION = (
    "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n"
    "User-Agent: OpenAI/Python 2.8.1\r\nAuthorization: Bearer {key}\r\n"
    "X-Stainless-Lang: python\r\nX-Stainless-OS: Linux\r\nX-Stainless-Runtime: CPython\r\n\r\n"
)


@pytest.fixture
async def served(engine: Engine) -> AsyncIterator[tuple[httpx.AsyncClient, Server]]:
    async with open_waiting_api(engine) as served:
        yield served


@pytest.fixture
def client(served: tuple[httpx.AsyncClient, Server]) -> httpx.AsyncClient:
    return served[0]


async def made(engine: Engine, provider: str = "kling") -> tuple[Upstream, str]:
    await engine.channel(provider)
    fake = Upstream(engine.router, provider)
    return fake, (await engine.create(MODELS[provider])).snapshot.public_id


def count(engine: Engine) -> int:
    return sum(len(topic.watches) for topic in engine.services.waiters._topics.values())


def waiting(engine: Engine) -> int:
    topics = engine.services.waiters._topics.values()
    return sum(watch.woken is not None for topic in topics for watch in topic.watches)


def listening(engine: Engine) -> int:
    accounts = engine.services.feeds._accounts.values()
    return sum(feed._woken is not None for account in accounts for feed in account.feeds)


@pytest.mark.parametrize("path", PATHS)
async def test_a_get_waits_for_the_end(
    engine: Engine, client: httpx.AsyncClient, path: str
) -> None:
    fake, name = await made(engine)
    asked = asyncio.create_task(client.get(f"{path}/{name}?wait=60"))
    await until(lambda: count(engine) == 1)
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)

    answer = await asked

    assert answer.status_code == 200
    assert answer.json()["status"] in {"succeeded", "completed"}
    assert answer.headers["ETag"] == 'W/"2"'
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
async def test_with_a_tag_it_waits_for_another_state(
    engine: Engine, client: httpx.AsyncClient, path: str
) -> None:
    await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    first = (await engine.create(MODELS["kling"])).snapshot
    name = (await engine.create(MODELS["kling"])).snapshot.public_id
    tag = (await client.get(f"{path}/{name}")).headers["ETag"]
    headers = {"If-None-Match": tag}
    asked = asyncio.create_task(client.get(f"{path}/{name}?wait=60", headers=headers))
    await until(lambda: count(engine) == 1)
    fake.on_poll = ["succeeded", "running"]
    await engine.tick(minutes=1)
    await engine.tick(seconds=5)

    answer = await asked
    again = await client.get(
        f"{path}/{name}?wait=0.05", headers={"If-None-Match": answer.headers["ETag"]}
    )
    finished = await client.get(f"{path}/{first.public_id}")
    over = await client.get(
        f"{path}/{first.public_id}?wait=60", headers={"If-None-Match": finished.headers["ETag"]}
    )

    assert (answer.status_code, answer.json()["status"]) in [
        (200, "processing"),
        (200, "in_progress"),
    ]
    assert answer.headers["ETag"] != tag
    assert again.status_code == 304
    assert again.headers["openai-poll-after-ms"]
    assert over.status_code == 304  # nothing can follow: nobody waits a minute for that


@pytest.mark.parametrize("path", PATHS)
async def test_when_time_is_up_the_state_is_answered(
    engine: Engine, client: httpx.AsyncClient, path: str
) -> None:
    _, name = await made(engine)

    for wait in ("0", "0.0", "0.05", "00.05"):
        answer = await client.get(f"{path}/{name}", params={"wait": wait, "other": "x"})
        assert answer.status_code == 200, wait
        assert answer.json()["status"] in {"processing", "in_progress"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "query",
    [
        "61",
        "60.1",
        "-1",
        "",
        "abc",
        "1e1",
        "999999999999",
        "%EF%BC%91",
        "+1",
        "0x1",
        "NaN",
        "1&wait=x",
    ],
)
async def test_a_wait_that_is_none_is_refused(
    engine: Engine, client: httpx.AsyncClient, path: str, query: str
) -> None:
    _, name = await made(engine)

    answer = await client.get(f"{path}/{name}?wait={query}")

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "wait"
    assert (await client.get(f"{path}/{name}?waiting=1&no=wait")).status_code == 200


async def test_what_is_not_there_is_not_waited_for(client: httpx.AsyncClient) -> None:
    for path in PATHS:
        answer = await client.get(f"{path}/task_0?wait=60")
        assert answer.status_code == 404


async def test_a_client_that_goes_away_is_forgotten_at_once(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    _, name = await made(engine)
    asked = asyncio.create_task(client.get(f"{PATHS[0]}/{name}?wait=60"))
    await until(lambda: count(engine) == 1)

    asked.cancel()
    await until(lambda: count(engine) == 0)

    assert b'vidgate_waiters{kind="wait"} 0.0' in engine.services.metrics.render()


async def test_a_server_that_stops_answers_all_who_wait(engine: Engine) -> None:
    _, name = await made(engine)
    async with open_waiting_api(engine) as (client, server):
        asked = [asyncio.create_task(client.get(f"{path}/{name}?wait=60")) for path in PATHS * 5]
        await until(lambda: count(engine) == 10)

        server.should_exit = True
        answers = await asyncio.gather(*asked)

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["status"] for answer in answers} == {"processing", "in_progress"}


@pytest.mark.parametrize("hints", [True, False])
async def test_another_replica_answers_with_and_without_hints(
    database_url: str, engine: Engine, *, hints: bool
) -> None:
    """The one that works is not the one that was asked."""
    async with open_engine(database_url, clock=engine.clock) as other:
        fake, name = await made(engine)
        notifier, there = Notifier(engine.operator.database), other.services.changes
        here = Changes(engine.services.reader, (), notifier)
        heard = asyncio.Event()
        listener = Listener(database_url, callback=there.heard, on_reset=heard.set)
        if hints:
            listener.start()
            await heard.wait()
        # With hints nobody looks by himself.
        interval = timedelta(hours=1) if hints else timedelta(seconds=0.1)
        headers = {"Authorization": f"Bearer {engine.key}"}
        async with open_waiting_api(other, interval=interval) as (client, _):
            get = client.get(f"{PATHS[0]}/{name}?wait=60", headers=headers)
            asked = asyncio.create_task(get)
            await until(lambda: count(other) == 1)
            await other.services.waiters.round()
            fake.on_poll = ["succeeded"]
            await engine.tick(minutes=1)
            here.changed((await engine.task(name)).id)
            answer = await asked
        await listener.aclose()
        await notifier.aclose()

    assert answer.json()["status"] == "succeeded"


@pytest.mark.parametrize(
    ("path", "is_open"),
    [
        ("{name}?wait=60", waiting),
        ("{name}/events", waiting),
        ("../../events", listening),
    ],
)
async def test_five_thousand_who_wait_take_less_than_sixty_mebibytes(
    engine: Engine, path: str, is_open: Callable[[Engine], int]
) -> None:
    """With the connection and all that the server has of it, as real clients ask."""
    _, name = await made(engine)
    target = posixpath.normpath(f"{PATHS[0]}/{path.format(name=name)}")
    engine.services.places._most = 1000
    async with open_waiting_api(engine) as (_, server):
        port = server.servers[0].sockets[0].getsockname()[1]

        async def wait(many: int) -> list[socket.socket]:
            opened = [socket.create_connection(("127.0.0.1", port)) for _ in range(many)]
            for one in opened:
                one.sendall(QUESTION.format(target=target, key=engine.key).encode())
            before = is_open(engine)
            await until(lambda: is_open(engine) == before + many)
            return opened

        clients = await wait(20)  # what is made once for all
        gc.collect()
        tracemalloc.start()
        try:
            clients += await wait(300)
            gc.collect()
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        for client in clients:
            client.close()
        await until(lambda: is_open(engine) == 0)

    assert taken / 300 * 5000 < 60 * 1024**2


async def test_one_request_is_counted_once_and_keeps_its_id(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    fake, name = await made(engine)
    headers = {"X-Request-Id": "mine", "Origin": "https://example.com"}
    asked = asyncio.create_task(client.get(f"{PATHS[0]}/{name}?wait=60", headers=headers))
    await until(lambda: waiting(engine) == 1)
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)

    answer = await asked

    rendered = engine.services.metrics.render().decode()
    counted = [line for line in rendered.splitlines() if line.startswith("vidgate_requests_total{")]
    assert answer.headers["X-Request-Id"] == "mine"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert len(counted) == 1
    assert 'status="200"' in counted[0]
    assert counted[0].endswith(" 1.0")


@pytest.mark.parametrize("path", PATHS)
async def test_who_was_let_in_is_answered_although_the_token_ends_meanwhile(
    engine: Engine, client: httpx.AsyncClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, name = await made(engine)
    asked = asyncio.create_task(client.get(f"{path}/{name}?wait=60"))
    await until(lambda: waiting(engine) == 1)
    monkeypatch.setattr(engine.services.directory, "known", lambda _key: None)
    monkeypatch.setattr(engine.services.directory, "authenticate", nobody)
    fake.on_poll = ["succeeded"]
    await engine.tick(minutes=1)

    assert (await client.get(f"{path}/{name}")).status_code == 401
    assert (await asked).status_code == 200


async def nobody(_key: str) -> None:
    """What the directory says of a token that was revoked."""


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (TaskNotFoundError("There is no such task."), 404, "task_not_found"),
        (DatabaseUnavailableError("down"), 503, "storage_unavailable"),
    ],
)
async def test_what_goes_wrong_at_the_end_of_a_wait_is_answered(
    engine: Engine,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    *,
    error: Exception,
    status: int,
    code: str,
) -> None:
    _, name = await made(engine)
    asked = asyncio.create_task(client.get(f"{PATHS[0]}/{name}?wait=60"))
    await until(lambda: waiting(engine) == 1)

    async def read(*_: object) -> None:
        raise error

    monkeypatch.setattr(engine.services.reader, "read", read)
    engine.services.waiters.leave()
    answer = await asked

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert count(engine) == 0
    assert engine.services.places._taken == {}


async def test_who_goes_away_is_noticed_also_behind_what_was_asked_in_advance(
    engine: Engine,
) -> None:
    _, name = await made(engine)
    question = QUESTION.format(target=f"{PATHS[0]}/{name}?wait=60", key=engine.key).encode()
    async with open_waiting_api(engine) as (_, server):
        port = server.servers[0].sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(question * 3)
        await until(lambda: waiting(engine) == 1)

        writer.transport.abort()

        await until(lambda: count(engine) == 0)
    assert engine.services.places._taken == {}
