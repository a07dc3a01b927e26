"""What the OpenAI dialect makes of a request's fields."""

import base64
import json
from functools import partial
from typing import Any

import pytest
from starlette.datastructures import QueryParams
from tests.support.api import FIELD_MEANINGS

from vidgate.api.dialects.openai import reading
from vidgate.api.dialects.openai.reading import read_query
from vidgate.api.forms import Form, parse_multipart
from vidgate.api.plain_values import read_plain
from vidgate.exceptions import (
    BodyTooLargeError,
    InvalidParameterError,
    MalformedBodyError,
    RequestError,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.models.tasks import TaskQuery

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
PNG_TEXT = base64.b64encode(PNG).decode()
PNG_IMAGE = Image(content=PNG, media_type="image/png")
URL = "https://a.test/a.png"
GOOD = {"model": "kling-v1", "prompt": "a cat"}
NO_FILES = (
    "There are no uploaded files here: send the picture itself, or image_url in place of file_id."
)
NO_OBJECTS = (
    "metadata holds a list of objects, whose members a form mixes up; send them as JSON text."
)
ID = "task_01k9x4n8e0f0m8z2q6y7v3b5ct"

read_create = partial(reading.read_create, meanings=FIELD_MEANINGS)
read_edit = partial(reading.read_edit, meanings=FIELD_MEANINGS)
read_extension = partial(reading.read_extension, meanings=FIELD_MEANINGS)
read_remix = partial(reading.read_remix, meanings=FIELD_MEANINGS)


def multipart(*parts: tuple[str, str | bytes]) -> Form:
    """Parse a form; what is bytes is a file."""
    body = b""
    for name, value in parts:
        filename = '; filename="upload"' if isinstance(value, bytes) else ""
        content = value if isinstance(value, bytes) else value.encode()
        body += f'--cut\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'.encode()
        body += content + b"\r\n"
    return parse_multipart(body + b"--cut--\r\n", "multipart/form-data; boundary=cut")


# Creating


@pytest.mark.parametrize(
    ("fields", "expected", "echo"),
    [
        ({}, {}, {}),
        ({"seconds": "8"}, {"duration_seconds": 8}, {"seconds": "8"}),
        ({"seconds": 8}, {"duration_seconds": 8}, {"seconds": "8"}),
        ({"seconds": 8.0}, {"duration_seconds": 8}, {"seconds": "8"}),
        ({"seconds": "7.5"}, {"duration_seconds": 7.5}, {"seconds": "7.5"}),
        ({"duration": 5}, {"duration_seconds": 5}, {"seconds": "5"}),
        ({"size": "1280x720"}, {"width": 1280, "height": 720}, {"size": "1280x720"}),
        ({"size": " 1024x1792 "}, {"width": 1024, "height": 1792}, {"size": "1024x1792"}),
        ({"size": "9:16"}, {"aspect_ratio": "9:16"}, {"size": "9:16"}),
        ({"size": ""}, {}, {}),
        ({"size": None, "seconds": None, "input_reference": None}, {}, {}),
        ({"width": 640, "height": 480}, {"width": 640, "height": 480}, {}),
        ({"input_reference": URL}, {"images": (Image(url=URL),)}, {}),
        ({"input_reference": ""}, {"images": ()}, {}),
        ({"input_reference": f"data:image/png;base64,{PNG_TEXT}"}, {"images": (PNG_IMAGE,)}, {}),
        ({"input_reference": PNG_TEXT}, {"images": (PNG_IMAGE,)}, {}),
        ({"input_reference": {"image_url": URL}}, {"images": (Image(url=URL),)}, {}),
        ({"input_reference": {"image_url": URL, "file_id": None}},
         {"images": (Image(url=URL),)}, {}),
        ({"input_reference": {"image_url": {"url": URL}}}, {"images": (Image(url=URL),)}, {}),
        ({"input_reference": [URL, {"image_url": URL + "2"}]},
         {"images": (Image(url=URL), Image(url=URL + "2"))}, {}),
        ({"image": URL + "1", "input_reference": URL},
         {"images": (Image(url=URL + "1"), Image(url=URL))}, {}),
        ({"seed": 7, "user": "u", "fps": 24}, {"seed": 7, "user": "u", "fps": 24}, {}),
        ({"mode": "pro", "metadata": {"cfg_scale": 0.5}},
         {"metadata": {"mode": "pro", "cfg_scale": 0.5}}, {}),
        ({"mode": "pro", "metadata": {"mode": "std"}}, {"metadata": {"mode": "std"}}, {}),
        ({"code": "5"}, {"metadata": {"code": "5"}}, {}),  # JSON says itself what is text
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_asked_for(
    fields: dict[str, Any], expected: dict[str, Any], echo: dict[str, str]
) -> None:
    video = read_create(Form(GOOD | fields))

    members: dict[str, Any] = {"model": "kling-v1", "prompt": "a cat"} | expected
    assert video.request == VideoRequest(**members)
    assert dict(video.echo) == echo
    assert video.source == ""


@pytest.mark.parametrize("model", ["sora-2", "sora-2-pro", "jimeng_vgfm_t2v_l20", "any thing"])
@pytest.mark.parametrize("size", ["720x1280", "1280x720", "1024x1792", "1792x1024"])
def test_any_model_and_any_size_of_openais_is_read(model: str, size: str) -> None:
    request = read_create(Form({"model": model, "prompt": "p", "size": size})).request

    assert request.model == model
    assert f"{request.width}x{request.height}" == size


def test_a_picture_alone_is_enough() -> None:
    assert read_create(Form({"model": "m", "input_reference": URL})).request.prompt == ""


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"model": None}, "model",
         "model is required: the name of a model that GET /v1/models lists."),
        ({"model": ""}, "model",
         "model is required: the name of a model that GET /v1/models lists."),
        ({"model": " "}, "model", "model is required: the name of a model."),
        ({"model": 5}, "model", "model must be a string."),
        ({"model": {}}, "model", "model must be a string."),
        ({"prompt": None}, "prompt", "prompt is required: what the video shows."),
        ({"prompt": ["a"]}, "prompt", "prompt must be a string."),
        ({"seconds": "soon"}, "seconds", "seconds must be a number, such as 5."),
        ({"seconds": "-1"}, "seconds", "seconds must be from 0 to 86400."),
        ({"seconds": True}, "seconds", "seconds must be a number, such as 5."),
        ({"seconds": "4", "duration": 5}, "seconds",
         "duration and seconds mean the same and differ; send one of them."),
        ({"size": "big"}, "size",
         "size must be pixels such as 1920x1080, a shape such as 16:9, or a tier such as 1080p."),
        ({"size": 720}, "size", "size must be a string."),
        ({"input_reference": 5}, "input_reference",
         "input_reference must be text: a URL, a data: URI or base64."),
        ({"input_reference": [[URL]]}, "input_reference",
         "input_reference must be text: a URL, a data: URI or base64."),
        ({"input_reference": {"image_url": 5}}, "input_reference",
         "input_reference must be text: a URL, a data: URI or base64."),
        ({"input_reference": {}}, "input_reference",
         "input_reference must be a picture, or an object with image_url."),
        ({"input_reference": {"file_id": "file-1"}}, "input_reference.file_id",
         NO_FILES),
        ({"input_reference": "ftp://a.test/a.png"}, "input_reference",
         "input_reference must be an http or https URL, a data: URI or base64."),
        ({"n": 9}, "n", "n must be from 1 to 8."),
        ({"metadata": ["pro"]}, "metadata", "metadata must be an object."),
    ],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_asked_for(fields: dict[str, Any], param: str, message: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        read_create(Form(GOOD | fields))

    assert (caught.value.param, caught.value.message) == (param, message)


def test_a_field_of_no_use_is_named_or_refused() -> None:
    form = Form(GOOD | {"response_format": "b64_json"})

    assert read_create(form).asked.ignored == ("response_format",)
    with pytest.raises(InvalidParameterError):
        read_create(form, strict=True)


# Forms


def test_a_form_as_sdks_write_it() -> None:
    form = multipart(
        ("prompt", "a cat"), ("model", "kling-v1"), ("seconds", "8"), ("size", "720x1280"),
        ("metadata[mode]", "pro"), ("metadata[cfg_scale]", "0.5"), ("metadata[sound]", "true"),
        ("metadata[camera][type]", "simple"), ("metadata[camera][config][pan]", "-3"),
        ("metadata[image_urls][]", "u1"), ("metadata[image_urls][]", "u2"),
        ("metadata[external_task_id]", "12"), ("watermark", "false"), ("tags[]", "one"),
        ("voices[0]", "7"), ("voices[1]", "8"), ("input_reference", PNG),
    )  # fmt: skip

    video = read_create(form)

    assert video.request == VideoRequest(
        model="kling-v1",
        prompt="a cat",
        duration_seconds=8,
        width=720,
        height=1280,
        images=(PNG_IMAGE,),
        metadata={
            "mode": "pro",
            "cfg_scale": 0.5,
            "sound": True,
            "camera": {"type": "simple", "config": {"pan": -3}},
            "image_urls": ["u1", "u2"],
            "external_task_id": "12",
            "watermark": False,
            "tags": ["one"],
            "voices": [7, 8],
        },
    )
    assert dict(video.echo) == {"seconds": "8", "size": "720x1280"}


@pytest.mark.parametrize(
    "parts",
    [
        [("input_reference", URL)],
        [("input_reference[]", URL)],
        [("input_reference[image_url]", URL)],
        [("input_reference[image_url][url]", URL)],
        [("image", URL)],
        [("images[]", URL)],
        [("images[0]", URL)],
    ],
    ids=repr,
)
def test_a_picture_in_a_form(parts: list[tuple[str, str | bytes]]) -> None:
    form = multipart(*GOOD.items(), *parts)

    assert read_create(form).request.images == (Image(url=URL),)


def test_several_files_are_several_pictures() -> None:
    form = multipart(*GOOD.items(), ("input_reference", PNG), ("input_reference", PNG + b"2"))

    assert [image.content for image in read_create(form).request.images] == [PNG, PNG + b"2"]


def test_a_large_picture_in_an_object_of_a_form_is_no_text() -> None:
    content = PNG + bytes(3_000_000)
    uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    form = multipart(*GOOD.items(), ("input_reference[image_url]", uri))

    assert read_create(form).request.images[0].content == content


def test_metadata_as_json_keeps_its_types() -> None:
    metadata = {"duration": "5", "cfg_scale": 1.0, "list": [{"id": 1}]}
    form = multipart(*GOOD.items(), ("metadata", json.dumps(metadata)), ("metadata[more]", "1"))

    assert read_create(form).request.metadata == metadata | {"more": 1}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("watermark", "true", True),
        ("watermark", "false", False),
        ("sound", "True", "True"),
        ("cfg_scale", "0.5", 0.5),
        ("frames", "121", 121),
        ("pan", "-10", -10),
        ("n", "0", 0),
        ("code", "007", "007"),
        ("code", "+7", "+7"),
        ("code", "1e5", "1e5"),
        ("code", "NaN", "NaN"),
        ("code", "", ""),
        ("code", "1234567890123456", "1234567890123456"),
        ("element_id", "123", "123"),
        ("payload", '{"a": 1}', '{"a": 1}'),
        ("negative_prompt", "true", "true"),
        ("camera", '{"type": "down"}', {"type": "down"}),
        ("images", ' ["a", 1, null]', ["a", 1, None]),
        ("story", "[Shot 1] a boat", "[Shot 1] a boat"),
        ("story", '[1], "b": 2', '[1], "b": 2'),
        ("story", '{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        ("word", "null", "null"),
    ],
)
def test_text_is_read_as_json_would_have_it(name: str, text: str, value: object) -> None:
    read = read_plain(name, text)

    assert read == value
    assert type(read) is type(value)


