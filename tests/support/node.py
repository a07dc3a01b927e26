"""Clients written in JavaScript, run by node, where there is one."""

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

__all__ = ["run_node"]

_MANIFESTS = Path(__file__).parents[1] / "node"
_INSTALLED = Path(sys.prefix) / "node"
"""Beside the Python packages, so that one installation serves every run."""

_INSTALL_SECONDS = 240
_RUN_SECONDS = 60


async def run_node(script: str, variables: Mapping[str, str]) -> Any:
    """Run a script as an ES module; what it printed, which is JSON.

    The packages of `tests/node` can be imported. The test is skipped where there is no node, or
    where they cannot be installed.

    Args:
        script: The whole source.
        variables: Its environment, beside what node itself needs.
    """
    packages = await asyncio.to_thread(_install)
    process = await asyncio.create_subprocess_exec(
        _find("node"),
        "--input-type=module",
        "--eval",
        script,
        cwd=packages,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_RUN_SECONDS):
            printed, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaints.decode()
    return json.loads(printed)


def _find(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"there is no {program}")
    return path


def _install() -> Path:
    """Install what the lock file names, once for all runs and processes."""
    npm = _find("npm")
    lock = (_MANIFESTS / "package-lock.json").read_bytes()
    _INSTALLED.mkdir(exist_ok=True)
    installed = _INSTALLED / "installed.json"
    with (_INSTALLED / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if installed.exists() and installed.read_bytes() == lock:
            return _INSTALLED
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_MANIFESTS / name, _INSTALLED)
        try:
            subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=_INSTALLED,
                check=True,
                capture_output=True,
                timeout=_INSTALL_SECONDS,
            )
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"the packages of tests/node cannot be installed: {error}")
        installed.write_bytes(lock)
    return _INSTALLED
