"""Videos through the whole gateway, from hosts of every kind, over real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.support.api import KEY, Api, open_api
from tests.support.films import House, open_house
from tests.support.hosts import FILE, Exchange, Play, head, ranged, respond, whole
from tests.support.upstreams import Upstream

from vidgate.api.content import read_range
from vidgate.models.accounts import Sight
from vidgate.providers.transport.downloads import Span

SIZE = len(FILE)
HTML = b"<html>gone</html>"


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    async with open_house(database_url) as house:
        yield house


@pytest.mark.parametrize(
    ("value", "span"),
    [
        (None, None),
        ("", None),
        ("bytes=0-0", Span(0, 0)),
        ("bytes=5-", Span(5)),
        ("bytes=-500", Span(None, 500)),
        ("bytes=-0", Span(None, 0)),
        ("BYTES = 1-2", Span(1, 2)),
        ("bytes=-", None),
        ("bytes=2-1", None),
        ("bytes=0-1,4-5", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=0-1x", None),
        ("bytes=+1-2", None),
        ("bytes=99999999999999999999-", None),
    ],
)
def test_ranges_are_read(value: str | None, span: Span | None) -> None:
    assert read_range(value) == span


async def test_a_whole_video(house: House) -> None:
    house.host.plays = [ranged(Set_Cookie="a=b", Server="nginx", X_Trace="t")]

    answer = await house.get()

    assert (answer.status_code, answer.content) == (200, FILE)
    tag = answer.headers["ETag"]
    assert tag[0] == tag[-1] == '"'
    expected = {
        "content-type": "video/mp4",
        "content-length": str(SIZE),
        "accept-ranges": "bytes",
        "cache-control": "private",
        "x-content-type-options": "nosniff",
        "content-disposition": f'inline; filename="{house.task.public_id}.mp4"',
        "etag": tag,
    }
    told = dict(answer.headers)
    del told["date"], told["x-request-id"]
    assert told == expected


async def test_nothing_of_ours_goes_to_the_host_and_the_link_goes_byte_for_byte(
    house: House,
) -> None:
    await house.get(Cookie="session=1", X_Custom="x", Accept_Encoding="gzip")

    [asked] = house.host.asked
    assert asked.method == "GET"
    assert asked.target == "/film.mp4?sign=%2Fx"
    assert asked.headers.keys() == {"host", "accept", "accept-encoding", "user-agent"}
    assert asked.headers["accept-encoding"] == "identity"


PARTS = [
    ("bytes=0-0", 0, 0),
    ("bytes=1000-1999", 1000, 1999),
    ("bytes=1000000-", 1000000, SIZE - 1),
    ("bytes=-500", SIZE - 500, SIZE - 1),
    ("bytes=-99999999", 0, SIZE - 1),
    (f"bytes={SIZE - 1}-{SIZE + 100}", SIZE - 1, SIZE - 1),
]


@pytest.mark.parametrize(("value", "first", "last"), PARTS)
@pytest.mark.parametrize("play", [ranged(), whole()], ids=["ranged", "whole"])
async def test_a_part(house: House, value: str, first: int, last: int, play: Play) -> None:
    house.host.plays = [play]

    answer = await house.get(Range=value)

    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert answer.content == FILE[first : last + 1]


@pytest.mark.parametrize("value", [f"bytes={SIZE}-", "bytes=-0", "bytes=99999999-99999999"])
@pytest.mark.parametrize("play", [ranged(), whole()], ids=["ranged", "whole"])
async def test_a_part_beyond_the_end(house: House, value: str, play: Play) -> None:
    house.host.plays = [play]

    answer = await house.get(Range=value)

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert "message" in answer.json()["error"]


async def test_several_ranges_are_answered_with_all_of_it(house: House) -> None:
    answer = await house.get(Range="bytes=0-1,5-6")

    assert (answer.status_code, answer.content) == (200, FILE)


async def test_what_the_client_has_is_not_sent_again(house: House) -> None:
    tag = (await house.get(Range="bytes=0-0")).headers["ETag"]

    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await house.get(If_None_Match=given)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == tag
    assert (await house.get(If_None_Match='"other"')).status_code == 200
    assert (await house.get(If_None_Match=tag, Range=f"bytes={SIZE}-")).status_code == 304


async def test_a_part_only_of_the_same_file(house: House) -> None:
    tag = (await house.get(Range="bytes=0-0")).headers["ETag"]

    same = await house.get(Range="bytes=5-9", If_Range=tag)
    weak = await house.get(Range="bytes=5-9", If_Range=f"W/{tag}")
    dated = await house.get(Range="bytes=5-9", If_Range="Sat, 01 Jan 2050 00:00:00 GMT")
    beyond = await house.get(Range=f"bytes={SIZE}-", If_Range=tag)
    house.host.plays = [ranged(FILE, ETag='"v2"')]
    other = await house.get(Range="bytes=5-9", If_Range=tag)
    house.host.plays = [ranged(FILE[:100])]
    shorter = await house.get(Range="bytes=500-", If_Range=tag)

    assert (same.status_code, same.content) == (206, FILE[5:10])
    assert beyond.status_code == 416
    assert [answer.status_code for answer in (weak, dated, other, shorter)] == [200] * 4
    assert [len(answer.content) for answer in (weak, dated, other)] == [SIZE] * 3
    assert shorter.content == FILE[:100]


@pytest.mark.parametrize("play", [ranged(), whole()], ids=["ranged", "whole"])
async def test_head_tells_of_the_whole_and_fetches_a_byte(house: House, play: Play) -> None:
    house.host.plays = [play]
    tag = (await house.get()).headers["ETag"]
    house.host.asked.clear()

    answer = await house.client.head(house.path, headers={"Range": "bytes=5-9"})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["ETag"] == tag
    assert [asked.headers["range"] for asked in house.host.asked] == ["bytes=0-0"]
    known = await house.client.head(house.path, headers={"If-None-Match": tag})
    assert known.status_code == 304


def unsized(content: bytes, media_type: str) -> Play:
    """Serve something in chunks, without a word of its size."""

    async def play(exchange: Exchange) -> None:
        told = {"Transfer-Encoding": "chunked", "Content-Type": media_type}
        await exchange.write(head(200, told))
        if content:
            await exchange.write(b"%x\r\n%b\r\n" % (len(content), content))
        await exchange.write(b"0\r\n\r\n")

    return play


XML = b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>no</Message></Error>'
NO_VIDEOS = {
    "empty": b"",
    "html": b"\n <!DOCTYPE html><html><body>please log in</body></html>",
    "html with a mark": b"\xef\xbb\xbf<html></html>",
    "json": b'{"error": {"code": "expired", "message": "no"}}',
    "xml": XML,
}
WAYS = {
    "ranged": lambda content, kind: ranged(content, Content_Type=kind),
    "whole": lambda content, kind: whole(content, Content_Type=kind),
    "chunked": unsized,
}
QUESTIONS = [
    ("GET", {}),
    ("HEAD", {}),
    ("GET", {"Range": "bytes=0-"}),
    ("GET", {"Range": "bytes=0-0"}),
    ("GET", {"Range": "bytes=5-9"}),
    ("GET", {"Range": "bytes=-5"}),
    ("GET", {"If-None-Match": '"x"'}),
]


@pytest.mark.parametrize("variant", ["video", "thumbnail"])
@pytest.mark.parametrize(
    ("way", "kind"),
    [("ranged", "video/mp4"), ("whole", "binary/octet-stream"), ("chunked", "text/html")],
)
@pytest.mark.parametrize("what", NO_VIDEOS)
async def test_what_is_no_video_is_asked_for_once_more_and_is_never_given(
    house: House, what: str, way: str, kind: str, variant: str
) -> None:
    cover = f"{house.host.url}/cover.jpg"
    await house.give(cover_url=cover)
    house.host.plays = [WAYS[way](NO_VIDEOS[what], kind)]
    house.upstream.on_poll = [house.renewed(house.link)]

    for method, headers in QUESTIONS:
        answer = await house.client.request(
            method, house.path, headers=headers, params={"variant": variant}
        )
        assert answer.status_code == 502, (method, headers)
        assert "ETag" not in answer.headers
        if method == "GET":
            assert answer.json()["error"]["code"] == "content_unavailable"
    assert len(house.upstream.polls) == 1  # as nobody can make us ask more often


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", NO_VIDEOS)
async def test_the_new_link_gives_the_video(house: House, what: str, way: str) -> None:
    wrong, right = WAYS[way](NO_VIDEOS[what], "video/mp4"), ranged()

    async def play(exchange: Exchange) -> None:
        await (right if exchange.target == "/new" else wrong)(exchange)

    house.host.plays = [play]
    house.upstream.on_poll = [house.renewed(f"{house.host.url}/new")]

    for method, headers in QUESTIONS:
        await house.give()
        answer = await house.client.request(method, house.path, headers=headers)

        assert answer.status_code == (206 if "Range" in headers else 200)
        assert answer.headers["ETag"]
        if "Range" not in headers:
            assert answer.headers["Content-Length"] == str(SIZE)


# Hosts that misbehave


async def chunked(exchange: Exchange) -> None:
    await exchange.write(head(200, {"Transfer-Encoding": "chunked"}))
    for start in range(0, SIZE, 100_000):
        piece = FILE[start : start + 100_000]
        await exchange.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    await exchange.write(b"0\r\n\r\n")


async def until_closed(exchange: Exchange) -> None:
    await exchange.write(head(200, {"Connection": "close"}), FILE)
    exchange.writer.close()


@pytest.mark.parametrize("play", [chunked, until_closed])
async def test_a_host_that_does_not_say_how_long(house: House, play: Play) -> None:
    house.host.plays = [play]

    answer = await house.get()
    part = await house.get(Range="bytes=5-9")
    rest = await house.get(Range="bytes=5-")
    described = await house.client.head(house.path)

    for one in (answer, part, rest):
        assert (one.status_code, one.content) == (200, FILE)
        assert "Content-Length" not in one.headers
        assert "ETag" not in one.headers
    assert (described.status_code, described.content) == (200, b"")


async def test_a_far_part_of_a_host_without_parts_is_all_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidgate.services.content.stream.SKIP_LIMIT_BYTES", 1000)
    house.host.plays = [whole()]

    near = await house.get(Range="bytes=1000-1001")
    far = await house.get(Range="bytes=1001-1002")

    assert (near.status_code, near.content) == (206, FILE[1000:1002])
    assert (far.status_code, far.content) == (200, FILE)


def part_of(content_range: str, body: bytes, **headers: object) -> Play:
    return respond(206, body, Content_Range=content_range, **headers)


@pytest.mark.parametrize(
    "play",
    [
        part_of(f"bytes 0-4/{SIZE}", FILE[:5]),
        part_of("bytes 5-9/7", FILE[5:10]),
        part_of(f"bytes 5-9/{SIZE}", FILE[5:8]),
        part_of("nonsense", FILE[5:10]),
        part_of(f"bytes 9-5/{SIZE}", FILE[5:10]),
        respond(206, FILE[5:10]),
        respond(416, Content_Range="bytes */*"),
        respond(416, Content_Range=f"bytes */{SIZE}"),
    ],
    ids=range(8),
)
async def test_a_wrong_part_is_cut_out_of_the_whole(house: House, play: Play) -> None:
    house.host.plays = [play, whole()]

    answer = await house.get(Range="bytes=5-9")

    assert (answer.status_code, answer.content) == (206, FILE[5:10])
    assert answer.headers["Content-Range"] == f"bytes 5-9/{SIZE}"


async def test_a_part_of_unknown_whole(house: House) -> None:
    house.host.plays = [part_of("bytes 5-9/*", FILE[5:10])]

    answer = await house.get(Range="bytes=5-9")

    assert (answer.status_code, answer.content) == (206, FILE[5:10])
    assert answer.headers["Content-Range"] == "bytes 5-9/*"


async def test_a_host_that_gives_less_than_asked_is_asked_for_the_rest(house: House) -> None:
    house.host.plays = [part_of(f"bytes 5-9/{SIZE}", FILE[5:10], ETag='"v1"'), ranged()]

    answer = await house.get(Range="bytes=5-")

    assert answer.headers["Content-Range"] == f"bytes 5-{SIZE - 1}/{SIZE}"
    assert answer.content == FILE[5:]


async def test_a_part_that_nobody_asked_for_is_the_beginning_of_the_whole(house: House) -> None:
    house.host.plays = [part_of(f"bytes 0-4/{SIZE}", FILE[:5], ETag='"v1"'), ranged()]

    answer = await house.get()

    assert (answer.status_code, answer.content) == (200, FILE)
    assert answer.headers["Content-Length"] == str(SIZE)


async def test_a_host_that_gives_more_than_asked_is_cut(house: House) -> None:
    house.host.plays = [part_of(f"bytes 5-99/{SIZE}", FILE[5:100])]

    answer = await house.get(Range="bytes=5-9")

    assert answer.content == FILE[5:10]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("video/webm", "video/webm"),
        ("VIDEO/MP4; codecs=x", "video/mp4"),
        ("binary/octet-stream", "video/mp4"),
        ("text/plain", "video/mp4"),
        ("image/png", "video/mp4"),
        ("", "video/mp4"),
        ('video/x"\x01y', "video/mp4"),
    ],
)
async def test_what_it_is_called(house: House, given: str, told: str) -> None:
    house.host.plays = [ranged(Content_Type=given)]

    answer = await house.get(Range="bytes=0-0")

    assert answer.headers["Content-Type"] == told


@pytest.mark.parametrize(
    ("given", "told"), [("image/webp", "image/webp"), ("image/svg+xml", "image/jpeg")]
)
async def test_the_picture(house: House, given: str, told: str) -> None:
    await house.give(cover_url=f"{house.host.url}/cover")
    house.host.plays = [ranged(Content_Type=given)]

    answer = await house.client.get(house.path, params={"variant": "thumbnail"})

    assert (answer.status_code, answer.content) == (200, FILE)
    assert answer.headers["Content-Type"] == told
    assert house.host.asked[0].target == "/cover"
    video = await house.get()
    assert video.headers["ETag"] != answer.headers["ETag"]


async def test_variants_that_are_not_there(house: House) -> None:
    for variant in ("thumbnail", "watermarked"):
        answer = await house.client.get(house.path, params={"variant": variant})
        assert answer.status_code == 404
    for variant in ("spritesheet", ""):
        answer = await house.client.get(house.path, params={"variant": variant})
        assert answer.status_code == 400
        assert "thumbnail" in answer.text
    assert house.host.asked == []


@pytest.mark.parametrize(
    "play",
    [
        respond(500),
        respond(429),
        respond(200, HTML, Content_Type="text/html; charset=utf-8"),
        respond(200, HTML, Content_Type="application/xml"),
        respond(200, b"zzz", Content_Encoding="gzip"),
        respond(302, Location="http://10.0.0.1/secret"),
        respond(302, Location="http://2130706433/"),
        respond(302, Location="/again"),
        respond(204),
    ],
    ids=range(9),
)
async def test_a_host_that_does_not_deliver(house: House, play: Play) -> None:
    house.host.plays = [play]
    house.upstream.on_poll = ["unknown"]

    answer = await house.get()

    assert answer.status_code == 502
    assert answer.headers["Content-Type"] == "application/json"
    assert "127.0.0.1" not in answer.text
    assert "gone" not in answer.text


async def test_nobody_there(house: House) -> None:
    await house.give(url="http://127.0.0.1:9/film.mp4")

    assert (await house.get()).status_code == 502


async def test_a_link_inside_is_not_opened(database_url: str) -> None:
    async with open_house(database_url, allowed_networks=()) as house:
        answer = await house.get()

        assert answer.status_code == 502
        assert house.host.asked == []


async def test_a_redirect_is_followed(house: House) -> None:
    house.host.plays = [respond(302, Location="/b%2Fc"), ranged()]

    answer = await house.get(Range="bytes=5-9")

    assert answer.content == FILE[5:10]
    assert [asked.target for asked in house.host.asked] == ["/film.mp4?sign=%2Fx", "/b%2Fc"]
    assert house.host.asked[1].headers["range"] == "bytes=5-9"


async def hang(exchange: Exchange) -> None:
    await exchange.hang()


async def hang_after_head(exchange: Exchange) -> None:
    await exchange.write(head(200, {"Content-Length": SIZE}))
    await exchange.hang()


@pytest.mark.parametrize("play", [hang, hang_after_head])
async def test_a_host_that_says_nothing(house: House, play: Play) -> None:
    house.engine.services.content.ways.idle_seconds = 0.2
    house.host.plays = [play]

    answer = await house.get()

    assert answer.status_code == 504
    assert len(house.host.asked) == 1
    await house.host.idle()


def breaking(at: int, *, hangs: bool = False, **headers: object) -> Play:
    """Send the file up to a byte and go away, or stop."""

    async def play(exchange: Exchange) -> None:
        first, last = exchange.span(SIZE) or (0, SIZE - 1)
        named = {"ETag": '"v1"', "Content-Length": last - first + 1, **headers}
        if "range" in exchange.headers:
            named["Content-Range"] = f"bytes {first}-{last}/{SIZE}"
        status = 206 if "range" in exchange.headers else 200
        await exchange.write(head(status, named), FILE[first:at])
        if hangs:
            await exchange.hang()
        exchange.writer.close()

    return play


async def test_a_host_that_breaks_off_before_the_first_byte_does_not_deliver(house: House) -> None:
    house.host.plays = [breaking(0)]

    answer = await house.get()

    assert answer.status_code == 502
    assert "Content-Range" not in answer.headers
    assert len(house.host.asked) == 4


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_host_that_breaks_off_is_asked_for_the_rest(house: House, *, hangs: bool) -> None:
    house.engine.services.content.ways.idle_seconds = 3.0  # a busy machine answers late
    house.host.plays = [breaking(300_000, hangs=hangs), ranged()]

    answer = await house.get()

    assert answer.content == FILE
    assert house.host.asked[1].headers["range"] == f"bytes=300000-{SIZE - 1}"


async def test_the_rest_of_a_part(house: House) -> None:
    house.host.plays = [breaking(300_000), breaking(600_000), ranged()]

    answer = await house.get(Range="bytes=1000-900000")

    assert answer.content == FILE[1000:900_001]
    assert [asked.headers["range"] for asked in house.host.asked] == [
        "bytes=1000-900000",
        "bytes=300000-900000",
        "bytes=600000-900000",
    ]


async def test_the_rest_from_a_host_without_parts(house: House) -> None:
    house.host.plays = [breaking(300_000), whole(ETag='"v1"')]

    assert (await house.get()).content == FILE


@pytest.mark.parametrize(
    "plays",
    [
        [breaking(300_000), ranged(ETag='"v2"')],
        [breaking(300_000), ranged(FILE + b"x")],
        [breaking(300_000), respond(500)],
        [breaking(300_000)] * 9,
        [breaking(300_000), hang],
    ],
    ids=["other tag", "other size", "error", "for ever", "hangs"],
)
async def test_what_cannot_be_read_on_is_cut(house: House, plays: list[Play]) -> None:
    house.engine.services.content.ways.idle_seconds = 3.0  # a busy machine answers late
    house.host.plays = list(plays)

    with pytest.raises(httpx.RemoteProtocolError):
        await house.get()

    assert len(house.host.asked) <= 5


async def test_a_host_that_breaks_off_in_chunks_is_cut(house: House) -> None:
    async def play(exchange: Exchange) -> None:
        await exchange.write(head(200, {"Transfer-Encoding": "chunked"}), b"5\r\nabcde\r\n")
        exchange.writer.close()

    house.host.plays = [play]

    with pytest.raises(httpx.RemoteProtocolError):
        await house.get()


async def test_a_reader_who_goes_away_ends_it_at_the_host(house: House) -> None:
    house.host.plays = [breaking(300_000, hangs=True)]

    async with house.client.stream("GET", house.path) as answer:
        assert answer.status_code == 200
        assert house.host.open_connections == 1

    await house.host.idle()


async def test_one_who_goes_away_before_the_answer_does_too(house: House) -> None:
    house.host.plays = [hang]
    getting = asyncio.create_task(house.get())
    async with house.host.changed:
        await house.host.changed.wait_for(lambda: house.host.open_connections == 1)

    getting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await getting

    await house.host.idle()


async def test_a_slow_reader_slows_the_host(house: House) -> None:
    written = 0
    full = asyncio.Event()
    limit = 64 * 1024 * 1024

    async def play(exchange: Exchange) -> None:
        nonlocal written
        await exchange.write(head(200, {"Content-Length": limit}))
        while written < limit:
            exchange.writer.write(bytes(1024 * 1024))
            written += 1024 * 1024
            try:
                async with asyncio.timeout(1):
                    await exchange.writer.drain()
            except TimeoutError:
                full.set()
                await exchange.writer.drain()

    house.host.plays = [play]
    async with house.client.stream("GET", house.path) as answer:
        assert answer.status_code == 200
        async with asyncio.timeout(20):
            await full.wait()
    # What the kernel's buffers on both ways hold, and little of ours.
    assert written < 32 * 1024 * 1024


# Who may


async def test_another_accounts_task_is_the_same_as_none(house: House) -> None:
    provisioning = house.engine.operator.provisioning
    other = await provisioning.create_account("other")
    _, key = await provisioning.create_token(name="foreign", account=other.name)
    missing = house.path.replace("task_", "task_0")

    foreign = await house.get(Authorization=f"Bearer {key}")
    none = await house.client.get(missing)
    without = await house.client.get(house.path, headers={"Authorization": ""})

    assert (foreign.status_code, none.status_code, without.status_code) == (404, 404, 401)
    assert house.host.asked == []


async def test_only_what_succeeded_has_content(house: House) -> None:
    created = await house.engine.create("kling-v2-6")
    path = f"/v1/videos/{created.snapshot.public_id}/content"
    before = await house.client.get(path)
    house.upstream.on_poll = ["failed"]
    await house.engine.tick(minutes=1)
    after = await house.client.get(path)
    await house.engine.operator.provisioning.remove_channel("kling")
    await house.engine.channel("kling", "full", max_concurrency=1)
    Upstream(house.engine.router, "kling", "full")
    await house.engine.create("kling-v2-6")
    waiting = (await house.engine.create("kling-v2-6")).snapshot
    await house.engine.services.canceller.cancel(waiting.public_id, Sight(waiting.account_id))
    stopped = await house.client.get(f"/v1/videos/{waiting.public_id}/content")

    assert [one.status_code for one in (before, after, stopped)] == [409] * 3
    assert "not ready" in before.text
    assert "failed" in after.text
    assert "cancelled" in stopped.text


async def test_so_many_at_once_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidgate.services.content.source.DOWNLOADS_PER_ACCOUNT", 1)
    house.host.plays = [breaking(300_000, hangs=True), ranged()]

    async with house.client.stream("GET", house.path):
        refused = await house.get()
    await house.host.idle()
    later = await house.get()

    assert (refused.status_code, later.status_code) == (503, 200)
    assert "Retry-After" in refused.headers


async def test_the_routes_are_documented() -> None:
    async with open_api() as api:
        paths = (await api.client.get("/openapi.json")).json()["paths"]
        for path, is_public in (
            ("/v1/videos/{task_id}/content", False),
            ("/content/{sealed}", True),
        ):
            operation = paths[path]["get"]
            assert ("security" not in operation) == is_public
            answers = {"200", "206", "304", "404", "416", "502", "503", "504"}
            assert answers <= operation["responses"].keys()
            assert "422" not in operation["responses"]
            names = [one["name"] for one in operation["parameters"]]
            assert names.count("Range") == 1
        assert (await _flat(api)) == "not_found"


async def _flat(api: Api) -> str:
    answer = await api.client.get(f"/content/{'A' * 46}", headers={"Authorization": KEY})
    assert answer.status_code == 404
    code: str = answer.json()["code"]
    return code
