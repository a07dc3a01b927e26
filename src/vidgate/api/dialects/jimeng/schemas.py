"""Jimeng's own dialect: what its routes document."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vidgate.api.idempotency import PARAMETER
from vidgate.api.preferences import NOTES_DOCUMENTED, PREFER
from vidgate.api.schemas import RequestBody, request_body

__all__ = ["ANSWERS", "DESCRIPTION", "OPENAPI"]

DESCRIPTION = (
    "Jimeng's own API. `Action=CVSync2AsyncSubmitTask` makes a task: the body is the vendor's, "
    "with `req_key` for the model, and reaches it unchanged; `callback_url` is the webhook of this "
    "gateway, and `req_json` (the label of generated content) belongs in this body too. "
    "`Action=CVSync2AsyncGetResult` asks for a task: `data.status` is `in_queue` until it is "
    "`done`; a task that failed shows as a `code` other than 10000, one that is unknown as "
    "`not_found`. `CVSubmitTask` and `CVGetResult` do the same.\n\n"
    "Send a token, or a Volcengine signature (HMAC-SHA256, region `cn-north-1`, service `cv`) "
    "made with a token's access key and secret, over whatever headers, `X-Date` among them, as the "
    "official SDKs do; a proxy in front has to leave what is signed as it is. A signed submit that "
    "comes again, with the same signature, gets the first answer. SDKs write the time in whole "
    "seconds: an equal submit within 2 seconds of its `X-Date`, after the answer to the first, is "
    "a new one."
)

_REQUEST_ID = "20261120160000A1B2C3D4E5F60718293A"

_SUBMIT_BODY = {
    "req_key": "jimeng_t2v_v30",
    "prompt": "a paper boat on a river",
    "frames": 121,
    "aspect_ratio": "16:9",
}
_QUESTION_BODY = {"req_key": "jimeng_t2v_v30", "task_id": "task_01kaf3z7k2e9v8w6m4n5p6q7r8"}


def _envelope(code: int, message: str, data: Any) -> dict[str, Any]:
    return {
        "code": code,
        "data": data,
        "message": message,
        "request_id": _REQUEST_ID,
        "status": code,
        "time_elapsed": "41.7ms",
    }


def _refusal(word: str, number: int, message: str) -> dict[str, Any]:
    return {
        "ResponseMetadata": {
            "RequestId": _REQUEST_ID,
            "Service": "cv",
            "Region": "cn-north-1",
            "Error": {"CodeN": number, "Code": word, "Message": message},
        },
        "code": word,
        "message": message,
    }


class JimengResult(BaseModel):
    """What a submit or a question is answered with."""

    model_config = ConfigDict(extra="allow")

    task_id: str | None = Field(default=None, description="Of a submit.")
    status: Literal["in_queue", "done", "not_found"] | None = Field(
        default=None, description="Of a question."
    )
    video_url: str | None = Field(default=None, description="Once the task is `done`.")
    aigc_meta_tagged: bool | None = None


class JimengAnswer(BaseModel):
    """The vendor's envelope, around answers and most errors."""

    code: int = Field(description="10000, or what went wrong.")
    data: JimengResult | None = Field(description="Null where `code` is not 10000.")
    message: str
    request_id: str
    status: int = Field(description="The same as `code`.")
    time_elapsed: str


class JimengGatewayErrorMembers(BaseModel):
    """What went wrong."""

    CodeN: int
    Code: str
    Message: str


class JimengResponseMetadata(BaseModel):
    """What is around an error of the vendor's gateway."""

    RequestId: str
    Service: str
    Region: str
    Error: JimengGatewayErrorMembers


class JimengGatewayError(BaseModel):
    """An error of the vendor's gateway: what comes before the service itself."""

    ResponseMetadata: JimengResponseMetadata
    code: str = Field(description="The same as `ResponseMetadata.Error.Code`.")
    message: str


class JimengRequest(RequestBody):
    """A submit or a question, as the vendor's documentation has it."""

    req_key: str = Field(description="The model.")
    prompt: str | None = None
    image_urls: list[str] | None = None
    binary_data_base64: list[str] | None = None
    frames: Literal[121, 241] | None = None
    aspect_ratio: str | None = None
    seed: int | None = None
    template_id: str | None = None
    camera_strength: str | None = None
    req_json: str | None = None
    callback_url: str | None = None
    task_id: str | None = Field(default=None, description="Of a question.")


def _documented(description: str, model: Any, examples: dict[str, Any]) -> dict[str, Any]:
    named = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"examples": named}}
    return {"model": model, "description": description, "content": content}


