"""Callbacks: when they are sent, how they are signed, what may go wrong with them, and to whom."""

import asyncio
import base64
import hashlib
import hmac
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from tests.sandbox.support import (
    KLING,
    KLING_HEADERS,
    ROOT,
    VIDU,
    VIDU_HEADERS,
    Clock,
    Inbox,
    jimeng_call,
)

from vidgate.sandbox import callbacks
from vidgate.sandbox.app import Sandbox
from vidgate.sandbox.callbacks import loopback_target
from vidgate.sandbox.kling_options import KlingOptions
from vidgate.sandbox.registry import SANDBOX_KEYS

HOOK = "http://127.0.0.1:9/hooks/here"
SECRET = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
OTHER_SECRET = "whsec_b3RoZXJzZWNyZXRvdGhlcnNlY3JldG90aGVyc2VjcmU="


async def kling_path(client: httpx.AsyncClient, *, url: str = HOOK, prompt: str = "x") -> str:
    body = {"prompt": prompt, "options": {"callback_url": url, "external_task_id": "ord-1"}}
    path = f"{KLING}/text-to-video/kling-3.0"
    response = await client.post(path, json=body, headers=KLING_HEADERS)
    name: str = response.json()["data"]["id"]
    return name


async def vidu(client: httpx.AsyncClient, *, url: str = HOOK, prompt: str = "x") -> str:
    body = {"model": "viduq2", "prompt": prompt, "callback_url": url, "payload": "job-1"}
    response = await client.post(f"{VIDU}/text2video", json=body, headers=VIDU_HEADERS)
    name: str = response.json()["task_id"]
    return name


async def sent(client: httpx.AsyncClient, **query: str) -> Any:
    return (await client.get(f"{ROOT}/_sandbox/callbacks", params=query)).json()


async def fault(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    asked = {"provider": "*", "operation": "callback", **fields}
    return await client.post(f"{ROOT}/_sandbox/faults", json=asked)


def is_vidu_signed(request: httpx.Request, key: str) -> bool:
    """The steps of the vendor's page."""
    names = request.headers["X-HMAC-SIGNED-HEADERS"].split(";")
    query = request.url.query.decode()
    head = f"POST\n{request.url.path or '/'}\n{query}\nvidu\n{request.headers['Date']}\n"
    text = head + "".join(f"{name}:{request.headers[name]}\n" for name in names)
    expected = base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest())
    return (
        request.headers["X-HMAC-ALGORITHM"] == "hmac-sha256"
        and request.headers["X-HMAC-ACCESS-KEY"] == "vidu"
        and {"Date", "x-request-nonce"} <= set(names)
        and request.headers["X-HMAC-SIGNATURE"] == expected.decode()
    )


