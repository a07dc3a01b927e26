"""The three shapes of a Kling request body, and what is run by them.

Legacy frames (`text2video`, `image2video`), legacy omni (`omni-video`) and the new generation
(`prompt` or `contents`, `settings`, `options`). Each writes a body, and reads the merged one
back: what is paid for follows what is sent, whoever wrote it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from typing_extensions import override

from vidgate.providers.base import Action, RunFacts
from vidgate.providers.kling.capabilities import (
    DEFAULT_DURATION_SECONDS,
    MODE_OF_TIER,
    TIER_OF_MODE,
    Traits,
)
from vidgate.providers.merging import merge

__all__ = ["Inputs", "Overridden", "Wire", "Wish", "wire_of"]

_MEBIBYTE = 1024 * 1024

_SOUNDS = MappingProxyType(
    {"on": True, "true": True, "native": True, "off": False, "false": False, "original": False}
    | {"": False}
)
"""Whether sound is made, by `sound` or `settings.audio`; the client's own video's is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a request brings beside words, `metadata` included.

    Attributes:
        action: What follows from it.
        gives_shape: Whether a first frame, or a video to edit, gives the video its shape.
        needs_ratio: Whether the vendor wants an aspect ratio because nothing else gives a shape.
        gives_length: Whether a video to edit gives the video its length.
    """

    action: Action
    gives_shape: bool = False
    needs_ratio: bool = False
    gives_length: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """Which generic fields `metadata` replaces or removes, so that their values say nothing."""

    prompt: bool
    duration: bool
    tier: bool
    ratio: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The generic fields, checked; empty or `None` is not sent."""

    prompt: str
    pictures: tuple[str, ...]
    duration: int | float | None
    tier: str | None
    ratio: str | None


class Wire(ABC):
    """One shape of body."""

    max_image_bytes: ClassVar[int]
    """The largest picture, decoded."""

    @abstractmethod
    def inputs(self, pictures: Sequence[str], over: Mapping[str, Any], traits: Traits) -> Inputs:
        """Read what there is to work with."""

    @abstractmethod
    def overridden(self, over: Mapping[str, Any], inputs: Inputs, traits: Traits) -> Overridden:
        """Read which generic fields have no effect."""

    @abstractmethod
    def write(self, wish: Wish, inputs: Inputs, traits: Traits) -> dict[str, Any]:
        """Write the body, before `metadata` is laid over it."""

    @abstractmethod
    def has_prompt(self, body: Mapping[str, Any], traits: Traits) -> bool:
        """Whether the merged body of a request without pictures says what to make."""

    @abstractmethod
    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        """Read from the merged body what is run."""


class _LegacyFrames(Wire):
    max_image_bytes = 10 * _MEBIBYTE

    @override
    def inputs(self, pictures: Sequence[str], over: Mapping[str, Any], traits: Traits) -> Inputs:
        view = merge(self._pictures(pictures), over)
        if view.get("image_tail"):
            return Inputs(action=Action.FIRST_LAST_FRAME, gives_shape=True)
        if view.get("image"):
            return Inputs(action=Action.FIRST_FRAME, gives_shape=True)
        return Inputs(action=Action.TEXT)

    @override
    def overridden(self, over: Mapping[str, Any], inputs: Inputs, traits: Traits) -> Overridden:
        return Overridden(
            prompt="prompt" in over,
            duration="duration" in over,
            tier="mode" in over,
            ratio="aspect_ratio" in over,
        )

    @override
    def write(self, wish: Wish, inputs: Inputs, traits: Traits) -> dict[str, Any]:
        body: dict[str, Any] = {"model_name": traits.name}
        if wish.prompt:
            body["prompt"] = wish.prompt
        body |= self._pictures(wish.pictures)
        if wish.tier is not None:
            body["mode"] = MODE_OF_TIER[wish.tier]
        if wish.duration is not None:
            body["duration"] = str(wish.duration)
        if wish.ratio is not None:
            body["aspect_ratio"] = wish.ratio
        return body

    @override
    def has_prompt(self, body: Mapping[str, Any], traits: Traits) -> bool:
        return _says_something(body.get("prompt")) or bool(body.get("multi_prompt"))

    @override
    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        mode = _word(body.get("mode")) or MODE_OF_TIER[traits.default_tier]
        return RunFacts(
            model=traits.name,
            duration_seconds=_duration(body.get("duration"), inputs),
            resolution=TIER_OF_MODE.get(mode),
            mode=mode,
            sound=_SOUNDS.get(_word(body.get("sound"))),
        )

    def _pictures(self, pictures: Sequence[str]) -> dict[str, Any]:
        return dict(zip(("image", "image_tail"), pictures, strict=False))


class _LegacyOmni(_LegacyFrames):
    """Every picture is a plain reference, unless `metadata` has an `image_list` of its own."""

    @override
    def inputs(self, pictures: Sequence[str], over: Mapping[str, Any], traits: Traits) -> Inputs:
        view = merge(self._pictures(pictures), over)
        images = [image.get("type") for image in _objects(view.get("image_list"))]
        videos = [video.get("refer_type", "base") for video in _objects(view.get("video_list"))]
        edits = "base" in videos
        others = bool(videos or view.get("element_list"))
        return Inputs(
            action=_omni_action(
                first="first_frame" in images,
                last="end_frame" in images,
                others=others or len(images) > 1,
                references=others or bool(images),
            ),
            gives_shape="first_frame" in images or edits,
            needs_ratio="first_frame" not in images and not edits,
            gives_length=edits,
        )

    @override
    def _pictures(self, pictures: Sequence[str]) -> dict[str, Any]:
        if not pictures:
            return {}
        return {"image_list": [{"image_url": picture} for picture in pictures]}


