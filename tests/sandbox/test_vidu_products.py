"""Vidu: multiframe, extend, upscaling, lip-sync, templates, stories, subjects."""

from typing import Any

import httpx
import pytest
from tests.sandbox.support import VIDU, VIDU_HEADERS, Clock, png

from vidgate.sandbox.app import Sandbox
from vidgate.sandbox.vidu import ViduOptions

URL = "https://cdn.example/a.png"
VIDEO = "https://cdn.example/a.mp4"
SOUND = "https://cdn.example/a.wav"
OTHER = {"Authorization": "Token vda_sandbox_0000000000000002"}

FRAME = {"key_image": URL}
FRAMES = {"model": "viduq2-turbo", "start_image": URL, "image_settings": [FRAME, FRAME]}
EXTEND = {"model": "viduq2-pro", "video_url": VIDEO}
UPSCALE = {"video_url": VIDEO}
LIP = {"video_url": VIDEO, "audio_url": SOUND}
SPEAK = {"video_url": VIDEO, "text": "hello there"}
TEMPLATE = {"template": "hug", "images": [URL]}
STORY = {"story": "pigsy", "images": [URL]}

Size = tuple[int, int, int]


async def post(
    client: httpx.AsyncClient,
    endpoint: str,
    body: dict[str, Any],
    headers: dict[str, str] = VIDU_HEADERS,
) -> httpx.Response:
    return await client.post(f"{VIDU}/{endpoint}", json=body, headers=headers)


async def create(client: httpx.AsyncClient, endpoint: str, body: dict[str, Any]) -> Any:
    response = await post(client, endpoint, body)
    assert response.status_code == 200, response.text
    return response.json()


async def creation(client: httpx.AsyncClient, clock: Clock, **changes: Any) -> Any:
    """A finished video."""
    body = {"model": "viduq2", "prompt": "x"} | changes
    task_id = (await create(client, "text2video", body))["task_id"]
    clock.advance(60)
    response = await client.get(f"{VIDU}/tasks/{task_id}/creations", headers=VIDU_HEADERS)
    return response.json()["creations"][0]


def clip(sandbox: Sandbox) -> Size:
    last = list(sandbox.world.ledger)[-1].clip
    return last.width, last.height, round(last.seconds)


@pytest.mark.parametrize(
    ("endpoint", "body", "cost", "size"),
    [
        ("multiframe", FRAMES, 65, (1280, 720, 10)),
        (
            "multiframe",
            FRAMES
            | {
                "model": "viduq2-pro",
                "start_image": png(400, 800, data_uri=True),
                "image_settings": [{**FRAME, "duration": 7, "prompt": "x"}, *[FRAME] * 8],
                "resolution": "1080p",
                "watermark": True,
                "wm_position": "top_left",
            },
            60 + 15 * 47,
            (1080, 2160, 47),
        ),
        ("extend", EXTEND, 80, (1280, 720, 10)),
        (
            "extend",
            EXTEND | {"images": [URL], "prompt": "on", "duration": 7, "resolution": "540p"},
            50,
            (960, 540, 12),
        ),
        ("upscale-new", UPSCALE, 25, (1920, 1080, 5)),
        (
            "upscale-new",
            {"video_url": "https://x.example/a.mkv", "upscale_resolution": "8K"},
            200,
            (7680, 4320, 5),
        ),
        ("lip-sync", LIP, 50, (1280, 720, 5)),
        (
            "lip-sync",
            SPEAK | {"speed": 0.5, "volume": 10, "voice_id": "v", "ref_photo_url": URL},
            50,
            (1280, 720, 5),
        ),
        ("lip-sync", SPEAK | {"text": "wait<#1.5#>\nnow"}, 50, (1280, 720, 5)),
        ("lip-sync", LIP | {"text": "x"}, 50, (1280, 720, 5)),
        ("template", TEMPLATE, 20, (1280, 720, 5)),
        (
            "template",
            TEMPLATE | {"aspect_ratio": "9:16", "seed": 7, "bgm": True},
            20,
            (720, 1280, 5),
        ),
        ("template", TEMPLATE | {"template": "exotic_princess", "area": "uk"}, 20, (1280, 720, 5)),
        (
            "template",
            TEMPLATE | {"template": "beast_companion", "beast": "elk"},
            20,
            (1280, 720, 5),
        ),
        (
            "template",
            {"template": "x", "images": [png(200, 200, data_uri=True)]},
            20,
            (720, 720, 5),
        ),
        ("template-story", STORY, 20, (1280, 720, 5)),
        ("template-story", {"story": "one_shot", "images": [URL] * 3}, 20, (1280, 720, 5)),
    ],
)
async def test_good_requests_are_accepted(
    client: httpx.AsyncClient,
    sandbox: Sandbox,
    endpoint: str,
    body: dict[str, Any],
    *,
    cost: int,
    size: Size,
) -> None:
    sandbox.world.settings = sandbox.world.settings.having(ViduOptions(strict=True))
    created = await create(client, endpoint, body | {"payload": "job-1"})
    assert (created["state"], created["type"]) == ("created", endpoint)
    assert created["credits"] == cost
    assert created["payload"] == "job-1"
    assert clip(sandbox) == size


