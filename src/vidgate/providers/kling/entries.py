"""Legacy pictures, videos, elements, voices and shots as `contents` of the new generation.

Source: the vendor's model pages under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.kling.models import Traits
from vidgate.providers.kling.wire import is_given, objects
from vidgate.providers.kling.words import CONTENT_WORDS

__all__ = ["NOTHING", "Brought", "element_entries", "read_brought", "take_words", "to_references"]

_REFERENCE = re.compile(r"<<<\s*([A-Za-z]+_[0-9]+)\s*>>>")
"""`<<<image_1>>>`, which the new generation spells `@image_1`."""

_ROLES = MappingProxyType({"first_frame": "first_frame", "end_frame": "last_frame"})
_VIDEOS = MappingProxyType({"feature": "feature_video", "base": "base_video"})
_SOUNDS = MappingProxyType({"yes": "original", "no": "off"})
_SHOT_END = re.compile("[;；]")  # noqa: RUF001 - Chinese punctuation


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What legacy words bring to `contents`.

    Attributes:
        first: A first frame, `None` where no word is for it.
        last: A last frame.
        pictures: Of an `image_list`; `None` where there is none, which leaves the generic ones.
        others: Videos, elements, voices.
    """

    first: Any = None
    last: Any = None
    pictures: tuple[Mapping[str, Any], ...] | None = None
    others: tuple[Mapping[str, Any], ...] = ()

    @property
    def has_pictures(self) -> bool:
        """Whether pictures of `metadata` stand in place of the generic ones."""
        return self.pictures is not None or self.first is not None


NOTHING = Brought()


def to_references(words: Any) -> Any:
    """Spell references in a prompt as the new generation does."""
    return _REFERENCE.sub(r"@\1", words) if isinstance(words, str) else words


def take_words(fields: dict[str, Any], traits: Traits) -> Any:
    """Take the prompt that `metadata` has, its shots in the grammar of the new generation.

    Returns:
        The prompt; `None` where there is none.

    Raises:
        UnsupportedParameterError: Its shots cannot be written so.
    """
    shots, kind = fields.pop("multi_prompt", None), fields.pop("shot_type", None)
    words = fields.pop("prompt", None)
    settings = fields.get("settings") or {}
    if settings.get("multi_shot") is False and not is_given(shots):
        return words  # of what kind there are none does not matter
    if is_given(kind) and kind != "customize":
        raise UnsupportedParameterError(
            "shot_type",
            f"{traits.name} has no `shot_type` but `customize`; leave it out: with "
            "`settings.multi_shot` the model chooses its shots.",
            allowed=("customize",),
        )
    if not is_given(shots):
        if is_given(kind):
            raise UnsupportedParameterError("multi_prompt", "Customized shots need `multi_prompt`.")
        return words
    if settings.get("multi_shot") is not True or not is_given(kind):
        raise UnsupportedParameterError(
            "multi_prompt", "`multi_prompt` needs `multi_shot: true` and `shot_type: customize`."
        )
    if not _is_list(shots):
        raise UnsupportedParameterError("multi_prompt", "`multi_prompt` must be a list of objects.")
    written = []
    for number, shot in enumerate(objects(shots), start=1):
        text, seconds = shot.get("prompt", ""), str(shot.get("duration", ""))
        if not isinstance(text, str) or _SHOT_END.search(text) or not seconds.isdecimal():
            raise UnsupportedParameterError(
                "multi_prompt",
                f"Each shot for {traits.name} needs whole seconds in `duration`, and a `prompt` "
                "without a semicolon.",
            )
        written.append(f"shot {number}, {seconds}, {text};")
    return " ".join(written)


