"""`vidgate account …` and `vidgate token …`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from vidgate.cli.documents import TOKEN_PREFIX, account_document, token_document
from vidgate.cli.output import JsonOption, print_fields, print_json, print_table, say
from vidgate.cli.running import read_patterns, with_operator
from vidgate.exceptions import ConfigurationError
from vidgate.models.accounts import Account, Token
from vidgate.models.ids import parse_public_id
from vidgate.operators import OperatorContext
from vidgate.services.channels.provisioning import DEFAULT_ACCOUNT

__all__ = ["account_commands", "token_commands"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36_500)

account_commands = typer.Typer()
token_commands = typer.Typer()


@account_commands.command("create")
def create_account(
    name: Annotated[str, typer.Argument(help="A name of its own.")], *, as_json: JsonOption = False
) -> None:
    """Make an account."""

    async def create(operator: OperatorContext) -> Account:
        return await operator.provisioning.create_account(name)

    document = account_document(with_operator(create))
    if as_json:
        print_json(document)
    else:
        print_fields(document)


@account_commands.command("list")
def list_accounts(*, as_json: JsonOption = False) -> None:
    """List the accounts, oldest first."""

    async def read(operator: OperatorContext) -> list[Account]:
        return await operator.accounts.accounts()

    documents = [account_document(account) for account in with_operator(read)]
    if as_json:
        print_json(documents)
    else:
        print_table(("id", "name", "created_at"), documents)


def _parse_span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,8})([smhdw])", text)
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < span <= _LONGEST:
        raise typer.BadParameter("write a number and one of s, m, h, d, w, such as 30d")
    return span


@token_commands.command("create")
def create_token(
    *,
    name: Annotated[str, typer.Option(help="What it is for.")],
    account: Annotated[
        str | None, typer.Option(help=f"Whose it is; `{DEFAULT_ACCOUNT}` if none is named.")
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(help="The models it may ask for, such as 'this-*,that'; without: all."),
    ] = None,
    expires_in: Annotated[
        timedelta | None,
        typer.Option(parser=_parse_span, metavar="SPAN", help="Such as 12h or 30d; else never."),
    ] = None,
    access_key: Annotated[
        bool,
        typer.Option(
            "--access-key",
            help="Also a pair of access key and secret key, for the vendors' own SDKs.",
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Make errors of what would be ignored or adjusted, as `Prefer: handling=strict`.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print its key, this once."""
    patterns = read_patterns(models)
    expires_at = None if expires_in is None else datetime.now(UTC) + expires_in

    async def create(operator: OperatorContext) -> tuple[Token, dict[str, str]]:
        token, key = await operator.provisioning.create_token(
            name=name, account=account, models=patterns, expires_at=expires_at, strict=strict
        )
        if not access_key:
            return token, {"key": key}
        pair = await operator.provisioning.create_access_key(token)
        return token, {"key": key, "access_key": pair[0], "secret_key": pair[1]}

    token, keys = with_operator(create)
    document = token_document(token, account or DEFAULT_ACCOUNT)
    document = {"id": document.pop("id"), **keys, **document}
    if as_json:
        print_json(document)
    else:
        print_fields(document)
        say("The keys cannot be shown again." if access_key else "The key cannot be shown again.")


@token_commands.command("list")
def list_tokens(*, as_json: JsonOption = False) -> None:
    """List the tokens, oldest first, revoked ones too."""

    async def read(operator: OperatorContext) -> list[dict[str, object]]:
        names = {account.id: account.name for account in await operator.accounts.accounts()}
        return [
            token_document(token, names[token.account_id])
            for token in await operator.accounts.tokens()
        ]

    documents = with_operator(read)
    if as_json:
        print_json(documents)
    else:
        print_table(
            ("id", "name", "account", "models", "strict", "revoked", "expires_at", "created_at"),
            documents,
        )


@token_commands.command("revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a token worthless, for good and within a second."""
    identifier = parse_public_id(TOKEN_PREFIX, token_id)

    async def revoke(operator: OperatorContext) -> dict[str, object]:
        token = identifier and await operator.accounts.revoke_token(identifier)
        if not token:
            # What was given is not repeated: it may be the key.
            raise ConfigurationError(
                "There is no token of that id; `vidgate token list` shows them."
            )
        names = {account.id: account.name for account in await operator.accounts.accounts()}
        return token_document(token, names[token.account_id])

    document = with_operator(revoke)
    if as_json:
        print_json(document)
    else:
        print_fields(document)
