"""`vidgate channel …`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vidgate.cli.documents import act_document, channel_document, check_document
from vidgate.cli.limits import limit_documents, with_channel_limits
from vidgate.cli.output import (
    JsonOption,
    complain,
    in_words,
    print_json,
    print_one,
    print_table,
)
from vidgate.cli.running import (
    NOTHING,
    ReasonOption,
    author,
    read_key,
    read_patterns,
    read_tags,
    with_operator,
)
from vidgate.models.channels import Channel, ChannelChanges, NewChannel, OnUnknown
from vidgate.models.limits import LimitChange, Scope
from vidgate.providers.registry import provider_names

if TYPE_CHECKING:
    from vidgate.operators import OperatorContext
    from vidgate.services.channels.channel_test import ChannelCheck

__all__ = ["commands"]

_LARGEST = 2**31 - 1

commands = typer.Typer()

_Name = Annotated[str, typer.Argument(help="A name of its own.")]
_Channel = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="As `channel list` shows it.")]
_PROVIDERS = in_words(provider_names(), "or") + "."

_KEY = "The provider's key, or `-` to read it from standard input."
_BASE_URL = (
    "Without the API prefix, but for servers of no vendor: there a path is all of it, and without "
    "one it is /v1. Else the provider's own, where it has one."
)
_TAGS = "Groups that it is in, such as 'vip,cn', for tokens and accounts limited to some"
_PRIORITY = "Higher is tried first."
_WEIGHT = "Its share among those of one priority."
_ON_UNKNOWN = "When nobody can tell whether a submit arrived."
_CALLBACK = "What the provider signs callbacks with, if that is not the key; or `-`."
_PROXY = "The way to the provider: http://, https:// or socks5://[user:password@]host:port; or `-`."
_OPTIONAL = {"max_concurrency", "callback_secret", "proxy"}
"""What a channel need not have."""

_PriorityRange = typer.Option(min=-_LARGEST, max=_LARGEST, help=_PRIORITY)
_WeightRange = typer.Option(min=0, max=_LARGEST, help=_WEIGHT)


def _parse_map(pairs: Sequence[str], *, may_remove: bool = False) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        origin, separator, target = (part.strip() for part in pair.partition("="))
        if not (origin and separator and (target or may_remove)):
            raise typer.BadParameter("write from=to", param_hint="'--map'")
        mapping[origin] = target
    return mapping


def _parse_concurrency(text: str) -> int | str:
    if text == NOTHING:
        return text
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _LARGEST):
        raise typer.BadParameter(f"write a number from 1 on, or `{NOTHING}` for no limit")
    return int(text)


def _read_keys(*given: str | None) -> tuple[str | None, ...]:
    """Keys as they were given; one may come from standard input."""
    if given.count("-") > 1:
        raise typer.BadParameter("only one option can be read from standard input")
    return tuple(None if one is None else read_key(one) for one in given)


async def _with_health(operator: "OperatorContext", channel: Channel) -> Channel:
    health = await operator.channel_states.all()
    return replace(channel, health=health.get(channel.id, channel.health))


def _change(
    channel: str,
    changes: ChannelChanges,
    reason: str | None,
    limits: Sequence[LimitChange] = (),
    *,
    as_json: bool,
) -> None:
    async def change(operator: "OperatorContext") -> Channel:
        await operator.limits.check(limits)
        changed = await operator.provisioning.change_channel(channel, changes, author(reason))
        if limits:
            await operator.limits.change(Scope.CHANNEL, changed.id, limits, author(reason))
        return await _with_health(operator, changed)

    print_one(channel_document(with_operator(change)), as_json=as_json)


@commands.command("create")
@commands.command("add", hidden=True)
def create_channel(
    name: _Name,
    *,
    provider: Annotated[str, typer.Option(help=_PROVIDERS)],
    key: Annotated[str, typer.Option(help=_KEY)],
    base_url: Annotated[str | None, typer.Option(help=_BASE_URL)] = None,
    tags: Annotated[str | None, typer.Option(help=f"{_TAGS}.")] = None,
    models: Annotated[
        str | None,
        typer.Option(help="What it serves, such as 'this-*,that'; without: all there are."),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FROM=TO", help="Run TO where FROM is asked for; repeat."),
    ] = None,
    priority: Annotated[int, _PriorityRange] = 0,
    weight: Annotated[int, _WeightRange] = 1,
    max_concurrency: Annotated[
        int | None, typer.Option(min=1, max=_LARGEST, help="Jobs at once; without: no limit.")
    ] = None,
    on_unknown: Annotated[OnUnknown, typer.Option(help=_ON_UNKNOWN)] = OnUnknown.FAIL,
    callback_secret: Annotated[str | None, typer.Option(help=_CALLBACK)] = None,
    proxy: Annotated[str | None, typer.Option(metavar="URL", help=_PROXY)] = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a channel of an account at a provider, in use within a second."""
    secret, callback, way = _read_keys(key, callback_secret, proxy)
    new = NewChannel(
        name=name,
        provider=provider,
        key=secret or "",
        callback_secret=callback,
        proxy=way,
        base_url=base_url,
        tags=read_tags(tags, option="--tags", nothing=NOTHING),
        models=read_patterns(models),
        model_map=_parse_map(pairs or ()),
        priority=priority,
        weight=weight,
        max_concurrency=max_concurrency,
        on_unknown=on_unknown,
    )

    async def create(operator: "OperatorContext") -> Channel:
        return await operator.provisioning.add_channel(new, author(reason))

    print_one(channel_document(with_operator(create)), as_json=as_json)


