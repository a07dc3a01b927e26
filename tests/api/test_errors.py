import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from vidgate.api.errors import ErrorLayer, ErrorWriter
from vidgate.exceptions import (
    ConflictError,
    DatabaseUnavailableError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RepeatedRefusalError,
    RequestError,
    UpstreamRefusedError,
)


def _vendor_shape(error: RequestError) -> tuple[int, dict[str, object]]:
    return 429, {"code": 1203, "message": error.message}


@pytest.mark.parametrize(
    ("path", "is_vendors"),
    [
        ("/kling", True),
        ("/kling/v1/videos", True),
        ("/klingon", False),
        ("/v1/kling", False),
        ("/", False),
    ],
)
def test_a_dialect_brings_its_own_shape(path: str, *, is_vendors: bool) -> None:
    writer = ErrorWriter({"/kling": _vendor_shape})

    response = writer.answer(NotFoundError("no"), {"method": "GET", "path": path})

    assert response.status_code == (429 if is_vendors else 404)
    assert (json.loads(bytes(response.body))["code"] == 1203) is is_vendors


def test_an_error_that_knows_when_to_try_again_says_so() -> None:
    error = UpstreamRefusedError("refused")
    error.retry_after_seconds = 7

    response = ErrorWriter().answer(error, {"method": "GET", "path": "/"})

    assert response.headers["Retry-After"] == "7"
    assert response.headers["x-should-retry"] == "false"
    overloaded = ErrorWriter().answer(OverloadedError("later"), {"method": "GET", "path": "/"})
    assert overloaded.headers["Retry-After"] == "1"
    assert "x-should-retry" not in overloaded.headers


@pytest.mark.parametrize(("path", "is_roots"), [("/", True), ("/anything", False)])
def test_the_root_alone_can_have_a_shape(path: str, *, is_roots: bool) -> None:
    writer = ErrorWriter({"/": _vendor_shape})

    response = writer.answer(NotFoundError("no"), {"method": "GET", "path": path})

    assert (response.status_code == 429) is is_roots


def _spent() -> RequestError:
    error = PermissionDeniedError("Spent.")
    error.type = "insufficient_quota"
    return error


def _soon() -> RequestError:
    error = ConflictError("Again in a few seconds.")
    error.retry_after_seconds = 5
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConflictError("Not finished."), "false"),
        (_spent(), "false"),
        (_soon(), None),
        (PermissionDeniedError("No."), None),
    ],
    ids=["conflict", "quota", "conflict for a moment", "permission"],
)
def test_what_nothing_changes_is_not_asked_again(error: RequestError, told: str | None) -> None:
    response = ErrorWriter().answer(error, {"method": "GET", "path": "/"})

    assert response.headers.get("x-should-retry") == told


def test_a_refusal_that_is_repeated_says_so() -> None:
    again = RepeatedRefusalError(
        status=400, kind="invalid_request_error", message="No.", param=None, code="refused"
    )

    response = ErrorWriter().answer(again, {"method": "POST", "path": "/"})

    assert response.headers["Idempotent-Replayed"] == "true"
    first = ErrorWriter().answer(UpstreamRefusedError("No."), {"method": "POST", "path": "/"})
    assert "Idempotent-Replayed" not in first.headers


SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}


async def answered_by(error: Exception, *, is_started: bool) -> list[MutableMapping[str, Any]]:
    """What is sent for a request that ends in an error, before its answer began or after."""
    sent: list[MutableMapping[str, Any]] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        if is_started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    async def receive() -> Message:
        raise AssertionError("nobody reads it")

    async def send(message: Message) -> None:
        sent.append(message)

    try:
        await ErrorLayer(app, writer=ErrorWriter())(SCOPE, receive, send)
    except type(error):
        sent.append({"raised": True})
    return sent


async def test_an_answer_that_has_begun_is_cut_and_not_begun_again() -> None:
    sent = await answered_by(RuntimeError("a mistake"), is_started=True)

    assert [message.get("type") for message in sent] == ["http.response.start", None]


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("secret"), 500), (DatabaseUnavailableError("secret"), 503)]
)
async def test_before_it_has_begun_the_error_is_the_answer(error: Exception, status: int) -> None:
    start, body = await answered_by(error, is_started=False)

    assert start["status"] == status
    assert b"secret" not in body["body"]
