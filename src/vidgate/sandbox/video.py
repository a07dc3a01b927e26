"""Real MP4 files: a test picture in motion, of any size and length, encoded once per shape.

The picture repeats after a second or two. Only that loop is encoded, and its packets are written as
often as the length needs: each loop starts with a key frame and no frame looks ahead, so it can be
cut anywhere. Even 15 seconds in 4K take about a second of one core.
"""

import asyncio
import tempfile
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
from av.video.stream import VideoStream

__all__ = ["Clip", "VideoStore", "encode"]

FPS = 24
"""Frames per second of all three services."""

_ENCODERS = ("libx264", "libopenh264", "mpeg4")
"""By preference; the first that this build of FFmpeg has is used."""

_LARGE_PIXELS = 1920 * 1088
"""Above this size the loop lasts one second instead of two."""

_KEPT_CLIPS = 64
"""Encoded shapes kept in memory; an evicted one is encoded again when it is asked for."""

_BLACK_TO_WHITE = bytes(24 + x * 200 // 256 for x in range(256))


@dataclass(frozen=True, slots=True)
class Clip:
    """The shape of a video; width and height are even."""

    width: int
    height: int
    frames: int
    fps: int = FPS

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.fps

    @property
    def ratio(self) -> float:
        """Width over height."""
        return self.width / self.height

    def reshaped(self, short: int, ratio: float | None = None) -> "Clip":
        """A clip as long, with that short side; the shape stays unless a ratio is given."""
        ratio = ratio or self.ratio
        long = round(short * max(ratio, 1 / ratio) / 2) * 2
        width, height = (long, short) if ratio >= 1 else (short, long)
        return Clip(width, height, self.frames, self.fps)

    @classmethod
    def lasting(cls, width: int, height: int, seconds: float) -> "Clip":
        """A clip as the services deliver it, one frame longer than was asked."""
        return cls(width, height, round(seconds * FPS) + 1)


class VideoStore:
    """Encodes clips in one thread of its own and remembers them."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._clips: OrderedDict[Clip, Future[bytes]] = OrderedDict()

    def prepare(self, clip: Clip) -> Future[bytes]:
        """Start encoding the clip unless that was done before."""
        encoded = self._clips.get(clip)
        if encoded is None:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(1, thread_name_prefix="sandbox-video")
            encoded = self._clips[clip] = self._threads.submit(encode, clip)
            while len(self._clips) > _KEPT_CLIPS:
                self._clips.popitem(last=False)
        else:
            self._clips.move_to_end(clip)
        return encoded

    async def mp4(self, clip: Clip) -> bytes:
        """The clip as a file, waiting until it is encoded."""
        encoded = self.prepare(clip)
        return encoded.result() if encoded.done() else await asyncio.wrap_future(encoded)

    def close(self) -> None:
        """Finish the encoding that runs and drop what has not begun."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
            self._threads = None
            self._clips.clear()


def encode(clip: Clip) -> bytes:
    """Encode a clip as an MP4 file whose index comes first."""
    encoder = next(name for name in _ENCODERS if name in av.codecs_available)
    large = clip.width * clip.height > _LARGE_PIXELS
    loop = clip.fps if large else 2 * clip.fps
    options: dict[str, object] = {"g": str(loop), "bf": "0"}
    if encoder == "libx264":
        options |= {"preset": "ultrafast", "tune": "zerolatency"}
        options |= {"crf": "34", "sc_threshold": "0"}
    with tempfile.TemporaryDirectory(prefix="vidgate-sandbox-") as folder:
        path = Path(folder, "clip.mp4")
        with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = cast("VideoStream", container.add_stream(encoder, rate=clip.fps))
            stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
            stream.options = options
            packets = []
            for number in range(min(loop, clip.frames)):
                packets += stream.encode(_frame(clip, number, loop))
            packets += stream.encode(None)
            time_base = packets[0].time_base
            tick = round(1 / (clip.fps * time_base))
            encoded = [(bytes(packet), packet.is_keyframe) for packet in packets]
            for number in range(clip.frames):
                content, is_keyframe = encoded[number % len(encoded)]
                packet = av.Packet(content)
                packet.stream, packet.time_base = stream, time_base
                packet.pts = packet.dts = number * tick
                packet.duration = tick
                packet.is_keyframe = is_keyframe
                container.mux(packet)
        return path.read_bytes()


def _frame(clip: Clip, number: int, loop: int) -> av.VideoFrame:
    """Draw one frame: a grey ramp that slides sideways, a bright bar that sweeps down and up."""
    frame = av.VideoFrame(clip.width, clip.height, "yuv420p")
    frame.pts = number
    luma, *chroma = frame.planes
    width, height = clip.width, clip.height
    ramp = bytes(_BLACK_TO_WHITE[x * 255 // width] for x in range(width)) * 2
    offset = number * width // loop
    padding = bytes(luma.line_size - width)
    dark = ramp[offset : offset + width] + padding
    bright = bytes([235]) * width + padding
    bar = max(2, height // 12)
    swing = 1 - abs(2 * number / loop - 1)
    top = round(swing * (height - bar))
    luma.update(dark * top + bright * bar + dark * (height - bar - top))
    for plane, tint in zip(chroma, (150, 96), strict=True):
        plane.update(bytes([tint]) * (plane.line_size * plane.height))
    return frame
