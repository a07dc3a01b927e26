"""A submit's body as bytes: JSON, or a form where a picture goes with it.

A form knows text and files only. So the text goes in parts of its own; what else a client put into
`metadata` goes in the part `metadata` alone, as JSON, where its types survive.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from vidgate.providers.pictures import read_picture_facts
from vidgate.providers.pieces import has_bytes, to_json

__all__ = ["INPUT_REFERENCE", "METADATA", "VIDEO", "to_content"]

INPUT_REFERENCE = "input_reference"
"""The format's own field for one picture; bytes in it make the body a form."""

METADATA = "metadata"

VIDEO = "video"
"""The video to go on from, an object with its `id`; in a form that is `video[id]`."""

_ENDINGS: Mapping[str, str] = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
}


def to_content(body: Mapping[str, Any], correlation: str) -> tuple[str, bytes]:
    """Write a body.

    Args:
        body: With bytes at most in `input_reference`.
        correlation: What a form's boundary is made from, since it must not be a matter of chance.

    Returns:
        The `Content-Type`, and the bytes.
    """
    picture = body.get(INPUT_REFERENCE)
    if not isinstance(picture, bytes):
        return "application/json", to_json(body)
    parts = [*_text_parts(body), _file_part(picture)]
    boundary = f"vidgate-{correlation}"
    while any(has_bytes(part, boundary.encode()) for part in parts):
        boundary += "-"
    mark = f"--{boundary}".encode()
    pieces = [piece for part in parts for piece in (mark, b"\r\n", part, b"\r\n")]
    return f"multipart/form-data; boundary={boundary}", b"".join((*pieces, mark, b"--\r\n"))


def _text_parts(body: Mapping[str, Any]) -> Iterator[bytes]:
    extras = body.get(METADATA)
    extras = extras if isinstance(extras, Mapping) else {}
    for name, value in body.items():
        if name == METADATA:
            yield _text_part(name, to_json(extras))
        elif isinstance(value, str):
            yield _text_part(name, value.encode("utf-8", "replace"))
        elif name == VIDEO and name not in extras and isinstance(value, Mapping):
            for member, text in value.items():
                yield _text_part(f"{name}[{member}]", str(text).encode("utf-8", "replace"))
        elif name in extras or name == INPUT_REFERENCE:
            continue
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            for item in value:
                yield _text_part(name, item.encode("utf-8", "replace"))
        else:
            yield _text_part(name, to_json(value))


def _text_part(name: str, content: bytes) -> bytes:
    return _disposition(name) + b"\r\n\r\n" + content


def _file_part(content: bytes) -> bytes:
    media_type = read_picture_facts(content).media_type or "application/octet-stream"
    name = f"picture.{_ENDINGS.get(media_type, 'bin')}"
    head = _disposition(INPUT_REFERENCE) + f'; filename="{name}"\r\n'.encode()
    return head + f"Content-Type: {media_type}\r\n\r\n".encode() + content


def _disposition(name: str) -> bytes:
    # A client chooses the names of its vendor fields: none may end the header. This is how
    # browsers escape them.
    for character, escaped in (('"', "%22"), ("\r", "%0D"), ("\n", "%0A")):
        name = name.replace(character, escaped)
    return f'Content-Disposition: form-data; name="{name}"'.encode("utf-8", "replace")
