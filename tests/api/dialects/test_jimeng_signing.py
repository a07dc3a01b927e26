"""Requests that are signed as Volcengine's own SDKs sign them, over made-up services."""

import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.types import Message
from tests.support.api import Api, FakeProvider, build_task, open_api
from tests.support.volcengine import sign

from vidgate.api.dialects.jimeng.dialect import DIALECT
from vidgate.api.dialects.jimeng.routes import call_jimeng
from vidgate.models.requests import IdempotencyClaim, Recognition
from vidgate.providers.jimeng import Jimeng

ACCESS = "AKvgTEST0000000000000001"
SECRET = "c2VjcmV0LW9mLWEtdG9rZW4="
SUBMIT = "Action=CVSync2AsyncSubmitTask&Version=2022-08-31"
RESULT = "Action=CVSync2AsyncGetResult&Version=2022-08-31"
BODY = json.dumps({"req_key": "jimeng_t2v_v30", "prompt": "a paper boat"}).encode()
MINUTES = timedelta(minutes=1)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api(body_memory=1024 * 1024) as api:
        api.services.directory.access_keys[ACCESS] = SecretStr(SECRET)
        api.services.providers["jimeng"] = cast("FakeProvider", Jimeng())
        del api.client.headers["Authorization"]
        yield api


def signed(api: Api, body: bytes = BODY, **options: Any) -> dict[str, str]:
    options = {"access_key": ACCESS, "secret": SECRET, "query": SUBMIT} | options
    at = api.services.clock.now() + options.pop("off", timedelta())
    return sign(body, at, **options)


def unsummed(headers: dict[str, str]) -> dict[str, str]:
    """The same without the header that tells the body's digest."""
    del headers["x-content-sha256"]
    return headers


async def send(
    api: Api, headers: dict[str, str], body: bytes = BODY, path: str = "/", query: str = SUBMIT
) -> httpx.Response:
    return await api.client.post(f"{path}?{query}", content=body, headers=headers)


def refused(api: Api, answer: httpx.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["ResponseMetadata"]["Error"]
    assert error["Code"] == code
    assert SECRET not in answer.text
    assert api.services.task_creator.requests == []
    message: str = error["Message"]
    return message


# Signatures that hold


@pytest.mark.parametrize("path", ["/", "/jimeng/", "/jimeng"])
async def test_a_signature_is_as_good_as_a_token(api: Api, path: str) -> None:
    answer = await send(api, signed(api, path=path), path=path)

    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["task_id"]
    assert api.services.task_creator.request.model == "jimeng_t2v_v30"


async def test_a_signed_question(api: Api) -> None:
    task = build_task()
    body = json.dumps({"task_id": api.services.reader.add(task)}).encode()

    answer = await send(api, signed(api, body, query=RESULT), body, query=RESULT)

    assert answer.json()["data"] == {"status": "in_queue"}


@pytest.mark.parametrize(
    "options",
    [
        {"names": ("host", "x-date")},
        {"names": ("host", "x-content-sha256", "x-date")},
        {"more": {"content-type": "application/json; charset=utf-8"}},
        {"off": 14 * MINUTES},
        {"off": -14 * MINUTES},
    ],
)
async def test_the_clients_own_list_of_headers_counts(api: Api, options: dict[str, Any]) -> None:
    answer = await send(api, signed(api, **options))

    assert answer.status_code == 200, answer.text


SIGNED = [
    ("x-date",),
    ("host", "x-date"),
    ("content-type", "x-date"),
    ("content-type", "host", "x-date"),
    ("x-content-sha256", "x-date"),
    ("host", "x-content-sha256", "x-date"),
    ("content-type", "x-content-sha256", "x-date"),
    ("content-type", "host", "x-content-sha256", "x-date"),
]
"""What signers sign: the vendor's node SDK the fifth, its Python SDK the last, many written by hand
the fourth."""


@pytest.mark.parametrize(
    ("names", "sends_digest"),
    [(names, True) for names in SIGNED]
    + [(names, False) for names in SIGNED if "x-content-sha256" not in names],
)
@pytest.mark.parametrize("host", ["gateway.test", "other.test"])
@pytest.mark.parametrize("body", [BODY, BODY.replace(b"boat", b"goat")], ids=["own", "other"])
async def test_whatever_is_signed_has_to_hold(
    api: Api, names: tuple[str, ...], *, sends_digest: bool, host: str, body: bytes
) -> None:
    headers = signed(api, names=names) | {"host": host}
    if not sends_digest:
        unsummed(headers)

    answer = await send(api, headers, body)

    if body == BODY and (host == "gateway.test" or "host" not in names):
        assert answer.status_code == 200, answer.text
        assert len(api.services.task_creator.requests) == 1
    else:
        refused(api, answer, 401, "SignatureDoesNotMatch")


async def test_a_value_is_signed_without_the_space_around_it(api: Api) -> None:
    names = ("content-type", "host", "x-content-sha256", "x-date", "x-other")
    headers = signed(api, names=names, more={"x-other": "two words"})

    answer = await send(api, headers | {"x-other": "  two words "})

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("gateway.test:80", "gateway.test"),
        ("gateway.test:443", "gateway.test"),
        ("gateway.test:8000", "gateway.test:8000"),
    ],
)
async def test_default_ports_are_no_part_of_the_host(api: Api, sent: str, meant: str) -> None:
    headers = signed(api, host=meant) | {"host": sent}

    assert (await send(api, headers)).status_code == 200


