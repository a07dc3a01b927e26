"""What is counted of channels, their queues and their providers' answers."""

import httpx
import pytest
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, NAMES, Upstream, refusal

from vidgate.models.outcomes import FaultKind


def counted(engine: Engine) -> set[str]:
    return set(engine.services.metrics.render().decode().splitlines())


@pytest.mark.parametrize("name", NAMES)
async def test_a_word_that_no_adapter_knows(engine: Engine, name: str) -> None:
    await engine.channel(name)
    Upstream(engine.router, name).on_poll = ["unknown status"]
    await engine.create(MODELS[name])

    await engine.tick(minutes=5)

    lines = counted(engine)
    assert f'vidgate_unknown_words_total{{provider="{name}"}} 1.0' in lines
    assert f'vidgate_upstream_seconds_count{{call="submit",channel="{name}"}} 1.0' in lines
    assert f'vidgate_upstream_seconds_count{{call="poll",channel="{name}"}} 1.0' in lines


async def test_why_tasks_fail(engine: Engine) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    fake.on_submit = [refusal("kling", FaultKind.FAULT), fake.accept]
    await engine.refused(MODELS["kling"])
    fake.on_poll = ["failed"]
    await engine.create(MODELS["kling"])
    await engine.tick(minutes=5)
    fake.on_submit = [refusal("kling", FaultKind.RATE)]
    await engine.create(MODELS["kling"])
    await engine.tick(minutes=20)

    codes = [
        line.partition('code="')[2].partition('"')[0]
        for line in counted(engine)
        if line.startswith("vidgate_task_failures_total{")
    ]
    assert "upstream_error" in codes
    assert "queue_timeout" in codes
    assert len(codes) == len(set(codes)) >= 2


async def test_a_submit_of_which_nobody_can_tell(engine: Engine) -> None:
    await engine.channel("jimeng")
    Upstream(engine.router, "jimeng").on_submit = [httpx.ReadError("reset")]
    await engine.create(MODELS["jimeng"])
    for _ in range(3):
        await engine.tick(minutes=5)

    lines = counted(engine)
    assert 'vidgate_attempts_unknown_total{provider="jimeng"} 1.0' in lines
    failures = 'vidgate_task_failures_total{code="submit_outcome_unknown",provider="jimeng"} 1.0'
    assert failures in lines


async def test_what_waits_and_what_runs(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=2)
    await engine.channel("kling", "gone", priority=-1)
    await engine.operator.provisioning.remove_channel("gone")
    await engine.services.directory.load()
    Upstream(engine.router, "kling")
    for _ in range(5):
        await engine.create(MODELS["kling"])
    [measure] = [loop for loop in engine.services.loops if loop._name == "gauges"]

    await measure._round()

    lines = counted(engine)
    assert 'vidgate_tasks_in_flight{channel="kling"} 2.0' in lines
    assert 'vidgate_tasks_queued{provider="kling"} 3.0' in lines
    assert 'vidgate_channel_state{channel="kling",state="ok"} 1.0' in lines
    assert not [line for line in lines if "gone" in line]
