"""The description of the API, and the page that shows it."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import orjson
from anyio.to_thread import run_sync
from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from vidgate.api.schemas import COMPONENTS

__all__ = ["add_documentation", "describe"]

_ASSETS = "/docs/assets"
_DOCUMENT = "/openapi.json"
_SELF = "/"
"""A server's address where none is known: that which the document was read from."""


def describe(app: FastAPI, *, public_url: str | None) -> dict[str, Any]:
    """Write the OpenAPI document, with every schema of a body under its name.

    Args:
        app: Has the routes.
        public_url: Where clients reach it, `None` if nobody said.

    Raises:
        ValueError: Two different bodies have one name.
    """
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        routes=app.routes,
        servers=[{"url": public_url or _SELF}],
    )
    named: dict[str, Any] = document["components"]["schemas"]
    for content in _contents(document):
        schema = content.get("schema", {})
        if "title" in schema and "properties" in schema:
            named |= schema.pop("$defs", {})
            name = schema["title"]
            if named.setdefault(name, schema) != schema:
                raise ValueError(f"Two schemas are called {name}.")
            content["schema"] = {"$ref": f"{COMPONENTS}{name}"}
    return document


def _contents(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every body that the document describes, asked or answered."""
    for methods in document["paths"].values():
        for operation in methods.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                yield from body.get("content", {}).values()


def add_documentation(app: FastAPI) -> None:
    """Serve the document, and `/docs` without a word from another host: it works without one."""
    router = APIRouter(include_in_schema=False)
    ready: list[bytes] = []

    @router.get(_DOCUMENT)
    async def read_document() -> Response:
        if not ready:
            ready.append(orjson.dumps(await run_sync(app.openapi)))
        return Response(ready[0], media_type="application/json")

    @router.get("/docs")
    async def read_documentation() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=_DOCUMENT,
            title=f"{app.title} API",
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon.png",
        )

    app.include_router(router)
    app.mount(_ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")))
