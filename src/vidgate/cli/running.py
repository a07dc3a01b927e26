"""What commands run on: the settings, the stores, and the keys they are handed."""

import asyncio
import getpass
import os
import re
import socket
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from vidgate.config import LogLevel, Settings
from vidgate.exceptions import ConfigurationError
from vidgate.models.acts import Author

if TYPE_CHECKING:
    from vidgate.operators import OperatorContext

__all__ = [
    "ALL",
    "NOTHING",
    "OverlapOption",
    "ReasonOption",
    "author",
    "load_settings",
    "parse_moment",
    "parse_overlap",
    "parse_span",
    "quiet",
    "read_key",
    "read_networks",
    "read_patterns",
    "read_tags",
    "with_operator",
]

_T = TypeVar("_T")

ALL = "all"
"""Every model, address or channel."""

NOTHING = "none"
"""Takes away what an option would set."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36_500)
_REASON_LENGTH = 1000


def _check_reason(reason: str | None) -> str | None:
    if reason is not None and (len(reason) > _REASON_LENGTH or not reason.isprintable()):
        raise typer.BadParameter(f"write at most {_REASON_LENGTH} printable characters")
    return reason


ReasonOption = Annotated[
    str | None,
    typer.Option("--reason", callback=_check_reason, help="Why; kept with who changed what."),
]


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        ConfigurationError: One of them is no good; its value is not repeated.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = "_".join(str(part) for part in first["loc"][:1]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"VIDGATE_{name} cannot be used: {reason}.") from None
    except SettingsError as error:
        raise ConfigurationError(f"The settings cannot be read: {error}.") from None


def quiet(settings: Settings) -> Settings:
    """The same settings, with only warnings in the log unless a level was asked for."""
    if "log_level" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"log_level": LogLevel.WARNING})


def with_operator(action: "Callable[[OperatorContext], Awaitable[_T]]") -> _T:
    """Open the database, beside whoever uses it, do one thing and close it."""
    from vidgate.logs import configure_logging
    from vidgate.operators import open_operator_context

    settings = quiet(load_settings())
    configure_logging(settings)

    async def act() -> _T:
        async with open_operator_context(settings) as operator:
            return await action(operator)

    return asyncio.run(act())


def author(reason: str | None) -> Author:
    """Whoever called the command."""
    try:
        actor = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        actor = f"user {os.getuid()}"
    return Author(
        actor=actor, origin=f"command line on {socket.gethostname()}", reason=reason or None
    )


def parse_span(text: str) -> timedelta:
    """Read a span such as 30d.

    Raises:
        typer.BadParameter: It is none, or longer than a century.
    """
    found = re.fullmatch(r"(\d{1,8})([smhdw])", text)
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < span <= _LONGEST:
        raise typer.BadParameter("write a number and one of s, m, h, d, w, such as 30d")
    return span


def parse_overlap(text: str) -> timedelta:
    """Read a span such as 24h, or `none` for none.

    Raises:
        typer.BadParameter: It is neither.
    """
    return timedelta() if text == NOTHING else parse_span(text)


OverlapOption = Annotated[
    timedelta | None,
    typer.Option(
        parser=parse_overlap,
        metavar="SPAN",
        help=f"How long the old secret signs too, or `{NOTHING}`; 24h if it is not said.",
    ),
]


def parse_moment(text: str) -> datetime:
    """Read a moment: a span back from now, or a day or time of ISO 8601, in UTC unless it says.

    Raises:
        typer.BadParameter: It is none.
    """
    if re.fullmatch(r"\d{1,8}[smhdw]", text):
        return datetime.now(UTC) - parse_span(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            "write a span back from now, such as 12h, or a day, such as 2027-01-31"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_patterns(given: str | None) -> tuple[str, ...]:
    """Read model patterns with commas between; empty where the option was not given, or is `all`.

    Raises:
        typer.BadParameter: It was given and names none: an unset variable of a shell must not
            permit every model.
    """
    if given == ALL:
        return ()
    patterns = tuple(part.strip() for part in (given or "").split(",") if part.strip())
    if given is not None and not patterns:
        raise typer.BadParameter("--models names no model; write `all` for all of them.")
    return patterns


def read_tags(given: str | None, *, option: str, nothing: str) -> tuple[str, ...]:
    """Read tags with commas between; empty where the option was not given, or is `nothing`.

    Raises:
        typer.BadParameter: It was given and names none: an unset variable of a shell must not lift
            a limit.
    """
    if given == nothing:
        return ()
    tags = tuple(dict.fromkeys(part.strip() for part in (given or "").split(",") if part.strip()))
    if given is not None and not tags:
        raise typer.BadParameter(f"{option} names no tag; write `{nothing}` to lift it.")
    return tags


def read_networks(given: str | None) -> tuple[str, ...]:
    """Read networks with commas between; empty where the option was not given, or is `all`.

    Raises:
        typer.BadParameter: One is none, or none is named.
    """
    if given == ALL:
        return ()
    networks = []
    for text in (part.strip() for part in (given or "").split(",") if part.strip()):
        try:
            networks.append(str(ip_network(text)))
        except ValueError:
            hint = _network_around(text)
            raise typer.BadParameter(f"{text!r} is no network; write one such as {hint}.") from None
    if given is not None and not networks:
        raise typer.BadParameter("--addresses names no network; write `all` for everywhere.")
    return tuple(dict.fromkeys(networks))


def _network_around(text: str) -> str:
    """What may have been meant."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return "10.0.0.0/8 or 2001:db8::/32"


def read_key(given: str) -> str:
    """A key as it was given, or what standard input holds if that is `-`."""
    if given != "-":
        return given
    text = sys.stdin.read()
    return text.removesuffix("\n").removesuffix("\r")
