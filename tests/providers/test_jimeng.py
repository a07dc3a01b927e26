import base64
import hashlib
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from vidgate.exceptions import (
    ConfigurationError,
    ProviderProtocolError,
    UnsupportedParameterError,
)
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
    VideoResult,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskSnapshot, TaskStatus
from vidgate.providers.base import Action, SubmitIds
from vidgate.providers.jimeng import Jimeng
from vidgate.providers.jimeng.catalogue import KEYS
from vidgate.providers.jimeng.signing import (
    Credential,
    canonical_request,
    parse_credential,
    sign,
    signing_keys,
)

DATA = Path(__file__).parent.parent / "data" / "jimeng"
NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
ACCESS = "AKLTEXAMPLE0000000000000000000001"
SECRET = "U0tFWEFNUExFMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE="
BASE_URL = "https://visual.volcengineapi.com"
JIMENG = Jimeng()
IDS = SubmitIds(correlation="attempt_1")
REF = UpstreamRef("7512000000000000001", "jimeng_ti2v_v30_pro")
PICTURE = Image(url="https://cdn.example/a.png")
OTHER_PICTURE = Image(url="https://cdn.example/b.png")


def access(base_url: str = BASE_URL, session_token: str = "") -> ChannelAccess:
    parts = [ACCESS, SECRET, session_token] if session_token else [ACCESS, SECRET]
    return ChannelAccess(base_url, SecretStr("|".join(parts)))


def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return data


def reply(name: str) -> httpx.Response:
    data = load(name)
    content = data["text"] if "text" in data else json.dumps(data["json"])
    return httpx.Response(data["status"], headers=data["headers"], content=content.encode())


def answer(status: int, body: Any, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, content=json.dumps(body).encode())


def service_error(status: int, code: int, message: str = "said") -> httpx.Response:
    return answer(status, {"code": code, "data": None, "message": message, "request_id": "r1"})


def gateway_error(status: int, **error: Any) -> httpx.Response:
    return answer(status, {"ResponseMetadata": {"RequestId": "r1", "Error": error}})


def sent_submit(model: str = "jimeng_v30_pro") -> httpx.Request:
    translation = JIMENG.translate(VideoRequest(model=model, prompt="a boat"))
    return JIMENG.submit_request(translation, access(), IDS, NOW)


def submit(response: httpx.Response) -> Submission | Rejected:
    return JIMENG.read_submission(sent_submit(), response)


def poll(response: httpx.Response) -> Outcome:
    sent = JIMENG.poll_request([REF], access(), NOW)
    return JIMENG.read_poll(sent, response, [REF])[REF]


def to_request(data: dict[str, Any]) -> VideoRequest:
    images = tuple(
        Image(url=image["url"])
        if "url" in image
        else Image(
            content=base64.b64decode(image["content_base64"]), media_type=image["media_type"]
        )
        for image in data.get("images", ())
    )
    return VideoRequest(**{**data, "images": images})


# Signature: vectors made with the official packages `volcengine` and `volcengine-python-sdk`.


def signature_of(
    action: str, body: str, at: datetime, key: Credential
) -> tuple[dict[str, str], str]:
    url = httpx.URL(f"{BASE_URL}/?Action={action}&Version=2022-08-31")
    headers = {"content-type": "application/json"}
    sign(url, headers, body.encode(), key, at)
    canonical = canonical_request(
        url, {name: value for name, value in headers.items() if name != "authorization"}
    )[0]
    return headers, hashlib.sha256(canonical.encode()).hexdigest()


def test_key_chain() -> None:
    assert [key.hex() for key in signing_keys(SECRET, "20261120")] == [
        "b567bc3ee61e53acf2ead46f32c0adcb4da3c15f8313b5f8ce5e2c7cb6aa9bc0",
        "ebe8ddfbe0625613c3dd8553c95d89df1d875f3d7f66ad7d158316a6457feb6d",
        "ad506ff7c34879b5ff0cce826457f179ec2c45593159bd563e295a565aeb3fac",
        "8ad22094595d775f2f4f072f6b96e0a80953148b046f0fcc769c12516c4eb3fc",
    ]


def test_canonical_request_of_a_submit() -> None:
    url = httpx.URL(f"{BASE_URL}/?Action=CVSync2AsyncSubmitTask&Version=2022-08-31")
    digest = "9af7973fdc19b3af2dba33d418d47d8cf9ecefd7d49ce21454b1688a84d1de6f"
    headers = {
        "content-type": "application/json",
        "x-content-sha256": digest,
        "x-date": "20261120T080000Z",
    }

    canonical, names = canonical_request(url, headers)

    assert names == "content-type;host;x-content-sha256;x-date"
    assert canonical == (
        "POST\n/\nAction=CVSync2AsyncSubmitTask&Version=2022-08-31\n"
        "content-type:application/json\nhost:visual.volcengineapi.com\n"
        f"x-content-sha256:{digest}\nx-date:20261120T080000Z\n\n"
        f"content-type;host;x-content-sha256;x-date\n{digest}"
    )


