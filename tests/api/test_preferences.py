"""What a client is told of fields of no use, and `Prefer`, in every dialect."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from tests.api.creating_posts import POSTS
from tests.support.api import Api, open_api

from vidgate.providers.vidu import Vidu

HEADERS = {"X-Vidgate-Ignored", "X-Vidgate-Adjusted", "X-Vidgate-Unknown"}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        cast("Any", api.services.providers)["vidu"] = Vidu()
        yield api


@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize("name", POSTS)
async def test_what_was_not_done_to_the_letter_is_named(
    api: Api, name: str, *, replayed: bool
) -> None:
    path, body = POSTS[name]
    api.services.task_creator.ignored = ("style", "seed")
    api.services.task_creator.adjusted = ("size=1:1@720p", "mode=pro")
    api.services.task_creator.unknown = ("foo", "bar")
    api.services.task_creator.replayed = replayed

    answer = await api.client.post(path, json=body)

    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Vidgate-Ignored"] == "style, seed"
    assert answer.headers["X-Vidgate-Adjusted"] == "size=1:1@720p, mode=pro"
    assert answer.headers["X-Vidgate-Unknown"] == "foo, bar"


@pytest.mark.parametrize("name", POSTS)
async def test_nothing_is_said_of_nothing(api: Api, name: str) -> None:
    path, body = POSTS[name]

    answer = await api.client.post(path, json=body)

    assert not any(header in answer.headers for header in HEADERS)


@pytest.mark.parametrize(
    ("unknown", "header"),
    [
        (("a,b", "100%"), "a%2Cb, 100%25"),
        (("a\r\nSet-Cookie: b=c",), "a%0D%0ASet-Cookie: b=c"),
        (("船", "\x00"), "%E8%88%B9, %00"),
        (tuple("x" * 98 + str(number) for number in range(10)), None),
    ],
)
async def test_a_header_holds_whatever_a_client_calls_a_field(
    api: Api, unknown: tuple[str, ...], header: str | None
) -> None:
    path, body = POSTS["newapi"]
    api.services.task_creator.unknown = unknown

    answer = await api.client.post(path, json=body)

    assert answer.status_code == 200
    told = answer.headers["X-Vidgate-Unknown"]
    if header is None:
        assert told.endswith(f"{unknown[8]}, ...")
        assert len(told) < 1010
    else:
        assert told == header


@pytest.mark.parametrize("name", POSTS)
async def test_headers_are_documented(api: Api, name: str) -> None:
    path, _ = POSTS[name]
    described = (await api.client.get("/openapi.json")).json()["paths"]
    route = path.partition("?")[0].replace("task_1", "{video_id}").replace("kling-3.0", "{model}")

    answer = described[route]["post"]["responses"]["200"]

    assert set(answer["headers"]) >= HEADERS


@pytest.mark.parametrize(
    ("prefer", "token", "is_strict"),
    [
        ("handling=strict", False, True),
        ("", False, False),
        ("", True, True),
        ("handling=lenient", True, False),
        ('wait=5, Handling = "lenient"', True, False),
        ("handling=whatever", True, True),
    ],
)
@pytest.mark.parametrize("name", POSTS)
async def test_strict_handling_is_asked_for(
    api: Api, name: str, prefer: str, *, token: bool, is_strict: bool
) -> None:
    path, body = POSTS[name]
    api.services.directory.strict = token

    await api.client.post(path, json=body, headers={"Prefer": prefer} if prefer else {})

    assert api.services.task_creator.request.strict is is_strict
