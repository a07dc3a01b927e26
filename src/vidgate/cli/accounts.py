"""`vidgate account …`."""

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidgate.cli.documents import account_document, act_document
from vidgate.cli.limits import (
    UntilOption,
    limit_documents,
    read_until,
    with_limits,
    with_raises,
)
from vidgate.cli.output import JsonOption, print_json, print_one, print_table
from vidgate.cli.running import (
    ALL,
    OverlapOption,
    ReasonOption,
    author,
    read_tags,
    with_operator,
)
from vidgate.config import OFF
from vidgate.constants import WEBHOOK_OVERLAP
from vidgate.exceptions import ConfigurationError
from vidgate.models.limits import LimitChange, Scope
from vidgate.models.money import format_amount, parse_amount

if TYPE_CHECKING:
    from vidgate.models.accounts import Account
    from vidgate.operators import OperatorContext

__all__ = ["commands"]

commands = typer.Typer()

_LARGEST_FACTOR = 1000
_REFERENCE_LENGTH = 200

_Prepaid = Annotated[
    bool | None,
    typer.Option("--prepaid/--postpaid", help="Whether it can spend no more than it was given."),
]
_Amount = Annotated[str, typer.Argument(help="A decimal of the deployment's currency: 10.00.")]


def _check_reference(reference: str | None) -> str | None:
    # An empty one is a variable of a shell that was not set, and would be the same every time.
    if reference is not None and not (
        reference.strip() and reference.isprintable() and len(reference) <= _REFERENCE_LENGTH
    ):
        raise typer.BadParameter(f"a reference has 1 to {_REFERENCE_LENGTH} printable characters")
    return reference


_Reference = Annotated[
    str | None,
    typer.Option(
        callback=_check_reference,
        help="Of your own, such as an invoice: repeating it moves nothing.",
    ),
]
_TAGS = "Its tokens use only channels with one of these tags, such as 'vip,cn'"
_Account = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="As `account list` shows it.")]


