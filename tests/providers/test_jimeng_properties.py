"""Whatever comes in or is answered, only the promised errors go out."""

import hashlib
import hmac
import json
import re
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx
from hypothesis import event, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from tests.support.calls import read_answer
from tests.support.jimeng import JIMENG, NOW

from vidgate.exceptions import ProviderProtocolError, UnsupportedParameterError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import (
    Failed,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
    UpstreamRef,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action, CancelAnswer, SubmitIds, Translation

ACCESS_KEY = "AKLTEXAMPLE"
SECRET_KEY = "U0tFWEFNUExF"

BOUNDED = settings(max_examples=300, deadline=None, derandomize=True, database=None)


# A signer of the test's own, written from the documentation


def mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature_holds(sent: httpx.Request) -> bool:
    authorization = re.fullmatch(
        r"HMAC-SHA256 Credential=([^/]+)/(\d{8}/cn-north-1/cv/request),"
        r" SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
        sent.headers["Authorization"],
    )
    assert authorization
    access_key, scope, names, signature = authorization.groups()
    assert access_key == ACCESS_KEY
    assert {"host", "x-date", "x-content-sha256", "content-type"} <= set(names.split(";"))
    assert ("x-security-token" in sent.headers) == ("x-security-token" in names)
    digest = hashlib.sha256(sent.content).hexdigest()
    assert sent.headers["X-Content-Sha256"] == digest
    pairs = sorted(parse_qsl(sent.url.query.decode(), keep_blank_values=True))
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs
    )
    lines = "".join(f"{name}:{sent.headers[name]}\n" for name in names.split(";"))
    canonical = f"POST\n{sent.url.path}\n{query}\n{lines}\n{names}\n{digest}"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = SECRET_KEY.encode()
    for part in scope.split("/"):
        key = mac(key, part)
    text = f"HMAC-SHA256\n{sent.headers['X-Date']}\n{scope}\n{hashed}"
    return mac(key, text).hex() == signature


def members_of(content: bytes) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise ValueError(word)

    members = json.loads(content, parse_constant=refuse)
    assert isinstance(members, dict)
    return members


# Requests


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)

NAMES = st.sampled_from(
    [
        *JIMENG.capabilities.models,
        "jimeng_realman_avatar_object_detection",
        "jimeng_realman_avatar_new",
        "jimeng_t2v_v30_720p",
        "video_translate_v2_cvtob",
    ]
)
MODELS = st.one_of(NAMES, NAMES, NAMES, st.text(max_size=12))

IMAGES = st.one_of(
    st.builds(Image, url=st.sampled_from(["https://cdn.example/a.png", "http://b.example/"])),
    st.builds(
        Image,
        content=st.binary(max_size=40)
        | st.binary(max_size=40).map(lambda tail: b"\x89PNG\r\n\x1a\n" + tail)
        | st.binary(max_size=40).map(lambda tail: b"\xff\xd8" + tail),
        media_type=st.sampled_from([None, "image/png", "image/jpeg", "image/webp"]),
    ),
)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "req_key": MODELS | JSON,
    "action": st.sampled_from([*Action, "generate"]) | JSON,
    "template_id": st.just("handheld") | JSON,
    "camera_strength": JSON,
    "video_url": st.just("https://cdn.example/a.mp4") | JSON,
    "audio_url": st.just("https://cdn.example/a.mp3") | JSON,
    "image_url": JSON,
    "image_urls": JSON,
    "binary_data_base64": JSON,
    "frames": JSON,
    "aspect_ratio": JSON,
    "output_resolution": st.sampled_from([720, "1080"]) | JSON,
    "seed": JSON,
    "prompt": JSON,
    "req_json": JSON,
    "aigc_meta": JSON,
    "callback_url": JSON,
    "anything": JSON,
}
SOME_FIELDS = st.lists(st.sampled_from([*FIELDS]), max_size=5, unique=True)
"""More of them are refused for the first one, and take long to make up."""

