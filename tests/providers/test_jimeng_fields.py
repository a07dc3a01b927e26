import base64
import struct
import zlib
from typing import Any

import pytest

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.jimeng import Jimeng

JIMENG = Jimeng()
TEXT = "jimeng_t2v_v30"
FIRST = "jimeng_i2v_first_v30"
TAIL = "jimeng_i2v_first_tail_v30"
CAMERA = "jimeng_i2v_recamera_v30"
PRO = "jimeng_ti2v_v30_pro"
S2_TEXT = "jimeng_vgfm_t2v_l20"
S2_PICTURE = "jimeng_vgfm_i2v_l20"
AVATAR = "jimeng_realman_avatar_picture_omni_v15"
MOTION = "jimeng_dreamactor_m20_gen_video"
ACTOR = "jimeng_dream_actor_m1_gen_video_cv"
URL = "https://cdn.example/a.png"
URLS = {"image_urls": [URL]}
RATIOS = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16")


def png(width: int, height: int) -> str:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")
    return base64.b64encode(content).decode()


def asked(key: str, body: dict[str, Any]) -> dict[str, Any]:
    """What becomes of a body in the provider's own words, for exactly this key."""
    metadata = {"req_key": key, "prompt": "a boat", **body}
    return JIMENG.translate(VideoRequest(model=key, metadata=metadata)).body


@pytest.mark.parametrize(
    ("key", "body", "param", "allowed"),
    [
        (TEXT, {"frames": 99}, "frames", (121, 241)),
        (PRO, {"frames": 0}, "frames", (121, 241)),
        (TEXT, {"frames": True}, "frames", (121, 241)),
        (TEXT, {"frames": [121]}, "frames", (121, 241)),
        (TEXT, {"frames": "99"}, "frames", (121, 241)),
        (TEXT, {"aspect_ratio": "9:21"}, "aspect_ratio", RATIOS),
        (TEXT, {"aspect_ratio": ""}, "aspect_ratio", RATIOS),
        (PRO, {"aspect_ratio": "5:4"}, "aspect_ratio", RATIOS),
        (S2_PICTURE, {**URLS, "aspect_ratio": "2:1"}, "aspect_ratio", (*RATIOS, "9:21")),
        (TEXT, {"seed": "7"}, "seed", ()),
        (TEXT, {"seed": True}, "seed", ()),
        (TEXT, {"seed": 1.5}, "seed", ()),
        (TEXT, {"prompt": "p" * 801}, "prompt", ()),
        (TEXT, {"prompt": ["p"]}, "prompt", ()),
        (TEXT, {"prompt": None}, "prompt", ()),
        (FIRST, {**URLS, "prompt": " "}, "prompt", ()),
        (PRO, {"prompt": ""}, "prompt", ()),
        (S2_TEXT, {"prompt": "p" * 151}, "prompt", ()),
        (TEXT, URLS, "image_urls", (0,)),
        (S2_TEXT, URLS, "image_urls", (0,)),
        (FIRST, {"image_urls": []}, "image_urls", (1,)),
        (FIRST, {"image_urls": [URL, URL]}, "image_urls", (1,)),
        (TAIL, URLS, "image_urls", (2,)),
        (PRO, {"image_urls": [URL, URL]}, "image_urls", (0, 1)),
        (FIRST, {"binary_data_base64": [png(640, 640)] * 2}, "binary_data_base64", (1,)),
        (FIRST, {"image_urls": URL}, "image_urls", ()),
        (FIRST, {"image_urls": ["ftp://cdn.example/a.png"]}, "image_urls", ()),
        (FIRST, {"image_urls": [5]}, "image_urls", ()),
        (FIRST, {**URLS, "binary_data_base64": [png(640, 640)]}, "binary_data_base64", ()),
        (FIRST, {"binary_data_base64": ["%%%"]}, "binary_data_base64", ()),
        (FIRST, {"binary_data_base64": [png(300, 300)]}, "binary_data_base64", ()),
        (FIRST, {"binary_data_base64": [png(4097, 4097)]}, "binary_data_base64", ()),
        (FIRST, {"binary_data_base64": [png(1601, 400)]}, "binary_data_base64", ()),
        (
            TAIL,
            {"binary_data_base64": [png(640, 640), png(640, 1200)]},
            "binary_data_base64",
            (),
        ),
        (CAMERA, {**URLS, "template_id": "spin"}, "template_id", None),
        (CAMERA, URLS, "template_id", None),
        (
            CAMERA,
            {**URLS, "template_id": "handheld", "camera_strength": "wild"},
            "camera_strength",
            ("weak", "medium", "strong"),
        ),
        (AVATAR, {"image_url": URL, "audio_url": 5}, "audio_url", ()),
        (AVATAR, {"image_url": "", "audio_url": URL}, "image_url", (1,)),
        (AVATAR, {"image_url": "a.png", "audio_url": URL}, "image_url", ()),
        (
            AVATAR,
            {"image_url": URL, "audio_url": URL, "output_resolution": 480},
            "output_resolution",
            (720, 1080),
        ),
        (
            AVATAR,
            {"image_url": URL, "audio_url": URL, "output_resolution": True},
            "output_resolution",
            (720, 1080),
        ),
        (MOTION, {**URLS, "video_url": "move.mp4"}, "video_url", ()),
        (ACTOR, {"image_url": URL, "video_url": ["https://a.test/"]}, "video_url", ()),
    ],
)
def test_a_value_outside_the_tables_names_its_field_and_what_is_allowed(
    key: str, body: dict[str, Any], param: str, allowed: tuple[Any, ...] | None
) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        asked(key, body)

    assert caught.value.param == param
    if allowed is None:
        assert "handheld" in caught.value.allowed
    else:
        assert caught.value.allowed == allowed
    assert all(str(value) in caught.value.message for value in caught.value.allowed)


