"""The new-api dialect's routes."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vidgate.api.bodies import BodyReader
from vidgate.api.cancel_after import CANCEL_AFTER, read_cancel_after
from vidgate.api.created import CreatedResponse
from vidgate.api.dependencies import (
    TOKEN,
    BodiesDependency,
    CallerDependency,
    ChangerDependency,
    NativeAnswers,
    Services,
    ServicesDependency,
)
from vidgate.api.dialects.newapi.reading import (
    CANCELLATION,
    LIST,
    read_cancellation,
    read_query,
    read_request,
)
from vidgate.api.dialects.newapi.schemas import (
    EXAMPLE_CANCELLED,
    EXAMPLE_CREATED,
    EXAMPLE_LIST,
    EXAMPLE_TASK,
    GenerationCreated,
    GenerationRequest,
    Task,
    TaskList,
)
from vidgate.api.dialects.newapi.writing import PATH, write_created, write_task
from vidgate.api.estimates import (
    estimate_of,
    fill_estimate,
    mark_estimate,
    with_estimate,
)
from vidgate.api.idempotency import PARAMETER, with_once
from vidgate.api.links import LinkedAnswer
from vidgate.api.polls import (
    CONDITIONS,
    ETAG_DOCUMENTED,
    POLL_ANSWERS,
    POLL_HEADERS_DOCUMENTED,
    REQUEST_ID_DOCUMENTED,
    answer_poll,
    poll_headers,
)
from vidgate.api.preferences import APPLIED_DOCUMENTED, NOTES_DOCUMENTED, PREFER_WAIT, is_strict
from vidgate.api.ready_route import ReadyRoute
from vidgate.api.schemas import FILE, FILES, error_answers, request_body
from vidgate.api.streams import LAST_EVENT_ID, STREAM_ANSWERS, stream_account, stream_task
from vidgate.api.video_requests import Asked
from vidgate.api.waiting import wait_as_preferred
from vidgate.api.writing import encode, write_list
from vidgate.models.accounts import Caller
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskSnapshot
from vidgate.services.tasks.creating import Created
from vidgate.services.views.reading import TaskView

__all__ = [
    "FORM",
    "POLL_PATH",
    "TAG",
    "events_route",
    "poll_route",
    "router",
    "task_events_route",
    "wanted",
    "write_answer",
]

_DIALECT = "newapi"
POLL_PATH = PATH + "/{task_id}"
"""What clients ask again and again; its successes are not worth a log line."""

TAG = "Video generations"

FORM = {
    "metadata": {"type": "string", "description": "JSON, or member by member: `metadata[mode]`."},
    "image": FILE,
    "images": FILES,
    "input_reference": FILE,
    "last_frame": FILE,
}
_TASK_ID: list[dict[str, Any]] = [
    {
        "name": "task_id",
        "in": "path",
        "required": True,
        "description": "As the POST answered it.",
        "schema": {"type": "string"},
    }
]

router = APIRouter()


@router.post(
    PATH,
    summary="Create a video",
    description=(
        "Answers with the id of a task as soon as the provider has accepted it, at the latest "
        "after 20 seconds; what is left goes on in the background. Retrieve the task by "
        "`GET /v1/video/generations/{task_id}`. With `Prefer: handling=strict` whatever would be "
        "ignored, adjusted or passed on unknown is an error."
    ),
    tags=[TAG],
    dependencies=[TOKEN],
    responses={
        200: {
            "model": GenerationCreated,
            "description": "The task is stored.",
            "headers": POLL_HEADERS_DOCUMENTED | NOTES_DOCUMENTED | APPLIED_DOCUMENTED,
            "content": {"application/json": {"example": EXAMPLE_CREATED}},
        },
        **error_answers(400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 502, 503),
    },
    openapi_extra=request_body(GenerationRequest, form=FORM)
    | {"parameters": [PREFER_WAIT, CANCEL_AFTER, PARAMETER]},
)
async def create_generation(
    request: Request,
    caller: CallerDependency,
    services: ServicesDependency,
    bodies: BodiesDependency,
) -> Response:
    began = services.clock.now()
    created = await _create(request, caller, services, bodies)
    waited = await wait_as_preferred(request, caller, services, created, began=began)
    task = waited.created.snapshot
    members = write_created(task)
    if waited.headers:
        has_envelope = services.settings.envelope
        members |= write_answer(task, services.providers, has_envelope=has_envelope)
    members = with_estimate(members, await estimate_of(services, task))
    headers = {**poll_headers(task, services.clock.now()), **waited.headers}
    return CreatedResponse(encode(members), waited.created, headers)


async def _create(
    request: Request, caller: Caller, services: Services, bodies: BodyReader
) -> Created:
    """Make the task. What was read of the body is gone afterwards, however long a wait follows."""
    read = partial(read_request, meanings=services.field_meanings, strict=is_strict(request))
    convert = with_once(request, read)
    async with bodies.read(request, convert) as (asked, once):
        return await services.task_creator.create(
            caller, wanted(request, asked), dialect=_DIALECT, once=once
        )


def wanted(request: Request, asked: Asked) -> VideoRequest:
    """What is asked for, with what the request's headers say of it."""
    return replace(asked.request, ignored=asked.ignored, cancel_after=read_cancel_after(request))


