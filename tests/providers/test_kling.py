"""Kling's adapter against the documented requests and answers."""

import base64
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from tests.support import adapters
from tests.support.adapters import NOW, answer
from tests.support.calls import read_answer
from tests.support.kling import (
    ACCESS_AND_SECRET,
    API_KEY,
    CORRELATION,
    HOST,
    IDS,
    IMAGE,
    OMNI,
    TEXT,
    A,
    B,
    access,
    find,
    kling,
    recorded,
    sent_to,
    submit,
)

from vidgate.exceptions import (
    ConfigurationError,
    ProviderProtocolError,
    UnsupportedParameterError,
)
from vidgate.models.outcomes import (
    Failed,
    FaultKind,
    Found,
    Outcome,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
    UpstreamRef,
    VideoResult,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskSnapshot, TaskStatus
from vidgate.providers.base import Action, Call
from vidgate.providers.kling import Kling
from vidgate.services.attempts.faults import to_request_error

REFUSED = "Kling refused a value of the request"
LEGACY_REF = UpstreamRef("930000000000000003", IMAGE)
NEW_REF = UpstreamRef("930000000000000001", "tasks")

SHOT = {"index": 1, "prompt": "a boat", "duration": "5"}


def video(model: str = "kling-v2-5-turbo", prompt: str = "a boat", **fields: Any) -> VideoRequest:
    return VideoRequest(model=model, prompt=prompt, **fields)


def asked(*refs: UpstreamRef) -> Call[Mapping[UpstreamRef, Outcome]]:
    return kling.poll(refs, access(), NOW)


def read_submission(name: str, path: str = IMAGE) -> Submission | Rejected:
    return read_answer(sent_to(path), recorded(name))


def read_poll(name: str, *refs: UpstreamRef) -> Mapping[UpstreamRef, Outcome]:
    return read_answer(asked(*refs), recorded(name))


def read_find(name: str, endpoint: str) -> Found:
    return read_answer(find(endpoint), recorded(name))


# Golden requests: what goes out, byte for byte but for the order of keys

GOLDEN: dict[str, tuple[VideoRequest, str, dict[str, Any]]] = {
    "the least": (
        video(),
        TEXT,
        {"model_name": "kling-v2-5-turbo", "prompt": "a boat"},
    ),
    "text with everything": (
        video(width=1080, height=1920, duration_seconds=10),
        TEXT,
        {
            "model_name": "kling-v2-5-turbo",
            "prompt": "a boat",
            "mode": "pro",
            "aspect_ratio": "9:16",
            "duration": "10",
        },
    ),
    "720 high is std": (
        video("kling-v2-6", width=1280, height=720),
        TEXT,
        {
            "model_name": "kling-v2-6",
            "prompt": "a boat",
            "mode": "std",
            "aspect_ratio": "16:9",
        },
    ),
    "2160 high is 4k": (
        video("kling-v3", width=3840, height=2160, duration_seconds=15.0),
        TEXT,
        {
            "model_name": "kling-v3",
            "prompt": "a boat",
            "mode": "4k",
            "aspect_ratio": "16:9",
            "duration": "15",
        },
    ),
    "a ratio alone": (
        video("kling-v3", aspect_ratio="1:1"),
        TEXT,
        {"model_name": "kling-v3", "prompt": "a boat", "aspect_ratio": "1:1"},
    ),
    "a first frame": (
        video(images=(A,), duration_seconds=5.0),
        IMAGE,
        {
            "model_name": "kling-v2-5-turbo",
            "prompt": "a boat",
            "image": A.url,
            "duration": "5",
        },
    ),
    "a first frame gives the shape": (
        video("kling-v2-6", images=(A,), width=1000, height=720),
        IMAGE,
        {"model_name": "kling-v2-6", "prompt": "a boat", "image": A.url, "mode": "std"},
    ),
    "a first frame without words": (
        video("kling-v3", "", images=(A,)),
        IMAGE,
        {"model_name": "kling-v3", "image": A.url},
    ),
    "a last frame needs pro on 2.6": (
        video("kling-v2-6", images=(A, B)),
        IMAGE,
        {
            "model_name": "kling-v2-6",
            "prompt": "a boat",
            "image": A.url,
            "image_tail": B.url,
            "mode": "pro",
        },
    ),
    "a last frame needs nothing on 3": (
        video("kling-v3", images=(A, B)),
        IMAGE,
        {"model_name": "kling-v3", "prompt": "a boat", "image": A.url, "image_tail": B.url},
    ),
    "a last frame from metadata": (
        video(images=(A,), metadata={"image_tail": "raw"}),
        IMAGE,
        {
            "model_name": "kling-v2-5-turbo",
            "prompt": "a boat",
            "image": A.url,
            "image_tail": "raw",
            "mode": "pro",
        },
    ),
    "bytes become bare base64": (
        video("kling-v3", images=(Image(content=b"\x89PNG", media_type="image/png"),)),
        IMAGE,
        {"model_name": "kling-v3", "prompt": "a boat", "image": "iVBORw=="},
    ),
    "metadata wins, is merged, and removes": (
        video(
            "kling-v3",
            images=(A,),
            duration_seconds=7,
            metadata={
                "image": "data:image/png;base64,AAAA",
                "duration": None,
                "seed": 12345678901234567890,
                "camera": {"type": "simple", "config": {"zoom": 0.5}},
                "never_heard_of": [None, {"ü": "\ud800"}],
            },
        ),
        IMAGE,
        {
            "model_name": "kling-v3",
            "prompt": "a boat",
            "image": "AAAA",
            "seed": 12345678901234567890,
            "camera": {"type": "simple", "config": {"zoom": 0.5}},
            "never_heard_of": [None, {"ü": "\ud800"}],
        },
    ),
    "our fields never come from metadata": (
        video(
            metadata={
                "external_task_id": "theirs",
                "callback_url": "https://theirs.example",
                "model": "kling-v3",
                "model_name": "kling-v3",
            }
        ),
        TEXT,
        {"model_name": "kling-v2-5-turbo", "prompt": "a boat"},
    ),
    "shots instead of a prompt": (
        video(
            "kling-v3",
            "",
            metadata={"multi_shot": True, "shot_type": "customize", "multi_prompt": [SHOT]},
        ),
        TEXT,
        {
            "model_name": "kling-v3",
            "multi_shot": True,
            "shot_type": "customize",
            "multi_prompt": [SHOT],
        },
    ),
    "a retired model": (
        video("kling-v2-1-master", images=(A, B), duration_seconds=10),
        IMAGE,
        {
            "model_name": "kling-v2-5-turbo",
            "prompt": "a boat",
            "image": A.url,
            "image_tail": B.url,
            "mode": "pro",
            "duration": "10",
        },
    ),
    "an unknown model's values are untouched": (
        video("kling-v9", duration_seconds=7.5, aspect_ratio="21:9"),
        TEXT,
        {"model_name": "kling-v9", "prompt": "a boat", "duration": "7.5", "aspect_ratio": "21:9"},
    ),
    "an unknown model's pixels": (
        video("kling-v9", width=2560, height=1080, images=()),
        TEXT,
        {"model_name": "kling-v9", "prompt": "a boat", "mode": "pro", "aspect_ratio": "64:27"},
    ),
    "an unknown model with two pictures": (
        video("kling-v9", images=(A, B), width=1280, height=720),
        IMAGE,
        {
            "model_name": "kling-v9",
            "prompt": "a boat",
            "image": A.url,
            "image_tail": B.url,
            "mode": "std",
        },
    ),
    "omni from words": (
        video("kling-v3-omni", duration_seconds=3),
        OMNI,
        {
            "model_name": "kling-v3-omni",
            "prompt": "a boat",
            "aspect_ratio": "16:9",
            "duration": "3",
        },
    ),
    "omni with references": (
        video("kling-video-o1", images=(A, B), width=720, height=720, duration_seconds=7),
        OMNI,
        {
            "model_name": "kling-video-o1",
            "prompt": "a boat",
            "image_list": [{"image_url": A.url}, {"image_url": B.url}],
            "mode": "std",
            "aspect_ratio": "1:1",
            "duration": "7",
        },
    ),
    "omni with its own first frame": (
        video(
            "kling-v3-omni",
            images=(A,),
            metadata={"image_list": [{"image_url": "x", "type": "first_frame"}]},
        ),
        OMNI,
        {
            "model_name": "kling-v3-omni",
            "prompt": "a boat",
            "image_list": [{"image_url": "x", "type": "first_frame"}],
        },
    ),
    "omni edits a video": (
        video("kling-v3-omni", metadata={"video_list": [{"video_url": "https://v.example/a.mp4"}]}),
        OMNI,
        {
            "model_name": "kling-v3-omni",
            "prompt": "a boat",
            "video_list": [{"video_url": "https://v.example/a.mp4"}],
        },
    ),
    "new from words": (
        video("kling-3.0", width=1080, height=1920, duration_seconds=6.0),
        "/text-to-video/kling-3.0",
        {
            "prompt": "a boat",
            "settings": {"resolution": "1080p", "aspect_ratio": "9:16", "duration": 6},
        },
    ),
    "new with a first frame": (
        video("kling-3.0-turbo", images=(A,), aspect_ratio="16:9"),
        "/image-to-video/kling-3.0-turbo",
        {
            "contents": [
                {"type": "prompt", "text": "a boat"},
                {"type": "first_frame", "url": A.url},
            ]
        },
    ),
    "new with a last frame": (
        video("kling-2.5-turbo", "", images=(A, B), duration_seconds=5),
        "/image-to-video/kling-2.5-turbo",
        {
            "contents": [
                {"type": "prompt", "text": ""},
                {"type": "first_frame", "url": A.url},
                {"type": "last_frame", "url": B.url},
            ],
            "settings": {"resolution": "1080p", "duration": 5},
        },
    ),
    "new settings are merged": (
        video(
            "kling-3.0",
            duration_seconds=5,
            width=1280,
            height=720,
            metadata={
                "settings": {"audio": "native", "duration": 8, "resolution": "4k"},
                "options": {"watermark_info": {"enabled": True}, "external_task_id": "theirs"},
            },
        ),
        "/text-to-video/kling-3.0",
        {
            "prompt": "a boat",
            "settings": {
                "aspect_ratio": "16:9",
                "duration": 8,
                "audio": "native",
                "resolution": "4k",
            },
            "options": {"watermark_info": {"enabled": True}},
        },
    ),
    "new contents replace": (
        video(
            "kling-2.6",
            metadata={
                "contents": [
                    {"type": "prompt", "text": "hello"},
                    {"type": "first_frame", "url": "x"},
                    {"type": "last_frame", "url": "y"},
                ]
            },
        ),
        "/image-to-video/kling-2.6",
        {
            "contents": [
                {"type": "prompt", "text": "hello"},
                {"type": "first_frame", "url": "x"},
                {"type": "last_frame", "url": "y"},
            ],
            "settings": {"resolution": "1080p"},
        },
    ),
    "new omni from words": (
        video("kling-o1", duration_seconds=4),
        "/omni-video/kling-o1",
        {
            "contents": [{"type": "prompt", "text": "a boat"}],
            "settings": {"aspect_ratio": "16:9", "duration": 4},
        },
    ),
    "new omni with references": (
        video("kling-3.0-omni", "@image_2 in @image_1", images=(A, B), aspect_ratio="1:1"),
        "/omni-video/kling-3.0-omni",
        {
            "contents": [
                {"type": "prompt", "text": "@image_2 in @image_1"},
                {"type": "refer_image", "url": A.url, "id": "image_1"},
                {"type": "refer_image", "url": B.url, "id": "image_2"},
            ],
            "settings": {"aspect_ratio": "1:1"},
        },
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_requests(name: str) -> None:
    request, path, body = GOLDEN[name]

    sent = submit(request)

    if path.startswith("/v1/"):
        expected = {**body, "external_task_id": CORRELATION}
    else:
        expected = {**body, "options": {**body.get("options", {}), "external_task_id": CORRELATION}}
    assert sent.method == "POST"
    assert str(sent.url) == HOST + path
    assert json.loads(sent.content) == expected
    assert dict(sent.headers) == {
        "host": "api-singapore.klingai.com",
        "authorization": f"Bearer {API_KEY}",
        "content-type": "application/json",
        "content-length": str(len(sent.content)),
    }


def test_the_documented_example() -> None:
    example = json.loads((adapters.DATA / "examples" / "kling.request.json").read_text())
    width, height = map(int, example["size"].split("x"))
    request = VideoRequest(
        model=example["model"],
        prompt=example["prompt"],
        duration_seconds=example["duration"],
        width=width,
        height=height,
        images=(Image(url=example["image"]),),
        metadata=example["metadata"],
    )

    translation = kling.translate(request)
    sent = kling.submit(translation, access(), IDS, NOW).request

    assert (sent.method, str(sent.url)) == ("POST", HOST + IMAGE)
    assert json.loads(sent.content) == {
        "model_name": "kling-v2-5-turbo",
        "prompt": example["prompt"],
        "image": example["image"],
        "image_tail": example["metadata"]["image_tail"],
        "negative_prompt": "模糊",
        "seed": 20231234,
        "mode": "pro",
        "duration": "5",
        "external_task_id": CORRELATION,
    }
    assert "模糊".encode() in sent.content
    assert translation.details == {"mode": "pro", "action": "first_last_frame"}
    assert translation.ignored == ()
    assert translation.adjusted == ("model=kling-v2-5-turbo",)


def test_our_callback_url_goes_where_each_generation_reads_it() -> None:
    ids = replace(IDS, callback_url="https://ours.example/callbacks/1")

    legacy = json.loads(submit(video(), ids=ids).content)
    new = json.loads(submit(video("kling-3.0"), ids=ids).content)

    assert legacy["callback_url"] == "https://ours.example/callbacks/1"
    assert new["options"] == {
        "callback_url": "https://ours.example/callbacks/1",
        "external_task_id": CORRELATION,
    }


def test_submitting_leaves_the_translation_as_it_is() -> None:
    translation = kling.translate(
        video("kling-3.0", metadata={"options": {"watermark_info": {"enabled": True}}})
    )

    kling.submit(translation, access(), IDS, NOW)

    assert translation.body["options"] == {"watermark_info": {"enabled": True}}


# Credentials


def test_an_access_key_signs_a_token_on_legacy_paths() -> None:
    sent = submit(video(), ACCESS_AND_SECRET)

    token = sent.headers["Authorization"].removeprefix("Bearer ")
    second = int(NOW.timestamp())
    claims = jwt.decode(
        token,
        "0123456789abcdef0123456789abcdef",
        algorithms=["HS256"],
        options={"verify_exp": False, "verify_nbf": False},
    )
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert claims == {"iss": "AK0123456789", "exp": second + 1800, "nbf": second - 5}


def test_an_access_key_is_refused_on_new_paths() -> None:
    with pytest.raises(ConfigurationError, match="API key"):
        submit(video("kling-3.0"), ACCESS_AND_SECRET)
    with pytest.raises(ConfigurationError):
        kling.poll([NEW_REF], access(ACCESS_AND_SECRET), NOW)
    with pytest.raises(ConfigurationError):
        find("/text-to-video/kling-3.0", ACCESS_AND_SECRET)


@pytest.mark.parametrize("credential", [API_KEY, ACCESS_AND_SECRET, "a|b|c"])
def test_credentials_in_either_form_are_taken(credential: str) -> None:
    kling.check_credential(credential)


@pytest.mark.parametrize(
    "credential", ["", "|", "a|", "|b", "Bearer abc", " key", "key\n", "schlüssel", "a|b c"]
)
def test_credentials_in_no_form_are_refused_without_repeating_them(credential: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        kling.check_credential(credential)
    assert "schlüssel" not in str(caught.value)
    assert "abc" not in str(caught.value)


def test_a_secret_that_looks_like_a_public_key_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="cannot sign"):
        submit(video(), "AK|ssh-rsa-0123456789abcdef0123456789abcdef")


# What a known model cannot honour


@pytest.mark.parametrize(
    ("request_", "param", "words"),
    [
        (video(duration_seconds=7), "duration", "5, 10"),
        (video(duration_seconds=5.5), "duration", "5, 10"),
        (video("kling-v3", duration_seconds=16), "duration", "3, 4"),
        (video("kling-video-o1", duration_seconds=7), "duration", "5, 10"),
        (video("kling-o1", duration_seconds=11), "duration", "10"),
        (video(images=(A, A, A)), "images", "0, 1, 2"),
        (video("kling-3.0-turbo", images=(A, B)), "images", "Allowed: 0, 1."),
        (video("kling-v3-omni", images=(A,) * 8), "images", "6, 7"),
        (video("kling-v9", images=(A, A, A)), "images", "0, 1, 2"),
        (video(prompt=""), "prompt", "needs a prompt"),
        (video(prompt=" "), "prompt", "needs a prompt"),
        (video("kling-3.0", ""), "prompt", "needs a prompt"),
        (video("kling-o1", ""), "prompt", "needs a prompt"),
        (video(prompt="x" * 2501), "prompt", "2500"),
        (video("kling-3.0-turbo", "x" * 2501, images=(A,)), "prompt", "2500"),
        (video("kling-3.0-turbo", "x" * 3073), "prompt", "3072"),
        (video(width=3840, height=2160), "size", "1080p"),
        (video(width=2560, height=1080), "size", "16:9"),
        (video(aspect_ratio="21:9"), "size", "16:9"),
        (video(images=(Image(content=b"x" * (10 * 2**20 + 1)),)), "images", "10,485,760 bytes"),
        (video("kling-3.0", metadata={"options": []}), "options", "object"),
    ],
)
def test_what_cannot_be_honoured_is_named(request_: VideoRequest, param: str, words: str) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(request_)
    assert caught.value.param == param
    assert words in caught.value.message


def test_new_endpoints_take_larger_pictures() -> None:
    content = b"x" * (10 * 2**20 + 1)

    body = kling.translate(video("kling-3.0", images=(Image(content=content),))).body

    assert body["contents"][1]["url"] == base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("model", "prompt"),
    [("kling-v3", "x" * 2500), ("kling-3.0", "x" * 3072), ("kling-v9", "x" * 9999)],
)
def test_prompts_up_to_the_limit_are_taken(model: str, prompt: str) -> None:
    assert kling.translate(video(model, prompt)).body["prompt"] == prompt


@pytest.mark.parametrize(
    "metadata",
    [
        {"duration": "10", "mode": "pro", "aspect_ratio": "16:9", "prompt": "other words"},
        {"duration": None, "mode": None, "aspect_ratio": None, "prompt": "other words"},
    ],
)
def test_a_generic_field_that_metadata_replaces_is_not_judged(metadata: dict[str, Any]) -> None:
    request = video(
        prompt="x" * 9999, duration_seconds=7, width=100, height=9999, metadata=metadata
    )

    translation = kling.translate(replace(request, strict=True))

    assert translation.body == {"model_name": "kling-v2-5-turbo"} | {
        key: value for key, value in metadata.items() if value is not None
    }


@pytest.mark.parametrize(
    "model",
    ["kling-v1", "kling-v1-5", "kling-v1-6", "kling-v2-master", "kling-v2-1", "kling-v2-1-x"],
)
def test_a_retired_model_runs_as_its_successor_or_names_it(model: str) -> None:
    assert kling.translate(video(model)).facts.model == "kling-v2-5-turbo"
    with pytest.raises(UnsupportedParameterError, match="kling-v2-5-turbo") as caught:
        Kling(map_retired_models=False).translate(video(model))
    assert caught.value.param == "model"


# Ignored and adjusted


def test_fields_without_use_are_named() -> None:
    translation = kling.translate(
        video(images=(A,), fps=30, seed=1, user="u", aspect_ratio="16:9", metadata={"seed": 2})
    )

    assert translation.ignored == ("fps", "seed", "size", "user")
    assert translation.body["seed"] == 2


@pytest.mark.parametrize(
    ("request_", "adjusted", "mode"),
    [
        (video(width=854, height=480), "size=16:9@720p", "std"),
        (video(width=1024, height=1000), "size=1:1@1080p", "pro"),
        (video(images=(A, B), width=1280, height=720), "size=1080p", "pro"),
    ],
)
def test_what_is_taken_to_the_nearest_is_said(
    request_: VideoRequest, adjusted: str, mode: str | None
) -> None:
    translation = kling.translate(request_)

    assert translation.adjusted == (adjusted,)
    assert translation.body["mode"] == mode


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (video(fps=30), "fps"),
        (video(seed=1), "seed"),
        (video(user="u"), "user"),
        (video(images=(A,), aspect_ratio="16:9"), "size"),
        (video(width=854, height=480), "size"),
    ],
)
def test_what_is_not_met_to_the_letter_is_named(request_: VideoRequest, param: str) -> None:
    translation = kling.translate(request_)

    assert [one.partition("=")[0] for one in (*translation.ignored, *translation.adjusted)] == [
        param
    ]


