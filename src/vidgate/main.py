"""The web application: layers, routes, and the services behind them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

import vidgate
from vidgate.api import callbacks, catalogue, content, health
from vidgate.api.authentication import AuthenticationLayer
from vidgate.api.bodies import BodyBudget, BodyReader
from vidgate.api.context import ContextLayer
from vidgate.api.cors import CorsLayer
from vidgate.api.dependencies import Services
from vidgate.api.dialects.jimeng import authentication as jimeng_authentication
from vidgate.api.dialects.jimeng import errors as jimeng_errors
from vidgate.api.dialects.jimeng import routes as jimeng
from vidgate.api.dialects.kling import authentication as kling_authentication
from vidgate.api.dialects.kling import errors as kling_errors
from vidgate.api.dialects.kling import routes as kling
from vidgate.api.dialects.newapi import routes as newapi
from vidgate.api.dialects.openai import content as openai_content
from vidgate.api.dialects.openai import errors as openai_errors
from vidgate.api.dialects.openai import polling as openai_polling
from vidgate.api.dialects.openai import routes as openai
from vidgate.api.dialects.vidu import errors as vidu_errors
from vidgate.api.dialects.vidu import routes as vidu
from vidgate.api.documentation import add_documentation
from vidgate.api.errors import ErrorLayer, ErrorWriter
from vidgate.api.ready_route import ReadyRouteLayer
from vidgate.config import LogLevel, Settings
from vidgate.factory import open_services
from vidgate.logs import configure_logging

__all__ = ["create_app"]

_ERROR_SHAPES = {
    "/v1/videos": openai_errors.write_error,
    "/kling": kling_errors.write_error,
    "/jimeng": jimeng_errors.write_error,
    "/": jimeng_errors.write_error,
    "/vidu": vidu_errors.write_error,
}
_SCHEMES = {
    "/kling/v1": kling_authentication.authenticate,
    "/kling/account": kling_authentication.authenticate,
    "/jimeng": jimeng_authentication.authenticate,
    "/": jimeng_authentication.authenticate,
}


def create_app(
    settings: Settings | None = None,
    *,
    open_services: Callable[[Settings], AbstractAsyncContextManager[Services]] = open_services,
) -> FastAPI:
    """Build the application. Nothing is opened before its lifespan begins.

    Args:
        settings: `None` to read them from the environment.
        open_services: What opens, and at the end closes, everything behind the routes.
    """
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        configure_logging(settings)
        bodies = BodyReader(BodyBudget(settings.body_memory))
        async with open_services(settings) as services:
            yield {"services": services, "bodies": bodies}

    app = _Application(
        title="vidgate",
        version=vidgate.__version__,
        summary="One HTTP API in front of many video generation providers.",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    errors = ErrorWriter(_ERROR_SHAPES)
    # Inside the framework as well, which would answer an unexpected exception in its own shape.
    app.add_middleware(ErrorLayer, writer=errors)
    app.add_exception_handler(HTTPException, errors.handle)
    app.add_exception_handler(RequestValidationError, errors.handle)
    polls = [newapi.poll_route(), openai_polling.poll_route()]
    app.router.routes.extend(polls)
    app.include_router(openai_content.router)
    app.include_router(content.router)
    for dialect in (newapi, openai, kling, jimeng, vidu):
        app.include_router(dialect.router)
    app.include_router(catalogue.router)
    app.include_router(callbacks.router)
    app.include_router(health.router)
    add_documentation(app)

    front: ASGIApp = ReadyRouteLayer(app.front, routes=polls)
    front = AuthenticationLayer(front, schemes=_SCHEMES)
    front = ErrorLayer(front, writer=errors)
    front = CorsLayer(front, origins=settings.cors_origins)
    is_debugging = settings.log_level is LogLevel.DEBUG
    quiet_routes = () if is_debugging else (*(poll.path for poll in polls), *health.PATHS)
    app.front = ContextLayer(front, quiet_routes=quiet_routes)
    return app


class _Application(FastAPI):
    """FastAPI behind layers that see a request before anything of the framework does.

    Attributes:
        front: The outermost layer, at first the framework itself.
    """

    def __init__(self, **documentation: Any) -> None:
        super().__init__(**documentation)
        self.front: ASGIApp = super().__call__

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.front(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
