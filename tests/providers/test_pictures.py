"""Pictures, read from their own headers, whole and cut off; and which of them are refused."""

import base64
import random
import struct
import zlib
from typing import Any

import pytest

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image
from vidgate.providers.pictures import (
    PictureFacts,
    PictureLimits,
    check_picture,
    read_picture_facts,
)


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    rows = b"".join(b"\0" + bytes(width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def gif(width: int, height: int, version: bytes = b"89a") -> bytes:
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00;"
    return b"GIF" + version + screen + frame


def jpeg(width: int, height: int, *before: bytes, frame: int = 0xC0) -> bytes:
    """A start of image, these segments, and a frame header."""
    header = struct.pack(">BHHB", 8, height, width, 3) + b"\x01\x22\0\x02\x11\1\x03\x11\1"
    return (
        b"\xff\xd8"
        + b"".join(before)
        + b"\xff"
        + bytes([frame])
        + struct.pack(">H", len(header) + 2)
        + header
        + b"\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0data\xff\xd9"
    )


def segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def webp(kind: bytes, content: bytes) -> bytes:
    body = b"WEBP" + kind + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(body)) + body


def lossy(width: int, height: int, scale: int = 0) -> bytes:
    sides = struct.pack("<HH", width | scale << 14, height | scale << 14)
    return webp(b"VP8 ", b"\x30\x01\x00\x9d\x01\x2a" + sides + bytes(20))


def lossless(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", bits) + bytes(12))


def extended(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp(b"VP8X", b"\x10\0\0\0" + sides)


EXIF = segment(0xE1, b"Exif\0\0" + bytes(2000) + jpeg(160, 120))
"""With a thumbnail, which is a JPEG of its own."""

COMMON = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"), segment(0xDB, bytes(65))

# Made by an encoder, one pixel each.
REAL_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP////////////////////////////////////////////////////////////"
    "//////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
)
REAL_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
REAL_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
REAL_LOSSLESS = base64.b64decode("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
REAL_LOSSY = base64.b64decode("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")

PICTURES = [
    ("png", png(640, 360), ("image/png", 640, 360)),
    ("gif 89", gif(320, 200), ("image/gif", 320, 200)),
    ("gif 87", gif(300, 200, b"87a"), ("image/gif", 300, 200)),
    ("jpeg", jpeg(1920, 1080, *COMMON), ("image/jpeg", 1920, 1080)),
    ("jpeg with a thumbnail", jpeg(800, 600, EXIF, *COMMON), ("image/jpeg", 800, 600)),
    ("progressive jpeg", jpeg(800, 600, *COMMON, frame=0xC2), ("image/jpeg", 800, 600)),
    (
        "jpeg with a table before its frame",
        jpeg(800, 600, segment(0xC4, bytes(30)), segment(0xCC, bytes(4))),
        ("image/jpeg", 800, 600),
    ),
    ("padded jpeg", jpeg(800, 600, COMMON[0] + b"\xff\xff\xff"), ("image/jpeg", 800, 600)),
    ("lossy webp", lossy(720, 1280), ("image/webp", 720, 1280)),
    ("scaled webp", lossy(720, 1280, scale=3), ("image/webp", 720, 1280)),
    ("lossless webp", lossless(16383, 1), ("image/webp", 16383, 1)),
    ("extended webp", extended(100_000, 2), ("image/webp", 100_000, 2)),
    ("real jpeg", REAL_JPEG, ("image/jpeg", 1, 1)),
    ("real gif", REAL_GIF, ("image/gif", 1, 1)),
    ("real png", REAL_PNG, ("image/png", 1, 1)),
    ("real lossless webp", REAL_LOSSLESS, ("image/webp", 1, 1)),
    ("real lossy webp", REAL_LOSSY, ("image/webp", 1, 1)),
]
WHOLE = [pytest.param(content, PictureFacts(*facts), id=name) for name, content, facts in PICTURES]


@pytest.mark.parametrize(("content", "facts"), WHOLE)
def test_a_picture_says_what_it_is(content: bytes, facts: PictureFacts) -> None:
    assert read_picture_facts(content) == facts


@pytest.mark.parametrize(("content", "facts"), WHOLE)
def test_a_picture_that_is_cut_off_says_that_or_less(content: bytes, facts: PictureFacts) -> None:
    sizes = (facts.width, facts.height)
    for length in range(len(content)):
        read = read_picture_facts(content[:length])
        assert read.media_type in {facts.media_type, None}
        assert (read.width, read.height) in {sizes, (None, None)}, length


@pytest.mark.parametrize(("content", "facts"), WHOLE)
def test_what_kind_it_is_can_be_told_without_its_size(content: bytes, facts: PictureFacts) -> None:
    assert read_picture_facts(content[:16]).media_type == facts.media_type


def test_noise_is_no_picture_and_no_error() -> None:
    randomness = random.Random(7)  # noqa: S311 - noise, and the same each time
    starts = [content[:12] for _, content, _ in PICTURES]
    for _ in range(3000):
        noise = randomness.choice([b"", *starts]) + randomness.randbytes(randomness.randrange(60))
        facts = read_picture_facts(noise)
        for side in (facts.width, facts.height):
            assert side is None or side >= 0
    assert read_picture_facts(b"") == PictureFacts()
    assert read_picture_facts(b"<svg/>") == PictureFacts()


def test_a_jpeg_without_a_frame_has_no_size() -> None:
    for content in (
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + COMMON[0] * 5,
        b"\xff\xd8" + segment(0xDA, b"\3\1\0\2\x11\3\x11\0\x3f\0") + b"noise" * 40 + jpeg(5, 5),
        b"\xff\xd8\xff\xe1\0\0" + bytes(40),
    ):
        assert read_picture_facts(content) == PictureFacts("image/jpeg")


LIMITS = PictureLimits(
    media_types=("image/png", "image/jpeg"),
    size_bytes=20_000,
    shortest_side=128,
    longest_side=2048,
    longest_ratio=4,
)


_WRONG_KIND = (
    "The model does not take this kind of picture in image. Allowed: image/png, image/jpeg."
)


def image(content: bytes, media_type: str | None = None) -> Image:
    return Image(content=content, media_type=media_type)


@pytest.mark.parametrize(
    "content", [png(128, 128), png(512, 128), png(128, 512), jpeg(2048, 512, *COMMON)]
)
def test_a_picture_within_the_limits_is_taken(content: bytes) -> None:
    check_picture(image(content), LIMITS)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            png(127, 128),
            "The picture in image has 127x128 pixels; each side must have at least 128.",
        ),
        (
            png(128, 127),
            "The picture in image has 128x127 pixels; each side must have at least 128.",
        ),
        (
            jpeg(2049, 600),
            "The picture in image has 2049x600 pixels; each side may have at most 2048.",
        ),
        (
            png(513, 128),
            "The picture in image has 513x128 pixels; one side may be at most 4 times the other.",
        ),
        (
            gif(200, 200),
            _WRONG_KIND,
        ),
        (png(200, 200) + bytes(20_000), "The picture in image may have at most 20,000 bytes."),
        (
            b"what?",
            _WRONG_KIND,
        ),
    ],
)
def test_one_beyond_them_is_refused_and_said_why(content: bytes, told: str) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        check_picture(image(content), LIMITS)
    assert caught.value.message == told
    assert caught.value.param == "image"


