"""The Vidu adapter: golden requests, the documented replies, and answers nobody should send."""

import base64
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from tests.support.upstreams import SITUATIONS
from tests.support.vidu import (
    IDS,
    KEY,
    NOW,
    REF,
    VIDU,
    ask,
    find,
    poll,
    read_find,
    read_poll,
    read_submission,
    reply,
    submit,
)

from vidgate.exceptions import (
    ConfigurationError,
    ProviderProtocolError,
    UnsupportedParameterError,
)
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import (
    Failed,
    FaultKind,
    Found,
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
from vidgate.providers.base import Action, RunFacts, SubmitIds

DATA = Path(__file__).parents[1] / "data" / "vidu"
EXAMPLES = Path(__file__).parents[1] / "data" / "examples"

A, B, C, D = (Image(url=f"https://a.example.test/{number}.jpg") for number in range(4))
URLS = [image.url for image in (A, B, C, D)]
PNG = Image(content=b"\x89PNG\r\n\x1a\n", media_type="image/png")


# Golden requests

GOLDEN: dict[str, tuple[VideoRequest, str, dict[str, Any]]] = {
    "text": (
        ask("viduq3-pro", duration_seconds=16, width=1920, height=1080, seed=7),
        "text2video",
        {"duration": 16, "resolution": "1080p", "aspect_ratio": "16:9", "seed": 7},
    ),
    "text, nothing asked": (ask("viduq2"), "text2video", {}),
    "text, portrait": (
        ask("viduq2", width=720, height=1280),
        "text2video",
        {"resolution": "720p", "aspect_ratio": "9:16"},
    ),
    "text, ratio alone": (
        ask("viduq3-turbo", aspect_ratio="4:3"),
        "text2video",
        {"aspect_ratio": "4:3"},
    ),
    "text, only tier of the model": (
        ask("viduq1", width=1080, height=1080, duration_seconds=5.0),
        "text2video",
        {"duration": 5, "resolution": "1080p", "aspect_ratio": "1:1"},
    ),
    "text, vendor fields": (
        ask("viduq1", metadata={"style": "anime", "brand_new": {"a": [1]}}),
        "text2video",
        {"style": "anime", "brand_new": {"a": [1]}},
    ),
    "metadata wins": (
        ask("viduq2", duration_seconds=99, metadata={"duration": 6, "prompt": "b"}),
        "text2video",
        {"duration": 6, "prompt": "b"},
    ),
    "null removes": (
        ask("viduq2", duration_seconds=5, metadata={"duration": None}),
        "text2video",
        {},
    ),
    "first frame": (
        ask("viduq3-pro-fast", images=(A,), duration_seconds=4, width=1280, height=720),
        "img2video",
        {"images": URLS[:1], "duration": 4, "resolution": "720p"},
    ),
    "first frame without a prompt": (
        ask("viduq2-turbo", images=(A,), prompt=""),
        "img2video",
        {"images": URLS[:1], "prompt": None},
    ),
    "first frame inline": (
        ask("viduq2-pro", images=(PNG,)),
        "img2video",
        {"images": ["data:image/png;base64,iVBORw0KGgo="]},
    ),
    "Q4 first frame in 4K": (
        ask("viduq4-preview", images=(A,), duration_seconds=3, width=3840, height=2160),
        "img2video",
        {"images": URLS[:1], "duration": 3, "resolution": "4K"},
    ),
    "Q4, two pictures are references": (
        ask("viduq4-preview", images=(A, B), width=2560, height=1440),
        "reference2video",
        {"images": URLS[:2], "resolution": "2K", "aspect_ratio": "16:9"},
    ),
    "Q4 with sounds": (
        ask("viduq4-preview", images=(A,), metadata={"sounds": ["https://a.example.test/v.mp3"]}),
        "reference2video",
        {"images": URLS[:1], "sounds": ["https://a.example.test/v.mp3"]},
    ),
    "first and last frame": (
        ask("viduq2-pro", images=(A, B), duration_seconds=8, width=1920, height=1080),
        "start-end2video",
        {"images": URLS[:2], "duration": 8, "resolution": "1080p"},
    ),
    "three references": (
        ask("viduq3-turbo", images=(A, B, C), duration_seconds=3, aspect_ratio="3:4"),
        "reference2video",
        {"images": URLS[:3], "duration": 3, "aspect_ratio": "3:4"},
    ),
    "reference-only model": (
        ask("viduq3-mix", images=(A,), duration_seconds=1),
        "reference2video",
        {"images": URLS[:1], "duration": 1},
    ),
    "model without a first frame": (
        ask("viduq2", images=(A,)),
        "reference2video",
        {"images": URLS[:1]},
    ),
    "model without first and last frame": (
        ask("viduq2", images=(A, B)),
        "reference2video",
        {"images": URLS[:2]},
    ),
    "automatic duration": (
        ask("viduq2-pro", images=(A, B, C), duration_seconds=0),
        "reference2video",
        {"images": URLS[:3], "duration": 0},
    ),
    "subjects": (
        ask("viduq3", metadata={"subjects": [{"name": "mia", "server_id": "9"}]}),
        "reference2video",
        {"subjects": [{"name": "mia", "server_id": "9"}]},
    ),
    "subjects in any ratio": (
        ask("viduq3", width=2520, height=1080, metadata={"subjects": [{"name": "mia"}]}),
        "reference2video",
        {"subjects": [{"name": "mia"}], "resolution": "1080p", "aspect_ratio": "7:3"},
    ),
    "videos": (
        ask("viduq2-pro", metadata={"videos": ["https://a.example.test/v.mp4"]}),
        "reference2video",
        {"videos": ["https://a.example.test/v.mp4"]},
    ),
    "images in metadata": (
        ask("viduq3-pro", images=(C,), metadata={"images": URLS[:2]}),
        "start-end2video",
        {"images": URLS[:2]},
    ),
    "action of new-api": (
        ask("viduq3-turbo", images=(A,), metadata={"action": "referenceGenerate"}),
        "reference2video",
        {"images": URLS[:1]},
    ),
    "endpoint by name": (
        ask("viduq3-turbo", images=(A, B), metadata={"action": "reference2video"}),
        "reference2video",
        {"images": URLS[:2]},
    ),
    "old model, eight seconds": (
        ask("vidu2.0", images=(A,), duration_seconds=8, width=1280, height=720),
        "img2video",
        {"images": URLS[:1], "duration": 8, "resolution": "720p"},
    ),
    "old model, small": (
        ask("vidu2.0", images=(A, B, C), duration_seconds=4, width=640, height=360),
        "reference2video",
        {"images": URLS[:3], "duration": 4, "resolution": "360p", "aspect_ratio": "16:9"},
    ),
    "unknown model, by count, untouched": (
        ask("vidu9", images=(A, B), duration_seconds=61.5, width=7680, height=4320),
        "start-end2video",
        {"images": URLS[:2], "duration": 61.5, "resolution": "8K"},
    ),
    "unknown model, odd size": (
        ask("vidu9", prompt="", width=1000, height=100, seed=-1),
        "text2video",
        {"prompt": None, "resolution": "100p", "aspect_ratio": "10:1", "seed": -1},
    ),
    "unknown model, common size": (
        ask("vidu9", width=854, height=480),
        "text2video",
        {"resolution": "480p", "aspect_ratio": "16:9"},
    ),
    "withheld": (
        ask(
            "viduq1",
            metadata={
                "payload": "theirs",
                "external_task_id": "theirs",
                "callback_url": "https://theirs.example.test",
                "model": "viduq4-preview",
                "model_name": "viduq4-preview",
            },
        ),
        "text2video",
        {},
    ),
    "not only ASCII": (ask("viduq1", prompt="宇航员 🚀"), "text2video", {"prompt": "宇航员 🚀"}),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_request(name: str) -> None:
    request, endpoint, expected = GOLDEN[name]
    body = {"model": request.model, "prompt": "a paper boat", "payload": "att_01", **expected}
    sent = submit(VIDU.translate(request))
    assert sent.method == "POST"
    assert str(sent.url) == f"https://api.vidu.com/ent/v2/{endpoint}"
    assert sent.headers["authorization"] == f"Token {KEY}"
    assert sent.headers["content-type"] == "application/json"
    assert json.loads(sent.content) == {k: v for k, v in body.items() if v is not None}


def test_body_is_compact_utf8() -> None:
    sent = submit(VIDU.translate(ask("viduq1", prompt="宇")))
    assert sent.content == '{"model":"viduq1","prompt":"宇","payload":"att_01"}'.encode()


def test_half_a_surrogate_pair_is_escaped() -> None:
    sent = submit(VIDU.translate(ask("viduq1", prompt="\ud83d")))
    assert json.loads(sent.content)["prompt"] == "\ud83d"


def test_documented_example() -> None:
    example = json.loads((EXAMPLES / "vidu.request.json").read_text())
    request = VideoRequest(
        model=example["model"],
        prompt=example["prompt"],
        width=1920,
        height=1080,
        images=(Image(url=example["image"]),),
        duration_seconds=example["duration"],
        metadata=example["metadata"],
    )
    translation = VIDU.translate(request)
    assert translation.endpoint == "/ent/v2/img2video"
    assert translation.ignored == ()
    assert translation.adjusted == ()
    assert translation.facts == RunFacts(
        model="viduq1",
        duration_seconds=5,
        resolution="1080p",
        sound=False,
        action=Action.FIRST_FRAME,
        recommended_prompt=False,
    )
    assert json.loads(submit(translation).content) == {
        "model": "viduq1",
        "images": [example["image"]],
        "prompt": example["prompt"],
        "duration": 5,
        "seed": 0,
        "resolution": "1080p",
        "movement_amplitude": "auto",
        "bgm": False,
        "payload": "att_01",
    }


def test_our_callback_url_is_given() -> None:
    ids = SubmitIds(correlation="att_01", callback_url="https://svc.example.test/cb/1")
    assert json.loads(submit(ids=ids).content)["callback_url"] == "https://svc.example.test/cb/1"


def test_translating_changes_no_metadata() -> None:
    metadata = {"action": "referenceGenerate", "payload": "theirs", "subjects": [{"id": "mia"}]}
    kept = json.loads(json.dumps(metadata))
    VIDU.translate(ask("viduq3-turbo", metadata=metadata))
    assert metadata == kept


@pytest.mark.parametrize("credential", ["", "two words", "Token vda_1", "vda_1\n", "vda_é"])
def test_credential_in_another_form(credential: str) -> None:
    channel = ChannelAccess("https://api.vidu.com", SecretStr(credential))
    with pytest.raises(ConfigurationError) as caught:
        VIDU.check_credential(credential)
    assert not credential or credential not in str(caught.value)
    with pytest.raises(ConfigurationError):
        VIDU.submit(VIDU.translate(ask("viduq1")), channel, IDS, NOW)


# What cannot be honoured

REFUSED: dict[str, tuple[VideoRequest, str, str]] = {
    "duration": (ask("viduq1", duration_seconds=6), "duration", "5"),
    "duration of the endpoint": (
        ask("viduq2-pro", images=(A, B), duration_seconds=9),
        "duration",
        "1, 2, 3, 4, 5, 6, 7, 8",
    ),
    "too short for references": (
        ask("viduq3-turbo", images=(A, B, C), duration_seconds=2),
        "duration",
        "3, 4",
    ),
    "half a second": (ask("viduq2", duration_seconds=2.5), "duration", "1, 2"),
    "no text2video": (ask("viduq2-pro"), "images", "1, 2, 3"),
    "references only": (ask("viduq3"), "images", "1, 2, 3, 4, 5, 6, 7"),
    "one picture only": (ask("viduq3-pro-fast", images=(A, B)), "images", "1"),
    "no references": (ask("viduq3-pro", images=(A, B, C)), "images", "0, 1, 2"),
    "too many references": (ask("viduq3", images=(A,) * 8), "images", "7"),
    "few references": (ask("vidu2.0", images=(A,) * 4), "images", "1, 2, 3"),
    "too many for Q4": (ask("viduq4-preview", images=(A,) * 16), "images", "15"),
    "number against the action": (
        ask("viduq3-turbo", images=(A, B), metadata={"action": "generate"}),
        "images",
        "Allowed: 1.",
    ),
    "size too large": (ask("viduq3-pro", width=3840, height=2160), "size", "1080p"),
    "shape": (ask("viduq3-pro", width=3000, height=1000), "size", "16:9"),
    "ratio of newer models": (ask("viduq1", aspect_ratio="4:3"), "size", "16:9, 9:16, 1:1"),
    "gif": (
        ask("viduq1", images=(Image(content=b"GIF89a", media_type="image/gif"),)),
        "image",
        "image/png, image/jpeg, image/webp",
    ),
    "unknown bytes": (ask("viduq1", images=(Image(content=b"?"),)), "image", "png"),
    "no prompt": (ask("viduq2", prompt=" "), "prompt", "needs"),
    "no prompt for references": (ask("viduq2", prompt="", images=(A,)), "prompt", "needs"),
    "long prompt": (ask("viduq2", prompt="x" * 5001), "prompt", "5000"),
    "very long prompt": (
        ask("viduq4-preview", prompt="x" * 20001, images=(A,)),
        "prompt",
        "20000",
    ),
    "priced field in another spelling": (
        ask("viduq2", metadata={"Duration": 10}),
        "Duration",
        "duration",
    ),
    "callback in another spelling": (
        ask("viduq2", metadata={"callbackUrl": "https://theirs.example.test"}),
        "callbackUrl",
        "callback_url",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_any_call(name: str) -> None:
    request, param, told = REFUSED[name]
    with pytest.raises(UnsupportedParameterError) as caught:
        VIDU.translate(request)
    assert caught.value.param == param
    assert told in caught.value.message


def test_prompt_as_long_as_it_may_be() -> None:
    VIDU.translate(ask("viduq2", prompt="x" * 5000))
    VIDU.translate(ask("viduq4-preview", prompt="x" * 20000, images=(A,)))


def test_vendor_fields_of_an_unknown_model_are_the_vendors_to_judge() -> None:
    body = VIDU.translate(
        ask("viduq9", metadata={"duration": 99, "resolution": "9p", "aspect_ratio": "7:1"})
    ).body
    assert (body["duration"], body["resolution"], body["aspect_ratio"]) == (99, "9p", "7:1")


def test_body_of_twenty_megabytes() -> None:
    fits = Image(content=bytes(15 * 1024 * 1024 - 8192), media_type="image/jpeg")
    sent = submit(VIDU.translate(ask("viduq1", images=(fits,))))
    assert len(sent.content) <= 20 * 1024 * 1024
    with pytest.raises(UnsupportedParameterError) as caught:
        VIDU.translate(ask("viduq2", images=(fits, PNG, fits)))
    assert caught.value.param == "image"


def test_inline_picture_in_metadata_counts_too() -> None:
    picture = "data:image/png;base64," + base64.b64encode(bytes(16 * 1024 * 1024)).decode()
    with pytest.raises(UnsupportedParameterError) as caught:
        VIDU.translate(ask("viduq1", metadata={"images": [picture]}))
    assert caught.value.param == "image"


# What is said about the translation

TOLD: dict[str, tuple[VideoRequest, tuple[str, ...], tuple[str, ...]]] = {
    "nothing": (ask("viduq2", seed=1), (), ()),
    "fps and user": (ask("viduq2", fps=24, user="u"), ("fps", "user"), ()),
    "ratio with a first frame": (ask("viduq3-pro", images=(A,), aspect_ratio="1:1"), ("size",), ()),
    "shape with a first frame": (ask("viduq3-pro", images=(A,), width=720, height=720), (), ()),
    "next tier": (ask("viduq2", width=800, height=800), (), ("size=1:1@1080p",)),
    "nearest ratio": (ask("viduq2", width=1152, height=720), (), ("size=16:9@720p",)),
    "tier of the frame": (
        ask("viduq3-pro", images=(A,), width=800, height=800),
        (),
        ("size=1080p",),
    ),
    "eight seconds of the old model": (
        ask("vidu2.0", images=(A,), duration_seconds=8, width=960, height=540),
        (),
        ("size=720p",),
    ),
    "metadata says both": (
        ask(
            "viduq2", width=1280, height=720, metadata={"resolution": "720p", "aspect_ratio": "1:1"}
        ),
        (),
        (),
    ),
    "unknown model": (ask("vidu9", images=(A,), aspect_ratio="1:1"), ("size",), ()),
}


@pytest.mark.parametrize("name", TOLD)
def test_ignored_and_adjusted(name: str) -> None:
    request, ignored, adjusted = TOLD[name]
    translation = VIDU.translate(request)
    assert translation.ignored == ignored
    assert translation.adjusted == adjusted


FACTS: dict[str, tuple[VideoRequest, RunFacts]] = {
    "defaults of Q3": (
        ask("viduq3-pro"),
        RunFacts(model="viduq3-pro", duration_seconds=5, resolution="720p", sound=True),
    ),
    "defaults of Q4": (
        ask("viduq4-preview", images=(A,)),
        RunFacts(model="viduq4-preview", duration_seconds=5, resolution="720p", sound=True),
    ),
    "defaults of Q2": (
        ask("viduq2"),
        RunFacts(model="viduq2", duration_seconds=5, resolution="720p", sound=False),
    ),
    "defaults of 2.0": (
        ask("vidu2.0", images=(A,)),
        RunFacts(model="vidu2.0", duration_seconds=4, resolution="360p", sound=False),
    ),
    "2.0 at eight seconds": (
        ask("vidu2.0", images=(A,), duration_seconds=8),
        RunFacts(model="vidu2.0", duration_seconds=8, resolution="720p", sound=False),
    ),
    "sound off": (
        ask("viduq3-pro", metadata={"audio": False}),
        RunFacts(model="viduq3-pro", duration_seconds=5, resolution="720p", sound=False),
    ),
    "raised in metadata": (
        ask(
            "viduq3-pro",
            duration_seconds=1,
            metadata={"duration": "16", "resolution": "1080p", "audio": True},
        ),
        RunFacts(model="viduq3-pro", duration_seconds=16, resolution="1080p", sound=True),
    ),
    "zero is the default": (
        ask("viduq3-pro", metadata={"duration": 0}),
        RunFacts(model="viduq3-pro", duration_seconds=5, resolution="720p", sound=True),
    ),
    "automatic": (
        ask("viduq2-pro", images=(A, B, C), duration_seconds=0),
        RunFacts(model="viduq2-pro", duration_seconds=None, resolution="720p", sound=False),
    ),
    "nonsense": (
        ask("viduq9", metadata={"duration": [5], "resolution": 7, "audio": "yes"}),
        RunFacts(model="viduq9"),
    ),
    "unknown model, other case": (
        ask("viduq9", metadata={"duration": 5, "resolution": "1080P"}),
        RunFacts(model="viduq9", duration_seconds=5, resolution="1080p"),
    ),
    "unknown model": (ask("vidu9"), RunFacts(model="vidu9")),
    "off peak": (
        ask("viduq1", metadata={"off_peak": True}),
        RunFacts(
            model="viduq1", duration_seconds=5, resolution="1080p", sound=False, off_peak=True
        ),
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_facts_come_from_the_merged_body(name: str) -> None:
    request, facts = FACTS[name]
    assert replace(VIDU.translate(request).facts, action=None, recommended_prompt=None) == facts


def test_audio_and_resolution_are_not_defaulted() -> None:
    assert VIDU.translate(ask("viduq3-pro")).body == {
        "model": "viduq3-pro",
        "prompt": "a paper boat",
    }


def test_details_tell_the_action() -> None:
    assert VIDU.translate(ask("viduq2", images=(A,))).details == {"action": "references"}


def test_pace() -> None:
    usual = VIDU.translate(ask("viduq1")).pace
    large = VIDU.translate(ask("viduq4-preview", images=(A,), width=3840, height=2160)).pace
    slow = VIDU.translate(ask("viduq1", metadata={"off_peak": True})).pace
    assert usual.first_ask == timedelta(seconds=20)
    assert (usual.interval, usual.max_interval) == (timedelta(seconds=5), timedelta(seconds=15))
    assert usual.deadline == timedelta(minutes=30) < large.deadline
    assert (slow.interval, slow.max_interval) == (timedelta(seconds=60), timedelta(seconds=300))
    assert slow.deadline > timedelta(hours=48)


# Answers to a submit


def test_submitted() -> None:
    outcome = read_submission(reply("submitted"))
    assert outcome == Submission(UpstreamRef("900000000000000001"), seed=1309108947, cost="55")


@pytest.mark.parametrize(
    ("name", "seed", "cost"),
    [
        ("submitted-multiframe", None, "95"),
        ("submitted-template", 77, "40"),
        ("submitted-lip-sync", None, "30"),
    ],
)
def test_submitted_elsewhere(name: str, seed: int | None, cost: str) -> None:
    outcome = read_submission(reply(name))
    assert outcome == Submission(UpstreamRef("900000000000000001"), seed=seed, cost=cost)


def test_a_job_that_failed_at_once_exists() -> None:
    outcome = read_submission(reply("submitted-failed"))
    assert isinstance(outcome, Submission)


def test_id_as_a_number_and_broken_credits() -> None:
    outcome = read_submission(reply("submitted-number-id"))
    assert outcome == Submission(UpstreamRef("900000000000000001"), cost="30.5")


def error(
    code: int,
    reason: Any,
    *,
    message: str = "m",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> httpx.Response:
    body = {"code": code, "reason": reason, "message": message, **more}
    return httpx.Response(code, headers=headers, json=body)


CODES = [
    (400, "BadRequest", FaultKind.BAD_PARAMETER),
    (400, "CODEC", FaultKind.BAD_PARAMETER),
    (400, "FieldLacking", FaultKind.BAD_PARAMETER),
    (400, "FieldUnwanted", FaultKind.BAD_PARAMETER),
    (400, "FieldInvalid", FaultKind.BAD_PARAMETER),
    (400, "FieldItemCountOutOfRange", FaultKind.BAD_PARAMETER),
    (400, "FieldNew", FaultKind.BAD_PARAMETER),
    (400, "PageSizeOutOfRange", FaultKind.BAD_PARAMETER),
    (400, "ImageDownloadFailure", FaultKind.BAD_PARAMETER),
    (400, "ImageFormatInvalid", FaultKind.BAD_PARAMETER),
    (400, "ImageCheckBodyJointsFailed", FaultKind.BAD_PARAMETER),
    (400, "ImageCheckFaceFailed", FaultKind.BAD_PARAMETER),
    (400, "ImageObjectsUndetected", FaultKind.BAD_PARAMETER),
    (400, "ImageSizeInvalid", FaultKind.BAD_PARAMETER),
    (400, "NoFaceDetected", FaultKind.BAD_PARAMETER),
    (400, "MultiFaceDetected", FaultKind.BAD_PARAMETER),
    (409, "Conflict", FaultKind.BAD_PARAMETER),
    (400, "TaskPromptPolicyViolation", FaultKind.CONTENT_POLICY),
    (400, "AuditSubmitIllegal", FaultKind.CONTENT_POLICY),
    (400, "CreationPolicyViolation", FaultKind.CONTENT_POLICY),
    (400, "PhotoAuditNotPass", FaultKind.CONTENT_POLICY),
    (400, "AuditFailed", FaultKind.CONTENT_POLICY),
    (400, "CreditInsufficient", FaultKind.BALANCE),
    (402, "CreditInsufficient", FaultKind.BALANCE),
    (400, "ModelUnavailable", FaultKind.MODEL_UNAVAILABLE),
    (401, "Unauthorized", FaultKind.CREDENTIAL),
    (403, "Forbidden", FaultKind.CREDENTIAL),
    (429, "QuotaExceeded", FaultKind.CONCURRENCY),
    (429, "TooManyRequests", FaultKind.RATE),
    (429, "SystemThrottling", FaultKind.RATE),
    (400, "OperationInProcess", FaultKind.RATE),
    (400, "UserCancelled", FaultKind.CANCELLED),
]


@pytest.mark.parametrize(("status", "code", "kind"), CODES)
def test_code_at_submit(status: int, code: str, kind: FaultKind) -> None:
    outcome = read_submission(error(status, code))
    assert isinstance(outcome, Rejected)
    assert (outcome.fault.kind, outcome.fault.code) == (kind, code)


@pytest.mark.parametrize(("status", "code", "kind"), CODES)
def test_code_of_a_failed_job(status: int, code: str, kind: FaultKind) -> None:
    assert status
    body = {"id": REF.id, "state": "failed", "err_code": code, "creations": []}
    outcome = read_poll(httpx.Response(200, json=body))
    assert isinstance(outcome, Failed)
    assert (outcome.fault.kind, outcome.fault.code) == (kind, code)
    assert not outcome.doubtful


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        (error(418, "Brandnew"), FaultKind.BAD_PARAMETER, "Brandnew"),
        (error(401, None), FaultKind.CREDENTIAL, "HTTP_401"),
        (error(429, ""), FaultKind.RATE, "HTTP_429"),
        (error(404, "NotFound"), FaultKind.FAULT, "NotFound"),
        (
            httpx.Response(400, json={"code": "FieldInvalid"}),
            FaultKind.BAD_PARAMETER,
            "FieldInvalid",
        ),
        (
            httpx.Response(400, json={"err_code": "AuditFailed"}),
            FaultKind.CONTENT_POLICY,
            "AuditFailed",
        ),
        (httpx.Response(413, json={"code": 413}), FaultKind.BAD_PARAMETER, "HTTP_413"),
        (httpx.Response(403, json={"message": "no key"}), FaultKind.CREDENTIAL, "HTTP_403"),
    ],
)
def test_other_forms_of_errors(response: httpx.Response, kind: FaultKind, code: str) -> None:
    outcome = read_submission(response)
    assert isinstance(outcome, Rejected)
    assert (outcome.fault.kind, outcome.fault.code) == (kind, code)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"code": 400, "reason": "BadRequest"}, FaultKind.BAD_PARAMETER),
        ({"code": 400, "message": "bad", "data": None}, FaultKind.BAD_PARAMETER),
        ({"code": "400", "message": "bad"}, FaultKind.BAD_PARAMETER),
        ({"code": "CreditInsufficient"}, FaultKind.BALANCE),
        ({"err_code": "AuditSubmitIllegal", "state": "failed"}, FaultKind.CONTENT_POLICY),
        ({"reason": "ModelUnavailable"}, FaultKind.MODEL_UNAVAILABLE),
        ({"code": 401, "message": "no key"}, FaultKind.CREDENTIAL),
        ({"code": 429, "message": "slow"}, FaultKind.RATE),
        ({"code": 404, "message": "Not Found"}, FaultKind.FAULT),
    ],
)
def test_an_explicit_error_in_a_success_is_a_refusal(body: dict[str, Any], kind: FaultKind) -> None:
    outcome = read_submission(httpx.Response(200, json=body))

    assert isinstance(outcome, Rejected)
    assert outcome.fault.kind is kind


def test_rejected_names_the_field_to_the_client() -> None:
    outcome = read_submission(reply("rejected"))
    assert isinstance(outcome, Rejected)
    assert outcome.fault.safe_message == "The model does not take the value of a field: resolution."
    assert "trace: 5f0c9a" in outcome.fault.message


def test_rejected_with_a_textual_code() -> None:
    outcome = read_submission(reply("rejected-balance"))
    assert isinstance(outcome, Rejected)
    assert outcome.fault.kind is FaultKind.BALANCE


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("rejected-credential", FaultKind.CREDENTIAL),
        ("rejected-concurrency", FaultKind.CONCURRENCY),
        ("rejected-model", FaultKind.MODEL_UNAVAILABLE),
    ],
)
def test_rejected_for_what_another_channel_or_time_may_cure(name: str, kind: FaultKind) -> None:
    outcome = read_submission(reply(name))
    assert isinstance(outcome, Rejected)
    assert outcome.fault.kind is kind


