"""What a request becomes, what its sender is told, and what leaves no trace."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.support.adapters import ADAPTERS
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import BLIND, MODELS, NAMES, Upstream, refusal

from vidgate.db.engine import Statement
from vidgate.exceptions import InvalidParameterError, UnsupportedParameterError
from vidgate.models.outcomes import FaultKind
from vidgate.models.requests import Image, VideoRequest
from vidgate.models.tasks import AttemptStatus, TaskStatus, WarningCode
from vidgate.providers.base import Translation
from vidgate.services.tasks.creating import Created

ROWS = Statement(
    text(
        "SELECT (SELECT count(*) FROM tasks) + (SELECT count(*) FROM outputs)"
        " + (SELECT count(*) FROM attempts) + (SELECT count(*) FROM inputs) AS rows"
    )
)
CALLBACKS = Statement(text("SELECT callback_url FROM tasks"))
FITTING = [name for name in NAMES if ADAPTERS[name].capabilities.models]
"""Those that make some sizes only; what a compatible server makes of one, it says itself."""


async def upstream(engine: Engine, name: str) -> Upstream:
    await engine.channel(name)
    return Upstream(engine.router, name)


async def nothing_happened(engine: Engine) -> bool:
    rows = await engine.operator.database.fetch_value(ROWS)
    return rows == 0 and not engine.router.calls


def warned(created: Created, code: WarningCode) -> set[str]:
    return {warning.param for warning in created.snapshot.warnings if warning.code is code}


def tells_unknown(engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str, *fields: str) -> None:
    """Let a provider's adapter report fields that its vendor's documentation does not have."""
    provider = engine.services.providers[name]
    translate = provider.translate
    monkeypatch.setattr(
        provider, "translate", lambda request: replace(translate(request), unknown=fields)
    )


def translated(engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str) -> list[VideoRequest]:
    """Note what a provider's adapter is asked to translate from now on."""
    asked: list[VideoRequest] = []
    provider = engine.services.providers[name]
    translate = provider.translate

    def noting(request: VideoRequest) -> Translation:
        asked.append(request)
        return translate(request)

    monkeypatch.setattr(provider, "translate", noting)
    return asked


# Translating


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_accepted_at_once_is_translated_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    await upstream(engine, name)
    asked = translated(engine, monkeypatch, name)

    created = await engine.create(MODELS[name])

    assert created.snapshot.status is TaskStatus.IN_PROGRESS
    assert len(asked) == 1


