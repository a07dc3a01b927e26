"""Vidu: videos made from videos, and from a row of frames (multiframe, extend, upscale, lip-sync).

Rules enforced here: multiframe and extend for `viduq2-pro` and `viduq2-turbo` only; 2 to 9 key
frames of 2 to 7 s; an extension of 1 to 7 s, a source of 4 to 60 s, at most one last frame;
upscaling of at most 300 s at under 60 frames a second, to more than the source has or the task
fails; lip-sync by `audio_url`, or by a text of 4 to 2000 characters with its pauses, speed and
volume. A `video_creation_id` must be a result of the account (404 `CreationNotFound`); it wins over
`video_url`. What the sandbox made itself is measured, every other video counts as five seconds of
720p. No prices are known for upscaling and lip-sync: those here are made up.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vidgate.sandbox.video import Clip
from vidgate.sandbox.vidu_common import (
    Order,
    ViduError,
    check_types,
    clip_of,
    count,
    echoed,
    inline_part,
    invalid,
    lacking,
    media_url,
    miscounted,
    read_image,
    whole,
)
from vidgate.sandbox.vidu_models import MATRIX, RATIOS

__all__ = ["EDITS", "Sources"]

_MODELS = ("viduq2-pro", "viduq2-turbo")
_RESOLUTIONS = ("540p", "720p", "1080p")
_CURVES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "viduq2-turbo": {"540p": (10, 2), "720p": (15, 5), "1080p": (40, 10)},
    "viduq2-pro": {"540p": (15, 5), "720p": (30, 10), "1080p": (60, 15)},
}
"""Credits for a task, and for each second of it."""

_KEY_FRAMES = range(2, 10)
_FRAME_SECONDS = range(2, 8)
_EXTRA_SECONDS = range(1, 8)
_DEFAULT_SECONDS = 5
_EXTENDED = (4.0, 60.1)
_UPSCALED_SECONDS = 300.1
_UPSCALED_FPS = 60
_SPOKEN_SECONDS = (1.0, 600.1)
_SPOKEN_SIDES = (360, 4096)

_LONGEST_PROMPT = 2000
_TEXT_LENGTHS = range(4, 2001)
_PAUSE = re.compile(r"<#([^#]*)#>")
_PAUSES = (0.01, 99.99)
_SPEEDS = (0.5, 2.0)
_VOLUMES = (0.0, 10.0)

_UPSCALES: Mapping[str, tuple[int, int]] = {
    "1080p": (1080, 5),
    "2K": (1440, 10),
    "4K": (2160, 20),
    "8K": (4320, 40),
}
"""Short side, and credits for a second."""

_LIP_CREDITS = 10

_UPSCALE_FORMATS = frozenset({"mp4", "flv", "hls", "m3u8", "mxf", "mov", "ts", "webm", "mkv"})
_EXTEND_FORMATS = frozenset({"mp4", "avi", "mov"})
_LIP_FORMATS = frozenset({"mp4", "mov", "avi"})
_SOUND_FORMATS = frozenset({"wav", "mp3", "wma", "m4a", "aac", "ogg"})

_ASSUMED = Clip.lasting(1280, 720, 5)


@dataclass(frozen=True, slots=True)
class Sources:
    """Finds videos made here: by the id of the creation, and by its link."""

    by_id: Callable[[str], Clip | None]
    by_url: Callable[[str], Clip | None]


@dataclass(frozen=True, slots=True)
class _Source:
    clip: Clip
    is_known: bool


def _read_multiframe(sent: Mapping[str, Any], _sources: Sources) -> Order:
    model = _model(sent)
    if not sent.get("start_image"):
        raise lacking("start_image")
    if not sent.get("image_settings"):
        raise lacking("image_settings")
    check_types(sent, "multiframe", _LONGEST_PROMPT)
    if count(sent, "image_settings") not in _KEY_FRAMES:
        raise miscounted("image_settings")
    _check_model(model)
    resolution = _resolution(sent)
    seconds = 0
    shown = []
    for setting in sent["image_settings"]:
        if not isinstance(setting, dict):
            raise invalid("image_settings")
        if not setting.get("key_image"):
            raise lacking("image_settings.key_image")
        prompt = setting.get("prompt") or ""
        if not isinstance(prompt, str) or len(prompt) > _LONGEST_PROMPT:
            raise invalid("image_settings.prompt")
        length = whole(setting, "duration", _DEFAULT_SECONDS)
        if length not in _FRAME_SECONDS:
            raise invalid("image_settings.duration")
        seconds += length
        part = inline_part(setting["key_image"], "image_settings")
        if part is not None:
            read_image(part)
        shown.append(
            {"prompt": prompt, "key_image": echoed(setting["key_image"]), "duration": length}
        )
    part = inline_part(sent["start_image"], "start_image")
    shape = RATIOS["16:9"] if part is None else read_image(part).ratio
    return _order(
        "multiframe",
        sent,
        model=model,
        cost=_on_curve(model, resolution, seconds),
        clip=clip_of(resolution, shape, seconds),
        shown={
            "start_image": echoed(sent["start_image"]),
            "image_settings": shown,
            "duration": seconds,
            "resolution": resolution,
        },
    )


def _read_extend(sent: Mapping[str, Any], sources: Sources) -> Order:
    model = _model(sent)
    if not (sent.get("video_creation_id") or sent.get("video_url")):
        raise lacking("video_creation_id")
    check_types(sent, "extend", _LONGEST_PROMPT)
    if count(sent, "images") > 1:
        raise miscounted("images")
    _check_model(model)
    seconds = whole(sent, "duration", _DEFAULT_SECONDS)
    if seconds not in _EXTRA_SECONDS:
        raise invalid("duration")
    resolution = _resolution(sent)
    for image in sent.get("images", []):
        part = inline_part(image)
        if part is not None:
            read_image(part)
    source = _source(sent, sources, _EXTEND_FORMATS)
    _check_length(source, _EXTENDED)
    base = source.clip
    clip = clip_of(resolution, base.ratio, seconds)
    return _order(
        "extend",
        sent,
        model=model,
        cost=_on_curve(model, resolution, seconds),
        clip=Clip(clip.width, clip.height, round(base.seconds * clip.fps) + seconds * clip.fps),
        shown={
            "images": [echoed(image) for image in sent.get("images", [])],
            "duration": seconds,
            "resolution": resolution,
        },
    )


def _read_upscale(sent: Mapping[str, Any], sources: Sources) -> Order:
    if not (sent.get("video_creation_id") or sent.get("video_url")):
        raise lacking("video_creation_id")
    check_types(sent, "upscale-new", _LONGEST_PROMPT)
    resolution = sent.get("upscale_resolution", "1080p")
    if not isinstance(resolution, str) or resolution not in _UPSCALES:
        raise invalid("upscale_resolution")
    source = _source(sent, sources, _UPSCALE_FORMATS)
    _check_length(source, (0.0, _UPSCALED_SECONDS))
    if source.clip.fps >= _UPSCALED_FPS:
        raise invalid("video_url")
    short, price = _UPSCALES[resolution]
    clip = source.clip
    is_small = source.is_known and short <= min(clip.width, clip.height)
    return _order(
        "upscale-new",
        sent,
        model="upscale-new",
        cost=price * math.ceil(int(clip.seconds)),
        clip=clip if is_small else clip.reshaped(short),
        shown={"upscale_resolution": resolution, "resolution": resolution},
        late_failure="FieldInvalid" if is_small else None,
    )


def _read_lip_sync(sent: Mapping[str, Any], sources: Sources) -> Order:
    url = media_url(sent, "video_url", _LIP_FORMATS)
    has_sound = bool(sent.get("audio_url"))
    if not has_sound and not sent.get("text"):
        raise lacking("audio_url")
    check_types(sent, "lip-sync", _LONGEST_PROMPT)
    if has_sound:
        media_url(sent, "audio_url", _SOUND_FORMATS)
    else:
        _check_speech(sent)
    if sent.get("ref_photo_url"):
        part = inline_part(sent["ref_photo_url"], "ref_photo_url")
        if part is not None:
            read_image(part)
    known = sources.by_url(url)
    source = _Source(known or _ASSUMED, known is not None)
    _check_length(source, _SPOKEN_SECONDS)
    clip = source.clip
    least, most = _SPOKEN_SIDES
    if not all(least <= side <= most for side in (clip.width, clip.height)):
        raise invalid("video_url")
    return _order(
        "lip-sync",
        sent,
        model="lip-sync",
        cost=_LIP_CREDITS * math.ceil(int(clip.seconds)),
        clip=clip,
        shown={},
    )


EDITS: Mapping[str, Callable[[Mapping[str, Any], Sources], Order]] = {
    "multiframe": _read_multiframe,
    "extend": _read_extend,
    "upscale-new": _read_upscale,
    "lip-sync": _read_lip_sync,
}
"""What checks the create call of each endpoint; absent and null fields are the same."""


def _model(sent: Mapping[str, Any]) -> str:
    model = sent.get("model")
    if not isinstance(model, str) or not model:
        raise lacking("model")
    return model


def _check_model(model: str) -> None:
    if model not in MATRIX:
        raise ViduError(400, "ModelUnavailable", "model unavailable", "model")
    if model not in _MODELS:
        raise invalid("model")


def _resolution(sent: Mapping[str, Any]) -> str:
    resolution = sent.get("resolution", "720p")
    if not isinstance(resolution, str) or resolution not in _RESOLUTIONS:
        raise invalid("resolution")
    return resolution


def _source(sent: Mapping[str, Any], sources: Sources, formats: frozenset[str]) -> _Source:
    creation_id = sent.get("video_creation_id")
    if not creation_id:
        known = sources.by_url(media_url(sent, "video_url", formats))
        return _Source(known or _ASSUMED, known is not None)
    if not isinstance(creation_id, str):
        raise invalid("video_creation_id")
    clip = sources.by_id(creation_id)
    if clip is None:
        raise ViduError(404, "CreationNotFound", "creation not found", "video_creation_id")
    return _Source(clip, is_known=True)


def _check_length(source: _Source, span: tuple[float, float]) -> None:
    if not span[0] <= source.clip.seconds <= span[1]:
        raise invalid("video_url")


def _check_speech(sent: Mapping[str, Any]) -> None:
    text = sent["text"]
    if not isinstance(text, str) or len(text) not in _TEXT_LENGTHS:
        raise invalid("text")
    for pause in _PAUSE.findall(text):
        try:
            seconds = float(pause)
        except ValueError as error:
            raise invalid("text") from error
        if not _PAUSES[0] <= seconds <= _PAUSES[1]:
            raise invalid("text")
    for name, (least, most) in (("speed", _SPEEDS), ("volume", _VOLUMES)):
        value = sent.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise invalid(name)
        if not least <= value <= most:
            raise invalid(name)


def _on_curve(model: str, resolution: str, seconds: int) -> int:
    fixed, further = _CURVES[model][resolution]
    return fixed + further * seconds


def _order(
    endpoint: str,
    sent: Mapping[str, Any],
    *,
    model: str,
    cost: int,
    clip: Clip,
    shown: dict[str, Any],
    late_failure: str | None = None,
) -> Order:
    payload = sent.get("payload", "")
    return Order(
        endpoint=endpoint,
        model=model,
        payload=payload,
        cost=cost,
        clip=clip,
        echo={
            "model": sent.get("model", ""),
            "prompt": sent.get("prompt", ""),
            "images": [],
            "seed": 0,
            "resolution": "",
            "aspect_ratio": "",
            "bgm": False,
            "payload": payload,
            "off_peak": False,
            "watermark": sent.get("watermark", False),
            **shown,
        },
        late_failure=late_failure,
    )
