"""An upstream in Kling's format that takes its time for every question and every part of a video.

A job's id holds when it is done, so that what a database keeps of it tells the lag.

    slow.py PORT [LEAST MOST ANSWER EVERY]

with seconds in place of those below, and of the jobs every EVERY-th; the others take an hour.
"""

import asyncio
import itertools
import json
import random
import sys
import time

import uvloop

from vidgate.sandbox.video import Clip, encode

ANSWER_SECONDS = 0.6
LASTS = (60.0, 120.0)
"""Seconds that a job takes at least and at most."""

PATH = "/v1/videos/text2video"
_END = b"\r\n\r\n"
_ids = itertools.count(1)
_random = random.Random(5)
_film = b""
_lasts, _answer_seconds, _every = LASTS, ANSWER_SECONDS, 1


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(_END)
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        if len(rest) < int(length or 0):
            return
        self._buffer = b""
        method, path, *_ = head.decode().split(" ")
        if method == "POST":
            self._write(_accepted())
        else:
            answer = _part() if path.startswith("/film") else _state(path, head)
            asyncio.get_running_loop().call_later(_answer_seconds, self._write, answer)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


def _accepted() -> bytes:
    number = next(_ids)
    lasts = _random.uniform(*_lasts) if number % _every == 0 else 3600
    done = round((time.time() + lasts) * 1000)
    return _json({"task_id": f"{done}-{number}", "task_status": "submitted"})


def _state(path: str, head: bytes) -> bytes:
    job = path.rpartition("/")[2]
    if time.time() * 1000 < int(job.partition("-")[0]):
        return _json({"task_id": job, "task_status": "processing"})
    host = head.lower().partition(b"host:")[2].split(b"\r\n", 1)[0].strip().decode()
    video = {"id": "1", "url": f"http://{host}/film/{job}.mp4", "duration": "5.0"}
    return _json({"task_id": job, "task_status": "succeed", "task_result": {"videos": [video]}})


def _json(data: object) -> bytes:
    body = json.dumps({"code": 0, "message": "SUCCEED", "data": data}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + _END + body


def _part() -> bytes:
    size = len(_film)
    head = f"HTTP/1.1 206 Partial Content\r\nContent-Type: video/mp4\r\nContent-Length: {size}"
    return f"{head}\r\nContent-Range: bytes 0-{size - 1}/{size}".encode() + _END + _film


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    _film = encode(Clip(320, 180, 24))
    port, *chosen = sys.argv[1:]
    if chosen:
        least, most, _answer_seconds, every = map(float, chosen)
        _lasts, _every = (least, most), int(every)
    uvloop.run(main(int(port)))
