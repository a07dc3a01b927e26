"""Kling's own dialect: its routes, made from the table of its endpoints."""

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
    ServicesDependency,
)
from vidgate.api.dialects.kling.endpoints import (
    ABSENT,
    DIRECT_CALLS,
    LEGACY,
    NEW,
    DirectCall,
    Legacy,
    New,
)
from vidgate.api.dialects.kling.external_ids import claimed
from vidgate.api.dialects.kling.listing import (
    find_many,
    find_one,
    numbered_page,
    page_query,
    read_page,
)
from vidgate.api.dialects.kling.reading import (
    prompt_echo,
    read_direct_call,
    read_fields,
    read_legacy,
    read_new,
)
from vidgate.api.dialects.kling.schemas import (
    CREATED,
    LEGACY_ANSWER,
    LEGACY_TASK,
    LIST_BODY,
    NEW_CREATED,
    NEW_TASK,
    KlingDirectAnswer,
    KlingNewTaskAnswer,
    KlingNewTaskListAnswer,
    KlingNewTaskPageAnswer,
    KlingPacksAnswer,
    KlingTaskAnswer,
    KlingTaskListAnswer,
    answer_of,
    body_of,
    errors,
    parameter,
    path_parameter,
)
from vidgate.api.dialects.kling.writing import (
    GENERATION,
    NEW_GENERATION,
    request_id,
    write_created,
    write_legacy_list,
    write_legacy_task,
    write_page,
    write_tasks,
)
from vidgate.api.idempotency import PARAMETER, with_once
from vidgate.api.links import LinkedAnswer
from vidgate.api.preferences import NOTES_DOCUMENTED, PREFER, is_strict
from vidgate.api.writing import encode
from vidgate.exceptions import NotFoundError
from vidgate.models.tasks import TaskPage
from vidgate.providers.kling.vendor_answers import envelope
from vidgate.services.tasks.creating import Created

__all__ = ["router"]

_DIALECT = "kling"
_LEGACY = "/kling/v1/videos"
_NEW = "/kling"
_TASKS = "/kling/tasks"
_COSTS = "/kling/account/costs"
_EXAMPLE_REQUEST = "5f2c1f9a7d3b4c55"
_OWN = ("external_task_id", "callback_url")
_NEW_FIELDS = ("prompt", "contents", "settings", "options")

_TASK_ID = path_parameter(
    "task_id",
    "As the POST answered it, or the client's own `external_task_id`.",
    str(LEGACY_TASK["task_id"]),
)

_CREATE = (
    "The body is Kling's own and goes on as it comes, but for three fields: the vendor gets an "
    "`external_task_id` and a `callback_url` of ours, and yours stay here with the task; a retired "
    "model may run as its successor. Answers once the provider has accepted the task, at the "
    "latest after 20 seconds."
)
_DIRECT_CALL = (
    "Answered at once, makes no task and may be repeated. The body is Kling's own and goes on as "
    "it comes; so does `data`, but for the `session_id`, which is ours: what is sent with it goes "
    "to the account at Kling that opened it. A `video_id` may name a video made here."
)
_PAGING = [
    parameter("pageNum", "From 1 to 1000; the first if absent.", kind="integer"),
    parameter("pageSize", "From 1 to 500; 30 if absent.", kind="integer"),
    parameter("external_task_id", "The client's own id: the task that has it alone."),
]
_NO_PACKS = {"code": 0, "msg": "success", "resource_pack_subscribe_infos": []}
_IDS = [
    parameter("task_ids", "Up to 20, with commas between them."),
    parameter(
        "external_task_ids",
        "The client's own ids, in place of `task_ids`; found among the newest thousand tasks.",
    ),
]

router = APIRouter(dependencies=[TOKEN])


def _answer(answer: dict[str, Any]) -> Response:
    return LinkedAnswer(encode(answer))


def _created(created: Created, *, is_new: bool) -> Response:
    return CreatedResponse(encode(write_created(created.snapshot, is_new=is_new)), created)


