"""What a token may know of its account: balance, use, and what new-api's clients ask."""

import csv
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from tests.support.engine import Engine, open_engine
from tests.support.gateway import open_client
from tests.support.upstreams import Upstream

from vidgate.models.acts import ITSELF
from vidgate.models.limits import LimitChange, Measure, Period, Scope
from vidgate.models.money import Per
from vidgate.services.money.price_book import of_amount, read_book, shipped

BODY = {"model": "kling-v2-6", "prompt": "a boat"}
SUBMIT = "/v1/video/generations"
CHARGED = 350_000
"""For each video: its provider reports 2.5 units, whatever was asked for."""


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    async with open_engine(database_url, prices="shipped") as engine:
        await engine.channel("kling")
        Upstream(engine.router, "kling").on_poll = ["succeeded"]
        yield engine


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine) as client:
        yield client


async def fund(engine: Engine, micros: int) -> None:
    ledger, account_id = engine.operator.ledger, engine.caller.account_id
    await ledger.set_prepaid(account_id, prepaid=True)
    await ledger.move(account_id, "credit", micros, reference=None)


async def make(engine: Engine, client: httpx.AsyncClient, *bodies: dict[str, Any]) -> None:
    for body in bodies or (BODY,):
        assert (await client.post(SUBMIT, json=body)).status_code == 200
    for _ in range(3):
        await engine.tick(minutes=2)


async def test_an_account_tells_what_it_has(engine: Engine, client: httpx.AsyncClient) -> None:
    free = (await client.get("/v1/account")).json()
    await fund(engine, 1_000_000)
    assert (await client.post(SUBMIT, json=BODY)).status_code == 200

    told = (await client.get("/v1/account")).json()

    assert free["balance"] is None
    assert told == {
        "object": "account",
        "id": told["id"],
        "name": "default",
        "currency": "USD",
        "balance": {"available_micros": 790_000, "held_micros": 210_000},
        "limits": [],
        "token": {
            "id": told["token"]["id"],
            "name": "test",
            "models": [],
            "strict": False,
            "expires_at": None,
            "created_at": told["token"]["created_at"],
        },
    }
    assert told["id"].startswith("acc_")
    assert told["token"]["id"].startswith("tok_")


