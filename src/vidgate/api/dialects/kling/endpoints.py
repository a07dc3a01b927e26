"""Kling's endpoints: to take up another one is to add a row.

Source: https://kling.ai/document-api/, read 2026-09-20.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["ABSENT", "DIRECT_CALLS", "LEGACY", "NEW", "DirectCall", "Legacy", "New"]

_FRAMES = ("first_frame", "first_last_frame")


@dataclass(frozen=True, slots=True, kw_only=True)
class Legacy:
    """An endpoint below `/kling/v1/videos/`.

    Attributes:
        name: The path below.
        title: For the documentation.
        model: What runs where the client names none: the vendor's default, or our name of a
            product that has no models.
        has_models: Whether the client chooses one.
        actions: What its list shows. Tasks are listed by what was made, not by the path that made
            them, so a list may have more than the vendor's; never less.
        fields: What the documentation describes of a body, as Kling names it.
        example: A body.
    """

    name: str
    title: str
    model: str
    has_models: bool = True
    actions: tuple[str, ...]
    fields: tuple[str, ...]
    example: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A product of the new generation, with the model in the path."""

    name: str
    title: str
    model: str
    example: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectCall:
    """A call below `/kling/v1/videos/` that is answered at once and makes no task.

    Attributes:
        name: The path below.
        title: For the documentation.
        example: A body.
        answer: The `data` of an answer.
    """

    name: str
    title: str
    example: Mapping[str, Any]
    answer: Mapping[str, Any]


_CLIP = (
    *("model_name", "prompt", "negative_prompt", "mode", "duration", "aspect_ratio", "sound"),
    *("multi_shot", "shot_type", "multi_prompt"),
)
_SOUND = (
    *("sound_file", "sound_start_time", "sound_end_time", "sound_insert_time"),
    *("sound_volume", "original_audio_volume"),
)

_PICTURE = "https://example.com/cat.png"
_DANCE = "https://example.com/dance.mp4"
_SESSION = "session_gAAAAABpIHyAbm90LXJlYWw="

LEGACY = (
    Legacy(
        name="text2video",
        title="text to video",
        model="kling-v1",
        actions=("text",),
        fields=(*_CLIP, "cfg_scale", "voice_list"),
        example={"model_name": "kling-v2-6", "prompt": "A cat on a beach", "duration": "5"},
    ),
    Legacy(
        name="image2video",
        title="image to video",
        model="kling-v1",
        actions=_FRAMES,
        fields=(*_CLIP, "cfg_scale", "voice_list", "image", "image_tail", "element_list"),
        example={"model_name": "kling-v2-6", "image": _PICTURE, "prompt": "The cat yawns"},
    ),
    Legacy(
        name="omni-video",
        title="omni video",
        model="kling-video-o1",
        actions=("references", "edit", "text", *_FRAMES),
        fields=(*_CLIP, "image_list", "video_list", "element_list"),
        example={
            "model_name": "kling-v3-omni",
            "prompt": "<<<image_1>>> walks along a beach",
            "image_list": [{"image_url": _PICTURE}],
            "aspect_ratio": "16:9",
        },
    ),
    Legacy(
        name="motion-control",
        title="motion control",
        model="kling-v2-6",
        actions=("motion",),
        fields=(
            *("model_name", "prompt", "image_url", "video_url", "character_orientation"),
            *("keep_original_sound", "mode", "element_list"),
        ),
        example={
            "model_name": "kling-v2-6",
            "image_url": _PICTURE,
            "video_url": _DANCE,
            "character_orientation": "video",
            "mode": "std",
        },
    ),
    Legacy(
        name="avatar/image2video",
        title="avatar",
        model="kling-avatar",
        has_models=False,
        actions=("avatar",),
        fields=("image", "audio_id", "sound_file", "prompt", "mode"),
        example={"image": _PICTURE, "sound_file": "https://example.com/hello.mp3"},
    ),
    Legacy(
        name="advanced-lip-sync",
        title="lip-sync",
        model="kling-lip-sync",
        has_models=False,
        actions=("lip_sync",),
        fields=("session_id", "video_id", "video_url", "face_choose", "audio_id", *_SOUND),
        example={
            "video_url": _DANCE,
            "sound_file": "https://example.com/hello.mp3",
            "sound_end_time": 5000,
        },
    ),
    Legacy(
        name="effects",
        title="effects",
        model="kling-effects",
        has_models=False,
        actions=("effect",),
        fields=("effect_scene", "input"),
        example={"effect_scene": "hug_pro", "input": {"images": [_PICTURE, _PICTURE]}},
    ),
    Legacy(
        name="multi-elements",
        title="multi-elements",
        model="kling-multi-elements",
        has_models=False,
        actions=("edit",),
        fields=(
            *("session_id", "edit_mode", "image_list", "prompt", "negative_prompt", "mode"),
            "duration",
        ),
        example={
            "session_id": _SESSION,
            "edit_mode": "removal",
            "prompt": "Remove the boat from <<<video_1>>>",
        },
    ),
)