# What is run: P8


@pytest.mark.parametrize(
    ("request_", "duration", "resolution", "mode", "sound"),
    [
        (video(), 5, "720p", "std", False),
        (video(metadata={"mode": "pro", "duration": "10"}), 10, "1080p", "pro", False),
        (video("kling-v3", metadata={"mode": "4k", "sound": "on"}), 5, "4k", "4k", True),
        (video("kling-v9", metadata={"mode": "4K", "sound": "ON"}), 5, "4k", "4k", True),
        (video("kling-v9", metadata={"mode": "best"}), 5, None, "best", False),
        (video("kling-v3", metadata={"duration": 12.0}), 12, "720p", "std", False),
        (video("kling-v9", metadata={"duration": "long"}), None, "720p", "std", False),
        (video("kling-v9", metadata={"sound": "loud"}), 5, "720p", "std", None),
        (video("kling-v3-omni"), 5, "1080p", "pro", False),
        (
            video("kling-v3-omni", metadata={"video_list": [{"refer_type": "base"}]}),
            None,
            "1080p",
            "pro",
            False,
        ),
        (video("kling-3.0-turbo"), 5, "720p", None, True),
        (
            video("kling-3.0", metadata={"settings": {"resolution": "4k", "audio": "native"}}),
            5,
            "4k",
            None,
            True,
        ),
        (
            video("kling-3.0", metadata={"mode": "4k", "duration": 15, "settings": None}),
            15,
            "4k",
            None,
            False,
        ),
    ],
)
def test_facts_are_read_from_what_is_sent(
    request_: VideoRequest,
    duration: float | None,
    resolution: str | None,
    mode: str | None,
    sound: object,
) -> None:
    facts = kling.translate(request_).facts

    assert facts.duration_seconds == duration
    assert facts.resolution == resolution
    assert facts.mode == mode
    assert facts.sound is sound


