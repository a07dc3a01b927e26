"""Base URLs at which something else answers: the channel's fault, never the model's."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.support.adapters import ADAPTERS
from tests.support.calls import read_answer
from tests.support.engine import KEYS, Engine
from tests.support.upstreams import MODELS, NAMES, SITUATIONS, Reply, Upstream, refusal

from vidgate.exceptions import UpstreamRefusedError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import FaultKind
from vidgate.models.tasks import TaskStatus
from vidgate.providers.base import Tests

NGINX = "<html><head><title>404 Not Found</title></head><center>nginx/1.25</center></html>"
PLACES = {
    "html": Reply(text=NGINX, status=404, headers={"Content-Type": "text/html"}),
    "405": Reply(text="<html>405 Not Allowed</html>", status=405),
    "invalid url": Reply(
        {
            "error": {
                "message": "Invalid URL (POST /v1/v1/videos)",
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            }
        },
        404,
    ),
    "text": Reply(text="404 page not found", status=404),
    "empty": Reply(text="", status=404),
    "fastapi": Reply({"detail": "Not Found"}, 404),
    "fastapi 405": Reply({"detail": "Method Not Allowed"}, 405),
    "spring": Reply({"status": 404, "error": "Not Found", "path": "/v1/videos"}, 404),
    "coded": Reply({"code": 404, "message": "Not Found", "data": None}, 404),
    "worded": Reply({"error": {"code": "not_found", "message": "no route"}}, 404),
    "array": Reply([], 404),
}
TESTED = [name for name in NAMES if isinstance(ADAPTERS[name], Tests)]


async def upstream(engine: Engine, name: str, answer: Reply) -> Upstream:
    fake = Upstream(engine.router, name)
    fake.on_submit = [answer]
    await engine.channel(name)
    return fake


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", PLACES)
async def test_a_wrong_base_url_is_told_as_the_upstreams_error(
    engine: Engine, name: str, place: str
) -> None:
    await upstream(engine, name, PLACES[place])

    with capture_logs() as logs:
        error = await engine.refused(MODELS[name])

    assert isinstance(error, UpstreamRefusedError)
    assert (error.status, error.code) == (502, "upstream_error")
    assert "operator" in error.message
    assert f"{name}.test" not in error.message
    [task] = await engine.all_tasks()
    [attempt] = await engine.operator.attempts.of_task(task.id)
    assert f"POST http://{name}.test/" in (attempt.fault_message or "")
    assert f"http://{name}.test/" in json.dumps(logs, default=str)
    for secret in KEYS[name].split("|"):
        assert secret not in json.dumps(logs, default=str)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", PLACES)
async def test_another_channel_is_tried_then(engine: Engine, name: str, place: str) -> None:
    await upstream(engine, name, PLACES[place])
    await engine.channel(name, f"{name}-b", priority=-1)
    other = Upstream(engine.router, name, f"{name}-b")

    created = await engine.create(MODELS[name])

    assert created.snapshot.status is TaskStatus.IN_PROGRESS
    assert len(other.submits) == 1


@pytest.mark.parametrize("name", NAMES)
async def test_only_a_word_of_a_machine_says_that_there_is_no_such_model(
    engine: Engine, name: str
) -> None:
    await upstream(engine, name, refusal(name, FaultKind.MODEL_UNAVAILABLE))

    error = await engine.refused(SITUATIONS[name].unknown_model)

    assert (error.status, error.code) == (404, "model_not_found")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["html", "invalid url", "empty", "fastapi"])
async def test_nor_is_an_unknown_model_blamed_for_a_wrong_base_url(
    engine: Engine, name: str, place: str
) -> None:
    await upstream(engine, name, PLACES[place])

    error = await engine.refused(SITUATIONS[name].unknown_model)

    assert (error.status, error.code) == (502, "upstream_error")


@pytest.mark.parametrize("name", TESTED)
@pytest.mark.parametrize("place", ["html", "empty", "text"])
def test_a_test_of_the_channel_names_the_url(name: str, place: str) -> None:
    provider = ADAPTERS[name]
    access = ChannelAccess(f"http://user:pass@{name}.test/base", SecretStr(KEYS[name]))
    assert isinstance(provider, Tests)
    call = provider.test(access, datetime(2030, 1, 1, tzinfo=UTC))

    answer = read_answer(call, PLACES[place].response())

    assert not answer.works
    assert f"http://{name}.test/base" in answer.sentence
    assert "404" in answer.sentence
    for secret in ("pass", "Signature", *KEYS[name].split("|")):
        assert secret not in answer.sentence
