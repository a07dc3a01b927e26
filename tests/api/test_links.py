"""Links of ours begin as the client can use them, in every dialect."""

from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from pydantic import ValidationError
from tests.support.api import KEY, Api, build_settings, build_task, open_api, urls_of

from vidgate.api.webhook_bodies import WebhookBodies
from vidgate.config import Settings
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import OutputSnapshot, TaskSnapshot, TaskStatus
from vidgate.models.webhooks import Delivery, DeliveryStatus, EventType
from vidgate.providers.registry import PROVIDERS
from vidgate.services.views.content_links import BASE

PUBLIC = "https://video.example.com/gate"
PROXY = "10.0.0.2"

READS = {
    "newapi": ("GET", "/v1/video/generations/{id}", None),
    "openai": ("GET", "/v1/videos/{id}", None),
    "openai list": ("GET", "/v1/videos", None),
    "kling": ("GET", "/kling/v1/videos/text2video/{id}", None),
    "kling list": ("GET", "/kling/v1/videos/text2video", None),
    "kling by ids": ("GET", "/kling/tasks?task_ids={id}", None),
    "kling page": ("POST", "/kling/tasks", {"limit": 10, "start_time": 0}),
    "vidu": ("GET", "/vidu/ent/v2/tasks/{id}/creations", None),
    "vidu list": ("GET", "/vidu/ent/v2/tasks", None),
    "jimeng": (
        "POST",
        "/jimeng?Action=CVSync2AsyncGetResult&Version=2022-08-31",
        {"req_key": "jimeng_t2v_v30", "task_id": "{id}"},
    ),
}
"""All routes that tell where a video is."""


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


def _finish(api: Api) -> str:
    """Have a finished task whose video is behind a link of ours."""
    for one in PROVIDERS:
        api.services.providers[one.name] = cast("Any", one())
    return api.services.reader.add(_finished())


def _finished() -> TaskSnapshot:
    result = VideoResult(url=f"{BASE}/content/sealed")
    output = OutputSnapshot(status=TaskStatus.SUCCEEDED, result=result)
    return build_task(
        status=TaskStatus.SUCCEEDED,
        outputs=(output,),
        provider="kling",
        dialect="kling",
        details={"action": "text"},
    )


async def _ask(api: Api, read: str, task_id: str, **headers: str) -> httpx.Response:
    method, path, body = READS[read]
    json = body and {
        name: task_id if value == "{id}" else value for name, value in dict(body).items()
    }
    response = await api.client.request(
        method, path.replace("{id}", task_id), json=json, headers=headers
    )
    assert response.status_code == 200, response.text
    return response


@pytest.mark.parametrize("read", READS)
async def test_links_begin_with_the_address_that_was_called(api: Api, read: str) -> None:
    task_id = _finish(api)

    for host in ("one.example.com", "two.example.com:8443", "one.example.com"):
        response = await _ask(api, read, task_id, Host=host)

        assert f"http://{host}/content/sealed" in response.text
        assert BASE not in response.text
        assert response.headers["content-length"] == str(len(response.content))


@pytest.mark.parametrize("read", READS)
async def test_links_begin_with_the_public_address_where_there_is_one(read: str) -> None:
    async with open_api(public_url=PUBLIC) as api:
        task_id = _finish(api)

        for host in ("one.example.com", "two.example.com"):
            response = await _ask(api, read, task_id, Host=host)

            assert f"{PUBLIC}/content/sealed" in response.text
            assert BASE not in response.text
            assert host not in response.text


