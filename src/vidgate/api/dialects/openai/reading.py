"""The OpenAI dialect's requests, as neutral ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import QueryParams

from vidgate.api.fields import FieldReader
from vidgate.api.forms import Form
from vidgate.api.plain_values import read_object
from vidgate.api.video_requests import Asked, read_video_request
from vidgate.api.writing import plain_number
from vidgate.exceptions import InvalidParameterError
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskQuery
from vidgate.providers.field_meanings import FieldMeanings

__all__ = ["VideoAsked", "read_create", "read_edit", "read_extension", "read_query", "read_remix"]

_ID_CHARACTERS = 200
_DEFAULT_LIMIT = 20
_MAX_LIMIT = 100
"""As OpenAI's own list has it."""

_ORDERS = ("asc", "desc")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoAsked:
    """What a client asks for.

    Attributes:
        asked: In neutral words.
        echo: What the video's object will say of the request.
        source: The id of the video to go on from, empty for a new one.
    """

    asked: Asked
    echo: Mapping[str, Any]
    source: str = ""

    @property
    def request(self) -> VideoRequest:
        """What is asked for."""
        return self.asked.request


def read_create(form: Form, *, meanings: FieldMeanings, strict: bool = False) -> VideoAsked:
    """Read the fields of `POST /v1/videos`.

    Decodes pictures, which takes time.

    Raises:
        InvalidParameterError: A field is missing, of the wrong type or impossible; it names it.
        BodyTooLargeError: A picture is over its limit.
    """
    model = form.fields.get("model")
    if model is None or model == "":
        raise InvalidParameterError(
            "model is required: the name of a model that GET /v1/models lists.", param="model"
        )
    return _read(form, meanings=meanings, strict=strict)


def read_remix(
    form: Form, *, source: str, meanings: FieldMeanings, strict: bool = False
) -> VideoAsked:
    """Read the fields of `POST /v1/videos/{id}/remix`.

    Args:
        form: The body.
        source: The id in the path.
        meanings: What we make of vendor fields.
        strict: Whether what would be ignored is an error instead.

    Raises:
        InvalidParameterError: A field is missing, of the wrong type or impossible; it names it.
        BodyTooLargeError: A picture is over its limit.
    """
    return _with_prompt(
        _read(form, meanings=meanings, strict=strict, source=source), "what the remix shows"
    )


def read_edit(form: Form, *, meanings: FieldMeanings, strict: bool = False) -> VideoAsked:
    """Read the fields of `POST /v1/videos/edits`.

    Raises:
        InvalidParameterError: A field is missing, of the wrong type or impossible; it names it.
        BodyTooLargeError: A picture is over its limit.
    """
    form, source = _take_source(form)
    return _with_prompt(
        _read(form, meanings=meanings, strict=strict, source=source), "what to change"
    )


def read_extension(form: Form, *, meanings: FieldMeanings, strict: bool = False) -> VideoAsked:
    """Read the fields of `POST /v1/videos/extensions`; the prompt may be missing.

    Raises:
        InvalidParameterError: A field is missing, of the wrong type or impossible; it names it.
        BodyTooLargeError: A picture is over its limit.
    """
    form, source = _take_source(form)
    return _read(form, meanings=meanings, strict=strict, source=source)


def read_query(parameters: QueryParams) -> TaskQuery:
    """Read the parameters of `GET /v1/videos`.

    Raises:
        InvalidParameterError: One is impossible; it names it.
    """
    fields = FieldReader(Form(dict(parameters), is_text=True))
    limit = fields.integer("limit", least=0, most=_MAX_LIMIT)
    order = fields.text("order", longest=_ID_CHARACTERS) or "desc"
    if order not in _ORDERS:
        raise InvalidParameterError("order must be asc or desc.", param="order")
    return TaskQuery(
        after=fields.text("after", longest=_ID_CHARACTERS) or None,
        limit=_DEFAULT_LIMIT if limit is None else limit,
        newest_first=order == "desc",
    )


def _read(form: Form, *, meanings: FieldMeanings, strict: bool, source: str = "") -> VideoAsked:
    size = form.fields.get("size")
    asked = read_video_request(
        FieldReader(form), strict=strict, meanings=meanings, is_follow_up=bool(source)
    )
    echo: dict[str, Any] = {}
    if asked.request.duration_seconds is not None:
        echo["seconds"] = str(plain_number(asked.request.duration_seconds))
    if isinstance(size, str) and size.strip():
        echo["size"] = size.strip()
    if source:
        echo["remixed_from_video_id"] = source
    return VideoAsked(asked=asked, echo=echo, source=source)


def _with_prompt(video: VideoAsked, meaning: str) -> VideoAsked:
    if not video.request.prompt:
        raise InvalidParameterError(f"prompt is required: {meaning}.", param="prompt")
    return video


def _take_source(form: Form) -> tuple[Form, str]:
    """Take `video`, which names the video to go on from."""
    fields = {name: value for name, value in form.fields.items() if name != "video"}
    video = form.fields.get("video")
    if isinstance(video, str) and video.lstrip().startswith("{"):  # no id begins so
        video = read_object("video", video)
    source = video.get("id") if isinstance(video, Mapping) else video
    if not isinstance(source, str) or not 0 < len(source) <= _ID_CHARACTERS:
        raise InvalidParameterError(
            'video is required: {"id": "..."} with the id of a video that was made here.',
            param="video",
        )
    return replace(form, fields=fields), source
