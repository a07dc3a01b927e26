"""What the documentation says of Kling's routes: bodies, answers and errors with examples."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vidgate.api.schemas import ErrorMembers, with_forbidden
from vidgate.providers.kling.vendor_answers import envelope

__all__ = [
    "CREATED",
    "LEGACY_ANSWER",
    "LEGACY_TASK",
    "LIST_BODY",
    "NEW_CREATED",
    "NEW_TASK",
    "KlingDirectAnswer",
    "KlingNewTaskAnswer",
    "KlingNewTaskListAnswer",
    "KlingNewTaskPageAnswer",
    "KlingPacksAnswer",
    "KlingTaskAnswer",
    "KlingTaskListAnswer",
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
LEGACY_ANSWER = {**envelope(LEGACY_TASK, _REQUEST), **_OURS, "status": "succeeded"}
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


class _Open(BaseModel):
    """May get more members."""

    model_config = ConfigDict(extra="allow")


class KlingVideo(_Open):
    """One video of a task."""

    id: str = Field(description="By which other endpoints take it.")
    url: str
    duration: str | None = Field(default=None, description="Seconds, as text.")


class KlingTaskInfo(_Open):
    """What the client said of a task."""

    external_task_id: str | None = Field(default=None, description="The client's own id.")


class KlingTaskResult(_Open):
    """What a finished task has."""

    videos: list[KlingVideo]


class KlingTask(_Open):
    """A task, as the legacy generation shows it."""

    task_id: str
    task_status: str = Field(description="`submitted`, `processing`, `succeed` or `failed`.")
    task_status_msg: str | None = Field(default=None, description="Why it failed.")
    task_info: KlingTaskInfo
    task_result: KlingTaskResult | None = Field(default=None, description="Once it succeeded.")
    created_at: int = Field(description="Unix milliseconds.")
    updated_at: int = Field(description="Unix milliseconds.")


class KlingNewTask(_Open):
    """A task, as the new generation shows it."""

    id: str
    status: str = Field(description="`submitted`, `processing`, `succeeded` or `failed`.")
    message: str = Field(description="Why it failed.")
    external_id: str | None = Field(default=None, description="The client's own id.")
    outputs: list[KlingVideo] | None = Field(default=None, description="Once it succeeded.")
    create_time: int = Field(description="Unix milliseconds.")
    update_time: int = Field(description="Unix milliseconds.")


class KlingNewTaskPage(BaseModel):
    """A part of the list."""

    result: list[KlingNewTask]
    count: int
    next_cursor: str = Field(description="To be sent as `cursor` for what follows.")
    has_more: bool


class KlingPacks(_Open):
    """Resource packs, of which there are none here."""

    code: int
    msg: str
    resource_pack_subscribe_infos: list[dict[str, Any]]


class _Envelope(_Open):
    """Kling's envelope."""

    code: int = Field(description="0: it was done.")
    message: str = Field(description="`SUCCEED`; not to be tested on.")
    request_id: str = Field(description="By which this request is found in the log.")


class _TaskEnvelope(_Envelope):
    """Kling's envelope, and what every dialect has beside it."""

    id: str
    task_id: str = Field(description="The same as `id`.")
    object: str = Field(description="`video`.")
    status: str = Field(description="`processing`, `succeeded` or `failed`.")


class KlingTaskAnswer(_TaskEnvelope):
    """A task of the legacy generation."""

    data: KlingTask


class KlingTaskListAnswer(_Envelope):
    """Tasks of the legacy generation."""

    data: list[KlingTask]


class KlingNewTaskAnswer(_TaskEnvelope):
    """A task of the new generation."""

    data: KlingNewTask


class KlingNewTaskListAnswer(_Envelope):
    """Tasks of the new generation, found by their ids."""

    data: list[KlingNewTask]


class KlingNewTaskPageAnswer(_Envelope):
    """A part of the new generation's list."""

    data: KlingNewTaskPage


class KlingDirectAnswer(_Envelope):
    """What a call that makes no task has found."""

    data: dict[str, Any]


class KlingPacksAnswer(_Envelope):
    """The resource packs."""

    data: KlingPacks


class KlingError(BaseModel):
    """Kling's error, and ours beside it."""

    code: int = Field(description="Kling's number, such as 1201 for an impossible value.")
    message: str = Field(description="One sentence that says what to do.")
    request_id: str = Field(description="By which this request is found in the log.")
    error: ErrorMembers = Field(description="The same as the vendor-neutral routes say it.")


_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}
_OBJECTS = {"type": "array", "items": {"type": "object"}}
_PICTURE = {"type": "string", "description": "A URL, or base64 without a prefix."}

_FIELDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "aspect_ratio": {"type": "string", "description": "Such as `16:9`."},
        "audio_id": _TEXT,
        "callback_url": {"type": "string", "description": "Where the task will be reported to."},
        "cfg_scale": {"type": "number", "minimum": 0, "maximum": 1},
        "character_orientation": {"type": "string", "enum": ["image", "video"]},
        "contents": {**_OBJECTS, "description": "Each with a `type`, and a `text` or a `url`."},
        "cursor": {"type": "string", "description": "The `next_cursor` of the answer before."},
        "duration": {"type": "string", "description": "Seconds, as text."},
        "edit_mode": {"type": "string", "enum": ["addition", "swap", "removal"]},
        "effect_scene": {"type": "string", "description": "The effect's name."},
        "element_list": {**_OBJECTS, "description": "Each with an `element_id`."},
        "end_time": {"type": "integer", "description": "Unix milliseconds."},
        "external_task_id": {"type": "string", "description": "An id of yours, kept here."},
        "face_choose": {**_OBJECTS, "description": "The face that speaks, and its sound."},
        "filters": {**_OBJECTS, "description": "Each with a `key` and its `values`."},
        "frame_index": _WHOLE,
        "image": _PICTURE,
        "image_list": {**_OBJECTS, "description": "Pictures."},
        "image_tail": _PICTURE | {"description": "The picture that the video ends with."},
        "image_url": _PICTURE,
        "input": {"type": "object", "description": "What the effect takes, such as `images`."},
        "keep_original_sound": {"type": "string", "enum": ["yes", "no"]},
        "limit": _WHOLE,
        "mode": {"type": "string", "description": "`std`, `pro` or `4k`."},
        "model_name": {"type": "string", "description": "Such as `kling-v3`."},
        "multi_prompt": {**_OBJECTS, "description": "The shots."},
        "multi_shot": {"type": "boolean"},
        "negative_prompt": _TEXT,
        "options": {
            "type": "object",
            "description": "Such as `external_task_id` and `callback_url`, which are yours.",
        },
        "original_audio_volume": {"type": "number"},
        "points": {**_OBJECTS, "description": "Each with `x` and `y`, from 0 to 1."},
        "prompt": {"type": "string", "description": "What the video shows."},
        "session_id": {"type": "string", "description": "As a call here answered it."},
        "settings": {
            "type": "object",
            "description": "Such as `resolution`, `aspect_ratio` and `duration`.",
        },
        "shot_type": {"type": "string", "enum": ["customize", "intelligence"]},
        "sound": {"type": "string", "enum": ["on", "off"]},
        "sound_end_time": {"type": "integer", "description": "Milliseconds."},
        "sound_file": {"type": "string", "description": "A URL, or base64 without a prefix."},
        "sound_insert_time": {"type": "integer", "description": "Milliseconds."},
        "sound_start_time": {"type": "integer", "description": "Milliseconds."},
        "sound_volume": {"type": "number"},
        "start_time": {"type": "integer", "description": "Unix milliseconds."},
        "video_id": {"type": "string", "description": "Of a video that was made here."},
        "video_list": {**_OBJECTS, "description": "Videos."},
        "video_url": _TEXT,
        "voice_list": {**_OBJECTS, "description": "Each with a `voice_id`."},
    }
)
"""The endpoints' fields that the documentation describes."""

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
                "The provider is busy or does not answer, there is no memory for the body, or a "
                "rate (1302), the places (1303) or a budget (1102) of the token or its account are "
                "used up; no job exists."
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
    for status in with_forbidden(statuses):
        description, code, word, param, kind, message = _ERRORS[status]
        members = {"code": word, "message": message, "param": param, "type": kind}
        answers[status] = _documented(
            KlingError,
            description,
            {"code": code, "message": message, "request_id": _REQUEST, "error": members},
        )
    return answers


def answer_of(
    model: type[BaseModel],
    description: str,
    example: Any,
    headers: Mapping[str, Any] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """Document the answer of a route that did what was asked."""
    told = _documented(model, description, example)
    return {200: {**told, "headers": headers} if headers else told}


def body_of(name: str, fields: Iterable[str], example: Mapping[str, Any]) -> dict[str, Any]:
    """Document a body, which goes on to Kling as it comes.

    Args:
        name: Of the endpoint.
        fields: What is described of it.
        example: A body.
    """
    words = re.split(r"[^a-z0-9]", name)
    schema = {
        "title": f"Kling{''.join(word.capitalize() for word in words)}Request",
        "type": "object",
        "description": "As Kling's documentation has it; unknown fields are passed on too.",
        "properties": {field: _FIELDS[field] for field in fields},
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
