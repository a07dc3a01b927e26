"""The operator's routes, the settings, and the app behind a real server."""

import asyncio
from dataclasses import fields
from typing import Any

import httpx
import pytest
import uvicorn
from tests.sandbox.support import (
    KLING,
    KLING_HEADERS,
    NOON,
    ROOT,
    VIDU,
    VIDU_HEADERS,
    Clock,
    jimeng_call,
    png,
)

from vidgate.providers.registry import PROVIDERS
from vidgate.sandbox.app import create_sandbox
from vidgate.sandbox.registry import STAND_INS
from vidgate.sandbox.settings import SandboxSettings
from vidgate.sandbox.vidu import Vidu

CONTROL = f"{ROOT}/_sandbox"


async def one_of_each(client: httpx.AsyncClient, clock: Clock) -> None:
    await client.post(
        f"{KLING}/v1/videos/image2video",
        json={"model_name": "kling-v3", "image": png(), "external_task_id": "ord-1"},
        headers=KLING_HEADERS,
    )
    body = {"req_key": "jimeng_t2v_v30", "prompt": "x"}
    await client.send(jimeng_call("CVSync2AsyncSubmitTask", body, clock()))
    body = {"model": "viduq2", "prompt": "x", "payload": "job-1"}
    await client.post(f"{VIDU}/text2video", json=body, headers=VIDU_HEADERS)


async def test_the_ledger_shows_every_paid_job(client: httpx.AsyncClient, clock: Clock) -> None:
    await one_of_each(client, clock)
    ledger = (await client.get(f"{CONTROL}/ledger")).json()
    assert ledger["count"] == 3
    assert [job["provider"] for job in ledger["jobs"]] == ["vidu", "jimeng", "kling"]
    assert [job["correlation"] for job in ledger["jobs"]] == ["job-1", None, "ord-1"]
    assert {job["state"] for job in ledger["jobs"]} == {"queued"}
    kling = ledger["jobs"][2]
    assert kling["endpoint"] == "/v1/videos/image2video"
    assert kling["created_at"] == NOON
    assert kling["paid"] is True
    assert len(kling["body"]["image"]) < 500
    clock.advance(40)
    query = {"provider": "vidu", "correlation": "job-1", "state": "succeeded", "limit": "1"}
    assert (await client.get(f"{CONTROL}/ledger", params=query)).json()["count"] == 1


async def test_stats_count_by_kind(client: httpx.AsyncClient, clock: Clock) -> None:
    await one_of_each(client, clock)
    stats = (await client.get(f"{CONTROL}/stats?summary=1")).json()
    assert stats["requests"] == {name: {"submit": 1} for name in ("jimeng", "kling", "vidu")}
    assert stats["jobs"] == {}
    assert stats["max_in_flight"] == 1


