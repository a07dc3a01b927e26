"""`.env.example` lists every setting with its default, and docker-compose passes each on."""

import re
from pathlib import Path

import pytest

from vidgate.config import Settings
from vidgate.providers.registry import PROVIDERS

_ROOT = Path(__file__).parents[1]
_FOR_COMPOSE_ALONE = {"VIDGATE_IMAGE"}
_NOT_FOR_COMPOSE = {"VIDGATE_DATA_DIR"}  # of the embedded server, which has no place there


@pytest.fixture
def example() -> dict[str, str]:
    text = (_ROOT / ".env.example").read_text()
    listed = re.findall(r"^#?(VIDGATE_\w+)=(.*)$", text, re.MULTILINE)
    assert len(listed) == len(dict(listed)), "a variable is listed twice"
    return dict(listed)


def test_every_setting_is_listed_and_nothing_else(example: dict[str, str]) -> None:
    fields = {f"VIDGATE_{name.upper()}" for name in Settings.model_fields}
    of_providers = {
        f"VIDGATE_{provider.name.upper()}_{name}"
        for provider in PROVIDERS
        for name in ("KEY", "BASE_URL", "MODELS")
    }

    assert set(example) == fields | of_providers | _FOR_COMPOSE_ALONE


def test_the_values_are_the_defaults(
    example: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in example:
        monkeypatch.delenv(name, raising=False)
    defaults = Settings()
    for name, value in example.items():
        monkeypatch.setenv(name, value)

    assert Settings() == defaults


def test_the_default_of_every_setting_that_has_one_is_said(example: dict[str, str]) -> None:
    for name, field in Settings.model_fields.items():
        if field.default_factory is None and field.default not in (None, ()):
            assert example[f"VIDGATE_{name.upper()}"], name


def test_compose_knows_every_variable(example: dict[str, str]) -> None:
    compose = (_ROOT / "docker-compose.yml").read_text()

    for name in set(example) - _NOT_FOR_COMPOSE:
        assert re.search(rf"\b{name}\b", compose), name


def test_secrets_are_not_given_away_as_defaults(example: dict[str, str]) -> None:
    for name, value in example.items():
        if name.endswith(("_KEY", "_TOKEN")):
            assert not value, name
