"""Providers that call back: the sandbox calls a real gateway, which checks and asks."""

import time

from tests.processes.test_replicas import create, final
from tests.support.processes import free_port, open_town


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
