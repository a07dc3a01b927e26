"""Webhook endpoints, as `client.webhooks` of the official SDKs manages them."""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from vidgate.api.dependencies import (
    TOKEN,
    BodiesDependency,
    CallerDependency,
    ChangerDependency,
    ServicesDependency,
)
from vidgate.api.dialects.openai.schemas import error_answers
from vidgate.api.fields import FieldReader
from vidgate.api.forms import Form
from vidgate.api.writing import encode, unix_seconds
from vidgate.constants import WEBHOOK_OVERLAP
from vidgate.exceptions import InvalidParameterError
from vidgate.models.webhooks import EventType, WebhookEndpoint

__all__ = ["router"]

_TAG = "Webhooks"
_PATH = "/v1/webhook_endpoints"
_ONE = _PATH + "/{webhook_endpoint_id}"
_LONGEST = 8192
_MOST = 100
_USUAL = 20
_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105 - for the documentation

_EXAMPLE: dict[str, Any] = {
    "id": "whep_01k9x4n8e0f0m8z2q6y7v3b5ct",
    "object": "webhook_endpoint",
    "name": "production",
    "url": "https://example.com/hooks/videos",
    "event_types": ["video.completed", "video.failed"],
    "created_at": 1763600000,
    "updated_at": 1763600000,
    "signing_secret_hint": "whsec_…b7oD",
    "disabled_reason": None,
}
_EVENT_TYPES = [event.value for event in EventType]


class EndpointRequest(BaseModel):
    """Where to send which events."""

    name: str = Field(description="For you to tell it from others.", examples=["production"])
    url: str = Field(description="Receives a POST for each event.", examples=[_EXAMPLE["url"]])
    event_types: list[str] = Field(description="What it is told.", examples=[_EVENT_TYPES[2:]])


class EndpointChange(BaseModel):
    """What to change; what is left out stays."""

    name: str = Field(default="", description="For you to tell it from others.")
    url: str = Field(default="", description="Receives a POST for each event.")
    event_types: list[str] = Field(default=[], description="What it is told.")


class Rotation(BaseModel):
    """How to rotate a secret."""

    keep_old_secret_active_for_24_hours: bool = Field(
        default=False, description="Whether the old secret signs beside the new one for a day."
    )


class TestRequest(BaseModel):
    """What to send."""

    event_type: str = Field(description="One of the event types.", examples=["video.completed"])


class Endpoint(BaseModel):
    """A webhook endpoint."""

    id: str
    object: str = Field(description="`webhook_endpoint`.")
    name: str
    url: str
    event_types: list[str]
    created_at: int = Field(description="Unix seconds.")
    updated_at: int = Field(description="Unix seconds.")
    signing_secret_hint: str = Field(description="The end of the secret.")
    disabled_reason: str | None = Field(
        description="Why nothing is sent any more; a change enables it again."
    )


class EndpointWithSecret(Endpoint):
    """A webhook endpoint with its secret, which is shown this once."""

    signing_secret: str = Field(description="Verifies deliveries.", examples=[_SECRET])


class EndpointList(BaseModel):
    """A part of the list, newest first."""

    object: str = Field(description="`list`.")
    data: list[Endpoint]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedEndpoint(BaseModel):
    """What was deleted."""

    id: str
    object: str = Field(description="`webhook_endpoint.deleted`.")
    deleted: bool


class TestResult(BaseModel):
    """What the endpoint answered."""

    object: str = Field(description="`webhook_endpoint.test`.")
    webhook_endpoint_id: str
    event_type: str
    status_code: int
    success: bool


class EventTypes(BaseModel):
    """What can be told."""

    object: str = Field(description="`list`.")
    data: list[str]


class DefaultSecret(BaseModel):
    """The secret that signs what goes to a `callback_url`."""

    key: str


router = APIRouter(tags=[_TAG], dependencies=[TOKEN])


def _answers(
    model: type[BaseModel], description: str, example: dict[str, Any], *errors: int
) -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "model": model,
            "description": description,
            "content": {"application/json": {"example": example}},
        },
        **error_answers(401, 405, 429, 500, *errors),
    }


