"""What the gateway costs, as ratios to a bare ASGI function measured in the same run.

The server is alone on one core. The load, PostgreSQL and the upstream, which answers at once, share
the other. Everything is on 127.0.0.1 and ends by itself. Run it by `make bench`.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from load import Report, put_load

from vidgate.db.embedded import EmbeddedServer

HERE = Path(__file__).parent
SERVER_CORE, LOAD_CORE = 0, 1
SECONDS = 6.0
CONNECTIONS = 32
IN_FLIGHT = 1000

POST_BODY = json.dumps(
    {"model": "kling-v2-6", "prompt": "a paper boat", "duration": 5, "size": "1280x720"}
).encode()


@contextmanager
def process(
    command: list[str], core: int | None = None, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, on one core if one is named, and stop it by its own id at the end."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    with tempfile.TemporaryFile() as log:
        running = subprocess.Popen(
            [*pinned, *command],
            env=os.environ | variables,
            cwd=HERE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(30)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
            if running.returncode not in (0, -15):
                log.seek(0)
                print(log.read().decode()[-3000:], file=sys.stderr)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def wait_for(url: str) -> None:
    for _ in range(2400):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{url} did not answer")


def bare(app: str, port: int, core: int) -> ExitStack:
    """Start one of the bare functions under the same server that the gateway uses."""
    stack = ExitStack()
    command = [sys.executable, "-m", "uvicorn", f"apps:{app}", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--lifespan", "off"]
    stack.enter_context(process([*command, "--log-level", "warning"], core))
    wait_for(f"http://127.0.0.1:{port}/")
    return stack


def request(method: str, path: str, token: str = "", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def resident_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else 0.0


def say(name: str, report: Report, ceiling: float) -> None:
    print(
        f"{name:<34}{report.per_second:>9.0f}/s{report.per_second / ceiling:>8.3f} C"
        f"{report.p50_ms:>9.2f} ms{report.p99_ms:>9.2f} ms"
        + (f"   {report.others} not 200" if report.others else ""),
        flush=True,
    )


def command_line(variables: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vidgate", *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def limited_tokens(variables: dict[str, str]) -> list[str]:
    """Make tokens with limits that are far away: a rate and a budget, and places."""
    command_line(variables, "account", "create", "limited")
    limits = (
        ("--requests-per-minute", "100000000", "--tasks", "day=100000000"),
        ("--tasks-in-flight", "1000000"),
    )
    create = ("token", "create", "--name", "limited", "--account", "limited", "--json")
    return [json.loads(command_line(variables, *create, *some))["key"] for some in limits]


def main() -> None:
    cores = os.sched_getaffinity(0)
    if not {SERVER_CORE, LOAD_CORE} <= cores:
        raise SystemExit("This needs two cores.")
    os.sched_setaffinity(0, {LOAD_CORE})
    with ExitStack() as stack:
        data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vidgate-bench-")))
        data_dir.chmod(0o755)
        server = EmbeddedServer.start(data_dir / "data")
        stack.callback(server.release)
        upstream_port, port = free_port(), free_port()
        stack.enter_context(bare("upstream", upstream_port, LOAD_CORE))
        variables = {
            "VIDGATE_DATABASE_URL": server.url,
            "VIDGATE_AUTO_MIGRATE": "true",
            "VIDGATE_SECRET_KEY": "YmVuY2htYXJrLWtleS1vZi0zMi1ieXRlcy1vci1tb3JlIQ==",
            "VIDGATE_LOG_LEVEL": "warning",
        }
        command_line(variables, "migrate")
        token = json.loads(command_line(variables, "token", "create", "--name", "b", "--json"))[
            "key"
        ]
        limited, counted = limited_tokens(variables)
        command_line(
            variables,
            "channel",
            "add",
            "k",
            "--provider",
            "kling",
            "--key",
            "bench-key",
            "--base-url",
            f"http://127.0.0.1:{upstream_port}",
        )

        with bare("ceiling", free_port_kept := free_port(), SERVER_CORE):
            ceiling = put_load(
                free_port_kept, [request("GET", "/")], seconds=SECONDS, connections=CONNECTIONS
            )
        print(f"{'':<34}{'':>11}{'ratio':>10}{'median':>12}{'p99':>12}")
        say("bare ASGI function, the ceiling C", ceiling, ceiling.per_second)

        path = "/v1/video/generations"
        post = request("POST", path, token, POST_BODY)
        serve = [sys.executable, "-m", "vidgate", "serve", "--port", str(port)]
        with process(serve, SERVER_CORE, **variables) as running:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            first = put_load(port, [post], seconds=5, connections=1, once=True, keep_bodies=True)
            idle = resident_mib(running.pid)
            task = json.loads(first.bodies[0])["id"]
            known = request("GET", f"{path}/{task}", token)
            get = put_load(port, [known], seconds=SECONDS, connections=CONNECTIONS)
            say("GET of a known task", get, ceiling.per_second)
            post_limited = request("POST", path, limited, POST_BODY)
            one = put_load(
                port, [post_limited], seconds=5, connections=1, once=True, keep_bodies=True
            )
            own = request("GET", f"{path}/{json.loads(one.bodies[0])['id']}", limited)
            get = put_load(port, [own], seconds=SECONDS, connections=CONNECTIONS)
            say("the same, of a limited token", get, ceiling.per_second)
            made = put_load(
                port,
                [post] * IN_FLIGHT,
                seconds=60,
                connections=CONNECTIONS,
                once=True,
                keep_bodies=True,
            )
            loaded = resident_mib(running.pid)
            posts = put_load(
                port, [post], seconds=SECONDS, connections=CONNECTIONS, keep_bodies=True
            )
            others = [
                put_load(port, [one], seconds=SECONDS, connections=CONNECTIONS)
                for one in (post_limited, request("POST", path, counted, POST_BODY))
            ]
        ids = [json.loads(body)["id"] for body in made.bodies + posts.bodies]
        with process([*serve, "--no-worker"], SERVER_CORE, **variables):
            wait_for(f"http://127.0.0.1:{port}/readyz")
            asks = [request("GET", f"{path}/{one}", token) for one in ids]
            cold = put_load(port, asks, seconds=SECONDS, connections=CONNECTIONS, once=True)
        say("GET of a task not cached", cold, ceiling.per_second)
        say("POST, the upstream answers at once", posts, ceiling.per_second)
        for name, report in zip(("a rate and a budget", "places"), others, strict=True):
            say(f"the same, with {name}", report, ceiling.per_second)
        print(f"\nmemory of the process: idle {idle:.0f} MiB,", end=" ")
        print(f"with {IN_FLIGHT:,} tasks in flight {loaded:.0f} MiB")


if __name__ == "__main__":
    main()
