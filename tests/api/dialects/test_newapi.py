"""The new-api dialect, over made-up services."""

import base64
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.support.api import FIELD_MEANINGS, Api, build_task, open_api, urls_of

from vidgate.api.dialects.newapi import reading
from vidgate.api.dialects.newapi.schemas import (
    EXAMPLE_CANCELLED,
    EXAMPLE_CREATED,
    EXAMPLE_TASK,
    GenerationCreated,
    GenerationRequest,
    Task,
)
from vidgate.api.dialects.newapi.writing import write_created, write_task
from vidgate.api.forms import Form
from vidgate.api.schemas import Estimated
from vidgate.api.writing import encode
from vidgate.exceptions import (
    DatabaseUnavailableError,
    InvalidParameterError,
    ModelNotFoundError,
    NoChannelError,
    PermissionDeniedError,
    UpstreamRefusedError,
)
from vidgate.models.outcomes import VideoResult
from vidgate.models.requests import Image, VideoRequest
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskSnapshot, TaskStatus

PATH = "/v1/video/generations"
EXAMPLES = Path(__file__).parents[2] / "data" / "examples"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(199, 256))
PNG_TEXT = base64.b64encode(PNG).decode()
PNG_IMAGE = Image(content=PNG, media_type="image/png")
GOOD = {"model": "kling-v1", "prompt": "a cat"}

read_request = partial(reading.read_request, meanings=FIELD_MEANINGS)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


def read(**fields: Any) -> VideoRequest:
    return read_request(Form(GOOD | fields)).request


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


# Creating


async def test_a_created_task_is_answered_as_documented(api: Api) -> None:
    response = await api.client.post(PATH, json=GOOD)

    task_id = response.json()["id"]
    assert response.status_code == 200
    assert response.json() == {
        "id": task_id,
        "task_id": task_id,
        "object": "video",
        "model": "kling-v1",
        "status": "processing",
        "progress": 0,
        "created_at": 1763603600,
        "metadata": {"upstream_model": "kling-v2-6", "mode": "pro"},
        "urls": urls_of(task_id, PATH),
        "warnings": [],
    }
    assert "X-Vidgate-Ignored" not in response.headers
    assert "X-Vidgate-Adjusted" not in response.headers
    assert api.services.task_creator.dialects == ["newapi"]
    assert api.budget.used_bytes == 0


@pytest.mark.parametrize("name", ["kling", "jimeng", "vidu"])
async def test_the_documented_requests_are_taken_as_they_stand(api: Api, name: str) -> None:
    content = (EXAMPLES / f"{name}.request.json").read_bytes()

    response = await api.client.post(PATH, content=content)

    asked = example(f"{name}.request")
    has_size = "size" in asked
    assert response.status_code == 200
    assert api.services.task_creator.request == VideoRequest(
        model=asked["model"],
        prompt=asked["prompt"],
        duration_seconds=asked.get("duration"),
        width=1920 if has_size else None,
        height=1080 if has_size else None,
        images=(Image(url=asked["image"]),),
        metadata=asked["metadata"],
    )


async def test_what_was_ignored_and_adjusted_is_named(api: Api) -> None:
    api.services.task_creator.ignored = ("fps", "seed")
    api.services.task_creator.adjusted = ("size=1:1@720p",)

    response = await api.client.post(PATH, json=GOOD | {"response_format": "b64_json"})

    assert response.headers["X-Vidgate-Ignored"] == "fps, seed, response_format"
    assert response.headers["X-Vidgate-Adjusted"] == "size=1:1@720p"


