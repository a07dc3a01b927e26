"""The one list of providers: those that come with the gateway, then those that packages add."""

import inspect
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from vidgate.exceptions import ConfigurationError
from vidgate.providers.base import Capabilities, Provider
from vidgate.providers.jimeng import Jimeng
from vidgate.providers.kling import Kling
from vidgate.providers.openai_compatible import OpenAICompatible
from vidgate.providers.seedance import Seedance
from vidgate.providers.vidu import Vidu

__all__ = ["GROUP", "PROVIDERS", "build_providers", "provider_names"]

PROVIDERS: tuple[type[Provider], ...] = (Kling, Jimeng, Vidu, Seedance, OpenAICompatible)
"""Those that come with the gateway."""

GROUP = "vidgate.providers"
"""The entry points of installed packages that are looked at; the name of each is its provider's."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
"""It becomes a part of variables, of channels' names and of addresses."""


def provider_names() -> tuple[str, ...]:
    """The names of all providers; nothing is loaded for it."""
    return tuple(
        dict.fromkeys([*(one.name for one in PROVIDERS), *(entry.name for entry in _entries())])
    )


def build_providers(*, map_retired_models: bool) -> Mapping[str, Provider]:
    """Make each provider's adapter, by name.

    Raises:
        ConfigurationError: An installed package brings a provider that cannot be used. Leaving it
            out would leave its jobs, which are paid for, to nobody.
    """
    classes = {one.name: one for one in PROVIDERS}
    for entry in _entries():
        if entry.name in classes:
            raise _unusable(entry, "there is one of this name already")
        classes[entry.name] = _load(entry)
    return {
        name: provider(map_retired_models=map_retired_models) for name, provider in classes.items()
    }


def _entries() -> Iterator[EntryPoint]:
    yield from sorted(entry_points(group=GROUP), key=lambda entry: entry.name)


def _load(entry: EntryPoint) -> type[Provider]:
    if not _NAME.fullmatch(entry.name):
        raise _unusable(entry, "its name must be of a-z, 0-9 and _")
    try:
        loaded: Any = entry.load()
    except Exception as error:
        raise _unusable(entry, f"{type(error).__name__}: {error}") from error
    if not (inspect.isclass(loaded) and issubclass(loaded, Provider)):
        raise _unusable(entry, f"{entry.value} is no Provider")
    if missing := sorted(loaded.__abstractmethods__):
        raise _unusable(entry, f"it does not have {', '.join(missing)}")
    if getattr(loaded, "name", None) != entry.name:
        raise _unusable(entry, f"{entry.value} does not have this name")
    if not isinstance(getattr(loaded, "capabilities", None), Capabilities):
        raise _unusable(entry, "it does not say its capabilities")
    return loaded


def _unusable(entry: EntryPoint, reason: str) -> ConfigurationError:
    package = entry.dist.name if entry.dist else "an installed package"
    return ConfigurationError(
        f"The provider {entry.name!r} of {package} cannot be used: {reason}. Mend or remove it."
    )