@commands.command("list")
def list_channels(*, as_json: JsonOption = False) -> None:
    """List the channels, oldest first."""

    async def read(operator: "OperatorContext") -> list[Channel]:
        return [await _with_health(operator, channel) for channel in await operator.channels.all()]

    documents = [channel_document(channel) for channel in with_operator(read)]
    if as_json:
        print_json(documents)
    else:
        columns = (
            "name",
            "provider",
            "enabled",
            "state",
            "reason",
            "since",
            "max_concurrency",
            "learned_concurrency",
            "models",
            "tags",
            "priority",
            "weight",
            "base_url",
        )
        print_table(columns, documents)


@commands.command("show")
def show_channel(channel: _Channel, *, as_json: JsonOption = False) -> None:
    """Show a channel without its key, and who changed what of it."""

    async def read(operator: "OperatorContext") -> dict[str, Any]:
        found = await operator.provisioning.channel(channel)
        document = channel_document(await _with_health(operator, found))
        limits = await limit_documents(operator, found.id)
        acts = await operator.acts.of(document["id"])
        return {**document, "limits": limits, "acts": [act_document(act) for act in acts]}

    print_one(with_operator(read), as_json=as_json)


@commands.command("set")
@with_channel_limits
def set_channel(
    channel: _Channel,
    *,
    name: Annotated[str | None, typer.Option(help="Its new name.")] = None,
    key: Annotated[str | None, typer.Option(help=_KEY)] = None,
    base_url: Annotated[str | None, typer.Option(help="Without the API prefix.")] = None,
    tags: Annotated[str | None, typer.Option(help=f"{_TAGS}, or `none`.")] = None,
    models: Annotated[
        str | None, typer.Option(help="What it serves, such as 'this-*,that', or `all`.")
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FROM=TO",
            help="Run TO where FROM is asked for; FROM= takes it out; repeat.",
        ),
    ] = None,
    priority: Annotated[int | None, _PriorityRange] = None,
    weight: Annotated[int | None, _WeightRange] = None,
    max_concurrency: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Jobs at once, or `none` for no limit.")
    ] = None,
    on_unknown: Annotated[OnUnknown | None, typer.Option(help=_ON_UNKNOWN)] = None,
    callback_secret: Annotated[
        str | None, typer.Option(help=f"{_CALLBACK[:-1]}; or `none`.")
    ] = None,
    proxy: Annotated[
        str | None, typer.Option(metavar="URL", help=f"{_PROXY[:-1]}; or `none`.")
    ] = None,
    limits: list[LimitChange],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a channel, in force within a second; what is not named stays.

    Jobs under way keep the key and the base URL that they were made with.
    """
    secret, callback, way = _read_keys(key, callback_secret, proxy)
    given = {
        "name": name,
        "key": secret,
        "base_url": base_url,
        "tags": None if tags is None else read_tags(tags, option="--tags", nothing=NOTHING),
        "models": None if models is None else read_patterns(models),
        "model_map": _parse_map(pairs, may_remove=True) if pairs else None,
        "priority": priority,
        "weight": weight,
        "max_concurrency": _parse_concurrency(max_concurrency) if max_concurrency else None,
        "on_unknown": on_unknown,
        "callback_secret": callback,
        "proxy": way,
    }
    changes = {
        member: None if member in _OPTIONAL and value == NOTHING else value
        for member, value in given.items()
        if value is not None
    }
    if not changes and not limits:
        raise typer.BadParameter("say what to change; `--help` lists it")
    _change(channel, cast("ChannelChanges", changes), reason, limits, as_json=as_json)


@commands.command("enable")
def enable_channel(
    channel: _Channel, *, reason: ReasonOption = None, as_json: JsonOption = False
) -> None:
    """Let new requests go to a channel again."""
    _change(channel, {"enabled": True}, reason, as_json=as_json)


@commands.command("disable")
def disable_channel(
    channel: _Channel, *, reason: ReasonOption = None, as_json: JsonOption = False
) -> None:
    """Let no new requests go to a channel; what runs there goes on."""
    _change(channel, {"enabled": False}, reason, as_json=as_json)


@commands.command("delete")
@commands.command("remove", hidden=True)
def delete_channel(
    channel: _Channel, *, reason: ReasonOption = None, as_json: JsonOption = False
) -> None:
    """Take a channel away for good; what runs there goes on."""

    async def delete(operator: "OperatorContext") -> Channel:
        return await operator.provisioning.remove_channel(channel, author(reason))

    print_one(channel_document(with_operator(delete)), as_json=as_json)


@commands.command("set-key", hidden=True)
def set_key(
    channel: _Channel,
    *,
    key: Annotated[str, typer.Option(help=_KEY)],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a channel another key; short for `set --key`."""
    _change(channel, {"key": read_key(key)}, reason, as_json=as_json)


