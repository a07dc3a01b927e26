"""Telling the operator's own service of channels."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import Upstream
from typing_extensions import override

from vidgate.constants import NOTICE_RETRY
from vidgate.db.engine import Statement
from vidgate.db.notices import NoticeStore
from vidgate.exceptions import NotSentError
from vidgate.models.channels import Channel, ChannelState
from vidgate.models.ids import ACCOUNT_PREFIX, public_id
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


async def rounds(engines: list[Engine], receiver: Receiver, url: str | None = URL) -> None:
    for engine in engines:
        notices = Notices(
            states=engine.operator.channel_states,
            kept=NoticeStore(engine.operator.database),
            channels=engine.operator.channels,
            fetcher=receiver,
            clock=engine.clock,
            metrics=engine.services.metrics,
            url=url,
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
        now = clock.now()
        assert await states.probe(channel.id, now, now)
        assert await states.reopen(channel.id, "it fails still", now, probe=now)
        await rounds(engines, receiver)
    assert [one["state"] for one in receiver.taken] == ["open"]

    clock.advance(minutes=5)
    now = clock.now()
    await states.probe(channel.id, now, now)
    await states.close(channel.id, now, probe=now)
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


async def test_without_an_address_and_prices_nobody_is_told(database_url: str) -> None:
    async with open_engine(database_url) as engine:
        assert "notices" not in [loop._name for loop in engine.services.loops]
    async with open_engine(database_url, notice_url=SecretStr(URL)) as engine:
        assert "notices" in [loop._name for loop in engine.services.loops]


COUNT = Statement(text("SELECT count(*) FROM notices"))


@pytest.fixture
async def priced(database_url: str) -> AsyncIterator[list[Engine]]:
    """Two processes, and a video for which its provider took more than was held."""
    async with (
        open_engine(database_url, prices="shipped") as one,
        open_engine(database_url, one.clock, prices="shipped") as other,
    ):
        await one.channel("kling")
        Upstream(one.router, "kling").on_poll = ["succeeded"]  # and took 2.5 units for 1.5
        await one.create("kling-v2-6", duration_seconds=5)
        for _ in range(3):
            await one.tick(minutes=2)
        yield [one, other]


@pytest.mark.parametrize("url", [URL, None])
async def test_what_a_provider_took_beyond_the_hold_is_told_once(
    priced: list[Engine], receiver: Receiver, url: str | None
) -> None:
    (task,) = await priced[0].all_tasks()

    with capture_logs() as logs:
        for _ in range(3):
            await rounds(priced, receiver, url)
            priced[0].clock.advance(seconds=NOTICE_RETRY.total_seconds())

    told = {
        "channel": "kling",
        "provider": "kling",
        "task": task.public_id,
        "output": 0,
        "account": public_id(ACCOUNT_PREFIX, task.account_id),
        "micros": 140_000,
        "held_micros": 210_000,
        "amount": "0.140000",
        "currency": "USD",
    }
    sent = [{"object": "notice", "type": "charge.extra", **told}]
    assert receiver.taken == ([] if url is None else sent)
    lines = [line for line in logs if line["event"] == "A provider took more than was held"]
    assert lines == [{**told, "event": lines[0]["event"], "log_level": "warning"}]
    counted = b"".join(engine.services.metrics.render() for engine in priced)
    assert counted.count(b'vidgate_extra_micros_total{channel="kling"} 140000.0') == 1
    assert await priced[0].operator.database.fetch_value(COUNT) == 0


async def test_it_is_told_until_it_is_taken(priced: list[Engine], receiver: Receiver) -> None:
    receiver.answer = NotSentError("refused")
    with capture_logs() as logs:
        await rounds(priced, receiver)
        assert await priced[0].operator.database.fetch_value(COUNT) == 1
        receiver.answer = 200
        await rounds(priced, receiver)
        assert receiver.taken == []
        priced[0].clock.advance(seconds=NOTICE_RETRY.total_seconds())
        await rounds(priced, receiver)

    assert len(receiver.taken) == 1
    assert [line["event"] for line in logs].count("A provider took more than was held") == 1


async def test_what_is_within_the_hold_is_not_told(database_url: str, receiver: Receiver) -> None:
    async with open_engine(database_url, prices="shipped") as engine:
        await engine.channel("kling")
        Upstream(engine.router, "kling").on_poll = ["succeeded"]
        await engine.create("kling-v2-6", duration_seconds=10)
        for _ in range(3):
            await engine.tick(minutes=2)

        await rounds([engine], receiver)

    assert receiver.taken == []
