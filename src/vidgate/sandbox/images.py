"""Pictures sent inside a request: what they are and how large, read from their first bytes."""

import base64
import binascii
import struct
from dataclasses import dataclass

__all__ = ["Picture", "PictureError", "read_picture"]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xDA)})
_MARKER = 0xFF


class PictureError(Exception):
    """The text is no picture that the services accept."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's format and size."""

    kind: str
    width: int
    height: int
    size_bytes: int

    @property
    def ratio(self) -> float:
        """Width over height."""
        return self.width / self.height

    @property
    def elongation(self) -> float:
        """Long side over short side."""
        return max(self.ratio, 1 / self.ratio)


def read_picture(text: str) -> Picture:
    """Decode a picture from raw Base64.

    Raises:
        PictureError: The text is not Base64, or not a PNG, JPEG or WebP.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError("not Base64") from error
    try:
        kind, width, height = _measure(content)
    except (struct.error, IndexError) as error:
        raise PictureError("the picture is cut short") from error
    if not width or not height:
        raise PictureError("the picture has no size")
    return Picture(kind, width, height, len(content))


def _measure(content: bytes) -> tuple[str, int, int]:
    if content.startswith(_PNG):
        width, height = struct.unpack_from(">II", content, 16)
        return "png", width, height
    if content.startswith(_JPEG):
        return ("jpeg", *_measure_jpeg(content))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ("webp", *_measure_webp(content))
    raise PictureError("neither PNG, JPEG nor WebP")


def _measure_jpeg(content: bytes) -> tuple[int, int]:
    position = 2
    while True:
        if content[position] != _MARKER:
            raise PictureError("the JPEG is damaged")
        marker = content[position + 1]
        if marker == _MARKER:
            position += 1
        elif marker in _JPEG_BARE:
            position += 2
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, position + 5)
            return width, height
        else:
            (length,) = struct.unpack_from(">H", content, position + 2)
            position += 2 + length


def _measure_webp(content: bytes) -> tuple[int, int]:
    match content[12:16]:
        case b"VP8X":
            width = int.from_bytes(content[24:27], "little") + 1
            return width, int.from_bytes(content[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(content[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", content, 26)
            return width & 0x3FFF, height & 0x3FFF
        case _:
            raise PictureError("the WebP is damaged")