def test_rejected_for_its_content() -> None:
    outcome = read_submission(reply("rejected-policy"))
    assert isinstance(outcome, Rejected)
    assert outcome.fault.kind is FaultKind.CONTENT_POLICY
    assert "content policy" in outcome.fault.safe_message


def test_rate_limited_submit_says_how_long() -> None:
    outcome = read_submission(reply("rate-limited"))
    assert isinstance(outcome, Rejected)
    assert outcome.fault.kind is FaultKind.RATE
    assert outcome.fault.retry_after_seconds == 7


def test_nothing_of_ours_or_theirs_in_a_safe_message() -> None:
    response = error(
        400,
        "FieldInvalid",
        message=f"invalid field: duration of 900000000000000001 at api.vidu.com, {KEY}\x00",
        metadata={"fields": f"duration, org_77, {KEY}", "trace_id": "t"},
    )
    outcome = read_submission(response)
    assert isinstance(outcome, Rejected)
    assert outcome.fault.safe_message == "The model does not take the value of a field: duration."
    assert KEY not in outcome.fault.message
    assert outcome.fault.message.isprintable()


UNCLEAR_SUBMITS: dict[str, Callable[[], httpx.Response]] = {
    "500": lambda: reply("server-error"),
    "502 in HTML": lambda: reply("bad-gateway"),
    "503 that says throttling": lambda: error(503, "SystemThrottling"),
    "499": lambda: error(499, "Canceled"),
    "408": lambda: error(408, "Timeout"),
    "400 that says internal": lambda: error(400, "InternalServiceFailure"),
    "403 in HTML": lambda: reply("html-refusal"),
    "400 without a body": lambda: httpx.Response(400),
    "400 with an empty object": lambda: httpx.Response(400, json={}),
    "400 with an array": lambda: httpx.Response(400, json=[1]),
    "redirect": lambda: httpx.Response(302, headers={"location": "https://e.example.test"}),
    "200 without an id": lambda: reply("submitted-without-id"),
    "200 truncated": lambda: reply("malformed"),
    "200 with a server's error": lambda: httpx.Response(200, json={"code": 500, "message": "m"}),
    "200 that says internal": lambda: httpx.Response(
        200, json={"code": 400, "reason": "InternalServiceFailure"}
    ),
    "200 with an error and an id": lambda: httpx.Response(
        200, json={"code": 400, "reason": "BadRequest", "id": "17"}
    ),
    "200 with success": lambda: httpx.Response(200, json={"code": "success", "message": "m"}),
    "200 with a path for an id": lambda: httpx.Response(200, json={"task_id": "../credits"}),
    "200 with true for an id": lambda: httpx.Response(200, json={"task_id": True}),
    "200 too deep": lambda: httpx.Response(200, content=b"[" * 100_000),
    "200 with a huge number": lambda: httpx.Response(200, content=b'{"task_id":' + b"9" * 9999),
    "204": lambda: httpx.Response(204),
}


