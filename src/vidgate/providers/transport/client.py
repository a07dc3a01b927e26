"""The one way to a provider: a small aiohttp transport, and a client that keeps channels apart.

Every failure is one of two errors, because a submit costs money: `NotSentError` when it is certain
that no byte of the request was written, `UnansweredError` in every other case and in every doubt.
The certainty comes from the request itself: `_Request` notes the moment at which the first byte may
go out, so that what is known does not depend on which exception a failure surfaces as.
"""

import asyncio
import functools
import io
import os
import re
import select
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias
from uuid import UUID
from weakref import WeakSet

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError
from multidict import CIMultiDict
from pydantic import SecretStr
from typing_extensions import override
from yarl import URL

from vidgate import __version__
from vidgate.constants import POLLS_MOST
from vidgate.exceptions import NotSentError, UnansweredError, UpstreamError
from vidgate.providers.transport.downloads import StalledError
from vidgate.providers.transport.proxies import make_connector, request_options

__all__ = [
    "ANSWER_LIMIT_BYTES",
    "CHANNEL_CONNECTIONS",
    "AiohttpTransport",
    "AnswerStream",
    "Pool",
    "PooledResolver",
    "UpstreamClient",
]

ANSWER_LIMIT_BYTES: Final = 2 * 1024 * 1024
"""Bytes, after decoding. The largest honest answer is a task list of some hundred KiB; videos
themselves are never read through here."""

CHANNEL_CONNECTIONS: Final = 100
"""Connections that one channel may have open, beside those of its polls. It bounds what a hung
provider can hold: beyond it requests wait for `CONNECT_TIMEOUT_SECONDS` and are then certain not to
have been sent."""

POLL_CONNECTIONS: Final = POLLS_MOST
"""Connections for the polls of one channel: one for each, so that no poll waits for another."""

CONNECT_TIMEOUT_SECONDS: Final = 10.0
"""Seconds for a free place in the pool and the connection, TLS included. Shorter than any deadline
of a submit: what has not left after ten seconds goes to another channel sooner, and what leaves
late would have little of its deadline left for the answer."""

KEEPALIVE_SECONDS: Final = 15.0
"""Seconds an unused connection is kept. Longer than the pause between polls of a busy channel,
shorter than the idle time-out of common front ends (60 s): a request on a connection that the
other side is just closing cannot be told from one that was read."""

MAX_TRANSPORTS: Final = 2000
"""Pools kept at a time; a busy channel has two, an unused one is about 20 KiB."""

TRANSPORT_IDLE_SECONDS: Final = 300.0
"""Seconds after which the pool of a channel without calls is dropped."""

LOOKUP_THREADS: Final = 32
"""Threads that ask for host names. A lookup cannot be cancelled and lasts up to half a minute when
its name server is silent; aiohttp asks once at a time for a host, so this many channels must hang
in their lookups before another one waits."""

PIECEWISE_BYTES: Final = 256 * 1024
"""Bodies above this are written in pieces, so that other tasks have their turn in between."""

MAYBE_WRITTEN: Final = "vidgate.maybe_written"
"""Key in `httpx.Request.extensions`: `False` while it is certain that no byte was written."""

_STREAMED: Final = "vidgate.streamed"
"""Key there: `True` where the body of the answer is to be left unread."""

USER_AGENT: Final = f"vidgate/{__version__}"

_AUTOMATIC_HEADERS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_FORBIDDEN_IN_HEADER: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PROXY_WANTS_CREDENTIAL: Final = 407

# Connections that have carried a request: only such a one may turn out stale and be replaced.
_carried: WeakSet[ResponseHandler] = WeakSet()


class _StaleConnectionError(Exception):
    """The other side has closed the connection, or said something unasked, before we wrote."""


