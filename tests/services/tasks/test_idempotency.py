"""A request that comes again is answered as the first time, whoever it comes to."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import MODELS, Reply, Upstream, refusal

from vidgate.db.once import OnceStore, claim_key
from vidgate.exceptions import (
    DatabaseUnavailableError,
    IdempotencyError,
    RepeatedRefusalError,
    RequestError,
    StorageUnavailableError,
)
from vidgate.models.accounts import Caller
from vidgate.models.attempts import Attempt
from vidgate.models.ids import new_id
from vidgate.models.outcomes import FaultKind
from vidgate.models.requests import IdempotencyClaim, Recognition, VideoRequest
from vidgate.models.tasks import TaskStatus
from vidgate.services.tasks.creating import Created
from vidgate.services.tasks.idempotency import Repetitions, UndoneError

ONCE = IdempotencyClaim(key="k1", fingerprint=b"f1", lifetime=timedelta(minutes=15))


async def create(engine: Engine, once: IdempotencyClaim = ONCE) -> Created:
    request = VideoRequest(model=MODELS["kling"], prompt="a boat")
    return await engine.services.task_creator.create(
        engine.caller, request, dialect="jimeng", once=once
    )


@pytest.fixture
async def fake(engine: Engine) -> Upstream:
    await engine.channel("kling")
    return Upstream(engine.router, "kling")


async def test_the_same_request_makes_one_job(engine: Engine, fake: Upstream) -> None:
    first = await create(engine)
    again = await create(engine)

    assert again.snapshot.id == first.snapshot.id
    assert (first.replayed, again.replayed) == (False, True)
    assert len(fake.submits) == 1
    assert len(await engine.all_tasks()) == 1


async def test_a_repetition_is_warned_as_the_first_was(engine: Engine, fake: Upstream) -> None:
    request = VideoRequest(
        model=MODELS["kling"], prompt="a boat", fps=24, width=1000, height=1000, ignored=("x",)
    )

    first, again = [
        await engine.services.task_creator.create(
            engine.caller, request, dialect="newapi", once=ONCE
        )
        for _ in range(2)
    ]

    assert len(fake.submits) == 1
    assert again.replayed
    assert again.snapshot.warnings == first.snapshot.warnings
    assert [(one.code, one.param) for one in again.snapshot.warnings] == [
        ("ignored", "fps"),
        ("ignored", "x"),
        ("adjusted", "size"),
    ]


async def test_another_request_by_the_same_key_is_an_error(engine: Engine, fake: Upstream) -> None:
    await create(engine)

    with pytest.raises(IdempotencyError) as caught:
        await create(engine, IdempotencyClaim(key="k1", fingerprint=b"f2", lifetime=ONCE.lifetime))

    assert caught.value.status == 422
    assert len(fake.submits) == 1


async def test_keys_are_an_accounts_own(engine: Engine, fake: Upstream) -> None:
    await create(engine)
    await engine.operator.provisioning.create_account("other")
    _, key = await engine.operator.provisioning.create_token(name="other", account="other")
    caller = await engine.services.directory.authenticate(key)
    assert caller is not None
    engine.caller = caller

    assert not (await create(engine)).replayed
    assert len(fake.submits) == 2


async def test_a_key_is_forgotten_when_its_time_is_over(engine: Engine, fake: Upstream) -> None:
    first = await create(engine)
    engine.clock.advance(minutes=15)

    second = await create(engine)

    assert second.snapshot.id != first.snapshot.id
    assert not second.replayed
    assert (await create(engine)).snapshot.id == second.snapshot.id
    assert len(fake.submits) == 2


async def test_a_refusal_is_repeated_too(engine: Engine, fake: Upstream) -> None:
    fake.on_submit = [refusal("kling", FaultKind.CONTENT_POLICY)]
    with pytest.raises(RequestError) as first:
        await create(engine)

    with pytest.raises(RepeatedRefusalError) as again:
        await create(engine)

    told = [(one.value.status, one.value.type, one.value.code) for one in (first, again)]
    assert told[0] == told[1] == (400, "invalid_request_error", "content_policy_violation")
    assert again.value.message == first.value.message
    assert again.value.upstream_called
    assert len(fake.submits) == 1


async def test_bad_input_keeps_no_key(engine: Engine, fake: Upstream) -> None:
    bad = VideoRequest(model=MODELS["kling"], prompt="a boat", duration_seconds=7)
    for _ in range(2):
        with pytest.raises(RequestError, match="duration"):
            await engine.services.task_creator.create(
                engine.caller, bad, dialect="jimeng", once=ONCE
            )

    assert not (await create(engine)).replayed
    assert len(fake.submits) == 1


async def test_of_many_at_once_on_two_replicas_one_is_carried_out(database_url: str) -> None:
    async with open_engine(database_url) as one, open_engine(database_url) as other:
        await one.channel("kling")
        await other.services.directory.load()
        other.caller = one.caller
        fakes = [Upstream(engine.router, "kling") for engine in (one, other)]

        made = await asyncio.gather(*(create(engine) for engine in (one, other) * 8))

    assert len({created.snapshot.id for created in made}) == 1
    assert sum(not created.replayed for created in made) == 1
    assert sum(len(fake.submits) for fake in fakes) == 1


async def test_a_repetition_waits_for_the_first(engine: Engine) -> None:
    gate = asyncio.Event()
    arrived = asyncio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        arrived.set()
        await gate.wait()
        return refusal("kling", FaultKind.BAD_PARAMETER).response()

    await engine.channel("kling", "elsewhere", priority=1)
    elsewhere = Upstream(engine.router, "kling", "elsewhere")
    elsewhere.on_submit = [refusal("kling", FaultKind.CREDENTIAL)]  # so that it is a second attempt
    await engine.channel("kling")
    engine.router.post("http://kling.test/v1/videos/text2video").mock(side_effect=slow)
    first = asyncio.create_task(create(engine))
    await arrived.wait()
    again = asyncio.create_task(create(engine))
    done, _ = await asyncio.wait({again}, timeout=0.4)
    assert not done

    gate.set()

    results = await asyncio.gather(first, again, return_exceptions=True)
    assert [getattr(result, "status", None) for result in results] == [400, 400]


async def test_only_some_repetitions_of_one_account_wait_at_once(engine: Engine) -> None:
    gate = asyncio.Event()
    arrived = asyncio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        arrived.set()
        await gate.wait()
        return Reply({"code": 0, "data": {"task_id": "1"}}).response()

    await engine.channel("kling")
    engine.router.post("http://kling.test/v1/videos/text2video").mock(side_effect=slow)
    first = asyncio.create_task(create(engine))
    await arrived.wait()
    waiting = [asyncio.create_task(create(engine)) for _ in range(20)]
    answered: set[asyncio.Task[Created]] = set()
    while len(answered) < 4:
        answered, _ = await asyncio.wait(waiting, timeout=0.05)

    gate.set()
    results = await asyncio.gather(first, *waiting)

    assert len(answered) == 4
    assert len({result.snapshot.id for result in results}) == 1
    assert [result.replayed for result in results] == [False] + [True] * 20


async def test_a_repetition_of_what_waits_for_a_slot_is_answered_at_once(engine: Engine) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    await engine.create(MODELS["kling"])
    first = await create(engine)
    assert first.snapshot.status is TaskStatus.QUEUED

    again = await asyncio.wait_for(create(engine), 5)

    assert again.snapshot.id == first.snapshot.id


async def test_a_repetition_of_what_failed_later_is_answered_at_once(
    engine: Engine, fake: Upstream
) -> None:
    first = await create(engine)
    fake.on_poll = ["failed"]
    await engine.tick(minutes=2)

    again = await asyncio.wait_for(create(engine), 5)

    assert again.snapshot.id == first.snapshot.id
    assert again.snapshot.status is TaskStatus.FAILED


async def test_a_repetition_waits_for_the_words_of_a_refusal(
    engine: Engine, fake: Upstream
) -> None:
    """They are written a moment after the failure that they tell of."""
    repetitions = engine.services.task_creator._repetitions
    keep = repetitions.keep
    failed, written = asyncio.Event(), asyncio.Event()

    async def slow(*given: Any, **named: Any) -> None:
        failed.set()
        await written.wait()
        await keep(*given, **named)

    repetitions.keep = slow  # type: ignore[method-assign]
    fake.on_submit = [refusal("kling", FaultKind.CONTENT_POLICY)]
    first = asyncio.create_task(create(engine))
    await failed.wait()
    again = asyncio.create_task(create(engine))
    done, _ = await asyncio.wait({again}, timeout=0.4)
    assert not done

    written.set()

    results = await asyncio.gather(first, again, return_exceptions=True)
    assert [getattr(one, "code", None) for one in results] == ["content_policy_violation"] * 2


async def test_what_has_expired_is_deleted(engine: Engine, fake: Upstream) -> None:
    await create(engine)
    old = IdempotencyClaim(key="old", fingerprint=b"f", lifetime=timedelta(minutes=1))
    await create(engine, old)
    engine.clock.advance(minutes=2)
    store = OnceStore(engine.operator.database)

    await engine.services.task_creator._repetitions.purge(engine.clock.now())

    account_id, sight = engine.caller.account_id, engine.caller.sight
    assert await store.find(account_id, ONCE.within(sight).key) is not None
    assert await store.find(account_id, old.within(sight).key) is None
    assert len(fake.submits) == 2


def lose_the_commit(engine: Engine, *, is_cut: asyncio.Event) -> None:
    """Have the commits of creations go unanswered, and the database away until the event is set."""
    store = engine.services.task_creator._tasks
    create, abandon = store.create, store.abandon

    async def creating(*given: Any, **named: Any) -> list[Attempt]:
        await create(*given, **named)
        raise DatabaseUnavailableError("the answer to the commit was lost")

    async def abandoning(*given: Any, **named: Any) -> bool:
        if not is_cut.is_set():
            raise DatabaseUnavailableError("away")
        return await abandon(*given, **named)

    store.create, store.abandon = creating, abandoning  # type: ignore[method-assign]


@pytest.mark.parametrize("is_full", [False, True])
async def test_what_a_repetition_was_told_of_is_not_undone(
    database_url: str, *, is_full: bool
) -> None:
    wait = timedelta(seconds=0.5)
    async with (
        open_engine(database_url, submit_wait=wait) as one,
        open_engine(database_url, submit_wait=wait) as other,
    ):
        await one.channel("kling", max_concurrency=1 if is_full else None)
        await other.services.directory.load()
        other.caller = one.caller
        Upstream(one.router, "kling")
        if is_full:
            await one.create(MODELS["kling"])
        back = asyncio.Event()
        lose_the_commit(one, is_cut=back)
        with pytest.raises(StorageUnavailableError):
            await create(one)

        made = await create(other)
        back.set()
        await one.services.task_creator.drain(timedelta(seconds=20))

        assert made.replayed
        assert await other.operator.tasks.snapshot(made.snapshot.id) is not None


async def test_where_the_first_was_undone_the_repetition_is_the_first(database_url: str) -> None:
    async with open_engine(database_url) as one, open_engine(database_url) as other:
        await one.channel("kling")
        await other.services.directory.load()
        other.caller = one.caller
        fakes = [Upstream(engine.router, "kling") for engine in (one, other)]
        back = asyncio.Event()
        lose_the_commit(one, is_cut=back)
        with pytest.raises(StorageUnavailableError):
            await create(one)
        again = asyncio.create_task(create(other))
        done, _ = await asyncio.wait({again}, timeout=0.4)
        assert not done

        back.set()

        made = await again
        assert not made.replayed
        assert [len(fake.submits) for fake in fakes] == [0, 1]
        assert len(await other.all_tasks()) == 1


async def test_whatever_changed_a_request_that_was_carried_out_was(
    engine: Engine, fake: Upstream
) -> None:
    first = await create(engine)
    await engine.operator.provisioning.set_enabled("kling", enabled=False)
    await engine.services.directory.load()
    token = replace(engine.caller.token, models=("viduq2",), expires_at=engine.clock.now())
    engine.caller = Caller(token)

    again = await create(engine)

    assert again.snapshot.id == first.snapshot.id
    assert again.replayed
    assert len(fake.submits) == 1


async def test_a_name_is_freed_by_a_refusal(engine: Engine, fake: Upstream) -> None:
    once = replace(ONCE, frees_refused=True)
    fake.on_submit = [refusal("kling", FaultKind.CONTENT_POLICY)]
    with pytest.raises(RequestError):
        await create(engine, once)
    fake.on_submit = [fake.accept]

    assert not (await create(engine, once)).replayed
    with pytest.raises(IdempotencyError):
        await create(engine, replace(once, fingerprint=b"another"))


def repetitions(engine: Engine) -> tuple[Repetitions, OnceStore]:
    ours = engine.services.task_creator._repetitions
    return ours, ours._store


async def test_a_key_that_stands_for_another_task_meanwhile_tells_of_none(
    engine: Engine, fake: Upstream
) -> None:
    await create(engine)
    assert len(fake.submits) == 1
    ours, store = repetitions(engine)
    account_id = engine.caller.account_id
    now = await store.find(account_id, ONCE.within(engine.caller.sight).key)
    assert now is not None
    before = replace(now, task_id=new_id())

    with pytest.raises(UndoneError):
        await ours.answer(before, ONCE, account_id, patient=False)


@pytest.mark.parametrize("is_raced", [False, True])
async def test_what_is_undone_while_a_repetition_looks_is_told_to_nobody(
    engine: Engine, *, is_raced: bool
) -> None:
    await engine.channel("kling", max_concurrency=1)
    fake = Upstream(engine.router, "kling")
    await engine.create(MODELS["kling"])
    first = await create(engine)  # it waits for a slot
    ours, store = repetitions(engine)
    acknowledge, find = store.acknowledge, ours.find

    async def too_late(account_id: Any, key: str, task_id: Any) -> bool:
        await store.refuse(account_id, key, task_id, None)
        return await acknowledge(account_id, key, task_id)

    async def too_early(*_: Any, **__: Any) -> None:
        ours.find = find  # type: ignore[method-assign]

    store.acknowledge = too_late  # type: ignore[method-assign]
    if is_raced:  # the first is stored after this look
        ours.find = too_early  # type: ignore[method-assign]

    again = await create(engine)

    assert not again.replayed
    assert again.snapshot.id != first.snapshot.id
    assert len(fake.submits) == 1


# Requests that count as repeated only until their answer arrived


def of_sdk(count: int, fingerprint: bytes = b"of-an-sdk") -> IdempotencyClaim:
    return IdempotencyClaim(
        key=f"retry:{new_id()}",
        fingerprint=fingerprint,
        lifetime=timedelta(minutes=15),
        frees_refused=True,
        recognition=Recognition.RETRY if count else Recognition.FIRST,
    )


async def arrive(engine: Engine, *made: Created) -> None:
    """Have these answers arrive, and be noted."""
    creator = engine.services.task_creator
    for created in made:
        creator.delivered(created)
    await creator._repetitions.aclose()


SIGNED = replace(ONCE, recognition=Recognition.UNTIL_ANSWERED)


@pytest.mark.parametrize(
    ("claims", "arrives", "minutes", "tasks"),
    [
        ([of_sdk(0), of_sdk(1)], False, 0, 1),
        ([of_sdk(0), of_sdk(1), of_sdk(2)], False, 0, 1),
        ([of_sdk(1), of_sdk(2)], False, 0, 1),
        ([of_sdk(0), of_sdk(1)], False, 14, 1),
        ([of_sdk(0), of_sdk(1)], False, 15, 2),
        ([of_sdk(0), of_sdk(1)], True, 0, 2),
        ([of_sdk(0), of_sdk(0)], False, 0, 2),
        ([of_sdk(0), of_sdk(1, b"another")], False, 0, 2),
        ([of_sdk(1)], False, 0, 1),
        ([SIGNED, SIGNED], False, 0, 1),
        ([SIGNED, SIGNED, SIGNED, SIGNED], True, 0, 4),
        ([SIGNED, ONCE], True, 0, 1),
        ([ONCE, SIGNED], True, 0, 1),
        ([ONCE, ONCE], True, 0, 1),
    ],
)
async def test_what_is_a_repetition(
    database_url: str,
    *,
    claims: list[IdempotencyClaim],
    arrives: bool,
    minutes: float,
    tasks: int,
) -> None:
    """Each request comes to another replica than the one before."""
    async with open_engine(database_url) as one, open_engine(database_url) as other:
        await one.channel("kling")
        await other.services.directory.load()
        other.caller = one.caller
        fakes = [Upstream(engine.router, "kling") for engine in (one, other)]
        made: list[Created] = []
        for index, claim in enumerate(claims):
            engine = (one, other)[index % 2]
            made.append(await create(engine, claim))
            if arrives:
                await arrive(engine, made[-1])
            for each in (one, other):
                each.clock.advance(minutes=minutes)

    assert len({created.snapshot.id for created in made}) == tasks
    assert sum(len(fake.submits) for fake in fakes) == tasks
    assert sum(not created.replayed for created in made) == tasks


async def test_of_equal_requests_that_were_lost_each_is_told_once(
    engine: Engine, fake: Upstream
) -> None:
    made = [await create(engine, of_sdk(0)) for _ in range(3)]

    again = await asyncio.gather(*(create(engine, of_sdk(1)) for _ in range(3)))

    assert {one.snapshot.id for one in again} == {one.snapshot.id for one in made}
    assert all(one.replayed for one in again)
    assert len(fake.submits) == 3


async def test_what_a_retry_was_told_is_told_once(engine: Engine, fake: Upstream) -> None:
    first = await create(engine, of_sdk(0))
    again = await create(engine, of_sdk(1))
    await arrive(engine, again)

    other = await create(engine, of_sdk(1))

    assert again.snapshot.id == first.snapshot.id != other.snapshot.id
    assert not other.replayed
    assert len(fake.submits) == 2


async def test_a_retry_of_what_was_refused_is_carried_out(engine: Engine, fake: Upstream) -> None:
    fake.on_submit = [refusal("kling", FaultKind.CONTENT_POLICY)]
    with pytest.raises(RequestError):
        await create(engine, of_sdk(0))
    fake.on_submit = [fake.accept]

    assert not (await create(engine, of_sdk(1))).replayed


async def test_an_equal_request_after_a_refusal_is_carried_out(
    engine: Engine, fake: Upstream
) -> None:
    fake.on_submit = [refusal("kling", FaultKind.CONTENT_POLICY)]
    with pytest.raises(RequestError):
        await create(engine, SIGNED)
    with pytest.raises(RepeatedRefusalError):
        await create(engine, ONCE)
    fake.on_submit = [fake.accept]

    assert not (await create(engine, SIGNED)).replayed


async def test_an_equal_request_may_come_before_the_note_that_the_answer_arrived(
    engine: Engine, fake: Upstream
) -> None:
    """On another replica, right behind the answer."""
    first = await create(engine, SIGNED)
    _, store = repetitions(engine)
    find = store.find
    looks = 0

    async def looking(account_id: Any, key: str) -> Any:
        nonlocal looks
        looks += 1
        if looks == 3:
            await arrive(engine, first)
        return await find(account_id, key)

    store.find = looking  # type: ignore[method-assign]

    again = await create(engine, SIGNED)

    assert again.snapshot.id != first.snapshot.id
    assert len(fake.submits) == 2


async def test_a_late_note_says_nothing_of_the_task_that_came_after(
    engine: Engine, fake: Upstream
) -> None:
    first = await create(engine, SIGNED)
    await arrive(engine, first)
    second = await create(engine, SIGNED)
    await arrive(engine, first)

    again = await create(engine, SIGNED)

    assert first.snapshot.id != second.snapshot.id == again.snapshot.id
    assert len(fake.submits) == 2


async def test_a_note_that_cannot_be_written_leaves_a_repetition_what_it_is(
    engine: Engine, fake: Upstream
) -> None:
    _, store = repetitions(engine)
    note_receipts = store.note_receipts

    async def away(receipts: Any) -> None:
        del receipts
        store.note_receipts = note_receipts  # type: ignore[method-assign]
        raise DatabaseUnavailableError("away")

    store.note_receipts = away  # type: ignore[method-assign]
    first = await create(engine, of_sdk(0))
    await arrive(engine, first)

    assert (await create(engine, of_sdk(1))).snapshot.id == first.snapshot.id
    await arrive(engine, first)
    assert (await create(engine, of_sdk(1))).snapshot.id != first.snapshot.id
    assert len(fake.submits) == 2


async def test_a_retry_waits_for_the_first_one_that_is_being_stored(engine: Engine) -> None:
    database = engine.operator.database
    account_id, now = engine.caller.account_id, engine.clock.now()
    store = OnceStore(database)
    first, task_id = of_sdk(0), new_id()
    async with database.transaction() as transaction:
        await claim_key(transaction, first, account_id, task_id, now)
        looking = asyncio.create_task(store.adopt(of_sdk(1), account_id, now))
        done, _ = await asyncio.wait({looking}, timeout=0.2)
        assert not done

    found = await looking

    assert found is not None
    assert (found.key, found.task_id) == (first.key, task_id)
