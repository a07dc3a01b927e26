"""The stand-in for Ark: what it refuses, the life of a task, its list, its two deletions."""

from typing import Any

import httpx
import pytest
from tests.sandbox.support import ROOT, Clock, Inbox

from vidgate.sandbox.app import Sandbox
from vidgate.sandbox.registry import SANDBOX_KEYS

HEADERS = {"Authorization": f"Bearer {SANDBOX_KEYS['seedance']}"}
TASKS = f"{ROOT}/seedance/api/v3/contents/generations/tasks"
V25, V10 = "doubao-seedance-2-5-260628", "seedance-1-0-pro-250528"
TEXT = {"type": "text", "text": "a boat"}
DAY = 86400


def frame(role: str = "first_frame") -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": "https://a.test/1.png"}, "role": role}


def media(kind: str) -> dict[str, Any]:
    return {"type": kind, kind: {"url": "https://a.test/1"}}


async def post(client: httpx.AsyncClient, *items: Any, **changes: Any) -> httpx.Response:
    body = {"model": V25, "content": [*items] or [TEXT], "duration": 5} | changes
    return await client.post(TASKS, json=body, headers=HEADERS)


async def create(client: httpx.AsyncClient, *items: Any, **changes: Any) -> str:
    response = await post(client, *items, **changes)
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


async def ask(client: httpx.AsyncClient, task: str, status: int = 200) -> Any:
    response = await client.get(f"{TASKS}/{task}", headers=HEADERS)
    assert response.status_code == status, response.text
    return response.json()


