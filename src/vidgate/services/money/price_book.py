"""The price book: what each model costs in its provider's units, as data, and what a unit costs.

A book is a document (YAML or JSON) of `units` and blocks of `models`. Every block says how its
models are counted, and its rows what each kind of video costs. Models without a row have no price:
nothing is guessed.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from vidgate.exceptions import ConfigurationError
from vidgate.models.money import Basis, Per, Rounding, Tariff, parse_exact

__all__ = ["CONDITIONS", "Addition", "PriceBook", "Row", "read_book", "read_document", "shipped"]

CONDITIONS = frozenset(
    {"action", "is_rec", "mode", "off_peak", "resolution", "seconds", "service_tier", "sound"}
    | {"draft", "video_input", "voice"}
)
"""What a row may depend on; one that it does not name may be anything."""

_BLOCK_MEMBERS = frozenset(
    {"models", "for", "unit", "per", "basis", "round", "rows", "add", "block_seconds"}
    | {"hold_seconds", "input_seconds", "pixels", "confidence", "source", "date", "note"}
)
_BOOK_MEMBERS = frozenset({"version", "units", "models", "defaults", "source", "date", "note"})
_SOUND_WORDS = {"true": "native", "false": "off", "on": "native"}
"""YAML reads an `off` without quotes as false."""

_CURRENCY_CHARACTERS = 3

_HOLD_SECONDS = Fraction(10)
"""Held where neither a request nor the book says how long a video will be. It is no price: what is
charged is as long as the video was made."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a provider counts in.

    Attributes:
        rates: What one costs, by currency.
        reported_as: The word for it in the provider's answers, `None` if it has none.
        provider: Whose own it is, `None` for a currency.
    """

    name: str
    rates: Mapping[str, Fraction]
    reported_as: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Addition:
    """What comes on top, where its conditions hold."""

    when: Mapping[str, frozenset[str]]
    units: Fraction
    per: Per


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One price.

    Attributes:
        place: Such as `models[3].rows[1]`, for people.
        when: The values that each condition may have; one that is missing may have any.
        tariff: How it is counted; `added` is not in it.
        additions: What may come on top.
        hold_seconds: How many seconds are held where nobody knows the length.
        input_seconds: How many seconds of video that goes in are held, of tokens.
        pixels: The most that a picture of each resolution has, of tokens.
    """

    place: str
    when: Mapping[str, frozenset[str]]
    tariff: Tariff
    additions: tuple[Addition, ...] = ()
    hold_seconds: Fraction = _HOLD_SECONDS
    input_seconds: Fraction = Fraction(0)
    pixels: Mapping[str, int]

    def matches(self, run: Mapping[str, str | None]) -> bool:
        """Whether it may be the price of a video; what is unknown of it may be anything."""
        return _holds(self.when, run)

    def describe(self) -> str:
        """Its conditions, for people."""
        said = (f"{name} {'|'.join(sorted(values))}" for name, values in sorted(self.when.items()))
        return ", ".join(said) or "every request"


def _holds(when: Mapping[str, frozenset[str]], run: Mapping[str, str | None]) -> bool:
    return all(run.get(name) is None or run[name] in values for name, values in when.items())