def test_the_client_is_told_what_runs() -> None:
    assert kling.translate(video()).details == {"mode": "std", "action": "text"}
    assert kling.translate(video(images=(A,), metadata={"mode": "pro"})).details == {
        "mode": "pro",
        "action": "first_frame",
    }
    assert kling.translate(video("kling-3.0")).details == {"resolution": "720p", "action": "text"}
    assert kling.translate(video("kling-v3-omni")).details == {
        "mode": "pro",
        "action": "text",
        "aspect_ratio": "16:9",
    }


def test_the_pace_follows_the_model_and_the_resolution() -> None:
    turbo = kling.translate(video()).pace
    huge = kling.translate(video("kling-v3", metadata={"mode": "4k"})).pace

    assert turbo.first_ask == timedelta(seconds=20)
    assert turbo.deadline == timedelta(minutes=30)
    assert huge.first_ask == timedelta(seconds=30)
    assert huge.deadline == timedelta(minutes=60)


def test_capabilities_are_complete() -> None:
    models = kling.capabilities.models

    assert models["kling-v1"].successor == "kling-v2-5-turbo"
    assert models["kling-v1"].actions == models["kling-v2-5-turbo"].actions
    assert Action.FIRST_LAST_FRAME not in models["kling-3.0-turbo"].actions
    without_tiers = {
        model.name
        for model in models.values()
        for action in model.actions.values()
        if not action.tiers
    }
    assert without_tiers == {"kling-effects", "kling-lip-sync"}


