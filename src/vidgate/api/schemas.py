"""The bodies that every vendor-neutral route documents."""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import override

__all__ = [
    "COMPONENTS",
    "FILE",
    "FILES",
    "ErrorBody",
    "ErrorMembers",
    "Estimated",
    "RequestBody",
    "TaskCost",
    "TaskUrls",
    "TaskWarning",
    "error_answers",
    "request_body",
    "with_forbidden",
]

COMPONENTS: Final = "#/components/schemas/"
"""Where a document keeps its named schemas."""

FILE: Final[Mapping[str, Any]] = {"type": "string", "format": "binary"}
FILES: Final[Mapping[str, Any]] = {"type": "array", "items": FILE}

_NULL = {"type": "null"}
_JSON = "application/json"
_FORM = "multipart/form-data"


class TaskCost(BaseModel):
    """What a task costs the account, where there are prices."""

    amount: str = Field(description="A decimal of the currency, with six digits.")
    currency: str
    micros: int = Field(description="The same in millionths.")
    state: Literal["reserved", "settled", "released"] = Field(
        description="Held until the task is final; then charged, or given back altogether."
    )
    seconds: float | None = Field(description="Of the videos that were made.")
    units: str | None = Field(description="What the provider counted, in its own units.")


class RequestBody(BaseModel):
    """A body as clients send it: what they do not say they leave out.

    `null` is taken as well, but not described: generators fail on unions of several types with it.
    """

    model_config = ConfigDict(extra="allow")

    @classmethod
    @override
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        for member in handler.resolve_ref_schema(schema).get("properties", {}).values():
            _leave_out_null(member)
        return schema


def _leave_out_null(member: dict[str, Any]) -> None:
    if "default" in member and member["default"] is None:
        del member["default"]
    kinds = [kind for kind in member.get("anyOf", ()) if kind != _NULL]
    if len(kinds) == 1:
        del member["anyOf"]
        member.update(kinds[0])
    elif kinds:
        member["anyOf"] = kinds


