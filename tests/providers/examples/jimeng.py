"""Requests for the forms of Jimeng."""

from typing import Any

from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.jimeng.keys import KEYS

URL = "https://a.example.test/1.jpg"


def example(name: str, place: str) -> VideoRequest:
    key = KEYS[name]
    most = key.images[1] if place == "picture" else 0
    links: dict[str, Any] = dict.fromkeys({"video_url", "audio_url"} & {*key.needs}, URL)
    words = {name: allowed[0] for name, allowed in key.choices.items()}
    prompt = "a boat" if key.has_prompt else ""
    metadata = {"req_key": name, **links, **words}
    return VideoRequest(
        model=name, prompt=prompt, images=(Image(url=URL),) * most, metadata=metadata
    )
