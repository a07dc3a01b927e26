"""The commands put together, and what becomes of their errors."""

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typing_extensions import override

import vidgate
from vidgate.cli.output import complain
from vidgate.exceptions import VidgateError

__all__ = ["COMMANDS", "app", "invoke", "load_command"]

COMMANDS = {
    "demo": (
        "vidgate.cli.demo:demo",
        "Try it: a gateway with stand-ins for the providers, a token, and requests to paste.",
    ),
    "serve": (
        "vidgate.cli.serving:serve",
        "Serve the API, and do the background work unless told otherwise.",
    ),
    "worker": (
        "vidgate.cli.serving:worker",
        "Do the background work alone: ask providers, submit what waits, recover what was cut off.",
    ),
    "sandbox": (
        "vidgate.cli.serving:sandbox",
        "Run the stand-ins for the providers, which make real videos and cost nothing.",
    ),
    "migrate": (
        "vidgate.cli.database:migrate_database",
        "Bring the database up to this version of vidgate.",
    ),
    "generate": (
        "vidgate.cli.generating:generate",
        "Make a video: ask for it, wait for it, download it.",
    ),
    "models": (
        "vidgate.cli.catalogue:models",
        "List every model that is known or named by a channel, and the channels that serve it.",
    ),
    "account": ("vidgate.cli.accounts:commands", "The owners of tokens and tasks."),
    "token": ("vidgate.cli.tokens:commands", "The keys that clients send."),
    "channel": (
        "vidgate.cli.channels:commands",
        "The accounts at providers that requests go to.",
    ),
    "task": ("vidgate.cli.tasks:commands", "What clients asked for and what became of it."),
    "webhook": (
        "vidgate.cli.webhooks:commands",
        "Where accounts are told of their tasks, and what was sent there.",
    ),
    "price": ("vidgate.cli.prices:commands", "What models cost."),
    "ledger": ("vidgate.cli.ledger:commands", "What was held, charged and paid."),
    "secret": (
        "vidgate.cli.database:secret_commands",
        "The key that stored secrets are encrypted under.",
    ),
}
"""Where each command is and what it is for; it is imported when it is called."""

_UsageError: Any = typer.BadParameter.__mro__[1]
"""Typer's class for what it did not understand; where it is depends on the version."""


def load_command(name: str) -> Any:
    """Import one of the commands."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        command: Any = typer.main.get_group(found)
        command.help = COMMANDS[name][1]
        command.no_args_is_help = True
    else:
        alone = typer.Typer(add_completion=False)
        alone.command(name)(found)
        command = typer.main.get_command(alone)
    command.name = name
    return command


class _Commands(TyperGroup):
    """Knows of each command its name and what it is for, until it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, purpose) in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=purpose)

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name else command, rest


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        typer.echo(f"vidgate {vidgate.__version__}")
        raise typer.Exit


app = typer.Typer(cls=_Commands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Its version."),
    ] = False,
) -> None:
    """One HTTP API in front of many video generation providers."""


def invoke(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code.

    An error that somebody can do something about is one sentence on standard error.
    """
    command = typer.main.get_command(app)
    try:
        code = command.main(list(arguments), prog_name="vidgate", standalone_mode=False)
    except _UsageError as error:
        _explain(error)
        return int(error.exit_code)
    except VidgateError as error:
        complain(str(error))
        return 1
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        complain(f"{error.strerror or error}{where}.")
        return 1
    return code if isinstance(code, int) else 0


def _explain(error: Any) -> None:
    message = error.format_message()
    if "extra argument" in message:
        message = "There are more arguments than expected."  # they may be a key gone astray
    complain(message)
    if type(error).__name__ != "NoArgsIsHelpError" and error.ctx is not None:
        complain(f"`{error.ctx.command_path} --help` tells more.")