def test_the_field_is_named() -> None:
    with pytest.raises(UnsupportedParameterError, match=r"in images\[1\]") as caught:
        check_picture(image(png(1, 1)), LIMITS, param="images[1]")
    assert caught.value.param == "images[1]"


def test_what_the_bytes_say_counts_more_than_what_the_client_said() -> None:
    with pytest.raises(UnsupportedParameterError):
        check_picture(image(gif(200, 200), "image/png"), LIMITS)
    check_picture(image(b"unreadable", "image/png"), LIMITS)


@pytest.mark.parametrize("limits", [LIMITS, PictureLimits()])
def test_a_url_is_not_looked_at(limits: PictureLimits) -> None:
    check_picture(Image(url="https://pictures.test/1.gif"), limits)


@pytest.mark.parametrize(("content", "facts"), WHOLE)
def test_without_limits_everything_is_taken(content: bytes, facts: Any) -> None:
    del facts
    check_picture(image(content), PictureLimits())


@pytest.mark.parametrize("content", [gif(0, 200), lossy(200, 0), jpeg(200, 0), png(0, 0)])
def test_a_side_that_is_not_told_is_the_provider_s_to_judge(content: bytes) -> None:
    facts = read_picture_facts(content)

    assert facts.media_type is not None
    assert (facts.width, facts.height) == (None, None)
    check_picture(image(content), PictureLimits(shortest_side=128, longest_ratio=4))
