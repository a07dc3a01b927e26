"""What a client is told of fields of no use, and `Prefer`, in every dialect."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from tests.api.creating_posts import POSTS
from tests.support.api import Api, open_api

from vidgate.providers.vidu import Vidu


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        cast("Any", api.services.providers)["vidu"] = Vidu()
        yield api


@pytest.mark.parametrize("name", POSTS)
async def test_what_was_ignored_and_adjusted_is_named(api: Api, name: str) -> None:
    path, body = POSTS[name]
    api.services.task_creator.ignored = ("style", "seed")
    api.services.task_creator.adjusted = ("size=1:1@720p",)

    answer = await api.client.post(path, json=body)

    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Vidgate-Ignored"] == "style, seed"
    assert answer.headers["X-Vidgate-Adjusted"] == "size=1:1@720p"


@pytest.mark.parametrize("name", POSTS)
async def test_nothing_is_said_of_nothing(api: Api, name: str) -> None:
    path, body = POSTS[name]

    answer = await api.client.post(path, json=body)

    assert not {"x-vidgate-ignored", "x-vidgate-adjusted"} & set(answer.headers)


@pytest.mark.parametrize("prefer", ["handling=strict", ""])
@pytest.mark.parametrize("name", POSTS)
async def test_strict_handling_is_asked_for(api: Api, name: str, prefer: str) -> None:
    path, body = POSTS[name]

    await api.client.post(path, json=body, headers={"Prefer": prefer} if prefer else {})

    assert api.services.task_creator.request.strict is bool(prefer)
