"""Requests and results as the database keeps them: everything comes back as it was."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests.db.test_attempts import create, make_channel, new_attempt, new_task

from vidgate.db.documents import read_request, read_result, write_request, write_result
from vidgate.db.engine import Database, Statement
from vidgate.db.tasks import TaskStore
from vidgate.models.outcomes import VideoResult
from vidgate.models.requests import Image, VideoRequest

MARK = "$vidgate_input"
LONG = "A" * 5000

PLAIN = st.characters(codec="utf-8", exclude_characters="\0")
TEXTS = st.one_of(
    st.text(PLAIN, max_size=20),
    st.sampled_from([LONG, "x" * 4095, "x" * 4096, MARK, "🚤" * 2000, '"', "\\u0000"]),
)
KEYS = st.one_of(st.text(PLAIN, max_size=8), st.just(MARK))
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**30), 10**30),
        # From 1e16 on jsonb gives back an integer of the same digits.
        st.floats(-1e15, 1e15, allow_subnormal=False).filter(lambda value: str(value) != "-0.0"),
        TEXTS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
IMAGES = st.one_of(
    st.builds(lambda name: Image(url=f"https://p.example/{name}"), st.text("ab", max_size=3)),
    st.builds(
        lambda content, kind: Image(content=content, media_type=kind),
        st.binary(max_size=20),
        st.sampled_from([None, "image/png"]),
    ),
)
REQUESTS = st.builds(
    VideoRequest,
    model=TEXTS,
    prompt=TEXTS,
    duration_seconds=st.sampled_from([None, 5, 5.5]),
    width=st.sampled_from([None, 1920]),
    height=st.sampled_from([None, 1080]),
    aspect_ratio=st.sampled_from([None, "16:9"]),
    tier=st.sampled_from([None, "1080p"]),
    last_frame=st.sampled_from(["", "end_image"]),
    fps=st.sampled_from([None, 24]),
    images=st.lists(IMAGES, max_size=3).map(tuple),
    seed=st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    user=st.one_of(st.none(), TEXTS),
    metadata=st.dictionaries(KEYS, JSON, max_size=4),
    ignored=st.lists(TEXTS, max_size=2).map(tuple),
    strict=st.booleans(),
)


@given(request=REQUESTS)
@settings(max_examples=150, deadline=None)
def test_a_request_comes_back_as_it_was(request: VideoRequest) -> None:
    document, stored = write_request(request)

    assert read_request(json.loads(json.dumps(document)), stored) == request


@given(request=REQUESTS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_a_request_comes_back_from_the_database(
    database: Database, request: VideoRequest
) -> None:
    store = TaskStore(database)
    channel = await make_channel(database, f"c{id(request)}-{len(await _names(database))}")
    document, stored = write_request(request)
    task = new_task(document=document, inputs=stored)

    await store.create(task, [new_attempt(channel, task.id)])

    assert await store.request(task.id) == request


async def _names(database: Database) -> list[Any]:
    return await database.fetch(Statement(text("SELECT name FROM channels")))


@pytest.mark.parametrize(
    "metadata",
    [
        {MARK: 0},
        {MARK: [0]},
        {MARK: {MARK: 0}},
        {MARK: LONG},
        {"a": {MARK: LONG}, "b": LONG},
        {"a": [{MARK: [{MARK: LONG}]}]},
        {MARK: 0, "b": 1},
        {MARK: None},
    ],
)
def test_a_client_may_write_our_own_mark(metadata: dict[str, Any]) -> None:
    request = VideoRequest(
        model="m", metadata=metadata, images=(Image(content=b"x"), Image(url="https://p.example/"))
    )

    document, stored = write_request(request)

    assert read_request(document, stored) == request


def test_media_are_no_part_of_the_document() -> None:
    request = VideoRequest(
        model="m",
        images=(Image(content=b"\x89PNG", media_type="image/png"), Image(url="https://p.example/")),
        metadata={"image_tail": LONG, "list": [LONG, {"deep": LONG}], "short": "x"},
    )

    document, stored = write_request(request)

    assert len(json.dumps(document)) < 400
    assert [position for position, _, _ in stored] == [0, 1, 2, 3]
    assert stored[0] == (0, "image/png", b"\x89PNG")


def test_inputs_that_are_gone_are_missed() -> None:
    document, _ = write_request(VideoRequest(model="m", metadata={"image": LONG}))

    with pytest.raises(KeyError):
        read_request(document, [])


@pytest.mark.parametrize(
    "result",
    [
        VideoResult(url="https://v.example/a.mp4"),
        VideoResult(
            url="https://v.example/a.mp4?sig=%2F",
            cover_url="https://v.example/a.jpg",
            watermarked_url="https://v.example/w.mp4",
            expires_at=datetime(2030, 1, 1, 12, 0, 0, 5, tzinfo=UTC),
            duration_seconds=5.041,
            fps=23.976,
            width=1920,
            height=1080,
            seed=-(2**62),
            cost="12.345678901234567890",
            cost_unit="credits",
            upstream_id="v1",
        ),
        VideoResult(url="u", duration_seconds=0.0, seed=0, cost=""),
    ],
)
def test_a_result_comes_back_as_it_was(result: VideoResult) -> None:
    assert read_result(json.loads(json.dumps(write_result(result)))) == result


async def test_a_task_that_is_not_there_has_no_request(database: Database) -> None:
    store = TaskStore(database)
    channel = await make_channel(database)
    attempt, _ = await create(store, channel)

    with pytest.raises(KeyError):
        await store.request(attempt.id)