@pytest.mark.parametrize(
    ("headers", "strict"),
    [
        ({}, False),
        ({"Prefer": "handling=strict"}, True),
        ({"Prefer": 'wait=5, Handling = "strict"; foo=1'}, True),
        ({"Prefer": "handling=lenient"}, False),
        ({"Prefer": "handling=stricter"}, False),
    ],
)
async def test_strict_handling_is_asked_for(
    api: Api, headers: dict[str, str], *, strict: bool
) -> None:
    await api.client.post(PATH, json=GOOD, headers=headers)

    assert api.services.task_creator.request.strict is strict


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (json.dumps(GOOD).encode(), {"Content-Type": "application/x-www-form-urlencoded"}),
        (json.dumps(GOOD).encode(), {"Content-Type": "text/plain"}),
        (json.dumps(GOOD).encode(), {}),
        (gzip.compress(json.dumps(GOOD).encode(), mtime=0), {"Content-Encoding": "gzip"}),
        (gzip.compress(b'{"model":"kling-v1",', mtime=0)
         + gzip.compress(b'"prompt":"a cat"}', mtime=0), {"Content-Encoding": "x-gzip"}),
        (b" \n" + json.dumps(GOOD).encode() + b"\n", {"Content-Encoding": "identity"}),
    ],
)  # fmt: skip
async def test_json_is_taken_however_it_is_sent(
    api: Api, content: bytes, headers: dict[str, str]
) -> None:
    response = await api.client.post(f"{PATH}/", content=content, headers=headers)

    assert response.status_code == 200
    assert api.services.task_creator.request == VideoRequest(model="kling-v1", prompt="a cat")


async def test_a_form_is_taken_with_its_files(api: Api) -> None:
    response = await api.client.post(
        PATH,
        data={
            "model": "kling-v1",
            "prompt": "一只猫",
            "duration": "5",
            "fps": "24",
            "seed": "",
            "size": "1280x720",
            "mode": "pro",
            "metadata": '{"mode": "std", "cfg_scale": 0.5}',
            "images[]": "https://a.test/a.png",
        },
        files=[
            ("input_reference", ("a.png", PNG)),
            ("image", ("b.png", PNG + b"b", "image/png")),
            ("images", ("c.png", PNG + b"c")),
            ("images", ("", b"")),
        ],
    )

    assert response.status_code == 200
    assert api.services.task_creator.request == VideoRequest(
        model="kling-v1",
        prompt="一只猫",
        duration_seconds=5,
        fps=24,
        width=1280,
        height=720,
        images=(
            Image(content=PNG + b"b", media_type="image/png"),
            Image(url="https://a.test/a.png"),
            Image(content=PNG + b"c", media_type="image/png"),
            PNG_IMAGE,
        ),
        metadata={"mode": "std", "cfg_scale": 0.5},
    )
    assert api.budget.used_bytes == 0


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (PermissionDeniedError("expired", code="token_expired"), 403, {}),
        (ModelNotFoundError("no such model", param="model"), 404, {}),
        (UpstreamRefusedError("refused"), 502, {"x-should-retry": "false"}),
        (NoChannelError("no channel"), 503, {}),
        (DatabaseUnavailableError("secret"), 503, {"Retry-After": "2"}),
    ],
)
async def test_what_services_refuse_is_told(
    api: Api, error: Exception, status: int, headers: dict[str, str]
) -> None:
    api.services.task_creator.error = error

    response = await api.client.post(PATH, json=GOOD)

    body = response.json()
    assert response.status_code == status
    assert body["error"] == {name: body[name] for name in ("code", "message", "param", "type")}
    assert "secret" not in response.text
    assert headers.items() <= {key: response.headers.get(key) for key in headers}.items()
    assert ("x-should-retry" in response.headers) is (status == 502)
    assert api.budget.used_bytes == 0


async def test_an_unexpected_error_says_nothing_of_itself(api: Api) -> None:
    api.services.task_creator.error = RuntimeError("SELECT secret FROM tasks")

    response = await api.client.post(PATH, json=GOOD)

    assert response.status_code == 500
    assert response.json()["code"] == "internal_error"
    assert "SELECT" not in response.text
    assert response.headers["X-Request-Id"]
    assert api.budget.used_bytes == 0


async def test_a_large_picture_is_decoded_and_its_memory_given_back(api: Api) -> None:
    picture = PNG + bytes(3_000_000)
    content = json.dumps(GOOD | {"image": base64.b64encode(picture).decode()})

    response = await api.client.post(PATH, content=content)

    assert response.status_code == 200
    assert api.services.task_creator.request.images == (
        Image(content=picture, media_type="image/png"),
    )
    assert api.budget.used_bytes == 0


