import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.adapters import answer
from tests.support.calls import read_answer
from tests.support.jimeng import JIMENG, NOW, reply

from vidgate.exceptions import (
    ConfigurationError,
    ProviderProtocolError,
    UnsupportedParameterError,
)
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import (
    Failed,
    FaultKind,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    UpstreamRef,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Call, Callback, CancelAnswer, SubmitIds
from vidgate.providers.jimeng.answers import Question, read_kind, write_kind

ACCESS = ChannelAccess("https://visual.volcengineapi.com", SecretStr("AKLTEXAMPLE|SKEXAMPLE"))
PICTURE = Image(url="https://cdn.example/a.png")
AVATAR = "jimeng_realman_avatar_picture_omni_v15"
MOTION = "jimeng_dreamactor_m20_gen_video"
TEXT = "jimeng_t2v_v30"
REF = UpstreamRef("7512000000000000001", TEXT)
META = {"producer_id": "p1", "content_propagator": "us"}


def service(status: int, code: int, data: Any = None) -> httpx.Response:
    return answer(status, {"code": code, "data": data, "message": "said", "request_id": "r1"})


def gateway(status: int, code: str) -> httpx.Response:
    return answer(status, {"ResponseMetadata": {"Error": {"Code": code, "Message": "said"}}})


def submitted(
    request: VideoRequest, callback_url: str | None = None
) -> Call[Submission | Rejected]:
    ids = SubmitIds(correlation="attempt_1", callback_url=callback_url)
    return JIMENG.submit(JIMENG.translate(request), ACCESS, ids, NOW)


def ref_of(request: VideoRequest) -> UpstreamRef:
    submission = read_answer(submitted(request), reply("submit_accepted"))
    assert isinstance(submission, Submission)
    return submission.ref


def avatar(**metadata: Any) -> VideoRequest:
    metadata = {"audio_url": "https://cdn.example/a.mp3", **metadata}
    return VideoRequest(model=AVATAR, images=(PICTURE,), metadata=metadata)


# How to ask about a job


def test_avatar_is_polled_by_the_pair_it_was_made_with() -> None:
    ref = ref_of(avatar())

    call = JIMENG.poll([ref], ACCESS, NOW)
    sent = call.request

    assert sent.url.query == b"Action=CVGetResult&Version=2022-08-31"
    assert json.loads(sent.content) == {"req_key": AVATAR, "task_id": ref.id}
    outcome = read_answer(call, reply("poll_avatar_done"))[ref]
    assert isinstance(outcome, Succeeded)
    assert outcome.result.expires_at == datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
    assert read_answer(call, reply("poll_processing"))[ref] == Pending(started=False)
    late = read_answer(call, reply("poll_input_refused"))[ref]
    assert isinstance(late, Failed)
    assert late.fault.kind is FaultKind.BAD_PARAMETER


@pytest.mark.parametrize(
    "question",
    [
        Question(req_key=TEXT),
        Question(req_key=AVATAR, action="CVGetResult"),
        Question(req_key=TEXT, req_json='{"a":"船\ud800\\u0000"}'),
        Question(req_key=AVATAR, action="CVGetResult", req_json="{}"),
        Question(req_key='{"req_key":"x"}'),
        Question(req_key=""),
    ],
)
def test_question_survives_being_kept(question: Question) -> None:
    kind = write_kind(question)

    assert read_kind(kind) == question
    kind.encode()


def test_ref_of_the_usual_pair_is_the_bare_key() -> None:
    assert write_kind(Question(req_key=TEXT)) == TEXT
    assert ref_of(VideoRequest(model=TEXT, prompt="p")).kind == TEXT


# The label


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"aigc_meta": META}, {"aigc_meta": META}),
        ({"aigc_meta": json.dumps(META)}, {"aigc_meta": META}),
        ({"req_json": {"aigc_meta": META}}, {"aigc_meta": META}),
        ({"req_json": '{"x": 1}', "aigc_meta": META}, {"x": 1, "aigc_meta": META}),
        ({"req_json": json.dumps({"aigc_meta": META})}, {"aigc_meta": META}),
        ({"req_json": {}}, {}),
    ],
)
def test_label_goes_out_with_every_poll_and_not_with_the_submit(
    metadata: dict[str, Any], text: dict[str, Any]
) -> None:
    request = VideoRequest(model=TEXT, prompt="p", metadata=metadata)

    body = json.loads(submitted(request).request.content)
    polled = json.loads(JIMENG.poll([ref_of(request)], ACCESS, NOW).request.content)

    assert body == {"req_key": TEXT, "prompt": "p"}
    assert polled["req_key"] == TEXT
    assert json.loads(polled["req_json"]) == text


