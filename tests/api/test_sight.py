"""What a token sees, at every route that reads or changes something, as one table."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import httpx
import pytest
from tests.support.engine import Engine
from tests.support.gateway import build_app, open_client
from tests.support.upstreams import MODELS, Upstream

from vidgate.models.accounts import Caller, Sees
from vidgate.models.ids import new_id, public_id
from vidgate.models.requests import VideoRequest
from vidgate.models.webhooks import DeliveryQuery

OTHER_ACCOUNT = "elsewhere"
ENDPOINT = {"name": "mine", "url": "https://a.test/hook", "event_types": ["video.completed"]}
FACES = "/kling/v1/videos/identify-face"
SESSION = "930000000001"
UNLIKE = re.compile(r'"(request_id|trace_id|time_elapsed)": ?"[^"]*"')
"""What differs from one answer to the next."""


@dataclass
class Asker:
    """A token that sends requests."""

    client: httpx.AsyncClient
    key: str
    caller: Caller

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **options)


@dataclass
class House:
    """The gateway, and what may be asked of it."""

    engine: Engine
    client: httpx.AsyncClient

    async def asker(self, sees: Sees, account: str | None = None) -> Asker:
        _, key = await self.engine.operator.provisioning.create_token(
            name="one", sees=sees, account=account
        )
        caller = await self.engine.services.directory.authenticate(key)
        assert caller is not None
        return Asker(self.client, key, caller)

    async def task(
        self, maker: Asker, *, dialect: str = "newapi", is_finished: bool = False
    ) -> str:
        request = VideoRequest(model=MODELS["kling"], prompt="a boat")
        created = await self.engine.services.task_creator.create(
            maker.caller, request, dialect=dialect
        )
        if is_finished:
            await self.engine.tick(minutes=1)
        name = created.snapshot.public_id
        # From here on memory has it.
        assert (await maker.send("GET", f"/v1/video/generations/{name}")).status_code == 200
        return name


@pytest.fixture
async def house(engine: Engine) -> AsyncIterator[House]:
    await engine.channel("kling", models=("*",))
    Upstream(engine.router, "kling").on_poll = ["succeeded"]
    faces = {"code": 0, "data": {"session_id": SESSION, "face_data": []}}
    engine.router.post(url__regex="/v1/videos/(identify-face|multi-elements)").respond(json=faces)
    await engine.operator.provisioning.create_account(OTHER_ACCOUNT)
    async with open_client(engine) as client:
        yield House(engine, client)


Ask: TypeAlias = Callable[[Asker, str], Awaitable[httpx.Response]]


def at(method: str, path: str, **options: Any) -> Ask:
    """A request in which `TASK` stands for the task, in the path and in what is sent."""

    async def ask(asker: Asker, name: str) -> httpx.Response:
        filled = json.loads(json.dumps(options).replace("TASK", name))
        return await asker.send(method, path.replace("TASK", name), **filled)

    return ask


def following(path: str, **body: Any) -> Ask:
    return at("POST", path, json={"prompt": "again"} | body)


NAMED = {
    "GET /v1/video/generations/{task_id}": at("GET", "/v1/video/generations/TASK"),
    "waiting": at("GET", "/v1/video/generations/TASK?wait=1"),
    "GET /v1/video/generations/{task_id}/events": at("GET", "/v1/video/generations/TASK/events"),
    "POST /v1/video/generations/{task_id}/cancel": at("POST", "/v1/video/generations/TASK/cancel"),
    "behind it": at("GET", "/v1/video/generations?after=TASK"),
    "ahead of it": at("GET", "/v1/video/generations?before=TASK"),
    "GET /v1/videos/{video_id}": at("GET", "/v1/videos/TASK"),
    "DELETE /v1/videos/{video_id}": at("DELETE", "/v1/videos/TASK"),
    "GET /v1/videos/{task_id}/content": at("HEAD", "/v1/videos/TASK/content"),
    "POST /v1/videos/{video_id}/remix": following("/v1/videos/TASK/remix"),
    "POST /v1/videos/edits": following("/v1/videos/edits", video={"id": "TASK"}),
    "POST /v1/videos/extensions": following(
        "/v1/videos/extensions", video={"id": "TASK"}, seconds="5"
    ),
    "GET /kling/v1/videos/text2video/{task_id}": at("GET", "/kling/v1/videos/text2video/TASK"),
    "named in a body": at(
        "POST",
        "/v1/video/generations",
        json={"model": MODELS["kling"], "prompt": "x", "metadata": {"video_id": "TASK"}},
    ),
    "POST /kling/v1/videos/identify-face": at("POST", FACES, json={"video_id": "TASK"}),
    "POST /jimeng": at(
        "POST",
        "/jimeng?Action=CVSync2AsyncGetResult&Version=2022-08-31",
        json={"req_key": "jimeng_t2v_v30", "task_id": "TASK"},
    ),
    "POST /": at(
        "POST",
        "/?Action=CVSync2AsyncGetResult&Version=2022-08-31",
        json={"req_key": "jimeng_t2v_v30", "task_id": "TASK"},
    ),
    "GET /vidu/ent/v2/tasks/{task_id}/creations": at("GET", "/vidu/ent/v2/tasks/TASK/creations"),
    "POST /vidu/ent/v2/tasks/{task_id}/cancel": at(
        "POST", "/vidu/ent/v2/tasks/TASK/cancel", json={"id": "TASK"}
    ),
}
"""What names a task: to whoever does not see it, it is as one that never was."""

LISTED = {
    "GET /v1/video/generations": at("GET", "/v1/video/generations"),
    "by its state": at("GET", "/v1/video/generations?status=succeeded"),
    "from the other end": at("GET", "/v1/video/generations?order=asc"),
    "GET /v1/videos": at("GET", "/v1/videos"),
    "GET /kling/v1/videos/text2video": at("GET", "/kling/v1/videos/text2video"),
    "GET /kling/tasks": at("GET", "/kling/tasks?task_ids=TASK"),
    "POST /kling/tasks": at("POST", "/kling/tasks", json={"limit": 100}),
    "GET /vidu/ent/v2/tasks": at("GET", "/vidu/ent/v2/tasks?pager.pagesz=100"),
    "vidu, named": at("GET", "/vidu/ent/v2/tasks?task_ids[]=TASK"),
}
"""What answers with those tasks that are seen."""

ELSEWHERE = {
    "GET /v1/events",
    "GET /v1/usage",
    "POST /v1/webhook_endpoints",
    "GET /v1/webhook_endpoints",
    "GET /v1/webhook_endpoints/{webhook_endpoint_id}",
    "POST /v1/webhook_endpoints/{webhook_endpoint_id}",
    "DELETE /v1/webhook_endpoints/{webhook_endpoint_id}",
    "POST /v1/webhook_endpoints/{webhook_endpoint_id}/rotate_secret",
    "POST /v1/webhook_endpoints/{webhook_endpoint_id}/test",
}
"""Those with tests of their own below."""

NOTHING_OF_ANYBODY = {
    "POST /v1/videos/characters",
    "GET /v1/videos/characters/{character_id}",
    "GET /v1/webhook_event_types",
    "GET /v1/webhooks/default/secret",
    "GET /kling/account/costs",
    "GET /vidu/ent/v2/credits",
    "GET /v1/models",
    "GET /v1/models/{model}",
    "GET /v1/account",
    "POST /v1/video/estimate",
    "GET /api/usage/token",
    "GET /dashboard/billing/subscription",
    "GET /dashboard/billing/usage",
    "GET /v1/dashboard/billing/subscription",
    "GET /v1/dashboard/billing/usage",
}
"""What there is of them is everybody's, or the account's."""


async def askers(house: House, maker: Asker) -> dict[str, tuple[Asker, bool]]:
    """Who asks, and whether they see what the maker made."""
    return {
        "another of its account": (await house.asker(Sees.OWN), False),
        "one of another account": (await house.asker(Sees.ACCOUNT, OTHER_ACCOUNT), False),
        "one that sees the account": (await house.asker(Sees.ACCOUNT), True),
        "its maker": (maker, True),
    }


def plain(answer: httpx.Response, name: str) -> tuple[int, str, list[str]]:
    """An answer without what differs from one to the next."""
    text = UNLIKE.sub("", answer.text.replace(name, "ID"))
    return answer.status_code, text, sorted(answer.headers)


@pytest.mark.parametrize("made_by", [Sees.OWN, Sees.ACCOUNT])
@pytest.mark.parametrize("route", NAMED)
async def test_a_task_out_of_sight_is_one_that_never_was(
    house: House, route: str, made_by: Sees
) -> None:
    maker = await house.asker(made_by)
    unknown = public_id("task_", new_id())
    for who, (asker, sees) in (await askers(house, maker)).items():
        name = await house.task(maker, is_finished=True)

        of_nothing = plain(await NAMED[route](asker, unknown), unknown)
        told = plain(await NAMED[route](asker, name), name)

        assert (told != of_nothing) == sees, (who, told)
        if not sees:
            assert (await maker.send("GET", f"/v1/videos/{name}")).status_code == 200, who


@pytest.mark.parametrize("made_by", [Sees.OWN, Sees.ACCOUNT])
@pytest.mark.parametrize("route", LISTED)
async def test_a_list_has_what_is_in_sight(house: House, route: str, made_by: Sees) -> None:
    maker = await house.asker(made_by)
    dialect = "vidu" if "vidu" in route else "newapi"  # which lists its own alone
    name = await house.task(maker, dialect=dialect, is_finished=True)
    for who, (asker, sees) in (await askers(house, maker)).items():
        answer = await LISTED[route](asker, name)

        assert answer.status_code == 200, answer.text
        assert (name in answer.text) == sees, who


@pytest.mark.parametrize("made_by", [Sees.OWN, Sees.ACCOUNT])
async def test_use_is_that_of_what_is_in_sight(house: House, made_by: Sees) -> None:
    maker = await house.asker(made_by)
    await house.task(maker, is_finished=True)
    for who, (asker, sees) in (await askers(house, maker)).items():
        answer = await asker.send("GET", "/v1/usage")

        assert sum(row["tasks"] for row in answer.json()["data"]) == int(sees), who


def test_every_route_is_in_the_table(engine: Engine) -> None:
    documented = build_app(engine).openapi()["paths"]
    creating = {
        f"POST {path}" for path in documented if path.startswith(("/kling/", "/vidu/ent"))
    } | {"POST /v1/video/generations", "POST /v1/videos"}
    # Those of one kind are made in a loop, and one of them stands for all.
    alike = {f"GET {path}" for path in documented if path.startswith("/kling/v1/videos/")}
    routes = {
        f"{method.upper()} {path}"
        for path, members in documented.items()
        for method, member in members.items()
        if method != "parameters" and member.get("security")
    }

    known = NAMED.keys() | LISTED.keys() | ELSEWHERE | NOTHING_OF_ANYBODY | creating | alike
    assert routes - known == set()


@pytest.mark.parametrize("made_by", [Sees.OWN, Sees.ACCOUNT])
@pytest.mark.parametrize(
    ("headers", "members"),
    [({"Idempotency-Key": "one"}, {}), ({}, {"external_task_id": "one"})],
    ids=["a key", "a client's own id"],
)
async def test_a_key_is_met_by_those_who_see_its_task(
    house: House, headers: dict[str, str], members: dict[str, str], made_by: Sees
) -> None:
    body = {"model_name": "kling-v2-6", "prompt": "a boat", **members}

    async def repeats(asker: Asker) -> bool:
        answer = await asker.send("POST", "/kling/v1/videos/text2video", json=body, headers=headers)
        return answer.status_code == 400 or "Idempotent-Replayed" in answer.headers

    maker, another = await house.asker(made_by), await house.asker(made_by)
    foreign = await house.asker(made_by, OTHER_ACCOUNT)

    assert not await repeats(maker)
    assert await repeats(maker)
    assert await repeats(another) == (made_by is Sees.ACCOUNT)
    assert not await repeats(foreign)


@pytest.mark.parametrize("before", [Sees.OWN, Sees.ACCOUNT])
async def test_a_key_holds_when_its_token_sees_more_or_less(house: House, before: Sees) -> None:
    after = Sees.OWN if before is Sees.ACCOUNT else Sees.ACCOUNT
    sent: dict[str, Any] = {
        "json": {"model": MODELS["kling"], "prompt": "a boat"},
        "headers": {"Idempotency-Key": "one"},
    }
    maker, another = await house.asker(before), await house.asker(before)
    first = await maker.send("POST", "/v1/video/generations", **sent)
    for token in (maker.caller.token, another.caller.token):
        await house.engine.operator.accounts.change_token(
            token.id, lambda token: replace(token, sees=after), act="token.set"
        )
    house.engine.services.directory._tokens.clear()  # what a refresh does in half a second

    again = await maker.send("POST", "/v1/video/generations", **sent)
    theirs = await another.send("POST", "/v1/video/generations", **sent)

    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert theirs.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("made_by", [Sees.OWN, Sees.ACCOUNT])
async def test_a_session_is_known_to_those_who_see_it(house: House, made_by: Sees) -> None:
    maker, another = await house.asker(made_by), await house.asker(made_by)
    foreign = await house.asker(Sees.OWN)
    opened = await maker.send("POST", FACES, json={"video_url": "https://a.test/a.mp4"})
    name = opened.json()["data"]["session_id"]

    async def uses(asker: Asker) -> bool:
        answer = await asker.send(
            "POST",
            "/kling/v1/videos/multi-elements/clear-selection",
            json={"session_id": name},
        )
        assert answer.status_code == 200 or "no such session" in answer.text
        return answer.status_code == 200

    assert SESSION not in opened.text
    assert await uses(maker)
    assert await uses(another) == (made_by is Sees.ACCOUNT)
    assert not await uses(foreign)


ENDPOINT_ACTS: dict[str, tuple[str, str, Any]] = {
    "GET /v1/webhook_endpoints/{webhook_endpoint_id}": ("GET", "", None),
    "POST /v1/webhook_endpoints/{webhook_endpoint_id}": ("POST", "", {"name": "other"}),
    "DELETE /v1/webhook_endpoints/{webhook_endpoint_id}": ("DELETE", "", None),
    "POST /v1/webhook_endpoints/{webhook_endpoint_id}/rotate_secret": (
        "POST",
        "/rotate_secret",
        {},
    ),
    "POST /v1/webhook_endpoints/{webhook_endpoint_id}/test": (
        "POST",
        "/test",
        {"event_type": "video.completed"},
    ),
    "GET /v1/webhook_endpoints": ("GET", "?after={}", None),
}


@pytest.mark.parametrize("made_by", [Sees.OWN, Sees.ACCOUNT])
@pytest.mark.parametrize("act", ENDPOINT_ACTS)
async def test_an_endpoint_is_there_for_those_who_see_it(
    house: House, act: str, made_by: Sees
) -> None:
    method, behind, body = ENDPOINT_ACTS[act]
    maker = await house.asker(made_by)
    for who, (asker, sees) in (await askers(house, maker)).items():
        made = (await maker.send("POST", "/v1/webhook_endpoints", json=ENDPOINT)).json()
        path = f"/v1/webhook_endpoints/{made['id']}{behind}"
        if "{}" in behind:
            path = f"/v1/webhook_endpoints{behind.replace('{}', made['id'])}"

        answer = await asker.send(method, path, json=body)
        listed = await asker.send("GET", "/v1/webhook_endpoints?limit=100")

        assert (answer.status_code != 404) == sees, (who, answer.text)
        if method != "DELETE" or not sees:
            assert (made["id"] in listed.text) == sees, who
            assert (await maker.send("GET", f"/v1/webhook_endpoints/{made['id']}")).is_success


@pytest.mark.parametrize("registered_by", [Sees.OWN, Sees.ACCOUNT])
async def test_an_endpoint_is_told_of_what_its_maker_sees(
    house: House, registered_by: Sees
) -> None:
    maker, another = await house.asker(registered_by), await house.asker(Sees.OWN)
    made = await maker.send("POST", "/v1/webhook_endpoints", json=ENDPOINT)
    assert made.is_success, made.text
    names = [await house.task(one) for one in (maker, another)]

    await house.engine.tick(minutes=1)

    told = await house.engine.operator.deliveries.page(DeliveryQuery())
    ids = {public_id("task_", delivery.task_id) for delivery in told}
    assert ids == (set(names) if registered_by is Sees.ACCOUNT else {names[0]})
