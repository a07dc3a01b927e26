from datetime import timedelta
from typing import Any

import pytest

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action, ActionCapabilities, Finds
from vidgate.providers.jimeng import Jimeng
from vidgate.providers.jimeng.keys import KEYS

JIMENG = Jimeng()
PICTURE = Image(url="https://cdn.example/a.png")


def test_strict_takes_what_is_honoured_in_full() -> None:
    request = VideoRequest(
        model="jimeng_v30_pro",
        prompt="p",
        width=1920,
        height=1080,
        duration_seconds=10,
        seed=1,
        strict=True,
    )

    assert JIMENG.translate(request).adjusted == ()


@pytest.mark.parametrize(
    ("frames", "seconds"),
    [
        (121, 5.0),
        (241, 10.0),
        (241.0, 10.0),
        pytest.param("241", 10.0, id="text"),
    ],
)
def test_facts_follow_the_frames_of_the_final_body(frames: Any, seconds: float) -> None:
    request = VideoRequest(
        model="jimeng_v30", prompt="p", duration_seconds=5, metadata={"frames": frames}
    )

    translation = JIMENG.translate(request)

    assert translation.body["frames"] == frames
    assert translation.facts.duration_seconds == seconds


@pytest.mark.parametrize(
    ("frames", "seconds"),
    [
        (481, 20.0),
        (True, None),
        ([241], None),
        ("many", None),
        (-1, None),
        pytest.param(10**400, None, id="huge"),
        ("1e999", (10**6 - 1) / 24),
    ],
)
def test_frames_of_an_unknown_key_are_the_providers_to_judge(
    frames: Any, seconds: float | None
) -> None:
    request = VideoRequest(model="jimeng_new", prompt="p", metadata={"frames": frames})

    translation = JIMENG.translate(request)

    assert translation.body["frames"] == frames
    assert translation.facts.duration_seconds == seconds


def test_a_key_without_frames_makes_what_it_makes() -> None:
    request = VideoRequest(model="jimeng_vgfm_t2v_l20", prompt="p", metadata={"frames": "121"})

    assert JIMENG.translate(request).facts.duration_seconds == 5


def test_metadata_wins_over_generic_values_that_would_be_refused() -> None:
    request = VideoRequest(
        model="jimeng_t2v_v30",
        prompt="p" * 900,
        duration_seconds=7,
        aspect_ratio="4:1",
        metadata={"prompt": "other", "frames": 241, "aspect_ratio": "9:16"},
    )

    translation = JIMENG.translate(request)

    assert translation.body == {
        "req_key": "jimeng_t2v_v30",
        "prompt": "other",
        "frames": 241,
        "aspect_ratio": "9:16",
    }
    assert translation.ignored == ()


def test_pictures_in_metadata_replace_the_generic_ones() -> None:
    inline = Image(content=b"x", media_type="image/png")
    request = VideoRequest(
        model="jimeng_v30",
        prompt="p",
        images=(inline,),
        metadata={"image_urls": ["https://cdn.example/a.png", "https://cdn.example/b.png"]},
    )

    translation = JIMENG.translate(request)

    assert translation.facts.model == "jimeng_i2v_first_tail_v30"
    assert "binary_data_base64" not in translation.body


def test_every_known_model_translates_and_says_how_it_is_followed() -> None:
    vendor_fields = {
        Action.CAMERA: {"template_id": "handheld"},
        Action.MOTION: {"video_url": "https://cdn.example/a.mp4"},
        Action.AVATAR: {"audio_url": "https://cdn.example/a.mp3"},
    }
    for name, model in JIMENG.capabilities.models.items():
        for action, possible in model.actions.items():
            request = VideoRequest(
                model=name,
                prompt="p" * (possible.prompt_characters or 0),
                images=(PICTURE,) * possible.images[0],
                duration_seconds=possible.durations[0] if possible.durations else None,
                seed=1 if possible.seed else None,
                metadata={"action": action.value, **vendor_fields.get(action, {})},
            )
            translation = JIMENG.translate(request)
            assert translation.facts.model == possible.endpoint, (name, action)
            assert translation.facts.resolution == possible.tiers[-1]
            assert translation.details["action"] == action.value
            assert translation.ignored == ()
            assert translation.pace.first_ask < translation.pace.deadline


def test_capabilities_cover_keys_and_aliases() -> None:
    models = JIMENG.capabilities.models

    assert set(KEYS) < set(models)
    assert set(models) - set(KEYS) == {
        "jimeng_v30",
        "jimeng_v30_1080p",
        "jimeng_v30_1080",
        "jimeng_v30_pro",
    }
    assert list(models["jimeng_v30"].actions) == [
        Action.TEXT,
        Action.FIRST_FRAME,
        Action.FIRST_LAST_FRAME,
        Action.CAMERA,
    ]
    assert list(models["jimeng_i2v_first_tail_v30_1080"].actions) == [Action.FIRST_LAST_FRAME]
    assert list(models["jimeng_ti2v_v30_pro"].actions) == [Action.TEXT, Action.FIRST_FRAME]
    assert list(models["jimeng_dream_actor_m1_gen_video_cv"].actions) == [Action.MOTION]
    assert not isinstance(JIMENG, Finds)