def _add_legacy(endpoint: Legacy) -> None:
    """Take, show and list the tasks of a legacy endpoint."""
    path = f"{_LEGACY}/{endpoint.name}"
    name = endpoint.name.replace("/", "_").replace("-", "_")
    tags = ["Kling, legacy generation"]

    async def create(
        request: Request,
        caller: CallerDependency,
        services: ServicesDependency,
        bodies: BodiesDependency,
    ) -> Response:
        convert = with_once(request, partial(read_legacy, endpoint=endpoint))
        async with bodies.read(request, convert) as (asked, once), claimed(asked, once) as claim:
            wanted = replace(
                asked, strict=is_strict(request), cancel_after=read_cancel_after(request)
            )
            created = await services.task_creator.create(
                caller, wanted, dialect=_DIALECT, echo=prompt_echo(asked), once=claim
            )
        return _created(created, is_new=False)

    async def read(
        request: Request, caller: CallerDependency, services: ServicesDependency
    ) -> Response:
        task_id = request.path_params["task_id"]
        return _answer(write_legacy_task(await find_one(services, caller.sight, task_id)))

    async def list_tasks(
        request: Request, caller: CallerDependency, services: ServicesDependency
    ) -> Response:
        page = await numbered_page(services, caller.sight, endpoint, request.query_params)
        return _answer(write_legacy_list(page))

    router.add_api_route(
        path,
        create,
        methods=["POST"],
        name=f"kling_create_{name}",
        summary=f"Kling: create a task, {endpoint.title}",
        description=_CREATE,
        tags=list(tags),
        responses=answer_of(KlingTaskAnswer, "The task is stored.", CREATED, NOTES_DOCUMENTED)
        | errors(400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 502, 503),
        openapi_extra=body_of(endpoint.name, (*endpoint.fields, *_OWN), endpoint.example)
        | {"parameters": [PARAMETER, PREFER]},
    )
    router.add_api_route(
        f"{path}/{{task_id}}",
        read,
        methods=["GET"],
        name=f"kling_retrieve_{name}",
        summary=f"Kling: retrieve a task, {endpoint.title}",
        description="Any task of the account, whatever dialect it was made in.",
        tags=list(tags),
        responses=answer_of(KlingTaskAnswer, "The task.", LEGACY_ANSWER)
        | errors(401, 404, 405, 429, 500, 503),
        openapi_extra={"parameters": [_TASK_ID]},
    )
    router.add_api_route(
        path,
        list_tasks,
        methods=["GET"],
        name=f"kling_list_{name}",
        summary=f"Kling: list tasks, {endpoint.title}",
        description=(
            "Newest first. Tasks are listed by what they make, not by the path they were made at. "
            "A page goes on where the one before it ended, if that was asked for within the last "
            "five minutes; asked for alone, a late page takes time."
        ),
        tags=list(tags),
        responses=answer_of(
            KlingTaskListAnswer, "The tasks.", envelope([LEGACY_TASK], _EXAMPLE_REQUEST)
        )
        | errors(400, 401, 405, 429, 500, 503),
        openapi_extra={"parameters": list(_PAGING)},
    )


def _add_new(endpoint: New) -> None:
    """Take the tasks of a product of the new generation."""

    async def create(
        request: Request,
        caller: CallerDependency,
        services: ServicesDependency,
        bodies: BodiesDependency,
    ) -> Response:
        convert = with_once(
            request, partial(read_new, endpoint=endpoint, model=request.path_params["model"])
        )
        async with bodies.read(request, convert) as (asked, once), claimed(asked, once) as claim:
            wanted = replace(
                asked, strict=is_strict(request), cancel_after=read_cancel_after(request)
            )
            echo = {**prompt_echo(asked), GENERATION: NEW_GENERATION}
            created = await services.task_creator.create(
                caller, wanted, dialect=_DIALECT, echo=echo, once=claim
            )
        return _created(created, is_new=True)

    router.add_api_route(
        f"{_NEW}/{endpoint.name}/{{model}}",
        create,
        methods=["POST"],
        name=f"kling_create_new_{endpoint.name.replace('-', '_')}",
        summary=f"Kling: create a task, {endpoint.title}, model in the path",
        description=f"Such as `{_NEW}/{endpoint.name}/{endpoint.model}`. {_CREATE}",
        tags=["Kling, new generation"],
        responses=answer_of(
            KlingNewTaskAnswer, "The task is stored.", NEW_CREATED, NOTES_DOCUMENTED
        )
        | errors(400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 502, 503),
        openapi_extra=body_of(f"new-{endpoint.name}", _NEW_FIELDS, endpoint.example)
        | {
            "parameters": [
                path_parameter("model", "Kling's name of the model.", endpoint.model),
                PARAMETER,
                PREFER,
            ]
        },
    )


