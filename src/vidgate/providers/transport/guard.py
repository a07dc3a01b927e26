"""The guard before every URL that comes from outside: webhooks, and links in providers' answers.

A URL is checked twice. `check_url` looks at its text, so that an operator or a client is told at
once. `guarded_connector` looks at the address of every single connection just before it is made:
whatever a name server said, and however an address was spelt, nothing else is connected to.
"""

import asyncio
import functools
import re
import socket
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import urljoin

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from yarl import URL

from vidgate import __version__
from vidgate.constants import LOOKS_PER_CHANNEL
from vidgate.exceptions import NotSentError, ProviderProtocolError, UnansweredError, VidgateError
from vidgate.providers.transport.client import AnswerStream, PooledResolver
from vidgate.providers.transport.downloads import StalledError

__all__ = [
    "GuardedFetcher",
    "Network",
    "PostAnswer",
    "RangeAnswer",
    "UnsafeUrlError",
    "check_url",
    "guarded_connector",
    "is_allowed_address",
]

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

URL_LIMIT_CHARACTERS: Final = 8192
"""Signed links of object stores reach some 2,000; common servers refuse above 8 KiB."""

REDIRECT_LIMIT: Final = 3
"""A result link may lead over a storage front end to the store itself; more is a loop."""

SKIP_LIMIT_BYTES: Final = 1024 * 1024
"""What is read and thrown away of a server that ignores `Range`, to reach a later part."""

CONNECTIONS_PER_HOST: Final = 2 * LOOKS_PER_CHANNEL
"""So that one slow host cannot hold every connection, and one channel not every one of a host."""

LOOKUP_THREADS: Final = 32
"""Threads that ask for names from outside, apart from those for the operator's own channels: a name
server in a stranger's hands can keep each busy for half a minute."""

_REFUSED_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this host"
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier NAT, and the metadata services of Alibaba and Volcengine
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host, which looks public
        "169.254.0.0/16",  # link-local, and most metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments, and Oracle's metadata service
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays into 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
# Of IPv6 only global unicast is let through, so that whatever is assigned later is refused, and of
# that not what leads elsewhere: tunnels that carry an IPv4 address, and documentation.
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID, benchmarks and other protocol assignments
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)
_TRANSLATED_V6: Final = tuple(
    (IPv6Network(network), shift)
    for network, shift in (
        ("::/96", 0),  # IPv4-compatible
        ("::ffff:0:0/96", 0),  # mapped
        ("::ffff:0:0:0/96", 0),  # SIIT
        ("64:ff9b::/96", 0),  # NAT64
        ("64:ff9b:1::/48", 0),  # local NAT64
        ("2002::/16", 80),  # 6to4
    )
)
"""Networks whose addresses hold an IPv4 address, and how many bits stand to the right of it."""

_LOOPBACK: Final = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
_LOCAL_NAMES: Final = frozenset({"localhost", "localdomain", "ip6-localhost", "ip6-loopback"})

_URL: Final = re.compile(r"(?i:https?)://([^/?#]*)[^\x00-\x20\x7f]*")
_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_CONTENT_RANGE: Final = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}|\*)")
_OK: Final = 200
_PARTIAL: Final = 206
_RANGE_NOT_SATISFIABLE: Final = 416
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class UnsafeUrlError(VidgateError):
    """A URL from outside that must not be fetched; the message says why and repeats no secret."""


class _RefusedAddressError(OSError):
    """An `OSError`, so that the next address of the same name is tried."""


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """A part of a file.

    Attributes:
        content: From the asked start, at most as long as asked; shorter at the end of the file.
        total_bytes: The size of the whole, `None` where the server does not say.
    """

    content: bytes
    total_bytes: int | None


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """What a receiver answered.

    Attributes:
        start: The beginning of its body.
    """

    status: int
    headers: Mapping[str, str]
    start: bytes


