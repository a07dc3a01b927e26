"""What an MP4 file really is, read from its index by a few ranged reads.

A file is a row of boxes: 4 bytes of size, 4 of type, content. The index (`moov`) stands before the
pictures or behind them, so boxes are walked by their headers and the pictures are never read. Every
number in a file is a claim: reads, bytes and boxes are bounded, whatever the sizes say.

Source: ISO/IEC 14496-12:2022, clauses 4.2, 8.2 to 8.8.
"""

import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["READ_LIMIT", "READ_LIMIT_BYTES", "VideoFacts", "probe_mp4"]

Read: TypeAlias = Callable[[int, int], Awaitable[tuple[bytes, int | None]]]
"""Takes a start and a length in bytes; gives what is there, and the size of the file if known."""

READ_LIMIT: Final = 8
"""Reads at most. An ordinary file takes one when the index is in front, two when it is behind."""

READ_LIMIT_BYTES: Final = 2 * 1024 * 1024
"""Bytes at most in all. The index of a minute of video is some 50 KiB, and what is needed stands in
front in each track."""

_WINDOW_BYTES: Final = 64 * 1024
"""Of an ordinary read: the index of most generated videos, whole."""

_CHILD_LIMIT: Final = 1000
"""Boxes looked at inside one; honest ones hold some ten."""

_FIRST_TYPES: Final = frozenset(
    {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"uuid", b"pdin", b"sidx"}
)
_FPS_LIMIT: Final = 1000.0
_DURATION_LIMIT_SECONDS: Final = 366 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What the largest video track of a file says of itself.

    Attributes:
        duration_seconds: Of the video track, to the millisecond.
        fps: Frames a second on average, to the hundredth: 29.97 stays, 23.9996 is 24.
        width: Pixels as shown, after rotation.
        height: Pixels as shown, after rotation.
    """

    duration_seconds: float | None
    fps: float | None
    width: int | None
    height: int | None


async def probe_mp4(read: Read) -> VideoFacts | None:
    """Read what an MP4 holds, or `None` if it cannot be read.

    Args:
        read: Reads a part of the file. What it raises goes through; nothing else is raised.
    """
    index = await _Walk(read).find_index()
    if index is None:
        return None
    try:
        return _read_index(index)
    except (struct.error, ValueError, ArithmeticError):
        return None


class _Walk:
    """Goes from box to box at the top of a file, with what may still be read."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._reads_left = READ_LIMIT
        self._bytes_left = READ_LIMIT_BYTES
        self._window = b""
        self._window_start = 0
        self._total_bytes: int | None = None

    async def find_index(self) -> bytes | None:
        """The content of `moov`, perhaps cut short, or `None` if it cannot be found."""
        position = 0
        while True:
            header = await self._get(position, 16, _WINDOW_BYTES)
            box = _read_header(header)
            if box is None or (position == 0 and box.type not in _FIRST_TYPES):
                return None
            if box.type == b"moov":
                size = READ_LIMIT_BYTES if box.size == 0 else min(box.size, READ_LIMIT_BYTES)
                content = await self._get(position, size, size)
                return content[box.header_size :]
            if box.size == 0:  # reaches to the end of the file
                return None
            position += box.size

    async def _get(self, start: int, wanted: int, ahead: int) -> bytes:
        """At most `wanted` bytes from `start`; fewer may exist or be allowed."""
        offset = start - self._window_start
        held = self._window[offset : offset + wanted] if offset >= 0 else b""
        if len(held) == wanted:
            return held
        if self._total_bytes is not None and start + len(held) >= self._total_bytes:
            return held
        length = min(ahead - len(held), self._bytes_left)
        if length <= 0 or self._reads_left <= 0:
            return held
        self._reads_left -= 1
        self._bytes_left -= length
        more, total_bytes = await self._read(start + len(held), length)
        if total_bytes is not None:
            self._total_bytes = total_bytes
        self._window = held + more[:length]
        self._window_start = start
        return self._window[:wanted]


@dataclass(slots=True)
class _Box:
    """The header of a box.

    Attributes:
        type: Four characters.
        header_size: In bytes.
        size: In bytes, header included; 0 means to the end of what holds it.
    """

    type: bytes
    header_size: int
    size: int


@dataclass(slots=True)
class _Track:
    """What is collected of a track; 0 means that it is not said."""

    is_video: bool = False
    track_id: int = 0
    width: int = 0
    height: int = 0
    is_turned: bool = False
    timescale: int = 0
    duration: int = 0
    samples: int = 0
    ticks: int = 0


def _read_header(data: bytes) -> _Box | None:
    if len(data) < 8:  # noqa: PLR2004 size and type
        return None
    size, kind = struct.unpack_from(">I4s", data)
    header_size = 8
    if size == 1:
        if len(data) < 16:  # noqa: PLR2004 size, type and large size
            return None
        size, header_size = struct.unpack_from(">Q", data, 8)[0], 16
    if size != 0 and size < header_size:
        return None
    return _Box(kind, header_size, size)


