"""`vidgate channel …`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from vidgate.cli.documents import channel_document, check_document
from vidgate.cli.output import (
    JsonOption,
    complain,
    in_words,
    print_fields,
    print_json,
    print_table,
)
from vidgate.cli.running import read_key, read_patterns, with_operator
from vidgate.logs import mask
from vidgate.models.channels import Channel, OnUnknown
from vidgate.operators import OperatorContext
from vidgate.providers.registry import provider_names
from vidgate.services.channels.provisioning import NewChannel

if TYPE_CHECKING:
    from vidgate.services.channels.channel_test import ChannelCheck

__all__ = ["commands"]

_LARGEST = 2**31 - 1

commands = typer.Typer()

_Name = Annotated[str, typer.Argument(help="The channel's name.")]
_Key = Annotated[
    str, typer.Option(help="The provider's key, or `-` to read it from standard input.")
]

_CallbackSecret = Annotated[
    str | None,
    typer.Option(help="What the provider signs callbacks with, if that is not the key; or `-`."),
]
_Proxy = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The way to the provider: http://, https:// or socks5://[user:password@]host:port; "
        "or `-`.",
    ),
]
_NOTHING = "none"
_PROVIDERS = in_words(provider_names(), "or") + "."


def _parse_map(pairs: Sequence[str]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        origin, separator, target = (part.strip() for part in pair.partition("="))
        if not (origin and separator and target):
            raise typer.BadParameter("write from=to", param_hint="'--map'")
        mapping[origin] = target
    return mapping


def _change(action: Callable[[OperatorContext], Awaitable[Channel]], *, as_json: bool) -> None:
    document = channel_document(with_operator(action))
    if as_json:
        print_json(document)
    else:
        print_fields(document)


@commands.command("add")
def add_channel(
    name: _Name,
    *,
    provider: Annotated[str, typer.Option(help=_PROVIDERS)],
    key: _Key,
    base_url: Annotated[
        str | None,
        typer.Option(help="Without the API prefix; else the provider's own, where it has one."),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(help="What it serves, such as 'this-*,that'; without: all there are."),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FROM=TO", help="Run TO where FROM is asked for; repeat."),
    ] = None,
    priority: Annotated[
        int, typer.Option(min=-_LARGEST, max=_LARGEST, help="Higher is tried first.")
    ] = 0,
    weight: Annotated[
        int, typer.Option(min=0, max=_LARGEST, help="Its share among those of one priority.")
    ] = 1,
    max_concurrency: Annotated[
        int | None, typer.Option(min=1, max=_LARGEST, help="Jobs at once; without: no limit.")
    ] = None,
    on_unknown: Annotated[
        OnUnknown, typer.Option(help="When nobody can tell whether a submit arrived.")
    ] = OnUnknown.FAIL,
    callback_secret: _CallbackSecret = None,
    proxy: _Proxy = None,
    as_json: JsonOption = False,
) -> None:
    """Add an account at a provider, in use within a second."""
    if [key, callback_secret, proxy].count("-") > 1:
        raise typer.BadParameter("only one option can be read from standard input")
    new = NewChannel(
        name=name,
        provider=provider,
        key=read_key(key),
        callback_secret=None if callback_secret is None else read_key(callback_secret),
        proxy=None if proxy is None else read_key(proxy),
        base_url=base_url,
        models=read_patterns(models),
        model_map=_parse_map(pairs or ()),
        priority=priority,
        weight=weight,
        max_concurrency=max_concurrency,
        on_unknown=on_unknown,
    )
    _change(lambda operator: operator.provisioning.add_channel(new), as_json=as_json)


@commands.command("list")
def list_channels(*, as_json: JsonOption = False) -> None:
    """List the channels, oldest first."""

    async def read(operator: OperatorContext) -> list[Channel]:
        return await operator.channels.all()

    documents = [channel_document(channel) for channel in with_operator(read)]
    if as_json:
        print_json(documents)
    else:
        columns = ("name", "provider", "enabled", "models", "priority", "weight", "base_url")
        print_table(columns, documents)


@commands.command("enable")
def enable_channel(name: _Name, *, as_json: JsonOption = False) -> None:
    """Let new requests go to a channel again."""
    _change(
        lambda operator: operator.provisioning.set_enabled(name, enabled=True),
        as_json=as_json,
    )


@commands.command("disable")
def disable_channel(name: _Name, *, as_json: JsonOption = False) -> None:
    """Let no new requests go to a channel; what runs there goes on."""
    _change(
        lambda operator: operator.provisioning.set_enabled(name, enabled=False),
        as_json=as_json,
    )


@commands.command("remove")
def remove_channel(name: _Name, *, as_json: JsonOption = False) -> None:
    """Take a channel away for good; what runs there goes on."""
    _change(lambda operator: operator.provisioning.remove_channel(name), as_json=as_json)


@commands.command("set-key")
def set_key(name: _Name, *, key: _Key, as_json: JsonOption = False) -> None:
    """Give a channel another key; what runs there keeps the old one."""
    secret = read_key(key)
    _change(lambda operator: operator.provisioning.set_key(name, secret), as_json=as_json)


@commands.command("set-callback-secret")
def set_callback_secret(
    name: _Name,
    *,
    secret: Annotated[
        str,
        typer.Option(help="As the provider's console shows it, `-` to read it, `none` for none."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Change what a provider's callbacks are checked with."""
    given = None if secret == _NOTHING else read_key(secret)
    _change(
        lambda operator: operator.provisioning.set_callback_secret(name, given), as_json=as_json
    )


@commands.command("set-proxy")
def set_proxy(
    name: _Name,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="As for `add`, `-` to read it, `none` for none.")
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Change the way to a provider, for what runs there too."""
    given = None if url == _NOTHING else read_key(url)
    _change(lambda operator: operator.provisioning.set_proxy(name, given), as_json=as_json)


@commands.command("test")
def check_channel(name: _Name, *, as_json: JsonOption = False) -> None:
    """Ask a provider whether a channel works, without making a video; exit code 1 if not."""
    from vidgate.factory import open_checker

    async def check(operator: OperatorContext) -> "ChannelCheck":
        async with open_checker(operator) as checker:
            return await checker.check(name)

    done = with_operator(check)
    if as_json:
        print_json(check_document(done))
    elif done.works:
        typer.echo(mask(done.sentence))
    else:
        complain(done.sentence)
    if not done.works:
        raise typer.Exit(1)
