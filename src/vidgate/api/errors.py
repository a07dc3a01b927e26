"""Exceptions, as the body of the dialect that was called."""

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidgate.api.idempotency import REPLAYED
from vidgate.api.paths import Signpost
from vidgate.exceptions import (
    AuthenticationError,
    ConflictError,
    DatabaseUnavailableError,
    InternalError,
    InvalidParameterError,
    MethodNotAllowedError,
    NotFoundError,
    OverloadedError,
    RangeNotSatisfiableError,
    RateLimitError,
    RepeatedRefusalError,
    RequestError,
    StorageUnavailableError,
)

__all__ = ["ErrorLayer", "ErrorShape", "ErrorWriter", "flat_body", "to_request_error"]

_log = structlog.get_logger(__name__)

ErrorShape: TypeAlias = Callable[[RequestError], tuple[int, Mapping[str, Any]]]
"""Makes a dialect's status and error body."""

_RETRY_AFTER_SECONDS: tuple[tuple[type[RequestError], int], ...] = (
    (OverloadedError, 1),
    (StorageUnavailableError, 2),
)
"""Where an error does not say itself: bodies are read within seconds, a database takes longer."""

_NO_SHAPES: Mapping[str, ErrorShape] = MappingProxyType({})
_JITTER = 1.1
_METHOD_NOT_ALLOWED = 405
_QUOTA = "insufficient_quota"
_NO_ROUTE = "route_not_found"


def flat_body(error: RequestError) -> dict[str, Any]:
    """The documented flat body, and a nested copy for clients that read `error.message`."""
    members = {
        "code": error.code,
        "message": error.message,
        "param": error.param,
        "type": error.type,
    }
    return {**members, "error": members}


def _flat_shape(error: RequestError) -> tuple[int, Mapping[str, Any]]:
    return error.status, flat_body(error)


def to_request_error(error: Exception) -> RequestError:
    """What a client reads about an exception: its text only if it was written for clients."""
    if isinstance(error, RequestError):
        return error
    match error:
        case DatabaseUnavailableError():
            return StorageUnavailableError("The database does not answer; try again in a moment.")
        case HTTPException(status_code=404):
            return NotFoundError("There is no such route.", code=_NO_ROUTE)
        case HTTPException(status_code=405):
            return MethodNotAllowedError("This route does not take this method.")
        case RequestValidationError() | HTTPException(status_code=400 | 413 | 422):
            return InvalidParameterError("The request could not be read.")
        case _:
            return InternalError(
                "Something went wrong on our side; the X-Request-Id of this answer finds it in "
                "the log."
            )


class ErrorWriter:
    """Writes errors in the shape of the dialect that a path belongs to.

    Args:
        shapes: By path prefix such as `/kling`, `/` for the root alone; paths under none of them
            have the flat body.
        signpost: Knows the way where there is no such route.
    """

    def __init__(
        self, shapes: Mapping[str, ErrorShape] = _NO_SHAPES, *, signpost: Signpost | None = None
    ) -> None:
        self._shapes = shapes
        self._signpost = signpost or Signpost(())

    def answer(self, error: Exception, scope: Scope) -> Response:
        """Write the answer to a request that ended in an exception."""
        allow = _allowed(error)
        if allow and scope["method"] == "OPTIONS":
            return Response(status_code=204, headers={"Allow": f"{allow}, OPTIONS"})
        told = to_request_error(error)
        if told.is_told:
            scope["state"]["is_told"] = True
        if told.code == _NO_ROUTE:
            told.message = self._signpost.describe(scope["method"], scope["path"])
        headers = {"Allow": allow} if allow else {}
        if isinstance(told, AuthenticationError):
            headers["WWW-Authenticate"] = "Bearer"
        if isinstance(told, RangeNotSatisfiableError):
            headers["Content-Range"] = f"bytes */{told.total_bytes}"
        if isinstance(told, RepeatedRefusalError):
            headers |= REPLAYED
        retry_after = _retry_after_seconds(told)
        if retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        if _is_in_vain_again(told):
            headers["x-should-retry"] = "false"
        status, body = self._shape(scope["path"])(told)
        return Response(
            orjson.dumps(body),
            status_code=status,
            headers=headers,
            media_type="application/json",
        )

    async def handle(self, request: Request, error: Exception) -> Response:
        """Answer as an exception handler of the framework."""
        return self.answer(error, request.scope)

    def _shape(self, path: str) -> ErrorShape:
        for prefix, shape in self._shapes.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return shape
        return _flat_shape


def _allowed(error: Exception) -> str:
    """The methods that a 405 allows, empty for anything else."""
    if not isinstance(error, HTTPException) or error.status_code != _METHOD_NOT_ALLOWED:
        return ""
    methods = set((error.headers or {}).get("Allow", "").replace(" ", "").split(","))
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))


def _is_in_vain_again(error: RequestError) -> bool:
    """Whether an SDK is to leave it: what may cost twice, and what nothing changes by itself.

    SDKs repeat every 409 and every 429 within a second or two.
    """
    if error.upstream_called or error.type == _QUOTA:
        return True
    return isinstance(error, ConflictError) and error.retry_after_seconds is None


def _retry_after_seconds(error: RequestError) -> int | None:
    if error.retry_after_seconds is not None:
        if isinstance(error, RateLimitError):
            # Whoever was refused at once does not come back at once.
            return int(error.retry_after_seconds * random.uniform(1, _JITTER))  # noqa: S311
        return error.retry_after_seconds
    return next((wait for kind, wait in _RETRY_AFTER_SECONDS if isinstance(error, kind)), None)


class ErrorLayer:
    """Turns whatever is raised below into an answer.

    An exception after the answer began goes on upwards: the connection has to end.
    """

    def __init__(self, app: ASGIApp, *, writer: ErrorWriter) -> None:
        self._app = app
        self._writer = writer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer what it raises."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            _log.debug("A client went away before its body had arrived")
        except Exception as error:
            if started:
                raise
            if to_request_error(error) is not error:
                _log_unexpected(error)
            await self._writer.answer(error, scope)(scope, receive, send)


def _log_unexpected(error: Exception) -> None:
    if isinstance(error, DatabaseUnavailableError):
        _log.warning("The database did not answer a request", error=str(error))
    else:
        _log.error("A request failed", exc_info=error)