# Answers to a submit


@pytest.mark.parametrize("base", [HOST, "http://127.0.0.1:9/v1/kling"])
@pytest.mark.parametrize("path", [TEXT, IMAGE, OMNI])
def test_a_legacy_job_is_remembered_with_its_path(base: str, path: str) -> None:
    submission = sent_to(path, base).read(recorded("legacy_submitted"))

    assert submission == Submission(UpstreamRef("930000000000000003", path))


@pytest.mark.parametrize(
    "path", ["/text-to-video/kling-3.0", "/image-to-video/kling-2.6", "/omni-video/kling-o1"]
)
def test_a_new_job_is_asked_for_among_others(path: str) -> None:
    assert read_submission("new_submitted", path) == Submission(NEW_REF)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("error_1000", FaultKind.CREDENTIAL),
        ("error_1001", FaultKind.CREDENTIAL),
        ("error_1002", FaultKind.CREDENTIAL),
        ("error_1003", FaultKind.CREDENTIAL),
        ("error_1004", FaultKind.CREDENTIAL),
        ("error_1100", FaultKind.CREDENTIAL),
        ("error_1101", FaultKind.BALANCE),
        ("error_1102", FaultKind.BALANCE),
        ("error_1103", FaultKind.MODEL_UNAVAILABLE),
        ("error_1200", FaultKind.BAD_PARAMETER),
        ("error_1201", FaultKind.BAD_PARAMETER),
        ("error_1201_unknown_voice", FaultKind.BAD_PARAMETER),
        ("error_1201_text_too_long", FaultKind.BAD_PARAMETER),
        ("error_1202", FaultKind.FAULT),
        ("error_1203", FaultKind.MODEL_UNAVAILABLE),
        ("error_1300", FaultKind.CONTENT_POLICY),
        ("error_1301", FaultKind.CONTENT_POLICY),
        ("error_1302", FaultKind.RATE),
        ("error_1303", FaultKind.CONCURRENCY),
        ("error_1303_in_http_200", FaultKind.CONCURRENCY),
        ("error_1304", FaultKind.CREDENTIAL),
        ("error_unknown_code", FaultKind.FAULT),
    ],
)
@pytest.mark.parametrize("path", [IMAGE, "/text-to-video/kling-3.0"])
def test_a_refusal_is_told_by_its_code(name: str, kind: FaultKind, path: str) -> None:
    rejected = read_submission(name, path)

    body = json.loads(recorded(name).content)
    assert isinstance(rejected, Rejected)
    if name == "error_1202" and path != IMAGE:
        kind = FaultKind.MODEL_UNAVAILABLE  # the model is in the path
    assert rejected.fault.kind is kind
    assert rejected.fault.code == str(body["code"])
    assert rejected.fault.message == body["message"]


