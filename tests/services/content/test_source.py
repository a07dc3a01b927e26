"""Links that end and are renewed, and videos that only a channel's credential opens."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NoReturn

import httpx
import pytest
from structlog.testing import capture_logs
from tests.api.test_content import breaking
from tests.support.api import build_task
from tests.support.engine import KEYS, SECRET_KEY
from tests.support.films import House, open_house
from tests.support.hosts import FILE, Exchange, Play, open_host, ranged, respond
from tests.support.upstreams import Reply
from typing_extensions import override

from vidgate.exceptions import ConfigurationError, NotSentError, RequestError
from vidgate.logs import mask
from vidgate.models.accounts import Sight
from vidgate.models.channels import ChannelAccess
from vidgate.models.ids import new_id
from vidgate.models.outcomes import Outcome, Succeeded, UpstreamRef, VideoResult
from vidgate.models.tasks import OutputSnapshot, TaskStatus
from vidgate.providers.base import Call, ServesContent
from vidgate.providers.kling import Kling
from vidgate.providers.transport.client import AiohttpTransport
from vidgate.services.content.link_renewal import CannotAskError, GoneError
from vidgate.services.content.source import Variant
from vidgate.services.secrets import SecretBox, read_secret_keys
from vidgate.services.views.content_links import BASE, ContentLinks

NEW_KEY = "bmV3LXNlY3JldC1rZXktb2YtMzItYnl0ZXMtbG9uZyE="


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    async with open_house(database_url) as house:
        yield house


def only(target: str, status: int) -> Play:
    """Serve the file at one place, and an error at all others."""
    serve, refuse = ranged(), respond(status)

    async def play(exchange: Exchange) -> None:
        await (serve if exchange.target == target else refuse)(exchange)

    return play


# Renewing


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_link_that_has_ended_is_renewed(house: House, status: int) -> None:
    house.host.plays = [only("/new", status)]
    house.upstream.on_poll = [house.renewed(f"{house.host.url}/new")]

    first = await house.get(Range="bytes=5-9")
    second = await house.get()

    assert first.content == FILE[5:10]
    assert second.content == FILE
    assert len(house.upstream.polls) == 1  # the new link was kept
    assert [asked.target for asked in house.host.asked] == ["/film.mp4?sign=%2Fx", "/new", "/new"]


async def test_one_that_is_known_to_have_ended_is_not_even_tried(house: House) -> None:
    now = house.engine.clock.now()
    await house.give(expires_at=now)
    house.upstream.on_poll = [house.renewed(f"{house.host.url}/new")]

    assert (await house.get()).content == FILE
    assert [asked.target for asked in house.host.asked] == ["/new"]


async def test_one_that_lives_is_not_renewed(house: House) -> None:
    await house.give(expires_at=house.engine.clock.now() + timedelta(seconds=1))

    assert (await house.get()).content == FILE
    assert house.upstream.polls == []


async def test_one_that_seems_to_have_ended_is_tried_where_there_is_no_other(house: House) -> None:
    await house.give(expires_at=house.engine.clock.now())
    house.upstream.on_poll = ["unknown"]

    assert (await house.get()).content == FILE


@pytest.mark.parametrize(
    ("poll", "status", "expected"),
    [
        ("not found", 403, (404, "content_expired")),
        ("failed", 410, (404, "content_expired")),
        ("same", 403, (404, "content_expired")),
        ("dead", 404, (404, "content_expired")),
        ("dead", 403, (502, "content_unavailable")),
        ("unknown", 403, (502, "content_unavailable")),
        ("running", 404, (502, "content_unavailable")),
        ("not found", 500, (502, "content_unavailable")),
    ],
)
async def test_what_cannot_be_renewed(
    house: House, poll: str, status: int, expected: tuple[int, str]
) -> None:
    told = {"same": house.link, "dead": f"{house.host.url}/dead"}
    house.upstream.on_poll = [house.renewed(told[poll]) if poll in told else poll]
    house.host.plays = [respond(status)]

    source = await house.engine.services.content.find(
        house.task.public_id, Sight(house.task.account_id), Variant.VIDEO
    )
    with pytest.raises(RequestError) as caught:
        await source.open(None)

    assert (caught.value.status, caught.value.code) == expected
    assert len(house.upstream.polls) == (status != 500)


async def test_a_living_link_that_is_refused_is_the_hosts_trouble(house: House) -> None:
    ends = house.engine.clock.now() + timedelta(hours=1)
    await house.give(expires_at=ends)
    house.upstream.on_poll = [house.renewed(house.link + "&x-expires=4000000000")]
    house.host.plays = [respond(403)]

    assert (await house.get()).status_code == 502


async def test_a_host_that_breaks_off_at_the_end_of_its_link(house: House) -> None:
    house.host.plays = [breaking(300_000), respond(403), ranged()]
    house.upstream.on_poll = [house.renewed(f"{house.host.url}/new")]

    assert (await house.get()).content == FILE
    assert house.host.asked[2].target == "/new"


async def test_everybody_who_asks_at_once_shares_one_ask(house: House) -> None:
    goes_on = asyncio.Event()
    asked = asyncio.Event()

    async def held(_: httpx.Request) -> Reply:
        asked.set()
        await goes_on.wait()
        return house.renewed(f"{house.host.url}/new")

    house.upstream.on_poll = [held]
    house.host.plays = [only("/new", 403)]
    first = asyncio.create_task(house.get())
    await asked.wait()
    others = [asyncio.create_task(house.get()) for _ in range(4)]
    first.cancel()  # who came first takes nothing from the others
    await asyncio.gather(first, return_exceptions=True)
    async with house.host.changed:
        await house.host.changed.wait_for(lambda: len(house.host.asked) >= 5)
    goes_on.set()

    assert {answer.content for answer in await asyncio.gather(*others)} == {FILE}
    assert len(house.upstream.polls) == 1


async def test_nobody_makes_us_ask_again_and_again(house: House) -> None:
    house.upstream.on_poll = ["not found"]
    house.host.plays = [respond(403)]

    for _ in range(3):
        assert (await house.get()).status_code == 404
    assert len(house.upstream.polls) == 1


async def test_a_new_link_is_seen_by_who_reads_the_task(house: House) -> None:
    name, sight = house.task.public_id, Sight(house.task.account_id)
    reader = house.engine.services.reader
    before = (await reader.read(name, sight)).snapshot
    house.host.plays = [only("/new", 403)]
    house.upstream.on_poll = [house.renewed(f"{house.host.url}/new")]

    await house.get()
    after = (await reader.read(name, sight)).snapshot

    assert before.result is not None
    assert after.result is not None
    assert (before.result.url, after.result.url) == (house.link, f"{house.host.url}/new")
    assert after.revision > before.revision
    assert after == replace(before, revision=after.revision, outputs=after.outputs)


async def test_the_rest_of_a_result_stays(house: House) -> None:
    await house.give(duration_seconds=5.5, width=3, seed=4, cover_url="http://c.test/")
    house.host.plays = [only("/new", 403)]
    house.upstream.on_poll = [house.renewed(f"{house.host.url}/new")]

    await house.get()

    result = (await house.engine.task(house.task.public_id)).result
    assert result is not None
    assert (result.duration_seconds, result.width, result.seed) == (5.5, 3, 4)
    assert result.cover_url == "http://c.test/"


async def test_only_what_succeeded_gets_another_result(house: House) -> None:
    created = await house.engine.create("kling-v2-6")
    tasks = house.engine.operator.tasks

    changed = await tasks.renew_result(created.snapshot.id, 0, VideoResult(url="http://x.test/"))
    elsewhere = await tasks.renew_result(house.task.id, 1, VideoResult(url="http://x.test/"))

    assert (changed, elsewhere) == (False, False)
    task = await house.engine.task(created)
    assert (task.status, task.result) == (TaskStatus.IN_PROGRESS, None)


async def test_a_new_cover_comes_with_the_new_link(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = VideoResult(
        url=f"{house.host.url}/new",
        cover_url="http://x.test/new.png",
        watermarked_url="http://x.test/new.mp4",
        expires_at=house.engine.clock.now() + timedelta(days=1),
        protected=True,
    )

    provider = house.engine.services.providers["kling"]
    ask = provider.poll

    def poll(refs: list[UpstreamRef], *given: Any) -> Call[Mapping[UpstreamRef, Outcome]]:
        return Call(ask(refs, *given).request, lambda _: {refs[0]: Succeeded(new)})

    monkeypatch.setattr(provider, "poll", poll)
    old = VideoResult(url=house.link, cover_url="http://x.test/a.png", watermarked_url="http://a/")

    assert await house.engine.services.content.renewer.renew(house.task.id, 0, old) == new


async def test_what_nobody_made_is_gone(house: House) -> None:
    with pytest.raises(GoneError):
        await house.engine.services.content.renewer.renew(new_id(), 0, VideoResult(url=house.link))


async def test_a_key_that_cannot_be_used_cannot_ask(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise ConfigurationError("It has no second part.")

    monkeypatch.setattr(house.engine.services.providers["kling"], "poll", refuse)

    with pytest.raises(CannotAskError):
        await house.engine.services.content.renewer.renew(
            house.task.id, 0, VideoResult(url=house.link)
        )


# Protected videos


class ProtectedKling(Kling, ServesContent):
    """Opens a video to whoever shows the channel's key."""

    @override
    def content(
        self, ref: UpstreamRef | None, result: VideoResult, channel: ChannelAccess, now: datetime
    ) -> httpx.Request:
        key = channel.credential.get_secret_value()
        return httpx.Request("GET", result.url, headers={"Authorization": f"Bearer {key}"})


