"""Limits as operators set them: what is kept of them, and how they are told."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from vidgate.db.acts import ActStore
from vidgate.db.engine import Database
from vidgate.db.limits import LimitStore
from vidgate.exceptions import ConfigurationError
from vidgate.models.acts import Author
from vidgate.models.ids import TOKEN_PREFIX, new_id, public_id
from vidgate.models.limits import LimitChange, Measure, Period, Scope

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
BY = Author(actor="ada", origin="test", reason="because")
REQUESTS = LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=60)
IN_FLIGHT = LimitChange(measure=Measure.IN_FLIGHT, period=Period.AT_ONCE, limit=3)
DAY = LimitChange(
    measure=Measure.SPEND,
    period=Period.DAY,
    limit=10_000_000,
    time_zone="Asia/Shanghai",
    warn_at=Decimal("0.5"),
)


@pytest.fixture
def store(database: Database) -> LimitStore:
    return LimitStore(database)


async def test_limits_are_told_with_their_use(store: LimitStore) -> None:
    account_id, token_id = new_id(), new_id()
    await store.change(Scope.ACCOUNT, account_id, [DAY], BY)
    await store.change(Scope.TOKEN, token_id, [REQUESTS, IN_FLIGHT], BY)

    uses = await store.uses(account_id, token_id, now=NOW)

    midnight = datetime(2026, 11, 28, 16, tzinfo=UTC)  # in Shanghai
    assert [one.to_document() for one in uses] == [
        {
            "name": "spend",
            "scope": "account",
            "window": "day",
            "limit": 10_000_000,
            "used": 0,
            "resets_at": int(midnight.timestamp()),
        },
        {
            "name": "requests_per_minute",
            "scope": "token",
            "window": "minute",
            "limit": 60,
            "used": 0,
            "resets_at": None,
        },
        {
            "name": "tasks_in_flight",
            "scope": "token",
            "window": None,
            "limit": 3,
            "used": 0,
            "resets_at": None,
        },
    ]


PERIODS = {
    "day": datetime(2026, 11, 28, 16, tzinfo=UTC),
    "week": datetime(2026, 11, 29, 16, tzinfo=UTC),
    "month": datetime(2026, 11, 30, 16, tzinfo=UTC),
    "total": None,
}


@pytest.mark.parametrize("period", PERIODS)
async def test_periods_end_in_their_time_zone(store: LimitStore, period: str) -> None:
    owner = new_id()
    change = LimitChange(
        measure=Measure.TASKS, period=Period(period), limit=5, time_zone="Asia/Shanghai"
    )
    await store.change(Scope.ACCOUNT, owner, [change], BY)

    [use] = await store.uses(owner, now=NOW)

    assert use.resets_at == PERIODS[period]


async def test_a_change_leaves_what_it_does_not_name(store: LimitStore) -> None:
    owner = new_id()
    await store.change(Scope.ACCOUNT, owner, [DAY, REQUESTS], BY)

    again = LimitChange(measure=Measure.SPEND, period=Period.DAY, limit=5)
    await store.change(Scope.ACCOUNT, owner, [again], BY)

    requests, day = await store.of(owner)
    assert (day.limit, day.time_zone, day.warn_at) == (5, "Asia/Shanghai", Decimal("0.5"))
    assert requests.limit == 60


async def test_what_is_taken_away_can_be_set_again(store: LimitStore) -> None:
    owner = new_id()
    none = LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=None)
    await store.change(Scope.TOKEN, owner, [REQUESTS], BY)
    await store.change(Scope.TOKEN, owner, [none], BY)
    assert await store.of(owner) == []
    [removed] = await store.changed(datetime.now(UTC) - timedelta(minutes=1))
    assert removed.removed

    await store.change(Scope.TOKEN, owner, [REQUESTS], BY)

    [limit] = await store.of(owner)
    assert limit.id == removed.id


async def test_a_raise_ends(store: LimitStore) -> None:
    owner, until = new_id(), NOW + timedelta(hours=2)
    await store.change(Scope.ACCOUNT, owner, [REQUESTS], BY)
    more = LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=30)

    await store.raise_until(Scope.ACCOUNT, owner, [more], until, BY)

    [limit] = await store.of(owner)
    assert limit.most(NOW) == 90
    assert limit.most(until) == 60


async def test_what_has_no_limit_cannot_be_raised(store: LimitStore) -> None:
    with pytest.raises(ConfigurationError, match="set one first"):
        await store.raise_until(Scope.ACCOUNT, new_id(), [REQUESTS], NOW, BY)


async def test_a_time_zone_that_does_not_exist_is_refused(store: LimitStore) -> None:
    owner = new_id()
    change = LimitChange(measure=Measure.TASKS, period=Period.DAY, limit=1, time_zone="Mars/Base")

    with pytest.raises(ConfigurationError, match="Mars/Base"):
        await store.change(Scope.ACCOUNT, owner, [change], BY)

    assert await store.of(owner) == []


async def test_a_rate_of_nothing_is_refused(store: LimitStore) -> None:
    none = LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=0)

    with pytest.raises(asyncpg.CheckViolationError):
        await store.change(Scope.ACCOUNT, new_id(), [none], BY)


async def test_changes_are_acts(store: LimitStore, database: Database) -> None:
    owner = new_id()
    more = LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=30)
    await store.change(Scope.TOKEN, owner, [REQUESTS, DAY], BY)
    await store.change(Scope.TOKEN, owner, [REQUESTS], BY)  # changes nothing
    await store.raise_until(Scope.TOKEN, owner, [more], NOW, BY)

    acts = await ActStore(database).of(public_id(TOKEN_PREFIX, owner))

    assert [(act.name, act.author.reason) for act in acts] == [
        ("token.limit", "because"),
        ("token.raise", "because"),
    ]
    assert acts[0].before == {"requests_per_minute": None, "spend day": None}
    assert acts[0].after == {
        "requests_per_minute": {"limit": 60},
        "spend day": {"limit": 10_000_000, "time_zone": "Asia/Shanghai", "warn_at": "0.5"},
    }
    assert acts[1].after == {
        "requests_per_minute": {"limit": 60, "raised_by": 30, "until": int(NOW.timestamp())}
    }