@pytest.mark.parametrize("name", UNCLEAR_SUBMITS)
def test_unclear_submit(name: str) -> None:
    with pytest.raises(ProviderProtocolError):
        read_submission(UNCLEAR_SUBMITS[name]())


# Answers to a poll


def test_poll_request() -> None:
    sent = poll()
    assert sent.method == "GET"
    assert str(sent.url) == "https://api.vidu.com/ent/v2/tasks/900000000000000001/creations"
    assert sent.headers["authorization"] == f"Token {KEY}"


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("created", Pending(started=False)),
        ("queueing", Pending(started=False)),
        ("running", Pending(started=True, progress=42)),
    ],
)
def test_pending(name: str, outcome: Pending) -> None:
    assert read_poll(reply(name)) == outcome


@pytest.mark.parametrize("progress", [-1, 101, 4.5, "50", True, None])
def test_progress_that_is_no_percentage(progress: Any) -> None:
    response = httpx.Response(200, json={"state": "processing", "progress": progress})
    assert read_poll(response) == Pending(started=True)


def test_succeeded() -> None:
    assert read_poll(reply("succeeded")) == Succeeded(
        VideoResult(
            url="https://cdn.example.test/c.mp4",
            cover_url="https://cdn.example.test/c.jpg",
            expires_at=NOW + timedelta(hours=24),
            duration_seconds=5.04,
            fps=24,
            width=1280,
            height=720,
            cost="55",
            cost_unit="credits",
            upstream_id="900000000000000002",
        )
    )


