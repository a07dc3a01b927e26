"""HTTP servers: their sockets, their signals, their start and their stop."""

import asyncio
import errno
import math
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import uvicorn
import uvloop
from prometheus_client import start_http_server
from typing_extensions import override

from vidgate.cli.protocol import BoundedProtocol
from vidgate.exceptions import ConfigurationError, VidgateError
from vidgate.services.metrics import Metrics

__all__ = [
    "Server",
    "bind",
    "is_nohup",
    "is_taken",
    "metrics_at",
    "raise_file_limit",
    "run_loop",
    "running",
    "server_config",
    "signals",
    "url_of",
]

_T = TypeVar("_T")

_KEEP_ALIVE_SECONDS = 75
"""Longer than load balancers keep idle connections, so that it is they who close them."""

_FILES = 65536
"""Open files that a process asks for: connections are files."""

_HEALTHCHECK_SECONDS = 60
"""How long a worker process may take to come up before it counts as hung."""

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - for reading only


class Server(uvicorn.Server):
    """A server that leaves signals alone and says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:
            raise VidgateError("The server could not start; its log says why.") from None
        self.is_up.set()


def server_config(
    app: str | Callable[..., Any],
    *,
    grace: timedelta,
    workers: int = 1,
) -> uvicorn.Config:
    """How every server of ours is run.

    Args:
        app: The application, or where its factory is.
        grace: How long requests under way may take when it stops.
        workers: Processes.
    """
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application knows whom to believe
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(grace.total_seconds()),
        timeout_worker_healthcheck=_HEALTHCHECK_SECONDS,
    )


def bind(host: str, port: int) -> socket.socket:
    """Take a port, without listening yet; 0 takes any that is free.

    Raises:
        ConfigurationError: It cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise ConfigurationError(f"There is no address {host!r} to listen on.") from None
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except OSError as error:
        taken.close()
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} of {host} is taken; choose another with --port."
        else:
            reason = f"Port {port} of {host} cannot be used: {error.strerror}."
        raise ConfigurationError(reason) from error
    taken.set_inheritable(True)
    return taken


def is_taken(error: ConfigurationError) -> bool:
    """Whether `bind` failed because somebody else has the port."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE


def url_of(listener: socket.socket) -> str:
    """Where a socket of ours is reached from this machine."""
    host, port = listener.getsockname()[:2]
    host = _WILDCARDS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def running(server: Server, listener: socket.socket) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a server, once it answers; at the end let it finish what is under way.

    Yields:
        What ends only if the server fails.

    Raises:
        VidgateError: It does not come up.
    """
    task = asyncio.create_task(server.serve(sockets=[listener]))
    up = asyncio.create_task(server.is_up.wait())
    try:
        await asyncio.wait((task, up), return_when=asyncio.FIRST_COMPLETED)
        if not server.is_up.is_set():
            await task
        yield task
    finally:
        up.cancel()
        server.should_exit = True
        await task


@contextmanager
def metrics_at(address: tuple[str, int] | None, metrics: Metrics) -> Iterator[None]:
    """Serve metrics at an address of their own, if they have one.

    Raises:
        ConfigurationError: It cannot be had.
    """
    if address is None:
        yield
        return
    host, port = address
    try:
        server, thread = start_http_server(port, host, registry=metrics.registry)
    except OSError as error:
        raise ConfigurationError(
            f"Port {port} of {host}, of VIDGATE_METRICS, cannot be used: {error.strerror}."
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def signals() -> Iterator[asyncio.Event]:
    """Turn what asks us to stop into an event, so that nothing is cut off in the middle."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if not is_nohup():
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stopping.set)
    try:
        yield stopping
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
            # Stopping is over; what is left is to end the process.
            signal.signal(number, signal.SIG_IGN)


def is_nohup() -> bool:
    """Whether we were started to outlive our terminal, as `nohup` does."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def raise_file_limit() -> None:
    """Let this process, and those it starts, have as many open files as it may have.

    What a login gets at first, 1,024 as a rule, is less than the connections of one busy channel.
    """
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(most, _FILES)
    if files != resource.RLIM_INFINITY and files < wanted:
        with suppress(ValueError, OSError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def run_loop(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a process that serves or works, on the fast event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
