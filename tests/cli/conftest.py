"""The command line as a function, on a real database."""

from collections.abc import Callable

import pytest
from tests.cli.support import Said
from tests.support.engine import SECRET_KEY

from vidgate.cli.app import invoke

Cli = Callable[..., Said]


@pytest.fixture
def bare_cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command without any setting."""

    def run(*arguments: str) -> Said:
        capsys.readouterr()
        code = invoke(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Said(code, out, err)

    monkeypatch.setenv("COLUMNS", "200")
    return run


@pytest.fixture
def cli(bare_cli: Cli, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command on a database without rows."""
    monkeypatch.setenv("VIDGATE_DATABASE_URL", database_url)
    monkeypatch.setenv("VIDGATE_SECRET_KEY", SECRET_KEY)
    return bare_cli