def test_succeeded_with_a_signed_url_and_zeros() -> None:
    outcome = read_poll(reply("succeeded-signed"))
    assert isinstance(outcome, Succeeded)
    result = outcome.result
    assert result.expires_at == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    assert result.cover_url is None
    assert result.watermarked_url == "https://cdn.example.test/w.mp4"
    measures = (result.duration_seconds, result.fps, result.width, result.height)
    assert measures == (None, None, None, None)


@pytest.mark.parametrize(
    ("query", "expires_at"),
    [
        ("Expires=1795163400&Signature=x", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("X-Amz-Date=20269999T999999Z&X-Amz-Expires=60", NOW + timedelta(hours=24)),
        ("X-Amz-Date=99991231T235959Z&X-Amz-Expires=9999999", NOW + timedelta(hours=24)),
        ("X-Amz-Expires=60", NOW + timedelta(hours=24)),
        ("Expires=soon", NOW + timedelta(hours=24)),
    ],
)
def test_expiry(query: str, expires_at: datetime) -> None:
    url = f"https://cdn.example.test/c.mp4?{query}"
    outcome = read_poll(httpx.Response(200, json={"state": "success", "creations": [{"url": url}]}))
    assert isinstance(outcome, Succeeded)
    assert outcome.result.url == url
    assert outcome.result.expires_at == expires_at


def test_creations_as_one_object() -> None:
    body = {"state": "success", "creations": {"id": "9", "url": "https://cdn.example.test/c.mp4"}}
    assert isinstance(read_poll(httpx.Response(200, json=body)), Succeeded)


@pytest.mark.parametrize(
    "response",
    [
        reply("succeeded-without-url"),
        httpx.Response(200, json={"state": "success"}),
        httpx.Response(200, json={"state": "success", "creations": []}),
    ],
)
def test_success_without_a_video_is_doubted(response: httpx.Response) -> None:
    outcome = read_poll(response)
    assert isinstance(outcome, Failed)
    assert outcome.fault.kind is FaultKind.FAULT
    assert outcome.doubtful


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("failed", FaultKind.CONTENT_POLICY),
        ("failed-cancelled", FaultKind.CANCELLED),
        ("failed-unknown", FaultKind.FAULT),
    ],
)
def test_failed(name: str, kind: FaultKind) -> None:
    outcome = read_poll(reply(name))
    assert isinstance(outcome, Failed)
    assert outcome.fault.kind is kind
    assert not outcome.doubtful


