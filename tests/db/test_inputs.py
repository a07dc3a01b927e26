"""Inline media: never gone before they are sent, then kept within a time and a space."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Upstream

from vidgate.db.engine import Statement
from vidgate.db.inputs import InputStore
from vidgate.db.tables import inputs
from vidgate.models.tasks import TaskStatus
from vidgate.services.tasks.creating import Created

HOUR = timedelta(hours=1)
SPACE = 2 * 1024**3
SIZE = 100_000
LONG = {"vendor": {"text": "x" * SIZE}}
_LEFT = Statement(select(inputs.c.task_id))


async def create(engine: Engine) -> Created:
    return await engine.create(MODELS["vidu"], metadata=LONG)


async def purge(engine: Engine, *, keep: timedelta = HOUR, space: int = SPACE) -> int:
    store = InputStore(engine.operator.database)
    return await store.purge(engine.clock.now(), keep=keep, space=space)


async def left(engine: Engine) -> set[UUID]:
    return {row["task_id"] for row in await engine.operator.database.fetch(_LEFT)}


async def end(engine: Engine, upstream: Upstream) -> None:
    upstream.on_poll = ["succeeded"]
    await engine.tick(minutes=5)


async def test_they_are_kept_while_the_job_runs_and_a_time_after_its_end(engine: Engine) -> None:
    await engine.channel("vidu")
    upstream = Upstream(engine.router, "vidu")
    created = await create(engine)
    engine.clock.advance(hours=9)
    assert await purge(engine) == 0
    await end(engine, upstream)

    engine.clock.advance(minutes=59)
    assert await purge(engine) == 0
    assert await left(engine) == {created.snapshot.id}
    request = await engine.operator.tasks.request(created.snapshot.id)
    assert request.metadata == LONG
    engine.clock.advance(minutes=1)
    assert await purge(engine) == 1
    assert await left(engine) == set()


async def test_the_oldest_go_where_the_space_is_full(engine: Engine) -> None:
    await engine.channel("vidu")
    Upstream(engine.router, "vidu")
    made = [(await create(engine)).snapshot.id for _ in range(3)]

    assert await purge(engine, space=3 * SIZE) == 0
    assert await purge(engine, space=2 * SIZE + 1) == 1
    assert await left(engine) == set(made[1:])
    assert await purge(engine, space=0) == 2


@pytest.mark.parametrize("options", [{"space": 0}, {"keep": timedelta()}])
async def test_what_is_to_be_submitted_is_never_touched(
    engine: Engine, options: dict[str, Any]
) -> None:
    await engine.channel("vidu", max_concurrency=1)
    upstream = Upstream(engine.router, "vidu")
    first, waits = await create(engine), await create(engine)
    assert (await engine.task(waits)).status is TaskStatus.QUEUED

    await purge(engine, **options)
    assert waits.snapshot.id in await left(engine)
    await end(engine, upstream)
    await engine.tick(minutes=1)

    assert (await engine.task(first)).status is TaskStatus.SUCCEEDED
    assert len(upstream.submits) == 2
