"""Vidu: the checks of a create call.

Rules enforced here, in this order: required fields (`FieldLacking`), number of images, subjects,
videos and sounds (`FieldItemCountOutOfRange`), the model on this endpoint (`FieldInvalid`, unknown:
`ModelUnavailable`), duration, resolution and ratio by the matrix (`FieldInvalid`), media as http(s)
URL or `data:` URI with MIME type (`ImageFormatInvalid`), sizes and ratios of inline pictures
(`PageSizeOutOfRange`). `off_peak` needs `audio` true on Q3 and false on Q2, Q1 and 2.0; the subject
form and the plain form do not mix; the subject form takes any ratio on Q2 and Q3. A field that the
endpoint does not have is ignored, or refused with `FieldUnwanted` in strict mode.
"""

import re
from collections.abc import Mapping
from typing import Any

from vidgate.sandbox.images import Picture
from vidgate.sandbox.vidu_common import (
    WATERMARK,
    Order,
    ViduError,
    check_types,
    clip_of,
    count,
    echoed,
    inline_part,
    invalid,
    lacking,
    miscounted,
    out_of_range,
    read_image,
    refuse_unwanted,
    whole,
)
from vidgate.sandbox.vidu_edits import EDITS, Sources
from vidgate.sandbox.vidu_models import (
    FRAMES,
    IMAGE,
    MATRIX,
    RATIOS,
    REFERENCE,
    TEXT,
    credits_for,
    is_generation,
    ratios_for,
    resolutions_for,
    row_for,
)
from vidgate.sandbox.vidu_templates import read_story, read_template

__all__ = ["ENDPOINTS", "read_order"]

_CALLER = frozenset({"payload", "callback_url"})

_SHARED = frozenset(
    {
        "model",
        "prompt",
        "duration",
        "seed",
        "resolution",
        "movement_amplitude",
        "bgm",
        "audio",
        "audio_type",
        "off_peak",
        "watermark",
        "wm_position",
        "wm_url",
        "meta_data",
        "payload",
        "callback_url",
    }
)

ENDPOINTS: Mapping[str, frozenset[str]] = {
    TEXT: _SHARED | {"style", "aspect_ratio"},
    IMAGE: _SHARED | {"images", "is_rec", "voice_id"},
    FRAMES: _SHARED | {"images", "is_rec"},
    REFERENCE: _SHARED
    | {"images", "videos", "sounds", "subjects", "auto_subjects", "aspect_ratio", "voice_id"},
    "multiframe": _CALLER | WATERMARK | {"model", "start_image", "image_settings", "resolution"},
    "extend": _CALLER
    | WATERMARK
    | {
        "model",
        "video_creation_id",
        "video_url",
        "images",
        "prompt",
        "duration",
        "resolution",
    },
    "upscale-new": _CALLER | {"video_creation_id", "video_url", "upscale_resolution"},
    "lip-sync": _CALLER
    | {"video_url", "audio_url", "text", "speed", "voice_id", "volume", "ref_photo_url"},
    "template": _CALLER
    | WATERMARK
    | {"template", "images", "prompt", "seed", "aspect_ratio", "area", "beast", "bgm"},
    "template-story": _CALLER | {"story", "images"},
}
"""The fields of each endpoint served."""

_LONGEST_PROMPT = 5000
_LONGEST_Q4_PROMPT = 20_000
_LARGEST_SEED = 2**31 - 1
_SMALLEST_REFERENCE = 128
_FRAME_RATIO = (0.8, 1.25)
_MOST_SUBJECTS = 7
_MOST_SUBJECT_IMAGES = 3
_MOST_VIDEO_SUBJECTS = 2
_MOST_VIDEOS = 2
_MOST_SOUNDS = 3
_RECOMMENDED_COST = 10
_Q2_AUDIO_COST = 15
_AUTOMATIC_SECONDS = 5
_RATIO = re.compile(r"[1-9][0-9]{0,3}:[1-9][0-9]{0,3}")
_LONGEST_SHAPE = 4
"""Of the clips made here, however long the ratio asked for is."""