@pytest.mark.parametrize("state", ["canceled", "cancelled"])
def test_cancelled(state: str) -> None:
    outcome = read_poll(httpx.Response(200, json={"state": state}))
    assert isinstance(outcome, Failed)
    assert outcome.fault.kind is FaultKind.CANCELLED


def test_unknown_to_the_provider_is_doubted() -> None:
    outcome = read_poll(reply("not-found"))
    assert isinstance(outcome, Failed)
    assert outcome.fault.kind is FaultKind.NOT_FOUND
    assert outcome.doubtful


@pytest.mark.parametrize(
    "response",
    [
        reply("unknown-status"),
        httpx.Response(200, json={"state": "Success"}),
        httpx.Response(200, json={"id": "900000000000000009", "state": "success"}),
        httpx.Response(200, json={"state": "success", "creations": "none"}),
        httpx.Response(200, json={"state": "success", "creations": [1]}),
        httpx.Response(200, json={"state": "success", "creations": [{"url": 5}]}),
        httpx.Response(200, json={"state": "success", "creations": [{"url": "file:///etc/x"}]}),
        httpx.Response(200, json={"state": "success", "creations": [{"url": "http://[::"}]}),
    ],
)
def test_unreadable(response: httpx.Response) -> None:
    assert isinstance(read_poll(response), Unreadable)


