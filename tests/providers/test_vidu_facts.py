"""The Vidu adapter: what a translation says of itself, and what the models' data says."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.support.vidu import NOW, PICTURES, SPEECH, UNMAPPED, URLS, VIDEO, VIDU, ask

from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskSnapshot, TaskStatus
from vidgate.providers.base import Action, RunFacts

# What is said about the translation

TOLD: dict[str, tuple[VideoRequest, tuple[str, ...], tuple[str, ...]]] = {
    "upscale": (
        ask(
            "vidu-upscale",
            duration_seconds=5,
            seed=1,
            aspect_ratio="1:1",
            metadata={"video_url": VIDEO},
        ),
        ("duration", "prompt", "seed", "size"),
        (),
    ),
    "upscale to the nearest": (
        ask("vidu-upscale", prompt="", width=1280, height=720, metadata={"video_url": VIDEO}),
        (),
        ("size=1080p",),
    ),
    "extend": (
        ask("viduq2-pro", seed=1, aspect_ratio="1:1", metadata={"video_url": VIDEO}),
        ("seed", "size"),
        (),
    ),
    "key frames": (
        ask(
            "viduq2-pro",
            duration_seconds=9,
            seed=1,
            images=PICTURES[:1],
            metadata={"image_settings": [{"key_image": URLS[1]}, {"key_image": URLS[2]}]},
        ),
        ("duration", "prompt", "seed"),
        (),
    ),
    "lip-sync": (
        ask("vidu-lip-sync", width=720, height=720, metadata={"video_url": VIDEO, "text": "text"}),
        ("prompt", "size"),
        (),
    ),
    "template": (
        ask(
            "vidu-template",
            images=PICTURES[:1],
            width=1920,
            height=1080,
            metadata={"template": "hugging"},
        ),
        (),
        ("size=16:9",),
    ),
    "story": (
        ask("viduq1", images=PICTURES[:1], aspect_ratio="1:1", metadata={"story": "pigsy"}),
        ("prompt", "size"),
        (),
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_ignored_and_adjusted(name: str) -> None:
    request, ignored, adjusted = TOLD[name]
    translation = VIDU.translate(request)
    assert translation.ignored == ignored
    assert translation.adjusted == adjusted


FACTS: dict[str, tuple[VideoRequest, RunFacts]] = {
    "key frames add up": (
        ask(
            "viduq2-turbo",
            images=PICTURES[:1],
            metadata={"image_settings": [{"duration": 7}, {"duration": "2"}, {}]},
        ),
        RunFacts(model="viduq2-turbo", duration_seconds=14, resolution="720p", sound=False),
    ),
    "key frames of nonsense": (
        ask("viduq9", images=PICTURES[:1], metadata={"image_settings": [{"duration": []}]}),
        RunFacts(model="viduq9"),
    ),
    "key frames without end": (
        ask(
            "viduq9",
            images=PICTURES[:1],
            metadata={"image_settings": [{"duration": 1e308}, {"duration": 1e308}]},
        ),
        RunFacts(model="viduq9"),
    ),
    "extend": (
        ask("viduq2-pro", metadata={"video_url": VIDEO, "resolution": "1080p"}),
        RunFacts(model="viduq2-pro", duration_seconds=5, resolution="1080p", sound=False),
    ),
    "upscale": (
        ask("viduq2-pro", metadata={"video_url": VIDEO, "upscale_resolution": "8K"}),
        RunFacts(model="vidu-upscale", resolution="8K"),
    ),
    "upscale, nothing asked": (
        ask("vidu-upscale", metadata={"video_url": VIDEO}),
        RunFacts(model="vidu-upscale", resolution="1080p"),
    ),
    "lip-sync": (
        ask("viduq1", metadata={"video_url": VIDEO, "audio_url": SPEECH}),
        RunFacts(model="vidu-lip-sync"),
    ),
    "template": (
        ask("viduq1", images=PICTURES[:1], metadata={"template": "hugging"}),
        RunFacts(model="vidu-template"),
    ),
    "perhaps retired": (
        ask("vidu1.5", images=PICTURES[:1]),
        RunFacts(model="vidu1.5", duration_seconds=4, resolution="360p", sound=False),
    ),
    "perhaps retired, at eight seconds": (
        ask("vidu1.5", metadata={"duration": 8}),
        RunFacts(model="vidu1.5", duration_seconds=8, resolution="720p", sound=False),
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_facts_tell_what_is_run(name: str) -> None:
    request, facts = FACTS[name]
    assert replace(VIDU.translate(request).facts, action=None, recommended_prompt=None) == facts


def test_what_may_be_minutes_of_video_is_waited_for() -> None:
    upscale = VIDU.translate(ask("vidu-upscale", metadata={"video_url": VIDEO})).pace
    slow = ask("viduq2", metadata={"off_peak": True})
    assert upscale.deadline > timedelta(hours=1)
    assert VIDU.translate(slow).pace.deadline > timedelta(hours=48)


# Which model is asked for, as far as permission goes


@pytest.mark.parametrize(
    ("request_", "model"),
    [
        (ask("viduq2"), "viduq2"),
        (ask("vidu1.5"), "vidu1.5"),
        (ask("vidu1.5", metadata={"template": "hugging"}), "vidu-template"),
        (ask("vidu1.0", metadata={"video_url": VIDEO}), "vidu1.0"),
        (ask("vidu-upscale"), "vidu-upscale"),
        (ask("viduq2", metadata={"upscale_resolution": "4K"}), "vidu-upscale"),
        (ask("vidu9", metadata={"action": "lip-sync"}), "vidu-lip-sync"),
        (ask("viduq2", metadata={"template": "hugging"}), "vidu-template"),
        (ask("viduq2", metadata={"action": "effect", "story": "pigsy"}), "vidu-template-story"),
        (ask("viduq2-pro", metadata={"video_url": VIDEO}), "viduq2-pro"),
    ],
)
def test_effective_model(request_: VideoRequest, model: str) -> None:
    assert VIDU.effective_model(request_) == model
    assert UNMAPPED.effective_model(request_) == model


# Capabilities


def test_every_action_has_one_endpoint() -> None:
    models = VIDU.capabilities.models
    paths = {row.endpoint for model in models.values() for row in model.actions.values()}
    assert paths == {
        f"/ent/v2/{name}"
        for name in (
            *("text2video", "img2video", "start-end2video", "reference2video", "multiframe"),
            *("extend", "upscale-new", "lip-sync", "template", "template-story"),
        )
    }


@pytest.mark.parametrize(
    ("model", "action", "sound", "prompt_characters"),
    [
        ("viduq4-preview", Action.FIRST_FRAME, True, 20_000),
        ("viduq3-turbo", Action.TEXT, True, 5_000),
        ("viduq2", Action.TEXT, False, 5_000),
        ("viduq2-pro", Action.FIRST_FRAME, True, 5_000),
        ("viduq2-pro", Action.FIRST_LAST_FRAME, False, 5_000),
        ("viduq2-pro", Action.EXTEND, False, 2_000),
        ("viduq1", Action.REFERENCES, False, 5_000),
        ("vidu-template", Action.EFFECT, False, 2_000),
    ],
)
def test_what_a_model_takes(
    model: str, action: Action, *, sound: bool, prompt_characters: int
) -> None:
    row = VIDU.capabilities.models[model].actions[action]
    assert (row.sound, row.prompt_characters) == (sound, prompt_characters)
    assert not row.negative_prompt


def test_times_and_successors() -> None:
    models = VIDU.capabilities.models
    assert all(model.link_lifetime == timedelta(hours=24) for model in models.values())
    assert models["viduq2"].earliest == timedelta(seconds=30)
    successors = {name: model.successor for name, model in models.items() if model.successor}
    assert successors == {"vidu1.0": "vidu-upscale"}


# Vendor-shaped answers


@pytest.mark.parametrize(
    ("action", "model", "native_type"),
    [
        ("text", "viduq2", "text2video"),
        ("first_last_frame", "viduq2-pro", "headtailimg2video"),
        ("effect", "vidu-template", "template"),
        ("effect", "vidu-template-story", "template-story"),
        ("upscale", "vidu-upscale", "upscale-new"),
        ("key_frames", "viduq2-pro", "multiframe"),
        ("img2video", "viduq2-pro", "img2video"),
        (None, None, ""),
    ],
)
def test_native_type(action: Any, model: str | None, native_type: str) -> None:
    task = TaskSnapshot(
        id=UUID(int=1),
        account_id=UUID(int=2),
        token_id=UUID(int=2),
        revision=1,
        status=TaskStatus.QUEUED,
        model="viduq2",
        provider="vidu",
        upstream_model=model,
        details={"action": action},
        created_at=NOW,
    )
    assert VIDU.native_answer(task)["type"] == native_type