@commands.command("set-callback-secret", hidden=True)
def set_callback_secret(
    channel: _Channel,
    *,
    secret: Annotated[str, typer.Option(help=_CALLBACK)],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what callbacks are checked with; short for `set --callback-secret`."""
    given = None if secret == NOTHING else read_key(secret)
    _change(channel, {"callback_secret": given}, reason, as_json=as_json)


@commands.command("set-proxy", hidden=True)
def set_proxy(
    channel: _Channel,
    url: Annotated[str, typer.Argument(metavar="URL", help=_PROXY)],
    *,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the way to a provider; short for `set --proxy`."""
    given = None if url == NOTHING else read_key(url)
    _change(channel, {"proxy": given}, reason, as_json=as_json)


@commands.command("test")
def check_channel(channel: _Channel, *, as_json: JsonOption = False) -> None:
    """Ask a provider whether a channel works, without making a video; exit code 1 if not."""
    from vidgate.factory import open_checker
    from vidgate.logs import mask

    async def check(operator: "OperatorContext") -> "ChannelCheck":
        named = await operator.provisioning.channel(channel)
        async with open_checker(operator) as checker:
            return await checker.check(named.name)

    done = with_operator(check)
    if as_json:
        print_json(check_document(done))
    elif done.works:
        typer.echo(mask(done.sentence))
    else:
        complain(done.sentence)
    if not done.works:
        raise typer.Exit(1)
