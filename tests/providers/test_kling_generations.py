"""Words of one Kling generation, said to a model of the other: translated or refused by name."""

from typing import Any

import pytest
from tests.support.kling import CLIP, MOVED, kling
from tests.support.kling import in_vendor_fields as video

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest

A = "https://pictures.example/a.png"
B = "https://pictures.example/b.png"


def text(words: str = "a boat") -> dict[str, str]:
    return {"type": "prompt", "text": words}


@pytest.mark.parametrize(
    ("request_", "endpoint", "body"),
    [
        (
            video("kling-3.0", duration="10", mode="pro", aspect_ratio="9:16", sound="on"),
            "/text-to-video/kling-3.0",
            {
                "prompt": "a boat",
                "settings": {
                    "resolution": "1080p",
                    "audio": "native",
                    "duration": 10,
                    "aspect_ratio": "9:16",
                },
            },
        ),
        (
            video("kling-3.0", multi_shot=False, watermark_info={"enabled": True}, sound="off"),
            "/text-to-video/kling-3.0",
            {
                "prompt": "a boat",
                "settings": {"audio": "off", "multi_shot": False},
                "options": {"watermark_info": {"enabled": True}},
            },
        ),
        (
            video("kling-3.0", image_tail=B, _images=1),
            "/image-to-video/kling-3.0",
            {
                "contents": [
                    text(),
                    {"type": "first_frame", "url": A},
                    {"type": "last_frame", "url": B},
                ]
            },
        ),
        (
            video("kling-3.0-omni", image=B, prompt="<<<image_1>>> moves", _images=1),
            "/omni-video/kling-3.0-omni",
            {
                "contents": [
                    text("@image_1 moves"),
                    {"type": "first_frame", "url": B},
                    {"type": "refer_image", "url": A, "id": "image_1"},
                ]
            },
        ),
        (
            video("kling-3.0", multi_shot=True, duration="5"),
            "/text-to-video/kling-3.0",
            {"prompt": "a boat", "settings": {"duration": 5, "multi_shot": True}},
        ),
        (
            video("kling-3.0", **MOVED, image=A, mode="pro", keep_original_sound="no"),
            "/motion-control/kling-3.0",
            {
                "contents": [
                    text(),
                    {"type": "image", "url": A},
                    {"type": "video", "url": CLIP},
                ],
                "settings": {
                    "resolution": "1080p",
                    "audio": "off",
                    "character_orientation": "video",
                },
            },
        ),
        (
            video("kling-9.0", mode="pro", image=A),
            "/image-to-video/kling-9.0",
            {
                "contents": [text(), {"type": "first_frame", "url": A}],
                "settings": {"resolution": "1080p"},
            },
        ),
    ],
)
def test_words_of_one_generation_are_said_in_the_others(
    request_: VideoRequest, endpoint: str, body: dict[str, Any]
) -> None:
    translation = kling.translate(request_)

    assert translation.endpoint == endpoint
    assert translation.body == body


def test_facts_follow_the_translated_words() -> None:
    facts = kling.translate(video("kling-3.0", duration="10", mode="pro", sound="on")).facts

    assert (facts.duration_seconds, facts.resolution, facts.sound) == (10, "1080p", True)