@pytest.mark.parametrize(
    ("action", "body", "seconds", "body_hash", "canonical_hash", "signature"),
    [
        pytest.param(
            "CVSync2AsyncSubmitTask",
            '{"req_key": "jimeng_t2v_v30", "prompt": "a paper boat on a river", "seed": -1,'
            ' "frames": 121, "aspect_ratio": "16:9"}',
            0,
            "9af7973fdc19b3af2dba33d418d47d8cf9ecefd7d49ce21454b1688a84d1de6f",
            "81c6c895c0fb61a951674377fc16f31972092ba2de5684e2a55c684cadd37c53",
            "d211fe55be35fca887e224ddd1549a466ea1a36b0fbc85ea2b22f57e85630a01",
            id="V1",
        ),
        pytest.param(
            "CVSync2AsyncSubmitTask",
            '{"req_key": "jimeng_i2v_first_tail_v30_1080", '
            '"prompt": "\\u5343\\u519b\\u4e07\\u9a6c", "image_urls": ["https://example.com/a.png",'
            ' "https://example.com/b.png"], "seed": -1, "frames": 241}',
            10,
            "ca1ba7b73a8740ad84087854081b3bb1b3100cc324a3280e1ceecee0788c88ac",
            "8b2b7c5b833c411d33600919c67ec672b4be307c8035ed38f6e0f8d0f291e65d",
            "737a51edd34ea192ad9842322e00c1716c9a6e5331811005ebbabc3acc8e62a5",
            id="V3",
        ),
        pytest.param(
            "CVSync2AsyncSubmitTask",
            '{"req_key":"jimeng_i2v_first_tail_v30_1080","prompt":"千军万马","image_urls":'
            '["https://example.com/a.png","https://example.com/b.png"],"seed":-1,"frames":241}',
            10,
            "6d7723ec0d0763902368176c362ab0973f4eddace68b326cc5bfdbe40fc3fe2e",
            "ab766c98e243aa2764b4fcce8db5a1ba27bdd3b1e2d453cbce29280a8fb9f08a",
            "2b08a4ef177c7d5e8a402701787ea06bbdf6c06183f5f7165c25a649c69d3e2b",
            id="V3b",
        ),
    ],
)
def test_signature(  # noqa: PLR0917 - the columns of the table of vectors
    action: str, body: str, seconds: int, body_hash: str, canonical_hash: str, signature: str
) -> None:
    at = NOW + timedelta(seconds=seconds)

    headers, canonical = signature_of(action, body, at, Credential(ACCESS, SECRET))

    assert headers["x-content-sha256"] == body_hash
    assert canonical == canonical_hash
    assert headers["authorization"] == (
        f"HMAC-SHA256 Credential={ACCESS}/20261120/cn-north-1/cv/request,"
        f" SignedHeaders=content-type;host;x-content-sha256;x-date, Signature={signature}"
    )


def test_signature_with_a_session_token() -> None:
    body = '{"req_key": "jimeng_ti2v_v30_pro", "task_id": "7392616336519610409"}'
    key = Credential(ACCESS, SECRET, "STSexampletoken==")

    headers, canonical = signature_of(
        "CVSync2AsyncGetResult", body, NOW + timedelta(seconds=5), key
    )

    assert headers["x-security-token"] == "STSexampletoken=="
    assert headers["x-content-sha256"] == (
        "e6f9470f3ebb5879e710c3b97c7be15168c5a2147fb6b0005b69b1c298516ab7"
    )
    assert canonical == "347c5c64a55b4f8a599368c0dc1f8d3a1822e44d8eacf5d2c8b67d31716c6e05"
    assert headers["authorization"] == (
        f"HMAC-SHA256 Credential={ACCESS}/20261120/cn-north-1/cv/request,"
        " SignedHeaders=content-type;host;x-content-sha256;x-date;x-security-token,"
        " Signature=5e67a0c4c18fe62327432f56c839540338044d1963865fac07efea1459710a65"
    )


def test_poll_is_signed_as_another_implementation_signs_it() -> None:
    channel = ChannelAccess(BASE_URL, SecretStr("AKTEST|SKTEST"))
    ref = UpstreamRef("abc", "jimeng_vgfm_t2v_l20")

    sent = JIMENG.poll_request([ref], channel, datetime(2024, 1, 15, 12, tzinfo=UTC))

    assert sent.method == "POST"
    assert str(sent.url) == f"{BASE_URL}/?Action=CVSync2AsyncGetResult&Version=2022-08-31"
    assert sent.content == b'{"req_key":"jimeng_vgfm_t2v_l20","task_id":"abc"}'
    assert sent.headers["x-date"] == "20240115T120000Z"
    assert sent.headers["x-content-sha256"] == (
        "2e83d6a6ed2aef0fb0dd7125abe5bad97718ec9bd6be63d52418921ea3133955"
    )
    assert sent.headers["authorization"] == (
        "HMAC-SHA256 Credential=AKTEST/20240115/cn-north-1/cv/request,"
        " SignedHeaders=content-type;host;x-content-sha256;x-date,"
        " Signature=5cbe194cc35a9fe8a0dcf34cbfc8f10d2c989caa3059aa6fe4f186977c0fef7a"
    )


@pytest.mark.parametrize(
    ("base_url", "host", "path"),
    [
        ("https://visual.example:443", "visual.example", "/"),
        ("http://visual.example:80", "visual.example", "/"),
        ("http://visual.example:443", "visual.example", "/"),
        ("http://visual.example:8080/a/", "visual.example:8080", "/a/"),
        ("http://[::1]:9/jimeng", "[::1]:9", "/jimeng/"),
    ],
)
def test_signs_the_host_and_path_that_are_requested(base_url: str, host: str, path: str) -> None:
    sent = JIMENG.poll_request([REF], access(base_url), NOW)

    headers = {name: sent.headers[name] for name in ("x-content-sha256", "x-date")}
    lines = canonical_request(sent.url, headers)[0].split("\n")
    assert lines[1] == path == sent.url.path
    assert lines[3] == f"host:{host}"


def test_canonical_query_is_sorted_and_percent_encoded() -> None:
    url = httpx.URL(f"{BASE_URL}/?b=x%2fy&a=1%20+&a-~._=")

    canonical = canonical_request(url, {"x-content-sha256": "00"})[0]

    assert canonical.split("\n")[2] == "a=1%20%2B&a-~._=&b=x%2Fy"


