"""Telling the operator's own service of channels."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
from pydantic import SecretStr
from tests.support.engine import Engine, open_engine
from typing_extensions import override

from vidgate.constants import NOTICE_RETRY
from vidgate.exceptions import NotSentError
from vidgate.models.channels import Channel, ChannelState
from vidgate.providers.transport.guard import GuardedFetcher, PostAnswer
from vidgate.services.channels.notices import Notices

URL = "https://ops.example/hook"


class Receiver(GuardedFetcher):
    """Takes notices, or does not."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[dict[str, Any]] = []
        self.answer: int | Exception = 204

    @override
    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        *,
        keep_bytes: int,
        timeout_seconds: float,
    ) -> PostAnswer:
        assert (url, headers["Content-Type"]) == (URL, "application/json")
        if isinstance(self.answer, Exception):
            raise self.answer
        self.taken.append(orjson.loads(content))
        return PostAnswer(self.answer, {}, b"")


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def engines(database_url: str) -> AsyncIterator[list[Engine]]:
    async with (
        open_engine(database_url) as one,
        open_engine(database_url, one.clock) as other,
    ):
        yield [one, other]


async def rounds(engines: list[Engine], receiver: Receiver) -> None:
    for engine in engines:
        notices = Notices(
            states=engine.operator.channel_states, fetcher=receiver, clock=engine.clock, url=URL
        )
        await notices.round()


async def out(engine: Engine, channel: Channel, reason: str = "no money") -> None:
    await engine.operator.channel_states.take_out(
        channel.id,
        ChannelState.BALANCE,
        reason,
        credential_id=channel.credential_id,
        now=engine.clock.now(),
    )


async def test_a_channel_that_goes_out_or_comes_back_is_told_of_once(
    engines: list[Engine], receiver: Receiver
) -> None:
    engine = engines[0]
    channel = await engine.channel("kling")
    states, now = engine.operator.channel_states, engine.clock.now()
    await rounds(engines, receiver)
    assert receiver.taken == []

    await out(engine, channel)
    await rounds(engines, receiver)
    await rounds(engines, receiver)
    told = {
        "object": "notice",
        "type": "channel.out",
        "channel": "kling",
        "provider": "kling",
        "state": "balance",
        "reason": "no money",
        "since": int(now.timestamp()),
    }
    assert receiver.taken == [told]

    engine.clock.advance(minutes=5)
    await states.put_back(channel.id, engine.clock.now())
    await rounds(engines, receiver)
    await rounds(engines, receiver)
    assert [one["type"] for one in receiver.taken] == ["channel.out", "channel.back"]


async def test_probes_that_fail_are_no_news(engines: list[Engine], receiver: Receiver) -> None:
    engine = engines[0]
    channel = await engine.channel("kling")
    states, clock = engine.operator.channel_states, engine.clock
    await states.open(channel.id, "it fails", clock.now())
    await rounds(engines, receiver)
    for _ in range(3):
        clock.advance(minutes=5)
        assert await states.probe(channel.id, clock.now(), clock.now())
        assert await states.reopen(channel.id, "it fails still", clock.now())
        await rounds(engines, receiver)
    assert [one["state"] for one in receiver.taken] == ["open"]

    clock.advance(minutes=5)
    await states.probe(channel.id, clock.now(), clock.now())
    await states.close(channel.id, clock.now())
    await rounds(engines, receiver)
    assert [one["type"] for one in receiver.taken] == ["channel.out", "channel.back"]


@pytest.mark.parametrize("answer", [500, 302, NotSentError("No connection.")])
async def test_what_was_not_taken_is_told_again(
    engines: list[Engine], receiver: Receiver, answer: int | Exception
) -> None:
    engine = engines[0]
    channel = await engine.channel("kling")
    receiver.answer = answer
    await out(engine, channel)
    await rounds(engines, receiver)
    receiver.answer = 200
    receiver.taken.clear()
    await rounds(engines, receiver)
    assert receiver.taken == []

    engine.clock.advance(seconds=NOTICE_RETRY.total_seconds())
    await rounds(engines, receiver)

    assert len(receiver.taken) == 1


async def test_without_an_address_nobody_is_told(database_url: str) -> None:
    async with open_engine(database_url) as engine:
        assert "notices" not in [loop._name for loop in engine.services.loops]
    async with open_engine(database_url, notice_url=SecretStr(URL)) as engine:
        assert "notices" in [loop._name for loop in engine.services.loops]
