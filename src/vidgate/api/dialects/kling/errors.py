"""Kling's own dialect: its errors.

Source: https://kling.ai/document-api/api/get-started/error-codes, read 2026-09-20.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from vidgate.api.dialects.kling.writing import request_id
from vidgate.exceptions import RequestError

__all__ = ["write_error"]

_QUOTA = "insufficient_quota"
_QUOTA_STATUS = 429
_QUOTA_CODE = 1102
"""A resource pack that is used up."""

_GONE = (404, 1203)
_LATER = (429, 1302)
_REFUSALS = MappingProxyType(
    {
        "no_channel": _GONE,
        "upstream_model_unavailable": _GONE,
        "upstream_account_error": (403, 1103),
        "upstream_busy": _LATER,
        "upstream_error": _LATER,
        "upstream_refused": _LATER,
        "upstream_unavailable": _LATER,
        "overloaded": _LATER,
    }
)
"""The HTTP status and number where we are certain, by our code, that there is no job.

Kling's numbers from 5000 on leave that open: its clients look for the job and submit it once more,
for hours where no channel serves the model.
"""

_BY_WORD = MappingProxyType(
    {
        (401, "missing_api_key"): 1001,
        (401, "token_not_yet_valid"): 1003,
        (401, "token_expired"): 1004,
        (400, "invalid_json"): 1200,
        (400, "content_policy_violation"): 1301,
        (404, "task_not_found"): 1201,
        (404, "session_not_found"): 1201,
        (429, "too_many_in_flight"): 1303,
        (429, "too_many_queued"): 1303,
        (429, "channel_busy"): 1303,
    }
)
"""By our status and code, where the status alone does not tell."""

_BY_STATUS = MappingProxyType(
    {
        400: 1201,
        401: 1002,
        403: 1103,
        404: 1203,
        405: 1202,
        429: 1302,
        503: 5001,
        504: 5002,
    }
)
_OTHER_REFUSAL = 1200
_OTHER_FAILURE = 5000
_FAILURES = 500


def write_error(error: RequestError) -> tuple[int, Mapping[str, Any]]:
    """Write the status and the body that a client gets."""
    members = {
        "code": error.code,
        "message": error.message,
        "param": error.param and error.param.removeprefix("metadata."),
        "type": error.type,
    }
    status, code = _REFUSALS.get(error.code) or (error.status, _code(error))
    if error.type == _QUOTA:
        status, code = _QUOTA_STATUS, _QUOTA_CODE
    return status, {
        "code": code,
        "message": error.message,
        "request_id": request_id(),
        "error": members,
    }


def _code(error: RequestError) -> int:
    other = _OTHER_REFUSAL if error.status < _FAILURES else _OTHER_FAILURE
    return _BY_WORD.get((error.status, error.code)) or _BY_STATUS.get(error.status, other)