async def test_what_is_sent_was_translated_for_the_channel_that_had_a_slot(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {"full": "kling-v2-6", "free": "kling-v2-5-turbo"}
    await engine.channel("kling", "full", max_concurrency=1, model_map={"boats": models["full"]})
    full = Upstream(engine.router, "kling", "full")
    await engine.create("boats")
    await engine.channel("kling", "free", priority=-1, model_map={"boats": models["free"]})
    free = Upstream(engine.router, "kling", "free")
    asked = translated(engine, monkeypatch, "kling")

    created = await engine.create("boats")

    assert [len(one.submits) for one in (full, free)] == [1, 1]
    assert json.loads(free.submits[0].content)["model_name"] == models["free"]
    assert (await engine.task(created)).upstream_model == models["free"]
    assert [one.model for one in asked] == list(models.values())  # by the plan, for either channel


async def test_what_waited_for_a_slot_is_translated_when_it_is_sent(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    fake.on_poll = ["succeeded"]
    await engine.create(MODELS["kling"])
    waiting = await engine.create(MODELS["kling"])
    asked = translated(engine, monkeypatch, "kling")

    await engine.tick(minutes=1)
    await engine.tick()

    assert (await engine.task(waiting)).status is TaskStatus.IN_PROGRESS
    assert len(asked) == 1


# P7: nothing is silently dropped


@pytest.mark.parametrize(
    ("name", "members", "ignored"),
    [
        ("kling", {"fps": 24, "seed": 7}, ("fps", "seed")),
        ("jimeng", {"fps": 24}, ("fps",)),
        ("vidu", {"fps": 24}, ("fps",)),
    ],
)
async def test_what_is_ignored_is_said(
    engine: Engine, name: str, members: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    await upstream(engine, name)

    created = await engine.create(MODELS[name], **members)

    assert set(ignored) <= warned(created, WarningCode.IGNORED)


@pytest.mark.parametrize("name", FITTING)
async def test_what_is_adjusted_is_said(engine: Engine, name: str) -> None:
    await upstream(engine, name)

    created = await engine.create(MODELS[name], width=1250, height=720)

    [warning] = [one for one in created.snapshot.warnings if one.code is WarningCode.ADJUSTED]
    assert warning.param == "size"
    assert warning.value is not None
    assert warning.value.startswith("16:9")


@pytest.mark.parametrize(
    ("name", "members"),
    [(name, {"fps": 24}) for name in NAMES]
    + [(name, {"width": 1250, "height": 720}) for name in FITTING],
)
async def test_strict_handling_ignores_and_adjusts_nothing(
    engine: Engine, name: str, members: dict[str, int]
) -> None:
    await upstream(engine, name)

    error = await engine.refused(MODELS[name], strict=True, **members)

    assert isinstance(error, UnsupportedParameterError)
    assert error.status == 400
    assert error.param in {"fps", "size"}
    assert await nothing_happened(engine)


@pytest.mark.parametrize(
    ("members", "param"), [({"seed": 7}, "seed"), ({"width": 854, "height": 480}, "size")]
)
async def test_strict_handling_holds_where_an_adapter_only_reports(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, members: dict[str, Any], param: str
) -> None:
    await upstream(engine, "kling")
    provider = engine.services.providers["kling"]
    translate = provider.translate
    monkeypatch.setattr(
        provider, "translate", lambda request: translate(replace(request, strict=False))
    )

    error = await engine.refused(MODELS["kling"], strict=True, **members)

    assert isinstance(error, UnsupportedParameterError)
    assert error.param == param
    assert await nothing_happened(engine)


@pytest.mark.parametrize("name", NAMES)
async def test_what_no_documentation_has_is_said(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    await upstream(engine, name)
    tells_unknown(engine, monkeypatch, name, "foo", "bar")

    created = await engine.create(MODELS[name])

    assert warned(created, WarningCode.UNKNOWN) == {"foo", "bar"}


@pytest.mark.parametrize("name", NAMES)
async def test_strict_handling_refuses_what_no_documentation_has(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    await upstream(engine, name)
    tells_unknown(engine, monkeypatch, name, "foo")

    error = await engine.refused(MODELS[name], strict=True)

    assert (error.status, error.param) == (400, "foo")
    assert "foo is not in the vendor's documentation" in error.message
    assert await nothing_happened(engine)


async def test_what_the_dialect_ignored_is_kept_beside_what_the_model_has_no_use_for(
    engine: Engine,
) -> None:
    await upstream(engine, "kling")

    created = await engine.create(MODELS["kling"], fps=24, ignored=("response_format",))

    assert warned(created, WarningCode.IGNORED) == {"fps", "response_format"}
    assert (await engine.task(created)).warnings == created.snapshot.warnings


@pytest.mark.parametrize("name", NAMES)
async def test_vendor_fields_reach_the_vendor_unchanged(engine: Engine, name: str) -> None:
    fake = await upstream(engine, name)
    fields = {"invented_yesterday": {"a": [1, {"b": None}], "c": "§ 🚤"}, "flag": False, "n0": 0}

    await engine.create(MODELS[name], metadata=fields)

    body = json.loads(fake.submits[0].content)
    assert body["flag"] is False
    assert body["n0"] == 0
    assert body["invented_yesterday"]["c"] == "§ 🚤"
    assert body["invented_yesterday"]["a"][0] == 1


@pytest.mark.parametrize(
    ("name", "member"), [("kling", "external_task_id"), ("vidu", "payload"), ("jimeng", "payload")]
)
@pytest.mark.parametrize("value", ["mine", "", 7, None, {"a": [1]}])
async def test_what_the_client_gave_to_get_back_it_gets_back(
    engine: Engine, name: str, member: str, value: object
) -> None:
    fake = await upstream(engine, name)

    created = await engine.create(MODELS[name], metadata={member: value})

    assert (await engine.task(created)).echo == {member: value}
    if name not in BLIND:
        [attempt] = await engine.attempts(created)
        assert fake.correlation(fake.submits[0]) == attempt.correlation != value


@pytest.mark.parametrize("name", NAMES)
async def test_a_model_that_metadata_names_is_no_vendor_field(engine: Engine, name: str) -> None:
    fake = await upstream(engine, name)
    member = "model" if name == "kling" else "model_name"

    await engine.create("whatever", metadata={member: MODELS[name]})

    assert member not in json.loads(fake.submits[0].content)


# Callbacks


@pytest.mark.parametrize("name", NAMES)
async def test_a_callback_is_stored_and_never_sent_on(engine: Engine, name: str) -> None:
    fake = await upstream(engine, name)
    url = "https://hooks.example.com/done?secret=1"

    await engine.create(MODELS[name], metadata={"callback_url": url})

    assert await engine.operator.database.fetch_value(CALLBACKS) == url
    assert b"callback" not in fake.submits[0].content
    assert b"hooks.example" not in fake.submits[0].content


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://10.0.0.7:8080/x",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://0x7f.1/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "hooks.example.com",
        "//hooks.example.com",
        "https://",
        "https://user:word@hooks.example.com/",
        " https://hooks.example.com/",
        "https://hooks.example.com/\nHost: evil",
        "x",
        7,
        True,
        {},
        ["https://hooks.example.com/"],
    ],
)
async def test_a_callback_that_must_not_be_called_is_refused(engine: Engine, url: object) -> None:
    await upstream(engine, "kling")

    error = await engine.refused("kling-v2-6", metadata={"callback_url": url})

    assert isinstance(error, InvalidParameterError)
    assert (error.status, error.param) == (400, "metadata.callback_url")
    assert await nothing_happened(engine)


@pytest.mark.parametrize("url", [None, ""])
async def test_no_callback_is_no_callback(engine: Engine, url: str | None) -> None:
    fake = await upstream(engine, "kling")

    await engine.create("kling-v2-6", metadata={"callback_url": url})

    assert await engine.operator.database.fetch_value(CALLBACKS) is None
    assert b"callback" not in fake.submits[0].content


async def test_an_operator_may_allow_a_network(database_url: str) -> None:
    async with open_engine(database_url, allowed_networks="10.0.0.0/8") as engine:
        await upstream(engine, "kling")
        url = "http://10.0.0.7/done"

        await engine.create("kling-v2-6", metadata={"callback_url": url})

        assert await engine.operator.database.fetch_value(CALLBACKS) == url


# Bad requests


BAD: list[tuple[str, dict[str, Any]]] = [
    ("kling-v2-6", {"duration_seconds": 7}),
    ("kling-v2-6", {"duration_seconds": 5.5}),
    ("kling-v2-6", {"width": 10, "height": 10}),
    ("kling-v2-6", {"width": 4000, "height": 100}),
    ("kling-v2-6", {"aspect_ratio": "5:1"}),
    ("kling-v2-6", {"images": tuple(Image(url=f"https://p.example/{n}.png") for n in range(9))}),
    ("jimeng_t2v_v30", {"duration_seconds": 7}),
    ("jimeng_t2v_v30", {"width": 100, "height": 4000}),
    ("jimeng_t2v_v30", {"metadata": {"req_key": "jimeng_t2v_v30_1080p"}}),
    ("jimeng_t2v_v30", {"metadata": {"req_key": 7}}),
    ("viduq3-turbo", {"duration_seconds": 99}),
    ("viduq3-turbo", {"width": 100, "height": 4000}),
    ("viduq1", {"duration_seconds": 4}),
]


@pytest.mark.parametrize(("model", "members"), BAD)
async def test_a_bad_request_leaves_no_row_and_no_call(
    engine: Engine, model: str, members: dict[str, Any]
) -> None:
    for name in NAMES:
        await upstream(engine, name)

    error = await engine.refused(model, **members)

    assert error.status == 400
    assert error.param
    assert not error.upstream_called
    assert await nothing_happened(engine)


async def test_of_several_channels_the_first_says_what_is_wrong(engine: Engine) -> None:
    await engine.channel("kling", priority=1, model_map={"boats": "kling-v2-6"})
    alone = await engine.refused("boats", duration_seconds=99)
    await engine.channel("vidu", model_map={"boats": "viduq3-turbo"})

    error = await engine.refused("boats", duration_seconds=99)

    assert error.message == alone.message
    assert await nothing_happened(engine)


async def test_a_retired_model_may_be_refused(database_url: str) -> None:
    async with open_engine(database_url, map_retired_models=False) as engine:
        await upstream(engine, "kling")

        error = await engine.refused("kling-v1")

        assert error.status == 400
        assert "kling-v2-5-turbo" in error.message
        assert await nothing_happened(engine)


# Clients that go away


@pytest.mark.parametrize("name", NAMES)
async def test_a_client_that_goes_away_during_the_submit_cancels_nothing(
    engine: Engine, name: str
) -> None:
    fake = await upstream(engine, name)
    sent, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(request: httpx.Request) -> Any:
        sent.set()
        await go_on.wait()
        return fake.accept(request)

    fake.on_submit = [slowly]
    post = asyncio.create_task(engine.create(MODELS[name]))
    await sent.wait()
    post.cancel()
    with pytest.raises(asyncio.CancelledError):
        await post
    go_on.set()
    await engine.services.task_creator.drain(engine.services.settings.shutdown_grace)

    [task] = await engine.all_tasks()
    assert task.status is TaskStatus.IN_PROGRESS
    assert len(fake.submits) == 1


@pytest.mark.parametrize("turns", range(1, 40, 3))
async def test_a_client_that_goes_away_at_any_moment_leaves_no_half_task(
    engine: Engine, turns: int
) -> None:
    fake = await upstream(engine, "jimeng")
    post = asyncio.create_task(engine.create(MODELS["jimeng"]))
    for _ in range(turns):
        await asyncio.sleep(0)
    post.cancel()
    await asyncio.wait([post])
    await engine.services.task_creator.drain(engine.services.settings.shutdown_grace)

    # What was stored was submitted: otherwise it would fail later without having been sent.
    tasks = await engine.all_tasks()
    assert [task.status for task in tasks] == [TaskStatus.IN_PROGRESS] * len(fake.submits)


async def test_a_slow_provider_is_waited_for_in_the_background(database_url: str) -> None:
    async with open_engine(database_url, submit_wait=0.01) as engine:
        fake = await upstream(engine, "kling")
        go_on = asyncio.Event()

        async def slowly(request: httpx.Request) -> Any:
            await go_on.wait()
            return fake.accept(request)

        fake.on_submit = [slowly]
        created = await engine.create("kling-v2-6")
        assert created.snapshot.status is TaskStatus.QUEUED
        go_on.set()
        await engine.services.task_creator.drain(engine.services.settings.shutdown_grace)

        assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
        assert len(fake.submits) == 1


async def test_a_refusal_after_the_wait_fails_the_task(database_url: str) -> None:
    async with open_engine(database_url, submit_wait=0.01) as engine:
        fake = await upstream(engine, "kling")
        go_on = asyncio.Event()

        async def slowly(request: httpx.Request) -> Any:
            del request
            await go_on.wait()
            return refusal("kling", FaultKind.CONTENT_POLICY)

        fake.on_submit = [slowly]
        created = await engine.create("kling-v2-6")
        go_on.set()
        await engine.services.task_creator.drain(engine.services.settings.shutdown_grace)

        task = await engine.task(created)
        assert task.status is TaskStatus.FAILED
        assert task.error is not None
        assert task.error.code == "content_policy_violation"


async def test_many_at_once_are_each_submitted_once(engine: Engine) -> None:
    fakes = {name: await upstream(engine, name) for name in NAMES}

    created: list[Created] = await asyncio.gather(
        *(engine.create(MODELS[name]) for name in NAMES for _ in range(20))
    )

    assert len({one.snapshot.id for one in created}) == 20 * len(NAMES)
    assert {one.snapshot.status for one in created} == {TaskStatus.IN_PROGRESS}
    assert [len(fake.submits) for fake in fakes.values()] == [20] * len(NAMES)
    for one in created:
        [attempt] = await engine.attempts(one)
        assert attempt.status is AttemptStatus.RUNNING


@pytest.mark.parametrize("priority", [0, 1])
async def test_many_at_once_at_two_full_channels_all_get_their_ids(
    engine: Engine, priority: int
) -> None:
    await engine.channel("kling", "a", max_concurrency=1, priority=priority)
    await engine.channel("kling", "b", max_concurrency=1)
    fakes = [Upstream(engine.router, "kling", name) for name in "ab"]

    created = await asyncio.gather(*(engine.create(MODELS["kling"]) for _ in range(40)))

    assert len({one.snapshot.id for one in created}) == 40
    assert all(len(fake.submits) <= 1 for fake in fakes)


# Heavy requests


async def test_what_was_stored_of_a_heavy_request_is_heavy_when_it_is_read(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    light = await engine.create(MODELS["kling"])
    texts = {f"field {number}": "x" * 4000 for number in range(100)}
    heavy = await engine.create(MODELS["kling"], metadata=texts, work_bytes=410_000)
    media = await engine.create(MODELS["kling"], metadata={"image": "x" * 400_000})

    requests = [
        await engine.operator.tasks.request(one.snapshot.id) for one in (light, heavy, media)
    ]

    assert [one.is_heavy for one in requests] == [False, True, True]
    assert requests[0].work_bytes < 2000
    assert 400_000 < requests[1].work_bytes < 430_000
    assert requests[1].metadata == texts


def test_pictures_that_came_in_no_body_are_counted() -> None:
    image = Image(content=bytes(400_000))

    assert VideoRequest(model="m", images=(image,)).is_heavy
    assert not VideoRequest(model="m", images=(Image(url="https://a.test/b.png"),)).is_heavy
