"""The errors of Jimeng's own dialect, over made-up services."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.support.api import Api, call, open_api

from vidgate.exceptions import (
    BodyTooLargeError,
    ContentPolicyError,
    DatabaseUnavailableError,
    IdempotencyError,
    ModelNotFoundError,
    NoChannelError,
    OverloadedError,
    PermissionDeniedError,
    RefusedParameterError,
    RepeatedRefusalError,
    RequestError,
    UnsupportedParameterError,
    UpstreamRefusedError,
)
from vidgate.models.outcomes import FaultKind, Rejected
from vidgate.providers.jimeng.answers import Question, answer_of, read_submission

SUBMIT = "Action=CVSync2AsyncSubmitTask&Version=2022-08-31"
RESULT = "Action=CVSync2AsyncGetResult&Version=2022-08-31"
GOOD: dict[str, Any] = {"req_key": "jimeng_t2v_v30", "prompt": "a boat", "frames": 241}
ENVELOPE = {"code", "data", "message", "request_id", "status", "time_elapsed"}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


def gateway_error(answer: httpx.Response) -> dict[str, Any]:
    """The gateway's error, after a look at what is around it."""
    body = answer.json()
    metadata = body["ResponseMetadata"]
    error: dict[str, Any] = metadata["Error"]
    assert metadata["RequestId"] == answer.headers["X-Request-Id"]
    assert (metadata["Service"], metadata["Region"]) == ("cv", "cn-north-1")
    # A server that reads a number here takes every one but 10000 for the end of its task.
    assert body["code"] == error["Code"]
    assert body["message"] == error["Message"]
    return error


@pytest.mark.parametrize(
    ("query", "status", "code", "number"),
    [
        ("Action=CVProcess&Version=2022-08-31", 404, "InvalidActionOrVersion", 100008),
        ("Action=CVSync2AsyncSubmitTask&Version=2024-06-06", 404, "InvalidActionOrVersion", 100008),
        ("Action=cvsync2asyncsubmittask&Version=2022-08-31", 404, "InvalidActionOrVersion", 100008),
        ("Action=CVSync2AsyncSubmitTask", 400, "MissingParameter", 100002),
        ("Action=&Version=2022-08-31", 400, "MissingParameter", 100002),
        ("Version=2022-08-31", 400, "MissingParameter", 100002),
        ("%41ction=CVSync2AsyncSubmitTask&Version=2022-08-31", 400, "MissingParameter", 100002),
        ("", 400, "MissingParameter", 100002),
    ],
)
@pytest.mark.parametrize("path", ["/jimeng/", "/"])
async def test_an_unknown_action_or_version(  # noqa: PLR0917 - the columns of the table
    api: Api, path: str, query: str, status: int, code: str, number: int
) -> None:
    answer = await api.client.post(f"{path}?{query}", json=GOOD)

    assert answer.status_code == status
    error = gateway_error(answer)
    assert (error["Code"], error["CodeN"]) == (code, number)
    assert api.services.task_creator.requests == []


async def test_a_query_of_other_bytes(api: Api) -> None:
    sent = await call(
        _with_query(api.app, b"Action=CVSync2AsyncSubmitTask\xff&Version=2022-08-31"),
        [{"type": "http.request", "body": b"{}"}],
        path="/jimeng/",
    )

    assert sent[0]["status"] == 404


def _with_query(app: ASGIApp, query: bytes) -> ASGIApp:
    async def changed(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "query_string": query}, receive, send)

    return changed


async def test_the_root_is_closed_without_a_token(api: Api) -> None:
    for query in (SUBMIT, RESULT, "%41ction=CVSync2AsyncSubmitTask&Version=2022-08-31"):
        answer = await api.client.post(f"/?{query}", json=GOOD, headers={"Authorization": ""})
        assert answer.status_code == (401 if query.startswith("A") else 400), answer.text
    assert api.services.task_creator.requests == []


@pytest.mark.parametrize("path", ["/jimeng/", "/"])
async def test_a_get_is_not_taken(api: Api, path: str) -> None:
    answer = await api.client.get(f"{path}?{RESULT}&task_id=task_0")

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    assert gateway_error(answer)["Code"] == "InvalidActionOrVersion"


async def test_an_unknown_route(api: Api) -> None:
    answer = await api.client.post(f"/jimeng/other?{SUBMIT}", json=GOOD)

    assert answer.status_code == 404
    assert gateway_error(answer)["CodeN"] == 100008


