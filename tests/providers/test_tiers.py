"""Never a silent lower tier: every model and every action of every provider."""

from collections.abc import Iterator
from typing import Any

import pytest

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action, Translation
from vidgate.providers.jimeng import Jimeng
from vidgate.providers.kling import Kling
from vidgate.providers.vidu import Vidu

PROVIDERS = {"jimeng": Jimeng(), "kling": Kling(), "vidu": Vidu()}
HEIGHTS = {
    "360p": 360,
    "480p": 480,
    "540p": 540,
    "720p": 720,
    "1080p": 1080,
    "2k": 1440,
    "4k": 2160,
    "8k": 4320,
}
ASKED = sorted({*HEIGHTS.values(), 600, 741, 742, 800, 1112, 1113, 1200, 1600, 3000, 6000, 8000})
VIDEO, SOUND = "https://a.test/a.mp4", "https://a.test/a.mp3"
FRAMES = {Action.FIRST_FRAME, Action.FIRST_LAST_FRAME, Action.REFERENCES}
MODEL_NEEDS: dict[str, dict[str, Any]] = {
    "kling-multi-elements": {"session_id": "s", "edit_mode": "removal"},
    "vidu-template": {"template": "hug"},
    "vidu-template-story": {"story": "love_story"},
}
OMNI_EDIT: dict[str, Any] = {"video_list": [{"video_url": VIDEO}]}
NEW_EDIT: dict[str, Any] = {"contents": [{"type": "base_video", "url": VIDEO},
                                         {"type": "prompt", "text": "a cat"}]}  # fmt: skip
NEEDS: dict[tuple[str, Action], dict[str, Any]] = {
    ("jimeng", Action.CAMERA): {"template_id": "handheld"},
    ("jimeng", Action.MOTION): {"video_url": VIDEO},
    ("jimeng", Action.AVATAR): {"audio_url": SOUND},
    ("kling", Action.MOTION): {"video_url": VIDEO, "character_orientation": "image"},
    ("kling", Action.AVATAR): {"sound_file": SOUND},
    ("kling", Action.LIP_SYNC): {"video_url": VIDEO, "sound_file": SOUND, "sound_end_time": 5000},
    ("kling", Action.EFFECT): {"effect_scene": "hug"},
    ("vidu", Action.EXTEND): {"video_url": VIDEO, "action": "extend"},
    ("vidu", Action.UPSCALE): {"video_url": VIDEO},
    ("vidu", Action.LIP_SYNC): {"video_url": VIDEO, "audio_url": SOUND},
    ("vidu", Action.KEY_FRAMES): {"action": "key_frames"},
}
"""Without which an action is none."""


def needs(provider: str, model: str, action: Action) -> dict[str, Any]:
    if (provider, action) == ("kling", Action.EDIT) and model != "kling-multi-elements":
        return NEW_EDIT if model in {"kling-3.0-omni", "kling-o1"} else OMNI_EDIT
    told = {"action": action.value} if action in FRAMES and provider != "jimeng" else {}
    return MODEL_NEEDS.get(model) or NEEDS.get((provider, action), told)


def every_action() -> Iterator[Any]:
    for name, provider in PROVIDERS.items():
        for model, known in provider.capabilities.models.items():
            for action, takes in known.actions.items():
                lengths = takes.durations[-1:] if name == "vidu" else ()
                # Of key frames there are only two here.
                for length in (None, *(min(length, 14) for length in lengths)):
                    yield pytest.param(name, model, action, length, id=f"{model}-{action}-{length}")


def translated(
    name: str, model: str, action: Action, length: int | None, height: int | None
) -> Translation:
    takes = PROVIDERS[name].capabilities.models[model].actions[action]
    return PROVIDERS[name].translate(
        VideoRequest(
            model=model,
            prompt="a cat on a mat",
            images=(Image(url="https://a.test/a.png"),) * takes.images[0],
            duration_seconds=length,
            width=height * 16 // 9 if height is not None else None,
            height=height,
            metadata=needs(name, model, action),
        )
    )


def answer(
    name: str, model: str, action: Action, length: int | None, height: int
) -> Translation | UnsupportedParameterError:
    try:
        return translated(name, model, action, length, height)
    except UnsupportedParameterError as error:
        return error