SIDES = st.sampled_from([720, 1080, 1280]) | st.integers(1, 5000)


@st.composite
def requests(draw: st.DrawFn) -> VideoRequest:
    has_size = draw(st.sampled_from([False, False, True]))
    ratio = st.none() | st.sampled_from(["16:9", "9:16", "1:1", "5:4", "100:1"])
    return VideoRequest(
        model=draw(MODELS),
        prompt=draw(st.text(max_size=20) | st.sampled_from(["p" * 400, "船" * 900])),
        duration_seconds=draw(
            st.sampled_from([None, None, 5, 10, 5.0]) | st.integers(-5, 10**6) | st.floats()
        ),
        width=draw(SIDES) if has_size else None,
        height=draw(SIDES) if has_size else None,
        aspect_ratio=None if has_size else draw(ratio),
        fps=draw(st.none() | st.integers(1, 60)),
        images=tuple(draw(st.lists(IMAGES, max_size=3))),
        seed=draw(st.none() | st.integers(-1, 2**31 - 1) | st.integers()),
        user=draw(st.none() | st.text(max_size=5)),
        metadata={name: draw(FIELDS[name]) for name in draw(SOME_FIELDS)},
        strict=draw(st.sampled_from([False, False, False, True])),
    )


OFFERED = [
    (model.name, action, possible)
    for model in JIMENG.capabilities.models.values()
    for action, possible in model.actions.items()
]
NEEDED: dict[Action, dict[str, Any]] = {
    Action.CAMERA: {"template_id": "handheld"},
    Action.MOTION: {"video_url": "https://cdn.example/a.mp4"},
    Action.AVATAR: {"audio_url": "https://cdn.example/a.mp3"},
}


@st.composite
def offered_requests(draw: st.DrawFn) -> VideoRequest:
    """Requests that the capabilities promise to take."""
    model, action, possible = draw(st.sampled_from(OFFERED))
    longest = min(possible.prompt_characters or 0, 400)
    label = {"producer_id": "p", "content_propagator": "us"}
    return VideoRequest(
        model=model,
        prompt=draw(st.text(max_size=longest)) + "p" if longest else "",
        duration_seconds=draw(st.sampled_from([None, *possible.durations])),
        aspect_ratio=draw(st.sampled_from([None, *possible.ratios])),
        images=(Image(url="https://cdn.example/a.png"),) * possible.images[0],
        seed=draw(st.none() | st.integers(-1, 2**31 - 1)) if possible.seed else None,
        metadata={
            **NEEDED.get(action, {}),
            **draw(st.sampled_from([{}, {"action": action.value}, {"aigc_meta": label}])),
        },
    )


@given(
    request=offered_requests(),
    token=st.sampled_from(["", "|STStoken=="]),
    callback_url=st.none() | st.just("https://gateway.example/callbacks/jimeng/x"),
)
@BOUNDED
def test_what_is_offered_is_taken(
    request: VideoRequest, token: str, callback_url: str | None
) -> None:
    translation = JIMENG.translate(request)

    assert translation.ignored == ()
    assert_can_be_sent(translation, token, callback_url)


@given(
    request=requests(),
    token=st.sampled_from(["", "|STStoken=="]),
    callback_url=st.none() | st.just("https://gateway.example/callbacks/jimeng/x"),
)
@BOUNDED
def test_any_request_is_refused_by_name_or_can_be_sent(
    request: VideoRequest, token: str, callback_url: str | None
) -> None:
    try:
        translation = JIMENG.translate(request)
    except UnsupportedParameterError as refused:
        event("refused")
        named = refused.param
    else:
        event("sent")
        named = None
        assert_can_be_sent(translation, token, callback_url)
    assert named is None or named


