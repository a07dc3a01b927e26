"""Vidu: what the checks of all its endpoints share (refusals, field types, media).

Rules enforced here: the reasons with their HTTP statuses; media as http(s) URL or `data:` URI with
MIME type (`ImageFormatInvalid`); inline pictures below 1:4 to 4:1 and 50 MB (`PageSizeOutOfRange`);
`wm_position` as a number on the four main endpoints and as a word on multiframe and extend.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from vidgate.sandbox.images import Picture, PictureError, read_picture
from vidgate.sandbox.video import Clip
from vidgate.sandbox.vidu_models import SIZES

__all__ = [
    "WATERMARK",
    "Order",
    "ViduError",
    "check_types",
    "clip_of",
    "count",
    "echoed",
    "inline_part",
    "invalid",
    "lacking",
    "media_url",
    "miscounted",
    "out_of_range",
    "read_image",
    "refuse_unwanted",
    "whole",
]

_LONGEST_PAYLOAD = 1_048_576
_LARGEST_PICTURE = 50 * 1024 * 1024
_LONGEST_RATIO = 4.0

_DATA_URI = re.compile(r"data:(image|video|audio)/[\w.+-]+;base64,")

WATERMARK = frozenset({"watermark", "wm_position", "wm_url", "meta_data"})

_CORNERS = ("top_left", "top_right", "bottom_right", "bottom_left")
_NUMBERS = (1, 2, 3, 4)
_POSITIONS: Mapping[str, tuple[Any, ...]] = {
    "multiframe": _CORNERS,
    "extend": _CORNERS,
    "template": (*_NUMBERS, *_CORNERS),
}
"""Values of `wm_position` by endpoint; numbers elsewhere. No source tells which template takes."""

_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "movement_amplitude": ("auto", "small", "medium", "large"),
    "style": ("general", "anime"),
    "audio_type": ("all", "speech_only", "sound_effect_only"),
}
_SWITCHES = ("bgm", "audio", "is_rec", "off_peak", "watermark", "auto_subjects")
_TEXTS = ("model", "prompt", "voice_id", "wm_url", "meta_data", "payload", "callback_url")


class ViduError(Exception):
    """A call that Vidu refuses with a reason."""

    def __init__(
        self, status: int, reason: str, message: str, fields: str = "", code: object = None
    ) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self.code = status if code is None else code
        super().__init__(message)


def invalid(name: str) -> ViduError:
    """The refusal of a bad value."""
    return ViduError(400, "FieldInvalid", f"invalid field: {name}", name)


def lacking(name: str) -> ViduError:
    """The refusal of a call without a required field."""
    return ViduError(400, "FieldLacking", f"field is missing or empty: {name}", name)


def miscounted(name: str) -> ViduError:
    """The refusal of a list that is too short or too long."""
    message = f"field item count out of range: {name}"
    return ViduError(400, "FieldItemCountOutOfRange", message, name)


def out_of_range(name: str) -> ViduError:
    """The refusal of a picture that is too small, too large or too long."""
    return ViduError(400, "PageSizeOutOfRange", "page size out of range", name)


def _bad_format(name: str) -> ViduError:
    return ViduError(400, "ImageFormatInvalid", "invalid image format", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A create call that passed every check, with its defaults filled in.

    Attributes:
        late_failure: The failure in which the task will end; `None` if none.
    """

    endpoint: str
    model: str
    payload: str
    cost: int
    clip: Clip
    echo: dict[str, Any]
    off_peak: bool = False
    late_failure: str | None = None


def check_types(sent: Mapping[str, Any], endpoint: str, longest_prompt: int) -> None:
    """Check the fields that mean the same everywhere.

    Raises:
        ViduError: One has a bad value.
    """
    for name in _SWITCHES:
        if not isinstance(sent.get(name, False), bool):
            raise invalid(name)
    for name in _TEXTS:
        if not isinstance(sent.get(name, ""), str):
            raise invalid(name)
    choices = {**_CHOICES, "wm_position": _POSITIONS.get(endpoint, _NUMBERS)}
    for name, allowed in choices.items():
        if name in sent and (sent[name] not in allowed or isinstance(sent[name], bool)):
            raise invalid(name)
    if len(sent.get("prompt", "")) > longest_prompt:
        raise invalid("prompt")
    if len(sent.get("payload", "")) > _LONGEST_PAYLOAD:
        raise invalid("payload")


def refuse_unwanted(sent: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse a field that the endpoint does not have.

    Raises:
        ViduError: There is one.
    """
    if unwanted := sorted(set(sent) - known):
        raise ViduError(400, "FieldUnwanted", f"unwanted field: {unwanted[0]}", unwanted[0])


def count(sent: Mapping[str, Any], name: str) -> int:
    """The length of an optional list.

    Raises:
        ViduError: It is no list.
    """
    value = sent.get(name, [])
    if not isinstance(value, list):
        raise invalid(name)
    return len(value)


def whole(sent: Mapping[str, Any], name: str, default: int) -> int:
    """A whole number.

    Raises:
        ViduError: It is something else.
    """
    value = sent.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(name)
    return value


def inline_part(media: Any, name: str = "images") -> str | None:
    """The Base64 of a `data:` URI; `None` for a URL.

    Raises:
        ViduError: It is neither.
    """
    if isinstance(media, str):
        if media.startswith(("http://", "https://")):
            return None
        found = _DATA_URI.match(media)
        if found is not None:
            return media[found.end() :]
    raise _bad_format(name)


def read_image(part: str) -> Picture:
    """Decode an inline picture.

    Raises:
        ViduError: It is no picture, or too large or too long.
    """
    try:
        picture = read_picture(part)
    except PictureError as error:
        raise _bad_format("images") from error
    if picture.elongation >= _LONGEST_RATIO or picture.size_bytes > _LARGEST_PICTURE:
        raise out_of_range("images")
    return picture


def media_url(sent: Mapping[str, Any], name: str, endings: frozenset[str]) -> str:
    """A required URL; its file ending, if it has one, must be in the list.

    Raises:
        ViduError: It is absent, no URL, or of another format.
    """
    value = sent.get(name)
    if value is None or value == "":
        raise lacking(name)
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        raise invalid(name)
    try:
        ending = PurePosixPath(urlsplit(value).path).suffix.lower().removeprefix(".")
    except ValueError as error:
        raise invalid(name) from error
    if ending and ending not in endings:
        raise invalid(name)
    return value


def clip_of(resolution: str, shape: float, seconds: int) -> Clip:
    """The clip delivered for a resolution and a shape."""
    return Clip.lasting(2, 2, seconds).reshaped(SIZES[resolution], shape)


def echoed(image: object) -> str:
    """How a picture is shown in answers."""
    return (
        image
        if isinstance(image, str) and image.startswith("http")
        else "https://img.sandbox.invalid/uploaded.png"
    )