def use_protected(house: House) -> None:
    providers: Any = house.engine.operator.providers
    providers["kling"] = ProtectedKling()
    client: Any = house.engine.services.content.ways._upstream._client
    client._transport_factory = AiohttpTransport
    client._slots.clear()


async def published(house: House) -> str:
    view = await house.engine.services.reader.read(
        house.task.public_id, Sight(house.task.account_id)
    )
    assert view.snapshot.result is not None
    assert not view.snapshot.result.protected
    return httpx.URL(view.snapshot.result.url).path


@pytest.fixture
async def protected(database_url: str) -> AsyncIterator[House]:
    """The operator's own host is exempt from the guard, which lets nothing here through."""
    async with open_house(database_url, allowed_networks=()) as house:
        use_protected(house)
        await house.give(protected=True)
        yield house


async def test_a_protected_video_is_read_by_a_link_of_ours(protected: House) -> None:
    path = await published(protected)

    anonymous = httpx.AsyncClient(base_url=protected.client.base_url)
    async with anonymous:
        answer = await anonymous.get(path, headers={"Range": "bytes=5-9"})
        described = await anonymous.head(path)
        wrong = await anonymous.get(path[:-1] + ("A" if path[-1] != "A" else "Q"))
        links = protected.engine.services.content._links
        beyond = await anonymous.get(httpx.URL(links.of(protected.task.id, 1)).path)
    with_token = await protected.get()

    assert (answer.status_code, answer.content) == (206, FILE[5:10])
    assert described.headers["Content-Length"] == str(len(FILE))
    for none in (wrong, beyond):
        assert (none.status_code, none.json()["code"]) == (404, "not_found")
    assert with_token.content == FILE
    assert with_token.headers["ETag"] == answer.headers["ETag"]
    [first, *_] = protected.host.asked
    assert first.headers["authorization"] == "Bearer kling-test-key"
    assert first.headers["accept-encoding"] == "identity"
    assert first.target == "/film.mp4?sign=%2Fx"


