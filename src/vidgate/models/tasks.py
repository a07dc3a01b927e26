"""Tasks, their outputs and their attempts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from vidgate.models.acts import Author
from vidgate.models.ids import public_id
from vidgate.models.money import Hold
from vidgate.models.outcomes import VideoResult

__all__ = [
    "AttemptStatus",
    "FollowUp",
    "OutputSnapshot",
    "Resubmission",
    "TaskCost",
    "TaskError",
    "TaskFilter",
    "TaskPage",
    "TaskQuery",
    "TaskSnapshot",
    "TaskStatus",
    "TaskWarning",
    "WarningCode",
]


class TaskStatus(StrEnum):
    """The states of a task and of each of its outputs, in the order they can be passed."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing can follow."""
        return self in {TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED}


class FollowUp(StrEnum):
    """What can be made of a finished video by naming it."""

    REMIX = "remix"
    """The video made anew with another prompt, as near to it as its provider can."""
    EDIT = "edit"
    """The video itself, changed as the prompt says."""
    EXTEND = "extend"
    """What comes after it."""


class AttemptStatus(StrEnum):
    """The finer truth of one job at one channel."""

    PENDING = "pending"
    """Waits for a slot, or for its next try; no job exists."""
    SUBMITTING = "submitting"
    """A submit is, or may have been, sent."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """Nobody can tell whether a job exists, or it outlived its deadline."""


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task or an output failed, as a client may read it."""

    code: str
    message: str


class WarningCode(StrEnum):
    """In what way a request was not carried out to the letter."""

    IGNORED = "ignored"
    """The model has no use for the field."""
    ADJUSTED = "adjusted"
    """Another value runs than the one that was asked for, or one that nobody asked for."""
    UNKNOWN = "unknown"
    """The field went to the vendor, whose documentation does not have it."""


@dataclass(frozen=True, slots=True)
class TaskWarning:
    """One remark on a request, told beside its answer.

    Attributes:
        param: The field, as the client wrote it.
        message: One sentence that says what was done.
        value: What runs in place of what was asked for, `None` where that is not the matter.
    """

    code: WarningCode
    param: str
    message: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class TaskCost:
    """What a client pays for a task, in millionths of a currency.

    Attributes:
        currency: Such as `USD`.
        reserved_micros: What was held for it when it was made.
        charged_micros: What was charged for the videos that are final.
    """

    currency: str
    reserved_micros: int
    charged_micros: int = 0

    @classmethod
    def of(cls, holds: Sequence[Hold]) -> "TaskCost | None":
        """What is held for a task that is not stored yet; `None` where nothing has a price."""
        if not holds:
            return None
        return cls(holds[0].quote.currency, sum(hold.micros for hold in holds))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSnapshot:
    """One of a task's videos."""

    status: TaskStatus
    result: VideoResult | None = None
    error: TaskError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSnapshot:
    """A task as it stood at one moment: everything that any dialect may say of it.

    Attributes:
        revision: Grows with every change of state; a lower one is older.
        model: As the client asked for it.
        upstream_model: What is run, once a channel was chosen.
        details: What else the client reads about the translation, such as `{"mode": "pro"}`.
        dialect: In which it was made, such as `newapi`.
        echo: What its dialect gives back as the client sent it: `payload` and `external_task_id`,
            and what else a dialect keeps for itself.
        asked: The generic fields of the request, `prompt` and `duration_seconds` among them;
            those that were not given are missing. No pictures, no vendor fields.
        facts: What is run, as `RunFacts` has it, without the members that are unknown.
        warnings: What was not done to the letter.
        seed: The one asked for, `None` if none was.
        cancel_after: Its client's own deadline, such as `10m`, or `not_possible`; `None` without.
        progress: Percent from 0 to 100.
        next_ask_at: When its provider is asked next, `None` while that is under way or unknown.
        usual: How long most tasks of its model run, `None` where nobody knows.
        removed: Whether its client removed it; it is there for the operator alone.
        cost: `None` where there are no prices.
    """

    id: UUID
    account_id: UUID
    token_id: UUID
    revision: int
    status: TaskStatus
    model: str
    provider: str | None
    upstream_model: str | None
    details: Mapping[str, Any] = field(default_factory=dict)
    dialect: str = "newapi"
    echo: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[TaskWarning, ...] = ()
    user: str | None = None
    seed: int | None = None
    cancel_after: str | None = None
    progress: int = 0
    next_ask_at: datetime | None = None
    usual: timedelta | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cost: TaskCost | None = None
    removed: bool = False
    error: TaskError | None = None
    outputs: tuple[OutputSnapshot, ...] = ()

    @property
    def public_id(self) -> str:
        """The id as clients know it."""
        return public_id("task_", self.id)

    @property
    def version(self) -> tuple[int, int]:
        """What tells two states apart, and which of them is the newer."""
        return self.revision, self.progress

    @property
    def result(self) -> VideoResult | None:
        """The first video there is."""
        return next((output.result for output in self.outputs if output.result), None)


@dataclass(frozen=True, slots=True)
class Resubmission:
    """Why a task repeats another one.

    Attributes:
        source: The other one.
        author: Who wanted it.
    """

    source: UUID
    author: Author


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Which of an account's tasks to list.

    Attributes:
        after: The public id behind which to begin, in the order asked for; `None` at the beginning.
        before: The public id ahead of which to end. Without `after` these are the ones next to it.
        offset: How many to leave out before the first, for dialects that number their pages.
        limit: How many at most.
        statuses: Empty for all, as the other filters.
        actions: Words of `details["action"]`.
        origin: A provider where they run, or a dialect of the same name that they were made in.
        created_from: The earliest moment of creation, included.
        created_until: The latest, excluded.
        slim: Whether to leave out what may be long: the prompt, and of `echo` all but the client's
            own id. A page of such tasks is never cut.
    """

    after: str | None = None
    before: str | None = None
    offset: int = 0
    limit: int = 20
    newest_first: bool = True
    statuses: tuple[TaskStatus, ...] = ()
    model: str | None = None
    user: str | None = None
    origin: str | None = None
    actions: tuple[str, ...] = ()
    created_from: datetime | None = None
    created_until: datetime | None = None
    slim: bool = False

    @property
    def is_backwards(self) -> bool:
        """Whether the part ends at `before`, and what does not fit is ahead of it."""
        return self.before is not None and self.after is None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which of all tasks an operator wants to see; `None`, or empty, for every one.

    Attributes:
        account_id: Whose.
        channel_id: One that has been tried for it.
        made_since: The earliest moment at which it was made.
        stuck_at: The moment at which it is unfinished for four times as long as its model usually
            takes.
    """

    statuses: tuple[TaskStatus, ...] = ()
    model: str | None = None
    user: str | None = None
    account_id: UUID | None = None
    channel_id: UUID | None = None
    made_since: datetime | None = None
    stuck_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """A part of a list, in the order asked for.

    Attributes:
        tasks: As many as were asked for, or fewer where more would be too much to hold at once.
        has_more: Whether something follows, or precedes where that was asked for.
    """

    tasks: tuple[TaskSnapshot, ...]
    has_more: bool