def test_vendor_fields_of_a_form_are_read_so() -> None:
    form = multipart(*GOOD.items(), ("camera", '{"type": "down"}'), ("frames", "121"))

    assert read_create(form).request.metadata == {"camera": {"type": "down"}, "frames": 121}


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ([("metadata[o][][a]", "1")], InvalidParameterError,
         NO_OBJECTS),
        ([("metadata[o][0][a]", "1")], InvalidParameterError,
         NO_OBJECTS),
        ([("a" + "[b]" * 17, "1")], InvalidParameterError, "a has too many levels."),
        ([("metadata[a]", "1"), ("metadata[a]", "2")], InvalidParameterError,
         "metadata.a is there twice."),
        ([("metadata[a]", "1"), ("metadata[a][b]", "2")], InvalidParameterError,
         "metadata.a.b is there twice."),
        ([("metadata[a]", "1"), ("metadata[a][]", "2")], InvalidParameterError,
         "metadata.a is there twice."),
        ([("metadata[a]", "1"), ("metadata", "{}")], InvalidParameterError,
         "metadata is there twice."),
        ([("seconds", "4"), ("seconds", "8")], InvalidParameterError, "seconds is there twice."),
        ([("input_reference[image_url]", URL), ("input_reference", PNG)], InvalidParameterError,
         "input_reference is there twice."),
        ([("input_reference", PNG), ("input_reference[image_url]", URL)], InvalidParameterError,
         "input_reference.image_url is there twice."),
        ([("input_reference[file_id]", "file-1")], InvalidParameterError,
         NO_FILES),
        ([("metadata[a]", b"file")], InvalidParameterError, "metadata cannot be a file."),
        ([("input_reference", b"GIF99")], InvalidParameterError,
         "input_reference must be a PNG, JPEG, WebP or GIF picture."),
        ([("[]", "1")], MalformedBodyError, "A part of the multipart body has no name."),
        ([("story", "x" * 2_100_000)], BodyTooLargeError,
         "The form's text may have at most 2 MiB."),
        ([("metadata[story]", "x" * 2_100_000)], BodyTooLargeError,
         "The form's text may have at most 2 MiB."),
    ],
    ids=lambda value: repr(value)[:60],
)  # fmt: skip
def test_forms_that_cannot_be_read(
    parts: list[tuple[str, str | bytes]], error: type[RequestError], message: str
) -> None:
    with pytest.raises(error) as caught:
        read_create(multipart(*GOOD.items(), *parts))

    assert caught.value.message == message


