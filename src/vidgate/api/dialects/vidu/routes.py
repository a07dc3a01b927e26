"""Vidu's own dialect: its routes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from vidgate.api.cancel_after import read_cancel_after
from vidgate.api.created import CreatedResponse
from vidgate.api.dependencies import (
    TOKEN,
    BodiesDependency,
    CallerDependency,
    ChangerDependency,
    Services,
    ServicesDependency,
)
from vidgate.api.dialects.vidu.endpoints import ENDPOINTS, Endpoint
from vidgate.api.dialects.vidu.listing import PARAMETERS, Listing, read_listing
from vidgate.api.dialects.vidu.reading import read_request
from vidgate.api.dialects.vidu.schemas import (
    EXAMPLE_CREATED,
    EXAMPLE_CREATIONS,
    ViduCreated,
    ViduCredits,
    ViduTask,
    ViduTaskList,
    body_schema,
    error_answers,
)
from vidgate.api.dialects.vidu.writing import write_created, write_listed
from vidgate.api.idempotency import PARAMETER, with_once
from vidgate.api.links import LinkedAnswer, base_of
from vidgate.api.preferences import NOTES_DOCUMENTED, PREFER, is_strict
from vidgate.api.writing import encode, write_part
from vidgate.constants import LIST_BYTES
from vidgate.exceptions import InvalidParameterError, TaskNotFoundError
from vidgate.models.accounts import Caller
from vidgate.models.tasks import TaskSnapshot

__all__ = ["router"]

_DIALECT = "vidu"
_PREFIX = "/vidu/ent/v2"
_TAG = "Vidu's own API"

_CREATE = (
    "The body as the vendor's documentation has it. `payload` and `callback_url` are yours: the "
    "vendor gets ours in their place. A `video_creation_id` is one that a task here has told. "
    "Retrieve the task by `GET /vidu/ent/v2/tasks/{id}/creations`."
)

_NO_CREDITS: dict[str, Any] = {"remains": [], "packages": []}

_TASK_PATH = "/tasks/{task_id}"
_TASK_ID = {
    "parameters": [
        {
            "name": "task_id",
            "in": "path",
            "required": True,
            "description": "As the POST answered it.",
            "schema": {"type": "string"},
        }
    ],
}

router = APIRouter(prefix=_PREFIX, tags=[_TAG], dependencies=[TOKEN])


def _creator(endpoint: Endpoint) -> Callable[..., Awaitable[Response]]:
    """Make the function behind one endpoint."""

    async def create(
        request: Request,
        caller: CallerDependency,
        services: ServicesDependency,
        bodies: BodiesDependency,
    ) -> Response:
        convert = with_once(request, partial(read_request, endpoint=endpoint))
        async with bodies.read(request, convert) as (asked, once):
            wanted = replace(
                asked.request,
                strict=is_strict(request),
                cancel_after=read_cancel_after(request),
            )
            created = await services.task_creator.create(
                caller, wanted, dialect=_DIALECT, echo=asked.echo, once=once
            )
        answer = write_created(created.snapshot, _native(services, created.snapshot))
        return CreatedResponse(encode(answer), created)

    return create


for _endpoint in ENDPOINTS:
    router.add_api_route(
        f"/{_endpoint.name}",
        _creator(_endpoint),
        methods=["POST"],
        name=f"vidu_create_{_endpoint.name}".replace("-", "_"),
        summary=_endpoint.summary,
        description=_CREATE,
        include_in_schema=_endpoint.documented,
        responses={
            200: {
                "model": ViduCreated,
                "description": "The task is stored.",
                "headers": NOTES_DOCUMENTED,
                "content": {"application/json": {"example": EXAMPLE_CREATED}},
            },
            **error_answers(400, 401, 403, 404, 405, 409, 413, 422, 429, 500),
        },
        openapi_extra={
            "parameters": [PARAMETER, PREFER],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": body_schema(_endpoint),
                        "example": _endpoint.example,
                    }
                },
            },
        },
    )


@router.get(
    _TASK_PATH + "/creations",
    summary="Retrieve a task",
    description="The task as it stands, whichever dialect made it.",
    responses={
        200: {
            "model": ViduTask,
            "description": "The task.",
            "content": {"application/json": {"example": EXAMPLE_CREATIONS}},
        },
        **error_answers(401, 404, 405, 429, 500),
    },
    openapi_extra=_TASK_ID,
)
async def vidu_retrieve_task(
    request: Request, caller: CallerDependency, services: ServicesDependency
) -> Response:
    view = await services.reader.read(request.path_params["task_id"], caller.sight)
    pieces = view.encodings.get(_DIALECT) or view.keep(
        _DIALECT, encode(_native(services, view.snapshot))
    )
    return Response(base_of(request.scope).join(pieces), media_type="application/json")


@router.get(
    "/tasks",
    summary="List tasks",
    description="Those that run or ran at Vidu, the latest first.",
    responses={
        200: {
            "model": ViduTaskList,
            "description": "A part of the list.",
            "content": {
                "application/json": {
                    "example": {"next_page_token": "", "tasks": [EXAMPLE_CREATIONS]}
                }
            },
        },
        **error_answers(400, 401, 405, 429, 500),
    },
    openapi_extra={
        "parameters": [
            {
                "name": name,
                "in": "query",
                "description": description,
                "schema": {"type": kind}
                | ({"items": {"type": "string"}} if kind == "array" else {}),
            }
            for name, (kind, description) in PARAMETERS.items()
        ]
    },
)
async def vidu_list_tasks(
    request: Request, caller: CallerDependency, services: ServicesDependency
) -> Response:
    listing = read_listing(request.query_params, services.clock.now())
    tasks, has_more = await _listed(services, caller, listing)
    part = write_part(tasks, lambda task: write_listed(task, _native(services, task)))
    if part.is_cut and listing.task_ids is None:
        services.reader.page_ended(caller.sight, listing.query, tasks[len(part.names) - 1])
    token = part.names[-1] if part.names and (has_more or part.is_cut) else ""
    return _answer({"next_page_token": token, "tasks": part.entries})


@router.post(
    _TASK_PATH + "/cancel",
    summary="Cancel a task",
    description=(
        "Free before the provider has it; afterwards as far as the provider stops it. What ends "
        "is `failed` with the `err_code` `UserCancelled`."
    ),
    responses={
        200: {
            "description": "It is cancelled, or will be.",
            "content": {"application/json": {"example": {}}},
        },
        **error_answers(401, 403, 404, 405, 409, 500),
    },
    openapi_extra=_TASK_ID,
)
async def vidu_cancel_task(
    request: Request, caller: ChangerDependency, services: ServicesDependency
) -> Response:
    await services.canceller.cancel(request.path_params["task_id"], caller.sight)
    return _answer({})


@router.get(
    "/credits",
    summary="Retrieve the credits",
    description=(
        "Vidu's are the operator's, so the list is always empty; clients ask it to check a key."
    ),
    responses={
        200: {
            "model": ViduCredits,
            "description": "No credits.",
            "content": {"application/json": {"example": _NO_CREDITS}},
        },
        **error_answers(401, 405, 429, 500),
    },
)
async def vidu_retrieve_credits() -> Response:
    return _answer(_NO_CREDITS)


async def _listed(
    services: Services, caller: Caller, listing: Listing
) -> tuple[Sequence[TaskSnapshot], bool]:
    """The tasks of a list, and whether something follows."""
    try:
        if listing.task_ids is not None:
            return await _named(services, caller, listing, listing.task_ids)
        page = await services.reader.page(caller.sight, listing.query)
    except TaskNotFoundError:
        name = "pager.page_token"
        raise InvalidParameterError(
            f"{name} must be one that a list here has answered.", param=name
        ) from None
    return page.tasks, page.has_more


async def _named(
    services: Services, caller: Caller, listing: Listing, names: Sequence[str]
) -> tuple[list[TaskSnapshot], bool]:
    """Tasks in the order of their names, behind the one that the answer before ended with."""
    query = listing.query
    if query.after is not None:
        if query.after not in names:
            raise TaskNotFoundError("The page token does not fit these tasks.")
        names = names[names.index(query.after) + 1 :]
    tasks: list[TaskSnapshot] = []
    size = 0
    for task_id in names:
        if size > LIST_BYTES:
            return tasks, True
        try:
            task = (await services.reader.read(task_id, caller.sight)).snapshot
        except TaskNotFoundError:
            continue
        if query.origin in (task.provider, task.dialect) and (
            not query.statuses or task.status in query.statuses
        ):
            tasks.append(task)
            size += len(encode({"echo": task.echo, "asked": task.asked}))
    return tasks, False


def _native(services: Services, task: TaskSnapshot) -> dict[str, Any]:
    return services.providers[_DIALECT].native_answer(task)


def _answer(answer: dict[str, Any]) -> Response:
    return LinkedAnswer(encode(answer))
