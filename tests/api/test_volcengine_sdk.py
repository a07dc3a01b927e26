"""The official `volcengine` SDK over real sockets, with only host, scheme and keys set."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr
from tests.support.api import FakeProvider, FakeServices, build_settings, build_task
from tests.support.node import run_node
from tests.support.processes import open_town, wait_until
from tests.support.volcengine import sign
from volcengine.visual.VisualService import (  # type: ignore[import-untyped] # it has no types
    VisualService,
)

from vidgate.cli.servers import Server, bind, running, server_config, url_of
from vidgate.config import Settings
from vidgate.exceptions import UnsupportedParameterError
from vidgate.main import create_app
from vidgate.models.outcomes import VideoResult
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskStatus
from vidgate.providers.jimeng import Jimeng

ACCESS = "AKvgTEST0000000000000001"
SECRET = "c2VjcmV0LW9mLWEtdG9rZW4="
SUBMIT = "Action=CVSync2AsyncSubmitTask&Version=2022-08-31"
FORM: dict[str, Any] = {
    "req_key": "jimeng_t2v_v30",
    "prompt": "千军万马, a boat & a bridge",
    "seed": -1,
    "frames": 121,
    "aspect_ratio": "16:9",
}


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The SDK as it is after its import, and closed at the end: it is one for the process."""
    for name in ("VOLC_ACCESSKEY", "VOLC_SECRETKEY", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    service = VisualService()
    yield service
    service.session.close()


def aim(sdk: Any, url: str, access_key: str = ACCESS, secret: str = SECRET) -> None:
    scheme, _, host = url.partition("://")
    sdk.set_host(host)
    sdk.set_scheme(scheme)
    sdk.set_ak(access_key)
    sdk.set_sk(secret)


@asynccontextmanager
async def open_gateway() -> AsyncIterator[tuple[FakeServices, str]]:
    """The application over made-up services, on a port of its own, with the machine's time."""
    services = FakeServices(build_settings())
    services.directory.access_keys[ACCESS] = SecretStr(SECRET)
    services.providers["jimeng"] = cast("FakeProvider", Jimeng())
    services.clock.time = datetime.now(UTC)

    @asynccontextmanager
    async def open_services(_settings: Settings) -> AsyncIterator[FakeServices]:
        yield services

    app = create_app(services.settings, open_services=open_services)
    listener = bind("127.0.0.1", 0)
    server = Server(server_config(app, grace=timedelta(seconds=1)))
    async with running(server, listener):
        yield services, url_of(listener)


async def test_submit_and_get_result(sdk: Any) -> None:
    async with open_gateway() as (services, url):
        aim(sdk, url)

        submitted = await asyncio.to_thread(sdk.cv_sync2async_submit_task, FORM)

        assert submitted["code"] == submitted["status"] == 10000
        assert submitted["data"]["task_id"].startswith("task_")
        assert services.task_creator.request.metadata == FORM

        task = build_task(status=TaskStatus.IN_PROGRESS, provider="jimeng")
        form = {"req_key": FORM["req_key"], "task_id": services.reader.add(task)}
        unfinished = await asyncio.to_thread(sdk.cv_sync2async_get_result, form)
        output = OutputSnapshot(
            status=TaskStatus.SUCCEEDED, result=VideoResult(url="https://cdn.example/v.mp4")
        )
        task = build_task(status=TaskStatus.SUCCEEDED, outputs=(output,))
        form = {"req_key": FORM["req_key"], "task_id": services.reader.add(task)}
        finished = await asyncio.to_thread(sdk.cv_sync2async_get_result, form)
        task = build_task(status=TaskStatus.FAILED, error=TaskError("upstream_error", "It failed."))
        form = {"req_key": FORM["req_key"], "task_id": services.reader.add(task)}
        failed = await asyncio.to_thread(sdk.cv_sync2async_get_result, form)
        unknown = await asyncio.to_thread(
            sdk.cv_sync2async_get_result, {"req_key": FORM["req_key"], "task_id": "7392"}
        )

    assert (unfinished["code"], unfinished["data"]["status"]) == (10000, "in_queue")
    assert (finished["code"], finished["data"]["status"]) == (10000, "done")
    assert finished["data"]["video_url"] == "https://cdn.example/v.mp4"
    assert (failed["code"], failed["data"], failed["message"]) == (50520, None, "It failed.")
    assert (unknown["code"], unknown["data"]) == (10000, {"status": "not_found"})


NODE = """
import volcengine from "@volcengine/openapi";
const service = new volcengine.Service({
  host: process.env.HOST, protocol: "http:", serviceName: "cv", region: "cn-north-1",
  accessKeyId: process.env.ACCESS, secretKey: process.env.SECRET,
  defaultVersion: "2022-08-31",
});
const submit = service.createJSONAPI("CVSync2AsyncSubmitTask");
const ask = service.createJSONAPI("CVSync2AsyncGetResult");
const form = JSON.parse(process.env.FORM);
const submitted = await submit(form);
const asked = await ask({req_key: form.req_key, task_id: process.env.TASK});
console.log(JSON.stringify([submitted, asked]));
"""


async def test_the_sdk_for_node() -> None:
    async with open_gateway() as (services, url):
        task = build_task(status=TaskStatus.IN_PROGRESS, provider="jimeng")
        variables = {
            "HOST": url.partition("://")[2],
            "ACCESS": ACCESS,
            "SECRET": SECRET,
            "FORM": json.dumps(FORM),
            "TASK": services.reader.add(task),
        }

        submitted, asked = await run_node(NODE, variables)
        [refused, _] = await run_node(NODE, variables | {"SECRET": "other"})

    assert submitted["code"] == submitted["status"] == 10000, submitted
    assert submitted["data"]["task_id"].startswith("task_")
    assert (asked["code"], asked["data"]) == (10000, {"status": "in_queue"})
    assert refused["ResponseMetadata"]["Error"]["Code"] == "SignatureDoesNotMatch"
    [request] = services.task_creator.requests
    assert request.metadata == FORM


async def test_the_sdks_other_pair_of_methods(sdk: Any) -> None:
    async with open_gateway() as (services, url):
        aim(sdk, url)
        form = {"req_key": "jimeng_realman_avatar_picture_omni_v15", "image_url": "https://a.test"}

        submitted = await asyncio.to_thread(sdk.cv_submit_task, form)
        asked = await asyncio.to_thread(sdk.cv_get_result, {"task_id": "task_0", **form})

        assert submitted["data"]["task_id"]
        assert asked["data"]["status"] == "not_found"
        assert services.task_creator.request.metadata == form


async def test_a_refusal_is_told_in_the_vendors_shape(sdk: Any) -> None:
    async with open_gateway() as (services, url):
        aim(sdk, url)
        services.task_creator.error = UnsupportedParameterError("frames", "No.", allowed=(121, 241))

        with pytest.raises(Exception, match=r'"code":50200.*frames: No. Allowed: 121, 241.'):
            await asyncio.to_thread(sdk.cv_sync2async_submit_task, FORM)


async def test_a_wrong_secret_and_an_unknown_key_are_told_apart(sdk: Any) -> None:
    async with open_gateway() as (services, url):
        aim(sdk, url, secret="other")
        with pytest.raises(Exception, match="SignatureDoesNotMatch"):
            await asyncio.to_thread(sdk.cv_sync2async_submit_task, FORM)
        aim(sdk, url, access_key="AKvgOTHER")
        with pytest.raises(Exception, match="InvalidAccessKey"):
            await asyncio.to_thread(sdk.cv_sync2async_submit_task, FORM)

        assert services.task_creator.requests == []


async def test_real_services_and_the_sandbox(sdk: Any, database_url: str) -> None:
    """From the SDK to a video; and an old request once more makes no second one."""
    sent: list[Any] = []
    async with open_town(database_url) as town:
        token, _ = await town.operator.provisioning.create_token(name="sdk")
        access_key, secret = await town.operator.provisioning.create_access_key(token)
        gateway = await town.gateway()
        aim(sdk, gateway.url, access_key, secret)
        sdk.session.hooks["response"].append(lambda answer, **_: sent.append(answer.request))

        submitted = await asyncio.to_thread(sdk.cv_sync2async_submit_task, FORM)

        assert submitted["code"] == 10000
        task_id = submitted["data"]["task_id"]

        old = sign(
            sent[0].body.encode(),
            datetime.now(UTC) - timedelta(minutes=1),
            access_key=access_key,
            secret=secret,
            host=gateway.url.partition("://")[2],
            query=SUBMIT,
        )
        for is_replay in (False, True):
            answer = await town.client(gateway).post(
                f"/?{SUBMIT}", content=sent[0].body, headers=old
            )
            assert answer.status_code == 200, answer.text
            assert ("Idempotent-Replayed" in answer.headers) is is_replay

        tampered = sent[0].copy()
        tampered.body = json.dumps(FORM | {"prompt": "a cat"})
        tampered.prepare_content_length(tampered.body)
        answer = await asyncio.to_thread(sdk.session.send, tampered)
        assert answer.status_code == 401
        assert answer.json()["ResponseMetadata"]["Error"]["Code"] == "SignatureDoesNotMatch"

        words: set[str] = set()

        async def asked() -> dict[str, Any] | None:
            form = {"req_key": FORM["req_key"], "task_id": task_id}
            answer = await asyncio.to_thread(sdk.cv_sync2async_get_result, form)
            assert answer["code"] == 10000, answer
            words.add(answer["data"]["status"])
            return answer if answer["data"]["status"] == "done" else None

        done = await wait_until(asked, seconds=60)
        assert words <= {"in_queue", "done"}
        video = await town.sandbox.get(done["data"]["video_url"])
        assert video.content[4:8] == b"ftyp"
        jobs = await town.ledger()
        assert [job["model"] for job in jobs] == ["jimeng_t2v_v30"] * 2

        with pytest.raises(Exception, match=r"frames here.*121, 241"):
            await asyncio.to_thread(sdk.cv_sync2async_submit_task, FORM | {"frames": 99})
        assert len(await town.ledger()) == 2
