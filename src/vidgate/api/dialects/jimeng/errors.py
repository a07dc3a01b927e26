"""Jimeng's own dialect: its errors, of the gateway in front of the service and of the service."""

from collections.abc import Mapping
from typing import Any

import structlog

from vidgate.exceptions import RequestError
from vidgate.providers.jimeng.signing import REGION, SERVICE

__all__ = ["current_request_id", "write_error"]

_GATEWAY_CODES: Mapping[str, tuple[int, int]] = {
    "MissingParameter": (400, 100002),
    "MissingRequestInfo": (400, 100004),
    "InvalidTimestamp": (400, 100006),
    "InvalidActionOrVersion": (404, 100008),
    "InvalidAccessKey": (401, 100009),
    "SignatureDoesNotMatch": (401, 100010),
    "AccessDenied": (403, 100013),
    "InternalError": (500, 100014),
    "InternalServiceTimeout": (504, 100016),
    "FlowLimitExceeded": (429, 100018),
    "ServiceUnavailableTemp": (503, 100019),
    "InternalServiceError": (502, 100023),
    "InvalidAuthorization": (400, 100024),
    "InvalidCredential": (400, 100025),
    "InvalidSecretToken": (401, 100026),
}
"""HTTP status and `CodeN` of each word.

Source: https://www.volcengine.com/docs/6369/68677, read 2026-11-20
"""

_WORD_OF_STATUS: Mapping[int, str] = {
    401: "InvalidCredential",
    403: "AccessDenied",
    405: "InvalidActionOrVersion",
    429: "FlowLimitExceeded",
    502: "InternalServiceError",
    503: "ServiceUnavailableTemp",
    504: "InternalServiceTimeout",
}
"""What the gateway says where the error itself has none of its words."""

_NO_ROUTE = "route_not_found"
_CONTENT_POLICY = "content_policy_violation"
_SERVER_ERRORS = 500

_TEXT_REFUSED = 50412
_BAD_INPUT = 50200
"""Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20"""


def write_error(error: RequestError) -> tuple[int, Mapping[str, Any]]:
    """Write the status and the body that a client gets.

    What is wrong with the request itself is the service's to say, everything else the gateway's.
    """
    if error.code in _GATEWAY_CODES:
        status, _ = _GATEWAY_CODES[error.code]
        return status, _gateway_body(error.code, error.message)
    if error.code == _NO_ROUTE:
        return error.status, _gateway_body("InvalidActionOrVersion", error.message)
    if error.status in _WORD_OF_STATUS:
        return error.status, _gateway_body(_WORD_OF_STATUS[error.status], error.message)
    if error.status >= _SERVER_ERRORS:
        return error.status, _gateway_body("InternalError", error.message)
    return error.status, _service_body(error)


def current_request_id() -> str:
    """The id by which the request under way is found in the log."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def _gateway_body(word: str, message: str) -> dict[str, Any]:
    """Write the gateway's envelope.

    Beside it stands `code` as text. Servers that use this gateway as their upstream take every
    number but 10000 for the end of a task, none at all for 0, and text for an answer that could
    not be read: so a task lives on when its state could not be told.
    """
    _, number = _GATEWAY_CODES[word]
    return {
        "ResponseMetadata": {
            "RequestId": current_request_id(),
            "Service": SERVICE,
            "Region": REGION,
            "Error": {"CodeN": number, "Code": word, "Message": message},
        },
        "code": word,
        "message": message,
    }


def _service_body(error: RequestError) -> dict[str, Any]:
    if error.code == _CONTENT_POLICY:
        code, message = _TEXT_REFUSED, error.message
    else:
        name = f"{error.param}: " if error.param and error.param not in error.message else ""
        code, message = _BAD_INPUT, f"Invalid Input Parameters: {name}{error.message}"
    return {
        "code": code,
        "data": None,
        "message": message,
        "request_id": current_request_id(),
        "status": code,
        "time_elapsed": "0ms",
    }
