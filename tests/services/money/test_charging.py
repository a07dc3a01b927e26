"""Money over the whole life of requests: the services, a real database, providers at the edge."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs
from tests.support.engine import Engine, open_engine
from tests.support.upstreams import Upstream

from vidgate.db.engine import Statement
from vidgate.db.ledger_check import check_books
from vidgate.exceptions import (
    ConfigurationError,
    InsufficientQuotaError,
    PriceMissingError,
    RequestError,
)
from vidgate.models.acts import ITSELF
from vidgate.models.money import Balance
from vidgate.models.tasks import TaskStatus

ENTRIES = Statement(text("SELECT kind, micros FROM entries ORDER BY id"))
PATH = "/v1/videos/text2video"
MODEL = "kling-v2-6"


def state(status: str, **members: object) -> dict[str, object]:
    data = {"task_id": "9301", "task_status": status, **members}
    return {"code": 0, "message": "SUCCEED", "request_id": "r", "data": data}


@pytest.fixture
async def priced(database_url: str) -> AsyncIterator[Engine]:
    async with open_engine(database_url, prices="shipped") as engine:
        await engine.channel("kling", priority=2)
        yield engine


def accepts(engine: Engine, name: str = "kling") -> None:
    engine.router.post(f"http://{name}.test{PATH}").respond(json=state("submitted"))


async def succeed(engine: Engine, name: str = "kling", **members: Any) -> None:
    video = {"id": "v1", "url": "http://127.0.0.1:9/a.mp4", "duration": "5.041"}
    engine.router.get(f"http://{name}.test{PATH}/9301").respond(
        json=state("succeed", task_result={"videos": [video]}, **members)
    )
    await engine.tick(minutes=1)


async def entries(engine: Engine) -> list[tuple[str, int]]:
    assert await check_books(engine.operator.database) is None
    rows = await engine.operator.database.fetch(ENTRIES)
    return [(row["kind"], row["micros"]) for row in rows]


async def fund(engine: Engine, micros: int) -> None:
    ledger, account_id = engine.operator.ledger, engine.caller.account_id
    await ledger.set_prepaid(account_id, prepaid=True)
    await ledger.move(account_id, "credit", micros, reference=None)


async def test_a_task_is_held_for_and_charged_as_its_provider_reports(priced: Engine) -> None:
    await fund(priced, 1_000_000)
    accepts(priced)

    await priced.create(MODEL, duration_seconds=10)
    balance = await priced.operator.ledger.balance(priced.caller.account_id)
    await succeed(priced, final_unit_deduction="2.4")

    assert balance == Balance(available=580_000, held=420_000)
    assert await entries(priced) == [
        ("credit", 1_000_000),
        ("reserve", 420_000),
        ("settle", 336_000),
        ("release", 84_000),
    ]
    balance = await priced.operator.ledger.balance(priced.caller.account_id)
    assert balance == Balance(available=664_000, held=0)


async def test_what_metadata_asks_for_is_held(priced: Engine) -> None:
    accepts(priced)

    await priced.create(MODEL, duration_seconds=5, metadata={"duration": "10", "mode": "pro"})

    assert await entries(priced) == [("reserve", 700_000)]


async def test_a_refusal_gives_back(priced: Engine) -> None:
    refusal = {"code": 1201, "message": "bad prompt", "request_id": "r"}
    priced.router.post(f"http://kling.test{PATH}").respond(400, json=refusal)

    with pytest.raises(RequestError):
        await priced.create(MODEL)

    assert await entries(priced) == [("reserve", 210_000), ("release", 210_000)]


async def test_one_micro_short_calls_nobody(priced: Engine) -> None:
    await fund(priced, 209_999)
    submit = priced.router.post(f"http://kling.test{PATH}")

    with pytest.raises(InsufficientQuotaError):
        await priced.create(MODEL)

    assert not submit.called
    assert await priced.all_tasks() == []
    assert await entries(priced) == [("credit", 209_999)]


async def test_every_video_is_held_for(priced: Engine) -> None:
    accepts(priced)

    await priced.create(MODEL, n=3)

    assert await entries(priced) == [("reserve", 210_000)] * 3


async def test_a_factor_is_on_every_price(priced: Engine) -> None:
    accepts(priced)
    await priced.operator.ledger.set_factor(priced.caller.account_id, Decimal("1.25"))
    await priced.services.prices.refresh()

    await priced.create(MODEL)
    await succeed(priced)

    assert await entries(priced) == [("reserve", 262_500), ("settle", 262_500)]


async def test_the_dearest_channel_is_held_and_the_one_that_made_it_charged(
    database_url: str,
) -> None:
    async with open_engine(database_url, prices="shipped") as engine:
        await engine.channel("kling", priority=2, max_concurrency=1)
        dear = {MODEL: "kling-v3"}
        await engine.channel("kling", "dear", models=(MODEL,), model_map=dear, priority=1)
        accepts(engine)

        await engine.create(MODEL, duration_seconds=5)
        await succeed(engine)

        assert await entries(engine) == [
            ("reserve", 420_000),
            ("settle", 210_000),
            ("release", 210_000),
        ]


async def test_failover_charges_what_the_other_channel_runs(database_url: str) -> None:
    async with open_engine(database_url, prices="shipped") as engine:
        await engine.channel("kling", priority=2, max_concurrency=1)
        dear = {MODEL: "kling-v3"}
        await engine.channel("kling", "dear", models=(MODEL,), model_map=dear, priority=1)
        broken = {"code": 1102, "message": "no balance", "request_id": "r"}
        engine.router.post(f"http://kling.test{PATH}").respond(429, json=broken)
        accepts(engine, "dear")

        await engine.create(MODEL, duration_seconds=5)
        await succeed(engine, "dear")

        assert await entries(engine) == [("reserve", 420_000), ("settle", 420_000)]


UNPRICED = "kling-v9"


async def test_what_has_no_price_is_refused(priced: Engine) -> None:
    with pytest.raises(PriceMissingError):
        await priced.create(UNPRICED)

    assert await priced.all_tasks() == []


async def test_what_has_no_price_may_be_free(database_url: str) -> None:
    async with open_engine(database_url, prices="shipped", unpriced="free") as engine:
        await engine.channel("kling")
        accepts(engine)

        created = await engine.create(UNPRICED)
        await succeed(engine, final_unit_deduction="9")

        assert (await engine.task(created)).status is TaskStatus.SUCCEEDED
        assert await entries(engine) == []


async def test_without_prices_there_is_no_entry(engine: Engine) -> None:
    await engine.channel("kling")
    accepts(engine)

    await engine.create(MODEL)
    await succeed(engine, final_unit_deduction="9")

    assert await entries(engine) == []


async def test_a_new_version_prices_what_is_new(priced: Engine) -> None:
    accepts(priced)
    await priced.create(MODEL)
    document = dict(await priced.operator.prices.read(await priced.operator.prices.newest() or 0))
    document["units"] = {**document["units"], "kling_unit": {"rates": {"USD": "0.28"}}}
    await priced.operator.prices.add(document, ITSELF)
    await priced.services.prices.refresh()
    await priced.create(MODEL)

    assert await entries(priced) == [("reserve", 210_000), ("reserve", 420_000)]


@pytest.mark.parametrize("currency", ["USD", "CNY"])
async def test_the_shipped_prices_start_in_either_currency(
    database_url: str, currency: str
) -> None:
    async with open_engine(database_url, prices="shipped", currency=currency) as engine:
        assert engine.services.prices.are_on


async def test_what_cannot_be_converted_disables_its_models_alone(database_url: str) -> None:
    with capture_logs() as logs:
        async with open_engine(database_url, prices="shipped", currency="CNY") as engine:
            for provider in ("kling", "jimeng", "vidu"):
                await engine.channel(provider, models=())
                Upstream(engine.router, provider)

            with pytest.raises(PriceMissingError):
                await engine.create(MODEL)
            await engine.create("jimeng_t2v_v30", duration_seconds=5)
            await engine.create("viduq3-pro", duration_seconds=5)

            assert await entries(engine) == [("reserve", 1_400_000), ("reserve", 3_125_000)]
    (told,) = [line for line in logs if line["log_level"] == "warning"]
    assert told["units"] == ["kling_unit", "usd"]
    assert MODEL in told["models"]
    assert not any(model.startswith(("vidu", "jimeng")) for model in told["models"])


async def test_another_currency_refuses_to_start_once_money_moved(database_url: str) -> None:
    async with open_engine(database_url, prices="shipped", currency="USD") as engine:
        await fund(engine, 1)

    with pytest.raises(ConfigurationError, match="Set it to USD"):
        async with open_engine(database_url, prices="shipped", currency="CNY"):
            pass


PACK = {
    "units": {
        "kling_unit": {"rates": {"USD": "0.098"}, "reported_as": "units", "provider": "kling"}
    }
}


async def margins(engine: Engine) -> list[dict[str, Any]]:
    since = datetime(2020, 1, 1, tzinfo=UTC)
    found = await engine.operator.ledger.margins(since, since + timedelta(days=9999))
    return [
        {
            "model": one.model,
            "videos": one.videos,
            "charged": one.charged_micros,
            "cost": one.cost_micros,
            "wasted": one.wasted_micros,
            "unknown": one.unknown_costs,
        }
        for one in found
    ]


async def pay(engine: Engine, document: Mapping[str, Any]) -> None:
    (channel,) = await engine.operator.channels.all()
    await engine.operator.prices.add_purchase(
        channel.id, lambda _: document, from_at=None, by=ITSELF
    )
    await engine.services.prices.refresh()


async def test_the_margin_is_what_is_charged_less_what_the_channel_pays(priced: Engine) -> None:
    await pay(priced, PACK)
    accepts(priced)
    await priced.create(MODEL, duration_seconds=5)
    await succeed(priced, final_unit_deduction="1.5")

    assert await margins(priced) == [
        {
            "model": MODEL,
            "videos": 1,
            "charged": 210_000,
            "cost": 147_000,
            "wasted": 0,
            "unknown": 0,
        }
    ]


async def test_what_was_made_before_keeps_what_it_costs(priced: Engine) -> None:
    accepts(priced)
    await priced.create(MODEL, duration_seconds=5)
    await pay(priced, PACK)
    await succeed(priced, final_unit_deduction="1.5")

    assert [one["cost"] for one in await margins(priced)] == [210_000]


async def test_what_failed_is_paid_only_where_the_provider_did_the_work(priced: Engine) -> None:
    await pay(priced, PACK)
    accepts(priced)
    await priced.create(MODEL, duration_seconds=5)
    answer = state("succeed", task_result={"videos": []})
    priced.router.get(f"http://kling.test{PATH}/9301").respond(json=answer)
    for _ in range(12):
        await priced.tick(minutes=5)

    assert [kind for kind, _ in await entries(priced)] == ["reserve", "release"]
    (told,) = await margins(priced)
    assert (told["videos"], told["charged"]) == (0, 0)
    assert (told["cost"], told["wasted"]) == (147_000, 147_000)


async def test_what_the_provider_refused_costs_nothing(priced: Engine) -> None:
    accepts(priced)
    await priced.create(MODEL, duration_seconds=5)
    answer = state("failed", task_status_msg="Failure to pass the risk control system")
    priced.router.get(f"http://kling.test{PATH}/9301").respond(json=answer)
    await priced.tick(minutes=5)

    assert [kind for kind, _ in await entries(priced)] == ["reserve", "release"]
    assert await margins(priced) == []
