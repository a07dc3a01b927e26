"""Bodies of motion control, the lip-sync, the avatar, the effects and the edit of objects.

Source: the motion control, lip-sync, face recognition, avatar, effects and multi-element pages
under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

from typing_extensions import override

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.base import Action, RunFacts
from vidgate.providers.kling.entries import element_entries, to_references
from vidgate.providers.kling.frames import legacy_facts, settings_of
from vidgate.providers.kling.models import MODE_OF_TIER, TIER_OF_MODE, Product, Traits
from vidgate.providers.kling.wire import (
    DEFAULT_DURATION_SECONDS,
    LARGER_PICTURES,
    Inputs,
    Overridden,
    Wire,
    Wish,
    is_given,
    objects,
    require,
    to_duration,
    to_word,
)
from vidgate.providers.kling.words import to_settings

__all__ = ["Avatar", "Effects", "LegacyMotion", "LipSync", "MultiElements", "NewMotion"]

_ORIENTATIONS = ("image", "video")
_NEEDS_PICTURE = "Give the picture as `image`."
_NEEDS_MOTION = "Motion control needs the URL of the video whose movement is copied."
_NEEDS_ORIENTATION = "Motion control needs to know whose pose the figure keeps."

_MOTION_FIELDS = (
    "video_url",
    "image_url",
    "element_list",
)
"""The legacy words, which the new generation has inside `contents`."""

_NOT_MOTION = (
    "image_tail",
    "image_list",
    "video_list",
    "voice_list",
    "multi_prompt",
    "shot_type",
)
"""Of other endpoints."""

_FACE_FIELDS = (
    "face_id",
    "audio_id",
    "sound_file",
    "sound_start_time",
    "sound_end_time",
    "sound_insert_time",
    "sound_volume",
    "original_audio_volume",
)
"""Of an entry of `face_choose`; a client may give them beside it, since there is one entry."""

_PICTURES_OF_EDIT = MappingProxyType({"addition": (1, 2), "swap": (1,), "removal": (0,)})


class _Product(Wire):
    """What the flat bodies have in common."""

    action: ClassVar[Action]
    image_field: ClassVar[str] = "image"
    gives_length: ClassVar[bool] = True

    @override
    def inputs(
        self,
        pictures: Sequence[str],
        over: Mapping[str, Any],
        traits: Traits,
        *,
        as_frames: bool = False,
    ) -> Inputs:
        return Inputs(action=self.action, gives_shape=True, gives_length=self.gives_length)

    @override
    def overridden(self, over: Mapping[str, Any], inputs: Inputs, traits: Traits) -> Overridden:
        return Overridden(
            prompt="prompt" in over,
            duration="duration" in over,
            tier="mode" in over,
            ratio="aspect_ratio" in over,
            pictures=self.image_field in over,
        )

    @override
    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        return legacy_facts(body, inputs, traits)


class LegacyMotion(_Product):
    """`motion-control`, whose `mode` must be said."""

    has_duration = False
    action = Action.MOTION
    image_field = "image_url"

    @override
    def write(
        self, wish: Wish, inputs: Inputs, traits: Traits, taken: Mapping[str, Any]
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"model_name": traits.name}
        if wish.prompt:
            body["prompt"] = wish.prompt
        if wish.pictures:
            body["image_url"] = wish.pictures[0]
        body["mode"] = MODE_OF_TIER[wish.tier or "720p"]
        return body

    @override
    def check(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> None:
        require({"image": body.get("image_url")}, "image", _NEEDS_PICTURE)
        require(body, "video_url", _NEEDS_MOTION)
        require(body, "character_orientation", _NEEDS_ORIENTATION, *_ORIENTATIONS)


@dataclass(frozen=True, slots=True)
class NewMotion(_Product):
    """`motion-control` of the new generation, which is given in the legacy words too.

    Attributes:
        words: The prompt of `metadata`, `None` where it has none.
    """

    words: Any = None

    max_image_bytes: ClassVar[int] = LARGER_PICTURES
    has_duration: ClassVar[bool] = False
    action: ClassVar[Action] = Action.MOTION

    @override
    def hear(
        self, over: Mapping[str, Any], traits: Traits, product: Product
    ) -> tuple[Self, dict[str, Any]]:
        fields = to_settings(over, traits, product)
        for name in _NOT_MOTION:
            if is_given(fields.pop(name, None)):
                raise UnsupportedParameterError(
                    name, f"Motion control has no `{name}`; give one picture as `image_url`."
                )
        picture = fields.pop("image", None)
        if is_given(picture):
            if is_given(fields.get("image_url")):
                raise UnsupportedParameterError("image", "Give one picture, as `image_url`.")
            fields["image_url"] = picture
        words = fields.pop("prompt", None)
        for name in ("prompt", *_MOTION_FIELDS):
            if "contents" in fields and is_given(words if name == "prompt" else fields.get(name)):
                raise UnsupportedParameterError(name, f"Put `{name}` in `contents`, with the rest.")
        return replace(self, words=words), fields

    @override
    def take(self, over: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if "contents" in over:
            return {}, dict(over)
        taken = {name: over[name] for name in _MOTION_FIELDS if over.get(name) is not None}
        return taken, {name: value for name, value in over.items() if name not in _MOTION_FIELDS}

    @override
    def overridden(self, over: Mapping[str, Any], inputs: Inputs, traits: Traits) -> Overridden:
        settings = over.get("settings", {})
        replaces_all = not isinstance(settings, Mapping)
        settings = settings_of(over)
        return Overridden(
            prompt=self.words is not None or "contents" in over,
            duration="duration" in settings,
            tier=replaces_all or "resolution" in settings,
            ratio=replaces_all or "aspect_ratio" in settings,
            pictures="contents" in over or "image_url" in over,
        )

    @override
    def write(
        self, wish: Wish, inputs: Inputs, traits: Traits, taken: Mapping[str, Any]
    ) -> dict[str, Any]:
        words = to_references(wish.prompt if self.words is None else self.words)
        contents: list[dict[str, Any]] = [{"type": "prompt", "text": words}]
        picture = taken.get("image_url") or (wish.pictures[0] if wish.pictures else None)
        if picture is not None:
            contents.append({"type": "image", "url": picture})
        if "video_url" in taken:
            contents.append({"type": "video", "url": taken["video_url"]})
        contents += element_entries(taken.get("element_list"))
        settings: dict[str, Any] = {}
        if wish.tier is not None:
            settings["resolution"] = wish.tier
        return {"contents": contents, "settings": settings}

    @override
    def check(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> None:
        entries = objects(body.get("contents"))
        urls = {to_word(entry.get("type")): entry.get("url") for entry in entries}
        require(urls, "image", _NEEDS_PICTURE)
        require({"video_url": urls.get("video")}, "video_url", _NEEDS_MOTION)
        require(settings_of(body), "character_orientation", _NEEDS_ORIENTATION, *_ORIENTATIONS)

    @override
    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        tier = to_word(settings_of(body).get("resolution")) or traits.default_tier
        return RunFacts(model=traits.name, resolution=tier, sound=False)


class Avatar(_Product):
    """`avatar/image2video`: as long as the sound that it speaks."""

    has_duration = False
    action = Action.AVATAR

    @override
    def write(
        self, wish: Wish, inputs: Inputs, traits: Traits, taken: Mapping[str, Any]
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"image": wish.pictures[0]} if wish.pictures else {}
        if wish.prompt:
            body["prompt"] = wish.prompt
        if wish.tier is not None:
            body["mode"] = MODE_OF_TIER[wish.tier]
        return body

    @override
    def check(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> None:
        require(body, "image", _NEEDS_PICTURE)
        _require_sound(body, "An avatar")


class LipSync(_Product):
    """`advanced-lip-sync`; without a session the faces of the video are found first.

    Then the body carries `video_id` or `video_url` too, which are for the first step.
    """

    has_prompt = False
    action = Action.LIP_SYNC

    @override
    def take(self, over: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if "face_choose" in over:
            return {}, dict(over)
        taken = {name: over[name] for name in _FACE_FIELDS if over.get(name) is not None}
        if over.get("session_id"):
            # Without the first step nobody tells where the face begins.
            taken.setdefault("sound_insert_time", 0)
        return taken, {name: value for name, value in over.items() if name not in _FACE_FIELDS}

    @override
    def overridden(self, over: Mapping[str, Any], inputs: Inputs, traits: Traits) -> Overridden:
        return Overridden(duration="face_choose" in over or over.get("sound_end_time") is not None)

    @override
    def write(
        self, wish: Wish, inputs: Inputs, traits: Traits, taken: Mapping[str, Any]
    ) -> dict[str, Any]:
        face = {"sound_start_time": 0, **taken}
        if wish.duration is not None and "sound_end_time" not in taken:
            start = face["sound_start_time"]
            milliseconds = round(wish.duration * 1000)
            face["sound_end_time"] = milliseconds + (start if isinstance(start, int) else 0)
        return {"face_choose": [face]}

    @override
    def check(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> None:
        has_session = is_given(body.get("session_id"))
        if not (has_session or is_given(body.get("video_id"))):
            require(body, "video_url", "A lip-sync needs a video, as `video_url` or `video_id`.")
        faces = objects(body.get("face_choose"))
        require({"face_choose": faces}, "face_choose", "A lip-sync needs a list of one face.")
        for face in faces:
            _require_sound(face, "A lip-sync")
            require(
                face,
                "sound_end_time",
                "Say in `duration` how many seconds of the sound are spoken, or in "
                "`sound_end_time` at which millisecond of it to stop.",
            )
            if has_session:
                require(face, "face_id", "With a `session_id` the face must be named.")

    @override
    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        return RunFacts(model=traits.name, sound=True)


class Effects(_Product):
    """`effects`: scenes come and go weekly, so their names are not judged."""

    has_duration = False
    has_prompt = False
    action = Action.EFFECT
    image_field = "input"

    @override
    def take(self, over: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        brought = over.get("input")
        has_pictures = isinstance(brought, Mapping) and bool(brought.keys() & {"image", "images"})
        return {"has_pictures": has_pictures}, dict(over)

    @override
    def write(
        self, wish: Wish, inputs: Inputs, traits: Traits, taken: Mapping[str, Any]
    ) -> dict[str, Any]:
        if taken["has_pictures"] or not wish.pictures:
            return {}
        if len(wish.pictures) == 1:
            return {"input": {"image": wish.pictures[0]}}
        return {"input": {"images": list(wish.pictures)}}

    @override
    def check(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> None:
        require(body, "effect_scene", "Name the effect in `effect_scene`.")
        brought = body.get("input")
        brought = brought if isinstance(brought, Mapping) else {}
        require(
            {"image": brought.get("image") or brought.get("images")},
            "image",
            "An effect needs one picture, or two for the effects of two figures.",
        )

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
            duration_seconds=None if length is None else max(length, DEFAULT_DURATION_SECONDS),
            resolution=TIER_OF_MODE.get(mode or ""),
            mode=mode,
        )


class MultiElements(_Product):
    """`multi-elements`: the last step; the client chose the objects in a session of its own."""

    action = Action.EDIT
    image_field = "image_list"
    gives_length = False

    @override
    def write(
        self, wish: Wish, inputs: Inputs, traits: Traits, taken: Mapping[str, Any]
    ) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if wish.prompt:
            body["prompt"] = wish.prompt
        if wish.pictures:
            body["image_list"] = [{"image": picture} for picture in wish.pictures]
        if wish.tier is not None:
            body["mode"] = MODE_OF_TIER[wish.tier]
        if wish.duration is not None:
            body["duration"] = str(wish.duration)
        return body

    @override
    def check(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> None:
        require(
            body,
            "session_id",
            "Multi-elements needs the `session_id` of a selection, which begins with POST "
            "/kling/v1/videos/multi-elements/init-selection; to change a video by words alone, use "
            "kling-v3-omni with the video in `video_list`.",
        )
        require(body, "edit_mode", "Say what to do in `edit_mode`.", *_PICTURES_OF_EDIT)
        require(body, "prompt", "The edit of a video needs a prompt.")
        pictures = body.get("image_list")
        number = len(pictures) if isinstance(pictures, list) else 0
        edit_mode = to_word(body["edit_mode"])
        allowed = _PICTURES_OF_EDIT.get(edit_mode, (number,))
        if number not in allowed:
            raise UnsupportedParameterError(
                "images",
                f"The edit mode {edit_mode} takes another number of pictures, not {number}.",
                allowed=allowed,
            )


def _require_sound(where: Mapping[str, Any], what: str) -> None:
    if not (is_given(where.get("audio_id")) or is_given(where.get("sound_file"))):
        raise UnsupportedParameterError(
            "sound_file", f"{what} needs a sound, as `sound_file` or `audio_id`."
        )