def read_order(endpoint: str, body: Mapping[str, Any], sources: Sources, *, strict: bool) -> Order:
    """Check a create call.

    Args:
        endpoint: One of `ENDPOINTS`.
        body: The JSON object sent; a null is the same as an absent field.
        sources: Finds the videos made here.
        strict: Whether to refuse fields that the endpoint does not have.

    Raises:
        ViduError: Something about it is not acceptable.
    """
    sent = {name: value for name, value in body.items() if value is not None}
    if endpoint in {TEXT, IMAGE, FRAMES, REFERENCE}:
        return _read_generation(endpoint, sent, strict=strict)
    if endpoint in EDITS:
        order = EDITS[endpoint](sent, sources)
    else:
        order = read_template(sent) if endpoint == "template" else read_story(sent)
    if strict:
        refuse_unwanted(sent, ENDPOINTS[endpoint])
    return order


def _read_generation(endpoint: str, sent: Mapping[str, Any], *, strict: bool) -> Order:
    model = sent.get("model")
    if not isinstance(model, str) or not model:
        raise lacking("model")
    is_q4 = is_generation(model, "q4")
    check_types(sent, endpoint, _LONGEST_Q4_PROMPT if is_q4 else _LONGEST_PROMPT)
    _check_required(endpoint, sent)
    _check_counts(endpoint, model, sent)
    row = row_for(model, endpoint) if model in MATRIX else None
    if row is None:
        if model not in MATRIX:
            raise ViduError(400, "ModelUnavailable", "model unavailable", "model")
        raise invalid("model")
    if strict:
        refuse_unwanted(sent, ENDPOINTS[endpoint])
    seconds = whole(sent, "duration", row.default_seconds)
    if seconds not in row.durations:
        raise invalid("duration")
    resolutions, default = resolutions_for(model, row, seconds)
    resolution = sent.get("resolution", default)
    if resolution not in resolutions:
        raise invalid("resolution")
    ratio = _ratio(endpoint, model, sent)
    if not 0 <= whole(sent, "seed", 0) <= _LARGEST_SEED:
        raise invalid("seed")
    audio = bool(sent.get("audio", is_generation(model, "q3", "q4")))
    off_peak = _off_peak(model, sent, audio=audio)
    pictures = _read_media(endpoint, sent)
    extras = _RECOMMENDED_COST if sent.get("is_rec") else 0
    if audio and is_generation(model, "q2") and endpoint in {IMAGE, REFERENCE}:
        extras += _Q2_AUDIO_COST
    length = seconds or _AUTOMATIC_SECONDS
    shape = _shape_of(ratio)
    if endpoint in {IMAGE, FRAMES} and pictures:
        shape = pictures[0].ratio
    return Order(
        endpoint=endpoint,
        model=model,
        payload=sent.get("payload", ""),
        off_peak=off_peak,
        cost=credits_for(model, endpoint, length, resolution, off_peak=off_peak, extras=extras),
        clip=clip_of(resolution, shape, length),
        echo={
            "model": model,
            "prompt": sent.get("prompt", ""),
            "images": _echoed_images(endpoint, sent),
            "duration": seconds,
            "seed": whole(sent, "seed", 0),
            "resolution": resolution,
            "aspect_ratio": ratio,
            "movement_amplitude": sent.get("movement_amplitude", "auto"),
            "bgm": sent.get("bgm", False),
            "audio": audio,
            "payload": sent.get("payload", ""),
            "off_peak": off_peak,
            "watermark": sent.get("watermark", False),
        },
    )


def _check_required(endpoint: str, sent: Mapping[str, Any]) -> None:
    if endpoint in {TEXT, REFERENCE} and not sent.get("prompt", "").strip():
        raise lacking("prompt")
    if endpoint in {IMAGE, FRAMES} and not sent.get("images"):
        raise lacking("images")
    if endpoint == REFERENCE and not (
        sent.get("images") or sent.get("videos") or sent.get("subjects")
    ):
        raise lacking("images")


def _check_counts(endpoint: str, model: str, sent: Mapping[str, Any]) -> None:
    if endpoint == TEXT:
        return
    counts = {name: count(sent, name) for name in ("images", "videos", "sounds", "subjects")}
    if endpoint in {IMAGE, FRAMES}:
        if counts["images"] != (1 if endpoint == IMAGE else 2):
            raise miscounted("images")
        return
    limits = {
        "images": _most_images(model, has_video=bool(counts["videos"])),
        "videos": _MOST_VIDEOS,
        "sounds": _MOST_SOUNDS,
    }
    for name, most in limits.items():
        if counts[name] > most:
            raise miscounted(name)
    if counts["videos"] and model != "viduq2-pro":
        raise invalid("videos")
    if counts["sounds"] and not is_generation(model, "q4"):
        raise invalid("sounds")
    if counts["subjects"]:
        _check_subjects(model, sent)


