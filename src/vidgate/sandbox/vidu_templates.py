"""Vidu: canned effects and stories, and subjects kept for later.

Rules enforced here: `template` is any name, with at least one picture of 128x128, a prompt of at
most 2000 characters, `area` for `exotic_princess` only and `beast` for `beast_companion` only, each
out of its list; `story` is one of six, `one_shot` with 3 to 10 pictures; a subject has a name and
1 to 3 pictures or videos and costs 5 credits. The prices of templates and stories are made up, and
so are the fields of a subject, which no source lists: they are those of `reference2video`.
"""

from collections.abc import Mapping
from typing import Any

from vidgate.sandbox.images import Picture
from vidgate.sandbox.vidu_common import (
    Order,
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
    whole,
)
from vidgate.sandbox.vidu_models import RATIOS

__all__ = ["SUBJECT_CREDITS", "read_story", "read_subject", "read_template"]

SUBJECT_CREDITS = 5

_LONGEST_PROMPT = 2000
_LARGEST_SEED = 2**31 - 1
_SMALLEST_SIDE = 128
_MOST_IMAGES = 10
_MOST_SUBJECT_MEDIA = 3
_SECONDS = 5
_CREDITS = 20

_ONLY: Mapping[str, tuple[str, frozenset[str]]] = {
    "area": (
        "exotic_princess",
        frozenset(
            {
                "auto",
                "denmark",
                "uk",
                "africa",
                "china",
                "mexico",
                "switzerland",
                "russia",
                "italy",
                "korea",
                "thailand",
                "india",
                "japan",
            }
        ),
    ),
    "beast": (
        "beast_companion",
        frozenset({"auto", "bear", "tiger", "elk", "snake", "lion", "wolf"}),
    ),
}
"""Fields of one template only, with their values."""

_STORIES: Mapping[str, range] = {
    "love_story": range(1, _MOST_IMAGES + 1),
    "workday_feels": range(1, _MOST_IMAGES + 1),
    "monkey_king": range(1, _MOST_IMAGES + 1),
    "pigsy": range(1, _MOST_IMAGES + 1),
    "monk_tang": range(1, _MOST_IMAGES + 1),
    "one_shot": range(3, _MOST_IMAGES + 1),
}
"""How many pictures each story takes."""


def read_template(sent: Mapping[str, Any]) -> Order:
    """Check an effect.

    Raises:
        ViduError: Something about it is not acceptable.
    """
    template = sent.get("template")
    if not isinstance(template, str) or not template:
        raise lacking("template")
    pictures = _pictures(sent, "template", range(1, _MOST_IMAGES + 1))
    if not 0 <= whole(sent, "seed", 0) <= _LARGEST_SEED:
        raise invalid("seed")
    ratio = sent.get("aspect_ratio", "")
    if ratio and (not isinstance(ratio, str) or ratio not in RATIOS):
        raise invalid("aspect_ratio")
    for name, (only, allowed) in _ONLY.items():
        if name in sent and (template.partition("#")[0] != only or sent[name] not in allowed):
            raise invalid(name)
    shape = RATIOS[ratio] if ratio else _shape(pictures)
    return _order(sent, "template", {"template": template, "aspect_ratio": ratio}, shape)


def read_story(sent: Mapping[str, Any]) -> Order:
    """Check a story.

    Raises:
        ViduError: Something about it is not acceptable.
    """
    story = sent.get("story")
    if not story:
        raise lacking("story")
    if not isinstance(story, str) or story not in _STORIES:
        raise invalid("story")
    pictures = _pictures(sent, "template-story", _STORIES[story])
    return _order(sent, "template-story", {"story": story}, _shape(pictures))


def read_subject(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Check a subject and return how it is shown.

    Raises:
        ViduError: Something about it is not acceptable.
    """
    name = sent.get("name")
    if not isinstance(name, str) or not name:
        raise lacking("name")
    check_types(sent, "subjects", _LONGEST_PROMPT)
    images, videos = count(sent, "images"), count(sent, "videos")
    if not images + videos:
        raise lacking("images")
    if images + videos > _MOST_SUBJECT_MEDIA:
        raise miscounted("images")
    for media in (*sent.get("images", []), *sent.get("videos", [])):
        inline_part(media)
    return {
        "name": name,
        "images": [echoed(image) for image in sent.get("images", [])],
        "voice_id": sent.get("voice_id", ""),
    }


def _pictures(sent: Mapping[str, Any], endpoint: str, amounts: range) -> list[Picture]:
    """The pictures that came inline."""
    if not sent.get("images"):
        raise lacking("images")
    check_types(sent, endpoint, _LONGEST_PROMPT)
    if count(sent, "images") not in amounts:
        raise miscounted("images")
    parts = [part for image in sent["images"] if (part := inline_part(image)) is not None]
    pictures = [read_image(part) for part in parts]
    if any(min(picture.width, picture.height) < _SMALLEST_SIDE for picture in pictures):
        raise out_of_range("images")
    return pictures


def _shape(pictures: list[Picture]) -> float:
    return pictures[0].ratio if pictures else RATIOS["16:9"]


def _order(sent: Mapping[str, Any], endpoint: str, shown: dict[str, Any], shape: float) -> Order:
    payload = sent.get("payload", "")
    return Order(
        endpoint=endpoint,
        model=endpoint,
        payload=payload,
        cost=_CREDITS,
        clip=clip_of("720p", shape, _SECONDS),
        echo={
            "prompt": sent.get("prompt", ""),
            "images": [echoed(image) for image in sent["images"]],
            "duration": _SECONDS,
            "seed": whole(sent, "seed", 0),
            "resolution": "720p",
            "aspect_ratio": "",
            "bgm": sent.get("bgm", False),
            "payload": payload,
            "off_peak": False,
            "watermark": sent.get("watermark", False),
            **shown,
        },
    )