async def test_reset_forgets_but_never_repeats_an_id(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await one_of_each(client, clock)
    before = {job["id"] for job in (await client.get(f"{CONTROL}/ledger")).json()["jobs"]}
    assert (await client.post(f"{CONTROL}/reset")).json() == {"reset": True}
    assert (await client.get(f"{CONTROL}/ledger")).json() == {"count": 0, "jobs": []}
    await one_of_each(client, clock)
    after = {job["id"] for job in (await client.get(f"{CONTROL}/ledger")).json()["jobs"]}
    assert before.isdisjoint(after)


async def test_settings_change_while_it_runs(client: httpx.AsyncClient, clock: Clock) -> None:
    change = {"concurrency": {"vidu": 1}, "speed": 4, "vidu_over_limit": "queue"}
    changed = (await client.post(f"{CONTROL}/settings", json=change)).json()
    assert changed["concurrency"]["vidu"] == 1
    assert changed["concurrency"]["kling"] > 1
    assert changed["speed"] == 4
    await one_of_each(client, clock)
    clock.advance(10)
    ledger = (await client.get(f"{CONTROL}/ledger?provider=kling")).json()
    assert ledger["jobs"][0]["state"] == "succeeded"


@pytest.mark.parametrize(
    "change",
    [
        {"clock": 1},
        {"speed": "fast"},
        {"concurrency": {"sora": 1}},
        {"jimeng_strict": 1},
        {"jimeng_keys": {}},
        {"vidu_over_limit": []},
    ],
)
async def test_other_settings_are_refused(
    client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    response = await client.post(f"{CONTROL}/settings", json=change)
    assert response.status_code == 400


async def test_there_is_nothing_else(client: httpx.AsyncClient) -> None:
    for path in ("/", "/sora/x", "/_sandbox/secrets", "/_sandbox/"):
        assert (await client.get(f"{ROOT}{path}")).status_code == 404


def test_the_demo_ends_in_time() -> None:
    settings = SandboxSettings.demo()
    slowest = max(one.job_seconds for one in STAND_INS) * (1 + settings.jitter) / settings.speed
    off_peak = 3 * Vidu.job_seconds * (1 + settings.jitter) / settings.speed
    assert max(slowest, off_peak) < 15


def test_every_provider_has_a_stand_in() -> None:
    assert [one.name for one in STAND_INS] == [one.name for one in PROVIDERS]


def test_an_option_that_changes_is_one_of_its_stand_in() -> None:
    for one in STAND_INS:
        assert set(one.changeable) <= {field.name for field in fields(one.options)}


async def test_options_that_change_leave_the_others(client: httpx.AsyncClient) -> None:
    await client.post(f"{CONTROL}/settings", json={"vidu_credits": 7, "vidu_strict": True})
    changed = await client.post(f"{CONTROL}/settings", json={"vidu_over_limit": "queue"})

    shown = changed.json()
    assert (shown["vidu_credits"], shown["vidu_strict"]) == (7, True)
    assert shown["vidu_over_limit"] == "queue"
    assert shown["jimeng_strict"]
    assert shown["kling_callback_secret"] is None


async def test_a_job_takes_as_long_as_its_number_says(clock: Clock) -> None:
    spans = []
    for sandbox in [
        create_sandbox(SandboxSettings(clock=clock, encode_ahead=False)) for _ in range(2)
    ]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox)) as client:
            for _ in range(3):
                await one_of_each(client, clock)
        spans.append([job.queue_seconds + job.run_seconds for job in sandbox.world.ledger])
    assert spans[0] == spans[1]
    assert len(set(spans[0])) == len(spans[0])
    assert all(0.85 <= span / 40 <= 1.15 or 0.85 <= span / 90 <= 1.15 for span in spans[0])


async def test_a_real_server_drops_real_connections(settings: SandboxSettings) -> None:
    sandbox = create_sandbox(settings)
    config = uvicorn.Config(sandbox, port=0, log_level="critical", ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    root = f"http://127.0.0.1:{port}"
    body = {"model": "viduq2", "prompt": "x"}
    async with httpx.AsyncClient(base_url=root, trust_env=False) as client:
        for kind in ("reset", "refuse_after_create", "reset_in_body"):
            fault = {"provider": "vidu", "operation": "submit", "kind": kind}
            await client.post("/_sandbox/faults", json=fault)
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post("/vidu/ent/v2/text2video", json=body, headers=VIDU_HEADERS)
        fault = {"provider": "vidu", "operation": "submit", "kind": "hang"}
        await client.post("/_sandbox/faults", json=fault)
        with pytest.raises(httpx.ReadTimeout):
            await client.post(
                "/vidu/ent/v2/text2video", json=body, headers=VIDU_HEADERS, timeout=0.05
            )
        ledger = (await client.get("/_sandbox/ledger")).json()
        assert ledger["count"] == 2
        response = await client.post("/vidu/ent/v2/text2video", json=body, headers=VIDU_HEADERS)
        assert response.status_code == 200
    server.should_exit = True
    await serving