async def test_the_query_may_come_in_any_order(api: Api) -> None:
    query = "Version=2022-08-31&X-Note=a%20b&Action=CVSync2AsyncSubmitTask"

    answer = await send(api, signed(api, query=query), query=query)

    assert answer.status_code == 200, answer.text


async def test_a_compressed_body_is_signed_as_it_is_sent(api: Api) -> None:
    body = gzip.compress(BODY)

    answer = await send(api, signed(api, body) | {"content-encoding": "gzip"}, body)

    assert answer.status_code == 200, answer.text
    assert api.services.task_creator.request.model == "jimeng_t2v_v30"


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 10):
        yield body[start : start + 10]


async def test_a_body_may_come_in_pieces(api: Api) -> None:
    async def post(body: bytes) -> httpx.Response:
        return await api.client.post(f"/?{SUBMIT}", content=in_pieces(body), headers=signed(api))

    tampered = await post(BODY.replace(b"boat", b"goat"))
    answer = await post(BODY)

    assert tampered.status_code == 401
    assert answer.status_code == 200, answer.text
    assert len(api.services.task_creator.requests) == 1


# Signatures that do not


async def test_a_tampered_body(api: Api) -> None:
    headers = signed(api)

    for other in (BODY.replace(b"paper", b"stone"), BODY + b" ", b""):
        answer = await send(api, headers, other)
        assert "body" in refused(api, answer, 401, "SignatureDoesNotMatch")


async def test_a_tampered_body_with_a_digest_of_its_own(api: Api) -> None:
    other = BODY.replace(b"paper", b"stone")
    headers = signed(api) | {"x-content-sha256": hashlib.sha256(other).hexdigest()}

    refused(api, await send(api, headers, other), 401, "SignatureDoesNotMatch")


@pytest.mark.parametrize("sends_digest", [True, False])
async def test_a_tampered_question_reads_nothing(api: Api, *, sends_digest: bool) -> None:
    headers = signed(api, b'{"task_id": "task_a"}', query=RESULT, names=("host", "x-date"))
    if not sends_digest:
        unsummed(headers)

    answer = await send(api, headers, b'{"task_id": "task_b"}', query=RESULT)

    refused(api, answer, 401, "SignatureDoesNotMatch")
    assert api.services.reader.reads == 0


async def test_a_wrong_secret(api: Api) -> None:
    answer = await send(api, signed(api, secret="other"))

    assert "secret key" in refused(api, answer, 401, "SignatureDoesNotMatch")


async def test_an_unknown_access_key(api: Api) -> None:
    answer = await send(api, signed(api, access_key="AKvgOTHER"))

    refused(api, answer, 401, "InvalidAccessKey")


@pytest.mark.parametrize("off", [16 * MINUTES, -16 * MINUTES])
async def test_a_date_outside_the_window(api: Api, off: timedelta) -> None:
    refused(api, await send(api, signed(api, off=off)), 400, "InvalidTimestamp")