def request_body(
    body: type[BaseModel], *, form: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Document a body, to be merged into a route's OpenAPI.

    Args:
        body: As JSON. The document has it under its name.
        form: What differs where it is sent as a form, such as files; `None` if forms are not taken.
    """
    schema = body.model_json_schema(ref_template=f"{COMPONENTS}{{model}}")
    examples = schema.pop("examples", ())
    content = {_JSON: {"schema": schema}}
    if examples:
        named = {f"example_{number}": {"value": one} for number, one in enumerate(examples, 1)}
        content[_JSON]["examples"] = named
    if form is not None:
        content[_FORM] = {"schema": _form_of(schema, form)}
    return {"requestBody": {"required": True, "content": content}}


def _form_of(schema: Mapping[str, Any], form: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    properties = {
        name: {**_described(member), **form[name]} if name in form else member
        for name, member in schema["properties"].items()
    }
    return dict(schema) | {
        "title": schema["title"].removesuffix("Request") + "Form",
        "description": "The same fields as text, and pictures as files.",
        "properties": properties,
    }


def _described(member: Mapping[str, Any]) -> dict[str, Any]:
    return {name: member[name] for name in ("title", "description") if name in member}


class TaskWarning(BaseModel):
    """What was not done to the letter."""

    code: Literal["ignored", "adjusted", "unknown"] = Field(
        description="The model has no use for the field; it has another value than was asked for; "
        "it went to the vendor and is not in its documentation."
    )
    param: str = Field(description="The field, as you named it.")
    message: str = Field(description="One sentence that says what was done.")


class TaskUrls(BaseModel):
    """Where to go on with the task."""

    get: str = Field(description="The task as it stands.")
    cancel: str = Field(description="To be sent a POST.")
    events: str = Field(description="The states of the task as they come, server-sent.")
    content: str = Field(description="The video, once it is finished.")


class Estimated(BaseModel):
    """What is told of an unfinished task beside its state."""

    queue_position: int | None = Field(
        default=None, ge=0, description="While it waits for a place: 0 for the next one."
    )
    eta_seconds: int | None = Field(
        default=None,
        description="Until it is finished, as half of such tasks are; `metadata.eta_seconds_p80` "
        "as four fifths of them are. Missing where nobody knows.",
    )


class ErrorMembers(BaseModel):
    """What went wrong."""

    code: str | None = Field(description="A stable machine word, such as `model_not_found`.")
    message: str = Field(description="One sentence that says what to do.")
    param: str | None = Field(description="The field it is about.")
    type: str = Field(
        description=(
            "One of `invalid_request_error`, `authentication_error`, `permission_error`, "
            "`insufficient_quota`, `not_found_error`, `rate_limit_error`, `upstream_error`, "
            "`server_error`."
        )
    )


class ErrorBody(ErrorMembers):
    """The flat error, and a nested copy for clients that read `error.message`."""

    error: ErrorMembers = Field(description="The same four.")


_ERRORS: dict[int, tuple[str, str, str | None, str, str]] = {
    400: (
        "A field is missing, of the wrong type or impossible, or the body is not one JSON object.",
        "invalid_parameter",
        "duration",
        "invalid_request_error",
        "duration must be a number, such as 5.",
    ),
    401: (
        "The token is missing, malformed, unknown or revoked.",
        "invalid_api_key",
        None,
        "authentication_error",
        "A token is needed; send the header `Authorization: Bearer sk-...` with yours.",
    ),
    403: (
        "The token is expired, may not use this model, or may not be used from here.",
        "model_not_permitted",
        "model",
        "permission_error",
        "This token may not use the model 'clip-1'.",
    ),
    404: (
        "There is no such task or model, or it is another account's.",
        "task_not_found",
        None,
        "not_found_error",
        "There is no task 'task_0'.",
    ),
    405: (
        "The route does not take this method; `Allow` names those it takes.",
        "method_not_allowed",
        None,
        "invalid_request_error",
        "This route does not take this method.",
    ),
    409: (
        "The state of the task does not allow it.",
        "cannot_cancel",
        None,
        "invalid_request_error",
        "The task's provider cannot stop a task that it has accepted; it runs on.",
    ),
    413: (
        "The body, or a picture in it, is over its limit.",
        "request_too_large",
        "image",
        "invalid_request_error",
        "The picture in image may have at most 20 MB.",
    ),
    422: (
        "The `Idempotency-Key` was used for another request.",
        "idempotency_mismatch",
        None,
        "invalid_request_error",
        "This idempotency key was used for another request; send a new key.",
    ),
    429: (
        "Too much at once; `Retry-After` says when to try again.",
        "too_many_waiters",
        None,
        "rate_limit_error",
        "This token has 1000 waits and streams open here already; close some of them.",
    ),
    500: (
        "Our fault.",
        "internal_error",
        None,
        "server_error",
        "Something went wrong on our side; the X-Request-Id of this answer finds it in the log.",
    ),
    502: (
        "Every channel that could serve refused or failed, and no job exists; not to be repeated.",
        "upstream_refused",
        None,
        "upstream_error",
        "Every provider that could serve the request refused it.",
    ),
    503: (
        "No channel that the token may use, no memory, or no database; `Retry-After` says when.",
        "overloaded",
        None,
        "server_error",
        "Too many large requests at once; try again in a moment.",
    ),
}


def with_forbidden(statuses: Collection[int]) -> list[int]:
    """Statuses in order, with 403 where there is 401: a token may not be used from everywhere."""
    needs_token = HTTPStatus.UNAUTHORIZED in statuses
    return sorted({*statuses, *([HTTPStatus.FORBIDDEN.value] if needs_token else [])})


def error_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document error answers, each with an example."""
    answers: dict[int | str, dict[str, Any]] = {}
    for status in with_forbidden(statuses):
        description, code, param, kind, message = _ERRORS[status]
        members = {"code": code, "message": message, "param": param, "type": kind}
        answers[status] = {
            "model": ErrorBody,
            "description": description,
            "content": {"application/json": {"example": {**members, "error": members}}},
        }
    return answers
