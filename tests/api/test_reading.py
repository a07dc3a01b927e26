"""Every field means the same in JSON and in a form, in the new-api dialect and in OpenAI's."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.api import FIELD_MEANINGS

from vidgate.api.dialects.newapi.reading import read_request
from vidgate.api.dialects.openai.reading import read_create
from vidgate.api.forms import Form, UnexpectedFileError, parse_multipart
from vidgate.exceptions import InvalidParameterError
from vidgate.models.requests import Image, VideoRequest

URL = "https://a.test/a.png"
OTHER = "https://a.test/b.png"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
PNG_TEXT = base64.b64encode(PNG).decode()
BMP_TEXT = base64.b64encode(b"BM" + bytes(64)).decode()
PICTURE = Image(url=URL)
FILE = Image(content=PNG, media_type="image/png")
GOOD = {"model": "kling-v1", "prompt": "a cat"}


def in_json(fields: dict[str, Any]) -> Form:
    return Form(fields)


def in_a_form(fields: dict[str, Any]) -> Form:
    """What is no text is JSON text."""
    body = b""
    for name, value in fields.items():
        text = value if isinstance(value, str) else json.dumps(value)
        body += f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
    return parse_multipart(body + b"--cut--\r\n", "multipart/form-data; boundary=cut")


def by_newapi(form: Form) -> VideoRequest:
    return read_request(form, meanings=FIELD_MEANINGS).request


def by_openai(form: Form) -> VideoRequest:
    return read_create(form, meanings=FIELD_MEANINGS).request


FORMATS = pytest.mark.parametrize(
    ("write", "read"),
    [
        pytest.param(in_json, by_newapi, id="new-api JSON"),
        pytest.param(in_a_form, by_newapi, id="new-api form"),
        pytest.param(in_json, by_openai, id="OpenAI JSON"),
        pytest.param(in_a_form, by_openai, id="OpenAI form"),
    ],
)

READINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *(
        (fields, {"images": (PICTURE,)})
        for name in ("image", "images", "input_reference")
        for fields in (
            {name: URL},
            {name: [URL]},
            {name: ["", URL]},
            {name: {"image_url": URL}},
            {name: {"url": URL}},
            {name: {"image_url": {"url": URL}}},
            {name: {"image_url": URL, "file_id": None}},
            {name: [{"image_url": URL}]},
            {name: [{"type": "image_url", "image_url": {"url": URL}}]},
            {name: json.dumps({"image_url": URL})},
            {name: json.dumps([URL])},
        )
    ),
    *(
        (fields, {"images": (FILE,)})
        for name in ("image", "images", "input_reference")
        for fields in (
            {name: PNG_TEXT},
            {name: f"data:image/png;base64,{PNG_TEXT}"},
            {name: f"data:;base64,{PNG_TEXT}"},
            {name: f"data:application/octet-stream;base64,{PNG_TEXT}"},
            {name: f"DATA:Application/Octet-Stream;name=a.png;base64,{PNG_TEXT}"},
            {name: {"image_url": PNG_TEXT}},
        )
    ),
    *(({name: ""}, {}) for name in ("image", "images", "input_reference")),
    *(({name: []}, {}) for name in ("image", "images", "input_reference")),
    ({"images": [URL, OTHER]}, {"images": (PICTURE, Image(url=OTHER))}),
    ({"input_reference": [URL, OTHER]}, {"images": (PICTURE, Image(url=OTHER))}),
    ({"images": [URL, URL]}, {"images": (PICTURE, PICTURE)}),  # a loop
    ({"image": URL, "images": [URL, OTHER]}, {"images": (PICTURE, Image(url=OTHER))}),
    ({"image": URL, "input_reference": URL}, {"images": (PICTURE,)}),
    ({"images": [URL, OTHER], "input_reference": {"image_url": URL}},
     {"images": (PICTURE, Image(url=OTHER))}),
    ({"image": URL, "input_reference": OTHER}, {"images": (PICTURE, Image(url=OTHER))}),
    *(
        ({name: value}, {"duration_seconds": 5})
        for name in ("duration", "seconds")
        for value in (5, 5.0, "5", " 5 ", "5.0")
    ),
    ({"duration": "7.5"}, {"duration_seconds": 7.5}),
    ({"duration": 5, "seconds": "5"}, {"duration_seconds": 5}),
    *(
        ({name: value}, {name: 24})
        for name in ("fps", "seed")
        for value in (24, 24.0, "24", " 24 ", "24.0")
    ),
    ({"seed": "-1"}, {"seed": -1}),
    *(({name: ""}, {}) for name in ("duration", "seconds", "fps", "seed", "n", "width", "height")),
    *(({name: ""}, {}) for name in ("size", "user", "response_format", "metadata", "mode")),
    ({"metadata": '\ufeff{"cfg_scale": 0.5}'}, {"metadata": {"cfg_scale": 0.5}}),
    ({"metadata": " "}, {}),
    ({"width": "1280", "height": 720}, {"width": 1280, "height": 720}),
    ({"size": "1280x720"}, {"width": 1280, "height": 720}),
    ({"size": "1280*720", "width": 1280, "height": "720"}, {"width": 1280, "height": 720}),
    ({"size": "16:9"}, {"aspect_ratio": "16:9"}),
    *(
        ({"size": value}, {"width": 1280, "height": 720})
        for value in ("1280X720", "1280 x 720", " 1280 \u00d7 720 ", "1280\uff0a720")
    ),
    *(
        ({"size": value}, {"aspect_ratio": "16:9"})
        for value in ("16\uff1a9", "16 : 9", "16\u22369", "\uff11\uff16\uff1a\uff19")
    ),
    *(
        ({"size": value}, {"tier": value.strip().lower()})
        for value in ("720p", "720P", "1080p", "1080P", " 1080p ", "2K", "2k", "4k", "4K")
    ),
    ({"size": "\uff14\uff2b"}, {"tier": "4k"}),
    *(
        (fields, {"images": (PICTURE, Image(url=OTHER)), "last_frame": name})
        for name in ("last_frame", "end_image", "tail_image_url")
        for fields in (
            {"image": URL, name: OTHER},
            {"image": URL, "metadata": {name: OTHER}},
            {"images": [URL], name: {"image_url": OTHER}},
            {"images": [URL, OTHER], name: OTHER},
            {"input_reference": URL, name: json.dumps({"url": OTHER})},
        )
    ),
    *(
        (fields, {"images": (PICTURE,)})
        for fields in (
            {"first_frame": URL},
            {"metadata": {"first_frame": URL}},
            {"first_frame": {"image_url": URL}},
            {"image": URL, "first_frame": URL},
            {"image": URL, "first_frame": ""},
        )
    ),
    ({"first_frame": URL, "last_frame": OTHER},
     {"images": (PICTURE, Image(url=OTHER)), "last_frame": "last_frame"}),
    ({"images": [URL, OTHER], "first_frame": URL}, {"images": (PICTURE, Image(url=OTHER))}),
    *(
        (fields, {"metadata": {"callback_url": OTHER}})
        for fields in ({"webhook_url": OTHER}, {"metadata": {"webhook_url": OTHER}})
    ),
    ({"image": URL, "end_image": PNG_TEXT},
     {"images": (PICTURE, FILE), "last_frame": "end_image"}),
    ({"image": URL, "last_frame": URL}, {"images": (PICTURE, PICTURE), "last_frame": "last_frame"}),
    ({"image": URL, "last_frame": ""}, {"images": (PICTURE,)}),
    ({"resolution": "1080p", "ratio": "16:9"},
     {"metadata": {"resolution": "1080p", "ratio": "16:9"}}),
    ({"n": 1}, {}),
    ({"n": "1"}, {}),
    ({"user": "u"}, {"user": "u"}),
    ({"metadata": {"cfg_scale": 0.5, "on": True}}, {"metadata": {"cfg_scale": 0.5, "on": True}}),
    ({"metadata": '{"cfg_scale": 0.5}'}, {"metadata": {"cfg_scale": 0.5}}),
    ({"cfg_scale": 0.5, "metadata": {"cfg_scale": 1}}, {"metadata": {"cfg_scale": 1}}),
    ({"camera_control": {"type": "simple"}}, {"metadata": {"camera_control": {"type": "simple"}}}),
    ({"watermark": False}, {"metadata": {"watermark": False}}),
]  # fmt: skip


@FORMATS
@pytest.mark.parametrize(("fields", "expected"), READINGS, ids=repr)
def test_a_field_means_the_same_in_every_format(
    write: Callable[[dict[str, Any]], Form],
    read: Callable[[Form], VideoRequest],
    fields: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    members: dict[str, Any] = GOOD | expected

    assert read(write(GOOD | fields)) == VideoRequest(**members)


@pytest.mark.parametrize("read", [by_newapi, by_openai])
@pytest.mark.parametrize("name", ["image", "images", "input_reference", "images[]", "image[0]"])
@pytest.mark.parametrize(
    "headers",
    [
        '; filename="a.png"\r\nContent-Type: image/png',
        '; filename=""\r\nContent-Type: application/octet-stream',
        "\r\nContent-Type: image/png",
        "\r\nContent-Type: Image/PNG",
        "\r\nContent-Type: application/octet-stream",
        "",
    ],
)
def test_a_file_needs_no_name(
    read: Callable[[Form], VideoRequest], name: str, headers: str
) -> None:
    form = form_of(name, headers, PNG)

    assert read(form).images == (FILE,)


@pytest.mark.parametrize("headers", ["", "\r\nContent-Type: image/png"])
@pytest.mark.parametrize("name", ["prompt", "metadata", "video"])
def test_a_nameless_picture_is_no_text(name: str, headers: str) -> None:
    with pytest.raises(UnexpectedFileError, match=f"{name} cannot be a file"):
        form_of(name, headers, PNG)


def test_a_nameless_file_of_another_kind_is_told_what_is_taken() -> None:
    form = form_of("image", "\r\nContent-Type: image/heic", b"\0\0\0\x18ftypheic\xff")

    with pytest.raises(InvalidParameterError, match="must be a PNG, JPEG, WebP or GIF picture"):
        by_newapi(form)


def form_of(name: str, headers: str, content: bytes) -> Form:
    """The good request, and a part with these headers."""
    fields = GOOD | {name: content}
    body = b""
    for field, value in fields.items():
        more = headers if field == name else ""
        data = value if isinstance(value, bytes) else value.encode()
        body += f'--cut\r\nContent-Disposition: form-data; name="{field}"{more}\r\n\r\n'.encode()
        body += data + b"\r\n"
    return parse_multipart(body + b"--cut--\r\n", "multipart/form-data; boundary=cut")


@FORMATS
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        *(({name: value}, name) for name in ("image", "images", "input_reference")
          for value in ({}, {"image_url": [URL]}, [[URL]], '{"image_url": ', "[1")),
        *(({name: {"file_id": "file-1"}}, f"{name}.file_id")
          for name in ("image", "images", "input_reference")),
        *(({"image": f"data:{kind};base64,{BMP_TEXT}"}, "image")
          for kind in ("", "image/bmp", "application/octet-stream", "text/plain")),
        ({"duration": "soon"}, "duration"),
        ({"seconds": 4, "duration": 5}, "seconds"),
        ({"fps": "24.5"}, "fps"),
        ({"n": "two"}, "n"),
        ({"n": 9}, "n"),
        ({"width": 1280}, "height"),
        ({"size": "big"}, "size"),
        ({"metadata": "pro"}, "metadata"),
        ({"metadata": "[]"}, "metadata"),
        ({"last_frame": URL}, "last_frame"),
        ({"images": [URL, URL], "end_image": OTHER}, "end_image"),
        ({"image": URL, "last_frame": OTHER, "end_image": URL}, "end_image"),
        ({"image": URL, "first_frame": OTHER}, "first_frame"),
        ({"first_frame": "no picture!"}, "first_frame"),
        ({"image": URL, "tail_image_url": "no picture!"}, "tail_image_url"),
        ({"image": URL, "tail_image_url": "ftp://a.test/a.png"}, "tail_image_url"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name_in_every_format(
    write: Callable[[dict[str, Any]], Form],
    read: Callable[[Form], VideoRequest],
    fields: dict[str, Any],
    param: str,
) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        read(write(GOOD | fields))

    assert caught.value.param == param
