"""Routes that answer ready bytes and are documented like all others."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["ReadyRoute", "ReadyRouteLayer"]


class ReadyRoute(APIRoute):
    """A route whose answer a bare ASGI function sends.

    FastAPI documents it, and answers other methods; it takes no part in answering: a quarter of
    the requests a second is all that an ordinary route of its reaches.

    Args:
        path: With its parameters in braces.
        app: Answers; finds the parameters in `scope["path_params"]`.
        name: Of the operation, as generated clients call it.
        parameters: Those parameters, as OpenAPI writes them.
        **documentation: As for any route.
    """

    def __init__(
        self,
        path: str,
        *,
        app: ASGIApp,
        name: str,
        parameters: Sequence[Mapping[str, Any]] = (),
        **documentation: Any,
    ) -> None:
        super().__init__(
            path,
            _never_called,
            methods=["GET"],
            name=name,
            operation_id=name,
            openapi_extra={"parameters": list(parameters)},
            **documentation,
        )
        self.app = app


def _never_called() -> None:
    """Stands where FastAPI looks for the function that answers."""


class ReadyRouteLayer:
    """Answers ready routes before the framework sees the request.

    Args:
        app: Everything else.
        routes: Tried one after the other; few.
    """

    def __init__(self, app: ASGIApp, *, routes: Sequence[ReadyRoute]) -> None:
        self._app = app
        self._routes = tuple(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["method"] == "GET":
            for route in self._routes:
                match = route.path_regex.match(scope["path"])
                if match is not None:
                    scope["route"] = route
                    scope["path_params"] = match.groupdict()
                    await route.app(scope, receive, send)
                    return
        await self._app(scope, receive, send)