@pytest.mark.parametrize(
    "name",
    [f"error_{code}" for code in (*range(1000, 1005), *range(1100, 1103), 1304)],
)
@pytest.mark.parametrize("path", [IMAGE, "/text-to-video/kling-3.0"])
def test_what_is_wrong_with_the_account_is_the_operators_business(name: str, path: str) -> None:
    rejected = read_submission(name, path)

    assert isinstance(rejected, Rejected)
    error = to_request_error(rejected.fault)
    assert (error.code, error.message) == (
        "upstream_account_error",
        "The provider does not serve this deployment at the moment; tell its operator.",
    )


@pytest.mark.parametrize(
    "name",
    [
        "error_5000",
        "error_5001",
        "error_5002",
        "error_1201_duplicate",
        "html_502",
        "html_429",
        "truncated",
        "empty",
        "no_code",
        "no_id",
        "not_an_object",
    ],
)
@pytest.mark.parametrize("path", [IMAGE, "/text-to-video/kling-3.0"])
def test_an_answer_after_which_a_job_may_exist_is_no_refusal(name: str, path: str) -> None:
    with pytest.raises(ProviderProtocolError):
        read_submission(name, path)


@pytest.mark.parametrize(
    ("status", "code"), [(500, 1999), (409, 1999), (400, 5999), (200, 5999), (200, 503)]
)
def test_an_unknown_code_is_a_refusal_only_with_a_refusing_status(status: int, code: int) -> None:
    with pytest.raises(ProviderProtocolError):
        sent_to(IMAGE).read(answer(status, {"code": code, "message": "?"}))


@pytest.mark.parametrize("status", [200, 201, 400])
def test_an_unknown_code_without_a_job_is_a_refusal(status: int) -> None:
    rejected = sent_to(IMAGE).read(answer(status, {"code": 1999, "message": "?"}))

    assert isinstance(rejected, Rejected)
    assert (rejected.fault.kind, rejected.fault.code) == (FaultKind.FAULT, "1999")


@pytest.mark.parametrize("code", [1201, 1303, 1999])
def test_a_refusal_that_names_a_job_is_unclear(code: int) -> None:
    for data in ({"task_id": "930000000000000003"}, {"id": "930000000000000003"}):
        body = {"code": code, "message": "?", "data": data}
        for status in (200, 400):
            with pytest.raises(ProviderProtocolError):
                sent_to(IMAGE).read(answer(status, body))


@pytest.mark.parametrize("identifier", [None, "", True, {}, "../../x", "a b", "x" * 200, "a,b"])
def test_an_id_that_cannot_be_one_is_not_kept(identifier: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        sent_to(IMAGE).read(answer(200, {"code": 0, "data": {"task_id": identifier}}))


def test_an_id_written_as_a_number_is_text() -> None:
    body = {"code": "0", "data": {"task_id": 930000000000000003}}

    submission = sent_to(IMAGE).read(answer(200, body))

    assert submission == Submission(LEGACY_REF)


def test_retry_after_is_honoured() -> None:
    response = answer(429, {"code": 1303, "message": ""}, Retry_After="7")

    rejected = sent_to(IMAGE).read(response)

    assert isinstance(rejected, Rejected)
    assert rejected.fault.retry_after_seconds == 7


# What a client may read


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            "contents[0].text: size must be between 0 and 3072",
            f"{REFUSED}: contents[0].text: size must be between 0 and 3072.",
        ),
        (
            "settings.duration value '11' is invalid.",
            f"{REFUSED}: settings.duration value '11' is invalid.",
        ),
        ("Voice id not found", f"{REFUSED}: Voice id not found."),
        ("multi_prompt.duration is wrong", f"{REFUSED}: multi_prompt.duration is wrong."),
        (f"{REFUSED}: said by a gateway.", f"{REFUSED}: said by a gateway."),
    ],
)
def test_plain_words_of_the_vendor_are_passed_on(message: str, sentence: str) -> None:
    rejected = sent_to(IMAGE).read(answer(200, {"code": 1201, "message": message}))

    assert isinstance(rejected, Rejected)
    assert rejected.fault.safe_message == sentence


@pytest.mark.parametrize(
    "message",
    [
        "",
        "task 930000000000000003 is busy",
        "see https://kling.ai/help",
        "call api.klingai.com",
        "from 10.0.0.7 refused",
        "user ak9 is unknown",
        "account of somebody",
        f"invalid {API_KEY}",
        "by vg_0123456789abcdef",
        "mail me@kling.ai",
        "request 3f0c2a4e-aaaa-4000-8000-000000000001",
        "参数错误",
        "x" * 500,
    ],
)
def test_words_that_may_name_something_are_not_passed_on(message: str) -> None:
    rejected = sent_to(IMAGE).read(answer(200, {"code": 1201, "message": message}))

    assert isinstance(rejected, Rejected)
    assert rejected.fault.safe_message == f"{REFUSED}."
    assert API_KEY not in rejected.fault.message


