"""Bodies written for one of Kling's own paths, its tasks in its words, and follow-ups."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.support.adapters import NOW
from tests.support.kling import CLIP, IDS, IMAGE, MOTION, OMNI, TEXT, A, kling, submit

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.ids import new_id
from vidgate.models.outcomes import VideoResult
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp, OutputSnapshot, TaskError, TaskSnapshot, TaskStatus
from vidgate.providers.kling.vendor_answers import (
    legacy_entry,
    new_created,
    new_entry,
)

RESULT = VideoResult(
    url="https://cdn.example/x.mp4?sig=%2F",
    watermarked_url="https://cdn.example/w.mp4",
    duration_seconds=5.041,
    cost="4.0",
    cost_unit="units",
    upstream_id="930000000000000002",
)


def task(status: TaskStatus, **members: Any) -> TaskSnapshot:
    outputs = (OutputSnapshot(status=status, result=members.pop("result", None)),)
    return TaskSnapshot(
        id=new_id(),
        account_id=UUID(int=1),
        token_id=UUID(int=1),
        revision=1,
        status=status,
        model="kling-v2-6",
        provider="kling",
        upstream_model="kling-v2-6",
        created_at=NOW,
        outputs=outputs,
        **members,
    )


def native(model: str, action: str, **body: Any) -> VideoRequest:
    return VideoRequest(model=model, metadata={**body, "action": action})


# Bodies

FACE = {"face_id": "0", "audio_id": "8", "sound_end_time": 3000}
WRITTEN: list[tuple[str, str, dict[str, Any]]] = [
    ("kling-v3", TEXT, {"prompt": "a boat", "duration": "5", "brand_new": {"x": [1, None]}}),
    ("kling-v2-6", IMAGE, {"image": "x", "image_tail": "y"}),
    ("kling-v2-6", TEXT, {"prompt": "a boat", "sound": "on"}),
    ("kling-v9", TEXT, {"prompt": "a boat", "mode": "best"}),
    ("kling-9.0", TEXT, {"prompt": "a boat"}),
    ("kling-v3-omni", OMNI, {"prompt": "a boat"}),
    ("kling-v9", OMNI, {"prompt": "a boat"}),
    (
        "kling-v3",
        MOTION,
        {"image_url": "x", "video_url": CLIP, "character_orientation": "video"},
    ),
    ("kling-avatar", "/v1/videos/avatar/image2video", {"image": "x", "audio_id": "8"}),
    (
        "kling-lip-sync",
        "/v1/videos/advanced-lip-sync",
        {"session_id": "s", "face_choose": [FACE]},
    ),
    (
        "kling-effects",
        "/v1/videos/effects",
        {"effect_scene": "hug_pro", "input": {"images": ["x", "y"]}},
    ),
    (
        "kling-multi-elements",
        "/v1/videos/multi-elements",
        {"session_id": "s", "edit_mode": "removal", "prompt": "remove <<<video_1>>>"},
    ),
    ("kling-3.0", "/text-to-video", {"prompt": "a boat", "settings": {"duration": 6}}),
    ("kling-next", "/text-to-video", {"prompt": "a boat", "settings": {"resolution": "8k"}}),
    (
        "kling-2.6",
        "/image-to-video",
        {
            "contents": [
                {"type": "first_frame", "url": "x"},
                {"type": "last_frame", "url": "y"},
            ]
        },
    ),
    ("kling-o1", "/omni-video", {"contents": [{"type": "prompt", "text": "a boat"}]}),
    (
        "kling-3.0",
        "/motion-control",
        {
            "contents": [{"type": "image", "url": "x"}, {"type": "video", "url": CLIP}],
            "settings": {"character_orientation": "video"},
        },
    ),
]


@pytest.mark.parametrize(("model", "path", "body"), WRITTEN)
def test_what_was_written_for_a_path_goes_there_as_it_is(
    model: str, path: str, body: dict[str, Any]
) -> None:
    sent = submit(native(model, path, **body, external_task_id="theirs"))

    is_legacy = path.startswith("/v1/")
    expected: dict[str, Any] = dict(body)
    if is_legacy:
        expected["external_task_id"] = IDS.correlation
    else:
        expected["options"] = {"external_task_id": IDS.correlation}
    if path in (TEXT, IMAGE, OMNI, MOTION):
        expected["model_name"] = model
    assert sent.url.path == (path if is_legacy else f"{path}/{model}")
    assert json.loads(sent.content) == expected


def test_only_a_retired_model_is_replaced() -> None:
    translation = kling.translate(native("kling-v1-6", IMAGE, image="x", mode="pro"))
    assert translation.body == {"model_name": "kling-v2-5-turbo", "image": "x", "mode": "pro"}


@pytest.mark.parametrize(
    ("model", "path", "body", "param"),
    [
        ("kling-3.0", TEXT, {"prompt": "a boat"}, "model_name"),
        ("kling-v3-omni", TEXT, {"prompt": "a boat"}, "model_name"),
        ("kling-v3", "/text-to-video", {"prompt": "a boat"}, "model_name"),
        ("kling-2.5-turbo", "/omni-video", {"contents": []}, "action"),
        ("kling-v3", TEXT, {"prompt": "a boat", "image": "x"}, "image"),
        ("kling-v3", IMAGE, {"prompt": "a boat"}, "image"),
        ("kling-v3", TEXT, {}, "prompt"),
        ("kling-v2-6", TEXT, {"prompt": "a boat", "aspect_ratio": "7:3"}, "aspect_ratio"),
    ],
)
def test_what_is_written_for_another_path_is_refused(
    model: str, path: str, body: dict[str, Any], param: str
) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(native(model, path, **body))
    assert caught.value.param == param


def test_a_generic_field_beside_a_path_is_translated_as_ever() -> None:
    request = replace(native("kling-v2-6", IMAGE, image_tail="y"), images=(A,), prompt="a boat")
    assert kling.translate(request).body == {
        "model_name": "kling-v2-6",
        "prompt": "a boat",
        "image": A.url,
        "image_tail": "y",
        "mode": "pro",
    }


def test_a_lip_sync_without_a_session_still_finds_the_face() -> None:
    request = native(
        "kling-lip-sync",
        "/v1/videos/advanced-lip-sync",
        video_url=CLIP,
        audio_id="8",
        sound_end_time=3000,
    )
    assert kling.translate(request).body == {
        "video_url": CLIP,
        "face_choose": [{"sound_start_time": 0, "audio_id": "8", "sound_end_time": 3000}],
    }


# Tasks


def test_a_finished_task_in_both_generations() -> None:
    done = task(
        TaskStatus.SUCCEEDED,
        result=RESULT,
        echo={"external_task_id": "ord-1", "payload": "no"},
        started_at=NOW + timedelta(seconds=1),
        finished_at=NOW + timedelta(seconds=28),
    )
    video = {
        "id": f"{done.public_id}_0",
        "url": RESULT.url,
        "watermark_url": RESULT.watermarked_url,
        "duration": "5.041",
    }
    assert legacy_entry(done) == {
        "task_id": done.public_id,
        "task_status": "succeed",
        "task_status_msg": "",
        "task_info": {"external_task_id": "ord-1"},
        "created_at": 1795176000000,
        "updated_at": 1795176028000,
        "task_result": {"videos": [video]},
        "final_unit_deduction": "4.0",
    }
    assert new_entry(done) == {
        "id": done.public_id,
        "status": "succeeded",
        "message": "",
        "create_time": 1795176000000,
        "update_time": 1795176028000,
        "external_id": "ord-1",
        "outputs": [{"type": "video", **video}],
        "billing": [{"charge_type": "unit", "amount": "4.0", "package_type": "video"}],
    }
    assert kling.native_answer(done)["data"] == legacy_entry(done)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (TaskStatus.QUEUED, "submitted"),
        (TaskStatus.IN_PROGRESS, "processing"),
        (TaskStatus.FAILED, "failed"),
        (TaskStatus.CANCELLED, "failed"),
    ],
)
def test_unfinished_and_failed_tasks(status: TaskStatus, word: str) -> None:
    error = TaskError("x", "It broke.") if status is TaskStatus.FAILED else None
    one = task(status, error=error)

    assert (legacy_entry(one)["task_status"], new_entry(one)["status"]) == (word, word)
    message = {"failed": "It broke." if error else "The task was cancelled."}.get(word, "")
    assert legacy_entry(one)["task_status_msg"] == new_entry(one)["message"] == message
    assert "outputs" not in new_entry(one)
    assert "task_result" not in legacy_entry(one)
    assert "external_id" not in new_entry(one) | new_created(one)


@pytest.mark.parametrize(
    ("unit", "bill"),
    [
        (
            "CNY",
            {"charge_type": "cash", "amount": "4.0", "cash_type": "balance", "currency": "CNY"},
        ),
        ("balance", {"charge_type": "cash", "amount": "4.0", "cash_type": "balance"}),
    ],
)
def test_what_was_paid_in_cash(unit: str, bill: dict[str, str]) -> None:
    done = task(TaskStatus.SUCCEEDED, result=replace(RESULT, cost_unit=unit))
    assert new_entry(done)["billing"] == [bill]
    assert "final_unit_deduction" not in legacy_entry(done)


# Follow-ups


@pytest.mark.parametrize("kind", [FollowUp.REMIX, FollowUp.EDIT])
def test_a_video_is_changed_by_an_omni_model(kind: FollowUp) -> None:
    source = task(TaskStatus.SUCCEEDED, result=RESULT, facts={"resolution": "720p"})
    request = kling.follow_up(kind, source, VideoRequest(model="", prompt="make it snow"))

    assert request.model == "kling-v3-omni"
    translation = kling.translate(request)
    assert translation.endpoint == OMNI
    assert translation.body == {
        "model_name": "kling-v3-omni",
        "prompt": "make it snow",
        "video_list": [{"video_url": RESULT.url, "refer_type": "base"}],
        "mode": "std",
    }
    assert translation.details["action"] == "edit"


def test_a_video_is_changed_by_an_omni_model_of_the_new_generation() -> None:
    source = task(TaskStatus.SUCCEEDED, result=RESULT, facts={"resolution": "1080p"})
    asked = VideoRequest(model="kling-3.0-omni", prompt="snow", metadata={"options": {"x": 1}})
    translation = kling.translate(kling.follow_up(FollowUp.EDIT, source, asked))

    assert translation.endpoint == "/omni-video/kling-3.0-omni"
    assert translation.body == {
        "contents": [
            {"type": "prompt", "text": "snow"},
            {"type": "base_video", "url": RESULT.url},
        ],
        "settings": {"resolution": "1080p"},
        "options": {"x": 1},
    }


@pytest.mark.parametrize(
    ("model", "made", "size", "expected"),
    [
        ("kling-v3-omni", "720p", {"width": 1080, "height": 1920}, "1080p"),
        ("kling-v3-omni", "4k", {}, "4k"),
        ("kling-v3-omni", "1080p", {"aspect_ratio": "9:16"}, "1080p"),
        ("kling-3.0-omni", "720p", {"width": 1920, "height": 1080}, "1080p"),
        ("kling-video-o1", "4k", {}, "1080p"),
        ("kling-o1", "4k", {}, "1080p"),
        ("kling-o1", None, {}, "720p"),
        ("kling-o1", "odd", {}, "720p"),
    ],
)
def test_the_tier_of_a_follow_up(
    model: str, made: str | None, size: dict[str, Any], expected: str
) -> None:
    source = task(TaskStatus.SUCCEEDED, result=RESULT, facts={"resolution": made})
    asked = VideoRequest(model=model, prompt="snow", **size)
    translation = kling.translate(kling.follow_up(FollowUp.REMIX, source, asked))
    assert translation.facts.resolution == expected


def test_what_the_client_says_of_a_follow_up_wins() -> None:
    source = task(TaskStatus.SUCCEEDED, result=RESULT, facts={"resolution": "720p"})
    asked = VideoRequest(model="", prompt="snow", metadata={"mode": "pro"})
    assert kling.follow_up(FollowUp.EDIT, source, asked).metadata["mode"] == "pro"


@pytest.mark.parametrize(
    ("kind", "result", "asked", "param"),
    [
        (FollowUp.EXTEND, RESULT, VideoRequest(model=""), "video"),
        (FollowUp.EDIT, None, VideoRequest(model=""), "video"),
        (FollowUp.EDIT, replace(RESULT, protected=True), VideoRequest(model=""), "video"),
        (FollowUp.EDIT, replace(RESULT, duration_seconds=16), VideoRequest(model=""), "video"),
        (FollowUp.EDIT, replace(RESULT, duration_seconds=2), VideoRequest(model=""), "video"),
        (
            FollowUp.EDIT,
            replace(RESULT, duration_seconds=12),
            VideoRequest(model="kling-video-o1"),
            "video",
        ),
        (FollowUp.REMIX, RESULT, VideoRequest(model="kling-v2-6"), "model"),
        (
            FollowUp.EDIT,
            RESULT,
            VideoRequest(model="kling-3.0-omni", images=(A,)),
            "images",
        ),
    ],
)
def test_what_kling_cannot_do_with_a_video_is_said(
    kind: FollowUp, result: VideoResult | None, asked: VideoRequest, param: str
) -> None:
    source = task(TaskStatus.SUCCEEDED, result=result)
    with pytest.raises(UnsupportedParameterError) as caught:
        kling.follow_up(kind, source, asked)
    assert caught.value.param == param
