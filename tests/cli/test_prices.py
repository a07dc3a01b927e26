"""Prices, balances and the check of the books, from the command line."""

import json
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import Cli


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


def test_the_prices_of_newapi_are_for_a_video(priced: Cli, tmp_path: Path) -> None:
    path = tmp_path / "options.json"
    path.write_text('{"ModelPrice": {"my-model": 0.3}}')

    made = priced("price", "import", str(path), "--from-newapi", "--json")

    assert "my-model" in made.err
    assert made.json["changed"] == ["my-model"]
    told = priced("price", "try", "my-model", "--seconds", "60", "--json").json
    assert told["micros"] == 300_000


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


def test_an_account_is_prepaid_where_there_are_prices(priced: Cli) -> None:
    made = priced("account", "create", "team", "--json").json
    free = priced("account", "create", "friends", "--postpaid", "--json").json

    assert made["balance"] == {"available_micros": 0, "held_micros": 0}
    assert free["balance"] is None


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


@pytest.mark.parametrize("amount", ["0.0000001", "ten", "1e400", "nan", "0"])
def test_what_is_no_amount_is_refused(cli: Cli, amount: str) -> None:
    cli("account", "create", "team", "--prepaid")

    assert cli("account", "credit", "team", amount).sentence


def test_a_mode_can_be_changed(cli: Cli) -> None:
    cli("account", "create", "team")
    cli("account", "credit", "team", "3")

    assert cli("account", "show", "team", "--json").json["balance"] is None
    told = cli("account", "set", "team", "--prepaid", "--factor", "1.25", "--json").json
    assert told["balance"]["available_micros"] == 3_000_000
    assert cli("account", "set", "team", "--postpaid", "--json").json["balance"] is None
