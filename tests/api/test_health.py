from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from tests.support.api import Api, open_api

from vidgate.config import Settings
from vidgate.exceptions import DatabaseUnavailableError
from vidgate.services.metrics import Metrics

TOKEN = "scrape-0123456789abcdef"


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


@pytest.mark.parametrize(
    ("setting", "header", "status"),
    [
        ("on", None, 200),
        ("off", None, 404),
        ("listen:127.0.0.1:9100", None, 404),
        (f"token:{TOKEN}", f"Bearer {TOKEN}", 200),
        (f"token:{TOKEN}", f"bearer {TOKEN}", 200),
        (f"token:{TOKEN}", f"Bearer {TOKEN}x", 401),
        (f"token:{TOKEN}", TOKEN, 401),
        (f"token:{TOKEN}", "Bearer", 401),
        (f"token:{TOKEN}", "Bearer \u00e9", 401),
        (f"token:{TOKEN}", "", 401),
    ],
)
async def test_who_may_read_metrics(setting: str, header: str | None, status: int) -> None:
    async with open_api(metrics=SecretStr(setting)) as api:
        headers = (
            httpx.Headers()
            if header is None
            else httpx.Headers({b"Authorization": header.encode()})
        )
        response = await api.client.get("/metrics", headers=headers)

    assert response.status_code == status
    assert ("vidgate_work_due" in response.text) is (status == 200)
    assert TOKEN not in response.text


@pytest.mark.parametrize(
    ("setting", "here", "token", "address"),
    [
        ("on", True, None, None),
        ("off", False, None, None),
        (f"token:{TOKEN}", True, TOKEN, None),
        ("listen:127.0.0.1:9100", False, None, ("127.0.0.1", 9100)),
        ("listen:[::1]:9100", False, None, ("::1", 9100)),
        ("listen:metrics.internal:9100", False, None, ("metrics.internal", 9100)),
    ],
)
def test_what_the_setting_says(
    setting: str, here: object, token: str | None, address: tuple[str, int] | None
) -> None:
    settings = Settings(metrics=SecretStr(setting))

    assert settings.metrics_here is here
    assert settings.metrics_token == token
    assert settings.metrics_address == address


@pytest.mark.parametrize(
    "setting", ["yes", "on:1", "token:", "token:short", "listen:", "listen:9100", "listen:a:65536"]
)
def test_what_it_cannot_say(setting: str) -> None:
    with pytest.raises(ValidationError, match="must be on, off, token:VALUE") as caught:
        Settings(metrics=SecretStr(setting))

    assert "input" not in str(caught.value)


def test_what_is_counted_is_rendered() -> None:
    metrics = Metrics()
    metrics.request("GET", "/healthz", 200, 0.002)
    metrics.request("GET", "/healthz", 200, 0.002)
    metrics.submit("kling", "accepted")
    metrics.poll("vidu", "pending")
    metrics.detected("kling", 1.5)
    metrics.task("kling", "succeeded")
    metrics.task("kling", "failed", code="queue_timeout")
    metrics.unknown_attempt("jimeng")
    metrics.unknown_word("vidu")
    with metrics.upstream("kling-1", "poll"):
        pass
    every = ("ok", "open")
    metrics.channels({"a": "ok", "b": "ok"}, {"a": 5}, {"kling": 7}, all_states=every)
    metrics.channels({"a": "open"}, {"a": 2}, {}, all_states=every)
    metrics.work(3, 61.5)

    lines = metrics.render().decode().splitlines()

    for line in (
        'vidgate_requests_total{method="GET",route="/healthz",status="200"} 2.0',
        'vidgate_request_seconds_count{method="GET",route="/healthz"} 2.0',
        'vidgate_submits_total{outcome="accepted",provider="kling"} 1.0',
        'vidgate_polls_total{outcome="pending",provider="vidu"} 1.0',
        'vidgate_detection_lag_seconds_bucket{le="2.0",provider="kling"} 1.0',
        'vidgate_tasks_total{provider="kling",status="succeeded"} 1.0',
        'vidgate_tasks_total{provider="kling",status="failed"} 1.0',
        'vidgate_task_failures_total{code="queue_timeout",provider="kling"} 1.0',
        'vidgate_attempts_unknown_total{provider="jimeng"} 1.0',
        'vidgate_unknown_words_total{provider="vidu"} 1.0',
        'vidgate_upstream_seconds_count{call="poll",channel="kling-1"} 1.0',
        'vidgate_tasks_in_flight{channel="a"} 2.0',
        'vidgate_tasks_in_flight{channel="b"} 0.0',
        'vidgate_tasks_queued{provider="kling"} 0.0',
        'vidgate_channel_state{channel="a",state="open"} 1.0',
        'vidgate_channel_state{channel="a",state="ok"} 0.0',
        'vidgate_channel_state{channel="b",state="ok"} 0.0',
        "vidgate_work_due 3.0",
        "vidgate_oldest_unfinished_seconds 61.5",
    ):
        assert line in lines
