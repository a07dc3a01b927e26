"""The wheel, installed where no checkout is, migrates and serves."""

import asyncio
import site
import subprocess
import sys
import venv
from pathlib import Path

import httpx
import pytest
from tests.support.engine import SECRET_KEY
from tests.support.processes import free_port, wait_until

ROOT = Path(__file__).parents[2]


def build_wheel(target: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(target), str(ROOT)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = target.glob("*.whl")
    return wheel


def install(wheel: Path, home: Path) -> Path:
    """Install a wheel into an environment that has our dependencies and nothing of the checkout."""
    venv.create(home, with_pip=False)
    [own] = home.glob("lib/python*/site-packages")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
            *("--target", str(own), str(wheel)),
        ],
        check=True,
    )
    # A path file of its own is not read for the checkout's path file, only its packages are found.
    packages = [path for path in site.getsitepackages() if Path(path).is_dir()]
    (own / "dependencies.pth").write_text("\n".join(packages))
    return home / "bin" / "python"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    return install(build_wheel(tmp_path), tmp_path / "home")


async def test_an_installed_wheel_migrates_and_serves(
    installed: Path, tmp_path: Path, empty_database_url: str
) -> None:
    port = free_port()
    running = await asyncio.create_subprocess_exec(
        str(installed),
        "-m",
        "vidgate",
        "serve",
        "--port",
        str(port),
        cwd=tmp_path,
        env={
            "VIDGATE_DATABASE_URL": empty_database_url,
            "VIDGATE_SECRET_KEY": SECRET_KEY,
            "VIDGATE_AUTO_MIGRATE": "true",
            "VIDGATE_LOG_LEVEL": "warning",
        },
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def is_ready() -> bool:
                assert running.returncode is None, "the process ended"
                try:
                    return (await client.get("/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await wait_until(is_ready, seconds=60)
            described = (await client.get("/openapi.json")).json()
        assert "/v1/video/generations" in described["paths"]
    finally:
        running.terminate()
        await running.wait()
