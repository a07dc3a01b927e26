"""What the guard lets through, by text and by address, and fetches from hostile servers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address, ip_network

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from vidgate.exceptions import NotSentError, ProviderProtocolError, UnansweredError
from vidgate.providers.transport.downloads import StalledError
from vidgate.providers.transport.guard import (
    CONNECTIONS_PER_HOST,
    GuardedFetcher,
    RangeAnswer,
    UnsafeUrlError,
    check_url,
    is_allowed_address,
)

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
LONG = 20.0


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example.com/a%2Fb.mp4?sign=A%2FB&x=@:/",
        "http://example.com",
        "HTTP://Example.COM:8080/path",
        "https://xn--mnchen-3ya.de/",
        "https://my_bucket.s3.example.com/",
        "https://example.com./",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://1.2.3.4.example.com/",
        "https://example.com?x=1",
        "https://example.com/你好.mp4",
        "https://localhost.example.com/",
    ],
)
def test_ordinary_urls_pass(url: str) -> None:
    check_url(url, allowed_networks=())


@pytest.mark.parametrize(
    "url",
    [
        # no URL that is fetched
        "",
        "example.com",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "http:/example.com/",
        "http:example.com",
        "http://",
        "http:///path",
        "https://?x",
        "https://:443/",
        " https://example.com/",
        "https://example.com/a b",
        "https://example.com/\r\nHost: x",
        "https://exa\tmple.com/",
        "https://example.com/" + "a" * 8192,
        # credentials, and hosts that two parsers read differently
        "https://user:sk-secret@example.com/",
        "https://user@example.com/",
        "https://@example.com/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com@127.0.0.1/",
        "https://example.com:80@127.0.0.1/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:port/",
        "https://example..com/",
        "https://.example.com/",
        "https://例え.jp/",
        "https://127。0。0。1/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://%31%32%37.0.0.1/",
        "https://exa%00mple.com/",
        # this machine by name
        "http://localhost/",
        "http://LOCALHOST:8000/",
        "http://localhost./",
        "http://a.localhost/",
        "http://localhost.localdomain/",
        "http://ip6-loopback/",
        # addresses in every spelling
        "http://127.0.0.1/",
        "http://127.0.0.1./",
        "http://127.1/",
        "http://127.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0X7F.1/",
        "http://017700000001/",
        "http://0177.0.0.1/",
        "http://127.0.0.01/",
        "http://0/",
        "http://0.0.0.0/",
        "http://0x/",
        "http://256.256.256.256/",
        "http://1.2.3.4.5/",
        "http://foo.0x7f000001/",
        "http://10.0.0.1/",
        "http://100.64.0.1/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://169.254.169.254/latest/meta-data/",
        "http://172.16.0.1/",
        "http://192.0.0.192/",
        "http://192.168.1.1/",
        "http://198.18.0.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::]/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::127.0.0.1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::ffff:8.8.8.8]/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://[64:ff9b::8.8.8.8]/",
        "http://[64:ff9b:1::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001::1]/",
        "http://[2001:db8::1]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://[100::1]/",
        "http://[v1.a]/",
        "http://[127.0.0.1]/",
        "http://[::1",
        "http://[::1]x/",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    with pytest.raises(UnsafeUrlError) as caught:
        check_url(url, allowed_networks=())

    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "networks"),
    [
        ("http://10.1.2.3/", ["10.0.0.0/8"]),
        ("http://127.0.0.1:9/", ["127.0.0.0/8"]),
        ("http://localhost:9/", ["127.0.0.0/8"]),
        ("http://localhost:9/", ["::1/128"]),
        ("http://[::1]/", ["::1/128"]),
        ("http://[fd00::1]/", ["10.0.0.0/8", "fd00::/8"]),
        ("http://[64:ff9b::8.8.8.8]/", ["64:ff9b::/96"]),
        ("http://[64:ff9b::10.0.0.1]/", ["64:ff9b::/96", "10.0.0.0/8"]),
    ],
)
def test_networks_make_exceptions(url: str, networks: list[str]) -> None:
    check_url(url, allowed_networks=[ip_network(network) for network in networks])


@pytest.mark.parametrize(
    ("url", "networks"),
    [
        ("http://10.1.2.3/", ["10.0.0.0/16"]),
        ("http://localhost:9/", ["10.0.0.0/8"]),
        ("http://[64:ff9b::10.0.0.1]/", ["64:ff9b::/96"]),
        ("http://[::ffff:10.0.0.1]/", ["10.0.0.0/8"]),
        ("http://[fe80::1%25eth0]/", ["::/0"]),
        ("http://2130706433/", ["127.0.0.0/8"]),
    ],
)
def test_an_exception_is_no_wider_than_it_says(url: str, networks: list[str]) -> None:
    with pytest.raises(UnsafeUrlError):
        check_url(url, allowed_networks=[ip_network(network) for network in networks])


@pytest.mark.parametrize("text", ["fe80::1%eth0", "::ffff:10.0.0.1", "239.1.2.3", "4000::1"])
def test_addresses_that_name_servers_may_give_are_refused(text: str) -> None:
    assert not is_allowed_address(ip_address(text), ())


# Fetching


class Names(AbstractResolver):
    """A name server in a stranger's hands."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = addresses

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.addresses[host]
        ]

    @override
    async def close(self) -> None:
        pass


