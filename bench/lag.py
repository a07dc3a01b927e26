"""How long after its provider a job is final here, with many in flight at one slow channel.

Every question and every part of a video takes 600 ms; the jobs end over a minute. Everything is on
127.0.0.1 and ends by itself, after three minutes or so. Run it by `make lag`.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import asyncpg
from load import put_load
from run import POST_BODY, command_line, free_port, process, request, wait_for
from slow import ANSWER_SECONDS, LASTS

from vidgate.db.embedded import EmbeddedServer

IN_FLIGHT = int(os.environ.get("IN_FLIGHT", "5000"))
LONGEST = LASTS[1]
LATE = 25.0
FIRST, INTERVAL, GROWTH, LONGEST_INTERVAL = 30.0, 4.0, 1.15, 10.0
"""Seconds, but for the growth: the pace of the model."""

PATIENCE = 60.0
"""Seconds after the last job has ended in which it must be known."""

_LAGS = """
    SELECT extract(epoch FROM t.finished_at)
           - CAST(split_part(a.ref_id, '-', 1) AS double precision) / 1000 AS lag,
           CAST(t.status AS text) AS status,
           o.result ? 'fps' AND o.result->>'fps' IS NOT NULL AS looked,
           a.polls, a.misses, a.last_reason
    FROM attempts a JOIN tasks t ON t.id = a.task_id JOIN outputs o ON o.task_id = t.id
    WHERE a.ref_id IS NOT NULL
"""
_LEFT = "SELECT count(*) FROM tasks WHERE status IN ('queued', 'in_progress')"


async def follow(url: str, ends: float) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    while time.time() < ends and await connection.fetchval(_LEFT):  # noqa: ASYNC110 - of another process
        await asyncio.sleep(1)
    rows: list[asyncpg.Record] = await connection.fetch(_LAGS)
    await connection.close()
    return rows


def pace_alone() -> list[float]:
    """The lags if nothing ever waited: what lies between two asks at the pace of the model."""
    shuffled = random.Random(5)
    lags = []
    for _ in range(IN_FLIGHT):
        ends, asked, polls = shuffled.uniform(*LASTS), FIRST, 0
        while asked + ANSWER_SECONDS / 2 < ends:
            polls += 1
            wait = min(INTERVAL * GROWTH**polls, LONGEST_INTERVAL)
            asked += ANSWER_SECONDS + wait * shuffled.uniform(0.9, 1.1)
        lags.append(asked + 2 * ANSWER_SECONDS - ends)
    return sorted(lags)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(one) for one in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vidgate-bench-")))
        folder.chmod(0o755)
        server = EmbeddedServer.start(folder / "data")
        stack.callback(server.release)
        upstream, port, counts = free_port(), free_port(), folder / "counts.json"
        stack.enter_context(process([sys.executable, "slow.py", str(upstream)]))
        variables = {
            "VIDGATE_DATABASE_URL": server.url,
            "VIDGATE_AUTO_MIGRATE": "true",
            "VIDGATE_SECRET_KEY": "YmVuY2htYXJrLWtleS1vZi0zMi1ieXRlcy1vci1tb3JlIQ==",
            "VIDGATE_LOG_LEVEL": "error",
            "VIDGATE_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        command_line(variables, "migrate")
        made = command_line(variables, "token", "create", "--name", "b", "--json")
        token = json.loads(made)["key"]
        channel = ["add", "k", "--provider", "kling", "--key", "bench-key"]
        command_line(variables, "channel", *channel, "--base-url", f"http://127.0.0.1:{upstream}")
        post = request("POST", "/v1/video/generations", token, POST_BODY)
        gateway = [sys.executable, "counted.py", str(counts), "serve", "--port", str(port)]
        with process(gateway, **variables) as running:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            began = time.time()
            posts = put_load(
                port, [post] * IN_FLIGHT, seconds=100, connections=32, once=True, keep_bodies=False
            )
            submitted = time.time()
            print(f"{IN_FLIGHT:,} jobs submitted in {submitted - began:.0f} s", flush=True)
            before = cpu_seconds(running.pid)
            rows = asyncio.run(follow(server.url, submitted + LONGEST + PATIENCE))
            took = time.time() - submitted
            cpu = cpu_seconds(running.pid) - before
        spent = json.loads(counts.read_text())
    lags = sorted(row["lag"] for row in rows if row["lag"] is not None)
    unseen = sum(row["lag"] is None for row in rows) + posts.others
    looked = sum(bool(row["looked"]) for row in rows)
    print(f"ended: {len(lags):,}, looked into: {looked:,}, never seen: {unseen:,}")
    floor = pace_alone()
    for share in (50, 90, 99, 100):
        ours, least = (one[min(len(one) * share // 100, len(one) - 1)] for one in (lags, floor))
        print(f"lag p{share:<4}{ours:>9.1f} s, of which the pace alone makes {least:.1f} s")
    late = [row for row in rows if row["lag"] is not None and row["lag"] > LATE]
    print(f"later than {LATE:.0f} s: {len(late)}", [tuple(row) for row in late[:5]])
    print(f"gateway {cpu / took:.2f} of a core over {took:.0f} s")
    for name, (count, seconds) in sorted(spent.items(), key=lambda item: -item[1][1])[:10]:
        print(f"{name:<20}{count:>8}{seconds:>9.1f} s")


if __name__ == "__main__":
    main()
