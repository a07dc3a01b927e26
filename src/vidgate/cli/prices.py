"""`vidgate price …`."""

import json
from collections.abc import Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidgate.cli.costs import list_costs, set_cost, show_margin
from vidgate.cli.output import JsonOption, complain, print_json, print_one, print_table, say
from vidgate.cli.running import (
    ReasonOption,
    author,
    load_settings,
    read_patterns,
    with_operator,
)
from vidgate.exceptions import ConfigurationError
from vidgate.models.money import Per, format_amount, parse_exact

if TYPE_CHECKING:
    from vidgate.operators import OperatorContext
    from vidgate.services.money.price_book import PriceBook
    from vidgate.services.money.pricing import Pricing

__all__ = ["commands"]

commands = typer.Typer()
commands.command("cost")(set_cost)
commands.command("costs")(list_costs)
commands.command("margin")(show_margin)

_BY_SECONDS = "sora-*,wan*,veo*"
"""Models whose price new-api multiplies by the seconds that are asked for, and by a size."""

_File = Annotated[Path | None, typer.Argument(help="YAML or JSON; without it the shipped prices.")]


async def _current(operator: "OperatorContext") -> "tuple[PriceBook, int]":
    """The book that counts, and its version; 0 for what would be the first."""
    from vidgate.services.money.price_book import read_book
    from vidgate.services.money.prices import first_book

    version = await operator.prices.newest()
    if version is None:
        return first_book(operator.settings), 0
    return read_book(await operator.prices.read(version)), version


async def _pricing(operator: "OperatorContext") -> "Pricing":
    from vidgate.services.money.prices import exchange_of
    from vidgate.services.money.pricing import Pricing

    book, version = await _current(operator)
    settings = operator.settings
    return Pricing(
        book,
        version=version,
        currency=settings.currency,
        exchange=exchange_of(settings),
        refuses_unpriced=settings.refuses_unpriced,
    )


