"""The new-api dialect."""

from collections.abc import Mapping
from typing import Any

from vidgate.api.dependencies import NativeAnswers
from vidgate.api.dialect import Dialect
from vidgate.api.dialects.newapi.account_pages import ALIASES, PREFIXES
from vidgate.api.dialects.newapi.account_pages import router as pages_router
from vidgate.api.dialects.newapi.estimate import router as estimate_router
from vidgate.api.dialects.newapi.routes import (
    events_route,
    poll_route,
    router,
    task_events_route,
    write_answer,
)
from vidgate.config import Settings
from vidgate.models.tasks import TaskSnapshot

__all__ = ["DIALECT"]


def _write_event(
    task: TaskSnapshot, providers: Mapping[str, NativeAnswers], settings: Settings
) -> dict[str, Any]:
    return write_answer(task, providers, has_envelope=settings.envelope)


DIALECT = Dialect(
    name="newapi",
    prefixes=("/v1", *PREFIXES),
    routers=(router, estimate_router, pages_router),
    polls=(poll_route, task_events_route, events_route),
    write_event=_write_event,
    aliases=ALIASES,
)