class PriceBook:
    """A book that was checked.

    Attributes:
        document: As it is stored.
        units: By their names.
        defaults: What a request of people says without saying it.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        units: Mapping[str, Unit],
        rows: Mapping[str, tuple[Row, ...]],
        defaults: Mapping[str, Any],
    ) -> None:
        self.document = document
        self.units = units
        self.defaults = defaults
        self._rows = rows

    @property
    def models(self) -> Sequence[str]:
        """Every model that it has a price for, by name."""
        return sorted(self._rows)

    def rows(self, model: str) -> tuple[Row, ...]:
        """The prices of a model, empty where it has none."""
        return self._rows.get(model, ())

    def rate(self, unit: str, currency: str, exchange: Mapping[str, Fraction]) -> Fraction | None:
        """What a unit costs in a currency.

        Args:
            unit: Its name.
            currency: The deployment's.
            exchange: How much of another currency one of the deployment's is.

        Returns:
            `None` where it cannot be converted.
        """
        rates = self.units[unit].rates
        if currency in rates:
            return rates[currency]
        for other, many in exchange.items():
            if other in rates:
                return rates[other] / many
        return None

    def unconvertible(self, currency: str, exchange: Mapping[str, Fraction]) -> dict[str, str]:
        """The models that have no price in a currency, with the unit that cannot be converted."""
        return {
            model: row.tariff.unit
            for model, rows in sorted(self._rows.items())
            for row in rows
            if self.rate(row.tariff.unit, currency, exchange) is None
        }

    def merged(self, other: "PriceBook", *, over: "PriceBook | None" = None) -> "PriceBook":
        """Lay another book over this one: its units and its models take the place of ours.

        Args:
            other: The other one.
            over: A book whose units both may use, `None` for none.
        """
        mine, laid = self.document, other.document
        taken = {model for block in laid.get("models", ()) for model in block["models"]}
        kept = []
        for block in mine.get("models", ()):
            models = [model for model in block["models"] if model not in taken]
            if models:
                kept.append({**block, "models": models})
        return read_book(
            {
                **mine,
                "units": {**mine.get("units", {}), **laid.get("units", {})},
                "defaults": {**mine.get("defaults", {}), **laid.get("defaults", {})},
                "models": [*kept, *laid.get("models", ())],
            },
            over=over,
        )

    def only(self, is_wanted: Callable[[str, str], bool]) -> dict[str, Any]:
        """The document with some of its models alone.

        Args:
            is_wanted: Whether a model counted in a unit is one of them.
        """
        blocks = []
        for block in self.document.get("models", ()):
            models = [model for model in block["models"] if is_wanted(model, block["unit"])]
            if models:
                blocks.append({**block, "models": models})
        return {**self.document, "models": blocks}

    def blocks(self, model: str) -> list[dict[str, Any]]:
        """What the document says of a model."""
        return [
            {key: value for key, value in block.items() if key != "models"}
            for block in self.document.get("models", ())
            if model in block["models"]
        ]

    def differences(self, other: "PriceBook") -> dict[str, str]:
        """The models whose price is `added`, `removed` or `changed` in the other book."""
        found = {}
        for model in sorted({*self.models, *other.models}):
            before, after = self.blocks(model), other.blocks(model)
            if not before or not after:
                found[model] = "removed" if before else "added"
            elif before != after or self.rates_of(model) != other.rates_of(model):
                found[model] = "changed"
        return found

    def rates_of(self, model: str) -> list[Mapping[str, Fraction]]:
        """What the units of a model's prices cost."""
        return [self.units[row.tariff.unit].rates for row in self.rows(model)]


