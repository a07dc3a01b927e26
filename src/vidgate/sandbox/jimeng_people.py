"""Jimeng: people moved by a video or by a voice (motion imitation, OmniHuman).

Rules enforced here: motion imitation 2.0 takes one picture (`image_urls` or `binary_data_base64`,
from 480x480, under 4.7 MB), `video_url`, a switch, `callback_url`; 1.0 takes `image_url` and
`video_url`, both texts, not lists; a driving video of the sandbox's own is at most 30 s. OmniHuman:
the subject check takes `image_url`; the video takes `image_url` and `audio_url`, `mask_url` as a
list, a prompt of at most 300 characters, `output_resolution` 720 or 1080, `pe_fast_mode`; both go
through `CVSubmitTask` only, the detection through `CVProcess` only. `#no-subject` in the picture's
URL finds nobody. Sound is not measured: a talking video lasts five seconds.
"""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import orjson

from vidgate.sandbox.jimeng_fields import (
    SIZES,
    Order,
    ServiceError,
    invalid,
    nearest,
    number,
    read_image,
    strings,
)
from vidgate.sandbox.video import FPS, Clip
from vidgate.sandbox.words import words_of

__all__ = ["DETECTION", "OMNI_KEYS", "PEOPLE_KEYS", "detect", "is_omni", "read_people_order"]

DETECTION = "jimeng_realman_avatar_object_detection"
"""The key of `CVProcess`."""

_OMNI = "jimeng_realman_avatar_picture_omni_v15"
_OMNI_OLD = "jimeng_realman_avatar_picture_omni_v2"
_CHECKS = (
    "jimeng_realman_avatar_picture_create_role_omni_v15",
    "jimeng_realman_avatar_picture_create_role_omni",
)
_IMITATION_1 = "jimeng_dream_actor_m1_gen_video_cv"
_IMITATION_2 = "jimeng_dreamactor_m20_gen_video"

OMNI_KEYS = frozenset({_OMNI, _OMNI_OLD, *_CHECKS})
"""Keys of `CVSubmitTask` and `CVGetResult`."""

PEOPLE_KEYS = OMNI_KEYS | {_IMITATION_1, _IMITATION_2}
"""Every key whose submit is checked here."""

_FPS_2 = 25
_SECONDS = 5
_LONGEST_DRIVER = 30.1
_DRIVER_SIDES = (200, 2048)
_VIDEO_ENDINGS = frozenset({"", ".mp4", ".mov", ".webm"})
_SMALLEST_SIDE = 480
_LONGEST_PROMPT = 300
_LARGEST_SEED = 2**31 - 1

_NOTHING = Clip(64, 64, 1)
"""Stands where a job makes no video."""

_PRICES: Mapping[str, float] = {_IMITATION_1: 0.5, _IMITATION_2: 0.4, _OMNI: 1.0, _OMNI_OLD: 1.0}
"""CNY for a second; that of the older OmniHuman is a guess."""

ClipAt = Callable[[str], Clip | None]


def is_omni(req_key: str) -> bool:
    """Whether the key goes through `CVSubmitTask`."""
    return req_key in OMNI_KEYS


def read_people_order(body: Mapping[str, Any], clip_at: ClipAt, closed: frozenset[str]) -> Order:
    """Check a submit.

    Args:
        body: What was sent; its `req_key` is one of `PEOPLE_KEYS`.
        clip_at: Finds the sandbox's own videos by their links.
        closed: The keys that are not opened for the account.

    Raises:
        ServiceError: Something about it is not acceptable.
    """
    req_key = body["req_key"]
    if req_key in closed:
        raise ServiceError(400, 50400, "Access Denied")
    if req_key == _IMITATION_2:
        return _imitation_2(body, clip_at)
    image = url_of(body, "image_url")
    if req_key == _IMITATION_1:
        driver = _driver(body, clip_at)
        width, height = SIZES["720"]["16:9"]
        return _order(body, Clip(width, height, round(driver.seconds * FPS)))
    if req_key in _CHECKS:
        found = 0 if "no-subject" in words_of(image) else 1
        resp_data = orjson.dumps({"status": found}).decode()
        return Order(req_key, "", _NOTHING, 0.0, resp_data=resp_data)
    return _talking(body)


