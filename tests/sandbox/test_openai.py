"""The compatible server: credentials, the life of a job, what it refuses, its content."""

import base64
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest
from tests.sandbox.support import ROOT, Clock, png

from vidgate.sandbox.app import Sandbox
from vidgate.sandbox.registry import SANDBOX_KEYS, SANDBOX_MODELS

KEY = SANDBOX_KEYS["openai_compatible"]
HEADERS = {"Authorization": f"Bearer {KEY}"}
VIDEOS = f"{ROOT}/openai_compatible/v1/videos"
BODY = {"model": "clip-1", "prompt": "rain on a tin roof", "seconds": "1", "size": "64x64"}


async def post(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await client.post(VIDEOS, json=BODY | changes, headers=HEADERS)


async def create(client: httpx.AsyncClient, **changes: Any) -> Any:
    response = await post(client, **changes)
    assert response.status_code == 200, response.text
    return response.json()


async def ask(client: httpx.AsyncClient, video: Any) -> Any:
    response = await client.get(f"{VIDEOS}/{video['id']}", headers=HEADERS)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("header", [None, KEY, f"Token {KEY}", "Bearer nobody"])
async def test_bad_credentials_are_refused(client: httpx.AsyncClient, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    for path in ("videos/x", "videos/x/content", "models"):
        url = f"{ROOT}/openai_compatible/v1/{path}"
        response = await client.get(url, headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"


async def test_a_job_lives_its_life(client: httpx.AsyncClient, clock: Clock) -> None:
    made = await create(client)
    assert made["object"] == "video"
    assert made["seconds"] == "1"
    assert made["size"] == "64x64"
    assert made["error"] is None
    statuses = [made["status"]]
    for seconds in (5, 20, 20):
        clock.advance(seconds)
        statuses.append((await ask(client, made))["status"])
    assert statuses == ["queued", "in_progress", "in_progress", "completed"]
    done = await ask(client, made)
    assert done["progress"] == 100
    assert done["completed_at"] == made["created_at"] + 40
    assert done["expires_at"] > done["completed_at"]
    assert "url" not in done


async def test_answers_are_what_the_sdk_expects(client: httpx.AsyncClient, clock: Clock) -> None:
    made = await create(client, size="720x1280")
    assert openai.types.Video.model_validate(made).status == "queued"
    clock.advance(40)
    done = openai.types.Video.model_validate(await ask(client, made))
    assert (done.id, done.status, done.seconds) == (made["id"], "completed", "1")
    answer = await client.get(f"{ROOT}/openai_compatible/v1/models", headers=HEADERS)
    listed = [openai.types.Model.model_validate(one).id for one in answer.json()["data"]]
    assert listed == list(SANDBOX_MODELS["openai_compatible"])


async def test_the_content_needs_the_key_and_a_finished_job(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    video = await create(client)
    url = f"{VIDEOS}/{video['id']}/content"
    assert (await client.get(url, headers=HEADERS)).status_code == 404
    clock.advance(40)
    assert (await client.get(url)).status_code == 401
    whole = await client.get(url, headers=HEADERS)
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.content[4:8] == b"ftyp"
    part = await client.get(url, headers=HEADERS | {"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")


async def test_one_model_names_a_url(client: httpx.AsyncClient, clock: Clock) -> None:
    video = await create(client, model="clip-1-link")
    bare = await create(client, model="clip-1-link", prompt="x #no-url")
    clock.advance(50)
    url = (await ask(client, video))["url"]
    assert (await client.get(url)).content[4:8] == b"ftyp"
    assert "url" not in await ask(client, bare)


async def test_a_form_is_taken(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    picture = base64.b64decode(png())
    form = BODY | {
        "metadata": '{"audio": true}',
        "images": ["https://a.test/1", "https://a.test/2"],
    }
    files = {"input_reference": ("a.png", picture, "image/png")}
    response = await client.post(VIDEOS, data=form, files=files, headers=HEADERS)
    assert response.status_code == 200, response.text
    (job,) = sandbox.world.ledger
    assert job.body["metadata"] == {"audio": True}
    assert job.body["images"] == ["https://a.test/1", "https://a.test/2"]
    assert job.body["input_reference"] == f"({len(picture)} bytes)"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": "sora"}, (404, "model_not_found", "model")),
        ({"model": None}, (400, "missing_required_parameter", "model")),
        ({"prompt": " "}, (400, "missing_required_parameter", "prompt")),
        ({"seconds": 5}, (400, "invalid_type", "seconds")),
        ({"seconds": "5.5"}, (400, "invalid_value", "seconds")),
        ({"seconds": "61"}, (400, "invalid_value", "seconds")),
        ({"size": "16:9"}, (400, "invalid_value", "size")),
        ({"metadata": "x"}, (400, "invalid_value", "metadata")),
        ({"input_reference": "https://a.test"}, (400, "invalid_type", "input_reference")),
        ({"input_reference": {}}, (400, "invalid_value", "input_reference")),
        (
            {"input_reference": {"image_url": "https://a.test", "file_id": "f"}},
            (400, "invalid_value", "input_reference"),
        ),
        ({"input_reference": {"image_url": "a.png"}}, (400, "invalid_value", "input_reference")),
        ({"images": ["data:image/png;base64,AAAA"]}, (400, "invalid_image", "images")),
        ({"images": 7}, (400, "invalid_value", "images")),
        ({"prompt": "a #audit"}, (400, "moderation_blocked", None)),
    ],
)
async def test_what_is_wrong_is_refused_by_name(
    client: httpx.AsyncClient,
    sandbox: Sandbox,
    changes: dict[str, Any],
    expected: tuple[int, str, str | None],
) -> None:
    response = await post(client, **changes)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == expected
    assert len(sandbox.world.ledger) == 0


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("text/plain", b"{}"),
        ("multipart/form-data", b"--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nhello--x--\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nform-data; name="a"\r\n\r\nb\r\n'),
    ],
)
async def test_a_body_that_cannot_be_read(
    client: httpx.AsyncClient, content_type: str, body: bytes
) -> None:
    headers = HEADERS | {"Content-Type": content_type}
    response = await client.post(VIDEOS, content=body, headers=headers)
    assert response.status_code == 400
    assert "could not parse" in response.json()["error"]["message"]


async def test_a_key_makes_one_job(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    headers = HEADERS | {"Idempotency-Key": "k-1"}
    first, again = [
        (await client.post(VIDEOS, json=BODY, headers=headers)).json()["id"] for _ in range(2)
    ]
    assert first == again
    assert len(sandbox.world.ledger) == 1
    await create(client)
    assert len(sandbox.world.ledger) == 2


async def test_an_account_that_is_full(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    concurrency = {**sandbox.world.settings.concurrency, "openai_compatible": 1}
    sandbox.world.settings = replace(sandbox.world.settings, concurrency=concurrency)
    await create(client)
    response = await post(client)
    assert response.status_code == 429
    assert response.json()["error"]["code"] == "concurrency_limit_exceeded"


async def test_another_account_sees_nothing(client: httpx.AsyncClient) -> None:
    video = await create(client)
    other = {"Authorization": f"Bearer {KEY[:-1]}2"}
    response = await client.get(f"{VIDEOS}/{video['id']}", headers=other)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("late-audit", "failed", "moderation_blocked"),
        ("late-error", "failed", "video_generation_failed"),
        ("cancelled-by-vendor", "cancelled", None),
    ],
)
async def test_a_job_that_ends_badly(
    client: httpx.AsyncClient, clock: Clock, word: str, status: str, code: str | None
) -> None:
    video = await create(client, prompt=f"a #{word}")
    clock.advance(50)
    ended = await ask(client, video)
    assert ended["status"] == status
    assert (ended["error"] or {}).get("code") == code
    content = await client.get(f"{VIDEOS}/{video['id']}/content", headers=HEADERS)
    assert content.status_code == 404


async def test_a_word_that_nobody_knows(client: httpx.AsyncClient, clock: Clock) -> None:
    video = await create(client, prompt="a #unknown-state")
    clock.advance(20)
    assert (await ask(client, video))["status"] == "limbo"


@pytest.mark.parametrize("kind", ["401", "429", "500", "503", "504", "not_found"])
async def test_failures_on_demand(client: httpx.AsyncClient, kind: str) -> None:
    video = await create(client)
    fault = {"provider": "openai_compatible", "operation": "poll", "kind": kind}
    await client.post(f"{ROOT}/_sandbox/faults", json=fault)
    response = await client.get(f"{VIDEOS}/{video['id']}", headers=HEADERS)
    assert response.status_code == (404 if kind == "not_found" else int(kind))
    assert response.json()["error"]["type"]
    assert (await ask(client, video))["status"] == "queued"


async def test_a_word_in_a_form_spoils_the_answer(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    files = {name: (None, value) for name, value in (BODY | {"prompt": "a #500-created"}).items()}
    response = await client.post(VIDEOS, files=files, headers=HEADERS)
    assert response.status_code == 500
    assert len(sandbox.world.ledger) == 1


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/nothing"), ("DELETE", "/v1/videos/x"), ("GET", "/v1/videos")]
)
async def test_there_is_nothing_else(client: httpx.AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, f"{ROOT}/openai_compatible{path}", headers=HEADERS)
    assert response.status_code == 404
    assert "Invalid URL" in response.json()["error"]["message"]


async def follow_up(client: httpx.AsyncClient, path: str, **body: Any) -> httpx.Response:
    return await client.post(
        f"{VIDEOS}/{path}", json={"prompt": "by night"} | body, headers=HEADERS
    )


async def test_a_finished_video_is_gone_on_from(client: httpx.AsyncClient, clock: Clock) -> None:
    video = await create(client)
    clock.advance(40)
    named = {"video": {"id": video["id"]}}
    made = [
        await follow_up(client, f"{video['id']}/remix"),
        await follow_up(client, "edits", **named),
        await follow_up(client, "extensions", **named, seconds="2"),
    ]
    form = {"prompt": "by night", "video[id]": video["id"]}
    made.append(
        await client.post(
            f"{VIDEOS}/edits",
            data=form,
            files={"input_reference": ("a.png", base64.b64decode(png()), "image/png")},
            headers=HEADERS,
        )
    )
    assert [answer.status_code for answer in made] == [200] * 4
    told = [answer.json() for answer in made]
    assert len({one["id"] for one in told} | {video["id"]}) == 5
    assert [one["seconds"] for one in told] == ["1", "1", "2", "1"]
    for one in told:
        assert (one["model"], one["size"], one["prompt"]) == ("clip-1", "64x64", "by night")
        assert one["remixed_from_video_id"] == video["id"]
    clock.advance(80)
    assert (await ask(client, told[0]))["status"] == "completed"


async def test_what_cannot_be_gone_on_from_is_refused(client: httpx.AsyncClient) -> None:
    video = await create(client)
    unfinished = await follow_up(client, f"{video['id']}/remix")
    assert (unfinished.status_code, unfinished.json()["error"]["code"]) == (
        409,
        "task_not_finished",
    )
    unknown = await follow_up(client, "edits", video={"id": "video_x"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")
    unnamed = await follow_up(client, "extensions")
    assert (unnamed.status_code, unnamed.json()["error"]["param"]) == (400, "video")
