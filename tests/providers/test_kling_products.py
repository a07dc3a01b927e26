"""Kling's products beside text and frames: what goes out, and what is refused by name."""

import json
from typing import Any

import pytest
from tests.support.adapters import NOW, answer
from tests.support.calls import read_answer
from tests.support.kling import (
    ACCESS_AND_SECRET,
    API_KEY,
    CORRELATION,
    HOST,
    IDS,
    IMAGE,
    MOTION,
    OMNI,
    A,
    B,
    access,
    find,
    kling,
    png,
    recorded,
    sent_to,
    submit,
)

from vidgate.exceptions import ProviderProtocolError, UnsupportedParameterError
from vidgate.models.outcomes import (
    FaultKind,
    Found,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    UpstreamRef,
)
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action, Call, SubmitIds, Translation

DANCE = "https://videos.example/dance.mp4"
SPEECH = "https://sounds.example/speech.mp3"
LIP_SYNC = "/v1/videos/advanced-lip-sync"
FACES = "/v1/videos/identify-face"
AVATAR = "/v1/videos/avatar/image2video"
EFFECTS = "/v1/videos/effects"
EDIT = "/v1/videos/multi-elements"


def video(model: str, prompt: str = "", **fields: Any) -> VideoRequest:
    return VideoRequest(model=model, prompt=prompt, **fields)


# Golden requests


