"""What the documentation says of Kling's routes: bodies, answers and errors with examples."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, Field

from vidgate.api.schemas import ErrorMembers
from vidgate.providers.kling.vendor_answers import envelope

__all__ = [
    "CREATED",
    "LEGACY_TASK",
    "LIST_BODY",
    "NEW_CREATED",
    "NEW_TASK",
    "KlingAnswer",
    "answer_of",
    "body_of",
    "errors",
    "parameter",
    "path_parameter",
]

_ID = "task_01hf0000000000000000000000"
_TIME = 1763600000000
_VIDEO = {"id": f"{_ID}_0", "url": "https://cdn.example.com/1.mp4", "duration": "5.041"}
_OURS = {"id": _ID, "task_id": _ID, "object": "video"}
_REQUEST = "5f2c1f9a7d3b4c55"

CREATED = {
    **envelope(
        {
            "task_id": _ID,
            "task_status": "submitted",
            "task_info": {"external_task_id": "ord-7"},
            "created_at": _TIME,
            "updated_at": _TIME,
        },
        _REQUEST,
    ),
    **_OURS,
    "status": "processing",
}
NEW_CREATED = {
    **envelope(
        {
            "id": _ID,
            "status": "submitted",
            "message": "",
            "external_id": "ord-7",
            "create_time": _TIME,
            "update_time": _TIME,
        },
        _REQUEST,
    ),
    **_OURS,
    "status": "processing",
}
LEGACY_TASK = {
    "task_id": _ID,
    "task_status": "succeed",
    "task_status_msg": "",
    "task_info": {"external_task_id": "ord-7"},
    "created_at": _TIME,
    "updated_at": _TIME + 28000,
    "task_result": {"videos": [_VIDEO]},
}
NEW_TASK = {
    "id": _ID,
    "status": "succeeded",
    "message": "",
    "create_time": _TIME,
    "update_time": _TIME + 28000,
    "external_id": "ord-7",
    "outputs": [{"type": "video", **_VIDEO}],
    "billing": [{"charge_type": "unit", "amount": "4.0", "package_type": "video"}],
}
LIST_BODY: Mapping[str, Any] = MappingProxyType(
    {
        "limit": 100,
        "start_time": _TIME,
        "filters": [{"key": "status", "values": ["succeeded"]}],
    }
)


class KlingAnswer(BaseModel):
    """Kling's envelope."""

    code: int = Field(description="0: it was done.")
    message: str = Field(description="`SUCCEED`; not to be tested on.")
    request_id: str = Field(description="By which this request is found in the log.")
    data: Any = Field(description="A task, a list of them, or what was asked for.")


class KlingError(BaseModel):
    """Kling's error, and ours beside it."""

    code: int = Field(description="Kling's number, such as 1201 for an impossible value.")
    message: str = Field(description="One sentence that says what to do.")
    request_id: str = Field(description="By which this request is found in the log.")
    error: ErrorMembers = Field(description="The same as the vendor-neutral routes say it.")


_ERRORS: Mapping[int, tuple[str, int, str, str | None, str, str]] = MappingProxyType(
    {
        400: (
            (
                "A field is missing, of the wrong type or impossible (1200, 1201), or the content "
                "was refused (1301)."
            ),
            1201,
            "unsupported_parameter",
            "aspect_ratio",
            "invalid_request_error",
            "kling-v2-6 does not take '7:3' as `aspect_ratio` here. Allowed: 16:9, 9:16, 1:1.",
        ),
        401: (
            (
                "No token (1001), an unknown one (1002), or a JWT before or after its time (1003, "
                "1004). A JWT is taken below `/kling/v1` only."
            ),
            1002,
            "invalid_api_key",
            None,
            "authentication_error",
            (
                "This token is unknown or was revoked; send the header "
                "`Authorization: Bearer sk-...` with a valid one."
            ),
        ),
        403: (
            "The token is expired or may not use this model, or no channel may.",
            1103,
            "model_not_permitted",
            "model",
            "permission_error",
            "This token may not use the model 'kling-v3'.",
        ),
        404: (
            (
                "No such task or session (1201), or no such model or endpoint, a retired one, or "
                "one that no channel serves (1203)."
            ),
            1201,
            "task_not_found",
            None,
            "not_found_error",
            f"Task not found by id/external id: {_ID}",
        ),
        405: (
            "The route does not take this method; `Allow` names those it takes.",
            1202,
            "method_not_allowed",
            None,
            "invalid_request_error",
            "This route does not take this method.",
        ),
        413: (
            "The body, or a picture in it, is over its limit.",
            1200,
            "request_too_large",
            None,
            "invalid_request_error",
            "The body may have at most 64 MiB.",
        ),
        409: (
            "A video that the request names is not finished.",
            1200,
            "task_not_finished",
            "video_id",
            "invalid_request_error",
            f"The task {_ID} is not finished; wait for its end.",
        ),
        422: (
            "The `Idempotency-Key` was used for another request.",
            1200,
            "idempotency_mismatch",
            None,
            "invalid_request_error",
            "This idempotency key was used for another request; send a new key.",
        ),
        429: (
            (
                "The provider is busy or does not answer, or there is no memory for the body; no "
                "job exists."
            ),
            1302,
            "overloaded",
            None,
            "server_error",
            "Too many large requests at once; try again in a moment.",
        ),
        500: (
            "Our fault.",
            5000,
            "internal_error",
            None,
            "server_error",
            (
                "Something went wrong on our side; the X-Request-Id of this answer finds it in the "
                "log."
            ),
        ),
        502: (
            (
                "Every channel that could serve refused or failed, and no job exists; not to be "
                "repeated."
            ),
            5000,
            "upstream_error",
            None,
            "upstream_error",
            "The provider failed; try again later.",
        ),
        503: (
            "No database.",
            5001,
            "storage_unavailable",
            None,
            "server_error",
            "The database does not answer; try again in a moment.",
        ),
    }
)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document error answers, each with an example."""
    answers: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        description, code, word, param, kind, message = _ERRORS[status]
        members = {"code": word, "message": message, "param": param, "type": kind}
        answers[status] = _documented(
            KlingError,
            description,
            {"code": code, "message": message, "request_id": _REQUEST, "error": members},
        )
    return answers


def answer_of(
    description: str, example: Any, headers: Mapping[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    """Document the answer of a route that did what was asked."""
    told = _documented(KlingAnswer, description, example)
    return {200: {**told, "headers": headers} if headers else told}


def body_of(example: Mapping[str, Any]) -> dict[str, Any]:
    """Document a body, which goes on to Kling as it comes."""
    schema = {
        "type": "object",
        "description": "As Kling's documentation has it; unknown fields are passed on too.",
        "additionalProperties": True,
    }
    content = {"application/json": {"schema": schema, "example": dict(example)}}
    return {"requestBody": {"required": True, "content": content}}


def parameter(name: str, description: str, *, kind: str = "string") -> dict[str, Any]:
    """Document a query parameter."""
    return {"name": name, "in": "query", "description": description, "schema": {"type": kind}}


def path_parameter(name: str, description: str, example: str) -> dict[str, Any]:
    """Document a part of the path."""
    return parameter(name, description) | {"in": "path", "required": True, "example": example}


def _documented(model: type[BaseModel], description: str, example: Any) -> dict[str, Any]:
    return {
        "model": model,
        "description": description,
        "content": {"application/json": {"example": example}},
    }