def test_signs_in_utc_whatever_the_zone_of_the_clock() -> None:
    east = NOW.astimezone(tz=datetime.fromisoformat("2026-01-01T00:00:00+08:00").tzinfo)

    assert (
        JIMENG.poll_request([REF], access(), east).headers
        == JIMENG.poll_request([REF], access(), NOW).headers
    )


# Credential


@pytest.mark.parametrize("text", ["AK|SK", "AK|SK=/+|token==", f"{ACCESS}|{SECRET}"])
def test_takes_a_credential(text: str) -> None:
    JIMENG.check_credential(text)

    parts = text.split("|")
    assert parse_credential(text) == Credential(*parts)


@pytest.mark.parametrize(
    "text",
    ["", "secretive", "|", "secretive|", "|secretive", "a|b|", "a|b|c|d", "a b|c", "a|b\n", "é|b"],
)
def test_refuses_a_credential_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        JIMENG.check_credential(text)

    assert "ACCESS|SECRET" in str(caught.value)
    assert "secretive" not in str(caught.value)


def test_credential_has_no_secret_in_its_repr() -> None:
    assert SECRET not in repr(Credential(ACCESS, SECRET, "token"))


def test_refuses_a_base_url_that_is_none() -> None:
    with pytest.raises(ConfigurationError):
        JIMENG.poll_request([REF], access("https://visual.example:port"), NOW)


# Requests


@pytest.mark.parametrize("name", sorted(path.stem for path in DATA.glob("request_*.json")))
def test_request(name: str) -> None:
    data = load(name)
    expected = data["expected"]

    translation = JIMENG.translate(to_request(data["request"]))
    channel = access(data["base_url"], data["session_token"])
    sent = JIMENG.submit_request(translation, channel, IDS, NOW)

    assert json.loads(sent.content) == expected["body"]
    assert sent.method == expected["method"]
    assert str(sent.url) == expected["url"]
    headers = dict(sent.headers)
    assert headers.pop("content-length") == str(len(sent.content))
    assert headers == expected["headers"]
    assert list(translation.ignored) == expected["ignored"]
    assert list(translation.adjusted) == expected["adjusted"]
    facts = translation.facts
    assert {
        "model": facts.model,
        "duration_seconds": facts.duration_seconds,
        "resolution": facts.resolution,
    } == expected["facts"]
    assert translation.details == {"upstream_model": expected["facts"]["model"]}


def test_half_a_surrogate_pair_goes_out_escaped() -> None:
    translation = JIMENG.translate(VideoRequest(model="jimeng_t2v_v30", prompt="\ud83d 船"))

    sent = JIMENG.submit_request(translation, access(), IDS, NOW)

    assert json.loads(sent.content)["prompt"] == "\ud83d 船"
    assert sent.headers["x-content-sha256"] == hashlib.sha256(sent.content).hexdigest()


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (VideoRequest(model="jimeng_t2v_v30"), "prompt"),
        (VideoRequest(model="jimeng_t2v_v30", prompt=" \n"), "prompt"),
        (VideoRequest(model="jimeng_i2v_first_v30", images=(PICTURE,)), "prompt"),
        (VideoRequest(model="jimeng_ti2v_v30_pro"), "prompt"),
        (VideoRequest(model="jimeng_t2v_v30", prompt="船" * 801), "prompt"),
        (VideoRequest(model="jimeng_vgfm_t2v_l20", prompt="船" * 151), "prompt"),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", duration_seconds=7), "duration"),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", duration_seconds=5.5), "duration"),
        (VideoRequest(model="jimeng_vgfm_t2v_l20", prompt="p", duration_seconds=10), "duration"),
        (VideoRequest(model="jimeng_i2v_first_v30", prompt="p"), "images"),
        (
            VideoRequest(model="jimeng_i2v_first_v30", prompt="p", images=(PICTURE, OTHER_PICTURE)),
            "images",
        ),
        (
            VideoRequest(model="jimeng_i2v_first_tail_v30", prompt="p", images=(PICTURE,)),
            "images",
        ),
        (VideoRequest(model="jimeng_vgfm_i2v_l20", prompt="p"), "images"),
        (VideoRequest(model="jimeng_v30", prompt="p", images=(PICTURE,) * 3), "images"),
        (VideoRequest(model="jimeng_v30_pro", prompt="p", images=(PICTURE,) * 2), "images"),
        (VideoRequest(model="jimeng_vgfm_t2v_l20", prompt="p", images=(PICTURE,) * 2), "images"),
        (
            VideoRequest(
                model="jimeng_v30",
                prompt="p",
                images=(PICTURE, Image(content=b"x", media_type="image/png")),
            ),
            "images",
        ),
        (
            VideoRequest(
                model="jimeng_v30",
                prompt="p",
                images=(Image(content=b"x", media_type="image/webp"),),
            ),
            "images",
        ),
        (
            VideoRequest(
                model="jimeng_v30",
                prompt="p",
                images=(Image(content=bytes(4_700_001), media_type="image/png"),),
            ),
            "images",
        ),
        (
            VideoRequest(
                model="jimeng_t2v_v30",
                prompt="p",
                images=(PICTURE,),
                metadata={"req_key": "jimeng_t2v_v30"},
            ),
            "images",
        ),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", width=1920, height=1080), "size"),
        (VideoRequest(model="jimeng_v30", prompt="p", width=3840, height=2160), "size"),
        (
            VideoRequest(
                model="jimeng_v30", prompt="p", width=1920, height=1080, images=(PICTURE,)
            ),
            "size",
        ),
        (VideoRequest(model="jimeng_v30_pro", prompt="p", width=3840, height=2160), "size"),
        (VideoRequest(model="jimeng_v30_pro", prompt="p", aspect_ratio="4:1"), "size"),
        (
            VideoRequest(model="jimeng_i2v_recamera_v30", prompt="p", images=(PICTURE,)),
            "metadata.template_id",
        ),
        (
            VideoRequest(
                model="jimeng_t2v_v30", prompt="p", metadata={"req_key": "jimeng_ti2v_v30_pro"}
            ),
            "metadata.req_key",
        ),
        (
            VideoRequest(model="jimeng_new", prompt="p", metadata={"req_key": "jimeng_t2v_v30"}),
            "metadata.req_key",
        ),
        (
            VideoRequest(model="jimeng_t2v_v30", prompt="p", metadata={"req_key": 5}),
            "metadata.req_key",
        ),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", fps=24, strict=True), "fps"),
        (VideoRequest(model="jimeng_t2v_v30", prompt="p", user="u", strict=True), "user"),
        (
            VideoRequest(model="jimeng_t2v_v30", prompt="p", width=854, height=480, strict=True),
            "size",
        ),
        (
            VideoRequest(model="jimeng_vgfm_i2v_l20", prompt="p", images=(PICTURE,), strict=True),
            "aspect_ratio",
        ),
    ],
)
def test_refuses_what_a_known_key_cannot_honour(request_: VideoRequest, param: str) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        JIMENG.translate(request_)

    assert caught.value.param == param


