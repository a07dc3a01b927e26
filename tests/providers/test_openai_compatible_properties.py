"""Whatever a compatible server answers is an outcome or the promised error; whatever a client asks
for arrives; and the stand-in that was written without the adapter agrees with it."""

import json
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from tests.support.adapters import NOW
from tests.support.calls import read_answer
from tests.support.compatible import ACCESS, ADAPTER, REF

from vidgate.api.forms import parse_multipart
from vidgate.exceptions import ProviderProtocolError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import (
    Failed,
    FaultKind,
    Outcome,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
    UpstreamRef,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import SubmitIds
from vidgate.sandbox.app import Sandbox, create_sandbox
from vidgate.sandbox.registry import SANDBOX_KEYS
from vidgate.sandbox.settings import SandboxSettings

IDS = SubmitIds(correlation="vg_1")
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x80\0\0\0\x40"

NAMES = ("id", "task_id", "status", "state", "data", "error", "code", "message", "type", "param")
PLACES = ("url", "video_url", "output", "videos", "video", "metadata", "content", "result")
FACTS = ("progress", "seconds", "size", "expires_at", "seed", "width", "fps", "duration")
VALUES = ("", "success", "completed", "failed", "queued", "expired", "1x1", "http://[", "//a", "%")
ODD = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**25), 10**25),
        st.floats(),
        st.sampled_from((*VALUES, "\0", "\ud800", "https://a.test/\x7f", "9" * 5000)),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(NAMES + PLACES + FACTS), inner, max_size=6),
    ),
    max_leaves=30,
)
STATUSES = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 409, 413, 429, 500, 502, 503])


def read_both(response: httpx.Response) -> None:
    translation = ADAPTER.translate(VideoRequest(model="clip-1", prompt="a boat"))
    sent = ADAPTER.submit(translation, ACCESS, IDS, NOW)
    try:
        submission = sent.read(response)
        assert isinstance(submission, Submission | Rejected)
        f"{submission}".encode()
    except ProviderProtocolError as error:
        str(error).encode()
    asked = ADAPTER.poll([REF], ACCESS, NOW)
    try:
        outcome = read_answer(asked, response)[REF]
        assert isinstance(outcome, Pending | Succeeded | Failed | Unreadable)
        assert "\0" not in f"{outcome}"
        f"{outcome}".encode()
        if isinstance(outcome, Failed) and response.status_code >= 400:
            assert outcome.doubtful
    except ProviderProtocolError as error:
        str(error).encode()
    probe = read_answer(ADAPTER.test(ACCESS, NOW), response)
    assert probe.sentence.isprintable()


@given(content=st.binary(max_size=200), status=STATUSES)
@settings(max_examples=300, deadline=None)
def test_no_bytes_are_too_odd(content: bytes, status: int) -> None:
    read_both(httpx.Response(status, content=content))


@given(body=ODD, status=STATUSES)
@settings(max_examples=300, deadline=None)
def test_no_json_is_too_odd(body: Any, status: int) -> None:
    read_both(httpx.Response(status, content=json.dumps(body).encode()))


@given(members=st.dictionaries(st.sampled_from(PLACES + FACTS), ODD, max_size=6))
@settings(max_examples=200, deadline=None)
def test_a_finished_job_is_a_video_whatever_is_told_of_it(members: dict[str, Any]) -> None:
    body = {"id": "video_1", **members, "status": "completed"}
    sent = ADAPTER.poll([REF], ACCESS, NOW)

    response = httpx.Response(200, content=json.dumps(body).encode())
    outcome = read_answer(sent, response)[REF]

    assert isinstance(outcome, Succeeded)
    assert outcome.result.url.startswith(("https://", "http://"))
    own = "https://gate.test/v1/videos/video_1/content"
    assert outcome.result.protected is (outcome.result.url == own)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
VENDOR = st.dictionaries(st.text('abcdef_"\r\n ü', min_size=1, max_size=6), JSON, max_size=4)


def without_nulls(value: Any) -> Any:
    """What is left of objects whose `null` members were removed, as they promise."""
    if not isinstance(value, dict):
        return value
    return {key: without_nulls(item) for key, item in value.items() if item is not None}


@given(fields=VENDOR)
@settings(max_examples=150, deadline=None)
def test_vendor_fields_arrive_in_json_as_they_are(fields: dict[str, Any]) -> None:
    translation = ADAPTER.translate(VideoRequest(model="m", prompt="p", metadata=fields))
    sent = ADAPTER.submit(translation, ACCESS, IDS, NOW).request

    body = json.loads(sent.content)

    assert (body.pop("model"), body.pop("prompt")) == ("m", "p")
    assert body.pop("metadata", {}) == body == without_nulls(fields)


