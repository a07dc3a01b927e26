"""The Vidu adapter, whatever it is given: named errors and known answers, and nothing else."""

import copy
import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.calls import read_answer
from tests.support.vidu import CHANNEL, KEY, NOW, REF, UNMAPPED, VIDU

from vidgate.exceptions import (
    CallbackRefusedError,
    ProviderProtocolError,
    UnsupportedParameterError,
)
from vidgate.models.outcomes import (
    Failed,
    Found,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import (
    Action,
    Callback,
    CancelAnswer,
    LostSubmit,
    ProbeAnswer,
    SubmitIds,
)

IDS = SubmitIds(correlation="att_01", callback_url="https://svc.example.test/cb/1")
URL = "https://a.example.test/1.jpg"

BOUNDED = settings(max_examples=600, deadline=None, derandomize=True, database=None)

NAMES = (
    *("text2video", "img2video", "start-end2video", "reference2video", "multiframe", "extend"),
    *("upscale-new", "lip-sync", "template", "template-story"),
)
PATHS = {f"/ent/v2/{name}" for name in NAMES}
WORDS = (*NAMES, *Action, "template2video", "generate", "referenceGenerate", "dance", "")
FIELDS = (
    *("prompt", "images", "duration", "resolution", "aspect_ratio", "audio", "off_peak", "seed"),
    *("subjects", "videos", "sounds", "auto_subjects", "start_image", "image_settings"),
    *("template", "story", "upscale_resolution", "video_creation_id", "video_url"),
    *("audio_url", "text", "ref_photo_url", "payload", "callback_url", "model", "Duration"),
)

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["", "x", URL, "720p", "16:9", "one_shot", "5", "\0", "\ud800"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["duration", "key_image", "name"]), inner, max_size=3),
    ),
    max_leaves=8,
)

ACTIONS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}), st.fixed_dictionaries({"action": st.sampled_from(WORDS) | JSON})
)
RECIPES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"image_settings": [{"key_image": URL, "duration": 3}, {"key_image": URL}]},
        {"start_image": URL},
        {"template": "hugging"},
        {"story": "one_shot"},
        {"upscale_resolution": "4K", "video_creation_id": "9"},
        {"video_url": URL},
        {"video_url": URL, "audio_url": URL},
        {"video_url": URL, "text": "Good evening"},
        {"subjects": [{"name": "mia", "images": [URL]}]},
        {"videos": [URL]},
        {"off_peak": True, "audio": False},
    ]
)
METADATA: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    RECIPES,
    st.builds(lambda recipe, action: recipe | action, RECIPES, ACTIONS),
    st.builds(
        lambda recipe, fields, action: recipe | fields | action,
        RECIPES,
        st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3),
        ACTIONS,
    ),
)

PICTURE = Image(url=URL)
ODD_PICTURES = st.sampled_from(
    [
        Image(content=b"\x89PNG\r\n\x1a\n", media_type="image/png"),
        Image(content=b"\xff\xd8\xff", media_type="image/jpg"),
        Image(content=b"GIF89a", media_type="image/gif"),
        Image(content=b"", media_type=None),
    ]
)
PICTURES = st.one_of(
    st.sampled_from([0, 1, 1, 2, 3, 4, 7, 12]).map(lambda count: [PICTURE] * count),
    st.lists(ODD_PICTURES | st.just(PICTURE), max_size=3),
)

SIDES = st.one_of(
    st.sampled_from([None, None, (1920, 1080), (720, 1280), (1080, 1080), (3840, 2160)]),
    st.tuples(st.integers(1, 16384), st.integers(1, 16384)),
)


@st.composite
def any_request(draw: st.DrawFn) -> VideoRequest:
    models = (*VIDU.capabilities.models, "vidu9", "vidu")
    sides = draw(SIDES)
    return VideoRequest(
        model=draw(st.sampled_from(models)),
        prompt=draw(st.sampled_from(["a boat"] * 5 + ["", " ", "\ud83d", "x" * 2001, "x" * 20001])),
        duration_seconds=draw(
            st.sampled_from([None, None, 4, 5, 8]) | st.integers(0, 70) | st.floats(0, 86400)
        ),
        width=sides[0] if sides else None,
        height=sides[1] if sides else None,
        aspect_ratio=draw(st.sampled_from([None, None, "16:9", "1:1", "7:1", "2.35:1"])),
        fps=draw(st.sampled_from([None, None, 24])),
        images=tuple(draw(PICTURES)),
        seed=draw(st.none() | st.integers(0, 2**31) | st.integers(-(2**63), 2**63 - 1)),
        user=draw(st.sampled_from([None, None, "u"])),
        metadata=draw(METADATA),
    )


def attempt(call: Callable[[], Any], promised: type[Exception]) -> Any:
    """What a call gives, or the one error that it is promised to raise."""
    try:
        return call()
    except promised as error:
        return error


def no_constant(name: str) -> NoReturn:
    raise AssertionError(name)


