"""Several real processes on one database, with the sandbox as the providers."""

import asyncio
from typing import Any

import httpx
from tests.support.processes import open_town, wait_until

PATH = "/v1/video/generations"
MODELS = ("kling-v2-6", "jimeng_t2v_v30", "viduq2")


async def create(client: httpx.AsyncClient, model: str, prompt: str = "a boat") -> str:
    answer = await client.post(PATH, json={"model": model, "prompt": prompt})
    assert answer.status_code == 200, answer.text
    identifier: str = answer.json()["id"]
    return identifier


async def final(client: httpx.AsyncClient, task: str, *, seconds: float) -> dict[str, Any]:
    async def asked() -> dict[str, Any] | None:
        answer = await client.get(f"{PATH}/{task}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body if body["status"] != "processing" else None

    found: dict[str, Any] = await wait_until(asked, seconds=seconds)
    return found


async def test_a_task_made_at_one_replica_is_known_at_once_at_the_other(database_url: str) -> None:
    async with open_town(database_url) as town:
        first = town.client(await town.gateway())
        second = town.client(await town.gateway())
        for model in MODELS:
            task = await create(first, model)
            assert (await second.get(f"{PATH}/{task}")).status_code == 200
            body = await final(second, task, seconds=60)
            assert body["status"] == "succeeded", body
            video = await town.sandbox.get(body["url"])
            assert video.status_code == 200
            assert video.content[4:8] == b"ftyp"
            assert {body["metadata"][name] for name in ("duration", "fps", "width", "height")} - {
                None
            }


async def test_two_replicas_never_poll_an_attempt_at_once(database_url: str) -> None:
    async with open_town(database_url, sandbox={"speed": 20, "latency_seconds": 0.2}) as town:
        clients = [town.client(await town.gateway()) for _ in range(2)]
        tasks = await asyncio.gather(
            *(create(clients[n % 2], MODELS[n % 3], f"boat {n}") for n in range(100))
        )
        for n, task in enumerate(tasks):
            body = await final(clients[(n + 1) % 2], task, seconds=120)
            assert body["status"] == "succeeded", body
        stats = (await town.sandbox.get("/_sandbox/stats")).json()
        jobs = stats["jobs"].values()
        assert len(jobs) == 100
        assert sum(job["polls"] for job in jobs) >= 100
        assert max(job["max_concurrent_polls"] for job in jobs) == 1
        assert len(await town.ledger()) == 100


async def test_a_change_is_in_force_at_running_processes_within_a_second(
    database_url: str,
) -> None:
    async with open_town(database_url) as town:
        client = town.client(await town.gateway())
        await create(client, "kling-v2-6")

        await town.operator.provisioning.set_enabled("kling", enabled=False)

        async def refused() -> bool:
            answer = await client.post(PATH, json={"model": "kling-v2-6", "prompt": "a boat"})
            return answer.status_code == 503

        await wait_until(refused, seconds=2)


async def test_a_killed_worker_loses_and_doubles_nothing(database_url: str) -> None:
    """Ten tasks: some run, some are cut off while their submit is under way."""
    async with open_town(
        database_url,
        sandbox={"speed": 4, "latency_seconds": 0.05},
        VIDGATE_SUBMIT_TIMEOUT="3",
    ) as town:
        gateway = await town.gateway()
        client = town.client(gateway)
        running = [await create(client, MODELS[n % 3], f"running {n}") for n in range(6)]
        await town.sandbox.post("/_sandbox/settings", json={"latency_seconds": 2})
        posts = [
            asyncio.create_task(create(client, model, f"cut off {n}"))
            for n, model in enumerate((*MODELS, "kling-v2-6"))
        ]

        async def all_sent() -> bool:
            stats = (await town.sandbox.get("/_sandbox/stats")).json()
            return bool(stats["in_flight"] >= 4 and len(await town.ledger()) >= 6)

        await wait_until(all_sent, seconds=30)
        await gateway.kill()
        await asyncio.gather(*posts, return_exceptions=True)
        await town.sandbox.post("/_sandbox/settings", json={"latency_seconds": 0, "speed": 50})

        again = town.client(await town.gateway())
        stored = await town.operator.tasks.overview(limit=100)
        assert len(stored) == 10
        ended = {task.public_id: await final(again, task.public_id, seconds=180) for task in stored}

        for name in running:
            assert ended[name]["status"] == "succeeded", ended[name]
        for task in stored:
            body = ended[task.public_id]
            if body["status"] == "failed":
                assert task.model == "jimeng_t2v_v30"
                assert body["error"]["code"] == "submit_outcome_unknown"
        correlations = [(job["provider"], job["body"].get("prompt")) for job in await town.ledger()]
        assert len(correlations) == len(set(correlations))


async def test_two_gateways_stop_cleanly(database_url: str) -> None:
    async with open_town(database_url) as town:
        first, second = await town.gateway("--workers", "2"), await town.gateway()
        await create(town.client(first), "kling-v2-6")
        assert await first.stop() == 0
        assert await second.stop() == 0
