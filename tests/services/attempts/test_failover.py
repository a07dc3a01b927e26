"""Refusals: which another channel may cure, which are final, and what the client is told."""

import json
from dataclasses import replace

import httpx
import pytest
from tests.support.adapters import ADAPTERS
from tests.support.engine import Engine
from tests.support.upstreams import LOST, MODELS, NAMES, Upstream, refusal, refusals

from vidgate.exceptions import (
    ContentPolicyError,
    ModelRefusedError,
    RefusedParameterError,
    UpstreamRefusedError,
)
from vidgate.models.outcomes import FaultKind
from vidgate.models.tasks import AttemptStatus, TaskStatus

CURABLE = refusals(
    FaultKind.CREDENTIAL, FaultKind.BALANCE, FaultKind.MODEL_UNAVAILABLE, FaultKind.FAULT
)
FINAL = refusals(FaultKind.BAD_PARAMETER, FaultKind.CONTENT_POLICY)
CODES = {
    FaultKind.BAD_PARAMETER: "invalid_parameter",
    FaultKind.CONTENT_POLICY: "content_policy_violation",
    FaultKind.CREDENTIAL: "upstream_account_error",
    FaultKind.BALANCE: "upstream_account_error",
    FaultKind.MODEL_UNAVAILABLE: "upstream_model_unavailable",
    FaultKind.FAULT: "upstream_error",
}


async def channels(engine: Engine, name: str, count: int) -> list[Upstream]:
    """Channels of falling priority."""
    fakes = []
    for number in range(count):
        host = f"{name}-{number}"
        await engine.channel(name, host, priority=-number)
        fakes.append(Upstream(engine.router, name, host))
    return fakes


@pytest.mark.parametrize(("name", "kind"), CURABLE)
async def test_a_refusal_that_another_channel_may_cure_moves_on(
    engine: Engine, name: str, kind: FaultKind
) -> None:
    first, second, third = await channels(engine, name, 3)
    first.on_submit = second.on_submit = [refusal(name, kind)]

    created = await engine.create(MODELS[name])

    assert created.snapshot.status is TaskStatus.IN_PROGRESS
    assert [len(one.submits) for one in (first, second, third)] == [1, 1, 1]
    attempts = await engine.attempts(created)
    assert [one.number for one in attempts] == [1, 2, 3]
    assert [one.status for one in attempts[:2]] == [AttemptStatus.FAILED] * 2
    assert attempts[0].fault_kind == kind.value
    assert attempts[2].status is AttemptStatus.RUNNING
    assert len({one.correlation for one in attempts}) == 3


@pytest.mark.parametrize("name", NAMES)
async def test_a_channel_that_cannot_be_reached_is_left_for_another(
    engine: Engine, name: str
) -> None:
    first, second = await channels(engine, name, 2)
    first.on_submit = [httpx.ConnectError("refused")]

    created = await engine.create(MODELS[name])

    assert created.snapshot.status is TaskStatus.IN_PROGRESS
    assert [len(one.submits) for one in (first, second)] == [3, 1]
    attempts = await engine.attempts(created)
    assert [one.status for one in attempts] == [AttemptStatus.FAILED, AttemptStatus.RUNNING]


@pytest.mark.parametrize(("name", "kind"), CURABLE)
async def test_a_refusal_by_every_channel_is_an_error(
    engine: Engine, name: str, kind: FaultKind
) -> None:
    fakes = await channels(engine, name, 3)
    for fake in fakes:
        fake.on_submit = [refusal(name, kind)]

    error = await engine.refused(MODELS[name])

    if not ADAPTERS[name].capabilities.models and kind is FaultKind.MODEL_UNAVAILABLE:
        # It knows no models, so the client may have misspelt this one.
        assert isinstance(error, ModelRefusedError)
        assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    else:
        assert isinstance(error, UpstreamRefusedError)
        assert (error.status, error.code) == (502, CODES[kind])
    assert error.upstream_called
    assert [len(fake.submits) for fake in fakes] == [1, 1, 1]
    [task] = await engine.all_tasks()
    assert task.status is TaskStatus.FAILED
    await engine.tick(hours=1)
    assert [len(fake.submits) for fake in fakes] == [1, 1, 1]


