from collections.abc import AsyncIterator

import pytest
from tests.support.api import Api, open_api

from vidgate.exceptions import DatabaseUnavailableError
from vidgate.services.metrics import Metrics


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


async def test_a_ready_process_says_so(api: Api) -> None:
    assert (await api.client.get("/healthz")).json() == {"status": "ok"}
    response = await api.client.get("/readyz/")

    assert response.status_code == 200
    assert response.json() == {"status": "ready", "reasons": [], "writable": True}


async def test_a_process_that_can_only_read_is_ready_and_says_so(api: Api) -> None:
    api.services.is_writable = False

    response = await api.client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "ready", "reasons": [], "writable": False}
    assert "vidgate_database_writable 0.0" in (await api.client.get("/metrics")).text


async def test_a_process_that_is_not_ready_says_why_and_lives(api: Api) -> None:
    api.services.ping_error = DatabaseUnavailableError("password of db-1")
    api.services.is_worker_alive = False

    response = await api.client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {
        "status": "unavailable",
        "reasons": ["The database does not answer.", "The worker has stopped."],
        "writable": False,
    }
    assert (await api.client.get("/healthz")).status_code == 200


async def test_metrics_are_served(api: Api) -> None:
    response = await api.client.get("/metrics")

    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert "vidgate_work_due 0.0" in response.text


def test_what_is_counted_is_rendered() -> None:
    metrics = Metrics()
    metrics.request("GET", "/healthz", 200, 0.002)
    metrics.request("GET", "/healthz", 200, 0.002)
    metrics.submit("kling", "accepted")
    metrics.poll("vidu", "pending")
    metrics.detected("kling", 1.5)
    metrics.task("kling", "succeeded")
    metrics.work(3, 61.5)

    lines = metrics.render().decode().splitlines()

    for line in (
        'vidgate_requests_total{method="GET",route="/healthz",status="200"} 2.0',
        'vidgate_request_seconds_count{method="GET",route="/healthz"} 2.0',
        'vidgate_submits_total{outcome="accepted",provider="kling"} 1.0',
        'vidgate_polls_total{outcome="pending",provider="vidu"} 1.0',
        'vidgate_detection_lag_seconds_bucket{le="2.0",provider="kling"} 1.0',
        'vidgate_tasks_total{provider="kling",status="succeeded"} 1.0',
        "vidgate_work_due 3.0",
        "vidgate_oldest_unfinished_seconds 61.5",
    ):
        assert line in lines
