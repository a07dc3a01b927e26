"""Vidu: the checks of a create call.

Rules enforced here, in this order: required fields (`FieldLacking`), number of images, subjects,
videos and sounds (`FieldItemCountOutOfRange`), the model on this endpoint (`FieldInvalid`, unknown:
`ModelUnavailable`), duration, resolution and ratio by the matrix (`FieldInvalid`), media as http(s)
URL or `data:` URI with MIME type (`ImageFormatInvalid`), sizes and ratios of inline pictures
(`PageSizeOutOfRange`). `off_peak` needs `audio` true on Q3 and false on Q2, Q1 and 2.0; the subject
form and the plain form do not mix. A field that the endpoint does not have is ignored, or refused
with `FieldUnwanted` in strict mode.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidgate.sandbox.images import Picture, PictureError, read_picture
from vidgate.sandbox.video import Clip
from vidgate.sandbox.vidu_models import (
    FRAMES,
    IMAGE,
    MATRIX,
    RATIOS,
    REFERENCE,
    SIZES,
    TEXT,
    credits_for,
    is_generation,
    ratios_for,
    resolutions_for,
    row_for,
)

__all__ = ["ENDPOINTS", "Order", "ViduError", "read_order"]

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
}
"""The fields of each endpoint served."""

_LONGEST_PROMPT = 5000
_LONGEST_Q4_PROMPT = 20_000
_LONGEST_PAYLOAD = 1_048_576
_LARGEST_SEED = 2**31 - 1
_LARGEST_PICTURE = 50 * 1024 * 1024
_LONGEST_RATIO = 4.0
_SMALLEST_REFERENCE = 128
_FRAME_RATIO = (0.8, 1.25)
_MOST_SUBJECTS = 7
_MOST_SUBJECT_IMAGES = 3
_MOST_VIDEOS = 2
_MOST_SOUNDS = 3
_RECOMMENDED_COST = 10
_Q2_AUDIO_COST = 15
_AUTOMATIC_SECONDS = 5

_DATA_URI = re.compile(r"data:(image|video|audio)/[\w.+-]+;base64,")

_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "movement_amplitude": ("auto", "small", "medium", "large"),
    "style": ("general", "anime"),
    "audio_type": ("all", "speech_only", "sound_effect_only"),
    "wm_position": (1, 2, 3, 4),
}
_SWITCHES = ("bgm", "audio", "is_rec", "off_peak", "watermark", "auto_subjects")
_TEXTS = ("prompt", "voice_id", "wm_url", "meta_data", "payload", "callback_url")


class ViduError(Exception):
    """A call that Vidu refuses with a reason."""

    def __init__(
        self, status: int, reason: str, message: str, fields: str = "", code: object = None
    ) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self.code = status if code is None else code
        super().__init__(message)


def _invalid(name: str) -> ViduError:
    return ViduError(400, "FieldInvalid", f"invalid field: {name}", name)


def _lacking(name: str) -> ViduError:
    return ViduError(400, "FieldLacking", f"field is missing or empty: {name}", name)


def _miscounted(name: str) -> ViduError:
    message = f"field item count out of range: {name}"
    return ViduError(400, "FieldItemCountOutOfRange", message, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A create call that passed every check, with its defaults filled in."""

    endpoint: str
    model: str
    prompt: str
    payload: str
    off_peak: bool
    cost: int
    clip: Clip
    echo: dict[str, Any]