FILE = bytes(range(256)) * 4096
Answer = Callable[[str, tuple[int, int]], bytes]


def ranged(_: str, asked: tuple[int, int]) -> bytes:
    start, end = asked
    if start >= len(FILE):
        head = f"HTTP/1.1 416 Beyond\r\nContent-Range: bytes */{len(FILE)}\r\nContent-Length: 0"
        return head.encode() + b"\r\n\r\n"
    part = FILE[start : end + 1]
    head = (
        f"HTTP/1.1 206 Partial\r\nContent-Length: {len(part)}\r\n"
        f"Content-Range: bytes {start}-{start + len(part) - 1}/{len(FILE)}"
    )
    return head.encode() + b"\r\n\r\n" + part


def whole(_: str, __: tuple[int, int]) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(FILE) + FILE


class Server:
    """Answers every request with what a function makes of its target and range."""

    def __init__(self) -> None:
        self.answer: Answer = ranged
        self.heads: list[bytes] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                target = head.split()[1].decode()
                asked = head.partition(b"bytes=")[2].partition(b"\r\n")[0].decode()
                start, _, end = asked.partition("-")
                writer.write(self.answer(target, (int(start), int(end))))
                await writer.drain()
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server


@contextlib.asynccontextmanager
async def fetcher_of(**options: object) -> AsyncIterator[GuardedFetcher]:
    fetcher = GuardedFetcher(**options)  # type: ignore[arg-type]  # the options of one test
    try:
        yield fetcher
    finally:
        await fetcher.aclose()


@pytest.fixture
async def fetcher() -> AsyncIterator[GuardedFetcher]:
    async with fetcher_of(allowed_networks=LOOPBACK) as fetcher:
        yield fetcher


async def test_a_part_is_read_over_one_connection(server: Server, fetcher: GuardedFetcher) -> None:
    for start, length in ((0, 10), (1000, 65536), (len(FILE) - 5, 100)):
        answer = await fetcher.get_range(
            f"{server.url}/video.mp4", start, length, timeout_seconds=LONG
        )
        assert answer == RangeAnswer(FILE[start : start + length], len(FILE))

    assert server.connections == 1


async def test_beyond_the_end_is_empty(server: Server, fetcher: GuardedFetcher) -> None:
    answer = await fetcher.get_range(server.url, len(FILE) + 1, 10, timeout_seconds=LONG)

    assert answer == RangeAnswer(b"", len(FILE))


@pytest.mark.parametrize("start", [0, 5000])
async def test_a_server_that_ignores_ranges_is_read_no_further(
    server: Server, fetcher: GuardedFetcher, start: int
) -> None:
    server.answer = whole

    answer = await fetcher.get_range(server.url, start, 100, timeout_seconds=LONG)

    assert answer == RangeAnswer(FILE[start : start + 100], len(FILE))


