"""The generic fields of a request, as every vendor-neutral dialect reads them."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from vidgate.api.fields import FieldReader
from vidgate.api.picture_fields import read_pictures, take_frames
from vidgate.api.pictures import check_inline_sizes, holds_picture
from vidgate.api.plain_values import read_plain
from vidgate.constants import MAX_VIDEOS
from vidgate.exceptions import (
    BodyTooLargeError,
    InvalidParameterError,
    UnsupportedParameterError,
)
from vidgate.models.requests import VideoRequest
from vidgate.providers.field_meanings import CALLBACK_URL, FieldMeanings
from vidgate.providers.sizes import read_tier

__all__ = ["Asked", "read_video_request"]

_MODEL_CHARACTERS = 200
_USER_CHARACTERS = 512
_WORD_CHARACTERS = 100
_PROMPT_CHARACTERS = 1024 * 1024
"""No provider takes a hundredth of it; it keeps what is not a prompt out of the database."""

_MAX_SECONDS = 24 * 3600
_MAX_FPS = 1000
_MAX_SIDE = 16384
_MAX_SHAPE = 100
_SEED_BITS = 63

_PIXELS = re.compile(r"\s*([0-9]{1,6})\s*[xX*\u00d7]\s*([0-9]{1,6})\s*")
_SHAPE = re.compile(
    r"\s*([0-9]{1,4}(?:\.[0-9]{1,4})?)\s*[:\u2236]\s*([0-9]{1,4}(?:\.[0-9]{1,4})?)\s*"
)
_ALIASES: Mapping[str, str] = MappingProxyType({"webhook_url": CALLBACK_URL})
"""Other names of members of `metadata` that are ours."""

_SAME_FORMATS = frozenset({"", "url", "mp4"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for.

    Attributes:
        ignored: Fields that no model has a use for.
    """

    request: VideoRequest
    ignored: tuple[str, ...] = ()


def read_video_request(
    fields: FieldReader,
    *,
    strict: bool,
    meanings: FieldMeanings,
    is_follow_up: bool = False,
) -> Asked:
    """Read the generic fields; what is left of a request is taken as members of `metadata`.

    Decodes pictures, which takes time.

    Args:
        fields: Of which a dialect may have taken its own before.
        strict: Whether what would be ignored is an error instead.
        meanings: What we make of vendor fields.
        is_follow_up: Whether a video is named to go on from, which knows a model and needs no
            prompt; both are empty then if they are missing.

    Raises:
        InvalidParameterError: A field is missing, of the wrong type or impossible; it names it.
        BodyTooLargeError: A picture is over its limit.
    """
    model = fields.text("model", longest=_MODEL_CHARACTERS) or ""
    if model.isspace() or not (model or is_follow_up):
        raise InvalidParameterError("model is required: the name of a model.", param="model")
    prompt = _read_prompt(fields)
    size = _read_size(fields)
    images, picture_field = read_pictures(fields)
    count = fields.integer("n", least=1, most=MAX_VIDEOS)
    ignored = _read_response_format(fields, strict=strict)
    duration, duration_field = _read_duration(fields)
    fps = fields.integer("fps", least=1, most=_MAX_FPS)
    seed = fields.integer("seed", least=-(1 << _SEED_BITS), most=(1 << _SEED_BITS) - 1)
    user = fields.text("user", longest=_USER_CHARACTERS)
    metadata = fields.members("metadata")
    metadata = _raise_own(_read_rest(fields) | metadata, meanings)
    metadata, renamed = _take_aliases(metadata)
    images, last_frame = take_frames(metadata, images)
    check_inline_sizes(metadata)
    says_something = any(metadata.get(name) for name in meanings.prompts) or holds_picture(
        metadata, meanings.owns
    )
    if not (prompt or images or says_something or is_follow_up):
        raise InvalidParameterError("prompt is required: what the video shows.", param="prompt")
    request = VideoRequest(
        model=model,
        prompt=prompt,
        n=count or 1,
        duration_seconds=duration,
        width=size.width,
        height=size.height,
        aspect_ratio=size.aspect_ratio,
        tier=size.tier,
        fps=fps,
        images=images,
        last_frame=last_frame,
        seed=seed,
        user=user or None,
        metadata=metadata,
        strict=strict,
        names=_names(duration_field, picture_field) | renamed,
        work_bytes=fields.work_bytes,
    )
    return Asked(request, ignored)


def _read_rest(fields: FieldReader) -> dict[str, Any]:
    """What nobody has a name for; a form has it as text, and JSON would not."""
    if not fields.is_text:
        return fields.rest
    return {
        name: read_plain(name, value) if isinstance(value, str) else value
        for name, value in fields.rest.items()
    }


def _raise_own(metadata: dict[str, Any], meanings: FieldMeanings) -> dict[str, Any]:
    """Read the client's own members of vendor objects as members of `metadata`."""
    for holder, names in meanings.nested.items():
        members = metadata.get(holder)
        if isinstance(members, dict):
            for name in names:
                metadata = _raise(metadata, name, members.get(name), source=f"{holder}.{name}")
    return metadata


