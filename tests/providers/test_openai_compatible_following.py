"""Going on from finished videos at a compatible server: what it is sent, and what it says."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.providers.test_openai_compatible import PNG
from tests.support.adapters import NOW
from tests.support.api import open_api
from tests.support.calls import read_answer
from tests.support.compatible import ACCESS, ADAPTER, IDS, error, reply

from vidgate.exceptions import ProviderProtocolError, UnsupportedParameterError
from vidgate.models.channels import ChannelAccess
from vidgate.models.ids import new_id
from vidgate.models.outcomes import (
    FaultKind,
    Rejected,
    Remedy,
    Submission,
    UpstreamRef,
    VideoResult,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.models.tasks import FollowUp, TaskSnapshot, TaskStatus
from vidgate.providers.base import SubmitIds
from vidgate.sandbox.app import create_sandbox
from vidgate.sandbox.registry import SANDBOX_KEYS
from vidgate.sandbox.settings import SandboxSettings

SOURCE = TaskSnapshot(
    id=new_id(),
    account_id=new_id(),
    token_id=new_id(),
    revision=1,
    status=TaskStatus.SUCCEEDED,
    model="clip-1",
    provider="openai_compatible",
    upstream_model="clip-1",
    created_at=NOW,
)


def asked(kind: FollowUp, **members: Any) -> VideoRequest:
    given = {"model": "", "prompt": "by night", **members}
    return ADAPTER.follow_up(kind, SOURCE, VideoRequest(**given))


def resolved(request: VideoRequest, video: str = "video_1") -> VideoRequest:
    """The request with the server's id in the place of ours, as it reaches the adapter."""
    text = json.dumps(dict(request.metadata)).replace(f"{SOURCE.public_id}_0", video)
    return replace(request, metadata=json.loads(text), channel_id=new_id())


def submit(kind: FollowUp, video: str = "video_1", **members: Any) -> httpx.Request:
    translation = ADAPTER.translate(resolved(asked(kind, **members), video))
    return ADAPTER.submit(translation, ACCESS, IDS, NOW).request


@pytest.mark.parametrize("kind", FollowUp)
def test_it_names_the_video_where_it_is_looked_for(kind: FollowUp) -> None:
    request = asked(kind)
    [field] = ADAPTER.capabilities.object_fields

    assert request.model == "clip-1"
    assert json.dumps({field: f"{SOURCE.public_id}_0"})[1:-1] in json.dumps(dict(request.metadata))