def _body(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": model.model_json_schema(), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


_ENDPOINT_ID = {
    "name": "webhook_endpoint_id",
    "in": "path",
    "required": True,
    "description": "As the POST answered it.",
    "schema": {"type": "string"},
}


@router.post(
    _PATH,
    summary="Create a webhook endpoint",
    description="Every task of the account is told to it from now on.",
    responses=_answers(
        EndpointWithSecret,
        "The endpoint, and its secret.",
        _EXAMPLE | {"signing_secret": _SECRET},
        400,
        403,
        409,
        413,
    ),
    openapi_extra=_body(
        EndpointRequest, {name: _EXAMPLE[name] for name in ("name", "url", "event_types")}
    ),
)
async def create_webhook_endpoint(
    request: Request,
    caller: ChangerDependency,
    services: ServicesDependency,
    bodies: BodiesDependency,
) -> Response:
    async with bodies.read(request, _read_endpoint) as fields:
        for name in ("name", "url", "event_types"):
            if fields[name] is None:
                raise InvalidParameterError(f"{name} is missing.", param=name)
        endpoint, secret = await services.webhook_endpoints.create(caller.sight, **fields)
    return _answer(_write(endpoint) | {"signing_secret": secret})


@router.get(
    _PATH,
    summary="List the webhook endpoints",
    description="Newest first.",
    responses=_answers(
        EndpointList,
        "A part of the list.",
        {
            "object": "list",
            "data": [_EXAMPLE],
            "first_id": _EXAMPLE["id"],
            "last_id": _EXAMPLE["id"],
            "has_more": False,
        },
        400,
        404,
    ),
    openapi_extra={
        "parameters": [
            {
                "name": "after",
                "in": "query",
                "description": "The id behind which to begin.",
                "schema": {"type": "string"},
            },
            {
                "name": "limit",
                "in": "query",
                "description": "How many at most.",
                "schema": {"type": "integer", "minimum": 1, "maximum": _MOST, "default": _USUAL},
            },
        ]
    },
)
async def list_webhook_endpoints(
    request: Request, caller: CallerDependency, services: ServicesDependency
) -> Response:
    fields = FieldReader(Form(dict(request.query_params), is_text=True))
    limit = fields.integer("limit", least=1, most=_MOST)
    after = fields.text("after", longest=_LONGEST) or None
    endpoints, has_more = await services.webhook_endpoints.page(
        caller.sight, after=after, limit=limit or _USUAL
    )
    data = [_write(endpoint) for endpoint in endpoints]
    return _answer(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": has_more,
        }
    )


@router.get(
    _ONE,
    summary="Retrieve a webhook endpoint",
    description="Its secret is shown by its end alone.",
    responses=_answers(Endpoint, "The endpoint.", _EXAMPLE, 404),
    openapi_extra={"parameters": [_ENDPOINT_ID]},
)
async def retrieve_webhook_endpoint(
    request: Request, caller: CallerDependency, services: ServicesDependency
) -> Response:
    endpoint = await services.webhook_endpoints.one(caller.sight, _id_in(request))
    return _answer(_write(endpoint))


@router.post(
    _ONE,
    summary="Update a webhook endpoint",
    description="A disabled endpoint is enabled again.",
    responses=_answers(Endpoint, "The endpoint.", _EXAMPLE, 400, 403, 404, 413),
    openapi_extra=_body(EndpointChange, {"url": _EXAMPLE["url"]}) | {"parameters": [_ENDPOINT_ID]},
)
async def update_webhook_endpoint(
    request: Request,
    caller: ChangerDependency,
    services: ServicesDependency,
    bodies: BodiesDependency,
) -> Response:
    async with bodies.read(request, _read_endpoint) as fields:
        endpoint = await services.webhook_endpoints.update(caller.sight, _id_in(request), **fields)
    return _answer(_write(endpoint))


@router.delete(
    _ONE,
    summary="Delete a webhook endpoint",
    description="What is on its way to it is given up.",
    responses=_answers(
        DeletedEndpoint,
        "It is deleted.",
        {"id": _EXAMPLE["id"], "object": "webhook_endpoint.deleted", "deleted": True},
        403,
        404,
    ),
    openapi_extra={"parameters": [_ENDPOINT_ID]},
)
async def delete_webhook_endpoint(
    request: Request, caller: ChangerDependency, services: ServicesDependency
) -> Response:
    await services.webhook_endpoints.remove(caller.sight, _id_in(request))
    return _answer({"id": _id_in(request), "object": "webhook_endpoint.deleted", "deleted": True})