@pytest.mark.parametrize("name", ["a[b", "a]b", "[a]", "a[b]c", "a[[b]]"])
def test_brackets_without_sense_are_part_of_a_name(name: str) -> None:
    assert read_create(multipart(*GOOD.items(), (name, "x"))).request.metadata == {name: "x"}


# Going on from a video


def test_a_remix_needs_no_model() -> None:
    video = read_remix(Form({"prompt": "in the snow"}), source=ID)

    assert video.request == VideoRequest(model="", prompt="in the snow")
    assert video.source == ID
    assert dict(video.echo) == {"remixed_from_video_id": ID}


def test_a_remix_may_ask_for_more() -> None:
    fields = {"prompt": "p", "model": "vidu", "seconds": "4", "size": "1:1", "mode": "pro"}

    video = read_remix(Form(fields), source=ID, strict=True)

    assert video.request == VideoRequest(
        model="vidu",
        prompt="p",
        duration_seconds=4,
        aspect_ratio="1:1",
        metadata={"mode": "pro"},
        strict=True,
    )
    assert dict(video.echo) == {"seconds": "4", "size": "1:1", "remixed_from_video_id": ID}


@pytest.mark.parametrize(
    "form",
    [
        Form({"prompt": "p", "video": {"id": ID}}),
        Form({"prompt": "p", "video": ID}),
        multipart(("prompt", "p"), ("video[id]", ID)),
        multipart(("prompt", "p"), ("video", ID)),
    ],
)
def test_a_video_is_named_by_its_id(form: Form) -> None:
    for video in (read_edit(form), read_extension(form)):
        assert video.source == ID
        assert video.request == VideoRequest(model="", prompt="p")
        assert dict(video.echo) == {"remixed_from_video_id": ID}


