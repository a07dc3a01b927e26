"""The sandbox of a demo, and the channels that lead to it.

One demo of a data directory runs the sandbox; others use it, and one of them takes over when that
demo ends, however it ends: the sandbox belongs to whoever holds a lock, which the kernel drops with
its process.
"""

import asyncio
import fcntl
import importlib.util
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from vidgate.cli.servers import Server, bind, is_taken, running, server_config, url_of
from vidgate.exceptions import ConfigurationError
from vidgate.models.channels import NewChannel
from vidgate.operators import OperatorContext
from vidgate.providers.base import Provider

__all__ = ["DEMO_PREFIX", "require_sandbox", "retire_channels", "shown", "standing_in"]

DEMO_PREFIX = "demo-"
"""How the names of channels with stand-ins begin."""

_LOCK = "demo-sandbox.lock"
_HOST = "127.0.0.1"
_TAKE_OVER_SECONDS = 0.5
_PATIENCE_SECONDS = 15.0
_GRACE = timedelta(seconds=1)

_PRIORITY = 1
"""Above the default: what a demo asks for costs nothing unless somebody wants it to."""


def require_sandbox() -> None:
    """Find out now whether what imitates the providers can be run; its encoder is an extra.

    Raises:
        ConfigurationError: It cannot.
    """
    if importlib.util.find_spec("av") is None:
        raise ConfigurationError(
            "The stand-ins for the providers are not installed: install vidgate[sandbox], or "
            "vidgate[embedded,sandbox] for a demo."
        )


def shown(operator: OperatorContext) -> list[Provider]:
    """The providers of a demo, which have an example and a stand-in."""
    # What imitates them is an extra.
    from vidgate.sandbox.registry import SANDBOX_KEYS

    return [
        provider
        for provider in operator.providers.values()
        if provider.capabilities.example is not None and provider.name in SANDBOX_KEYS
    ]


async def retire_channels(operator: OperatorContext) -> None:
    """Turn the demo's channels off, unless a demo is running; a killed one could not."""
    path = operator.settings.data_dir / _LOCK
    if not path.exists():
        return
    with _Lock(path) as lock:
        if lock.take():
            await _disable(operator)


@asynccontextmanager
async def standing_in(operator: OperatorContext) -> AsyncIterator[bool]:
    """Run the sandbox while no other demo does, with a channel for each provider that it shows.

    Yields:
        Whether it is ours; otherwise that of another demo is there.
    """
    with _Lock(operator.settings.data_dir / _LOCK) as lock:
        async with AsyncExitStack() as stack:
            is_ours = lock.take()
            if is_ours:
                await stack.enter_async_context(_sandbox(operator))
                yield True
                return
            successor = asyncio.create_task(_succeed(operator, lock))
            try:
                await _wait_for_channels(operator)
                yield False
            finally:
                successor.cancel()
                with suppress(asyncio.CancelledError):
                    await successor


async def _wait_for_channels(operator: OperatorContext) -> None:
    """Let a demo that was started at the same time make them; somebody may have disabled some."""
    last = _channel_name(shown(operator)[-1].name)
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                channel = await operator.channels.named(last)
                if channel is not None and channel.enabled:
                    return
                await asyncio.sleep(_TAKE_OVER_SECONDS)


async def _succeed(operator: OperatorContext, lock: "_Lock") -> None:
    while not lock.take():  # noqa: ASYNC110 - the other one is another process
        await asyncio.sleep(_TAKE_OVER_SECONDS)
    async with _sandbox(operator):
        await asyncio.Event().wait()


@asynccontextmanager
async def _sandbox(operator: OperatorContext) -> AsyncIterator[None]:
    # Its encoder is an extra, and other commands need neither.
    from vidgate.sandbox.app import create_sandbox
    from vidgate.sandbox.registry import SANDBOX_KEYS
    from vidgate.sandbox.settings import SandboxSettings

    app = create_sandbox(SandboxSettings.demo())
    names = [provider.name for provider in shown(operator)]
    with await _listener(operator, names[0]) as listener:
        async with running(Server(server_config(app, grace=_GRACE)), listener):
            for name in names:
                await _ensure_channel(
                    operator, name, f"{url_of(listener)}/{name}", SANDBOX_KEYS[name]
                )
            try:
                yield
            finally:
                await _disable(operator)


async def _listener(operator: OperatorContext, provider: str) -> socket.socket:
    """The port of the last time if it is free: jobs of then are asked about there."""
    channel = await operator.channels.named(_channel_name(provider))
    last = urlsplit(channel.base_url).port if channel else None
    try:
        return bind(_HOST, last or 0)
    except ConfigurationError as error:
        if not is_taken(error):
            raise
        return bind(_HOST, 0)


async def _ensure_channel(
    operator: OperatorContext, provider: str, base_url: str, key: str
) -> None:
    name = _channel_name(provider)
    channel = await operator.channels.named(name)
    if channel is not None and channel.base_url != base_url:
        await operator.provisioning.remove_channel(name)
        channel = None
    if channel is None:
        await operator.provisioning.add_channel(
            NewChannel(name=name, provider=provider, key=key, base_url=base_url, priority=_PRIORITY)
        )
    else:
        await operator.provisioning.ensure_channel(name, provider=provider, key=key)
        await operator.provisioning.set_enabled(name, enabled=True)


async def _disable(operator: OperatorContext) -> None:
    for provider in operator.providers:
        channel = await operator.channels.named(_channel_name(provider))
        if channel is not None and channel.enabled:
            await operator.provisioning.set_enabled(channel.name, enabled=False)


def _channel_name(provider: str) -> str:
    return f"{DEMO_PREFIX}{provider}"


class _Lock:
    """A lock on a file, held until it is closed or the process ends."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def take(self) -> bool:
        """Take it if nobody else has it."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
