"""Errors, as Vidu writes them.

Source: https://platform.vidu.com/docs/error-code, read 2026-11-20.
"""

from collections.abc import Mapping
from typing import Any

import structlog

from vidgate.exceptions import (
    InvalidParameterError,
    MalformedBodyError,
    RequestError,
    UnsupportedParameterError,
)

__all__ = ["LACKING", "write_error"]

LACKING = "field_lacking"
"""The code of an error about a field that is missing."""

_BY_CODE: Mapping[str, tuple[int, str]] = {
    LACKING: (400, "FieldLacking"),
    "content_policy_violation": (400, "AuditSubmitIllegal"),
    "model_not_found": (400, "ModelUnavailable"),
    "no_channel": (400, "ModelUnavailable"),
    "upstream_model_unavailable": (400, "ModelUnavailable"),
    "upstream_account_error": (400, "ModelUnavailable"),
    "insufficient_quota": (400, "CreditInsufficient"),
    "upstream_busy": (429, "SystemThrottling"),
    "task_not_found": (404, "TaskNotFound"),
}
_BY_STATUS: Mapping[int, tuple[int, str]] = {
    400: (400, "BadRequest"),
    401: (401, "Unauthorized"),
    403: (403, "Forbidden"),
    404: (404, "NotFound"),
    405: (405, "BadRequest"),
    409: (409, "Conflict"),
    413: (413, "BadRequest"),
    416: (416, "BadRequest"),
    422: (422, "Conflict"),
    429: (429, "TooManyRequests"),
    502: (429, "SystemThrottling"),
    503: (429, "SystemThrottling"),
    504: (429, "SystemThrottling"),
}
"""What the error's own code does not decide.

With a 503 we have created nothing, and with a 502 nobody has. A 500 would leave that open: clients
look for the job first, and do not simply ask again.
"""

_FAILURE = (500, "InternalServiceFailure")

_PICTURE = "image"
"""What an error about one picture names, in no vendor's words."""

_CREATIONS = frozenset({"video", "video_creation_id"})
_PREFIX = "metadata."
"""Of vendor fields in dialects that have them apart; here they are the body itself."""


def write_error(error: RequestError) -> tuple[int, Mapping[str, Any]]:
    """Write the status and the body that a client gets."""
    status, reason = _meaning(error)
    metadata = {}
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id:
        metadata["trace_id"] = request_id
    if error.param:
        field = error.param.removeprefix(_PREFIX)
        metadata["fields"] = "images" if field == _PICTURE else field
    message = error.message.replace(_PREFIX, "")
    return status, {"code": status, "reason": reason, "message": message, "metadata": metadata}


def _meaning(error: RequestError) -> tuple[int, str]:
    if isinstance(error, MalformedBodyError):
        return 400, "CODEC"
    if error.code == "task_not_found" and error.param in _CREATIONS:
        return 404, "CreationNotFound"
    known = _BY_CODE.get(error.code) or _BY_CODE.get(error.type)
    if known is not None:
        return known
    if isinstance(error, InvalidParameterError):
        return 400, _field_reason(error)
    return _BY_STATUS.get(error.status, _FAILURE)


def _field_reason(error: InvalidParameterError) -> str:
    if error.param == _PICTURE:
        return "ImageFormatInvalid"
    is_count = isinstance(error, UnsupportedParameterError) and error.param == "images"
    return "FieldItemCountOutOfRange" if is_count else "FieldInvalid"