async def test_a_client_may_shorten_the_window_and_not_widen_it(api: Api) -> None:
    short, long = f"{SUBMIT}&X-Expires=60", f"{SUBMIT}&X-Expires=86400"

    late = await send(api, signed(api, off=-2 * MINUTES, query=short), query=short)
    refused(api, late, 400, "InvalidTimestamp")
    later = await send(api, signed(api, off=-16 * MINUTES, query=long), query=long)
    refused(api, later, 400, "InvalidTimestamp")
    assert (await send(api, signed(api, query=short), query=short)).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"x-date": "20251120T015321Z"}, 401, "SignatureDoesNotMatch"),
        ({"content-type": "text/plain"}, 401, "SignatureDoesNotMatch"),
        ({"host": "other.test"}, 401, "SignatureDoesNotMatch"),
        ({"x-security-token": "STS"}, 401, "InvalidSecretToken"),
        ({"x-date": ""}, 400, "MissingRequestInfo"),
        ({"x-content-sha256": ""}, 401, "SignatureDoesNotMatch"),
        ({"x-date": "today"}, 400, "InvalidAuthorization"),
        ({"x-content-sha256": "abc"}, 400, "InvalidAuthorization"),
        ({"authorization": "HMAC-SHA256"}, 400, "InvalidAuthorization"),
        ({"authorization": "HMAC-SHA256 Credential=x"}, 400, "InvalidAuthorization"),
    ],
)
async def test_a_header_that_is_not_the_signed_one(
    api: Api, change: dict[str, str], status: int, code: str
) -> None:
    refused(api, await send(api, signed(api) | change), status, code)


async def test_an_impossible_date(api: Api) -> None:
    headers = {name: value.replace("20251120", "20251399") for name, value in signed(api).items()}

    refused(api, await send(api, headers), 400, "InvalidTimestamp")


@pytest.mark.parametrize("name", ["x-date", "x-content-sha256", "content-type"])
async def test_a_signed_header_that_is_missing(api: Api, name: str) -> None:
    headers = signed(api)
    del headers[name]

    answer = await send(api, headers)

    assert answer.status_code in {400, 401}
    assert "task_id" not in answer.text
    assert api.services.task_creator.requests == []


@pytest.mark.parametrize(
    "names",
    [
        ("content-type", "host", "x-content-sha256"),
        ("x-date", "host"),
        ("host", "host", "x-date"),
    ],
)
async def test_a_list_that_leaves_out_what_must_be_signed(api: Api, names: tuple[str, ...]) -> None:
    refused(api, await send(api, signed(api, names=names)), 400, "InvalidAuthorization")


async def test_a_signed_header_that_is_there_twice(api: Api) -> None:
    unlisted = signed(api, names=("host", "x-date"))
    for first, name in (
        (signed(api), "x-date"),
        (signed(api), "content-type"),
        (signed(api), "x-content-sha256"),
        (unlisted, "x-content-sha256"),  # whose value is signed all the same
    ):
        headers = [*first.items(), (name, signed(api, off=MINUTES)[name])]
        answer = await api.client.post(f"/?{SUBMIT}", content=BODY, headers=headers)
        refused(api, answer, 401, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    "scope", ["cn-beijing/cv/request", "cn-north-1/iam/request", "us/cv/request"]
)
async def test_a_scope_of_another_region_or_service(api: Api, scope: str) -> None:
    answer = await send(api, signed(api, scope=scope))

    assert "cn-north-1" in refused(api, answer, 401, "SignatureDoesNotMatch")


async def test_a_signature_for_another_question_path_or_method(api: Api) -> None:
    for headers in (
        signed(api, query=RESULT),
        signed(api, path="/jimeng/"),
        signed(api, method="GET"),
    ):
        refused(api, await send(api, headers), 401, "SignatureDoesNotMatch")
    refused(api, await send(api, signed(api), path="/jimeng/"), 401, "SignatureDoesNotMatch")


async def test_a_signature_opens_no_other_dialect(api: Api) -> None:
    for path in ("/v1/models", "/kling/v1/videos/text2video", "/vidu/ent/v2/text2video"):
        headers = signed(api, b"", path=path, query="", method="GET")
        answer = await api.client.get(path, headers=headers)
        assert answer.status_code == 401, path


async def test_a_signed_get_or_another_action(api: Api) -> None:
    query = "Action=CVProcess&Version=2022-08-31"
    answer = await send(api, signed(api, query=query), query=query)
    refused(api, answer, 404, "InvalidActionOrVersion")

    headers = signed(api, b"", query=RESULT, method="GET")
    got = await api.client.get(f"/?{RESULT}", headers=headers)
    refused(api, got, 405, "InvalidActionOrVersion")


async def test_a_body_is_summed_up_only_where_it_is_read(api: Api) -> None:
    names = ("content-type", "host", "x-date")
    for method, path in (("GET", "/"), ("DELETE", "/jimeng"), ("POST", "/jimeng/videos")):
        headers = unsummed(signed(api, b"", method=method, path=path, names=names))
        answer = await api.client.request(method, f"{path}?{SUBMIT}", headers=headers)
        message = refused(api, answer, 400, "MissingRequestInfo")
        assert "X-Content-Sha256" in message


