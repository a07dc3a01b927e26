"""The OpenAI dialect's routes, but for the one that is polled."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Never

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from vidgate.api.bodies import BodyReader
from vidgate.api.cancel_after import CANCEL_AFTER, read_cancel_after
from vidgate.api.created import CreatedResponse
from vidgate.api.dependencies import (
    TOKEN,
    BodiesDependency,
    CallerDependency,
    ChangerDependency,
    Services,
    ServicesDependency,
)
from vidgate.api.dialects.openai.polling import POLL_PATH, TAG, VIDEO_ID
from vidgate.api.dialects.openai.reading import (
    VideoAsked,
    read_create,
    read_edit,
    read_extension,
    read_query,
    read_remix,
)
from vidgate.api.dialects.openai.schemas import (
    EXAMPLE_CREATED,
    EXAMPLE_DELETED,
    EXAMPLE_LIST,
    DeletedVideo,
    Video,
    VideoCreateRequest,
    VideoEditRequest,
    VideoExtensionRequest,
    VideoList,
    VideoRemixRequest,
    error_answers,
)
from vidgate.api.dialects.openai.writing import (
    DIALECT,
    PATH,
    measures_of,
    write_deleted,
    write_video,
)
from vidgate.api.estimates import estimate_of, with_estimate
from vidgate.api.forms import Form, UnexpectedFileError
from vidgate.api.idempotency import PARAMETER, with_once
from vidgate.api.links import LinkedAnswer
from vidgate.api.polls import POLL_HEADERS_DOCUMENTED, poll_headers
from vidgate.api.preferences import APPLIED_DOCUMENTED, NOTES_DOCUMENTED, PREFER_WAIT, is_strict
from vidgate.api.schemas import FILE, request_body
from vidgate.api.waiting import wait_as_preferred
from vidgate.api.writing import encode, write_list
from vidgate.exceptions import InvalidParameterError, NotFoundError, TaskNotFoundError
from vidgate.models.accounts import Caller
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp
from vidgate.services.tasks.creating import Created

__all__ = ["router"]

_JSON = "application/json"

_WHICH_MODEL = (
    "A model of the same provider that can take a video runs, which may be another than the "
    "video's and is told as `metadata.upstream_model`; `model` chooses one, and the token must be "
    "allowed to use it."
)
_ALIKE = (
    "What is made has the video's length, shape and tier, or the nearest that the model makes, "
    "where you ask for nothing else; some models take length and shape from the video alone."
)
_HOW_TO_NAME = (
    'OpenAI\'s Python library refuses `video={"id": ...}` before it sends anything, although it is '
    'typed so: pass `video=openai.omit` and `extra_body={"video": {"id": "..."}}`.'
)

_FORM = {
    "input_reference": FILE,
    "metadata": {"type": "string", "description": "JSON, or member by member: `metadata[mode]`."},
}
_LIST_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "after",
        "in": "query",
        "description": "The id behind which to begin: the last one of the part before.",
        "schema": {"type": "string"},
    },
    {
        "name": "limit",
        "in": "query",
        "description": "How many at most.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 100, "default": 20},
    },
    {
        "name": "order",
        "in": "query",
        "description": "By the time of creation; `desc` is newest first.",
        "schema": {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
    },
]

router = APIRouter(tags=[TAG], dependencies=[TOKEN])


def _creating(body: type[BaseModel], *, parameters: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Document a route that makes a video: its answers and its two kinds of body."""
    return {
        "responses": {
            200: {
                "model": Video,
                "description": "The task is stored.",
                "headers": POLL_HEADERS_DOCUMENTED | NOTES_DOCUMENTED | APPLIED_DOCUMENTED,
                "content": {_JSON: {"example": EXAMPLE_CREATED}},
            },
            **error_answers(400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 502, 503),
        },
        "openapi_extra": request_body(body, form=_FORM)
        | {"parameters": [*parameters, PREFER_WAIT, CANCEL_AFTER, PARAMETER]},
    }


