"""Paths as clients write them: all that can be meant are served, the others told where to go."""

import time
from collections.abc import AsyncIterator
from typing import Any, cast

import jwt
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.api.creating_posts import POSTS
from tests.support.api import KEY, Api, build_task, open_api

from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import OutputSnapshot, TaskStatus
from vidgate.providers.vidu import Vidu

SECRET = "s" * 32


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        cast("Any", api.services.providers)["vidu"] = Vidu()
        yield api


def url(path: str) -> str:
    """A client would take two slashes at the beginning of a path for a host."""
    return f"http://gateway.test{path}"


@pytest.mark.parametrize("kind", POSTS)
@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda path: f"/{path}", id="one more"),
        pytest.param(lambda path: path.replace("/", "//"), id="doubled"),
        pytest.param(lambda path: path.replace("/", "///"), id="three"),
        pytest.param(lambda path: path.partition("?")[0] + "//?" + path.partition("?")[2],
                     id="two at its end"),
    ],
)  # fmt: skip
async def test_doubled_slashes_are_one(api: Api, kind: str, write: Any) -> None:
    path, body = POSTS[kind]

    answer = await api.client.post(url(write(path)), json=body)

    assert answer.status_code == 200, answer.text
    assert len(api.services.task_creator.requests) == 1


async def test_doubled_slashes_are_one_where_it_is_read(api: Api) -> None:
    result = VideoResult(url="https://cdn.example/a.mp4")
    outputs = (OutputSnapshot(status=TaskStatus.SUCCEEDED, result=result),)
    task_id = api.services.reader.add(build_task(status=TaskStatus.SUCCEEDED, outputs=outputs))

    for path in (f"//v1//video/generations//{task_id}", f"//v1/videos//{task_id}", "//healthz"):
        assert (await api.client.get(url(path))).status_code == 200
    anonymous = await api.client.get(url("//v1//videos"), headers={"Authorization": ""})
    assert anonymous.status_code == 401


@pytest.mark.parametrize("path", ["/callbacks//kling/s3cret", "//content//s3cret"])
async def test_doubled_slashes_hide_no_secret_from_the_mask_of_the_log(api: Api, path: str) -> None:
    with capture_logs() as entries:
        await api.client.get(url(path))

    [entry] = [entry for entry in entries if "path" in entry]
    assert entry["path"].endswith("/***")
    assert "s3cret" not in entry["path"]


NOWHERE: dict[tuple[str, str], str] = {
    ("POST", "/v1/v1/videos"): "POST /v1/videos: take /v1 off the base URL",
    ("POST", "/v1/v1/video/generations"): "POST /v1/video/generations: take /v1 off the base URL",
    ("GET", "/v1/v1/videos/task_1"): "GET /v1/videos/{video_id}: take /v1 off the base URL",
    ("POST", "/v1/v1/v1/videos"): "POST /v1/videos: take /v1/v1 off the base URL",
    ("POST", "/api/v1/videos"): "POST /v1/videos: take /api off the base URL",
    ("POST", "/api/v1/video/generations"):
        "POST /v1/video/generations: take /api off the base URL",
    ("POST", "/videos"): "POST /v1/videos: add /v1 to the base URL",
    ("GET", "/models"): "GET /v1/models: add /v1 to the base URL",
    ("GET", "/video/generations/task_1"):
        "GET /v1/video/generations/{task_id}: add /v1 to the base URL",
    ("POST", "/v1/kling/v1/videos/text2video"):
        "POST /kling/v1/videos/text2video: take /v1 off the base URL",
    ("POST", "/kling/kling/v1/videos/text2video"):
        "POST /kling/v1/videos/text2video: take /kling off the base URL",
    ("POST", "/vidu/ent/v2/ent/v2/text2video"):
        "",
    ("POST", "/vidu/ent/v2/vidu/ent/v2/text2video"):
        "POST /vidu/ent/v2/text2video: take /vidu/ent/v2 off the base URL",
    ("POST", "/v1/jimeng"): "POST /jimeng: take /v1 off the base URL",
    ("POST", "/v1/video/generation"): "POST /v1/video/generations",
    ("GET", "/v1/video/generation/task_1"): "GET /v1/video/generations/{task_id}",
    ("POST", "/vidu/ent/v2/text2vide"): "POST /vidu/ent/v2/text2video",
    ("GET", "/nothing"): "",
    ("POST", "/v1/chat/completions"): "",
    ("POST", "/v1/video/" + "a/" * 200): "",
    ("POST", "/v1/video/" + "a" * 5000): "",
}  # fmt: skip


