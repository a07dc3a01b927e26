"""Any request, and any answer: Kling's adapter never fails in a way that it did not promise."""

import json
import re
from dataclasses import replace
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.adapters import NOW
from tests.support.calls import read_answer, to_endpoint
from tests.support.kling import HOST, access, kling

from vidgate.exceptions import ProviderProtocolError, UnsupportedParameterError
from vidgate.models.outcomes import (
    Failed,
    Found,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
    UpstreamRef,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action, Call, LostSubmit, ProbeAnswer, SubmitIds

CHANNEL = access()
IDS = SubmitIds(correlation="vg_0123456789abcdef", callback_url="https://ours.example/c/1")
PATH = re.compile(
    r"/v1/videos/(text2video|image2video|omni-video|motion-control|identify-face|"
    r"advanced-lip-sync|avatar/image2video|effects|multi-elements)"
    r"|/(text-to-video|image-to-video|omni-video|motion-control)/kling-[0-9]+\.[0-9]+[a-z0-9-]*"
    r"|/omni-video/kling-o1"
)
OPTIONS = settings(
    max_examples=250,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

TEXT = st.one_of(
    st.sampled_from(
        [
            *("", " ", "x", "a boat", "std", "pro", "4k", "on", "yes", "video", "image", "\ud800"),
            *("https://x.example/a.mp4", "swap", "removal", "customize", "base", "feature"),
            *("shot 1, 3, a; shot 2, 2, b;", "shot 1, 999999, a;" * 3, "5", "10"),
        ]
    ),
    st.text(max_size=20),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False), TEXT
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    *("type", "url", "id", "element_id", "face_id", "audio_id", "sound_file"),
                    *("sound_start_time", "sound_end_time", "image", "images", "image_url"),
                    *("refer_type", "video_url", "duration", "resolution", "audio", "mode"),
                    *("character_orientation", "index", "prompt", "text"),
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
ENTRY = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                *("prompt", "first_frame", "last_frame", "refer_image", "base_video"),
                *("feature_video", "element", "voice", "image", "video"),
            ]
        )
    },
    optional={"url": TEXT, "text": TEXT, "id": TEXT},
)
ACTIONS = [
    *(action.value for action in Action),
    *("text2video", "image2video", "omni-video", "motion-control", "avatar/image2video"),
    *("identify-face", "advanced-lip-sync", "lip-sync", "effects", "multi-elements", "/v1/videos/"),
    *("video-extend", "multi-image2video", "generate"),
]
FIELDS = [
    *("prompt", "mode", "duration", "aspect_ratio", "sound", "settings", "image"),
    *("image_tail", "image_url", "image_list", "video_list", "element_list", "multi_prompt"),
    *("camera_control", "video_id", "sound_file", "audio_id", "session_id", "face_choose"),
    *(
        "face_id",
        "sound_start_time",
        "sound_end_time",
        "effect_scene",
        "input",
        "keep_original_sound",
    ),
    *("model_name", "external_task_id", "callback_url", "new"),
]
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "action": st.one_of(st.none(), st.none(), st.sampled_from(ACTIONS), JSON),
        "options": st.dictionaries(st.sampled_from(["callback_url", "watermark_info"]), JSON),
        "character_orientation": st.sampled_from(["image", "video"]),
        "edit_mode": st.one_of(st.sampled_from(["swap", "removal", "addition"]), JSON),
        "video_url": st.one_of(TEXT, JSON),
        "contents": st.one_of(st.lists(ENTRY, max_size=4), JSON),
        "multi_shot": st.one_of(st.just(value=True), JSON),
        "shot_type": st.one_of(st.sampled_from(["customize", "intelligence"]), JSON),
        **dict.fromkeys(FIELDS, JSON),
    },
)
MODELS = [*kling.capabilities.models, "kling-v9", "kling-9.0", "kling-v9-omni", "kling-9.0-omni"]
URL = Image(url="https://pictures.example/a.png")
PICTURE = st.one_of(
    st.just(URL),
    st.binary(max_size=40).map(lambda content: Image(content=content)),
    st.binary(max_size=20).map(lambda content: Image(content=b"\x89PNG\r\n\x1a\n" + content)),
)
REQUESTS = st.builds(
    VideoRequest,
    model=st.sampled_from(MODELS),
    prompt=TEXT,
    duration_seconds=st.one_of(
        st.none(), st.sampled_from([5, 10]), st.sampled_from([5, 10]), st.floats(0, 70)
    ),
    aspect_ratio=st.sampled_from([None, None, "16:9", "1:1", "21:9"]),
    images=st.one_of(
        st.sampled_from([(), (URL,), (URL, URL), (URL,) * 3]),
        st.lists(PICTURE, max_size=4).map(tuple),
    ),
    seed=st.one_of(st.none(), st.integers()),
    metadata=METADATA,
    strict=st.sampled_from([False, False, True]),
)
SIZES = st.one_of(
    st.none(),
    st.sampled_from([(1280, 720), (1080, 1920), (720, 720), (854, 480)]),
    st.sampled_from([(1280, 720), (1920, 1080)]),
    st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
)