@pytest.mark.parametrize(
    "name",
    ["rate-limited", "server-error", "bad-gateway", "html-refusal", "malformed", "without-state"],
)
def test_poll_that_could_not_ask(name: str) -> None:
    with pytest.raises(ProviderProtocolError):
        read_poll(reply(name))


@pytest.mark.parametrize(
    "response",
    [
        error(401, "Unauthorized"),
        error(404, "NotFound"),
        error(400, "CODEC"),
        httpx.Response(404, text="not found"),
        httpx.Response(302, headers={"location": "https://e.example.test"}),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"state": 1}),
    ],
)
def test_poll_that_tells_nothing(response: httpx.Response) -> None:
    with pytest.raises(ProviderProtocolError):
        read_poll(response)


def test_retry_after_of_a_poll() -> None:
    with pytest.raises(ProviderProtocolError) as caught:
        read_poll(httpx.Response(429, headers={"retry-after": "7"}, json={}))
    assert caught.value.retry_after_seconds == 7


# Finding a submit without an answer


def test_find_request() -> None:
    sent = find()
    assert sent.method == "GET"
    assert sent.url.path == "/ent/v2/tasks"
    assert dict(sent.url.params) == {
        "created_at.from": "2026-11-20T08:28:40Z",
        "pager.page": "0",
        "pager.pagesz": "100",
    }
    assert sent.headers["authorization"] == f"Token {KEY}"


