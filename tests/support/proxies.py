"""Tiny proxies on loopback: HTTP with and without `CONNECT`, and SOCKS5."""

import asyncio
import base64
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from typing_extensions import override

__all__ = ["HttpProxy", "SocksProxy", "proxy_server"]

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Proxy:
    """What both kinds share.

    Attributes:
        port: On loopback.
        asked: The targets that were asked for, as the client wrote them.
        login: The user and password it wants, `None` for none.
        opened: Connections to targets that were made.
    """

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        self.port = 0
        self.asked: list[str] = []
        self.login = login
        self.opened = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def relay(self, client: Streams, host: str, port: int) -> None:
        self.opened += 1
        target = await asyncio.open_connection(host, port)
        await _both(client, target)


class HttpProxy(_Proxy):
    """Tunnels after `CONNECT`, and passes whole URLs on.

    Args:
        login: The user and password it wants, `None` for none.
        refusal: What it answers instead, as a status line's end.
        is_silent: Whether it takes what is asked and never answers.
    """

    def __init__(
        self,
        login: tuple[str, str] | None = None,
        *,
        refusal: bytes | None = None,
        is_silent: bool = False,
    ) -> None:
        super().__init__(login)
        self.refusal = refusal
        self.is_silent = is_silent
        self.heads: list[bytes] = []

    @override
    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        method, target, _ = head.split(b"\r\n")[0].decode().split()
        self.asked.append(target)
        if self.is_silent:
            await reader.read()
            return
        refusal = self.refusal
        if self.login is not None:
            wanted = base64.b64encode(":".join(self.login).encode())
            if b"Proxy-Authorization: Basic " + wanted not in head:
                refusal = b"407 Proxy Authentication Required"
        if refusal is not None:
            writer.write(b"HTTP/1.1 " + refusal + b"\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await self.relay((reader, writer), host, int(port))
            return
        url = urlsplit(target)
        self.opened += 1
        up_reader, up_writer = await asyncio.open_connection(url.hostname or "", url.port)
        up_writer.write(head)
        await _both((reader, writer), (up_reader, up_writer))


class SocksProxy(_Proxy):
    """SOCKS5.

    Args:
        login: The user and password it wants, `None` for none.
        reply: The code it answers; 0 is that the connection was made.
    """

    def __init__(self, login: tuple[str, str] | None = None, *, reply: int = 0) -> None:
        super().__init__(login)
        self.reply = reply

    @override
    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        writer.write(bytes([5, 2 if self.login else 0]))
        if self.login:
            _, length = await reader.readexactly(2)
            user = (await reader.readexactly(length)).decode()
            [length] = await reader.readexactly(1)
            password = (await reader.readexactly(length)).decode()
            is_right = (user, password) == self.login
            writer.write(bytes([1, 0 if is_right else 1]))
            if not is_right:
                return
        _, _, _, kind = await reader.readexactly(4)
        if kind == 1:
            host = socket.inet_ntoa(await reader.readexactly(4))
        else:
            [length] = await reader.readexactly(1)
            host = (await reader.readexactly(length)).decode()
        (port,) = struct.unpack(">H", await reader.readexactly(2))
        self.asked.append(f"{host}:{port}")
        writer.write(bytes([5, self.reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        await writer.drain()
        if self.reply == 0:
            await self.relay((reader, writer), "127.0.0.1", port)


async def _both(one: Streams, other: Streams) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        writer.close()

    await asyncio.gather(pump(one[0], other[1]), pump(other[0], one[1]))


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def proxy_server(proxy: _Proxy, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve a proxy on a loopback port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            await proxy.handle(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy.port
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