@router.get(
    PATH,
    summary="List tasks",
    description=(
        "The tasks of the token's account, whatever dialect they were asked for in. The next part "
        "is behind `last_id`, by `after`; with `before` alone it is the part that ends there, and "
        "`has_more` tells whether something precedes it. Tasks made meanwhile shift nothing."
    ),
    tags=[TAG],
    dependencies=[TOKEN],
    responses={
        200: {
            "model": TaskList,
            "description": "A part of the list.",
            "headers": REQUEST_ID_DOCUMENTED,
            "content": {"application/json": {"example": EXAMPLE_LIST}},
        },
        **error_answers(400, 401, 404, 405, 429, 500, 503),
    },
    openapi_extra={"parameters": LIST},
)
async def list_generations(
    request: Request, caller: CallerDependency, services: ServicesDependency
) -> Response:
    query = read_query(request.query_params)
    page = await services.reader.page(caller.sight, query)
    write = partial(
        write_answer, providers=services.providers, has_envelope=services.settings.envelope
    )
    return LinkedAnswer(encode(write_list(page, write, is_backwards=query.is_backwards)))


@router.post(
    POLL_PATH + "/cancel",
    summary="Cancel a task",
    description=(
        "Free while the task waits for its provider. Afterwards where the provider can: then the "
        "task ends once the provider confirms, which a GET tells, and at the provider's charge. A "
        "task that is cancelled already is answered as it is."
    ),
    tags=[TAG],
    dependencies=[TOKEN],
    responses={
        200: {
            "model": Task,
            "description": "The task, cancelled or still `processing`.",
            "headers": POLL_HEADERS_DOCUMENTED,
            "content": {"application/json": {"example": EXAMPLE_CANCELLED}},
        },
        **error_answers(400, 401, 403, 404, 405, 409, 500, 502, 503),
    },
    openapi_extra={"parameters": [*_TASK_ID, *CANCELLATION]},
)
async def cancel_generation(
    request: Request, caller: ChangerDependency, services: ServicesDependency
) -> Response:
    output, discard = read_cancellation(request.query_params)
    view = await services.canceller.cancel(
        request.path_params["task_id"], caller.sight, output=output, discard=discard
    )
    headers = poll_headers(view.snapshot, services.clock.now())
    body = fill_estimate(_encode_task(view, services), await estimate_of(services, view.snapshot))
    return LinkedAnswer(body, headers=headers)


