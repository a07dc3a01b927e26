"""What was used: tasks, videos, seconds and money, by day, model and end user."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from vidgate.models.accounts import Sight

__all__ = ["Grouping", "UsageKey", "UsagePage", "UsageQuery", "UsageRow"]


class Grouping(StrEnum):
    """What use is told apart by."""

    DAY = "day"
    MODEL = "model"
    USER = "user"


@dataclass(frozen=True, slots=True)
class UsageKey:
    """The place of a row in a list; what rows are not told apart by is `None`."""

    day: date | None
    model: str | None
    user: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """Which use is asked for.

    Attributes:
        sight: Of which tasks.
        since: The first day, in UTC.
        until: The last one.
        group_by: By what rows are told apart.
        after: Behind which row to begin, `None` for the first.
        limit: How many rows at most.
    """

    sight: Sight
    since: date
    until: date
    group_by: frozenset[Grouping]
    after: UsageKey | None = None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What was used.

    Attributes:
        tasks: That were made.
        outputs: Videos that were finished.
        seconds: Of these videos, as far as their length is known.
        charged_micros: For them.
    """

    key: UsageKey
    tasks: int
    outputs: int
    seconds: float
    charged_micros: int


@dataclass(frozen=True, slots=True)
class UsagePage:
    """A part of the rows."""

    rows: Sequence[UsageRow]
    has_more: bool