@pytest.mark.parametrize(("name", "kind"), FINAL)
async def test_a_refusal_of_the_request_itself_is_final(
    engine: Engine, name: str, kind: FaultKind
) -> None:
    first, second = await channels(engine, name, 2)
    first.on_submit = [refusal(name, kind)]

    error = await engine.refused(MODELS[name])

    assert error.status == 400
    assert error.type == "invalid_request_error"
    assert error.code == CODES[kind]
    is_policy = kind is FaultKind.CONTENT_POLICY
    assert isinstance(error, ContentPolicyError if is_policy else RefusedParameterError)
    assert error.upstream_called
    assert second.submits == []
    [task] = await engine.all_tasks()
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code == CODES[kind]


@pytest.mark.parametrize("name", NAMES)
async def test_a_final_refusal_elsewhere_is_final_too(engine: Engine, name: str) -> None:
    first, second, third = await channels(engine, name, 3)
    first.on_submit = [refusal(name, FaultKind.CREDENTIAL)]
    second.on_submit = [refusal(name, FaultKind.CONTENT_POLICY)]

    error = await engine.refused(MODELS[name])

    assert isinstance(error, ContentPolicyError)
    assert third.submits == []


@pytest.mark.parametrize("name", NAMES)
async def test_an_unclear_submit_moves_nowhere(engine: Engine, name: str) -> None:
    first, second = await channels(engine, name, 2)
    first.on_submit = [LOST["reset"]]

    created = await engine.create(MODELS[name])
    await engine.tick(seconds=30)

    assert second.submits == []
    [attempt] = await engine.attempts(created)
    assert attempt.status is AttemptStatus.SUBMITTING


async def test_a_failed_generation_is_not_made_elsewhere(engine: Engine) -> None:
    first, second = await channels(engine, "kling", 2)
    created = await engine.create(MODELS["kling"])
    first.on_poll = ["failed"]

    await engine.tick(minutes=1)

    assert (await engine.task(created)).status is TaskStatus.FAILED
    assert second.submits == []


async def test_a_channel_that_is_full_is_waited_for_after_a_refusal(engine: Engine) -> None:
    await engine.channel("kling", "kling-a", priority=1)
    await engine.channel("kling", "kling-b", max_concurrency=1)
    first, second = (Upstream(engine.router, "kling", f"kling-{one}") for one in "ab")
    first.on_submit = [refusal("kling", FaultKind.BALANCE)]
    running = await engine.create(MODELS["kling"])

    waiting = await engine.create(MODELS["kling"])

    assert running.snapshot.status is TaskStatus.IN_PROGRESS
    assert waiting.snapshot.status is TaskStatus.QUEUED
    second.on_poll = ["succeeded"]
    await engine.tick(minutes=1)
    await engine.tick()
    assert (await engine.task(waiting)).status is TaskStatus.IN_PROGRESS
    assert len(first.submits) == 1  # it is out, and not asked again


async def test_a_model_may_run_at_another_provider(engine: Engine) -> None:
    await engine.channel("kling", priority=1, model_map={"boats": "kling-v2-6"})
    await engine.channel("vidu", model_map={"boats": "viduq3-turbo"})
    first, second = Upstream(engine.router, "kling"), Upstream(engine.router, "vidu")
    first.on_submit = [refusal("kling", FaultKind.BALANCE)]

    created = await engine.create("boats")

    task = await engine.task(created)
    assert task.model == "boats"
    assert (task.provider, task.upstream_model) == ("vidu", "viduq3-turbo")
    assert len(second.submits) == 1


async def test_what_moves_is_translated_for_the_channel_it_moves_to(engine: Engine) -> None:
    models = {"a": "kling-v2-6", "b": "kling-v2-5-turbo"}
    for priority, (name, model) in enumerate(models.items()):
        await engine.channel("kling", name, priority=-priority, model_map={"boats": model})
    first, second = (Upstream(engine.router, "kling", name) for name in models)
    first.on_submit = [refusal("kling", FaultKind.BALANCE)]

    created = await engine.create("boats", strict=True)

    bodies = [json.loads(one.submits[0].content) for one in (first, second)]
    assert [body["model_name"] for body in bodies] == list(models.values())
    assert (await engine.task(created)).upstream_model == models["b"]


