"""Kling: effect templates, and the editing of objects in a video.

Rules enforced here: `effect_scene` is any name; `input` holds `image`, or `images` with two of
them, and the scenes known to be dual take nothing else; videos of effects have no `duration`.
Multi-elements: `init-selection` takes 2-5 or 7-10 s and 720 to 2160 px a side; the selection calls
need its session, at most 10 frames with 1 to 10 points between 0 and 1 each; the create call takes
the session, `edit_mode` with the number of images that goes with it, and a prompt; its videos carry
the `session_id`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from vidgate.sandbox.kling_common import (
    INVALID,
    LEGACY_RESOLUTIONS,
    MALFORMED,
    RATIOS,
    SHORT_SIDES,
    KlingError,
    Order,
    choice,
    clip_for,
    flat_order,
    items,
    members,
    picture_or_url,
    text,
)
from vidgate.sandbox.kling_desk import Desk, Session
from vidgate.sandbox.video import Clip

__all__ = ["SELECTION_PATHS", "read_effects", "read_multi_elements"]

_DUAL_SCENES = frozenset(
    {
        "pet_skateboard",
        "daily_ootd",
        "toss_run",
        "switch_to_silk",
        "studio_look",
        "french_elegance",
        "finger_swipe",
        "smooth_transition",
        "kiss_pro",
        "snow_night_kiss",
        "eternal_kiss",
        "cheers_2026",
        "fight_pro",
        "hug_pro",
        "heart_gesture_pro",
    }
)
_PAIR = 2
_EFFECT_SECONDS = 5
_EFFECT_RATE = 0.4
_EDIT_RATE = 0.9
"""Units per second; no source states them."""

_LARGEST_PICTURE = 10 * 1024 * 1024
_LONGEST_PROMPT = 2500

_SESSION = "selection"
_SPANS = ((2.0, 5.0), (7.0, 10.0))
_SIDES = (720, 2160)
_MOST_FRAMES = 10
_MOST_POINTS = 10
_IMAGES: Mapping[str, tuple[int, ...]] = {"addition": (1, 2), "swap": (1,), "removal": (0,)}


def read_effects(body: Mapping[str, Any], _desk: Desk) -> Order:
    """Check an effect.

    Raises:
        KlingError: Something about it is not acceptable.
    """
    scene = text(body, "effect_scene")
    if scene is None:
        raise KlingError(INVALID, "effect_scene is required")
    given = members(body, "input")
    single, pair = given.get("image"), given.get("images")
    if (single is None) == (pair is None):
        raise KlingError(INVALID, "input needs either image or images")
    if pair is None and scene.partition("#")[0] in _DUAL_SCENES:
        raise KlingError(INVALID, f"effect_scene {scene} needs images")
    if pair is not None and (not isinstance(pair, list) or len(pair) != _PAIR):
        raise KlingError(INVALID, "input.images: size must be 2")
    pictures = [
        picture_or_url(image, "input.image", largest_bytes=_LARGEST_PICTURE)
        for image in (pair or [single])
    ]
    shape = RATIOS["16:9"] if pictures[0] is None else pictures[0].ratio
    return flat_order(
        body,
        model="kling-effects",
        product="effects",
        rate=_EFFECT_RATE,
        seconds=_EFFECT_SECONDS,
        clip=clip_for("720p", shape, _EFFECT_SECONDS),
        has_duration=False,
    )


def read_multi_elements(body: Mapping[str, Any], desk: Desk) -> Order:
    """Check the editing of a video.

    Raises:
        KlingError: Something about it is not acceptable.
    """
    session = desk.session(body, _SESSION)
    edit_mode = choice(body, "edit_mode", _IMAGES, None)
    if edit_mode is None:
        raise KlingError(INVALID, "edit_mode is required")
    images = items(body, "image_list", most=_PAIR)
    if len(images) not in _IMAGES[edit_mode]:
        raise KlingError(INVALID, f"image_list: wrong number of images for {edit_mode}")
    for image in images:
        picture_or_url(image.get("image"), "image_list.image", largest_bytes=_LARGEST_PICTURE)
    prompt = text(body, "prompt", longest=_LONGEST_PROMPT)
    if prompt is None or not prompt.strip():
        raise KlingError(INVALID, "prompt must not be blank")
    text(body, "negative_prompt", longest=_LONGEST_PROMPT)
    mode = choice(body, "mode", ("std", "pro"), "std")
    duration = body.get("duration")
    if duration is not None and not isinstance(duration, str):
        raise KlingError(INVALID, "duration must be a string")
    seconds = int(choice(body, "duration", ("5", "10"), "5"))
    shaped = session.clip.reshaped(SHORT_SIDES[LEGACY_RESOLUTIONS[mode]])
    return flat_order(
        body,
        model="kling-multi-elements",
        product="multi-elements",
        rate=_EDIT_RATE,
        seconds=seconds,
        clip=Clip.lasting(shaped.width, shaped.height, seconds),
        extra={"session_id": body["session_id"]},
    )


def _init_selection(body: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    source = desk.source(body)
    source.check(*_SPANS, sides=_SIDES)
    clip = source.clip
    return {
        "status": 0,
        "session_id": desk.open(Session(_SESSION, desk.account, clip, desk.now)),
        "fps": clip.fps,
        "width": clip.width,
        "height": clip.height,
        "total_duration": round(clip.seconds * 1000),
        "total_frame": clip.frames,
        "normalized_video": body.get("video_url") or "https://img.sandbox.invalid/normalized.mp4",
    }


def _add_selection(body: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    session = desk.session(body, _SESSION)
    frame, count = _points(body, session)
    total = session.points.get(frame, 0) + count
    if total > _MOST_POINTS:
        raise KlingError(INVALID, f"at most {_MOST_POINTS} points in a frame")
    if frame not in session.points and len(session.points) == _MOST_FRAMES:
        raise KlingError(INVALID, f"at most {_MOST_FRAMES} frames")
    session.points[frame] = total
    return _selected(body)


def _delete_selection(body: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    session = desk.session(body, _SESSION)
    frame, count = _points(body, session)
    if session.points.get(frame, 0) < count:
        raise KlingError(INVALID, "the points are not selected")
    session.points[frame] -= count
    if not session.points[frame]:
        del session.points[frame]
    return _selected(body)


def _clear_selection(body: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    desk.session(body, _SESSION).points.clear()
    return _selected(body)


def _preview_selection(body: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    desk.session(body, _SESSION)
    return _selected(body)


SELECTION_PATHS: Mapping[str, Callable[[Mapping[str, Any], Desk], dict[str, Any]]] = {
    "/v1/videos/multi-elements/init-selection": _init_selection,
    "/v1/videos/multi-elements/add-selection": _add_selection,
    "/v1/videos/multi-elements/delete-selection": _delete_selection,
    "/v1/videos/multi-elements/clear-selection": _clear_selection,
    "/v1/videos/multi-elements/preview-selection": _preview_selection,
}
"""What answers the calls before the create call."""


def _selected(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": 0, "session_id": body["session_id"]}


def _points(body: Mapping[str, Any], session: Session) -> tuple[int, int]:
    """The frame, and how many points are named in it."""
    frame = body.get("frame_index")
    if isinstance(frame, bool) or not isinstance(frame, int):
        raise KlingError(MALFORMED, "frame_index must be a whole number")
    if not 0 <= frame < session.clip.frames:
        raise KlingError(INVALID, f"frame_index value '{frame}' is invalid")
    points = items(body, "points", most=_MOST_POINTS)
    if not points:
        raise KlingError(INVALID, "points is required")
    for point in points:
        for axis in ("x", "y"):
            value = point.get(axis)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise KlingError(MALFORMED, f"points.{axis} must be a number")
            if not 0 <= value <= 1:
                raise KlingError(INVALID, f"points.{axis} value '{value}' is invalid")
    return frame, len(points)