def test_found_by_payload() -> None:
    assert read_find(reply("list-match")) == Found(UpstreamRef("900000000000000006"))


@pytest.mark.parametrize("name", ["list-others", "list-empty", "list-old-without-payload"])
def test_not_found(name: str) -> None:
    assert read_find(reply(name)) == Found(None)


@pytest.mark.parametrize("created_at", [None, "yesterday", "2020-11-20T08:29:50"])
def test_a_listed_task_of_no_known_age_without_its_payload_is_no_proof(
    created_at: str | None,
) -> None:
    job = {"id": "900000000000000006", "state": "processing", "created_at": created_at}

    with pytest.raises(ProviderProtocolError):
        read_find(httpx.Response(200, json={"tasks": [job], "next_page_token": ""}))


def test_find_goes_on_by_token() -> None:
    first = read_find(reply("list-token"))
    assert first == Found(None, next_page={"token": "cGFnZTI="})
    params = find(first.next_page).url.params
    assert params["pager.page_token"] == "cGFnZTI="
    assert "pager.page" not in params
    assert read_find(reply("list-match"), first.next_page).ref is not None
    assert read_find(reply("list-others"), first.next_page) == Found(None)


def test_find_goes_on_by_number_until_a_page_that_cannot_be_full() -> None:
    first = read_find(reply("list-ten"))
    assert first.ref is None
    assert find(first.next_page).url.params["pager.page"] == "1"
    second_page = json.loads((DATA / "list-ten.json").read_text())["body"]
    second_page["tasks"].reverse()
    second = read_find(httpx.Response(200, json=second_page), first.next_page)
    assert find(second.next_page).url.params["pager.page"] == "2"
    assert read_find(reply("list-empty"), second.next_page) == Found(None)


def test_pages_survive_being_stored() -> None:
    for name in ("list-token", "list-ten"):
        page = read_find(reply(name)).next_page
        assert json.loads(json.dumps(page)) == page


