"""How soon clients hear of the end of their tasks, and what waiting for it costs.

With 1,000 and with 5,000 waiters, of whose tasks 300 end over 20 seconds: from the end as the
database has it, taken just before the commit, to the answer of `?wait=` and to the webhook. The way
is told in parts, so that the gateway's own is seen apart from what the load makes of it.

The gateway that is measured is a fresh one: what it takes more than idle are the waiters. The jobs
that do not end are asked about in an hour. It is alone on one core; the load, PostgreSQL and the
provider share the other. What other processes of the machine take of both is printed, since
latencies are worth little where that is much. Everything is on 127.0.0.1 and ends by itself, after
five minutes or so. Run it by `make bench`.
"""

import asyncio
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import asyncpg
import uvloop
from lag import cpu_seconds
from load import put_load
from run import (
    LOAD_CORE,
    SERVER_CORE,
    command_line,
    free_port,
    process,
    request,
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
COMING_PER_SECOND = 200
"""Waiters: so many ask anew in every second of a minute later."""

POLL_PACE = "3"
"""No job is asked about before it is put off."""

PATIENCE = 60.0
WAIT = 60
ANSWERED_AT_ONCE = 0.5
TICK_SECONDS = 0.01
DONE = ["0", "0", "0", "1"]
"""Jobs are done at once: they end when they are asked about."""

PATH = "/v1/video/generations"
_END = b"\r\n\r\n"
_PUT_OFF = "UPDATE attempts SET due_at = due_at + interval '1 hour' WHERE due_at IS NOT NULL"
_LET_END = """
    UPDATE attempts SET due_at = now() + chosen.number * CAST($1 AS interval)
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM attempts) AS chosen
    WHERE attempts.id = chosen.id AND chosen.number % $2 = 0
"""
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


@dataclass(frozen=True, slots=True)
class Heard:
    """What clients heard, in seconds since the epoch, and what it cost.

    Attributes:
        memory: What all waiters took together, in MiB.
        memory_anew: Likewise once those that are left have asked anew, with the states that they
            were told, which are remembered within a budget of their own.
        ends: By task, the end as it is stored.
        hooked: Likewise by the path of its webhook.
        answers: By task, when its waiter was answered.
        webhooks: By path, when it came.
        gateway: The part of its core that the gateway took while tasks ended.
        others: The part of both cores that processes of others took, up to 2.
        late: How late the load itself was with what it had to do, sorted.
    """

    memory: float
    memory_anew: float
    ends: Mapping[str, float]
    hooked: Mapping[str, float]
    answers: Mapping[str, float]
    webhooks: Mapping[str, float]
    gateway: float
    others: float
    late: Sequence[float]


async def listen(
    url: str, port: int, hooks: int, pid: int, tasks: Mapping[str, str], *, every: int
) -> Heard:
    """Wait for every task, of which some end.

    Args:
        url: Of the database.
        port: Of the gateway.
        hooks: The port for webhooks.
        pid: The gateway's process.
        tasks: Whose token knows each.
        every: Which of them end: each of that number.
    """
    loop = asyncio.get_running_loop()
    received: dict[str, float] = {}
    await loop.create_server(lambda: Receiver(received), "127.0.0.1", hooks, backlog=1024)
    connection = await asyncpg.connect(url)
    before = own_mib(pid)
    answers = {task: loop.create_future() for task in tasks}
    began = time.monotonic()
    for number, (task, token) in enumerate(tasks.items()):
        await asyncio.sleep(began + number / COMING_PER_SECOND - time.monotonic())
        question = request("GET", f"{PATH}/{task}?wait={WAIT}", token)
        waiter = Waiter(question, answers[task])
        await loop.create_connection(lambda waiter=waiter: waiter, "127.0.0.1", port)
    await asyncio.sleep(1)
    memory = own_mib(pid) - before
    if early := sum(done.done() for done in answers.values()):
        print(f"{early} waiters were answered before everybody waited", flush=True)
    # So that some ask anew while others hear of their ends.
    await asyncio.sleep(began + WAIT - ENDS_OVER / 2 - time.monotonic())
    late: list[float] = []
    ticking = asyncio.create_task(tick(late))
    expected = len(tasks) // every
    machine, gateway, began = busy_seconds(), cpu_seconds(pid), time.monotonic()
    ours = sum(cpu_seconds(one) for one in family())
    between = timedelta(seconds=ENDS_OVER / len(tasks))
    await connection.execute(_LET_END, between, every)
    await asyncio.sleep(ENDS_OVER)
    took = time.monotonic() - began
    gateway = (cpu_seconds(pid) - gateway) / took
    ours = sum(cpu_seconds(one) for one in family()) - ours
    others = (busy_seconds() - machine - ours) / took
    ticking.cancel()
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and (  # noqa: ASYNC110 - of another process
        len(received) < expected or sum(done.done() for done in answers.values()) < expected
    ):
        await asyncio.sleep(0.5)
    await asyncio.sleep(began + WAIT + len(tasks) / COMING_PER_SECOND + 1 - time.monotonic())
    memory_anew = own_mib(pid) - before
    rows = await connection.fetch(_ENDS)
    await connection.close()
    over = {task: done for task, done in answers.items() if done.done()}
    heard = {task: done.result() for task, done in over.items() if done.exception() is None}
    for reason in {f"{done.exception()}" for task, done in over.items() if task not in heard}:
        print(reason, flush=True)
    print(f"{len(heard)} answers and {len(received)} webhooks of {expected} came", flush=True)
    return Heard(
        memory,
        memory_anew,
        {public_id("task_", row["id"]): row["at"] for row in rows},
        {urlsplit(row["callback_url"]).path: row["at"] for row in rows},
        heard,
        received,
        gateway,
        others,
        sorted(late),
    )


async def tick(late: list[float]) -> None:
    """Note how late this process is with what is due: so much of a latency is its own."""
    while True:
        due = time.monotonic() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        late.append(time.monotonic() - due)


def family() -> Iterator[int]:
    """This process and all that it has started, PostgreSQL with its connections among them."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    left = [os.getpid(), *POSTGRES]
    while left:
        one = left.pop()
        yield one
        left += parents.get(one, [])


POSTGRES: list[int] = []
"""The server's process, which is no child of ours."""


def own_mib(pid: int) -> float:
    """The memory that a process has written to; the kernel takes pages of files back at will."""
    text = Path(f"/proc/{pid}/status").read_text()
    return sum(int(kib) for kib in re.findall(r"(?:RssAnon|VmSwap):\s+(\d+) kB", text)) / 1024


def busy_seconds() -> float:
    """What all processes of the machine have taken of its cores."""
    user, nice, system, _, _, interrupts, soft = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    )
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def say(name: str, lags: Iterable[float]) -> None:
    found = sorted(lags)
    if not found:
        print(f"{name:<44}     none", flush=True)
        return
    median, late = (found[len(found) * share // 100] * 1000 for share in (50, 99))
    print(f"{name:<44}{median:>8.0f} ms{late:>8.0f} ms", flush=True)


def measure(waiters: int) -> None:
    every = max(1, waiters // ENDS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vidgate-bench-")))
        folder.chmod(0o755)
        server = EmbeddedServer.start(folder / "data")
        stack.callback(server.release)
        POSTGRES[:] = [
            int((folder / "data" / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
        ]
        upstream, port, hooks, told = free_port(), free_port(), free_port(), folder / "told.json"
        stack.enter_context(process([sys.executable, "slow.py", str(upstream), *DONE], LOAD_CORE))
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
        gateway = [sys.executable, "told.py", str(told), "serve", "--port", str(port)]
        tasks: dict[str, str] = {}
        with process(gateway, **variables):
            wait_for(f"http://127.0.0.1:{port}/readyz")
            for first in range(0, waiters, PER_TOKEN):
                made = command_line(variables, "token", "create", "--name", str(first), "--json")
                token = json.loads(made)["key"]
                numbers = range(first, min(first + PER_TOKEN, waiters))
                posts = [request("POST", PATH, token, order(number, hooks)) for number in numbers]
                report = put_load(
                    port, posts, seconds=120, connections=32, once=True, keep_bodies=True
                )
                tasks |= {json.loads(body)["id"]: token for body in report.bodies}
                asyncio.run(put_off(server.url))
        with process(gateway, SERVER_CORE, **variables) as running:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            task, token = next(iter(tasks.items()))
            first_wait = request("GET", f"{PATH}/{task}?wait=1", token)
            put_load(port, [first_wait], seconds=5, connections=1, once=True)
            heard = uvloop.run(listen(server.url, port, hooks, running.pid, tasks, every=every))
        hinted, written, sent = json.loads(told.read_text())
    ends, answers = heard.ends, heard.answers
    print(f"{len(tasks):,} waiters{'':<32}{'median':>11}{'p99':>11}")
    say(
        "the end is stored -> waiters are answered", (at - ends[one] for one, at in answers.items())
    )
    say("  stored -> known to the gateway", (hinted[one] - ends[one] for one in answers))
    say("  known -> answer written", (written[one] - hinted[one] for one in answers))
    say("  written -> read by the client", (at - written[one] for one, at in answers.items()))
    webhooks, hooked = heard.webhooks, heard.hooked
    say(
        "the end is stored -> webhooks are received",
        (at - hooked[one] for one, at in webhooks.items()),
    )
    say("  stored -> sent", (sent[one] - hooked[one] for one in webhooks))
    say("how late the load itself was", heard.late)
    print(f"memory of the waiters: {heard.memory:.0f} MiB", end=", ")
    print(f"{heard.memory * 1048.576 / len(tasks):.1f} kB each", end=", ")
    print(f"with the states that they were told {heard.memory_anew:.0f} MiB")
    print(
        f"gateway {heard.gateway:.2f} of its core, processes of others {heard.others:.2f} of both"
    )


async def put_off(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(_PUT_OFF)
    await connection.close()


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
