"""The route by which clients of the OpenAI dialect ask for a video."""

from starlette.types import Receive, Scope, Send

from vidgate.api.dependencies import TOKEN, caller_of, services_of
from vidgate.api.dialects.openai.schemas import EXAMPLE_VIDEO, Video, error_answers
from vidgate.api.dialects.openai.writing import DIALECT, write_video
from vidgate.api.ready_route import ReadyRoute
from vidgate.api.writing import encode
from vidgate.constants import VIEW_AGE

__all__ = ["POLL_HEADERS", "POLL_HEADERS_DOCUMENTED", "POLL_PATH", "TAG", "VIDEO_ID", "poll_route"]

POLL_PATH = "/v1/videos/{video_id}"
"""What clients ask again and again; its successes are not worth a log line."""

TAG = "Videos (OpenAI)"

# Before that the same state would be answered from memory.
POLL_HEADERS = {
    "retry-after": str(int(VIEW_AGE.total_seconds())),
    "openai-poll-after-ms": str(int(VIEW_AGE.total_seconds() * 1000)),
}
"""Sent as long as a video is unfinished."""

POLL_HEADERS_DOCUMENTED = {
    "X-Request-Id": {
        "description": "By which this request is found in the log.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds until asking again is worthwhile, while the video is unfinished.",
        "schema": {"type": "integer"},
    },
    "openai-poll-after-ms": {
        "description": "The same in milliseconds; SDKs wait as long.",
        "schema": {"type": "integer"},
    },
}
VIDEO_ID = {
    "name": "video_id",
    "in": "path",
    "required": True,
    "description": "As the POST answered it.",
    "schema": {"type": "string"},
}

_HEADERS = [(b"content-type", b"application/json")]
_UNFINISHED_HEADERS = [
    *_HEADERS,
    *((name.encode(), value.encode()) for name, value in POLL_HEADERS.items()),
]


async def _read_video(scope: Scope, _receive: Receive, send: Send) -> None:
    services = services_of(scope)
    account_id = caller_of(scope).account_id
    video_id: str = scope["path_params"]["video_id"]
    view = services.reader.cached(video_id, account_id)
    if view is None:
        view = await services.reader.read(video_id, account_id)
    body = view.encodings.get(DIALECT)
    if body is None:
        body = view.encodings[DIALECT] = encode(write_video(view.snapshot))
    headers = _HEADERS if view.snapshot.status.is_final else _UNFINISHED_HEADERS
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


def poll_route() -> ReadyRoute:
    """The route by which clients ask for a video; to be tried before all others."""
    return ReadyRoute(
        POLL_PATH,
        app=_read_video,
        parameters=[VIDEO_ID],
        name="read_video",
        summary="Ask for a video",
        description=(
            "The video as it stands, whatever dialect it was asked for in. `status` is `queued` or "
            "`in_progress` until it is `completed` or `failed`; `openai-poll-after-ms` says when "
            "asking again is worthwhile."
        ),
        tags=[TAG],
        dependencies=[TOKEN],
        responses={
            200: {
                "model": Video,
                "description": "The video.",
                "headers": POLL_HEADERS_DOCUMENTED,
                "content": {"application/json": {"example": EXAMPLE_VIDEO}},
            },
            **error_answers(401, 404, 405, 500, 503),
        },
    )
