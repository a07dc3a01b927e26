"""Jimeng's own dialect over the real services and database; only the provider is made up."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.support.engine import Engine
from tests.support.gateway import open_client
from tests.support.volcengine import sign

SUBMIT = "Action=CVSync2AsyncSubmitTask&Version=2022-08-31"
RESULT = "Action=CVSync2AsyncGetResult&Version=2022-08-31"
GOOD: dict[str, Any] = {"req_key": "jimeng_t2v_v30", "prompt": "a boat", "new": {"a": [1]}}
ACCEPTED = {"code": 10000, "data": {"task_id": "7512000000000000001"}, "message": "Success"}


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    await engine.channel("jimeng")
    async with open_client(engine, base_url="http://gateway.test") as client:
        yield client


def vendor(engine: Engine, status: int, body: dict[str, Any]) -> Any:
    return engine.router.post(url__startswith="http://jimeng.test/").respond(status, json=body)


async def test_the_vendor_gets_what_the_client_sent(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    route = vendor(engine, 200, ACCEPTED)

    answer = await client.post(f"/jimeng/?{SUBMIT}", json=GOOD)

    assert answer.status_code == 200, answer.text
    assert json.loads(route.calls.last.request.content) == GOOD
    name = answer.json()["data"]["task_id"]
    asked = await client.post(f"/jimeng/?{RESULT}", json={"req_key": "x", "task_id": name})
    assert asked.json()["data"] == {"status": "in_queue"}
    neutral = await client.get(f"/v1/video/generations/{name}")
    assert neutral.json()["model"] == "jimeng_t2v_v30"


async def test_a_server_in_front_that_writes_every_field_is_understood(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    """Deployed new-api servers send an empty ratio, and ask by one key whatever the task's."""
    route = vendor(engine, 200, ACCEPTED)
    body = {
        "req_key": "jimeng_t2v_v30",
        "prompt": "a boat",
        "seed": 0,
        "aspect_ratio": "",
        "frames": 121,
    }

    answer = await client.post(f"/jimeng/?{SUBMIT}", json=body)

    assert answer.status_code == 200, answer.text
    assert answer.json()["code"] == 10000
    del body["aspect_ratio"]
    assert json.loads(route.calls.last.request.content) == body
    question = {"req_key": "jimeng_vgfm_t2v_l20", "task_id": answer.json()["data"]["task_id"]}
    asked = await client.post(f"/jimeng/?{RESULT}", json=question)
    assert (asked.status_code, asked.json()["data"]) == (200, {"status": "in_queue"})


async def test_a_known_keys_value_is_refused_before_any_call(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    native = await client.post(f"/jimeng/?{SUBMIT}", json=GOOD | {"frames": 99})
    neutral = await client.post(
        "/v1/video/generations", json={"model": "jimeng_v30", "prompt": "a boat", "frames": 99}
    )

    assert (native.status_code, native.json()["code"]) == (400, 50200)
    assert "frames" in native.json()["message"]
    assert "121, 241" in native.json()["message"]
    assert (neutral.status_code, neutral.json()["param"]) == (400, "frames")
    assert "121, 241" in neutral.json()["message"]
    assert not engine.router.calls
    assert await engine.all_tasks() == []


@pytest.mark.parametrize(
    ("code", "message"),
    [(50200, "Invalid Input Parameters: req_key"), (50400, "Access Denied")],
)
async def test_a_key_that_the_vendor_does_not_know_is_one_answer(
    engine: Engine, client: httpx.AsyncClient, code: int, message: str
) -> None:
    vendor(engine, 400, {"code": code, "data": None, "message": message})

    native = await client.post(f"/jimeng/?{SUBMIT}", json=GOOD | {"req_key": "jimeng_t2v_v99"})
    neutral = await client.post(
        "/v1/video/generations", json={"model": "jimeng_t2v_v99", "prompt": "a boat"}
    )

    assert (neutral.status_code, neutral.json()["code"]) == (404, "model_not_found")
    assert (native.status_code, native.json()["code"]) == (404, 50200)
    assert native.headers["x-should-retry"] == "false"


async def test_an_old_signed_submit_makes_one_task_however_often_it_comes(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    route = vendor(engine, 200, ACCEPTED)
    token, _ = await engine.operator.provisioning.create_token(name="signing")
    access_key, secret = await engine.operator.provisioning.create_access_key(token)
    body = json.dumps(GOOD).encode()

    async def send(at: float) -> httpx.Response:
        headers = sign(
            body,
            engine.clock.now() + timedelta(seconds=at),
            access_key=access_key,
            secret=secret,
            query=SUBMIT,
        )
        return await client.post(f"/?{SUBMIT}", content=body, headers=headers)

    first, again, other = await send(-3), await send(-3), await send(-4)

    assert first.status_code == again.status_code == other.status_code == 200, first.text
    assert first.json()["data"] == again.json()["data"] != other.json()["data"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert route.call_count == 2
    assert len(await engine.all_tasks()) == 2


async def test_a_signed_submit_from_the_future_is_remembered_as_long_as_it_holds(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    """Signed 14 minutes ahead it holds for 29: longer than a signature of now."""
    route = vendor(engine, 200, ACCEPTED)
    token, _ = await engine.operator.provisioning.create_token(name="signing")
    access_key, secret = await engine.operator.provisioning.create_access_key(token)
    body = json.dumps(GOOD).encode()
    ahead = engine.clock.now() + timedelta(minutes=14)
    headers = sign(body, ahead, access_key=access_key, secret=secret, query=SUBMIT)

    first = await client.post(f"/?{SUBMIT}", content=body, headers=headers)
    engine.clock.advance(minutes=28)
    again = await client.post(f"/?{SUBMIT}", content=body, headers=headers)
    engine.clock.advance(minutes=2)
    late = await client.post(f"/?{SUBMIT}", content=body, headers=headers)

    assert first.json()["data"] == again.json()["data"]
    assert late.json()["ResponseMetadata"]["Error"]["Code"] == "InvalidTimestamp"
    assert route.call_count == 1


async def test_a_task_of_the_other_dialects_is_read_here_too(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    vendor(engine, 200, ACCEPTED)
    made = await client.post(
        "/v1/video/generations", json={"model": "jimeng_v30", "prompt": "a boat"}
    )

    answer = await client.post(f"/?{RESULT}", json={"task_id": made.json()["id"]})

    assert (answer.status_code, answer.json()["code"]) == (200, 10000)
    assert answer.json()["data"] == {"status": "in_queue"}
