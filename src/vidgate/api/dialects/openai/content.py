"""The OpenAI dialect: the content of a video."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from vidgate.api.content import CONTENT_ANSWERS, CONTENT_ERRORS, CONTENT_HEADERS, ContentAnswer
from vidgate.api.dependencies import TOKEN, CallerDependency, ServicesDependency
from vidgate.api.dialects.openai.schemas import error_answers, to_openai_shape
from vidgate.api.fields import FieldReader
from vidgate.api.forms import Form
from vidgate.constants import MAX_VIDEOS
from vidgate.exceptions import UnsupportedParameterError
from vidgate.services.content.source import Variant

__all__ = ["router"]

_PATH = "/v1/videos/{task_id}/content"
_LAST = MAX_VIDEOS - 1

router = APIRouter(tags=["Content"], dependencies=[TOKEN])


@router.get(
    _PATH,
    summary="Download a finished video",
    description=(
        "Streams the video, its picture or its watermarked copy from wherever it lies, and renews "
        "a link that has ended where the provider can. A task that is not finished, or that "
        "failed, is a 409; what its provider has not made, and what nobody keeps any more "
        "(`content_expired`), is a 404. `HEAD` is answered too."
    ),
    responses={
        **CONTENT_ANSWERS,
        **to_openai_shape(CONTENT_ERRORS),
        **error_answers(400, 401, 409, 429),
    },
    openapi_extra={
        "parameters": [
            {
                "name": "task_id",
                "in": "path",
                "required": True,
                "description": "The task's id.",
                "schema": {"type": "string"},
            },
            {
                "name": "variant",
                "in": "query",
                "required": False,
                "description": "What to download.",
                "schema": {
                    "type": "string",
                    "enum": [variant.value for variant in Variant],
                    "default": Variant.VIDEO.value,
                },
            },
            {
                "name": "index",
                "in": "query",
                "required": False,
                "description": "Which of several videos, from 0; else the first that was made.",
                "schema": {"type": "integer", "minimum": 0, "maximum": _LAST},
            },
            *CONTENT_HEADERS,
        ]
    },
    response_class=Response,
)
async def download_video(
    request: Request, caller: CallerDependency, services: ServicesDependency
) -> Response:
    variant = _read_variant(request.query_params.get("variant"))
    fields = FieldReader(Form({"index": request.query_params.get("index")}, is_text=True))
    index = fields.integer("index", least=0, most=_LAST)
    task_id: str = request.path_params["task_id"]
    return ContentAnswer(lambda: services.content.find(task_id, caller.sight, variant, index=index))


def _read_variant(text: str | None) -> Variant:
    if text is None:
        return Variant.VIDEO
    try:
        return Variant(text)
    except ValueError:
        raise UnsupportedParameterError(
            "variant",
            "There is no such variant here.",
            allowed=[variant.value for variant in Variant],
        ) from None
