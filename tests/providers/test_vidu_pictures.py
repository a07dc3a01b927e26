"""The Vidu adapter: pictures in the vendor's own fields."""

import base64
import struct
import zlib
from typing import Any

import pytest
from tests.support.vidu import VIDEO, VIDU

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest

URL = "HTTPS://a.example.test/1.jpg?x=1"


def png(width: int, height: int) -> str:
    """A picture in bare base64."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header
    content = (
        b"\x89PNG\r\n\x1a\n"
        + chunk
        + struct.pack(">I", zlib.crc32(chunk[4:]))
        + b"\xfb\xff\xfe\xfb"
    )
    return base64.b64encode(content).decode()


GOOD, SMALL, LONG = png(640, 480), png(127, 300), png(1200, 300)
GIF = base64.b64encode(b"GIF89a" + bytes(10)).decode()
URI = f"data:image/png;base64,{GOOD}"


def sent(model: str, **metadata: Any) -> dict[str, Any]:
    request = VideoRequest(model=model, prompt="a paper boat", metadata=metadata)
    return VIDU.translate(request).body


FORMS = {
    "bare": GOOD,
    "with line breaks": f"{GOOD[:20]}\n{GOOD[20:]}",
    "without padding": GOOD.rstrip("="),
    "in the other alphabet": GOOD.translate(str.maketrans("+/", "-_")),
    "with a wrong type": f"data:image/jpeg;base64,{GOOD}",
    "with a type in capitals": f"DATA:IMAGE/PNG;Base64,{GOOD}",
    "with a parameter": f"data:image/png;name=a;base64,{GOOD}",
    "as it must be": URI,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model", ["viduq3-pro", "viduq9"])
def test_an_inline_picture_becomes_a_data_uri(model: str, form: str) -> None:
    assert sent(model, images=[FORMS[form]])["images"] == [URI]


def test_every_field_that_holds_pictures() -> None:
    frames = sent(
        "viduq2-pro",
        start_image=GOOD,
        image_settings=[{"key_image": GOOD, "duration": 2}, {"key_image": URL}, {"prompt": "x"}],
    )
    subjects = sent("viduq3", subjects=[{"name": "a", "images": [URL, GOOD]}, {"name": "b"}])
    effect = sent("vidu-template", template="hug", images=[GOOD, URL])
    face = sent("vidu-lip-sync", video_url=VIDEO, audio_url=VIDEO, ref_photo_url=GOOD)
    longer = sent("viduq2-pro", video_url=VIDEO, images=[GOOD])

    assert frames["start_image"] == URI
    assert frames["image_settings"] == [
        {"key_image": URI, "duration": 2},
        {"key_image": URL},
        {"prompt": "x"},
    ]
    assert subjects["subjects"] == [{"name": "a", "images": [URL, URI]}, {"name": "b"}]
    assert effect["images"] == [URI, URL]
    assert face["ref_photo_url"] == URI
    assert longer["images"] == [URI]


REFUSED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "small reference": ("viduq3", {"images": [URL, SMALL]}, "images", "127x300"),
    "small reference as a URI": (
        "viduq3",
        {"images": [f"data:image/png;base64,{SMALL}"]},
        "images",
        "127x300",
    ),
    "small subject": (
        "viduq3",
        {"subjects": [{"name": "a", "images": [SMALL]}]},
        "subjects.images",
        "127x300",
    ),
    "small picture of an effect": (
        "vidu-template",
        {"template": "hug", "images": [SMALL]},
        "images",
        "127x300",
    ),
    "long frame": ("viduq3-pro", {"images": [LONG]}, "images", "times the other"),
    "long frame of an unknown model": ("viduq9", {"images": [LONG]}, "images", "times the other"),
    "long start": (
        "viduq2-pro",
        {"start_image": LONG, "image_settings": [{"key_image": URL}] * 2},
        "start_image",
        "times the other",
    ),
    "long key frame": (
        "viduq2-pro",
        {"start_image": URL, "image_settings": [{"key_image": URL}, {"key_image": LONG}]},
        "image_settings.key_image",
        "times the other",
    ),
    "kind": ("viduq3-pro", {"images": [GIF]}, "images", "image/webp"),
    "no picture": ("viduq3-pro", {"images": ["abcd"]}, "images", "image/png"),
    "no base64": ("viduq3-pro", {"images": ["%%%"]}, "images", "data: URIs in base64"),
    "another scheme": ("viduq3-pro", {"images": ["ftp://a.test/1.png"]}, "images", "https"),
    "a URI of text": ("viduq3-pro", {"images": ["data:image/png,abcd"]}, "images", "base64"),
    "frames of two sizes": (
        "viduq3-pro",
        {"images": [png(400, 400), png(800, 800)]},
        "images",
        "400x400",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_picture_that_is_not_taken_is_refused_by_its_field(name: str) -> None:
    model, metadata, param, told = REFUSED[name]

    with pytest.raises(UnsupportedParameterError) as caught:
        sent(model, **metadata)

    assert caught.value.param == param
    assert told in caught.value.message
