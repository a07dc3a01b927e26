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

_BY_STATUS: Mapping[int, tuple[int, str]] = {
    401: (401, "InvalidCredential"),
    403: (403, "AccessDenied"),
    405: (405, "InvalidActionOrVersion"),
    429: (429, "FlowLimitExceeded"),
    503: (429, "FlowLimitExceeded"),
    504: (504, "InternalServiceTimeout"),
}
"""What the gateway says where the error itself has none of its words.

With a 503 we have created nothing. The vendor may have, and nobody can ask it what became of a
submit: its clients would give one up as lost that they may send to us again.
"""

_ACCESS_DENIED = (400, 50400)
_REFUSALS: Mapping[str, tuple[int, int]] = {
    "no_channel": _ACCESS_DENIED,
    "upstream_model_unavailable": _ACCESS_DENIED,
    "upstream_account_error": _ACCESS_DENIED,
    "upstream_busy": (429, 50430),
    "upstream_unavailable": (429, 50430),
    "too_many_in_flight": (429, 50430),
    "too_many_queued": (429, 50430),
}
"""What the service says where every channel refused, or too much is under way, by our code. No job
exists, and none of these leaves that open, as every answer of 500 and above does.

Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20
"""

_OTHER_REFUSAL = (400, 50520)
_REFUSED = 502

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
    if error.code in _REFUSALS or error.status == _REFUSED:
        status, number = _REFUSALS.get(error.code, _OTHER_REFUSAL)
        return status, _service_body(number, error.message)
    if error.code == _NO_ROUTE:
        return error.status, _gateway_body("InvalidActionOrVersion", error.message)
    if error.status in _BY_STATUS:
        status, word = _BY_STATUS[error.status]
        return status, _gateway_body(word, error.message)
    if error.status >= _SERVER_ERRORS:
        return error.status, _gateway_body("InternalError", error.message)
    return error.status, _refusal_body(error)


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


def _refusal_body(error: RequestError) -> dict[str, Any]:
    if error.code == _CONTENT_POLICY:
        return _service_body(_TEXT_REFUSED, error.message)
    name = f"{error.param}: " if error.param and error.param not in error.message else ""
    return _service_body(_BAD_INPUT, f"Invalid Input Parameters: {name}{error.message}")


def _service_body(code: int, message: str) -> dict[str, Any]:
    return {
        "code": code,
        "data": None,
        "message": message,
        "request_id": current_request_id(),
        "status": code,
        "time_elapsed": "0ms",
    }
