"""Failures on demand, by the control surface and by words in the prompt."""

import asyncio
from typing import Any

import httpx
import pytest
from tests.sandbox.support import KLING, KLING_HEADERS, ROOT, VIDU, VIDU_HEADERS, Clock, jimeng_call

from vidgate.sandbox.app import Sandbox
from vidgate.sandbox.faults import FAULT_KINDS
from vidgate.sandbox.wire import ConnectionDroppedError

NEW = f"{KLING}/text-to-video/kling-3.0"


async def queue(
    client: httpx.AsyncClient,
    kind: str,
    operation: str = "submit",
    provider: str = "kling",
    **more: Any,
) -> None:
    fault = {"provider": provider, "operation": operation, "kind": kind, **more}
    response = await client.post(f"{ROOT}/_sandbox/faults", json=fault)
    assert response.status_code == 200, response.text


async def submit(
    client: httpx.AsyncClient, prompt: str = "a boat", **options: str
) -> httpx.Response:
    body = {"prompt": prompt, "options": options}
    return await client.post(NEW, json=body, headers=KLING_HEADERS)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("401", 401, 1002), ("429", 429, 1302), ("500", 500, 5000), ("503", 503, 5001)],
)
async def test_refusals_create_nothing_and_happen_once(
    client: httpx.AsyncClient, sandbox: Sandbox, kind: str, status: int, code: int
) -> None:
    await queue(client, kind)
    failed = await submit(client)
    assert (failed.status_code, failed.json()["code"]) == (status, code)
    assert len(sandbox.world.ledger) == 0
    assert (await submit(client)).status_code == 200


@pytest.mark.parametrize("kind", ["500_created", "504_created"])
async def test_an_error_may_hide_a_job(
    client: httpx.AsyncClient, sandbox: Sandbox, kind: str
) -> None:
    await queue(client, kind)
    failed = await submit(client, external_task_id="ord-1")
    assert failed.status_code == int(kind[:3])
    assert len(sandbox.world.ledger) == 1
    again = await submit(client, external_task_id="ord-1")
    assert "already exists" in again.json()["message"]


@pytest.mark.parametrize(
    ("kind", "jobs"), [("reset", 0), ("refuse_after_create", 1), ("reset_in_body", 1)]
)
async def test_the_connection_may_be_dropped(
    client: httpx.AsyncClient, sandbox: Sandbox, kind: str, jobs: int
) -> None:
    await queue(client, kind)
    with pytest.raises(ConnectionDroppedError):
        await submit(client)
    assert len(sandbox.world.ledger) == jobs


@pytest.mark.parametrize(("kind", "jobs"), [("hang", 0), ("hang_created", 1)])
async def test_an_answer_may_never_come(
    client: httpx.AsyncClient, sandbox: Sandbox, kind: str, jobs: int
) -> None:
    await queue(client, kind, seconds=0.001)
    with pytest.raises(ConnectionDroppedError):
        await submit(client)
    assert len(sandbox.world.ledger) == jobs