def test_refusal_lists_what_is_allowed() -> None:
    with pytest.raises(UnsupportedParameterError) as duration:
        JIMENG.translate(VideoRequest(model="jimeng_v30", prompt="p", duration_seconds=7))
    with pytest.raises(UnsupportedParameterError) as images:
        JIMENG.translate(VideoRequest(model="jimeng_v30", prompt="p", images=(PICTURE,) * 3))
    with pytest.raises(UnsupportedParameterError) as one_image:
        JIMENG.translate(VideoRequest(model="jimeng_i2v_first_v30", prompt="p"))
    with pytest.raises(UnsupportedParameterError) as size:
        JIMENG.translate(VideoRequest(model="jimeng_v30", prompt="p", width=1920, height=1080))

    assert duration.value.allowed == (5, 10)
    assert images.value.allowed == (0, 1, 2)
    assert one_image.value.allowed == (1,)
    assert size.value.allowed == ("720p",)


def test_limits_count_characters_and_are_inclusive() -> None:
    inline = Image(content=bytes(4_700_000), media_type="image/jpeg")
    request = VideoRequest(model="jimeng_v30", prompt="船" * 800, images=(inline,))

    translation = JIMENG.translate(request)

    assert len(translation.body["binary_data_base64"][0]) == 4_700_000 // 3 * 4 + 4


def test_strict_takes_what_is_honoured_in_full() -> None:
    request = VideoRequest(
        model="jimeng_v30_pro",
        prompt="p",
        width=1920,
        height=1080,
        duration_seconds=10,
        seed=1,
        strict=True,
    )

    assert JIMENG.translate(request).adjusted == ()


@pytest.mark.parametrize(
    ("frames", "seconds"),
    [
        (121, 5.0),
        (241, 10.0),
        (241.0, 10.0),
        pytest.param("241", 10.0, id="text"),
        (481, 20.0),
        (True, 10.0),
        ([241], 10.0),
        ("many", 10.0),
        (-1, 10.0),
        pytest.param(10**400, 10.0, id="huge"),
        ("1e999", (10**6 - 1) / 24),
    ],
)
def test_facts_follow_the_frames_of_the_final_body(frames: Any, seconds: float) -> None:
    request = VideoRequest(
        model="jimeng_v30", prompt="p", duration_seconds=5, metadata={"frames": frames}
    )

    translation = JIMENG.translate(request)

    assert translation.body["frames"] == frames
    assert translation.facts.duration_seconds == seconds


def test_metadata_wins_over_generic_values_that_would_be_refused() -> None:
    request = VideoRequest(
        model="jimeng_t2v_v30",
        prompt="p" * 900,
        duration_seconds=7,
        aspect_ratio="4:1",
        metadata={"prompt": "other", "frames": 241, "aspect_ratio": "9:21"},
    )

    translation = JIMENG.translate(request)

    assert translation.body == {
        "req_key": "jimeng_t2v_v30",
        "prompt": "other",
        "frames": 241,
        "aspect_ratio": "9:21",
    }
    assert translation.ignored == ()


def test_pictures_in_metadata_replace_the_generic_ones() -> None:
    inline = Image(content=b"x", media_type="image/png")
    request = VideoRequest(
        model="jimeng_v30",
        prompt="p",
        images=(inline,),
        metadata={"image_urls": ["https://cdn.example/a.png", "https://cdn.example/b.png"]},
    )

    translation = JIMENG.translate(request)

    assert translation.facts.model == "jimeng_i2v_first_tail_v30"
    assert "binary_data_base64" not in translation.body


def test_number_of_pictures_in_metadata_is_the_providers_to_judge() -> None:
    request = VideoRequest(
        model="jimeng_i2v_first_v30", prompt="p", metadata={"image_urls": ["a", "b", "c"]}
    )

    assert JIMENG.translate(request).body["image_urls"] == ["a", "b", "c"]


def test_every_known_model_translates_and_says_how_it_is_followed() -> None:
    for name, model in JIMENG.capabilities.models.items():
        for action, possible in model.actions.items():
            pictures = (PICTURE,) * possible.images[0]
            request = VideoRequest(
                model=name,
                prompt="p",
                images=pictures,
                duration_seconds=possible.durations[0],
                metadata={"template_id": "handheld"} if "recamera" in name else {},
            )
            translation = JIMENG.translate(request)
            assert translation.facts.model == possible.endpoint, (name, action)
            assert translation.facts.resolution == possible.tiers[0]
            assert translation.pace.first_ask < translation.pace.deadline