GOLDEN: dict[str, tuple[VideoRequest, str, dict[str, Any]]] = {
    "motion by what is carried": (
        video(
            "kling-v2-6",
            "dance",
            images=(A,),
            metadata={"video_url": DANCE, "character_orientation": "video"},
        ),
        MOTION,
        {
            "model_name": "kling-v2-6",
            "prompt": "dance",
            "image_url": A.url,
            "video_url": DANCE,
            "character_orientation": "video",
            "mode": "std",
        },
    ),
    "motion in vendor fields alone, at 1080p": (
        video(
            "kling-v3",
            width=1080,
            height=1920,
            metadata={
                "image_url": "x",
                "video_url": DANCE,
                "character_orientation": "image",
                "keep_original_sound": "no",
                "element_list": [{"element_id": 7}],
            },
        ),
        MOTION,
        {
            "model_name": "kling-v3",
            "image_url": "x",
            "video_url": DANCE,
            "character_orientation": "image",
            "keep_original_sound": "no",
            "element_list": [{"element_id": 7}],
            "mode": "pro",
        },
    ),
    "motion by action, for a model to come": (
        video(
            "kling-v9",
            images=(A,),
            metadata={
                "action": "motion-control",
                "video_url": DANCE,
                "character_orientation": "image",
                "mode": "best",
            },
        ),
        MOTION,
        {
            "model_name": "kling-v9",
            "image_url": A.url,
            "video_url": DANCE,
            "character_orientation": "image",
            "mode": "best",
        },
    ),
    "new motion in the legacy words": (
        video(
            "kling-3.0",
            "dance on a rooftop",
            images=(A,),
            width=720,
            height=1280,
            metadata={
                "video_url": DANCE,
                "character_orientation": "video",
                "keep_original_sound": "yes",
            },
        ),
        "/motion-control/kling-3.0",
        {
            "contents": [
                {"type": "prompt", "text": "dance on a rooftop"},
                {"type": "image", "url": A.url},
                {"type": "video", "url": DANCE},
            ],
            "settings": {
                "character_orientation": "video",
                "audio": "original",
                "resolution": "720p",
            },
        },
    ),
    "new motion in its own words": (
        video(
            "kling-2.6",
            metadata={
                "contents": [{"type": "image", "url": "x"}, {"type": "video", "url": DANCE}],
                "settings": {"character_orientation": "image", "audio": "off"},
            },
        ),
        "/motion-control/kling-2.6",
        {
            "contents": [{"type": "image", "url": "x"}, {"type": "video", "url": DANCE}],
            "settings": {"character_orientation": "image", "audio": "off"},
        },
    ),
    "an avatar by what is carried": (
        video("kling-v1", "smile", images=(A,), metadata={"sound_file": SPEECH}),
        AVATAR,
        {"image": A.url, "sound_file": SPEECH, "prompt": "smile"},
    ),
    "an avatar by name, at 1080p": (
        video("kling-avatar", images=(A,), width=1920, height=1080, metadata={"audio_id": "8123"}),
        AVATAR,
        {"image": A.url, "audio_id": "8123", "mode": "pro"},
    ),
    "an avatar of an inline sound": (
        video("kling-avatar", images=(A,), metadata={"sound_file": "data:audio/mp3;base64,SUQz"}),
        AVATAR,
        {"image": A.url, "sound_file": "SUQz"},
    ),
    "a lip-sync with an inline sound": (
        video(
            "kling-lip-sync",
            metadata={
                "session_id": "s1",
                "face_choose": [
                    {"face_id": "0", "sound_file": "data:;base64,SUQz", "sound_end_time": 3000}
                ],
            },
        ),
        LIP_SYNC,
        {
            "session_id": "s1",
            "face_choose": [{"face_id": "0", "sound_file": "SUQz", "sound_end_time": 3000}],
        },
    ),
    "a lip-sync with a session of the client's": (
        video(
            "kling-v3",
            metadata={
                "session_id": "s1",
                "face_choose": [{"face_id": "0", "sound_file": SPEECH, "sound_end_time": 3000}],
            },
        ),
        LIP_SYNC,
        {
            "session_id": "s1",
            "face_choose": [{"face_id": "0", "sound_file": SPEECH, "sound_end_time": 3000}],
        },
    ),
    "a lip-sync with a session, in flat fields": (
        video(
            "kling-lip-sync",
            duration_seconds=4,
            metadata={
                "session_id": "s1",
                "face_id": "0",
                "audio_id": "8123",
                "sound_start_time": 500,
                "sound_volume": 1.5,
            },
        ),
        LIP_SYNC,
        {
            "session_id": "s1",
            "face_choose": [
                {
                    "face_id": "0",
                    "audio_id": "8123",
                    "sound_start_time": 500,
                    "sound_end_time": 4500,
                    "sound_insert_time": 0,
                    "sound_volume": 1.5,
                }
            ],
        },
    ),
    "an effect of one figure": (
        video("kling-v1-6", images=(A,), metadata={"effect_scene": "squish"}),
        EFFECTS,
        {"effect_scene": "squish", "input": {"image": A.url}},
    ),
    "an effect of two figures": (
        video("kling-effects", images=(A, B), metadata={"effect_scene": "hug_pro"}),
        EFFECTS,
        {"effect_scene": "hug_pro", "input": {"images": [A.url, B.url]}},
    ),
    "an effect with pictures of its own": (
        video(
            "kling-effects",
            images=(A,),
            metadata={"action": "effect", "effect_scene": "kiss_pro", "input": {"images": ["x"]}},
        ),
        EFFECTS,
        {"effect_scene": "kiss_pro", "input": {"images": ["x"]}},
    ),
    "an object swapped": (
        video(
            "kling-v1-6",
            "swap <<<video_1>>> for <<<image_1>>>",
            images=(A,),
            duration_seconds=5,
            width=1280,
            height=720,
            metadata={"session_id": "s1", "edit_mode": "swap", "negative_prompt": "blur"},
        ),
        EDIT,
        {
            "session_id": "s1",
            "edit_mode": "swap",
            "prompt": "swap <<<video_1>>> for <<<image_1>>>",
            "negative_prompt": "blur",
            "image_list": [{"image": A.url}],
            "mode": "std",
            "duration": "5",
        },
    ),
    "an object removed": (
        video(
            "kling-multi-elements",
            "remove it",
            metadata={"action": "edit", "session_id": "s1", "edit_mode": "removal"},
        ),
        EDIT,
        {"session_id": "s1", "edit_mode": "removal", "prompt": "remove it"},
    ),
    "sound, voices and elements": (
        video(
            "kling-v2-6",
            "say <<<voice_1>>> hello",
            images=(A,),
            metadata={"sound": "on", "voice_list": [{"voice_id": "v1"}]},
        ),
        IMAGE,
        {
            "model_name": "kling-v2-6",
            "prompt": "say <<<voice_1>>> hello",
            "image": A.url,
            "sound": "on",
            "voice_list": [{"voice_id": "v1"}],
            "mode": "pro",
        },
    ),
    "shots of one's own between two frames": (
        video(
            "kling-v3",
            images=(A, B),
            duration_seconds=5,
            metadata={
                "multi_shot": True,
                "shot_type": "customize",
                "multi_prompt": [
                    {"index": 1, "prompt": "a", "duration": "2"},
                    {"index": 2, "prompt": "b", "duration": "3"},
                ],
                "element_list": [{"element_id": 7}],
            },
        ),
        IMAGE,
        {
            "model_name": "kling-v3",
            "image": A.url,
            "image_tail": B.url,
            "duration": "5",
            "multi_shot": True,
            "shot_type": "customize",
            "multi_prompt": [
                {"index": 1, "prompt": "a", "duration": "2"},
                {"index": 2, "prompt": "b", "duration": "3"},
            ],
            "element_list": [{"element_id": 7}],
        },
    ),
    "omni with frames by action": (
        video("kling-v3-omni", "a boat", images=(A, B), metadata={"action": "first_last_frame"}),
        OMNI,
        {
            "model_name": "kling-v3-omni",
            "prompt": "a boat",
            "image_list": [
                {"image_url": A.url, "type": "first_frame"},
                {"image_url": B.url, "type": "end_frame"},
            ],
        },
    ),
    "omni with a picture and a video to follow": (
        video(
            "kling-video-o1",
            "like <<<video_1>>>",
            images=(A,),
            aspect_ratio="1:1",
            metadata={"video_list": [{"video_url": DANCE, "refer_type": "feature"}]},
        ),
        OMNI,
        {
            "model_name": "kling-video-o1",
            "prompt": "like <<<video_1>>>",
            "image_list": [{"image_url": A.url}],
            "video_list": [{"video_url": DANCE, "refer_type": "feature"}],
            "aspect_ratio": "1:1",
        },
    ),
    "new omni with a first frame by action": (
        video("kling-3.0-omni", "a boat", images=(A,), metadata={"action": "image-to-video"}),
        "/omni-video/kling-3.0-omni",
        {
            "contents": [
                {"type": "prompt", "text": "a boat"},
                {"type": "first_frame", "url": A.url},
            ]
        },
    ),
    "new omni that edits": (
        video(
            "kling-o1",
            "no birds",
            metadata={
                "contents": [
                    {"type": "prompt", "text": "no birds"},
                    {"type": "base_video", "url": DANCE, "id": "video_1"},
                ]
            },
        ),
        "/omni-video/kling-o1",
        {
            "contents": [
                {"type": "prompt", "text": "no birds"},
                {"type": "base_video", "url": DANCE, "id": "video_1"},
            ]
        },
    ),
    "new sound on 2.6 runs at 1080p": (
        video("kling-2.6", "a boat", metadata={"settings": {"audio": "native"}}),
        "/text-to-video/kling-2.6",
        {"prompt": "a boat", "settings": {"resolution": "1080p", "audio": "native"}},
    ),
    "a path model to come": (
        video("kling-4.0-turbo", "a boat", images=(A,), duration_seconds=20, aspect_ratio="16:9"),
        "/image-to-video/kling-4.0-turbo",
        {
            "contents": [
                {"type": "prompt", "text": "a boat"},
                {"type": "first_frame", "url": A.url},
            ],
            "settings": {"duration": 20},
        },
    ),
    "an omni model to come": (
        video("kling-v4-omni", "a boat", images=(A,) * 3),
        OMNI,
        {
            "model_name": "kling-v4-omni",
            "prompt": "a boat",
            "image_list": [{"image_url": A.url}] * 3,
            "aspect_ratio": "16:9",
        },
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_requests(name: str) -> None:
    request, path, body = GOLDEN[name]

    sent = submit(request)

    if path.startswith("/v1/"):
        expected = {**body, "external_task_id": CORRELATION}
    else:
        expected = {**body, "options": {"external_task_id": CORRELATION}}
    assert (sent.method, str(sent.url)) == ("POST", HOST + path)
    assert json.loads(sent.content) == expected
    assert sent.headers["Authorization"] == f"Bearer {API_KEY}"


@pytest.mark.parametrize(
    ("request_", "action", "model"),
    [
        (video("kling-v3", "a"), Action.TEXT, "kling-v3"),
        (video("kling-v3", images=(A,)), Action.FIRST_FRAME, "kling-v3"),
        (video("kling-v3-omni", "a", images=(A,)), Action.REFERENCES, "kling-v3-omni"),
        (GOLDEN["motion by what is carried"][0], Action.MOTION, "kling-v2-6"),
        (GOLDEN["new motion in its own words"][0], Action.MOTION, "kling-2.6"),
        (GOLDEN["an avatar by what is carried"][0], Action.AVATAR, "kling-avatar"),
        (GOLDEN["a lip-sync with a session of the client's"][0], Action.LIP_SYNC, "kling-lip-sync"),
        (GOLDEN["an effect of one figure"][0], Action.EFFECT, "kling-effects"),
        (GOLDEN["an object swapped"][0], Action.EDIT, "kling-multi-elements"),
        (GOLDEN["new omni that edits"][0], Action.EDIT, "kling-o1"),
    ],
)
def test_the_action_and_the_model_that_runs_are_told(
    request_: VideoRequest, action: Action, model: str
) -> None:
    translation = kling.translate(request_)

    assert translation.details["action"] == action
    assert translation.facts.model == model
    assert kling.effective_model(request_) == model
    assert translation.endpoint == kling.capabilities.models[model].actions[action].endpoint


@pytest.mark.parametrize(
    ("name", "duration", "resolution", "mode", "sound"),
    [
        ("motion by what is carried", None, "720p", "std", False),
        ("motion in vendor fields alone, at 1080p", None, "1080p", "pro", False),
        ("new motion in the legacy words", None, "720p", None, False),
        ("an avatar by name, at 1080p", None, "1080p", "pro", True),
        ("a lip-sync with a session, in flat fields", None, None, None, True),
        ("an effect of one figure", None, None, None, None),
        ("an object swapped", 5, "720p", "std", False),
        ("sound, voices and elements", 5, "1080p", "pro", True),
        ("new sound on 2.6 runs at 1080p", 5, "1080p", None, True),
    ],
)
def test_facts_follow_what_is_sent(
    name: str, duration: float | None, resolution: str | None, mode: str | None, sound: object
) -> None:
    facts = kling.translate(GOLDEN[name][0]).facts

    assert facts.duration_seconds == duration
    assert facts.resolution == resolution
    assert facts.mode == mode
    assert facts.sound is sound


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("10", 10), (0.01, 5), ("0", 5), ("5", 5), ("x", None), (None, None), ("", None)],
)
def test_no_length_of_an_effect_makes_it_cheaper(said: object, seconds: float | None) -> None:
    brought = {"image": A.url, "duration": said}
    request = video("kling-effects", metadata={"effect_scene": "hug", "input": brought})

    assert kling.translate(request).facts.duration_seconds == seconds


