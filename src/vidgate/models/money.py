"""Money: millionths inside, decimals at the edge, and what one video is charged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor
from types import MappingProxyType
from typing import Any, Final

from vidgate.exceptions import ConfigurationError
from vidgate.models.outcomes import VideoResult

__all__ = [
    "ESTIMATE",
    "LARGEST_MICROS",
    "MADE",
    "MICROS",
    "REPORTED",
    "Balance",
    "Basis",
    "Charge",
    "Hold",
    "Movement",
    "Per",
    "Quote",
    "Rounding",
    "Tariff",
    "format_amount",
    "format_units",
    "holds_for",
    "parse_amount",
    "parse_exact",
    "round_half_up",
]

MICROS: Final = 1_000_000
"""Millionths in one unit of a currency."""

_DIGITS: Final = 40
"""Before or behind the point: more than any amount, unit or number of seconds has."""

LARGEST_MICROS: Final = 10**15
"""A billion of a currency: the most that one entry moves, far below what a `bigint` holds."""

REPORTED: Final = "reported"
MADE: Final = "made"
ESTIMATE: Final = "estimate"
"""Where the units of a charge are from: the provider, the finished video, or the request."""

_FRAMES_PER_SECOND: Final = 24
_PIXELS_PER_TOKEN: Final = 1024
_TOKENS: Final = 1_000_000
"""Token prices are for a million."""


def parse_exact(value: Any) -> Fraction:
    """Read a number to its last digit; a float is taken as it is written.

    Raises:
        ValueError: It is no number, or has more digits than money ever has.
    """
    if isinstance(value, Fraction):
        return value
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    # Writing out what `1e999999999` stands for would take hours.
    if not number.is_finite() or abs(number.adjusted()) > _DIGITS or len(str(value)) > 2 * _DIGITS:
        raise ValueError(f"{value!r} is not a number that can be counted with")
    return Fraction(number)


def _to_positive(value: Any) -> Fraction | None:
    """What a provider tells, `None` where it is nonsense."""
    try:
        number = parse_exact(value)
    except ValueError:
        return None
    return number if number >= 0 else None


def round_half_up(value: Fraction) -> int:
    """Round to a whole number, a half away from zero."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


def parse_amount(text: str) -> int:
    """Read a decimal of the deployment's currency, such as `10.00`, as millionths.

    Raises:
        ConfigurationError: It is no number, has more than six decimals, or is out of bounds.
    """
    try:
        micros = parse_exact(text.strip()) * MICROS
    except ValueError:
        raise ConfigurationError(f"{text!r} is not an amount; write one such as 10.00.") from None
    if micros.denominator != 1:
        raise ConfigurationError(f"{text!r} has more than six decimals.")
    if abs(micros) > LARGEST_MICROS:
        raise ConfigurationError(f"{text!r} is more than {format_amount(LARGEST_MICROS)}.")
    return int(micros)


def format_amount(micros: int, *, shortest: bool = False) -> str:
    """Write millionths as a decimal with six digits, or at least two where it may be shorter."""
    whole, rest = divmod(abs(micros), MICROS)
    digits = f"{rest:06d}"
    if shortest:
        digits = digits.rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{digits}"


def format_units(units: Fraction) -> str:
    """Write a number of a provider's units as a decimal, without zeros behind it."""
    number = Decimal(units.numerator) / Decimal(units.denominator)
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Per(StrEnum):
    """What a price counts."""

    SECOND = "second"
    VIDEO = "video"
    BLOCK = "block"
    CURVE = "curve"
    """One amount for the first second, another for each that follows."""
    TABLE = "table"
    """A total for each number of seconds."""
    TOKENS = "tokens"
    """Made of seconds, width and height; a price is for a million of them."""


class Basis(StrEnum):
    """Which seconds are charged, and in an entry, where the amount is from."""

    REQUESTED = "requested"
    PRODUCED = "produced"
    INPUT = "input"
    """Those of the sound or the video that drives it: the made video is as long."""