@given(fields=VENDOR, prompt=TEXT, content=st.binary(min_size=1, max_size=60))
@settings(max_examples=150, deadline=None)
def test_a_form_arrives_whole_at_a_vidgate(
    fields: dict[str, Any], prompt: str, content: bytes
) -> None:
    request = VideoRequest(
        model="m", prompt=prompt, images=(Image(content=content),), metadata=fields
    )
    sent = ADAPTER.submit(ADAPTER.translate(request), ACCESS, IDS, NOW).request

    form = parse_multipart(sent.content, sent.headers["Content-Type"]).fields

    assert (form["model"], form["prompt"]) == ("m", prompt)
    assert form["input_reference"] == [content]
    assert form.get("metadata", {}) == without_nulls(fields)


def test_a_form_is_one_to_the_standard_library_too() -> None:
    request = VideoRequest(model="m", prompt="p", images=(Image(content=PNG),))
    sent = ADAPTER.submit(ADAPTER.translate(request), ACCESS, IDS, NOW).request

    head = f"Content-Type: {sent.headers['Content-Type']}\r\n\r\n".encode()
    parts: list[Message] = message_from_bytes(head + sent.content).get_payload()  # type: ignore[assignment]

    assert [part.get_param("name", header="content-disposition") for part in parts] == [
        *("model", "prompt", "input_reference")
    ]
    assert parts[2].get_filename() == "picture.png"
    assert parts[2].get_content_type() == "image/png"


# Against the stand-in


@pytest.fixture
def sandbox() -> Sandbox:
    return create_sandbox(
        SandboxSettings(encode_ahead=False, jitter=0.0, clock=lambda: clock["now"])
    )


clock = {"now": 0.0}