def test_capabilities_of_an_avatar() -> None:
    model = JIMENG.capabilities.models["jimeng_realman_avatar_picture_omni_v15"]

    assert model.link_lifetime == timedelta(hours=1)
    assert model.usual == timedelta(minutes=20)
    assert model.actions == {
        Action.AVATAR: ActionCapabilities(
            endpoint=model.name,
            tiers=("720p", "1080p"),
            images=(1, 1),
            prompt_characters=300,
            sound=True,
            seed=True,
        )
    }


@pytest.mark.parametrize(
    ("value", "resolution"),
    [
        (720, "720p"),
        pytest.param("720", "720p", id="text"),
        (1080, "1080p"),
    ],
)
def test_resolution_of_an_avatar_follows_the_final_body(value: Any, resolution: str) -> None:
    request = VideoRequest(
        model="jimeng_realman_avatar_picture_omni_v15",
        width=720,
        height=720,
        images=(PICTURE,),
        metadata={"audio_url": "https://cdn.example/a.mp3", "output_resolution": value},
    )

    translation = JIMENG.translate(request)

    assert translation.body["output_resolution"] == value
    assert translation.facts.resolution == resolution


def test_key_that_makes_no_video_names_the_one_that_does() -> None:
    request = VideoRequest(
        model="jimeng_realman_avatar_picture_create_role_omni_v15", images=(PICTURE,)
    )

    with pytest.raises(UnsupportedParameterError) as caught:
        JIMENG.translate(request)

    assert caught.value.allowed == ("jimeng_realman_avatar_picture_omni_v15",)


@pytest.mark.parametrize(
    ("metadata", "pictures", "action"),
    [
        ({}, 0, "text"),
        ({}, 1, "first_frame"),
        ({}, 3, "first_last_frame"),
        ({"template_id": "handheld"}, 1, "camera"),
        ({"video_url": "https://cdn.example/a.mp4"}, 1, "motion"),
        ({"audio_url": "https://cdn.example/a.mp3"}, 1, "avatar"),
        ({"action": "edit"}, 1, "edit"),
    ],
)
def test_action_of_an_unknown_key(metadata: dict[str, Any], pictures: int, action: str) -> None:
    request = VideoRequest(
        model="jimeng_new", prompt="p", images=(PICTURE,) * pictures, metadata=metadata
    )

    translation = JIMENG.translate(request)

    assert translation.details["action"] == action
    assert "action" not in translation.body


@pytest.mark.parametrize("seconds", [1e308, float("inf"), float("nan")])
def test_duration_of_an_unknown_key_is_a_number(seconds: float) -> None:
    with pytest.raises(UnsupportedParameterError):
        JIMENG.translate(VideoRequest(model="jimeng_new", duration_seconds=seconds))


# Families


@pytest.mark.parametrize(
    ("model", "metadata", "effective"),
    [
        ("jimeng_vgfm_t2v_l20", {"req_key": "jimeng_vgfm_i2v_l20"}, "jimeng_vgfm_i2v_l20"),
        ("jimeng_v30", {"req_key": "jimeng_i2v_recamera_v30"}, "jimeng_i2v_recamera_v30"),
        ("jimeng_v30_1080", {"req_key": "jimeng_t2v_v30_1080p"}, "jimeng_t2v_v30_1080p"),
        ("jimeng_new", {"req_key": "jimeng_new"}, "jimeng_new"),
        ("jimeng_v30", {"req_key": None}, "jimeng_v30"),
        ("jimeng_v30", {}, "jimeng_v30"),
    ],
)
def test_effective_model(model: str, metadata: dict[str, Any], effective: str) -> None:
    request = VideoRequest(model=model, prompt="p", metadata=metadata)

    assert JIMENG.effective_model(request) == effective


@pytest.mark.parametrize(
    ("model", "req_key"),
    [("jimeng_v30", "jimeng_v30_1080p"), ("jimeng_v30", 5), ("jimeng_new", "jimeng_v30")],
)
def test_effective_model_stays_in_its_family(model: str, req_key: Any) -> None:
    request = VideoRequest(model=model, prompt="p", metadata={"req_key": req_key})

    with pytest.raises(UnsupportedParameterError) as caught:
        JIMENG.effective_model(request)

    assert caught.value.param == "metadata.req_key"
    assert model in caught.value.allowed


@pytest.mark.parametrize("req_key", ["jimeng_ti2v_v30_pro", "boats", 5, ["jimeng_v30"]])
def test_a_channels_map_goes_before_the_key_that_a_client_named(req_key: Any) -> None:
    mapped = VideoRequest(model="jimeng_t2v_v30", prompt="p", metadata={"req_key": req_key})

    translation = JIMENG.translate(mapped)

    assert translation.facts.model == translation.body["req_key"] == "jimeng_t2v_v30"
    assert translation.ignored == ("req_key",)


def test_family_is_the_same_from_each_of_its_names() -> None:
    for name in JIMENG.capabilities.models:
        family = JIMENG.family(name)
        assert name in family
        assert all(JIMENG.family(other) == family for other in family)
    assert JIMENG.family("jimeng_new") == ("jimeng_new",)