async def test_an_account_tells_how_its_limits_stand(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    caller, limits = engine.caller, engine.operator.limits
    spend = LimitChange(measure=Measure.SPEND, period=Period.DAY, limit=1_000_000)
    places = LimitChange(measure=Measure.IN_FLIGHT, period=Period.AT_ONCE, limit=3)
    await limits.change(Scope.ACCOUNT, caller.account_id, [spend], ITSELF)
    await limits.change(Scope.TOKEN, caller.token.id, [places], ITSELF)
    await engine.services.limits.load()
    assert (await client.post(SUBMIT, json=BODY)).status_code == 200

    told = (await client.get("/v1/account")).json()["limits"]

    assert [(one["scope"], one["name"], one["window"]) for one in told] == [
        ("account", "spend", "day"),
        ("token", "tasks_in_flight", None),
    ]
    assert [(one["limit"], one["used"]) for one in told] == [(1_000_000, 210_000), (3, 1)]
    assert told[0]["resets_at"] > engine.clock.now().timestamp()


async def test_use_is_told_by_day_model_and_user(engine: Engine, client: httpx.AsyncClient) -> None:
    pro = BODY | {"mode": "pro", "user": "bob"}
    await make(engine, client, BODY | {"user": "alice", "n": 2}, BODY | {"user": "alice"}, pro)
    await make(engine, client, BODY | {"model": "kling-v2-5-turbo"})
    await engine.tick(hours=24)
    await make(engine, client, BODY)

    listed = (await client.get("/v1/usage")).json()

    seconds = [row.pop("seconds") for row in listed["data"]]
    assert seconds[2] == pytest.approx(3 * seconds[0])
    assert seconds[0] > 4
    assert listed["data"] == [
        row("2030-01-02", "kling-v2-6", None, tasks=1, outputs=1),
        row("2030-01-01", "kling-v2-5-turbo", None, tasks=1, outputs=1),
        row("2030-01-01", "kling-v2-6", "alice", tasks=2, outputs=3),
        row("2030-01-01", "kling-v2-6", "bob", tasks=1, outputs=1),
    ]
    assert listed["object"] == "list"
    assert listed["has_more"] is False


def row(day: str, model: str, user: str | None, *, tasks: int, outputs: int) -> dict[str, Any]:
    charged = {"charged_micros": outputs * CHARGED}
    return {"day": day, "model": model, "user": user, "tasks": tasks, "outputs": outputs} | charged


GROUPED: dict[str, list[tuple[Any, ...]]] = {
    "day": [("2030-01-02", None, None, 1), ("2030-01-01", None, None, 2)],
    "model": [(None, "kling-v2-5-turbo", None, 1), (None, "kling-v2-6", None, 2)],
    "user": [(None, None, None, 2), (None, None, "alice", 1)],
    "user,day": [
        ("2030-01-02", None, None, 1),
        ("2030-01-01", None, None, 1),
        ("2030-01-01", None, "alice", 1),
    ],
}


@pytest.mark.parametrize("by", GROUPED)
async def test_use_is_told_apart_as_asked_and_in_parts(
    engine: Engine, client: httpx.AsyncClient, by: str
) -> None:
    await make(engine, client, BODY | {"user": "alice"}, BODY | {"model": "kling-v2-5-turbo"})
    await engine.tick(hours=24)
    await make(engine, client)

    whole = (await client.get("/v1/usage", params={"group_by": by})).json()
    parts, after = [], None
    while True:
        asked = {"group_by": by, "limit": "1"} | ({"after": after} if after else {})
        answer = await client.get("/v1/usage", params=asked)
        part = answer.json()
        parts += part["data"]
        assert part["has_more"] == ("Link" in answer.headers)
        if not part["has_more"]:
            break
        after = part["last_id"]
        assert after == part["first_id"]

    assert parts == whole["data"]
    known = [(one["day"], one["model"], one["user"], one["tasks"]) for one in parts]
    assert known == GROUPED[by]


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        ({"since": "2030-01-02"}, ["2030-01-02"]),
        ({"until": "2030-01-01"}, ["2030-01-01"]),
        ({"since": "1893456000", "until": "1893499200"}, ["2030-01-01"]),
        ({"since": "2029-01-03", "until": "2030-01-02"}, ["2030-01-02", "2030-01-01"]),
        ({"since": "2030-01-03", "until": "2030-01-04"}, []),
    ],
)
async def test_days_can_be_chosen(
    engine: Engine, client: httpx.AsyncClient, asked: dict[str, str], days: list[str]
) -> None:
    await make(engine, client)
    await engine.tick(hours=24)
    await make(engine, client)

    listed = (await client.get("/v1/usage", params=asked)).json()

    assert [one["day"] for one in listed["data"]] == days


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"since": "yesterday"}, "since"),
        ({"until": "2030-02-30"}, "until"),
        ({"since": "2030-01-02", "until": "2030-01-01"}, "since"),
        ({"since": "2028-01-01", "until": "2030-01-01"}, "since"),
        ({"until": "99999999999999"}, "until"),
        ({"group_by": "hour"}, "group_by"),
        ({"after": "!"}, "after"),
        ({"after": "WyJhIl0="}, "after"),
        ({"after": "W251bGwsIlx1MDAwMCIsbnVsbF0="}, "after"),
        ({"limit": "0"}, "limit"),
        ({"limit": "10001"}, "limit"),
    ],
)
async def test_impossible_questions_are_refused(
    client: httpx.AsyncClient, asked: dict[str, str], param: str
) -> None:
    answer = await client.get("/v1/usage", params=asked)

    assert (answer.status_code, answer.json()["param"]) == (400, param)


