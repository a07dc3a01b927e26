"""What commands run on: the settings, the stores, and the keys they are handed."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from vidgate.config import LogLevel, Settings
from vidgate.exceptions import ConfigurationError
from vidgate.logs import configure_logging
from vidgate.operators import OperatorContext, open_operator_context

__all__ = ["load_settings", "quiet", "read_key", "read_patterns", "with_operator"]

_T = TypeVar("_T")


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


def with_operator(action: Callable[[OperatorContext], Awaitable[_T]]) -> _T:
    """Open the database, beside whoever uses it, do one thing and close it."""
    settings = quiet(load_settings())
    configure_logging(settings)

    async def act() -> _T:
        async with open_operator_context(settings) as operator:
            return await action(operator)

    return asyncio.run(act())


def read_patterns(given: str | None) -> tuple[str, ...]:
    """Read model patterns with commas between; empty only where the option was not given.

    Raises:
        typer.BadParameter: It was given and names none: an unset variable of a shell must not
            permit every model.
    """
    patterns = tuple(part.strip() for part in (given or "").split(",") if part.strip())
    if given is not None and not patterns:
        raise typer.BadParameter("--models names no model; leave it out for all of them.")
    return patterns


def read_key(given: str) -> str:
    """A key as it was given, or what standard input holds if that is `-`."""
    if given != "-":
        return given
    text = sys.stdin.read()
    return text.removesuffix("\n").removesuffix("\r")
