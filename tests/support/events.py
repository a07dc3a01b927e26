"""Server-sent events as a client reads them, over a plain socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

__all__ = ["Event", "EventStream", "address", "listen"]


@dataclass
class Event:
    """One event; a comment has neither id nor data."""

    id: str | None
    data: Any
    text: str


class EventStream:
    """What one client hears."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self) -> Event | None:
        """The next event with data; `None` at the end of the stream."""
        async with asyncio.timeout(20):
            while block := await self.block():
                if block.data is not None:
                    return block
        return None

    async def block(self) -> Event | None:
        """What comes next, whatever it is; `None` at the end of the stream."""
        lines: list[str] = []
        async for line in self._lines:
            if line:
                lines.append(line)
            elif lines:
                break
        if not lines:
            return None
        members = dict(line.split(": ", 1) for line in lines if ": " in line)
        data = json.loads(members["data"]) if "data" in members else None
        if data is not None:
            assert members["event"] == "task.updated"
        return Event(members.get("id"), data, "\n".join(lines))


@asynccontextmanager
async def listen(
    client: httpx.AsyncClient, path: str, **headers: str
) -> AsyncIterator[EventStream]:
    """Open a stream."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.stream("GET", path, headers=named) as response:
        yield EventStream(response)


def address(client: httpx.AsyncClient) -> tuple[str, int]:
    """Where a client's server listens."""
    parts = urlsplit(str(client.base_url))
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port
