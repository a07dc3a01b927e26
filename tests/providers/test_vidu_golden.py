"""The Vidu adapter: golden requests beyond the four endpoints that make videos from pictures."""

import json
from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.vidu import KEY, NOW, PICTURES, SPEECH, URLS, VIDEO, VIDU, ask

from vidgate.models.channels import ChannelAccess
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import SubmitIds

CHANNEL = ChannelAccess("https://api.vidu.cn", SecretStr(KEY))
IDS = SubmitIds(correlation="att_01", callback_url="https://svc.example.test/cb/1")
CREATION = "900000000000000002"

# Every body also has our payload and our callback_url

GOLDEN: dict[str, tuple[VideoRequest, str, dict[str, Any]]] = {
    "multiframe, documented": (
        ask(
            "viduq2-turbo",
            prompt="",
            width=1280,
            height=720,
            metadata={
                "start_image": URLS[0],
                "image_settings": [
                    {"key_image": URLS[1], "prompt": "door opens", "duration": 3},
                    {"key_image": URLS[2], "duration": 4},
                ],
            },
        ),
        "multiframe",
        {
            "model": "viduq2-turbo",
            "start_image": URLS[0],
            "image_settings": [
                {"key_image": URLS[1], "prompt": "door opens", "duration": 3},
                {"key_image": URLS[2], "duration": 4},
            ],
            "resolution": "720p",
        },
    ),
    "multiframe from pictures, prompt and duration": (
        ask(
            "viduq2-pro",
            images=PICTURES[:4],
            duration_seconds=11.0,
            metadata={"action": "key_frames"},
        ),
        "multiframe",
        {
            "model": "viduq2-pro",
            "start_image": URLS[0],
            "image_settings": [
                {"key_image": URLS[1], "prompt": "a paper boat", "duration": 4},
                {"key_image": URLS[2], "prompt": "a paper boat", "duration": 4},
                {"key_image": URLS[3], "prompt": "a paper boat", "duration": 3},
            ],
        },
    ),
    "multiframe, first picture and settings": (
        ask(
            "viduq2-pro",
            prompt="",
            images=PICTURES[:1],
            metadata={
                "image_settings": [{"key_image": URLS[1]}, {"key_image": URLS[2]}],
                "watermark": True,
                "wm_position": "top_left",
            },
        ),
        "multiframe",
        {
            "model": "viduq2-pro",
            "start_image": URLS[0],
            "image_settings": [{"key_image": URLS[1]}, {"key_image": URLS[2]}],
            "watermark": True,
            "wm_position": "top_left",
        },
    ),
    "multiframe, start and key pictures": (
        ask("viduq2-pro", prompt="", images=PICTURES[1:3], metadata={"start_image": URLS[0]}),
        "multiframe",
        {
            "model": "viduq2-pro",
            "start_image": URLS[0],
            "image_settings": [{"key_image": URLS[1]}, {"key_image": URLS[2]}],
        },
    ),
    "extend a creation": (
        ask(
            "viduq2-pro",
            duration_seconds=5,
            width=1280,
            height=720,
            metadata={"video_creation_id": CREATION},
        ),
        "extend",
        {
            "model": "viduq2-pro",
            "video_creation_id": CREATION,
            "prompt": "a paper boat",
            "duration": 5,
            "resolution": "720p",
        },
    ),
    "extend a URL towards a frame": (
        ask("viduq2-turbo", prompt="", images=PICTURES[:1], metadata={"video_url": VIDEO}),
        "extend",
        {"model": "viduq2-turbo", "video_url": VIDEO, "images": URLS[:1]},
    ),
    "extend by action, unknown model": (
        ask("vidu9", seed=3, metadata={"action": "extend", "video_url": VIDEO}),
        "extend",
        {"model": "vidu9", "video_url": VIDEO, "prompt": "a paper boat", "seed": 3},
    ),
    "upscale by its own name": (
        ask("vidu-upscale", prompt="", metadata={"video_creation_id": CREATION}),
        "upscale-new",
        {"video_creation_id": CREATION},
    ),
    "upscale by size": (
        ask("vidu-upscale", width=7680, height=4320, metadata={"video_url": VIDEO}),
        "upscale-new",
        {"video_url": VIDEO, "upscale_resolution": "8K"},
    ),
    "upscale by its field": (
        ask("viduq3-pro", metadata={"video_url": VIDEO, "upscale_resolution": "4K"}),
        "upscale-new",
        {"video_url": VIDEO, "upscale_resolution": "4K"},
    ),
    "upscale by action": (
        ask("viduq1", metadata={"action": "upscale", "video_creation_id": CREATION}),
        "upscale-new",
        {"video_creation_id": CREATION},
    ),
    "lip-sync to a recording": (
        ask("vidu-lip-sync", metadata={"video_url": VIDEO, "audio_url": SPEECH}),
        "lip-sync",
        {"video_url": VIDEO, "audio_url": SPEECH},
    ),
    "lip-sync to a text": (
        ask(
            "viduq2",
            prompt="",
            images=PICTURES[:1],
            metadata={"video_url": VIDEO, "text": "Hello there", "speed": 1.5, "volume": 0},
        ),
        "lip-sync",
        {
            "video_url": VIDEO,
            "text": "Hello there",
            "speed": 1.5,
            "volume": 0,
            "ref_photo_url": URLS[0],
        },
    ),
    "lip-sync speaks the prompt": (
        ask("vidu-lip-sync", prompt="Good evening", metadata={"video_url": VIDEO}),
        "lip-sync",
        {"video_url": VIDEO, "text": "Good evening"},
    ),
    "template by its field": (
        ask(
            "viduq2",
            images=PICTURES[:1],
            seed=5,
            aspect_ratio="9:16",
            metadata={"template": "exotic_princess", "area": "denmark", "bgm": True},
        ),
        "template",
        {
            "template": "exotic_princess",
            "area": "denmark",
            "bgm": True,
            "images": URLS[:1],
            "prompt": "a paper boat",
            "seed": 5,
            "aspect_ratio": "9:16",
        },
    ),
    "template by its former name": (
        ask(
            "vidu-template",
            prompt="",
            images=PICTURES[:2],
            metadata={"action": "template2video", "template": "hugging"},
        ),
        "template",
        {"template": "hugging", "images": URLS[:2]},
    ),
    "story by its field": (
        ask("viduq1", prompt="", images=PICTURES[:3], metadata={"story": "one_shot"}),
        "template-story",
        {"story": "one_shot", "images": URLS[:3]},
    ),
    "story by action": (
        ask(
            "vidu-template-story",
            prompt="",
            metadata={"action": "effect", "story": "pigsy", "images": URLS[:1]},
        ),
        "template-story",
        {"story": "pigsy", "images": URLS[:1]},
    ),
    "our word for references": (
        ask("viduq3-turbo", images=PICTURES[:2], metadata={"action": "references"}),
        "reference2video",
        {"model": "viduq3-turbo", "prompt": "a paper boat", "images": URLS[:2]},
    ),
    "videos beside four pictures": (
        ask("viduq2-pro", images=PICTURES[:4], metadata={"videos": [VIDEO]}),
        "reference2video",
        {
            "model": "viduq2-pro",
            "prompt": "a paper boat",
            "images": URLS[:4],
            "videos": [VIDEO],
        },
    ),
    "all that is a vendor field alone": (
        ask(
            "viduq1",
            metadata={
                "audio": False,
                "off_peak": True,
                "bgm": True,
                "style": "anime",
                "movement_amplitude": "large",
                "watermark": True,
                "wm_position": 1,
                "meta_data": "{}",
            },
        ),
        "text2video",
        {
            "model": "viduq1",
            "prompt": "a paper boat",
            "audio": False,
            "off_peak": True,
            "bgm": True,
            "style": "anime",
            "movement_amplitude": "large",
            "watermark": True,
            "wm_position": 1,
            "meta_data": "{}",
        },
    ),
    "perhaps retired model with a first frame": (
        ask("vidu1.5", images=PICTURES[:1], duration_seconds=8, width=1280, height=720),
        "img2video",
        {
            "model": "vidu1.5",
            "prompt": "a paper boat",
            "images": URLS[:1],
            "duration": 8,
            "resolution": "720p",
        },
    ),
    "retired upscaler": (
        ask("vidu1.0", prompt="", metadata={"video_url": VIDEO}),
        "upscale-new",
        {"video_url": VIDEO},
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_request(name: str) -> None:
    request, endpoint, expected = GOLDEN[name]
    sent = VIDU.submit(VIDU.translate(request), CHANNEL, IDS, NOW).request
    assert sent.method == "POST"
    assert str(sent.url) == f"https://api.vidu.cn/ent/v2/{endpoint}"
    assert dict(sent.headers) == {
        "authorization": f"Token {KEY}",
        "accept": "application/json",
        "content-type": "application/json",
        "content-length": str(len(sent.content)),
        "host": "api.vidu.cn",
    }
    ours = {"payload": "att_01", "callback_url": "https://svc.example.test/cb/1"}
    assert json.loads(sent.content) == {**expected, **ours}
