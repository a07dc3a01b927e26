"""The conversation with providers: its steps, its deadline, and what each mistake is taken for."""

import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.engine import KEYS, Engine, build_upstream
from tests.support.upstreams import MODELS
from tests.support.upstreams import Upstream as Fake
from typing_extensions import override

from vidgate.exceptions import (
    ConfigurationError,
    DatabaseUnavailableError,
    LeaseLostError,
    NotSentError,
    ProviderProtocolError,
    UnansweredError,
    UnsupportedParameterError,
)
from vidgate.models.attempts import Attempt
from vidgate.models.channels import Channel, ChannelAccess
from vidgate.models.ids import new_id
from vidgate.providers.base import Call
from vidgate.providers.transport.client import UpstreamClient
from vidgate.services.channels.directory import Directory
from vidgate.services.channels.upstream import CallKind, Line, Upstream

PROXY = "http://user:secret@proxy.test:3128"
TEN_SECONDS = timedelta(seconds=10)


class Client(UpstreamClient):
    """Notes how each request is to be sent."""

    def __init__(self, transport: Callable[[], httpx.AsyncBaseTransport]) -> None:
        super().__init__(transport_factory=transport, proxied_factory=lambda _: transport())
        self.ways: list[dict[str, Any]] = []

    @override
    async def send(self, request: httpx.Request, **named: Any) -> httpx.Response:
        self.ways.append(named)
        return await super().send(request, **named)

    @override
    async def open(self, request: httpx.Request, **named: Any) -> httpx.Response:
        self.ways.append(named)
        return await super().open(request, **named)

    @property
    def timeouts(self) -> list[float]:
        return [way["timeout_seconds"] for way in self.ways]


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[Client]:
    client = Client(lambda: httpx.MockTransport(engine.router.async_handler))
    yield client
    await client.aclose()


@pytest.fixture
def upstream(engine: Engine, client: Client) -> Upstream:
    return build_upstream(engine, client)


@pytest.fixture
async def channel(engine: Engine) -> Channel:
    engine.router.get(url__regex="^http://kling.test/").mock(
        side_effect=lambda request: httpx.Response(200, text=request.url.path)
    )
    return await engine.channel("kling")


def step(
    access: ChannelAccess, path: str, read: Callable[[httpx.Response], Any] = httpx.Response.read
) -> Call[Any]:
    headers = {"Authorization": f"Bearer {access.credential.get_secret_value()}"}
    return Call(httpx.Request("GET", access.base_url + path, headers=headers), read)


def one_step(access: ChannelAccess, now: datetime) -> Call[str]:
    return step(access, f"/{now:%H}", lambda response: response.text)


async def running(engine: Engine) -> Attempt:
    Fake(engine.router, "vidu")
    await engine.channel("vidu")
    created = await engine.create(MODELS["vidu"])
    [attempt] = await engine.attempts(created)
    return attempt


def sent(engine: Engine) -> list[str]:
    return [call.request.url.path for call in engine.router.calls]


# Steps and their deadline


async def test_an_answer_is_read(engine: Engine, upstream: Upstream, channel: Channel) -> None:
    assert (
        await upstream.ask(channel, one_step, call=CallKind.POLL, within=TEN_SECONDS)
        == f"/{engine.clock.now():%H}"
    )


async def test_two_steps_have_one_deadline(
    engine: Engine, client: Client, upstream: Upstream, channel: Channel
) -> None:
    def two_steps(access: ChannelAccess, _: datetime) -> Call[str]:
        def read(response: httpx.Response) -> Call[str]:
            engine.clock.advance(seconds=7)
            return step(access, f"{response.text}/second", lambda last: last.text)

        return step(access, "/first", read)

    assert (
        await upstream.ask(channel, two_steps, call=CallKind.POLL, within=TEN_SECONDS)
        == "/first/second"
    )

    assert sent(engine) == ["/first", "/first/second"]
    assert client.timeouts == [10, 3]


async def test_a_call_of_too_many_steps_is_given_up(
    engine: Engine, upstream: Upstream, channel: Channel
) -> None:
    def endless(access: ChannelAccess, now: datetime) -> Call[str]:
        return step(access, "/again", lambda _: endless(access, now))

    with pytest.raises(ProviderProtocolError, match="more than 4 steps"):
        await upstream.ask(channel, endless, call=CallKind.POLL, within=TEN_SECONDS)

    assert len(sent(engine)) == 4