def test_what_a_product_has_no_use_for_is_named() -> None:
    motion = video(
        "kling-v3",
        "dance",
        images=(A,),
        duration_seconds=5,
        aspect_ratio="16:9",
        seed=3,
        metadata={"video_url": DANCE, "character_orientation": "video"},
    )
    effect = video(
        "kling-effects",
        "words",
        images=(A,),
        duration_seconds=5,
        width=1280,
        height=720,
        metadata={"effect_scene": "squish"},
    )
    edit = video("kling-v3-omni", "x", duration_seconds=5, metadata={"video_list": [{}]})
    shot = {"index": 1, "prompt": "a boat", "duration": "5"}
    shots = {"multi_shot": True, "shot_type": "customize", "multi_prompt": [shot]}

    assert kling.translate(motion).ignored == ("duration", "seed", "size")
    assert kling.translate(effect).ignored == ("duration", "prompt", "size")
    assert kling.translate(edit).ignored == ("duration",)
    assert "duration" not in kling.translate(edit).body
    told = kling.translate(video("kling-v3", "unused", metadata=shots))
    assert told.ignored == ("prompt",)
    assert "prompt" not in told.body


# Refused by name


@pytest.mark.parametrize(
    ("request_", "param", "words"),
    [
        (video("kling-v3", metadata={"video_url": DANCE}), "image", "picture"),
        (video("kling-v3", images=(A,), metadata={"action": "motion"}), "video_url", "movement"),
        (
            video("kling-v3", images=(A,), metadata={"video_url": DANCE}),
            "character_orientation",
            "image, video",
        ),
        (
            video("kling-3.0", images=(A,), metadata={"video_url": DANCE}),
            "character_orientation",
            "image, video",
        ),
        (video("kling-3.0", metadata={"action": "motion"}), "image", "picture"),
        (video("kling-2.6", images=(A,), metadata={"action": "motion"}), "video_url", "movement"),
        (
            video("kling-v2-5-turbo", images=(A,), metadata={"video_url": DANCE}),
            "model",
            "kling-v3, kling-v2-6",
        ),
        (video("kling-v3", images=(A, B), metadata={"video_url": DANCE}), "images", "0, 1"),
        (video("kling-v3-omni", "x", metadata={"video_url": DANCE}), "video_url", "video_list"),
        (video("kling-o1", "x", metadata={"video_url": DANCE}), "video_url", "contents"),
        (video("kling-avatar", images=(A,)), "sound_file", "audio_id"),
        (video("kling-avatar", metadata={"sound_file": SPEECH}), "image", "picture"),
        (video("kling-lip-sync"), "video_url", "video_id"),
        (video("kling-lip-sync", metadata={"video_id": "7"}), "sound_file", "audio_id"),
        (
            video("kling-v3", metadata={"video_url": DANCE, "sound_file": SPEECH}),
            "sound_end_time",
            "`duration`",
        ),
        (
            video("kling-v3", duration_seconds=1, metadata={"video_id": "7", "audio_id": "8"}),
            "duration",
            "2, 3",
        ),
        (
            video("kling-v3", duration_seconds=3, metadata={"session_id": "s", "audio_id": "8"}),
            "face_id",
            "named",
        ),
        (
            video("kling-v3", metadata={"session_id": "s", "face_choose": "x"}),
            "face_choose",
            "list",
        ),
        (video("kling-lip-sync", images=(A,), metadata={"video_id": "7"}), "images", "0"),
        (video("kling-effects", images=(A,)), "effect_scene", "Name"),
        (video("kling-v3", metadata={"effect_scene": "squish"}), "image", "one picture"),
        (video("kling-effects", images=(A,) * 3), "images", "0, 1, 2"),
        (video("kling-multi-elements", "x"), "session_id", "selection"),
        (
            video("kling-v3", "x", metadata={"session_id": "s"}),
            "edit_mode",
            "addition, swap, removal",
        ),
        (video("kling-v3", metadata={"session_id": "s", "edit_mode": "swap"}), "prompt", "prompt"),
        (
            video("kling-v3", "x", metadata={"session_id": "s", "edit_mode": "swap"}),
            "images",
            "Allowed: 1.",
        ),
        (
            video(
                "kling-v3", "x", images=(A,), metadata={"session_id": "s", "edit_mode": "removal"}
            ),
            "images",
            "Allowed: 0.",
        ),
        (video("kling-v3", metadata={"action": "video-extend"}), "action", "kling-v3-omni"),
        (video("kling-v3", metadata={"action": "extend"}), "action", "kling-v3-omni"),
        (video("kling-v1-6", metadata={"video_id": "7"}), "video_id", "kling-v3-omni"),
        (
            video("kling-v1-6", metadata={"action": "multi-image2video"}),
            "action",
            "kling-video-o1",
        ),
        (
            video("kling-v1-6", "x", metadata={"image_list": [{"image": "x"}]}),
            "image_list",
            "kling-v3-omni",
        ),
        (video("kling-v3", metadata={"action": "lip-sync"}), "action", "lip_sync"),
        (
            video("kling-v1-6", metadata={"input": {"video_url": DANCE, "mode": "text2video"}}),
            "input",
            "lip_sync",
        ),
        (video("kling-v3", metadata={"action": "upscale"}), "action", "motion-control"),
        (video("kling-v3", metadata={"action": 3}), "action", "Allowed"),
        (video("kling-v3", "x", metadata={"action": "image2video"}), "action", "text"),
        (video("kling-v3", "x", images=(A,), metadata={"action": "text"}), "action", "first_frame"),
        (
            video("kling-v3", "x", images=(A,), metadata={"action": "references"}),
            "action",
            "first_frame",
        ),
        (video("kling-v3", "x", metadata={"action": "omni-video"}), "action", "kling-v3-omni"),
        (
            video("kling-o1", images=(A,) * 3, metadata={"action": "first_last_frame"}),
            "images",
            "0, 1, 2",
        ),
        (
            video("kling-v1", images=(A,), metadata={"camera_control": {"type": "simple"}}),
            "camera_control",
            "kling-v2-5-turbo",
        ),
        (
            video("kling-v1-5", images=(A,), metadata={"static_mask": "x"}),
            "static_mask",
            "kling-v2-5-turbo",
        ),
        (
            video("kling-v1", images=(A,), metadata={"dynamic_masks": [{}]}),
            "dynamic_masks",
            "kling-v2-5-turbo",
        ),
        (
            video("kling-v1-6", "x", metadata={"image_tail": "x"}),
            "image_tail",
            "kling-v2-5-turbo",
        ),
        (video("kling-v2-6", images=(A, B), metadata={"sound": "on"}), "images", "no sound"),
        (
            video("kling-2.6", images=(A, B), metadata={"settings": {"audio": "native"}}),
            "images",
            "no sound",
        ),
        (
            video("kling-v3-omni", images=(A,) * 5, metadata={"video_list": [{}]}),
            "images",
            "at most 4",
        ),
        (
            video("kling-video-o1", images=(A,) * 6, metadata={"element_list": [{}, {}]}),
            "images",
            "at most 7",
        ),
        (
            video(
                "kling-v3",
                duration_seconds=5,
                metadata={
                    "multi_shot": True,
                    "shot_type": "customize",
                    "multi_prompt": [{"duration": "3"}, {"duration": "4"}],
                },
            ),
            "duration",
            "7 seconds",
        ),
        (
            video(
                "kling-v3", images=(A,), metadata={"multi_shot": True, "shot_type": "intelligence"}
            ),
            "prompt",
            "need",
        ),
        (
            video("kling-3.0", "shot 1, 3, a; shot 2, 2, b;", duration_seconds=6),
            "duration",
            "5 seconds",
        ),
        (video("kling-3.0", "shot 1, 1, a;" * 7), "prompt", "6 shots"),
        (video("kling-3.0", "shot 1, 0, a;"), "prompt", "one second"),
        (video("kling-3.0-omni", f"镜头 1, 5, {'x' * 513};"), "prompt", "512"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    request_: VideoRequest, param: str, words: str
) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(request_)
    assert caught.value.param == param
    assert words in caught.value.message


def test_shots_that_add_up_are_taken() -> None:
    prompt = "Shot 1, 3, a; shot 2, 2, b;"

    assert kling.translate(video("kling-3.0", prompt, duration_seconds=5)).body["prompt"] == prompt


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"GIF89a" + (400).to_bytes(2, "little") * 2, "image/jpeg, image/png"),
        (png(299, 400), "300"),
        (png(300, 751), "2.5"),
        (png(1000, 300), "2.5"),
    ],
    ids=["gif", "small", "tall", "wide"],
)
@pytest.mark.parametrize("model", ["kling-v3", "kling-3.0", "kling-v3-omni", "kling-effects"])
def test_pictures_that_kling_does_not_take(content: bytes, words: str, model: str) -> None:
    request = video(
        model, "x", images=(Image(content=content),), metadata={"effect_scene": "squish"}
    )

    with pytest.raises(UnsupportedParameterError) as caught:
        kling.translate(request)
    assert caught.value.param == "images"
    assert words in caught.value.message


