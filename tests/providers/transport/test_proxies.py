"""Channels behind proxies, over real sockets: what is known after each way to fail."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from tests.support.proxies import HttpProxy, SocksProxy, proxy_server

from vidgate.exceptions import ConfigurationError, NotSentError, UnansweredError
from vidgate.providers.transport.client import AiohttpTransport, UpstreamClient
from vidgate.providers.transport.proxies import check_proxy_url

LONG = 20.0
SOON = 0.4
LOGIN = ("us er", "p@ss:word/%")
SECRET = "p%40ss%3Aword%2F%25"
TARGET = "/a%2Fb/c?sign=A%2FB%2b%3D&x=a+b%20c"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of 127.0.0.1 that nobody but this file trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.DNSName("provider.invalid"),
    ]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
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


@pytest.fixture
def trust(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


@pytest.fixture
def identity(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class Provider:
    """Answers every request, or closes instead.

    Attributes:
        lines: The request lines, with the port each came from.
    """

    def __init__(self) -> None:
        self.port = 0
        self.lines: list[tuple[int, str]] = []
        self.heads: list[str] = []
        self.is_closing = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                # A proxy may pass the whole URL on, as it stands.
                line = head.split("\r\n")[0].replace(f"http://127.0.0.1:{self.port}/", "/")
                self.lines.append((writer.get_extra_info("peername")[1], line))
                if self.is_closing:
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@asynccontextmanager
async def provider_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[Provider]:
    provider = Provider()
    server = await asyncio.start_server(provider.handle, "127.0.0.1", 0, ssl=tls)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()


@asynccontextmanager
async def client_of(trust: ssl.SSLContext) -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient(
        transport_factory=lambda: AiohttpTransport(tls=trust),
        proxied_factory=lambda proxy: AiohttpTransport(tls=trust, proxy=proxy),
    )
    try:
        yield client
    finally:
        await client.aclose()


async def send(
    client: UpstreamClient, url: str, proxy: str, seconds: float = LONG
) -> httpx.Response:
    request = httpx.Request("GET", url, headers={"authorization": "Bearer sk-very-secret"})
    return await client.send(
        request, channel_id=CHANNEL, timeout_seconds=seconds, proxy=SecretStr(proxy)
    )


CHANNEL = uuid4()


async def not_sent(client: UpstreamClient, url: str, proxy: str, seconds: float = LONG) -> str:
    with pytest.raises(NotSentError) as caught:
        await send(client, url, proxy, seconds)
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def login_url(scheme: str, port: int) -> str:
    return f"{scheme}://us%20er:{SECRET}@127.0.0.1:{port}"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("login", [None, LOGIN])
async def test_an_http_proxy_leads_to_either_kind_of_provider(
    trust: ssl.SSLContext, identity: ssl.SSLContext, scheme: str, login: tuple[str, str] | None
) -> None:
    proxy = HttpProxy(login)
    async with (
        provider_server(identity if scheme == "https" else None) as provider,
        proxy_server(proxy) as port,
        client_of(trust) as client,
    ):
        url = f"{scheme}://127.0.0.1:{provider.port}"
        way = login_url("http", port) if login else f"http://127.0.0.1:{port}"
        for _ in range(2):
            assert (await send(client, url + TARGET, way)).content == b"ok"

    assert [line for _, line in provider.lines] == [f"GET {TARGET} HTTP/1.1"] * 2
    assert len({port for port, _ in provider.lines}) == 1, "the connection is kept"
    if scheme == "https":
        assert proxy.asked == [f"127.0.0.1:{provider.port}"]
        assert "proxy-authorization" not in "".join(provider.heads).lower()
        assert b"very-secret" not in proxy.heads[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_https_proxy_leads_to_either_kind_of_provider(
    trust: ssl.SSLContext, identity: ssl.SSLContext, scheme: str
) -> None:
    proxy = HttpProxy(LOGIN)
    async with (
        provider_server(identity if scheme == "https" else None) as provider,
        proxy_server(proxy, tls=identity) as port,
        client_of(trust) as client,
    ):
        url = f"{scheme}://127.0.0.1:{provider.port}/x"
        assert (await send(client, url, login_url("https", port))).content == b"ok"

    assert [line for _, line in provider.lines] == ["GET /x HTTP/1.1"]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("login", [None, LOGIN])
async def test_a_socks_proxy_resolves_names_itself(
    trust: ssl.SSLContext, identity: ssl.SSLContext, scheme: str, login: tuple[str, str] | None
) -> None:
    proxy = SocksProxy(login)
    async with (
        provider_server(identity if scheme == "https" else None) as provider,
        proxy_server(proxy) as port,
        client_of(trust) as client,
    ):
        url = f"{scheme}://provider.invalid:{provider.port}"
        way = login_url("socks5", port) if login else f"socks5://127.0.0.1:{port}"
        for _ in range(2):
            assert (await send(client, url + TARGET, way)).content == b"ok"

    assert proxy.asked == [f"provider.invalid:{provider.port}"]
    assert [line for _, line in provider.lines] == [f"GET {TARGET} HTTP/1.1"] * 2


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_that_is_not_there_is_not_sent(trust: ssl.SSLContext, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    async with client_of(trust) as client:
        for target in ("http", "https"):
            url = f"{target}://provider.invalid"
            message = await not_sent(client, url, login_url(scheme, port))
            assert message.endswith(": the proxy cannot be reached.")


@pytest.mark.parametrize("refusal", [b"403 Forbidden", b"502 Bad Gateway", b"301 Moved"])
async def test_a_refused_tunnel_is_not_sent(trust: ssl.SSLContext, refusal: bytes) -> None:
    proxy = HttpProxy(refusal=refusal)
    async with proxy_server(proxy) as port, client_of(trust) as client:
        message = await not_sent(
            client, "https://provider.invalid/x?key=very", f"http://127.0.0.1:{port}"
        )

    assert message == f"provider.invalid:443: the proxy refused ({refusal[:3].decode()})."
    assert proxy.asked == ["provider.invalid:443"]
    assert b"very" not in proxy.heads[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_wrong_login_at_an_http_proxy_is_not_sent(
    trust: ssl.SSLContext, scheme: str
) -> None:
    async with proxy_server(HttpProxy(("a", "b"))) as port, client_of(trust) as client:
        for _ in range(2):
            message = await not_sent(
                client, f"{scheme}://provider.invalid/", login_url("http", port)
            )
            assert message.endswith(": the proxy refused (407).")


async def test_a_wrong_login_at_a_socks_proxy_is_not_sent(trust: ssl.SSLContext) -> None:
    async with proxy_server(SocksProxy(("a", "b"))) as port, client_of(trust) as client:
        message = await not_sent(client, "https://provider.invalid/", login_url("socks5", port))

    assert message == "provider.invalid:443: the proxy refused."


@pytest.mark.parametrize("reply", [1, 2, 3, 4, 5, 8])
async def test_a_socks_proxy_that_cannot_connect_is_not_sent(
    trust: ssl.SSLContext, reply: int
) -> None:
    async with proxy_server(SocksProxy(reply=reply)) as port, client_of(trust) as client:
        message = await not_sent(client, "http://provider.invalid/", f"socks5://127.0.0.1:{port}")

    assert message == "provider.invalid:80: the proxy refused."


async def test_a_silent_proxy_is_not_sent(trust: ssl.SSLContext) -> None:
    async with proxy_server(HttpProxy(is_silent=True)) as port, client_of(trust) as client:
        for scheme in ("http", "socks5"):
            await not_sent(
                client, "https://provider.invalid/", f"{scheme}://127.0.0.1:{port}", SOON
            )


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_an_untrusted_provider_behind_a_proxy_is_not_sent(
    identity: ssl.SSLContext, scheme: str
) -> None:
    proxy = HttpProxy() if scheme == "http" else SocksProxy()
    async with (
        provider_server(identity) as provider,
        proxy_server(proxy) as port,
        client_of(ssl.create_default_context()) as client,
    ):
        message = await not_sent(
            client, f"https://127.0.0.1:{provider.port}", f"{scheme}://127.0.0.1:{port}"
        )

    assert message.endswith(": its TLS certificate is not trusted.")
    assert provider.lines == []


@pytest.mark.parametrize("way", ["http", "socks5"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_a_provider_behind_a_proxy_does_not_answer_is_unanswered(
    trust: ssl.SSLContext, identity: ssl.SSLContext, way: str, scheme: str
) -> None:
    proxy = HttpProxy() if way == "http" else SocksProxy()
    async with (
        provider_server(identity if scheme == "https" else None) as provider,
        proxy_server(proxy) as port,
        client_of(trust) as client,
    ):
        provider.is_closing = True
        with pytest.raises(UnansweredError):
            await send(client, f"{scheme}://127.0.0.1:{provider.port}", f"{way}://127.0.0.1:{port}")

    assert len(provider.lines) == 1, "it was sent once"


async def test_another_proxy_is_another_connection(trust: ssl.SSLContext) -> None:
    async with (
        provider_server() as provider,
        proxy_server(SocksProxy()) as one,
        proxy_server(SocksProxy()) as other,
        client_of(trust) as client,
    ):
        url = f"http://127.0.0.1:{provider.port}"
        for port in (one, other, one):
            await send(client, url, f"socks5://127.0.0.1:{port}")
        request = httpx.Request("GET", url)
        await client.send(request, channel_id=CHANNEL, timeout_seconds=LONG)

    assert len({port for port, _ in provider.lines}) == 3


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:3128",
        "https://proxy.example:443/",
        "socks5://user:p%40ss@[::1]:1080",
        "http://user@proxy:8080",
        "http://user:@proxy:8080",
        "http://user:p%C3%A4ss@proxy:8080",
    ],
)
def test_a_proxy_is_written_like_this(url: str) -> None:
    check_proxy_url(url)
    AiohttpTransport(proxy=SecretStr(url))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy:8080",
        "ftp://proxy:21",
        "socks4://proxy:1080",
        "http://proxy",
        "http://proxy:0",
        "http://proxy:65536",
        "http://proxy:8080/path",
        "http://proxy:8080?x=1",
        "http://a b:8080",
        "http://:secret@proxy:8080",
        "http://user:se@cret@proxy:8080",
        "http://us%3Aer:secret@proxy:8080",
        "socks5://user:secret%C3%A4@proxy:1080",
        "http://proxy:8080\n",
    ],
)
def test_and_not_like_this(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_proxy_url(url)
    assert "secret" not in str(caught.value)
