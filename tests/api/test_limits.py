"""Limits, as clients of every dialect meet them, through the real services and database."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.api.creating_posts import POSTS
from tests.support.engine import Engine, open_engine
from tests.support.gateway import open_client
from tests.support.upstreams import Upstream

from vidgate.db.engine import Statement
from vidgate.models.acts import ITSELF
from vidgate.models.limits import LimitChange, Measure, Period, Scope

COUNT = Statement(text("SELECT count(*) FROM tasks"))
DIALECTS = ("newapi", "openai", "kling", "jimeng", "vidu")
REQUESTS = LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=2)
IN_FLIGHT = LimitChange(measure=Measure.IN_FLIGHT, period=Period.AT_ONCE, limit=1)
QUEUED = LimitChange(measure=Measure.QUEUED, period=Period.AT_ONCE, limit=0)
VIDEOS = LimitChange(measure=Measure.TASKS, period=Period.DAY, limit=1)
SPEND = LimitChange(measure=Measure.SPEND, period=Period.MONTH, limit=50_000_000)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    async with open_engine(database_url) as engine:
        yield engine


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine) as client:
        yield client


async def limit(engine: Engine, *changes: LimitChange, scope: Scope = Scope.TOKEN) -> None:
    caller = engine.caller
    owner = caller.token.id if scope is Scope.TOKEN else caller.account_id
    await engine.operator.limits.change(scope, owner, changes, ITSELF)
    await engine.services.limits.load()


async def post(client: httpx.AsyncClient, dialect: str, **headers: str) -> httpx.Response:
    path, body = POSTS[dialect]
    return await client.post(path, json=body, headers=headers)


def provider_of(dialect: str) -> str:
    return dialect if dialect in ("jimeng", "vidu") else "kling"


def shape(answer: httpx.Response) -> tuple[Any, ...]:
    """What of a dialect's error its clients decide by."""
    body = answer.json()
    if "ResponseMetadata" in body:
        return answer.status_code, body["ResponseMetadata"]["Error"]["Code"]
    if "reason" in body:
        return answer.status_code, body["reason"]
    if isinstance(body.get("code"), int):
        return answer.status_code, body["code"]
    return answer.status_code, body["error"]["type"], body["error"]["code"]


RATES = {
    "newapi": (429, "rate_limit_error", "rate_limited"),
    "openai": (429, "rate_limit_error", "rate_limited"),
    "kling": (429, 1302),
    "jimeng": (429, "FlowLimitExceeded"),
    "vidu": (429, "TooManyRequests"),
}
PLACES = {
    "newapi": (429, "rate_limit_error", "too_many_in_flight"),
    "openai": (429, "rate_limit_error", "too_many_in_flight"),
    "kling": (429, 1303),
    "jimeng": (429, 50430),
    "vidu": (429, "TooManyRequests"),
}
BUDGETS = {
    "newapi": (403, "insufficient_quota", "budget_exceeded"),
    "openai": (429, "insufficient_quota", "insufficient_quota"),
    "kling": (429, 1102),
    "jimeng": (403, "AccessDenied"),
    "vidu": (400, "CreditInsufficient"),
}
CASES = [
    (dialect, change, shapes[dialect])
    for change, shapes in (
        (REQUESTS, RATES),
        (IN_FLIGHT, PLACES),
        (VIDEOS, BUDGETS),
    )
    for dialect in DIALECTS
]


@pytest.mark.parametrize(("dialect", "change", "expected"), CASES)
async def test_a_refusal_is_told_in_the_dialects_shape(
    engine: Engine,
    client: httpx.AsyncClient,
    dialect: str,
    change: LimitChange,
    expected: tuple[Any, ...],
) -> None:
    provider = provider_of(dialect)
    await engine.channel(provider)
    upstream = Upstream(engine.router, provider)
    await limit(engine, change)
    for _ in range(change.limit or 0):
        assert (await post(client, dialect)).status_code == 200
    calls = len(upstream.submits)

    refused = await post(client, dialect)

    assert shape(refused) == expected
    assert int(refused.headers["Retry-After"]) >= 1
    is_budget = change is VIDEOS
    assert refused.headers.get("x-should-retry") == ("false" if is_budget else None)
    assert "r=0" in refused.headers["RateLimit"]
    assert refused.headers["RateLimit-Policy"]
    assert len(upstream.submits) == calls
    assert await engine.operator.database.fetch_value(COUNT) == change.limit


async def test_a_refusal_names_scope_window_and_reset(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    await limit(engine, VIDEOS, scope=Scope.ACCOUNT)
    await post(client, "newapi")

    message = (await post(client, "newapi")).json()["message"]

    midnight = engine.clock.now().replace(hour=0, minute=0, second=0) + timedelta(days=1)
    assert message == (
        "This request needs 1 video, and of the 1 video a day that this account may use 0 videos "
        f"are left; it begins anew at {midnight:%Y-%m-%dT%H:%M:%SZ}."
    )


async def test_answers_tell_of_limits(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    sixty = LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=60)
    ten = LimitChange(measure=Measure.IN_FLIGHT, period=Period.AT_ONCE, limit=10)
    await limit(engine, sixty, ten)
    await limit(engine, SPEND, scope=Scope.ACCOUNT)
    policy = (
        '"requests";q=60;w=60, "tasks";q=10;qu="concurrent-requests", '
        '"account-spend-month";q=50000000;qu="micros";w=2592000'
    )

    made = await post(client, "newapi")
    read = await client.get(f"/v1/video/generations/{made.json()['id']}")
    missing = await client.get("/v1/video/generations/task_0")
    wrong = await client.post("/v1/video/generations", json={})
    models = await client.get("/v1/models")

    for answer in (made, read, missing, wrong, models):
        assert answer.headers["RateLimit-Policy"] == policy
        assert ("RateLimit" in answer.headers) is (answer is made)
    assert made.headers["RateLimit"] == '"requests";r=59;t=1, "tasks";r=9'
    names = ("limit", "remaining", "reset")
    told = [made.headers[f"x-ratelimit-{name}-requests"] for name in names]
    assert told == ["60", "59", "1s"]


REFUSING = {
    "another rate": LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=1),
    "videos under way": IN_FLIGHT,
    "a budget": VIDEOS,
}


