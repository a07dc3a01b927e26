"""The worker: no trouble with one attempt is another's, and none of it lasts for ever."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import text
from tests.support.clock import FixedClock
from tests.support.engine import Engine, open_engine
from tests.support.hosts import Exchange, open_host, respond
from tests.support.upstreams import GARBAGE, HTML, MODELS, NAMES, Answer, Reply, Upstream
from typing_extensions import override

from vidgate.api.webhook_bodies import WebhookBodies
from vidgate.constants import LOOKS_PER_CHANNEL, POLLS_PER_CHANNEL
from vidgate.db.engine import Statement
from vidgate.exceptions import UnansweredError
from vidgate.factory import build_services
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Outcome, Rejected, Submission, UpstreamRef
from vidgate.models.tasks import AttemptStatus, TaskStatus
from vidgate.providers.base import Call, SubmitIds, Translation
from vidgate.providers.kling import Kling
from vidgate.providers.transport.client import CHANNEL_CONNECTIONS, UpstreamClient
from vidgate.providers.transport.guard import GuardedFetcher, RangeAnswer
from vidgate.services.attempts import video_header as probing
from vidgate.services.channels import directory

RENAME = Statement(text("UPDATE attempts SET provider = 'sora'"))


class Broken(Kling):
    """An adapter with a mistake in it."""

    breaks_submit = False
    breaks_poll = False

    @override
    def submit(
        self, translation: Translation, channel: ChannelAccess, ids: SubmitIds, now: datetime
    ) -> Call[Submission | Rejected]:
        call = super().submit(translation, channel, ids, now)

        def read(
            response: httpx.Response,
        ) -> Submission | Rejected | Call[Submission | Rejected]:
            if self.breaks_submit:
                raise AttributeError("a mistake")
            return call.read(response)

        return Call(call.request, read)

    @override
    def poll(
        self, refs: Sequence[UpstreamRef], channel: ChannelAccess, now: datetime
    ) -> Call[Mapping[UpstreamRef, Outcome]]:
        call = super().poll(refs, channel, now)

        def read(
            response: httpx.Response,
        ) -> Mapping[UpstreamRef, Outcome] | Call[Mapping[UpstreamRef, Outcome]]:
            if self.breaks_poll:
                raise KeyError("a mistake")
            return call.read(response)

        return Call(call.request, read)


class Fetcher(GuardedFetcher):
    """Answers nothing, and not before so many ask at once."""

    def __init__(self, parties: int) -> None:
        super().__init__()
        self._barrier = asyncio.Barrier(parties)
        self.met = 0

    @override
    async def get_range(
        self, url: str, start: int, length: int, *, timeout_seconds: float
    ) -> RangeAnswer:
        await self._barrier.wait()
        self.met += 1
        raise UnansweredError("slow")


class Slow(GuardedFetcher):
    """Answers nothing, and not before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.under_way = 0
        self.most = 0

    @override
    async def get_range(
        self, url: str, start: int, length: int, *, timeout_seconds: float
    ) -> RangeAnswer:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.go_on.wait()
        finally:
            self.under_way -= 1
        raise UnansweredError("slow")


@asynccontextmanager
async def engine_with(
    database_url: str,
    *,
    adapter: Kling | None = None,
    fetcher: GuardedFetcher | None = None,
    client: UpstreamClient | None = None,
    clock: FixedClock | None = None,
) -> AsyncIterator[Engine]:
    """An engine with something else in one place."""
    async with open_engine(database_url, clock) as engine:
        router = engine.router
        client = client or UpstreamClient(
            transport_factory=lambda: httpx.MockTransport(router.async_handler)
        )
        providers = dict(engine.operator.providers)
        if adapter is not None:
            providers["kling"] = adapter
        operator = replace(engine.operator, providers=providers)
        fetcher = fetcher or GuardedFetcher()
        services = build_services(
            operator,
            client=client,
            fetcher=fetcher,
            clock=engine.clock,
            webhook_bodies=WebhookBodies,
        )
        await services.directory.load()
        yield replace(engine, services=services, operator=operator)
        await client.aclose()
        await fetcher.aclose()