def is_allowed_address(address: Address, allowed_networks: Sequence[Network]) -> bool:
    """Whether a connection to an address may be made.

    An address that carries another one (mapped, NAT64, 6to4) must be excepted itself, and what it
    carries must be allowed too.
    """
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    excepted = any(address in network for network in allowed_networks)
    if isinstance(address, IPv4Address):
        return excepted or not any(address in network for network in _REFUSED_V4)
    for network, shift in _TRANSLATED_V6:
        # ::1 and :: are in the IPv4-compatible network by their numbers only.
        if address in network and int(address) > 1:
            inner = IPv4Address(int(address) >> shift & 0xFFFFFFFF)
            return excepted and is_allowed_address(inner, allowed_networks)
    if excepted:
        return True
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


def check_url(url: str, *, allowed_networks: Sequence[Network] = ()) -> None:
    """Refuse a URL that could not be fetched safely, by its text alone.

    What its name stands for is checked when a connection is made.

    Args:
        url: As it came.
        allowed_networks: Where connections may go although they are not public.

    Raises:
        UnsafeUrlError: It says why.
    """
    if len(url) > URL_LIMIT_CHARACTERS:
        raise UnsafeUrlError(f"The URL is longer than {URL_LIMIT_CHARACTERS} characters.")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise UnsafeUrlError("Not an http or https URL, or it holds spaces or control characters.")
    if "@" in parts[1]:
        raise UnsafeUrlError("The URL must not hold a user name or password.")
    authority = _AUTHORITY.fullmatch(parts[1])
    if authority is None:
        raise UnsafeUrlError("The URL has no valid host; write a name in its ASCII form.")
    host, port = authority[1].lower(), authority[2]
    if port is not None and not 1 <= int(port) <= 65535:  # noqa: PLR2004 the ports there are
        raise UnsafeUrlError("The URL has an impossible port.")
    _check_host(host, allowed_networks)
    # What connects reads the URL with another parser; both must see the same host.
    try:
        connected_host = URL(url, encoded=True).raw_host
    except ValueError:
        connected_host = None
    if connected_host is None or connected_host.lower() != host.strip("[]"):
        raise UnsafeUrlError("The URL has no valid host.")


def guarded_connector(
    allowed_networks: Sequence[Network] = (),
    *,
    connections_per_host: int = CONNECTIONS_PER_HOST,
    resolver: AbstractResolver | None = None,
) -> aiohttp.TCPConnector:
    """Make a connector that reaches allowed addresses only; call it in a running loop.

    A name that has others too is reached by its allowed ones. Sessions that use it must not follow
    redirects by themselves, as only `check_url` sees their URLs' text.
    """
    return aiohttp.TCPConnector(
        resolver=resolver or PooledResolver(_lookup_threads()),
        socket_factory=functools.partial(_make_socket, tuple(allowed_networks)),
        limit=0,
        limit_per_host=connections_per_host,
    )


_T = TypeVar("_T")


