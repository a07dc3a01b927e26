"""Kling: motion control, lip-sync, avatars, effects, multi-elements."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.sandbox.support import KLING, KLING_HEADERS, Clock, png

from vidgate.sandbox.app import Sandbox

URL = "https://cdn.example/a.png"
VIDEO = "https://cdn.example/a.mp4"
SOUND = "https://cdn.example/a.mp3"
OTHER = {"Authorization": "Bearer sandbox-kling-key-2"}

MOTION = "/v1/videos/motion-control"
LIP = "/v1/videos/advanced-lip-sync"
AVATAR = "/v1/videos/avatar/image2video"
EFFECTS = "/v1/videos/effects"
ELEMENTS = "/v1/videos/multi-elements"
PATH_MOTION = "/motion-control/kling-3.0"

MOVE = {
    "model_name": "kling-v3",
    "image_url": URL,
    "video_url": VIDEO,
    "character_orientation": "image",
    "mode": "std",
}
FACE = {
    "face_id": "0",
    "sound_file": SOUND,
    "sound_start_time": 0,
    "sound_end_time": 3000,
    "sound_insert_time": 1000,
}


async def post(
    client: httpx.AsyncClient, path: str, body: Any, headers: dict[str, str] = KLING_HEADERS
) -> Any:
    return (await client.post(f"{KLING}{path}", json=body, headers=headers)).json()


async def data(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    answer = await post(client, path, body)
    assert answer["code"] == 0, answer
    return answer["data"]


async def finished(client: httpx.AsyncClient, clock: Clock, path: str, task_id: str) -> Any:
    """The video of a legacy task."""
    clock.advance(60)
    answer = await client.get(f"{KLING}{path}/{task_id}", headers=KLING_HEADERS)
    return answer.json()["data"]["task_result"]["videos"][0]


async def own_video(client: httpx.AsyncClient, clock: Clock, seconds: int = 5) -> Any:
    """A video made here: its id and its URL."""
    path = "/v1/videos/text2video"
    body = {"model_name": "kling-v3", "prompt": "x", "duration": str(seconds)}
    created = await data(client, path, body)
    return await finished(client, clock, path, created["task_id"])


async def session(client: httpx.AsyncClient, path: str = "/v1/videos/identify-face") -> str:
    name: str = (await data(client, path, {"video_url": VIDEO}))["session_id"]
    return name


def motion(*entries: dict[str, Any], **settings: Any) -> dict[str, Any]:
    contents = [{"type": "image", "url": URL}, {"type": "video", "url": VIDEO}, *entries]
    return {"contents": contents, "settings": {"character_orientation": "video"} | settings}


def clip(sandbox: Sandbox) -> tuple[int, int, int]:
    last = list(sandbox.world.ledger)[-1].clip
    return last.width, last.height, round(last.seconds)


@pytest.mark.parametrize(
    ("path", "body", "charge"),
    [
        (MOTION, MOVE, 4.5),
        (MOTION, MOVE | {"model_name": None, "mode": "pro", "image_url": png()}, 4.0),
        (MOTION, MOVE | {"element_list": [{"element_id": 829836802793406551}]}, 4.5),
        (MOTION, MOVE | {"duration": "7", "aspect_ratio": "ignored"}, 4.5),
        (PATH_MOTION, motion(), 4.5),
        (PATH_MOTION, motion({"type": "prompt", "text": "dance"}, audio="off"), 4.5),
        (PATH_MOTION, motion({"type": "element", "element_id": "1", "id": "hero"}), 4.5),
        ("/motion-control/kling-2.6", motion(resolution="1080p"), 4.0),
        (AVATAR, {"image": URL, "audio_id": "1"}, 2.0),
        (AVATAR, {"image": png(), "sound_file": "YWJj", "mode": "pro", "prompt": "hi"}, 4.0),
        (EFFECTS, {"effect_scene": "anything", "input": {"image": URL}}, 2.0),
        (EFFECTS, {"effect_scene": "hug_pro", "input": {"images": [URL, png()]}}, 2.0),
    ],
)
async def test_good_requests_are_accepted(
    client: httpx.AsyncClient, sandbox: Sandbox, path: str, body: dict[str, Any], charge: float
) -> None:
    await data(client, path, body)
    (job,) = sandbox.world.ledger
    assert job.charge == charge
    assert job.endpoint == path


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (MOTION, MOVE | {"model_name": "kling-v2-1"}, 1203),
        (MOTION, MOVE | {"model_name": "kling-v2-5-turbo"}, 1201),
        (MOTION, MOVE | {"image_url": ""}, 1201),
        (MOTION, MOVE | {"image_url": png(data_uri=True)}, 1201),
        (MOTION, MOVE | {"image_url": png(200, 400)}, 1201),
        (MOTION, MOVE | {"video_url": None}, 1201),
        (MOTION, MOVE | {"video_url": "AAAA"}, 1201),
        (MOTION, MOVE | {"video_url": "https://cdn.example/a.webm"}, 1201),
        (MOTION, MOVE | {"character_orientation": None}, 1201),
        (MOTION, MOVE | {"character_orientation": "left"}, 1201),
        (MOTION, MOVE | {"mode": None}, 1201),
        (MOTION, MOVE | {"mode": "4k"}, 1201),
        (MOTION, MOVE | {"keep_original_sound": True}, 1201),
        (MOTION, MOVE | {"prompt": "x" * 2501}, 1201),
        (MOTION, MOVE | {"element_list": [{"element_id": 1}, {"element_id": 2}]}, 1201),
        (MOTION, MOVE | {"element_list": [{}]}, 1200),
        (MOTION, MOVE | {"model_name": "kling-v2-6", "element_list": [{"element_id": 1}]}, 1201),
        ("/motion-control/kling-2.5-turbo", motion(), 1203),
        (PATH_MOTION, motion(character_orientation=None), 1201),
        (PATH_MOTION, motion(resolution="4k"), 1201),
        (PATH_MOTION, motion(audio="native"), 1201),
        (PATH_MOTION, motion({"type": "image", "url": URL}), 1201),
        (PATH_MOTION, motion({"type": "first_frame", "url": URL}), 1201),
        (PATH_MOTION, motion({"type": "element", "element_id": "1"}), 1200),
        (PATH_MOTION, motion({"type": "prompt", "text": "x" * 2501}), 1201),
        (
            "/motion-control/kling-2.6",
            motion({"type": "element", "element_id": "1", "id": "hero"}),
            1201,
        ),
        (PATH_MOTION, {"settings": {"character_orientation": "video"}}, 1201),
        (AVATAR, {"audio_id": "1"}, 1201),
        (AVATAR, {"image": URL}, 1201),
        (AVATAR, {"image": URL, "audio_id": "1", "sound_file": SOUND}, 1201),
        (AVATAR, {"image": URL, "sound_file": "https://cdn.example/a.ogg"}, 1201),
        (AVATAR, {"image": URL, "sound_file": "not base64!"}, 1201),
        (AVATAR, {"image": URL, "sound_file": "A" * 7_000_000}, 1201),
        (AVATAR, {"image": URL, "audio_id": "1", "mode": "4k"}, 1201),
        (AVATAR, {"image": URL, "audio_id": "1", "prompt": "x" * 2501}, 1201),
        (EFFECTS, {"input": {"image": URL}}, 1201),
        (EFFECTS, {"effect_scene": "x"}, 1201),
        (EFFECTS, {"effect_scene": "x", "input": URL}, 1200),
        (EFFECTS, {"effect_scene": "x", "input": {"image": URL, "images": [URL, URL]}}, 1201),
        (EFFECTS, {"effect_scene": "x", "input": {"images": [URL]}}, 1201),
        (EFFECTS, {"effect_scene": "hug_pro", "input": {"image": URL}}, 1201),
        (EFFECTS, {"effect_scene": "x", "input": {"image": "nope"}}, 1201),
        (LIP, {"session_id": "1", "face_choose": [FACE]}, 1201),
        (LIP, {"face_choose": [FACE]}, 1201),
        (ELEMENTS, {"session_id": "1", "edit_mode": "removal", "prompt": "x"}, 1201),
    ],
)
async def test_bad_requests_are_refused(
    client: httpx.AsyncClient, sandbox: Sandbox, path: str, body: dict[str, Any], code: int
) -> None:
    assert (await post(client, path, body))["code"] == code
    assert len(sandbox.world.ledger) == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"video_id": "1", "video_url": VIDEO},
        {"video_id": "1"},
        {"video_url": "AAAA"},
        {"video_url": "https://cdn.example/a.avi"},
        {"video_url": "https://[cdn.example/a.mp4"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/videos/identify-face", f"{ELEMENTS}/init-selection"])
async def test_bad_videos_open_no_session(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    assert (await post(client, path, body))["code"] == 1201


async def test_lip_sync_goes_in_two_steps(
    client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    video = await own_video(client, clock, 7)
    found = await data(client, "/v1/videos/identify-face", {"video_id": video["id"]})
    (face,) = found["face_data"]
    assert (face["start_time"], face["end_time"]) == (0, 7042)
    body = {"session_id": found["session_id"], "face_choose": [FACE]}
    created = await data(client, LIP, body | {"external_task_id": "lip-1"})
    assert created["task_status"] == "submitted"
    done = await finished(client, clock, LIP, created["task_id"])
    assert done["duration"] == "7.041"
    assert clip(sandbox) == (1280, 720, 7)
    assert list(sandbox.world.ledger)[-1].charge == 1.0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"face_id": "9"}, 1201),
        ({"face_id": None}, 1201),
        ({"audio_id": "1"}, 1201),
        ({"sound_file": None}, 1201),
        ({"sound_start_time": None}, 1201),
        ({"sound_start_time": "0"}, 1200),
        ({"sound_start_time": 0.5}, 1200),
        ({"sound_insert_time": -1}, 1201),
        ({"sound_end_time": 1999}, 1201),
        ({"sound_insert_time": 3500}, 1201),
        ({"sound_volume": 2.1}, 1201),
        ({"original_audio_volume": "1"}, 1200),
    ],
)
async def test_a_face_must_be_chosen_well(
    client: httpx.AsyncClient, changes: dict[str, Any], code: int
) -> None:
    body = {"session_id": await session(client), "face_choose": [FACE | changes]}
    assert (await post(client, LIP, body))["code"] == code


@pytest.mark.parametrize("faces", [[], [FACE, FACE], None])
async def test_exactly_one_face_is_chosen(client: httpx.AsyncClient, faces: Any) -> None:
    body = {"session_id": await session(client), "face_choose": faces}
    assert (await post(client, LIP, body))["code"] == 1201


async def test_a_session_is_the_accounts_own_of_its_kind_and_dies(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    body = {"session_id": await session(client), "face_choose": [FACE]}
    assert (await post(client, LIP, body, OTHER))["code"] == 1201
    wrong = {"session_id": await session(client, f"{ELEMENTS}/init-selection")}
    assert (await post(client, LIP, wrong | {"face_choose": [FACE]}))["code"] == 1201
    clock.advance(24 * 3600 + 1)
    assert (await post(client, LIP, body))["code"] == 1201


async def test_a_video_without_a_face_can_be_had(client: httpx.AsyncClient) -> None:
    body = {"video_url": f"{VIDEO}#no-face"}
    assert (await data(client, "/v1/videos/identify-face", body))["face_data"] == []


async def test_the_account_of_an_output_is_checked_and_its_age(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    body = {"video_id": (await own_video(client, clock))["id"]}
    path = "/v1/videos/identify-face"
    assert (await post(client, path, body, OTHER))["code"] == 1201
    clock.advance(30 * 24 * 3600)
    assert (await post(client, path, body))["code"] == 1201


async def test_a_driving_video_made_here_is_measured(
    client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    url = (await own_video(client, clock, 12))["url"]
    body = MOVE | {"video_url": url, "image_url": png(400, 800)}
    assert (await post(client, MOTION, body))["code"] == 1201
    await data(client, MOTION, body | {"character_orientation": "video"})
    assert clip(sandbox) == (1280, 720, 12)
    short = (await own_video(client, clock, 4))["url"]
    await data(client, MOTION, body | {"video_url": short, "mode": "pro"})
    assert clip(sandbox) == (1080, 2160, 4)
    elements = {"element_list": [{"element_id": "1"}]}
    await data(client, MOTION, body | {"video_url": short} | elements)
    assert clip(sandbox) == (1280, 720, 4)


async def test_effects_show_no_duration(client: httpx.AsyncClient, clock: Clock) -> None:
    body = {"effect_scene": "x", "input": {"image": URL}}
    created = await data(client, EFFECTS, body)
    assert "duration" not in await finished(client, clock, EFFECTS, created["task_id"])


async def test_magic_words_stand_where_there_is_no_prompt(client: httpx.AsyncClient) -> None:
    body = {"effect_scene": "x#1102", "input": {"image": URL}}
    assert (await post(client, EFFECTS, body))["code"] == 1102
    assert (await post(client, MOTION, MOVE | {"video_url": f"{VIDEO}#audit"}))["code"] == 1301
    assert (await post(client, PATH_MOTION, motion({"type": "prompt", "text": "#1303"})))[
        "code"
    ] == 1303


async def test_objects_in_a_video_are_edited(
    client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    video = await own_video(client, clock)
    opened = await data(client, f"{ELEMENTS}/init-selection", {"video_id": video["id"]})
    assert (opened["status"], opened["fps"], opened["total_frame"]) == (0, 24, 121)
    name = {"session_id": opened["session_id"]}
    points = name | {"frame_index": 0, "points": [{"x": 0.5, "y": 1}]}
    for step, body in (
        ("add-selection", points),
        ("preview-selection", name),
        ("delete-selection", points),
        ("clear-selection", name),
    ):
        assert (await data(client, f"{ELEMENTS}/{step}", body))["status"] == 0
    body = {"edit_mode": "swap", "image_list": [{"image": URL}], "prompt": "x", "duration": "10"}
    created = await data(client, ELEMENTS, name | body | {"mode": "pro"})
    done = await finished(client, clock, ELEMENTS, created["task_id"])
    assert done["session_id"] == opened["session_id"]
    assert clip(sandbox) == (1920, 1080, 10)


async def test_a_video_of_six_seconds_cannot_be_edited(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    video = await own_video(client, clock, 6)
    answer = await post(client, f"{ELEMENTS}/init-selection", {"video_id": video["id"]})
    assert answer["code"] == 1201


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"edit_mode": None}, 1201),
        ({"edit_mode": "paint"}, 1201),
        ({"edit_mode": "removal"}, 1201),
        ({"edit_mode": "addition", "image_list": []}, 1201),
        ({"image_list": [{"image": URL}, {"image": URL}]}, 1201),
        ({"image_list": [{"image": ""}]}, 1201),
        ({"prompt": " "}, 1201),
        ({"duration": 5}, 1201),
        ({"duration": "7"}, 1201),
        ({"mode": "4k"}, 1201),
    ],
)
async def test_bad_edits_are_refused(
    client: httpx.AsyncClient, changes: dict[str, Any], code: int
) -> None:
    name = {"session_id": await session(client, f"{ELEMENTS}/init-selection")}
    body = {"edit_mode": "swap", "image_list": [{"image": URL}], "prompt": "x"}
    assert (await post(client, ELEMENTS, name | body | changes))["code"] == code


@pytest.mark.parametrize(
    ("step", "changes", "code"),
    [
        ("add-selection", {"session_id": "1"}, 1201),
        ("add-selection", {"frame_index": None}, 1200),
        ("add-selection", {"frame_index": 121}, 1201),
        ("add-selection", {"points": []}, 1201),
        ("add-selection", {"points": [{"x": 0, "y": 0}] * 11}, 1201),
        ("add-selection", {"points": [{"x": 1.5, "y": 0}]}, 1201),
        ("add-selection", {"points": [{"x": 1}]}, 1200),
        ("delete-selection", {}, 1201),
        ("clear-selection", {"session_id": None}, 1201),
    ],
)
async def test_bad_selections_are_refused(
    client: httpx.AsyncClient, step: str, changes: dict[str, Any], code: int
) -> None:
    name = await session(client, f"{ELEMENTS}/init-selection")
    body = {"session_id": name, "frame_index": 1, "points": [{"x": 0.1, "y": 0.2}]}
    assert (await post(client, f"{ELEMENTS}/{step}", body | changes))["code"] == code


async def test_ten_frames_of_ten_points_are_the_limit(client: httpx.AsyncClient) -> None:
    name = await session(client, f"{ELEMENTS}/init-selection")
    path = f"{ELEMENTS}/add-selection"
    body: dict[str, Any] = {"session_id": name, "points": [{"x": 0, "y": 0}] * 10}
    for frame in range(10):
        await data(client, path, body | {"frame_index": frame})
    assert (await post(client, path, body | {"frame_index": 10}))["code"] == 1201
    more = {"frame_index": 0, "points": [{"x": 0, "y": 0}]}
    assert (await post(client, path, body | more))["code"] == 1201


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/videos/image2video",
            {"model_name": "kling-v3", "image": URL, "element_list": [{"element": 1}]},
        ),
        (
            "/v1/videos/omni-video",
            {"prompt": "x", "aspect_ratio": "1:1", "element_list": [{"element_id": ""}]},
        ),
        (
            "/v1/videos/text2video",
            {"model_name": "kling-v3", "prompt": "x", "sound": "on", "voice_list": [{}]},
        ),
    ],
)
async def test_elements_and_voices_need_ids(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    assert (await post(client, path, body))["code"] == 1200


# Changed by an omni model


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (
            "/v1/videos/omni-video",
            lambda url: {
                "model_name": "kling-v3-omni",
                "prompt": "snow",
                "video_list": [{"video_url": url}],
                "duration": "3",
            },
        ),
        (
            "/omni-video/kling-3.0-omni",
            lambda url: {
                "contents": [
                    {"type": "prompt", "text": "snow"},
                    {"type": "base_video", "url": url},
                ],
                "settings": {"duration": 3, "resolution": "1080p"},
            },
        ),
    ],
)
async def test_a_base_video_gives_the_length_and_the_shape(
    sandbox: Sandbox,
    client: httpx.AsyncClient,
    clock: Clock,
    path: str,
    fields: Callable[[str], dict[str, Any]],
) -> None:
    made = {"model_name": "kling-v3", "prompt": "x", "duration": "8", "aspect_ratio": "9:16"}
    text = "/v1/videos/text2video"
    created = await data(client, text, made)
    source = await finished(client, clock, text, created["task_id"])

    await data(client, path, fields(source["url"]))
    assert clip(sandbox) == (1080, 1920, 8)
    await data(client, path, fields(VIDEO))
    assert clip(sandbox) == (1920, 1080, 5)


async def test_a_video_beside_gives_no_length(sandbox: Sandbox, client: httpx.AsyncClient) -> None:
    body = {
        "model_name": "kling-v3-omni",
        "prompt": "snow",
        "video_list": [{"video_url": VIDEO, "refer_type": "feature"}],
        "multi_shot": True,
        "shot_type": "intelligence",
        "duration": "3",
        "aspect_ratio": "1:1",
    }

    await data(client, "/v1/videos/omni-video", body)

    assert clip(sandbox) == (1080, 1080, 3)
