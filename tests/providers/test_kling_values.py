"""What Kling's vendor fields may say of models we know, and what a refusal of Kling's names."""

import json
import warnings
from typing import Any

import httpx
import pytest
from tests.support.adapters import answer
from tests.support.kling import BASE, CLIP, FEATURE, MOVED, kling, sent_to, submit
from tests.support.kling import in_vendor_fields as video

from vidgate.exceptions import ConfigurationError, UnsupportedParameterError
from vidgate.models.outcomes import FaultKind, Rejected
from vidgate.models.requests import VideoRequest

SPOKEN = {"audio_id": "81", "video_url": CLIP, "sound_end_time": 3000}
SHORT_SECRET = "AK0123456789|short"


@pytest.mark.parametrize(
    ("request_", "param", "allowed"),
    [
        (video("kling-v2-6", aspect_ratio="7:3"), "aspect_ratio", ("16:9", "9:16", "1:1")),
        (video("kling-v2-6", mode="4k"), "mode", ("std", "pro")),
        (video("kling-v3", mode="PRO"), "mode", ("std", "pro", "4k")),
        (video("kling-v3", sound="native"), "sound", ("on", "off")),
        (video("kling-v3", mode="standard"), "mode", ("std", "pro", "4k")),
        (video("kling-v2-6", mode="std", sound="on"), "mode", ("pro",)),
        (video("kling-v2-6", image_tail="x", mode="std", _images=1), "mode", ("pro",)),
        (video("kling-v2-6", duration="7"), "duration", (5, 10)),
        (video("kling-v2-6", duration="long"), "duration", (5, 10)),
        (video("kling-v2-6", duration=True), "duration", (5, 10)),
        (video("kling-v3", duration=16), "duration", tuple(range(3, 16))),
        (video("kling-v3", sound="loud"), "sound", ("on", "off")),
        (video("kling-v2-5-turbo", sound="on"), "sound", ("off",)),
        (video("kling-v1", mode="4k"), "mode", ("std", "pro")),
        (video("kling-v3", cfg_scale=1.5), "cfg_scale", ("0 to 1",)),
        (video("kling-v3", cfg_scale="much"), "cfg_scale", ("0 to 1",)),
        (video("kling-v3", cfg_scale=True), "cfg_scale", ("0 to 1",)),
        (video("kling-v3", multi_shot="yes"), "multi_shot", ("true", "false")),
        (video("kling-v3", multi_shot=1), "multi_shot", ("true", "false")),
        (video("kling-v2-6", multi_shot=True), "multi_shot", ("false",)),
        (
            video("kling-v3", multi_shot=True, shot_type="random"),
            "shot_type",
            ("customize", "intelligence"),
        ),
        (
            video("kling-v3", multi_shot=True, shot_type="customize", multi_prompt=[{}] * 7),
            "multi_prompt",
            (),
        ),
        (
            video("kling-v3", multi_shot=True, multi_prompt=[{"prompt": "x" * 513}]),
            "multi_prompt",
            (),
        ),
        (video("kling-v3", voice_list=[{"voice_id": "1"}] * 3), "voice_list", ()),
        (video("kling-v3", element_list=[{"element_id": 1}] * 4, _images=1), "element_list", ()),
        (video("kling-v3", negative_prompt="x" * 2501), "negative_prompt", ()),
        (video("kling-v3", prompt="x" * 2501), "prompt", ()),
        (video("kling-v3-omni", aspect_ratio="21:9"), "aspect_ratio", ("16:9", "9:16", "1:1")),
        (
            video("kling-v3-omni", aspect_ratio="21:9", video_list=BASE),
            "aspect_ratio",
            ("16:9", "9:16", "1:1"),
        ),
        (video("kling-v3-omni", sound="on", video_list=FEATURE), "sound", ("off",)),
        (video("kling-video-o1", mode="4k"), "mode", ("std", "pro")),
        (
            video("kling-v3-omni", video_list=[{"video_url": CLIP, "refer_type": "copy"}]),
            "video_list",
            ("feature", "base"),
        ),
        (
            video(
                "kling-v3-omni", video_list=[{"video_url": CLIP, "keep_original_sound": "maybe"}]
            ),
            "video_list",
            ("yes", "no"),
        ),
        (video("kling-v3-omni", video_list=BASE * 2), "video_list", ()),
        (
            video("kling-v3-omni", image_list=[{"image_url": "x", "type": "middle"}]),
            "image_list",
            ("first_frame", "end_frame"),
        ),
        (video("kling-v3-omni", image_list=[{"image_url": "x"}] * 8), "image_list", ()),
        (
            video("kling-v3-omni", element_list=[{"element_id": 1}] * 5, video_list=BASE),
            "element_list",
            (),
        ),
        (video("kling-v3", **MOVED, mode="4k", _images=1), "mode", ("std", "pro")),
        (
            video("kling-v3", video_url=CLIP, character_orientation="both", _images=1),
            "character_orientation",
            ("image", "video"),
        ),
        (
            video("kling-v3", **MOVED, keep_original_sound="on", _images=1),
            "keep_original_sound",
            ("yes", "no"),
        ),
        (video("kling-v3", **MOVED, element_list=[{}, {}], _images=1), "element_list", ()),
        (
            video("kling-3.0", video_url=CLIP, character_orientation="both", _images=1),
            "character_orientation",
            ("image", "video"),
        ),
        (
            video("kling-3.0", **MOVED, keep_original_sound="on", _images=1),
            "keep_original_sound",
            ("yes", "no"),
        ),
        (
            video("kling-3.0", **MOVED, settings={"resolution": "4k"}, _images=1),
            "settings.resolution",
            ("720p", "1080p"),
        ),
        (
            video("kling-3.0", settings={"aspect_ratio": "7:3"}),
            "settings.aspect_ratio",
            ("16:9", "9:16", "1:1"),
        ),
        (
            video("kling-3.0-turbo", settings={"resolution": "4k"}),
            "settings.resolution",
            ("720p", "1080p"),
        ),
        (
            video("kling-2.6", settings={"audio": "native", "resolution": "720p"}),
            "settings.resolution",
            ("1080p",),
        ),
        (video("kling-o1", settings={"duration": 11}), "settings.duration", tuple(range(3, 11))),
        (video("kling-o1", settings={"audio": "native"}), "settings.audio", ("original", "off")),
        (video("kling-3.0", settings={"audio": "on"}), "settings.audio", ("native", "off")),
        (
            video(
                "kling-3.0-omni",
                contents=[{"type": "base_video", "url": CLIP}],
                settings={"audio": "native"},
            ),
            "settings.audio",
            ("original", "off"),
        ),
        (
            video("kling-3.0", settings={"multi_shot": "true"}),
            "settings.multi_shot",
            ("true", "false"),
        ),
        (
            video("kling-o1", contents=[{"type": "prompt", "text": "x" * 2501}]),
            "contents",
            (),
        ),
        (video("kling-avatar", audio_id="1", mode="4k", _images=1), "mode", ("std", "pro")),
        (video("kling-lip-sync", **SPOKEN, sound_volume=3), "sound_volume", ("0 to 2",)),
        (
            video("kling-lip-sync", session_id="s", face_choose=[{"face_id": "0", **SPOKEN}] * 2),
            "face_choose",
            (),
        ),
        (
            video("kling-multi-elements", session_id="s", edit_mode="paint"),
            "edit_mode",
            ("addition", "swap", "removal"),
        ),
        (
            video("kling-multi-elements", session_id="s", edit_mode="removal", duration="6"),
            "duration",
            (5, 10),
        ),
    ],
)
def test_what_a_known_model_cannot_honour_is_refused_by_name(
    request_: VideoRequest, param: str, allowed: tuple[Any, ...]
) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(request_)

    assert caught.value.param == param
    assert caught.value.allowed == allowed
    assert caught.value.message


