"""The shapes of Kling's bodies: each is written here, and what it runs is read back from it.

Legacy bodies are flat; those of the new generation have `prompt` or `contents`, `settings` and
`options`. What is paid for follows what is sent, whoever wrote it.

Source: the pages under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

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

__all__ = ["FACE_FIELDS", "Generic", "Inputs", "Shape", "to_duration", "to_word"]

_DEFAULT_DURATION_SECONDS = 5
"""On every endpoint that has a duration, when none is asked for."""

_MEBIBYTE = 1024 * 1024
_PICTURE_MEBIBYTES = {False: 10, True: 50}
"""The largest inline picture, decoded, of the legacy API and of the new one."""

_SOUNDS: Final = {
    **dict.fromkeys(("on", "true", "native"), True),
    **dict.fromkeys(("off", "false", "original", ""), False),
}
"""Whether sound is made, by `sound` or `settings.audio`; the client's own video's is not."""

_LEGACY_TYPES: Final = {"first_frame": "first_frame", "end_frame": "last_frame"}
"""Of pictures in `image_list`, by those of `contents`."""

_MOTION_FIELDS = ("video_url", "image", "image_url")
"""The legacy words, which the new generation has inside `contents`."""

FACE_FIELDS = (
    *("face_id", "audio_id", "sound_file", "sound_start_time", "sound_end_time"),
    *("sound_insert_time", "sound_volume", "original_audio_volume"),
)
"""Of an entry of `face_choose`; a client may give them beside it, since there is one entry."""


class Generic(NamedTuple):
    """The generic fields that a body begins with: the prompt is empty where it is not used."""

    prompt: str
    pictures: tuple[str, ...]
    as_frames: bool
    """Whether pictures are frames where they would be references."""


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


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of body, with the names that its tier, its sound and its duration have there."""

    product: Product
    is_new: bool

    @property
    def max_image_bytes(self) -> int:
        """Of a decoded picture."""
        return _PICTURE_MEBIBYTES[self.is_new] * _MEBIBYTE

    @property
    def has_duration(self) -> bool:
        """Whether it has a field for the length."""
        return self.product not in (Product.MOTION, Product.AVATAR, Product.EFFECTS)

    @property
    def has_prompt(self) -> bool:
        """Whether it has a field for the prompt."""
        return self.product not in (Product.LIP_SYNC, Product.EFFECTS)

    @property
    def tier_field(self) -> str:
        """What it calls the tier."""
        return "resolution" if self.is_new else "mode"

    @property
    def duration_field(self) -> str:
        """What it calls the length."""
        return "sound_end_time" if self.product is Product.LIP_SYNC else "duration"

    def write(self, over: Mapping[str, Any], generic: Generic, traits: Traits) -> dict[str, Any]:
        """Write the prompt and the pictures, with the client's own fields laid over them.

        Raises:
            UnsupportedParameterError: Fields have no place in such a body.
        """
        if self.is_new:
            write = _new_motion if self.product is Product.MOTION else _new_clip
            return write(over, generic, traits)
        if self.product is Product.LIP_SYNC:
            return _lip_sync(over)
        body: dict[str, Any] = {}
        if self.product not in PRODUCT_NAMES:
            body["model_name"] = traits.name
        if generic.prompt:
            body["prompt"] = generic.prompt
        if generic.pictures:
            body |= _pictures(self.product, generic, over)
        return merge(body, over)

    def count(self, body: Mapping[str, Any]) -> Counter[str]:
        """Count what the new generation has in `contents`, by its types."""
        if self.is_new:
            return Counter(str(entry.get("type")) for entry in objects(body.get("contents")))
        kinds = Counter(element=len(objects(body.get("element_list"))))
        if self.product is Product.FRAMES:
            kinds["first_frame"] = 1 if body.get("image") else 0
            kinds["last_frame"] = 1 if body.get("image_tail") else 0
            kinds["voice"] = len(objects(body.get("voice_list")))
        elif self.product is Product.OMNI:
            for image in objects(body.get("image_list")):
                kinds[_LEGACY_TYPES.get(str(image.get("type")), "refer_image")] += 1
            for video in objects(body.get("video_list")):
                is_base = video.get("refer_type", "base") == "base"
                kinds["base_video" if is_base else "feature_video"] += 1
        return +kinds

    def inputs(self, body: Mapping[str, Any], traits: Traits) -> Inputs:
        """Read what there is to work with."""
        if self.product not in (Product.FRAMES, Product.OMNI):
            is_motion = self.product is Product.MOTION
            action = Action.MOTION if is_motion else next(iter(traits.actions))
            has_length = self.product is not Product.MULTI_ELEMENTS
            return Inputs(action=action, gives_shape=True, gives_length=has_length)
        kinds = self.count(body)
        first, last, edits = (kinds[kind] for kind in ("first_frame", "last_frame", "base_video"))
        references = kinds.total() - kinds["prompt"]
        if not traits.is_omni:
            is_text = not (first or last or body.get("contents"))
            frames = Action.FIRST_LAST_FRAME if last else Action.FIRST_FRAME
            action = Action.TEXT if is_text else frames
        elif edits:
            action = Action.EDIT
        elif first and last:
            action = Action.FIRST_LAST_FRAME
        elif first and references == 1:
            action = Action.FIRST_FRAME
        else:
            action = Action.REFERENCES if references else Action.TEXT
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
        if self.product is Product.LIP_SYNC:
            has_end = "face_choose" in over or over.get("sound_end_time") is not None
            return {"sound_end_time": ...} if has_end else {}
        return settings_of(over) if self.is_new else over

    def place(self, body: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        """Write tier, ratio and duration, none of which the client wrote itself."""
        if self.is_new:
            return body | ({"settings": {**settings, **settings_of(body)}} if settings else {})
        if self.product is Product.LIP_SYNC:
            faces = body.get("face_choose") if settings else None
            return body | ({"face_choose": [{**faces[0], **settings}]} if faces else {})
        must = {"mode": MODE_OF_TIER["720p"]} if self.product is Product.MOTION else {}
        return {**must, **body, **settings}

    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        """Read what is run."""
        if self.product is Product.LIP_SYNC:
            return RunFacts(model=traits.name, sound=True, action=inputs.action)
        if self.product is Product.EFFECTS:
            return _facts_of_effect(body, inputs, traits)
        said, default = self.settings(body), traits.default_tier or ""
        word, kinds = to_word(said.get(self.tier_field)), self.count(body)
        mode = None if self.is_new else word or MODE_OF_TIER.get(default)
        tier = word or default if self.is_new else TIER_OF_MODE.get(mode or "")
        return RunFacts(
            model=traits.name,
            duration_seconds=to_duration(said.get("duration"), inputs),
            resolution=tier or None,
            mode=mode,
            sound=traits.has_sound_always or self._has_sound(body),
            action=inputs.action,
            voice=kinds["voice"] > 0,
            video_input=kinds["base_video"] + kinds["feature_video"] > 0,
        )

    def _has_sound(self, body: Mapping[str, Any]) -> bool | None:
        field = "audio" if self.is_new else "sound"
        return _SOUNDS.get(to_word(self.settings(body).get(field)))


# Flat bodies


def _pictures(product: Product, generic: Generic, over: Mapping[str, Any]) -> dict[str, Any]:
    """Write the generic pictures.

    For an omni model every one is a plain reference, unless `metadata.action` says that they are
    frames, or `metadata` has an `image_list` of its own.
    """
    first, *others = pictures = generic.pictures
    match product:
        case Product.FRAMES:
            return dict(zip(("image", "image_tail"), pictures, strict=False))
        case Product.OMNI:
            roles = ("first_frame", "end_frame") if generic.as_frames else ()
            types = [{"type": role} for role in roles] or [{}] * len(pictures)
            pairs = zip(pictures, types, strict=False)
            return {"image_list": [{"image_url": picture, **kind} for picture, kind in pairs]}
        case Product.EFFECTS:
            brought = over.get("input")
            has_own = isinstance(brought, Mapping) and brought.keys() & {"image", "images"}
            images = {"images": [*pictures]} if others else {"image": first}
            return {} if has_own else {"input": images}
        case Product.MULTI_ELEMENTS:
            return {"image_list": [{"image": picture} for picture in pictures]}
        case _:
            return {"image_url" if product is Product.MOTION else "image": first}


def _lip_sync(over: Mapping[str, Any]) -> dict[str, Any]:
    """Write an `advanced-lip-sync`; without a session the faces of the video are found first.

    Then the body carries `video_id` or `video_url` too, which are for the first step.
    """
    if "face_choose" in over:
        return merge({}, over)
    face = {name: over[name] for name in FACE_FIELDS if over.get(name) is not None}
    if over.get("session_id"):
        # Without the first step nobody tells where the face begins.
        face.setdefault("sound_insert_time", 0)
    body = {name: value for name, value in over.items() if name not in FACE_FIELDS}
    return merge({"face_choose": [{"sound_start_time": 0, **face}]}, body)


def _facts_of_effect(body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
    brought = body.get("input")
    brought = brought if isinstance(brought, Mapping) else {}
    mode, asked = to_word(brought.get("mode")) or None, brought.get("duration")
    length = to_number(asked) if is_given(asked) else None
    return RunFacts(
        model=traits.name,
        # Only older clients say one, and a short one may be read by nobody but the bill.
        duration_seconds=None if length is None else max(length, _DEFAULT_DURATION_SECONDS),
        resolution=TIER_OF_MODE.get(mode or ""),
        mode=mode,
        action=inputs.action,
    )


# Bodies of the new generation


def _new_clip(over: Mapping[str, Any], generic: Generic, traits: Traits) -> dict[str, Any]:
    """Write `prompt` from text alone, `contents` on every other endpoint.

    Pictures for an omni model are plain references called `image_1`, `image_2` …, so that the
    prompt can say `@image_1`; unless `metadata.action` says that they are frames, or `metadata`
    has `contents` of its own.
    """
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


def _new_motion(over: Mapping[str, Any], generic: Generic, traits: Traits) -> dict[str, Any]:  # noqa: ARG001 - as clips are written
    """Write `motion-control`, which is given in the legacy words too."""
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


# Single values


def to_word(value: Any) -> str:
    """Spelt as the vendor may take it: a price must not be escaped by a capital letter."""
    return "" if value is None else str(value).strip().lower()


def to_duration(value: Any, inputs: Inputs) -> float | None:
    """Seconds; `None` where the length of a video decides, or the value is no length."""
    if inputs.gives_length:
        return None
    return float(_DEFAULT_DURATION_SECONDS) if value in (None, "") else to_number(value)
