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
QUICK_AVATAR = "jimeng_realman_avatar_picture_omni_v2"
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
            FIRST,
            {"binary_data_base64": ["data:image/png;base64," + png(300, 300)]},
            "binary_data_base64",
            (),
        ),
        (FIRST, {"binary_data_base64": ["data:image/png;base64,AAAA"]}, "binary_data_base64", None),
        (FIRST, {"binary_data_base64": ["data:image/svg+xml,<svg/>"]}, "binary_data_base64", ()),
        (
            S2_PICTURE,
            {"binary_data_base64": ["%"], "aspect_ratio": "1:1"},
            "binary_data_base64",
            (),
        ),
        (
            AVATAR,
            {"image_url": URL, "audio_url": URL, "pe_fast_mode": "yes"},
            "pe_fast_mode",
            ("true", "false"),
        ),
        (AVATAR, {"image_url": URL, "audio_url": URL, "mask_url": URL}, "mask_url", ()),
        (AVATAR, {"image_url": URL, "audio_url": URL, "mask_url": [URL, 5]}, "mask_url", ()),
        (
            MOTION,
            {**URLS, "video_url": URL, "cut_result_first_second_switch": 1},
            "cut_result_first_second_switch",
            ("true", "false"),
        ),
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
        assert {"handheld", "image/png"} & set(caught.value.allowed)
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
        (TEXT, {"resolution": "best", "new": {"a": [1]}}),
        (FIRST, {**URLS, "aspect_ratio": "", "template_id": "", "mask_url": [], "image_url": {}}),
        (FIRST, {"binary_data_base64": [png(640, 640)], "image_urls": []}),
        (FIRST, {"binary_data_base64": [base64.b64encode(b"\xff\xd8\xff cut").decode()]}),
        (TAIL, {"binary_data_base64": [png(640, 480), png(1280, 960)]}),
        (PRO, {**URLS, "prompt": "", "aspect_ratio": ""}),
        (CAMERA, {**URLS, "template_id": "handheld", "camera_strength": "weak"}),
        (S2_TEXT, {"frames": 121, "aspect_ratio": "9:21"}),
        (S2_TEXT, {"frames": "121"}),
        (S2_PICTURE, {"binary_data_base64": [png(300, 300)], "aspect_ratio": "1:1"}),
        (S2_PICTURE, {"binary_data_base64": [png(5000, 100)], "aspect_ratio": "1:1"}),
        (AVATAR, {"image_url": URL, "audio_url": URL, "output_resolution": "720"}),
        (
            AVATAR,
            {"image_url": URL, "audio_url": URL, "pe_fast_mode": False, "mask_url": [URL, URL]},
        ),
        (MOTION, {**URLS, "video_url": URL, "prompt": 5, "cut_result_first_second_switch": True}),
        (
            QUICK_AVATAR,
            {"image_url": URL, "audio_url": URL, "seed": "x", "pe_fast_mode": 1, "mask_url": URL},
        ),
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
    monkeypatch.setattr("binascii.a2b_base64", lambda *_args, **_options: pytest.fail("it was"))

    JIMENG.translate(VideoRequest(model=FIRST, prompt="p", images=(Image(content=content),)))


