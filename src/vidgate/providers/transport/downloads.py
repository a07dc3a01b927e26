"""Downloads from hosts that may misbehave: which part of which file an answer holds."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp
import httpx

from vidgate import __version__
from vidgate.exceptions import ProviderProtocolError, UnansweredError

__all__ = [
    "BeyondEndError",
    "Download",
    "RefusedLinkError",
    "Span",
    "StalledError",
    "UnfitPartError",
    "begin_download",
    "download_headers",
]

_CONTENT_RANGE: Final = re.compile(
    r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}|\*)", re.IGNORECASE
)
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,63}")
_STRONG_TAG: Final = re.compile(r'"[!#-~]{1,256}"')
_PAGES: Final = frozenset(
    {
        "application/json",
        "application/problem+json",
        "application/xhtml+xml",
        "application/xml",
        "text/html",
        "text/xml",
    }
)
"""What a host sends with a status of 200 when it has no file to send."""

_SVG: Final = "image/svg+xml"
_MARKS: Final = (b"<", b"{")
"""How pages, errors of object stores and JSON begin, whatever they are called; no video does, and
no picture but SVG."""

_SMALL_BYTES: Final = 16 * 1024
"""No video is smaller, and a page may be: it is fetched whole then, to see how it begins."""

_BLANKS: Final = b"\xef\xbb\xbf \t\r\n"

_OK: Final = 200
_PARTIAL: Final = 206
_RANGE_NOT_SATISFIABLE: Final = 416


class RefusedLinkError(ProviderProtocolError):
    """The host did not give the file.

    Attributes:
        status: What it answered.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"The host of the file answered {status}.")
        self.status = status


class StalledError(UnansweredError):
    """Not a byte came for too long."""


class UnfitPartError(ProviderProtocolError):
    """The part that came is not the one that was asked for; the whole may still be had."""


