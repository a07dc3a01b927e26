"""What a body holds, and how a multipart one is read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from vidgate.api.nested_fields import FieldPath, place, split_name
from vidgate.api.pictures import looks_like_picture
from vidgate.api.plain_values import read_object, read_plain
from vidgate.api.strict_json import BESIDE_INLINE_BYTES, MOST_VALUES, count_values
from vidgate.exceptions import (
    BodyTooLargeError,
    InvalidParameterError,
    MalformedBodyError,
    TooManyValuesError,
)
from vidgate.providers.pieces import PIECE_BYTES

__all__ = ["Form", "UnexpectedFileError", "is_multipart", "parse_multipart"]

_MULTIPART = "multipart/form-data"
_MAX_PARTS = 64
_PICTURES = frozenset({"image", "images", "input_reference"})
"""Fields that may be files, and may come more than once."""

_JSON_FIELD = "metadata"
_LIKE_JSON = re.compile(rb"\s*+[\[{]")


class UnexpectedFileError(InvalidParameterError):
    """A field that is no picture came as a file."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of one request.

    Attributes:
        fields: By name, as JSON has them; a file is `bytes`, and what a multipart body may repeat
            is a list.
        is_text: Whether the fields came as text, so that a number is one in digits.
        work_bytes: The size of the body, and for each JSON value of it 100 more.
    """

    fields: Mapping[str, Any]
    is_text: bool = False
    work_bytes: int = 0


@dataclass(slots=True)
class _Part:
    headers: dict[str, bytes] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)


def is_multipart(content_type: str) -> bool:
    """Whether a `Content-Type` says that a body is a multipart form."""
    return content_type.partition(";")[0].strip().lower() == _MULTIPART


def parse_multipart(body: bytes | bytearray, content_type: str) -> Form:
    """Parse a multipart form.

    Raises:
        MalformedBodyError: It is not one, or has too many parts.
        BodyTooLargeError: Its text is over the limit of JSON.
        InvalidParameterError: A field comes twice, or is a file and may not be, or its name cannot
            be read.
        TooManyValuesError: Its JSON texts have more than 10,000 values together.
    """
    fields: dict[str, Any] = {}
    text_bytes = 0
    parts = _split(body, content_type)
    _check_values(parts)
    for part in parts:
        path, is_file = _describe(part)
        if is_file and not part.content:
            continue  # what a browser sends for a file that was not chosen
        name = path[0]
        is_picture = name in _PICTURES and len([member for member in path if member]) == 1
        if is_file and not is_picture:
            raise UnexpectedFileError(f"{name} cannot be a file.", param=name)
        if is_picture:
            if part.content:
                place(
                    fields,
                    (name, ""),
                    bytes(part.content) if is_file else _to_text(part.content, name),
                )
            continue
        if path == (_JSON_FIELD,):
            place(fields, path, _parse_metadata(part.content))
            continue
        text = _to_text(part.content, name)
        place(fields, path, text if len(path) == 1 else read_plain(_last_name(path), text))
        if name not in _PICTURES:
            text_bytes += len(part.content)
    if text_bytes > BESIDE_INLINE_BYTES:
        raise BodyTooLargeError("The form's text may have at most 2 MiB.")
    return Form(fields, is_text=True)


def _split(body: bytes | bytearray, content_type: str) -> list[_Part]:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise MalformedBodyError("The Content-Type of a multipart body must name its boundary.")
    collector = _Collector()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": collector.begin,
                "on_part_data": collector.data,
                "on_header_begin": collector.begin_header,
                "on_header_field": collector.header_name,
                "on_header_value": collector.header_value,
                "on_header_end": collector.end_header,
                "on_end": collector.end,
            },
        )
        for start in range(0, len(body), PIECE_BYTES):
            parser.write(bytes(body[start : start + PIECE_BYTES]))
    except FormParserError:
        raise MalformedBodyError("The body is not a valid multipart form.") from None
    if not collector.is_complete:
        raise MalformedBodyError("The multipart body ends too early.")
    return collector.parts


class _Collector:
    """Gathers what the parser finds."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.is_complete = False
        self._name = bytearray()
        self._value = bytearray()

    def begin(self) -> None:
        if len(self.parts) == _MAX_PARTS:
            raise MalformedBodyError(f"A multipart body may have at most {_MAX_PARTS} parts.")
        self.parts.append(_Part())

    def data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].content += data[start:end]

    def begin_header(self) -> None:
        self._name.clear()
        self._value.clear()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def end_header(self) -> None:
        self.parts[-1].headers[self._name.decode("latin-1").lower()] = bytes(self._value)

    def end(self) -> None:
        self.is_complete = True


def _check_values(parts: Sequence[_Part]) -> None:
    """Count the values of all that may be read as JSON, before any of it is."""
    values = 0
    for part in parts:
        if _LIKE_JSON.match(part.content):
            values += count_values(part.content)
        if values > MOST_VALUES:
            raise TooManyValuesError(
                f"The form has more than {MOST_VALUES:,} JSON values; no model needs as many."
            )


def _describe(part: _Part) -> tuple[FieldPath, bool]:
    """The name of a part's field, and whether it is a file.

    Some programs send a file without a name for it.
    """
    _, options = parse_options_header(part.headers.get("content-disposition", b""))
    name = _to_text(options.get(b"name", b""), "the name of a part")
    if not name or name == "[]":
        raise MalformedBodyError("A part of the multipart body has no name.")
    is_file = (
        b"filename" in options
        or part.headers.get("content-type", b"").strip().lower().startswith(b"image/")
        or looks_like_picture(part.content)
    )
    return split_name(name), is_file


def _last_name(path: FieldPath) -> str:
    return path[-1] or path[-2]


def _to_text(content: bytes | bytearray, name: str) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise MalformedBodyError(f"In the multipart body {name} is not UTF-8.") from None
    if "\0" in text:
        raise MalformedBodyError(f"In the multipart body {name} has a NUL character.")
    return text


def _parse_metadata(content: bytes | bytearray) -> dict[str, Any]:
    return read_object(_JSON_FIELD, content) if content.strip() else {}
