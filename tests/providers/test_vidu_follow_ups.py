"""The Vidu adapter: what is made of a finished video by naming it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.calls import read_answer
from tests.support.vidu import VIDU

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.channels import ChannelAccess
from vidgate.models.ids import new_id
from vidgate.models.outcomes import Succeeded, UpstreamRef, VideoResult
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp, OutputSnapshot, TaskSnapshot, TaskStatus

RESULT = VideoResult(
    url="https://cdn.example.test/c.mp4", duration_seconds=5.04, upstream_id="900000000000000002"
)
SOURCE = TaskSnapshot(
    id=new_id(),
    account_id=new_id(),
    token_id=new_id(),
    revision=2,
    status=TaskStatus.SUCCEEDED,
    model="viduq1",
    provider="vidu",
    upstream_model="viduq1",
    facts={"model": "viduq1", "duration_seconds": 5, "resolution": "1080p"},
    created_at=datetime(2026, 11, 20, tzinfo=UTC),
    outputs=(OutputSnapshot(status=TaskStatus.SUCCEEDED, result=RESULT),),
)
SILENT = VideoRequest(model="", prompt="the boat drifts on")


def with_result(**changes: Any) -> TaskSnapshot:
    output = OutputSnapshot(status=TaskStatus.SUCCEEDED, result=replace(RESULT, **changes))
    return replace(SOURCE, outputs=(output,))


def test_the_video_is_named_by_the_id_of_its_creation() -> None:
    ref = UpstreamRef("900000000000000001")
    body = {
        "id": ref.id,
        "state": "success",
        "creations": [{"id": "900000000000000002", "url": "https://cdn.example.test/c.mp4"}],
    }
    channel = ChannelAccess("https://api.vidu.cn", SecretStr("vda_key"))
    sent = VIDU.poll([ref], channel, datetime(2026, 11, 20, tzinfo=UTC))
    outcome = read_answer(sent, httpx.Response(200, json=body))[ref]
    assert isinstance(outcome, Succeeded)
    assert outcome.result.upstream_id == "900000000000000002"
    assert VIDU.capabilities.object_fields == {"video_creation_id"}


def test_extend() -> None:
    asked = VIDU.follow_up(FollowUp.EXTEND, SOURCE, replace(SILENT, duration_seconds=4))
    translation = VIDU.translate(asked)
    assert translation.endpoint == "/ent/v2/extend"
    assert translation.body == {
        "model": "viduq2-pro",
        "prompt": "the boat drifts on",
        "duration": 4,
        "video_creation_id": f"{SOURCE.public_id}_0",
    }
    assert set(translation.body) & VIDU.capabilities.object_fields


@pytest.mark.parametrize(
    ("made_by", "asked_for", "model"),
    [
        ("viduq2-turbo", "", "viduq2-turbo"),
        ("viduq3-pro", "", "viduq2-pro"),
        (None, "", "viduq2-pro"),
        ("viduq2-pro", "viduq2-turbo", "viduq2-turbo"),
    ],
)
def test_which_model_extends(made_by: str | None, asked_for: str, model: str) -> None:
    source = replace(SOURCE, upstream_model=made_by)
    asked = VIDU.follow_up(FollowUp.EXTEND, source, replace(SILENT, model=asked_for))
    assert asked.model == model


def test_the_video_that_is_there_is_extended() -> None:
    failed = OutputSnapshot(status=TaskStatus.FAILED)
    source = replace(SOURCE, outputs=(failed, *SOURCE.outputs))
    asked = VIDU.follow_up(FollowUp.EXTEND, source, SILENT)
    assert asked.metadata["video_creation_id"] == f"{SOURCE.public_id}_1"
    with pytest.raises(UnsupportedParameterError):
        VIDU.follow_up(FollowUp.EXTEND, replace(SOURCE, outputs=(failed,)), SILENT)


def test_a_video_without_an_id_is_extended_by_its_url() -> None:
    asked = VIDU.follow_up(FollowUp.EXTEND, with_result(upstream_id=None), SILENT)
    assert asked.metadata == {"action": "extend", "video_url": RESULT.url}


def test_a_model_that_does_not_extend_is_refused_by_name() -> None:
    asked = VIDU.follow_up(FollowUp.EXTEND, SOURCE, replace(SILENT, model="viduq3"))
    with pytest.raises(UnsupportedParameterError, match="viduq2-pro, viduq2-turbo"):
        VIDU.translate(asked)


@pytest.mark.parametrize("seconds", [3.5, 61])
def test_too_short_or_too_long_to_be_extended(seconds: float) -> None:
    with pytest.raises(UnsupportedParameterError, match="4 to 60") as caught:
        VIDU.follow_up(FollowUp.EXTEND, with_result(duration_seconds=seconds), SILENT)
    assert caught.value.param == "video"


@pytest.mark.parametrize("kind", [FollowUp.REMIX, FollowUp.EDIT])
def test_what_is_remade_is_alike(kind: FollowUp) -> None:
    source = replace(with_result(width=720, height=1284), facts={"resolution": "1080p"})
    translation = VIDU.translate(VIDU.follow_up(kind, source, SILENT))
    assert translation.endpoint == "/ent/v2/reference2video"
    assert translation.body == {
        "model": "viduq2-pro",
        "prompt": "the boat drifts on",
        "videos": [RESULT.url],
        "duration": 5,
        "resolution": "1080p",
        "aspect_ratio": "9:16",
    }
    assert translation.adjusted == translation.ignored == ()


@pytest.mark.parametrize(
    ("asked", "measured", "ratio"),
    [
        # A first picture goes before the size that was asked for.
        ({"width": 1280, "height": 720}, {"width": 720, "height": 1280}, "9:16"),
        ({"width": 1080, "height": 1440}, {}, "3:4"),
        ({"aspect_ratio": "1:1"}, {"width": 0, "height": 0}, "1:1"),
        ({}, {"width": 2560, "height": 1080}, "16:9"),
        ({}, {}, None),
    ],
)
def test_the_shape_is_kept(
    asked: dict[str, Any], measured: dict[str, Any], ratio: str | None
) -> None:
    source = replace(with_result(**measured), asked=asked)
    body = VIDU.translate(VIDU.follow_up(FollowUp.EDIT, source, SILENT)).body
    assert body.get("aspect_ratio") == ratio


@pytest.mark.parametrize(
    ("model", "facts", "measured", "expected"),
    [
        ("viduq2-pro", {"duration_seconds": 3, "resolution": "4K"}, 7.04, (7, "1080p")),
        ("viduq2-pro", {"duration_seconds": 4, "resolution": "720p"}, None, (4, "720p")),
        ("viduq2-pro", {"resolution": "360p"}, 0.2, (1, "540p")),
        ("viduq2-pro", {"resolution": "odd"}, None, (None, None)),
        ("viduq3-turbo", {"resolution": "540p"}, 2.04, (3, "540p")),
        ("vidu1.5", {"resolution": "1080p"}, 8.04, (8, "720p")),
        ("mine", {"duration_seconds": 4, "resolution": "720p"}, 4.04, (None, None)),
    ],
)
def test_what_the_model_cannot_make_becomes_the_nearest(
    model: str, facts: dict[str, Any], measured: float | None, expected: tuple[Any, Any]
) -> None:
    source = replace(with_result(duration_seconds=measured), facts=facts)
    asked = VIDU.follow_up(FollowUp.EDIT, source, replace(SILENT, model=model))
    assert (asked.duration_seconds, asked.metadata.get("resolution")) == expected


@pytest.mark.parametrize("kind", [FollowUp.REMIX, FollowUp.EDIT])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"metadata": {"duration": 3, "resolution": "540p"}}, (3, "540p", "9:16")),
        ({"metadata": {"aspect_ratio": "1:1"}}, (5, "1080p", "1:1")),
        ({"duration_seconds": 2, "width": 1280, "height": 720}, (2, "720p", "16:9")),
        ({"aspect_ratio": "3:4"}, (5, "1080p", "3:4")),
    ],
)
def test_what_is_asked_for_goes_before_what_the_first_video_was(
    kind: FollowUp, said: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    source = replace(with_result(width=720, height=1280), facts=SOURCE.facts)
    asked = VIDU.follow_up(kind, source, replace(SILENT, **said))
    body = VIDU.translate(asked).body
    assert (body["duration"], body["resolution"], body["aspect_ratio"]) == expected
    assert asked.duration_seconds in (None, body["duration"])


def test_edit_takes_the_video_as_its_reference() -> None:
    body = VIDU.translate(VIDU.follow_up(FollowUp.EDIT, SOURCE, SILENT)).body
    assert (body["model"], body["videos"]) == ("viduq2-pro", [RESULT.url])
    with pytest.raises(UnsupportedParameterError, match="0 to 8"):
        VIDU.follow_up(FollowUp.EDIT, with_result(duration_seconds=9), SILENT)
