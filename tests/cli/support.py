"""What a command said, and commands as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["PATIENCE_SECONDS", "Process", "Said", "is_running", "server_of", "started", "wait_for"]

_T = TypeVar("_T")

PATIENCE_SECONDS = 90
"""For another process to do something; a busy machine takes a third of this to start a demo."""


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """What went wrong; nothing may have been printed as a result."""
        assert self.code == 1
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()


def wait_for(question: Callable[[], _T]) -> _T:
    """Ask until the answer is true; fail when time is up."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)  # another process has to move; there is nothing to wait on


def is_running(pid: int) -> bool:
    """Whether a process is there, and not only to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc/self").exists()
    return stat.rpartition(")")[2].split()[0] != "Z"


def server_of(data_dir: Path) -> int:
    """The process of a data directory's PostgreSQL."""
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


class Process:
    """A command under way, its output in files."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        self._process = process
        self._out = directory / f"{process.pid}.out"
        self._err = directory / f"{process.pid}.err"
        self.pid = process.pid

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def wait_for_output(self, text: str) -> str:
        """Wait until it printed this, and return all that it printed."""

        def has_printed() -> bool:
            ended = self._process.poll() is not None
            assert text in self.out or not ended, self.err
            return text in self.out

        wait_for(has_printed)
        return self.out

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGINT) -> int:
        """Send it a signal and return its exit code."""
        self._process.send_signal(number)
        return self._process.wait(PATIENCE_SECONDS)

    def is_over(self) -> bool:
        return self._process.poll() is not None


@contextmanager
def started(
    directory: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Start a command; whatever happens, it is over at the end."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("VIDGATE_")
    }
    draft = directory / "draft"
    with draft.with_suffix(".out").open("wb") as out, draft.with_suffix(".err").open("wb") as err:
        popen = subprocess.Popen(
            [sys.executable, "-m", "vidgate", *arguments],
            env=inherited | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
    for suffix in (".out", ".err"):
        draft.with_suffix(suffix).rename(directory / f"{popen.pid}{suffix}")
    process = Process(popen, directory)
    try:
        yield process
    finally:
        if not process.is_over():
            try:
                process.end(signal.SIGTERM)
            except subprocess.TimeoutExpired:
                process.end(signal.SIGKILL)
