"""Kling, new generation: `POST /<product>/<model>`, a prompt or `contents`, `settings`, `options`.

Rules enforced here: the path model list (anything else is 404/1203); the table of resolutions,
aspect ratios, durations and audio words by endpoint; the order of checks (prompt-shaped: ratio,
resolution, audio, blank prompt, duration; contents-shaped: duration before text); unknown fields
ignored; the `contents` vocabulary and its cross-field rules; prompt lengths; the shot grammar.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vidgate.sandbox.images import Picture
from vidgate.sandbox.kling_common import (
    INVALID,
    MALFORMED,
    RATIOS,
    KlingError,
    Order,
    choice,
    clip_for,
    flag,
    items,
    members,
    picture_or_url,
    text,
    units_per_second,
)

__all__ = ["PATHS", "PathModel", "read_path_order"]

_SHORT = ("720p", "1080p")
_WITH_4K = (*_SHORT, "4k")
_LONG_RANGE = range(3, 16)
_FIVE_OR_TEN = (5, 10)
_FRAMES = frozenset({"prompt", "first_frame", "last_frame"})
_REFERENCES = _FRAMES | {"refer_image", "feature_video", "base_video", "element"}
_MOST_CONTENTS = 20
_LARGEST_PICTURE = 50 * 1024 * 1024

_MOST_IMAGES = 7
_MOST_IMAGES_WITH_VIDEO = 4
_MOST_ELEMENTS = 3
_MOST_VOICES = 2
_MOST_SHOTS = 6
_LONGEST_SHOT = 512

_SHOT = re.compile(r"\s*(?:shot|镜头)\s*(\d+)\s*,\s*(\d+)\s*,\s*([^;]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathModel:
    """What one endpoint takes; an empty collection means that it has no such field."""

    resolutions: tuple[str, ...] = _SHORT
    ratios: bool = False
    durations: range | tuple[int, ...] = _LONG_RANGE
    audio: tuple[str, ...] = ()
    shots: bool = False
    longest_prompt: int = 2500
    contents: frozenset[str] = frozenset()


PATHS: Mapping[tuple[str, str], PathModel] = {
    ("text-to-video", "kling-3.0-turbo"): PathModel(
        ratios=True, audio=("native", "off"), shots=True, longest_prompt=3072
    ),
    ("text-to-video", "kling-3.0"): PathModel(
        resolutions=_WITH_4K, ratios=True, audio=("native", "off"), shots=True, longest_prompt=3072
    ),
    ("text-to-video", "kling-2.6"): PathModel(
        ratios=True, durations=_FIVE_OR_TEN, audio=("native", "off")
    ),
    ("text-to-video", "kling-2.5-turbo"): PathModel(ratios=True, durations=_FIVE_OR_TEN),
    ("image-to-video", "kling-3.0-turbo"): PathModel(
        audio=("native", "off"), shots=True, contents=_FRAMES - {"last_frame"}
    ),
    ("image-to-video", "kling-3.0"): PathModel(
        resolutions=_WITH_4K,
        audio=("native", "off"),
        shots=True,
        longest_prompt=3072,
        contents=_FRAMES | {"element"},
    ),
    ("image-to-video", "kling-2.6"): PathModel(
        durations=_FIVE_OR_TEN, audio=("native", "off"), contents=_FRAMES | {"voice"}
    ),
    ("image-to-video", "kling-2.5-turbo"): PathModel(durations=_FIVE_OR_TEN, contents=_FRAMES),
    ("omni-video", "kling-3.0-omni"): PathModel(
        resolutions=_WITH_4K,
        ratios=True,
        audio=("native", "original", "off"),
        shots=True,
        longest_prompt=3072,
        contents=_REFERENCES,
    ),
    ("omni-video", "kling-o1"): PathModel(
        ratios=True, durations=range(3, 11), audio=("original", "off"), contents=_REFERENCES
    ),
}
"""Every endpoint served, by product and model."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """The entries of a request, sorted."""

    prompt: str
    counts: Counter[str]
    first: Picture | None


def read_path_order(product: str, model: str, body: Mapping[str, Any]) -> Order:
    """Check a create call.

    Raises:
        KlingError: Something about it is not acceptable.
    """
    rules = PATHS.get((product, model))
    if rules is None:
        raise KlingError(1203, f"model {model} is not supported for this API")
    settings, options = members(body, "settings"), members(body, "options")
    ratio = "16:9"
    if rules.ratios:
        ratio = choice(settings, "aspect_ratio", RATIOS, "16:9", label="video aspect ratio")
    resolution = choice(settings, "resolution", rules.resolutions, "720p", label="video resolution")
    audio = choice(settings, "audio", rules.audio, "off", label="audio") if rules.audio else "off"
    multi_shot = flag(settings, "multi_shot", default=True)
    if rules.contents:
        seconds = choice(settings, "duration", rules.durations, 5, label="duration")
        contents = _read_contents(body, rules)
    else:
        prompt = text(body, "prompt")
        if prompt is None or not prompt.strip():
            raise KlingError(INVALID, "prompt must not be blank")
        if len(prompt) > rules.longest_prompt:
            raise KlingError(INVALID, f"prompt: size must be between 0 and {rules.longest_prompt}")
        seconds = choice(settings, "duration", rules.durations, 5, label="duration")
        contents = _Contents(prompt, Counter(), None)
    if rules.shots and multi_shot:
        _check_shots(contents.prompt, seconds)
    check = _CROSS_CHECKS.get((product, model))
    if check is not None:
        check(contents.counts, settings, resolution, audio, seconds)
    kind = "native" if audio == "native" else "silent"
    if contents.counts["voice"]:
        kind = "voice"
    if contents.counts["feature_video"] or contents.counts["base_video"]:
        kind = "video"
    shape = RATIOS[ratio] if contents.first is None else contents.first.ratio
    return Order(
        model=model,
        product=product,
        prompt=contents.prompt,
        seconds=seconds,
        rate=units_per_second(model, resolution, kind),
        clip=clip_for(resolution, shape, seconds),
        external_id=text(options, "external_task_id"),
        watermark=flag(members(options, "watermark_info"), "enabled", default=False),
        callback_url=text(options, "callback_url"),
    )


def _read_contents(body: Mapping[str, Any], rules: PathModel) -> _Contents:
    entries = items(body, "contents", most=_MOST_CONTENTS)
    if not entries:
        raise KlingError(MALFORMED, "contents must not be empty")
    counts: Counter[str] = Counter()
    prompt, first = "", None
    names: set[str] = set()
    for position, entry in enumerate(entries):
        label = f"contents[{position}]"
        kind = entry.get("type")
        if kind not in rules.contents:
            raise KlingError(INVALID, f"{label}.type value '{kind}' is invalid")
        counts[kind] += 1
        name = text(entry, "id")
        if name is not None and name in names:
            raise KlingError(INVALID, f"{label}.id '{name}' is duplicated")
        if name is not None:
            names.add(name)
        if kind == "prompt":
            prompt = text(entry, "text") or ""
            if len(prompt) > rules.longest_prompt:
                raise KlingError(
                    INVALID, f"{label}.text: size must be between 0 and {rules.longest_prompt}"
                )
        else:
            picture = _read_entry(entry, kind, label)
            first = picture if kind == "first_frame" else first
    _check_counts(counts, needs_frame=rules.contents.isdisjoint({"refer_image"}))
    return _Contents(prompt, counts, first)


def _read_entry(entry: Mapping[str, Any], kind: str, label: str) -> Picture | None:
    if kind in {"element", "voice"}:
        if text(entry, f"{kind}_id") is None or text(entry, "id") is None:
            raise KlingError(MALFORMED, f"{label} needs {kind}_id and id")
        return None
    if kind.endswith("_video"):
        if not str(entry.get("url")).startswith(("http://", "https://")):
            raise KlingError(INVALID, f"{label}.url must be a URL")
        return None
    return picture_or_url(entry.get("url"), f"{label}.url", largest_bytes=_LARGEST_PICTURE)


def _check_counts(counts: Counter[str], *, needs_frame: bool) -> None:
    for kind in ("prompt", "first_frame", "last_frame"):
        if counts[kind] > 1:
            raise KlingError(INVALID, f"contents: at most one {kind}")
    if counts["last_frame"] and not counts["first_frame"]:
        raise KlingError(INVALID, "last_frame needs first_frame")
    if needs_frame and not counts["first_frame"]:
        raise KlingError(INVALID, "first_frame is required")
    if counts["feature_video"] + counts["base_video"] > 1:
        raise KlingError(INVALID, "contents: at most one reference video")


def _check_shots(prompt: str, seconds: int) -> None:
    """Check a prompt written in the shot grammar; any other prompt passes."""
    pieces = [piece for piece in prompt.split(";") if piece.strip()]
    shots = [_SHOT.fullmatch(piece) for piece in pieces]
    if not shots or not all(shots):
        return
    found = [shot for shot in shots if shot is not None]
    if len(found) > _MOST_SHOTS:
        raise KlingError(INVALID, f"at most {_MOST_SHOTS} shots")
    if any(int(shot[2]) < 1 or len(shot[3]) > _LONGEST_SHOT for shot in found):
        raise KlingError(
            INVALID, f"a shot lasts at least 1 s and has at most {_LONGEST_SHOT} chars"
        )
    if sum(int(shot[2]) for shot in found) != seconds:
        raise KlingError(INVALID, "the shots do not add up to the duration")


def _check_2_6(
    counts: Counter[str], settings: Mapping[str, Any], resolution: str, audio: str, seconds: int
) -> None:
    _check_end_frame(counts, settings, resolution, audio, seconds)
    if audio == "native" and resolution != "1080p":
        raise KlingError(INVALID, "audio 'native' is only supported with resolution 1080p")
    if audio == "native" and counts["last_frame"]:
        raise KlingError(INVALID, "audio 'native' is not supported with last_frame")
    if counts["voice"] > _MOST_VOICES or (counts["voice"] and audio == "off"):
        raise KlingError(INVALID, f"at most {_MOST_VOICES} voices, and only with audio 'native'")


def _check_end_frame(
    counts: Counter[str], _settings: Mapping[str, Any], resolution: str, _audio: str, _seconds: int
) -> None:
    if counts["last_frame"] and resolution != "1080p":
        raise KlingError(INVALID, "last_frame is only supported with resolution 1080p")


def _check_elements(
    counts: Counter[str], _settings: Mapping[str, Any], _resolution: str, _audio: str, _seconds: int
) -> None:
    if counts["element"] > _MOST_ELEMENTS:
        raise KlingError(INVALID, f"at most {_MOST_ELEMENTS} elements")


def _check_omni(
    counts: Counter[str], settings: Mapping[str, Any], _resolution: str, audio: str, _seconds: int
) -> None:
    if counts["base_video"]:
        if counts["first_frame"] or settings.get("multi_shot") or audio == "native":
            raise KlingError(INVALID, "base_video excludes frames, multi_shot and audio 'native'")
    elif counts["feature_video"] and (settings.get("multi_shot") is False or audio != "off"):
        raise KlingError(INVALID, "feature_video needs multi_shot true and audio 'off'")
    elif audio == "original" and not counts["feature_video"]:
        raise KlingError(INVALID, "audio 'original' needs a reference video")
    _check_amounts(counts)
    if counts["first_frame"] and counts["element"] > _MOST_ELEMENTS:
        raise KlingError(INVALID, f"at most {_MOST_ELEMENTS} elements with a frame")


def _check_o1(
    counts: Counter[str], _settings: Mapping[str, Any], _resolution: str, audio: str, seconds: int
) -> None:
    has_video = counts["feature_video"] + counts["base_video"]
    if counts["last_frame"] and (counts["element"] or counts["refer_image"] or has_video):
        raise KlingError(INVALID, "first and last frame exclude every other reference")
    if counts["base_video"] and counts["first_frame"]:
        raise KlingError(INVALID, "base_video excludes frames")
    if audio == "original" and not has_video:
        raise KlingError(INVALID, "audio 'original' needs a reference video")
    _check_amounts(counts)
    others = counts.total() - counts["prompt"] - counts["first_frame"]
    if counts["first_frame"] and not others and seconds not in _FIVE_OR_TEN:
        raise KlingError(INVALID, f"duration value '{seconds}' is invalid")


def _check_amounts(counts: Counter[str]) -> None:
    has_video = counts["feature_video"] or counts["base_video"]
    most = _MOST_IMAGES_WITH_VIDEO if has_video else _MOST_IMAGES
    frames = counts["first_frame"] + counts["last_frame"]
    if frames + counts["refer_image"] + counts["element"] > most:
        raise KlingError(INVALID, f"at most {most} images and elements")


_CrossCheck = Callable[[Counter[str], Mapping[str, Any], str, str, int], None]

_CROSS_CHECKS: Mapping[tuple[str, str], _CrossCheck] = {
    ("text-to-video", "kling-2.6"): _check_2_6,
    ("image-to-video", "kling-2.6"): _check_2_6,
    ("image-to-video", "kling-2.5-turbo"): _check_end_frame,
    ("image-to-video", "kling-3.0"): _check_elements,
    ("omni-video", "kling-3.0-omni"): _check_omni,
    ("omni-video", "kling-o1"): _check_o1,
}