def test_capabilities_cover_keys_and_aliases() -> None:
    models = JIMENG.capabilities.models

    assert set(KEYS) < set(models)
    assert set(models) - set(KEYS) == {
        "jimeng_v30",
        "jimeng_v30_1080p",
        "jimeng_v30_1080",
        "jimeng_v30_pro",
    }
    assert list(models["jimeng_v30"].actions) == [
        Action.TEXT,
        Action.FIRST_FRAME,
        Action.FIRST_LAST_FRAME,
    ]
    assert list(models["jimeng_i2v_first_tail_v30_1080"].actions) == [Action.FIRST_LAST_FRAME]
    assert not JIMENG.capabilities.find


# Families


@pytest.mark.parametrize(
    ("model", "metadata", "effective"),
    [
        ("jimeng_vgfm_t2v_l20", {"req_key": "jimeng_vgfm_i2v_l20"}, "jimeng_vgfm_i2v_l20"),
        ("jimeng_v30", {"req_key": "jimeng_i2v_recamera_v30"}, "jimeng_i2v_recamera_v30"),
        ("jimeng_v30_1080", {"req_key": "jimeng_t2v_v30_1080p"}, "jimeng_t2v_v30_1080p"),
        ("jimeng_new", {"req_key": "jimeng_new"}, "jimeng_new"),
        ("jimeng_v30", {"req_key": None}, "jimeng_v30"),
        ("jimeng_v30", {}, "jimeng_v30"),
    ],
)
def test_effective_model(model: str, metadata: dict[str, Any], effective: str) -> None:
    request = VideoRequest(model=model, prompt="p", metadata=metadata)

    assert JIMENG.effective_model(request) == effective


def test_effective_model_stays_in_its_family() -> None:
    request = VideoRequest(model="jimeng_v30", prompt="p", metadata={"req_key": "jimeng_v30_1080p"})

    with pytest.raises(UnsupportedParameterError) as caught:
        JIMENG.effective_model(request)

    assert "jimeng_i2v_first_tail_v30" in caught.value.allowed


def test_family_is_the_same_from_each_of_its_names() -> None:
    for name in JIMENG.capabilities.models:
        family = JIMENG.family(name)
        assert name in family
        assert all(JIMENG.family(other) == family for other in family)
    assert JIMENG.family("jimeng_new") == ("jimeng_new",)


# Answers to a submit


@pytest.mark.parametrize(
    ("name", "task_id"),
    [
        ("submit_accepted", "7512000000000000001"),
        ("submit_accepted_20_digits", "18446744073709551610"),
        ("submit_accepted_number_id", "18446744073709551610"),
        ("submit_accepted_bare", "7512000000000000001"),
        ("submit_accepted_wrapped", "7512000000000000001"),
    ],
)
def test_submit_accepted(name: str, task_id: str) -> None:
    assert submit(reply(name)) == Submission(UpstreamRef(task_id, "jimeng_ti2v_v30_pro"))


def test_submit_accepted_for_a_request_that_lost_its_extensions() -> None:
    sent = sent_submit("jimeng_vgfm_t2v_l20")
    bare = httpx.Request("POST", sent.url, headers=sent.headers, content=sent.content)

    result = JIMENG.read_submission(bare, reply("submit_accepted"))

    assert isinstance(result, Submission)
    assert result.ref.kind == "jimeng_vgfm_t2v_l20"


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("submit_rate", FaultKind.RATE, "50429"),
        ("submit_concurrency", FaultKind.CONCURRENCY, "50430"),
        ("submit_concurrency_wrapped", FaultKind.CONCURRENCY, "50430"),
        ("submit_moderation", FaultKind.CONTENT_POLICY, "50413"),
        ("submit_bad_parameter", FaultKind.BAD_PARAMETER, "50200"),
        ("submit_not_opened", FaultKind.MODEL_UNAVAILABLE, "50400"),
        ("submit_signature", FaultKind.CREDENTIAL, "SignatureDoesNotMatch"),
        ("html_429", FaultKind.RATE, "429"),
    ],
)
def test_submit_rejected(name: str, kind: FaultKind, code: str) -> None:
    result = submit(reply(name))

    assert isinstance(result, Rejected)
    assert (result.fault.kind, result.fault.code) == (kind, code)


@pytest.mark.parametrize(
    "name",
    [
        "submit_accepted_without_id",
        "submit_internal",
        "submit_gateway_timeout",
        "html_502",
        "html_200",
        "truncated",
    ],
)
def test_submit_unclear(name: str) -> None:
    with pytest.raises(ProviderProtocolError):
        submit(reply(name))


@pytest.mark.parametrize("http_status", [200, 400])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (50411, FaultKind.CONTENT_POLICY),
        (50412, FaultKind.CONTENT_POLICY),
        (50413, FaultKind.CONTENT_POLICY),
        (50511, FaultKind.CONTENT_POLICY),
        (50512, FaultKind.CONTENT_POLICY),
        (50513, FaultKind.CONTENT_POLICY),
        (50514, FaultKind.CONTENT_POLICY),
        (50516, FaultKind.CONTENT_POLICY),
        (50517, FaultKind.CONTENT_POLICY),
        (50518, FaultKind.CONTENT_POLICY),
        (50519, FaultKind.CONTENT_POLICY),
        (50520, FaultKind.FAULT),
        (50521, FaultKind.FAULT),
        (50522, FaultKind.FAULT),
        (50429, FaultKind.RATE),
        (50430, FaultKind.CONCURRENCY),
        (50215, FaultKind.BAD_PARAMETER),
        (50200, FaultKind.BAD_PARAMETER),
        (50400, FaultKind.MODEL_UNAVAILABLE),
        (30403, FaultKind.MODEL_UNAVAILABLE),
        (30404, FaultKind.MODEL_UNAVAILABLE),
    ],
)
def test_service_code_on_submit(http_status: int, code: int, kind: FaultKind) -> None:
    result = submit(service_error(http_status, code))

    assert isinstance(result, Rejected)
    assert result.fault.kind is kind
    assert result.fault.code == str(code)
    assert result.fault.message == "said [request r1]"
    assert (kind is FaultKind.CONTENT_POLICY) == bool(result.fault.safe_message)