@pytest.mark.parametrize(
    ("endpoint", "body", "reason"),
    [
        ("multiframe", FRAMES | {"model": None}, "FieldLacking"),
        ("multiframe", FRAMES | {"start_image": None}, "FieldLacking"),
        ("multiframe", FRAMES | {"start_image": "nope"}, "ImageFormatInvalid"),
        ("multiframe", FRAMES | {"image_settings": None}, "FieldLacking"),
        ("multiframe", FRAMES | {"image_settings": [FRAME]}, "FieldItemCountOutOfRange"),
        ("multiframe", FRAMES | {"image_settings": [FRAME] * 10}, "FieldItemCountOutOfRange"),
        ("multiframe", FRAMES | {"image_settings": [FRAME, {}]}, "FieldLacking"),
        ("multiframe", FRAMES | {"image_settings": [FRAME, URL]}, "FieldInvalid"),
        (
            "multiframe",
            FRAMES | {"image_settings": [FRAME, {"key_image": png()}]},
            "ImageFormatInvalid",
        ),
        (
            "multiframe",
            FRAMES | {"image_settings": [FRAME, {**FRAME, "duration": 1}]},
            "FieldInvalid",
        ),
        (
            "multiframe",
            FRAMES | {"image_settings": [FRAME, {**FRAME, "duration": 8}]},
            "FieldInvalid",
        ),
        (
            "multiframe",
            FRAMES | {"image_settings": [FRAME, {**FRAME, "prompt": 1}]},
            "FieldInvalid",
        ),
        ("multiframe", FRAMES | {"model": "viduq3-pro"}, "FieldInvalid"),
        ("multiframe", FRAMES | {"model": "vidu-q9"}, "ModelUnavailable"),
        ("multiframe", FRAMES | {"resolution": "360p"}, "FieldInvalid"),
        ("multiframe", FRAMES | {"wm_position": 1}, "FieldInvalid"),
        ("extend", EXTEND | {"model": None}, "FieldLacking"),
        ("extend", EXTEND | {"video_url": None}, "FieldLacking"),
        ("extend", EXTEND | {"video_url": png(data_uri=True)}, "FieldInvalid"),
        ("extend", EXTEND | {"video_url": "https://x.example/a.mkv"}, "FieldInvalid"),
        ("extend", EXTEND | {"video_url": "https://[x.example/a.mp4"}, "FieldInvalid"),
        ("extend", EXTEND | {"video_creation_id": 7}, "FieldInvalid"),
        ("extend", EXTEND | {"video_creation_id": "7"}, "CreationNotFound"),
        ("extend", EXTEND | {"images": [URL, URL]}, "FieldItemCountOutOfRange"),
        ("extend", EXTEND | {"images": [png()]}, "ImageFormatInvalid"),
        ("extend", EXTEND | {"prompt": "x" * 2001}, "FieldInvalid"),
        ("extend", EXTEND | {"duration": 8}, "FieldInvalid"),
        ("extend", EXTEND | {"duration": "5"}, "FieldInvalid"),
        ("extend", EXTEND | {"resolution": "4K"}, "FieldInvalid"),
        ("extend", EXTEND | {"model": "viduq1"}, "FieldInvalid"),
        ("extend", EXTEND | {"audio": True}, "FieldUnwanted"),
        ("upscale-new", {}, "FieldLacking"),
        ("upscale-new", UPSCALE | {"upscale_resolution": "720p"}, "FieldInvalid"),
        ("upscale-new", UPSCALE | {"upscale_resolution": "4k"}, "FieldInvalid"),
        ("upscale-new", {"video_url": "https://x.example/a.gif"}, "FieldInvalid"),
        ("upscale-new", {"video_creation_id": "7"}, "CreationNotFound"),
        ("upscale-new", UPSCALE | {"model": "viduq2-pro"}, "FieldUnwanted"),
        ("lip-sync", LIP | {"video_url": None}, "FieldLacking"),
        ("lip-sync", LIP | {"video_url": "https://x.example/a.webm"}, "FieldInvalid"),
        ("lip-sync", {"video_url": VIDEO}, "FieldLacking"),
        ("lip-sync", LIP | {"audio_url": "https://x.example/a.flac"}, "FieldInvalid"),
        ("lip-sync", LIP | {"audio_url": "AAAA"}, "FieldInvalid"),
        ("lip-sync", SPEAK | {"text": "abc"}, "FieldInvalid"),
        ("lip-sync", SPEAK | {"text": "x" * 2001}, "FieldInvalid"),
        ("lip-sync", SPEAK | {"text": "wait <#100#> now"}, "FieldInvalid"),
        ("lip-sync", SPEAK | {"text": "wait <#long#> now"}, "FieldInvalid"),
        ("lip-sync", SPEAK | {"speed": 2.5}, "FieldInvalid"),
        ("lip-sync", SPEAK | {"speed": "1"}, "FieldInvalid"),
        ("lip-sync", SPEAK | {"volume": 11}, "FieldInvalid"),
        ("lip-sync", SPEAK | {"ref_photo_url": "nope"}, "ImageFormatInvalid"),
        ("lip-sync", LIP | {"callback_url": 7}, "FieldInvalid"),
        ("lip-sync", LIP | {"watermark": True}, "FieldUnwanted"),
        ("template", TEMPLATE | {"template": None}, "FieldLacking"),
        ("template", TEMPLATE | {"images": []}, "FieldLacking"),
        ("template", TEMPLATE | {"images": [URL] * 11}, "FieldItemCountOutOfRange"),
        ("template", TEMPLATE | {"images": [png(100, 200, data_uri=True)]}, "PageSizeOutOfRange"),
        ("template", TEMPLATE | {"prompt": "x" * 2001}, "FieldInvalid"),
        ("template", TEMPLATE | {"seed": -1}, "FieldInvalid"),
        ("template", TEMPLATE | {"aspect_ratio": "21:9"}, "FieldInvalid"),
        ("template", TEMPLATE | {"area": "uk"}, "FieldInvalid"),
        ("template", TEMPLATE | {"template": "exotic_princess", "area": "peru"}, "FieldInvalid"),
        ("template", TEMPLATE | {"template": "beast_companion", "beast": "cat"}, "FieldInvalid"),
        ("template", TEMPLATE | {"model": "viduq2"}, "FieldUnwanted"),
        ("template2video", TEMPLATE, "NotFound"),
        ("template-story", STORY | {"story": None}, "FieldLacking"),
        ("template-story", STORY | {"story": "hamlet"}, "FieldInvalid"),
        ("template-story", STORY | {"images": None}, "FieldLacking"),
        ("template-story", {"story": "one_shot", "images": [URL] * 2}, "FieldItemCountOutOfRange"),
        ("template-story", STORY | {"prompt": "x"}, "FieldUnwanted"),
        ("subjects", {"images": [URL]}, "FieldLacking"),
        ("subjects", {"name": "mia"}, "FieldLacking"),
        ("subjects", {"name": "mia", "images": [URL] * 4}, "FieldItemCountOutOfRange"),
        ("subjects", {"name": "mia", "images": [png()]}, "ImageFormatInvalid"),
        ("subjects", {"name": "mia", "images": URL}, "FieldInvalid"),
    ],
)
async def test_bad_requests_are_refused(
    client: httpx.AsyncClient, sandbox: Sandbox, endpoint: str, body: dict[str, Any], reason: str
) -> None:
    sandbox.world.settings = sandbox.world.settings.having(ViduOptions(strict=True))
    response = await post(client, endpoint, body)
    assert response.json()["reason"] == reason
    assert response.status_code == (404 if reason.endswith("NotFound") else 400)
    assert len(sandbox.world.ledger) == 0


