"""Prices, balances and the check of the books, from the command line."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Cli

CHANNEL = ("channel", "create", "pack", "--provider", "kling", "--key", "a-key-of-kling")


@pytest.fixture
def priced(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("VIDGATE_PRICES", "shipped")
    return cli


TRIED = {
    "silent": (["kling-v3", "--seconds", "5", "--resolution", "720p"], 420_000),
    "with sound": (["kling-v2-6", "--resolution", "1080p", "--sound", "native"], 700_000),
    "several": (["kling-v2-6", "--n", "3"], 630_000),
    "off-peak": (["viduq3-pro", "--off-peak"], 250_000),
    "factor": (["kling-v3", "--factor", "1.25"], 525_000),
}


@pytest.mark.parametrize("name", TRIED)
def test_a_request_can_be_priced(priced: Cli, name: str) -> None:
    arguments, micros = TRIED[name]

    told = priced("price", "try", *arguments, "--json").json

    assert told["micros"] == micros
    assert told["amount"] == f"{micros / 1_000_000:.6f} USD"


def test_what_has_no_price_is_said(priced: Cli) -> None:
    said = priced("price", "try", "viduq2-pro")

    assert said.sentence.startswith("The model 'viduq2-pro' has no price")


def test_a_price_can_be_set_and_the_versions_stay(priced: Cli) -> None:
    first = priced("price", "set", "viduq2-pro", "--per", "second", "--amount", "0.50", "--json")
    second = priced("price", "set", "viduq2-pro", "--per", "video", "--amount", "1", "--json")

    assert first.json["changed"] == second.json["changed"] == ["viduq2-pro"]
    assert second.json["version"] > first.json["version"]
    told = priced("price", "try", "viduq2-pro", "--seconds", "4", "--json").json
    assert (told["micros"], told["version"]) == (1_000_000, second.json["version"])
    assert priced("price", "diff", "--json").json == [
        {"object": "price_difference", "model": "viduq2-pro", "change": "removed"}
    ]


def test_what_is_exported_is_imported_alike(priced: Cli, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"

    assert priced("price", "export", str(path)).code == 0

    assert len(yaml.safe_load(path.read_text())["models"]) > 20
    assert priced("price", "diff", str(path), "--json").json == []
    assert priced("price", "import", str(path), "--json").json["changed"] == []


def test_an_ambiguous_file_is_refused_with_both_rows(priced: Cli, tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    rows = [{"when": {"resolution": "720p"}, "units": "1"}, {"when": {}, "units": "2"}]
    path.write_text(json.dumps({"models": [{"models": ["m"], "unit": "usd", "rows": rows}]}))

    said = priced("price", "import", str(path))

    assert "models[0].rows[0]" in said.sentence
    assert "models[0].rows[1]" in said.sentence


NEWAPI = {
    "wrapped": '{"ModelPrice": {"my-model": 0.3, "sora-2": 0.1}}',
    "bare": '{"my-model": 0.3, "sora-2": 0.10}',
    "as the option has it": '{"ModelPrice": "{\\"my-model\\": 0.3, \\"sora-2\\": 0.1}"}',
}


@pytest.mark.parametrize("form", NEWAPI)
def test_the_prices_of_newapi_are_taken_with_a_warning_each(
    priced: Cli, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "options.json"
    path.write_text(NEWAPI[form])

    made = priced("price", "import", str(path), "--from-newapi", "--json")

    assert "my-model: the price is for a whole video" in made.err
    assert "sora-2: the price is for a second" in made.err
    assert made.json["changed"] == ["my-model", "sora-2"]
    told = priced("price", "try", "my-model", "--seconds", "60", "--json").json
    assert told["micros"] == 300_000
    assert priced("price", "try", "sora-2", "--seconds", "8", "--json").json["micros"] == 800_000
    again = ("price", "import", str(path), "--from-newapi", "--per-second", "my-*", "--json")
    assert "my-model: the price is for a second" in priced(*again).err


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"m": "cheap"}', '{"m": -1}', '{"ModelPrice": 1}']
)
def test_what_is_no_option_of_newapi_is_refused(priced: Cli, tmp_path: Path, text: str) -> None:
    path = tmp_path / "options.json"
    path.write_text(text)

    said = priced("price", "import", str(path), "--from-newapi")

    assert said.code == 1
    assert priced("price", "diff", "--json").json == []


def test_a_file_of_overrides_is_laid_over_by_model(priced: Cli, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    block = {"models": ["kling-v3", "mine"], "unit": "kling_unit", "per": "second"}
    rows = [{"when": {}, "units": "2"}]
    path.write_text(yaml.safe_dump({"models": [{**block, "rows": rows}]}))

    made = priced("price", "import", str(path), "--json").json

    assert made["changed"] == ["kling-v3", "mine"]
    for model in ("kling-v3", "mine"):
        assert priced("price", "try", model, "--seconds", "5", "--json").json["micros"] == 1_400_000
    assert priced("price", "try", "kling-3.0", "--json").json["micros"] == 420_000


README = (Path(__file__).parents[2] / "README.md").read_text()
(PRICES,) = [
    block
    for block in re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    if "vidgate price" in block
]


@pytest.mark.parametrize("currency", ["USD", "CNY"])
def test_the_commands_of_the_readme_work_with_prices(
    priced: Cli, monkeypatch: pytest.MonkeyPatch, currency: str
) -> None:
    monkeypatch.setenv("VIDGATE_CURRENCY", currency)
    monkeypatch.setenv("VIDGATE_CURRENCY_RATES", {"USD": "CNY=7.1", "CNY": "USD=0.14"}[currency])
    priced(*CHANNEL)

    for line in PRICES.splitlines():
        said = priced(*shlex.split(line, comments=True)[1:])
        assert said.code == 0, (line, said.err)


@pytest.mark.parametrize(
    ("currency", "rates", "lost"),
    [("USD", "", "jimeng_t2v_v30"), ("CNY", "", "kling-v3"), ("USD", "CNY=7.1", None)],
)
def test_models_that_cannot_be_converted_are_named(
    priced: Cli, monkeypatch: pytest.MonkeyPatch, currency: str, rates: str, lost: str | None
) -> None:
    monkeypatch.setenv("VIDGATE_CURRENCY", currency)
    monkeypatch.setenv("VIDGATE_CURRENCY_RATES", rates)

    told = priced("price", "check", "--json").json

    assert told["currency"] == currency
    assert (lost in told["unconvertible"]) if lost else told["unconvertible"] == []


@pytest.mark.parametrize(
    ("prices", "given", "prepaid"),
    [
        ("off", (), False),
        ("off", ("--prepaid",), True),
        ("off", ("--postpaid",), False),
        ("shipped", (), True),
        ("shipped", ("--prepaid",), True),
        ("shipped", ("--postpaid",), False),
    ],
)
def test_an_account_is_made_in_its_mode(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, prices: str, given: tuple[str, ...], *, prepaid: bool
) -> None:
    monkeypatch.setenv("VIDGATE_PRICES", prices)

    made = cli("account", "create", "team", *given, "--json").json

    assert made["prepaid"] is prepaid
    assert made["balance"] == ({"available_micros": 0, "held_micros": 0} if prepaid else None)
    assert made["available"] == ("0.000000 USD" if prepaid else None)
    [act] = cli("account", "show", "team", "--json").json["acts"]
    assert (act["act"], act["after"]["prepaid"]) == ("account.create", prepaid)
    # A credit never changes it.
    told = cli("account", "credit", "team", "5", "--json").json
    assert told["balance"] == (
        {"available_micros": 5_000_000, "held_micros": 0} if prepaid else None
    )
    assert cli("account", "list", "--json").json[0]["prepaid"] is prepaid
    assert cli("ledger", "check").code == 0


def test_the_default_account_is_postpaid(priced: Cli) -> None:
    assert priced("token", "create", "app", "--json").json["account"] == "default"

    assert priced("account", "show", "default", "--json").json["prepaid"] is False


CHANGES = {
    "nothing was moved": ([], 0),
    "a credit": (["credit 10"], 10_000_000),
    "a credit and a correction": (["credit 10", "adjust -2.5"], 7_500_000),
    "less than nothing": (["adjust -4"], 0),
    "there and back": (["credit 3", "--postpaid", "credit 4", "--prepaid"], 7_000_000),
    "spent while it had no balance": (["credit 3", "--prepaid", "--postpaid", "adjust -5"], 0),
    "twice the same": (["credit 1", "--prepaid", "--prepaid"], 1_000_000),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_new_balance_is_what_the_entries_say(cli: Cli, name: str) -> None:
    steps, available = CHANGES[name]
    cli("account", "create", "team", "--postpaid")
    for step in [*steps, "--prepaid"]:
        verb, *amount = step.split() if not step.startswith("--") else ("set", step)
        assert cli("account", verb, "team", *amount, "--json").json

    told = cli("account", "show", "team", "--json").json

    assert told["balance"] == {"available_micros": available, "held_micros": 0}
    assert told["available"] == f"{available // 10**6}.{available % 10**6:06} USD"
    assert cli("ledger", "check").code == 0


MONEY_NONSENSE = {
    "0.0000001": "more than six decimals",
    "ten": "is not an amount",
    "1e400": "is not an amount",
    "nan": "is not an amount",
    "1,5": "is not an amount",
    "$5": "is not an amount",
    "": "is not an amount",
    "0": "above zero",
    "-1": "above zero",
    "1e30": "is more than",
}


@pytest.mark.parametrize("amount", MONEY_NONSENSE)
def test_what_is_no_amount_leaves_nothing_behind(cli: Cli, amount: str) -> None:
    cli("account", "create", "team", "--prepaid")

    said = cli("account", "credit", "team", "--reference", "R", "--", amount)

    assert MONEY_NONSENSE[amount] in said.sentence
    assert cli("account", "show", "team", "--json").json["balance"]["available_micros"] == 0
    # The reference is free.
    assert (
        cli("account", "credit", "team", "1", "--reference", "R", "--json").json["replayed"]
        is False
    )


@pytest.mark.parametrize("reference", ["", " ", "x" * 201, "a\tb"])
def test_what_is_no_reference_is_refused(bare_cli: Cli, reference: str) -> None:
    said = bare_cli("account", "credit", "team", "1", "--reference", reference)

    assert said.code == 2
    assert "a reference has 1 to 200" in said.err


@pytest.mark.parametrize("factor", ["-1", "nan", "inf", "1001", "much", ""])
def test_what_is_no_factor_changes_nothing(cli: Cli, factor: str) -> None:
    cli("account", "create", "team", "--postpaid")
    before = cli("account", "list", "--json").json

    said = cli("account", "set", "team", "--name", "other", "--prepaid", f"--factor={factor}")

    assert "is not a factor; write one from 0 to 1000" in said.sentence
    assert cli("account", "list", "--json").json == before


def test_a_name_that_is_taken_changes_nothing(cli: Cli) -> None:
    cli("account", "create", "team", "--postpaid")
    cli("account", "create", "other", "--postpaid")
    before = cli("account", "list", "--json").json

    for name, told in {"other": "already", " ": "printable"}.items():
        said = cli("account", "set", "team", "--name", name, "--prepaid", "--factor", "2")
        assert told in said.sentence
    assert "no account 'nobody'" in cli("account", "set", "nobody", "--prepaid").sentence
    assert cli("account", "list", "--json").json == before
    assert cli("account", "set", "team", "--factor", "1.250", "--json").json["factor"] == "1.25"


def test_a_credit_is_made_once(cli: Cli) -> None:
    cli("account", "create", "team", "--prepaid")

    first = cli("account", "credit", "team", "10.00", "--reference", "R", "--json").json
    again = cli("account", "credit", "team", "10.00", "--reference", "R", "--json").json

    assert (first["amount"], first["replayed"]) == ("10.000000 USD", False)
    assert again["replayed"] is True
    assert again["balance"]["available_micros"] == 10_000_000
    assert "R" in cli("account", "credit", "team", "11", "--reference", "R").sentence
    down = cli("account", "adjust", "team", "-2.5", "--reason", "a mistake", "--json").json
    assert down["balance"]["available_micros"] == 7_500_000
    assert cli("ledger", "check").code == 0


def test_a_mode_can_be_changed(cli: Cli) -> None:
    cli("account", "create", "team")
    cli("account", "credit", "team", "3")

    assert cli("account", "show", "team", "--json").json["balance"] is None
    told = cli("account", "set", "team", "--prepaid", "--factor", "1.25", "--json").json
    assert told["balance"]["available_micros"] == 3_000_000
    assert cli("account", "set", "team", "--postpaid", "--json").json["balance"] is None


def test_what_a_channel_pays_can_be_said(priced: Cli, tmp_path: Path) -> None:
    priced(*CHANNEL)
    china = tmp_path / "china.yaml"
    block = {"models": ["kling-v3"], "unit": "kling_unit", "per": "video"}
    rows = [{"when": {}, "units": "3"}]
    china.write_text(yaml.safe_dump({"models": [{**block, "rows": rows}]}))
    pack = ("price", "cost", "pack", "--unit", "kling_unit")

    first = priced(*pack, "--amount", "0.098", "--reason", "a pack", "--json").json
    later = priced(*pack, "--amount", "0.08", "--from", "2030-01-01", "--json").json
    both = priced("price", "cost", "pack", "--file", str(china), "--json").json
    video = ("--model", "kling-v3", "--per", "video", "--amount", "0.5")
    own = priced("price", "cost", "pack", *video, "--json").json

    assert (first["units"], first["models"]) == (["kling_unit 0.098 USD"], [])
    assert (later["units"], later["from"]) == (
        ["kling_unit 0.08 USD"],
        "2030-01-01T00:00:00+00:00",
    )
    assert (both["units"], both["models"]) == (["kling_unit 0.098 USD"], ["kling-v3"])
    assert own["models"] == ["kling-v3"]
    listed = priced("price", "costs", "pack", "--json").json
    assert [one["from"] for one in listed] == sorted(one["from"] for one in listed)
    assert len(listed) == 4
    acts = priced("channel", "show", "pack", "--json").json["acts"]
    assert "a pack" in [act["reason"] for act in acts if act["act"] == "price.cost"]


IMPOSSIBLE = {
    "nothing": (),
    "two things": ("--unit", "kling_unit", "--model", "m", "--amount", "1"),
    "no amount": ("--unit", "kling_unit"),
    "no such unit": ("--unit", "credit", "--amount", "1"),
    "no rate": ("--unit", "kling_unit", "--amount", "1", "--currency", "EUR"),
    "no number": ("--unit", "kling_unit", "--amount", "cheap"),
    "below zero": ("--unit", "kling_unit", "--amount", "-1"),
    "no per": ("--model", "m", "--amount", "1"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_cost_is_refused(priced: Cli, name: str) -> None:
    priced(*CHANNEL)

    said = priced("price", "cost", "pack", *IMPOSSIBLE[name])

    assert said.code != 0
    assert priced("price", "costs", "--json").json == []


def test_without_money_there_is_no_margin(priced: Cli) -> None:
    assert priced("price", "margin", "--since", "2026-01-01", "--json").json == []