class Rounding(StrEnum):
    """What becomes of a part of a second."""

    NONE = "none"
    NEAREST = "nearest"
    FLOOR = "floor"
    UP = "up"

    def apply(self, seconds: Fraction) -> Fraction:
        """Round a number of seconds."""
        match self:
            case Rounding.NONE:
                return seconds
            case Rounding.NEAREST:
                return Fraction(round_half_up(seconds))
            case Rounding.FLOOR:
                return Fraction(floor(seconds))
            case Rounding.UP:
                return Fraction(ceil(seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """How a provider counts one kind of video, in its own units.

    Attributes:
        unit: Name of the unit.
        per: What is counted.
        units: For each of what is counted.
        following: Of a curve: for each second after the first, for which `units` is.
        totals: Of a table: for 1, 2, 3 ... seconds.
        added: Whatever the length.
        block_seconds: How long a block is.
        basis: Which seconds.
        rounding: Of these seconds.
        reported: How many units each is that a provider may report, by its word for it.
    """

    unit: str
    per: Per
    units: Fraction = Fraction(0)
    following: Fraction = Fraction(0)
    totals: tuple[Fraction, ...] = ()
    added: Fraction = Fraction(0)
    block_seconds: Fraction = Fraction(1)
    basis: Basis = Basis.REQUESTED
    rounding: Rounding = Rounding.NONE
    reported: Mapping[str, Fraction] = field(default_factory=lambda: MappingProxyType({}))

    def count(self, seconds: Fraction | None, *, pixels: int | None = None) -> Fraction | None:
        """How many units a video costs; `None` where what it depends on is unknown.

        Args:
            seconds: Before they are rounded. Of tokens, those of the videos that go in as well.
            pixels: Of one picture of the video.
        """
        if self.per is Per.VIDEO:
            return self.units + self.added
        if seconds is None:
            return None
        counted = self._count(self.rounding.apply(seconds), pixels)
        return None if counted is None else counted + self.added

    def _count(self, seconds: Fraction, pixels: int | None) -> Fraction | None:
        whole = max(1, ceil(seconds))
        counted: Fraction | None = self.units * seconds
        if self.per is Per.BLOCK:
            counted = self.units * ceil(seconds / self.block_seconds)
        elif self.per is Per.CURVE:
            counted = self.units + self.following * (whole - 1)
        elif self.per is Per.TABLE:
            counted = self.totals[whole - 1] if whole <= len(self.totals) else None
        elif self.per is Per.TOKENS:
            # One frame more than the seconds have is charged.
            frames = seconds * _FRAMES_PER_SECOND + 1
            tokens = None if pixels is None else ceil(frames * pixels / _PIXELS_PER_TOKEN)
            counted = None if tokens is None else self.units * tokens / _TOKENS
        return counted

    def to_document(self) -> dict[str, Any]:
        """As JSON, exactly; what is as usual is left out."""
        document: dict[str, Any] = {"unit": self.unit, "per": self.per.value}
        for name in ("units", "following", "added"):
            if amount := getattr(self, name):
                document[name] = str(amount)
        if self.totals:
            document["totals"] = [str(total) for total in self.totals]
        if self.per is Per.BLOCK:
            document["block_seconds"] = str(self.block_seconds)
        document |= {"basis": self.basis.value, "rounding": self.rounding.value}
        document["reported"] = {word: str(each) for word, each in self.reported.items()}
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Tariff":
        """Read back what `to_document` wrote."""
        return cls(
            unit=document["unit"],
            per=Per(document["per"]),
            units=Fraction(document.get("units", 0)),
            following=Fraction(document.get("following", 0)),
            totals=tuple(Fraction(total) for total in document.get("totals", ())),
            added=Fraction(document.get("added", 0)),
            block_seconds=Fraction(document.get("block_seconds", 1)),
            basis=Basis(document["basis"]),
            rounding=Rounding(document["rounding"]),
            reported={word: Fraction(each) for word, each in document["reported"].items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a finished video costs.

    Attributes:
        micros: Of the deployment's currency.
        units: The provider's own, `None` where nobody knows.
        basis: Where the units are from: `REPORTED`, `MADE` or `ESTIMATE`.
    """

    micros: int
    units: Fraction | None
    basis: str

    @property
    def is_reported(self) -> bool:
        """Whether the provider itself said so; only then may it be more than was held."""
        return self.basis == REPORTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What one video of a request costs at one channel. It needs no price book any more.

    Attributes:
        version: Of the price book.
        tariff: `None` where the model has no price and is free.
        units: The estimate.
        rate: What one unit costs, in the deployment's currency.
        currency: That currency.
        row: What it was priced by, in words.
        cost: What the operator pays for it at its channel; `None` in what was priced before
            channels had prices, where it is the same.
    """

    version: int
    currency: str
    tariff: Tariff | None = None
    units: Fraction | None = None
    rate: Fraction = Fraction(0)
    row: str = ""
    cost: "Quote | None" = None

    def micros(self, factor: Fraction = Fraction(1)) -> int:
        """The estimate in millionths, for an account with this factor; rounded half up, once."""
        return self._to_micros(self.units or Fraction(0), factor)

    def costing(self, cost: "Quote") -> "Quote":
        """The same with what the operator pays for it."""
        return replace(self, cost=cost)

    def settle(self, result: VideoResult, factor: Fraction = Fraction(1)) -> Charge:
        """What a made video costs: as its provider reports, else as it is long, else as quoted."""
        units, basis = self._made(result)
        return Charge(
            micros=self._to_micros(units or Fraction(0), factor), units=units, basis=basis
        )

    def _made(self, result: VideoResult) -> tuple[Fraction | None, str]:
        tariff = self.tariff
        if tariff is None:
            return None, ESTIMATE
        each, told = tariff.reported.get(result.cost_unit or ""), _to_positive(result.cost)
        if each is not None and told is not None and self._is_chargeable(told * each):
            return told * each, REPORTED
        # What was asked for is charged as asked, however long the file came out.
        seconds = _to_positive(result.duration_seconds)
        if tariff.basis is not Basis.REQUESTED and seconds:
            pixels = result.width * result.height if result.width and result.height else None
            made = tariff.count(seconds, pixels=pixels)
            if made is not None and self._is_chargeable(made):
                return made, MADE
        return self.units, ESTIMATE

    def _is_chargeable(self, units: Fraction) -> bool:
        return self._to_micros(units, Fraction(1)) <= LARGEST_MICROS

    def _to_micros(self, units: Fraction, factor: Fraction) -> int:
        return round_half_up(units * self.rate * factor * MICROS)

    def to_document(self) -> dict[str, Any]:
        """As JSON, exactly."""
        return {
            "version": self.version,
            "currency": self.currency,
            "tariff": None if self.tariff is None else self.tariff.to_document(),
            "units": None if self.units is None else str(self.units),
            "rate": str(self.rate),
            "row": self.row,
            "cost": None if self.cost is None else self.cost.to_document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Quote":
        """Read back what `to_document` wrote."""
        tariff, units = document["tariff"], document["units"]
        cost = document.get("cost")
        return cls(
            version=document["version"],
            currency=document["currency"],
            tariff=None if tariff is None else Tariff.from_document(tariff),
            units=None if units is None else Fraction(units),
            rate=Fraction(document["rate"]),
            row=document["row"],
            cost=None if cost is None else cls.from_document(cost),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The money that is held for one output until it is final.

    Attributes:
        quote: The dearest of what may be charged.
        factor: The account's on every price.
    """

    quote: Quote
    factor: Fraction = Fraction(1)

    @property
    def micros(self) -> int:
        """How much it is."""
        return self.quote.micros(self.factor)

    def to_document(self) -> dict[str, Any]:
        """What the end needs of it, as JSON."""
        return {
            "micros": self.micros,
            "factor": str(self.factor),
            "currency": self.quote.currency,
        }


def holds_for(outputs: Sequence[Sequence[Quote | None]], factor: Fraction) -> list[Hold]:
    """What is held for each output of a task; nothing where there are no prices.

    Args:
        outputs: The quotes of the channels that each may be made at.
        factor: The account's.
    """
    holds = []
    for options in outputs:
        quotes = [quote for quote in options if quote is not None]
        if len(quotes) < len(options):
            return []
        dearest = max(quotes, key=lambda quote: quote.micros(factor))
        holds.append(Hold(quote=dearest, factor=factor))
    return holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What a prepaid account has, in millionths.

    Attributes:
        available: For new requests.
        held: For unfinished ones.
        overdraft: How far below zero new requests may take it.
    """

    available: int
    held: int
    overdraft: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One entry that an operator made.

    Attributes:
        micros: Below zero where it took money away.
        replayed: Whether it was made before, under the same reference.
    """

    id: int
    kind: str
    micros: int
    reference: str | None
    replayed: bool = False