@router.post(
    _ONE + "/rotate_secret",
    summary="Rotate the secret of a webhook endpoint",
    description="The old secret signs no more, or for a day more if you ask for that.",
    responses=_answers(
        EndpointWithSecret,
        "The endpoint, and its new secret.",
        _EXAMPLE | {"signing_secret": _SECRET},
        400,
        403,
        404,
        413,
    ),
    openapi_extra=_body(Rotation, {"keep_old_secret_active_for_24_hours": True})
    | {"parameters": [_ENDPOINT_ID]},
)
async def rotate_webhook_secret(
    request: Request,
    caller: ChangerDependency,
    services: ServicesDependency,
    bodies: BodiesDependency,
) -> Response:
    async with bodies.read(request, _read_rotation) as keeps_old:
        endpoint, secret = await services.webhook_endpoints.rotate_secret(
            caller.sight,
            _id_in(request),
            overlap=WEBHOOK_OVERLAP if keeps_old else timedelta(),
        )
    return _answer(_write(endpoint) | {"signing_secret": secret})


@router.post(
    _ONE + "/test",
    summary="Send a test event to a webhook endpoint",
    description="Sent at once and once; the answer says what the endpoint said.",
    responses=_answers(
        TestResult,
        "The endpoint answered.",
        {
            "object": "webhook_endpoint.test",
            "webhook_endpoint_id": _EXAMPLE["id"],
            "event_type": "video.completed",
            "status_code": 200,
            "success": True,
        },
        400,
        403,
        404,
        409,
        413,
    ),
    openapi_extra=_body(TestRequest, {"event_type": "video.completed"})
    | {"parameters": [_ENDPOINT_ID]},
)
async def test_webhook_endpoint(
    request: Request,
    caller: ChangerDependency,
    services: ServicesDependency,
    bodies: BodiesDependency,
) -> Response:
    endpoint_id = _id_in(request)
    async with bodies.read(request, _read_event_type) as event_type:
        status = await services.webhook_endpoints.try_out(caller.sight, endpoint_id, event_type)
    return _answer(
        {
            "object": "webhook_endpoint.test",
            "webhook_endpoint_id": endpoint_id,
            "event_type": event_type,
            "status_code": status,
            "success": True,
        }
    )


@router.get(
    "/v1/webhook_event_types",
    summary="List the event types",
    description="What an endpoint can be told.",
    responses=_answers(
        EventTypes, "What an endpoint can be told.", {"object": "list", "data": _EVENT_TYPES}
    ),
)
async def list_webhook_event_types() -> Response:
    return _answer({"object": "list", "data": _EVENT_TYPES})


@router.get(
    "/v1/webhooks/default/secret",
    summary="Retrieve the secret that signs calls to a callback_url",
    description="The account's own; it is made when it is first needed.",
    responses=_answers(DefaultSecret, "The secret.", {"key": _SECRET}, 403),
)
async def retrieve_default_webhook_secret(
    caller: ChangerDependency, services: ServicesDependency
) -> Response:
    return _answer({"key": await services.webhook_secrets.current(caller.account_id, None)})


def _id_in(request: Request) -> str:
    endpoint_id: str = request.path_params["webhook_endpoint_id"]
    return endpoint_id


def _answer(answer: dict[str, Any]) -> Response:
    return Response(encode(answer), media_type="application/json")


def _write(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.public_id,
        "object": "webhook_endpoint",
        "name": endpoint.name,
        "url": endpoint.url,
        "event_types": list(endpoint.event_types),
        "created_at": unix_seconds(endpoint.created_at),
        "updated_at": unix_seconds(endpoint.updated_at),
        "signing_secret_hint": endpoint.secret_hint,
        "disabled_reason": endpoint.disabled_reason,
    }


def _read_endpoint(form: Form) -> dict[str, Any]:
    fields = FieldReader(form)
    types = fields.raw("event_types")
    if types is not None and not (
        isinstance(types, list) and all(isinstance(one, str) for one in types)
    ):
        raise InvalidParameterError("event_types must be a list of strings.", param="event_types")
    return {
        "name": fields.text("name", longest=_LONGEST),
        "url": fields.text("url", longest=_LONGEST),
        "event_types": types,
    }


def _read_rotation(form: Form) -> bool:
    name = "keep_old_secret_active_for_24_hours"
    value = FieldReader(form).raw(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidParameterError(f"{name} must be true or false.", param=name)
    return bool(value)


def _read_event_type(form: Form) -> str:
    event_type = FieldReader(form).text("event_type", longest=_LONGEST)
    if not event_type:
        raise InvalidParameterError("event_type is missing.", param="event_type")
    return event_type
