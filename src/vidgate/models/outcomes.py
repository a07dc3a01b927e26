"""What a provider said, in no provider's words."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

__all__ = [
    "Failed",
    "Fault",
    "FaultKind",
    "Found",
    "Outcome",
    "Pending",
    "Rejected",
    "Remedy",
    "Submission",
    "Succeeded",
    "Unreadable",
    "UpstreamRef",
    "VideoResult",
]


class Remedy(StrEnum):
    """What may cure a fault."""

    RETRY_HERE = "retry_here"
    ANOTHER_CHANNEL = "another_channel"
    FINAL = "final"


class FaultKind(StrEnum):
    """What went wrong, as every adapter tells it."""

    BAD_PARAMETER = "bad_parameter"
    CONTENT_POLICY = "content_policy"
    MODEL_UNAVAILABLE = "model_unavailable"
    """The model is gone there, or not opened for this account."""
    CREDENTIAL = "credential"
    """The channel's key is wrong, expired, or may not do this."""
    BALANCE = "balance"
    CONCURRENCY = "concurrency"
    """Every slot of the account is taken."""
    RATE = "rate"
    FAULT = "fault"
    """The provider's own failure."""
    NOT_FOUND = "not_found"
    """The provider says that it has no such job."""
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def remedy(self) -> Remedy:
        """What may cure a refusal of this kind."""
        return _REMEDIES[self]


_REMEDIES = {
    FaultKind.BAD_PARAMETER: Remedy.FINAL,
    FaultKind.CONTENT_POLICY: Remedy.FINAL,
    FaultKind.MODEL_UNAVAILABLE: Remedy.ANOTHER_CHANNEL,
    FaultKind.CREDENTIAL: Remedy.ANOTHER_CHANNEL,
    FaultKind.BALANCE: Remedy.ANOTHER_CHANNEL,
    FaultKind.CONCURRENCY: Remedy.RETRY_HERE,
    FaultKind.RATE: Remedy.RETRY_HERE,
    FaultKind.FAULT: Remedy.ANOTHER_CHANNEL,
    FaultKind.NOT_FOUND: Remedy.FINAL,
    FaultKind.EXPIRED: Remedy.FINAL,
    FaultKind.CANCELLED: Remedy.FINAL,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A refusal or a failure.

    Attributes:
        kind: What went wrong.
        code: The provider's own code as text, for the operator; never shown to a client.
        message: The provider's own words, for the operator.
        safe_message: One sentence that a client may read: no account, key, host or upstream id.
            Empty means that the sentence for `kind` is enough.
        retry_after_seconds: What the provider asked us to wait, or `None`.
        param: The field that a bad parameter is about, by the vendor's name of it; empty where
            the provider does not say.
        is_paid: Whether the provider says that it did the work all the same.
    """

    kind: FaultKind
    code: str
    message: str
    safe_message: str = ""
    retry_after_seconds: float | None = None
    param: str = ""
    is_paid: bool = False


@dataclass(frozen=True, slots=True)
class UpstreamRef:
    """All that is needed to ask a provider about one job again, also after a restart.

    Attributes:
        id: The provider's id of the job. Text, whatever it looks like.
        kind: What else the question needs: the path for Kling, the `req_key` for Jimeng.
    """

    id: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoResult:
    """A finished video, as the provider reports it; `None` where it does not.

    Attributes:
        url: Where a plain GET without headers downloads it, unless it is protected.
        protected: Whether `url` answers only to the channel's credential; what a client is given
            then is an address of ours.
        expires_at: When `url` stops working, aware UTC.
        cost: The provider's own units as a decimal string.
        cost_unit: What `cost` counts, such as `credits`.
        upstream_id: The provider's id of the video, for the operator only.
    """

    url: str
    cover_url: str | None = None
    watermarked_url: str | None = None
    expires_at: datetime | None = None
    duration_seconds: float | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    cost: str | None = None
    cost_unit: str | None = None
    upstream_id: str | None = None
    protected: bool = False


# What a submit can say.


@dataclass(frozen=True, slots=True)
class Submission:
    """The job exists.

    Attributes:
        ref: How to ask about it.
        seed: The seed it runs with, where the provider says.
        cost: What the provider will charge, in its own units, where it says.
    """

    ref: UpstreamRef
    seed: int | None = None
    cost: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """No job exists, for certain."""

    fault: Fault


# What a poll can say of one job.


@dataclass(frozen=True, slots=True)
class Pending:
    """Not finished.

    Attributes:
        started: Whether the provider works on it, as opposed to queueing it.
        progress: Percent from 0 to 100, `None` where the provider does not say.
    """

    started: bool
    progress: int | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The video is there."""

    result: VideoResult


@dataclass(frozen=True, slots=True)
class Failed:
    """No video will come.

    Attributes:
        fault: Why.
        doubtful: Whether to go on asking for some minutes before it is believed, as for a job that
            is finished without a video, or one that the provider does not know.
    """

    fault: Fault
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The answer says nothing certain about this job; ask again later.

    Attributes:
        reason: For the operator.
        retry_after_seconds: What the provider asked us to wait, or `None`.
        is_new_word: Whether it is a status word that the adapter does not know: its provider has
            changed, and so must the adapter.
    """

    reason: str
    retry_after_seconds: float | None = None
    is_new_word: bool = False


Outcome: TypeAlias = Pending | Succeeded | Failed | Unreadable


@dataclass(frozen=True, slots=True)
class Found:
    """What a provider says about a submit that got no answer.

    Attributes:
        ref: The job, or `None`: the provider knows none by what we told it.
        next_page: Where the search goes on; then `ref` is `None` and nothing is decided yet.
        candidates: Jobs on this page that were made of the same, of which any may be the one.
    """

    ref: UpstreamRef | None
    next_page: Any = None
    candidates: tuple[UpstreamRef, ...] = ()
