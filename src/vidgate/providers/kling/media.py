"""Inline pictures and sounds in vendor fields: as bare base64, within the vendor's limits.

Source: the vendor's model pages under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

import re
from collections.abc import Mapping
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image
from vidgate.providers.pictures import PictureLimits, check_picture, read_picture_facts
from vidgate.providers.pieces import decode_base64

__all__ = ["bare_media", "check_inline"]

_MEDIA_TYPES = ("image/jpeg", "image/png")
_SHORTEST_SIDE = 300
_LONGEST_RATIO = 2.5

_PREFIX = re.compile(r"\s*data:[^,]{0,200};base64,", re.IGNORECASE)

_HEAD_CHARACTERS = 1000

_LINKS = ("http://", "https://")

_SOUND = "sound_file"
_SOUND_BYTES = 5 * 1024 * 1024

_HOLDERS = frozenset(
    {"image", "image_tail", "image_url", "sound_file"}
    | {"image_list", "contents", "input", "face_choose"}
)
"""Fields that are, or hold, pictures and sounds."""

_PICTURES = frozenset({"image", "image_tail", "image_url", "images", "url"})

_ENTRIES = frozenset({"first_frame", "last_frame", "refer_image", "image"})
"""Types of `contents` that are pictures; videos are URLs only."""


def bare_media(over: Mapping[str, Any], max_bytes: int) -> dict[str, Any]:
    """Take the `data:` prefix from every inline picture and sound, and check it.

    A URL stays as it is.

    Args:
        over: The vendor fields as the client gave them; they are not changed.
        max_bytes: Of a decoded picture.

    Raises:
        UnsupportedParameterError: The vendor takes no such picture or sound.
    """
    return {
        name: _bare(value, name, name, max_bytes) if name in _HOLDERS else value
        for name, value in over.items()
    }


def check_inline(image: Image, max_bytes: int, param: str) -> None:
    """Refuse bytes that are no picture Kling takes; what cannot be read is its own to judge.

    Raises:
        UnsupportedParameterError: It names the field and what is allowed.
    """
    is_known = read_picture_facts(image.content or b"").media_type or image.media_type
    limits = PictureLimits(
        media_types=_MEDIA_TYPES if is_known else (),
        size_bytes=max_bytes,
        shortest_side=_SHORTEST_SIDE,
        longest_ratio=_LONGEST_RATIO,
    )
    check_picture(image, limits, param=param)


def _bare(value: Any, name: str, param: str, max_bytes: int) -> Any:
    """A value with all the media in it bare.

    Args:
        value: Whatever the client wrote.
        name: The field that it is in.
        param: The same, at the top level.
        max_bytes: Of a decoded picture.
    """
    if isinstance(value, list):
        return [_bare(one, name, param, max_bytes) for one in value]
    if isinstance(value, Mapping) and (param != "contents" or value.get("type") in [*_ENTRIES]):
        return {key: _bare(one, key, param, max_bytes) for key, one in value.items()}
    is_media = name == _SOUND or name in _PICTURES
    if not isinstance(value, str) or not is_media or value[:8].lower().startswith(_LINKS):
        return value
    prefix = _PREFIX.match(value, 0, _HEAD_CHARACTERS)
    bare = value[prefix.end() :] if prefix else value
    if name == _SOUND:  # what it is, the vendor hears
        if len(bare.rstrip("=")) * 3 // 4 > _SOUND_BYTES:
            raise UnsupportedParameterError(
                _SOUND, "An inline sound may have at most 5 MB; send a smaller one or its URL."
            )
        return bare
    try:
        content = decode_base64(bare)
    except ValueError:
        if prefix is None:
            return value
        raise UnsupportedParameterError(
            param, f"The picture in `{param}` is no base64; send its bytes so, or its URL."
        ) from None
    check_inline(Image(content=content), max_bytes, param)
    return bare
