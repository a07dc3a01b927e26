"""The transport and the client against real sockets: what is known after each way to fail."""

import asyncio
import contextlib
import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
import respx
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typing_extensions import override

from vidgate import __version__
from vidgate.exceptions import NotSentError, UnansweredError
from vidgate.providers.transport.client import (
    ANSWER_LIMIT_BYTES,
    CHANNEL_CONNECTIONS,
    AiohttpTransport,
    Pool,
    UpstreamClient,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SOON = 0.4
"""Seconds of the deadlines that are meant to pass."""
LONG = 20.0
"""Seconds of those that are not."""
SECRET = "sk-very-secret"


class Connection:
    """One accepted connection, read and written by hand."""

    def __init__(self, server: "RawServer", sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self._loop = asyncio.get_running_loop()
        self._unread = b""

    async def wait_readable(self) -> None:
        """Until bytes of the client have arrived, which stay unread."""
        arrived = asyncio.Event()
        self._loop.add_reader(self.sock, arrived.set)
        try:
            await arrived.wait()
        finally:
            self._loop.remove_reader(self.sock)

    async def read_some(self) -> bytes:
        self._unread += await self._loop.sock_recv(self.sock, 1000)
        return self._unread

    async def read_request(self) -> bytes | None:
        """One whole request, `None` at the end of the connection."""
        data = self._unread
        while b"\r\n\r\n" not in data:
            more = await self._loop.sock_recv(self.sock, 65536)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(body) < length:
            body += await self._loop.sock_recv(self.sock, 1 << 20)
        self._unread = body[length:]
        await self.server.note((head, body[:length]))
        return head + b"\r\n\r\n" + body[:length]

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    def close(self) -> None:
        # A script may be waiting on the socket; a closed one must not stay in the selector.
        if self.sock.fileno() >= 0:
            self._loop.remove_reader(self.sock)
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    async def wait_closed(self) -> None:
        """Until the client has closed, so that a hang lasts exactly as long as it must."""
        with contextlib.suppress(OSError):
            while await self._loop.sock_recv(self.sock, 65536):
                pass
        self.server.seen_closed.set()


Script = Callable[[Connection], Awaitable[None]]


class RawServer:
    """Accepts on a loopback port and plays a script on every connection."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[tuple[bytes, bytes]] = []
        self.connections: list[Connection] = []
        self.seen_closed = asyncio.Event()
        self._arrived = asyncio.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)  # noqa: FBT003 the socket module's own signature
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._tasks: set[asyncio.Task[None]] = set()
        self._spawn(self._accept())

    async def note(self, request: tuple[bytes, bytes]) -> None:
        async with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()

    async def wait_for_requests(self, count: int) -> None:
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    def _spawn(self, coroutine: Awaitable[None]) -> None:
        self._tasks.add(asyncio.ensure_future(coroutine))

    async def _accept(self) -> None:
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(self._socket)
            sock.setblocking(False)  # noqa: FBT003 the socket module's own signature
            connection = Connection(self, sock)
            self.connections.append(connection)
            self._spawn(self._play(connection))

    async def _play(self, connection: Connection) -> None:
        # A client that gives up in the middle is part of many scripts.
        with contextlib.suppress(ConnectionError):
            await self.script(connection)

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self.connections:
            connection.close()
        self._socket.close()
        for result in results:
            if isinstance(result, Exception):
                raise result


Serve = Callable[[Script], RawServer]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[RawServer] = []

    def start(script: Script) -> RawServer:
        servers.append(RawServer(script))
        return servers[-1]

    yield start
    for server in servers:
        await server.aclose()


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient()
    yield client
    await client.aclose()


@pytest.fixture
def channel_id() -> UUID:
    return uuid4()


def post(url: str, content: bytes = b'{"prompt":"a cat"}') -> httpx.Request:
    headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
    return httpx.Request("POST", f"{url}/v1/videos?sign={SECRET}", headers=headers, content=content)


async def answer_all(connection: Connection) -> None:
    while await connection.read_request():
        await connection.send(OK)


async def hang(connection: Connection) -> None:
    await connection.read_request()
    await connection.wait_closed()


# The table: what the other side does, and how long the client waits


async def close_before_reading(connection: Connection) -> None:
    await connection.wait_readable()
    connection.sock.shutdown(socket.SHUT_WR)
    await connection.wait_closed()


async def reset_before_reading(connection: Connection) -> None:
    await connection.wait_readable()
    connection.reset()


async def close_inside_body(connection: Connection) -> None:
    await connection.read_some()
    connection.close()


async def reset_inside_body(connection: Connection) -> None:
    await connection.read_some()
    connection.reset()


async def close_after_body(connection: Connection) -> None:
    await connection.read_request()
    connection.close()


async def reset_after_body(connection: Connection) -> None:
    await connection.read_request()
    connection.reset()


async def close_inside_header(connection: Connection) -> None:
    await connection.read_request()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    connection.close()


async def reset_inside_answer(connection: Connection) -> None:
    await connection.read_request()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123")
    connection.reset()


async def truncate(connection: Connection) -> None:
    await connection.read_request()
    await connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"code":0}')
    connection.close()


async def truncate_chunked(connection: Connection) -> None:
    await connection.read_request()
    await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n")
    connection.close()


async def garbage(connection: Connection) -> None:
    await connection.read_request()
    await connection.send(b"\x00\xff\x16\x03garbage that is not HTTP\r\n\r\n")
    await connection.wait_closed()


async def oversized_header(connection: Connection) -> None:
    await connection.read_request()
    await connection.send(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n")
    await connection.wait_closed()


async def too_many_headers(connection: Connection) -> None:
    await connection.read_request()
    await connection.send(b"HTTP/1.1 200 OK\r\n" + b"X-Many: x\r\n" * 10_000 + b"\r\n")
    await connection.wait_closed()


async def oversized_body(connection: Connection) -> None:
    await connection.read_request()
    size = ANSWER_LIMIT_BYTES + 1
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
    await connection.wait_closed()


async def oversized_when_decoded(connection: Connection) -> None:
    await connection.read_request()
    body = gzip.compress(b"\0" * (ANSWER_LIMIT_BYTES + 1))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    await connection.send(head + body)
    await connection.wait_closed()


async def undecodable(connection: Connection) -> None:
    await connection.read_request()
    await connection.send(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
    )
    await connection.wait_closed()


async def hang_inside_answer(connection: Connection) -> None:
    await connection.read_request()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123")
    await connection.wait_closed()


async def drip(connection: Connection) -> None:
    await connection.read_request()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100_000):
        await connection.send(b"x")
        await asyncio.sleep(0.001)  # the drip itself: a peer that is never quite silent


async def drip_header(connection: Connection) -> None:
    await connection.read_request()
    await connection.send(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    for _ in range(100_000):
        await connection.send(b"x")
        await asyncio.sleep(0.1)  # the drip itself, too slow to reach the limit of a header


async def never_read(connection: Connection) -> None:
    await connection.wait_readable()
    await connection.server.seen_closed.wait()


TABLE: list[tuple[Script, float]] = [
    (close_before_reading, LONG),
    (reset_before_reading, LONG),
    (close_inside_body, LONG),
    (reset_inside_body, LONG),
    (close_after_body, LONG),
    (reset_after_body, LONG),
    (close_inside_header, LONG),
    (reset_inside_answer, LONG),
    (truncate, LONG),
    (truncate_chunked, LONG),
    (garbage, LONG),
    (oversized_header, LONG),
    (too_many_headers, LONG),
    (oversized_body, LONG),
    (oversized_when_decoded, LONG),
    (undecodable, LONG),
    (hang, SOON),
    (hang_inside_answer, SOON),
    (drip, SOON),
    (drip_header, SOON),
    (never_read, SOON),
]


CASES = [
    pytest.param(script, seconds, method, id=f"{method} {script.__name__}")
    for script, seconds in TABLE
    for method in ("POST", "PUT", "GET")
    if method != "GET" or "body" not in script.__name__  # a GET has none
]


@pytest.mark.parametrize(("script", "seconds", "method"), CASES)
async def test_a_request_that_may_have_arrived_is_unanswered(
    serve: Serve, client: UpstreamClient, script: Script, seconds: float, method: str
) -> None:
    server = serve(script)
    # Too large for the socket buffers where the script is about the body.
    size = 0 if method == "GET" else 8_000_000 if "body" in script.__name__ else 2
    body = b"x" * size
    request = httpx.Request(method, f"{server.url}/v1?sign={SECRET}", content=body)

    with pytest.raises(UnansweredError) as caught:
        await client.send(request, channel_id=uuid4(), timeout_seconds=seconds)

    assert f"127.0.0.1:{server.port}" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(server.connections) == 1, "it was sent once"


class FailingResolver(AbstractResolver):
    """No name has an address."""

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    @override
    async def close(self) -> None:
        pass


class SilentResolver(FailingResolver):
    """The name server never answers."""

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


@contextlib.asynccontextmanager
async def client_of(
    factory: Callable[[], httpx.AsyncBaseTransport],
) -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient(transport_factory=factory)
    try:
        yield client
    finally:
        await client.aclose()


async def assert_not_sent(
    client: UpstreamClient, request: httpx.Request, seconds: float = LONG
) -> str:
    with pytest.raises(NotSentError) as caught:
        await client.send(request, channel_id=uuid4(), timeout_seconds=seconds)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or isinstance(caught.value.__context__, TimeoutError)
    return str(caught.value)


async def test_refused_is_not_sent(client: UpstreamClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    message = await assert_not_sent(client, post(f"http://127.0.0.1:{port}"))

    assert message == f"127.0.0.1:{port}: no connection (connection refused)."


async def test_an_unknown_name_is_not_sent() -> None:
    async with client_of(lambda: AiohttpTransport(resolver=FailingResolver())) as client:
        message = await assert_not_sent(client, post("http://nowhere.invalid"))

    assert message == "nowhere.invalid:80: the host name cannot be resolved."


async def test_a_silent_name_server_is_not_sent() -> None:
    async with client_of(lambda: AiohttpTransport(resolver=SilentResolver())) as client:
        await assert_not_sent(client, post("http://nowhere.invalid"), SOON)


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """A port that accepts no more connections and refuses none either."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003 the socket module's own signature
            with contextlib.suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("connect_seconds", [SOON, LONG], ids=["own time-out", "deadline"])
async def test_no_connection_in_time_is_not_sent(connect_seconds: float) -> None:
    def factory() -> AiohttpTransport:
        return AiohttpTransport(connect_timeout_seconds=connect_seconds)

    deadline = LONG if connect_seconds == SOON else SOON
    with full_backlog() as port:
        async with client_of(factory) as client:
            await assert_not_sent(client, post(f"http://127.0.0.1:{port}"), deadline)


@pytest.mark.parametrize("connect_seconds", [SOON, LONG], ids=["own time-out", "deadline"])
async def test_no_free_place_in_the_pool_is_not_sent(
    serve: Serve, channel_id: UUID, connect_seconds: float
) -> None:
    def factory() -> AiohttpTransport:
        return AiohttpTransport(connections=1, connect_timeout_seconds=connect_seconds)

    server = serve(hang)
    deadline = LONG if connect_seconds == SOON else SOON
    async with client_of(factory) as client:
        first = asyncio.create_task(
            client.send(post(server.url), channel_id=channel_id, timeout_seconds=LONG)
        )
        await server.wait_for_requests(1)
        with pytest.raises(NotSentError):
            await client.send(post(server.url), channel_id=channel_id, timeout_seconds=deadline)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    assert len(server.requests) == 1


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of 127.0.0.1 that nobody but this file trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextlib.asynccontextmanager
async def tls_server(certificate: Path) -> AsyncIterator[tuple[str, list[tuple[int, bytes]]]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    requests: list[tuple[int, bytes]] = []  # with the port that the client came from

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                requests.append((writer.get_extra_info("peername")[1], head))
                writer.write(OK)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


async def test_an_untrusted_certificate_is_not_sent(
    client: UpstreamClient, certificate: Path
) -> None:
    async with tls_server(certificate) as (url, requests):
        message = await assert_not_sent(client, httpx.Request("GET", url))

    assert message.endswith(": its TLS certificate is not trusted.")
    assert requests == []


async def test_a_peer_that_does_not_speak_tls_is_not_sent(
    serve: Serve, client: UpstreamClient
) -> None:
    async def speak_plainly(connection: Connection) -> None:
        await connection.wait_readable()
        await connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await connection.wait_closed()

    server = serve(speak_plainly)

    message = await assert_not_sent(client, post(server.url.replace("http:", "https:")))

    assert message.endswith(": the TLS handshake failed.")


async def test_a_handshake_that_hangs_is_not_sent(serve: Serve, client: UpstreamClient) -> None:
    server = serve(Connection.wait_closed)

    await assert_not_sent(client, post(server.url.replace("http:", "https:")), SOON)


async def test_a_trusted_peer_is_asked_over_one_connection(
    certificate: Path, channel_id: UUID
) -> None:
    trust = ssl.create_default_context(cafile=certificate)
    async with (
        tls_server(certificate) as (url, requests),
        client_of(lambda: AiohttpTransport(tls=trust)) as client,
    ):
        for _ in range(3):
            response = await client.send(
                httpx.Request("GET", url), channel_id=channel_id, timeout_seconds=LONG
            )
            assert response.content == b"ok"
    assert len(requests) == 3
    assert len({port for port, _ in requests}) == 1


# Kept connections


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_a_kept_connection_that_the_server_closed_is_replaced(
    serve: Serve, client: UpstreamClient, channel_id: UUID, method: str, ending: str
) -> None:
    server = serve(answer_all)
    request = httpx.Request(method, server.url)
    await client.send(request, channel_id=channel_id, timeout_seconds=LONG)

    # The end is in the socket's buffer, and the client's loop has had no turn to see it.
    getattr(server.connections[0], ending)()
    response = await client.send(request, channel_id=channel_id, timeout_seconds=LONG)

    assert response.content == b"ok"
    assert len(server.connections) == 2
    assert len(server.requests) == 2, "each request was seen once"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
async def test_nothing_is_sent_again_when_a_kept_connection_breaks(
    serve: Serve, client: UpstreamClient, channel_id: UUID, method: str
) -> None:
    async def answer_one(connection: Connection) -> None:
        await connection.read_request()
        await connection.send(OK)
        await connection.read_request()
        connection.close()

    server = serve(answer_one)
    request = httpx.Request(method, server.url, content=b"{}")
    await client.send(request, channel_id=channel_id, timeout_seconds=LONG)

    with pytest.raises(UnansweredError):
        await client.send(request, channel_id=channel_id, timeout_seconds=LONG)

    assert len(server.connections) == 1
    assert len(server.requests) == 2


async def test_what_a_server_says_unasked_is_nobodys_answer(
    serve: Serve, client: UpstreamClient, channel_id: UUID
) -> None:
    async def answer_twice(connection: Connection) -> None:
        await connection.read_request()
        await connection.send(OK)
        await goes_on.wait()
        await connection.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        while await connection.read_request():
            await connection.send(OK)

    goes_on = asyncio.Event()
    server = serve(answer_twice)
    await client.send(post(server.url), channel_id=channel_id, timeout_seconds=LONG)
    goes_on.set()
    for _ in range(20):  # turns of the loop in which the client reads it
        await asyncio.sleep(0)
    response = await client.send(post(server.url), channel_id=channel_id, timeout_seconds=LONG)

    assert response.status_code == 200
    assert len(server.connections) == 2


async def test_connections_are_kept(serve: Serve, client: UpstreamClient, channel_id: UUID) -> None:
    server = serve(answer_all)

    for _ in range(5):
        await client.send(post(server.url), channel_id=channel_id, timeout_seconds=LONG)

    assert len(server.connections) == 1
    assert len(server.requests) == 5


# What goes out


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Fb/c?sign=A%2FB%2b%3D&x=a+b%20c",
        "/%7Euser/%e4%bd%a0?Policy=eyJ~_-&Signature=abc==",
        "//double//slash/?q=a/b?c&d;e,f:g@h!$'()*",
        "/empty?a=&b&&c",
        "/",
    ],
)
async def test_urls_go_out_byte_for_byte(
    serve: Serve, client: UpstreamClient, channel_id: UUID, target: str
) -> None:
    server = serve(answer_all)

    await client.send(
        httpx.Request("GET", server.url + target), channel_id=channel_id, timeout_seconds=LONG
    )

    head, _ = server.requests[0]
    sent_target = httpx.URL(server.url + target).raw_path
    assert head.split(b"\r\n")[0] == b"GET " + sent_target + b" HTTP/1.1"
    assert sent_target.replace(b"%27", b"'") == target.encode()  # httpx quotes the apostrophe


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a?", "http://user:sk-very-secret@127.0.0.1:1/"]
)
async def test_what_cannot_go_out_as_it_stands_is_not_sent(
    client: UpstreamClient, url: str
) -> None:
    message = await assert_not_sent(client, httpx.Request("GET", url))

    assert "refused" not in message


