"""Kling, legacy generation: `POST /v1/videos/<product>` with a flat body.

Rules enforced here: live and retired `model_name` values by endpoint (retired, and the missing one,
are 404/1203); durations as strings; `mode` words; `sound`, end frame, multi-shot and `4k` by model
and mode; the exclusive groups of image2video; the lists of omni-video and their limits; controls
and masks are refused since only retired models knew them. Unknown fields are ignored.
"""

from collections.abc import Callable, Mapping
from typing import Any

from vidgate.sandbox.images import Picture
from vidgate.sandbox.kling_common import (
    INVALID,
    LEGACY_RESOLUTIONS,
    MALFORMED,
    RATIOS,
    KlingError,
    Order,
    choice,
    clip_for,
    flag,
    flat_order,
    items,
    legacy_model,
    picture_or_url,
    text,
    units_per_second,
)
from vidgate.sandbox.kling_desk import Desk
from vidgate.sandbox.kling_motion import read_motion_control
from vidgate.sandbox.kling_people import identify_face, read_avatar, read_lip_sync
from vidgate.sandbox.kling_scenes import SELECTION_PATHS, read_effects, read_multi_elements

__all__ = ["LEGACY_PATHS", "SYNC_PATHS"]

_CLASSIC: Mapping[str, str] = {
    "kling-v3": "kling-3.0",
    "kling-v2-6": "kling-2.6",
    "kling-v2-5-turbo": "kling-2.5-turbo",
}
"""Live models of text2video and image2video, with their new names."""

_OMNI: Mapping[str, str] = {"kling-v3-omni": "kling-3.0-omni", "kling-video-o1": "kling-o1"}

_LONGEST_PROMPT = 2500
_LONGEST_SHOT = 512
_MOST_SHOTS = 6
_MOST_VOICES = 2
_MOST_ELEMENTS = 3
_MOST_IMAGES = 7
_MOST_IMAGES_WITH_VIDEO = 4
_LARGEST_PICTURE = 10 * 1024 * 1024

_FIVE_OR_TEN = ("5", "10")
_THREE_TO_TEN = tuple(map(str, range(3, 11)))
_THREE_TO_FIFTEEN = tuple(map(str, range(3, 16)))


def _read_text2video(body: Mapping[str, Any], _desk: Desk) -> Order:
    model = _classic_model(body)
    _refuse_controls(body)
    ratio = choice(body, "aspect_ratio", RATIOS, "16:9")
    return _classic_order(body, model, "text2video", RATIOS[ratio], needs_prompt=True)


def _read_image2video(body: Mapping[str, Any], _desk: Desk) -> Order:
    model = _classic_model(body)
    groups = [
        name
        for name, fields in (
            ("image_tail", ("image_tail",)),
            ("masks", ("static_mask", "dynamic_masks")),
            ("camera_control", ("camera_control",)),
        )
        if any(body.get(field) for field in fields)
    ]
    if len(groups) > 1:
        raise KlingError(INVALID, f"{', '.join(groups)} are mutually exclusive")
    _refuse_controls(body)
    if not body.get("image"):
        raise KlingError(INVALID, "image is required")
    first = picture_or_url(body["image"], "image", largest_bytes=_LARGEST_PICTURE)
    if body.get("image_tail"):
        picture_or_url(body["image_tail"], "image_tail", largest_bytes=_LARGEST_PICTURE)
        if model != "kling-v3" and body.get("mode") != "pro":
            raise KlingError(INVALID, f"model/mode({model}/std) is not supported with image_tail")
        if model == "kling-v2-6" and body.get("sound") == "on":
            raise KlingError(INVALID, "sound is not supported with image_tail")
    if _named(body, "element_list", "element_id", most=_MOST_ELEMENTS):
        if model != "kling-v3":
            raise KlingError(INVALID, f"model({model}) is not supported with element_list")
        if body.get("voice_list"):
            raise KlingError(INVALID, "element_list and voice_list are mutually exclusive")
    return _classic_order(body, model, "image2video", _shape(first), needs_prompt=False)


