"""Vidu's own requests, as neutral ones."""

from dataclasses import dataclass
from typing import Any

from vidgate.api.dialects.vidu.endpoints import Endpoint
from vidgate.api.dialects.vidu.errors import LACKING
from vidgate.api.fields import given
from vidgate.api.forms import Form
from vidgate.api.pictures import check_inline_sizes
from vidgate.exceptions import InvalidParameterError, MalformedBodyError
from vidgate.models.requests import VideoRequest

__all__ = ["Asked", "read_request"]

_MODEL_CHARACTERS = 200
_PAYLOAD_CHARACTERS = 1_048_576
"""The vendor's limit; it is we who keep it and give it back."""

_MAX_SECONDS = 24 * 3600

_OURS = frozenset({"model", "model_name", "action"})
"""Names that mean something among the vendor fields of other dialects; here they choose nothing
beside `model` itself, and the path."""

_ECHOED = frozenset(
    {
        *("prompt", "images", "start_image", "image_settings", "template", "story", "duration"),
        *(
            "seed",
            "resolution",
            "upscale_resolution",
            "aspect_ratio",
            "movement_amplitude",
            "style",
        ),
        *("bgm", "audio", "off_peak", "watermark"),
    }
)
"""What the vendor repeats of a request."""

_LONGEST_ECHO = 20_000
"""Characters of one text: the longest prompt. What is longer is a picture, not kept twice."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for.

    Attributes:
        echo: What the answers repeat of it.
    """

    request: VideoRequest
    echo: dict[str, Any]


def read_request(form: Form, endpoint: Endpoint) -> Asked:
    """Read the body of a POST that makes a video. The vendor's fields are not looked into.

    Raises:
        InvalidParameterError: A field that we need ourselves is missing or impossible.
        BodyTooLargeError: An inline picture is over its limit.
    """
    if form.is_text:
        raise MalformedBodyError("The body must be a JSON object.")
    body = given(form.fields)
    for name in endpoint.required:
        value = body.get(name)
        if not value or (isinstance(value, str) and value.isspace()):
            raise InvalidParameterError(
                f"{name} is required for {endpoint.name}.", param=name, code=LACKING
            )
    model = endpoint.model or body["model"]
    if not isinstance(model, str) or len(model) > _MODEL_CHARACTERS:
        raise InvalidParameterError("model must be the name of a model.", param="model")
    payload = body.get("payload", "")
    if not isinstance(payload, str) or len(payload) > _PAYLOAD_CHARACTERS:
        raise InvalidParameterError(
            f"payload must be text of at most {_PAYLOAD_CHARACTERS} characters.", param="payload"
        )
    metadata = {name: value for name, value in body.items() if name not in _OURS}
    check_inline_sizes(metadata)
    prompt = body.get("prompt") if endpoint.has_prompt else None
    request = VideoRequest(
        model=model,
        # Other dialects show these two of the task; among the vendor fields they stand as well.
        prompt=prompt if isinstance(prompt, str) else "",
        duration_seconds=_seconds(body.get("duration")) if endpoint.has_prompt else None,
        metadata={**metadata, "action": endpoint.name},
        vendor_format="vidu",
        work_bytes=form.work_bytes,
    )
    echo = {name: _short(body[name]) for name in body.keys() & _ECHOED}
    return Asked(request, {"request": {**echo, "model": "" if endpoint.model else model}})


def _seconds(value: Any) -> int | float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 < value <= _MAX_SECONDS else None


def _short(value: Any) -> Any:
    """A value without its inline pictures, for which the vendor writes addresses of its own."""
    match value:
        case str():
            is_inline = len(value) > _LONGEST_ECHO or value.startswith("data:")
            return "" if is_inline else value
        case list():
            return [_short(one) for one in value]
        case dict():
            return {name: _short(member) for name, member in value.items()}
        case _:
            return value
