"""Clients of two replicas never use more than they may, nor much less, also where one is killed.

`make limits SECONDS=60` runs it for longer.
"""

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from tests.support.processes import Process, Town, open_town

from vidgate.db.engine import Statement
from vidgate.db.ledger_check import check_books
from vidgate.models.acts import ITSELF
from vidgate.models.limits import LimitChange, Measure, Period, Scope

SECONDS: Final = float(os.environ.get("VIDGATE_LIMITS_SECONDS", "5"))
CLIENTS: Final = 16
MOST_SECONDS: Final = SECONDS + 90
"""On a machine that is slow today."""

ENOUGH: Final = 20
"""Refusals of each crowd, to see that it wanted more than it could have."""

PAUSE: Final = 0.02
"""Of a client between a refusal and the next try: the machine is busy enough."""

BODY = {"model": "kling-v2-6", "prompt": "a boat", "duration": 5}
PRICE = 210_000
REQUESTS = LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=40)
IN_FLIGHT = LimitChange(measure=Measure.IN_FLIGHT, period=Period.AT_ONCE, limit=6)
VIDEOS = LimitChange(measure=Measure.TASKS, period=Period.DAY, limit=25)
SPEND = LimitChange(measure=Measure.SPEND, period=Period.TOTAL, limit=25 * PRICE)

CREATED = Statement(
    text(
        "SELECT created_at FROM tasks WHERE token_id = CAST(:token_id AS uuid) ORDER BY created_at"
    )
)
UNDER_WAY = Statement(
    text(
        """
        SELECT count(*) FROM tasks t
        JOIN outputs o ON o.task_id = t.id AND o.status IN ('queued', 'in_progress')
        JOIN attempts a ON a.task_id = t.id AND a.position = o.position
                       AND a.status IN ('submitting', 'running')
        WHERE t.token_id = CAST(:token_id AS uuid)
        """
    )
)
WINDOW = Statement(
    text(
        """
        SELECT coalesce(sum(w.used + w.held), 0) FROM budget_windows w
        JOIN budgets b ON b.id = w.budget_id
        WHERE b.scope_id = CAST(CAST(:token_id AS uuid) AS text)
        """
    )
)


@dataclass
class Crowd:
    """The clients of one token."""

    limit: LimitChange
    key: str
    token_id: UUID
    made: int = 0
    refused: int = 0
    strange: list[tuple[int, str]] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    """How much was used at every look into the database."""


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Town]:
    settings: dict[str, Any] = {"speed": 5}
    async with open_town(database_url, sandbox=settings, VIDGATE_PRICES="shipped") as town:
        yield town


async def make_crowd(town: Town, limit: LimitChange) -> Crowd:
    name = limit.measure.value
    token, key = await town.operator.provisioning.create_token(name=name)
    await town.operator.limits.change(Scope.TOKEN, token.id, [limit], ITSELF)
    return Crowd(limit, key, token.id)


async def ask(crowd: Crowd, gateways: list[httpx.AsyncClient], is_over: Callable[[], bool]) -> None:
    for gateway in itertools.cycle(gateways):
        if is_over():
            return
        headers = {"Authorization": f"Bearer {crowd.key}"}
        try:
            answer = await gateway.post("/v1/video/generations", json=BODY, headers=headers)
        except httpx.TransportError:  # it was killed
            await asyncio.sleep(PAUSE)
            continue
        if answer.status_code == 200:
            crowd.made += 1
            continue
        if answer.status_code in (403, 429):
            crowd.refused += 1
        else:
            crowd.strange.append((answer.status_code, answer.text))
        await asyncio.sleep(PAUSE)


async def watch(town: Town, crowd: Crowd, is_over: Callable[[], bool]) -> None:
    statement = UNDER_WAY if crowd.limit is IN_FLIGHT else WINDOW
    database = town.operator.database
    while not is_over():
        used = await database.fetch_value(statement, token_id=crowd.token_id)
        crowd.seen.append(int(used))
        await asyncio.sleep(PAUSE)


async def kill(gateway: Process, after: float) -> None:
    await asyncio.sleep(after)
    await gateway.kill()


async def test_no_limit_is_exceeded_and_all_of_it_is_used(town: Town) -> None:
    crowds = [await make_crowd(town, one) for one in (REQUESTS, IN_FLIGHT, VIDEOS, SPEND)]
    replicas = [await town.gateway(), await town.gateway()]
    gateways = [town.client(one) for one in replicas]
    began = time.monotonic()

    def is_over() -> bool:
        seconds = time.monotonic() - began
        has_seen_all = all(crowd.refused >= ENOUGH for crowd in crowds)
        return seconds >= (SECONDS if has_seen_all else MOST_SECONDS)

    await asyncio.gather(
        *(
            ask(crowd, gateways[turn % 2 :] + gateways[: turn % 2], is_over)
            for crowd in crowds
            for turn in range(CLIENTS // len(crowds))
        ),
        *(watch(town, crowd, is_over) for crowd in crowds[1:]),
        kill(replicas[1], SECONDS / 2),
    )

    for crowd in crowds:
        assert not crowd.strange
        assert crowd.refused >= ENOUGH
    rate, flight, *budgets = crowds
    await see_rate(town, rate)
    assert max(flight.seen) == IN_FLIGHT.limit
    for crowd in budgets:
        most = crowd.limit.limit or 0
        assert 0.98 * most <= max(crowd.seen) <= most
    assert await check_books(town.operator.database) is None


async def see_rate(town: Town, crowd: Crowd) -> None:
    """Count every request that was let through, against the time that they took."""
    rows = await town.operator.database.fetch(CREATED, token_id=crowd.token_id)
    times = [row["created_at"] for row in rows]
    most, minute = crowd.limit.limit or 0, timedelta(minutes=1)
    tat = times[0]
    for at in times:
        tat = max(tat, at) + minute / most
        assert tat - at <= minute + timedelta(milliseconds=1)
    possible = most + int(most * (times[-1] - times[0]) / minute)
    assert 0.98 * possible <= len(times)