PREFIXES = ["data:image/png;base64,", "DATA:image/jpeg;charset=x;BASE64,"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("key", [FIRST, S2_PICTURE, "jimeng_t2v_v99"])
def test_an_inline_picture_loses_its_prefix(key: str, prefix: str) -> None:
    sent = asked(key, {"binary_data_base64": [prefix + png(640, 640)]})

    assert sent["binary_data_base64"] == [png(640, 640)]


@pytest.mark.parametrize(
    ("model", "fields", "param", "taker"),
    [
        ("jimeng_v30_1080p", {"template_id": "handheld"}, "template_id", CAMERA),
        ("jimeng_v30_pro", {"template_id": "handheld"}, "template_id", CAMERA),
        (FIRST, {"template_id": "handheld"}, "template_id", CAMERA),
        (PRO, {"camera_strength": "weak"}, "camera_strength", CAMERA),
        (S2_PICTURE, {"frames": 241}, "frames", TEXT),
        (S2_PICTURE, {"frames": "many"}, "frames", TEXT),
        (FIRST, {"aspect_ratio": "16:9"}, "aspect_ratio", TEXT),
        (FIRST, {"image_url": URL}, "image_url", ACTOR),
        (FIRST, {"video_url": URL}, "video_url", MOTION),
        (FIRST, {"output_resolution": 1080}, "output_resolution", AVATAR),
        (FIRST, {"pe_fast_mode": False}, "pe_fast_mode", AVATAR),
        (MOTION, {"video_url": URL, "seed": 7}, "seed", TEXT),
        (MOTION, {"video_url": URL, "frames": 241}, "frames", TEXT),
        (ACTOR, {"video_url": URL, "image_urls": [URL]}, "image_urls", MOTION),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_a_field_of_another_key_is_not_dropped(
    model: str, fields: dict[str, Any], param: str, taker: str, *, named: bool
) -> None:
    request = VideoRequest(
        model=model,
        prompt="a boat",
        images=(Image(url=URL),),
        metadata={**fields, "req_key": model} if named else fields,
    )

    with pytest.raises(UnsupportedParameterError) as caught:
        JIMENG.translate(request)

    assert caught.value.param == param
    assert taker in caught.value.message


@pytest.mark.parametrize("model", [TEXT, "jimeng_v30_1080p", PRO, S2_TEXT])
def test_a_camera_template_without_a_picture_is_refused_too(model: str) -> None:
    request = VideoRequest(model=model, prompt="a boat", metadata={"template_id": "handheld"})

    with pytest.raises(UnsupportedParameterError) as caught:
        JIMENG.translate(request)

    assert caught.value.param == "template_id"
    assert CAMERA in caught.value.message


def test_what_cannot_be_of_use_is_named() -> None:
    shaped = {"image_urls": [URL], "aspect_ratio": "1:1"}
    moved = {"image_urls": [URL], "video_url": URL, "prompt": "a boat"}

    assert JIMENG.translate(VideoRequest(model=PRO, prompt="a boat", metadata=shaped)).ignored == (
        "aspect_ratio",
    )
    assert JIMENG.translate(VideoRequest(model=MOTION, metadata=moved)).ignored == ("prompt",)


@pytest.mark.parametrize("model", [TEXT, PRO, S2_TEXT, "jimeng_t2v_v99"])
def test_a_duration_of_nothing_is_refused(model: str) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        JIMENG.translate(VideoRequest(model=model, prompt="a boat", duration_seconds=0))

    assert caught.value.param == "duration"


def test_a_motion_has_no_duration_of_nothing_either() -> None:
    request = VideoRequest(
        model=MOTION, duration_seconds=0, images=(Image(url=URL),), metadata={"video_url": URL}
    )

    with pytest.raises(UnsupportedParameterError):
        JIMENG.translate(request)


@pytest.mark.parametrize(
    ("word", "pictures", "action"),
    [
        ("textGenerate", 0, "text"),
        ("generate", 1, "first_frame"),
        ("firstTailGenerate", 2, "first_last_frame"),
    ],
)
def test_the_words_of_newapi_say_what_is_done(word: str, pictures: int, action: str) -> None:
    request = VideoRequest(
        model="jimeng_v30",
        prompt="a boat",
        images=(Image(url=URL),) * pictures,
        metadata={"action": word},
    )

    translation = JIMENG.translate(request)

    assert translation.details["action"] == action
    assert "action" not in translation.body


def test_references_are_a_word_that_no_key_does() -> None:
    metadata = {"action": "referenceGenerate"}
    request = VideoRequest(
        model="jimeng_v30", prompt="a boat", images=(Image(url=URL),), metadata=metadata
    )

    with pytest.raises(UnsupportedParameterError) as caught:
        JIMENG.translate(request)

    assert caught.value.allowed == ("first_frame",)
    unknown = VideoRequest(model="jimeng_x", prompt="a boat", metadata=metadata)
    assert JIMENG.translate(unknown).details["action"] == "references"