@pytest.mark.parametrize(
    ("kind", "path", "video"),
    [
        (FollowUp.REMIX, "/v1/videos/video_1/remix", {}),
        (FollowUp.EDIT, "/v1/videos/edits", {"video": {"id": "video_1"}}),
        (FollowUp.EXTEND, "/v1/videos/extensions", {"video": {"id": "video_1"}}),
    ],
)
@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, {}),
        ({"duration_seconds": 5}, {"seconds": "5"}),
        ({"width": 1280, "height": 720}, {"size": "1280x720"}),
        ({"model": "clip-2"}, {"model": "clip-2"}),
        ({"metadata": {"mode": "pro"}}, {"mode": "pro", "metadata": {"mode": "pro"}}),
    ],
)
def test_golden_requests(
    kind: FollowUp,
    path: str,
    video: dict[str, Any],
    members: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    sent = submit(kind, **members)

    assert (sent.method, str(sent.url)) == ("POST", f"https://gate.test{path}")
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Authorization"] == "Bearer sk-key-of-the-channel"
    assert sent.headers["Idempotency-Key"] == IDS.correlation
    assert json.loads(sent.content) == {"prompt": "by night"} | video | expected


@pytest.mark.parametrize("field", ["model", "model_name"])
def test_a_model_that_metadata_names_is_named_too(field: str) -> None:
    request = resolved(asked(FollowUp.REMIX, metadata={field: "clip-2"}))
    # The gateway takes it out of the metadata and writes it where it belongs.
    metadata = {name: value for name, value in request.metadata.items() if name != field}

    translation = ADAPTER.translate(replace(request, model="clip-2", metadata=metadata))

    assert translation.body["model"] == "clip-2"


def test_what_is_run_is_the_video_s_own_model() -> None:
    translation = ADAPTER.translate(resolved(asked(FollowUp.REMIX)))

    assert "model" not in translation.body
    assert (translation.facts.model, translation.facts.duration_seconds) == ("clip-1", None)


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    sent = submit(FollowUp.REMIX, "video_a/b?x")

    assert sent.url.raw_path == b"/v1/videos/video_a%2Fb%3Fx/remix"


def test_a_picture_makes_a_form_of_it() -> None:
    sent = submit(FollowUp.EDIT, images=(Image(content=PNG),))

    assert sent.headers["Content-Type"].startswith("multipart/form-data")
    assert b'name="video[id]"\r\n\r\nvideo_1\r\n' in sent.content
    assert b'name="model"' not in sent.content
    assert b"vidgate_" not in sent.content


@pytest.mark.parametrize("kind", FollowUp)
def test_nothing_of_ours_travels(kind: FollowUp) -> None:
    sent = submit(kind, metadata={"metadata": {"mode": "pro"}})

    assert b"vidgate_" not in sent.content
    assert SOURCE.public_id.encode() not in sent.content


@pytest.mark.parametrize(
    "metadata",
    [
        {"vidgate_follow_up": {"kind": "remix", "vidgate_video_id": "video_9"}},
        {"vidgate_video_id": "video_9"},
        {"metadata": {"vidgate_follow_up": {"kind": "edit", "vidgate_video_id": "video_9"}}},
    ],
)
def test_a_client_cannot_name_the_server_s_videos(metadata: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        ADAPTER.translate(VideoRequest(model="clip-1", prompt="a", metadata=metadata))

    assert caught.value.param == "vidgate_follow_up"


@pytest.mark.parametrize(
    "followed",
    [
        None,
        "remix",
        [],
        {},
        {"kind": "remix"},
        {"kind": "remix", "vidgate_video_id": ""},
        {"kind": "remix", "vidgate_video_id": 7},
        {"kind": ["remix"], "vidgate_video_id": "video_9"},
        {"kind": "eat", "vidgate_video_id": "video_9"},
    ],
)
def test_what_says_no_more_than_half_is_refused(followed: Any) -> None:
    request = VideoRequest(
        model="clip-1", metadata={"vidgate_follow_up": followed}, channel_id=new_id()
    )

    with pytest.raises(UnsupportedParameterError):
        ADAPTER.translate(request)


def test_a_vendor_field_does_not_name_another_video() -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        submit(FollowUp.EDIT, metadata={"video": {"id": "video_9"}})

    assert caught.value.param == "video"


# Answers


def answered(response: httpx.Response, kind: FollowUp = FollowUp.REMIX) -> Submission | Rejected:
    translation = ADAPTER.translate(resolved(asked(kind)))
    return read_answer(ADAPTER.submit(translation, ACCESS, IDS, NOW), response)


@pytest.mark.parametrize("kind", FollowUp)
def test_a_job_is_made(kind: FollowUp) -> None:
    assert answered(reply({"id": "video_2"}), kind) == Submission(ref=UpstreamRef("video_2"))


@pytest.mark.parametrize("kind", FollowUp)
@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, error("unsupported_parameter", param="video", text="Not so."), "Not so."),
        (400, error(param="video", text="No task_1."), "nothing that can do this"),
        (400, error(), "nothing that can do this"),
        (404, error("not_found"), "does not know this video"),
        (404, error("task_not_found"), "does not know this video"),
        (404, error(text="Invalid URL (POST /v1/videos/edits)"), "nothing that can do this"),
        (404, error("model_not_found"), "nothing that can do this"),
        (404, {"detail": "Not Found"}, "nothing that can do this"),
        (404, "<html>", "nothing that can do this"),
        (405, {"detail": "Method Not Allowed"}, "nothing that can do this"),
        (409, error("task_not_finished"), "as it is"),
        (409, error("no_video"), "as it is"),
    ],
)
def test_a_refusal_is_final(kind: FollowUp, status: int, body: Any, said: str) -> None:
    rejected = answered(reply(body, status), kind)

    assert isinstance(rejected, Rejected)
    assert rejected.fault.kind.remedy is Remedy.FINAL
    assert rejected.fault.param == "video"
    assert said in rejected.fault.safe_message