async def test_use_comes_as_a_table(engine: Engine, client: httpx.AsyncClient) -> None:
    await make(engine, client, BODY | {"user": 'a,"b"\n'})
    headers = {"Accept": "text/csv;q=0.9, */*;q=0.1"}

    answer = await client.get("/v1/usage", headers=headers)

    assert answer.headers["Content-Type"].startswith("text/csv")
    (told,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert told["user"] == 'a,"b"\n'
    assert told["charged_micros"] == str(CHARGED)


async def test_nobody_sees_the_use_of_others(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.operator.provisioning.create_account("others")
    _, key = await engine.operator.provisioning.create_token(name="x", account="others")
    await make(engine, client)
    headers = {"Authorization": f"Bearer {key}"}

    assert (await client.get("/v1/usage", headers=headers)).json()["data"] == []
    used = (await client.get("/api/usage/token/", headers=headers)).json()
    assert used["data"]["total_used"] == 0


async def test_newapis_clients_are_told_what_is_left(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await fund(engine, 1_000_001)
    await make(engine, client)

    token = (await client.get("/api/usage/token/")).json()
    given = (await client.get("/v1/dashboard/billing/subscription")).json()
    used = (await client.get("/dashboard/billing/usage")).json()

    assert token == {
        "code": True,
        "message": "ok",
        "data": {
            "object": "token_usage",
            "name": "test",
            "total_granted": 500_000,
            "total_used": 175_000,
            "total_available": 325_000,
            "unlimited_quota": False,
            "model_limits": {},
            "model_limits_enabled": False,
            "expires_at": 0,
        },
    }
    assert given == {
        "object": "billing_subscription",
        "has_payment_method": True,
        "soft_limit_usd": 1.000001,
        "hard_limit_usd": 1.000001,
        "system_hard_limit_usd": 1.000001,
        "access_until": 0,
    }
    assert used == {"object": "list", "total_usage": 35.0}


@pytest.mark.parametrize("scope", [Scope.ACCOUNT, Scope.TOKEN])
@pytest.mark.parametrize(
    ("balance", "change", "left"),
    [
        (None, {}, 250_000),
        (600_000, {}, 250_000),
        (400_000, {}, 50_000),
        (None, {"period": Period.MONTH}, None),
        (None, {"models": ("kling-*",)}, None),
        (None, {"measure": Measure.TASKS}, None),
    ],
)
async def test_newapis_clients_are_told_what_may_be_spent_in_all(
    engine: Engine,
    client: httpx.AsyncClient,
    *,
    scope: Scope,
    balance: int | None,
    change: dict[str, Any],
    left: int | None,
) -> None:
    if balance is not None:
        await fund(engine, balance)
    caller = engine.caller
    owner = caller.token.id if scope is Scope.TOKEN else caller.account_id
    members = {"measure": Measure.SPEND, "period": Period.TOTAL, "limit": 600_000, **change}
    await engine.operator.limits.change(scope, owner, [LimitChange(**members)], ITSELF)
    await engine.services.limits.load()
    await make(engine, client)

    token = (await client.get("/api/usage/token")).json()["data"]
    given = (await client.get("/dashboard/billing/subscription")).json()

    assert token["unlimited_quota"] is (left is None)
    assert token["total_available"] == (left or 0) // 2
    assert token["total_granted"] == (350_000 + (left or 0)) // 2
    granted = 100_000_000 if left is None else (350_000 + left) / 1_000_000
    assert given["hard_limit_usd"] == granted


async def test_an_account_that_pays_afterwards_has_no_limit(client: httpx.AsyncClient) -> None:
    token = (await client.get("/api/usage/token")).json()["data"]
    given = (await client.get("/dashboard/billing/subscription")).json()

    assert (token["unlimited_quota"], token["total_available"]) == (True, 0)
    assert given["hard_limit_usd"] == 100_000_000


async def test_prices_are_told_to_everybody(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("vidu")
    nobody = {"Authorization": ""}

    status = (await client.get("/api/status", headers=nobody)).json()
    pricing = (await client.get("/api/pricing", headers=nobody)).json()

    assert status["data"]["quota_per_unit"] == 500_000
    assert status["data"]["quota_display_type"] == "USD"
    prices = {one["model_name"]: one["model_price"] for one in pricing["data"]}
    assert prices["kling-v2-6"] == 0.21
    assert prices["kling-v1"] == 0.21  # runs as its successor
    assert prices["viduq3-mix"] == 0.6  # has no video of text alone
    assert "viduq2-pro" not in prices
    assert [one["name"] for one in pricing["vendors"]] == ["kling", "vidu"]


async def test_prices_are_written_anew_when_a_channel_or_the_book_changes(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    async def price(model: str) -> float | None:
        listed = (await client.get("/api/pricing")).json()["data"]
        return {one["model_name"]: one["model_price"] for one in listed}.get(model)

    assert await price("viduq2-pro") is None
    assert await price("viduq3-mix") is None

    await engine.channel("vidu")
    assert await price("viduq3-mix") == 0.6

    own = read_book(of_amount("viduq2-pro", Per.VIDEO, Decimal("0.70"), "USD"), over=shipped())
    await engine.operator.prices.add(shipped().merged(own).document, ITSELF)
    await engine.services.prices.refresh()
    assert await price("viduq2-pro") == 0.7


@pytest.mark.parametrize("path", ["/api/status", "/api/pricing", "/api/usage/token"])
async def test_they_can_be_turned_off(database_url: str, path: str) -> None:
    opened = open_engine(database_url, prices="shipped", newapi_routes=False)
    async with opened as engine, open_client(engine) as client:
        answer = await client.get(path)

    assert (answer.status_code, answer.json()["type"]) == (404, "not_found_error")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/account",
        "/v1/usage",
        "/api/usage/token",
        "/dashboard/billing/usage",
        "/v1/dashboard/billing/subscription",
    ],
)
async def test_a_token_is_needed(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Authorization": ""})

    assert answer.status_code == 401
