"""`POST /v1/video/estimate` says what the same submit would cost, and does nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests.support.engine import Engine, open_engine
from tests.support.gateway import open_client
from tests.support.upstreams import NAMES, SITUATIONS, Upstream

from vidgate.db.engine import Statement
from vidgate.providers.registry import build_providers
from vidgate.sandbox.registry import SANDBOX_MODELS

ESTIMATE = "/v1/video/estimate"
SUBMITS = ("/v1/video/generations", "/v1/videos")
BODY = {"model": "kling-v2-6", "prompt": "a boat"}
RATES = {"CNY": "7.1"}
PICTURE = "https://pictures.example/a.png"

MODELS = [
    (provider.name, model)
    for provider in build_providers(map_retired_models=True).values()
    for model in sorted(provider.capabilities.models) or SANDBOX_MODELS[provider.name]
]


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    async with open_engine(database_url, prices="shipped", currency_rates=RATES) as engine:
        yield engine


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine) as client:
        yield client


async def test_it_says_all_of_it(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling")

    answer = await client.post(ESTIMATE, json=BODY | {"n": 2, "fps": 24, "size": "1280x720"})

    assert answer.status_code == 200, answer.text
    row = answer.json().pop("row")
    assert "resolution 720p, sound off" in row
    assert answer.json() == {
        "object": "estimate",
        "micros": 420_000,
        "micros_each": 210_000,
        "amount": "0.420000",
        "currency": "USD",
        "outputs": 2,
        "units": "1.5",
        "unit": "kling_unit",
        "row": row,
        "ignored": ["fps"],
        "adjusted": [],
        "usual_seconds": None,
        "queue": 0,
    }
    assert answer.headers["X-Vidgate-Price"] == "0.42 USD"
    assert answer.headers["X-Vidgate-Ignored"] == "fps"


async def test_what_raises_the_price_unasked_is_said(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    body = BODY | {"model": "kling-v2-5-turbo", "image": PICTURE, "image_tail": PICTURE}

    told = (await client.post(ESTIMATE, json=body)).json()

    assert told["adjusted"] == ["mode=pro"]
    assert told["micros"] == 350_000


async def test_the_usual_time_is_told(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("vidu", models=("viduq3-turbo",))
    published = engine.operator.providers["vidu"].capabilities.models["viduq3-turbo"].usual
    assert published is not None
    body = BODY | {"model": "viduq3-turbo"}

    told = (await client.post(ESTIMATE, json=body)).json()["usual_seconds"]

    assert told == published.total_seconds()


async def test_it_does_nothing(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling")
    upstream = Upstream(engine.router, "kling")
    await engine.operator.ledger.set_prepaid(engine.caller.account_id, prepaid=True)

    answer = await client.post(ESTIMATE, json=BODY, headers={"Idempotency-Key": "once"})

    assert answer.json()["micros"] == 210_000  # the account has nothing, and may ask all the same
    assert upstream.submits == []
    assert await engine.all_tasks() == []
    for table in ("entries", "idempotency_keys", "inputs", "attempts"):
        rows = Statement(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - the names above
        assert await engine.operator.database.fetch_value(rows) == 0


async def test_who_waits_ahead_is_counted(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    for _ in range(3):
        assert (await client.post(SUBMITS[0], json=BODY)).status_code == 200

    assert (await client.post(ESTIMATE, json=BODY)).json()["queue"] == 2

    await engine.channel("kling", "other")
    assert (await client.post(ESTIMATE, json=BODY)).json()["queue"] == 0


@pytest.mark.parametrize("free", [None, "free"])
async def test_what_has_no_price_is_null_or_nothing(database_url: str, free: str | None) -> None:
    options: dict[str, Any] = {"prices": "shipped", "unpriced": free} if free else {}
    async with open_engine(database_url, **options) as engine, open_client(engine) as client:
        await engine.channel("vidu", models=("viduq2*",))
        body = {"model": "viduq2-pro", "prompt": "a boat", "image": PICTURE}

        told = (await client.post(ESTIMATE, json=body)).json()

    known = {name: told[name] for name in ("micros", "micros_each", "amount", "currency")}
    assert known == (
        {"micros": 0, "micros_each": 0, "amount": "0.000000", "currency": "USD"}
        if free
        else dict.fromkeys(known)
    )
    assert (told["units"], told["unit"], told["row"], told["outputs"]) == (None, None, None, 1)


REFUSED: dict[str, dict[str, Any]] = {
    "no model": {"prompt": "a boat"},
    "unknown model": BODY | {"model": "none-such"},
    "impossible value": BODY | {"duration": 7},
    "no price": {"model": "viduq2-pro", "prompt": "a boat", "image": PICTURE},
    "bad webhook": BODY | {"metadata": {"callback_url": "ftp://a.example"}},
    "no channel": {"model": "jimeng_t2v_v30", "prompt": "a boat"},
    "too many": BODY | {"n": 9},
    "wrong type": BODY | {"prompt": 7},
}


@pytest.mark.parametrize("name", REFUSED)
async def test_it_refuses_as_a_submit_does(
    engine: Engine, client: httpx.AsyncClient, name: str
) -> None:
    for provider in ("kling", "vidu"):
        await engine.channel(provider, models=())

    estimate = await client.post(ESTIMATE, json=REFUSED[name])
    submit = await client.post(SUBMITS[0], json=REFUSED[name])

    assert estimate.status_code == submit.status_code >= 400
    assert estimate.json() == submit.json()


async def test_a_strict_request_is_refused(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.channel("kling")
    strict = {"Prefer": "handling=strict"}

    answer = await client.post(ESTIMATE, json=BODY | {"fps": 24}, headers=strict)

    assert (answer.status_code, answer.json()["param"]) == (400, "fps")


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def bodies() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A provider, and a request in neutral fields; most of them possible."""
    sizes = [None, "1280x720", "720p", "1080p", "16:9", "4k", "1920x1080"]
    fields = st.fixed_dictionaries(
        {"prompt": st.just("a boat")},
        optional={
            "duration": st.sampled_from([3, 4, 5, "5", 8, 10]),
            "seconds": st.sampled_from(["4", "8"]),
            "size": st.sampled_from(sizes[1:]),
            "n": st.sampled_from([1, 2, 3]),
            "fps": st.just(24),
            "seed": st.just(7),
            "image": st.just(PICTURE),
            "input_reference": st.just(PICTURE),
            "images": st.just([PICTURE, PICTURE]),
        },
    )
    vendor = st.sampled_from([{}, {}, {"metadata": {"duration": "10"}}, {"mode": "pro"}])
    others = {
        name: st.sampled_from([{}, *({"metadata": dict(one)} for one in about.metadata)])
        for name, about in SITUATIONS.items()
    }
    return st.sampled_from(MODELS).flatmap(
        lambda named: st.builds(
            lambda asked, extra, own: (named[0], {"model": named[1], **asked, **extra, **own}),
            fields,
            vendor,
            others[named[0]],
        )
    )


