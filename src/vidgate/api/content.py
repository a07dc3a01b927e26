"""Videos as HTTP: ranges, conditions, and a stream no faster than its reader."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, TypeAlias

import structlog
from fastapi import APIRouter, Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from vidgate.api.dependencies import ServicesDependency
from vidgate.api.schemas import ErrorBody, error_answers
from vidgate.exceptions import RangeNotSatisfiableError, UnansweredError
from vidgate.providers.transport.downloads import Span
from vidgate.services.content.source import ContentSource
from vidgate.services.content.stream import ContentStream
from vidgate.services.views.content_links import CONTENT_PATH

__all__ = ["CONTENT_ANSWERS", "CONTENT_ERRORS", "CONTENT_HEADERS", "ContentAnswer", "router"]

_log = structlog.get_logger(__name__)

READER_TIMEOUT: Final = timedelta(minutes=10)
"""For a reader to take what was sent: as long as somebody may have paused a film. Who resumes later
asks for the rest, as players do."""

_Find: TypeAlias = Callable[[], Awaitable[ContentSource]]

_RANGE: Final = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)
_TAG: Final = re.compile(r'(?:W/)?("[!#-~\x80-\xff]*")')
_ENDINGS: Final = {
    "image/avif": ".avif",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
}
_ACTIVE: Final = frozenset({"image/svg+xml"})
"""Pictures that can hold scripts, which would run under our name."""

_OK: Final = 200
_PARTIAL: Final = 206
_NOT_MODIFIED: Final = 304


def read_range(value: str | None) -> Span | None:
    """Read a `Range` header; `None` where all of the file is to be sent.

    That is so without one, with several ranges, which nobody has to send, and with what is none:
    RFC 9110, 14.2.
    """
    match = _RANGE.fullmatch(value or "")
    if match is None or not (match[1] or match[2]):
        return None
    last = int(match[2]) if match[2] else None
    if not match[1]:
        return Span(None, last)
    first = int(match[1])
    return None if last is not None and last < first else Span(first, last)


class ContentAnswer(Response):
    """Answers with a file, or a part of it, while it is still being fetched.

    Args:
        find: Finds it; what it raises is answered as any error.
    """

    def __init__(self, find: _Find) -> None:
        super().__init__()
        self._find = find

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A reader who goes away must not keep a host sending, in whatever we wait for just then.
        serving = asyncio.create_task(self._serve(scope, send))
        leaving = asyncio.create_task(_wait_for_end(receive))
        try:
            await asyncio.wait((serving, leaving), return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
        finally:
            serving.cancel()
            leaving.cancel()
            await asyncio.gather(serving, leaving, return_exceptions=True)

    async def _serve(self, scope: Scope, send: Send) -> None:
        headers = Headers(scope=scope)
        with await self._find() as source:
            if scope.get("original_method") == "HEAD":
                await _describe(source, headers, send)
                return
            # As a header may come once only, several that say different things say nothing.
            ranges = headers.getlist("Range")
            span = read_range(ranges[0]) if len(ranges) == 1 else None
            beyond: RangeNotSatisfiableError | None = None
            try:
                stream = await source.open(span)
            except RangeNotSatisfiableError as error:
                # The conditions come first: a file that has changed may well be shorter.
                if not {"if-range", "if-none-match"} & set(headers.keys()):
                    raise
                beyond = error
                stream = await source.open(None)
            try:
                tag = _tag(source, stream)
                if _is_known(tag, headers):
                    await _send_head(send, _NOT_MODIFIED, _headers(source, stream, tag))
                    await send({"type": "http.response.body", "body": b""})
                    return
                if not _is_same(tag, headers.get("If-Range")):
                    if stream.is_part:
                        await stream.aclose()
                        stream = await source.open(None)
                elif beyond is not None:
                    raise beyond
                await stream.start()
                await _send(source, stream, send)
            finally:
                await stream.aclose()


async def _wait_for_end(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _describe(source: ContentSource, headers: Headers, send: Send) -> None:
    """Answer as the whole file would be, without fetching more of it than a byte."""
    try:
        stream = await source.open(Span(0, 0))
    except RangeNotSatisfiableError:  # it has not even that
        stream = await source.open(None)
    await stream.aclose()
    tag = _tag(source, stream)
    written = _headers(source, stream, tag)
    if _is_known(tag, headers):
        await _send_head(send, _NOT_MODIFIED, written)
    else:
        if stream.total_bytes is not None:
            written["Content-Length"] = str(stream.total_bytes)
        await _send_head(send, _OK, written)
    await send({"type": "http.response.body", "body": b""})


async def _send(source: ContentSource, stream: ContentStream, send: Send) -> None:
    written = _headers(source, stream, _tag(source, stream))
    status = _OK
    if stream.is_part:
        status = _PARTIAL
        total = "*" if stream.total_bytes is None else stream.total_bytes
        written["Content-Range"] = f"bytes {stream.first}-{stream.last}/{total}"
    if stream.length_bytes is not None:
        written["Content-Length"] = str(stream.length_bytes)
    await _send_head(send, status, written)
    try:
        async with asyncio.timeout(None) as patience:
            loop = asyncio.get_running_loop()
            while piece := await stream.read():
                patience.reschedule(loop.time() + READER_TIMEOUT.total_seconds())
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                patience.reschedule(None)
    except UnansweredError as error:
        # Without a last message the server cuts the connection: nobody takes it for the whole.
        _log.warning("A video broke off", reason=str(error))
        return
    except TimeoutError:
        _log.info("A video was read no further")
        return
    await send({"type": "http.response.body", "body": b""})


async def _send_head(send: Send, status: int, headers: dict[str, str]) -> None:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})


def _headers(source: ContentSource, stream: ContentStream, tag: str | None) -> dict[str, str]:
    kind = "image" if source.is_picture else "video"
    media_type = stream.media_type
    if not media_type.startswith(f"{kind}/") or media_type in _ACTIVE:
        media_type = "image/jpeg" if source.is_picture else "video/mp4"
    name = source.file_stem + _ENDINGS.get(media_type, "")
    headers = {
        "Content-Type": media_type,
        "Content-Disposition": f'inline; filename="{name}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private",
        "X-Content-Type-Options": "nosniff",
    }
    return headers if tag is None else headers | {"ETag": tag}


def _tag(source: ContentSource, stream: ContentStream) -> str | None:
    """The strong tag: of what is known not to change, and of what the host says of the bytes.

    `None` where the host says nothing, because nobody could tell then whether it changed.
    """
    if stream.total_bytes is None and stream.etag is None:
        return None
    told = f"{source.name} {stream.total_bytes} {stream.etag}"
    return f'"{hashlib.sha256(told.encode()).hexdigest()[:32]}"'


def _is_known(tag: str | None, headers: Headers) -> bool:
    """Whether `If-None-Match` says that the client has it."""
    given = ", ".join(headers.getlist("If-None-Match"))
    if given.strip() == "*":
        return True
    return tag is not None and tag in _TAG.findall(given)


def _is_same(tag: str | None, condition: str | None) -> bool:
    """Whether `If-Range`, if there is one, names this very file; a date never does."""
    return condition is None or condition.strip() == tag


_HEADER: Final[dict[str, Any]] = {"schema": {"type": "string"}}
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_ANSWER_HEADERS: Final[dict[str, Any]] = {
    "Accept-Ranges": _HEADER,
    "Content-Disposition": _HEADER,
    "ETag": {**_HEADER, "description": "Strong; for `If-None-Match` and `If-Range`."},
}
_BODIES: Final[dict[str, Any]] = {"video/mp4": _FILE, "image/jpeg": _FILE}


def _example(code: str, message: str, kind: str = "upstream_error") -> dict[str, Any]:
    members = {"code": code, "message": message, "param": None, "type": kind}
    return {
        "model": ErrorBody,
        "description": message,
        "content": {"application/json": {"example": {**members, "error": members}}},
    }


CONTENT_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    **error_answers(404, 405, 500, 503),
    416: _example(
        "range_not_satisfiable",
        "The file has 1048576 bytes and ends before the part that Range asks for.",
        "invalid_request_error",
    ),
    502: _example(
        "content_unavailable",
        "The host of this video does not deliver it; try again in a moment.",
    ),
    504: _example(
        "content_timeout",
        "The host of this video does not answer in time; try again in a moment.",
    ),
}
"""In the flat shape."""

CONTENT_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "All of it.", "headers": _ANSWER_HEADERS, "content": _BODIES},
    206: {
        "description": "The part that `Range` asks for.",
        "headers": {**_ANSWER_HEADERS, "Content-Range": _HEADER},
        "content": _BODIES,
    },
    304: {"description": "The client has it: `If-None-Match` names its `ETag`."},
}

CONTENT_HEADERS: Final[list[dict[str, Any]]] = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
    }
    for name, description in (
        ("Range", "One part, such as `bytes=0-499`, `bytes=500-` or `bytes=-500`."),
        ("If-Range", "An `ETag`: the part is sent only if the file is still that one, else all."),
        ("If-None-Match", "An `ETag`: nothing is sent if the file is still that one."),
    )
]

router = APIRouter(tags=["Content"])


@router.get(
    CONTENT_PATH + "/{sealed}",
    summary="Download a video by its link",
    description=(
        "Where a provider opens a video only to its own customer, a task's `url` is such a link. "
        "No token is needed: whoever has the link may read the video. `HEAD` is answered too."
    ),
    responses=CONTENT_ANSWERS | CONTENT_ERRORS,
    openapi_extra={
        "parameters": [
            {
                "name": "sealed",
                "in": "path",
                "required": True,
                "description": "As in the link.",
                "schema": {"type": "string"},
            },
            *CONTENT_HEADERS,
        ]
    },
    response_class=Response,
)
async def download_linked_video(request: Request, services: ServicesDependency) -> Response:
    sealed: str = request.path_params["sealed"]
    return ContentAnswer(lambda: services.content.find_sealed(sealed))
