"""Providers that call back: the sandbox calls a real gateway, which checks and asks."""

import base64
import time

import pytest
from tests.processes.test_replicas import create, final
from tests.support.processes import free_port, open_town, wait_until
from tests.support.proxies import HttpProxy, SocksProxy, proxy_server


async def test_a_callback_ends_a_task_long_before_its_first_ask(database_url: str) -> None:
    """At pace 1 nobody would ask before 20 seconds; the jobs take one."""
    port = free_port()
    async with open_town(
        database_url,
        sandbox={"speed": 50},
        VIDGATE_POLL_PACE="1",
        VIDGATE_PUBLIC_URL=f"http://127.0.0.1:{port}",
    ) as town:
        client = town.client(await town.gateway(port=port))
        began = time.monotonic()
        tasks = [await create(client, model) for model in ("kling-v2-6", "viduq2")]
        for task in tasks:
            body = await final(client, task, seconds=18)
            assert body["status"] == "succeeded", body
        assert time.monotonic() - began < 18
        sent = (await town.sandbox.get("/_sandbox/callbacks")).json()
        assert {one["outcome"] for one in sent["sent"]} == {"delivered"}, sent


async def test_a_callback_with_a_wrong_signature_does_nothing(database_url: str) -> None:
    port = free_port()
    async with open_town(
        database_url,
        sandbox={"speed": 50},
        VIDGATE_PUBLIC_URL=f"http://127.0.0.1:{port}",
    ) as town:
        fault = {"provider": "vidu", "operation": "callback", "kind": "bad_signature", "times": 99}
        assert (await town.sandbox.post("/_sandbox/faults", json=fault)).status_code == 200
        client = town.client(await town.gateway(port=port))

        task = await create(client, "viduq2")

        body = await final(client, task, seconds=60)  # polled all the same
        assert body["status"] == "succeeded", body
        sent = (await town.sandbox.get("/_sandbox/callbacks")).json()
        assert {one["outcome"] for one in sent["sent"]} == {"failed"}, sent


@pytest.mark.parametrize("is_right", [True, False])
async def test_what_kling_signs_is_checked_against_the_channels_secret(
    database_url: str, *, is_right: bool
) -> None:
    port = free_port()
    signed_with, known = (f"whsec_{base64.b64encode(bytes([n]) * 24).decode()}" for n in (1, 2))
    async with open_town(
        database_url,
        sandbox={"speed": 50, "kling_callback_secret": signed_with},
        VIDGATE_POLL_PACE="1",
        VIDGATE_PUBLIC_URL=f"http://127.0.0.1:{port}",
    ) as town:
        secret = signed_with if is_right else known
        await town.operator.provisioning.change_channel("kling", {"callback_secret": secret})
        client = town.client(await town.gateway(port=port))

        task = await create(client, "kling-v2-6")

        async def delivered() -> set[str]:
            sent = (await town.sandbox.get("/_sandbox/callbacks")).json()["sent"]
            return {one["outcome"] for one in sent} - {"pending"}

        # Polls alone would take 20 seconds and more; the job takes one.
        if is_right:
            body = await final(client, task, seconds=18)
            assert body["status"] == "succeeded", body
        outcomes = await wait_until(delivered, seconds=60)
        assert outcomes == {"delivered" if is_right else "failed"}


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_a_channels_provider_is_reached_by_its_proxy_alone(
    database_url: str, kind: str
) -> None:
    login = ("user", "secret-word")
    proxy = HttpProxy(login) if kind == "http" else SocksProxy(login)
    async with proxy_server(proxy) as port, open_town(database_url) as town:
        url = f"{kind}://{login[0]}:{login[1]}@127.0.0.1:{port}"
        await town.operator.provisioning.change_channel("vidu", {"proxy": url})
        client = town.client(await town.gateway())

        body = await final(client, await create(client, "viduq2"), seconds=60)
        through_it = len(proxy.asked)
        assert body["status"] == "succeeded", body
        other = await final(client, await create(client, "kling-v2-6"), seconds=60)

        assert other["status"] == "succeeded", other
        assert through_it > 0
        assert len(proxy.asked) == through_it
        sandbox_port = str(town.sandbox.base_url.port)
        assert all(sandbox_port in asked for asked in proxy.asked)
