"""Vidu: credentials, the life of a task, the matrix, lists, cancelling, credits."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.sandbox.support import NOON, VIDU, VIDU_HEADERS, Clock, png

from vidgate.sandbox.app import Sandbox
from vidgate.sandbox.vidu import ViduOptions

URL = "https://cdn.example/a.png"
OTHER = {"Authorization": "Token vda_sandbox_0000000000000002"}
SUBJECTS = [{"name": "a", "images": [URL]}]
BODY = {"model": "viduq3-turbo", "prompt": "rain on a tin roof"}


async def post(
    client: httpx.AsyncClient,
    endpoint: str,
    body: dict[str, Any],
    headers: dict[str, str] = VIDU_HEADERS,
) -> httpx.Response:
    return await client.post(f"{VIDU}/{endpoint}", json=body, headers=headers)


async def create(client: httpx.AsyncClient, **changes: Any) -> Any:
    response = await post(client, "text2video", BODY | changes)
    assert response.status_code == 200, response.text
    return response.json()


async def creations(client: httpx.AsyncClient, task_id: str) -> Any:
    response = await client.get(f"{VIDU}/tasks/{task_id}/creations", headers=VIDU_HEADERS)
    assert response.status_code == 200, response.text
    return response.json()


async def listed(client: httpx.AsyncClient, **query: str) -> Any:
    response = await client.get(f"{VIDU}/tasks", params=query, headers=VIDU_HEADERS)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("header", [None, "Bearer vda_sandbox_0000000000000001", "Token nobody"])
async def test_bad_credentials_are_refused(client: httpx.AsyncClient, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    response = await post(client, "text2video", BODY, headers)
    assert response.status_code == 401
    error = response.json()
    assert (error["code"], error["reason"]) == (401, "Unauthorized")
    assert error["metadata"]["trace_id"] == response.headers["x-md-trace-id"]


async def test_a_task_lives_its_life(client: httpx.AsyncClient, clock: Clock) -> None:
    created = await create(client, payload="job-7", seed=0)
    assert created["state"] == "created"
    assert created["type"] == "text2video"
    assert len(created["task_id"]) == 18
    assert created["resolution"] == "720p"
    assert created["aspect_ratio"] == "16:9"
    assert created["duration"] == 5
    assert created["audio"] is True
    assert created["seed"] > 0
    assert created["credits"] == 55
    assert created["payload"] == "job-7"
    states = []
    for seconds in (0, 3, 10, 30):
        clock.advance(seconds)
        states.append((await creations(client, created["task_id"]))["state"])
    assert states == ["created", "queueing", "processing", "success"]
    done = await creations(client, created["task_id"])
    assert (done["id"], done["err_code"], done["progress"]) == (created["task_id"], "", 100)
    (creation,) = done["creations"]
    assert creation["url"].startswith("http://sandbox.test/files/vidu/")
    assert creation["video"] == {
        "duration": 5.04,
        "fps": 24,
        "resolution": {"width": 1280, "height": 720},
    }


async def test_created_at_has_six_or_nine_digits(client: httpx.AsyncClient) -> None:
    created = [(await create(client))["created_at"] for _ in range(4)]
    assert {len(text.partition(".")[2]) for text in created} == {7, 10}
    assert all(text.endswith("Z") for text in created)


async def test_ids_that_are_no_numbers_come_before_credentials(client: httpx.AsyncClient) -> None:
    odd = await client.get(f"{VIDU}/tasks/abc/creations")
    assert (odd.status_code, odd.json()["reason"]) == (400, "CODEC")
    zero = await client.get(f"{VIDU}/tasks/0/creations", headers=VIDU_HEADERS)
    assert (zero.status_code, zero.json()["reason"]) == (404, "TaskNotFound")
    broken = await client.post(f"{VIDU}/text2video", content=b"{")
    assert broken.json()["reason"] == "CODEC"


async def test_another_organisation_sees_nothing(client: httpx.AsyncClient) -> None:
    task_id = (await create(client))["task_id"]
    response = await client.get(f"{VIDU}/tasks/{task_id}/creations", headers=OTHER)
    assert response.status_code == 404


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("text2video", {"model": "viduq2", "prompt": "x", "duration": 10}),
        ("text2video", {"model": "viduq3-pro", "prompt": "x", "duration": 16, "audio": False}),
        ("text2video", {"model": "viduq1", "prompt": "x", "images": None}),
        ("img2video", {"model": "viduq3-pro-fast", "images": [png(data_uri=True)]}),
        ("img2video", {"model": "viduq4-preview", "images": [URL], "resolution": "4K"}),
        ("img2video", {"model": "vidu2.0", "images": [URL], "duration": 8, "resolution": "720p"}),
        ("img2video", {"model": "viduq2-turbo", "images": [URL], "aspect_ratio": "1:1"}),
        ("start-end2video", {"model": "viduq2-pro", "images": [URL, URL], "duration": 8}),
        ("reference2video", {"model": "viduq3-mix", "prompt": "x", "images": [URL] * 7}),
        ("reference2video", {"model": "viduq4-preview", "prompt": "x", "images": [URL] * 15}),
        (
            "reference2video",
            {"model": "viduq2-pro", "prompt": "x", "videos": ["https://a/b.mp4"], "duration": 0},
        ),
        (
            "reference2video",
            {"model": "viduq3", "prompt": "@mia", "subjects": [{"name": "mia", "images": [URL]}]},
        ),
        *(
            (
                "reference2video",
                {"model": model, "prompt": "@a", "subjects": SUBJECTS, "aspect_ratio": "21:9"},
            )
            for model in ("viduq2", "viduq3")
        ),
        ("text2video", BODY | {"off_peak": True}),
    ],
)
async def test_good_requests_are_accepted(
    client: httpx.AsyncClient, endpoint: str, body: dict[str, Any]
) -> None:
    response = await post(client, endpoint, body)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("endpoint", "body", "reason"),
    [
        ("text2video", {"prompt": "x"}, "FieldLacking"),
        ("text2video", {"model": "viduq3-pro"}, "FieldLacking"),
        ("text2video", {"model": "vidu-q4", "prompt": "x"}, "ModelUnavailable"),
        ("text2video", {"model": "viduq2-pro", "prompt": "x"}, "FieldInvalid"),
        ("text2video", {"model": "viduq3", "prompt": "x"}, "FieldInvalid"),
        ("text2video", BODY | {"duration": 17}, "FieldInvalid"),
        ("text2video", BODY | {"duration": "5"}, "FieldInvalid"),
        ("text2video", BODY | {"resolution": "720P"}, "FieldInvalid"),
        ("text2video", BODY | {"resolution": "1280x720"}, "FieldInvalid"),
        ("text2video", BODY | {"aspect_ratio": "21:9"}, "FieldInvalid"),
        (
            "reference2video",
            {"model": "viduq2", "prompt": "@a", "subjects": SUBJECTS, "aspect_ratio": "wide"},
            "FieldInvalid",
        ),
        (
            "reference2video",
            {"model": "viduq2", "prompt": "@a", "images": [URL], "aspect_ratio": "21:9"},
            "FieldInvalid",
        ),
        (
            "reference2video",
            {"model": "viduq3", "prompt": "@a", "subjects": [{"name": "a", "videos": [URL]}]},
            "FieldInvalid",
        ),
        ("text2video", {"model": "viduq1", "prompt": "x", "aspect_ratio": "4:3"}, "FieldInvalid"),
        ("text2video", {"model": "viduq1", "prompt": "x", "resolution": "720p"}, "FieldInvalid"),
        ("text2video", BODY | {"off_peak": True, "audio": False}, "FieldInvalid"),
        ("text2video", BODY | {"seed": -1}, "FieldInvalid"),
        ("text2video", BODY | {"prompt": "x" * 5001}, "FieldInvalid"),
        ("text2video", BODY | {"wm_position": "top_left"}, "FieldInvalid"),
        ("img2video", {"model": "viduq3-pro"}, "FieldLacking"),
        ("img2video", {"model": "viduq3-pro", "images": [URL, URL]}, "FieldItemCountOutOfRange"),
        (
            "img2video",
            {"model": "viduq3-pro-fast", "images": [URL], "resolution": "540p"},
            "FieldInvalid",
        ),
        ("img2video", {"model": "viduq3-pro", "images": [png()]}, "ImageFormatInvalid"),
        (
            "img2video",
            {"model": "viduq3-pro", "images": [png(1000, 250, data_uri=True)]},
            "PageSizeOutOfRange",
        ),
        ("img2video", {"model": "vidu2.0", "images": [URL], "duration": 8, "resolution": "1080p"},
         "FieldInvalid"),
        ("start-end2video", {"model": "viduq2-pro", "images": [URL]}, "FieldItemCountOutOfRange"),
        ("start-end2video", {"model": "viduq2-pro", "images": [URL] * 2, "duration": 9},
         "FieldInvalid"),
        ("reference2video", {"model": "viduq3-mix", "prompt": "x"}, "FieldLacking"),
        ("reference2video", {"model": "viduq3-mix", "prompt": "x", "images": [URL] * 8},
         "FieldItemCountOutOfRange"),
        ("reference2video", {"model": "viduq3-turbo", "prompt": "x", "images": [URL],
                             "duration": 2}, "FieldInvalid"),
        ("reference2video", {"model": "viduq3", "prompt": "x", "images": [URL],
                             "videos": ["https://a/b.mp4"]}, "FieldInvalid"),
        ("reference2video", {"model": "viduq3-mix", "prompt": "x",
                             "subjects": [{"name": "a", "images": [URL]}]}, "FieldUnwanted"),
        ("reference2video", {"model": "viduq3-mix", "prompt": "x", "images": [URL],
                             "off_peak": True}, "FieldInvalid"),
        ("reference2video", {"model": "viduq2-pro", "prompt": "x", "videos": [URL],
                             "subjects": [{"name": "a", "images": [URL]}]}, "FieldUnwanted"),
        ("reference2video", {"model": "viduq2-pro", "prompt": "x",
                             "subjects": [{"name": name, "videos": [URL]} for name in "abc"]},
         "FieldItemCountOutOfRange"),
        ("upscale", {"model": "viduq2-pro"}, "NotFound"),
    ],
)  # fmt: skip
async def test_bad_requests_are_refused(
    client: httpx.AsyncClient, sandbox: Sandbox, endpoint: str, body: dict[str, Any], reason: str
) -> None:
    response = await post(client, endpoint, body)
    assert response.json()["reason"] == reason
    assert response.status_code in {400, 404}
    assert len(sandbox.world.ledger) == 0


async def test_strict_mode_refuses_what_the_endpoint_does_not_have(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    sandbox.world.settings = sandbox.world.settings.having(ViduOptions(strict=True))
    body = {"model": "viduq2-turbo", "images": [URL], "aspect_ratio": "1:1"}
    response = await post(client, "img2video", body)
    error = response.json()
    assert (error["reason"], error["metadata"]["fields"]) == ("FieldUnwanted", "aspect_ratio")


async def test_a_body_over_20_mb_is_refused(client: httpx.AsyncClient) -> None:
    response = await post(client, "text2video", BODY | {"meta_data": "x" * 21_000_000})
    assert response.status_code == 413


async def test_a_lost_job_is_found_by_its_payload(client: httpx.AsyncClient, clock: Clock) -> None:
    await create(client, payload="old")
    clock.advance(100)
    made = await create(client, payload="wanted")
    since = datetime.fromtimestamp(NOON + 90, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    page = await listed(client, **{"created_at.from": since, "pager.pagesz": "100"})
    (found,) = page["tasks"]
    assert (found["id"], found["payload"]) == (made["task_id"], "wanted")
    assert page["next_page_token"] == ""


async def test_lists_have_pages_by_number_and_by_token(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    ids = [(await create(client))["task_id"] for _ in range(5)][::-1]
    clock.advance(40)
    first = await listed(client, **{"pager.pagesz": "2"})
    assert [task["id"] for task in first["tasks"]] == ids[:2]
    following = {"pager.pagesz": "2", "pager.page_token": first["next_page_token"]}
    assert [task["id"] for task in (await listed(client, **following))["tasks"]] == ids[2:4]
    numbered = await listed(client, **{"paper.pagesz": "2", "paper.page": "2"})
    assert [task["id"] for task in numbered["tasks"]] == ids[4:]
    everything = await listed(client, **{"states[]": "success"})
    assert {type(task["creations"]) for task in everything["tasks"]} == {list, dict}
    assert (await listed(client, **{"states[]": "failed"}))["tasks"] == []
    too_many = await client.get(f"{VIDU}/tasks?pager.pagesz=101", headers=VIDU_HEADERS)
    assert too_many.json()["reason"] == "PageSizeOutOfRange"


async def test_the_list_forgets_after_a_week(client: httpx.AsyncClient, clock: Clock) -> None:
    await create(client)
    clock.advance(8 * 24 * 3600)
    assert (await listed(client))["tasks"] == []


async def test_a_cancelled_task_costs_nothing(client: httpx.AsyncClient, clock: Clock) -> None:
    task_id = (await create(client))["task_id"]
    cancelled = await post(client, f"tasks/{task_id}/cancel", {})
    assert (cancelled.status_code, cancelled.json()) == (200, {})
    seen = await creations(client, task_id)
    assert (seen["state"], seen["err_code"], seen["credits"]) == ("failed", "UserCancelled", 0)
    running = (await create(client))["task_id"]
    clock.advance(20)
    assert (await post(client, f"tasks/{running}/cancel", {})).status_code == 409


async def test_off_peak_takes_longer_and_can_be_cancelled_while_it_runs(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    task_id = (await create(client, off_peak=True))["task_id"]
    clock.advance(100)
    assert (await creations(client, task_id))["state"] == "processing"
    assert (await post(client, f"tasks/{task_id}/cancel", {})).status_code == 200


async def test_the_balance_follows(
    client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.world.settings = sandbox.world.settings.having(ViduOptions(credits=100))
    await create(client, prompt="x #late-audit")
    poor = await post(client, "text2video", BODY)
    assert (poor.status_code, poor.json()["reason"]) == (400, "CreditInsufficient")
    answer = await client.get(f"{VIDU}/credits?show_detail=false", headers=VIDU_HEADERS)
    (remains,) = answer.json()["remains"]
    assert (remains["credit_remain"], remains["current_concurrency"]) == (45, 1)
    clock.advance(40)
    await create(client)


async def test_over_the_limit_jobs_are_refused_or_queue(
    client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    limits = {"kling": 1, "jimeng": 1, "vidu": 1}
    sandbox.world.settings = replace(sandbox.world.settings, concurrency=limits)
    await create(client)
    refused = await post(client, "text2video", BODY)
    assert (refused.status_code, refused.json()["reason"]) == (429, "QuotaExceeded")
    sandbox.world.settings = sandbox.world.settings.having(ViduOptions(over_limit="queue"))
    second, third = await create(client), await create(client)
    clock.advance(39)
    assert (await creations(client, second["task_id"]))["state"] == "queueing"
    answer = await client.get(f"{VIDU}/credits", headers=VIDU_HEADERS)
    assert answer.json()["remains"][0]["queue_count"] == 2
    clock.advance(39)
    assert (await creations(client, second["task_id"]))["state"] == "processing"
    assert (await creations(client, third["task_id"]))["state"] == "queueing"
    clock.advance(42)
    assert (await creations(client, third["task_id"]))["state"] == "success"


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("audit", 400, "AuditSubmitIllegal"),
        ("code-string", 402, "CreditInsufficient"),
        ("reason-SystemThrottling", 429, "SystemThrottling"),
        ("reason-Forbidden", 403, "Forbidden"),
    ],
)
async def test_words_refuse_at_submit(
    client: httpx.AsyncClient, word: str, status: int, reason: str
) -> None:
    response = await post(client, "text2video", BODY | {"prompt": f"x #{word}"})
    assert (response.status_code, response.json()["reason"]) == (status, reason)


async def test_words_decide_the_end(client: httpx.AsyncClient, clock: Clock) -> None:
    words = ("late-audit", "late-error", "err-NoFaceDetected", "cancelled-by-vendor")
    ids = [(await create(client, prompt=f"x #{word}"))["task_id"] for word in words]
    bare = (await create(client, prompt="x #no-url"))["task_id"]
    clock.advance(40)
    ends = [await creations(client, task_id) for task_id in ids]
    assert {end["state"] for end in ends} == {"failed"}
    assert [end["err_code"] for end in ends] == [
        "CreationPolicyViolation",
        "InternalServiceFailure",
        "NoFaceDetected",
        "UserCancelled",
    ]
    assert (await creations(client, bare))["creations"][0]["url"] == ""
