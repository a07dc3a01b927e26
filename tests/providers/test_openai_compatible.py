"""Golden requests to a compatible server: what it is sent, byte for byte where that matters."""

import json
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.adapters import NOW
from tests.support.compatible import ACCESS, ADAPTER, IDS
from tests.support.upstreams import VIDEO

from vidgate.exceptions import ConfigurationError, UnsupportedParameterError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import UpstreamRef, VideoResult
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import RunFacts

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x04"
JPEG = b"\xff\xd8\xff\xe0 not much of one"
URL = "https://pictures.test/a.png?sig=%2F1"
BASE = {"model": "clip-1", "prompt": "a boat"}


def request_of(**members: Any) -> VideoRequest:
    return VideoRequest(**{**BASE, **members})


def submit(**members: Any) -> httpx.Request:
    return ADAPTER.submit(ADAPTER.translate(request_of(**members)), ACCESS, IDS, NOW).request


GOLDEN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("a prompt alone", {}, {}),
    ("no prompt", {"prompt": ""}, {"prompt": ""}),
    ("words of the world", {"prompt": "她转身 🚤"}, {"prompt": "她转身 🚤"}),
    ("whole seconds", {"duration_seconds": 5}, {"seconds": "5"}),
    ("part of a second", {"duration_seconds": 7.5}, {"seconds": "7.5"}),
    ("many seconds", {"duration_seconds": 600}, {"seconds": "600"}),
    ("a size", {"width": 1280, "height": 720}, {"size": "1280x720"}),
    ("an odd size", {"width": 1250, "height": 721}, {"size": "1250x721"}),
    (
        "a shape",
        {"aspect_ratio": "16:9"},
        {"aspect_ratio": "16:9", "metadata": {"aspect_ratio": "16:9"}},
    ),
    (
        "a shape by vendor field",
        {"aspect_ratio": "16:9", "metadata": {"aspect_ratio": "1:1"}},
        {"aspect_ratio": "1:1", "metadata": {"aspect_ratio": "1:1"}},
    ),
    ("a seed", {"seed": 7}, {"seed": 7}),
    ("a seed of nought", {"seed": 0}, {"seed": 0}),
    ("a frame rate", {"fps": 24}, {}),
    ("an end user", {"user": "u-1"}, {}),
    ("a picture's URL", {"images": (Image(url=URL),)}, {"input_reference": {"image_url": URL}}),
    (
        "two pictures",
        {"images": (Image(url=URL), Image(content=JPEG))},
        {"images": [URL, "data:image/jpeg;base64,/9j/4CBub3QgbXVjaCBvZiBvbmU="]},
    ),
    (
        "a picture nobody knows",
        {"images": (Image(content=b"?"), Image(content=b"!", media_type="image/heic"))},
        {"images": ["data:application/octet-stream;base64,Pw==", "data:image/heic;base64,IQ=="]},
    ),
    (
        "a picture by vendor field",
        {"images": (Image(url=URL),), "metadata": {"image": "https://b.test/b.png"}},
        {"image": "https://b.test/b.png"},
    ),
    (
        "an uploaded file",
        {"metadata": {"input_reference": {"file_id": "file-1"}}},
        {"input_reference": {"file_id": "file-1"}},
    ),
    (
        "a vendor field",
        {"metadata": {"negative_prompt": "blur"}},
        {"negative_prompt": "blur", "metadata": {"negative_prompt": "blur"}},
    ),
    (
        "vendor fields of every type",
        {"metadata": {"a": True, "b": 0.5, "c": [1, {"d": "e"}], "f": {"g": {}}}},
        {
            "a": True,
            "b": 0.5,
            "c": [1, {"d": "e"}],
            "f": {"g": {}},
            "metadata": {"a": True, "b": 0.5, "c": [1, {"d": "e"}], "f": {"g": {}}},
        },
    ),
    ("a vendor field that removes", {"seed": 7, "metadata": {"seed": None}}, {}),
    (
        "vendor fields in metadata of their own",
        {"metadata": {"mode": "std", "metadata": {"mode": "pro", "metadata": {"x": 1}}}},
        {"mode": "pro", "x": 1, "metadata": {"mode": "pro", "x": 1}},
    ),
    ("no metadata inside metadata", {"metadata": {"metadata": None}}, {}),
    (
        "seconds by vendor field",
        {"duration_seconds": 5, "metadata": {"seconds": "8"}},
        {"seconds": "8"},
    ),
    (
        "a duration by vendor field",
        {"duration_seconds": 5, "metadata": {"duration": 10}},
        {"duration": 10, "metadata": {"duration": 10}},
    ),
    ("a size by vendor field", {"metadata": {"size": "9x16"}}, {"size": "9x16"}),
    ("a prompt by vendor field", {"metadata": {"prompt": "a ship"}}, {"prompt": "a ship"}),
    ("one video", {"metadata": {"n": 1}}, {"n": 1, "metadata": {"n": 1}}),
    (
        "ids of the client's own",
        {"metadata": {"payload": "p", "external_task_id": "e"}},
        {
            "payload": "p",
            "external_task_id": "e",
            "metadata": {"payload": "p", "external_task_id": "e"},
        },
    ),
    (
        "all at once",
        {
            "duration_seconds": 5,
            "width": 720,
            "height": 1280,
            "seed": 1,
            "fps": 30,
            "images": (Image(url=URL),),
            "metadata": {"audio": False},
        },
        {
            "seconds": "5",
            "size": "720x1280",
            "seed": 1,
            "audio": False,
            "input_reference": {"image_url": URL},
            "metadata": {"audio": False},
        },
    ),
]


