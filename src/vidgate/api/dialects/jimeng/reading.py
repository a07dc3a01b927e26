"""Jimeng's own dialect: its requests, as neutral ones."""

from collections.abc import Mapping
from typing import Any

from vidgate.api.fields import given
from vidgate.api.forms import Form
from vidgate.api.pictures import check_inline_sizes
from vidgate.exceptions import InvalidParameterError, MalformedBodyError
from vidgate.models.requests import VideoRequest

__all__ = ["read_question", "read_submit"]

_KEY_CHARACTERS = 200
_ID_CHARACTERS = 200

_OURS = frozenset({"model", "model_name", "action"})
"""Members that mean something in the other dialects, and nothing in this one: here `req_key` alone
says what runs."""


def read_submit(form: Form) -> VideoRequest:
    """Read the body of a submit: a key, and everything else as the vendor would get it.

    Raises:
        InvalidParameterError: `req_key` is missing or no name.
        BodyTooLargeError: An inline picture is over the limit.
    """
    fields = _fields(form)
    req_key = fields.get("req_key")
    if not isinstance(req_key, str) or not req_key.strip() or len(req_key) > _KEY_CHARACTERS:
        raise InvalidParameterError(
            "req_key is required: the name of a model, such as jimeng_t2v_v30.", param="req_key"
        )
    check_inline_sizes(fields, within="")
    prompt = fields.get("prompt")
    return VideoRequest(
        model=req_key,
        # For those who look at the task; what is sent is the one among the vendor fields.
        prompt=prompt if isinstance(prompt, str) else "",
        metadata={name: value for name, value in fields.items() if name not in _OURS},
        vendor_format="jimeng",
        work_bytes=form.work_bytes,
    )


def read_question(form: Form) -> str:
    """Read the id of the task that a `GetResult` asks for.

    Raises:
        InvalidParameterError: `task_id` is missing or no id.
    """
    task_id = _fields(form).get("task_id")
    if not isinstance(task_id, str) or not task_id.strip() or len(task_id) > _ID_CHARACTERS:
        raise InvalidParameterError(
            "task_id is required: the id that the submit answered.", param="task_id"
        )
    return task_id.strip()


def _fields(form: Form) -> Mapping[str, Any]:
    if form.is_text:
        raise MalformedBodyError("Here the body must be a JSON object, not a form.")
    return given(form.fields)
