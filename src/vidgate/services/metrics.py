"""What the process counts, in Prometheus' form."""

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["Metrics"]

_NAMESPACE = "vidgate"
_MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"

_REQUEST_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    20,
    30,
    60,
)
"""Seconds: a poll takes under a millisecond, a creating POST up to its wait of 20."""

_LAG_BUCKETS = (0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120, 300)
"""Seconds between a provider's finish and our knowing."""

_UPSTREAM_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
"""Seconds: a poll is answered in a tenth, a submit with pictures may take a minute."""

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Metrics:
    """Counters, gauges and histograms with a registry of their own.

    With `PROMETHEUS_MULTIPROC_DIR` set, what every process of the machine counted is rendered.
    """

    content_type = CONTENT_TYPE_LATEST
    """Of what `render` gives."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self._requests = Counter(
            "requests",
            "Requests answered.",
            ("method", "route", "status"),
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._request_seconds = Histogram(
            "request_seconds",
            "From a request's head to the end of its answer.",
            ("method", "route"),
            namespace=_NAMESPACE,
            registry=registry,
            buckets=_REQUEST_BUCKETS,
        )
        self._submits = Counter(
            "submits",
            "Submits to providers, by what became of them.",
            ("provider", "outcome"),
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._polls = Counter(
            "polls",
            "Polls of providers, by what they said.",
            ("provider", "outcome"),
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._lag = Histogram(
            "detection_lag_seconds",
            "At most this long a job was finished before we knew.",
            ("provider",),
            namespace=_NAMESPACE,
            registry=registry,
            buckets=_LAG_BUCKETS,
        )
        self._upstream = Histogram(
            "upstream_seconds",
            "How long providers took to answer, by channel and by what was asked.",
            ("channel", "call"),
            namespace=_NAMESPACE,
            registry=registry,
            buckets=_UPSTREAM_BUCKETS,
        )
        self._writable = Gauge(
            "database_writable",
            "1 while tasks can be written, 0 while they can only be read.",
            namespace=_NAMESPACE,
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._imbalance = Gauge(
            "ledger_imbalance_micros",
            "By how much the books were wrong when they were last proved; 0 where they are right.",
            namespace=_NAMESPACE,
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._extra = Counter(
            "extra_micros",
            "Millionths of the currency that providers took beyond what was held.",
            ("channel",),
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._work_due = Gauge(
            "work_due",
            "Attempts whose time to be worked on has come.",
            namespace=_NAMESPACE,
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._oldest = Gauge(
            "oldest_unfinished_seconds",
            "Age of the oldest unfinished task.",
            namespace=_NAMESPACE,
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._tasks = Counter(
            "tasks",
            "Tasks that reached a final state.",
            ("provider", "status"),
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._failures = Counter(
            "task_failures",
            "Tasks that failed, by the code that their clients are told.",
            ("provider", "code"),
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._unknown = Counter(
            "attempts_unknown",
            "Submits of which nobody can tell whether they made a job.",
            ("provider",),
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._words = Counter(
            "unknown_words",
            "Polls that were answered with a status that the adapter does not know.",
            ("provider",),
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._in_flight = Gauge(
            "tasks_in_flight",
            "Jobs that hold a place at a channel. Every replica tells of all: take max().",
            ("channel",),
            namespace=_NAMESPACE,
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._queued = Gauge(
            "tasks_queued",
            "Jobs that wait for a place. Every replica tells of all: take max().",
            ("provider",),
            namespace=_NAMESPACE,
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._state = Gauge(
            "channel_state",
            "1 for the state that a channel is in. Every replica tells of all: take max().",
            ("channel", "state"),
            namespace=_NAMESPACE,
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._deliveries = Counter(
            "deliveries",
            "Tries to deliver a webhook, by how far the delivery is then.",
            ("status",),
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._parked = Gauge(
            "deliveries_parked",
            "Webhooks that are not tried any more.",
            namespace=_NAMESPACE,
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._delivery_lag = Gauge(
            "delivery_lag_seconds",
            "How long the oldest webhook has waited for its first try.",
            namespace=_NAMESPACE,
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._waiters = Gauge(
            "waiters",
            "Requests that wait for a task, and event streams, open now.",
            ("kind",),
            namespace=_NAMESPACE,
            registry=registry,
            multiprocess_mode="livesum",
        )
        for kind in ("wait", "events"):
            self._waiters.labels(kind).set(0)
        self._seen_channels: set[str] = set()
        self._seen_providers: set[str] = set()
        # Looking a child up by its labels costs more than counting: remember those of requests.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request.

        Args:
            method: As the client sent it; unknown ones are counted as one.
            route: The route's template, never the path.
            status: Of the answer; 499 where the client went away before it.
            seconds: It took.
        """
        key = (method, route, status)
        children = self._children.get(key)
        if children is None:
            word = method if method in _METHODS else "OTHER"
            children = (
                self._requests.labels(word, route, str(status)),
                self._request_seconds.labels(word, route),
            )
            if word == method:
                self._children[key] = children
        count, histogram = children
        count.inc()
        histogram.observe(seconds)

    def submit(self, provider: str, outcome: str) -> None:
        """Count what became of one submit."""
        self._submits.labels(provider, outcome).inc()

    def poll(self, provider: str, outcome: str) -> None:
        """Count the answer of one poll about one job."""
        self._polls.labels(provider, outcome).inc()

    def detected(self, provider: str, lag_seconds: float) -> None:
        """Note how long a job may have been finished before we knew."""
        self._lag.labels(provider).observe(lag_seconds)

    def upstream(self, channel: str, call: str) -> AbstractContextManager[object]:
        """Time a conversation with a provider, however it ends."""
        timed: AbstractContextManager[object] = self._upstream.labels(channel, call).time()
        return timed

    def task(self, provider: str, status: str, *, code: str | None = None) -> None:
        """Count a task that reached a final state.

        Args:
            provider: Where it ended.
            status: Its own.
            code: What its client is told, where it failed.
        """
        self._tasks.labels(provider, status).inc()
        if code is not None:
            self._failures.labels(provider, code).inc()

    def unknown_attempt(self, provider: str) -> None:
        """Count a submit of which nobody can tell whether it made a job."""
        self._unknown.labels(provider).inc()

    def unknown_word(self, provider: str) -> None:
        """Count an answer with a status that the adapter does not know."""
        self._words.labels(provider).inc()

    def channels(
        self,
        states: Mapping[str, str],
        in_flight: Mapping[str, int],
        queued: Mapping[str, int],
        *,
        all_states: Iterable[str],
    ) -> None:
        """Note how channels do, and what they have to do.

        Args:
            states: By the name of the channel.
            in_flight: How many jobs each has; what is missing has none.
            queued: How many wait, by provider; likewise.
            all_states: That there are.
        """
        words = tuple(all_states)
        gone = self._seen_channels - states.keys()
        for channel in [*states, *gone]:
            self._in_flight.labels(channel).set(in_flight.get(channel, 0))
            for word in words:
                self._state.labels(channel, word).set(states.get(channel) == word)
        for provider in self._seen_providers | queued.keys():
            self._queued.labels(provider).set(queued.get(provider, 0))
        self._seen_channels |= states.keys()
        self._seen_providers |= queued.keys()

    def database(self, *, is_writable: bool) -> None:
        """Note whether tasks can be written."""
        self._writable.set(is_writable)

    def ledger(self, imbalance_micros: int) -> None:
        """Note whether the books are right."""
        self._imbalance.set(imbalance_micros)

    def took_more(self, channel: str, micros: int) -> None:
        """Count what a provider took beyond what was held."""
        self._extra.labels(channel).inc(micros)

    def work(self, due: int, oldest_seconds: float) -> None:
        """Note how much work waits, and the age of the oldest unfinished task."""
        self._work_due.set(due)
        self._oldest.set(oldest_seconds)

    def delivery(self, status: str) -> None:
        """Count one try to deliver a webhook."""
        self._deliveries.labels(status).inc()

    def waiting(self, kind: str, change: int) -> None:
        """Count who begins, or ends, to wait."""
        self._waiters.labels(kind).inc(change)

    def webhooks(self, parked: int, lag_seconds: float) -> None:
        """Note how many webhooks are parked, and how long the oldest has waited."""
        self._parked.set(parked)
        self._delivery_lag.set(lag_seconds)

    @property
    def registry(self) -> CollectorRegistry:
        """Everything. It reads files where processes share a directory."""
        if not os.environ.get(_MULTIPROCESS_DIR):
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library says none
        return registry

    def render(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)