async def test_a_header_with_a_line_break_is_not_sent(client: UpstreamClient) -> None:
    request = httpx.Request("GET", "http://127.0.0.1:1/", headers={"authorization": f"{SECRET}\n"})

    message = await assert_not_sent(client, request)

    assert message.endswith(": a header holds a control character.")


async def test_headers_go_out_as_they_are(
    serve: Serve, client: UpstreamClient, channel_id: UUID
) -> None:
    server = serve(answer_all)
    request = httpx.Request(
        "POST", server.url, headers=[("Host", "signed.example"), ("X-Two", "1"), ("X-Two", "2")]
    )

    await client.send(request, channel_id=channel_id, timeout_seconds=LONG)

    lines = [line.lower() for line in server.requests[0][0].split(b"\r\n")[1:]]
    assert sorted(lines) == [
        b"content-length: 0",
        b"host: signed.example",
        b"user-agent: vidgate/" + __version__.encode(),
        b"x-two: 1",
        b"x-two: 2",
    ]


async def test_a_user_agent_of_the_adapter_stays(
    serve: Serve, client: UpstreamClient, channel_id: UUID
) -> None:
    server = serve(answer_all)
    request = httpx.Request("GET", server.url, headers={"user-agent": "adapter/1"})

    await client.send(request, channel_id=channel_id, timeout_seconds=LONG)

    assert server.requests[0][0].lower().count(b"user-agent") == 1
    assert b"adapter/1" in server.requests[0][0]


