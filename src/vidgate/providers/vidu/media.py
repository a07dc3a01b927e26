"""Pictures in the form that Vidu takes, and what a body with them may weigh."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image
from vidgate.providers.pictures import PictureLimits, check_picture, read_picture_facts
from vidgate.providers.pieces import encode_base64, json_size
from vidgate.providers.vidu.endpoints import FIRST_LAST_FRAME, Endpoint

__all__ = ["check_weight", "to_pictures"]

_MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp")
_MAX_PICTURE_BYTES = 50_000_000

_LONGEST_RATIO = math.nextafter(4, 0)
"""Strictly between 1:4 and 4:1."""

_FRAME_RATIO = (0.8, 1.25)
"""How much larger the first frame may be than the last."""

_MAX_BODY_BYTES = 20 * 1024 * 1024
"""The vendor's limit for a whole POST body, "20 MB"."""

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
        media_types=_MEDIA_TYPES,
        size_bytes=_MAX_PICTURE_BYTES,
        shortest_side=endpoint.smallest_side,
        longest_ratio=_LONGEST_RATIO,
    )
    written = [_to_picture(image, limits, param) for image in images]
    if endpoint is FIRST_LAST_FRAME:
        _check_frames(images, param)
    return written


def _to_picture(image: Image, limits: PictureLimits, param: str) -> str:
    if image.url is not None:
        return image.url
    if image.media_type == "image/jpg":
        image = replace(image, media_type="image/jpeg")
    check_picture(image, limits, param=param)
    content = image.content or b""
    media_type = read_picture_facts(content).media_type or image.media_type
    return encode_base64(content, f"data:{media_type};base64,")


def _check_frames(images: Sequence[Image], param: str) -> None:
    """Refuse frames of too different a size.

    The documentation does not say whether it means the area or the sides; what breaks the rule
    in one reading alone is passed on.
    """
    sizes = [read_picture_facts(image.content or b"") for image in images]
    widths = [size.width for size in sizes if size.width]
    heights = [size.height for size in sizes if size.height]
    if len(widths) != 2 or len(heights) != 2:  # noqa: PLR2004 - the first and the last frame
        return
    across, down = widths[0] / widths[1], heights[0] / heights[1]
    least, most = _FRAME_RATIO

    def fits(ratio: float) -> bool:
        return least <= ratio <= most

    if not fits(across * down) and not (fits(across) and fits(down)):
        raise UnsupportedParameterError(
            param,
            f"The first frame has {widths[0]}x{heights[0]} pixels and the last one "
            f"{widths[1]}x{heights[1]}; Vidu takes frames of about the same size.",
        )


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