def test_a_refusal_of_another_field_names_it() -> None:
    rejected = answered(reply(error("invalid_value", param="seconds", text="see a/b"), 400))

    assert isinstance(rejected, Rejected)
    assert rejected.fault.param == "seconds"
    assert rejected.fault.safe_message == "The provider refused the value of seconds."


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error("content_policy_violation"), FaultKind.CONTENT_POLICY),
        (400, error("insufficient_quota"), FaultKind.BALANCE),
        (401, error("invalid_api_key"), FaultKind.CREDENTIAL),
        (429, error("rate_limit_exceeded"), FaultKind.RATE),
    ],
)
def test_what_is_not_about_the_video_means_what_it_always_does(
    status: int, body: Any, kind: FaultKind
) -> None:
    rejected = answered(reply(body, status))

    assert isinstance(rejected, Rejected)
    assert rejected.fault.kind is kind


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, error("idempotency_conflict")),
        (409, error(text="A request with the same idempotency key is in progress.")),
        (409, "<html>"),
        (409, ""),
        (408, error("timeout")),
        (500, error("server_error")),
    ],
)
def test_after_these_a_job_may_exist(status: int, body: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        answered(reply(body, status))


def test_a_conflict_of_a_plain_submit_says_nothing_certain() -> None:
    translation = ADAPTER.translate(VideoRequest(model="clip-1", prompt="a boat"))
    sent = ADAPTER.submit(translation, ACCESS, IDS, NOW)

    with pytest.raises(ProviderProtocolError):
        sent.read(reply(error("no_video"), 409))


def test_the_video_is_at_its_job_s_content_endpoint_too() -> None:
    result = VideoResult(url="https://videos.test/a.mp4")

    sent = ADAPTER.content(UpstreamRef("video_a/b"), result, ACCESS, NOW)

    assert ADAPTER.content(None, result, ACCESS, NOW) is None
    assert sent is not None
    assert (sent.method, sent.url.raw_path) == ("GET", b"/v1/videos/video_a%2Fb/content")
    assert sent.headers["Authorization"] == "Bearer sk-key-of-the-channel"


# Against what was written without it


@pytest.mark.parametrize("kind", FollowUp)
@pytest.mark.parametrize(
    "members",
    [
        {},
        {"model": "clip-2", "duration_seconds": 5, "metadata": {"mode": "pro"}},
        {"images": (Image(content=PNG),), "metadata": {"mode": "pro"}},
    ],
)
async def test_a_vidgate_reads_what_was_asked_of_the_one_before_it(
    kind: FollowUp, members: dict[str, Any]
) -> None:
    sent = submit(kind, "task_9", **members)
    asked_for = VideoRequest(**{"model": "", "prompt": "by night", **members})

    async with open_api() as api:
        answer = await api.client.post(
            sent.url.path,
            content=sent.content,
            headers={"Content-Type": sent.headers["Content-Type"]},
        )

    assert answer.status_code == 200, answer.text
    [(what, source, request)] = api.services.task_creator.follow_ups
    assert (what, source) == (kind, "task_9")
    assert (request.model, request.prompt) == (asked_for.model, asked_for.prompt)
    assert request.duration_seconds == asked_for.duration_seconds
    assert [image.content for image in request.images] == [
        image.content for image in asked_for.images
    ]
    assert request.metadata == asked_for.metadata


@pytest.mark.parametrize("kind", FollowUp)
async def test_the_stand_in_takes_it(kind: FollowUp) -> None:
    base_url = "http://127.0.0.1:3900/openai_compatible"
    access = ChannelAccess(base_url, SecretStr(SANDBOX_KEYS["openai_compatible"]))
    now = 1_700_000_000.0
    sandbox = create_sandbox(SandboxSettings(encode_ahead=False, clock=lambda: now))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        made = await client.send(
            ADAPTER.submit(
                ADAPTER.translate(VideoRequest(model="clip-1", prompt="a boat")), access, IDS, NOW
            ).request
        )
        now += 3600
        translation = ADAPTER.translate(resolved(asked(kind), made.json()["id"]))
        ids = SubmitIds(correlation="vg_next")
        sent = ADAPTER.submit(translation, access, ids, NOW)
        response = await client.send(sent.request)

    answer = sent.read(response)
    assert isinstance(answer, Submission), response.text
    assert response.json()["remixed_from_video_id"] == made.json()["id"]
