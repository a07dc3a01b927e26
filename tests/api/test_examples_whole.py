"""Every provider's example through the real application, with the stand-in of it behind."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.support.engine import Engine
from tests.support.gateway import open_client
from tests.support.upstreams import FINDING

from vidgate.models.channels import NewChannel
from vidgate.providers.registry import PROVIDERS
from vidgate.sandbox.app import create_sandbox
from vidgate.sandbox.registry import SANDBOX_KEYS
from vidgate.sandbox.settings import SandboxSettings
from vidgate.sandbox.wire import ConnectionDroppedError

SHOWN = {
    one.name: one.capabilities.example
    for one in PROVIDERS
    if one.capabilities.example is not None and one.name in SANDBOX_KEYS
}
EVERY = pytest.mark.parametrize("name", SHOWN)


@pytest.fixture
async def client(engine: Engine, name: str) -> AsyncIterator[httpx.AsyncClient]:
    sandbox = create_sandbox(
        SandboxSettings(encode_ahead=False, clock=lambda: engine.clock.now().timestamp())
    )
    transport = httpx.ASGITransport(sandbox)

    async def play(request: httpx.Request) -> httpx.Response:
        try:
            async with httpx.AsyncClient(transport=transport) as there:
                return await there.send(request)
        except ConnectionDroppedError as error:
            raise httpx.ReadError("dropped") from error

    engine.router.route(host="127.0.0.1").mock(side_effect=play)
    channel = NewChannel(
        name=name,
        provider=name,
        key=SANDBOX_KEYS[name],
        base_url=f"http://127.0.0.1:3900/{name}",
    )
    await engine.operator.provisioning.add_channel(channel)
    await engine.services.directory.load()
    async with open_client(engine) as client:
        yield client


async def finish(engine: Engine) -> None:
    for _ in range(12):
        await engine.tick(seconds=15)


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def example(name: str) -> dict[str, Any]:
    shown = dict(SHOWN[name] or {})
    metadata = {one: value for one, value in shown["metadata"].items() if one != "callback_url"}
    return {**shown, "metadata": metadata}


@EVERY
async def test_an_example_becomes_a_video_in_every_dialect(
    engine: Engine, client: httpx.AsyncClient, name: str
) -> None:
    made = await client.post("/v1/video/generations", json=example(name))
    assert made.status_code == 200, made.text
    task_id = made.json()["task_id"]

    await finish(engine)

    done = await get(client, f"/v1/video/generations/{task_id}")
    assert (done["status"], done["url"][:4]) == ("succeeded", "http"), done
    assert task_id in f"{done['data']['data']}"
    same = await get(client, f"/v1/videos/{task_id}")
    assert (same["status"], same["model"]) == ("completed", example(name)["model"])


@EVERY
async def test_a_model_serves_the_openai_dialect(
    engine: Engine, client: httpx.AsyncClient, name: str
) -> None:
    body = {"model": example(name)["model"], "prompt": "a boat", "seconds": "5"}
    made = await client.post("/v1/videos", json=body)
    assert made.status_code == 200, made.text
    video_id = made.json()["id"]

    await finish(engine)

    done = await get(client, f"/v1/videos/{video_id}")
    assert (done["status"], done["seconds"]) == ("completed", "5"), done


@pytest.mark.parametrize("name", [one for one in SHOWN if one in FINDING])
async def test_a_submit_whose_answer_was_lost_is_taken_up(
    engine: Engine, client: httpx.AsyncClient, name: str
) -> None:
    body = {**example(name), "prompt": "a boat #drop-created"}
    made = await client.post("/v1/video/generations", json=body)
    task_id = made.json()["task_id"]

    await engine.tick(seconds=100)
    await finish(engine)

    done = await get(client, f"/v1/video/generations/{task_id}")
    assert done["status"] == "succeeded", done
    [attempt] = await engine.operator.attempts.of_task((await engine.task(task_id)).id)
    assert attempt.ref is not None
