"""The new-api dialect's request, as a neutral one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vidgate.api.fields import FieldReader
from vidgate.api.forms import Form
from vidgate.api.video_requests import Asked, read_video_request
from vidgate.constants import MAX_VIDEOS
from vidgate.exceptions import InvalidParameterError
from vidgate.models.tasks import TaskQuery, TaskStatus
from vidgate.providers.field_meanings import FieldMeanings

__all__ = ["CANCELLATION", "LIST", "read_cancellation", "read_query", "read_request"]

_MAX_LIMIT = 100
_DEFAULT_LIMIT = 20
_ID_CHARACTERS = 200
_NAME_CHARACTERS = 512
"""As many as the longest that a request may have."""

_ORDERS = ("desc", "asc")
_LATEST = 253_402_300_799
"""The last second that a date can tell."""

_STATUSES: dict[str, tuple[TaskStatus, ...]] = {
    **{status.value: (status,) for status in TaskStatus},
    "processing": (TaskStatus.QUEUED, TaskStatus.IN_PROGRESS),
    "failed": (TaskStatus.FAILED, TaskStatus.CANCELLED),
}
"""Our words, and those that a GET shows, which mean what it shows by them."""

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


def _parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


LIST: list[dict[str, Any]] = [
    _parameter("after", "The id behind which to begin: `last_id` of a part.", type="string"),
    _parameter("before", "The id ahead of which to end: `first_id` of a part.", type="string"),
    _parameter(
        "limit",
        "How many at most.",
        type="integer",
        minimum=1,
        maximum=_MAX_LIMIT,
        default=_DEFAULT_LIMIT,
    ),
    _parameter(
        "order",
        "By the time of creation; `desc` is newest first.",
        type="string",
        enum=list(_ORDERS),
        default=_ORDERS[0],
    ),
    _parameter(
        "status",
        "One word, or several with commas: those of `status`, and `queued`, `in_progress` and "
        f"`cancelled`. Any of {', '.join(f'`{word}`' for word in _STATUSES)}.",
        type="string",
    ),
    _parameter("model", "As it was asked for.", type="string"),
    _parameter("user", "Your own end user.", type="string"),
    _parameter(
        "created_after", "Unix seconds: only with a later `created_at`.", type="integer", minimum=0
    ),
    _parameter(
        "created_before",
        "Unix seconds: only with an earlier `created_at`.",
        type="integer",
        minimum=0,
    ),
]
"""The parameters of `GET /v1/video/generations`."""


def read_request(form: Form, *, meanings: FieldMeanings, strict: bool = False) -> Asked:
    """Read the fields of `POST /v1/video/generations`.

    Decodes pictures, which takes time.

    Raises:
        InvalidParameterError: A field is missing, of the wrong type or impossible; it names it.
        BodyTooLargeError: A picture is over its limit.
    """
    return read_video_request(FieldReader(form), strict=strict, meanings=meanings)


def read_cancellation(parameters: Mapping[str, str]) -> tuple[int | None, bool]:
    """Read which output to cancel, `None` for all, and whether to discard it.

    Raises:
        InvalidParameterError: One is impossible; it names it.
    """
    fields = FieldReader(Form(dict(parameters), is_text=True))
    output = fields.integer("output", least=0, most=MAX_VIDEOS - 1)
    return output, fields.flag("discard")


def read_query(parameters: Mapping[str, str]) -> TaskQuery:
    """Read which tasks to list.

    Raises:
        InvalidParameterError: A parameter is impossible; it names it.
    """
    fields = FieldReader(Form(dict(parameters), is_text=True))
    order = fields.text("order", longest=_ID_CHARACTERS) or _ORDERS[0]
    if order not in _ORDERS:
        raise InvalidParameterError("order must be asc or desc.", param="order")
    later = fields.integer("created_after", least=0, most=_LATEST - 1)
    earlier = fields.integer("created_before", least=0, most=_LATEST)
    return TaskQuery(
        after=fields.text("after", longest=_ID_CHARACTERS),
        before=fields.text("before", longest=_ID_CHARACTERS),
        limit=fields.integer("limit", least=1, most=_MAX_LIMIT) or _DEFAULT_LIMIT,
        newest_first=order == "desc",
        statuses=_read_statuses(fields.text("status", longest=_ID_CHARACTERS)),
        model=fields.text("model", longest=_NAME_CHARACTERS),
        user=fields.text("user", longest=_NAME_CHARACTERS),
        # A GET shows whole seconds, and it is they that are compared.
        created_from=None if later is None else datetime.fromtimestamp(later + 1, UTC),
        created_until=None if earlier is None else datetime.fromtimestamp(earlier, UTC),
    )


def _read_statuses(text: str | None) -> tuple[TaskStatus, ...]:
    words = [] if text is None else [word.strip() for word in text.split(",")]
    for word in words:
        if word not in _STATUSES:
            raise InvalidParameterError(
                f"status must be of {', '.join(_STATUSES)}.", param="status"
            )
    wanted = {status for word in words for status in _STATUSES[word]}
    return tuple(status for status in TaskStatus if status in wanted)
