"""The worked price cases, through the estimate and through whole tasks at the stand-ins."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy import text
from tests.support.clock import FixedClock
from tests.support.database import create_migrated_database, drop_database, run
from tests.support.engine import Engine, open_engine
from tests.support.gateway import open_client
from tests.support.serving import serve

from vidgate.db.engine import Statement
from vidgate.db.ledger_check import check_books
from vidgate.models.channels import NewChannel
from vidgate.models.ids import parse_public_id
from vidgate.sandbox.app import Sandbox, create_sandbox
from vidgate.sandbox.jobs import Job
from vidgate.sandbox.registry import SANDBOX_KEYS
from vidgate.sandbox.settings import SandboxSettings
from vidgate.sandbox.video import FPS, Clip

DATA = Path(__file__).parents[1] / "data" / "money" / "price_cases.yaml"
CASES: list[dict[str, Any]] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
BY_NAME = {case["name"][:3]: case for case in CASES}

ESTIMATE, SUBMIT = "/v1/video/estimate", "/v1/video/generations"
PROVIDERS = ("kling", "jimeng", "vidu")
URL, SOUND = "https://files.example/a.png", "https://files.example/a.mp3"
SERVED = {"kling-v3-turbo": "kling-3.0-turbo"}
"""By the name that a client asks for, where a model is had by its newer name alone."""

PICTURES = {"image": 1, "start_end": 2, "reference": 1}
MODES = {"720p": "std", "1080p": "pro", "4k": "4k"}
OWN_ACTIONS: dict[str, dict[str, Any]] = {
    "k20": {"action": "avatar", "mode": "std", "image": URL, "sound_file": SOUND},
    "k21": {
        "action": "lip_sync",
        "video_url": "https://files.example/a.mp4",
        "sound_file": SOUND,
        "sound_end_time": 3000,
    },
    "j10": {"image_url": URL, "audio_url": URL},
    "k19": {"video_list": [{"video_url": URL, "refer_type": "feature"}]},
}
"""Vendor fields of requests that no neutral field can write."""

HELD = {"k20": 1_680_000, "k21": 840_000, "j10": 30_000_000}
"""What is held where nobody knows the length before: that of the longest that is usual."""

REPORTED = {"k20": 4.4, "k21": 1.5, "k28": 2.4, "v11": 20}
"""What the stand-in is told to count, where its own count is another."""

MADE_SECONDS = {"j10": 8.0}
PROMPTS = {"v17": "a boat #cancelled-by-vendor"}
CODES = {"invalid_parameter": "unsupported_parameter"}
"""What a client is told of a value that a known model cannot honour."""


def request_of(name: str) -> dict[str, Any]:
    """A case's neutral request, as a client sends it."""
    asked = BY_NAME[name]["request"]
    model = SERVED.get(asked["model"], asked["model"])
    body: dict[str, Any] = {"model": model, "prompt": PROMPTS.get(name, "a boat")}
    fields = {"seconds": "duration", "n": "n", "image": "image", "image_tail": "image_tail"}
    body |= {ours: asked[its] for its, ours in fields.items() if its in asked}
    body |= {its: f"{URL}?{asked[its]}" for its in ("image", "image_tail") if its in asked}
    if count := PICTURES.get(asked.get("action", "")):
        body["images"] = [f"{URL}?{number}" for number in range(count)]
    if model.startswith("jimeng_i2v"):
        body["image"] = URL
    vendor = {its: asked[its] for its in ("frames", "off_peak", "is_rec") if its in asked}
    vendor |= {**OWN_ACTIONS.get(name, {}), **asked.get("metadata", {})}
    if model.startswith("kling-v"):
        vendor |= kling_fields(asked)
    elif "resolution" in asked:
        body["size"] = asked["resolution"]
    return body | ({"metadata": vendor} if vendor else {})


def kling_fields(asked: dict[str, Any]) -> dict[str, Any]:
    fields = {}
    if "resolution" in asked:
        fields["mode"] = MODES[asked["resolution"]]
    if asked.get("sound") == "native":
        fields["sound"] = "on"
    return fields