def read_document(path: Path) -> Mapping[str, Any]:
    """Read a file of prices, YAML or JSON, without checking more than that it is one.

    Raises:
        ConfigurationError: It is neither.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The price book {path} cannot be read: {error}.") from None
    return _parse(text, str(path))


def _parse(text: str, name: str) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        raise ConfigurationError(f"{name} is neither YAML nor JSON: {told}.") from None
    if not isinstance(document, Mapping):
        raise ConfigurationError(f"{name} is no price book: it has no `models`.")
    return document


@cache
def shipped() -> PriceBook:
    """The book that comes with vidgate: published prices, each with its source and date."""
    name = "price_book.yaml"
    text = resources.files("vidgate.services.money").joinpath(name).read_text(encoding="utf-8")
    return read_book(_parse(text, name))


def read_book(document: Mapping[str, Any], *, over: PriceBook | None = None) -> PriceBook:
    """Check a book.

    Args:
        document: As it was read.
        over: A book whose units it may use, `None` for none.

    Raises:
        ConfigurationError: Something about it is wrong; the sentence says what and where.
    """
    document = _plain(document)
    _refuse_unknown(document, _BOOK_MEMBERS, "The price book")
    units = {**(over.units if over else {}), **_read_units(document.get("units"))}
    rows: dict[str, list[Row]] = {}
    for number, block in enumerate(_list(document.get("models"), "`models` of the price book")):
        place = f"models[{number}]"
        names, read = _read_block(block, place, units)
        for name in names:
            rows.setdefault(name, []).extend(read)
    for name, found in rows.items():
        _refuse_ambiguous(name, found)
    place = "`defaults` of the price book"
    defaults = {
        name: _scalar(one, place) for name, one in _members(document.get("defaults"), place).items()
    }
    return PriceBook(document, units, {name: tuple(one) for name, one in rows.items()}, defaults)


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON has it, so that what is stored is what was checked."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(document, default=str))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"The price book cannot be stored as JSON: {error}.") from None
    return plain


def _members(value: Any, place: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{place} must be a mapping of names to values.")
    return value


def _list(value: Any, place: str) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ConfigurationError(f"{place} must be a list.")
    return value


def _refuse_unknown(members: Mapping[str, Any], known: frozenset[str], place: str) -> None:
    unknown = sorted(members.keys() - known)
    if unknown:
        raise ConfigurationError(f"{place} has no member `{unknown[0]}`.")


def _read_units(members: Any) -> dict[str, Unit]:
    units = {}
    for name, unit in _members(members, "`units` of the price book").items():
        place = f"The unit `{name}`"
        if not isinstance(unit, Mapping) or not isinstance(unit.get("rates"), Mapping):
            raise ConfigurationError(f"{place} needs `rates`, such as {{USD: '0.14'}}.")
        rates = {
            str(currency).upper(): _number(rate, f"{place}, {currency}")
            for currency, rate in unit["rates"].items()
        }
        reported_as = unit.get("reported_as")
        provider = unit.get("provider")
        if not isinstance(reported_as, str | None) or not isinstance(provider, str | None):
            raise ConfigurationError(f"{place}, reported_as and provider must be words.")
        units[name] = Unit(name, rates, reported_as, provider)
    return units


def _number(value: Any, place: str) -> Fraction:
    try:
        number = parse_exact(value)
    except ValueError as error:
        raise ConfigurationError(f"{place}: {error}.") from None
    if number < 0:
        raise ConfigurationError(f"{place} is below zero.")
    return number


def _scalar(value: Any, place: str) -> Any:
    if isinstance(value, list | dict):
        raise ConfigurationError(f"{place} has {value!r} where one value is meant.")
    return value


def _whole(value: Any, place: str) -> int:
    number = _number(value, place)
    if number.denominator != 1:
        raise ConfigurationError(f"{place} must be whole numbers.")
    return int(number)


def _word(kind: type[Any], value: Any, place: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        words = ", ".join(one.value for one in kind)
        raise ConfigurationError(f"{place} must be one of {words}.") from None


def _unit(name: Any, units: Mapping[str, Unit], place: str) -> Unit:
    if isinstance(name, str) and name in units:
        return units[name]
    if isinstance(name, str) and len(name) == _CURRENCY_CHARACTERS and name.isalpha():
        return Unit(name, {name.upper(): Fraction(1)})  # a currency counts in itself
    raise ConfigurationError(f"{place} names the unit {name!r}, which the book does not have.")


def _read_block(block: Any, place: str, units: dict[str, Unit]) -> tuple[list[str], list[Row]]:
    if not isinstance(block, Mapping) or not isinstance(block.get("models"), list):
        raise ConfigurationError(f"{place} needs `models`, a list of names.")
    _refuse_unknown(block, _BLOCK_MEMBERS, place)
    per = _word(Per, block.get("per", "second"), f"{place}.per")
    unit = _unit(block.get("unit"), units, f"{place}.unit")
    units.setdefault(unit.name, unit)
    common = Tariff(
        unit=unit.name,
        per=per,
        block_seconds=_number(block.get("block_seconds", 1), f"{place}.block_seconds"),
        basis=_word(Basis, block.get("basis", "requested"), f"{place}.basis"),
        rounding=_word(Rounding, block.get("round", "none"), f"{place}.round"),
    )
    if common.block_seconds == 0:
        raise ConfigurationError(f"{place}.block_seconds must be above zero.")
    base = read_conditions(block.get("for"), f"{place}.for")
    additions = tuple(
        _read_addition(one, f"{place}.add") for one in _list(block.get("add"), f"{place}.add")
    )
    hold = block.get("hold_seconds", _HOLD_SECONDS)
    pixels = {
        name.lower(): _whole(most, f"{place}.pixels")
        for name, most in _members(block.get("pixels"), f"{place}.pixels").items()
    }
    rows = [
        Row(
            place=f"{place}.rows[{number}]",
            when=_joined(base, row, f"{place}.rows[{number}]"),
            tariff=_read_tariff(common, row, unit, f"{place}.rows[{number}]"),
            additions=additions,
            hold_seconds=_number(hold, f"{place}.hold_seconds"),
            input_seconds=_number(block.get("input_seconds", 0), f"{place}.input_seconds"),
            pixels=pixels,
        )
        for number, row in enumerate(_list(block.get("rows"), f"{place}.rows"))
    ]
    return [str(_scalar(name, f"{place}.models")) for name in block["models"]], rows


def _read_addition(addition: Any, place: str) -> Addition:
    members = _members(addition, place)
    return Addition(
        read_conditions(members.get("when"), place),
        _number(members.get("units"), place),
        _word(Per, members.get("per", "video"), place),
    )


def read_conditions(members: Any, place: str) -> dict[str, frozenset[str]]:
    """Read the values that each condition may have.

    Raises:
        ConfigurationError: There is no such condition, or it cannot have such a value.
    """
    members = _members(members, place)
    _refuse_unknown(members, CONDITIONS, place)
    try:
        return {
            name: frozenset(
                spell(name, _scalar(one, place))
                for one in (value if isinstance(value, list) else [value])
            )
            for name, value in members.items()
        }
    except ValueError as error:
        raise ConfigurationError(f"{place}: {error}.") from None


def spell(name: str, value: Any) -> str:
    """Write a value of a condition in the one way that is compared."""
    word = str(value).strip().lower()
    if name == "sound":
        return _SOUND_WORDS.get(word, word)
    if name == "seconds":
        number = parse_exact(value)
        return str(number)
    return word


def _joined(base: Mapping[str, frozenset[str]], row: Any, place: str) -> dict[str, frozenset[str]]:
    if not isinstance(row, Mapping):
        raise ConfigurationError(f"{place} must have `when` and a price.")
    own = read_conditions(row.get("when"), place)
    both = base.keys() & own.keys()
    return {**base, **own, **{name: base[name] & own[name] for name in both}}


def _read_tariff(common: Tariff, row: Mapping[str, Any], unit: Unit, place: str) -> Tariff:
    needed: Mapping[Per, tuple[str, ...]] = {Per.CURVE: ("first", "next"), Per.TABLE: ("total",)}
    names = needed.get(common.per, ("units",))
    _refuse_unknown(row, frozenset({"when", "confidence", "source", "date", *names}), place)
    for name in names:
        if name not in row:
            raise ConfigurationError(f"{place} needs `{name}`.")
    amounts = [row[name] for name in names]
    reported = {unit.reported_as: Fraction(1)} if unit.reported_as else {}
    match common.per:
        case Per.CURVE:
            first, following = (_number(one, place) for one in amounts)
            read = replace(common, units=first, following=following)
        case Per.TABLE:
            if not isinstance(amounts[0], list) or not amounts[0]:
                raise ConfigurationError(f"{place}.total must be a list of totals by second.")
            read = replace(common, totals=tuple(_number(one, place) for one in amounts[0]))
        case Per.TOKENS:
            read = replace(common, units=_number(amounts[0], place))
            reported = {"tokens": read.units / 1_000_000}
        case _:
            read = replace(common, units=_number(amounts[0], place))
    return replace(read, reported=reported)


def _refuse_ambiguous(model: str, rows: Sequence[Row]) -> None:
    """Every pair of rows must differ in a condition that both name."""
    for one, other in combinations(rows, 2):
        both = one.when.keys() & other.when.keys()
        if all(one.when[name] & other.when[name] for name in both):
            raise ConfigurationError(
                f"Two prices of {model} may both be meant: {one.place} ({one.describe()}) and "
                f"{other.place} ({other.describe()})."
            )


def prices_in(document: Mapping[str, Any]) -> Iterator[str]:
    """The models that a document has prices for."""
    for block in document.get("models") or ():
        yield from block.get("models") or ()


def of_amount(model: str, per: Per, amount: Decimal, currency: str) -> dict[str, Any]:
    """The book of a single price in the deployment's own currency."""
    block: dict[str, Any] = {"models": [model], "unit": currency.lower(), "per": per.value}
    if per is Per.SECOND:
        block |= {"basis": Basis.REQUESTED.value}
    return {"models": [{**block, "rows": [{"when": {}, "units": str(amount)}]}]}
