"""What does not go together at Kling, and inline pictures in its own fields."""

import base64
from typing import Any

import pytest
from tests.support.kling import BASE, CLIP, FEATURE, MOVED, A, kling, png
from tests.support.kling import in_vendor_fields as video

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest

PICTURE = A.url
SPOKEN = {"video_url": CLIP, "sound_end_time": 3000}
SHOTS = {"multi_shot": True, "shot_type": "customize"}
WORDS = {"type": "prompt", "text": "a boat"}
FIRST = {"type": "first_frame", "url": PICTURE}
LAST = {"type": "last_frame", "url": PICTURE}
LOOK = {"type": "refer_image", "url": PICTURE}
COPIED = {"type": "feature_video", "url": CLIP}
EDITED = {"type": "base_video", "url": CLIP}
ELEMENT = {"type": "element", "element_id": "1", "id": "x"}
VOICE = {"type": "voice", "voice_id": "1", "id": "x"}


GOOD = base64.b64encode(png(600, 600)).decode()
SMALL = base64.b64encode(png(100, 600)).decode()


def entries(model: str, *contents: dict[str, Any], **settings: Any) -> VideoRequest:
    return video(model, contents=[WORDS, *contents], settings=settings)


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (entries("kling-3.0", FIRST, LOOK), "contents"),
        (entries("kling-3.0", FIRST, {"type": "unheard_of"}), "contents"),
        (entries("kling-3.0", LAST), "contents"),
        (video("kling-3.0", image_tail=PICTURE), "image_tail"),
        (entries("kling-3.0-turbo", FIRST, LAST), "contents"),
        (video("kling-3.0-turbo", image_tail=PICTURE, _images=1), "image_tail"),
        (entries("kling-3.0", FIRST, *[ELEMENT] * 4), "contents"),
        (entries("kling-3.0", ELEMENT), "contents"),
        (entries("kling-2.6", FIRST, ELEMENT), "contents"),
        (entries("kling-2.6", FIRST, VOICE), "contents"),
        (video("kling-3.0", **MOVED, _images=1, element_list=[{"element_id": 1}]), "element_list"),
        (entries("kling-2.6", FIRST, VOICE, audio="off"), "contents"),
        (entries("kling-2.6", FIRST, *[VOICE] * 3, audio="native"), "contents"),
        (entries("kling-3.0-omni", *[LOOK] * 5, *[ELEMENT] * 3), "contents"),
        (entries("kling-3.0-omni", *[LOOK] * 5, COPIED), "contents"),
        (entries("kling-3.0-omni", COPIED, EDITED), "contents"),
        (entries("kling-3.0-omni", COPIED, COPIED), "contents"),
        (entries("kling-3.0-omni", COPIED, audio="original"), "settings.audio"),
        (entries("kling-3.0-omni", COPIED, multi_shot=False), "settings.multi_shot"),
        (entries("kling-3.0-omni", EDITED, FIRST), "contents"),
        (entries("kling-3.0-omni", EDITED, multi_shot=True), "settings.multi_shot"),
        (entries("kling-3.0-omni", FIRST, *[ELEMENT] * 4), "contents"),
        (entries("kling-o1", FIRST, LAST, ELEMENT), "contents"),
        (entries("kling-o1", FIRST, LAST, LOOK), "contents"),
        (entries("kling-o1", FIRST, LAST, COPIED), "contents"),
        (entries("kling-o1", EDITED, FIRST), "contents"),
        (video("kling-v3", camera_control={"type": "simple"}), "camera_control"),
        (video("kling-v3", image_tail=PICTURE), "image_tail"),
        (video("kling-v3", image_list=[{"image_url": PICTURE}]), "image_list"),
        (video("kling-v3", video_list=BASE), "video_list"),
        (video("kling-v3-omni", image=PICTURE), "image"),
        (
            video("kling-v3-omni", image_list=[{"image_url": PICTURE, "type": "end_frame"}]),
            "image_list",
        ),
        (
            video(
                "kling-v3-omni",
                video_list=BASE,
                image_list=[{"image_url": PICTURE, "type": "first_frame"}],
            ),
            "video_list",
        ),
        (video("kling-v3-omni", video_list=FEATURE), "multi_shot"),
        (video("kling-v2-6", **MOVED, _images=1, element_list=[{"element_id": 1}]), "element_list"),
        (video("kling-v2-6", element_list=[{"element_id": 1}], _images=1), "element_list"),
        (
            video(
                "kling-v3",
                _images=1,
                sound="on",
                element_list=[{"element_id": 1}],
                voice_list=[{"voice_id": 1}],
            ),
            "voice_list",
        ),
        (video("kling-v3", voice_list=[{"voice_id": 1}]), "voice_list"),
        (video("kling-v3", multi_shot=True), "shot_type"),
        (video("kling-v3", **SHOTS), "multi_prompt"),
        (video("kling-v3", **SHOTS, multi_prompt=[{"duration": "3"}]), "multi_prompt"),
        (video("kling-v3", **SHOTS, multi_prompt=[{"duration": "0"}]), "multi_prompt"),
        (video("kling-v3", multi_prompt=[{"duration": "5"}]), "multi_prompt"),
        (video("kling-v2-6", multi_prompt=[{"duration": "5"}]), "multi_prompt"),
        (
            video(
                "kling-v3-omni",
                multi_shot=True,
                shot_type="intelligence",
                multi_prompt=[{"duration": "5"}],
            ),
            "multi_prompt",
        ),
        (video("kling-avatar", audio_id="1", sound_file="x", _images=1), "sound_file"),
        (video("kling-lip-sync", **SPOKEN, audio_id="1", sound_file="x"), "sound_file"),
        (video("kling-lip-sync", **SPOKEN, audio_id="1", sound_start_time=1500), "sound_end_time"),
        (video("kling-lip-sync", **SPOKEN, audio_id="1", video_id="9"), "video_url"),
        (video("kling-avatar", sound_file="A" * 7_000_000, _images=1), "sound_file"),
        (video("kling-v3", watermark_info={"enabled": "yes"}), "watermark_info"),
        (video("kling-3.0", watermark_info={"enabled": 1}), "watermark_info"),
        (video("kling-3.0", options={"watermark_info": True}), "options.watermark_info"),
        (video("kling-v3", image=SMALL), "image"),
        (video("kling-v3", image=PICTURE, image_tail=SMALL), "image_tail"),
        (video("kling-v3", **MOVED, image_url=SMALL), "image_url"),
        (video("kling-v3-omni", image_list=[{"image_url": SMALL}]), "image_list"),
        (entries("kling-3.0", {"type": "first_frame", "url": SMALL}), "contents"),
        (video("kling-v3", image="data:image/png;base64,???"), "image"),
        (video("kling-v3", image="R0lGODlhWAJYAgAAAAAA"), "image"),
        (video("kling-effects", effect_scene="x", input={"images": [SMALL, PICTURE]}), "input"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(request_: VideoRequest, param: str) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(request_)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (video("kling-v3", voice_list=[{"voice_id": 1}], **{"sound=on": True}), "voice_list"),
        (video("kling-v3", element_list=[{}], **{"@first_frame": A.url}), "element_list"),
        (video("kling-v3", **SHOTS, multi_prompt="shots", **{"@shots": [1]}), "multi_prompt"),
        (entries("kling-3.0-omni", COPIED, audio="native", **{"audio=off": 1}), "settings.audio"),
    ],
)
def test_no_field_passes_for_what_a_rule_looks_for(request_: VideoRequest, param: str) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(request_)

    assert caught.value.param == param


