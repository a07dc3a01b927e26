"""Kling's own dialect over the real services, with the stand-in for Kling behind them."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest
from tests.support.database import create_migrated_database, drop_database
from tests.support.engine import KEYS, Engine, open_engine
from tests.support.gateway import open_client

from vidgate.api.dialects.kling import listing
from vidgate.api.dialects.kling.endpoints import LEGACY
from vidgate.models.channels import NewChannel
from vidgate.models.tasks import TaskStatus
from vidgate.sandbox.app import create_sandbox
from vidgate.sandbox.kling_options import KlingOptions
from vidgate.sandbox.settings import SandboxSettings

VIDEOS = "/kling/v1/videos"
PICTURE = "https://pictures.example/a.png"
DANCE = "https://videos.example/dance.mp4"
SPEECH = "https://sounds.example/speech.mp3"
SECOND_KEY = "a-second-kling-key"
BOAT = {"model_name": "kling-v2-6", "prompt": "a boat"}


@dataclass
class Gateway:
    """The application, and what reached Kling."""

    engine: Engine
    client: httpx.AsyncClient
    sent: list[tuple[str, Any]]

    async def finish(self) -> None:
        """Let the work go on until everything is made."""
        for _ in range(12):
            await self.engine.tick(seconds=15)

    async def post(self, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
        answer = await self.client.post(path, json=body)
        assert answer.status_code == status, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def get(self, path: str, status: int = 200, **query: Any) -> dict[str, Any]:
        answer = await self.client.get(path, params=query)
        assert answer.status_code == status, answer.text
        told: dict[str, Any] = answer.json()
        return told


@pytest.fixture
async def gateway(engine: Engine) -> AsyncIterator[Gateway]:
    sandbox = create_sandbox(
        SandboxSettings(
            encode_ahead=False,
            clock=lambda: engine.clock.now().timestamp(),
        ).having(KlingOptions(api_keys={KEYS["kling"]: "main", SECOND_KEY: "second"}))
    )
    sent: list[tuple[str, Any]] = []
    kling = httpx.AsyncClient(transport=httpx.ASGITransport(sandbox))

    async def play(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            sent.append((request.url.path, json.loads(request.content)))
        url = f"http://sandbox.test/kling{request.url.raw_path.decode()}"
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type")}
        return await kling.request(request.method, url, headers=headers, content=request.content)

    engine.router.route(host__in=["kling.test", "second.test"]).mock(side_effect=play)
    await engine.channel("kling")
    async with kling, open_client(engine) as client:
        yield Gateway(engine, client, sent)


BODIES: dict[str, dict[str, Any]] = {
    "text2video": {**BOAT, "duration": "5", "aspect_ratio": "9:16", "brand_new": {"x": 1}},
    "image2video": {"model_name": "kling-v3", "image": PICTURE, "duration": "3"},
    "omni-video": {
        "model_name": "kling-v3-omni",
        "prompt": "<<<image_1>>> walks",
        "image_list": [{"image_url": PICTURE}],
        "aspect_ratio": "1:1",
    },
    "motion-control": {
        "model_name": "kling-v2-6",
        "image_url": PICTURE,
        "video_url": DANCE,
        "character_orientation": "video",
        "mode": "std",
    },
    "avatar/image2video": {"image": PICTURE, "sound_file": SPEECH},
    "effects": {"effect_scene": "hug_pro", "input": {"images": [PICTURE, PICTURE]}},
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_legacy_task_from_its_post_to_its_end(gateway: Gateway, name: str) -> None:
    body = BODIES[name]
    path = f"{VIDEOS}/{name}"
    made = await gateway.post(path, {**body, "external_task_id": "theirs"})

    task_id = made["task_id"]
    assert made["code"] == 0
    assert type(made["code"]) is int
    assert made["data"]["task_id"] == made["id"] == task_id
    assert made["data"]["task_status"] == "submitted"
    assert made["data"]["task_info"] == {"external_task_id": "theirs"}
    [(reached, upstream)] = gateway.sent
    ours = upstream.pop("external_task_id")
    upstream.pop("callback_url", None)
    assert reached == f"/v1/videos/{name}"
    assert ours.startswith("vg_")
    assert upstream == body

    early = await gateway.get(f"{path}/{task_id}")
    assert early["data"]["task_status"] in {"submitted", "processing"}
    await gateway.finish()
    done = await gateway.get(f"{path}/{task_id}")

    assert done["data"]["task_status"] == "succeed", done
    assert done["status"] == "succeeded"
    [video] = done["data"]["task_result"]["videos"]
    assert video["id"] == f"{task_id}_0"
    assert video["url"].startswith("http")
    plain = await gateway.get(f"/v1/video/generations/{task_id}")
    assert plain["status"] == "succeeded"
    assert plain["url"] == video["url"]
    assert plain["data"]["data"]["data"]["task_id"] == task_id
    listed = await gateway.get(path)
    assert [task["task_id"] for task in listed["data"]] == [task_id]
    new = await gateway.get("/kling/tasks", task_ids=task_id)
    assert [task["status"] for task in new["data"]] == ["succeeded"]
    assert new["data"][0]["external_id"] == "theirs"


async def test_the_clients_own_id_is_taken_by_what_exists_alone(gateway: Gateway) -> None:
    path = f"{VIDEOS}/text2video"
    body = {**BOAT, "external_task_id": "theirs"}
    refused = await gateway.client.post(path, json={**body, "prompt": "#audit"})
    assert refused.status_code == 400, refused.text
    made = await gateway.post(path, body)

    for again in (path, f"{VIDEOS}/image2video"):
        answer = await gateway.client.post(again, json={**body, "image": PICTURE})
        assert answer.status_code == 400
        assert answer.json()["code"] == 1201
        assert "theirs already exists" in answer.json()["message"]

    other = await gateway.post(path, {**BOAT, "external_task_id": "another"})
    assert other["task_id"] != made["task_id"]
    headers = {"Idempotency-Key": "k"}
    keyed = {**BOAT, "external_task_id": "third"}
    both = [(await gateway.client.post(path, json=keyed, headers=headers)).json() for _ in range(2)]
    assert both[0]["task_id"] == both[1]["task_id"]


async def test_a_model_of_another_provider_is_not_asked_for_in_klings_words(
    gateway: Gateway,
) -> None:
    answer = await gateway.client.post(
        f"{VIDEOS}/text2video", json={"model_name": "viduq2", "prompt": "a boat"}
    )

    assert answer.status_code == 404
    assert answer.json()["code"] == 1203
    assert "another provider" in answer.json()["message"]
    assert gateway.sent == []


async def test_an_issuer_that_can_be_no_access_key_is_refused(gateway: Gateway) -> None:
    for issuer in ("\0", "\ud800", "a b", "x" * 201):
        token = jwt.encode({"iss": issuer, "exp": 1 << 40}, "s" * 32, algorithm="HS256")
        answer = await gateway.client.get(
            f"{VIDEOS}/text2video", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 401, issuer


async def test_a_lip_sync_whose_face_the_gateway_finds(gateway: Gateway) -> None:
    path = f"{VIDEOS}/advanced-lip-sync"
    made = await gateway.post(
        path, {"video_url": DANCE, "sound_file": SPEECH, "sound_end_time": 3000}
    )

    assert [reached for reached, _ in gateway.sent] == [
        "/v1/videos/identify-face",
        "/v1/videos/advanced-lip-sync",
    ]
    await gateway.finish()
    done = await gateway.get(f"{path}/{made['task_id']}")
    assert done["data"]["task_status"] == "succeed"


async def test_a_lip_sync_of_a_video_made_here(gateway: Gateway) -> None:
    made = await gateway.post(f"{VIDEOS}/text2video", BOAT)
    await gateway.finish()
    done = await gateway.get(f"{VIDEOS}/text2video/{made['id']}")
    video_id = done["data"]["task_result"]["videos"][0]["id"]
    gateway.sent.clear()
    await gateway.post(
        f"{VIDEOS}/advanced-lip-sync",
        {"video_id": video_id, "sound_file": SPEECH, "sound_end_time": 3000},
    )

    [(_, first), _] = gateway.sent
    assert first["video_id"].isdecimal()


async def second_channel(gateway: Gateway, *, priority: int) -> None:
    """One at another account of Kling's, which knows nothing of the first one's sessions."""
    await gateway.engine.operator.provisioning.add_channel(
        NewChannel(
            name="second",
            provider="kling",
            key=SECOND_KEY,
            base_url="http://second.test",
            priority=priority,
        )
    )
    await gateway.engine.services.directory.load()


async def spoken(gateway: Gateway) -> dict[str, Any]:
    """The body of a lip-sync after its first step."""
    faces = (await gateway.post(f"{VIDEOS}/identify-face", {"video_url": DANCE}))["data"]
    [face] = faces["face_data"]
    spoken = {"sound_file": SPEECH, "sound_start_time": 0, "sound_end_time": 3000}
    chosen = {"face_id": face["face_id"], "sound_insert_time": face["start_time"], **spoken}
    return {"session_id": faces["session_id"], "face_choose": [chosen]}


async def test_a_lip_sync_in_its_two_steps(gateway: Gateway) -> None:
    body = await spoken(gateway)
    assert body["session_id"].startswith("session_")
    assert [reached for reached, _ in gateway.sent] == ["/v1/videos/identify-face"]

    path = f"{VIDEOS}/advanced-lip-sync"
    made = await gateway.post(path, body)

    [_, (reached, upstream)] = gateway.sent
    assert reached == "/v1/videos/advanced-lip-sync"
    assert upstream["session_id"].isdecimal()
    assert upstream["face_choose"] == body["face_choose"]
    await gateway.finish()
    assert (await gateway.get(f"{path}/{made['id']}"))["data"]["task_status"] == "succeed"


async def test_a_session_is_of_use_in_every_dialect(gateway: Gateway) -> None:
    metadata = await spoken(gateway)
    neutral = {"model": "kling-lip-sync", "metadata": metadata}
    made = await gateway.post("/v1/video/generations", neutral)

    await gateway.finish()
    assert (await gateway.get(f"/v1/video/generations/{made['id']}"))["status"] == "succeeded"
    assert gateway.sent[-1][1]["session_id"].isdecimal()


async def test_objects_are_selected_and_taken_out(gateway: Gateway) -> None:
    path = f"{VIDEOS}/multi-elements"
    begun = (await gateway.post(f"{path}/init-selection", {"video_url": DANCE}))["data"]
    session = {"session_id": begun["session_id"]}
    points = {**session, "frame_index": 1, "points": [{"x": 0.1, "y": 0.2}]}
    assert begun["session_id"].startswith("session_")
    assert (begun["status"], begun["normalized_video"]) == (0, DANCE)

    for step, body in (
        ("add", points),
        ("preview", session),
        ("delete", points),
        ("clear", session),
        ("add", points),
    ):
        data = (await gateway.post(f"{path}/{step}-selection", body))["data"]
        assert data == {"status": 0, **session}, step
    made = await gateway.post(
        path, {**session, "edit_mode": "removal", "prompt": "no boat in <<<video_1>>>"}
    )

    steps = ("init", "add", "preview", "delete", "clear", "add")
    expected = [f"/v1/videos/multi-elements/{step}-selection" for step in steps]
    assert [reached for reached, _ in gateway.sent] == [*expected, "/v1/videos/multi-elements"]
    await gateway.finish()
    done = await gateway.get(f"{path}/{made['id']}")
    assert done["data"]["task_status"] == "succeed"
    assert gateway.sent[1][1]["session_id"] not in json.dumps(done)


async def test_each_step_goes_to_the_account_that_opened_the_session(gateway: Gateway) -> None:
    first = await spoken(gateway)
    await second_channel(gateway, priority=9)
    second = await spoken(gateway)

    path = f"{VIDEOS}/advanced-lip-sync"
    made = [await gateway.post(path, body) for body in (first, second)]

    await gateway.finish()
    used = []
    for task in made:
        assert (await gateway.get(f"{path}/{task['id']}"))["data"]["task_status"] == "succeed"
        snapshot = await gateway.engine.task(task["id"])
        [attempt] = await gateway.engine.operator.attempts.of_task(snapshot.id)
        used.append((await gateway.engine.services.directory.channel(attempt.channel_id)).name)
    assert used == ["kling", "second"]
    refused = await gateway.post(f"{path}", {**first, "nested": [second]}, 400)
    assert (refused["code"], refused["error"]["param"]) == (1201, "session_id")


async def test_what_kling_says_of_a_first_step(gateway: Gateway) -> None:
    path = f"{VIDEOS}/identify-face"
    refused = await gateway.post(path, {"video_url": "https://videos.example/a.gif"}, 400)
    assert (refused["code"], refused["error"]["param"]) == (1201, "video_url")
    assert "mp4" in refused["message"]
    unknown = await gateway.post(
        f"{VIDEOS}/multi-elements/add-selection", {"session_id": "930000000000"}, 400
    )
    assert unknown["code"] == 1201
    assert "930000000000" not in unknown["message"]


async def test_another_accounts_session_is_not_there(gateway: Gateway) -> None:
    body = await spoken(gateway)
    provisioning = gateway.engine.operator.provisioning
    other = await provisioning.create_account("other")
    _, foreign = await provisioning.create_token(name="foreign", account=other.name)
    gateway.client.headers["Authorization"] = f"Bearer {foreign}"
    gateway.sent.clear()

    for path, sent in (
        ("multi-elements/clear-selection", {"session_id": body["session_id"]}),
        ("advanced-lip-sync", body),
    ):
        told = await gateway.post(f"{VIDEOS}/{path}", sent, 404)
        assert (told["code"], told["error"]["param"]) == (1201, "session_id")
    assert gateway.sent == []


@asynccontextmanager
async def in_front(gateway: Gateway, postgres_url: str) -> AsyncIterator[Engine]:
    """A gateway with a database of its own, whose one channel is the other gateway."""
    url = await create_migrated_database(postgres_url)
    try:
        async with open_engine(url, gateway.engine.clock) as front:

            async def pass_on(request: httpx.Request) -> httpx.Response:
                headers = {
                    name: request.headers[name] for name in ("Authorization", "Content-Type")
                }
                return await gateway.client.request(
                    request.method, str(request.url), headers=headers, content=request.content
                )

            front.router.route(host="vidgate.test").mock(side_effect=pass_on)
            await front.operator.provisioning.add_channel(
                NewChannel(
                    name="behind",
                    provider="kling",
                    key=gateway.engine.key,
                    base_url="http://vidgate.test/kling",
                )
            )
            await front.services.directory.load()
            yield front
    finally:
        await drop_database(postgres_url, url)


async def test_a_lip_sync_by_a_gateway_behind_a_gateway(
    gateway: Gateway, postgres_url: str
) -> None:
    async with in_front(gateway, postgres_url) as front:
        at_once = await front.create(
            "kling-lip-sync",
            prompt="",
            metadata={"video_url": DANCE, "sound_file": SPEECH, "sound_end_time": 3000},
        )
        faces = await front.services.direct_calls.ask(
            front.caller, "kling", "identify-face", {"video_url": DANCE}
        )
        times = {"sound_start_time": 0, "sound_end_time": 3000, "sound_insert_time": 0}
        chosen = {"face_id": "0", "sound_file": SPEECH, **times}
        in_steps = await front.create(
            "kling-lip-sync",
            prompt="",
            metadata={"session_id": faces["session_id"], "face_choose": [chosen]},
        )
        for _ in range(12):
            await gateway.engine.tick(seconds=15)
            await front.tick(seconds=1)

        for created in (at_once, in_steps):
            assert (await front.task(created)).status is TaskStatus.SUCCEEDED
    paths = ["identify-face", "advanced-lip-sync"] * 2
    assert [reached for reached, _ in gateway.sent] == [f"/v1/videos/{path}" for path in paths]


async def test_an_edit_of_objects_in_a_session_made_at_kling(gateway: Gateway) -> None:
    path = f"{VIDEOS}/multi-elements"
    body = {"session_id": "s-1", "edit_mode": "removal", "prompt": "no boat in <<<video_1>>>"}
    refused = await gateway.post(path, body, status=400)  # the stand-in knows no such session

    assert refused["code"] == 1201
    [(reached, upstream)] = gateway.sent
    assert reached == "/v1/videos/multi-elements"
    assert body.items() <= upstream.items()
    assert upstream.keys() - body.keys() <= {"external_task_id", "callback_url"}
    assert "session_id" in (await gateway.post(path, {"edit_mode": "swap"}, status=400))["message"]


NEW_BODIES: dict[str, dict[str, Any]] = {
    "text-to-video/kling-3.0-turbo": {
        "prompt": "a boat",
        "settings": {"resolution": "1080p", "duration": 3, "brand_new": [1]},
    },
    "image-to-video/kling-3.0": {
        "contents": [
            {"type": "prompt", "text": "a boat"},
            {"type": "first_frame", "url": PICTURE},
        ]
    },
    "omni-video/kling-o1": {
        "contents": [
            {"type": "prompt", "text": "@image_1 walks"},
            {"type": "refer_image", "url": PICTURE, "id": "image_1"},
        ],
        "settings": {"aspect_ratio": "16:9"},
    },
    "motion-control/kling-2.6": {
        "contents": [{"type": "image", "url": PICTURE}, {"type": "video", "url": DANCE}],
        "settings": {"character_orientation": "video"},
    },
}


@pytest.mark.parametrize("name", NEW_BODIES)
async def test_a_task_of_the_new_generation(gateway: Gateway, name: str) -> None:
    body = NEW_BODIES[name]
    asked = {**body, "options": {"external_task_id": "theirs", "watermark_info": {"enabled": True}}}
    made = await gateway.post(f"/kling/{name}", asked)

    task_id = made["data"]["id"]
    assert (made["code"], made["data"]["status"], made["id"]) == (0, "submitted", task_id)
    assert made["data"]["external_id"] == "theirs"
    [(reached, upstream)] = gateway.sent
    options = upstream.pop("options")
    assert reached == f"/{name}"
    assert upstream == body
    assert options["external_task_id"].startswith("vg_")
    assert options["watermark_info"] == {"enabled": True}
    await gateway.finish()

    [entry] = (await gateway.get("/kling/tasks", external_task_ids="theirs,unknown"))["data"]
    assert entry["status"] == "succeeded", entry
    [output] = entry["outputs"]
    assert output["type"] == "video"
    assert output["id"] == f"{task_id}_0"
    assert output["watermark_url"].startswith("http")
    assert entry["billing"][0]["charge_type"] == "unit"
    assert (await gateway.get(f"/v1/video/generations/{task_id}"))["status"] == "succeeded"
    page = (await gateway.post("/kling/tasks", {}))["data"]
    assert [task["id"] for task in page["result"]] == [task_id]


async def test_a_list_goes_on_behind_a_task_of_ones_own(gateway: Gateway) -> None:
    answer = await gateway.client.post("/kling/tasks", json={"cursor": "task_" + "0" * 26})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "cursor"


async def test_a_retired_model_runs_as_its_successor(gateway: Gateway) -> None:
    await gateway.post(f"{VIDEOS}/text2video", {"model": "kling-v1-6", "prompt": "a boat"})
    await gateway.post(f"{VIDEOS}/text2video", {"prompt": "a boat"})
    assert len(gateway.sent) == 2
    for _, upstream in gateway.sent:
        assert upstream["model_name"] == "kling-v2-5-turbo"
        assert "model" not in upstream


async def test_tasks_of_other_dialects_are_read_here(gateway: Gateway) -> None:
    answer = await gateway.client.post(
        "/v1/video/generations", json={"model": "kling-v2-6", "prompt": "a boat"}
    )
    task_id = answer.json()["id"]
    shown = await gateway.get(f"{VIDEOS}/image2video/{task_id}")
    assert shown["data"]["task_id"] == task_id


async def test_an_own_id_is_found_however_old_its_task_is(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_SEARCHED", 1)
    made = [
        (await gateway.post(f"{VIDEOS}/text2video", BOAT | {"external_task_id": f"ours-{number}"}))
        for number in range(4)
    ]
    by_key = await gateway.client.post(
        f"{VIDEOS}/text2video",
        json=BOAT | {"external_task_id": "keyed"},
        headers={"Idempotency-Key": "k"},
    )
    first, last = made[0]["id"], by_key.json()["id"]

    one = await gateway.get(f"{VIDEOS}/text2video/ours-0")
    listed = await gateway.get(f"{VIDEOS}/text2video", external_task_id="ours-0")
    several = await gateway.get("/kling/tasks", external_task_ids="keyed,ours-0,nobodys")

    assert one["data"]["task_id"] == first
    assert [task["task_id"] for task in listed["data"]] == [first]
    assert [task["id"] for task in several["data"]] == [last, first]


async def test_lists_in_pages(gateway: Gateway) -> None:
    bodies = [BOAT | {"external_task_id": f"ours-{number}"} for number in range(3)]
    made = [(await gateway.post(f"{VIDEOS}/text2video", body))["id"] for body in bodies]
    await gateway.post(f"{VIDEOS}/image2video", BODIES["image2video"])
    newest = made[::-1]

    async def page(**query: Any) -> list[str]:
        data = (await gateway.get(f"{VIDEOS}/text2video", **query))["data"]
        return [task["task_id"] for task in data]

    assert await page() == newest
    assert await page(external_task_id="ours-1") == newest[1:2]
    assert await page(external_task_id="ours-1", pageNum=2) == []
    assert await page(external_task_id="another's") == []
    assert await page(external_task_id="") == newest
    assert await page(pageNum=1, pageSize=2) == newest[:2]
    assert await page(pageNum="2", pageSize="2") == newest[2:]
    for bad in ({"pageNum": 0}, {"pageSize": 501}, {"pageNum": "x"}):
        assert (await gateway.get(f"{VIDEOS}/text2video", 400, **bad))["code"] == 1201

    first = (await gateway.post("/kling/tasks", {"limit": 3}))["data"]
    rest = (await gateway.post("/kling/tasks", {"limit": 3, "cursor": first["next_cursor"]}))[
        "data"
    ]
    assert (first["count"], first["has_more"]) == (3, True)
    assert (rest["count"], rest["has_more"], rest["next_cursor"]) == (1, False, "")
    assert rest["result"][0]["id"] == made[0]
    filters = [{"key": "status", "values": ["failed"]}]
    assert (await gateway.post("/kling/tasks", {"filters": filters}))["data"]["count"] == 0
    filters[0]["values"] = ["submitted", "processing"]
    assert (await gateway.post("/kling/tasks", {"filters": filters}))["data"]["count"] == 4
    moment = gateway.engine.clock.at.timestamp() * 1000
    later = {"start_time": str(int(moment) + 1000)}
    assert (await gateway.post("/kling/tasks", later))["data"]["count"] == 0


async def test_another_accounts_tasks_are_not_there(gateway: Gateway) -> None:
    made = await gateway.post(f"{VIDEOS}/text2video", {**BOAT, "external_task_id": "theirs"})
    provisioning = gateway.engine.operator.provisioning
    other = await provisioning.create_account("other")
    _, foreign = await provisioning.create_token(name="foreign", account=other.name)
    gateway.client.headers["Authorization"] = f"Bearer {foreign}"

    for name in (made["id"], "theirs", "nothing"):
        told = await gateway.get(f"{VIDEOS}/text2video/{name}", 404)
        assert told["code"] == 1201
        assert told["message"] == f"Task not found by id/external id: {name}"
    assert (await gateway.get("/kling/tasks", task_ids=made["id"]))["data"] == []
    assert (await gateway.get("/kling/tasks", external_task_ids="theirs"))["data"] == []
    assert (await gateway.get(f"{VIDEOS}/text2video"))["data"] == []
    assert (await gateway.post("/kling/tasks", {}))["data"]["result"] == []


async def test_a_task_is_found_by_the_clients_own_id(gateway: Gateway) -> None:
    made = await gateway.post(f"{VIDEOS}/text2video", {**BOAT, "external_task_id": "ord-7"})
    shown = await gateway.get(f"{VIDEOS}/text2video/ord-7")
    assert shown["id"] == made["id"]


REFUSED: list[tuple[dict[str, Any], tuple[int, int, str | None]]] = [
    ({"aspect_ratio": "7:3"}, (400, 1201, "aspect_ratio")),
    ({"model_name": "kling-3.0"}, (400, 1201, "model_name")),
    ({"model_name": 5}, (400, 1201, "model_name")),
    ({"resolution": "4k"}, (400, 1201, "resolution")),
    ({"external_task_id": 5}, (400, 1201, "external_task_id")),
    ({"model_name": "sora-9"}, (404, 1203, "model")),
    ({"callback_url": "ftp://a.test"}, (400, 1201, "callback_url")),
    ({"prompt": "a boat #audit"}, (400, 1301, None)),
    ({"image": PICTURE}, (400, 1201, "image")),
]


@pytest.mark.parametrize(("more", "expected"), REFUSED)
async def test_what_is_refused(
    gateway: Gateway, more: dict[str, Any], expected: tuple[int, int, str | None]
) -> None:
    told = await gateway.post(f"{VIDEOS}/text2video", BOAT | more, expected[0])

    assert (told["code"], told["error"]["param"]) == expected[1:], told
    assert told["message"]
    assert "metadata" not in told["message"]
    assert told["request_id"]
    assert "data" not in told


async def test_a_vendors_token_signed_with_a_key_of_ours(gateway: Gateway) -> None:
    token, _ = await gateway.engine.operator.provisioning.create_token(name="signing")
    access_key, secret = await gateway.engine.operator.provisioning.create_access_key(token)
    now = int(time.time())
    claims = {"iss": access_key, "exp": now + 1800, "nbf": now - 5}
    signed = jwt.encode(claims, secret, algorithm="HS256")
    gateway.client.headers["Authorization"] = f"Bearer {signed}"

    made = await gateway.post(f"{VIDEOS}/text2video", BOAT)
    assert (await gateway.get(f"{VIDEOS}/text2video/{made['id']}"))["code"] == 0
    assert (await gateway.get("/kling/tasks", 401, task_ids=made["id"]))["code"] == 1002
    assert (await gateway.post("/kling/text-to-video/kling-3.0", {}, 401))["code"] == 1002


def test_every_endpoint_is_proved() -> None:
    others = {"advanced-lip-sync", "multi-elements"}
    assert {endpoint.name for endpoint in LEGACY} == BODIES.keys() | others
