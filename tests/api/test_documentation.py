"""The description of the API: what people read of it, and what generators make clients of."""

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.api import build_settings, open_api

from vidgate.main import create_app

_METHOD_NAME = re.compile(r"[a-z]+[a-z0-9]*(_[a-z0-9]+)*")
_VERBS = {
    *("create", "retrieve", "list", "remix", "edit", "extend", "cancel", "delete"),
    *("update", "rotate", "test", "send", "download", "check", "receive", "call"),
    *("stream", "listen"),
}
_SELECTIONS = {"identify", "multi"}
"""Kling's own names for calls that make no task."""

_GENERATORS = {
    "openapi-python-client": [
        *("generate", "--path", "openapi.json", "--output-path", "out", "--meta", "none"),
    ],
    "openapi-typescript": ["openapi.json", "--output", "out.ts"],
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(build_settings()).openapi()


def _operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a part of the document."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from _schemas(member)
    elif isinstance(value, list):
        for member in value:
            yield from _schemas(member)


def _requested(document: dict[str, Any]) -> dict[str, Any]:
    """The schemas that requests are made of, by name."""
    named = document["components"]["schemas"]
    found: dict[str, Any] = {}
    waiting = [operation.get("requestBody", {}) for _, operation in _operations(document)]
    while waiting:
        for one in _schemas(waiting.pop()):
            name = str(one.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found[name] = named[name]
                waiting.append(named[name])
    return found


def test_operations_have_names_that_make_good_methods(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in _operations(document)]

    assert [name for name, count in Counter(names).items() if count > 1] == []
    for name in names:
        assert _METHOD_NAME.fullmatch(name), name
        assert len(name) <= 44, name
        assert set(name.split("_")[:2]) & (_VERBS | _SELECTIONS), name
    assert {"create_video", "retrieve_video", "create_generation", "retrieve_generation"} <= {
        *names
    }


def test_bodies_of_requests_are_named_schemas(document: dict[str, Any]) -> None:
    for label, operation in _operations(document):
        if label == "post /callbacks/{provider}/{token}":
            continue  # anything is taken there
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["schema"].keys() == {"$ref"}, label
    assert len(_requested(document)) > 30


def test_answers_of_json_are_named_schemas(document: dict[str, Any]) -> None:
    unnamed = [
        (label, status)
        for label, operation in _operations(document)
        for status, answer in operation["responses"].items()
        for media_type, content in answer.get("content", {}).items()
        if media_type == "application/json"
        and not any("$ref" in one for one in _schemas(content.get("schema", {})))
    ]

    # They answer an empty object.
    assert unnamed == [
        ("post /vidu/ent/v2/tasks/{task_id}/cancel", "200"),
        ("post /callbacks/{provider}/{token}", "200"),
    ]


def test_requests_have_no_unions_with_null(document: dict[str, Any]) -> None:
    for name, schema in _requested(document).items():
        for one in _schemas({key: value for key, value in schema.items() if key != "examples"}):
            assert one.get("type") != "null", name
            assert not isinstance(one.get("type"), list), name
            assert one.get("default", "") is not None, name


def test_bodies_say_their_fields(document: dict[str, Any]) -> None:
    for name, schema in _requested(document).items():
        assert schema["properties"], name
        assert all(schema["properties"].values()), name


def test_whoever_needs_a_token_may_be_told_why_not(document: dict[str, Any]) -> None:
    missing = {
        f"{method} {path}": sorted({"401", "403", *(["429"] if method == "get" else [])} - told)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if isinstance(operation, dict) and operation.get("security")
        for told in [operation["responses"].keys()]
    }

    assert missing
    assert {name: statuses for name, statuses in missing.items() if statuses} == {}


def test_every_reference_leads_to_a_schema(document: dict[str, Any]) -> None:
    named = document["components"]["schemas"]

    for one in _schemas(document):
        assert "$defs" not in one
        if isinstance(one.get("$ref"), str):
            assert one["$ref"].removeprefix("#/components/schemas/") in named
    for name, schema in named.items():
        assert schema.get("title", name) == name


@pytest.mark.parametrize("public_url", [None, "https://video.example.com"])
def test_the_document_says_where_the_server_is(public_url: str | None) -> None:
    document = create_app(build_settings(public_url=public_url)).openapi()

    assert document["servers"] == [{"url": public_url or "/"}]


def test_summaries_begin_with_the_verbs_of_the_field(document: dict[str, Any]) -> None:
    for label, operation in _operations(document):
        first = operation["summary"].split(": ")[-1].split()[0].lower()
        assert first in _VERBS | {"upscale", "find", "begin", "select", "take", "empty", "see"}, (
            label
        )


async def test_the_document_is_served_to_everybody(document: dict[str, Any]) -> None:
    async with open_api() as api:
        for _ in range(2):
            response = await api.client.get("/openapi.json", headers={"Authorization": ""})

            assert response.headers["Content-Type"] == "application/json"
            assert response.json() == document


@pytest.mark.parametrize("generator", _GENERATORS)
def test_a_generator_makes_a_client(
    document: dict[str, Any], generator: str, tmp_path: Path
) -> None:
    program = shutil.which(generator)
    if program is None:
        pytest.skip(f"{generator} is not installed")
    (tmp_path / "openapi.json").write_text(json.dumps(document))

    done = subprocess.run(
        [program, *_GENERATORS[generator]], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    # Files are no answers that it can type; all else is.
    warnings = [line for line in done.stdout.splitlines() if line.startswith("Cannot")]
    assert [one for one in warnings if "Unsupported content_type video/mp4" not in one] == []
