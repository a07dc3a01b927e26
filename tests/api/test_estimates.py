"""Where a task stands in line, and how long it still takes, in what clients read."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.support.api import build_task, open_api
from tests.support.engine import Engine
from tests.support.gateway import open_client
from tests.support.upstreams import MODELS, Upstream

from vidgate.api.estimates import fill_estimate, mark_estimate, with_estimate
from vidgate.db.engine import Statement
from vidgate.models.tasks import TaskStatus
from vidgate.services.views.estimates import Estimate, Estimates

MODEL = MODELS["kling"]
PATHS = ("/v1/video/generations", "/v1/videos")
ESTIMATES = [Estimate(), Estimate(3), Estimate(None, 5), Estimate(0, 5, 9)]
# A hundred jobs that took 1 to 100 seconds.
HISTORY = Statement(
    text("""
    INSERT INTO attempts (id, task_id, position, number, channel_id, credential_id, provider,
        upstream_model, endpoint, correlation, status, pace, deadline_at, accepted_at, finished_at)
    SELECT gen_random_uuid(), gen_random_uuid(), 0, 1, id, credential_id, 'kling', :model, '/x',
        'vg_' || i, 'succeeded', '{}', :ended,
        CAST(:ended AS timestamptz) - i * interval '1 second', :ended
    FROM channels, generate_series(1, 100) AS i
    """)
)


class Seconds:
    """A monotonic clock that follows the engine's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self) -> float:
        return self._engine.clock.now().timestamp()


@pytest.fixture
async def full(engine: Engine) -> Engine:
    """An engine with one channel of two places, and estimates that follow its clock."""
    estimates = engine.services.estimates
    object.__setattr__(engine.services, "estimates", _following(engine, estimates))
    channel = await engine.channel("kling", max_concurrency=2)
    assert channel.cap == 2
    Upstream(engine.router, "kling").on_poll = ["running"]
    await engine.operator.database.execute(HISTORY, model=MODEL, ended=engine.clock.now())
    return engine


def _following(engine: Engine, estimates: Estimates) -> Estimates:
    return Estimates(
        store=estimates._store,
        directory=engine.services.directory,
        clock=engine.clock,
        monotonic=Seconds(engine),
    )