async def test_a_bad_key_is_refused(client: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer nobody"}):
        response = await client.get(TASKS, headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "AuthenticationError"


async def test_a_task_lives_its_life(client: httpx.AsyncClient, clock: Clock) -> None:
    task = await create(client, return_last_frame=True)
    statuses = [(await ask(client, task))["status"]]
    for seconds in (20, 80):
        clock.advance(seconds)
        statuses.append((await ask(client, task))["status"])
    assert statuses == ["queued", "running", "succeeded"]
    done = await ask(client, task)
    assert done["usage"]["completion_tokens"] == done["usage"]["total_tokens"] > 100_000
    assert (done["resolution"], done["ratio"], done["generate_audio"]) == ("720p", "16:9", True)
    assert done["content"]["last_frame_url"]
    assert (await client.get(done["content"]["video_url"])).content[4:8] == b"ftyp"
    clock.advance(DAY)
    assert (await client.get(done["content"]["video_url"])).status_code == 403
    clock.advance(6 * DAY)
    assert (await ask(client, task, 404))["error"]["code"] == "NotFound.Task"


@pytest.mark.parametrize(
    ("items", "changes", "status", "code"),
    [
        ([], {"model": "doubao-seedance-1-5-pro-251215"}, 404, "InvalidEndpointOrModel.NotFound"),
        ([], {"model": "dreamina-seedance-1-0-pro-250528"}, 404, "InvalidEndpointOrModel.NotFound"),
        ([], {"model": "seedance-2-5-260628"}, 404, "InvalidEndpointOrModel.NotFound"),
        ([], {"content": []}, 400, "InvalidParameter"),
        ([], {"duration": 3}, 400, "InvalidParameter"),
        ([], {"resolution": "4k"}, 400, "InvalidParameter"),
        ([], {"resolution": "720P"}, 400, "InvalidParameter"),
        ([], {"execution_expires_after": 60}, 400, "InvalidParameter"),
        ([], {"draft": True, "resolution": "720p"}, 400, "InvalidParameter"),
        ([], {"service_tier": "flex"}, 400, "InvalidParameter.UnsupportedParameter"),
        ([], {"frames": 29}, 400, "InvalidParameter.UnsupportedParameter"),
        ([], {"model": V10, "generate_audio": False}, 400, "InvalidParameter.UnsupportedParameter"),
        ([], {"model": V10, "ratio": "adaptive"}, 400, "InvalidParameter"),
        ([TEXT, frame("last_frame")], {}, 400, "InvalidParameter"),
        ([TEXT, frame(), media("video_url")], {}, 400, "InvalidParameter"),
        ([TEXT, *[media("audio_url")] * 11], {}, 400, "InvalidParameter"),
        (
            [TEXT, media("video_url")],
            {"omni_reference_task_type": "edit"},
            400,
            "InvalidParameter.TaskTypeConstraint",
        ),
        ([{"type": "text", "text": "#audit"}], {}, 400, "InputTextSensitiveContentDetected"),
        ([{"type": "text", "text": "#quota-trial"}], {}, 429, "QuotaExceeded"),
        ([{"type": "text", "text": "#quota-queue"}], {}, 429, "QuotaExceeded"),
        ([{"type": "text", "text": "#quota-plan"}], {}, 429, "QuotaExceeded"),
    ],
)
async def test_what_is_refused_at_once(
    client: httpx.AsyncClient, items: list[Any], changes: dict[str, Any], status: int, code: str
) -> None:
    response = await post(client, *items, **changes)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert "Request id" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("items", "changes"),
    [
        ([TEXT, frame()], {"ratio": "16:9"}),
        ([{"type": "text", "text": "replace the sky"}, media("video_url")], {"duration": 5}),
    ],
)
async def test_what_breaks_a_rule_of_2_5_may_be_accepted_and_fail(
    client: httpx.AsyncClient, clock: Clock, items: list[Any], changes: dict[str, Any]
) -> None:
    task = await create(client, *items, **changes)
    clock.advance(100)

    told = await ask(client, task)

    assert told["status"] == "failed"
    assert told["error"]["code"] == "InvalidParameter.TaskTypeConstraint"


async def test_a_deletion_has_two_meanings(client: httpx.AsyncClient, clock: Clock) -> None:
    queued, other = await create(client), await create(client)
    url, late = f"{TASKS}/{queued}", f"{TASKS}/{other}"
    assert (await client.delete(url, headers=HEADERS)).json() == {}
    assert (await ask(client, queued))["status"] == "cancelled"
    assert (await client.delete(url, headers=HEADERS)).status_code == 400
    clock.advance(20)
    assert (await client.delete(late, headers=HEADERS)).status_code == 400
    clock.advance(80)
    assert (await client.delete(late, headers=HEADERS)).status_code == 200
    await ask(client, other, 404)
    clock.advance(DAY)
    await ask(client, queued, 404)


async def test_a_task_expires_in_its_time(client: httpx.AsyncClient, clock: Clock) -> None:
    never = await create(client, {"type": "text", "text": "#never"}, execution_expires_after=3600)
    soon = await create(client, {"type": "text", "text": "#expired"})
    clock.advance(100)
    assert [(await ask(client, one))["status"] for one in (never, soon)] == ["running", "expired"]
    clock.advance(3500)
    assert (await ask(client, never))["status"] == "expired"


async def test_the_list_is_slow_and_hides_the_slow_queue(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    one = await create(client)
    flex = await create(client, model=V10, service_tier="flex")

    async def listed(**query: Any) -> Any:
        clock.advance(1)
        return (await client.get(TASKS, params=query, headers=HEADERS)).json()

    told = await listed(page_size=500)
    assert [task["id"] for task in told["items"]] == [one]
    assert (await client.get(TASKS, headers=HEADERS)).status_code == 429
    slow = await listed(**{"filter.service_tier": "flex"})
    assert [task["id"] for task in slow["items"]] == [flex]
    assert (await listed(**{"filter.model": V10}))["total"] == 0
    assert (await listed(page_num=2, page_size=1)) == {"total": 1, "items": []}


async def test_every_state_is_called_back_and_the_end_until_it_is_heard(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    await create(client, callback_url="http://127.0.0.1:9/callbacks")
    assert [body["status"] for body in await inbox.bodies()] == ["queued"]
    clock.advance(20)
    await inbox.bodies()
    clock.advance(80)
    inbox.statuses = [500, 500, 500, 200]
    told = [body["status"] for body in await inbox.bodies()]
    assert told == ["queued", "running", *["succeeded"] * 4]
    assert not any("signature" in name.lower() for one in inbox.requests for name in one.headers)


async def test_a_ratio_may_be_in_no_list(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    task = await create(client, {"type": "text", "text": "a boat #odd-ratio"})
    assert (await ask(client, task))["ratio"] == "7:5"
    [job] = sandbox.world.ledger
    assert job.charge > 0