@pytest.mark.parametrize("code", [50500, 50501])
@pytest.mark.parametrize("http_status", [200, 400, 429, 500])
def test_internal_errors_on_submit_are_unclear(http_status: int, code: int) -> None:
    with pytest.raises(ProviderProtocolError):
        submit(service_error(http_status, code))


def test_unknown_code_on_submit_is_definite_only_with_a_4xx() -> None:
    definite = submit(service_error(400, 61234))

    assert isinstance(definite, Rejected)
    assert definite.fault.kind is FaultKind.FAULT
    for http_status in (200, 302, 500):
        with pytest.raises(ProviderProtocolError):
            submit(service_error(http_status, 61234))


def test_refusal_that_names_a_job_is_unclear() -> None:
    body = {"code": 50430, "data": {"task_id": "7512000000000000001"}, "message": "m"}

    with pytest.raises(ProviderProtocolError):
        submit(answer(200, body))


GATEWAY = [
    (400, 100002, "MissingParameter", FaultKind.FAULT),
    (400, 100004, "MissingRequestInfo", FaultKind.FAULT),
    (400, 100006, "InvalidTimestamp", FaultKind.FAULT),
    (400, 100024, "InvalidAuthorization", FaultKind.CREDENTIAL),
    (400, 100025, "InvalidCredential", FaultKind.CREDENTIAL),
    (401, 100009, "InvalidAccessKey", FaultKind.CREDENTIAL),
    (401, 100010, "SignatureDoesNotMatch", FaultKind.CREDENTIAL),
    (401, 100026, "InvalidSecretToken", FaultKind.CREDENTIAL),
    (403, 100012, "LackPolicy", FaultKind.CREDENTIAL),
    (403, 100013, "AccessDenied", FaultKind.CREDENTIAL),
    (404, 100007, "ServiceNotFound", FaultKind.FAULT),
    (404, 100008, "InvalidActionOrVersion", FaultKind.FAULT),
    (429, 100018, "FlowLimitExceeded", FaultKind.RATE),
]


@pytest.mark.parametrize(("http_status", "number", "word", "kind"), GATEWAY)
def test_gateway_code_on_submit(http_status: int, number: int, word: str, kind: FaultKind) -> None:
    for error in ({"CodeN": number, "Code": word}, {"CodeN": number}, {"Code": word}):
        result = submit(gateway_error(http_status, Message="said", **error))
        assert isinstance(result, Rejected)
        assert result.fault.kind is kind
        assert result.fault.code == error.get("Code", str(number))


@pytest.mark.parametrize(
    ("http_status", "number", "word"),
    [
        (500, 100014, "InternalError"),
        (502, 100023, "InternalServiceError"),
        (503, 100019, "ServiceUnavailableTemp"),
        (504, 100016, "InternalServiceTimeout"),
    ],
)
def test_gateway_faults_on_submit_are_unclear(http_status: int, number: int, word: str) -> None:
    for status in (http_status, 200, 400):
        for error in ({"CodeN": number, "Code": word}, {"CodeN": number}, {"Code": word}):
            with pytest.raises(ProviderProtocolError):
                submit(gateway_error(status, **error))


def test_unknown_gateway_code_on_submit() -> None:
    refused = submit(gateway_error(403, CodeN=100999, Code="SomethingNew"))

    assert isinstance(refused, Rejected)
    assert (refused.fault.kind, refused.fault.code) == (FaultKind.FAULT, "SomethingNew")
    with pytest.raises(ProviderProtocolError):
        submit(gateway_error(200, CodeN=100999, Code="SomethingNew"))
    with pytest.raises(ProviderProtocolError):
        submit(gateway_error(400, Message="no code at all"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        ("2.5", 2.5),
        ("Fri, 20 Nov 2026 08:00:30 GMT", 30.0),
        ("Fri, 20 Nov 2026 07:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    body = {"code": 50429, "data": None, "message": "slow down"}

    rejected = submit(answer(429, body, **{"retry-after": text}))
    with pytest.raises(ProviderProtocolError) as caught:
        poll(answer(429, body, **{"retry-after": text}))

    assert isinstance(rejected, Rejected)
    assert rejected.fault.retry_after_seconds == seconds
    assert caught.value.retry_after_seconds == seconds


def test_nothing_secret_of_ours_comes_back_in_a_message() -> None:
    sent = JIMENG.poll_request([REF], access(session_token="STStoken=="), NOW)
    signature = sent.headers["authorization"].rpartition("=")[2]
    echo = f"key {ACCESS} token STStoken== signature {signature}"

    result = JIMENG.read_submission(sent, gateway_error(401, Code="AccessDenied", Message=echo))

    assert isinstance(result, Rejected)
    assert result.fault.message == "key *** token *** signature *** [request r1]"


def test_client_learns_the_refused_field_and_no_words_of_the_provider() -> None:
    message = "Invalid Input Parameters: aspect_ratio of account 2100012345 at internal.host"

    result = submit(service_error(400, 50200, message))

    assert isinstance(result, Rejected)
    assert result.fault.safe_message == "The provider refused the value of aspect_ratio."


# Answers to a poll


VIDEO_URL = "https://v3-vvecloud.yangyi08.com/abc/video.mp4?a=7073&sig=%2Fx%3D"


@pytest.mark.parametrize("name", ["poll_done", "poll_done_leftovers", "poll_done_wrapped"])
def test_poll_succeeded(name: str) -> None:
    expires_at = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)

    assert poll(reply(name)) == Succeeded(VideoResult(url=VIDEO_URL, expires_at=expires_at))


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 31 Feb 2026 08:05:00 GMT"])
def test_expiry_counts_from_the_question_where_the_answer_has_no_date(date: str) -> None:
    body = {"code": 10000, "data": {"status": "done", "video_url": VIDEO_URL}}

    outcome = poll(answer(200, body, date=date))

    assert isinstance(outcome, Succeeded)
    assert outcome.result.expires_at == NOW + timedelta(hours=1)


def test_expiry_is_unknown_beyond_the_end_of_time() -> None:
    body = {"code": 10000, "data": {"status": "done", "video_url": VIDEO_URL}}

    outcome = poll(answer(200, body, date="Fri, 31 Dec 9999 23:30:00 GMT"))

    assert isinstance(outcome, Succeeded)
    assert outcome.result.expires_at is None


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("poll_in_queue", Pending(started=False)),
        ("poll_generating", Pending(started=True)),
        ("poll_processing", Pending(started=True)),
    ],
)
def test_poll_pending(name: str, outcome: Pending) -> None:
    assert poll(reply(name)) == outcome


