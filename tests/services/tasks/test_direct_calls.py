"""Questions without a job: passed on, answered by whoever can, their sessions named and pinned."""

import asyncio
import json
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from tests.support.engine import KEYS, Engine
from tests.support.proxies import SocksProxy, proxy_server
from tests.support.upstreams import MODELS, Upstream

from vidgate.exceptions import (
    ConfigurationError,
    DatabaseUnavailableError,
    InvalidParameterError,
    NoChannelError,
    NotFoundError,
    PermissionDeniedError,
    RefusedParameterError,
    RequestError,
    TaskNotFoundError,
    UnansweredError,
    UnsupportedParameterError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)
from vidgate.models.accounts import Caller
from vidgate.models.tasks import TaskStatus
from vidgate.providers.transport.client import UpstreamClient

FACES = "identify-face"
INIT = "multi-elements/init-selection"
ADD = "multi-elements/add-selection"
URL = {"video_url": "https://a.test/a.mp4"}
OPENED = {"session_id": "930000000001", "face_data": [{"face_id": "0", "end_time": 5000}]}
REFUSED = httpx.Response(400, json={"code": 1201, "message": "video_url is invalid"})
BROKE = httpx.Response(429, json={"code": 1102, "message": "Account balance not enough"})
BUSY = httpx.Response(429, json={"code": 1302, "message": "slow down"})
BROKEN = httpx.Response(500, json={"code": 5000, "message": "internal"})
HTML = httpx.Response(502, html="<html>bad gateway</html>")


def opened(session: str = "930000000001") -> httpx.Response:
    return httpx.Response(200, json={"code": 0, "data": {**OPENED, "session_id": session}})


