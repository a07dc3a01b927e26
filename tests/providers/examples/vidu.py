"""Requests for the forms of Vidu."""

from collections.abc import Mapping
from typing import Any

from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.vidu.endpoints import ENDPOINTS
from vidgate.providers.vidu.models import MODELS

URL = "https://a.example.test/1.jpg"

BESIDE: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("template", "area"): {"template": "exotic_princess"},
    ("template", "beast"): {"template": "beast_companion"},
    # Subjects are sent in the place of pictures.
    ("reference2video", "subjects"): {"images": []},
}


def example(model: str, endpoint: str) -> VideoRequest:
    takes = MODELS[model].actions[ENDPOINTS[endpoint].action]
    needed: dict[str, dict[str, Any]] = {
        "multiframe": {"start_image": URL, "image_settings": [{}, {}]},
        "extend": {"video_url": URL},
        "upscale-new": {"video_url": URL},
        "lip-sync": {"video_url": URL, "text": "hello"},
        "template": {"template": "hug"},
        "template-story": {"story": "pigsy"},
    }
    metadata = {"action": endpoint, **needed.get(endpoint, {})}
    images = (Image(url=URL),) * (0 if endpoint == "multiframe" else takes.images[0])
    return VideoRequest(model=model, prompt="a boat", images=images, metadata=metadata)
