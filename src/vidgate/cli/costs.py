"""`vidgate price cost`, `costs` and `margin`: what channels pay, and what is left."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidgate.cli.output import JsonOption, print_json, print_one, print_table
from vidgate.cli.running import ReasonOption, author, load_settings, with_operator
from vidgate.exceptions import ConfigurationError
from vidgate.models.ids import CHANNEL_PREFIX, public_id
from vidgate.models.money import Per, format_amount, parse_exact

if TYPE_CHECKING:
    from vidgate.db.prices import PurchaseBook
    from vidgate.operators import OperatorContext
    from vidgate.services.money.price_book import PriceBook

__all__ = ["list_costs", "set_cost", "show_margin"]

_Channel = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="As `channel list` shows it.")]
_DAY_FORMS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]
_USUAL = timedelta(days=30)


def set_cost(
    channel: _Channel,
    *,
    unit: Annotated[
        str | None, typer.Option(help="A provider's unit, or a currency that it charges in.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The provider's name of it.")] = None,
    per: Annotated[str | None, typer.Option(help="With --model: second or video.")] = None,
    amount: Annotated[str | None, typer.Option(help="What one costs, such as 0.098.")] = None,
    currency: Annotated[
        str | None, typer.Option(help="Of the amount; without: the deployment's.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Units and models, in the form of a price book.")
    ] = None,
    begins: Annotated[
        datetime | None,
        typer.Option("--from", formats=_DAY_FORMS, help="In UTC; without: from now on."),
    ] = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a channel's account pays for a unit, for a model, or for all that a file names."""
    if sum(one is not None for one in (unit, model, file)) != 1:
        raise typer.BadParameter("say one of --unit, --model and --file")
    if (file is None) != (amount is not None) or (model is not None) != (per is not None):
        raise typer.BadParameter("a unit needs --amount; a model needs --amount and --per")
    settings = load_settings()
    paid = (currency or settings.currency).upper()
    change = _change_of(unit=unit, model=model, per=per, amount=amount, currency=paid, file=file)

    async def store(operator: "OperatorContext") -> dict[str, Any]:
        named = await operator.provisioning.channel(channel)
        book = await _published(operator)
        stored = await operator.prices.add_purchase(
            named.id,
            lambda before: _laid_over(book, before, change(book)),
            from_at=None if begins is None else begins.replace(tzinfo=UTC),
            by=author(reason),
        )
        return _document(stored, named.name)

    print_one(with_operator(store), as_json=as_json)


def _change_of(
    *,
    unit: str | None,
    model: str | None,
    per: str | None,
    amount: str | None,
    currency: str,
    file: Path | None,
) -> "Callable[[PriceBook], Mapping[str, Any]]":
    """What makes a document of the options, beside the book whose units it may name."""
    from vidgate.services.money.price_book import of_amount, read_document

    if file is not None:
        document = read_document(file)
        return lambda _book: document
    number = _amount(amount or "")
    if model is not None:
        if per not in (Per.SECOND.value, Per.VIDEO.value):
            raise typer.BadParameter("--per must be second or video")
        made = of_amount(model, Per(per), number, currency)
        return lambda _book: made

    def rate(book: "PriceBook") -> Mapping[str, Any]:
        known = book.document.get("units", {})
        if unit not in known:
            raise ConfigurationError(
                f"There is no unit {unit!r}; there are {', '.join(sorted(known))}."
            )
        return {"units": {unit: {**known[unit], "rates": {currency: str(number)}}}}

    return rate


def _amount(text: str) -> Decimal:
    try:
        number = parse_exact(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is not an amount; write one such as 0.098.") from None
    if number < 0:
        raise ConfigurationError("The amount is below zero.")
    return Decimal(text)


async def _published(operator: "OperatorContext") -> "PriceBook":
    """The shipped book with the units that the operator added."""
    from vidgate.services.money.price_book import read_book, shipped

    version = await operator.prices.newest()
    if version is None:
        return shipped()
    units = (await operator.prices.read(version)).get("units", {})
    return read_book({"units": units}).merged(shipped())


def _laid_over(
    book: "PriceBook", before: Mapping[str, Any] | None, change: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Lay a change over the purchase book of a channel, and check what comes of it."""
    from vidgate.services.money.price_book import read_book
    from vidgate.services.money.prices import exchange_of

    own = read_book(before or {}, over=book)
    own = own.merged(read_book(change, over=book), over=book)
    settings, paid = load_settings(), book.merged(own)
    counted = {block["unit"] for block in own.document.get("models", ())}
    lost = sorted(
        name
        for name in {*own.document.get("units", {}), *counted}
        if paid.rate(name, settings.currency, exchange_of(settings)) is None
    )
    if lost:
        raise ConfigurationError(
            f"{lost[0]} cannot be converted to {settings.currency}; VIDGATE_CURRENCY_RATES may "
            "say how."
        )
    return own.document


def list_costs(
    channel: Annotated[
        str | None, typer.Argument(metavar="NAME_OR_ID", help="Only of this channel.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """List what the accounts of channels pay, and from when on; others pay as is published."""

    async def read(operator: "OperatorContext") -> list[dict[str, Any]]:
        only = None if channel is None else (await operator.provisioning.channel(channel)).id
        names = {one.id: one.name for one in await operator.channels.every()}
        return [
            _document(book, names[book.channel_id])
            for book in await operator.prices.every_purchase()
            if only in (None, book.channel_id)
        ]

    documents = with_operator(read)
    if as_json:
        print_json(documents)
        return
    print_table(("channel", "from", "units", "models"), documents)


def _document(book: "PurchaseBook", channel: str) -> dict[str, Any]:
    units = {
        name: ", ".join(f"{rate} {currency}" for currency, rate in unit["rates"].items())
        for name, unit in book.document.get("units", {}).items()
    }
    blocks = book.document.get("models", ())
    return {
        "object": "price_cost",
        "channel": channel,
        "channel_id": public_id(CHANNEL_PREFIX, book.channel_id),
        "from": book.from_at.astimezone(UTC).isoformat(timespec="seconds"),
        "units": [f"{name} {rates}" for name, rates in sorted(units.items())],
        "models": sorted({model for block in blocks for model in block["models"]}),
    }


def show_margin(
    *,
    since: Annotated[
        datetime | None,
        typer.Option(formats=_DAY_FORMS, help="In UTC; without: 30 days before now."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_DAY_FORMS, help="Before then; without: now.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was charged and what was paid, by channel and model, and what is left."""
    ends = datetime.now(UTC) if until is None else until.replace(tzinfo=UTC)
    begins = ends - _USUAL if since is None else since.replace(tzinfo=UTC)

    async def read(operator: "OperatorContext") -> list[dict[str, Any]]:
        names = {one.id: one.name for one in await operator.channels.every()}
        return [
            {
                "object": "margin",
                "channel": names.get(row.channel_id) if row.channel_id else None,
                "model": row.model,
                "videos": row.videos,
                "charged": format_amount(row.charged_micros),
                "cost": format_amount(row.cost_micros),
                "margin": format_amount(row.charged_micros - row.cost_micros),
                "wasted": format_amount(row.wasted_micros),
                "unknown_costs": row.unknown_costs,
                "currency": operator.settings.currency,
            }
            for row in await operator.ledger.margins(begins, ends)
        ]

    documents = with_operator(read)
    if as_json:
        print_json(documents)
        return
    columns = ("channel", "model", "videos", "charged", "cost", "margin", "wasted", "unknown_costs")
    print_table((*columns, "currency"), documents)