def test_it_is_what_the_same_submit_says(database_url: str, loop: asyncio.Runner) -> None:
    stack = AsyncExitStack()

    async def start() -> httpx.AsyncClient:
        opened = open_engine(database_url, prices="shipped", currency_rates=RATES, unpriced="free")
        engine = await stack.enter_async_context(opened)
        for name in NAMES:
            models = SANDBOX_MODELS.get(name, ())
            await engine.channel(name, models=models)
            await engine.channel(name, f"{name}-2", models=models)
            Upstream(engine.router, name)
            Upstream(engine.router, name, host=f"{name}-2")
        return await stack.enter_async_context(open_client(engine))

    async def ask(path: str, way: str, body: dict[str, Any]) -> httpx.Response:
        if way == "json":
            return await client.post(path, json=body)
        form = {name: (None, _text(value)) for name, value in body.items() if name != "images"}
        return await client.post(path, files=form)

    client = loop.run(start())

    @settings(
        max_examples=120,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(bodies(), st.sampled_from(SUBMITS), st.sampled_from(["json", "form"]))
    def check(asked: tuple[str, dict[str, Any]], path: str, way: str) -> None:
        _, body = asked
        estimate = loop.run(ask(ESTIMATE, way, body))
        submit = loop.run(ask(path, way, body))
        assert estimate.status_code == submit.status_code, (submit.text, estimate.text)
        if submit.status_code != 200:
            assert estimate.json()["error"] == submit.json()["error"]
            return
        told = estimate.json()
        assert estimate.headers["X-Vidgate-Price"] == submit.headers["X-Vidgate-Price"]
        assert told["micros"] == told["micros_each"] * told["outputs"]
        said = f"{told['micros'] / 1_000_000:.6f}".rstrip("0")
        whole, _, rest = said.partition(".")
        assert submit.headers["X-Vidgate-Price"] == f"{whole}.{rest.ljust(2, '0')} USD"
        names = {"ignored": "X-Vidgate-Ignored", "adjusted": "X-Vidgate-Adjusted"}
        for name, header in names.items():
            assert bool(told[name]) == (header in submit.headers)
        priced.append(told["micros"])

    priced: list[int] = []
    try:
        check()
    finally:
        loop.run(stack.aclose())
    assert len(priced) >= 30
    assert len(set(priced)) >= 10


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
