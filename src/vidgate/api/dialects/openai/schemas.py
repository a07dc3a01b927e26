"""The bodies of the OpenAI dialect, for its documentation."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vidgate.api.schemas import (
    ErrorMembers,
    Estimated,
    RequestBody,
    TaskUrls,
    TaskWarning,
    with_forbidden,
)
from vidgate.api.schemas import error_answers as flat_error_answers

__all__ = [
    "EXAMPLE_CREATED",
    "EXAMPLE_DELETED",
    "EXAMPLE_LIST",
    "EXAMPLE_VIDEO",
    "DeletedVideo",
    "Video",
    "VideoCreateRequest",
    "VideoEditRequest",
    "VideoExtensionRequest",
    "VideoList",
    "VideoRemixRequest",
    "error_answers",
    "to_openai_shape",
]

_ID = "task_01k9x4n8e0f0m8z2q6y7v3b5ct"
_URLS = {
    "get": f"https://video.example.com/v1/videos/{_ID}",
    "cancel": f"https://video.example.com/v1/video/generations/{_ID}/cancel",
    "events": f"https://video.example.com/v1/video/generations/{_ID}/events",
    "content": f"https://video.example.com/v1/videos/{_ID}/content",
}
_OTHER_MODEL = (
    "A model of the video's provider that can take a video; if absent one is chosen, and "
    "`metadata.upstream_model` tells which."
)
_OTHER_ID = "task_01k9x5q2a7h3g9c1d4e6f8j0km"


class InputReference(BaseModel):
    """A picture, named by an object."""

    image_url: str = Field(description="An http(s) URL or a `data:` URI.")


class _Generic(RequestBody):
    """What every creating route takes. Fields not named here are members of `metadata`."""

    seconds: str | None = Field(default=None, description='The length; `8` and `"8"` are the same.')
    size: str | None = Field(
        default=None, description="Pixels such as `1280x720`, or a shape such as `16:9`."
    )
    input_reference: str | InputReference | None = Field(
        default=None,
        description=(
            "The picture to begin with: a URL, a `data:` URI, base64, an object with `image_url`, "
            "or in a form a file. A list of them is taken too."
        ),
    )
    seed: int | None = Field(default=None, description="For a repeatable result.")
    user: str | None = Field(default=None, description="Your own end user.", max_length=512)
    metadata: dict[str, Any] | None = Field(
        default=None, description="Vendor fields, laid over the translated request unchanged."
    )


class VideoCreateRequest(_Generic):
    """A request for a video. Fields not named here are taken as members of `metadata`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "kling-v2-6",
                    "prompt": "A paper boat on a rainy street",
                    "seconds": "5",
                    "size": "1280x720",
                },
                {
                    "model": "viduq1",
                    "prompt": "The cat looks up",
                    "seconds": "5",
                    "size": "1920x1080",
                    "input_reference": {"image_url": "https://pictures.example.com/cat.png"},
                    "metadata": {"movement_amplitude": "auto"},
                },
            ]
        },
    )

    model: str = Field(description="Any that `GET /v1/models` lists.", min_length=1, max_length=200)
    prompt: str | None = Field(
        default=None,
        description="What the video shows. May be left out where a provider takes a picture alone.",
    )


class VideoRemixRequest(_Generic):
    """A video made anew with another prompt."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prompt": "The same street in the snow"}]},
    )

    prompt: str = Field(description="What the remix shows.", min_length=1)
    model: str | None = Field(default=None, description=_OTHER_MODEL)


class VideoReference(BaseModel):
    """A finished video."""

    id: str = Field(description="Of a video that was made here.")


class VideoEditRequest(_Generic):
    """A video, changed as the prompt says."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"video": {"id": _ID}, "prompt": "Make the boat red"}],
        },
    )

    video: VideoReference | str = Field(description="The finished video; files are not taken.")
    prompt: str = Field(description="What to change.", min_length=1)
    model: str | None = Field(default=None, description=_OTHER_MODEL)