async def test_a_large_body_arrives_whole(
    serve: Serve, client: UpstreamClient, channel_id: UUID
) -> None:
    server = serve(answer_all)
    body = bytes(range(256)) * 20_000

    response = await client.send(
        post(server.url, body), channel_id=channel_id, timeout_seconds=LONG
    )

    assert response.status_code == 200
    assert server.requests[0][1] == body


async def test_a_streamed_body_goes_out_with_its_length(
    serve: Serve, client: UpstreamClient, channel_id: UUID
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    server = serve(answer_all)
    request = httpx.Request("POST", server.url, content=pieces())

    await client.send(request, channel_id=channel_id, timeout_seconds=LONG)

    head, body = server.requests[0]
    assert body == b"onetwo"
    assert b"transfer-encoding" not in head.lower()


async def test_cookies_are_not_kept(serve: Serve, client: UpstreamClient, channel_id: UUID) -> None:
    async def set_cookie(connection: Connection) -> None:
        while await connection.read_request():
            await connection.send(
                b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
            )

    server = serve(set_cookie)
    for _ in range(2):
        await client.send(post(server.url), channel_id=channel_id, timeout_seconds=LONG)

    assert b"cookie" not in server.requests[1][0].lower()


async def test_redirects_are_answers(
    serve: Serve, client: UpstreamClient, channel_id: UUID
) -> None:
    async def redirect(connection: Connection) -> None:
        while await connection.read_request():
            await connection.send(
                b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
            )

    server = serve(redirect)
    response = await client.send(post(server.url), channel_id=channel_id, timeout_seconds=LONG)

    assert response.status_code == 302
    assert len(server.requests) == 1


# What comes back


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Transfer-Encoding: chunked", b"6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"),
        (b"Content-Length: 11", b"hello world"),
        (b"Connection: close", b"hello world"),
        (b"Content-Encoding: gzip\r\nContent-Length: 31", gzip.compress(b"hello world", mtime=0)),
    ],
    ids=["chunked", "length", "close", "gzip"],
)
async def test_an_answer_is_handed_over_whole(
    serve: Serve, client: UpstreamClient, channel_id: UUID, head: bytes, body: bytes
) -> None:
    async def answer(connection: Connection) -> None:
        await connection.read_request()
        await connection.send(b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\n" + head + b"\r\n\r\n")
        await connection.send(body)
        connection.close()

    server = serve(answer)
    request = post(server.url)

    response = await client.send(request, channel_id=channel_id, timeout_seconds=LONG)

    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert response.content == b"hello world"
    assert response.text == "hello world"
    assert "content-encoding" not in response.headers
    assert response.request is request


async def test_an_early_answer_to_a_large_body_counts(
    serve: Serve, client: UpstreamClient, channel_id: UUID
) -> None:
    async def refuse_early(connection: Connection) -> None:
        await connection.read_some()
        await connection.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await connection.wait_closed()

    server = serve(refuse_early)
    request = post(server.url, b"x" * 8_000_000)

    response = await client.send(request, channel_id=channel_id, timeout_seconds=LONG)

    assert response.status_code == 413


async def test_an_endless_answer_is_read_no_further_than_the_limit(
    serve: Serve, client: UpstreamClient, channel_id: UUID
) -> None:
    async def answer_endlessly(connection: Connection) -> None:
        await connection.read_request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        await connection.send(b"x" * (ANSWER_LIMIT_BYTES + 1))
        await connection.wait_closed()

    server = serve(answer_endlessly)

    with pytest.raises(UnansweredError, match="over 2097152 bytes"):
        await client.send(post(server.url), channel_id=channel_id, timeout_seconds=2.0)


# Deadlines, cancelling, channels


async def until_closed(connection: Connection) -> None:
    await connection.wait_readable()
    await connection.server.note((b"", b""))
    await connection.wait_closed()


@pytest.mark.parametrize("script", [hang, hang_inside_answer, until_closed])
async def test_a_cancelled_call_closes_its_connection(
    serve: Serve, client: UpstreamClient, channel_id: UUID, script: Script
) -> None:
    server = serve(script)
    body = b"x" * 8_000_000 if script is until_closed else b"{}"
    call = asyncio.create_task(
        client.send(post(server.url, body), channel_id=channel_id, timeout_seconds=LONG)
    )
    await server.wait_for_requests(1)

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(server.seen_closed.wait(), LONG)


async def test_channels_share_no_connection(serve: Serve, client: UpstreamClient) -> None:
    server = serve(answer_all)

    for channel_id in (uuid4(), uuid4()):
        await client.send(post(server.url), channel_id=channel_id, timeout_seconds=LONG)

    assert len(server.connections) == 2


async def test_a_hung_channel_delays_no_other(serve: Serve) -> None:
    async def hang_or_answer(connection: Connection) -> None:
        request = await connection.read_request()
        if request and b"/hang" in request:
            await connection.wait_closed()
        else:
            await connection.send(OK)

    server = serve(hang_or_answer)
    async with client_of(lambda: AiohttpTransport(connections=2)) as client:
        hung_id = uuid4()
        hung = [
            asyncio.create_task(
                client.send(
                    httpx.Request("GET", f"{server.url}/hang"),
                    channel_id=hung_id,
                    timeout_seconds=LONG,
                )
            )
            for _ in range(4)
        ]
        await server.wait_for_requests(2)

        response = await client.send(post(server.url), channel_id=uuid4(), timeout_seconds=LONG)

        assert response.status_code == 200
        assert not any(call.done() for call in hung)
        await client.aclose()
        results = await asyncio.gather(*hung, return_exceptions=True)
    kinds = sorted(type(result).__name__ for result in results)
    assert kinds == ["NotSentError", "NotSentError", "UnansweredError", "UnansweredError"]


async def test_hanging_polls_leave_the_connections_of_submits(
    serve: Serve, client: UpstreamClient, channel_id: UUID
) -> None:
    async def hang_or_answer(connection: Connection) -> None:
        request = await connection.read_request()
        if request and request.startswith(b"GET"):
            await connection.wait_closed()
        else:
            await connection.send(OK)

    server = serve(hang_or_answer)
    count = CHANNEL_CONNECTIONS + 5
    hung = [
        asyncio.create_task(
            client.send(
                httpx.Request("GET", server.url),
                channel_id=channel_id,
                timeout_seconds=LONG,
                pool=Pool.POLLS,
            )
        )
        for _ in range(count)
    ]
    await server.wait_for_requests(count)

    response = await client.send(post(server.url), channel_id=channel_id, timeout_seconds=LONG)

    assert response.status_code == 200
    assert not any(call.done() for call in hung)
    await client.aclose()
    await asyncio.gather(*hung, return_exceptions=True)


async def test_a_closed_client_sends_nothing(serve: Serve, client: UpstreamClient) -> None:
    server = serve(answer_all)
    await client.aclose()

    await assert_not_sent(client, post(server.url))

    assert server.connections == []


# Other transports


class CountingTransport(httpx.AsyncBaseTransport):
    """Answers at once, or when told, and notes that it was closed."""

    def __init__(self, wait: asyncio.Event | None = None) -> None:
        self.wait = wait
        self.asked = asyncio.Event()
        self.closed = False

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.set()
        if self.wait is not None:
            await self.wait.wait()
        return httpx.Response(200)

    @override
    async def aclose(self) -> None:
        self.closed = True


def get() -> httpx.Request:
    return httpx.Request("GET", "http://provider.example/")


async def test_the_least_recently_used_transport_makes_room() -> None:
    made: list[CountingTransport] = []

    def factory() -> CountingTransport:
        made.append(CountingTransport())
        return made[-1]

    client = UpstreamClient(transport_factory=factory, max_transports=2)
    first, second, third = uuid4(), uuid4(), uuid4()
    for channel_id in (first, second, first, third, first):
        await client.send(get(), channel_id=channel_id, timeout_seconds=LONG)
    await client.aclose()

    assert len(made) == 3


async def test_a_transport_in_use_is_never_closed_for_another() -> None:
    answer = asyncio.Event()
    made = [CountingTransport(answer), CountingTransport(), CountingTransport()]
    client = UpstreamClient(transport_factory=iter(made).__next__, max_transports=1)
    busy = asyncio.create_task(client.send(get(), channel_id=uuid4(), timeout_seconds=LONG))
    await made[0].asked.wait()
    for _ in range(2):
        await client.send(get(), channel_id=uuid4(), timeout_seconds=LONG)
    await asyncio.sleep(0)

    assert [transport.closed for transport in made] == [False, True, False]
    answer.set()
    assert (await busy).status_code == 200
    await client.aclose()
    assert all(transport.closed for transport in made)


async def test_an_idle_transport_is_closed() -> None:
    now = 0.0
    made: list[CountingTransport] = []

    def factory() -> CountingTransport:
        made.append(CountingTransport())
        return made[-1]

    client = UpstreamClient(transport_factory=factory, idle_seconds=60, clock=lambda: now)
    await client.send(get(), channel_id=uuid4(), timeout_seconds=LONG)
    now = 61.0
    await client.send(get(), channel_id=uuid4(), timeout_seconds=LONG)
    await asyncio.sleep(0)

    assert [transport.closed for transport in made] == [True, False]
    await client.aclose()


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (httpx.ConnectError, NotSentError),
        (httpx.ConnectTimeout, NotSentError),
        (httpx.PoolTimeout, NotSentError),
        (httpx.ReadTimeout, UnansweredError),
        (httpx.WriteError, UnansweredError),
        (httpx.RemoteProtocolError, UnansweredError),
        (httpx.DecodingError, UnansweredError),
    ],
)
async def test_httpx_errors_become_ours(
    failure: type[httpx.RequestError], expected: type[Exception], channel_id: UUID
) -> None:
    router = respx.MockRouter()
    router.get("http://provider.example/").mock(side_effect=failure)

    async with client_of(lambda: httpx.MockTransport(router.async_handler)) as client:
        with pytest.raises(expected):
            await client.send(get(), channel_id=channel_id, timeout_seconds=LONG)


async def test_a_mocked_answer_is_complete(channel_id: UUID) -> None:
    router = respx.MockRouter()
    router.get("http://provider.example/").respond(json={"code": 0})
    request = get()

    async with client_of(lambda: httpx.MockTransport(router.async_handler)) as client:
        response = await client.send(request, channel_id=channel_id, timeout_seconds=LONG)

    assert response.json() == {"code": 0}
    assert response.request is request


async def test_a_mocked_answer_has_the_same_limit(channel_id: UUID) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"x" * (ANSWER_LIMIT_BYTES + 1))

    async with client_of(lambda: httpx.MockTransport(answer)) as client:
        with pytest.raises(UnansweredError):
            await client.send(get(), channel_id=channel_id, timeout_seconds=LONG)


async def test_a_deadline_without_evidence_is_unanswered(channel_id: UUID) -> None:
    async with client_of(lambda: CountingTransport(asyncio.Event())) as client:
        with pytest.raises(UnansweredError):
            await client.send(get(), channel_id=channel_id, timeout_seconds=0.01)
