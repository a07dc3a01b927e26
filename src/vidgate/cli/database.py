"""`vidgate migrate` and `vidgate secret rotate`."""

import asyncio

import typer

from vidgate.cli.output import JsonOption, print_json
from vidgate.cli.running import ReasonOption, author, load_settings, quiet, with_operator
from vidgate.config import Settings
from vidgate.db.migrating import migrate
from vidgate.logs import configure_logging
from vidgate.operators import OperatorContext, open_database_url
from vidgate.services.secrets import add_secret_key, read_secret_keys

__all__ = ["migrate_database", "secret_commands"]

secret_commands = typer.Typer()


@secret_commands.callback()
def _secrets() -> None:
    """Keep `rotate` a command of its own: typer runs the only one of a group as the group."""


def migrate_database(*, as_json: JsonOption = False) -> None:
    """Bring the database up to this version of vidgate."""
    settings = quiet(load_settings())
    configure_logging(settings)
    asyncio.run(_migrate(settings))
    if as_json:
        print_json({"object": "migration", "status": "current"})
    else:
        typer.echo("The database is up to date.")


async def _migrate(settings: Settings) -> None:
    async with open_database_url(settings) as url:
        await migrate(url)


@secret_commands.command("rotate")
def rotate(*, reason: ReasonOption = None, as_json: JsonOption = False) -> None:
    """Encrypt every stored secret anew under the newest key.

    With the embedded database that key is made now. Otherwise it is the first of
    VIDGATE_SECRET_KEY, which the running processes must have as well.
    """
    settings = load_settings()
    if settings.is_embedded and settings.secret_key is None:
        read_secret_keys(None, settings.data_dir)  # makes the first one
        add_secret_key(settings.data_dir)

    async def rotate_all(operator: OperatorContext) -> int:
        return await operator.provisioning.rotate_secrets(author(reason))

    count = with_operator(rotate_all)
    if as_json:
        print_json({"object": "rotation", "secrets": count})
    else:
        typer.echo(f"Encrypted {count} {'secret' if count == 1 else 'secrets'} anew.")