@pytest.mark.parametrize(
    ("name", "kind", "doubtful"),
    [
        ("poll_done_without_url", FaultKind.FAULT, True),
        ("poll_not_found", FaultKind.NOT_FOUND, True),
        ("poll_expired", FaultKind.EXPIRED, True),
        ("poll_moderation", FaultKind.CONTENT_POLICY, False),
        ("poll_input_refused", FaultKind.BAD_PARAMETER, False),
    ],
)
def test_poll_failed(name: str, kind: FaultKind, doubtful: bool) -> None:  # noqa: FBT001
    outcome = poll(reply(name))

    assert isinstance(outcome, Failed)
    assert (outcome.fault.kind, outcome.doubtful) == (kind, doubtful)


@pytest.mark.parametrize("url", [None, "", 5, ["https://a"], "ftp://a", "https://a\n", "//a"])
def test_done_without_a_usable_url_is_doubtful(url: Any) -> None:
    outcome = poll(answer(200, {"code": 10000, "data": {"status": "done", "video_url": url}}))

    assert isinstance(outcome, Failed)
    assert outcome.doubtful


@pytest.mark.parametrize("name", ["poll_unknown_status", "poll_unknown_code", "poll_null_data"])
def test_poll_unreadable(name: str) -> None:
    assert isinstance(poll(reply(name)), Unreadable)


@pytest.mark.parametrize("status", [None, "", 5, True, ["done"], {"done": 1}, "DONE", "failed"])
def test_unknown_status_is_never_guessed(status: Any) -> None:
    outcome = poll(answer(200, {"code": 10000, "data": {"status": status, "video_url": VIDEO_URL}}))

    assert isinstance(outcome, Unreadable)


@pytest.mark.parametrize(
    "name",
    [
        "poll_rate",
        "poll_internal",
        "poll_access_key",
        "html_502",
        "html_429",
        "html_200",
        "truncated",
    ],
)
def test_poll_could_not_ask(name: str) -> None:
    with pytest.raises(ProviderProtocolError):
        poll(reply(name))


@pytest.mark.parametrize("code", [50429, 50430, 50500, 50501, 50400, 30403, 30404])
def test_service_code_on_poll_that_says_nothing_of_the_job(code: int) -> None:
    for http_status in (200, 400):
        with pytest.raises(ProviderProtocolError):
            poll(service_error(http_status, code))


@pytest.mark.parametrize(
    "code", [50411, 50412, 50413, 50511, 50512, 50513, 50514, 50516, 50517, 50518, 50519]
)
def test_moderation_on_poll_is_final(code: int) -> None:
    for http_status in (200, 400):
        outcome = poll(service_error(http_status, code))
        assert isinstance(outcome, Failed)
        assert outcome.fault.kind is FaultKind.CONTENT_POLICY
        assert outcome.fault.safe_message
        assert not outcome.doubtful


@pytest.mark.parametrize("code", [50520, 50521, 50522])
def test_broken_moderation_on_poll_is_doubtful(code: int) -> None:
    outcome = poll(service_error(400, code))

    assert isinstance(outcome, Failed)
    assert outcome.fault.kind is FaultKind.FAULT
    assert outcome.doubtful


@pytest.mark.parametrize("code", [50200, 61234, 0, -1, 10001])
def test_other_codes_on_poll_are_unreadable(code: int) -> None:
    assert isinstance(poll(service_error(400, code)), Unreadable)


@pytest.mark.parametrize(("http_status", "number", "word", "kind"), GATEWAY)
def test_gateway_code_on_poll_means_we_could_not_ask(
    http_status: int, number: int, word: str, kind: FaultKind
) -> None:
    assert kind
    with pytest.raises(ProviderProtocolError):
        poll(gateway_error(http_status, CodeN=number, Code=word))


def test_5xx_on_poll_is_not_believed_whatever_it_says() -> None:
    for http_status in (500, 502, 503, 504, 599):
        with pytest.raises(ProviderProtocolError):
            poll(service_error(http_status, 50411))


