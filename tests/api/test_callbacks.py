"""Providers that call: the real application and services, with a provider that signs."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.support.adapters import ADAPTERS
from tests.support.api import open_api
from tests.support.engine import SECRET_KEY, Engine, open_engine
from tests.support.gateway import open_client
from tests.support.upstreams import MODELS, NAMES, Upstream, state
from typing_extensions import override

from vidgate.constants import CALLBACK_LIMIT_BYTES, CALLBACKS_AT_ONCE
from vidgate.exceptions import CallbackRefusedError
from vidgate.logs import mask
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.channels import ChannelAccess
from vidgate.models.ids import new_id
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskStatus
from vidgate.providers.base import Callback, CallsBack
from vidgate.providers.kling import Kling
from vidgate.services.attempts.callbacks import CallbackAddresses
from vidgate.services.secrets import SecretBox, read_secret_keys

PUBLIC_URL = "https://gateway.test/base"
NEW_KEY = "bmV3LXNlY3JldC1rZXktb2YtMzItYnl0ZXMtbG9uZyE="
NOTICE = json.dumps({"status": "succeed", "id": "somebody-else"}).encode()


class CallingKling(Kling):
    """Signs the address and the body with the channel's callback secret, or with its key."""

    @override
    def check_callback(
        self, callback: Callback, channel: ChannelAccess, secret: SecretStr | None
    ) -> None:
        key = secret or channel.credential
        if callback.headers.get("x-signature") != sign(
            key.get_secret_value(), callback.url, callback.body
        ):
            raise CallbackRefusedError("It is signed with another key.")


def sign(key: str, url: str, body: bytes) -> str:
    return hashlib.sha256(f"{key} {url} ".encode() + body).hexdigest()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    async with open_engine(database_url, public_url=PUBLIC_URL) as engine:
        use_calling(engine)
        yield engine


def use_calling(engine: Engine) -> None:
    providers: Any = engine.operator.providers
    providers["kling"] = CallingKling()


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine) as client:
        yield client


@asynccontextmanager
async def client_of(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine, base_url="http://inside", scheme="") as client:
        yield client


def address_in(request: httpx.Request) -> str | None:
    found = re.search(rb'https://gateway\.test/base/callbacks/[^"]+', request.content)
    return found[0].decode() if found else None


def path_of(address: str) -> str:
    return address.removeprefix(PUBLIC_URL)


async def started(engine: Engine, **channel: Any) -> tuple[Upstream, Any, str]:
    """A running task and the address its provider was given."""
    await engine.channel("kling", **channel)
    upstream = Upstream(engine.router, "kling")
    created = await engine.create(MODELS["kling"])
    address = address_in(upstream.submits[0])
    assert address is not None
    return upstream, created, address


async def call(
    client: httpx.AsyncClient, address: str, *, key: str = "kling-test-key", body: bytes = NOTICE
) -> httpx.Response:
    headers = {"X-Signature": sign(key, address, body), "Content-Type": "application/json"}
    return await client.post(path_of(address), content=body, headers=headers)


async def due_in(engine: Engine, created: Any) -> float:
    [attempt] = await engine.attempts(created)
    assert attempt.due_at is not None
    return (attempt.due_at - engine.clock.now()).total_seconds()