async def test_a_server_that_sends_more_than_asked_is_cut(
    server: Server, fetcher: GuardedFetcher
) -> None:
    server.answer = lambda _, asked: ranged("", (asked[0], asked[1] + 5000))

    answer = await fetcher.get_range(server.url, 7, 100, timeout_seconds=LONG)

    assert answer.content == FILE[7:107]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Expired\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 9-10/100\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 206 Partial\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 204 Nothing\r\n\r\n",
    ],
)
async def test_what_is_no_part_of_a_file_is_an_error(
    server: Server, fetcher: GuardedFetcher, answer: bytes
) -> None:
    server.answer = lambda _, __: answer

    with pytest.raises(ProviderProtocolError):
        await fetcher.get_range(server.url, 0, 10, timeout_seconds=LONG)


async def test_a_far_part_of_a_server_that_ignores_ranges_is_an_error(
    server: Server, fetcher: GuardedFetcher
) -> None:
    server.answer = whole

    with pytest.raises(ProviderProtocolError):
        await fetcher.get_range(server.url, 2_000_000, 10, timeout_seconds=LONG)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (b"garbage\r\n\r\n", LONG),
        (b"", 0.1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", 0.1),
    ],
)
async def test_no_complete_answer_is_unanswered(
    server: Server, fetcher: GuardedFetcher, answer: bytes, seconds: float
) -> None:
    server.answer = lambda _, __: answer

    with pytest.raises(UnansweredError) as caught:
        await fetcher.get_range(f"{server.url}/?sign=sk-secret", 0, 9, timeout_seconds=seconds)

    assert "sk-secret" not in str(caught.value)


async def test_a_refused_connection_is_not_sent(fetcher: GuardedFetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    with pytest.raises(NotSentError):
        await fetcher.get_range(f"http://127.0.0.1:{port}/", 0, 9, timeout_seconds=LONG)


async def test_the_url_goes_out_byte_for_byte(server: Server, fetcher: GuardedFetcher) -> None:
    target = "/a%2Fb/../%7e.mp4?sign=A%2FB%2b==&x=a+b%20c"

    await fetcher.get_range(server.url + target + "#part", 0, 9, timeout_seconds=LONG)

    assert server.heads[0].split(b" ")[1].decode() == target


async def test_no_cookies_and_no_credentials(server: Server, fetcher: GuardedFetcher) -> None:
    server.answer = lambda _, asked: ranged("", asked).replace(
        b"Partial\r\n", b"Partial\r\nSet-Cookie: a=b\r\n"
    )

    for _ in range(2):
        await fetcher.get_range(server.url, 0, 9, timeout_seconds=LONG)

    sent = server.heads[1].lower()
    assert b"cookie" not in sent
    assert b"authorization" not in sent


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["127.0.0.1", "10.0.0.1", "::1"],
        ["::ffff:127.0.0.1"],
        ["169.254.169.254"],
    ],
)
async def test_a_name_that_leads_inside_is_not_connected_to(
    server: Server, addresses: list[str]
) -> None:
    names = Names(**{"public.example": addresses})
    async with fetcher_of(resolver=names) as fetcher:
        with pytest.raises(UnsafeUrlError):
            await fetcher.get_range(
                f"http://public.example:{server.port}/", 0, 9, timeout_seconds=LONG
            )

    assert server.connections == 0


