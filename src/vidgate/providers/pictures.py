"""What a picture is, read from its first bytes; and whether a provider takes it."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image
from vidgate.providers.pieces import encode_base64

__all__ = [
    "PictureFacts",
    "PictureLimits",
    "check_picture",
    "read_picture_facts",
    "to_data_uri",
    "write_picture",
]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""

_LOSSLESS_SIGNATURE = 0x2F
_LOSSY_START = b"\x9d\x01\x2a"

_Size: TypeAlias = tuple[int, int]
_UNKNOWN: Final = (0, 0)


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """A picture's media type and size in pixels; each `None` where it cannot be read."""

    media_type: str | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """What a provider takes of inline pictures; `None` and empty mean no limit that is known.

    Attributes:
        media_types: Such as `image/png`.
        size_bytes: At most, of the decoded file.
        shortest_side: Pixels, at least.
        longest_side: Pixels, at most.
        longest_ratio: Of the longer side to the shorter, at most.
    """

    media_types: Sequence[str] = ()
    size_bytes: int | None = None
    shortest_side: int | None = None
    longest_side: int | None = None
    longest_ratio: float | None = None


def read_picture_facts(content: bytes) -> PictureFacts:
    """Read what a PNG, JPEG, WebP or GIF says of itself; never raises.

    One that is cut off keeps its media type. A side of 0 is unknown: a JPEG may tell its
    height at its end, a GIF only with its frames.
    """
    for media_type, is_one, read_size in _KINDS:
        if is_one(content):
            try:
                width, height = read_size(content)
            except (struct.error, IndexError):
                width = height = 0
            if width and height:
                return PictureFacts(media_type, width, height)
            return PictureFacts(media_type)
    return PictureFacts()


def _size_of_png(content: bytes) -> _Size:
    width, height = struct.unpack_from(">II", content, 16)
    return (width, height) if content[12:16] == b"IHDR" else _UNKNOWN


def _size_of_gif(content: bytes) -> _Size:
    width, height = struct.unpack_from("<HH", content, 6)
    return width, height


def _size_of_webp(content: bytes) -> _Size:
    match content[12:16]:
        case b"VP8X":
            low_width, high_width, low_height, high_height = struct.unpack_from(
                "<HBHB", content, 24
            )
            return (high_width << 16 | low_width) + 1, (high_height << 16 | low_height) + 1
        case b"VP8L" if content[20] == _LOSSLESS_SIGNATURE:
            (bits,) = struct.unpack_from("<I", content, 21)
            return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
        case b"VP8 " if content[23:26] == _LOSSY_START:
            width, height = struct.unpack_from("<HH", content, 26)
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return _UNKNOWN


def _size_of_jpeg(content: bytes) -> _Size:
    place = 2
    while place + 4 <= len(content):
        if content[place] != 0xFF:  # noqa: PLR2004 - every marker begins with it
            break
        marker = content[place + 1]
        if marker == 0xFF:  # noqa: PLR2004 - padding
            place += 1
        elif marker in _JPEG_BARE:
            place += 2
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, place + 5)
            return width, height
        else:
            (length,) = struct.unpack_from(">H", content, place + 2)
            place += 2 + max(length, 2)
    return _UNKNOWN


_KINDS: Final[tuple[tuple[str, Callable[[bytes], bool], Callable[[bytes], _Size]], ...]] = (
    ("image/png", lambda content: content.startswith(_PNG), _size_of_png),
    ("image/jpeg", lambda content: content.startswith(_JPEG), _size_of_jpeg),
    (
        "image/webp",
        lambda content: content.startswith(b"RIFF") and content[8:12] == b"WEBP",
        _size_of_webp,
    ),
    ("image/gif", lambda content: content.startswith((b"GIF87a", b"GIF89a")), _size_of_gif),
)


def to_data_uri(image: Image) -> str:
    """Write an inline picture as a `data:` URI, by the media type that it has or is said to."""
    content = image.content or b""
    media_type = read_picture_facts(content).media_type or image.media_type
    return encode_base64(content, f"data:{media_type or 'application/octet-stream'};base64,")


def check_picture(image: Image, limits: PictureLimits, *, param: str = "image") -> None:
    """Refuse an inline picture that its provider will not take. A URL is not fetched.

    What cannot be read from the picture is the provider's to judge.

    Raises:
        UnsupportedParameterError: It names what is wrong and what is allowed.
    """
    content = image.content
    if content is None:
        return
    facts = read_picture_facts(content)
    if limits.size_bytes is not None and len(content) > limits.size_bytes:
        raise UnsupportedParameterError(
            param, f"The picture in {param} may have at most {limits.size_bytes:,} bytes."
        )
    media_type = facts.media_type or image.media_type
    if limits.media_types and media_type not in limits.media_types:
        says = f"The model does not take this kind of picture in {param}."
        raise UnsupportedParameterError(param, says, allowed=limits.media_types)
    if facts.width and facts.height:
        _check_size(facts.width, facts.height, limits, param)


def _check_size(width: int, height: int, limits: PictureLimits, param: str) -> None:
    short, long = sorted((width, height))
    told = f"The picture in {param} has {width}x{height} pixels;"
    says = ""
    if limits.shortest_side is not None and short < limits.shortest_side:
        says = f"each side must have at least {limits.shortest_side}."
    elif limits.longest_side is not None and long > limits.longest_side:
        says = f"each side may have at most {limits.longest_side}."
    elif limits.longest_ratio is not None and long > short * limits.longest_ratio:
        says = f"one side may be at most {limits.longest_ratio:g} times the other."
    if says:
        raise UnsupportedParameterError(param, f"{told} {says}")


def write_picture(image: Image, limits: PictureLimits, *, param: str = "image") -> str:
    """Write a picture as its URL, or as a `data:` URI where it is inline.

    Raises:
        UnsupportedParameterError: It is inline, and not what its provider takes.
    """
    if image.url is not None:
        return image.url
    if image.media_type == "image/jpg":
        image = replace(image, media_type="image/jpeg")
    check_picture(image, limits, param=param)
    return to_data_uri(image)