class Kling:
    """One channel's host."""

    def __init__(self, engine: Engine, host: str) -> None:
        self.answers: list[httpx.Response | Exception] = [opened(f"9300000000{len(host)}")]
        self.asked: list[tuple[str, Any]] = []
        self.headers: list[httpx.Headers] = []
        self.timeouts: list[Any] = []
        engine.router.post(url__regex=f"^http://{host}.test/v1/videos/").mock(
            side_effect=self._answer
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1/videos/")
        self.asked.append((path, json.loads(request.content)))
        self.headers.append(request.headers)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def hosts(engine: Engine, *names: str) -> list[Kling]:
    """Channels of falling priority."""
    for number, name in enumerate(names):
        await engine.channel("kling", name, priority=-number)
    return [Kling(engine, name) for name in names]


async def ask(engine: Engine, name: str = FACES, body: Any = None) -> dict[str, Any]:
    answer = await engine.services.direct_calls.ask(engine.caller, "kling", name, body or URL)
    assert isinstance(answer, dict)
    return answer


async def other_account(engine: Engine) -> Caller:
    await engine.operator.provisioning.create_account("other")
    _, key = await engine.operator.provisioning.create_token(name="other", account="other")
    caller = await engine.services.directory.authenticate(key)
    assert caller is not None
    return caller


def permitted(engine: Engine, **changes: Any) -> None:
    engine.caller = Caller(replace(engine.caller.token, **changes))


async def test_the_question_and_the_answer_pass_as_they_are(engine: Engine) -> None:
    [kling] = await hosts(engine, "one")
    body = {**URL, "new": [1, {"x": None}]}
    data = {**OPENED, "new": {"deep": [1, None, "x"]}, "rle_mask_list": [{"size": [1, 2]}]}
    kling.answers = [httpx.Response(200, json={"code": 0, "data": data})]

    answer = await ask(engine, body=body)

    assert kling.asked == [(FACES, body)]
    assert kling.headers[0]["Authorization"] == f"Bearer {KEYS['kling']}"
    name = answer.pop("session_id")
    assert answer == {key: value for key, value in data.items() if key != "session_id"}
    assert name.startswith("session_")
    assert "93000" not in name
    assert await engine.all_tasks() == []


@pytest.mark.parametrize("session", ["", None, True, [], 0.5])
async def test_what_names_no_session_stays(engine: Engine, session: Any) -> None:
    [kling] = await hosts(engine, "one")
    data = {"status": 3, "session_id": session}
    kling.answers = [httpx.Response(200, json={"code": 0, "data": data})]
    assert await ask(engine) == data


async def test_sessions_are_named_wherever_they_stand(engine: Engine) -> None:
    [kling] = await hosts(engine, "one")
    data = {"session_id": 93, "list": [{"session_id": "93"}, {"session_id": "94"}]}
    kling.answers = [httpx.Response(200, json={"code": 0, "data": data})]

    answer = await ask(engine)

    first, second = [one["session_id"] for one in answer["list"]]
    assert answer["session_id"] == first != second
    assert second.startswith("session_")


async def test_a_session_is_asked_on_where_it_was_opened(engine: Engine) -> None:
    one, two = await hosts(engine, "one", "second")
    one.answers = [HTML]
    session = (await ask(engine, INIT))["session_id"]
    one.answers = [opened()]
    two.answers = [
        httpx.Response(200, json={"code": 0, "data": {"status": 0, "session_id": "93000000006"}})
    ]
    points = {"frame_index": 1, "points": [{"x": 0.1, "y": 0.2}]}

    answer = await ask(engine, ADD, {"session_id": session, **points})

    assert len(one.asked) == 1
    assert two.asked[1:] == [(ADD, {"session_id": "93000000006", **points})]
    # What the client sent comes back as it sent it, so that it may compare.
    assert answer == {"status": 0, "session_id": session}


async def test_a_session_is_asked_nowhere_else(engine: Engine) -> None:
    one, two = await hosts(engine, "one", "second")
    session = (await ask(engine, INIT))["session_id"]
    one.answers = [BROKE]

    with pytest.raises(UpstreamRefusedError) as caught:
        await ask(engine, ADD, {"session_id": session})

    assert caught.value.code == "upstream_account_error"
    assert len(one.asked) == 2
    assert two.asked == []


async def test_a_session_that_is_not_ours_to_read_goes_on_as_it_is(engine: Engine) -> None:
    [kling] = await hosts(engine, "one")
    await ask(engine, ADD, {"session_id": "930000000009"})
    assert kling.asked == [(ADD, {"session_id": "930000000009"})]


async def test_another_accounts_session_is_not_found(engine: Engine) -> None:
    [kling] = await hosts(engine, "one")
    session = (await ask(engine, INIT))["session_id"]
    engine.caller = await other_account(engine)

    told = []
    for name in (session, session[:-4], "session_gAAAAAnothing"):
        with pytest.raises(NotFoundError) as caught:
            await ask(engine, ADD, {"session_id": name})
        told.append((caught.value.code, caught.value.param, caught.value.message))

    assert told[0][:2] == ("session_not_found", "session_id")
    assert len(set(told)) == 1
    assert len(kling.asked) == 1


@pytest.mark.parametrize(
    "first",
    [HTML, BROKEN, BROKE, BUSY, httpx.ReadTimeout("slow"), httpx.ConnectError("refused")],
    ids=["html", "5000", "balance", "rate", "silence", "refused"],
)
async def test_another_channel_answers(engine: Engine, first: httpx.Response | Exception) -> None:
    one, two = await hosts(engine, "one", "second")
    one.answers = [first]

    answer = await ask(engine)

    assert answer["face_data"] == OPENED["face_data"]
    assert [len(one.asked), len(two.asked)] == [1, 1]


async def test_a_refusal_of_the_video_is_final(engine: Engine) -> None:
    one, two = await hosts(engine, "one", "second")
    one.answers = [REFUSED]

    with pytest.raises(RefusedParameterError) as caught:
        await ask(engine)

    assert caught.value.param == "video_url"
    assert "video_url is invalid" in caught.value.message
    assert (len(one.asked), two.asked) == (1, [])


@pytest.mark.parametrize(
    ("answers", "kind", "code"),
    [
        ((HTML, BROKEN), UpstreamUnavailableError, "upstream_unavailable"),
        ((httpx.ReadError("reset"), HTML), UpstreamUnavailableError, "upstream_unavailable"),
        ((BUSY, HTML), UpstreamRefusedError, "upstream_busy"),
        ((HTML, BROKE), UpstreamRefusedError, "upstream_account_error"),
    ],
)
async def test_when_nobody_answers(
    engine: Engine, answers: tuple[Any, Any], kind: type[RequestError], code: str
) -> None:
    one, two = await hosts(engine, "one", "second")
    one.answers, two.answers = [answers[0]], [answers[1]]

    with pytest.raises(kind) as caught:
        await ask(engine)

    assert (caught.value.status, caught.value.code) == (502, code)
    assert [len(one.asked), len(two.asked)] == [1, 1]


async def test_a_key_that_cannot_be_used_is_passed_over(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await hosts(engine, "one", "second")
    directory = engine.services.directory
    real = directory.access
    channels = {channel.credential_id: channel.name for channel in await directory.channels()}

    async def access(credential_id: Any) -> Any:
        if channels[credential_id] == "one":
            raise ConfigurationError("It cannot be decrypted.")
        return await real(credential_id)

    monkeypatch.setattr(directory, "access", access)

    assert (await ask(engine))["face_data"]
    assert (one.asked, len(two.asked)) == ([], 1)


async def test_one_that_hangs_leaves_time_for_the_next_and_all_of_them_an_end(
    engine: Engine,
) -> None:
    await hosts(engine, "one", "second", "third")
    direct_calls, now, spans = engine.services.direct_calls, 100.0, []

    class Silence:
        """Gives no answer for as long as it may."""

        async def send(self, _request: Any, *, timeout_seconds: float, **_others: Any) -> Any:
            nonlocal now
            now += timeout_seconds
            spans.append(timeout_seconds)
            raise UnansweredError("slow")

    direct_calls._upstream._client = cast("Any", Silence())
    direct_calls._monotonic = lambda: now

    with pytest.raises(UpstreamUnavailableError):
        await ask(engine)

    assert spans == [15, 7.5, 7.5]


async def test_an_expired_token_may_not_ask(engine: Engine) -> None:
    [kling] = await hosts(engine, "one")
    permitted(engine, expires_at=engine.clock.now())

    with pytest.raises(PermissionDeniedError) as caught:
        await ask(engine)

    assert caught.value.code == "token_expired"
    assert kling.asked == []


async def test_permission_is_that_of_the_product(engine: Engine) -> None:
    [kling] = await hosts(engine, "one")
    permitted(engine, models=("kling-lip-sync",))

    await ask(engine, FACES)
    with pytest.raises(PermissionDeniedError) as caught:
        await ask(engine, INIT)

    assert (caught.value.code, caught.value.param) == ("model_not_permitted", "model")
    assert [name for name, _ in kling.asked] == [FACES]


async def test_channels_are_those_of_the_product(engine: Engine) -> None:
    await engine.channel("kling", "one", models=("kling-v3",), priority=5)
    await engine.channel("kling", "second", models=("kling-lip-sync",))
    one, two = Kling(engine, "one"), Kling(engine, "second")

    await ask(engine)

    assert (one.asked, len(two.asked)) == ([], 1)
    with pytest.raises(NoChannelError):
        await ask(engine, INIT)


async def test_a_compatible_server_is_not_asked(engine: Engine) -> None:
    await engine.channel("openai_compatible", "one", models=("kling-*",))
    kling = Kling(engine, "one")

    with pytest.raises(NoChannelError):
        await ask(engine)

    assert kling.asked == []


async def test_a_video_made_here_goes_by_its_makers_id_to_its_maker(engine: Engine) -> None:
    one, two = await hosts(engine, "one", "second")
    engine.router.routes.clear()
    maker = Upstream(engine.router, "kling", "second")
    maker.on_poll = ["succeeded"]
    await engine.operator.provisioning.set_enabled("one", enabled=False)
    await engine.services.directory.load()
    created = await engine.create(MODELS["kling"])
    await engine.tick(minutes=5)
    task = await engine.task(created)
    assert task.status is TaskStatus.SUCCEEDED
    await engine.operator.provisioning.set_enabled("one", enabled=True)
    await engine.services.directory.load()
    one, two = Kling(engine, "one"), Kling(engine, "second")

    await ask(engine, FACES, {"video_id": f"{task.public_id}_0"})

    assert one.asked == []
    result = task.outputs[0].result
    assert result is not None
    assert two.asked == [(FACES, {"video_id": result.upstream_id})]

    engine.caller = await other_account(engine)
    with pytest.raises(TaskNotFoundError) as caught:
        await ask(engine, FACES, {"video_id": f"{task.public_id}_0"})
    assert caught.value.param == "video_id"
    assert len(two.asked) == 1


async def test_it_goes_by_the_channels_proxy(engine: Engine) -> None:
    client = UpstreamClient()
    engine.services.direct_calls._upstream._client = client
    proxy = SocksProxy(reply=5)
    try:
        async with proxy_server(proxy) as port:
            await engine.channel(
                "kling", base_url="http://kling.invalid", proxy=f"socks5://127.0.0.1:{port}"
            )
            with pytest.raises(UpstreamUnavailableError):
                await ask(engine)
    finally:
        await client.aclose()

    assert proxy.asked == ["kling.invalid:80"]


async def test_without_a_database_it_is_said(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    [kling] = await hosts(engine, "one")

    async def down(_id: Any) -> Any:
        raise DatabaseUnavailableError("down")

    monkeypatch.setattr(engine.services.directory, "access", down)

    with pytest.raises(DatabaseUnavailableError):
        await ask(engine)
    assert kling.asked == []


# Sessions in what makes tasks


FACE = {"face_id": "0", "sound_file": "https://a.test/a.mp3", "sound_end_time": 3000}


async def lip_sync(engine: Engine, session: Any, model: str = "kling-lip-sync", **more: Any) -> Any:
    metadata = {"session_id": session, "face_choose": [FACE], **more}
    return await engine.create(model, prompt="", metadata=metadata)


async def test_a_task_goes_where_its_session_was_opened(engine: Engine) -> None:
    one, two = await hosts(engine, "one", "second")
    one.answers = [HTML]
    session = (await ask(engine))["session_id"]
    one.asked.clear()
    made = httpx.Response(200, json={"code": 0, "data": {"task_id": "9301"}})
    one.answers = two.answers = [made]

    created = [await lip_sync(engine, session) for _ in range(2)]

    assert one.asked == []
    for path, body in two.asked[1:]:
        assert (path, body["session_id"]) == ("advanced-lip-sync", "93000000006")
    assert len(two.asked) == 3
    [attempt] = await engine.attempts(created[0])
    assert (await engine.operator.tasks.request(attempt.task_id)).channel_id == attempt.channel_id


async def test_a_channel_of_the_product_alone_will_do(engine: Engine) -> None:
    await engine.channel("kling", models=("kling-lip-sync",))
    kling = Kling(engine, "kling")
    session = (await ask(engine))["session_id"]
    kling.answers = [httpx.Response(200, json={"code": 0, "data": {"task_id": "9301"}})]

    await lip_sync(engine, session, model="kling-v3")

    assert [path for path, _ in kling.asked] == [FACES, "advanced-lip-sync"]


async def test_a_task_without_its_sessions_channel_cannot_run(engine: Engine) -> None:
    one, two = await hosts(engine, "one", "second")
    session = (await ask(engine))["session_id"]
    await engine.operator.provisioning.set_enabled("one", enabled=False)
    await engine.services.directory.load()

    with pytest.raises(NoChannelError):
        await lip_sync(engine, session)
    assert (len(one.asked), two.asked) == (1, [])


async def test_a_session_and_a_video_of_two_channels_do_not_go_together(engine: Engine) -> None:
    one, two = await hosts(engine, "one", "second")
    first = (await ask(engine))["session_id"]
    one.answers = [HTML]
    second = (await ask(engine))["session_id"]

    with pytest.raises(InvalidParameterError, match="together") as caught:
        await lip_sync(engine, first, nested=[{"session_id": second}])
    assert caught.value.param == "session_id"
    assert (len(one.asked), len(two.asked)) == (2, 1)


async def test_a_session_of_kling_is_of_no_use_elsewhere(engine: Engine) -> None:
    await hosts(engine, "one")
    await engine.channel("vidu")
    session = (await ask(engine))["session_id"]

    with pytest.raises(UnsupportedParameterError) as caught:
        await engine.create(MODELS["vidu"], metadata={"session_id": session})
    assert caught.value.param == "session_id"


async def test_somebody_elses_session_makes_no_task(engine: Engine) -> None:
    [kling] = await hosts(engine, "one")
    session = (await ask(engine))["session_id"]
    engine.caller = await other_account(engine)

    with pytest.raises(NotFoundError) as caught:
        await lip_sync(engine, session)
    assert (caught.value.code, caught.value.param) == ("session_not_found", "session_id")
    assert len(kling.asked) == 1
    assert await engine.all_tasks() == []


async def test_a_session_in_another_field_is_a_word_like_others(engine: Engine) -> None:
    [kling] = await hosts(engine, "one")
    session = (await ask(engine))["session_id"]
    await ask(engine, FACES, {**URL, "note": session})
    assert kling.asked[1][1]["note"] == session


async def test_a_large_body_is_written_in_a_thread(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    [kling] = await hosts(engine, "one")
    threaded: list[Any] = []
    real = asyncio.to_thread

    async def to_thread(function: Any, *arguments: Any) -> Any:
        threaded.append(getattr(function, "func", function).__name__)
        return await real(function, *arguments)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    await ask(engine)
    assert threaded == []
    calls = engine.services.direct_calls
    body = {"video_url": "x" * 300_000}
    await calls.ask(engine.caller, "kling", FACES, body, work_bytes=300_100)
    assert threaded == ["_change_names", "ask", "_named"]
    assert len(kling.asked) == 2