async def test_strict_handling_holds_elsewhere_too(engine: Engine) -> None:
    await engine.channel("jimeng", priority=1, model_map={"boats": "jimeng_t2v_v30"})
    await engine.channel("kling", model_map={"boats": "kling-v2-6"})
    first, second = Upstream(engine.router, "jimeng"), Upstream(engine.router, "kling")
    first.on_submit = [refusal("jimeng", FaultKind.CREDENTIAL)]

    error = await engine.refused("boats", seed=7, strict=True)  # which Kling has no use for

    assert error.status == 502
    assert second.submits == []


async def test_strict_handling_holds_elsewhere_for_what_an_adapter_only_reports(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.channel("jimeng", priority=1, model_map={"boats": "jimeng_t2v_v30"})
    await engine.channel("kling", model_map={"boats": "kling-v2-6"})
    first, second = Upstream(engine.router, "jimeng"), Upstream(engine.router, "kling")
    first.on_submit = [refusal("jimeng", FaultKind.CREDENTIAL)]
    kling = engine.services.providers["kling"]
    translate = kling.translate
    monkeypatch.setattr(
        kling, "translate", lambda request: replace(translate(request), unknown=("foo",))
    )

    error = await engine.refused("boats", strict=True)

    assert error.status == 502
    assert second.submits == []


async def test_warnings_are_those_of_the_channel_that_runs(engine: Engine) -> None:
    await engine.channel("jimeng", priority=1, model_map={"boats": "jimeng_t2v_v30"})
    await engine.channel("kling", model_map={"boats": "kling-v2-6"})
    first, second = Upstream(engine.router, "jimeng"), Upstream(engine.router, "kling")
    first.on_submit = [refusal("jimeng", FaultKind.CREDENTIAL)]

    # Jimeng takes a seed, and Kling has no use for one.
    created = await engine.create("boats", seed=7, ignored=("response_format",))

    assert len(second.submits) == 1
    for task in (created.snapshot, await engine.task(created)):
        assert [one.param for one in task.warnings] == ["seed", "response_format"]


async def test_what_a_vendor_field_chooses_is_served_elsewhere_too(engine: Engine) -> None:
    await engine.channel("jimeng", "a", priority=1)
    await engine.channel("jimeng", "b", models=("jimeng_t2v_v30",))
    first, second = Upstream(engine.router, "jimeng", "a"), Upstream(engine.router, "jimeng", "b")
    first.on_submit = [refusal("jimeng", FaultKind.CREDENTIAL)]
    key = {"req_key": "jimeng_i2v_first_v30", "image_urls": ["https://pictures.example/a.png"]}

    error = await engine.refused("jimeng_t2v_v30", metadata=key)

    assert error.status == 502
    assert second.submits == []  # it serves the model, but not the key that would run


async def test_a_broken_channel_behind_a_busy_one_fails_no_task(engine: Engine) -> None:
    busy, broken = await channels(engine, "kling", 2)
    busy.on_submit = [refusal("kling", FaultKind.CONCURRENCY)]
    broken.on_submit = [refusal("kling", FaultKind.CREDENTIAL)]

    created = await engine.create(MODELS["kling"])

    assert created.snapshot.status is TaskStatus.QUEUED
    assert [len(one.submits) for one in (busy, broken)] == [1, 1]
    await engine.tick(minutes=2)
    assert [len(one.submits) for one in (busy, broken)] == [2, 1]
    busy.on_submit = [busy.accept]
    await engine.tick(minutes=2)
    assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS


async def test_a_channel_with_a_free_slot_is_taken_before_a_full_one(engine: Engine) -> None:
    await engine.channel("kling", "full", priority=1, max_concurrency=1)
    await engine.channel("kling", "free", max_concurrency=1)
    full, free = (Upstream(engine.router, "kling", host) for host in ("full", "free"))

    made = [await engine.create(MODELS["kling"]) for _ in range(3)]

    assert [len(one.submits) for one in (full, free)] == [1, 1]
    assert [one.snapshot.status for one in made] == [
        TaskStatus.IN_PROGRESS,
        TaskStatus.IN_PROGRESS,
        TaskStatus.QUEUED,
    ]
    [waiting] = await engine.attempts(made[2])
    assert waiting.channel_id == (await engine.attempts(made[0]))[0].channel_id