def assert_can_be_sent(translation: Translation, token: str, callback_url: str | None) -> None:
    channel = ChannelAccess(
        "https://visual.volcengineapi.com", SecretStr(f"{ACCESS_KEY}|{SECRET_KEY}{token}")
    )
    ids = SubmitIds(correlation="attempt_1", callback_url=callback_url)

    call = JIMENG.submit(translation, channel, ids, NOW)
    sent = call.request

    assert signature_holds(sent)
    members = members_of(sent.content)
    assert members["req_key"] == translation.facts.model == translation.details["upstream_model"]
    assert "action" not in members
    assert Action(translation.details["action"])
    accepted = httpx.Response(200, json={"code": 10000, "data": {"task_id": "7512"}})
    submission = read_answer(call, accepted)
    assert isinstance(submission, Submission)
    polled = JIMENG.poll([submission.ref], channel, NOW).request
    assert signature_holds(polled)
    question = members_of(polled.content)
    assert question["req_key"] == members["req_key"]
    assert question["task_id"] == "7512"
    assert isinstance(question.get("req_json", ""), str)
    assert signature_holds(JIMENG.cancel(submission.ref, channel, NOW).request)


# Answers


CHANNEL = ChannelAccess("https://visual.volcengineapi.com", SecretStr("AKTEST|SKTEST"))
REF = UpstreamRef("7512000000000000001", "jimeng_t2v_v30")
STATUSES = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 407, 429, 500, 502, 504])

CODES = st.sampled_from([10000, 50200, 50215, 50400, 50411, 50429, 50430, 50500, 50520]) | JSON
DATA = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["done", "generating", "in_queue", "not_found"]) | JSON,
        "video_url": st.just("https://v3.example/a.mp4") | JSON,
        "task_id": st.just("18446744073709551610") | JSON,
    },
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={"code": CODES, "data": DATA | JSON, "message": JSON, "request_id": JSON},
)
ERRORS = st.fixed_dictionaries(
    {},
    optional={
        "Code": st.sampled_from(["InvalidAccessKey", "InternalError"]) | JSON,
        "CodeN": st.sampled_from([100010, 100014]) | JSON,
        "Message": JSON,
    },
)
WRAPPED = st.fixed_dictionaries(
    {
        "ResponseMetadata": st.fixed_dictionaries(
            {}, optional={"Error": ERRORS | JSON, "RequestId": JSON}
        )
        | JSON
    },
    optional={"Result": ENVELOPES | JSON},
)
CONTENTS = st.binary(max_size=60) | (ENVELOPES | WRAPPED | JSON).map(
    lambda body: json.dumps(body).encode()
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "date": st.sampled_from(["", "x", "Fri, 20 Nov 2026 08:05:00 GMT", "Fri, 31 Feb 2026"]),
        "retry-after": st.sampled_from(["", "7", "-1", "nan", "1e400", "soon"]),
    },
)


@given(status=STATUSES, headers=HEADERS, content=CONTENTS)
@BOUNDED
def test_any_answer_is_an_outcome_or_a_protocol_error(
    status: int, headers: dict[str, str], content: bytes
) -> None:
    response = httpx.Response(status, headers=headers, content=content)
    ids = SubmitIds(correlation="attempt_1")
    translation = JIMENG.translate(VideoRequest(model="jimeng_v30", prompt="a boat"))
    submit = JIMENG.submit(translation, CHANNEL, ids, NOW)
    poll = JIMENG.poll([REF], CHANNEL, NOW)
    cancel = JIMENG.cancel(REF, CHANNEL, NOW)
    probe = JIMENG.test(CHANNEL, NOW)

    try:
        assert isinstance(submit.read(response), Submission | Rejected)
    except ProviderProtocolError as error:
        str(error).encode()
    try:
        outcome = read_answer(poll, response)[REF]
        assert isinstance(outcome, Pending | Succeeded | Failed | Unreadable)
        f"{outcome}".encode()
    except ProviderProtocolError as error:
        str(error).encode()
    try:
        assert isinstance(cancel.read(response), CancelAnswer)
    except ProviderProtocolError as error:
        str(error).encode()
    found = read_answer(probe, response)
    assert found.sentence.isprintable()
    found.sentence.encode()
