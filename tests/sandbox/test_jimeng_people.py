"""Jimeng: motion imitation and OmniHuman."""

from typing import Any

import httpx
import orjson
import pytest
from tests.sandbox.support import VIDU, VIDU_HEADERS, Clock, jimeng_call, png

from vidgate.sandbox.app import Sandbox
from vidgate.sandbox.jimeng_options import JimengOptions

URL = "https://cdn.example/a.png"
VIDEO = "https://cdn.example/a.mp4"
SOUND = "https://cdn.example/a.mp3"

M1 = "jimeng_dream_actor_m1_gen_video_cv"
M20 = "jimeng_dreamactor_m20_gen_video"
CHECK = "jimeng_realman_avatar_picture_create_role_omni_v15"
DETECT = "jimeng_realman_avatar_object_detection"
OMNI = "jimeng_realman_avatar_picture_omni_v15"
OLD = "jimeng_realman_avatar_picture_omni_v2"

BODIES: dict[str, dict[str, Any]] = {
    M1: {"image_url": URL, "video_url": VIDEO},
    M20: {"image_urls": [URL], "video_url": VIDEO},
    CHECK: {"image_url": URL},
    OMNI: {"image_url": URL, "audio_url": SOUND},
    OLD: {"image_url": URL, "audio_url": SOUND},
}
GENERAL = ("CVSync2AsyncSubmitTask", "CVSync2AsyncGetResult")
SPOKEN = ("CVSubmitTask", "CVGetResult")


class Caller:
    """Signs and sends."""

    def __init__(self, client: httpx.AsyncClient, clock: Clock) -> None:
        self.client = client
        self.clock = clock

    async def call(self, action: str, **body: Any) -> Any:
        sent = {name: value for name, value in body.items() if value is not None}
        return (await self.client.send(jimeng_call(action, sent, self.clock()))).json()

    async def submit(self, req_key: str, **changes: Any) -> Any:
        action, _ = GENERAL if req_key in {M1, M20} else SPOKEN
        return await self.call(action, req_key=req_key, **BODIES[req_key] | changes)

    async def poll(self, req_key: str, task_id: str) -> Any:
        _, action = GENERAL if req_key in {M1, M20} else SPOKEN
        return await self.call(action, req_key=req_key, task_id=task_id)

    async def done(self, req_key: str, **changes: Any) -> Any:
        answer = await self.submit(req_key, **changes)
        assert answer["code"] == 10000, answer
        self.clock.advance(100)
        return (await self.poll(req_key, answer["data"]["task_id"]))["data"]


@pytest.fixture
def jimeng(client: httpx.AsyncClient, clock: Clock) -> Caller:
    return Caller(client, clock)


@pytest.mark.parametrize(
    ("req_key", "changes", "shape"),
    [
        (M1, {}, (1248, 704, 24, 121)),
        (M20, {}, (1248, 704, 25, 101)),
        (M20, {"cut_result_first_second_switch": False}, (1248, 704, 25, 126)),
        (M20, {"image_urls": None, "binary_data_base64": [png(480, 900)]}, (704, 1248, 25, 101)),
        (M20, {"image_urls": None, "binary_data_base64": [png(500, 2000)]}, (640, 1504, 25, 101)),
        (OMNI, {"mask_url": [URL], "prompt": "hi", "seed": 7}, (1920, 1088, 24, 120)),
        (OMNI, {"output_resolution": 720, "pe_fast_mode": True}, (1248, 704, 24, 120)),
        (OLD, {}, (848, 480, 24, 120)),
    ],
)
async def test_videos_are_made(
    jimeng: Caller,
    sandbox: Sandbox,
    req_key: str,
    changes: dict[str, Any],
    shape: tuple[int, int, int, int],
) -> None:
    data = await jimeng.done(req_key, **changes)
    assert data["status"] == "done"
    assert data["video_url"]
    (job,) = sandbox.world.ledger
    assert (job.clip.width, job.clip.height, job.clip.fps, job.clip.frames) == shape
    assert job.charge > 0