class _AskedOnceError(Exception):
    """A failure in a wrapping that aiohttp does not take as a reason to send again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _AnswerTooLargeError(Exception):
    """The answer is over `ANSWER_LIMIT_BYTES`."""


class _Exchange:
    """One request on its way, as the middleware that watches it.

    Attributes:
        reused: Whether the connection that was last tried had carried a request before.
    """

    __slots__ = ("_extensions", "reused")

    def __init__(self, extensions: dict[str, object]) -> None:
        self._extensions = extensions
        self.maybe_written = False
        self.reused = False

    @property
    def maybe_written(self) -> bool:
        """Whether a byte of the request may have been written."""
        return self._extensions[MAYBE_WRITTEN] is not False

    @maybe_written.setter
    def maybe_written(self, value: bool) -> None:
        self._extensions[MAYBE_WRITTEN] = value

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if not isinstance(request, _Request):  # ours, by the session's request_class
            raise TypeError("the session makes requests of another class")
        request.exchange = self
        try:
            return await handler(request)
        except _StaleConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 wrapped, whatever it is
            # A session sends an idempotent request again when a kept connection breaks, whatever
            # was written. To us PUT and DELETE cost money too: repeating is the caller's decision.
            raise _AskedOnceError(_describe(error)) from None


class _Request(aiohttp.ClientRequest):
    """A request that tells its exchange when its first byte may be written."""

    exchange: _Exchange

    @override
    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        protocol = conn.protocol
        transport = conn.transport
        self.exchange.reused = reused = protocol in _carried
        if protocol is None or transport is None or transport.is_closing():
            raise _StaleConnectionError
        # A fresh TLS connection may have session tickets waiting; any other one has nothing to
        # say before it was asked, and is readable only because it was closed. To a proxy there may
        # be TLS although the provider's is not.
        is_tls = self.is_ssl() or transport.get_extra_info("ssl_object") is not None
        if (reused or not is_tls) and (protocol.should_close or _is_readable(transport)):
            raise _StaleConnectionError
        _carried.add(protocol)
        self.exchange.maybe_written = True
        return await super().send(conn)


class PooledResolver(AbstractResolver):
    """Looks host names up in threads of its own.

    The default executor would do, but lookups that hang would then hold the threads that decode
    bodies, and uvloop's own pool has four threads.

    Args:
        threads: Where the lookups run; shared, and not closed with the resolver.
    """

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        ask = functools.partial(
            socket.getaddrinfo,
            host,
            port,
            family=family,
            type=socket.SOCK_STREAM,
            flags=socket.AI_ADDRCONFIG,
        )
        answers = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found_family,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found_family, _, proto, _, address in answers
        ]

    @override
    async def close(self) -> None:
        """Do nothing: the threads are shared."""


class AnswerStream(httpx.AsyncByteStream):
    """The body of an answer, read no faster than it is taken.

    Args:
        answer: Its head has been read.
    """

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    @override
    def __aiter__(self) -> AsyncIterator[bytes]:
        # No generator, which would be left behind wherever a reader stops half-way.
        return self

    async def __anext__(self) -> bytes:
        """The next bytes there are."""
        piece = await self._answer.content.readany()
        if not piece:
            raise StopAsyncIteration
        return piece

    @override
    async def aclose(self) -> None:
        """Close the connection, unless all of the body has been read."""
        self._answer.close()


class AiohttpTransport(httpx.AsyncBaseTransport):
    """httpx requests over one aiohttp connection pool.

    The request goes out as it is: URL byte for byte, its own headers and no others (but for
    `User-Agent` where there is none). No cookies, no redirects, no proxies from the environment,
    and nothing is ever sent a second time. A compressed answer is decoded and handed over without
    the headers that described it.

    It sets no deadline around the whole; `UpstreamClient` does.

    Args:
        tls: What to trust, `None` for the system's certificates.
        connections: How many may be open at a time.
        connect_timeout_seconds: For a free place in the pool and the connection together.
        resolver: What turns names into addresses, `None` for the system's way.
        proxy: The URL of the proxy that all of it goes by, `None` to go directly.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        connections: int = CHANNEL_CONNECTIONS,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        resolver: AbstractResolver | None = None,
        proxy: SecretStr | None = None,
    ) -> None:
        self._proxy = proxy
        self._proxy_options = request_options(proxy)
        self._tls = tls or _default_tls()
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_seconds)
        self._resolver = resolver or PooledResolver(_lookup_threads())
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its whole answer, unless it is to be streamed.

        Raises:
            NotSentError: No byte of it was written.
            UnansweredError: Anything else went wrong.
        """
        exchange = _Exchange(request.extensions)
        url, headers = _to_wire(request)
        headers.update(self._login_for(url))
        body = await request.aread() or None
        while True:
            exchange.reused = False
            try:
                return await self._exchange(request, exchange, url, headers, body)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # A closing connector cancels those who wait for a place, and nobody else did.
                reason = "the connection pool was closed"
            except _StaleConnectionError:
                reason = "the connection was closed"
            except _AskedOnceError as error:
                reason = error.reason
            except NotSentError:
                raise
            except Exception as error:  # noqa: BLE001 whatever the library lets through is a failed call
                reason = _describe(error)
            # Raised out here, so that an aiohttp error, which may print a signed URL, is not its
            # context. With nothing written on a kept connection, the next one is tried: each
            # round uses one up, and a fresh one ends the loop.
            if exchange.maybe_written:
                raise UnansweredError(f"{_origin(request.url)}: {reason}.")
            if not exchange.reused:
                raise NotSentError(f"{_origin(request.url)}: {reason}.")

    async def _exchange(
        self,
        request: httpx.Request,
        exchange: _Exchange,
        url: URL,
        headers: CIMultiDict[str],
        body: bytes | None,
    ) -> httpx.Response:
        answer = await self._open_session().request(
            request.method,
            url,
            headers=headers,
            data=io.BytesIO(body) if body and len(body) > PIECEWISE_BYTES else body,
            allow_redirects=False,
            middlewares=(exchange,),
            **self._proxy_options,
        )
        try:
            _check_hooks(exchange)
            if self._proxy_options:
                _check_proxy_let_pass(request, answer)
            if request.extensions.get(_STREAMED):
                return httpx.Response(
                    answer.status,
                    headers=list(answer.raw_headers),
                    stream=AnswerStream(answer),
                    request=request,
                )
            content = await _read_content(answer)
        except BaseException:
            answer.close()
            raise
        raw_headers = list(answer.raw_headers)
        if "content-encoding" in answer.headers:
            decoded = (b"content-encoding", b"content-length")
            raw_headers = [pair for pair in raw_headers if pair[0].lower() not in decoded]
        response = httpx.Response(
            answer.status, headers=raw_headers, stream=httpx.ByteStream(content), request=request
        )
        response.read()
        return response

    def _login_for(self, url: URL) -> Mapping[str, str]:
        """The headers in which a proxy finds its credential where there is no tunnel."""
        return self._proxy_options.get("proxy_headers", {}) if url.scheme == "http" else {}

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("the transport is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=make_connector(
                    self._proxy,
                    limit=self._connections,
                    keepalive_timeout=KEEPALIVE_SECONDS,
                    resolver=self._resolver,
                    ssl=self._tls,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                request_class=_Request,
                skip_auto_headers=_AUTOMATIC_HEADERS,
                timeout=self._timeout,
            )
        return self._session

    @override
    async def aclose(self) -> None:
        """Close every connection; calls under way fail."""
        self._closed = True
        if self._session is not None:
            await self._session.close()


class Pool(Enum):
    """What connections are for. Each kind has its own, so that none waits for another kind."""

    SUBMITS = "submits"
    """What a client may be waiting for: submits, cancellations, everything that is not below."""

    POLLS = "polls"
    """Questions about jobs; their number follows the vendor."""

    DOWNLOADS = "downloads"
    """They last as long as their readers like."""


_SlotKey: TypeAlias = tuple[UUID, SecretStr | None, Pool]
"""A channel, the proxy its provider is reached by, and what the connections are for."""


class _HeldStream(httpx.AsyncByteStream):
    """A body that says when nobody reads it any more."""

    def __init__(self, response: httpx.Response, release: Callable[[], None]) -> None:
        if not isinstance(response.stream, httpx.AsyncByteStream):
            raise TypeError("a transport that cannot be awaited")
        self._stream = response.stream
        self._release: Callable[[], None] | None = release

    @override
    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    @override
    async def aclose(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()
            await self._stream.aclose()


@dataclass(slots=True)
class _Slot:
    """The transport of one channel.

    Attributes:
        transport: Its own pool.
        calls: How many are under way.
        used_at: When a call last began or ended, in seconds of the client's clock.
    """

    transport: httpx.AsyncBaseTransport
    calls: int
    used_at: float


class UpstreamClient:
    """Sends requests to providers; channels share nothing.

    Args:
        transport_factory: Makes a transport of a channel when it is first used, `None` for our own.
        proxied_factory: Likewise for a channel whose provider is reached by a proxy.
        max_transports: How many are kept; one with calls under way is never closed for another.
        idle_seconds: After which an unused one is closed.
        clock: Seconds of any monotonic clock.
    """

    def __init__(
        self,
        *,
        transport_factory: Callable[[], httpx.AsyncBaseTransport] | None = None,
        proxied_factory: Callable[[SecretStr], httpx.AsyncBaseTransport] | None = None,
        max_transports: int = MAX_TRANSPORTS,
        idle_seconds: float = TRANSPORT_IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport_factory = transport_factory
        self._proxied_factory = proxied_factory
        self._max_transports = max_transports
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._slots: OrderedDict[_SlotKey, _Slot] = OrderedDict()  # least recently used first
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def send(
        self,
        request: httpx.Request,
        *,
        channel_id: UUID,
        timeout_seconds: float,
        proxy: SecretStr | None = None,
        pool: Pool = Pool.SUBMITS,
    ) -> httpx.Response:
        """Send a request once and return its whole answer, body read.

        Any status is an answer. Redirects are answers too.

        Args:
            request: Ready to send.
            channel_id: Whose connections to use.
            timeout_seconds: From now to the last byte of the answer.
            proxy: The URL of the proxy to go by, `None` to go directly.
            pool: Which of the channel's connections.

        Raises:
            NotSentError: No byte of it was written; it may be sent again.
            UnansweredError: It may have arrived.
        """
        slot = self._take_slot(request, (channel_id, proxy, pool))
        try:
            return await _ask(slot.transport, request, timeout_seconds, is_whole=True)
        finally:
            self._give_back(slot)

    async def open(
        self,
        request: httpx.Request,
        *,
        channel_id: UUID,
        timeout_seconds: float,
        proxy: SecretStr | None = None,
    ) -> httpx.Response:
        """Send a request once and return the head of its answer.

        Any status is an answer. Redirects are answers too.

        Args:
            request: Ready to send.
            channel_id: Whose way to use; the connections are not those of `send`.
            timeout_seconds: From now to the head of the answer.
            proxy: The URL of the proxy to go by, `None` to go directly.

        Returns:
            Its body is unread; it must be closed.

        Raises:
            NotSentError: No connection could be made.
            StalledError: No answer came in time.
            UnansweredError: The connection broke.
        """
        slot = self._take_slot(request, (channel_id, proxy, Pool.DOWNLOADS))
        request.extensions[_STREAMED] = True
        try:
            response = await _ask(slot.transport, request, timeout_seconds, is_whole=False)
        except BaseException:
            self._give_back(slot)
            raise
        response.stream = _HeldStream(response, functools.partial(self._give_back, slot))
        return response

    def _take_slot(self, request: httpx.Request, key: _SlotKey) -> _Slot:
        if self._closed:
            raise NotSentError(f"{_origin(request.url)}: the client is closed.")
        slot = self._slot(key)
        slot.calls += 1
        return slot

    def _give_back(self, slot: _Slot) -> None:
        slot.calls -= 1
        slot.used_at = self._clock()

    async def aclose(self) -> None:
        """Close every connection; calls under way fail."""
        self._closed = True
        while self._slots:
            self._drop(next(iter(self._slots)))
        if self._closing:
            await asyncio.wait(self._closing)

    def _slot(self, key: _SlotKey) -> _Slot:
        now = self._clock()
        slot = self._slots.get(key)
        if slot is None:
            if len(self._slots) >= self._max_transports:
                self._drop_one_unused()
            slot = self._slots[key] = _Slot(self._make_transport(key), 0, now)
        else:
            self._slots.move_to_end(key)
        slot.used_at = now
        # The longest unused stands in front: one look a call, and never a sweep.
        oldest_key, oldest = next(iter(self._slots.items()))
        if not oldest.calls and now - oldest.used_at > self._idle_seconds:
            self._drop(oldest_key)
        return slot

    def _make_transport(self, key: _SlotKey) -> httpx.AsyncBaseTransport:
        _, proxy, pool = key
        if proxy is not None and self._proxied_factory is not None:
            return self._proxied_factory(proxy)
        if proxy is None and self._transport_factory is not None:
            return self._transport_factory()
        connections = POLL_CONNECTIONS if pool is Pool.POLLS else CHANNEL_CONNECTIONS
        return AiohttpTransport(connections=connections, proxy=proxy)

    def _drop_one_unused(self) -> None:
        for key, slot in self._slots.items():
            if not slot.calls:
                self._drop(key)
                return

    def _drop(self, key: _SlotKey) -> None:
        # Closing waits for the other side's TLS; the call that makes room does not.
        slot = self._slots.pop(key)
        task = asyncio.create_task(slot.transport.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _ask(
    transport: httpx.AsyncBaseTransport,
    request: httpx.Request,
    timeout_seconds: float,
    *,
    is_whole: bool,
) -> httpx.Response:
    request.extensions.pop(MAYBE_WRITTEN, None)
    error: UpstreamError
    try:
        async with asyncio.timeout(timeout_seconds):
            response = await transport.handle_async_request(request)
            response.request = request
            if not is_whole:
                return response
            await response.aread()
        if len(response.content) <= ANSWER_LIMIT_BYTES:
            return response
        error = UnansweredError(f"{_origin(request.url)}: {_TOO_LARGE}.")
    except TimeoutError:
        # Only a transport that keeps the record can say that nothing was written.
        unsent = request.extensions.get(MAYBE_WRITTEN) is False
        late = UnansweredError if is_whole else StalledError
        kind = NotSentError if unsent else late
        what = "no connection" if unsent else "no complete answer"
        error = kind(f"{_origin(request.url)}: {what} within {timeout_seconds:g} s.")
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as failure:
        error = NotSentError(f"{_origin(request.url)}: {type(failure).__name__}.")
    except (httpx.RequestError, httpx.StreamError) as failure:
        error = UnansweredError(f"{_origin(request.url)}: {type(failure).__name__}.")
    raise error


_PROXY_REFUSED: Final = "the proxy refused"
_NO_PROXY: Final = "the proxy cannot be reached"
_TOO_LARGE: Final = f"the answer is over {ANSWER_LIMIT_BYTES} bytes"

# The first that fits: several of these are subclasses of others.
_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (_AnswerTooLargeError, _TOO_LARGE),
    (aiohttp.ClientHttpProxyError, _PROXY_REFUSED),
    (aiohttp.ClientProxyConnectionError, _NO_PROXY),
    (ProxyConnectionError, _NO_PROXY),
    (ProxyTimeoutError, "the proxy did not connect in time"),
    (ProxyError, _PROXY_REFUSED),
    (aiohttp.ConnectionTimeoutError, "no connection in time"),
    (aiohttp.ClientConnectorDNSError, "the host name cannot be resolved"),
    (aiohttp.ClientConnectorCertificateError, "its TLS certificate is not trusted"),
    (aiohttp.ClientConnectorSSLError, "the TLS handshake failed"),
    (aiohttp.ClientConnectorError, "no connection"),
    (aiohttp.ServerDisconnectedError, "the connection was closed without an answer"),
    (aiohttp.ClientResponseError, "the answer is not readable HTTP"),
    (aiohttp.ClientPayloadError, "the answer broke off or cannot be decoded"),
    (ssl.SSLCertVerificationError, "its TLS certificate is not trusted"),
    (ssl.SSLError, "TLS failed"),
    (OSError, "the connection was lost"),
)


@functools.cache
def _default_tls() -> ssl.SSLContext:
    """Read the system's certificates once: it takes tens of milliseconds."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@functools.cache
