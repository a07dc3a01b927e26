"""The whole gateway in the test's own process: real services behind the real application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from tests.support.api import serve_lifespan
from tests.support.engine import Engine

from vidgate.api.dependencies import Services
from vidgate.config import Settings
from vidgate.main import create_app

__all__ = ["build_app", "open_client"]


def build_app(engine: Engine) -> FastAPI:
    """The application around an engine's services."""

    @asynccontextmanager
    async def open_services(_settings: Settings) -> AsyncIterator[Services]:
        yield engine.services

    return create_app(engine.services.settings, open_services=open_services)


@asynccontextmanager
async def open_client(
    engine: Engine, *, base_url: str = "http://vidgate.test", scheme: str = "Bearer"
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an engine's services to a client with its token; an empty scheme sends none."""
    headers = {"Authorization": f"{scheme} {engine.key}"} if scheme else {}
    async with (
        serve_lifespan(build_app(engine)) as (served, _),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=served), base_url=base_url, headers=headers
        ) as client,
    ):
        yield client