# Reading fields


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(5, 5), (5.0, 5), ("5", 5), ("5.0", 5), (" 5 ", 5), (7.5, 7.5), (None, None)],
    ids=repr,
)
def test_a_duration_is_a_number_or_one_as_text(value: object, seconds: float | None) -> None:
    assert read(duration=value).duration_seconds == seconds
    assert read(seconds=value).duration_seconds == seconds
    assert isinstance(read(duration=value).duration_seconds, type(seconds))


def test_duration_and_seconds_may_agree() -> None:
    assert read(duration=5, seconds="5.0").duration_seconds == 5


@pytest.mark.parametrize(
    "size", ["1920x1080", "1920X1080", "1920*1080", " 1920 x 1080 ", "1920\u00d71080"]
)
def test_a_size_in_pixels(size: str) -> None:
    request = read(size=size)

    assert (request.width, request.height, request.aspect_ratio) == (1920, 1080, None)


@pytest.mark.parametrize(
    ("size", "ratio"), [("16:9", "16:9"), (" 9 : 16 ", "9:16"), ("2.35:1", "2.35:1")]
)
def test_a_size_as_a_shape(size: str, ratio: str) -> None:
    request = read(size=size)

    assert (request.width, request.height, request.aspect_ratio) == (None, None, ratio)


@pytest.mark.parametrize("size", [None, "", "1280x720", "16:9"])
def test_width_and_height_are_a_size(size: str | None) -> None:
    request = read(width=1280, height=720.0, size=size)

    assert (request.width, request.height, request.aspect_ratio) == (1280, 720, None)


@pytest.mark.parametrize(
    ("image", "images", "expected"),
    [
        ("1", ["2"], ["1", "2"]),
        ("1", ["1", "2"], ["1", "2"]),  # clients that know both fields repeat the first
        (None, ["1", "1"], ["1", "1"]),  # a loop ends where it began
        (None, ["1", "2", "1"], ["1", "2", "1"]),
        ("1", ["2", "1"], ["1", "2", "1"]),
    ],
)
def test_images_follow_the_image(image: str | None, images: list[str], expected: list[str]) -> None:
    def url(name: str) -> str:
        return f"https://a.test/{name}.png"

    request = read(image=image and url(image), images=[url(one) for one in images])

    assert [one.url for one in request.images] == [url(one) for one in expected]


def test_shots_of_their_own_need_no_prompt() -> None:
    shots = [{"index": 1, "prompt": "a boat", "duration": "5"}]

    request = read(prompt=None, metadata={"multi_shot": True, "multi_prompt": shots})

    assert request.prompt == ""


@pytest.mark.parametrize(
    "text",
    [
        PNG_TEXT,
        PNG_TEXT.rstrip("="),
        f"data:image/png;base64,{PNG_TEXT}",
        f"DATA:image/jpeg;charset=x;BASE64,{PNG_TEXT}",
        base64.urlsafe_b64encode(PNG).decode(),
        "\n".join(PNG_TEXT[at : at + 20] for at in range(0, len(PNG_TEXT), 20)),
    ],
    ids=["bare", "unpadded", "uri", "loud uri", "url-safe", "lines"],
)
def test_a_picture_inside(text: str) -> None:
    assert read(image=text).images == (PNG_IMAGE,)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(content: bytes, media_type: str) -> None:
    (image,) = read(image=base64.b64encode(content).decode()).images

    assert image == Image(content=content, media_type=media_type)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/a.png", "https://图.test/图.png?a=%2F#x", "HTTPS://A.test:8443/"]
)
def test_a_url_is_passed_on_as_it_is(url: str) -> None:
    assert read(image=url).images == (Image(url=url),)


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "https://a.test/a.png"},
        {"images": ["https://a.test/a.png"]},
        {"metadata": {"prompt": "a cat"}},
        {"metadata": {"image_urls": ["https://a.test/a.png"]}},
        {"metadata": {"subjects": [{"name": "a", "images": [PNG_TEXT * 3]}]}},
        {"metadata": {"video_id": "task_a_0", "audio_id": "7"}},
    ],
)
def test_a_picture_or_a_vendors_prompt_stands_for_the_prompt(fields: dict[str, Any]) -> None:
    assert read(prompt=None, **fields).prompt == ""


