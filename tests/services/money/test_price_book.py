"""What a price book may say, and what it may not."""

import copy
import json
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from vidgate.exceptions import ConfigurationError, PriceMissingError
from vidgate.models.money import Charge, Quote
from vidgate.models.outcomes import VideoResult
from vidgate.providers.base import Action, RunFacts
from vidgate.services.money.price_book import PriceBook, read_book, read_document, shipped
from vidgate.services.money.pricing import Pricing, Run

UNITS = {"credit": {"rates": {"USD": "0.01"}, "reported_as": "credits"}}


def book(*blocks: dict[str, Any], **members: Any) -> PriceBook:
    return read_book({"units": UNITS, "models": list(blocks), **members})


def block(*rows: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"models": ["clip"], "unit": "credit", "per": "second", "rows": list(rows), **members}


def row(units: str = "1", **when: Any) -> dict[str, Any]:
    return {"when": when, "units": units}


def pricing(prices: PriceBook, *, currency: str = "USD", **exchange: str) -> Pricing:
    many = {name: Fraction(value) for name, value in exchange.items()}
    return Pricing(prices, version=3, currency=currency, exchange=many, refuses_unpriced=True)


AMBIGUOUS: dict[str, list[dict[str, Any]]] = {
    "the same": [block(row(resolution="720p"), row(resolution="720p"))],
    "spelt otherwise": [block(row(resolution="4K"), row(resolution="4k"))],
    "different conditions": [block(row(resolution="720p"), row(sound="off"))],
    "any": [block(row(), row(resolution="720p"))],
    "a value in common": [block(row(resolution=["480p", "720p"]), row(resolution="720p"))],
    "in two blocks": [block(row(resolution="720p")), block(row(resolution="720p"))],
    "by what the block is for": [
        block(row(), **{"for": {"action": ["text", "image"]}}),
        block(row(), **{"for": {"action": "image"}}),
    ],
}


@pytest.mark.parametrize("blocks", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_two_prices_for_one_request_are_refused(blocks: list[dict[str, Any]]) -> None:
    with pytest.raises(ConfigurationError, match=r"Two prices of clip .* models\[0\].rows\[0\]"):
        book(*blocks)


@pytest.mark.parametrize(
    "blocks",
    [
        [block(row(resolution="720p"), row(resolution="1080p"))],
        [block(row(resolution="720p", sound="off"), row(resolution="720p", sound="native"))],
        [
            block(row(), **{"for": {"action": ["text"]}}),
            block(row(), **{"for": {"action": ["image"]}}),
        ],
    ],
)
def test_prices_that_no_request_shares_are_taken(blocks: list[dict[str, Any]]) -> None:
    assert book(*blocks).rows("clip")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "condition": (block(row(colour="red")), "no member `colour`"),
    "amount": (block({"when": {}, "units": "many"}), "'many' is not a number"),
    "below zero": (block({"when": {}, "units": "-1"}), "below zero"),
    "not a number": (block({"when": {}, "units": "nan"}), "not a number"),
    "nothing": (block({"when": {}}), "needs `units`"),
    "another way's member": (block({"when": {}, "first": "1"}), "no member `first`"),
    "unit": (block(row(), unit="stones"), "'stones'"),
    "way": (block(row(), per="frame"), "second, video, block"),
    "basis": (block(row(), basis="guessed"), "requested, produced, input"),
    "member": (block(row(), colour="red"), "no member `colour`"),
}


