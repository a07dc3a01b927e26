"""Every provider in the registry fulfils the contract that `vidgate.testing` has for all."""

import os
from pathlib import Path

import pytest
from tests.support.upstreams import DATA, NAMES

import vidgate.providers
from vidgate.providers.registry import PROVIDERS
from vidgate.testing import ProviderContract, read_situations

SOURCE = Path(vidgate.providers.__file__).parent
SHARED = {"transport"}

for _provider in PROVIDERS:
    if _provider.name in NAMES:
        _members = {"provider": _provider, "folder": DATA / _provider.name, "__module__": __name__}
        _name = f"Test{_provider.__name__}"
        globals()[_name] = type(_name, (ProviderContract,), _members)


@pytest.mark.parametrize("provider", [one.name for one in PROVIDERS])
def test_every_provider_has_its_situations(provider: str) -> None:
    read_situations(DATA / provider)


def test_the_registry_is_whole() -> None:
    packages = {
        entry.name
        for entry in os.scandir(SOURCE)
        if entry.is_dir() and (SOURCE / entry.name / "__init__.py").exists()
    }
    modules = {
        one.__module__.removeprefix("vidgate.providers.").partition(".")[0] for one in PROVIDERS
    }

    assert packages - SHARED <= modules
    assert {one.name for one in PROVIDERS} == modules
    assert len({one.name for one in PROVIDERS}) == len(PROVIDERS)