@pytest.mark.parametrize(
    "video", [None, "", {}, {"id": ""}, {"id": None}, {"id": 5}, [ID], 5, {"id": "x" * 201}]
)
def test_a_video_has_to_be_named(video: object) -> None:
    for read in (read_edit, read_extension):
        with pytest.raises(InvalidParameterError) as caught:
            read(Form({"prompt": "p", "video": video}))
        assert caught.value.param == "video"
        assert caught.value.message == (
            'video is required: {"id": "..."} with the id of a video that was made here.'
        )


def test_only_an_extension_needs_no_prompt() -> None:
    form = Form({"video": {"id": ID}, "seconds": 5})

    assert read_extension(form).request == VideoRequest(model="", duration_seconds=5)
    with pytest.raises(InvalidParameterError, match="prompt is required: what to change"):
        read_edit(form)
    with pytest.raises(InvalidParameterError, match="prompt is required: what the remix shows"):
        read_remix(Form({"prompt": ""}), source=ID)


# Listing


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", TaskQuery(limit=20, newest_first=True)),
        ("limit=&order=&after=", TaskQuery(limit=20, newest_first=True)),
        ("limit=0", TaskQuery(limit=0)),
        ("limit=100&order=asc", TaskQuery(limit=100, newest_first=False)),
        (f"after={ID}&order=desc", TaskQuery(after=ID)),
        ("unknown=1", TaskQuery()),
    ],
)
def test_which_videos_to_list(query: str, expected: TaskQuery) -> None:
    assert read_query(QueryParams(query)) == expected


