"""Jimeng: the worked vectors, and everything that can be wrong with a signature."""

import hashlib
from calendar import timegm
from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.sandbox.support import ROOT, Clock, jimeng_call

from vidgate.sandbox.app import create_sandbox
from vidgate.sandbox.jimeng_options import JimengOptions
from vidgate.sandbox.jimeng_signing import canonical_request
from vidgate.sandbox.registry import SANDBOX_KEYS
from vidgate.sandbox.settings import SandboxSettings
from vidgate.sandbox.wire import Call

HOST = "visual.volcengineapi.com"
ACCESS_KEY = "AKLTEXAMPLE0000000000000000000001"
SECRET_KEY = "U0tFWEFNUExFMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE="
SIGNED = "content-type;host;x-content-sha256;x-date"

SUBMIT, POLL = "CVSync2AsyncSubmitTask", "CVSync2AsyncGetResult"

V1 = (
    SUBMIT,
    "20261120T080000Z",
    (
        '{"req_key": "jimeng_t2v_v30", "prompt": "a paper boat on a river", "seed": -1, '
        '"frames": 121, "aspect_ratio": "16:9"}'
    ),
    "81c6c895c0fb61a951674377fc16f31972092ba2de5684e2a55c684cadd37c53",
    "d211fe55be35fca887e224ddd1549a466ea1a36b0fbc85ea2b22f57e85630a01",
)
V2 = (
    POLL,
    "20261120T080005Z",
    '{"req_key": "jimeng_ti2v_v30_pro", "task_id": "7392616336519610409"}',
    "347c5c64a55b4f8a599368c0dc1f8d3a1822e44d8eacf5d2c8b67d31716c6e05",
    "5e67a0c4c18fe62327432f56c839540338044d1963865fac07efea1459710a65",
)
V3 = (
    SUBMIT,
    "20261120T080010Z",
    (
        '{"req_key": "jimeng_i2v_first_tail_v30_1080", "prompt": "\\u5343\\u519b\\u4e07\\u9a6c", '
        '"image_urls": ["https://example.com/a.png", "https://example.com/b.png"], '
        '"seed": -1, "frames": 241}'
    ),
    "8b2b7c5b833c411d33600919c67ec672b4be307c8035ed38f6e0f8d0f291e65d",
    "737a51edd34ea192ad9842322e00c1716c9a6e5331811005ebbabc3acc8e62a5",
)
V3B = (
    SUBMIT,
    "20261120T080010Z",
    (
        '{"req_key":"jimeng_i2v_first_tail_v30_1080","prompt":"千军万马",'
        '"image_urls":["https://example.com/a.png","https://example.com/b.png"],'
        '"seed":-1,"frames":241}'
    ),
    "ab766c98e243aa2764b4fcce8db5a1ba27bdd3b1e2d453cbce29280a8fb9f08a",
    "2b08a4ef177c7d5e8a402701787ea06bbdf6c06183f5f7165c25a649c69d3e2b",
)
V4 = (
    POLL,
    "20240115T120000Z",
    '{"req_key":"jimeng_vgfm_t2v_l20","task_id":"abc"}',
    "050743f342d111c1789cf60ff4b61e6d043005d1668def7d87b8a193b6f14b18",
    "5cbe194cc35a9fe8a0dcf34cbfc8f10d2c989caa3059aa6fe4f186977c0fef7a",
)


