"""Kling: credentials, the life of a task in both generations, lists, slots."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.sandbox.support import KLING, KLING_HEADERS, NOON, Clock, kling_jwt

from vidgate.sandbox.app import Sandbox
from vidgate.sandbox.kling_options import ACCESS_KEY, SECRET_KEY

NEW = f"{KLING}/text-to-video/kling-3.0"
LEGACY = f"{KLING}/v1/videos/text2video"

BODY = {"prompt": "a paper boat", "settings": {"resolution": "1080p", "duration": 6}}
LEGACY_BODY = {"model_name": "kling-v2-6", "prompt": "a paper boat", "duration": "5"}


async def create(client: httpx.AsyncClient, body: dict[str, Any] | None = None) -> Any:
    response = await client.post(NEW, json=body or BODY, headers=KLING_HEADERS)
    assert response.status_code == 200, response.text
    return response.json()["data"]


async def task(client: httpx.AsyncClient, **query: str) -> Any:
    response = await client.get(f"{KLING}/tasks", params=query, headers=KLING_HEADERS)
    assert response.status_code == 200
    (found,) = response.json()["data"]
    return found


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, 1001),
        ("Bearer nobody", 1002),
        ("Token sandbox-kling-key", 1002),
        ("Bearer  sandbox-kling-key", 1002),
    ],
)
async def test_bad_credentials_are_refused(
    client: httpx.AsyncClient, header: str | None, code: int
) -> None:
    headers = {"Authorization": header} if header else {}
    response = await client.post(NEW, json=BODY, headers=headers)
    assert response.status_code == 401
    assert response.json()["code"] == code
    assert "data" not in response.json()


async def test_a_jwt_is_good_on_legacy_paths_only(client: httpx.AsyncClient) -> None:
    token = kling_jwt(ACCESS_KEY, SECRET_KEY, NOON)
    headers = {"Authorization": f"Bearer {token}"}
    legacy = await client.post(LEGACY, json=LEGACY_BODY, headers=headers)
    new = await client.post(NEW, json=BODY, headers=headers)
    assert legacy.status_code == 200
    assert (new.status_code, new.json()["code"]) == (401, 1002)


@pytest.mark.parametrize(
    ("secret", "times", "code"),
    [
        (SECRET_KEY, {"lasts": -1}, 1004),
        (SECRET_KEY, {"begins": 60}, 1003),
        ("another-secret", {}, 1002),
    ],
)
async def test_a_jwt_is_checked(
    client: httpx.AsyncClient, secret: str, times: dict[str, float], code: int
) -> None:
    token = kling_jwt(ACCESS_KEY, secret, NOON, **times)
    response = await client.post(
        LEGACY, json=LEGACY_BODY, headers={"Authorization": f"Bearer {token}"}
    )
    assert (response.status_code, response.json()["code"]) == (401, code)


async def test_a_new_task_lives_its_life(client: httpx.AsyncClient, clock: Clock) -> None:
    body = BODY | {"options": {"external_task_id": "ord-1"}}
    created = await create(client, body)
    assert created == {
        "id": created["id"],
        "status": "submitted",
        "message": "",
        "external_id": "ord-1",
        "create_time": int(NOON * 1000),
        "update_time": int(NOON * 1000),
    }
    assert len(created["id"]) == 18
    assert (await task(client, task_ids=created["id"]))["status"] == "submitted"
    clock.advance(20)
    assert (await task(client, external_task_ids="ord-1"))["status"] == "processing"
    clock.advance(20)
    done = await task(client, task_ids=created["id"])
    assert done["status"] == "succeeded"
    assert done["update_time"] == int((NOON + 40) * 1000)
    (output,) = done["outputs"]
    assert output["type"] == "video"
    assert output["duration"] == "6.041"
    assert output["url"].startswith("http://sandbox.test/files/kling/")
    assert "watermark_url" not in output
    assert done["billing"] == [{"charge_type": "unit", "amount": "4.8", "package_type": "video"}]


async def test_a_legacy_task_lives_its_life(client: httpx.AsyncClient, clock: Clock) -> None:
    body = LEGACY_BODY | {"external_task_id": "ord-2", "watermark_info": {"enabled": True}}
    response = await client.post(LEGACY, json=body, headers=KLING_HEADERS)
    created = response.json()["data"]
    assert created["task_status"] == "submitted"
    assert created["task_info"] == {"external_task_id": "ord-2"}
    clock.advance(40)
    by_id = await client.get(f"{LEGACY}/{created['task_id']}", headers=KLING_HEADERS)
    by_external = await client.get(f"{LEGACY}/ord-2", headers=KLING_HEADERS)
    done = by_id.json()["data"]
    assert done == by_external.json()["data"]
    assert done["task_status"] == "succeed"
    assert done["final_unit_deduction"] == "1.5"
    (video,) = done["task_result"]["videos"]
    assert video["duration"] == "5.041"
    assert video["watermark_url"]


async def test_tasks_also_shows_legacy_tasks_in_the_new_shape(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    created = await client.post(LEGACY, json=LEGACY_BODY, headers=KLING_HEADERS)
    clock.advance(40)
    shown = await task(client, task_ids=created.json()["data"]["task_id"])
    assert shown["status"] == "succeeded"


async def test_external_ids_are_unique_in_the_account_over_both_generations(
    client: httpx.AsyncClient,
) -> None:
    await create(client, BODY | {"options": {"external_task_id": "once"}})
    again = await client.post(
        LEGACY, json=LEGACY_BODY | {"external_task_id": "once"}, headers=KLING_HEADERS
    )
    other = await client.post(
        LEGACY,
        json=LEGACY_BODY | {"external_task_id": "once"},
        headers={"Authorization": "Bearer sandbox-kling-key-2"},
    )
    assert (again.status_code, again.json()["code"]) == (400, 1201)
    assert again.json()["message"] == "External_task_id once already exists"
    assert other.status_code == 200


async def test_unknown_tasks_differ_by_generation(client: httpx.AsyncClient) -> None:
    new = await client.get(f"{KLING}/tasks?task_ids=1,2", headers=KLING_HEADERS)
    legacy = await client.get(f"{LEGACY}/nobody", headers=KLING_HEADERS)
    assert new.json()["data"] == []
    assert (legacy.status_code, legacy.json()["code"]) == (400, 1201)
    assert legacy.json()["message"] == "Task not found by id/external id: nobody"


async def test_a_legacy_task_is_read_where_it_was_created(client: httpx.AsyncClient) -> None:
    created = await client.post(LEGACY, json=LEGACY_BODY, headers=KLING_HEADERS)
    elsewhere = f"{KLING}/v1/videos/image2video/{created.json()['data']['task_id']}"
    assert (await client.get(elsewhere, headers=KLING_HEADERS)).status_code == 400


@pytest.mark.parametrize(
    "query", ["task_ids=" + ",".join(map(str, range(21))), "task_ids=1&external_task_ids=2", ""]
)
async def test_a_batch_has_its_limits(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"{KLING}/tasks?{query}", headers=KLING_HEADERS)
    assert (response.status_code, response.json()["code"]) == (400, 1201)


async def test_another_account_sees_nothing(client: httpx.AsyncClient) -> None:
    created = await create(client)
    response = await client.get(
        f"{KLING}/tasks?task_ids={created['id']}",
        headers={"Authorization": "Bearer sandbox-kling-key-2"},
    )
    assert response.json()["data"] == []


async def test_a_slot_is_held_until_the_end(
    client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.world.settings = replace(
        sandbox.world.settings, concurrency={"kling": 1, "jimeng": 1, "vidu": 1}
    )
    await create(client)
    full = await client.post(NEW, json=BODY, headers=KLING_HEADERS)
    other_model = await client.post(LEGACY, json=LEGACY_BODY, headers=KLING_HEADERS)
    assert (full.status_code, full.json()["code"]) == (429, 1303)
    assert full.json()["message"] == "parallel task over resource pack limit"
    assert other_model.status_code == 200
    clock.advance(40)
    await create(client)
    assert len(sandbox.world.ledger) == 3


async def test_lists_page_backwards(client: httpx.AsyncClient, clock: Clock) -> None:
    ids = []
    for _ in range(3):
        ids.append((await create(client))["id"])
        clock.advance(1)
    first = await client.post(f"{KLING}/tasks", json={"limit": 2}, headers=KLING_HEADERS)
    page = first.json()["data"]
    assert [item["id"] for item in page["result"]] == ids[:0:-1]
    assert page["has_more"] is True
    rest = await client.post(
        f"{KLING}/tasks", json={"cursor": page["next_cursor"]}, headers=KLING_HEADERS
    )
    assert [item["id"] for item in rest.json()["data"]["result"]] == ids[:1]
    assert rest.json()["data"]["has_more"] is False


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ([{"key": "product_type", "values": ["video"]}], 1),
        ([{"key": "product_type", "values": ["image", "try_on"]}], 0),
        ([{"key": "status", "values": ["submitted"]}], 1),
        ([{"key": "status", "values": ["failed"]}], 0),
    ],
)
async def test_lists_are_filtered(
    client: httpx.AsyncClient, filters: list[dict[str, Any]], count: int
) -> None:
    await create(client)
    answer = await client.post(f"{KLING}/tasks", json={"filters": filters}, headers=KLING_HEADERS)
    assert answer.json()["data"]["count"] == count


async def test_legacy_lists_are_pages(client: httpx.AsyncClient) -> None:
    for _ in range(3):
        await client.post(LEGACY, json=LEGACY_BODY, headers=KLING_HEADERS)
    response = await client.get(f"{LEGACY}?pageNum=2&pageSize=2", headers=KLING_HEADERS)
    assert len(response.json()["data"]) == 1


async def test_words_decide(client: httpx.AsyncClient, clock: Clock, sandbox: Sandbox) -> None:
    refused = await client.post(NEW, json={"prompt": "boat #audit"}, headers=KLING_HEADERS)
    broke = await client.post(NEW, json={"prompt": "boat #1102"}, headers=KLING_HEADERS)
    assert (refused.status_code, refused.json()["code"]) == (400, 1301)
    assert (broke.status_code, broke.json()["message"]) == (429, "Account balance not enough")
    assert len(sandbox.world.ledger) == 0
    late = await create(client, {"prompt": "boat #late-audit"})
    bare = await create(client, {"prompt": "boat #no-url"})
    never = await create(client, {"prompt": "boat #never"})
    strange = await create(client, {"prompt": "boat #unknown-state"})
    clock.advance(20)
    assert (await task(client, task_ids=strange["id"]))["status"] == "limbo"
    clock.advance(10_000)
    failed = await task(client, task_ids=late["id"])
    assert failed["status"] == "failed"
    assert "risk control" in failed["message"]
    assert "url" not in (await task(client, task_ids=bare["id"]))["outputs"][0]
    assert (await task(client, task_ids=never["id"]))["status"] == "processing"


async def test_the_balance_can_be_asked(client: httpx.AsyncClient) -> None:
    url = f"{KLING}/account/costs"
    query = {"start_time": "1790000000000", "end_time": "1790000060000"}
    response = await client.get(url, headers=KLING_HEADERS, params=query)
    assert response.json()["data"]["resource_pack_subscribe_infos"]
    del query["end_time"]
    response = await client.get(url, headers=KLING_HEADERS, params=query)
    assert (response.status_code, response.json()["code"]) == (400, 1201)
