"""`vidgate serve`, `vidgate worker` and `vidgate sandbox`."""

import asyncio
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvicorn
import uvloop
from typing_extensions import override
from uvicorn.supervisors import Multiprocess

from vidgate.cli.running import load_settings, quiet
from vidgate.cli.servers import (
    Server,
    bind,
    is_nohup,
    metrics_at,
    raise_file_limit,
    run_loop,
    running,
    server_config,
    signals,
    url_of,
)
from vidgate.cli.standins import require_sandbox, retire_channels
from vidgate.config import DRAINING, LogFormat, Settings
from vidgate.db.capacity import require_connections
from vidgate.exceptions import ConfigurationError, VidgateError
from vidgate.logs import configure_logging
from vidgate.operators import open_database_url, open_operator_context

__all__ = ["sandbox", "serve", "worker"]

_log = structlog.get_logger(__name__)

_APP = "vidgate.main:create_app"
_CHILD = "vidgate.cli.child:create_child"
_GLANCE_SECONDS = 0.1
_METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
_SANDBOX_PORT = 3900
_MOST_WORKERS = 256

_CALLED = "the address that a client calls (VIDGATE_PUBLIC_URL is not set)"
"""Where links of ours begin without it."""


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address; else VIDGATE_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port, 0 for any; else VIDGATE_PORT.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=_MOST_WORKERS, help="Processes.")] = 1,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Leave background work to `vidgate worker`.")
    ] = False,
) -> None:
    """Serve the API, and do the background work unless told otherwise."""
    # The processes that serve read their settings from the environment.
    if host is not None:
        os.environ["VIDGATE_HOST"] = host
    if port is not None:
        os.environ["VIDGATE_PORT"] = str(port)
    if no_worker:
        os.environ["VIDGATE_WORKER"] = "false"
    settings = load_settings()
    configure_logging(settings)
    raise_file_limit()
    with _drainable():
        if workers == 1:
            run_loop(_serve(settings))
        else:
            _serve_with(settings, workers)


async def _serve(settings: Settings) -> None:
    with signals() as stopping, bind(settings.host, settings.port) as listener:
        async with open_database_url(settings) as url:
            await _prepare(settings, url, processes=1)
            if stopping.is_set():
                return
            config = server_config(_APP, grace=settings.shutdown_grace)
            server = Server(config)
            try:
                async with running(server, listener) as task:
                    metrics = server.lifespan.state["services"].metrics
                    with metrics_at(settings.metrics_address, metrics):
                        _announce(settings, url_of(listener))
                        await _either(stopping, task)
                        await _drain(settings, stopping, task)
            except OSError as error:  # somebody else listens there since a moment
                raise ConfigurationError(
                    f"Port {settings.port} of {settings.host} cannot be used: {error.strerror}."
                ) from error


def _serve_with(settings: Settings, workers: int) -> None:
    from vidgate.services.metrics import Metrics

    with (
        tempfile.TemporaryDirectory(prefix="vidgate-metrics-") as metrics,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        bind(settings.host, settings.port) as listener,
    ):
        os.environ.setdefault(_METRICS_DIR, metrics)
        config = server_config(_CHILD, grace=settings.shutdown_grace, workers=workers)
        # Signals wait for it from here on.
        parent = _Parent(config, [listener], drain=settings.drain)
        stack = AsyncExitStack()
        try:
            url = runner.run(stack.enter_async_context(open_database_url(settings)))
            runner.run(_prepare(settings, url, processes=workers))
            with metrics_at(settings.metrics_address, Metrics()):
                _announce(settings, url_of(listener), processes=workers)
                parent.run()
        finally:
            runner.run(stack.aclose())
    if not parent.signal_queue and any(process.exitcode == 3 for process in parent.processes):  # noqa: PLR2004 - uvicorn's code for it
        raise VidgateError("The server could not start; its log says why.")


class _Parent(Multiprocess):
    """Starts and stops the processes that serve.

    Args:
        config: Of each.
        sockets: That they listen on.
        drain: How long they go on accepting once it is to stop.
    """

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], *, drain: timedelta
    ) -> None:
        ignores_terminal = is_nohup()
        super().__init__(config, sockets)
        if ignores_terminal:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._drain = drain.total_seconds()

    @override
    def handle_hup(self) -> None:
        self.handle_term()

    @override
    def terminate_all(self) -> None:
        if self._drain and not any(process.exitcode for process in self.processes):
            _begin_drain(self._drain)
            deadline = time.monotonic() + self._drain
            while time.monotonic() < deadline and not self.signal_queue:
                time.sleep(_GLANCE_SECONDS)
        super().terminate_all()


