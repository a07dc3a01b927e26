"""Kling's own format."""

from collections.abc import Mapping
from typing import Any

from vidgate.api.dependencies import NativeAnswers
from vidgate.api.dialect import Dialect
from vidgate.api.dialects.kling.authentication import authenticate
from vidgate.api.dialects.kling.errors import write_error
from vidgate.api.dialects.kling.routes import router
from vidgate.api.dialects.kling.writing import write_callback
from vidgate.models.tasks import TaskSnapshot

__all__ = ["DIALECT"]


def _write_callback(task: TaskSnapshot, _providers: Mapping[str, NativeAnswers]) -> dict[str, Any]:
    return write_callback(task)


DIALECT = Dialect(
    name="kling",
    prefixes=("/kling",),
    routers=(router,),
    errors={"/kling": write_error},
    schemes={"/kling/v1": authenticate, "/kling/account": authenticate},
    write_callback=_write_callback,
    # No ids of ours, which begin with `task_`.
    aliases={
        f"/v1/videos/{name}": f"/kling/v1/videos/{name}" for name in ("text2video", "image2video")
    },
)
