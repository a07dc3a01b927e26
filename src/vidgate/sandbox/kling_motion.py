"""Kling: motion control, a picture moved like a video, in both generations.

Rules enforced here: the picture and the video are both required; `character_orientation` is
required, and `image` limits the driving video to 10 s, `video` to 30 s, at least 3 s; legacy `mode`
is required and has no `4k`; one element at most, with 3.0 only; there is no duration and no ratio.
The result is as long as the driving video and has the shape of the picture or of the video.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from vidgate.sandbox.images import Picture
from vidgate.sandbox.kling_common import (
    INVALID,
    LEGACY_RESOLUTIONS,
    MALFORMED,
    RATIOS,
    SHORT_SIDES,
    KlingError,
    Order,
    choice,
    flag,
    flat_order,
    items,
    legacy_model,
    members,
    picture_or_url,
    text,
    units_per_second,
)
from vidgate.sandbox.kling_desk import Desk, Source
from vidgate.sandbox.video import Clip

__all__ = ["MOTION_MODELS", "read_motion_control", "read_path_motion"]

MOTION_MODELS = ("kling-3.0", "kling-2.6")
"""Path models of the new generation."""

_PRODUCT = "motion-control"
_LEGACY: Mapping[str, str] = {"kling-v2-6": "kling-2.6", "kling-v3": "kling-3.0"}
_ORIENTATIONS = ("image", "video")
_LONGEST: Mapping[str, int] = {"image": 10, "video": 30}
_SHORTEST = 3
_SIDES = (340, 3850)
_LONGEST_PROMPT = 2500
_LEGACY_PICTURE = 10 * 1024 * 1024
_PATH_PICTURE = 50 * 1024 * 1024
_MOST_CONTENTS = 20


def read_motion_control(body: Mapping[str, Any], desk: Desk) -> Order:
    """Check a legacy create call.

    Raises:
        KlingError: Something about it is not acceptable.
    """
    model = legacy_model(body, _LEGACY, "kling-v2-6")
    picture = picture_or_url(body.get("image_url"), "image_url", largest_bytes=_LEGACY_PICTURE)
    source = desk.at(body.get("video_url"))
    orientation = _required(body, "character_orientation", _ORIENTATIONS)
    mode = _required(body, "mode", ("std", "pro"))
    choice(body, "keep_original_sound", ("yes", "no"), "yes")
    text(body, "prompt", longest=_LONGEST_PROMPT)
    elements = items(body, "element_list", most=1)
    if elements and model != "kling-v3":
        raise KlingError(INVALID, f"model({model}) is not supported with element_list")
    if any(not element.get("element_id") for element in elements):
        raise KlingError(MALFORMED, "element_list needs element_id")
    resolution = LEGACY_RESOLUTIONS[mode]
    _check_source(source, orientation)
    clip = _clip(picture, source, resolution, "video" if elements else orientation)
    return flat_order(
        body,
        model=_LEGACY[model],
        product=_PRODUCT,
        rate=units_per_second(_LEGACY[model], resolution, "motion"),
        seconds=round(clip.seconds),
        clip=clip,
    )


def read_path_motion(model: str, body: Mapping[str, Any], desk: Desk) -> Order:
    """Check a create call of the new generation.

    Raises:
        KlingError: Something about it is not acceptable.
    """
    if model not in MOTION_MODELS:
        raise KlingError(1203, f"model {model} is not supported for this API")
    settings, options = members(body, "settings"), members(body, "options")
    resolution = choice(settings, "resolution", ("720p", "1080p"), "720p", label="video resolution")
    choice(settings, "audio", ("original", "off"), "original", label="audio")
    orientation = _required(settings, "character_orientation", _ORIENTATIONS)
    found = _sort_contents(body, has_elements=model == "kling-3.0")
    picture = picture_or_url(found["image"], "contents.image.url", largest_bytes=_PATH_PICTURE)
    source = desk.at(found["video"], "contents.video.url")
    _check_source(source, orientation)
    clip = _clip(picture, source, resolution, "video" if "element" in found else orientation)
    return Order(
        model=model,
        product=_PRODUCT,
        prompt=found.get("prompt", ""),
        seconds=round(clip.seconds),
        rate=units_per_second(model, resolution, "motion"),
        clip=clip,
        external_id=text(options, "external_task_id"),
        watermark=flag(members(options, "watermark_info"), "enabled", default=False),
        callback_url=text(options, "callback_url"),
    )


def _sort_contents(body: Mapping[str, Any], *, has_elements: bool) -> dict[str, Any]:
    """The URL of picture and video, the text of the prompt, the id of the element."""
    keys = {"prompt": "text", "image": "url", "video": "url"}
    if has_elements:
        keys["element"] = "element_id"
    entries = items(body, "contents", most=_MOST_CONTENTS)
    found: dict[str, Any] = {}
    counts: Counter[str] = Counter()
    for position, entry in enumerate(entries):
        kind = entry.get("type")
        if kind not in keys:
            raise KlingError(INVALID, f"contents[{position}].type value '{kind}' is invalid")
        counts[kind] += 1
        if counts[kind] > 1:
            raise KlingError(INVALID, f"contents: at most one {kind}")
        if kind == "element" and (text(entry, "element_id") is None or text(entry, "id") is None):
            raise KlingError(MALFORMED, f"contents[{position}] needs element_id and id")
        found[kind] = entry.get(keys[kind])
        if kind == "prompt" and len(text(entry, "text") or "") > _LONGEST_PROMPT:
            raise KlingError(
                INVALID,
                f"contents[{position}].text: size must be between 0 and {_LONGEST_PROMPT}",
            )
    for kind in ("image", "video"):
        if kind not in found:
            raise KlingError(INVALID, f"contents: {kind} is required")
    return found


def _required(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value: str | None = choice(fields, name, allowed, None)
    if value is None:
        raise KlingError(INVALID, f"{name} is required")
    return value


def _check_source(source: Source, orientation: str) -> None:
    source.check((_SHORTEST, _LONGEST[orientation]), sides=_SIDES)


def _clip(picture: Picture | None, source: Source, resolution: str, orientation: str) -> Clip:
    shape = source.clip.ratio
    if orientation == "image":
        shape = RATIOS["16:9"] if picture is None else picture.ratio
    return source.clip.reshaped(SHORT_SIDES[resolution], shape)
