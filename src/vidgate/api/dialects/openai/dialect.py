"""The OpenAI dialect."""

from collections.abc import Mapping
from typing import Any

from vidgate.api.dependencies import NativeAnswers
from vidgate.api.dialect import Dialect
from vidgate.api.dialects.openai import content, routes, webhooks
from vidgate.api.dialects.openai.errors import write_error
from vidgate.api.dialects.openai.polling import poll_route
from vidgate.api.dialects.openai.writing import write_video
from vidgate.config import Settings
from vidgate.models.tasks import TaskSnapshot

__all__ = ["DIALECT"]


def _write_event(
    task: TaskSnapshot, _providers: Mapping[str, NativeAnswers], _settings: Settings
) -> dict[str, Any]:
    return write_video(task)


DIALECT = Dialect(
    name="openai",
    prefixes=("/v1",),
    routers=(content.router, routes.router, webhooks.router),
    polls=(poll_route,),
    errors={
        "/v1/videos": write_error,
        "/v1/webhook_endpoints": write_error,
        "/v1/webhook_event_types": write_error,
        "/v1/webhooks": write_error,
    },
    write_event=_write_event,
)
