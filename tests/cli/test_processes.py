"""`serve`, `worker`, `sandbox` and `demo` as processes."""

import asyncio
import json
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cli.support import (
    PATIENCE_SECONDS,
    Process,
    is_running,
    server_of,
    started,
    wait_for,
)
from tests.support.engine import SECRET_KEY
from tests.support.processes import free_port

from vidgate.cli.servers import signals
from vidgate.config import provider_variable
from vidgate.providers.registry import PROVIDERS

SHOWN = [provider for provider in PROVIDERS if provider.capabilities.example]


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    # Not in pytest's own directory, which is closed to the user that PostgreSQL runs as under root.
    directory = Path(tempfile.mkdtemp(prefix="vidgate-cli-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def variables(database_url: str) -> dict[str, str]:
    return {"VIDGATE_DATABASE_URL": database_url, "VIDGATE_SECRET_KEY": SECRET_KEY}


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def url_in(output: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+", output)
    assert found
    return found[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_serve_answers_until_it_is_stopped(
    number: int, variables: dict[str, str], tmp_path: Path
) -> None:
    with started(tmp_path, "serve", "--port", "0", variables=variables) as process:
        url = url_in(process.wait_for_output("Serving on"))
        assert httpx.get(f"{url}/readyz").status_code == 200
        answer = httpx.get(f"{url}/v1/video/generations/task_x")
        assert answer.status_code == 401
        assert "server" not in answer.headers
        assert process.end(number) == 0
        assert "Traceback" not in process.err


def test_serve_starts_several_processes_and_their_database(data_dir: Path, tmp_path: Path) -> None:
    arguments = ("serve", "--port", "0", "--workers", "2", "--no-worker")
    with started(tmp_path, *arguments, variables={"VIDGATE_DATA_DIR": str(data_dir)}) as process:
        url = url_in(process.wait_for_output("Serving on"))
        assert "with 2 processes" in process.out
        wait_for(lambda: is_ready(url))
        postgres = server_of(data_dir)
        assert process.end(signal.SIGTERM) == 0
        assert not is_running(postgres)
        assert "Traceback" not in process.err


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_serve_is_not_ready_before_it_closes_its_port(
    number: int, workers: int, variables: dict[str, str], tmp_path: Path
) -> None:
    arguments = ("serve", "--port", "0", "--workers", str(workers))
    drained = {**variables, "VIDGATE_DRAIN": "600", "VIDGATE_DB_POOL": "2"}
    with started(tmp_path, *arguments, variables=drained) as process:
        url = url_in(process.wait_for_output("Serving on"))
        wait_for(lambda: is_ready(url))

        process.send(number)

        wait_for(lambda: not is_ready(url))
        assert httpx.get(f"{url}/readyz").json()["reasons"] == ["The process is about to stop."]
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert process.end(number) == 0  # nobody has to wait for the rest of it
        assert "Traceback" not in process.err


@pytest.mark.parametrize(
    "arguments",
    [("serve", "--port", "0"), ("serve", "--port", "0", "--workers", "2"), ("worker",)],
    ids=["serve", "serve with two processes", "worker"],
)
def test_metrics_have_an_address_of_their_own(
    arguments: tuple[str, ...], variables: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    given = {**variables, "VIDGATE_METRICS": f"listen:127.0.0.1:{port}", "VIDGATE_DB_POOL": "2"}
    with started(tmp_path, *arguments, variables=given) as process:
        if arguments[0] == "serve":
            url = url_in(process.wait_for_output("Serving on"))
            wait_for(lambda: is_ready(url))
            assert httpx.get(f"{url}/metrics").status_code == 404
        else:
            wait_for(lambda: "Working" in process.err)
        assert "vidgate_requests_total" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert process.end(signal.SIGTERM) == 0
        assert "Traceback" not in process.err


def test_who_is_to_outlive_its_terminal_does() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def serve() -> None:
        with signals() as stopping:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            await stopping.wait()
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

    kept = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        asyncio.run(serve())
    finally:
        for number, handler in (*kept, (signal.SIGHUP, former)):
            signal.signal(number, handler)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_serve_says_in_a_sentence_that_its_port_is_taken(
    taken_port: int, variables: dict[str, str], tmp_path: Path
) -> None:
    arguments = ("serve", "--port", str(taken_port))
    with started(tmp_path, *arguments, variables=variables) as process:
        wait_for(process.is_over)
        assert process.end() == 1
        assert process.err == (
            f"Port {taken_port} of 127.0.0.1 is taken; choose another with --port.\n"
        )


def test_serve_refuses_more_connections_than_there_are(
    variables: dict[str, str], tmp_path: Path
) -> None:
    arguments = ("serve", "--port", "0", "--workers", "200")
    with started(tmp_path, *arguments, variables=variables) as process:
        wait_for(process.is_over)
        assert process.end() == 1
        assert "1200 would be needed" in process.err
        assert "Traceback" not in process.err


def test_a_worker_works_until_it_is_stopped(variables: dict[str, str], tmp_path: Path) -> None:
    with started(tmp_path, "worker", variables=variables) as process:
        wait_for(lambda: "Working" in process.err)
        assert process.end(signal.SIGTERM) == 0
        assert "Traceback" not in process.err


def test_the_sandbox_prints_how_to_add_its_channels(tmp_path: Path) -> None:
    with started(tmp_path, "sandbox", "--port", "0") as process:
        url = url_in(process.wait_for_output("--provider vidu"))
        assert httpx.get(f"{url}/_sandbox/stats").status_code == 200
        assert process.end() == 0
        assert process.err == ""


def pairs_in(output: str) -> dict[str, str]:
    """What the demo printed to be pasted, by provider."""
    titles = "|".join(one.capabilities.title for one in SHOWN)
    parts = re.split(rf"^({titles})$|^Or in one go", output, flags=re.MULTILINE)
    names = {one.capabilities.title: one.name for one in SHOWN}
    pairs = {names[title]: parts[index + 1] for index, title in enumerate(parts) if title in names}
    assert list(pairs) == list(names.values())
    return pairs


def paste(commands: str) -> list[dict[str, Any]]:
    said = subprocess.run(
        ["/bin/sh", "-c", commands], capture_output=True, check=True, timeout=PATIENCE_SECONDS
    )
    return [json.loads(line) for line in said.stdout.decode().splitlines()]


def test_a_demo_makes_the_documented_videos(
    data_dir: Path, taken_port: int, tmp_path: Path
) -> None:
    variables = {"VIDGATE_DATA_DIR": str(data_dir)}
    paid = {provider_variable(provider.name, "KEY"): "sk-of-somebody" for provider in PROVIDERS}
    compatible = {"BASE_URL": "http://127.0.0.1:9", "MODELS": "paid-*"}
    paid |= {provider_variable(PROVIDERS[-1].name, name): compatible[name] for name in compatible}
    with started(
        tmp_path, "demo", "--port", str(taken_port), variables=variables | paid
    ) as process:
        output = process.wait_for_output("Ctrl-C")
        url = url_in(output)
        assert f"port {taken_port} is taken" in output
        pairs = pairs_in(output)
        tasks = {}
        for provider in pairs:
            created, polled = paste(pairs[provider])
            assert created["task_id"] == polled["task_id"]
            tasks[provider] = created["task_id"]

        token = (data_dir / "demo-token").read_text().strip()
        assert token in output
        assert stat.S_IMODE((data_dir / "demo-token").stat().st_mode) == 0o600
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:
            for provider, task in tasks.items():
                body = wait_for(partial(final, client, url, task))
                assert body["status"] == "succeeded", (provider, body)
                assert httpx.get(body["url"]).content[4:8] == b"ftyp"

        channels = paste_vidgate(tmp_path, variables, "channel", "list")
        assert {channel["name"] for channel in channels} == {f"demo-{name}" for name in pairs}

        # Commands beside it share its database, and it goes on with the new key.
        assert paste_vidgate(tmp_path, variables, "secret", "rotate")["secrets"] >= 3
        shown = paste_vidgate(tmp_path, variables, "task", "show", tasks["kling"])
        assert shown["attempts"][0]["channel"] == "demo-kling"
        assert "task_id" in paste(pairs["vidu"])[0]

        postgres = server_of(data_dir)
        assert process.end() == 0
        assert not is_running(postgres)
        assert process.err == ""


def final(client: httpx.Client, url: str, task: str) -> dict[str, Any]:
    body: dict[str, Any] = client.get(f"{url}/v1/video/generations/{task}").json()
    return body if body["status"] != "processing" else {}


def paste_vidgate(directory: Path, variables: dict[str, str], *arguments: str) -> Any:
    with started(directory, *arguments, "--json", variables=variables) as process:
        wait_for(process.is_over)
        return json.loads(process.out)


def test_a_killed_demo_is_cleaned_up_by_the_next(data_dir: Path, tmp_path: Path) -> None:
    variables = {"VIDGATE_DATA_DIR": str(data_dir)}

    def channels() -> list[tuple[str, bool]]:
        listed = paste_vidgate(tmp_path, variables, "channel", "list")
        return [(channel["base_url"], channel["enabled"]) for channel in listed]

    with started(tmp_path, "demo", "--port", "0", variables=variables) as process:
        token = token_in(process.wait_for_output("Ctrl-C"))
        before = channels()
        process.end(signal.SIGKILL)
    with started(tmp_path, "demo", "--port", "0", variables=variables) as process:
        assert token_in(process.wait_for_output("Ctrl-C")) == token
        assert channels() == before
        assert len(before) == sum(one.capabilities.example is not None for one in PROVIDERS)
        postgres = server_of(data_dir)
        assert process.end() == 0
        assert not is_running(postgres)
    assert {is_enabled for _, is_enabled in channels()} == {False}


def token_in(output: str) -> str:
    found = re.search(r"sk-[\w-]{43}", output)
    assert found
    return found[0]


def complaints(process: Process) -> list[str]:
    """What a demo complains of, but for warnings.

    Between the end of one sandbox and the beginning of the next nobody answers, and the next knows
    nothing of the jobs before it. A demo warns of both, the more of them the busier the machine is.
    """
    return [line for line in process.err.splitlines() if "[warning" not in line]


def test_a_second_demo_takes_over_the_stand_ins(data_dir: Path, tmp_path: Path) -> None:
    variables = {"VIDGATE_DATA_DIR": str(data_dir)}

    def demo() -> Any:
        return started(tmp_path, "demo", "--port", "0", variables=variables)

    def is_made(process: Process) -> bool:
        return "task_id" in paste(pairs_in(process.out)["vidu"])[0]

    with demo() as first, demo() as second:
        first.wait_for_output("Ctrl-C")
        second.wait_for_output("Ctrl-C")
        assert ("Another demo" in first.out) != ("Another demo" in second.out)
        leader, follower = (first, second) if "Another demo" in second.out else (second, first)
        assert is_made(follower)
        assert leader.end() == 0
        wait_for(lambda: is_made(follower))
        assert follower.end() == 0
        assert complaints(leader) == complaints(follower) == []


def test_ctrl_c_at_once_leaves_nothing_behind(data_dir: Path, tmp_path: Path) -> None:
    variables = {"VIDGATE_DATA_DIR": str(data_dir)}
    with started(tmp_path, "demo", "--port", "0", variables=variables) as process:
        wait_for((data_dir / "postgres" / "postmaster.pid").exists)
        postgres = wait_for(lambda: server_of(data_dir))
        assert process.end() == 0
        assert not is_running(postgres)
        assert complaints(process) == []


def test_a_server_may_have_as_many_open_files_as_the_system_allows() -> None:
    source = """
import resource
from vidgate.cli.servers import raise_file_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4000))
raise_file_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )

    assert done.stdout == "(4000, 4000)\n"
