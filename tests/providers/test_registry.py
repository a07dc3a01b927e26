"""Providers that installed packages bring."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from vidgate.exceptions import ConfigurationError
from vidgate.providers.registry import GROUP, PROVIDERS, build_providers, provider_names

GOOD = """
    from vidgate.providers.openai_compatible import OpenAICompatible

    class Acme(OpenAICompatible):
        name = "acme"
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of installed packages."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_video", raising=False)
    return tmp_path


def install(site: Path, source: str, *entries: str) -> None:
    (site / "acme_video.py").write_text(dedent(source))
    metadata = site / "acme_video-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-video\nVersion: 1.0\n")
    lines = [f"[{GROUP}]", *(entries or ("acme = acme_video:Acme",))]
    (metadata / "entry_points.txt").write_text("\n".join(lines))


def test_without_packages_there_are_the_built_in_ones() -> None:
    assert tuple(build_providers(map_retired_models=True)) == provider_names()
    assert provider_names() == tuple(one.name for one in PROVIDERS)


def test_a_package_brings_a_provider(site: Path) -> None:
    install(site, GOOD)

    providers = build_providers(map_retired_models=False)

    assert tuple(providers) == provider_names() == (*(one.name for one in PROVIDERS), "acme")
    assert providers["acme"].name == "acme"
    assert not providers["acme"].map_retired_models


@pytest.mark.parametrize(
    ("source", "entry", "reason"),
    [
        (GOOD, f"{PROVIDERS[0].name} = acme_video:Acme", "there is one of this name already"),
        (GOOD, "Acme! = acme_video:Acme", "its name must be of a-z, 0-9 and _"),
        (GOOD, "other = acme_video:Acme", "acme_video:Acme does not have this name"),
        (GOOD, "acme = acme_video:Other", "has no attribute 'Other'"),
        (GOOD, "acme = nowhere_at_all:Acme", "ModuleNotFoundError: No module named"),
        ("1 / 0", "acme = acme_video:Acme", "ZeroDivisionError: division by zero"),
        ("Acme = 1", "acme = acme_video:Acme", "acme_video:Acme is no Provider"),
        ("class Acme: name = 'acme'", "acme = acme_video:Acme", "is no Provider"),
        (
            """
            from vidgate.providers.base import Provider
            class Acme(Provider):
                name = "acme"
            """,
            "acme = acme_video:Acme",
            "it does not have native_answer, poll, submit, translate",
        ),
        (GOOD + "        capabilities = None", "acme = acme_video:Acme", "say its capabilities"),
    ],
)
def test_one_that_cannot_be_used_is_told(site: Path, source: str, entry: str, reason: str) -> None:
    install(site, source, entry)

    with pytest.raises(ConfigurationError, match="of acme-video cannot be used: ") as caught:
        build_providers(map_retired_models=True)

    assert reason in str(caught.value)
    assert provider_names()  # help and a demo work all the same