async def test_an_attempt_of_an_unknown_provider_keeps_nobody_waiting(engine: Engine) -> None:
    for name in ("kling", "vidu"):
        await engine.channel(name)
    lost, fake = Upstream(engine.router, "kling"), Upstream(engine.router, "vidu")
    foreign = await engine.create(MODELS["kling"])
    await engine.operator.database.execute(RENAME)  # as by a newer version beside this one
    created = await engine.create(MODELS["vidu"])
    fake.on_poll = ["succeeded"]

    for _ in range(4):
        await engine.tick(minutes=1)

    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED
    assert (await engine.task(foreign)).status is TaskStatus.IN_PROGRESS
    assert lost.polls == []


async def test_a_mistake_in_an_adapter_ends_with_the_deadline(database_url: str) -> None:
    adapter = Broken()
    async with engine_with(database_url, adapter=adapter) as engine:
        await engine.channel("kling")
        fake = Upstream(engine.router, "kling")
        created = await engine.create(MODELS["kling"])
        adapter.breaks_poll = True
        await engine.tick(minutes=1)
        assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS
        [attempt] = await engine.attempts(created)
        assert attempt.misses == 1

        for _ in range(15):
            await engine.tick(minutes=3)

        task = await engine.task(created)
        assert task.status is TaskStatus.FAILED
        assert task.error is not None
        assert task.error.code == "upstream_timeout"
        assert fake.polls


async def test_a_mistake_after_a_submit_is_an_unclear_submit(database_url: str) -> None:
    adapter = Broken()
    adapter.breaks_submit = True
    async with engine_with(database_url, adapter=adapter) as engine:
        await engine.channel("kling")
        fake = Upstream(engine.router, "kling")

        created = await engine.create(MODELS["kling"])

        assert created.snapshot.status is TaskStatus.QUEUED
        await engine.tick(seconds=6)
        assert (await engine.task(created)).status is TaskStatus.IN_PROGRESS  # it was found
        assert len(fake.submits) == 1


async def test_the_videos_of_one_batch_are_looked_into_at_once(database_url: str) -> None:
    fetcher = Fetcher(parties=3)
    async with engine_with(database_url, fetcher=fetcher) as engine:
        await engine.channel("kling")
        engine.router.post("http://kling.test/text-to-video/kling-3.0").mock(
            side_effect=[
                httpx.Response(200, json={"code": 0, "data": {"id": f"j{number}"}})
                for number in range(3)
            ]
        )
        output = {"type": "video", "url": "https://videos.example/a.mp4"}
        jobs = [
            {"id": f"j{number}", "status": "succeeded", "outputs": [output]} for number in range(3)
        ]
        poll = engine.router.get(url__regex=r"^http://kling.test/tasks\?")
        poll.mock(httpx.Response(200, json={"code": 0, "data": jobs}))
        created = [await engine.create("kling-3.0") for _ in range(3)]

        await engine.tick(minutes=1)

        assert poll.call_count == 1
        assert fetcher.met == 3
        statuses = [(await engine.task(one)).status for one in created]
        assert statuses == [TaskStatus.SUCCEEDED] * 3


