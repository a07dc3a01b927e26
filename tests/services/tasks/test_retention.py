"""How long tasks are kept: for ever unless a setting says otherwise, and then by whole months."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import MODELS, Upstream

from vidgate.db.months import MonthStore
from vidgate.services.tasks.retention import Retention


async def settle(retention: Retention) -> None:
    while await retention.round():
        pass


@pytest.mark.parametrize(("keep", "is_kept"), [(None, True), (400, True), (30, False)])
async def test_whole_months_go(database_url: str, keep: int | None, is_kept: bool) -> None:  # noqa: FBT001 - of the table
    span = None if keep is None else timedelta(days=keep)
    async with open_engine(database_url, keep_tasks=span) as engine:
        engine.clock.at = datetime(2030, 11, 30, tzinfo=UTC)
        retention = Retention(
            months=MonthStore(engine.operator.database),
            clock=engine.clock,
            keep=engine.services.settings.keep_tasks,
        )
        await settle(retention)
        await engine.channel("kling")
        Upstream(engine.router, "kling").on_poll = ["succeeded"]
        created = await engine.create(MODELS["kling"])
        await engine.tick(minutes=5)

        for days in (1, 29):
            engine.clock.advance(days=days)
            await settle(retention)
            assert await engine.operator.tasks.snapshot(created.snapshot.id) is not None
        engine.clock.advance(days=31)
        await settle(retention)

        snapshot = await engine.operator.tasks.snapshot(created.snapshot.id)
        assert (snapshot is not None) == is_kept
        assert len(await engine.attempts(created)) == is_kept


async def test_it_runs_by_itself(engine: Engine) -> None:
    assert "months" in [loop._name for loop in engine.services.loops]