@pytest.mark.parametrize(
    ("request_", "param", "allowed"),
    [
        (video("kling-3.0", negative_prompt="blur"), "negative_prompt", ()),
        (video("kling-3.0", camera_control={"type": "simple"}), "camera_control", ()),
        (video("kling-3.0", static_mask=A, _images=1), "static_mask", ()),
        (video("kling-3.0", dynamic_masks=[{"mask": A}], _images=1), "dynamic_masks", ()),
        (video("kling-3.0", mode="standard"), "mode", ("std", "pro", "4k")),
        (video("kling-2.6", mode="4k"), "mode", ("std", "pro")),
        (video("kling-3.0", sound="loud"), "sound", ("on", "off")),
        (video("kling-3.0", mode="pro", settings={"resolution": "720p"}), "mode", ()),
        (video("kling-3.0", duration="16"), "duration", tuple(range(3, 16))),
        (video("kling-3.0", aspect_ratio="7:3"), "aspect_ratio", ("16:9", "9:16", "1:1")),
        (video("kling-2.5-turbo", sound="on"), "sound", ("off",)),
        (video("kling-2.6", multi_shot=True), "multi_shot", ("false",)),
        (video("kling-3.0", contents=[text()], image=A), "image", ()),
        (video("kling-3.0", contents=[text()], prompt="x"), "prompt", ()),
        (video("kling-3.0", **MOVED, _images=1, duration="5"), "duration", ()),
        (video("kling-3.0", **MOVED, _images=1, mode="4k"), "mode", ("std", "pro")),
        (video("kling-3.0", **MOVED, _images=1, image_tail=B), "image_tail", ()),
        (video("kling-v3", contents=[text()]), "contents", ()),
        (video("kling-v3", settings={"resolution": "1080p"}), "settings", ()),
        (video("kling-v3", options={"watermark_info": {"enabled": True}}), "options", ()),
        (video("kling-v3", audio="native"), "audio", ()),
        (video("kling-v3", resolution="8k"), "resolution", ("720p", "1080p", "4k")),
        (video("kling-v3", resolution="720p", mode="pro"), "resolution", ()),
        (video("kling-effects", effect_scene="hug", resolution="720p"), "resolution", ()),
        (
            video("kling-3.0", action="/text-to-video", _prompt="", prompt="a boat", mode="pro"),
            "mode",
            (),
        ),
        (
            video(
                "kling-v3",
                action="/v1/videos/text2video",
                _prompt="",
                prompt="a",
                settings={"a": 1},
            ),
            "settings",
            (),
        ),
    ],
)
def test_words_without_a_counterpart_are_refused_as_written(
    request_: VideoRequest, param: str, allowed: tuple[Any, ...] | None
) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(request_)

    assert caught.value.param == param
    assert allowed is None or caught.value.allowed == allowed


@pytest.mark.parametrize("model", ["kling-3.0", "kling-3.0-omni", "kling-9.0"])
@pytest.mark.parametrize(
    ("word", "value", "instead"),
    [
        ("image_list", [{"image_url": A}], "put it in `contents`"),
        ("video_list", [{"video_url": CLIP}], "put it in `contents`"),
        ("element_list", [{"element_id": 1}], "put it in `contents`"),
        ("voice_list", [{"voice_id": 1}], "put it in `contents`"),
        ("multi_prompt", [{"prompt": "a boat", "duration": "5"}], "write the shots in the prompt"),
        ("shot_type", "customize", "leave it out: with `settings.multi_shot` the model chooses"),
    ],
)
def test_lists_and_shots_of_the_legacy_generation_are_refused_with_what_to_do(
    model: str, word: str, value: Any, instead: str
) -> None:
    with pytest.raises(UnsupportedParameterError, match=f"has no `{word}`: {instead}") as caught:
        kling.translate(video(model, multi_shot=True, **{word: value}))

    assert caught.value.param == word
    assert "contents" not in kling.translate(video("kling-3.0", **{word: []})).body


def test_what_was_written_for_a_path_goes_there_as_it_is() -> None:
    body = {"prompt": "a boat", "settings": {"resolution": "1080p"}, "unheard_of": 1}
    translation = kling.translate(
        VideoRequest(model="kling-3.0", metadata={"action": "/text-to-video", **body})
    )

    assert translation.body == body


def test_blank_words_that_would_do_nothing_are_not_sent() -> None:
    translation = kling.translate(video("kling-3.0", cfg_scale="", seed=" ", negative_prompt=""))

    assert translation.body == {"prompt": "a boat"}
    assert translation.ignored == ()
