"""The real application over the real services and database; only the providers are made up."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs
from tests.api.bad_requests import CASES, PATH, refuse
from tests.api.creating_posts import POSTS
from tests.support.engine import Engine
from tests.support.gateway import open_client
from tests.support.upstreams import Upstream

from vidgate.models.accounts import Sees
from vidgate.models.ids import public_id

ACCEPTED = {"code": 0, "message": "SUCCEED", "data": {"task_id": "9301"}}
GOOD = {"model": "kling-v2-6", "prompt": "a boat"}


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(engine) as client:
        yield client


async def assert_nothing_left(engine: Engine) -> None:
    assert await engine.all_tasks() == []
    assert not engine.router.calls


UNKNOWN = public_id("task_", UUID(int=7))
READS = {
    "newapi": f"/v1/video/generations/{UNKNOWN}",
    "openai": f"/v1/videos/{UNKNOWN}",
    "vidu": f"/vidu/ent/v2/tasks/{UNKNOWN}/creations",
}


@pytest.mark.parametrize("kind", READS)
async def test_an_unknown_id_is_logged_once_and_counted_each_time(
    client: httpx.AsyncClient, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidgate.services.views.absences.ABSENCE_AGE", timedelta(hours=1))
    before = (await client.get("/metrics")).text
    with capture_logs() as logs:
        first, *others = [await client.get(READS[kind]) for _ in range(3)]

    assert first.status_code in (400, 404)
    assert [other.status_code for other in others] == [first.status_code] * 2
    assert [line["event"] for line in logs] == ["Request answered"]
    after = (await client.get("/metrics")).text
    [counted] = (
        {line for line in after.splitlines() if "requests_total{" in line}
        - {*before.splitlines()}
        - {line for line in after.splitlines() if 'route="/metrics"' in line}
    )
    assert counted.endswith(" 3.0")


async def test_a_change_to_an_unknown_id_is_logged_each_time(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        for _ in range(2):
            await client.post(f"/v1/video/generations/{UNKNOWN}/cancel")

    assert [line["event"] for line in logs] == ["Request answered"] * 2


async def test_no_bad_request_leaves_a_row_or_calls_upstream(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    for provider in ("kling", "jimeng", "vidu"):
        await engine.channel(provider)
    for case in CASES:
        try:
            await refuse(client, case)
        except AssertionError as error:
            error.add_note(case.name)
            raise
    await assert_nothing_left(engine)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"model": "sora-9"}, (404, "model_not_found", "model")),
        ({"model": "kling"}, (404, "model_not_found", "model")),
        ({"metadata": {"model_name": "sora-9"}}, (404, "model_not_found", "model")),
        ({"metadata": {"model": 5}}, (400, "invalid_parameter", "metadata.model")),
        ({"model": "vidu2.0"}, (503, "no_channel", None)),
        ({"duration": 7}, (400, "unsupported_parameter", "duration")),
        ({"duration": 5.5}, (400, "unsupported_parameter", "duration")),
        ({"seconds": "60"}, (400, "unsupported_parameter", "seconds")),
        ({"size": "4000x100"}, (400, "unsupported_parameter", "size")),
        ({"size": "1x1"}, (400, "unsupported_parameter", "size")),
        ({"size": "3840x2160"}, (400, "unsupported_parameter", "size")),
        ({"size": "21:9"}, (400, "unsupported_parameter", "size")),
        (
            {"images": ["https://a.test/1.png"] * 1 + [f"https://a.test/{n}" for n in range(5)]},
            (400, "unsupported_parameter", "images"),
        ),
        ({"prompt": "x" * 2501}, (400, "unsupported_parameter", "prompt")),
        (
            {"metadata": {"callback_url": "http://127.0.0.1/hook"}},
            (400, "invalid_parameter", "metadata.callback_url"),
        ),
        (
            {"metadata": {"callback_url": "ftp://a.test/"}},
            (400, "invalid_parameter", "metadata.callback_url"),
        ),
        ({"webhook_url": "ftp://a.test/"}, (400, "invalid_parameter", "metadata.webhook_url")),
        ({"webhook_url": 5}, (400, "invalid_parameter", "metadata.webhook_url")),
        ({"metadata": {"callback_url": 5}}, (400, "invalid_parameter", "metadata.callback_url")),
    ],
)
async def test_what_the_services_refuse_leaves_nothing_either(
    engine: Engine, client: httpx.AsyncClient, body: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    await engine.channel("kling")

    answer = await client.post(PATH, json=GOOD | body)

    told = answer.json()
    assert (answer.status_code, told["code"], told["param"]) == expected, told
    assert told["error"] == {name: told[name] for name in ("code", "message", "param", "type")}
    await assert_nothing_left(engine)


async def test_strictly_what_would_be_ignored_or_adjusted_is_refused(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    for more in ({"fps": 24}, {"seed": 5}, {"user": "u"}, {"size": "1000x1000"}):
        answer = await client.post(PATH, json=GOOD | more, headers={"Prefer": "handling=strict"})
        assert answer.status_code == 400, (more, answer.text)
        assert answer.json()["param"] == next(iter(more))
    await assert_nothing_left(engine)


async def test_what_is_ignored_and_adjusted_is_said(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    engine.router.post("http://kling.test/v1/videos/text2video").respond(json=ACCEPTED)

    answer = await client.post(
        PATH, json=GOOD | {"fps": 24, "seed": 5, "size": "1000x1000", "response_format": "gif"}
    )

    assert answer.status_code == 200
    ignored = {name.strip() for name in answer.headers["X-Vidgate-Ignored"].split(",")}
    assert ignored == {"fps", "seed", "response_format"}
    assert answer.headers["X-Vidgate-Adjusted"] == "size=1:1@1080p"


@pytest.mark.parametrize("path", ["/v1/video/generations", "/v1/videos"])
async def test_warnings_stay_with_the_task(
    engine: Engine, client: httpx.AsyncClient, path: str
) -> None:
    await engine.channel("kling")
    engine.router.post("http://kling.test/v1/videos/text2video").respond(json=ACCEPTED)
    body = GOOD | {"seed": 1, "foo": 2, "response_format": "gif", "size": "1000x1000"}
    key = {"Idempotency-Key": path}
    expected = {
        ("ignored", "seed"),
        ("ignored", "response_format"),
        ("adjusted", "size"),
        ("unknown", "foo"),
    }

    made = await client.post(path, json=body, headers=key)
    again = await client.post(path, json=body, headers=key)
    asked = await client.get(f"{path}/{made.json()['id']}")
    refused = await client.post(path, json=body, headers={"Prefer": "handling=strict"})

    for answer in (made, again, asked):
        assert answer.status_code == 200, answer.text
        warnings = answer.json()["warnings"]
        assert {(warning["code"], warning["param"]) for warning in warnings} == expected
        assert all(warning["message"].endswith(".") for warning in warnings)
    for answer in (made, again):
        assert answer.headers["X-Vidgate-Ignored"] == "seed, response_format"
        assert answer.headers["X-Vidgate-Unknown"] == "foo"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert refused.status_code == 400


@pytest.mark.parametrize("name", [name for name in POSTS if " " not in name or "path" in name])
async def test_a_strict_token_is_strict_unless_a_request_is_lenient(
    engine: Engine, client: httpx.AsyncClient, name: str
) -> None:
    path, body = POSTS[name]
    for provider in ("kling", "jimeng", "vidu"):
        await engine.channel(provider)
        Upstream(engine.router, provider)
    engine.router.post("http://kling.test/text-to-video/kling-3.0").respond(
        json={"code": 0, "message": "SUCCEED", "data": {"id": "9301", "status": "submitted"}}
    )
    _, key = await engine.operator.provisioning.create_token(name="strict", strict=True)
    headers = {"Authorization": f"Bearer {key}"}

    refused = await client.post(path, json=body | {"foo": 1}, headers=headers)
    fitting = await client.post(path, json=body, headers=headers)
    lenient = await client.post(
        path, json=body | {"foo": 1}, headers=headers | {"Prefer": "handling=lenient"}
    )

    assert refused.status_code == 400, refused.text
    assert "foo" in refused.text
    assert fitting.status_code == 200, fitting.text
    assert lenient.status_code == 200, lenient.text
    assert lenient.headers["X-Vidgate-Unknown"] == "foo"
    assert len(await engine.all_tasks()) == 2


async def test_warnings_stand_wherever_a_task_does(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling", max_concurrency=1)
    Upstream(engine.router, "kling")
    _ = await client.post(PATH, json=GOOD)
    made = (await client.post("/v1/videos", json=GOOD | {"fps": 24, "foo": 2})).json()
    warnings = made["warnings"]

    listed = (await client.get("/v1/videos?limit=1")).json()["data"]
    cancelled = await client.post(f"{PATH}/{made['id']}/cancel")

    assert {(one["code"], one["param"]) for one in warnings} == {
        ("ignored", "fps"),
        ("unknown", "foo"),
    }
    assert [video["warnings"] for video in listed] == [warnings]
    assert cancelled.json()["error"]["code"] == "cancelled"
    assert cancelled.json()["warnings"] == warnings
    assert (await client.get(f"{PATH}/{made['id']}")).json()["warnings"] == warnings


async def test_tokens_that_may_not_create_may_read(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    engine.router.post("http://kling.test/v1/videos/text2video").respond(json=ACCEPTED)
    made = (await client.post(PATH, json=GOOD)).json()["id"]
    provisioning = engine.operator.provisioning
    now = engine.clock.now()
    every: dict[str, Any] = {"sees": Sees.ACCOUNT}
    _, expired = await provisioning.create_token(
        name="old", expires_at=now - timedelta(days=1), **every
    )
    _, narrow = await provisioning.create_token(name="narrow", models=("vidu*",), **every)
    other = await provisioning.create_account("other")
    _, foreign = await provisioning.create_token(name="foreign", account=other.name)
    revoked_token, revoked = await provisioning.create_token(name="revoked")
    await engine.operator.accounts.revoke_token(revoked_token.id)
    before = len(engine.router.calls)

    async def asked(key: str) -> tuple[int, str, int]:
        headers = {"Authorization": key}
        post = await client.post(PATH, json=GOOD, headers=headers)
        get = await client.get(f"{PATH}/{made}", headers=headers)
        return post.status_code, post.json()["code"], get.status_code

    assert await asked(expired) == (403, "token_expired", 200)
    assert await asked(narrow) == (403, "model_not_permitted", 200)
    assert await asked(revoked) == (401, "invalid_api_key", 401)
    assert (await client.get(f"{PATH}/{made}", headers={"Authorization": foreign})).json()[
        "code"
    ] == "task_not_found"
    assert len(engine.router.calls) == before


async def test_an_expired_token_stops_and_deletes_nothing(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    engine.router.post("http://kling.test/v1/videos/text2video").respond(json=ACCEPTED)
    made = (await client.post(PATH, json=GOOD)).json()["id"]
    yesterday = engine.clock.now() - timedelta(days=1)
    _, expired = await engine.operator.provisioning.create_token(name="old", expires_at=yesterday)
    headers = {"Authorization": expired}

    refused = [
        await client.post(f"{PATH}/{made}/cancel", headers=headers),
        await client.post(f"/vidu/ent/v2/tasks/{made}/cancel", headers=headers),
        await client.delete(f"/v1/videos/{made}", headers=headers),
    ]

    assert [answer.status_code for answer in refused] == [403, 403, 403]
    assert refused[0].json()["code"] == "token_expired"
    assert (await client.get(f"{PATH}/{made}")).json()["status"] == "processing"


async def test_a_refusal_of_the_provider_says_not_to_retry(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await engine.channel("kling")
    route = engine.router.post("http://kling.test/v1/videos/text2video")
    for code, status, told in ((1301, 400, "content_policy_violation"), (1102, 502, None)):
        route.respond(status_code=400, json={"code": code, "message": "no: acct-7 key-9"})
        answer = await client.post(PATH, json=GOOD)
        assert answer.status_code == status, answer.text
        assert answer.headers["x-should-retry"] == "false"
        assert "acct-7" not in answer.text
        if told:
            assert answer.json()["code"] == told
