import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from tests.cli.conftest import Cli

from vidgate.cli.client import Client

URL = "http://127.0.0.1:3000"
TASK = "task_00000000000000000000000001"
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(1000)
FAST = {"openai-poll-after-ms": "1"}


def state(status: str, **members: Any) -> httpx.Response:
    body = {"id": TASK, "task_id": TASK, "status": status, "url": None, "error": None}
    return httpx.Response(200, json=body | members, headers=FAST)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[respx.MockRouter]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDGATE_TOKEN", "sk-secret-token")
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.post("/v1/video/generations", name="submit").respond(200, json={"task_id": TASK})
        router.get(f"/v1/video/generations/{TASK}", name="poll").side_effect = [
            state("processing", progress=30),
            httpx.Response(503, headers={"Retry-After": "0"}),
            state("succeeded", progress=100, url="https://cdn.example/video.mp4?x=%2F"),
        ]
        router.get("https://cdn.example/video.mp4?x=%2F", name="video").respond(content=VIDEO)
        yield router


@pytest.mark.usefixtures("gateway")
def test_a_video_ends_in_a_file_named_after_its_task(bare_cli: Cli) -> None:
    said = bare_cli("generate", "a boat", "--model", "viduq1")
    assert said.code == 0, said.err
    assert said.out == f"{TASK}.mp4\n"
    assert Path(f"{TASK}.mp4").read_bytes() == VIDEO
    assert [path.name for path in Path().iterdir()] == [f"{TASK}.mp4"]


@pytest.mark.parametrize(
    "url",
    [
        *(f"{URL}/", f"{URL}/v1", f"{URL}/v1/", f"{URL}//", URL.removeprefix("http://")),
        "127.0.0.1:3000/v1",
    ],
)
@pytest.mark.usefixtures("gateway")
def test_a_gateway_is_found_however_its_url_is_written(bare_cli: Cli, url: str) -> None:
    said = bare_cli("generate", "a boat", "--model", "viduq1", "--url", url)
    assert said.code == 0, said.err


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("localhost:3000", "http://localhost:3000"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("[::1]:3000/v1", "http://[::1]:3000"),
        ("192.168.1.5:3000", "http://192.168.1.5:3000"),
        ("gateway.example", "https://gateway.example"),
        ("gateway.example:8443/videos/v1/", "https://gateway.example:8443/videos"),
        ("8.8.8.8", "https://8.8.8.8"),
        ("http://gateway.example/v1", "http://gateway.example"),
        ("https://gateway.example", "https://gateway.example"),
    ],
)
def test_a_url_without_a_scheme_is_safe_on_public_networks(url: str, written: str) -> None:
    with Client(url, "sk-secret-token") as client:
        assert client.url == written


def test_what_was_asked_for_is_sent(bare_cli: Cli, gateway: respx.MockRouter) -> None:
    Path("first.png").write_bytes(b"picture")
    said = bare_cli(
        *("generate", "a boat", "--model", "viduq1", "--image", "first.png"),
        *("--image", "https://example.com/last.png", "--duration", "5", "--size", "1280x720"),
        *("-o", "boat.mp4", "--json"),
    )
    assert said.json["status"] == "succeeded"
    assert Path("boat.mp4").read_bytes() == VIDEO
    request = gateway["submit"].calls.last.request
    assert request.headers["Authorization"] == "Bearer sk-secret-token"
    assert json.loads(request.content) == {
        "model": "viduq1",
        "prompt": "a boat",
        "duration": 5,
        "size": "1280x720",
        "images": [base64.b64encode(b"picture").decode(), "https://example.com/last.png"],
    }
    assert "Authorization" not in gateway["video"].calls.last.request.headers


def test_warnings_are_said_once(bare_cli: Cli, gateway: respx.MockRouter) -> None:
    early = {"code": "ignored", "param": "fps", "message": "fps was ignored."}
    late = {"code": "ignored", "param": "seed", "message": "seed was ignored."}
    gateway["submit"].respond(200, json={"task_id": TASK, "warnings": [early]})
    gateway["poll"].side_effect = [
        state("processing", warnings=[early]),
        state("succeeded", url="https://cdn.example/video.mp4?x=%2F", warnings=[early, late]),
    ]

    said = bare_cli("generate", "a boat", "--model", "viduq1")

    assert said.code == 0, said.err
    assert said.out == f"{TASK}.mp4\n"
    assert said.err.count("warning: fps was ignored.\n") == 1
    assert said.err.count("warning: seed was ignored.\n") == 1


@pytest.mark.parametrize("warnings", [None, [], {}, "none", ["a message"], [{"code": "ignored"}]])
def test_a_gateway_that_warns_in_other_words_is_no_error(
    bare_cli: Cli, gateway: respx.MockRouter, warnings: Any
) -> None:
    gateway["submit"].respond(200, json={"task_id": TASK, "warnings": warnings})

    said = bare_cli("generate", "a boat", "--model", "viduq1")

    assert said.code == 0, said.err
    assert "warning" not in said.err


