"""A file being read to its last byte, over as many connections as that takes."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from vidgate.exceptions import (
    ContentTimeoutError,
    ContentUnavailableError,
    RangeNotSatisfiableError,
    UnansweredError,
    VidgateError,
)
from vidgate.providers.transport.downloads import Download, Span, StalledError

__all__ = ["ContentStream"]

_log = structlog.get_logger(__name__)

SKIP_LIMIT_BYTES: Final = 32 * 1024 * 1024
"""What is read and thrown away of a host that has no parts, to reach the part that was asked for:
a few seconds on a data centre's line. Beyond it the whole file is sent, which a client that asks
for a part must be ready for."""

RESUMES: Final = 3
"""Times in a row that a file that broke off is opened again without `PROGRESS_BYTES` having come;
then it is given up. After a wait in vain it is opened again once."""

PROGRESS_BYTES: Final = 256 * 1024
"""So that no host keeps us asking by giving a byte at a time."""


class ContentStream:
    """The bytes from `first` to `last` of a file, in order, each of them once.

    Where a host breaks off, the rest is fetched from there, provided that it is certain to be of
    the same file: of the same size, and with the same tag where the host gives one.

    Attributes:
        first: Its first byte, counted in the file.
        last: Its last, `None` where the host does not say; it ends where the host ends.
        total_bytes: The size of the whole file, `None` where the host does not say.
        etag: The host's strong tag, `None` if it gave none.
        media_type: As the host calls it, empty where it does not.
        is_part: Whether it is the part that was asked for, as opposed to all of the file.
    """

    def __init__(
        self,
        reopen: Callable[[Span | None], Awaitable[Download]],
        download: Download,
        bounds: tuple[int, int | None],
        idle_seconds: float,
    ) -> None:
        self._reopen = reopen
        self._download = download
        self._idle_seconds = idle_seconds
        self.first, self.last = bounds
        self.total_bytes = download.total_bytes
        self.etag = download.etag
        self.media_type = download.media_type
        self.is_part = False
        self._next = self.first  # the byte to be given next
        self._at = download.first  # the byte that the download gives next
        self._failures = 0
        self._failed_at = self.first
        self._beginning = b""

    @classmethod
    async def of(
        cls,
        reopen: Callable[[Span | None], Awaitable[Download]],
        download: Download,
        span: Span | None,
        idle_seconds: float,
    ) -> "ContentStream":
        """Make a stream of what was asked for out of what came.

        Args:
            reopen: Asks for the file, or a part of it, again.
            download: What came; it is closed with the stream, or here.
            span: What was asked for.
            idle_seconds: For each piece.

        Raises:
            RangeNotSatisfiableError: The file ends before it.
        """
        total = download.total_bytes
        if span is None:
            last = download.last if total is None else total - 1
            return cls(reopen, download, (0, last), idle_seconds)
        if total is None:
            # All of it, or a part of what nobody knows the size of, as the host announced it.
            ends = [download.last, None if span.first is None else span.last]
            last = min((end for end in ends if end is not None), default=None)
            is_part = download.last is not None
            bounds = (download.first, last if is_part else None)
            stream = cls(reopen, download, bounds, idle_seconds)
            stream.is_part = is_part
            return stream
        within = span.within(total)
        if within is None:
            await download.aclose()
            raise RangeNotSatisfiableError(total)
        if within[0] - download.first > SKIP_LIMIT_BYTES:
            return cls(reopen, download, (0, total - 1), idle_seconds)
        stream = cls(reopen, download, within, idle_seconds)
        stream.is_part = True
        return stream

    @property
    def length_bytes(self) -> int | None:
        """How many bytes it has, `None` where the host does not say."""
        return None if self.last is None else self.last - self.first + 1

    async def start(self) -> None:
        """Wait for the first byte.

        Raises:
            ContentTimeoutError: It does not come in time.
            ContentUnavailableError: The host breaks off before it.
        """
        if self._is_complete:
            return
        try:
            self._beginning = await self._read()
        except StalledError:
            raise ContentTimeoutError(
                "The host of this video sends nothing; try again in a moment."
            ) from None
        except UnansweredError:
            raise ContentUnavailableError(
                "The host of this video broke off; try again in a moment."
            ) from None

    async def read(self) -> bytes:
        """The next bytes, at most some hundred KiB; empty at the end.

        Raises:
            UnansweredError: The host broke off for good: what was given is not all.
        """
        if self._beginning:
            beginning, self._beginning = self._beginning, b""
            return beginning
        return b"" if self._is_complete else await self._read()

    async def aclose(self) -> None:
        """Let the host go at once."""
        await self._download.aclose()

    @property
    def _is_complete(self) -> bool:
        return self.last is not None and self._next > self.last

    async def _read(self) -> bytes:
        """The next bytes, from a new connection if need be; empty only at an end nobody knew."""
        while True:
            try:
                piece = await self._download.read(timeout_seconds=self._idle_seconds)
                if not piece:
                    if self.last is None:
                        return b""
                    raise UnansweredError("The answer ended too soon.")  # noqa: TRY301 - as any other break
            except UnansweredError as error:
                await self._resume(error)
                continue
            skipped = max(0, self._next - self._at)
            self._at += len(piece)
            if skipped or self.last is not None:
                end = None if self.last is None else max(0, self.last + 1 - self._next) + skipped
                piece = piece[skipped:end]
            if piece:
                self._next += len(piece)
                return piece

    async def _resume(self, error: UnansweredError) -> None:
        """Open the file again where it broke off.

        Raises:
            UnansweredError: It cannot be; the error that it broke off with.
        """
        await self._download.aclose()
        while True:
            if self._next - self._failed_at >= PROGRESS_BYTES:
                self._failures = 0
            self._failed_at = self._next
            # Who has just waited in vain does not wait so often again.
            self._failures += RESUMES if isinstance(error, StalledError) else 1
            is_hopeless = isinstance(error, StalledError) and self._next == self.first
            is_unknown = self.total_bytes is None or self.last is None
            if is_unknown or is_hopeless or self._failures > RESUMES:
                raise error
            try:
                download = await self._reopen(Span(self._next, self.last))
            except StalledError:
                raise error from None
            except UnansweredError:
                continue
            except VidgateError:
                raise error from None
            if not self._continues(download):
                await download.aclose()
                raise error
            self._download, self._at = download, download.first
            _log.info("A video that broke off is read on", first=self._next)
            return

    def _continues(self, download: Download) -> bool:
        return (
            download.total_bytes == self.total_bytes
            and download.etag == self.etag
            and 0 <= self._next - download.first <= SKIP_LIMIT_BYTES
        )
