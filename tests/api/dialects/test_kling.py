"""Kling's own dialect over services that were made up: shapes, errors and signatures."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from pydantic import SecretStr
from tests.support.api import Api, build_task, open_api
from tests.support.calls import read_answer, to_endpoint

from vidgate.api.dialects.kling.endpoints import ABSENT, DIRECT_CALLS, LEGACY, NEW
from vidgate.api.dialects.kling.errors import write_error
from vidgate.exceptions import (
    AuthenticationError,
    BodyTooLargeError,
    ConflictError,
    ContentPolicyError,
    ContentTimeoutError,
    InvalidParameterError,
    MalformedBodyError,
    NoChannelError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RefusedParameterError,
    RepeatedRefusalError,
    RequestError,
    StorageUnavailableError,
    TaskNotFoundError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Found, Pending, Submission, Succeeded, UpstreamRef, VideoResult
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskStatus
from vidgate.providers.base import LostSubmit, SubmitIds
from vidgate.providers.kling import Kling

VIDEOS = "/kling/v1/videos"
TEXT = f"{VIDEOS}/text2video"
BOAT = {"model_name": "kling-v2-6", "prompt": "a boat"}
SECRET = "a secret of any length"
OTHER_SECRET = "another secret"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


def done(**members: Any) -> Any:
    result = VideoResult(url="https://cdn.test/1.mp4", duration_seconds=5.041)
    return build_task(
        status=TaskStatus.SUCCEEDED,
        outputs=(OutputSnapshot(status=TaskStatus.SUCCEEDED, result=result),),
        **members,
    )


# Bodies


async def test_a_legacy_body_goes_on_as_it_came(api: Api) -> None:
    body = {
        **BOAT,
        "model": "ignored",
        "mode": "pro",
        "brand_new": [1, {"x": None}],
        "external_task_id": "theirs",
        "callback_url": "https://hooks.test/kling",
        "action": "theirs is no field of Kling's",
    }
    answer = await api.client.post(TEXT, json=body)

    asked = api.services.task_creator.request
    assert answer.status_code == 200
    assert asked.model == "kling-v2-6"
    assert (asked.prompt, asked.images, asked.duration_seconds) == ("", (), None)
    kept = {name: value for name, value in body.items() if name not in ("model", "model_name")}
    assert asked.metadata == kept | {"action": "/v1/videos/text2video"}
    assert api.services.task_creator.dialects == ["kling"]


async def test_a_new_body_hands_over_what_is_the_clients_own(api: Api) -> None:
    options = {"external_task_id": "theirs", "callback_url": "https://hooks.test/", "x": 1}
    body = {"prompt": "a boat", "settings": {"duration": 6}, "options": options}
    await api.client.post(
        "/kling/text-to-video/kling-3.0", json={**body, "model": "x", "callback_url": "y"}
    )

    asked = api.services.task_creator.request
    assert asked.model == "kling-3.0"
    assert asked.metadata == {
        **body,
        "action": "/text-to-video",
        "external_task_id": "theirs",
        "callback_url": "https://hooks.test/",
    }


@pytest.mark.parametrize(
    ("path", "body", "prompt"),
    [
        (TEXT, BOAT, "a boat"),
        ("/kling/text-to-video/kling-3.0", {"prompt": "a boat"}, "a boat"),
        (
            "/kling/omni-video/kling-3.0-omni",
            {"contents": [{"type": "base_video"}, 5, {"type": "prompt", "text": "snow"}]},
            "snow",
        ),
        (TEXT, {"prompt": {"no": "text"}}, None),
        (TEXT, {"contents": "none"}, None),
    ],
)
async def test_the_words_are_kept_for_other_dialects(
    api: Api, path: str, body: dict[str, Any], prompt: str | None
) -> None:
    made = await api.client.post(path, json=body)

    assert made.status_code == 200
    [echo] = api.services.task_creator.echoes
    assert echo.get("prompt") == prompt
    task = build_task(dialect="kling", echo=api.services.task_creator.echoes[0])
    name = api.services.reader.add(task)
    openais = await api.client.get(f"/v1/videos/{name}")
    own = await api.client.get(f"{TEXT}/{name}")
    assert openais.json()["prompt"] == prompt
    assert own.status_code == 200
    assert "prompt" not in own.text
    assert "prompt" not in made.text


async def test_empty_ids_are_none(api: Api) -> None:
    options = {"external_task_id": "", "callback_url": None}
    body = {"prompt": "x", "options": options, "callback_url": "no field of this generation"}
    await api.client.post("/kling/text-to-video/kling-3.0", json=body)
    assert api.services.task_creator.request.metadata.keys() == {"prompt", "options", "action"}


@pytest.mark.parametrize("endpoint", LEGACY, ids=[endpoint.name for endpoint in LEGACY])
async def test_what_runs_where_no_model_is_named(api: Api, endpoint: Any) -> None:
    await api.client.post(f"{VIDEOS}/{endpoint.name}/", json={"prompt": "x"})
    await api.client.post(f"{VIDEOS}/{endpoint.name}", json={"model_name": "kling-v3"})

    first, second = api.services.task_creator.requests
    assert first.model == endpoint.model
    assert second.model == ("kling-v3" if endpoint.has_models else endpoint.model)
    assert "model_name" not in second.metadata


# Answers


async def test_a_created_task(api: Api) -> None:
    answer = await api.client.post(TEXT, json=BOAT, headers={"X-Request-Id": "req-7"})

    told = answer.json()
    task_id = told["task_id"]
    assert task_id.startswith("task_")
    assert told == {
        "code": 0,
        "message": "SUCCEED",
        "request_id": "req-7",
        "data": {
            "task_id": task_id,
            "task_status": "submitted",
            "task_info": {},
            "created_at": 1763603600000,
            "updated_at": 1763603600000,
        },
        "id": task_id,
        "task_id": task_id,
        "object": "video",
        "status": "processing",
    }


@pytest.mark.parametrize(
    ("status", "legacy", "new", "ours"),
    [
        (TaskStatus.QUEUED, "submitted", "submitted", "processing"),
        (TaskStatus.IN_PROGRESS, "processing", "processing", "processing"),
        (TaskStatus.SUCCEEDED, "succeed", "succeeded", "succeeded"),
        (TaskStatus.FAILED, "failed", "failed", "failed"),
        (TaskStatus.CANCELLED, "failed", "failed", "failed"),
    ],
)
async def test_the_words_of_either_generation(
    api: Api, status: TaskStatus, legacy: str, new: str, ours: str
) -> None:
    error = TaskError("upstream_error", "It broke.") if status is TaskStatus.FAILED else None
    # Also a task of another provider, made in another dialect.
    task_id = api.services.reader.add(
        build_task(status=status, error=error, provider="vidu", dialect="vidu")
    )
    told = (await api.client.get(f"{TEXT}/{task_id}")).json()
    [entry] = (await api.client.get("/kling/tasks", params={"task_ids": task_id})).json()["data"]

    assert (told["code"], told["status"], told["data"]["task_status"]) == (0, ours, legacy)
    assert (entry["id"], entry["status"]) == (task_id, new)
    if error is not None:
        assert told["data"]["task_status_msg"] == entry["message"] == "It broke."


async def test_ids_that_do_not_exist_are_left_out(api: Api) -> None:
    ids = [api.services.reader.add(done()) for _ in range(2)]
    asked = f"{ids[1]},task_0,{ids[0]}"
    told = (await api.client.get("/kling/tasks", params={"task_ids": asked})).json()
    assert [entry["id"] for entry in told["data"]] == [ids[1], ids[0]]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"task_ids": ","},
        {"task_ids": "a", "external_task_ids": "b"},
        {"task_ids": ",".join("abcdefghijklmnopqrstu")},
        {"external_task_ids": ",".join("abcdefghijklmnopqrstu")},
    ],
)
async def test_tasks_are_asked_for_by_one_kind_of_id(api: Api, query: dict[str, str]) -> None:
    answer = await api.client.get("/kling/tasks", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, 1201)


async def test_a_search_for_the_clients_id_ends(api: Api) -> None:
    for number in range(1001):
        echo = {"external_task_id": str(number)}
        api.services.reader.add(build_task(id=UUID(int=number + 1), echo=echo))
    found = await api.client.get(f"{TEXT}/1")
    missing = await api.client.get(f"{TEXT}/0")

    assert (found.status_code, missing.status_code) == (200, 404)
    assert missing.json()["code"] == 1201


async def test_what_a_legacy_list_asks_for(api: Api) -> None:
    api.services.reader.add(done())
    answer = await api.client.get(f"{VIDEOS}/image2video?pageNum=1&pageSize=10")

    [query] = api.services.reader.queries
    assert (query.offset, query.limit) == (0, 10)
    assert query.origin == "kling"
    assert query.actions == ("first_frame", "first_last_frame")
    assert [entry["task_status"] for entry in answer.json()["data"]] == ["succeed"]


async def test_what_a_new_list_asks_for(api: Api) -> None:
    filters = [
        {"key": "status", "values": ["failed", "submitted"]},
        {"key": "product_type", "values": ["video"]},
    ]
    window = {"start_time": 1763600000000, "end_time": "1763600001000"}
    await api.client.post("/kling/tasks", json={"filters": filters, "limit": "7", **window})
    await api.client.post("/kling/tasks", json={})
    await api.client.post("/kling/tasks", json={"limit": 500})
    nothing = await api.client.post(
        "/kling/tasks", json={"filters": [{"key": "product_type", "values": ["image"]}]}
    )

    first, second, largest = api.services.reader.queries
    assert largest.limit == 500
    assert first.statuses == (TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.QUEUED)
    assert first.limit == 7
    assert first.created_from == datetime(2025, 11, 20, 0, 53, 20, tzinfo=UTC)
    assert first.created_until == datetime(2025, 11, 20, 0, 53, 21, 1000, tzinfo=UTC)
    assert (second.statuses, second.limit, second.created_until) == ((), 100, None)
    assert second.created_from == api.services.clock.now() - timedelta(days=30)
    assert nothing.json()["data"] == {
        "result": [],
        "count": 0,
        "next_cursor": "",
        "has_more": False,
    }


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": "1" * 30}, "limit"),
        ({"start_time": "yesterday"}, "start_time"),
        ({"end_time": 10**18}, "end_time"),
        ({"cursor": 5}, "cursor"),
        ({"cursor": "task_x"}, "cursor"),
        ({"filters": {}}, "filters"),
        ({"filters": [7]}, "filters"),
        ({"filters": [{"key": "status"}]}, "filters"),
        ({"filters": [{"key": "status", "values": []}]}, "filters"),
        ({"filters": [{"key": "product_type", "values": 7}]}, "filters"),
        ({"filters": [{"key": "status", "values": ["done"]}]}, "filters"),
        ({"filters": [{"key": "status", "values": [["x"]]}]}, "filters"),
        ({"filters": [{"key": "colour", "values": []}]}, "filters"),
    ],
)
async def test_lists_that_there_cannot_be(api: Api, body: dict[str, Any], param: str) -> None:
    answer = await api.client.post("/kling/tasks", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


# A gateway is an upstream of another: our own adapter reads what we answer


async def test_an_adapter_for_kling_reads_these_answers(api: Api) -> None:
    kling, ids = Kling(), SubmitIds(correlation="vg_1")
    channel = ChannelAccess("http://gateway.test/kling", SecretStr("key"))
    made = await api.client.post(TEXT, json=BOAT)
    submit = kling.submit(to_endpoint("/v1/videos/text2video"), channel, ids, datetime.now(UTC))
    submission = submit.read(made)
    assert isinstance(submission, Submission)
    assert submission.ref.kind == "/v1/videos/text2video"

    async def ask(name: str) -> Any:
        ref = UpstreamRef(name, submission.ref.kind)
        asked = kling.poll([ref], channel, datetime.now(UTC))
        answer = await api.client.get(str(asked.request.url))
        return read_answer(asked, answer)[ref]

    waiting = api.services.reader.add(build_task())
    finished = api.services.reader.add(done(echo={"external_task_id": "vg_1"}))
    assert await ask(waiting) == Pending(started=False)
    outcome = await ask(finished)
    assert isinstance(outcome, Succeeded)
    assert outcome.result.url == "https://cdn.test/1.mp4"
    for correlation, expected in (("vg_1", finished), ("vg_2", None)):
        ids = SubmitIds(correlation=correlation)
        now = datetime.now(UTC)
        lost = LostSubmit(endpoint="/v1/videos/text2video", ids=ids, sent_at=now, ends_at=now)
        find = kling.find(lost, channel, now)
        answer = await api.client.get(str(find.request.url))
        found = find.read(answer)
        ref = None if expected is None else UpstreamRef(expected, "/v1/videos/text2video")
        assert found == Found(ref)


# Errors


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidParameterError("no", param="metadata.callback_url"), 400, 1201),
        (RefusedParameterError("no"), 400, 1201),
        (MalformedBodyError("no"), 400, 1200),
        (ContentPolicyError("no"), 400, 1301),
        (AuthenticationError("no"), 401, 1002),
        (PermissionDeniedError("no", code="token_expired"), 403, 1103),
        (TaskNotFoundError("no"), 404, 1201),
        (ConflictError("no"), 409, 1200),
        (BodyTooLargeError("no"), 413, 1200),
        (UpstreamRefusedError("no"), 429, 1302),
        (UpstreamRefusedError("no", code="upstream_error"), 429, 1302),
        (UpstreamRefusedError("no", code="upstream_model_unavailable"), 404, 1203),
        (UpstreamRefusedError("no", code="upstream_account_error"), 403, 1103),
        (UpstreamRefusedError("no", code="upstream_busy"), 429, 1302),
        (UpstreamUnavailableError("no"), 429, 1302),
        (NotFoundError("no", code="session_not_found"), 404, 1201),
        (OverloadedError("no"), 429, 1302),
        (NoChannelError("no"), 404, 1203),
        (StorageUnavailableError("no"), 503, 5001),
        (ContentTimeoutError("no"), 504, 5002),
        (RequestError("no"), 500, 5000),
        (
            RepeatedRefusalError(
                status=400,
                kind="invalid_request_error",
                message="no",
                param=None,
                code="content_policy_violation",
            ),
            400,
            1301,
        ),
        (
            RepeatedRefusalError(
                status=403, kind="insufficient_quota", message="no", param=None, code="no_balance"
            ),
            429,
            1102,
        ),
        (
            RepeatedRefusalError(
                status=429, kind="rate_limit_error", message="no", param=None, code="too_fast"
            ),
            429,
            1302,
        ),
    ],
)
def test_errors_have_klings_numbers(error: RequestError, status: int, code: int) -> None:
    told_status, told = write_error(error)

    assert (told_status, told["code"], told["message"]) == (status, code, "no")
    assert told["error"]["code"] == error.code
    assert told["error"]["param"] in (None, "callback_url")


async def test_errors_of_the_layers(api: Api) -> None:
    async def told(method: str, path: str, **options: Any) -> tuple[int, int]:
        answer = await api.client.request(method, path, **options)
        body = answer.json()
        assert set(body) == {"code", "message", "request_id", "error"}
        assert body["request_id"] == answer.headers["X-Request-Id"]
        return answer.status_code, body["code"]

    assert await told("POST", TEXT, content=b"{") == (400, 1200)
    assert await told("POST", TEXT, content=b"[]") == (400, 1200)
    assert await told("POST", TEXT, files={"image": b"x"}) == (400, 1200)
    assert await told("POST", TEXT, json={"image": "A" * 28 * 1024 * 1024}) == (413, 1200)
    assert await told("DELETE", TEXT) == (405, 1202)
    assert await told("GET", "/kling/nothing") == (404, 1203)
    assert await told("GET", f"{TEXT}/task_0") == (404, 1201)
    bare = {"Authorization": ""}
    assert await told("GET", TEXT, headers=bare) == (401, 1001)
    assert await told("GET", TEXT, headers={"Authorization": "Bearer sk-x"}) == (401, 1002)
    assert await told("GET", "/kling/tasks", headers=bare) == (401, 1002)
    assert await told("POST", "/kling/text-to-video/kling-3.0", json={"options": 5}) == (400, 1201)
    api.services.task_creator.error = ValueError("secret")
    assert await told("POST", TEXT, json=BOAT) == (500, 5000)


async def test_a_picture_that_is_too_large_is_named_as_the_client_named_it(api: Api) -> None:
    answer = await api.client.post(TEXT, json=BOAT | {"image_tail": "A" * 28 * 1024 * 1024})

    assert answer.status_code == 413
    assert answer.json()["message"] == "The picture in image_tail may have at most 20 MB."


@pytest.mark.parametrize("name", ABSENT)
async def test_what_is_retired_names_what_to_use(api: Api, name: str) -> None:
    answer = await api.client.post(f"{VIDEOS}/{name}", json={})

    told = answer.json()
    assert (answer.status_code, told["code"]) == (404, 1203)
    assert "/kling/v1/videos/" in told["message"]
    assert not api.services.task_creator.requests


async def test_the_adapter_finds_that_its_credential_works(api: Api) -> None:
    secret = "s" * 32
    api.services.directory.access_keys["AK1"] = SecretStr(secret)
    token = api.client.headers["Authorization"].removeprefix("Bearer ")
    for credential in (f"AK1|{secret}", token):
        channel = ChannelAccess(base_url="http://test/kling", credential=SecretStr(credential))
        call = Kling().test(channel, datetime.now(UTC))
        sent = call.request

        answer = await api.client.get(
            sent.url.raw_path.decode(), headers={"Authorization": sent.headers["Authorization"]}
        )

        probed = read_answer(call, answer)
        assert probed.works, probed.sentence
    refused = await api.client.get("/kling/account/costs", headers={"Authorization": "Bearer x"})
    assert (refused.status_code, refused.json()["code"]) == (401, 1002)


# Signatures


def signed(secret: str = SECRET, *, algorithm: str = "HS256", **claims: Any) -> str:
    now = int(time.time())
    said = {"iss": "AK1", "exp": now + 1800, "nbf": now - 5} | claims
    said = {name: value for name, value in said.items() if value is not None}
    key = secret.encode().ljust(64, b"\0")  # the same to HMAC, and no warning of short keys
    return jwt.encode(said, key, algorithm=algorithm)


async def ask_signed(api: Api, token: str, path: str = TEXT) -> httpx.Response:
    api.services.directory.access_keys["AK1"] = SecretStr(SECRET)
    return await api.client.get(path, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("word", ["Bearer ", "bearer  ", "Bearer: ", ""])
async def test_a_signed_token_is_let_in(api: Api, word: str) -> None:
    api.services.directory.access_keys["AK1"] = SecretStr(SECRET)
    answer = await api.client.get(TEXT, headers={"Authorization": word + signed()})
    assert answer.status_code == 200


async def test_clocks_may_be_off_a_little(api: Api) -> None:
    now = int(time.time())
    assert (await ask_signed(api, signed(nbf=now + 30))).status_code == 200
    assert (await ask_signed(api, signed(exp=now - 30))).status_code == 200


async def test_what_else_a_token_claims_does_not_count(api: Api) -> None:
    token = signed(aud="https://api.kling.test", iat=int(time.time()) + 600)
    assert (await ask_signed(api, token)).status_code == 200


def unsigned() -> str:
    """What only a server that trusts the header would take."""
    head, claims, _ = signed().split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{head}.{claims}."


BAD_TOKENS: dict[str, tuple[Callable[[], str], int]] = {
    "another secret": (lambda: signed(OTHER_SECRET), 1002),
    "an unknown access key": (lambda: signed(iss="AK2"), 1002),
    "no access key": (lambda: signed(iss=None), 1002),
    "a long access key": (lambda: signed(iss="A" * 201), 1002),
    "no end": (lambda: signed(exp=None), 1002),
    "another algorithm": (lambda: signed(algorithm="HS512"), 1002),
    "no algorithm": (unsigned, 1002),
    "expired": (lambda: signed(exp=int(time.time()) - 120), 1004),
    "not valid yet": (lambda: signed(nbf=int(time.time()) + 120), 1003),
    "a letter too many": (lambda: signed() + "xxxx", 1002),
    "no token at all": (lambda: "not.a.token", 1002),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
async def test_a_signature_that_does_not_hold(api: Api, name: str) -> None:
    token, code = BAD_TOKENS[name]
    answer = await ask_signed(api, token())

    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert SECRET not in answer.text


async def test_the_new_generation_takes_no_signed_token(api: Api) -> None:
    answer = await ask_signed(api, signed(), "/kling/tasks?task_ids=a")
    assert (answer.status_code, answer.json()["code"]) == (401, 1002)


async def test_a_database_that_is_down_is_no_wrong_key(api: Api) -> None:
    api.services.directory.is_up = False
    answer = await ask_signed(api, signed())
    assert (answer.status_code, answer.json()["code"]) == (503, 5001)


async def test_the_caller_is_the_one_who_owns_the_key(api: Api) -> None:
    task_id = api.services.reader.add(build_task(account_id=UUID(int=9)))
    assert (await ask_signed(api, signed(), f"{TEXT}/{task_id}")).status_code == 404
    api.services.directory.account_id = UUID(int=9)
    assert (await ask_signed(api, signed(), f"{TEXT}/{task_id}")).status_code == 200


# Documentation


async def test_every_route_is_described(api: Api) -> None:
    described = (await api.client.get("/openapi.json")).json()
    paths = {path: item for path, item in described["paths"].items() if path.startswith("/kling")}

    expected = {f"{VIDEOS}/{one.name}": {"get", "post"} for one in LEGACY}
    expected |= {f"{VIDEOS}/{one.name}/{{task_id}}": {"get"} for one in LEGACY}
    expected |= {f"{VIDEOS}/{one.name}": {"post"} for one in DIRECT_CALLS}
    expected |= {f"/kling/{one.name}/{{model}}": {"post"} for one in NEW}
    expected |= {"/kling/tasks": {"get", "post"}, "/kling/account/costs": {"get"}}
    assert {path: set(item) for path, item in paths.items()} == expected
    names = set()
    for item in paths.values():
        for method, operation in item.items():
            names.add(operation["operationId"])
            assert operation["summary"]
            assert operation["description"]
            assert operation["security"] == [{"HTTPBearer": []}]
            assert {"200", "401", "500"} <= operation["responses"].keys()
            for answer in operation["responses"].values():
                if answer["description"] != "Validation Error":
                    assert answer["content"]["application/json"]["example"]
            if method == "post":
                assert operation["requestBody"]["content"]["application/json"]["example"]
    assert len(names) == sum(map(len, expected.values()))
    json.dumps(paths)