@pytest.mark.parametrize(
    "request_",
    [
        video("kling-v9", aspect_ratio="7:3", mode="best", duration="99", sound="loud"),
        video("kling-9.0", settings={"aspect_ratio": "7:3", "resolution": "8k", "audio": "x"}),
        video("kling-v3", newly_added="anything", watermark_info={"enabled": True}),
        video("kling-v3", mode="pro", sound="on", duration=12.0, aspect_ratio="1:1"),
        video("kling-v3", mode="", aspect_ratio="", duration="", sound=None, multi_shot=None),
        video("kling-v3", multi_shot=False, shot_type="whatever", cfg_scale=0.5),
        video("kling-v3", aspect_ratio="7:3", _images=1),
        video("kling-v3-omni", video_list=BASE, duration="60"),
        video("kling-2.5-turbo", settings={"audio": "off", "multi_shot": "x"}),
        video("kling-3.0-turbo", settings={"audio": "off"}),
        video("kling-effects", effect_scene="brand_new", mode="x", input={"image": "x"}),
        video("kling-avatar", audio_id="1", speed="x", sound="off", _images=1),
    ],
)
def test_everything_else_is_the_vendors_to_judge(request_: VideoRequest) -> None:
    body = kling.translate(request_).body

    for name, value in request_.metadata.items():
        if value is not None:
            assert body[name] == value