async def test_answers_may_be_unreadable(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await queue(client, "502_html")
    page = await submit(client)
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html")
    assert page.text.startswith("<html>")
    await queue(client, "truncated_json")
    cut = await submit(client)
    assert (cut.status_code, cut.text[0]) == (200, "{")
    assert not cut.text.endswith("}")
    await queue(client, "garbage")
    assert (await submit(client)).content == bytes(range(256))
    await queue(client, "empty")
    assert (await submit(client)).content == b""
    await queue(client, "oversized")
    assert len((await submit(client)).content) > 3 * 1024 * 1024
    await queue(client, "slow_body")
    assert (await submit(client)).json()["code"] == 0
    await queue(client, "delay")
    assert (await submit(client)).json()["code"] == 0
    await queue(client, "redirect")
    assert (await submit(client)).headers["location"] == "http://elsewhere.invalid/"
    assert len(sandbox.world.ledger) == 6


@pytest.mark.parametrize(
    ("kind", "status", "begin"),
    [("404_html", 404, "<html>"), ("404_detail", 404, '{"detail"'), ("error_in_200", 200, '{"')],
)
async def test_something_else_may_answer(
    client: httpx.AsyncClient, sandbox: Sandbox, kind: str, status: int, begin: str
) -> None:
    await queue(client, kind)
    answer = await submit(client)
    assert (answer.status_code, len(sandbox.world.ledger)) == (status, 0)
    assert answer.text.startswith(begin)
    if status == 200:
        assert answer.json()["code"] != 0


async def test_polls_fail_alone(client: httpx.AsyncClient) -> None:
    created = (await submit(client, external_task_id="ord-1")).json()["data"]
    await queue(client, "unknown_state", "poll")
    await queue(client, "not_found", "find")
    poll, find = f"{KLING}/tasks?task_ids={created['id']}", f"{KLING}/tasks?external_task_ids=ord-1"
    odd = await client.get(poll, headers=KLING_HEADERS)
    assert odd.json()["data"][0]["status"] == "limbo"
    late = await client.get(find, headers=KLING_HEADERS)
    assert late.json()["data"] == []
    for url in (poll, find):
        good = await client.get(url, headers=KLING_HEADERS)
        assert good.json()["data"][0]["status"] == "submitted"


async def test_faults_count_skip_and_choose(client: httpx.AsyncClient) -> None:
    await queue(client, "500", times=2, skip=1, contains="red")
    prompts = ("red", "blue", "red", "red", "red")
    statuses = [(await submit(client, prompt)).status_code for prompt in prompts]
    assert statuses == [200, 200, 500, 500, 200]


async def test_a_fault_may_be_for_everybody(client: httpx.AsyncClient, clock: Clock) -> None:
    await queue(client, "500", "*", "*", times=3)
    kling = await client.get(f"{KLING}/tasks", headers=KLING_HEADERS)
    vidu = await client.get(f"{VIDU}/tasks", headers=VIDU_HEADERS)
    jimeng = await client.send(jimeng_call("CVSync2AsyncGetResult", {}, clock()))
    assert kling.json()["code"] == 5000
    assert vidu.json()["reason"] == "InternalServiceFailure"
    assert jimeng.json()["ResponseMetadata"]["Error"]["Code"] == "InternalError"


async def test_jimeng_may_wrap_its_answer(client: httpx.AsyncClient, clock: Clock) -> None:
    await queue(client, "wrapped", "submit", "jimeng")
    body = {"req_key": "jimeng_t2v_v30", "prompt": "x"}
    response = await client.send(jimeng_call("CVSync2AsyncSubmitTask", body, clock()))
    assert response.json()["Result"]["code"] == 10000
    await queue(client, "429", "submit", "jimeng")
    limited = await client.send(jimeng_call("CVSync2AsyncSubmitTask", body, clock()))
    assert (limited.status_code, limited.json()["code"]) == (429, 50429)


async def test_unknown_vidu_jobs_can_be_played(client: httpx.AsyncClient) -> None:
    await queue(client, "not_found", "poll", "vidu")
    response = await client.get(f"{VIDU}/tasks/1/creations", headers=VIDU_HEADERS)
    assert response.json()["reason"] == "TaskNotFound"


@pytest.mark.parametrize(
    ("word", "status", "jobs"),
    [("500-created", 500, 1), ("500-lost", 500, 0), ("html502", 502, 0), ("429", 429, 0)],
)
async def test_words_spoil_the_answer(
    client: httpx.AsyncClient, sandbox: Sandbox, word: str, status: int, jobs: int
) -> None:
    assert (await submit(client, f"a boat #{word}")).status_code == status
    assert len(sandbox.world.ledger) == jobs


async def test_a_word_in_the_answer_does_not_hide_a_refusal(client: httpx.AsyncClient) -> None:
    await submit(client, "a boat #500-created", external_task_id="ord-1")
    again = await submit(client, "a boat #500-created", external_task_id="ord-1")
    assert again.json()["code"] == 1201


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"provider": "sora", "operation": "poll", "kind": "500"},
        {"provider": "kling", "operation": "pray", "kind": "500"},
        {"provider": "kling", "operation": "poll", "kind": "boom"},
        {"provider": "kling", "operation": "poll", "kind": "500", "often": 1},
    ],
)
async def test_a_fault_that_does_not_exist_is_refused(
    client: httpx.AsyncClient, fault: dict[str, Any]
) -> None:
    response = await client.post(f"{ROOT}/_sandbox/faults", json=fault)
    assert response.status_code == 400


async def test_faults_can_be_listed_and_dropped(client: httpx.AsyncClient) -> None:
    await client.post(
        f"{ROOT}/_sandbox/faults",
        json=[{"provider": "vidu", "operation": "poll", "kind": kind} for kind in FAULT_KINDS],
    )
    waiting = await client.get(f"{ROOT}/_sandbox/faults")
    assert {fault["kind"] for fault in waiting.json()["faults"]} == FAULT_KINDS
    await client.delete(f"{ROOT}/_sandbox/faults")
    assert (await client.get(f"{ROOT}/_sandbox/faults")).json() == {"faults": []}


async def test_polls_of_one_job_at_once_are_seen(client: httpx.AsyncClient) -> None:
    created = (await submit(client)).json()["data"]
    poll = f"{KLING}/tasks?task_ids={created['id']}"
    await queue(client, "hang", "poll", seconds=0.01)
    results = await asyncio.gather(
        client.get(poll, headers=KLING_HEADERS),
        client.get(poll, headers=KLING_HEADERS),
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {ConnectionDroppedError, httpx.Response}
    stats = (await client.get(f"{ROOT}/_sandbox/stats?job={created['id']}")).json()
    job = stats["jobs"][f"kling/{created['id']}"]
    assert (job["polls"], job["max_concurrent_polls"]) == (2, 2)
    assert stats["max_concurrent_polls"] == 2
    assert stats["in_flight"] == 0