def _read_omni_video(body: Mapping[str, Any], _desk: Desk) -> Order:
    model = legacy_model(body, _OMNI, "kling-video-o1")
    is_new = model == "kling-v3-omni"
    mode = choice(body, "mode", LEGACY_RESOLUTIONS if is_new else ("std", "pro"), "pro")
    first, has_frame = _check_images(body)
    video = _check_video(body, has_frame=has_frame)
    durations = _THREE_TO_FIFTEEN if is_new else _THREE_TO_TEN
    if not is_new and video is None and not _has_references(body):
        durations = _FIVE_OR_TEN
    seconds = _seconds(body, durations)
    ratio = choice(body, "aspect_ratio", RATIOS, None)
    if ratio is None and not has_frame and video != "base":
        raise KlingError(INVALID, "aspect_ratio is required")
    _check_shots(body, seconds, allowed=is_new, needs_prompt=True)
    chooses = body.get("multi_shot") is True and body.get("shot_type") == "intelligence"
    if is_new and video == "feature" and not chooses:
        raise KlingError(INVALID, "a feature video needs multi_shot true, shot_type intelligence")
    sound = choice(body, "sound", ("on", "off"), "off")
    if sound == "on" and video is not None:
        raise KlingError(INVALID, "sound must be off with a video")
    kind = "native" if sound == "on" and is_new else "silent"
    return _order(
        body,
        model=_OMNI[model],
        product="omni-video",
        mode=mode,
        kind=kind if video is None else "video",
        shape=_shape(first) if ratio is None else RATIOS[ratio],
        seconds=seconds,
    )


LEGACY_PATHS: Mapping[str, Callable[[Mapping[str, Any], Desk], Order]] = {
    "/v1/videos/text2video": _read_text2video,
    "/v1/videos/image2video": _read_image2video,
    "/v1/videos/omni-video": _read_omni_video,
    "/v1/videos/motion-control": read_motion_control,
    "/v1/videos/advanced-lip-sync": read_lip_sync,
    "/v1/videos/avatar/image2video": read_avatar,
    "/v1/videos/effects": read_effects,
    "/v1/videos/multi-elements": read_multi_elements,
}
"""What checks the create call of each path; the path is also where its tasks are read."""

SYNC_PATHS: Mapping[str, Callable[[Mapping[str, Any], Desk], dict[str, Any]]] = {
    "/v1/videos/identify-face": identify_face,
    **SELECTION_PATHS,
}
"""What answers at once, without a task."""


def _classic_model(body: Mapping[str, Any]) -> str:
    return legacy_model(body, _CLASSIC, "kling-v1")


def _refuse_controls(body: Mapping[str, Any]) -> None:
    for name in ("camera_control", "static_mask", "dynamic_masks"):
        if body.get(name):
            raise KlingError(INVALID, f"the model is not supported with {name}")


def _classic_order(
    body: Mapping[str, Any], model: str, product: str, shape: float, *, needs_prompt: bool
) -> Order:
    is_new = model == "kling-v3"
    mode = choice(body, "mode", LEGACY_RESOLUTIONS if is_new else ("std", "pro"), "std")
    seconds = _seconds(body, _THREE_TO_FIFTEEN if is_new else _FIVE_OR_TEN)
    _check_shots(body, seconds, allowed=is_new, needs_prompt=needs_prompt)
    text(body, "negative_prompt", longest=_LONGEST_PROMPT)
    scale = body.get("cfg_scale")
    if scale is not None and (
        isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 <= scale <= 1
    ):
        raise KlingError(INVALID, f"cfg_scale value '{scale}' is invalid")
    sound = choice(body, "sound", ("on", "off"), "off")
    if sound == "on" and (model == "kling-v2-5-turbo" or (not is_new and mode != "pro")):
        raise KlingError(INVALID, f"model/mode({model}/{mode}) is not supported with sound")
    voices = _named(body, "voice_list", "voice_id", most=_MOST_VOICES)
    if voices and sound == "off":
        raise KlingError(INVALID, "voice_list needs sound on")
    kind = "native" if sound == "on" else "silent"
    return _order(
        body,
        model=_CLASSIC[model],
        product=product,
        mode=mode,
        kind="voice" if voices and not is_new else kind,
        shape=shape,
        seconds=seconds,
    )


def _order(
    body: Mapping[str, Any],
    *,
    model: str,
    product: str,
    mode: str,
    kind: str,
    shape: float,
    seconds: int,
) -> Order:
    resolution = LEGACY_RESOLUTIONS[mode]
    return flat_order(
        body,
        model=model,
        product=product,
        rate=units_per_second(model, resolution, kind),
        seconds=seconds,
        clip=clip_for(resolution, shape, seconds),
    )