def sized(request: VideoRequest, size: tuple[int, int] | None) -> VideoRequest:
    width, height = size or (None, None)
    return replace(request, width=width, height=height)


SIZED = st.builds(sized, REQUESTS, SIZES)


@given(request=SIZED)
@OPTIONS
def test_any_request_is_refused_by_name_or_sent_and_stays_as_it_was(request: VideoRequest) -> None:
    before = repr(request)
    try:
        kling.effective_model(request)
        translation = kling.translate(request)
    except UnsupportedParameterError as error:
        told = error.param, error.message
        assert all(told)
        return
    translated = repr(translation.body)
    sent = kling.submit(translation, CHANNEL, IDS, NOW).request

    body = json.loads(sent.content)
    assert (repr(request), repr(translation.body)) == (before, translated)
    assert PATH.fullmatch(str(sent.url).removeprefix(HOST))
    assert "action" not in body
    if sent.url.path.endswith("identify-face"):
        assert set(body) <= {"video_id", "video_url"}
    else:
        ours = body if sent.url.path.startswith("/v1/") else body["options"]
        assert ours["external_task_id"] == IDS.correlation
        assert ours["callback_url"] == IDS.callback_url
    assert translation.facts.model
    assert translation.details["action"] in list(Action)
    assert translation.facts.duration_seconds is None or translation.facts.duration_seconds < 1e308


BODIES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**25), 10**25),
        st.floats(),
        st.sampled_from(
            [
                *("", "succeed", "succeeded", "failed", "processing", "https://x/a.mp4", "\0"),
                *("\ud800", "5.041", "Task not found by id/external id: 7", "already exists"),
            ]
        ),
        st.text(max_size=12),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    *("code", "message", "data", "task_id", "task_status", "task_status_msg"),
                    *("task_info", "task_result", "videos", "url", "duration", "updated_at"),
                    *("id", "status", "outputs", "type", "external_id", "billing", "amount"),
                    *("charge_type", "session_id", "face_data", "face_id", "start_time"),
                    *("end_time", "external_task_id", "watermark_url", "update_time"),
                    "resource_pack_subscribe_infos",
                ]
            ),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=25,
)
ANSWERS = st.one_of(
    st.binary(max_size=60),
    BODIES.map(lambda body: json.dumps(body).encode()),
    BODIES.map(lambda data: json.dumps({"code": 0, "data": data}).encode()),
    BODIES.map(lambda data: json.dumps({"code": 0, "data": [data]}).encode()),
    st.tuples(st.integers(990, 5010), BODIES).map(
        lambda pair: json.dumps({"code": pair[0], "message": pair[1]}).encode()
    ),
)
ENDPOINTS = st.sampled_from(
    [
        "/v1/videos/image2video",
        "/v1/videos/advanced-lip-sync",
        "/v1/videos/effects",
        "/image-to-video/kling-2.6",
    ]
)


@given(
    content=ANSWERS,
    status=st.sampled_from([200, 200, 204, 400, 401, 404, 429, 500, 502]),
    endpoint=ENDPOINTS,
)
@OPTIONS
def test_any_answer_is_an_outcome_or_unreadable(content: bytes, status: int, endpoint: str) -> None:
    response = httpx.Response(status, content=content)
    kind = endpoint if endpoint.startswith("/v1/") else "tasks"
    ref = UpstreamRef("930000000000000003", kind)
    try:
        said = kling.submit(to_endpoint(endpoint, session_id="s77"), CHANNEL, IDS, NOW).read(
            response
        )
        assert isinstance(said, Submission | Rejected)
    except ProviderProtocolError as error:
        str(error).encode()
    try:
        outcomes = read_answer(kling.poll([ref], CHANNEL, NOW), response)
        assert set(outcomes) == {ref}
        assert isinstance(outcomes[ref], Pending | Succeeded | Failed | Unreadable)
    except ProviderProtocolError as error:
        str(error).encode()
    try:
        lost = LostSubmit(endpoint=endpoint, ids=IDS, sent_at=NOW, ends_at=NOW)
        assert isinstance(kling.find(lost, CHANNEL, NOW).read(response), Found)
    except ProviderProtocolError as error:
        str(error).encode()


@given(content=ANSWERS, status=st.sampled_from([200, 400, 401, 403, 404, 429, 500]))
@OPTIONS
def test_any_answer_to_a_first_step_or_a_probe_is_told(content: bytes, status: int) -> None:
    response = httpx.Response(status, content=content)
    metadata = {"video_url": "https://x.example/a.mp4", "audio_id": "7"}
    request = VideoRequest(model="kling-v3", duration_seconds=3, metadata=metadata)
    call = kling.submit(kling.translate(request), CHANNEL, IDS, NOW)
    try:
        said = call.read(response)
        assert isinstance(said, Call | Rejected)
        if isinstance(said, Call):
            assert json.loads(said.request.content)["face_choose"][0]["face_id"] is not None
    except ProviderProtocolError as error:
        str(error).encode()
    answer = kling.test(CHANNEL, NOW).read(response)
    assert isinstance(answer, ProbeAnswer)
    answer.sentence.encode()
