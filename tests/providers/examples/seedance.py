"""Requests for the forms of Seedance's content."""

from collections.abc import Mapping
from typing import Any

from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action
from vidgate.providers.seedance import Seedance

VIDEO = {"type": "video_url", "video_url": {"url": "https://a.example.test/1.mp4"}}


def example(model: str, place: str) -> VideoRequest:
    pictures = Seedance.capabilities.models[model].actions[Action(place)].images[0]
    image = Image(url="https://a.example.test/1.jpg")
    metadata: Mapping[str, Any] = {"action": place}
    if place in {"edit", "extend"}:
        metadata = {**metadata, "content": [VIDEO]}
    if place == "upscale":
        metadata = {**metadata, "draft_task_id": "cgt-1"}
    return VideoRequest(model=model, prompt="a boat", images=(image,) * pictures, metadata=metadata)