@pytest.mark.parametrize(("wrong", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        book(wrong)


FULL = {
    "units": UNITS,
    "defaults": {"resolution": "720p"},
    "models": [
        block(
            row(resolution=["480p", "720p"], seconds="5"),
            **{"for": {"action": "text"}},
            add=[{"when": {"sound": "on"}, "units": "1", "per": "second"}],
            hold_seconds="10",
            pixels={"720p": 921600},
        )
    ],
}
ODD: tuple[Any, ...] = (
    None,
    True,
    7,
    1.5,
    "x",
    "-1",
    [],
    [1],
    [[1]],
    {},
    {"a": 1},
    {"seconds": "x"},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for name, member in members:
        yield (*path, name)
        yield from places(member, (*path, name))


@pytest.mark.parametrize("path", list(places(FULL)), ids=lambda path: ".".join(map(str, path)))
def test_an_odd_value_is_taken_or_named_and_nothing_else(path: tuple[Any, ...]) -> None:
    read_book(FULL)
    refused = 0
    for odd in ODD:
        document = copy.deepcopy(FULL)
        parent: Any = document
        for name in path[:-1]:
            parent = parent[name]
        parent[path[-1]] = odd
        try:
            read_book(document)
        except ConfigurationError:
            refused += 1
    assert refused


def test_half_a_pixel_is_not_rounded() -> None:
    with pytest.raises(ConfigurationError, match=r"models\[0\].pixels must be whole numbers"):
        book(block(row(), pixels={"720p": "921600.5"}))


@pytest.mark.parametrize("name", ["prices.yaml", "prices.json"])
def test_a_file_is_yaml_or_json(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    text = json.dumps({"units": UNITS, "models": [block(row("0.8"))]})
    if name.endswith("yaml"):
        text = """
        units: {credit: {rates: {USD: 0.01}}}
        models:
          - {models: [clip], unit: credit, per: second, rows: [{when: {sound: off}, units: 0.8}]}
        """
    path.write_text(text, encoding="utf-8")

    read = read_book(read_document(path))

    quote = pricing(read).quote(Run.of_facts(RunFacts(model="clip", duration_seconds=5)))
    assert quote.micros() == 40_000


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("a: [", encoding="utf-8")

    with pytest.raises(ConfigurationError, match="neither YAML nor JSON"):
        read_document(path)


def test_an_override_replaces_a_model_and_nothing_else() -> None:
    ours = book({**block(row("1")), "models": ["clip", "film"]})

    merged = ours.merged(read_book({"models": [block(row("2"))]}, over=ours))

    assert [one.tariff.units for one in merged.rows("clip")] == [2]
    assert [one.tariff.units for one in merged.rows("film")] == [1]
    assert ours.differences(merged) == {"clip": "changed"}
    assert read_book(merged.document).differences(merged) == {}


def test_a_unit_may_cost_otherwise_here() -> None:
    cheaper = {"units": {"credit": {"rates": {"USD": "0.008"}}}}

    merged = book(block(row())).merged(read_book(cheaper))

    assert merged.rate("credit", "USD", {}) == Fraction("0.008")
    assert book(block(row())).differences(merged) == {"clip": "changed"}


@pytest.mark.parametrize(
    ("currency", "exchange", "lost"),
    [("USD", {}, {"cny"}), ("CNY", {}, {"kling_unit", "usd"}), ("USD", {"CNY": "7.1"}, set())],
)
def test_a_unit_without_a_rate_takes_its_models_out_and_not_the_book(
    currency: str, exchange: dict[str, str], lost: set[str]
) -> None:
    many = {name: Fraction(value) for name, value in exchange.items()}

    assert set(shipped().unconvertible(currency, many).values()) == lost


def test_what_is_unknown_is_held_as_the_dearest_it_may_be() -> None:
    prices = book(
        block(
            row("1", resolution="720p"),
            row("3", resolution="1080p"),
            row("9", mode="x") | {"when": {"resolution": "4k", "mode": "x"}},
        )
    )
    unknown = RunFacts(model="clip", duration_seconds=2, mode="y")

    assert pricing(prices).quote(Run.of_facts(unknown)).units == 6


def test_a_length_that_nobody_knows_is_held_and_settled_as_made() -> None:
    prices = book(block(row("1"), hold_seconds=30))
    quote = pricing(prices).quote(Run.of_facts(RunFacts(model="clip")))

    made = settle(quote, duration_seconds=7.96)

    assert quote.units == 30
    assert (made.units, made.basis) == (Fraction(8), "made")


def settle(quote: Quote, **result: Any) -> Charge:
    return quote.settle(VideoResult(url="https://v.example/a", **result))


SETTLED: dict[str, tuple[str, dict[str, Any], Fraction, str]] = {
    "reported": ("produced", {"cost": "2.4", "cost_unit": "credits"}, Fraction("2.4"), "reported"),
    "reported as 0": ("requested", {"cost": "0", "cost_unit": "credits"}, Fraction(0), "reported"),
    "in another unit": (
        "requested",
        {"cost": "2.4", "cost_unit": "stones"},
        Fraction(5),
        "estimate",
    ),
    "nonsense": ("requested", {"cost": "?", "cost_unit": "credits"}, Fraction(5), "estimate"),
    "below 0": ("requested", {"cost": "-1", "cost_unit": "credits"}, Fraction(5), "estimate"),
    "without end": ("requested", {"cost": "inf", "cost_unit": "credits"}, Fraction(5), "estimate"),
    "too many digits": (
        "requested",
        {"cost": "1e999999999", "cost_unit": "credits"},
        Fraction(5),
        "estimate",
    ),
    "more than there is": (
        "requested",
        {"cost": "1e30", "cost_unit": "credits"},
        Fraction(5),
        "estimate",
    ),
    "a length without end": ("produced", {"duration_seconds": 1e308}, Fraction(5), "estimate"),
    "made": ("produced", {"duration_seconds": 4.04}, Fraction("4.04"), "made"),
    "as asked": ("requested", {"duration_seconds": 4.04}, Fraction(5), "estimate"),
    "unknown": ("produced", {}, Fraction(5), "estimate"),
}


@pytest.mark.parametrize(("basis", "result", "units", "told"), SETTLED.values(), ids=SETTLED)
def test_a_video_is_charged_as_reported_else_as_made_else_as_quoted(
    basis: str, result: dict[str, Any], units: Fraction, told: str
) -> None:
    prices = book(block(row("1"), basis=basis))
    quote = pricing(prices).quote(Run.of_facts(RunFacts(model="clip", duration_seconds=5)))
    stored = Quote.from_document(json.loads(json.dumps(quote.to_document())))

    charge = settle(stored, **result)

    assert stored == quote
    assert (charge.units, charge.basis) == (units, told)


@pytest.mark.parametrize("seconds", [-5, 0, 1e308, float("nan")])
def test_a_length_that_is_none_makes_nothing_free(seconds: float) -> None:
    facts = RunFacts(model="clip", duration_seconds=seconds)

    assert pricing(book(block(row("1")))).quote(Run.of_facts(facts)).micros() > 0


def test_what_costs_more_than_can_be_stored_is_refused() -> None:
    facts = RunFacts(model="clip", duration_seconds=1e20)

    with pytest.raises(PriceMissingError):
        pricing(book(block(row("1")))).quote(Run.of_facts(facts))


TOKENS: dict[str, tuple[RunFacts, int]] = {
    "as observed": (
        RunFacts(
            model="dreamina-seedance-2-0-260128",
            duration_seconds=5,
            resolution="720p",
            width=1280,
            height=720,
            video_input=False,
        ),
        762_300,
    ),
    "of no known shape": (
        RunFacts(
            model="dreamina-seedance-2-0-260128",
            duration_seconds=5,
            resolution="720p",
            video_input=False,
        ),
        767_109,
    ),
}


@pytest.mark.parametrize(("facts", "micros"), TOKENS.values(), ids=TOKENS)
def test_tokens_are_made_of_seconds_and_pixels(facts: RunFacts, micros: int) -> None:
    quote = pricing(shipped()).quote(Run.of_facts(facts))

    assert quote.micros() == micros
    assert settle(quote, cost="108900", cost_unit="tokens").micros == 762_300


def test_actions_have_the_words_of_price_lists() -> None:
    run = Run.of_facts(RunFacts(model="m", action=Action.FIRST_LAST_FRAME))

    assert run.conditions["action"] == "start_end"