def _lookup_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")


def _to_wire(request: httpx.Request) -> tuple[URL, CIMultiDict[str]]:
    """Take the URL and the headers over unchanged, or refuse.

    Raises:
        NotSentError: They cannot be sent as they stand.
    """
    if request.url.userinfo:
        raise NotSentError(f"{_origin(request.url)}: the URL holds a credential.")
    if request.url.scheme not in _DEFAULT_PORTS or not request.url.host:
        raise NotSentError(f"{_origin(request.url)}: not an http or https URL with a host.")
    url = URL(str(request.url), encoded=True)
    if url.raw_path_qs.encode() != request.url.raw_path:
        raise NotSentError(f"{_origin(request.url)}: the path cannot be sent byte for byte.")
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in request.headers.raw:
        if _FORBIDDEN_IN_HEADER.search(value):
            raise NotSentError(f"{_origin(request.url)}: a header holds a control character.")
        headers.add(name.decode("ascii"), value.decode("utf-8", "replace"))
    # The body is whole by now, whatever the request was made from, and goes out with its length.
    headers.pop("Transfer-Encoding", None)
    headers.setdefault("User-Agent", USER_AGENT)
    return url, headers


def _check_hooks(exchange: _Exchange) -> None:
    """Refuse an answer to what was not written: aiohttp no longer calls our hooks.

    Said at the first answer, rather than taking requests that were sent for unsent ones.
    """
    if not exchange.maybe_written:
        exchange.maybe_written = True
        raise RuntimeError("this version of aiohttp is not supported")


