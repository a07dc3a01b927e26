"""Kling: what a create call may say."""

from typing import Any

import httpx
import pytest
from tests.sandbox.support import KLING, KLING_HEADERS, png

from vidgate.sandbox.app import Sandbox

URL = "https://cdn.example/a.png"
VIDEO = "https://cdn.example/a.mp4"


def contents(*kinds: str, text: str = "x") -> list[dict[str, Any]]:
    """Entries of the given kinds, and a prompt."""
    entries: list[dict[str, Any]] = [{"type": "prompt", "text": text}]
    for position, kind in enumerate(kinds):
        entry = {"type": kind, "id": f"name_{position}"}
        if kind in {"element", "voice"}:
            entry[f"{kind}_id"] = "321900000000001"
        else:
            entry["url"] = VIDEO if kind.endswith("video") else URL
        entries.append(entry)
    return entries


async def code_of(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Any:
    response = await client.post(f"{KLING}{path}", json=body, headers=KLING_HEADERS)
    return response.json()["code"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/text-to-video/kling-3.0-turbo", {"prompt": "x", "settings": {"audio": "off"}}),
        ("/text-to-video/kling-3.0", {"prompt": "x", "settings": {"resolution": "4k"}}),
        ("/text-to-video/kling-3.0", {"prompt": "shot 1, 3, a; shot 2, 2, b;"}),
        ("/text-to-video/kling-2.5-turbo", {"prompt": "x", "negative_prompt": "ignored"}),
        (
            "/text-to-video/kling-2.6",
            {"prompt": "x", "settings": {"audio": "native", "resolution": "1080p"}},
        ),
        ("/image-to-video/kling-3.0", {"contents": contents("first_frame", "last_frame")}),
        ("/image-to-video/kling-3.0", {"contents": contents("first_frame", "element")}),
        ("/omni-video/kling-3.0-omni", {"contents": contents()}),
        ("/omni-video/kling-3.0-omni", {"contents": contents(*["refer_image"] * 7)}),
        ("/omni-video/kling-3.0-omni", {"contents": contents("feature_video", "refer_image")}),
        ("/omni-video/kling-o1", {"contents": contents("first_frame", "last_frame")}),
        (
            "/v1/videos/image2video",
            {"model_name": "kling-v3", "image": URL, "image_tail": URL, "duration": "15"},
        ),
        (
            "/v1/videos/omni-video",
            {"model_name": "kling-v3-omni", "prompt": "x", "aspect_ratio": "1:1"},
        ),
        (
            "/v1/videos/omni-video",
            {
                "prompt": "x",
                "image_list": [{"image_url": URL, "type": "first_frame"}],
                "duration": "10",
            },
        ),
        (
            "/v1/videos/text2video",
            {
                "model_name": "kling-v3",
                "multi_shot": True,
                "shot_type": "customize",
                "multi_prompt": [
                    {"index": 1, "prompt": "a", "duration": "2"},
                    {"index": 2, "prompt": "b", "duration": "3"},
                ],
            },
        ),
    ],
)
async def test_good_requests_are_accepted(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    assert await code_of(client, path, body) == 0


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/text-to-video/kling-9", {"prompt": "x"}, 1203),
        ("/image-to-video/kling-3.0-omni", {"contents": contents("first_frame")}, 1203),
        ("/text-to-video/kling-3.0", {"prompt": "  "}, 1201),
        ("/text-to-video/kling-3.0", {"prompt": "x" * 3073}, 1201),
        ("/text-to-video/kling-3.0", {"prompt": "x", "settings": {"duration": "5"}}, 1201),
        ("/text-to-video/kling-3.0", {"prompt": "x", "settings": {"duration": 16}}, 1201),
        ("/text-to-video/kling-3.0", {"prompt": "x", "settings": {"aspect_ratio": "4:3"}}, 1201),
        ("/text-to-video/kling-3.0", {"prompt": "shot 1, 3, a; shot 2, 3, b;"}, 1201),
        ("/text-to-video/kling-3.0-turbo", {"prompt": "x", "settings": {"resolution": "4k"}}, 1201),
        ("/text-to-video/kling-2.6", {"prompt": "x", "settings": {"audio": "native"}}, 1201),
        ("/text-to-video/kling-2.6", {"prompt": "x", "settings": {"duration": 6}}, 1201),
        ("/image-to-video/kling-3.0", {"contents": contents()}, 1201),
        ("/image-to-video/kling-3.0", {"contents": contents("last_frame")}, 1201),
        (
            "/image-to-video/kling-3.0-turbo",
            {"contents": contents("first_frame", "last_frame")},
            1201,
        ),
        ("/image-to-video/kling-2.6", {"contents": contents("first_frame", "last_frame")}, 1201),
        (
            "/image-to-video/kling-3.0",
            {"contents": contents("first_frame", *["element"] * 4)},
            1201,
        ),
        ("/omni-video/kling-3.0-omni", {"contents": contents(*["refer_image"] * 8)}, 1201),
        ("/omni-video/kling-3.0-omni", {"contents": contents("base_video", "first_frame")}, 1201),
        (
            "/omni-video/kling-3.0-omni",
            {"contents": contents("feature_video"), "settings": {"audio": "native"}},
            1201,
        ),
        (
            "/omni-video/kling-o1",
            {"contents": contents("first_frame"), "settings": {"duration": 7}},
            1201,
        ),
        ("/omni-video/kling-o1", {"contents": contents(), "settings": {"duration": 11}}, 1201),
        ("/omni-video/kling-3.0-omni", {"contents": []}, 1200),
        ("/v1/videos/text2video", {"prompt": "x"}, 1203),
        ("/v1/videos/text2video", {"model_name": "kling-v1-6", "prompt": "x"}, 1203),
        ("/v1/videos/text2video", {"model_name": "kling-v3-omni", "prompt": "x"}, 1201),
        (
            "/v1/videos/text2video",
            {"model_name": "kling-v3", "prompt": "x", "mode": "standard"},
            1201,
        ),
        ("/v1/videos/text2video", {"model_name": "kling-v3", "prompt": "x", "duration": 5}, 1201),
        (
            "/v1/videos/text2video",
            {"model_name": "kling-v2-6", "prompt": "x", "duration": "7"},
            1201,
        ),
        (
            "/v1/videos/text2video",
            {"model_name": "kling-v2-6", "prompt": "x", "sound": "on"},
            1201,
        ),
        (
            "/v1/videos/text2video",
            {"model_name": "kling-v2-6", "prompt": "x", "mode": "4k"},
            1201,
        ),
        (
            "/v1/videos/text2video",
            {"model_name": "kling-v3", "prompt": "x", "cfg_scale": 1.1},
            1201,
        ),
        ("/v1/videos/image2video", {"model_name": "kling-v3", "image_tail": URL}, 1201),
        (
            "/v1/videos/image2video",
            {"model_name": "kling-v2-5-turbo", "image": URL, "image_tail": URL},
            1201,
        ),
        (
            "/v1/videos/image2video",
            {
                "model_name": "kling-v3",
                "image": URL,
                "image_tail": URL,
                "camera_control": {"type": "simple"},
            },
            1201,
        ),
        (
            "/v1/videos/image2video",
            {
                "model_name": "kling-v3",
                "image": URL,
                "sound": "on",
                "element_list": [{"element_id": 1}],
                "voice_list": [{"voice_id": "a"}],
            },
            1201,
        ),
        ("/v1/videos/omni-video", {"model_name": "kling-v3-omni", "prompt": "x"}, 1201),
        (
            "/v1/videos/omni-video",
            {"prompt": "x", "image_list": [{"image_url": URL, "type": "end_frame"}]},
            1201,
        ),
        (
            "/v1/videos/omni-video",
            {
                "prompt": "x",
                "aspect_ratio": "16:9",
                "video_list": [{"video_url": VIDEO, "refer_type": "feature"}],
                "sound": "on",
            },
            1201,
        ),
        (
            "/v1/videos/omni-video",
            {
                "model_name": "kling-v3-omni",
                "prompt": "x",
                "aspect_ratio": "16:9",
                "video_list": [{"video_url": VIDEO, "refer_type": "feature"}],
            },
            1201,
        ),
        ("/v1/videos/multi-image2video", {"image_list": [{"image": URL}]}, 1203),
    ],
)
async def test_bad_requests_are_refused(
    client: httpx.AsyncClient, sandbox: Sandbox, path: str, body: dict[str, Any], code: int
) -> None:
    assert await code_of(client, path, body) == code
    assert len(sandbox.world.ledger) == 0


