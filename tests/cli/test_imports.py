"""A command imports what it needs and not what others need, so that it starts at once."""

import inspect
import subprocess
import sys

import pytest
from tests.cli.conftest import Cli

from vidgate.cli.app import COMMANDS, load_command

SERVING = ("fastapi", "uvicorn", "uvloop", "prometheus_client", "av", "vidgate.factory")
DATABASE = ("sqlalchemy", "asyncpg", "alembic", "cryptography", "vidgate.operators")
PROVIDERS = ("httpx", "aiohttp", "pydantic", "structlog", "vidgate.config", "vidgate.providers")


def imported_by(*arguments: str) -> set[str]:
    """What a process of its own has imported once a command has done its work."""
    program = (
        "import sys\n"
        "from vidgate.cli.app import invoke\n"
        "code = invoke(sys.argv[1:])\n"
        "print(*sys.modules, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "foreign"),
    [
        (("--version",), (*SERVING, *DATABASE, *PROVIDERS, "rich")),
        (("--help",), (*SERVING, *DATABASE, *PROVIDERS)),
        (("account", "list"), SERVING),
        (("token", "list"), SERVING),
        (("channel", "list"), SERVING),
        (("task", "list"), SERVING),
        (("webhook", "list"), SERVING),
        (("webhook", "deliveries"), SERVING),
        (("models",), SERVING),
    ],
)
def test_what_a_command_does_not_need_is_not_imported(
    cli: Cli, arguments: tuple[str, ...], foreign: tuple[str, ...]
) -> None:
    assert cli(*arguments).code == 0
    imported = imported_by(*arguments)
    assert "vidgate.cli.app" in imported
    assert imported.isdisjoint(foreign)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_it_is_said_to_be_and_for_what(name: str) -> None:
    command = load_command(name)

    assert command.name == name
    purpose = COMMANDS[name][1]
    if not getattr(command, "commands", None):
        assert inspect.cleandoc(command.help).partition("\n\n")[0] == purpose


def test_a_mistyped_command_is_told_what_it_may_have_been(bare_cli: Cli) -> None:
    assert "'channel'" in bare_cli("chanel").err


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("vidgate cha", {"channel"}),
        ("vidgate token re", set()),
        ("vidgate token d", {"delete"}),
        ("vidgate task s", {"show"}),
    ],
)
def test_a_shell_completes_commands(
    bare_cli: Cli, monkeypatch: pytest.MonkeyPatch, typed: str, expected: set[str]
) -> None:
    assert "--install-completion" in bare_cli("--help").out
    monkeypatch.setenv("_VIDGATE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    done = subprocess.run(
        [sys.executable, "-m", "vidgate"], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == expected