def _named(body: Mapping[str, Any], name: str, key: str, *, most: int) -> list[Mapping[str, Any]]:
    """An optional list of things kept at Kling, each by its id: text, or a long number."""
    entries = items(body, name, most=most)
    for entry in entries:
        value = entry.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int) or not value:
            raise KlingError(MALFORMED, f"{name} needs {key}")
    return entries


def _seconds(body: Mapping[str, Any], allowed: tuple[str, ...]) -> int:
    duration = body.get("duration")
    if duration is not None and not isinstance(duration, str):
        raise KlingError(INVALID, "duration must be a string")
    return int(choice(body, "duration", allowed, "5"))


def _check_shots(
    body: Mapping[str, Any], seconds: int, *, allowed: bool, needs_prompt: bool
) -> None:
    prompt = text(body, "prompt", longest=_LONGEST_PROMPT)
    if not flag(body, "multi_shot", default=False):
        if needs_prompt and (prompt is None or not prompt.strip()):
            raise KlingError(INVALID, "prompt must not be blank")
        return
    if not allowed:
        raise KlingError(INVALID, "the model is not supported with multi_shot")
    shot_type = choice(body, "shot_type", ("customize", "intelligence"), None)
    if shot_type is None:
        raise KlingError(INVALID, "shot_type is required")
    if shot_type == "customize":
        _check_custom_shots(body, seconds)
    elif prompt is None:
        raise KlingError(INVALID, "prompt must not be blank")


def _check_custom_shots(body: Mapping[str, Any], seconds: int) -> None:
    shots = items(body, "multi_prompt", most=_MOST_SHOTS)
    if not shots:
        raise KlingError(INVALID, "multi_prompt is required")
    total = 0
    for shot in shots:
        length = shot.get("duration")
        if not isinstance(length, str) or not length.isdecimal() or int(length) < 1:
            raise KlingError(INVALID, "multi_prompt.duration must be a string of at least 1 second")
        if not isinstance(shot.get("index"), int):
            raise KlingError(MALFORMED, "multi_prompt.index must be a number")
        text(shot, "prompt", longest=_LONGEST_SHOT)
        total += int(length)
    if total != seconds:
        raise KlingError(INVALID, "multi_prompt durations do not add up to duration")


def _check_images(body: Mapping[str, Any]) -> tuple[Picture | None, bool]:
    """The first frame's picture, if it came inline, and whether there is a first frame."""
    video = bool(body.get("video_list"))
    most = _MOST_IMAGES_WITH_VIDEO if video else _MOST_IMAGES
    images = items(body, "image_list", most=most)
    elements = _named(body, "element_list", "element_id", most=most)
    if len(images) + len(elements) > most:
        raise KlingError(INVALID, f"at most {most} images and elements")
    first = None
    kinds = []
    for position, image in enumerate(images):
        name = f"image_list[{position}]"
        kind = choice(image, "type", ("first_frame", "end_frame", ""), "", label=f"{name}.type")
        kinds.append(kind)
        picture = picture_or_url(
            image.get("image_url"), f"{name}.image_url", largest_bytes=_LARGEST_PICTURE
        )
        first = picture if kind == "first_frame" else first
    if "end_frame" in kinds and "first_frame" not in kinds:
        raise KlingError(INVALID, "end_frame needs first_frame")
    return first, "first_frame" in kinds


def _check_video(body: Mapping[str, Any], *, has_frame: bool) -> str | None:
    """How the reference video is used, or `None`."""
    for video in items(body, "video_list", most=1):
        if not str(video.get("video_url")).startswith(("http://", "https://")):
            raise KlingError(INVALID, "video_url must be a URL")
        use: str = choice(video, "refer_type", ("feature", "base"), "base")
        choice(video, "keep_original_sound", ("yes", "no"), "no")
        if use == "base" and has_frame:
            raise KlingError(INVALID, "a base video excludes frames")
        return use
    return None


def _has_references(body: Mapping[str, Any]) -> bool:
    """Whether anything but text and a first frame is given."""
    images = body.get("image_list") or []
    return bool(body.get("element_list")) or any(
        image.get("type") != "first_frame" for image in images
    )


def _shape(picture: Picture | None) -> float:
    return RATIOS["16:9"] if picture is None else picture.ratio
