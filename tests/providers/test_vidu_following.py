"""The Vidu adapter: what is made of a finished video by naming it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.ids import new_id
from vidgate.models.outcomes import Succeeded, UpstreamRef, VideoResult
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp, OutputSnapshot, TaskSnapshot, TaskStatus
from vidgate.providers.vidu import Vidu

VIDU = Vidu()
RESULT = VideoResult(
    url="https://cdn.example.test/c.mp4", duration_seconds=5.04, upstream_id="900000000000000002"
)
SOURCE = TaskSnapshot(
    id=new_id(),
    account_id=new_id(),
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
    sent = httpx.Request("GET", "https://api.vidu.cn/ent/v2/tasks/900000000000000001/creations")
    outcome = VIDU.read_poll(sent, httpx.Response(200, json=body), [ref])[ref]
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


def test_remix_is_alike() -> None:
    translation = VIDU.translate(VIDU.follow_up(FollowUp.REMIX, SOURCE, SILENT))
    assert translation.endpoint == "/ent/v2/reference2video"
    assert translation.body == {
        "model": "viduq2-pro",
        "prompt": "the boat drifts on",
        "videos": [RESULT.url],
        "duration": 5,
        "resolution": "1080p",
    }


def test_what_is_asked_for_goes_before_what_the_first_video_was() -> None:
    asked = replace(SILENT, metadata={"duration": 3, "resolution": "540p"})
    body = VIDU.translate(VIDU.follow_up(FollowUp.REMIX, SOURCE, asked)).body
    assert (body["duration"], body["resolution"]) == (3, "540p")
    asked = replace(SILENT, duration_seconds=2, width=1280, height=720)
    body = VIDU.translate(VIDU.follow_up(FollowUp.REMIX, SOURCE, asked)).body
    assert (body["duration"], body["resolution"]) == (2, "720p")


def test_edit_takes_the_video_as_its_reference() -> None:
    body = VIDU.translate(VIDU.follow_up(FollowUp.EDIT, SOURCE, SILENT)).body
    assert body == {"model": "viduq2-pro", "prompt": SILENT.prompt, "videos": [RESULT.url]}
    with pytest.raises(UnsupportedParameterError, match="0 to 8"):
        VIDU.follow_up(FollowUp.EDIT, with_result(duration_seconds=9), SILENT)