@router.post(
    PATH,
    summary="Create a video",
    description=(
        "Takes any model of any provider. Answers as soon as the provider has accepted the video, "
        "at the latest after 20 seconds: it is `in_progress` then, or still `queued` where it "
        "waits for a place, and what is left goes on in the background."
    ),
    **_creating(VideoCreateRequest),
)
async def create_video(
    request: Request,
    caller: CallerDependency,
    services: ServicesDependency,
    bodies: BodiesDependency,
) -> Response:
    began = services.clock.now()
    created = await _create(request, caller, services, bodies)
    return await _answer(request, caller, services, created, began=began)


@router.post(
    POLL_PATH + "/remix",
    summary="Remix a video",
    description=(
        f"The finished video is generated again with another prompt. {_WHICH_MODEL} {_ALIKE} "
        "A 400 where its provider has nothing like it."
    ),
    **_creating(VideoRemixRequest, parameters=(VIDEO_ID,)),
)
async def remix_video(
    request: Request,
    caller: CallerDependency,
    services: ServicesDependency,
    bodies: BodiesDependency,
) -> Response:
    source = request.path_params["video_id"]
    read = partial(
        read_remix,
        source=source,
        meanings=services.field_meanings,
        strict=is_strict(request),
    )
    return await _follow_up(
        FollowUp.REMIX, read, request, caller=caller, services=services, bodies=bodies
    )


@router.post(
    PATH + "/edits",
    summary="Edit a video",
    description=(
        f"The finished video, changed as the prompt says. {_WHICH_MODEL} {_ALIKE} "
        f"A 400 where its provider has nothing like it. {_HOW_TO_NAME}"
    ),
    **_creating(VideoEditRequest),
)
async def edit_video(
    request: Request,
    caller: CallerDependency,
    services: ServicesDependency,
    bodies: BodiesDependency,
) -> Response:
    read = partial(read_edit, meanings=services.field_meanings, strict=is_strict(request))
    return await _follow_up(
        FollowUp.EDIT, read, request, caller=caller, services=services, bodies=bodies
    )


@router.post(
    PATH + "/extensions",
    summary="Extend a video",
    description=(
        f"What comes after the finished video. {_WHICH_MODEL} A 400 where its provider has "
        f"nothing like it. {_HOW_TO_NAME}"
    ),
    **_creating(VideoExtensionRequest),
)
async def extend_video(
    request: Request,
    caller: CallerDependency,
    services: ServicesDependency,
    bodies: BodiesDependency,
) -> Response:
    read = partial(read_extension, meanings=services.field_meanings, strict=is_strict(request))
    return await _follow_up(
        FollowUp.EXTEND, read, request, caller=caller, services=services, bodies=bodies
    )


@router.get(
    PATH,
    summary="List videos",
    description="All videos of the token's account, whatever dialect they were asked for in.",
    responses={
        200: {
            "model": VideoList,
            "description": "A part of the list.",
            "content": {_JSON: {"example": EXAMPLE_LIST}},
        },
        **error_answers(400, 401, 404, 405, 429, 500, 503),
    },
    openapi_extra={"parameters": _LIST_PARAMETERS},
)
async def list_videos(
    request: Request, caller: CallerDependency, services: ServicesDependency
) -> Response:
    page = await services.reader.page(caller.sight, read_query(request.query_params))
    return LinkedAnswer(encode(write_list(page, write_video)))


@router.delete(
    POLL_PATH,
    summary="Delete a video",
    description="A finished one; it is not found afterwards.",
    responses={
        200: {
            "model": DeletedVideo,
            "description": "It is gone.",
            "content": {_JSON: {"example": EXAMPLE_DELETED}},
        },
        **error_answers(401, 403, 404, 405, 409, 500, 503),
    },
    openapi_extra={"parameters": [VIDEO_ID]},
)
async def delete_video(
    request: Request, caller: ChangerDependency, services: ServicesDependency
) -> Response:
    video_id: str = request.path_params["video_id"]
    await services.reader.remove(video_id, caller.sight)
    return Response(encode(write_deleted(video_id)), media_type=_JSON)