@BOUNDED
@given(request=any_request(), is_mapped=st.booleans())
def test_a_named_error_or_a_request_to_a_known_path(
    request: VideoRequest, *, is_mapped: bool
) -> None:
    adapter = VIDU if is_mapped else UNMAPPED
    kept = copy.deepcopy(dict(request.metadata))
    translation = attempt(lambda: adapter.translate(request), UnsupportedParameterError)
    assert request.metadata == kept
    if isinstance(translation, UnsupportedParameterError):
        assert translation.param
        assert translation.message.endswith(".")
        return
    sent = adapter.submit(translation, CHANNEL, IDS, NOW).request
    assert sent.url.path in PATHS
    assert sent.url.path == translation.endpoint
    body = json.loads(sent.content, parse_constant=no_constant)
    assert body["payload"] == IDS.correlation
    assert body["callback_url"] == IDS.callback_url
    assert "action" not in body
    assert ("model" in body) is not translation.facts.model.startswith("vidu-")
    assert body.get("model", translation.facts.model) == translation.facts.model
    seconds = translation.facts.duration_seconds
    assert seconds is None or math.isfinite(seconds)
    if is_live(request.model):
        assert adapter.effective_model(request) == translation.facts.model


def is_live(model: str) -> bool:
    known = VIDU.capabilities.models.get(model)
    return known is None or known.successor is None


@BOUNDED
@given(request=any_request())
def test_effective_model_says_a_name_or_why_not(request: VideoRequest) -> None:
    model = attempt(lambda: VIDU.effective_model(request), UnsupportedParameterError)
    if isinstance(model, UnsupportedParameterError):
        assert model.param == "action"
    else:
        assert model == request.model or model in VIDU.capabilities.models


# Answers

ANSWER_WORDS = (
    *("code", "reason", "message", "metadata", "fields", "task_id", "id", "state", "err_code"),
    *("creations", "url", "video", "resolution", "width", "credits", "progress", "tasks"),
    *("payload", "next_page_token", "created_at", "remains", "credit_remain", "type", "seed"),
)

ANSWERS = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-(10**30), 10**30),
            st.floats(),
            st.sampled_from(["", "success", "failed", "processing", "400", "http://[", URL, "\0"]),
            st.sampled_from(["\ud800", "att_01", REF.id, "TaskNotFound", "9" * 400]),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(ANSWER_WORDS), inner, max_size=5),
        ),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode()),
)
STATUSES = st.sampled_from([200, 201, 204, 302, 400, 401, 402, 404, 408, 409, 429, 499, 500, 503])
OUTCOMES = (
    *(Submission, Rejected, Pending, Succeeded, Failed, Unreadable, Found),
    *(CancelAnswer, ProbeAnswer),
)


@BOUNDED
@given(content=ANSWERS, status=STATUSES, retry_after=st.sampled_from(["", "7", "nan", "1e400"]))
def test_an_outcome_or_a_protocol_error(content: bytes, status: int, retry_after: str) -> None:
    translation = VIDU.translate(VideoRequest(model="viduq2", prompt="a boat"))
    submit = VIDU.submit(translation, CHANNEL, IDS, NOW)
    poll = VIDU.poll([REF], CHANNEL, NOW)
    lost = LostSubmit(endpoint="/ent/v2/text2video", ids=IDS, sent_at=NOW, ends_at=NOW)
    find = VIDU.find(lost, CHANNEL, NOW)
    cancel = VIDU.cancel(REF, CHANNEL, NOW)
    probe = VIDU.test(CHANNEL, NOW)
    response = httpx.Response(status, content=content, headers={"retry-after": retry_after})
    reads: list[Callable[[], Any]] = [
        lambda: submit.read(response),
        lambda: read_answer(poll, response)[REF],
        lambda: find.read(response),
        lambda: cancel.read(response),
        lambda: probe.read(response),
    ]
    for read in reads:
        outcome = attempt(read, ProviderProtocolError)
        assert isinstance(outcome, (*OUTCOMES, ProviderProtocolError))
        told = f"{outcome}"
        assert "\0" not in told
        assert KEY not in told
        told.encode()


# Callbacks

HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "date": st.text(max_size=30) | st.just("Fri, 20 Nov 2026 08:30:00 GMT"),
        "x-request-nonce": st.text(max_size=10),
        "x-hmac-signed-headers": st.text(max_size=10) | st.just("Date;x-request-nonce"),
        "x-hmac-signature": st.text(max_size=50) | st.just("AAAA"),
        "x-hmac-algorithm": st.text(max_size=12) | st.just("hmac-sha256"),
        "x-hmac-access-key": st.text(max_size=6) | st.just("vidu"),
    },
)


@BOUNDED
@given(headers=HEADERS, query=st.text(max_size=20))
def test_no_forgery_is_taken_and_none_is_too_odd(headers: dict[str, str], query: str) -> None:
    url = f"https://svc.example.test/cb?{query}"
    called = Callback(method="POST", url=url, headers=headers, body=b"{}", received_at=NOW)
    refused = attempt(lambda: VIDU.check_callback(called, CHANNEL, None), CallbackRefusedError)
    assert isinstance(refused, CallbackRefusedError)
    assert KEY not in str(refused)
