"""The load balancer of `docker-compose.yml`: HAProxy with `deploy/haproxy.cfg`, on loopback."""

import asyncio
import csv
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from tests.support.processes import free_port, wait_until

__all__ = ["HAPROXY", "Balancer", "open_balancer"]

HAPROXY = shutil.which("haproxy")
_CONFIGURED = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"


class Balancer:
    """A running HAProxy.

    Attributes:
        url: Where clients come in.
    """

    def __init__(self, url: str, control: httpx.AsyncClient) -> None:
        self.url = url
        self._control = control

    async def expect(self, **states: str) -> None:
        """Wait until it finds gateways as named: `UP` or `DOWN`."""

        async def found() -> bool:
            rows = csv.DictReader((await self._control.get("/;csv")).text.splitlines())
            told = {row["svname"]: row["status"] for row in rows}
            return all(told[name].startswith(state) for name, state in states.items())

        await wait_until(found, seconds=60)


@asynccontextmanager
async def open_balancer(directory: Path, urls: Sequence[str]) -> AsyncIterator[Balancer]:
    """Start it in front of gateways, which it calls `gateway1` and so on.

    All of the compose file's settings hold, but for the names that Docker gives.
    """
    port, control = free_port(), free_port()
    text = _CONFIGURED.read_text()
    text = re.sub(r"^resolvers docker\n(?:    .*\n)+", "", text, flags=re.MULTILINE)
    servers = "\n".join(
        f"    server gateway{number} {url.removeprefix('http://')}"
        for number, url in enumerate(urls, 1)
    )
    for old, new in (
        ("bind :3000", f"bind 127.0.0.1:{port}"),
        (" resolvers docker init-addr none", ""),
        ("    server-template gateway 20 gateway:3000", servers),
        ("maxconn 32768", "maxconn 1024"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    text += f"\nlisten control\n    bind 127.0.0.1:{control}\n    stats enable\n    stats uri /\n"
    path = directory / "haproxy.cfg"
    path.write_text(text)
    assert HAPROXY is not None
    process = await asyncio.create_subprocess_exec(HAPROXY, "-db", "-f", str(path))
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{control}") as client:
            balancer = Balancer(f"http://127.0.0.1:{port}", client)

            async def answers() -> bool:
                assert process.returncode is None, "it ended"
                try:
                    return (await client.get("/")).status_code == 200
                except httpx.TransportError:
                    return False

            await wait_until(answers, seconds=20)
            yield balancer
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 20)