@router.post(
    PATH + "/characters",
    summary="Create a character (not offered)",
    description="No provider behind this gateway keeps characters; always a 400.",
    status_code=400,
    response_model=None,
    responses=error_answers(400, 401, 405, 500, 503),
)
async def create_character() -> Never:
    raise InvalidParameterError(
        "Characters are not offered here; send pictures of them as input_reference.",
        code="characters_not_offered",
    )


@router.get(
    PATH + "/characters/{character_id}",
    summary="Retrieve a character (not offered)",
    description="No provider behind this gateway keeps characters; always a 404.",
    status_code=404,
    response_model=None,
    responses=error_answers(401, 404, 405, 429, 500, 503),
    openapi_extra={"parameters": [VIDEO_ID | {"name": "character_id", "description": "Any."}]},
)
async def retrieve_character() -> Never:
    raise NotFoundError("Characters are not offered here.", code="characters_not_offered")


async def _create(
    request: Request, caller: Caller, services: Services, bodies: BodyReader
) -> Created:
    """Make the task. What was read of the body is gone afterwards, however long a wait follows."""
    read = partial(read_create, meanings=services.field_meanings, strict=is_strict(request))
    convert = with_once(request, read)
    async with bodies.read(request, convert) as (video, once):
        return await services.task_creator.create(
            caller, _wanted(request, video), dialect=DIALECT, echo=video.echo, once=once
        )


async def _follow_up(
    kind: FollowUp,
    read: Callable[[Form], VideoAsked],
    request: Request,
    *,
    caller: Caller,
    services: Services,
    bodies: BodyReader,
) -> Response:
    began = services.clock.now()
    created = await _create_follow_up(
        kind, read, request, caller=caller, services=services, bodies=bodies
    )
    return await _answer(request, caller, services, created, began=began)


async def _create_follow_up(
    kind: FollowUp,
    read: Callable[[Form], VideoAsked],
    request: Request,
    *,
    caller: Caller,
    services: Services,
    bodies: BodyReader,
) -> Created:
    """As `_create`."""
    try:
        async with bodies.read(request, with_once(request, read)) as (video, once):
            alike = {} if kind is FollowUp.EXTEND else await _measures(services, caller, video)
            return await services.task_creator.follow_up(
                caller,
                kind,
                video.source,
                _wanted(request, video),
                dialect=DIALECT,
                echo={**alike, **video.echo},
                once=once,
            )
    except UnexpectedFileError as error:
        _advise(error)


async def _measures(services: Services, caller: Caller, video: VideoAsked) -> dict[str, str]:
    """The length and size that a video is made anew with, where nothing else is asked for."""
    try:
        view = await services.reader.read(video.source, caller.sight)
    except TaskNotFoundError:  # as will be told, once it is clear that this is no repetition
        return {}
    return measures_of(view.snapshot)


def _wanted(request: Request, video: VideoAsked) -> VideoRequest:
    return replace(
        video.request, ignored=video.asked.ignored, cancel_after=read_cancel_after(request)
    )


async def _answer(
    request: Request, caller: Caller, services: Services, created: Created, *, began: datetime
) -> Response:
    waited = await wait_as_preferred(request, caller, services, created, began=began)
    task = waited.created.snapshot
    headers = {**poll_headers(task, services.clock.now()), **waited.headers}
    answer = with_estimate(write_video(task), await estimate_of(services, task))
    return CreatedResponse(encode(answer), waited.created, headers)


def _advise(error: UnexpectedFileError) -> Never:
    """Tell what to send in place of a video's file."""
    if error.param != "video":
        raise error
    raise InvalidParameterError(
        "Videos cannot be uploaded here: send the id of one that was made here, as video[id], or "
        'with an OpenAI library as extra_body={"video": {"id": "..."}}.',
        param="video",
    ) from None
