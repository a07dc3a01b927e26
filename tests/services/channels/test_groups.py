"""Channel groups: which channels a token may use, wherever a channel is chosen."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.engine import Engine
from tests.support.gateway import open_client
from tests.support.upstreams import MODELS, Reply, Upstream, refusal

from vidgate.exceptions import RequestError
from vidgate.models.accounts import Caller
from vidgate.models.outcomes import FaultKind
from vidgate.models.tasks import TaskStatus

FACES = "/kling/v1/videos/identify-face"
ALL_TAGS = {"both": ("vip", "cn"), "vip": ("vip",), "cn": ("cn",), "plain": ()}


@dataclass
class House:
    engine: Engine
    upstreams: dict[str, Upstream]
    client: httpx.AsyncClient

    def submits(self) -> dict[str, int]:
        return {name: len(one.submits) for name, one in self.upstreams.items() if one.submits}

    async def limit(self, token: str = "", account: str = "") -> Caller:
        """Give the caller a token with these limits, as options of the command have them."""
        provisioning = self.engine.operator.provisioning
        names = [one.name for one in await self.engine.operator.accounts.accounts()]
        name = f"team{len(names)}"
        await provisioning.create_account(name, channel_tags=split(account))
        _, key = await provisioning.create_token(
            name="limited", account=name, channel_tags=split(token)
        )
        caller = await self.engine.services.directory.authenticate(key)
        assert caller is not None
        self.engine.caller, self.engine.key = caller, key
        self.client.headers["Authorization"] = f"Bearer {key}"
        return caller

    async def asks(self) -> str | RequestError:
        try:
            created = await self.engine.create(MODELS["kling"])
        except RequestError as error:
            return error
        [attempt] = await self.engine.attempts(created)
        return (await self.engine.services.directory.channel(attempt.channel_id)).name


def split(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


@pytest.fixture
async def house(engine: Engine) -> AsyncIterator[House]:
    upstreams = {}
    for priority, (name, tags) in enumerate(ALL_TAGS.items()):
        await engine.channel("kling", name, tags=tags, priority=priority)
        upstreams[name] = Upstream(engine.router, "kling", name)
    async with open_client(engine) as client:
        yield House(engine, upstreams, client)


@pytest.mark.parametrize(
    ("token", "account", "channels"),
    [
        ("", "", {"both", "vip", "cn", "plain"}),
        ("vip", "", {"both", "vip"}),
        ("vip,cn", "", {"both", "vip", "cn"}),
        ("", "cn", {"both", "cn"}),
        ("vip", "cn", {"both"}),
        ("vip", "vip", {"both", "vip"}),
        ("vip", "vip,cn", {"both", "vip"}),
        ("other", "", set()),
        ("vip", "other", set()),
        ("VIP", "", set()),
    ],
)
async def test_a_channel_has_a_tag_of_each_limit(
    house: House, token: str, account: str, channels: set[str]
) -> None:
    caller = await house.limit(token, account)
    found = {
        one.name
        for one in await house.engine.services.directory.channels()
        if one.is_within(caller.token.channel_limits)
    }

    assert found == channels
    last = [name for name in ALL_TAGS if name in channels][-1:]
    asked = await house.asks()
    if last:
        assert asked == last[0]
    else:
        assert isinstance(asked, RequestError)
        assert (asked.status, asked.code) == (503, "no_channel_for_token")
        assert house.submits() == {}
        assert await house.engine.all_tasks() == []


async def test_a_refusal_moves_within_the_group(house: House) -> None:
    await house.limit("vip")
    for upstream in house.upstreams.values():
        upstream.on_submit = [refusal("kling", FaultKind.BALANCE)]

    error = await house.asks()

    assert isinstance(error, RequestError)
    assert error.status == 502
    assert house.submits().keys() == {"vip", "both"}


@pytest.mark.parametrize("whose", ["token", "account"])
async def test_what_waits_moves_as_its_token_may_now(house: House, whose: str) -> None:
    caller = await house.limit("vip")
    house.upstreams["vip"].on_submit = [refusal("kling", FaultKind.CONCURRENCY)]
    house.upstreams["both"].on_submit = [refusal("kling", FaultKind.CONCURRENCY)]
    created = await house.engine.create(MODELS["kling"])
    assert house.submits().keys() == {"vip", "both"}

    accounts, provisioning = house.engine.operator.accounts, house.engine.operator.provisioning
    await provisioning.change_token("limited", lambda one: replace(one, channel_tags=()))
    if whose == "account":
        account = await accounts.account(caller.account_id)
        assert account is not None
        await provisioning.change_account(
            account.name, lambda one: replace(one, channel_tags=("cn",))
        )
    for _ in range(5):
        await house.engine.tick(minutes=1)

    assert (await house.engine.task(created)).status is not TaskStatus.FAILED
    assert ("plain" in house.submits()) == (whose == "token")


@pytest.mark.parametrize("tags", [("vip",), ("cn",)])
async def test_a_busy_channel_is_gone_back_to_within_the_group(
    house: House, tags: tuple[str, ...]
) -> None:
    await house.limit("vip")
    provisioning = house.engine.operator.provisioning
    house.upstreams["vip"].on_submit = [refusal("kling", FaultKind.CONCURRENCY)]

    async def refuse(_: httpx.Request) -> Reply:
        await provisioning.change_channel("vip", {"tags": tags})
        await house.engine.services.directory.load()
        return refusal("kling", FaultKind.CREDENTIAL)

    house.upstreams["both"].on_submit = [refuse]
    try:
        created = await house.engine.create(MODELS["kling"])
    except RequestError as error:
        came_to: object = error.status
    else:
        came_to = created.snapshot.status

    assert house.submits() == {"vip": 1, "both": 1}
    assert came_to == (TaskStatus.QUEUED if tags == ("vip",) else 502)


async def test_the_log_says_why_no_channel_would_do(house: House) -> None:
    await house.limit("other", "cn")
    with capture_logs() as logs:
        await house.asks()

    [told] = [one for one in logs if "channels" in one]
    assert told["event"] == "No channel that serves a model is one that the token may use"
    assert told["channels"] == {name: list(tags) for name, tags in ALL_TAGS.items()}
    assert (told["token_tags"], told["account_tags"]) == (["other"], ["cn"])
    assert told["model"] == MODELS["kling"]
    assert told["token"].startswith("tok_")


CREATING = {
    "newapi": ("/v1/video/generations", {"model": "kling-v2-6"}),
    "openai": ("/v1/videos", {"model": "kling-v2-6"}),
    "kling": ("/kling/v1/videos/text2video", {"model_name": "kling-v2-6"}),
    "a question": (FACES, {"video_url": "https://a.test/a.mp4"}),
    "another format": (
        "/jimeng?Action=CVSync2AsyncSubmitTask&Version=2022-08-31",
        {"req_key": "jimeng_t2v_v30"},
    ),
    "vidu": ("/vidu/ent/v2/text2video", {"model": "viduq2"}),
}


@pytest.mark.parametrize("kind", CREATING)
async def test_every_dialect_says_that_there_is_no_channel_for_it(house: House, kind: str) -> None:
    for name in ("jimeng", "vidu"):
        await house.engine.channel(name, models=())
    await house.limit("other")
    path, body = CREATING[kind]

    answer = await house.client.post(path, json={"prompt": "a boat", **body})

    # Two vendors have no 503: their SDKs know this as being asked to come again.
    assert answer.status_code == (429 if kind in {"another format", "vidu"} else 503)
    assert "that this token may" in answer.text
    assert house.submits() == {}


async def test_what_a_channel_outside_the_group_made_is_not_followed_up(house: House) -> None:
    for upstream in house.upstreams.values():
        upstream.on_poll = ["succeeded"]
    caller = await house.limit("vip")
    made = await house.engine.create(MODELS["kling"])
    await house.engine.tick(minutes=1)
    name = made.snapshot.public_id
    asked = house.engine.router.post(url__regex="/v1/videos/identify-face")
    asked.respond(json={"code": 0, "data": {"session_id": "93"}})
    provisioning = house.engine.operator.provisioning

    async def follows() -> httpx.Response:
        house.engine.services.directory._tokens.clear()  # as a refresh does in half a second
        await house.engine.services.directory.load()
        return await house.client.post(FACES, json={"video_id": name})

    await provisioning.change_channel("vip", {"tags": ("cn",)})
    refused = await follows()
    await provisioning.change_channel("vip", {"tags": ("cn", "vip")})
    was_asked = len(asked.calls)
    allowed = await follows()

    assert caller.token.channel_tags == ("vip",)
    assert refused.status_code == 503
    assert was_asked == 0
    assert "made by a channel that this token may not use" in refused.text
    assert allowed.status_code == 200, allowed.text


async def test_a_session_outside_the_group_is_not_used(house: House) -> None:
    faces = {"code": 0, "data": {"session_id": "93", "face_data": []}}
    route = house.engine.router.post(url__regex="/v1/videos/(identify-face|multi-elements)")
    route.respond(json=faces)
    await house.limit("vip")
    opened = await house.client.post(FACES, json={"video_url": "https://a.test/a.mp4"})
    name = opened.json()["data"]["session_id"]
    assert {call.request.url.host for call in route.calls} == {"vip.test"}

    await house.engine.operator.provisioning.change_channel("vip", {"tags": ()})
    await house.engine.services.directory.load()
    refused = await house.client.post(
        "/kling/v1/videos/multi-elements/clear-selection", json={"session_id": name}
    )

    assert refused.status_code == 503, refused.text
    assert len(route.calls) == 1


async def test_models_are_those_of_the_channels_that_it_may_use(house: House) -> None:
    for name in ("plain", "cn"):
        await house.engine.operator.provisioning.change_channel(name, {"models": ("of-all",)})
    for name in ("vip", "both"):
        await house.engine.operator.provisioning.change_channel(name, {"models": ("of-vips",)})
    await house.engine.services.directory.load()

    async def models() -> tuple[list[str], list[int]]:
        listed = [one["id"] for one in (await house.client.get("/v1/models")).json()["data"]]
        asked = [await house.client.get(f"/v1/models/{name}") for name in ("of-all", "of-vips")]
        return listed, [one.status_code for one in asked]

    assert await models() == (["of-all", "of-vips"], [200, 200])
    await house.limit("vip")
    assert await models() == (["of-vips"], [404, 200])
    await house.limit("", "cn")
    assert await models() == (["of-all", "of-vips"], [200, 200])
    await house.limit("other")
    assert await models() == ([], [404, 404])