@pytest.mark.parametrize("name", NAMES)
async def test_a_provider_that_hangs_delays_no_other(engine: Engine, name: str) -> None:
    go_on = asyncio.Event()
    fakes = {one: Upstream(engine.router, one) for one in NAMES}
    created = {}
    for one in NAMES:
        await engine.channel(one)
        created[one] = await engine.create(MODELS[one])
        fakes[one].on_poll = ["succeeded"]

    async def hang(request: httpx.Request) -> Reply:
        del request
        await go_on.wait()
        return HTML

    fakes[name].on_poll = [hang]
    engine.clock.advance(minutes=1)
    await engine.services.directory.load()
    await engine.services.worker.round()
    others = [one for one in NAMES if one != name]
    questions = set(engine.services.worker._questions)
    done, hanging = await asyncio.wait(questions, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    while len(done) < len(others):
        finished, hanging = await asyncio.wait(hanging, return_when=asyncio.FIRST_COMPLETED)
        done |= finished
    assert len(hanging) == 1
    for one in others:
        assert (await engine.task(created[one])).status is TaskStatus.SUCCEEDED
    go_on.set()
    await engine.services.worker.idle()

    assert (await engine.task(created[name])).status is TaskStatus.IN_PROGRESS


async def test_a_round_claims_no_more_of_a_channel_than_it_may_ask(engine: Engine) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    for _ in range(140):
        await engine.create(MODELS["kling"])
    most, under_way, go_on = 0, 0, asyncio.Event()

    async def slowly(request: httpx.Request) -> str:
        nonlocal most, under_way
        under_way += 1
        most = max(most, under_way)
        await go_on.wait()
        under_way -= 1
        del request
        return "succeeded"

    fake.on_poll = [slowly]
    engine.clock.advance(minutes=1)
    await engine.services.directory.load()
    for _ in range(3):
        await engine.services.worker.round()
    await until(lambda: under_way >= POLLS_PER_CHANNEL)
    go_on.set()
    await engine.services.worker.idle()
    assert most == POLLS_PER_CHANNEL
    await engine.tick()

    assert {task.status for task in await engine.all_tasks()} == {TaskStatus.SUCCEEDED}
    assert len(fake.polls) == 140


async def until(is_true: Callable[[], bool]) -> None:
    """Let what is under way go on, without a round."""
    async with asyncio.timeout(20):
        while not is_true():  # noqa: ASYNC110 - what is waited for are calls of all kinds
            await asyncio.sleep(0)


async def test_a_freed_place_is_filled_and_no_lease_is_given_back(engine: Engine) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    created = [await engine.create(MODELS["kling"]) for _ in range(POLLS_PER_CHANNEL + 3)]
    turns = asyncio.Semaphore(0)

    async def slowly(request: httpx.Request) -> str:
        del request
        await turns.acquire()
        return "running"

    fake.on_poll = [slowly]
    engine.clock.advance(minutes=1)
    await engine.services.directory.load()
    worker = engine.services.worker
    assert not await worker.ask()
    assert not await worker.ask()  # nothing has room: the loop may pause
    await until(lambda: len(fake.polls) == POLLS_PER_CHANNEL)
    assert not worker.wanted.is_set()
    due = [(await engine.attempts(one))[0].due_at for one in created]
    assert engine.clock.now() not in due  # as it is where a lease is given back

    turns.release()
    await worker.wanted.wait()
    await worker.ask()

    # The one that ended, and the one by which a prompt answer made the room larger.
    await until(lambda: len(fake.polls) == POLLS_PER_CHANNEL + 2)
    for _ in range(POLLS_PER_CHANNEL + 3):
        turns.release()
    await worker.idle()


async def test_what_a_slow_database_kept_from_being_asked_is_asked_soon(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    created = await engine.create(MODELS["kling"])
    fake.on_poll = ["succeeded"]
    with monkeypatch.context() as patch:
        patch.setattr(directory, "CACHE_STALE", timedelta())  # what was just read is too old
        await engine.tick(minutes=1)
    assert fake.polls == []

    await engine.tick(seconds=0.9)
    assert fake.polls == []
    await engine.tick(seconds=0.1)

    assert (await engine.task(created)).status is TaskStatus.SUCCEEDED


TROUBLE: Mapping[str, Answer] = {
    "timeout": httpx.ReadTimeout("slow"),
    "refused": httpx.ConnectError("refused"),
    "too many": Reply({"code": 1302, "message": "too many requests"}, 429),
    "fault": HTML,
    "garbage": GARBAGE,
}


@pytest.mark.parametrize("answer", [*TROUBLE, "running"])
async def test_a_provider_that_cannot_be_asked_is_asked_less(engine: Engine, answer: str) -> None:
    await engine.channel("kling")
    fake = Upstream(engine.router, "kling")
    for _ in range(POLLS_PER_CHANNEL):
        await engine.create(MODELS["kling"])
    fake.on_poll = [TROUBLE.get(answer, "running")]

    await engine.tick(minutes=1)
    assert len(fake.polls) == POLLS_PER_CHANNEL
    fake.polls.clear()
    go_on = asyncio.Event()

    async def hang(request: httpx.Request) -> str:
        del request
        await go_on.wait()
        return "running"

    fake.on_poll = [hang]
    engine.clock.advance(minutes=5)
    await engine.services.worker.round()
    expected = POLLS_PER_CHANNEL // 2 if answer in TROUBLE else POLLS_PER_CHANNEL
    await until(lambda: len(fake.polls) >= expected)
    await engine.services.worker.round()

    assert len(fake.polls) == expected
    go_on.set()
    await engine.services.worker.idle()


async def test_a_question_about_many_jobs_takes_one_place(engine: Engine) -> None:
    await engine.channel("kling")
    numbers = itertools.count()
    engine.router.post("http://kling.test/text-to-video/kling-3.0").mock(
        side_effect=lambda _: httpx.Response(
            200, json={"code": 0, "data": {"id": f"j{next(numbers)}"}}
        )
    )
    asked: list[int] = []
    go_on = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        names = request.url.params["task_ids"].split(",")
        asked.append(len(names))
        await go_on.wait()
        jobs = [{"id": name, "status": "processing"} for name in names]
        return httpx.Response(200, json={"code": 0, "data": jobs})

    engine.router.get(url__regex=r"^http://kling.test/tasks\?").mock(side_effect=answer)
    for _ in range(POLLS_PER_CHANNEL + 60):
        await engine.create("kling-3.0")
    engine.clock.advance(minutes=1)
    await engine.services.directory.load()
    worker = engine.services.worker

    while await worker.ask():
        pass
    await until(lambda: sum(asked) == POLLS_PER_CHANNEL + 60)
    assert len(asked) < POLLS_PER_CHANNEL / 5
    go_on.set()
    await worker.idle()


async def test_looks_into_finished_videos_take_no_places(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "PROBE_TIMEOUT", timedelta(hours=1))
    fetcher = Slow()
    async with engine_with(database_url, fetcher=fetcher) as engine:
        await engine.channel("kling")
        fake = Upstream(engine.router, "kling")
        count = 2 * LOOKS_PER_CHANNEL + 9
        assert count > POLLS_PER_CHANNEL
        created = [await engine.create(MODELS["kling"]) for _ in range(count)]
        fake.on_poll = ["succeeded"]
        engine.clock.advance(minutes=1)
        await engine.services.directory.load()
        worker = engine.services.worker

        await worker.ask()
        await until(lambda: len(fake.polls) == POLLS_PER_CHANNEL)
        await worker.ask()
        await until(lambda: len(fake.polls) == count)
        assert {task.status for task in await engine.all_tasks()} == {TaskStatus.IN_PROGRESS}
        fetcher.go_on.set()
        await worker.idle()

        assert fetcher.most == LOOKS_PER_CHANNEL
        for one in created:
            assert (await engine.task(one)).status is TaskStatus.SUCCEEDED


async def test_a_worker_that_stops_during_looks_leaves_them_to_another(database_url: str) -> None:
    clock = FixedClock()
    fetcher = Slow()
    async with (
        engine_with(database_url, fetcher=fetcher, clock=clock) as one,
        open_engine(database_url, clock) as two,
    ):
        await one.channel("kling")
        fakes = [Upstream(engine.router, "kling") for engine in (one, two)]
        created = await one.create(MODELS["kling"])
        for fake in fakes:
            fake.on_poll = ["succeeded"]
        clock.advance(minutes=1)
        await one.services.directory.load()
        await one.services.worker.ask()
        await until(lambda: fetcher.under_way == 1)

        await two.tick()
        assert fakes[1].polls == []  # it is held
        await one.services.worker.stop(timedelta())
        await two.tick()

        assert len(fakes[1].polls) == 1
        assert (await two.task(created)).status is TaskStatus.SUCCEEDED


async def test_submits_have_connections_that_hanging_polls_cannot_take(database_url: str) -> None:
    made = itertools.count()

    async def play(exchange: Exchange) -> None:
        if exchange.method != "POST":
            await exchange.hang()
            return
        await exchange.reader.readexactly(int(exchange.headers["content-length"]))
        data = {"task_id": f"kling{next(made)}", "task_status": "submitted"}
        await respond(200, json.dumps({"code": 0, "data": data}).encode())(exchange)

    client = UpstreamClient()
    async with open_host() as host, engine_with(database_url, client=client) as engine:
        await engine.channel("kling", base_url=host.url)
        host.plays = [play]
        for _ in range(POLLS_PER_CHANNEL):
            await engine.create(MODELS["kling"])
        engine.clock.advance(minutes=1)
        await engine.services.directory.load()
        await engine.services.worker.ask()

        def hanging() -> int:
            return sum(exchange.method == "GET" for exchange in host.asked)

        assert POLLS_PER_CHANNEL > CHANNEL_CONNECTIONS
        await until(lambda: hanging() == POLLS_PER_CHANNEL)

        # Not "still trying": it arrived while every poll hangs.
        created = await engine.create(MODELS["kling"])
        assert created.snapshot.status is TaskStatus.IN_PROGRESS
        await engine.services.worker.stop(timedelta())


async def test_two_engines_never_poll_one_attempt_at_once(database_url: str) -> None:
    clock = FixedClock()
    async with open_engine(database_url, clock) as one, open_engine(database_url, clock) as two:
        await one.channel("kling")
        fakes = [Upstream(engine.router, "kling") for engine in (one, two)]
        created = [await one.create(MODELS["kling"]) for _ in range(100)]
        under_way: set[str] = set()
        doubled: set[str] = set()

        async def poll(request: httpx.Request) -> str:
            path = request.url.path
            (doubled if path in under_way else under_way).add(path)
            await asyncio.sleep(0)
            under_way.discard(path)
            return "running"

        for fake in fakes:
            fake.on_poll = [poll]
        for _ in range(3):
            await asyncio.gather(one.tick(seconds=30), two.tick())

        assert doubled == set()
        assert sum(len(fake.polls) for fake in fakes) == 300
        for fake in fakes:
            fake.on_poll = ["succeeded"]
        await asyncio.gather(one.tick(seconds=30), two.tick())
        assert {(await one.task(each)).status for each in created} == {TaskStatus.SUCCEEDED}
        assert sum(len(fake.submits) for fake in fakes) == 100


async def test_a_worker_that_sleeps_through_its_lease_changes_nothing(database_url: str) -> None:
    clock = FixedClock()
    async with open_engine(database_url, clock) as slow, open_engine(database_url, clock) as quick:
        await slow.channel("kling")
        asleep, awake = (Upstream(engine.router, "kling") for engine in (slow, quick))
        created = await slow.create(MODELS["kling"])
        wake = asyncio.Event()

        async def sleep(request: httpx.Request) -> str:
            del request
            await wake.wait()
            return "failed"

        asleep.on_poll = [sleep]
        clock.advance(minutes=1)
        await slow.services.directory.load()
        await slow.services.worker.round()
        awake.on_poll = ["succeeded"]
        await quick.tick(seconds=46)
        final = await quick.task(created)
        assert final.status is TaskStatus.SUCCEEDED
        wake.set()
        await slow.services.worker.idle()

        assert await quick.task(created) == final
        [attempt] = await quick.attempts(created)
        assert attempt.status is AttemptStatus.SUCCEEDED


async def test_a_search_that_outlasts_its_lease_is_given_up(engine: Engine) -> None:
    await engine.channel("vidu")
    fake = Upstream(engine.router, "vidu")
    fake.on_submit = [httpx.ReadError("reset")]
    created = await engine.create(MODELS["vidu"])

    def endless(request: httpx.Request) -> Reply:
        engine.clock.advance(seconds=15)  # a slow provider
        del request
        tasks = [{"id": "1", "payload": "x", "state": "processing"}] * 100
        return Reply({"tasks": tasks, "next_page_token": f"t{len(fake.finds)}"})

    fake.on_find = [endless]
    begun = engine.clock.now()
    while engine.clock.now() < begun + timedelta(hours=1):
        await engine.tick(minutes=1)

    task = await engine.task(created)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.code == "submit_outcome_unknown"
