"""The headers that tell a client of its limits.

Source: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-11
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from starlette.types import Scope as ASGIScope

from vidgate.api.dependencies import services_of
from vidgate.models.limits import Admission, Limit, LimitSet, LimitUse, Measure, Period, Scope

__all__ = ["POLICY_DOCUMENTED", "USES_DOCUMENTED", "count_read", "limit_headers"]

_TEXT: Final = {"type": "string"}
POLICY_DOCUMENTED: dict[str, Any] = {
    "RateLimit-Policy": {
        "description": "The limits of the token and its account, where there are any: `q` is how "
        "much, `qu` of what if not of requests, `w` in how many seconds.",
        "schema": _TEXT,
    }
}
USES_DOCUMENTED: dict[str, Any] = {
    **POLICY_DOCUMENTED,
    "RateLimit": {
        "description": "What is left of each of them (`r`), and in how many seconds it begins "
        "anew (`t`).",
        "schema": _TEXT,
    },
    "x-ratelimit-limit-requests": {"description": "Requests a minute.", "schema": _TEXT},
    "x-ratelimit-remaining-requests": {
        "description": "How many of them are left.",
        "schema": _TEXT,
    },
    "x-ratelimit-reset-requests": {
        "description": "In what time all of them are there again, such as `1s` or `6m0s`.",
        "schema": _TEXT,
    },
}

_DAY: Final = 24 * 60 * 60
_SECONDS: Final[Mapping[Period, int]] = MappingProxyType(
    {
        Period.MINUTE: 60,
        Period.DAY: _DAY,
        Period.WEEK: 7 * _DAY,
        Period.MONTH: 30 * _DAY,
    }
)
_UNITS: Final[Mapping[Measure, str]] = MappingProxyType(
    {
        Measure.IN_FLIGHT: "concurrent-requests",
        Measure.QUEUED: "concurrent-requests",
        Measure.TASKS: "videos",
        Measure.SPEND: "micros",
    }
)
_NAMES: Final[Mapping[Measure, str]] = MappingProxyType(
    {
        Measure.REQUESTS: "requests",
        Measure.READS: "reads",
        Measure.IN_FLIGHT: "tasks",
        Measure.QUEUED: "queued",
        Measure.TASKS: "videos",
        Measure.SPEND: "spend",
    }
)


def count_read(scope: ASGIScope) -> None:
    """Count a request that reads.

    Raises:
        RateLimitError: There were too many.
    """
    limits, admission = scope["state"].get("limits", (None, None))
    if limits is not None and limits.has_reads:
        services = services_of(scope)
        services.reads.take(admission, services.clock.now())


def limit_headers(
    limits: LimitSet, admission: Admission, now: datetime
) -> list[tuple[bytes, bytes]]:
    """What an answer tells of limits: the policies always, and what is left where it is known.

    Args:
        limits: Of the caller.
        admission: What its request was held against.
        now: Database time.
    """
    names = _name(limits.limits)
    if not limits.policy:
        limits.policy = ", ".join(
            _policy(limit, names, limits.known_at) for limit in limits.limits
        ).encode()
    headers = [(b"ratelimit-policy", limits.policy)]
    if not admission.uses:
        return headers
    left = ", ".join(_left(use, names, now) for use in admission.uses)
    headers.append((b"ratelimit", left.encode()))
    rates = [use for use in admission.uses if use.limit.measure is Measure.REQUESTS]
    if rates:
        use = min(rates, key=lambda one: one.left)
        headers += [
            (b"x-ratelimit-limit-requests", str(use.most).encode()),
            (b"x-ratelimit-remaining-requests", str(use.left).encode()),
            (b"x-ratelimit-reset-requests", _span(_seconds(use, now)).encode()),
        ]
    return headers


def _name(limits: Iterable[Limit]) -> Mapping[object, str]:
    """Name each limit, no two alike."""
    names: dict[object, str] = {}
    for limit in limits:
        parts = [_NAMES[limit.measure]]
        if limit.scope is not Scope.TOKEN:
            parts.insert(0, limit.scope.value)
        if limit.is_budget:
            parts.append(limit.period.value)
        name, count = "-".join(parts), 1
        while name in names.values():
            count += 1
            name = "-".join([*parts, str(count)])
        names[limit.id] = name
    return names


def _policy(limit: Limit, names: Mapping[object, str], now: datetime) -> str:
    policy = f'"{names[limit.id]}";q={limit.most(now)}'
    if limit.measure in _UNITS:
        policy += f';qu="{_UNITS[limit.measure]}"'
    if limit.period in _SECONDS:
        policy += f";w={_SECONDS[limit.period]}"
    return policy


def _left(use: LimitUse, names: Mapping[object, str], now: datetime) -> str:
    left = f'"{names.get(use.limit.id, use.limit.name)}";r={use.left}'
    has_time = use.limit.period not in (Period.AT_ONCE, Period.TOTAL)
    return f"{left};t={_seconds(use, now)}" if has_time else left


def _seconds(use: LimitUse, now: datetime) -> int:
    if use.resets_at is None:
        return 0
    return max(0, math.ceil((use.resets_at - now).total_seconds()))


def _span(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
