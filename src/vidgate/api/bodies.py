"""Reading bodies: bounded in size, time and memory."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar, cast

from starlette.requests import Request

from vidgate.api.forms import Form, is_multipart, parse_multipart
from vidgate.api.strict_json import parse_object
from vidgate.exceptions import BodyTooLargeError, MalformedBodyError, OverloadedError

__all__ = ["BodyBudget", "BodyReader"]

T = TypeVar("T")

_MAX_BODY_BYTES = 64 * 1024 * 1024
_THREAD_BYTES = 256 * 1024
"""From this size on parsing would hold up everybody else."""

_PARSERS = 2
"""Large bodies parsed at once: each takes a few times its size while it is."""

_INFLATE_BYTES = 256 * 1024
"""Decompressed in one go, about a millisecond's work."""

_DEADLINE = timedelta(seconds=60)
"""For a body to arrive: 64 MiB at ten megabits a second."""

_GZIP = 16 + zlib.MAX_WBITS


class BodyBudget:
    """The memory that all bodies of the process share.

    Args:
        size_bytes: All there is.
    """

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.used_bytes = 0

    def take(self, count: int) -> None:
        """Take some.

        Raises:
            OverloadedError: There is not as much left.
        """
        if self.used_bytes + count > self.size_bytes:
            raise OverloadedError("Too many large requests at once; try again in a moment.")
        self.used_bytes += count

    def give_back(self, count: int) -> None:
        """Give back what was taken."""
        self.used_bytes -= count


class _Body:
    """The bytes of one body, as they add up."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._taken = 0
        self.content = bytearray()

    def add(self, chunk: bytes) -> None:
        if self._taken + len(chunk) > _MAX_BODY_BYTES:
            raise BodyTooLargeError("The body may have at most 64 MiB, decompressed.")
        self._budget.take(len(chunk))
        self._taken += len(chunk)
        self.content += chunk

    def give_back(self) -> None:
        self._budget.give_back(self._taken)


class BodyReader:
    """Reads and parses bodies.

    Args:
        budget: What all of them share.
        deadline: For one body to arrive.
    """

    def __init__(self, budget: BodyBudget, *, deadline: timedelta = _DEADLINE) -> None:
        self.budget = budget
        self._deadline = deadline
        self._parsers = asyncio.Semaphore(_PARSERS)

    @asynccontextmanager
    async def read(self, request: Request, convert: Callable[[Form], T]) -> AsyncIterator[T]:
        """Read a body and make something of it; its memory is given back when the block ends.

        Args:
            request: Of which not a byte was read.
            convert: Run in a thread for a large body.

        Raises:
            MalformedBodyError: It cannot be read, or did not arrive in time.
            BodyTooLargeError: It is over a limit.
            OverloadedError: There is no memory left for it.
            ClientDisconnect: The client went away.
        """
        body = _Body(self.budget)
        try:
            await self._receive(request, body)
            yield await self._parse(body, request.headers.get("content-type", ""), convert)
        finally:
            body.give_back()

    async def _receive(self, request: Request, body: _Body) -> None:
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > _MAX_BODY_BYTES:
            raise BodyTooLargeError("The body may have at most 64 MiB.")
        encoding = request.headers.get("content-encoding", "").strip().lower()
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                match encoding:
                    case "" | "identity":
                        async for chunk in request.stream():
                            body.add(chunk)
                    case "gzip" | "x-gzip":
                        await _inflate(request.stream(), body)
                    case _:
                        raise MalformedBodyError(
                            "Of content encodings only gzip is understood.",
                            code="unknown_content_encoding",
                        )
        except TimeoutError:
            raise MalformedBodyError(
                f"The body did not arrive within {self._deadline.total_seconds():g} seconds.",
                code="body_timeout",
            ) from None

    async def _parse(self, body: _Body, content_type: str, convert: Callable[[Form], T]) -> T:
        content = body.content
        body.content = bytearray()
        if len(content) < _THREAD_BYTES:
            return convert(_to_form(content, content_type))
        async with self._parsers:
            return await asyncio.to_thread(_convert, content, content_type, convert)


def _convert(content: bytearray, content_type: str, convert: Callable[[Form], T]) -> T:
    form = _to_form(content, content_type)
    content.clear()
    return convert(form)


def _to_form(content: bytearray, content_type: str) -> Form:
    if is_multipart(content_type):
        return parse_multipart(content, content_type)
    return Form(parse_object(content))


async def _inflate(chunks: AsyncIterator[bytes], body: _Body) -> None:
    """Decompress as it arrives, so that no more than the limit ever exists."""
    inflater = zlib.decompressobj(_GZIP)
    is_empty = True
    async for chunk in chunks:
        is_empty = is_empty and not chunk
        pending = chunk
        while pending:
            if inflater.eof:  # another member follows
                inflater = zlib.decompressobj(_GZIP)
            body.add(_inflate_some(inflater, pending))
            pending = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            await asyncio.sleep(0)
    while not inflater.eof and (rest := _inflate_some(inflater, b"")):
        body.add(rest)
        await asyncio.sleep(0)
    if not (inflater.eof or is_empty):
        raise MalformedBodyError("The gzip body ends too early.")


def _inflate_some(inflater: Any, pending: bytes) -> bytes:
    try:
        return cast("bytes", inflater.decompress(pending, _INFLATE_BYTES))
    except zlib.error:
        raise MalformedBodyError("The body is not valid gzip.") from None
