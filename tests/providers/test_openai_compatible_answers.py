"""What compatible servers answer, in all the forms that are known of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.adapters import NOW
from tests.support.compatible import ACCESS, ADAPTER, KEY, error, polled, recorded, reply, submitted

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.channels import ChannelAccess
from vidgate.models.ids import new_id
from vidgate.models.outcomes import (
    Failed,
    FaultKind,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
    UpstreamRef,
    VideoResult,
)
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskSnapshot, TaskStatus
from vidgate.providers.base import ProbeAnswer, SubmitIds

CONTENT = "https://gate.test/v1/videos/video_1/content"
URL = "https://cdn.test/a.mp4?sig=%2F"


def result_of(**members: Any) -> VideoResult:
    outcome = polled(reply({"id": "video_1", "status": "completed", **members}))
    assert isinstance(outcome, Succeeded), outcome
    return outcome.result


# Submits


@pytest.mark.parametrize(
    ("body", "job"),
    [
        ({"id": "video_1"}, "video_1"),
        ({"task_id": "task_1"}, "task_1"),
        ({"id": "video_1", "task_id": "task_1"}, "video_1"),
        ({"id": 17}, "17"),
        ({"id": None, "task_id": "task_1"}, "task_1"),
        ({"data": {"task_id": "task_1", "id": 3}}, "task_1"),
        ({"code": "success", "data": {"id": "video_1"}}, "video_1"),
        ({"code": 200, "data": [{"status": "submitted", "task_id": "task_1"}]}, "task_1"),
        ({"code": "success", "message": "", "data": "task_1"}, "task_1"),
        ({"id": "video_bGl0ZWxsbTo/Lz0+==", "status": "queued"}, "video_bGl0ZWxsbTo/Lz0+=="),
        ({"id": "video_1", "status": "failed", "error": {"code": "x"}}, "video_1"),
    ],
)
def test_an_id_is_found_where_servers_put_it(body: Any, job: str) -> None:
    for status in (200, 201, 202):
        assert submitted(reply(body, status)) == Submission(ref=UpstreamRef(job))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": ""},
        {"id": ".."},
        {"id": "two words"},
        {"id": True},
        {"id": -1},
        {"id": "x" * 513},
        {"id": "\0"},
        {"data": [{"id": "a"}, {"id": "b"}]},
        {"code": "fail", "data": "task_1"},
        {"status": "error", "message": "something"},
        {"code": 1, "message": "who knows what 1 means"},
        error("server_error"),
        error("x", type_="upstream_error"),
        error(500),
        error("504"),
        error(409),
        error("x", text="This idempotency key was used before."),
        {"code": "fail_to_fetch_task", "message": "m", "data": None},
        {"code": 502, "message": "bad gateway", "data": None},
        # Somewhere there is what may be the id of a job.
        {**error("invalid_value"), "request": {"video": {"task_id": "task_1"}}},
        {"code": 400, "message": "bad", "data": {"job": [{"id": 7}]}},
        {"code": 400, "message": "bad", "data": "task_1"},
        {"error": {"code": "content_policy_violation", "message": "m", "video_id": "v1"}},
        [],
        "<html>",
    ],
)
def test_a_success_without_an_id_is_unclear(body: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        submitted(reply(body))


def _code(code: Any, text: str = "bad") -> Any:
    return {"code": code, "message": text, "data": None}


EXPLICIT = [
    (error("content_policy_violation"), FaultKind.CONTENT_POLICY),
    (error("who_knows"), FaultKind.BAD_PARAMETER),
    (error(None), FaultKind.BAD_PARAMETER),
    (error("invalid_value", param="seconds"), FaultKind.BAD_PARAMETER),
    (error("insufficient_quota"), FaultKind.BALANCE),
    (error("rate_limit_exceeded"), FaultKind.RATE),
    (error("concurrency_limit_exceeded"), FaultKind.CONCURRENCY),
    (error("invalid_api_key"), FaultKind.CREDENTIAL),
    (error("model_not_found"), FaultKind.MODEL_UNAVAILABLE),
    ({"error": "a sentence"}, FaultKind.BAD_PARAMETER),
    ({"error": "The content policy refused the prompt"}, FaultKind.CONTENT_POLICY),
    (_code(400), FaultKind.BAD_PARAMETER),
    (_code("400"), FaultKind.BAD_PARAMETER),
    (_code(400, "insufficient account balance"), FaultKind.BALANCE),
    (_code(400, "prompt hit the moderation"), FaultKind.CONTENT_POLICY),
    (_code(400, "rate limit reached"), FaultKind.RATE),
    (_code(400, "too many concurrent tasks"), FaultKind.CONCURRENCY),
    (_code(400, "invalid API key"), FaultKind.CREDENTIAL),
    (_code(400, "用户额度不足"), FaultKind.BALANCE),
    (_code(400, "the prompt 'rate limit' is too short"), FaultKind.BAD_PARAMETER),
    (_code("bad_request_body"), FaultKind.BAD_PARAMETER),
    (_code("fail"), FaultKind.BAD_PARAMETER),
    ({"code": 400, "message": "bad", "data": {"field": "seconds"}}, FaultKind.BAD_PARAMETER),
    ({"success": False, "message": "bad"}, FaultKind.BAD_PARAMETER),
]
"""Errors without an id that mean the same with a status of 200 as with one of 400."""


@pytest.mark.parametrize(("body", "kind"), EXPLICIT)
def test_an_explicit_error_is_a_refusal_whatever_its_status(body: Any, kind: FaultKind) -> None:
    answers = [submitted(reply(body, status)) for status in (200, 201, 400)]

    for answer in answers:
        assert isinstance(answer, Rejected)
        assert answer.fault.kind is kind
    first, second, third = (answer.fault for answer in answers if isinstance(answer, Rejected))
    assert first.message == second.message == third.message
    assert first.param == third.param


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, FaultKind.CREDENTIAL),
        (402, FaultKind.BALANCE),
        (403, FaultKind.CREDENTIAL),
        (404, FaultKind.FAULT),
        (405, FaultKind.FAULT),
        (413, FaultKind.BAD_PARAMETER),
        (422, FaultKind.BAD_PARAMETER),
        (429, FaultKind.RATE),
    ],
)
def test_a_status_inside_a_success_means_what_it_means_outside(code: int, kind: FaultKind) -> None:
    for body, status in ((_code(code), 200), (_code(str(code)), 200), (error(), code)):
        answer = submitted(reply(body, status))
        assert isinstance(answer, Rejected)
        assert answer.fault.kind is kind


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<html><body>\n <b>hello</b></body></html>", "<html><body> <b>hello</b></body></html>"),
        ({"status": "odd", "key": KEY}, '{"status": "odd", "key": "[key]"}'),
        ('{"id": "video_', '{"id": "video_'),
        ("", "an empty body"),
        ("sk-otherkey12345 " + "x" * 1000, "[key] " + "x" * 194),
    ],
)
def test_an_unclear_answer_is_told_in_its_own_words(body: Any, told: str) -> None:
    with pytest.raises(ProviderProtocolError) as caught:
        submitted(reply(body))

    assert str(caught.value) == f"The server answered 200, a success without an id: {told}"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error("anything"), FaultKind.BAD_PARAMETER),
        (400, error(None), FaultKind.BAD_PARAMETER),
        (400, {"error": "a sentence"}, FaultKind.BAD_PARAMETER),
        (400, {"msg": "a sentence"}, FaultKind.BAD_PARAMETER),
        (400, error("moderation_blocked"), FaultKind.CONTENT_POLICY),
        (400, error("Content_Policy_Violation"), FaultKind.CONTENT_POLICY),
        (400, error("model_not_found"), FaultKind.MODEL_UNAVAILABLE),
        (400, error("400", type_="budget_exceeded"), FaultKind.BALANCE),
        (400, error(400, type_="x"), FaultKind.BAD_PARAMETER),
        (401, error("invalid_api_key"), FaultKind.CREDENTIAL),
        (401, "<html>", FaultKind.CREDENTIAL),
        (402, error(), FaultKind.BALANCE),
        (403, error(), FaultKind.CREDENTIAL),
        (403, error("model_not_allowed"), FaultKind.MODEL_UNAVAILABLE),
        (403, error("insufficient_user_quota"), FaultKind.BALANCE),
        (404, error("model_not_found", param="model"), FaultKind.MODEL_UNAVAILABLE),
        (404, error("ModelNotFound"), FaultKind.MODEL_UNAVAILABLE),
        (404, error(param="model"), FaultKind.MODEL_UNAVAILABLE),
        (413, "<html>", FaultKind.BAD_PARAMETER),
        (415, error(), FaultKind.BAD_PARAMETER),
        (422, {"detail": [{"loc": ["body"], "msg": "Field required"}]}, FaultKind.BAD_PARAMETER),
        (429, error("rate_limit_exceeded"), FaultKind.RATE),
        (429, error("insufficient_quota"), FaultKind.BALANCE),
        (429, error("too_many_concurrent_tasks"), FaultKind.CONCURRENCY),
        (429, "<html>", FaultKind.RATE),
        (500, {"code": "insufficient_user_quota", "message": "m"}, FaultKind.BALANCE),
        (503, error("no_channel"), FaultKind.MODEL_UNAVAILABLE),
        (503, error("model_not_found"), FaultKind.MODEL_UNAVAILABLE),
        (503, error("overloaded"), FaultKind.RATE),
    ],
)
def test_a_refusal_is_understood(status: int, body: Any, kind: FaultKind) -> None:
    answer = submitted(reply(body, status))

    assert isinstance(answer, Rejected)
    assert answer.fault.kind is kind
    assert answer.fault.code


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (302, ""),
        (400, "<html>"),
        (400, {}),
        (408, error("timeout")),
        (408, error("overloaded")),
        (409, error("conflict")),
        # The key of this submit came with other words before, after a change of ours perhaps.
        (422, error("idempotency_mismatch")),
        (425, error()),
        (499, error()),
        (500, error("server_error")),
        (500, error("content_policy_violation")),
        (502, error("upstream_error", type_="upstream_error")),
        (502, "<html>"),
        (503, error("unavailable")),
        (504, error("gateway_timeout")),
        (529, error("busy")),
    ],
)
def test_what_may_have_made_a_job_is_unclear(status: int, body: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        submitted(reply(body, status))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("upstream_error", FaultKind.FAULT),
        ("upstream_account_error", FaultKind.FAULT),
        ("upstream_busy", FaultKind.FAULT),
        ("rate_limit_exceeded", FaultKind.FAULT),  # the same key would get the same answer
        ("upstream_model_unavailable", FaultKind.MODEL_UNAVAILABLE),
    ],
)
def test_a_vidgate_that_was_refused_says_so_for_certain(code: str, kind: FaultKind) -> None:
    body = error(code, type_="upstream_error")

    for header in ("false", "False"):
        answer = submitted(reply(body, 502, x_should_retry=header))
        assert isinstance(answer, Rejected)
        assert answer.fault.kind is kind
    for status, header in ((502, "true"), (500, "false"), (504, "false")):
        with pytest.raises(ProviderProtocolError):
            submitted(reply(body, status, x_should_retry=header))
    with pytest.raises(ProviderProtocolError):
        submitted(reply(error(code, type_="server_error"), 502, x_should_retry="false"))


def test_a_field_is_named_and_nothing_else_is_repeated() -> None:
    text = f"seconds is bad for account 42 at host db1, key {KEY} sk-otherkey12345"

    answer = submitted(reply(error("invalid_value", param="seconds", text=text), 400))

    assert isinstance(answer, Rejected)
    assert answer.fault.param == "seconds"
    assert answer.fault.safe_message == "The provider refused the value of seconds."
    assert KEY not in f"{answer}"
    assert "sk-otherkey12345" not in f"{answer}"
    for param in ("a b", "https://host.test", 7, "x" * 50, None, "db1.internal"):
        odd = submitted(reply(error("invalid_value", param=param), 400))
        assert isinstance(odd, Rejected)
        assert (odd.fault.param, odd.fault.safe_message) == ("", "")


def test_a_key_of_any_form_is_not_kept() -> None:
    access = ChannelAccess("https://gate.test", SecretStr("a-resellers-own-key"))
    translation = ADAPTER.translate(VideoRequest(model="clip-1", prompt="a boat"))
    sent = ADAPTER.submit(translation, access, SubmitIds(correlation="vg_1"), NOW)

    answer = sent.read(reply(error("x", text="key a-resellers-own-key"), 400))

    assert isinstance(answer, Rejected)
    assert answer.fault.message == "key [key]"


def test_a_code_that_means_success_is_no_error() -> None:
    answer = submitted(reply({"code": 0, "message": "m"}, 400))

    assert isinstance(answer, Rejected)
    assert answer.fault.code == "HTTP_400"


def test_a_wish_to_wait_is_kept() -> None:
    answer = submitted(recorded("rejected_rate"))

    assert isinstance(answer, Rejected)
    assert answer.fault.retry_after_seconds == 12
    with pytest.raises(ProviderProtocolError) as caught:
        polled(reply(error(), 503, retry_after="7"))
    assert caught.value.retry_after_seconds == 7


# Polls


@pytest.mark.parametrize(
    ("word", "started"),
    [
        *((word, False) for word in ("queued", "pending", "submitted", "NOT_START", "Queued ")),
        *((word, True) for word in ("in_progress", "IN-PROGRESS", "processing", "running")),
    ],
)
def test_a_job_that_runs(word: str, started: bool) -> None:  # noqa: FBT001 - a table
    assert polled(reply({"id": "1", "status": word})) == Pending(started=started)
    assert polled(reply({"data": {"task_status": word}})) == Pending(started=started)


@pytest.mark.parametrize(
    ("told", "percent"),
    [
        (30, 30),
        (30.9, 30),
        (0.3, 30),
        ("30%", 30),
        (" 31 % ", 31),
        ("32", 32),
        (0, 0),
        (100, 100),
        (101, None),
        (-1, None),
        ("soon", None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_progress(told: Any, percent: int | None) -> None:
    outcome = polled(reply({"id": "1", "status": "running", "progress": told}))

    assert outcome == Pending(started=True, progress=percent)


@pytest.mark.parametrize(
    "word", ["completed", "succeeded", "success", "succeed", "SUCCESS", "Finished", "done"]
)
def test_a_job_that_is_done(word: str) -> None:
    outcome = polled(reply({"id": "1", "status": word, "url": URL}))

    assert isinstance(outcome, Succeeded)
    assert (outcome.result.url, outcome.result.protected) == (URL, False)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("failed", FaultKind.FAULT),
        ("FAILURE", FaultKind.FAULT),
        ("cancelled", FaultKind.CANCELLED),
        ("canceled", FaultKind.CANCELLED),
        ("expired", FaultKind.EXPIRED),
    ],
)
def test_a_job_that_failed(word: str, kind: FaultKind) -> None:
    outcome = polled(reply({"id": "1", "status": word}))

    assert isinstance(outcome, Failed)
    assert (outcome.fault.kind, outcome.doubtful) == (kind, False)
    assert outcome.fault.code == word.lower()


@pytest.mark.parametrize(
    ("members", "kind", "code"),
    [
        ({"error": {"code": "moderation_blocked"}}, FaultKind.CONTENT_POLICY, "moderation_blocked"),
        ({"error": {"code": "cancelled", "message": "m"}}, FaultKind.CANCELLED, "cancelled"),
        ({"error": {"code": "upstream_task_expired"}}, FaultKind.EXPIRED, "upstream_task_expired"),
        ({"error": {"code": "invalid_parameter"}}, FaultKind.BAD_PARAMETER, "invalid_parameter"),
        ({"error": {"message": "m"}}, FaultKind.FAULT, "failed"),
        ({"error": "a sentence"}, FaultKind.FAULT, "failed"),
        ({"error": [1]}, FaultKind.FAULT, "failed"),
        ({"error": None, "fail_reason": "a sentence"}, FaultKind.FAULT, "failed"),
    ],
)
def test_why_a_job_failed(members: Any, kind: FaultKind, code: str) -> None:
    outcome = polled(reply({"id": "1", "status": "failed", **members}))

    assert isinstance(outcome, Failed)
    assert (outcome.fault.kind, outcome.fault.code) == (kind, code)
    assert outcome.fault.safe_message == ""


def test_the_answers_of_a_new_api() -> None:
    assert polled(recorded("newapi_running")) == Pending(started=True, progress=30)
    done = polled(recorded("newapi_succeeded"))
    assert isinstance(done, Succeeded)
    assert done.result.url == "https://cdn.example.com/n.mp4"
    failed = polled(recorded("newapi_failed"))
    assert isinstance(failed, Failed)
    assert failed.fault.message == "upstream said no"
    lost = polled(recorded("newapi_not_found"))
    assert isinstance(lost, Failed)
    assert (lost.fault.kind, lost.doubtful) == (FaultKind.NOT_FOUND, True)
    poor = submitted(recorded("newapi_no_quota"))
    assert isinstance(poor, Rejected)
    assert poor.fault.kind is FaultKind.BALANCE


@pytest.mark.parametrize(
    "body",
    [
        {"id": "1", "status": "unknown"},
        {"id": "1", "status": ""},
        {"id": "1", "status": None},
        {"id": "1", "status": 200},
        {"id": "1"},
        {"id": "1", "status": "dreaming"},
        {"id": "1", "status": "error"},
        error("server_error"),
        {"status": "failed", "message": "rate limited"},
        {"status": "success", "message": "ok"},
        {"status": "success", "data": {"note": "nothing"}},
        {"id": "1", "status": "failed", "data": {"status": "SUCCESS"}},
        {"id": "1", "status": "completed", "data": {"status": "processing"}},
        {"code": "unauthorized", "message": "no", "data": None},
    ],
)
def test_what_says_nothing_certain_is_asked_again(body: Any) -> None:
    assert isinstance(polled(reply(body)), Unreadable)


def test_an_envelope_is_not_the_job() -> None:
    body = {"status": "success", "data": {"task_id": "1", "status": "processing"}}

    assert polled(reply(body)) == Pending(started=True)


@pytest.mark.parametrize("word", ["failed", "processing", "expired"])
def test_two_words_for_one_state_say_it_and_two_states_nothing(word: str) -> None:
    done = {"id": "1", "status": "completed", "data": {"id": "1", "status": "succeeded"}}
    torn = done | {"data": {"id": "1", "status": word}}

    assert isinstance(polled(reply(done)), Succeeded)
    assert isinstance(polled(reply(torn)), Unreadable)


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 405, 408, 409, 422, 429, 500, 502, 503]
)
@pytest.mark.parametrize(
    "body",
    [
        error("server_error"),
        error("invalid_api_key"),
        error("model_not_found", text="No such video model"),
        {"detail": "Not Found"},
        {"id": "1", "status": "failed"},
        "<html>",
        "",
    ],
)
def test_an_error_kills_no_task(status: int, body: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        polled(reply(body, status))


@pytest.mark.parametrize(
    "body",
    [
        error("not_found"),
        error("video_not_found"),
        error("task_not_found", type_="not_found_error"),
        error(None, type_="invalid_request_error", text="Video with id 'video_1' not found."),
        error(None, text="No such video."),
        {"detail": "Video not found"},
        {"code": "task_not_exist", "message": "task_not_exist", "data": None},
    ],
)
def test_a_job_that_is_not_known_is_asked_for_once_more(body: Any) -> None:
    outcome = polled(reply(body, 404))

    assert isinstance(outcome, Failed)
    assert (outcome.fault.kind, outcome.doubtful) == (FaultKind.NOT_FOUND, True)
    assert outcome.fault.code


@pytest.mark.parametrize(
    "body",
    [
        {"code": "task_not_exist", "message": "no", "data": None},
        error("video_not_found"),
        error("task_not_found", type_="invalid_request_error"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 404])
def test_no_such_job_is_told_with_any_status(body: Any, status: int) -> None:
    outcome = polled(reply(body, status))

    assert isinstance(outcome, Failed)
    assert (outcome.fault.kind, outcome.doubtful) == (FaultKind.NOT_FOUND, True)


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        {"detail": "Not Found"},
        {"message": "/v1/videos/video_1 not found"},
        error(text="Invalid URL (GET /v1/videos/video_1)"),
    ],
)
def test_a_404_of_somebody_else_is_no_lost_job(body: Any) -> None:
    with pytest.raises(ProviderProtocolError) as caught:
        polled(reply(body, 404))
    assert "404" in str(caught.value)


# Results


@pytest.mark.parametrize(
    "members",
    [
        {"url": URL},
        {"video_url": URL},
        {"result_url": URL},
        {"download_url": URL},
        {"output": URL},
        {"output": [URL]},
        {"output": [{"url": URL}]},
        {"output": {"video_url": URL}},
        {"outputs": [None, {}, {"url": URL}]},
        {"metadata": {"url": URL}},
        {"video": {"url": URL}},
        {"video_url": {"url": URL}},
        {"videos": [{"url": URL, "cover_url": "https://c.test/c.png"}]},
        {"content": {"video_url": URL}},
        {"result": {"videos": [{"url": [URL]}, {"url": URL}]}},
        {"data": {"url": URL}},
        {"data": {"result_url": URL}},
        {"data": {"videos": [{"url": URL}]}},
        {"data": [{"url": URL}]},
        {"url": "", "video_url": None, "data": {"result_url": URL}},
        {"url": "data:video/mp4;base64,AAAA", "metadata": {"url": URL}},
        {"url": "ftp://a.test/x", "output": ["http://[", URL]},
    ],
)
def test_a_url_is_found_where_servers_put_it(members: Any) -> None:
    result = result_of(**members)

    assert (result.url, result.protected) == (URL, False)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"url": None},
        {"url": "soon"},
        {"url": "http://[::"},
        {"url": "https://a.test/ b"},
        {"url": "//\0"},
        {"url": "http:///a.mp4"},
        {"url": CONTENT},
        {"url": "http://gate.test/v1/videos/task_9/content"},
        {"url": "/v1/videos/video_1/content"},
        {"metadata": {"image": URL, "input": {"url": URL}}},
        {"data": {"data": {"url": URL}}},
    ],
)
def test_without_a_url_of_its_own_the_video_is_at_the_content_endpoint(members: Any) -> None:
    result = result_of(**members)

    assert (result.url, result.protected) == (CONTENT, True)


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ("/files/a.mp4?x=%2F", "https://gate.test/files/a.mp4?x=%2F"),
        ("//cdn.test/a.mp4", "https://cdn.test/a.mp4"),
        (f"{CONTENT}?sig=1", f"{CONTENT}?sig=1"),
        (
            "https://cdn.test/v1/videos/video_1/content",
            "https://cdn.test/v1/videos/video_1/content",
        ),
    ],
)
def test_a_url_that_needs_no_key(told: str, url: str) -> None:
    result = result_of(url=told)

    assert (result.url, result.protected) == (url, False)


def test_what_a_server_tells_of_a_video() -> None:
    outcome = polled(recorded("succeeded"))
    assert isinstance(outcome, Succeeded)
    assert outcome.result == VideoResult(
        url="https://cdn.example.com/v/1.mp4?sig=%2Fa%3D",
        expires_at=datetime.fromtimestamp(1763726490, UTC),
        duration_seconds=8.04,
        fps=24,
        width=1280,
        height=720,
        seed=7,
        upstream_id="video_1",
    )


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"seconds": "8"}, {"duration_seconds": 8}),
        ({"seconds": 8.5}, {"duration_seconds": 8.5}),
        ({"seconds": "8", "metadata": {"duration": 8.04}}, {"duration_seconds": 8.04}),
        ({"seconds": "8", "duration": "5s"}, {"duration_seconds": 5}),
        ({"seconds": "auto", "duration": 0}, {}),
        ({"size": "1280x720"}, {"width": 1280, "height": 720}),
        ({"size": "16:9"}, {}),
        ({"size": "1280x720", "metadata": {"width": 1248}}, {"width": 1280, "height": 720}),
        ({"metadata": {"width": None, "height": None, "fps": None, "seed": None}}, {}),
        (
            {"videos": [{"width": 640, "height": 360, "fps": 25}]},
            {"width": 640, "height": 360, "fps": 25},
        ),
        ({"output": {"fps": 25}}, {"fps": 25}),
        ({"outputs": [{"fps": 25}]}, {"fps": 25}),
        ({"fps": 10**30}, {}),
        ({"seed": 7}, {"seed": 7}),
        ({"seed": 7, "metadata": {"fps": 25}}, {"seed": 7, "fps": 25}),
        ({"seed": 2**64}, {}),
        ({"thumbnail_url": URL}, {"cover_url": URL}),
        ({"thumbnail_url": "soon"}, {}),
        ({"expires_at": 1763726490}, {"expires_at": datetime.fromtimestamp(1763726490, UTC)}),
        ({"expires_at": 1763726490000}, {"expires_at": datetime.fromtimestamp(1763726490, UTC)}),
        ({"expires_at": "2026-11-21T12:00:00Z"}, {"expires_at": NOW + timedelta(days=1)}),
        ({"expires_at": "2026-11-21T12:00:00"}, {"expires_at": NOW + timedelta(days=1)}),
        ({"expires_at": 0}, {}),
        ({"expires_at": "soon"}, {}),
        ({"expires_at": 10**30}, {}),
    ],
)
def test_facts_are_read_or_left_unknown(members: Any, expected: dict[str, Any]) -> None:
    assert result_of(url=URL, **members) == VideoResult(url=URL, upstream_id="video_1", **expected)


# Probes


@pytest.mark.parametrize(
    ("response", "works", "said"),
    [
        (reply({"object": "list", "data": [{"id": "a"}, {"id": "b"}]}), True, "2 models"),
        (reply({"object": "list", "data": []}), True, "0 models"),
        (reply({"hello": "world"}), False, "not as an OpenAI-compatible"),
        (reply("<html>"), False, "whole prefix"),
        (reply("<html>", 404), False, "whole prefix"),
        (reply({"detail": "Not Found"}, 404), True, "lists no models"),
        (reply(error("invalid_api_key"), 401), False, "refuses the key"),
        (reply(error(), 403), False, "refuses the key"),
        (reply(error("insufficient_quota"), 429), False, "used up"),
        (reply(error(), 429), False, "throttles"),
        (reply(error(), 500), False, "fails at the moment"),
        (reply({}, 418), False, "answers 418"),
    ],
)
def test_a_probe(response: httpx.Response, works: bool, said: str) -> None:  # noqa: FBT001 - a table
    answer = ADAPTER.test(ACCESS, NOW).read(response)

    assert isinstance(answer, ProbeAnswer)
    assert answer.works is works
    assert said in answer.sentence


# The format's own shape


def snapshot(status: TaskStatus, **members: Any) -> TaskSnapshot:
    return TaskSnapshot(
        id=new_id(),
        account_id=new_id(),
        token_id=new_id(),
        revision=1,
        status=status,
        model="clip-1",
        provider="openai_compatible",
        upstream_model="upstream-clip",
        created_at=NOW,
        **members,
    )


def test_a_task_in_the_shape_of_the_format() -> None:
    result = VideoResult(url=URL, expires_at=NOW + timedelta(days=1), width=640, height=360)
    task = snapshot(
        TaskStatus.SUCCEEDED,
        asked={"prompt": "a boat", "duration_seconds": 5},
        finished_at=NOW + timedelta(minutes=1),
        outputs=(OutputSnapshot(status=TaskStatus.SUCCEEDED, result=result),),
    )

    assert ADAPTER.native_answer(task) == {
        "id": task.public_id,
        "object": "video",
        "model": "clip-1",
        "status": "completed",
        "progress": 100,
        "created_at": int(NOW.timestamp()),
        "completed_at": int(NOW.timestamp()) + 60,
        "expires_at": int(NOW.timestamp()) + 86400,
        "prompt": "a boat",
        "seconds": "5",
        "size": "640x360",
        "remixed_from_video_id": None,
        "error": None,
        "url": URL,
    }


@pytest.mark.parametrize(
    ("task", "status", "code"),
    [
        (snapshot(TaskStatus.QUEUED), "queued", None),
        (snapshot(TaskStatus.IN_PROGRESS, asked={"width": 8, "height": 4}), "in_progress", None),
        (
            snapshot(TaskStatus.FAILED, error=TaskError("upstream_error", "It.")),
            "failed",
            "upstream_error",
        ),
        (snapshot(TaskStatus.CANCELLED), "failed", "cancelled"),
    ],
)
def test_a_task_without_a_video(task: TaskSnapshot, status: str, code: str | None) -> None:
    answer = ADAPTER.native_answer(task)

    assert answer["status"] == status
    assert answer["seconds"] is None
    assert answer["size"] == ("8x4" if task.asked else None)
    assert answer["completed_at"] is None
    assert (answer["error"] or {}).get("code") == code
    assert "url" not in answer
