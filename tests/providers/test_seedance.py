"""Seedance: what Ark is sent, what is refused before, and what its answers mean."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.adapters import answer, png, recorded
from tests.support.calls import read_answer

from vidgate.exceptions import ProviderProtocolError, UnsupportedParameterError
from vidgate.models.channels import ChannelAccess
from vidgate.models.ids import new_id
from vidgate.models.outcomes import (
    Failed,
    FaultKind,
    Outcome,
    Rejected,
    Submission,
    Succeeded,
    UpstreamRef,
    VideoResult,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.models.tasks import FollowUp, OutputSnapshot, TaskSnapshot, TaskStatus
from vidgate.providers.base import (
    Action,
    CancelAnswer,
    LostSubmit,
    SubmitIds,
    Translation,
)
from vidgate.providers.seedance import Seedance

NOW = datetime(2026, 11, 28, 1, 15, tzinfo=UTC)  # when the recorded jobs were made
ADAPTER = Seedance()
ACCESS = ChannelAccess("https://ark.test", SecretStr("a-key-of-ark"))
JOB = UpstreamRef("cgt-20261128091500-k4m2x")
IDS = SubmitIds(correlation="vg_0123456789abcdef")
URL, VIDEO, SOUND = "https://a.test/1.png", "https://a.test/1.mp4", "https://a.test/1.mp3"
V25, V20 = "doubao-seedance-2-5-260628", "dreamina-seedance-2-0-260128"
V10, FAST = "seedance-1-0-pro-250528", "doubao-seedance-1-0-pro-fast-251015"
TEXT = {"type": "text", "text": "a boat"}
FILM = {"type": "video_url", "video_url": {"url": VIDEO}, "role": "reference_video"}
SPEECH = {"type": "audio_url", "audio_url": {"url": SOUND}, "role": "reference_audio"}


def picture(role: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": URL}, "role": role}


def request_of(model: str = V25, pictures: int = 0, **members: Any) -> VideoRequest:
    images = (Image(url=URL),) * pictures
    return VideoRequest(**{"model": model, "prompt": "a boat", "images": images, **members})


def translate(model: str = V25, pictures: int = 0, **members: Any) -> Translation:
    return ADAPTER.translate(request_of(model, pictures, **members))


def refused(model: str = V25, pictures: int = 0, **members: Any) -> UnsupportedParameterError:
    with pytest.raises(UnsupportedParameterError) as caught:
        translate(model, pictures, **members)
    return caught.value


# Golden requests

ALWAYS = {"duration": 5, "watermark": False, "execution_expires_after": 7200}
SECOND = {"resolution": "720p", "ratio": "adaptive", "generate_audio": True, **ALWAYS}
FIRST = {"resolution": "1080p", "ratio": "16:9", **ALWAYS}
ENDS = [TEXT, picture("first_frame"), picture("last_frame")]
GOLDEN: list[tuple[str, str, int, dict[str, Any], list[Any], dict[str, Any]]] = [
    ("a prompt alone", V25, 0, {}, [TEXT], SECOND),
    ("the other cloud", V20, 0, {}, [TEXT], SECOND),
    ("the first generation", V10, 0, {}, [TEXT], FIRST),
    ("a first frame", V25, 1, {}, [TEXT, picture("first_frame")], SECOND),
    (
        "a first frame alone",
        V20,
        1,
        {"prompt": ""},
        [picture("first_frame")],
        SECOND,
    ),
    (
        "a frame of the first generation",
        V10,
        1,
        {},
        [TEXT, picture("first_frame")],
        {**FIRST, "ratio": "adaptive"},
    ),
    ("two frames", V25, 2, {}, ENDS, SECOND),
    (
        "three pictures",
        V25,
        3,
        {},
        [TEXT, *[picture("reference_image")] * 3],
        {**SECOND, "omni_reference_task_type": "reference"},
    ),
    (
        "one reference",
        V20,
        1,
        {"metadata": {"action": "referenceGenerate"}},
        [TEXT, picture("reference_image")],
        SECOND,
    ),
    (
        "a picture beside a video",
        V20,
        1,
        {"metadata": {"content": [FILM, SPEECH]}},
        [TEXT, picture("reference_image"), FILM, SPEECH],
        SECOND,
    ),
    (
        "a last frame by its role",
        V20,
        1,
        {"metadata": {"content": [picture("last_frame")]}},
        ENDS,
        SECOND,
    ),
    (
        "a prompt of the client's own",
        V25,
        0,
        {"metadata": {"content": [{"type": "text", "text": "a ship"}]}},
        [{"type": "text", "text": "a ship"}],
        SECOND,
    ),
    (
        "an edit",
        V25,
        0,
        {"metadata": {"action": "edit", "content": [FILM]}},
        [TEXT, FILM],
        {**SECOND, "duration": -1, "omni_reference_task_type": "edit"},
    ),
    (
        "an extension by its vendor field",
        V25,
        0,
        {"metadata": {"omni_reference_task_type": "extend", "content": [FILM]}},
        [TEXT, FILM],
        {**SECOND, "omni_reference_task_type": "extend"},
    ),
    (
        "a draft",
        V25,
        0,
        {"metadata": {"draft": True}},
        [TEXT],
        {**SECOND, "resolution": "480p", "draft": True},
    ),
    (
        "a draft made in full",
        V25,
        0,
        {"metadata": {"draft_task_id": "cgt-1"}},
        [{"type": "draft_task", "draft_task": {"id": "cgt-1"}}],
        {"resolution": "1080p", "watermark": False, "execution_expires_after": 7200},
    ),
    (
        "everything by generic fields",
        V20,
        0,
        {
            "duration_seconds": 8,
            "width": 1080,
            "height": 1920,
            "seed": 7,
            "user": "u-1",
            "metadata": {"sound": "off", "watermark": True},
        },
        [TEXT],
        {
            **SECOND,
            "resolution": "1080p",
            "ratio": "9:16",
            "duration": 8,
            "seed": 7,
            "safety_identifier": "u-1",
            "generate_audio": False,
            "watermark": True,
        },
    ),
    (
        "4k",
        V20,
        0,
        {"tier": "4k", "aspect_ratio": "21:9"},
        [TEXT],
        {**SECOND, "resolution": "4k", "ratio": "21:9"},
    ),
    ("a length that the model chooses", V20, 0, {"duration_seconds": 0}, [TEXT],
     {**SECOND, "duration": -1}),
    (
        "frames",
        V10,
        0,
        {"duration_seconds": 4, "metadata": {"frames": 57}},
        [TEXT],
        {**{name: FIRST[name] for name in FIRST if name != "duration"}, "frames": 57},
    ),
    (
        "the slow queue",
        FAST,
        0,
        {"metadata": {"service_tier": "flex", "sound": False}},
        [TEXT],
        {
            **{name: FIRST[name] for name in FIRST if name != "execution_expires_after"},
            "service_tier": "flex",
        },
    ),
    ("an endpoint", "ep-1", 0, {"metadata": {"camera_fixed": True}}, [TEXT],
     {**ALWAYS, "camera_fixed": True}),
    ("an endpoint and a size", "ep-1", 0, {"width": 854, "height": 480}, [TEXT],
     {**ALWAYS, "resolution": "480p", "ratio": "16:9"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "pictures", "members", "content", "rest"),
    [one[1:] for one in GOLDEN],
    ids=[one[0] for one in GOLDEN],
)
def test_golden(
    model: str, pictures: int, members: dict[str, Any], content: list[Any], rest: dict[str, Any]
) -> None:
    translation = translate(model, pictures, **members)

    sent = ADAPTER.submit(translation, ACCESS, IDS, NOW).request

    assert (sent.method, str(sent.url)) == (
        "POST",
        "https://ark.test/api/v3/contents/generations/tasks",
    )
    assert sent.headers["Authorization"] == "Bearer a-key-of-ark"
    assert json.loads(sent.content) == {"model": model, "content": content, **rest}
    assert (translation.adjusted, translation.unknown) == ((), ())


def test_an_inline_picture_is_a_data_uri() -> None:
    image = png(640, 480)

    [_, item] = translate(images=(image,)).body["content"]

    assert item["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    for width, height in ((299, 640), (640, 6001), (1000, 399)):
        assert refused(images=(png(width, height),)).param == "image"


# Models


@pytest.mark.parametrize("is_china", [True, False])
@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("2-5", "260628"),
        ("2-0", "260128"),
        ("2-0-fast", "260128"),
        ("2-0-mini", "260615"),
        ("1-0-pro", "250528"),
        ("1-0-pro-fast", "251015"),
    ],
)
def test_a_model_goes_by_its_id_with_its_date_and_without(
    name: str,
    date: str,
    is_china: bool,  # noqa: FBT001 - a table's column
) -> None:
    prefix = "doubao-" if is_china else "dreamina-" if name.startswith("2") else ""
    short, full = f"{prefix}seedance-{name}", f"{prefix}seedance-{name}-{date}"

    assert translate(short).body["model"] == translate(full).body["model"] == full
    assert set(ADAPTER.family(short)) == set(ADAPTER.family(full)) == {short, full}
    assert translate(short).adjusted == ()


@pytest.mark.parametrize(
    ("retired", "successor"),
    [
        ("doubao-seedance-1-5-pro-251215", "doubao-seedance-2-0-mini-260615"),
        ("seedance-1-5-pro", "dreamina-seedance-2-0-mini-260615"),
        ("doubao-seedance-1-0-lite-t2v-250428", "doubao-seedance-1-0-pro-fast-251015"),
        ("seedance-1-0-lite-i2v-250428", "seedance-1-0-pro-fast-251015"),
    ],
)
def test_a_retired_model_runs_as_its_successor_and_says_so(retired: str, successor: str) -> None:
    told = translate(retired)

    assert (told.body["model"], told.facts.model) == (successor, successor)
    assert told.adjusted == (f"model={successor}",)
    with pytest.raises(UnsupportedParameterError) as caught:
        Seedance(map_retired_models=False).translate(request_of(retired))
    assert (caught.value.param, caught.value.allowed) == ("model", (successor,))


# Refused before anything is sent


def content(*items: Any) -> dict[str, Any]:
    return {"metadata": {"content": [*items]}}


REFUSED: list[tuple[str, str, int, dict[str, Any], str]] = [
    ("a suffix", V25, 0, {"prompt": "a boat --dur 5"}, "prompt"),
    ("a suffix of nobody's", "ep-1", 0, {"prompt": "a boat --xy z"}, "prompt"),
    ("too short", V25, 0, {"duration_seconds": 3}, "duration"),
    ("too long", V20, 0, {"duration_seconds": 16}, "duration"),
    ("part of a second", V20, 0, {"duration_seconds": 5.5}, "duration"),
    ("no length", V10, 0, {"duration_seconds": 0}, "duration"),
    ("no 4k", V25, 0, {"tier": "4k", "width": 3840, "height": 2160}, "size"),
    ("no 1080p", "doubao-seedance-2-0-fast", 0, {"width": 1920, "height": 1080}, "size"),
    ("a shape beside a frame", V25, 1, {"metadata": {"ratio": "16:9"}}, "ratio"),
    ("adaptive without a frame", V10, 0, {"metadata": {"ratio": "adaptive"}}, "ratio"),
    ("sound where there is none", V10, 0, {"metadata": {"audio": True}}, "audio"),
    ("the slow queue of 2.0", V20, 0, {"metadata": {"service_tier": "flex"}}, "service_tier"),
    ("odd frames", V10, 0, {"metadata": {"frames": 58}}, "frames"),
    ("frames of 2.0", V20, 0, {"metadata": {"frames": 57}}, "frames"),
    ("a large draft", V25, 0, {"metadata": {"draft": True, "resolution": "720p"}}, "resolution"),
    ("a large draft by size", V25, 0, {"tier": "1080p", "metadata": {"draft": True}}, "size"),
    ("no draft", V20, 0, {"metadata": {"draft": True}}, "draft"),
    ("no last frame", FAST, 2, {}, "images"),
    ("no references", V10, 3, {}, "images"),
    ("too many pictures", V20, 10, {}, "images"),
    ("no edit", V20, 0, {"metadata": {"action": "edit", "content": [FILM]}}, "action"),
    ("no such action", V25, 0, {"metadata": {"action": "dance"}}, "action"),
    ("an edit of nothing", V25, 0, {"metadata": {"action": "edit"}}, "content"),
    ("an edit of two", V25, 0, {"metadata": {"action": "edit", "content": [FILM, FILM]}},
     "content"),
    ("a shaped edit", V25, 0, {"metadata": {"action": "edit", "content": [FILM], "ratio": "1:1"}},
     "ratio"),
    ("a long edit", V25, 0, {"metadata": {"action": "edit", "content": [FILM], "duration": 5}},
     "duration"),
    ("no prompt", V25, 0, {"prompt": ""}, "content"),
    ("a frame beside references", V25, 0, content(picture("first_frame"), FILM), "content"),
    ("two first frames", V25, 0, content(picture("first_frame"), picture("first_frame")),
     "content"),
    ("a last frame alone", V25, 0, content(picture("last_frame")), "content"),
    ("a sound alone", V20, 0, content(SPEECH), "content"),
    ("too many videos", V20, 0, content(*[FILM] * 4), "content"),
    ("too many sounds", V20, 0, content(FILM, *[SPEECH] * 4), "content"),
    ("an inline video", V20, 0,
     content({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}),
     "content"),
    ("a billed name spelled otherwise", V25, 0, {"metadata": {"generateAudio": False}},
     "generateAudio"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "pictures", "members", "param"),
    [one[1:] for one in REFUSED],
    ids=[one[0] for one in REFUSED],
)
def test_refused(model: str, pictures: int, members: dict[str, Any], param: str) -> None:
    assert refused(model, pictures, **members).param == param


def test_a_sound_may_be_the_only_reference_of_2_5() -> None:
    assert translate(**content(SPEECH)).details == {"action": "references"}


@pytest.mark.parametrize("prompt", ["she says -- well", "a--b c", "--- a", "end --"])
def test_dashes_that_are_no_suffix_pass(prompt: str) -> None:
    assert translate(prompt=prompt).body["content"] == [{"type": "text", "text": prompt}]


@pytest.mark.parametrize(
    ("model", "pictures", "members", "ignored"),
    [
        (V25, 0, {"fps": 24}, ("fps",)),
        (V25, 0, {"metadata": {"negative_prompt": "blur", "mode": "pro"}},
         ("mode", "negative_prompt")),
        (V25, 1, {"aspect_ratio": "1:1"}, ("size",)),
        (V25, 0, {"duration_seconds": 8, "metadata": {"action": "edit", "content": [FILM]}},
         ("duration",)),
        (V25, 0, {"seed": 1, "metadata": {"draft_task_id": "cgt-1"}}, ("prompt", "seed")),
        ("ep-1", 0, {"metadata": {"negative_prompt": "blur"}}, ("negative_prompt",)),
    ],
)  # fmt: skip
def test_what_is_of_no_use_is_named(
    model: str, pictures: int, members: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    assert translate(model, pictures, **members).ignored == ignored


@pytest.mark.parametrize("height", [360, 480, 600, 720, 800, 1080, 1440, 2160])
@pytest.mark.parametrize("model", ADAPTER.capabilities.models)
def test_a_tier_is_met_raised_and_said_or_refused(model: str, height: int) -> None:
    for action, takes in ADAPTER.capabilities.models[model].actions.items():
        given = {Action.EDIT: [FILM], Action.EXTEND: [FILM]}.get(action, [])
        members: dict[str, Any] = {"metadata": {"action": action.value, "content": given}}
        if action is Action.UPSCALE:
            members["metadata"]["draft_task_id"] = "cgt-1"
        try:
            told = translate(
                model, takes.images[0], width=height * 16 // 9, height=height, **members
            )
        except UnsupportedParameterError as error:
            assert error.param == "size"  # noqa: PT017 - it need not be met
            continue
        made = told.facts.resolution or ""
        pixels = 2160 if made == "4k" else int(made.removesuffix("p"))
        assert height <= pixels <= height * 1.5
        assert pixels == height or any(made in one for one in told.adjusted)


@pytest.mark.parametrize("user", ["u-1", "u" * 64, "someone@a.test" * 9])
def test_the_end_user_is_all_that_identifies(user: str) -> None:
    sent = json.loads(ADAPTER.submit(translate(user=user), ACCESS, IDS, NOW).request.content)

    assert len(sent["safety_identifier"]) <= 64
    assert sent["safety_identifier"] == user or len(user) > 64
    assert IDS.correlation not in json.dumps(sent)


def test_a_job_is_followed_until_the_vendor_has_given_it_up() -> None:
    hours = timedelta(hours=1)
    flex = {"service_tier": "flex"}

    for metadata, expiry in (
        ({}, 2 * hours),
        ({"execution_expires_after": 3600}, hours),
    ):
        assert expiry < translate(metadata=metadata).pace.deadline < expiry + hours
    assert 48 * hours < translate(V10, metadata=flex).pace.deadline < 49 * hours
    assert translate(V10, metadata=flex).facts.off_peak


# Submitting


def submit(response: httpx.Response) -> Submission | Rejected:
    told = ADAPTER.submit(translate(), ACCESS, IDS, NOW).read(response)
    assert isinstance(told, Submission | Rejected)
    return told


def error(code: str, message: str = "No.") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "param": "", "type": "BadRequest"}}


CODES: list[tuple[int, str, FaultKind]] = [
    (400, "MissingParameter.content", FaultKind.BAD_PARAMETER),
    (400, "InvalidParameter.TaskTypeConstraint", FaultKind.BAD_PARAMETER),
    (400, "InvalidImageURL.InvalidFormat", FaultKind.BAD_PARAMETER),
    (400, "OutofContextError", FaultKind.BAD_PARAMETER),
    (400, "InvalidEndpoint.ClosedEndpoint", FaultKind.FAULT),
    (400, "SensitiveContentDetected.SevereViolation", FaultKind.CONTENT_POLICY),
    (400, "InputTextSensitiveContentDetected.PolicyViolation", FaultKind.CONTENT_POLICY),
    (400, "InputAudioSensitiveContentDetected.New", FaultKind.CONTENT_POLICY),
    (400, "InputImageRiskDetection", FaultKind.CONTENT_POLICY),
    (400, "SomethingNew.DeepFake", FaultKind.CONTENT_POLICY),
    (400, "ContentSecurityDetectionError", FaultKind.FAULT),
    (400, "InvalidSubscription", FaultKind.CREDENTIAL),
    (401, "InvalidAccountStatus", FaultKind.CREDENTIAL),
    (403, "OperationDenied.PermissionDenied", FaultKind.CREDENTIAL),
    (403, "OperationDenied.ServiceNotOpen", FaultKind.MODEL_UNAVAILABLE),
    (403, "OperationDenied.ServiceOverdue", FaultKind.BALANCE),
    (404, "InvalidEndpointOrModel.ModelIDAccessDisabled", FaultKind.MODEL_UNAVAILABLE),
    (404, "UnsupportedModel", FaultKind.MODEL_UNAVAILABLE),
    (429, "RateLimitExceeded.EndpointRPMExceeded", FaultKind.RATE),
    (429, "APIAccountRpmRateLimitExceeded", FaultKind.RATE),
    (429, "InflightBatchsizeExceeded", FaultKind.RATE),
    (429, "ServerOverloaded", FaultKind.RATE),
    (429, "SetLimitExceeded", FaultKind.BALANCE),
    (400, "SomethingNew", FaultKind.BAD_PARAMETER),
    (403, "SomethingNew", FaultKind.CREDENTIAL),
    (429, "SomethingNew", FaultKind.RATE),
]


@pytest.mark.parametrize(("status", "code", "kind"), CODES)
def test_what_a_code_means(status: int, code: str, kind: FaultKind) -> None:
    told = submit(answer(status, error(code)))

    assert isinstance(told, Rejected)
    assert (told.fault.kind, told.fault.code) == (kind, code)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("rejected_queue", FaultKind.CONCURRENCY),
        ("rejected_trial", FaultKind.BALANCE),
        ("rejected_window", FaultKind.BALANCE),
    ],
)
def test_a_quota_is_a_queue_or_a_purse(reply: str, kind: FaultKind) -> None:
    told = submit(recorded("seedance", reply))

    assert isinstance(told, Rejected)
    assert told.fault.kind is kind
    unheard = submit(answer(429, error("QuotaExceeded", "Too much.")))
    assert isinstance(unheard, Rejected)
    assert unheard.fault.kind is FaultKind.CONCURRENCY


def test_a_refused_field_is_named_without_the_id_of_the_request() -> None:
    told = submit(recorded("seedance", "rejected_parameter"))

    assert isinstance(told, Rejected)
    assert told.fault.param == "ratio"
    assert told.fault.safe_message == "The value of the parameter ratio is not valid."


@pytest.mark.parametrize(
    "response",
    [
        recorded("seedance", "submitted_without_id"),
        recorded("seedance", "server_error"),
        answer(200, error("InvalidParameter")),
        answer(409, error("Conflict")),
        answer(408, error("Timeout")),
        answer(503, error("ServerOverloaded")),
    ],
)
def test_what_may_have_made_a_job_is_not_refused(response: httpx.Response) -> None:
    with pytest.raises(ProviderProtocolError):
        submit(response)


# Polling


def poll(name: str) -> Outcome:
    return read_answer(ADAPTER.poll([JOB], ACCESS, NOW), recorded("seedance", name))[JOB]


def test_a_result_tells_all_that_is_known() -> None:
    told = poll("succeeded_with_last_frame")

    assert isinstance(told, Succeeded)
    ended_at = datetime.fromtimestamp(1795828741, tz=UTC)
    assert told.result == VideoResult(
        url="https://result.example.test/v/k4m2x.mp4?sig=abc",
        cover_url="https://result.example.test/v/k4m2x.png",
        expires_at=ended_at + timedelta(hours=24),
        duration_seconds=6,
        fps=24,
        seed=81234,
        cost="130500",
        cost_unit="tokens",
        upstream_id=JOB.id,
    )


def test_a_result_may_lack_its_length() -> None:
    told = poll("succeeded_by_frames")

    assert isinstance(told, Succeeded)
    assert told.result.duration_seconds is None


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        ("failed", FaultKind.BAD_PARAMETER, "ratio must be adaptive"),
        ("failed_output", FaultKind.CONTENT_POLICY, "copyright"),
        ("failed_unknown", FaultKind.FAULT, ""),
        ("failed_without_error", FaultKind.FAULT, ""),
        ("cancelled", FaultKind.CANCELLED, ""),
        ("expired", FaultKind.EXPIRED, ""),
    ],
)
def test_how_a_job_ends(reply: str, kind: FaultKind, says: str) -> None:
    told = poll(reply)

    assert isinstance(told, Failed)
    assert (told.fault.kind, told.doubtful) == (kind, False)
    assert says in told.fault.safe_message


# Finding


def find(items: list[Any], translation: Translation | None, page: Any = None) -> Any:
    sent_at = datetime.fromtimestamp(1795828500, tz=UTC)
    lost = LostSubmit(
        endpoint="/e",
        ids=IDS,
        sent_at=sent_at,
        ends_at=sent_at + timedelta(seconds=90),
        translation=translation,
    )
    call = ADAPTER.find(lost, ACCESS, NOW, page=page)
    return call.request, call.read(answer(200, {"total": len(items), "items": items}))


LISTED = json.loads(recorded("seedance", "list_one").content)["items"][0]


@pytest.mark.parametrize(
    ("members", "job", "is_found"),
    [
        ({}, {}, True),
        ({"aspect_ratio": "16:9"}, {}, True),
        ({"aspect_ratio": "9:16"}, {}, False),
        ({"duration_seconds": 6}, {}, False),
        ({"duration_seconds": 0}, {"duration": 11}, True),
        ({"tier": "480p"}, {}, False),
        ({"seed": 7}, {"seed": 7}, True),
        ({"seed": 7}, {"seed": 8}, False),
        ({"seed": 7}, {}, True),
        ({}, {"seed": 8}, True),
        ({"metadata": {"sound": False}}, {}, False),
        ({"user": "u-1"}, {"safety_identifier": "u-1"}, True),
        ({"user": "u-1"}, {"safety_identifier": "u-2"}, False),
        ({}, {"safety_identifier": "u-1"}, False),
        ({}, {"execution_expires_after": 172800}, False),
        ({"metadata": {"priority": 3}}, {"priority": 3}, True),
        ({"metadata": {"priority": 3}}, {"priority": 4}, False),
        ({}, {"draft": True}, False),
        ({"metadata": {"draft": True}}, {"draft": True, "resolution": "480p"}, True),
        ({}, {"draft_task_id": "cgt-1"}, False),
        (
            {"metadata": {"draft_task_id": "cgt-1"}},
            {"draft_task_id": "cgt-1", "resolution": "1080p"},
            True,
        ),
        (
            {"metadata": {"draft_task_id": "cgt-1"}},
            {"draft_task_id": "cgt-2", "resolution": "1080p"},
            False,
        ),
        ({}, {"service_tier": "flex"}, False),
        ({}, {"created_at": 1795828494}, False),
        ({}, {"created_at": 1795828495}, True),
        ({}, {"created_at": 1795828650}, True),
        ({}, {"created_at": 1795828651}, False),
    ],
)
def test_a_lost_submit_is_known_by_all_that_was_sent(
    members: dict[str, Any],
    job: dict[str, Any],
    is_found: bool,  # noqa: FBT001 - a table's column
) -> None:
    _, found = find([LISTED | job], translate(**members))

    assert found.candidates == ((JOB,) if is_found else ())
    assert found.ref is None


def test_the_list_is_asked_for_the_model_and_the_queue() -> None:
    flex = translate(V10, metadata={"service_tier": "flex"})

    request, _ = find([], flex, page=2)

    assert request.url.path == "/api/v3/contents/generations/tasks"
    assert dict(request.url.params) == {
        "page_num": "2",
        "page_size": "500",
        "filter.model": V10,
        "filter.service_tier": "flex",
    }
    assert "filter.service_tier" not in find([], translate())[0].url.params
    assert find([LISTED], None)[1].candidates == ()
    assert find([LISTED] * 500, translate())[1].next_page == 2


# Cancelling


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("deleted", CancelAnswer.ACCEPTED),
        ("delete_running", CancelAnswer.TOO_LATE),
        ("not_found", CancelAnswer.UNKNOWN),
    ],
)
def test_a_cancellation(reply: str, told: CancelAnswer) -> None:
    call = ADAPTER.cancel(JOB, ACCESS, NOW)

    assert call.request.method == "DELETE"
    assert call.read(recorded("seedance", reply)) is told
    assert ADAPTER.only_queued


# Following up


def made(model: str, seconds: float | None = 6, **members: Any) -> TaskSnapshot:
    result = VideoResult(url=VIDEO, duration_seconds=seconds, width=720, height=1280)
    return TaskSnapshot(
        id=new_id(),
        account_id=new_id(),
        token_id=new_id(),
        revision=3,
        status=TaskStatus.SUCCEEDED,
        model=members.pop("asked", model),
        provider="seedance",
        upstream_model=model,
        created_at=NOW,
        outputs=(OutputSnapshot(status=TaskStatus.SUCCEEDED, result=result),),
        facts={"resolution": "1080p", "duration_seconds": 6},
        **members,
    )


@pytest.mark.parametrize(
    ("kind", "model", "runs", "expected"),
    [
        (FollowUp.EDIT, V25, V25, {"duration": -1, "omni_reference_task_type": "edit"}),
        (FollowUp.EXTEND, V25, V25, {"duration": 5, "omni_reference_task_type": "extend"}),
        (FollowUp.EDIT, V20, "dreamina-seedance-2-5-260628", {"duration": -1}),
        (FollowUp.EXTEND, FAST, V25, {"duration": 5}),
        (FollowUp.REMIX, V20, V20, {"resolution": "1080p", "duration": 6, "ratio": "9:16"}),
        (FollowUp.REMIX, V10, "dreamina-seedance-2-5-260628", {"duration": 6}),
    ],
)
def test_what_is_made_of_a_finished_video(
    kind: FollowUp, model: str, runs: str, expected: dict[str, Any]
) -> None:
    asked = VideoRequest(model="", prompt="a ship")

    body = ADAPTER.translate(ADAPTER.follow_up(kind, made(model), asked)).body

    assert body["model"] == runs
    assert body["content"] == [{"type": "text", "text": "a ship"}, FILM]
    assert {name: body[name] for name in expected} == expected


def test_a_model_of_the_channel_s_own_is_kept() -> None:
    source = made("ep-1", asked="my-seedance")

    assert ADAPTER.follow_up(FollowUp.EDIT, source, request_of("")).model == "my-seedance"
    assert ADAPTER.follow_up(FollowUp.EDIT, source, request_of(V25)).model == V25


@pytest.mark.parametrize(
    ("kind", "model", "seconds"),
    [
        (FollowUp.EDIT, V25, 3),
        (FollowUp.EDIT, V25, 31),
        (FollowUp.EXTEND, V25, 1),
        (FollowUp.REMIX, V20, 16),
    ],
)
def test_a_video_of_another_length_is_refused(kind: FollowUp, model: str, seconds: float) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        ADAPTER.follow_up(kind, made(model, seconds), request_of(""))

    assert caught.value.param == "video"


# Vendor-shaped answers


def test_a_task_as_the_vendor_would_show_it() -> None:
    task = made(V25)
    result = VideoResult(url=VIDEO, cover_url=URL, cost="108900", cost_unit="tokens", fps=24)
    outputs = (OutputSnapshot(status=TaskStatus.SUCCEEDED, result=result),)

    told = ADAPTER.native_answer(replace(task, outputs=outputs, finished_at=NOW))

    assert (told["id"], told["status"]) == (task.public_id, "succeeded")
    assert told["content"] == {"video_url": VIDEO, "last_frame_url": URL}
    assert told["usage"] == {"completion_tokens": 108900, "total_tokens": 108900}
    assert told["created_at"] == told["updated_at"] == int(NOW.timestamp())
