"""Where providers call when a job's state changes: no token of a client's, only the address."""

import asyncio
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from vidgate.api.dependencies import ServicesDependency
from vidgate.api.schemas import error_answers
from vidgate.constants import CALLBACK_LIMIT_BYTES, CALLBACK_READ_TIMEOUT, CALLBACKS_AT_ONCE
from vidgate.exceptions import BodyTooLargeError, MalformedBodyError, OverloadedError
from vidgate.services.attempts.callbacks import CALLBACKS_PATH

__all__ = ["router"]

_TAG = "Callbacks"
_ANSWER: Final = b"{}"


class _Places:
    """How many callbacks are read and checked at once.

    Attributes:
        taken: Of `CALLBACKS_AT_ONCE`.
    """

    def __init__(self) -> None:
        self.taken = 0

    def __enter__(self) -> None:
        if self.taken >= CALLBACKS_AT_ONCE:
            raise OverloadedError("Too many callbacks at once; call again in a moment.")
        self.taken += 1

    def __exit__(self, *_: object) -> None:
        self.taken -= 1


_places = _Places()

router = APIRouter(tags=[_TAG])


@router.post(
    CALLBACKS_PATH + "/{provider}/{token}",
    summary="Receive a provider's callback",
    description=(
        "For providers only; the address is made for one job and given to its provider where "
        "`VIDGATE_PUBLIC_URL` is set. The signature is checked where the provider signs, nothing "
        "in the body is believed, and the job is asked about at once."
    ),
    responses={
        200: {
            "description": "Heard.",
            "content": {"application/json": {"schema": {"type": "object"}, "example": {}}},
        },
        **error_answers(400, 403, 404, 405, 413, 500, 503),
    },
    openapi_extra={
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": "As in the address that the provider was given.",
                "schema": {"type": "string"},
            }
            for name in ("provider", "token")
        ],
        "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
    },
    response_class=Response,
)
async def receive_callback(request: Request, services: ServicesDependency) -> Response:
    provider, token = request.path_params["provider"], request.path_params["token"]
    with _places:
        attempt = await services.callbacks.find(provider, token)
        body = await _read_body(request)
        await services.callbacks.receive(
            attempt,
            token=token,
            method=request.method,
            headers=dict(request.headers),
            body=body,
        )
    return Response(_ANSWER, media_type="application/json")


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(CALLBACK_READ_TIMEOUT.total_seconds()):
            async for chunk in request.stream():
                body += chunk
                if len(body) > CALLBACK_LIMIT_BYTES:
                    raise BodyTooLargeError("The body of a callback may have at most 1 MiB.")
    except TimeoutError:
        raise MalformedBodyError(
            "The body of the callback did not arrive in time.", code="body_timeout"
        ) from None
    return bytes(body)
