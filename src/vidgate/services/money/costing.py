"""What a channel's account pays its provider, beside what its clients pay.

What is paid is what the provider publishes, the shipped book, unless the channel has a purchase
book of its own: rates of units, such as a pack's, and models, such as a reseller's or those of
another country. Where the channel counts a model in the same provider's units as the price book
but another number of them, its clients pay that number too: it is what the provider will report.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from vidgate.exceptions import PriceMissingError
from vidgate.models.money import Per, Quote, Tariff
from vidgate.services.money.price_book import PriceBook, read_book, shipped
from vidgate.services.money.pricing import Pricing, Run

__all__ = ["ChannelPricing"]


class ChannelPricing:
    """Prices requests at one channel, for its clients and for its operator.

    Args:
        pricing: What clients pay elsewhere.
        provider: The channel's.
        purchase: Its purchase book, `None` if it has none.
    """

    def __init__(
        self, pricing: Pricing, *, provider: str, purchase: Mapping[str, Any] | None
    ) -> None:
        self._provider = provider
        self._price, self._cost = pricing, pricing.having(_published(pricing.book))
        if purchase is not None:
            own = read_book(purchase, over=self._cost.book)
            self._cost = pricing.having(self._cost.book.merged(own))
            self._price = pricing.having(_counted_alike(pricing.book, own))

    def quote(self, run: Run) -> Quote:
        """Price one video, with what it costs.

        Raises:
            PriceMissingError: It has no price for clients, and is not free.
        """
        return self._price.quote(run).costing(self.cost(run))

    def cost(self, run: Run) -> Quote:
        """What one video costs the operator; without units where only its provider will tell."""
        try:
            found = self._cost.find(run)
        except PriceMissingError:
            found = None
        return found or self._reported()

    def _reported(self) -> Quote:
        pricing, units = self._cost, self._cost.book.units.values()
        unit = next((one for one in units if one.provider == self._provider), None)
        rate = None
        if unit is not None:
            rate = pricing.book.rate(unit.name, pricing.currency, pricing.exchange)
        if unit is None or unit.reported_as is None or rate is None:
            return Quote(version=pricing.version, currency=pricing.currency)
        return Quote(
            version=pricing.version,
            currency=pricing.currency,
            tariff=Tariff(unit=unit.name, per=Per.VIDEO, reported={unit.reported_as: Fraction(1)}),
            rate=rate,
        )


def _published(book: PriceBook) -> PriceBook:
    """The shipped prices, and of the book what is counted in a provider's units and not in them.

    What else a book has is what an operator asks for, which says nothing of what is paid.
    """
    known = shipped()
    native = {name for name, unit in known.units.items() if unit.provider is not None}
    added = book.only(lambda model, unit: unit in native and not known.rows(model))
    return read_book(added).merged(known)


def _counted_alike(book: PriceBook, own: PriceBook) -> PriceBook:
    """A book with a channel's own numbers of units, where its units are the same."""

    def is_alike(model: str, unit: str) -> bool:
        counted = {row.tariff.unit for row in book.rows(model)}
        return counted == {unit} and own.units[unit].provider is not None

    taken = {"models": own.only(is_alike)["models"]}
    return book.merged(read_book(taken, over=book)) if taken["models"] else book