def _gateway_answer(description: str, word: str, number: int, message: str) -> dict[str, Any]:
    return _documented(description, JimengGatewayError, {word: _refusal(word, number, message)})


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        **_documented(
            "The task is stored, or the task as it stands.",
            JimengAnswer,
            {
                "submitted": _envelope(10000, "Success", {"task_id": _QUESTION_BODY["task_id"]}),
                "unfinished": _envelope(10000, "Success", {"status": "in_queue"}),
                "finished": _envelope(
                    10000,
                    "Success",
                    {
                        "status": "done",
                        "video_url": "https://cdn.example/video.mp4",
                        "aigc_meta_tagged": False,
                    },
                ),
                "failed": _envelope(50520, "The provider failed; try again later.", None),
                "unknown": _envelope(10000, "Success", {"status": "not_found"}),
            },
        ),
        "headers": NOTES_DOCUMENTED,
    },
    400: _documented(
        "A field is missing or impossible, the content is refused, the signature is malformed or "
        "out of date, or no channel serves the key (50400) or did not fail (50520).",
        JimengAnswer | JimengGatewayError,
        {
            "field": _envelope(
                50200,
                "Invalid Input Parameters: frames: jimeng_t2v_v30 does not take this value. "
                "Allowed: 121, 241.",
                None,
            ),
            "content": _envelope(50412, "The provider's moderation refused the prompt.", None),
            "channels": _envelope(50520, "The provider failed; try again later.", None),
            "time": _refusal(
                "InvalidTimestamp",
                100006,
                "The signature is too old, or from the future; set the clock and sign every "
                "request anew.",
            ),
        },
    ),
    401: _gateway_answer(
        "The token or access key is missing or unknown, or the signature does not hold.",
        "SignatureDoesNotMatch",
        100010,
        "The signature does not hold: the body is not the one whose X-Content-Sha256 was signed.",
    ),
    403: _gateway_answer(
        "The token is expired, or may not use this model.",
        "AccessDenied",
        100013,
        "This token may not use the model 'jimeng_t2v_v30'.",
    ),
    404: _documented(
        "There is no such `Action` and `Version`, or no such model.",
        JimengAnswer | JimengGatewayError,
        {
            "InvalidActionOrVersion": _refusal(
                "InvalidActionOrVersion",
                100008,
                "There is no such Action and Version here; use CVSync2AsyncSubmitTask and "
                "CVSync2AsyncGetResult with 2022-08-31.",
            )
        },
    ),
    405: _gateway_answer(
        "The route does not take this method; `Allow` names those it takes.",
        "InvalidActionOrVersion",
        100008,
        "This route does not take this method.",
    ),
    409: _documented(
        "A video that the request names is not finished.",
        JimengAnswer,
        {
            "unfinished": _envelope(
                50200, "Invalid Input Parameters: The task is not finished; wait for its end.", None
            )
        },
    ),
    422: _documented(
        "The `Idempotency-Key` was used for another request.",
        JimengAnswer,
        {
            "key": _envelope(
                50200,
                "Invalid Input Parameters: This idempotency key was used for another request; "
                "send a new key.",
                None,
            )
        },
    ),
    413: _documented(
        "The body, or a picture in it, is over its limit.",
        JimengAnswer,
        {
            "picture": _envelope(
                50200,
                "Invalid Input Parameters: The picture in binary_data_base64 may have at most "
                "20 MB.",
                None,
            )
        },
    ),
    429: _gateway_answer(
        "The provider is busy or too much is under way (50430), a rate is used up, or there is no "
        "memory for the body or no database; nothing was created.",
        "FlowLimitExceeded",
        100018,
        "The database does not answer; try again in a moment.",
    ),
    500: _gateway_answer(
        "Our fault.",
        "InternalError",
        100014,
        "Something went wrong on our side; the X-Request-Id of this answer finds it in the log.",
    ),
}

_BODY = request_body(JimengRequest)
_BODY["requestBody"]["content"]["application/json"]["examples"] = {
    "submit": {"value": _SUBMIT_BODY},
    "question": {"value": _QUESTION_BODY},
}

OPENAPI: dict[str, Any] = _BODY | {
    "parameters": [
        {
            "name": "Action",
            "in": "query",
            "required": True,
            "description": "What is wanted.",
            "schema": {
                "type": "string",
                "enum": [
                    "CVSync2AsyncSubmitTask",
                    "CVSync2AsyncGetResult",
                    "CVSubmitTask",
                    "CVGetResult",
                ],
            },
        },
        {
            "name": "Version",
            "in": "query",
            "required": True,
            "description": "Of the vendor's API.",
            "schema": {"type": "string", "enum": ["2022-08-31"]},
        },
        PARAMETER,
        PREFER,
    ],
}
