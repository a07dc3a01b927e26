"""`vidgate token …`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidgate.cli.documents import act_document, token_document
from vidgate.cli.limits import (
    UntilOption,
    limit_documents,
    read_until,
    with_limits,
    with_raises,
)
from vidgate.cli.output import JsonOption, print_json, print_one, print_table, say
from vidgate.cli.running import (
    ALL,
    NOTHING,
    ReasonOption,
    author,
    parse_overlap,
    parse_span,
    read_networks,
    read_patterns,
    read_tags,
    with_operator,
)
from vidgate.models.accounts import DEFAULT_ACCOUNT, Sees, Token
from vidgate.models.limits import LimitChange, Scope

if TYPE_CHECKING:
    from vidgate.operators import OperatorContext

__all__ = ["commands"]

commands = typer.Typer()

_Token = Annotated[
    str,
    typer.Argument(metavar="NAME_OR_ID", help="As `token list` shows it; never the key."),
]
_NAME = "What it is for."

_ADDRESSES = "The networks it may be used from, such as '10.0.0.0/8,2001:db8::/32'"
_TAGS = "It uses only channels with one of these tags, such as 'vip,cn'"
_SEES = "What it sees: only what it made, or all that is its account's."

_QUEUE_WAIT = (
    "How long its tasks may wait for a place, such as 10m, or 0 to refuse what cannot begin at "
    "once; else as the deployment says."
)


_OVERLAP = timedelta(hours=24)
"""For which an old key works, if it is not said."""

_Overlap = Annotated[
    timedelta | None,
    typer.Option(
        parser=parse_overlap,
        metavar="SPAN",
        help=f"How long the old key works too, or `{NOTHING}`; 24h if it is not said.",
    ),
]


def _parse_wait(text: str) -> timedelta:
    return timedelta() if text == "0" else parse_span(text)


def _read_wait(text: str) -> timedelta | None:
    return None if text == NOTHING else _parse_wait(text)


def _read_end(text: str) -> datetime | None:
    return None if text == NOTHING else datetime.now(UTC) + parse_span(text)


def _read_tags(given: str | None) -> tuple[str, ...]:
    return read_tags(given, option="--channel-tags", nothing=ALL)


@commands.command("create")
@with_limits
def create_token(
    name: Annotated[str | None, typer.Argument(help=_NAME)] = None,
    *,
    named: Annotated[str | None, typer.Option("--name", hidden=True)] = None,
    account: Annotated[
        str | None, typer.Option(help=f"Whose it is; `{DEFAULT_ACCOUNT}` if none is named.")
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(help="The models it may ask for, such as 'this-*,that'; without: all."),
    ] = None,
    expires_in: Annotated[
        timedelta | None,
        typer.Option(parser=parse_span, metavar="SPAN", help="Such as 12h or 30d; else never."),
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
    queue_wait: Annotated[
        timedelta | None,
        typer.Option(parser=_parse_wait, metavar="SPAN", help=_QUEUE_WAIT),
    ] = None,
    addresses: Annotated[
        str | None, typer.Option(metavar="NETWORKS", help=f"{_ADDRESSES}; without: everywhere.")
    ] = None,
    channel_tags: Annotated[
        str | None, typer.Option(metavar="TAGS", help=f"{_TAGS}; without: all there are.")
    ] = None,
    sees: Annotated[Sees, typer.Option(help=_SEES)] = Sees.OWN,
    limits: list[LimitChange],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print its key, this once."""
    if (name is None) == (named is None):
        raise typer.BadParameter("give the token one name", param_hint="'NAME'")
    patterns, networks = read_patterns(models), read_networks(addresses)
    tags = _read_tags(channel_tags)
    expires_at = None if expires_in is None else datetime.now(UTC) + expires_in

    async def create(operator: "OperatorContext") -> tuple[dict[str, Any], dict[str, str]]:
        await operator.limits.check(limits)
        token, key = await operator.provisioning.create_token(
            name=name or named or "",
            account=account,
            models=patterns,
            expires_at=expires_at,
            strict=strict,
            queue_wait=queue_wait,
            addresses=networks,
            sees=sees,
            channel_tags=tags,
            by=author(reason),
        )
        if limits:
            await operator.limits.change(Scope.TOKEN, token.id, limits, author(reason))
        document = await _document(operator, token)
        if not access_key:
            return document, {"key": key}
        pair = await operator.provisioning.create_access_key(token)
        return document, {"key": key, "access_key": pair[0], "secret_key": pair[1]}

    document, keys = with_operator(create)
    print_one({"id": document.pop("id"), **keys, **document}, as_json=as_json)
    if not as_json:
        say("The keys cannot be shown again." if access_key else "The key cannot be shown again.")


@commands.command("list")
def list_tokens(*, as_json: JsonOption = False) -> None:
    """List the tokens with their last use, oldest first, revoked ones too."""

    async def read(operator: "OperatorContext") -> list[dict[str, Any]]:
        names = {account.id: account.name for account in await operator.accounts.every_account()}
        uses = await operator.accounts.uses()
        return [
            token_document(token, names[token.account_id], uses.get(token.id))
            for token in await operator.accounts.tokens()
        ]

    documents = with_operator(read)
    if as_json:
        print_json(documents)
    else:
        print_table(
            (
                "id",
                "name",
                "account",
                "models",
                "channel_tags",
                "addresses",
                "sees",
                "strict",
                "queue_wait_seconds",
                "revoked",
                "expires_at",
                "last_used_at",
                "created_at",
            ),
            documents,
        )