@pytest.mark.parametrize(
    ("req_key", "changes"),
    [
        (M1, {"image_url": None}),
        (M1, {"image_url": [URL]}),
        (M1, {"image_url": None, "image_urls": [URL]}),
        (M1, {"image_url": png()}),
        (M1, {"video_url": None}),
        (M1, {"video_url": [VIDEO]}),
        (M1, {"video_url": "https://cdn.example/a.avi"}),
        (M1, {"video_url": "https://[cdn.example/a.mp4"}),
        (M20, {"image_urls": None}),
        (M20, {"image_urls": URL}),
        (M20, {"image_urls": [URL, URL]}),
        (M20, {"image_urls": ["ftp://cdn.example/a.png"]}),
        (M20, {"binary_data_base64": [png(600, 600)]}),
        (M20, {"image_urls": None, "binary_data_base64": [png(479, 600)]}),
        (M20, {"image_urls": None, "binary_data_base64": [png(600, 600, data_uri=True)]}),
        (M20, {"video_url": None}),
        (M20, {"cut_result_first_second_switch": 1}),
        (M20, {"callback_url": 7}),
        (CHECK, {"image_url": None}),
        (OMNI, {"image_url": None}),
        (OMNI, {"audio_url": None}),
        (OMNI, {"audio_url": "AAAA"}),
        (OMNI, {"mask_url": URL}),
        (OMNI, {"mask_url": ["AAAA"]}),
        (OMNI, {"prompt": "x" * 301}),
        (OMNI, {"prompt": ["x"]}),
        (OMNI, {"seed": -2}),
        (OMNI, {"output_resolution": 480}),
        (OMNI, {"output_resolution": "720"}),
        (OMNI, {"pe_fast_mode": "yes"}),
        (OLD, {"audio_url": None}),
    ],
)
async def test_bad_fields_are_refused(
    jimeng: Caller, sandbox: Sandbox, req_key: str, changes: dict[str, Any]
) -> None:
    assert (await jimeng.submit(req_key, **changes))["code"] == 50200
    assert len(sandbox.world.ledger) == 0


@pytest.mark.parametrize(
    ("action", "req_key"),
    [
        ("CVSubmitTask", M1),
        ("CVSubmitTask", M20),
        ("CVSubmitTask", "jimeng_t2v_v30"),
        ("CVSync2AsyncSubmitTask", CHECK),
        ("CVSync2AsyncSubmitTask", OMNI),
        ("CVSync2AsyncSubmitTask", DETECT),
        ("CVProcess", OMNI),
    ],
)
async def test_every_key_has_its_action(jimeng: Caller, action: str, req_key: str) -> None:
    body = BODIES.get(req_key, {"prompt": "x", "image_url": URL})
    assert (await jimeng.call(action, req_key=req_key, **body))["code"] == 50200


@pytest.mark.parametrize(("req_key", "action"), [(M20, "CVGetResult"), (OMNI, GENERAL[1])])
async def test_a_task_is_read_by_its_own_action(
    jimeng: Caller, sandbox: Sandbox, req_key: str, action: str
) -> None:
    task_id = (await jimeng.submit(req_key))["data"]["task_id"]
    assert (await jimeng.call(action, req_key=req_key, task_id=task_id))["code"] == 50200
    sandbox.world.settings = sandbox.world.settings.having(JimengOptions(strict=False))
    assert (await jimeng.call(action, req_key=req_key, task_id=task_id))["code"] == 10000


async def test_talking_people_are_processed_before_they_queue(jimeng: Caller, clock: Clock) -> None:
    task_id = (await jimeng.submit(OMNI))["data"]["task_id"]
    states = []
    for seconds in (0, 6, 10, 90):
        clock.advance(seconds)
        states.append((await jimeng.poll(OMNI, task_id))["data"]["status"])
    assert states == ["processing", "in_queue", "generating", "done"]