def test_other_fields_are_members_of_metadata_which_wins() -> None:
    request = read(
        mode="pro",
        aspect_ratio=None,
        metadata={"mode": "std", "nothing": None, "big": 10**40},
    )

    assert request.metadata == {"mode": "std", "nothing": None, "big": 10**40}


HOOK = "https://hooks.test/a.png"


@pytest.mark.parametrize(
    "fields",
    [
        {"webhook_url": HOOK},
        {"metadata": {"webhook_url": HOOK}},
        {"webhook_url": HOOK, "callback_url": HOOK},
        {"webhook_url": HOOK, "metadata": {"callback_url": ""}},
        {"webhook_url": "", "metadata": {"callback_url": HOOK}},
        {"webhook_url": None, "callback_url": HOOK},
        {"webhook_url": HOOK, "metadata": {"options": {"callback_url": HOOK}}},
    ],
)
def test_webhook_url_is_another_name_of_callback_url(fields: dict[str, Any]) -> None:
    metadata = dict(read(model="kling-v3", prompt="a boat", **fields).metadata)
    metadata.pop("options", None)
    assert metadata == {"callback_url": HOOK}


def test_a_webhook_is_no_picture_that_stands_for_the_prompt() -> None:
    with pytest.raises(InvalidParameterError, match="prompt is required"):
        read(model="kling-v3", prompt="", webhook_url=HOOK)


@pytest.mark.parametrize("place", ["callback_url", "options"])
def test_two_webhooks_that_differ_are_refused(place: str) -> None:
    other = "https://hooks.test/b"
    given = {place: {"callback_url": other} if place == "options" else other}
    with pytest.raises(InvalidParameterError, match="differ") as caught:
        read(model="kling-v3", prompt="a boat", webhook_url=HOOK, metadata=given)
    assert caught.value.param == "metadata.webhook_url"


def test_null_is_absent() -> None:
    names = ("duration", "fps", "width", "height", "size", "image", "images", "metadata")
    more = ("n", "response_format", "seed", "user", "seconds", "mode")

    assert read(**dict.fromkeys((*names, *more))) == read()


@pytest.mark.parametrize("value", ["", "url", "mp4"])
def test_the_formats_that_there_are_mean_the_same(value: str) -> None:
    assert read_request(Form(GOOD | {"response_format": value, "n": 1})).ignored == ()


def test_seed_and_user_are_kept() -> None:
    request = read(seed=-1, user="u-1", fps=24)

    assert (request.seed, request.user, request.fps) == (-1, "u-1", 24)


# Writing tasks

_FINISHED = datetime(2025, 11, 20, 1, 55, tzinfo=UTC)
_RESULT = VideoResult(
    url="https://videos.test/v.mp4?a=%2F",
    cover_url="https://videos.test/v.png",
    expires_at=datetime(2025, 12, 20, tzinfo=UTC),
    duration_seconds=5.0,
    fps=29.97,
    width=512,
    height=512,
    cost="3",
    upstream_id="upstream-1",
)


def finished(**changes: Any) -> TaskSnapshot:
    members: dict[str, Any] = {
        "id": UUID(int=7),
        "status": TaskStatus.SUCCEEDED,
        "progress": 100,
        "seed": 20231234,
        "started_at": datetime(2025, 11, 20, 1, 53, 30, tzinfo=UTC),
        "finished_at": _FINISHED,
        "details": {"mode": "pro", "action": "image2video"},
        "outputs": (OutputSnapshot(status=TaskStatus.SUCCEEDED, result=_RESULT),),
    }
    return build_task(**(members | changes))