@pytest.mark.parametrize("name", ["list-token", "list-ten"])
def test_a_listing_that_repeats_itself_is_no_proof(name: str) -> None:
    first = read_find(reply(name))
    with pytest.raises(ProviderProtocolError):
        read_find(reply(name), first.next_page)


@pytest.mark.parametrize(
    "name",
    [
        "list-without-payload",
        "list-without-tasks",
        "rate-limited",
        "server-error",
        "bad-gateway",
        "malformed",
        "not-found",
    ],
)
def test_find_that_does_not_say(name: str) -> None:
    with pytest.raises(ProviderProtocolError):
        read_find(reply(name))


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"tasks": None},
        {"tasks": {}},
        {"tasks": [None]},
        {"tasks": [{"payload": "att_01"}]},
        {"tasks": [{"payload": "att_01", "id": "a/b"}]},
        {"tasks": [{"payload": None, "id": "1"}]},
        {"tasks": [], "next_page_token": 5},
        {"tasks": [], "next_page_token": "a\nb"},
    ],
)
def test_odd_listing(body: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        read_find(httpx.Response(200, json=body))


def test_half_a_surrogate_pair_is_no_token() -> None:
    content = b'{"tasks": [], "next_page_token": "\\ud83d"}'
    with pytest.raises(ProviderProtocolError):
        read_find(httpx.Response(200, content=content))


# Vendor-shaped answers


def snapshot(status: TaskStatus, **fields: Any) -> TaskSnapshot:
    values: dict[str, Any] = {
        "id": UUID(int=1),
        "account_id": UUID(int=2),
        "token_id": UUID(int=3),
        "revision": 1,
        "status": status,
        "model": "viduq1",
        "provider": "vidu",
        "upstream_model": "viduq1",
        "details": {"action": "img2video"},
        "created_at": NOW,
    }
    return TaskSnapshot(**{**values, **fields})


def test_native_answer_of_a_success() -> None:
    result = VideoResult(
        url="https://cdn.example.test/c.mp4",
        width=1280,
        height=720,
        cost="80",
        cost_unit="credits",
        upstream_id="900000000000000002",
    )
    output = OutputSnapshot(status=TaskStatus.SUCCEEDED, result=result)
    task = snapshot(TaskStatus.SUCCEEDED, outputs=(output,), echo={"payload": "theirs"})
    assert VIDU.native_answer(task) == {
        "id": task.public_id,
        "type": "img2video",
        "model": "viduq1",
        "state": "success",
        "err_code": "",
        "err_msg": "",
        "credits": 80,
        "payload": "theirs",
        "off_peak": False,
        "progress": 0,
        "creations": [
            {
                "id": f"{task.public_id}_0",
                "url": "https://cdn.example.test/c.mp4",
                "cover_url": "",
                "watermarked_url": "",
                "video": {
                    "duration": None,
                    "fps": None,
                    "resolution": {"width": 1280, "height": 720},
                },
            }
        ],
    }


@pytest.mark.parametrize(
    ("status", "state", "error_code", "code"),
    [
        (TaskStatus.QUEUED, "queueing", None, ""),
        (TaskStatus.IN_PROGRESS, "processing", None, ""),
        (TaskStatus.FAILED, "failed", "upstream_failed", "InternalServiceFailure"),
        (TaskStatus.FAILED, "failed", "content_policy_violation", "CreationPolicyViolation"),
        (TaskStatus.CANCELLED, "failed", None, "UserCancelled"),
    ],
)
def test_native_answer_of_other_states(
    status: TaskStatus, state: str, error_code: str | None, code: str
) -> None:
    task_error = None if error_code is None else TaskError(error_code, "No.")
    answer = VIDU.native_answer(snapshot(status, error=task_error))
    assert (answer["state"], answer["err_code"]) == (state, code)
    assert (answer["payload"], answer["creations"]) == ("", [])


# Anything at all

ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1e308,
    float("nan"),
    "",
    "x",
    "\x00",
    "\ud800",
    [],
    [[]],
    {},
    "9" * 300,
]


def mutate(value: Any, chance: random.Random) -> Any:
    if chance.random() < 0.12:
        return chance.choice(ODD)
    if isinstance(value, dict):
        mutated = {key: mutate(item, chance) for key, item in value.items()}
        if mutated and chance.random() < 0.1:
            del mutated[chance.choice(list(mutated))]
        return mutated
    if isinstance(value, list):
        return [mutate(item, chance) for item in value] * chance.choice([1, 1, 1, 0, 2])
    return value


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def any_bytes(chance: random.Random) -> bytes:
    name = chance.choice(SITUATIONS["vidu"].all_replies())
    recorded = json.loads((DATA / f"{name}.json").read_text())
    text = json.dumps(mutate(recorded.get("body", recorded.get("text")), chance))
    content = bytearray(text.encode())
    if chance.random() < 0.4:
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(len(content))] = chance.randrange(256)
    if chance.random() < 0.2:
        del content[chance.randrange(len(content)) :]
    return bytes(content) if chance.random() < 0.95 else chance.randbytes(40)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_but_outcomes_and_protocol_errors(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    page = chance.choice([None, {"page": 3, "first": "1"}, {"token": "t"}])
    for _ in range(250):
        status = chance.choice([200, 200, 200, 201, 204, 302, 400, 401, 404, 409, 429, 500, 503])
        response = httpx.Response(status, content=any_bytes(chance))
        calls: list[Callable[[], Any]] = [
            partial(read_submission, response),
            partial(read_poll, response),
            partial(read_find, response, page),
        ]
        for call in calls:
            try:
                outcome = call()
            except ProviderProtocolError:
                continue
            assert isinstance(
                outcome,
                Submission | Rejected | Pending | Succeeded | Failed | Unreadable | Found,
            )
            for text in texts(asdict(outcome)):
                assert "\x00" not in text
                text.encode()
