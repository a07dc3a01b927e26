"""How the sandbox behaves: how long jobs take, when it is full, how answers are spoilt."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

__all__ = ["DEFAULT_CONCURRENCY", "SandboxSettings"]

DEFAULT_CONCURRENCY = 100_000
"""Unfinished jobs of an account before it is full; high, so that limits are met on demand only."""

DEMO_SPEED = 10.0
"""Brings the slowest job, jitter and an off-peak factor included, under 15 seconds."""

_OptionsT = TypeVar("_OptionsT")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """Everything that can be chosen about the sandbox; the defaults behave like the real services.

    Attributes:
        speed: How many seconds of a job's time line pass in one second of the clock.
        job_seconds: Seconds of one job at speed 1, by provider; missing ones are the stand-in's.
        jitter: Largest deviation from `job_seconds`, as a fraction; the same for the same n-th job.
        concurrency: Unfinished jobs one account may have (Kling: per model), by provider; missing
            ones are `DEFAULT_CONCURRENCY`.
        options: What is chosen about single stand-ins, by the type of their options.
        callback_retry_seconds: Wall seconds between two tries of a callback that failed.
        clock: Unix seconds.
        public_base_url: Where clients reach the sandbox; `None` means the Host they asked.
        link_lifetime: Seconds until a result link is refused; `None` means each provider's own.
        latency_seconds: Wall seconds every provider call waits before it is handled.
        hang_seconds: Wall seconds after which a hanging answer is dropped.
        slow_body_seconds: Wall seconds over which a slow body is spread.
        encode_ahead: Whether videos are encoded when a job starts, not at the first download.
    """

    speed: float = 1.0
    job_seconds: Mapping[str, float] = field(default_factory=dict)
    jitter: float = 0.15
    concurrency: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[type[Any], Any] = field(default_factory=dict)
    callback_retry_seconds: float = 0.5
    clock: Callable[[], float] = time.time
    public_base_url: str | None = None
    link_lifetime: float | None = None
    latency_seconds: float = 0.0
    hang_seconds: float = 120.0
    slow_body_seconds: float = 5.0
    encode_ahead: bool = True

    @classmethod
    def demo(cls) -> Self:
        """Settings under which every job that ends at all ends within 15 seconds."""
        return cls(speed=DEMO_SPEED)

    def of(self, kind: type[_OptionsT]) -> _OptionsT:
        """The options of one stand-in."""
        chosen: _OptionsT | None = self.options.get(kind)
        return kind() if chosen is None else chosen

    def having(self, *options: Any) -> Self:
        """These settings with other options, each in the place of those of its type."""
        return replace(self, options={**self.options, **{type(one): one for one in options}})