def test_ref_that_was_not_asked_for_is_unreadable() -> None:
    other = UpstreamRef("2", REF.kind)
    sent = JIMENG.poll_request([REF], access(), NOW)

    outcomes = JIMENG.read_poll(sent, reply("poll_in_queue"), [REF, other])

    assert outcomes[REF] == Pending(started=False)
    assert isinstance(outcomes[other], Unreadable)


# Anything at all


ODD_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    10000,
    10000.0,
    "10000",
    1e999,
    10**300,
    "",
    "\x00\ud800",
    "done",
    [],
    {},
    [{}],
    {"Error": "word"},
    {"Error": {"Code": 5, "CodeN": "x"}},
    {"code": 10000},
]


def mutate(value: Any, dice: random.Random) -> Any:
    if dice.random() < 0.25:
        return dice.choice(ODD_VALUES)
    if isinstance(value, dict):
        members = {key: mutate(inner, dice) for key, inner in value.items()}
        if dice.random() < 0.2:
            members[dice.choice(["Result", "ResponseMetadata", "code", "data"])] = dice.choice(
                ODD_VALUES
            )
        return members
    return value


def assert_never_raises_anything_else(response: httpx.Response) -> None:
    try:
        assert isinstance(submit(response), (Submission, Rejected))
    except ProviderProtocolError as error:
        str(error).encode()
    try:
        assert isinstance(poll(response), (Pending, Succeeded, Failed, Unreadable))
    except ProviderProtocolError as error:
        str(error).encode()


STATUSES = [200, 204, 302, 400, 401, 403, 404, 429, 500, 502]


def test_random_bytes() -> None:
    dice = random.Random(20261120)  # noqa: S311 - the same bytes every time
    for _ in range(500):
        content = dice.randbytes(dice.randrange(60))
        header = {"date": dice.choice(["", "x", "Fri, 20 Nov 2026 99:00:00 GMT"])}
        response = httpx.Response(dice.choice(STATUSES), headers=header, content=content)
        assert_never_raises_anything_else(response)


def test_random_changes_of_real_answers() -> None:
    dice = random.Random(20261121)  # noqa: S311 - the same changes every time
    names = sorted(path.stem for path in DATA.glob("[sp][uo]*.json"))
    bodies = [data["json"] for data in map(load, names) if "json" in data]
    for _ in range(1500):
        body = json.dumps(mutate(dice.choice(bodies), dice)).encode()
        if dice.random() < 0.2:
            body = body[: dice.randrange(len(body) + 1)]
        assert_never_raises_anything_else(httpx.Response(dice.choice(STATUSES), content=body))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        b'{"code":' + b"1" * 5000 + b"}",
        b'{"code":NaN}',
        b'{"code":10000}\xff',
        b"\xff\xfe{\x00}\x00",
        b'{"code":true,"data":{"status":"done"}}',
    ],
)
def test_hostile_answers(content: bytes) -> None:
    for http_status in (200, 400, 500):
        with pytest.raises(ProviderProtocolError):
            submit(httpx.Response(http_status, content=content))
        with pytest.raises(ProviderProtocolError):
            poll(httpx.Response(http_status, content=content))


@pytest.mark.parametrize("task_id", [None, "", True, 1.5, [], "a b", "x\x00", "\ud800", "1" * 300])
def test_accepted_with_an_id_that_cannot_be_one_is_unclear(task_id: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        submit(answer(200, {"code": 10000, "data": {"task_id": task_id}}))


# Our own answers in the provider's shape


def snapshot(status: TaskStatus, **more: Any) -> TaskSnapshot:
    return TaskSnapshot(
        id=UUID(int=1),
        account_id=UUID(int=2),
        revision=1,
        status=status,
        model="jimeng_v30",
        provider="jimeng",
        upstream_model="jimeng_t2v_v30",
        created_at=NOW,
        **more,
    )


@pytest.mark.parametrize(
    ("status", "word"), [(TaskStatus.QUEUED, "in_queue"), (TaskStatus.IN_PROGRESS, "generating")]
)
def test_native_answer_while_unfinished(status: TaskStatus, word: str) -> None:
    task = snapshot(status)

    assert JIMENG.native_answer(task) == {
        "code": 10000,
        "data": {"status": word},
        "message": "Success",
        "request_id": task.public_id,
        "status": 10000,
        "time_elapsed": "0ms",
    }


def test_native_answer_of_a_success_reads_back_as_one() -> None:
    output = OutputSnapshot(status=TaskStatus.SUCCEEDED, result=VideoResult(url=VIDEO_URL))

    native = JIMENG.native_answer(snapshot(TaskStatus.SUCCEEDED, outputs=(output,)))

    assert native["data"] == {"status": "done", "video_url": VIDEO_URL, "aigc_meta_tagged": False}
    outcome = poll(answer(200, native))
    assert isinstance(outcome, Succeeded)
    assert outcome.result.url == VIDEO_URL


@pytest.mark.parametrize(
    ("status", "error", "code", "message"),
    [
        (TaskStatus.FAILED, TaskError("upstream_error", "It failed."), 50500, "It failed."),
        (TaskStatus.FAILED, None, 50500, "The task failed."),
        (
            TaskStatus.FAILED,
            TaskError("content_policy_violation", "Refused."),
            50412,
            "Refused.",
        ),
        (TaskStatus.CANCELLED, None, 50500, "The task was cancelled."),
    ],
)
def test_native_answer_of_a_failure(
    status: TaskStatus, error: TaskError | None, code: int, message: str
) -> None:
    native = JIMENG.native_answer(snapshot(status, error=error))

    assert (native["code"], native["status"]) == (code, code)
    assert native["data"] is None
    assert native["message"] == message