@pytest.mark.parametrize(
    ("vector", "access_key", "token"),
    [
        (V1, ACCESS_KEY, None),
        (V2, ACCESS_KEY, "STSexampletoken=="),
        (V3, ACCESS_KEY, None),
        (V3B, ACCESS_KEY, None),
        (V4, "AKTEST", None),
    ],
    ids=["V1", "V2", "V3", "V3b", "V4"],
)
async def test_the_worked_vectors_verify(
    vector: tuple[str, ...], access_key: str, token: str | None
) -> None:
    action, stamp, text, canonical_hash, signature = vector
    content = text.encode()
    at = timegm(datetime.strptime(stamp, "%Y%m%dT%H%M%S%z").timetuple())
    signed = f"{SIGNED};x-security-token" if token else SIGNED
    headers = {
        "content-type": "application/json",
        "host": HOST,
        "x-content-sha256": hashlib.sha256(content).hexdigest(),
        "x-date": stamp,
        "authorization": f"HMAC-SHA256 Credential={access_key}/{stamp[:8]}/cn-north-1/cv/request, "
        f"SignedHeaders={signed}, Signature={signature}",
    }
    if token:
        headers["x-security-token"] = token
    query = f"Action={action}&Version=2022-08-31"
    call = Call("POST", "/", "/", query, headers, content, "", float(at))
    canonical = canonical_request(call, tuple(signed.split(";")), headers["x-content-sha256"])
    assert hashlib.sha256(canonical.encode()).hexdigest() == canonical_hash

    sandbox = create_sandbox(
        SandboxSettings(
            clock=Clock(at),
            encode_ahead=False,
        ).having(
            JimengOptions(
                keys={ACCESS_KEY: SECRET_KEY, "AKTEST": "SKTEST"},
                session_tokens={"STSexampletoken==": ACCESS_KEY},
            )
        )
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox)) as client:
        response = await client.post(f"http://{HOST}/?{query}", content=content, headers=headers)
        headers["x-date"] = stamp.replace("T0", "T1").replace("T12", "T11")
        wrong = await client.post(f"http://{HOST}/?{query}", content=content, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json()["code"] == 10000
    assert wrong.status_code in {400, 401}


async def refusal(client: httpx.AsyncClient, request: httpx.Request) -> tuple[int, str, int]:
    response = await client.send(request)
    metadata = response.json()["ResponseMetadata"]
    assert metadata["Service"] == "cv"
    assert "code" not in response.json()
    return response.status_code, metadata["Error"]["Code"], metadata["Error"]["CodeN"]


def request(clock: Clock, **changes: Any) -> httpx.Request:
    return jimeng_call(SUBMIT, {"req_key": "jimeng_t2v_v30", "prompt": "x"}, clock(), **changes)


async def test_the_requested_path_is_what_is_signed(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    assert (await client.send(request(clock))).status_code == 200
    assert (await client.send(request(clock, path="/"))).status_code == 200
    wrong = request(clock, path="/")
    wrong.url = httpx.URL(f"{ROOT}/jimeng/?{wrong.url.query.decode()}")
    assert await refusal(client, wrong) == (401, "SignatureDoesNotMatch", 100010)


async def test_missing_parts_are_named(client: httpx.AsyncClient, clock: Clock) -> None:
    unsigned = request(clock)
    del unsigned.headers["authorization"]
    assert await refusal(client, unsigned) == (400, "InvalidCredential", 100025)
    undated = request(clock)
    del undated.headers["x-date"]
    assert await refusal(client, undated) == (400, "MissingRequestInfo", 100004)
    odd = request(clock)
    odd.headers["authorization"] = "Bearer x"
    assert await refusal(client, odd) == (400, "InvalidAuthorization", 100024)


async def test_unknown_callers_are_refused(client: httpx.AsyncClient, clock: Clock) -> None:
    stranger = request(clock, key="AKLTNOBODY|secret")
    assert await refusal(client, stranger) == (401, "InvalidAccessKey", 100009)
    access_key = SANDBOX_KEYS["jimeng"].partition("|")[0]
    forger = request(clock, key=f"{access_key}|guess")
    assert await refusal(client, forger) == (401, "SignatureDoesNotMatch", 100010)
    abroad = request(clock, region="cn-beijing")
    assert await refusal(client, abroad) == (401, "SignatureDoesNotMatch", 100010)
    token = request(clock, extra={"x-security-token": "old"})
    assert await refusal(client, token) == (401, "InvalidSecretToken", 100026)


@pytest.mark.parametrize(("drift", "status"), [(-901, 400), (-899, 200), (899, 200), (901, 400)])
async def test_the_clock_may_be_a_quarter_of_an_hour_off(
    client: httpx.AsyncClient, clock: Clock, drift: float, status: int
) -> None:
    body = {"req_key": "jimeng_t2v_v30", "prompt": "x"}
    response = await client.send(jimeng_call(SUBMIT, body, clock() + drift))
    assert response.status_code == status


async def test_a_changed_body_does_not_match(client: httpx.AsyncClient, clock: Clock) -> None:
    changed = request(clock)
    other = httpx.Request("POST", changed.url, content=b"{}", headers=changed.headers)
    other.headers["content-length"] = "2"
    assert await refusal(client, other) == (401, "SignatureDoesNotMatch", 100010)


async def test_unknown_actions_and_versions(client: httpx.AsyncClient, clock: Clock) -> None:
    other = request(clock, version="2024-06-06")
    assert await refusal(client, other) == (404, "InvalidActionOrVersion", 100008)
    response = await client.post(f"{ROOT}/jimeng/")
    assert response.json()["ResponseMetadata"]["Error"]["CodeN"] == 100002
