"""The OpenAI dialect's routes and objects, over made-up services."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from openai.types import Video as SdkVideo
from tests.support.api import Api, build_task, open_api, urls_of

from vidgate.api.dialects.openai.errors import write_error
from vidgate.api.dialects.openai.schemas import (
    EXAMPLE_CREATED,
    EXAMPLE_DELETED,
    EXAMPLE_LIST,
    EXAMPLE_VIDEO,
    DeletedVideo,
    Video,
    VideoCreateRequest,
    VideoEditRequest,
    VideoExtensionRequest,
    VideoList,
    VideoRemixRequest,
)
from vidgate.api.dialects.openai.writing import write_video
from vidgate.api.schemas import Estimated
from vidgate.api.writing import encode, write_list
from vidgate.exceptions import (
    ConflictError,
    ContentPolicyError,
    DatabaseUnavailableError,
    ModelNotFoundError,
    NoChannelError,
    PermissionDeniedError,
    RequestError,
    TaskNotFoundError,
    UpstreamRefusedError,
)
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import (
    FollowUp,
    OutputSnapshot,
    TaskCost,
    TaskError,
    TaskPage,
    TaskQuery,
    TaskSnapshot,
    TaskStatus,
)
from vidgate.services.views.content_links import BASE

PATH = "/v1/videos"
GOOD = {"model": "kling-v1", "prompt": "a cat", "seconds": "5", "size": "1280x720"}
CREATED = 1763603600
NOBODY = UUID(int=9)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


# Objects


RESULT = VideoResult(
    url="https://videos.test/1.mp4",
    expires_at=datetime(2025, 12, 20, tzinfo=UTC),
    duration_seconds=5.0,
    fps=24.0,
    width=1284,
    height=716,
    seed=11,
    cost="2",
    upstream_id="upstream-1",
)


def task(status: TaskStatus = TaskStatus.QUEUED, **changes: Any) -> TaskSnapshot:
    """A task of this dialect in one of its states."""
    members: dict[str, Any] = {
        "id": UUID(int=1 << 120),
        "status": status,
        "dialect": "openai",
        "echo": {"seconds": "5", "size": "1280x720"},
        "asked": {"prompt": "a cat", "duration_seconds": 5, "width": 1280, "height": 720},
        "facts": {"model": "kling-v2-6", "duration_seconds": 5, "resolution": "720p"},
        "outputs": (OutputSnapshot(status=status),),
    }
    if status is TaskStatus.SUCCEEDED:
        members["outputs"] = (OutputSnapshot(status=status, result=RESULT),)
    if status is not TaskStatus.QUEUED:
        members["started_at"] = datetime(2025, 11, 20, 1, 54, tzinfo=UTC)
    if status.is_final:
        members["finished_at"] = datetime(2025, 11, 20, 1, 55, tzinfo=UTC)
    return build_task(**(members | changes))


NO_FACTS = {"duration": None, "fps": None, "height": None, "width": None, "seed": None}
GOLDEN = {
    "id": "task_01000000000000000000000000",
    "object": "video",
    "model": "kling-v1",
    "status": "queued",
    "progress": 0,
    "created_at": CREATED,
    "completed_at": None,
    "expires_at": None,
    "prompt": "a cat",
    "seconds": "5",
    "size": "1280x720",
    "remixed_from_video_id": None,
    "error": None,
    "url": None,
    "metadata": {"upstream_model": "kling-v2-6", "mode": "pro", **NO_FACTS},
    "warnings": [],
}


@pytest.mark.parametrize(
    ("snapshot", "changes"),
    [
        (task(), {}),
        (task(TaskStatus.IN_PROGRESS, progress=30, seed=7),
         {"status": "in_progress", "progress": 30,
          "metadata": {"upstream_model": "kling-v2-6", "mode": "pro", **NO_FACTS, "seed": 7}}),
        (task(TaskStatus.SUCCEEDED, progress=100, seed=7),
         {"status": "completed", "progress": 100, "completed_at": 1763603700,
          "expires_at": 1766188800, "url": "https://videos.test/1.mp4",
          "metadata": {"upstream_model": "kling-v2-6", "mode": "pro", "duration": 5, "fps": 24,
                       "height": 716, "width": 1284, "seed": 11}}),
        (task(TaskStatus.FAILED, error=TaskError("content_policy_violation", "Not that.")),
         {"status": "failed", "completed_at": 1763603700,
          "error": {"code": "content_policy_violation", "message": "Not that."}}),
        (task(TaskStatus.FAILED),
         {"status": "failed", "completed_at": 1763603700,
          "error": {"code": "task_failed", "message": "The task failed."}}),
        (task(TaskStatus.CANCELLED),
         {"status": "failed", "completed_at": 1763603700,
          "error": {"code": "cancelled", "message": "The task was cancelled."}}),
        (task(echo={"remixed_from_video_id": "task_2"}, asked={}),
         {"remixed_from_video_id": "task_2", "prompt": None, "size": "720p"}),
    ],
    ids=["queued", "in progress", "succeeded", "failed", "failed without a word", "cancelled",
         "remix"],
)  # fmt: skip
def test_a_video_in_every_state(snapshot: TaskSnapshot, changes: dict[str, Any]) -> None:
    video = write_video(snapshot)

    urls = urls_of(snapshot.public_id, base=BASE)
    assert video == GOLDEN | {"urls": urls} | changes
    Video.model_validate(video)
    # It lists the sizes of its own models, and takes others at run time.
    SdkVideo.model_validate(video | {"size": "1280x720"}, strict=True)


@pytest.mark.parametrize(
    ("asked", "facts", "result", "seconds"),
    [
        ({"duration_seconds": 8}, {"duration_seconds": 5}, RESULT, "8"),
        ({"duration_seconds": 7.5}, {}, None, "7.5"),
        ({}, {"duration_seconds": 10.0}, RESULT, "10"),
        ({}, {}, RESULT, "5"),
        ({}, {}, replace(RESULT, duration_seconds=5.04), "5"),
        ({}, {}, replace(RESULT, duration_seconds=7.96), "8"),
        ({}, {}, replace(RESULT, duration_seconds=0.4), "1"),
        ({}, {"duration_seconds": 5.04}, None, "5"),
        ({}, {}, replace(RESULT, duration_seconds=None), "auto"),
        ({}, {}, None, "auto"),
    ],
)
def test_the_length_of_anothers_task(
    asked: dict[str, Any], facts: dict[str, Any], result: VideoResult | None, seconds: str
) -> None:
    outputs = (OutputSnapshot(status=TaskStatus.IN_PROGRESS, result=result),)
    snapshot = task(
        dialect="kling", echo={"seconds": "99"}, asked=asked, facts=facts, outputs=outputs
    )

    assert write_video(snapshot)["seconds"] == seconds


@pytest.mark.parametrize(
    ("asked", "facts", "result", "size"),
    [
        ({"width": 640, "height": 480}, {"resolution": "720p"}, RESULT, "640x480"),
        ({"aspect_ratio": "16:9"}, {"resolution": "720p"}, RESULT, "16:9"),
        ({}, {"resolution": "720p"}, RESULT, "1284x716"),
        ({}, {"resolution": "720p"}, replace(RESULT, width=None), "720p"),
        ({}, {"resolution": "720p"}, None, "720p"),
        ({}, {}, None, "auto"),
    ],
)
def test_the_size_of_anothers_task(
    asked: dict[str, Any], facts: dict[str, Any], result: VideoResult | None, size: str
) -> None:
    outputs = (OutputSnapshot(status=TaskStatus.IN_PROGRESS, result=result),)
    snapshot = task(
        dialect="newapi", echo={"size": "mine"}, asked=asked, facts=facts, outputs=outputs
    )

    assert write_video(snapshot)["size"] == size


def test_operators_business_is_not_told() -> None:
    text = json.dumps(write_video(task(TaskStatus.SUCCEEDED)))

    assert "upstream-1" not in text
    assert "cost" not in text


# Creating


async def test_a_created_video_is_answered_as_sdks_type_it(api: Api) -> None:
    api.services.task_creator.ignored = ("seed",)
    api.services.task_creator.adjusted = ("size=16:9@720p",)

    response = await api.client.post(PATH, json=GOOD | {"response_format": "gif"})

    video = response.json()
    assert response.status_code == 200
    told = [(warning["code"], warning["param"]) for warning in video["warnings"]]
    assert told == [("ignored", "seed"), ("ignored", "response_format"), ("adjusted", "size")]
    assert video.pop("urls") == urls_of(video["id"])
    assert video | {"warnings": []} == GOLDEN | {"id": video["id"], "prompt": None}
    assert response.headers["X-Vidgate-Ignored"] == "seed, response_format"
    assert response.headers["X-Vidgate-Adjusted"] == "size=16:9@720p"
    assert response.headers["Retry-After"] == "2"
    assert response.headers["openai-poll-after-ms"] == "2000"
    assert api.services.task_creator.dialects == ["openai"]
    assert api.services.task_creator.echoes == [{"seconds": "5", "size": "1280x720"}]
    assert api.budget.used_bytes == 0


async def test_strict_handling_is_asked_for(api: Api) -> None:
    headers = {"Prefer": "handling=strict"}

    await api.client.post(PATH, json=GOOD)
    await api.client.post(PATH, json=GOOD, headers=headers)
    await api.client.post(f"{PATH}/task_1/remix", json={"prompt": "p"}, headers=headers)
    for name in ("edits", "extensions"):
        body = {"prompt": "p", "video": {"id": "task_1"}}
        await api.client.post(f"{PATH}/{name}", json=body, headers=headers)
    refused = await api.client.post(PATH, json=GOOD | {"response_format": "gif"}, headers=headers)

    stricts = [request.strict for request in api.services.task_creator.requests]
    assert stricts == [False, True, True, True, True]
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "response_format"


async def test_a_form_with_a_file_is_taken(api: Api) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(64)

    response = await api.client.post(
        PATH, data=GOOD | {"metadata[mode]": "std"}, files={"input_reference": ("a.png", png)}
    )

    assert response.status_code == 200
    request = api.services.task_creator.request
    assert [image.content for image in request.images] == [png]
    assert request.metadata == {"mode": "std"}
    assert api.budget.used_bytes == 0


# Going on


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        (f"{PATH}/task_1/remix", FollowUp.REMIX, {}),
        (f"{PATH}/edits", FollowUp.EDIT, {"video": {"id": "task_1"}}),
        (f"{PATH}/extensions", FollowUp.EXTEND, {"video": {"id": "task_1"}}),
    ],
)
async def test_a_video_is_gone_on_from(
    api: Api, path: str, kind: FollowUp, body: dict[str, Any]
) -> None:
    api.services.task_creator.adjusted = ("duration=5",)

    response = await api.client.post(path, json=body | {"prompt": "snow", "seconds": 4})

    video = response.json()
    assert response.status_code == 200
    assert (video["remixed_from_video_id"], video["seconds"]) == ("task_1", "4")
    assert response.headers["X-Vidgate-Adjusted"] == "duration=5"
    assert response.headers["openai-poll-after-ms"] == "2000"
    ((asked, source, request),) = api.services.task_creator.follow_ups
    assert (asked, source) == (kind, "task_1")
    assert (request.model, request.prompt, request.duration_seconds) == ("", "snow", 4)
    assert api.services.task_creator.dialects == ["openai"]


WIDE = VideoResult(url="https://v.test/1.mp4", duration_seconds=5.04, width=1280, height=720)
BARE = VideoResult(url="https://v.test/1.mp4")


@pytest.mark.parametrize("path", [f"{PATH}/{{}}/remix", f"{PATH}/edits"])
@pytest.mark.parametrize(
    ("source", "asked", "told"),
    [
        ({"result": WIDE, "echo": {"seconds": "4", "size": "720p"}}, {}, ("4", "1280x720")),
        ({"result": WIDE, "facts": {"duration_seconds": 5}}, {}, ("5", "1280x720")),
        ({"result": WIDE}, {}, ("5", "1280x720")),
        ({"result": BARE, "echo": {"seconds": "8", "size": "720x1280"}}, {}, ("8", "720x1280")),
        ({"result": WIDE}, {"seconds": 10, "size": "720x1280"}, ("10", "720x1280")),
        ({"result": WIDE}, {"size": "1080p"}, ("5", "1080p")),
    ],
)
async def test_a_video_made_anew_has_the_measures_of_its_source(
    api: Api,
    path: str,
    source: dict[str, Any],
    asked: dict[str, Any],
    told: tuple[str, str],
) -> None:
    members = {"dialect": "openai", **source}
    output = OutputSnapshot(status=TaskStatus.SUCCEEDED, result=members.pop("result"))
    task_id = api.services.reader.add(
        build_task(status=TaskStatus.SUCCEEDED, outputs=(output,), **members)
    )
    named = {"video": {"id": task_id}} if path.endswith("edits") else {}

    response = await api.client.post(path.format(task_id), json=named | {"prompt": "snow"} | asked)

    video = response.json()
    assert (video["seconds"], video["size"]) == told
    request = api.services.task_creator.request  # what runs is the provider's to say
    assert request.duration_seconds == asked.get("seconds")


async def test_what_comes_after_a_video_has_measures_of_its_own(api: Api) -> None:
    output = OutputSnapshot(status=TaskStatus.SUCCEEDED, result=WIDE)
    task_id = api.services.reader.add(
        build_task(status=TaskStatus.SUCCEEDED, outputs=(output,), facts={"duration_seconds": 5})
    )

    response = await api.client.post(
        f"{PATH}/extensions", json={"video": {"id": task_id}, "prompt": "snow"}
    )

    assert response.json()["seconds"] == "auto"


@pytest.mark.parametrize("name", ["edits", "extensions"])
async def test_a_videos_file_is_not_taken(api: Api, name: str) -> None:
    files = {"video": ("a.mp4", b"mp4")}

    response = await api.client.post(f"{PATH}/{name}", data={"prompt": "p"}, files=files)

    assert response.status_code == 400
    assert response.json()["error"] == {
        "message": (
            "Videos cannot be uploaded here: send the id of one that was made here, as video[id], "
            'or with an OpenAI library as extra_body={"video": {"id": "..."}}.'
        ),
        "type": "invalid_request_error",
        "param": "video",
        "code": "invalid_parameter",
    }
    assert api.services.task_creator.follow_ups == []


async def test_another_file_is_named(api: Api) -> None:
    files = {"sound": ("a.mp3", b"mp3")}

    response = await api.client.post(f"{PATH}/edits", data={"prompt": "p"}, files=files)

    assert response.json()["error"]["message"] == "sound cannot be a file."


async def test_characters_are_not_offered(api: Api) -> None:
    files = {"video": ("a.mp4", bytes(1000))}

    made = await api.client.post(f"{PATH}/characters", data={"name": "n"}, files=files)
    read = await api.client.get(f"{PATH}/characters/char_1")

    assert (made.status_code, read.status_code) == (400, 404)
    assert made.json()["error"]["code"] == read.json()["error"]["code"] == "characters_not_offered"
    assert "input_reference" in made.json()["error"]["message"]


# Reading


async def test_an_unfinished_video_says_when_to_ask_again(api: Api) -> None:
    video_id = api.services.reader.add(task())

    response = await api.client.get(f"{PATH}/{video_id}")

    assert response.json() == GOLDEN | {"urls": urls_of(video_id)}
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Retry-After"] == "2"
    assert response.headers["openai-poll-after-ms"] == "2000"


async def test_a_finished_video_needs_no_asking_again(api: Api) -> None:
    video_id = api.services.reader.add(task(TaskStatus.SUCCEEDED))

    response = await api.client.get(f"{PATH}/{video_id}/")

    assert response.json()["status"] == "completed"
    assert "Retry-After" not in response.headers
    assert "openai-poll-after-ms" not in response.headers


async def test_an_answer_is_encoded_once_and_not_taken_for_anothers(api: Api) -> None:
    video_id = api.services.reader.add(task(TaskStatus.SUCCEEDED))
    view = api.services.reader.views[video_id]
    view.keep("newapi", b"another's")

    first = await api.client.get(f"{PATH}/{video_id}")
    view.snapshot = replace(view.snapshot, model="another")
    second = await api.client.get(f"{PATH}/{video_id}")

    assert first.content == second.content == b"http://gateway.test".join(view.encodings["openai"])
    assert api.services.reader.reads == 0


async def test_a_videos_id_is_read_in_every_dialect(api: Api) -> None:
    video_id = api.services.reader.add(build_task(asked={"prompt": "p"}))

    response = await api.client.get(f"{PATH}/{video_id}")

    assert (response.json()["seconds"], response.json()["size"]) == ("auto", "auto")


# Listing


async def test_the_list_goes_on_behind_its_last(api: Api) -> None:
    names = sorted(
        api.services.reader.add(task(id=UUID(int=number << 100))) for number in range(1, 6)
    )
    api.services.reader.add(task(id=UUID(int=77), account_id=NOBODY))

    async def read(**query: Any) -> tuple[list[str], Any]:
        answer = (await api.client.get(PATH, params=query)).json()
        seen = [video["id"] for video in answer["data"]]
        assert answer["object"] == "list"
        assert (answer["first_id"], answer["last_id"]) == (
            (seen[0], seen[-1]) if seen else (None, None)
        )
        return seen, answer["has_more"]

    assert await read() == (names[::-1], False)
    assert await read(limit=2) == ([names[4], names[3]], True)
    assert await read(limit=2, after=names[3]) == ([names[2], names[1]], True)
    assert await read(limit=2, after=names[1]) == ([names[0]], False)
    assert await read(order="asc", after=names[0], limit=4) == (names[1:], False)
    assert await read(after=names[0]) == ([], False)
    assert api.services.reader.queries[2] == TaskQuery(after=names[3], limit=2)


async def test_a_list_shows_what_a_get_shows() -> None:
    done = task(TaskStatus.SUCCEEDED)

    answer = json.loads(encode(write_list(TaskPage(tasks=(done,), has_more=False), write_video)))

    assert answer["data"] == [write_video(done)]
    VideoList.model_validate(answer)


async def test_an_impossible_list_is_refused(api: Api) -> None:
    response = await api.client.get(PATH, params={"limit": 101})

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "limit"
    assert api.services.reader.queries == []


# Removing


async def test_a_removed_video_is_gone(api: Api) -> None:
    video_id = api.services.reader.add(task(TaskStatus.FAILED))

    response = await api.client.delete(f"{PATH}/{video_id}")
    again = await api.client.delete(f"{PATH}/{video_id}")

    assert response.status_code == 200
    assert response.json() == {"id": video_id, "object": "video.deleted", "deleted": True}
    assert again.status_code == 404
    assert again.json()["error"]["code"] == "task_not_found"


async def test_only_a_finished_video_of_ones_own_can_be_removed(api: Api) -> None:
    running = api.services.reader.add(task(TaskStatus.IN_PROGRESS))
    foreign = api.services.reader.add(task(TaskStatus.FAILED, id=UUID(int=5), account_id=NOBODY))

    assert (await api.client.delete(f"{PATH}/{running}")).status_code == 409
    assert (await api.client.delete(f"{PATH}/{foreign}")).status_code == 404
    assert api.services.reader.views.keys() == {running, foreign}


# Errors


class QuotaError(RequestError):
    status = 403
    type = "insufficient_quota"
    default_code = "quota_exhausted"


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (QuotaError("spent"), 429, "insufficient_quota", "insufficient_quota"),
        (PermissionDeniedError("no", code="token_expired"), 403, "permission_error",
         "token_expired"),
        (ModelNotFoundError("no such"), 404, "not_found_error", "model_not_found"),
        (TaskNotFoundError("no such"), 404, "not_found_error", "task_not_found"),
        (ConflictError("not now"), 409, "invalid_request_error", "conflict"),
        (ContentPolicyError("not that"), 400, "invalid_request_error",
         "content_policy_violation"),
        (UpstreamRefusedError("refused"), 502, "upstream_error", "upstream_refused"),
        (NoChannelError("none"), 503, "server_error", "no_channel"),
        (DatabaseUnavailableError("secret"), 503, "server_error", "storage_unavailable"),
        (RuntimeError("secret"), 500, "server_error", "internal_error"),
    ],
)  # fmt: skip
async def test_what_services_refuse_is_told_as_sdks_read_it(
    api: Api, error: Exception, status: int, kind: str, code: str
) -> None:
    api.services.task_creator.error = api.services.reader.error = error

    answers = [
        await api.client.post(PATH, json=GOOD),
        await api.client.post(f"{PATH}/task_1/remix", json={"prompt": "p"}),
        await api.client.get(f"{PATH}/task_1"),
        await api.client.get(PATH),
        await api.client.delete(f"{PATH}/task_1"),
    ]

    for answer in answers:
        body = answer.json()
        assert answer.status_code == status
        assert body.keys() == {"error"}
        assert body["error"].keys() == {"message", "type", "param", "code"}
        assert (body["error"]["type"], body["error"]["code"]) == (kind, code)
        assert "secret" not in answer.text
    assert api.budget.used_bytes == 0


def test_the_field_is_told() -> None:
    status, body = write_error(ModelNotFoundError("no such model", param="model"))

    assert status == 404
    assert body["error"]["param"] == "model"
    assert body["error"]["message"] == "no such model"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", PATH, 405),
        ("PATCH", f"{PATH}/task_1", 405),
        ("GET", f"{PATH}/task_1/remix", 405),
        ("GET", f"{PATH}/task_1/nothing", 404),
        ("POST", f"{PATH}/task_1/nothing", 404),
    ],
)
async def test_unknown_routes_answer_in_this_shape_too(
    api: Api, method: str, path: str, status: int
) -> None:
    response = await api.client.request(method, path)

    assert response.status_code == status
    assert response.json()["error"]["type"]
    assert response.json().keys() == {"error"}


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"model": NaN}'])
async def test_a_body_that_is_no_object_is_refused(api: Api, content: bytes) -> None:
    for path in (PATH, f"{PATH}/task_1/remix", f"{PATH}/edits", f"{PATH}/extensions"):
        response = await api.client.post(path, content=content)

        assert response.status_code == 400
        assert response.json()["error"]["code"] == "invalid_json"


async def test_a_token_is_needed_everywhere(api: Api) -> None:
    for method, path in (
        ("POST", PATH), ("GET", PATH), ("GET", f"{PATH}/x"), ("DELETE", f"{PATH}/x"),
        ("POST", f"{PATH}/x/remix"), ("POST", f"{PATH}/edits"), ("POST", f"{PATH}/extensions"),
        ("POST", f"{PATH}/characters"), ("GET", f"{PATH}/characters/x"),
    ):  # fmt: skip
        response = await api.client.request(method, path, headers={"Authorization": ""})
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"


# Documentation


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith(PATH) and not path.endswith("/content")
    }


async def test_every_route_is_documented(api: Api) -> None:
    document = (await api.client.get("/openapi.json")).json()

    found = operations(document)

    refusals = {"400", "401", "403", "404", "405", "409", "413", "422", "429"}
    create = {"200", *refusals, "500", "502", "503"}
    read = {"200", "304", "400", "401", "403", "404", "405", "429", "500", "503"}
    assert {name: set(operation["responses"]) for name, operation in found.items()} == {
        f"post {PATH}": create,
        f"get {PATH}": read - {"304"},
        f"get {PATH}/{{video_id}}": read,
        f"delete {PATH}/{{video_id}}": {"200", "401", "403", "404", "405", "409", "500", "503"},
        f"post {PATH}/{{video_id}}/remix": create,
        f"post {PATH}/edits": create,
        f"post {PATH}/extensions": create,
        f"post {PATH}/characters": {"400", "401", "403", "405", "500", "503"},
        f"get {PATH}/characters/{{character_id}}": {
            *("401", "403", "404", "405", "429", "500", "503")
        },
    }
    for operation in found.values():
        assert operation["summary"]
        assert operation["description"]
        assert operation["security"] == [{"HTTPBearer": []}]


async def test_every_answer_and_body_is_documented_with_an_example(api: Api) -> None:
    document = (await api.client.get("/openapi.json")).json()

    for name, operation in operations(document).items():
        for status, answer in operation["responses"].items():
            if status == "304":
                continue
            content = answer["content"]["application/json"]
            is_error = content["schema"]["$ref"].endswith("/OpenAIError")
            assert is_error is (status != "200"), (name, status)
            assert (content["example"].keys() == {"error"}) is is_error
        if "requestBody" in operation:
            bodies = operation["requestBody"]["content"]
            assert bodies.keys() == {"application/json", "multipart/form-data"}
            assert bodies["application/json"]["examples"]


@pytest.mark.parametrize(
    "model", [VideoCreateRequest, VideoRemixRequest, VideoEditRequest, VideoExtensionRequest]
)
async def test_documented_requests_are_taken(api: Api, model: Any) -> None:
    path = {
        VideoCreateRequest: PATH,
        VideoRemixRequest: f"{PATH}/task_1/remix",
        VideoEditRequest: f"{PATH}/edits",
        VideoExtensionRequest: f"{PATH}/extensions",
    }[model]
    for example in model.model_json_schema()["examples"]:
        response = await api.client.post(path, json=example)
        assert response.status_code == 200, response.text


def test_what_is_documented_describes_what_is_answered() -> None:
    video = write_video(task(TaskStatus.SUCCEEDED))

    for example in (EXAMPLE_CREATED, EXAMPLE_VIDEO):
        assert Video.model_validate(example).model_fields_set == video.keys()
        assert example["metadata"].keys() == video["metadata"].keys()
    priced = write_video(task(TaskStatus.SUCCEEDED, cost=TaskCost("USD", 420_000, 336_000)))
    assert priced["usage"] == {"cost": 0.336}
    assert priced.keys() == Video.model_fields.keys() - Estimated.model_fields.keys()
    VideoList.model_validate(EXAMPLE_LIST)
    DeletedVideo.model_validate(EXAMPLE_DELETED)
    assert SdkVideo.model_fields.keys() <= video.keys()


async def test_answers_can_be_read_ahead(api: Api) -> None:
    video_id = api.services.reader.add(task())

    response: httpx.Response = await api.client.head(f"{PATH}/{video_id}")

    assert (response.status_code, response.content) == (200, b"")