@dataclass
class Run:
    """What came of one case."""

    estimate: httpx.Response
    submit: httpx.Response
    task: dict[str, Any] = field(default_factory=dict)
    entries: list[Mapping[str, Any]] = field(default_factory=list)
    costs: list[Mapping[str, Any]] = field(default_factory=list)
    jobs: int = 0
    tasks: int = 0


GROUPS: dict[str, dict[str, Any]] = {
    "USD": {"currency": "USD", "currency_rates": {"CNY": "7.1"}},
    "CNY": {"currency": "CNY"},
    "free": {"currency": "USD", "unpriced": "free"},
}


def group_of(case: dict[str, Any]) -> str:
    settings = case["settings"]
    return "free" if settings.get("unpriced") == "free" else settings["currency"]


_ENTRIES = Statement(
    text(
        "SELECT kind, micros, native_units, native_unit, basis FROM entries "
        "WHERE task_id = CAST(:task_id AS uuid) ORDER BY id"
    )
)
_COSTS = Statement(
    text(
        "SELECT state, native_units, native_unit, basis, micros FROM costs "
        "WHERE task_id = CAST(:task_id AS uuid)"
    )
)


@asynccontextmanager
async def open_house(url: str, options: dict[str, Any]) -> AsyncIterator[tuple[Engine, Sandbox]]:
    """An engine whose providers are stand-ins, and whose videos can be looked into."""
    clock = FixedClock()
    settings = SandboxSettings(
        clock=lambda: clock.now().timestamp(), encode_ahead=False, jitter=0.0
    )
    sandbox = create_sandbox(settings)
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serve(sandbox))
        engine = await stack.enter_async_context(
            open_engine(
                url,
                clock,
                transport=httpx.ASGITransport(sandbox),
                prices="shipped",
                allowed_networks=("127.0.0.0/8",),
                **options,
            )
        )
        for name in PROVIDERS:
            base_url = f"http://127.0.0.1:{port}/{name}"
            new = NewChannel(name=name, provider=name, key=SANDBOX_KEYS[name], base_url=base_url)
            await engine.operator.provisioning.add_channel(new)
        await engine.services.directory.load()
        yield engine, sandbox


async def run_cases(url: str, options: dict[str, Any], names: list[str]) -> dict[str, Run]:
    async with open_house(url, options) as (engine, sandbox), open_client(engine) as client:
        runs = {}
        for name in names:
            headers = await own_account(engine, name)
            before = len(list(sandbox.world.ledger))
            body = request_of(name)
            estimate = await client.post(ESTIMATE, json=body, headers=headers)
            assert len(list(sandbox.world.ledger)) == before
            submit = await client.post(SUBMIT, json=body, headers=headers)
            jobs = list(sandbox.world.ledger)[before:]
            for job in jobs:
                script(name, job)
            runs[name] = Run(estimate, submit, jobs=len(jobs))
        for _ in range(20):
            await engine.tick(minutes=1)
        for name, done in runs.items():
            headers = await own_account(engine, name)
            listed = await client.get(SUBMIT, headers=headers)
            done.tasks = len(listed.json()["data"])
            if done.submit.status_code == 200:
                public = done.submit.json()["id"]
                task_id = parse_public_id("task_", public)
                done.task = (await client.get(f"{SUBMIT}/{public}", headers=headers)).json()
                database = engine.operator.database
                done.entries = [
                    dict(row) for row in await database.fetch(_ENTRIES, task_id=task_id)
                ]
                done.costs = [dict(row) for row in await database.fetch(_COSTS, task_id=task_id)]
        assert await check_books(engine.operator.database) is None
        return runs


_TOKENS: dict[str, dict[str, str]] = {}