def _children(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each box inside; the last may be cut short."""
    position = 0
    for _ in range(_CHILD_LIMIT):
        box = _read_header(data[position : position + 16])
        if box is None:
            return
        end = len(data) if box.size == 0 else position + box.size
        yield box.type, data[position + box.header_size : end]
        position = end


def _child(data: bytes, *path: bytes) -> bytes:
    """The content of the first box of that path, or empty."""
    for wanted in path:
        data = next((content for kind, content in _children(data) if kind == wanted), b"")
    return data


def _read_index(index: bytes) -> VideoFacts | None:
    tracks = [_read_track(content) for kind, content in _children(index) if kind == b"trak"]
    videos = [track for track in tracks if track.is_video]
    if not videos:
        return None
    # A cover picture is a video track too, of one frame.
    video = max(videos, key=lambda track: (track.samples, track.width * track.height))
    _complete_from_fragments(video, index)
    scale = video.timescale
    duration_seconds = video.duration / scale if scale else 0.0
    if not 0 < duration_seconds <= _DURATION_LIMIT_SECONDS:
        duration_seconds = 0.0
    fps = video.samples * scale / video.ticks if video.ticks else 0.0
    if not 0 < fps <= _FPS_LIMIT:
        fps = 0.0
    width, height = video.width, video.height
    if video.is_turned:
        width, height = height, width
    return VideoFacts(
        duration_seconds=round(duration_seconds, 3) or None,
        fps=round(fps, 2) or None,
        width=width or None,
        height=height or None,
    )


def _read_track(data: bytes) -> _Track:
    track = _Track()
    media = _child(data, b"mdia")
    track.is_video = _child(media, b"hdlr")[8:12] == b"vide"
    if not track.is_video:
        return track
    _read_track_header(_child(data, b"tkhd"), track)
    _read_media_header(_child(media, b"mdhd"), track)
    table = _child(media, b"minf", b"stbl")
    _read_coded_size(_child(table, b"stsd"), track)
    # Pairs of a number of frames and the ticks that each lasts; what was cut off is not counted
    # on either side.
    times = _child(table, b"stts")[8:]
    for count, delta in struct.iter_unpack(">II", times[: len(times) // 8 * 8]):
        track.samples += count
        track.ticks += count * delta
    if not track.duration:
        track.duration = track.ticks
    return track


def _read_track_header(data: bytes, track: _Track) -> None:
    # Version 1 has 64-bit times: 12 bytes more before the rest, which ends matrix, width, height.
    shift = 12 if data[:1] == b"\x01" else 0
    if len(data) < 84 + shift:
        return
    track.track_id = struct.unpack_from(">I", data, 20 if shift else 12)[0]
    # A turn by a quarter has nothing on the diagonal of the matrix.
    matrix = struct.unpack_from(">9i", data, 40 + shift)
    track.is_turned = matrix[0] == 0 and matrix[1] != 0 and matrix[3] != 0
    width, height = struct.unpack_from(">II", data, 76 + shift)
    track.width, track.height = width >> 16, height >> 16


def _read_media_header(data: bytes, track: _Track) -> None:
    layout, offset = (">IQ", 20) if data[:1] == b"\x01" else (">II", 12)
    if len(data) < offset + struct.calcsize(layout):
        return
    track.timescale, duration = struct.unpack_from(layout, data, offset)
    unknown = 0xFFFF_FFFF_FFFF_FFFF if layout == ">IQ" else 0xFFFF_FFFF
    track.duration = 0 if duration == unknown else duration


def _read_coded_size(data: bytes, track: _Track) -> None:
    """The size of the pictures themselves; the track header's follows the shape of the pixels."""
    entry = data[8:]
    if len(entry) < 36:  # noqa: PLR2004 up to and including width and height of a visual entry
        return
    width, height = struct.unpack_from(">HH", entry, 32)
    if width and height:
        track.width, track.height = width, height


def _complete_from_fragments(track: _Track, index: bytes) -> None:
    """A fragmented file has its frames' times elsewhere; defaults and the whole length are here."""
    extends = _child(index, b"mvex")
    if not extends:
        return
    if not track.samples:
        for kind, content in _children(extends):
            if kind == b"trex" and len(content) >= 16:  # noqa: PLR2004 up to the default duration
                track_id, _, duration = struct.unpack_from(">III", content, 4)
                if track_id == track.track_id and duration:
                    track.samples, track.ticks = 1, duration
    if track.duration <= track.ticks and (header := _child(extends, b"mehd")):
        movie = _child(index, b"mvhd")
        scale = struct.unpack_from(">I", movie, 20 if movie[:1] == b"\x01" else 12)[0]
        layout = ">Q" if header[:1] == b"\x01" else ">I"
        length = struct.unpack_from(layout, header, 4)[0]
        if scale and track.timescale:
            track.duration = length * track.timescale // scale