def _add_direct_call(endpoint: DirectCall) -> None:
    """Take a call that makes no task."""

    async def ask(
        request: Request,
        caller: CallerDependency,
        services: ServicesDependency,
        bodies: BodiesDependency,
    ) -> Response:
        async with bodies.read(request, read_direct_call) as (fields, work_bytes):
            data = await services.direct_calls.ask(
                caller, _DIALECT, endpoint.name, fields, work_bytes=work_bytes
            )
        return _answer(envelope(data, request_id()))

    router.add_api_route(
        f"{_LEGACY}/{endpoint.name}",
        ask,
        methods=["POST"],
        name=f"kling_{endpoint.name.replace('/', '_').replace('-', '_')}",
        summary=f"Kling: {endpoint.title}",
        description=_DIRECT_CALL,
        tags=["Kling, legacy generation"],
        responses=answer_of(KlingDirectAnswer, "Done.", envelope(endpoint.answer, _EXAMPLE_REQUEST))
        | errors(400, 401, 403, 404, 405, 409, 413, 429, 500, 503),
        openapi_extra=body_of(endpoint.name, endpoint.example, endpoint.example),
    )


def _add_absent(name: str, sentence: str) -> None:
    """Answer an endpoint that is not here as Kling answers a retired one."""

    async def refuse() -> Response:
        raise NotFoundError(sentence, code="endpoint_absent")

    router.add_api_route(f"{_LEGACY}/{name}", refuse, methods=["POST"], include_in_schema=False)


for _legacy in LEGACY:
    _add_legacy(_legacy)
for _new in NEW:
    _add_new(_new)
for _direct_call in DIRECT_CALLS:
    _add_direct_call(_direct_call)
for _name, _sentence in ABSENT.items():
    _add_absent(_name, _sentence)


@router.get(
    _TASKS,
    summary="Kling: retrieve tasks by their ids",
    description=(
        "Any tasks of the account, whatever generation or dialect they were made in. Those that "
        "do not exist are left out."
    ),
    tags=["Kling, new generation"],
    responses=answer_of(
        KlingNewTaskListAnswer, "The tasks.", envelope([NEW_TASK], _EXAMPLE_REQUEST)
    )
    | errors(400, 401, 405, 429, 500, 503),
    openapi_extra={"parameters": _IDS},
)
async def kling_retrieve_tasks(
    request: Request, caller: CallerDependency, services: ServicesDependency
) -> Response:
    tasks = await find_many(services, caller.sight, request.query_params)
    return _answer(write_tasks(tasks))


@router.post(
    _TASKS,
    summary="Kling: list tasks",
    description=(
        "Newest first, of the last 30 days unless `start_time` and `end_time` (milliseconds) say "
        "otherwise. `cursor` takes the `next_cursor` of the answer before."
    ),
    tags=["Kling, new generation"],
    responses=answer_of(
        KlingNewTaskPageAnswer,
        "A part of the list.",
        envelope(
            {"result": [NEW_TASK], "count": 1, "next_cursor": "", "has_more": False},
            _EXAMPLE_REQUEST,
        ),
    )
    | errors(400, 401, 405, 413, 500, 503),
    openapi_extra=body_of("list-tasks", (*LIST_BODY, "end_time", "cursor"), LIST_BODY),
)
async def kling_list_tasks(
    request: Request,
    caller: CallerDependency,
    services: ServicesDependency,
    bodies: BodiesDependency,
) -> Response:
    async with bodies.read(request, read_fields) as fields:
        query = page_query(fields, services.clock.now())
    page = TaskPage(tasks=(), has_more=False)
    if query is not None:
        page = await read_page(services, caller.sight, query)
    return _answer(write_page(page))


@router.get(
    _COSTS,
    summary="Kling: list resource packs",
    description=(
        "There are none here, so the list is always empty; clients ask it to check a credential."
    ),
    tags=["Kling, legacy generation"],
    responses=answer_of(KlingPacksAnswer, "No packs.", envelope(_NO_PACKS, _EXAMPLE_REQUEST))
    | errors(401, 405, 429, 500, 503),
)
async def kling_list_resource_packs() -> Response:
    return _answer(envelope(_NO_PACKS, request_id()))