@pytest.mark.parametrize(("method", "path"), NOWHERE)
async def test_what_leads_nowhere_is_told_the_nearest_route(
    api: Api, method: str, path: str
) -> None:
    nearest = NOWHERE[method, path]

    answer = await api.client.request(method, path, json={})

    told = answer.json()
    sentence = (
        f"There is no such route; the nearest is {nearest}."
        if nearest
        else "There is no such route; GET /openapi.json lists them all."
    )
    assert answer.status_code == 404
    assert sentence in answer.text
    if not path.startswith(("/kling", "/vidu", "/jimeng")):
        assert told["error"] == {
            "code": "route_not_found",
            "message": sentence,
            "param": None,
            "type": "not_found_error",
        }


ALIASES = [
    *((f"/v1/videos/{name}", f"/kling/v1/videos/{name}", {"model_name": "kling-v2-6", **body})
      for name, body in {
          "text2video": {"prompt": "a boat"},
          "image2video": {"image": "https://a.test/a.png"},
      }.items()),
    *((f"/ent/v2/{name}", f"/vidu/ent/v2/{name}", {"model": "viduq2", "prompt": "p", **body})
      for name, body in {
          "text2video": {},
          "img2video": {"images": ["https://a.test/a.png"]},
          "start-end2video": {"images": ["https://a.test/a.png"] * 2},
          "reference2video": {},
      }.items()),
]  # fmt: skip


@pytest.mark.parametrize(("path", "meant", "body"), ALIASES)
async def test_a_vendors_paths_answer_at_the_root(
    api: Api, path: str, meant: str, body: dict[str, Any]
) -> None:
    first, second = [await api.client.post(one, json=body) for one in (path, meant)]
    task_id = api.services.reader.add(build_task())
    polled = f"/ent/v2/tasks/{task_id}/creations" if "ent" in path else f"{path}/{task_id}"

    assert (first.status_code, second.status_code) == (200, 200), first.text
    assert first.json().keys() == second.json().keys()
    at_root, below = api.services.task_creator.requests
    assert at_root == below
    assert len(set(api.services.task_creator.dialects)) == 1
    assert (await api.client.get(polled)).status_code == 200
    assert (await api.client.get("/vidu" * ("ent" in path) + polled)).status_code == 200


@pytest.mark.parametrize(("path", "meant", "body"), ALIASES)
async def test_at_the_root_errors_are_the_vendors_too(
    api: Api, path: str, meant: str, body: dict[str, Any]
) -> None:
    for headers, content in (({"Authorization": ""}, body), ({}, [])):
        answers = [
            await api.client.post(one, json=content, headers=headers) for one in (path, meant)
        ]

        assert answers[0].status_code == answers[1].status_code >= 400
        assert answers[0].json().keys() == answers[1].json().keys()


@pytest.mark.parametrize("name", ["text2video", "image2video"])
async def test_a_signed_token_of_klings_works_at_the_root(api: Api, name: str) -> None:
    api.services.directory.access_keys["AK1"] = SecretStr(SECRET)
    signed = jwt.encode({"iss": "AK1", "exp": int(time.time()) + 60}, SECRET, algorithm="HS256")
    body = {"model_name": "kling-v2-6", "prompt": "a boat", "image": "https://a.test/a.png"}

    for path in (f"/v1/videos/{name}", f"//v1/videos/{name}/"):
        answer = await api.client.post(
            url(path), json=body, headers={"Authorization": f"Bearer {signed}"}
        )
        assert (answer.status_code, answer.json()["code"]) == (200, 0)
    elsewhere = await api.client.post(
        "/v1/videos", json=body, headers={"Authorization": f"Bearer {signed}"}
    )
    assert elsewhere.status_code == 401


async def test_videos_of_ours_do_not_clash_with_klings_paths(api: Api) -> None:
    task_id = api.services.reader.add(build_task())

    video = await api.client.get(f"/v1/videos/{task_id}")
    listed = await api.client.get("/v1/videos/text2video")

    assert video.json()["object"] == "video"
    assert listed.json()["code"] == 0
    token = {"Authorization": f"Token {KEY}"}
    assert (await api.client.get("/ent/v2/tasks", headers=token)).status_code == 200
