"""What is asked and what goes wrong, and when: all of it follows from a seed."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

__all__ = ["Event", "Order", "Schedule", "make_schedule"]

_T = TypeVar("_T")

LONG_SECONDS: Final = 120.0
"""From here on a schedule also stops a gateway for longer than the lease of a poll."""

ORDERS_PER_SECOND: Final = 2.5
"""Each is read until it is final. Two busy cores bear no more."""

_HURT_SECONDS: Final = 10.0
"""Between two processes that are hurt, about, where there is time."""

_LAST_SECONDS: Final = 8.0
"""Before the end no process is hurt any more: what a dead one held is free 45 s later."""

_MODELS: Final = {
    "newapi": ("kling-v2-6", "jimeng_t2v_v30", "viduq2", "clip-1"),
    "openai": ("kling-v2-6", "jimeng_t2v_v30", "viduq2", "clip-1"),
    "kling": ("kling-v2-6",),
    "jimeng": ("jimeng_t2v_v30",),
    "vidu": ("viduq2",),
}
_WORDS: Final = (
    *("", "", "", "", "", "", "", ""),
    "#late-error",
    "#drop-created",
    "#500-created",
    "#truncated",
    "#garbage",
)
"""What the stand-in shall do with one prompt; most are left alone. Missing are those that
take minutes: a job that nobody knows any more, and a submit that is lost at every try."""

_PROCESS_EVENTS: Final = ("kill", "stop", "terminate", "cut", "restart")
_FAULTS: Final = (
    *(
        ("submit", kind)
        for kind in (
            *("reset", "refuse_after_create", "hang_created", "hang", "429", "503", "500"),
            *("502_html", "truncated_json", "garbage", "reset_in_body", "500_created", "delay"),
        )
    ),
    *(
        ("poll", kind)
        for kind in (
            *("reset", "hang", "429", "500", "503", "502_html", "truncated_json", "garbage"),
            *("empty", "reset_in_body", "unknown_state", "slow_body", "delay", "not_found"),
        )
    ),
    *(("find", kind) for kind in ("reset", "500", "429", "502_html", "truncated_json", "delay")),
    *(("cancel", kind) for kind in ("reset", "500", "delay")),
    *(
        ("callback", kind)
        for kind in ("lost", "duplicate", "reorder", "bad_signature", "unsigned", "stale_date")
    ),
)
_PROVIDERS: Final = ("kling", "jimeng", "vidu", "openai_compatible", "*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One request of a client's, and what the client does about it.

    Attributes:
        at: Seconds after the beginning.
        label: Its own word; it is in the prompt, the idempotency key and the webhook's address.
        dialect: In which it is asked.
        n: How many videos.
        word: What the stand-in shall do with it.
        gateway: Which one is asked first.
        has_webhook: Whether it names a `callback_url`.
        refused_webhooks: How many tries of its webhook are refused.
        repeated_after: The same request again, at the next gateway, so many seconds after it began.
        cancelled_after: Likewise for a cancellation, after it was accepted; `None` for none.
        discards: Whether it is cancelled even where that is too late for the provider.
        is_streamed: Whether somebody listens to the events of its task, too.
        waits: Whether its requests wait a while for the end.
    """

    at: float
    label: str
    dialect: str
    model: str
    n: int
    word: str
    gateway: int
    has_webhook: bool
    refused_webhooks: int
    repeated_after: tuple[float, ...]
    cancelled_after: float | None
    discards: bool
    is_streamed: bool
    waits: bool

    @property
    def prompt(self) -> str:
        """Tells its jobs in the ledger of the stand-ins."""
        return f"{self.label} {self.word}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that goes wrong.

    Attributes:
        at: Seconds after the beginning.
        kind: `kill`, `terminate` or `stop` a gateway; `cut` the connections of PostgreSQL or
            `restart` it; `forge` callbacks; a `fault` of a stand-in.
        gateway: Which gateway.
        seconds: How long it is stopped, or away.
        fault: For the control of the sandbox.
    """

    at: float
    kind: str
    gateway: int = 0
    seconds: float = 0.0
    fault: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A storm.

    Attributes:
        seconds: How long it lasts; what follows is calm.
        gateways: How many there are.
    """

    seed: int
    seconds: float
    gateways: int
    orders: tuple[Order, ...]
    events: tuple[Event, ...]


