"""Every error of `exceptions.py` in every dialect: its status, and the shape of its body."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from vidgate import exceptions
from vidgate.api.dialects.registry import DIALECTS
from vidgate.api.errors import ErrorShape, flat_body, to_request_error
from vidgate.exceptions import (
    ChannelBusyError,
    RangeNotSatisfiableError,
    RepeatedRefusalError,
    RequestError,
    UnsupportedParameterError,
    VidgateError,
)

MADE: dict[type[VidgateError], Callable[[], VidgateError]] = {
    UnsupportedParameterError: lambda: UnsupportedParameterError("size", "No."),
    RangeNotSatisfiableError: lambda: RangeNotSatisfiableError(3),
    ChannelBusyError: ChannelBusyError,
    RepeatedRefusalError: lambda: RepeatedRefusalError(
        status=502, kind="upstream_error", message="No.", param=None, code="upstream_error"
    ),
}
"""Those that take more than a sentence."""

SHAPES: dict[str, ErrorShape] = {
    "newapi": lambda error: (error.status, flat_body(error)),
    **{one.name: write for one in DIALECTS for write in one.errors.values()},
}

STATUSES: dict[str, tuple[int, int, int, int, int]] = {
    # newapi, openai, kling, jimeng, vidu
    "VidgateError": (500, 500, 500, 500, 500),
    "ConfigurationError": (500, 500, 500, 500, 500),
    "DatabaseUnavailableError": (503, 503, 503, 429, 429),
    "CallbackRefusedError": (500, 500, 500, 500, 500),
    "LeaseLostError": (500, 500, 500, 500, 500),
    "UpstreamError": (500, 500, 500, 500, 500),
    "NotSentError": (500, 500, 500, 500, 500),
    "UnansweredError": (500, 500, 500, 500, 500),
    "ProviderProtocolError": (500, 500, 500, 500, 500),
    "RequestError": (500, 500, 500, 500, 500),
    "InvalidParameterError": (400, 400, 400, 400, 400),
    "MalformedBodyError": (400, 400, 400, 400, 400),
    "TooManyValuesError": (400, 400, 400, 400, 400),
    "UnsupportedParameterError": (400, 400, 400, 400, 400),
    "PriceMissingError": (400, 400, 400, 400, 400),
    "RefusedParameterError": (400, 400, 400, 400, 400),
    "ContentPolicyError": (400, 400, 400, 400, 400),
    "AuthenticationError": (401, 401, 401, 401, 401),
    "PermissionDeniedError": (403, 403, 403, 403, 403),
    "InsufficientQuotaError": (403, 429, 429, 403, 400),
    "BudgetExceededError": (403, 429, 429, 403, 400),
    "NotFoundError": (404, 404, 404, 404, 404),
    "TaskNotFoundError": (404, 404, 404, 404, 404),
    "ModelNotFoundError": (404, 404, 404, 404, 400),
    "ModelRefusedError": (404, 404, 404, 404, 400),
    "MethodNotAllowedError": (405, 405, 405, 405, 405),
    "ConflictError": (409, 409, 409, 409, 409),
    "BodyTooLargeError": (413, 413, 413, 413, 413),
    "RangeNotSatisfiableError": (416, 416, 416, 416, 416),
    "ChannelBusyError": (429, 429, 429, 429, 429),
    "IdempotencyError": (422, 422, 422, 422, 422),
    "RateLimitError": (429, 429, 429, 429, 429),
    "TooManyInFlightError": (429, 429, 429, 429, 429),
    "TooManyQueuedError": (429, 429, 429, 429, 429),
    "TooManyWaitersError": (429, 429, 429, 429, 429),
    "RepeatedRefusalError": (502, 502, 429, 400, 429),
    "InternalError": (500, 500, 500, 500, 500),
    "UpstreamRefusedError": (502, 502, 429, 400, 429),
    "UpstreamUnavailableError": (502, 502, 429, 429, 429),
    "ContentUnavailableError": (502, 502, 502, 400, 429),
    "UnavailableError": (503, 503, 503, 429, 429),
    "NoChannelError": (503, 503, 404, 400, 400),
    "OverloadedError": (503, 503, 429, 429, 429),
    "StorageUnavailableError": (503, 503, 503, 429, 429),
    "ContentTimeoutError": (504, 504, 504, 504, 429),
}

ERRORS = [
    one
    for one in vars(exceptions).values()
    if isinstance(one, type) and issubclass(one, VidgateError)
]


def is_flat(body: Mapping[str, Any]) -> bool:
    return set(body["error"]) == {"code", "message", "param", "type"} and body == {
        **body["error"],
        "error": body["error"],
    }


def is_openais(body: Mapping[str, Any]) -> bool:
    return set(body) == {"error"} and set(body["error"]) == {"code", "message", "param", "type"}


def is_klings(body: Mapping[str, Any]) -> bool:
    names = {"code", "message", "request_id", "error"}
    return set(body) == names and isinstance(body["code"], int)


def is_jimengs(body: Mapping[str, Any]) -> bool:
    if "ResponseMetadata" in body:
        told = body["ResponseMetadata"]["Error"]
        return isinstance(told["CodeN"], int) and bool(told["Code"] == body["code"])
    return isinstance(body["code"], int) and body["data"] is None and "request_id" in body


def is_vidus(body: Mapping[str, Any]) -> bool:
    return set(body) == {"code", "reason", "message", "metadata"} and isinstance(body["code"], int)


IS_SHAPED: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "newapi": is_flat,
    "openai": is_openais,
    "kling": is_klings,
    "jimeng": is_jimengs,
    "vidu": is_vidus,
}


def told(kind: type[VidgateError]) -> RequestError:
    return to_request_error(MADE[kind]() if kind in MADE else kind("No."))


def test_every_error_and_dialect_is_in_the_table() -> None:
    assert [one.__name__ for one in ERRORS if one.__name__ not in STATUSES] == []
    assert list(IS_SHAPED) == list(SHAPES)
    assert [one.name for one in DIALECTS] == list(SHAPES)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    ("place", "dialect"), [pytest.param(*one, id=one[1]) for one in enumerate(SHAPES)]
)
def test_every_error_has_its_status_and_shape(
    kind: type[VidgateError], place: int, dialect: str
) -> None:
    error = told(kind)

    status, body = SHAPES[dialect](error)

    assert status == STATUSES[kind.__name__][place]
    assert IS_SHAPED[dialect](body), body
    assert error.message.removesuffix(".").split(";")[0] in str(body)


def test_only_what_is_our_fault_is_a_500() -> None:
    for name, statuses in STATUSES.items():
        ours = told(getattr(exceptions, name)).status
        assert all((status == 500) is (ours == 500) for status in statuses), name
