"""From where a token may be used: told from the head of a request alone, in every dialect."""

import time
from ipaddress import IPv4Network
from typing import Any

import httpx
import jwt
import pytest
from pydantic import SecretStr
from tests.api.creating_posts import POSTS
from tests.support.api import KEY, Api, build_task, call, open_api

from vidgate.models.tasks import TaskStatus

OFFICE = "203.0.113.0/24"
MESSAGE = "This token may not be used from 198.51.100.7; ask for one that may."


async def at(api: Api, client: str, method: str, path: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(api.app, client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as sender:
        headers = {"Authorization": f"Bearer {KEY}", **options.pop("headers", {})}
        return await sender.request(method, path, headers=headers, **options)


@pytest.mark.parametrize("kind", POSTS)
async def test_what_comes_from_elsewhere_is_refused_in_the_shape_of_its_dialect(kind: str) -> None:
    path, body = POSTS[kind]
    async with open_api() as api:
        api.services.directory.addresses = (OFFICE,)

        refused = await at(api, "198.51.100.7", "POST", path, json=body)
        unknown = await api.client.post(path, headers={"Authorization": ""})

        assert refused.status_code == 403
        assert refused.json().keys() == unknown.json().keys()
        assert MESSAGE in refused.text
        assert api.services.task_creator.requests == []


@pytest.mark.parametrize("kind", POSTS)
async def test_its_body_is_not_read(kind: str) -> None:
    path, _, _ = POSTS[kind][0].partition("?")
    async with open_api() as api:
        api.services.directory.addresses = (OFFICE,)

        # Asked for a message it would fail.
        sent = await call(api.app, [], path=path, client=("198.51.100.7", 1))

        assert sent[0]["status"] == 403


async def test_ready_routes_ask_as_well() -> None:
    async with open_api() as api:
        api.services.directory.addresses = (OFFICE,)
        name = api.services.reader.add(build_task(status=TaskStatus.SUCCEEDED))
        for path in (f"/v1/videos/{name}", f"/v1/video/generations/{name}", "/v1/events"):
            assert (await at(api, "198.51.100.7", "GET", path)).status_code == 403
        assert (await at(api, "203.0.113.9", "GET", f"/v1/videos/{name}")).status_code == 200


@pytest.mark.parametrize(
    ("networks", "client", "passes"),
    [
        ((), "198.51.100.7", True),
        ((OFFICE,), "203.0.113.255", True),
        ((OFFICE,), "203.0.114.0", False),
        ((OFFICE,), "::ffff:203.0.113.1", True),
        ((OFFICE,), "::ffff:198.51.100.7", False),
        ((OFFICE, "2001:db8::/32"), "2001:db8:1::2", True),
        ((OFFICE, "2001:db8::/32"), "2001:db9::2", False),
        (("2001:db8::/32",), "203.0.113.1", False),
        (("0.0.0.0/0",), "2001:db8::1", False),
        (("fe80::/10",), "fe80::1%eth0", True),
        ((OFFICE,), "", False),
        ((OFFICE,), "testclient", False),
        ((), "", True),
    ],
)
async def test_networks_are_of_both_kinds(
    networks: tuple[str, ...], client: str, *, passes: bool
) -> None:
    async with open_api() as api:
        api.services.directory.addresses = networks

        answer = await at(api, client, "GET", "/v1/videos")

    assert answer.status_code == (200 if passes else 403)


async def test_who_has_no_address_comes_from_nowhere() -> None:
    async with open_api() as api:
        api.services.directory.addresses = (OFFICE,)
        assert (await call(api.app, [], client=None))[0]["status"] == 403


@pytest.mark.parametrize(
    ("caller", "forwarded", "passes"),
    [
        ("10.0.0.3", "203.0.113.9", True),
        ("10.0.0.3", "198.51.100.7", False),
        # Whoever is no proxy of ours may say what he likes.
        ("198.51.100.7", "203.0.113.9", False),
        # Only what our own proxy saw counts.
        ("10.0.0.3", "203.0.113.9, 198.51.100.7", False),
    ],
)
async def test_trusted_proxies_say_from_where(caller: str, forwarded: str, *, passes: bool) -> None:
    async with open_api(trusted_proxies=(IPv4Network("10.0.0.0/24"),)) as api:
        api.services.directory.addresses = (OFFICE,)

        answer = await at(api, caller, "GET", "/v1/videos", headers={"X-Forwarded-For": forwarded})

    assert answer.status_code == (200 if passes else 403)


async def test_signed_requests_ask_as_well() -> None:
    secret, now = "s" * 64, int(time.time())
    signed = jwt.encode({"iss": "AK1", "exp": now + 1800, "nbf": now - 5}, secret)
    path = "/kling/v1/videos/text2video"
    async with open_api() as api:
        api.services.directory.access_keys["AK1"] = SecretStr(secret)
        api.services.directory.addresses = (OFFICE,)
        headers = {"Authorization": f"Bearer {signed}"}
        asked = [
            await at(api, client, "GET", path, headers=headers)
            for client in ("198.51.100.7", "203.0.113.9")
        ]

    assert [one.status_code for one in asked] == [403, 200]
