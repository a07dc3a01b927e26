"""The official OpenAI SDK, with nothing changed but its base URL and key, over real sockets."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

import openai
import pytest
import uvicorn
from openai.types import Video
from tests.sandbox.support import png
from tests.support.api import KEY, FakeServices, FakeSubmissions, build_settings, build_task
from tests.support.processes import open_town
from typing_extensions import override

from vidgate.config import Settings
from vidgate.exceptions import (
    ConflictError,
    ModelNotFoundError,
    PermissionDeniedError,
    RequestError,
    UnsupportedParameterError,
    UpstreamRefusedError,
)
from vidgate.main import create_app
from vidgate.models.accounts import Caller
from vidgate.models.outcomes import VideoResult
from vidgate.models.requests import IdempotencyClaim, VideoRequest
from vidgate.models.tasks import FollowUp, OutputSnapshot, TaskStatus
from vidgate.providers.kling import Kling
from vidgate.services.channels.catalogue import ModelOffer
from vidgate.services.tasks.creating import Created
from vidgate.services.views.reading import TaskView

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")

T = TypeVar("T")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
RESULT = VideoResult(url="https://videos.test/1.mp4", duration_seconds=5.0)
CARDS: Mapping[str, Any] = MappingProxyType({"model": "kling-v2-6", "prompt": "a paper boat"})
FIVE: Mapping[str, Any] = MappingProxyType({"seconds": "5"})  # the SDK types only its own
JSON = {"Content-Type": "application/json"}


class QuotaError(RequestError):
    status = 403
    type = "insufficient_quota"
    default_code = "quota_exhausted"


class RateError(RequestError):
    status = 429
    type = "rate_limit_error"
    default_code = "too_many_requests"


class StoringSubmissions(FakeSubmissions):
    """Lets its tasks be read."""

    def __init__(self, services: FakeServices) -> None:
        super().__init__()
        self._services = services

    @override
    async def create(
        self,
        caller: Caller,
        request: VideoRequest,
        *,
        dialect: str,
        echo: Mapping[str, Any] = MappingProxyType({}),
        once: IdempotencyClaim | None = None,
    ) -> Created:
        created = await super().create(caller, request, dialect=dialect, echo=echo, once=once)
        self._services.reader.add(created.snapshot)
        return created


class Gateway:
    """A server, the services behind it, and clients of both kinds."""

    def __init__(self, url: str, services: FakeServices) -> None:
        self.base_url = f"{url}/v1"
        self.services = services

    async def ask(self, question: Callable[[openai.OpenAI], T], **options: Any) -> T:
        """Put a question to the synchronous client, in a thread of its own."""
        with openai.OpenAI(**{"base_url": self.base_url, "api_key": KEY} | options) as client:
            return await asyncio.to_thread(question, client)

    def client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=self.base_url, api_key=KEY)

    def finish(self, video_id: str, status: TaskStatus = TaskStatus.SUCCEEDED) -> None:
        view = self.services.reader.views[video_id]
        output = OutputSnapshot(
            status=status, result=RESULT if status is TaskStatus.SUCCEEDED else None
        )
        task = replace(view.snapshot, status=status, outputs=(output,))
        self.services.reader.views[video_id] = TaskView(task, 0.0)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    services = FakeServices(build_settings())
    services.task_creator = StoringSubmissions(services)

    @asynccontextmanager
    async def opened(_settings: Settings) -> AsyncIterator[FakeServices]:
        yield services

    async with _serve(create_app(services.settings, open_services=opened)) as url:
        yield Gateway(url, services)


def _serve(app: Any) -> AbstractAsyncContextManager[str]:
    @asynccontextmanager
    async def serve() -> AsyncIterator[str]:
        config = uvicorn.Config(app, port=0, log_config=None, ws="none", lifespan="on")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve())
        try:
            while not server.started:
                assert not running.done(), "the server ended"
                await asyncio.sleep(0.01)
            port: int = server.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await running

    return serve()


# Making


async def test_a_video_is_made_from_a_form(gateway: Gateway) -> None:
    """That is what the SDK sends, also without a file."""
    video = await gateway.ask(
        lambda client: client.videos.create(
            **CARDS,
            seconds="8",
            size="1280x720",
            extra_body={"metadata": {"mode": "pro", "cfg_scale": 0.5, "tags": ["a", "b"]}},
        )
    )

    assert type(video) is Video
    assert (video.status, video.model) == ("queued", "kling-v2-6")
    assert (video.seconds, video.size) == ("8", "1280x720")
    assert gateway.services.task_creator.request == VideoRequest(
        model="kling-v2-6",
        prompt="a paper boat",
        duration_seconds=8,
        width=1280,
        height=720,
        metadata={"mode": "pro", "cfg_scale": 0.5, "tags": ["a", "b"]},
    )


async def test_a_video_is_made_from_json_and_from_a_file(gateway: Gateway) -> None:
    async with gateway.client() as client:
        await client.videos.create(**CARDS, seconds="4", extra_headers=JSON)
        await client.videos.create(**CARDS, input_reference=("a.png", PNG, "image/png"))
        await client.videos.create(
            **CARDS, extra_body={"input_reference": {"image_url": "https://a.test/a.png"}}
        )
        await client.videos.create(
            **CARDS,
            extra_body={"input_reference": {"image_url": "https://a.test/a.png"}, "seed": 3},
            extra_headers=JSON,
        )

    plain, file, form, json = gateway.services.task_creator.requests
    assert (plain.duration_seconds, plain.images) == (4, ())
    assert [image.content for image in file.images] == [PNG]
    assert [image.url for image in form.images] == ["https://a.test/a.png"]
    assert form.images == json.images
    assert json.seed == 3


@pytest.mark.parametrize("status", [TaskStatus.SUCCEEDED, TaskStatus.FAILED])
async def test_a_video_is_made_and_waited_for(gateway: Gateway, status: TaskStatus) -> None:
    async def finish_soon() -> str:
        while not gateway.services.reader.views:  # noqa: ASYNC110 - it comes over a socket
            await asyncio.sleep(0.01)
        (video_id,) = gateway.services.reader.views
        gateway.finish(video_id, status)
        return video_id

    async with gateway.client() as client:
        video, video_id = await asyncio.gather(
            client.videos.create_and_poll(**CARDS, seconds="4", size="720x1280"), finish_soon()
        )

    assert video.id == video_id
    if status is TaskStatus.SUCCEEDED:
        assert video.status == "completed"
        assert video.error is None
        assert video.model_extra is not None
        assert video.model_extra["url"] == "https://videos.test/1.mp4"
    else:
        assert video.status == "failed"
        assert video.error is not None
        assert video.error.code == "task_failed"


async def test_polling_waits_as_long_as_it_is_told(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id = gateway.services.reader.add(build_task(status=TaskStatus.IN_PROGRESS))
    waits = []

    def finish(_self: object, seconds: float) -> None:
        waits.append(seconds)
        gateway.finish(video_id)

    def poll(client: openai.OpenAI) -> Video:
        monkeypatch.setattr(type(client.videos), "_sleep", finish)
        return client.videos.poll(video_id)

    video = await gateway.ask(poll)

    assert video.status == "completed"
    assert waits == [2.0]


# Going on


async def test_a_video_is_remixed_edited_and_extended(gateway: Gateway) -> None:
    source = gateway.services.reader.add(build_task(status=TaskStatus.SUCCEEDED))
    named = {"video": {"id": source}}

    def ask(client: openai.OpenAI) -> list[Video]:
        # This SDK takes the object that it types only past its own check for files.
        unsent: Any = openai.omit
        videos = client.videos
        return [
            videos.remix(source, prompt="snow"),
            videos.edit(prompt="red", video=unsent, extra_body=named),
            videos.edit(prompt="red", video=unsent, extra_body=named, extra_headers=JSON),
            videos.extend(prompt="on", seconds="8", video=unsent, extra_body=named),
        ]

    made = await gateway.ask(ask)

    assert [video.remixed_from_video_id for video in made] == [source] * 4
    assert made[3].seconds == "8"
    asked = gateway.services.task_creator.follow_ups
    assert [(kind, name) for kind, name, _ in asked] == [
        (FollowUp.REMIX, source),
        (FollowUp.EDIT, source),
        (FollowUp.EDIT, source),
        (FollowUp.EXTEND, source),
    ]
    assert [request.prompt for _, _, request in asked] == ["snow", "red", "red", "on"]


async def test_a_videos_file_and_characters_are_refused_clearly(gateway: Gateway) -> None:
    async with gateway.client() as client:
        with pytest.raises(openai.BadRequestError, match=r"as video\[id\].*extra_body") as edited:
            await client.videos.edit(prompt="red", video=b"mp4")
        with pytest.raises(openai.BadRequestError, match="Characters are not offered"):
            await client.videos.create_character(name="Ann", video=bytes(100_000))
        with pytest.raises(openai.NotFoundError, match="Characters are not offered"):
            await client.videos.get_character("char_1")

    assert edited.value.param == "video"


# Listing and removing


async def test_pages_follow_each_other_by_themselves(gateway: Gateway) -> None:
    names = [gateway.services.reader.add(build_task()) for _ in range(7)]
    newest_first = sorted(names, reverse=True)

    seen = await gateway.ask(
        lambda client: [video.id for video in client.videos.list(limit=2, order="desc")]
    )
    async with gateway.client() as client:
        backwards = [video.id async for video in client.videos.list(limit=3, order="asc")]
        page = await client.videos.list(after=newest_first[1], limit=2)

    assert seen == newest_first
    assert backwards == newest_first[::-1]
    assert [video.id for video in page.data] == newest_first[2:4]
    assert (page.has_more, page.last_id) == (True, newest_first[3])
    assert [query.limit for query in gateway.services.reader.queries] == [2] * 4 + [3] * 3 + [2]


async def test_a_video_is_read_and_removed(gateway: Gateway) -> None:
    video_id = gateway.services.reader.add(build_task(status=TaskStatus.FAILED))

    read = await gateway.ask(lambda client: client.videos.retrieve(video_id))
    async with gateway.client() as client:
        gone = await client.videos.delete(video_id)

    assert read.id == video_id
    assert (gone.id, gone.object, gone.deleted) == (video_id, "video.deleted", True)
    with pytest.raises(openai.NotFoundError):
        await gateway.ask(lambda client: client.videos.retrieve(video_id))


# Errors


@pytest.mark.parametrize(
    ("error", "raised", "kind", "code"),
    [
        (UnsupportedParameterError("seconds", "Not 7.", allowed=[5]), openai.BadRequestError,
         "invalid_request_error", "unsupported_parameter"),
        (PermissionDeniedError("Expired.", code="token_expired"), openai.PermissionDeniedError,
         "permission_error", "token_expired"),
        (ModelNotFoundError("None."), openai.NotFoundError, "not_found_error",
         "model_not_found"),
        (ConflictError("Later."), openai.ConflictError, "invalid_request_error", "conflict"),
        (RateError("Too fast."), openai.RateLimitError, "rate_limit_error",
         "too_many_requests"),
        (QuotaError("Spent."), openai.RateLimitError, "insufficient_quota",
         "insufficient_quota"),
        (UpstreamRefusedError("Refused."), openai.InternalServerError, "upstream_error",
         "upstream_refused"),
    ],
)  # fmt: skip
async def test_every_error_is_raised_as_its_class(
    gateway: Gateway, error: RequestError, raised: type[openai.APIStatusError], kind: str, code: str
) -> None:
    gateway.services.task_creator.error = error

    with pytest.raises(raised, match=error.message) as caught:
        await gateway.ask(
            lambda client: client.videos.create(**CARDS),
            max_retries=0 if isinstance(error, RateError) else 2,
        )

    assert type(caught.value) is raised
    assert (caught.value.type, caught.value.code) == (kind, code)
    assert caught.value.param == error.param
    assert caught.value.request_id
    # What may have cost money, or would be refused again, is never sent again.
    assert len(gateway.services.task_creator.requests) == 1


async def test_a_wrong_token_and_a_missing_video(gateway: Gateway) -> None:
    with pytest.raises(openai.AuthenticationError) as unknown:
        await gateway.ask(lambda client: client.videos.create(**CARDS), api_key="sk-" + "x" * 43)
    with pytest.raises(openai.NotFoundError) as missing:
        await gateway.ask(lambda client: client.videos.retrieve("video_1"))
    with pytest.raises(openai.BadRequestError) as modelless:
        await gateway.ask(lambda client: client.videos.create(prompt="a boat"))

    assert unknown.value.code == "invalid_api_key"
    assert missing.value.code == "task_not_found"
    assert modelless.value.param == "model"
    assert "GET /v1/models" in modelless.value.message


async def test_an_unfinished_video_is_not_removed(gateway: Gateway) -> None:
    video_id = gateway.services.reader.add(build_task())

    with pytest.raises(openai.ConflictError):
        await gateway.ask(lambda client: client.videos.delete(video_id), max_retries=0)


# Models


async def test_models_are_listed_and_read(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    capabilities = Kling.capabilities.models["kling-v2-6"]
    offer = ModelOffer(name="kling-v2-6", provider="kling", capabilities=capabilities)

    async def models(_caller: Caller) -> list[ModelOffer]:
        return [offer]

    async def model(_caller: Caller, _name: str) -> ModelOffer:
        return offer

    monkeypatch.setattr(gateway.services.catalogue, "models", models)
    listed = await gateway.ask(lambda client: list(client.models.list()))
    with pytest.raises(openai.NotFoundError) as missing:
        await gateway.ask(lambda client: client.models.retrieve("sora-2"))
    monkeypatch.setattr(gateway.services.catalogue, "model", model)
    async with gateway.client() as client:
        read = await client.models.retrieve("kling-v2-6")

    assert [one.id for one in listed] == ["kling-v2-6"]
    assert (read.id, read.owned_by, read.object) == ("kling-v2-6", "kling", "model")
    assert missing.value.code == "model_not_found"


# Over the real services, with only the providers made up


async def test_a_whole_life_over_the_real_services(database_url: str) -> None:
    async with open_town(database_url, sandbox={"speed": 50}) as town:
        process = await town.gateway()
        async with openai.AsyncOpenAI(base_url=f"{process.url}/v1", api_key=town.token) as client:
            videos = client.videos
            made = [
                await videos.create(model="viduq2", prompt="a boat", seconds="4", size="1280x720"),
                await videos.create(**CARDS, input_reference=("a.png", b64decode(png()))),
                await videos.create(**CARDS, extra_body={"seconds": 10}, extra_headers=JSON),
            ]
            done = [await videos.poll(one.id, poll_interval_ms=200) for one in made]
            names = [one.id for one in made]
            listed = [one.id async for one in videos.list(limit=1, order="asc")]
            models = [one.id async for one in client.models.list()]
            served = await client.models.retrieve("kling-v2-6")
            gone = await videos.delete(names[1])
            with pytest.raises(openai.NotFoundError):
                await videos.retrieve(names[1])
            left = await videos.list(limit=2)

    assert {one.status for one in made} <= {"queued", "in_progress"}
    assert [one.prompt for one in made] == ["a boat", "a paper boat", "a paper boat"]
    assert [one.status for one in done] == ["completed"] * 3
    assert [one.seconds for one in done] == ["4", "5", "10"]
    assert done[0].size == "1280x720"
    assert all(one.size for one in done)
    assert listed == names
    assert {"kling-v2-6", "viduq2"} <= set(models)
    assert served.owned_by == "kling"
    assert gone.deleted
    assert ([one.id for one in left.data], left.has_more) == ([names[2], names[0]], False)


async def test_what_the_real_services_make_and_refuse(database_url: str) -> None:
    async with open_town(database_url, sandbox={"speed": 50}) as town:
        process = await town.gateway()

        def ask(client: openai.OpenAI) -> Video:
            videos = client.videos
            nothing = "task_" + "0" * 26
            with pytest.raises(openai.NotFoundError) as unknown:
                videos.create(model="sora-2", prompt="a boat", seconds="4", size="720x1280")
            with pytest.raises(openai.BadRequestError) as unsupported:
                videos.create(**CARDS, extra_body={"seconds": "7"})
            with pytest.raises(openai.BadRequestError) as strict:
                videos.create(
                    **CARDS, extra_body={"fps": 24}, extra_headers={"Prefer": "handling=strict"}
                )
            with pytest.raises(openai.NotFoundError) as behind:
                videos.list(after=nothing)
            with pytest.raises(openai.NotFoundError) as sourceless:
                videos.remix(nothing, prompt="snow")
            running = videos.create(**CARDS, **FIVE, size="1280x720")
            with pytest.raises(openai.ConflictError):
                videos.delete(running.id)
            with pytest.raises(openai.ConflictError):
                videos.remix(running.id, prompt="snow")
            assert unknown.value.code == "model_not_found"
            assert unsupported.value.code == "unsupported_parameter"
            assert strict.value.param == "fps"
            assert behind.value.param == "after"
            assert sourceless.value.code == "task_not_found"
            return videos.create_and_poll(**CARDS, **FIVE, size="1280x720")

        with openai.OpenAI(
            base_url=f"{process.url}/v1", api_key=town.token, max_retries=0
        ) as client:
            done = await asyncio.to_thread(ask, client)

    assert (done.status, done.seconds, done.size) == ("completed", "5", "1280x720")
    assert (done.prompt, done.progress, done.model) == ("a paper boat", 100, "kling-v2-6")
    assert done.model_extra is not None
    assert done.model_extra["url"].startswith("http")
    assert done.model_extra["metadata"]["upstream_model"] == "kling-v2-6"


async def test_what_is_made_of_a_video_is_like_it(database_url: str) -> None:
    sizes: Any = {"size": "720x1280"}
    unsent: Any = openai.omit
    async with open_town(database_url, sandbox={"speed": 50}) as town:
        process = await town.gateway()
        async with openai.AsyncOpenAI(base_url=f"{process.url}/v1", api_key=town.token) as client:
            videos = client.videos
            seconds: Any
            for model, seconds, runs in [
                ("viduq2", "4", "viduq2-pro"),
                ("kling-v3", "8", "kling-v3-omni"),
            ]:
                made = await videos.create(model=model, prompt="a boat", seconds=seconds, **sizes)
                await videos.poll(made.id, poll_interval_ms=200)
                named = {"video": {"id": made.id}}
                remixed = await videos.remix(made.id, prompt="snow")
                edited = await videos.edit(prompt="red", video=unsent, extra_body=named)
                for one in (remixed, edited):
                    done = await videos.poll(one.id, poll_interval_ms=200)
                    assert (done.seconds, done.size) == (seconds, "720x1280")
                    assert done.model_extra is not None
                    assert done.model_extra["metadata"]["upstream_model"] == runs