def _most_images(model: str, *, has_video: bool) -> int:
    if is_generation(model, "2.0", "1.5"):
        return 3
    if is_generation(model, "q4"):
        return 15
    return 4 if has_video else 7


def _check_subjects(model: str, sent: Mapping[str, Any]) -> None:
    subjects = sent["subjects"]
    if model == "viduq3-mix" or is_generation(model, "q4") or _is_mixed(sent):
        raise ViduError(400, "FieldUnwanted", "unwanted field: subjects", "subjects")
    if len(subjects) > _MOST_SUBJECTS:
        raise miscounted("subjects")
    if sum(bool(_videos_of(subject)) for subject in subjects) > _MOST_VIDEO_SUBJECTS:
        raise miscounted("subjects.videos")
    names = set()
    for subject in subjects:
        if not isinstance(subject, dict):
            raise invalid("subjects")
        name = subject.get("name")
        if not isinstance(name, str) or not name:
            raise lacking("subjects.name")
        if name in names:
            raise invalid("subjects.name")
        names.add(name)
        if count(subject, "videos") and model != "viduq2-pro":
            raise invalid("subjects.videos")
        total = count(subject, "images") + count(subject, "videos")
        if total > _MOST_SUBJECT_IMAGES or (not total and not subject.get("server_id")):
            raise miscounted("subjects.images")


def _is_mixed(sent: Mapping[str, Any]) -> bool:
    """Whether the plain form's fields stand beside subjects."""
    return bool(sent.get("images") or sent.get("videos"))


def _videos_of(subject: Any) -> Any:
    return subject.get("videos") if isinstance(subject, dict) else None


def _ratio(endpoint: str, model: str, sent: Mapping[str, Any]) -> str:
    if endpoint in {IMAGE, FRAMES}:
        return ""
    ratio = sent.get("aspect_ratio", "16:9")
    is_free = bool(sent.get("subjects")) and is_generation(model, "q2", "q3")
    if is_free and isinstance(ratio, str) and _RATIO.fullmatch(ratio):
        return ratio
    if not isinstance(ratio, str) or ratio not in ratios_for(model):
        raise invalid("aspect_ratio")
    return ratio


def _shape_of(ratio: str) -> float:
    if _RATIO.fullmatch(ratio) is None:
        return RATIOS["16:9"]
    width, _, height = ratio.partition(":")
    return min(max(int(width) / int(height), 1 / _LONGEST_SHAPE), _LONGEST_SHAPE)


def _off_peak(model: str, sent: Mapping[str, Any], *, audio: bool) -> bool:
    if not sent.get("off_peak"):
        return False
    needs_audio = is_generation(model, "q3")
    needs_silence = is_generation(model, "q2", "q1", "2.0", "1.5")
    if model == "viduq3-mix" or (needs_audio and not audio) or (needs_silence and audio):
        raise invalid("off_peak")
    return True


def _read_media(endpoint: str, sent: Mapping[str, Any]) -> list[Picture]:
    """The pictures that came inline."""
    if endpoint == TEXT:
        return []
    images = list(sent["images"]) if "images" in sent else []
    if endpoint == REFERENCE:
        for subject in sent.get("subjects", []):
            images += subject.get("images", [])
    for media in (*sent.get("videos", []), *sent.get("sounds", [])):
        inline_part(media)
    encoded = [part for image in images if (part := inline_part(image)) is not None]
    pictures = [read_image(part) for part in encoded]
    if endpoint == REFERENCE and any(
        min(picture.width, picture.height) < _SMALLEST_REFERENCE for picture in pictures
    ):
        raise out_of_range("images")
    if endpoint == FRAMES and len(pictures) > 1:
        first, last = pictures[0], pictures[1]
        proportion = (first.width * first.height) / (last.width * last.height)
        if not _FRAME_RATIO[0] <= proportion <= _FRAME_RATIO[1]:
            raise invalid("images")
    return pictures


def _echoed_images(endpoint: str, sent: Mapping[str, Any]) -> list[str]:
    return [] if endpoint == TEXT else [echoed(image) for image in sent.get("images", [])]
