"""The content of finished videos: found, opened wherever it lies, and read to its last byte."""

from collections import Counter
from enum import StrEnum
from typing import Final, Literal, Self, assert_never
from uuid import UUID

import httpx
import structlog

from vidgate.db.clock import Clock
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import (
    ConfigurationError,
    ConflictError,
    ContentTimeoutError,
    ContentUnavailableError,
    DatabaseUnavailableError,
    NotFoundError,
    NotSentError,
    OverloadedError,
    ProviderProtocolError,
    RangeNotSatisfiableError,
    RequestError,
    TaskNotFoundError,
    UnansweredError,
    VidgateError,
)
from vidgate.models.accounts import Sight
from vidgate.models.ids import parse_public_id
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import TaskSnapshot, TaskStatus
from vidgate.providers.transport.downloads import (
    BeyondEndError,
    Download,
    RefusedLinkError,
    Span,
    StalledError,
    UnfitPartError,
    begin_download,
)
from vidgate.providers.transport.guard import UnsafeUrlError
from vidgate.services.content.link_renewal import CannotAskError, GoneError, LinkRenewer
from vidgate.services.content.routes import ContentWays, NoOtherWayError
from vidgate.services.content.stream import ContentStream
from vidgate.services.views.content_links import ContentLinks

__all__ = ["Content", "ContentSource", "Variant"]

_log = structlog.get_logger(__name__)

DOWNLOADS: Final = 256
"""At once in one process. Each holds two connections and at most some hundred KiB."""

DOWNLOADS_PER_ACCOUNT: Final = 64
"""So that one account's slow readers do not keep everybody else from theirs."""

_EXPIRED: Final = frozenset({200, 400, 401, 403, 404, 410})
"""What hosts answer when a link has ended: object stores say 400, 401 or 403 to an old signature,
and some hosts show a page in the place of the file."""

_OK: Final = 200
_GONE: Final = frozenset({404, 410})


class Variant(StrEnum):
    """What can be had of a finished task."""

    VIDEO = "video"
    THUMBNAIL = "thumbnail"
    WATERMARKED = "watermarked"


class Content:
    """Finds the content of finished tasks, and keeps count of who reads.

    Args:
        ways: To the hosts of the videos.
        renewer: Asks for links anew.
        links: Reads our own.
    """

    def __init__(
        self,
        *,
        tasks: TaskStore,
        ways: ContentWays,
        renewer: LinkRenewer,
        links: ContentLinks,
        clock: Clock,
    ) -> None:
        self._tasks = tasks
        self._links = links
        self.ways = ways
        self.renewer = renewer
        self.clock = clock
        self._readers: Counter[UUID] = Counter()

    async def find(
        self, public_id: str, sight: Sight, variant: Variant, *, index: int | None = None
    ) -> "ContentSource":
        """The content of a task.

        Args:
            public_id: Of the task.
            sight: Of who asks.
            variant: What of the video.
            index: Which of several videos, from 0; `None` for the first that was made.

        Raises:
            TaskNotFoundError: There is no such task in sight.
            ConflictError: It has not succeeded, or this video of it has not.
            NotFoundError: It has no such video, or its provider made nothing of that kind.
            OverloadedError: Too many are being read.
            DatabaseUnavailableError: It could not be read.
        """
        task_id = parse_public_id("task_", public_id)
        snapshot = await self._tasks.snapshot(task_id) if task_id else None
        if snapshot is None or not sight.covers(snapshot) or snapshot.removed:
            raise TaskNotFoundError(f"There is no task {public_id[:40]!r}.")
        if index is not None and index >= len(snapshot.outputs):
            raise NotFoundError(f"The task has no video {index}.", param="index")
        _check_succeeded(snapshot.status if index is None else snapshot.outputs[index].status)
        for position, output in enumerate(snapshot.outputs):
            if output.result is not None and index in (None, position):
                return self._source(snapshot, position, output.result, variant)
        raise _missing(variant)

    async def find_sealed(self, sealed: str) -> "ContentSource":
        """The video that a content link names.

        Raises:
            NotFoundError: No such video; the error does not say why.
            OverloadedError: Too many are being read.
            DatabaseUnavailableError: It could not be read.
        """
        named = self._links.read(sealed)
        if named is not None:
            task_id, position = named
            snapshot = await self._tasks.snapshot(task_id)
            if snapshot and not snapshot.removed and position < len(snapshot.outputs):
                result = snapshot.outputs[position].result
                if result is not None:
                    return self._source(snapshot, position, result, Variant.VIDEO)
        raise NotFoundError("There is no such video.")

    def _source(
        self, snapshot: TaskSnapshot, position: int, result: VideoResult, variant: Variant
    ) -> "ContentSource":
        if _link_of(result, variant) is None:
            raise _missing(variant)
        return ContentSource(self, snapshot, position, result, variant)

    def enter(self, account_id: UUID) -> None:
        """Count a reader.

        Raises:
            OverloadedError: There are too many.
        """
        if self._readers.total() >= DOWNLOADS or self._readers[account_id] >= DOWNLOADS_PER_ACCOUNT:
            raise OverloadedError("Too many videos are being read at once; try again in a moment.")
        self._readers[account_id] += 1

    def leave(self, account_id: UUID) -> None:
        """Count one reader less."""
        self._readers[account_id] -= 1
        if not self._readers[account_id]:
            del self._readers[account_id]


