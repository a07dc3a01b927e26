"""`vidgate demo`: everything in one process, with stand-ins for the providers."""

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated

import typer

from vidgate.cli.output import dump, in_words
from vidgate.cli.running import load_settings, quiet
from vidgate.cli.servers import (
    Server,
    bind,
    is_taken,
    run_loop,
    running,
    server_config,
    signals,
    url_of,
)
from vidgate.cli.standins import DEMO_PREFIX, require_sandbox, shown, standing_in
from vidgate.config import SHIPPED, Settings, provider_variable
from vidgate.db.capacity import require_connections
from vidgate.exceptions import ConfigurationError
from vidgate.logs import configure_logging
from vidgate.operators import OperatorContext, open_database_url, open_operator_context
from vidgate.providers.base import Provider
from vidgate.providers.registry import provider_names
from vidgate.services.secrets import hash_key

__all__ = ["demo", "read_demo_token"]

_TOKEN_FILE = "demo-token"  # noqa: S105 - the name of a file
_TOKEN_NAME = "demo"  # noqa: S105 - the name of a token
_PORTS_TRIED = 100
_DEMO_RATES = {"CNY": Decimal("7.1")}
"""So that every stand-in's prices can be shown in one currency."""

_GRACE = timedelta(seconds=2)
_LOOPBACK = IPv4Network("127.0.0.0/8")

_TEXT = """\
vidgate demo on {url}{note}
Token: {token}

Stand-ins make the videos: nothing is sent to {titles}, and nothing is paid.
Each video takes a few seconds; ask again until its status is "succeeded", then open its "url".
{pairs}
Or in one go:

{program} generate 'An astronaut walks on the moon' --model {model} --url {url}

Ctrl-C stops everything.
"""

_PAIR = """
{title}

ANSWER=$(curl -sS '{url}/v1/video/generations' \\
  -H 'Authorization: Bearer {token}' \\
  -H 'Content-Type: application/json' \\
  -d '{body}')
printf '%s\\n' "$ANSWER"
{variable}=$(printf '%s' "$ANSWER" | sed -n 's/.*"task_id": *"\\([^"]*\\)".*/\\1/p')

curl -sS -w '\\n' "{url}/v1/video/generations/${variable}" \\
  -H 'Authorization: Bearer {token}'
"""


def demo(
    *,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; the next free one if it is taken."),
    ] = None,
) -> None:
    """Try it: a gateway with stand-ins for the providers, a token, and requests to paste."""
    require_sandbox()
    given = load_settings()
    settings = quiet(given).model_copy(
        update={
            "shutdown_grace": min(given.shutdown_grace, _GRACE),
            "allowed_networks": (*given.allowed_networks, _LOOPBACK),
        }
    )
    configure_logging(settings)
    if not settings.is_embedded:
        raise ConfigurationError(
            "A demo has stand-ins that would take the tasks of everybody on this database; unset "
            "VIDGATE_DATABASE_URL for it."
        )
    for name in provider_names():
        # Real keys would make channels at which a demo costs money.
        os.environ.pop(provider_variable(name, "KEY"), None)
    run_loop(_demo(settings, given.port if port is None else port))