@pytest.mark.parametrize(
    ("query", "param", "message"),
    [
        ("limit=101", "limit", "limit must be from 0 to 100."),
        ("limit=-1", "limit", "limit must be from 0 to 100."),
        ("limit=ten", "limit", "limit must be an integer."),
        ("limit=1.5", "limit", "limit must be an integer."),
        ("order=newest", "order", "order must be asc or desc."),
        ("after=" + "x" * 201, "after", "after may have at most 200 characters."),
    ],
)
def test_what_cannot_be_listed(query: str, param: str, message: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        read_query(QueryParams(query))

    assert (caught.value.param, caught.value.message) == (param, message)


# Objects in forms


@pytest.mark.parametrize(
    "text", [json.dumps({"id": ID}), f' {{"id": "{ID}", "object": "video"}}', ID]
)
def test_a_forms_video_may_be_an_object_as_json(text: str) -> None:
    form = multipart(("prompt", "p"), ("video", text))

    assert read_edit(form).source == read_extension(form).source == ID


@pytest.mark.parametrize("picture", [URL, f"data:image/png;base64,{PNG_TEXT}"])
def test_a_forms_reference_may_be_an_object_as_json(picture: str) -> None:
    reference = ("input_reference", json.dumps({"image_url": picture}))
    expected = Image(url=URL) if picture == URL else PNG_IMAGE

    one = read_create(multipart(*GOOD.items(), reference)).request
    several = read_create(multipart(*GOOD.items(), reference, ("input_reference", PNG))).request

    assert one.images == (expected,)
    assert several.images == (expected, PNG_IMAGE)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("video", "{", "video is not valid JSON"),
        ("video", "{}", "video is required"),
        ("video", '{"id": 5}', "video is required"),
        ("input_reference", '{"image_url": ', "input_reference is not valid JSON"),
        ("input_reference", "{}", "input_reference must be a picture, or an object"),
    ],
)
def test_what_is_no_such_object_is_named(name: str, text: str, message: str) -> None:
    parts = {"prompt": "p", "video": ID} | {name: text}

    with pytest.raises(InvalidParameterError, match=message) as caught:
        read_edit(multipart(*parts.items()))

    assert caught.value.param == name
