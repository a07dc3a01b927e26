import base64
import hashlib
import json
from typing import Any

import pytest
from tests.support.adapters import png
from tests.support.jimeng import DATA, IDS, JIMENG, NOW, access, load, reply

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.outcomes import (
    Submission,
    UpstreamRef,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import SubmitIds

PICTURE = Image(url="https://cdn.example/a.png")
OTHER_PICTURE = Image(url="https://cdn.example/b.png")


def to_request(data: dict[str, Any]) -> VideoRequest:
    images = tuple(
        Image(url=image["url"])
        if "url" in image
        else Image(
            content=base64.b64decode(image["content_base64"]), media_type=image["media_type"]
        )
        for image in data.get("images", ())
    )
    return VideoRequest(**{**data, "images": images})


@pytest.mark.parametrize("name", sorted(path.stem for path in DATA.glob("request_*.json")))
def test_request(name: str) -> None:
    data = load(name)
    expected = data["expected"]

    translation = JIMENG.translate(to_request(data["request"]))
    channel = access(data["base_url"], data["session_token"])
    ids = SubmitIds(correlation="attempt_1", callback_url=data.get("callback_url"))
    call = JIMENG.submit(translation, channel, ids, NOW)
    sent = call.request

    assert json.loads(sent.content) == expected["body"]
    assert sent.method == expected["method"]
    assert str(sent.url) == expected["url"]
    headers = dict(sent.headers)
    assert headers.pop("content-length") == str(len(sent.content))
    assert headers == expected["headers"]
    assert list(translation.ignored) == expected["ignored"]
    assert list(translation.adjusted) == expected["adjusted"]
    facts = translation.facts
    assert {
        "model": facts.model,
        "duration_seconds": facts.duration_seconds,
        "resolution": facts.resolution,
    } == expected["facts"]
    assert translation.details == {
        "upstream_model": expected["facts"]["model"],
        "action": expected["action"],
    }
    submission = call.read(reply("submit_accepted"))
    assert submission == Submission(UpstreamRef("7512000000000000001", expected["ref_kind"]))


def test_half_a_surrogate_pair_goes_out_escaped() -> None:
    translation = JIMENG.translate(VideoRequest(model="jimeng_t2v_v30", prompt="\ud83d 船"))

    sent = JIMENG.submit(translation, access(), IDS, NOW).request

    assert json.loads(sent.content)["prompt"] == "\ud83d 船"
    assert sent.headers["x-content-sha256"] == hashlib.sha256(sent.content).hexdigest()


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (VideoRequest(model="jimeng_t2v_v30"), "prompt"),
        (VideoRequest(model="jimeng_t2v_v30", prompt=" \n"), "prompt"),
        (VideoRequest(model="jimeng_i2v_first_v30", images=(PICTURE,)), "prompt"),
        (VideoRequest(model="jimeng_ti2v_v30_pro"), "prompt"),
        (VideoRequest(model="jimeng_t2v_v30", prompt="船" * 801), "prompt"),
        (VideoRequest(model="jimeng_vgfm_t2v_l20", prompt="船" * 151), "prompt"),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", duration_seconds=7), "duration"),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", duration_seconds=5.5), "duration"),
        (VideoRequest(model="jimeng_vgfm_t2v_l20", prompt="p", duration_seconds=10), "duration"),
        (VideoRequest(model="jimeng_i2v_first_v30", prompt="p"), "images"),
        (
            VideoRequest(model="jimeng_i2v_first_v30", prompt="p", images=(PICTURE, OTHER_PICTURE)),
            "images",
        ),
        (
            VideoRequest(model="jimeng_i2v_first_tail_v30", prompt="p", images=(PICTURE,)),
            "images",
        ),
        (VideoRequest(model="jimeng_vgfm_i2v_l20", prompt="p"), "images"),
        (VideoRequest(model="jimeng_v30", prompt="p", images=(PICTURE,) * 3), "images"),
        (VideoRequest(model="jimeng_v30_pro", prompt="p", images=(PICTURE,) * 2), "images"),
        (VideoRequest(model="jimeng_vgfm_t2v_l20", prompt="p", images=(PICTURE,) * 2), "images"),
        (
            VideoRequest(
                model="jimeng_v30",
                prompt="p",
                images=(PICTURE, Image(content=b"x", media_type="image/png")),
            ),
            "images",
        ),
        (
            VideoRequest(
                model="jimeng_v30",
                prompt="p",
                images=(Image(content=b"x", media_type="image/webp"),),
            ),
            "images",
        ),
        (
            VideoRequest(
                model="jimeng_v30",
                prompt="p",
                images=(Image(content=bytes(4_700_001), media_type="image/png"),),
            ),
            "images",
        ),
        (
            VideoRequest(
                model="jimeng_t2v_v30",
                prompt="p",
                images=(PICTURE,),
                metadata={"req_key": "jimeng_t2v_v30"},
            ),
            "images",
        ),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", width=1920, height=1080), "size"),
        (VideoRequest(model="jimeng_v30", prompt="p", width=3840, height=2160), "size"),
        (
            VideoRequest(
                model="jimeng_i2v_first_v30", prompt="p", width=1920, height=1080, images=(PICTURE,)
            ),
            "size",
        ),
        (VideoRequest(model="jimeng_v30_pro", prompt="p", width=3840, height=2160), "size"),
        (VideoRequest(model="jimeng_v30_pro", prompt="p", aspect_ratio="4:1"), "size"),
        (
            VideoRequest(model="jimeng_i2v_recamera_v30", prompt="p", images=(PICTURE,)),
            "template_id",
        ),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", seed=-2), "seed"),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", seed=2**31), "seed"),
        (
            VideoRequest(model="jimeng_v30", prompt="p", metadata={"action": "dance"}),
            "metadata.action",
        ),
        (
            VideoRequest(model="jimeng_v30", prompt="p", metadata={"action": ["text"]}),
            "metadata.action",
        ),
        (
            VideoRequest(
                model="jimeng_v30",
                prompt="p",
                images=(PICTURE,),
                metadata={"action": "first_last_frame"},
            ),
            "metadata.action",
        ),
        (
            VideoRequest(
                model="jimeng_v30", prompt="p", images=(PICTURE,), metadata={"action": "camera"}
            ),
            "template_id",
        ),
        (
            VideoRequest(model="jimeng_dreamactor_m20_gen_video", images=(PICTURE,)),
            "video_url",
        ),
        (
            VideoRequest(
                model="jimeng_dreamactor_m20_gen_video", metadata={"video_url": "https://a/b"}
            ),
            "images",
        ),
        (
            VideoRequest(
                model="jimeng_dream_actor_m1_gen_video_cv",
                images=(Image(content=b"x", media_type="image/png"),),
                metadata={"video_url": "https://a/b"},
            ),
            "images",
        ),
        (
            VideoRequest(model="jimeng_realman_avatar_picture_omni_v15", images=(PICTURE,)),
            "audio_url",
        ),
        (
            VideoRequest(
                model="jimeng_realman_avatar_picture_omni_v15",
                prompt="p" * 301,
                images=(PICTURE,),
                metadata={"audio_url": "https://a/b"},
            ),
            "prompt",
        ),
        (
            VideoRequest(
                model="jimeng_realman_avatar_picture_omni_v2",
                width=1280,
                height=720,
                images=(PICTURE,),
                metadata={"audio_url": "https://a/b"},
            ),
            "size",
        ),
        (VideoRequest(model="jimeng_realman_avatar_object_detection", images=(PICTURE,)), "model"),
    ],
)
def test_refuses_what_a_known_key_cannot_honour(request_: VideoRequest, param: str) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        JIMENG.translate(request_)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (
            VideoRequest(
                model="jimeng_t2v_v30",
                prompt="p",
                metadata={"req_key": "jimeng_ti2v_v30_pro"},
            ),
            "req_key",
        ),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", fps=24), "fps"),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", user="u"), "user"),
        (
            VideoRequest(model="jimeng_t2v_v30", prompt="p", width=854, height=480),
            "size",
        ),
        (
            VideoRequest(model="jimeng_vgfm_i2v_l20", prompt="p", images=(PICTURE,)),
            "aspect_ratio",
        ),
    ],
)
def test_names_what_is_not_met_to_the_letter(request_: VideoRequest, param: str) -> None:
    translation = JIMENG.translate(request_)

    assert [one.partition("=")[0] for one in (*translation.ignored, *translation.adjusted)] == [
        param
    ]


