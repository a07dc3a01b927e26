"""What a client asks for, in no provider's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum, auto
from typing import Any
from uuid import UUID

from vidgate.constants import HEAVY_BYTES
from vidgate.models.accounts import Sight

__all__ = ["IdempotencyClaim", "Image", "Recognition", "VideoRequest", "key_within"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture: a URL that is passed on unfetched, or the bytes themselves.

    Attributes:
        url: An http(s) URL, or `None` when `content` is given.
        content: The decoded bytes, or `None` when `url` is given.
        media_type: Of `content`, such as `image/png`; read from the bytes, `None` if unknown.
    """

    url: str | None = None
    content: bytes | None = field(default=None, repr=False)
    media_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest:
    """One request for videos.

    Attributes:
        model: The model that is asked for: `model`, or the one that `metadata` names.
        prompt: May be empty where a provider takes a picture alone.
        duration_seconds: An `int` where it was a whole number, `None` when it was not given.
        width: Pixels; given together with `height`, or both are `None`.
        height: Pixels.
        aspect_ratio: Such as `16:9`, when `size` was written as a ratio.
        tier: Such as `1080p`, when `size` was written as a tier.
        fps: Frames a second, as asked for.
        images: In the client's order; their roles follow from their number.
        last_frame: The client's name of the field that brought the last of two images, which is
            where the video ends; empty where only their number says what they are.
        seed: As asked for.
        user: The client's own end user.
        metadata: Vendor fields, laid over the translated request. What a client sends as
            top-level fields we do not know is in here too. Model names and `callback_url` are
            taken out of it before an adapter sees it.
        ignored: Fields that its dialect had no use for already, so that no adapter sees them.
        n: How many videos, each a job of its own.
        cancel_after: When it is to be cancelled, counted from its creation; `None` for never.
        strict: Whether what would be ignored, adjusted or passed on unknown is an error instead.
        channel_id: The one channel it can run at, because it names something that was made there;
            `None` for any.
        vendor_format: The provider in whose own format `metadata` is written, so that no other's
            adapter could make anything of it; `None` for the fields that all of them know.
        names: What the client calls a field above where that is not its name, such as `seconds`
            for the duration, by the names that errors have.
        work_bytes: The size of the body that it came in, and for each JSON value of it 100 more:
            how much work it is to handle.
    """

    model: str
    prompt: str = ""
    duration_seconds: int | float | None = None
    width: int | None = None
    height: int | None = None
    aspect_ratio: str | None = None
    tier: str | None = None
    fps: int | None = None
    images: tuple[Image, ...] = ()
    last_frame: str = ""
    seed: int | None = None
    user: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    n: int = 1
    cancel_after: timedelta | None = None
    strict: bool = False
    channel_id: UUID | None = None
    vendor_format: str | None = None
    names: Mapping[str, str] = field(default_factory=dict, compare=False)
    work_bytes: int = field(default=0, compare=False)

    @property
    def is_heavy(self) -> bool:
        """Whether handling it would hold up everybody else, so that it is a thread's business."""
        return max(self.work_bytes, self.picture_bytes) >= HEAVY_BYTES

    @property
    def picture_bytes(self) -> int:
        """The size of its inline pictures."""
        return sum(len(image.content) for image in self.images if image.content)


class Recognition(Enum):
    """Which request is a repetition of one before it."""

    BY_KEY = auto()
    """The one with the same key."""

    UNTIL_ANSWERED = auto()
    """The one with the same key, as long as the answer to the first was not delivered. After that
    it is a new request, which takes the key over."""

    FIRST = auto()
    """None, as its client says. Its key is its own, and a `RETRY` finds it."""

    RETRY = auto()
    """This one may be, as its client says: of a request with the same fingerprint whose answer was
    not delivered. If there is none it is a new request, which another `RETRY` finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyClaim:
    """By what a repeated request is recognised, so that nothing is made twice.

    Attributes:
        key: Unique among what its client sees.
        fingerprint: Of the request: the same key with another one is an error.
        lifetime: How long it is remembered.
        frees_refused: Whether a request that was refused leaves the key free, as a name has it that
            only what exists can take; otherwise the refusal is repeated.
        recognition: What is a repetition.
    """

    key: str
    fingerprint: bytes
    lifetime: timedelta
    frees_refused: bool = False
    recognition: Recognition = Recognition.BY_KEY

    def within(self, sight: Sight) -> "IdempotencyClaim":
        """The claim among those of whoever sees the same: nobody else's key is met."""
        return replace(self, key=key_within(self.key, sight))

    @property
    def ends_with_answer(self) -> bool:
        """Whether it counts that the answer was delivered."""
        return self.recognition is not Recognition.BY_KEY


def key_within(key: str, sight: Sight) -> str:
    """A key among those of whoever sees the same."""
    return key if sight.token_id is None else f"{sight.token_id.hex}:{key}"
