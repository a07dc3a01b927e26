"""A load on 127.0.0.1: keep-alive connections that ask again as soon as they are answered."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import cast

import uvloop

_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Report:
    """What a load saw.

    Attributes:
        per_second: Answers of status 200.
        others: Answers of any other status.
        p50_ms: Median time to an answer.
        p99_ms: The 99th percentile.
    """

    per_second: float
    others: int
    p50_ms: float
    p99_ms: float
    bodies: list[bytes]


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], run: "_Run") -> None:
        self._requests = requests
        self._run = run
        self._buffer = b""
        self._expected = -1
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._expected < 0:
            head, found, _ = self._buffer.partition(_END)
            if not found:
                return
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            self._expected = len(head) + len(_END) + int(length)
        if len(self._buffer) < self._expected:
            return
        self._run.answered(self._buffer, time.perf_counter() - self._sent_at)
        self._buffer, self._expected = b"", -1
        self._ask()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._run.left()

    def _ask(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None) if self._run.is_on() else None
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


class _Run:
    def __init__(self, seconds: float, connections: int, *, keep_bodies: bool) -> None:
        self._ends = time.perf_counter() + seconds
        self._open = connections
        self._keep = keep_bodies
        self.times: list[float] = []
        self.others = 0
        self.bodies: list[bytes] = []
        self.done = asyncio.Event()

    def is_on(self) -> bool:
        return time.perf_counter() < self._ends

    def answered(self, answer: bytes, seconds: float) -> None:
        if answer[9:12] == b"200":
            self.times.append(seconds)
            if self._keep:
                self.bodies.append(answer.partition(_END)[2])
        else:
            self.others += 1

    def left(self) -> None:
        self._open -= 1
        if self._open == 0:
            self.done.set()


def put_load(
    port: int,
    requests: list[bytes],
    *,
    seconds: float,
    connections: int,
    once: bool = False,
    keep_bodies: bool = False,
) -> Report:
    """Send requests to a server on 127.0.0.1 for a while.

    Args:
        port: Where it listens.
        requests: Whole HTTP requests, sent in turn.
        seconds: How long at most.
        connections: How many at once.
        once: Whether each request is sent only once.
        keep_bodies: Whether the answers' bodies are kept.
    """

    async def load() -> Report:
        loop = asyncio.get_running_loop()
        run = _Run(seconds, connections, keep_bodies=keep_bodies)
        shared = iter(requests) if once else cycle(requests)
        began = time.perf_counter()
        for _ in range(connections):
            await loop.create_connection(lambda: _Connection(shared, run), "127.0.0.1", port)
        async with asyncio.timeout(seconds + 30):
            await run.done.wait()
        took = time.perf_counter() - began
        times = sorted(run.times) or [0.0]
        return Report(
            per_second=len(run.times) / took,
            others=run.others,
            p50_ms=times[len(times) // 2] * 1000,
            p99_ms=times[len(times) * 99 // 100] * 1000,
            bodies=run.bodies,
        )

    return uvloop.run(load())