async def test_a_literal_is_stopped_at_the_connection_too(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidgate.providers.transport.guard.check_url", lambda *_, **__: None)
    async with fetcher_of() as fetcher:
        with pytest.raises(UnsafeUrlError):
            await fetcher.get_range(server.url, 0, 9, timeout_seconds=LONG)

    assert server.connections == 0


async def test_the_allowed_address_of_a_name_is_used(server: Server) -> None:
    names = Names(**{"mixed.example": ["10.0.0.1", "127.0.0.1"]})
    async with fetcher_of(resolver=names, allowed_networks=LOOPBACK) as fetcher:
        answer = await fetcher.get_range(
            f"http://mixed.example:{server.port}/", 0, 9, timeout_seconds=LONG
        )

    assert answer.content == FILE[:9]


async def test_an_unknown_name_is_not_sent() -> None:
    async with fetcher_of(resolver=Names()) as fetcher:
        with pytest.raises(NotSentError):
            await fetcher.get_range("http://nowhere.example/", 0, 9, timeout_seconds=LONG)


def redirect(location: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_a_redirect_is_followed(server: Server, fetcher: GuardedFetcher) -> None:
    server.answer = lambda target, asked: (
        ranged("", asked) if target == "/b%2Fc?d=%2F" else redirect("/b%2Fc?d=%2F")
    )

    answer = await fetcher.get_range(f"{server.url}/a", 3, 9, timeout_seconds=LONG)

    assert answer.content == FILE[3:12]


@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.1/",
        "http://2130706433/",
        "file:///etc/passwd",
        "//user@127.0.0.1/",
        "http://[",
    ],
)
async def test_a_redirect_is_checked_again(
    server: Server, fetcher: GuardedFetcher, location: str
) -> None:
    server.answer = lambda _, __: redirect(location)

    with pytest.raises(UnsafeUrlError):
        await fetcher.get_range(f"{server.url}/a", 0, 9, timeout_seconds=LONG)

    assert len(server.heads) == 1


async def test_redirects_end(server: Server, fetcher: GuardedFetcher) -> None:
    server.answer = lambda target, _: redirect(target + "a")

    with pytest.raises(ProviderProtocolError):
        await fetcher.get_range(f"{server.url}/a", 0, 9, timeout_seconds=LONG)

    assert len(server.heads) == 4


# Streaming


async def test_a_file_is_opened_and_not_read(server: Server, fetcher: GuardedFetcher) -> None:
    server.answer = lambda target, asked: (
        ranged("", asked) if target == "/b%2Fc" else redirect("/b%2Fc")
    )

    answer = await fetcher.open(
        f"{server.url}/a", {"Range": "bytes=3-9", "X-Own": "1"}, timeout_seconds=LONG
    )

    assert (answer.status_code, answer.headers["Content-Length"]) == (206, "7")
    assert not answer.is_stream_consumed
    assert await answer.aread() == FILE[3:10]
    assert [b"X-Own: 1" in sent for sent in server.heads] == [True, True]
    assert all(b"cookie" not in sent.lower() for sent in server.heads)


async def test_any_status_is_an_answer_to_who_opens(
    server: Server, fetcher: GuardedFetcher
) -> None:
    server.answer = lambda _, __: b"HTTP/1.1 403 Expired\r\nContent-Length: 0\r\n\r\n"

    answer = await fetcher.open(server.url, {"Range": "bytes=0-9"}, timeout_seconds=LONG)
    await answer.aclose()

    assert answer.status_code == 403


async def test_opening_is_guarded_too(server: Server, fetcher: GuardedFetcher) -> None:
    headers = {"Range": "bytes=0-0"}
    names = Names(**{"public.example": ["127.0.0.1"]})
    async with fetcher_of(resolver=names) as strict:
        for url in (server.url, f"http://public.example:{server.port}/"):
            with pytest.raises(UnsafeUrlError):
                await strict.open(url, headers, timeout_seconds=LONG)
    assert server.connections == 0

    server.answer = lambda _, __: redirect("http://10.0.0.1/")
    with pytest.raises(UnsafeUrlError):
        await fetcher.open(server.url, headers, timeout_seconds=LONG)


async def test_who_opens_waits_for_the_head_only_so_long(
    server: Server, fetcher: GuardedFetcher
) -> None:
    server.answer = lambda _, __: b""

    with pytest.raises(StalledError):
        await fetcher.open(server.url, {"Range": "bytes=0-0"}, timeout_seconds=0.1)


async def test_downloads_take_no_connection_from_reads(
    server: Server, fetcher: GuardedFetcher
) -> None:
    """However many files of a host are open, a read of it need not wait."""
    opened = [
        await fetcher.open(server.url, {"Range": "bytes=0-999999"}, timeout_seconds=LONG)
        for _ in range(CONNECTIONS_PER_HOST + 1)
    ]

    answer = await fetcher.get_range(server.url, 0, 9, timeout_seconds=LONG)

    assert answer.content == FILE[:9]
    for one in opened:
        await one.aclose()
