"""From the final request to what each of its videos costs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from vidgate.exceptions import PriceMissingError
from vidgate.models.money import LARGEST_MICROS, Basis, Per, Quote, Rounding, parse_exact
from vidgate.providers.base import Action, RunFacts
from vidgate.services.money.price_book import CONDITIONS, PriceBook, Row, spell

__all__ = ["Pricing", "Run"]

_ACTIONS = {
    Action.FIRST_FRAME: "image",
    Action.FIRST_LAST_FRAME: "start_end",
    Action.REFERENCES: "reference",
}
"""Where price lists have another word than we."""

_FRAMES_PER_SECOND = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One video to price.

    Attributes:
        model: The provider's name of it.
        conditions: As rows name them; `None`, or missing, where unknown.
        seconds: `None` where nobody knows yet.
        pixels: Of one picture, `None` where unknown.
        has_video: Whether a video goes in.
    """

    model: str
    conditions: Mapping[str, str | None]
    seconds: Fraction | None = None
    pixels: int | None = None
    has_video: bool = False

    @classmethod
    def of_facts(cls, facts: RunFacts) -> "Run":
        """What a translation says is run."""
        sound = None if facts.sound is None else "native" if facts.sound else "off"
        action = None if facts.action is None else _ACTIONS.get(facts.action, facts.action.value)
        seconds = _to_seconds(facts.duration_seconds)
        known: dict[str, Any] = {
            "action": action,
            "draft": facts.draft,
            "is_rec": facts.recommended_prompt,
            "mode": facts.mode,
            "off_peak": facts.off_peak,
            "resolution": facts.resolution,
            "seconds": seconds,
            "service_tier": facts.service_tier,
            "sound": sound,
            "video_input": facts.video_input,
            "voice": facts.voice,
        }
        is_sized = facts.width is not None and facts.height is not None
        return cls(
            model=facts.model,
            conditions={
                name: None if value is None else spell(name, value) for name, value in known.items()
            },
            seconds=seconds,
            pixels=(facts.width or 0) * (facts.height or 0) if is_sized else None,
            has_video=bool(facts.video_input),
        )

    @classmethod
    def of_request(cls, request: Mapping[str, Any], defaults: Mapping[str, Any]) -> "Run":
        """What somebody asks the price of; what is not said is as the book's defaults have it."""
        said = {**defaults, **request}
        seconds = said.get("produced_seconds", said.get("input_seconds", said.get("seconds")))
        if "frames" in request:
            seconds = (parse_exact(request["frames"]) - 1) / _FRAMES_PER_SECOND
        width, height = request.get("width"), request.get("height")
        return cls(
            model=request["model"],
            conditions={name: spell(name, said[name]) for name in sorted(CONDITIONS & said.keys())},
            seconds=None if seconds is None else parse_exact(seconds),
            pixels=width * height if width and height else None,
            has_video=spell("video_input", said.get("video_input", False)) == "true",
        )


def _to_seconds(asked: float | None) -> Fraction | None:
    """A length to count with; what is none is the provider's to judge."""
    try:
        seconds = None if asked is None else parse_exact(asked)
    except ValueError:
        return None
    return seconds if seconds is not None and seconds > 0 else None


class Pricing:
    """Prices requests by one version of the book.

    Args:
        book: The prices.
        version: Its number.
        currency: The deployment's.
        exchange: How much of another currency one of the deployment's is.
        refuses_unpriced: Whether what has no price is refused, as opposed to free.
    """

    def __init__(
        self,
        book: PriceBook,
        *,
        version: int,
        currency: str,
        exchange: Mapping[str, Fraction],
        refuses_unpriced: bool,
    ) -> None:
        self.book = book
        self.version = version
        self.currency = currency
        self.exchange = exchange
        self.refuses_unpriced = refuses_unpriced

    def quote(self, run: Run) -> Quote:
        """Price one video.

        What is unknown of it may be anything, so that the dearest of what it may be is held.

        Raises:
            PriceMissingError: It has no price, and is not free.
        """
        found = self.find(run)
        if found is not None:
            return found
        if self.refuses_unpriced:
            raise PriceMissingError(
                f"The model {run.model!r} has no price for such a video here; ask for another "
                "model, resolution or length, or have its price set.",
                param="model",
            )
        return Quote(version=self.version, currency=self.currency)

    def find(self, run: Run) -> Quote | None:
        """As `quote`, `None` where there is no price.

        Raises:
            PriceMissingError: It is more than can be charged.
        """
        quotes = [
            quote
            for row in self.book.rows(run.model)
            if row.matches(run.conditions) and (quote := self._priced(row, run)) is not None
        ]
        if not quotes:
            return None
        dearest = max(quotes, key=Quote.micros)
        if dearest.micros() > LARGEST_MICROS:
            raise PriceMissingError(
                "Such a video costs more than can be charged; ask for a shorter one.",
                param="duration",
            )
        return dearest

    def having(self, book: PriceBook) -> "Pricing":
        """The same with another book."""
        return Pricing(
            book,
            version=self.version,
            currency=self.currency,
            exchange=self.exchange,
            refuses_unpriced=self.refuses_unpriced,
        )

    def _priced(self, row: Row, run: Run) -> Quote | None:
        tariff = row.tariff
        rate = self.book.rate(tariff.unit, self.currency, self.exchange)
        if rate is None:
            return None
        added = sum(
            (
                one.units * (run.seconds or 1 if one.per is Per.SECOND else 1)
                for one in row.additions
                if all(run.conditions.get(name) in values for name, values in one.when.items())
            ),
            start=Fraction(0),
        )
        tariff = replace(tariff, added=added)
        seconds, pixels = run.seconds, run.pixels
        if seconds is None:
            seconds = row.hold_seconds
            if tariff.basis is Basis.REQUESTED:  # nobody asked for a length, so it is as made
                tariff = replace(tariff, basis=Basis.PRODUCED, rounding=Rounding.NEAREST)
        if tariff.per is Per.TOKENS:
            pixels = pixels or row.pixels.get(run.conditions.get("resolution") or "")
            pixels = pixels or max(row.pixels.values(), default=None)
            if seconds is not None and run.has_video:
                seconds += row.input_seconds
        units = tariff.count(seconds, pixels=pixels)
        if units is None:
            return None
        place = f"{row.place}: {row.describe()}"
        return Quote(
            version=self.version,
            currency=self.currency,
            tariff=tariff,
            units=units,
            rate=rate,
            row=place,
        )