def test_every_post_that_may_leave_out_the_digest_reads_its_body() -> None:
    posts = {
        route.path: route.endpoint
        for route in DIALECT.routers[0].routes
        if isinstance(route, APIRoute) and "POST" in (route.methods or ())
    }

    assert posts == {"/": call_jimeng, "/jimeng": call_jimeng}


@pytest.mark.parametrize(
    "of",
    [
        lambda api: signed(api, secret="other"),
        lambda api: unsummed(signed(api, access_key="AKvgOTHER", names=("host", "x-date"))),
        lambda api: unsummed(signed(api, off=16 * MINUTES, names=("host", "x-date"))),
    ],
    ids=["wrong secret", "unknown key without a digest", "late without a digest"],
)
async def test_nothing_of_the_body_is_read_before_the_check(
    api: Api, of: Callable[[Api], dict[str, str]]
) -> None:
    headers = of(api) | {"content-length": str(len(BODY))}
    events: list[str] = []

    async def receive() -> Message:
        events.append("body read")
        return {"type": "http.disconnect"}

    async def send_(message: Message) -> None:
        events.append(str(message.get("status", "answer")))

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": SUBMIT.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await api.app(scope, receive, send_)

    assert events[0] in {"400", "401"}


async def test_a_body_without_a_digest_keeps_to_the_limits(api: Api) -> None:
    body = b'{"prompt": "' + b"a" * (api.budget.size_bytes // 4) + b'"}'
    headers = unsummed(signed(api, body, names=("host", "x-date")))

    refused(api, await send(api, headers, body), 429, "FlowLimitExceeded")


async def test_a_broken_database_is_no_broken_signature(api: Api) -> None:
    api.services.directory.is_up = False

    answer = await send(api, signed(api))

    refused(api, answer, 429, "FlowLimitExceeded")


# Replays


async def test_a_replay_is_known_by_its_signature(api: Api) -> None:
    headers = signed(api)

    for _ in range(2):
        assert (await send(api, headers)).status_code == 200
    other = signed(api, off=timedelta(seconds=1))
    assert (await send(api, other)).status_code == 200

    first, second, third = api.services.task_creator.onces
    signature = headers["authorization"].rpartition("=")[2]
    assert first == second
    assert first == IdempotencyClaim(
        key=f"volcengine:{signature}",
        fingerprint=hashlib.sha256(BODY).digest(),
        lifetime=timedelta(minutes=35),
        recognition=Recognition.UNTIL_ANSWERED,
    )
    assert third is not None
    assert third.key != first.key


@pytest.mark.parametrize(
    ("seconds", "recognition"),
    [
        (0, Recognition.UNTIL_ANSWERED),
        (2, Recognition.UNTIL_ANSWERED),
        (-2, Recognition.UNTIL_ANSWERED),
        (3, Recognition.BY_KEY),
        (-3, Recognition.BY_KEY),
        (600, Recognition.BY_KEY),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"x-stainless-retry-count": "0"}], ids=["plain", "count"])
async def test_an_equal_request_is_a_new_one_only_at_once(
    api: Api, seconds: int, recognition: Recognition, headers: dict[str, str]
) -> None:
    await send(api, signed(api, off=timedelta(seconds=seconds)) | headers)

    [once] = api.services.task_creator.onces
    assert once is not None
    assert once.recognition is recognition
    assert once.key.startswith("volcengine:")


async def test_a_key_of_the_clients_own_counts_if_it_is_signed(api: Api) -> None:
    names = ("content-type", "host", "idempotency-key", "x-content-sha256", "x-date")
    more = {"idempotency-key": "mine"}

    await send(api, signed(api, names=names, more=more))

    [once] = api.services.task_creator.onces
    assert once is not None
    assert once.key.endswith("mine")


async def test_a_key_that_is_not_signed_is_no_way_to_replay(api: Api) -> None:
    answer = await send(api, signed(api) | {"idempotency-key": "other"})

    assert "Idempotency-Key" in refused(api, answer, 400, "InvalidAuthorization")


async def test_a_submit_with_a_token_is_never_a_replay(api: Api) -> None:
    headers = {"Authorization": "Bearer sk-" + "k" * 43}

    await send(api, headers)

    assert api.services.task_creator.onces == [None]