NEW = (
    New(
        name="text-to-video",
        title="text to video",
        model="kling-3.0",
        example={
            "prompt": "A cat on a beach",
            "settings": {"resolution": "1080p", "aspect_ratio": "16:9", "duration": 5},
        },
    ),
    New(
        name="image-to-video",
        title="image to video",
        model="kling-3.0",
        example={
            "contents": [
                {"type": "prompt", "text": "The cat yawns"},
                {"type": "first_frame", "url": _PICTURE},
            ],
            "settings": {"duration": 5},
        },
    ),
    New(
        name="omni-video",
        title="omni video",
        model="kling-3.0-omni",
        example={
            "contents": [
                {"type": "prompt", "text": "@cat walks along a beach"},
                {"type": "refer_image", "url": _PICTURE, "id": "cat"},
            ],
            "settings": {"aspect_ratio": "16:9"},
        },
    ),
    New(
        name="motion-control",
        title="motion control",
        model="kling-3.0",
        example={
            "contents": [
                {"type": "image", "url": _PICTURE},
                {"type": "video", "url": _DANCE},
            ],
            "settings": {"character_orientation": "video"},
        },
    ),
)

_POINTS = {"session_id": _SESSION, "frame_index": 12, "points": [{"x": 0.4, "y": 0.6}]}
_SELECTED = {"status": 0, "session_id": _SESSION}

DIRECT_CALLS = (
    DirectCall(
        name="identify-face",
        title="find the faces in a video, for a lip-sync",
        example={"video_url": _DANCE},
        answer={
            "session_id": _SESSION,
            "face_data": [
                {
                    "face_id": "0",
                    "face_image": "https://cdn.example.com/face.png",
                    "start_time": 0,
                    "end_time": 5041,
                }
            ],
        },
    ),
    DirectCall(
        name="multi-elements/init-selection",
        title="begin to select objects in a video",
        example={"video_url": _DANCE},
        answer={
            **_SELECTED,
            "fps": 24,
            "total_frame": 121,
            "normalized_video": "https://cdn.example.com/normalized.mp4",
        },
    ),
    DirectCall(
        name="multi-elements/add-selection",
        title="select an object",
        example=_POINTS,
        answer=_SELECTED,
    ),
    DirectCall(
        name="multi-elements/delete-selection",
        title="take points out of a selection",
        example=_POINTS,
        answer=_SELECTED,
    ),
    DirectCall(
        name="multi-elements/clear-selection",
        title="empty a selection",
        example={"session_id": _SESSION},
        answer=_SELECTED,
    ),
    DirectCall(
        name="multi-elements/preview-selection",
        title="see a selection",
        example={"session_id": _SESSION},
        answer=_SELECTED,
    ),
)

ABSENT = MappingProxyType(
    {
        "multi-image2video": (
            "Kling has retired multi-image2video; use /kling/v1/videos/omni-video with "
            "`image_list` in its place."
        ),
        "video-extend": (
            "Kling has retired video-extend; the nearest is /kling/v1/videos/omni-video with the "
            "video in `video_list`."
        ),
        "lip-sync": (
            "Kling has superseded lip-sync; use /kling/v1/videos/advanced-lip-sync in its place."
        ),
    }
)
"""Endpoints that Kling has or had and that are not here, and what to use in their place."""
