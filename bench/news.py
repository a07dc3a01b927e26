"""How soon clients hear of the end of their tasks, and what waiting for it costs.

With 1,000 and with 5,000 waiters, of whose tasks 300 end over some 20 seconds: from the end as the
database has it, taken just before the commit, to the answer of `?wait=` and to the webhook.

The server is alone on one core; the load, PostgreSQL and the provider share the other. Everything
is on 127.0.0.1 and ends by itself, after eight minutes or so. Run it by `make bench`.
"""

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import asyncpg
import uvloop
from load import put_load
from run import (
    LOAD_CORE,
    SERVER_CORE,
    command_line,
    free_port,
    process,
    request,
    resident_mib,
    wait_for,
)

from vidgate.db.embedded import EmbeddedServer
from vidgate.models.ids import public_id

WAITERS = [int(one) for one in os.environ.get("WAITERS", "1000,5000").split(",")]
PER_TOKEN = 900
"""Waiters of one token, which may have 1,000: some ask anew before they are counted out."""

ENDS = 300
"""Tasks that end. The others run on: what is measured is the news, not how fast tasks can end."""

ENDS_OVER = 20.0
SUBMITS_PER_SECOND = 60.0
"""At the least: the first job must not end before the last waiter waits."""

POLL_PACE = "3"
"""5,000 jobs, asked about as often as Kling's are, alone keep a core two thirds busy."""

PATIENCE = 90.0
WAIT = 60
ANSWERED_AT_ONCE = 0.5
PATH = "/v1/video/generations"
_END = b"\r\n\r\n"
_ENDS = """
    SELECT id, callback_url, CAST(extract(epoch FROM finished_at) AS double precision) AS at
    FROM tasks WHERE finished_at IS NOT NULL
"""


class Waiter(asyncio.Protocol):
    """Waits for one task, again and again until it is final."""

    def __init__(self, question: bytes, done: asyncio.Future[float]) -> None:
        self._question = question
        self._done = done
        self._buffer = b""
        self._asked_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(_END)
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        if not found or len(body) < int(length):
            return
        now, self._buffer = time.time(), b""
        status = json.loads(body).get("status")
        if status == "succeeded":
            self._close(now)
        elif status != "processing":
            self._fail(f"it was answered {body[:200].decode()}")
        elif now < self._asked_at + ANSWERED_AT_ONCE:
            self._fail("it was answered at once")
        else:
            self._ask()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._fail("the connection was lost")

    def _ask(self) -> None:
        assert self._transport is not None
        self._asked_at = time.time()
        self._transport.write(self._question)

    def _close(self, now: float) -> None:
        assert self._transport is not None
        self._done.set_result(now)
        self._transport.close()

    def _fail(self, reason: str) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(f"A waiter did not wait: {reason}."))


class Receiver(asyncio.Protocol):
    """Takes webhooks, and notes when each first came."""

    def __init__(self, received: dict[str, float]) -> None:
        self._received = received
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # likewise

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(_END)
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        if not found or len(body) < int(length) or self._transport is None:
            return
        self._buffer = b""
        self._received.setdefault(head.split(b" ", 2)[1].decode(), time.time())
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


async def listen(
    url: str, port: int, hooks: int, pid: int, tasks: Mapping[str, str]
) -> tuple[float, list[float], list[float]]:
    """Wait for every task.

    Args:
        url: Of the database.
        port: Of the gateway.
        hooks: The port for webhooks.
        pid: The gateway's process.
        tasks: Whose token knows each.

    Returns:
        What all waiters took together, in MiB, and how late the answers and the webhooks were.
    """
    loop = asyncio.get_running_loop()
    received: dict[str, float] = {}
    await loop.create_server(lambda: Receiver(received), "127.0.0.1", hooks, backlog=1024)
    before = resident_mib(pid)
    answers = {task: loop.create_future() for task in tasks}
    for task, token in tasks.items():
        question = request("GET", f"{PATH}/{task}?wait={WAIT}", token)
        waiter = Waiter(question, answers[task])
        await loop.create_connection(lambda waiter=waiter: waiter, "127.0.0.1", port)
    await asyncio.sleep(1)
    memory = resident_mib(pid) - before
    if early := sum(done.done() for done in answers.values()):
        print(f"{early} waiters were answered before everybody waited", flush=True)
    expected = len(tasks) // (len(tasks) // ENDS)
    until = time.time() + lasts(len(tasks)) + ENDS_OVER + PATIENCE
    while time.time() < until and (  # noqa: ASYNC110 - of another process
        len(received) < expected or sum(done.done() for done in answers.values()) < expected
    ):
        await asyncio.sleep(1)
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(_ENDS)
    await connection.close()
    ends = {public_id("task_", row["id"]): row["at"] for row in rows}
    hooked = {urlsplit(row["callback_url"]).path: row["at"] for row in rows}
    over = {task: done for task, done in answers.items() if done.done()}
    heard = {task: done.result() for task, done in over.items() if done.exception() is None}
    for reason in {f"{done.exception()}" for task, done in over.items() if task not in heard}:
        print(reason, flush=True)
    print(f"{len(heard)} answers and {len(received)} webhooks of {expected} came", flush=True)
    return (
        memory,
        sorted(at - ends[task] for task, at in heard.items()),
        sorted(at - hooked[hook] for hook, at in received.items()),
    )


