"""`Cancel-After` on every creating POST."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from tests.api.creating_posts import POSTS
from tests.support.api import Api, build_task, open_api

from vidgate.models.spans import write_span
from vidgate.providers.vidu import Vidu


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        cast("Any", api.services.providers)["vidu"] = Vidu()
        yield api


@pytest.mark.parametrize("name", POSTS)
@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30s", {"seconds": 30}),
        ("10m", {"minutes": 10}),
        ("1h30m", {"hours": 1, "minutes": 30}),
        ("1h30m5s", {"hours": 1, "minutes": 30, "seconds": 5}),
        (" 90m ", {"minutes": 90}),
        ("168h", {"days": 7}),
    ],
)
async def test_a_span_goes_with_the_task(
    api: Api, name: str, text: str, span: dict[str, float]
) -> None:
    path, body = POSTS[name]

    answer = await api.client.post(path, json=body, headers={"Cancel-After": text})

    assert answer.status_code == 200, answer.text
    assert api.services.task_creator.request.cancel_after == timedelta(**span)


@pytest.mark.parametrize("name", POSTS)
@pytest.mark.parametrize(
    "text",
    ["", "30", "0s", "-1s", "1.5h", "30m1h", "1d", "s", "1 h", "168h1s", "999h", "1H", "10m,20m"],
)
async def test_what_is_no_span_is_refused(api: Api, name: str, text: str) -> None:
    path, body = POSTS[name]

    answer = await api.client.post(path, json=body, headers={"Cancel-After": text})

    assert answer.status_code == 400, answer.text
    assert "Cancel-After" in answer.text
    assert api.services.task_creator.requests == []


@pytest.mark.parametrize("name", POSTS)
async def test_without_it_there_is_no_deadline(api: Api, name: str) -> None:
    path, body = POSTS[name]
    await api.client.post(path, json=body)
    assert api.services.task_creator.request.cancel_after is None


@pytest.mark.parametrize("path", ["/v1/video/generations", "/v1/videos"])
async def test_it_is_told_beside_what_was_chosen(api: Api, path: str) -> None:
    task = build_task()
    without = api.services.reader.add(task)
    assert "cancel_after" not in (await api.client.get(f"{path}/{without}")).json()["metadata"]
    name = api.services.reader.add(replace(task, cancel_after="not_possible"))
    told = (await api.client.get(f"{path}/{name}")).json()["metadata"]
    assert told["cancel_after"] == "not_possible"


@pytest.mark.parametrize(
    ("span", "text"),
    [
        ({"seconds": 59}, "59s"),
        ({"seconds": 90}, "1m30s"),
        ({"hours": 1}, "1h"),
        ({"days": 7}, "168h"),
        ({"hours": 1, "seconds": 1}, "1h1s"),
        ({}, "0s"),
    ],
)
def test_a_span_is_written_as_people_do(span: dict[str, float], text: str) -> None:
    assert write_span(timedelta(**span)) == text