async def test_one_that_breaks_off_is_read_on(protected: House) -> None:
    protected.host.plays = [breaking(300_000), ranged()]

    assert (await protected.get()).content == FILE


async def test_the_credential_goes_no_further_than_its_host(database_url: str) -> None:
    async with open_house(database_url) as house, open_host() as other:
        use_protected(house)
        await house.give(protected=True)
        house.host.plays = [respond(302, Location="/inner"), respond(302, Location=other.url)]

        assert (await house.get()).content == FILE
        assert [asked.headers.get("authorization") for asked in house.host.asked] == [
            "Bearer kling-test-key"
        ] * 2
        [asked] = other.asked
        assert "authorization" not in asked.headers


@pytest.mark.parametrize(("location", "asks"), [("/again", 4), ("http://[", 1)])
async def test_redirects_that_lead_nowhere(protected: House, location: str, asks: int) -> None:
    protected.host.plays = [respond(302, Location=location)]

    assert (await protected.get()).status_code == 502
    assert len(protected.host.asked) == asks


async def test_it_is_fetched_by_the_channels_proxy(protected: House) -> None:
    proxy = "http://proxy.test:3128"
    await protected.engine.operator.provisioning.change_channel("kling", {"proxy": proxy})
    await protected.engine.services.directory.load()
    client: Any = protected.engine.services.content.ways._upstream._client
    ways: list[str] = []

    async def opening(_: httpx.Request, **named: Any) -> NoReturn:
        ways.append(named["proxy"].get_secret_value())
        raise NotSentError("the proxy is not there")

    client.open = opening

    assert (await protected.get()).status_code == 502
    assert ways == [proxy]


