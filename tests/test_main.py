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
EXAMPLES = Path(__file__).parent / "data" / "examples"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


async def test_every_route_is_documented_with_its_errors_and_examples(api: Api) -> None:
    document = (await api.client.get("/openapi.json", headers={"Authorization": ""})).json()

    paths = document["paths"]
    create, read = paths[GENERATIONS]["post"], paths[GENERATIONS + "/{task_id}"]["get"]
    statuses = {"200", "400", "401", "403", "404", "405", "413", "500", "502", "503"}
    assert create["responses"].keys() == statuses
    assert read["responses"].keys() == {"200", "401", "404", "405", "500", "503"}
    for operation in (create, read):
        assert operation["summary"]
        assert operation["security"] == [{"HTTPBearer": []}]
        for status, answer in operation["responses"].items():
            content = answer["content"]["application/json"]
            assert content["example"], status
            assert content["schema"]["$ref"].startswith("#/components/schemas/")
    body = create["requestBody"]["content"]
    assert body.keys() == {"application/json", "multipart/form-data"}
    examples = body["application/json"]["schema"]["examples"]
    for name in ("kling", "jimeng", "vidu"):
        assert json.loads((EXAMPLES / f"{name}.request.json").read_text()) in examples
    # The other dialects' tests look at theirs.
    assert {path for path in paths if not path.startswith("/v1/videos")} == {
        GENERATIONS,
        GENERATIONS + "/{task_id}",
        "/v1/models",
        "/v1/models/{model}",
        "/v1/videos/{task_id}/content",
        "/content/{sealed}",
        "/callbacks/{provider}/{token}",
        "/healthz",
        "/readyz",
        "/metrics",
    }


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