@pytest.mark.parametrize(
    ("key", "body"),
    [
        (TEXT, {"frames": 121, "aspect_ratio": "21:9", "seed": 2**40}),
        (TEXT, {"seed": -7}),
        (TEXT, {"frames": "241"}),
        (TEXT, {"prompt": "船" * 800}),
        (TEXT, {"image_urls": [], "binary_data_base64": []}),
        (TEXT, {"resolution": "8k", "template_id": "spin", "new": {"a": [1]}}),
        (FIRST, {**URLS, "aspect_ratio": "free"}),
        (FIRST, {"binary_data_base64": [png(640, 640)], "image_urls": []}),
        (FIRST, {"binary_data_base64": ["data:image/png;base64,AAAA"]}),
        (FIRST, {"binary_data_base64": [base64.b64encode(b"\xff\xd8\xff cut").decode()]}),
        (TAIL, {"binary_data_base64": [png(640, 480), png(1280, 960)]}),
        (PRO, {**URLS, "prompt": "", "aspect_ratio": ""}),
        (CAMERA, {**URLS, "template_id": "handheld", "camera_strength": "weak"}),
        (S2_TEXT, {"frames": 500, "aspect_ratio": "9:21"}),
        (AVATAR, {"image_url": URL, "audio_url": URL, "output_resolution": "720"}),
        (MOTION, {**URLS, "video_url": URL, "prompt": 5, "seed": "x"}),
    ],
)
def test_what_the_pages_leave_open_passes_unchanged(key: str, body: dict[str, Any]) -> None:
    sent = asked(key, body)

    assert {name: sent[name] for name in body} == body
    assert sent["req_key"] == key


def test_an_unknown_key_passes_whatever_it_says() -> None:
    body = {"frames": 99, "aspect_ratio": "", "seed": "x", "image_urls": ["a", 5], "prompt": 7}

    assert asked("jimeng_t2v_v99", body) == {"req_key": "jimeng_t2v_v99", **body}


def test_generic_pictures_are_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    content = base64.b64decode(png(640, 640))
    monkeypatch.setattr(
        "vidgate.providers.jimeng.fields.base64.b64decode",
        lambda *_args, **_options: pytest.fail("it was"),
    )

    JIMENG.translate(VideoRequest(model=FIRST, prompt="p", images=(Image(content=content),)))
