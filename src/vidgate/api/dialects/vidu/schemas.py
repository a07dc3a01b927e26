"""The bodies of Vidu's dialect, for its documentation."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vidgate.api.dialects.vidu.endpoints import Endpoint
from vidgate.api.schemas import with_forbidden

__all__ = [
    "EXAMPLE_CREATED",
    "EXAMPLE_CREATIONS",
    "ViduCreated",
    "ViduCredits",
    "ViduTask",
    "ViduTaskList",
    "body_schema",
    "error_answers",
]

_ID = "task_01k9x4n8e0f0m8z2q6y7v3b5ct"

_FIELDS: dict[str, dict[str, Any]] = {
    "model": {"type": "string", "description": "Such as `viduq3-turbo`."},
    "prompt": {"type": "string"},
    "images": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Public URLs, or `data:image/png;base64,…` of at most 20 MB.",
    },
    "subjects": {
        "type": "array",
        "items": {"type": "object"},
        "description": "Each with a `name` and its `images`; the prompt names them by `@name`.",
    },
    "duration": {"type": "integer", "description": "Seconds."},
    "resolution": {"type": "string", "description": "Such as `720p`."},
    "aspect_ratio": {"type": "string", "description": "Such as `16:9`."},
    "audio": {"type": "boolean"},
    "audio_url": {"type": "string"},
    "video_creation_id": {"type": "string", "description": "Of a video that a task here told."},
    "upscale_resolution": {"type": "string", "description": "Such as `4K`."},
    "start_image": {"type": "string"},
    "image_settings": {"type": "array", "items": {"type": "object"}},
    "video_url": {"type": "string"},
    "template": {"type": "string"},
    "story": {"type": "string"},
    "payload": {"type": "string", "description": "Given back with the task as you sent it."},
    "callback_url": {"type": "string", "description": "Where the task will be reported to."},
}
_ALWAYS = ("payload", "callback_url")


class ViduCreated(BaseModel):
    """A task that was stored; the fields of the request are repeated, with what completes them."""

    model_config = ConfigDict(extra="allow")

    task_id: str
    type: str = Field(description="The vendor's name of the kind of task.")
    state: str = Field(description="`created`.")
    model: str
    credits: float = Field(description="What it cost; 0 before its end.")
    payload: str
    created_at: str = Field(description="RFC 3339, UTC.")


class ViduResolution(BaseModel):
    """Pixels."""

    width: int | None
    height: int | None


class ViduCreationVideo(BaseModel):
    """What was really made."""

    duration: float | None
    fps: float | None
    resolution: ViduResolution


class ViduCreation(BaseModel):
    """One video."""

    id: str = Field(description="By which `extend` and `upscale-new` take it.")
    url: str
    cover_url: str
    watermarked_url: str
    video: ViduCreationVideo


class ViduTask(BaseModel):
    """A task as it stands."""

    model_config = ConfigDict(extra="allow")

    id: str
    state: str = Field(description="`created`, `queueing`, `processing`, `success`, `failed`.")
    err_code: str = Field(description="Why it failed, empty if it did not.")
    credits: float
    payload: str
    creations: list[ViduCreation]


class ViduCredits(BaseModel):
    """What is left of packages of credits."""

    remains: list[dict[str, Any]] = Field(description="Always empty.")
    packages: list[dict[str, Any]] = Field(description="Always empty.")


class ViduTaskList(BaseModel):
    """A part of a list."""

    next_page_token: str = Field(description="Empty at the end.")
    tasks: list[ViduTask]


class ViduErrorMetadata(BaseModel):
    """What an error is about."""

    fields: str | None = None
    trace_id: str | None = Field(default=None, description="The `X-Request-Id`.")


class ViduError(BaseModel):
    """An error as the vendor writes it."""

    code: int = Field(description="The HTTP status.")
    reason: str = Field(description="A machine word, such as `FieldInvalid`.")
    message: str
    metadata: ViduErrorMetadata


EXAMPLE_CREATED: dict[str, Any] = {
    "task_id": _ID,
    "type": "text2video",
    "state": "created",
    "model": "viduq3-turbo",
    "prompt": "rain on a tin roof",
    "images": [],
    "duration": 5,
    "seed": 0,
    "resolution": "720p",
    "aspect_ratio": "9:16",
    "movement_amplitude": "auto",
    "bgm": False,
    "audio": False,
    "off_peak": False,
    "watermark": False,
    "credits": 0,
    "payload": "t-1",
    "created_at": "2026-11-20T08:29:41.083033Z",
}
EXAMPLE_CREATIONS: dict[str, Any] = {
    "id": _ID,
    "type": "text2video",
    "model": "viduq3-turbo",
    "state": "success",
    "err_code": "",
    "err_msg": "",
    "credits": 55,
    "payload": "t-1",
    "off_peak": False,
    "progress": 100,
    "creations": [
        {
            "id": f"{_ID}_0",
            "url": "https://videos.example.com/video.mp4",
            "cover_url": "",
            "watermarked_url": "",
            "video": {
                "duration": 5.04,
                "fps": 24,
                "resolution": {"width": 720, "height": 1280},
            },
        }
    ],
}

_ERRORS: dict[int, tuple[str, str, str, str | None]] = {
    400: (
        "A field is missing or impossible, or the content was refused; `reason` says which.",
        "FieldInvalid",
        "The model viduq2 does not take this resolution here. Allowed: 540p, 720p, 1080p.",
        "resolution",
    ),
    401: (
        "The token is missing, malformed, unknown or revoked.",
        "Unauthorized",
        "A token is needed; send the header `Authorization: Bearer sk-...` with yours.",
        None,
    ),
    403: (
        "The token is expired, or may not use this model.",
        "Forbidden",
        "This token may not use the model 'viduq3-pro'.",
        "model",
    ),
    404: (
        "There is no such task or video, or it is another account's.",
        "TaskNotFound",
        "There is no task 'task_0'.",
        None,
    ),
    405: (
        "The route does not take this method; `Allow` names those it takes.",
        "BadRequest",
        "This route does not take this method.",
        None,
    ),
    409: (
        "The task's state does not allow it.",
        "Conflict",
        "The provider works on the task already and cannot stop it; it runs on.",
        None,
    ),
    413: (
        "The body, or a picture in it, is over its limit.",
        "BadRequest",
        "The picture in images may have at most 20 MB.",
        None,
    ),
    422: (
        "The `Idempotency-Key` was used for another request.",
        "Conflict",
        "This Idempotency-Key was used for another request; send a new one.",
        None,
    ),
    429: (
        "Too much at once; `Retry-After` says when to try again.",
        "SystemThrottling",
        "Too many large requests at once; try again in a moment.",
        None,
    ),
    500: (
        "Our fault, or every channel's that could serve; no task exists.",
        "InternalServiceFailure",
        "The provider failed; try again later.",
        None,
    ),
}


def error_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document error answers, each with an example."""
    answers: dict[int | str, dict[str, Any]] = {}
    for status in with_forbidden(statuses):
        description, reason, message, field = _ERRORS[status]
        metadata = {"trace_id": "5f0c7a51d6b54e3b"} | ({"fields": field} if field else {})
        example = {"code": status, "reason": reason, "message": message, "metadata": metadata}
        answers[status] = {
            "model": ViduError,
            "description": description,
            "content": {"application/json": {"example": example}},
        }
    return answers


def body_schema(endpoint: Endpoint) -> dict[str, Any]:
    """Describe an endpoint's body; the vendor's documentation lists every field of it."""
    names = dict.fromkeys((*endpoint.required, *endpoint.example, *_ALWAYS))
    words = re.split(r"[^a-z0-9]", endpoint.name)
    return {
        "title": f"Vidu{''.join(word.capitalize() for word in words)}Request",
        "type": "object",
        "required": list(endpoint.required),
        "properties": {name: _FIELDS[name] for name in names},
        "additionalProperties": True,
    }