@pytest.mark.parametrize(
    ("members", "expected"), [one[1:] for one in GOLDEN], ids=[g[0] for g in GOLDEN]
)
def test_a_body_of_json(members: dict[str, Any], expected: dict[str, Any]) -> None:
    sent = submit(**members)

    assert (sent.method, str(sent.url)) == ("POST", "https://gate.test/v1/videos")
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Authorization"] == "Bearer sk-key-of-the-channel"
    assert sent.headers["Idempotency-Key"] == IDS.correlation
    assert json.loads(sent.content) == BASE | expected


def test_a_picture_makes_a_form() -> None:
    sent = submit(images=(Image(content=PNG),), duration_seconds=5, width=1280, height=720, seed=7)

    assert sent.headers["Content-Type"] == (
        "multipart/form-data; boundary=vidgate-vg_0123456789abcdef"
    )
    assert sent.content == (
        b"--vidgate-vg_0123456789abcdef\r\n"
        b'Content-Disposition: form-data; name="model"\r\n\r\nclip-1\r\n'
        b"--vidgate-vg_0123456789abcdef\r\n"
        b'Content-Disposition: form-data; name="prompt"\r\n\r\na boat\r\n'
        b"--vidgate-vg_0123456789abcdef\r\n"
        b'Content-Disposition: form-data; name="seconds"\r\n\r\n5\r\n'
        b"--vidgate-vg_0123456789abcdef\r\n"
        b'Content-Disposition: form-data; name="size"\r\n\r\n1280x720\r\n'
        b"--vidgate-vg_0123456789abcdef\r\n"
        b'Content-Disposition: form-data; name="seed"\r\n\r\n7\r\n'
        b"--vidgate-vg_0123456789abcdef\r\n"
        b'Content-Disposition: form-data; name="input_reference"; filename="picture.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + PNG + b"\r\n--vidgate-vg_0123456789abcdef--\r\n"
    )


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (JPEG, b'picture.jpg"\r\nContent-Type: image/jpeg\r\n'),
        (b"RIFF0000WEBP", b'picture.webp"\r\nContent-Type: image/webp\r\n'),
        (b"GIF89a", b'picture.gif"\r\nContent-Type: image/gif\r\n'),
        (b"?", b'picture.bin"\r\nContent-Type: application/octet-stream\r\n'),
    ],
)
def test_a_file_is_called_what_it_is(content: bytes, kind: bytes) -> None:
    sent = submit(images=(Image(content=content, media_type="image/png"),))

    assert kind in sent.content


