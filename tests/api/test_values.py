"""Bodies of more values than any request needs, in every dialect and by every way in."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.api.creating_posts import POSTS
from tests.support.api import Api, open_api

from vidgate.api.strict_json import MOST_VALUES, count_values, parse_object
from vidgate.exceptions import MalformedBodyError, TooManyValuesError

MANY: dict[str, Any] = {
    "empty arrays": [[]] * MOST_VALUES,
    "empty objects": [{}] * MOST_VALUES,
    "numbers": [1] * MOST_VALUES,
    "strings with commas and brackets": ['a, [b\\"'] * MOST_VALUES,
    "keys": {f"key {number}": None for number in range(MOST_VALUES)},
    "objects": [{"a": {"b": []}}] * 4000,
}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("kind", POSTS)
async def test_too_many_values_are_refused_in_every_dialect(api: Api, kind: str, name: str) -> None:
    path, body = POSTS[kind]
    answer = await api.client.post(path, json=body | {"metadata": {"a": MANY[name]}})

    assert answer.status_code == 400
    assert "10,000 JSON values" in answer.text
    assert api.services.task_creator.requests == []


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize(
    "fields", [("metadata",), ("metadata[a]",), ("extra",), ("input_reference",)]
)
@pytest.mark.parametrize("path", ["/v1/video/generations", "/v1/videos"])
async def test_too_many_values_are_refused_in_a_form(
    api: Api, path: str, fields: tuple[str, ...], name: str
) -> None:
    text = json.dumps({"a": MANY[name]})
    answer = await api.client.post(
        path,
        data={"model": "kling-v1", "prompt": "a boat"},
        files={field: (None, text.encode()) for field in fields},
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "too_many_values"


async def test_a_forms_parts_are_counted_together(api: Api) -> None:
    text = json.dumps([1] * (MOST_VALUES // 2))
    files = [(f"metadata[{name}]", (None, text.encode())) for name in "abc"]
    answer = await api.client.post(
        "/v1/videos", data={"model": "kling-v1", "prompt": "a boat"}, files=files
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "too_many_values"


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ({}, 1),
        ({"a": 1}, 2),
        ({"a": [], "b": {}}, 3),
        ({"a": [1, 2, {"b": [None, "x,y"]}]}, 8),
        ([[[[]]]], 4),
    ],
)
def test_values_are_counted_exactly_where_it_matters(value: Any, count: int) -> None:
    padding: list[Any] = ["[,", 1, [], {}] * ((MOST_VALUES - count - 2) // 4)
    fits = json.dumps({"a": value, "b": padding}, indent=1).encode()
    size = count + len(padding) + 2
    rest = MOST_VALUES - size
    exact = json.dumps({"a": value, "b": [*padding, *[0] * rest]}, indent=1).encode()

    assert count_values(fits) == size
    assert parse_object(exact) == json.loads(exact)
    with pytest.raises(TooManyValuesError, match="10,000"):
        parse_object(exact[:-3].rstrip() + b", 0]}")


@pytest.mark.parametrize("body", [b"[] " * 60_000, b'"",' * 60_000, b'[1,""' * 60_000])
def test_what_is_no_json_is_not_looked_at_to_its_end(body: bytes) -> None:
    with pytest.raises((TooManyValuesError, MalformedBodyError)):
        parse_object(body)