def read_order(endpoint: str, body: Mapping[str, Any], *, strict: bool) -> Order:
    """Check a create call.

    Raises:
        ViduError: Something about it is not acceptable.
    """
    sent = {name: value for name, value in body.items() if value is not None}
    model = sent.get("model")
    if not isinstance(model, str) or not model:
        raise _lacking("model")
    _check_types(sent)
    _check_required(endpoint, sent)
    _check_counts(endpoint, model, sent)
    row = row_for(model, endpoint) if model in MATRIX else None
    if row is None:
        if model not in MATRIX:
            raise ViduError(400, "ModelUnavailable", "model unavailable", "model")
        raise _invalid("model")
    if strict and (unwanted := sorted(set(sent) - ENDPOINTS[endpoint])):
        raise ViduError(400, "FieldUnwanted", f"unwanted field: {unwanted[0]}", unwanted[0])
    seconds = _whole(sent, "duration", row.default_seconds)
    if seconds not in row.durations:
        raise _invalid("duration")
    resolutions, default = resolutions_for(model, row, seconds)
    resolution = sent.get("resolution", default)
    if resolution not in resolutions:
        raise _invalid("resolution")
    ratio = _ratio(endpoint, model, sent)
    if not 0 <= _whole(sent, "seed", 0) <= _LARGEST_SEED:
        raise _invalid("seed")
    audio = bool(sent.get("audio", is_generation(model, "q3", "q4")))
    off_peak = _off_peak(model, sent, audio=audio)
    pictures = _read_media(endpoint, sent)
    extras = _RECOMMENDED_COST if sent.get("is_rec") else 0
    if audio and is_generation(model, "q2") and endpoint in {IMAGE, REFERENCE}:
        extras += _Q2_AUDIO_COST
    length = seconds or _AUTOMATIC_SECONDS
    shape = RATIOS.get(ratio, RATIOS["16:9"])
    if endpoint in {IMAGE, FRAMES} and pictures:
        shape = pictures[0].ratio
    return Order(
        endpoint=endpoint,
        model=model,
        prompt=sent.get("prompt", ""),
        payload=sent.get("payload", ""),
        off_peak=off_peak,
        cost=credits_for(model, endpoint, length, resolution, off_peak=off_peak, extras=extras),
        clip=_clip(resolution, shape, length),
        echo={
            "model": model,
            "prompt": sent.get("prompt", ""),
            "images": _echoed_images(endpoint, sent),
            "duration": seconds,
            "seed": _whole(sent, "seed", 0),
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


def _check_types(sent: Mapping[str, Any]) -> None:
    for name in _SWITCHES:
        if not isinstance(sent.get(name, False), bool):
            raise _invalid(name)
    for name in _TEXTS:
        if not isinstance(sent.get(name, ""), str):
            raise _invalid(name)
    for name, allowed in _CHOICES.items():
        if name in sent and (sent[name] not in allowed or isinstance(sent[name], bool)):
            raise _invalid(name)
    longest = _LONGEST_PROMPT
    if is_generation(sent["model"], "q4"):
        longest = _LONGEST_Q4_PROMPT
    if len(sent.get("prompt", "")) > longest:
        raise _invalid("prompt")
    if len(sent.get("payload", "")) > _LONGEST_PAYLOAD:
        raise _invalid("payload")


def _check_required(endpoint: str, sent: Mapping[str, Any]) -> None:
    if endpoint in {TEXT, REFERENCE} and not sent.get("prompt", "").strip():
        raise _lacking("prompt")
    if endpoint in {IMAGE, FRAMES} and not sent.get("images"):
        raise _lacking("images")
    if endpoint == REFERENCE and not (
        sent.get("images") or sent.get("videos") or sent.get("subjects")
    ):
        raise _lacking("images")


def _check_counts(endpoint: str, model: str, sent: Mapping[str, Any]) -> None:
    if endpoint == TEXT:
        return
    counts = {name: _count(sent, name) for name in ("images", "videos", "sounds", "subjects")}
    if endpoint in {IMAGE, FRAMES}:
        if counts["images"] != (1 if endpoint == IMAGE else 2):
            raise _miscounted("images")
        return
    limits = {
        "images": _most_images(model, has_video=bool(counts["videos"])),
        "videos": _MOST_VIDEOS,
        "sounds": _MOST_SOUNDS,
    }
    for name, most in limits.items():
        if counts[name] > most:
            raise _miscounted(name)
    if counts["videos"] and model != "viduq2-pro":
        raise _invalid("videos")
    if counts["sounds"] and not is_generation(model, "q4"):
        raise _invalid("sounds")
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
    if model == "viduq3-mix" or is_generation(model, "q4") or sent.get("images"):
        raise ViduError(400, "FieldUnwanted", "unwanted field: subjects", "subjects")
    if len(subjects) > _MOST_SUBJECTS:
        raise _miscounted("subjects")
    names = set()
    for subject in subjects:
        if not isinstance(subject, dict):
            raise _invalid("subjects")
        name = subject.get("name")
        if not isinstance(name, str) or not name:
            raise _lacking("subjects.name")
        if name in names:
            raise _invalid("subjects.name")
        names.add(name)
        count = _count(subject, "images") + _count(subject, "videos")
        if count > _MOST_SUBJECT_IMAGES or (not count and not subject.get("server_id")):
            raise _miscounted("subjects.images")


def _count(sent: Mapping[str, Any], name: str) -> int:
    value = sent.get(name, [])
    if not isinstance(value, list):
        raise _invalid(name)
    return len(value)


def _whole(sent: Mapping[str, Any], name: str, default: int) -> int:
    value = sent.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(name)
    return value


def _ratio(endpoint: str, model: str, sent: Mapping[str, Any]) -> str:
    if endpoint in {IMAGE, FRAMES}:
        return ""
    ratio = sent.get("aspect_ratio", "16:9")
    if not isinstance(ratio, str) or ratio not in ratios_for(model):
        raise _invalid("aspect_ratio")
    return ratio


def _off_peak(model: str, sent: Mapping[str, Any], *, audio: bool) -> bool:
    if not sent.get("off_peak"):
        return False
    needs_audio = is_generation(model, "q3")
    needs_silence = is_generation(model, "q2", "q1", "2.0", "1.5")
    if model == "viduq3-mix" or (needs_audio and not audio) or (needs_silence and audio):
        raise _invalid("off_peak")
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
        _inline_part(media)
    encoded = [part for image in images if (part := _inline_part(image)) is not None]
    pictures = [_read_image(part) for part in encoded]
    if endpoint == REFERENCE and any(
        min(picture.width, picture.height) < _SMALLEST_REFERENCE for picture in pictures
    ):
        raise ViduError(400, "PageSizeOutOfRange", "page size out of range", "images")
    if endpoint == FRAMES and len(pictures) > 1:
        first, last = pictures[0], pictures[1]
        proportion = (first.width * first.height) / (last.width * last.height)
        if not _FRAME_RATIO[0] <= proportion <= _FRAME_RATIO[1]:
            raise _invalid("images")
    return pictures


def _inline_part(media: Any) -> str | None:
    """The Base64 of a `data:` URI; `None` for a URL."""
    if isinstance(media, str):
        if media.startswith(("http://", "https://")):
            return None
        found = _DATA_URI.match(media)
        if found is not None:
            return media[found.end() :]
    raise ViduError(400, "ImageFormatInvalid", "invalid image format", "images")


def _read_image(part: str) -> Picture:
    try:
        picture = read_picture(part)
    except PictureError as error:
        raise ViduError(400, "ImageFormatInvalid", "invalid image format", "images") from error
    if picture.elongation >= _LONGEST_RATIO or picture.size_bytes > _LARGEST_PICTURE:
        raise ViduError(400, "PageSizeOutOfRange", "page size out of range", "images")
    return picture


def _clip(resolution: str, shape: float, seconds: int) -> Clip:
    short = SIZES[resolution]
    long = round(short * max(shape, 1 / shape) / 2) * 2
    width, height = (long, short) if shape >= 1 else (short, long)
    return Clip.lasting(width, height, seconds)


def _echoed_images(endpoint: str, sent: Mapping[str, Any]) -> list[str]:
    return [] if endpoint == TEXT else [_echoed(image) for image in sent.get("images", [])]


def _echoed(image: object) -> str:
    return (
        image
        if isinstance(image, str) and image.startswith("http")
        else "https://img.sandbox.invalid/uploaded.png"
    )
