"""Webhooks over real sockets: sent, signed, tried again, parked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from tests.support.engine import Engine, open_engine
from tests.support.receiver import Receiver, open_receiver
from tests.support.upstreams import MODELS, Upstream, refusal
from tests.support.waiting import until

from vidgate.constants import WEBHOOK_SCHEDULE, WEBHOOKS_PER_HOST
from vidgate.db.deliveries import DeliveryStore
from vidgate.exceptions import RequestError
from vidgate.models.attempts import Lease
from vidgate.models.ids import new_id
from vidgate.models.outcomes import FaultKind
from vidgate.models.requests import VideoRequest
from vidgate.models.webhooks import Delivery, DeliveryQuery, DeliveryStatus, DeliveryTry, EventType
from vidgate.services.deliveries.webhook_secrets import new_webhook_secret
from vidgate.services.tasks.creating import Created

ENDS = {
    "succeeded": EventType.COMPLETED,
    "failed": EventType.FAILED,
}


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    async with open_engine(database_url, allowed_networks="127.0.0.0/8") as engine:
        await engine.channel("kling")
        yield engine


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


@pytest.fixture
def upstream(engine: Engine) -> Upstream:
    return Upstream(engine.router, "kling")


async def create(engine: Engine, url: str, *, dialect: str = "newapi", **members: Any) -> Created:
    metadata = {"callback_url": url} if url else {}
    request = VideoRequest(model=MODELS["kling"], prompt="a boat", metadata=metadata)
    return await engine.services.task_creator.create(
        engine.caller, request, dialect=dialect, **members
    )


async def deliver(engine: Engine, **span: float) -> None:
    """Move the clock, and send what is due then."""
    engine.clock.advance(**span)
    await engine.services.deliverer.round()
    await engine.services.deliverer.idle()


async def deliveries(engine: Engine, **filters: Any) -> list[Delivery]:
    return await DeliveryStore(engine.operator.database).page(DeliveryQuery(**filters))


async def endpoint(engine: Engine, url: str, *types: str) -> tuple[UUID, str]:
    made, secret = await engine.services.webhook_endpoints.create(
        engine.caller.sight,
        name="mine",
        url=url,
        event_types=list(types or ("video.completed", "video.failed", "video.cancelled")),
    )
    return made.id, secret


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("dialect", ["newapi", "openai"])
async def test_the_end_is_told_once_and_signed(
    engine: Engine, receiver: Receiver, upstream: Upstream, end: str, dialect: str
) -> None:
    created = await create(engine, f"{receiver.url}/hook", dialect=dialect)
    await deliver(engine)
    assert receiver.received == []
    upstream.on_poll = [end]
    await engine.tick(minutes=5)

    await deliver(engine)
    await deliver(engine, hours=1)

    [webhook] = receiver.received
    body = webhook.body
    assert (body["object"], body["type"]) == ("event", ENDS[end].value)
    assert body["id"] == webhook.id
    assert body["data"]["id"] == created.snapshot.public_id
    assert ("object" in body["data"]) == (dialect == "openai")
    secret = await engine.services.webhook_secrets.current(engine.caller.account_id, None)
    assert webhook.is_signed_with(secret)
    assert not webhook.is_signed_with(new_webhook_secret())
    [delivery] = await deliveries(engine)
    assert (delivery.status, delivery.due_at) == (DeliveryStatus.DELIVERED, None)


async def test_a_host_has_the_next_one_before_the_last_is_written_down(
    engine: Engine, receiver: Receiver, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = WEBHOOKS_PER_HOST + 1
    for _ in range(count):
        await create(engine, f"{receiver.url}/hook")
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)
    deliverer, write, is_written = engine.services.deliverer, DeliveryStore.record, asyncio.Event()

    async def record(*arguments: Any, **named: Any) -> str | None:
        await is_written.wait()
        return await write(*arguments, **named)

    monkeypatch.setattr(DeliveryStore, "record", record)
    await deliverer.round()
    await until(lambda: len(receiver.received) == WEBHOOKS_PER_HOST)
    await until(lambda: not deliverer._rooms.free(engine.clock.now()))
    assert deliverer.wanted.is_set()
    await deliverer.round()
    await until(lambda: len(receiver.received) == count)
    is_written.set()
    await deliverer.idle()

    assert {one.status for one in await deliveries(engine)} == {DeliveryStatus.DELIVERED}


async def test_a_native_task_gets_its_vendors_own_callback(
    engine: Engine, receiver: Receiver, upstream: Upstream
) -> None:
    created = await create(engine, f"{receiver.url}/hook", dialect="kling")
    newer = await create(
        engine, f"{receiver.url}/hook", dialect="kling", echo={"generation": "new"}
    )
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)

    await deliver(engine)

    bodies = [webhook.body for webhook in receiver.received]
    [legacy] = [body for body in bodies if "task_id" in body]
    assert legacy["task_id"] == created.snapshot.public_id
    assert legacy["task_status"] == "succeed"
    assert "code" not in legacy
    [new] = [body for body in bodies if "task_id" not in body]
    assert (new["id"], new["status"]) == (newer.snapshot.public_id, "succeeded")


async def test_registered_endpoints_hear_what_they_asked_for(
    engine: Engine, receiver: Receiver, upstream: Upstream
) -> None:
    _, secret = await endpoint(engine, f"{receiver.url}/all", *(one.value for one in EventType))
    await endpoint(engine, f"{receiver.url}/failures", "video.failed")
    await create(engine, "")
    await deliver(engine)
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)

    await deliver(engine)

    told = [(webhook.path, webhook.body["type"]) for webhook in receiver.received]
    assert sorted(told) == [
        ("/all", "video.completed"),
        ("/all", "video.in_progress"),
        ("/all", "video.queued"),
    ]
    assert all(webhook.is_signed_with(secret) for webhook in receiver.received)


async def test_a_failing_receiver_is_tried_by_the_schedule_and_then_parked(
    engine: Engine, receiver: Receiver, upstream: Upstream
) -> None:
    receiver.answers["/hook"] = [web.Response(status=503, text="later\x00")]
    await create(engine, f"{receiver.url}/hook")
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)

    await deliver(engine)
    for number, wait in enumerate(WEBHOOK_SCHEDULE[1:], start=1):
        await deliver(engine, seconds=wait.total_seconds() - 1)
        assert len(receiver.received) == number
        await deliver(engine, seconds=wait.total_seconds() * 0.11 + 1)
    await deliver(engine, days=3)

    assert len(receiver.received) == len(WEBHOOK_SCHEDULE)
    assert len({webhook.id for webhook in receiver.received}) == 1
    [delivery] = await deliveries(engine, status=DeliveryStatus.PARKED)
    tries = await DeliveryStore(engine.operator.database).tries(delivery.id)
    assert [one.status for one in tries] == [503] * len(WEBHOOK_SCHEDULE)
    assert tries[0].answer == "later\ufffd"


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (web.Response(status=429, headers={"Retry-After": "3600"}), timedelta(hours=1)),
        (web.Response(status=503, headers={"Retry-After": "1"}), WEBHOOK_SCHEDULE[1]),
        (web.Response(status=302, headers={"Location": "/elsewhere"}), WEBHOOK_SCHEDULE[1]),
        (web.Response(status=404), WEBHOOK_SCHEDULE[1]),
        (web.Response(status=410), None),
    ],
    ids=["429", "503", "302", "404", "410"],
)
async def test_what_an_answer_means(
    engine: Engine,
    receiver: Receiver,
    upstream: Upstream,
    answer: web.Response,
    again: timedelta | None,
) -> None:
    receiver.answers["/hook"] = [answer]
    await create(engine, f"{receiver.url}/hook")
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)

    await deliver(engine)

    [webhook] = receiver.received
    assert webhook.path == "/hook"
    [delivery] = await deliveries(engine)
    if again is None:
        assert (delivery.status, delivery.due_at) == (DeliveryStatus.PARKED, None)
    else:
        assert delivery.due_at is not None
        wait = delivery.due_at - engine.clock.now()
        assert again <= wait <= again * 1.11


async def test_an_endpoint_that_is_gone_is_disabled(
    engine: Engine, receiver: Receiver, upstream: Upstream
) -> None:
    receiver.answers["/gone"] = [web.Response(status=410)]
    endpoint_id, _ = await endpoint(engine, f"{receiver.url}/gone")
    upstream.on_poll = ["succeeded"]
    for _ in range(2):
        await create(engine, "")
        await engine.tick(minutes=5)
        await deliver(engine)

    assert len(receiver.received) == 1
    [known], _ = await engine.services.webhook_endpoints.page(
        engine.caller.sight, after=None, limit=10
    )
    assert known.id == endpoint_id
    assert known.disabled_reason is not None


async def test_an_endpoint_that_only_failed_for_five_days_is_disabled(
    engine: Engine, receiver: Receiver, upstream: Upstream
) -> None:
    receiver.answers["/bad"] = [web.Response(status=500)]
    await endpoint(engine, f"{receiver.url}/bad")
    upstream.on_poll = ["succeeded"]
    for days in (0, 4, 2):
        [known], _ = await engine.services.webhook_endpoints.page(
            engine.caller.sight, after=None, limit=10
        )
        assert known.disabled_reason is None
        engine.clock.advance(days=days)
        await create(engine, "")
        await engine.tick(minutes=5)
        await deliver(engine)

    [known], _ = await engine.services.webhook_endpoints.page(
        engine.caller.sight, after=None, limit=10
    )
    assert known.disabled_reason is not None
    updated = await engine.services.webhook_endpoints.update(
        engine.caller.sight, known.public_id, url=f"{receiver.url}/good"
    )
    assert (updated.disabled_reason, updated.failing_since) == (None, None)


async def test_a_refused_task_is_not_told_and_a_removed_one_neither(
    engine: Engine, receiver: Receiver, upstream: Upstream
) -> None:
    upstream.on_submit = [refusal("kling", FaultKind.CONTENT_POLICY), upstream.accept]
    with pytest.raises(RequestError):
        await create(engine, f"{receiver.url}/refused")
    created = await create(engine, f"{receiver.url}/removed")
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)
    await engine.services.reader.remove(created.snapshot.public_id, engine.caller.sight)

    await deliver(engine)
    await deliver(engine, days=1)

    assert receiver.received == []
    [delivery] = await deliveries(engine)
    assert delivery.status is DeliveryStatus.PARKED


async def test_a_dead_host_takes_little_of_what_all_share(
    engine: Engine, receiver: Receiver, upstream: Upstream
) -> None:
    for _ in range(20):
        await create(engine, "http://127.0.0.1:9/dead")
    await create(engine, f"{receiver.url}/alive")
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)

    for _ in range(3):
        await deliver(engine)

    assert [webhook.path for webhook in receiver.received] == ["/alive"]
    tried = [one for one in await deliveries(engine) if one.tries]
    assert len(tried) <= 10


async def test_a_delivery_is_sent_again_under_its_id(
    engine: Engine, receiver: Receiver, upstream: Upstream
) -> None:
    await create(engine, f"{receiver.url}/hook")
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)
    await deliver(engine)
    store = DeliveryStore(engine.operator.database)
    [delivery] = await deliveries(engine)

    await store.redeliver(delivery.id, engine.clock.now())
    await deliver(engine)

    first, second = receiver.received
    assert first.id == second.id
    assert len(await store.tries(delivery.id)) == 2


async def test_both_secrets_sign_while_one_is_rotated(
    engine: Engine, receiver: Receiver, upstream: Upstream
) -> None:
    secrets, account_id = engine.services.webhook_secrets, engine.caller.account_id
    old = await secrets.current(account_id, None)
    new, _ = await secrets.rotate(account_id, None, overlap=timedelta(hours=24))
    upstream.on_poll = ["succeeded"]
    for hours in (0, 25):
        engine.clock.advance(hours=hours)
        await create(engine, f"{receiver.url}/hook")
        await engine.tick(minutes=5)
        await deliver(engine)

    first, second = receiver.received
    assert (first.is_signed_with(old), first.is_signed_with(new)) == (True, True)
    assert (second.is_signed_with(old), second.is_signed_with(new)) == (False, True)


async def test_a_lost_lease_changes_nothing(
    engine: Engine, receiver: Receiver, upstream: Upstream
) -> None:
    """A second process takes over what a dead one held, and the first one's word comes too late."""
    await create(engine, f"{receiver.url}/hook")
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)
    store = DeliveryStore(engine.operator.database)
    now = engine.clock.now()
    lease = Lease(new_id(), now + timedelta(seconds=30))
    [held] = await store.claim(lease=lease, now=now, rooms={}, limit=4, batch=10)
    await deliver(engine)
    assert receiver.received == []
    await deliver(engine, seconds=31)
    assert len(receiver.received) == 1

    await store.record(
        held,
        lease,
        DeliveryTry(at=now, milliseconds=1, error="late"),
        status=DeliveryStatus.PENDING,
        due_at=now,
        gone=False,
        now=engine.clock.now(),
    )

    [delivery] = await deliveries(engine)
    assert (delivery.status, delivery.tries) == (DeliveryStatus.DELIVERED, 1)


async def test_a_rotation_of_the_secret_key_keeps_webhook_secrets(engine: Engine) -> None:
    secrets, account_id = engine.services.webhook_secrets, engine.caller.account_id
    before = await secrets.current(account_id, None)

    assert await engine.operator.provisioning.rotate_secrets() == 2  # the channel's key is one

    assert await secrets.current(account_id, None) == before
