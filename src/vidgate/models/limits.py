"""Limits: what an account, a token or a channel may use at once, in a minute, and over a period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from vidgate.models.ids import ACCOUNT_PREFIX, CHANNEL_PREFIX, TOKEN_PREFIX, public_id

__all__ = [
    "MINUTE",
    "Admission",
    "Limit",
    "LimitChange",
    "LimitSet",
    "LimitUse",
    "Measure",
    "Period",
    "Scope",
    "owner_of",
]

MINUTE: Final = timedelta(minutes=1)


class Scope(StrEnum):
    """What a limit is of."""

    ACCOUNT = "account"
    TOKEN = "token"  # noqa: S105 - not a secret
    CHANNEL = "channel"
    END_USER = "end_user"
    VENDOR_ACCOUNT = "vendor_account"


class Measure(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    """POSTs that make a task."""
    READS = "reads"
    IN_FLIGHT = "in_flight"
    """Videos under way, without those that wait for a place."""
    QUEUED = "queued"
    """Videos that wait for a place."""
    TASKS = "tasks"
    """Videos over a period: those that are made, and those that may be."""
    SPEND = "micros"
    """Money over a period: what is charged, and what is held."""


class Period(StrEnum):
    """Over which time."""

    AT_ONCE = "at_once"
    MINUTE = "minute"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


_PREFIXES: Final[Mapping[Scope, str]] = MappingProxyType(
    {
        Scope.ACCOUNT: ACCOUNT_PREFIX,
        Scope.TOKEN: TOKEN_PREFIX,
        Scope.CHANNEL: CHANNEL_PREFIX,
    }
)
_NAMES: Final[Mapping[Measure, str]] = MappingProxyType(
    {
        Measure.REQUESTS: "requests_per_minute",
        Measure.READS: "reads_per_minute",
        Measure.IN_FLIGHT: "tasks_in_flight",
        Measure.QUEUED: "max_queued",
        Measure.TASKS: "tasks",
        Measure.SPEND: "spend",
    }
)
_MEASURES: Final = tuple(Measure)
_PERIODS: Final = tuple(Period)
_BUDGETS: Final = frozenset({Measure.TASKS, Measure.SPEND})


def owner_of(scope: Scope, scope_id: UUID) -> str:
    """The public id of an account, a token or a channel."""
    return public_id(_PREFIXES[scope], scope_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit.

    Attributes:
        scope_id: The id of what it is of.
        time_zone: In which days, weeks and months begin.
        models: Patterns of the models that count; empty means every one.
        limit: How much; money in millionths.
        warn_at: The part of it from which the operator is warned.
        raised_by: How much more until `raised_until`.
        removed: It holds no longer.
    """

    id: UUID
    scope: Scope
    scope_id: str
    measure: Measure
    period: Period
    time_zone: str = "UTC"
    models: tuple[str, ...] = ()
    limit: int
    warn_at: Decimal = Decimal("0.8")
    raised_by: int = 0
    raised_until: datetime | None = None
    removed: bool = False

    @property
    def name(self) -> str:
        """As clients and operators read it."""
        return _NAMES[self.measure]

    @property
    def place(self) -> tuple[int, int, tuple[str, ...]]:
        """Where it stands among those of one owner: what is counted at once comes first."""
        return _MEASURES.index(self.measure), _PERIODS.index(self.period), self.models

    @property
    def is_budget(self) -> bool:
        """Whether what is used counts over a period, in windows."""
        return self.measure in _BUDGETS

    @property
    def window(self) -> str | None:
        """The period, `None` for what counts at once."""
        return None if self.period is Period.AT_ONCE else self.period.value

    def most(self, now: datetime) -> int:
        """How much may be used now."""
        is_raised = self.raised_until is not None and self.raised_until > now
        return self.limit + self.raised_by if is_raised else self.limit

    def covers(self, model: str) -> bool:
        """Whether requests for this model count."""
        return not self.models or any(fnmatchcase(model, one) for one in self.models)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """How a limit stands.

    Attributes:
        most: How much may be used now, with what it is raised by.
        used: How much is used or held; `None` where each process counts for itself.
        resets_at: When a rate is unused again, or a period ends; `None` where that has no time.
        taken: What the request at hand has of `used`.
    """

    limit: Limit
    most: int
    used: int | None
    resets_at: datetime | None = None
    taken: int = 0

    @property
    def left(self) -> int:
        """How much more may be used."""
        return max(0, self.most - (self.used or 0))

    def given_back(self) -> "LimitUse":
        """How it stands where the request at hand came to nothing."""
        resets_at = self.resets_at
        if resets_at is not None and self.limit.measure is Measure.REQUESTS:
            resets_at -= MINUTE / self.most * self.taken
        return replace(self, used=(self.used or 0) - self.taken, resets_at=resets_at, taken=0)

    def to_document(self) -> dict[str, Any]:
        """One of the `limits` of an account, a token or a channel; money is in millionths."""
        document: dict[str, Any] = {
            "name": self.limit.name,
            "scope": self.limit.scope.value,
            "window": self.limit.window,
            "limit": self.most,
            "used": self.used,
            "resets_at": None if self.resets_at is None else int(self.resets_at.timestamp()),
        }
        if self.limit.models:
            document["models"] = list(self.limit.models)
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChange:
    """What an operator changes of a limit, which is named by its first three members.

    Attributes:
        limit: `None` to take it away.
        time_zone: `None` leaves it.
        warn_at: `None` leaves it.
    """

    measure: Measure
    period: Period
    models: tuple[str, ...] = ()
    limit: int | None
    time_zone: str | None = None
    warn_at: Decimal | None = None


@dataclass(slots=True)
class LimitSet:
    """The limits of one token and of its account.

    Attributes:
        limits: The token's first.
        known_at: When they were looked up.
        policy: Kept with them: how answers tell of them, empty until one did.
    """

    limits: tuple[Limit, ...]
    known_at: datetime
    policy: bytes = b""

    @property
    def has_reads(self) -> bool:
        """Whether reads are limited."""
        return any(limit.measure is Measure.READS for limit in self.limits)


@dataclass(slots=True)
class Admission:
    """One request before its limits.

    Attributes:
        limits: Those of its account and its token.
        uses: How those stand that it was held against, once it was.
        warned: Budgets of which it used the part that the operator is warned of.
    """

    limits: Sequence[Limit]
    uses: list[LimitUse] = field(default_factory=list)
    warned: list[LimitUse] = field(default_factory=list)

    def begin(self) -> None:
        """Forget what an earlier try came to."""
        self.uses.clear()
        self.warned.clear()

    def undo(self) -> None:
        """Take note that what was taken is given back, since the request is refused."""
        self.uses[:] = [use.given_back() for use in self.uses]
        self.warned.clear()
