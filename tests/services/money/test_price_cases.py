"""The worked cases: what each request costs, to the last millionth."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from vidgate.exceptions import PriceMissingError
from vidgate.models.money import Quote, parse_exact
from vidgate.models.outcomes import VideoResult
from vidgate.services.money.price_book import shipped
from vidgate.services.money.pricing import Pricing, Run

DATA = Path(__file__).parents[2] / "data" / "money" / "price_cases.yaml"
CASES: list[dict[str, Any]] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
READ_BY_ADAPTERS = ("k04", "k25", "x01", "x05")
"""Of those, what is run is not what was written: `test_priced_requests.py`."""

PURE = [case for case in CASES if not case["name"].startswith(READ_BY_ADAPTERS)]
REPORTED = {"kling_unit": "units", "vidu_credit": "credits"}


def pricing_for(settings: dict[str, Any]) -> Pricing:
    many = settings.get("cny_per_usd")
    return Pricing(
        shipped(),
        version=1,
        currency=settings["currency"],
        exchange={"CNY": Fraction(many)} if many else {},
        refuses_unpriced=settings.get("unpriced") != "free",
    )


def price(case: dict[str, Any]) -> Quote:
    pricing = pricing_for(case["settings"])
    return pricing.quote(Run.of_request(case["request"], pricing.book.defaults))


@pytest.mark.parametrize(
    "case", [case for case in PURE if "micros" in case["expect"]], ids=lambda case: case["name"][:3]
)
def test_a_request_costs_what_was_worked_out(case: dict[str, Any]) -> None:
    expect, count = case["expect"], case["request"].get("n", 1)
    quote, factor = price(case), parse_exact(case["settings"].get("account_factor", "1"))
    micros = quote.micros(factor)

    if "reserved" in expect:  # and the provider says otherwise in the end
        units, unit = expect["native"].split()[:2]
        made = VideoResult(url="https://v.example/a", cost=units, cost_unit=REPORTED[unit])
        charge = quote.settle(made, factor)
        assert (micros, charge.micros) == (expect["reserved"], expect["micros"])
        assert micros - charge.micros == expect["released"]
        return
    assert micros * count == expect["micros"]
    if expect["native"] == "unknown":
        assert quote.units is None
        return
    units, unit = expect["native"].split()[:2]
    assert quote.tariff is not None
    assert (quote.units, quote.tariff.unit) == (Fraction(units), unit)
    assert expect["micros_each"] == micros


def test_what_has_no_price_is_refused() -> None:
    (case,) = [case for case in PURE if case["expect"].get("refused") == "price_missing"]

    with pytest.raises(PriceMissingError) as caught:
        price(case)

    assert (caught.value.status, caught.value.code, caught.value.param) == (
        400,
        "price_missing",
        "model",
    )