def test_pictures_that_kling_takes() -> None:
    for size in ((300, 300), (300, 750), (750, 300)):
        request = video("kling-v3", images=(Image(content=png(*size)),))

        assert kling.translate(request).body["image"].startswith("iVBOR")


# The two steps of a lip-sync


TWO_STEPS = video(
    "kling-v3",
    duration_seconds=3,
    metadata={"video_url": DANCE, "sound_file": SPEECH, "watermark_info": {"enabled": True}},
)
FACE_ANSWER = {
    "session_id": "s77",
    "face_data": [
        {"face_id": "0", "start_time": 0, "end_time": 900},
        {"face_id": "1", "start_time": 1200, "end_time": "5200"},
        {"start_time": 0, "end_time": 9000},
    ],
}


def step(body: Any, status: int = 200) -> Submission | Rejected | Call[Submission | Rejected]:
    response = answer(status, body)
    return kling.submit(kling.translate(TWO_STEPS), access(), IDS, NOW).read(response)


@pytest.mark.parametrize("credential", [API_KEY, ACCESS_AND_SECRET])
@pytest.mark.parametrize("base", [HOST, "http://127.0.0.1:9/proxy/kling"])
def test_a_lip_sync_finds_the_face_first(base: str, credential: str) -> None:
    ids = SubmitIds(correlation=CORRELATION, callback_url="https://ours.example/callbacks/1")
    translation = kling.translate(TWO_STEPS)

    call = kling.submit(translation, access(credential, base), ids, NOW)
    first = call.request
    following = call.read(answer(200, {"code": 0, "data": FACE_ANSWER}))

    assert translation.endpoint == LIP_SYNC
    assert str(first.url) == base + FACES
    assert json.loads(first.content) == {"video_url": DANCE}
    assert isinstance(following, Call)
    second = following.request
    assert (second.method, str(second.url)) == ("POST", base + LIP_SYNC)
    assert second.headers["Authorization"] == first.headers["Authorization"]
    assert json.loads(second.content) == {
        "session_id": "s77",
        "face_choose": [
            {
                "face_id": "1",
                "sound_file": SPEECH,
                "sound_start_time": 0,
                "sound_end_time": 3000,
                "sound_insert_time": 1200,
            }
        ],
        "watermark_info": {"enabled": True},
        "external_task_id": CORRELATION,
        "callback_url": "https://ours.example/callbacks/1",
    }