class _New(Wire):
    """`prompt` from text alone, `contents` on every other endpoint.

    Pictures for an omni model are plain references called `image_1`, `image_2` …, so that the
    prompt can say `@image_1`; unless `metadata` has `contents` of its own.
    """

    max_image_bytes = 50 * _MEBIBYTE

    @override
    def inputs(self, pictures: Sequence[str], over: Mapping[str, Any], traits: Traits) -> Inputs:
        contents = over.get("contents", self._pictures(pictures, traits))
        kinds = [entry.get("type") for entry in _objects(contents)]
        first, last = "first_frame" in kinds, "last_frame" in kinds
        if not traits.is_omni:
            if last:
                return Inputs(action=Action.FIRST_LAST_FRAME, gives_shape=True)
            if contents:
                return Inputs(action=Action.FIRST_FRAME, gives_shape=True)
            return Inputs(action=Action.TEXT)
        edits = "base_video" in kinds
        has_video = edits or "feature_video" in kinds
        references = [kind for kind in kinds if kind != "prompt"]
        return Inputs(
            action=_omni_action(
                first=first,
                last=last,
                others=len(references) > 1,
                references=bool(references),
            ),
            gives_shape=first or edits,
            needs_ratio=not first and not has_video,
            gives_length=edits,
        )

    @override
    def overridden(self, over: Mapping[str, Any], inputs: Inputs, traits: Traits) -> Overridden:
        settings = over.get("settings", {})
        replaces_all = not isinstance(settings, Mapping)
        return Overridden(
            prompt=("prompt" if _is_words_alone(inputs, traits) else "contents") in over,
            duration=replaces_all or "duration" in settings,
            tier=replaces_all or "resolution" in settings,
            ratio=replaces_all or "aspect_ratio" in settings,
        )

    @override
    def write(self, wish: Wish, inputs: Inputs, traits: Traits) -> dict[str, Any]:
        body: dict[str, Any]
        if _is_words_alone(inputs, traits):
            body = {"prompt": wish.prompt} if wish.prompt else {}
        else:
            # The vendor takes a text of no characters, and nobody has seen it take no text.
            prompt = {"type": "prompt", "text": wish.prompt}
            body = {"contents": [prompt, *self._pictures(wish.pictures, traits)]}
        settings: dict[str, Any] = {}
        if wish.tier is not None:
            settings["resolution"] = wish.tier
        if wish.ratio is not None:
            settings["aspect_ratio"] = wish.ratio
        if wish.duration is not None:
            settings["duration"] = wish.duration
        if settings:
            body["settings"] = settings
        return body

    @override
    def has_prompt(self, body: Mapping[str, Any], traits: Traits) -> bool:
        if not traits.is_omni:
            return _says_something(body.get("prompt"))
        return any(
            entry.get("type") == "prompt" and _says_something(entry.get("text"))
            for entry in _objects(body.get("contents"))
        )

    @override
    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        settings = body.get("settings")
        if not isinstance(settings, Mapping):
            settings = {}
        return RunFacts(
            model=traits.name,
            duration_seconds=_duration(settings.get("duration"), inputs),
            resolution=_word(settings.get("resolution")) or traits.default_tier,
            sound=traits.has_sound_always or _SOUNDS.get(_word(settings.get("audio"))),
        )

    def _pictures(self, pictures: Sequence[str], traits: Traits) -> list[dict[str, Any]]:
        if traits.is_omni:
            return [
                {"type": "refer_image", "url": picture, "id": f"image_{number}"}
                for number, picture in enumerate(pictures, start=1)
            ]
        roles = ("first_frame", "last_frame")
        return [
            {"type": role, "url": picture} for role, picture in zip(roles, pictures, strict=False)
        ]


_LEGACY_FRAMES = _LegacyFrames()
_LEGACY_OMNI = _LegacyOmni()
_NEW = _New()


def wire_of(traits: Traits) -> Wire:
    """The shape that a model's endpoints take."""
    if traits.is_path_model:
        return _NEW
    return _LEGACY_OMNI if traits.is_omni else _LEGACY_FRAMES


def _is_words_alone(inputs: Inputs, traits: Traits) -> bool:
    """Whether the new endpoint takes a `prompt` and no `contents`."""
    return inputs.action is Action.TEXT and not traits.is_omni


def _omni_action(*, first: bool, last: bool, others: bool, references: bool) -> Action:
    if first and last:
        return Action.FIRST_LAST_FRAME
    if first and not others:
        return Action.FIRST_FRAME
    return Action.REFERENCES if references else Action.TEXT


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _says_something(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None


def _word(value: Any) -> str:
    """Spelt as the vendor may take it: a price must not be escaped by a capital letter."""
    return "" if value is None else str(value).strip().lower()


def _duration(value: Any, inputs: Inputs) -> float | None:
    """Seconds; `None` where the length of a video decides, or the value is no length."""
    if inputs.gives_length or isinstance(value, bool):
        return None
    if value is None or value == "":
        return float(DEFAULT_DURATION_SECONDS)
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None
