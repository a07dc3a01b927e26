"""`ETag` and `If-None-Match` on the GETs of a task, in both vendor-neutral dialects."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.api import Api, build_task, open_api

from vidgate.models.tasks import TaskStatus

PATHS = ("/v1/video/generations", "/v1/videos")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("members", "tag"),
    [
        ({}, 'W/"0"'),
        ({"revision": 1, "status": TaskStatus.IN_PROGRESS}, 'W/"1"'),
        ({"revision": 1, "status": TaskStatus.IN_PROGRESS, "progress": 40}, 'W/"1.40"'),
        ({"revision": 2, "status": TaskStatus.SUCCEEDED, "progress": 100}, 'W/"2"'),
    ],
)
async def test_the_tag_names_the_state(
    api: Api, path: str, members: dict[str, Any], tag: str
) -> None:
    name = api.services.reader.add(build_task(**members))

    answer = await api.client.get(f"{path}/{name}")
    again = await api.client.get(f"{path}/{name}", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.headers["ETag"]) == (200, tag)
    assert (again.status_code, again.headers["ETag"], again.content) == (304, tag, b"")
    for header in ("Retry-After", "openai-poll-after-ms"):
        assert again.headers.get(header) == answer.headers.get(header)


async def test_what_is_only_estimated_has_no_say_in_the_tag(api: Api) -> None:
    task = build_task(revision=1)
    name = api.services.reader.add(task)
    tags = {(await api.client.get(f"{PATHS[0]}/{name}")).headers["ETag"]}
    api.services.reader.add(replace(task, usual=timedelta(1), next_ask_at=task.created_at))

    tags.add((await api.client.get(f"{PATHS[0]}/{name}")).headers["ETag"])

    assert tags == {'W/"1"'}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("header", "status"),
    [
        ('W/"3.40"', 304),
        ('"3.40"', 304),
        ("3.40", 304),
        ('"1", W/"3.40" ', 304),
        ("*", 304),
        ('"3"', 200),
        ('"3.4"', 200),
        ('"3.40', 304),
        ('""', 200),
        ("", 200),
        (",", 200),
        ("\x80, W/", 200),
    ],
)
async def test_a_state_that_a_client_has_is_not_sent_again(
    api: Api, path: str, header: str, status: int
) -> None:
    task = build_task(revision=3, status=TaskStatus.IN_PROGRESS, progress=40)
    name = api.services.reader.add(task)

    answer = await api.client.get(
        f"{path}/{name}", headers=[(b"If-None-Match", header.encode("latin-1"))]
    )

    assert answer.status_code == status
    assert bool(answer.content) is (status == 200)