class ContentSource:
    """One video, or picture, that can be opened; used as a context, in which it counts as read.

    Attributes:
        name: Tells it from all others, for ever.
        file_stem: A name for a file of it, without an ending.
    """

    def __init__(
        self,
        content: Content,
        snapshot: TaskSnapshot,
        position: int,
        result: VideoResult,
        variant: Variant,
    ) -> None:
        self._content = content
        self._task_id = snapshot.id
        self._account_id = snapshot.account_id
        self._position = position
        self._result = result
        self._variant = variant
        self._renewal: Exception | Literal[True] | None = None
        self._old_link: str | None = None
        self._goes_round = False
        number = f"_{position}" if len(snapshot.outputs) > 1 else ""
        self.name = f"{snapshot.public_id} {position} {variant}"
        self.file_stem = f"{snapshot.public_id}{number}"

    @property
    def is_picture(self) -> bool:
        """Whether it is one, as opposed to a video."""
        return self._variant is Variant.THUMBNAIL

    def __enter__(self) -> Self:
        """Count as read from here on.

        Raises:
            OverloadedError: Too many are.
        """
        self._content.enter(self._account_id)
        return self

    def __exit__(self, *_: object) -> None:
        self._content.leave(self._account_id)

    async def open(self, span: Span | None) -> ContentStream:
        """Open it, or a part of it. The stream must be closed.

        Args:
            span: The part, `None` for the whole. Where the host has no parts, the stream holds
                that part all the same if it lies near the beginning, else the whole.

        Raises:
            RangeNotSatisfiableError: It ends before that part.
            NotFoundError: Its link has ended, and its provider gives no other.
            ContentTimeoutError: Its host does not answer in time.
            ContentUnavailableError: Its host does not give it.
            DatabaseUnavailableError: The way to it could not be looked up.
        """
        try:
            try:
                download = await self.download(span)
            except UnfitPartError:
                download = await self.download(None)
        except BeyondEndError as error:
            raise RangeNotSatisfiableError(error.total_bytes) from None
        except RefusedLinkError as error:
            raise self._refused(error.status) from None
        except UnsafeUrlError as error:
            _log.warning(
                "The link of a video may not be fetched; if its host is yours, put its network "
                "into VIDGATE_ALLOWED_NETWORKS",
                reason=str(error),
            )
            raise ContentUnavailableError(
                "The host of this video cannot be reached from here."
            ) from None
        except StalledError:
            raise ContentTimeoutError(
                "The host of this video does not answer in time; try again in a moment."
            ) from None
        except (NotSentError, UnansweredError, ProviderProtocolError, ConfigurationError) as error:
            _log.warning("A video could not be opened", reason=str(error))
            raise ContentUnavailableError(
                "The host of this video does not deliver it; try again in a moment."
            ) from None
        return await ContentStream.of(
            self.download, download, span, self._content.ways.idle_seconds
        )

    async def download(self, span: Span | None) -> Download:
        """Ask its host, and once its provider for a new link if the old one has ended.

        Raises:
            RefusedLinkError: The host does not give it, whatever its link.
            UpstreamError: As the ways to it tell.
        """
        if self._has_ended:
            await self._renew()
        try:
            return await self._fetch(span)
        except RefusedLinkError as error:
            if error.status not in _EXPIRED:
                raise
            if not await self._renew() or self._is_old_link:
                return await self._go_round(span, error)
        return await self._fetch(span)

    @property
    def _has_ended(self) -> bool:
        ends = self._result.expires_at
        return ends is not None and ends <= self._content.clock.now()

    @property
    def _is_old_link(self) -> bool:
        return _link_of(self._result, self._variant) == self._old_link

    async def _renew(self) -> bool:
        """Ask the provider for a new link, once; whether it told one, be it the old one."""
        if self._renewal is not None:
            return False
        self._old_link = _link_of(self._result, self._variant)
        try:
            self._result = await self._content.renewer.renew(
                self._task_id, self._position, self._result
            )
        except (GoneError, CannotAskError, DatabaseUnavailableError) as error:
            self._renewal = error
            return False
        self._renewal = True
        return True

    def _refused(self, status: int) -> RequestError:
        """What a client reads where the host does not give the file."""
        is_ended = isinstance(self._renewal, GoneError)
        if self._renewal is True:
            # A new link that is refused is the host's trouble, and so is one that should live.
            is_dead = self._result.expires_at is None or self._has_ended
            # One that still gives something, if no file, has not ended.
            is_ended = status in _GONE or (self._is_old_link and is_dead and status != _OK)
        if is_ended and status in _EXPIRED:
            return NotFoundError(
                "The link of this video has ended and its provider gives no other.",
                code="content_expired",
            )
        _log.warning("The host of a video refused it", status=status)
        return ContentUnavailableError(
            "The host of this video does not deliver it; try again in a moment."
        )

    async def _fetch(self, span: Span | None) -> Download:
        url = _link_of(self._result, self._variant)
        assert url is not None  # noqa: S101 - seen to when it was found, and when it was renewed
        is_video = self._variant is Variant.VIDEO
        if is_video and (self._result.protected or self._goes_round):
            return await self._fetch_by_channel(span)
        try:
            response = await self._content.ways.by_link(url, span)
        except (UnsafeUrlError, NotSentError) as error:
            return await self._go_round(span, error)
        return await self._begin(response, span)

    async def _begin(self, response: httpx.Response, span: Span | None) -> Download:
        idle_seconds = self._content.ways.idle_seconds
        return await begin_download(response, span, timeout_seconds=idle_seconds)

    async def _fetch_by_channel(self, span: Span | None) -> Download:
        response = await self._content.ways.by_channel(
            self._task_id, self._position, self._result, span
        )
        return await self._begin(response, span)

    async def _go_round(self, span: Span | None, error: VidgateError) -> Download:
        """Fetch by the channel's way what its link does not lead to, from now on.

        Raises:
            VidgateError: There is no such way, which leaves the link's own error, or as it tells.
        """
        is_round = self._result.protected or self._goes_round
        if is_round or self._variant is not Variant.VIDEO:
            raise error
        self._goes_round = True
        try:
            download = await self._fetch_by_channel(span)
        except (NoOtherWayError, RefusedLinkError, ConfigurationError):
            self._goes_round = False
            raise error from None
        _log.info("A video is fetched by its channel, as its link leads nowhere", reason=str(error))
        return download


def _check_succeeded(status: TaskStatus) -> None:
    match status:
        case TaskStatus.SUCCEEDED:
            return
        case TaskStatus.QUEUED | TaskStatus.IN_PROGRESS:
            raise ConflictError(
                "The video is not ready yet; ask for the task until it has succeeded.",
                code="task_not_finished",
            )
        case TaskStatus.FAILED:
            raise ConflictError("The task failed and has no video.", code="task_failed")
        case TaskStatus.CANCELLED:
            raise ConflictError("The task was cancelled and has no video.", code="task_cancelled")
        case _:
            assert_never(status)


def _link_of(result: VideoResult, variant: Variant) -> str | None:
    match variant:
        case Variant.VIDEO:
            return result.url
        case Variant.THUMBNAIL:
            return result.cover_url
        case Variant.WATERMARKED:
            return result.watermarked_url
        case _:
            assert_never(variant)


def _missing(variant: Variant) -> NotFoundError:
    return NotFoundError(
        f"The provider of this task made no {variant.value}.",
        param="variant",
        code="variant_not_available",
    )