def _take_aliases(metadata: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read members by their own names, and tell which of them the client calls otherwise."""
    renamed: dict[str, str] = {}
    for alias, name in _ALIASES.items():
        if alias in metadata:
            rest = {key: value for key, value in metadata.items() if key != alias}
            if metadata.get(name) in (None, ""):
                renamed[name] = alias
            metadata = _raise(rest, name, metadata[alias], source=alias)
    return metadata, renamed


def _raise(metadata: dict[str, Any], name: str, value: Any, *, source: str) -> dict[str, Any]:
    """Take a value for a member of `metadata` that the client gave elsewhere."""
    given = metadata.get(name)
    if value in (None, ""):
        return metadata
    if given not in (None, "", value):
        param = f"metadata.{source}"
        raise InvalidParameterError(
            f"metadata.{name} and {param} differ; send one of them.", param=param
        )
    return metadata | {name: value}


def _read_prompt(fields: FieldReader) -> str:
    prompt = fields.raw("prompt")
    if prompt is None:
        return ""
    if not isinstance(prompt, str):
        raise InvalidParameterError("prompt must be a string.", param="prompt")
    if len(prompt) > _PROMPT_CHARACTERS:
        raise BodyTooLargeError("prompt is too long.", param="prompt")
    return prompt


def _names(duration_field: str, picture_field: str) -> dict[str, str]:
    """What the client calls what errors call otherwise."""
    ours = {"duration": duration_field, "image": picture_field, "images": picture_field}
    return {name: given for name, given in ours.items() if given and given != name}


def _read_duration(fields: FieldReader) -> tuple[int | float | None, str]:
    """Read the duration, and the name of the field that brought it."""
    duration = fields.number("duration", most=_MAX_SECONDS)
    seconds = fields.number("seconds", most=_MAX_SECONDS)
    if None not in (duration, seconds) and duration != seconds:
        raise InvalidParameterError(
            "duration and seconds mean the same and differ; send one of them.", param="seconds"
        )
    return (seconds, "seconds") if duration is None else (duration, "duration")


@dataclass(frozen=True, slots=True)
class _Size:
    """As `VideoRequest` has it."""

    width: int | None = None
    height: int | None = None
    aspect_ratio: str | None = None
    tier: str | None = None


def _read_size(fields: FieldReader) -> _Size:
    """Read width and height, a shape, or a tier."""
    width = fields.integer("width", least=1, most=_MAX_SIDE)
    height = fields.integer("height", least=1, most=_MAX_SIDE)
    if (width is None) != (height is None):
        missing, given = ("width", "height") if width is None else ("height", "width")
        raise InvalidParameterError(
            f"{missing} is required with {given}: together they mean a size.", param=missing
        )
    size = _plainly(fields.text("size", longest=_WORD_CHARACTERS) or "")
    if not size:
        return _Size(width, height)
    if tier := None if size.isdecimal() else read_tier(size):
        return _Size(width, height, tier=tier)
    if pixels := _PIXELS.fullmatch(size):
        sides = int(pixels[1]), int(pixels[2])
        if not all(1 <= side <= _MAX_SIDE for side in sides):
            raise InvalidParameterError(
                f"size must have sides from 1 to {_MAX_SIDE} pixels.", param="size"
            )
        if width is not None and (width, height) != sides:
            raise _contradiction()
        return _Size(*sides)
    return _read_shape(size, width, height)


def _plainly(size: str) -> str:
    """A size as it is typed on a keyboard without full-width characters, such as `16\uff1a9`."""
    return unicodedata.normalize("NFKC", size).strip()


def _read_shape(size: str, width: int | None, height: int | None) -> _Size:
    shape = _SHAPE.fullmatch(size)
    if shape is None:
        raise InvalidParameterError(
            "size must be pixels such as 1920x1080, a shape such as 16:9, or a tier such as 1080p.",
            param="size",
        )
    across, down = float(shape[1]), float(shape[2])
    if not across or not down or max(across / down, down / across) > _MAX_SHAPE:
        raise InvalidParameterError("size is not a possible shape, such as 16:9.", param="size")
    if width is None or height is None:
        return _Size(aspect_ratio=f"{shape[1]}:{shape[2]}")
    if width * down != height * across:
        raise _contradiction()
    return _Size(width, height)


def _contradiction() -> InvalidParameterError:
    return InvalidParameterError(
        "size and width with height differ; send one of them.", param="size"
    )


def _read_response_format(fields: FieldReader, *, strict: bool) -> tuple[str, ...]:
    name = "response_format"
    value = fields.text(name, longest=_WORD_CHARACTERS)
    if value is None or value in _SAME_FORMATS:
        return ()
    if strict:
        raise UnsupportedParameterError(
            name, "Every video is an MP4 behind a URL.", allowed=["url", "mp4"]
        )
    return (name,)
