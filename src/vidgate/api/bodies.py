"""Reading bodies: bounded in size, time and memory."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar, cast
from uuid import UUID

from starlette.requests import Request

from vidgate.api.forms import Form, is_multipart, parse_multipart
from vidgate.api.strict_json import estimate_work, parse_object
from vidgate.constants import HEAVY_BYTES
from vidgate.exceptions import BodyTooLargeError, MalformedBodyError, OverloadedError
from vidgate.services.lanes import Lane

__all__ = ["BodyBudget", "BodyReader"]

T = TypeVar("T")

_MAX_BODY_BYTES = 64 * 1024 * 1024
_PARSERS = 2
"""Large bodies parsed at once: each takes a few times its size while it is."""

_INFLATE_BYTES = 256 * 1024
"""Decompressed in one go, about a millisecond's work."""

_SMALL_BYTES = 64 * 1024
"""Up to this size, inflated, a body is apart from the large ones: whoever sends those must not keep
others from sending an ordinary request."""

_SMALL_DEADLINE = timedelta(seconds=60)
"""For a small body to arrive, over whatever connection."""

_DEADLINE = timedelta(minutes=5)
"""For any body to arrive: a picture of 10 MB at 0.4 megabits a second."""

_WINDOW = timedelta(seconds=10)
_WINDOW_BYTES = 160 * 1024
"""What must arrive of a large body in each such time, or all that is left of it: 0.13 megabits a
second, a third of what the slowest upload that the deadline allows needs."""

_SHARE = 4
"""One account has at most this part of the memory."""

_GZIP = 16 + zlib.MAX_WBITS


class BodyBudget:
    """The memory that all bodies of the process share, and each account has a quarter of.

    Args:
        size_bytes: All there is.
    """

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.used_bytes = 0
        self._used_by: dict[UUID | None, int] = {}

    def take(self, count: int, account_id: UUID | None) -> None:
        """Take some.

        Raises:
            OverloadedError: There is not as much left, or not for this account.
        """
        used = self._used_by.get(account_id, 0) + count
        if self.used_bytes + count > self.size_bytes:
            raise OverloadedError("Too many large requests at once; try again in a moment.")
        if used > self.size_bytes // _SHARE:
            raise OverloadedError(
                "Too many large requests of this account at once; wait for the answers of some."
            )
        self.used_bytes += count
        self._used_by[account_id] = used

    def give_back(self, count: int, account_id: UUID | None) -> None:
        """Give back what was taken."""
        self.used_bytes -= count
        left = self._used_by.get(account_id, 0) - count
        if left:
            self._used_by[account_id] = left
        else:
            self._used_by.pop(account_id, None)


class _Body:
    """The bytes of one body, as they add up.

    Attributes:
        is_large: Whether it takes of the memory for large ones.
    """

    def __init__(self, large: BodyBudget, small: BodyBudget, account_id: UUID | None) -> None:
        self._large = large
        self._small = small
        self._account_id = account_id
        self._taken = 0
        self.is_large = False
        self.content = bytearray()

    def add(self, chunk: bytes) -> None:
        count = len(chunk)
        if self._taken + count > _MAX_BODY_BYTES:
            raise BodyTooLargeError("The body may have at most 64 MiB, decompressed.")
        if not self.is_large and self._taken + count > _SMALL_BYTES:
            self._large.take(self._taken, self._account_id)
            self._small.give_back(self._taken, self._account_id)
            self.is_large = True
        self._budget.take(count, self._account_id)
        self._taken += count
        self.content += chunk

    def give_back(self) -> None:
        self._budget.give_back(self._taken, self._account_id)

    @property
    def _budget(self) -> BodyBudget:
        return self._large if self.is_large else self._small