def test_text_that_a_database_would_refuse_is_cleaned() -> None:
    body = {"code": 1200, "message": "a\0b\ud800"}

    rejected = sent_to(IMAGE).read(answer(200, body))

    assert isinstance(rejected, Rejected)
    assert rejected.fault.message == "a b?"


# Polls


def test_a_legacy_job_is_asked_for_at_its_path() -> None:
    sent = kling.poll([LEGACY_REF], access(ACCESS_AND_SECRET), NOW).request

    assert sent.method == "GET"
    assert str(sent.url) == f"{HOST}{IMAGE}/930000000000000003"
    assert sent.headers["Authorization"].startswith("Bearer ey")
    assert sent.content == b""
    assert kling.batch_size(LEGACY_REF) == 1


def test_new_jobs_are_asked_for_together() -> None:
    refs = [UpstreamRef(str(number), "tasks") for number in range(20)]

    sent = kling.poll(refs, access(), NOW).request

    assert str(sent.url) == f"{HOST}/tasks?task_ids={','.join(map(str, range(20)))}"
    assert sent.headers["Authorization"] == f"Bearer {API_KEY}"
    assert kling.batch_size(NEW_REF) == 20


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("queued", Pending(started=False)),
        ("running", Pending(started=True)),
    ],
)
@pytest.mark.parametrize(("family", "ref"), [("legacy", LEGACY_REF), ("new", NEW_REF)])
def test_unfinished_jobs(name: str, outcome: Outcome, family: str, ref: UpstreamRef) -> None:
    assert read_poll(f"{family}_{name}", ref) == {ref: outcome}


def test_a_finished_legacy_job() -> None:
    assert read_poll("legacy_succeeded", LEGACY_REF) == {
        LEGACY_REF: Succeeded(
            VideoResult(
                url="https://cdn.example/a.mp4?sign=x%2Fy",
                watermarked_url="https://cdn.example/a-mark.mp4",
                expires_at=datetime.fromtimestamp(1790000028, UTC) + timedelta(days=30),
                duration_seconds=5.041,
                cost="2.5",
                cost_unit="units",
                upstream_id="930000000000000004",
            )
        )
    }


def test_a_finished_new_job() -> None:
    assert read_poll("new_succeeded", NEW_REF) == {
        NEW_REF: Succeeded(
            VideoResult(
                url="https://cdn.example/x.mp4?Expires=1792592028",
                expires_at=datetime.fromtimestamp(1792592028, UTC),
                duration_seconds=5.041,
                cost="4.0",
                cost_unit="units",
                upstream_id="930000000000000002",
            )
        )
    }


def test_an_odd_field_beside_a_url_does_not_hide_the_video() -> None:
    video_ = {"url": "https://cdn.example/a.mp4", "duration": {}, "id": [], "watermark_url": 3}
    data: dict[str, Any] = {"task_id": LEGACY_REF.id, "task_status": "succeed", "updated_at": "-"}
    data |= {"task_result": {"videos": [7, video_]}, "final_unit_deduction": "free"}

    outcomes = read_answer(asked(LEGACY_REF), answer(200, {"code": 0, "data": data}))

    assert outcomes[LEGACY_REF] == Succeeded(VideoResult(url="https://cdn.example/a.mp4"))


def test_several_bills_are_added() -> None:
    outputs = [{"type": "video", "url": "https://cdn.example/a.mp4"}]
    billing = [
        {"charge_type": "unit", "amount": "1.1"},
        {"charge_type": "unit", "amount": "2.2"},
        {"charge_type": "cash", "amount": "9", "currency": "USD"},
    ]
    entry = {"id": NEW_REF.id, "status": "succeeded", "outputs": outputs, "billing": billing}

    outcome = read_answer(asked(NEW_REF), answer(200, {"code": 0, "data": [entry]}))

    assert outcome[NEW_REF] == Succeeded(
        VideoResult(url="https://cdn.example/a.mp4", cost="3.3", cost_unit="units")
    )


@pytest.mark.parametrize(
    ("name", "ref", "kind", "sentence"),
    [
        (
            "legacy_failed",
            LEGACY_REF,
            FaultKind.FAULT,
            "Kling failed: image download timed out.",
        ),
        (
            "new_failed",
            NEW_REF,
            FaultKind.FAULT,
            "Kling failed: shot 2 is shorter than one second.",
        ),
        ("legacy_failed_by_policy", LEGACY_REF, FaultKind.CONTENT_POLICY, "review"),
        ("new_failed_by_policy", NEW_REF, FaultKind.CONTENT_POLICY, "review"),
    ],
)
def test_failed_jobs(name: str, ref: UpstreamRef, kind: FaultKind, sentence: str) -> None:
    outcome = read_poll(name, ref)[ref]

    assert isinstance(outcome, Failed)
    assert outcome.fault.kind is kind
    assert sentence in outcome.fault.safe_message
    assert not outcome.doubtful


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("legacy_succeeded_without_url", LEGACY_REF),
        ("legacy_succeeded_without_result", LEGACY_REF),
        ("new_succeeded_without_url", NEW_REF),
    ],
)
def test_a_finished_job_without_a_video_is_asked_for_once_more(name: str, ref: UpstreamRef) -> None:
    outcome = read_poll(name, ref)[ref]

    assert isinstance(outcome, Failed)
    assert outcome.fault.kind is FaultKind.FAULT
    assert outcome.doubtful


def test_a_legacy_job_that_kling_does_not_know_is_doubtful() -> None:
    outcome = read_poll("legacy_not_found", LEGACY_REF)[LEGACY_REF]

    assert isinstance(outcome, Failed)
    assert outcome.fault.kind is FaultKind.NOT_FOUND
    assert outcome.doubtful
    assert LEGACY_REF.id not in outcome.fault.safe_message


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("legacy_unknown_status", LEGACY_REF),
        ("legacy_other_job", LEGACY_REF),
        ("new_unknown_status", NEW_REF),
        ("new_empty_list", NEW_REF),
    ],
)
def test_what_says_nothing_of_a_job_is_unreadable(name: str, ref: UpstreamRef) -> None:
    outcome = read_poll(name, ref)[ref]

    assert isinstance(outcome, Unreadable)


