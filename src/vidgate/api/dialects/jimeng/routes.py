"""Jimeng's own dialect: one route, whose query names the action."""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import unquote_plus

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from vidgate.api.bodies import BodyReader
from vidgate.api.cancel_after import read_cancel_after
from vidgate.api.created import CreatedResponse
from vidgate.api.dependencies import (
    TOKEN,
    BodiesDependency,
    NativeAnswers,
    Services,
    ServicesDependency,
    caller_of,
)
from vidgate.api.dialects.jimeng.authentication import WINDOW, signature_on, with_signed_body
from vidgate.api.dialects.jimeng.errors import current_request_id
from vidgate.api.dialects.jimeng.reading import read_question, read_submit
from vidgate.api.dialects.jimeng.schemas import ANSWERS, DESCRIPTION, OPENAPI
from vidgate.api.forms import Form
from vidgate.api.idempotency import HEADER, read_once
from vidgate.api.limits import count_read
from vidgate.api.links import LinkedAnswer
from vidgate.api.preferences import is_strict
from vidgate.exceptions import InvalidParameterError, NotFoundError, TaskNotFoundError
from vidgate.models.requests import IdempotencyClaim, Recognition, VideoRequest
from vidgate.models.tasks import TaskSnapshot, TaskStatus

__all__ = ["router", "write_callback"]

_DIALECT = "jimeng"
_TAG = "Jimeng"

_VERSION = "2022-08-31"
_SUBMITS = frozenset({"CVSync2AsyncSubmitTask", "CVSubmitTask"})
_QUESTIONS = frozenset({"CVSync2AsyncGetResult", "CVGetResult"})
"""The second of each pair is what the vendor's pages name for keys of speaking pictures. Each
serves every key: nothing here depends on which was taken.

Source: https://www.volcengine.com/docs/85621/1777001, /1829013, read 2026-11-20
"""

_SUCCESS = 10000
_BODY_TIME = timedelta(minutes=5)
"""More than a body may take to arrive."""

router = APIRouter()


@router.post(
    "/jimeng",
    name="jimeng_call",
    summary="Jimeng: create or retrieve a task",
    description=DESCRIPTION,
    tags=[_TAG],
    dependencies=[TOKEN],
    responses=ANSWERS,
    openapi_extra=OPENAPI,
)
@router.post(
    "/",
    name="jimeng_call_at_root",
    summary="Jimeng: create or retrieve a task, at the root",
    description="What `POST /jimeng/` does, for the official SDK: it can set a host but no path.",
    tags=[_TAG],
    dependencies=[TOKEN],
    responses=ANSWERS,
    openapi_extra=OPENAPI,
)
async def call_jimeng(
    request: Request, services: ServicesDependency, bodies: BodiesDependency
) -> Response:
    started = time.perf_counter()
    action = _read_action(request)
    if action in _SUBMITS:
        return await _submit(request, services, bodies, started)
    return await _answer_question(request, services, bodies, started)


def _read_action(request: Request) -> str:
    """Read what is wanted from the query, where its names are not encoded.

    Only a query that has `Action` in so many letters was asked for a token.
    """
    query: str = request.scope["query_string"].decode("latin-1")
    pairs = [part.partition("=") for part in query.split("&")]
    members = {name: unquote_plus(value) for name, _, value in reversed(pairs)}
    action, version = members.get("Action", ""), members.get("Version", "")
    if not action or not version:
        raise InvalidParameterError(
            "Action and Version are required in the query, such as "
            f"?Action=CVSync2AsyncSubmitTask&Version={_VERSION}.",
            code="MissingParameter",
        )
    if action not in _SUBMITS | _QUESTIONS or version != _VERSION:
        raise NotFoundError(
            "There is no such Action and Version here; use CVSync2AsyncSubmitTask and "
            f"CVSync2AsyncGetResult with {_VERSION}.",
            code="InvalidActionOrVersion",
        )
    return action


async def _submit(
    request: Request, services: Services, bodies: BodyReader, started: float
) -> Response:
    def convert(form: Form) -> tuple[VideoRequest, IdempotencyClaim | None]:
        return read_submit(form), _read_once(request, form)

    async with bodies.read(with_signed_body(request), convert) as (asked, once):
        created = await services.task_creator.create(
            caller_of(request.scope),
            replace(asked, strict=is_strict(request), cancel_after=read_cancel_after(request)),
            dialect=_DIALECT,
            once=once,
        )
    data = {"task_id": created.snapshot.public_id}
    return CreatedResponse(_encode(_success(data), started), created)


def _read_once(request: Request, form: Form) -> IdempotencyClaim | None:
    """By what a repetition is known: a key, which is signed as well, else the signature."""
    replay = None if HEADER in request.headers else _replay(request)
    return replay or read_once(request, form)


def _replay(request: Request) -> IdempotencyClaim | None:
    """By what a replay of a signed submit is known.

    One that is equal and comes while the signature is fresh, after the answer, is no replay.
    A signature from the future holds for twice the window, and is remembered for longer: its time
    is checked at the head of a request, and the key is claimed behind its body.
    """
    signature = signature_on(request)
    if signature is None:
        return None
    return IdempotencyClaim(
        key=f"volcengine:{signature.value}",
        fingerprint=bytes.fromhex(signature.digest),
        lifetime=2 * WINDOW + _BODY_TIME,
        recognition=Recognition.UNTIL_ANSWERED if signature.is_fresh else Recognition.BY_KEY,
    )


async def _answer_question(
    request: Request, services: Services, bodies: BodyReader, started: float
) -> Response:
    async with bodies.read(with_signed_body(request), read_question) as task_id:
        count_read(request.scope)
    sight = caller_of(request.scope).sight
    view = services.reader.cached(task_id, sight)
    if view is None:
        try:
            view = await services.reader.read(task_id, sight)
        except TaskNotFoundError:
            return _write(_success({"status": "not_found"}), started)
    # Always 200: the question was answered, and what became of the task its code tells.
    return _write(_native_answer(view.snapshot, services), started)


def write_callback(task: TaskSnapshot, providers: Mapping[str, NativeAnswers]) -> dict[str, Any]:
    """Write a finished task as Jimeng calls back about it: its poll's answer and the id."""
    answer = providers["jimeng"].native_answer(task)
    return {
        **answer,
        "data": answer["data"] or {"resp_data": ""},
        "task_id": task.public_id,
        "request_id": task.public_id,
        "time_elapsed": "0ms",
    }


def _native_answer(task: TaskSnapshot, services: Services) -> dict[str, Any]:
    """Write a task of whatever dialect and provider.

    Servers that use this gateway as their upstream know `in_queue` and `done`, and take the
    vendor's third word, `generating`, for the end.
    """
    if task.status is TaskStatus.IN_PROGRESS:
        task = replace(task, status=TaskStatus.QUEUED)
    return services.providers["jimeng"].native_answer(task)


def _success(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"code": _SUCCESS, "data": data, "message": "Success", "status": _SUCCESS}


def _write(envelope: Mapping[str, Any], started: float) -> Response:
    return LinkedAnswer(_encode(envelope, started))


def _encode(envelope: Mapping[str, Any], started: float) -> bytes:
    elapsed = (time.perf_counter() - started) * 1000
    body = {
        **envelope,
        "request_id": current_request_id(),
        "time_elapsed": f"{elapsed:.3f}ms",
    }
    return orjson.dumps(body)
