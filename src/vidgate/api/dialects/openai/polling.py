"""The route by which clients of the OpenAI dialect ask for a video."""

from starlette.types import Receive, Scope, Send

from vidgate.api.dependencies import TOKEN, Services
from vidgate.api.dialects.openai.schemas import EXAMPLE_VIDEO, Video, error_answers
from vidgate.api.dialects.openai.writing import DIALECT, PATH, write_video
from vidgate.api.estimates import mark_estimate
from vidgate.api.polls import (
    CONDITIONS,
    ETAG_DOCUMENTED,
    POLL_ANSWERS,
    POLL_HEADERS_DOCUMENTED,
    answer_poll,
)
from vidgate.api.ready_route import ReadyRoute
from vidgate.api.writing import encode
from vidgate.services.views.reading import TaskView

__all__ = ["POLL_PATH", "TAG", "VIDEO_ID", "poll_route"]

POLL_PATH = PATH + "/{video_id}"
"""What clients ask again and again; its successes are not worth a log line."""

TAG = "Videos (OpenAI)"

VIDEO_ID = {
    "name": "video_id",
    "in": "path",
    "required": True,
    "description": "As the POST answered it.",
    "schema": {"type": "string"},
}


async def _read_video(scope: Scope, _receive: Receive, send: Send) -> None:
    video_id: str = scope["path_params"]["video_id"]
    await answer_poll(scope, send, task_id=video_id, dialect=DIALECT, write=_write)


def _write(view: TaskView, _services: Services) -> bytes:
    return encode(mark_estimate(write_video(view.snapshot), view.snapshot))


def poll_route() -> ReadyRoute:
    """The route by which clients ask for a video; to be tried before all others."""
    return ReadyRoute(
        POLL_PATH,
        app=_read_video,
        parameters=[VIDEO_ID, *CONDITIONS],
        name="retrieve_video",
        summary="Retrieve a video",
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
                "headers": POLL_HEADERS_DOCUMENTED | ETAG_DOCUMENTED,
                "content": {"application/json": {"example": EXAMPLE_VIDEO}},
            },
            **POLL_ANSWERS,
            **error_answers(400, 401, 404, 405, 429, 500, 503),
        },
    )
