"""The documentation page, with scripts of our own: people type their tokens into it."""

from importlib.resources import files

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

__all__ = ["add_documentation"]

_ASSETS = "/docs/assets"


def add_documentation(app: FastAPI) -> None:
    """Serve `/docs` without a word from another host, so that it works without one, too."""
    router = APIRouter()

    @router.get("/docs", include_in_schema=False)
    async def read_documentation() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=f"{app.title} API",
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon.png",
        )

    app.include_router(router)
    app.mount(_ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")))
