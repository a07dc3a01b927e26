"""The shapes of Kling's bodies: each is written here, and what it runs is read back from it.

Legacy bodies are flat; those of the new generation have `prompt` or `contents`, `settings` and
`options`. What is paid for follows what is sent, whoever wrote it.

Source: the pages under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from typing_extensions import override

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.base import Action, RunFacts
from vidgate.providers.draft import merge
from vidgate.providers.fields import to_number
from vidgate.providers.kling.generations import (
    is_given,
    objects,
    settings_of,
    to_contents,
    to_references,
)
from vidgate.providers.kling.models import (
    MODE_OF_TIER,
    PRODUCT_NAMES,
    TIER_OF_MODE,
    Product,
    Traits,
)

__all__ = [
    "FACE_FIELDS",
    "NEW_SHAPES",
    "SHAPES",
    "Generic",
    "Inputs",
    "Shape",
    "to_duration",
    "to_word",
]

_DEFAULT_DURATION_SECONDS = 5
"""On every endpoint that has a duration, when none is asked for."""

_MEBIBYTE = 1024 * 1024
_PICTURE_BYTES = 10 * _MEBIBYTE
"""The largest inline picture, decoded, of the legacy API."""
_LARGER_PICTURE_BYTES = 50 * _MEBIBYTE
"""The same, of the new one."""

_SOUNDS = MappingProxyType(
    {"on": True, "true": True, "native": True, "off": False, "false": False, "original": False}
    | {"": False}
)
"""Whether sound is made, by `sound` or `settings.audio`; the client's own video's is not."""

_LEGACY_TYPES: Mapping[Any, str] = MappingProxyType(
    {"first_frame": "first_frame", "end_frame": "last_frame"}
)
"""Of pictures in `image_list`, by those of `contents`."""

_MOTION_FIELDS = ("video_url", "image", "image_url")
"""The legacy words, which the new generation has inside `contents`."""

FACE_FIELDS = (
    *("face_id", "audio_id", "sound_file", "sound_start_time", "sound_end_time"),
    *("sound_insert_time", "sound_volume", "original_audio_volume"),
)
"""Of an entry of `face_choose`; a client may give them beside it, since there is one entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generic:
    """The generic fields that a body begins with.

    Attributes:
        prompt: Empty where it is not used.
        pictures: As they are sent.
        as_frames: Whether they are frames where they would be references.
    """

    prompt: str
    pictures: tuple[str, ...]
    as_frames: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a body works with beside words.

    Attributes:
        action: What follows from it.
        gives_shape: Whether a first frame, or a video to edit, gives the video its shape.
        needs_ratio: Whether the vendor wants an aspect ratio because nothing else gives a shape.
        gives_length: Whether a video to edit, or a sound to speak, gives the video its length.
        has_sound: Whether the vendor is told to make sound.
    """

    action: Action
    gives_shape: bool = False
    needs_ratio: bool = False
    gives_length: bool = False
    has_sound: bool = False


class Shape(ABC):
    """One shape of body, with the names that its tier, its sound and its duration have there."""

    max_image_bytes: ClassVar[int] = _PICTURE_BYTES
    has_duration: ClassVar[bool] = True
    has_prompt: ClassVar[bool] = True
    tier_field: ClassVar[str] = "mode"
    sound_field: ClassVar[str] = "sound"
    duration_field: ClassVar[str] = "duration"

    @abstractmethod
    def write(self, over: Mapping[str, Any], generic: Generic, traits: Traits) -> dict[str, Any]:
        """Write the prompt and the pictures, with the client's own fields laid over them.

        Raises:
            UnsupportedParameterError: Fields have no place in such a body.
        """

    @abstractmethod
    def count(self, body: Mapping[str, Any]) -> Counter[str]:
        """Count what the new generation has in `contents`, by its types."""

    def inputs(self, body: Mapping[str, Any], traits: Traits) -> Inputs:
        """Read what there is to work with."""
        kinds = self.count(body)
        first, last, edits = (kinds[kind] for kind in ("first_frame", "last_frame", "base_video"))
        if not traits.is_omni:
            is_text = not (first or last or body.get("contents"))
            frames = Action.FIRST_LAST_FRAME if last else Action.FIRST_FRAME
            action = Action.TEXT if is_text else frames
        elif edits:
            action = Action.EDIT
        elif first and last:
            action = Action.FIRST_LAST_FRAME
        else:
            references = kinds.total() - kinds["prompt"]
            action = Action.REFERENCES if references else Action.TEXT
            action = Action.FIRST_FRAME if first and references == 1 else action
        # Beside a video to refer to, the new generation wants none.
        has_shape = first or edits or (traits.is_path_model and kinds["feature_video"])
        return Inputs(
            action=action,
            gives_shape=bool(first or edits) if traits.is_omni else action is not Action.TEXT,
            needs_ratio=traits.is_omni and not has_shape,
            gives_length=bool(edits),
            has_sound=self._has_sound(body) is True,
        )

    def settings(self, over: Mapping[str, Any]) -> Mapping[str, Any]:
        """The client's fields among which tier, ratio, sound and duration stand."""
        return over

    def place(self, body: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        """Write tier, ratio and duration, none of which the client wrote itself."""
        return {**body, **settings}

    def to_vendor_duration(self, seconds: float, over: Mapping[str, Any]) -> int | float | str:  # noqa: ARG002 - of a sound it is the end
        """Write a duration."""
        return str(seconds)

    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        """Read what is run."""
        said, default = self.settings(body), traits.default_tier or ""
        word = to_word(said.get(self.tier_field))
        mode = None if traits.is_path_model else word or MODE_OF_TIER.get(default)
        tier = word or default if traits.is_path_model else TIER_OF_MODE.get(mode or "")
        kinds = self.count(body)
        return RunFacts(
            model=traits.name,
            duration_seconds=to_duration(said.get(self.duration_field), inputs),
            resolution=tier or None,
            mode=mode,
            sound=traits.has_sound_always or self._has_sound(body),
            action=inputs.action,
            voice=kinds["voice"] > 0,
            video_input=kinds["base_video"] + kinds["feature_video"] > 0,
        )

    def _has_sound(self, body: Mapping[str, Any]) -> bool | None:
        return _SOUNDS.get(to_word(self.settings(body).get(self.sound_field)))


# Flat bodies


class _Flat(Shape):
    @override
    def write(self, over: Mapping[str, Any], generic: Generic, traits: Traits) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if traits.product not in PRODUCT_NAMES:
            body["model_name"] = traits.name
        if generic.prompt:
            body["prompt"] = generic.prompt
        if generic.pictures:
            body |= self._pictures(generic)
        return merge(body, over)

    @override
    def count(self, body: Mapping[str, Any]) -> Counter[str]:
        return Counter(element=len(objects(body.get("element_list"))))

    @abstractmethod
    def _pictures(self, generic: Generic) -> dict[str, Any]: ...


class _Frames(_Flat):
    """`text2video` and `image2video`."""

    @override
    def _pictures(self, generic: Generic) -> dict[str, Any]:
        return dict(zip(("image", "image_tail"), generic.pictures, strict=False))

    @override
    def count(self, body: Mapping[str, Any]) -> Counter[str]:
        return super().count(body) + Counter(
            first_frame=bool(body.get("image")),
            last_frame=bool(body.get("image_tail")),
            voice=len(objects(body.get("voice_list"))),
        )


class _Omni(_Flat):
    """`omni-video`.

    Every picture is a plain reference, unless `metadata.action` says that they are frames, or
    `metadata` has an `image_list` of its own.
    """

    @override
    def _pictures(self, generic: Generic) -> dict[str, Any]:
        if not generic.as_frames:
            return {"image_list": [{"image_url": picture} for picture in generic.pictures]}
        roles = zip(generic.pictures, ("first_frame", "end_frame"), strict=False)
        return {"image_list": [{"image_url": picture, "type": role} for picture, role in roles]}

    @override
    def count(self, body: Mapping[str, Any]) -> Counter[str]:
        kinds = super().count(body)
        for image in objects(body.get("image_list")):
            kinds[_LEGACY_TYPES.get(str(image.get("type")), "refer_image")] += 1
        for video in objects(body.get("video_list")):
            is_base = video.get("refer_type", "base") == "base"
            kinds["base_video" if is_base else "feature_video"] += 1
        return kinds


class _Product(_Flat):
    """What the bodies of a single action have in common."""

    action: ClassVar[Action]
    image_field: ClassVar[str] = "image"
    gives_length: ClassVar[bool] = True

    @override
    def _pictures(self, generic: Generic) -> dict[str, Any]:
        return {self.image_field: generic.pictures[0]}

    @override
    def inputs(self, body: Mapping[str, Any], traits: Traits) -> Inputs:
        return Inputs(action=self.action, gives_shape=True, gives_length=self.gives_length)


class _Motion(_Product):
    """`motion-control`, whose `mode` must be said."""

    has_duration = False
    action = Action.MOTION
    image_field = "image_url"

    @override
    def place(self, body: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        return {"mode": MODE_OF_TIER["720p"], **body, **settings}


class _Avatar(_Product):
    """`avatar/image2video`: as long as the sound that it speaks."""

    has_duration = False
    action = Action.AVATAR


class _LipSync(_Product):
    """`advanced-lip-sync`; without a session the faces of the video are found first.

    Then the body carries `video_id` or `video_url` too, which are for the first step.
    """

    has_prompt = False
    action = Action.LIP_SYNC
    duration_field = "sound_end_time"

    @override
    def write(self, over: Mapping[str, Any], generic: Generic, traits: Traits) -> dict[str, Any]:
        if "face_choose" in over:
            return merge({}, over)
        face = {name: over[name] for name in FACE_FIELDS if over.get(name) is not None}
        if over.get("session_id"):
            # Without the first step nobody tells where the face begins.
            face.setdefault("sound_insert_time", 0)
        body = {name: value for name, value in over.items() if name not in FACE_FIELDS}
        return merge({"face_choose": [{"sound_start_time": 0, **face}]}, body)

    @override
    def settings(self, over: Mapping[str, Any]) -> Mapping[str, Any]:
        has_end = "face_choose" in over or over.get("sound_end_time") is not None
        return {"sound_end_time": ...} if has_end else {}

    @override
    def place(self, body: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        faces = body.get("face_choose")
        return (
            {**body, "face_choose": [{**faces[0], **settings}]} if settings and faces else {**body}
        )

    @override
    def to_vendor_duration(self, seconds: float, over: Mapping[str, Any]) -> int | float | str:
        start = over.get("sound_start_time")
        return round(seconds * 1000) + (start if isinstance(start, int) else 0)

    @override
    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        return RunFacts(model=traits.name, sound=True, action=self.action)


class _Effects(_Product):
    """`effects`: scenes come and go weekly, so their names are not judged."""

    has_duration = False
    has_prompt = False
    action = Action.EFFECT

    @override
    def write(self, over: Mapping[str, Any], generic: Generic, traits: Traits) -> dict[str, Any]:
        brought = over.get("input")
        has_pictures = isinstance(brought, Mapping) and bool(brought.keys() & {"image", "images"})
        body = self._pictures(generic) if generic.pictures and not has_pictures else {}
        return merge(body, over)

    @override
    def _pictures(self, generic: Generic) -> dict[str, Any]:
        first, *others = generic.pictures
        return {"input": {"images": [first, *others]} if others else {"image": first}}

    @override
    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        brought = body.get("input")
        brought = brought if isinstance(brought, Mapping) else {}
        mode = to_word(brought.get("mode")) or None
        asked = brought.get("duration")
        length = to_duration(asked, Inputs(action=self.action)) if is_given(asked) else None
        return RunFacts(
            model=traits.name,
            # Only older clients say one, and a short one may be read by nobody but the bill.
            duration_seconds=None if length is None else max(length, _DEFAULT_DURATION_SECONDS),
            resolution=TIER_OF_MODE.get(mode or ""),
            mode=mode,
            action=self.action,
        )


class _MultiElements(_Product):
    """`multi-elements`: the last step; the client chose the objects in a session of its own."""

    action = Action.EDIT
    gives_length = False

    @override
    def _pictures(self, generic: Generic) -> dict[str, Any]:
        return {"image_list": [{"image": picture} for picture in generic.pictures]}


# Bodies of the new generation


class _New(Shape):
    """`prompt` from text alone, `contents` on every other endpoint.

    Pictures for an omni model are plain references called `image_1`, `image_2` …, so that the
    prompt can say `@image_1`; unless `metadata.action` says that they are frames, or `metadata`
    has `contents` of its own.
    """

    max_image_bytes = _LARGER_PICTURE_BYTES
    tier_field = "resolution"
    sound_field = "audio"

    @override
    def write(self, over: Mapping[str, Any], generic: Generic, traits: Traits) -> dict[str, Any]:
        fields = dict(over)
        removes_prompt = "prompt" in fields and fields["prompt"] is None
        words = fields.pop("prompt", None)
        if is_given(words) and "contents" in fields:
            raise UnsupportedParameterError("prompt", "Put the prompt in `contents`.")
        entries = to_contents(fields, generic.pictures, traits, as_frames=generic.as_frames)
        if "contents" in fields:
            return merge({}, fields)
        if words is None:
            words = "" if removes_prompt else generic.prompt
        words = to_references(words)
        if entries or traits.is_omni:
            # The vendor takes a text of no characters, and nobody has seen it take no text.
            return merge({"contents": [{"type": "prompt", "text": words}, *entries]}, fields)
        return merge({"prompt": words} if is_given(words) else {}, fields)

    @override
    def settings(self, over: Mapping[str, Any]) -> Mapping[str, Any]:
        return settings_of(over)

    @override
    def place(self, body: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        if not settings:
            return dict(body)
        return {**body, "settings": {**settings, **settings_of(body)}}

    @override
    def to_vendor_duration(self, seconds: float, over: Mapping[str, Any]) -> int | float | str:
        return seconds

    @override
    def count(self, body: Mapping[str, Any]) -> Counter[str]:
        return Counter(str(entry.get("type")) for entry in objects(body.get("contents")))


class _NewMotion(_New):
    """`motion-control` of the new generation, which is given in the legacy words too."""

    has_duration = False

    @override
    def write(self, over: Mapping[str, Any], generic: Generic, traits: Traits) -> dict[str, Any]:
        given = {name: over[name] for name in _MOTION_FIELDS if is_given(over.get(name))}
        others = (*_MOTION_FIELDS, "image_tail", "prompt")
        fields = {name: value for name, value in over.items() if name not in others}
        if is_given(over.get("image_tail")):
            raise UnsupportedParameterError(
                "image_tail", "Motion control has no `image_tail`; give one picture as `image_url`."
            )
        if {"image", "image_url"} <= given.keys():
            raise UnsupportedParameterError("image", "Give one picture, as `image_url`.")
        words = over.get("prompt")
        if "contents" in fields:
            for name in (*(["prompt"] if is_given(words) else []), *given):
                raise UnsupportedParameterError(name, f"Put `{name}` in `contents`, with the rest.")
            return merge({"settings": {}}, fields)
        pictures = (given.get("image_url"), given.get("image"), *generic.pictures)
        media = {"image": next(filter(None, pictures), None), "video": given.get("video_url")}
        entries = [
            {"type": "prompt", "text": to_references(generic.prompt if words is None else words)},
            *({"type": kind, "url": url} for kind, url in media.items() if url is not None),
        ]
        return merge({"contents": entries, "settings": {}}, fields)

    @override
    def inputs(self, body: Mapping[str, Any], traits: Traits) -> Inputs:
        return Inputs(action=Action.MOTION, gives_shape=True, gives_length=True)


SHAPES: Mapping[Product, Shape] = MappingProxyType(
    {
        Product.FRAMES: _Frames(),
        Product.OMNI: _Omni(),
        Product.MOTION: _Motion(),
        Product.LIP_SYNC: _LipSync(),
        Product.AVATAR: _Avatar(),
        Product.EFFECTS: _Effects(),
        Product.MULTI_ELEMENTS: _MultiElements(),
    }
)
NEW_SHAPES: Mapping[Product, Shape] = MappingProxyType(
    {Product.FRAMES: _New(), Product.OMNI: _New(), Product.MOTION: _NewMotion()}
)


def to_word(value: Any) -> str:
    """Spelt as the vendor may take it: a price must not be escaped by a capital letter."""
    return "" if value is None else str(value).strip().lower()


def to_duration(value: Any, inputs: Inputs) -> float | None:
    """Seconds; `None` where the length of a video decides, or the value is no length."""
    if inputs.gives_length:
        return None
    return float(_DEFAULT_DURATION_SECONDS) if value in (None, "") else to_number(value)