def _check_proxy_let_pass(request: httpx.Request, answer: aiohttp.ClientResponse) -> None:
    """Refuse an answer that is the proxy's own: it wants another credential than it was given.

    Only to a plain http URL does it answer in the provider's place.

    Raises:
        NotSentError: It has passed nothing on.
    """
    if answer.status == _PROXY_WANTS_CREDENTIAL and request.url.scheme == "http":
        raise NotSentError(f"{_origin(request.url)}: {_PROXY_REFUSED} ({answer.status}).")


async def _read_content(answer: aiohttp.ClientResponse) -> bytes:
    pieces: list[bytes] = []
    size_bytes = 0
    while piece := await answer.content.readany():
        pieces.append(piece)
        size_bytes += len(piece)
        if size_bytes > ANSWER_LIMIT_BYTES:
            raise _AnswerTooLargeError
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _is_readable(transport: asyncio.Transport) -> bool:
    """Whether something waits on the socket that the event loop has not seen yet."""
    connection = transport.get_extra_info("socket")
    if connection is None:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _origin(url: httpx.URL) -> str:
    """Host and port, which is all of a URL that an error may name."""
    return f"{url.host}:{url.port or _DEFAULT_PORTS.get(url.scheme, '?')}"


def _describe(error: Exception) -> str:
    """Say what kind of failure it was; never its own text, which may hold a URL."""
    fitting = (reason for kind, reason in _REASONS if isinstance(error, kind))
    reason = next(fitting, type(error).__name__)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"{reason} ({error.status})"
    if type(error) is aiohttp.ClientConnectorError and error.os_error.errno:
        return f"{reason} ({os.strerror(error.os_error.errno).lower()})"
    return reason