def test_the_second_step_makes_the_job() -> None:
    following = step({"code": 0, "data": FACE_ANSWER})
    assert isinstance(following, Call)

    submission = following.read(recorded("legacy_submitted"))

    assert submission == Submission(UpstreamRef("930000000000000003", LIP_SYNC))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"code": 0, "data": {"session_id": "s", "face_data": []}}, FaultKind.BAD_PARAMETER),
        ({"code": 1201, "message": "video too short"}, FaultKind.BAD_PARAMETER),
        ({"code": 1301, "message": "risk"}, FaultKind.CONTENT_POLICY),
        ({"code": 1302, "message": "slow down"}, FaultKind.RATE),
        ({"code": 5000, "message": "oops"}, FaultKind.FAULT),
        ({"code": 5002, "message": "oops"}, FaultKind.FAULT),
    ],
)
def test_a_first_step_that_fails_made_no_job(body: Any, kind: FaultKind) -> None:
    rejected = step(body)

    assert isinstance(rejected, Rejected)
    assert rejected.fault.kind is kind


@pytest.mark.parametrize("data", [None, [], {}, {"session_id": ""}, {"session_id": True}])
def test_a_first_step_without_a_session_says_nothing(data: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        step({"code": 0, "data": data})


@pytest.mark.parametrize(
    ("credential", "path"),
    [
        (API_KEY, f"/tasks?external_task_ids={CORRELATION}"),
        (ACCESS_AND_SECRET, f"{LIP_SYNC}/{CORRELATION}"),
    ],
)
def test_a_lip_sync_is_looked_for_where_it_can_be_found(credential: str, path: str) -> None:
    call = find(LIP_SYNC, credential)

    assert str(call.request.url) == HOST + path
    is_list = path.startswith("/tasks")
    found = call.read(recorded("new_running" if is_list else "legacy_running"))
    identifier = "930000000000000001" if is_list else "930000000000000003"
    assert found == Found(UpstreamRef(identifier, LIP_SYNC))
    none = recorded("new_empty_list" if is_list else "legacy_not_found")
    assert call.read(none) == Found(None)


# Jobs of the products


@pytest.mark.parametrize("path", [MOTION, LIP_SYNC, AVATAR, EFFECTS, EDIT])
def test_jobs_of_products_are_asked_for_at_their_path(path: str) -> None:
    sent = sent_to(path, session_id="s77")
    submission = read_answer(sent, recorded("legacy_submitted"))
    assert isinstance(submission, Submission)
    assert submission == Submission(UpstreamRef("930000000000000003", path))

    poll = kling.poll([submission.ref], access(), NOW)

    assert str(poll.request.url) == f"{HOST}{path}/930000000000000003"
    outcomes = poll.read(recorded("legacy_running"))
    assert outcomes == {submission.ref: Pending(started=True)}


def test_an_effect_has_no_duration() -> None:
    ref = UpstreamRef("930000000000000003", EFFECTS)
    call = kling.poll([ref], access(), NOW)

    outcome = read_answer(call, recorded("effect_succeeded"))[ref]

    assert isinstance(outcome, Succeeded)
    assert outcome.result.duration_seconds is None
    assert outcome.result.cost == "2"


@pytest.mark.parametrize(
    ("billing", "cost", "unit"),
    [
        ([], None, None),
        ([{"charge_type": "unit", "amount": "4.0"}], "4.0", "units"),
        ([{"charge_type": "unit", "amount": "much"}], None, None),
        ([{"charge_type": "cash", "amount": "0.56", "currency": "USD"}], "0.56", "USD"),
        (
            [
                {"charge_type": "cash", "amount": "0.5", "currency": "USD"},
                {"charge_type": "cash", "amount": "0.25", "currency": "USD"},
            ],
            "0.75",
            "USD",
        ),
        (
            [
                {"charge_type": "cash", "amount": "1", "currency": "USD"},
                {"charge_type": "cash", "amount": "1", "currency": "CNY"},
            ],
            None,
            None,
        ),
        ([{"charge_type": "cash", "amount": "1"}], "1", "balance"),
    ],
)
def test_what_a_new_job_cost(billing: Any, cost: str | None, unit: str | None) -> None:
    ref = UpstreamRef("930000000000000001", "tasks")
    outputs = [{"type": "video", "url": "https://cdn.example/a.mp4"}]
    entry = {"id": ref.id, "status": "succeeded", "outputs": outputs, "billing": billing}
    call = kling.poll([ref], access(), NOW)

    outcome = read_answer(call, answer(200, {"code": 0, "data": [entry]}))[ref]

    assert isinstance(outcome, Succeeded)
    assert (outcome.result.cost, outcome.result.cost_unit) == (cost, unit)


@pytest.mark.parametrize(
    ("fields", "cost", "unit"),
    [
        ({}, None, None),
        ({"final_unit_deduction": "2.5"}, "2.5", "units"),
        ({"final_unit_deduction": "0"}, "0", "units"),
        ({"final_balance_deduction": {"quota": "0.35", "list_price": "0.4"}}, "0.35", "balance"),
        (
            {"final_unit_deduction": "0", "final_balance_deduction": {"quota": 0.35}},
            "0.35",
            "balance",
        ),
        (
            {"final_unit_deduction": "2", "final_balance_deduction": {"quota": "0"}},
            "2",
            "units",
        ),
        ({"final_balance_deduction": "free"}, None, None),
    ],
)
def test_what_a_legacy_job_cost(fields: dict[str, Any], cost: str | None, unit: str | None) -> None:
    ref = UpstreamRef("930000000000000003", IMAGE)
    result = {"videos": [{"url": "https://cdn.example/a.mp4"}]}
    data = {"task_id": ref.id, "task_status": "succeed", "task_result": result, **fields}
    call = kling.poll([ref], access(), NOW)

    outcome = read_answer(call, answer(200, {"code": 0, "data": data}))[ref]

    assert isinstance(outcome, Succeeded)
    assert (outcome.result.cost, outcome.result.cost_unit) == (cost, unit)


def test_new_motion_jobs_are_asked_for_among_others() -> None:
    sent = sent_to("/motion-control/kling-3.0")

    submission = sent.read(recorded("new_submitted"))

    assert submission == Submission(UpstreamRef("930000000000000001", "tasks"))


def test_long_products_have_a_longer_deadline() -> None:
    def deadline(translation: Translation) -> float:
        return translation.pace.deadline.total_seconds()

    avatar = kling.translate(GOLDEN["an avatar by what is carried"][0])

    assert deadline(avatar) == 3600
    assert deadline(kling.translate(GOLDEN["an effect of one figure"][0])) == 1800


# Capabilities


def test_capabilities_tell_what_each_model_takes() -> None:
    models = kling.capabilities.models

    assert models["kling-v3"].actions[Action.TEXT].negative_prompt
    assert models["kling-v3"].actions[Action.TEXT].sound
    assert not models["kling-3.0"].actions[Action.TEXT].negative_prompt
    assert not models["kling-v2-6"].actions[Action.FIRST_LAST_FRAME].sound
    assert models["kling-3.0-turbo"].actions[Action.TEXT].prompt_characters == 3072
    assert models["kling-3.0-turbo"].actions[Action.FIRST_FRAME].prompt_characters == 2500
    assert not any(action.seed for model in models.values() for action in model.actions.values())
    assert {name for name, model in models.items() if Action.MOTION in model.actions} == {
        "kling-v3",
        "kling-v2-6",
        "kling-3.0",
        "kling-2.6",
    }
    assert all(
        model.link_lifetime is not None and model.link_lifetime.days == 30
        for model in models.values()
    )
    earliest = models["kling-3.0-turbo"].earliest
    assert earliest is not None
    assert earliest.total_seconds() == 28
