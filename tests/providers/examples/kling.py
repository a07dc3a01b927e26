"""Requests for the forms of Kling."""

from collections.abc import Mapping
from typing import Any

from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action
from vidgate.providers.kling.models import TRAITS

URL = "https://a.example.test/1.jpg"

NEEDED: Mapping[str, Mapping[str, Any]] = {
    "motion": {"video_url": URL, "character_orientation": "video"},
    "avatar": {"sound_file": URL},
    "lip_sync": {"video_url": URL, "sound_file": URL, "sound_end_time": 3000},
    "effect": {"effect_scene": "hug"},
    "edit": {"video_list": [{"video_url": URL}]},
    "first_frame": {"action": "first_frame"},
    "first_last_frame": {"action": "first_last_frame"},
    "kling-multi-elements": {"session_id": "s", "edit_mode": "removal"},
}
"""By the action, or by the model."""

BESIDE: Mapping[tuple[str, str], Mapping[str, Any]] = {
    # There is another word for it in the request, and a video makes it another action.
    ("motion", "settings.character_orientation"): {"character_orientation": None},
    # Where there are contents the prompt is in them, and named as they are.
    ("edit", "prompt"): {"contents": None},
    ("first_frame", "video_list"): {"action": None},
    ("first_last_frame", "video_list"): {"action": None},
}


def example(model: str, place: str) -> VideoRequest:
    action, _, sound = place.partition(" with ")
    metadata = dict(NEEDED.get(model, NEEDED.get(action, {})))
    is_new = TRAITS[model].is_path_model
    if is_new and action == "edit":
        metadata = {"contents": [{"type": "base_video", "url": URL}]}
    if sound:
        metadata |= {"settings": {"audio": "native"}} if is_new else {"sound": "on"}
    number = 2 if action == "first_last_frame" else TRAITS[model].actions[Action(action)].images[0]
    images = (Image(url=URL),) * number
    return VideoRequest(model=model, prompt="a boat", images=images, metadata=metadata)