@commands.command("list")
def list_prices(
    *,
    model: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List every price, in the provider's units and in the deployment's currency."""

    async def read(operator: "OperatorContext") -> list[dict[str, Any]]:
        pricing = await _pricing(operator)
        return [
            document
            for name in pricing.book.models
            if model in (None, name)
            for document in _rows(pricing, name)
        ]

    documents = with_operator(read)
    if as_json:
        print_json(documents)
        return
    print_table(("model", "when", "per", "units", "unit", "amount"), documents)


def _rows(pricing: "Pricing", model: str) -> list[dict[str, Any]]:
    documents = []
    for row in pricing.book.rows(model):
        tariff = row.tariff
        rate = pricing.book.rate(tariff.unit, pricing.currency, pricing.exchange)
        amounts = tariff.totals or tuple(
            one for one in (tariff.units, tariff.following) if one or one is tariff.units
        )
        documents.append(
            {
                "object": "price",
                "model": model,
                "when": row.describe(),
                "per": tariff.per.value,
                "basis": tariff.basis.value,
                "units": ", ".join(_decimal(one) for one in amounts),
                "unit": tariff.unit,
                "amount": None
                if rate is None
                else ", ".join(_decimal(one * rate) for one in amounts) + f" {pricing.currency}",
            }
        )
    return documents


def _decimal(number: Fraction) -> str:
    return f"{Decimal(number.numerator) / Decimal(number.denominator):.10g}"


@commands.command("try")
def try_price(
    model: Annotated[str, typer.Argument(help="The provider's name of it.")],
    *,
    seconds: Annotated[str | None, typer.Option(help="How long.")] = None,
    resolution: Annotated[str | None, typer.Option(help="Such as 1080p.")] = None,
    sound: Annotated[str | None, typer.Option(help="native or off.")] = None,
    action: Annotated[str | None, typer.Option(help="Such as text, image or reference.")] = None,
    mode: Annotated[str | None, typer.Option(help="The provider's word, such as pro.")] = None,
    service_tier: Annotated[str | None, typer.Option(help="The provider's word.")] = None,
    off_peak: Annotated[bool, typer.Option(help="In the slow and cheap queue.")] = False,
    voice: Annotated[bool, typer.Option(help="With a voice of one's own.")] = False,
    video_input: Annotated[bool, typer.Option(help="With a video that goes in.")] = False,
    is_rec: Annotated[bool, typer.Option(help="With the provider's prompt.")] = False,
    n: Annotated[int, typer.Option(min=1, help="How many videos.")] = 1,
    factor: Annotated[str, typer.Option(help="Of the account.")] = "1",
    as_json: JsonOption = False,
) -> None:
    """Price one request, as it would be priced now."""
    said = {
        "model": model,
        "seconds": seconds,
        "resolution": resolution,
        "sound": sound,
        "action": action,
        "mode": mode,
        "service_tier": service_tier,
        "off_peak": off_peak,
        "voice": voice,
        "video_input": video_input,
        "is_rec": is_rec,
    }
    request = {name: value for name, value in said.items() if value is not None}

    async def ask(operator: "OperatorContext") -> dict[str, Any]:
        from vidgate.exceptions import PriceMissingError
        from vidgate.services.money.pricing import Run

        pricing = await _pricing(operator)
        try:
            run = Run.of_request(request, pricing.book.defaults)
            quote = pricing.quote(run)
            each = quote.micros(parse_exact(factor))
        except PriceMissingError as error:
            raise ConfigurationError(error.message) from None
        except ValueError as error:
            raise ConfigurationError(f"This cannot be priced: {error}.") from None
        return {
            "object": "price",
            "model": model,
            "amount": f"{format_amount(each * n)} {pricing.currency}",
            "micros": each * n,
            "micros_each": each,
            "outputs": n,
            "units": None if quote.units is None else _decimal(quote.units),
            "unit": quote.tariff.unit if quote.tariff else None,
            "row": quote.row or "no price: free",
            "version": quote.version,
        }

    print_one(with_operator(ask), as_json=as_json)


@commands.command("check")
def check_prices(file: _File = None, *, as_json: JsonOption = False) -> None:
    """Check the prices that count, or a file, and say which models have none."""
    from vidgate.services.money.price_book import read_book, read_document, shipped
    from vidgate.services.money.prices import exchange_of

    async def read(operator: "OperatorContext") -> "PriceBook":
        return (await _current(operator))[0]

    if file is None:
        book = with_operator(read)
    else:
        book = shipped().merged(read_book(read_document(file), over=shipped()))
    settings = load_settings()
    lost = book.unconvertible(settings.currency, exchange_of(settings))
    for model, unit in lost.items():
        complain(f"{model} has no price here: {unit} cannot be converted to {settings.currency}.")
    print_one(
        {
            "object": "price_check",
            "models": len(book.models),
            "usable": len(book.models) - len(lost),
            "unconvertible": sorted(lost),
            "currency": settings.currency,
        },
        as_json=as_json,
    )


@commands.command("diff")
def compare_prices(file: _File = None, *, as_json: JsonOption = False) -> None:
    """Say which models cost otherwise in a file, or in the shipped prices, than now."""
    from vidgate.services.money.price_book import read_book, read_document, shipped

    async def compare(operator: "OperatorContext") -> list[dict[str, Any]]:
        book, _ = await _current(operator)
        other = shipped()
        if file is not None:
            other = book.merged(read_book(read_document(file), over=book))
        return [
            {"object": "price_difference", "model": model, "change": change}
            for model, change in book.differences(other).items()
        ]

    documents = with_operator(compare)
    if as_json:
        print_json(documents)
        return
    print_table(("model", "change"), documents)


@commands.command("export")
def export_prices(
    file: Annotated[Path | None, typer.Argument(help="Where to; without it printed.")] = None,
) -> None:
    """Write the prices that count, as `import` reads them."""
    import yaml

    async def read(operator: "OperatorContext") -> str:
        book, _ = await _current(operator)
        text: str = yaml.safe_dump(dict(book.document), sort_keys=False, allow_unicode=True)
        return text

    text = with_operator(read)
    if file is None:
        typer.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")


@commands.command("import")
def import_prices(
    file: Annotated[Path, typer.Argument(help="YAML or JSON.")],
    *,
    from_newapi: Annotated[
        bool, typer.Option("--from-newapi", help="It is new-api's `ModelPrice`: USD for a call.")
    ] = False,
    per_second: Annotated[
        str, typer.Option(help="With --from-newapi: models that it multiplies by the seconds.")
    ] = _BY_SECONDS,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lay a file over the prices that count, model by model, as a new version."""
    from vidgate.services.money.price_book import read_document

    patterns = read_patterns(per_second)
    document = _from_newapi(file, patterns) if from_newapi else read_document(file)
    _lay_over(document, reason, as_json=as_json)


@commands.command("set")
def set_price(
    model: Annotated[str, typer.Argument(help="The provider's name of it.")],
    *,
    per: Annotated[str, typer.Option(help="second or video.")],
    amount: Annotated[str, typer.Option(help="In the deployment's currency, such as 0.50.")],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a model one price for every request, as a new version."""
    from vidgate.services.money.price_book import of_amount

    if per not in (Per.SECOND.value, Per.VIDEO.value):
        raise typer.BadParameter("--per must be second or video")
    try:
        number = parse_exact(amount)
    except ValueError:
        raise ConfigurationError(f"{amount!r} is not an amount; write one such as 0.50.") from None
    if number < 0:
        raise ConfigurationError("The amount is below zero.")
    document = of_amount(model, Per(per), Decimal(amount), load_settings().currency)
    _lay_over(document, reason, as_json=as_json)


def _lay_over(document: Any, reason: str | None, *, as_json: bool) -> None:
    from vidgate.services.money.price_book import read_book

    async def store(operator: "OperatorContext") -> dict[str, Any]:
        book, _ = await _current(operator)
        merged = book.merged(read_book(document, over=book))
        changed = book.differences(merged)
        version = await operator.prices.add(merged.document, author(reason))
        return {"object": "price_book", "version": version, "changed": sorted(changed)}

    print_one(with_operator(store), as_json=as_json)


def _from_newapi(file: Path, per_second: Sequence[str]) -> dict[str, Any]:
    """Make a book of new-api's option, whose prices are in USD, for a call or for a second."""
    try:
        prices = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
        if isinstance(prices, dict) and "ModelPrice" in prices:
            prices = prices["ModelPrice"]
        if isinstance(prices, str):  # as the option itself has it
            prices = json.loads(prices, parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{file} cannot be read as new-api's ModelPrice: {error}."
        ) from None
    if not isinstance(prices, dict) or not prices:
        raise ConfigurationError(f"{file} is not new-api's ModelPrice: an object of USD by model.")
    blocks = []
    for model, amount in prices.items():
        is_by_second = any(fnmatchcase(model, pattern) for pattern in per_second)
        per = Per.SECOND if is_by_second else Per.VIDEO
        meant = (
            "the price is for a second; what new-api takes for other sizes is not in it"
            if is_by_second
            else "the price is for a whole video, whatever its length"
        )
        say(f"{model}: {meant}; check that it is meant.")
        rows = [{"when": {}, "units": str(amount)}]
        blocks.append({"models": [model], "unit": "usd", "per": per.value, "rows": rows})
    return {"models": blocks}