class BeyondEndError(ProviderProtocolError):
    """The file ends before the part that was asked for.

    Attributes:
        total_bytes: The size of the file.
    """

    def __init__(self, total_bytes: int) -> None:
        super().__init__("The file is shorter.")
        self.total_bytes = total_bytes


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a file.

    Attributes:
        first: Its first byte; `None`: the last `last` bytes of the file.
        last: Its last byte, included; `None` to the end.
    """

    first: int | None
    last: int | None = None

    def within(self, total_bytes: int) -> tuple[int, int] | None:
        """The first and the last byte in a file of this size, `None` if it has none of them."""
        end = total_bytes - 1
        if self.first is None:
            first, last = max(0, total_bytes - (self.last or 0)), end
        else:
            first, last = self.first, end if self.last is None else min(self.last, end)
        return (first, last) if first <= last else None

    def to_header(self) -> str:
        """Write it as the value of a `Range` header."""
        if self.first is None:
            # No bytes at all cannot be asked for; the first one tells as well how many there are.
            return f"bytes=-{self.last}" if self.last else "bytes=0-0"
        return f"bytes={self.first}-{'' if self.last is None else self.last}"


def download_headers(span: Span | None) -> dict[str, str]:
    """The headers of a request for a file, or for a part of it; none of a client's, none of ours.

    Args:
        span: The part, `None` for the whole.
    """
    headers = {
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "User-Agent": f"vidgate/{__version__}",
    }
    return headers if span is None else headers | {"Range": span.to_header()}


class Download:
    """An answer that holds a part of a file, or all of it, and is still to be read.

    Attributes:
        first: The first byte that `read` gives.
        last: The last one that was announced, `None` where nothing was.
        total_bytes: The size of the whole file, `None` where unknown.
        etag: The host's strong tag, `None` if it gave none.
        media_type: In lower case and without parameters; empty where unknown.
    """

    def __init__(
        self, response: httpx.Response, *, first: int, last: int | None, total_bytes: int | None
    ) -> None:
        if not isinstance(response.stream, httpx.AsyncByteStream):
            raise TypeError("the body of the answer cannot be awaited")
        self._stream = response.stream
        self._pieces = aiter(response.stream)
        self.first = first
        self.last = last
        self.total_bytes = total_bytes
        tag = response.headers.get("ETag", "")
        self.etag: str | None = tag if _STRONG_TAG.fullmatch(tag) else None
        self.media_type = _media_type(response.headers)
        self._ahead: bytes | UnansweredError = b""

    @property
    def is_small_part(self) -> bool:
        """Whether it is a part of something that is too small for a video."""
        total = self.total_bytes
        is_part = total is not None and (self.first, self.last) != (0, total - 1)
        return is_part and total is not None and total <= _SMALL_BYTES

    async def looks_empty_or_foreign(self, *, timeout_seconds: float) -> bool:
        """Whether the first bytes show that it is no video and no picture; `read` gives them too.

        Args:
            timeout_seconds: For these bytes alone.
        """
        try:
            self._ahead = await self.read(timeout_seconds=timeout_seconds)
        except UnansweredError as error:
            self._ahead = error  # whoever reads knows what to do about it
            return False
        if not self._ahead:
            return True
        return self.media_type != _SVG and self._ahead.lstrip(_BLANKS).startswith(_MARKS)

    async def read(self, *, timeout_seconds: float) -> bytes:
        """The next bytes, at most some hundred KiB; empty at the end.

        Args:
            timeout_seconds: For these bytes alone.

        Raises:
            StalledError: Nothing came in time.
            UnansweredError: The answer broke off.
        """
        ahead, self._ahead = self._ahead, b""
        if isinstance(ahead, UnansweredError):
            raise ahead
        if ahead:
            return ahead
        try:
            async with asyncio.timeout(timeout_seconds):
                async for piece in self._pieces:
                    if piece:
                        return piece
                return b""
        except TimeoutError:
            reason: Exception = StalledError(f"Not a byte within {timeout_seconds:g} s.")
        except (aiohttp.ClientError, httpx.HTTPError, OSError, ValueError) as error:
            # By its name alone: the text may hold the URL, whose query may be a signature.
            reason = UnansweredError(f"The answer broke off ({type(error).__name__}).")
        raise reason

    async def aclose(self) -> None:
        """Close the connection, unless all of the answer has been read."""
        await self._stream.aclose()


async def begin_download(
    response: httpx.Response, span: Span | None, *, timeout_seconds: float
) -> Download:
    """Find out what an answer holds, or close it.

    Args:
        response: To a request with `download_headers(span)`; its body is unread.
        span: What was asked for. An answer that holds the whole file instead is a `Download` too.
        timeout_seconds: For its first bytes.

    Raises:
        RefusedLinkError: It is not the file: a page, an error, or nothing at all.
        BeyondEndError: The file ends before that part.
        UnfitPartError: It is another part, or nobody can tell which.
        ProviderProtocolError: It cannot be passed on.
    """
    try:
        download = _begin(response, span)
        if download.is_small_part:
            raise UnfitPartError("Of something so small only the whole tells what it is.")  # noqa: TRY301 - closed as after any other
        if download.first == 0:
            await _check_beginning(download, timeout_seconds)
    except BaseException:
        await response.aclose()
        raise
    return download


async def _check_beginning(download: Download, timeout_seconds: float) -> None:
    """Look at the first bytes.

    Raises:
        RefusedLinkError: The file is empty or a page.
    """
    if await download.looks_empty_or_foreign(timeout_seconds=timeout_seconds):
        raise RefusedLinkError(_OK)


def _begin(response: httpx.Response, span: Span | None) -> Download:
    headers = response.headers
    ranged = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    status = response.status_code
    if status == _RANGE_NOT_SATISFIABLE and span is not None:
        raise _beyond(span, None if ranged is None or ranged[3] == "*" else int(ranged[3]))
    if status not in {_OK, _PARTIAL}:
        raise RefusedLinkError(status)
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ProviderProtocolError("The file came compressed.")
    if _media_type(headers) in _PAGES:
        raise RefusedLinkError(status)
    length = headers.get("Content-Length", "")
    length_bytes = int(length) if _LENGTH.fullmatch(length) else None
    if length_bytes == 0:
        raise RefusedLinkError(_OK)
    if status == _OK:
        last = None if length_bytes is None else length_bytes - 1
        return Download(response, first=0, last=last, total_bytes=length_bytes)
    if ranged is None or ranged[1] is None:
        raise UnfitPartError("The host does not say which part of the file it sent.")
    first, last = int(ranged[1]), int(ranged[2])
    total_bytes = None if ranged[3] == "*" else int(ranged[3])
    if (
        first > last
        or (total_bytes is not None and last >= total_bytes)
        or (length_bytes is not None and length_bytes != last - first + 1)
        or first != _expected(span, total_bytes, first)
    ):
        raise UnfitPartError("Another part of the file came than was asked for.")
    return Download(response, first=first, last=last, total_bytes=total_bytes)


def _beyond(span: Span, total_bytes: int | None) -> ProviderProtocolError:
    """What it means that a host refuses a part of a file of this size."""
    if total_bytes == 0:
        return RefusedLinkError(_OK)
    if total_bytes is None or span.within(total_bytes) is not None:
        return UnfitPartError("The host refuses a part that the file may have.")
    return BeyondEndError(total_bytes)


def _expected(span: Span | None, total_bytes: int | None, first: int) -> int | None:
    """Where the part that was asked for begins, as far as that can be known."""
    if span is None:
        return 0
    if total_bytes is not None:
        bounds = span.within(total_bytes)
        # For no bytes at all the first one was asked for.
        return bounds[0] if bounds else 0
    return first if span.first is None else span.first


def _media_type(headers: Mapping[str, str]) -> str:
    written = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return written if _MEDIA_TYPE.fullmatch(written) else ""