def is_kling_signed(request: httpx.Request, secret: str) -> bool:
    """The steps of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    name, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    text = b".".join((name.encode(), stamp.encode(), request.content))
    expected = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in request.headers["webhook-signature"].split(" ")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:8080/a?b=c", "http://127.0.0.1:8080/a?b=c"),
        ("http://127.9.9.9/a", "http://127.9.9.9/a"),
        ("https://[::1]:8080/a", "https://[::1]:8080/a"),
        ("http://localhost:8080/a", "http://127.0.0.1:8080/a"),
        ("https://hooks.example.org/a", None),
        ("http://localhost.example.org/a", None),
        ("http://10.0.0.1/a", None),
        ("http://0.0.0.0/a", None),
        ("http://169.254.169.254/a", None),
        ("http://[::ffff:10.0.0.1]/a", None),
        ("http://2130706433/a", None),
        ("http://user@127.0.0.1/a", None),
        ("ftp://127.0.0.1/a", None),
        ("http://[127.0.0.1", None),
        ("nonsense", None),
    ],
)
def test_only_this_machine_is_called(url: str, target: str | None) -> None:
    found = loopback_target(url)
    assert (None if found is None else str(found[0])) == target


async def test_an_address_elsewhere_is_recorded_and_never_called(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    await kling_path(client, url="https://hooks.example.org/kling")
    await vidu(client, url="http://192.0.2.1/vidu")
    clock.advance(60)
    assert await inbox.bodies() == []
    record = await sent(client)
    assert record["counts"] == {"kling": {"refused": 1}, "vidu": {"refused": 1}}
    assert record["followed"] == 0


async def test_kling_tells_every_state_of_a_path_task(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    task_id = await kling_path(client)
    for seconds in (0, 10, 40):
        clock.advance(seconds)
        await inbox.bodies()
    bodies = await inbox.bodies()
    assert [body["status"] for body in bodies] == ["submitted", "processing", "succeeded"]
    assert {body["id"] for body in bodies} == {task_id}
    assert {body["external_id"] for body in bodies} == {"ord-1"}
    assert bodies[2]["outputs"][0]["url"].startswith(f"{ROOT}/files/kling/")
    assert "code" not in bodies[2]
    assert "webhook-id" not in inbox.requests[0].headers
    assert inbox.requests[0].headers["content-type"] == "application/json; charset=utf-8"
    record = await sent(client, job=task_id)
    assert record["counts"] == {"kling": {"delivered": 3}}
    assert [item["state"] for item in record["sent"]] == ["succeeded", "running", "queued"]


async def test_kling_tells_legacy_tasks_in_their_own_shape(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    body = {"model_name": "kling-v3", "prompt": "#late-audit", "callback_url": HOOK}
    await client.post(f"{KLING}/v1/videos/text2video", json=body, headers=KLING_HEADERS)
    clock.advance(60)
    bodies = await inbox.bodies()
    assert [body["task_status"] for body in bodies] == ["submitted", "processing", "failed"]
    assert "risk control" in bodies[2]["task_status_msg"]
    assert "id" not in bodies[0]


async def test_kling_signs_when_a_secret_is_set(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    both = {"kling_callback_secret": f"{SECRET} {OTHER_SECRET}"}
    changed = await client.post(f"{ROOT}/_sandbox/settings", json=both)
    assert changed.json()["kling_callback_secret"] == both["kling_callback_secret"]
    await kling_path(client)
    await inbox.bodies()
    (request,) = inbox.requests
    assert is_kling_signed(request, SECRET)
    assert is_kling_signed(request, OTHER_SECRET)
    assert request.headers["webhook-timestamp"] == str(int(clock()))


@pytest.mark.parametrize("secret", ["plain", "whsec_###", 7])
async def test_a_secret_that_cannot_sign_is_refused(
    client: httpx.AsyncClient, secret: object
) -> None:
    change = {"kling_callback_secret": secret}
    assert (await client.post(f"{ROOT}/_sandbox/settings", json=change)).status_code == 400


async def test_vidu_tells_three_states_signed_with_the_key_of_the_call(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    task_id = await vidu(client, url=f"{HOOK}?job=1&tenant=a")
    assert await inbox.bodies() == []
    clock.advance(60)
    bodies = await inbox.bodies()
    assert [body["state"] for body in bodies] == ["processing", "success"]
    assert bodies[1]["id"] == task_id
    assert bodies[1]["payload"] == "job-1"
    assert bodies[1]["creations"][0]["url"]
    assert all(is_vidu_signed(request, SANDBOX_KEYS["vidu"]) for request in inbox.requests)
    assert not is_vidu_signed(inbox.requests[0], "vidu")
    assert len({request.headers["x-request-nonce"] for request in inbox.requests}) == 2


async def test_vidu_tells_of_a_cancelled_task(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    task_id = await vidu(client)
    await client.post(f"{VIDU}/tasks/{task_id}/cancel", headers=VIDU_HEADERS)
    (body,) = await inbox.bodies()
    assert (body["state"], body["err_code"], body["credits"]) == ("failed", "UserCancelled", 0)
    clock.advance(60)
    assert len(await inbox.bodies()) == 1


async def test_vidu_tries_the_end_three_times_and_the_rest_once(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    await vidu(client)
    clock.advance(10)
    inbox.statuses = [500, 500, 302, 500, 200]
    await inbox.bodies()
    clock.advance(40)
    await inbox.bodies()
    assert len(inbox.requests) == 4
    record = (await sent(client))["sent"]
    assert [(item["outcome"], item["tries"], item["status"]) for item in record] == [
        ("failed", 3, 500),
        ("failed", 1, 500),
    ]


async def test_nobody_there_is_a_failure(
    client: httpx.AsyncClient, clock: Clock, sandbox: Sandbox
) -> None:
    await vidu(client, url="http://127.0.0.1:1/hook")
    clock.advance(60)
    await sandbox.world.callbacks.deliver_due()
    record = await sent(client)
    assert [(item["outcome"], item["status"]) for item in record["sent"]] == [("failed", None)] * 2


async def test_a_delivery_has_a_deadline(
    client: httpx.AsyncClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        return httpx.Response(200)

    monkeypatch.setattr(callbacks, "DEADLINE_SECONDS", 0.01)
    sandbox.world.callbacks.transport = httpx.MockTransport(never)
    await kling_path(client)
    await sandbox.world.callbacks.deliver_due()
    assert (await sent(client))["counts"] == {"kling": {"timeout": 1}}


async def test_jimeng_tells_of_the_end_only_and_unsigned(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    ids = []
    for word in ("", "#50516"):
        body = {
            "req_key": "jimeng_dreamactor_m20_gen_video",
            "image_urls": ["https://cdn.example/a.png"],
            "video_url": f"https://cdn.example/a.mp4{word}",
            "callback_url": HOOK,
        }
        answer = await client.send(jimeng_call("CVSync2AsyncSubmitTask", body, clock()))
        ids.append(answer.json()["data"]["task_id"])
    clock.advance(50)
    assert await inbox.bodies() == []
    clock.advance(60)
    done, failed = await inbox.bodies()
    assert (done["code"], done["task_id"]) == (10000, ids[0])
    assert done["data"]["status"] == "done"
    assert done["data"]["video_url"]
    assert (failed["code"], failed["task_id"], failed["data"]) == (
        50516,
        ids[1],
        {"resp_data": ""},
    )
    assert not [name for name in inbox.requests[0].headers if "hmac" in name or "webhook" in name]


async def test_a_duplicate_is_the_same_byte_for_byte(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    await fault(client, provider="vidu", kind="duplicate")
    await vidu(client)
    clock.advance(10)
    await inbox.bodies()
    first, second = inbox.requests
    assert first.content == second.content
    assert first.headers["x-request-nonce"] == second.headers["x-request-nonce"]


async def test_a_lost_one_is_never_sent(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    await fault(client, kind="lost", contains="succeeded")
    await kling_path(client)
    clock.advance(60)
    assert [body["status"] for body in await inbox.bodies()] == ["submitted", "processing"]
    assert (await sent(client))["counts"] == {"kling": {"delivered": 2, "lost": 1}}


async def test_reordered_ones_come_after_the_next(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    await kling_path(client, prompt="#callback-reorder")
    clock.advance(60)
    states = [body["status"] for body in await inbox.bodies()]
    assert states == ["succeeded", "submitted", "processing"]


@pytest.mark.parametrize("kind", ["bad_signature", "stale_date", "unsigned"])
async def test_signatures_can_be_spoilt(
    client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock, inbox: Inbox, kind: str
) -> None:
    sandbox.world.settings = sandbox.world.settings.having(KlingOptions(callback_secret=SECRET))
    await kling_path(client, prompt=f"#callback-{kind.replace('_', '-')}")
    assert (await fault(client, provider="vidu", kind=kind, times=2)).status_code == 200
    await vidu(client)
    clock.advance(10)
    await inbox.bodies()
    kling, _, other = inbox.requests
    if kind == "unsigned":
        assert "webhook-signature" not in kling.headers
        assert "X-HMAC-SIGNATURE" not in other.headers
        return
    assert is_kling_signed(kling, SECRET) == (kind == "stale_date")
    assert is_vidu_signed(other, SANDBOX_KEYS["vidu"]) == (kind == "stale_date")
    age = clock() - int(kling.headers["webhook-timestamp"])
    assert age >= (3600 if kind == "stale_date" else 0)
    dated = parsedate_to_datetime(other.headers["Date"]).timestamp()
    assert clock() - dated == (3600 if kind == "stale_date" else 0)


@pytest.mark.parametrize(
    "fields", [{"kind": "429"}, {"operation": "submit", "kind": "lost"}, {"kind": "nonsense"}]
)
async def test_faults_must_go_with_their_operation(
    client: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    assert (await fault(client, **fields)).status_code == 400


async def test_faults_of_calls_and_of_callbacks_do_not_meet(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    await fault(client, operation="*", kind="lost")
    await fault(client, operation="*", kind="429", skip=1)
    await kling_path(client)
    clock.advance(60)
    assert len(await inbox.bodies()) == 2


async def test_the_operator_can_send_what_is_due_and_forget_it(
    client: httpx.AsyncClient, clock: Clock, inbox: Inbox
) -> None:
    await vidu(client)
    clock.advance(10)
    assert (await client.post(f"{ROOT}/_sandbox/callbacks")).json()["followed"] == 1
    assert len(await inbox.bodies()) == 1
    await client.post(f"{ROOT}/_sandbox/reset")
    clock.advance(60)
    assert len(await inbox.bodies()) == 1
    assert await sent(client) == {"followed": 0, "counts": {}, "sent": []}


async def test_they_are_sent_without_being_asked_for(
    client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    arrived = asyncio.Event()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    heads = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()
        arrived.set()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        await kling_path(client, url=f"http://localhost:{port}/hook")
        for _ in range(2):
            await asyncio.wait_for(arrived.wait(), 5)
            arrived.clear()
            clock.advance(10)
    assert heads[0].startswith(b"POST /hook HTTP/1.1\r\n")
    assert f"localhost:{port}".encode() in heads[0]
    await sandbox.world.callbacks.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