async def test_a_subject_is_checked(jimeng: Caller, sandbox: Sandbox) -> None:
    data = await jimeng.done(CHECK)
    assert (data["status"], "video_url" in data) == ("done", False)
    assert orjson.loads(data["resp_data"]) == {"status": 1}
    data = await jimeng.done(CHECK, image_url=f"{URL}#no-subject")
    assert orjson.loads(data["resp_data"]) == {"status": 0}
    assert {job.charge for job in sandbox.world.ledger} == {0.0}


async def test_subjects_are_detected_at_once(jimeng: Caller, sandbox: Sandbox) -> None:
    answer = await jimeng.call("CVProcess", req_key=DETECT, image_url=URL)
    found = orjson.loads(answer["data"]["resp_data"])
    assert (found["code"], found["status"]) == (0, 1)
    assert len(found["object_detection_result"]["mask"]["url"]) == 1
    answer = await jimeng.call("CVProcess", req_key=DETECT, image_url=f"{URL}#no-subject")
    found = orjson.loads(answer["data"]["resp_data"])
    assert (found["status"], found["object_detection_result"]["mask"]["url"]) == (0, [])
    assert (await jimeng.call("CVProcess", req_key=DETECT))["code"] == 50200
    assert len(sandbox.world.ledger) == 0


@pytest.mark.parametrize(
    ("req_key", "changes", "code"),
    [
        (M1, {"video_url": f"{VIDEO}#50513"}, 50513),
        (OMNI, {"audio_url": f"{SOUND}#50514"}, 50514),
        (M20, {"image_urls": [f"{URL}#50411"]}, 50411),
        (OMNI, {"prompt": "#audit"}, 50412),
    ],
)
async def test_moderation_refuses_on_demand(
    jimeng: Caller, req_key: str, changes: dict[str, Any], code: int
) -> None:
    assert (await jimeng.submit(req_key, **changes))["code"] == code


async def test_sound_that_is_too_long_fails_late(jimeng: Caller, clock: Clock) -> None:
    answer = await jimeng.submit(OMNI, audio_url=f"{SOUND}#50215")
    assert answer["code"] == 10000
    clock.advance(100)
    assert (await jimeng.poll(OMNI, answer["data"]["task_id"]))["code"] == 50215


async def test_a_key_that_is_closed_is_denied(jimeng: Caller, sandbox: Sandbox) -> None:
    closed = frozenset({M20, OMNI})
    sandbox.world.settings = sandbox.world.settings.having(JimengOptions(closed=closed))
    assert (await jimeng.submit(M20))["code"] == 50400
    assert (await jimeng.submit(OMNI))["code"] == 50400


async def test_they_can_be_cancelled_before_they_start(jimeng: Caller) -> None:
    task_id = (await jimeng.submit(OMNI))["data"]["task_id"]
    request = jimeng_call(
        "CVCancelTask", {"req_key": OMNI, "task_id": task_id}, jimeng.clock(), version="2024-06-06"
    )
    assert (await jimeng.client.send(request)).json()["code"] == 10000
    assert (await jimeng.poll(OMNI, task_id))["data"] == {"status": "not_found"}


@pytest.mark.parametrize(("resolution", "code"), [("720p", 10000), ("1080p", 10000), ("4K", 50200)])
async def test_a_driver_made_here_is_measured(
    jimeng: Caller, sandbox: Sandbox, clock: Clock, resolution: str, code: int
) -> None:
    body = {
        "model": "viduq4-preview",
        "images": [URL],
        "prompt": "x",
        "duration": 8,
        "resolution": resolution,
    }
    create = await jimeng.client.post(f"{VIDU}/img2video", json=body, headers=VIDU_HEADERS)
    clock.advance(60)
    path = f"{VIDU}/tasks/{create.json()['task_id']}/creations"
    task = (await jimeng.client.get(path, headers=VIDU_HEADERS)).json()
    answer = await jimeng.submit(M1, video_url=task["creations"][0]["url"])
    assert answer["code"] == code
    if code == 10000:
        assert round(list(sandbox.world.ledger)[-1].clip.seconds) == 8