def test_a_form_keeps_the_types_of_vendor_fields_in_metadata() -> None:
    fields = {"audio": True, "cfg": 0.5, "style": "anime", "list": ["a"], "seconds": 8}

    sent = submit(images=(Image(content=PNG),), metadata=fields)

    parts = sent.content.split(b"--vidgate-vg_0123456789abcdef")
    form = {part.split(b'"')[1]: part.partition(b"\r\n\r\n")[2][:-2] for part in parts[1:-1]}
    assert set(form) == {b"model", b"prompt", b"style", b"seconds", b"metadata", b"input_reference"}
    assert (form[b"style"], form[b"seconds"]) == (b"anime", b"8")
    assert json.loads(form[b"metadata"]) == {
        "audio": True,
        "cfg": 0.5,
        "style": "anime",
        "list": ["a"],
    }


def test_a_name_of_a_client_ends_no_header() -> None:
    name = 'x"\r\nContent-Type: text/html\r\n\r\nhi'

    sent = submit(images=(Image(content=PNG),), metadata={name: "v"})

    line = b'name="x%22%0D%0AContent-Type: text/html%0D%0A%0D%0Ahi"\r\n\r\nv\r\n'
    assert line in sent.content


def test_a_boundary_is_in_no_part() -> None:
    sent = submit(prompt="say vidgate-vg_0123456789abcdef", images=(Image(content=PNG),))

    assert sent.headers["Content-Type"].endswith("boundary=vidgate-vg_0123456789abcdef-")
    assert sent.content.count(b"--vidgate-vg_0123456789abcdef-") == 4


def test_half_of_a_surrogate_pair_can_be_sent() -> None:
    assert json.loads(submit(prompt="\ud800").content)["prompt"] == "\ud800"
    assert b"\r\n\r\n?\r\n" in submit(prompt="\ud800", images=(Image(content=PNG),)).content


# What would run or pay for something else


@pytest.mark.parametrize(
    ("metadata", "param"),
    [
        ({"metadata": {"model": "dearer"}}, "model"),
        ({"metadata": {"model_name": "dearer"}}, "model_name"),
        ({"metadata": {"callback_url": "https://a.test"}}, "callback_url"),
        ({"webhook_url": "https://a.test"}, "webhook_url"),
        ({"n": 4}, "n"),
        ({"n": True}, "n"),
        ({"metadata": {"metadata": {"n": 2}}}, "n"),
        ({"Model": "dearer"}, "Model"),
        ({"Seconds": "20"}, "Seconds"),
        ({"offPeak": True}, "offPeak"),
        ({"metadata": "text"}, "metadata"),
    ],
)
def test_what_nobody_could_bill_is_refused_by_name(metadata: dict[str, Any], param: str) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        ADAPTER.translate(request_of(metadata=metadata))

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("members", "facts"),
    [
        ({}, {}),
        ({"duration_seconds": 5}, {"duration_seconds": 5}),
        ({"duration_seconds": 5, "metadata": {"seconds": "8"}}, {"duration_seconds": 8}),
        ({"metadata": {"seconds": "4", "duration": 12.5}}, {"duration_seconds": 12.5}),
        ({"metadata": {"metadata": {"duration": "20"}}}, {"duration_seconds": 20}),
        ({"metadata": {"seconds": "auto", "duration": -1}}, {}),
        ({"metadata": {"seconds": True, "duration": "inf"}}, {}),
        ({"width": 1280, "height": 720}, {"resolution": "720p"}),
        ({"width": 2160, "height": 3840}, {"resolution": "4k"}),
        ({"metadata": {"size": "1024 x 1792"}}, {}),
        (
            {"metadata": {"resolution": "1080p"}, "width": 1088, "height": 1920},
            {"resolution": "1080p"},
        ),
        ({"metadata": {"mode": "pro", "audio": True}}, {"mode": "pro", "sound": True}),
        ({"metadata": {"sound": False}}, {"sound": False}),
        ({"metadata": {"off_peak": True}}, {"off_peak": True}),
    ],
)
def test_what_is_run_follows_the_final_body(members: dict[str, Any], facts: dict[str, Any]) -> None:
    translation = ADAPTER.translate(request_of(**members))

    assert translation.facts == RunFacts(model="clip-1", **facts)
    is_slow = translation.pace.deadline.total_seconds() > 48 * 3600
    assert is_slow is translation.facts.off_peak