async def test_a_finished_task_is_answered_flat_and_in_the_envelope(api: Api) -> None:
    task_id = api.services.reader.add(finished())

    response = await api.client.get(f"{PATH}/{task_id}")

    assert response.status_code == 200
    assert "Retry-After" not in response.headers
    assert "openai-poll-after-ms" not in response.headers
    assert response.json() == {
        "id": task_id,
        "task_id": task_id,
        "status": "succeeded",
        "url": _RESULT.url,
        "format": "mp4",
        "metadata": {
            "duration": 5,
            "fps": 29.97,
            "height": 512,
            "width": 512,
            "seed": 20231234,
            "upstream_model": "kling-v2-6",
            "mode": "pro",
            "action": "image2video",
        },
        "error": None,
        "progress": 100,
        "model": "kling-v1",
        "created_at": 1763603600,
        "completed_at": 1763603700,
        "expires_at": 1766188800,
        "urls": urls_of(task_id, PATH),
        "warnings": [],
        "code": "success",
        "message": "",
        "data": {
            "task_id": task_id,
            "action": "generate",
            "status": "SUCCESS",
            "fail_reason": "",
            "result_url": _RESULT.url,
            "url": _RESULT.url,
            "submit_time": 1763603600,
            "start_time": 1763603610,
            "finish_time": 1763603700,
            "progress": "100%",
            "videos": [
                {
                    "status": "succeeded",
                    "url": _RESULT.url,
                    "cover_url": _RESULT.cover_url,
                    "watermarked_url": None,
                    "duration": 5,
                    "fps": 29.97,
                    "height": 512,
                    "width": 512,
                    "seed": 20231234,
                    "expires_at": 1766188800,
                    "error": None,
                }
            ],
            "data": {"code": 0, "data": {"task_id": task_id}},
        },
    }


def test_of_several_videos_none_has_the_seed_asked_for() -> None:
    output = OutputSnapshot(status=TaskStatus.SUCCEEDED, result=_RESULT)
    other = replace(output, result=replace(_RESULT, seed=8))
    task = finished(outputs=(output, other))

    videos = write_task(task, lambda _: {})["data"]["videos"]

    assert [video["seed"] for video in videos] == [None, 8]


def test_the_documented_answer_has_nothing_that_ours_lacks() -> None:
    documented = example("task.response")
    answer = write_task(finished(), None)

    assert documented.keys() <= answer.keys()
    assert documented["metadata"].keys() <= answer["metadata"].keys()
    for name, value in documented.items():
        assert isinstance(answer[name], type(value))


async def test_an_unfinished_task_says_when_to_ask_again(api: Api) -> None:
    task = build_task(status=TaskStatus.IN_PROGRESS, progress=30)
    task_id = api.services.reader.add(task)

    response = await api.client.get(f"{PATH}/{task_id}/")

    body = response.json()
    assert response.headers["Retry-After"] == "2"
    assert response.headers["openai-poll-after-ms"] == "2000"
    assert (body["status"], body["progress"], body["url"]) == ("processing", 30, None)
    assert body["metadata"] == {
        "upstream_model": "kling-v2-6",
        "mode": "pro",
        **dict.fromkeys(("duration", "fps", "height", "width", "seed")),
    }
    assert (body["data"]["status"], body["data"]["progress"]) == ("IN_PROGRESS", "30%")
    assert (body["data"]["start_time"], body["data"]["finish_time"]) == (0, 0)
    assert body["data"]["videos"] == []


@pytest.mark.parametrize(
    ("status", "error", "code", "message"),
    [
        (TaskStatus.FAILED, TaskError("too_slow", "Too slow."), "too_slow", "Too slow."),
        (TaskStatus.FAILED, None, "task_failed", "The task failed."),
        (TaskStatus.CANCELLED, None, "cancelled", "The task was cancelled."),
        (TaskStatus.CANCELLED, TaskError("other", "By you."), "cancelled", "By you."),
    ],
)  # fmt: skip
def test_a_task_without_a_video(
    status: TaskStatus, error: TaskError | None, code: str, message: str
) -> None:
    outputs = (OutputSnapshot(status=status, error=error),)
    task = finished(status=status, error=error, outputs=outputs)

    answer = write_task(task, lambda _: {"code": 0})

    assert answer["status"] == "failed"
    assert answer["error"] == {"code": code, "message": message}
    assert answer["url"] is None
    assert answer["data"]["status"] == "FAILURE"
    assert answer["data"]["fail_reason"] == message
    assert answer["data"]["videos"][0]["url"] is None