def lasts(waiters: int) -> float:
    """The seconds that the first job takes."""
    return waiters / SUBMITS_PER_SECOND


def say(name: str, lags: Sequence[float]) -> None:
    median, late = (lags[len(lags) * share // 100] * 1000 for share in (50, 99))
    print(f"{name:<44}{median:>8.0f} ms{late:>8.0f} ms", flush=True)


def measure(waiters: int) -> None:
    least = lasts(waiters)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vidgate-bench-")))
        folder.chmod(0o755)
        server = EmbeddedServer.start(folder / "data")
        stack.callback(server.release)
        upstream, port, hooks = free_port(), free_port(), free_port()
        slow = [sys.executable, "slow.py", str(upstream)]
        slow += [str(least), str(least + ENDS_OVER), "0", str(waiters // ENDS)]
        stack.enter_context(process(slow, LOAD_CORE))
        variables = {
            "VIDGATE_DATABASE_URL": server.url,
            "VIDGATE_AUTO_MIGRATE": "true",
            "VIDGATE_SECRET_KEY": "YmVuY2htYXJrLWtleS1vZi0zMi1ieXRlcy1vci1tb3JlIQ==",
            "VIDGATE_LOG_LEVEL": "error",
            "VIDGATE_POLL_PACE": POLL_PACE,
            "VIDGATE_ALLOWED_NETWORKS": "127.0.0.0/8",
            "VIDGATE_TRUSTED_PROXIES": "127.0.0.0/8",  # one address may hold all connections
        }
        command_line(variables, "migrate")
        channel = ["add", "k", "--provider", "kling", "--key", "bench-key"]
        command_line(variables, "channel", *channel, "--base-url", f"http://127.0.0.1:{upstream}")
        serve = [sys.executable, "-m", "vidgate", "serve", "--port", str(port)]
        tasks: dict[str, str] = {}
        with process(serve, SERVER_CORE, **variables) as running:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            for first in range(0, waiters, PER_TOKEN):
                made = command_line(variables, "token", "create", "--name", str(first), "--json")
                token = json.loads(made)["key"]
                numbers = range(first, min(first + PER_TOKEN, waiters))
                posts = [request("POST", PATH, token, order(number, hooks)) for number in numbers]
                report = put_load(
                    port, posts, seconds=least, connections=32, once=True, keep_bodies=True
                )
                tasks |= {json.loads(body)["id"]: token for body in report.bodies}
            memory, answers, webhooks = uvloop.run(
                listen(server.url, port, hooks, running.pid, tasks)
            )
    print(f"{len(tasks):,} waiters{'':<32}{'median':>11}{'p99':>11}")
    say("the end is stored -> waiters are answered", answers)
    say("the end is stored -> webhooks are received", webhooks)
    print(f"memory of the waiters: {memory:.0f} MiB", flush=True)


def order(number: int, hooks: int) -> bytes:
    hook = f"http://127.0.0.1:{hooks}/{number}"
    return json.dumps(
        {"model": "kling-v2-6", "prompt": "a paper boat", "callback_url": hook}
    ).encode()


def main() -> None:
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise SystemExit("This needs two cores.")
    os.sched_setaffinity(0, {LOAD_CORE})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for waiters in WAITERS:
        measure(waiters)


if __name__ == "__main__":
    main()