@pytest.mark.parametrize(
    "result", ["text", 7, {"videos": "text"}, {"videos": {"url": "https://cdn.example/a.mp4"}}]
)
def test_results_of_another_shape_are_unreadable(result: Any) -> None:
    data = {"task_id": LEGACY_REF.id, "task_status": "succeed", "task_result": result}

    outcomes = read_answer(asked(LEGACY_REF), answer(200, {"code": 0, "data": data}))

    assert isinstance(outcomes[LEGACY_REF], Unreadable)


def test_each_job_of_a_batch_has_its_own_outcome() -> None:
    second = UpstreamRef("930000000000000011", "tasks")
    missing = UpstreamRef("930000000000000021", "tasks")

    outcomes = read_poll("new_batch", NEW_REF, second, missing)

    assert set(outcomes) == {NEW_REF, second, missing}
    assert outcomes[NEW_REF] == Pending(started=True)
    finished = outcomes[second]
    assert isinstance(finished, Succeeded)
    assert finished.result.url == "https://cdn.example/y.mp4"
    assert isinstance(outcomes[missing], Unreadable)


@pytest.mark.parametrize(
    "name",
    [
        "error_1002",
        "error_1102",
        "error_1200",
        "error_1201",
        "error_1203",
        "error_1302",
        "error_1303_in_http_200",
        "error_1201_too_many_ids",
        "error_5000",
        "error_5001",
        "error_5002",
        "error_unknown_code",
        "html_429",
        "html_502",
        "truncated",
        "empty",
        "no_code",
        "not_an_object",
    ],
)
@pytest.mark.parametrize("ref", [LEGACY_REF, NEW_REF])
def test_a_poll_that_could_not_ask_says_nothing_of_the_job(name: str, ref: UpstreamRef) -> None:
    with pytest.raises(ProviderProtocolError):
        read_poll(name, ref)


@pytest.mark.parametrize("status", [408, 429, 500, 502])
def test_not_found_from_an_overloaded_server_is_not_believed(status: int) -> None:
    response = answer(status, {"code": 1201, "message": "Task not found by id: 1"})

    with pytest.raises(ProviderProtocolError):
        asked(LEGACY_REF).read(response)
    with pytest.raises(ProviderProtocolError):
        find(IMAGE).read(response)


def test_a_poll_tells_when_to_ask_again() -> None:
    with pytest.raises(ProviderProtocolError) as by_code:
        read_poll("error_1302_with_retry_after", NEW_REF)
    with pytest.raises(ProviderProtocolError) as by_page:
        read_poll("html_429", NEW_REF)

    assert by_code.value.retry_after_seconds == 7
    assert by_page.value.retry_after_seconds == 3


# Finding


def test_a_submit_is_looked_for_by_our_id() -> None:
    legacy = find(TEXT).request
    new = find("/text-to-video/kling-3.0").request

    assert (legacy.method, str(legacy.url)) == ("GET", f"{HOST}{TEXT}/{CORRELATION}")
    assert (new.method, str(new.url)) == ("GET", f"{HOST}/tasks?external_task_ids={CORRELATION}")


@pytest.mark.parametrize(
    ("name", "endpoint", "found"),
    [
        ("legacy_running", IMAGE, Found(LEGACY_REF)),
        ("legacy_failed", OMNI, Found(UpstreamRef(LEGACY_REF.id, OMNI))),
        ("legacy_not_found", IMAGE, Found(None)),
        ("new_running", "/text-to-video/kling-3.0", Found(NEW_REF)),
        ("new_empty_list", "/text-to-video/kling-3.0", Found(None)),
    ],
)
def test_what_became_of_a_submit(name: str, endpoint: str, found: Found) -> None:
    assert read_find(name, endpoint) == found


@pytest.mark.parametrize(
    "name",
    [
        "error_1002",
        "error_1200",
        "error_1203",
        "error_1303",
        "error_5000",
        "html_502",
        "truncated",
        "empty",
        "no_code",
        "no_id",
        "not_an_object",
    ],
)
@pytest.mark.parametrize("endpoint", [IMAGE, "/text-to-video/kling-3.0"])
def test_a_search_without_an_answer_decides_nothing(name: str, endpoint: str) -> None:
    with pytest.raises(ProviderProtocolError):
        read_find(name, endpoint)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        "",
        [7],
        [{"id": "1", "external_id": "another"}],
        [{"id": "1"}, {"id": "2"}],
        [{"external_id": CORRELATION}],
    ],
)
def test_a_list_that_is_not_about_our_job_decides_nothing(data: Any) -> None:
    response = answer(200, {"code": 0, "data": data})

    with pytest.raises(ProviderProtocolError):
        find("/omni-video/kling-o1").read(response)