def test_refusal_lists_what_is_allowed() -> None:
    with pytest.raises(UnsupportedParameterError) as duration:
        JIMENG.translate(VideoRequest(model="jimeng_v30", prompt="p", duration_seconds=7))
    with pytest.raises(UnsupportedParameterError) as images:
        JIMENG.translate(VideoRequest(model="jimeng_v30", prompt="p", images=(PICTURE,) * 3))
    with pytest.raises(UnsupportedParameterError) as one_image:
        JIMENG.translate(VideoRequest(model="jimeng_i2v_first_v30", prompt="p"))
    with pytest.raises(UnsupportedParameterError) as size:
        JIMENG.translate(VideoRequest(model="jimeng_t2v_v30", prompt="p", width=1920, height=1080))

    assert duration.value.allowed == (5, 10)
    assert images.value.allowed == (0, 1, 2)
    assert one_image.value.allowed == (1,)
    assert size.value.allowed == ("720p",)


def test_limits_count_characters_and_are_inclusive() -> None:
    inline = Image(content=bytes(4_700_000), media_type="image/jpeg")
    request = VideoRequest(model="jimeng_v30", prompt="船" * 800, images=(inline,))

    translation = JIMENG.translate(request)

    assert len(translation.body["binary_data_base64"][0]) == 4_700_000 // 3 * 4 + 4


@pytest.mark.parametrize(
    ("model", "sides", "is_taken"),
    [
        ("jimeng_v30", (320, 320), True),
        ("jimeng_v30", (319, 640), False),
        ("jimeng_v30", (4096, 4096), True),
        ("jimeng_v30", (4097, 4096), False),
        ("jimeng_v30", (960, 320), True),
        ("jimeng_v30", (961, 320), False),
        ("jimeng_dreamactor_m20_gen_video", (480, 480), True),
        ("jimeng_dreamactor_m20_gen_video", (479, 800), False),
        ("jimeng_dreamactor_m20_gen_video", (6000, 800), True),
    ],
)
def test_limits_of_an_inline_picture(model: str, sides: tuple[int, int], is_taken: bool) -> None:  # noqa: FBT001
    metadata = {"video_url": "https://cdn.example/a.mp4"} if "actor" in model else {}
    request = VideoRequest(model=model, prompt="p", images=(png(*sides),), metadata=metadata)

    if is_taken:
        assert JIMENG.translate(request).body["binary_data_base64"]
    else:
        with pytest.raises(UnsupportedParameterError) as caught:
            JIMENG.translate(request)
        assert caught.value.param == "images"


def test_first_and_last_frame_have_one_shape() -> None:
    first = png(1280, 720)

    JIMENG.translate(VideoRequest(model="jimeng_v30", prompt="p", images=(first, png(854, 480))))
    with pytest.raises(UnsupportedParameterError) as caught:
        JIMENG.translate(
            VideoRequest(model="jimeng_v30", prompt="p", images=(first, png(720, 720)))
        )

    assert caught.value.param == "images"
