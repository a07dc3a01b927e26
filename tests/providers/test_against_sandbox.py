"""What an adapter makes of any request is taken by the stand-in that was written without it."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from tests.support.adapters import ADAPTERS
from tests.support.upstreams import NAMES, SITUATIONS

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.channels import ChannelAccess
from vidgate.models.ids import new_id, public_id
from vidgate.models.outcomes import Submission
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Call, Provider, SubmitIds
from vidgate.sandbox.app import create_sandbox
from vidgate.sandbox.registry import SANDBOX_KEYS, SANDBOX_MODELS
from vidgate.sandbox.settings import SandboxSettings

PROMPTS = ["a boat on a river", "她转身微笑", "slow push-in", ""]
"""Whether the last will do is not for an adapter to say that knows no models."""


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def requests_of(provider: Provider) -> st.SearchStrategy[VideoRequest]:
    """Requests in generic fields, now and then with a vendor's field; most of them possible."""
    models = sorted(provider.capabilities.models) or SANDBOX_MODELS[provider.name]
    takes = [
        one for model in provider.capabilities.models.values() for one in model.actions.values()
    ]
    most = max((one.images[1] for one in takes), default=4)
    sizes = [(1280, 720), (720, 1280), (1920, 1080), (1024, 1024), (960, 540), (3840, 2160)]
    return st.builds(
        _request,
        model=st.sampled_from(models),
        prompt=st.sampled_from(PROMPTS if provider.capabilities.models else PROMPTS[:-1]),
        duration=st.sampled_from([None, None, 3, 4, 5, 5, 8, 10, 15]),
        size=st.sampled_from([None, None, *sizes]),
        ratio=st.sampled_from([None, "16:9", "9:16", "1:1", "4:3"]),
        pictures=st.integers(0, min(4, most)),
        seed=st.sampled_from([None, 7]),
        metadata=st.sampled_from([{}, {}, *SITUATIONS[provider.name].metadata]),
    )


def _request(
    *,
    model: str,
    prompt: str,
    duration: int | None,
    size: tuple[int, int] | None,
    ratio: str | None,
    pictures: int,
    seed: int | None,
    metadata: dict[str, Any],
) -> VideoRequest:
    if pictures == 0 and "image_tail" in metadata:
        metadata = {}  # what metadata says is the vendor's to judge, and it would refuse this
    return VideoRequest(
        model=model,
        prompt=prompt,
        duration_seconds=duration,
        width=size[0] if size else None,
        height=size[1] if size else None,
        aspect_ratio=None if size else ratio,
        images=tuple(Image(url=f"https://a.test/{n}.png") for n in range(pictures)),
        seed=seed,
        metadata=metadata,
    )


async def submit(provider: Provider, request: VideoRequest) -> Any:
    """Send what the adapter writes, step by step, to a stand-in of its own."""
    sandbox = create_sandbox(SandboxSettings(encode_ahead=False, hang_seconds=1))
    base_url = f"http://127.0.0.1:3900/{provider.name}"
    access = ChannelAccess(base_url, SecretStr(SANDBOX_KEYS[provider.name]))
    translation = provider.translate(request)
    ids = SubmitIds(correlation=public_id("vg_", new_id()))
    call = provider.submit(translation, access, ids, datetime.now(UTC))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        while True:
            response = await client.send(call.request)
            answer = call.read(response)
            if not isinstance(answer, Call):
                return translation, response.text, answer
            call = answer


@pytest.mark.parametrize("name", NAMES)
def test_a_request_is_refused_by_name_or_taken(name: str, loop: asyncio.Runner) -> None:
    provider = ADAPTERS[name]

    @settings(
        max_examples=600,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests_of(provider))
    def check(request: VideoRequest) -> None:
        try:
            translation, said, answer = loop.run(submit(provider, request))
        except UnsupportedParameterError as error:
            refused.append(error.param)
            return
        assert isinstance(answer, Submission), (request, translation.endpoint, said)
        taken.append(translation.facts.model)

    taken: list[str] = []
    refused: list[str | None] = []
    check()
    assert all(refused)
    assert len(taken) >= 50
    assert len(set(taken)) >= 3
