"""Jimeng's own dialect, over made-up services."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import pytest
from tests.support.api import Api, FakeProvider, build_task, open_api

from vidgate.exceptions import (
    DatabaseUnavailableError,
)
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskStatus
from vidgate.providers.jimeng import Jimeng

SUBMIT = "Action=CVSync2AsyncSubmitTask&Version=2022-08-31"
RESULT = "Action=CVSync2AsyncGetResult&Version=2022-08-31"
GOOD: dict[str, Any] = {"req_key": "jimeng_t2v_v30", "prompt": "a boat", "frames": 241}
ENVELOPE = {"code", "data", "message", "request_id", "status", "time_elapsed"}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        api.services.providers["jimeng"] = cast("FakeProvider", Jimeng())
        yield api


async def ask(api: Api, **members: Any) -> dict[str, Any]:
    answer = await api.client.post(f"/jimeng/?{RESULT}", json=members)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


# Submitting


@pytest.mark.parametrize("path", ["/jimeng/", "/jimeng", "/"])
async def test_a_submit_answers_with_our_id_in_the_vendors_envelope(api: Api, path: str) -> None:
    answer = await api.client.post(f"{path}?{SUBMIT}", json=GOOD)

    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == ENVELOPE
    assert body["code"] == body["status"] == 10000
    assert body["message"] == "Success"
    assert body["data"].keys() == {"task_id"}
    assert body["data"]["task_id"].startswith("task_")
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert body["time_elapsed"].endswith("ms")
    assert api.services.task_creator.dialects == ["jimeng"]


async def test_everything_of_a_submit_passes_unchanged(api: Api) -> None:
    body = {
        "req_key": "jimeng_ti2v_v30_pro",
        "prompt": "她转身微笑",
        "image_urls": ["https://cdn.example/a.png"],
        "binary_data_base64": [],
        "seed": -1,
        "aspect_ratio": "9:16",
        "callback_url": "https://client.example/hook",
        "req_json": '{"aigc_meta":{}}',
        "new": {"deep": [1, None, ""]},
    }

    await api.client.post(f"/jimeng/?{SUBMIT}", json=body)

    request = api.services.task_creator.request
    assert request.model == "jimeng_ti2v_v30_pro"
    assert request.prompt == "她转身微笑"
    assert request.metadata == body
    assert request.images == ()
    assert api.services.task_creator.onces == [None]


async def test_a_retyped_key_runs_exactly_as_named(api: Api) -> None:
    """What the adapter makes of it: the body of the client, whatever other keys are near."""
    body = {
        "req_key": "jimeng_i2v_first_v30_1080",
        "prompt": "a boat",
        "image_urls": ["https://cdn.example/a.png"],
        "frames": 121,
    }

    await api.client.post(f"/jimeng/?{SUBMIT}", json=body)

    assert Jimeng().translate(api.services.task_creator.request).body == body


async def test_words_of_other_dialects_mean_nothing_here(api: Api) -> None:
    body = GOOD | {"model": "kling-v2-6", "model_name": "viduq2", "action": "camera"}

    await api.client.post(f"/jimeng/?{SUBMIT}", json=body)

    request = api.services.task_creator.request
    assert (request.model, request.metadata) == ("jimeng_t2v_v30", GOOD)


async def test_the_older_pair_of_actions_does_the_same(api: Api) -> None:
    answer = await api.client.post("/?Action=CVSubmitTask&Version=2022-08-31", json=GOOD)
    asked = await api.client.post(
        "/?Action=CVGetResult&Version=2022-08-31", json={"task_id": "task_0"}
    )

    assert answer.json()["data"]["task_id"]
    assert asked.json()["data"] == {"status": "not_found"}


async def test_what_was_ignored_and_adjusted_is_said(api: Api) -> None:
    api.services.task_creator.ignored = ("fps", "user")
    api.services.task_creator.adjusted = ("camera_strength=medium",)

    answer = await api.client.post(f"/?{SUBMIT}", json=GOOD)

    assert answer.headers["X-Vidgate-Ignored"] == "fps, user"
    assert answer.headers["X-Vidgate-Adjusted"] == "camera_strength=medium"
    assert "Idempotent-Replayed" not in answer.headers


async def test_a_body_is_read_whatever_its_type_and_compressed(api: Api) -> None:
    for headers, content in (
        ({"Content-Type": "application/x-www-form-urlencoded"}, json.dumps(GOOD).encode()),
        ({"Content-Encoding": "gzip"}, gzip.compress(json.dumps(GOOD).encode(), mtime=0)),
    ):
        answer = await api.client.post(f"/?{SUBMIT}", content=content, headers=headers)
        assert answer.status_code == 200, answer.text


async def test_an_idempotency_key_is_kept_with_what_it_stands_for(api: Api) -> None:
    for body, key in ((GOOD, "k 1"), (GOOD | {"seed": 7}, "k 1"), (GOOD, "k 2")):
        headers = {"Idempotency-Key": key}
        await api.client.post(f"/jimeng/?{SUBMIT}", json=body, headers=headers)
    bad = await api.client.post(f"/jimeng/?{SUBMIT}", json=GOOD, headers={"Idempotency-Key": " "})

    first, other, third = api.services.task_creator.onces
    assert first is not None
    assert other is not None
    assert third is not None
    assert first.key == other.key != third.key
    assert first.fingerprint != other.fingerprint
    assert (bad.status_code, bad.json()["code"]) == (400, 50200)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "req_key"),
        ({"req_key": 5}, "req_key"),
        ({"req_key": " "}, "req_key"),
        ({"req_key": "j" * 201}, "req_key"),
    ],
)
async def test_a_submit_without_a_key(api: Api, body: dict[str, Any], named: str) -> None:
    answer = await api.client.post(f"/jimeng/?{SUBMIT}", json=body)

    assert answer.status_code == 400
    told = answer.json()
    assert (told["code"], told["data"]) == (50200, None)
    assert told["message"].startswith(f"Invalid Input Parameters: {named}")
    assert api.services.task_creator.requests == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"req_key":"a","req_key":"b"}'])
async def test_a_body_that_is_no_object(api: Api, content: bytes) -> None:
    answer = await api.client.post(f"/jimeng/?{SUBMIT}", content=content)

    assert answer.status_code == 400
    assert answer.json().keys() == ENVELOPE
    assert answer.json()["code"] == 50200


async def test_a_form_is_refused(api: Api) -> None:
    answer = await api.client.post(
        f"/jimeng/?{SUBMIT}", data={"req_key": "jimeng_t2v_v30"}, files={"image": b"x"}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, 50200)
    assert "JSON" in answer.json()["message"]


async def test_an_inline_picture_over_the_limit(api: Api) -> None:
    body = GOOD | {"binary_data_base64": ["A" * 29_000_000]}

    answer = await api.client.post(f"/jimeng/?{SUBMIT}", json=body)

    assert answer.status_code == 413
    assert answer.json()["code"] == 50200
    assert "in binary_data_base64" in answer.json()["message"]


# Asking


@pytest.mark.parametrize("status", [TaskStatus.QUEUED, TaskStatus.IN_PROGRESS])
@pytest.mark.parametrize("provider", ["jimeng", "kling", None])
async def test_an_unfinished_task_is_in_the_queue_whoever_makes_it(
    api: Api, status: TaskStatus, provider: str | None
) -> None:
    name = api.services.reader.add(build_task(status=status, provider=provider))

    body = await ask(api, req_key="jimeng_t2v_v30", task_id=name)

    assert body.keys() == ENVELOPE
    assert (body["code"], body["data"]) == (10000, {"status": "in_queue"})


async def test_a_finished_task_has_its_video(api: Api) -> None:
    output = OutputSnapshot(
        status=TaskStatus.SUCCEEDED, result=VideoResult(url="https://cdn.example/v.mp4")
    )
    task = build_task(status=TaskStatus.SUCCEEDED, outputs=(output,), dialect="openai")

    body = await ask(api, req_key="other", task_id=api.services.reader.add(task), req_json="{}")

    assert body["code"] == 10000
    assert body["data"]["status"] == "done"
    assert body["data"]["video_url"] == "https://cdn.example/v.mp4"


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (TaskStatus.FAILED, TaskError("content_policy_violation", "Refused."), 50412),
        (TaskStatus.FAILED, TaskError("upstream_error", "It failed."), 50520),
        (TaskStatus.FAILED, None, 50520),
        (TaskStatus.CANCELLED, None, 50520),
    ],
)
async def test_a_failed_task_is_a_code_in_an_answer_that_was_given(
    api: Api, status: TaskStatus, error: TaskError | None, code: int
) -> None:
    name = api.services.reader.add(build_task(status=status, error=error))

    body = await ask(api, req_key="jimeng_t2v_v30", task_id=name)

    assert (body["code"], body["status"], body["data"]) == (code, code, None)
    assert body["message"] == (error.message if error else body["message"])


async def test_an_unknown_task_and_anothers_are_the_same(api: Api) -> None:
    task = build_task()
    foreign = replace(task, account_id=UUID(int=9))
    name = api.services.reader.add(foreign)

    for asked in (name, "task_0", "7392616336519610409"):
        body = await ask(api, req_key="jimeng_t2v_v30", task_id=asked)
        assert (body["code"], body["data"]) == (10000, {"status": "not_found"})


async def test_a_task_is_asked_for_without_its_key(api: Api) -> None:
    body = await ask(api, task_id=api.services.reader.add(build_task()))

    assert body["data"] == {"status": "in_queue"}


@pytest.mark.parametrize("task_id", [None, "", " ", 5, "t" * 201])
async def test_a_question_without_an_id(api: Api, task_id: Any) -> None:
    answer = await api.client.post(f"/jimeng/?{RESULT}", json={"task_id": task_id})

    assert (answer.status_code, answer.json()["code"]) == (400, 50200)
    assert "task_id" in answer.json()["message"]


async def test_a_live_task_never_has_an_error_that_would_end_it(api: Api) -> None:
    """A database that is away says nothing of the task: no number that a server could read so."""
    api.services.reader.error = DatabaseUnavailableError("down")

    answer = await api.client.post(f"/jimeng/?{RESULT}", json={"task_id": "task_0"})

    assert answer.status_code == 429
    assert answer.json()["ResponseMetadata"]["Error"]["Code"] == "FlowLimitExceeded"
    assert not isinstance(answer.json()["code"], int)
    assert answer.headers["Retry-After"]


# Documentation


async def test_the_routes_are_documented(api: Api) -> None:
    paths = (await api.client.get("/openapi.json")).json()["paths"]

    for path in ("/jimeng", "/"):
        assert paths[path].keys() == {"post"}
        operation = paths[path]["post"]
        assert operation["summary"]
        assert operation["description"]
        names = [one["name"] for one in operation["parameters"]]
        assert names == ["Action", "Version", "Idempotency-Key", "Prefer"]
        assert operation["requestBody"]["content"]["application/json"]["examples"]
        assert operation["security"]
        answers = operation["responses"]
        for status in ("200", "400", "401", "403", "404", "413", "429", "500"):
            assert answers[status]["content"]["application/json"]["examples"], status
    assert paths["/jimeng"]["post"]["operationId"] != paths["/"]["post"]["operationId"]


async def test_the_documented_examples_are_what_is_answered(api: Api) -> None:
    operation = (await api.client.get("/openapi.json")).json()["paths"]["/jimeng"]["post"]
    examples = operation["responses"]["200"]["content"]["application/json"]["examples"]
    body = operation["requestBody"]["content"]["application/json"]["examples"]["submit"]["value"]

    submitted = (await api.client.post(f"/jimeng/?{SUBMIT}", json=body)).json()
    name = api.services.reader.add(build_task())
    unfinished = await ask(api, task_id=name)

    assert submitted.keys() == examples["submitted"]["value"].keys()
    assert unfinished["data"] == examples["unfinished"]["value"]["data"]
    assert Jimeng().translate(api.services.task_creator.request).body == body