async def _read_task(scope: Scope, _receive: Receive, send: Send) -> None:
    task_id: str = scope["path_params"]["task_id"]
    await answer_poll(scope, send, task_id=task_id, dialect=_DIALECT, write=_encode_task)


async def _stream_task(scope: Scope, _receive: Receive, send: Send) -> None:
    task_id: str = scope["path_params"]["task_id"]
    await stream_task(scope, send, task_id=task_id, dialect=_DIALECT, write=_encode_task)


async def _stream_account(scope: Scope, _receive: Receive, send: Send) -> None:
    await stream_account(scope, send, dialect=_DIALECT, write=_encode_task)


def _encode_task(view: TaskView, services: Services) -> bytes:
    has_envelope = services.settings.envelope
    answer = write_answer(view.snapshot, services.providers, has_envelope=has_envelope)
    return encode(mark_estimate(answer, view.snapshot))


def write_answer(
    task: TaskSnapshot, providers: Mapping[str, NativeAnswers], *, has_envelope: bool
) -> dict[str, Any]:
    """Write a task as the GET answers it.

    Args:
        task: As it stands.
        providers: Write their own answers, by name.
        has_envelope: Whether the envelope of deployed servers is around it.
    """
    native_answer = None
    if has_envelope:
        provider = providers.get(task.provider or "")
        native_answer = provider.native_answer if provider else _no_answer
    return write_task(task, native_answer)


def _no_answer(_task: object) -> dict[str, Any]:
    """What stands for the provider's answer before one was chosen."""
    return {}


def poll_route() -> ReadyRoute:
    """The route by which clients ask for a task; to be tried before all others."""
    return ReadyRoute(
        POLL_PATH,
        app=_read_task,
        parameters=[*_TASK_ID, *CONDITIONS],
        name="retrieve_generation",
        summary="Retrieve a task",
        description=(
            "The task as it stands. `status` is `processing` until it is `succeeded` or `failed`; "
            "`Retry-After` says when asking again is worthwhile."
        ),
        tags=[TAG],
        dependencies=[TOKEN],
        responses={
            200: {
                "model": Task,
                "description": "The task.",
                "headers": POLL_HEADERS_DOCUMENTED | ETAG_DOCUMENTED,
                "content": {"application/json": {"example": EXAMPLE_TASK}},
            },
            **POLL_ANSWERS,
            **error_answers(400, 401, 404, 405, 429, 500, 503),
        },
    )


def task_events_route() -> ReadyRoute:
    """The route by which clients listen to one task."""
    return ReadyRoute(
        POLL_PATH + "/events",
        app=_stream_task,
        parameters=[*_TASK_ID, LAST_EVENT_ID],
        name="stream_generation",
        response_class=Response,
        summary="Listen to a task",
        description=(
            "Server-sent events: the task as it stands, then each state that follows, up to the "
            "final one, with which the stream ends. A comment every 15 seconds. Whoever connects "
            "again with the final state's `Last-Event-ID` is answered 204: nothing will follow."
        ),
        tags=[TAG],
        dependencies=[TOKEN],
        responses={
            **STREAM_ANSWERS,
            204: {"description": "You have the final state."},
            **error_answers(401, 404, 405, 429, 500, 503),
        },
    )


def events_route() -> ReadyRoute:
    """The route by which clients listen to all their tasks."""
    return ReadyRoute(
        "/v1/events",
        app=_stream_account,
        parameters=[LAST_EVENT_ID],
        name="stream_events",
        response_class=Response,
        summary="Listen to all tasks",
        description=(
            "Server-sent events: each task of the token's account when it changes, whatever "
            "dialect made it, with the body of `GET /v1/video/generations/{task_id}`. Never "
            "closed by itself. After a `Last-Event-ID` every task that has changed since comes "
            "once, as it stands; states in between may be missing, and one may come twice."
        ),
        tags=[TAG],
        dependencies=[TOKEN],
        responses={**STREAM_ANSWERS, **error_answers(400, 401, 405, 429, 500, 503)},
    )