def read_brought(fields: dict[str, Any], traits: Traits) -> Brought:
    """Take what is for `contents` from among the fields.

    Raises:
        UnsupportedParameterError: The endpoint has nothing like a field, or `contents` is given
            too.
    """
    given = {name: fields.pop(name) for name in CONTENT_WORDS if name in fields}
    given = {name: value for name, value in given.items() if is_given(value)}
    for name, value in given.items():
        if "contents" in fields:
            raise UnsupportedParameterError(name, f"Put `{name}` in `contents`, with the rest.")
        if name.endswith("_list") and not _is_list(value):
            raise UnsupportedParameterError(name, f"`{name}` must be a list of objects.")
    first, last = given.get("image"), given.get("image_tail")
    pictures = _pictures(given["image_list"]) if "image_list" in given else None
    if pictures is not None and not traits.is_omni:
        if (first or last) or any(entry["type"] == "refer_image" for entry in pictures):
            raise UnsupportedParameterError(
                "image_list",
                f"{traits.name} takes a first frame as `image` and a last one as `image_tail`; "
                "kling-3.0-omni takes other pictures.",
            )
        pictures = tuple({"type": entry["type"], "url": entry["url"]} for entry in pictures)
    if "video_list" in given:
        _put_sound(given["video_list"], fields, traits)
    return Brought(
        first=first,
        last=last,
        pictures=pictures,
        others=(
            *_videos(given.get("video_list")),
            *element_entries(given.get("element_list")),
            *(
                {"type": "voice", "voice_id": _id(voice.get("voice_id")), "id": f"voice_{number}"}
                for number, voice in enumerate(objects(given.get("voice_list")), start=1)
            ),
        ),
    )


def element_entries(elements: Any) -> list[dict[str, Any]]:
    """Write elements as `contents`, numbered so that the prompt can say `@element_1`."""
    return [
        {"type": "element", "id": f"element_{number}", **element}
        | ({"element_id": _id(element["element_id"])} if "element_id" in element else {})
        for number, element in enumerate(objects(elements), start=1)
    ]


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and len(objects(value)) == len(value)


def _id(value: Any) -> Any:
    """Ids are text here, and were numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _pictures(images: Any) -> tuple[dict[str, Any], ...]:
    entries = []
    for number, image in enumerate(objects(images), start=1):
        kind = image.get("type")
        if is_given(kind) and kind not in tuple(_ROLES):
            raise UnsupportedParameterError(
                "image_list", "A picture has another `type`.", allowed=tuple(_ROLES)
            )
        url = image.get("image_url", image.get("image"))
        if not is_given(url):
            raise UnsupportedParameterError(
                "image_list", "Each picture in `image_list` needs an `image_url`."
            )
        role = _ROLES[str(kind)] if is_given(kind) else "refer_image"
        entries.append({"type": role, "url": url, "id": f"image_{number}"})
    return tuple(entries)


def _videos(videos: Any) -> list[dict[str, Any]]:
    entries = []
    for number, video in enumerate(objects(videos), start=1):
        kind = video.get("refer_type", "base")
        if kind not in tuple(_VIDEOS):
            raise UnsupportedParameterError(
                "video_list", "A video has another `refer_type`.", allowed=tuple(_VIDEOS)
            )
        entries.append(
            {"type": _VIDEOS[kind], "url": video.get("video_url"), "id": f"video_{number}"}
        )
    return entries


def _put_sound(videos: Any, fields: dict[str, Any], traits: Traits) -> None:
    """Say in `settings` whether the sound of the video is kept, which its entry said."""
    for video in objects(videos):
        kept = video.get("keep_original_sound")
        if not is_given(kept):
            continue
        if kept not in tuple(_SOUNDS):
            raise UnsupportedParameterError(
                "video_list",
                f"{traits.name} does not take this as `keep_original_sound`.",
                allowed=tuple(_SOUNDS),
            )
        settings = fields.get("settings") or {}
        # `sound: off` says that none is made, beside which the video's own can be kept.
        if settings.get("audio", "off") not in ("off", _SOUNDS[kept]):
            raise UnsupportedParameterError(
                "video_list", "Beside a video no sound can be made; leave it out or keep its own."
            )
        fields["settings"] = {**settings, "audio": _SOUNDS[kept]}
