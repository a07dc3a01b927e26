"""Jimeng: the life of a task, the fields of each key, both error layers."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.sandbox.support import Clock, jimeng_call, png

from vidgate.sandbox.app import Sandbox
from vidgate.sandbox.jimeng_options import JimengOptions
from vidgate.sandbox.registry import SANDBOX_KEYS

URL = "https://cdn.example/a.png"
PRO = "jimeng_ti2v_v30_pro"


class Caller:
    """Signs and sends."""

    def __init__(self, client: httpx.AsyncClient, clock: Clock) -> None:
        self.client = client
        self.clock = clock

    async def submit(self, **body: Any) -> httpx.Response:
        body = {"req_key": PRO, "prompt": "a lighthouse", **body}
        return await self._send("CVSync2AsyncSubmitTask", body)

    async def poll(self, task_id: str, req_key: str = PRO, **more: Any) -> httpx.Response:
        body = {"req_key": req_key, "task_id": task_id, **more}
        return await self._send("CVSync2AsyncGetResult", body)

    async def cancel(self, task_id: str, req_key: str = PRO) -> httpx.Response:
        body = {"req_key": req_key, "task_id": task_id}
        return await self._send("CVCancelTask", body, version="2024-06-06")

    async def created(self, **body: Any) -> Any:
        response = await self.submit(**body)
        assert response.json()["code"] == 10000, response.text
        return response.json()["data"]["task_id"]

    async def data(self, task_id: str, **more: Any) -> Any:
        response = await self.poll(task_id, **more)
        assert response.json()["code"] == 10000, response.text
        return response.json()["data"]

    async def _send(self, action: str, body: dict[str, Any], **changes: Any) -> httpx.Response:
        return await self.client.send(jimeng_call(action, body, self.clock(), **changes))


@pytest.fixture
def jimeng(client: httpx.AsyncClient, clock: Clock) -> Caller:
    return Caller(client, clock)


async def test_a_task_lives_its_life(jimeng: Caller, clock: Clock) -> None:
    response = await jimeng.submit(frames=241)
    answer = response.json()
    assert answer["message"] == "Success"
    assert len(answer["request_id"]) == 34
    task_id = answer["data"]["task_id"]
    assert (await jimeng.data(task_id))["status"] == "in_queue"
    clock.advance(45)
    assert await jimeng.data(task_id) == {"status": "generating"}
    clock.advance(45)
    done = await jimeng.data(task_id)
    assert done["status"] == "done"
    assert done["aigc_meta_tagged"] is False
    assert done["video_url"].startswith("http://sandbox.test/files/jimeng/")


async def test_ids_are_long_and_optional_members_come_and_go(jimeng: Caller, clock: Clock) -> None:
    ids = [await jimeng.created() for _ in range(4)]
    assert {len(task_id) for task_id in ids} == {19, 20}
    assert max(map(int, ids)) > 2**63
    clock.advance(100)
    answers = [(await jimeng.poll(ids[0])).json() for _ in range(20)]
    assert {"message" in answer for answer in answers} == {True, False}
    assert {"resp_data" in answer["data"] for answer in answers} == {True, False}
    submits = [(await jimeng.submit()).json() for _ in range(2)]
    assert {"status" in answer for answer in submits} == {True, False}


async def test_unknown_old_and_foreign_tasks_are_not_found(
    jimeng: Caller, clock: Clock, client: httpx.AsyncClient
) -> None:
    assert await jimeng.data("7000000000000000001") == {"status": "not_found"}
    task_id = await jimeng.created()
    other_key = SANDBOX_KEYS["jimeng"].replace("1|", "2|")
    body = {"req_key": PRO, "task_id": task_id}
    foreign = await client.send(jimeng_call("CVSync2AsyncGetResult", body, clock(), key=other_key))
    assert foreign.json()["data"]["status"] == "not_found"
    clock.advance(12 * 3600 + 1)
    assert await jimeng.data(task_id) == {"status": "not_found"}


async def test_a_poll_names_the_key_that_was_submitted(jimeng: Caller, sandbox: Sandbox) -> None:
    task_id = await jimeng.created()
    wrong = await jimeng.poll(task_id, req_key="jimeng_vgfm_t2v_l20")
    assert (wrong.status_code, wrong.json()["code"]) == (400, 50200)
    assert wrong.json()["data"] is None
    sandbox.world.settings = sandbox.world.settings.having(JimengOptions(strict=False))
    assert (await jimeng.poll(task_id, req_key="jimeng_vgfm_t2v_l20")).status_code == 200


async def test_labels_are_asked_for_at_the_poll(jimeng: Caller, clock: Clock) -> None:
    task_id = await jimeng.created()
    clock.advance(90)
    good = '{"aigc_meta":{"producer_id":"p-1","content_propagator":"us"}}'
    assert (await jimeng.data(task_id, req_json=good))["aigc_meta_tagged"] is True
    poor = '{"aigc_meta":{"producer_id":"p-1"}}'
    assert (await jimeng.data(task_id, req_json=poor))["aigc_meta_tagged"] is False
    assert (await jimeng.poll(task_id, req_json={"aigc_meta": {}})).json()["code"] == 50200


@pytest.mark.parametrize(
    "body",
    [
        {"req_key": "jimeng_t2v_v30", "aspect_ratio": "21:9", "seed": -1},
        {"req_key": "jimeng_t2v_v30_1080p"},
        {"req_key": "jimeng_i2v_first_v30", "image_urls": [URL], "aspect_ratio": ""},
        {"req_key": "jimeng_i2v_first_v30_1080", "binary_data_base64": [png()]},
        {"req_key": "jimeng_i2v_first_tail_v30", "binary_data_base64": [png(), png(1280, 720)]},
        {"req_key": "jimeng_i2v_first_tail_v30_1080", "image_urls": [URL, URL]},
        {
            "req_key": "jimeng_i2v_recamera_v30",
            "image_urls": [URL],
            "template_id": "robo_arm",
            "camera_strength": "weak",
        },
        {"image_urls": [URL], "prompt": ""},
        {"req_key": "jimeng_vgfm_t2v_l20", "image_urls": [URL], "aspect_ratio": "9:21"},
        {"req_key": "jimeng_vgfm_i2v_l20", "image_urls": [URL], "aspect_ratio": "16:9"},
        {
            "req_key": "jimeng_vgfm_i2v_l20",
            "binary_data_base64": [png(300, 300)],
            "aspect_ratio": "1:1",
        },
    ],
)
async def test_good_requests_are_accepted(jimeng: Caller, body: dict[str, Any]) -> None:
    response = await jimeng.submit(**body)
    assert response.json()["code"] == 10000, response.text


@pytest.mark.parametrize(
    "body",
    [
        {"req_key": "jimeng_t2v_v30_720p"},
        {"req_key": None},
        {"prompt": ""},
        {"prompt": "", "req_key": "jimeng_i2v_first_v30", "image_urls": [URL]},
        {"aspect_ratio": ""},
        {"aspect_ratio": "9:21"},
        {"frames": 120},
        {"frames": "121"},
        {"seed": -2},
        {"req_key": "jimeng_t2v_v30", "image_urls": [URL]},
        {"req_key": "jimeng_i2v_first_v30"},
        {"req_key": "jimeng_i2v_first_v30", "image_urls": [URL, URL]},
        {"req_key": "jimeng_i2v_first_tail_v30", "image_urls": [URL]},
        {"req_key": "jimeng_i2v_first_tail_v30", "binary_data_base64": [png(), png(640, 640)]},
        {"image_urls": [URL], "binary_data_base64": [png()]},
        {"binary_data_base64": [png(data_uri=True)]},
        {"binary_data_base64": [png(640, 319)]},
        {"binary_data_base64": [png(1500, 400)]},
        {"req_key": "jimeng_i2v_recamera_v30", "image_urls": [URL], "template_id": "robo_arm"},
        {"req_key": "jimeng_vgfm_i2v_l20", "image_urls": [URL]},
        {"req_key": "jimeng_vgfm_t2v_l20", "prompt": "x" * 151},
    ],
)
async def test_bad_requests_are_refused(
    jimeng: Caller, sandbox: Sandbox, body: dict[str, Any]
) -> None:
    response = await jimeng.submit(**body)
    assert (response.status_code, response.json()["code"]) == (400, 50200)
    assert response.json()["message"].startswith("Invalid Input Parameters: ")
    assert len(sandbox.world.ledger) == 0


async def test_a_key_may_be_closed_to_the_account(jimeng: Caller, sandbox: Sandbox) -> None:
    sandbox.world.settings = sandbox.world.settings.having(
        JimengOptions(closed=frozenset({"jimeng_t2v_v30"}))
    )
    response = await jimeng.submit(req_key="jimeng_t2v_v30")
    assert response.json()["code"] == 50400


async def test_slots_are_counted_by_account(jimeng: Caller, sandbox: Sandbox, clock: Clock) -> None:
    sandbox.world.settings = replace(
        sandbox.world.settings, concurrency={"kling": 1, "jimeng": 1, "vidu": 1}
    )
    await jimeng.created()
    full = await jimeng.submit()
    assert (full.status_code, full.json()["code"]) == (429, 50430)
    clock.advance(90)
    await jimeng.created()


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [("audit", 400, 50412), ("50411", 400, 50411), ("50429", 429, 50429)],
)
async def test_words_refuse_at_submit(
    jimeng: Caller, sandbox: Sandbox, word: str, status: int, code: int
) -> None:
    response = await jimeng.submit(prompt=f"a boat #{word}")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert len(sandbox.world.ledger) == 0


@pytest.mark.parametrize(
    ("word", "code"),
    [("late-audit", 50516), ("late-error", 50215), ("50511", 50511), ("50519", 50519)],
)
async def test_a_failed_job_is_a_code_on_the_poll(
    jimeng: Caller, clock: Clock, word: str, code: int
) -> None:
    task_id = await jimeng.created(prompt=f"a boat #{word}")
    clock.advance(45)
    assert (await jimeng.data(task_id))["status"] == "generating"
    clock.advance(45)
    failed = await jimeng.poll(task_id)
    assert (failed.json()["code"], failed.json()["data"]) == (code, None)


async def test_words_bend_the_end(jimeng: Caller, clock: Clock) -> None:
    bare = await jimeng.created(prompt="a boat #no-url")
    expired = await jimeng.created(prompt="a boat #expired")
    strange = await jimeng.created(prompt="a boat #unknown-state")
    clock.advance(45)
    assert (await jimeng.data(strange))["status"] == "limbo"
    clock.advance(45)
    assert "video_url" not in await jimeng.data(bare)
    assert (await jimeng.data(expired))["status"] == "expired"


async def test_only_waiting_tasks_can_be_cancelled(
    jimeng: Caller, clock: Clock, sandbox: Sandbox
) -> None:
    waiting, running = await jimeng.created(), await jimeng.created()
    assert (await jimeng.cancel(waiting)).json()["code"] == 10000
    assert (await jimeng.data(waiting))["status"] == "not_found"
    clock.advance(45)
    assert (await jimeng.cancel(running)).json()["code"] == 50200
    assert sandbox.world.slots("jimeng", SANDBOX_KEYS["jimeng"].partition("|")[0]).busy() == 1