async def _demo(settings: Settings, port: int) -> None:
    # Only servers need the application, and only a demo both it and the sandbox's encoder.
    from vidgate.main import create_app
    from vidgate.sandbox.settings import SandboxSettings

    if "prices" not in settings.model_fields_set:
        priced = {"prices": SHIPPED, "unpriced": settings.unpriced or "free"}
        rates = settings.currency_rates or _DEMO_RATES
        settings = settings.model_copy(update={**priced, "currency_rates": rates})
    if "poll_pace" not in settings.model_fields_set:
        pace = 1 / SandboxSettings.demo().speed
        settings = settings.model_copy(update={"poll_pace": pace})
    async with AsyncExitStack() as stack:
        stopping = stack.enter_context(signals())
        listener, note = _take_port(settings.host, port)
        stack.enter_context(listener)
        url = await stack.enter_async_context(open_database_url(settings))
        operator = await stack.enter_async_context(open_operator_context(settings, url=url))
        await require_connections(operator.database, 2 * settings.db_pool + 1)
        await _require_no_real_channel(operator)
        if not await stack.enter_async_context(standing_in(operator)):
            note += "\nAnother demo is running on the same data; they share its stand-ins."
        token = await _ensure_token(operator)
        server = Server(server_config(create_app(settings), grace=settings.shutdown_grace))
        failed = await stack.enter_async_context(running(server, listener))
        print_text(url_of(listener), token, note, shown(operator))
        asked = asyncio.create_task(stopping.wait())
        await asyncio.wait((asked, failed), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()


async def _require_no_real_channel(operator: OperatorContext) -> None:
    """Keep stand-ins and channels of the operator's apart: they would take each other's tasks.

    Raises:
        ConfigurationError: There is one at which a task of the demo could be paid for.
    """
    names = [
        channel.name
        for channel in await operator.channels.all()
        if channel.enabled and not channel.name.startswith(DEMO_PREFIX)
    ]
    if names:
        raise ConfigurationError(
            f"There are channels of your own here ({', '.join(names)}), at which tasks are paid "
            "for; set VIDGATE_DATA_DIR to another directory for the demo."
        )


def _take_port(host: str, wanted: int) -> tuple[socket.socket, str]:
    """The wanted port or the next that is free, and a note if it is another."""
    for port in range(wanted, min(wanted + _PORTS_TRIED, 65_536)):
        try:
            listener = bind(host, port)
        except ConfigurationError as error:
            if is_taken(error):
                continue
            raise
        try:
            listener.listen()  # now, so that nobody else takes it meanwhile
        except OSError:
            listener.close()
            continue
        note = "" if port == wanted else f" (port {wanted} is taken, so it is {port})"
        return listener, note
    raise ConfigurationError(f"Port {wanted} and those after it are taken; choose with --port.")


async def _ensure_token(operator: OperatorContext) -> str:
    """The demo's token, kept beside the database and made anew if it does not work any more."""
    key = read_demo_token(operator.settings.data_dir)
    if key is not None:
        found = await operator.accounts.token_by_hash(hash_key(key))
        token, until = found or (None, None)
        now = datetime.now(UTC)
        if (
            token
            and until is None
            and not token.revoked
            and not token.models
            and (token.expires_at is None or token.expires_at > now)
        ):
            return key
    _, key = await operator.provisioning.create_token(name=_TOKEN_NAME)
    _write_token(operator.settings.data_dir / _TOKEN_FILE, key)
    return key


def read_demo_token(data_dir: Path) -> str | None:
    """The token that a demo left, or `None`."""
    with suppress(OSError, UnicodeDecodeError):
        return (data_dir / _TOKEN_FILE).read_text().strip() or None
    return None


def _write_token(path: Path, key: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(key + "\n")
    draft.replace(path)


def print_text(url: str, token: str, note: str, providers: Sequence[Provider]) -> None:
    """Print what to paste, at once, wherever it goes."""
    examples = [
        (provider, example)
        for provider in providers
        if (example := provider.capabilities.example) is not None
    ]
    pairs = "".join(
        _PAIR.format(
            title=provider.capabilities.title,
            url=url,
            token=token,
            body=dump(example).replace("'", "'\\''"),
            variable=f"{provider.name.upper()}_TASK",
        )
        for provider, example in examples
    )
    text = _TEXT.format(
        url=url,
        note=note,
        token=token,
        pairs=pairs,
        program=_program(),
        titles=in_words([provider.capabilities.title for provider in providers], "or"),
        model=examples[-1][1]["model"],
    )
    typer.echo(text)


def _program() -> str:
    """How this program was called, so that it can be called again."""
    called = Path(sys.argv[0])
    if called.name != "__main__.py":
        return str(called)
    script = Path(sys.executable).with_name("vidgate")
    if script.exists():
        return os.path.relpath(script)
    return f"{os.path.relpath(sys.executable)} -m vidgate"