class _Patience:
    """When a body that does not come is given up.

    Args:
        body: As far as it has come.
        deadline: For all of it, if it is large.
        window: In which so many bytes must arrive of a large one.
    """

    def __init__(self, body: _Body, *, deadline: timedelta, window: timedelta) -> None:
        self._body = body
        self._window = window.total_seconds()
        self._started = self._window_from = asyncio.get_running_loop().time()
        self._deadline = self._started + deadline.total_seconds()
        small = min(deadline, _SMALL_DEADLINE).total_seconds()
        self._arrived: int | None = None  # since the window began, None while it is small
        self.timeout = asyncio.timeout_at(self._started + small)

    async def watch(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass the chunks on as they arrive."""
        async for chunk in chunks:
            yield chunk
            if not self._body.is_large:
                continue
            if self._arrived is None or self._arrived + len(chunk) >= _WINDOW_BYTES:
                self._arrived = 0
                ends = asyncio.get_running_loop().time() + self._window
                self.timeout.reschedule(min(ends, self._deadline))
            else:
                self._arrived += len(chunk)

    def describe(self) -> str:
        """Say what was missed."""
        now = asyncio.get_running_loop().time()
        if self._arrived is not None and now < self._deadline:
            return (
                f"Of the body less than {_WINDOW_BYTES // 1024} KiB arrived in "
                f"{self._window:g} seconds; send it faster, or URLs in place of pictures."
            )
        return f"The body did not arrive within {now - self._started:.3g} seconds."


class BodyReader:
    """Reads and parses bodies.

    Args:
        budget: What all large ones share; the small ones have a quarter as much beside it.
        deadline: For one body to arrive.
        window: In which a part of a large one must arrive.
    """

    def __init__(
        self,
        budget: BodyBudget,
        *,
        deadline: timedelta = _DEADLINE,
        window: timedelta = _WINDOW,
    ) -> None:
        self.budget = budget
        self.small_budget = BodyBudget(max(budget.size_bytes // _SHARE, _SHARE * _SMALL_BYTES))
        self._deadline = deadline
        self._window = window
        self._lane = Lane(_PARSERS)

    @asynccontextmanager
    async def read(self, request: Request, convert: Callable[[Form], T]) -> AsyncIterator[T]:
        """Read a body and make something of it; its memory is given back when the block ends.

        Args:
            request: Of which not a byte was read.
            convert: Run in a thread for a large body.

        Raises:
            MalformedBodyError: It cannot be read, or did not arrive in time.
            BodyTooLargeError: It is over a limit.
            OverloadedError: There is no memory left for it, or none for its account.
            ClientDisconnect: The client went away.
        """
        account_id = _account_of(request)
        body = _Body(self.budget, self.small_budget, account_id)
        try:
            await self._receive(request, body)
            content_type = request.headers.get("content-type", "")
            yield await self._parse(body, content_type, convert, account_id)
        finally:
            body.give_back()

    async def _receive(self, request: Request, body: _Body) -> None:
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > _MAX_BODY_BYTES:
            raise BodyTooLargeError("The body may have at most 64 MiB.")
        encoding = request.headers.get("content-encoding", "").strip().lower()
        patience = _Patience(body, deadline=self._deadline, window=self._window)
        chunks = patience.watch(request.stream())
        try:
            async with patience.timeout:
                match encoding:
                    case "" | "identity":
                        async for chunk in chunks:
                            body.add(chunk)
                    case "gzip" | "x-gzip":
                        await _inflate(chunks, body)
                    case _:
                        raise MalformedBodyError(
                            "Of content encodings only gzip is understood.",
                            code="unknown_content_encoding",
                        )
        except TimeoutError:
            raise MalformedBodyError(patience.describe(), code="body_timeout") from None

    async def _parse(
        self,
        body: _Body,
        content_type: str,
        convert: Callable[[Form], T],
        account_id: UUID | None,
    ) -> T:
        content = body.content
        body.content = bytearray()
        work = estimate_work(content)
        if work < HEAVY_BYTES:
            return _convert(content, content_type, work, convert)
        return await self._lane.run(account_id, _convert, content, content_type, work, convert)


def _account_of(request: Request) -> UUID | None:
    """Whose the request is; `None` where no token was asked for."""
    caller = request.scope.get("state", {}).get("caller")
    return None if caller is None else caller.account_id


def _convert(
    content: bytearray, content_type: str, work_bytes: int, convert: Callable[[Form], T]
) -> T:
    form = replace(_to_form(content, content_type), work_bytes=work_bytes)
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