def make_schedule(seed: int, seconds: float, *, gateways: int) -> Schedule:
    """Draw a storm; the same one for the same arguments."""
    chance = random.Random(seed)
    return Schedule(
        seed,
        seconds,
        gateways,
        tuple(_orders(chance, seconds, gateways)),
        tuple(
            sorted(
                [
                    *_hurt_processes(chance, seconds, gateways),
                    *_faults(chance, seconds),
                    *_forgeries(chance, seconds, gateways),
                ],
                key=lambda event: event.at,
            )
        ),
    )


def _orders(chance: random.Random, seconds: float, gateways: int) -> Iterator[Order]:
    for number, at in enumerate(_times(chance, seconds, ORDERS_PER_SECOND)):
        dialect = chance.choice(list(_MODELS))
        has_webhook = chance.random() < 0.6
        yield Order(
            at=at,
            label=f"boat-{number:05}",
            dialect=dialect,
            model=chance.choice(_MODELS[dialect]),
            n=chance.choice((1, 1, 2, 3)) if dialect in ("newapi", "openai") else 1,
            word=chance.choice(_WORDS),
            gateway=chance.randrange(gateways),
            has_webhook=has_webhook,
            refused_webhooks=int(has_webhook and chance.random() < 0.2),
            repeated_after=tuple(
                round(chance.uniform(0, 6), 3) for _ in range(chance.choice((0, 0, 1, 2)))
            ),
            cancelled_after=round(chance.uniform(0, 3), 3) if chance.random() < 0.2 else None,
            discards=chance.random() < 0.5,
            is_streamed=chance.random() < 0.3,
            waits=chance.random() < 0.2,
        )


def _hurt_processes(chance: random.Random, seconds: float, gateways: int) -> Iterator[Event]:
    deal = _dealer(chance, _PROCESS_EVENTS)
    last = seconds - _LAST_SECONDS
    # Every kind comes once before any comes again, however short it is.
    count = max(len(_PROCESS_EVENTS), int(last / _HURT_SECONDS))
    for number in range(count):
        kind = deal()
        away = {"stop": _stopped(chance, seconds), "restart": chance.uniform(0, 3)}
        yield Event(
            at=round((number + chance.random()) * last / count, 3),
            kind=kind,
            gateway=chance.randrange(gateways),
            seconds=round(away.get(kind, 0.0), 3),
        )


def _stopped(chance: random.Random, seconds: float) -> float:
    """Longer than the lease of a submit (18 s), in a long storm also than that of a poll (45 s)."""
    return chance.choice((20.0, 50.0)) if seconds >= LONG_SECONDS else 20.0


def _faults(chance: random.Random, seconds: float) -> Iterator[Event]:
    deal = _dealer(chance, _FAULTS)
    for at in _times(chance, seconds, 1.2):
        operation, kind = deal()
        fault: dict[str, Any] = {
            "provider": chance.choice(_PROVIDERS),
            "operation": operation,
            "kind": kind,
            # A storm of refusals, or one bad answer.
            "times": chance.choice((1, 1, 2, 8)) if kind != "not_found" else 1,
            "skip": chance.choice((0, 0, 1, 3)),
        }
        if kind in ("hang", "hang_created", "slow_body", "delay"):
            fault |= {"seconds": round(chance.uniform(0.5, 5), 3), "times": 1}
        yield Event(at=at, kind="fault", fault=fault)


def _forgeries(chance: random.Random, seconds: float, gateways: int) -> Iterator[Event]:
    for at in _times(chance, seconds, 0.3):
        yield Event(at=at, kind="forge", gateway=chance.randrange(gateways))


def _times(chance: random.Random, seconds: float, per_second: float) -> Iterator[float]:
    at = chance.expovariate(per_second)
    while at < seconds:
        yield round(at, 3)
        at += chance.expovariate(per_second)


def _dealer(chance: random.Random, deck: Sequence[_T]) -> Callable[[], _T]:
    """Deal a shuffled deck, then the next: each card comes once before any comes again."""
    left: list[_T] = []

    def deal() -> _T:
        if not left:
            left.extend(chance.sample(deck, len(deck)))
        return left.pop()

    return deal