async def test_another_host_is_guarded(protected: House) -> None:
    async with open_host() as other:
        protected.host.plays = [respond(302, Location=other.url)]

        assert (await protected.get()).status_code == 502
        assert other.asked == []


async def test_a_host_that_hangs(protected: House) -> None:
    protected.engine.services.content.ways.idle_seconds = 0.2
    protected.host.plays = [Exchange.hang]

    assert (await protected.get()).status_code == 504
    await protected.host.idle()


async def test_who_goes_away_ends_it_there_too(protected: House) -> None:
    protected.host.plays = [breaking(300_000, hangs=True)]

    async with protected.client.stream("GET", protected.path) as answer:
        assert answer.status_code == 200

    await protected.host.idle()
    slots: Any = protected.engine.services.content.ways._upstream._client
    assert [slot.calls for slot in slots._slots.values()] == [0]


async def test_links_are_not_logged(protected: House) -> None:
    path = await published(protected)
    with capture_logs() as logs:
        await protected.client.get(path)

    assert "/content/***" in str(logs)
    assert path.rpartition("/")[2] not in str(logs)
    assert path.rpartition("/")[2] not in mask(f"given https://gateway.test{path}?x")


# Links that lead nowhere, where the channel has a way of its own


class RoundaboutKling(Kling, ServesContent):
    """Serves a job's video to whoever shows the channel's key, whatever its link says."""

    base_url = ""

    @override
    def content(
        self, ref: UpstreamRef | None, result: VideoResult, channel: ChannelAccess, now: datetime
    ) -> httpx.Request | None:
        assert ref is not None
        key = channel.credential.get_secret_value()
        url = f"{self.base_url}/own/{ref.id}"
        return httpx.Request("GET", url, headers={"Authorization": f"Bearer {key}"})


def use_roundabout(house: House) -> None:
    use_protected(house)
    provider = RoundaboutKling()
    provider.base_url = house.host.url
    providers: Any = house.engine.operator.providers
    providers["kling"] = provider


@pytest.fixture
async def roundabout(database_url: str) -> AsyncIterator[House]:
    """The guard lets no link through, and the host is the operator's own."""
    async with open_house(database_url, allowed_networks=()) as house:
        use_roundabout(house)
        yield house


async def test_a_link_that_may_not_be_fetched_is_gone_round(roundabout: House) -> None:
    whole = await roundabout.get()
    part = await roundabout.get(Range="bytes=5-9")

    assert (whole.status_code, whole.content) == (200, FILE)
    assert (part.status_code, part.content) == (206, FILE[5:10])
    assert [asked.target for asked in roundabout.host.asked] == ["/own/kling1", "/own/kling1"]
    assert roundabout.host.asked[0].headers["authorization"] == "Bearer kling-test-key"


async def test_one_that_cannot_be_reached_too(database_url: str) -> None:
    async with open_house(database_url) as house:
        use_roundabout(house)
        await house.give(url="http://127.0.0.1:9/film.mp4")

        assert (await house.get()).content == FILE
        assert [asked.target for asked in house.host.asked] == ["/own/kling1"]


async def test_one_that_has_ended_and_is_not_renewed_too(database_url: str) -> None:
    async with open_house(database_url) as house:
        use_roundabout(house)
        house.host.plays = [only("/own/kling1", 403)]
        house.upstream.on_poll = ["unknown"]

        assert (await house.get()).content == FILE
        assert [asked.target for asked in house.host.asked] == [
            "/film.mp4?sign=%2Fx",
            "/own/kling1",
        ]


