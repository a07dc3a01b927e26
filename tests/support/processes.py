"""Real processes on loopback: gateways and the sandbox, started and stopped by their ids."""

import asyncio
import itertools
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr
from tests.support.engine import SECRET_KEY

from vidgate.config import Settings
from vidgate.factory import OperatorContext, open_operator_context
from vidgate.models.channels import NewChannel
from vidgate.sandbox.registry import SANDBOX_KEYS, SANDBOX_MODELS

__all__ = ["Process", "Town", "free_port", "open_town", "wait_until"]

_START_SECONDS = 90.0
"""Two cores may be busy with other things."""


_PORTS = itertools.count(
    20_000 + 1_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
)
"""Below those that systems give away by themselves, and apart for each worker of the tests: nobody
takes one between its choice and the process that listens there."""


def free_port() -> int:
    """A port that nobody listens on."""
    for port in _PORTS:
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError


async def wait_until(question: Callable[[], Any], *, seconds: float) -> Any:
    """Ask until the answer is true, and return it; fail when time is up."""
    ends = time.monotonic() + seconds
    while True:
        answer = question()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < ends, "it did not come true in time"
        await asyncio.sleep(0.1)  # another process has to move; there is nothing to wait on


@dataclass
class Process:
    """One process of ours, and where it listens."""

    running: asyncio.subprocess.Process
    url: str

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.running.kill()
        await self.running.wait()

    async def stop(self) -> int:
        """Ask it to end, and return its exit status."""
        if self.running.returncode is None:
            self.running.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.running.wait(), 60)


@dataclass
class Town:
    """A database, a sandbox, a token, and as many gateways as a test starts."""

    operator: OperatorContext
    sandbox: httpx.AsyncClient
    token: str
    variables: Mapping[str, str]
    stack: AsyncExitStack

    async def gateway(self, *options: str, port: int | None = None, **variables: str) -> Process:
        port = port or free_port()
        process = await _start(
            ["serve", "--port", str(port), *options],
            f"http://127.0.0.1:{port}",
            {**self.variables, **variables},
        )
        self.stack.push_async_callback(_end, process)
        await _answers(process, "/readyz")
        return process

    def client(self, gateway: Process) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            base_url=gateway.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=60
        )
        self.stack.push_async_callback(client.aclose)
        return client

    async def ledger(self) -> list[dict[str, Any]]:
        answer = await self.sandbox.get("/_sandbox/ledger", params={"limit": 10_000})
        jobs: list[dict[str, Any]] = answer.json()["jobs"]
        return jobs


@asynccontextmanager
async def open_town(
    database_url: str, *, sandbox: Mapping[str, Any] | None = None, **variables: str
) -> AsyncIterator[Town]:
    """Start a sandbox with a channel for each provider.

    Args:
        database_url: Migrated.
        sandbox: Settings for its control surface.
        variables: For the gateways' environment.
    """
    configured = Settings(
        database_url=SecretStr(database_url), secret_key=SecretStr(SECRET_KEY), db_pool=2
    )
    environment = {
        "VIDGATE_DATABASE_URL": database_url,
        "VIDGATE_SECRET_KEY": SECRET_KEY,
        "VIDGATE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "VIDGATE_DB_POOL": "4",
        "VIDGATE_POLL_PACE": "0.02",
        "VIDGATE_LOG_LEVEL": "warning",
    } | variables
    async with AsyncExitStack() as stack:
        operator = await stack.enter_async_context(open_operator_context(configured))
        port = free_port()
        process = await _start(
            ["sandbox", "--port", str(port)], f"http://127.0.0.1:{port}", environment
        )
        stack.push_async_callback(_end, process)
        await _answers(process, "/_sandbox/stats")
        control = httpx.AsyncClient(base_url=process.url, timeout=60)
        stack.push_async_callback(control.aclose)
        answer = await control.post("/_sandbox/settings", json=sandbox or {"speed": 50})
        assert answer.status_code == 200, answer.text
        for provider, key in SANDBOX_KEYS.items():
            await operator.provisioning.add_channel(
                NewChannel(
                    name=provider,
                    provider=provider,
                    key=key,
                    base_url=f"{process.url}/{provider}",
                    models=SANDBOX_MODELS.get(provider, ()),
                )
            )
        _, token = await operator.provisioning.create_token(name="town")
        yield Town(operator, control, token, environment, stack)


async def _start(arguments: list[str], url: str, variables: Mapping[str, str]) -> Process:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("VIDGATE_")}
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "vidgate",
        *arguments,
        env=inherited | dict(variables),
        stdin=asyncio.subprocess.DEVNULL,
    )
    return Process(running, url)


async def _answers(process: Process, path: str) -> None:
    async with httpx.AsyncClient(base_url=process.url) as client:

        async def asked() -> bool:
            assert process.running.returncode is None, "the process ended"
            try:
                return (await client.get(path)).status_code == 200
            except httpx.TransportError:
                return False

        await wait_until(asked, seconds=_START_SECONDS)


async def _end(process: Process) -> None:
    if process.running.returncode is None:
        await process.stop()
