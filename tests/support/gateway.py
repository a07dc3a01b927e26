"""The whole gateway in the test's own process: real services behind the real application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.types import ASGIApp
from tests.support.api import serve_lifespan
from tests.support.engine import Engine

from vidgate.api.dependencies import Services
from vidgate.config import Settings
from vidgate.main import create_app

__all__ = ["open_client", "serve_engine"]


@asynccontextmanager
async def serve_engine(engine: Engine) -> AsyncIterator[ASGIApp]:
    """Serve an engine's services."""

    @asynccontextmanager
    async def open_services(_settings: Settings) -> AsyncIterator[Services]:
        yield engine.services

    app = create_app(engine.services.settings, open_services=open_services)
    async with serve_lifespan(app) as (served, _):
        yield served


@asynccontextmanager
async def open_client(
    engine: Engine, *, base_url: str = "http://vidgate.test", scheme: str = "Bearer"
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an engine's services to a client with its token; an empty scheme sends none."""
    headers = {"Authorization": f"{scheme} {engine.key}"} if scheme else {}
    async with (
        serve_engine(engine) as served,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=served), base_url=base_url, headers=headers
        ) as client,
    ):
        yield client
