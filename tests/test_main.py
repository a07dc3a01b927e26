import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.api import Api, build_settings, open_api, serve_lifespan

from vidgate.exceptions import ConfigurationError
from vidgate.main import create_app

GENERATIONS = "/v1/video/generations"
_OPEN = {"healthz", "readyz", "metrics"}
_OURS = ("/callbacks/", "/content/")
_VENDORS = ("kling", "jimeng", "vidu")
_FOR_ALL = ("/api/status", "/api/pricing")
"""Addresses that are secrets themselves, so that no token is asked for."""

EXAMPLES = Path(__file__).parent / "data" / "examples"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


async def test_every_route_is_documented_with_its_errors_and_examples(api: Api) -> None:
    document = (await api.client.get("/openapi.json", headers={"Authorization": ""})).json()

    paths = document["paths"]
    create, read = paths[GENERATIONS]["post"], paths[GENERATIONS + "/{task_id}"]["get"]
    statuses = "200 400 401 403 404 405 409 413 422 429 500 502 503"
    assert create["responses"].keys() == set(statuses.split())
    statuses = "200 304 400 401 403 404 405 429 500 503"
    assert read["responses"].keys() == set(statuses.split())
    for operation in (create, read):
        assert operation["summary"]
        assert operation["security"] == [{"HTTPBearer": []}]
        for status, answer in operation["responses"].items():
            if status == "304":
                continue
            content = answer["content"]["application/json"]
            assert content["example"], status
            assert content["schema"]["$ref"].startswith("#/components/schemas/")
    body = create["requestBody"]["content"]
    assert body.keys() == {"application/json", "multipart/form-data"}
    examples = [one["value"] for one in body["application/json"]["examples"].values()]
    for name in ("kling", "jimeng", "vidu"):
        assert json.loads((EXAMPLES / f"{name}.request.json").read_text()) in examples


async def test_every_route_of_every_dialect_is_documented(api: Api) -> None:
    document = (await api.client.get("/openapi.json", headers={"Authorization": ""})).json()
    operations = {
        (method, path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }

    prefixes = {path.split("/")[1] for _, path in operations}
    assert prefixes == {"", "v1", "api", "dashboard", "content", "callbacks", *_VENDORS, *_OPEN}
    for (method, path), operation in operations.items():
        name = f"{method} {path}"
        assert operation["summary"], name
        if path.split("/")[1] in _OPEN:
            continue
        assert operation["description"], name
        answers = operation["responses"]
        assert {"500", "405"} <= answers.keys() or path.startswith(_OURS), name
        if not path.startswith((*_OURS, *_FOR_ALL)):
            assert operation["security"], name
            assert "401" in answers, name
        if "{" in path and not path.startswith("/callbacks"):
            assert "404" in answers, name
        for status, answer in answers.items():
            for kind, content in answer.get("content", {}).items():
                if kind == "application/json":
                    assert "example" in content or "examples" in content, (name, status)
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            # What a provider calls with is its own affair.
            if kind == "application/json" and not path.startswith(_OURS):
                assert "schema" in content, name
                assert content.keys() & {"example", "examples"}, name


async def test_the_documented_error_has_the_documented_members(api: Api) -> None:
    documented = json.loads((EXAMPLES / "error.response.json").read_text())

    response = await api.client.get("/nothing")

    assert response.json().keys() == documented.keys() | {"error"}


async def test_the_documentation_can_be_read_by_people(api: Api) -> None:
    response = await api.client.get("/docs", headers={"Authorization": ""})

    assert response.headers["Content-Type"].startswith("text/html")


async def test_an_application_that_cannot_open_its_services_does_not_start() -> None:
    def fail(_settings: object) -> AbstractAsyncContextManager[Any]:
        raise ConfigurationError("VIDGATE_SECRET_KEY is required.")

    app = create_app(build_settings(), open_services=fail)
    with pytest.raises(ConfigurationError):
        async with serve_lifespan(app):
            pytest.fail("it started")


async def test_everything_is_closed_at_the_end() -> None:
    closed = []

    @asynccontextmanager
    async def open_and_close(_settings: object) -> AsyncIterator[Any]:
        yield object()
        closed.append(True)

    app = create_app(build_settings(), open_services=open_and_close)
    async with serve_lifespan(app):
        assert closed == []

    assert closed == [True]


async def test_the_documentation_page_loads_nothing_from_elsewhere(api: Api) -> None:
    page = (await api.client.get("/docs", headers={"Authorization": ""})).text

    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(links) == 3
    for link in links:
        assert link.startswith("/docs/assets/"), link
        asset = await api.client.get(link, headers={"Authorization": ""})
        assert asset.status_code == 200
        assert len(asset.content) > 500
