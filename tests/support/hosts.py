"""A host of finished videos over real sockets, which behaves as badly as it is told to."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

__all__ = ["FILE", "TAG", "Exchange", "Host", "Play", "open_host", "ranged", "respond", "whole"]

FILE: Final = bytes(range(251)) * 4096
"""About 1 MB in which no two places near each other look alike."""

TAG: Final = '"v1"'
_RANGE: Final = re.compile(r"bytes=([0-9]*)-([0-9]*)")


@dataclass
class Exchange:
    """One request to the host, and the way back."""

    method: str
    target: str
    headers: Mapping[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def hang(self) -> None:
        """Say nothing more until the other side goes away."""
        await self.reader.read()
        self.writer.close()

    async def write(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
        await self.writer.drain()

    def span(self, size: int) -> tuple[int, int] | None:
        """What `Range` asks for, clipped to the size; `None` where it asks for nothing."""
        match = _RANGE.fullmatch(self.headers.get("range", ""))
        if match is None:
            return None
        if not match[1]:
            return max(0, size - int(match[2])), size - 1
        return int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)


Play: TypeAlias = Callable[[Exchange], Awaitable[None]]


def head(status: int, headers: Mapping[str, object]) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def respond(status: int, body: bytes = b"", **headers: object) -> Play:
    """Answer always the same."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def play(exchange: Exchange) -> None:
        await exchange.write(head(status, {"Content-Length": len(body), **named}), body)

    return play


def ranged(content: bytes = FILE, **headers: object) -> Play:
    """Serve a file as one should."""
    named = {
        "Content-Type": "video/mp4",
        "ETag": TAG,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }

    async def play(exchange: Exchange) -> None:
        span = exchange.span(len(content))
        if span is None:
            await exchange.write(head(200, {**named, "Content-Length": len(content)}), content)
            return
        first, last = span
        if first > last:
            beyond = {"Content-Range": f"bytes */{len(content)}", "Content-Length": 0}
            await exchange.write(head(416, beyond))
            return
        part = content[first : last + 1]
        about = {
            "Content-Length": len(part),
            "Content-Range": f"bytes {first}-{last}/{len(content)}",
        }
        await exchange.write(head(206, {**named, **about}), part)

    return play


def whole(content: bytes = FILE, **headers: object) -> Play:
    """Serve a file, and ignore that only a part of it is asked for."""
    return respond(200, content, **{"Content_Type": "video/mp4", **headers})


@dataclass
class Host:
    """Plays what it is told to; of several plays each once, the last one for ever."""

    plays: list[Play] = field(default_factory=lambda: [ranged()])
    asked: list[Exchange] = field(default_factory=list)
    port: int = 0
    open_connections: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._count(1)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while not writer.is_closing():
                    text = (await reader.readuntil(b"\r\n\r\n")).decode()
                    line, *lines = text.strip().split("\r\n")
                    method, target, _ = line.split(" ")
                    pairs = (line.partition(":")[::2] for line in lines)
                    headers = {name.lower(): value.strip() for name, value in pairs}
                    exchange = Exchange(method, target, headers, reader, writer)
                    self.asked.append(exchange)
                    await self._count(0)
                    play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
                    await play(exchange)
        finally:
            writer.close()
            await self._count(-1)

    async def _count(self, change: int) -> None:
        self.open_connections += change
        async with self.changed:
            self.changed.notify_all()

    async def idle(self) -> None:
        """Wait until nobody is connected any more."""
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: self.open_connections == 0)


@asynccontextmanager
async def open_host() -> AsyncIterator[Host]:
    """Run a host on loopback."""
    host = Host()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await host.handle(reader, writer)
        except asyncio.CancelledError:
            pass  # the end of the test
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