@commands.command("create")
def create_account(
    name: Annotated[str, typer.Argument(help="A name of its own.")],
    *,
    prepaid: _Prepaid = None,
    channel_tags: Annotated[
        str | None, typer.Option(metavar="TAGS", help=f"{_TAGS}; without: all there are.")
    ] = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an account; where there are prices it is prepaid, at 0, unless told otherwise."""
    tags = read_tags(channel_tags, option="--channel-tags", nothing=ALL)

    async def create(operator: "OperatorContext") -> dict[str, Any]:
        has_prices = operator.settings.prices != OFF
        account = await operator.provisioning.create_account(
            name,
            author(reason),
            channel_tags=tags,
            is_prepaid=has_prices if prepaid is None else prepaid,
        )
        return await _with_balance(operator, account)

    print_one(with_operator(create), as_json=as_json)


@commands.command("list")
def list_accounts(*, as_json: JsonOption = False) -> None:
    """List the accounts, oldest first."""

    async def read(operator: "OperatorContext") -> list[dict[str, Any]]:
        balances = await operator.ledger.balances()
        return [
            account_document(account, balances.get(account.id), operator.settings.currency)
            for account in await operator.accounts.accounts()
        ]

    documents = with_operator(read)
    if as_json:
        print_json(documents)
    else:
        columns = (
            "id",
            "name",
            "prepaid",
            "available",
            "held",
            "factor",
            "channel_tags",
            "created_at",
        )
        print_table(columns, documents)


@commands.command("show")
def show_account(account: _Account, *, as_json: JsonOption = False) -> None:
    """Show an account, and who changed what of it."""

    async def read(operator: "OperatorContext") -> dict[str, Any]:
        document = await _with_limits(operator, await operator.provisioning.account(account))
        acts = await operator.acts.of(document["id"])
        return {**document, "acts": [act_document(act) for act in acts]}

    print_one(with_operator(read), as_json=as_json)


@commands.command("set")
def set_account(
    account: _Account,
    *,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    prepaid: _Prepaid = None,
    factor: Annotated[str | None, typer.Option(help="On every price, such as 1.25.")] = None,
    channel_tags: Annotated[
        str | None, typer.Option(metavar="TAGS", help=f"{_TAGS}, or `all`.")
    ] = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an account."""
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = name
    if channel_tags is not None:
        changes["channel_tags"] = read_tags(channel_tags, option="--channel-tags", nothing=ALL)
    if not changes and prepaid is None and factor is None:
        raise typer.BadParameter("say what to change; `--help` lists it")
    multiplier = None if factor is None else _read_factor(factor)

    async def change(operator: "OperatorContext") -> dict[str, Any]:
        by = author(reason)
        # First what may be refused.
        changed = await operator.provisioning.change_account(
            account, lambda before: replace(before, **changes), by
        )
        if multiplier is not None:
            await operator.ledger.set_factor(changed.id, multiplier, by)
        if prepaid is not None:
            await operator.ledger.set_prepaid(changed.id, prepaid=prepaid, by=by)
        return await _with_balance(operator, changed)

    print_one(with_operator(change), as_json=as_json)


def _read_factor(text: str) -> Decimal:
    try:
        factor = Decimal(text)
    except InvalidOperation:
        factor = Decimal(-1)
    if not factor.is_finite() or not 0 <= factor <= _LARGEST_FACTOR:
        raise ConfigurationError(
            f"{text!r} is not a factor; write one from 0 to 1000, such as 1.25."
        )
    return factor


@commands.command("limit")
@with_limits
def limit_account(
    account: _Account,
    *,
    limits: list[LimitChange],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Limit what an account may use, in force within a second; what is not named stays."""
    if not limits:
        raise typer.BadParameter("say what to limit; `--help` lists it")

    async def change(operator: "OperatorContext") -> dict[str, Any]:
        found = await operator.provisioning.account(account)
        await operator.limits.change(Scope.ACCOUNT, found.id, limits, author(reason))
        return await _with_limits(operator, found)

    print_one(with_operator(change), as_json=as_json)


@commands.command("raise")
@with_raises
def raise_account(
    account: _Account,
    *,
    until: UntilOption,
    limits: list[LimitChange],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an account use so much more for a while; `none` ends it at once."""
    if not limits:
        raise typer.BadParameter("say what to raise, and by how much; `--help` lists it")
    ends_at = read_until(until)

    async def change(operator: "OperatorContext") -> dict[str, Any]:
        found = await operator.provisioning.account(account)
        await operator.limits.raise_until(Scope.ACCOUNT, found.id, limits, ends_at, author(reason))
        return await _with_limits(operator, found)

    print_one(with_operator(change), as_json=as_json)


@commands.command("credit")
def credit_account(
    account: _Account,
    amount: _Amount,
    *,
    reference: _Reference = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put money on an account; the same reference does it once."""
    _move(account, "credit", amount, reference, reason, as_json=as_json)


@commands.command("adjust", context_settings={"ignore_unknown_options": True})
def adjust_account(
    account: _Account,
    amount: _Amount,
    *,
    reference: _Reference = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Correct an account, up or down; the same reference does it once."""
    _move(account, "adjust", amount, reference, reason, as_json=as_json)


def _move(
    account: str,
    kind: str,
    amount: str,
    reference: str | None,
    reason: str | None,
    *,
    as_json: bool,
) -> None:
    micros = parse_amount(amount)

    async def move(operator: "OperatorContext") -> dict[str, Any]:
        found = await operator.provisioning.account(account)
        moved = await operator.ledger.move(
            found.id, kind, micros, reference=reference, by=author(reason)
        )
        document = await _with_balance(operator, found)
        return {
            "object": "entry",
            "kind": kind,
            "account": found.name,
            "amount": f"{format_amount(moved.micros)} {operator.settings.currency}",
            "micros": moved.micros,
            "reference": reference,
            "replayed": moved.replayed,
            "balance": document["balance"],
        }

    print_one(with_operator(move), as_json=as_json)


async def _with_limits(operator: "OperatorContext", account: "Account") -> dict[str, Any]:
    document = await _with_balance(operator, account)
    return {**document, "limits": await limit_documents(operator, account.id)}


async def _with_balance(operator: "OperatorContext", account: "Account") -> dict[str, Any]:
    """An account as it is now, with its balance."""
    account = await operator.accounts.account(account.id) or account
    balance = await operator.ledger.balance(account.id)
    return account_document(account, balance, operator.settings.currency)


@commands.command("rename")
def rename_account(
    account: _Account,
    name: Annotated[str, typer.Argument(help="Its new name.")],
    *,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an account another name; short for `set --name`."""
    _rename(account, name, reason, as_json=as_json)


@commands.command("delete")
def delete_account(
    account: _Account, *, reason: ReasonOption = None, as_json: JsonOption = False
) -> None:
    """Take an account and all its tokens away for good; its tasks go on to their end."""

    async def delete(operator: "OperatorContext") -> dict[str, Any]:
        deleted = await operator.provisioning.delete_account(account, author(reason))
        return await _with_balance(operator, deleted)

    print_one(with_operator(delete), as_json=as_json)


@commands.command("webhook-secret")
def show_webhook_secret(
    account: _Account,
    *,
    rotate: Annotated[bool, typer.Option("--rotate", help="Make a new one first.")] = False,
    overlap: OverlapOption = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the secret that signs what goes to the `callback_url` of an account's tasks."""
    from vidgate.api.webhook_bodies import WebhookBodies
    from vidgate.factory import open_tools

    async def read(operator: "OperatorContext") -> dict[str, Any]:
        owner = await operator.provisioning.account(account)
        async with open_tools(operator, webhook_bodies=WebhookBodies) as tools:
            secrets = tools.webhook_secrets
            if rotate:
                await secrets.rotate(
                    owner.id,
                    None,
                    overlap=WEBHOOK_OVERLAP if overlap is None else overlap,
                    by=author(reason),
                )
            key = await secrets.current(owner.id, None)
        return {"object": "webhook_secret", "account": owner.name, "key": key}

    print_one(with_operator(read), as_json=as_json)


def _rename(account: str, name: str, reason: str | None, *, as_json: bool) -> None:
    async def rename(operator: "OperatorContext") -> dict[str, Any]:
        renamed = await operator.provisioning.change_account(
            account, lambda before: replace(before, name=name), author(reason)
        )
        return await _with_balance(operator, renamed)

    print_one(with_operator(rename), as_json=as_json)
