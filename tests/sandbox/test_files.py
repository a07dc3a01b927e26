"""The videos: real, in part, and not for ever."""

import io
from dataclasses import replace
from typing import Any

import av
import httpx
import pytest
from tests.sandbox.support import KLING, KLING_HEADERS, ROOT, VIDU, VIDU_HEADERS, Clock, png

from vidgate.sandbox.app import create_sandbox
from vidgate.sandbox.settings import SandboxSettings
from vidgate.sandbox.video import Clip, encode


async def link(client: httpx.AsyncClient, clock: Clock, **settings: Any) -> Any:
    created = await client.post(
        f"{KLING}/text-to-video/kling-3.0",
        json={"prompt": "a boat", "settings": {"duration": 3, **settings}},
        headers=KLING_HEADERS,
    )
    clock.advance(40)
    task_id = created.json()["data"]["id"]
    answer = await client.get(f"{KLING}/tasks?task_ids={task_id}", headers=KLING_HEADERS)
    return answer.json()["data"][0]["outputs"][0]["url"]


def measure(content: bytes) -> tuple[int, int, int, float]:
    """Width, height, frames and frames per second of a decoded file."""
    with av.open(io.BytesIO(content), "r") as container:
        (stream,) = container.streams.video
        frames = list(container.decode(video=0))
        rate = float(stream.average_rate or 0)
    return frames[0].width, frames[0].height, len(frames), rate


@pytest.mark.parametrize(
    "clip", [Clip(1280, 720, 121), Clip(1088, 1920, 121), Clip(2176, 928, 50), Clip(64, 36, 1)]
)
def test_encoded_clips_decode(clip: Clip) -> None:
    content = encode(clip)
    assert measure(content) == (clip.width, clip.height, clip.frames, clip.fps)
    assert content.index(b"moov") < content.index(b"mdat")


def test_something_moves() -> None:
    with av.open(io.BytesIO(encode(Clip(320, 180, 97))), "r") as container:
        pictures = [bytes(frame.planes[0]) for frame in container.decode(video=0)]
    assert len(set(pictures[:48])) > 40


async def test_a_link_leads_to_the_video_that_was_asked_for(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    url = await link(client, clock, aspect_ratio="9:16")
    response = await client.get(url)
    assert response.status_code == 200
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["accept-ranges"] == "bytes"
    assert measure(response.content) == (720, 1280, 73, 24.0)


async def test_a_first_frame_gives_the_video_its_shape(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    body = {"model": "viduq3-pro", "images": [png(500, 1000, data_uri=True)], "duration": 1}
    created = await client.post(f"{VIDU}/img2video", json=body, headers=VIDU_HEADERS)
    clock.advance(40)
    answer = await client.get(
        f"{VIDU}/tasks/{created.json()['task_id']}/creations", headers=VIDU_HEADERS
    )
    content = (await client.get(answer.json()["creations"][0]["url"])).content
    assert measure(content)[:3] == (720, 1440, 25)


@pytest.mark.parametrize(
    ("wanted", "status", "slice_"),
    [
        ("bytes=0-99", 206, slice(0, 100)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=-50", 206, slice(-50, None)),
        ("bytes=0-99999999", 206, slice(None)),
        ("bytes=0-1,5-6", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
    ],
)
async def test_ranges(
    client: httpx.AsyncClient, clock: Clock, wanted: str, status: int, slice_: slice
) -> None:
    url = await link(client, clock)
    whole = (await client.get(url)).content
    part = await client.get(url, headers={"Range": wanted})
    assert part.status_code == status
    assert part.content == whole[slice_]
    if status == 206:
        assert part.headers["content-range"].endswith(f"/{len(whole)}")


async def test_a_range_beyond_the_end(client: httpx.AsyncClient, clock: Clock) -> None:
    url = await link(client, clock)
    size = int((await client.head(url)).headers["content-length"])
    response = await client.get(url, headers={"Range": f"bytes={size}-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{size}"


async def test_links_cannot_be_guessed_changed_or_kept(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    url = await link(client, clock)
    assert (await client.get(url.partition("?")[0])).status_code == 403
    assert (await client.get(url.replace("Expires=1", "Expires=2"))).status_code == 403
    assert (await client.get(url.replace("%2F", "/"))).status_code == 403
    assert (await client.get(f"{ROOT}/files/kling/1/video.mp4?Expires=9")).status_code == 404
    clock.advance(30 * 24 * 3600 - 1)
    assert (await client.get(url)).status_code == 200
    clock.advance(1)
    assert (await client.get(url)).status_code == 403


async def test_the_life_and_the_place_of_links_can_be_set(
    clock: Clock, settings: SandboxSettings
) -> None:
    changed = replace(settings, link_lifetime=60.0, public_base_url="http://files.test/")
    sandbox = create_sandbox(changed)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox)) as client:
        url = await link(client, clock)
        assert url.startswith("http://files.test/files/kling/")
        assert (await client.get(url)).status_code == 200
        clock.advance(60)
        assert (await client.get(url)).status_code == 403
    sandbox.world.videos.close()


async def test_a_video_is_encoded_while_its_job_runs(
    clock: Clock, settings: SandboxSettings
) -> None:
    sandbox = create_sandbox(replace(settings, encode_ahead=True))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox)) as client:
        await link(client, clock)
        clip = next(iter(sandbox.world.ledger)).clip
        encoding = sandbox.world.videos.prepare(clip)
        await link(client, clock)
        assert sandbox.world.videos.prepare(clip) is encoding
        assert encoding.result(timeout=20)[4:8] == b"ftyp"
    sandbox.world.videos.close()