def test_what_is_ignored_is_said() -> None:
    members: dict[str, Any] = {"fps": 24, "user": "u", "images": (Image(url=URL),)}

    translation = ADAPTER.translate(request_of(**members, metadata={"images": [URL]}))

    assert translation.ignored == ("fps", "image", "user")


# The other requests


@pytest.mark.parametrize(
    ("base", "prefix"),
    [
        ("https://gate.test", "/v1"),
        ("https://gate.test/", "/v1"),
        ("https://gate.test/v1", "/v1"),
        ("https://gate.test/v1/", "/v1"),
        ("https://gate.test/api/v3", "/api/v3"),
        ("https://gate.test/openai/v1", "/openai/v1"),
        ("https://gate.test/openai/", "/openai"),
    ],
)
def test_a_path_of_the_base_url_is_the_whole_prefix(base: str, prefix: str) -> None:
    access = ChannelAccess(base, ACCESS.credential)
    translation = ADAPTER.translate(request_of())

    submit = ADAPTER.submit(translation, access, IDS, NOW).request
    poll = ADAPTER.poll([UpstreamRef("video_1")], access, NOW).request
    probe = ADAPTER.test(access, NOW).request
    content = ADAPTER.content(UpstreamRef("video_1"), VideoResult(url=VIDEO), access, NOW)

    assert str(submit.url) == f"https://gate.test{prefix}/videos"
    assert content is not None
    assert str(content.url) == f"https://gate.test{prefix}/videos/video_1/content"
    assert (poll.method, str(poll.url)) == ("GET", f"https://gate.test{prefix}/videos/video_1")
    assert poll.headers["Authorization"] == "Bearer sk-key-of-the-channel"
    assert poll.content == b""
    assert str(probe.url) == f"https://gate.test{prefix}/models"


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    sent = ADAPTER.poll([UpstreamRef("video_a/b+c==?x#y")], ACCESS, NOW).request

    assert sent.url.raw_path == b"/v1/videos/video_a%2Fb%2Bc%3D%3D%3Fx%23y"


def test_the_key_goes_to_the_channel_alone() -> None:
    own = VideoResult(url="https://gate.test/v1/videos/1/content", protected=True)

    sent = ADAPTER.content(None, own, ACCESS, NOW)

    assert sent is not None
    assert (sent.method, str(sent.url)) == ("GET", own.url)
    assert sent.headers["Authorization"] == "Bearer sk-key-of-the-channel"
    for url in (VIDEO, "https://gate.test.evil/x", "http://gate.test/v1/videos/1/content"):
        sent = ADAPTER.content(None, VideoResult(url=url, protected=True), ACCESS, NOW)
        assert sent is not None
        assert "Authorization" not in sent.headers


@pytest.mark.parametrize("credential", ["Bearer sk-1", "", "sk-ü", "sk\n"])
def test_a_key_that_cannot_be_one_signs_nothing(credential: str) -> None:
    with pytest.raises(ConfigurationError, match="API key alone"):
        ADAPTER.test(ChannelAccess("https://gate.test", SecretStr(credential)), NOW)