class VideoExtensionRequest(_Generic):
    """What comes after a video."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"video": {"id": _ID}, "prompt": "The boat reaches the river", "seconds": "5"}
            ],
        },
    )

    video: VideoReference | str = Field(description="The finished video; files are not taken.")
    prompt: str | None = Field(default=None, description="What happens next.")
    model: str | None = Field(default=None, description=_OTHER_MODEL)


class VideoFailure(BaseModel):
    """Why there is no video."""

    code: str = Field(description="Such as `content_policy_violation` or `cancelled`.")
    message: str


class VideoUsage(BaseModel):
    """What a video costs."""

    cost: float = Field(description="In the currency that `metadata.cost` names.")


class Video(Estimated):
    """A video, finished or not."""

    id: str
    object: Literal["video"]
    model: str = Field(description="As you asked for it.")
    status: Literal["queued", "in_progress", "completed", "failed"]
    progress: int = Field(ge=0, le=100)
    created_at: int = Field(description="Unix seconds.")
    completed_at: int | None
    expires_at: int | None = Field(description="When `url` stops working.")
    prompt: str | None
    seconds: str = Field(
        description=(
            "As asked for; else what runs or was made in whole seconds (`metadata.duration` is "
            "exact), and `auto` as long as neither is known."
        )
    )
    size: str = Field(
        description=(
            "As asked for; else the measured pixels, else the tier that runs, such as `1080p`, "
            "and `auto` as long as none is known."
        )
    )
    remixed_from_video_id: str | None = Field(
        description="What it is a remix, an edit or an extension of."
    )
    error: VideoFailure | None = Field(description="`cancelled` where it was cancelled.")
    url: str | None = Field(description="Where the video is, once it is completed.")
    metadata: dict[str, Any] = Field(
        description=(
            "What was really made, `null` where it is not known: `duration`, `fps`, `height`, "
            "`width`, `seed`, `upstream_model`, and what else was chosen; `cost` where there are "
            "prices."
        )
    )
    urls: TaskUrls
    warnings: list[TaskWarning] = Field(
        description="What was not done to the letter, also told in the headers of the POST."
    )
    usage: VideoUsage | None = Field(default=None, description="Missing where there are no prices.")


class VideoList(BaseModel):
    """A part of the list."""

    object: Literal["list"]
    data: list[Video]
    first_id: str | None
    last_id: str | None = Field(description="To be sent as `after` for what follows.")
    has_more: bool


class DeletedVideo(BaseModel):
    """A video that is gone."""

    id: str
    object: Literal["video.deleted"]
    deleted: Literal[True]


class OpenAIError(BaseModel):
    """What went wrong, as OpenAI's clients read it."""

    error: ErrorMembers


EXAMPLE_CREATED: dict[str, Any] = {
    "id": _ID,
    "object": "video",
    "model": "kling-v2-6",
    "status": "queued",
    "progress": 0,
    "created_at": 1763600000,
    "completed_at": None,
    "expires_at": None,
    "prompt": "A paper boat on a rainy street",
    "seconds": "5",
    "size": "1280x720",
    "remixed_from_video_id": None,
    "error": None,
    "url": None,
    "metadata": {
        "upstream_model": "kling-v2-6",
        "mode": "std",
        "duration": None,
        "fps": None,
        "height": None,
        "width": None,
        "seed": None,
    },
    "urls": _URLS,
    "warnings": [],
}

EXAMPLE_VIDEO: dict[str, Any] = EXAMPLE_CREATED | {
    "status": "completed",
    "progress": 100,
    "completed_at": 1763600090,
    "expires_at": 1766192090,
    "url": "https://videos.example.com/video.mp4",
    "metadata": {
        "upstream_model": "kling-v2-6",
        "mode": "std",
        "duration": 5.04,
        "fps": 24,
        "height": 720,
        "width": 1280,
        "seed": None,
    },
}

EXAMPLE_LIST: dict[str, Any] = {
    "object": "list",
    "data": [EXAMPLE_VIDEO, EXAMPLE_VIDEO | {"id": _OTHER_ID}],
    "first_id": _ID,
    "last_id": _OTHER_ID,
    "has_more": False,
}

EXAMPLE_DELETED: dict[str, Any] = {"id": _ID, "object": "video.deleted", "deleted": True}

_MORE_ERRORS: dict[int, tuple[str, dict[str, Any]]] = {
    409: (
        "The video's state does not allow it.",
        {
            "message": "The video is not finished; ask again when it is.",
            "type": "invalid_request_error",
            "param": None,
            "code": "conflict",
        },
    ),
    429: (
        (
            "Too many requests or tasks at once (`Retry-After` says when to try again), or the "
            "quota or the balance is exhausted (`insufficient_quota`)."
        ),
        {
            "message": "The quota of this token is exhausted; ask the operator for more.",
            "type": "insufficient_quota",
            "param": None,
            "code": "insufficient_quota",
        },
    ),
}


def error_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document error answers, each with an example, in this dialect's shape."""
    answers: dict[int | str, dict[str, Any]] = {}
    for status in with_forbidden(statuses):
        if status in _MORE_ERRORS:
            description, members = _MORE_ERRORS[status]
        else:
            answers |= to_openai_shape(flat_error_answers(status))
            continue
        answers[status] = _error_answer(description, members)
    return answers


def to_openai_shape(flat: Mapping[int | str, Mapping[str, Any]]) -> dict[int | str, dict[str, Any]]:
    """Document in this dialect's shape what is documented in the flat one."""
    return {
        status: _error_answer(
            answer["description"], answer["content"]["application/json"]["example"]["error"]
        )
        for status, answer in flat.items()
    }


def _error_answer(description: str, members: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": OpenAIError,
        "description": description,
        "content": {"application/json": {"example": {"error": members}}},
    }
