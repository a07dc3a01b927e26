"""What a browser sees at the root."""

import pytest
from tests.support.api import open_api


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/", "text/html; charset=utf-8"), ("/favicon.ico", "image/svg+xml")],
)
async def test_a_browser_needs_no_token(method: str, path: str, media_type: str) -> None:
    async with open_api() as api:
        answer = await api.client.request(method, path, headers={"Authorization": ""})

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert "script-src" not in answer.headers["content-security-policy"]
    assert (b"vidgate" in answer.content) == (method == "GET" and path == "/")


async def test_the_page_leads_to_what_is_there() -> None:
    async with open_api() as api:
        page = (await api.client.get("/")).text
        for path in ("/docs", "/openapi.json", "/readyz", "/favicon.ico"):
            assert f'href="{path}"' in page
            assert (await api.client.get(path)).status_code == 200


async def test_calls_to_the_root_stay_jimengs() -> None:
    async with open_api() as api:
        call = {"Action": "CVSync2AsyncGetResult", "Version": "2022-08-31"}
        answer = await api.client.post("/", params=call, headers={"Authorization": ""})

    assert answer.status_code == 401
    assert "ResponseMetadata" in answer.json()


async def test_vidus_credits_are_always_empty() -> None:
    async with open_api() as api:
        for path in ("/vidu/ent/v2/credits", "/ent/v2/credits"):
            answer = await api.client.get(path, params={"show_detail": "false"})
            assert (answer.status_code, answer.json()) == (200, {"remains": [], "packages": []})
            refused = await api.client.get(path, headers={"Authorization": "Token sk-nobody"})
            assert refused.status_code == 401
