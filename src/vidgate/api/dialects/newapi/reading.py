"""The new-api dialect's request, as a neutral one."""

from collections.abc import Mapping
from typing import Any

from vidgate.api.fields import FieldReader
from vidgate.api.forms import Form
from vidgate.api.video_requests import Asked, read_video_request
from vidgate.constants import MAX_VIDEOS
from vidgate.providers.field_meanings import CALLBACK_URL, FieldMeanings

__all__ = ["CANCELLATION", "read_cancellation", "read_request"]

CANCELLATION: list[dict[str, Any]] = [
    {
        "name": "output",
        "in": "query",
        "description": "Which of several videos, from 0; else all that are unfinished.",
        "schema": {"type": "integer", "minimum": 0, "maximum": MAX_VIDEOS - 1},
    },
    {
        "name": "discard",
        "in": "query",
        "description": (
            "Whether to cancel also what its provider cannot stop: it is charged, and what is "
            "made of it is not given out."
        ),
        "schema": {"type": "boolean", "default": False},
    },
]
"""The parameters of `POST /v1/video/generations/{task_id}/cancel`."""

_ALIASES = {"webhook_url": CALLBACK_URL}


def read_request(form: Form, *, meanings: FieldMeanings, strict: bool = False) -> Asked:
    """Read the fields of `POST /v1/video/generations`.

    Decodes pictures, which takes time.

    Raises:
        InvalidParameterError: A field is missing, of the wrong type or impossible; it names it.
        BodyTooLargeError: A picture is over its limit.
    """
    return read_video_request(FieldReader(form), strict=strict, meanings=meanings, aliases=_ALIASES)


def read_cancellation(parameters: Mapping[str, str]) -> tuple[int | None, bool]:
    """Read which output to cancel, `None` for all, and whether to discard it.

    Raises:
        InvalidParameterError: One is impossible; it names it.
    """
    fields = FieldReader(Form(dict(parameters), is_text=True))
    output = fields.integer("output", least=0, most=MAX_VIDEOS - 1)
    return output, fields.flag("discard")