async def test_what_has_no_time_left_is_not_sent(
    engine: Engine, upstream: Upstream, channel: Channel
) -> None:
    for within in (timedelta(), timedelta(seconds=-1)):
        with pytest.raises(NotSentError, match="No time"):
            await upstream.ask(channel, one_step, call=CallKind.POLL, within=within)

    assert sent(engine) == []


async def test_a_step_without_time_is_not_sent(
    engine: Engine, upstream: Upstream, channel: Channel
) -> None:
    def two_steps(access: ChannelAccess, now: datetime) -> Call[str]:
        def read(_: httpx.Response) -> Call[str]:
            engine.clock.advance(seconds=10)
            return one_step(access, now)

        return step(access, "/first", read)

    with pytest.raises(NotSentError, match="No time"):
        await upstream.ask(channel, two_steps, call=CallKind.POLL, within=TEN_SECONDS)

    assert sent(engine) == ["/first"]


async def test_what_comes_before_the_first_step_is_within_the_deadline(
    engine: Engine, client: Client, channel: Channel
) -> None:
    class SlowDirectory(Directory):
        """Takes three seconds to find a key."""

        @override
        async def access(self, credential_id: Any) -> ChannelAccess:
            engine.clock.advance(seconds=3)
            return await super().access(credential_id)

    directory = SlowDirectory(
        accounts=engine.operator.accounts,
        channels=engine.operator.channels,
        states=engine.operator.channel_states,
        box=engine.operator.box,
        clock=engine.clock,
        monotonic=time.monotonic,
    )
    upstream = build_upstream(engine, client, directory)

    def slowly(access: ChannelAccess, now: datetime) -> Call[str]:
        engine.clock.advance(seconds=2)
        return one_step(access, now)

    await upstream.ask(channel, slowly, call=CallKind.POLL, within=TEN_SECONDS)

    assert client.timeouts == [5]


async def test_a_heavy_call_is_written_in_a_thread(upstream: Upstream, channel: Channel) -> None:
    threads: list[int] = []

    def write(access: ChannelAccess, now: datetime) -> Call[str]:
        threads.append(threading.get_ident())
        return one_step(access, now)

    for in_thread in (False, True):
        assert await upstream.ask(
            channel, write, call=CallKind.POLL, within=TEN_SECONDS, in_thread=in_thread
        )

    ours = threading.get_ident()
    assert [thread == ours for thread in threads] == [True, False]


# Mistakes, and errors that are none


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_mistake_in_writing_sends_nothing(
    engine: Engine, upstream: Upstream, channel: Channel, *, in_thread: bool
) -> None:
    def write(_access: ChannelAccess, _now: datetime) -> Call[str]:
        raise KeyError("a secret")

    with pytest.raises(NotSentError) as caught:
        await upstream.ask(
            channel, write, call=CallKind.POLL, within=TEN_SECONDS, in_thread=in_thread
        )

    assert str(caught.value) == "KeyError in the adapter."
    assert sent(engine) == []


@pytest.mark.parametrize(
    "mistake",
    [
        KeyError("a secret"),
        # Ours, and yet no word about an answer: a job may have been made.
        ConfigurationError("a secret"),
        UnsupportedParameterError("size", "a secret"),
        DatabaseUnavailableError("a secret"),
        LeaseLostError("a secret"),
    ],
)
async def test_a_mistake_in_reading_says_nothing_of_what_was_done(
    engine: Engine, upstream: Upstream, channel: Channel, mistake: Exception
) -> None:
    def write(access: ChannelAccess, _: datetime) -> Call[str]:
        def read(_: httpx.Response) -> str:
            raise mistake

        return step(access, "/first", read)

    with pytest.raises(ProviderProtocolError) as caught:
        await upstream.ask(channel, write, call=CallKind.POLL, within=TEN_SECONDS)

    assert str(caught.value) == f"{type(mistake).__name__} in the adapter."
    assert sent(engine) == ["/first"]


async def test_a_mistake_in_sending_says_no_more(engine: Engine, upstream: Upstream) -> None:
    channel = await engine.channel("kling")
    engine.router.get(url__regex="^http://kling.test/").mock(side_effect=RuntimeError("a mistake"))

    with pytest.raises(ProviderProtocolError, match="RuntimeError in the adapter"):
        await upstream.ask(channel, one_step, call=CallKind.POLL, within=TEN_SECONDS)


