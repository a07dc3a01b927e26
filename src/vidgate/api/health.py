"""Whether the process lives, whether it is ready, and what it counted."""

import asyncio
import os
import secrets
from pathlib import Path
from typing import Literal

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from vidgate.api.dependencies import ServicesDependency
from vidgate.api.schemas import error_answers
from vidgate.config import DRAINING
from vidgate.exceptions import AuthenticationError, DatabaseUnavailableError, NotFoundError

__all__ = ["PATHS", "router"]

_log = structlog.get_logger(__name__)

_PING_SECONDS = 2.0
"""Shorter than the patience of those who ask."""

PATHS = ("/healthz", "/readyz", "/metrics")
"""Asked every few seconds by machines: not worth a log line."""

_TAG = "Operations"

router = APIRouter(tags=[_TAG])


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether requests should be sent here."""

    status: Literal["ready", "unavailable"]
    reasons: list[str] = Field(description="Why not, one sentence each.")
    writable: bool = Field(description="Whether anything can be created; reads may go on without.")


@router.get("/healthz", summary="Check that the process lives", response_model=Health)
async def check_health() -> Response:
    return JSONResponse(Health().model_dump())


@router.get(
    "/readyz",
    summary="Check that requests may be sent here",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not now."}},
)
async def check_readiness(services: ServicesDependency) -> Response:
    reasons = []
    is_writable = False
    try:
        async with asyncio.timeout(_PING_SECONDS):
            is_writable = await services.ping()
        if not is_writable:
            _log.warning("The database can be read and not written")
    except (DatabaseUnavailableError, TimeoutError):
        reasons.append("The database does not answer.")
    services.metrics.database(is_writable=is_writable)
    if not services.is_worker_alive:
        reasons.append("The worker has stopped.")
    if _is_draining():
        reasons.append("The process is about to stop.")
    if reasons:
        _log.warning("Not ready", reasons=reasons)
    readiness = Readiness(
        status="unavailable" if reasons else "ready", reasons=reasons, writable=is_writable
    )
    return JSONResponse(readiness.model_dump(), status_code=503 if reasons else 200)


def _has_token(request: Request, token: str) -> bool:
    word, _, sent = request.headers.get("Authorization", "").partition(" ")
    is_same = secrets.compare_digest(sent.strip().encode(), token.encode())
    return word.lower() == "bearer" and is_same


def _is_draining() -> bool:
    path = os.environ.get(DRAINING)
    return path is not None and Path(path).exists()


@router.get(
    "/metrics",
    summary="Retrieve metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"description": "Metrics.", "content": {"text/plain": {}}},
        **error_answers(401, 404),
    },
)
def retrieve_metrics(request: Request, services: ServicesDependency) -> Response:
    settings = services.settings
    if not settings.metrics_here:
        raise NotFoundError("Metrics are not served here.")
    token = settings.metrics_token
    if token is not None and not _has_token(request, token):
        raise AuthenticationError(
            "The token of VIDGATE_METRICS is needed; send the header `Authorization: Bearer ...`."
        )
    return Response(services.metrics.render(), media_type=services.metrics.content_type)
