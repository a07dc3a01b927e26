"""What is paid for at each channel, beside what its clients pay."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from vidgate.models.money import Per, Quote
from vidgate.models.outcomes import VideoResult
from vidgate.providers.base import Action, RunFacts
from vidgate.services.money.costing import ChannelPricing
from vidgate.services.money.price_book import PriceBook, of_amount, read_book, shipped
from vidgate.services.money.pricing import Pricing, Run

KLING = RunFacts(
    model="kling-v3", duration_seconds=5, resolution="720p", sound=False, action=Action.TEXT
)
TURBO = RunFacts(
    model="viduq3-turbo", duration_seconds=5, resolution="720p", action=Action.FIRST_FRAME
)
OWN_UNITS: dict[str, Any] = {
    "units": {
        "kling_unit": {"rates": {"USD": "0.098"}, "reported_as": "units", "provider": "kling"}
    }
}
CHINA: dict[str, Any] = {
    "models": [
        {
            "models": ["viduq3-turbo"],
            "unit": "vidu_credit",
            "per": "second",
            "rows": [{"when": {"resolution": "720p"}, "units": "12"}],
        }
    ]
}
RESELLER = of_amount("viduq3-turbo", Per.SECOND, Decimal("0.03"), "USD")


def price(
    facts: RunFacts, provider: str, purchase: Any = None, book: PriceBook | None = None
) -> Quote:
    pricing = Pricing(
        book or shipped(),
        version=1,
        currency="USD",
        exchange={"CNY": Fraction("7.1")},
        refuses_unpriced=False,
    )
    channel = ChannelPricing(pricing, provider=provider, purchase=purchase)
    return channel.quote(Run.of_facts(facts))


OWN_PRICE = shipped().merged(
    read_book(of_amount("kling-v3", Per.SECOND, Decimal("0.50"), "USD"), over=shipped())
)

PAID: dict[str, tuple[RunFacts, str, Any, PriceBook | None, int, int]] = {
    "as published": (KLING, "kling", None, None, 420_000, 420_000),
    "a pack": (KLING, "kling", OWN_UNITS, None, 420_000, 294_000),
    "a price of the operator's": (KLING, "kling", None, OWN_PRICE, 2_500_000, 420_000),
    "that, and a pack": (KLING, "kling", OWN_UNITS, OWN_PRICE, 2_500_000, 294_000),
    "another country": (TURBO, "vidu", CHINA, None, 300_000, 300_000),
    "a reseller": (TURBO, "vidu", RESELLER, None, 275_000, 150_000),
}


@pytest.mark.parametrize("name", PAID)
def test_what_is_paid_is_the_channels_own(name: str) -> None:
    facts, provider, purchase, book, charged, paid = PAID[name]

    quote = price(facts, provider, purchase, book)

    assert quote.micros() == charged
    assert quote.cost is not None
    assert quote.cost.micros() == paid


@pytest.mark.parametrize(("unit", "paid"), [("credits", 200_000), ("tokens", 0), (None, 0)])
def test_what_has_no_price_costs_what_its_provider_reports(unit: str | None, paid: int) -> None:
    facts = RunFacts(model="viduq2-pro", duration_seconds=5)

    cost = price(facts, "vidu").cost
    assert cost is not None
    made = VideoResult(url="https://v.example/a", cost="40" if unit else None, cost_unit=unit)
    charge = cost.settle(made)

    assert (cost.units, charge.micros) == (None, paid)
    assert (charge.units is None) == (paid == 0)


def test_a_provider_without_units_of_its_own_costs_what_nobody_knows() -> None:
    cost = price(RunFacts(model="clip", duration_seconds=5), "openai_compatible").cost

    assert cost is not None
    assert cost.tariff is None


def test_what_is_stored_of_a_quote_has_its_cost() -> None:
    quote = price(KLING, "kling", OWN_UNITS)

    assert Quote.from_document(quote.to_document()) == quote
    before = {name: one for name, one in quote.to_document().items() if name != "cost"}
    assert Quote.from_document(before).cost is None