@pytest.mark.parametrize(("name", "model", "action", "length"), list(every_action()))
def test_a_tier_is_met_raised_or_refused(
    name: str, model: str, action: Action, length: int | None
) -> None:
    takes = PROVIDERS[name].capabilities.models[model].actions[action]
    assert translated(name, model, action, length, None).details["action"] == action

    answers = [(height, answer(name, model, action, length, height)) for height in ASKED]

    for height, told in answers:
        match told:
            case UnsupportedParameterError():
                assert (told.param, bool(told.allowed)) == ("size", True)
            case Translation() if takes.tiers:
                resolution = told.facts.resolution or ""
                tier = HEIGHTS[resolution.lower()]
                assert height / 1.03 <= tier <= height * 1.5
                assert tier == height or any(resolution in one for one in told.adjusted)
            case Translation():
                said = [*told.ignored, *(one.partition("=")[0] for one in told.adjusted)]
                assert "size" in said
    assert any(isinstance(told, Translation) for _, told in answers)
    assert isinstance(answers[-1][1], UnsupportedParameterError) is bool(takes.tiers)


DEARER: list[tuple[str, dict[str, Any], int, tuple[str, ...]]] = [
    ("kling-v2-6", {}, 2, ("mode=pro",)),
    ("kling-v2-6", {"sound": "on"}, 0, ("mode=pro",)),
    ("kling-v2-6", {"sound": "on"}, 1, ("mode=pro",)),
    ("kling-v2-6", {"sound": "on", "mode": "pro"}, 1, ()),
    ("kling-v2-6", {"mode": "pro"}, 2, ()),
    ("kling-v2-6", {"sound": "off"}, 1, ()),
    ("kling-v2-5-turbo", {}, 2, ("mode=pro",)),
    ("kling-2.6", {}, 2, ("resolution=1080p",)),
    ("kling-2.6", {"settings": {"audio": "native"}}, 0, ("resolution=1080p",)),
    ("kling-2.5-turbo", {}, 2, ("resolution=1080p",)),
    ("kling-2.5-turbo", {"settings": {"resolution": "1080p"}}, 2, ()),
    ("kling-v3", {"sound": "on"}, 2, ()),
    ("kling-v3-omni", {"action": "first_last_frame"}, 2, ()),
    ("kling-v1", {}, 1, ("model=kling-v2-5-turbo",)),
    ("kling-v1-6", {}, 2, ("model=kling-v2-5-turbo", "mode=pro")),
]


@pytest.mark.parametrize(("model", "metadata", "pictures", "adjusted"), DEARER)
def test_what_raises_the_price_unasked_is_named(
    model: str, metadata: dict[str, Any], pictures: int, adjusted: tuple[str, ...]
) -> None:
    request = VideoRequest(
        model=model,
        prompt="a cat",
        images=(Image(url="https://a.test/a.png"),) * pictures,
        metadata=metadata,
    )

    assert PROVIDERS["kling"].translate(request).adjusted == adjusted


@pytest.mark.parametrize(("name", "model", "action", "length"), list(every_action()))
def test_nothing_dearer_than_the_vendors_default_is_sent_in_silence(
    name: str, model: str, action: Action, length: int | None
) -> None:
    translation = translated(name, model, action, length, None)

    settings = translation.body.get("settings") or {}
    chosen = [translation.body.get(word) for word in ("mode", "resolution", "output_resolution")]
    chosen += [settings.get("resolution"), settings.get("audio"), translation.body.get("sound")]
    for word in filter(None, chosen):
        assert word == "std" or any(word in one for one in translation.adjusted)
    assert not translation.facts.off_peak


@pytest.mark.parametrize(
    ("name", "model", "action", "metadata", "adjusted"),
    [
        ("kling", "kling-v3", Action.TEXT, {"mode": "std"}, ("size=720p",)),
        ("kling", "kling-v3", Action.TEXT, {"mode": "pro"}, ()),
        ("kling", "kling-v3", Action.TEXT, {"mode": "4k"}, ()),
        ("kling", "kling-3.0", Action.TEXT, {"settings": {"resolution": "720p"}}, ("size=720p",)),
        ("jimeng", "jimeng_realman_avatar_picture_omni_v15", Action.AVATAR,
         {"output_resolution": 720}, ("size=720p",)),
        ("jimeng", "jimeng_realman_avatar_picture_omni_v15", Action.AVATAR,
         {"output_resolution": 1080}, ()),
    ],
)  # fmt: skip
def test_a_vendor_field_that_makes_less_of_a_size_is_told(
    name: str, model: str, action: Action, metadata: dict[str, Any], adjusted: tuple[str, ...]
) -> None:
    pictures = PROVIDERS[name].capabilities.models[model].actions[action].images[0]
    request = VideoRequest(
        model=model,
        prompt="a cat",
        images=(Image(url="https://a.test/a.png"),) * pictures,
        width=1920,
        height=1080,
        metadata=needs(name, model, action) | metadata,
    )

    assert PROVIDERS[name].translate(request).adjusted == adjusted
