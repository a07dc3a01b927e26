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

_FIELDS = ("image", "image_tail", "image_url")
_MEMBERS = ("image_url", "image")
"""Of an entry of `image_list`."""

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
    fields = _with_bare_sound(over)
    faces = fields.get("face_choose")
    if isinstance(faces, list):
        fields["face_choose"] = [
            _with_bare_sound(face) if isinstance(face, Mapping) else face for face in faces
        ]
    for name in _FIELDS:
        if name in fields:
            fields[name] = _bare(fields[name], name, max_bytes)
    images = fields.get("image_list")
    if isinstance(images, list):
        fields["image_list"] = [
            _bare_members(image, _MEMBERS, "image_list", max_bytes) for image in images
        ]
    contents = fields.get("contents")
    if isinstance(contents, list):
        fields["contents"] = [
            _bare_members(entry, ("url",), "contents", max_bytes) if _is_picture(entry) else entry
            for entry in contents
        ]
    brought = fields.get("input")
    if isinstance(brought, Mapping):
        fields["input"] = inside = _bare_members(brought, ("image",), "input", max_bytes)
        if isinstance(inside.get("images"), list):
            inside["images"] = [_bare(image, "input", max_bytes) for image in inside["images"]]
    return fields


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


def _with_bare_sound(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with an inline sound as bare base64; what it is, the vendor hears."""
    value = fields.get(_SOUND)
    if not isinstance(value, str) or value[:8].lower().startswith(_LINKS):
        return dict(fields)
    prefix = _PREFIX.match(value, 0, _HEAD_CHARACTERS)
    bare = value[prefix.end() :] if prefix else value
    if len(bare.rstrip("=")) * 3 // 4 > _SOUND_BYTES:
        raise UnsupportedParameterError(
            _SOUND, "An inline sound may have at most 5 MB; send a smaller one or its URL."
        )
    return {**fields, _SOUND: bare}


def _is_picture(entry: Any) -> bool:
    kind = entry.get("type") if isinstance(entry, Mapping) else None
    return isinstance(kind, str) and kind in _ENTRIES


def _bare_members(entry: Any, names: tuple[str, ...], param: str, max_bytes: int) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    return {
        name: _bare(value, param, max_bytes) if name in names else value
        for name, value in entry.items()
    }


def _bare(value: Any, param: str, max_bytes: int) -> Any:
    if not isinstance(value, str) or value[:8].lower().startswith(_LINKS):
        return value
    prefix = _PREFIX.match(value, 0, _HEAD_CHARACTERS)
    bare = value[prefix.end() :] if prefix else value
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