@pytest.mark.parametrize("path", ["/jimeng/", "/"])
@pytest.mark.parametrize("authorization", ["", "Bearer sk-" + "x" * 43, "Basic eDp5"])
async def test_without_a_valid_token(api: Api, path: str, authorization: str) -> None:
    answer = await api.client.post(
        f"{path}?{SUBMIT}", json=GOOD, headers={"Authorization": authorization}
    )

    assert answer.status_code == 401
    error = gateway_error(answer)
    assert (error["Code"], error["CodeN"]) == ("InvalidCredential", 100025)
    assert "Authorization: Bearer sk-" in error["Message"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnsupportedParameterError("frames", "No.", allowed=(121, 241)), 400, 50200),
        (
            RefusedParameterError("The provider refused the value of seed.", param="seed"),
            400,
            50200,
        ),
        (ContentPolicyError("The provider's moderation refused the prompt."), 400, 50412),
        (ModelNotFoundError("There is no model 'x'.", param="model"), 404, 50200),
        (IdempotencyError("This key was used."), 422, 50200),
        (BodyTooLargeError("Too large."), 413, 50200),
        (
            RepeatedRefusalError(
                status=400,
                kind="invalid_request_error",
                message="Refused.",
                param=None,
                code="content_policy_violation",
            ),
            400,
            50412,
        ),
    ],
)
async def test_what_is_wrong_with_the_request_is_the_services_to_say(
    api: Api, error: RequestError, status: int, code: int
) -> None:
    api.services.task_creator.error = error

    answer = await api.client.post(f"/jimeng/?{SUBMIT}", json=GOOD)

    assert answer.status_code == status
    body = answer.json()
    assert body.keys() == ENVELOPE
    assert (body["code"], body["status"], body["data"]) == (code, code, None)
    assert error.message in body["message"]
    assert not error.param or error.param in body["message"]
    assert body["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("error", "status", "code", "number"),
    [
        (PermissionDeniedError("Not allowed."), 403, "AccessDenied", 100013),
        (OverloadedError("Later."), 429, "FlowLimitExceeded", 100018),
        (DatabaseUnavailableError("pool"), 429, "FlowLimitExceeded", 100018),
        (RuntimeError("secret"), 500, "InternalError", 100014),
    ],
)
async def test_everything_else_is_the_gateways(
    api: Api, error: Exception, status: int, code: str, number: int
) -> None:
    api.services.task_creator.error = error

    answer = await api.client.post(f"/?{SUBMIT}", json=GOOD)

    assert answer.status_code == status
    told = gateway_error(answer)
    assert (told["Code"], told["CodeN"]) == (code, number)
    assert "secret" not in answer.text
    assert "pool" not in answer.text


@pytest.mark.parametrize(
    ("error", "status", "code", "kind"),
    [
        (NoChannelError("None."), 400, 50400, FaultKind.MODEL_UNAVAILABLE),
        (
            UpstreamRefusedError("Gone.", code="upstream_model_unavailable"),
            400,
            50400,
            FaultKind.MODEL_UNAVAILABLE,
        ),
        (
            UpstreamRefusedError("Unpaid.", code="upstream_account_error"),
            400,
            50400,
            FaultKind.MODEL_UNAVAILABLE,
        ),
        (
            UpstreamRefusedError("Full.", code="upstream_busy"),
            429,
            50430,
            FaultKind.CONCURRENCY,
        ),
        (UpstreamRefusedError("All refused."), 400, 50520, FaultKind.FAULT),
        (OverloadedError("Later."), 429, None, FaultKind.RATE),
    ],
)
async def test_what_made_no_job_does_not_read_as_if_there_were_one(
    api: Api, error: RequestError, status: int, code: int | None, kind: FaultKind
) -> None:
    api.services.task_creator.error = error

    answer = await api.client.post(f"/jimeng/?{SUBMIT}", json=GOOD)

    assert answer.status_code == status
    assert code is None or answer.json()["code"] == code
    # Our own adapter, which follows the vendor's table, may go to another channel after it.
    sent = httpx.Request("POST", "https://a.example/", json=GOOD)
    question = Question(req_key=GOOD["req_key"])
    read = read_submission(answer_of(sent, answer), question)
    assert isinstance(read, Rejected)
    assert read.fault.kind is kind


async def test_too_many_requests_are_the_gateways(api: Api) -> None:
    class TooManyError(RequestError):
        status = 429

    api.services.task_creator.error = TooManyError("Too many.", code="rate_limited")

    answer = await api.client.post(f"/?{SUBMIT}", json=GOOD)

    assert answer.status_code == 429
    assert gateway_error(answer)["Code"] == "FlowLimitExceeded"
