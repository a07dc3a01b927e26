"""Kling: what a check may ask besides the body: videos made here, and sessions.

Rules enforced here: a video is named by exactly one of `video_id` (an output of the account, at
most 30 days old) and `video_url` (http or https; a file ending, if there is one, must be .mp4 or
.mov); length and sides are checked where the sandbox made the video itself, every other one counts
as five seconds of 720p; an omni model that changes a base video keeps its length and its shape,
whatever duration is asked for; a session belongs to its account and lives 24 hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from vidgate.sandbox.jobs import Phase
from vidgate.sandbox.kling_common import INVALID, KlingError, Order, text
from vidgate.sandbox.video import Clip
from vidgate.sandbox.world import World

__all__ = ["ASSUMED", "Desk", "Session", "Source", "check_video_url"]

ASSUMED = Clip.lasting(1280, 720, 5)
"""What a video elsewhere is taken for."""

_NAME = "kling"
_OUTPUT_SECONDS = 30 * 24 * 3600.0
_SESSION_SECONDS = 24 * 3600.0
_FRAME = 0.1
"""Seconds that a delivered clip may be longer than it was asked for."""


@dataclass(frozen=True, slots=True)
class Source:
    """A video given as input; `is_known` if the sandbox made it."""

    clip: Clip
    is_known: bool

    def check(self, *spans: tuple[float, float], sides: tuple[int, int]) -> None:
        """Refuse a known video whose length is in no span or whose sides are not in the range.

        Raises:
            KlingError: It is too long, too short, too large or too small.
        """
        if not self.is_known:
            return
        seconds = self.clip.seconds
        if not any(least <= seconds <= most + _FRAME for least, most in spans):
            raise KlingError(INVALID, f"video duration {seconds:.1f} s is invalid")
        if not all(sides[0] <= side <= sides[1] for side in (self.clip.width, self.clip.height)):
            raise KlingError(INVALID, "video resolution is invalid")


@dataclass(slots=True, eq=False)
class Session:
    """A first step that a second one refers to; faces are (id, start, end) in milliseconds."""

    kind: str
    account: str
    clip: Clip
    created_at: float
    faces: tuple[tuple[str, int, int], ...] = ()
    points: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Desk:
    """The account that calls, and what is there of it."""

    world: World
    account: str
    now: float
    base_url: str

    def source(self, body: Mapping[str, Any]) -> Source:
        """The input video of a body.

        Raises:
            KlingError: It names none or two, or one that is not there.
        """
        video_id, video_url = text(body, "video_id"), text(body, "video_url")
        if (video_id is None) == (video_url is None):
            raise KlingError(INVALID, "give either video_id or video_url")
        if video_url is not None:
            return self.at(video_url)
        for job in self.world.ledger.newest_first(_NAME, self.account):
            if job.details["video_id"] == video_id and job.phase(self.now) is Phase.SUCCEEDED:
                if self.now - job.ends_at > _OUTPUT_SECONDS:
                    break
                return Source(job.clip, is_known=True)
        raise KlingError(INVALID, f"Video not found by id: {video_id}")

    def at(self, url: object, name: str = "video_url") -> Source:
        """The video behind a URL.

        Raises:
            KlingError: It is no URL of a video.
        """
        clip = self.world.clip_at(check_video_url(url, name))
        return Source(clip or ASSUMED, is_known=clip is not None)

    def edited(self, order: Order, body: Mapping[str, Any]) -> Order:
        """The order; as long as the base video and of its shape if the body has one."""
        url = _base_video(body) if order.product == "omni-video" else None
        if url is None:
            return order
        source = self.world.clip_at(url) or ASSUMED
        clip = source.reshaped(min(order.clip.width, order.clip.height))
        return replace(order, seconds=round(clip.seconds), clip=clip)

    def open(self, session: Session) -> str:
        """Keep a session and return its id."""
        session_id = str(self.world.next_number())
        self.world.shelf("kling-sessions")[session_id] = session
        return session_id

    def session(self, body: Mapping[str, Any], kind: str) -> Session:
        """The session that a body names.

        Raises:
            KlingError: It names none that the account has, of that kind, and that still lives.
        """
        session_id = text(body, "session_id")
        if session_id is None:
            raise KlingError(INVALID, "session_id is required")
        session: Session | None = self.world.shelf("kling-sessions").get(session_id)
        if (
            session is None
            or (session.kind, session.account) != (kind, self.account)
            or self.now - session.created_at > _SESSION_SECONDS
        ):
            raise KlingError(INVALID, f"Session not found by id: {session_id}")
        return session


def _base_video(body: Mapping[str, Any]) -> str | None:
    """The URL of a checked body's video that is to be changed, in either generation."""
    for video in body.get("video_list") or ():
        if video.get("refer_type") in (None, "base"):
            return str(video["video_url"])
    for entry in body.get("contents") or ():
        if entry.get("type") == "base_video":
            return str(entry["url"])
    return None


def check_video_url(url: object, name: str) -> str:
    """The URL of a video.

    Raises:
        KlingError: It is not http or https, or of a file that is no video.
    """
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise KlingError(INVALID, f"{name} must be a URL")
    try:
        ending = PurePosixPath(urlsplit(url).path).suffix.lower()
    except ValueError as error:
        raise KlingError(INVALID, f"{name} must be a URL") from error
    if ending not in {"", ".mp4", ".mov"}:
        raise KlingError(INVALID, f"{name} is invalid: video format must be mp4 or mov")
    return url
