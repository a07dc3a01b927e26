"""The commands put together, and what becomes of their errors."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

import vidgate
from vidgate.cli import accounts, catalogue, channels, database, demo, generating, serving, tasks
from vidgate.cli.output import complain
from vidgate.exceptions import VidgateError

__all__ = ["app", "invoke"]

_UsageError: Any = typer.BadParameter.__mro__[1]
"""Typer's class for what it did not understand; where it is depends on the version."""


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        typer.echo(f"vidgate {vidgate.__version__}")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Its version."),
    ] = False,
) -> None:
    """One HTTP API in front of many video generation providers."""


def _build() -> typer.Typer:
    root = typer.Typer(
        callback=_root, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    root.command("demo")(demo.demo)
    root.command("serve")(serving.serve)
    root.command("worker")(serving.worker)
    root.command("sandbox")(serving.sandbox)
    root.command("migrate")(database.migrate_database)
    root.command("generate")(generating.generate)
    root.command("models")(catalogue.models)
    for name, group, purpose in (
        ("account", accounts.account_commands, "The owners of tokens and tasks."),
        ("token", accounts.token_commands, "The keys that clients send."),
        ("channel", channels.commands, "The accounts at providers that requests go to."),
        ("task", tasks.commands, "What clients asked for and what became of it."),
        ("secret", database.secret_commands, "The key that stored secrets are encrypted under."),
    ):
        root.add_typer(group, name=name, help=purpose, no_args_is_help=True)
    return root


app = _build()


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