def test_label_written_as_text_goes_out_as_it_was_written() -> None:
    text = '{ "return_url" : true }'
    ref = ref_of(VideoRequest(model=TEXT, prompt="p", metadata={"req_json": text}))

    assert json.loads(JIMENG.poll([ref], ACCESS, NOW).request.content)["req_json"] == text


@pytest.mark.parametrize(
    ("metadata", "param"),
    [
        ({"aigc_meta": {}}, "metadata.aigc_meta"),
        ({"aigc_meta": {"producer_id": "p"}}, "metadata.aigc_meta"),
        ({"aigc_meta": {**META, "producer_id": "p" * 257}}, "metadata.aigc_meta"),
        ({"aigc_meta": {**META, "propagate_id": 5}}, "metadata.aigc_meta"),
        ({"aigc_meta": "text"}, "metadata.aigc_meta"),
        ({"aigc_meta": [META]}, "metadata.aigc_meta"),
        ({"req_json": "[1]"}, "metadata.req_json"),
        ({"req_json": "{"}, "metadata.req_json"),
        ({"req_json": "[" * 100_000}, "metadata.req_json"),
        ({"req_json": '{"a":NaN}'}, "metadata.req_json"),
        ({"req_json": 5}, "metadata.req_json"),
        ({"req_json": {"a": "b" * 5000}}, "metadata.req_json"),
        ({"req_json": {"aigc_meta": 5}}, "metadata.aigc_meta"),
    ],
)
def test_label_that_every_poll_would_be_refused_for(metadata: dict[str, Any], param: str) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        JIMENG.translate(VideoRequest(model=TEXT, prompt="p", metadata=metadata))

    assert caught.value.param == param


def test_no_label_where_none_is_asked_for() -> None:
    metadata = {"aigc_meta": None, "req_json": None}

    assert ref_of(VideoRequest(model=TEXT, prompt="p", metadata=metadata)).kind == TEXT


# Callbacks


@pytest.mark.parametrize(
    ("request_", "is_given"),
    [
        (
            VideoRequest(
                model=MOTION, images=(PICTURE,), metadata={"video_url": "https://cdn.example/v"}
            ),
            True,
        ),
        (VideoRequest(model=TEXT, prompt="p"), False),
        (avatar(), False),
        (VideoRequest(model="jimeng_new", prompt="p"), False),
    ],
)
def test_our_address_is_given_to_the_key_that_takes_one(
    request_: VideoRequest,
    is_given: bool,  # noqa: FBT001
) -> None:
    sent = submitted(request_, "https://gateway.example/callbacks/jimeng/x")

    body = json.loads(sent.request.content)
    assert body.get("callback_url") == (
        "https://gateway.example/callbacks/jimeng/x" if is_given else None
    )


def test_callback_is_taken_as_it_comes() -> None:
    callback = Callback(
        method="POST",
        url="https://gateway.example/callbacks/jimeng/x",
        headers={},
        body=b"\xff",
        received_at=NOW,
    )

    JIMENG.check_callback(callback, ACCESS, None)
    JIMENG.check_callback(callback, ACCESS, SecretStr("secret"))


# Cancelling


def cancel(response: httpx.Response) -> CancelAnswer:
    return read_answer(JIMENG.cancel(REF, ACCESS, NOW), response)


def test_cancel_request() -> None:
    sent = JIMENG.cancel(ref_of(avatar(aigc_meta=META)), ACCESS, NOW).request

    assert sent.method == "POST"
    assert sent.url.query == b"Action=CVCancelTask&Version=2024-06-06"
    assert json.loads(sent.content) == {"req_key": AVATAR, "task_id": "7512000000000000001"}
    assert sent.headers["authorization"].startswith("HMAC-SHA256 Credential=AKLTEXAMPLE/20261120/")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (service(200, 10000), CancelAnswer.ACCEPTED),
        (service(200, 10000, {}), CancelAnswer.ACCEPTED),
        (service(200, 10000, {"status": ["done"]}), CancelAnswer.ACCEPTED),
        (answer(200, {"ResponseMetadata": {}, "Result": {"code": 10000}}), CancelAnswer.ACCEPTED),
        (service(200, 10000, {"status": "generating"}), CancelAnswer.TOO_LATE),
        (service(200, 10000, {"status": "not_found"}), CancelAnswer.UNKNOWN),
        (service(400, 50200), CancelAnswer.TOO_LATE),
        (service(200, 50200), CancelAnswer.TOO_LATE),
        (service(400, 61234), CancelAnswer.TOO_LATE),
        (gateway(404, "InvalidActionOrVersion"), CancelAnswer.TOO_LATE),
    ],
)
def test_cancel_answer(response: httpx.Response, expected: CancelAnswer) -> None:
    assert cancel(response) is expected