async def test_errors_name_the_value_and_come_in_order(client: httpx.AsyncClient) -> None:
    response = await client.post(
        f"{KLING}/text-to-video/kling-3.0-turbo",
        json={"prompt": " ", "settings": {"resolution": "4k", "duration": 99}},
        headers=KLING_HEADERS,
    )
    assert response.json()["message"] == "video resolution value '4k' is invalid"


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (png(640, 360), 0),
        (png(640, 360, data_uri=True), 1201),
        ("bm90IGEgcGljdHVyZQ==", 1201),
        (png(299, 400), 1201),
        (png(1000, 390), 1201),
    ],
)
async def test_pictures_are_looked_at(client: httpx.AsyncClient, picture: str, code: int) -> None:
    legacy = {"model_name": "kling-v3", "image": picture}
    new = {"contents": [{"type": "first_frame", "url": picture}]}
    assert await code_of(client, "/v1/videos/image2video", legacy) == code
    assert await code_of(client, "/image-to-video/kling-3.0", new) == code


async def test_a_body_that_is_no_object_is_malformed(client: httpx.AsyncClient) -> None:
    response = await client.post(
        f"{KLING}/text-to-video/kling-3.0", content=b"{", headers=KLING_HEADERS
    )
    assert (response.status_code, response.json()["code"]) == (400, 1200)
