"""Pictures in the form that Vidu takes, and what a body with them may weigh."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image
from vidgate.providers.pictures import PictureLimits, read_picture_facts, write_picture
from vidgate.providers.pieces import decode_base64, json_size
from vidgate.providers.vidu.choosing import Choice
from vidgate.providers.vidu.endpoints import FIRST_LAST_FRAME, MULTIFRAME, REFERENCES, Endpoint

__all__ = ["check_weight", "to_pictures", "to_vendor_pictures"]

_MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp")

_LONGEST_RATIO = math.nextafter(4, 0)
"""Strictly between 1:4 and 4:1."""

_FRAME_RATIO = (0.8, 1.25)
"""How much larger the first frame may be than the last."""

_MAX_BODY_BYTES = 20 * 1024 * 1024
"""The vendor's limit for a whole POST body, "20 MB". Its 50 MB for one picture are for a URL: an
inline one is in the body."""

_BODY_RESERVE_BYTES = 4096
"""For the `payload` and `callback_url` that are added when it is sent."""


def to_pictures(images: Sequence[Image], endpoint: Endpoint, *, param: str = "image") -> list[str]:
    """Write pictures as URLs and `data:` URIs.

    Args:
        images: In the client's order.
        endpoint: Where they are sent.
        param: What an error calls the field they came in.

    Raises:
        UnsupportedParameterError: An inline one is not what the endpoint takes.
    """
    limits = PictureLimits(
        media_types=_MEDIA_TYPES, shortest_side=endpoint.smallest_side, longest_ratio=_LONGEST_RATIO
    )
    written = [write_picture(image, limits, param=param) for image in images]
    if endpoint is FIRST_LAST_FRAME:
        _check_frames(images, param)
    return written


def _check_frames(images: Sequence[Image], param: str) -> None:
    """Refuse frames of too different a size.

    The documentation does not say whether it means the area or the sides; what breaks the rule
    in one reading alone is passed on.
    """
    every = [read_picture_facts(image.content or b"") for image in images]
    sizes = [(facts.width, facts.height) for facts in every if facts.width and facts.height]
    if len(sizes) != 2:  # noqa: PLR2004 - the first and the last frame
        return
    (width, height), (last_width, last_height) = sizes
    across, down = width / last_width, height / last_height
    least, most = _FRAME_RATIO
    fits_area, *fits = (least <= ratio <= most for ratio in (across * down, across, down))
    if not fits_area and not all(fits):
        raise UnsupportedParameterError(
            param,
            f"The first frame has {width}x{height} pixels and the last one "
            f"{last_width}x{last_height}; Vidu takes frames of about the same size.",
        )


# Pictures that a client wrote into Vidu's own fields

_LINK = re.compile(r"\s*https?://", re.IGNORECASE)
_DATA_URI = re.compile(r"\s*data:(?P<type>[^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)
_HEAD_CHARACTERS = 1000

_FIELDS: Mapping[str, tuple[str, ...]] = {
    REFERENCES.name: ("images", "subjects.images"),
    MULTIFRAME.name: ("start_image", "image_settings.key_image"),
}
"""Where an endpoint has more than one field; a dot means a field of each member of a list."""


def to_vendor_pictures(over: Mapping[str, Any], choice: Choice) -> dict[str, Any]:
    """Write inline pictures among the vendor fields as `data:` URIs, and check them as all others.

    URLs are not touched, and neither is what an unknown model gets that is no picture.

    Raises:
        UnsupportedParameterError: One is not what the endpoint takes; it names the vendor's field.
    """
    fields = dict(over)
    endpoint = choice.endpoint
    for param in _FIELDS.get(endpoint.name, (endpoint.picture_field,)):
        name, _, inner = param.partition(".")
        value = fields.get(name)
        if name in fields and not inner:
            fields[name] = _rewrite(value, choice, param)
        elif isinstance(value, list):
            fields[name] = [
                {**item, inner: _rewrite(item[inner], choice, param)}
                if isinstance(item, Mapping) and inner in item
                else item
                for item in value
            ]
    return fields


def _rewrite(value: Any, choice: Choice, param: str) -> Any:
    if not isinstance(value, list):
        return _rewrite([value], choice, param)[0]
    images = [_read(one, choice, param) for one in value]
    read = [image for image in images if image is not None]
    written = iter(to_pictures(read, choice.endpoint, param=param))
    return [
        one if image is None else next(written) for one, image in zip(value, images, strict=True)
    ]


def _read(value: Any, choice: Choice, param: str) -> Image | None:
    """One picture; `None` for what stays as it is."""
    if not isinstance(value, str) or not value:
        return None
    if _LINK.match(value, 0, _HEAD_CHARACTERS):
        return Image(url=value)
    head = _DATA_URI.match(value[:_HEAD_CHARACTERS])
    is_known = choice.capabilities is not None
    try:
        content = decode_base64(value[head.end() :] if head else value, is_lenient=True)
    except ValueError:
        if is_known:
            raise UnsupportedParameterError(
                param, f"{param} takes http and https URLs, and data: URIs in base64."
            ) from None
        return None
    if not (is_known or head or read_picture_facts(content).media_type):
        return None
    return Image(content=content, media_type=head["type"].strip().lower() if head else None)


# The weight of a body


def check_weight(body: Mapping[str, Any]) -> None:
    """Refuse a body that is too large to be sent.

    Raises:
        UnsupportedParameterError: It is.
    """
    if json_size(body) > _MAX_BODY_BYTES - _BODY_RESERVE_BYTES:
        raise UnsupportedParameterError(
            "image",
            "Vidu takes at most 20 MB in one request, about 15 MB of inline pictures; "
            "send smaller pictures or URLs.",
        )