@pytest.mark.parametrize("name", REFUSING)
async def test_what_a_refusal_gives_back_is_told_as_left(
    engine: Engine, client: httpx.AsyncClient, name: str
) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    sixty = LimitChange(measure=Measure.REQUESTS, period=Period.MINUTE, limit=60)
    ten = LimitChange(measure=Measure.IN_FLIGHT, period=Period.AT_ONCE, limit=10)
    week = LimitChange(measure=Measure.TASKS, period=Period.WEEK, limit=10)
    others = {"another rate": sixty, "videos under way": ten, "a budget": week}
    await limit(engine, *others.values())
    await limit(engine, REFUSING[name], scope=Scope.ACCOUNT)
    made = await post(client, "newapi")

    refused = await post(client, "newapi")

    told = dict(one.split(";", 1) for one in refused.headers["RateLimit"].split(", "))
    account = [one for one in told if one.startswith('"account-')]
    assert [told.pop(one)[:3] for one in account] == ["r=0"]
    before = dict(one.split(";", 1) for one in made.headers["RateLimit"].split(", "))
    assert told
    assert told == {one: before[one] for one in told}
    if name != "another rate":
        assert refused.headers["x-ratelimit-remaining-requests"] == "59"
        assert refused.headers["x-ratelimit-reset-requests"] == "1s"


async def test_a_rate_that_takes_minutes_says_so(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    await limit(engine, REQUESTS)

    first, second = [await post(client, "openai") for _ in range(2)]

    told = [answer.headers["x-ratelimit-reset-requests"] for answer in (first, second)]
    assert told == ["30s", "1m0s"]


async def test_what_is_not_limited_tells_of_none(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")

    made = await post(client, "newapi")

    assert not [name for name in made.headers if "ratelimit" in name]


async def test_mistakes_and_repetitions_cost_nothing(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    await limit(engine, REQUESTS, VIDEOS)
    once = {"Idempotency-Key": "once"}

    mistakes = [
        await client.post("/v1/video/generations", json={"model": "kling-v2-6", "duration": 999}),
        await client.post("/v1/video/generations", content=b"{"),
        await client.post("/v1/video/generations", json={"model": "nothing", "prompt": "a"}),
    ]
    made, *repeated = [await post(client, "newapi", **once) for _ in range(4)]
    uses = await engine.operator.limits.uses(
        engine.caller.account_id, engine.caller.token.id, now=engine.clock.now()
    )

    assert all(400 <= one.status_code < 500 for one in mistakes)
    assert {one.json()["id"] for one in repeated} == {made.json()["id"]}
    assert [one.used for one in uses] == [1, 1]


async def test_nothing_may_wait_where_nothing_may_be_queued(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    await limit(engine, QUEUED)
    await post(client, "newapi")

    refused = await post(client, "newapi")

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_queued")


async def test_scripts_in_browsers_may_read_the_headers(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    Upstream(engine.router, "kling")
    await limit(engine, REQUESTS)

    made = await post(client, "newapi", Origin="https://app.example")

    exposed = made.headers["Access-Control-Expose-Headers"].lower().split(", ")
    assert {name for name in made.headers if "ratelimit" in name} <= set(exposed)


READS = LimitChange(measure=Measure.READS, period=Period.MINUTE, limit=2)
QUESTIONS = {
    "newapi": ("GET", "/v1/video/generations/task_0"),
    "openai": ("GET", "/v1/videos"),
    "kling": ("GET", "/kling/v1/videos/text2video/task_0"),
    "jimeng": ("POST", "/jimeng?Action=CVSync2AsyncGetResult&Version=2022-08-31"),
    "vidu": ("GET", "/vidu/ent/v2/tasks/task_0/creations"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_reads_have_a_rate_of_their_own(
    engine: Engine, client: httpx.AsyncClient, dialect: str
) -> None:
    await engine.channel(provider_of(dialect))
    Upstream(engine.router, provider_of(dialect))
    await limit(engine, READS)
    method, path = QUESTIONS[dialect]
    body = {"req_key": "jimeng_t2v_v30", "task_id": "task_0"} if method == "POST" else None

    answers = [await client.request(method, path, json=body) for _ in range(3)]
    made = await post(client, dialect)

    assert [one.headers["RateLimit"].split(";t")[0] for one in answers] == [
        '"reads";r=1',
        '"reads";r=0',
        '"reads";r=0',
    ]
    assert shape(answers[2]) == RATES[dialect]
    assert int(answers[2].headers["Retry-After"]) >= 1
    assert made.status_code == 200
    assert "RateLimit" not in made.headers
