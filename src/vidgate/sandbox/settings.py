"""How the stand-ins behave: whom they let in, how long they take, when they are full."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

__all__ = [
    "KLING_ACCESS_KEY",
    "KLING_SECRET_KEY",
    "OPENAI_LINK_MODEL",
    "PROVIDERS",
    "SANDBOX_KEYS",
    "SANDBOX_MODELS",
    "SandboxSettings",
]

PROVIDERS = ("kling", "jimeng", "vidu", "openai_compatible")
"""The providers imitated; also the first segment of each base URL."""

KLING_ACCESS_KEY = "SANDBOXACCESS"
"""AccessKey of the legacy JWT credential."""

KLING_SECRET_KEY = "SANDBOXSECRET-0123456789abcdef0123456789"  # noqa: S105 - made up, accepted here only
"""SecretKey of the legacy JWT credential."""

JIMENG_ACCESS_KEY = "AKLTSANDBOX0000000000000000000000001"
JIMENG_SECRET_KEY = "U0FOREJPWDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE="  # noqa: S105 - made up, accepted here only

SANDBOX_KEYS: Mapping[str, str] = {
    "kling": "sandbox-kling-key",
    "jimeng": f"{JIMENG_ACCESS_KEY}|{JIMENG_SECRET_KEY}",
    "vidu": "vda_sandbox_0000000000000001",
    "openai_compatible": "sk-sandbox-0000000000000001",
}
"""One accepted credential for each provider, as an operator would type it."""

OPENAI_LINK_MODEL = "clip-1-link"
"""The model whose finished jobs name a URL; those of the others have the content endpoint alone."""

SANDBOX_MODELS: Mapping[str, tuple[str, ...]] = {
    "openai_compatible": ("clip-1", "clip-1-pro", OPENAI_LINK_MODEL),
}
"""The models of those that have none by name, which a channel has to list."""

JOB_SECONDS: Mapping[str, float] = {
    "kling": 40.0,
    "jimeng": 90.0,
    "vidu": 40.0,
    "openai_compatible": 40.0,
}
"""Seconds a job takes at speed 1, before jitter; about what the real ones take."""

DEFAULT_CONCURRENCY = 100_000
"""Unfinished jobs of an account before it is full; high, so that limits are met on demand only."""

DEFAULT_CREDITS = 1_000_000_000
"""Balance of each Vidu organisation; high for the same reason."""

DEMO_SPEED = 10.0
"""Brings the slowest job, jitter and an off-peak factor included, under 15 seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """Everything that can be chosen about the sandbox; the defaults behave like the real services.

    Attributes:
        speed: How many seconds of a job's time line pass in one second of the clock.
        job_seconds: Seconds of one job at speed 1, by provider.
        jitter: Largest deviation from `job_seconds`, as a fraction; the same for the same n-th job.
        concurrency: Unfinished jobs one account may have (Kling: per model), by provider.
        vidu_over_limit: Whether Vidu queues or refuses what exceeds its concurrency.
        vidu_credits: Opening balance of each Vidu organisation.
        vidu_strict: Whether Vidu refuses fields that the called endpoint does not take.
        jimeng_strict: Whether Jimeng refuses a poll with another `req_key` than the submit had.
        jimeng_closed: Jimeng `req_key` values that are not opened for the account.
        kling_full_status: HTTP status of Kling's code 1303; 200 has been reported beside 429.
        kling_api_keys: Accepted Kling API keys and the account each belongs to.
        kling_access_keys: Accepted Kling AccessKeys with their SecretKeys; all of account `main`.
        jimeng_keys: Accepted Jimeng access keys with their secret keys; each its own account.
        jimeng_session_tokens: Accepted STS tokens and the access key each belongs to.
        vidu_keys: Accepted Vidu keys and the organisation each belongs to.
        openai_keys: Accepted keys of the compatible server and the account each belongs to.
        kling_callback_secret: Signs Kling's callbacks, `whsec_` and Base64; during a rotation two,
            with a blank between; `None` means that they are not signed.
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
    job_seconds: Mapping[str, float] = field(default_factory=lambda: dict(JOB_SECONDS))
    jitter: float = 0.15
    concurrency: Mapping[str, int] = field(
        default_factory=lambda: dict.fromkeys(PROVIDERS, DEFAULT_CONCURRENCY)
    )
    vidu_over_limit: Literal["queue", "refuse"] = "refuse"
    vidu_credits: int = DEFAULT_CREDITS
    vidu_strict: bool = False
    jimeng_strict: bool = True
    jimeng_closed: frozenset[str] = frozenset()
    kling_full_status: int = 429
    kling_api_keys: Mapping[str, str] = field(
        default_factory=lambda: {
            SANDBOX_KEYS["kling"]: "main",
            f"{SANDBOX_KEYS['kling']}-2": "second",
        }
    )
    kling_access_keys: Mapping[str, str] = field(
        default_factory=lambda: {KLING_ACCESS_KEY: KLING_SECRET_KEY}
    )
    jimeng_keys: Mapping[str, str] = field(
        default_factory=lambda: {
            JIMENG_ACCESS_KEY: JIMENG_SECRET_KEY,
            f"{JIMENG_ACCESS_KEY[:-1]}2": JIMENG_SECRET_KEY,
        }
    )
    jimeng_session_tokens: Mapping[str, str] = field(default_factory=dict)
    vidu_keys: Mapping[str, str] = field(
        default_factory=lambda: {
            SANDBOX_KEYS["vidu"]: "main",
            f"{SANDBOX_KEYS['vidu'][:-1]}2": "second",
        }
    )
    openai_keys: Mapping[str, str] = field(
        default_factory=lambda: {
            SANDBOX_KEYS["openai_compatible"]: "main",
            f"{SANDBOX_KEYS['openai_compatible'][:-1]}2": "second",
        }
    )
    kling_callback_secret: str | None = None
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