@commands.command("show")
def show_token(token: _Token, *, as_json: JsonOption = False) -> None:
    """Show a token without its key, its last use, and who changed what of it."""

    async def read(operator: "OperatorContext") -> dict[str, Any]:
        found = await operator.provisioning.token(token)
        document = await _document(operator, found)
        limits = await limit_documents(operator, found.account_id, found.id)
        acts = await operator.acts.of(document["id"])
        return {**document, "limits": limits, "acts": [act_document(act) for act in acts]}

    print_one(with_operator(read), as_json=as_json)


@commands.command("set")
@with_limits
def set_token(
    token: _Token,
    *,
    name: Annotated[str | None, typer.Option(help=_NAME)] = None,
    models: Annotated[
        str | None,
        typer.Option(help="The models it may ask for, such as 'this-*,that', or `all`."),
    ] = None,
    expires_in: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="From now on, such as 12h or 30d, or `none` for never."),
    ] = None,
    strict: Annotated[
        bool | None, typer.Option("--strict/--no-strict", help="As for `create`.")
    ] = None,
    queue_wait: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help=f"{_QUEUE_WAIT[:-1]}, or `none` for that."),
    ] = None,
    addresses: Annotated[
        str | None, typer.Option(metavar="NETWORKS", help=f"{_ADDRESSES}, or `all`.")
    ] = None,
    channel_tags: Annotated[
        str | None, typer.Option(metavar="TAGS", help=f"{_TAGS}, or `all`.")
    ] = None,
    sees: Annotated[Sees | None, typer.Option(help=_SEES)] = None,
    limits: list[LimitChange],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a token, in force within a second; what is not named stays."""
    given: dict[str, tuple[Any, Callable[[Any], Any]]] = {
        "name": (name, str),
        "models": (models, read_patterns),
        "channel_tags": (channel_tags, _read_tags),
        "addresses": (addresses, read_networks),
        "expires_at": (expires_in, _read_end),
        "strict": (strict, bool),
        "queue_wait": (queue_wait, _read_wait),
        "sees": (sees, Sees),
    }
    changes = {member: read(value) for member, (value, read) in given.items() if value is not None}
    if not changes and not limits:
        raise typer.BadParameter("say what to change; `--help` lists it")

    async def change(operator: "OperatorContext") -> dict[str, Any]:
        await operator.limits.check(limits)
        changed = await operator.provisioning.change_token(
            token, lambda before: replace(before, **changes), author(reason)
        )
        if limits:
            await operator.limits.change(Scope.TOKEN, changed.id, limits, author(reason))
        return await _document(operator, changed)

    print_one(with_operator(change), as_json=as_json)


@commands.command("rotate")
def rotate_token(
    token: _Token,
    *,
    overlap: _Overlap = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a token a new key and print it, this once; the old one works for a while.

    An access key that it has stays as it is.
    """

    async def rotate(operator: "OperatorContext") -> tuple[dict[str, Any], str, datetime]:
        rotated, key, until = await operator.provisioning.rotate_token(
            token, overlap=_OVERLAP if overlap is None else overlap, by=author(reason)
        )
        return await _document(operator, rotated), key, until

    document, key, until = with_operator(rotate)
    old_until = {"old_key_ends_at": int(until.timestamp())}
    print_one({"id": document.pop("id"), "key": key, **old_until, **document}, as_json=as_json)
    if not as_json:
        say("The key cannot be shown again.")


@commands.command("raise")
@with_raises
def raise_token(
    token: _Token,
    *,
    until: UntilOption,
    limits: list[LimitChange],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a token use so much more for a while; `none` ends it at once."""
    if not limits:
        raise typer.BadParameter("say what to raise, and by how much; `--help` lists it")
    ends_at = read_until(until)

    async def change(operator: "OperatorContext") -> dict[str, Any]:
        found = await operator.provisioning.token(token)
        await operator.limits.raise_until(Scope.TOKEN, found.id, limits, ends_at, author(reason))
        raised = await limit_documents(operator, found.account_id, found.id)
        return {**await _document(operator, found), "limits": raised}

    print_one(with_operator(change), as_json=as_json)


@commands.command("delete")
@commands.command("revoke", hidden=True)
def delete_token(
    token: _Token, *, reason: ReasonOption = None, as_json: JsonOption = False
) -> None:
    """Make a token worthless, for good and within a second."""

    async def delete(operator: "OperatorContext") -> dict[str, Any]:
        revoked = await operator.provisioning.revoke_token(token, author(reason))
        return await _document(operator, revoked)

    print_one(with_operator(delete), as_json=as_json)


async def _document(operator: "OperatorContext", token: Token) -> dict[str, Any]:
    names = {account.id: account.name for account in await operator.accounts.every_account()}
    used_at = (await operator.accounts.uses()).get(token.id)
    return token_document(token, names[token.account_id], used_at)
