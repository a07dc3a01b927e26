"""Downloads from a real gateway process: many at once cost little memory, and arrive whole."""

import asyncio
import hashlib
from typing import Final

import psutil
from tests.processes.test_replicas import create, final
from tests.support.hosts import Exchange, head, open_host
from tests.support.processes import open_town

from vidgate.models.ids import parse_public_id
from vidgate.models.outcomes import VideoResult

READERS: Final = 16
MIB: Final = 1024 * 1024
CONTENT: Final = hashlib.shake_256(b"film").digest(20 * 1000 * 1000)
LIMIT_BYTES: Final = 100 * MIB


async def play(exchange: Exchange) -> None:
    await exchange.write(head(200, {"Content-Length": len(CONTENT), "Content-Type": "video/mp4"}))
    for start in range(0, len(CONTENT), MIB // 4):
        await exchange.write(CONTENT[start : start + MIB // 4])


async def test_sixteen_downloads_at_once_stay_small(database_url: str) -> None:
    async with open_town(database_url) as town, open_host() as host:
        host.plays = [play]
        gateway = await town.gateway()
        client = town.client(gateway)
        task = await create(client, "kling-v2-6")
        assert (await final(client, task, seconds=60))["status"] == "succeeded"
        task_id = parse_public_id("task_", task)
        assert task_id is not None
        assert await town.operator.tasks.renew_result(task_id, 0, VideoResult(url=host.url))
        process = psutil.Process(gateway.running.pid)
        idle_bytes = process.memory_info().rss
        peaks = []
        turns = asyncio.Barrier(READERS)

        async def read() -> str:
            digest = hashlib.sha256()
            async with client.stream("GET", f"/v1/videos/{task}/content") as answer:
                assert answer.status_code == 200
                pieces = answer.aiter_bytes(MIB)
                # All of them stand at the same place, with the gateway's buffers full or filling.
                for _ in range(len(CONTENT) // MIB):
                    if await turns.wait() == 0:
                        peaks.append(process.memory_info().rss)
                    digest.update(await anext(pieces))
                async for piece in pieces:
                    digest.update(piece)
            return digest.hexdigest()

        digests = await asyncio.gather(*(read() for _ in range(READERS)))

        assert set(digests) == {hashlib.sha256(CONTENT).hexdigest()}
        assert len(peaks) == len(CONTENT) // MIB
        assert max(peaks) - idle_bytes < LIMIT_BYTES
