"""The bodies of the new-api dialect, for its documentation."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vidgate.api.schemas import Estimated, RequestBody, TaskCost, TaskUrls, TaskWarning
from vidgate.providers.registry import PROVIDERS

__all__ = [
    "EXAMPLE_CANCELLED",
    "EXAMPLE_CREATED",
    "EXAMPLE_LIST",
    "EXAMPLE_TASK",
    "GenerationCreated",
    "GenerationRequest",
    "Task",
    "TaskList",
]

_ID = "task_01k9x4n8e0f0m8z2q6y7v3b5ct"
_URLS = {
    "get": f"https://video.example.com/v1/video/generations/{_ID}",
    "cancel": f"https://video.example.com/v1/video/generations/{_ID}/cancel",
    "events": f"https://video.example.com/v1/video/generations/{_ID}/events",
    "content": f"https://video.example.com/v1/videos/{_ID}/content",
}
_EXAMPLES: list[Any] = [
    dict(one.capabilities.example) for one in PROVIDERS if one.capabilities.example
]
_PATTERNS = ", ".join(
    f"`{pattern}`" for one in PROVIDERS for pattern in one.capabilities.model_patterns
)


class GenerationRequest(RequestBody):
    """A request for a video. Fields not named here are taken as members of `metadata`."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLES})

    model: str = Field(
        description=f"Chooses the provider: {_PATTERNS}.",
        min_length=1,
        max_length=200,
    )
    prompt: str | None = Field(
        default=None,
        description="What the video shows. May be left out where a provider takes a picture alone.",
    )
    duration: float | None = Field(
        default=None, description='Seconds; `5`, `5.0` and `"5"` are the same.'
    )
    seconds: float | None = Field(default=None, description="The same as `duration`.")
    fps: int | None = Field(default=None, description="Frames a second.", ge=1, le=1000)
    width: int | None = Field(
        default=None, description="Pixels; together with `height`.", ge=1, le=16384
    )
    height: int | None = Field(
        default=None, description="Pixels; together with `width`.", ge=1, le=16384
    )
    size: str | None = Field(
        default=None,
        description="Pixels such as `1920x1080`, a shape such as `16:9`, or a tier: `1080p`.",
    )
    image: str | None = Field(
        default=None,
        description="A picture: an http(s) URL, a `data:` URI or base64, at most 20 MB decoded.",
    )
    images: list[str] | None = Field(
        default=None,
        description="Several pictures: first and last frame, or references, by their number.",
    )
    input_reference: str | None = Field(
        default=None,
        description='The same as `image`, as OpenAI\'s clients name it; also `{"image_url": …}`.',
    )
    last_frame: str | None = Field(
        default=None,
        description="The picture that the video ends with, beside a first frame in `image`.",
    )
    metadata: dict[str, Any] | None = Field(
        default=None,
        description=(
            "Vendor fields, laid over the translated request unchanged. `callback_url` (or "
            "`webhook_url`) is told of the end of the task, and `queue_wait` says for how many "
            "seconds it may wait for a place; with 0 what cannot begin at once is a 429."
        ),
    )
    n: int | None = Field(
        default=None, description="Number of videos, each made by a job of its own.", ge=1, le=8
    )
    response_format: str | None = Field(
        default=None, description="`url` and `mp4` mean the same; anything else is ignored."
    )
    seed: int | None = Field(default=None, description="For a repeatable result.")
    user: str | None = Field(default=None, description="Your own end user.", max_length=512)


class GenerationCreated(Estimated):
    """A task that was stored."""

    model_config = ConfigDict(extra="allow")

    id: str
    task_id: str = Field(description="The same as `id`.")
    object: Literal["video"]
    model: str = Field(description="As you asked for it.")
    status: Literal["processing", "succeeded", "failed"]
    progress: int = Field(ge=0, le=100)
    created_at: int = Field(description="Unix seconds.")
    metadata: dict[str, Any] = Field(description="`upstream_model`, and what else was chosen.")
    urls: TaskUrls
    warnings: list[TaskWarning] = Field(
        description="What was not done to the letter, also told in the headers of the POST."
    )


class VideoFacts(BaseModel):
    """What was really made; `null` where it is not known."""

    model_config = ConfigDict(extra="allow")

    duration: float | None = Field(description="Seconds.")
    fps: float | None
    height: int | None
    width: int | None
    seed: int | None = Field(description="The one reported, else the one asked for.")
    upstream_model: str | None = Field(default=None, description="The model that ran.")
    cost: TaskCost | None = Field(default=None, description="Missing where there are no prices.")


class TaskFailure(BaseModel):
    """Why a task failed."""

    code: str
    message: str


