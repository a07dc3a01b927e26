"""Vidu's endpoints that make videos, as its clients call them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ENDPOINTS", "Endpoint"]

_URL = "https://a.example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One of them.

    Attributes:
        name: The last part of its path.
        summary: What it does.
        example: A body it takes.
        required: Fields that must all be present.
        model: What we call it where its bodies have no `model`; empty where they have.
        has_prompt: Whether `prompt` and `duration` mean there what they mean everywhere.
        documented: Whether the vendor still tells of it.
    """

    name: str
    summary: str
    example: Mapping[str, Any]
    required: tuple[str, ...] = ("model",)
    model: str = ""
    has_prompt: bool = True
    documented: bool = True


ENDPOINTS = (
    Endpoint(
        name="text2video",
        summary="Create a video from text",
        required=("model", "prompt"),
        example={
            "model": "viduq3-turbo",
            "prompt": "rain on a tin roof",
            "duration": 5,
            "resolution": "720p",
            "aspect_ratio": "9:16",
            "audio": False,
            "payload": "t-1",
        },
    ),
    Endpoint(
        name="img2video",
        summary="Create a video from its first frame",
        required=("model", "images"),
        example={
            "model": "viduq3-pro-fast",
            "images": [f"{_URL}/1.jpg"],
            "prompt": "slow push-in",
            "duration": 4,
            "resolution": "720p",
        },
    ),
    Endpoint(
        name="start-end2video",
        summary="Create a video from its first and its last frame",
        required=("model", "images"),
        example={
            "model": "viduq2-pro",
            "images": [f"{_URL}/1.jpg", f"{_URL}/2.jpg"],
            "duration": 8,
            "resolution": "1080p",
        },
    ),
    Endpoint(
        name="reference2video",
        summary="Create a video of what pictures show",
        required=("model", "prompt"),
        example={
            "model": "viduq3",
            "subjects": [{"name": "mia", "images": [f"{_URL}/mia1.jpg", f"{_URL}/mia2.jpg"]}],
            "prompt": "@mia throws a ball",
            "duration": 5,
        },
    ),
    Endpoint(
        name="multiframe",
        summary="Create one long video through several frames",
        required=("model", "start_image", "image_settings"),
        has_prompt=False,
        example={
            "model": "viduq2-turbo",
            "start_image": f"{_URL}/0.jpg",
            "image_settings": [
                {"key_image": f"{_URL}/1.jpg", "prompt": "door opens", "duration": 3},
                {"key_image": f"{_URL}/2.jpg", "duration": 4},
            ],
            "resolution": "720p",
        },
    ),
    Endpoint(
        name="extend",
        summary="Extend a video",
        example={
            "model": "viduq2-pro",
            "video_creation_id": "task_01k9x4n8e0f0m8z2q6y7v3b5ct_0",
            "prompt": "the boat drifts on",
            "duration": 5,
            "resolution": "720p",
        },
    ),
    Endpoint(
        name="upscale-new",
        summary="Upscale a video",
        model="vidu-upscale",
        required=(),
        has_prompt=False,
        example={
            "video_creation_id": "task_01k9x4n8e0f0m8z2q6y7v3b5ct_0",
            "upscale_resolution": "4K",
        },
    ),
    Endpoint(
        name="lip-sync",
        summary="Create a lip-sync from a recording or a text",
        model="vidu-lip-sync",
        required=("video_url",),
        has_prompt=False,
        example={"video_url": f"{_URL}/face.mp4", "audio_url": f"{_URL}/say.wav"},
    ),
    Endpoint(
        name="template",
        summary="Create a video from an effect template",
        model="vidu-template",
        required=("template", "images"),
        example={"template": "hugging", "images": [f"{_URL}/1.jpg"], "prompt": "they hug"},
    ),
    Endpoint(
        name="template2video",
        summary="Create a video from an effect template, by the older name of the endpoint",
        model="vidu-template",
        required=("template", "images"),
        example={"template": "hugging", "images": [f"{_URL}/1.jpg"], "prompt": "they hug"},
        documented=False,
    ),
    Endpoint(
        name="template-story",
        summary="Create a video from a story template",
        model="vidu-template-story",
        required=("story", "images"),
        has_prompt=False,
        example={"story": "one_shot", "images": [f"{_URL}/{number}.jpg" for number in (1, 2, 3)]},
    ),
)