@pytest.fixture
async def client(full: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(full) as client:
        yield client


def told(body: dict[str, Any]) -> tuple[Any, Any, Any]:
    return (
        body.get("queue_position"),
        body.get("eta_seconds"),
        body["metadata"].get("eta_seconds_p80"),
    )


@pytest.mark.parametrize("path", PATHS)
async def test_a_task_is_told_its_place_and_how_long_it_takes(
    full: Engine, client: httpx.AsyncClient, path: str
) -> None:
    made = [
        (await client.post(path, json={"model": MODEL, "prompt": "a boat"})).json()
        for _ in range(5)
    ]

    # Half of all took 50.5 s, four fifths 80.2 s; two places are free every 25 s on average.
    sent = (None, 51, 81)
    waits = [(0, 76, 121), (1, 101, 161), (2, 127, 201)]
    assert [told(one) for one in made] == [sent, sent, *waits]
    read = [(await client.get(f"{path}/{one['id']}")).json() for one in made]
    assert [told(one) for one in read] == [sent, sent, *waits]

    await full.tick(seconds=20)
    read = [(await client.get(f"{path}/{one['id']}")).json() for one in made]
    assert [told(one) for one in read] == [(None, 31, 61), (None, 31, 61), *waits]


@pytest.mark.parametrize("path", PATHS)
async def test_a_finished_task_is_told_nothing_of_it(
    full: Engine, client: httpx.AsyncClient, path: str
) -> None:
    made = (await client.post(path, json={"model": MODEL, "prompt": "a boat"})).json()
    await client.get(f"{path}/{made['id']}")
    Upstream(full.router, "kling").on_poll = ["succeeded"]
    await full.tick(minutes=1)

    assert told((await client.get(f"{path}/{made['id']}")).json()) == (None, None, None)


async def test_an_estimate_changes_neither_the_state_nor_its_bytes(
    full: Engine, client: httpx.AsyncClient
) -> None:
    made = [
        (await client.post(PATHS[0], json={"model": MODEL, "prompt": "a boat"})).json()
        for _ in range(3)
    ]
    name = made[-1]["id"]
    before = full.services.reader.cached(name, full.caller.sight)
    first = (await client.get(f"{PATHS[0]}/{name}")).json()
    view = full.services.reader.cached(name, full.caller.sight)
    assert view is not None
    pieces = view.encodings["newapi"]
    await full.operator.attempts.cancel_waiting(view.snapshot.id, [0], now=full.clock.now())
    await full.services.directory.load()
    full.clock.advance(seconds=3)

    second = (await client.get(f"{PATHS[0]}/{name}")).json()

    assert (first["queue_position"], "queue_position" in second) == (0, False)
    assert view.encodings["newapi"] is pieces
    assert before is None or before.snapshot.revision == view.snapshot.revision


async def test_many_who_ask_are_one_look(full: Engine) -> None:
    store = Counting(full.services.estimates._store)
    estimates = Estimates(
        store=store,  # type: ignore[arg-type]  # it counts, and is the store otherwise
        directory=full.services.directory,
        clock=full.clock,
        monotonic=Seconds(full),
    )
    created = [await full.create(MODEL) for _ in range(6)]

    for one in created:
        await estimates.of(one.snapshot.id)
    looks = store.looks
    for _ in range(3):
        for one in created:
            await estimates.of(one.snapshot.id)

    assert store.looks == looks  # nothing is asked for within a second
    full.clock.advance(seconds=1)
    await estimates.refresh()
    # Of what was sent nothing changes but the time.
    assert store.looks == looks + 1
    assert set(store.asked[-1]) == {one.snapshot.id for one in created[2:]}
    full.clock.advance(seconds=30)
    await estimates.refresh()
    assert store.looks == looks + 1  # nobody asked for a while


class Counting:
    def __init__(self, store: Any) -> None:
        self._store = store
        self.asked: list[list[Any]] = []

    @property
    def looks(self) -> int:
        return len(self.asked)

    async def live(self, ids: Any) -> Any:
        self.asked.append(list(ids))
        return await self._store.live(ids)

    async def busy(self) -> Any:
        return await self._store.busy()

    async def history(self) -> Any:
        return await self._store.history()


async def test_several_videos_are_told_of_as_the_last_of_them(full: Engine) -> None:
    started = await full.create(MODEL, n=3)
    waits = await full.create(MODEL, n=2)

    assert await full.services.estimates.of(started.snapshot.id) == Estimate(None, 76, 121)
    assert await full.services.estimates.of(waits.snapshot.id) == Estimate(1, 127, 201)


async def test_nobody_knows_when_a_channel_that_fails_takes_work_again(full: Engine) -> None:
    for _ in range(2):
        await full.create(MODEL)
    waits = await full.create(MODEL)
    [channel] = await full.operator.channels.all()
    await full.operator.channel_states.open(channel.id, "it fails", full.clock.now())
    await full.services.directory.load()

    assert await full.services.estimates.of(waits.snapshot.id) == Estimate(0, None, None)


async def test_without_a_history_the_usual_time_of_the_model_is_told(engine: Engine) -> None:
    await engine.channel("vidu")
    Upstream(engine.router, "vidu")
    created = await engine.create(MODELS["vidu"])

    estimate = await engine.services.estimates.of(created.snapshot.id)

    assert estimate == Estimate(None, 180, None)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "estimate", [Estimate(), Estimate(3), Estimate(None, 5), Estimate(0, 5, 9)]
)
async def test_marks_are_filled_in_every_dialect(path: str, estimate: Estimate) -> None:
    async with open_api() as api:
        api.services.estimates.estimate = estimate
        name = api.services.reader.add(build_task())

        answers = [await api.client.get(f"{path}/{name}") for _ in range(2)]

    expected = (estimate.position, estimate.seconds, estimate.seconds_p80)
    assert [told(answer.json()) for answer in answers] == [expected] * 2
    assert not [key for key in answers[0].json() if len(key) == 32]
    assert int(answers[0].headers["content-length"]) == len(answers[0].content)


@pytest.mark.parametrize(
    "estimate", [Estimate(), Estimate(3), Estimate(None, 5), Estimate(0, 5, 9)]
)
def test_bytes_and_objects_say_the_same(estimate: Estimate) -> None:
    answer = {"id": "task_0", "metadata": {"upstream_model": "a"}, "last": 1}
    task = build_task()
    marked = json.dumps(mark_estimate(answer, task), separators=(",", ":")).encode()

    assert json.loads(fill_estimate(marked, estimate)) == with_estimate(answer, estimate)
    final = replace(task, status=TaskStatus.SUCCEEDED)
    assert mark_estimate(answer, final) == answer


async def test_who_must_not_wait_is_told_what_is_known_already(full: Engine) -> None:
    created = await full.create(MODEL)
    estimates = full.services.estimates

    assert estimates.known(created.snapshot.id) == Estimate()
    await estimates.refresh()

    assert estimates.known(created.snapshot.id) == Estimate(None, 51, 81)


async def test_all_who_ask_at_once_are_told_the_same_and_later_ones_another(full: Engine) -> None:
    task_id = (await full.create(MODEL)).snapshot.id
    estimates = full.services.estimates
    first = await estimates.of(task_id)
    assert first.seconds is not None

    full.clock.advance(seconds=0.2)
    assert await estimates.of(task_id) is first
    full.clock.advance(seconds=1)
    assert (await estimates.of(task_id)).seconds == first.seconds - 1