class EnvelopeVideo(BaseModel):
    """One video of a task."""

    model_config = ConfigDict(extra="allow")

    url: str | None
    duration: float | None
    error: TaskFailure | None


class EnvelopeData(BaseModel):
    """The task, as deployed new-api servers answer it."""

    task_id: str
    action: str | None
    status: Literal["SUBMITTED", "QUEUED", "IN_PROGRESS", "SUCCESS", "FAILURE"]
    fail_reason: str
    result_url: str
    url: str
    submit_time: int
    start_time: int = Field(description="0 before it.")
    finish_time: int = Field(description="0 before it.")
    progress: str = Field(description="Such as `30%`.")
    videos: list[EnvelopeVideo]
    data: dict[str, Any] | None = Field(description="The provider's own answer, with our ids.")


class Task(Estimated):
    """A task, flat, and beside it the envelope of deployed new-api servers."""

    id: str
    task_id: str = Field(description="The same as `id`.")
    status: Literal["processing", "succeeded", "failed"]
    url: str | None = Field(description="Where the video is, once it succeeded.")
    format: Literal["mp4"]
    metadata: VideoFacts
    error: TaskFailure | None
    progress: int = Field(ge=0, le=100)
    model: str
    created_at: int
    completed_at: int | None
    expires_at: int | None = Field(description="When `url` stops working.")
    urls: TaskUrls
    warnings: list[TaskWarning] = Field(
        description="What was not done to the letter, also told in the headers of the POST."
    )
    code: Literal["success"] | None = Field(default=None, description="Envelope.")
    message: str | None = Field(default=None, description="Envelope.")
    data: EnvelopeData | None = Field(default=None, description="Envelope; a setting omits it.")


class TaskList(BaseModel):
    """A part of the list."""

    object: Literal["list"]
    data: list[Task]
    first_id: str | None = Field(description="To be sent as `before` for what precedes.")
    last_id: str | None = Field(description="To be sent as `after` for what follows.")
    has_more: bool


EXAMPLE_CREATED: dict[str, Any] = {
    "id": _ID,
    "task_id": _ID,
    "object": "video",
    "model": "kling-v1",
    "status": "processing",
    "progress": 0,
    "created_at": 1763600000,
    "metadata": {"upstream_model": "kling-v2-6", "mode": "pro"},
    "urls": _URLS,
    "warnings": [
        {
            "code": "adjusted",
            "param": "model",
            "message": "model was set to kling-v2-6, since the one that was asked for is retired.",
        }
    ],
}

EXAMPLE_TASK: dict[str, Any] = {
    "id": _ID,
    "task_id": _ID,
    "status": "succeeded",
    "url": "https://videos.example.com/video.mp4",
    "format": "mp4",
    "metadata": {
        "duration": 5,
        "fps": 30,
        "height": 512,
        "width": 512,
        "seed": 20231234,
        "upstream_model": "kling-v2-6",
    },
    "urls": _URLS,
    "warnings": [],
    "error": None,
    "progress": 100,
    "model": "kling-v1",
    "created_at": 1763600000,
    "completed_at": 1763600090,
    "expires_at": 1766192090,
    "code": "success",
    "message": "",
    "data": {
        "task_id": _ID,
        "action": "generate",
        "status": "SUCCESS",
        "fail_reason": "",
        "result_url": "https://videos.example.com/video.mp4",
        "url": "https://videos.example.com/video.mp4",
        "submit_time": 1763600000,
        "start_time": 1763600003,
        "finish_time": 1763600090,
        "progress": "100%",
        "videos": [{"url": "https://videos.example.com/video.mp4", "duration": 5, "error": None}],
        "data": {"code": 0, "data": {"task_id": _ID, "task_status": "succeed"}},
    },
}

EXAMPLE_CANCELLED: dict[str, Any] = {
    "id": _ID,
    "task_id": _ID,
    "status": "failed",
    "url": None,
    "format": "mp4",
    "metadata": {
        "duration": None,
        "fps": None,
        "height": None,
        "width": None,
        "seed": None,
        "upstream_model": "viduq3-turbo",
    },
    "error": {"code": "cancelled", "message": "The task was cancelled before it was submitted."},
    "progress": 100,
    "model": "viduq3-turbo",
    "created_at": 1763600000,
    "completed_at": 1763600010,
    "expires_at": None,
    "urls": _URLS,
    "warnings": [],
}

EXAMPLE_LIST: dict[str, Any] = {
    "object": "list",
    "data": [EXAMPLE_TASK],
    "first_id": _ID,
    "last_id": _ID,
    "has_more": False,
}