def test_a_gateway_that_is_away_for_a_moment_is_asked_again(
    bare_cli: Cli, gateway: respx.MockRouter
) -> None:
    gateway["poll"].side_effect = [
        httpx.ConnectError("restarting"),
        state("succeeded", url="https://cdn.example/video.mp4?x=%2F"),
    ]
    assert bare_cli("generate", "a boat", "--model", "viduq1").code == 0


def test_a_single_picture_is_the_first_frame(bare_cli: Cli, gateway: respx.MockRouter) -> None:
    bare_cli("generate", "a boat", "--model", "viduq1", "--image", "https://example.com/a.png")
    body = json.loads(gateway["submit"].calls.last.request.content)
    assert body["image"] == "https://example.com/a.png"
    assert "images" not in body


def test_a_file_is_not_overwritten_unless_told(bare_cli: Cli, gateway: respx.MockRouter) -> None:
    Path("boat.mp4").write_bytes(b"mine")
    command = ("generate", "a boat", "--model", "viduq1", "-o", "boat.mp4")
    said = bare_cli(*command)
    assert said.sentence == "boat.mp4 exists already; choose another -o, or add --force."
    assert Path("boat.mp4").read_bytes() == b"mine"
    assert not gateway["submit"].called

    assert bare_cli(*command, "--force").code == 0
    assert Path("boat.mp4").read_bytes() == VIDEO


def test_a_refusal_is_shown_in_its_own_words(bare_cli: Cli, gateway: respx.MockRouter) -> None:
    gateway["submit"].respond(400, json={"code": "x", "message": "The size is impossible."})
    said = bare_cli("generate", "a boat", "--model", "viduq1")
    assert said.sentence == "The size is impossible."

    gateway["submit"].respond(502, html="<html>")
    assert bare_cli("generate", "a boat", "--model", "viduq1").sentence == (
        "The gateway answered 502 Bad Gateway."
    )


@pytest.mark.usefixtures("gateway")
def test_pictures_are_checked_before_anything_is_sent(bare_cli: Cli) -> None:
    command = ("generate", "a boat", "--model", "viduq1", "--image")
    assert "none.png" in bare_cli(*command, "none.png").sentence
    with Path("large.png").open("wb") as file:
        file.truncate(20_000_001)
    assert "20 MB" in bare_cli(*command, "large.png").sentence


def test_a_failed_task_is_an_error_with_its_reason(
    bare_cli: Cli, gateway: respx.MockRouter
) -> None:
    gateway["poll"].side_effect = [
        state("failed", error={"code": "content_policy_violation", "message": "Not that."})
    ]
    said = bare_cli("generate", "a boat", "--model", "viduq1", "--json")
    assert said.code == 1
    assert json.loads(said.out)["error"]["code"] == "content_policy_violation"
    assert said.err.endswith("Not that.\n")


def test_a_gateway_that_is_away_is_said_so(bare_cli: Cli, gateway: respx.MockRouter) -> None:
    gateway["submit"].side_effect = httpx.ConnectError("refused")
    said = bare_cli("generate", "a boat", "--model", "viduq1")
    assert said.sentence == f"Nothing answers at {URL}; is vidgate running there?"


def test_an_unanswered_submit_is_not_repeated(bare_cli: Cli, gateway: respx.MockRouter) -> None:
    gateway["submit"].side_effect = httpx.ReadTimeout("late")
    said = bare_cli("generate", "a boat", "--model", "viduq1")
    assert "may exist" in said.sentence
    assert gateway["submit"].call_count == 1


def test_ctrl_c_tells_how_to_fetch_the_task(bare_cli: Cli, gateway: respx.MockRouter) -> None:
    def interrupt(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    gateway["poll"].side_effect = interrupt
    said = bare_cli("generate", "a boat", "--model", "viduq1")
    assert said.code == 130
    assert f"/v1/video/generations/{TASK}" in said.err
    assert "sk-secret" not in said.err


def test_a_result_that_is_gone_leaves_no_file(bare_cli: Cli, gateway: respx.MockRouter) -> None:
    gateway["video"].respond(403)
    said = bare_cli("generate", "a boat", "--model", "viduq1")
    assert said.code == 1
    assert "https://cdn.example/video.mp4" in said.err
    assert list(Path().iterdir()) == []


@pytest.mark.usefixtures("gateway")
def test_without_a_token_it_is_the_demo_s(bare_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDGATE_TOKEN")
    monkeypatch.setenv("VIDGATE_DATA_DIR", ".")
    command = ("generate", "a boat", "--model", "viduq1")
    assert bare_cli(*command).sentence == "There is no token: set VIDGATE_TOKEN or give --token."
    Path("demo-token").write_text("sk-of-the-demo\n")
    assert bare_cli(*command).code == 0
