"""Kling's documented fields where the product has none of them: never dropped in silence."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.kling import CLIP, MOVED, A, kling
from tests.support.kling import in_vendor_fields as video

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest

SPOKEN = {"video_url": CLIP, "audio_id": "81", "sound_end_time": 3000}
FACE = [{"face_id": "0", "audio_id": "81", "sound_end_time": 3000}]


@pytest.mark.parametrize(
    ("request_", "param", "has_it"),
    [
        # Each of these was sent and paid as a video without what the field asks for.
        (video("kling-v3", image_url=A.url), "image_url", "motion control"),
        (video("kling-3.0", image_url=A.url), "image_url", "motion control"),
        (video("kling-v3-omni", image_url=A.url), "image_url", "motion control"),
        (video("kling-v3", keep_original_sound="yes"), "keep_original_sound", "motion control"),
        (video("kling-v3", character_orientation="video"), "character_orientation", "motion"),
        (video("kling-v3", face_choose=FACE), "face_choose", "the lip-sync"),
        (video("kling-3.0", sound_end_time=3000), "sound_end_time", "the lip-sync"),
        (video("kling-v3", input={"image": A.url}), "input", "the effects"),
        (video("kling-o1", edit_mode="swap"), "edit_mode", "multi-elements"),
        (video("kling-v3-omni", negative_prompt="blur"), "negative_prompt", "text2video"),
        (video("kling-v3-omni", voice_list=[{"voice_id": "1"}]), "voice_list", "text2video"),
        (video("kling-v3", **MOVED, duration="10", _images=1), "duration", "omni-video"),
        (video("kling-v3", **MOVED, sound="on", _images=1), "sound", "text2video"),
        (video("kling-v3", **MOVED, image_tail=A.url, _images=1), "image_tail", "text2video"),
        (video("kling-lip-sync", **SPOKEN, mode="pro"), "mode", "the avatar"),
        (video("kling-lip-sync", **SPOKEN, image=A.url), "image", "the avatar"),
        (video("kling-avatar", audio_id="1", duration="5", _images=1), "duration", "text2video"),
        (video("kling-avatar", audio_id="1", sound_volume=2, _images=1), "sound_volume", "lip"),
    ],
)
def test_a_field_of_another_product_is_refused(
    request_: VideoRequest, param: str, has_it: str
) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(request_)

    assert caught.value.param == param
    assert has_it in caught.value.message


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (video("kling-3.0", settings={"character_orientation": "video"}), "character_orientation"),
        (video("kling-3.0", **MOVED, settings={"duration": 5}, _images=1), "duration"),
        (video("kling-3.0", **MOVED, settings={"aspect_ratio": "1:1"}, _images=1), "aspect_ratio"),
        (video("kling-3.0", **MOVED, settings={"multi_shot": True}, _images=1), "multi_shot"),
    ],
)
def test_a_setting_of_another_product_is_refused(request_: VideoRequest, param: str) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(request_)

    assert str(caught.value.param).removeprefix("settings.") == param


@pytest.mark.parametrize("name", ["camera_control", "static_mask", "dynamic_masks"])
@pytest.mark.parametrize("others", [{}, MOVED], ids=["omni", "motion"])
def test_fields_of_retired_models_are_refused_everywhere(name: str, others: Any) -> None:
    model = "kling-v3" if others else "kling-v3-omni"

    with pytest.raises(UnsupportedParameterError, match="retired") as caught:
        kling.translate(video(model, **others, **{name: {"type": "simple"}}, _images=1))

    assert caught.value.param == name


@pytest.mark.parametrize(
    "request_",
    [
        video("kling-v3", keep_original_sound="no", image_url="", face_choose=[], input={}),
        video("kling-v3-omni", cfg_scale=0.5, negative_prompt="", voice_list=[]),
        video("kling-v3", **MOVED, sound="off", multi_shot=False, _images=1),
        video("kling-v3-omni", camera_control={"type": "", "config": {}}),
        video("kling-avatar", audio_id="1", shot_type="customize", _images=1),
        video("kling-v9", image_url=A.url, face_choose=FACE),
        video("kling-effects", effect_scene="hug", duration="5", mode="std", _images=1),
        video("kling-v3", written_down_nowhere="x"),
    ],
)
def test_what_asks_for_nothing_and_what_the_vendor_judges_passes(request_: VideoRequest) -> None:
    body = kling.translate(request_).body

    assert body.items() >= request_.metadata.items()


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (video("kling-v3", aspect_ratio="9:16", _images=1), True),
        (video("kling-3.0", aspect_ratio="9:16", _images=1), True),
        (video("kling-2.6", settings={"aspect_ratio": "9:16"}, _images=2), True),
        (video("kling-v3", aspect_ratio="", _images=1), False),
        (video("kling-v3", aspect_ratio="9:16"), False),
        (video("kling-3.0", aspect_ratio="9:16"), False),
        (video("kling-v3-omni", aspect_ratio="9:16", _images=1), False),
        (video("kling-v9", aspect_ratio="9:16", _images=1), False),
    ],
)
def test_a_shape_beside_a_first_frame_is_named_as_ignored(
    request_: VideoRequest,
    named: bool,  # noqa: FBT001 - a case
) -> None:
    assert kling.translate(request_).ignored == (("aspect_ratio",) if named else ())


@pytest.mark.parametrize(
    ("model", "scale", "named"),
    [
        ("kling-v2-6", 0.7, True),
        ("kling-v1", 0, True),
        ("kling-v2-5-turbo", 0.5, False),
        ("kling-v3", 0.7, False),
    ],
)
def test_a_scale_that_the_model_does_not_know_is_named_as_ignored(
    model: str,
    scale: float,
    named: bool,  # noqa: FBT001 - a case
) -> None:
    translation = kling.translate(video(model, cfg_scale=scale))

    assert translation.ignored == (("cfg_scale",) if named else ())
    assert translation.body["cfg_scale"] == scale


def test_a_body_in_the_vendors_own_words_is_told_of_it_too() -> None:
    body = {"image": A.url, "aspect_ratio": "9:16"}
    written = {"action": "/v1/videos/image2video", **body}

    translation = kling.translate(VideoRequest(model="kling-v3", metadata=written))

    assert translation.ignored == ("aspect_ratio",)
    assert translation.body == {"model_name": "kling-v3", **body}


def test_only_what_is_the_clients_own_is_kept_out_of_options() -> None:
    options = {"callback_url": "https://x.test", "external_task_id": "theirs", "model": "m"}

    body = kling.translate(video("kling-3.0", options=options)).body

    assert body["options"] == {"model": "m"}
    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(video("kling-v3", options=options))
    assert caught.value.param == "options"


@pytest.mark.parametrize(
    "request_",
    [
        video("kling-v3", **MOVED, _images=1),
        video("kling-avatar", audio_id="1", _images=1),
        video("kling-lip-sync", **SPOKEN, mode="std"),
        video("kling-video-o1", _images=1),
    ],
    ids=lambda request_: request_.model,
)
def test_what_every_form_has_is_named_where_it_does_nothing(request_: VideoRequest) -> None:
    sent = {"aspect_ratio": "16:9", "cfg_scale": 0.7}
    request_ = replace(request_, metadata={**request_.metadata, **sent})

    translation = kling.translate(request_)

    takes_shape = request_.model == "kling-video-o1"
    named = [name for name in translation.ignored if name in sent]
    assert named == ["aspect_ratio", "cfg_scale"][takes_shape:]
    assert translation.body.items() >= sent.items()
    plain = replace(request_, metadata={**request_.metadata, "cfg_scale": 0.5})
    assert "cfg_scale" not in kling.translate(plain).ignored


@pytest.mark.parametrize("model", ["kling-v3", "kling-v2-6", "kling-v3-omni"])
def test_shots_that_a_client_turns_off_are_named_as_ignored(model: str) -> None:
    shots = {"shot_type": "customize", "multi_prompt": [{"index": 1, "duration": "5"}]}

    translation = kling.translate(video(model, multi_shot=False, **shots))

    assert translation.ignored == ("multi_prompt",)
    with pytest.raises(UnsupportedParameterError, match="multi_shot"):
        kling.translate(video(model, **shots))


@pytest.mark.parametrize("model", ["kling-v1", "kling-v3-omni", "kling-3.0"])
@pytest.mark.parametrize(
    "asked", [{"camera_control": {"type": None}}, {"camera_control": {"type": "", "config": {}}}]
)
def test_a_camera_that_is_told_nothing_asks_for_nothing(model: str, asked: Any) -> None:
    assert kling.translate(video(model, **asked)).ignored == ()


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"cfg_scale": 0.5}, ()),
        ({"cfg_scale": 0.7}, ("cfg_scale",)),
        ({"seed": 20231234}, ("seed",)),
        ({"seed": None, "cfg_scale": None}, ()),
    ],
)
@pytest.mark.parametrize("model", ["kling-3.0", "kling-o1", "kling-2.5-turbo"])
def test_a_scale_and_a_seed_do_nothing_in_the_new_generation(
    model: str, sent: Any, named: tuple[str, ...]
) -> None:
    request = video(model, **sent)

    translation = kling.translate(request)

    assert translation.ignored == named
    assert translation.endpoint.endswith(model)
    assert kling.translate(replace(request, seed=7)).ignored.count("seed") == 1


@pytest.mark.parametrize("kind", ["customize", "intelligence"])
def test_a_kind_of_shots_that_are_turned_off_asks_for_nothing(kind: str) -> None:
    request = video("kling-3.0", multi_shot=False, shot_type=kind, multi_prompt=[])

    assert kling.translate(request).body["settings"]["multi_shot"] is False
    with pytest.raises(UnsupportedParameterError):
        kling.translate(video("kling-3.0", shot_type=kind))


@pytest.mark.parametrize(
    "camera",
    [
        {"type": "simple", "config": {"horizontal": 0, "vertical": 0.0, "pan": 0, "zoom": 0}},
        {"type": "", "config": {"tilt": None, "roll": 0}},
        {"config": {"tilt": "", "roll": 0}},
        {"type": "simple", "config": {"tilt": "", "roll": None}},
        {"type": "simple", "config": {"tilt": "0", "roll": "0.0"}},
    ],
)
@pytest.mark.parametrize("model", ["kling-v1", "kling-v2-6", "kling-v3"])
def test_a_camera_that_stands_still_is_named_as_ignored(model: str, camera: dict[str, Any]) -> None:
    request = VideoRequest(model=model, prompt="a boat", metadata={"camera_control": camera})

    translation = kling.translate(request)

    assert "camera_control" in translation.ignored
    assert "camera_control" not in str(translation.body)


@pytest.mark.parametrize(
    "camera",
    [
        {"type": "down_back"},
        {"type": "down_back", "config": {"zoom": 0}},
        {"type": "simple", "config": {"horizontal": 0, "zoom": 1}},
        {"type": "simple", "config": {"horizontal": "", "zoom": "1"}},
        {"type": "simple", "config": {"horizontal": "left"}},
    ],
)
def test_a_camera_that_moves_is_refused_by_name(camera: dict[str, Any]) -> None:
    request = VideoRequest(model="kling-v2-6", prompt="a boat", metadata={"camera_control": camera})

    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(request)

    assert caught.value.param == "camera_control"