@pytest.mark.parametrize(
    "data", [None, {}, [], {"task_id": "1", "task_info": {"external_task_id": "another"}}]
)
def test_a_job_that_is_not_ours_decides_nothing(data: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        find(TEXT).read(answer(200, {"code": 0, "data": data}))


# Kling's own answer


def snapshot(status: TaskStatus, **fields: Any) -> TaskSnapshot:
    return TaskSnapshot(
        id=UUID(int=7),
        account_id=UUID(int=1),
        token_id=UUID(int=1),
        revision=1,
        status=status,
        model="kling-v3",
        provider="kling",
        upstream_model="kling-v3",
        created_at=datetime.fromtimestamp(1790000000.5, UTC),
        **fields,
    )


@pytest.mark.parametrize(
    ("status", "word"),
    [(TaskStatus.QUEUED, "submitted"), (TaskStatus.IN_PROGRESS, "processing")],
)
def test_an_unfinished_task_in_klings_words(status: TaskStatus, word: str) -> None:
    answered = kling.native_answer(snapshot(status, echo={"external_task_id": "theirs"}))

    assert answered == {
        "code": 0,
        "message": "SUCCEED",
        "request_id": "task_00000000000000000000000007",
        "data": {
            "task_id": "task_00000000000000000000000007",
            "task_status": word,
            "task_status_msg": "",
            "task_info": {"external_task_id": "theirs"},
            "created_at": 1790000000500,
            "updated_at": 1790000000500,
        },
    }


def test_a_finished_task_in_klings_words() -> None:
    result = VideoResult(
        url="https://cdn.example/a.mp4",
        watermarked_url="https://cdn.example/m.mp4",
        duration_seconds=5.041,
        upstream_id="930000000000000004",
    )
    outputs = (
        OutputSnapshot(status=TaskStatus.FAILED),
        OutputSnapshot(status=TaskStatus.SUCCEEDED, result=result),
    )
    finished_at = datetime.fromtimestamp(1790000028, UTC)

    answered = kling.native_answer(
        snapshot(TaskStatus.SUCCEEDED, outputs=outputs, finished_at=finished_at)
    )

    assert answered["data"]["task_status"] == "succeed"
    assert answered["data"]["updated_at"] == 1790000028000
    assert answered["data"]["task_info"] == {}
    assert answered["data"]["task_result"] == {
        "videos": [
            {
                "id": "task_00000000000000000000000007_1",
                "url": "https://cdn.example/a.mp4",
                "watermark_url": "https://cdn.example/m.mp4",
                "duration": "5.041",
            }
        ]
    }


@pytest.mark.parametrize("status", [TaskStatus.FAILED, TaskStatus.CANCELLED])
def test_a_task_without_a_video_in_klings_words(status: TaskStatus) -> None:
    answered = kling.native_answer(snapshot(status, error=TaskError("c", "It failed.")))

    assert answered["data"]["task_status"] == "failed"
    assert answered["data"]["task_status_msg"] == "It failed."
    assert "task_result" not in answered["data"]


# Anything at all


ODDITIES: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**30, float("inf"), [], {}, [[]], [None], {"code": 0}),
    *("", "x", "\ud800", "9" * 30, "succeed", "https://[", "https://x/?Expires=99999999999"),
]


def mutated(value: Any, chance: random.Random) -> Any:
    """Replace some part of a JSON value by something that has no business there."""
    if chance.random() < 0.08:
        return chance.choice(ODDITIES)
    if isinstance(value, dict):
        return {key: mutated(item, chance) for key, item in value.items()}
    if isinstance(value, list):
        return [mutated(item, chance) for item in value] * chance.choice([1, 1, 1, 2])
    return value


def garbage(chance: random.Random, bodies: list[Any]) -> bytes:
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(chance.randrange(60))
    encoded = json.dumps(mutated(chance.choice(bodies), chance)).encode()
    if kind == 1:
        return encoded[: chance.randrange(len(encoded) + 1)]
    if kind == 2:
        place = chance.randrange(len(encoded) + 1)
        return encoded[:place] + chance.randbytes(3) + encoded[place:]
    return encoded


def test_any_bytes_are_an_outcome_or_unreadable() -> None:
    chance = random.Random(20261120)  # noqa: S311 - repeatable, guards nothing
    bodies = [
        situation["body"]
        for situation in map(
            json.loads, (path.read_text() for path in (adapters.DATA / "kling").iterdir())
        )
        if "body" in situation
    ]
    read = 0
    for _ in range(6000):
        status = chance.choice([200, 200, 200, 400, 401, 404, 429, 500, 502])
        content = garbage(chance, bodies)
        ref = chance.choice([LEGACY_REF, NEW_REF])
        endpoint = IMAGE if ref is LEGACY_REF else "/image-to-video/kling-2.6"
        response = httpx.Response(status, content=content)
        try:
            submission = sent_to(endpoint).read(response)
            assert isinstance(submission, Submission | Rejected)
            read += 1
        except ProviderProtocolError:
            pass
        try:
            outcomes = read_answer(asked(ref), response)
            assert set(outcomes) == {ref}
            read += 1
        except ProviderProtocolError:
            pass
        try:
            assert isinstance(find(endpoint).read(response), Found)
            read += 1
        except ProviderProtocolError:
            pass
    assert read > 500


def test_any_metadata_is_sent_or_refused_by_name() -> None:
    chance = random.Random(20261121)  # noqa: S311 - repeatable, guards nothing
    names = ["image", "image_tail", "image_list", "video_list", "element_list", "prompt", "mode"]
    names += [
        "duration",
        "sound",
        "aspect_ratio",
        "contents",
        "settings",
        "options",
        "multi_prompt",
    ]
    inner = [{"type": "first_frame"}, {"type": []}, {"type": "base_video"}, {"refer_type": {}}]
    inner += [{"duration": "x", "resolution": [], "audio": {}}, {"type": "prompt", "text": 3}]
    models = [*kling.capabilities.models, "kling-v9"]
    sent = 0
    refused = set()
    for _ in range(3000):
        values = [*ODDITIES, *inner, chance.sample(inner, 2)]
        metadata = {name: chance.choice(values) for name in chance.sample(names, 4)}
        request = video(chance.choice(models), metadata=metadata, images=(A,) * chance.randrange(3))
        try:
            body = json.loads(submit(request).content)
        except UnsupportedParameterError as error:
            param = str(error.param)
            refused.add(param if param.startswith("settings.r") else param.partition(".")[0])
            continue
        sent += 1
        is_new = request.model.removeprefix("kling-")[:2] in {"3.", "2.", "o1"}
        for name in {*metadata} - {"options", "settings", "contents"}:
            if is_new:
                # What it says is told in other words; `test_kling_words` has which.
                assert name == "prompt" or name not in body
                continue
            expected = metadata[name]
            assert name not in body if expected is None else name in body
            if not isinstance(expected, dict):
                assert body.get(name) == expected
    assert sent > 50
    # The last ones are what a product without models cannot do without.
    needed = {"image", "image_tail", "sound_file", "session_id", "effect_scene", "video_url"}
    judged = {"duration", "sound", "aspect_ratio", "mode", "image_list", "video_list"}
    judged |= {"settings.duration", "settings.resolution", "settings.audio", "cfg_scale"}
    judged |= {"image", "element_list", "multi_prompt", "contents", "settings"}
    assert refused <= {"prompt", "options", "images"} | needed | judged


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"code":' + b"9" * 5000 + b"}",
        b'{"code":NaN}',
        b'{"code":true}',
        b'{"code":0.0}',
        b"\xff\xfe{\x00",
        b'{"code":0,"data":{"task_id":' + b"1" * 5000 + b"}}",
    ],
)
def test_hostile_json_is_unreadable(content: bytes) -> None:
    with pytest.raises(ProviderProtocolError):
        sent_to(IMAGE).read(httpx.Response(200, content=content))
