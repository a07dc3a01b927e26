"""A submit's body as bytes: JSON, or a form where a picture goes with it.

A form knows text and files only. So the text goes in parts of its own; what else a client put into
`metadata` goes in the part `metadata` alone, as JSON, where its types survive.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import httpx

from vidgate.providers.answers import to_object
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
    media_type = read_picture_facts(picture).media_type or "application/octet-stream"
    file = (f"picture.{_ENDINGS.get(media_type, 'bin')}", picture, media_type)
    texts = dict[str, list[bytes]]()
    for name, text in _texts(body):
        texts.setdefault(name.encode("utf-8", "replace").decode(), []).append(text)
    boundary = f"vidgate-{correlation}"
    every = [picture, *map(str.encode, texts), *chain(*texts.values())]
    while any(has_bytes(part, boundary.encode()) for part in every):
        boundary += "-"
    content_type = f"multipart/form-data; boundary={boundary}"
    headers, files = {"Content-Type": content_type}, {INPUT_REFERENCE: file}
    form = httpx.Request("POST", "http://form.invalid", data=texts, files=files, headers=headers)
    return content_type, form.read()


def _texts(body: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    extras = to_object(body.get(METADATA))
    for name, value in body.items():
        if name == METADATA:
            yield name, to_json(extras)
        elif isinstance(value, str):
            yield name, value.encode("utf-8", "replace")
        elif name == VIDEO and name not in extras and isinstance(value, Mapping):
            for member, text in value.items():
                yield f"{name}[{member}]", str(text).encode("utf-8", "replace")
        elif name in extras or name == INPUT_REFERENCE:
            continue
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            for item in value:
                yield name, item.encode("utf-8", "replace")
        else:
            yield name, to_json(value)