class Talk:
    """The adapter in conversation with the stand-in."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        key = SANDBOX_KEYS["openai_compatible"]
        self.access = ChannelAccess("http://box.test/openai_compatible", SecretStr(key))

    async def submit(self, correlation: str = "vg_1", **members: Any) -> Submission | Rejected:
        given = {"model": "clip-1", "prompt": "a boat", "duration_seconds": 1, **members}
        translation = ADAPTER.translate(VideoRequest(**given))
        ids = SubmitIds(correlation=correlation)
        sent = ADAPTER.submit(translation, self.access, ids, NOW)
        return read_answer(sent, await self.client.send(sent.request))

    async def poll(self, ref: UpstreamRef) -> Outcome:
        sent = ADAPTER.poll([ref], self.access, NOW)
        return read_answer(sent, await self.client.send(sent.request))[ref]

    async def fault(self, operation: str, kind: str) -> None:
        fault = {"provider": "openai_compatible", "operation": operation, "kind": kind}
        answer = await self.client.post("http://box.test/_sandbox/faults", json=fault)
        assert answer.status_code == 200


@pytest.fixture
async def talk(sandbox: Sandbox) -> AsyncIterator[Talk]:
    clock["now"] = NOW.timestamp()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        yield Talk(client)
    sandbox.world.videos.close()


async def test_a_job_from_submit_to_its_video(talk: Talk) -> None:
    submission = await talk.submit(width=64, height=64)
    assert isinstance(submission, Submission)
    assert await talk.poll(submission.ref) == Pending(started=False, progress=0)
    clock["now"] += 20
    running = await talk.poll(submission.ref)
    assert isinstance(running, Pending)
    assert running.started
    clock["now"] += 20
    done = await talk.poll(submission.ref)
    assert isinstance(done, Succeeded)
    assert done.result.protected
    assert (done.result.duration_seconds, done.result.width) == (1, 64)
    assert done.result.expires_at is not None
    sent = ADAPTER.content(submission.ref, done.result, talk.access, NOW)
    assert sent is not None
    video = await talk.client.send(sent)
    assert video.content[4:8] == b"ftyp"
    assert (await talk.client.get(done.result.url)).status_code == 401


async def test_a_job_whose_server_names_a_url(talk: Talk) -> None:
    submission = await talk.submit(model="clip-1-link", width=64, height=64)
    assert isinstance(submission, Submission)
    clock["now"] += 40
    done = await talk.poll(submission.ref)
    assert isinstance(done, Succeeded)
    assert not done.result.protected
    assert (await talk.client.get(done.result.url)).content[4:8] == b"ftyp"


async def test_an_inline_picture_arrives(talk: Talk, sandbox: Sandbox) -> None:
    await talk.submit(images=(Image(content=PNG),), metadata={"audio": True})

    (job,) = sandbox.world.ledger
    assert job.body["input_reference"] == f"({len(PNG)} bytes)"
    assert job.body["metadata"] == {"audio": True}
    assert job.correlation == "vg_1"


@pytest.mark.parametrize(
    ("members", "kind", "param"),
    [
        ({"prompt": "a #audit"}, FaultKind.CONTENT_POLICY, ""),
        ({"model": "nothing"}, FaultKind.MODEL_UNAVAILABLE, ""),
        ({"duration_seconds": 7.5}, FaultKind.BAD_PARAMETER, "seconds"),
        ({"images": (Image(content=b"?"),)}, FaultKind.BAD_PARAMETER, "input_reference"),
    ],
)
async def test_a_refusal_is_understood(
    talk: Talk, members: dict[str, Any], kind: FaultKind, param: str
) -> None:
    answer = await talk.submit(**members)

    assert isinstance(answer, Rejected)
    assert (answer.fault.kind, answer.fault.param) == (kind, param)


@pytest.mark.parametrize(
    ("kind", "created"),
    [
        *((kind, 0) for kind in ("500", "503", "504", "502_html", "redirect")),
        *(
            (kind, 1)
            for kind in ("500_created", "504_created", "truncated_json", "garbage", "empty")
        ),
    ],
)
async def test_a_submit_that_may_have_made_a_job_is_unclear(
    talk: Talk, sandbox: Sandbox, kind: str, created: int
) -> None:
    await talk.fault("submit", kind)

    with pytest.raises(ProviderProtocolError):
        await talk.submit()

    assert len(sandbox.world.ledger) == created


@pytest.mark.parametrize(
    ("kind", "expected"), [("401", FaultKind.CREDENTIAL), ("429", FaultKind.RATE)]
)
async def test_a_submit_that_was_turned_away(talk: Talk, kind: str, expected: FaultKind) -> None:
    await talk.fault("submit", kind)

    answer = await talk.submit()

    assert isinstance(answer, Rejected)
    assert answer.fault.kind is expected


async def test_a_repeated_submit_makes_no_second_job(talk: Talk, sandbox: Sandbox) -> None:
    await talk.fault("submit", "504_created")
    with pytest.raises(ProviderProtocolError):
        await talk.submit()

    assert isinstance(await talk.submit(), Submission)
    assert len(sandbox.world.ledger) == 1
    await talk.submit("vg_2")
    assert len(sandbox.world.ledger) == 2


@pytest.mark.parametrize(
    "kind", ["401", "429", "500", "503", "504", "502_html", "redirect", "truncated_json", "garbage"]
)
async def test_a_poll_that_could_not_ask(talk: Talk, kind: str) -> None:
    submission = await talk.submit()
    assert isinstance(submission, Submission)
    await talk.fault("poll", kind)

    with pytest.raises(ProviderProtocolError):
        await talk.poll(submission.ref)

    assert isinstance(await talk.poll(submission.ref), Pending)


async def test_odd_answers_to_a_poll(talk: Talk) -> None:
    submission = await talk.submit()
    assert isinstance(submission, Submission)
    await talk.fault("poll", "unknown_state")
    assert isinstance(await talk.poll(submission.ref), Unreadable)
    await talk.fault("poll", "not_found")
    lost = await talk.poll(submission.ref)
    assert isinstance(lost, Failed)
    assert (lost.fault.kind, lost.doubtful) == (FaultKind.NOT_FOUND, True)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("late-audit", FaultKind.CONTENT_POLICY),
        ("late-error", FaultKind.FAULT),
        ("cancelled-by-vendor", FaultKind.CANCELLED),
    ],
)
async def test_a_job_that_fails(talk: Talk, word: str, kind: FaultKind) -> None:
    submission = await talk.submit(prompt=f"a #{word}")
    assert isinstance(submission, Submission)
    clock["now"] += 60

    outcome = await talk.poll(submission.ref)

    assert isinstance(outcome, Failed)
    assert (outcome.fault.kind, outcome.doubtful) == (kind, False)


async def test_a_probe(talk: Talk) -> None:
    sent = ADAPTER.test(talk.access, NOW)
    assert read_answer(sent, await talk.client.send(sent.request)).works
    stranger = ChannelAccess(talk.access.base_url, SecretStr("sk-nobody"))
    sent = ADAPTER.test(stranger, NOW)
    assert not read_answer(sent, await talk.client.send(sent.request)).works