async def _drain(settings: Settings, stopping: asyncio.Event, server: "asyncio.Task[None]") -> None:
    """Let load balancers learn that we stop before the port is closed; a second signal ends it."""
    if not settings.drain or server.done():
        return
    _begin_drain(settings.drain.total_seconds())
    stopping.clear()
    with suppress(TimeoutError):
        async with asyncio.timeout(settings.drain.total_seconds()):
            await _either(stopping, server)


def _begin_drain(seconds: float) -> None:
    _log.info("Draining", seconds=seconds)
    Path(os.environ[DRAINING]).touch()


@contextmanager
def _drainable() -> Iterator[None]:
    """Name the file by which the processes that serve learn that they are about to stop."""
    with tempfile.TemporaryDirectory(prefix="vidgate-drain-") as directory:
        os.environ[DRAINING] = str(Path(directory) / "draining")
        try:
            yield
        finally:
            del os.environ[DRAINING]


async def _prepare(settings: Settings, url: str, *, processes: int) -> None:
    """Find out now, in one sentence, what would keep the processes from starting."""
    async with open_operator_context(settings, url=url) as operator:
        await operator.provisioning.apply_environment(settings)
        await require_connections(operator.database, processes * (settings.db_pool + 1))
        if settings.is_embedded:
            await retire_channels(operator)


def _announce(settings: Settings, url: str, *, processes: int = 1) -> None:
    if settings.log_format is LogFormat.JSON:
        _log.info("Serving", url=url, processes=processes, links=settings.public_url or _CALLED)
    else:
        suffix = f" with {processes} processes" if processes > 1 else ""
        typer.echo(f"Serving on {url}{suffix}")
        typer.echo(f"Links begin with {settings.public_url or _CALLED}")


async def _either(stopping: asyncio.Event, server: "asyncio.Task[None]") -> None:
    """Wait until it is time to stop, or the server ends by itself."""
    asked = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((asked, server), return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()


def worker() -> None:
    """Do the background work alone: ask providers, submit what waits, recover what was cut off."""
    settings = load_settings().model_copy(update={"worker": True})
    configure_logging(settings)
    raise_file_limit()
    run_loop(_work(settings))


async def _work(settings: Settings) -> None:
    from vidgate.api.webhook_bodies import WebhookBodies
    from vidgate.factory import open_services

    with signals() as stopping:
        async with open_database_url(settings) as url:
            await _prepare(settings, url, processes=1)
            if stopping.is_set():
                return
            async with open_services(settings, webhook_bodies=WebhookBodies) as services:
                with metrics_at(settings.metrics_address, services.metrics):
                    _log.info("Working")
                    await stopping.wait()


def sandbox(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1, 0 for any.")
    ] = _SANDBOX_PORT,
    speed: Annotated[
        float, typer.Option(min=0.001, max=1_000_000, help="How much faster than the real ones.")
    ] = 1.0,
) -> None:
    """Run the stand-ins for the providers, which make real videos and cost nothing."""
    require_sandbox()
    configure_logging(quiet(load_settings()))
    run_loop(_imitate(port, speed))


async def _imitate(port: int, speed: float) -> None:
    # Its encoder is an extra, and other commands need neither.
    from vidgate.sandbox.app import create_sandbox
    from vidgate.sandbox.registry import STAND_INS
    from vidgate.sandbox.settings import SandboxSettings

    app = create_sandbox(SandboxSettings(speed=speed))
    with signals() as stopping, bind("127.0.0.1", port) as listener:
        config = server_config(app, grace=timedelta(seconds=1))
        async with running(Server(config), listener) as server:
            url = url_of(listener)
            typer.echo(f"Sandbox on {url}")
            for one in STAND_INS:
                models = ",".join(one.models)
                typer.echo(
                    f"vidgate channel create sandbox-{one.name} --provider {one.name}"
                    f" --base-url {url}/{one.name} --key '{one.key}'"
                    + (f" --models {models}" if models else "")
                )
            await _either(stopping, server)
