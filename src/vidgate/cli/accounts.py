"""`vidgate account …`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidgate.cli.documents import account_document, act_document
from vidgate.cli.output import JsonOption, print_json, print_one, print_table
from vidgate.cli.running import OverlapOption, ReasonOption, author, with_operator
from vidgate.constants import WEBHOOK_OVERLAP

if TYPE_CHECKING:
    from vidgate.models.accounts import Account
    from vidgate.operators import OperatorContext

__all__ = ["commands"]

commands = typer.Typer()

_Account = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="As `account list` shows it.")]


@commands.command("create")
def create_account(
    name: Annotated[str, typer.Argument(help="A name of its own.")],
    *,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an account."""

    async def create(operator: "OperatorContext") -> "Account":
        return await operator.provisioning.create_account(name, author(reason))

    print_one(account_document(with_operator(create)), as_json=as_json)


@commands.command("list")
def list_accounts(*, as_json: JsonOption = False) -> None:
    """List the accounts, oldest first."""

    async def read(operator: "OperatorContext") -> "list[Account]":
        return await operator.accounts.accounts()

    documents = [account_document(account) for account in with_operator(read)]
    if as_json:
        print_json(documents)
    else:
        print_table(("id", "name", "created_at"), documents)


@commands.command("show")
def show_account(account: _Account, *, as_json: JsonOption = False) -> None:
    """Show an account, and who changed what of it."""

    async def read(operator: "OperatorContext") -> dict[str, Any]:
        document = account_document(await operator.provisioning.account(account))
        acts = await operator.acts.of(document["id"])
        return {**document, "acts": [act_document(act) for act in acts]}

    print_one(with_operator(read), as_json=as_json)


@commands.command("set")
def set_account(
    account: _Account,
    *,
    name: Annotated[str, typer.Option(help="Its new name.")],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an account."""
    _rename(account, name, reason, as_json=as_json)


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

    async def delete(operator: "OperatorContext") -> "Account":
        return await operator.provisioning.delete_account(account, author(reason))

    print_one(account_document(with_operator(delete)), as_json=as_json)


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
    async def rename(operator: "OperatorContext") -> "Account":
        return await operator.provisioning.rename_account(account, name, author(reason))

    print_one(account_document(with_operator(rename)), as_json=as_json)