def test_queued_reads_processing() -> None:
    assert write_task(build_task(), None)["status"] == "processing"
    assert write_task(build_task(), lambda _: {})["data"]["status"] == "QUEUED"


def test_a_seed_that_is_reported_is_told_rather_than_the_one_asked_for() -> None:
    outputs = (OutputSnapshot(status=TaskStatus.SUCCEEDED, result=replace(_RESULT, seed=0)),)

    assert write_task(finished(outputs=outputs), None)["metadata"]["seed"] == 0


async def test_the_envelope_can_be_left_out() -> None:
    async with open_api(envelope=False) as api:
        task_id = api.services.reader.add(finished())

        body = (await api.client.get(f"{PATH}/{task_id}")).json()

    assert body["status"] == "succeeded"
    assert not {"code", "message"} & body.keys()
    assert [*body["data"]] == ["videos"]
    assert body["data"]["videos"][0]["url"] == body["url"]


def test_operators_business_is_not_told() -> None:
    text = encode(write_task(finished(), lambda _: {})).decode()

    assert "upstream-1" not in text
    assert "cost" not in text


def test_an_integer_of_any_size_can_be_written() -> None:
    assert json.loads(encode({"a": 10**40})) == {"a": 10**40}


async def test_an_answer_is_encoded_once(api: Api) -> None:
    task_id = api.services.reader.add(finished())
    first = await api.client.get(f"{PATH}/{task_id}")
    view = api.services.reader.views[task_id]
    view.snapshot = replace(view.snapshot, model="another")

    second = await api.client.get(f"{PATH}/{task_id}")

    assert first.content == second.content == b"http://gateway.test".join(view.encodings["newapi"])
    assert api.services.reader.reads == 0


async def test_anothers_task_is_not_found(api: Api) -> None:
    task_id = api.services.reader.add(build_task(account_id=UUID(int=9)))

    response = await api.client.get(f"{PATH}/{task_id}")

    assert response.status_code == 404
    assert response.json()["message"] == f"There is no task {task_id!r}."


async def test_a_database_that_is_away_is_told_to_whoever_asks(api: Api) -> None:
    api.services.reader.error = DatabaseUnavailableError("host db-1 is away")

    response = await api.client.get(f"{PATH}/task_1")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert response.json()["code"] == "storage_unavailable"
    assert "db-1" not in response.text


async def test_head_is_get_without_its_body(api: Api) -> None:
    task_id = api.services.reader.add(build_task())

    response = await api.client.head(f"{PATH}/{task_id}")

    assert response.status_code == 200
    assert response.content == b""
    assert int(response.headers["Content-Length"]) > 0
    assert response.headers["Retry-After"] == "2"


# Documentation


@pytest.mark.parametrize("name", ["kling", "jimeng", "vidu"])
def test_the_documented_requests_are_the_documentations_examples(name: str) -> None:
    assert example(f"{name}.request") in GenerationRequest.model_json_schema()["examples"]


def test_what_is_documented_describes_what_is_answered() -> None:
    answer = write_task(finished(), lambda _: {"code": 0})

    GenerationCreated.model_validate(write_created(build_task()))
    GenerationCreated.model_validate(EXAMPLE_CREATED)
    Task.model_validate(EXAMPLE_TASK)
    Task.model_validate(EXAMPLE_CANCELLED)
    Task.model_validate(answer)
    of_all = Task.model_fields.keys() - Estimated.model_fields.keys()
    assert answer.keys() == of_all == EXAMPLE_TASK.keys()
    assert answer["data"].keys() == EXAMPLE_TASK["data"].keys()


def test_the_documented_fields_are_those_that_are_read() -> None:
    documented = dict.fromkeys(GenerationRequest.model_fields) | GOOD

    assert read_request(Form(documented)).request.metadata == {}
