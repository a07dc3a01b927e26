"""`make install`: what it says, and when it counts as done."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_MAKE = shutil.which("make")


def make_install(directory: Path, pip: str) -> subprocess.CompletedProcess[str]:
    """Run it in a copy of what it reads, with a pip that only talks."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(_ROOT / name, directory)
    python = directory / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")  # so that no environment has to be made
    python.chmod(0o755)
    script = directory / "pip.sh"
    script.write_text(pip)
    return subprocess.run(
        [_MAKE or "", "install", f"PIP=sh {script}"],
        cwd=directory,
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(_MAKE is None, reason="there is no make")
def test_an_installation_says_what_it_downloads(tmp_path: Path) -> None:
    done = make_install(tmp_path, 'echo "Collecting one==1"\necho "locale $LC_ALL"\n')

    assert done.returncode == 0, done.stderr
    assert re.search(r"up to \d+ packages, \d+ MB to download", done.stderr)
    assert "locale C.UTF-8" in (tmp_path / ".venv" / "install.log").read_text()
    assert (tmp_path / ".venv" / ".installed").exists()


@pytest.mark.skipif(_MAKE is None, reason="there is no make")
def test_an_installation_that_fails_says_why_and_is_not_taken_for_done(tmp_path: Path) -> None:
    done = make_install(tmp_path, 'echo "Collecting one==1"\necho "ERROR: no space" >&2\nexit 3\n')

    assert done.returncode != 0
    assert "ERROR: no space" in done.stderr
    assert "install.log" in done.stderr
    assert not (tmp_path / ".venv" / ".installed").exists()