@pytest.mark.parametrize(
    ("get", "create"),
    [
        ("/v1/video/generations", {"model": "kling-v1", "prompt": "a"}),
        ("/v1/videos", {"model": "kling-v1", "prompt": "a"}),
    ],
)
async def test_answers_say_where_to_go_on(api: Api, get: str, create: dict[str, Any]) -> None:
    created = (await api.client.post(get, json=create)).json()
    task_id = api.services.reader.add(build_task())
    read = (await api.client.get(f"{get}/{task_id}")).json()
    cancelled = (await api.client.post(read["urls"]["cancel"])).json()

    assert created["urls"] == urls_of(created["id"], get)
    assert read["urls"] == urls_of(task_id, get)
    assert cancelled["urls"]["cancel"] == urls_of(task_id, get)["cancel"]
    assert (await api.client.get(read["urls"]["get"])).status_code == 200


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("video.example.com", "http://video.example.com"),
        ("Video.Example.COM:3000", "http://video.example.com:3000"),
        ("[2001:db8::1]:3000", "http://[2001:db8::1]:3000"),
        ("gateway", "http://gateway"),
        ("my_host", "http://my_host"),
        # What is no host does not get into an answer.
        ('a"b', "http://127.0.0.1:3000"),
        ("a/b", "http://127.0.0.1:3000"),
        ("user@host", "http://127.0.0.1:3000"),
        ("a b", "http://127.0.0.1:3000"),
        ("host:port", "http://127.0.0.1:3000"),
        ("[::1", "http://127.0.0.1:3000"),
        ("", "http://127.0.0.1:3000"),
        ("a" * 300, "http://127.0.0.1:3000"),
    ],
)
async def test_only_a_host_gets_into_a_link(api: Api, host: str, base: str) -> None:
    response = await _ask(api, "newapi", _finish(api), Host=host)

    assert response.json()["url"] == f"{base}/content/sealed"


@pytest.mark.parametrize(
    ("caller", "headers", "base"),
    [
        (PROXY, {"X-Forwarded-Host": "a.test"}, "http://a.test"),
        (PROXY, {"X-Forwarded-Proto": "https"}, "https://gateway.test"),
        (PROXY, {"X-Forwarded-Host": "a.test, b.test"}, "http://a.test"),
        (PROXY, {"X-Forwarded-Host": "", "X-Forwarded-Proto": "https"}, "https://gateway.test"),
        (
            PROXY,
            {
                "X-Forwarded-Host": "a.test:8443",
                "X-Forwarded-Proto": "https",
                "X-Forwarded-For": "192.0.2.7",
            },
            "https://a.test:8443",
        ),
        (PROXY, {}, "http://gateway.test"),
        (
            "192.0.2.7",
            {"X-Forwarded-Host": "a.test", "X-Forwarded-Proto": "https"},
            "http://gateway.test",
        ),
    ],
)
async def test_trusted_proxies_say_what_was_called(
    caller: str, headers: dict[str, str], base: str
) -> None:
    async with open_api(trusted_proxies=(IPv4Network("10.0.0.0/24"),)) as api:
        task_id = _finish(api)
        transport = httpx.ASGITransport(api.app, client=(caller, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
            response = await client.get(
                f"/v1/video/generations/{task_id}",
                headers={"Authorization": f"Bearer {KEY}", **headers},
            )

    assert response.json()["url"] == f"{base}/content/sealed"


@pytest.mark.parametrize(
    ("settings", "base"),
    [
        ({"public_url": PUBLIC}, PUBLIC),
        ({"host": "10.0.0.1", "port": 80}, "http://10.0.0.1:80"),
        ({"host": "0.0.0.0"}, "http://127.0.0.1:3000"),  # noqa: S104 - text only
        ({"host": "::"}, "http://[::1]:3000"),
    ],
)
@pytest.mark.parametrize("dialect", ["newapi", "openai", "kling", "vidu", "jimeng"])
@pytest.mark.parametrize("endpoint_id", [None, UUID(int=9)])
def test_webhooks_begin_with_the_public_address_or_our_own(
    settings: dict[str, Any], base: str, dialect: str, endpoint_id: UUID | None
) -> None:
    task = replace(_finished(), dialect=dialect)
    delivery = Delivery(
        id=UUID(int=5),
        task_id=task.id,
        account_id=task.account_id,
        endpoint_id=endpoint_id,
        url="https://a.test/",
        host="a.test",
        event=EventType.COMPLETED,
        status=DeliveryStatus.PENDING,
        tries=0,
        due_at=None,
        last_reason=None,
        created_at=task.created_at,
        finished_at=None,
    )
    write = WebhookBodies(build_settings(**settings), {one.name: one() for one in PROVIDERS})

    body = write(task, delivery)

    assert f"{base}/content/sealed" in body
    assert BASE not in body


@pytest.mark.parametrize("url", ["https://user:secret@a.test", "http://user@a.test/gate"])
def test_a_public_address_has_no_password(url: str) -> None:
    with pytest.raises(ValidationError, match="no user and no password") as caught:
        Settings(public_url=url)

    assert url not in str(caught.value)