# What a refusal is about


def refusal(status: int, code: int, message: str, path: str = "/v1/videos/text2video") -> Any:
    rejected = sent_to(path).read(answer(status, {"code": code, "message": message}))
    assert isinstance(rejected, Rejected)
    return rejected.fault


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("contents[0].text: size must be between 0 and 3072", "contents[0].text"),
        ("video resolution value '4k' is invalid", "resolution"),
        ("aspect_ratio value '7:3' is invalid", "aspect_ratio"),
        ("image_list[0].type value 'x' is invalid", "image_list[0].type"),
        ("image is invalid: image pixel is invalid", "image"),
        ("face_id is required", "face_id"),
        ("cfg_scale must be between 0 and 1", "cfg_scale"),
        ("Voice id not found", ""),
        ("Invalid request parameters", ""),
        ("the body is invalid: see above", ""),
        ("", ""),
    ],
)
def test_a_refusal_says_which_field_it_is_about(message: str, param: str) -> None:
    fault = refusal(400, 1201, message)

    assert fault.kind is FaultKind.BAD_PARAMETER
    assert fault.param == param


@pytest.mark.parametrize(
    ("status", "code", "message", "path"),
    [
        (404, 1203, "model kling-v9 has been discontinued", "/v1/videos/text2video"),
        (404, 1203, "model kling-9.0 is not supported for this API", "/text-to-video/kling-9.0"),
        (400, 1201, "model_name value 'kling-v9' is invalid", "/v1/videos/text2video"),
        (400, 1201, "model kling-v3-omni is not supported for this API", "/v1/videos/text2video"),
        (404, 1202, "The requested method is invalid", "/omni-video/kling-9.0"),
    ],
)
def test_no_such_model_is_told_the_same_way_everywhere(
    status: int, code: int, message: str, path: str
) -> None:
    fault = refusal(status, code, message, path)

    assert fault.kind is FaultKind.MODEL_UNAVAILABLE
    assert not fault.param


@pytest.mark.parametrize(
    "message",
    ["model/mode(kling-v2-6/std) is invalid", "the model is not supported with camera_control"],
)
def test_what_a_model_cannot_do_is_no_missing_model(message: str) -> None:
    assert refusal(400, 1201, message).kind is FaultKind.BAD_PARAMETER


@pytest.mark.parametrize("content", [b"<html>Not Found</html>", b'{"code":1777,"message":"no"}'])
def test_a_host_without_the_paths_of_the_new_generation_says_nothing_of_the_model(
    content: bytes,
) -> None:
    rejected = sent_to("/text-to-video/kling-3.0").read(httpx.Response(404, content=content))

    assert isinstance(rejected, Rejected)
    assert rejected.fault.kind is FaultKind.FAULT


# Ids and credentials


def test_an_access_key_is_told_that_the_model_needs_an_api_key() -> None:
    with pytest.raises(ConfigurationError, match="This model needs an API key"):
        submit(video("kling-3.0"), SHORT_SECRET)


def test_a_short_secret_signs_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sent = submit(video("kling-v3"), SHORT_SECRET)

    assert sent.headers["Authorization"].count(".") == 2


def test_videos_of_ours_are_named_by_video_id() -> None:
    assert kling.capabilities.object_fields == {"video_id"}
    request = video(
        "kling-lip-sync", video_id="930000000000000002", audio_id="8", sound_end_time=3000
    )
    assert json.loads(submit(request).content) == {"video_id": "930000000000000002"}


def test_multi_elements_without_a_session_says_where_one_comes_from() -> None:
    with pytest.raises(UnsupportedParameterError, match="init-selection") as caught:
        kling.translate(video("kling-multi-elements", edit_mode="removal"))
    assert caught.value.param == "session_id"