async def test_what_is_wrong_with_a_request_is_told_as_it_is(
    engine: Engine, upstream: Upstream, channel: Channel
) -> None:
    error = ConfigurationError("It has no second part.")

    def write(_access: ChannelAccess, _now: datetime) -> Call[str]:
        raise error

    with pytest.raises(ConfigurationError) as caught:
        await upstream.ask(channel, write, call=CallKind.POLL, within=TEN_SECONDS)

    assert caught.value is error
    assert sent(engine) == []


async def test_what_an_answer_does_not_say_is_told_as_it_is(
    upstream: Upstream, channel: Channel
) -> None:
    error = ProviderProtocolError("Status 429.", retry_after_seconds=7)

    def write(access: ChannelAccess, _: datetime) -> Call[str]:
        def read(_: httpx.Response) -> str:
            raise error

        return step(access, "/first", read)

    with pytest.raises(ProviderProtocolError) as caught:
        await upstream.ask(channel, write, call=CallKind.POLL, within=TEN_SECONDS)

    assert caught.value is error


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (httpx.ConnectError("refused"), NotSentError),
        (httpx.ReadError("reset"), UnansweredError),
    ],
)
async def test_no_answer_is_told_as_it_is(
    engine: Engine, upstream: Upstream, failure: Exception, error: type[Exception]
) -> None:
    channel = await engine.channel("kling")
    engine.router.get(url__regex="^http://kling.test/").mock(side_effect=failure)

    with pytest.raises(error) as caught:
        await upstream.ask(channel, one_step, call=CallKind.POLL, within=TEN_SECONDS)

    assert type(caught.value) is error


# The way to a channel


async def test_a_channel_is_reached_with_its_key_by_its_proxy(
    engine: Engine, client: Client, upstream: Upstream
) -> None:
    engine.router.get(url__regex="^http://kling.test/").respond(200)
    channel = await engine.channel("kling", proxy=PROXY)
    await upstream.ask(channel, one_step, call=CallKind.POLL, within=TEN_SECONDS)

    [call] = engine.router.calls
    assert call.request.headers["Authorization"] == f"Bearer {KEYS['kling']}"
    [way] = client.ways
    assert (way["channel_id"], way["proxy"]) == (channel.id, SecretStr(PROXY))


async def test_a_channel_without_a_proxy_is_reached_directly(
    client: Client, upstream: Upstream, channel: Channel
) -> None:
    await upstream.ask(channel, one_step, call=CallKind.POLL, within=TEN_SECONDS)

    [way] = client.ways
    assert way["proxy"] is None


async def test_an_attempt_keeps_its_key_and_goes_by_the_proxy_of_the_moment(
    engine: Engine, upstream: Upstream
) -> None:
    attempt = await running(engine)
    await engine.operator.provisioning.set_key("vidu", "vda_another_key")
    await engine.operator.provisioning.change_channel("vidu", {"proxy": PROXY})
    await engine.services.directory.load()
    [channel] = await engine.services.directory.channels()

    old = ChannelAccess("http://vidu.test", SecretStr(KEYS["vidu"]))
    new = ChannelAccess("http://vidu.test", SecretStr("vda_another_key"))
    proxy = SecretStr(PROXY)
    assert await upstream.line(attempt) == Line(attempt.channel_id, old, proxy)
    assert await upstream.line(channel) == Line(channel.id, new, proxy)
    assert attempt.channel_id == channel.id


@pytest.mark.parametrize("missing", ["credential_id", "channel_id"])
async def test_a_channel_or_key_that_is_gone_is_the_operators_to_know(
    engine: Engine, upstream: Upstream, missing: str
) -> None:
    gone: dict[str, Any] = {missing: new_id()}
    attempt = replace(await running(engine), **gone)
    before = sent(engine)

    with pytest.raises(ConfigurationError, match="not in the database"):
        await upstream.ask(attempt, one_step, call=CallKind.POLL, within=TEN_SECONDS)

    assert sent(engine) == before


# Downloads


async def test_a_download_goes_the_same_way(
    engine: Engine, client: Client, upstream: Upstream, channel: Channel
) -> None:
    await engine.operator.provisioning.change_channel("kling", {"proxy": PROXY})
    await engine.services.directory.load()
    line = await upstream.line(channel)
    request = step(line.access, "/film").request

    response = await upstream.open(line, request, timeout_seconds=5)

    assert await response.aread() == b"/film"
    await response.aclose()
    assert client.ways == [
        {"channel_id": channel.id, "timeout_seconds": 5, "proxy": SecretStr(PROXY)}
    ]