class GuardedFetcher:
    """Fetches files from URLs that came from outside; no credentials, no cookies.

    What is streamed has connections of its own, so that downloads, which may last as long as their
    readers like, take none from short reads. How many there may be is the caller's to limit.

    Args:
        allowed_networks: Where connections may go although they are not public.
        resolver: What turns names into addresses, `None` for the system's way.
    """

    def __init__(
        self,
        *,
        allowed_networks: Sequence[Network] = (),
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allowed_networks = tuple(allowed_networks)
        self._resolver = resolver
        self._short: aiohttp.ClientSession | None = None
        self._long: aiohttp.ClientSession | None = None
        self._posts: aiohttp.ClientSession | None = None

    async def get_range(
        self, url: str, start: int, length: int, *, timeout_seconds: float
    ) -> RangeAnswer:
        """Read a part of a file.

        Args:
            url: As it came; it goes out byte for byte.
            start: The first byte.
            length: How many bytes at most; never more are returned, whatever the server sends.
            timeout_seconds: From now to the last byte, redirects included.

        Raises:
            UnsafeUrlError: The URL, or one it leads to, must not be fetched.
            NotSentError: No connection could be made.
            UnansweredError: No complete answer came in time.
            ProviderProtocolError: An answer that is no part of a file, such as a 403 of a link
                that has expired.
        """
        headers = {
            "Range": f"bytes={start}-{start + length - 1}",
            "Accept-Encoding": "identity",
            "User-Agent": f"vidgate/{__version__}",
        }

        async def read() -> RangeAnswer:
            async with await self._follow(self._open_short(), url, headers) as answer:
                return await _read_range(answer, start, length)

        return await _within(timeout_seconds, read())

    async def open(
        self, url: str, headers: Mapping[str, str], *, timeout_seconds: float
    ) -> httpx.Response:
        """Begin to read a file; any status but a redirect is an answer.

        Args:
            url: As it came; it goes out byte for byte.
            headers: All that are sent, whatever the URL leads to; nothing secret.
            timeout_seconds: From now to the head of the answer, redirects included.

        Returns:
            Its body is unread; it must be closed.

        Raises:
            UnsafeUrlError: The URL, or one it leads to, must not be fetched.
            NotSentError: No connection could be made.
            StalledError: No answer came in time.
            UnansweredError: The connection broke.
            ProviderProtocolError: It leads on and on.
        """

        async def read() -> httpx.Response:
            answer = await self._follow(self._open_long(), url, headers)
            return httpx.Response(
                answer.status, headers=list(answer.raw_headers), stream=AnswerStream(answer)
            )

        return await _within(timeout_seconds, read())

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        *,
        keep_bytes: int,
        timeout_seconds: float,
    ) -> PostAnswer:
        """Send a body once; a redirect is an answer like any other and not followed.

        Args:
            url: As it came; it goes out byte for byte.
            headers: All that are sent.
            content: The body.
            keep_bytes: How much of the answer is read.
            timeout_seconds: From now to the end of what is read.

        Raises:
            UnsafeUrlError: The URL must not be called.
            NotSentError: No connection could be made.
            StalledError: No complete answer came in time.
            UnansweredError: The connection broke.
        """

        async def send() -> PostAnswer:
            check_url(url, allowed_networks=self._allowed_networks)
            if self._posts is None:
                self._posts = self._make_session(connections_per_host=0)
            async with self._posts.post(
                URL(url, encoded=True), headers=headers, data=content, allow_redirects=False
            ) as answer:
                start = await _read_start(answer, keep_bytes)
                return PostAnswer(answer.status, dict(answer.headers), start)

        return await _within(timeout_seconds, send())

    async def aclose(self) -> None:
        """Close every connection."""
        for session in (self._short, self._long, self._posts):
            if session is not None:
                await session.close()

    async def _follow(
        self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """Ask, and ask again where a redirect leads to; the answer is to be closed."""
        for _ in range(REDIRECT_LIMIT + 1):
            check_url(url, allowed_networks=self._allowed_networks)
            answer = await session.get(
                URL(url, encoded=True), headers=headers, allow_redirects=False
            )
            if answer.status not in _REDIRECTS:
                return answer
            async with answer:
                location = answer.headers.get("Location", "")
            try:
                url = urljoin(url, location)
            except ValueError:
                raise UnsafeUrlError("The URL leads to something that is no URL.") from None
        raise ProviderProtocolError(f"More than {REDIRECT_LIMIT} redirects.")

    def _open_short(self) -> aiohttp.ClientSession:
        if self._short is None:
            self._short = self._make_session(connections_per_host=CONNECTIONS_PER_HOST)
        return self._short

    def _open_long(self) -> aiohttp.ClientSession:
        if self._long is None:
            self._long = self._make_session(connections_per_host=0)
        return self._long

    def _make_session(self, *, connections_per_host: int) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=guarded_connector(
                self._allowed_networks,
                connections_per_host=connections_per_host,
                resolver=self._resolver,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )


async def _within(timeout_seconds: float, work: Coroutine[Any, Any, _T]) -> _T:
    """Do something over the network, and tell in our words how it failed."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await work
    except TimeoutError:
        reason: Exception = StalledError(f"No complete answer within {timeout_seconds:g} s.")
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, _RefusedAddressError):
            reason = UnsafeUrlError("The host of the URL has no public address.")
        else:
            reason = NotSentError("No connection to the host of the URL.")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # By its name alone: the text may hold the URL, whose query may be a signature.
        reason = UnansweredError(f"The answer broke off ({type(error).__name__}).")
    raise reason


async def _read_start(answer: aiohttp.ClientResponse, keep_bytes: int) -> bytes:
    start = b""
    while len(start) < keep_bytes:
        part = await answer.content.read(keep_bytes - len(start))
        if not part:
            break
        start += part
    return start


async def _read_range(answer: aiohttp.ClientResponse, start: int, length: int) -> RangeAnswer:
    ranged = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if answer.status == _RANGE_NOT_SATISFIABLE:
        total = ranged[3] if ranged else "*"
        return RangeAnswer(b"", None if total == "*" else int(total))
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ProviderProtocolError("The file came compressed.")
    if answer.status == _PARTIAL:
        if ranged is None or ranged[1] is None or int(ranged[1]) != start:
            raise ProviderProtocolError("Another part of the file came than was asked for.")
        total_bytes = None if ranged[3] == "*" else int(ranged[3])
        skip = 0
    elif answer.status == _OK:
        # The server ignores ranges and sends the file from its beginning.
        if start > SKIP_LIMIT_BYTES:
            raise ProviderProtocolError("The server sends no parts of files.")
        total_bytes = answer.content_length
        skip = start
    else:
        raise ProviderProtocolError(f"Status {answer.status}.")
    content = await _read_at_most(answer.content, skip + length)
    # What is left of the answer closes the connection, and is never read.
    return RangeAnswer(content[skip:], total_bytes)


async def _read_at_most(stream: aiohttp.StreamReader, limit_bytes: int) -> bytes:
    pieces: list[bytes] = []
    while limit_bytes > 0 and (piece := await stream.read(limit_bytes)):
        pieces.append(piece)
        limit_bytes -= len(piece)
    return b"".join(pieces)


def _check_host(host: str, allowed_networks: Sequence[Network]) -> None:
    if host.startswith("["):
        try:
            address: Address = IPv6Address(host[1:-1])
        except ValueError:
            raise UnsafeUrlError("The URL has no valid IPv6 address.") from None
        _check_address(address, allowed_networks)
        return
    labels = host.removesuffix(".").split(".")
    if not all(labels):
        raise UnsafeUrlError("The URL has no valid host.")
    # A name whose last label is a number is an IPv4 address to whoever connects, in bases and
    # lengths of all kinds (0x7f.1, 017700000001, 2130706433): only the usual one is understood.
    if _NUMBER.fullmatch(labels[-1]):
        try:
            address = IPv4Address(host)
        except ValueError:
            raise UnsafeUrlError("The URL has an unusual spelling of an IPv4 address.") from None
        _check_address(address, allowed_networks)
        return
    if labels[-1] in _LOCAL_NAMES and not any(
        is_allowed_address(address, allowed_networks) for address in _LOOPBACK
    ):
        raise UnsafeUrlError("The URL names this machine.")


@functools.cache
def _lookup_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="guarded-lookup")


def _check_address(address: Address, allowed_networks: Sequence[Network]) -> None:
    if not is_allowed_address(address, allowed_networks):
        raise UnsafeUrlError(f"The address {address} is not public.")


def _make_socket(allowed_networks: tuple[Network, ...], address_info: Any) -> socket.socket:
    """Make the socket of one connection, whose address is final now, or refuse to."""
    family, kind, protocol, _, socket_address = address_info
    if family not in (socket.AF_INET, socket.AF_INET6) or not is_allowed_address(
        ip_address(socket_address[0]), allowed_networks
    ):
        raise _RefusedAddressError("the address is not public")
    return socket.socket(family, kind, protocol)
