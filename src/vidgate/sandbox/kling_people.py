"""Kling: talking people, by lip-sync in two steps or as an avatar made from a picture.

Rules enforced here: `identify-face` answers at once, for a video of 2 to 60 s and 512 to 2160 px a
side, with a session and its faces; `advanced-lip-sync` needs that session, exactly one entry in
`face_choose` with a face of it, exactly one of `audio_id` and `sound_file`, whole milliseconds, a
cut of at least 2 s that overlaps the face's time by at least 2 s, volumes from 0 to 2. An avatar
needs `image` and exactly one of `audio_id` and `sound_file`. Sound is a URL or Base64 of at most
5 MB; its length is not measured, an avatar speaks for five seconds. `#no-face` in the URL of a
video finds no face in it.
"""

import base64
import binascii
import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from vidgate.sandbox.kling_common import (
    INVALID,
    LEGACY_RESOLUTIONS,
    MALFORMED,
    RATIOS,
    KlingError,
    Order,
    choice,
    clip_for,
    flat_order,
    items,
    picture_or_url,
    text,
    units_per_second,
)
from vidgate.sandbox.kling_desk import Desk, Session
from vidgate.sandbox.words import words_of

__all__ = ["identify_face", "read_avatar", "read_lip_sync"]

_SESSION = "face"
_FACE_SIDES = (512, 2160)
_FACE_SECONDS = (2.0, 60.0)
_LEAST_MS = 2000
_LOUDEST = 2
_LARGEST_SOUND = 5 * 1024 * 1024
_SOUND_ENDINGS = frozenset({"", ".mp3", ".wav", ".m4a", ".aac"})
_LARGEST_PICTURE = 10 * 1024 * 1024
_LONGEST_PROMPT = 2500
_AVATAR_SECONDS = 5
_LIP_STEP = 5
"""Seconds that are charged at a time."""

_LIP_RATE = 0.1


def identify_face(body: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    """Open a session on a video.

    Raises:
        KlingError: The video is not acceptable.
    """
    source = desk.source(body)
    source.check(_FACE_SECONDS, sides=_FACE_SIDES)
    faces: tuple[tuple[str, int, int], ...] = (("0", 0, round(source.clip.seconds * 1000)),)
    if "no-face" in words_of(body.get("video_url")):
        faces = ()
    session = Session(_SESSION, desk.account, source.clip, desk.now, faces)
    return {
        "session_id": desk.open(session),
        "face_data": [
            {
                "face_id": face_id,
                "face_image": "https://img.sandbox.invalid/face.png",
                "start_time": start,
                "end_time": end,
            }
            for face_id, start, end in faces
        ],
    }


def read_lip_sync(body: Mapping[str, Any], desk: Desk) -> Order:
    """Check the second step.

    Raises:
        KlingError: Something about it is not acceptable.
    """
    session = desk.session(body, _SESSION)
    chosen = items(body, "face_choose", most=1)
    if not chosen:
        raise KlingError(INVALID, "face_choose is required")
    _check_face(chosen[0], session)
    seconds = session.clip.seconds
    return flat_order(
        body,
        model="kling-lip-sync",
        product="advanced-lip-sync",
        rate=_LIP_RATE,
        seconds=math.ceil(int(seconds) / _LIP_STEP) * _LIP_STEP,
        clip=session.clip,
    )


def read_avatar(body: Mapping[str, Any], _desk: Desk) -> Order:
    """Check a talking head.

    Raises:
        KlingError: Something about it is not acceptable.
    """
    picture = picture_or_url(body.get("image"), "image", largest_bytes=_LARGEST_PICTURE)
    _check_sound(body)
    text(body, "prompt", longest=_LONGEST_PROMPT)
    resolution = LEGACY_RESOLUTIONS[choice(body, "mode", ("std", "pro"), "std")]
    shape = RATIOS["16:9"] if picture is None else picture.ratio
    return flat_order(
        body,
        model="kling-avatar",
        product="avatar",
        rate=units_per_second("kling-avatar", resolution, "silent"),
        seconds=_AVATAR_SECONDS,
        clip=clip_for(resolution, shape, _AVATAR_SECONDS),
    )


def _check_face(face: Mapping[str, Any], session: Session) -> None:
    face_id = text(face, "face_id")
    window = next(((start, end) for name, start, end in session.faces if name == face_id), None)
    if window is None:
        raise KlingError(INVALID, f"face_id value '{face_id}' is invalid")
    _check_sound(face)
    names = ("sound_start_time", "sound_end_time", "sound_insert_time")
    start, end, insert = (_milliseconds(face, name) for name in names)
    if end - start < _LEAST_MS:
        raise KlingError(INVALID, "the cropped sound must last at least 2 seconds")
    if min(window[1], insert + end - start) - max(window[0], insert) < _LEAST_MS:
        raise KlingError(INVALID, "sound and face must overlap by at least 2 seconds")
    for name in ("sound_volume", "original_audio_volume"):
        volume = face.get(name, 1)
        if isinstance(volume, bool) or not isinstance(volume, int | float):
            raise KlingError(MALFORMED, f"{name} must be a number")
        if not 0 <= volume <= _LOUDEST:
            raise KlingError(INVALID, f"{name} value '{volume}' is invalid")


def _milliseconds(face: Mapping[str, Any], name: str) -> int:
    value = face.get(name)
    if value is None:
        raise KlingError(INVALID, f"{name} is required")
    if isinstance(value, bool) or not isinstance(value, int):
        raise KlingError(MALFORMED, f"{name} must be a whole number of milliseconds")
    if value < 0:
        raise KlingError(INVALID, f"{name} value '{value}' is invalid")
    return value


def _check_sound(fields: Mapping[str, Any]) -> None:
    audio_id, sound = text(fields, "audio_id"), text(fields, "sound_file")
    if (audio_id is None) == (sound is None):
        raise KlingError(INVALID, "give either audio_id or sound_file")
    if sound is None:
        return
    if sound.startswith(("http://", "https://")):
        if PurePosixPath(urlsplit(sound).path).suffix.lower() not in _SOUND_ENDINGS:
            raise KlingError(INVALID, "sound_file is invalid: format must be mp3, wav, m4a or aac")
        return
    try:
        size = len(base64.b64decode(sound, validate=True))
    except (binascii.Error, ValueError) as error:
        raise KlingError(INVALID, "sound_file is invalid: not a URL and not base64") from error
    if size > _LARGEST_SOUND:
        raise KlingError(INVALID, "sound_file is invalid: size exceeds the limit")
