"""The web application: layers, routes, and the services behind them."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from operator import attrgetter
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

import vidgate
from vidgate.api import accounts, callbacks, catalogue, content, front_page, health
from vidgate.api.authentication import AuthenticationLayer
from vidgate.api.bodies import BodyBudget, BodyReader
from vidgate.api.context import ContextLayer
from vidgate.api.cors import CorsLayer
from vidgate.api.dependencies import Services
from vidgate.api.dialects.registry import DIALECTS
from vidgate.api.documentation import add_documentation, describe
from vidgate.api.errors import ErrorLayer, ErrorWriter
from vidgate.api.forwarding import ForwardedLayer
from vidgate.api.paths import Paths, Signpost
from vidgate.api.ready_route import ReadyRouteLayer
from vidgate.api.webhook_bodies import WebhookBodies
from vidgate.config import LogLevel, Settings
from vidgate.exceptions import VidgateError
from vidgate.factory import open_services
from vidgate.logs import configure_logging

__all__ = ["create_app"]

_NOT_STARTED = "lifespan.startup.failed"

_open_services = partial(open_services, webhook_bodies=WebhookBodies)


def create_app(
    settings: Settings | None = None,
    *,
    open_services: Callable[[Settings], AbstractAsyncContextManager[Services]] = _open_services,
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
            yield {"services": services, "bodies": bodies, "leave": partial(_leave, services)}

    app = _Application(
        public_url=settings.public_url,
        title="vidgate",
        version=vidgate.__version__,
        summary="One HTTP API in front of many video generation providers.",
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=attrgetter("name"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    polls = [make() for dialect in DIALECTS for make in dialect.polls]
    routers = [
        *(router for dialect in DIALECTS for router in dialect.routers),
        *(part.router for part in (content, catalogue, accounts, callbacks, health, front_page)),
    ]
    errors = ErrorWriter(
        {prefix: write for dialect in DIALECTS for prefix, write in dialect.errors.items()},
        signpost=Signpost([*polls, *(route for router in routers for route in router.routes)]),
    )
    # Inside the framework as well, which would answer an unexpected exception in its own shape.
    app.add_middleware(ErrorLayer, writer=errors)
    app.add_exception_handler(HTTPException, errors.handle)
    app.add_exception_handler(RequestValidationError, errors.handle)
    app.router.routes.extend(polls)
    for router in routers:
        app.include_router(router)
    add_documentation(app)

    front: ASGIApp = ReadyRouteLayer(app.front, routes=polls)
    front = AuthenticationLayer(
        front,
        prefixes=tuple(dict.fromkeys(prefix for one in DIALECTS for prefix in one.prefixes)),
        schemes={prefix: scheme for one in DIALECTS for prefix, scheme in one.schemes.items()},
        root_claims=tuple(one.claims_root for one in DIALECTS if one.claims_root),
    )
    front = ErrorLayer(front, writer=errors)
    front = CorsLayer(front, origins=settings.cors_origins)
    is_debugging = settings.log_level is LogLevel.DEBUG
    quiet_routes = () if is_debugging else (*(poll.path for poll in polls), *health.PATHS)
    paths = Paths({alias: path for one in DIALECTS for alias, path in one.aliases.items()})
    front = ContextLayer(front, paths=paths, quiet_routes=quiet_routes)
    if settings.trusted_proxies:
        front = ForwardedLayer(front, proxies=settings.trusted_proxies)
    app.front = front
    return app


def _leave(services: Services) -> None:
    """Answer all who wait, because the server is about to stop."""
    services.waiters.leave()
    services.feeds.leave()


class _Application(FastAPI):
    """FastAPI behind layers that see a request before anything of the framework does.

    Attributes:
        front: The outermost layer, at first the framework itself.
    """

    def __init__(self, *, public_url: str | None, **documentation: Any) -> None:
        super().__init__(**documentation)
        self._public_url = public_url
        self.front: ASGIApp = super().__call__

    @override
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = describe(self, public_url=self._public_url)
        return self.openapi_schema

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.front(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start and stop; what an operator can do something about is told in its own words."""

        async def tell(message: Message) -> None:
            error = sys.exception()
            if message["type"] == _NOT_STARTED and isinstance(error, VidgateError):
                message["message"] = str(error)
            await send(message)

        await super().__call__(scope, receive, tell)
