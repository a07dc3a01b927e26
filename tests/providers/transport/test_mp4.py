"""Real files made by an encoder, and files that lie."""

import random
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from vidgate.providers.transport.mp4 import READ_LIMIT, READ_LIMIT_BYTES, VideoFacts, probe_mp4


class Source:
    """A file that counts what is read of it."""

    def __init__(self, data: bytes, *, tells_size: bool = True) -> None:
        self.data = data
        self.tells_size = tells_size
        self.reads: list[tuple[int, int]] = []

    async def read(self, start: int, length: int) -> tuple[bytes, int | None]:
        assert start >= 0
        assert length > 0
        self.reads.append((start, length))
        return self.data[start : start + length], len(self.data) if self.tells_size else None


async def probe(data: bytes, *, tells_size: bool = True) -> VideoFacts | None:
    source = Source(data, tells_size=tells_size)
    facts = await probe_mp4(source.read)
    assert len(source.reads) <= READ_LIMIT
    assert sum(length for _, length in source.reads) <= READ_LIMIT_BYTES
    return facts


def make_video(
    directory: Path,
    *,
    rate: Fraction = Fraction(24),
    frames: int = 48,
    size: tuple[int, int] = (64, 48),
    sound: bool = False,
    **options: str,
) -> bytes:
    """Encode frames of noise, which make the pictures larger than the index."""
    path = directory / "video.mp4"  # a file: moving the index to the front reads it again
    with av.open(path, "w", format="mp4", options=options) as container:
        stream = container.add_stream("mpeg4", rate=rate, bit_rate=8_000_000)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        noise = random.Random(7)  # noqa: S311 noise
        for _ in range(frames):
            frame = av.VideoFrame(*size, "yuv420p")
            for plane in frame.planes:
                plane.update(noise.randbytes(plane.buffer_size))
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
        if audio is not None:
            for _ in range(10):
                silence = av.AudioFrame(format="fltp", layout="mono", samples=1024)
                silence.sample_rate = 48000
                silence.planes[0].update(bytes(silence.planes[0].buffer_size))
                for sound_packet in audio.encode(silence):
                    container.mux(sound_packet)
    return path.read_bytes()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds, the index behind the pictures."""
    data = make_video(tmp_path_factory.mktemp("video"))
    assert data.index(b"moov") > data.index(b"mdat")
    return data


FACTS = VideoFacts(duration_seconds=2.0, fps=24.0, width=64, height=48)


async def test_an_index_behind_takes_two_reads(video: bytes) -> None:
    assert len(video) > 100_000
    source = Source(video)

    assert await probe_mp4(source.read) == FACTS
    assert len(source.reads) == 2


async def test_an_index_in_front_takes_one_read(tmp_path: Path) -> None:
    data = make_video(tmp_path, movflags="faststart")
    assert data.index(b"moov") < data.index(b"mdat")
    source = Source(data)

    assert await probe_mp4(source.read) == FACTS
    assert len(source.reads) == 1


@pytest.mark.parametrize("movflags", ["use_metadata_tags", "faststart"])
async def test_sound_changes_nothing(tmp_path: Path, movflags: str) -> None:
    assert await probe(make_video(tmp_path, sound=True, movflags=movflags)) == FACTS


@pytest.mark.parametrize(
    ("rate", "frames", "fps", "duration_seconds"),
    [
        (Fraction(30000, 1001), 30, 29.97, 1.001),
        (Fraction(24000, 1001), 24, 23.98, 1.001),
        (Fraction(25), 1, 25.0, 0.04),
        (Fraction(60), 90, 60.0, 1.5),
        (Fraction(16), 81, 16.0, 5.062),
    ],
)
async def test_rates(
    tmp_path: Path, rate: Fraction, frames: int, fps: float, duration_seconds: float
) -> None:
    facts = await probe(make_video(tmp_path, rate=rate, frames=frames))

    assert facts is not None
    assert facts.fps == fps
    assert facts.duration_seconds == pytest.approx(duration_seconds, abs=0.001)


async def test_a_size_that_is_not_told_changes_nothing(video: bytes) -> None:
    assert await probe(video, tells_size=False) == FACTS


async def test_a_fragmented_file_tells_size_and_rate(tmp_path: Path) -> None:
    data = make_video(tmp_path, movflags="frag_keyframe+empty_moov+default_base_moof")

    facts = await probe(data)

    assert facts is not None
    assert (facts.width, facts.height) == (64, 48)


async def test_the_defaults_of_a_fragmented_file_count() -> None:
    defaults = box(b"trex", bytes(4), struct.pack(">5I", 1, 1, 500, 0, 0))
    movie = box(b"mvhd", bytes(12), struct.pack(">II", 1000, 0), bytes(80))
    extends = box(b"mvex", box(b"mehd", bytes(4), struct.pack(">I", 5000)), defaults)

    assert await probe(file(movie, track(duration=0, stts=[]), extends)) == HAND_MADE


# Files put together by hand


def box(kind: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def large_box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content


IDENTITY = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
QUARTER_TURN = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)


def track(**changes: Any) -> bytes:
    """A video track of 120 frames in 5 s, 1280 by 720."""
    version = changes.get("version", 0)
    long = "Q" if version else "I"
    head = struct.pack(">I", version << 24)
    times = struct.pack(f">2{long}", 0, 0)
    track_header = box(
        b"tkhd",
        head,
        times,
        struct.pack(f">II{long}", 1, 0, 5000),
        bytes(16),
        struct.pack(">9i", *changes.get("matrix", IDENTITY)),
        struct.pack(">II", 640 << 16, 720 << 16),
    )
    duration = changes.get("duration", 60000)
    media_header = box(
        b"mdhd",
        head,
        times,
        struct.pack(f">I{long}", changes.get("timescale", 12000), duration),
        bytes(4),
    )
    handler = box(b"hdlr", bytes(8), changes.get("handler", b"vide"), bytes(13))
    entry = box(
        b"avc1", bytes(24), struct.pack(">HH", *changes.get("coded", (1280, 720))), bytes(50)
    )
    descriptions = box(b"stsd", bytes(4), struct.pack(">I", 1), entry)
    stts = changes.get("stts", [(120, 500)])
    table = box(
        b"stts", bytes(4), struct.pack(">I", len(stts)), *(struct.pack(">II", *row) for row in stts)
    )
    return box(
        b"trak",
        track_header,
        box(b"mdia", media_header, handler, box(b"minf", box(b"stbl", descriptions, table))),
    )


FTYP = box(b"ftyp", b"isom", bytes(4))


def file(*tracks: bytes, before: bytes = b"") -> bytes:
    return FTYP + before + box(b"moov", *tracks)


HAND_MADE = VideoFacts(duration_seconds=5.0, fps=24.0, width=1280, height=720)


@pytest.mark.parametrize("version", [0, 1])
async def test_both_versions_of_the_headers(version: int) -> None:
    assert await probe(file(track(version=version))) == HAND_MADE


async def test_a_quarter_turn_swaps_the_sides() -> None:
    facts = await probe(file(track(matrix=QUARTER_TURN)))

    assert facts is not None
    assert (facts.width, facts.height) == (720, 1280)


async def test_without_a_coded_size_the_track_header_counts() -> None:
    facts = await probe(file(track(coded=(0, 0))))

    assert facts is not None
    assert (facts.width, facts.height) == (640, 720)


async def test_a_cover_picture_is_not_the_video() -> None:
    cover = track(stts=[(1, 1)], coded=(3000, 3000))

    assert await probe(file(cover, track())) == HAND_MADE


async def test_a_large_size_is_understood() -> None:
    data = FTYP + large_box(b"mdat", bytes(200_000)) + box(b"moov", track())

    assert await probe(data) == HAND_MADE


async def test_an_index_that_reaches_to_the_end_is_understood() -> None:
    data = FTYP + struct.pack(">I4s", 0, b"moov") + track()

    assert await probe(data) == HAND_MADE


async def test_an_index_larger_than_a_read_is_read_on() -> None:
    data = file(box(b"udta", bytes(300_000)), track())

    assert await probe(data) == HAND_MADE


async def test_what_is_not_said_is_none() -> None:
    facts = await probe(file(track(duration=0, stts=[], timescale=0, coded=(0, 0))))

    assert facts == VideoFacts(duration_seconds=None, fps=None, width=640, height=720)


async def test_an_unknown_duration_is_the_sum_of_the_frames() -> None:
    assert await probe(file(track(duration=0xFFFFFFFF))) == HAND_MADE


async def test_impossible_rates_are_none() -> None:
    facts = await probe(file(track(stts=[(0xFFFFFFFF, 1)])))

    assert facts is not None
    assert facts.fps is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        FTYP,
        b"<html><body>403 Forbidden</body></html>",
        b"\x1a\x45\xdf\xa3" + bytes(100),
        bytes(100_000),
        b"\xff" * 100_000,
        FTYP + struct.pack(">I4s", 0, b"mdat") + bytes(100),
        FTYP + struct.pack(">I", 4) + box(b"moov", track()),
        FTYP + struct.pack(">I4sQ", 1, b"free", 15) + file(track()),
        FTYP + struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1),
        FTYP + struct.pack(">I4s", 1, b"mdat"),
        FTYP + box(b"moov"),
        FTYP + struct.pack(">I4s", 0xFFFFFFFF, b"moov"),
        file(track(handler=b"soun")),
        file(box(b"trak")),
        file(track(), box(b"mvex", box(b"mehd", bytes(8))), box(b"mvhd", bytes(4))),
        file(struct.pack(">I4s", 0xFFFFFFFF, b"trak")),
    ],
)
async def test_what_is_no_video_is_none(data: bytes) -> None:
    assert await probe(data) is None
    assert await probe(data, tells_size=False) is None


async def test_many_boxes_far_apart_end_the_search() -> None:
    data = FTYP + box(b"free", bytes(100_000)) * 20 + box(b"moov", track())

    assert await probe(data) is None


async def test_boxes_within_boxes_by_the_thousand_are_bounded() -> None:
    assert await probe(file(box(b"free") * 200_000, track())) is None


async def test_truncated_anywhere_nothing_is_raised(video: bytes) -> None:
    index_start = video.index(b"moov") - 4

    for end in [*range(200), *range(index_start, len(video), 7)]:
        await probe(video[:end])


async def test_a_changed_byte_raises_nothing() -> None:
    data = file(track())

    for position in range(len(data)):
        for value in (0, 1, 0x7F, 0xFF):
            await probe(data[:position] + bytes([value]) + data[position + 1 :])


async def test_random_bytes_raise_nothing() -> None:
    noise = random.Random(20261120)  # noqa: S311 noise
    kinds = [
        b"moov",
        b"trak",
        b"mdia",
        b"minf",
        b"stbl",
        b"stsd",
        b"stts",
        b"tkhd",
        b"mdhd",
        b"hdlr",
    ]

    for _ in range(3000):
        parts = [
            struct.pack(">I4s", noise.choice([0, 1, 8, 40, 200, 2**32 - 1]), noise.choice(kinds))
            + noise.randbytes(noise.randrange(60))
            for _ in range(noise.randrange(12))
        ]
        await probe(FTYP + box(b"moov", *parts))
        await probe(noise.randbytes(200))


async def test_what_reading_raises_goes_through() -> None:
    async def read(start: int, length: int) -> tuple[bytes, int | None]:
        raise OSError(f"{start} {length}")

    with pytest.raises(OSError, match="0 65536"):
        await probe_mp4(read)
