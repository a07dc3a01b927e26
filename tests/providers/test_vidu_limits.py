"""The Vidu adapter: what is refused before any call, and names that the vendor retired."""

from dataclasses import replace
from typing import cast

import pytest
from tests.support.adapters import png
from tests.support.vidu import PICTURES, SPEECH, UNMAPPED, URLS, VIDEO, VIDU, ask

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import ModelCapabilities
from vidgate.providers.vidu.models import MODELS

REFUSED: dict[str, tuple[VideoRequest, str, str]] = {
    "unknown action": (ask("viduq2", metadata={"action": "dance"}), "action", "key_frames"),
    "action that is no word": (ask("viduq2", metadata={"action": 5}), "action", "upscale"),
    "action of another endpoint": (
        ask("vidu-upscale", metadata={"action": "lip_sync", "video_url": VIDEO}),
        "action",
        "upscale, upscale-new",
    ),
    "a story by the model of templates": (
        ask("vidu-template", metadata={"action": "template-story", "story": "pigsy"}),
        "action",
        "effect, template",
    ),
    "extend by a model that cannot": (
        ask("viduq3-pro", metadata={"video_url": VIDEO}),
        "model",
        "viduq2-pro, viduq2-turbo",
    ),
    "key frames by a model that cannot": (
        ask("viduq3", images=PICTURES[:1], metadata={"image_settings": [{}]}),
        "model",
        "viduq2-pro, viduq2-turbo",
    ),
    "subjects by a model that cannot": (
        ask("viduq3-pro", metadata={"subjects": [{"name": "mia"}]}),
        "model",
        "viduq4-preview",
    ),
    "pictures beside subjects": (
        ask("viduq3", images=PICTURES[:1], metadata={"subjects": [{"name": "mia"}]}),
        "images",
        "0",
    ),
    "five pictures beside videos": (
        ask("viduq2-pro", images=PICTURES[:5], metadata={"videos": [VIDEO]}),
        "images",
        "0, 1, 2, 3, 4",
    ),
    "sounds alone": (ask("viduq4-preview", metadata={"sounds": [SPEECH]}), "images", "1"),
    "one key frame": (
        ask("viduq2-pro", images=PICTURES[:2], metadata={"action": "multiframe"}),
        "images",
        "3, 4, 5, 6, 7, 8, 9, 10",
    ),
    "pictures beside settings": (
        ask("viduq2-pro", images=PICTURES[:3], metadata={"image_settings": [{}, {}]}),
        "images",
        "1",
    ),
    "start without key frames": (
        ask("viduq2-pro", metadata={"start_image": URLS[0]}),
        "images",
        "2, 3",
    ),
    "settings without a start": (
        ask("viduq2-pro", metadata={"image_settings": [{}], "start_image": ""}),
        "start_image",
        "multiframe needs start_image",
    ),
    "key frames too quick": (
        ask(
            "viduq2-pro",
            images=PICTURES[:3],
            duration_seconds=3,
            metadata={"action": "multiframe"},
        ),
        "duration",
        "4, 5",
    ),
    "key frames too slow": (
        ask(
            "viduq2-pro",
            images=PICTURES[:3],
            duration_seconds=15,
            metadata={"action": "multiframe"},
        ),
        "duration",
        "13, 14",
    ),
    "priced field inside settings": (
        ask(
            "viduq2-pro",
            images=PICTURES[:1],
            metadata={"image_settings": [{"key_image": URLS[1], "Duration": 7}]},
        ),
        "Duration",
        "duration",
    ),
    "extend too long": (
        ask("viduq2-pro", duration_seconds=8, metadata={"video_url": VIDEO}),
        "duration",
        "1, 2, 3, 4, 5, 6, 7",
    ),
    "extend towards two frames": (
        ask("viduq2-pro", images=PICTURES[:2], metadata={"video_url": VIDEO}),
        "images",
        "0, 1",
    ),
    "extend nothing": (
        ask("viduq2-pro", metadata={"action": "extend"}),
        "video_creation_id",
        "video_creation_id or video_url",
    ),
    "long prompt to extend": (
        ask("viduq2-pro", prompt="x" * 2001, metadata={"video_url": VIDEO}),
        "prompt",
        "2000",
    ),
    "upscale nothing": (ask("vidu-upscale"), "video_creation_id", "video_url"),
    "upscale a picture": (
        ask("vidu-upscale", images=PICTURES[:1], metadata={"video_url": VIDEO}),
        "images",
        "Allowed: 0",
    ),
    "upscale to too little": (
        ask("vidu-upscale", width=640, height=360, metadata={"video_url": VIDEO}),
        "size",
        "1080p, 2K, 4K, 8K",
    ),
    "lip-sync without a video": (ask("vidu-lip-sync"), "video_url", "lip-sync needs video_url"),
    "lip-sync without words": (
        ask("vidu-lip-sync", prompt="", metadata={"video_url": VIDEO}),
        "audio_url",
        "audio_url or text",
    ),
    "lip-sync of too few words": (
        ask("vidu-lip-sync", prompt="Hi", metadata={"video_url": VIDEO}),
        "prompt",
        "4",
    ),
    "lip-sync of too many words": (
        ask("vidu-lip-sync", prompt="x" * 2001, metadata={"video_url": VIDEO}),
        "prompt",
        "2000",
    ),
    "template without a name": (
        ask("vidu-template", images=PICTURES[:1]),
        "template",
        "needs template",
    ),
    "template without a picture": (
        ask("vidu-template", metadata={"template": "hugging"}),
        "images",
        "1",
    ),
    "template in another shape": (
        ask(
            "vidu-template",
            images=PICTURES[:1],
            aspect_ratio="21:9",
            metadata={"template": "hugging"},
        ),
        "size",
        "16:9, 9:16, 1:1, 4:3, 3:4",
    ),
    "story without a name": (
        ask("vidu-template-story", images=PICTURES[:1]),
        "story",
        "needs story",
    ),
    "story of too few pictures": (
        ask("viduq1", images=PICTURES[:2], metadata={"story": "one_shot"}),
        "images",
        "3, 4",
    ),
    "named endpoint that the model does not have": (
        ask("viduq2-pro", metadata={"action": "text2video"}),
        "model",
        "viduq3-pro, viduq3-turbo, viduq2, viduq1",
    ),
    "number that another action takes": (
        ask("viduq3-turbo", images=PICTURES[:1], metadata={"action": "firstTailGenerate"}),
        "images",
        "Allowed: 2.",
    ),
    "negative seed": (ask("viduq2", seed=-1), "seed", "0 to 2147483647"),
    "seed of too many bits": (ask("viduq2", seed=2**31), "seed", "0 to 2147483647"),
    "picture too long": (ask("viduq2-pro", images=(png(400, 100),)), "image", "at most 4 times"),
    "reference too small": (ask("viduq3", images=(png(127, 128),)), "image", "at least 128"),
    "template's picture too small": (
        ask("vidu-template", images=(png(64, 64),), metadata={"template": "hugging"}),
        "image",
        "at least 128",
    ),
    "frames of different sizes": (
        ask("viduq2-pro", images=(png(1000, 1000), png(500, 500))),
        "image",
        "1000x1000 pixels",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_any_call(name: str) -> None:
    request, param, told = REFUSED[name]
    with pytest.raises(UnsupportedParameterError) as caught:
        VIDU.translate(request)
    assert caught.value.param == param
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("request_", "param", "told"),
    [
        (ask("vidu1.0", metadata={"video_url": VIDEO}), "model", "vidu-upscale"),
        (ask("viduq2", metadata={"action": "template2video"}), "action", "template"),
    ],
)
def test_retired_names_are_not_mapped_where_the_setting_says_so(
    request_: VideoRequest, param: str, told: str
) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        UNMAPPED.translate(request_)
    assert caught.value.param == param
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (ask("vidu1.5"), "model"),
        (ask("vidu1.5", images=PICTURES[:3], duration_seconds=8), "duration"),
        (ask("vidu1.5", images=PICTURES[:1], metadata={"resolution": "540p"}), "resolution"),
    ],
)
def test_a_model_is_retired_by_a_line_of_the_table(
    request_: VideoRequest, param: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    successor = replace(MODELS["vidu2.0"], name="vidu1.5", successor="vidu2.0")
    monkeypatch.setitem(cast("dict[str, ModelCapabilities]", MODELS), "vidu1.5", successor)
    with pytest.raises(UnsupportedParameterError, match="in place of the retired") as caught:
        VIDU.translate(request_)
    assert caught.value.param == param
    body = VIDU.translate(ask("vidu1.5", images=PICTURES[:1])).body
    assert body["model"] == "vidu2.0"


@pytest.mark.parametrize(
    "images",
    [
        (png(399, 100),),
        (png(100, 399),),
        (png(20, 20),),
        (png(1000, 1000), png(900, 900)),
        (png(1000, 1000), png(840, 840)),
        (png(1000, 1000), PICTURES[0]),
    ],
)
def test_pictures_at_their_limits(images: tuple[Image, ...]) -> None:
    body = VIDU.translate(ask("viduq2-pro", images=images)).body
    assert len(body["images"]) == len(images)


def test_frames_that_break_the_rule_in_one_reading_alone_are_passed_on() -> None:
    VIDU.translate(ask("viduq2-pro", images=(png(1000, 1000), png(850, 850))))


def test_the_reference_of_128_pixels_is_taken() -> None:
    VIDU.translate(ask("viduq3", images=(png(128, 128),)))


@pytest.mark.parametrize(
    ("model", "action"), [("viduq2-pro-fast", "reference2video"), ("viduq9", "extend")]
)
def test_what_a_model_perhaps_has_is_passed_on_where_the_client_names_it(
    model: str, action: str
) -> None:
    told = ask(model, metadata={"action": action, "images": URLS[:2], "video_url": VIDEO})
    translation = VIDU.translate(told)
    assert (translation.endpoint, translation.body["model"]) == (f"/ent/v2/{action}", model)