@pytest.mark.parametrize(
    "response",
    [
        service(200, 61234),
        service(429, 50429),
        service(429, 50430),
        service(400, 50400),
        service(500, 50500),
        service(500, 10000),
        gateway(401, "SignatureDoesNotMatch"),
        gateway(429, "FlowLimitExceeded"),
        reply("html_200"),
        reply("html_429"),
        reply("html_502"),
        reply("truncated"),
    ],
)
def test_cancel_that_says_nothing(response: httpx.Response) -> None:
    with pytest.raises(ProviderProtocolError):
        cancel(response)


def test_cancel_is_told_how_long_to_wait() -> None:
    with pytest.raises(ProviderProtocolError) as caught:
        cancel(answer(429, {"code": 50429}, **{"retry-after": "7"}))

    assert caught.value.retry_after_seconds == 7


# Probing


def test_probe_asks_about_a_task_that_nobody_has() -> None:
    sent = JIMENG.test(ACCESS, NOW).request

    assert sent.url.query == b"Action=CVSync2AsyncGetResult&Version=2022-08-31"
    assert set(json.loads(sent.content)) == {"req_key", "task_id"}


def test_probe_needs_a_credential_in_its_form() -> None:
    with pytest.raises(ConfigurationError):
        JIMENG.test(ChannelAccess(ACCESS.base_url, SecretStr("one-part")), NOW)


@pytest.mark.parametrize(
    ("response", "works", "said"),
    [
        (reply("poll_not_found"), True, "right"),
        (service(400, 50200), True, "right"),
        (service(429, 50429), True, "limit"),
        (service(429, 50430), True, "limit"),
        (service(400, 50400), True, "jimeng_ti2v_v30_pro"),
        (service(200, 30403), True, "opened in the console"),
        (service(500, 50500), False, "try again"),
        (service(500, 10000), False, "try again"),
        (service(400, 61234), False, "61234"),
        (gateway(401, "InvalidAccessKey"), False, "access key is unknown"),
        (gateway(401, "SignatureDoesNotMatch"), False, "secret key is not its own"),
        (gateway(401, "InvalidSecretToken"), False, "session token"),
        (gateway(400, "InvalidTimestamp"), False, "clock"),
        (gateway(400, "MissingRequestInfo"), False, "ACCESS|SECRET"),
        (gateway(400, "InvalidAuthorization"), False, "ACCESS|SECRET"),
        (gateway(400, "InvalidCredential"), False, "ACCESS|SECRET"),
        (gateway(403, "LackPolicy"), False, "policy"),
        (gateway(403, "AccessDenied"), False, "policy"),
        (gateway(404, "ServiceNotFound"), False, "base URL"),
        (gateway(404, "InvalidActionOrVersion"), False, "base URL"),
        (gateway(429, "FlowLimitExceeded"), False, "flow limit"),
        (gateway(503, "ServiceUnavailableTemp"), False, "try again"),
        (gateway(403, "SomethingNew"), False, "SomethingNew"),
        (reply("html_200"), False, "base URL"),
        (reply("html_429"), False, "flow limit"),
        (reply("html_502"), False, "HTTP 502"),
        (reply("truncated"), False, "base URL"),
        (httpx.Response(200), False, "base URL"),
    ],
)
def test_probe_says_what_is_wrong_in_one_sentence(
    response: httpx.Response,
    works: bool,  # noqa: FBT001
    said: str,
) -> None:
    found = read_answer(JIMENG.test(ACCESS, NOW), response)

    assert found.works is works
    assert said in found.sentence
    assert found.sentence.endswith(".")
    assert found.sentence.count(". ") == 0
    assert "EXAMPLE" not in found.sentence


def test_probe_by_number_of_the_gateway() -> None:
    error = {"CodeN": 100010, "Message": "said"}
    response = answer(401, {"ResponseMetadata": {"Error": error}})

    found = read_answer(JIMENG.test(ACCESS, NOW), response)

    assert "secret key is not its own" in found.sentence


# Time to finish


def test_slow_keys_are_followed_for_long() -> None:
    avatars = JIMENG.translate(avatar())
    text = JIMENG.translate(VideoRequest(model=TEXT, prompt="p"))

    assert avatars.pace.deadline == timedelta(hours=2)
    assert text.pace.deadline == timedelta(hours=1)
    models = JIMENG.capabilities.models
    assert all(model.link_lifetime == timedelta(hours=1) for model in models.values())
