"""What the process counts, in Prometheus' form."""

import os
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
        """Count what one poll said of one job."""
        self._polls.labels(provider, outcome).inc()

    def detected(self, provider: str, lag_seconds: float) -> None:
        """Note how long a job may have been finished before we knew."""
        self._lag.labels(provider).observe(lag_seconds)

    def upstream(self, channel: str, call: str) -> AbstractContextManager[object]:
        """Time a conversation with a provider, however it ends."""
        timed: AbstractContextManager[object] = self._upstream.labels(channel, call).time()
        return timed

    def task(self, provider: str, status: str) -> None:
        """Count a task that reached a final state."""
        self._tasks.labels(provider, status).inc()

    def database(self, *, is_writable: bool) -> None:
        """Note whether tasks can be written."""
        self._writable.set(is_writable)

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
