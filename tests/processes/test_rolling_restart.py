"""Three replicas behind the load balancer, stopped and started one by one while clients go on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.processes.test_replicas import final
from tests.support.balancer import HAPROXY, open_balancer
from tests.support.processes import free_port, open_town

PATH = "/v1/video/generations"
MODELS = ("kling-v2-6", "jimeng_t2v_v30", "viduq2")

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")


class Crowd:
    """Clients that repeat nothing, and what became of their requests.

    Attributes:
        made: Tasks that were accepted.
        done: How often each kind of request was answered.
        wrong: Whatever a client must not see.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.made: list[str] = []
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._client = client
        self._begun = asyncio.Event()
        self._is_over = False

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Let all of them go on meanwhile."""
        parts = (
            self._make,
            self._read,
            self._wait,
            self._make_and_wait,
            self._hear,
            self._hear_all,
        )
        clients = [asyncio.create_task(self._repeat(part)) for part in (*parts, *parts)]
        try:
            await asyncio.wait_for(self._begun.wait(), 30)
            yield
        finally:
            self._is_over = True
            await asyncio.wait_for(asyncio.gather(*clients), 90)

    async def _repeat(self, part: Callable[[], Awaitable[None]]) -> None:
        while not self._is_over:
            try:
                await part()
                self.done[part.__name__] += 1
            except (httpx.HTTPError, AssertionError) as error:
                self.wrong.append(f"{part.__name__}: {error!r}")
            await asyncio.sleep(0.1)  # a load that two cores bear beside three gateways

    async def _make(self) -> None:
        model = MODELS[len(self.made) % len(MODELS)]
        answer = await self._client.post(PATH, json={"model": model, "prompt": "a boat"})
        assert answer.status_code == 200, answer.text
        self.made.append(answer.json()["id"])
        self._begun.set()

    async def _make_and_wait(self) -> None:
        body = {"model": "kling-v2-6", "prompt": "a boat"}
        answer = await self._client.post(PATH, json=body, headers={"Prefer": "wait=5"})
        assert answer.status_code == 200, answer.text
        self.made.append(answer.json()["id"])

    async def _read(self) -> None:
        if self.made:
            answer = await self._client.get(f"{PATH}/{self.made[-1]}")
            assert answer.status_code == 200, answer.text

    async def _wait(self) -> None:
        if self.made:
            answer = await self._client.get(f"{PATH}/{self.made[-1]}", params={"wait": 5})
            assert answer.status_code == 200, answer.text

    async def _hear(self) -> None:
        if self.made:
            await self._listen(f"{PATH}/{self.made[-1]}/events")

    async def _hear_all(self) -> None:
        await self._listen("/v1/events")

    async def _listen(self, path: str) -> None:
        """Hear a stream to its end, which is no broken connection."""
        async with self._client.stream("GET", path) as response:
            assert response.status_code == 200, response.status_code
            lines = []
            async for line in response.aiter_lines():
                lines.append(line)
                if self._is_over:
                    break
        assert lines[0].startswith("retry: "), lines[:2]


async def test_a_rolling_restart_is_seen_by_no_client(database_url: str, tmp_path: Path) -> None:
    ports = [free_port() for _ in range(3)]
    names = {f"gateway{number}": port for number, port in enumerate(ports, 1)}
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    drain = {"VIDGATE_DRAIN": "5"}  # as in the compose file
    async with open_town(database_url, sandbox={"speed": 20}, **drain) as town:
        gateways = {name: await town.gateway(port=port) for name, port in names.items()}
        async with open_balancer(tmp_path, urls) as balancer:
            await balancer.expect(**dict.fromkeys(names, "UP"))
            headers = {"Authorization": f"Bearer {town.token}"}
            async with httpx.AsyncClient(
                base_url=balancer.url, headers=headers, timeout=60
            ) as client:
                crowd = Crowd(client)
                async with crowd.at_work():
                    for name, port in names.items():
                        assert await gateways[name].stop() == 0
                        gateways[name] = await town.gateway(port=port)
                        await balancer.expect(**{name: "UP"})

                assert crowd.wrong == []
                assert len(crowd.done) == 6
                ended = [await final(client, task, seconds=120) for task in crowd.made]
    assert {body["status"] for body in ended} == {"succeeded"}