async def test_one_that_works_is_not_gone_round(database_url: str) -> None:
    async with open_house(database_url) as house:
        use_roundabout(house)

        assert (await house.get()).content == FILE
        [asked] = house.host.asked
        assert (asked.target, asked.headers.get("authorization")) == ("/film.mp4?sign=%2Fx", None)


async def test_a_way_round_that_breaks_off_is_read_on(roundabout: House) -> None:
    roundabout.host.plays = [breaking(300_000), ranged()]

    assert (await roundabout.get()).content == FILE
    assert [asked.target for asked in roundabout.host.asked] == ["/own/kling1"] * 2


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_a_way_round_that_is_closed_leaves_the_first_error(
    roundabout: House, status: int
) -> None:
    roundabout.host.plays = [respond(status)]

    with capture_logs() as logs:
        answer = await roundabout.get()

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "content_unavailable")
    assert len(roundabout.host.asked) == 1
    assert "VIDGATE_ALLOWED_NETWORKS" in str(logs)
    assert "kling-test-key" not in str(logs)


async def test_a_cover_has_no_way_round(roundabout: House) -> None:
    await roundabout.give(cover_url=f"{roundabout.host.url}/cover.png")

    answer = await roundabout.client.get(roundabout.path, params={"variant": "thumbnail"})

    assert answer.status_code == 502
    assert roundabout.host.asked == []


async def test_the_video_of_a_server_behind_another_gateway(database_url: str) -> None:
    """Its link leads into the other gateway's own network."""
    async with open_house(database_url, allowed_networks=()) as house:
        engine, base_url = house.engine, house.host.url
        await engine.channel("openai_compatible", base_url=base_url)
        engine.router.post(f"{base_url}/v1/videos").respond(json={"id": "task_9"})
        done = {"id": "task_9", "status": "completed", "url": "http://10.0.0.9/film.mp4"}
        engine.router.get(f"{base_url}/v1/videos/task_9").respond(json=done)
        created = await engine.create("clip-1")
        await engine.tick(minutes=5)
        use_protected(house)

        answer = await house.client.get(f"/v1/videos/{created.snapshot.public_id}/content")

        assert (answer.status_code, answer.content) == (200, FILE)
        [asked] = house.host.asked
        assert asked.target == "/v1/videos/task_9/content"
        assert asked.headers["authorization"] == f"Bearer {KEYS['openai_compatible']}"


# Links


def links(*keys: str) -> ContentLinks:
    return ContentLinks(box=SecretBox(lambda: read_secret_keys(",".join(keys), None)))


def test_a_link_names_one_video_and_outlives_a_rotation_of_the_key() -> None:
    task_id = new_id()
    url = links(SECRET_KEY).of(task_id, 3)
    sealed = url.rpartition("/")[2]

    assert url == f"{BASE}/content/{sealed}"
    assert links(NEW_KEY, SECRET_KEY).read(sealed) == (task_id, 3)
    assert links(NEW_KEY).read(sealed) is None
    assert links(SECRET_KEY).of(task_id, 2) != url


def test_whatever_is_changed_in_a_link_makes_it_none() -> None:
    sealing = links(SECRET_KEY)
    sealed = sealing.of(new_id(), 0).rpartition("/")[2]

    for place in range(len(sealed)):
        other = "A" if sealed[place] != "A" else "B"
        assert sealing.read(sealed[:place] + other + sealed[place + 1 :]) is None
    for text in ("", sealed[:-1], sealed + "A", "\u00e9" * 46, "+" * 46, "=" * 46):
        assert sealing.read(text) is None


def test_only_protected_videos_are_published() -> None:
    plain = OutputSnapshot(status=TaskStatus.SUCCEEDED, result=VideoResult(url="https://a.test/"))
    closed = replace(plain, result=VideoResult(url="https://b.test/", protected=True, fps=24))
    missing = OutputSnapshot(status=TaskStatus.FAILED)
    task = build_task(outputs=(plain, closed, missing))
    sealing = links(SECRET_KEY)

    shown = sealing.publish(task)

    assert shown.outputs[0] == plain
    assert shown.outputs[1].result == VideoResult(url=sealing.of(task.id, 1), fps=24)
    assert shown.outputs[2] == missing
    assert sealing.publish(build_task(outputs=(plain,))).outputs == (plain,)
