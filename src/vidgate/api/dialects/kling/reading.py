"""Kling's own bodies, as neutral requests: the vendor's fields go on as they came."""

from typing import Any

from vidgate.api.dialects.kling.endpoints import Legacy, New
from vidgate.api.fields import given
from vidgate.api.forms import Form
from vidgate.api.pictures import check_inline_sizes
from vidgate.constants import EXTERNAL_ID_CHARACTERS
from vidgate.exceptions import InvalidParameterError, MalformedBodyError
from vidgate.models.requests import VideoRequest

__all__ = ["prompt_echo", "read_direct_call", "read_fields", "read_legacy", "read_new"]

_MODEL_CHARACTERS = 200
_MODEL_FIELDS = ("model_name", "model")
"""The second is the older name, which clients still send beside the first."""

_LEGACY_ROOT = "/v1/videos/"
_CLIENTS_OWN = ("callback_url", "external_task_id")
"""What the services take out of the vendor fields; the new generation has it in `options`."""


def read_fields(form: Form) -> dict[str, Any]:
    """Take the members of a JSON body.

    Raises:
        MalformedBodyError: It is a form, which Kling does not take.
    """
    if form.is_text:
        raise MalformedBodyError("Kling's endpoints take JSON only.")
    return given(form.fields)


def read_legacy(form: Form, endpoint: Legacy) -> VideoRequest:
    """Read a flat body.

    Raises:
        InvalidParameterError: The model or the client's own id is no text.
        BodyTooLargeError: Something inline is over its limit.
    """
    body = read_fields(form)
    named = [body.pop(name, None) for name in _MODEL_FIELDS]
    model = next((name for name in named if name is not None), endpoint.model)
    if not endpoint.has_models:
        model = endpoint.model
    path = f"{_LEGACY_ROOT}{endpoint.name}"
    return _request(_model(model), path, body, work_bytes=form.work_bytes)


def read_new(form: Form, endpoint: New, model: str) -> VideoRequest:
    """Read a body of the new generation, whose model is in the path.

    Raises:
        InvalidParameterError: The client's own id is no text, or `options` no object.
        BodyTooLargeError: Something inline is over its limit.
    """
    body = {name: value for name, value in read_fields(form).items() if name not in _MODEL_FIELDS}
    options = body.get("options")
    if options is not None and not isinstance(options, dict):
        raise InvalidParameterError("options must be an object.", param="options")
    for name in _CLIENTS_OWN:
        body.pop(name, None)  # no fields of the new generation: those in `options` are meant
        value = (options or {}).get(name)
        if value not in (None, ""):
            body[name] = value
    return _request(_model(model), f"/{endpoint.name}", body, work_bytes=form.work_bytes)


def read_direct_call(form: Form) -> tuple[dict[str, Any], int]:
    """Read the body of a call that makes no task, and its size in bytes.

    Raises:
        MalformedBodyError: It is a form.
        BodyTooLargeError: Something inline is over its limit.
    """
    body = read_fields(form)
    check_inline_sizes(body, within="")
    return body, form.work_bytes


def prompt_echo(request: VideoRequest) -> dict[str, str]:
    """The words of a request, for dialects that show them: in it they are a vendor's field."""
    prompt = request.metadata.get("prompt")
    contents = request.metadata.get("contents")
    for entry in contents if isinstance(contents, list) and not prompt else ():
        if isinstance(entry, dict) and entry.get("type") == "prompt":
            prompt = entry.get("text")
    return {"prompt": prompt} if prompt and isinstance(prompt, str) else {}


def _request(model: str, path: str, body: dict[str, Any], *, work_bytes: int) -> VideoRequest:
    external_id = body.get("external_task_id")
    if external_id is not None and not isinstance(external_id, str):
        raise InvalidParameterError("external_task_id must be a string.", param="external_task_id")
    if external_id and len(external_id) > EXTERNAL_ID_CHARACTERS:
        raise InvalidParameterError(
            f"external_task_id may have at most {EXTERNAL_ID_CHARACTERS} characters.",
            param="external_task_id",
        )
    check_inline_sizes(body, within="")
    metadata = {**body, "action": path}
    return VideoRequest(
        model=model, metadata=metadata, vendor_format="kling", work_bytes=work_bytes
    )


def _model(name: Any) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > _MODEL_CHARACTERS:
        raise InvalidParameterError("model_name must be the name of a model.", param="model_name")
    return name
