"""Testing a channel: one sentence, whatever is wrong, and never a job."""

import socket
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.engine import KEYS, Engine, build_upstream
from tests.support.proxies import SocksProxy, proxy_server
from typing_extensions import override

from vidgate.exceptions import ConfigurationError, ProviderProtocolError
from vidgate.models.channels import ChannelAccess, ChannelState
from vidgate.providers.base import Call, ProbeAnswer
from vidgate.providers.kling import Kling
from vidgate.providers.transport.client import UpstreamClient
from vidgate.services.channels.channel_test import ChannelCheck, ChannelChecker


class ProbedKling(Kling):
    """Asks for an account."""

    @override
    def test(self, channel: ChannelAccess, now: datetime) -> Call[ProbeAnswer]:
        if channel.credential.get_secret_value() == "unusable":
            raise ConfigurationError("It has no second part.")
        headers = {"Authorization": f"Bearer {channel.credential.get_secret_value()}"}
        return Call(httpx.Request("GET", f"{channel.base_url}/account", headers=headers), self.read)

    @staticmethod
    def read(response: httpx.Response) -> ProbeAnswer:
        match response.status_code:
            case 200:
                return ProbeAnswer(works=True, sentence="The key works.")
            case 401:
                return ProbeAnswer(works=False, sentence="Kling does not know the key.")
            case _:
                raise ProviderProtocolError("Status 502.")


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient()
    yield client
    await client.aclose()


def checker(engine: Engine, client: UpstreamClient | None = None) -> ChannelChecker:
    providers: Any = engine.operator.providers
    providers["kling"] = ProbedKling()
    handler = engine.router.async_handler
    mocked = UpstreamClient(transport_factory=lambda: httpx.MockTransport(handler))
    return ChannelChecker(
        channels=engine.operator.channels,
        states=engine.operator.channel_states,
        providers=providers,
        upstream=build_upstream(engine, client or mocked),
        clock=engine.clock,
    )


async def answered(engine: Engine, **answer: Any) -> ChannelCheck:
    await engine.channel("kling")
    engine.router.get("http://kling.test/account").mock(**answer)
    return await checker(engine).check("kling")


@pytest.mark.parametrize(("status", "state"), [(200, ChannelState.OK), (401, ChannelState.BALANCE)])
async def test_one_that_works_gets_work_again(
    engine: Engine, status: int, state: ChannelState
) -> None:
    channel = await engine.channel("kling")
    await engine.operator.channel_states.take_out(
        channel.id,
        ChannelState.BALANCE,
        "no money",
        credential_id=channel.credential_id,
        now=engine.clock.now(),
    )
    engine.router.get("http://kling.test/account").mock(return_value=httpx.Response(status))

    await checker(engine).check("kling")

    assert (await engine.operator.channel_states.all())[channel.id].state is state


async def test_a_channel_that_works(engine: Engine) -> None:
    done = await answered(engine, return_value=httpx.Response(200))

    assert (done.works, done.sentence) == (True, "The key works.")
    assert engine.router.calls[0].request.headers["Authorization"] == f"Bearer {KEYS['kling']}"
    assert await engine.all_tasks() == []


async def test_a_key_that_the_provider_does_not_know(engine: Engine) -> None:
    done = await answered(engine, return_value=httpx.Response(401))

    assert (done.works, done.sentence) == (False, "Kling does not know the key.")


async def test_an_answer_that_cannot_be_read(engine: Engine) -> None:
    done = await answered(engine, return_value=httpx.Response(502))

    assert not done.works
    assert done.sentence == "The provider's answer cannot be read: Status 502."


async def test_a_provider_that_does_not_answer(engine: Engine) -> None:
    done = await answered(engine, side_effect=httpx.ReadTimeout("slow"))

    assert not done.works
    assert done.sentence.startswith("The provider was reached and gave no answer: kling.test:80")


async def test_a_disabled_channel_can_be_tested(engine: Engine) -> None:
    await engine.channel("kling")
    await engine.operator.provisioning.set_enabled("kling", enabled=False)
    engine.router.get("http://kling.test/account").respond(200)

    assert (await checker(engine).check("kling")).works


async def test_a_key_that_cannot_be_used(engine: Engine) -> None:
    test = checker(engine)
    await engine.channel("kling")
    await engine.operator.provisioning.set_key("kling", "unusable")

    done = await test.check("kling")

    assert done.sentence == "The key cannot be used: It has no second part."


async def test_nobody_listens(engine: Engine, client: UpstreamClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    await engine.channel("kling", base_url=f"http://127.0.0.1:{port}")

    done = await checker(engine, client).check("kling")

    assert not done.works
    assert done.sentence == (
        f"The provider cannot be reached: 127.0.0.1:{port}: no connection (connection refused)."
    )


async def test_it_goes_by_the_channel_s_proxy(engine: Engine, client: UpstreamClient) -> None:
    proxy = SocksProxy(reply=5)
    async with proxy_server(proxy) as port:
        await engine.channel(
            "kling", base_url="http://kling.invalid", proxy=f"socks5://127.0.0.1:{port}"
        )
        done = await checker(engine, client).check("kling")

    assert proxy.asked == ["kling.invalid:80"]
    assert done.sentence == ("The provider cannot be reached: kling.invalid:80: the proxy refused.")


async def test_what_cannot_be_tested_is_the_operators_to_know(engine: Engine) -> None:
    test = checker(engine)
    providers: Any = engine.operator.providers
    await engine.channel("vidu")
    providers["vidu"] = object()  # all of ours can do it

    with pytest.raises(ConfigurationError, match="without making a video"):
        await test.check("vidu")
    with pytest.raises(ConfigurationError, match="There is no channel 'gone'"):
        await test.check("gone")


async def test_secrets_of_a_channel_are_kept_encrypted_and_rotated(engine: Engine) -> None:
    url = "socks5://user:a-proxy-secret@127.0.0.1:1080"
    channel = await engine.channel("kling", proxy=url, callback_secret="whsec-1")
    box = engine.operator.box
    directory = engine.services.directory

    assert "secret" not in repr(channel).replace("callback_secret", "")
    assert channel.proxy is not None
    assert b"a-proxy-secret" not in channel.proxy
    assert await directory.proxy(channel.id) == SecretStr(url)
    assert await directory.callback_secret(channel.id) == SecretStr("whsec-1")

    assert await engine.operator.provisioning.rotate_secrets() == 3
    await directory.load()
    [rotated] = await directory.channels()
    assert rotated.proxy != channel.proxy
    assert await directory.proxy(channel.id) == SecretStr(url)
    assert box.fingerprints