async def test_what_was_made_here_is_measured(
    client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    made = await creation(client, clock, aspect_ratio="9:16", duration=7)
    await create(client, "extend", EXTEND | {"video_creation_id": made["id"], "duration": 3})
    assert clip(sandbox) == (720, 1280, 10)
    await create(client, "upscale-new", {"video_url": made["url"], "upscale_resolution": "4K"})
    assert clip(sandbox) == (2160, 3840, 7)
    await create(client, "lip-sync", LIP | {"video_url": made["url"]})
    assert clip(sandbox) == (720, 1280, 7)
    short = await creation(client, clock, duration=3)
    response = await post(client, "extend", EXTEND | {"video_creation_id": short["id"]})
    assert response.json()["reason"] == "FieldInvalid"


async def test_upscaling_to_no_more_than_there_is_fails_late_and_free(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    made = await creation(client, clock, resolution="1080p")
    created = await create(client, "upscale-new", {"video_creation_id": made["id"]})
    clock.advance(60)
    path = f"{VIDU}/tasks/{created['task_id']}/creations"
    task = (await client.get(path, headers=VIDU_HEADERS)).json()
    assert (task["state"], task["err_code"], task["credits"]) == ("failed", "FieldInvalid", 0)


async def test_creations_are_the_organisations_own(client: httpx.AsyncClient, clock: Clock) -> None:
    made = await creation(client, clock)
    response = await post(client, "upscale-new", {"video_creation_id": made["id"]}, OTHER)
    assert response.json()["reason"] == "CreationNotFound"


async def test_a_creation_that_is_not_there_yet_is_not_found(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    await create(client, "text2video", {"model": "viduq2", "prompt": "x"})
    (job,) = sandbox.world.ledger
    body = {"video_creation_id": job.details["creation_id"]}
    assert (await post(client, "upscale-new", body)).json()["reason"] == "CreationNotFound"


async def test_inputs_are_echoed_and_tasks_listed(client: httpx.AsyncClient) -> None:
    start = png(300, 300, data_uri=True)
    frames = await create(client, "multiframe", FRAMES | {"start_image": start})
    assert frames["start_image"].startswith("https://")
    assert frames["image_settings"][0] == {"prompt": "", "key_image": URL, "duration": 5}
    assert (await create(client, "template", TEMPLATE))["template"] == "hug"
    assert (await create(client, "template-story", STORY))["story"] == "pigsy"
    query = {"templates[]": "hug"}
    answer = await client.get(f"{VIDU}/tasks", params=query, headers=VIDU_HEADERS)
    assert [task["type"] for task in answer.json()["tasks"]] == ["template"]


async def test_a_subject_is_kept_for_five_credits(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    sandbox.world.settings = sandbox.world.settings.having(ViduOptions(credits=9))
    body = {"name": "mia", "images": [png(data_uri=True), URL], "voice_id": "v"}
    kept = await create(client, "subjects", body)
    assert kept["id"].isdecimal()
    assert len(kept["images"]) == 2
    answer = await client.get(f"{VIDU}/credits", headers=VIDU_HEADERS)
    assert answer.json()["remains"][0]["credit_remain"] == 4
    assert (await post(client, "subjects", body)).json()["reason"] == "CreditInsufficient"
    assert len(sandbox.world.ledger) == 0


async def test_a_kept_subject_can_be_referred_to(client: httpx.AsyncClient) -> None:
    kept = await create(client, "subjects", {"name": "mia", "images": [URL]})
    subjects = [{"name": "mia", "server_id": kept["id"]}]
    await create(
        client, "reference2video", {"model": "viduq3", "prompt": "@mia", "subjects": subjects}
    )


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("lip-sync", SPEAK | {"text": "say #audit"}),
        ("lip-sync", LIP | {"video_url": f"{VIDEO}#audit"}),
        ("template", TEMPLATE | {"template": "hug#audit"}),
        ("template-story", STORY | {"images": [f"{URL}#audit"]}),
        ("multiframe", FRAMES | {"image_settings": [FRAME, {**FRAME, "prompt": "#audit"}]}),
    ],
)
async def test_magic_words_stand_where_there_is_no_prompt(
    client: httpx.AsyncClient, endpoint: str, body: dict[str, Any]
) -> None:
    assert (await post(client, endpoint, body)).json()["reason"] == "AuditSubmitIllegal"
