"""The prices of Seedance, figure by figure as the fact sheet has them."""

from fractions import Fraction
from typing import Any

import pytest

from vidgate.models.money import Quote
from vidgate.models.outcomes import VideoResult
from vidgate.providers.base import RunFacts
from vidgate.services.money.price_book import shipped
from vidgate.services.money.pricing import Pricing, Run

MODELARK: dict[str, list[tuple[dict[str, Any], str]]] = {
    "dreamina-seedance-2-5-260628": [
        ({"resolution": "480p"}, "10.7"),
        ({"resolution": "720p"}, "10.7"),
        ({"resolution": "720p", "video_input": True}, "6.4"),
        ({"resolution": "1080p"}, "11.7"),
        ({"resolution": "1080p", "video_input": True}, "7.0"),
    ],
    "dreamina-seedance-2-0-260128": [
        ({"resolution": "480p"}, "7.0"),
        ({"resolution": "720p"}, "7.0"),
        ({"resolution": "720p", "video_input": True}, "4.3"),
        ({"resolution": "1080p"}, "7.7"),
        ({"resolution": "1080p", "video_input": True}, "4.7"),
        ({"resolution": "4k"}, "4.0"),
        ({"resolution": "4k", "video_input": True}, "2.4"),
    ],
    "dreamina-seedance-2-0-fast-260128": [({}, "5.6"), ({"video_input": True}, "3.3")],
    "dreamina-seedance-2-0-mini-260615": [({}, "3.5"), ({"video_input": True}, "2.1")],
    "seedance-1-5-pro-251215": [
        ({"sound": False}, "1.2"),
        ({"sound": True}, "2.4"),
        ({"sound": False, "service_tier": "flex"}, "0.6"),
        ({"sound": True, "service_tier": "flex"}, "1.2"),
    ],
    "seedance-1-0-pro-250528": [({}, "2.5"), ({"service_tier": "flex"}, "1.25")],
    "seedance-1-0-pro-fast-251015": [({}, "1.0"), ({"service_tier": "flex"}, "0.5")],
}
ARK: dict[str, list[tuple[dict[str, Any], str]]] = {
    "doubao-seedance-2-5-260628": [
        ({"resolution": "480p"}, "70"),
        ({"resolution": "720p"}, "70"),
        ({"resolution": "1080p"}, "77"),
        ({"resolution": "720p", "video_input": True}, "42"),
    ],
    "doubao-seedance-2-0-mini-260615": [({}, "23"), ({"video_input": True}, "14")],
    "doubao-seedance-2-0-260128": [({"resolution": "720p"}, "46"), ({"resolution": "1080p"}, "51")],
    "doubao-seedance-2-0-fast-260128": [({}, "37")],
}
USUAL: dict[str, Any] = {"resolution": "720p", "video_input": False, "sound": True}


def quote(currency: str, model: str, **said: Any) -> Quote:
    pricing = Pricing(shipped(), version=1, currency=currency, exchange={}, refuses_unpriced=True)
    facts = {"service_tier": "default", "duration_seconds": 5, **USUAL, **said}
    return pricing.quote(Run.of_facts(RunFacts(model=model, **facts)))


FIGURES = [
    (currency, model, said, million)
    for currency, models in (("USD", MODELARK), ("CNY", ARK))
    for model, figures in models.items()
    for said, million in figures
]


@pytest.mark.parametrize(("currency", "model", "said", "million"), FIGURES)
def test_a_million_tokens_cost_what_the_sheet_says(
    currency: str, model: str, said: dict[str, Any], million: str
) -> None:
    made = VideoResult(url="https://v.example/a", cost="1000000", cost_unit="tokens")

    charge = quote(currency, model, **said).settle(made)

    assert charge.basis == "reported"
    assert charge.micros == Fraction(million) * 1_000_000


def test_every_model_of_the_book_is_in_the_tables() -> None:
    priced = {model for model in shipped().models if "seedance" in model}

    assert priced == {*MODELARK, *ARK}
    rows = sum(len(shipped().rows(model)) for model in priced)
    assert rows == 30


# As listed for clips of five seconds; the book's own numbers are rounded to whole CNY.
CLIPS = [
    ("doubao-seedance-2-0-260128", "480p", "2.31"),
    ("doubao-seedance-2-0-260128", "720p", "4.97"),
    ("doubao-seedance-2-0-260128", "1080p", "12.39"),
    ("doubao-seedance-2-0-fast-260128", "480p", "1.86"),
    ("doubao-seedance-2-0-fast-260128", "720p", "4.00"),
    ("doubao-seedance-2-0-mini-260615", "480p", "1.16"),
    ("doubao-seedance-2-0-mini-260615", "720p", "2.50"),
]


@pytest.mark.parametrize(("model", "resolution", "listed"), CLIPS)
def test_a_clip_of_five_seconds_is_near_what_is_listed(
    model: str, resolution: str, listed: str
) -> None:
    price = quote("CNY", model, resolution=resolution).micros() / 1_000_000

    assert price == pytest.approx(float(listed), rel=0.03)


def test_the_sheets_example_costs_what_it_says() -> None:
    made = VideoResult(url="https://v.example/a", cost="108900", cost_unit="tokens")

    assert quote("USD", "dreamina-seedance-2-0-260128").settle(made).micros == 762_300


def test_every_price_says_where_it_is_from() -> None:
    book = shipped()
    for block in book.document["models"]:
        unit = book.document["units"][block["unit"]]
        assert block.get("source", unit["source"]), block["models"]
        assert block.get("date", unit["date"]), block["models"]
        if "seedance" in block["models"][0]:
            assert {"source", "date"} <= block.keys(), block["models"]
