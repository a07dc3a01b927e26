"""Vidu's own format."""

from collections.abc import Mapping
from typing import Any

from vidgate.api.dependencies import NativeAnswers
from vidgate.api.dialect import Dialect
from vidgate.api.dialects.vidu.errors import write_error
from vidgate.api.dialects.vidu.routes import router
from vidgate.models.tasks import TaskSnapshot

__all__ = ["DIALECT"]


def _write_callback(task: TaskSnapshot, providers: Mapping[str, NativeAnswers]) -> dict[str, Any]:
    """Write a finished task as Vidu calls back about it, which is as its query answers it."""
    return providers["vidu"].native_answer(task)


DIALECT = Dialect(
    name="vidu",
    prefixes=("/vidu",),
    routers=(router,),
    errors={"/vidu": write_error},
    write_callback=_write_callback,
    aliases={"/ent/v2": "/vidu/ent/v2"},
)