async def own_account(engine: Engine, name: str) -> dict[str, str]:
    """The header of a token of the case's own account, as its settings say."""
    if name in _TOKENS:
        return _TOKENS[name]
    operator, settings = engine.operator, BY_NAME[name]["settings"]
    account = await operator.provisioning.create_account(name)
    if "account_factor" in settings:
        await operator.ledger.set_factor(account.id, Decimal(settings["account_factor"]))
        await engine.services.prices.refresh()
    if "balance" in settings:
        await operator.ledger.set_prepaid(account.id, prepaid=True)
        await operator.ledger.move(account.id, "credit", settings["balance"], reference=None)
    _, key = await operator.provisioning.create_token(name=name, account=name)
    _TOKENS[name] = {"Authorization": f"Bearer {key}"}
    return _TOKENS[name]


def script(name: str, job: Job) -> None:
    """Make the job's video small, which takes less time, and tell the stand-in what it counts."""
    frames = round(MADE_SECONDS[name] * FPS) if name in MADE_SECONDS else job.clip.frames
    job.clip = Clip(64, 36, frames)
    job.charge = REPORTED.get(name, job.charge)


@pytest.fixture(scope="module")
def runs(postgres_url: str) -> Iterator[dict[str, Run]]:
    """Every case, run once."""
    done: dict[str, Run] = {}
    for group, options in GROUPS.items():
        names = [name for name, case in BY_NAME.items() if group_of(case) == group]
        url = run(create_migrated_database(postgres_url))
        try:
            done |= asyncio.run(run_cases(url, options, names))
        finally:
            run(drop_database(postgres_url, url))
    yield done
    _TOKENS.clear()


@pytest.mark.parametrize(
    "name", [name for name, case in BY_NAME.items() if "micros" in case["expect"]]
)
def test_a_task_costs_what_was_worked_out(runs: dict[str, Run], name: str) -> None:
    done, expect = runs[name], BY_NAME[name]["expect"]
    micros, count = expect["micros"], expect.get("outputs", 1)
    held = HELD.get(name, expect.get("reserved", micros))
    currency = BY_NAME[name]["settings"]["currency"]

    assert done.estimate.status_code == done.submit.status_code == 200, done.submit.text
    told = done.estimate.json()
    assert (told["micros"], told["outputs"], told["currency"]) == (held, count, currency)
    assert done.submit.headers["X-Vidgate-Price"] == done.estimate.headers["X-Vidgate-Price"]
    assert done.jobs == count
    cost = done.task["metadata"]["cost"]
    assert (cost["micros"], cost["currency"]) == (micros, currency), done.task
    assert cost["state"] == ("settled" if micros else "released")
    sums = {
        kind: sum(one["micros"] for one in done.entries if one["kind"] == kind)
        for kind in ("reserve", "settle", "release", "extra")
    }
    assert sums == {"reserve": held, "settle": micros, "release": held - micros, "extra": 0}
    if micros:
        units, unit = expect["native"].split()[:2]
        settled = [one for one in done.entries if one["kind"] == "settle"]
        assert [one["micros"] for one in settled] == [expect["micros_each"]] * count
        assert {(one["native_units"], one["native_unit"]) for one in settled} == {
            (Decimal(units), unit)
        }


@pytest.mark.parametrize(
    "name", [name for name, case in BY_NAME.items() if "refused" in case["expect"]]
)
def test_what_is_refused_leaves_nothing(runs: dict[str, Run], name: str) -> None:
    done, code = runs[name], BY_NAME[name]["expect"]["refused"]

    assert done.submit.json()["error"]["code"] == CODES.get(code, code)
    assert (done.jobs, done.tasks) == (0, 0)
    if code == "insufficient_quota":
        assert done.submit.status_code == 403
        assert done.estimate.json()["micros"] == 420_000  # what it would cost may be asked
    else:
        assert (done.estimate.status_code, done.submit.status_code) == (400, 400)
        assert done.estimate.json() == done.submit.json()


def test_what_is_free_is_paid_for_all_the_same(runs: dict[str, Run]) -> None:
    (cost,) = runs["x03"].costs

    # The stand-in counts this family by one curve, 35 credits for five seconds.
    assert (cost["basis"], cost["native_units"], cost["native_unit"]) == (
        "reported",
        35,
        "vidu_credit",
    )
    assert cost["micros"] == 175_000


def test_all_cases_are_run() -> None:
    assert len(BY_NAME) == len(CASES) == 47