def detect(body: Mapping[str, Any]) -> str:
    """The `resp_data` of a subject detection.

    Raises:
        ServiceError: The call is not acceptable.
    """
    if body.get("req_key") != DETECTION:
        raise invalid("req_key")
    is_empty = "no-subject" in words_of(url_of(body, "image_url"))
    masks = [] if is_empty else ["https://masks.sandbox.invalid/1.png"]
    found = {
        "code": 0,
        "status": 0 if is_empty else 1,
        "object_detection_result": {"mask": {"url": masks}},
    }
    return orjson.dumps(found).decode()


def url_of(body: Mapping[str, Any], name: str) -> str:
    """A field that must be one URL.

    Raises:
        ServiceError: It is absent, or something else.
    """
    value = body.get(name)
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        raise invalid(name)
    return value


def _imitation_2(body: Mapping[str, Any], clip_at: ClipAt) -> Order:
    urls, encoded = strings(body, "image_urls"), strings(body, "binary_data_base64")
    if len(urls) + len(encoded) != 1:
        raise invalid("image_urls")
    if not all(url.startswith(("http://", "https://")) for url in urls):
        raise invalid("image_urls")
    ratio = "16:9"
    for item in encoded:
        picture = read_image(item)
        if min(picture.width, picture.height) < _SMALLEST_SIDE:
            raise invalid("binary_data_base64")
        ratio = nearest(picture.ratio, SIZES["720"])
    driver = _driver(body, clip_at)
    is_cut = _switch(body, "cut_result_first_second_switch", default=True)
    callback_url = body.get("callback_url")
    if callback_url is not None and not isinstance(callback_url, str):
        raise invalid("callback_url")
    width, height = SIZES["720"][ratio]
    frames = max(_FPS_2, round((driver.seconds - is_cut) * _FPS_2))
    return _order(body, Clip(width, height, frames, _FPS_2), callback_url=callback_url or None)


def _talking(body: Mapping[str, Any]) -> Order:
    url_of(body, "audio_url")
    if body["req_key"] == _OMNI_OLD:
        return _order(body, Clip(848, 480, _SECONDS * FPS))
    for mask in strings(body, "mask_url"):
        if not mask.startswith(("http://", "https://")):
            raise invalid("mask_url")
    prompt = body.get("prompt") or ""
    if not isinstance(prompt, str) or len(prompt) > _LONGEST_PROMPT:
        raise invalid("prompt")
    if not -1 <= number(body, "seed", -1) <= _LARGEST_SEED:
        raise invalid("seed")
    tier = number(body, "output_resolution", 1080)
    if str(tier) not in SIZES:
        raise invalid("output_resolution")
    _switch(body, "pe_fast_mode", default=False)
    width, height = SIZES[str(tier)]["16:9"]
    return _order(body, Clip(width, height, _SECONDS * FPS))


def _order(body: Mapping[str, Any], clip: Clip, *, callback_url: str | None = None) -> Order:
    req_key = body["req_key"]
    charge = round(_PRICES[req_key] * clip.seconds, 2)
    return Order(req_key, "", clip, charge, callback_url=callback_url)


def _driver(body: Mapping[str, Any], clip_at: ClipAt) -> Clip:
    url = url_of(body, "video_url")
    try:
        ending = PurePosixPath(urlsplit(url).path).suffix.lower()
    except ValueError as error:
        raise invalid("video_url") from error
    if ending not in _VIDEO_ENDINGS:
        raise invalid("video_url")
    clip = clip_at(url)
    if clip is None:
        return Clip.lasting(1280, 720, _SECONDS)
    least, most = _DRIVER_SIDES
    sides_fit = all(least <= side <= most for side in (clip.width, clip.height))
    if clip.seconds > _LONGEST_DRIVER or not sides_fit:
        raise invalid("video_url")
    return clip


def _switch(body: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise invalid(name)
    return value
