"""Pictures that a client wrote into Vidu's own fields, in the form that Vidu takes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image
from vidgate.providers.pictures import read_picture_facts
from vidgate.providers.pieces import decode_base64
from vidgate.providers.vidu.choosing import Choice
from vidgate.providers.vidu.endpoints import LIP_SYNC, MULTIFRAME, REFERENCES
from vidgate.providers.vidu.media import to_pictures

__all__ = ["to_vendor_pictures"]

_LINK = re.compile(r"\s*https?://", re.IGNORECASE)
_DATA_URI = re.compile(r"\s*data:(?P<type>[^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)
_HEAD_CHARACTERS = 1000


def to_vendor_pictures(metadata: Mapping[str, Any], choice: Choice) -> dict[str, Any]:
    """Write inline pictures among the vendor fields as `data:` URIs, and check them as all others.

    URLs are not touched, and neither is what an unknown model gets that is no picture.

    Raises:
        UnsupportedParameterError: One is not what the endpoint takes; it names the vendor's field.
    """
    fields = dict(metadata)
    endpoint = choice.endpoint
    if endpoint.picture_field == "images" and "images" in fields:
        fields["images"] = _rewrite(fields["images"], choice, "images")
    if endpoint is REFERENCES and "subjects" in fields:
        fields["subjects"] = _rewrite_in(fields["subjects"], "images", choice, "subjects.images")
    if endpoint is LIP_SYNC and "ref_photo_url" in fields:
        fields["ref_photo_url"] = _rewrite(fields["ref_photo_url"], choice, "ref_photo_url")
    if endpoint is MULTIFRAME:
        if "start_image" in fields:
            fields["start_image"] = _rewrite(fields["start_image"], choice, "start_image")
        if "image_settings" in fields:
            fields["image_settings"] = _rewrite_in(
                fields["image_settings"], "key_image", choice, "image_settings.key_image"
            )
    return fields


def _rewrite_in(items: Any, name: str, choice: Choice, param: str) -> Any:
    """The same for a field of each object of an array."""
    if not isinstance(items, list):
        return items
    return [
        {**item, name: _rewrite(item[name], choice, param)}
        if isinstance(item, Mapping) and name in item
        else item
        for item in items
    ]


def _rewrite(value: Any, choice: Choice, param: str) -> Any:
    if isinstance(value, list):
        return _rewrite_all(value, choice, param)
    return _rewrite_all([value], choice, param)[0]


def _rewrite_all(values: Sequence[Any], choice: Choice, param: str) -> list[Any]:
    images = [_read(value, choice, param) for value in values]
    read = [image for image in images if image is not None]
    written = iter(to_pictures(read, choice.endpoint, param=param))
    return [
        value if image is None else next(written)
        for value, image in zip(values, images, strict=True)
    ]


def _read(value: Any, choice: Choice, param: str) -> Image | None:
    """One picture; `None` for what stays as it is."""
    if not isinstance(value, str) or not value:
        return None
    if _LINK.match(value, 0, _HEAD_CHARACTERS):
        return Image(url=value)
    head = _DATA_URI.match(value[:_HEAD_CHARACTERS])
    content = _decode(value[head.end() :] if head else value)
    is_known = choice.capabilities is not None
    if content is None and is_known:
        raise UnsupportedParameterError(
            param, f"{param} takes http and https URLs, and data: URIs in base64."
        )
    if content is None or not (is_known or head or read_picture_facts(content).media_type):
        return None
    return Image(content=content, media_type=head["type"].strip().lower() if head else None)


def _decode(text: str) -> bytes | None:
    """Decode base64 of either alphabet, with or without padding and line breaks."""
    try:
        return decode_base64(text, is_lenient=True)
    except ValueError:
        return None