async def test_a_callback_brings_the_next_poll_forward(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    upstream, created, address = await started(engine)
    upstream.on_poll = ["succeeded"]
    await engine.tick()
    assert upstream.polls == []

    answer = await call(client, address)
    await engine.tick()

    assert (answer.status_code, answer.json()) == (200, {})
    assert len(upstream.polls) == 1
    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED


async def test_its_body_is_not_believed(engine: Engine, client: httpx.AsyncClient) -> None:
    upstream, created, address = await started(engine)
    for body in (NOTICE, b"", b"\xff\x00{", b'{"task_status": "failed"}'):
        assert (await call(client, address, body=body)).status_code == 200
    await engine.tick()

    assert len(upstream.polls) == 1
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS


async def test_a_callback_after_the_end_changes_nothing(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    upstream, created, address = await started(engine)
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)
    before = await engine.attempts(created)

    assert (await call(client, address)).status_code == 200
    await engine.tick()

    assert await engine.attempts(created) == before
    assert len(upstream.polls) == 1


async def test_an_address_that_is_none_is_told_nothing(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    _, created, address = await started(engine)
    token = address.rpartition("/")[2]
    [attempt] = await engine.attempts(created)
    addresses = CallbackAddresses(public_url=PUBLIC_URL, box=engine.operator.box)
    absent = addresses.of("kling", new_id()).rpartition("/")[2]
    elsewhere = addresses.of("vidu", attempt.id).rpartition("/")[2]
    other_last = "B" if token[-1] != "B" else "C"
    paths = [
        f"kling/{absent}",
        f"kling/{elsewhere}",
        f"vidu/{elsewhere}",
        f"vidu/{token}",
        f"sora/{token}",
        f"Kling/{token}",
        f"kling/{token[:-1]}",
        f"kling/{token}A",
        f"kling/{token[:-1]}{other_last}",
        f"kling/{token[:21]}{'A' if token[21] != 'A' else 'B'}{token[22:]}",
        f"kling/{token.swapcase()}",
        f"kling/{'A' * 43}",
        "kling/%C3%A4" + "A" * 42,
        "kling/x",
    ]
    before = await due_in(engine, created)

    answers = [await client.post(f"/callbacks/{path}", content=NOTICE) for path in paths]

    bodies = {answer.content for answer in answers}
    assert {answer.status_code for answer in answers} == {404}
    assert len(bodies) == 1, bodies
    assert answers[0].json()["code"] == "callback_not_found"
    assert await due_in(engine, created) == before


@pytest.mark.parametrize("path", ["/callbacks", "/callbacks/kling", "/callbacks/kling/a/b"])
async def test_there_is_nothing_around_the_addresses(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path)).status_code == 404


async def test_only_a_post_is_a_callback(engine: Engine, client: httpx.AsyncClient) -> None:
    _, _, address = await started(engine)

    for method in ("GET", "PUT", "DELETE"):
        answer = await client.request(method, path_of(address))
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "POST"


async def test_a_wrong_signature_brings_nothing_about(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    _, created, address = await started(engine)
    before = await due_in(engine, created)

    answer = await call(client, address, key="guessed")

    assert answer.status_code == 403
    assert answer.json()["code"] == "callback_refused"
    assert await due_in(engine, created) == before


async def test_the_channel_s_own_secret_is_used_as_soon_as_it_is_set(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    _, _, address = await started(engine, callback_secret="first")
    assert (await call(client, address)).status_code == 403
    assert (await call(client, address, key="first")).status_code == 200

    await engine.operator.provisioning.change_channel("kling", {"callback_secret": "second"})
    await engine.services.directory.load()
    assert (await call(client, address, key="first")).status_code == 403
    assert (await call(client, address, key="second")).status_code == 200

    await engine.operator.provisioning.change_channel("kling", {"callback_secret": None})
    await engine.services.directory.load()
    assert (await call(client, address)).status_code == 200


async def test_a_body_has_its_limit(engine: Engine, client: httpx.AsyncClient) -> None:
    _, _, address = await started(engine)

    largest = await call(client, address, body=b"x" * CALLBACK_LIMIT_BYTES)
    larger = await call(client, address, body=b"x" * (CALLBACK_LIMIT_BYTES + 1))

    assert (largest.status_code, larger.status_code) == (200, 413)


async def test_so_many_at_once_and_no_more(engine: Engine, client: httpx.AsyncClient) -> None:
    _, _, address = await started(engine)
    goes_on, all_arrived = asyncio.Event(), asyncio.Event()
    arrived = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal arrived
        arrived += 1
        if arrived == CALLBACKS_AT_ONCE:
            all_arrived.set()
        yield b"{"
        await goes_on.wait()
        yield b"}"

    headers = {"X-Signature": sign("kling-test-key", address, b"{}")}

    async def held() -> httpx.Response:
        return await client.post(path_of(address), content=body(), headers=headers)

    calls = [asyncio.create_task(held()) for _ in range(CALLBACKS_AT_ONCE)]
    await all_arrived.wait()
    refused = await client.post(path_of(address), content=b"{}", headers=headers)
    goes_on.set()

    assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200}
    assert refused.status_code == 503
    assert (await call(client, address)).status_code == 200


async def test_the_token_is_not_logged(engine: Engine, client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        _, _, address = await started(engine)
        await call(client, address)
        await call(client, address, key="guessed")
        await client.post(path_of(address) + "x")
        await client.post(f"/x{path_of(address)}")
    token = address.rpartition("/")[2]

    assert "/callbacks/***" in str(logs)
    assert token not in str(logs)
    assert token not in mask(f"given {address}, {path_of(address)}?x=1")


async def test_a_callback_while_its_job_is_asked_about_counts_after_it(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    _, created, address = await started(engine)
    now = engine.clock.now()
    [before] = await engine.attempts(created)
    lease = await leased(engine, before)

    assert (await call(client, address)).status_code == 200
    await engine.services.callbacks.round()
    [held] = await engine.attempts(created)
    await engine.operator.attempts.release(before, lease, now)
    await engine.services.callbacks.round()
    [after] = await engine.attempts(created)

    assert held.due_at == lease.until
    assert after.due_at == now


async def leased(engine: Engine, attempt: Attempt) -> Lease:
    """Hold an attempt as a worker does that asks about it."""
    now = engine.clock.now()
    assert attempt.due_at is not None
    lease = Lease(new_id(), attempt.due_at)
    await engine.operator.attempts.hasten([attempt.id], now)
    [claimed] = await engine.operator.attempts.claim(lease=lease, now=now, limit=1)
    assert claimed.id == attempt.id
    return lease


async def test_callbacks_in_a_row_ask_once_a_second_at_most(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    upstream, _, address = await started(engine)
    engine.services.callbacks._monotonic = lambda: 0.0
    for _ in range(5):
        await call(client, address)
        await engine.tick()
    assert len(upstream.polls) == 1

    # The round of a second later.
    await engine.services.callbacks.round()
    await engine.tick()
    await engine.services.callbacks.round()
    await engine.tick()

    assert len(upstream.polls) == 2


async def test_without_a_public_url_nobody_is_given_an_address(database_url: str) -> None:
    async with open_engine(database_url) as engine:
        use_calling(engine)
        await engine.channel("kling")
        upstream = Upstream(engine.router, "kling")
        await engine.create(MODELS["kling"])

        assert b"/callbacks/" not in upstream.submits[0].content


async def test_a_provider_that_calls_is_asked_less_often(engine: Engine, database_url: str) -> None:
    _, created, _ = await started(engine)
    [called] = await engine.attempts(created)
    async with open_engine(database_url) as other:
        use_calling(other)
        Upstream(other.router, "kling")
        [asked] = await other.attempts(await other.create(MODELS["kling"]))

    assert called.pace == replace(
        asked.pace, interval=3 * asked.pace.interval, max_interval=2 * asked.pace.max_interval
    )


async def test_each_attempt_has_an_address_of_its_own(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    upstream, _, address = await started(engine)
    other = await engine.create(MODELS["kling"])
    second = address_in(upstream.submits[1])
    assert second is not None
    upstream.on_poll = [lambda request: state("kling", "running", request.url.path[-6:])]

    assert (await call(client, second)).status_code == 200

    assert second != address
    assert await due_in(engine, other) == 0


def test_an_address_outlives_a_rotation_of_the_key() -> None:
    attempt_id = new_id()

    def addresses(*keys: str) -> CallbackAddresses:
        box = SecretBox(lambda: read_secret_keys(",".join(keys), None))
        return CallbackAddresses(public_url=None, box=box)

    token = addresses(SECRET_KEY).of("kling", attempt_id).rpartition("/")[2]

    assert addresses(SECRET_KEY).of("kling", attempt_id).endswith(token)
    assert addresses(NEW_KEY, SECRET_KEY).attempt_id("kling", token) == attempt_id
    assert addresses(NEW_KEY).attempt_id("kling", token) is None
    assert not addresses(NEW_KEY, SECRET_KEY).of("kling", attempt_id).endswith(token)


async def test_the_callbacks_are_documented() -> None:
    async with open_api() as api:
        described = (await api.client.get("/openapi.json")).json()
    operation = described["paths"]["/callbacks/{provider}/{token}"]["post"]

    assert "security" not in operation
    assert "422" not in operation["responses"]
    assert [one["name"] for one in operation["parameters"]] == ["provider", "token"]
    assert {"200", "403", "404", "413", "503"} <= set(operation["responses"])


def calls_back(name: str) -> bool:
    adapter = ADAPTERS[name]
    request = VideoRequest(model=MODELS[name], prompt="a boat")
    return isinstance(adapter, CallsBack) and adapter.translate(request).callback


@pytest.mark.parametrize("provider", [name for name in NAMES if calls_back(name)])
async def test_the_real_adapters_pass_the_address_on(database_url: str, provider: str) -> None:
    async with open_engine(database_url, public_url=PUBLIC_URL) as engine:
        await engine.channel(provider)
        upstream = Upstream(engine.router, provider)
        created = await engine.create(MODELS[provider])
        [attempt] = await engine.attempts(created)

        expected = CallbackAddresses(public_url=PUBLIC_URL, box=engine.operator.box)
        assert address_in(upstream.submits[0]) == expected.of(provider, attempt.id)
