"""Vidu's own API over made-up services: shapes, errors, documentation."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from tests.support.api import Api, build_task, open_api

from vidgate.api.dialects.vidu.endpoints import ENDPOINTS
from vidgate.api.dialects.vidu.errors import write_error
from vidgate.api.dialects.vidu.writing import write_created
from vidgate.api.writing import encode
from vidgate.exceptions import (
    AuthenticationError,
    BodyTooLargeError,
    ConflictError,
    ContentPolicyError,
    DatabaseUnavailableError,
    IdempotencyError,
    InternalError,
    InvalidParameterError,
    MalformedBodyError,
    ModelNotFoundError,
    ModelRefusedError,
    NoChannelError,
    OverloadedError,
    PermissionDeniedError,
    RefusedParameterError,
    RequestError,
    StorageUnavailableError,
    TaskNotFoundError,
    UnsupportedParameterError,
    UpstreamRefusedError,
)
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskStatus
from vidgate.providers.vidu import Vidu
from vidgate.providers.vidu.vendor_answers import to_native

BASE = "/vidu/ent/v2"
GOOD = {"model": "viduq3-turbo", "prompt": "a boat"}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        cast("Any", api.services.providers)["vidu"] = Vidu()
        yield api


async def post(api: Api, body: Any, name: str = "text2video", **options: Any) -> tuple[int, Any]:
    answer = await api.client.post(f"{BASE}/{name}", json=body, **options)
    return answer.status_code, answer.json()


async def test_a_body_becomes_vendor_fields_and_the_path_their_action(api: Api) -> None:
    body = GOOD | {"duration": 5, "zoom": {"deep": [1, None]}, "payload": "p", "seed": None}
    status, _ = await post(api, body)
    assert status == 200
    request = api.services.task_creator.request
    assert (request.model, request.prompt, request.duration_seconds) == (*GOOD.values(), 5)
    assert request.images == ()
    assert request.metadata == {
        "prompt": "a boat",
        "duration": 5,
        "zoom": {"deep": [1, None]},
        "payload": "p",
        "action": "text2video",
    }
    assert api.services.task_creator.dialects == ["vidu"]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
async def test_every_endpoint(api: Api, endpoint: Any) -> None:
    status, told = await post(api, dict(endpoint.example), endpoint.name)
    assert status == 200, told
    request = api.services.task_creator.request
    assert request.model == (endpoint.model or endpoint.example["model"])
    assert request.metadata["action"] == endpoint.name
    assert "model" not in request.metadata
    assert told["task_id"].startswith("task_")
    assert told["state"] == "created"


async def test_a_model_in_a_body_that_has_none_chooses_nothing(api: Api) -> None:
    status, _ = await post(
        api, {"model": "viduq1", "template": "hug", "images": ["https://a.test/1"]}, "template"
    )
    assert status == 200
    assert api.services.task_creator.request.model == "vidu-template"
    assert "model" not in api.services.task_creator.request.metadata


async def test_what_is_kept_of_a_request_holds_no_inline_picture(api: Api) -> None:
    inline = "data:image/png;base64,AAAA"
    settings = [{"key_image": inline, "prompt": "x"}, {"key_image": "A" * 20_001}]
    body = {"model": "viduq2-pro", "start_image": inline, "image_settings": settings}
    status, told = await post(api, body, "multiframe")
    assert status == 200
    [echo] = api.services.task_creator.echoes
    assert echo["request"]["image_settings"] == [
        {"key_image": "", "prompt": "x"},
        {"key_image": ""},
    ]
    assert told["start_image"] == ""
    assert api.services.task_creator.request.metadata["start_image"] == inline


async def test_whole_numbers_of_anothers_task_have_no_fraction(api: Api) -> None:
    result = VideoResult(url="https://cdn.test/1.mp4", duration_seconds=5.0, fps=24.0)
    odd = VideoResult(url="https://cdn.test/2.mp4", duration_seconds=5.04, fps=29.97)
    outputs = tuple(
        OutputSnapshot(status=TaskStatus.SUCCEEDED, result=one) for one in (result, odd)
    )
    task = build_task(status=TaskStatus.SUCCEEDED, facts={"duration_seconds": 5.0}, outputs=outputs)
    name = api.services.reader.add(task)

    read = (await api.client.get(f"{BASE}/tasks/{name}/creations")).text
    created = encode(write_created(task, to_native(task))).decode()
    unknown = write_created(build_task(facts={}), to_native(build_task(facts={})))

    assert '"duration":5,"fps":24,' in read
    assert '"duration":5.04,"fps":29.97,' in read
    assert '"duration":5,' in created
    assert unknown["duration"] == 0


async def test_a_repeated_seed_is_the_one_that_was_taken(api: Api) -> None:
    _, told = await post(api, GOOD | {"seed": 9})
    assert told["seed"] == 9
    _, told = await post(api, GOOD | {"seed": 0})
    assert told["seed"] == 0


@pytest.mark.parametrize(
    ("content", "headers", "status", "reason"),
    [
        (b"{", {}, 400, "CODEC"),
        (b"", {}, 400, "CODEC"),
        (b"[]", {}, 400, "CODEC"),
        (
            b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nviduq1\r\n--x--\r\n',
            {"Content-Type": "multipart/form-data; boundary=x"},
            400,
            "CODEC",
        ),
        (
            b'{"model":"viduq1","images":["data:image/png;base64,'
            + b"A" * (30 * 1024 * 1024)
            + b'"]}',
            {},
            413,
            "BadRequest",
        ),
    ],
    ids=["truncated", "empty", "list", "form", "large"],
)
async def test_bodies_that_cannot_be_read(
    api: Api, content: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = await api.client.post(f"{BASE}/img2video", content=content, headers=headers)
    told = answer.json()
    assert (answer.status_code, told["code"], told["reason"]) == (status, status, reason), told
    assert not api.services.task_creator.requests


@pytest.mark.parametrize(
    ("path", "method", "status", "reason"),
    [
        ("/text2video", "GET", 405, "BadRequest"),
        ("/reference2image", "POST", 404, "NotFound"),
        ("/credits", "POST", 405, "BadRequest"),
        ("/tasks/0/creations", "GET", 404, "TaskNotFound"),
        ("/tasks/0/cancel", "POST", 404, "TaskNotFound"),
    ],
)
async def test_what_there_is_not(
    api: Api, path: str, method: str, status: int, reason: str
) -> None:
    answer = await api.client.request(method, f"{BASE}{path}")
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


@pytest.mark.parametrize("scheme", ["Token ", "Bearer ", ""])
async def test_the_vendors_scheme_and_others(api: Api, scheme: str) -> None:
    key = api.client.headers["Authorization"].removeprefix("Bearer ")
    status, _ = await post(api, GOOD, headers={"Authorization": f"{scheme}{key}"})
    assert status == 200
    status, told = await post(api, GOOD, headers={"Authorization": "Token vda_0000000000000000"})
    assert (status, told["reason"]) == (401, "Unauthorized")


ERRORS: list[tuple[RequestError, int, str, str | None]] = [
    (AuthenticationError("no"), 401, "Unauthorized", None),
    (PermissionDeniedError("no", param="model"), 403, "Forbidden", "model"),
    (TaskNotFoundError("no"), 404, "TaskNotFound", None),
    (TaskNotFoundError("no", param="video_creation_id"), 404, "CreationNotFound", None),
    (ModelNotFoundError("no", param="model"), 400, "ModelUnavailable", "model"),
    (ModelRefusedError("no", param="model"), 400, "ModelUnavailable", "model"),
    (NoChannelError("no"), 400, "ModelUnavailable", None),
    (MalformedBodyError("no"), 400, "CODEC", None),
    (InvalidParameterError("no"), 400, "FieldInvalid", None),
    (InvalidParameterError("no", param="metadata.x"), 400, "FieldInvalid", "x"),
    (UnsupportedParameterError("images", "no"), 400, "FieldItemCountOutOfRange", "images"),
    (UnsupportedParameterError("image", "no"), 400, "ImageFormatInvalid", "images"),
    (RefusedParameterError("no", param="seed"), 400, "FieldInvalid", "seed"),
    (ContentPolicyError("no"), 400, "AuditSubmitIllegal", None),
    (ConflictError("no"), 409, "Conflict", None),
    (BodyTooLargeError("no", param="metadata.images"), 413, "BadRequest", "images"),
    (IdempotencyError("no"), 422, "Conflict", None),
    (OverloadedError("no"), 429, "SystemThrottling", None),
    (StorageUnavailableError("no"), 429, "SystemThrottling", None),
    (UpstreamRefusedError("no"), 429, "SystemThrottling", None),
    (UpstreamRefusedError("no", code="upstream_busy"), 429, "SystemThrottling", None),
    (UpstreamRefusedError("no", code="upstream_account_error"), 400, "ModelUnavailable", None),
    (InternalError("no"), 500, "InternalServiceFailure", None),
]


@pytest.mark.parametrize(("error", "status", "reason", "fields"), ERRORS)
def test_errors(error: RequestError, status: int, reason: str, fields: str | None) -> None:
    written, body = write_error(error)
    assert written == status
    assert body["code"] == status
    assert body["reason"] == reason
    if reason != "CreationNotFound":
        assert body["metadata"].get("fields") == fields
    assert body["message"] == "no"


async def test_an_error_of_the_services(api: Api) -> None:
    api.services.task_creator.error = UpstreamRefusedError("The provider failed.")
    answer = await api.client.post(f"{BASE}/text2video", json=GOOD)
    assert answer.status_code == 429
    assert answer.headers["x-should-retry"] == "false"
    trace = answer.json()["metadata"]["trace_id"]
    assert trace == answer.headers["x-request-id"]
    api.services.task_creator.error = DatabaseUnavailableError("secret-host")
    answer = await api.client.post(f"{BASE}/text2video", json=GOOD)
    assert (answer.status_code, "secret-host" in answer.text) == (429, False)


@pytest.mark.parametrize(
    ("status", "state", "code"),
    [
        (TaskStatus.QUEUED, "queueing", ""),
        (TaskStatus.IN_PROGRESS, "processing", ""),
        (TaskStatus.SUCCEEDED, "success", ""),
        (TaskStatus.FAILED, "failed", "InternalServiceFailure"),
        (TaskStatus.CANCELLED, "failed", "UserCancelled"),
    ],
)
async def test_any_dialects_task_can_be_read(
    api: Api, status: TaskStatus, state: str, code: str
) -> None:
    succeeded = status is TaskStatus.SUCCEEDED
    result = VideoResult(url="https://a.test/v.mp4") if succeeded else None
    failed = status in {TaskStatus.FAILED, TaskStatus.CANCELLED}
    error = TaskError("upstream_error", "It failed.") if failed else None
    task = build_task(
        status=status, error=error, outputs=(OutputSnapshot(status=status, result=result),)
    )
    name = api.services.reader.add(task)
    answer = await api.client.get(f"{BASE}/tasks/{name}/creations/")
    told = answer.json()
    assert answer.status_code == 200
    assert (told["id"], told["state"], told["err_code"]) == (name, state, code)
    assert [creation["id"] for creation in told["creations"]] == [f"{name}_0"] * succeeded
    again = await api.client.get(f"{BASE}/tasks/{name}/creations")
    assert again.content == answer.content


async def test_cancel(api: Api) -> None:
    name = api.services.reader.add(build_task())
    answer = await api.client.post(f"{BASE}/tasks/{name}/cancel")
    assert (answer.status_code, answer.json()) == (200, {})
    answer = await api.client.get(f"{BASE}/tasks/{name}/creations")
    assert answer.json()["err_code"] == "UserCancelled"


async def test_list_asks_for_what_the_query_says(api: Api) -> None:
    for number in range(3):
        api.services.reader.add(build_task(provider="vidu", echo={"payload": str(number)}))
    answer = await api.client.get(f"{BASE}/tasks", params={"pager.pagesz": 2, "pager.page": 1})
    assert len(answer.json()["tasks"]) == 1
    [query] = api.services.reader.queries
    assert (query.offset, query.limit, query.origin) == (2, 2, "vidu")
    assert query.created_from is not None
    assert (api.services.clock.now() - query.created_from).days == 7
    await api.client.get(
        f"{BASE}/tasks?created_at.from=2026-11-20T08:29:41.083033428Z"
        "&created_at.to=2026-11-20T16:29:41+08:00&states[]=failed&states=queueing"
    )
    query = api.services.reader.queries[1]
    assert query.created_from is not None
    assert query.created_until is not None
    assert query.created_from.isoformat() == "2026-11-20T08:29:41.083033+00:00"
    assert query.created_until.isoformat() == "2026-11-20T08:29:41.000001+00:00"
    assert query.statuses == (TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.QUEUED)


async def test_the_list_names_what_ran_here_alone(api: Api) -> None:
    here = api.services.reader.add(build_task(provider="vidu"))
    elsewhere = api.services.reader.add(build_task(provider="kling"))
    answer = await api.client.get(f"{BASE}/tasks", params={"task_ids[]": [elsewhere, here]})
    assert [task["id"] for task in answer.json()["tasks"]] == [here]


async def test_documentation(api: Api) -> None:
    document = (await api.client.get("/openapi.json")).json()
    paths, schemas = document["paths"], document["components"]["schemas"]
    for endpoint in ENDPOINTS:
        path = f"{BASE}/{endpoint.name}"
        if not endpoint.documented:
            assert path not in paths
            continue
        route = paths[path]["post"]
        body = route["requestBody"]["content"]["application/json"]
        schema = schemas[body["schema"]["$ref"].rpartition("/")[2]]
        assert set(schema["required"]) <= body["example"].keys()
        assert body["example"].keys() <= schema["properties"].keys()
        assert {"200", "400", "401", "403", "422", "500"} <= route["responses"].keys()
        assert [parameter["name"] for parameter in route["parameters"]] == [
            "Idempotency-Key",
            "Prefer",
        ]
        assert route["security"]
    for path, method in (
        ("/tasks", "get"),
        ("/tasks/{task_id}/creations", "get"),
        ("/tasks/{task_id}/cancel", "post"),
    ):
        route = paths[f"{BASE}{path}"][method]
        assert route["summary"]
        assert "422" not in route["responses"]
        assert "example" in route["responses"]["200"]["content"]["application/json"]
