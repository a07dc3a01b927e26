"""The prices of the moment: the newest version of the book, as this process knows it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from vidgate.config import OFF, SHIPPED, Settings
from vidgate.db.prices import PriceStore, PurchaseBook
from vidgate.exceptions import ConfigurationError
from vidgate.models.acts import ITSELF
from vidgate.models.channels import Channel
from vidgate.models.money import Quote, parse_exact
from vidgate.providers.base import RunFacts
from vidgate.services.money.costing import ChannelPricing
from vidgate.services.money.price_book import PriceBook, read_book, read_document, shipped
from vidgate.services.money.pricing import Pricing, Run

__all__ = ["Prices", "exchange_of", "first_book"]

_log = structlog.get_logger(__name__)

_KNOWN: Final = 1024
"""Quotes that are kept: one is asked for by every channel and output of a request."""

_FULL_PRICE: Final = Fraction(1)


def exchange_of(settings: Settings) -> dict[str, Fraction]:
    """How much of other currencies one of the deployment's is."""
    return {name: parse_exact(many) for name, many in settings.currency_rates.items()}


def first_book(settings: Settings) -> PriceBook:
    """The book that a deployment begins with.

    Raises:
        ConfigurationError: The file that is named cannot be used.
    """
    if settings.prices in (OFF, SHIPPED):
        return shipped()
    book = shipped()
    return book.merged(read_book(read_document(Path(settings.prices)), over=book))


class _Quoting:
    """Prices requests at channels; most have no purchase book and are alike."""

    def __init__(self, pricing: Pricing, purchases: Mapping[UUID, PurchaseBook]) -> None:
        self._pricing = pricing
        self._purchases = purchases
        self._channels: dict[tuple[str, UUID | None], ChannelPricing] = {}

    def __call__(self, facts: RunFacts, provider: str, own: UUID | None) -> Quote:
        """Price one video; `own` is a channel with a purchase book."""
        channel = self._channels.get((provider, own))
        if channel is None:
            purchase = None if own is None else self._purchases[own].document
            channel = ChannelPricing(self._pricing, provider=provider, purchase=purchase)
            self._channels[provider, own] = channel
        return channel.quote(Run.of_facts(facts))


class Prices:
    """What this process prices requests by; without prices it prices nothing and asks nobody."""

    def __init__(self, *, store: PriceStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._exchange = exchange_of(settings)
        self._pricing: Pricing | None = None
        self._purchases: Mapping[UUID, PurchaseBook] = {}
        self._quote: Callable[[RunFacts, str, UUID | None], Quote] | None = None
        self._factors: Mapping[UUID, Fraction] = {}

    @property
    def are_on(self) -> bool:
        """Whether requests have prices."""
        return self._settings.prices != OFF

    @property
    def version(self) -> int | None:
        """Of the book in force, `None` without prices."""
        return None if self._pricing is None else self._pricing.version

    async def load(self) -> None:
        """Read the book, and make its first version where there is none.

        Raises:
            ConfigurationError: The book, or the currency, cannot be used.
        """
        if not self.are_on:
            return
        currency = self._settings.currency
        noted = await self._store.claim_currency(currency)
        if noted != currency:
            raise ConfigurationError(
                f"VIDGATE_CURRENCY is {currency}, and money was moved in {noted} already; amounts "
                f"are not converted. Set it to {noted}."
            )
        if await self._store.newest() is None:
            await self._store.add_first(first_book(self._settings).document, ITSELF)
        await self.refresh()
        self._tell()

    def _tell(self) -> None:
        pricing = self._pricing
        if pricing is None:
            return
        _log.info(
            "Prices are on; accounts without a balance, as `default` is made, are postpaid",
            version=pricing.version,
            currency=pricing.currency,
        )
        lost = pricing.book.unconvertible(pricing.currency, pricing.exchange)
        if lost:
            _log.warning(
                "Models have no price in the currency of this deployment; "
                "VIDGATE_CURRENCY_RATES may say how their units are converted",
                currency=pricing.currency,
                units=sorted(set(lost.values())),
                models=sorted(lost),
            )

    async def refresh(self) -> None:
        """Take over a newer version, and the factors of the accounts."""
        newest = await self._store.newest()
        purchases = await self._store.purchases()
        is_known = self._pricing is not None and self._pricing.version == newest
        if newest is not None and not is_known:
            self._pricing = Pricing(
                read_book(await self._store.read(newest)),
                version=newest,
                currency=self._settings.currency,
                exchange=self._exchange,
                refuses_unpriced=self._settings.refuses_unpriced,
            )
        if self._pricing is not None and (not is_known or purchases != self._purchases):
            self._quote = lru_cache(_KNOWN)(_Quoting(self._pricing, purchases))
        self._purchases = purchases
        self._factors = await self._store.factors()

    def quote(self, facts: RunFacts, channel: Channel) -> Quote | None:
        """Price one video at a channel, `None` where nothing has a price.

        Raises:
            PriceMissingError: It has no price, and is not free.
        """
        if self._quote is None:
            return None
        own = channel.id if channel.id in self._purchases else None
        return self._quote(facts, channel.provider, own)

    def usual(self, model: str) -> int | None:
        """What a usual video of a model costs, in millionths; `None` without prices.

        It is as the book's defaults say; where a model has no such video, of pictures instead of
        text, and else the dearest that it has.

        Raises:
            PriceMissingError: It has no price, and is not free.
        """
        pricing = self._pricing
        if pricing is None:
            return None
        run = Run.of_request({"model": model}, pricing.book.defaults)
        rows = pricing.book.rows(model)
        for unknown in (frozenset(), frozenset({"action"}), run.conditions.keys()):
            known = {name: one for name, one in run.conditions.items() if name not in unknown}
            if any(row.matches(known) for row in rows):
                return pricing.quote(replace(run, conditions=known)).micros()
        return pricing.quote(run).micros()

    def factor(self, account_id: UUID) -> Fraction:
        """What an account's prices are multiplied by."""
        return self._factors.get(account_id, _FULL_PRICE)
