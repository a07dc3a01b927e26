"""Vidu's own API over the real services and database, in front of the stand-in for Vidu."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from tests.support.engine import KEYS, Engine
from tests.support.gateway import open_client

from vidgate.api.dialects.vidu.endpoints import ENDPOINTS
from vidgate.providers.vidu.endpoints import ENDPOINTS as SERVED
from vidgate.sandbox.app import create_sandbox
from vidgate.sandbox.settings import SandboxSettings
from vidgate.sandbox.vidu import ViduOptions

BASE = "/vidu/ent/v2"
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)
A, B, C = (f"https://a.example.test/{number}.jpg" for number in (1, 2, 3))
VIDEO = "https://a.example.test/v.mp4"

BODIES: dict[str, dict[str, Any]] = {
    "text2video": {
        "model": "viduq3-turbo",
        "prompt": "rain on a tin roof",
        "duration": 5,
        "resolution": "720p",
        "aspect_ratio": "9:16",
        "audio": False,
        "seed": 7,
        "movement_amplitude": "small",
    },
    "img2video": {
        "model": "viduq3-pro-fast",
        "images": [PICTURE],
        "prompt": "slow push-in",
        "duration": 4,
        "resolution": "720p",
        "audio": True,
        "audio_type": "all",
        "watermark": True,
        "wm_position": 1,
    },
    "start-end2video": {
        "model": "viduq2-pro",
        "images": [A, B],
        "duration": 8,
        "resolution": "1080p",
        "off_peak": True,
    },
    "reference2video": {
        "model": "viduq3",
        "subjects": [{"name": "mia", "images": [A, B]}],
        "prompt": "@mia throws a ball",
        "duration": 5,
    },
    "multiframe": {
        "model": "viduq2-turbo",
        "start_image": A,
        "image_settings": [
            {"key_image": B, "prompt": "door opens", "duration": 3},
            {"key_image": C, "duration": 4},
        ],
        "resolution": "720p",
    },
    "extend": {
        "model": "viduq2-pro",
        "video_url": VIDEO,
        "prompt": "the boat drifts on",
        "duration": 5,
        "resolution": "720p",
        "wm_position": "top_left",
    },
    "upscale-new": {"video_url": VIDEO, "upscale_resolution": "4K"},
    "lip-sync": {"video_url": VIDEO, "text": "hello there", "speed": 1.5, "volume": 2},
    "template": {
        "template": "exotic_princess",
        "images": [A],
        "prompt": "she turns",
        "area": "italy",
        "seed": 3,
    },
    "template-story": {"story": "one_shot", "images": [A, B, C]},
}
TYPES = {"start-end2video": "headtailimg2video"}


@dataclass
class Gateway:
    """The application, and what reached the vendor."""

    client: httpx.AsyncClient
    engine: Engine
    sent: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    async def post(self, name: str, body: dict[str, Any], **options: Any) -> httpx.Response:
        return await self.client.post(f"{BASE}/{name}", json=body, **options)

    async def made(self, name: str, **changes: Any) -> dict[str, Any]:
        answer = await self.post(name, BODIES[name] | changes)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def creations(self, task_id: str) -> dict[str, Any]:
        answer = await self.client.get(f"{BASE}/tasks/{task_id}/creations")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def finish(self, task_id: str) -> dict[str, Any]:
        for _ in range(20):
            await self.engine.tick(minutes=2)
            self.engine.services.reader.evict_all()
            task = await self.creations(task_id)
            if task["state"] in {"success", "failed"}:
                return task
        raise AssertionError(f"{task_id} does not end")

    def submitted(self) -> tuple[str, dict[str, Any]]:
        """The only submit there was: its endpoint and its body."""
        [(path, body)] = [
            (path, body)
            for method, path, body in self.sent
            if method == "POST" and not path.endswith("/cancel")
        ]
        return path.removeprefix(f"{BASE}/"), body


@pytest.fixture
async def gateway(engine: Engine) -> AsyncIterator[Gateway]:
    sandbox = create_sandbox(
        SandboxSettings(
            encode_ahead=False,
            clock=lambda: engine.clock.now().timestamp(),
        ).having(ViduOptions(keys={KEYS["vidu"]: "main"}, strict=True))
    )
    vendor = httpx.AsyncClient(transport=httpx.ASGITransport(sandbox))

    async with vendor, open_client(engine, scheme="Token") as client:
        gateway = Gateway(client, engine)

        async def forward(request: httpx.Request) -> httpx.Response:
            content = json.loads(request.content) if request.content else {}
            gateway.sent.append((request.method, request.url.path, content))
            answer = await vendor.send(
                httpx.Request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    content=request.content,
                )
            )
            return httpx.Response(answer.status_code, content=answer.content)

        engine.router.route(host="vidu.test").mock(side_effect=forward)
        await engine.channel("vidu", base_url="http://vidu.test/vidu")
        yield gateway


def test_every_endpoint_of_the_adapter_is_served() -> None:
    documented = {endpoint.name: endpoint.model for endpoint in ENDPOINTS if endpoint.documented}
    assert documented == {name: endpoint.model for name, endpoint in SERVED.items()}
    assert documented.keys() == BODIES.keys()


@pytest.mark.parametrize("name", BODIES)
async def test_submitted_polled_to_its_end_and_read_in_another_dialect(
    gateway: Gateway, name: str
) -> None:
    made = await gateway.made(name, payload="mine")
    endpoint, body = gateway.submitted()
    assert endpoint == name
    assert body.pop("payload").startswith("vg_")
    assert body == BODIES[name]

    task_id = made["task_id"]
    assert made["state"] == "created"
    assert made["payload"] == "mine"
    assert made["type"] == TYPES.get(name, name)
    assert made["model"] == BODIES[name].get("model", "")
    echoed = made.keys() & BODIES[name].keys() - {"images"}
    assert {key: made[key] for key in echoed} == {key: BODIES[name][key] for key in echoed}
    assert (await gateway.creations(task_id))["state"] in {"queueing", "processing"}

    task = await gateway.finish(task_id)
    assert (task["state"], task["err_code"], task["payload"]) == ("success", "", "mine")
    [creation] = task["creations"]
    assert creation["id"] == f"{task_id}_0"
    assert creation["url"].startswith("http")
    assert task["credits"] > 0

    answer = await gateway.client.get(f"/v1/video/generations/{task_id}")
    other = answer.json()
    assert (other["status"], other["url"]) == ("succeeded", creation["url"])
    assert other["data"]["data"] == task


async def test_pictures_are_repeated_but_for_inline_ones(gateway: Gateway) -> None:
    made = await gateway.made("img2video")
    assert made["images"] == [""]
    made = await gateway.made("start-end2video")
    assert made["images"] == [A, B]


async def test_defaults_are_completed(gateway: Gateway) -> None:
    body = {"model": "viduq3-pro", "prompt": "a boat", "seed": 0}
    told = (await gateway.post("text2video", body)).json()
    assert told["seed"] > 0  # 0 asks for any, and this is the one that was taken
    assert (told["duration"], told["resolution"], told["audio"]) == (5, "720p", True)
    assert (told["movement_amplitude"], told["bgm"], told["images"]) == ("auto", False, [])
    assert isinstance(told["credits"], int)
    assert told["created_at"].endswith("Z")


async def test_unknown_fields_pass_and_ours_choose_nothing(gateway: Gateway) -> None:
    """What a strict stand-in refuses has arrived there; a null is no field at all."""
    body = BODIES["text2video"] | {"zoom": 4, "images": None}
    answer = await gateway.post("text2video", body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "FieldInvalid")
    assert gateway.submitted()[1]["zoom"] == 4
    gateway.sent.clear()

    body = BODIES["text2video"] | {
        "action": "extend",
        "model_name": "viduq1",
        "callback_url": "https://example.com/hook",
    }
    assert (await gateway.post("text2video", body)).status_code == 200
    endpoint, sent = gateway.submitted()
    assert (endpoint, sent["model"]) == ("text2video", "viduq3-turbo")
    assert "callback_url" not in sent


async def test_the_older_name_of_templates(gateway: Gateway) -> None:
    answer = await gateway.post("template2video", BODIES["template"])
    assert answer.status_code == 200, answer.text
    assert gateway.submitted()[0] == "template"


async def test_our_creation_is_extended_and_upscaled(gateway: Gateway) -> None:
    task = await gateway.finish((await gateway.made("text2video"))["task_id"])
    [creation] = task["creations"]
    for name in ("extend", "upscale-new"):
        gateway.sent.clear()
        body = {**BODIES[name], "video_creation_id": creation["id"]}
        del body["video_url"]
        answer = await gateway.post(name, body)
        assert answer.status_code == 200, answer.text
        endpoint, sent = gateway.submitted()
        assert endpoint == name
        assert sent["video_creation_id"].isdecimal()
        task_id = answer.json()["task_id"]
        assert sent["video_creation_id"] not in answer.text
        assert (await gateway.finish(task_id))["state"] == "success"


@pytest.mark.parametrize("named", ["task_01k9x4n8e0f0m8z2q6y7v3b5ct_0", "900000000000000002"])
async def test_a_creation_that_is_nobodys(gateway: Gateway, named: str) -> None:
    body = {"video_creation_id": named, "upscale_resolution": "4K"}
    answer = await gateway.post("upscale-new", body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == answer.status_code
    assert await gateway.engine.operator.attempts.work(gateway.engine.clock.now()) == (0, 0, None)


async def test_numbered_pages_leave_nothing_out_where_one_is_cut(gateway: Gateway) -> None:
    ids = [
        (await gateway.made("text2video", payload=str(number) * 900_000))["task_id"]
        for number in range(7)
    ]
    query = {"pager.pagesz": 5, "pager.page": 0}
    found = []
    while True:
        answer = (await gateway.client.get(f"{BASE}/tasks", params=query)).json()
        found += [task["id"] for task in answer["tasks"]]
        if not answer["next_page_token"]:
            break
        query["pager.page"] += 1

    assert found == ids[::-1]
    assert query["pager.page"] == 1


async def test_list(gateway: Gateway) -> None:
    made = [await gateway.made("text2video", payload=str(number)) for number in range(3)]
    ids = [one["task_id"] for one in made]

    async def listed(**query: Any) -> dict[str, Any]:
        answer = await gateway.client.get(f"{BASE}/tasks", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def names(**query: Any) -> list[str]:
        return [task["id"] for task in (await listed(**query))["tasks"]]

    whole = await listed()
    assert [task["id"] for task in whole["tasks"]] == ids[::-1]
    assert [task["payload"] for task in whole["tasks"]] == ["2", "1", "0"]
    assert whole["next_page_token"] == ""
    first = whole["tasks"][0]
    assert (first["model"], first["prompt"]) == ("viduq3-turbo", "rain on a tin roof")
    assert (first["state"], first["duration"]) == ("processing", 5)
    assert first["created_at"] == made[2]["created_at"]

    page = await listed(**{"pager.pagesz": 2})
    assert [task["id"] for task in page["tasks"]] == [ids[2], ids[1]]
    token = page["next_page_token"]
    assert await names(**{"pager.pagesz": 2, "pager.page_token": token}) == [ids[0]]
    assert await names(**{"paper.pagesz": 2, "paper.page": 1}) == [ids[0]]
    assert await names(**{"task_ids[]": [ids[1], "task_0", "7"]}) == [ids[1]]
    assert await names(**{"states[]": ["success", "failed"]}) == []
    assert len(await names(**{"states[]": "processing"})) == 3
    assert await names(**{"task_ids[]": ids[1], "states[]": "success"}) == []
    created_at = made[1]["created_at"]
    later = [one["task_id"] for one in made if one["created_at"] >= created_at]
    assert set(await names(**{"created_at.from": created_at})) == set(later)
    assert await names(**{"created_at.to": "2020-01-01T00:00:00+08:00"}) == []
    gateway.engine.clock.advance(days=8)
    assert await names() == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"pager.pagesz": 101}, "pager.pagesz"),
        ({"pager.pagesz": 0}, "pager.pagesz"),
        ({"pager.page": "x"}, "pager.page"),
        ({"created_at.from": "yesterday"}, "created_at.from"),
        ({"states[]": "dreaming"}, "states"),
        ({"resolutions[]": "720p"}, "resolutions"),
        ({"pager.page_token": "900000000000000002"}, "pager.page_token"),
        ({"task_ids[]": [str(number) for number in range(101)]}, "task_ids"),
    ],
)
async def test_an_impossible_list(gateway: Gateway, query: dict[str, Any], field: str) -> None:
    answer = await gateway.client.get(f"{BASE}/tasks", params=query)
    assert answer.status_code == 400
    assert answer.json()["reason"] == "FieldInvalid"
    assert answer.json()["metadata"]["fields"] == field


async def test_cancel(gateway: Gateway) -> None:
    made = await gateway.made("start-end2video")  # off-peak, which the vendor stops
    engine = gateway.engine
    engine.services.canceller._wait = 0.05
    path = f"{BASE}/tasks/{made['task_id']}/cancel"
    answer = await gateway.client.post(path, json={"id": made["task_id"]})
    assert (answer.status_code, answer.json()) == (200, {})
    await engine.tick()
    engine.services.reader.evict_all()
    task = await gateway.creations(made["task_id"])
    assert (task["state"], task["err_code"], task["credits"]) == ("failed", "UserCancelled", 0)
    assert (await gateway.client.post(path)).json() == {}


async def test_cancel_too_late(gateway: Gateway) -> None:
    made = await gateway.made("text2video")
    gateway.engine.services.canceller._wait = 0.05
    await gateway.engine.tick(seconds=25)
    path = f"{BASE}/tasks/{made['task_id']}/cancel"
    answer = await gateway.client.post(path)
    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")
    assert (await gateway.finish(made["task_id"]))["state"] == "success"
    assert (await gateway.client.post(path)).json()["reason"] == "Conflict"
    answer = await gateway.client.post(f"{BASE}/tasks/0/cancel")
    assert (answer.status_code, answer.json()["reason"]) == (404, "TaskNotFound")


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("text2video", {"resolution": "8K"}, (400, "FieldInvalid", "resolution")),
        ("text2video", {"prompt": ""}, (400, "FieldLacking", "prompt")),
        ("text2video", {"prompt": " "}, (400, "FieldLacking", "prompt")),
        ("text2video", {"model": None}, (400, "FieldLacking", "model")),
        ("text2video", {"model": 5}, (400, "FieldInvalid", "model")),
        ("text2video", {"model": "viduq2-pro"}, (400, "FieldInvalid", "model")),
        ("text2video", {"model": "viduq9"}, (400, "ModelUnavailable", "model")),
        ("text2video", {"model": "sora-9"}, (400, "ModelUnavailable", "model")),
        ("text2video", {"payload": 5}, (400, "FieldInvalid", "payload")),
        ("text2video", {"callback_url": "ftp://a"}, (400, "FieldInvalid", "callback_url")),
        ("text2video", {"prompt": "#audit"}, (400, "AuditSubmitIllegal", None)),
        ("text2video", {"prompt": "#reason-SystemThrottling"}, (200, None, None)),
        ("text2video", {"prompt": "#code-string"}, (400, "ModelUnavailable", None)),
        ("img2video", {"images": [A, B]}, (400, "FieldItemCountOutOfRange", "images")),
        ("multiframe", {"image_settings": []}, (400, "FieldLacking", "image_settings")),
        ("subjects", {}, (404, "NotFound", None)),
    ],
)
async def test_errors_are_the_vendors(
    gateway: Gateway, name: str, changes: dict[str, Any], expected: tuple[int, Any, Any]
) -> None:
    answer = await gateway.post(name, BODIES.get(name, {}) | changes)
    told = answer.json()
    status, reason, fields = expected
    assert answer.status_code == status, told
    if reason is None:
        return
    assert (told["code"], told["reason"], told["metadata"].get("fields")) == (
        status,
        reason,
        fields,
    )
    assert "metadata." not in told["message"]
    assert told["metadata"]["trace_id"] == answer.headers["X-Request-Id"]


async def test_a_repeated_request_makes_one_job(gateway: Gateway) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await gateway.post("text2video", BODIES["text2video"], headers=headers)
    again = await gateway.post("text2video", BODIES["text2video"], headers=headers)
    assert again.status_code == 200
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    gateway.submitted()
    other = BODIES["text2video"] | {"seed": 8}
    answer = await gateway.post("text2video", other, headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (422, "Conflict")


async def test_a_later_failure_is_no_error_body(gateway: Gateway) -> None:
    made = await gateway.made("text2video", prompt="#late-audit", model="viduq3-pro")
    task = await gateway.finish(made["task_id"])
    assert (task["state"], task["err_code"]) == ("failed", "CreationPolicyViolation")
    assert task["creations"] == []


async def test_a_chained_gateway_takes_it_for_vidu(gateway: Gateway) -> None:
    """The body that gateways send which know ten fields, and the members that they read."""
    body = {
        "model": "viduq2",
        "images": None,
        "prompt": "a boat",
        "duration": 5,
        "resolution": "1080p",
        "movement_amplitude": "auto",
        "bgm": False,
    }
    answer = await gateway.post("text2video", body)
    assert answer.status_code == 200
    told = answer.json()
    kinds = {
        "task_id": str,
        "state": str,
        "model": str,
        "images": list,
        "prompt": str,
        "duration": int,
        "seed": int,
        "resolution": str,
        "bgm": bool,
        "movement_amplitude": str,
        "payload": str,
        "created_at": str,
    }
    assert {name: type(told[name]) for name in kinds} == kinds
    task = await gateway.finish(told["task_id"])
    assert task["state"] == "success"
    assert task["creations"][0]["url"]