@pytest.mark.parametrize(
    "request_",
    [
        entries("kling-3.0", FIRST, LAST, *[ELEMENT] * 3),
        entries("kling-2.6", FIRST, VOICE, VOICE, audio="native", resolution="1080p"),
        entries("kling-3.0-omni", *[LOOK] * 4, COPIED, audio="off", multi_shot=True),
        entries("kling-3.0-omni", EDITED, audio="original"),
        entries("kling-o1", FIRST, COPIED),
        video("kling-v3-omni", video_list=FEATURE, multi_shot=True, shot_type="intelligence"),
        video("kling-video-o1", sound="on"),
        video("kling-v3", voice_list=[{"voice_id": 1}], sound="on"),
        video("kling-v3", **SHOTS, multi_prompt=[{"duration": "3"}, {"duration": "2"}]),
    ],
)
def test_what_goes_together_is_sent(request_: VideoRequest) -> None:
    body = kling.translate(request_).body

    for name, value in request_.metadata.items():
        assert body[name] == value


def test_inline_pictures_go_out_bare_and_urls_as_they_are() -> None:
    inline = f"data:image/png;base64,{GOOD}"
    frames = kling.translate(video("kling-v3", image=inline, image_tail=PICTURE)).body
    omni = kling.translate(video("kling-v3-omni", image_list=[{"image_url": inline}])).body
    new = kling.translate(entries("kling-3.0", {"type": "first_frame", "url": inline})).body
    effect = video("kling-effects", effect_scene="x", input={"images": [inline, PICTURE]})

    assert (frames["image"], frames["image_tail"]) == (GOOD, PICTURE)
    assert omni["image_list"] == [{"image_url": GOOD}]
    assert new["contents"][1] == {"type": "first_frame", "url": GOOD}
    assert kling.translate(effect).body["input"] == {"images": [GOOD, PICTURE]}


def test_a_lip_sync_may_last_parts_of_a_second() -> None:
    request = VideoRequest(
        model="kling-lip-sync",
        duration_seconds=7.5,
        metadata={"video_url": CLIP, "audio_id": "1"},
    )

    assert kling.translate(request).body["face_choose"][0]["sound_end_time"] == 7500


def test_refusals_say_what_to_use_instead() -> None:
    four = VideoRequest(model="kling-v1-6", prompt="x", images=(Image(url=PICTURE),) * 4)
    mute = VideoRequest(model="kling-v3-omni", images=(Image(url=PICTURE),))

    with pytest.raises(UnsupportedParameterError, match="kling-v3-omni"):
        kling.translate(four)
    with pytest.raises(UnsupportedParameterError, match="also beside pictures"):
        kling.translate(mute)
